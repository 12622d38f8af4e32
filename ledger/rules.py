"""The decision: given what is stored and one request, what is posted or which rule refuses it.

Values only. `Decisions` holds what was read under the lock and what follows from it; a refused
item leaves it as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from ledger.addresses import (
    account_blind,
    account_key,
    account_salt,
    address_in_id,
    check_linkable,
    create2_address,
    entry_blind,
)
from ledger.amounts import check_uint
from ledger.balances import NOTHING, BalanceState, credited, debited, issued, returned
from ledger.encoding import ledger_domain
from ledger.errors import NotFoundError, RefusedError, Rule
from ledger.formats import ACCOUNT_INIT_CODE_HASH, FACTORY
from ledger.ids import chained, group_id
from ledger.model import ISSUER, ZERO_HASH, Address, EntryWords, Hash32, Kind, Metadata
from ledger.requests import Group, Item, Movement, OpenAccount, mint, request_hash
from ledger.results import Account, Entry, Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledger.results import Asset

MAX_GROUP = 1_000
"""Entries in a group."""

MAX_CLOCK_AHEAD = 60_000_000
"""Microseconds that a caller's clock may be ahead of the database's."""


@dataclass(slots=True)
class Journal:
    """Where one asset's journal stands, while the lock is held."""

    asset: Asset
    seq: int
    head: bytes
    version: int
    last_time: int


class KeyState(NamedTuple):
    """What an idempotency key made, and for which request."""

    request: bytes
    receipt: Receipt


class _Touched(NamedTuple):
    """A movement that the rules let pass, with the balances after it."""

    movement: Movement
    symbol: str
    after_from: int
    after_to: int


