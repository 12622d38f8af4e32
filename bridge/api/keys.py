"""Keys of the API: shown once, stored as a hash, with a scope, accounts, an end.

A key is `evl_`, 12 characters that name it, and a secret of 256 random bits. A hash without salt
and stretching is enough: nobody guesses such a secret.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, LargeBinary, Text, column, insert, select, table, update

from ledger.addresses import normalize_account_id
from ledger.dialects import dialect_of
from ledger.errors import FieldError, LedgerError
from ledger.texts import check_text
from ledger.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from ledger import Ledger

_TOKEN: Final = re.compile(r"evl_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")

_AMOUNT: Final = re.compile(r"[0-9]{1,78}(\.[0-9]{1,255})?")

_MOST_KNOWN: Final = 10_000
"""Keys that a process remembers; the ones that it learned first are forgotten."""

# The schema itself is made by the migrations.
_keys: Final = table(
    "token_api_keys",
    column("id", Text),
    column("hash", LargeBinary),
    column("name", Text),
    column("scope", Text),
    column("accounts", Text),
    column("max_amount", Text),
    column("created_at", BigInteger),
    column("expires_at", BigInteger),
    column("revoked_at", BigInteger),
)


class Scope(StrEnum):
    """What a key may do; each may do what the one before it may."""

    READ = "read"
    """Read."""
    POST = "post"
    """Also post: transfers, burns, groups, holds, reversals."""
    ADMIN = "admin"
    """Also what makes tokens, accounts, assets and seals, and what accounts may do."""

    def covers(self, other: Scope) -> bool:
        """Tell whether a key of this scope may do what `other` is needed for."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored: without its secret."""

    id: str
    name: str
    """What people call it."""
    scope: Scope
    accounts: frozenset[str]
    """The accounts that it may read and debit; every one if empty."""
    max_amount: str | None
    """Whole tokens that it may move out of an account in one request; None for any."""
    created_at: int
    """Microseconds since 1970, UTC."""
    expires_at: int | None
    revoked_at: int | None

    def state(self, now: int) -> str:
        """Return "active", "expired" or "revoked"."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class KeyRefusedError(LedgerError):
    """A token is none, or its key was revoked or has expired. The text does not say which."""


class ApiKeys:
    """The keys of one ledger's API."""

    def __init__(self, ledger: Ledger) -> None:
        """Keep the keys in the ledger's own database."""
        self._ledger = ledger
        self._known: OrderedDict[str, tuple[bytes, ApiKey]] = OrderedDict()
        self._lock = Lock()

    def create(
        self,
        name: str,
        scope: Scope,
        *,
        accounts: Sequence[str] = (),
        max_amount: str | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; return it and its token, which nobody can show again.

        Raises:
            FieldError: naming the field.
            NotFoundError: UNKNOWN_ACCOUNT.
        """
        if not check_text(name, "name"):
            raise FieldError("name", "must not be empty")
        if accounts and scope is Scope.ADMIN:
            raise FieldError("scope", "an admin key is for every account: leave the accounts out")
        if max_amount is not None and not _is_amount(max_amount):
            raise FieldError("max_amount", "must be whole tokens in decimals, above 0: 12.5")
        if max_amount is not None and scope is not Scope.POST:
            raise FieldError("max_amount", f"a key of scope {scope} has none")
        own = frozenset(normalize_account_id(account, "account") for account in accounts)
        for account in own:
            self._ledger.account(account)
        now = clock()
        expiry = None if expires_at is None else microseconds(expires_at, "expires_at")
        if expiry is not None and expiry <= now:
            raise FieldError("expires_at", "must be in the future")
        key = ApiKey(secrets.token_hex(6), name, scope, own, max_amount, now, expiry, None)
        secret = secrets.token_urlsafe(32)
        row = {
            "id": key.id,
            "hash": _hash(secret),
            "name": name,
            "scope": str(scope),
            "accounts": json.dumps(sorted(own), ensure_ascii=False),
            "max_amount": max_amount,
            "created_at": now,
            "expires_at": expiry,
            "revoked_at": None,
        }
        with self._ledger.connection() as connection:
            connection.execute(insert(_keys).values(row))
        return key, f"evl_{key.id}_{secret}"

    def check(self, token: str) -> ApiKey:
        """Return the key of `token`, in a time that says nothing about its secret.

        Raises:
            KeyRefusedError: there is none, it has expired, or it was revoked.
        """
        id_, secret = _parts(token)
        with self._ledger.reading() as connection:
            row = connection.execute(select(_keys).where(_keys.c.id == id_)).one_or_none()
        expected = bytes(32) if row is None else bytes(row.hash)
        is_same = hmac.compare_digest(_hash(secret), expected)
        if row is None or not is_same or _key(row).state(clock()) != "active":
            raise KeyRefusedError("the key is none of this ledger's, or is not valid any more")
        key = _key(row)
        with self._lock:
            self._known[id_] = (expected, key)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return key

    def remembered(self, token: str) -> ApiKey | None:
        """Return the key of a token that was checked before, without asking the database.

        What a key is never changes, but its end: ask `is_active` before anything is done for it.
        """
        id_, secret = _parts(token)
        expected, key = self._known.get(id_, (bytes(32), None))
        is_same = hmac.compare_digest(_hash(secret), expected)
        return key if is_same else None

    def is_active(self, key: ApiKey) -> bool:
        """Tell whether a key that was checked before is still good."""
        return not self.ended([key])

    def ended(self, keys: Collection[ApiKey]) -> set[str]:
        """Return the ids of those of `keys` that were revoked or have expired since."""
        wanted = {key.id for key in keys}
        with self._ledger.glance() as connection:
            dialect = dialect_of(connection)
            sql = (
                "SELECT id, expires_at FROM token_api_keys "  # noqa: S608 (constant)
                f"WHERE revoked_at IS NULL AND {dialect.any_of('id')}"
            )
            rows = dialect.rows(connection, sql, dialect.values(wanted))
        now = clock()
        ended = wanted - {id_ for id_, end in rows if end is None or end > now}
        with self._lock:
            for id_ in ended:
                self._known.pop(id_, None)
        return ended

    def revoke(self, id_: str) -> ApiKey:
        """Let a key be of no use any more, from now on and for ever.

        Raises:
            FieldError: there is no such key.
        """
        now = clock()
        change = update(_keys).where(_keys.c.id == id_, _keys.c.revoked_at.is_(None))
        with self._ledger.connection() as connection:
            connection.execute(change.values(revoked_at=now))
            row = connection.execute(select(_keys).where(_keys.c.id == id_)).one_or_none()
        if row is None:
            raise FieldError("id", f"no key {id_[:80]!r}: see `evm-ledger key list`")
        return _key(row)

    def all(self) -> list[ApiKey]:
        """Return every key, the oldest first."""
        with self._ledger.reading() as connection:
            rows = connection.execute(select(_keys).order_by(_keys.c.created_at, _keys.c.id))
            return [_key(row) for row in rows]


def clock() -> int:
    """Return microseconds since 1970: keys expire by this host's clock."""
    return time.time_ns() // 1_000


def _is_amount(text: str) -> bool:
    """Tell whether a text is an amount in whole tokens, above 0."""
    return _AMOUNT.fullmatch(text) is not None and Fraction(text) > 0


def _parts(token: str) -> tuple[str, str]:
    """Return the id and the secret in a token; empty ones if it is none."""
    found = _TOKEN.fullmatch(token)
    return (found[1], found[2]) if found else ("", "")


def _hash(secret: str) -> bytes:
    """Return what is stored of a secret."""
    return sha256(secret.encode()).digest()


def _key(row: Any) -> ApiKey:  # noqa: ANN401 (SQLAlchemy's row)
    """Return the key that a row is."""
    accounts = frozenset(json.loads(row.accounts))
    return ApiKey(
        row.id,
        row.name,
        Scope(row.scope),
        accounts,
        row.max_amount,
        row.created_at,
        row.expires_at,
        row.revoked_at,
    )
