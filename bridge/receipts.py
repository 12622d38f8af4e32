"""The receipts of a block: that they make the root in its header, so that no log is another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.rlp import encode_bytes, encode_int, encode_list
from bridge.trie import EMPTY_ROOT
from ledger.hashing import keccak
from ledger.model import Hash32

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DEPOSIT: Final = 0x7E
"""Type of the transactions that come from another chain, on chains of the OP Stack."""
_DEPOSIT_FIELDS: Final = ("depositNonce", "depositReceiptVersion")
_BLOOM_BITS: Final = 2048
_WIDTH: Final = 16


def may_hold(bloom: bytes, item: bytes) -> bool:
    """Tell whether a block with this `bloom` may have a log with `item`, an address or a topic.

    False is certain (Yellow Paper, 4.3.1): three bits stand for an item, and one is not set.
    """
    hashed = keccak(item)
    bits = (int.from_bytes(hashed[at : at + 2], "big") % _BLOOM_BITS for at in (0, 2, 4))
    return all(bloom[-1 - bit // 8] >> bit % 8 & 1 for bit in bits)


def receipts_root(receipts: Sequence[Mapping[str, Any]]) -> Hash32:
    """Return the root of the receipts of one block, given as nodes give them, in their order.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: a field is missing or malformed.
    """
    keyed = [(encode_int(place).hex(), encode_receipt(it)) for place, it in enumerate(receipts)]
    return Hash32(keccak(_node(sorted(keyed), 0))) if keyed else EMPTY_ROOT


def encode_receipt(receipt: Mapping[str, Any]) -> bytes:
    """Return a receipt as the trie has it (Yellow Paper, 4.3.1; EIP-658 and EIP-2718)."""
    fields = [
        _number(receipt["status"]),
        _number(receipt["cumulativeGasUsed"]),
        encode_bytes(_bytes(receipt["logsBloom"])),
        encode_list(map(_log, receipt["logs"])),
    ]
    kind = int(receipt.get("type") or "0x0", 16)
    if kind == _DEPOSIT and receipt.get("depositReceiptVersion") is not None:
        fields += (_number(receipt[it]) for it in _DEPOSIT_FIELDS)
    payload = encode_list(fields)
    return bytes([kind]) + payload if kind else payload


def _log(log: Mapping[str, Any]) -> bytes:
    """Return a log as its receipt has it."""
    topics = encode_list(encode_bytes(_bytes(topic)) for topic in log["topics"])
    return encode_list(
        [encode_bytes(_bytes(log["address"])), topics, encode_bytes(_bytes(log["data"]))]
    )


def _number(found: str) -> bytes:
    """Return a number in an answer as its receipt has it."""
    if not found.startswith("0x"):
        raise ValueError("a number must start with 0x")
    return encode_int(int(found, 16))


def _bytes(found: str) -> bytes:
    """Return bytes in an answer."""
    if not found.startswith("0x"):
        raise ValueError("bytes must start with 0x")
    return bytes.fromhex(found[2:])


# --- a trie of all of them (Yellow Paper, appendix D) ---


def _node(keyed: Sequence[tuple[str, bytes]], depth: int) -> bytes:
    """Return the node below which `keyed` is: (nibbles of the key, value), sorted.

    `depth` nibbles of all keys are the way to it. No key begins another (RLP), so no branch has a
    value.
    """
    first, last = keyed[0][0], keyed[-1][0]
    if len(keyed) == 1:
        return encode_list([_path(first[depth:], is_leaf=True), encode_bytes(keyed[0][1])])
    same = depth
    while first[same] == last[same]:
        same += 1
    if same > depth:
        below = _child(_node(keyed, same))
        return encode_list([_path(first[depth:same], is_leaf=False), below])
    parts: list[list[tuple[str, bytes]]] = [[] for _ in range(_WIDTH)]
    for pair in keyed:
        parts[int(pair[0][depth], 16)].append(pair)
    children = [_child(_node(it, depth + 1)) if it else encode_bytes(b"") for it in parts]
    return encode_list([*children, encode_bytes(b"")])


def _child(node: bytes) -> bytes:
    """Return what a node names another by: its hash, or itself where that is shorter."""
    return node if len(node) < Hash32.size else encode_bytes(keccak(node))


def _path(nibbles: str, *, is_leaf: bool) -> bytes:
    """Return a path with the prefix that says what it leads to, and whether it is odd."""
    odd = len(nibbles) % 2
    prefix = f"{2 * is_leaf + odd:x}" + ("" if odd else "0")
    return encode_bytes(bytes.fromhex(prefix + nibbles))
