"""Who asks, what they may do, and how much at once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Any, Final

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Header, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from bridge.api.gathering import Gathering
from bridge.api.keys import ApiKey, ApiKeys, KeyRefusedError, Scope
from bridge.api.problems import RETRY_SECONDS, Problem
from bridge.api.rates import RateLimiter, host_of
from bridge.api.settings import Settings
from bridge.api.trees import Trees
from ledger import ISSUER, Asset, Ledger
from ledger.addresses import normalize_account_id

KEY_FORM: Final = "[!-~]([ -~]*[!-~])?"
"""Of an Idempotency-Key: ASCII, and no blank at its ends."""

MAX_KEY: Final = 240
"""Characters in an Idempotency-Key: the ledger's 255, less the id of the API key before it."""

WRITE_THREADS: Final = 80
"""Threads of writes at most. More writes than that wait their turn."""


@dataclass(slots=True)
class Service:
    """What every endpoint works with."""

    ledger: Ledger
    settings: Settings
    keys: ApiKeys
    by_key: RateLimiter
    by_host: RateLimiter
    trees: Trees = field(default_factory=Trees)
    writes: int = 0
    """Writes under way."""
    write_threads: CapacityLimiter = field(init=False)
    """Threads, and so connections, of writes: fewer than PostgreSQL gives, for reads need some."""
    listening: dict[object, str] = field(default_factory=dict)
    """Who listens for changes, a key's id or a host, by where they are: host and port."""
    postings: Gathering[Any] = field(init=False)
    """Where postings of one entry meet."""
    lookups: Gathering[Any] = field(init=False)
    """Where readings of one row meet."""
    stopping: bool = False
    """Whether the server is asked to end: who listens for changes is sent home."""

    def __post_init__(self) -> None:
        self.write_threads = CapacityLimiter(min(self.settings.max_writes, WRITE_THREADS))


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

    def named(self, key: str) -> str:
        """Return what a write is called in the ledger: each API key names its own."""
        return f"{self.key.id if self.key else ''}:{key}"

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

    def check_amounts(self, debits: Iterable[tuple[str, Asset, int]]) -> None:
        """Refuse debits that the key may not make: of others, or too much of one at once.

        Each has an account, an asset and base units. Raises Problem.
        """
        sums: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
        most = None if self.key is None else self.key.max_amount
        for account_id, asset, amount in debits:
            self.check_debit(account_id)
            if most is not None:
                place = normalize_account_id(account_id), asset.symbol
                sums[place] += Fraction(amount, 10**asset.decimals)
        if most is not None and any(it > Fraction(most) for it in sums.values()):
            detail = f"this key may move {most} whole tokens at once out of an account"
            raise Problem(403, "AMOUNT_FORBIDDEN", detail)

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


KEY: Final = "evm_ledger.key"
"""Where a request's scope has its key, if that was checked before and is remembered."""


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the token of a request; None without one."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() or None if scheme.lower() == "bearer" else None
    return None


def count(api: Service, scope: MutableMapping[str, Any]) -> float:
    """Count a request before anything is done for it; return how many seconds it is too early.

    A key that was checked before has a bucket of its own. Everything else is of its host: who has
    no key, who guesses one, and the first request of a key, before the database is asked.
    """
    token = bearer(scope["headers"])
    key = scope[KEY] = None if token is None else api.keys.remembered(token)
    if key is None:
        return api.by_host.wait(host_of(scope.get("client")))
    return api.by_key.wait(key.id)


def too_early(seconds: float) -> Problem:
    """Return what is said to who asks too often."""
    wait = str(max(1, round(seconds + 0.5)))
    return Problem(
        429, "RATE_LIMITED", "too many requests: wait a little", headers={"Retry-After": wait}
    )


def not_valid() -> Problem:
    """Return what is said to a key that is none: the same, whatever is wrong with it."""
    return Problem(
        401,
        "KEY_INVALID",
        "the key is none of this ledger's, or is not valid any more",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


class Guard(SecurityBase):
    """Lets only callers pass who may do what a scope is needed for.

    It asks the database only about keys that it does not remember. That one was not revoked is
    asked by `confirm`, together with the work itself.
    """

    def __init__(self, scope: Scope) -> None:
        self.model = HTTPBearer(
            description="A key of `evm-ledger key create`, as `Authorization: Bearer`."
        )
        self.scheme_name = "HTTPBearer"
        self._scope = scope

    async def __call__(self, request: Request) -> Caller:
        """Return who asks. Raises Problem."""
        api: Service = request.app.state.service
        token = bearer(request.scope["headers"])
        if token is None:
            if self._scope is Scope.READ and api.settings.open_reads:
                return Caller(None)
            raise Problem(
                401,
                "KEY_MISSING",
                "send a key: Authorization: Bearer evl_...",
                headers={"WWW-Authenticate": "Bearer"},
            )
        key: ApiKey | None = request.scope.get(KEY)
        if key is None:
            try:
                key = await to_thread.run_sync(api.keys.check, token)
            except KeyRefusedError:
                raise not_valid() from None
            if seconds := api.by_key.wait(key.id):
                raise too_early(seconds)
        caller = Caller(key)
        request.state.is_confined = bool(key.accounts)
        caller.check_scope(self._scope)
        return caller


def confirm(api: Service, caller: Caller | None) -> None:
    """Ask the database whether a remembered key is still good. Raises Problem."""
    if caller is not None and caller.key is not None and not api.keys.is_active(caller.key):
        raise not_valid()


@contextmanager
def writing(api: Service) -> Iterator[None]:
    """Count a write while it is under way. Raises Problem: too many are.

    Nothing of a request that is sent away was done: it can be sent again as it is. Who may not
    write takes no place of those who may.
    """
    if api.writes >= api.settings.max_writes or api.stopping:
        raise overloaded("too many writes at once: send it again")
    api.writes += 1
    try:
        yield
    finally:
        api.writes -= 1


def overloaded(detail: str) -> Problem:
    """Return what is said to who should come back."""
    return Problem(503, "OVERLOADED", detail, headers={"Retry-After": str(RETRY_SECONDS)})


Reader = Annotated[Caller, Security(Guard(Scope.READ))]
Poster = Annotated[Caller, Security(Guard(Scope.POST))]
Admin = Annotated[Caller, Security(Guard(Scope.ADMIN))]


async def idempotency_key(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=MAX_KEY,
            pattern=f"^{KEY_FORM}$",
            description="What names this request: sent again, it gives the first result again.",
        ),
    ] = None,
) -> str:
    """Return the request's key. Raises Problem: there is none, or more than one."""
    if len(request.headers.getlist("idempotency-key")) > 1:
        raise Problem(400, "IDEMPOTENCY_KEY_SEVERAL", "send one Idempotency-Key, not several")
    if key is None:
        raise Problem(
            400,
            "IDEMPOTENCY_KEY_MISSING",
            "send an Idempotency-Key of your own for each write, and the same one if you try again",
        )
    return key


IdempotencyKey = Annotated[str, Depends(idempotency_key)]
