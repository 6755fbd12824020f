"""What became of one schedule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tools.chaos.oracle import Verdict


@dataclass
class Played:
    """What became of a schedule.

    Attributes:
        seed: its number.
        verdict: what the oracle says.
        injected: faults that took place, by kind.
        log: one line per attempt.
        calls: requests to the API, those of botocore's own tries counted each.
        attempts: at tasks.
    """

    seed: int
    verdict: Verdict
    injected: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    calls: int = 0
    attempts: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.verdict.ok
