"""The Merkle log against RFC 9162 written out as it reads, and against known answers of CT."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from eth_utils.crypto import keccak as eth_keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FieldError
from ledger.merkle import (
    Frontier,
    consistency_proof,
    consistency_ranges,
    empty_root,
    inclusion_proof,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def sha256(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


# --- RFC 9162, section 2.1, as it reads: recursive, over lists D of entries ---------------------


def largest_power_below(n: int) -> int:
    return max(1 << i for i in range(n.bit_length()) if 1 << i < n)


def mth(entries: Sequence[bytes], hashed: Callable[[bytes], bytes]) -> bytes:
    if not entries:
        return hashed(b"")
    if len(entries) == 1:
        return hashed(b"\x00" + entries[0])
    k = largest_power_below(len(entries))
    return hashed(b"\x01" + mth(entries[:k], hashed) + mth(entries[k:], hashed))


def path(m: int, entries: Sequence[bytes], hashed: Callable[[bytes], bytes]) -> list[bytes]:
    if len(entries) == 1:
        return []
    k = largest_power_below(len(entries))
    if m < k:
        return [*path(m, entries[:k], hashed), mth(entries[k:], hashed)]
    return [*path(m - k, entries[k:], hashed), mth(entries[:k], hashed)]


def subproof(
    m: int, entries: Sequence[bytes], hashed: Callable[[bytes], bytes], *, complete: bool
) -> list[bytes]:
    if m == len(entries):
        return [] if complete else [mth(entries, hashed)]
    k = largest_power_below(len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], hashed, complete=complete), mth(entries[k:], hashed)]
    return [*subproof(m - k, entries[k:], hashed, complete=False), mth(entries[:k], hashed)]


# --- known answers ------------------------------------------------------------------------------

CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The leaves with which Certificate Transparency's implementations are tested, under SHA-256."""

CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

CT_INCLUSION = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
"""(index, size, proof), likewise."""

CT_CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
    (
        6,
        7,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
]
"""(old size, new size, proof), likewise."""


@pytest.mark.parametrize("size", range(len(CT_ROOTS)))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert root(CT_LEAVES[:size], hash_function=sha256).hex() == CT_ROOTS[size]


@pytest.mark.parametrize(("index", "size", "proof"), CT_INCLUSION)
def test_inclusion_proofs_are_those_of_certificate_transparency(
    index: int, size: int, proof: list[str]
) -> None:
    nodes = tuple(bytes.fromhex(node) for node in proof)
    tree = bytes.fromhex(CT_ROOTS[size])
    assert inclusion_proof(CT_LEAVES[:size], index, hash_function=sha256) == nodes
    assert verify_inclusion(CT_LEAVES[index], index, size, nodes, tree, hash_function=sha256)


@pytest.mark.parametrize(("old_size", "new_size", "proof"), CT_CONSISTENCY)
def test_consistency_proofs_are_those_of_certificate_transparency(
    old_size: int, new_size: int, proof: list[str]
) -> None:
    nodes = tuple(bytes.fromhex(node) for node in proof)
    old, new = (bytes.fromhex(CT_ROOTS[size]) for size in (old_size, new_size))
    assert consistency_proof(CT_LEAVES[:new_size], old_size, hash_function=sha256) == nodes
    assert verify_consistency(old_size, new_size, nodes, old, new, hash_function=sha256)


# --- every small tree ---------------------------------------------------------------------------

SIZES = range(1, 18)
LEAVES = [bytes([n]) * 32 for n in range(SIZES.stop)]


def test_the_default_hash_is_keccak() -> None:
    assert empty_root() == eth_keccak(b"")
    assert leaf_hash(b"leaf") == eth_keccak(b"\x00leaf")
    assert node_hash(LEAVES[1], LEAVES[2]) == eth_keccak(b"\x01" + LEAVES[1] + LEAVES[2])
    assert root(LEAVES) == mth(LEAVES, eth_keccak)


