"""What must follow from what: the checks that audit and import share. Values only."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.account_rules import derived_address
from ledger.addresses import (
    account_key,
    address_in_id,
    check_linkable,
    normalize_account_id,
)
from ledger.amounts import check_amount, check_uint
from ledger.balances import BalanceState, after_credit, after_debit
from ledger.errors import RefusedError
from ledger.formats import FACTORY
from ledger.ids import asset_id, chained, first_head, group_id
from ledger.links import check_link
from ledger.locked import HOUR
from ledger.model import (
    ISSUER,
    ZERO_ADDRESS,
    ZERO_HASH,
    AssetTerms,
    EntryWords,
    Hash32,
    Kind,
    Metadata,
)
from ledger.texts import check_memo, check_symbol, check_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ledger.links import Link
    from ledger.results import Account, Asset, Entry


@dataclass(frozen=True, slots=True)
class Finding:
    """The first stored value that does not follow from the rest."""

    table: str
    row: str
    """The row's key, such as `SCI/17` or an account id."""
    what: str
    """What was recomputed: id, head, balance_after_to, tree_root, ..."""
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {self.what} is {self.found}, must be {self.expected}"


class FoundError(Exception):
    """Carries the first finding out of the checks."""

    def __init__(self, finding: Finding) -> None:
        """Stop because of `finding`."""
        super().__init__(str(finding))
        self.finding = finding


def same(table: str, row: str, what: str, expected: object, found: object) -> None:
    """Stop unless the stored value is the recomputed one.

    Raises:
        FoundError: naming the row and what differs.
    """
    if expected != found:
        raise FoundError(Finding(table, row, what, _text(expected), _text(found)))


@contextmanager
def readable(table: str, row: str = "some row") -> Iterator[None]:
    """Make a row that cannot even be read the finding.

    Raises:
        FoundError: the block met a value of another type or length.
    """
    try:
        yield
    except UNREADABLE as error:
        raise unreadable(table, row, error) from None


UNREADABLE = (AttributeError, LookupError, OverflowError, TypeError, ValueError)
"""What a value of another type or length makes the code that meets it raise."""


def unreadable(table: str, row: str, error: Exception) -> FoundError:
    """Return the finding that a row is not even of the right form."""
    return FoundError(Finding(table, row, "form", "readable", str(error)))


def _text(value: object) -> str:
    """Return a value for people: bytes as 0x and hex digits."""
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


# --- assets and accounts ---------------------------------------------------------------------


def check_asset(asset: Asset) -> None:
    """Recompute an asset's id. Raises FoundError."""
    terms = AssetTerms(asset.symbol, asset.name, asset.decimals)
    same("token_assets", asset.symbol, "id", asset_id(terms), asset.id)


def check_account(account: Account, ledger_id: bytes) -> None:
    """Recompute an account's address, or check how it was proved. Raises FoundError."""
    if account.link is not None:
        _check_given_address(account, account.link, ledger_id)
        return
    own = address_in_id(account.account_id)
    row = account.account_id
    same("token_accounts", row, "derived", own is None, account.derived)
    if own is None:
        key = account_key(account.blind, account.account_id)
        own = derived_address(ledger_id, key, account.registrar)
    else:
        same("token_accounts", row, "blind", ZERO_HASH, account.blind)
    same("token_accounts", row, "address", own, account.address)


def _check_given_address(account: Account, link: Link, ledger_id: bytes) -> None:
    """Check that an account may have the address that it was given. Raises FoundError."""
    row = account.account_id
    same("token_accounts", row, "derived", False, account.derived)  # noqa: FBT003 (a value found)
    same("token_accounts", row, "address in the id", None, address_in_id(row))
    try:
        check_linkable(account.address, frozenset({FACTORY}))
        check_link(Hash32(ledger_id), row, account.address, link)
    except RefusedError as refusal:
        raise FoundError(
            Finding("token_accounts", row, "link", "a proof of its address", refusal.message)
        ) from None


# --- the form of what comes from outside ----------------------------------------------------


