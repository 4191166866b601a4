-- Ledger amounts become decimal text, with exactly as many decimals as the asset has.
-- rollback: breaking
--
-- The 1.x releases cannot read the rewritten rows.

CREATE FUNCTION dex_to_decimal(minor BIGINT, of_asset SMALLINT) RETURNS TEXT
LANGUAGE sql STABLE STRICT AS $$
    SELECT CASE WHEN minor < 0 THEN '-' ELSE '' END
        || trunc(abs(minor::numeric) / (10 ^ decimals::numeric), 0)::bigint::text
        || '.'
        || lpad((abs(minor::numeric) % (10 ^ decimals::numeric))::bigint::text, decimals, '0')
    FROM assets WHERE asset = of_asset
$$;

ALTER TABLE balances
    DROP CONSTRAINT balances_free_check,
    DROP CONSTRAINT balances_locked_check,
    ALTER COLUMN free TYPE TEXT USING dex_to_decimal(free, asset),
    ALTER COLUMN locked TYPE TEXT USING dex_to_decimal(locked, asset);
ALTER TABLE balances
    ADD CONSTRAINT balances_free_check CHECK (free ~ '^[0-9]+\.[0-9]+$'),
    ADD CONSTRAINT balances_locked_check CHECK (locked ~ '^[0-9]+\.[0-9]+$');

ALTER TABLE venue_balances
    ALTER COLUMN fees DROP DEFAULT,
    ALTER COLUMN suspense DROP DEFAULT,
    ALTER COLUMN adjustments DROP DEFAULT,
    ALTER COLUMN deposits DROP DEFAULT,
    ALTER COLUMN fees TYPE TEXT USING dex_to_decimal(fees, asset),
    ALTER COLUMN suspense TYPE TEXT USING dex_to_decimal(suspense, asset),
    ALTER COLUMN adjustments TYPE TEXT USING dex_to_decimal(adjustments, asset),
    ALTER COLUMN deposits TYPE TEXT USING dex_to_decimal(deposits, asset);

DROP FUNCTION dex_to_decimal(BIGINT, SMALLINT);
