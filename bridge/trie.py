"""What a Merkle-Patricia proof shows of one key of a secure trie (Yellow Paper, appendix D).

In a secure trie keys are keccak-256 of what people call the key: all of 64 nibbles, so a branch
has no value and a path ends in a leaf or nowhere. Paths are hex text here, a digit a nibble.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.rlp import decode_list, encode_bytes
from ledger.hashing import keccak
from ledger.model import Hash32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.rlp import Item

EMPTY_ROOT: Final = Hash32(keccak(encode_bytes(b"")))
"""The root of a trie without keys."""

_EMPTY_NODE: Final = encode_bytes(b"")
_WIDTH: Final = 16
_NIBBLES: Final = 64


@dataclass(frozen=True, slots=True)
class Leaf:
    """The rest of one key, and its value."""

    path: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Extension:
    """What the keys below have in common."""

    path: str
    child: Child


@dataclass(frozen=True, slots=True)
class Branch:
    """Sixteen ways to go on, by the next nibble; None where there is no key."""

    children: tuple[Child | None, ...]


Node: TypeAlias = Leaf | Extension | Branch
Child: TypeAlias = bytes | Node
"""The hash of a node, or the node itself where it is shorter than a hash."""

Known: TypeAlias = dict[bytes, tuple[bytes, Node]]
"""Nodes that were hashed and parsed already: proofs from one root have most of theirs in common."""


def lookup(root: bytes, key: bytes, proof: Sequence[bytes], known: Known) -> bytes | None:
    """Return the value of `key` (32 bytes) under `root`, or None if the trie has no such key.

    `proof` is the nodes from the root on, as EIP-1186 has them: each must hash to what the node
    before it names, and there must be none too few and none too many.

    Raises:
        ValueError: the proof shows nothing of this key under this root; says at which node.
    """
    if root == EMPTY_ROOT:
        if list(proof) not in ([], [_EMPTY_NODE]):
            raise ValueError("there are nodes below the root of an empty trie")
        return None
    path = key.hex()
    if len(path) != _NIBBLES:
        raise ValueError(f"a key has {_NIBBLES} nibbles, not {len(path)}")
    value, used = _walk(root, path, proof, known)
    if used != len(proof):
        raise ValueError(f"{len(proof) - used} nodes too many")
    return value


def _walk(root: bytes, path: str, proof: Sequence[bytes], known: Known) -> tuple[bytes | None, int]:
    """Return the value at `path`, and how many nodes of `proof` it took to get there."""
    child: Child | None = root
    used = 0
    while child is not None:
        if isinstance(child, bytes):
            node = _node(child, proof, used, known)
            used += 1
        else:
            node = child
        if isinstance(node, Leaf):
            if len(node.path) != len(path):
                raise ValueError(f"node {used} is a leaf of a key of another length")
            return (node.value if node.path == path else None), used
        needed = 1 if isinstance(node, Branch) else len(node.path) + 1
        if needed > len(path):
            raise ValueError(f"node {used} goes on after the end of the key")
        if isinstance(node, Branch):
            child, path = node.children[int(path[0], 16)], path[1:]
        elif path.startswith(node.path):
            child, path = node.child, path[len(node.path) :]
        else:
            return None, used
    return None, used


def _node(hash_: bytes, proof: Sequence[bytes], position: int, known: Known) -> Node:
    """Return the node at `position` of `proof`, if it is the one with that hash."""
    if position >= len(proof):
        raise ValueError(f"there are {len(proof)} nodes, and the last one names another")
    raw = proof[position]
    if (found := known.get(raw)) is None:
        found = known[raw] = keccak(raw), parse_node(raw)
    if found[0] != hash_:
        raise ValueError(
            f"node {position + 1} hashes to 0x{found[0].hex()}, must be 0x{hash_.hex()}"
        )
    if position and len(raw) < Hash32.size:
        raise ValueError(f"node {position + 1} is so short that it must be in the one before it")
    return found[1]


def parse_node(raw: bytes) -> Node:
    """Return the node that is encoded in `raw`; ValueError if there is none in its one form."""
    items = decode_list(raw)
    if len(items) == _WIDTH + 1:
        return _branch(items)
    if len(items) != 2 or items[0].is_list or not items[0].payload:  # noqa: PLR2004 (path, and value or child)
        raise ValueError("a node has 2 or 17 items")
    nibbles = items[0].payload.hex()
    flag = int(nibbles[0], 16)  # 2: it is a leaf; 1: the number of nibbles is odd
    if flag > 3 or (not flag & 1 and nibbles[1] != "0"):  # noqa: PLR2004 (both bits of the flag)
        raise ValueError("the path of a node has a prefix that there is not")
    path = nibbles[1:] if flag & 1 else nibbles[2:]
    if flag & 2:
        if items[1].is_list or not items[1].payload:
            raise ValueError("a leaf has no value")
        return Leaf(path, items[1].payload)
    child = _child(items[1])
    if child is None or not path or isinstance(child, Leaf | Extension):
        raise ValueError("an extension leads from a path to a branch")
    return Extension(path, child)


def _branch(items: Sequence[Item]) -> Branch:
    """Return the branch that has `items`."""
    children = tuple(map(_child, items[:_WIDTH]))
    if items[_WIDTH].raw != _EMPTY_NODE:
        raise ValueError("a branch has a value, but all keys are of one length")
    if _WIDTH - children.count(None) < 2:  # noqa: PLR2004 (else there is nothing to branch)
        raise ValueError("a branch has fewer than two children")
    return Branch(children)


def _child(item: Item) -> Child | None:
    """Return what a node names: nothing, a hash, or a node that is shorter than one."""
    if item.is_list:
        if len(item.raw) >= Hash32.size:
            raise ValueError("a node of 32 bytes or more is in another one")
        return parse_node(item.raw)
    if item.payload and len(item.payload) != Hash32.size:
        raise ValueError("a node names another by something that is no hash")
    return item.payload or None
