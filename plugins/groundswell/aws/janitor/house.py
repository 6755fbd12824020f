"""One batch as the janitor goes through it: its runs, its HITs, and which runs to leave alone."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from groundswell.aws.exceptions import clear_errors
from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook
from groundswell.aws.runs import COMPENSATIONS, LabelingRun, open_run
from groundswell.ledger import Ledger, RunState, run_key
from groundswell.ledger.claims import all_held
from groundswell.ledger.ledger import KINDS

Hit = Mapping[str, Any]
#: (batch name, run id) -> whether Airflow runs it now; None where Airflow does not know the run.
UnderWay = Callable[[str, str], bool | None]

#: Documents beside a ledger that say when a task of the run last wrote.
_DOCUMENTS = ("progress.json", "summary.json")
_RUN_KEY = re.compile("[0-9a-f]+")
_OPEN = frozenset({"Assignable", "Unassignable"})


@dataclass(frozen=True)
class Rules:
    """
    How the janitor goes about it.

    :param now: the time, by which grace and claims are judged.
    :param grace: for how long a run must have done nothing, or a HIT have existed, to be looked at.
    :param under_way: asks Airflow about a run.
    :param unsure: kinds to repair also where the janitor cannot be sure.
    """

    now: datetime
    grace: timedelta
    under_way: UnderWay
    unsure: frozenset[str] = frozenset()

    def old(self, moment: str) -> bool:
        """Return whether a moment (ISO 8601, UTC; "" is long ago) is longer ago than the grace."""
        return not moment or datetime.fromisoformat(moment) <= self.now - self.grace

    @property
    def now_text(self) -> str:
        """The time as the ledger writes it."""
        return self.now.isoformat(timespec="seconds")


@dataclass
class House:
    """
    One batch.

    :param base: opens the batch's connections and store; it is no run.
    :param hits: the batch's HITs at the workforce, by the run key of their annotation.
    :param rules: how the janitor goes about it.
    :param notes: what people should know and need not act on.
    :param clean: run id -> number of parts of runs that are over and have nothing left: while nothing is
        written to their ledgers, they need not be read again.
    """

    base: LabelingRun
    hits: Mapping[str, list[Hit]]
    rules: Rules
    notes: list[str] = field(default_factory=list)
    clean: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The batch's name."""
        return self.base.live.name

    @cached_property
    def ledgers(self) -> dict[str, int]:
        """Run id -> number of parts of every run that has a ledger."""
        prefix = f"{self.name}/"
        sizes: defaultdict[str, int] = defaultdict(int)
        for key in self.base.store.keys(prefix):
            *run_id, kind, _ = ["", "", *key.removeprefix(prefix).split("/")]
            if kind in KINDS and (name := "/".join(run_id[2:])):
                sizes[name] += 1
        return dict(sizes)

    @cached_property
    def sagemaker(self) -> GroundswellSageMakerHook:
        """SageMaker, as the batch's connection reaches it."""
        return GroundswellSageMakerHook(aws_conn_id=self.base.live.connections.aws)

    @cached_property
    def held(self) -> dict[str, dict[str, str]]:
        """Run id -> item -> until of the claims of every run."""
        return all_held(self.base.store, self.name)

    def claimed_until(self, run_id: str) -> str:
        """Return when the last claim of a run lapses (ISO 8601, UTC); "" where it holds none."""
        return max(self.held.get(run_id, {}).values(), default="")

    def known_clean(self, run_id: str) -> bool:
        """Return whether an earlier round found nothing at a run, and nothing has changed since."""
        return self.clean.get(run_id) == self.ledgers[run_id] and run_key(run_id) not in self.hits

    def lapsed(self, run_id: str) -> bool:
        """Return whether the run's items are anybody's again: clearing its tasks is no use any more."""
        return self.claimed_until(run_id) <= self.rules.now_text

    def under_way(self, run_id: str) -> str | None:
        """Return why a run must be left alone; None where it is over."""
        running = self.rules.under_way(self.name, run_id)
        if running is not None:
            return "Airflow runs it" if running else None
        until = self.claimed_until(run_id)
        if until > self.rules.now_text:
            return f"Airflow does not know it, and it claims items until {until}"
        return None

    def quiet(self, run: LabelingRun, state: RunState) -> bool:
        """Return whether the run has done nothing for as long as the grace."""
        return self.rules.old(max(_moments(run, state), default=""))

    def run(self, run_id: str) -> LabelingRun:
        """Return a run of the batch."""
        return self.base.sibling(run_id)

    def stray(self, key: str) -> LabelingRun:
        """Return the record that the janitor keeps of a run of which only the key is known."""
        run = self.base.sibling(key)
        run.__dict__["ledger"] = Ledger(run.store, f"_janitor/{self.name}", key)
        return run


