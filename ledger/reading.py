"""What is read under the lock for one run, beyond the heads: only what its items ask about."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ledger import account_store, hold_store, key_store, store
from ledger.account_rules import account_for
from ledger.balances import NOTHING
from ledger.errors import RefusedError
from ledger.model import ISSUER, Kind, Status
from ledger.requests import Group, Movement, OpenAccount, PostHold, Reverse, SetStatus, VoidHold
from ledger.results import Hold, Receipt
from ledger.rules import KeyState
from ledger.tables import accounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from ledger.balances import BalanceState
    from ledger.locked import Place
    from ledger.memory import Known
    from ledger.model import Address, Hash32
    from ledger.results import Account, Asset, Limits
    from ledger.runs import Run


def read_standing(
    connection: Connection, run: Run, known: Mapping[str, Known]
) -> tuple[dict[str, Address], dict[str, Status]]:
    """Return the addresses of the accounts that the items name, and what is not open of them."""
    wanted = run.needs.accounts()
    addresses: dict[str, Address] = {}
    statuses: dict[str, Status] = {}
    for each in known.values():
        held = each.addresses
        addresses |= {name: held[name] for name in wanted.intersection(held)}
        statuses |= {name: each.statuses[name] for name in wanted.intersection(each.statuses)}
    missing = wanted.difference(addresses)
    if missing:
        found, not_open = account_store.read_standing(connection, sorted(missing))
        for each in known.values():
            each.addresses |= found
            each.statuses |= not_open
        addresses |= found
        statuses |= not_open
    return addresses, statuses


def read_balances(
    connection: Connection,
    run: Run,
    assets: Mapping[str, Asset],
    known: Mapping[str, Known],
    due: Iterable[Hold],
) -> tuple[dict[Place, BalanceState], dict[Place, Limits]]:
    """Return the balances that the items may touch, and the limits of those that have any."""
    wanted = {symbol: run.needs.of(symbol) | {ISSUER} for symbol in known}
    for hold in due:
        wanted[hold.asset].add(hold.account_id)
    balances: dict[Place, BalanceState] = {}
    limits: dict[Place, Limits] = {}
    for symbol, each in known.items():
        missing = wanted[symbol].difference(each.balances)
        if missing:
            states, limited = store.read_balances_limits(
                connection, assets[symbol].number, sorted(missing)
            )
            each.balances |= dict.fromkeys(missing, NOTHING) | states
            each.limits |= limited
        held = each.balances
        balances |= {(symbol, name): held[name] for name in wanted[symbol]}
        limits |= {
            (symbol, name): each.limits[name] for name in wanted[symbol].intersection(each.limits)
        }
    return balances, limits


def read_taken(connection: Connection, run: Run) -> set[bytes]:
    """Return which addresses that new accounts would have belong to somebody."""
    wanted = []
    for item in run.items:
        if isinstance(item, OpenAccount):
            try:
                account = account_for(
                    item, run.identity.ledger_id, run.pepper, run.identity.registrar, 0
                )
            except RefusedError:
                continue  # its own decision refuses it
            wanted.append(bytes(account.address))
    return account_store.read_taken(connection, wanted) if wanted else set()


def read_holds(connection: Connection, run: Run, assets: Mapping[str, Asset]) -> dict[Hash32, Hold]:
    """Return the holds that the items name, as they are under the lock."""
    wanted = {item.hold for item in run.items if isinstance(item, PostHold | VoidHold)}
    ids = sorted(wanted & run.targets.keys())
    found = hold_store.find_holds(connection, assets.values(), run.pepper, ids)
    return {hold.id: hold for hold in found}


def read_reversed(connection: Connection, run: Run) -> set[bytes]:
    """Return the ids, among those that the items reverse, of what has been reversed."""
    wanted = [
        bytes(entry.id)
        for item in run.items
        if isinstance(item, Reverse)
        for entry in _entries(run.targets.get(item.entry))
    ]
    return store.read_causes(connection, Kind.REVERSAL, wanted) if wanted else set()


def _entries(target: object) -> Sequence[Any]:
    """Return the entries of a target, none for a hold."""
    return target if isinstance(target, tuple) else ()


def read_causes(connection: Connection, run: Run) -> set[bytes]:
    """Return the places on a chain, among those that the items name, that an entry came from."""
    wanted = [
        bytes(movement.cause)
        for item in run.items
        if isinstance(item, Movement | Group)
        for movement in ([item] if isinstance(item, Movement) else item.movements)
        if movement.kind == Kind.CHAIN
    ]
    return store.read_causes(connection, Kind.CHAIN, wanted) if wanted else set()


def read_status_accounts(connection: Connection, run: Run) -> dict[str, Account]:
    """Return the accounts whose status the items change."""
    wanted = [item.account_id for item in run.items if isinstance(item, SetStatus)]
    if not wanted:
        return {}
    rows = connection.execute(select(accounts).where(accounts.c.account_id.in_(wanted)))
    found = [account_store.account_of(row, run.pepper) for row in rows]
    return {account.account_id: account for account in found}


def read_keys(connection: Connection, run: Run) -> dict[str, KeyState]:
    """Return what the known ones among the items' keys made, as the receipts of then."""
    wanted = {item.idempotency_key for item in run.items} - {""}
    known = key_store.read_keys(connection, sorted(wanted)) if wanted else {}
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
    seqs: dict[int, list[int]] = defaultdict(list)
    for number, seq in made["entries"]:
        seqs[number].append(seq)
    found = {
        (number, entry.seq): entry
        for number, wanted in seqs.items()
        for entry in store.entries_at(connection, by_number[number], run.pepper, wanted)
    }
    entries = tuple(found[number, seq] for number, seq in made["entries"])
    at = entries[0].timestamp if entries else None
    hold = _hold(connection, run, by_number, made, at)
    return Receipt(entries, _account(connection, run, made), hold=hold)


def _account(connection: Connection, run: Run, made: Mapping[str, Any]) -> Account | None:
    """Return the account that a key made, as it was then."""
    if made["account"] is None:
        return None
    row = connection.execute(select(accounts).where(accounts.c.account_id == made["account"])).one()
    return account_store.account_of(row, run.pepper, status=Status.OPEN)


def _hold(
    connection: Connection,
    run: Run,
    by_number: Mapping[int, Asset],
    made: Mapping[str, Any],
    posted_at: int | None,
) -> Hold | None:
    """Return the hold that a key made, posted or voided, as it was then."""
    if "hold" not in made:
        return None
    number, place, state, remaining = made["hold"]
    rest = "WHERE h.asset = ? AND h.number = ?"
    [hold] = hold_store.select_holds(
        connection, [by_number[number]], run.pepper, rest, number, place
    )
    return hold_store.as_it_was(hold, state, remaining, posted_at)
