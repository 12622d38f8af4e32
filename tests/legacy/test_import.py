"""A clean old ledger of the documented size becomes the same ledger, exactly, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from ledger import ISSUER, Ledger, LedgerError, Movement, RefusedError, Rule
from ledger.legacy import ForeignJournalError, import_legacy
from tests.ledger.support import unchanged
from tests.legacy.old_ledger import ACCOUNTS, END_OF_RUN, ENTRIES, OldLedger, generate

ROOT = Path(__file__).parents[2]
UNIT = 10**18


@pytest.fixture(scope="module")
def old() -> OldLedger:
    return generate()


@pytest.fixture(scope="module")
def source(old: OldLedger, tmp_path_factory: pytest.TempPathFactory) -> str:
    return old.write_sqlite(tmp_path_factory.mktemp("old") / "old.db")


def create(url: str) -> Ledger:
    ledger = Ledger.create(url)
    ledger.create_asset("SCI", "Science", 18)
    return ledger


def balances(ledger: Ledger) -> dict[str, Fraction]:
    found = {it.account_id: Fraction(it.balance, UNIT) for it in ledger.balances()}
    return {**found, ISSUER: Fraction(-ledger.get_total_supply(), UNIT)}


def moment(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def test_the_documented_ledger(database_url: str, old: OldLedger, source: str) -> None:
    sizes: list[int] = []
    with create(database_url) as ledger:
        report = import_legacy(ledger, source, progress=sizes.append)
        assert (report.ok, report.plan.defects, report.plan.corrections) == (True, (), [])
        assert (report.booked, report.booked_before, report.plan.left_out) == (ENTRIES, 0, 0)
        assert sizes == [5_000, 5_000, 5_000, 5_000, 2_912]
        assert balances(ledger) == old.exact()
        assert len(list(ledger.accounts())) == ACCOUNTS + 1
        assert ledger.audit().ok
        with unchanged(database_url):
            again = import_legacy(ledger, source)
        assert (again.ok, again.booked, again.booked_before) == (True, 0, ENTRIES)


def test_entries_keep_what_they_say(sqlite_url: str, old: OldLedger, source: str) -> None:
    rows = {row["id"]: row for row in old.entries}
    with create(sqlite_url) as ledger:
        plan = import_legacy(ledger, source).plan
        entries = list(ledger.entries())
    assert [entry.idempotency_key for entry in entries] == [row["id"] for row in old.entries]
    moved = 0
    for entry in entries:
        row = rows[entry.idempotency_key]
        late = entry.time - moment(row["timestamp"])
        moved += bool(late)
        assert 0 <= late.total_seconds() < 0.001
        assert Fraction(entry.amount, UNIT) == Fraction(str(row["amount"]))
        for name in ("from_account", "to_account"):
            assert getattr(entry, name) == row[name]
        for name in ("reason", "reference_type", "reference_id", "memo"):
            assert getattr(entry, name) == (row[name] or "")
    assert plan.moved == moved > 1_000


def test_roundings_of_doubles_are_told_and_change_nothing(old: OldLedger, sqlite_url: str) -> None:
    with create(sqlite_url) as ledger:
        path = Path(sqlite_url.removeprefix("sqlite:///")).with_name("old.db")
        plan = import_legacy(ledger, old.write_sqlite(path)).plan
        exact = balances(ledger)
    assert plan.rounded_after > 10_000
    told = [it for it in plan.roundings if it.field == "balance"]
    for it in told:
        assert Fraction(it.exact) == exact[it.account_id] != Fraction(it.stored)
        assert abs(it.stored - it.exact) < 1e-9
    assert {it.account_id for it in told} <= set(old.accounts)
    assert len(told) > ACCOUNTS / 2


# --- an interrupted import ---


class StopError(Exception):
    """What interrupts."""


def test_an_import_that_was_interrupted_goes_on(
    database_url: str, old: OldLedger, source: str
) -> None:
    def stop(_: int) -> None:
        raise StopError

    with create(database_url) as ledger:
        for done in (5_000, 10_000):
            with pytest.raises(StopError):
                import_legacy(ledger, source, progress=stop)
            assert ledger.head().seq == done
            assert ledger.audit().ok
        report = import_legacy(ledger, source)
        assert (report.booked_before, report.booked) == (10_000, 12_912)
        assert balances(ledger) == old.exact()
        assert ledger.audit().ok


KILLED = """
import os, signal, sys
from ledger import Ledger
from ledger.legacy import import_legacy
with Ledger.open(sys.argv[1]) as ledger:
    import_legacy(ledger, sys.argv[2], progress=lambda _: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_an_import_that_was_killed_goes_on(database_url: str, old: OldLedger, source: str) -> None:
    create(database_url).close()
    command = [sys.executable, "-c", KILLED, database_url, source]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    with Ledger.open(database_url) as ledger:
        assert ledger.head().seq == 5_000
        report = import_legacy(ledger, source)
        assert (report.booked_before, report.booked) == (5_000, 17_912)
        assert balances(ledger) == old.exact()
        assert ledger.audit().ok


def test_a_run_that_fails_leaves_nothing(
    sqlite_url: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create(sqlite_url) as ledger:
        import_legacy(ledger, source, dry_run=True)
        monkeypatch.setattr("ledger.legacy.MAX_RUN", 5_001)
        accounts = len(list(ledger.accounts()))
        with pytest.raises(LedgerError, match="at most 5000 entries"):
            import_legacy(ledger, source)
        assert (accounts, ledger.head().seq) == (1, 0)


# --- journals that are not empty ---


def small(**options: int) -> OldLedger:
    return generate(8, 120, **options)


def test_a_journal_of_others_is_refused(database_url: str, tmp_path: Path) -> None:
    source = small().write_sqlite(tmp_path / "old.db")
    with create(database_url) as ledger:
        ledger.create_account("alice")
        with unchanged(database_url), pytest.raises(ForeignJournalError, match="seq 1"):
            import_legacy(ledger, source)


def test_accounts_that_are_there_are_used(sqlite_url: str, tmp_path: Path) -> None:
    source = small().write_sqlite(tmp_path / "old.db")
    with create(sqlite_url) as ledger:
        account = ledger.create_account("agent-003", 0)
        import_legacy(ledger, source)
        assert ledger.account("agent-003") == account
        assert ledger.audit().ok


def test_a_ledger_in_use_takes_no_second_import(database_url: str, tmp_path: Path) -> None:
    old = small()
    source = old.write_sqlite(tmp_path / "old.db")
    with create(database_url) as ledger:
        import_legacy(ledger, source)
        ledger.mint("agent-001", 5)
        with unchanged(database_url):
            assert import_legacy(ledger, source).booked == 0
        old.move("system", "agent-002", 1.0, END_OF_RUN)
        grown = old.write_sqlite(tmp_path / "grown.db")
        with unchanged(database_url), pytest.raises(ForeignJournalError, match="seq 121"):
            import_legacy(ledger, grown)


def test_what_the_old_program_added_meanwhile_is_booked(sqlite_url: str, tmp_path: Path) -> None:
    old = small()
    with create(sqlite_url) as ledger:
        import_legacy(ledger, old.write_sqlite(tmp_path / "old.db"))
        old.open("newcomer", END_OF_RUN)
        old.move("system", "newcomer", 1.5, END_OF_RUN)
        report = import_legacy(ledger, old.write_sqlite(tmp_path / "grown.db"))
        assert (report.booked_before, report.booked) == (120, 1)
        assert balances(ledger) == old.exact()


def test_what_the_old_program_changed_meanwhile_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    with create(sqlite_url) as ledger:
        import_legacy(ledger, small().write_sqlite(tmp_path / "old.db"))
        other = small(seed=9).write_sqlite(tmp_path / "other.db")
        with unchanged(sqlite_url), pytest.raises(ForeignJournalError):
            import_legacy(ledger, other)


def test_somebody_who_posts_meanwhile_ends_the_import(
    database_url: str, source: str, old: OldLedger
) -> None:
    del old
    with create(database_url) as ledger:

        def post(_: int) -> None:
            ledger.post_many([Movement(ISSUER, "agent-001", 1)])

        with pytest.raises(RefusedError) as refused:
            import_legacy(ledger, source, progress=post)
        assert refused.value.rule is Rule.TIME_PASSED
        assert ledger.head().seq == 5_001
        assert ledger.audit().ok


def test_an_asset_is_named_where_there_are_several(sqlite_url: str, tmp_path: Path) -> None:
    source = small().write_sqlite(tmp_path / "old.db")
    with create(sqlite_url) as ledger:
        ledger.create_asset("GOLD", "Gold", 6)
        with pytest.raises(RefusedError) as refused:
            import_legacy(ledger, source)
        assert refused.value.rule is Rule.ASSET_REQUIRED
        assert import_legacy(ledger, source, asset="GOLD").booked == 120
        assert ledger.head("SCI").seq == 0


def test_an_old_ledger_without_rows(sqlite_url: str, tmp_path: Path) -> None:
    source = OldLedger().write_sqlite(tmp_path / "old.db")
    with create(sqlite_url) as ledger, unchanged(sqlite_url):
        report = import_legacy(ledger, source)
    assert (report.ok, report.booked, report.plan.rows) == (True, 0, 0)
