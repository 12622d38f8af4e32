-- The first schema. Statements are parted by an empty line; none holds one.

CREATE TABLE token_settings (
    one SERIAL NOT NULL,
    ledger_id BYTEA NOT NULL,
    domain BYTEA NOT NULL,
    pepper BYTEA,
    pepper_check BYTEA,
    registrar BYTEA NOT NULL,
    sealed BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT token_settings_pkey PRIMARY KEY (one),
    CONSTRAINT token_settings_one_ledger CHECK (one = 1),
    CONSTRAINT token_settings_ledger_id_size CHECK (octet_length(ledger_id) = 32),
    CONSTRAINT token_settings_domain_size CHECK (octet_length(domain) = 32),
    CONSTRAINT token_settings_pepper_size CHECK (octet_length(pepper) = 32),
    CONSTRAINT token_settings_check_size CHECK (octet_length(pepper_check) = 32),
    CONSTRAINT token_settings_registrar_size CHECK (octet_length(registrar) = 20)
);

CREATE TABLE token_assets (
    asset INTEGER NOT NULL,
    id BYTEA NOT NULL,
    symbol TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    decimals INTEGER NOT NULL,
    endowment NUMERIC(78, 0) NOT NULL,
    operator BYTEA,
    token_version TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT token_assets_pkey PRIMARY KEY (asset),
    CONSTRAINT token_assets_id UNIQUE (id),
    CONSTRAINT token_assets_symbol UNIQUE (symbol),
    CONSTRAINT token_assets_decimals_range CHECK (decimals >= 0 AND decimals <= 255),
    CONSTRAINT token_assets_id_size CHECK (octet_length(id) = 32),
    CONSTRAINT token_assets_operator_size CHECK (octet_length(operator) = 20),
    CONSTRAINT token_assets_endowment_range CHECK (endowment >= 0 AND endowment <= 115792089237316195423570985008687907853269984665640564039457584007913129639935)
);

CREATE TABLE token_accounts (
    account_id TEXT COLLATE "C" NOT NULL,
    address BYTEA NOT NULL,
    blind BYTEA,
    registrar BYTEA NOT NULL,
    derived BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT token_accounts_pkey PRIMARY KEY (account_id),
    CONSTRAINT token_accounts_address UNIQUE (address),
    CONSTRAINT token_accounts_address_size CHECK (octet_length(address) = 20),
    CONSTRAINT token_accounts_blind_size CHECK (octet_length(blind) = 32),
    CONSTRAINT token_accounts_registrar_size CHECK (octet_length(registrar) = 20)
);

