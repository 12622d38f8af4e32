"""Instants: exact microseconds in both directions, and never without an offset."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FieldError
from ledger.times import MAX_MICROSECONDS, microseconds, moment_of, parse_moment

offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(min_value=datetime(1970, 1, 2), timezones=offsets)  # noqa: DTZ001 (by offsets)


@pytest.mark.parametrize(
    ("moment", "timestamp"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), 1),
        (datetime(2026, 11, 22, 12, 0, 0, 999_999, tzinfo=UTC), 1_795_348_800_999_999),
        (datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1))), 1_795_348_800_000_000),
        (datetime.max.replace(tzinfo=UTC), MAX_MICROSECONDS),
    ],
)
def test_a_moment_is_microseconds(moment: datetime, timestamp: int) -> None:
    assert microseconds(moment) == timestamp
    assert moment_of(timestamp) == moment
    assert moment_of(timestamp).tzinfo is UTC


@given(st.integers(0, MAX_MICROSECONDS))
def test_microseconds_round_trip(timestamp: int) -> None:
    moment = moment_of(timestamp)
    assert microseconds(moment) == timestamp
    assert microseconds(parse_moment(moment.isoformat())) == timestamp


@given(moments)
def test_a_moment_round_trips_from_any_offset(moment: datetime) -> None:
    try:
        timestamp = microseconds(moment)
    except FieldError:
        assert moment - timedelta(minutes=1439) > datetime(9999, 12, 29, tzinfo=UTC)
    else:
        assert moment_of(timestamp) == moment


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001 (the mistake)
        datetime.max,  # noqa: DTZ901 (the mistake)
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
        date(2026, 1, 1),
        1_795_348_800,
        1_795_348_800.5,
        "2026-01-01T00:00:00Z",
        None,
    ],
)
def test_what_is_no_instant_is_refused(moment: datetime) -> None:
    with pytest.raises(FieldError) as refusal:
        microseconds(moment, "at")
    assert refusal.value.field == "at"


@pytest.mark.parametrize(
    ("text", "timestamp"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-22T12:00:00.999999Z", 1_795_348_800_999_999),
        ("2026-11-22T14:00:00+02:00", 1_795_348_800_000_000),
        ("20261122T120000Z", 1_795_348_800_000_000),
    ],
)
def test_iso_8601_is_read(text: str, timestamp: int) -> None:
    moment = parse_moment(text)
    assert microseconds(moment) == timestamp
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-22",
        "2026-11-22T12:00:00",
        "2026-13-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "1795348800",
        None,
        1_795_348_800,
    ],
)
def test_other_text_is_no_instant(text: str) -> None:
    with pytest.raises(FieldError) as refusal:
        parse_moment(text, "until")
    assert refusal.value.field == "until"
