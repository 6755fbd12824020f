"""Which faults, in which order, how long after one another: all of it from the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice


class Fault(StrEnum):
    """What is done to the running stack. Each but the clears is a `kill -9`."""

    TASK = "task process"
    WORKER = "worker with its task"
    WORKER_ALONE = "worker, its task runs on"
    SCHEDULER = "scheduler with workers and tasks"
    SCHEDULER_ALONE = "scheduler, its tasks run on"
    TRIGGERER = "triggerer"
    API_SERVER = "API server"
    DAG_PROCESSOR = "DAG processor"
    CLOUD = "local cloud"
    CLOUD_ALONE = "local cloud, its emulator may save"
    CLEAR_ACTIVE = "clear an active task"
    CLEAR_FINISHED = "clear a finished task"
    CLEAR_DOWNSTREAM = "clear a finished task and what follows"

    @property
    def is_clear(self) -> bool:
        """Whether a person does it, through the API."""
        return self.value.startswith("clear")

    @property
    def is_task(self) -> bool:
        """Whether it hits one task that runs just then."""
        return self in _OF_TASKS


_OF_TASKS = {Fault.TASK, Fault.WORKER, Fault.WORKER_ALONE}

#: The part that a fault kills (a name of `tools.stack.control`), and whether with all that it started.
PARTS = {
    Fault.SCHEDULER: ("scheduler", True),
    Fault.SCHEDULER_ALONE: ("scheduler", False),
    Fault.TRIGGERER: ("triggerer", True),
    Fault.API_SERVER: ("api-server", True),
    Fault.DAG_PROCESSOR: ("dag-processor", True),
    Fault.CLOUD: ("localcloud", True),
    Fault.CLOUD_ALONE: ("localcloud", False),
}

_WEIGHTS = {
    Fault.TASK: 5,
    Fault.WORKER: 1,
    Fault.WORKER_ALONE: 1,
    Fault.SCHEDULER: 2,
    Fault.SCHEDULER_ALONE: 3,
    Fault.TRIGGERER: 3,
    Fault.API_SERVER: 2,
    Fault.DAG_PROCESSOR: 1,
    Fault.CLOUD: 3,
    Fault.CLOUD_ALONE: 1,
    Fault.CLEAR_ACTIVE: 3,
    Fault.CLEAR_FINISHED: 2,
    Fault.CLEAR_DOWNSTREAM: 1,
}


#: The tasks of a run in their order, and how much of the faults each of them draws.
_STAGES = {
    "load_dataset": 1,
    "plan_spend": 1,
    "approve_spend": 1,
    "publish_hits": 4,
    "sense_reviewable": 2,
    "collect_and_extend": 8,
    "propose_rejections": 1,
    "approve_rejections": 1,
    "apply_reviews": 2,
    "approve_overrun": 1,
    "collect_rest": 4,
    "consolidate": 1,
    "write_dataset": 1,
    "train": 2,
    "deploy": 2,
    "evaluate": 1,
    "clean_up.reconcile": 1,
    "clean_up.delete_hits": 2,
    "clean_up.report": 1,
}
_OF_MODELS = {"train", "deploy", "evaluate"}
_OF_REVIEWS = {"propose_rejections", "approve_rejections", "apply_reviews"}


@dataclass(frozen=True)
class Step:
    """One fault.

    Attributes:
        stage: the task that must have been reached.
        after_s: seconds after that, or after the fault before it.
        settled: whether Airflow must be well again first; else this fault may meet what the last one left.
        fault: what is done.
        down_s: seconds until a supervisor starts the part again.
        draw: decides what else there is to choose, such as the task; from 0 up to 1.
    """

    stage: str
    after_s: float
    settled: bool
    fault: Fault
    down_s: float
    draw: float

    def choose(self, number: int) -> int:
        """The place of the chosen one among so many."""
        return min(int(self.draw * number), number - 1)


def schedule(seed: int, faults: int, *, model: bool = True) -> list[Step]:
    """The faults of a seed, spread over the tasks of a run: one with a model, or one that is reviewed."""
    draw = random.Random(f"faults {seed}")
    order = [name for name in _STAGES if name not in (_OF_REVIEWS if model else _OF_MODELS)]
    drawn = sorted(draw.choices(order, [_STAGES[name] for name in order], k=faults), key=order.index)
    kinds = islice(_kinds(draw), faults)
    return [
        Step(
            stage=stage,
            after_s=round(draw.uniform(0, 25) if stage == "collect_and_extend" else draw.uniform(0, 8), 1),
            settled=draw.random() < 0.75,
            fault=kind,
            down_s=round(draw.choice((0.0, draw.uniform(1, 6), draw.uniform(6, 25))), 1),
            draw=draw.random(),
        )
        for stage, kind in zip(drawn, kinds, strict=True)
    ]


def _kinds(draw: random.Random) -> Iterator[Fault]:
    """Kinds without end: one of each, for a short schedule to be mixed as well, then by weight."""
    firsts = list(Fault)
    draw.shuffle(firsts)
    yield from firsts
    while True:
        yield draw.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
