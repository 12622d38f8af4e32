"""What the API says when it says no: problem details (RFC 9457) with a stable code.

The code of a refusal is the name of its rule, so that Python, the command line and HTTP say the
same word.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from bridge.errors import BridgeError
from ledger.errors import (
    BusyError,
    ConflictError,
    DatabaseFileError,
    FieldError,
    LedgerError,
    RefusedError,
    Rule,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

_LOG: Final = logging.getLogger("uvicorn.error")

PROBLEM_JSON: Final = "application/problem+json"

_CONFLICT, _UNPROCESSABLE, _NOT_FOUND = 409, 422, 404

STATUS_OF: Final[Mapping[Rule, int]] = {
    Rule.INVALID_FIELD: _UNPROCESSABLE,
    Rule.READ_ONLY: _CONFLICT,
    Rule.LOCK_ORDER: _CONFLICT,
    Rule.ISOLATION: _CONFLICT,
    Rule.KEY_REUSED: _UNPROCESSABLE,  # as draft-ietf-httpapi-idempotency-key-header has it
    Rule.UNKNOWN_HOLD: _NOT_FOUND,
    Rule.UNKNOWN_ENTRY: _NOT_FOUND,
    Rule.HOLD_POSTED: _CONFLICT,
    Rule.HOLD_VOIDED: _CONFLICT,
    Rule.HOLD_EXPIRED: _CONFLICT,
    Rule.HOLD_ACCOUNT: _UNPROCESSABLE,
    Rule.ABOVE_HOLD: _CONFLICT,
    Rule.GROUP_WHOLE: _CONFLICT,
    Rule.ENTRY_REVERSED: _CONFLICT,
    Rule.ABOVE_ENTRY: _CONFLICT,
    Rule.ASSET_REQUIRED: _UNPROCESSABLE,
    Rule.UNKNOWN_ASSET: _NOT_FOUND,
    Rule.ASSET_EXISTS: _CONFLICT,
    Rule.ASSET_CLOSED: _CONFLICT,
    Rule.GROUP_EMPTY: _UNPROCESSABLE,
    Rule.GROUP_TOO_LARGE: _UNPROCESSABLE,
    Rule.CLOCK_AHEAD: 503,
    Rule.TIME_PASSED: _CONFLICT,
    Rule.ACCOUNT_EXISTS: _CONFLICT,
    Rule.LINK_INVALID: _UNPROCESSABLE,
    Rule.ADDRESS_TAKEN: _CONFLICT,
    Rule.UNKNOWN_ACCOUNT: _NOT_FOUND,
    Rule.ACCOUNT_OPEN: _CONFLICT,
    Rule.ACCOUNT_FROZEN: _CONFLICT,
    Rule.ACCOUNT_CLOSED: _CONFLICT,
    Rule.ACCOUNT_NOT_EMPTY: _CONFLICT,
    Rule.EXPIRY_PASSED: _CONFLICT,
    Rule.SAME_ACCOUNT: _UNPROCESSABLE,
    Rule.AMOUNT_ZERO: _UNPROCESSABLE,
    Rule.DEBIT_LIMIT: _CONFLICT,
    Rule.BALANCE_LIMIT: _CONFLICT,
    Rule.INSUFFICIENT_AVAILABLE: _CONFLICT,
    Rule.SUPPLY_OVERFLOW: _CONFLICT,
    Rule.TOTAL_OVERFLOW: _CONFLICT,
    Rule.CAUSE_REUSED: _CONFLICT,
}
"""The HTTP status of each refusal."""

RETRY_SECONDS: Final = 1
"""What a caller is told to wait where there is no better guess."""

Code = Literal[
    "KEY_MISSING",
    "KEY_INVALID",
    "SCOPE_MISSING",
    "ACCOUNT_FORBIDDEN",
    "AMOUNT_FORBIDDEN",
    "ACCOUNT_MISSING",
    "IDEMPOTENCY_KEY_MISSING",
    "IDEMPOTENCY_KEY_SEVERAL",
    "BODY_UNREADABLE",
    "BODY_TOO_LARGE",
    "HOST_UNKNOWN",
    "RATE_LIMITED",
    "OVERLOADED",
    "BUSY",
    "CONFLICT",
    "DATABASE_UNAVAILABLE",
    "NOT_SEALED",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "INTERNAL",
]
"""Codes of what is no refusal of the ledger."""

CODES: Final[Mapping[int, tuple[Code, ...]]] = {
    400: ("IDEMPOTENCY_KEY_MISSING", "IDEMPOTENCY_KEY_SEVERAL", "BODY_UNREADABLE"),
    401: ("KEY_MISSING", "KEY_INVALID"),
    403: ("SCOPE_MISSING", "ACCOUNT_FORBIDDEN", "AMOUNT_FORBIDDEN"),
    404: ("NOT_FOUND",),
    405: ("METHOD_NOT_ALLOWED",),
    409: ("NOT_SEALED",),
    413: ("BODY_TOO_LARGE",),
    421: ("HOST_UNKNOWN",),
    422: ("ACCOUNT_MISSING",),
    429: ("RATE_LIMITED",),
    500: ("INTERNAL",),
    503: ("OVERLOADED", "BUSY", "CONFLICT", "DATABASE_UNAVAILABLE"),
}
"""The codes that a status may have besides the refusals of that status."""


def codes_of(status: int) -> list[str]:
    """Return every code that comes with `status`."""
    return sorted(
        {*CODES[status], *(str(rule) for rule, its in STATUS_OF.items() if its == status)}
    )


class Problem(Exception):  # noqa: N818 (RFC 9457's word)
    """A request that is answered with a problem instead."""

    def __init__(
        self,
        status: int,
        code: Code,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with `status` and `code`."""
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers = headers or {}


