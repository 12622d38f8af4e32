"""Each thing that can be wrong is reported by name with its row, and corrected if accepted."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ledger import Ledger
from ledger.legacy import import_legacy
from ledger.legacy_model import ACCEPTABLE, DefectKind, Target
from ledger.legacy_plan import CORRECTION, make_plan
from ledger.legacy_source import read_tables
from tests.ledger.support import unchanged
from tests.legacy import plants
from tests.legacy.old_ledger import OldLedger, generate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from ledger.legacy_model import Defect

    Plant = Callable[[OldLedger], set[plants.Found]]

NOW = 1_790_000_000_000_000
"""After everything that the generator makes."""


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    with Ledger.create(sqlite_url) as ledger:
        ledger.create_asset("SCI", "Science", 6)
        yield ledger


def found(defects: Iterable[Defect]) -> list[plants.Found]:
    return sorted((it.kind, it.table, it.row, it.field) for it in defects)


@pytest.mark.parametrize("plant", plants.ACCEPTED.values(), ids=plants.ACCEPTED.keys())
def test_a_defect_is_named_and_corrected(
    ledger: Ledger, sqlite_url: str, tmp_path: Path, plant: Plant
) -> None:
    old = generate(8, 120)
    planted = plant(old)
    source = old.write_sqlite(tmp_path / "old.db")
    with unchanged(sqlite_url):
        refused = import_legacy(ledger, source)
        assert found(refused.plan.defects) == found(refused.refused) == sorted(planted)
        assert not refused.ok
        import_legacy(ledger, source, accept=ACCEPTABLE, dry_run=True)
    accepted = import_legacy(ledger, source, accept=ACCEPTABLE)
    assert accepted.ok
    assert accepted.booked == len(accepted.plan.postings)
    assert ledger.audit().ok
    for account in old.accounts.values():
        if isinstance(stored := account["balance"], float):
            has = Decimal(ledger.get_balance(account["account_id"]))
            assert abs(has - max(Decimal(0), Decimal(str(stored)).scaleb(6))) < 1
    corrections = [it for it in ledger.entries() if it.reason == CORRECTION]
    assert len(corrections) == len(accepted.plan.corrections)
    with unchanged(sqlite_url):
        assert import_legacy(ledger, source, accept=ACCEPTABLE).booked == 0


@pytest.mark.parametrize("plant", plants.FATAL.values(), ids=plants.FATAL.keys())
def test_what_cannot_be_corrected_cannot_be_accepted(
    ledger: Ledger, sqlite_url: str, tmp_path: Path, plant: Plant
) -> None:
    old = generate(8, 120)
    planted = plant(old)
    source = old.write_sqlite(tmp_path / "old.db")
    with unchanged(sqlite_url):
        report = import_legacy(ledger, source, accept=frozenset(DefectKind))
    assert not report.ok
    assert found(report.refused) == sorted(planted)


def test_every_defect_at_once_in_a_ledger_of_the_documented_size(tmp_path: Path) -> None:
    old = generate()
    expected = [
        it for plant in (*plants.ACCEPTED.values(), *plants.FATAL.values()) for it in plant(old)
    ]
    tables = read_tables(old.write_sqlite(tmp_path / "old.db"))
    plan = make_plan(tables, Target("SCI", 6, NOW))
    assert found(plan.defects) == sorted(expected)
    assert {kind for kind, *_ in expected} == set(DefectKind) - {DefectKind.KEY_USED}


def test_a_defect_says_what_and_how_much() -> None:
    old = generate(8, 120)
    plants.ACCEPTED["negative moment"](old)
    plants.ACCEPTED["balance too high"](old)
    plan = make_plan(old.tables(), Target("SCI", 6, NOW))
    assert [(str(it), it.if_accepted) for it in plan.defects] == [
        (
            "token_ledger row 121 (tx-000121) amount: late is short by 5",
            "mints 5 to it just before",
        ),
        (
            "token_accounts row 10 (spoilt-9) balance: stored 22.25, the entries make 15",
            "makes it 22.25",
        ),
    ]


def test_corrections_refer_to_what_needs_them() -> None:
    old = generate(8, 120)
    plants.ACCEPTED["negative moment"](old)
    plants.ACCEPTED["balance too high"](old)
    plan = make_plan(old.tables(), Target("SCI", 6, NOW))
    shown = [
        (it.from_account, it.to_account, it.amount, it.reference_type, it.reference_id, it.memo)
        for it in (posting.movement for posting in plan.corrections)
    ]
    assert shown == [
        ("system", "late", 5_000_000, "token_ledger", "tx-000121", "late is short by 5"),
        ("late", "system", 5_000_000, "token_accounts", "late", "booked 12.5, must be 7.5"),
        ("system", "spoilt-9", 7_250_000, "token_accounts", "spoilt-9", "booked 15, must be 22.25"),
    ]
    assert {it.movement.reason for it in plan.corrections} == {CORRECTION}
    mint = plan.postings.index(plan.corrections[0])
    assert plan.postings[mint + 1].movement.idempotency_key == "tx-000121"


def test_only_the_kinds_that_are_accepted_are(
    ledger: Ledger, sqlite_url: str, tmp_path: Path
) -> None:
    old = generate(8, 120)
    plants.ACCEPTED["no history"](old)
    plants.ACCEPTED["id twice"](old)
    source = old.write_sqlite(tmp_path / "old.db")
    with unchanged(sqlite_url):
        report = import_legacy(ledger, source, accept={DefectKind.NO_HISTORY})
    assert [it.kind for it in report.refused] == [DefectKind.DUPLICATE_ID]
    both = {DefectKind.NO_HISTORY, DefectKind.DUPLICATE_ID}
    assert import_legacy(ledger, source, accept=both).booked == 121


def test_an_id_that_is_a_key_elsewhere_in_the_ledger(
    ledger: Ledger, sqlite_url: str, tmp_path: Path
) -> None:
    first = generate(8, 120).write_sqlite(tmp_path / "first.db")
    second = generate(8, 121, seed=8).write_sqlite(tmp_path / "second.db")
    ledger.create_asset("GOLD", "Gold", 6)
    assert import_legacy(ledger, first, asset="SCI").ok
    with unchanged(sqlite_url):
        refused = import_legacy(ledger, second, asset="GOLD").refused
    assert found(refused) == [
        (DefectKind.KEY_USED, "token_ledger", row, "id") for row in range(1, 121)
    ]
    kinds = {DefectKind.KEY_USED}
    assert import_legacy(ledger, second, asset="GOLD", accept=kinds).booked == 121
    last = list(ledger.entries("GOLD"))[-1]
    assert last.idempotency_key == "tx-000121"
    assert ledger.audit().ok
    with unchanged(sqlite_url):
        assert import_legacy(ledger, second, asset="GOLD", accept=kinds).booked == 0
        assert import_legacy(ledger, first, asset="SCI").booked == 0


def test_what_is_stored_for_the_issuer_says_nothing(ledger: Ledger, tmp_path: Path) -> None:
    old = generate(8, 120)
    old.open("system", "whenever")
    old.accounts["system"] |= {"balance": -5.0, "total_earned": None, "total_staked": "x"}
    assert import_legacy(ledger, old.write_sqlite(tmp_path / "old.db")).ok
