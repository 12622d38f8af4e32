"""A whole tree of balances as a file, which OpenZeppelin's JavaScript opens; read back strictly.

One line of JSON in one canonical form. Whoever has it sees what no single proof shows: that each
account has one leaf, and what all of them have together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.errors import ProofError
from bridge.oz_tree import FORMAT, StandardTree
from bridge.proofs import BALANCE_TYPES, BalanceLeaf
from bridge.strict import (
    Place,
    dump_line,
    load_line,
    read_fields,
    read_int,
    read_list,
    read_text,
)
from bridge.words import LEAF
from ledger.amounts import MAX_AMOUNT
from ledger.model import Hash32

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.strict import Reader

_TREE: Final[Mapping[str, Reader]] = {
    "format": read_text,
    "leafEncoding": read_list,
    "tree": read_list,
    "values": read_list,
}
_VALUE: Final[Mapping[str, Reader]] = {"value": read_list, "treeIndex": read_int}
_BEGIN: Final = b'{"format":"' + FORMAT.encode() + b'"'


@dataclass(frozen=True, slots=True)
class BalanceTable:
    """The leaves of a tree that recomputes: one each of accounts, by address."""

    leaves: Sequence[BalanceLeaf]
    root: Hash32

    @property
    def total(self) -> int:
        """What all of them have together, in base units: the supply, if none is left out."""
        return sum(leaf.balance for leaf in self.leaves)


def is_balances(text: bytes) -> bool:
    """Tell whether `text` begins as a tree of balances does."""
    return text.startswith(_BEGIN)


def dump_balances(tree: StandardTree, leaves: Sequence[BalanceLeaf]) -> bytes:
    """Return the file of the tree over `leaves`."""
    return dump_line(tree.dump(BALANCE_TYPES, [leaf.texts() for leaf in leaves]))


def parse_balances(text: bytes, place: Place | None = None) -> BalanceTable:
    """Return the tree that `text` is, every node recomputed. `place` names it in errors.

    Raises:
        ExportFileError: it is no tree of balances as this program writes it.
        ProofError: a node does not follow from the values, or the values cannot be together.
    """
    place = place or Place("balances")
    found = read_fields(place, load_line(place, text), _TREE)
    if found["format"] != FORMAT or found["leafEncoding"] != list(BALANCE_TYPES):
        raise place.error("is no tree of balances as this program writes it")
    leaves, places = [], []
    for position, row in enumerate(found["values"]):
        inside = place.inside(f"values[{position}]")
        value = read_fields(inside, row, _VALUE)
        if len(value["value"]) != len(LEAF):
            raise inside.error(f"must have {len(LEAF)} words", "value")
        words = dict(zip(LEAF, value["value"], strict=True))
        leaves.append(BalanceLeaf(**read_fields(inside, words, LEAF)))
        places.append(value["treeIndex"])
    if not leaves:
        raise place.error("must have one value or more", "values")
    _check_leaves(leaves)
    tree = StandardTree.of(leaf.encoded() for leaf in leaves)
    if [f"0x{node.hex()}" for node in tree.nodes] != found["tree"] or tree.places != places:
        raise ProofError("the tree", f"the one over its values, 0x{tree.root.hex()}", "another")
    return BalanceTable(leaves, Hash32(tree.root))


def _check_leaves(leaves: Sequence[BalanceLeaf]) -> None:
    """Refuse leaves that cannot be of one token after one batch."""
    first, before = leaves[0], None
    for leaf in leaves:
        if before is not None and leaf.account <= before.account:
            raise ProofError(f"the place of {leaf.account}", "ascending, and one", "another")
        if leaf != replace(first, account=leaf.account, balance=leaf.balance):
            raise ProofError(f"what {leaf.account} has", "of one token and batch", "of another")
        if leaf.balance == 0:
            raise ProofError(f"what {leaf.account} has", "more than nothing", "0")
        before = leaf
    total = sum(leaf.balance for leaf in leaves)
    if total > MAX_AMOUNT:
        raise ProofError("the total", "at most 2**256 - 1, as any supply", str(total))
