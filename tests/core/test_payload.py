"""Payload v1: both directions, only canonical bytes, and which part a refusal names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.amounts import MAX_AMOUNT
from ledger.errors import FieldError
from ledger.hashing import keccak
from ledger.model import ZERO_ADDRESS, Address, Record
from ledger.payload import decode_payload, encode_payload
from tests.core.golden import vectors
from tests.core.strategies import records

GOLDEN = vectors()
A, B, C = (Address(bytes([n]) * 20) for n in (0x0A, 0x0B, 0x0C))


def record_of(stated: dict[str, Any]) -> Record:
    return Record(Address.parse(stated["from"]), Address.parse(stated["to"]), int(stated["amount"]))


# --- golden vectors -----------------------------------------------------------------------------


@pytest.mark.parametrize("stated", GOLDEN["payloads"], ids=lambda stated: stated["about"])
def test_golden_payloads_in_both_directions(stated: dict[str, Any]) -> None:
    moved = tuple(record_of(record) for record in stated["records"])
    payload = bytes.fromhex(stated["payload"][2:])
    assert encode_payload(moved) == payload
    assert decode_payload(payload) == moved
    assert "0x" + keccak(payload).hex() == stated["payloadHash"]


REFUSED = {
    "empty": "payload",
    "version 2": "payload.version",
    "no records": "payload.nRecords",
    "one record too few": "payload",
    "one record too many": "payload.records[3]",
    "trailing byte": "payload",
    "cut by a byte": "payload.records[2].mantissa",
    "table not ascending": "payload.accounts[2]",
    "duplicate address": "payload.accounts[2]",
    "first address not zero": "payload.accounts[0]",
    "zero address twice": "payload.accounts[1]",
    "unused address": "payload.accounts[3]",
    "index out of range": "payload.records[0].from",
    "zero to zero": "payload.records[0]",
    "leading zero byte in a mantissa": "payload.records[0].mantissa",
    "length 0": "payload.records[0].len",
    "length 33": "payload.records[0].len",
    "scale not the largest": "payload.scaleExp",
    "scale 78": "payload.scaleExp",
    "amount above 2**256-1": "payload.records[0].mantissa",
}


@pytest.mark.parametrize("stated", GOLDEN["refusedPayloads"], ids=lambda stated: stated["about"])
def test_golden_refusals_name_the_part(stated: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as refusal:
        decode_payload(bytes.fromhex(stated["payload"][2:]))
    assert refusal.value.field == REFUSED[stated["about"]]


def test_every_golden_refusal_is_in_the_table() -> None:
    assert [stated["about"] for stated in GOLDEN["refusedPayloads"]] == [*REFUSED]


# --- decoding: one fact a row -------------------------------------------------------------------


def payload(
    *,
    version: int = 1,
    scale: int = 0,
    n_accounts: int | None = None,
    n_records: int | None = None,
    accounts: tuple[bytes, ...] = (ZERO_ADDRESS, A, B),
    body: tuple[str, ...] = ("0000 0001 01 07", "0001 0002 01 03"),
) -> bytes:
    """Return the bytes of a payload, part by part; the defaults are canonical."""
    counts = (
        (len(accounts) if n_accounts is None else n_accounts).to_bytes(2, "big"),
        (len(body) if n_records is None else n_records).to_bytes(4, "big"),
    )
    return b"".join(
        (bytes([version, scale]), *counts, *accounts, *(bytes.fromhex(one) for one in body))
    )


def test_the_payload_of_the_table_is_canonical() -> None:
    assert decode_payload(payload()) == (Record(ZERO_ADDRESS, A, 7), Record(A, B, 3))


TOO_MUCH = "payload.records[1].mantissa"


@pytest.mark.parametrize(
    ("refused", "field"),
    [
        (b"", "payload"),
        (payload()[:7], "payload"),
        (payload()[:8], "payload.nAccounts"),
        (payload(version=0), "payload.version"),
        (payload(version=255), "payload.version"),
        (payload(scale=78), "payload.scaleExp"),
        (payload(scale=255), "payload.scaleExp"),
        (payload(body=("0000 0001 01 0a", "0001 0002 01 14")), "payload.scaleExp"),
        (payload(scale=1, body=("0000 0001 01 00", "0001 0002 01 00")), "payload.scaleExp"),
        (payload(n_accounts=0), "payload.nAccounts"),
        (payload(n_accounts=65_535), "payload.nAccounts"),
        (payload(accounts=()), "payload.nAccounts"),
        (payload(n_records=0), "payload.nRecords"),
        (payload(n_records=2**32 - 1), "payload.records[2]"),
        (payload(body=()), "payload.nRecords"),
        (payload(n_records=3), "payload.records[2]"),
        (payload(accounts=(A, B)), "payload.accounts[0]"),
        (payload(accounts=(ZERO_ADDRESS, B, A)), "payload.accounts[2]"),
        (payload(accounts=(ZERO_ADDRESS, A, A)), "payload.accounts[2]"),
        (payload(accounts=(ZERO_ADDRESS, ZERO_ADDRESS, A)), "payload.accounts[1]"),
        (payload(accounts=(ZERO_ADDRESS, A, B, C)), "payload.accounts[3]"),
        (payload(body=("0000 0002 01 07", "0002 0000 01 03")), "payload.accounts[1]"),
        (payload(body=("0003 0001 01 07", "0001 0002 01 03")), "payload.records[0].from"),
        (payload(body=("0000 0001 01 07", "0001 0003 01 03")), "payload.records[1].to"),
        (payload(body=("0000 0001 01 07", "0000 0000 01 03")), "payload.records[1]"),
        (payload(body=("0000 0001 00", "0001 0002 02 0103")), "payload.records[0].len"),
        (payload(body=("0000 0001 01 07", "0001 0002 21" + "01" * 33)), "payload.records[1].len"),
        (payload(body=("0000 0001 01 07", "0001 0002 02 03")), "payload.records[1].mantissa"),
        (payload(body=("0000 0001 02 0007", "0001 0002 01 03")), "payload.records[0].mantissa"),
        (payload(body=("0000 0001 02 0000", "0001 0002 01 03")), "payload.records[0].mantissa"),
        (payload(body=("0000 0001 20" + "ff" * 32, "0001 0002 01")), "payload.records[1].mantissa"),
        (
            payload(scale=77, body=("0000 0001 01 02", "0001 0002 01 01")),
            "payload.records[0].mantissa",
        ),
        (payload() + b"\x00", "payload"),
        (payload(n_records=1), "payload"),
    ],
)
def test_a_payload_that_is_not_canonical_is_refused_by_part(refused: bytes, field: str) -> None:
    with pytest.raises(FieldError) as refusal:
        decode_payload(refused)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("scale", "record", "message"),
    [
        (0, "0001 0002 20 ff", "past the payload's end"),
        (0, "0001 0002 20 00" + "ff" * 31, "leading zero"),
        (0, "0001 0002 02 0007", "leading zero"),
        (77, "0001 0002 01 02", r"above 2\*\*256 - 1"),
        (77, "0001 0002 02 0101", r"above 2\*\*256 - 1"),
        (77, "0001 0002 20" + "ff" * 32, r"above 2\*\*256 - 1"),
    ],
)
def test_what_is_wrong_with_a_mantissa_is_said(scale: int, record: str, message: str) -> None:
    with pytest.raises(FieldError, match=message) as refusal:
        decode_payload(payload(scale=scale, body=("0000 0001 01 01", record)))
    assert refusal.value.field == "payload.records[1].mantissa"


@pytest.mark.parametrize("other", [None, "0x01", bytearray(payload()), memoryview(payload()), 1])
def test_only_bytes_are_a_payload(other: object) -> None:
    with pytest.raises(FieldError) as refusal:
        decode_payload(other)  # type: ignore[arg-type]  # the mistake
    assert refusal.value.field == "payload"


# --- encoding -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moved", "field"),
    [
        ([], "payload.records"),
        ([Record(A, B, 1), Record(ZERO_ADDRESS, ZERO_ADDRESS, 0)], "payload.records[1]"),
        ([Record(A, B, -1)], "payload.records[0].amount"),
        ([Record(A, B, 1), Record(A, B, 2**256)], "payload.records[1].amount"),
        ([Record(A, B, 1.0)], "payload.records[0].amount"),  # type: ignore[arg-type]  # the mistake
        ([Record(A, B, amount=True)], "payload.records[0].amount"),
        ([Record(bytes(19), B, 1)], "Address"),  # type: ignore[arg-type]  # the mistake
    ],
)
def test_records_that_have_no_payload_are_refused(moved: list[Record], field: str) -> None:
    with pytest.raises(FieldError) as refusal:
        encode_payload(moved)
    assert refusal.value.field == field


def test_a_table_holds_65_535_addresses_with_zero() -> None:
    holders = [Address(n.to_bytes(20, "big")) for n in range(1, 65_535)]
    moved = [Record(ZERO_ADDRESS, holder, 1) for holder in holders]
    assert decode_payload(encode_payload(moved)) == tuple(moved)
    with pytest.raises(FieldError) as refusal:
        encode_payload([*moved, Record(ZERO_ADDRESS, A, 1)])
    assert refusal.value.field == "payload.accounts"


def test_more_records_than_a_u32_counts_are_refused() -> None:
    class Claiming(list[Record]):
        """No records that say they are `claimed`: four billion take too long to make."""

        claimed = 0

        def __len__(self) -> int:
            return self.claimed

    records_ = Claiming()
    records_.claimed = 2**32 - 1
    assert encode_payload(records_)[4:8] == b"\xff" * 4
    records_.claimed = 2**32
    with pytest.raises(FieldError) as refusal:
        encode_payload(records_)
    assert refusal.value.field == "payload.records"


@pytest.mark.parametrize(
    ("amounts", "scale"),
    [
        ((0,), 0),
        ((1,), 0),
        ((10, 0), 1),
        ((1000, 20), 1),
        ((1000, 2000), 3),
        ((10**77,), 77),
        ((10**77, 10**76), 76),
        ((10**77, MAX_AMOUNT), 0),
    ],
)
def test_the_scale_is_the_largest_that_divides_every_amount(
    amounts: tuple[int, ...], scale: int
) -> None:
    assert encode_payload([Record(A, B, amount) for amount in amounts])[1] == scale


@given(st.lists(records, min_size=1, max_size=20))
def test_payloads_round_trip(moved: list[Record]) -> None:
    encoded = encode_payload(moved)
    decoded = decode_payload(encoded)
    assert decoded == tuple(moved)
    assert all(type(one) is Record and type(one.from_) is Address for one in decoded)


def test_the_table_always_starts_with_address_zero() -> None:
    assert encode_payload([Record(A, B, 1)])[8:28] == ZERO_ADDRESS


# --- fuzz: nothing but canonical bytes decodes --------------------------------------------------


def refused_or_canonical(mutated: bytes) -> None:
    """Assert the property that makes a payload's hash name its records."""
    try:
        decoded = decode_payload(mutated)
    except FieldError as refusal:
        assert refusal.field.startswith("payload")  # noqa: PT017 - both outcomes are legal
    else:
        assert encode_payload(decoded) == mutated


