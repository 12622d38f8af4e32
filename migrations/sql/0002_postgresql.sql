-- Holds, events, limits, standing of accounts, proofs of addresses, hourly volume.
-- Statements are parted by an empty line; none holds one.

LOCK TABLE token_journals IN ACCESS EXCLUSIVE MODE; -- posters take it first: no deadlock with them

ALTER TABLE token_accounts ADD COLUMN status TEXT COLLATE "C" DEFAULT 'open' NOT NULL
    CONSTRAINT token_accounts_status_known CHECK (status IN ('open', 'frozen', 'closed'));

ALTER TABLE token_accounts ADD COLUMN link TEXT COLLATE "C"
    CONSTRAINT token_accounts_link_known CHECK (link IN ('eip712', 'eip191', 'erc1271', 'operator'));

ALTER TABLE token_accounts ADD COLUMN link_chain_id TEXT COLLATE "C";

ALTER TABLE token_accounts ADD COLUMN link_signature BYTEA;

ALTER TABLE token_balances ADD COLUMN max_debit NUMERIC(78, 0)
    CONSTRAINT token_balances_max_debit_range CHECK (max_debit >= 0 AND max_debit <= 115792089237316195423570985008687907853269984665640564039457584007913129639935);

ALTER TABLE token_balances ADD COLUMN max_balance NUMERIC(78, 0)
    CONSTRAINT token_balances_max_balance_range CHECK (max_balance >= 0 AND max_balance <= 115792089237316195423570985008687907853269984665640564039457584007913129639935);

ALTER TABLE token_journals RENAME COLUMN version TO row_version; -- so programs of 0001 that are still open cannot write

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'token_journals'::regclass AND conname = 'token_journals_version_not_null') THEN
        ALTER TABLE token_journals RENAME CONSTRAINT token_journals_version_not_null TO token_journals_row_version_not_null; -- which PostgreSQL names since 18
    END IF;
END
$$;

ALTER TABLE token_journals ADD COLUMN events BIGINT DEFAULT 0 NOT NULL
    CONSTRAINT token_journals_events_range CHECK (events >= 0);

ALTER TABLE token_journals ADD COLUMN next_expiry BIGINT;

CREATE UNIQUE INDEX token_ledger_reversed ON token_ledger (cause) WHERE kind = 'reversal';

CREATE TABLE token_holds (
    asset INTEGER NOT NULL,
    number BIGINT NOT NULL,
    id BYTEA NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    to_account TEXT COLLATE "C",
    amount NUMERIC(78, 0) NOT NULL,
    remaining NUMERIC(78, 0) NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT,
    reason TEXT COLLATE "C",
    reference_type TEXT COLLATE "C",
    reference_id TEXT COLLATE "C",
    memo TEXT COLLATE "C",
    idempotency_key TEXT COLLATE "C",
    blind BYTEA,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT token_holds_pkey PRIMARY KEY (asset, number),
    CONSTRAINT token_holds_id_size CHECK (octet_length(id) = 32),
    CONSTRAINT token_holds_blind_size CHECK (octet_length(blind) = 32),
    CONSTRAINT token_holds_amount_range CHECK (amount >= 0 AND amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT token_holds_remaining_range CHECK (remaining >= 0 AND remaining <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT token_holds_not_more CHECK (remaining <= amount),
    CONSTRAINT token_holds_state_known CHECK (state IN ('pending', 'posted', 'voided', 'expired')),
    CONSTRAINT token_holds_pending_holds CHECK ((state = 'pending') = (remaining > 0))
);

CREATE INDEX token_holds_account ON token_holds (asset, account_id, number);

CREATE INDEX token_holds_due ON token_holds (asset, expires_at, number) WHERE state = 'pending';

CREATE INDEX token_holds_id ON token_holds USING hash (id);

CREATE TABLE token_events (
    asset INTEGER NOT NULL,
    number BIGINT NOT NULL,
    after_seq BIGINT NOT NULL,
    timestamp BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    hold BIGINT,
    details TEXT COLLATE "C" NOT NULL,
    CONSTRAINT token_events_pkey PRIMARY KEY (asset, number),
    CONSTRAINT token_events_number_range CHECK (number >= 1)
);

CREATE TABLE token_volume (
    asset INTEGER NOT NULL,
    hour BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    amount TEXT COLLATE "C" NOT NULL,
    CONSTRAINT token_volume_pkey PRIMARY KEY (asset, hour)
);

INSERT INTO token_events (asset, number, after_seq, timestamp, type, account_id, details)
    SELECT 0, row_number() OVER (ORDER BY created_at, account_id), 0, created_at, 'account_created', account_id, '{}'
    FROM token_accounts;

INSERT INTO token_journals (asset, seq, head, last_time, row_version, events)
    SELECT 0, 0, decode(repeat('00', 32), 'hex'), COALESCE(max(created_at), 0), 0, count(*) FROM token_accounts;

INSERT INTO token_volume (asset, hour, entries, amount)
    SELECT asset, timestamp / 3600000000, count(*), sum(amount)::text
    FROM token_ledger
    WHERE from_account <> 'system' AND to_account <> 'system'
    GROUP BY asset, timestamp / 3600000000;

CREATE TRIGGER token_events_no_change BEFORE UPDATE OR DELETE ON token_events
    FOR EACH ROW EXECUTE FUNCTION token_refuse_change();

CREATE TRIGGER token_events_no_truncate BEFORE TRUNCATE ON token_events
    FOR EACH STATEMENT EXECUTE FUNCTION token_refuse_change();

CREATE TRIGGER token_holds_no_delete BEFORE DELETE ON token_holds
    FOR EACH ROW EXECUTE FUNCTION token_refuse_change();

CREATE TRIGGER token_holds_no_truncate BEFORE TRUNCATE ON token_holds
    FOR EACH STATEMENT EXECUTE FUNCTION token_refuse_change();
