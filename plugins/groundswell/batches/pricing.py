"""What one assignment or bonus costs, in whole cents.

Mechanical Turk's price list (in force since 2015-07-22): the fee is 20 % of the reward, 40 % for HITs created
with ten or more assignments, at least $0.01 per assignment, and rounded half up to a cent. On a bonus it is
20 %, whatever the HIT.
"""

from __future__ import annotations

LARGE_HIT = 10
"""From this many assignments on, a HIT pays the higher fee."""

_BASE_PERCENT = 20
_LARGE_HIT_PERCENT = 40
_MINIMUM_CENTS = 1


def fee_cents(reward_cents: int, max_assignments: int) -> int:
    """Fee of one assignment, in cents.

    Args:
        reward_cents: what the worker gets for it.
        max_assignments: for how many assignments its HIT asks; decides the fee tier.

    Raises:
        ValueError: if the reward is negative or there is no assignment.
    """
    if reward_cents < 0:
        raise ValueError(f"the reward is {reward_cents} cents; it cannot be negative")
    if max_assignments < 1:
        raise ValueError(f"{max_assignments} assignments; a HIT has at least one")
    percent = _LARGE_HIT_PERCENT if max_assignments >= LARGE_HIT else _BASE_PERCENT
    return max(_MINIMUM_CENTS, (reward_cents * percent + 50) // 100)


def bonus_fee_cents(bonus_cents: int) -> int:
    """Fee of one bonus, in cents: it knows no tier.

    Raises:
        ValueError: if the bonus is not positive.
    """
    if bonus_cents < 1:
        raise ValueError(f"a bonus of {bonus_cents} cents; it is one cent at least")
    return max(_MINIMUM_CENTS, (bonus_cents * _BASE_PERCENT + 50) // 100)
