"""What callers ask the ledger to post. A value that exists is well-formed; rules come later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ledger.addresses import normalize_account_id
from ledger.amounts import check_amount
from ledger.errors import FieldError
from ledger.links import Link
from ledger.model import ISSUER, ZERO_HASH, Address, FixedBytes, Hash32, Kind, Status
from ledger.texts import check_memo, check_symbol, check_text
from ledger.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ledger.results import Entry

_POSTABLE: Final = (Kind.PLAIN, Kind.CHAIN)

_WORDS: Final = ("reason", "reference_type", "reference_id", "idempotency_key")


@dataclass(frozen=True, slots=True)
class Movement:
    """One entry to post. From `system` it is a mint, to `system` a burn.

    `amount` is in base units; `asset` is a symbol and may be None while the ledger has one.
    An entry read from a chain has kind `chain` and its coordinates as `cause`
    (`ids.chain_cause`); only such an entry may be of zero or to the same account.

    Raises:
        FieldError: naming the field that has the wrong type, range or form.
    """

    from_account: str
    to_account: str
    amount: int
    asset: str | None = None
    reason: str = ""
    reference_type: str = ""
    reference_id: str = ""
    memo: str = ""
    idempotency_key: str = ""
    kind: Kind = Kind.PLAIN
    cause: Hash32 = ZERO_HASH

    def __post_init__(self) -> None:
        """Check and normalise every field, once."""
        put = object.__setattr__
        put(self, "from_account", normalize_account_id(self.from_account, "from_account"))
        put(self, "to_account", normalize_account_id(self.to_account, "to_account"))
        check_amount(self.amount)
        _check_optional(check_symbol, self.asset, "asset")
        for field in _WORDS:
            put(self, field, check_text(getattr(self, field), field))
        put(self, "memo", check_memo(self.memo))
        self._check_kind()

    def _check_kind(self) -> None:
        """Let only kinds pass that a caller may post, each with its cause."""
        if self.kind not in _POSTABLE:
            raise FieldError("kind", f"must be '' or 'chain', not {self.kind!r}")
        if not isinstance(self.cause, FixedBytes) or len(self.cause) != Hash32.size:
            raise FieldError("cause", f"must be a Hash32, not {type(self.cause).__name__}")
        if (self.kind == Kind.CHAIN) != (self.cause != ZERO_HASH):
            raise FieldError("cause", "goes with kind 'chain', and only with it")


@dataclass(frozen=True, slots=True)
class Group:
    """Entries posted together, all or none, at one time; over one asset or several.

    The group's key stands for the whole group; its movements carry none of their own.

    Raises:
        FieldError: naming the field.
    """

    movements: tuple[Movement, ...]
    idempotency_key: str = ""

    def __post_init__(self) -> None:
        """Check every field."""
        if not isinstance(self.movements, Iterable):
            raise FieldError("movements", f"must be movements, not {type(self.movements).__name__}")
        object.__setattr__(self, "movements", tuple(self.movements))
        check_text(self.idempotency_key, "idempotency_key")
        for position, movement in enumerate(self.movements):
            if not isinstance(movement, Movement):
                raise FieldError(f"movements[{position}]", "must be a Movement")
            if movement.idempotency_key:
                raise FieldError(
                    f"movements[{position}].idempotency_key", "belongs to the group, not to one"
                )


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """An account to create, endowed with `initial_balance` base units of `asset`.

    None means the asset's endowment (1,000 tokens unless set otherwise). The endowment is a mint
    with reason `endowment`, in the same commit. `address` is the owner's own, for good, and
    `link` says how it was proved (`ledger.links`); without them the address is derived.

    Raises:
        FieldError: naming the field.
    """

    account_id: str
    initial_balance: int | None = None
    asset: str | None = None
    idempotency_key: str = ""
    address: Address | None = None
    link: Link | None = None

    def __post_init__(self) -> None:
        """Check and normalise every field."""
        object.__setattr__(self, "account_id", normalize_account_id(self.account_id))
        _check_optional(check_amount, self.initial_balance, "initial_balance")
        _check_optional(check_symbol, self.asset, "asset")
        check_text(self.idempotency_key, "idempotency_key")
        if self.address is not None and not isinstance(self.address, Address):
            raise FieldError("address", f"must be an Address, not {type(self.address).__name__}")
        if self.link is not None and not isinstance(self.link, Link):
            raise FieldError("link", f"must be a Link, not {type(self.link).__name__}")
        if (self.address is None) != (self.link is None):
            raise FieldError("link", "goes with an address: say how it was proved")


@dataclass(frozen=True, slots=True)
class PlaceHold:
    """Part of a balance to set aside, for `to_account` or for whom posting it names.

    `amount` is in base units. After `expires_at` (aware) it is released by itself.

    Raises:
        FieldError: naming the field that has the wrong type, range or form.
    """

    account_id: str
    amount: int
    to_account: str = ""
    asset: str | None = None
    expires_at: datetime | None = None
    reason: str = ""
    reference_type: str = ""
    reference_id: str = ""
    memo: str = ""
    idempotency_key: str = ""

    def __post_init__(self) -> None:
        """Check and normalise every field."""
        put = object.__setattr__
        put(self, "account_id", _not_issuer(self.account_id, "account_id"))
        if self.to_account:
            put(self, "to_account", normalize_account_id(self.to_account, "to_account"))
        check_amount(self.amount)
        _check_optional(check_symbol, self.asset, "asset")
        if self.expires_at is not None:
            microseconds(self.expires_at, "expires_at")
        _check_words(self)

    @property
    def expiry(self) -> int:
        """When it expires, in microseconds; 0 for never."""
        return 0 if self.expires_at is None else microseconds(self.expires_at, "expires_at")


@dataclass(frozen=True, slots=True)
class PostHold:
    """A pending hold to post, whole (`amount` None) or in part, as an entry.

    The rest of it is released, or kept pending with `keep_rest`. Words left empty are the hold's.

    Raises:
        FieldError: naming the field that has the wrong type, range or form.
    """

    hold: Hash32
    amount: int | None = None
    keep_rest: bool = False
    to_account: str = ""
    reason: str = ""
    reference_type: str = ""
    reference_id: str = ""
    memo: str = ""
    idempotency_key: str = ""

    def __post_init__(self) -> None:
        """Check and normalise every field."""
        _check_id(self.hold, "hold")
        _check_optional(check_amount, self.amount, "amount")
        if self.keep_rest not in (True, False):
            raise FieldError("keep_rest", "must be True or False")
        if self.keep_rest and self.amount is None:
            raise FieldError("keep_rest", "goes with an amount: the whole leaves no rest")
        if self.to_account:
            to = normalize_account_id(self.to_account, "to_account")
            object.__setattr__(self, "to_account", to)
        _check_words(self)


@dataclass(frozen=True, slots=True)
class VoidHold:
    """A pending hold to release: what it still holds is available again.

    Raises:
        FieldError: naming the field.
    """

    hold: Hash32
    idempotency_key: str = ""

    def __post_init__(self) -> None:
        """Check every field."""
        _check_id(self.hold, "hold")
        check_text(self.idempotency_key, "idempotency_key")


@dataclass(frozen=True, slots=True)
class Reverse:
    """An entry to undo by a new one in the other direction, whole (`amount` None) or in part.

    `whole_group` undoes the whole group that the entry belongs to. Words left empty are "", but
    the reason is `reversal`.

    Raises:
        FieldError: naming the field.
    """

    entry: Hash32
    amount: int | None = None
    whole_group: bool = False
    reason: str = "reversal"
    reference_type: str = ""
    reference_id: str = ""
    memo: str = ""
    idempotency_key: str = ""

    def __post_init__(self) -> None:
        """Check every field."""
        _check_id(self.entry, "entry")
        _check_optional(check_amount, self.amount, "amount")
        if self.whole_group not in (True, False):
            raise FieldError("whole_group", "must be True or False")
        if self.whole_group and self.amount is not None:
            raise FieldError("amount", "a group is reversed whole; leave the amount out")
        _check_words(self)


@dataclass(frozen=True, slots=True)
class SetStatus:
    """An account to freeze, close or open again.

    Raises:
        FieldError: naming the field.
    """

    account_id: str
    status: Status

    def __post_init__(self) -> None:
        """Check every field."""
        object.__setattr__(self, "account_id", _not_issuer(self.account_id, "account_id"))
        if not isinstance(self.status, Status):
            raise FieldError("status", f"must be a Status, not {self.status!r}")

    idempotency_key: ClassVar[str] = ""
    """None: asked twice, the second is refused by the status that the first one made."""


@dataclass(frozen=True, slots=True)
class SetLimits:
    """The limits of an account in one asset, instead of those it has; None for any amount.

    Raises:
        FieldError: naming the field.
    """

    account_id: str
    asset: str | None = None
    max_debit: int | None = None
    max_balance: int | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        object.__setattr__(self, "account_id", _not_issuer(self.account_id, "account_id"))
        _check_optional(check_symbol, self.asset, "asset")
        for name in ("max_debit", "max_balance"):
            _check_optional(check_amount, getattr(self, name), name)

    idempotency_key: ClassVar[str] = ""
    """None: asked twice, the second changes nothing."""


Item = (
    Movement | Group | OpenAccount | PlaceHold | PostHold | VoidHold | Reverse
    | SetStatus | SetLimits
)  # fmt: skip
"""What `post_many` takes."""


def check_item(item: object, position: int) -> Item:
    """Return `item` if it can be posted.

    Raises:
        FieldError: naming its position, if it is of another type.
    """
    if not isinstance(item, Item):
        kinds = ", ".join(kind.__name__ for kind in Item.__args__)
        raise FieldError(f"items[{position}]", f"must be of {kinds}, not {type(item).__name__}")
    return item


def movement_of(entry: Entry) -> Movement:
    """Return the movement that made `entry`, without its key."""
    plain = Movement(
        entry.from_account,
        entry.to_account,
        entry.amount,
        entry.asset,
        entry.reason,
        entry.reference_type,
        entry.reference_id,
        entry.memo,
    )
    return caused(plain, Kind(entry.kind), entry.cause)


def caused(movement: Movement, kind: Kind, cause: Hash32) -> Movement:
    """Return `movement` with a kind and a cause that only the ledger itself may give."""
    made = replace(movement)
    object.__setattr__(made, "kind", kind)
    object.__setattr__(made, "cause", cause)
    return made


def _not_issuer(account_id: str, field: str) -> str:
    """Return the normalised id of an account that is not the issuer. Raises FieldError."""
    text = normalize_account_id(account_id, field)
    if text == ISSUER:
        raise FieldError(field, f"is the issuer {ISSUER!r}, which has no balance of its own")
    return text


def _check_id(value: object, field: str) -> None:
    """Let only 32 bytes pass. Raises FieldError."""
    if not isinstance(value, FixedBytes) or len(value) != Hash32.size:
        raise FieldError(field, f"must be a Hash32, not {type(value).__name__}")


def _check_optional(check: Callable[[Any, str], object], value: object, field: str) -> None:
    """Check a value that may be left out. Raises FieldError."""
    if value is not None:
        check(value, field)


def _check_words(item: PlaceHold | PostHold | Reverse) -> None:
    """Check the texts that an entry will carry. Raises FieldError."""
    for field in _WORDS:
        object.__setattr__(item, field, check_text(getattr(item, field), field))
    object.__setattr__(item, "memo", check_memo(item.memo))