mutations = st.tuples(st.sampled_from(["set", "insert", "delete"]), st.integers(0), st.binary())


@settings(max_examples=500)
@given(st.lists(records, min_size=1, max_size=4), st.lists(mutations, min_size=1, max_size=3))
@example([Record(A, B, 1)], [("set", 0, b"")])
def test_mutated_payloads_are_refused_or_canonical(
    moved: list[Record], changes: list[tuple[str, int, bytes]]
) -> None:
    mutated = encode_payload(moved)
    for kind, place, some in changes:
        at = place % (len(mutated) + 1)
        removed = {"set": len(some), "insert": 0, "delete": 1 + len(some)}[kind]
        added = b"" if kind == "delete" else some
        mutated = mutated[:at] + added + mutated[at + removed :]
    refused_or_canonical(mutated)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_canonical(octets: bytes) -> None:
    refused_or_canonical(octets)


@pytest.mark.parametrize("stated", GOLDEN["payloads"], ids=lambda stated: stated["about"])
def test_every_byte_of_the_golden_payloads_changed_to_every_other(stated: dict[str, Any]) -> None:
    original = bytes.fromhex(stated["payload"][2:])
    for at, byte in enumerate(original):
        for other in range(256):
            if other != byte:
                refused_or_canonical(original[:at] + bytes([other]) + original[at + 1 :])
