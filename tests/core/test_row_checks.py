"""The tight loop over rows lets pass what the general check does, and leaves the same behind."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.addresses import entry_blind
from ledger.amounts import MAX_AMOUNT
from ledger.batches import BatchEnd, batch_of
from ledger.checks import (
    UNREADABLE,
    FoundError,
    JournalCheck,
    Running,
    apply,
    recomputed,
    same,
    unreadable,
)
from ledger.encoding import digest, entry_hash, metadata_hash
from ledger.errors import RefusedError
from ledger.hashing import keccak
from ledger.ids import first_head, group_id
from ledger.locked import HOUR
from ledger.merkle import Frontier
from ledger.model import ISSUER, ZERO_ADDRESS, ZERO_HASH, Address, Hash32, Record
from ledger.results import Asset, Entry, SealedBatch
from ledger.row_checks import ROW_COLUMNS, follow
from ledger.seal_checks import BatchCheck, Run
from ledger.store import ENTRY_COLUMNS, _entry

DOMAIN, PEPPER = bytes(range(32)), bytes(range(32, 64))
ASSET = Asset(1, Hash32(bytes([7] * 32)), "ONE", "One", 18, 0, None, "")
ADDRESSES = {name: bytes([n] * 20) for n, name in enumerate(("ann", "bob", "cat"), 1)}
ADDRESSES[ISSUER] = bytes(ZERO_ADDRESS)
START = 472_222 * HOUR - 5
STOP = 4


class Step(NamedTuple):
    """How the next entry is made; everything but what it says is right."""

    from_: str
    to: str
    amount: int
    later: int
    grouped: bool
    kind: str
    text: str
    off: int
    blind: bool
    skipped: int
    origin: str
    foreign: bool = False
    """In a group that this journal alone does not prove."""


TEXTS = ("reason", "reference_type", "reference_id", "memo", "idempotency_key")


def number(amount: bytes) -> int:
    return int.from_bytes(amount, "big")


def made(entry: Entry, check: JournalCheck) -> Entry:
    """Return an entry with its own id and head, so that nothing but its sense may be wrong."""
    fields = {name: getattr(entry, name) for name in Entry.__slots__}
    id_, head = recomputed(DOMAIN, ASSET.id, check.head, entry)
    return Entry(**(fields | {"id": Hash32(id_), "head": Hash32(head)}))


def history(steps: list[Step], groups: list[int], pepper: bytes | None) -> list[tuple[Any, ...]]:
    """Return rows of `token_ledger` as SQLite has them, with both addresses after them."""
    check, rows, seq = JournalCheck(DOMAIN, ASSET), [], 0
    sizes = iter(groups)
    left, group = 0, ZERO_HASH
    for step in steps:
        seq += 1 + step.skipped
        if left == 0 and step.grouped:
            left = next(sizes, 1)
            group = group_id(DOMAIN, ASSET.id, seq, left + step.foreign)
        own = group if left else ZERO_HASH
        begun = left and own == check.group
        blind = entry_blind(pepper, ASSET.id, seq) if pepper else bytes(32)
        names = step.from_, step.to
        sides = [Address(ADDRESSES.get(name, ZERO_ADDRESS)) for name in names]
        last = check.last_time or START
        entry = Entry(
            ASSET.symbol, seq, ZERO_HASH, ZERO_HASH,
            last if begun and step.later == 1 else last + step.later,
            names[0], names[1], sides[0], sides[1], step.amount, 0, 0,
            step.text, "", step.text, "", "", own, step.kind,
            blind=Hash32(b"\x05" * 32 if step.blind else blind),
        )  # fmt: skip
        entry = made(entry, check)
        before = [check.sides.get(name, Running()).balance for name in names]
        after = (
            before[0] + (step.amount if step.from_ == ISSUER else -step.amount),
            before[1] + (-step.amount if step.to == ISSUER else step.amount),
        )
        with suppress(RefusedError):
            after = apply(check.sides, entry)
        amounts = (step.amount, after[0] + step.off, after[1])
        rows.append(
            (
                1, seq, entry.id, entry.timestamp, *names, *amounts[:1], step.text or None, None,
                step.text or None, None, *amounts[1:], step.origin, step.kind or None, None, None,
                None if own == ZERO_HASH else own, entry.head,
                b"\x05" * 32 if step.blind else None,
                *(ADDRESSES.get(name) for name in names),
            )
        )  # fmt: skip
        check.seq, check.head, check.last_time, check.group = seq, entry.head, entry.timestamp, own
        left -= left > 0
    return rows


def stored(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return `row` as SQLite gives it back: plain bytes, amounts as bytes."""
    amounts = {ENTRY_COLUMNS.index(c) for c in ("amount", "balance_after_from", "balance_after_to")}
    return tuple(
        (value % 2**256).to_bytes(32, "big")
        if at in amounts and isinstance(value, int)
        else bytes(value)
        if isinstance(value, bytes)
        else value
        for at, value in enumerate(row)
    )


