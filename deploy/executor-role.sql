-- The database side of the rollback executor's rights. A superuser runs this file in the ledger database, after the base
-- schema is there; running it again does no harm. Passwords are set apart: ALTER ROLE rollback_executor PASSWORD '…'.
--
--   dex_owner           owns the ledger and all that is in it; nobody logs in as it
--   ├─ rollback_executor   may act as dex_owner and as dex_app, and may create databases
--   └─ whoever migrates    must SET ROLE dex_owner first (Flyway: initSql), or the executor can't undo what it made
--   dex_app             the exchange; owns nothing, so the fence holds
--
-- Not a superuser, no CREATEROLE, no pg_signal_backend (it would end the sessions of every role on the server), no file
-- access, no other database of the server.

DO $$
DECLARE
    thing RECORD;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dex_owner') THEN
        CREATE ROLE dex_owner NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dex_app') THEN
        CREATE ROLE dex_app LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rollback_executor') THEN
        CREATE ROLE rollback_executor LOGIN;
    END IF;

    -- The ledger, and what is in it, changes hands. The database's owner may close it to sessions, rename it, copy it and drop
    -- copies of it; the tables' owner may take rights away from dex_app and run an undo script.
    EXECUTE format('ALTER DATABASE %I OWNER TO dex_owner', current_database());
    FOR thing IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO dex_owner', thing.name);
    END LOOP;
    FOR thing IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S'
          -- A sequence of a column goes with its table.
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))
    LOOP
        EXECUTE format('ALTER SEQUENCE %s OWNER TO dex_owner', thing.name);
    END LOOP;
    FOR thing IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v'
    LOOP
        EXECUTE format('ALTER VIEW %s OWNER TO dex_owner', thing.name);
    END LOOP;
    FOR thing IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO dex_owner', thing.name);
    END LOOP;
END
$$;

-- Where everybody may create tables (PostgreSQL 14), the exchange could make the fence's tables before the fence does.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO dex_owner;

-- CREATEDB: snapshots are databases, and a rename asks for it as well.
ALTER ROLE rollback_executor
    NOSUPERUSER CREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT 16;

-- As dex_owner: act on the ledger, end the sessions of who migrates as it. As dex_app: end the exchange's sessions.
GRANT dex_owner, dex_app TO rollback_executor;
