"""Reading what proofs are made of: entry ids, batches, balances as of a seq. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ledger.dialects import dialect_of
from ledger.model import Address
from ledger.sealing import read_batches

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger.results import Asset, SealedBatch

IDS_PAGE = 10_000
"""Entry ids read in one short transaction."""

HOLDERS_PAGE = 1_000
"""Accounts whose past balance is read in one short transaction."""


class PastBalance(NamedTuple):
    """What an account had right after an entry."""

    account_id: str
    address: Address
    balance: int
    """Base units; of the issuer, the supply."""


def ids_from(connection: Connection, asset: Asset, first: int, last: int) -> list[bytes]:
    """Return the ids of the entries of `asset` from seq `first`: a page, and none above `last`."""
    sql = "SELECT id FROM token_ledger WHERE asset = ? AND seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"
    rows = dialect_of(connection).rows(connection, sql, asset.number, first, last, IDS_PAGE)
    return [bytes(row[0]) for row in rows]


def last_seal(connection: Connection) -> int:
    """Return the number of the last seal; 0 before the first."""
    rows = dialect_of(connection).rows(
        connection, "SELECT COALESCE(max(number), 0) FROM token_seals"
    )
    return int(rows[0][0])


def batch_with(connection: Connection, asset: Asset, seq: int) -> SealedBatch | None:
    """Return the batch of `asset` that has the entry at `seq`; None if it is not sealed."""
    return _batch(connection, asset, "last_seq >= ? ORDER BY number", seq)


def batches_from(connection: Connection, asset: Asset, first: int, limit: int) -> list[SealedBatch]:
    """Return the batches of `asset` from number `first`, at most `limit`."""
    return read_batches(connection, asset, first - 1, limit)


def batch_until(connection: Connection, asset: Asset, seal: int) -> SealedBatch | None:
    """Return the last batch of `asset` in the seals up to number `seal`; None if it has none."""
    return _batch(connection, asset, "seal <= ? ORDER BY number DESC", seal)


def _batch(connection: Connection, asset: Asset, rest: str, value: int) -> SealedBatch | None:
    """Return the first batch of `asset` for the rest of a query."""
    sql = f"SELECT number FROM token_batches WHERE asset = ? AND {rest} LIMIT 1"  # noqa: S608 (our own names)
    for row in dialect_of(connection).rows(connection, sql, asset.number, value):
        return read_batches(connection, asset, int(row[0]) - 1, 1)[0]
    return None


# Of each account, the last entry that debits it and the last that credits it, up to a seq. The
# orders are those that only the account's indexes have: see `statements`.
_PAST = """
SELECT p.account_id, p.address, p.debit, p.credit,
  (SELECT balance_after_from FROM token_ledger WHERE asset = ? AND seq = p.debit),
  (SELECT balance_after_to FROM token_ledger WHERE asset = ? AND seq = p.credit)
FROM (
  SELECT b.account_id, a.address,
    (SELECT seq FROM token_ledger WHERE asset = ? AND (from_account, seq)
       BETWEEN (b.account_id, 0) AND (b.account_id, ?)
       ORDER BY from_account DESC, seq DESC LIMIT 1) AS debit,
    (SELECT seq FROM token_ledger WHERE asset = ? AND (to_account, seq)
       BETWEEN (b.account_id, 0) AND (b.account_id, ?)
       ORDER BY to_account DESC, seq DESC LIMIT 1) AS credit
  FROM token_balances b JOIN token_accounts a ON a.account_id = b.account_id
  WHERE b.asset = ? AND b.account_id > ? ORDER BY b.account_id LIMIT ?
) p ORDER BY p.account_id
"""


def past_balances_after(
    connection: Connection, asset: Asset, after: str, seq: int
) -> list[PastBalance]:
    """Return the next page of balances right after entry `seq`, by account id.

    Accounts that had nothing then are among them.
    """
    dialect, number = dialect_of(connection), asset.number
    values = (number, number, number, seq, number, seq, number, after, HOLDERS_PAGE)
    found = []
    for account_id, address, debit, credit, after_from, after_to in dialect.rows(
        connection, _PAST, *values
    ):
        stored = after_from if (debit or 0) > (credit or 0) else after_to
        balance = 0 if stored is None else dialect.to_amount(stored)
        found.append(PastBalance(str(account_id), Address(bytes(address)), balance))
    return found
