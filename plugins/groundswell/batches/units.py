"""Durations and money as people write them in a batch file.

The functions raise ``ValueError`` whose text says what is wrong with the value and how to write it; the
caller adds the file and the option.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

_DURATION = re.compile(r"(?P<count>[0-9]{1,9})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MONEY = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,2})?")


def parse_duration(value: object) -> timedelta:
    """Read "15s", "5m", "4h" or "3d".

    Raises:
        ValueError: if ``value`` is anything else.
    """
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"{value!r} is not a duration; write a whole number and a unit, such as 15s, 5m, 4h or 3d"
        )
    # nine digits of days is the most that a timedelta takes
    return timedelta(**{_UNITS[match["unit"]]: int(match["count"])})


def parse_money(value: object) -> Decimal:
    """Read an amount of US dollars such as "0.05" or "45".

    Only strings are taken: a YAML number is a binary fraction, and 0.1 + 0.2 is not what anyone should pay.

    Raises:
        ValueError: if ``value`` is not a string, is negative, or has more than two decimals.
    """
    if isinstance(value, Decimal):
        value = str(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(
            f'{value!r} is a number, which cannot hold cents exactly; write it in quotes: "{value:.2f}"'
        )
    if not isinstance(value, str) or _MONEY.fullmatch(value) is None:
        raise ValueError(
            f"{value!r} is not an amount of dollars; write it in quotes with at most two decimals, "
            'such as "0.05"'
        )
    return Decimal(value)


def to_cents(amount: Decimal) -> int:
    """Whole cents of an amount of dollars that has at most two decimals."""
    return int(amount.scaleb(2))


def dollars(cents: int) -> str:
    """``1800`` as "$18.00", for messages."""
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}${cents // 100:,}.{cents % 100:02d}"
