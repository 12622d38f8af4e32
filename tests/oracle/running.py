"""How the machine is run: on which databases, and for how long."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.oracle.machine import Machine, Worlds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import PostgresServer


@contextmanager
def bound(server: PostgresServer) -> Iterator[type[Machine]]:
    """Give the machine with databases of its own; in memory where the system has such a folder."""
    memory = Path("/dev/shm")  # noqa: S108 (a folder of our own is made in it)
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield type("Bound", (Machine,), {"worlds": Worlds(Path(folder), server)})


def run_machine(machine: type[Machine], options: settings) -> None:
    """Run histories until they are enough, or one is not the model's."""
    plain = settings(
        options,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=plain)
