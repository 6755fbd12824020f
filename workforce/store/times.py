"""Instants are whole milliseconds since 1970 in UTC: they sort, index and subtract alike everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

SECOND_MS = 1000
DAY_MS = 24 * 60 * 60 * SECOND_MS


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(value: int) -> datetime:
    """The aware UTC datetime of a number of milliseconds since 1970."""
    return _EPOCH + value * _MILLISECOND


def whole_second_ms(value: int) -> int:
    """The same instant without its fraction of a second, in milliseconds."""
    return value - value % SECOND_MS


def from_ms_whole(value: int) -> datetime:
    """As `from_ms`, with the fraction of a second dropped: the API only ever shows whole seconds."""
    return from_ms(whole_second_ms(value))
