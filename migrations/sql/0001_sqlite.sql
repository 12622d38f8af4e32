-- The first schema. Statements are parted by an empty line; none holds one.

CREATE TABLE token_settings (
    one INTEGER NOT NULL,
    ledger_id BLOB NOT NULL,
    domain BLOB NOT NULL,
    pepper BLOB,
    pepper_check BLOB,
    registrar BLOB NOT NULL,
    sealed INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT token_settings_pkey PRIMARY KEY (one),
    CONSTRAINT token_settings_one_ledger CHECK (one = 1),
    CONSTRAINT token_settings_ledger_id_size CHECK (ledger_id IS NULL OR (typeof(ledger_id) = 'blob' AND length(ledger_id) = 32)),
    CONSTRAINT token_settings_domain_size CHECK (domain IS NULL OR (typeof(domain) = 'blob' AND length(domain) = 32)),
    CONSTRAINT token_settings_pepper_size CHECK (pepper IS NULL OR (typeof(pepper) = 'blob' AND length(pepper) = 32)),
    CONSTRAINT token_settings_check_size CHECK (pepper_check IS NULL OR (typeof(pepper_check) = 'blob' AND length(pepper_check) = 32)),
    CONSTRAINT token_settings_registrar_size CHECK (registrar IS NULL OR (typeof(registrar) = 'blob' AND length(registrar) = 20))
);

CREATE TABLE token_assets (
    asset INTEGER NOT NULL,
    id BLOB NOT NULL,
    symbol TEXT NOT NULL,
    name TEXT NOT NULL,
    decimals INTEGER NOT NULL,
    endowment BLOB NOT NULL,
    operator BLOB,
    token_version TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT token_assets_pkey PRIMARY KEY (asset),
    CONSTRAINT token_assets_id UNIQUE (id),
    CONSTRAINT token_assets_symbol UNIQUE (symbol),
    CONSTRAINT token_assets_decimals_range CHECK (decimals >= 0 AND decimals <= 255),
    CONSTRAINT token_assets_id_size CHECK (id IS NULL OR (typeof(id) = 'blob' AND length(id) = 32)),
    CONSTRAINT token_assets_operator_size CHECK (operator IS NULL OR (typeof(operator) = 'blob' AND length(operator) = 20)),
    CONSTRAINT token_assets_endowment_range CHECK (typeof(endowment) = 'blob' AND length(endowment) = 32)
);

CREATE TABLE token_accounts (
    account_id TEXT NOT NULL,
    address BLOB NOT NULL,
    blind BLOB,
    registrar BLOB NOT NULL,
    derived BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT token_accounts_pkey PRIMARY KEY (account_id),
    CONSTRAINT token_accounts_address UNIQUE (address),
    CONSTRAINT token_accounts_address_size CHECK (address IS NULL OR (typeof(address) = 'blob' AND length(address) = 20)),
    CONSTRAINT token_accounts_blind_size CHECK (blind IS NULL OR (typeof(blind) = 'blob' AND length(blind) = 32)),
    CONSTRAINT token_accounts_registrar_size CHECK (registrar IS NULL OR (typeof(registrar) = 'blob' AND length(registrar) = 20))
);

CREATE TABLE token_balances (
    asset INTEGER NOT NULL,
    account_id TEXT NOT NULL,
    balance BLOB NOT NULL,
    total_earned BLOB NOT NULL,
    total_spent BLOB NOT NULL,
    total_staked BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT token_balances_pkey PRIMARY KEY (asset, account_id),
    CONSTRAINT token_balances_balance_range CHECK (typeof(balance) = 'blob' AND length(balance) = 32),
    CONSTRAINT token_balances_earned_range CHECK (typeof(total_earned) = 'blob' AND length(total_earned) = 32),
    CONSTRAINT token_balances_spent_range CHECK (typeof(total_spent) = 'blob' AND length(total_spent) = 32),
    CONSTRAINT token_balances_staked_range CHECK (typeof(total_staked) = 'blob' AND length(total_staked) = 32),
    CONSTRAINT token_balances_not_negative CHECK (balance >= total_staked)
);

