"""The oracle at work: any history on the model, SQLite and PostgreSQL is one history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings

from ledger import LedgerError
from tests.oracle.faults import FAULTS
from tests.oracle.running import bound, run_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.oracle.machine import Machine
    from tests.support.postgres import PostgresServer


# What Hypothesis would print of a drawn batch is long; it is short again once it is shrunk.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


@pytest.fixture
def machine(postgres_server: PostgresServer) -> Iterator[type[Machine]]:
    """Return the machine with databases of its own."""
    with bound(postgres_server) as one:
        yield one


def test_any_history_is_the_models(machine: type[Machine]) -> None:
    run_machine(machine, settings(max_examples=12, stateful_step_count=20))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found(
    machine: type[Machine],
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[pytest.MonkeyPatch], None],
) -> None:
    fault(monkeypatch)
    # The machine says so, or the ledger, or a number that no column can hold.
    with pytest.raises((AssertionError, LedgerError, ArithmeticError)):
        run_machine(
            machine,
            settings(max_examples=100, stateful_step_count=20, phases=[Phase.generate]),
        )
