"""A ledger of the first specification as its program kept it: doubles, texts, no checks at all.

`generate` makes a clean one of the documented size; `plants` spoils it, each in one way.
"""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import psycopg

from ledger.legacy_model import OldAccount, OldEntry, OldTables
from tests.ledger.support import libpq

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ACCOUNTS = 84
ENTRIES = 22_912
START = datetime(2025, 1, 6, 9, 0, 0, tzinfo=UTC)
END_OF_RUN = "2026-06-30T00:00:00"
"""After everything that `generate` makes, and past."""

ENTRY_COLUMNS = (
    "id", "timestamp", "from_account", "to_account", "amount", "reason", "reference_type",
    "reference_id", "memo", "balance_after_from", "balance_after_to",
)  # fmt: skip
ACCOUNT_COLUMNS = (
    "account_id", "balance", "total_earned", "total_spent", "total_staked", "created_at",
    "updated_at",
)  # fmt: skip

SCHEMA = """
CREATE TABLE token_ledger (id TEXT, timestamp TEXT, from_account TEXT, to_account TEXT, amount REAL,
    reason TEXT, reference_type TEXT, reference_id TEXT, memo TEXT, balance_after_from REAL,
    balance_after_to REAL);
CREATE TABLE token_accounts (account_id TEXT, balance REAL, total_earned REAL, total_spent REAL,
    total_staked REAL, created_at TEXT, updated_at TEXT);
"""

Row = dict[str, Any]


@dataclass
class OldLedger:
    """The two tables; row n of the table is `entries[n - 1]`."""

    entries: list[Row] = field(default_factory=list)
    accounts: dict[str, Row] = field(default_factory=dict)

    def open(self, account_id: str, at: str) -> None:
        """Create an account with nothing."""
        numbers = dict.fromkeys(ACCOUNT_COLUMNS[1:5], 0.0)
        row = {"account_id": account_id, **numbers, "created_at": at, "updated_at": at}
        self.accounts[account_id] = row

    def move(self, payer: str, payee: str, amount: float, at: str, **texts: str) -> None:
        """Book as the old program did: in doubles, without asking whether there is enough."""
        row = dict.fromkeys(ENTRY_COLUMNS)
        row |= {"id": f"tx-{len(self.entries) + 1:06}", "timestamp": at, "amount": amount}
        row |= {"from_account": payer, "to_account": payee, **texts}
        if payer != "system":
            account = self.accounts[payer]
            account["balance"] -= amount
            account["total_spent"] += amount
            row["balance_after_from"] = account["balance"]
        if payee != "system":
            account = self.accounts[payee]
            account["balance"] += amount
            account["total_earned"] += amount
            row["balance_after_to"] = account["balance"]
        self.entries.append(row)

    def exact(self) -> dict[str, Fraction]:
        """Return what each account has if nothing is rounded: slow, obvious, by other means."""
        has = dict.fromkeys([*self.accounts, "system"], Fraction(0))
        for row in self.entries:
            amount = Fraction(str(row["amount"]))
            has[row["from_account"]] -= amount
            has[row["to_account"]] += amount
        return has

    def tables(self) -> OldTables:
        """Return the tables as a database would give them."""
        return OldTables(
            [OldEntry(row, **it) for row, it in enumerate(self.entries, 1)],
            [OldAccount(row, **it) for row, it in enumerate(self.accounts.values(), 1)],
        )

    def write_sqlite(self, path: Path) -> str:
        """Write a SQLite file and return its name."""
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(SCHEMA)
            for table, columns, rows in self._tables():
                marks = ", ".join("?" * len(columns))
                sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 (our own names)
                connection.executemany(sql, ([row[name] for name in columns] for row in rows))
            connection.commit()
        return str(path)

    def write_postgresql(self, url: str, number: str = "double precision") -> str:
        """Write the tables to a PostgreSQL database and return its URL."""
        with psycopg.connect(libpq(url)) as connection:
            connection.execute(SCHEMA.replace("REAL", number).encode())
            for table, columns, rows in self._tables():
                sql = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
                with connection.cursor().copy(sql.encode()) as copy:
                    for row in rows:
                        copy.write_row([row[name] for name in columns])
        return url

    def _tables(self) -> Iterable[tuple[str, tuple[str, ...], Iterable[Row]]]:
        return (
            ("token_ledger", ENTRY_COLUMNS, self.entries),
            ("token_accounts", ACCOUNT_COLUMNS, self.accounts.values()),
        )


def generate(accounts: int = ACCOUNTS, entries: int = ENTRIES, seed: int = 7) -> OldLedger:
    """Return a clean old ledger: every account endowed, then mints, burns and payments.

    Seconds repeat, so that many entries share a time; times are written in several ways; amounts
    have up to six decimals, so that sums of doubles are off by roundings.
    """
    chance = random.Random(seed)
    old, now = OldLedger(), START
    names = [f"agent-{number:03}" for number in range(1, accounts + 1)]
    for name in names:
        old.open(name, now.isoformat())
        old.move("system", name, 1_000.0, _written(now, chance), reason="endowment")
        now += timedelta(seconds=chance.randint(0, 2))
    while len(old.entries) < entries:
        now += timedelta(seconds=chance.choice((0, 0, 1, 30, 600)))
        payer, payee = chance.sample(names, 2)
        amount = round(chance.uniform(0.000001, 40), chance.choice((0, 1, 2, 6))) or 0.1
        kind = chance.random()
        if kind < 0.1 or float(old.accounts[payer]["balance"]) < amount + 1:
            old.move("system", payee, amount, _written(now, chance), reason="earn:review")
        elif kind < 0.15:
            old.move(payer, "system", amount, _written(now, chance), reason="burn:fee")
        else:
            session = f"session-{chance.randint(1, 900)}"
            old.move(
                payer, payee, amount, _written(now, chance),
                reason="pay:debate", reference_type="debate_session", reference_id=session,
                memo=chance.choice(("", "für Ω", "second round")),
            )  # fmt: skip
    return old


def _written(moment: datetime, chance: random.Random) -> str:
    """Return one of the ways in which programs write a moment."""
    plain = moment.replace(tzinfo=None)
    return chance.choice(
        (
            plain.isoformat(),
            plain.isoformat(sep=" "),
            f"{plain.isoformat()}Z",
            moment.astimezone(timezone(timedelta(hours=-3, minutes=-30))).isoformat(),
            f"{(plain + timedelta(hours=2)).isoformat()}+02:00",
        )
    )
