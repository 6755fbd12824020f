"""What an operator may set about a market."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MarketSettings:
    """Choices that hold for the whole market; the defaults are those of Mechanical Turk.

    `disposal_days` counts from when a HIT became reviewable, `override_rejection_days` from the submission,
    `token_hours` from the first use of a UniqueRequestToken.
    """

    default_max_results: int = 10
    disposal_days: int = 120
    override_rejection_days: int = 30
    token_hours: int = 24
    max_answer_bytes: int = 1_048_576
