"""Changes: every entry and event once and in order, whoever writes and whatever dies meanwhile."""

from __future__ import annotations

import base64
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import cycle, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from ledger import (
    Change,
    ChangeType,
    FieldError,
    Hash32,
    Ledger,
    Movement,
    OpenAccount,
    SetLimits,
)
from ledger.changes import Place, Position, parse_position
from ledger.hashing import keccak
from ledger.posting import post
from ledger.times import moment_of
from tests.ledger.support import PEPPER, Anything, Clock, accepted, create, economy, raw
from tests.ledger.test_restore import contents_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ledger.requests import Item


def busy(url: str) -> Ledger:
    """Make a ledger in which everything happened that can be told."""
    ledger = create(url)
    ledger.create_asset("SCI", "Science", 0)
    ledger.create_asset("B", "B", 0)
    for name in ("alice", "bob", "carol"):
        ledger.create_account(name, 1_000, asset="SCI")
    ledger.mint("bob", 2**200, asset="B")
    ledger.transfer("alice", "bob", 5, asset="SCI")
    posted = ledger.hold("alice", 100, "bob", asset="SCI")
    ledger.post_hold(posted.id, 40, keep_rest=True)
    ledger.void_hold(ledger.hold("bob", 2**199, asset="B").id)
    ledger.set_limits("alice", asset="SCI", max_debit=2**255)
    ledger.post_hold(posted.id)
    ledger.freeze_account("carol")
    ledger.reopen_account("carol")
    return ledger


def streams(changes: Iterable[Change]) -> dict[str, list[Change]]:
    """Part changes by asset, in their order."""
    found: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        found[change.asset].append(change)
    return found


