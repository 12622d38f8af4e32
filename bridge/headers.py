"""The header of a block, and that it makes the block's hash: what every proof begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bridge.rlp import encode_bytes, encode_int, encode_list
from ledger.hashing import keccak
from ledger.model import Hash32

if TYPE_CHECKING:
    from collections.abc import Mapping

_HASH: Final = 32
_NUMBER: Final = -1
_BYTES: Final = -2

# In the order in which they are hashed, with their size in bytes.
_FIELDS: Final = (
    ("parentHash", _HASH),
    ("sha3Uncles", _HASH),
    ("miner", 20),
    ("stateRoot", _HASH),
    ("transactionsRoot", _HASH),
    ("receiptsRoot", _HASH),
    ("logsBloom", 256),
    ("difficulty", _NUMBER),
    ("number", _NUMBER),
    ("gasLimit", _NUMBER),
    ("gasUsed", _NUMBER),
    ("timestamp", _NUMBER),
    ("extraData", _BYTES),
    ("mixHash", _HASH),
    ("nonce", 8),
)
_LATER: Final = (
    ("baseFeePerGas", _NUMBER),  # London (EIP-1559)
    ("withdrawalsRoot", _HASH),  # Shanghai (EIP-4895)
    ("blobGasUsed", _NUMBER),  # Cancun (EIP-4844)
    ("excessBlobGas", _NUMBER),
    ("parentBeaconBlockRoot", _HASH),  # Cancun (EIP-4788)
    ("requestsHash", _HASH),  # Prague (EIP-7685)
    ("blockAccessListHash", _HASH),  # Amsterdam (EIP-7928)
    ("slotNumber", _NUMBER),  # Amsterdam (EIP-7843)
)
"""What later forks added, each at the end: a header has a first part of these."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is needed of a header whose hash was computed from all of its fields."""

    hash: Hash32
    """keccak of the header itself, whatever the node said it is."""
    number: int
    timestamp: int
    """Seconds since 1970."""
    state_root: Hash32
    parent: Hash32
    """The hash of the block before: so it is as true as this one."""
    receipts_root: Hash32
    logs_bloom: bytes
    """Of every address and topic that the block's logs have (256 bytes)."""


def parse_header(block: Mapping[str, Any]) -> Header:
    """Return the header in a block as nodes give it (Yellow Paper, 4.4; the forks' EIPs).

    Raises:
        KeyError, TypeError, ValueError: a field is missing or malformed.
    """
    fields = [_encoded(block[name], size) for name, size in _FIELDS]
    for name, size in _LATER:
        if block.get(name) is None:
            break
        fields.append(_encoded(block[name], size))
    return Header(
        hash=Hash32(keccak(encode_list(fields))),
        number=int(block["number"], 16),
        timestamp=int(block["timestamp"], 16),
        state_root=Hash32.parse(block["stateRoot"]),
        parent=Hash32.parse(block["parentHash"]),
        receipts_root=Hash32.parse(block["receiptsRoot"]),
        logs_bloom=bytes.fromhex(block["logsBloom"][2:]),
    )


def _encoded(found: str, size: int) -> bytes:
    """Return a field as the header has it."""
    if not found.startswith("0x"):
        raise ValueError("a field must start with 0x")
    if size == _NUMBER:
        return encode_int(int(found, 16))
    value = bytes.fromhex(found[2:])
    if size not in {_BYTES, len(value)}:
        raise ValueError(f"a field has {len(value)} bytes, must be {size}")
    return encode_bytes(value)
