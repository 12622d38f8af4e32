"""What the fuzzer is told besides the description: real names for valid requests, one more check.

Loaded by schemathesis itself (SCHEMATHESIS_HOOKS), in a process of its own.
"""

from __future__ import annotations

import json
import os
import zlib
from typing import Any

import schemathesis

Case = schemathesis.Case[Any]

MALFORMED = "X-Malformed"
"""What the tests' server puts on answers of the framework's own validation."""

KNOWN: dict[str, list[str]] = json.loads(os.environ.get("FUZZ_KNOWN", "{}"))
"""By the name of a field or parameter, values that are there."""

OF_AN_ASSET = {"/v1/entries", "/v1/mints", "/v1/burns", "/v1/holds", "/v1/accounts", "/v1/limits"}
"""Whose bodies may name an asset."""

_OF_TEN = 8
"""Valid values of ten that are replaced by one that is there."""


def chosen(name: str, value: object) -> object:
    """Return a value that is there instead of most; which one follows from the value."""
    known = KNOWN.get(name)
    if known is None or value is None:
        return value
    number = zlib.crc32(repr(value).encode(errors="replace"))
    return value if number % 10 >= _OF_TEN else known[number % len(known)]


def real(value: Any, name: str = "") -> Any:  # noqa: ANN401 (JSON)
    """Return a body or parameters with names that are there."""
    if isinstance(value, dict) and name not in KNOWN:
        return {key: real(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [real(each, name) for each in value]
    return chosen(name, value)


def is_valid(case: Case) -> bool:
    """Tell whether a request is one that the description allows."""
    return case.meta is not None and case.meta.generation.mode.is_positive


@schemathesis.hook
def map_case(context: schemathesis.HookContext, case: Case) -> Case:
    """Let valid requests ask for what is there: else most would only find out that it is not.

    And give most a key of their own and an asset: a generator takes the same key again and again,
    and a ledger with two assets refuses whoever names none.
    """
    del context
    if not is_valid(case):
        return case
    if isinstance(case.body, dict) and case.path != "/v1/accounts":
        case.body = real(case.body)
    if isinstance(case.body, dict) and case.path in OF_AN_ASSET:
        case.body = {"asset": "SCI", **case.body}
    for part in (case.path_parameters, case.query):
        part.update(real(part))
    if "asset" in {parameter.name for parameter in case.operation.query}:
        case.query.setdefault("asset", "SCI")
    if case.method != "GET" and "Idempotency-Key" in case.headers:
        number = zlib.crc32(repr((case.path, case.body, case.path_parameters)).encode())
        if number % 10 < _OF_TEN:
            case.headers["Idempotency-Key"] = f"{number}"
    return case


@schemathesis.check
def valid_is_what_the_description_says(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: Case
) -> None:
    """What the description allows is never refused for its form, only by a rule of the ledger."""
    del ctx
    if is_valid(case) and MALFORMED.lower() in response.headers:
        raise AssertionError(f"a valid request was malformed: {response.text}")
