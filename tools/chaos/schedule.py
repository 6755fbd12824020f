"""What happens in one run, from one number: the batch, its workers, the faults and when people interfere."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tools.chaos.faults import Fault, FaultPlan
from tools.chaos.processes import Fate

LABELS = ("setosa", "versicolor", "virginica")
REWARD_CENTS, FEE_CENTS = 5, 1
ANSWER_CENTS = REWARD_CENTS + FEE_CENTS
HOUR, DAY = 3_600.0, 86_400.0

#: agree, first, most
_REDUNDANCY = ((2, 2, 5), (2, 2, 3), (1, 1, 3), (2, 3, 5), (3, 3, 5), (2, 2, 2), (1, 1, 1), (2, 1, 4))
#: Rules, by how often they are drawn.
_RULES = ("agree",) * 5 + ("confidence",) * 4 + ("lead",)
#: Seconds that a HIT lives, and the seconds between two polls.
_LIVES = ((2 * HOUR, 1_200), (6 * HOUR, 3_600), (3 * DAY, 8 * 3_600))


@dataclass(frozen=True)
class Crowd:
    """How workers behave.

    Attributes:
        pause: mean seconds between two arrivals.
        arrivals: how many come at all.
        right: how likely an answer is the item's true label.
        unreadable: share of answers that cannot be read.
        abandon: share of accepted assignments that are never submitted.
        give_back: share that is returned.
        late: share that is submitted just before the assignment's deadline.
        regulars: share of arrivals of somebody who has been here before.
    """

    pause: float
    arrivals: int
    right: float
    unreadable: float
    abandon: float
    give_back: float
    late: float
    regulars: float


@dataclass(frozen=True)
class Schedule:
    """One schedule; equal seeds give equal schedules.

    Attributes:
        seed: its number.
        items: ids of the items.
        batch: options of the batch file, as ``section__option``.
        crowd: the workers.
        clears: (finished tasks, task to start over at, that task alone), the first two as shares.
        jumps: (attempt, seconds): time that passes before an attempt at a task.
        outages: (first call, number of calls) that do not get through.
        fault_rate: share of API calls that go wrong.
        put_fault_rate: share of writes of the ledger that go wrong.
        trouble: share of attempts that are killed, put to sleep, or have a twin.
        day_off: share of failed attempts after which nobody looks for a day and more.
        answers_no: the person who is asked for money or rejections says no.
    """

    seed: int
    items: tuple[str, ...]
    batch: dict[str, Any]
    crowd: Crowd
    clears: tuple[tuple[float, float, bool], ...]
    jumps: tuple[tuple[int, float], ...]
    outages: tuple[tuple[int, int], ...]
    fault_rate: float
    put_fault_rate: float
    trouble: float
    lag_seconds: float
    day_off: float
    answers_no: bool

    def faults(self) -> FaultPlan:
        """Return the plan of the API's faults."""
        return FaultPlan(
            self.seed,
            rate=self.fault_rate,
            # Most reads have nothing new to hide, and nothing earlier to repeat
            kinds=(*Fault, *(Fault.STALE, Fault.LAGGING) * 3),
            outages=self.outages,
            lag_seconds=self.lag_seconds,
        )

    @property
    def limit_cents(self) -> int:
        """What the run may cost."""
        return round(float(self.batch["spend__budget"]) * 100)

    @property
    def most(self) -> int:
        """Answers that an item may get."""
        return int(self.batch["redundancy"]["most"])

    def fate(self, chance: random.Random) -> Fate:
        """Return what happens to one attempt."""
        if chance.random() >= self.trouble:
            return Fate()
        at = min(1 + int(chance.expovariate(0.12)), 60)
        if chance.random() < 0.75:
            return Fate(kill_at=at, after=chance.random() < 0.5)
        return Fate(sleep_at=at)


