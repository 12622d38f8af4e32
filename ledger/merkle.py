"""The Merkle tree over a journal (RFC 9162, section 2.1): roots, proofs, and how to verify them.

A leaf is any bytes (here: an entry id), a node is 32 bytes. Leaf and node hashes carry different
prefixes, so a node never passes for a leaf. Nothing is read or stored here: the leaves are an
argument, and so is the hash function, keccak-256 by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ledger.errors import FieldError
from ledger.hashing import keccak

HashFunction: TypeAlias = Callable[[bytes], bytes]
"""Bytes to the 32 bytes of their hash."""

LeafRange: TypeAlias = tuple[int, int]
"""Leaves `start` (counted from 0) up to, not including, `end`: one subtree of the tree."""

NODE_SIZE: Final = 32
"""Bytes in a node, a root and each step of a proof."""

_SIZE_BYTES: Final = 8
_MAX_SIZE: Final = 2**64 - 1


def leaf_hash(leaf: bytes, hash_function: HashFunction = keccak) -> bytes:
    """Return HASH(0x00 || leaf)."""
    return hash_function(b"\x00" + leaf)


def node_hash(left: bytes, right: bytes, hash_function: HashFunction = keccak) -> bytes:
    """Return HASH(0x01 || left || right)."""
    return hash_function(b"\x01" + left + right)


def empty_root(hash_function: HashFunction = keccak) -> bytes:
    """Return the root of the tree without leaves: the hash of the empty string."""
    return hash_function(b"")


def root(leaves: Iterable[bytes], *, hash_function: HashFunction = keccak) -> bytes:
    """Return the root of the tree over `leaves`, in one pass and O(log n) memory."""
    return Frontier(hash_function=hash_function).extend(leaves).root()


@dataclass(frozen=True, slots=True)
class Frontier:
    """All of a tree that is needed to append to it: the roots of its largest full subtrees.

    Immutable; `append` and `extend` return the next one. A frontier of n leaves holds one peak for
    each bit set in n.
    """

    size: int = 0
    """Leaves in the tree, 0 .. 2**64-1."""
    peaks: tuple[bytes, ...] = ()
    """Roots of the full subtrees, largest (leftmost) first, 32 bytes each."""
    hash_function: HashFunction = keccak

    def __post_init__(self) -> None:
        """Refuse peaks that do not fit the size, with `FieldError`."""
        if not 0 <= self.size <= _MAX_SIZE:
            raise FieldError("frontier.size", f"{self.size} is outside 0 .. 2**64-1")
        if len(self.peaks) != self.size.bit_count():
            expected = self.size.bit_count()
            raise FieldError(
                "frontier.peaks",
                f"{self.size} leaves have {expected} peaks, not {len(self.peaks)}",
            )
        if not _are_nodes(self.peaks):
            raise FieldError("frontier.peaks", f"each peak has {NODE_SIZE} bytes")

    def append(self, leaf: bytes) -> Frontier:
        """Return the frontier with one leaf more."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """Return the frontier with `leaves` appended in their order, at about two hashes each."""
        hash_function, size, peaks = self.hash_function, self.size, list(self.peaks)
        for leaf in leaves:
            node = hash_function(b"\x00" + leaf)
            # Each bit set at the low end of the old size is a full subtree that the leaf completes.
            completed = size
            while completed & 1:
                node = hash_function(b"\x01" + peaks.pop() + node)
                completed >>= 1
            peaks.append(node)
            size += 1
        return Frontier(size, tuple(peaks), hash_function)

    def root(self) -> bytes:
        """Return the root: the peaks joined from the right; without leaves, `empty_root`."""
        if not self.peaks:
            return empty_root(self.hash_function)
        *larger, joined = self.peaks
        for peak in reversed(larger):
            joined = node_hash(peak, joined, self.hash_function)
        return joined

    def to_bytes(self) -> bytes:
        """Return size (8 bytes, big-endian) || peaks; `from_bytes` reads it back."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, stored: bytes, hash_function: HashFunction = keccak) -> Frontier:
        """Read what `to_bytes` wrote; any other length is refused with `FieldError`."""
        if len(stored) < _SIZE_BYTES or (len(stored) - _SIZE_BYTES) % NODE_SIZE:
            raise FieldError("frontier", f"{len(stored)} bytes are not a size and whole peaks")
        starts = range(_SIZE_BYTES, len(stored), NODE_SIZE)
        peaks = tuple(bytes(stored[start : start + NODE_SIZE]) for start in starts)
        return cls(int.from_bytes(stored[:_SIZE_BYTES], "big"), peaks, hash_function)


