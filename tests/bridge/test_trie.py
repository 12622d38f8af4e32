"""A proof is what another implementation makes, and nothing else passes for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import rlp  # type: ignore[import-untyped]  # it has no types
from hypothesis import given
from hypothesis import strategies as st
from trie.hexary import HexaryTrie

from bridge.rlp import encode_bytes, encode_list
from bridge.trie import EMPTY_ROOT, Branch, Extension, Known, Leaf, lookup, parse_node
from ledger.hashing import keccak

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

# Keys of few different bytes have long prefixes in common, so that nodes are short and lie in
# others; keys as they are in the wild are hashes.
CLOSE_KEYS = st.lists(st.sampled_from([0x00, 0x01, 0x10, 0xFF]), max_size=6).map(
    lambda tail: bytes(32 - len(tail)) + bytes(tail)
)
KEYS = CLOSE_KEYS | st.integers(0, 300).map(lambda n: keccak(n.to_bytes(2, "big")))
VALUES = st.binary(min_size=1, max_size=3) | st.binary(min_size=30, max_size=70)
TRIES = st.dictionaries(KEYS, VALUES, max_size=40)


def proof_of(trie: HexaryTrie, key: bytes) -> list[bytes]:
    """Return the nodes on the way to a key, as EIP-1186 has them: none that lies in another."""
    nodes = [rlp.encode(node) for node in trie.get_proof(key)]  # type: ignore[no-untyped-call]  # theirs
    return [node for place, node in enumerate(nodes) if not place or len(node) >= 32]


def trie_of(pairs: Mapping[bytes, bytes]) -> HexaryTrie:
    """Return a trie of py-trie's."""
    trie = HexaryTrie({})
    for key, value in pairs.items():
        trie[key] = value
    return trie


@given(pairs=TRIES, others=st.lists(KEYS, max_size=8))
def test_every_key_is_found_and_no_other(pairs: dict[bytes, bytes], others: list[bytes]) -> None:
    trie = trie_of(pairs)
    assert (bytes(trie.root_hash) == EMPTY_ROOT) is (not pairs)
    known: Known = {}  # shared, as a verification does
    for key in [*pairs, *others]:
        proof = proof_of(trie, key) if pairs else []
        assert lookup(trie.root_hash, key, proof, known) == pairs.get(key)
        assert lookup(trie.root_hash, key, proof, {}) == pairs.get(key)


@given(pairs=TRIES.filter(bool), chance=st.randoms(use_true_random=False))
def test_a_proof_with_anything_changed_is_none(
    pairs: dict[bytes, bytes], chance: random.Random
) -> None:
    trie = trie_of(pairs)
    key = chance.choice([*pairs, keccak(b"no such key")])
    proof = proof_of(trie, key)
    assert lookup(trie.root_hash, key, proof, {}) == pairs.get(key)
    at = chance.randrange(len(proof))
    node = proof[at]
    changed = [
        proof[:at] + proof[at + 1 :],
        [*proof[: at + 1], node, *proof[at + 1 :]],
        [*proof, keccak(b"extra")],
        [b"\x80", *proof],
        [*proof[:at], node[:-1], *proof[at + 1 :]],
        [*proof[:at], node + b"\x00", *proof[at + 1 :]],
        [*proof[:at], b"", *proof[at + 1 :]],
        *([list(reversed(proof))] if len(proof) > 1 else []),
    ]
    for other in changed:
        with pytest.raises(ValueError, match=r"node|RLP"):
            lookup(trie.root_hash, key, other, {})


def test_every_flipped_byte_is_refused() -> None:
    pairs = {keccak(bytes([n])): bytes([n + 1]) * (n % 40 + 1) for n in range(200)}
    trie = trie_of(pairs)
    for key in (keccak(b"\x07"), keccak(b"nobody")):
        proof = proof_of(trie, key)
        assert lookup(trie.root_hash, key, proof, {}) == pairs.get(key)
        for place, node in enumerate(proof):
            for position in range(len(node)):
                for flip in (0x01, 0x80, 0xFF):
                    bad = bytearray(node)
                    bad[position] ^= flip
                    with pytest.raises(ValueError, match=r"node|RLP|branch|leaf|extension|path"):
                        lookup(
                            trie.root_hash,
                            key,
                            [*proof[:place], bytes(bad), *proof[place + 1 :]],
                            {},
                        )


