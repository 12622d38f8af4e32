"""What a signed transaction asks for, read back from its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.fees import Fees
from bridge.rlp import decode_list, to_int
from ledger.model import Address

if TYPE_CHECKING:
    from bridge.rlp import Item

_DYNAMIC = 2
"""The type byte of EIP-1559; a transaction of the old kind is a list, which begins above 0xc0."""


class Call(NamedTuple):
    """What a transaction does, whatever it offers for it."""

    to: Address
    data: bytes
    value: int
    gas: int


def read_raw(raw: bytes) -> tuple[Call, Fees]:
    """Return what a transaction that was signed here does, and what it offers.

    The fields are those of EIP-1559: chain id, nonce, tip, fee, gas, to, value, data; or, on a
    chain without it, of the Yellow Paper: nonce, gas price, gas, to, value, data.
    """
    tip: Item | None
    if raw[0] == _DYNAMIC:
        _, _, tip, fee, gas, to, value, data = decode_list(raw[1:])[:8]
    else:
        tip, (_, fee, gas, to, value, data) = None, decode_list(raw)[:6]
    call = Call(Address(to.payload), data.payload, to_int(value), to_int(gas))
    return call, Fees(to_int(fee), None if tip is None else to_int(tip))
