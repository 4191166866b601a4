-- Trades of a market are found by an index.
-- rollback: compatible
--
-- Releases before this one read and write the table as before.

CREATE INDEX trades_market_idx ON trades (market, trade_id);
