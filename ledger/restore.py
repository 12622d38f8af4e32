"""Restoring a ledger from an export, in one transaction, believing nothing that it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import DataError, IntegrityError

from ledger import account_store, key_store, store
from ledger.addresses import account_blind, entry_blind
from ledger.checks import (
    Finding,
    FoundError,
    JournalCheck,
    check_account,
    check_account_form,
    check_asset,
    check_asset_form,
    check_closed,
    check_entry_form,
    check_groups,
    readable,
    same,
)
from ledger.engine import violated_constraint
from ledger.errors import LedgerError
from ledger.event_store import write_created
from ledger.ids import first_head
from ledger.model import ISSUER, Status
from ledger.repeats import KeyedRequests
from ledger.restore_standing import Standing
from ledger.results import Carried
from ledger.reversal_checks import check_reversed_groups
from ledger.seal_checks import BatchCheck, SealCheck, check_group_seals
from ledger.sealing import write_seal
from ledger.tables import metadata
from ledger.texts import check_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection
    from sqlalchemy.exc import DBAPIError

    from ledger.model import Address, Hash32
    from ledger.results import (
        Account,
        Asset,
        Entry,
        HoldKey,
        Identity,
        Receipt,
        Sealed,
        SealedBatch,
    )
    from ledger.rules import KeyState

PAGE = 1_000
"""Entries written at once."""

T = TypeVar("T")


class RestoreError(LedgerError):
    """What was to be restored does not recompute. `finding` names the first row."""

    def __init__(self, finding: Finding) -> None:
        """Refuse because of `finding`."""
        super().__init__(f"{finding}; nothing was imported")
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Restore:
    """A whole ledger, as files or another program give it."""

    ledger_id: Hash32
    registrar: Address
    created_at: int
    assets: Sequence[Asset]
    accounts: Callable[[], Iterable[Account]]
    entries: Callable[[str], Iterable[Entry]]
    """Of a symbol, ascending by seq; with ids, heads, balances and blinds."""
    seals: Sequence[Sealed]
    carried: Callable[[str], Carried] = field(default=lambda _: Carried())
    """Of a symbol, what goes with its entries: pending holds, limits."""
    spent_keys: Callable[[], Iterable[HoldKey]] = field(default=tuple)
    """The keys that made holds which are resolved: they are refused from now on."""
    check: Callable[[], None] = field(default=lambda: None)
    """Called last, inside the transaction: raise to refuse and leave no trace."""


def write_restore(connection: Connection, identity: Identity, contents: Restore) -> None:
    """Write `contents` into the empty ledger of this transaction, recomputing every value.

    Raises:
        RestoreError: naming the first row that does not recompute.
    """
    keys = KeyedRequests(identity.domain, {a.symbol: a.id for a in contents.assets})
    try:
        _check_assets(contents)
        closed = _write_accounts(connection, identity, contents)
        written = [_Journal(connection, identity, contents, asset) for asset in contents.assets]
        for each in written:
            each.write(keys, closed)
        journals = [each.journal for each in written]
        check_groups(identity.domain, journals)
        check_reversed_groups(journals, [each.standing.reversals for each in written])
        check_group_seals(journals, {each.asset.id: each.batches for each in written})
        _write_keys(connection, keys.finish(), contents)
        _write_spent(connection, contents)
        _write_seals(connection, identity, contents)
    except FoundError as found:
        raise RestoreError(found.finding) from None
    except (IntegrityError, DataError) as error:
        raise RestoreError(_refused_row(error)) from error
    contents.check()


def _refused_row(error: DBAPIError) -> Finding:
    """Return as a finding what the database itself refused: two rows with one key, mostly."""
    name = violated_constraint(error) or "a value"
    table = max((t for t in metadata.tables if name.startswith(t)), key=len, default="token_schema")
    return Finding(table, "some row", name, "held", "violated")


def _check_assets(contents: Restore) -> None:
    """Check what does not depend on any entry: the assets, and which of them have batches."""
    for number, asset in enumerate(contents.assets, 1):
        check_asset_form(asset, number)
        check_asset(asset)
    known = {asset.symbol for asset in contents.assets}
    for sealed in contents.seals:
        for batch in sealed.batches:
            if batch.symbol not in known:
                row = f"{batch.symbol}/{batch.batch.number}"
                same("token_batches", row, "asset", "an asset that exists", batch.symbol)


def _write_accounts(connection: Connection, identity: Identity, contents: Restore) -> set[str]:
    """Write the accounts whose addresses recompute; return those that are closed."""
    issuers, closed = 0, set()
    for page in _pages(contents.accounts()):
        for account in page:
            issuers += account.account_id == ISSUER
            check_account_form(account)
            check_account(account, identity.ledger_id)
            if account.account_id == ISSUER:
                same("token_accounts", ISSUER, "status", Status.OPEN, account.status)
            elif account.status == Status.CLOSED:
                closed.add(account.account_id)
            if identity.pepper is not None and (account.derived or account.link is not None):
                blind = account_blind(identity.pepper, account.account_id)
                same("token_accounts", account.account_id, "blind", blind, account.blind)
        account_store.write_accounts(connection, page, with_blind=identity.pepper is None)
    same("token_accounts", ISSUER, "row", "there", "there" if issuers else "missing")
    write_created(connection)
    return closed


class _Journal:
    """One asset being written: its entries, and all that follows from them."""

    def __init__(
        self, connection: Connection, identity: Identity, contents: Restore, asset: Asset
    ) -> None:
        self.asset = asset
        self.journal = JournalCheck(identity.domain, asset)
        self.batches = BatchCheck(identity.domain, asset, _batches(contents.seals, asset.symbol))
        self.standing = Standing(connection, identity, asset, contents.carried(asset.symbol))
        self._connection, self._identity, self._contents = connection, identity, contents

    def write(self, keys: KeyedRequests, closed: AbstractSet[str]) -> None:
        """Write the asset, its entries, balances and head, and the keys that go with them."""
        connection, identity, asset = self._connection, self._identity, self.asset
        head = first_head(identity.domain, asset.id)
        store.write_asset(connection, asset, head, self._contents.created_at)
        self.standing.check_holds()
        for page in _pages(self._contents.entries(asset.symbol)):
            self._write_page(page)
            _write_keys(connection, keys.take(page), self._contents)
        self.journal.end_group()
        self.batches.finish()
        self.standing.write(self.journal)
        _write_keys(connection, self.standing.keys(), self._contents)
        check_closed(self.journal, closed)

    def _write_page(self, page: Sequence[Entry]) -> None:
        """Write entries that recompute."""
        for entry in page:
            check_entry_form(self.asset, entry)
            self.journal.check(entry)
            self.batches.check(entry)
            _check_blind(self._identity, self.asset, entry)
        _check_addresses(self._connection, page)
        store.write_entries(
            self._connection,
            page,
            {self.asset.symbol: self.asset.number},
            with_blind=self._identity.pepper is None,
        )
        self.standing.take(page)


def _check_blind(identity: Identity, asset: Asset, entry: Entry) -> None:
    """Check that the pepper, where there is one, makes the blind that was hashed."""
    if identity.pepper is not None:
        blind = entry_blind(identity.pepper, asset.id, entry.seq)
        same("token_ledger", f"{asset.symbol}/{entry.seq}", "blind", blind, bytes(entry.blind))


def _write_keys(
    connection: Connection, keys: Iterable[tuple[str, KeyState]], contents: Restore
) -> None:
    """Write idempotency keys, so that a request repeated after the import posts nothing."""
    numbers = {asset.symbol: asset.number for asset in contents.assets}
    made = list(keys)
    known = set(key_store.read_keys(connection, [key for key, _ in made])) if made else set()
    for key, state in made:
        found = f"{key!r}, which an earlier entry has" if key in known else "a key used once"
        table, row = _row_of(state.receipt)
        same(table, row, "idempotency_key", "a key used once", found)
        known.add(key)
    if made:
        key_store.write_keys(connection, dict(made), numbers, contents.created_at)


def _write_spent(connection: Connection, contents: Restore) -> None:
    """Write the keys of holds that stay behind, each of a hold that there may have been."""
    numbers = {asset.symbol: asset.number for asset in contents.assets}
    carried = {symbol: contents.carried(symbol) for symbol in numbers}
    pending = {s: {held.hold.number for held in each.holds} for s, each in carried.items()}
    for page in _pages(contents.spent_keys()):
        known = key_store.read_keys(connection, [each.idempotency_key for each in page])
        for each in page:
            key, row = each.idempotency_key, f"{each.asset}/{each.number}"
            with readable("token_keys", row):
                check_text(key, "idempotency_key")
                last = carried[each.asset].last_hold
            if not 1 <= each.number <= last or each.number in pending[each.asset]:
                form = f"that of a hold up to {last} that is not pending"
                same("token_keys", row, "number", form, each.number)
            if not key or key in known:
                same("token_keys", row, "idempotency_key", "a key used once", repr(key))
        key_store.write_spent(connection, page, numbers, contents.created_at)


def _row_of(receipt: Receipt) -> tuple[str, str]:
    """Return the table and the row that a key made first."""
    if receipt.hold is not None and not receipt.entries:
        return "token_holds", f"{receipt.hold.asset}/{receipt.hold.number}"
    return "token_ledger", f"{receipt.entries[0].asset}/{receipt.entries[0].seq}"


def _check_addresses(connection: Connection, page: Sequence[Entry]) -> None:
    """Check that the addresses which were hashed are those of the accounts named."""
    named = {e.from_account for e in page} | {e.to_account for e in page}
    known = account_store.read_addresses(connection, sorted(named))
    for entry in page:
        row = f"{entry.asset}/{entry.seq}"
        expected = known.get(entry.from_account, b"")
        same("token_ledger", row, "from_account", expected, bytes(entry.from_address))
        expected = known.get(entry.to_account, b"")
        same("token_ledger", row, "to_account", expected, bytes(entry.to_address))


def _batches(seals: Sequence[Sealed], symbol: str) -> Iterator[SealedBatch]:
    """Return the batches of one asset, ascending by number."""
    return (batch for sealed in seals for batch in sealed.batches if batch.symbol == symbol)


def _write_seals(connection: Connection, identity: Identity, contents: Restore) -> None:
    """Write the seals, whose batches have been proved."""
    chain = SealCheck(identity.domain)
    numbers = {asset.symbol: asset.number for asset in contents.assets}
    for sealed in contents.seals:
        chain.check(sealed)
        write_seal(connection, sealed, numbers)


def _pages(rows: Iterable[T]) -> Iterator[list[T]]:
    """Return `rows` in lists of at most a page."""
    page: list[T] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
