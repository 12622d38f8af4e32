"""Changes: what happened in a ledger, one by one, and where to go on. Values only.

Every asset has a stream of entries and events, the accounts have one of their own (number 0). A
place in a stream is the last entry and the last event that were told; a cursor has the place in
every stream, because an order over all of them would make all writers wait for each other.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from ledger.amounts import check_uint
from ledger.errors import FieldError
from ledger.hashing import keccak
from ledger.times import moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ledger.model import Hash32
    from ledger.results import Entry

_VERSION = 1
_TAG = 8
_HEADER = struct.Struct(">BI")
_STREAM = struct.Struct(">IQQ4s")
_BITS = 62
"""Of every seq and number: within what both databases compare."""


class ChangeType(StrEnum):
    """What happened."""

    ENTRY = "entry"
    """An entry was posted."""
    ACCOUNT_CREATED = "account_created"
    ACCOUNT_FROZEN = "account_frozen"
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_REOPENED = "account_reopened"
    LIMITS_CHANGED = "limits_changed"
    """Details: `max_debit` and `max_balance`, None for any amount."""
    HOLD_CREATED = "hold_created"
    """Details: `amount`."""
    HOLD_POSTED = "hold_posted"
    """Details: `amount`, `remaining` (still held), `seq` of the entry, which comes just before."""
    HOLD_VOIDED = "hold_voided"
    """Details: `amount`, which is available again."""
    HOLD_EXPIRED = "hold_expired"
    """Details: `amount`, which is available again."""
    IMPORTED = "imported"
    """What came before is from an import: of its events, only those of pending holds are known."""


class Place(NamedTuple):
    """How far a stream was told."""

    seq: int = 0
    """The last entry; 0 before the first."""
    number: int = 0
    """The last event."""
    mark: bytes = bytes(4)
    """The first bytes of the journal's head after that entry: which history was told."""


START = Place()


@dataclass(frozen=True, slots=True)
class Position:
    """How far every stream was told, and whose turn is next."""

    ledger_id: Hash32
    places: Mapping[int, Place]
    """By stream; one that is missing was not begun."""
    stream: int = 0
    """The asset that is read first, after the accounts: each has its turn."""
    place: Place | None = None
    """How far `stream` was told, instead of what `places` says."""

    def at(self, stream: int) -> Place:
        """Return how far `stream` was told."""
        if self.place is not None and stream == self.stream:
            return self.place
        return self.places.get(stream, START)

    def told(self, stream: int, place: Place) -> Position:
        """Return the position after more of one stream, which shares all the others."""
        return Position(self.ledger_id, self.places, stream, place)

    def settled(self) -> Position:
        """Return the same position with every place in `places`."""
        told = {} if self.place is None else {self.stream: self.place}
        return Position(self.ledger_id, {**self.places, **told})

    def cursor(self) -> str:
        """Return this position as text for URLs, of which `parse_position` makes it again."""
        streams = sorted({*self.places, self.stream})
        told = [(stream, *self.at(stream)) for stream in streams if self.at(stream) != START]
        body = _HEADER.pack(_VERSION, self.stream) + b"".join(_STREAM.pack(*it) for it in told)
        return base64.urlsafe_b64encode(body + _tag(self.ledger_id, body)).decode()


def parse_position(text: object, ledger_id: Hash32, name: str = "after") -> Position:
    """Return the position that `Position.cursor` wrote, of the same ledger.

    Raises:
        FieldError: naming `name`, if the text is no such cursor, or of another ledger.
    """
    if type(text) is not str:
        raise FieldError(name, f"must be a cursor, not {type(text).__name__}")
    try:
        data = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    body, tag = data[:-_TAG], data[-_TAG:]
    whole = len(body) >= _HEADER.size and (len(body) - _HEADER.size) % _STREAM.size == 0
    if not whole or tag != _tag(ledger_id, body) or body[0] != _VERSION:
        raise FieldError(name, "is no cursor of this ledger's changes; start without one")
    _, stream = _HEADER.unpack_from(body)
    told = _STREAM.iter_unpack(body[_HEADER.size :])
    places = {number: Place(*place) for number, *place in told}
    for place in places.values():
        check_uint(place.seq, _BITS, name)
        check_uint(place.number, _BITS, name)
    return Position(ledger_id, places, stream)


def _tag(ledger_id: Hash32, body: bytes) -> bytes:
    """Return what binds a cursor to its ledger, and to its own bytes."""
    return keccak(b"changes" + ledger_id + body)[:_TAG]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened: an entry, or an event of a hold, a limit or an account."""

    asset: str
    """The asset's symbol; "" for a change of an account, which is of every asset."""
    type: ChangeType
    timestamp: int
    """Microseconds since 1970 UTC; never falls within a stream."""
    account_id: str = ""
    """Whose event it is; "" for an entry, which names two."""
    entry: Entry | None = None
    """The entry, if it is one."""
    hold: Hash32 | None = None
    """The id of the hold, if it is a hold's event."""
    details: Mapping[str, int | str | None] = field(default_factory=dict, hash=False)
    """By the type; amounts are ints in base units."""
    position: Position = field(kw_only=True, repr=False, compare=False)

    @property
    def number(self) -> int:
        """Of an event: (asset, number) names it for ever. 0 for an entry, which has an id."""
        place = self.position.place
        return 0 if self.entry or place is None else place.number

    @property
    def cursor(self) -> str:
        """Where to go on after this change: `changes(after=...)`."""
        return self.position.cursor()

    @property
    def time(self) -> datetime:
        """The timestamp as an aware UTC datetime."""
        return moment_of(self.timestamp)


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """A page of changes."""

    changes: tuple[Change, ...]
    cursor: str
    """Where to go on, now or later: there is always one."""
    more: bool
    """Whether there was more when the page was read."""
