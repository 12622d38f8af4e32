"""How an endpoint is run: in one thread, with its key confirmed by the same look at the database.

The framework would go to a thread for each dependency, and would check and copy every answer. What
is answered here is checked by the tests against the description instead.
"""

import inspect
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from functools import update_wrapper
from typing import Any, Final, get_args

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.params import Depends
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from bridge.api.desk import Steps, Wanted
from bridge.api.guards import Api, Caller, Guard, Service, confirm, writing
from bridge.api.nesting import is_deep
from bridge.api.problems import unreadable

Endpoint = Callable[..., Any]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_CALLER: Final = "evm_ledger.caller"
"""Where a request's scope has who asks."""
_REQUEST: Final = "request_"
"""What the framework calls the request that it gives us besides what an endpoint asks for."""


class Worked(APIRoute):
    """A route whose function runs in a thread, after its caller's key was confirmed there.

    What it reads is of one moment, that at which the key was good. A function that yields what it
    wants to post does so together with others (`Desk`).
    """

    reads_one_moment = True

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:  # noqa: ANN401 (as the framework's)
        """Take what the framework's own route takes."""
        self._guard: Guard | None = None
        if not inspect.iscoroutinefunction(endpoint):
            needs = _Needs(endpoint)
            self._guard = needs.guard
            if self._guard is not None:
                options["openapi_extra"] = {"security": [{self._guard.scheme_name: []}]}
            endpoint = _disguised(self._worked(endpoint, needs, options), endpoint, needs)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        """Return what serves a request: who asks is known before anything else is looked at."""
        handler, guard = super().get_route_handler(), self._guard
        if guard is None:
            return handler

        async def guarded(request: Request) -> Response:
            request.scope[_CALLER] = await guard(request)
            if request.method != "GET":
                await _check_depth(request)
            return await handler(request)

        return guarded

    def _worked(self, endpoint: Endpoint, needs: "_Needs", options: dict[str, Any]) -> Endpoint:
        """Return what the framework calls instead of `endpoint`."""
        status: int = options.get("status_code") or 200
        is_write = bool(set(options.get("methods") or ()) - {"GET"})
        one_moment = self.reads_one_moment

        async def gather(**values: Any) -> Response:  # noqa: ANN401 (as its own signature says)
            api, caller = needs.add(values)
            return await gathered(api, caller, values["body"].asset, endpoint(**values), status)

        async def run(**values: Any) -> Response:  # noqa: ANN401 (as its own signature says)
            api, caller = needs.add(values)
            if not is_write:
                return await worked(
                    endpoint, api, caller, values, status=status, one_moment=one_moment
                )
            with writing(api):
                return await worked(
                    endpoint,
                    api,
                    caller,
                    values,
                    status=status,
                    one_moment=False,
                    limiter=api.write_threads,
                )

        return gather if inspect.isgeneratorfunction(endpoint) else run


async def _check_depth(request: Request) -> None:
    """Refuse a body that the framework's parser cannot be given. Raises Problem."""
    try:
        content = await request.body()
    except ClientDisconnect:  # or it is too large: the framework finds the same
        return
    if is_deep(content):
        raise unreadable()


async def gathered(
    api: Service, caller: Caller | None, asset: str | None, steps: Steps, status: int
) -> Response:
    """Post what an endpoint wants, together with others; return its answer. Raises Problem."""
    if caller is None:
        raise TypeError("who posts has a key")
    with writing(api):
        return await api.postings.ask(asset, Wanted(caller, steps, status))


async def worked(
    endpoint: Endpoint,
    api: Service,
    caller: Caller | None,
    values: dict[str, Any],
    *,
    status: int = 200,
    one_moment: bool = True,
    limiter: CapacityLimiter | None = None,
) -> Response:
    """Run an endpoint in a thread, once its caller's key is confirmed there. Raises Problem."""

    def work() -> Response:
        with api.ledger.moment() if one_moment else nullcontext():
            confirm(api, caller)
            content = endpoint(**values)
        return content if isinstance(content, Response) else JSONResponse(content, status)

    return await to_thread.run_sync(work, limiter=limiter)


class Lasting(Worked):
    """A route whose function reads for so long that it should not do so in one transaction."""

    reads_one_moment = False


class _Needs:
    """What an endpoint asks for that the framework need not find: the service, and who asks."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.guard: Guard | None = None
        self._api = self._caller = self._request = ""
        for name, parameter in inspect.signature(endpoint).parameters.items():
            if parameter.annotation == Api:
                self._api = name
            if parameter.annotation is Request:
                self._request = name
            for part in get_args(parameter.annotation)[1:]:
                if isinstance(part, Depends) and isinstance(part.dependency, Guard):
                    self._caller, self.guard = name, part.dependency

    def signature(self, endpoint: Endpoint) -> inspect.Signature:
        """Return what is left for the framework to find, and the request."""
        signature = inspect.signature(endpoint)
        left = [it for name, it in signature.parameters.items() if name not in self._own()]
        if not self._request:
            kind = inspect.Parameter.KEYWORD_ONLY
            left.append(inspect.Parameter(_REQUEST, kind, annotation=Request))
        return signature.replace(parameters=left, return_annotation=inspect.Signature.empty)

    def add(self, values: dict[str, Any]) -> tuple[Service, Caller | None]:
        """Add what the framework did not find; return it."""
        request: Request = values[self._request] if self._request else values.pop(_REQUEST)
        api: Service = request.app.state.service
        caller: Caller | None = request.scope.get(_CALLER)
        values |= {name: api if name == self._api else caller for name in self._own()}
        return api, caller

    def _own(self) -> list[str]:
        """Return the names of these parameters."""
        return [name for name in (self._api, self._caller) if name]


def _disguised(run: Endpoint, endpoint: Endpoint, needs: _Needs) -> Endpoint:
    """Let the framework see the name and the words of `endpoint` on `run`, and what is left."""
    update_wrapper(run, endpoint)
    del run.__wrapped__  # type: ignore[attr-defined]  # the framework would look through it
    run.__signature__ = needs.signature(endpoint)  # type: ignore[attr-defined]  # `signature` finds it
    return run
