"""Reading: balances, statements, entries, accounts. Given a connection; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ledger import account_store, hold_store, store
from ledger.dialects import dialect_of
from ledger.errors import FieldError, NotFoundError, Rule
from ledger.model import Address, Hash32, HoldState
from ledger.results import Account, Asset, Balance, Entry, Hold
from ledger.tables import accounts, balances
from ledger.texts import after_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

PAGE = 1_000
"""Rows read in one short transaction."""

MAX_EXAMINED = 10_000
"""Holds that a page looks at."""

MAX_NUMBER = 2**63 - 1
"""More than any event has."""


def count_assets(connection: Connection) -> tuple[int, int]:
    """Return how many assets there are, and how many have an operator."""
    sql = "SELECT count(*), count(operator) FROM token_assets"
    [(every, operated)] = dialect_of(connection).rows(connection, sql)
    return every, operated


def find_account(connection: Connection, account_id: str, pepper: bytes | None) -> Account:
    """Return the account `account_id` (normalised).

    Raises:
        NotFoundError: UNKNOWN_ACCOUNT.
    """
    query = select(accounts).where(accounts.c.account_id == account_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(Rule.UNKNOWN_ACCOUNT, f"no account {account_id!r}; create it first")
    return account_store.account_of(row, pepper)


def accounts_after(
    connection: Connection, after: str, pepper: bytes | None, prefix: str = ""
) -> list[Account]:
    """Return the next page of accounts whose id begins with `prefix`, in code point order."""
    query = select(accounts).where(accounts.c.account_id > after)
    if prefix:
        query = query.where(accounts.c.account_id >= prefix)
    end = after_prefix(prefix)
    if end is not None:
        query = query.where(accounts.c.account_id < end)
    rows = connection.execute(query.order_by(accounts.c.account_id).limit(PAGE))
    return [account_store.account_of(row, pepper) for row in rows]


_BALANCES = select(balances, accounts.c.address).join(
    accounts, accounts.c.account_id == balances.c.account_id
)


def balances_after(connection: Connection, asset: Asset, after: str) -> list[Balance]:
    """Return the next page of balances of `asset`, by account id."""
    query = (
        _BALANCES.where(balances.c.asset == asset.number, balances.c.account_id > after)
        .order_by(balances.c.account_id)
        .limit(PAGE)
    )
    return [_balance(asset, row) for row in connection.execute(query)]


def balances_by_id(
    connection: Connection, asset: Asset, account_ids: Sequence[str]
) -> dict[str, Balance]:
    """Return what those of `account_ids` have of `asset` that ever had any."""
    found: dict[str, Balance] = {}
    for start in range(0, len(account_ids), PAGE):
        part = account_ids[start : start + PAGE]
        query = _BALANCES.where(balances.c.asset == asset.number, balances.c.account_id.in_(part))
        found |= {row.account_id: _balance(asset, row) for row in connection.execute(query)}
    return found


_AMOUNTS = ("balance", "total_earned", "total_spent", "total_staked", "max_debit", "max_balance")


def read_balance(connection: Connection, asset: Asset, account_id: str) -> Balance:
    """Return what the account `account_id` (normalised) has of `asset`, in one statement.

    Raises:
        NotFoundError: UNKNOWN_ACCOUNT.
    """
    dialect = dialect_of(connection)
    columns = ", ".join(dialect.amount_of(f"b.{name}") for name in _AMOUNTS)
    sql = (
        f"SELECT a.address, {columns} FROM token_accounts a LEFT JOIN token_balances b "  # noqa: S608 (constant)
        "ON b.asset = ? AND b.account_id = a.account_id WHERE a.account_id = ?"
    )
    for address, *stored in dialect.rows(connection, sql, asset.number, account_id):
        amounts = [None if each is None else dialect.to_amount(each) for each in stored]
        numbers, limits = [each or 0 for each in amounts[:4]], amounts[4:]
        return Balance(asset.symbol, account_id, Address(address), *numbers, *limits)
    raise NotFoundError(Rule.UNKNOWN_ACCOUNT, f"no account {account_id!r}; create it first")


def _balance(asset: Asset, row: Any) -> Balance:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the balance that a row is."""
    return Balance(
        asset.symbol,
        row.account_id,
        Address(row.address),
        row.balance,
        row.total_earned,
        row.total_spent,
        row.total_staked,
        row.max_debit,
        row.max_balance,
    )


def find_entry(
    connection: Connection, assets: Iterable[Asset], pepper: bytes | None, id_: Hash32
) -> Entry:
    """Return the entry with that id.

    Raises:
        NotFoundError: UNKNOWN_ENTRY.
    """
    by_number = {asset.number: asset for asset in assets}
    for number, seq in store.find_entry(connection, id_):
        [entry] = store.entries_at(connection, by_number[number], pepper, [seq])
        return entry
    raise NotFoundError(Rule.UNKNOWN_ENTRY, f"no entry {id_}")


