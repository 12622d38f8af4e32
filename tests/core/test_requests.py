"""Requests: a value that exists is well-formed, and two that differ have different hashes."""

from __future__ import annotations

import math
from datetime import timedelta, timezone
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest

from ledger.account_rules import endowment as mint
from ledger.canonical import Keyed, request_hash
from ledger.errors import FieldError
from ledger.hashing import keccak
from ledger.links import Link, LinkScheme
from ledger.model import ZERO_HASH, Address, Hash32, Kind
from ledger.requests import Group, Movement, OpenAccount, PlaceHold, PostHold, VoidHold
from ledger.times import moment_of

CAUSE = Hash32(b"\xca" * 32)


def movement(**fields: Any) -> Movement:  # noqa: ANN401 (any field may be wrong here)
    """Return a movement with `fields` in place of its own."""
    whole: dict[str, Any] = {"from_account": "alice", "to_account": "bob", "amount": 5, **fields}
    return Movement(**whole)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("from_account", ""),
        ("from_account", "a\x00"),
        ("from_account", None),
        ("from_account", "0x" + "AB" * 20),
        ("to_account", "x" * 256),
        ("to_account", "\ud800"),
        ("amount", -1),
        ("amount", 2**256),
        ("amount", 1.0),
        ("amount", math.nan),
        ("amount", True),
        ("amount", "1"),
        ("amount", None),
        ("amount", Decimal(1)),
        ("asset", ""),
        ("asset", "S" * 65),
        ("asset", 1),
        ("reason", "r" * 256),
        ("reason", 1),
        ("reference_type", "a\x00"),
        ("reference_id", "\udfff"),
        ("memo", "é" * 2049),
        ("idempotency_key", "k" * 256),
        ("idempotency_key", b"k"),
        ("kind", "reversal"),
        ("kind", "hold"),
        ("kind", "signed"),
        ("kind", "other"),
        ("kind", None),
        ("cause", bytes(32)),
        ("cause", None),
        ("cause", "0x" + "00" * 32),
        ("cause", CAUSE),
    ],
)
def test_a_malformed_movement_names_its_field(field: str, value: object) -> None:
    with pytest.raises(FieldError) as refusal:
        movement(**{field: value})
    assert refusal.value.field == field


def test_a_chain_entry_needs_its_place() -> None:
    with pytest.raises(FieldError) as refusal:
        movement(kind=Kind.CHAIN)
    assert refusal.value.field == "cause"
    assert movement(kind=Kind.CHAIN, cause=CAUSE, amount=0).cause == CAUSE


def test_account_ids_are_normalised_once_and_none_is_absent() -> None:
    posted = movement(from_account="cafe\u0301", reason=None, memo=None)
    assert (posted.from_account, posted.reason, posted.memo) == ("caf\u00e9", "", "")
    assert OpenAccount("cafe\u0301").account_id == "caf\u00e9"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"account_id": ""}, "account_id"),
        ({"account_id": "a", "initial_balance": -1}, "initial_balance"),
        ({"account_id": "a", "initial_balance": 1.5}, "initial_balance"),
        ({"account_id": "a", "initial_balance": False}, "initial_balance"),
        ({"account_id": "a", "asset": ""}, "asset"),
        ({"account_id": "a", "idempotency_key": "\x00"}, "idempotency_key"),
    ],
)
def test_a_malformed_account_names_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError) as refusal:
        OpenAccount(**fields)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("movements", "key", "field"),
    [
        ([movement(), "movement"], "", "movements[1]"),
        ([movement(idempotency_key="k")], "", "movements[0].idempotency_key"),
        ([movement()], "k" * 256, "idempotency_key"),
    ],
)
def test_a_malformed_group_names_its_field(movements: list[Any], key: str, field: str) -> None:
    with pytest.raises(FieldError) as refusal:
        Group(tuple(movements), key)
    assert refusal.value.field == field


LATER = moment_of(1_700_000_000_000_000)
OTHER = Hash32(b"\xcb" * 32)
OPERATOR = Link(LinkScheme.OPERATOR)

