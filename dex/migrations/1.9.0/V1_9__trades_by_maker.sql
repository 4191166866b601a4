-- Trades of a resting order are found by an index.
-- rollback: compatible
--
-- Releases before this one read and write the table as before.

CREATE INDEX trades_maker_idx ON trades (maker_order);
