"""Numbers and untrusted text for people. No value is an en dash, never 0."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import date, datetime
from html import escape as _escape
from typing import Any

NONE = "\u2013"
"""Shown where there is nothing to count or to compute from."""

MOST_TEXT, MOST_NAME = 200, 80
"""Characters of a stranger's text, and of a name, that are shown."""

_MINUS = "\u2212"
_JOINERS = {"\u200c", "\u200d"}  # Persian, Indic scripts and emoji are written with them
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def clean(text: object, most: int = MOST_TEXT) -> str:
    """Return text on one line that can be encoded and shown: what is not printable becomes ``\ufffd``."""
    raw = str(text)
    if len(raw) <= most and raw.isprintable():
        return raw.strip()
    cut = raw[: most + 1]
    cut = "".join(_letter(letter) for letter in cut)
    return f"{cut[:most].rstrip()}\u2026" if len(raw) > most else cut.strip()


def escape(text: object) -> str:
    """Return text as HTML or XML content or attribute value."""
    return _escape(clean(text, 2_000), quote=True)


def fit(text: str, width: float, size: float) -> str:
    """Shorten a label so that it takes about ``width`` px at a font size."""
    text = clean(text)
    if text_width(text, size) <= width:
        return text
    while text and text_width(text, size) > width - size:
        text = text[:-1]
    return text.rstrip() + "\u2026"


def text_width(text: str, size: float) -> float:
    """Estimate the width of a text in px: the fonts of the reader are not known here."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (0.6 * (len(text) - wide) + 1.02 * wide)


def missing(value: Any) -> bool:
    """Say whether there is no value: None, NaN or pandas' NA."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in {"NAType", "NaTType"}


def count(value: float | None) -> str:
    """``12,345``; fractions only where there are some."""
    if missing(value) or value is None:
        return NONE
    rounded = round(float(value), 1)
    return f"{int(rounded):,}" if rounded == int(rounded) else f"{rounded:,.1f}"


def seconds(value: float | None) -> str:
    """Time for one task: ``0.8 s``, ``9.8 s``, ``83 s``, ``2 min 17 s``, ``1 h 05 min``."""
    if missing(value) or value is None:
        return NONE
    if value < 9.95:
        return f"{value:.1f} s"
    if value < 119.5:
        return f"{value:.0f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return duration(value)


def duration(value: float | None) -> str:
    """Time worked, from seconds: ``48 s``, ``2.3 min``, ``48 min``, ``3 h 25 min``, ``1,204 h``."""
    if missing(value) or value is None:
        return NONE
    if value < 59.5:
        return f"{value:.0f} s"
    if value < 600:
        return f"{value / 60:.1f} min"
    minutes = round(value / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 6000:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes / 60:,.0f} h"


def rate(value: float | None) -> str:
    """Tasks per hour."""
    if missing(value) or value is None:
        return NONE
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}"


def share(value: float | None) -> str:
    """A share 0..1 as a percentage: ``94.2%``; 100% and 0% only where it is exactly that."""
    if missing(value) or value is None:
        return NONE
    if value in (0, 1):
        return f"{value:.0%}"
    return f"{min(99.9, max(0.1, value * 100)):.1f}%" if 0 < value < 1 else f"{value:.1%}"


def dollars(value: float | None) -> str:
    """An amount: ``$1,234.56``; below ten cents with three decimals, as costs per label are."""
    if missing(value) or value is None:
        return NONE
    sign = _MINUS if value < 0 else ""
    value = abs(value)
    fine = 0 < value < 0.0995 and f"{value:.3f}"[-1] != "0"
    return f"{sign}${value:.3f}" if fine else f"{sign}${value:,.2f}"


def cents(value: float | None) -> str:
    """An amount in cents, shown in dollars."""
    return dollars(None if missing(value) or value is None else value / 100)


def plain(value: object) -> str:
    """Any value as text."""
    return NONE if missing(value) or value == "" else clean(value)


def sentence(value: object) -> str:
    """A sentence of a table as text, its shares written as everywhere else: ``58%`` for ``58 %``."""
    return re.sub(r"(?<=\d) %", "%", clean(value))


def signed(value: float, text: str) -> str:
    """Put the sign of a number before its text: ``+12`` or, with a true minus, ``-12``."""
    sign = "+" if value > 0 else _MINUS if value < 0 else ""
    return sign + text.lstrip("-" + _MINUS)


def day(value: date, *, year: bool = True, weekday: bool = False) -> str:
    """``Friday, 6 Nov 2026``, ``6 Nov 2026`` or ``6 Nov``."""
    text = f"{value.day} {_MONTHS[value.month - 1]}" + (f" {value.year}" if year else "")
    return f"{_WEEKDAYS[value.weekday()]}, {text}" if weekday else text


def weekday(value: date) -> str:
    """``Friday``."""
    return _WEEKDAYS[value.weekday()]


def as_day(value: object) -> date:
    """A date from a date, a timestamp or ISO text.

    :raises ValueError: the text is no date
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    return date.fromisoformat(str(value)[:10])


def moment(value: object) -> str:
    """An ISO time as ``2026-11-06 05:12 UTC``; other text as it is."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return plain(value)
    return f"{at:%Y-%m-%d %H:%M} {at.tzname() or ''}".strip()


def _letter(letter: str) -> str:
    if letter.isprintable() or letter in _JOINERS:
        return letter
    return " " if letter.isspace() else "\ufffd"
