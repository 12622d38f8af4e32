CREATE FUNCTION public.token_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION USING
        MESSAGE = TG_TABLE_NAME || ' is append-only: no ' || TG_OP,
        ERRCODE = 'restrict_violation';
END
$$;

CREATE TABLE public.token_accounts (
    account_id text NOT NULL COLLATE pg_catalog."C",
    address bytea NOT NULL,
    blind bytea,
    registrar bytea NOT NULL,
    derived boolean NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    status text DEFAULT 'open'::text NOT NULL COLLATE pg_catalog."C",
    link text COLLATE pg_catalog."C",
    link_chain_id text COLLATE pg_catalog."C",
    link_signature bytea,
    CONSTRAINT token_accounts_address_size CHECK ((octet_length(address) = 20)),
    CONSTRAINT token_accounts_blind_size CHECK ((octet_length(blind) = 32)),
    CONSTRAINT token_accounts_link_known CHECK ((link = ANY (ARRAY['eip712'::text, 'eip191'::text, 'erc1271'::text, 'operator'::text]))),
    CONSTRAINT token_accounts_registrar_size CHECK ((octet_length(registrar) = 20)),
    CONSTRAINT token_accounts_status_known CHECK ((status = ANY (ARRAY['open'::text, 'frozen'::text, 'closed'::text])))
);