CREATE TABLE token_balances (
    asset INTEGER NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    balance NUMERIC(78, 0) NOT NULL,
    total_earned NUMERIC(78, 0) NOT NULL,
    total_spent NUMERIC(78, 0) NOT NULL,
    total_staked NUMERIC(78, 0) NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT token_balances_pkey PRIMARY KEY (asset, account_id),
    CONSTRAINT token_balances_balance_range CHECK (balance >= 0 AND balance <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT token_balances_earned_range CHECK (total_earned >= 0 AND total_earned <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT token_balances_spent_range CHECK (total_spent >= 0 AND total_spent <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT token_balances_staked_range CHECK (total_staked >= 0 AND total_staked <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT token_balances_not_negative CHECK (balance >= total_staked)
);

CREATE TABLE token_journals (
    asset INTEGER NOT NULL,
    seq BIGINT NOT NULL,
    head BYTEA NOT NULL,
    last_time BIGINT NOT NULL,
    version BIGINT NOT NULL,
    CONSTRAINT token_journals_pkey PRIMARY KEY (asset),
    CONSTRAINT token_journals_seq_range CHECK (seq >= 0),
    CONSTRAINT token_journals_head_size CHECK (octet_length(head) = 32)
);

CREATE TABLE token_ledger (
    asset INTEGER NOT NULL,
    seq BIGINT NOT NULL,
    id BYTEA NOT NULL,
    timestamp BIGINT NOT NULL,
    from_account TEXT COLLATE "C" NOT NULL,
    to_account TEXT COLLATE "C" NOT NULL,
    amount NUMERIC(78, 0) NOT NULL,
    reason TEXT COLLATE "C",
    reference_type TEXT COLLATE "C",
    reference_id TEXT COLLATE "C",
    memo TEXT COLLATE "C",
    balance_after_from NUMERIC(78, 0) NOT NULL,
    balance_after_to NUMERIC(78, 0) NOT NULL,
    origin TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C",
    cause BYTEA,
    idempotency_key TEXT COLLATE "C",
    group_id BYTEA,
    head BYTEA NOT NULL,
    blind BYTEA,
    CONSTRAINT token_ledger_pkey PRIMARY KEY (asset, seq),
    CONSTRAINT token_ledger_seq_range CHECK (seq >= 1),
    CONSTRAINT token_ledger_id_size CHECK (octet_length(id) = 32),
    CONSTRAINT token_ledger_head_size CHECK (octet_length(head) = 32),
    CONSTRAINT token_ledger_cause_size CHECK (octet_length(cause) = 32),
    CONSTRAINT token_ledger_group_size CHECK (octet_length(group_id) = 32),
    CONSTRAINT token_ledger_blind_size CHECK (octet_length(blind) = 32),
    CONSTRAINT token_ledger_amount_range CHECK (amount >= 0 AND amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT token_ledger_after_from_range CHECK (balance_after_from >= 0 AND balance_after_from <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT token_ledger_after_to_range CHECK (balance_after_to >= 0 AND balance_after_to <= 115792089237316195423570985008687907853269984665640564039457584007913129639935),
    CONSTRAINT token_ledger_origin_known CHECK (origin IN ('local', 'chain') AND (origin = 'chain') = (COALESCE(kind, '') = 'chain')),
    CONSTRAINT token_ledger_two_accounts CHECK (origin = 'chain' OR from_account <> to_account),
    CONSTRAINT token_ledger_amount_positive CHECK (origin = 'chain' OR amount > 0)
);

CREATE UNIQUE INDEX token_ledger_chain_cause ON token_ledger (cause) WHERE origin = 'chain';

CREATE INDEX token_ledger_from ON token_ledger (asset, from_account, seq);

CREATE INDEX token_ledger_id ON token_ledger USING hash (id);

CREATE INDEX token_ledger_reference ON token_ledger (reference_type, reference_id) WHERE reference_id IS NOT NULL;

CREATE INDEX token_ledger_to ON token_ledger (asset, to_account, seq);

CREATE TABLE token_keys (
    key TEXT COLLATE "C" NOT NULL,
    request BYTEA NOT NULL,
    made TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT token_keys_pkey PRIMARY KEY (key),
    CONSTRAINT token_keys_request_size CHECK (octet_length(request) = 32)
);

CREATE TABLE token_seals (
    number BIGINT NOT NULL,
    id BYTEA NOT NULL,
    prev_seal BYTEA NOT NULL,
    timestamp BIGINT NOT NULL,
    CONSTRAINT token_seals_pkey PRIMARY KEY (number),
    CONSTRAINT token_seals_id_size CHECK (octet_length(id) = 32),
    CONSTRAINT token_seals_prev_size CHECK (octet_length(prev_seal) = 32)
);

CREATE TABLE token_batches (
    asset INTEGER NOT NULL,
    number BIGINT NOT NULL,
    seal BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    prev_head BYTEA NOT NULL,
    new_head BYTEA NOT NULL,
    tree_root BYTEA NOT NULL,
    payload_hash BYTEA NOT NULL,
    id BYTEA NOT NULL,
    frontier BYTEA NOT NULL,
    CONSTRAINT token_batches_pkey PRIMARY KEY (asset, number),
    CONSTRAINT token_batches_seq_range CHECK (first_seq >= 1 AND first_seq <= last_seq),
    CONSTRAINT token_batches_prev_head_size CHECK (octet_length(prev_head) = 32),
    CONSTRAINT token_batches_new_head_size CHECK (octet_length(new_head) = 32),
    CONSTRAINT token_batches_root_size CHECK (octet_length(tree_root) = 32),
    CONSTRAINT token_batches_payload_size CHECK (octet_length(payload_hash) = 32),
    CONSTRAINT token_batches_id_size CHECK (octet_length(id) = 32)
);

CREATE INDEX token_batches_seal ON token_batches (seal);

CREATE TABLE token_submissions (
    id SERIAL NOT NULL,
    asset INTEGER NOT NULL,
    chain_id TEXT COLLATE "C" NOT NULL,
    contract BYTEA NOT NULL,
    number BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    nonce BIGINT NOT NULL,
    tx_hash BYTEA NOT NULL,
    raw BYTEA NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    block_number BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT token_submissions_pkey PRIMARY KEY (id),
    CONSTRAINT token_submissions_tx_hash UNIQUE (tx_hash),
    CONSTRAINT token_submissions_status_known CHECK (status IN ('signed', 'sent', 'mined', 'failed')),
    CONSTRAINT token_submissions_contract_size CHECK (octet_length(contract) = 20),
    CONSTRAINT token_submissions_tx_hash_size CHECK (octet_length(tx_hash) = 32)
);

CREATE FUNCTION token_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        MESSAGE = TG_TABLE_NAME || ' is append-only: no ' || TG_OP,
        ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER token_ledger_no_change BEFORE UPDATE OR DELETE ON token_ledger
    FOR EACH ROW EXECUTE FUNCTION token_refuse_change();

CREATE TRIGGER token_ledger_no_truncate BEFORE TRUNCATE ON token_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION token_refuse_change();

CREATE TRIGGER token_seals_no_change BEFORE UPDATE OR DELETE ON token_seals
    FOR EACH ROW EXECUTE FUNCTION token_refuse_change();

CREATE TRIGGER token_seals_no_truncate BEFORE TRUNCATE ON token_seals
    FOR EACH STATEMENT EXECUTE FUNCTION token_refuse_change();

CREATE TRIGGER token_batches_no_change BEFORE UPDATE OR DELETE ON token_batches
    FOR EACH ROW EXECUTE FUNCTION token_refuse_change();

CREATE TRIGGER token_batches_no_truncate BEFORE TRUNCATE ON token_batches
    FOR EACH STATEMENT EXECUTE FUNCTION token_refuse_change();
