"""Rows of accounts, in and out. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from ledger.addresses import account_blind
from ledger.dialects import Row, dialect_of
from ledger.links import Link, LinkScheme
from ledger.model import ZERO_HASH, Address, Hash32, Status
from ledger.results import Account
from ledger.tables import accounts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

_ACCOUNT_COLUMNS = (
    "account_id", "address", "blind", "registrar", "derived", "created_at", "updated_at", "status",
    "link", "link_chain_id", "link_signature",
)  # fmt: skip


def read_addresses(connection: Connection, account_ids: Iterable[str]) -> dict[str, Address]:
    """Return the addresses of those of `account_ids` that exist."""
    return {row[0]: Address(row[1]) for row in _account_rows(connection, account_ids)}


def read_standing(
    connection: Connection, account_ids: Iterable[str]
) -> tuple[dict[str, Address], dict[str, Status]]:
    """Return the addresses of those of `account_ids` that exist, and what is not open of them."""
    rows = _account_rows(connection, account_ids)
    return (
        {row[0]: Address(row[1]) for row in rows},
        {row[0]: Status(row[2]) for row in rows if row[2] != Status.OPEN},
    )


def _account_rows(connection: Connection, account_ids: Iterable[str]) -> list[Row]:
    """Return (account id, address, status) of those of `account_ids` that exist."""
    dialect = dialect_of(connection)
    condition = dialect.any_of("account_id")
    sql = f"SELECT account_id, address, status FROM token_accounts WHERE {condition}"  # noqa: S608 (constant)
    return dialect.rows(connection, sql, dialect.values(account_ids))


def read_taken(connection: Connection, addresses: Iterable[bytes]) -> set[bytes]:
    """Return those of `addresses` that an account has."""
    query = select(accounts.c.address).where(accounts.c.address.in_(list(addresses)))
    return {bytes(address) for address in connection.execute(query).scalars()}


def write_accounts(connection: Connection, new: Iterable[Account], *, with_blind: bool) -> None:
    """Insert accounts, sorted, so that two processes with the same accounts wait in one order.

    `with_blind` is for a ledger without a pepper that could give their blinds again.
    """
    rows = (
        (
            account.account_id,
            bytes(account.address),
            bytes(account.blind) if with_blind and account.blind != ZERO_HASH else None,
            bytes(account.registrar),
            account.derived,
            account.created_at,
            account.created_at,
            str(account.status),
            *_link_columns(account.link),
        )
        for account in sorted(new, key=lambda account: account.account_id)
    )
    dialect_of(connection).insert(connection, "token_accounts", _ACCOUNT_COLUMNS, rows)


def _link_columns(link: Link | None) -> tuple[str | None, str | None, bytes | None]:
    """Return how the proof of an address is stored."""
    return (None, None, None) if link is None else (link.scheme, str(link.chain_id), link.signature)


def write_status(connection: Connection, account: Account, now: int) -> None:
    """Store the status of an account."""
    connection.execute(
        update(accounts)
        .where(accounts.c.account_id == account.account_id)
        .values(status=str(account.status), updated_at=now)
    )


def account_of(
    row: Any,  # noqa: ANN401 (SQLAlchemy's row)
    pepper: bytes | None,
    status: Status | None = None,
) -> Account:
    """Return the account that a row is, with the blind that the pepper gives.

    `status` is that of another time.
    """
    blind = ZERO_HASH
    if row.blind is not None:
        blind = Hash32(row.blind)
    elif (row.derived or row.link is not None) and pepper is not None:
        blind = account_blind(pepper, row.account_id)
    return Account(
        account_id=row.account_id,
        address=Address(row.address),
        blind=blind,
        registrar=Address(row.registrar),
        derived=bool(row.derived),
        created_at=row.created_at,
        status=status or Status(row.status),
        link=_link_of(row),
    )


def _link_of(row: Any) -> Link | None:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the proof of an address that a row of an account holds."""
    if row.link is None:
        return None
    signature = None if row.link_signature is None else bytes(row.link_signature)
    return Link(LinkScheme(row.link), int(row.link_chain_id), signature)