def inclusion_ranges(index: int, size: int) -> tuple[LeafRange, ...]:
    """Return the subtrees whose roots prove the leaf at `index`, in the order of the proof.

    RFC 9162, section 2.1.3.1, without its hashes: a caller whose leaves are in a database reads one
    range after the other.
    """
    if not 0 <= index < size:
        raise FieldError("index", f"{index} is not a leaf (from 0) of a tree of {size}")
    start, end = 0, size
    ranges: list[LeafRange] = []
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return tuple(reversed(ranges))


def consistency_ranges(old_size: int, new_size: int) -> tuple[LeafRange, ...]:
    """Return the subtrees whose roots prove that the new tree only grew, in the order of the proof.

    RFC 9162, section 2.1.4.1, without its hashes. Empty where the RFC defines no proof because
    none is needed: from the empty tree, and between equal sizes.
    """
    if not 0 <= old_size <= new_size:
        raise FieldError("old_size", f"{old_size} is outside 0 .. {new_size}, the new size")
    if old_size == 0:
        return ()
    start, end = 0, new_size
    ranges: list[LeafRange] = []
    while old_size < end:
        middle = _split(start, end)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    # A subtree that is the whole old tree is left out: the verifier has its root.
    if start > 0:
        ranges.append((start, end))
    return tuple(reversed(ranges))


def inclusion_proof(
    leaves: Sequence[bytes], index: int, *, hash_function: HashFunction = keccak
) -> tuple[bytes, ...]:
    """Return the audit path of the leaf at `index` (from 0) in the tree over `leaves`."""
    ranges = inclusion_ranges(index, len(leaves))
    return tuple(root(leaves[start:end], hash_function=hash_function) for start, end in ranges)


def consistency_proof(
    leaves: Sequence[bytes], old_size: int, *, hash_function: HashFunction = keccak
) -> tuple[bytes, ...]:
    """Return the proof that the tree over `leaves` extends the one over its first `old_size`."""
    ranges = consistency_ranges(old_size, len(leaves))
    return tuple(root(leaves[start:end], hash_function=hash_function) for start, end in ranges)


def verify_inclusion(
    leaf: bytes,
    index: int,
    size: int,
    proof: Sequence[bytes],
    root: bytes,
    *,
    hash_function: HashFunction = keccak,
) -> bool:
    """Tell whether `proof` shows `leaf` at `index` (from 0) of the tree of `size` and that root.

    RFC 9162, section 2.1.3.2; fn and sn are its names. False for anything malformed.
    """
    # Joined nodes carry no lengths: one of 31 bytes and one of 33 would hash like a true pair.
    if not 0 <= index < size or not _are_nodes((*proof, root)):
        return False
    fn, sn, reached = index, size - 1, leaf_hash(leaf, hash_function)
    for node in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            reached = node_hash(node, reached, hash_function)
            fn, sn = _skip_lone_levels(fn, sn)
        else:
            reached = node_hash(reached, node, hash_function)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and reached == root


def verify_consistency(
    old_size: int,
    new_size: int,
    proof: Sequence[bytes],
    old_root: bytes,
    new_root: bytes,
    *,
    hash_function: HashFunction = keccak,
) -> bool:
    """Tell whether `proof` shows that the tree with `new_root` only appended to the old one.

    RFC 9162, section 2.1.4.2, plus the two cases it leaves out, in which the proof is empty: equal
    sizes have equal roots, and every tree extends the empty one. False for anything malformed.
    """
    if not 0 <= old_size <= new_size or not _are_nodes((*proof, old_root, new_root)):
        return False
    if old_size == 0 and old_root != empty_root(hash_function):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0 or not proof:
        return old_size == 0 and not proof
    roots = _consistency_roots(old_size, new_size, proof, old_root, hash_function)
    return roots == (old_root, new_root)


def _consistency_roots(
    old_size: int,
    new_size: int,
    proof: Sequence[bytes],
    old_root: bytes,
    hash_function: HashFunction,
) -> tuple[bytes, bytes] | None:
    """Return both roots that the proof leads to, or None if it is too short or too long."""
    if old_size & (old_size - 1) == 0:
        # The old tree is one full subtree of the new one, so the proof leaves its root out.
        proof = (old_root, *proof)
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = proof[0]
    for node in proof[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            old = node_hash(node, old, hash_function)
            new = node_hash(node, new, hash_function)
            fn, sn = _skip_lone_levels(fn, sn)
        else:
            new = node_hash(new, node, hash_function)
        fn, sn = fn >> 1, sn >> 1
    return (old, new) if sn == 0 else None


def _skip_lone_levels(fn: int, sn: int) -> tuple[int, int]:
    """Climb the levels on which the last node has no sibling and is carried up unhashed."""
    while fn and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _split(start: int, end: int) -> int:
    """Return where the tree over two or more leaves parts: after the largest power of two below."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _are_nodes(nodes: Iterable[bytes]) -> bool:
    """Tell whether each of `nodes` has the length of a hash."""
    return all(len(node) == NODE_SIZE for node in nodes)
