"""Dollars on the wire, cents inside, and the fee."""

from __future__ import annotations

import re

_REWARD = re.compile(r"([0-9]+)(?:\.([0-9]{0,2}))?")
FEE_PERCENT = 20
FEE_PERCENT_MANY = 40
MANY_ASSIGNMENTS = 10  # from here on the higher fee is due, for the whole HIT
MOST_CENTS = 100_000_000  # one million dollars for one assignment is a mistake


def parse_dollars(text: str) -> int | None:
    """Cents of an amount such as "0.05", "5" or "5."; None if it is not one."""
    found = _REWARD.fullmatch(text)
    if found is None or len(found[1]) > len(str(MOST_CENTS)):
        return None
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def dollars(cents: int) -> str:
    """An amount as the API writes it: "0.05", "10000.00"."""
    return f"{cents // 100}.{cents % 100:02d}"


def fee_cents(reward_cents: int, max_assignments: int) -> int:
    """The market's fee on one assignment: 20 %, or 40 % from ten assignments on; half up, at least a cent."""
    return _fee(reward_cents, FEE_PERCENT_MANY if max_assignments >= MANY_ASSIGNMENTS else FEE_PERCENT)


def bonus_fee_cents(bonus_cents: int) -> int:
    """The fee on a bonus: always 20 %, however many assignments the HIT has; half up, at least a cent."""
    return _fee(bonus_cents, FEE_PERCENT)


def _fee(cents: int, percent: int) -> int:
    return max(1, (cents * percent + 50) // 100)
