"""The ledgers of batches: when workers took and handed in every assignment, what came of it and what it cost.

A run is read only if it can have something to say about the days that are asked for: see
:mod:`groundswell.aws.reporting.marks`. Memory is in proportion to the answers to the items that were worked
on in these days. Nothing is written where the ledgers are.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException

from groundswell.aws import runs, snapshot
from groundswell.aws.reporting.marks import Mark
from groundswell.aws.reporting.run_rows import Columns, RunAnswers, Times
from groundswell.batches.model import Batch
from groundswell.errors import BatchError, GroundswellError
from groundswell.ledger import Ledger, PartStore
from groundswell.reports.days import bounds
from groundswell.reports.problems import Problem, masked, merged

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "ledger"

#: What no later attempt heals: the rest of the report is made without it.
LASTING = (GroundswellError, AirflowFailException, AirflowNotFoundException)
#: What keeps a batch from being read as well: on the last try of a task it holds up the others no longer.
_UNANSWERED = (AirflowException, OSError)
_FIX_LEDGER = (
    "Its answers are missing in the report, or are those that were read before; do what the message says, "
    "then run the report again."
)
_FIX_BATCH = "Its rewards are taken from the batch file as it is now; write that in the present form."
_FIX_TWICE = "Its runs are counted once; give each batch its own name and state."
_BACKWARDS = "handed in before it was accepted"
_FIX_CLOCKS = "The time on the task is taken as not known; compare the clocks of the workforce's servers."

_UNREADABLE, _OLD = "unreadable ledger", "old batch file of a run"

#: What is known of the runs of a batch, by run id.
MarksOf = Callable[[Batch], Mapping[str, Mark]]

log = logging.getLogger(__name__)


@dataclass
class Pulled:
    """What the ledgers say of some days.

    Attributes:
        rows: ``schema.ACTIVITY`` by day (every day is there), rows in an order that does not vary.
        problems: what was wrong.
        listed: names of the batches whose runs are all known.
        read: (batch name, run id) of the runs whose rows are all there.
        skipped: of those that were not read, though they may have more to say: damaged, or unchanged.
        whole: each batch with the ids of those runs whose ledgers could be read as far as that was asked for.
        failed: each batch with the ids of the runs that could not be read; None for all its runs.
    """

    rows: dict[date, pd.DataFrame] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    read: set[tuple[str, str]] = field(default_factory=set)
    skipped: set[tuple[str, str]] = field(default_factory=set)
    whole: list[tuple[Batch, set[str]]] = field(default_factory=list)
    failed: list[tuple[Batch, set[str] | None]] = field(default_factory=list)

    def with_known(self, day: date, before: pd.DataFrame) -> pd.DataFrame:
        """
        Return the rows of a day together with those from before of the runs that were not read.

        What a ledger has told once is not taken back because it cannot be read now, or its batch file is
        broken or gone. What is not in a batch's ledgers any more goes.

        :param before: ``schema.ACTIVITY``, what the ledgers said of the day.
        """
        import pandas as pd

        runs_before = list(zip(before["job"], before["run"], strict=True))
        stays = [
            key not in self.read and (key in self.skipped or key[0] not in self.listed) for key in runs_before
        ]
        if not any(stays) or not len(self.rows[day]):
            return before[stays] if any(stays) else self.rows[day]
        return pd.concat([self.rows[day], before[stays]], ignore_index=True)

    def still(self, before: Iterable[Problem], now: Iterable[Problem]) -> list[Problem]:
        """
        Return the problems of earlier that are there still: those that are new say nothing of an old day.

        What was wrong with a run is so until all runs of its batch are read.

        :param before: the problems of a day, of which only those of the ledgers count.
        :param now: those of the ledgers as they are now.
        """
        present = {(problem.kind, problem.example): problem for problem in now}
        unread = tuple(f"{batch}: " for batch, _ in self.skipped)
        found = []
        for problem in before:
            known = present.get((problem.kind, problem.example))
            if known is None and problem.kind in {_UNREADABLE, _OLD} and problem.example.startswith(unread):
                known = problem
            if known is not None and problem.source == SOURCE:
                found.append(known)
        return found


def pull(
    batches: Iterable[Batch],
    some: Iterable[date],
    zone: ZoneInfo,
    *,
    marks: MarksOf | None = None,
    changed_only: bool = False,
    last_try: bool = False,
) -> Pulled:
    """
    Return what all runs of the batches say of some days.

    An assignment gives a row of kind accepted at its AcceptTime and one of kind submitted at its SubmitTime;
    the columns of ledgers are known of the latter. A ledger that is damaged, or of which the bucket or
    connection is wrong, is a problem. What may heal by itself (a store that does not answer) is raised, so
    that no report is made without it by chance; on the last try it is a problem, too.

    :param batches: the batches of a folder.
    :param some: the days; those between them are not read.
    :param zone: the time zone of the days.
    :param marks: what is known of the runs; one of which nothing is known is read.
    :param changed_only: leave out the runs that are reported to the end.
    :param last_try: whether nobody tries again.
    """
    asked = _Asked(sorted(set(some)), zone, marks or (lambda batch: {}), changed_only, passed_over(last_try))
    each = list(batches)
    for batch in distinct(each):
        try:
            _read_batch(asked, batch)
        except asked.passed_over as error:
            asked.add_problem("unreadable ledgers", f"{batch.name}: {error}", _FIX_LEDGER)
            asked.found.failed.append((batch, None))
    for name, count in Counter((batch.state, batch.name) for batch in each).items():
        if count > 1:
            asked.add_problem("two batch files of one name", name[1], _FIX_TWICE)
    found = asked.found
    found.rows = {day: asked.columns[day].frame() for day in asked.days}
    found.problems = merged(found.problems)
    return found


def passed_over(last_try: bool) -> tuple[type[Exception], ...]:
    """Return the exceptions for which a batch or run is left out, and the others go on."""
    return (*LASTING, *_UNANSWERED) if last_try else LASTING


def distinct(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches, of those that would have the same ledgers only the first."""
    seen: set[tuple[str, str]] = set()
    for batch in batches:
        if (batch.state, batch.name) not in seen:
            seen.add((batch.state, batch.name))
            yield batch


