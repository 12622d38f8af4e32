"""Payload v1: a batch's movements as the bytes that its id commits to and that a chain replays.

    u8 version=1 | u8 scaleExp | u16 nAccounts | u32 nRecords | address[nAccounts] | records
    record: u16 from | u16 to | u8 len (1..32) | mantissa      amount = mantissa * 10**scaleExp

All integers are big-endian. For every sequence of records there is exactly one payload, and
nothing else decodes (design: formats, frozen), so a payload's hash names its records.
"""

from __future__ import annotations

import math
from itertools import chain, pairwise
from struct import Struct
from typing import TYPE_CHECKING, Final

from ledger.amounts import MAX_AMOUNT, check_amount
from ledger.errors import FieldError
from ledger.model import ZERO_ADDRESS, Address, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VERSION: Final = 1
MAX_TABLE: Final = 2**16 - 1
"""Addresses in a payload's table, address zero among them."""
MAX_RECORDS: Final = 2**32 - 1
MAX_SCALE: Final = 77
"""10**77 is the largest power of ten below 2**256."""

_HEADER: Final = Struct(">BBHI")
_RECORD: Final = Struct(">HHB")
_MAX_MANTISSA: Final = 32


def encode_payload(records: Sequence[Record]) -> bytes:
    """Return the payload of `records`, in their order.

    Raises:
        FieldError: naming the part, if there are no records or too many of them or of addresses,
            a record is from address zero to address zero, or an amount is out of range.
    """
    if not 1 <= len(records) <= MAX_RECORDS:
        raise FieldError("payload.records", f"must be 1 .. 2**32 - 1, not {len(records)}")
    _check_records(records)
    table = _table(records)
    index = {address: position for position, address in enumerate(table)}
    scale_exp = _largest_scale(record.amount for record in records)
    scale = 10**scale_exp
    parts = [_HEADER.pack(VERSION, scale_exp, len(table), len(records)), *table]
    for from_, to, amount in records:
        mantissa = amount // scale
        size = (mantissa.bit_length() + 7) // 8 or 1
        parts.append(_RECORD.pack(index[from_], index[to], size))
        parts.append(mantissa.to_bytes(size, "big"))
    return b"".join(parts)


def decode_payload(payload: bytes) -> tuple[Record, ...]:
    """Return the records of `payload`, which must be exactly what `encode_payload` makes of them.

    Raises:
        FieldError: naming the first part that is not canonical, such as `payload.accounts[3]`.
    """
    scale_exp, table, n_records, start = _decode_table(payload)
    records, used, end = _decode_records(payload, start, n_records, table, 10**scale_exp)
    if end != len(payload):
        raise FieldError("payload", f"{len(payload) - end} bytes follow the last record")
    unused = set(range(1, len(table))) - used
    if unused:
        raise FieldError(f"payload.accounts[{min(unused)}]", "no record uses it")
    largest = _largest_scale(record.amount for record in records)
    if scale_exp != largest:
        raise FieldError("payload.scaleExp", f"is {scale_exp}; these amounts have {largest}")
    return records


def _check_records(records: Iterable[Record]) -> None:
    """Refuse the first record that a payload cannot hold."""
    for position, (from_, to, amount) in enumerate(records):
        if type(amount) is not int or not 0 <= amount <= MAX_AMOUNT:
            check_amount(amount, f"payload.records[{position}].amount")
        if from_ == ZERO_ADDRESS == to:
            raise FieldError(f"payload.records[{position}]", "is from address zero to itself")


def _table(records: Iterable[Record]) -> list[Address]:
    """Return the distinct addresses of `records`, ascending, after address zero."""
    distinct = set(chain.from_iterable((from_, to) for from_, to, _ in records))
    distinct.discard(ZERO_ADDRESS)
    if len(distinct) >= MAX_TABLE:
        raise FieldError(
            "payload.accounts", f"{len(distinct)} addresses and zero are more than {MAX_TABLE}"
        )
    return [ZERO_ADDRESS, *sorted(map(Address, distinct))]


