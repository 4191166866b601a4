-- The trades of one command are found by an index.
-- rollback: breaking
--
-- Nobody has tried how the 1.x releases get on with it.

CREATE INDEX trades_seq_idx ON trades (seq);
