"""What can go wrong, one type for each kind of failure, and the rules that refuse by name."""

from __future__ import annotations

from enum import StrEnum, auto


class Rule(StrEnum):
    """Why the ledger says no. Rules are checked in this order; the first that applies is named."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        """Name a rule by its own name, so that logs, the CLI and HTTP all say the same word."""
        return name

    INVALID_FIELD = auto()
    """A value has the wrong type, length, range or form; the error names the field."""
    READ_ONLY = auto()
    """The ledger was imported without its pepper: it can be read and verified, not posted to."""
    LOCK_ORDER = auto()
    """Inside the caller's transaction, an asset was named too late to be locked in order."""
    ISOLATION = auto()
    """The caller's transaction is not READ COMMITTED, and would read what is too old."""
    KEY_REUSED = auto()
    """The idempotency key was used before, for another request."""
    UNKNOWN_HOLD = auto()
    """No hold has that id."""
    UNKNOWN_ENTRY = auto()
    """No entry has that id."""
    HOLD_POSTED = auto()
    """The hold was posted."""
    HOLD_VOIDED = auto()
    """The hold was voided."""
    HOLD_EXPIRED = auto()
    """The hold has expired."""
    HOLD_ACCOUNT = auto()
    """Who gets a hold is named once: when it is made, or when it is posted."""
    ABOVE_HOLD = auto()
    """The amount is above what the hold still holds."""
    GROUP_WHOLE = auto()
    """The entry belongs to a group, which is reversed whole or not at all."""
    ENTRY_REVERSED = auto()
    """The entry has been reversed: at most one reversal for an entry."""
    ABOVE_ENTRY = auto()
    """A reversal is of at most the amount of its entry."""
    ASSET_REQUIRED = auto()
    """The ledger has several assets (or none) and the call names none."""
    UNKNOWN_ASSET = auto()
    """No asset has that symbol."""
    ASSET_EXISTS = auto()
    """Another asset has that symbol."""
    GROUP_EMPTY = auto()
    """A group has no entries."""
    GROUP_TOO_LARGE = auto()
    """A group has more than 1,000 entries."""
    CLOCK_AHEAD = auto()
    """The caller's clock is more than 60 seconds ahead of the database's."""
    TIME_PASSED = auto()
    """An import posts at a time that the journal has passed: it goes into an empty journal."""
    ACCOUNT_EXISTS = auto()
    """An account with that id (after NFC normalisation) exists."""
    LINK_INVALID = auto()
    """The proof that the account's owner holds the address does not prove it."""
    ADDRESS_TAKEN = auto()
    """Another account has that address; an address belongs to one account for ever."""
    UNKNOWN_ACCOUNT = auto()
    """No account has that id."""
    ACCOUNT_OPEN = auto()
    """The account is open already."""
    ACCOUNT_FROZEN = auto()
    """The account is frozen: nothing leaves it and nothing of it is held."""
    ACCOUNT_CLOSED = auto()
    """The account is closed: nothing is posted to it."""
    ACCOUNT_NOT_EMPTY = auto()
    """An account is closed only when it has nothing of any asset."""
    EXPIRY_PASSED = auto()
    """The hold would have expired before it began."""
    SAME_ACCOUNT = auto()
    """Debit and credit account are the same; only entries read from a chain may be so."""
    AMOUNT_ZERO = auto()
    """The amount is zero; only entries read from a chain may be so."""
    DEBIT_LIMIT = auto()
    """The amount is above the largest debit that the account allows."""
    BALANCE_LIMIT = auto()
    """The credit would take the account above its largest balance."""
    INSUFFICIENT_AVAILABLE = auto()
    """The amount is above the debit account's balance less what is held."""
    SUPPLY_OVERFLOW = auto()
    """The mint would take the total supply past 2**256 - 1."""
    TOTAL_OVERFLOW = auto()
    """The movement would take an account's total earned or spent past 2**256 - 1."""
    CAUSE_REUSED = auto()
    """An entry was read from the same place on a chain before: one log is one entry."""
    ASSET_CLOSED = auto()
    """The asset is closed: its journal has ended, and nothing is posted to it or held of it."""


class LedgerError(Exception):
    """Base of every error that this package raises on purpose; its text says what to do."""


class RefusedError(LedgerError):
    """You asked for something that a rule forbids. Nothing was changed."""

    def __init__(self, rule: Rule, message: str) -> None:
        """Refuse by `rule`; `message` says what was wrong and what to do."""
        super().__init__(rule, message)
        self.rule = rule
        self.message = message

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


class FieldError(RefusedError, ValueError):
    """A value has the wrong type, length, range or form. `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        """Refuse the value of `field`."""
        super().__init__(Rule.INVALID_FIELD, f"{field}: {message}")
        self.args = (field, message)  # what pickle calls this with, between processes
        self.field = field


class NotFoundError(RefusedError, LookupError):
    """What you named does not exist: an account, an asset, an entry."""


class BusyError(LedgerError):
    """Another writer held the journal for longer than the time-out. Nothing was changed."""


class ConflictError(LedgerError):
    """The database ended the transaction in favour of another. Run it again from its start."""


class DatabaseFileError(LedgerError):
    """The database cannot be used: not a database, read-only, not a ledger, or too new."""


class CorruptError(LedgerError):
    """Stored rows contradict each other. Run `evm-ledger audit`; do not post before that."""
