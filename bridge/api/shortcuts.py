"""The two requests that come most often, without the framework's steps between: pay, and balance.

They are taken only where nothing about a request is unusual: a key that is remembered, a body that
is right. Everything else goes the whole way, which says what is wrong with it. Both ways call the
same endpoint, and the tests compare what they answer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError
from starlette.requests import Request

from bridge.api import first_spec, writes
from bridge.api.bodies import TransferIn
from bridge.api.desk import Wanted
from bridge.api.guards import KEY, KEY_FORM, MAX_KEY, Caller, bearer
from bridge.api.keys import Scope as KeyScope
from bridge.api.nesting import is_deep
from bridge.api.problems import Problem, answer_to
from bridge.api.working import gathered
from ledger import LedgerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import Scope

    from bridge.api.guards import Service

_PAY: Final = "/v1/entries"
_BALANCE: Final = "/api/token/balance/"
_ID: Final = 255
"""Characters in an account's id."""
_KEY: Final = re.compile(KEY_FORM)


@dataclass(frozen=True, slots=True)
class _Route:
    """What metrics call a request by."""

    path: str


_ROUTES: Final = {
    "POST": _Route(_PAY),
    "GET": _Route(next(it.path for it in first_spec.router.routes if _BALANCE in it.path)),  # type: ignore[attr-defined]  # every route has a path
}


async def taken(
    api: Service, scope: Scope, body: Callable[[], Awaitable[bytes | None]]
) -> Response | None:
    """Answer a request the short way; None if it has to go the whole one.

    `body` reads its body; it can be read again afterwards.
    """
    path, method = scope["path"], scope["method"]
    if scope["query_string"] or scope.get("root_path"):
        return None
    if method == "POST" and path == _PAY:
        call = await _payment(api, scope, body)
    elif method == "GET" and path.startswith(_BALANCE):
        call = _balance(api, scope, path[len(_BALANCE) :])
    else:
        return None
    if call is None:
        return None
    scope["route"] = _ROUTES[method]
    try:
        return await call
    except (Problem, LedgerError) as error:
        return await answer_to(Request(scope), error)


async def _payment(
    api: Service, scope: Scope, body: Callable[[], Awaitable[bytes | None]]
) -> Awaitable[Response] | None:
    """Return what pays, if nothing is wrong with the request."""
    caller = _caller(api, scope, KeyScope.POST)
    if caller is None:
        return None
    headers = dict(scope["headers"])
    named = headers.get(b"idempotency-key", b"").decode("latin-1")
    is_plain = len(headers) == len(scope["headers"]) and len(named) <= MAX_KEY
    if not is_plain or headers.get(b"content-type") != b"application/json":
        return None
    content = await body()
    if content is None or is_deep(content) or not _KEY.fullmatch(named):
        return None
    try:
        wanted = TransferIn.model_validate(json.loads(content))
    except (ValueError, ValidationError, RecursionError):
        return None
    return gathered(
        api, caller, wanted.asset, writes.post_transfer(api, caller, named, wanted), 201
    )


def _balance(api: Service, scope: Scope, account_id: str) -> Awaitable[Response] | None:
    """Return what reads a balance, if nothing is wrong with the request."""
    caller = _caller(api, scope, KeyScope.READ)
    if caller is None or not account_id.isprintable() or not 0 < len(account_id) <= _ID:
        return None
    wanted = Wanted(caller, partial(first_spec.balance, api, caller, account_id))
    return api.lookups.ask(None, wanted)


def _caller(api: Service, scope: Scope, needed: KeyScope) -> Caller | None:
    """Return who asks, if the key is remembered and may; or nobody's key is needed."""
    key = scope[KEY]
    if key is None:
        is_open = needed is KeyScope.READ and api.settings.open_reads
        return Caller(None) if is_open and bearer(scope["headers"]) is None else None
    if not key.scope.covers(needed):
        return None
    scope.setdefault("state", {})["is_confined"] = bool(key.accounts)
    return Caller(key)
