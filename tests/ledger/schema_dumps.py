"""Populated ledgers of every schema revision, as SQL in `tests/data`; each made by its own code.

Before the schema changes, run `python -m tests.ledger.schema_dumps` once, with the code that is
about to change. What is stored is not made again: it is what is out there.
"""

from __future__ import annotations

import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import make_url, text

from ledger import MAX_AMOUNT, Address, Group, Kind, Ledger, Movement, OpenAccount, RefusedError
from ledger.ids import chain_cause
from ledger.schema import NEWEST_REVISION
from ledger.times import moment_of
from tests.ledger.support import START, create, libpq
from tests.support.guardian import Guardian
from tests.support.postgres import PostgresServer, _programs

DATA: Final = Path(__file__).parents[1] / "data"
SEVEN_MINUTES: Final = 7 * 60 * 1_000_000


def dump_file(revision: str, dialect: str) -> Path:
    """Return where the dump of a revision is stored."""
    return DATA / f"schema_{revision}_{dialect}.sql"


def restore(revision: str, url: str) -> None:
    """Fill the empty database at `url` with the ledger of `revision`."""
    parsed = make_url(url)
    script = dump_file(revision, parsed.get_backend_name()).read_text(encoding="utf-8")
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parsed.database), isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(script)
        return
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute(script.encode())


class Hours:
    """A clock that moves seven minutes each time somebody looks."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        self.now += SEVEN_MINUTES
        return self.now


def populate(url: str) -> None:
    """Make the ledger that is dumped: something in every table, and numbers at their limits."""
    with create(url, clock=Hours()) as ledger:
        ledger.create_asset("SCI", "Science", 18)
        ledger.create_asset("GOLD", "Gold", 3, operator=Address(b"\x0e" * 20))
        for name in ("alice", "bob", "größe", "0x" + "ab" * 20):
            ledger.create_account(name, 10**21, asset="SCI")
        ledger.create_account("keyed", 5, asset="GOLD", idempotency_key="open-keyed")
        accepted(ledger, *(OpenAccount(f"at-once-{name}", 0) for name in "cab"))
        for number in range(40):
            ledger.transfer(
                *(("alice", "bob") if number % 3 else ("bob", "alice")), 10**18 + number,
                asset="SCI", reason=("", "pay:review")[number % 2], reference_type="session",
                reference_id=str(number), memo="☃" * (number % 4), idempotency_key=f"pay-{number}",
            )  # fmt: skip
        ledger.seal()
        pair = (Movement("alice", "größe", 7, "SCI"), Movement("keyed", "bob", 5, "GOLD"))
        accepted(ledger, Group(pair, idempotency_key="swap"), Group(pair[:1]))
        log = chain_cause(1, bytes(32), 0)
        accepted(ledger, Movement("bob", "bob", 0, "SCI", kind=Kind.CHAIN, cause=log))
        ledger.burn("bob", 3, asset="SCI")
        _whales(ledger)
        ledger.seal()
        ledger.transfer("alice", "bob", 1, asset="SCI")
        _hold(ledger)
        _submit(ledger)
        assert ledger.audit().ok


def accepted(ledger: Ledger, *items: Movement | Group | OpenAccount) -> None:
    """Post items of which none may be refused."""
    for result in ledger.post_many(items):
        assert not isinstance(result, RefusedError), result


def _whales(ledger: Ledger) -> None:
    """Move more in one commit than a uint256 holds."""
    most = MAX_AMOUNT - 10**10
    accepted(ledger, *(OpenAccount(f"whale-{number}", 0) for number in range(3)))
    ledger.mint("whale-0", most, asset="GOLD")
    accepted(
        ledger,
        Movement("whale-0", "whale-1", most, "GOLD"),
        Movement("whale-1", "whale-2", most, "GOLD"),
    )


def _hold(ledger: Ledger) -> None:
    """Hold in every state, reverse, limit, freeze and close."""
    posted = ledger.hold("alice", 50, "bob", asset="SCI", idempotency_key="held", memo="Ω")
    ledger.post_hold(posted.id, 30, keep_rest=True)
    ledger.void_hold(ledger.hold("bob", 7, asset="SCI").id)
    ledger.hold(
        "bob", 9, asset="SCI", expires_at=moment_of(START + 1_000 * 24 * 60 * 60 * 1_000_000)
    )
    ledger.reverse(ledger.transfer("bob", "alice", 11, asset="SCI").id, 4)
    ledger.set_limits("alice", asset="SCI", max_debit=10**20)
    ledger.freeze_account("at-once-c")
    ledger.close_account("at-once-b")


def _submit(ledger: Ledger) -> None:
    """Note a replay, as the bridge does."""
    row = {"contract": b"\x0c" * 20, "hash": b"\xaa" * 32, "raw": b"\x02signed", "at": START}
    with ledger.connection() as connection:
        connection.execute(
            text(
                "INSERT INTO token_submissions (asset, chain_id, contract, number, first_seq, "
                "last_seq, nonce, tx_hash, raw, status, block_number, created_at, updated_at) "
                "VALUES (1, '31337', :contract, 1, 1, 40, 0, :hash, :raw, 'mined', 7, :at, :at)"
            ),
            row,
        )


def main() -> None:
    """Dump a ledger of the code that runs, from both databases."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        populate(f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as connection:
            script = "\n".join(connection.iterdump())
        dump_file(NEWEST_REVISION, "sqlite").write_text(script + "\n", encoding="utf-8")
    guardian = Guardian()
    server = PostgresServer(guardian)
    url = server.url(server.create_database())
    populate(url)
    dumped = subprocess.run(
        [f"{_programs(guardian.folder('programs'), {})}/pg_dump", "--inserts", "--no-owner",
         "--no-comments", libpq(url)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    lines = dumped.stdout.split("\n")
    kept = [
        line for line in lines if not line.startswith(("--", "\\", "SET ", "SELECT pg_catalog.set"))
    ]
    script = "\n".join(kept)
    while "\n\n\n" in script:
        script = script.replace("\n\n\n", "\n\n")
    dump_file(NEWEST_REVISION, "postgresql").write_text(script.lstrip(), encoding="utf-8")
    server.stop()
    guardian.close()


if __name__ == "__main__":
    main()
