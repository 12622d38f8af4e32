"""Reading the rows of an old ledger: each cell as what its column is for, or a defect.

Values only. A number is converted by its shortest decimal that round-trips, which is what was
written and what every tool shows; from there on everything is exact.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeVar

from ledger.addresses import address_in_id, check_linkable, normalize_account_id
from ledger.amounts import MAX_AMOUNT
from ledger.errors import FieldError
from ledger.formats import FACTORY
from ledger.legacy_model import (
    ACCOUNTS,
    ENTRIES,
    FATAL,
    OWN_KEYS,
    Defect,
    DefectKind,
    OldMovement,
    StoredAccount,
)
from ledger.model import ISSUER
from ledger.texts import MAX_MEMO_BYTES, MAX_TEXT, check_memo, check_text
from ledger.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.legacy_model import OldAccount, OldEntry, Target

T = TypeVar("T")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].+)?", re.DOTALL)
_TEXTS: Final = ("reason", "reference_type", "reference_id", "memo")
_LEFT_OUT = "the row is left out"
_REBUILT = "what the entries say stands"


class CellError(Exception):
    """A cell does not hold what its column is for."""

    def __init__(self, kind: DefectKind, message: str) -> None:
        """Name the kind of defect and say what is there."""
        super().__init__(message)
        self.kind = kind
        self.message = message


# --- cells -----------------------------------------------------------------------------------


def decimal_of(number: float) -> Decimal:
    """Return the shortest decimal that reads back as `number` (finite), exactly."""
    return Decimal(repr(number))


def shown(number: Decimal) -> str:
    """Return `number` for people: plain digits, without trailing zeros, unless absurdly long."""
    plain = f"{number:f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return plain if len(plain) <= 100 else str(number)  # noqa: PLR2004 (more says nothing to a reader)


def read_number(cell: object) -> Decimal:
    """Return the number in a cell, exactly. Raises CellError."""
    if cell is None:
        raise CellError(DefectKind.MISSING_FIELD, "is NULL")
    if isinstance(cell, bool) or not isinstance(cell, float | int | Decimal):
        raise CellError(DefectKind.WRONG_TYPE, f"must be a number, not {_kind(cell)}")
    number = decimal_of(cell) if isinstance(cell, float) else Decimal(cell)
    if not number.is_finite():
        raise CellError(DefectKind.NOT_FINITE, f"is {number}")
    return number


def read_time(cell: object, now: int) -> int:
    """Return the microseconds since 1970 of a time in ISO 8601; no offset means UTC.

    Raises:
        CellError: it is none, is before 1970, or is after `now`.
    """
    if cell is None or cell == "":
        raise CellError(DefectKind.MISSING_FIELD, "is empty")
    moment = cell if isinstance(cell, datetime) else _parsed(cell)
    if moment.utcoffset() is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        time = microseconds(moment)
    except (FieldError, OverflowError):
        raise CellError(
            DefectKind.TIME_UNREADABLE, f"{moment} is not from 1970 to 9999 in UTC"
        ) from None
    if time > now:
        raise CellError(DefectKind.TIME_IN_FUTURE, f"{moment} is yet to come")
    return time


def _parsed(cell: object) -> datetime:
    """Return the moment that a text names."""
    if not isinstance(cell, str):
        raise CellError(DefectKind.WRONG_TYPE, f"must be text, not {_kind(cell)}")
    try:
        if _DATE.fullmatch(cell):
            return datetime.fromisoformat(cell)
    except ValueError:
        pass
    raise CellError(
        DefectKind.TIME_UNREADABLE, f"{cell[:60]!r} is not ISO 8601 like 2025-01-31T12:00:00"
    )


def read_account_id(cell: object) -> str:
    """Return an account id as the ledger keeps it. Raises CellError."""
    if cell is None or cell == "":
        raise CellError(DefectKind.MISSING_FIELD, "is empty")
    if not isinstance(cell, str):
        raise CellError(DefectKind.WRONG_TYPE, f"must be text, not {_kind(cell)}")
    try:
        account_id = normalize_account_id(cell, "id")
        own = address_in_id(account_id)
        if own is not None and account_id != ISSUER:
            check_linkable(own, frozenset({FACTORY}))
    except FieldError as error:
        raise CellError(DefectKind.ACCOUNT_INVALID, _reason(error)) from None
    return account_id


def _read_key(cell: object) -> str:
    """Return the idempotency key that an old id becomes. Raises CellError."""
    if cell is None or cell == "":
        raise CellError(DefectKind.MISSING_FIELD, "is empty")
    if not isinstance(cell, str):
        raise CellError(DefectKind.WRONG_TYPE, f"must be text, not {_kind(cell)}")
    if cell.startswith(OWN_KEYS):
        raise CellError(DefectKind.ID_UNUSABLE, f"begins with {OWN_KEYS}, the import's own")
    try:
        return check_text(cell, "id")
    except FieldError as error:
        raise CellError(DefectKind.ID_UNUSABLE, _reason(error)) from None


def _cut(cell: object, *, memo: bool) -> str:
    """Return what the ledger can keep of a text that it refuses."""
    if not isinstance(cell, str):
        return ""
    text = cell.replace("\x00", "").encode(errors="replace").decode()
    if not memo:
        return text[:MAX_TEXT]
    return text.encode()[:MAX_MEMO_BYTES].decode(errors="ignore")


def name_of(cell: object, row: int) -> str:
    """Return how a row calls itself, or its number, as a text that an entry can refer to."""
    if isinstance(cell, str) and cell and cell == _cut(cell, memo=False):
        return cell
    return f"row {row}"


def _kind(cell: object) -> str:
    """Return what a cell holds, for people."""
    if isinstance(cell, str):
        return f"text {cell[:60]!r}"
    return f"a BLOB {cell[:60]!r}" if isinstance(cell, bytes) else f"{type(cell).__name__} {cell}"


def _reason(error: FieldError) -> str:
    """Return what a field's error says, without the field."""
    return error.message.removeprefix(f"{error.field}: ")


