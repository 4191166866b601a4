-- The index on the trades of one command goes.
-- rollback: lossless

DROP INDEX trades_seq_idx;