def test_a_proof_of_another_key_or_root_is_none() -> None:
    pairs = {keccak(bytes([n])): b"value" for n in range(100)}
    trie = trie_of(pairs)
    key, other = list(pairs)[:2]
    with pytest.raises(ValueError, match="node"):
        lookup(trie.root_hash, other, proof_of(trie, key), {})
    with pytest.raises(ValueError, match="node 1 hashes to"):
        lookup(keccak(b"root"), key, proof_of(trie, key), {})
    with pytest.raises(ValueError, match="last one names another"):
        lookup(trie.root_hash, key, [], {})


def test_an_empty_trie_has_nothing() -> None:
    for proof in ([], [b"\x80"]):
        assert lookup(EMPTY_ROOT, keccak(b""), proof, {}) is None
    with pytest.raises(ValueError, match="empty trie"):
        lookup(EMPTY_ROOT, keccak(b""), [b"\x80", b"\x80"], {})
    with pytest.raises(ValueError, match="64 nibbles"):
        lookup(keccak(b"root"), b"short", [], {})


def test_the_three_kinds_of_node() -> None:
    hash_ = b"\x11" * 32
    leaf = encode_list([encode_bytes(b"\x3a\xbc"), encode_bytes(b"v")])
    assert parse_node(leaf) == Leaf("abc", b"v")
    assert parse_node(encode_list([encode_bytes(b"\x20\xbc"), encode_bytes(b"v")])) == Leaf(
        "bc", b"v"
    )
    ways = [leaf, encode_bytes(hash_), *[b"\x80"] * 15]
    branch = parse_node(encode_list(ways))
    assert branch == Branch((Leaf("abc", b"v"), hash_, *[None] * 14))
    assert parse_node(encode_list([b"\x15", encode_bytes(hash_)])) == Extension("5", hash_)


LEAF = encode_list([b"\x31", b"v"])
HASH = encode_bytes(b"\x11" * 32)
LONG_LEAF = encode_list([b"\x31", encode_bytes(b"v" * 32)])


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([], "2 or 17 items"),
        ([b"\x80"] * 3, "2 or 17 items"),
        ([b"\x80", b"v"], "2 or 17 items"),
        ([LEAF, b"v"], "2 or 17 items"),
        ([b"\x41", b"v"], "prefix"),
        ([encode_bytes(b"\x21\x11"), b"v"], "prefix"),
        ([b"\x01", HASH], "prefix"),
        ([b"\x31", b"\x80"], "no value"),
        ([b"\x31", LEAF], "no value"),
        ([b"\x00", HASH], "an extension leads"),
        ([b"\x15", b"\x80"], "an extension leads"),
        ([b"\x15", LEAF], "an extension leads"),
        ([b"\x15", encode_bytes(b"\x11" * 31)], "no hash"),
        ([HASH, HASH, *[b"\x80"] * 14, b"v"], "has a value"),
        ([HASH, HASH, *[b"\x80"] * 14, LEAF], "has a value"),
        ([HASH, *[b"\x80"] * 16], "fewer than two"),
        ([LONG_LEAF, HASH, *[b"\x80"] * 15], "32 bytes or more"),
    ],
)
def test_what_is_no_node_is_refused(items: list[bytes], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_node(encode_list(items))


def test_a_path_ends_where_the_key_ends() -> None:
    """Made by hand, under a root of its own: no trie of the other implementation is like that."""
    key = bytes(32)
    for node, says in (
        (encode_list([encode_bytes(b"\x20" + bytes(31)), b"v"]), "another length"),
        (encode_list([encode_bytes(b"\x20" + bytes(33)), b"v"]), "another length"),
        (encode_list([encode_bytes(b"\x00" + bytes(32)), HASH]), "goes on after the end"),
    ):
        with pytest.raises(ValueError, match=says):
            lookup(keccak(node), key, [node], {})
    short = encode_list([b"\x20", b"v"])
    branch = encode_list([short, HASH, *[b"\x80"] * 15])
    with pytest.raises(ValueError, match="another length"):
        lookup(keccak(branch), key, [branch], {})


def test_a_short_node_must_be_in_the_one_before_it() -> None:
    short = encode_list([encode_bytes(b"\x20" + bytes(2)), b"v"])
    branch = encode_list([encode_bytes(keccak(short)), HASH, *[b"\x80"] * 15])
    with pytest.raises(ValueError, match="so short"):
        lookup(keccak(branch), bytes(32), [branch, short], {})
