"""How long each page of the explorer takes on a large ledger: `python -m tests.api.large`.

With an account for every forty entries, on SQLite, one visitor at a time.
"""

from __future__ import annotations

import sys
import tempfile
import time

from bridge.api import Settings
from ledger import Ledger
from tests.api.server import ApiServer
from tests.ledger import bulk

TIMES = 5


def paths(ledger: Ledger, entries: int) -> dict[str, str]:
    """Return pages that would be slow if one were."""
    middle = next(ledger.entries("SCI", entries // 2, entries // 2)).id
    hold = next(ledger.holds(asset="SCI")).id
    return {
        "home": "/",
        "entries, newest": "/entries",
        "entries, middle": f"/entries?at={entries // 2}",
        "entry": f"/entry/{middle}",
        "accounts, middle": f"/accounts?after={bulk.account(entries // 80)}",
        "account with half of all entries": f"/account/{bulk.HOT}",
        "the same, its oldest": f"/account/{bulk.HOT}?at=1000",
        "account with few entries": f"/account/{bulk.account(7)}",
        "seals": "/seals",
        "batch": "/batch/1",
        "holds, middle": f"/holds?at={entries // 20}",
        "holds of one account": f"/holds?account={bulk.HOT}",
        "hold": f"/hold/{hold}",
        "search: beginning of an id": "/search?q=account-0",
        "search: id": f"/search?q={middle}",
        "search: reference of all entries": "/search?q=job/1",
        "search: nothing": "/search?q=nothing",
    }


def main(entries: int) -> None:
    """Make a ledger, ask for each page several times, and print the best and the worst."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger.create(f"sqlite:///{folder}/ledger.db") as ledger,
    ):
        bulk.found(ledger, entries // 40)
        bulk.fill(ledger, entries, entries // 40)
        ledger.seal()
        server = ApiServer(ledger, Settings(open_reads=True, rate=1e6, burst=1_000_000))
        client = server.client()
        for name, path in paths(ledger, entries).items():
            took = []
            for _ in range(TIMES):
                began = time.perf_counter()
                assert client.get(path).status_code < 400
                took.append(1_000 * (time.perf_counter() - began))
            print(f"{name:36} {min(took):7.1f} ms, at worst {max(took):7.1f} ms")  # noqa: T201 (its table)
        server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
