"""How values look on the pages: template filters. No value is a dash, never a zero."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

NOTHING = "\u2013"
_UNITS = (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1))


def number(value: float | None, digits: int = 0) -> str:
    """12345 -> 12,345."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    """0.873 -> 87%. What is not all is never rounded to 100%, what is not nothing never to 0%."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0%"
    text = f"{100 * value:.{digits}f}"
    if value < 1 and float(text) >= 100:
        text = f"{100 - 10 ** -max(digits, 1):.{max(digits, 1)}f}"
    if value > 0 and float(text) <= 0:
        text = f"<{10**-digits:.{digits}f}"
    return f"{text}%"


def money(cents: float | None) -> str:
    """1250 -> $12.50."""
    if cents is None:
        return NOTHING
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) / 100:,.2f}"


def seconds(value: float | None) -> str:
    """A length of time in two units at most: 95 -> 1 min 35 s."""
    if value is None:
        return NOTHING
    if value < 60:
        return f"{value:.1f} s" if value < 10 and value != int(value) else f"{value:.0f} s"
    whole = round(value)
    for unit, size, small, small_size in _UNITS:
        if whole >= size:
            rest = whole % size // small_size
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def moment(value: str | datetime | None) -> datetime | None:
    """Return an ISO 8601 text as a time in UTC; None where it is none."""
    if value is None or value == "":
        return None
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def when(value: str | datetime | None) -> Markup:
    """A time as ``<time>``: 2026-11-22 07:05 UTC."""
    at = moment(value)
    if at is None:
        return Markup(NOTHING)  # noqa: S704 - a constant
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), f"{at:%A, %d %B %Y, %H:%M:%S} UTC", f"{at:%Y-%m-%d %H:%M} UTC"
    )


def ago(value: str | datetime | None, now: datetime | None = None) -> Markup:
    """How long ago (or how far ahead) a time is, as ``<time>`` with the exact time on hover."""
    at = moment(value)
    if at is None:
        return Markup(NOTHING)  # noqa: S704 - a constant
    passed = ((now or datetime.now(UTC)) - at).total_seconds()
    text = f"{_rough(passed)} ago" if passed >= 5 else "just now" if passed >= 0 else f"in {_rough(-passed)}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M:%S} UTC", text
    )


def ahead(value: str | datetime | None, now: datetime | None = None) -> Markup | str:
    """How far ahead an expected time is; it may be over when what it was told by is some minutes old."""
    at = moment(value)
    return "any moment" if at is not None and at <= (now or datetime.now(UTC)) else ago(value, now)


def _rough(value: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if value >= 2 * size or (unit == "min" and value >= size):
            return f"{value / size:.0f} {unit}"
    return f"{value:.0f} s"


def plural(count: float | None, one: str, many: str = "") -> str:
    """2, item -> 2 items."""
    if count is None:
        return f"{NOTHING} {many or one + 's'}"
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "percent": percent,
    "money": money,
    "seconds": seconds,
    "when": when,
    "ago": ago,
    "ahead": ahead,
    "plural": plural,
}