@dataclass(slots=True)
class Decisions:
    """What was read under the lock, changed item by item, and what is to be written."""

    ledger_id: Hash32
    registrar: Address
    pepper: Hash32
    now: int
    last_time: int
    """The greatest last time of every locked head; every next group is later."""
    journals: Mapping[str, Journal]
    default_asset: str | None
    """The ledger's only asset, for calls that name none."""
    addresses: dict[str, Address]
    """Of the accounts named by the requests that exist."""
    taken: set[bytes]
    """Addresses, among those the requests would make, that an account has."""
    balances: dict[tuple[str, str], BalanceState]
    keys: dict[str, KeyState]
    new_accounts: list[Account] = field(default_factory=list)
    new_entries: list[Entry] = field(default_factory=list)
    new_keys: dict[str, KeyState] = field(default_factory=dict)
    touched: dict[tuple[str, str], None] = field(default_factory=dict)
    domain: bytes = b""

    def __post_init__(self) -> None:
        """Compute the domain separator once for the run."""
        self.domain = ledger_domain(self.ledger_id)

    def decide(self, item: Item, at: int | None = None) -> Receipt | RefusedError:
        """Return what `item` makes, or the refusal; only what it makes changes this state.

        `at` is when it happened, for an import; by default it happens now.
        """
        try:
            return self._decided(item, at)
        except RefusedError as refusal:
            return refusal

    def _decided(self, item: Item, at: int | None) -> Receipt:
        """Check the rules in their order; the first that applies refuses."""
        movements = movements_of(item)
        if item.idempotency_key in self.keys:
            return self._repeated(item, movements)
        symbols = [self._symbol(movement.asset) for movement in movements]
        if isinstance(item, Group):
            _check_group(item)
        request = request_hash(item, symbols) if item.idempotency_key else b""
        if isinstance(item, OpenAccount):
            receipt = self._opened(item, symbols, at)
        else:
            receipt = Receipt(self._posted(movements, symbols, item.idempotency_key, at))
        if request:
            self.keys[item.idempotency_key] = KeyState(request, receipt)
            self.new_keys[item.idempotency_key] = self.keys[item.idempotency_key]
        return receipt

    def _repeated(self, item: Item, movements: Sequence[Movement]) -> Receipt:
        """Return the first result of the key, marked, if the request is the same.

        Without an asset it means that of then, whatever assets there are now.
        """
        key = item.idempotency_key
        known = self.keys[key]
        then = known.receipt.entries[0].asset if known.receipt.entries else ""
        symbols = [then if m.asset is None else m.asset for m in movements]
        if known.request != request_hash(item, symbols):
            raise RefusedError(
                Rule.KEY_REUSED, f"key {key!r} was used for another request; choose a new key"
            )
        entries = tuple(replace(entry, repeated=True) for entry in known.receipt.entries)
        return Receipt(entries, known.receipt.account, repeated=True)

    def _symbol(self, named: str | None) -> str:
        """Return the asset that a request means."""
        symbol = named if named is not None else self.default_asset
        if symbol is None:
            raise RefusedError(
                Rule.ASSET_REQUIRED, "the ledger has not exactly one asset; name one"
            )
        if symbol not in self.journals:
            raise NotFoundError(Rule.UNKNOWN_ASSET, f"no asset {symbol!r}; create it first")
        return symbol

    def _opened(self, item: OpenAccount, symbols: Sequence[str], at: int | None) -> Receipt:
        """Create the account and endow it."""
        if item.account_id in self.addresses:
            raise RefusedError(Rule.ACCOUNT_EXISTS, f"account {item.account_id!r} exists")
        account = new_account(
            item.account_id, self.ledger_id, self.pepper, self.registrar, self._time(at)
        )
        if bytes(account.address) in self.taken:
            raise RefusedError(Rule.ADDRESS_TAKEN, f"{account.address} belongs to another account")
        self.addresses[item.account_id] = account.address
        try:
            entries = self._endow(item, symbols, at)
        except RefusedError:
            del self.addresses[item.account_id]
            raise
        self.taken.add(bytes(account.address))
        self.new_accounts.append(account)
        return Receipt(entries, account)

    def _endow(
        self, item: OpenAccount, symbols: Sequence[str], at: int | None
    ) -> tuple[Entry, ...]:
        """Mint the initial balance, if there is any."""
        if not symbols:
            return ()
        amount = item.initial_balance
        if amount is None:
            amount = self.journals[symbols[0]].asset.endowment
        if amount == 0:
            return ()
        return self._posted([mint(item.account_id, amount, symbols[0])], symbols, "", at)

    def _time(self, at: int | None) -> int:
        """Return the time of what is posted next: its own, or now."""
        return max(self.now, self.last_time + 1) if at is None else at

    def _posted(
        self, movements: Sequence[Movement], symbols: Sequence[str], key: str, at: int | None
    ) -> tuple[Entry, ...]:
        """Post all movements at one time, or raise before anything changed."""
        if at is not None and at <= self.last_time:
            raise RefusedError(
                Rule.TIME_PASSED, f"the journal has entries up to {self.last_time}, after {at}"
            )
        changed: dict[tuple[str, str], BalanceState] = {}
        passed = [
            self._moved(movement, symbol, changed)
            for movement, symbol in zip(movements, symbols, strict=True)
        ]
        self.balances.update(changed)
        self.touched.update(dict.fromkeys(changed))
        self.last_time = self._time(at)
        group = self._group_id(symbols)
        entries = tuple(
            self._entry(touched, group, key if position == 0 else "")
            for position, touched in enumerate(passed)
        )
        self.new_entries.extend(entries)
        return entries

    def _moved(
        self, movement: Movement, symbol: str, changed: dict[tuple[str, str], BalanceState]
    ) -> _Touched:
        """Check one movement against the balances so far and write those after it to `changed`."""
        self._check_static(movement)
        amount = movement.amount
        from_key, to_key = (symbol, movement.from_account), (symbol, movement.to_account)
        state = changed.get(from_key) or self.balances.get(from_key, NOTHING)
        after_from = _after_debit(state, amount, movement.from_account)
        other = after_from if to_key == from_key else changed.get(to_key)
        after_to = _after_credit(
            other or self.balances.get(to_key, NOTHING), amount, movement.to_account
        )
        changed[from_key] = after_from
        changed[to_key] = after_to
        return _Touched(movement, symbol, changed[from_key].balance, after_to.balance)

    def _check_static(self, movement: Movement) -> None:
        """Check the rules that need no balance."""
        for account_id in (movement.from_account, movement.to_account):
            if account_id not in self.addresses:
                raise NotFoundError(
                    Rule.UNKNOWN_ACCOUNT, f"no account {account_id!r}; create it first"
                )
        from_chain = movement.kind == Kind.CHAIN
        same = movement.from_account == movement.to_account
        if same and (not from_chain or movement.from_account == ISSUER):
            raise RefusedError(
                Rule.SAME_ACCOUNT, f"{movement.from_account!r} cannot pay itself; name two accounts"
            )
        if movement.amount == 0 and not from_chain:
            raise RefusedError(Rule.AMOUNT_ZERO, "the amount is zero; name at least one base unit")

    def _group_id(self, symbols: Sequence[str]) -> Hash32:
        """Return the group's id, from its lowest (asset, seq) and its size; zero for one entry."""
        if len(symbols) == 1:
            return ZERO_HASH
        lowest = min(
            (self.journals[symbol].asset.id, self.journals[symbol].seq + 1)
            for symbol in set(symbols)
        )
        return group_id(self.domain, *lowest, len(symbols))

    def _entry(self, touched: _Touched, group: Hash32, key: str) -> Entry:
        """Give the movement its seq, id and head, and move the journal on."""
        movement, journal = touched.movement, self.journals[touched.symbol]
        asset = journal.asset.id
        seq = journal.seq + 1
        from_ = self.addresses[movement.from_account]
        to = self.addresses[movement.to_account]
        blind = entry_blind(self.pepper, asset, seq)
        words = EntryWords(asset, seq, from_, to, movement.amount, self.last_time, b"")
        metadata = Metadata(
            movement.reason,
            movement.reference_type,
            movement.reference_id,
            movement.memo,
            key,
            group,
            movement.kind,
            movement.cause,
            blind,
        )
        id_, head = chained(self.domain, journal.head, words, metadata)
        journal.seq, journal.head, journal.last_time = seq, head, self.last_time
        journal.version += 1
        return Entry(
            asset=touched.symbol,
            seq=seq,
            id=Hash32.trusted(id_),
            head=Hash32.trusted(head),
            timestamp=self.last_time,
            from_account=movement.from_account,
            to_account=movement.to_account,
            from_address=from_,
            to_address=to,
            amount=movement.amount,
            balance_after_from=touched.after_from,
            balance_after_to=touched.after_to,
            reason=movement.reason,
            reference_type=movement.reference_type,
            reference_id=movement.reference_id,
            memo=movement.memo,
            idempotency_key=key,
            group=group,
            kind=movement.kind,
            cause=movement.cause,
            blind=Hash32.trusted(blind),
        )


