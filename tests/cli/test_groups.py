"""`evm-ledger group` and `reverse`: several entries together, and entries undone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.group_files import MAX_BYTES
from tests.ledger.support import dump

if TYPE_CHECKING:
    from tests.cli.shell import Shell

NOBODY = "0x" + "07" * 32
ZERO = "0x" + "00" * 32

PAY: dict[str, Any] = {"from_account": "alice", "to_account": "bob", "amount": "1.5"}


def write(document: object) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    Path("group.json").write_text(text, encoding="utf-8")
    return "group.json"


def group(*movements: object, **others: object) -> str:
    return write({"movements": movements, **others})


# --- group -----------------------------------------------------------------------------------


def test_a_group_is_posted_together(any_stocked: Shell) -> None:
    any_stocked.run("asset", "create", "GOLD", "--decimals", "2")
    file = group(
        {**PAY, "asset": "SCI", "reason": "r", "reference_type": "t", "reference_id": "i"},
        {"type": "mint", "to_account": "alice", "amount": "0.25", "asset": "GOLD"},
        {"type": "burn", "from_account": "bob", "amount": "1", "asset": "SCI", "memo": "m"},
        {"type": "transfer", **PAY, "asset": "SCI"},
        key="k",
    )
    made = any_stocked.json("group", file)
    assert made["repeated"] is False
    entries = made["entries"]
    assert {entry["group"] for entry in entries} == {made["group"]}
    assert made["group"] != ZERO
    assert [
        (it["asset"], it["seq"], it["from_account"], it["to_account"], it["amount"]["tokens"])
        for it in entries
    ] == [
        ("SCI", 3, "alice", "bob", "1.5"),
        ("GOLD", 1, "system", "alice", "0.25"),
        ("SCI", 4, "bob", "system", "1"),
        ("SCI", 5, "alice", "bob", "1.5"),
    ]
    texts = ("reason", "reference_type", "reference_id")
    assert [entries[0][name] for name in texts] == ["r", "t", "i"]
    assert entries[2]["memo"] == "m"
    assert len({entry["timestamp"] for entry in entries}) == 1
    again = any_stocked.json("group", file)
    assert (again["repeated"], again["group"]) == (True, made["group"])
    assert any_stocked.json("audit")["ok"]


def test_what_people_read_of_a_group(any_stocked: Shell) -> None:
    file = group(PAY, PAY)
    dry = (
        "dry run:\n1.5 SCI  alice -> bob  seq 3\n1.5 SCI  alice -> bob  seq 4\ngroup of 2 entries\n"
    )
    before = dump(any_stocked.database)
    assert any_stocked.run("group", file, "--key", "k", "--dry-run") == dry
    assert any_stocked.json("group", file, "--dry-run")["dry_run"] is True
    assert dump(any_stocked.database) == before
    lines = any_stocked.run("group", file, "--key", "k").splitlines()
    assert [line.split("  id ")[0] for line in lines[:2]] == dry.splitlines()[1:3]
    assert lines[2].startswith("group 0x")
    assert lines[2].endswith(" of 2 entries")
    again = any_stocked.run("group", file, "--key", "k").splitlines()
    assert again[0] == f"{lines[0]} (already posted with this key)"
    assert again[2] == lines[2]


def test_a_group_comes_from_standard_input(stocked: Shell) -> None:
    stocked.typed = json.dumps({"movements": [PAY]}).encode()
    made = stocked.json("group", "-")
    assert (made["group"], len(made["entries"])) == (None, 1)
    assert stocked.run("balance", "bob") == "6.5 SCI\n"


def test_the_asset_of_movements_that_name_none(stocked: Shell) -> None:
    stocked.run("asset", "create", "GOLD", "--decimals", "0")
    file = group(PAY)
    assert stocked.fails("group", file) == (
        "ASSET_REQUIRED: movements[0].asset: say which with --asset: 'SCI', 'GOLD'"
    )
    assert stocked.fails("group", file, "--asset", "GOLD").startswith(
        "INVALID_FIELD: movements[0].amount: '1.5' has more than 0 decimals"
    )
    assert stocked.json("group", file, "--asset", "SCI")["entries"][0]["asset"] == "SCI"


def test_a_group_is_refused_whole(any_stocked: Shell) -> None:
    before = dump(any_stocked.database)
    back = {"from_account": "bob", "to_account": "alice", "amount": "6.51"}
    assert any_stocked.fails("group", group(PAY, back)) == (
        "INSUFFICIENT_AVAILABLE: 'bob' has 6.5 SCI available, 6.51 are asked"
    )
    assert dump(any_stocked.database) == before


@pytest.mark.parametrize("amount", ["0", "-1", "1e3", "1,5", "", " 1", "0x1", "NaN"])
def test_an_amount_that_a_group_cannot_have(stocked: Shell, amount: str) -> None:
    before = dump(stocked.database)
    said = stocked.fails("group", group(PAY, {**PAY, "amount": amount}))
    assert said.startswith(
        "AMOUNT_ZERO" if amount == "0" else "INVALID_FIELD: movements[1].amount: must be a plain"
    )
    assert dump(stocked.database) == before


FIELDS = "INVALID_FIELD: "
WRONG: list[tuple[object, str]] = [
    ("", "file: is not JSON, at line 1, column 1"),
    ("{", "file: is not JSON, at line 1, column 2"),
    ('{"movements": [],}', "file: is not JSON, at line 1, column"),
    ("\ufeff{}", "file: is not JSON, at line 1, column 1"),
    ("[]", "file: must be an object, not a list"),
    ("null", "file: must be an object, not null"),
    ("1" * 5_000, "file: has a number that is none of a group's"),
    ("[" * 100_000, "file: nests deeper than 8 levels: it is no group"),
    ('{"a":' * 9 + "1" + "}" * 9, "file: nests deeper than 8 levels"),
    ("{}", "movements: is missing"),
    ({"movements": {}}, "movements: must be a list, not an object"),
    ({"movements": [], "name": 1}, "name: is unknown; known are key, movements"),
    ({"movements": [], "a b": 1}, '"a b": is unknown'),
    ({"movements": [], "key": 7}, "key: must be a string, not a number"),
    ({"movements": [], "key": "k" * 256}, "idempotency_key: must be at most 255"),
    ('{"movements": [], "movements": []}', "movements: is there twice"),
    ({"movements": [7]}, "movements[0]: must be an object, not a number"),
    ({"movements": [PAY, []]}, "movements[1]: must be an object, not a list"),
    ({"movements": [{}]}, "movements[0].from_account: is missing from a transfer"),
    ({"movements": [{"from_account": "a"}]}, "movements[0].to_account: is missing"),
    ({"movements": [{**PAY, "amount": 1.5}]}, 'amount: must be a string like "12.5", not a num'),
    ({"movements": [{**PAY, "amount": 1}]}, 'amount: must be a string like "12.5", not a number'),
    ({"movements": [{**PAY, "amount": None}]}, 'must be a string like "12.5", not null'),
    ({"movements": [{**PAY, "amount": float("nan")}]}, "movements[0].amount: must be a string"),
    ({"movements": [{**PAY, "amount": float("inf")}]}, "movements[0].amount: must be a string"),
    ({"movements": [{**PAY, "reason": True}]}, "movements[0].reason: must be a string, not true"),
    ({"movements": [{**PAY, "reason": "\x00"}]}, "movements[0].reason: must not contain NUL"),
    ({"movements": [{**PAY, "reason": "\ud800"}]}, "movements[0].reason: holds a lone surrogate"),
    ({"movements": [{**PAY, "memo": "m" * 4_097}]}, "movements[0].memo: must be at most 4096"),
    ({"movements": [{**PAY, "idempotency_key": "k"}]}, "movements[0].idempotency_key: is unknown"),
    ({"movements": [{**PAY, "type": "gift"}]}, "movements[0].type: must be one of transfer, mint,"),
    ({"movements": [{**PAY, "type": 1}]}, "movements[0].type: must be a string, not a number"),
    ({"movements": [{**PAY, "type": "mint"}]}, "movements[0].from_account: is unknown"),
    ({"movements": [{**PAY, "from_account": "system"}]}, "use type mint or burn instead"),
    ({"movements": [{**PAY, "to_account": "system"}]}, "use type mint or burn instead"),
    ({"movements": [{**PAY, "to_account": ""}]}, "movements[0].to_account: must be 1..255"),
    ('{"movements": [{"from_account": "a", "amount": "1", "amount": "2"}]}', ".amount: is there t"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "says"), WRONG, ids=lambda it: str(it)[:60])
def test_a_file_that_is_no_group_names_the_place(
    stocked: Shell, document: object, says: str
) -> None:
    before = dump(stocked.database)
    said = stocked.fails("group", write(document))
    assert said.startswith(FIELDS)
    assert says in said
    assert dump(stocked.database) == before


def test_refusals_of_a_group_by_name(any_stocked: Shell) -> None:
    before = dump(any_stocked.database)
    for movements, says in (
        ([], "GROUP_EMPTY"),
        ([PAY] * 1_001, "GROUP_TOO_LARGE"),
        ([{**PAY, "from_account": "nobody"}], "UNKNOWN_ACCOUNT: no account 'nobody'"),
        ([{**PAY, "to_account": "alice"}], "SAME_ACCOUNT"),
        ([{**PAY, "asset": "TIN"}], "UNKNOWN_ASSET: movements[0].asset: no asset 'TIN'"),
        ([{**PAY, "asset": ""}], "UNKNOWN_ASSET: movements[0].asset: no asset ''"),
    ):
        assert any_stocked.fails("group", group(*movements)).startswith(says)
        assert dump(any_stocked.database) == before


def test_the_largest_group_is_posted(any_stocked: Shell) -> None:
    tiny = {**PAY, "amount": "0.001"}
    assert any_stocked.run("group", group(*[tiny] * 1_000)).endswith(" of 1000 entries\n")
    assert any_stocked.run("balance", "bob") == "6 SCI\n"


def test_a_key_is_named_once(stocked: Shell) -> None:
    file = group(PAY, key="k")
    assert stocked.fails("group", file, "--key", "other").startswith(
        "INVALID_FIELD: key: the file has another key"
    )
    stocked.run("group", file, "--key", "k")
    assert stocked.fails("group", group(PAY, PAY, key="k")).startswith("KEY_REUSED: ")


def test_a_file_that_cannot_be_read(stocked: Shell, folder: Path) -> None:
    assert stocked.fails("group", "none.json") == "none.json: No such file or directory"
    assert stocked.fails("group", str(folder)).endswith("Is a directory")
    Path("latin").write_bytes(b'{"key": "\xe9"}')
    assert stocked.fails("group", "latin") == "INVALID_FIELD: file: is not UTF-8, at byte 9"
    with Path("large").open("wb") as large:
        large.truncate(MAX_BYTES + 1)
    assert stocked.fails("group", "large").startswith("INVALID_FIELD: file: is over 16,777,216")
    assert stocked.fails("group", "/dev/zero").startswith("INVALID_FIELD: file: is over")


def test_a_file_without_end_is_refused_at_once(stocked: Shell) -> None:
    for text in ('"' + '\\"' * 1_000_000, '"' * 999_999, '{"' * 7, "[1," * 7):
        assert stocked.fails("group", write(text)).startswith("INVALID_FIELD: file: is not JSON")


# --- reverse ---------------------------------------------------------------------------------


def test_an_entry_is_reversed(any_stocked: Shell) -> None:
    old = any_stocked.json("transfer", "alice", "bob", "2.5")
    made = any_stocked.json("reverse", old["id"], "--reason", "refund", "--memo", "m")
    [entry] = made["entries"]
    assert (made["group"], made["repeated"]) == (None, False)
    assert (entry["kind"], entry["cause"], entry["reason"]) == ("reversal", old["id"], "refund")
    assert (entry["from_account"], entry["to_account"]) == ("bob", "alice")
    assert (entry["amount"], entry["memo"]) == (old["amount"], "m")
    assert any_stocked.fails("reverse", old["id"]).startswith("ENTRY_REVERSED: ")
    assert any_stocked.run("balance", "alice") == "1000 SCI\n"
    assert any_stocked.json("audit")["ok"]


def test_a_part_is_reversed_in_the_tokens_of_its_asset(any_stocked: Shell) -> None:
    any_stocked.run("asset", "create", "GOLD", "--decimals", "2")
    old = any_stocked.json("mint", "bob", "3", "--asset", "GOLD")
    assert any_stocked.fails("reverse", old["id"], "--amount", "3.01") == (
        "ABOVE_ENTRY: the entry is of 3 GOLD, not 3.01"
    )
    assert any_stocked.run("reverse", old["id"], "--amount", "1.25").startswith(
        "1.25 GOLD  bob -> system  seq 2  id 0x"
    )
    assert any_stocked.json("statement", "bob", "--asset", "GOLD")[-1]["reason"] == "reversal"


def test_a_group_is_reversed_whole(any_stocked: Shell) -> None:
    burn = {"type": "burn", "from_account": "bob", "amount": "1"}
    entries = any_stocked.json("group", group(PAY, burn))["entries"]
    before = dump(any_stocked.database)
    assert any_stocked.fails("reverse", entries[0]["id"]) == (
        "GROUP_WHOLE: the entry belongs to a group; reverse all of it with --group, or nothing"
    )
    said = any_stocked.run("reverse", entries[1]["id"], "--group", "--dry-run")
    assert said == (
        "dry run:\n1 SCI  system -> bob  seq 5\n1.5 SCI  bob -> alice  seq 6\ngroup of 2 entries\n"
    )
    assert any_stocked.json("reverse", entries[1]["id"], "--group", "--dry-run")["dry_run"] is True
    assert dump(any_stocked.database) == before
    made = any_stocked.json("reverse", entries[0]["id"], "--group", "--key", "k")
    assert [entry["cause"] for entry in made["entries"]] == [it["id"] for it in entries[::-1]]
    assert any_stocked.json("reverse", entries[0]["id"], "--group", "--key", "k")["repeated"]
    assert any_stocked.run("balance", "bob") == "5 SCI\n"


def test_a_reversal_that_is_refused_changes_nothing(any_stocked: Shell) -> None:
    paid = any_stocked.json("transfer", "alice", "bob", "2")["id"]
    any_stocked.run("transfer", "bob", "alice", "6")
    before = dump(any_stocked.database)
    for words, says in (
        ([NOBODY], f"UNKNOWN_ENTRY: no entry {NOBODY}"),
        (["17"], "INVALID_FIELD: entry: must be 0x and 64 hex digits"),
        ([paid], "INSUFFICIENT_AVAILABLE: 'bob' has 1 SCI available, 2 are asked"),
        ([paid, "--amount", "0"], "AMOUNT_ZERO"),
        ([paid, "--amount", "-1"], "INVALID_FIELD: amount: must be a plain decimal"),
        ([paid, "--amount", "1", "--group"], "INVALID_FIELD: amount: a group is reversed whole"),
        ([paid, "--reason", "r" * 256], "INVALID_FIELD: reason: must be at most 255"),
    ):
        assert any_stocked.fails("reverse", *words).startswith(says), words
        assert dump(any_stocked.database) == before, words
