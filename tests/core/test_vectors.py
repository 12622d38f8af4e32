"""The golden vectors: all agree, every changed value is noticed, a malformed file is refused."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from ledger.errors import FieldError
from ledger.vectors import Check, checks, first_difference
from tests.core.golden import vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

Path: TypeAlias = tuple[str | int, ...]

GOLDEN = vectors()


@pytest.mark.parametrize("check", [*checks(GOLDEN)], ids=lambda check: check.name)
def test_golden_value_agrees(check: Check) -> None:
    assert check.computed == check.stated


def test_a_file_that_agrees_has_no_difference() -> None:
    assert first_difference(GOLDEN) is None


# --- every value is checked ---------------------------------------------------------------------


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from leaves(inner, (*path, at))
    else:
        yield path, value


def name_of(path: Path) -> str:
    return "".join(f"[{it}]" if isinstance(it, int) else f".{it}" for it in path).removeprefix(".")


def with_value(path: Path, value: object) -> dict[str, Any]:
    """Return the golden document with another value at `path`."""
    changed: Any = copy.deepcopy(GOLDEN)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return dict(changed)


def changed(value: object) -> object:
    """Return a value of the same form that is not `value`."""
    if isinstance(value, int):
        return value + 1
    assert isinstance(value, str)
    if value.isdecimal():
        return str(int(value) ^ 1)
    if value.startswith("0x"):
        return (value[:-1] + ("1" if value[-1] == "0" else "0")).lower()
    return value + "x"


def is_free(path: Path) -> bool:
    """Tell whether other values are right, too: prose, and what is refused in other ways."""
    return path[-1] == "about" or path[0] == "refusedPayloads"


LEAVES = [(path, value) for path, value in leaves(GOLDEN) if not is_free(path)]


@pytest.mark.parametrize(("path", "value"), LEAVES, ids=[name_of(path) for path, _ in LEAVES])
def test_a_changed_value_is_noticed(path: Path, value: object) -> None:
    try:
        difference = first_difference(with_value(path, changed(value)))
    except FieldError:
        return
    assert difference is not None
    assert difference.stated != difference.computed


COMPUTED = [
    "ledgerChainId",
    "asset.id",
    "domainSeparator",
    "accounts[3].blind",
    "accounts[3].key",
    "accounts[3].salt",
    "accounts[3].address",
    "head0",
    "group.id",
    "entries[2].metadata.blind",
    "entries[2].entry.seq",
    "entries[2].entry.ref",
    "entries[2].id",
    "entries[2].head",
    "treeRoots[5]",
    "batch.treeRoot",
    "batch.payloadHash",
    "batch.id",
    "history[1]",
    "seals[1].id",
    "link.digest",
    "claim.digest",
    "logs[4].topics[2]",
    "logs[4].data",
    "payloads[1].payloadHash",
    "types.Entry",
]


@pytest.mark.parametrize("name", COMPUTED)
def test_a_wrong_value_is_the_first_difference_named(name: str) -> None:
    path, value = next((path, value) for path, value in LEAVES if name_of(path) == name)
    difference = first_difference(with_value(path, changed(value)))
    assert difference is not None
    assert difference.name == name


def test_one_wrong_value_is_not_many() -> None:
    document = with_value(("entries", 7, "head"), "0x" + "ab" * 32)
    wrong = [check.name for check in checks(document) if not check.agrees]
    assert wrong == ["entries[7].head", "batch.newHead"]


def test_a_payload_that_should_be_refused_but_is_not() -> None:
    accepted = with_value(("refusedPayloads", 0, "payload"), GOLDEN["payloads"][0]["payload"])
    difference = first_difference(accepted)
    assert difference is not None
    assert (difference.name, difference.stated) == ("refusedPayloads[0].payload", "refused")


def test_a_payload_that_should_be_accepted_but_is_not() -> None:
    difference = first_difference(with_value(("payloads", 0, "payload"), "0x02"))
    assert difference is not None
    assert difference.name == "payloads[0].payload"


def test_records_that_have_no_payload_are_a_difference() -> None:
    record = {"from": "0x" + "0" * 40, "to": "0x" + "0" * 40, "amount": "1"}
    difference = first_difference(with_value(("payloads", 0, "records"), [record]))
    assert difference is not None
    assert difference.computed.startswith("refused: payload.records[0]")


@pytest.mark.parametrize("key", ["accounts", "payloads", "refusedPayloads", "seals"])
def test_a_file_may_hold_one_of_each(key: str) -> None:
    assert first_difference(with_value((key,), GOLDEN[key][:1])) is None


def test_a_seal_without_batches_has_an_id() -> None:
    difference = first_difference(with_value(("seals", 0, "batches"), []))
    assert difference is not None
    assert difference.name == "seals[0].id"


# --- malformed files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("ledgerId",), None, "ledgerId"),
        (("ledgerId",), "0x12", "ledgerId"),
        (("ledgerId",), GOLDEN["ledgerId"][2:], "ledgerId"),
        (("ledgerId",), GOLDEN["ledgerId"][:-1] + "g", "ledgerId"),
        (("asset",), [], "asset"),
        (("asset",), {"symbol": "SCI"}, "asset.name"),
        (("asset", "decimals"), 256, "asset.decimals"),
        (("asset", "decimals"), -1, "asset.decimals"),
        (("asset", "decimals"), True, "asset.decimals"),
        (("asset", "decimals"), 18.0, "asset.decimals"),
        (("asset", "decimals"), "018", "asset.decimals"),
        (("asset", "symbol"), "\ud800", "asset.symbol"),
        (("asset", "name"), "\udfff", "asset.name"),
        (("asset", "symbol"), 7, "asset.symbol"),
        (("accounts",), {}, "accounts"),
        (("accounts",), {"alice": {}}, "accounts"),
        (("accounts",), [], "accounts"),
        (("payloads",), [], "payloads"),
        (("refusedPayloads",), [], "refusedPayloads"),
        (("seals",), [], "seals"),
        (("accounts", 0), "alice", "accounts[0]"),
        (("accounts", 0), {}, "accounts[0].account_id"),
        (("accounts", 0, "account_id"), "", "accounts[0].account_id"),
        (("accounts", 0, "address"), "0xD9f488e7987A4C1eb55DfDB8567C8507A0e52DDF", None),
        (("entries", 4, "entry", "amount"), str(2**256), "entries[4].entry.amount"),
        (("entries", 4, "entry", "seq"), 2**64, "entries[4].entry.seq"),
        (("treeRoots",), GOLDEN["treeRoots"][:-1], "treeRoots"),
        (("logs",), GOLDEN["logs"][1:], "logs"),
        (("logs", 0, "topics"), [], "logs[0].topics"),
        (("history",), GOLDEN["history"][:1], "history"),
        (("batch", "lastSeq"), 9, "batch.lastSeq"),
        (("batch", "firstSeq"), 0, "batch.lastSeq"),
        (("batch", "payload"), "0x123", "batch.payload"),
        (("types",), {}, "types.Asset"),
        (("note",), "unchecked", "note"),
        (("seals", 0, "signature"), "0x", "seals[0].signature"),
    ],
)
def test_a_malformed_file_is_refused_by_key(path: Path, value: object, field: str | None) -> None:
    with pytest.raises(FieldError) as refusal:
        first_difference(with_value(path, value))
    assert refusal.value.field == (field or name_of(path))


@pytest.mark.parametrize("key", sorted(GOLDEN.keys() - {"about"}))
def test_a_missing_key_is_named(key: str) -> None:
    document = {name: value for name, value in GOLDEN.items() if name != key}
    with pytest.raises(FieldError, match="is missing") as refusal:
        first_difference(document)
    assert refusal.value.field == key


@pytest.mark.parametrize("document", [None, [], "{}", 1, {}])
def test_a_document_that_is_no_vectors_file_is_refused(document: object) -> None:
    with pytest.raises(FieldError) as refusal:
        first_difference(document)
    assert refusal.value.field in {"document", "ledgerId"}
