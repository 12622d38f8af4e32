"""Numbers go through the shortest decimal that round-trips, and are exact from there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from fractions import Fraction

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.legacy_history import Agreement, Tally
from ledger.legacy_model import DefectKind, OldEntry, OldTables, Target
from ledger.legacy_plan import CORRECTION, make_plan
from ledger.legacy_rows import CellError, decimal_of, read_number, read_time, shown
from tests.ledger.support import libpq
from tests.legacy.old_ledger import END_OF_RUN, OldLedger

NOW = 1_790_000_000_000_000
TRAPS = {
    0.1 + 0.2: "0.30000000000000004",
    0.1: "0.1",
    1234.567: "1234.567",
    1e-7: "0.0000001",
    1e22: "10000000000000000000000",
    1e23: "1e23",
    float(2**53 + 1): "9007199254740992",  # a double never held the 1
    2.0**53 + 2: "9007199254740994",
    5e-324: "5e-324",
    1.7976931348623157e308: "1.7976931348623157e308",
    4.35: "4.35",
    1.005: "1.005",
}


@pytest.mark.parametrize(("number", "text"), TRAPS.items(), ids=TRAPS.values())
def test_a_trap_is_what_it_shows(number: float, text: str) -> None:
    assert decimal_of(number) == Decimal(text) == Decimal(repr(number))


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(0.1 + 0.2)
@example(1e22)
@example(-0.0)
def test_a_double_is_its_shortest_decimal(number: float) -> None:
    assert decimal_of(number) == Decimal(repr(number))
    assert float(decimal_of(number)) == number
    assert read_number(number) == decimal_of(number)
    assert Decimal(shown(decimal_of(number))) == decimal_of(number)


@given(st.integers(0, 10**15), st.integers(0, 15))
def test_what_was_written_with_15_digits_comes_back(digits: int, decimals: int) -> None:
    written = Decimal(digits).scaleb(-decimals)
    assert decimal_of(float(written)) == written


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_doubles_survive_sqlite(numbers: list[float]) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (x REAL)")
        connection.executemany("INSERT INTO t VALUES (?)", ((number,) for number in numbers))
        back = [x for (x,) in connection.execute("SELECT x FROM t ORDER BY rowid")]
    assert [decimal_of(x) for x in back] == [decimal_of(x) for x in numbers]


def test_doubles_survive_postgresql(postgres_url: str) -> None:
    with psycopg.connect(libpq(postgres_url)) as connection:
        for number, text in TRAPS.items():
            row = connection.execute("SELECT %s::double precision", (number,)).fetchone()
            assert row is not None
            assert decimal_of(row[0]) == Decimal(text)


@given(st.lists(st.floats(1e-6, 1e12), min_size=1, max_size=60))
def test_a_sum_of_doubles_is_within_its_slack(amounts: list[float]) -> None:
    tally, stored = Tally(53), 0.0
    for amount in amounts:
        tally.add(decimal_of(amount))
        stored += amount
    assert tally.value == sum(map(decimal_of, amounts), Decimal(0))
    assert tally.agrees(decimal_of(stored)) is not Agreement.DIFFERS
    lost = decimal_of(stored) + min(map(decimal_of, amounts)) + tally.slack * 3
    assert tally.agrees(lost) is Agreement.DIFFERS


def test_a_loss_is_no_rounding() -> None:
    tally = Tally(53)
    for _ in range(20_000):
        tally.add(Decimal("40.5"))
    assert tally.agrees(Decimal("810000.0000001")) is Agreement.ROUNDED
    assert tally.agrees(Decimal("809999.99999")) is Agreement.DIFFERS


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (None, DefectKind.MISSING_FIELD),
        ("1.5", DefectKind.WRONG_TYPE),
        (b"1", DefectKind.WRONG_TYPE),
        (True, DefectKind.WRONG_TYPE),
        (float("nan"), DefectKind.NOT_FINITE),
        (float("-inf"), DefectKind.NOT_FINITE),
        (Decimal("NaN"), DefectKind.NOT_FINITE),
    ],
)
def test_a_cell_that_is_no_number(cell: object, kind: DefectKind) -> None:
    with pytest.raises(CellError) as refused:
        read_number(cell)
    assert refused.value.kind is kind


@pytest.mark.parametrize("cell", [3, Decimal(3), 3.0])
def test_a_whole_number_is_exact(cell: object) -> None:
    assert read_number(cell) == 3


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("2025-01-31T12:00:00", 1_738_324_800_000_000),
        ("2025-01-31 12:00:00.000001", 1_738_324_800_000_001),
        ("2025-01-31T12:00:00Z", 1_738_324_800_000_000),
        ("2025-01-31T14:00:00+02:00", 1_738_324_800_000_000),
        ("2025-01-31T08:30:00.5-03:30", 1_738_324_800_500_000),
        ("2025-01-31", 1_738_281_600_000_000),
        ("1970-01-01T00:00:00", 0),
    ],
)
def test_a_time_without_an_offset_is_utc(text: str, microseconds: int) -> None:
    assert read_time(text, NOW) == microseconds


# --- plans over random tables, against sums of fractions ---

NAMES = ("system", "a", "b", "c")
AMOUNTS = st.one_of(
    st.sampled_from([0.1, 0.2, 0.1 + 0.2, 1e-7, 1234.567, 1.0, 0.0, -1.0]), st.floats(1e-9, 1e6)
)
MOVES = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from(NAMES), AMOUNTS, st.integers(0, 5), st.booleans()
    ),
    max_size=25,
)


@given(MOVES, st.dictionaries(st.sampled_from(NAMES[1:]), st.floats(-1e3, 1e6)), st.integers(0, 18))
def test_a_plan_can_be_booked_and_ends_with_what_was_stored(
    moves: list[tuple[str, str, float, int, bool]], spoilt: dict[str, float], decimals: int
) -> None:
    old = OldLedger()
    for name in NAMES[1:]:
        old.open(name, "2025-01-01")
    old.open("system", "2025-01-01")
    for payer, payee, amount, second, is_twice in moves:
        old.move(payer, payee, amount, f"2025-01-01T00:00:0{second}")
        if is_twice:
            old.entries[-1]["id"] = "tx"
    for name, stored in spoilt.items():
        old.accounts[name]["balance"] = stored
    tables = old.tables()
    plan = make_plan(tables, Target("SCI", decimals, NOW))
    assert plan == make_plan(tables, Target("SCI", decimals, NOW))
    assert plan.defects or not plan.corrections
    has = dict.fromkeys(NAMES, 0)
    for posting in plan.postings:
        movement = posting.movement
        assert movement.amount > 0
        assert movement.from_account != movement.to_account
        assert posting.is_correction == (movement.reason == CORRECTION)
        has[movement.from_account] -= movement.amount
        has[movement.to_account] += movement.amount
        assert all(has[name] >= 0 for name in NAMES[1:])
    assert sum(has.values()) == 0
    assert -has["system"] == plan.minted - plan.burned
    times = [posting.at for posting in plan.postings]
    assert times == sorted(set(times))
    keys = [posting.movement.idempotency_key for posting in plan.postings]
    assert len(set(keys)) == len(keys)
    differing = {it.name for it in plan.defects if it.kind is DefectKind.BALANCE_DIFFERS}
    for name in differing:
        exact = Fraction(str(old.accounts[name]["balance"])) * 10**decimals
        assert has[name] == max(0, int(exact))


def test_the_old_program_may_have_numbers_of_any_size() -> None:
    """A plan is exact from the smallest double to the largest."""
    cells = (5e-324, 1.7976931348623157e308, 1e22)
    entries = [
        OldEntry(row, f"t{row}", END_OF_RUN, "system", "a", cell, balance_after_to=0.0)
        for row, cell in enumerate(cells, 1)
    ]
    plan = make_plan(OldTables(entries, []), Target("SCI", 18, NOW))
    assert [it.movement.amount for it in plan.postings] == [10**40]
    kinds = [it.kind for it in plan.defects]
    assert DefectKind.AMOUNT_DECIMALS in kinds
    assert DefectKind.AMOUNT_TOO_LARGE in kinds
