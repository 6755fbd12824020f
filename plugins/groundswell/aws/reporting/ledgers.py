"""The ledgers of batches: when workers took and handed in every assignment, what came of it and what it cost.

A run is read only if it can have something to say about the days that are asked for: a small document at
``_reports/<batch>/<run id>.json`` in the store of the ledgers remembers from when to when its answers are.
Memory is in proportion to the answers to the items that were worked on in these days.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException

from groundswell.aws import runs, snapshot
from groundswell.aws.reporting.opening import document, put_document
from groundswell.aws.reporting.run_rows import Columns, RunAnswers
from groundswell.batches.model import Batch
from groundswell.errors import BatchError, GroundswellError
from groundswell.ledger import Ledger, PartStore
from groundswell.reports.days import bounds, days
from groundswell.reports.problems import Problem, masked, merged
from groundswell.views.overview import PROGRESS, SUMMARY, updated

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "ledger"

#: What no later attempt heals: the rest of the report is made without it.
_LASTING = (GroundswellError, AirflowFailException, AirflowNotFoundException)
_FIX_LEDGER = "Its answers are missing in the report; do what the message says, then run the report again."
_FIX_BATCH = "Its rewards are taken from the batch file as it is now; write that in the present form."
_FIX_TWICE = "Its runs are counted once; give each batch its own name and state."
_BACKWARDS = "handed in before it was accepted"
_FIX_CLOCKS = "The time on the task is taken as not known; compare the clocks of the workforce's servers."

log = logging.getLogger(__name__)


def pull(
    batches: Iterable[Batch], first: date, last: date, zone: ZoneInfo
) -> tuple[dict[date, pd.DataFrame], list[Problem]]:
    """
    Return the rows of each day from all runs of the batches, and what was wrong.

    An assignment gives a row of kind accepted at its AcceptTime and one of kind submitted at its SubmitTime;
    the columns of ledgers are known of the latter. A ledger that is damaged, or of which the bucket or
    connection is wrong, is a problem; what may heal by itself (a store that does not answer) is raised, so
    that no report is made without it by chance.

    :param batches: the batches of a folder.
    :param first: the first day.
    :param last: the last day.
    :param zone: the time zone of the days.
    :return: ``schema.ACTIVITY`` by day (every day is there), rows in an order that does not vary.
    """
    window = _Window(first, last, zone)
    seen: set[tuple[str, str]] = set()
    for batch in batches:
        if (batch.state, batch.name) in seen:
            window.add_problem("two batch files of one name", batch.name, _FIX_TWICE)
            continue
        seen.add((batch.state, batch.name))
        try:
            _read_batch(window, batch)
        except _LASTING as error:
            window.add_problem("unreadable ledgers", f"{batch.name}: {error}", _FIX_LEDGER)
    return {day: window.columns[day].frame() for day in days(first, last)}, merged(window.problems)


@dataclass
class _Window:
    """The days that are asked for, and what was found."""

    first: date
    last: date
    zone: ZoneInfo
    columns: dict[date, Columns] = field(default_factory=lambda: defaultdict(Columns))
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin, self.end = bounds(self.first, self.last, self.zone)

    def add_problem(self, kind: str, example: str, what_to_do: str, day: date | None = None) -> None:
        """Add a problem of one day, or of all."""
        log.warning("%s: %s", kind, example)
        self.problems.append(Problem(kind, 1, masked(example), what_to_do, SOURCE, day))


def _read_batch(window: _Window, batch: Batch) -> None:
    BaseHook.get_connection(batch.connections.aws)  # unknown, the machine's own credentials would be tried
    store = runs.part_store(batch.state, S3Hook(aws_conn_id=batch.connections.aws))
    bonuses: dict[str, tuple[int, int]] | None = None
    for run_id in runs.all_runs(store, batch.name):
        ledger = Ledger(store, batch.name, run_id)
        try:
            span = _Span.of(ledger)
            if not span.may_touch(window.begin, window.end):
                continue
            bonuses = _compensations(store, batch.name) if bonuses is None else bonuses
            _read_run(window, batch, ledger, bonuses, span)
        except _LASTING as error:
            window.add_problem("unreadable ledger", f"{batch.name}: {error}", _FIX_LEDGER)


def _read_run(
    window: _Window, batch: Batch, ledger: Ledger, bonuses: Mapping[str, tuple[int, int]], span: _Span
) -> None:
    found = RunAnswers(ledger, window.begin, window.end, bonuses)
    if found.items:
        found.read()
        at_first = _at_first(window, batch, ledger)
        for at, row in found.rows(batch, at_first.task.reward_cents):
            day = at.astimezone(window.zone).date()
            window.columns[day].add(row)
            if row["kind"] == "submitted" and row["accepted_at"] and row["seconds"] is None:
                window.add_problem(_BACKWARDS, f"{batch.name}: {row['task']}", _FIX_CLOCKS, day)
    span.keep(found.earliest, found.latest)


def _at_first(window: _Window, batch: Batch, ledger: Ledger) -> Batch:
    """Return the batch as the run began with it: that is what it paid."""
    try:
        return snapshot.options_of(ledger, batch) or batch
    except BatchError as error:
        window.add_problem("old batch file of a run", f"{batch.name}: {error}", _FIX_BATCH)
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


@dataclass(frozen=True)
class _Span:
    """From when to when the answers of a run are, as far as that was found out before."""

    ledger: Ledger
    written: tuple[str | None, str | None]
    earliest: datetime | None
    latest: datetime | None
    known: bool

    @classmethod
    def of(cls, ledger: Ledger) -> _Span:
        """Return what is known of a run. Its documents are looked at first: they change with its answers."""
        written = updated(ledger, PROGRESS), updated(ledger, SUMMARY)
        try:
            found: Any = document(ledger.store, _span_key(ledger))
            same = written != (None, None) and tuple(found["written"]) == written
            earliest, latest = (
                None if found[name] is None else datetime.fromisoformat(found[name])
                for name in ("earliest", "latest")
            )
        except (KeyError, TypeError, ValueError):
            return cls(ledger, written, None, None, False)  # never looked at, or the document is damaged
        return cls(ledger, written, earliest, latest, same)

    def may_touch(self, begin: datetime, end: datetime) -> bool:
        """Return whether the run may have rows from a time to another."""
        if not self.known:
            return True
        if self.earliest is None or self.latest is None:
            return False
        return self.earliest < end and self.latest >= begin

    def keep(self, earliest: datetime | None, latest: datetime | None) -> None:
        """Remember from when to when the answers are."""
        if (self.known, self.earliest, self.latest) == (True, earliest, latest):
            return
        if self.written == (None, None):
            return  # nothing would tell when that is out of date
        body = {
            "written": self.written,
            "earliest": None if earliest is None else earliest.astimezone(UTC).isoformat(),
            "latest": None if latest is None else latest.astimezone(UTC).isoformat(),
        }
        try:
            put_document(self.ledger.store, _span_key(self.ledger), body)
        except (AirflowException, OSError) as error:
            log.warning("%s is read each time: %s", self.ledger.prefix, error)  # may be read, not written


def _span_key(ledger: Ledger) -> str:
    # Batch names start with a letter or digit, so no ledger lives here
    return f"_reports/{ledger.batch}/{ledger.run_id}.json"