def movements_of(item: Item) -> Sequence[Movement]:
    """Return the movements that `item` asks for (an account's endowment counts, unless zero)."""
    if isinstance(item, Movement):
        return (item,)
    if isinstance(item, Group):
        return item.movements
    if item.initial_balance == 0:
        return ()
    return (mint(item.account_id, item.initial_balance or 1, item.asset),)


def new_account(
    account_id: str, ledger_id: Hash32, pepper: Hash32, registrar: Address, created_at: int
) -> Account:
    """Return the account that `account_id` becomes: its id's own address, or a derived one.

    Raises:
        FieldError: the id is an address that no account may have.
    """
    own = address_in_id(account_id)
    if own is not None:
        check_linkable(own, frozenset({FACTORY}))
        return Account(account_id, own, ZERO_HASH, registrar, derived=False, created_at=created_at)
    blind = account_blind(pepper, account_id)
    return Account(
        account_id,
        derived_address(ledger_id, account_key(blind, account_id), registrar),
        blind,
        registrar,
        derived=True,
        created_at=created_at,
    )


def derived_address(ledger_id: bytes, key: bytes, registrar: bytes) -> Address:
    """Return where CREATE2 puts the account of (ledger, key, registrar), on every EVM chain."""
    return create2_address(FACTORY, account_salt(ledger_id, key, registrar), ACCOUNT_INIT_CODE_HASH)


def check_clock(now: int, database_now: int) -> int:
    """Return `now` if it is not too far ahead of the database's clock.

    Raises:
        FieldError: the clock gave something else than microseconds.
        RefusedError: CLOCK_AHEAD; one bad host would otherwise move time for all.
    """
    if check_uint(now, 63, "clock") > database_now + MAX_CLOCK_AHEAD:
        ahead = (now - database_now) / 1e6
        raise RefusedError(
            Rule.CLOCK_AHEAD, f"this clock is {ahead:.0f} s ahead of the database's; set it right"
        )
    return now


def _check_group(group: Group) -> None:
    """Refuse a group of no entries or too many."""
    if not group.movements:
        raise RefusedError(Rule.GROUP_EMPTY, "a group needs at least one movement")
    if len(group.movements) > MAX_GROUP:
        raise RefusedError(
            Rule.GROUP_TOO_LARGE, f"a group has at most {MAX_GROUP} movements; cut it"
        )


def _after_debit(state: BalanceState, amount: int, account_id: str) -> BalanceState:
    """Take `amount` from an account, or issue it."""
    return issued(state, amount) if account_id == ISSUER else debited(state, amount, account_id)


def _after_credit(state: BalanceState, amount: int, account_id: str) -> BalanceState:
    """Give `amount` to an account, or return it to the issuer."""
    return returned(state, amount) if account_id == ISSUER else credited(state, amount, account_id)