def find_reversal(
    connection: Connection, assets: Iterable[Asset], pepper: bytes | None, id_: Hash32
) -> Entry | None:
    """Return the entry that reversed the one with that id; None if it stands."""
    sql = "SELECT asset, seq FROM token_ledger WHERE kind = 'reversal' AND cause = ?"
    by_number = {asset.number: asset for asset in assets}
    for number, seq in dialect_of(connection).rows(connection, sql, bytes(id_)):
        [entry] = store.entries_at(connection, by_number[int(number)], pepper, [int(seq)])
        return entry
    return None


def find_referenced(
    connection: Connection,
    assets: Iterable[Asset],
    pepper: bytes | None,
    reference: tuple[str, str],
    limit: int,
) -> list[Entry]:
    """Return entries with that (type, id) of what they refer to, by asset and seq: the first."""
    by_number = {asset.number: asset for asset in assets}
    type_, id_ = reference
    condition, values = ("= ?", [type_, id_]) if type_ else ("IS NULL", [id_])
    sql = (
        f"SELECT asset, seq FROM token_ledger WHERE reference_type {condition} "  # noqa: S608 (constants)
        "AND reference_id = ? ORDER BY asset, seq LIMIT ?"
    )
    rows = dialect_of(connection).rows(connection, sql, *values, limit)
    seqs: dict[int, list[int]] = {}
    for number, seq in rows:
        seqs.setdefault(int(number), []).append(int(seq))
    return [
        entry
        for number, wanted in seqs.items()
        for entry in store.entries_at(connection, by_number[number], pepper, wanted)
    ]


def account_with(connection: Connection, address: Address, pepper: bytes | None) -> Account:
    """Return the account that has `address`.

    Raises:
        NotFoundError: UNKNOWN_ACCOUNT.
    """
    query = select(accounts).where(accounts.c.address == bytes(address))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(Rule.UNKNOWN_ACCOUNT, f"no account has address {address}")
    return account_store.account_of(row, pepper)


def find_hold(
    connection: Connection, assets: Iterable[Asset], pepper: bytes | None, id_: Hash32
) -> Hold:
    """Return the hold with that id.

    Raises:
        NotFoundError: UNKNOWN_HOLD.
    """
    for hold in hold_store.find_holds(connection, assets, pepper, [id_]):
        return hold
    raise NotFoundError(Rule.UNKNOWN_HOLD, f"no hold {id_}")


def holds_after(
    connection: Connection,
    asset: Asset,
    pepper: bytes | None,
    after: int,
    *,
    account_id: str | None,
    state: HoldState | None,
) -> tuple[list[Hold], int | None]:
    """Return the next page of holds by number, and the number to go on after; None at the end.

    A page examines a bounded number of holds, so that a state which none has takes no longer
    than another: a page may be empty and still go on.
    """
    dialect = dialect_of(connection)
    # With an account, an order that only the account's index has: see `statements`.
    order, of = ("number", ()) if account_id is None else ("account_id, number", (account_id,))
    marks = f"({', '.join('?' * (len(of) + 1))})"
    sql = (
        f"SELECT number, state FROM token_holds WHERE asset = ? "  # noqa: S608 (our own names)
        f"AND ({order}) BETWEEN {marks} AND {marks} ORDER BY {order} LIMIT ?"
    )
    most = PAGE if state is None else MAX_EXAMINED
    values = (asset.number, *of, after + 1, *of, MAX_NUMBER, most)
    examined = dialect.rows(connection, sql, *values)
    wanted = [int(number) for number, its in examined if state is None or its == state][:PAGE]
    rest = f"WHERE h.asset = ? AND {dialect.any_of('h.number')} ORDER BY h.number"
    found = hold_store.select_holds(
        connection, [asset], pepper, rest, asset.number, dialect.values(wanted)
    )
    if len(wanted) == PAGE:
        return found, wanted[-1]
    return found, int(examined[-1][0]) if len(examined) == most else None


def check_state(state: str) -> HoldState:
    """Return `state` if a hold can be in it. Raises FieldError."""
    try:
        return HoldState(state)
    except ValueError:
        names = ", ".join(HoldState)
        raise FieldError("state", f"must be one of {names}, not {state!r}") from None


def entries_from(
    connection: Connection, asset: Asset, pepper: bytes | None, first: int, last: int
) -> list[Entry]:
    """Return the entries of `asset` from seq `first`: a page, and none above `last`."""
    rest = "AND e.seq BETWEEN ? AND ? ORDER BY e.seq LIMIT ?"
    return store.select_entries(connection, asset, pepper, rest, first, last, PAGE)


def first_seq_since(connection: Connection, asset: Asset, last: int, since: int) -> int:
    """Return the first seq whose entry is at or after `since`, by bisection (time grows)."""
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        found = store.read_timestamp(connection, asset.number, middle)
        if found < since:
            low = middle + 1
        else:
            high = middle
    return low
