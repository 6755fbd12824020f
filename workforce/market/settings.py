"""What an operator may set about a market."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MarketSettings:
    """Choices that hold for the whole market."""

    default_max_results: int = 10
    disposal_days: int = 120
    override_rejection_days: int = 30
    token_hours: int = 24