CREATE TABLE token_journals (
    asset INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    head BLOB NOT NULL,
    last_time BIGINT NOT NULL,
    version BIGINT NOT NULL,
    CONSTRAINT token_journals_pkey PRIMARY KEY (asset),
    CONSTRAINT token_journals_seq_range CHECK (seq >= 0),
    CONSTRAINT token_journals_head_size CHECK (head IS NULL OR (typeof(head) = 'blob' AND length(head) = 32))
);

CREATE TABLE token_ledger (
    asset INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    timestamp BIGINT NOT NULL,
    from_account TEXT NOT NULL,
    to_account TEXT NOT NULL,
    amount BLOB NOT NULL,
    reason TEXT,
    reference_type TEXT,
    reference_id TEXT,
    memo TEXT,
    balance_after_from BLOB NOT NULL,
    balance_after_to BLOB NOT NULL,
    origin TEXT NOT NULL,
    kind TEXT,
    cause BLOB,
    idempotency_key TEXT,
    group_id BLOB,
    head BLOB NOT NULL,
    blind BLOB,
    CONSTRAINT token_ledger_pkey PRIMARY KEY (asset, seq),
    CONSTRAINT token_ledger_seq_range CHECK (seq >= 1),
    CONSTRAINT token_ledger_id_size CHECK (id IS NULL OR (typeof(id) = 'blob' AND length(id) = 32)),
    CONSTRAINT token_ledger_head_size CHECK (head IS NULL OR (typeof(head) = 'blob' AND length(head) = 32)),
    CONSTRAINT token_ledger_cause_size CHECK (cause IS NULL OR (typeof(cause) = 'blob' AND length(cause) = 32)),
    CONSTRAINT token_ledger_group_size CHECK (group_id IS NULL OR (typeof(group_id) = 'blob' AND length(group_id) = 32)),
    CONSTRAINT token_ledger_blind_size CHECK (blind IS NULL OR (typeof(blind) = 'blob' AND length(blind) = 32)),
    CONSTRAINT token_ledger_amount_range CHECK (typeof(amount) = 'blob' AND length(amount) = 32),
    CONSTRAINT token_ledger_after_from_range CHECK (typeof(balance_after_from) = 'blob' AND length(balance_after_from) = 32),
    CONSTRAINT token_ledger_after_to_range CHECK (typeof(balance_after_to) = 'blob' AND length(balance_after_to) = 32),
    CONSTRAINT token_ledger_origin_known CHECK (origin IN ('local', 'chain') AND (origin = 'chain') = (COALESCE(kind, '') = 'chain')),
    CONSTRAINT token_ledger_two_accounts CHECK (origin = 'chain' OR from_account <> to_account),
    CONSTRAINT token_ledger_amount_positive CHECK (origin = 'chain' OR amount > zeroblob(32))
);

CREATE UNIQUE INDEX token_ledger_chain_cause ON token_ledger (cause) WHERE origin = 'chain';

CREATE INDEX token_ledger_from ON token_ledger (asset, from_account, seq);

CREATE INDEX token_ledger_id ON token_ledger (id);

CREATE INDEX token_ledger_reference ON token_ledger (reference_type, reference_id) WHERE reference_id IS NOT NULL;

CREATE INDEX token_ledger_to ON token_ledger (asset, to_account, seq);

CREATE TABLE token_keys (
    "key" TEXT NOT NULL,
    request BLOB NOT NULL,
    made TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT token_keys_pkey PRIMARY KEY ("key"),
    CONSTRAINT token_keys_request_size CHECK (request IS NULL OR (typeof(request) = 'blob' AND length(request) = 32))
);

