"""A group of entries in a JSON file: read strictly, every refusal names the place. Values only."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from ledger.errors import FieldError, NotFoundError, RefusedError
from ledger.model import ISSUER
from ledger.requests import Group, Movement

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.results import Asset

MAX_BYTES: Final = 16 * 2**20
"""Of a file: more than 1,000 movements with the longest words take."""

_MAX_DEPTH: Final = 8
"""Levels of lists and objects; a group has three."""

_FIELDS: Final = ("key", "movements")

_ACCOUNTS: Final = {
    "transfer": ("from_account", "to_account"),
    "mint": ("to_account",),
    "burn": ("from_account",),
}
"""The types of a movement, and which accounts each names."""

_TEXTS: Final = ("asset", "reason", "reference_type", "reference_id", "memo")
"""What a movement may carry."""

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""One that has no end too, so that the search is linear whatever the file holds."""


class _Object(dict[str, Any]):
    """An object as it was read, and the first name that it has twice."""

    repeated: str | None = None


def read_group(text: bytes, key: str, asset_of: Callable[[str | None], Asset]) -> Group:
    """Return the group that `text` describes: `{"key": ..., "movements": [...]}`.

    A movement has `from_account` and `to_account`, or is of type `mint` or `burn` and has one of
    them; `amount` is a string of whole tokens. `key` is the key if the file has none; `asset_of`
    returns the asset of a symbol, or the one that is meant where a movement names none.

    Raises:
        FieldError: naming the place, such as `movements[2].amount`.
        RefusedError, NotFoundError: as `asset_of`.
    """
    document = _members(_parsed(text), "", {*_FIELDS})
    own = _text(document["key"], "key") if "key" in document else ""
    if own and key and own != key:
        raise FieldError("key", "the file has another key than the one given with --key")
    if "movements" not in document:
        raise FieldError("movements", "is missing: a list of what to post together")
    listed = document["movements"]
    if not isinstance(listed, list):
        raise FieldError("movements", f"must be a list, not {_kind(listed)}")
    movements = [
        _movement(value, f"movements[{position}]", asset_of)
        for position, value in enumerate(listed)
    ]
    return Group(tuple(movements), own or key)


def _parsed(text: bytes) -> object:
    """Return the JSON in `text`. Raises FieldError."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise FieldError("file", f"is not UTF-8, at byte {error.start}") from None
    if _depth(decoded) > _MAX_DEPTH:
        raise FieldError("file", f"nests deeper than {_MAX_DEPTH} levels: it is no group")
    try:
        return json.loads(decoded, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise FieldError("file", f"is not JSON, at {where}: {error.msg}") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise FieldError("file", "has a number that is none of a group's") from None


def _depth(text: str) -> int:
    """Return how deep lists and objects nest, so that Python need not find out."""
    deepest = depth = 0
    for mark in re.findall(r"[\[{}\]]", _STRING.sub("", text)):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    """Return an object; the name that it has twice is refused where its place is known."""
    found = _Object(pairs)
    if len(found) != len(pairs):
        found.repeated = _first_repeated([name for name, _ in pairs])
    return found


def _first_repeated(names: list[str]) -> str | None:
    """Return the first name that was there before, if any."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _members(value: object, place: str, known: set[str]) -> _Object:
    """Return an object that has `known` members only, each once. Raises FieldError."""
    if not isinstance(value, _Object):
        raise FieldError(place or "file", f"must be an object, not {_kind(value)}")
    if value.repeated is not None:
        raise FieldError(_inside(place, value.repeated), "is there twice")
    for name in value:
        if name not in known:
            raise FieldError(
                _inside(place, name), f"is unknown; known are {', '.join(sorted(known))}"
            )
    return value


def _movement(value: object, place: str, asset_of: Callable[[str | None], Asset]) -> Movement:
    """Return a movement. Raises FieldError, and as `asset_of`."""
    found = value.get("type", "transfer") if isinstance(value, _Object) else "transfer"
    type_ = _text(found, f"{place}.type")
    if type_ not in _ACCOUNTS:
        raise FieldError(f"{place}.type", f"must be one of {', '.join(_ACCOUNTS)}")
    names = _ACCOUNTS[type_]
    members = _members(value, place, {"type", "amount", *names, *_TEXTS})
    for name in (*names, "amount"):
        if name not in members:
            raise FieldError(_inside(place, name), f"is missing from a {type_}")
    texts = {name: _text(members[name], _inside(place, name)) for name in members}
    for name in names:
        if texts[name] == ISSUER:
            advice = f"is the issuer {ISSUER!r}; use type mint or burn instead"
            raise FieldError(_inside(place, name), advice)
    return _made(texts, place, asset_of)


def _made(texts: dict[str, str], place: str, asset_of: Callable[[str | None], Asset]) -> Movement:
    """Return the movement of checked texts. Raises FieldError, and as `asset_of`."""
    try:
        asset = asset_of(texts.get("asset"))
        return Movement(
            texts.get("from_account", ISSUER),
            texts.get("to_account", ISSUER),
            asset.parse(texts["amount"]),
            asset.symbol,
            texts.get("reason", ""),
            texts.get("reference_type", ""),
            texts.get("reference_id", ""),
            texts.get("memo", ""),
        )
    except FieldError as error:
        message = error.message.removeprefix(f"{error.field}: ")
        raise FieldError(_inside(place, error.field), message) from None
    except NotFoundError as error:
        raise NotFoundError(error.rule, f"{place}.asset: {error.message}") from None
    except RefusedError as error:
        raise RefusedError(error.rule, f"{place}.asset: {error.message}") from None


def _text(value: object, place: str) -> str:
    """Return text. Raises FieldError."""
    if not isinstance(value, str):
        example = ' like "12.5"' if place.endswith("amount") else ""
        raise FieldError(place, f"must be a string{example}, not {_kind(value)}")
    return value


def _inside(place: str, name: str) -> str:
    """Return the place of the member `name`."""
    shown = name if name.isidentifier() and name.isascii() else json.dumps(name[:80])
    return f"{place}.{shown}" if place else shown


def _kind(value: object) -> str:
    """Return what a value is, in the words of JSON."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    kinds = {str: "a string", list: "a list", int: "a number", float: "a number"}
    return kinds.get(type(value), "an object")