@pytest.mark.parametrize("size", [0, *SIZES])
def test_roots_are_the_rfcs(size: int) -> None:
    assert root(LEAVES[:size], hash_function=sha256) == mth(LEAVES[:size], sha256)


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_proofs_are_the_rfcs_and_verify(size: int) -> None:
    tree = mth(LEAVES[:size], sha256)
    for index in range(size):
        proof = inclusion_proof(LEAVES[:size], index, hash_function=sha256)
        assert list(proof) == path(index, LEAVES[:size], sha256)
        assert verify_inclusion(LEAVES[index], index, size, proof, tree, hash_function=sha256)


@pytest.mark.parametrize("new_size", SIZES)
def test_consistency_proofs_are_the_rfcs_and_verify(new_size: int) -> None:
    new = mth(LEAVES[:new_size], sha256)
    for old_size in range(1, new_size + 1):
        old = mth(LEAVES[:old_size], sha256)
        proof = consistency_proof(LEAVES[:new_size], old_size, hash_function=sha256)
        assert list(proof) == subproof(old_size, LEAVES[:new_size], sha256, complete=True)
        assert verify_consistency(old_size, new_size, proof, old, new, hash_function=sha256)


@given(st.integers(1, 2**40), st.data())
def test_ranges_of_large_trees_tile_what_they_prove(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    inclusion = sorted([(index, index + 1), *inclusion_ranges(index, size)])
    assert tiles(inclusion, 0, size)
    old_size = data.draw(st.integers(0, size))
    growth = [pair for pair in consistency_ranges(old_size, size) if pair[0] >= old_size]
    if old_size > 0:
        assert tiles(sorted(growth), old_size, size)
    assert len(inclusion) <= 42


def tiles(ranges: list[tuple[int, int]], start: int, end: int) -> bool:
    starts, ends = [a for a, _ in ranges], [b for _, b in ranges]
    return [*starts, end] == [start, *ends] and all(a < b for a, b in ranges)


# --- refusals -----------------------------------------------------------------------------------


def flips(node: bytes) -> list[bytes]:
    """Every way to change one byte of `node`, and to make it a byte shorter or longer."""
    changed = [node[:at] + bytes([node[at] ^ 1]) + node[at + 1 :] for at in range(len(node))]
    return [*changed, node[:-1], node + b"\x00", b""]


def corrupted(proof: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Every proof that differs from `proof` in one node, or has one less, more or out of place."""
    nodes = tuple(proof)
    changed = [
        (*nodes[:at], flip, *nodes[at + 1 :])
        for at in range(len(nodes))
        for flip in flips(nodes[at])
    ]
    shorter = [(*nodes[:at], *nodes[at + 1 :]) for at in range(len(nodes))]
    longer = [
        (*nodes[:at], extra, *nodes[at:])
        for at in range(len(nodes) + 1)
        for extra in (bytes(32), b"", *nodes)
    ]
    return [other for other in (*changed, *shorter, *longer, nodes[::-1]) if other != nodes]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8])
def test_every_corrupted_inclusion_proof_is_rejected(size: int) -> None:
    leaves = LEAVES[:size]
    tree = root(leaves)
    for index in range(size):
        leaf, proof = leaves[index], inclusion_proof(leaves, index)
        assert verify_inclusion(leaf, index, size, proof, tree)
        for other in corrupted(proof):
            assert not verify_inclusion(leaf, index, size, other, tree)
        for other_root in flips(tree):
            assert not verify_inclusion(leaf, index, size, proof, other_root)
        for other_leaf in flips(leaf):
            assert not verify_inclusion(other_leaf, index, size, proof, tree)
        for other_index in {*range(-1, size + 2)} - {index}:
            assert not verify_inclusion(leaf, other_index, size, proof, tree)


@pytest.mark.parametrize(("index", "size", "other"), [(0, 8, 4), (0, 8, 16), (7, 8, 9), (4, 5, 8)])
def test_inclusion_in_a_tree_of_another_size_is_rejected(index: int, size: int, other: int) -> None:
    proof, tree = inclusion_proof(LEAVES[:size], index), root(LEAVES[:size])
    assert not verify_inclusion(LEAVES[index], index, other, proof, tree)


@pytest.mark.parametrize(
    ("old_size", "new_size"), [(1, 2), (1, 8), (2, 3), (3, 4), (3, 7), (4, 7), (6, 8), (7, 8)]
)
def test_every_corrupted_consistency_proof_is_rejected(old_size: int, new_size: int) -> None:
    old, new = root(LEAVES[:old_size]), root(LEAVES[:new_size])
    proof = consistency_proof(LEAVES[:new_size], old_size)
    assert verify_consistency(old_size, new_size, proof, old, new)
    for other in corrupted(proof):
        assert not verify_consistency(old_size, new_size, other, old, new)
    for other_root in flips(old):
        assert not verify_consistency(old_size, new_size, proof, other_root, new)
    for other_root in flips(new):
        assert not verify_consistency(old_size, new_size, proof, old, other_root)
    for sizes in ((old_size - 1, new_size), (old_size + 1, new_size), (new_size, old_size)):
        assert not verify_consistency(*sizes, proof, old, new)


def test_an_inner_node_is_not_a_leaf() -> None:
    leaves = LEAVES[:4]
    left, right = (node_hash(leaf_hash(a), leaf_hash(b)) for a, b in (leaves[:2], leaves[2:]))
    assert not verify_inclusion(left, 0, 2, (right,), root(leaves))
    pair = leaf_hash(leaves[0]) + leaf_hash(leaves[1])
    assert not verify_inclusion(pair, 0, 2, (right,), root(leaves))
    assert not verify_inclusion(b"\x01" + pair, 0, 2, (right,), root(leaves))


def test_an_odd_leaf_is_not_duplicated() -> None:
    assert root(LEAVES[:3]) != root([*LEAVES[:3], LEAVES[2]])


def test_a_node_cannot_borrow_a_byte_from_its_sibling() -> None:
    leaves = LEAVES[:4]
    tree, proof = root(leaves), inclusion_proof(leaves, 1)
    borrowed = (proof[0] + leaf_hash(leaves[1])[:1], proof[1])
    assert verify_inclusion(leaves[1], 1, 4, proof, tree)
    assert not verify_inclusion(leaves[1], 1, 4, borrowed, tree)


def test_consistency_where_no_proof_is_needed() -> None:
    empty, tree = empty_root(), root(LEAVES)
    size = len(LEAVES)
    assert consistency_proof(LEAVES, 0) == consistency_proof(LEAVES, size) == ()
    assert verify_consistency(0, size, (), empty, tree)
    assert verify_consistency(0, 0, (), empty, empty)
    assert verify_consistency(size, size, (), tree, tree)


@pytest.mark.parametrize(
    ("old_size", "new_size", "proof", "old", "new"),
    [
        pytest.param(0, 3, (), bytes(32), root(LEAVES[:3]), id="zero is no root"),
        pytest.param(0, 3, (bytes(32),), empty_root(), root(LEAVES[:3]), id="needless proof"),
        pytest.param(3, 3, (), root(LEAVES[:3]), root(LEAVES[:2]), id="same size, other root"),
        pytest.param(3, 3, (bytes(32),), root(LEAVES[:3]), root(LEAVES[:3]), id="same, with proof"),
        pytest.param(0, 0, (), bytes(32), bytes(32), id="empty with another root"),
        pytest.param(2, 3, (), root(LEAVES[:2]), root(LEAVES[:3]), id="no proof"),
        pytest.param(-1, 3, (), empty_root(), root(LEAVES[:3]), id="negative size"),
        pytest.param(3, 2, (), root(LEAVES[:3]), root(LEAVES[:2]), id="it shrank"),
        pytest.param(1, 1, (), b"\x00", b"\x00", id="equal but no roots"),
    ],
)
def test_consistency_at_the_edges_is_rejected(
    old_size: int, new_size: int, proof: tuple[bytes, ...], old: bytes, new: bytes
) -> None:
    assert not verify_consistency(old_size, new_size, proof, old, new)


@pytest.mark.parametrize("index", [-1, 3, 4])
def test_no_proof_of_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(FieldError) as refusal:
        inclusion_proof(LEAVES[:3], index)
    assert refusal.value.field == "index"


@pytest.mark.parametrize("old_size", [-1, 4])
def test_no_proof_from_a_tree_that_is_not_a_prefix(old_size: int) -> None:
    with pytest.raises(FieldError) as refusal:
        consistency_proof(LEAVES[:3], old_size)
    assert refusal.value.field == "old_size"


# --- the frontier -------------------------------------------------------------------------------


def test_a_frontier_grows_leaf_by_leaf_to_the_rfcs_roots() -> None:
    frontier = Frontier(hash_function=sha256)
    for size in range(1, 130):
        frontier = frontier.append(size.to_bytes(2, "big"))
        entries = [n.to_bytes(2, "big") for n in range(1, size + 1)]
        assert (frontier.size, frontier.root()) == (size, mth(entries, sha256))
        assert len(frontier.peaks) == size.bit_count()


@given(st.lists(st.binary(max_size=40), max_size=70), st.integers(0, 70))
def test_a_frontier_can_be_stored_and_extended(leaves: list[bytes], cut: int) -> None:
    before = Frontier().extend(leaves[:cut])
    stored = before.to_bytes()
    assert len(stored) == 8 + 32 * before.size.bit_count()
    after = Frontier.from_bytes(stored).extend(leaves[cut:])
    assert after == Frontier().extend(leaves)
    assert after.root() == mth(leaves, eth_keccak)
    assert before == Frontier.from_bytes(stored), "extending changes nothing that exists"


def test_the_empty_frontier_is_eight_zero_bytes() -> None:
    assert Frontier().to_bytes() == bytes(8)
    assert Frontier.from_bytes(bytes(8)).root() == empty_root()


def test_a_tree_ends_at_a_u64() -> None:
    full = Frontier(2**64 - 1, (bytes(32),) * 64)
    assert Frontier.from_bytes(full.to_bytes()) == full
    with pytest.raises(FieldError) as refusal:
        full.append(b"leaf")
    assert refusal.value.field == "frontier.size"


THREE = Frontier().extend(LEAVES[:3]).to_bytes()


@pytest.mark.parametrize(
    ("stored", "field"),
    [
        (b"", "frontier"),
        (bytes(7), "frontier"),
        (bytes(9), "frontier"),
        (THREE[:-1], "frontier"),
        (THREE + b"\x00", "frontier"),
        (THREE[:-32], "frontier.peaks"),
        (THREE + bytes(32), "frontier.peaks"),
        (bytes(7) + b"\x04" + THREE[8:], "frontier.peaks"),
        (bytes(8) + THREE[8:], "frontier.peaks"),
    ],
)
def test_a_stored_frontier_of_another_length_is_refused(stored: bytes, field: str) -> None:
    with pytest.raises(FieldError) as refusal:
        Frontier.from_bytes(stored)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("size", "peaks", "field"),
    [
        (-1, (), "frontier.size"),
        (2**64, (bytes(32),), "frontier.size"),
        (1, (), "frontier.peaks"),
        (1, (bytes(31),), "frontier.peaks"),
        (2, (bytes(32), bytes(32)), "frontier.peaks"),
    ],
)
def test_a_frontier_that_does_not_fit_its_size_is_refused(
    size: int, peaks: tuple[bytes, ...], field: str
) -> None:
    with pytest.raises(FieldError) as refusal:
        Frontier(size, peaks)
    assert refusal.value.field == field