CREATE TABLE token_seals (
    number INTEGER NOT NULL,
    id BLOB NOT NULL,
    prev_seal BLOB NOT NULL,
    timestamp BIGINT NOT NULL,
    CONSTRAINT token_seals_pkey PRIMARY KEY (number),
    CONSTRAINT token_seals_id_size CHECK (id IS NULL OR (typeof(id) = 'blob' AND length(id) = 32)),
    CONSTRAINT token_seals_prev_size CHECK (prev_seal IS NULL OR (typeof(prev_seal) = 'blob' AND length(prev_seal) = 32))
);

CREATE TABLE token_batches (
    asset INTEGER NOT NULL,
    number INTEGER NOT NULL,
    seal INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    prev_head BLOB NOT NULL,
    new_head BLOB NOT NULL,
    tree_root BLOB NOT NULL,
    payload_hash BLOB NOT NULL,
    id BLOB NOT NULL,
    frontier BLOB NOT NULL,
    CONSTRAINT token_batches_pkey PRIMARY KEY (asset, number),
    CONSTRAINT token_batches_seq_range CHECK (first_seq >= 1 AND first_seq <= last_seq),
    CONSTRAINT token_batches_prev_head_size CHECK (prev_head IS NULL OR (typeof(prev_head) = 'blob' AND length(prev_head) = 32)),
    CONSTRAINT token_batches_new_head_size CHECK (new_head IS NULL OR (typeof(new_head) = 'blob' AND length(new_head) = 32)),
    CONSTRAINT token_batches_root_size CHECK (tree_root IS NULL OR (typeof(tree_root) = 'blob' AND length(tree_root) = 32)),
    CONSTRAINT token_batches_payload_size CHECK (payload_hash IS NULL OR (typeof(payload_hash) = 'blob' AND length(payload_hash) = 32)),
    CONSTRAINT token_batches_id_size CHECK (id IS NULL OR (typeof(id) = 'blob' AND length(id) = 32))
);

CREATE INDEX token_batches_seal ON token_batches (seal);

CREATE TABLE token_submissions (
    id INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    chain_id TEXT NOT NULL,
    contract BLOB NOT NULL,
    number INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    nonce INTEGER NOT NULL,
    tx_hash BLOB NOT NULL,
    raw BLOB NOT NULL,
    status TEXT NOT NULL,
    block_number INTEGER,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT token_submissions_pkey PRIMARY KEY (id),
    CONSTRAINT token_submissions_tx_hash UNIQUE (tx_hash),
    CONSTRAINT token_submissions_status_known CHECK (status IN ('signed', 'sent', 'mined', 'failed')),
    CONSTRAINT token_submissions_contract_size CHECK (contract IS NULL OR (typeof(contract) = 'blob' AND length(contract) = 20)),
    CONSTRAINT token_submissions_tx_hash_size CHECK (tx_hash IS NULL OR (typeof(tx_hash) = 'blob' AND length(tx_hash) = 32))
);

CREATE TRIGGER token_ledger_no_update BEFORE UPDATE ON token_ledger
BEGIN
    SELECT RAISE(ABORT, 'token_ledger is append-only: no UPDATE');
END;

CREATE TRIGGER token_ledger_no_delete BEFORE DELETE ON token_ledger
BEGIN
    SELECT RAISE(ABORT, 'token_ledger is append-only: no DELETE');
END;

CREATE TRIGGER token_seals_no_update BEFORE UPDATE ON token_seals
BEGIN
    SELECT RAISE(ABORT, 'token_seals is append-only: no UPDATE');
END;

CREATE TRIGGER token_seals_no_delete BEFORE DELETE ON token_seals
BEGIN
    SELECT RAISE(ABORT, 'token_seals is append-only: no DELETE');
END;

CREATE TRIGGER token_batches_no_update BEFORE UPDATE ON token_batches
BEGIN
    SELECT RAISE(ABORT, 'token_batches is append-only: no UPDATE');
END;

CREATE TRIGGER token_batches_no_delete BEFORE DELETE ON token_batches
BEGIN
    SELECT RAISE(ABORT, 'token_batches is append-only: no DELETE');
END;
