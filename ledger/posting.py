"""One run of postings inside a transaction: lock the heads, read, decide, write.

The order is the guarantee. The heads are locked by a statement of their own, everything else is
read after it, and nothing else ever writes balances, keys or entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ledger import store
from ledger.dialects import dialect_of
from ledger.errors import CorruptError, FieldError, RefusedError
from ledger.model import ISSUER
from ledger.requests import OpenAccount
from ledger.results import Receipt
from ledger.rules import (
    Decisions,
    Journal,
    KeyState,
    check_clock,
    movements_of,
    new_account,
)
from ledger.tables import accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from ledger.dialects import Row
    from ledger.model import Hash32
    from ledger.requests import Item
    from ledger.results import Asset, Identity


@dataclass(frozen=True, slots=True)
class Run:
    """What to post together, and everything that is known before the lock."""

    identity: Identity
    pepper: Hash32
    assets: Mapping[str, Asset]
    items: Sequence[Item]
    clock: Callable[[], int] | None
    symbols: tuple[str, ...] = ()
    """The assets whose heads are locked: all that the items name and that exist."""
    times: tuple[int, ...] = ()
    """When each item happened, for an import; such a run is posted whole or not at all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: one result an item, in order."""

    results: list[Receipt | RefusedError]
    wrote: bool
    first_entry: tuple[int, int, bytes] | None = None
    """(asset number, seq, id) of the first new entry: proof of a COMMIT whose answer was lost."""
    first_account: tuple[str, bytes, int] | None = None
    """(id, address, created_at) of the first new account, where there is no entry to ask about."""


def post(connection: Connection, run: Run) -> Outcome:
    """Post `run` in the transaction of `connection`, which must be its first work.

    Raises:
        RefusedError: CLOCK_AHEAD; every other refusal is the result of its item, but the first
            one ends a run that has times.
    """
    decisions = _read(connection, run)
    times = run.times or repeat(None)
    results = [decisions.decide(item, at) for item, at in zip(run.items, times, strict=False)]
    if run.times:
        _check_whole(results)
    _write(connection, decisions, run)
    return _outcome(results, decisions, run)


def _check_whole(results: Iterable[Receipt | RefusedError]) -> None:
    """Raise the first refusal, if there is one."""
    for result in results:
        if isinstance(result, RefusedError):
            raise result


def _outcome(results: list[Receipt | RefusedError], decisions: Decisions, run: Run) -> Outcome:
    """Return the results, with what identifies the first thing written."""
    first = next(iter(decisions.new_entries), None)
    return Outcome(
        results=results,
        wrote=bool(decisions.new_entries or decisions.new_accounts or decisions.new_keys),
        first_entry=None
        if first is None
        else (run.assets[first.asset].number, first.seq, bytes(first.id)),
        first_account=next(
            ((a.account_id, bytes(a.address), a.created_at) for a in decisions.new_accounts), None
        ),
    )


def _read(connection: Connection, run: Run) -> Decisions:
    """Lock, then read all that the rules ask about."""
    numbers = {run.assets[symbol].number: symbol for symbol in run.symbols}
    locked = store.lock_heads(connection, list(numbers))
    if len(locked) != len(numbers):
        raise CorruptError("an asset has no journal; run `evm-ledger audit`")
    database_now = dialect_of(connection).now(connection)
    now = check_clock(run.clock(), database_now) if run.clock else database_now
    if run.times:
        check_clock(max(run.times), database_now)
    keys = {item.idempotency_key for item in run.items} - {""}
    return Decisions(
        ledger_id=run.identity.ledger_id,
        registrar=run.identity.registrar,
        pepper=run.pepper,
        now=now,
        last_time=max((row[-1] for row in locked.values()), default=0),
        journals={
            symbol: _journal(run.assets[symbol], locked[number])
            for number, symbol in numbers.items()
        },
        default_asset=_default_asset(connection, run),
        addresses=store.read_addresses(connection, sorted(_account_ids(run.items))),
        taken=_taken(connection, run),
        balances=_balances(connection, run, numbers),
        keys=_keys(connection, run, keys) if keys else {},
    )


def _journal(asset: Asset, row: Row) -> Journal:
    """Return where the journal of `asset` stands, from its locked row."""
    seq, head, version, last_time = row
    return Journal(asset, seq, bytes(head), version, last_time)


def _default_asset(connection: Connection, run: Run) -> str | None:
    """Return the ledger's only asset if an item relies on it; read now, as one may be new."""
    if all(m.asset is not None for item in run.items for m in movements_of(item)):
        return None
    known = store.read_assets(connection)
    return next(iter(known)) if len(known) == 1 else None


