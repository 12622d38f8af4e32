"""OpenZeppelin's standard Merkle tree (`standard-v1`), as its JavaScript makes and Solidity checks.

A leaf is keccak(keccak(abi.encode(value))), so that no inner node, a hash of 64 bytes, passes for
one. A node is keccak of its two children, the smaller first. The nodes lie in one list: the root
first, the children of i at 2i + 1 and 2i + 2, the leaves at the end, the smallest hash last.
(https://github.com/OpenZeppelin/merkle-tree)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ledger.errors import FieldError
from ledger.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORMAT: Final = "standard-v1"
_NODE_SIZE: Final = 32


def leaf_hash(encoded: bytes) -> bytes:
    """Return the leaf of a value, given as abi.encode has it."""
    return keccak(keccak(encoded))


def node_hash(one: bytes, other: bytes) -> bytes:
    """Return the node over two, in whichever order they are given."""
    return keccak(one + other if one < other else other + one)


def root_of(leaf: bytes, proof: Iterable[bytes]) -> bytes:
    """Return the root to which `proof` leads from `leaf`.

    Raises:
        FieldError: something is not 32 bytes: joined nodes carry no lengths.
    """
    reached = leaf
    for node in (leaf, *(proof := tuple(proof))):
        if len(node) != _NODE_SIZE:
            raise FieldError("proof", f"a node has {len(node)} bytes, not {_NODE_SIZE}")
    for node in proof:
        reached = node_hash(reached, node)
    return reached


@dataclass(frozen=True, slots=True)
class StandardTree:
    """A tree over values, which keep the order in which they were given."""

    nodes: Sequence[bytes]
    places: Sequence[int]
    """Where in `nodes` the leaf of each value is."""

    @classmethod
    def of(cls, encoded: Iterable[bytes]) -> StandardTree:
        """Return the tree over values, each as abi.encode has it.

        Raises:
            FieldError: there is none; OpenZeppelin's tree has at least one leaf.
        """
        leaves = [leaf_hash(value) for value in encoded]
        if not leaves:
            raise FieldError("values", "a tree has at least one leaf")
        last = 2 * len(leaves) - 2
        places = [0] * len(leaves)
        nodes = [b""] * (last + 1)
        for rank, position in enumerate(sorted(range(len(leaves)), key=leaves.__getitem__)):
            places[position] = last - rank
            nodes[last - rank] = leaves[position]
        for index in reversed(range(len(leaves) - 1)):
            nodes[index] = node_hash(nodes[2 * index + 1], nodes[2 * index + 2])
        return cls(nodes, places)

    @property
    def root(self) -> bytes:
        """The 32 bytes that commit to every value."""
        return self.nodes[0]

    def proof(self, position: int) -> tuple[bytes, ...]:
        """Return the siblings from the leaf of the value at `position` (from 0) to the root.

        Raises:
            FieldError: there is no such value.
        """
        if not 0 <= position < len(self.places):
            raise FieldError("position", f"{position} is outside 0 .. {len(self.places) - 1}")
        index, siblings = self.places[position], []
        while index > 0:
            siblings.append(self.nodes[index + 1 if index % 2 else index - 1])
            index = (index - 1) // 2
        return tuple(siblings)

    def dump(self, types: Sequence[str], values: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Return what `StandardMerkleTree.load` reads; `values` in the order they were given."""
        pairs = zip(values, self.places, strict=True)
        return {
            "format": FORMAT,
            "leafEncoding": list(types),
            "tree": ["0x" + node.hex() for node in self.nodes],
            "values": [{"value": list(value), "treeIndex": place} for value, place in pairs],
        }
