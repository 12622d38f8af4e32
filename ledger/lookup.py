"""Looking things up: assets, accounts, balances, holds, entries by what names them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import normalize

from ledger import reads, store
from ledger.addresses import normalize_account_id
from ledger.amounts import check_uint
from ledger.errors import NotFoundError, RefusedError, Rule
from ledger.model import ISSUER, Address, Hash32
from ledger.statements import check_limit
from ledger.targets import with_group
from ledger.texts import check_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from ledger.model import HoldState
    from ledger.nested import Posting
    from ledger.results import Account, Asset, Balance, Entry, Hold, Identity, JournalHead


def _counts(known: Mapping[str, Asset]) -> tuple[int, int]:
    """Return how many assets these are, and how many have an operator: all that can change."""
    return len(known), sum(asset.operator is not None for asset in known.values())


class Lookup:
    """Assets, accounts, balances, holds and entries of one ledger, by what names them.

    Everything is read in short transactions: long results are pages, the next one read when it
    is asked for.
    """

    def __init__(self, transactions: Posting, identity: Identity) -> None:
        """Use `Ledger.open` instead."""
        self._transactions = transactions
        self._assets: dict[str, Asset] = {}
        self._clock: Callable[[], int] | None = None
        self.identity = identity
        """Which ledger this is."""

    def moment(self) -> AbstractContextManager[None]:
        """Return a context in which all that this thread reads is of one moment.

        It is read through one connection, so that many small reads cost less, too. What this
        thread itself posts inside is not seen by its reads before the end.
        """
        return self._transactions.moment()

    def glance(self) -> AbstractContextManager[Connection]:
        """Return a context with a connection for one statement that changes nothing."""
        return self._transactions.glance()

    def assets(self) -> list[Asset]:
        """Return every asset, in order of creation."""
        return list(self._known_assets(fresh=True).values())

    def asset(self, symbol: str | None = None) -> Asset:
        """Return an asset; without a symbol, the ledger's only one.

        Raises:
            RefusedError: ASSET_REQUIRED.
            NotFoundError: UNKNOWN_ASSET.
        """
        known = self._known_assets(fresh=symbol is None or symbol not in self._assets)
        names = ", ".join(map(repr, list(known)[:5])) or "none"
        if symbol is None:
            if len(known) == 1:
                return next(iter(known.values()))
            raise RefusedError(Rule.ASSET_REQUIRED, f"name an asset; the ledger has {names}")
        if symbol not in known:
            raise NotFoundError(Rule.UNKNOWN_ASSET, f"no asset {symbol!r}; the ledger has {names}")
        return known[symbol]

    def _known_assets(self, *, fresh: bool = False) -> dict[str, Asset]:
        """Return the assets by symbol, from memory unless `fresh`."""
        known = self._assets  # read once: another thread may forget them meanwhile
        if fresh or not known:
            with self._transactions.reading() as connection:
                if not known or reads.count_assets(connection) != _counts(known):
                    known = self._assets = store.read_assets(connection)
        return known

    def account(self, account_id: str) -> Account:
        """Return an account. Raises NotFoundError."""
        account_id = normalize_account_id(account_id)
        with self._transactions.reading() as connection:
            return reads.find_account(connection, account_id, self.identity.pepper)

    def account_with(self, address: Address) -> Account:
        """Return the account that has an address. Raises NotFoundError: UNKNOWN_ACCOUNT."""
        with self._transactions.reading() as connection:
            return reads.account_with(connection, Address(address), self.identity.pepper)

    def accounts(self, prefix: str = "", *, after: str = "") -> Iterator[Account]:
        """Return every account (the issuer too) whose id begins with `prefix`, by id.

        The order is that of code points, and so is the prefix compared, in NFC. `after` is an id
        that an earlier call ended with.

        Raises:
            FieldError: the prefix is no text that an id could begin with.
        """
        start = normalize("NFC", check_text(after, "after"))
        return self._accounts(normalize("NFC", check_text(prefix, "prefix")), start)

    def _accounts(self, prefix: str, after: str) -> Iterator[Account]:
        """Return accounts page by page."""
        while True:
            with self._transactions.reading() as connection:
                page = reads.accounts_after(connection, after, self.identity.pepper, prefix)
            yield from page
            if not page:
                return
            after = page[-1].account_id

    def get_balance(self, account_id: str, asset: str | None = None) -> int:
        """Return the balance in base units, held amounts included. Raises NotFoundError."""
        return self.balance(account_id, asset).balance

    def balance(self, account_id: str, asset: str | None = None) -> Balance:
        """Return all numbers of an account in an asset. Raises NotFoundError."""
        found_asset = self.asset(asset)
        account_id = normalize_account_id(account_id)
        with self._transactions.reading() as connection:
            return reads.read_balance(connection, found_asset, account_id)

    def balances(self, asset: str | None = None) -> Iterator[Balance]:
        """Return the balances of every account that has a row of them, by id, without the issuer.

        It has one from its first entry, hold or limit on.
        """
        found_asset, after = self.asset(asset), ""
        while True:
            with self._transactions.reading() as connection:
                page = reads.balances_after(connection, found_asset, after)
            yield from (balance for balance in page if balance.account_id != ISSUER)
            if not page:
                return
            after = page[-1].account_id

    def get_total_supply(self, asset: str | None = None) -> int:
        """Return minted less burned, in base units."""
        return self.balance(ISSUER, asset).balance

    def entry(self, id: Hash32) -> Entry:  # noqa: A002 (the word that an entry has for it)
        """Return the entry with that id. Raises NotFoundError: UNKNOWN_ENTRY."""
        assets = self._known_assets(fresh=True).values()
        with self._transactions.reading() as connection:
            return reads.find_entry(connection, assets, self.identity.pepper, Hash32(id))

    def group(self, id: Hash32) -> tuple[Entry, ...]:  # noqa: A002 (the word that an entry has for it)
        """Return the entry with that id and all that were posted with it, by asset and seq.

        Raises:
            NotFoundError: UNKNOWN_ENTRY.
        """
        assets = self._known_assets(fresh=True)
        with self._transactions.reading() as connection:
            found = with_group(connection, assets, self.identity.pepper, Hash32(id))
        if not found:
            raise NotFoundError(Rule.UNKNOWN_ENTRY, f"no entry {Hash32(id)}")
        return found

    def reversal(self, id: Hash32) -> Entry | None:  # noqa: A002 (the word that an entry has for it)
        """Return the entry that reversed the one with that id; None while it stands."""
        assets = self._known_assets(fresh=True).values()
        with self._transactions.reading() as connection:
            return reads.find_reversal(connection, assets, self.identity.pepper, Hash32(id))

    def referenced(
        self, reference_type: str, reference_id: str, *, limit: int = 100
    ) -> list[Entry]:
        """Return the first `limit` (1..1,000) entries that refer to something, by asset and seq.

        Raises:
            FieldError: naming the argument that is wrong.
        """
        reference = (
            check_text(reference_type, "reference_type"),
            check_text(reference_id, "reference_id"),
        )
        check_limit(limit)
        assets = self._known_assets(fresh=True).values()
        with self._transactions.reading() as connection:
            return reads.find_referenced(connection, assets, self.identity.pepper, reference, limit)

    def find_hold(self, id: Hash32) -> Hold:  # noqa: A002 (the word that a hold has for it)
        """Return the hold with that id, as it is now. Raises NotFoundError: UNKNOWN_HOLD."""
        assets = self._known_assets(fresh=True).values()
        with self._transactions.reading() as connection:
            return reads.find_hold(connection, assets, self.identity.pepper, Hash32(id))

    def holds(
        self,
        account_id: str | None = None,
        asset: str | None = None,
        *,
        state: HoldState | None = None,
        after: int = 0,
    ) -> Iterator[Hold]:
        """Return the holds of an asset by number, the oldest first: all, or an account's.

        `state` leaves out those in another state, `after` those up to a number: a `Hold.number`
        is where a later call goes on.

        Raises:
            NotFoundError: UNKNOWN_ACCOUNT, UNKNOWN_ASSET.
            FieldError: naming the argument that is wrong.
        """
        found_asset = self.asset(asset)
        own = None if account_id is None else self.account(account_id).account_id
        wanted = None if state is None else reads.check_state(state)
        return self._holds(found_asset, own, wanted, check_uint(after, 62, "after"))

    def _holds(
        self, asset: Asset, own: str | None, state: HoldState | None, start: int
    ) -> Iterator[Hold]:
        """Return holds page by page."""
        after: int | None = start
        while after is not None:
            with self._transactions.reading() as connection:
                page, after = reads.holds_after(
                    connection, asset, self.identity.pepper, after, account_id=own, state=state
                )
            yield from page

    def head(self, asset: str | None = None) -> JournalHead:
        """Return where an asset's journal stands."""
        found_asset = self.asset(asset)
        with self._transactions.reading() as connection:
            return store.read_head(connection, found_asset.number)