def _account_ids(items: Iterable[Item]) -> set[str]:
    """Return every account that the items name, and the issuer."""
    named = {ISSUER}
    for item in items:
        for movement in movements_of(item):
            named.update((movement.from_account, movement.to_account))
        if isinstance(item, OpenAccount):
            named.add(item.account_id)
    return named


def _taken(connection: Connection, run: Run) -> set[bytes]:
    """Return which addresses that new accounts would have belong to somebody."""
    wanted = []
    for item in run.items:
        if isinstance(item, OpenAccount):
            try:
                account = new_account(
                    item.account_id, run.identity.ledger_id, run.pepper, run.identity.registrar, 0
                )
            except FieldError:
                continue  # its own decision refuses it
            wanted.append(bytes(account.address))
    return store.read_taken(connection, wanted) if wanted else set()


def _balances(
    connection: Connection, run: Run, numbers: Mapping[int, str]
) -> dict[tuple[str, str], Any]:
    """Return the balances that the items may touch, by (symbol, account)."""
    touched: dict[str, set[str]] = {symbol: set() for symbol in numbers.values()}
    for item in run.items:
        for movement in movements_of(item):
            named = (movement.from_account, movement.to_account)
            for symbol in [movement.asset] if movement.asset is not None else run.symbols:
                touched.get(symbol, set()).update(named)
    return {
        (symbol, account_id): state
        for number, symbol in numbers.items()
        for account_id, state in store.read_balances(
            connection, number, sorted(touched[symbol])
        ).items()
    }


def _keys(connection: Connection, run: Run, keys: set[str]) -> dict[str, KeyState]:
    """Return what the known ones among `keys` made, as the receipts of then."""
    known = store.read_keys(connection, sorted(keys))
    if not known:
        return {}
    # Read now: a key may have been used for an asset that another process has just made.
    by_number = {asset.number: asset for asset in store.read_assets(connection).values()}
    return {
        key: KeyState(request, _receipt(connection, run, by_number, made))
        for key, (request, made) in known.items()
    }


def _receipt(
    connection: Connection, run: Run, by_number: Mapping[int, Asset], made: Mapping[str, Any]
) -> Receipt:
    """Return the receipt that a key's row describes."""
    entries = tuple(
        entry
        for number, seq in made["entries"]
        for entry in store.select_entries(
            connection, by_number[number], run.pepper, "AND e.seq = ?", seq
        )
    )
    if made["account"] is None:
        return Receipt(entries)
    row = connection.execute(select(accounts).where(accounts.c.account_id == made["account"])).one()
    return Receipt(entries, store.account_of(row, run.pepper))


def _write(connection: Connection, decisions: Decisions, run: Run) -> None:
    """Store what was decided: each table once, each touched balance once."""
    numbers = {symbol: asset.number for symbol, asset in run.assets.items()}
    if decisions.new_accounts:
        store.write_accounts(connection, decisions.new_accounts, with_blind=False)
    if decisions.new_keys:
        store.write_keys(connection, decisions.new_keys, numbers, decisions.now)
    if not decisions.new_entries:
        return
    store.write_entries(connection, decisions.new_entries, numbers)
    states = {
        (numbers[symbol], account_id): decisions.balances[symbol, account_id]
        for symbol, account_id in decisions.touched
    }
    store.write_balances(connection, states, decisions.last_time)
    moved = {entry.asset for entry in decisions.new_entries}
    store.write_heads(connection, [decisions.journals[symbol] for symbol in sorted(moved)])