# --- rows ------------------------------------------------------------------------------------


@dataclass(slots=True)
class RowReader:
    """Reads rows one after the other; what cannot be read is in `defects`."""

    target: Target
    defects: list[Defect] = field(default_factory=list)
    _keys: set[str] = field(default_factory=set)
    _forms: dict[str, str] = field(default_factory=dict)
    """How each account id was written first, by its form in the ledger (NFC)."""

    def entry(self, old: OldEntry) -> OldMovement | None:
        """Return what a row of token_ledger books, or None where it cannot be booked."""
        row = _Row(ENTRIES, old.row, name_of(old.id, old.row), self.defects)
        key = self._key(old, row)
        time = row.read("timestamp", lambda: read_time(old.timestamp, self.target.now), _LEFT_OUT)
        payer = row.read("from_account", lambda: self._account(old.from_account), _LEFT_OUT)
        payee = row.read("to_account", lambda: self._account(old.to_account), _LEFT_OUT)
        amount = row.read("amount", lambda: _positive(old.amount), _LEFT_OUT)
        units = None if amount is None else self._units(amount, row)
        texts = {name: self._text(old, name, row) for name in _TEXTS}
        after_from = _after(old, "balance_after_from", payer, row)
        after_to = _after(old, "balance_after_to", payee, row)
        if payer is not None and payer == payee:
            row.defect(DefectKind.SELF_TRANSFER, "to_account", f"{payer} pays itself", _LEFT_OUT)
            return None
        if time is None or payer is None or payee is None or amount is None or units is None:
            return None
        return OldMovement(
            row=old.row,
            name=row.name,
            key=key,
            time=time,
            from_account=payer,
            to_account=payee,
            amount=amount,
            units=units,
            reason=texts["reason"],
            reference_type=texts["reference_type"],
            reference_id=texts["reference_id"],
            memo=texts["memo"],
            after_from=after_from,
            after_to=after_to,
        )

    def account(self, old: OldAccount) -> StoredAccount | None:
        """Return what a row of token_accounts says, or None where it does not say of whom."""
        row = _Row(ACCOUNTS, old.row, name_of(old.account_id, old.row), self.defects)
        account_id = row.read("account_id", lambda: self._account(old.account_id), "")
        if account_id is None or account_id == ISSUER:
            return None
        created_at = row.read(
            "created_at",
            lambda: read_time(old.created_at, self.target.now),
            "the account begins with its first entry",
        )
        return StoredAccount(
            row=old.row,
            account_id=account_id,
            balance=row.read("balance", lambda: read_number(old.balance), _REBUILT),
            earned=row.read("total_earned", lambda: read_number(old.total_earned), _REBUILT),
            spent=row.read("total_spent", lambda: read_number(old.total_spent), _REBUILT),
            staked=row.read("total_staked", lambda: read_number(old.total_staked), _REBUILT),
            created_at=created_at,
        )

    def _key(self, old: OldEntry, row: _Row) -> str:
        """Return the row's idempotency key: its id or, where that cannot be, its number."""
        own = self.target.own_key(f"row:{old.row}")
        accepted = f"its key is {own}"
        key = row.read("id", lambda: _read_key(old.id), accepted)
        if key is None:
            return own
        if key in self._keys:
            row.defect(DefectKind.DUPLICATE_ID, "id", "an earlier row has this id", accepted)
            return own
        if key in self.target.used_keys:
            message = "is the idempotency key of something else in the ledger"
            row.defect(DefectKind.KEY_USED, "id", message, accepted)
            return own
        self._keys.add(key)
        return key

    def _account(self, cell: object) -> str:
        """Return an account id; two old ids that the ledger takes for one are a CellError."""
        account_id = read_account_id(cell)
        form = str(cell)
        if self._forms.setdefault(account_id, form) != form:
            raise CellError(
                DefectKind.ACCOUNT_COLLISION,
                f"{form!a} and {self._forms[account_id]!a} are one id after NFC",
            )
        return account_id

    def _units(self, amount: Decimal, row: _Row) -> int | None:
        """Return the base units of an amount, cut where it has more decimals than the asset."""
        scaled = amount.scaleb(self.target.decimals)
        if scaled > MAX_AMOUNT:
            row.defect(
                DefectKind.AMOUNT_TOO_LARGE, "amount", f"{shown(amount)} passes 2**256", _LEFT_OUT
            )
            return None
        units = int(scaled)
        if units != scaled:
            kept = shown(Decimal(units).scaleb(-self.target.decimals)) if units else "nothing"
            row.defect(
                DefectKind.AMOUNT_DECIMALS,
                "amount",
                f"{shown(amount)} has more than {self.target.decimals} decimals",
                f"books {kept}",
            )
        return units

    def _text(self, old: OldEntry, name: str, row: _Row) -> str:
        """Return a text of an entry, cut where the ledger cannot keep it."""
        cell = getattr(old, name)
        if cell is not None and not isinstance(cell, str):
            row.defect(
                DefectKind.WRONG_TYPE, name, f"must be text, not {_kind(cell)}", "it is left empty"
            )
            return ""
        try:
            return check_memo(cell) if name == "memo" else check_text(cell, name)
        except FieldError as error:
            row.defect(DefectKind.TEXT_INVALID, name, _reason(error), "keeps what fits")
            return _cut(cell, memo=name == "memo")


