"""Who asks, what they may do, and how much at once."""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Annotated, Final

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bridge.api.keys import ApiKey, ApiKeys, KeyRefusedError, Scope
from bridge.api.problems import RETRY_SECONDS, Problem
from bridge.api.settings import Settings
from ledger import ISSUER, Ledger
from ledger.addresses import normalize_account_id

_MOST_BUCKETS: Final = 10_000


@dataclass(slots=True)
class Service:
    """What every endpoint works with."""

    ledger: Ledger
    settings: Settings
    keys: ApiKeys
    limiter: "RateLimiter"
    writes: int = 0
    """Writes under way."""
    stopping: bool = False
    """Whether the server is asked to end: who listens for changes is sent home."""


async def service(request: Request) -> Service:
    """Return what `create_app` was given."""
    found: Service = request.app.state.service
    return found


Api = Annotated[Service, Depends(service)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. Without a key it is anybody, where reading is open."""

    key: ApiKey | None

    @property
    def accounts(self) -> frozenset[str]:
        """The accounts that the caller is confined to; every one if empty."""
        return frozenset() if self.key is None else self.key.accounts

    def check_account(self, account_id: str) -> None:
        """Refuse what is not for a key of other accounts. Raises Problem."""
        if self.accounts and normalize_account_id(account_id) not in self.accounts:
            raise Problem(403, "ACCOUNT_FORBIDDEN", "this key is for other accounts")

    def check_any(self, *account_ids: str) -> None:
        """Refuse unless one of the accounts is for this key. Raises Problem."""
        if self.accounts and not self.accounts.intersection(account_ids):
            raise Problem(403, "ACCOUNT_FORBIDDEN", "this key is for other accounts")

    def check_debit(self, account_id: str) -> None:
        """Refuse a debit that the key may not make: of others, or of the issuer. Raises Problem."""
        if account_id == ISSUER:
            self.check_scope(Scope.ADMIN)
        self.check_account(account_id)

    def check_everything(self) -> None:
        """Refuse what shows other accounts, where the key is for some. Raises Problem."""
        if self.accounts:
            raise Problem(
                403, "ACCOUNT_FORBIDDEN", "this key is for some accounts: name one of them"
            )

    def check_scope(self, scope: Scope) -> None:
        """Refuse what the key's scope does not cover. Raises Problem."""
        if self.key is None or not self.key.scope.covers(scope):
            raise Problem(403, "SCOPE_MISSING", f"this needs a key of scope {scope}")


@dataclass(slots=True)
class RateLimiter:
    """A token bucket for each caller; the least recent ones are forgotten, full."""

    rate: float
    burst: int
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def wait(self, who: str) -> float:
        """Take one request of `who`; return 0, or how many seconds it is too early."""
        with self._lock:
            now = self.clock()
            left, then = self._buckets.pop(who, (float(self.burst), now))
            left = min(float(self.burst), left + (now - then) * self.rate)
            taken = left >= 1
            self._buckets[who] = (left - 1 if taken else left, now)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
            return 0.0 if taken else (1 - left) / self.rate


_bearer = HTTPBearer(
    auto_error=False, description="A key of `evm-ledger key create`, as `Authorization: Bearer`."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def guard(scope: Scope) -> Callable[..., Caller]:
    """Return the dependency that lets only callers pass who may do what `scope` is needed for."""

    def check(request: Request, api: Api, credentials: Credentials) -> Caller:
        """Return who asks. Raises Problem."""
        if credentials is None:
            host = request.client.host if request.client else ""
            _limit(api, f"host {host}")
            if scope is Scope.READ and api.settings.open_reads:
                return Caller(None)
            raise Problem(
                401,
                "KEY_MISSING",
                "send a key: Authorization: Bearer evl_...",
                headers={"WWW-Authenticate": "Bearer"},
            )
        try:
            key = api.keys.check(credentials.credentials)
        except KeyRefusedError as error:
            host = request.client.host if request.client else ""
            _limit(api, f"host {host}")
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Problem(401, "KEY_INVALID", str(error), headers=challenge) from None
        _limit(api, f"key {key.id}")
        caller = Caller(key)
        request.state.is_confined = bool(key.accounts)
        caller.check_scope(scope)
        return caller

    return check


def _limit(api: Service, who: str) -> None:
    """Count a request of `who`. Raises Problem: too many."""
    if seconds := api.limiter.wait(who):
        wait = str(max(1, round(seconds + 0.5)))
        raise Problem(
            429, "RATE_LIMITED", "too many requests: wait a little", headers={"Retry-After": wait}
        )


Reader = Annotated[Caller, Depends(guard(Scope.READ))]


def writer(scope: Scope) -> Callable[..., AsyncIterator[Caller]]:
    """Return the dependency that lets such callers write, unless too many writes are under way.

    Nothing of a request that is sent away was done: it can be sent again as it is. Who may not
    write takes no place of those who may.
    """
    checked = guard(scope)

    async def admit(api: Api, caller: Annotated[Caller, Depends(checked)]) -> AsyncIterator[Caller]:
        """Count a write while it is under way. Raises Problem."""
        if api.writes >= api.settings.max_writes or api.stopping:
            headers = {"Retry-After": str(RETRY_SECONDS)}
            raise Problem(
                503, "OVERLOADED", "too many writes at once: send it again", headers=headers
            )
        api.writes += 1
        try:
            yield caller
        finally:
            api.writes -= 1

    return admit


Poster = Annotated[Caller, Depends(writer(Scope.POST))]
Admin = Annotated[Caller, Depends(writer(Scope.ADMIN))]


async def idempotency_key(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="What names this request: sent again, it gives the first result again.",
        ),
    ] = None,
) -> str:
    """Return the request's key. Raises Problem: there is none."""
    if key is None:
        raise Problem(
            400,
            "IDEMPOTENCY_KEY_MISSING",
            "send an Idempotency-Key of your own for each write, and the same one if you try again",
        )
    return key


IdempotencyKey = Annotated[str, Depends(idempotency_key)]
