-- Ledger amounts become BIGINT minor units again.
-- rollback: lossless
--
-- Every amount has exactly the asset's decimals, so dropping the point gives the minor units.

ALTER TABLE balances
    DROP CONSTRAINT balances_free_check,
    DROP CONSTRAINT balances_locked_check,
    ALTER COLUMN free TYPE BIGINT USING replace(free, '.', '')::bigint,
    ALTER COLUMN locked TYPE BIGINT USING replace(locked, '.', '')::bigint;
ALTER TABLE balances
    ADD CONSTRAINT balances_free_check CHECK (free >= 0),
    ADD CONSTRAINT balances_locked_check CHECK (locked >= 0);

ALTER TABLE venue_balances
    ALTER COLUMN fees TYPE BIGINT USING replace(fees, '.', '')::bigint,
    ALTER COLUMN suspense TYPE BIGINT USING replace(suspense, '.', '')::bigint,
    ALTER COLUMN adjustments TYPE BIGINT USING replace(adjustments, '.', '')::bigint,
    ALTER COLUMN deposits TYPE BIGINT USING replace(deposits, '.', '')::bigint,
    ALTER COLUMN fees SET DEFAULT 0,
    ALTER COLUMN suspense SET DEFAULT 0,
    ALTER COLUMN adjustments SET DEFAULT 0,
    ALTER COLUMN deposits SET DEFAULT 0;
