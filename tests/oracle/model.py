"""A slow, obvious ledger in memory, written from the specification alone.

It shares no code with `ledger` but the values that callers pass and the names of the rules. A
balance is a sum over all entries, what is staked a sum over all holds; every item is tried on a
copy of everything. Entries and holds are known by their place in a list; `learn` tells which ids
the ledger gave them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ledger import ISSUER, MAX_AMOUNT, Group, Kind, Movement, OpenAccount, Rule
from ledger.model import HoldState, Status
from ledger.requests import PlaceHold, PostHold, Reverse, SetLimits, SetStatus, VoidHold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledger import Address, Hash32
    from ledger.requests import Item

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

ACCOUNTS: Final = ""
"""The stream of account changes, beside the assets' journals."""

MAX_GROUP: Final = 1_000

Words = tuple[str, str, str, str, str]
"""Reason, reference type, reference id, memo, idempotency key."""


@dataclass(frozen=True)
class Line:
    """One entry."""

    asset: str
    seq: int
    time: int
    source: str
    target: str
    amount: int
    words: Words
    kind: str = ""
    cause: object = None
    """The place of the entry reversed or of the hold posted; of a chain entry, its cause."""
    group: int | None = None
    after: tuple[int, int] = (0, 0)
    """Both balances after it; of the issuer, the supply."""


@dataclass(frozen=True)
class Stake:
    """One hold."""

    asset: str
    source: str
    target: str
    amount: int
    remaining: int
    state: HoldState
    expiry: int
    created: int
    updated: int
    words: Words


@dataclass(frozen=True)
class Event:
    """What happened besides entries."""

    asset: str
    after: int
    time: int
    type: str
    account: str
    hold: int | None = None


@dataclass(frozen=True)
class Made:
    """What an item made: places of entries and of a hold, an account and its status, limits."""

    entries: tuple[int, ...] = ()
    account: tuple[str, Status] | None = None
    hold: tuple[int, Stake] | None = None
    limits: tuple[int | None, int | None] | None = None
    repeated: bool = False


@dataclass(frozen=True)
class Answer:
    """What the caller is told: what an item made, in full."""

    lines: tuple[Line, ...]
    account: tuple[str, Status] | None
    hold: Stake | None
    limits: tuple[int | None, int | None] | None
    repeated: bool