def _moments(run: LabelingRun, state: RunState) -> Iterator[str]:
    """Yield when the run's own tasks did something; answers and payments may be the janitor's doing."""
    yield from state.intents.values()
    yield from (row["at"] for row in state.reserved.values())
    yield from (row["at"] for row in state.approvals)
    yield from (row["at"] for row in state.resources.values())
    if state.plan:
        yield state.plan["at"]
    for name in _DOCUMENTS:
        yield (run.ledger.get_document(name) or {}).get("updated", "")


class Workforces:
    """The HITs of each account, read once however many batches share it."""

    def __init__(self) -> None:
        self._hits: dict[str, list[Hit]] = {}

    def hits(self, run: LabelingRun) -> list[Hit]:
        """Return every HIT of the account of a run's connection."""
        connection = run.live.connections.mturk
        if connection not in self._hits:
            self._hits[connection] = list(run.mturk.hits())
        return self._hits[connection]

    def foreign(self, batches: Iterable[str]) -> dict[str, int]:
        """Return connection -> number of HITs that are of none of these batches, and no compensation."""
        names = {*batches, COMPENSATIONS}
        return {
            connection: sum(mark_of(hit).get("batch") not in names for hit in hits)
            for connection, hits in self._hits.items()
        }

    def of_other_batches(self, connection: str, batches: Iterable[str]) -> dict[str, int]:
        """Return batch -> number of HITs with our annotation that name a batch which is none of these."""
        names = {*batches, COMPENSATIONS}
        marks = (mark_of(hit).get("batch") for hit in self._hits.get(connection, ()))
        return dict(Counter(batch for batch in marks if batch is not None and batch not in names))


@contextmanager
def open_house(path: Path, workforces: Workforces, rules: Rules) -> Iterator[House]:
    """
    Open a batch, and turn what goes wrong inside into one message.

    :raises AirflowException: for a batch file, connection, store or workforce that will not do.
    """
    with open_run(str(path), "_janitor", "mturk") as base:
        with clear_errors(connection=base.live.connections.mturk):
            hits = workforces.hits(base)
        house = House(base, _by_run(base.live.name, hits), rules)
        yield house


def _by_run(batch: str, hits: Iterable[Hit]) -> dict[str, list[Hit]]:
    ours: defaultdict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        mark = mark_of(hit)
        if mark.get("batch") == batch:
            ours[mark["run"]].append(hit)
    return dict(ours)


def mark_of(hit: Hit) -> dict[str, str]:
    """Return the annotation of a HIT of ours as a mapping; empty for a HIT of somebody else."""
    try:
        mark = json.loads(hit.get("RequesterAnnotation", ""))
    except ValueError:
        return {}
    if not isinstance(mark, dict) or mark.keys() - {"item", "item_sha256"} != {"batch", "run"}:
        return {}
    if len(mark) != 3 or not all(isinstance(value, str) for value in mark.values()):
        return {}
    return mark if _RUN_KEY.fullmatch(mark["run"]) else {}  # it becomes part of the names of objects


def item_of(hit: Hit) -> str:
    """Return the item that a HIT's annotation names: its id, or its digest where the id is long."""
    mark = mark_of(hit)
    return mark.get("item") or f"sha256:{mark['item_sha256']}"


def is_open(hit: Hit) -> bool:
    """Return whether workers may still take the HIT or hand it in."""
    return hit["HITStatus"] in _OPEN


def answers_there(hit: Hit) -> tuple[int, int]:
    """Return how many answers a HIT got, and how many of them were approved or rejected."""
    free, held = hit["NumberOfAssignmentsAvailable"], hit["NumberOfAssignmentsPending"]
    return hit["MaxAssignments"] - free - held, hit["NumberOfAssignmentsCompleted"]
