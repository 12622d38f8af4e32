"""What callers ask the ledger to post. A value that exists is well-formed; rules come later."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from ledger.addresses import normalize_account_id
from ledger.amounts import check_amount
from ledger.errors import FieldError
from ledger.hashing import keccak
from ledger.model import ISSUER, ZERO_HASH, FixedBytes, Hash32, Kind
from ledger.texts import check_memo, check_symbol, check_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_POSTABLE: Final = (Kind.PLAIN, Kind.CHAIN)


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
        if self.asset is not None:
            check_symbol(self.asset, "asset")
        for field in ("reason", "reference_type", "reference_id", "idempotency_key"):
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
    with reason `endowment`, in the same commit.

    Raises:
        FieldError: naming the field.
    """

    account_id: str
    initial_balance: int | None = None
    asset: str | None = None
    idempotency_key: str = ""

    def __post_init__(self) -> None:
        """Check and normalise every field."""
        object.__setattr__(self, "account_id", normalize_account_id(self.account_id))
        if self.initial_balance is not None:
            check_amount(self.initial_balance, "initial_balance")
        if self.asset is not None:
            check_symbol(self.asset, "asset")
        check_text(self.idempotency_key, "idempotency_key")


Item = Movement | Group | OpenAccount
"""What `post_many` takes."""


def check_item(item: object, position: int) -> Item:
    """Return `item` if it can be posted.

    Raises:
        FieldError: naming its position, if it is of another type.
    """
    if not isinstance(item, Movement | Group | OpenAccount):
        kind = type(item).__name__
        raise FieldError(
            f"items[{position}]", f"must be a Movement, Group or OpenAccount, not {kind}"
        )
    return item


def mint(account_id: str, amount: int, asset: str | None) -> Movement:
    """Return the endowment of a new account."""
    return Movement(ISSUER, account_id, amount, asset, reason="endowment")


def request_hash(item: Item, assets: Sequence[str]) -> bytes:
    """Return keccak of the canonical request, without its key; `assets` are the resolved symbols.

    Words joined by NUL, which no word can hold, and as many for every movement, have one reading:
    two different requests cannot collide. The movements of a group count in the order of their
    assets' symbols, and within an asset in theirs: that is all that the entries keep, so an
    import can rebuild the hash from them.
    """
    if isinstance(item, OpenAccount):
        initial = "-" if item.initial_balance is None else str(item.initial_balance)
        words = ["account", item.account_id, initial, *assets]
    elif isinstance(item, Group):
        pairs = sorted(zip(assets, item.movements, strict=True), key=itemgetter(0))
        words = ["group"]
        for symbol, movement in pairs:
            words += _movement_words(movement, symbol)
    else:
        words = ["entry", *_movement_words(item, assets[0])]
    return keccak("\x00".join(words).encode())


def _movement_words(movement: Movement, symbol: str) -> list[str]:
    """Return every field of `movement` but its key, as text in a fixed order."""
    return [
        symbol,
        movement.from_account,
        movement.to_account,
        str(movement.amount),
        movement.reason,
        movement.reference_type,
        movement.reference_id,
        movement.memo,
        movement.kind,
        movement.cause.hex(),
    ]
