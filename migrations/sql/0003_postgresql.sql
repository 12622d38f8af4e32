-- Purpose, sender, fees, replacements and blocks of what was signed; journals that are closed.
-- Statements are parted by an empty line; none holds one.

ALTER TABLE token_submissions
    ALTER COLUMN asset DROP NOT NULL,
    ALTER COLUMN number DROP NOT NULL,
    ALTER COLUMN first_seq DROP NOT NULL,
    ALTER COLUMN last_seq DROP NOT NULL,
    ADD COLUMN purpose TEXT COLLATE "C",
    ADD COLUMN sender BYTEA,
    ADD COLUMN gas BIGINT,
    ADD COLUMN max_fee TEXT COLLATE "C",
    ADD COLUMN priority_fee TEXT COLLATE "C",
    ADD COLUMN replaces INTEGER,
    ADD COLUMN block_hash BYTEA,
    ADD COLUMN gas_used BIGINT,
    ADD COLUMN gas_price TEXT COLLATE "C";

UPDATE token_submissions SET purpose = 'replay';

ALTER TABLE token_submissions
    ALTER COLUMN purpose SET NOT NULL,
    DROP CONSTRAINT token_submissions_status_known,
    ADD CONSTRAINT token_submissions_status_known CHECK (status IN ('signed', 'sent', 'mined', 'safe', 'finalized', 'failed', 'replaced', 'dropped')),
    ADD CONSTRAINT token_submissions_sender_size CHECK (octet_length(sender) = 20),
    ADD CONSTRAINT token_submissions_block_hash_size CHECK (octet_length(block_hash) = 32);

CREATE INDEX token_submissions_nonce ON token_submissions (chain_id, sender, nonce);

ALTER TABLE token_journals ADD COLUMN closed_seq BIGINT;

ALTER TABLE token_journals ADD COLUMN closed_events BIGINT
    CONSTRAINT token_journals_closed CHECK (seq <= closed_seq AND events <= closed_events);

CREATE TABLE token_api_keys (
    id TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    accounts TEXT COLLATE "C" NOT NULL,
    max_amount TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    CONSTRAINT token_api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT token_api_keys_scope_known CHECK (scope IN ('read', 'post', 'admin')),
    CONSTRAINT token_api_keys_hash_size CHECK (octet_length(hash) = 32)
);
