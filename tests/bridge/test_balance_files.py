"""A whole tree of balances as a file: what it shows, and that nothing in it can be altered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bridge.balance_files import dump_balances, is_balances, parse_balances
from bridge.errors import BridgeError, ExportFileError, ProofError
from bridge.oz_tree import StandardTree
from bridge.proofs import BalanceLeaf
from bridge.proving import BalanceTree
from ledger.amounts import MAX_AMOUNT
from ledger.model import Address, Hash32
from tests.bridge.histories import small_ledger
from tests.bridge.proofs import places, replaced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger import Ledger

TOKEN, BATCH = Address(b"\x70" * 20), Hash32(b"\xba" * 32)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the tree of a small ledger."""
    folder = tmp_path_factory.mktemp("balances")
    with small_ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        return BalanceTree(ledger, "SCI").dump()


def leaf(number: int, balance: int, **more: Any) -> BalanceLeaf:  # noqa: ANN401 (of any field)
    values: dict[str, Any] = {"token": TOKEN, "chain_id": 1, "batch_id": BATCH, **more}
    return BalanceLeaf(Address(number.to_bytes(20, "big")), balance, **values)


def file_of(leaves: Sequence[BalanceLeaf]) -> bytes:
    return dump_balances(StandardTree.of(it.encoded() for it in leaves), leaves)


def is_refused(text: bytes) -> bool:
    try:
        parse_balances(text)
    except BridgeError:
        return True
    return False


def test_it_shows_what_all_have_together(book: Ledger) -> None:
    for symbol in ("SCI", "GOLD"):
        for seal in (1, 2):
            tree = BalanceTree(book, symbol, seal=seal)
            found = parse_balances(tree.dump())
            assert is_balances(tree.dump())
            assert tuple(found.leaves) == tree.leaves
            assert found.root == tree.root
            assert found.total == book.balance_at("system", tree.batch.batch.last_seq, symbol)


def test_each_byte_and_each_length_count(text: bytes) -> None:
    altered = bytearray(text)
    for place in range(len(text)):
        for bits in (0x01, 0x20, 0x80):
            altered[place] ^= bits
            assert is_refused(bytes(altered)), (place, bits)
            altered[place] ^= bits
        assert is_refused(text[:place])
        assert is_refused(text[:place] + text[place + 1 :])
        assert is_refused(text[:place] + b" " + text[place:])
    assert not is_refused(text)
    for more in (b"\n", b"{}", text):
        assert is_refused(text + more)


def test_each_value_counts(text: bytes) -> None:
    document = json.loads(text)
    for path in places(document):
        found = document
        for key in path:
            found = found[key]
        values: tuple[object, ...] = (None, True, 0, 1, -1, "", "0", "0x", [], {}, 10**80)
        for value in (*values, "0x" + "00" * 32):
            if value != found or type(value) is not type(found):
                changed = json.dumps(replaced(document, path, value), separators=(",", ":"))
                assert is_refused(changed.encode() + b"\n"), (path, value)


@pytest.mark.parametrize(
    ("leaves", "says"),
    [
        ([leaf(2, 5), leaf(1, 5)], "the place of"),
        ([leaf(1, 5), leaf(1, 6)], "the place of"),
        ([leaf(1, 5), leaf(1, 5)], "the place of"),
        ([leaf(1, 5), leaf(2, 5, token=Address(b"\x71" * 20))], "of one token and batch"),
        ([leaf(1, 5), leaf(2, 5, chain_id=2)], "of one token and batch"),
        ([leaf(1, 5), leaf(2, 5, batch_id=Hash32(bytes(32)))], "of one token and batch"),
        ([leaf(1, 0)], "more than nothing"),
        ([leaf(1, MAX_AMOUNT), leaf(2, 1)], "as any supply"),
    ],
)
def test_leaves_that_cannot_be_together(leaves: list[BalanceLeaf], says: str) -> None:
    with pytest.raises(ProofError, match=says):
        parse_balances(file_of(leaves))


def test_leaves_that_can(text: bytes) -> None:
    found = parse_balances(file_of([leaf(1, 1), leaf(2, MAX_AMOUNT - 1)]))
    assert found.total == MAX_AMOUNT
    assert parse_balances(file_of([leaf(0, 1)])).total == 1
    assert parse_balances(text).total > 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is not JSON"),
        (b"{}\n", "format: is missing"),
        (b'{"format":"standard-v1","leafEncoding":[],"tree":[],"values":[]}\n', "is no tree"),
    ],
)
def test_what_is_no_tree_of_balances(text: bytes, says: str) -> None:
    with pytest.raises(ExportFileError, match=says):
        parse_balances(text)


def test_a_tree_without_leaves_is_none(text: bytes) -> None:
    document = json.loads(text)
    empty = {**document, "tree": [], "values": []}
    with pytest.raises(ExportFileError, match="one value or more"):
        parse_balances(json.dumps(empty, separators=(",", ":")).encode() + b"\n")
