"""Money, durations and moments in words."""

from __future__ import annotations

from datetime import datetime, timedelta

_UNITS = ((86400, "day", "days"), (3600, "h", "h"), (60, "min", "min"), (1, "s", "s"))


def money(cents: int) -> str:
    """Cents as dollars: 5 is $0.05."""
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def duration(seconds: float) -> str:
    """The two largest units: 14280 is "3 h 58 min"."""
    left = max(int(seconds), 0)
    parts: list[str] = []
    for size, one, many in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {one if count == 1 else many}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 s"


def day(moment: datetime) -> str:
    """A date, the same for every reader: 5 January 2026."""
    return f"{moment.day} {moment:%B %Y}"


def until(moment: datetime, now: datetime) -> str:
    """How far away a moment is, "over" once it has passed."""
    left: timedelta = moment - now
    return f"in {duration(left.total_seconds())}" if left > timedelta(0) else "over"
