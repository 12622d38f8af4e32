from __future__ import annotations

import re

import pytest
from sqlalchemy import make_url

from bridge.cli import main
from ledger import Ledger
from tests.cli.shell import Shell

TOKEN = 10**18
HASH = re.compile(r"0x[0-9a-f]{64}")
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def money(tokens: str, base_units: int) -> dict[str, str]:
    return {"tokens": tokens, "base_units": str(base_units)}


def test_a_new_ledger_says_what_it_is_and_what_comes_next(any_shell: Shell) -> None:
    said = any_shell.run("init", "--symbol", "SCI", "--name", "SCI token")
    assert [line.split()[0] for line in said.splitlines()] == [
        "ledger", "registrar", "asset", "next:",
    ]  # fmt: skip


def test_a_new_ledger_as_json(shell: Shell) -> None:
    made = shell.json("init", "--symbol", "SCI", "--endowment", "2.5", "--decimals", "2")
    with Ledger.open(shell.database) as ledger:
        asset = ledger.asset("SCI")
        assert made == {
            "ledger_id": str(ledger.identity.ledger_id),
            "registrar": str(ledger.identity.registrar),
            "asset": {
                "symbol": "SCI",
                "name": "SCI",
                "decimals": 2,
                "id": str(asset.id),
                "endowment": money("2.5", 250),
                "operator": None,
                "token_version": "LedgerToken/1",
            },
        }


def test_a_ledger_without_asset_says_how_to_make_one(shell: Shell) -> None:
    assert "next: evm-ledger asset create" in shell.run("init")
    assert shell.run("asset", "list") == "no assets yet: evm-ledger asset create SYMBOL\n"
    assert shell.json("asset", "list") == []
    assert "evm-ledger asset create" in shell.fails("account", "create", "alice")
    assert "evm-ledger asset create" in shell.fails("supply")
    assert shell.json("account", "create", "alice", "--initial-balance", "0")["derived"] is True


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--symbol", "SCI", "--decimals", "256"], "decimals: must be within 0 .. 2**8 - 1"),
        (["--symbol", "SCI", "--decimals", "-1"], "decimals: must be within 0 .. 2**8 - 1"),
        (["--symbol", "SCI", "--decimals", "x"], "'x' is not a valid integer"),
        (["--symbol", ""], "symbol: must not be empty"),
        (["--symbol", "S" * 65], "symbol: must be at most 64 code points"),
        (["--symbol", "SCI", "--endowment", "-1"], "endowment: must be a plain decimal"),
        (["--symbol", "SCI", "--decimals", "0", "--endowment", "0.5"], "more than 0 decimals"),
        (["--symbol", "SCI", "--decimals", "80"], "endowment: must be within"),
        (["--symbol", "SCI", "--operator", "0x12"], "operator: must be 0x and 40 hex digits"),
        (["--symbol", "SCI", "--token-version", "Coin/1"], "'Coin/1' is not one of"),
        (["--token-version", "LedgerToken/1"], "token_version: --token-version is an asset's"),
        (["--registrar", "me"], "registrar: must be 0x and 40 hex digits"),
        (["--name", "SCI token"], "name: --name is an asset's: name the asset too, with --symbol"),
    ],
)
def test_an_init_that_fails_makes_no_file(shell: Shell, options: list[str], says: str) -> None:
    assert says in shell.fails("init", *options)
    assert "does not exist" in shell.fails("supply")


def test_a_ledger_is_made_once(stocked: Shell) -> None:
    assert "holds a ledger already" in stocked.fails("init")


def test_assets_are_listed(stocked: Shell) -> None:
    stocked.run("asset", "create", "GOLD", "--decimals", "0", "--operator", "0x" + "1" * 40)
    assert stocked.run("asset", "list").split("\n")[0].split() == [
        "symbol", "name", "decimals", "endowment", "id",
    ]  # fmt: skip
    sci, gold = stocked.json("asset", "list")
    assert (sci["symbol"], sci["endowment"]) == ("SCI", money("1000", 1_000 * TOKEN))
    assert (gold["symbol"], gold["operator"]) == ("GOLD", "0x" + "1" * 40)
    assert "ASSET_EXISTS" in stocked.fails("asset", "create", "GOLD")
    assert stocked.fails("supply") == "ASSET_REQUIRED: say which with --asset: 'SCI', 'GOLD'"
    assert "UNKNOWN_ASSET" in stocked.fails("supply", "--asset", "TIN")
    assert stocked.run("supply", "--asset", "SCI") == "1005 SCI\n"


