"""Which call goes wrong, and how: decided by a seed and the number of the call."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """What can happen to a request between a requester and the workforce."""

    LOST_RESPONSE = "response lost after commit"
    RESET = "connection reset before the call"
    SERVER_ERROR = "5xx"
    SERVER_ERROR_AFTER = "5xx after commit"
    THROTTLED = "throttled"
    STALE = "stale read"
    LAGGING = "not visible yet"
    TWICE = "delivered twice"
    TWICE_SECOND = "delivered twice, second answer seen"
    LATE_COPY = "delivered again later"
    SLOW = "slow"


#: Faults that only matter for calls that change something.
_OF_WRITES = frozenset({Fault.SERVER_ERROR_AFTER, Fault.TWICE, Fault.TWICE_SECOND, Fault.LATE_COPY})
#: What an outage looks like from outside.
_OUTAGE = (Fault.RESET, Fault.SERVER_ERROR, Fault.THROTTLED)


@dataclass
class FaultPlan:
    """
    The faults of one schedule.

    :param seed: two plans with one seed decide alike about the same sequence of calls.
    :param rate: the share of calls that go wrong.
    :param kinds: what may go wrong.
    :param outages: (first call, number of calls) during which nothing gets through.
    :param lag_seconds: how long something new may stay invisible, and how old a stale answer may be.
    """

    seed: int
    rate: float = 0.0
    kinds: tuple[Fault, ...] = tuple(Fault)
    outages: tuple[tuple[int, int], ...] = ()
    lag_seconds: float = 600.0
    on: bool = True
    calls: int = 0
    injected: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(f"faults {self.seed}")

    def next(self, operation: str) -> Fault | None:
        """Decide about the next call, which is of this operation."""
        self.calls += 1
        if not self.on:
            return None
        # Drawn whatever comes of it, so that one decision does not shift all later ones
        roll, choice, outage = (self._random.random() for _ in range(3))
        if any(first <= self.calls < first + count for first, count in self.outages):
            return _OUTAGE[int(outage * len(_OUTAGE))]
        fitting = [kind for kind in self.kinds if _fits(kind, operation)]
        return fitting[int(choice * len(fitting))] if fitting and roll < self.rate else None

    def count(self, fault: str) -> None:
        """Count a fault that took place; a stale read needs an earlier one, for example."""
        self.injected[fault] += 1

    def uniform(self, low: float, high: float) -> float:
        """Return how much of something."""
        return self._random.uniform(low, high)


def _fits(fault: Fault, operation: str) -> bool:
    reads = operation.startswith(("Get", "List"))
    if fault is Fault.STALE:
        return reads
    if fault is Fault.LAGGING:
        return operation.startswith("List") or operation == "ApproveAssignment"
    return not (reads and fault in _OF_WRITES)