def schedule_of(seed: int) -> Schedule:
    """Return the schedule of a number."""
    chance = random.Random(f"schedule {seed}")
    items = tuple(f"item-{number}" for number in range(chance.choice((1, 1, 2, 2, 3, 3, 4, 5, 6))))
    lifetime, interval = chance.choice(_LIVES)
    return Schedule(
        seed=seed,
        items=items,
        batch=_batch(chance, seed, len(items), lifetime, interval),
        crowd=_crowd(chance, lifetime),
        clears=tuple(
            (chance.random(), chance.random(), chance.random() < 0.3)
            for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))
        ),
        jumps=tuple(_jump(chance, lifetime) for _ in range(chance.choice((0, 0, 1, 1, 2)))),
        outages=tuple(
            (int(chance.expovariate(1 / 40)), chance.choice((3, 12, 25, 60)))
            for _ in range(chance.choice((0, 0, 0, 1, 2)))
        ),
        fault_rate=chance.choice((0.0, 0.05, 0.15, 0.3, 0.5)),
        put_fault_rate=chance.choice((0.0, 0.0, 0.05, 0.2)),
        trouble=chance.choice((0.0, 0.3, 0.6, 0.9)),
        lag_seconds=chance.choice((60.0, 420.0, 1_500.0)),
        day_off=chance.choice((0.0, 0.0, 0.2, 0.6)),
        answers_no=chance.random() < 0.15,
    )


def _batch(chance: random.Random, seed: int, items: int, lifetime: float, interval: int) -> dict[str, Any]:
    agree, first, most = chance.choice(_REDUNDANCY)
    certain, worst = items * first, items * most
    answers = worst if chance.random() < 0.6 else chance.randint(certain, worst)
    budget = answers * ANSWER_CENTS + chance.choice((0, 0, 1, 5))
    asked_first = chance.random() < 0.3
    month = chance.choice((None, None, None, budget, budget + 6))
    auto_approval = chance.choice(("1h", "6h", "3d", "30d"))
    return {
        "redundancy": _rule(random.Random(f"rule {seed}"), agree) | {"first": first, "most": most},
        "shard_items": chance.choice((1, 2, 3, 500)),
        "spend__budget": f"{budget / 100:.2f}",
        "spend__approve_above": "0.01" if asked_first else f"{worst * ANSWER_CENTS / 100:.2f}",
        "task__lifetime": f"{int(lifetime)}s",
        "task__assignment_duration": f"{chance.choice((300, 1_800))}s",
        "spend__monthly_budget": month and f"{month / 100:.2f}",
        "spend__ask_overrun": chance.random() < 0.7,
        "task__auto_approval": auto_approval,
        "review": _review(chance) if chance.random() < 0.4 else None,
        "polling": {
            "interval": f"{interval}s",
            "first_wave": chance.choice((1, 2, 20)),
            "wave": chance.choice((1, 2, 20)),
            "max_wait": f"{interval // chance.choice((1, 2, 4))}s",
            "timeout": f"{int(lifetime * 2)}s",
        },
    }


def _rule(chance: random.Random, count: int) -> dict[str, Any]:
    """Return a rule; it has its own chance, so that the rest of a schedule does not depend on it."""
    rule = chance.choice(_RULES)
    options: dict[str, Any] = {"rule": rule, "experts": chance.random() < 0.3}
    # A modest confidence: what is learnt meanwhile turns an item from doubtful to settled and back
    confidence = chance.choice((0.6, 0.75, 0.9))
    return options | {rule: confidence if rule == "confidence" else count}


def _review(chance: random.Random) -> dict[str, Any]:
    return {
        "agreement_below": chance.choice((0.5, 0.9, 1.0)),
        "minimum_answers": 2,
        "unreadable": chance.random() < 0.8,
        "most_per_worker": chance.choice((1, 3)),
        "most_per_run": chance.choice((1, 10)),
        "answer_within": "25m",
        "feedback": "It does not follow the instructions",
    }


def _crowd(chance: random.Random, lifetime: float) -> Crowd:
    return Crowd(
        pause=lifetime / chance.choice((15, 40, 120)),
        arrivals=chance.choice((0, 4, 12, 60, 60, 60)),
        right=chance.choice((0.4, 0.7, 0.9, 1.0)),
        unreadable=chance.choice((0.0, 0.0, 0.1, 0.4)),
        abandon=chance.choice((0.0, 0.1, 0.4)),
        give_back=chance.choice((0.0, 0.1)),
        late=chance.choice((0.0, 0.2, 0.6)),
        regulars=chance.choice((0.0, 0.5)),
    )


def _jump(chance: random.Random, lifetime: float) -> tuple[int, float]:
    seconds = chance.choice((23.5 * HOUR, 25 * HOUR, 30 * HOUR, lifetime, lifetime + 2 * HOUR, 4 * DAY))
    return int(chance.expovariate(1 / 5)), seconds + chance.uniform(-600, 600)
