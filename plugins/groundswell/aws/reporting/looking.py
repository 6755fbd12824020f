"""Looking at all runs of the batches: which have changed since the reports wrote their days, and which days.

A run tells that it went on by its ``progress.json``, which every wave of answers and the run's end replace,
and by its ``summary.json``. So a run that has come to its end and does not change any more costs one small
read. Another one that has not changed costs two, and a listing of its objects: a task may have died before it
told of what it wrote. Of a run that has changed, the answers are read, for their times only. Bonuses, and
rejections taken back, that were paid outside the runs count as changes of the run whose answer they are
about; so does what the janitor has repaired, once it counts the parts of that run again.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from groundswell.aws import runs
from groundswell.aws.janitor.report import get_clean
from groundswell.aws.reporting import ledgers
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.marks import Mark, Marks, Standing
from groundswell.aws.reporting.opening import Reports
from groundswell.aws.reporting.run_rows import span_of
from groundswell.aws.reporting.window import Window, plan
from groundswell.batches.model import Batch, batch_files
from groundswell.errors import BatchError, LedgerError
from groundswell.ledger import Ledger, PartStore
from groundswell.ledger.ledger import READERS
from groundswell.reports.days import days
from groundswell.reports.problems import Problem
from groundswell.views.overview import PROGRESS, SUMMARY, updated

#: A rejection that is taken back is paid in the ledger of its run, soon after that was approved: on so many
#: days the run counts as changed.
_PAID_WITHIN_DAYS = 3
_BROKEN = "Its runs are not read; what was known of them stays. Its DAG says what is wrong with the file."

log = logging.getLogger(__name__)


def plan_window(
    reports: Reports,
    params: Mapping[str, Any],
    interval: tuple[datetime, datetime] | None,
    now: datetime,
    *,
    last_try: bool = False,
) -> Window:
    """
    Return the window of a run of the reports, with the days that changed runs of batches touch.

    These are days that have a report: one that was never written, because it is before ``start`` or nobody
    has asked for it, is not begun from the ledgers alone. Nor is one that is not over or provisional (it will
    be due), or whose inputs were removed for their age. A run for days that were asked for adds none.

    See :func:`groundswell.aws.reporting.window.plan` for the other parameters and what is raised.

    :param last_try: see :func:`look`.
    """
    found = look(reports, now, last_try=last_try)
    window = plan(reports.settings, reports.store, params, interval, now, changed=found.days)
    found.begin(window)
    return window


def mark_reported(reports: Reports, entries: Collection[Mapping[str, Any]]) -> int:
    """
    Say that all days of a window were written; return how many runs of batches are reported by it.

    :param entries: the window, as :meth:`groundswell.aws.reporting.window.Window.as_xcom`.
    """
    count = Marks(reports.private).reported(Window.of(list(entries)).now.isoformat())
    if count:
        log.info("%d runs of batches are reported as they were at the beginning", count)
    return count


def batches_of(folder: Path) -> tuple[list[Batch], list[Problem]]:
    """Return the batches of a folder, and which of its files cannot be read."""
    batches, problems = [], []
    for path in batch_files(folder):
        try:
            batches.append(Batch.load(path))
        except BatchError as error:
            log.warning("%s", error)
            problems.append(Problem("broken batch file", 1, path.name, _BROKEN, ledgers.SOURCE))
    return batches, problems


@dataclass(frozen=True)
class Looked:
    """What came of looking at all runs.

    Attributes:
        marks: where it is kept.
        found: each batch with what is known of its runs.
        touched: (batch and run) -> its days that have to be written; only of runs that have some.
    """

    marks: Marks
    found: list[tuple[Batch, dict[str, Mark]]] = field(default_factory=list)
    touched: dict[tuple[int, str], list[date]] = field(default_factory=dict)

    @property
    def days(self) -> set[date]:
        """The days that have to be written."""
        return {day for some in self.touched.values() for day in some}

    def begin(self, window: Window) -> None:
        """Note what will be reported once a window is written."""
        by, there = window.now.isoformat(), set(window.days)
        for number, (batch, marks) in enumerate(self.found):
            begun = {}
            for run_id, mark in marks.items():
                if mark.left is not None:
                    waiting = [day for day in self.touched.get((number, run_id), ()) if day not in there]
                    begun[run_id] = mark.begun(by, max(waiting, default=None))
            self.marks.keep(batch, marks | begun)


def look(reports: Reports, now: datetime, *, last_try: bool = False) -> Looked:
    """
    Look at all runs of the batches; see :class:`Looked`.

    A ledger that is damaged, or of which the bucket or connection is wrong, is passed over: reading it for
    the reports tells the problem. What may heal by itself (a store that does not answer) is raised.

    :param last_try: whether nobody tries again: a batch whose store does not answer is passed over as well,
        and what has changed there is found by the next run that can look.
    """
    looked = Looked(Marks(reports.private))
    folder = reports.settings.sources.batches
    if folder is None or not folder.is_dir():
        return looked
    can_change, zone = _can_change(reports, now), reports.settings.zone
    for batch in ledgers.distinct(batches_of(folder)[0]):
        try:
            marks = _look_at(batch, looked.marks.of(batch), now)
        except ledgers.passed_over(last_try) as error:
            log.warning("%s: its runs cannot be looked at: %s", batch.name, error)
            continue
        for run_id, mark in marks.items():
            if mark.left is None or mark.earliest is None or mark.latest is None:
                continue
            first, last = (moment.astimezone(zone).date() for moment in (mark.earliest, mark.latest))
            some = [day for day in days(first, min(last, mark.left)) if can_change(day)]
            if some:
                looked.touched[len(looked.found), run_id] = some
                log.info("%s, run %s has changed: its %d days are due", batch.name, run_id, len(some))
        looked.found.append((batch, marks))
    return looked


def _can_change(reports: Reports, now: datetime) -> Callable[[date], bool]:
    """Return a function that tells whether a day has a report that more of the ledgers can change."""
    there, today = set(Inputs.of(reports).days()), reports.settings.day_of(now)

    @cache
    def can_change(day: date) -> bool:
        if day >= today or day not in there:
            return False
        record = reports.store.current(day)
        return record is not None and not record["sealed"] and not record["provisional"]

    return can_change


def _look_at(batch: Batch, known: Mapping[str, Mark], now: datetime) -> dict[str, Mark]:
    """Return what is known of the runs of a batch now. A run whose answers cannot be read has no mark."""
    store = ledgers.open_store(batch)
    run_ids = runs.all_runs(store, batch.name)
    beside = _beside(store, batch.name, now)
    ledger_of = {run_id: Ledger(store, batch.name, run_id) for run_id in run_ids}

    def look_at(run_id: str) -> Standing:
        return replace(_standing(ledger_of[run_id], known.get(run_id)), beside=beside.get(run_id, ""))

    with ThreadPoolExecutor(READERS) as readers:
        standings = readers.map(look_at, run_ids)
        found: dict[str, Mark] = {}
        for run_id, standing in zip(run_ids, standings, strict=True):
            mark = known.get(run_id)
            if mark is not None and standing.told and standing == mark.standing:
                found[run_id] = mark.given_up()  # by a run that did not come to its end, maybe
                continue
            try:
                earliest, latest = span_of(ledger_of[run_id])
            except LedgerError as error:
                log.warning("%s", error)
            else:
                # Nothing of it is reported; or there is nothing to report
                left = None if earliest is None else date.max
                found[run_id] = Mark(standing, earliest, latest, left)
    return found


def _standing(ledger: Ledger, known: Mark | None) -> Standing:
    """Return when the documents of a run were written. They are read before the ledger, which is ahead."""
    progress = updated(ledger, PROGRESS)
    if known is not None and known.standing.finished and progress == known.standing.progress:
        return known.standing
    found = Standing(progress, updated(ledger, SUMMARY))
    if not found.told or found.finished:
        return found
    return replace(found, objects=sum(1 for _ in ledger.store.keys(ledger.prefix)))


def _beside(store: PartStore, batch: str, now: datetime) -> dict[str, str]:
    """Return run id -> digest of what was done to it by others than its tasks: compensations and the janitor.

    What the janitor repairs is told by its count of a run's parts, once that is over: one read for all runs.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for case in store.folders(f"{runs.COMPENSATIONS}/{batch}/"):
        ledger = Ledger(store, runs.COMPENSATIONS, f"{batch}/{case}")
        try:
            fixed = next((row for _, row in ledger.rows("intents") if "mode" in row), {})
        except LedgerError as error:
            log.warning("%s", error)
            continue
        if run_id := fixed.get("run_id"):
            paid = list(store.keys(f"{ledger.prefix}bonuses/"))
            found[str(run_id)] += [case, *(paid or [str(_days_since(fixed.get("at"), now))])]
    try:
        counted = get_clean(store, batch)
    except (AttributeError, TypeError, ValueError) as error:
        log.warning("what the janitor found clean of %s is damaged: %r", batch, error)
        counted = {}
    for run_id, parts in counted.items():
        found[run_id].append(str(parts))
    return {run_id: hashlib.sha256(repr(some).encode()).hexdigest()[:16] for run_id, some in found.items()}


def _days_since(at: object, now: datetime) -> int:
    try:
        moment = datetime.fromisoformat(str(at))
    except ValueError:
        return _PAID_WITHIN_DAYS
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(_PAID_WITHIN_DAYS, (now - moment) // timedelta(days=1))
