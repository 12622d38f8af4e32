"""What was read under the lock, and what follows from it. Values only.

`Locked` is changed item by item; whoever changes it checks every rule first, so that a refused
item leaves it as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from ledger.addresses import entry_blind
from ledger.balances import NOTHING, BalanceState, after_credit, after_debit
from ledger.details import details_of
from ledger.encoding import ledger_domain
from ledger.errors import NotFoundError, RefusedError, Rule
from ledger.ids import chained, group_id
from ledger.model import (
    ISSUER,
    ZERO_HASH,
    EntryWords,
    Hash32,
    Kind,
    Metadata,
    Status,
)
from ledger.results import Asset, Entry, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledger.model import Address
    from ledger.requests import Movement
    from ledger.results import Account, Hold

ACCOUNTS = ""
"""The symbol of the stream of account changes, which no asset has."""

ACCOUNTS_STREAM = Asset(0, ZERO_HASH, ACCOUNTS, "", 0, 0, None, "")
"""That stream, among the journals: it has events and no entries."""

HOUR = 3_600_000_000
"""Microseconds, over which the volume of transfers is kept."""

Place = tuple[str, str]
"""(symbol, account id)."""


@dataclass(slots=True)
class Journal:
    """Where one asset's journal stands, while the lock is held."""

    asset: Asset
    seq: int
    head: bytes
    version: int
    last_time: int
    events: int = 0
    next_expiry: int | None = None


class Event(NamedTuple):
    """A change that is no entry, numbered within its asset's events."""

    symbol: str
    number: int
    after_seq: int
    timestamp: int
    type: str
    account_id: str
    hold: int | None
    details: str
    """JSON."""


class _Touched(NamedTuple):
    """A movement that the rules let pass, with the balances after it."""

    movement: Movement
    symbol: str
    after_from: int
    after_to: int