def generally(check: JournalCheck, row: tuple[Any, ...], pepper: bytes | None) -> Run:
    """Check one row as an entry."""
    place = f"{ASSET.symbol}/{check.seq + 1}"
    try:
        entry = _entry(row, ASSET, pepper, number)
        check.check(entry)
    except UNREADABLE as error:
        raise unreadable("token_ledger", place, error) from None
    same("token_ledger", place, "origin", entry.origin, row[ENTRY_COLUMNS.index("origin")])
    return Run.of(entry)


def outcome(
    rows: list[tuple[Any, ...]], pepper: bytes | None, *, tight: bool
) -> tuple[object, ...]:
    """Return what was found and what is left behind, with all that batches are made of."""
    check, passed = JournalCheck(DOMAIN, ASSET), Run(1)
    places = [ENTRY_COLUMNS.index(column) for column in ROW_COLUMNS]
    left = iter([tuple(row[place] for place in places) for row in rows])
    try:
        while len(passed.ids) < len(rows):
            if tight:
                join(passed, follow(check, left, ADDRESSES, pepper, number, STOP))
            if len(passed.ids) < len(rows):
                join(passed, generally(check, rows[len(passed.ids)], pepper))
    except FoundError as found:
        return (found.finding, check.seq, check.head)
    check.end_group()
    lists = ([bytes(each) for each in some] for some in (passed.ids, passed.heads, passed.groups))
    return (check, check.states, *lists, passed.records)


def join(run: Run, more: Run) -> None:
    run.ids += more.ids
    run.heads += more.heads
    run.groups += more.groups
    run.records += more.records


names = st.sampled_from([ISSUER, "ann", "bob", "bob", "cat"])
right = st.builds(
    Step, names, names, st.sampled_from([1, 2, 5, 90, 2**255]), st.just(1), st.booleans(),
    st.just(""), st.sampled_from(["", "r", "é"]), st.just(0), st.booleans(), st.just(0),
    st.just("local"), st.booleans(),
).filter(lambda step: step.from_ != step.to)  # fmt: skip
WRONG: list[dict[str, Any]] = [
    {}, {"from_": "ghost"}, {"to": "ghost"}, {"amount": 0}, {"amount": MAX_AMOUNT}, {"later": 0},
    {"later": 2}, {"kind": "hold"}, {"kind": "chain"}, {"kind": "chain", "origin": "chain"},
    {"origin": "chain"}, {"off": 1}, {"skipped": 1}, {"from_": "ann", "to": "ann"},
]  # fmt: skip
VALUES = [None, "", "x", b"", bytes(31), bytes(32), 0, 1, -1, 2**70, 1.5]
OPEN: dict[str, Any] = {
    "grouped": False,
    "kind": "",
    "text": "",
    "off": 0,
    "blind": False,
    "skipped": 0,
}
FUNDED = [
    Step(from_, to, amount, 1, **OPEN, origin="local")
    for from_, to, amount in ((ISSUER, "ann", 2**255), (ISSUER, "bob", 90), (ISSUER, "cat", 90))
]


def forged(row: tuple[Any, ...], column: str, value: object, head: bytes) -> tuple[Any, ...]:
    """Return `row` with another value, and hashed with it if that can be."""
    changed = dict(zip(ENTRY_COLUMNS, row, strict=False)) | {column: value}
    words: list[Any] = [changed[c] or "" for c in TEXTS]
    words += [changed["group_id"] or bytes(32), changed["kind"] or ""]
    words += [changed["cause"] or bytes(32), changed["blind"] or bytes(32)]
    with suppress(*UNREADABLE):
        ref = metadata_hash(*words)
        sides = (row[20] or bytes(20), row[21] or bytes(20), number(changed["amount"]))
        struct = entry_hash(ASSET.id, changed["seq"], *sides, changed["timestamp"], ref)
        changed["id"] = digest(DOMAIN, struct)
        changed["head"] = keccak(head + changed["id"])
    return (*changed.values(), *row[20:])


