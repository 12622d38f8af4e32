"""Instants: microseconds since 1970-01-01 UTC as int, and their aware `datetime`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ledger.errors import FieldError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

MAX_MICROSECONDS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last microsecond of the year 9999, which is the last that `datetime` can show."""


def microseconds(moment: datetime, field: str = "timestamp") -> int:
    """Return the microseconds from 1970 to `moment`, exactly (no float in between).

    Raises:
        FieldError: naming `field`, if `moment` is no datetime, has no offset, or is not from
            1970 to 9999 in UTC.
    """
    if not isinstance(moment, datetime):
        raise FieldError(field, f"must be a datetime, not {type(moment).__name__}")
    if moment.utcoffset() is None:
        raise FieldError(field, f"{moment.isoformat()} has no offset; give one, such as UTC")
    timestamp = (moment - _EPOCH) // _MICROSECOND
    if not 0 <= timestamp <= MAX_MICROSECONDS:
        raise FieldError(field, f"{moment.isoformat()} is not from 1970 to 9999 in UTC")
    return timestamp


def moment_of(timestamp: int) -> datetime:
    """Return the aware UTC `datetime` of `timestamp`, microseconds since 1970."""
    return _EPOCH + timestamp * _MICROSECOND


def parse_moment(text: str, field: str = "since") -> datetime:
    """Return the aware datetime that `text` (ISO 8601 with an offset or Z) names.

    Raises:
        FieldError: naming `field`, if it is not ISO 8601 or has no offset.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise FieldError(field, f"{text!r} is not ISO 8601 like 2026-01-31T12:00:00Z") from None
    microseconds(moment, field)
    return moment.astimezone(UTC)