DIFFERENT: list[Keyed] = [
    movement(),
    movement(amount=6),
    movement(from_account="carol"),
    movement(to_account="carol"),
    movement(reason="a", reference_type="b"),
    movement(reason="a|b"),
    movement(reason='a","b'),
    movement(reason="ab"),
    movement(reference_type="ab"),
    movement(reference_id="ab"),
    movement(memo="ab"),
    movement(kind=Kind.CHAIN, cause=CAUSE),
    Group((movement(),)),
    Group((movement(), movement())),
    Group((movement(), movement(amount=6))),
    Group((movement(amount=6), movement())),
    Group(()),
    OpenAccount("alice"),
    OpenAccount("bob"),
    OpenAccount("alice", initial_balance=0),
    OpenAccount("alice", initial_balance=1),
    OpenAccount("alice", address=Address(b"\1" * 20), link=OPERATOR),
    OpenAccount("alice", address=Address(b"\2" * 20), link=OPERATOR),
    PlaceHold("alice", 5),
    PlaceHold("bob", 5),
    PlaceHold("alice", 6),
    PlaceHold("alice", 5, "bob"),
    PlaceHold("alice", 5, expires_at=LATER),
    PlaceHold("alice", 5, expires_at=LATER + timedelta(microseconds=1)),
    PlaceHold("alice", 5, reason="ab"),
    PlaceHold("alice", 5, reference_type="ab"),
    PlaceHold("alice", 5, reference_id="ab"),
    PlaceHold("alice", 5, memo="ab"),
    PostHold(CAUSE),
    PostHold(OTHER),
    PostHold(CAUSE, 5),
    PostHold(CAUSE, 6),
    PostHold(CAUSE, 5, keep_rest=True),
    PostHold(CAUSE, to_account="bob"),
    PostHold(CAUSE, reason="ab"),
    PostHold(CAUSE, reference_type="ab"),
    PostHold(CAUSE, reference_id="ab"),
    PostHold(CAUSE, memo="ab"),
    VoidHold(CAUSE),
    VoidHold(OTHER),
]


def hashed(item: Keyed, symbol: str = "SCI") -> bytes:
    count = len(item.movements) if isinstance(item, Group) else 1
    return request_hash(item, [symbol] * count)


@pytest.mark.parametrize(("one", "other"), [*combinations(range(len(DIFFERENT)), 2)])
def test_different_requests_have_different_hashes(one: int, other: int) -> None:
    assert hashed(DIFFERENT[one]) != hashed(DIFFERENT[other])


@pytest.mark.parametrize("item", DIFFERENT, ids=repr)
def test_the_asset_belongs_to_the_request(item: Keyed) -> None:
    if isinstance(item, PostHold | VoidHold):  # whose asset is the hold's
        assert hashed(item, "SCI") == hashed(item, "ICS")
        return
    if isinstance(item, Group) and not item.movements:
        assert hashed(item) == keccak(b"group")
    else:
        assert hashed(item, "SCI") != hashed(item, "ICS")


def test_the_key_is_no_part_of_the_request() -> None:
    assert hashed(movement(idempotency_key="k")) == hashed(movement())
    assert hashed(Group((movement(),), "k")) == hashed(Group((movement(),)))
    assert hashed(OpenAccount("a", idempotency_key="k")) == hashed(OpenAccount("a"))
    assert hashed(PlaceHold("a", 5, idempotency_key="k")) == hashed(PlaceHold("a", 5))
    assert hashed(PostHold(CAUSE, idempotency_key="k")) == hashed(PostHold(CAUSE))
    assert hashed(VoidHold(CAUSE, "k")) == hashed(VoidHold(CAUSE))


def test_one_request_hashes_alike_however_its_text_was_composed() -> None:
    assert hashed(movement(to_account="cafe\u0301")) == hashed(movement(to_account="caf\u00e9"))
    held = [PlaceHold(name, 5, name) for name in ("cafe\u0301", "caf\u00e9")]
    assert hashed(held[0]) == hashed(held[1])


def test_one_instant_is_one_request_in_every_time_zone() -> None:
    elsewhere = LATER.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    assert hashed(PlaceHold("a", 5, expires_at=elsewhere)) == hashed(
        PlaceHold("a", 5, expires_at=LATER)
    )


def test_an_endowment_is_a_mint() -> None:
    posted = mint("alice", 7, "SCI")
    assert (posted.from_account, posted.to_account, posted.amount) == ("system", "alice", 7)
    assert (posted.reason, posted.kind, posted.cause) == ("endowment", Kind.PLAIN, ZERO_HASH)


def test_a_group_is_of_movements_in_a_row() -> None:
    with pytest.raises(FieldError, match="movements: must be movements, not int"):
        Group(5)  # type: ignore[arg-type]  # as a caller may