def halves(*pairs: tuple[str, str]) -> list[Step]:
    return [Step(from_, to, 2**255, 1, **OPEN, origin="local") for from_, to in pairs]


@example(halves(("ann", "bob"), ("bob", "ann")), [], (0, {}), None)  # earned over 2**256
@example(halves(("ann", ISSUER), (ISSUER, "cat")), [], (0, {}), None)  # minted over 2**256
@given(
    st.lists(right, min_size=1, max_size=7),
    st.lists(st.integers(1, 3), min_size=3, max_size=3),
    st.tuples(st.integers(0, 6), st.sampled_from(WRONG)),
    st.sampled_from([PEPPER, None]),
)
def test_the_loop_finds_and_leaves_what_the_general_check_does(
    steps: list[Step],
    groups: list[int],
    wrong: tuple[int, dict[str, Any]],
    pepper: bytes | None,
) -> None:
    at, changes = wrong
    steps[at % len(steps)] = steps[at % len(steps)]._replace(**changes)
    rows = [stored(row) for row in history(FUNDED + steps, groups, pepper)]
    assert outcome(rows, pepper, tight=True) == outcome(rows, pepper, tight=False)


@pytest.mark.parametrize("hashed", [True, False], ids=["hashed", "altered"])
@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("column", ROW_COLUMNS)
def test_the_loop_stops_at_any_value_at_which_the_general_check_does(
    column: str,
    value: object,
    hashed: bool,  # noqa: FBT001 (a parameter of the table)
) -> None:
    plain = Step("ann", "bob", 5, 1, **OPEN, origin="local")
    grouped = [plain._replace(grouped=True), plain._replace(grouped=True)]
    rows = [stored(row) for row in history([*FUNDED, plain, *grouped, plain], [2], None)]
    for at in (3, 4, 5):
        head = rows[at - 1][ENTRY_COLUMNS.index("head")]
        row = forged(rows[at], column, value, head) if hashed else rows[at]
        place = ENTRY_COLUMNS.index(column)
        altered = [*rows[:at], (*row[:place], value, *row[place + 1 :]), *rows[at + 1 :]]
        assert outcome(altered, None, tight=True) == outcome(altered, None, tight=False)


def filled(check: BatchCheck, run: Run, sizes: list[int]) -> BatchCheck:
    """Give `run` to a check in pieces of `sizes`, then what is left."""
    at = 0
    for size in [*sizes, len(run.ids)]:
        part = slice(at, at + size)
        check.take(Run(1 + at, run.ids[part], run.heads[part], run.groups[part], run.records[part]))
        at = min(at + size, len(run.ids))
    return check


@given(
    st.lists(right, min_size=6, max_size=6),
    st.lists(st.integers(1, 3), max_size=4),
    st.lists(st.integers(1, 4), max_size=4),
)
def test_batches_are_proved_however_their_entries_come(
    steps: list[Step], batches: list[int], pieces: list[int]
) -> None:
    plain = [step._replace(grouped=False, from_="ann", to="bob", amount=1) for step in steps]
    rows = [stored(row) for row in history(FUNDED + plain, [], None)]
    check = JournalCheck(DOMAIN, ASSET)
    run = Run(1)
    for row in rows:
        join(run, generally(check, row, None))
    end = BatchEnd(0, 0, first_head(DOMAIN, ASSET.id), Frontier())
    kept: list[SealedBatch] = []
    for size in batches:
        part = slice(end.last_seq, end.last_seq + size)
        if len(run.ids[part]) == size:
            head, records = Hash32(run.heads[part][-1]), list(map(Record._make, run.records[part]))
            kept.append(batch_of(DOMAIN, ASSET, end, run.ids[part], records, head, 1))
            frontier = end.frontier.extend(run.ids[part])
            end = BatchEnd(end.number + 1, end.last_seq + size, head, frontier)
    singly = filled(BatchCheck(DOMAIN, ASSET, iter(kept)), run, [1] * len(run.ids))
    by_pieces = filled(BatchCheck(DOMAIN, ASSET, iter(kept)), run, pieces)
    assert singly.end == by_pieces.end == end
    assert [singly.seal_at(seq) for seq in range(12)] == [by_pieces.seal_at(n) for n in range(12)]
