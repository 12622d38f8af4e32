"""The tables, all named `token_*`. Made by the migrations alone; a test proves the two equal.

`asset` columns hold the asset's local number (small, because it leads three indexes of the
journal); `token_assets.id` is the 32-byte id that everything outside the database uses.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from ledger.columns import (
    Micros,
    Seq,
    Uint256,
    Words,
    amount_range,
    byte_length,
    optional_amount_range,
)

metadata = MetaData()

settings = Table(
    "token_settings",
    metadata,
    Column("one", Integer, nullable=False),
    Column("ledger_id", LargeBinary, nullable=False),
    Column("domain", LargeBinary, nullable=False, comment="EIP-712, of the ledger_id"),
    Column("pepper", LargeBinary, comment="null in an imported ledger: it cannot post"),
    Column("pepper_check", LargeBinary, comment="keccak(pepper || check || 0x00)"),
    Column("registrar", LargeBinary, nullable=False),
    Column("sealed", Seq, nullable=False, comment="number of the last seal"),
    Column("created_at", Micros, nullable=False),
    PrimaryKeyConstraint("one", name="token_settings_pkey"),
    CheckConstraint("one = 1", name="token_settings_one_ledger"),
    *byte_length("ledger_id", 32, "token_settings_ledger_id_size"),
    *byte_length("domain", 32, "token_settings_domain_size"),
    *byte_length("pepper", 32, "token_settings_pepper_size"),
    *byte_length("pepper_check", 32, "token_settings_check_size"),
    *byte_length("registrar", 20, "token_settings_registrar_size"),
)

assets = Table(
    "token_assets",
    metadata,
    Column("asset", Integer, nullable=False, autoincrement=False, comment="local number"),
    Column("id", LargeBinary, nullable=False),
    Column("symbol", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("decimals", Integer, nullable=False),
    Column("endowment", Uint256, nullable=False, comment="base units a new account gets"),
    Column("operator", LargeBinary, comment="who may replay; part of the token's address"),
    Column("token_version", Words, nullable=False),
    Column("created_at", Micros, nullable=False),
    PrimaryKeyConstraint("asset", name="token_assets_pkey"),
    UniqueConstraint("id", name="token_assets_id"),
    UniqueConstraint("symbol", name="token_assets_symbol"),
    CheckConstraint("decimals >= 0 AND decimals <= 255", name="token_assets_decimals_range"),
    *byte_length("id", 32, "token_assets_id_size"),
    *byte_length("operator", 20, "token_assets_operator_size"),
    *amount_range("endowment", "token_assets_endowment_range"),
)

accounts = Table(
    "token_accounts",
    metadata,
    Column("account_id", Words, nullable=False),
    Column("address", LargeBinary, nullable=False),
    Column("blind", LargeBinary, comment="null where the pepper gives it, or none is needed"),
    Column("registrar", LargeBinary, nullable=False),
    Column("derived", Boolean, nullable=False, comment="by CREATE2; else the id is the address"),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    Column("status", Words, nullable=False, server_default=text("'open'")),
    Column("link", Words, comment="how a real address was proved; null where none was given"),
    Column("link_chain_id", Words, comment="decimal; where a contract wallet answered, else 0"),
    Column("link_signature", LargeBinary),
    PrimaryKeyConstraint("account_id", name="token_accounts_pkey"),
    UniqueConstraint("address", name="token_accounts_address"),
    *byte_length("address", 20, "token_accounts_address_size"),
    *byte_length("blind", 32, "token_accounts_blind_size"),
    *byte_length("registrar", 20, "token_accounts_registrar_size"),
    CheckConstraint("status IN ('open', 'frozen', 'closed')", name="token_accounts_status_known"),
    CheckConstraint(
        "link IN ('eip712', 'eip191', 'erc1271', 'operator')", name="token_accounts_link_known"
    ),
)

balances = Table(
    "token_balances",
    metadata,
    Column("asset", Integer, nullable=False),
    Column("account_id", Words, nullable=False),
    Column("balance", Uint256, nullable=False, comment="of the issuer: the supply"),
    Column("total_earned", Uint256, nullable=False, comment="of the issuer: minted"),
    Column("total_spent", Uint256, nullable=False, comment="of the issuer: burned"),
    Column("total_staked", Uint256, nullable=False, comment="the sum of its pending holds"),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    Column("max_debit", Uint256, comment="largest amount of one debit; null for any"),
    Column("max_balance", Uint256, comment="largest balance after a credit; null for any"),
    PrimaryKeyConstraint("asset", "account_id", name="token_balances_pkey"),
    *amount_range("balance", "token_balances_balance_range"),
    *amount_range("total_earned", "token_balances_earned_range"),
    *amount_range("total_spent", "token_balances_spent_range"),
    *amount_range("total_staked", "token_balances_staked_range"),
    CheckConstraint("balance >= total_staked", name="token_balances_not_negative"),
    *optional_amount_range("max_debit", "token_balances_max_debit_range"),
    *optional_amount_range("max_balance", "token_balances_max_balance_range"),
)

journals = Table(
    "token_journals",
    metadata,
    Column("asset", Integer, nullable=False, autoincrement=False, comment="0: the accounts'"),
    Column("seq", Seq, nullable=False, comment="of the last entry; 0 before the first"),
    Column("head", LargeBinary, nullable=False),
    Column("last_time", Micros, nullable=False),
    Column("row_version", BigInteger, nullable=False, comment="rises with every change"),
    Column("events", Seq, nullable=False, server_default=text("0"), comment="number of the last"),
    Column("next_expiry", Micros, comment="no pending hold expires before; null if none does"),
    Column("closed_seq", Seq, comment="the last seq there will be; null while it is open"),
    Column("closed_events", Seq, comment="the last event there will be; null likewise"),
    PrimaryKeyConstraint("asset", name="token_journals_pkey"),
    CheckConstraint("seq >= 0", name="token_journals_seq_range"),
    CheckConstraint("events >= 0", name="token_journals_events_range"),
    CheckConstraint("seq <= closed_seq AND events <= closed_events", name="token_journals_closed"),
    *byte_length("head", 32, "token_journals_head_size"),
)

ledger = Table(
    "token_ledger",
    metadata,
    Column("asset", Integer, nullable=False),
    Column("seq", Seq, nullable=False),
    Column("id", LargeBinary, nullable=False),
    Column("timestamp", Micros, nullable=False),
    Column("from_account", Words, nullable=False),
    Column("to_account", Words, nullable=False),
    Column("amount", Uint256, nullable=False),
    Column("reason", Words),
    Column("reference_type", Words),
    Column("reference_id", Words),
    Column("memo", Words),
    Column("balance_after_from", Uint256, nullable=False),
    Column("balance_after_to", Uint256, nullable=False),
    Column("origin", Words, nullable=False, comment="local, or chain: read from one"),
    Column("kind", Words),
    Column("cause", LargeBinary),
    Column("idempotency_key", Words),
    Column("group_id", LargeBinary, comment="null for an entry alone"),
    Column("head", LargeBinary, nullable=False),
    Column("blind", LargeBinary, comment="null where the pepper gives it"),
    PrimaryKeyConstraint("asset", "seq", name="token_ledger_pkey"),
    CheckConstraint("seq >= 1", name="token_ledger_seq_range"),
    *byte_length("id", 32, "token_ledger_id_size"),
    *byte_length("head", 32, "token_ledger_head_size"),
    *byte_length("cause", 32, "token_ledger_cause_size"),
    *byte_length("group_id", 32, "token_ledger_group_size"),
    *byte_length("blind", 32, "token_ledger_blind_size"),
    *amount_range("amount", "token_ledger_amount_range"),
    *amount_range("balance_after_from", "token_ledger_after_from_range"),
    *amount_range("balance_after_to", "token_ledger_after_to_range"),
    CheckConstraint(
        "origin IN ('local', 'chain') AND (origin = 'chain') = (COALESCE(kind, '') = 'chain')",
        name="token_ledger_origin_known",
    ),
    CheckConstraint(
        "origin = 'chain' OR from_account <> to_account", name="token_ledger_two_accounts"
    ),
    CheckConstraint("origin = 'chain' OR amount > 0", name="token_ledger_amount_positive").ddl_if(
        dialect="postgresql"
    ),
    CheckConstraint(
        "origin = 'chain' OR amount > zeroblob(32)", name="token_ledger_amount_positive"
    ).ddl_if(dialect="sqlite"),
    Index("token_ledger_from", "asset", "from_account", "seq"),
    Index("token_ledger_to", "asset", "to_account", "seq"),
    Index("token_ledger_id", "id", postgresql_using="hash"),
    Index(
        "token_ledger_chain_cause",
        "cause",
        unique=True,
        postgresql_where=text("origin = 'chain'"),
        sqlite_where=text("origin = 'chain'"),
    ),
    Index(
        "token_ledger_reversed",
        "cause",
        unique=True,
        postgresql_where=text("kind = 'reversal'"),
        sqlite_where=text("kind = 'reversal'"),
    ),
    Index(
        "token_ledger_reference",
        "reference_type",
        "reference_id",
        postgresql_where=text("reference_id IS NOT NULL"),
        sqlite_where=text("reference_id IS NOT NULL"),
    ),
)

keys = Table(
    "token_keys",
    metadata,
    Column("key", Words, nullable=False),
    Column("request", LargeBinary, nullable=False, comment="keccak of the canonical request"),
    Column("made", Words, nullable=False, comment="what it made, as JSON"),
    Column("created_at", Micros, nullable=False),
    PrimaryKeyConstraint("key", name="token_keys_pkey"),
    *byte_length("request", 32, "token_keys_request_size"),
)

holds = Table(
    "token_holds",
    metadata,
    Column("asset", Integer, nullable=False),
    Column("number", Seq, nullable=False, comment="of the event that made it"),
    Column("id", LargeBinary, nullable=False),
    Column("account_id", Words, nullable=False),
    Column("to_account", Words, comment="null where posting it names who gets it"),
    Column("amount", Uint256, nullable=False),
    Column("remaining", Uint256, nullable=False, comment="still held; 0 once it is resolved"),
    Column("state", Words, nullable=False),
    Column("expires_at", Micros),
    Column("reason", Words),
    Column("reference_type", Words),
    Column("reference_id", Words),
    Column("memo", Words),
    Column("idempotency_key", Words),
    Column("blind", LargeBinary, comment="null where the pepper gives it"),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    PrimaryKeyConstraint("asset", "number", name="token_holds_pkey"),
    *byte_length("id", 32, "token_holds_id_size"),
    *byte_length("blind", 32, "token_holds_blind_size"),
    *amount_range("amount", "token_holds_amount_range"),
    *amount_range("remaining", "token_holds_remaining_range"),
    CheckConstraint("remaining <= amount", name="token_holds_not_more"),
    CheckConstraint(
        "state IN ('pending', 'posted', 'voided', 'expired')", name="token_holds_state_known"
    ),
    CheckConstraint(
        "(state = 'pending') = (remaining > 0)", name="token_holds_pending_holds"
    ).ddl_if(dialect="postgresql"),
    CheckConstraint(
        "(state = 'pending') = (remaining > zeroblob(32))", name="token_holds_pending_holds"
    ).ddl_if(dialect="sqlite"),
    Index("token_holds_id", "id", postgresql_using="hash"),
    Index("token_holds_account", "asset", "account_id", "number"),
    Index(
        "token_holds_due",
        "asset",
        "expires_at",
        "number",
        postgresql_where=text("state = 'pending'"),
        sqlite_where=text("state = 'pending'"),
    ),
)

events = Table(
    "token_events",
    metadata,
    Column("asset", Integer, nullable=False, comment="0: of the accounts"),
    Column("number", Seq, nullable=False, comment="1, 2, 3, ... within the asset"),
    Column("after_seq", Seq, nullable=False, comment="the entry that it follows"),
    Column("timestamp", Micros, nullable=False),
    Column("type", Words, nullable=False),
    Column("account_id", Words, nullable=False),
    Column("hold", Seq, comment="the number of a hold"),
    Column("details", Words, nullable=False, comment="as JSON; amounts as decimal text"),
    PrimaryKeyConstraint("asset", "number", name="token_events_pkey"),
    CheckConstraint("number >= 1", name="token_events_number_range"),
)

volume = Table(
    "token_volume",
    metadata,
    Column("asset", Integer, nullable=False),
    Column("hour", Seq, nullable=False, comment="hours since 1970 UTC"),
    Column("entries", Seq, nullable=False, comment="transfers: neither mints nor burns"),
    Column("amount", Words, nullable=False, comment="their sum, decimal: it may pass 2**256"),
    PrimaryKeyConstraint("asset", "hour", name="token_volume_pkey"),
)

seals = Table(
    "token_seals",
    metadata,
    Column("number", Seq, nullable=False, autoincrement=False),
    Column("id", LargeBinary, nullable=False),
    Column("prev_seal", LargeBinary, nullable=False),
    Column("timestamp", Micros, nullable=False),
    PrimaryKeyConstraint("number", name="token_seals_pkey"),
    *byte_length("id", 32, "token_seals_id_size"),
    *byte_length("prev_seal", 32, "token_seals_prev_size"),
)

batches = Table(
    "token_batches",
    metadata,
    Column("asset", Integer, nullable=False),
    Column("number", Seq, nullable=False),
    Column("seal", Seq, nullable=False),
    Column("first_seq", Seq, nullable=False),
    Column("last_seq", Seq, nullable=False),
    Column("prev_head", LargeBinary, nullable=False),
    Column("new_head", LargeBinary, nullable=False),
    Column("tree_root", LargeBinary, nullable=False),
    Column("payload_hash", LargeBinary, nullable=False),
    Column("id", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False, comment="the tree's peaks after it"),
    PrimaryKeyConstraint("asset", "number", name="token_batches_pkey"),
    CheckConstraint("first_seq >= 1 AND first_seq <= last_seq", name="token_batches_seq_range"),
    *byte_length("prev_head", 32, "token_batches_prev_head_size"),
    *byte_length("new_head", 32, "token_batches_new_head_size"),
    *byte_length("tree_root", 32, "token_batches_root_size"),
    *byte_length("payload_hash", 32, "token_batches_payload_size"),
    *byte_length("id", 32, "token_batches_id_size"),
    Index("token_batches_seal", "seal"),
)

submissions = Table(
    "token_submissions",
    metadata,
    Column("id", Integer, nullable=False, autoincrement=True),
    Column("asset", Integer, comment="NULL if it is for no asset"),
    Column("chain_id", Words, nullable=False, comment="decimal"),
    Column("contract", LargeBinary, nullable=False, comment="whom it is sent to"),
    Column("number", Seq, comment="of a replay: the batch's number on the contract"),
    Column("first_seq", Seq),
    Column("last_seq", Seq),
    Column("nonce", Seq, nullable=False),
    Column("tx_hash", LargeBinary, nullable=False),
    Column("raw", LargeBinary, nullable=False, comment="signed; saved before it is sent"),
    Column("status", Words, nullable=False),
    Column("block_number", Seq),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    Column("purpose", Words, nullable=False, comment="replay, deploy, finalize, ..."),
    Column("sender", LargeBinary, comment="NULL if it was signed before revision 0003"),
    Column("gas", Seq, comment="its limit"),
    Column("max_fee", Words, comment="wei a gas, decimal"),
    Column("priority_fee", Words, comment="wei a gas, decimal; NULL on chains without EIP-1559"),
    Column("replaces", Integer, comment="the id of the attempt whose nonce and place it took"),
    Column("block_hash", LargeBinary, comment="with block_number: where it was mined"),
    Column("gas_used", Seq),
    Column("gas_price", Words, comment="wei a gas that were paid, decimal"),
    PrimaryKeyConstraint("id", name="token_submissions_pkey"),
    UniqueConstraint("tx_hash", name="token_submissions_tx_hash"),
    CheckConstraint(
        "status IN ('signed', 'sent', 'mined', 'safe', 'finalized', 'failed', 'replaced', "
        "'dropped')",
        name="token_submissions_status_known",
    ),
    *byte_length("contract", 20, "token_submissions_contract_size"),
    *byte_length("tx_hash", 32, "token_submissions_tx_hash_size"),
    *byte_length("sender", 20, "token_submissions_sender_size"),
    *byte_length("block_hash", 32, "token_submissions_block_hash_size"),
    Index("token_submissions_nonce", "chain_id", "sender", "nonce"),
)

api_keys = Table(
    "token_api_keys",
    metadata,
    Column("id", Words, nullable=False, comment="the part of a key that names it"),
    Column("hash", LargeBinary, nullable=False, comment="sha256 of its secret"),
    Column("name", Words, nullable=False),
    Column("scope", Words, nullable=False),
    Column("accounts", Words, nullable=False, comment="JSON: those that it is for; [] for all"),
    Column("max_amount", Words, comment="whole tokens out of an account at once; null for any"),
    Column("created_at", Micros, nullable=False),
    Column("expires_at", Micros),
    Column("revoked_at", Micros),
    PrimaryKeyConstraint("id", name="token_api_keys_pkey"),
    CheckConstraint("scope IN ('read', 'post', 'admin')", name="token_api_keys_scope_known"),
    *byte_length("hash", 32, "token_api_keys_hash_size"),
)
