"""Small ledgers with a bit of everything, for the tests of the bridge."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from ledger import Group, Hash32, Kind, Ledger, Movement, RefusedError
from ledger.times import moment_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.chain import Chain
    from bridge.keys import Signer

LEDGER_ID = Hash32(bytes(range(32)))
PEPPER = Hash32(bytes(range(32, 64)))
FIRST_MOMENT = 1_790_000_000_000_000
REAL_ADDRESS = "0x" + "ab" * 20


def steady_clock(step: int = 250) -> Callable[[], int]:
    """Return a clock that ticks `step` microseconds a reading: the same history every time."""
    ticks = itertools.count(FIRST_MOMENT, step)
    return lambda: next(ticks)


def small_ledger(url: str, *, sealed: bool = True) -> Ledger:
    """Make a ledger of two assets: endowments, text of all kinds, groups over both, two seals."""
    ledger = Ledger.create(url, ledger_id=LEDGER_ID, pepper=PEPPER, clock=steady_clock())
    ledger.create_asset("SCI", "SCI token", 18)
    ledger.create_asset("GOLD", "Gold, by the gram", 0)
    for name in ("alice", "böb", "carol 🙂", REAL_ADDRESS):
        ledger.create_account(name, asset="SCI")
    ledger.mint("alice", 1_000, asset="GOLD", reason="found", memo='a "memo"\n with lines')
    post(ledger, *(Movement("alice", "böb", 10**n, asset="SCI", reason=f"n{n}") for n in range(9)))
    post(
        ledger,
        Group(
            (
                Movement("alice", "carol 🙂", 7, asset="GOLD", reference_type="swap"),
                Movement("carol 🙂", "alice", 10**18, asset="SCI", reference_id="1"),
                Movement("alice", REAL_ADDRESS, 3, asset="GOLD"),
            ),
            "swap-1",
        ),
    )
    if sealed:
        ledger.seal()
    ledger.burn("böb", 5, asset="SCI", idempotency_key="burn-1")
    chained = Movement("alice", "alice", 0, "GOLD", kind=Kind.CHAIN, cause=Hash32(b"\x01" * 32))
    post(ledger, chained, Movement("carol 🙂", "böb", 2, asset="GOLD"))
    if sealed:
        seal_all(ledger)
    return ledger


def post(ledger: Ledger, *items: Movement | Group) -> None:
    """Post `items`, none of which may be refused."""
    for receipt in ledger.post_many(items):
        assert not isinstance(receipt, RefusedError), receipt


def seal_all(ledger: Ledger) -> None:
    """Seal until nothing is left."""
    while ledger.seal():
        pass


def fund(chain: Chain, signer: Signer) -> None:
    """Give `signer` what it takes to pay for gas; Anvil knows Hardhat's word for it too."""
    chain.request("hardhat_setBalance", str(signer.address), hex(10**20))


def altered_copy(ledger_url: str, statement: str, folder: Path) -> str:
    """Return the URL of a copy of a SQLite ledger in which `statement` was run behind its back."""
    source = Path(str(make_url(ledger_url).database))
    copy = folder / f"altered-{len(list(folder.iterdir()))}.db"
    with sqlite3.connect(source) as live, sqlite3.connect(copy) as target:
        live.backup(target)
    live.close()
    names = target.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in names:
        target.execute(f"DROP TRIGGER {name}")
    assert target.execute(statement).rowcount == 1, statement
    target.commit()
    target.close()
    return f"sqlite:///{copy}"


def copied(folder: Path, target: Path) -> Path:
    """Return a copy of an export."""
    shutil.copytree(folder, target)
    return target


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def standing_ledger(url: str) -> Ledger:
    """Make the small ledger with holds in every state, reversals, limits and standings in it.

    All of it is sealed but what undoes some: a hold that was voided since, one that was posted
    since, one that was made since, and an account that was emptied and closed since.
    """
    ledger = small_ledger(url)
    for name in ("dora", "emil", "fred"):
        ledger.create_account(name, 0, asset="GOLD")
    ledger.mint("dora", 50, asset="GOLD")
    ledger.freeze_account("emil")
    ledger.close_account("fred")
    ledger.set_limits("alice", asset="GOLD", max_debit=500)
    ledger.set_limits("emil", asset="SCI", max_debit=7, max_balance=10**20)
    later = moment_of(FIRST_MOMENT + 10**12)
    part = ledger.hold("alice", 100, "böb", asset="GOLD", idempotency_key="hold-1", memo="Ω")
    ledger.post_hold(part.id, 30, keep_rest=True, idempotency_key="part-1")
    ledger.post_hold(part.id, 5, keep_rest=True)
    posted = ledger.hold("alice", 10, asset="GOLD", expires_at=later, idempotency_key="hold-2")
    ledger.post_hold(posted.id, to_account="dora")
    undone = ledger.hold("böb", 1, asset="SCI", idempotency_key="a hold")
    ledger.void_hold(undone.id, idempotency_key="undo")
    ledger.reverse(ledger.transfer("alice", "dora", 9, asset="GOLD").id, 4)
    voided = ledger.hold("alice", 11, asset="GOLD", expires_at=later)
    spent = ledger.hold("dora", 12, "alice", asset="GOLD", reason="rent")
    ledger.hold("alice", 13, asset="GOLD", expires_at=later)
    ledger.burn("alice", 1, asset="GOLD")
    seal_all(ledger)
    ledger.void_hold(voided.id)
    ledger.post_hold(spent.id, 2)
    ledger.mint("böb", 10**9, asset="GOLD")
    ledger.hold("böb", 10**9, asset="GOLD", idempotency_key="hold-4")
    ledger.transfer("dora", "alice", ledger.get_balance("dora", "GOLD"), asset="GOLD")
    ledger.close_account("dora")
    return ledger


def wide_ledger(url: str) -> Ledger:
    """Make the small ledger with the largest amounts that there are: their sum has 258 bits."""
    ledger = small_ledger(url)
    ledger.create_asset("WIDE", "As wide as a word", 0)
    ledger.mint("alice", 2**256 - 1, asset="WIDE")
    ledger.transfer("alice", "böb", 2**256 - 1, asset="WIDE")
    ledger.transfer("böb", "carol 🙂", 2**255 + 1, asset="WIDE")
    ledger.transfer("böb", REAL_ADDRESS, 2**53 + 1, asset="WIDE")
    seal_all(ledger)
    return ledger