def test_an_asset_may_become_another_contract(stocked: Shell) -> None:
    stocked.run("asset", "create", "OLD", "--token-version", "LedgerTokenDeferred/1")
    found = [asset["token_version"] for asset in stocked.json("asset", "list")]
    assert found == ["LedgerToken/1", "LedgerTokenDeferred/1"]


def test_accounts(any_stocked: Shell) -> None:
    own = "0x" + "ab" * 20
    created = any_stocked.json("account", "create", own)
    assert created["address"].lower() == own
    assert created["derived"] is False
    table = any_stocked.run("account", "list").splitlines()
    assert [line.split()[0] for line in table] == ["account", own, "alice", "bob", "system"]
    assert {line.split()[-2] for line in table[1:]} == {"open"}
    assert [line.split()[-1] for line in table[1:]] == ["given", "derived", "derived", "issuer"]
    listed = any_stocked.json("account", "list")
    assert [account["account_id"] for account in listed] == [own, "alice", "bob", "system"]
    assert set(created) == {
        "account_id", "address", "derived", "registrar", "created_at", "status", "link", "repeated",
    }  # fmt: skip
    assert (created["status"], created["link"]) == ("open", None)
    shown = any_stocked.json("account", "show", "bob")
    assert shown == {
        **listed[2],
        "balances": [any_stocked.json("balance", "bob")],
    }
    assert "balance is the supply" in any_stocked.run("account", "show", "system")


def test_an_account_without_anything(stocked: Shell) -> None:
    stocked.run("account", "create", "carol", "--initial-balance", "0")
    assert stocked.run("account", "show", "carol").endswith("it never had anything\n")
    assert stocked.run("statement", "carol") == "no entries\n"
    assert stocked.json("statement", "carol") == []


def test_creating_an_account_with_a_key_happens_once(stocked: Shell) -> None:
    first = stocked.json("account", "create", "carol", "--key", "k")
    assert first["repeated"] is False
    again = stocked.json("account", "create", "carol", "--key", "k")
    assert again == {**first, "repeated": True}
    said = stocked.run("account", "create", "carol", "--key", "k")
    assert said.strip().endswith("(already created with this key)")
    assert "KEY_REUSED" in stocked.fails("account", "create", "dave", "--key", "k")


@pytest.mark.parametrize(
    ("account_id", "says"),
    [
        ("", "account_id: must be 1..255 code points, not 0"),
        ("x" * 256, "account_id: must be 1..255 code points, not 256"),
        ("a\tb", "account_id: has control code point U+0009"),
        ("a\x1b[31m", "account_id: has control code point U+001B"),
        ("0x" + "AB" * 20, "is an address; write it in lower case: 0x" + "ab" * 20),
        ("0x" + "00" * 20, "is below 2**16"),
        ("alice", "ACCOUNT_EXISTS"),
        ("system", "system"),
    ],
)
def test_an_account_id_that_cannot_be(stocked: Shell, account_id: str, says: str) -> None:
    before = stocked.json("account", "list")
    assert says in stocked.fails("account", "create", account_id)
    assert stocked.json("account", "list") == before


def test_an_account_id_is_the_same_after_nfc(stocked: Shell) -> None:
    stocked.run("account", "create", "b\u00f6b \U0001f642")
    assert "ACCOUNT_EXISTS" in stocked.fails("account", "create", "bo\u0308b \U0001f642")
    assert stocked.run("balance", "bo\u0308b \U0001f642") == "1000 SCI\n"