CREATE TABLE public.token_assets (
    asset integer NOT NULL,
    id bytea NOT NULL,
    symbol text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    decimals integer NOT NULL,
    endowment numeric(78,0) NOT NULL,
    operator bytea,
    token_version text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    CONSTRAINT token_assets_decimals_range CHECK (((decimals >= 0) AND (decimals <= 255))),
    CONSTRAINT token_assets_endowment_range CHECK (((endowment >= (0)::numeric) AND (endowment <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_assets_id_size CHECK ((octet_length(id) = 32)),
    CONSTRAINT token_assets_operator_size CHECK ((octet_length(operator) = 20))
);

CREATE TABLE public.token_balances (
    asset integer NOT NULL,
    account_id text NOT NULL COLLATE pg_catalog."C",
    balance numeric(78,0) NOT NULL,
    total_earned numeric(78,0) NOT NULL,
    total_spent numeric(78,0) NOT NULL,
    total_staked numeric(78,0) NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    max_debit numeric(78,0),
    max_balance numeric(78,0),
    CONSTRAINT token_balances_balance_range CHECK (((balance >= (0)::numeric) AND (balance <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_balances_earned_range CHECK (((total_earned >= (0)::numeric) AND (total_earned <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_balances_max_balance_range CHECK (((max_balance >= (0)::numeric) AND (max_balance <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_balances_max_debit_range CHECK (((max_debit >= (0)::numeric) AND (max_debit <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_balances_not_negative CHECK ((balance >= total_staked)),
    CONSTRAINT token_balances_spent_range CHECK (((total_spent >= (0)::numeric) AND (total_spent <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_balances_staked_range CHECK (((total_staked >= (0)::numeric) AND (total_staked <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric)))
);

CREATE TABLE public.token_batches (
    asset integer NOT NULL,
    number bigint NOT NULL,
    seal bigint NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    prev_head bytea NOT NULL,
    new_head bytea NOT NULL,
    tree_root bytea NOT NULL,
    payload_hash bytea NOT NULL,
    id bytea NOT NULL,
    frontier bytea NOT NULL,
    CONSTRAINT token_batches_id_size CHECK ((octet_length(id) = 32)),
    CONSTRAINT token_batches_new_head_size CHECK ((octet_length(new_head) = 32)),
    CONSTRAINT token_batches_payload_size CHECK ((octet_length(payload_hash) = 32)),
    CONSTRAINT token_batches_prev_head_size CHECK ((octet_length(prev_head) = 32)),
    CONSTRAINT token_batches_root_size CHECK ((octet_length(tree_root) = 32)),
    CONSTRAINT token_batches_seq_range CHECK (((first_seq >= 1) AND (first_seq <= last_seq)))
);

CREATE TABLE public.token_events (
    asset integer NOT NULL,
    number bigint NOT NULL,
    after_seq bigint NOT NULL,
    "timestamp" bigint NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    hold bigint,
    details text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT token_events_number_range CHECK ((number >= 1))
);

CREATE TABLE public.token_holds (
    asset integer NOT NULL,
    number bigint NOT NULL,
    id bytea NOT NULL,
    account_id text NOT NULL COLLATE pg_catalog."C",
    to_account text COLLATE pg_catalog."C",
    amount numeric(78,0) NOT NULL,
    remaining numeric(78,0) NOT NULL,
    state text NOT NULL COLLATE pg_catalog."C",
    expires_at bigint,
    reason text COLLATE pg_catalog."C",
    reference_type text COLLATE pg_catalog."C",
    reference_id text COLLATE pg_catalog."C",
    memo text COLLATE pg_catalog."C",
    idempotency_key text COLLATE pg_catalog."C",
    blind bytea,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT token_holds_amount_range CHECK (((amount >= (0)::numeric) AND (amount <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_holds_blind_size CHECK ((octet_length(blind) = 32)),
    CONSTRAINT token_holds_id_size CHECK ((octet_length(id) = 32)),
    CONSTRAINT token_holds_not_more CHECK ((remaining <= amount)),
    CONSTRAINT token_holds_pending_holds CHECK (((state = 'pending'::text) = (remaining > (0)::numeric))),
    CONSTRAINT token_holds_remaining_range CHECK (((remaining >= (0)::numeric) AND (remaining <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_holds_state_known CHECK ((state = ANY (ARRAY['pending'::text, 'posted'::text, 'voided'::text, 'expired'::text])))
);

CREATE TABLE public.token_journals (
    asset integer NOT NULL,
    seq bigint NOT NULL,
    head bytea NOT NULL,
    last_time bigint NOT NULL,
    row_version bigint NOT NULL,
    events bigint DEFAULT 0 NOT NULL,
    next_expiry bigint,
    CONSTRAINT token_journals_events_range CHECK ((events >= 0)),
    CONSTRAINT token_journals_head_size CHECK ((octet_length(head) = 32)),
    CONSTRAINT token_journals_seq_range CHECK ((seq >= 0))
);

CREATE TABLE public.token_keys (
    key text NOT NULL COLLATE pg_catalog."C",
    request bytea NOT NULL,
    made text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    CONSTRAINT token_keys_request_size CHECK ((octet_length(request) = 32))
);

CREATE TABLE public.token_ledger (
    asset integer NOT NULL,
    seq bigint NOT NULL,
    id bytea NOT NULL,
    "timestamp" bigint NOT NULL,
    from_account text NOT NULL COLLATE pg_catalog."C",
    to_account text NOT NULL COLLATE pg_catalog."C",
    amount numeric(78,0) NOT NULL,
    reason text COLLATE pg_catalog."C",
    reference_type text COLLATE pg_catalog."C",
    reference_id text COLLATE pg_catalog."C",
    memo text COLLATE pg_catalog."C",
    balance_after_from numeric(78,0) NOT NULL,
    balance_after_to numeric(78,0) NOT NULL,
    origin text NOT NULL COLLATE pg_catalog."C",
    kind text COLLATE pg_catalog."C",
    cause bytea,
    idempotency_key text COLLATE pg_catalog."C",
    group_id bytea,
    head bytea NOT NULL,
    blind bytea,
    CONSTRAINT token_ledger_after_from_range CHECK (((balance_after_from >= (0)::numeric) AND (balance_after_from <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_ledger_after_to_range CHECK (((balance_after_to >= (0)::numeric) AND (balance_after_to <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_ledger_amount_positive CHECK (((origin = 'chain'::text) OR (amount > (0)::numeric))),
    CONSTRAINT token_ledger_amount_range CHECK (((amount >= (0)::numeric) AND (amount <= '115792089237316195423570985008687907853269984665640564039457584007913129639935'::numeric))),
    CONSTRAINT token_ledger_blind_size CHECK ((octet_length(blind) = 32)),
    CONSTRAINT token_ledger_cause_size CHECK ((octet_length(cause) = 32)),
    CONSTRAINT token_ledger_group_size CHECK ((octet_length(group_id) = 32)),
    CONSTRAINT token_ledger_head_size CHECK ((octet_length(head) = 32)),
    CONSTRAINT token_ledger_id_size CHECK ((octet_length(id) = 32)),
    CONSTRAINT token_ledger_origin_known CHECK (((origin = ANY (ARRAY['local'::text, 'chain'::text])) AND ((origin = 'chain'::text) = (COALESCE(kind, ''::text) = 'chain'::text)))),
    CONSTRAINT token_ledger_seq_range CHECK ((seq >= 1)),
    CONSTRAINT token_ledger_two_accounts CHECK (((origin = 'chain'::text) OR (from_account <> to_account)))
);

CREATE TABLE public.token_schema (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.token_seals (
    number bigint NOT NULL,
    id bytea NOT NULL,
    prev_seal bytea NOT NULL,
    "timestamp" bigint NOT NULL,
    CONSTRAINT token_seals_id_size CHECK ((octet_length(id) = 32)),
    CONSTRAINT token_seals_prev_size CHECK ((octet_length(prev_seal) = 32))
);

CREATE TABLE public.token_settings (
    one integer NOT NULL,
    ledger_id bytea NOT NULL,
    domain bytea NOT NULL,
    pepper bytea,
    pepper_check bytea,
    registrar bytea NOT NULL,
    sealed bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT token_settings_check_size CHECK ((octet_length(pepper_check) = 32)),
    CONSTRAINT token_settings_domain_size CHECK ((octet_length(domain) = 32)),
    CONSTRAINT token_settings_ledger_id_size CHECK ((octet_length(ledger_id) = 32)),
    CONSTRAINT token_settings_one_ledger CHECK ((one = 1)),
    CONSTRAINT token_settings_pepper_size CHECK ((octet_length(pepper) = 32)),
    CONSTRAINT token_settings_registrar_size CHECK ((octet_length(registrar) = 20))
);

CREATE SEQUENCE public.token_settings_one_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.token_settings_one_seq OWNED BY public.token_settings.one;

CREATE TABLE public.token_submissions (
    id integer NOT NULL,
    asset integer NOT NULL,
    chain_id text NOT NULL COLLATE pg_catalog."C",
    contract bytea NOT NULL,
    number bigint NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    nonce bigint NOT NULL,
    tx_hash bytea NOT NULL,
    raw bytea NOT NULL,
    status text NOT NULL COLLATE pg_catalog."C",
    block_number bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT token_submissions_contract_size CHECK ((octet_length(contract) = 20)),
    CONSTRAINT token_submissions_status_known CHECK ((status = ANY (ARRAY['signed'::text, 'sent'::text, 'mined'::text, 'failed'::text]))),
    CONSTRAINT token_submissions_tx_hash_size CHECK ((octet_length(tx_hash) = 32))
);

CREATE SEQUENCE public.token_submissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.token_submissions_id_seq OWNED BY public.token_submissions.id;

CREATE TABLE public.token_volume (
    asset integer NOT NULL,
    hour bigint NOT NULL,
    entries bigint NOT NULL,
    amount text NOT NULL COLLATE pg_catalog."C"
);

ALTER TABLE ONLY public.token_settings ALTER COLUMN one SET DEFAULT nextval('public.token_settings_one_seq'::regclass);

ALTER TABLE ONLY public.token_submissions ALTER COLUMN id SET DEFAULT nextval('public.token_submissions_id_seq'::regclass);

INSERT INTO public.token_accounts VALUES ('system', '\x0000000000000000000000000000000000000000', NULL, '\x0000000000000000000000000000000000000000', false, 1700000420000000, 1700000420000000, 'open', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('alice', '\xd5fd3a856b5796d15f8eac5a210afbf8fcb7e412', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', true, 1700000840000000, 1700000840000000, 'open', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('bob', '\x5adf5187555be7e112eedd3d6c445213a51dee3c', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', true, 1700001260000000, 1700001260000000, 'open', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('größe', '\xb61194289c8ef5c52f76922c33ceaf9d2ec1293f', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', true, 1700001680000000, 1700001680000000, 'open', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('0xabababababababababababababababababababab', '\xabababababababababababababababababababab', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', false, 1700002100000000, 1700002100000000, 'open', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('keyed', '\xf17037cf40c93428717716c639bea49e8340c006', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', true, 1700002520000000, 1700002520000000, 'open', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('at-once-a', '\x6eb1c5d6124fd66642899e7236ce3c93d6a745eb', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', true, 1700002940000000, 1700002940000000, 'open', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('whale-0', '\x685e941db08d9e9be6120cf5216bd3890c281c7c', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', true, 1700021840000000, 1700021840000000, 'open', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('whale-1', '\x0134ddc4df22d31e0f6e88a4cbeb3df50c7bf462', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', true, 1700021840000000, 1700021840000000, 'open', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('whale-2', '\xf10cab5d53803bc1103b00ed8680f1eec8c222f6', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', true, 1700021840000000, 1700021840000000, 'open', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('at-once-c', '\xc3256051938d482aae87e39cdd9030759c1bcc13', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', true, 1700002940000000, 1700027300000000, 'frozen', NULL, NULL, NULL);
INSERT INTO public.token_accounts VALUES ('at-once-b', '\xf4e3bd58da6cb7819752dacf6d422328edfb8ab3', NULL, '\x823249262d0e513541d3ddf2a896b8278b2e9456', true, 1700002940000000, 1700027720000000, 'closed', NULL, NULL, NULL);

INSERT INTO public.token_assets VALUES (1, '\x647b6b29818398a54ea1e901c24431b65f5a014f706c91fd6fd2019763f3f192', 'SCI', 'Science', 18, 1000000000000000000000, NULL, 'LedgerToken/1', 1795383037034988);
INSERT INTO public.token_assets VALUES (2, '\x6166484ce3170b7e430ed64022547a9235bb95e37a32ccd1d01850880520aeba', 'GOLD', 'Gold', 3, 1000000, '\x0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e', 'LedgerToken/1', 1795383037038429);

INSERT INTO public.token_balances VALUES (1, '0xabababababababababababababababababababab', 1000000000000000000000, 1000000000000000000000, 0, 0, 1700002100000000, 1700002100000000, NULL, NULL);
INSERT INTO public.token_balances VALUES (1, 'größe', 1000000000000000000014, 1000000000000000000014, 0, 0, 1700001680000000, 1700020580000001, NULL, NULL);
INSERT INTO public.token_balances VALUES (2, 'bob', 5, 5, 0, 0, 1700020580000001, 1700020580000001, NULL, NULL);
INSERT INTO public.token_balances VALUES (2, 'keyed', 0, 5, 5, 0, 1700002520000000, 1700020580000001, NULL, NULL);
INSERT INTO public.token_balances VALUES (1, 'system', 3999999999999999999997, 4000000000000000000000, 3, 0, 1700000840000000, 1700021420000000, NULL, NULL);
INSERT INTO public.token_balances VALUES (2, 'system', 115792089237316195423570985008687907853269984665640564039457584007903129639940, 115792089237316195423570985008687907853269984665640564039457584007903129639940, 0, 0, 1700002520000000, 1700022260000000, NULL, NULL);
INSERT INTO public.token_balances VALUES (2, 'whale-0', 0, 115792089237316195423570985008687907853269984665640564039457584007903129639935, 115792089237316195423570985008687907853269984665640564039457584007903129639935, 0, 1700022260000000, 1700022680000001, NULL, NULL);
INSERT INTO public.token_balances VALUES (2, 'whale-1', 0, 115792089237316195423570985008687907853269984665640564039457584007903129639935, 115792089237316195423570985008687907853269984665640564039457584007903129639935, 0, 1700022680000001, 1700022680000001, NULL, NULL);
INSERT INTO public.token_balances VALUES (2, 'whale-2', 115792089237316195423570985008687907853269984665640564039457584007903129639935, 115792089237316195423570985008687907853269984665640564039457584007903129639935, 0, 0, 1700022680000001, 1700022680000001, NULL, NULL);
INSERT INTO public.token_balances VALUES (1, 'bob', 1012000000000000000255, 1026000000000000000542, 14000000000000000287, 9, 1700001260000000, 1700026460000000, NULL, NULL);
INSERT INTO public.token_balances VALUES (1, 'alice', 987999999999999999728, 1014000000000000000284, 26000000000000000556, 20, 1700000840000000, 1700026880000000, 100000000000000000000, NULL);

INSERT INTO public.token_batches VALUES (2, 1, 1, 1, 1, '\xbdec14ec546db735a2b7aa054284f8f2c572a173a8b1ba5fb06654a020737855', '\x84eb310bcd6a0586228f944c3d93843f3529d93185db05e06b63a693e5c4faaf', '\x0ad225a02019c4ebdf1851ccd160354a61044a98712f519603608078f3aadcff', '\x7aebbcda8e58a40f2935fed72b02acae40e35082ff6953951adce57048528979', '\x6bbdf7228bcf8042cbfba438525a9eeb084aa2af98d8bd6a88cf3d5a5fa17a6c', '\x00000000000000010ad225a02019c4ebdf1851ccd160354a61044a98712f519603608078f3aadcff');
INSERT INTO public.token_batches VALUES (1, 1, 1, 1, 44, '\x3f497d5aa21f09397bdfd414aa37acc7c27c05bf5fa1f066ca596ff6e8136ba8', '\xb0de182bb57a6f96b4fcb785780db5cbc8ac2699cdd5959531efc7de49fcdd97', '\x2e6fb5e47e91bd946264058326474e066a2301d852aec6ca67d6cbb6efae20fd', '\x679f05eeb0f36219188e8a752bf66ad12874093fd42afef0a9283b39706b2dfc', '\xea383e934c4ca1540fd360b9820dd111f1b537feabdaac4d5ff1f89bac64555d', '\x000000000000002c4d167391ccd6fd1e4fb319a2ab9150fdad6d61d128dd79db89db3c68f3b54a2e40eeb37e98bc0412a76b76f80b1d490854e6e0474f61a00d642a5f608c624d05c7d2a24c1fe668ea09c7e7e96913b1b3f9a11089ce8f78fd5d589a12ca208854');
INSERT INTO public.token_batches VALUES (2, 2, 2, 2, 5, '\x84eb310bcd6a0586228f944c3d93843f3529d93185db05e06b63a693e5c4faaf', '\xc2be264fa6d7d420f9077093506c8545f0c40bce3f251c74c345fcb264ca86ab', '\x531d6903cd2fed7a45e27aa7c0d7495e0c966137735358dcb44509a3cfa0fec5', '\x28324dcab6b2d7497d18015e158a469c2b5c5797838cff33f81619d769a471b4', '\x1b2c9dc935aa556a6ac8a9dd14634d3de69588ffd02671de17a0a3e1176a2d5b', '\x00000000000000057e5259d35ffe083b04e334d76dadfd10dae5c7cf340d6a26ce90d0ee35d9e723f3a03bc96c07476d350f9eaaf0ed864d567dd382fb7e069e8722a968c13368db');
INSERT INTO public.token_batches VALUES (1, 2, 2, 45, 48, '\xb0de182bb57a6f96b4fcb785780db5cbc8ac2699cdd5959531efc7de49fcdd97', '\x56a3253fcd8bc0dda453d7d05818941a4770bdcde67d873885ef353ea93e09b7', '\xa12a369bf2c079520b4c87545482769dc49f12cc4c31b5372a698214975e65e0', '\xa69fc55cdd888a78a47b6545ba56acdd200abacccb176d6f62402798f014b5e5', '\x812aa789b0ab2557ee73a6eb0a2c73df88de71359f167fe1f7b5dd83b7bd5d7d', '\x00000000000000304d167391ccd6fd1e4fb319a2ab9150fdad6d61d128dd79db89db3c68f3b54a2e14b6577e24306b65e11bd39cd38a2bbe7c790ef1629b9073bac3414f56040b2d');

INSERT INTO public.token_events VALUES (0, 1, 0, 1700000420000000, 'account_created', 'system', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 2, 0, 1700000840000000, 'account_created', 'alice', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 3, 0, 1700001260000000, 'account_created', 'bob', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 4, 0, 1700001680000000, 'account_created', 'größe', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 5, 0, 1700002100000000, 'account_created', '0xabababababababababababababababababababab', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 6, 0, 1700002520000000, 'account_created', 'keyed', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 7, 0, 1700002940000000, 'account_created', 'at-once-c', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 8, 0, 1700002940000000, 'account_created', 'at-once-a', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 9, 0, 1700002940000000, 'account_created', 'at-once-b', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 10, 0, 1700021840000000, 'account_created', 'whale-0', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 11, 0, 1700021840000000, 'account_created', 'whale-1', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 12, 0, 1700021840000000, 'account_created', 'whale-2', NULL, '{}');
INSERT INTO public.token_events VALUES (1, 1, 49, 1700023940000000, 'hold_created', 'alice', 1, '{"id":"0x365d103f2e9eaf85f55dc52a1c14cf58a9a5d21182eedab2cdbf9506fda3c7a8","amount":"50"}');
INSERT INTO public.token_events VALUES (1, 2, 50, 1700024360000000, 'hold_posted', 'alice', 1, '{"amount":"30","remaining":"20","seq":50}');
INSERT INTO public.token_events VALUES (1, 3, 50, 1700024780000000, 'hold_created', 'bob', 3, '{"id":"0x60baec6958f1767a219e272854d7990f51dbe20aa4649f0d4bf61d3219cc9924","amount":"7"}');
INSERT INTO public.token_events VALUES (1, 4, 50, 1700025200000000, 'hold_voided', 'bob', 3, '{"amount":"7"}');
INSERT INTO public.token_events VALUES (1, 5, 50, 1700025620000000, 'hold_created', 'bob', 5, '{"id":"0x7acc09a4c2c18ed6d20acbfc0b8fddffd2780a4af5ca068a66595de050f648db","amount":"9"}');
INSERT INTO public.token_events VALUES (1, 6, 52, 1700026880000000, 'limits_changed', 'alice', NULL, '{"max_debit":"100000000000000000000","max_balance":null}');
INSERT INTO public.token_events VALUES (0, 13, 0, 1700027300000000, 'account_frozen', 'at-once-c', NULL, '{}');
INSERT INTO public.token_events VALUES (0, 14, 0, 1700027720000000, 'account_closed', 'at-once-b', NULL, '{}');

INSERT INTO public.token_holds VALUES (1, 1, '\x365d103f2e9eaf85f55dc52a1c14cf58a9a5d21182eedab2cdbf9506fda3c7a8', 'alice', 'bob', 50, 20, 'pending', NULL, NULL, NULL, NULL, 'Ω', 'held', NULL, 1700023940000000, 1700024360000000);
INSERT INTO public.token_holds VALUES (1, 3, '\x60baec6958f1767a219e272854d7990f51dbe20aa4649f0d4bf61d3219cc9924', 'bob', NULL, 7, 0, 'voided', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1700024780000000, 1700025200000000);
INSERT INTO public.token_holds VALUES (1, 5, '\x7acc09a4c2c18ed6d20acbfc0b8fddffd2780a4af5ca068a66595de050f648db', 'bob', NULL, 9, 9, 'pending', 1786400000000000, NULL, NULL, NULL, NULL, NULL, NULL, 1700025620000000, 1700025620000000);

INSERT INTO public.token_journals VALUES (0, 0, '\x0000000000000000000000000000000000000000000000000000000000000000', 1700027720000000, 47199027, 14, NULL);
INSERT INTO public.token_journals VALUES (2, 5, '\xc2be264fa6d7d420f9077093506c8545f0c40bce3f251c74c345fcb264ca86ab', 1700022680000001, 70748582, 0, NULL);
INSERT INTO public.token_journals VALUES (1, 52, '\xb2dbe0b96322830a11acdbe3bd50fa95313152560071dd26e8099b1d0eb54e88', 1700026460000000, 104363903, 6, 1786400000000000);

INSERT INTO public.token_keys VALUES ('open-keyed', '\x83c089517f79c73cea30b8f81e2a090fa5404b10782ee8eab35ee0ebf5f0ab14', '{"account":"keyed","entries":[[2,1]]}', 1700002520000000);
INSERT INTO public.token_keys VALUES ('pay-0', '\x6e95046bec3eee27253c58daf57acec8353e85ad99fe1ea54890ea517ffda54d', '{"account":null,"entries":[[1,5]]}', 1700003360000000);
INSERT INTO public.token_keys VALUES ('pay-1', '\x7450d9356f8d3c5e49eb8a150defb2acc6685c950ec72e4d87c4a390250d5e77', '{"account":null,"entries":[[1,6]]}', 1700003780000000);
INSERT INTO public.token_keys VALUES ('pay-2', '\xd575996b96bfab1003389194db569f5e0877a52a5e37e85122cf2494ea3bcd45', '{"account":null,"entries":[[1,7]]}', 1700004200000000);
INSERT INTO public.token_keys VALUES ('pay-3', '\x904f234cbfa0b8553e140588b16094ecc527b5b6560b5ddcc025c506677307a4', '{"account":null,"entries":[[1,8]]}', 1700004620000000);
INSERT INTO public.token_keys VALUES ('pay-4', '\xcc9560b9b69c070c11ce6275ca9a38234a17279d3565f56de22ce7c028e791c7', '{"account":null,"entries":[[1,9]]}', 1700005040000000);
INSERT INTO public.token_keys VALUES ('pay-5', '\xb8a58bf89c4b7cb7e8a9d4d5ebc1eff9260944e367347cbdc50c24a68bc708fc', '{"account":null,"entries":[[1,10]]}', 1700005460000000);
INSERT INTO public.token_keys VALUES ('pay-6', '\x23cf84d2ded08e051eb1e6408fd305c95487f2ee2e7616983d45cf5df4e8a137', '{"account":null,"entries":[[1,11]]}', 1700005880000000);
INSERT INTO public.token_keys VALUES ('pay-7', '\x021ae3763b4c4c59a60f62e6a7c01b3702b97317964b4ae97d2471d911863658', '{"account":null,"entries":[[1,12]]}', 1700006300000000);
INSERT INTO public.token_keys VALUES ('pay-8', '\x93cfd640c70976c7b9de10d183785acfbbe11142eef0f0694398840a17f49968', '{"account":null,"entries":[[1,13]]}', 1700006720000000);
INSERT INTO public.token_keys VALUES ('pay-9', '\x5880530333c2c68761f0fb96a8952e9061e1c2cfbbb32ce7fef17b12041433a0', '{"account":null,"entries":[[1,14]]}', 1700007140000000);
INSERT INTO public.token_keys VALUES ('pay-10', '\x253e246c9dfa933f8f1d209cc6e183c5b5eb950249e6809b7a6e7a69d54ee704', '{"account":null,"entries":[[1,15]]}', 1700007560000000);
INSERT INTO public.token_keys VALUES ('pay-11', '\xfcdcbd0dc5d0075b4a64e81a6d197391a94683d0519ef67d36bc62d40540963c', '{"account":null,"entries":[[1,16]]}', 1700007980000000);
INSERT INTO public.token_keys VALUES ('pay-12', '\x4924a02a3478af481463ae72160205646db811ed84edeca3a594a60fd3d6f8d8', '{"account":null,"entries":[[1,17]]}', 1700008400000000);
INSERT INTO public.token_keys VALUES ('pay-13', '\x9384f24e02dd619b47db717dedaa76ef39e4a0ffd39f5ad8f84cdda4cba74f7e', '{"account":null,"entries":[[1,18]]}', 1700008820000000);
INSERT INTO public.token_keys VALUES ('pay-14', '\xaee25daa93c684dc1446c87e41c7c902eeda7ab30998e21e2aafa2ba074afe56', '{"account":null,"entries":[[1,19]]}', 1700009240000000);
INSERT INTO public.token_keys VALUES ('pay-15', '\x504bee5e8aca649c249df036e969b8ddc2a71a29c9260b9d0c5ac41adc499e2e', '{"account":null,"entries":[[1,20]]}', 1700009660000000);
INSERT INTO public.token_keys VALUES ('pay-16', '\xbaa7d98a25694dac693e2ae4726ccbd4830c855dff084b073e67ae8119515548', '{"account":null,"entries":[[1,21]]}', 1700010080000000);
INSERT INTO public.token_keys VALUES ('pay-17', '\x12d7c90021103feb3d455f11c882102a34760bb6cf7b623d51c80e1b287998cf', '{"account":null,"entries":[[1,22]]}', 1700010500000000);
INSERT INTO public.token_keys VALUES ('pay-18', '\xb57b75ee714632935658216a811184f94482185a7719f6d56b9a3a04b59ed01e', '{"account":null,"entries":[[1,23]]}', 1700010920000000);
INSERT INTO public.token_keys VALUES ('pay-19', '\x828e9f35f90c822ebb2f68dbdb4f16de323c098f888e604470859e70f2ba4bd6', '{"account":null,"entries":[[1,24]]}', 1700011340000000);
INSERT INTO public.token_keys VALUES ('pay-20', '\xb776c5f86e8b93748941c1352765b7711870f3e1d033875b88378b5d371c4d26', '{"account":null,"entries":[[1,25]]}', 1700011760000000);
INSERT INTO public.token_keys VALUES ('pay-21', '\x56797766189d7ddddb0558f63252b1d6ae690e780f55baa4ca0733cbb2307628', '{"account":null,"entries":[[1,26]]}', 1700012180000000);
INSERT INTO public.token_keys VALUES ('pay-22', '\x3dea2cbd9214176bf0dbe943fa281701e57fdf84948ede0fcf202014ebc7d6ea', '{"account":null,"entries":[[1,27]]}', 1700012600000000);
INSERT INTO public.token_keys VALUES ('pay-23', '\x23555fd2137c02aa06db1e1a53ae84940a1c423ea23a1ef111c0819b555105e2', '{"account":null,"entries":[[1,28]]}', 1700013020000000);
INSERT INTO public.token_keys VALUES ('pay-24', '\x4aa4ee68264311d0c7400c190c35fda7c27c634452446f609b6c47cc4ead893c', '{"account":null,"entries":[[1,29]]}', 1700013440000000);
INSERT INTO public.token_keys VALUES ('pay-25', '\xaef9cb56776ea7e0ec4ae285b1d16c1ad3a7e78680410409a6fb8dca2528bc1f', '{"account":null,"entries":[[1,30]]}', 1700013860000000);
INSERT INTO public.token_keys VALUES ('pay-26', '\xa7e9e60af2a51efe3860f6d5b3f7a8b5fb7890bb95473835f7268d18b00e697c', '{"account":null,"entries":[[1,31]]}', 1700014280000000);
INSERT INTO public.token_keys VALUES ('pay-27', '\xf9152f4e7b10a0d369eda67140c6dc8f182e19f2ed6451c18de4472cd7ff7791', '{"account":null,"entries":[[1,32]]}', 1700014700000000);
INSERT INTO public.token_keys VALUES ('pay-28', '\x9824a75bb9951e395a71340e3c7980276a84fc12a5c2aa03e721acf40387426c', '{"account":null,"entries":[[1,33]]}', 1700015120000000);
INSERT INTO public.token_keys VALUES ('pay-29', '\xdf74fdc28a87fa42984fcf0958efdf231b8b3ea7a036121e6cf2eddeaba08731', '{"account":null,"entries":[[1,34]]}', 1700015540000000);
INSERT INTO public.token_keys VALUES ('pay-30', '\x69dff51862a0e5bba56d41f580ef66e60a0718618bf29f264f4e51305de61e87', '{"account":null,"entries":[[1,35]]}', 1700015960000000);
INSERT INTO public.token_keys VALUES ('pay-31', '\x8222173982c41212d734713d85e340f45dcbb2573dd7e0923032f2618535a897', '{"account":null,"entries":[[1,36]]}', 1700016380000000);
INSERT INTO public.token_keys VALUES ('pay-32', '\x82ed96092efd7aee7993e8ed5737666540f4b5ea23422af8a6ed96784e551a3f', '{"account":null,"entries":[[1,37]]}', 1700016800000000);
INSERT INTO public.token_keys VALUES ('pay-33', '\xcd5b76e9599a078915b9932c7841a59279ed4a7e9f99c14ae25eaf2ea234181e', '{"account":null,"entries":[[1,38]]}', 1700017220000000);
INSERT INTO public.token_keys VALUES ('pay-34', '\x2900be31f2e8fa573be4b9b9ffbbe5e620b6c2fe02d13258f4e7dacf61c3dcfb', '{"account":null,"entries":[[1,39]]}', 1700017640000000);
INSERT INTO public.token_keys VALUES ('pay-35', '\x52c21d3e07c71a6587ffa0a3440b21ec8d2f9ab571f0d5a221092e9c79f3f9b9', '{"account":null,"entries":[[1,40]]}', 1700018060000000);
INSERT INTO public.token_keys VALUES ('pay-36', '\x68fe93d4c238720444123b24a8a1ba961e85d88b6b34aaf2f51b4e7df776531f', '{"account":null,"entries":[[1,41]]}', 1700018480000000);
INSERT INTO public.token_keys VALUES ('pay-37', '\xa71221c316b6fa1c9125a24e045c57029a6141cc926c1c560ae81daf4e6fee10', '{"account":null,"entries":[[1,42]]}', 1700018900000000);
INSERT INTO public.token_keys VALUES ('pay-38', '\x786aec818bce7ffa32a63ed2240b09feb6bbf01e849a1f1e172260273ac554e6', '{"account":null,"entries":[[1,43]]}', 1700019320000000);
INSERT INTO public.token_keys VALUES ('pay-39', '\x85eb62c8b751633f546faaade829230c2ea2627ad088921b19fad1f69783b837', '{"account":null,"entries":[[1,44]]}', 1700019740000000);
INSERT INTO public.token_keys VALUES ('swap', '\xa6485cded4dd342f883a78653d8aae9784371138e1acbe7b043a32a1aa85c390', '{"account":null,"entries":[[1,45],[2,2]]}', 1700020580000000);
INSERT INTO public.token_keys VALUES ('held', '\x0fceca499148d063a1a91937abbb1419e72416796d96a3a04dc33075f994996f', '{"account":null,"entries":[],"hold":[1, 1, "pending", "50"]}', 1700023940000000);

INSERT INTO public.token_ledger VALUES (1, 1, '\xd01def665ee500a8d8a982a318d2e70857a5a5fb480188c78db401e6625f1f3c', 1700000840000000, 'system', 'alice', 1000000000000000000000, 'endowment', NULL, NULL, NULL, 1000000000000000000000, 1000000000000000000000, 'local', NULL, NULL, NULL, NULL, '\xdba5e3bc88d77113d9c789061abb21b28124fd9e3ed3f83bcd41f82cc87ae600', NULL);
INSERT INTO public.token_ledger VALUES (1, 2, '\xda82924986e69ad7722839d707ee69cef8902c80de2b28e33ddb656c17121050', 1700001260000000, 'system', 'bob', 1000000000000000000000, 'endowment', NULL, NULL, NULL, 2000000000000000000000, 1000000000000000000000, 'local', NULL, NULL, NULL, NULL, '\xe629ed8454ce45bf5f3ad9727d50d2f9b3a4462fc185a58960e2f4831fa569b1', NULL);
INSERT INTO public.token_ledger VALUES (1, 3, '\x3de33a94b6d19713e660d1090268e7882c358819eb60bed3e20c3ebe163697f4', 1700001680000000, 'system', 'größe', 1000000000000000000000, 'endowment', NULL, NULL, NULL, 3000000000000000000000, 1000000000000000000000, 'local', NULL, NULL, NULL, NULL, '\x1708f51d3e34981b4d9cb86bd3c6fe25a238f0bfeb5c432c691e63363b15c376', NULL);
INSERT INTO public.token_ledger VALUES (1, 4, '\xf35415f470e19101f910075eff73c82561a5aa56e3f0466213a826a7a1f3b216', 1700002100000000, 'system', '0xabababababababababababababababababababab', 1000000000000000000000, 'endowment', NULL, NULL, NULL, 4000000000000000000000, 1000000000000000000000, 'local', NULL, NULL, NULL, NULL, '\x4b36bd95ef7ccede61082e1dd540c8d39f030e5ef1d7b00a8e86479c57b7c3bd', NULL);
INSERT INTO public.token_ledger VALUES (2, 1, '\x978c034c476296c92c33c979498f9c0954a03db7d771569d4b2f7373c4c5f943', 1700002520000000, 'system', 'keyed', 5, 'endowment', NULL, NULL, NULL, 5, 5, 'local', NULL, NULL, NULL, NULL, '\x84eb310bcd6a0586228f944c3d93843f3529d93185db05e06b63a693e5c4faaf', NULL);
INSERT INTO public.token_ledger VALUES (1, 5, '\xf0d7e0c8a3da6a53397b5c8fda515e6cf629a571857744b2698ddf3e88dfad61', 1700003360000000, 'bob', 'alice', 1000000000000000000, NULL, 'session', '0', NULL, 999000000000000000000, 1001000000000000000000, 'local', NULL, NULL, 'pay-0', NULL, '\xd3c0113aed4c85f3f493392148e343c0a9476a9be0f8232d40f6bc131df0e540', NULL);
INSERT INTO public.token_ledger VALUES (1, 6, '\xc612ec8e7e74761d771c7d65d7b7fc3f83ce9e9650c0cf59eadc073a14c9aecd', 1700003780000000, 'alice', 'bob', 1000000000000000001, 'pay:review', 'session', '1', '☃', 999999999999999999999, 1000000000000000000001, 'local', NULL, NULL, 'pay-1', NULL, '\x7e7421012b4d51b6070f735f4e7f418497c2cd063e3211e17b5ad6e2219e74c3', NULL);
INSERT INTO public.token_ledger VALUES (1, 7, '\x5e37a70bcbc8b2be3b0f9304d3ac7e42728f9898b46b867e09cce79154c51dec', 1700004200000000, 'alice', 'bob', 1000000000000000002, NULL, 'session', '2', '☃☃', 998999999999999999997, 1001000000000000000003, 'local', NULL, NULL, 'pay-2', NULL, '\x9e74e8c82658fb9534a8e8b08fb776835894564df5370b59bcdc79ba26c8a330', NULL);
INSERT INTO public.token_ledger VALUES (1, 8, '\xae6e2e51467cd8426e2906462ffc470104323f7728ce6dc0569bff958c0487fb', 1700004620000000, 'bob', 'alice', 1000000000000000003, 'pay:review', 'session', '3', '☃☃☃', 1000000000000000000000, 1000000000000000000000, 'local', NULL, NULL, 'pay-3', NULL, '\x377be39d053318c59010758acf6231c2dc30da0b5df9d2714150d8050469cf3f', NULL);
INSERT INTO public.token_ledger VALUES (1, 9, '\xfd94831b77a837b90f2bec822aa25ce79ece23d2eb048ef274d4dd84a5775f46', 1700005040000000, 'alice', 'bob', 1000000000000000004, NULL, 'session', '4', NULL, 998999999999999999996, 1001000000000000000004, 'local', NULL, NULL, 'pay-4', NULL, '\x2d38574a96dbadb638e5b71e4c84afb7eb4b841a16c95cd4703fa9f65da455f7', NULL);
INSERT INTO public.token_ledger VALUES (1, 10, '\x7d82d47acb0197963bff7aad2c06e2a045af47def270e4cfb3735d47ad6d6bf9', 1700005460000000, 'alice', 'bob', 1000000000000000005, 'pay:review', 'session', '5', '☃', 997999999999999999991, 1002000000000000000009, 'local', NULL, NULL, 'pay-5', NULL, '\x052b4415dc6a9d183055dc13504b6ba116293e3f3671575db704572b0a1c3b73', NULL);
INSERT INTO public.token_ledger VALUES (1, 11, '\xf1e0463962cc90ef3318cdecab8a4856f265b8535285463440462ef47f0e9b75', 1700005880000000, 'bob', 'alice', 1000000000000000006, NULL, 'session', '6', '☃☃', 1001000000000000000003, 998999999999999999997, 'local', NULL, NULL, 'pay-6', NULL, '\xd8e9b2188ddf1c2c5d6bb0a5a88beca327010915e274a0b7bc9f303cdf635bf6', NULL);
INSERT INTO public.token_ledger VALUES (1, 12, '\xa471a8604ca2bb618192ba86cc2a76a3fb5c4b44ef7d5ec97d2002d8b50c6461', 1700006300000000, 'alice', 'bob', 1000000000000000007, 'pay:review', 'session', '7', '☃☃☃', 997999999999999999990, 1002000000000000000010, 'local', NULL, NULL, 'pay-7', NULL, '\x1added6072e05d09cf314b5d9ad1053ea39ff85b9cfc50f71be2ccf23c6c2778', NULL);
INSERT INTO public.token_ledger VALUES (1, 13, '\x63a1909fb20c82c721c2edc6ef0b8b97e702cd1285f7c65a3385569a3c9eb8b0', 1700006720000000, 'alice', 'bob', 1000000000000000008, NULL, 'session', '8', NULL, 996999999999999999982, 1003000000000000000018, 'local', NULL, NULL, 'pay-8', NULL, '\xdf3fa4c1a17207127476e0db125b84018c99e8587911494130452e2f33109495', NULL);
INSERT INTO public.token_ledger VALUES (1, 14, '\x6f211c54bf90977533898afcd24383a5f544e5236de9313719f34befb602f9b2', 1700007140000000, 'bob', 'alice', 1000000000000000009, 'pay:review', 'session', '9', '☃', 1002000000000000000009, 997999999999999999991, 'local', NULL, NULL, 'pay-9', NULL, '\xd56186da677eed270d180bf1c882d32f99576d2107b0fbb75b1aab1b0b2c476d', NULL);
INSERT INTO public.token_ledger VALUES (1, 15, '\x526951ad0115dfe1ccaca02cd0b5ee3a0e504156e86d99a320720131dcfd3c33', 1700007560000000, 'alice', 'bob', 1000000000000000010, NULL, 'session', '10', '☃☃', 996999999999999999981, 1003000000000000000019, 'local', NULL, NULL, 'pay-10', NULL, '\x8dae0902b39c320a65bc858d858440c3575272ae7033a33472b6d519f09d4f6e', NULL);
INSERT INTO public.token_ledger VALUES (1, 16, '\x10408c4221d542a119083453cd95a50aa8c161e45de773f6c8e0e57d8bf41ab7', 1700007980000000, 'alice', 'bob', 1000000000000000011, 'pay:review', 'session', '11', '☃☃☃', 995999999999999999970, 1004000000000000000030, 'local', NULL, NULL, 'pay-11', NULL, '\x8d56fdb515295db91a2077de7695901e3050b9db8624b272db8f206068115bc0', NULL);
INSERT INTO public.token_ledger VALUES (1, 17, '\xac19e553802a813a3732f83c6212f92188377ada7ebf67e84507bf51850839b8', 1700008400000000, 'bob', 'alice', 1000000000000000012, NULL, 'session', '12', NULL, 1003000000000000000018, 996999999999999999982, 'local', NULL, NULL, 'pay-12', NULL, '\xd06914ff64d94c6d1d8e87412ddf9a3540c33b45bd181d0f610366cd32a6b484', NULL);
INSERT INTO public.token_ledger VALUES (1, 18, '\x6b5b2f78663a24e31b51f7476cf10047755841904c2f42f8cedbd7a6b1fe750c', 1700008820000000, 'alice', 'bob', 1000000000000000013, 'pay:review', 'session', '13', '☃', 995999999999999999969, 1004000000000000000031, 'local', NULL, NULL, 'pay-13', NULL, '\xe5b041612574a88733bd9a0993e05f3bfa270be888e4ebac711120f95b4baa96', NULL);
INSERT INTO public.token_ledger VALUES (1, 19, '\x13f8cdf760edfb63ddeffba060256abbf8b59227e5a7d2e6a1147cf114ce9f87', 1700009240000000, 'alice', 'bob', 1000000000000000014, NULL, 'session', '14', '☃☃', 994999999999999999955, 1005000000000000000045, 'local', NULL, NULL, 'pay-14', NULL, '\x2eca63de2308565a18a19267bcb80b6257d6d4e5edc797e9b3064bad8c06276e', NULL);
INSERT INTO public.token_ledger VALUES (1, 20, '\x4ce3ee6be8d1e7c7377fc2a03100b48921ebf4bf6f1cd33ea4fe08e36eb376d5', 1700009660000000, 'bob', 'alice', 1000000000000000015, 'pay:review', 'session', '15', '☃☃☃', 1004000000000000000030, 995999999999999999970, 'local', NULL, NULL, 'pay-15', NULL, '\x8bd280fc892a775cfc0c1d102862c594a7c2fdafcc0081214d291cd3d0abf709', NULL);
INSERT INTO public.token_ledger VALUES (1, 21, '\xa92c3bf1cd7f33ebbf637f6c40d7d55207979d4a4c3a355026298de14de75ba7', 1700010080000000, 'alice', 'bob', 1000000000000000016, NULL, 'session', '16', NULL, 994999999999999999954, 1005000000000000000046, 'local', NULL, NULL, 'pay-16', NULL, '\xc0c1daa6a1b890404b8c6a7d0d03d6006eee390ed3965fcc56f641c77872e632', NULL);
INSERT INTO public.token_ledger VALUES (1, 22, '\x062c01775b048e3f74a9e6bc20d05c9ca755978e79e5a9dc057a0209ee9fa61e', 1700010500000000, 'alice', 'bob', 1000000000000000017, 'pay:review', 'session', '17', '☃', 993999999999999999937, 1006000000000000000063, 'local', NULL, NULL, 'pay-17', NULL, '\x7f42e5e3b2ea125941c182d4f6385dca2e75bbc6b0aa6265bd44815bc40c299a', NULL);
INSERT INTO public.token_ledger VALUES (1, 23, '\xed738206bfd54cf334eeed38fe4c33e2b4c21f2c038c577653b302eddbc124e0', 1700010920000000, 'bob', 'alice', 1000000000000000018, NULL, 'session', '18', '☃☃', 1005000000000000000045, 994999999999999999955, 'local', NULL, NULL, 'pay-18', NULL, '\x5cc7c5fcabc88095c4aa3efe88413e15918c33219eb9933188b1628fcc57bc42', NULL);
INSERT INTO public.token_ledger VALUES (1, 24, '\xd2592368320c7fe1be42733eab0f9df85c3781aed87cae44a779ed30104f3898', 1700011340000000, 'alice', 'bob', 1000000000000000019, 'pay:review', 'session', '19', '☃☃☃', 993999999999999999936, 1006000000000000000064, 'local', NULL, NULL, 'pay-19', NULL, '\xdeaff6e21810772be57a0754e9ca6f5a2f19c214e4a066421f1696921ad011fc', NULL);
INSERT INTO public.token_ledger VALUES (1, 25, '\xa456bb74a01a8d7e8ad61cc19e8dab206b06ebff00c6248db0d346b9a8c3392d', 1700011760000000, 'alice', 'bob', 1000000000000000020, NULL, 'session', '20', NULL, 992999999999999999916, 1007000000000000000084, 'local', NULL, NULL, 'pay-20', NULL, '\x41b1e9c93a64193047ef9f5793345672076f587dc4448e8be56d27a5c4da1a85', NULL);
INSERT INTO public.token_ledger VALUES (1, 26, '\xc9b3b35677f2fc00bb24581a0d87b1d8fafc41728177ba9b58e01b61351c97ae', 1700012180000000, 'bob', 'alice', 1000000000000000021, 'pay:review', 'session', '21', '☃', 1006000000000000000063, 993999999999999999937, 'local', NULL, NULL, 'pay-21', NULL, '\xca5cadf56244cd46eec3995c48b944ef20a512881da6050fa7ccaac8c8a28452', NULL);
INSERT INTO public.token_ledger VALUES (1, 27, '\x53314fec58a0eed5b231ca07947bcdf1bf2bd3b7ad7283466d7162ae986603f3', 1700012600000000, 'alice', 'bob', 1000000000000000022, NULL, 'session', '22', '☃☃', 992999999999999999915, 1007000000000000000085, 'local', NULL, NULL, 'pay-22', NULL, '\x8fe346c3ec3acfc8cfad1b6116a3fc8dcee1e98d00d41057b108875dd2ff7b58', NULL);
INSERT INTO public.token_ledger VALUES (1, 28, '\x53ca993d970f27fef4c6f3d7501ea98f684159f4a9a61e73a6a104acae7db5dd', 1700013020000000, 'alice', 'bob', 1000000000000000023, 'pay:review', 'session', '23', '☃☃☃', 991999999999999999892, 1008000000000000000108, 'local', NULL, NULL, 'pay-23', NULL, '\x27e218076cde4907064d1cf1db348dc248932ab96e8c05f1d88f5c20e49ecf39', NULL);
INSERT INTO public.token_ledger VALUES (1, 29, '\x88fc72ec69d4b4611e6676733bc10cd92e4dc75284480bd2f4a76eda50f9b1c4', 1700013440000000, 'bob', 'alice', 1000000000000000024, NULL, 'session', '24', NULL, 1007000000000000000084, 992999999999999999916, 'local', NULL, NULL, 'pay-24', NULL, '\xf7fc13ab131258f9cb32c256dc4c752959c681401d71f94a498dc94f667bb995', NULL);
INSERT INTO public.token_ledger VALUES (1, 30, '\x1be64388bff4875b0a470553703c127c49d871d2345074cfa5d15a6c701bcc3c', 1700013860000000, 'alice', 'bob', 1000000000000000025, 'pay:review', 'session', '25', '☃', 991999999999999999891, 1008000000000000000109, 'local', NULL, NULL, 'pay-25', NULL, '\xd131066f593d49bea88eeee6e720b494ab7c2bbee7cdec91be0cafcc299da403', NULL);
INSERT INTO public.token_ledger VALUES (1, 31, '\x564413ed575df16d2b6213a9064b4817a3d1a4e3ec19c725efd3ff4f7836246c', 1700014280000000, 'alice', 'bob', 1000000000000000026, NULL, 'session', '26', '☃☃', 990999999999999999865, 1009000000000000000135, 'local', NULL, NULL, 'pay-26', NULL, '\x7ce7972806dd50ff6f9adb1087b170802be3b44c2c257895310ece16eaabdc0a', NULL);
INSERT INTO public.token_ledger VALUES (1, 32, '\x81dc1c8030871e50073317aef34dd2cf1c6059d979aabdd29be1526a31cccb86', 1700014700000000, 'bob', 'alice', 1000000000000000027, 'pay:review', 'session', '27', '☃☃☃', 1008000000000000000108, 991999999999999999892, 'local', NULL, NULL, 'pay-27', NULL, '\xc314d104074e9f6716d289bea6d2922f123c4f6f4bc4ea1c9203d465d372bd34', NULL);
INSERT INTO public.token_ledger VALUES (1, 33, '\x2c7fa276b68f60cfa2be7beb696195b5e0dace4c9d0a37763ee5329a046dc2a7', 1700015120000000, 'alice', 'bob', 1000000000000000028, NULL, 'session', '28', NULL, 990999999999999999864, 1009000000000000000136, 'local', NULL, NULL, 'pay-28', NULL, '\x27ad0660c8dcc798dc2e899409e153172feff2607cc87d3dfe32308cda58df82', NULL);
INSERT INTO public.token_ledger VALUES (1, 34, '\xb46c573d49dc21d50bae762b3f628fa7b9a64ae59c9c91c8955554216757efa6', 1700015540000000, 'alice', 'bob', 1000000000000000029, 'pay:review', 'session', '29', '☃', 989999999999999999835, 1010000000000000000165, 'local', NULL, NULL, 'pay-29', NULL, '\x2b1958a8509daadcef91b8fea4c8ad0655564516ce29c8da245d4f1bbb7fabe0', NULL);
INSERT INTO public.token_ledger VALUES (1, 35, '\x5f7930df388331320691f59464320dadf1cf549e1ffce2c827de99702b0afb28', 1700015960000000, 'bob', 'alice', 1000000000000000030, NULL, 'session', '30', '☃☃', 1009000000000000000135, 990999999999999999865, 'local', NULL, NULL, 'pay-30', NULL, '\x69c4939f5ddde54b98e8ff8c3c66fee6d4e60c329f4b0acbe7afa0a41230a272', NULL);
INSERT INTO public.token_ledger VALUES (1, 36, '\xfde25a44b424842c9601c2ab68e40d7af337243af5ea10fd690ffa242fccad35', 1700016380000000, 'alice', 'bob', 1000000000000000031, 'pay:review', 'session', '31', '☃☃☃', 989999999999999999834, 1010000000000000000166, 'local', NULL, NULL, 'pay-31', NULL, '\x86aa415011babbf4a72917e2801844b988ea70134fbce3218ce74f4df8e9ed5c', NULL);
INSERT INTO public.token_ledger VALUES (1, 37, '\xf96976e9ad38160f9b65c842f26057985abcf86632877e531b0cf0a8cb208f59', 1700016800000000, 'alice', 'bob', 1000000000000000032, NULL, 'session', '32', NULL, 988999999999999999802, 1011000000000000000198, 'local', NULL, NULL, 'pay-32', NULL, '\xeb1802fc62f61c5c54a754f6c08ce3d3de9d55e91522ab721afb90ea411e498f', NULL);
INSERT INTO public.token_ledger VALUES (1, 38, '\xd1f553823d4d3608df6a70540d17547239f9f42f1a449b405918406b9ed0b683', 1700017220000000, 'bob', 'alice', 1000000000000000033, 'pay:review', 'session', '33', '☃', 1010000000000000000165, 989999999999999999835, 'local', NULL, NULL, 'pay-33', NULL, '\xb3dac5a413f0c4fdcfb35a5102811aee94232a830b29d21f1ef571ccdf8e9c3b', NULL);
INSERT INTO public.token_ledger VALUES (1, 39, '\x95d0e98d5c3f5e989c73c76818c5a308c272cba8f39ae22d5ec906b7694400c1', 1700017640000000, 'alice', 'bob', 1000000000000000034, NULL, 'session', '34', '☃☃', 988999999999999999801, 1011000000000000000199, 'local', NULL, NULL, 'pay-34', NULL, '\xe9d4570e48607dc6edc29e85b5da7ed9ae9fbb7ef3b88cacc3dda344055d2b76', NULL);
INSERT INTO public.token_ledger VALUES (1, 40, '\x13ec87f8cd0667429072c36690f3dc21615f97e47f70b59100b86276565c1997', 1700018060000000, 'alice', 'bob', 1000000000000000035, 'pay:review', 'session', '35', '☃☃☃', 987999999999999999766, 1012000000000000000234, 'local', NULL, NULL, 'pay-35', NULL, '\xa8f2ea4e94e789dacdb69a6ce79e795df0ecdbb2610d4dfc9660a09728c01859', NULL);
INSERT INTO public.token_ledger VALUES (1, 41, '\x5ceb745ba6d28908257f2ac54951e62a655c4f96dc63ca2953db228f4f23a4a4', 1700018480000000, 'bob', 'alice', 1000000000000000036, NULL, 'session', '36', NULL, 1011000000000000000198, 988999999999999999802, 'local', NULL, NULL, 'pay-36', NULL, '\x003ff03cb14be87e09dfaaeee3292b2362a1b47199528f47dc651213873953a3', NULL);
INSERT INTO public.token_ledger VALUES (1, 42, '\x9e25d32856ee19fdddb619f4f3c2b476255f32da6951a5e4cc998f5a578486d5', 1700018900000000, 'alice', 'bob', 1000000000000000037, 'pay:review', 'session', '37', '☃', 987999999999999999765, 1012000000000000000235, 'local', NULL, NULL, 'pay-37', NULL, '\x8c7d7d3c216f20663e52ee44f1198603229af2330c20ad280bf6b3d6e75fc38f', NULL);
INSERT INTO public.token_ledger VALUES (1, 43, '\x451a965d02a459392b19d72d89ce8e8cf85f7fbcf3f6dd16cb527ce806fd156d', 1700019320000000, 'alice', 'bob', 1000000000000000038, NULL, 'session', '38', '☃☃', 986999999999999999727, 1013000000000000000273, 'local', NULL, NULL, 'pay-38', NULL, '\xb1b942270bbc74ee0eaf78e1f9570019e57fce12c7db1d2239c2c024ff8eca97', NULL);
INSERT INTO public.token_ledger VALUES (1, 44, '\x8ce8cd022df76a3964028d5fb5710d516fd661e0f345b1d51753a5ed230a5577', 1700019740000000, 'bob', 'alice', 1000000000000000039, 'pay:review', 'session', '39', '☃☃☃', 1012000000000000000234, 987999999999999999766, 'local', NULL, NULL, 'pay-39', NULL, '\xb0de182bb57a6f96b4fcb785780db5cbc8ac2699cdd5959531efc7de49fcdd97', NULL);
INSERT INTO public.token_ledger VALUES (1, 45, '\xc0838c216cc5b1d930bfa75da69fa24b20ff795fafd31df2a1b46751de291942', 1700020580000000, 'alice', 'größe', 7, NULL, NULL, NULL, NULL, 987999999999999999759, 1000000000000000000007, 'local', NULL, NULL, 'swap', '\x06947ed642bd3035fa6983e471622b84a29b1fbe3b30aa01990ce47a200e4ef1', '\x2bf7a11c11e45d6cc616290c77688da51804b71a49a3479759a64e67990a4fa2', NULL);
INSERT INTO public.token_ledger VALUES (2, 2, '\x4f56a1fec92a57a165bcf305d6dfdf51f4bb534c5f1f44d32eed434a9ef7a9aa', 1700020580000000, 'keyed', 'bob', 5, NULL, NULL, NULL, NULL, 0, 5, 'local', NULL, NULL, NULL, '\x06947ed642bd3035fa6983e471622b84a29b1fbe3b30aa01990ce47a200e4ef1', '\xe85319417b1fcfb28afc6f3fd17923f6e1a7f9aef3508ec87109e9ee7d852b6e', NULL);
INSERT INTO public.token_ledger VALUES (1, 46, '\x657b2381c9b71d82a7a2089e535c40b4e89f236cc40e0c2736e6d9ce89a89ab5', 1700020580000001, 'alice', 'größe', 7, NULL, NULL, NULL, NULL, 987999999999999999752, 1000000000000000000014, 'local', NULL, NULL, NULL, NULL, '\x1da6f9934cabe0bb5f2ed1f811421c655970bfd4f5577ccb707768d2facd1be1', NULL);
INSERT INTO public.token_ledger VALUES (1, 47, '\xa23ff916945687c53c1919e4b5cd21cbaf2865ae1c4ed4799edd40fbc000115a', 1700021000000000, 'bob', 'bob', 0, NULL, NULL, NULL, NULL, 1012000000000000000234, 1012000000000000000234, 'chain', 'chain', '\x255ace0592d6d0057743ec81f2494d71fe5466986a2fd6f28c632dc1ef83d48b', NULL, NULL, '\xcdc75f27bf271620f36ab6b7efac9aed5bb535a96e8ae60b43db2587efb06280', NULL);
INSERT INTO public.token_ledger VALUES (1, 48, '\xffa416cc5fd180b751d1a651113efa76a21a878cbaeb3f342f8b153acdd5b200', 1700021420000000, 'bob', 'system', 3, 'burn', NULL, NULL, NULL, 1012000000000000000231, 3999999999999999999997, 'local', NULL, NULL, NULL, NULL, '\x56a3253fcd8bc0dda453d7d05818941a4770bdcde67d873885ef353ea93e09b7', NULL);
INSERT INTO public.token_ledger VALUES (2, 3, '\x78e6d0a975af7639fe74f0128927c28854962873a08d9b31e93646eb6f4512a1', 1700022260000000, 'system', 'whale-0', 115792089237316195423570985008687907853269984665640564039457584007903129639935, 'mint', NULL, NULL, NULL, 115792089237316195423570985008687907853269984665640564039457584007903129639940, 115792089237316195423570985008687907853269984665640564039457584007903129639935, 'local', NULL, NULL, NULL, NULL, '\x0d3f10060df200aa8b58d44711298ef1526e1e0538326d9623f2d3088b1c236c', NULL);
INSERT INTO public.token_ledger VALUES (2, 4, '\x0f22359ab6b2c527d29528fa95fbdc8f6eb451d14a1716064237ec2020a824a3', 1700022680000000, 'whale-0', 'whale-1', 115792089237316195423570985008687907853269984665640564039457584007903129639935, NULL, NULL, NULL, NULL, 0, 115792089237316195423570985008687907853269984665640564039457584007903129639935, 'local', NULL, NULL, NULL, NULL, '\x3ba9a4cf7050e9fb07a81d8473c0ff0b74664428da5cf90e60cfef57e9a1b737', NULL);
INSERT INTO public.token_ledger VALUES (2, 5, '\x4da6f6746a33077af6d4e6e1e79ecc933e7d1ee46470d51da2b182a93d83ea98', 1700022680000001, 'whale-1', 'whale-2', 115792089237316195423570985008687907853269984665640564039457584007903129639935, NULL, NULL, NULL, NULL, 0, 115792089237316195423570985008687907853269984665640564039457584007903129639935, 'local', NULL, NULL, NULL, NULL, '\xc2be264fa6d7d420f9077093506c8545f0c40bce3f251c74c345fcb264ca86ab', NULL);
INSERT INTO public.token_ledger VALUES (1, 49, '\xdd3c3bac8113405398d2cab9f03f6e704cc1535331fe8d51caca132e0862287b', 1700023520000000, 'alice', 'bob', 1, NULL, NULL, NULL, NULL, 987999999999999999751, 1012000000000000000232, 'local', NULL, NULL, NULL, NULL, '\x2851f5f406eb299c212a2bf3ce5f3fc0f9da34be2fb0231c294cc9d56790a173', NULL);
INSERT INTO public.token_ledger VALUES (1, 50, '\xbce3394f76ba0d285b506de76b5e54b7035bfdfc057ceed1fba584eeb858eadd', 1700024360000000, 'alice', 'bob', 30, NULL, NULL, NULL, 'Ω', 987999999999999999721, 1012000000000000000262, 'local', 'hold', '\x365d103f2e9eaf85f55dc52a1c14cf58a9a5d21182eedab2cdbf9506fda3c7a8', NULL, NULL, '\xb9f0fe9ecde45c183ba9ef1e066a94d8f4d558e5d4dc277e5e218ea74c5c741a', NULL);
INSERT INTO public.token_ledger VALUES (1, 51, '\xfa1355be8aec847fc4fa5c117da6b264c9da457d9a1cf5411743bc1dbe4b4046', 1700026040000000, 'bob', 'alice', 11, NULL, NULL, NULL, NULL, 1012000000000000000251, 987999999999999999732, 'local', NULL, NULL, NULL, NULL, '\xbdb7ae5333a5aafd453818fe8798b55bfa141088a10b751e8526c51bd908bcac', NULL);
INSERT INTO public.token_ledger VALUES (1, 52, '\x052e141c394214ed72890ecfeea2913fc6cbbb2df11aa63aeee193e745edd182', 1700026460000000, 'alice', 'bob', 4, 'reversal', NULL, NULL, NULL, 987999999999999999728, 1012000000000000000255, 'local', 'reversal', '\xfa1355be8aec847fc4fa5c117da6b264c9da457d9a1cf5411743bc1dbe4b4046', NULL, NULL, '\xb2dbe0b96322830a11acdbe3bd50fa95313152560071dd26e8099b1d0eb54e88', NULL);

INSERT INTO public.token_schema VALUES ('0002');

INSERT INTO public.token_seals VALUES (1, '\x1ebb7ea8b94a347c179d782080a49b05e8d9689e8b148895165b0c393bd4f36d', '\x0000000000000000000000000000000000000000000000000000000000000000', 1700020160000000);
INSERT INTO public.token_seals VALUES (2, '\x22d541f938435400f3e7f7a65660f7198dc286079ddded5192ab32addc2b339d', '\x1ebb7ea8b94a347c179d782080a49b05e8d9689e8b148895165b0c393bd4f36d', 1700023100000000);

INSERT INTO public.token_settings VALUES (1, '\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', '\xc273819afc2f96b3769a18ec90d7d2b5ab7c8b7d25d1227db47a55f6a71326b3', '\x6465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283', '\x67392bead9198e237d4a5789a8dd41564711eafbc57c4e9070ca8f653830bd72', '\x823249262d0e513541d3ddf2a896b8278b2e9456', 2, 1700000420000000);

INSERT INTO public.token_submissions VALUES (1, 1, '31337', '\x0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c', 1, 1, 40, 0, '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '\x027369676e6564', 'mined', 7, 1700000000000000, 1700000000000000);

INSERT INTO public.token_volume VALUES (1, 472223, 8, '8000000000000000028');
INSERT INTO public.token_volume VALUES (1, 472224, 8, '8000000000000000092');
INSERT INTO public.token_volume VALUES (1, 472225, 9, '9000000000000000180');
INSERT INTO public.token_volume VALUES (1, 472226, 8, '8000000000000000228');
INSERT INTO public.token_volume VALUES (1, 472227, 9, '7000000000000000266');
INSERT INTO public.token_volume VALUES (2, 472227, 1, '5');
INSERT INTO public.token_volume VALUES (2, 472228, 2, '231584178474632390847141970017375815706539969331281128078915168015806259279870');
INSERT INTO public.token_volume VALUES (1, 472228, 3, '31');
INSERT INTO public.token_volume VALUES (1, 472229, 2, '15');

ALTER TABLE ONLY public.token_accounts
    ADD CONSTRAINT token_accounts_address UNIQUE (address);

ALTER TABLE ONLY public.token_accounts
    ADD CONSTRAINT token_accounts_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.token_assets
    ADD CONSTRAINT token_assets_id UNIQUE (id);

ALTER TABLE ONLY public.token_assets
    ADD CONSTRAINT token_assets_pkey PRIMARY KEY (asset);

ALTER TABLE ONLY public.token_assets
    ADD CONSTRAINT token_assets_symbol UNIQUE (symbol);

ALTER TABLE ONLY public.token_balances
    ADD CONSTRAINT token_balances_pkey PRIMARY KEY (asset, account_id);

ALTER TABLE ONLY public.token_batches
    ADD CONSTRAINT token_batches_pkey PRIMARY KEY (asset, number);

ALTER TABLE ONLY public.token_events
    ADD CONSTRAINT token_events_pkey PRIMARY KEY (asset, number);

ALTER TABLE ONLY public.token_holds
    ADD CONSTRAINT token_holds_pkey PRIMARY KEY (asset, number);

ALTER TABLE ONLY public.token_journals
    ADD CONSTRAINT token_journals_pkey PRIMARY KEY (asset);

ALTER TABLE ONLY public.token_keys
    ADD CONSTRAINT token_keys_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.token_ledger
    ADD CONSTRAINT token_ledger_pkey PRIMARY KEY (asset, seq);

ALTER TABLE ONLY public.token_schema
    ADD CONSTRAINT token_schema_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.token_seals
    ADD CONSTRAINT token_seals_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.token_settings
    ADD CONSTRAINT token_settings_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.token_submissions
    ADD CONSTRAINT token_submissions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.token_submissions
    ADD CONSTRAINT token_submissions_tx_hash UNIQUE (tx_hash);

ALTER TABLE ONLY public.token_volume
    ADD CONSTRAINT token_volume_pkey PRIMARY KEY (asset, hour);

CREATE INDEX token_batches_seal ON public.token_batches USING btree (seal);

CREATE INDEX token_holds_account ON public.token_holds USING btree (asset, account_id, number);

CREATE INDEX token_holds_due ON public.token_holds USING btree (asset, expires_at, number) WHERE (state = 'pending'::text);

CREATE INDEX token_holds_id ON public.token_holds USING hash (id);

CREATE UNIQUE INDEX token_ledger_chain_cause ON public.token_ledger USING btree (cause) WHERE (origin = 'chain'::text);

CREATE INDEX token_ledger_from ON public.token_ledger USING btree (asset, from_account, seq);

CREATE INDEX token_ledger_id ON public.token_ledger USING hash (id);

CREATE INDEX token_ledger_reference ON public.token_ledger USING btree (reference_type, reference_id) WHERE (reference_id IS NOT NULL);

CREATE UNIQUE INDEX token_ledger_reversed ON public.token_ledger USING btree (cause) WHERE (kind = 'reversal'::text);

CREATE INDEX token_ledger_to ON public.token_ledger USING btree (asset, to_account, seq);

CREATE TRIGGER token_batches_no_change BEFORE DELETE OR UPDATE ON public.token_batches FOR EACH ROW EXECUTE FUNCTION public.token_refuse_change();

CREATE TRIGGER token_batches_no_truncate BEFORE TRUNCATE ON public.token_batches FOR EACH STATEMENT EXECUTE FUNCTION public.token_refuse_change();

CREATE TRIGGER token_events_no_change BEFORE DELETE OR UPDATE ON public.token_events FOR EACH ROW EXECUTE FUNCTION public.token_refuse_change();

CREATE TRIGGER token_events_no_truncate BEFORE TRUNCATE ON public.token_events FOR EACH STATEMENT EXECUTE FUNCTION public.token_refuse_change();

CREATE TRIGGER token_holds_no_delete BEFORE DELETE ON public.token_holds FOR EACH ROW EXECUTE FUNCTION public.token_refuse_change();

CREATE TRIGGER token_holds_no_truncate BEFORE TRUNCATE ON public.token_holds FOR EACH STATEMENT EXECUTE FUNCTION public.token_refuse_change();

CREATE TRIGGER token_ledger_no_change BEFORE DELETE OR UPDATE ON public.token_ledger FOR EACH ROW EXECUTE FUNCTION public.token_refuse_change();

CREATE TRIGGER token_ledger_no_truncate BEFORE TRUNCATE ON public.token_ledger FOR EACH STATEMENT EXECUTE FUNCTION public.token_refuse_change();

CREATE TRIGGER token_seals_no_change BEFORE DELETE OR UPDATE ON public.token_seals FOR EACH ROW EXECUTE FUNCTION public.token_refuse_change();

CREATE TRIGGER token_seals_no_truncate BEFORE TRUNCATE ON public.token_seals FOR EACH STATEMENT EXECUTE FUNCTION public.token_refuse_change();