def open_store(batch: Batch) -> PartStore:
    """Return the store of a batch's ledgers. Raises AirflowNotFoundException for an unknown connection."""
    BaseHook.get_connection(batch.connections.aws)  # the machine's own credentials would be tried
    return runs.part_store(batch.state, S3Hook(aws_conn_id=batch.connections.aws))


def backwards(day: date, rows: pd.DataFrame) -> list[Problem]:
    """Return the problem that answers of a day were handed in before they were accepted.

    :param rows: all rows of the ledgers of that day, ``schema.ACTIVITY``.
    """
    wrong = rows[(rows["kind"] == "submitted") & rows["accepted_at"].notna() & rows["seconds"].isna()]
    if not len(wrong):
        return []
    example = masked(min(wrong["job"] + ": " + wrong["task"]))
    return [Problem(_BACKWARDS, len(wrong), example, _FIX_CLOCKS, SOURCE, day)]


@dataclass
class _Asked:
    """The days that are asked for, and what was found."""

    days: list[date]
    zone: ZoneInfo
    marks: MarksOf
    changed_only: bool
    passed_over: tuple[type[Exception], ...]
    columns: dict[date, Columns] = field(default_factory=lambda: defaultdict(Columns))
    found: Pulled = field(default_factory=Pulled)

    def __post_init__(self) -> None:
        self.times = Times(bounds(day, day, self.zone) for day in self.days)

    def add_problem(self, kind: str, example: str, what_to_do: str) -> None:
        """Add a problem of all days."""
        log.warning("%s: %s", kind, example)
        self.found.problems.append(Problem(kind, 1, masked(example), what_to_do, SOURCE))


def _read_batch(asked: _Asked, batch: Batch) -> None:
    store, marks, found = open_store(batch), asked.marks(batch), asked.found
    bonuses: dict[str, tuple[int, int]] | None = None
    whole: set[str] = set()
    for run_id in runs.all_runs(store, batch.name):
        mark, ledger = marks.get(run_id), Ledger(store, batch.name, run_id)
        if mark is not None and asked.changed_only and mark.left is None:
            found.skipped.add((batch.name, run_id))
            continue
        if mark is None or any(mark.touches(*span) for span in asked.times):
            try:
                bonuses = _compensations(store, batch.name) if bonuses is None else bonuses
                _read_run(asked, batch, ledger, bonuses)
            except asked.passed_over as error:
                asked.add_problem(_UNREADABLE, f"{batch.name}: {error}", _FIX_LEDGER)
                found.skipped.add((batch.name, run_id))
                found.failed.append((batch, {run_id}))
                continue
        found.read.add((batch.name, run_id))
        whole.add(run_id)
    found.listed.add(batch.name)
    found.whole.append((batch, whole))


def _read_run(asked: _Asked, batch: Batch, ledger: Ledger, bonuses: Mapping[str, tuple[int, int]]) -> None:
    answers = RunAnswers(ledger, asked.times, bonuses)
    if not answers.items:
        return
    answers.read()
    at_first = _at_first(asked, batch, ledger)
    for at, row in answers.rows(batch, at_first.task.reward_cents):
        asked.columns[at.astimezone(asked.zone).date()].add(row)


def _at_first(asked: _Asked, batch: Batch, ledger: Ledger) -> Batch:
    """Return the batch as the run began with it: that is what it paid."""
    try:
        return snapshot.options_of(ledger, batch) or batch
    except BatchError as error:
        asked.add_problem(_OLD, f"{batch.name}: {error}", _FIX_BATCH)
        return batch


def _compensations(store: PartStore, batch: str) -> dict[str, tuple[int, int]]:
    """Return assignment -> (cents, fee in cents) of bonuses that were paid outside the runs."""
    found: dict[str, tuple[int, int]] = {}
    for case in store.folders(f"{runs.COMPENSATIONS}/{batch}/"):
        state = Ledger(store, runs.COMPENSATIONS, f"{batch}/{case}").fold("bonuses")
        for row in state.bonuses.values():
            cents, fee = found.get(row["assignment"], (0, 0))
            found[row["assignment"]] = (cents + int(row["cents"]), fee + int(row["fee_cents"]))
    return found