def check_asset_form(asset: Asset, number: int) -> None:
    """Let only an asset pass that `create_asset` could have made as number `number`."""
    with readable("token_assets", asset.symbol):
        same("token_assets", asset.symbol, "asset", number, asset.number)
        check_symbol(asset.symbol)
        check_text(asset.name, "name")
        check_uint(asset.decimals, 8, "decimals")
        check_amount(asset.endowment, "endowment")


def check_account_form(account: Account) -> None:
    """Let only an account pass that `create_account` could have made."""
    row = account.account_id
    with readable("token_accounts", row):
        same("token_accounts", row, "account_id", normalize_account_id(row), row)
        check_uint(account.created_at, 63, "created_at")
        own = address_in_id(row)
        if own is not None and row != ISSUER:
            check_linkable(own, frozenset({FACTORY}))


def check_entry_form(asset: Asset, entry: Entry) -> None:
    """Let only an entry pass whose words a posting could have had, and a column can hold."""
    row = f"{asset.symbol}/{entry.seq}"
    same("token_ledger", row, "asset", asset.symbol, entry.asset)
    with readable("token_ledger", row):
        for what in ("reason", "reference_type", "reference_id", "idempotency_key"):
            check_text(getattr(entry, what), what)
        check_memo(entry.memo)
        for what in ("amount", "balance_after_from", "balance_after_to"):
            check_amount(getattr(entry, what), what)
        check_uint(entry.seq, 63, "seq")
        check_uint(entry.timestamp, 63, "timestamp")
        Kind(entry.kind)


# --- entries ---------------------------------------------------------------------------------


def recomputed(domain: bytes, asset: bytes, head: bytes, entry: Entry) -> tuple[bytes, bytes]:
    """Return the (id, head) that follow from the fields of `entry` after `head`."""
    words = EntryWords(
        asset,
        entry.seq,
        entry.from_address,
        entry.to_address,
        entry.amount,
        entry.timestamp,
        b"",
    )
    return chained(domain, head, words, metadata_of(entry))


def metadata_of(entry: Entry) -> Metadata:
    """Return what the `ref` of `entry` commits to."""
    return Metadata(
        entry.reason,
        entry.reference_type,
        entry.reference_id,
        entry.memo,
        entry.idempotency_key,
        entry.group,
        entry.kind,
        entry.cause,
        entry.blind,
    )


@dataclass(slots=True)
class Running:
    """What one account has of the asset so far, changed in place."""

    balance: int = 0
    earned: int = 0
    spent: int = 0

    @property
    def state(self) -> BalanceState:
        """The same as a value; nothing of it is held."""
        return BalanceState(self.balance, self.earned, self.spent, 0)

    def become(self, state: BalanceState) -> None:
        """Take `state` on."""
        self.balance, self.earned, self.spent, _ = state


def apply(sides: dict[str, Running], entry: Entry) -> tuple[int, int]:
    """Move the amount of `entry` in `sides`; return the balances after of both.

    Raises:
        RefusedError: the movement overdraws or overflows.
    """
    amount, from_, to = entry.amount, entry.from_account, entry.to_account
    payer, payee = (sides.setdefault(name, Running()) for name in (from_, to))
    payer.become(after_debit(payer.state, amount, from_))
    payee.become(after_credit(payee.state, amount, to))
    return payer.balance, payee.balance


@dataclass(frozen=True, slots=True)
class GroupPart:
    """The entries of one group in one journal."""

    asset: Hash32
    row: str
    first_seq: int
    count: int
    timestamp: int