class ProblemOut(BaseModel):
    """Problem details (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    code: str
    """The refusal's rule (docs/refusals.md), or one of the API's own (docs/api.md)."""
    field: str = ""
    """The field that is wrong; left out where it is none."""


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    field: str | None = None,
) -> JSONResponse:
    """Return problem details as a response."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if field is not None:
        body["field"] = field
    return JSONResponse(body, status, headers, media_type=PROBLEM_JSON)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of the problems that an endpoint may answer with."""
    common = {401, 403, 405, 413, 421, 422, 429, 500, 503}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {
                PROBLEM_JSON: {"schema": {"$ref": f"#/components/schemas/Problem{status}"}}
            },
        }
        for status in sorted(common | set(statuses))
    }


def problem_schemas() -> dict[str, dict[str, Any]]:
    """Return what OpenAPI refers to: for each status its problems, whose codes are no others."""
    schemas: dict[str, dict[str, Any]] = {}
    for status in CODES:
        schema = ProblemOut.model_json_schema()
        schema["title"] = name = f"Problem{status}"
        schema["properties"]["status"]["const"] = status
        schema["properties"]["code"]["enum"] = codes_of(status)
        schemas[name] = schema
    return schemas


def install(app: FastAPI) -> None:
    """Let every error of `app` be a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(LedgerError, _ledger_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


async def answer_to(request: Request, error: Exception) -> JSONResponse:
    """Return what is said of an error. Raises what is none of the API's or the ledger's."""
    return await (_problem if isinstance(error, Problem) else _ledger_error)(request, error)


async def _problem(_: Request, error: Exception) -> JSONResponse:
    """Answer with a problem that was raised as one."""
    if not isinstance(error, Problem):
        raise error
    return problem_response(error.status, error.code, error.detail, headers=error.headers)


async def _ledger_error(request: Request, error: Exception) -> JSONResponse:
    """Answer with what the ledger says, but to a key of some accounts nothing of others."""
    if isinstance(error, RefusedError):
        status = STATUS_OF[error.rule]
        field = error.field if isinstance(error, FieldError) else None
        headers = {"Retry-After": str(RETRY_SECONDS)} if status == HTTPStatus(503) else None
        is_of_others = error.rule is Rule.BALANCE_LIMIT and getattr(
            request.state, "is_confined", False
        )
        detail = "the account may not have so much" if is_of_others else error.message
        return problem_response(status, str(error.rule), detail, headers=headers, field=field)
    if isinstance(error, BusyError | ConflictError):
        code = "BUSY" if isinstance(error, BusyError) else "CONFLICT"
        headers = {"Retry-After": str(RETRY_SECONDS)}
        return problem_response(503, code, str(error), headers=headers)
    if isinstance(error, DatabaseFileError):
        _LOG.error("the database cannot be used: %s", error)
        headers = {"Retry-After": str(RETRY_SECONDS)}
        detail = "the database does not answer: send it again as it is"
        return problem_response(503, "DATABASE_UNAVAILABLE", detail, headers=headers)
    if isinstance(error, BridgeError):
        return problem_response(_CONFLICT, "NOT_SEALED", str(error))
    raise error


_FORMS: Final = {"constrained-str", "BothUnits", "Tokens", "BaseUnits"}
"""The forms of an amount: in which of them a field is wrong, is not the caller's concern."""


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Answer with the first field that has the wrong form; what was sent is not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    if first["type"] == "json_invalid" or isinstance(first.get("input"), bytes):
        return await _problem(request, unreadable())
    place = [str(part) for part in first["loc"]]
    field = ".".join(part for part in place[1:] if part not in _FORMS) or place[0]
    detail = f"{field}: {first['msg']}"
    return problem_response(_UNPROCESSABLE, str(Rule.INVALID_FIELD), detail, field=field)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    """Answer with what the framework itself refuses."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_allowed(request)))
    if error.status_code == HTTPStatus.BAD_REQUEST:  # bytes that are no text
        return await _problem(request, unreadable())
    codes = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "BODY_TOO_LARGE"}
    code = codes.get(error.status_code, str(Rule.INVALID_FIELD))
    return problem_response(error.status_code, code, str(error.detail), headers=headers)


def unreadable() -> Problem:
    """Return what is said to a body that is no JSON, or is nested deeper than any request."""
    detail = "the body must be JSON in UTF-8, sent with Content-Type: application/json"
    return Problem(400, "BODY_UNREADABLE", detail)


def _allowed(request: Request) -> set[str]:
    """Return the methods of every route with the request's path; the framework names one's."""
    path = request.scope["path"]
    known = {
        method
        for route in request.app.state.routes
        if route.path_regex.match(path)
        for method in route.methods or ()
    }
    return known | {"HEAD"} if "GET" in known else known
