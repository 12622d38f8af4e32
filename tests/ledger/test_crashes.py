"""Everything at once, killed at random: what was acknowledged is there, nothing is there twice.

Workers post requests of every kind (`crashes`), die by kill -9 and start again (`crew`), while
PostgreSQL itself is killed and restarted. `make crash` does it for minutes.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest

from ledger import (
    ISSUER,
    Entry,
    Group,
    Ledger,
    Movement,
    OpenAccount,
    PlaceHold,
    PostHold,
    Receipt,
    RefusedError,
    Reverse,
    Rule,
    SetLimits,
    SetStatus,
    Status,
)
from tests.ledger.crashes import (
    ACCOUNTS,
    HOT,
    MOODY,
    SYMBOLS,
    Ask,
    Ended,
    Failed,
    Followed,
    Got,
    Saw,
    answers,
    log_path,
    read_log,
    told,
)
from tests.ledger.crew import PATIENCE, Config, logs
from tests.ledger.support import libpq, raw
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ledger.support import Raw
    from tests.support.guardian import Guardian

SECONDS: Final = float(os.environ.get("CRASH_SECONDS", "0"))
"""How long each crew posts; 0 for what the suite has time for."""

SEED: Final = int(os.environ.get("CRASH_SEED", "1"))
START: Final = 10**6

_WAITS = pytest.mark.timeout(SECONDS * 3 + 300)

_USUAL = {
    Rule.KEY_REUSED, Rule.HOLD_POSTED, Rule.HOLD_VOIDED, Rule.HOLD_EXPIRED, Rule.HOLD_ACCOUNT,
    Rule.ABOVE_HOLD, Rule.ENTRY_REVERSED, Rule.ACCOUNT_OPEN, Rule.ACCOUNT_FROZEN,
    Rule.EXPIRY_PASSED, Rule.INSUFFICIENT_AVAILABLE, Rule.SAME_ACCOUNT,
}  # fmt: skip
"""Why a random request may be refused."""


def found(url: str) -> None:
    """Make the ledger that all of them share."""
    with Ledger.create(url) as ledger:
        for symbol in SYMBOLS:
            ledger.create_asset(symbol, symbol)
        for account in (*ACCOUNTS, HOT, *MOODY):
            ledger.create_account(account, START, asset=SYMBOLS[0])
            ledger.mint(account, START, asset=SYMBOLS[1])


# --- crews ------------------------------------------------------------------------------------


Down = list[tuple[float, float]]
"""When the database did not answer."""


def run_crew(guardian: Guardian, config: Config, trouble: Callable[[], None]) -> int:
    """Let a crew post while there is trouble; return how often it was killed."""
    log = Path(config.folder, "log")
    process = guardian.start(
        config.command,
        log=log,
        stop_signal=signal.SIGTERM,
        cwd=Path(__file__).parents[2],
    )
    try:
        while process.poll() is None and "killed" not in log.read_text():
            trouble()
        process.wait(PATIENCE)
    finally:
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        guardian.stop(process)
    assert process.returncode == 0, log.read_text()
    return int(log.read_text().split()[1])


def check_errors(config: Config, down: Down) -> None:
    """No error but that the database did not answer, and only while it did not."""
    for line in (line for path in logs(config) for line in read_log(path)):
        if isinstance(line, Failed):
            assert line.kind == "DatabaseFileError", line.words
            assert any(line.begun <= until and line.ended >= since for since, until in down), (
                line.words
            )


# --- what must be there -----------------------------------------------------------------------


class Stored:
    """All that a ledger holds, by the tags of the requests that made it."""

    def __init__(self, url: str) -> None:
        self.entries: dict[tuple[str, int], Entry] = {}
        self.by_tag: Counter[str] = Counter()
        with Ledger.open(url) as ledger, raw(url) as database:
            for symbol in SYMBOLS:
                self.entries |= {(e.asset, e.seq): e for e in ledger.entries(symbol)}
            self.changes = [told(change) for change in ledger.changes()]
            self.accounts = {account.account_id: account for account in ledger.accounts()}
            self.keys = {key for (key,) in database.run("SELECT key FROM token_keys")}
            self.holds = {
                bytes(id_): (number, account, tag)
                for id_, number, account, tag in database.run(
                    "SELECT id, number, account_id, reference_id FROM token_holds"
                )
            }
            self.events = Counter(database.run("SELECT type, account_id FROM token_events"))
            self.details = [row[0] for row in database.run("SELECT details FROM token_events")]
            report = ledger.audit()
            assert report.ok, report.finding
            check_sums(database)
        self.endowed = Counter(
            e.to_account for e in self.entries.values() if e.reason == "endowment"
        )
        self.by_tag.update(entry.reference_id for entry in self.entries.values())
        self.held = Counter(tag for _, _, tag in self.holds.values())


def check_sums(database: Raw) -> None:
    """I1 to I4 by SQL of our own, apart from the audit."""
    to_int: Callable[[Any], int] = int if database.postgresql else _from_blob
    for number, seq, events in database.run("SELECT asset, seq, events FROM token_journals"):
        seqs = database.run("SELECT seq FROM token_ledger WHERE asset = ? ORDER BY 1", number)
        assert seqs == [(n,) for n in range(1, seq + 1)]
        sql = "SELECT number FROM token_events WHERE asset = ? ORDER BY 1"
        assert database.run(sql, number) == [(n,) for n in range(1, events + 1)]
        sql = (
            "SELECT account_id, balance, total_earned, total_spent, total_staked "
            "FROM token_balances WHERE asset = ?"
        )
        rows = {row[0]: [to_int(x) for x in row[1:]] for row in database.run(sql, number)}
        held: Counter[str] = Counter()
        sql = "SELECT account_id, remaining FROM token_holds WHERE asset = ? AND state = 'pending'"
        for account, remaining in database.run(sql, number):
            held[account] += to_int(remaining)
        for account, (balance, earned, spent, staked) in rows.items():
            assert balance == earned - spent >= staked == held[account] >= 0
        if number:
            supply = rows.pop(ISSUER)[0]
            assert supply == sum(row[0] for row in rows.values())


def _from_blob(stored: bytes) -> int:
    return int.from_bytes(stored, "big")


def check_item(stored: Stored, item: Any, result: Receipt | RefusedError | None) -> None:  # noqa: ANN401 (of any kind)
    """What was acknowledged is there as it was said, what was refused is not, the rest is whole."""
    if isinstance(result, RefusedError):
        assert result.rule in _USUAL, (item, result)
    if isinstance(result, Receipt):
        check_receipt(stored, item, result)
    tag = getattr(item, "reference_id", item.idempotency_key)
    if isinstance(item, Movement) and item.reference_type == "crossed":
        known = isinstance(result, Receipt) or (
            isinstance(result, RefusedError) and result.rule == Rule.KEY_REUSED
        )
        assert stored.by_tag[tag] in ({1} if known else {0, 1})
    elif isinstance(item, Movement | PostHold | Group):
        whole = len(item.movements) if isinstance(item, Group) else 1
        assert stored.by_tag[tag] in _allowed(result, whole), (item, result)
    elif isinstance(item, PlaceHold):
        assert stored.held[tag] in _allowed(result, 1), (item, result)
    elif isinstance(item, OpenAccount):
        made = item.account_id in stored.accounts
        assert int(made) in _allowed(result, 1)
        assert stored.events["account_created", item.account_id] == made
        assert stored.endowed[item.account_id] == (made and item.initial_balance != 0)


def _allowed(result: Receipt | RefusedError | None, whole: int) -> set[int]:
    """Return how many parts of a request may be there."""
    if result is None:
        return {0, whole}
    return {whole} if isinstance(result, Receipt) else {0}


def check_receipt(stored: Stored, item: Any, receipt: Receipt) -> None:  # noqa: ANN401 (of any kind)
    """Every part of what was acknowledged is stored."""
    for entry in receipt.entries:
        assert stored.entries[entry.asset, entry.seq] == replace(entry, repeated=False)
    if receipt.hold is not None:
        number, account, _ = stored.holds[bytes(receipt.hold.id)]
        assert (number, account) == (receipt.hold.number, receipt.hold.account_id)
    if receipt.account is not None:
        assert stored.accounts[receipt.account.account_id].address == receipt.account.address
    if item.idempotency_key:
        assert item.idempotency_key in stored.keys
    if isinstance(item, SetLimits):
        assert any(str(item.max_balance) in words for words in stored.details)
    if isinstance(item, Reverse):
        assert len(receipt.entries) == stored.by_tag[item.reference_id]


_TURNS: Final = {Status.FROZEN: "account_frozen", Status.OPEN: "account_reopened"}


def check_turns(stored: Stored, asked: list[tuple[Ask, Got | None]]) -> None:
    """Every freeze and reopening that was acknowledged is there; no more than were asked."""
    done: Counter[tuple[str, str]] = Counter()
    maybe: Counter[tuple[str, str]] = Counter()
    for ask, got in asked:
        for position, item in enumerate(ask.items):
            if isinstance(item, SetStatus):
                event = (_TURNS[item.status], item.account_id)
                done[event] += got is not None and isinstance(got.results[position], Receipt)
                maybe[event] += got is None
    for event in maybe:
        assert done[event] <= stored.events[event] <= done[event] + maybe[event]


def check_followed(stored: Stored, config: Config) -> None:
    """Who followed the changes, killed and begun again, was told each of them once, in order."""
    for slot in range(config.slots):
        lines = read_log(log_path(Path(config.folder), slot))
        followed = [each for line in lines if isinstance(line, Followed) for each in line.changes]
        for symbol in ("", *SYMBOLS):
            mine = [each for each in followed if each[0] == symbol]
            assert mine == [each for each in stored.changes if each[0] == symbol][: len(mine)]
    entries = [(asset, seq) for asset, _, _, _, seq, _ in stored.changes if seq]
    assert sorted(entries) == sorted(stored.entries)
    assert len(stored.changes) == len(stored.entries) + sum(stored.events.values())


def check_all(config: Config, down: Down) -> str:
    """Compare what every worker was told with what is stored; return the figures."""
    check_errors(config, down)
    stored = Stored(config.url)
    asked = list(answers(Path(config.folder), config.slots))
    told: Counter[str] = Counter()
    for ask, got in asked:
        for position, item in enumerate(ask.items):
            result = got.results[position] if got else None
            check_item(stored, item, result)
            told[type(result).__name__] += 1
    check_turns(stored, asked)
    check_followed(stored, config)
    lines = [line for path in logs(config) for line in read_log(path)]
    for line in lines:
        if isinstance(line, Saw):
            assert bytes(stored.entries[line.symbol, line.seq].head) == line.head
    counts = Counter(type(line).__name__ for line in lines)
    retries = sum(line.retries for line in lines if isinstance(line, Ended))
    return (
        f"{len(asked)} calls: {dict(told)}; {len(stored.entries)} entries, {len(stored.holds)} "
        f"holds, {sum(stored.events.values())} events; {counts['Failed']} errors while down, "
        f"{counts['Saw']} reads, "
        f"{counts['Dropped']} given up, {retries} retries"
    )


# --- PostgreSQL -------------------------------------------------------------------------------


@pytest.fixture
def server(guardian: Guardian) -> Iterator[PostgresServer]:
    """Run a server of this test's own, which it may kill; nothing of it is left."""
    it = PostgresServer(guardian)
    yield it
    it.stop()