def _largest_scale(amounts: Iterable[int]) -> int:
    """Return the largest e of which 10**e divides every amount; 0 if all are zero."""
    divisor = math.gcd(*amounts)
    if divisor == 0:
        return 0
    return len(digits := str(divisor)) - len(digits.rstrip("0"))


def _decode_table(payload: bytes) -> tuple[int, tuple[Address, ...], int, int]:
    """Return (scaleExp, table of addresses, nRecords, offset of the first record)."""
    if type(payload) is not bytes or len(payload) < _HEADER.size:
        raise FieldError("payload", f"must be bytes, at least the {_HEADER.size} of its header")
    version, scale_exp, n_accounts, n_records = _HEADER.unpack_from(payload)
    if version != VERSION:
        raise FieldError("payload.version", f"must be {VERSION}, not {version}")
    if scale_exp > MAX_SCALE:
        raise FieldError("payload.scaleExp", f"must be 0 .. {MAX_SCALE}, not {scale_exp}")
    start = _HEADER.size + n_accounts * Address.size
    if n_accounts == 0 or start > len(payload):
        raise FieldError("payload.nAccounts", f"{n_accounts} is zero or past the payload's end")
    if n_records == 0:
        raise FieldError("payload.nRecords", "must be 1 .. 2**32 - 1, not 0")
    starts = range(_HEADER.size, start, Address.size)
    table = tuple(Address(payload[at : at + Address.size]) for at in starts)
    _check_table(table)
    return scale_exp, table, n_records, start


def _check_table(table: Sequence[Address]) -> None:
    """Refuse a table that does not start with address zero and ascend strictly."""
    if table[0] != ZERO_ADDRESS:
        raise FieldError("payload.accounts[0]", f"must be address zero, not {table[0]}")
    for position, (below, address) in enumerate(pairwise(table), start=1):
        if address <= below:
            raise FieldError(f"payload.accounts[{position}]", f"{address} is not above {below}")


def _decode_records(
    payload: bytes, start: int, count: int, table: Sequence[Address], scale: int
) -> tuple[tuple[Record, ...], set[int], int]:
    """Return `count` records from offset `start`, the table indexes they use, and their end."""
    size, unpack, from_bytes = _RECORD.size, _RECORD.unpack_from, int.from_bytes
    records: list[Record] = []
    used: set[int] = set()
    end = start
    # One comparison a record; what is wrong with a refused one is found out afterwards.
    for position in range(count):
        mantissa_at = end + size
        if mantissa_at > len(payload):
            raise FieldError(f"payload.records[{position}]", "is past the payload's end")
        from_, to, length = unpack(payload, end)
        end = mantissa_at + length
        mantissa = payload[mantissa_at:end]
        amount = from_bytes(mantissa, "big") * scale
        if (
            not 0 < length <= _MAX_MANTISSA
            or len(mantissa) != length
            or (mantissa[0] == 0 and length > 1)
            or amount > MAX_AMOUNT
            or from_ >= len(table)
            or to >= len(table)
            or from_ == to == 0
        ):
            field, message = _record_fault(from_, to, length, mantissa, len(table))
            raise FieldError(f"payload.records[{position}]{field}", message)
        used.add(from_)
        used.add(to)
        records.append(Record(table[from_], table[to], amount))
    return tuple(records), used, end


def _record_fault(
    from_: int, to: int, length: int, mantissa: bytes, n_accounts: int
) -> tuple[str, str]:
    """Return (part, message) for the first thing wrong with a record that is not canonical."""
    faults = (
        (from_ >= n_accounts, ".from", f"{from_} is outside the table of {n_accounts}"),
        (to >= n_accounts, ".to", f"{to} is outside the table of {n_accounts}"),
        (from_ == to == 0, "", "is from address zero to itself"),
        (not 0 < length <= _MAX_MANTISSA, ".len", f"must be 1 .. {_MAX_MANTISSA}, not {length}"),
        (len(mantissa) != length, ".mantissa", "is past the payload's end"),
        (mantissa[:1] == b"\x00" and length > 1, ".mantissa", "has a leading zero byte"),
        (True, ".mantissa", "makes an amount above 2**256 - 1"),
    )
    return next((part, message) for wrong, part, message in faults if wrong)
