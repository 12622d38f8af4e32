"""Which explanation of a differing batch is given: the one with the fewest differences."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bridge.codec import BatchReplayed, Place
from bridge.compare import MismatchKind, compare_batch
from ledger import Hash32, Ledger
from ledger.batches import records_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger import Entry
    from ledger.model import Record

MADE_UP = Hash32(b"\x07" * 32)
PLACE = Place(1, MADE_UP, 0, MADE_UP, 0)


def _event(records: list[Record], head: Hash32 = MADE_UP) -> BatchReplayed:
    words = (MADE_UP, head, MADE_UP, MADE_UP, MADE_UP)
    return BatchReplayed(1, 1, len(records), *words, place=PLACE)


@pytest.fixture
def entries(book: Ledger) -> list[Entry]:
    """Return twelve entries, all with different movements."""
    return list(book.entries("SCI", 1, 12))


EDITS: list[tuple[str, Callable[[list[Record]], object], list[tuple[str, int]], int]] = [
    ("nothing", lambda _: None, [], 8),
    ("an amount", lambda r: r.insert(3, r.pop(3)._replace(amount=7)), [("log-differs", 4)], 8),
    ("first left out", lambda r: r.pop(0), [("missing-log", 1)], 8),
    ("middle left out", lambda r: r.pop(4), [("missing-log", 5)], 8),
    ("last left out", lambda r: r.pop(), [], 7),
    ("two left out", lambda r: (r.pop(5), r.pop(2)), [("missing-log", 3), ("missing-log", 6)], 8),
    ("one slipped in", lambda r: r.insert(2, r[5]._replace(amount=9)), [("foreign-log", 3)], 8),
    ("one twice", lambda r: r.insert(2, r[1]), [("foreign-log", 3)], 8),
    ("one more", lambda r: r.append(r[0]._replace(amount=9)), [("foreign-log", 9)], 8),
]


@pytest.mark.parametrize(("name", "edit", "expected", "used"), EDITS, ids=[e[0] for e in EDITS])
def test_what_the_operator_did_is_named(
    entries: list[Entry],
    *,
    name: str,
    edit: Callable[[list[Record]], object],
    expected: list[tuple[str, int]],
    used: int,
) -> None:
    records = records_of(entries[:8])
    edit(records)
    mismatches, taken = compare_batch("SCI", entries, _event(records), records)
    assert sorted((str(m.kind), m.seq) for m in mismatches) == sorted(expected), name
    assert taken == used


def test_with_the_ledgers_head_every_entry_is_compared_with_its_own_log(
    entries: list[Entry],
) -> None:
    """The rows were altered, not the chain: all of them are named, none is foreign."""
    records = records_of(entries[:8])
    altered = [replace(entry, amount=entry.amount + 1) for entry in entries]
    event = _event(records, entries[7].head)
    mismatches, used = compare_batch("SCI", altered, event, records)
    assert [(m.kind, m.seq) for m in mismatches] == [
        (MismatchKind.LOG_DIFFERS, seq) for seq in range(1, 9)
    ]
    assert used == 8


def test_thousands_of_equal_movements_are_compared_in_moments(entries: list[Entry]) -> None:
    many = [replace(entries[0], seq=seq) for seq in range(1, 4_001)]
    records = records_of(many)
    records[0] = records[0]._replace(amount=7)
    started = time.thread_time()  # the processor's, whatever else runs
    mismatches, used = compare_batch("SCI", many, _event(records), records)
    assert time.thread_time() - started < 20
    assert [(m.kind, m.seq) for m in mismatches] == [(MismatchKind.LOG_DIFFERS, 1)]
    assert used == 4_000