def stored(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what must be told of each asset, read from the tables."""
    with raw(url) as database:
        symbols = dict(database.run("SELECT asset, symbol FROM token_assets")) | {0: ""}
        entries = database.run("SELECT asset, seq FROM token_ledger")
        events = database.run("SELECT asset, after_seq, number, type FROM token_events")
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for asset, seq in entries:
        found[symbols[asset]].append((seq, 0, "entry"))
    for asset, *event in events:
        found[symbols[asset]].append(tuple(event))
    return {symbol: sorted(rows) for symbol, rows in found.items()}


def told(changes: Iterable[Change]) -> dict[str, list[tuple[Any, ...]]]:
    """Return of each change what `stored` returns of a row."""
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for change in changes:
        place = change.position.at(change.position.stream)
        seq = place.seq if change.entry is None else change.entry.seq
        number = place.number if change.entry is None else 0
        found[change.asset].append((seq, number, str(change.type)))
    return dict(found)


def paged(ledger: Ledger, sizes: Iterator[int], after: str | None = None) -> list[Change]:
    """Return all changes by pages of these sizes."""
    found: list[Change] = []
    while True:
        size = next(sizes)
        page = ledger.changes_page(after, limit=size)
        assert len(page.changes) == size or not page.more
        found += page.changes
        after = page.cursor
        if not page.more:
            return found


# --- what is told ---


def test_what_happened_is_told_in_order(database_url: str) -> None:
    with busy(database_url) as ledger:
        changes = list(ledger.changes())
        assert told(changes) == stored(database_url)
        assert [(c.type, c.account_id, c.details) for c in changes if c.asset != "B"] == [
            *[("account_created", name, {}) for name in ("system", "alice", "bob", "carol")],
            ("account_frozen", "carol", {}),
            ("account_reopened", "carol", {}),
            *[("entry", "", {})] * 4,
            ("hold_created", "alice", {"amount": 100}),
            ("entry", "", {}),
            ("hold_posted", "alice", {"amount": 40, "remaining": 60, "seq": 5}),
            ("limits_changed", "alice", {"max_debit": 2**255, "max_balance": None}),
            ("entry", "", {}),
            ("hold_posted", "alice", {"amount": 60, "remaining": 0, "seq": 6}),
        ]
        assert [c.hold for c in changes if c.hold and c.asset == "SCI"] == [
            hold.id for hold in ledger.holds(asset="SCI") for _ in range(3)
        ]
        assert [c.entry for c in changes if c.entry] == [
            entry for asset in ("SCI", "B") for entry in ledger.entries(asset)
        ]
        [voided] = [c for c in changes if c.type == ChangeType.HOLD_VOIDED]
        assert (voided.asset, voided.details) == ("B", {"amount": 2**199})
        assert all(change.time.tzinfo for change in changes)


def test_a_hold_that_expired_is_told_before_what_let_it_expire(sqlite_url: str) -> None:
    clock = Clock()
    with economy(sqlite_url, "alice", "bob", clock=clock) as ledger:
        held = ledger.hold("alice", 10, expires_at=moment_of(clock.now + 1_000_000))
        clock.now += 2_000_000
        ledger.transfer("alice", "bob", 1_000)
        assert [(c.type, c.hold) for c in ledger.changes() if c.asset][-3:] == [
            (ChangeType.HOLD_CREATED, held.id),
            (ChangeType.HOLD_EXPIRED, held.id),
            (ChangeType.ENTRY, None),
        ]


def test_an_asset_that_is_made_later_is_told_from_its_start(database_url: str) -> None:
    with economy(database_url, "alice") as ledger:
        cursor = ledger.changes_page().cursor
        ledger.create_asset("B", "B", 0)
        ledger.mint("alice", 7, asset="B")
        page = ledger.changes_page(cursor)
        assert [(c.asset, c.entry and c.entry.amount) for c in page.changes] == [("B", 7)]
        assert not page.more
        assert ledger.changes_page(page.cursor).changes == ()


def test_an_imported_ledger_tells_of_its_accounts(database_url: str, tmp_path: Path) -> None:
    with economy(f"sqlite:///{tmp_path}/original.db", "alice", "bob") as original:
        contents = contents_of(original)
    with contents.restore(database_url, PEPPER) as ledger:
        found = [change for change in ledger.changes() if change.type != ChangeType.IMPORTED]
        assert sorted(c.account_id for c in found if not c.asset) == ["alice", "bob", "system"]
        assert [c.entry for c in found if c.entry] == list(ledger.entries())
        assert told(ledger.changes()) == stored(database_url)
        ledger.create_account("carol", 5)
        assert told(ledger.changes()) == stored(database_url)


# --- pages and cursors ---


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with busy(f"sqlite:///{tmp_path_factory.mktemp('changes')}/ledger.db") as ledger:
        yield ledger


@given(sizes=st.lists(st.integers(1, 12), min_size=1), start=st.integers(0, 30))
def test_pages_of_any_size_tell_everything_once(
    history: Ledger, sizes: list[int], start: int
) -> None:
    everything = list(history.changes())
    begun = everything[: min(start, len(everything))]
    after = begun[-1].cursor if begun else None
    rest = paged(history, cycle(sizes), after)
    assert streams([*begun, *rest]) == streams(everything)
    assert list(history.changes(after)) == everything[len(begun) :]


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), posts=st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_random_histories_are_told_whole_while_they_happen(
    seed: int, posts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    dice = random.Random(seed)
    url = f"sqlite:///{tmp_path_factory.mktemp('random')}/ledger.db"
    with economy(url, "alice", "bob") as ledger:
        ledger.create_asset("B", "B", 0)
        found: list[Change] = []
        after = None
        for number, kind in enumerate(posts):
            happen(ledger, kind, number)
            for _ in range(dice.randrange(3)):
                page = ledger.changes_page(after, limit=dice.randrange(1, 6))
                found, after = [*found, *page.changes], page.cursor
        found += ledger.changes(after)
        assert told(found) == stored(url)
        assert told(paged(ledger, repeat(1))) == stored(url)


def happen(ledger: Ledger, kind: int, number: int) -> None:
    """Let one thing happen, among those that a ledger of two accounts can always do."""
    asset = "SCI" if kind % 2 else "B"
    match kind // 2:
        case 0:
            ledger.create_account(f"account-{number}", 0)
        case 1:
            ledger.mint("alice", 1, asset=asset)
        case 2:
            ledger.void_hold(ledger.hold("bob", 1, asset="SCI").id)
        case 3:
            ledger.set_limits("bob", asset=asset, max_balance=2**256 - 1 - number)
        case _:
            ledger.post_hold(ledger.hold("alice", 1, "bob", asset="SCI").id)


def test_no_asset_waits_for_another_that_never_ends(sqlite_url: str) -> None:
    with economy(sqlite_url, "alice") as ledger:
        ledger.create_asset("B", "B", 0)
        ledger.mint("alice", 7, asset="B")
        after = ledger.changes_page(limit=2).cursor  # the accounts
        seen: list[str] = []
        for _ in range(4):
            for _ in range(3):
                ledger.mint("alice", 1, asset="SCI")
            page = ledger.changes_page(after, limit=2)
            seen, after = [*seen, *(change.asset for change in page.changes)], page.cursor
        assert "B" in seen


def test_a_cursor_may_be_kept_for_ever(database_url: str) -> None:
    with busy(database_url) as ledger:
        cursors = [change.cursor for change in ledger.changes()]
        everything = list(ledger.changes())
        ledger.transfer("alice", "bob", 1, asset="SCI")
        ledger.create_account("dave", 0)
    with Ledger.open(database_url) as ledger:
        for position, cursor in enumerate(cursors, 1):
            following = list(ledger.changes(cursor))
            assert len(following) == len(cursors) - position + 2
            assert streams([*everything[:position], *following]) == streams(ledger.changes())


@pytest.mark.parametrize("cursor", ["", "AAAA", "not base64!", "=", "é", 7, b"AAAA"])
def test_what_is_no_cursor_is_refused(history: Ledger, cursor: Anything) -> None:
    for read in (history.changes, history.changes_page):
        with pytest.raises(FieldError) as refused:
            read(cursor)
        assert refused.value.field == "after"


@given(position=st.integers(0, 2**16), bit=st.integers(0, 7))
def test_a_cursor_with_another_bit_is_refused(history: Ledger, position: int, bit: int) -> None:
    data = bytearray(base64.urlsafe_b64decode(history.changes_page(limit=7).cursor))
    data[position % len(data)] ^= 1 << bit
    with pytest.raises(FieldError, match="after"):
        history.changes_page(base64.urlsafe_b64encode(data).decode())


@given(body=st.binary(max_size=80))
def test_a_forged_cursor_is_refused_or_a_position(history: Ledger, body: bytes) -> None:
    """Whoever knows the ledger's id can make cursors; none of them does harm."""
    ledger_id = history.identity.ledger_id
    data = body + keccak(b"changes" + ledger_id + body)[:8]
    with suppress(FieldError):
        history.changes_page(base64.urlsafe_b64encode(data).decode())


def test_a_cursor_of_another_ledger_or_kind_is_refused(history: Ledger, sqlite_url: str) -> None:
    statement = history.statement_page("alice", asset="SCI", limit=1).cursor
    with economy(sqlite_url, ledger_id=Hash32(bytes(32))) as other:
        for cursor in (statement, other.changes_page().cursor):
            with pytest.raises(FieldError, match="no cursor of this ledger's changes"):
                history.changes_page(cursor)


def test_a_cursor_of_what_was_lost_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """A backup was restored: what was told is not there, and other things get its numbers."""
    economy(sqlite_url, "alice", "bob").close()
    copy = tmp_path / "backup.db"
    shutil.copy(str(make_url(sqlite_url).database), copy)
    with Ledger.open(sqlite_url) as ledger, Ledger.open(f"sqlite:///{copy}") as older:
        before = ledger.changes_page().cursor
        assert older.changes_page(before).changes == ()
        ledger.transfer("alice", "bob", 1)
        lost = ledger.changes_page().cursor
        ledger.freeze_account("alice")
        frozen = ledger.changes_page(before, limit=1).cursor
        for cursor in (lost, frozen):
            with pytest.raises(FieldError, match="was an older copy restored"):
                older.changes(cursor)
        for _ in range(2):  # it catches up, and goes past, with another history
            older.transfer("bob", "alice", 1)
            for read in (older.changes, older.changes_page):
                with pytest.raises(FieldError, match="was an older copy restored"):
                    read(lost)
        assert len(older.changes_page(before).changes) == 2


@pytest.mark.parametrize("limit", [0, 1_001, True, "7", None])
def test_a_wrong_limit_is_refused(history: Ledger, limit: Anything) -> None:
    with pytest.raises(FieldError, match="limit"):
        history.changes_page(limit=limit)


@given(
    st.dictionaries(
        st.integers(0, 2**32 - 1),
        st.builds(
            Place,
            st.integers(0, 2**62 - 1),
            st.integers(0, 2**62 - 1),
            st.binary(min_size=4, max_size=4),
        ),
        max_size=5,
    ),
    st.integers(0, 2**32 - 1),
)
def test_a_cursor_is_its_position(places: dict[int, Place], stream: int) -> None:
    ledger_id = Hash32(bytes(32))
    parsed = parse_position(Position(ledger_id, places, stream).cursor(), ledger_id)
    assert parsed.stream == stream
    assert parsed.places == {number: place for number, place in places.items() if place != Place()}


# --- while others write ---


@contextmanager
def uncommitted(ledger: Ledger, items: Sequence[Item]) -> Iterator[None]:
    """Post items and commit them only at the end of the block."""
    with ledger._transactions.writing("test") as connection:
        for result in post(connection, ledger._prepared(items)).results:
            accepted(result)
        yield


def test_what_is_not_committed_is_not_told_and_not_passed_over(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as one, Ledger.open(database_url) as two:
        one.create_asset("B", "B", 0)
        after = two.changes_page().cursor
        with uncommitted(one, [Movement("alice", "bob", 1, "SCI"), OpenAccount("carol", 0)]):
            page = two.changes_page(after)
            assert page.changes == ()
            if make_url(database_url).get_backend_name() == "postgresql":
                two.mint("alice", 1, asset="B")  # another journal goes on meanwhile
                page = two.changes_page(page.cursor)
                assert [change.asset for change in page.changes] == ["B"]
        page = two.changes_page(page.cursor)
        assert [(c.asset, c.type) for c in page.changes] == [
            ("", ChangeType.ACCOUNT_CREATED),
            ("SCI", ChangeType.ENTRY),
        ]


WRITER = """
import sys
from ledger import Ledger

url, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Ledger.open(url) as ledger:
    ledger.create_account(name, 0)
    print("ready", flush=True)
    for number in range(rounds):
        ledger.mint(name, 5, asset="SCI" if number % 2 else "B")
        hold = ledger.hold(name, 1, asset="SCI") if number % 2 else None
        if hold and number % 4 == 1:
            ledger.void_hold(hold.id)
        elif hold:
            ledger.post_hold(hold.id, to_account="alice")
        if number % 7 == 0:
            ledger.set_limits(name, asset="B", max_debit=number + 1)
        if number % 11 == 0:
            ledger.create_account(f"{name}-{number}", 0)
"""

READER = """
import sqlite3, sys
from ledger import Ledger

url, kept, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
own = sqlite3.connect(kept, isolation_level=None, timeout=60)
own.execute("CREATE TABLE IF NOT EXISTS told (stream TEXT, seq INT, number INT, type TEXT)")
own.execute("CREATE TABLE IF NOT EXISTS done (cursor TEXT)")
print("ready", flush=True)
with Ledger.open(url) as ledger:
    while True:
        row = own.execute("SELECT cursor FROM done").fetchone()
        page = ledger.changes_page(row and row[0], limit=limit)
        if not page.changes:
            if len(sys.argv) > 4:
                break
            continue
        own.execute("BEGIN IMMEDIATE")
        for change in page.changes:
            place = change.position.at(change.position.stream)
            seq = place.seq if change.entry is None else change.entry.seq
            number = place.number if change.entry is None else 0
            row = (change.asset, seq, number, str(change.type))
            own.execute("INSERT INTO told VALUES (?, ?, ?, ?)", row)
        own.execute("DELETE FROM done")
        own.execute("INSERT INTO done VALUES (?)", (page.cursor,))
        own.execute("COMMIT")
"""


def start(program: str, *words: object) -> subprocess.Popen[str]:
    """Start a program of its own, and wait until it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str], code: int = 0) -> None:
    """Wait until it has ended."""
    with process:
        assert process.wait(120) == code


def test_readers_miss_nothing_while_processes_and_threads_write(database_url: str) -> None:
    with economy(database_url, "alice", "bob") as ledger:
        ledger.create_asset("B", "B", 0)
        writers = [start(WRITER, database_url, f"process-{number}", 25) for number in range(2)]
        found: list[Change] = []
        with ThreadPoolExecutor(4) as pool:
            own = [pool.submit(happen, ledger, kind % 10, kind) for kind in range(60)]
            after, sizes = None, cycle([1, 7, 1_000, 3])
            while not all(it.done() for it in own) or any(w.poll() is None for w in writers):
                page = ledger.changes_page(after, limit=next(sizes))
                found, after = [*found, *page.changes], page.cursor
        for future in own:
            future.result()
        for writer in writers:
            finish(writer)
        found += paged(ledger, sizes, after)
        assert told(found) == stored(database_url)
        named = [c.account_id for c in found if c.type == ChangeType.ACCOUNT_CREATED]
        assert len(named) == len(set(named)) == len(list(ledger.accounts()))


def test_an_event_is_named_by_its_number_alone(database_url: str) -> None:
    with economy(database_url, "alice") as ledger:
        limits = [SetLimits("alice", max_debit=most) for most in (1, 2, 3)]
        ledger.post_many([OpenAccount("x", 0), OpenAccount("y", 0), *limits])
        told = [change for change in ledger.changes() if not change.entry]
        last = told[-3:]
        assert len({(change.asset, change.type, change.timestamp) for change in last}) == 1
        assert len({(change.asset, change.number) for change in told}) == len(told)
        assert {change.number for change in ledger.changes() if change.entry} == {0}
        ledger.create_account("z", 0)  # which changes the cursor after each of them
        again = [change for change in ledger.changes_page(limit=1_000).changes if not change.entry]
        names = [(change.asset, change.number) for change in again]
        assert [(change.asset, change.number) for change in told if change.asset] == [
            name for name in names if name[0]
        ]


def test_an_account_is_told_before_what_names_it(database_url: str) -> None:
    with economy(database_url, "alice") as ledger:
        ledger.create_asset("B", "B", 0)
        writers = [start(WRITER, database_url, f"process-{number}", 20) for number in range(2)]
        known, after = set[str](), None
        while any(writer.poll() is None for writer in writers):
            page = ledger.changes_page(after, limit=3)
            after = page.cursor
            for change in page.changes:
                if change.type == ChangeType.ACCOUNT_CREATED:
                    known.add(change.account_id)
                elif change.entry:
                    assert {change.entry.from_account, change.entry.to_account} <= known
        for writer in writers:
            finish(writer)


def test_writers_and_readers_that_are_killed_lose_nothing(
    database_url: str, tmp_path: Path
) -> None:
    kept = tmp_path / "consumer.db"
    with economy(database_url, "alice") as ledger:
        ledger.create_asset("B", "B", 0)
        for turn in range(3):
            writer = start(WRITER, database_url, f"process-{turn}", 10_000)
            reader = start(READER, database_url, kept, 3 + turn)
            time.sleep(0.4 + 0.15 * turn)
            while sum(map(len, stored(database_url).values())) < 30 * (turn + 1):
                time.sleep(0.05)
            for process in (reader, writer) if turn % 2 else (writer, reader):
                process.kill()
                finish(process, -signal.SIGKILL)
        finish(start(READER, database_url, kept, 100, "and stop"))
        with closing(sqlite3.connect(kept)) as consumer:
            rows = consumer.execute("SELECT * FROM told").fetchall()
        found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for stream, *place in rows:
            found[stream].append(tuple(place))
        assert dict(found) == stored(database_url)
        assert len(rows) > 50
        assert ledger.audit().ok
