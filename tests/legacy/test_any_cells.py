"""Whatever an old database holds, it is reported or imported; nothing falls over."""

from __future__ import annotations

from datetime import UTC
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import Ledger
from ledger.legacy import import_legacy
from ledger.legacy_model import ACCEPTABLE, OldAccount, OldEntry, OldTables, Target
from ledger.legacy_plan import make_plan
from tests.ledger.support import dump
from tests.legacy.old_ledger import ACCOUNT_COLUMNS, ENTRY_COLUMNS, OldLedger

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_790_000_000_000_000

names = st.sampled_from(["system", "a", "b", "caf\u00e9", "0x" + "ab" * 20])
times = st.sampled_from(["2025-01-06", "2025-01-06T09:00:00Z", "2025-01-06 09:00:00+09:00"])
numbers = st.one_of(st.sampled_from([0.5, 1.0, 1e-7, 1e60, 5.0]), st.floats(width=64))
tame = st.sampled_from([0.5, 1.0, 2.5, 5.0, 0.1, 1e-7])
odd = st.one_of(
    st.none(),
    st.text("ab c", max_size=5),
    st.binary(max_size=3),
    numbers,
    st.integers(-(2**63), 2**63 - 1),
    names,
    times,
)
odder = st.one_of(
    odd,
    st.booleans(),
    st.text(max_size=5),
    st.just("cafe\u0301"),
    st.characters(categories=["Cs"]),
    st.decimals(),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.dates(),
    st.just("x" * 5_000),
)


def cells(
    columns: tuple[str, ...], wild: st.SearchStrategy[Any], usual_numbers: st.SearchStrategy[float]
) -> st.SearchStrategy[list[Any]]:
    """Return rows in which most cells are what their column is for."""
    usual = {
        "id": st.text(st.characters(categories=["L"]), min_size=1, max_size=3),
        "timestamp": times,
        "created_at": times,
        "updated_at": times,
        "from_account": st.sampled_from(["system", "system", "a", "b"]),
        "to_account": st.sampled_from(["a", "caf\u00e9", "0x" + "ab" * 20]),
        "account_id": names,
    }
    usual |= dict.fromkeys(("reason", "reference_type", "reference_id", "memo"), st.just("text"))
    chosen = [st.one_of(*[usual.get(name, usual_numbers)] * 40, wild) for name in columns]
    return st.tuples(*chosen).map(list)


@given(
    st.lists(cells(ENTRY_COLUMNS, odder, numbers), max_size=12),
    st.lists(cells(ACCOUNT_COLUMNS, odder, numbers), max_size=5),
    st.integers(0, 255),
)
def test_a_plan_is_always_made(
    entries: list[list[Any]], accounts: list[list[Any]], decimals: int
) -> None:
    row = count(1)
    tables = OldTables(
        [OldEntry(next(row), *it) for it in entries],
        [OldAccount(next(row), *it) for it in accounts],
    )
    plan = make_plan(tables, Target("SCI", decimals, NOW))
    assert plan.defects or not plan.corrections


@settings(max_examples=25)
@given(
    st.lists(cells(ENTRY_COLUMNS, odd, tame), min_size=3, max_size=12),
    st.lists(cells(ACCOUNT_COLUMNS, odd, tame), max_size=3, unique_by=lambda it: repr(it[0])),
)
def test_what_is_accepted_is_booked_and_audited(
    tmp_path_factory: Any,  # noqa: ANN401 (pytest's own)
    entries: list[list[Any]],
    accounts: list[list[Any]],
) -> None:
    folder: Path = tmp_path_factory.mktemp("old")
    old = OldLedger([dict(zip(ENTRY_COLUMNS, it, strict=True)) for it in entries])
    for number, it in enumerate(accounts):
        old.accounts[str(number)] = dict(zip(ACCOUNT_COLUMNS, it, strict=True))
    url, source = f"sqlite:///{folder / 'new.db'}", old.write_sqlite(folder / "old.db")
    with Ledger.create(url) as ledger:
        ledger.create_asset("SCI", "Science", 6)
        before = dump(url)
        report = import_legacy(ledger, source, accept=ACCEPTABLE)
        assert ledger.head().seq == report.booked
        assert report.ok or dump(url) == before
        assert ledger.audit().ok
        if report.ok:
            assert import_legacy(ledger, source, accept=ACCEPTABLE).booked == 0
