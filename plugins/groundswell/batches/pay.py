"""What workers earn per hour, from how long they take.

Times are those between accepting and submitting, in whole seconds; an assignment that was given back or ran
out of time has none. The median counts, because some workers accept a HIT and leave it lying.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from groundswell.batches.units import dollars

_HOUR = 3600


@dataclass(frozen=True)
class Pace:
    """How long workers took: ``counts`` maps seconds to how many answers took so long."""

    counts: Mapping[int, int]

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Pace:
        """Return the pace of answers that took so long; clocks may make a quick one negative."""
        return cls(Counter(_rounded(max(0, each)) for each in seconds))

    def __add__(self, other: Pace) -> Pace:
        return Pace(Counter(self.counts) + Counter(other.counts))

    @property
    def n(self) -> int:
        """How many answers this knows of."""
        return sum(self.counts.values())

    @property
    def median(self) -> float | None:
        """The median in seconds, one at least, or None where there are no answers."""
        if not self.n:
            return None
        low, high = (self._at(place) for place in ((self.n - 1) // 2, self.n // 2))
        return max(1.0, (low + high) / 2)

    def _at(self, place: int) -> int:
        for seconds, count in sorted(self.counts.items()):
            place -= count
            if place < 0:
                return seconds
        raise IndexError(place)

    def document(self) -> dict[str, object]:
        """Return it as JSON holds it."""
        seconds = {str(each): self.counts[each] for each in sorted(self.counts)}
        return {"n": self.n, "median": self.median, "seconds": seconds}

    @classmethod
    def read(cls, document: Mapping[str, object]) -> Pace:
        """Return what :meth:`document` gave; no answers where it is something else."""
        seconds = document.get("seconds")
        if not isinstance(seconds, Mapping):
            return cls({})
        return cls({int(each): int(count) for each, count in seconds.items()})


def _rounded(seconds: float) -> int:
    """Three digits are enough, and keep the documents of long tasks small."""
    step = int(10 ** max(0, len(str(int(seconds))) - 3))
    return int(seconds) // step * step


def hourly_cents(reward_cents: int, seconds: float) -> int:
    """Cents per hour of a worker who takes ``seconds`` per answer.

    Raises:
        ValueError: if the time is not positive.
    """
    if seconds <= 0:
        raise ValueError(f"{seconds} seconds per answer; it takes some time")
    return int(reward_cents * _HOUR / seconds)


@dataclass(frozen=True)
class Pay:
    """What an answer pays per hour, in cents, where that is known.

    Attributes:
        hourly_cents: reward per hour; None where nobody knows how long an answer takes.
        low: whether that is below the batch's minimum.
        text: for the person who approves the spend.
    """

    hourly_cents: int | None
    low: bool
    text: str


def judge_pay(
    reward_cents: int, pace: Pace, *, expected_seconds: float | None, minimum_cents: int | None
) -> Pay:
    """Hold what workers earn against the batch's minimum: by earlier answers, else by the estimate."""
    seconds = pace.median or expected_seconds
    if seconds is None:
        return Pay(None, low=False, text="pay per hour is unknown: set task.expected_time for an estimate")
    if pace.n:
        basis = f"median of {seconds:g} s over {pace.n} answers"
    else:
        basis = f"task.expected_time of {seconds:g} s"
    cents = hourly_cents(reward_cents, seconds)
    text = f"pays {dollars(cents)} per hour ({basis})"
    if minimum_cents is not None and cents < minimum_cents:
        enough = _fair_reward(minimum_cents, seconds)
        text += f", BELOW spend.minimum_hourly of {dollars(minimum_cents)}: {dollars(enough)} would meet it"
        return Pay(cents, low=True, text=text)
    return Pay(cents, low=False, text=text)


def _fair_reward(minimum_cents: int, seconds: float) -> int:
    reward = max(1, int(minimum_cents * seconds / _HOUR))
    while hourly_cents(reward, seconds) < minimum_cents:
        reward += 1
    return reward