class No(Exception):  # noqa: N818 (a refusal, not a failure)
    """A rule's no."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.rule = rule


def refuse(rule: Rule, *, when: bool) -> None:
    """Refuse by `rule`, when it applies."""
    if when:
        raise No(rule)


def words_of(item: Any, key: str | None = None) -> Words:  # noqa: ANN401 (four kinds of request)
    """Return the texts of a request."""
    given = item.idempotency_key if key is None else key
    return (item.reason, item.reference_type, item.reference_id, item.memo, given)


@dataclass
class Model:
    """The whole ledger."""

    clock: int
    assets: dict[str, int] = field(default_factory=dict)
    """Each asset's endowment."""
    accounts: dict[str, Status] = field(default_factory=lambda: {ISSUER: Status.OPEN})
    addresses: dict[str, Address] = field(default_factory=dict)
    """Of the accounts that were given one."""
    limits: dict[tuple[str, str], tuple[int | None, int | None]] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    holds: list[Stake] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    keys: dict[str, tuple[object, Made]] = field(default_factory=dict)
    entry_ids: dict[Hash32, int] = field(default_factory=dict)
    hold_ids: dict[Hash32, int] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    """The last time of each journal."""
    floor: int = 0
    """What is posted next is later than this: the last time of every locked journal."""

    def copy(self) -> Model:
        """Return another that can change on its own."""
        other = Model(self.clock)
        for name, part in vars(self).items():
            setattr(other, name, part.copy() if isinstance(part, dict | list) else part)
        return other

    # --- what can be seen ---------------------------------------------------------------------

    def earned(self, asset: str, account: str) -> int:
        """Return all that ever arrived; of the issuer, all that was minted."""
        minting = account == ISSUER
        return sum(
            line.amount
            for line in self.lines
            if line.asset == asset and account == (line.source if minting else line.target)
        )

    def spent(self, asset: str, account: str) -> int:
        """Return all that ever left; of the issuer, all that was burned."""
        burning = account == ISSUER
        return sum(
            line.amount
            for line in self.lines
            if line.asset == asset and account == (line.target if burning else line.source)
        )

    def balance(self, asset: str, account: str) -> int:
        """Return what an account has; of the issuer, the supply."""
        return self.earned(asset, account) - self.spent(asset, account)

    def answer(self, made: Made) -> Answer:
        """Return what a caller is told of what was made."""
        lines = tuple(self.lines[place] for place in made.entries)
        hold = made.hold[1] if made.hold else None
        return Answer(lines, made.account, hold, made.limits, made.repeated)

    def staked(self, asset: str, account: str) -> int:
        """Return what is held of an account."""
        return sum(it.remaining for it in self.holds if (it.asset, it.source) == (asset, account))

    # --- posting ------------------------------------------------------------------------------

    def post_many(self, items: Sequence[Item], *, dry_run: bool = False) -> list[Answer | Rule]:
        """Post each item that no rule forbids; what was refused left no trace."""
        after = self.copy()
        locked = after.journals(items)
        after.floor = max((after.times.get(it, 0) for it in locked - {ACCOUNTS}), default=0)
        after.sweep(locked)
        results: list[Made | Rule] = []
        for item in items:
            attempt = after.copy()
            try:
                results.append(attempt.post(item))
            except No as no:
                results.append(no.rule)
            else:
                after = attempt
        if not dry_run and any(isinstance(it, Made) and not it.repeated for it in results):
            vars(self).update(vars(after))
        return [it if isinstance(it, Rule) else after.answer(it) for it in results]

    def post(self, item: Item) -> Made:
        """Post one item, or say what it made the first time."""
        key = item.idempotency_key
        if key and key in self.keys:
            request, made = self.keys[key]
            refuse(Rule.KEY_REUSED, when=request != self.request(item, made))
            return replace(made, repeated=True)
        made = self.decide(item)
        if key:
            self.keys[key] = (self.request(item, made), made)
        return made

    def decide(self, item: Item) -> Made:
        """Post one item that has not been posted."""
        kinds: dict[type, Any] = {
            Movement: self.lone,
            Group: self.group,
            OpenAccount: self.open,
            PlaceHold: self.hold,
            PostHold: self.post_hold,
            VoidHold: self.void,
            Reverse: self.reverse,
            SetStatus: self.set_status,
            SetLimits: self.set_limits,
        }
        made: Made = kinds[type(item)](item)
        return made

    # --- time ---------------------------------------------------------------------------------

    def now(self) -> int:
        """Return the time of what is posted next."""
        return max(self.clock, self.floor + 1)

    def sweep(self, journals: Iterable[str]) -> None:
        """Release what is due, the earliest expiry first, of equals the oldest first."""
        now = self.now()
        for asset in journals:
            due = [
                (stake.expiry, place)
                for place, stake in enumerate(self.holds)
                if stake.asset == asset and self.due(stake, now)
            ]
            for _, place in sorted(due):
                late = max(now, self.holds[place].updated)
                self.resolve(place, HoldState.EXPIRED, 0, late, "hold_expired")

    def due(self, stake: Stake, now: int) -> bool:
        """Tell whether a pending hold has expired."""
        return stake.state == HoldState.PENDING and 0 < stake.expiry <= now

    def journals(self, items: Sequence[Item]) -> set[str]:
        """Return the journals that are locked for `items`."""
        return {journal for item in items for journal in self.journals_of(item)}

    def journals_of(self, item: Item) -> set[str]:
        """Return the journals that an item names, of those that exist."""
        match item:
            case SetStatus():
                return {*self.assets, ACCOUNTS}
            case PostHold() | VoidHold():
                place = self.hold_ids.get(item.hold)
                return set() if place is None else {self.holds[place].asset}
            case Reverse():
                place = self.entry_ids.get(item.entry)
                if place is None:
                    return set()
                return {self.lines[one].asset for one in self.group_of(place)}
            case Group():
                named = {movement.asset for movement in item.movements}
            case OpenAccount():
                named = {item.asset} if item.initial_balance != 0 else set()
            case _:
                named = {item.asset}
        only = next(iter(self.assets)) if len(self.assets) == 1 else None
        found = {only if symbol is None else symbol for symbol in named} & {*self.assets}
        return {str(symbol) for symbol in found} | (
            {ACCOUNTS} if isinstance(item, OpenAccount) else set()
        )

    # --- entries ------------------------------------------------------------------------------

    def asset(self, symbol: str | None) -> str:
        """Return the asset that a request means."""
        if symbol is None:
            refuse(Rule.ASSET_REQUIRED, when=len(self.assets) != 1)
            return next(iter(self.assets))
        refuse(Rule.UNKNOWN_ASSET, when=symbol not in self.assets)
        return symbol

    def resolved(self, movement: Movement) -> Movement:
        """Return a movement that names its asset."""
        return replace(movement, asset=self.asset(movement.asset))

    def lone(self, item: Movement) -> Made:
        """Write one entry."""
        return Made((self.move(self.resolved(item), words_of(item)),))

    def move(
        self,
        it: Movement,
        words: Words,
        *,
        now: int | None = None,
        kind: str | None = None,
        cause: object = None,
        freed: int = 0,
    ) -> int:
        """Write one entry, if no rule forbids it; `freed` is what was held for it."""
        asset = str(it.asset)
        source, target, amount = it.from_account, it.to_account, it.amount
        from_chain = it.kind == Kind.CHAIN
        self.may_move(source, target)
        refuse(
            Rule.SAME_ACCOUNT,
            when=source == target and (source == ISSUER or not from_chain),
        )
        refuse(Rule.AMOUNT_ZERO, when=amount == 0 and not from_chain)
        refuse(Rule.DEBIT_LIMIT, when=above(amount, self.limits_of(asset, source)[0]))
        after = self.balance(asset, target) + amount
        refuse(
            Rule.BALANCE_LIMIT,
            when=source != target and above(after, self.limits_of(asset, target)[1]),
        )
        if source == ISSUER:
            supply = self.balance(asset, ISSUER)
            refuse(Rule.SUPPLY_OVERFLOW, when=supply + amount > MAX_AMOUNT)
        else:
            available = self.balance(asset, source) - self.staked(asset, source) + freed
            refuse(Rule.INSUFFICIENT_AVAILABLE, when=amount > available)
        used = {line.cause for line in self.lines if line.kind == Kind.CHAIN}
        time = self.now() if now is None else now
        seq = 1 + sum(line.asset == asset for line in self.lines)
        self.lines.append(
            Line(
                asset, seq, time, source, target, amount, words,
                it.kind if kind is None else kind, it.cause if from_chain else cause,
            )
        )  # fmt: skip
        self.times[asset] = self.floor = time
        for account in (source, target):
            most = max(self.earned(asset, account), self.spent(asset, account))
            refuse(Rule.TOTAL_OVERFLOW, when=most > MAX_AMOUNT)
        refuse(Rule.CAUSE_REUSED, when=from_chain and it.cause in used)
        both = (self.balance(asset, source), self.balance(asset, target))
        self.lines[-1] = replace(self.lines[-1], after=both)
        return len(self.lines) - 1

    def may_move(self, source: str, target: str) -> None:
        """Refuse what the accounts' standing forbids; a hold may name no target yet."""
        named = [account for account in (source, target) if account]
        refuse(Rule.UNKNOWN_ACCOUNT, when=any(one not in self.accounts for one in named))
        refuse(Rule.ACCOUNT_FROZEN, when=self.accounts[source] == Status.FROZEN)
        refuse(Rule.ACCOUNT_CLOSED, when=any(self.accounts[one] == Status.CLOSED for one in named))

    def limits_of(self, asset: str, account: str) -> tuple[int | None, int | None]:
        """Return the largest debit and the largest balance of an account."""
        return self.limits.get((asset, account), (None, None))

    def group(self, item: Group) -> Made:
        """Write all entries of a group, at one time."""
        movements = [self.resolved(movement) for movement in item.movements]
        refuse(Rule.GROUP_EMPTY, when=not movements)
        refuse(Rule.GROUP_TOO_LARGE, when=len(movements) > MAX_GROUP)
        now = self.now()
        keys = [item.idempotency_key] + [""] * (len(movements) - 1)
        places = [
            self.move(movement, words_of(movement, key), now=now)
            for movement, key in zip(movements, keys, strict=True)
        ]
        return Made(self.tied(places))

    def tied(self, places: list[int]) -> tuple[int, ...]:
        """Make entries a group, if they are several."""
        if len(places) > 1:
            for place in places:
                self.lines[place] = replace(self.lines[place], group=places[0])
        return tuple(places)

    def group_of(self, place: int) -> list[int]:
        """Return the places of an entry's group, or its own: journal after journal."""
        group = self.lines[place].group
        if group is None:
            return [place]
        order = list(self.assets)
        members = [other for other, line in enumerate(self.lines) if line.group == group]
        return sorted(members, key=lambda one: (order.index(self.lines[one].asset), one))

    def reverse(self, item: Reverse) -> Made:
        """Undo an entry, or a group from its last entry to its first."""
        place = self.entry_ids.get(item.entry)
        if place is None:
            raise No(Rule.UNKNOWN_ENTRY)
        old = self.group_of(place)
        refuse(Rule.GROUP_WHOLE, when=len(old) > 1 and not item.whole_group)
        gone = {line.cause for line in self.lines if line.kind == Kind.REVERSAL}
        refuse(Rule.ENTRY_REVERSED, when=any(one in gone for one in old))
        amount = item.amount
        refuse(Rule.ABOVE_ENTRY, when=amount is not None and amount > self.lines[place].amount)
        now = self.now()
        keys = [item.idempotency_key] + [""] * (len(old) - 1)
        made = []
        for one, key in zip(reversed(old), keys, strict=True):
            line = self.lines[one]
            asked = line.amount if amount is None else amount
            back = Movement(line.target, line.source, asked, line.asset)
            words = words_of(item, key)
            made.append(self.move(back, words, now=now, kind=Kind.REVERSAL, cause=one))
        return Made(self.tied(made))

    # --- holds --------------------------------------------------------------------------------

    def hold(self, it: PlaceHold) -> Made:
        """Set part of a balance aside."""
        asset = self.asset(it.asset)
        now = self.now()
        expiry = (
            0 if it.expires_at is None else (it.expires_at - EPOCH) // timedelta(microseconds=1)
        )
        self.may_move(it.account_id, it.to_account)
        refuse(Rule.EXPIRY_PASSED, when=it.expires_at is not None and expiry <= now)
        refuse(Rule.SAME_ACCOUNT, when=it.account_id == it.to_account)
        refuse(Rule.AMOUNT_ZERO, when=it.amount == 0)
        refuse(Rule.DEBIT_LIMIT, when=above(it.amount, self.limits_of(asset, it.account_id)[0]))
        available = self.balance(asset, it.account_id) - self.staked(asset, it.account_id)
        refuse(Rule.INSUFFICIENT_AVAILABLE, when=it.amount > available)
        stake = Stake(
            asset, it.account_id, it.to_account, it.amount, it.amount, HoldState.PENDING, expiry,
            now, now, words_of(it),
        )  # fmt: skip
        self.holds.append(stake)
        place = len(self.holds) - 1
        self.happened(asset, "hold_created", it.account_id, now, place)
        return Made(hold=(place, stake))

    def pending(self, hold: Hash32) -> tuple[int, Stake]:
        """Return a hold that can be resolved, by its id."""
        place = self.hold_ids.get(hold)
        if place is None:
            raise No(Rule.UNKNOWN_HOLD)
        stake = self.holds[place]
        refuse(Rule.HOLD_POSTED, when=stake.state == HoldState.POSTED)
        refuse(Rule.HOLD_VOIDED, when=stake.state == HoldState.VOIDED)
        late = self.due(stake, self.now())
        refuse(Rule.HOLD_EXPIRED, when=late or stake.state == HoldState.EXPIRED)
        return place, stake

    def post_hold(self, it: PostHold) -> Made:
        """Write the entry that a hold was for."""
        place, stake = self.pending(it.hold)
        named = {it.to_account, stake.target} - {""}
        refuse(Rule.HOLD_ACCOUNT, when=len(named) != 1)
        amount = stake.remaining if it.amount is None else it.amount
        refuse(Rule.ABOVE_HOLD, when=amount > stake.remaining)
        pairs = zip(words_of(it)[:4], stake.words[:4], strict=True)
        reason, type_, id_, memo = (given or kept for given, kept in pairs)
        target = it.to_account or stake.target
        entry = self.move(
            Movement(stake.source, target, amount, stake.asset),
            (reason, type_, id_, memo, it.idempotency_key),
            kind=Kind.HOLD,
            cause=place,
            freed=stake.remaining,
        )
        rest = stake.remaining - amount if it.keep_rest else 0
        state = HoldState.PENDING if rest else HoldState.POSTED
        made = self.resolve(place, state, rest, self.lines[entry].time, "hold_posted")
        return replace(made, entries=(entry,))

    def void(self, item: VoidHold) -> Made:
        """Release a hold."""
        place, stake = self.pending(item.hold)
        now = max(self.now(), stake.updated)
        return self.resolve(place, HoldState.VOIDED, 0, now, "hold_voided")

    def resolve(self, place: int, state: HoldState, rest: int, now: int, event: str) -> Made:
        """Write what became of a hold."""
        stake = replace(self.holds[place], state=state, remaining=rest, updated=now)
        self.holds[place] = stake
        self.happened(stake.asset, event, stake.source, now, place)
        return Made(hold=(place, stake))

    # --- accounts -----------------------------------------------------------------------------

    def open(self, item: OpenAccount) -> Made:
        """Create an account and endow it."""
        amount, asset = item.initial_balance, ""
        if amount != 0:
            asset = self.asset(item.asset)
            amount = self.assets[asset] if amount is None else amount
        refuse(Rule.ACCOUNT_EXISTS, when=item.account_id in self.accounts)
        if item.address is not None:
            refuse(Rule.ADDRESS_TAKEN, when=item.address in self.addresses.values())
            self.addresses[item.account_id] = item.address
        self.accounts[item.account_id] = Status.OPEN
        now = self.now()
        entries: tuple[int, ...] = ()
        if amount:
            mint = Movement(ISSUER, item.account_id, amount, asset)
            words = ("endowment", "", "", "", "")
            entries = (self.move(mint, words, now=now),)
        self.happened(ACCOUNTS, "account_created", item.account_id, now)
        return Made(entries, account=(item.account_id, Status.OPEN))

    def set_status(self, item: SetStatus) -> Made:
        """Freeze, close or reopen an account."""
        name = item.account_id
        refuse(Rule.UNKNOWN_ACCOUNT, when=name not in self.accounts)
        status = self.accounts[name]
        refuse(Rule.ACCOUNT_OPEN, when=status == item.status == Status.OPEN)
        refuse(Rule.ACCOUNT_FROZEN, when=status == item.status == Status.FROZEN)
        refuse(Rule.ACCOUNT_CLOSED, when=status == Status.CLOSED and item.status != Status.OPEN)
        something = any(self.balance(asset, name) for asset in self.assets)
        refuse(Rule.ACCOUNT_NOT_EMPTY, when=item.status == Status.CLOSED and something)
        self.accounts[name] = item.status
        events = {Status.OPEN: "reopened", Status.FROZEN: "frozen", Status.CLOSED: "closed"}
        self.happened(ACCOUNTS, f"account_{events[item.status]}", name, self.now())
        return Made(account=(name, item.status))

    def set_limits(self, item: SetLimits) -> Made:
        """Set limits in place of those there are."""
        asset = self.asset(item.asset)
        refuse(Rule.UNKNOWN_ACCOUNT, when=item.account_id not in self.accounts)
        refuse(Rule.ACCOUNT_CLOSED, when=self.accounts[item.account_id] == Status.CLOSED)
        limits = (item.max_debit, item.max_balance)
        if limits != self.limits_of(asset, item.account_id):
            self.limits[asset, item.account_id] = limits
            self.happened(asset, "limits_changed", item.account_id, self.now())
        return Made(limits=limits)

    # --- the rest -----------------------------------------------------------------------------

    def happened(
        self, asset: str, kind: str, account: str, now: int, hold: int | None = None
    ) -> None:
        """Write an event down."""
        seq = sum(line.asset == asset for line in self.lines)
        self.events.append(Event(asset, seq, now, kind, account, hold))

    def request(self, item: Item, made: Made) -> object:
        """Return what two requests with one key must have in common.

        A request that names no asset means that of the first time. A group is the same in any
        order of its assets, and a reversal is what it undoes: that is all that entries keep.
        """
        then = self.holds[made.hold[0]].asset if made.hold else None
        if made.entries:
            then = self.lines[made.entries[0]].asset
        if isinstance(item, Reverse):
            return self.reversal(item)
        if isinstance(item, Group):
            whole = [replace(it, asset=it.asset or then) for it in item.movements]
            return (Group, *sorted(whole, key=lambda it: str(it.asset)))
        kept: Any = item
        bare = replace(kept, idempotency_key="")
        if isinstance(item, OpenAccount):
            then = None if item.initial_balance == 0 else item.asset or then
            return replace(bare, asset=then)
        return replace(bare, asset=item.asset or then) if hasattr(item, "asset") else bare

    def reversal(self, item: Reverse) -> object:
        """Return what a reversal undoes, and how much of it; None if it could undo nothing."""
        place = self.entry_ids.get(item.entry)
        if place is None:
            return None
        old, amount = self.group_of(place), item.amount
        if len(old) > 1:
            return (Reverse, *old, words_of(item, "")) if item.whole_group else None
        amount = self.lines[place].amount if amount is None else amount
        return (Reverse, place, amount, words_of(item, ""))

    def learn(self, entry_ids: Iterable[Hash32], hold_ids: Iterable[Hash32]) -> None:
        """Learn the ids of the newest entries and holds, in the order in which they were made."""
        for number, entry_id in enumerate(entry_ids, len(self.entry_ids)):
            self.entry_ids[entry_id] = number
        for number, hold_id in enumerate(hold_ids, len(self.hold_ids)):
            self.hold_ids[hold_id] = number


def above(amount: int, most: int | None) -> bool:
    """Tell whether an amount is above a limit, if there is one."""
    return most is not None and amount > most