@dataclass(slots=True)
class Locked:
    """What was read under the lock, changed item by item, and what is to be written."""

    ledger_id: Hash32
    registrar: Address
    pepper: Hash32
    now: int
    last_time: int
    """The greatest last time of every locked journal; every next group is later."""
    journals: Mapping[str, Journal]
    default_asset: str | None
    """The ledger's only asset, for calls that name none."""
    addresses: dict[str, Address]
    """Of the accounts named by the requests that exist."""
    taken: set[bytes]
    """Addresses, among those the requests would make, that an account has."""
    balances: dict[Place, BalanceState]
    statuses: dict[str, Status] = field(default_factory=dict)
    """Of the accounts that are not open."""
    limits: dict[Place, Limits] = field(default_factory=dict)
    """Where there are any."""
    holds: dict[Hash32, Hold] = field(default_factory=dict)
    """By id: those that the requests name, and those that are due."""
    reversed: set[bytes] = field(default_factory=set)
    """Entry ids, among those the requests name, that have been reversed."""
    causes: set[bytes] = field(default_factory=set)
    """Places on a chain, among those the requests name, that an entry was read from."""
    accounts: dict[str, Account] = field(default_factory=dict)
    """Those whose status is to change."""
    new_accounts: list[Account] = field(default_factory=list)
    new_entries: list[Entry] = field(default_factory=list)
    new_events: list[Event] = field(default_factory=list)
    changed_accounts: dict[str, Account] = field(default_factory=dict)
    changed_limits: dict[Place, Limits] = field(default_factory=dict)
    changed_holds: dict[Hash32, Hold] = field(default_factory=dict)
    new_holds: set[Hash32] = field(default_factory=set)
    touched: dict[Place, None] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    """The symbols of the journals that changed."""
    volume: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    """(symbol, hour) to the new transfers and their sum."""
    domain: bytes = b""

    def __post_init__(self) -> None:
        """Compute the domain separator once for the run."""
        self.domain = ledger_domain(self.ledger_id)

    # --- what the rules ask -------------------------------------------------------------------

    def symbol(self, named: str | None) -> str:
        """Return the asset that a request means. Raises ASSET_REQUIRED, UNKNOWN_ASSET."""
        symbol = named if named is not None else self.default_asset
        if symbol is None:
            raise RefusedError(
                Rule.ASSET_REQUIRED, "the ledger has not exactly one asset; name one"
            )
        if symbol not in self.journals:
            raise NotFoundError(Rule.UNKNOWN_ASSET, f"no asset {symbol!r}; create it first")
        return symbol

    def known(self, account_id: str) -> Address:
        """Return the address of an account. Raises UNKNOWN_ACCOUNT."""
        address = self.addresses.get(account_id)
        if address is None:
            raise NotFoundError(Rule.UNKNOWN_ACCOUNT, f"no account {account_id!r}; create it first")
        return address

    def check_usable(self, from_account: str, to_account: str) -> None:
        """Refuse a debit of a frozen account, and either side closed. "" is no account."""
        if self.statuses.get(from_account) == Status.FROZEN:
            raise RefusedError(
                Rule.ACCOUNT_FROZEN, f"account {from_account!r} is frozen; reopen it first"
            )
        for account_id in (from_account, to_account):
            if self.statuses.get(account_id) == Status.CLOSED:
                raise RefusedError(
                    Rule.ACCOUNT_CLOSED, f"account {account_id!r} is closed; reopen it first"
                )

    def check_debit(self, place: Place, amount: int) -> None:
        """Refuse an amount above the account's largest debit. Raises DEBIT_LIMIT."""
        limit = self.limits[place].max_debit if place in self.limits else None
        if limit is not None and amount > limit:
            raise RefusedError(
                Rule.DEBIT_LIMIT,
                f"{place[1]!r} allows debits of at most {limit} base units, {amount} are asked",
            )

    def time(self, at: int | None = None) -> int:
        """Return the time of what is posted next: its own, or now."""
        return max(self.now, self.last_time + 1) if at is None else at

    # --- what changes -------------------------------------------------------------------------

    def event(
        self,
        symbol: str,
        type_: str,
        account_id: str,
        *,
        hold: int | None = None,
        at: int | None = None,
        **details: object,
    ) -> Event:
        """Number and keep a change that is no entry."""
        journal = self.journals[symbol]
        journal.events += 1
        journal.version += 1
        stamp = max(self.time(at), journal.last_time)
        if symbol == ACCOUNTS:
            journal.last_time = stamp
        event = Event(
            symbol,
            journal.events,
            journal.seq,
            stamp,
            type_,
            account_id,
            hold,
            details_of(**details),
        )
        self.new_events.append(event)
        self.moved.add(symbol)
        return event

    def post(
        self,
        movements: Sequence[Movement],
        symbols: Sequence[str],
        key: str,
        at: int | None = None,
        *,
        released: int = 0,
    ) -> tuple[Entry, ...]:
        """Post all movements at one time, or raise before anything changed.

        `released` base units of the first debit account's holds go with the first movement.
        """
        if at is not None and at <= self.last_time:
            raise RefusedError(
                Rule.TIME_PASSED, f"the journal has entries up to {self.last_time}, after {at}"
            )
        changed: dict[Place, BalanceState] = {}
        if released:
            place = (symbols[0], movements[0].from_account)
            state = self.balances[place]
            changed[place] = state._replace(staked=state.staked - released)
        causes: set[bytes] = set()
        passed = [
            self._moved(movement, symbol, changed, causes)
            for movement, symbol in zip(movements, symbols, strict=True)
        ]
        self.balances.update(changed)
        self.touched.update(dict.fromkeys(changed))
        self.last_time = self.time(at)
        group = self._group_id(symbols)
        entries = tuple(
            self._entry(touched, group, key if position == 0 else "")
            for position, touched in enumerate(passed)
        )
        self.new_entries.extend(entries)
        return entries

    def _moved(
        self,
        movement: Movement,
        symbol: str,
        changed: dict[Place, BalanceState],
        causes: set[bytes],
    ) -> _Touched:
        """Check one movement against `changed` and `causes` so far, and write what it adds."""
        self._check_static(movement)
        amount = movement.amount
        from_key, to_key = (symbol, movement.from_account), (symbol, movement.to_account)
        state = changed.get(from_key) or self.balances.get(from_key, NOTHING)
        if self.limits:
            self._check_limits(from_key, to_key, amount, changed)
        after_from = after_debit(state, amount, movement.from_account)
        other = after_from if to_key == from_key else changed.get(to_key)
        after_to = after_credit(
            other or self.balances.get(to_key, NOTHING), amount, movement.to_account
        )
        if movement.kind == Kind.CHAIN:
            self._check_cause(movement.cause, causes)
        changed[from_key] = after_from
        changed[to_key] = after_to
        return _Touched(movement, symbol, changed[from_key].balance, after_to.balance)

    def _check_static(self, movement: Movement) -> None:
        """Check the rules that need no balance."""
        self.known(movement.from_account)
        self.known(movement.to_account)
        if self.statuses:
            self.check_usable(movement.from_account, movement.to_account)
        from_chain = movement.kind == Kind.CHAIN
        same = movement.from_account == movement.to_account
        if same and (not from_chain or movement.from_account == ISSUER):
            raise RefusedError(
                Rule.SAME_ACCOUNT, f"{movement.from_account!r} cannot pay itself; name two accounts"
            )
        if movement.amount == 0 and not from_chain:
            raise RefusedError(Rule.AMOUNT_ZERO, "the amount is zero; name at least one base unit")

    def _check_cause(self, cause: bytes, causes: set[bytes]) -> None:
        """Refuse a place on a chain that has its entry; add it to `causes`."""
        if cause in self.causes or cause in causes:
            raise RefusedError(
                Rule.CAUSE_REUSED, "an entry was read from this log before: one log is one entry"
            )
        causes.add(cause)

    def _check_limits(
        self, from_key: Place, to_key: Place, amount: int, changed: Mapping[Place, BalanceState]
    ) -> None:
        """Check the limits of both sides."""
        self.check_debit(from_key, amount)
        limit = self.limits[to_key].max_balance if to_key in self.limits else None
        if limit is None or to_key == from_key:
            return
        balance = (changed.get(to_key) or self.balances.get(to_key, NOTHING)).balance
        if balance + amount > limit:
            raise RefusedError(
                Rule.BALANCE_LIMIT,
                f"{to_key[1]!r} may have at most {limit} base units and has {balance}; "
                f"{amount} more are asked",
            )

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
        self.moved.add(touched.symbol)
        self._count(movement, touched.symbol)
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

    def _count(self, movement: Movement, symbol: str) -> None:
        """Count a transfer in the volume of its hour; remember what only one entry may have."""
        if movement.kind == Kind.CHAIN:
            self.causes.add(movement.cause)
        if ISSUER in (movement.from_account, movement.to_account):
            return
        place = (symbol, self.last_time // HOUR)
        entries, amount = self.volume.get(place, (0, 0))
        self.volume[place] = (entries + 1, amount + movement.amount)

    def put_hold(self, hold: Hold) -> None:
        """Keep a hold as it is now."""
        self.holds[hold.id] = self.changed_holds[hold.id] = hold

    def set_staked(self, place: Place, change: int) -> None:
        """Hold more of a balance, or less."""
        state = self.balances.get(place, NOTHING)
        self.balances[place] = state._replace(staked=state.staked + change)
        self.touched[place] = None

    def put_status(self, account_id: str, status: Status) -> Account:
        """Give an account a status, and return it."""
        account = replace(self.accounts[account_id], status=status)
        self.accounts[account_id] = self.changed_accounts[account_id] = account
        if status == Status.OPEN:
            self.statuses.pop(account_id, None)
        else:
            self.statuses[account_id] = status
        return account
