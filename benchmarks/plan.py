"""Which benchmarks there are, and a run of those that were chosen."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain as joined
from typing import TYPE_CHECKING, Final

from benchmarks import batches, chain, growth, http_load, machine, peer, processes, threads
from benchmarks.databases import Postgresql, Sqlite
from tests.support.guardian import Guardian

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.databases import Database
    from benchmarks.measure import Result
    from benchmarks.sizes import Sizes

SECTIONS: Final = {
    "chain": "gas of a replay on Anvil, balances read in one call",
    "batches": "post_many at 1, 100, 500 and 5,000 a call, beside the driver's bare rows",
    "singles": "one entry a commit: one thread, 16 and 64, spread and on one hot account",
    "processes": "one process and eight",
    "http": "the HTTP API: reads and writes, 1, 16 and 64 connections",
    "pgledger": "the same loads on pgledger (needs --pgledger)",
    "growth": "audit, export, import, statements, bytes, memory: young, and with --entries",
}
"""Every section, in the order of a run, and what it measures."""

DATABASES: Final = ("SQLite", "PostgreSQL")


@dataclass(slots=True)
class Plan:
    """What to measure, and what is known of the machine once it runs."""

    sizes: Sizes
    sections: frozenset[str] = frozenset(SECTIONS)
    databases: frozenset[str] = frozenset(DATABASES)
    pgledger: Path | None = None
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out (but pgledger, which is not ours to bring)."""
        return self.sections >= SECTIONS.keys() and self.databases == set(DATABASES)

    def run(self) -> Iterator[Result]:
        """Measure, and give each result as soon as it is there."""
        with closing(Guardian()) as guardian:
            server = Postgresql(guardian) if "PostgreSQL" in self.databases else None
            self.facts = machine.facts(server)
            if "chain" in self.sections:
                yield from chain.measure()
            if "SQLite" in self.databases:
                yield from self._measured(Sqlite(guardian))
            if server is not None:
                yield from self._measured(server)
                if self.pgledger is not None and "pgledger" in self.sections:
                    yield from peer.measure(server, self.sizes, self.pgledger)
                server.stop()

    def _measured(self, database: Database) -> Iterator[Result]:
        """Measure everything that both databases have."""
        sections = {
            "batches": (batches.measure,),
            "singles": (batches.alone, threads.measure),
            "processes": (processes.measure,),
            "http": (http_load.measure,),
            "growth": (growth.measure,),
        }
        chosen = joined.from_iterable(
            measures for name, measures in sections.items() if name in self.sections
        )
        for measure in chosen:
            yield from measure(database, self.sizes)