class Trouble:
    """What happens to a server meanwhile, and when it did not answer."""

    def __init__(self, server: PostgresServer, url: str, random: Random) -> None:
        self.down: Down = []
        self._server, self._url, self._random = server, url, random
        self._turn = 0

    def __call__(self) -> None:
        """Wait a moment, then end sessions or the whole server."""
        time.sleep(self._random.uniform(0.5, 2.5))
        kinds = (self._terminate, self._server.kill, self._terminate, self._server.stop_immediately)
        act = kinds[self._turn % len(kinds)]
        self._turn += 1
        since = time.time()
        act()
        if act != self._terminate:
            time.sleep(self._random.uniform(0, 0.3))
            self._server.start()
        self.down.append((since, time.time()))

    def __str__(self) -> str:
        return f"the server died {len(self.down) // 2} times"

    def _terminate(self) -> None:
        """End some sessions of the ledger, whatever they do, and wait until they are gone."""
        with psycopg.connect(libpq(self._url), autocommit=True) as administrator:
            administrator.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE application_name = 'evm-ledger' AND random() < 0.3"
            )


@_WAITS
def test_sixteen_processes_and_threads_and_a_server_that_dies(
    guardian: Guardian, server: PostgresServer, tmp_path: Path
) -> None:
    """I11 on PostgreSQL: workers, sessions and the server are killed while all of them post."""
    url = server.url(server.create_database())
    found(url)
    trouble = Trouble(server, url, Random(SEED))
    config = Config(url, str(tmp_path), SECONDS or 12, 16, 16, 0.4, SEED)
    killed = run_crew(guardian, config, trouble)
    figures = check_all(config, trouble.down)
    gone = sum(until - since for since, until in trouble.down)
    figures += f"; {killed} workers killed, {trouble} and did not answer for {gone:.1f} s"
    print(f"\n{figures}")  # noqa: T201 (pytest shows it with -s: the figures of `make crash`)
    assert killed > 10
    assert len(trouble.down) > 1  # a slow machine takes its time to start a server