@dataclass(slots=True)
class JournalCheck:
    """The running state of one journal: what each next row must continue."""

    domain: bytes
    asset: Asset
    seq: int = 0
    head: bytes = b""
    last_time: int = 0
    sides: dict[str, Running] = field(default_factory=dict)
    """By account id."""
    parts: dict[bytes, list[GroupPart]] = field(default_factory=dict)
    """Of groups over several assets, which no single journal proves."""
    volume: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By hour, the transfers (neither mints nor burns) and their sum."""
    group: bytes = ZERO_HASH
    """That of the last row, which the next may continue; zero for one alone."""
    group_first: int = 0

    def __post_init__(self) -> None:
        """Start at head_0."""
        self.head = first_head(self.domain, self.asset.id)

    @property
    def states(self) -> dict[str, BalanceState]:
        """What every account has that ever had any."""
        return {account_id: side.state for account_id, side in self.sides.items()}

    def check(self, entry: Entry) -> None:
        """Recompute one row and move on. Raises FoundError."""
        row = f"{self.asset.symbol}/{self.seq + 1}"
        same("token_ledger", row, "seq", self.seq + 1, entry.seq)
        if ZERO_ADDRESS in (entry.from_address, entry.to_address):
            _check_zero(row, "from_account", entry.from_account, entry.from_address)
            _check_zero(row, "to_account", entry.to_account, entry.to_address)
        id_, head = recomputed(self.domain, self.asset.id, self.head, entry)
        same("token_ledger", row, "id", id_, entry.id)
        same("token_ledger", row, "head", head, entry.head)
        self._check_time(entry, row)
        self._check_balances(entry, row)
        if entry.group != self.group:
            self.end_group()
            self.group, self.group_first = entry.group, entry.seq
        self.seq, self.head, self.last_time = entry.seq, head, entry.timestamp

    def end_group(self) -> None:
        """Prove the group that ended with the last row, or keep its part for the other journals."""
        if self.group == ZERO_HASH:
            return
        count = self.seq - self.group_first + 1
        if group_id(self.domain, self.asset.id, self.group_first, count) != self.group:
            row = f"{self.asset.symbol}/{self.group_first}"
            part = GroupPart(self.asset.id, row, self.group_first, count, self.last_time)
            self.parts.setdefault(self.group, []).append(part)
        self.group = ZERO_HASH

    def _check_time(self, entry: Entry, row: str) -> None:
        """Time grows from group to group, and is one within a group."""
        if entry.group != ZERO_HASH and entry.group == self.group:
            same("token_ledger", row, "timestamp", self.last_time, entry.timestamp)
        elif entry.timestamp <= self.last_time:
            same("token_ledger", row, "timestamp", f"over {self.last_time}", entry.timestamp)

    def _check_balances(self, entry: Entry, row: str) -> None:
        """Apply the movement to the running balances and compare the two stored with the row."""
        try:
            after_from, after_to = apply(self.sides, entry)
        except RefusedError as error:
            raise FoundError(
                Finding("token_ledger", row, "amount", error.message, str(entry.amount))
            ) from None
        same("token_ledger", row, "balance_after_from", after_from, entry.balance_after_from)
        same("token_ledger", row, "balance_after_to", after_to, entry.balance_after_to)
        if entry.from_account != ISSUER != entry.to_account:
            hour = entry.timestamp // HOUR
            count, amount = self.volume.get(hour, (0, 0))
            self.volume[hour] = (count + 1, amount + entry.amount)


def check_closed(journal: JournalCheck, closed: Iterable[str]) -> None:
    """Check that closed accounts have nothing. Raises FoundError."""
    for account_id in closed:
        side = journal.sides.get(account_id)
        if side is not None and side.balance:
            only = f"not closed, with {side.balance} of {journal.asset.symbol}"
            same("token_accounts", account_id, "status", only, "closed")


def _check_zero(row: str, what: str, account_id: str, address: bytes) -> None:
    """Address zero is the issuer's alone; it also stands for an account that is not there."""
    if (address == ZERO_ADDRESS) != (account_id == ISSUER):
        same("token_ledger", row, what, "an account that exists", repr(account_id))


def group_parts(journals: Sequence[JournalCheck]) -> dict[bytes, list[GroupPart]]:
    """Return the parts of every group over several assets."""
    gathered: dict[bytes, list[GroupPart]] = {}
    for journal in journals:
        for group, parts in journal.parts.items():
            gathered.setdefault(group, []).extend(parts)
    return gathered


def check_groups(domain: bytes, journals: Sequence[JournalCheck]) -> None:
    """Prove the groups over several assets from their parts. Raises FoundError."""
    for group, parts in group_parts(journals).items():
        lowest = min(parts, key=lambda part: (part.asset, part.first_seq))
        count = sum(part.count for part in parts)
        expected = group_id(domain, lowest.asset, lowest.first_seq, count)
        same("token_ledger", lowest.row, "group_id", expected, group)
        for part in parts:
            same("token_ledger", part.row, "timestamp", lowest.timestamp, part.timestamp)
