-- The exchange's ledger database: the schema of the 1.x releases. Amounts are BIGINT minor units.
-- rollback: breaking
--
-- Role dex_app is the exchange's. The fence of a rollback takes INSERT, UPDATE and DELETE on every table but
-- `leader` away from it; it never owns a table, so the fence holds.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dex_app') THEN
        CREATE ROLE dex_app LOGIN;
    END IF;
END
$$;

CREATE TABLE assets (
    asset     SMALLINT PRIMARY KEY CHECK (asset >= 0),
    decimals  SMALLINT NOT NULL CHECK (decimals BETWEEN 1 AND 9)
);

CREATE TABLE markets (
    market              SMALLINT PRIMARY KEY CHECK (market >= 0),
    base_asset          SMALLINT NOT NULL REFERENCES assets,
    quote_asset         SMALLINT NOT NULL REFERENCES assets,
    min_price           BIGINT NOT NULL CHECK (min_price >= 1),
    max_qty             BIGINT NOT NULL CHECK (max_qty >= 1),
    base_per_lot        BIGINT NOT NULL CHECK (base_per_lot >= 1),
    quote_per_tick_lot  BIGINT NOT NULL CHECK (quote_per_tick_lot >= 1),
    maker_fee_bps       BIGINT NOT NULL CHECK (maker_fee_bps BETWEEN 0 AND 100),
    taker_fee_bps       BIGINT NOT NULL CHECK (taker_fee_bps BETWEEN 0 AND 100)
);

CREATE TABLE accounts (
    account    BIGINT PRIMARY KEY CHECK (account >= 0),
    opened_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE balances (
    account  BIGINT NOT NULL REFERENCES accounts,
    asset    SMALLINT NOT NULL REFERENCES assets,
    free     BIGINT NOT NULL CONSTRAINT balances_free_check CHECK (free >= 0),
    locked   BIGINT NOT NULL CONSTRAINT balances_locked_check CHECK (locked >= 0),
    PRIMARY KEY (account, asset)
);

CREATE TABLE venue_balances (
    asset        SMALLINT PRIMARY KEY REFERENCES assets,
    fees         BIGINT NOT NULL DEFAULT 0,
    suspense     BIGINT NOT NULL DEFAULT 0,
    adjustments  BIGINT NOT NULL DEFAULT 0,
    deposits     BIGINT NOT NULL DEFAULT 0
);

-- Orders that are or were open. An order's id is the log position of the command that placed it.
CREATE TABLE orders (
    order_id   BIGINT PRIMARY KEY CHECK (order_id >= 1),
    account    BIGINT NOT NULL REFERENCES accounts,
    market     SMALLINT NOT NULL REFERENCES markets,
    side       CHAR(1) NOT NULL CHECK (side IN ('B', 'S')),
    price      BIGINT NOT NULL CHECK (price >= 1),
    qty        BIGINT NOT NULL CHECK (qty >= 1),
    remaining  BIGINT NOT NULL CHECK (remaining BETWEEN 0 AND qty)
);
CREATE INDEX orders_open_idx ON orders (market, side, price, order_id) WHERE remaining > 0;

-- Fees are minor units of the market's quote asset, in every schema version.
CREATE TABLE trades (
    trade_id     BIGINT PRIMARY KEY CHECK (trade_id >= 1),
    seq          BIGINT NOT NULL,
    market       SMALLINT NOT NULL REFERENCES markets,
    price        BIGINT NOT NULL CHECK (price >= 1),
    qty          BIGINT NOT NULL CHECK (qty >= 1),
    taker_side   CHAR(1) NOT NULL CHECK (taker_side IN ('B', 'S')),
    taker_order  BIGINT NOT NULL,
    taker        BIGINT NOT NULL REFERENCES accounts,
    maker_order  BIGINT NOT NULL,
    maker        BIGINT NOT NULL REFERENCES accounts,
    taker_fee    BIGINT NOT NULL CHECK (taker_fee >= 0),
    maker_fee    BIGINT NOT NULL CHECK (maker_fee >= 0),
    CHECK (maker_order < taker_order)
);

-- Append-only, and its format is never migrated: every release can replay it.
CREATE TABLE order_log (
    seq    BIGINT PRIMARY KEY CHECK (seq >= 1),
    entry  JSONB NOT NULL,
    chain  BIGINT NOT NULL
);

-- How far the rows above have come; the state is these rows plus the log behind applied_seq.
CREATE TABLE ledger_meta (
    only_row     BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    applied_seq  BIGINT NOT NULL DEFAULT 0,
    trade_id     BIGINT NOT NULL DEFAULT 0
);
INSERT INTO ledger_meta DEFAULT VALUES;

-- Which matching engine leads. It stays writable under the fence, so that a new pod can take over.
CREATE TABLE leader (
    only_row  BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    epoch     BIGINT NOT NULL DEFAULT 0,
    holder    TEXT NOT NULL DEFAULT ''
);
INSERT INTO leader DEFAULT VALUES;

GRANT SELECT, INSERT, UPDATE, DELETE ON assets, markets, accounts, balances, venue_balances, orders, ledger_meta TO dex_app;
GRANT SELECT, INSERT ON trades, order_log TO dex_app;
GRANT SELECT, UPDATE ON leader TO dex_app;
