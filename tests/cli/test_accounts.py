"""`evm-ledger account`: real addresses and their proofs, status, limits, search."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from ledger import Ledger
from tests.cli.shell import process, signed
from tests.contracts.people import ALICE, STRANGER
from tests.contracts.test_accounts import factory_on, sign_message
from tests.core.test_ids import digest
from tests.ledger.support import dump

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shell import Shell
    from tests.support.nodes import Node

WALLET = Account.from_key("0x" + "6b" * 32)
DEPOSIT = "0x00000000219ab540356cBB839Cbe05303d7705Fa"
NO_PROOF = {"scheme": "operator", "chain_id": 0, "signature": None}

# --- a real address --------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [[], ["--scheme", "eip712"], ["--scheme", "eip191"]], ids=str)
def test_a_key_proves_its_address(any_stocked: Shell, scheme: list[str]) -> None:
    proof = signed(any_stocked, "carol", WALLET, *scheme)
    words = ["account", "create", "carol", "--address", WALLET.address, "--proof", proof, *scheme]
    made = any_stocked.json(*words)
    assert made["address"] == WALLET.address
    assert made["derived"] is False
    assert made["link"] == {
        "scheme": scheme[-1] if scheme else "eip712", "chain_id": 0, "signature": proof,
    }  # fmt: skip
    shown = any_stocked.run("account", "show", "carol").splitlines()
    assert shown[1:3] == [
        f"address {WALLET.address} (given)", f"linked by {made['link']['scheme']}",
    ]  # fmt: skip
    assert any_stocked.json("audit")["ok"]


def test_the_operator_answers_for_an_address(any_stocked: Shell) -> None:
    words = ["account", "create", "pool", "--address", DEPOSIT, "--by-operator"]
    assert any_stocked.json(*words, "--initial-balance", "0")["link"] == NO_PROOF
    shown = any_stocked.run("account", "show", "pool").splitlines()
    assert shown[2] == "linked by operator: nobody proved it"


def test_a_contract_wallet_is_asked_on_its_chain(stocked: Shell, anvil: Node) -> None:
    contract = factory_on(anvil).account()
    words = ["link-message", "vault", contract.address, "--scheme", "erc1271"]
    asked = stocked.json("account", *words, "--chain-id", "31337")
    typed = encode_typed_data(full_message=asked)

    def create(proof: bytes) -> list[str]:
        given = ["--proof", f"0x{proof.hex()}", "--scheme", "erc1271", "--rpc", anvil.url]
        return ["account", "create", "vault", "--address", contract.address, *given]

    wrong = sign_message(contract, STRANGER, digest(typed))
    before = dump(stocked.database)
    assert stocked.fails(*create(wrong)).startswith("LINK_INVALID: the contract ")
    assert dump(stocked.database) == before
    proof = sign_message(contract, ALICE, digest(typed))
    made = stocked.json(*create(proof))
    assert made["link"] == {
        "scheme": "erc1271", "chain_id": 31337, "signature": f"0x{proof.hex()}",
    }  # fmt: skip
    assert "linked by erc1271 on chain 31337\n" in stocked.run("account", "show", "vault")


def test_a_text_is_printed_exactly_as_it_is_signed(stocked: Shell, folder: Path) -> None:
    name = "b\u00f6b \U0001f642\u00ad\u202e"
    words = ["account", "link-message", name, WALLET.address, "--scheme", "eip191"]
    text = stocked.run(*words)
    assert text.endswith(f"Account: {name[:-1]}\\u202e")
    assert stocked.json(*words) == {"message": text}
    done = process(*words, "--database", stocked.database, folder=folder, PYTHONUTF8="1")
    assert done.stdout == text
    few = {"PYTHONIOENCODING": "latin-1"}
    done = process(*words, "--database", stocked.database, folder=folder, **few)
    assert (done.returncode, done.stdout) == (2, "")
    assert "this output cannot show it; use --json" in done.stderr


GIVEN = ["--address", WALLET.address]
WRONG = [
    (["--proof", "0x00"], "address: --proof is about an address: name it with --address"),
    (["--by-operator"], "address: --by-operator is about an address"),
    (["--scheme", "eip712"], "address: --scheme is about an address"),
    (["--rpc", "http://127.0.0.1:1"], "address: --rpc is about an address"),
    (["--address", "0x12", "--by-operator"], "address: must be 0x and 40 hex digits"),
    (["--address", "0x" + "0" * 40, "--by-operator"], "address: "),
    (["--address", WALLET.address.swapcase().replace("X", "x"), "--by-operator"], "checksum"),
    (GIVEN, "proof: give --proof, or --by-operator"),
    ([*GIVEN, "--proof", "0x00", "--by-operator"], "proof: give --proof, or --by-operator"),
    ([*GIVEN, "--by-operator", "--scheme", "eip191"], "scheme: --scheme eip191 goes with --proof"),
    ([*GIVEN, "--proof", "00"], "proof: must be 0x and hex digits"),
    ([*GIVEN, "--proof", "0x0"], "proof: must be 0x and hex digits"),
    ([*GIVEN, "--proof", "0x" + "00" * 8_193], "of at most 8192 bytes"),
    ([*GIVEN, "--proof", "0x00"], "LINK_INVALID: a key's signature is 65 bytes"),
    ([*GIVEN, "--proof", "0x" + "11" * 64 + "1b"], "LINK_INVALID: "),
    ([*GIVEN, "--proof", "0x00", "--rpc", "http://127.0.0.1:1"], "rpc: --rpc goes with --scheme"),
    ([*GIVEN, "--proof", "0x00", "--scheme", "erc1271"], "rpc: --rpc goes with --scheme erc1271"),
    (
        [*GIVEN, "--proof", "0x", "--scheme", "erc1271", "--rpc", "http://127.0.0.1:1"],
        "127.0.0.1:1",
    ),
    ([*GIVEN, "--proof", "0x00", "--scheme", "eip1"], "'eip1' is not one of"),
]


@pytest.mark.parametrize(("words", "says"), WRONG, ids=lambda it: str(it)[:60])
def test_a_proof_that_is_none(stocked: Shell, words: list[str], says: str) -> None:
    before = dump(stocked.database)
    assert says in stocked.fails("account", "create", "carol", *words)
    assert dump(stocked.database) == before


def test_a_proof_is_of_one_account_and_an_address_of_one(any_stocked: Shell) -> None:
    proof = signed(any_stocked, "carol", WALLET)
    given = [*GIVEN, "--proof", proof]
    before = dump(any_stocked.database)
    assert any_stocked.fails("account", "create", "dave", *given).startswith("LINK_INVALID: ")
    assert dump(any_stocked.database) == before
    any_stocked.run("account", "create", "carol", *given)
    before = dump(any_stocked.database)
    taken = any_stocked.fails("account", "create", "dave", *GIVEN, "--by-operator")
    assert taken.startswith("ADDRESS_TAKEN: ")
    assert dump(any_stocked.database) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["", WALLET.address], "account_id: must be 1..255"),
        (["carol", "0x12"], "address: must be 0x and 40 hex digits"),
        (["carol", WALLET.address, "--chain-id", "1"], "chain_id: --chain-id goes with --scheme"),
        (["carol", WALLET.address, "--scheme", "erc1271"], "chain_id: --chain-id goes with"),
        (
            ["carol", WALLET.address, "--scheme", "erc1271", "--chain-id", "0"],
            "link: scheme erc1271 needs the id of the chain",
        ),
        (["carol", WALLET.address, "--scheme", "operator"], "'operator' is not one of"),
    ],
)
def test_a_message_that_cannot_be_asked_for(stocked: Shell, words: list[str], says: str) -> None:
    assert says in stocked.fails("account", "link-message", *words)


def test_creating_an_account_can_be_tried(any_stocked: Shell) -> None:
    before = dump(any_stocked.database)
    said = any_stocked.run("account", "create", "carol", "--dry-run")
    assert re.fullmatch(r"dry run: account carol  address 0x[0-9a-fA-F]{40}\n", said)
    assert any_stocked.json("account", "create", "carol", "--dry-run")["dry_run"] is True
    assert dump(any_stocked.database) == before


# --- status ----------------------------------------------------------------------------------


def test_freezing_and_reopening(any_stocked: Shell) -> None:
    assert any_stocked.run("account", "freeze", "alice") == "account alice is frozen\n"
    assert any_stocked.run("transfer", "bob", "alice", "1").startswith("1 SCI")
    assert any_stocked.fails("transfer", "alice", "bob", "1") == (
        "ACCOUNT_FROZEN: account 'alice' is frozen; reopen it first"
    )
    assert "status frozen\n" in any_stocked.run("account", "show", "alice")
    assert any_stocked.json("account", "reopen", "alice")["status"] == "open"
    assert "status" not in any_stocked.run("account", "show", "alice")
    assert any_stocked.run("transfer", "alice", "bob", "1").startswith("1 SCI")


def test_closing_and_reopening(any_stocked: Shell) -> None:
    any_stocked.run("asset", "create", "GOLD", "--decimals", "2")
    any_stocked.run("mint", "bob", "0.25", "--asset", "GOLD")
    assert any_stocked.fails("account", "close", "bob") == (
        "ACCOUNT_NOT_EMPTY: 'bob' has 5 SCI, 0.25 GOLD; move them first"
    )
    any_stocked.run("burn", "bob", "0.25", "--asset", "GOLD")
    any_stocked.run("transfer", "bob", "alice", "5", "--asset", "SCI")
    assert any_stocked.json("account", "close", "bob")["status"] == "closed"
    assert any_stocked.fails("transfer", "alice", "bob", "1", "--asset", "SCI") == (
        "ACCOUNT_CLOSED: account 'bob' is closed; reopen it first"
    )
    assert any_stocked.run("account", "reopen", "bob") == "account bob is open\n"
    assert any_stocked.json("audit")["ok"]


def test_a_change_of_status_that_is_refused_changes_nothing(any_stocked: Shell) -> None:
    any_stocked.run("account", "create", "ice", "--initial-balance", "0")
    any_stocked.run("account", "freeze", "ice")
    any_stocked.run("account", "create", "shut", "--initial-balance", "0")
    any_stocked.run("account", "close", "shut")
    before = dump(any_stocked.database)
    for words, says in (
        (["freeze", "ice"], "ACCOUNT_FROZEN: account 'ice' is frozen"),
        (["freeze", "shut"], "ACCOUNT_CLOSED"),
        (["close", "shut"], "ACCOUNT_CLOSED"),
        (["close", "alice"], "ACCOUNT_NOT_EMPTY: 'alice' has 1000 SCI; move them first"),
        (["reopen", "alice"], "ACCOUNT_OPEN"),
        (["freeze", "nobody"], "UNKNOWN_ACCOUNT"),
        (["close", "nobody"], "UNKNOWN_ACCOUNT"),
        (["reopen", "nobody"], "UNKNOWN_ACCOUNT"),
        (["freeze", "system"], "INVALID_FIELD: account_id: is the issuer"),
        (["close", ""], "INVALID_FIELD: account_id: must be 1..255"),
    ):
        assert any_stocked.fails("account", *words).startswith(says), words
        assert dump(any_stocked.database) == before, words


@pytest.mark.parametrize("words", [["freeze", "alice"], ["close", "carol"], ["reopen", "ice"]])
def test_a_change_of_status_can_be_tried(any_stocked: Shell, words: list[str]) -> None:
    any_stocked.run("account", "create", "carol", "--initial-balance", "0")
    any_stocked.run("account", "create", "ice", "--initial-balance", "0")
    any_stocked.run("account", "freeze", "ice")
    before = dump(any_stocked.database)
    status = {"freeze": "frozen", "close": "closed", "reopen": "open"}[words[0]]
    said = any_stocked.run("account", *words, "--dry-run")
    assert said == f"dry run: account {words[1]} is {status}\n"
    assert any_stocked.json("account", *words, "--dry-run")["dry_run"] is True
    assert dump(any_stocked.database) == before


# --- limits ----------------------------------------------------------------------------------


def test_limits(any_stocked: Shell) -> None:
    words = ["account", "limit", "bob", "--max-debit", "2.5", "--max-balance", "10"]
    assert any_stocked.run(*words) == (
        "account bob: debits of at most 2.5 SCI, balance of at most 10 SCI\n"
    )
    assert any_stocked.fails("transfer", "bob", "alice", "2.51") == (
        "DEBIT_LIMIT: 'bob' allows debits of at most 2.5 SCI, 2.51 are asked"
    )
    assert any_stocked.fails("transfer", "alice", "bob", "6") == (
        "BALANCE_LIMIT: 'bob' may have at most 10 SCI and has 5; 6 more are asked"
    )
    row = any_stocked.run("account", "show", "bob").splitlines()[-1].split()
    assert row == ["SCI", "5", "5", "5", "0", "2.5", "10"]
    [balance] = any_stocked.json("account", "show", "bob")["balances"]
    assert balance["max_debit"] == {"tokens": "2.5", "base_units": "2500000000000000000"}
    freed = any_stocked.json("account", "limit", "bob", "--max-debit", "any", "--max-balance", "10")
    assert freed == {
        "asset": "SCI",
        "account_id": "bob",
        "max_debit": None,
        "max_balance": {"tokens": "10", "base_units": "10000000000000000000"},
    }
    assert any_stocked.run("transfer", "bob", "alice", "5").startswith("5 SCI")


def test_limits_are_shown_of_an_account_that_never_had_anything(any_stocked: Shell) -> None:
    any_stocked.run("account", "create", "carol", "--initial-balance", "0")
    any_stocked.run("account", "limit", "carol", "--max-debit", "any", "--max-balance", "0")
    row = any_stocked.run("account", "show", "carol").splitlines()[-1].split()
    assert row == ["SCI", "0", "0", "0", "0", "any", "0"]


def test_limits_that_are_refused_change_nothing(any_stocked: Shell) -> None:
    any_stocked.run("account", "create", "shut", "--initial-balance", "0")
    any_stocked.run("account", "close", "shut")
    before = dump(any_stocked.database)
    both = ["--max-debit", "1", "--max-balance", "1"]
    for words, says in (
        (["bob"], "missing option '--max-debit'"),
        (["bob", "--max-debit", "1"], "missing option '--max-balance'"),
        (["bob", "--max-debit", "1.5e3", "--max-balance", "any"], "max_debit: must be a plain"),
        (["bob", "--max-debit", "any", "--max-balance", "none"], "; or 'any' for no limit"),
        (["bob", "--max-debit", str(2**256), "--max-balance", "any"], "max_debit: must be within"),
        (["nobody", *both], "UNKNOWN_ACCOUNT"),
        (["shut", *both], "ACCOUNT_CLOSED"),
        (["system", *both], "account_id: is the issuer"),
        (["bob", *both, "--asset", "TIN"], "UNKNOWN_ASSET"),
    ):
        assert says in any_stocked.fails("account", "limit", *words), words
        assert dump(any_stocked.database) == before, words
    assert any_stocked.run("account", "limit", "bob", *both, "--dry-run") == (
        "dry run: account bob: debits of at most 1 SCI, balance of at most 1 SCI\n"
    )
    assert any_stocked.json("account", "limit", "bob", *both, "--dry-run")["dry_run"] is True
    assert dump(any_stocked.database) == before


# --- search ----------------------------------------------------------------------------------


def test_accounts_are_listed_by_prefix(any_stocked: Shell) -> None:
    with Ledger.open(any_stocked.database) as ledger:
        for name in ("agent-1", "agent-2", "agent", "age", "\u00e4gent", "a%ent", "a_ent"):
            ledger.create_account(name, 0)

    def ids(prefix: str) -> list[str]:
        listed = any_stocked.json("account", "list", "--prefix", prefix)
        return [account["account_id"] for account in listed]

    assert ids("agent-") == ["agent-1", "agent-2"]
    assert ids("agent") == ["agent", "agent-1", "agent-2"]
    assert ids("a%") == ["a%ent"]
    assert ids("a_") == ["a_ent"]
    assert ids("\u00e4") == ["\u00e4gent"]
    assert ids("A") == []
    assert any_stocked.run("account", "list", "--prefix", "zz") == "no account begins with 'zz'\n"