def test_a_transfer(any_stocked: Shell) -> None:
    details = [
        "--reason", "earn:debate", "--reference-type", "debate", "--reference-id", "17",
        "--memo", "well said", "--key", "k",
    ]  # fmt: skip
    entry = any_stocked.json("transfer", "alice", "bob", "12.5", *details)
    for name, form in {"id": HASH, "head": HASH, "timestamp": re.compile("[0-9]+")}.items():
        assert form.fullmatch(entry.pop(name)), name
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "asset": "SCI",
        "seq": 3,
        "from_account": "alice",
        "to_account": "bob",
        "amount": money("12.5", 25 * TOKEN // 2),
        "balance_after_from": money("987.5", 1975 * TOKEN // 2),
        "balance_after_to": money("17.5", 35 * TOKEN // 2),
        "reason": "earn:debate",
        "reference_type": "debate",
        "reference_id": "17",
        "memo": "well said",
        "idempotency_key": "k",
        "group": "0x" + "00" * 32,
        "kind": "",
        "cause": "0x" + "00" * 32,
        "repeated": False,
    }
    again = any_stocked.run("transfer", "alice", "bob", "12.5", *details)
    assert again.endswith("(already posted with this key)\n")
    assert any_stocked.run("balance", "bob") == "17.5 SCI\n"
    assert "KEY_REUSED" in any_stocked.fails("transfer", "alice", "bob", "1", "--key", "k")


def test_minting_and_burning(any_stocked: Shell) -> None:
    minted = any_stocked.json("mint", "bob", "0.000000000000000001")
    assert (minted["from_account"], minted["reason"]) == ("system", "mint")
    assert minted["amount"] == money("0.000000000000000001", 1)
    burned = any_stocked.json("burn", "bob", "2", "--reason", "penalty")
    assert (burned["to_account"], burned["reason"]) == ("system", "penalty")
    assert any_stocked.json("supply") == {
        "asset": "SCI",
        "total_supply": money("1003.000000000000000001", 1_003 * TOKEN + 1),
    }
    assert any_stocked.json("balance", "bob") == {
        "asset": "SCI",
        "account_id": "bob",
        "address": any_stocked.json("account", "show", "bob")["address"],
        "balance": money("3.000000000000000001", 3 * TOKEN + 1),
        "available": money("3.000000000000000001", 3 * TOKEN + 1),
        "total_earned": money("5.000000000000000001", 5 * TOKEN + 1),
        "total_spent": money("2", 2 * TOKEN),
        "total_staked": money("0", 0),
        "max_debit": None,
        "max_balance": None,
    }


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("0", "AMOUNT_ZERO"),
        ("-5", "never negative"),
        ("-1.5", "never negative"),
        ("1e5", "must be a plain decimal"),
        ("NaN", "must be a plain decimal"),
        ("inf", "must be a plain decimal"),
        ("1,5", "must be a plain decimal"),
        ("1_000", "must be a plain decimal"),
        (".5", "must be a plain decimal"),
        ("5.", "must be a plain decimal"),
        ("+5", "must be a plain decimal"),
        (" 5", "must be a plain decimal"),
        ("\u0665", "must be a plain decimal"),
        ("", "must be a plain decimal"),
        ("0x10", "must be a plain decimal"),
        ("0.0000000000000000001", "more than 18 decimals; nothing is rounded"),
        (str(2**256), "must be within 0 .. 2**256 - 1"),
        ("9" * 5_000, "must be a plain decimal"),
        ("1000.5", "'alice' has 1000 SCI available, 1000.5 are asked"),
    ],
)
@pytest.mark.parametrize("command", ["transfer", "burn"])
def test_an_amount_that_cannot_be(stocked: Shell, command: str, amount: str, says: str) -> None:
    accounts = ["alice", "bob"] if command == "transfer" else ["alice"]
    before = stocked.json("audit")
    assert says in stocked.fails(command, *accounts, amount)
    assert stocked.json("audit") == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["transfer", "alice", "alice", "1"], "SAME_ACCOUNT"),
        (["transfer", "alice", "nobody", "1"], "UNKNOWN_ACCOUNT: no account 'nobody'"),
        (["transfer", "nobody", "alice", "1"], "UNKNOWN_ACCOUNT: no account 'nobody'"),
        (["transfer", "", "alice", "1"], "from_account: must be 1..255 code points"),
        (["mint", "nobody", "1"], "UNKNOWN_ACCOUNT"),
        (["burn", "nobody", "1"], "UNKNOWN_ACCOUNT"),
        (["balance", "nobody"], "UNKNOWN_ACCOUNT"),
        (["statement", "nobody"], "UNKNOWN_ACCOUNT"),
        (["account", "show", "nobody"], "UNKNOWN_ACCOUNT"),
        (["mint", "alice", "1", "--memo", "x" * 4_097], "memo: must be at most 4096"),
        (["mint", "alice", "1", "--reason", "x" * 256], "reason: must be at most 255"),
        (["mint", "alice", str(2**256 // TOKEN)], "SUPPLY_OVERFLOW"),
        (["statement", "alice", "--since", "yesterday"], "like 2026-01-31T12:00:00Z"),
        (["statement", "alice", "--since", "2026-01-31"], "like 2026-01-31T12:00:00Z"),
        (["statement", "alice", "--since", "1969-01-01T00:00:00Z"], "2026-01-31T12:00:00Z"),
    ],
)
def test_a_refusal_is_named_and_changes_nothing(
    stocked: Shell, words: list[str], says: str
) -> None:
    before = stocked.json("audit")
    assert says in stocked.fails(*words)
    assert stocked.json("audit") == before


def test_a_statement(any_stocked: Shell) -> None:
    any_stocked.run("transfer", "alice", "bob", "12.5", "--reason", "pay")
    third = any_stocked.json("transfer", "bob", "alice", "2")
    lines = any_stocked.run("statement", "alice").splitlines()
    assert [line.split()[1:] for line in lines] == [
        ["seq", "amount", "balance", "with", "reason"],
        ["1", "+1000", "1000", "system", "endowment"],
        ["3", "-12.5", "987.5", "bob", "pay"],
        ["4", "+2", "989.5", "bob"],
    ]
    entries = any_stocked.json("statement", "alice")
    assert [entry["seq"] for entry in entries] == [1, 3, 4]
    assert any_stocked.json("statement", "alice", "--since", third["time"]) == [third]


def test_a_long_statement_keeps_its_columns(stocked: Shell) -> None:
    with Ledger.open(stocked.database) as ledger:
        for number in range(230):
            ledger.transfer("alice", "bob", number + 1)
    lines = stocked.run("statement", "bob").splitlines()
    assert len(lines) == 232
    assert {line.index("alice") for line in lines[2:]} == {lines[0].index("with")}
    assert len(stocked.json("statement", "bob")) == 231


def test_a_terminal_is_told_no_control_characters(stocked: Shell) -> None:
    stocked.run("mint", "bob", "1", "--reason", "a\x1b[31mred\nline")
    last = stocked.run("statement", "bob").splitlines()[-1]
    assert last.endswith(r"a\x1b[31mred\nline")
    assert stocked.json("statement", "bob")[-1]["reason"] == "a\x1b[31mred\nline"


def test_sealing(any_stocked: Shell) -> None:
    [sealed] = any_stocked.json("seal")
    [batch] = sealed["batches"]
    assert (sealed["number"], sealed["prev_seal"]) == (1, "0x" + "00" * 32)
    assert (batch["asset"], batch["number"], batch["first_seq"], batch["last_seq"]) == (
        "SCI", 1, 1, 2,
    )  # fmt: skip
    for name in ("id", "new_head", "tree_root", "payload_hash"):
        assert HASH.fullmatch(batch[name])
    assert any_stocked.json("seal") == []
    assert any_stocked.run("seal") == "nothing to seal: every entry is in a batch\n"
    any_stocked.run("mint", "bob", "1")
    line = any_stocked.run("seal")
    assert re.fullmatch(r"seal 2  0x[0-9a-f]{64}  1 entry in 1 batch\n", line)


def test_a_symbol_may_have_colons_and_line_ends(stocked: Shell) -> None:
    stocked.run("asset", "create", "A:1:b\n", "--decimals", "0")
    line = stocked.run("mint", "bob", "3", "--asset", "A:1:b\n")
    assert line.startswith(r"3 A:1:b\n  system -> bob  seq 1  id 0x")
    head = stocked.json("audit")["heads"]["A:1:b\n"]
    stocked.run("audit", "--expect-head", f"A:1:b\n:1:{head['head']}")


def test_every_command_is_tested_or_a_group() -> None:
    assert list(main.commands) == [
        "init", "asset", "account", "mint", "burn", "transfer", "group", "reverse", "hold",
        "balance", "statement", "supply", "changes", "seal", "import-legacy", "db", "audit",
        "checkpoint", "export", "import", "prove", "check", "chain", "serve", "key", "vectors",
        "demo",
    ]  # fmt: skip


def test_an_init_does_not_repeat_the_databases_password(postgres_url: str) -> None:
    url = make_url(postgres_url).set(password="s3cret")
    said = Shell(url.render_as_string(hide_password=False)).run("init")
    assert "s3cret" not in said
    assert str(url.database) in said
