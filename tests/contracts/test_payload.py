"""Which payloads `replay` refuses, each for its own reason, and that it never overdraws."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.model import ZERO_ADDRESS, Record
from ledger.payload import encode_payload
from tests.contracts.chain import Reverted, from_hex, refused, to_hex
from tests.contracts.token import MAX, Token, address, mint
from tests.core.golden import vectors

A, B, C = (address(number) for number in (0xA, 0xB, 0xC))
a, b = to_hex(A), to_hex(B)
ZERO = to_hex(ZERO_ADDRESS)


def raw(
    *records: str,
    version: int = 1,
    scale: int = 0,
    accounts: int | None = None,
    count: int | None = None,
    table: tuple[bytes, ...] = (ZERO_ADDRESS, A, B),
    end: bytes = b"",
) -> bytes:
    """Return payload bytes, canonical or not; a record is hex, its parts set apart by spaces."""
    head = bytes([version, scale])
    head += (len(table) if accounts is None else accounts).to_bytes(2, "big")
    head += (len(records) if count is None else count).to_bytes(4, "big")
    return head + b"".join(table) + b"".join(bytes.fromhex(it) for it in records) + end


MINT_A = "0000 0001 01 07"
A_TO_B = "0001 0002 01 03"
THIRTY = "0000 0001 01 1e"
HUGE = 2**255
ABOVE = MAX // 10 + 1
HALF = "80" + "00" * 31
GOOD = raw(MINT_A, A_TO_B)
FF = "ff" * 32

REFUSED: dict[str, tuple[Any, ...]] = {
    "nothing": (b"", "PayloadLength", 0, 8),
    "header cut": (GOOD[:7], "PayloadLength", 7, 8),
    "version 0": (raw(MINT_A, A_TO_B, version=0), "PayloadVersion", 0),
    "version 2": (raw(MINT_A, A_TO_B, version=2), "PayloadVersion", 2),
    "scale 78": (raw(MINT_A, A_TO_B, scale=78), "ScaleTooLarge", 78),
    "scale 255": (raw(MINT_A, A_TO_B, scale=255), "ScaleTooLarge", 255),
    "no accounts": (raw(MINT_A, table=()), "TableTooShort", 0),
    "issuer alone": (raw("0000 0000 01 07", table=(ZERO_ADDRESS,)), "TableTooShort", 1),
    "table cut": (GOOD[:67], "PayloadLength", 67, 68),
    "table of 65,535, cut": (raw(MINT_A, accounts=65535), "PayloadLength", 74, 1_310_708),
    "first not zero": (raw(MINT_A, table=(A, B, C)), "FirstAddressNotZero", a),
    "zero twice": (raw(MINT_A, table=(ZERO_ADDRESS,) * 2 + (A,)), "AddressNotAscending", 1, ZERO),
    "descending": (raw(MINT_A, A_TO_B, table=(ZERO_ADDRESS, B, A)), "AddressNotAscending", 2, a),
    "duplicate": (raw(MINT_A, A_TO_B, table=(ZERO_ADDRESS, A, A)), "AddressNotAscending", 2, a),
    "unused in the middle": (raw("0000 0002 01 07"), "AddressUnused", 1, a),
    "unused at the end": (raw(MINT_A), "AddressUnused", 2, b),
    "no records": (raw(), "NoRecords"),
    "records named 0": (raw(MINT_A, A_TO_B, count=0), "NoRecords"),
    "a record more than named": (raw(MINT_A, A_TO_B, count=1), "PayloadLength", 80, 74),
    "a record fewer than named": (raw(MINT_A, A_TO_B, count=3), "PayloadLength", 80, 86),
    "2**32 - 1 records named": (raw(MINT_A, A_TO_B, count=2**32 - 1), "PayloadLength", 80, 86),
    "a byte after the last": (raw(MINT_A, A_TO_B, end=b"\x00"), "PayloadLength", 81, 80),
    "a word after the last": (raw(MINT_A, A_TO_B, end=bytes(32)), "PayloadLength", 112, 80),
    "a byte cut": (GOOD[:-1], "PayloadLength", 79, 80),
    "mantissa cut": (raw(MINT_A, "0001 0002 04 030101"), "PayloadLength", 82, 83),
    "length cut": (GOOD[:-2], "PayloadLength", 78, 80),
    "index cut": (GOOD[:-4], "PayloadLength", 76, 80),
    "from outside": (raw(MINT_A, "0003 0002 01 03"), "IndexOutOfRange", 1, 3, 2),
    "from outside, of nothing": (raw(MINT_A, "0003 0002 01 00"), "IndexOutOfRange", 1, 3, 2),
    "to outside": (raw(MINT_A, "0001 0003 01 03"), "IndexOutOfRange", 1, 1, 3),
    "both outside": (raw(MINT_A, "ffff ffff 01 03"), "IndexOutOfRange", 1, 65535, 65535),
    "issuer to issuer": (raw(MINT_A, "0000 0000 01 03", A_TO_B), "IssuerToIssuer", 1),
    "issuer to issuer, zero": (raw(MINT_A, A_TO_B, "0000 0000 01 00"), "IssuerToIssuer", 2),
    "length 0": (raw(MINT_A, "0001 0002 00", A_TO_B), "MantissaLength", 1, 0),
    "length 33": (raw(MINT_A, f"0001 0002 21 01{FF}"), "MantissaLength", 1, 33),
    "length 255": (raw(MINT_A, f"0001 0002 ff {FF * 8}"), "MantissaLength", 1, 255),
    "leading zero": (raw(MINT_A, "0001 0002 02 0003"), "MantissaNotMinimal", 1, 2),
    "leading zero in 32": (raw(MINT_A, f"0001 0002 20 00{FF[2:]}"), "MantissaNotMinimal", 1, 32),
    "zero in two bytes": (raw(MINT_A, "0001 0002 02 0000", A_TO_B), "MantissaNotMinimal", 1, 2),
    "scale could be 1": (raw(THIRTY, "0001 0002 01 14"), "ScaleNotLargest", 0),
    "scale could be 19": (raw(THIRTY, "0001 0002 01 14", scale=18), "ScaleNotLargest", 18),
    "scale 0, last could": (raw("0001 0002 01 00", THIRTY), "ScaleNotLargest", 0),
    "all zero, scale 1": (raw("0001 0002 01 00", scale=1), "ScaleNotLargest", 1),
    "all zero, scale 77": (raw("0001 0002 01 00", scale=77), "ScaleNotLargest", 77),
    "amount 2 * 10**77": (raw("0000 0001 01 02", A_TO_B, scale=77), "AmountOverflow", 0, 2, 77),
    "amount just above": (raw(f"0000 0001 20 {ABOVE:x}", scale=1), "AmountOverflow", 0, ABOVE, 1),
    "amount wraps to 0": (raw("0000 0001 20" + HALF, scale=1), "AmountOverflow", 0, 2**255, 1),
}  # fmt: skip


def test_the_table_starts_from_a_good_payload(token: Token) -> None:
    token.try_replay(payload=GOOD)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_payload(token: Token, case: str) -> None:
    payload, name, *arguments = REFUSED[case]
    with refused(name, *arguments):
        token.try_replay(payload=payload)


REFUSED_VECTORS = {
    "empty": "PayloadLength",
    "version 2": "PayloadVersion",
    "no records": "NoRecords",
    "one record too few": "PayloadLength",
    "one record too many": "PayloadLength",
    "trailing byte": "PayloadLength",
    "cut by a byte": "PayloadLength",
    "table not ascending": "AddressNotAscending",
    "duplicate address": "AddressNotAscending",
    "first address not zero": "FirstAddressNotZero",
    "zero address twice": "AddressNotAscending",
    "unused address": "AddressUnused",
    "index out of range": "IndexOutOfRange",
    "zero to zero": "IssuerToIssuer",
    "leading zero byte in a mantissa": "MantissaNotMinimal",
    "length 0": "MantissaLength",
    "length 33": "MantissaLength",
    "scale not the largest": "ScaleNotLargest",
    "scale 78": "ScaleTooLarge",
    "amount above 2**256-1": "AmountOverflow",
}


@pytest.mark.parametrize("vector", vectors()["refusedPayloads"], ids=lambda it: it["about"])
def test_refused_payload_of_the_vectors(token: Token, vector: dict[str, str]) -> None:
    holders = (from_hex(it["address"]) for it in vectors()["accounts"])
    token.replay(*(mint(holder, 10**20) for holder in holders))
    with pytest.raises(Reverted) as caught:
        token.try_replay(payload=from_hex(vector["payload"]))
    assert caught.value.name == REFUSED_VECTORS[vector["about"]]


@pytest.mark.parametrize("at", range(6))
def test_overdraft_at_any_record(token: Token, at: int) -> None:
    token.replay(mint(A, 100))
    records = [Record(A, B, 1) for _ in range(6)]
    records[at] = Record(A, B, 101 - at)
    with refused("Overdraft", at, a, 100 - at, 101 - at):
        token.try_replay(*records)
    records[at] = Record(A, B, 95)
    token.try_replay(*records)


@pytest.mark.parametrize(
    ("records", "overdraft"),
    [
        ([Record(A, B, 1), mint(A, 1)], (0, a, 0, 1)),
        ([mint(A, 5), Record(A, B, 6), mint(A, 6)], (1, a, 5, 6)),
        ([mint(A, 5), Record(B, A, 1), Record(A, B, 1)], (1, b, 0, 1)),
        ([mint(A, 5), Record(A, ZERO_ADDRESS, 6)], (1, a, 5, 6)),
        ([mint(A, 5), Record(A, A, 6)], (1, a, 5, 6)),
        ([mint(A, HUGE), mint(A, HUGE)], (1, ZERO, HUGE - 1, HUGE)),
        ([mint(A, HUGE), mint(B, HUGE)], (1, ZERO, HUGE - 1, HUGE)),
        ([mint(A, MAX), mint(B, 1)], (1, ZERO, 0, 1)),
        ([mint(A, HUGE), mint(B, HUGE), Record(A, ZERO_ADDRESS, 1)], (1, ZERO, HUGE - 1, HUGE)),
    ],
    ids=[
        "a later credit would cover",
        "a later mint would cover",
        "a debit before its credit",
        "a burn above the balance",
        "to self above the balance",
        "2**255 twice to one",
        "2**255 twice to two",
        "one above the largest supply",
        "a later burn would make room",
    ],
)  # fmt: skip
def test_overdraft(token: Token, records: list[Record], overdraft: tuple[object, ...]) -> None:
    with refused("Overdraft", *overdraft):
        token.try_replay(*records)


def test_overdraft_across_batches(token: Token) -> None:
    token.replay(mint(A, MAX))
    with refused("Overdraft", 0, ZERO, 0, 1):
        token.try_replay(mint(B, 1))
    with refused("Overdraft", 0, b, 0, 1):
        token.try_replay(Record(B, A, 1))


def test_supply_of_exactly_the_largest(token: Token) -> None:
    token.replay(mint(A, MAX - 1), mint(B, 1), Record(A, A, MAX - 1), Record(A, B, MAX - 1))
    assert (token.call("totalSupply"), token.balance(A), token.balance(B)) == (MAX, 0, MAX)
    token.replay(Record(B, ZERO_ADDRESS, 5), mint(A, 5))
    assert (token.call("totalSupply"), token.balance(A), token.balance(B)) == (MAX, 5, MAX - 5)


def test_a_record_cut_off_is_not_read_past_the_payload(token: Token) -> None:
    # The ABI does not bound what follows an argument: here follows what would complete the record.
    cut = raw(MINT_A, "0001 0002 02 03", end=b"")
    call = bytearray(
        from_hex(token.data("replay", token.call("history"), bytes(32), bytes(32), cut))
    )
    call[-(-len(cut) % 32) :] = b"\x01" * (-len(cut) % 32) + b"\x01" * 64
    request = {"from": token.call("operator"), "to": token.address, "data": to_hex(bytes(call))}
    with refused("PayloadLength", len(cut), len(cut) + 1):
        token.request("eth_call", request, "latest")


@pytest.mark.parametrize("vector", vectors()["payloads"], ids=lambda it: it["about"])
def test_payload_of_the_vectors_is_read(token: Token, vector: dict[str, object]) -> None:
    payload = from_hex(str(vector["payload"]))
    try:
        token.try_replay(payload=payload)
    except Reverted as error:
        assert error.name == "Overdraft"  # noqa: PT017 (their amounts are no history)


def test_amounts_of_every_length_and_scale(token: Token) -> None:
    for length in range(1, 33):
        amount = int.from_bytes(bytes([7]) * length, "big")
        token.try_replay(mint(A, amount), Record(A, B, 1))
    for scale in range(78):
        assert encode_payload([mint(A, 10**scale)])[1] == scale
        token.try_replay(mint(A, 10**scale), Record(A, B, 0))