@dataclass(frozen=True, slots=True)
class _Row:
    """Where a defect is."""

    table: str
    row: int
    name: str
    defects: list[Defect]

    def defect(self, kind: DefectKind, column: str, message: str, if_accepted: str) -> None:
        """Report a defect of a column."""
        accepted = "" if kind in FATAL else if_accepted
        self.defects.append(
            Defect(kind, self.table, self.row, self.name, column, message, accepted)
        )

    def read(self, column: str, read: Callable[[], T], if_accepted: str) -> T | None:
        """Return what a cell holds, or None and a defect."""
        try:
            return read()
        except CellError as error:
            self.defect(error.kind, column, error.message, if_accepted)
            return None


def _positive(cell: object) -> Decimal:
    """Return an amount. Raises CellError."""
    amount = read_number(cell)
    if amount == 0:
        raise CellError(DefectKind.AMOUNT_ZERO, "is zero")
    if amount < 0:
        raise CellError(DefectKind.AMOUNT_NEGATIVE, f"{shown(amount)} is negative")
    return amount


def _after(old: OldEntry, name: str, account_id: str | None, row: _Row) -> Decimal | None:
    """Return a balance after the entry; whatever is stored for the issuer says nothing."""
    if account_id == ISSUER:
        return None
    return row.read(name, lambda: read_number(getattr(old, name)), _REBUILT)
