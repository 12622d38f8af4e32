-- Holds, events, limits, standing of accounts, proofs of addresses, hourly volume.
-- Statements are parted by an empty line; none holds one.

ALTER TABLE token_accounts ADD COLUMN status TEXT DEFAULT 'open' NOT NULL
    CONSTRAINT token_accounts_status_known CHECK (status IN ('open', 'frozen', 'closed'));

ALTER TABLE token_accounts ADD COLUMN link TEXT
    CONSTRAINT token_accounts_link_known CHECK (link IN ('eip712', 'eip191', 'erc1271', 'operator'));

ALTER TABLE token_accounts ADD COLUMN link_chain_id TEXT;

ALTER TABLE token_accounts ADD COLUMN link_signature BLOB;

ALTER TABLE token_balances ADD COLUMN max_debit BLOB
    CONSTRAINT token_balances_max_debit_range CHECK (max_debit IS NULL OR (typeof(max_debit) = 'blob' AND length(max_debit) = 32));

ALTER TABLE token_balances ADD COLUMN max_balance BLOB
    CONSTRAINT token_balances_max_balance_range CHECK (max_balance IS NULL OR (typeof(max_balance) = 'blob' AND length(max_balance) = 32));

ALTER TABLE token_journals RENAME COLUMN version TO row_version; -- so programs of 0001 that are still open cannot write

ALTER TABLE token_journals ADD COLUMN events INTEGER DEFAULT 0 NOT NULL
    CONSTRAINT token_journals_events_range CHECK (events >= 0);

ALTER TABLE token_journals ADD COLUMN next_expiry BIGINT;

CREATE UNIQUE INDEX token_ledger_reversed ON token_ledger (cause) WHERE kind = 'reversal';

CREATE TABLE token_holds (
    asset INTEGER NOT NULL,
    number INTEGER NOT NULL,
    id BLOB NOT NULL,
    account_id TEXT NOT NULL,
    to_account TEXT,
    amount BLOB NOT NULL,
    remaining BLOB NOT NULL,
    state TEXT NOT NULL,
    expires_at BIGINT,
    reason TEXT,
    reference_type TEXT,
    reference_id TEXT,
    memo TEXT,
    idempotency_key TEXT,
    blind BLOB,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT token_holds_pkey PRIMARY KEY (asset, number),
    CONSTRAINT token_holds_id_size CHECK (id IS NULL OR (typeof(id) = 'blob' AND length(id) = 32)),
    CONSTRAINT token_holds_blind_size CHECK (blind IS NULL OR (typeof(blind) = 'blob' AND length(blind) = 32)),
    CONSTRAINT token_holds_amount_range CHECK (typeof(amount) = 'blob' AND length(amount) = 32),
    CONSTRAINT token_holds_remaining_range CHECK (typeof(remaining) = 'blob' AND length(remaining) = 32),
    CONSTRAINT token_holds_not_more CHECK (remaining <= amount),
    CONSTRAINT token_holds_state_known CHECK (state IN ('pending', 'posted', 'voided', 'expired')),
    CONSTRAINT token_holds_pending_holds CHECK ((state = 'pending') = (remaining > zeroblob(32)))
);

CREATE INDEX token_holds_account ON token_holds (asset, account_id, number);

CREATE INDEX token_holds_due ON token_holds (asset, expires_at, number) WHERE state = 'pending';

CREATE INDEX token_holds_id ON token_holds (id);

CREATE TABLE token_events (
    asset INTEGER NOT NULL,
    number INTEGER NOT NULL,
    after_seq INTEGER NOT NULL,
    timestamp BIGINT NOT NULL,
    type TEXT NOT NULL,
    account_id TEXT NOT NULL,
    hold INTEGER,
    details TEXT NOT NULL,
    CONSTRAINT token_events_pkey PRIMARY KEY (asset, number),
    CONSTRAINT token_events_number_range CHECK (number >= 1)
);

CREATE TABLE token_volume (
    asset INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    amount TEXT NOT NULL,
    CONSTRAINT token_volume_pkey PRIMARY KEY (asset, hour)
);

INSERT INTO token_events (asset, number, after_seq, timestamp, type, account_id, details)
    SELECT 0, row_number() OVER (ORDER BY created_at, account_id), 0, created_at, 'account_created', account_id, '{}'
    FROM token_accounts;

INSERT INTO token_journals (asset, seq, head, last_time, row_version, events)
    SELECT 0, 0, zeroblob(32), COALESCE(max(created_at), 0), 0, count(*) FROM token_accounts;

INSERT INTO token_volume (asset, hour, entries, amount)
    SELECT asset, timestamp / 3600000000, count(*), amount_sum(amount)
    FROM token_ledger
    WHERE from_account <> 'system' AND to_account <> 'system'
    GROUP BY asset, timestamp / 3600000000;

CREATE TRIGGER token_events_no_update BEFORE UPDATE ON token_events
BEGIN
    SELECT RAISE(ABORT, 'token_events is append-only: no UPDATE');
END;

CREATE TRIGGER token_events_no_delete BEFORE DELETE ON token_events
BEGIN
    SELECT RAISE(ABORT, 'token_events is append-only: no DELETE');
END;

CREATE TRIGGER token_holds_no_delete BEFORE DELETE ON token_holds
BEGIN
    SELECT RAISE(ABORT, 'token_holds is append-only: no DELETE');
END;
