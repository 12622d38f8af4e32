"""Reading: balances, statements, entries, accounts. Given a connection; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ledger import account_store, store
from ledger.errors import NotFoundError, Rule
from ledger.model import Address
from ledger.results import Account, Asset, Balance, Entry
from ledger.tables import accounts, balances

if TYPE_CHECKING:
    from sqlalchemy import Connection

PAGE = 1_000
"""Rows read in one short transaction."""


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


def accounts_after(connection: Connection, after: str, pepper: bytes | None) -> list[Account]:
    """Return the next page of accounts, by id in code point order."""
    query = select(accounts).where(accounts.c.account_id > after)
    rows = connection.execute(query.order_by(accounts.c.account_id).limit(PAGE))
    return [account_store.account_of(row, pepper) for row in rows]


def balances_after(connection: Connection, asset: Asset, after: str) -> list[Balance]:
    """Return the next page of balances of `asset`, by account id."""
    query = (
        select(balances, accounts.c.address)
        .join(accounts, accounts.c.account_id == balances.c.account_id)
        .where(balances.c.asset == asset.number, balances.c.account_id > after)
        .order_by(balances.c.account_id)
        .limit(PAGE)
    )
    return [
        Balance(
            asset.symbol,
            row.account_id,
            Address(row.address),
            row.balance,
            row.total_earned,
            row.total_spent,
            row.total_staked,
        )
        for row in connection.execute(query)
    ]


def balance_of(connection: Connection, asset: Asset, account: Account) -> Balance:
    """Return what `account` has of `asset`: zeros if it never had any."""
    state = store.read_balances(connection, asset.number, [account.account_id])
    numbers = state.get(account.account_id, (0, 0, 0, 0))
    return Balance(asset.symbol, account.account_id, account.address, *numbers)


def entries_from(
    connection: Connection, asset: Asset, pepper: bytes | None, first: int, last: int
) -> list[Entry]:
    """Return the entries of `asset` from seq `first`: a page, and none above `last`."""
    rest = "AND e.seq BETWEEN ? AND ? ORDER BY e.seq LIMIT ?"
    return store.select_entries(connection, asset, pepper, rest, first, last, PAGE)


def statement_page(
    connection: Connection,
    asset: Asset,
    pepper: bytes | None,
    account_id: str,
    after: int,
) -> list[Entry]:
    """Return the next page of the entries of an account after seq `after`.

    Debit and credit side are each read by their own index and put together: one OR would read
    the whole journal.
    """
    found: dict[int, Entry] = {}
    for side in ("from_account", "to_account"):
        rest = f"AND e.{side} = ? AND e.seq > ? ORDER BY e.seq LIMIT ?"
        for entry in store.select_entries(connection, asset, pepper, rest, account_id, after, PAGE):
            found[entry.seq] = entry
    return [found[seq] for seq in sorted(found)[:PAGE]]


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
