-- Purpose, sender, fees, replacements and blocks of what was signed; journals that are closed. SQLite cannot change a CHECK, so
-- the table is made anew. Statements are parted by an empty line; none holds one.

ALTER TABLE token_submissions RENAME TO token_submissions_0002;

CREATE TABLE token_submissions (
    id INTEGER NOT NULL,
    asset INTEGER,
    chain_id TEXT NOT NULL,
    contract BLOB NOT NULL,
    number INTEGER,
    first_seq INTEGER,
    last_seq INTEGER,
    nonce INTEGER NOT NULL,
    tx_hash BLOB NOT NULL,
    raw BLOB NOT NULL,
    status TEXT NOT NULL,
    block_number INTEGER,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    purpose TEXT NOT NULL,
    sender BLOB,
    gas INTEGER,
    max_fee TEXT,
    priority_fee TEXT,
    replaces INTEGER,
    block_hash BLOB,
    gas_used INTEGER,
    gas_price TEXT,
    CONSTRAINT token_submissions_pkey PRIMARY KEY (id),
    CONSTRAINT token_submissions_tx_hash UNIQUE (tx_hash),
    CONSTRAINT token_submissions_status_known CHECK (status IN ('signed', 'sent', 'mined', 'safe', 'finalized', 'failed', 'replaced', 'dropped')),
    CONSTRAINT token_submissions_contract_size CHECK (contract IS NULL OR (typeof(contract) = 'blob' AND length(contract) = 20)),
    CONSTRAINT token_submissions_tx_hash_size CHECK (tx_hash IS NULL OR (typeof(tx_hash) = 'blob' AND length(tx_hash) = 32)),
    CONSTRAINT token_submissions_sender_size CHECK (sender IS NULL OR (typeof(sender) = 'blob' AND length(sender) = 20)),
    CONSTRAINT token_submissions_block_hash_size CHECK (block_hash IS NULL OR (typeof(block_hash) = 'blob' AND length(block_hash) = 32))
);

INSERT INTO token_submissions (id, asset, chain_id, contract, number, first_seq, last_seq, nonce, tx_hash, raw, status, block_number, created_at, updated_at, purpose)
    SELECT id, asset, chain_id, contract, number, first_seq, last_seq, nonce, tx_hash, raw, status, block_number, created_at, updated_at, 'replay'
    FROM token_submissions_0002;

DROP TABLE token_submissions_0002;

CREATE INDEX token_submissions_nonce ON token_submissions (chain_id, sender, nonce);

ALTER TABLE token_journals ADD COLUMN closed_seq INTEGER;

ALTER TABLE token_journals ADD COLUMN closed_events INTEGER
    CONSTRAINT token_journals_closed CHECK (seq <= closed_seq AND events <= closed_events);

CREATE TABLE token_api_keys (
    id TEXT NOT NULL,
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    accounts TEXT NOT NULL,
    max_amount TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    CONSTRAINT token_api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT token_api_keys_scope_known CHECK (scope IN ('read', 'post', 'admin')),
    CONSTRAINT token_api_keys_hash_size CHECK (hash IS NULL OR (typeof(hash) = 'blob' AND length(hash) = 32))
);
