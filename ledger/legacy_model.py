"""A ledger of the first specification as values: its rows, what they say, what is wrong in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from ledger.requests import Movement

ENTRIES: Final = "token_ledger"
ACCOUNTS: Final = "token_accounts"

OWN_KEYS: Final = "import:"
"""How the keys begin that the import gives itself; no old id may."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an import goes into, as far as its plan depends on it."""

    symbol: str
    decimals: int
    now: int
    """Microseconds since 1970 UTC; what the old ledger dates after it is a defect."""
    used_keys: frozenset[str] = frozenset()
    """Old ids that are idempotency keys of something else in the ledger."""

    def own_key(self, what: str) -> str:
        """Return a key that the import gives itself: `what` names the row or the correction."""
        return f"{OWN_KEYS}{self.symbol}:{what}"


class DefectKind(StrEnum):
    """What does not add up. The value is its name in reports and for `--accept-kind`."""

    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    NOT_FINITE = "not-finite"
    ID_UNUSABLE = "id-unusable"
    DUPLICATE_ID = "duplicate-id"
    KEY_USED = "key-used"
    TEXT_INVALID = "text-invalid"
    TIME_UNREADABLE = "time-unreadable"
    TIME_IN_FUTURE = "time-in-future"
    AMOUNT_ZERO = "amount-zero"
    AMOUNT_NEGATIVE = "amount-negative"
    AMOUNT_DECIMALS = "amount-decimals"
    AMOUNT_TOO_LARGE = "amount-too-large"
    SELF_TRANSFER = "self-transfer"
    NEGATIVE_MOMENT = "negative-moment"
    BALANCE_AFTER_DIFFERS = "balance-after-differs"
    UNKNOWN_ACCOUNT = "unknown-account"
    NO_HISTORY = "no-history"
    BALANCE_DIFFERS = "balance-differs"
    EARNED_DIFFERS = "earned-differs"
    SPENT_DIFFERS = "spent-differs"
    STAKED = "staked"
    ACCOUNT_INVALID = "account-invalid"
    ACCOUNT_COLLISION = "account-collision"
    DUPLICATE_ACCOUNT = "duplicate-account"
    TOTAL_OVERFLOW = "total-overflow"


FATAL: Final = frozenset(
    {
        DefectKind.ACCOUNT_INVALID,
        DefectKind.ACCOUNT_COLLISION,
        DefectKind.DUPLICATE_ACCOUNT,
        DefectKind.TOTAL_OVERFLOW,
    }
)
"""No entry can correct these: they are repaired in a copy of the old database."""

ACCEPTABLE: Final = frozenset(DefectKind) - FATAL
"""What `--accept` agrees to."""


class OldEntry(NamedTuple):
    """A row of the old token_ledger as its driver gives it, after the number of the row."""

    row: int
    id: object
    timestamp: object
    from_account: object
    to_account: object
    amount: object
    reason: object = None
    reference_type: object = None
    reference_id: object = None
    memo: object = None
    balance_after_from: object = None
    balance_after_to: object = None


class OldAccount(NamedTuple):
    """A row of the old token_accounts as its driver gives it, after the number of the row."""

    row: int
    account_id: object
    balance: object
    total_earned: object
    total_spent: object
    total_staked: object
    created_at: object
    updated_at: object = None


@dataclass(frozen=True, slots=True)
class OldTables:
    """Everything that an old database holds."""

    entries: Sequence[OldEntry]
    accounts: Sequence[OldAccount]
    bits: int = 53
    """Of the numbers' mantissa: 53 for a double, 24 for PostgreSQL's real."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that does not add up, in one row."""

    kind: DefectKind
    table: str
    row: int
    name: str
    """The old id, or the account's: how the row calls itself."""
    field: str
    message: str
    if_accepted: str
    """What accepting it does; empty where it cannot be accepted."""

    def __str__(self) -> str:
        return f"{self.table} row {self.row} ({self.name}) {self.field}: {self.message}"


@dataclass(frozen=True, slots=True)
class OldMovement:
    """A row of token_ledger that can be booked, as read."""

    row: int
    name: str
    key: str
    time: int
    """Microseconds since 1970 UTC."""
    from_account: str
    to_account: str
    amount: Decimal
    """Tokens, as the row says."""
    units: int
    """Base units; less than `amount`, even zero, where that has more decimals than the asset."""
    reason: str
    reference_type: str
    reference_id: str
    memo: str
    after_from: Decimal | None
    after_to: Decimal | None


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """A row of token_accounts, as read; None is what could not be read."""

    row: int
    account_id: str
    balance: Decimal | None
    earned: Decimal | None
    spent: Decimal | None
    staked: Decimal | None
    created_at: int | None


class Rounding(NamedTuple):
    """A stored number that is off by the roundings of floating point, and no more."""

    row: int
    """Of token_accounts."""
    account_id: str
    field: str
    stored: Decimal
    exact: Decimal
    """What the entries make; this is what the ledger gets."""


class Posting(NamedTuple):
    """An entry to book."""

    at: int
    """Microseconds since 1970 UTC."""
    movement: Movement
    is_correction: bool = False


class Opening(NamedTuple):
    """An account to create."""

    at: int
    account_id: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do, and what speaks against it."""

    rows: int
    """Of token_ledger."""
    accounts: int
    """Rows of token_accounts."""
    openings: tuple[Opening, ...]
    postings: tuple[Posting, ...]
    """In order of time; each is after the one before."""
    defects: tuple[Defect, ...]
    """In order of table and row."""
    roundings: tuple[Rounding, ...]
    rounded_after: int
    """Stored balance_after_* that are off by roundings."""
    moved: int
    """Rows that do not keep their time to the microsecond, because another has it."""
    left_out: int
    """Rows that are not booked."""
    stored: Decimal
    """The sum of all stored balances."""
    minted: int
    """Base units, corrections included."""
    burned: int

    @property
    def corrections(self) -> list[Posting]:
        """The entries that no row of the old table asks for."""
        return [posting for posting in self.postings if posting.is_correction]