# --- SQLite -----------------------------------------------------------------------------------


@_WAITS
def test_eight_processes_on_one_file(guardian: Guardian, sqlite_url: str, tmp_path: Path) -> None:
    """I11 on SQLite: no worker ever hears anything but its answer."""
    found(sqlite_url)
    folder = tmp_path / "logs"
    folder.mkdir()
    config = Config(sqlite_url, str(folder), SECONDS or 5, 8, 0, 0.1, SEED)
    killed = run_crew(guardian, config, lambda: time.sleep(0.05))
    print(f"\n{check_all(config, [])}; {killed} workers killed")  # noqa: T201 (as above)
    assert killed > 10


def test_a_killed_server_forgets_what_it_did_not_flush(server: PostgresServer) -> None:
    """Why the head is released by the flush and not before: what everybody saw would be gone.

    It also shows that the server above is killed hard enough to lose what is not durable.
    """
    url = server.url(server.create_database())
    found(url)
    with psycopg.connect(libpq(url), autocommit=True) as administrator:
        administrator.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        administrator.execute("SELECT pg_reload_conf()")
    version = "SELECT row_version FROM token_journals WHERE asset = 1"
    with Ledger.open(url) as ledger:
        flushed = [ledger.transfer("a1", "a2", 1, asset="SCI") for _ in range(5)]
        with psycopg.connect(libpq(url)) as early, raw(url) as reader:
            [(before,)] = reader.run(version)
            early.execute("SET LOCAL synchronous_commit = off")
            early.execute("UPDATE token_journals SET row_version = row_version + 1000")
            early.commit()
            assert reader.run(version) == [(before + 1_000,)]
            server.kill()
        server.start()
        assert list(ledger.entries("SCI", first=flushed[0].seq)) == flushed
        with raw(url) as reader:
            assert reader.run(version) == [(before,)]
