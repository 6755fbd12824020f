"""collect_…: read the sources, and keep what they say of the days of a run.

A source that is not there is recorded, and the others go on; wrong credentials are errors. How a source went
is kept with each day: ``read``; ``absent``: it has nothing; ``off``: the settings leave it out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from groundswell.aws.reporting.damage import DamagedInput
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.opening import Reports
from groundswell.aws.reporting.window import Window
from groundswell.aws.reporting.writing import announced
from groundswell.reports import schema
from groundswell.reports.problems import Problem

if TYPE_CHECKING:
    import pandas as pd

    from groundswell.batches.model import Batch
    from groundswell.reports.workteam import Point


READ, ABSENT, OFF = "read", "absent", "off"
#: Problems that say of a source that it is not there.
_NO_SOURCE = frozenset({"no log group"})

Result = dict[str, Any]
Row = Mapping[str, Any]
Entries = Sequence[Mapping[str, Any]]

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


def _reading(
    step: Callable[Concatenate[Reports, Inputs, P], R],
) -> Callable[Concatenate[Reports, P], R]:
    """Let a step read a source, from its beginning to its end."""

    @wraps(step)
    def call(reports: Reports, /, *args: P.args, **kwargs: P.kwargs) -> R:
        inputs = Inputs.reading(reports)
        result = step(reports, inputs, *args, **kwargs)
        inputs.end()
        return result

    return call


@announced
@_reading
def collect_activity(reports: Reports, inputs: Inputs, entries: Entries) -> Result:
    """Keep the events of private workers that are new; return how many, by day."""
    from groundswell.aws.hooks.cloudwatch import CloudWatchLogsHook
    from groundswell.aws.reporting import activity
    from groundswell.reports.activity import SOURCE

    settings, window = reports.settings, Window.of(entries).due
    if settings.sources.worker_activity is None or not window.days:
        return _switched_off(inputs, window, SOURCE)
    hook = CloudWatchLogsHook(aws_conn_id=settings.connections.aws)
    log_group = settings.sources.worker_activity.log_group
    # Events come in late, so those of a day may be in the log on the days after it
    until = min(window.last + timedelta(days=settings.late_days), settings.day_of(window.now))
    last = max(window.last, until)
    found: dict[date, list[pd.DataFrame]] = {day: [] for day in window.days}
    late: dict[date, list[pd.DataFrame]] = {}
    problems: list[Problem] = []
    for block in activity.pull(
        hook, log_group, window.first, last, settings.zone, late_days=settings.late_days
    ):
        problems += block.problems
        for came, rows in block.late.items():
            late.setdefault(came, []).append(rows)
        for day, rows in _by_day(block.rows, settings.zone).items():
            if day in found:
                found[day].append(rows)
    new = {day: inputs.add_activity(day, _together(frames)) for day, frames in found.items() if frames}
    problems += _too_late(reports, {came: _together(late[came]) for came in window.days if came in late})
    # Where the log has nothing any more of a day whose events are damaged, what was known of it stays
    silent = _readable((day for day in window.days if day not in new), inputs.activity)
    _keep_source(inputs, [day for day in window.days if day in new or day in silent], SOURCE, problems)
    log.info("%d new events of private workers", sum(new.values()))
    return {"new": {day.isoformat(): count for day, count in new.items() if count}}


@announced
@_reading
def collect_workteam(reports: Reports, inputs: Inputs, entries: Entries) -> Result:
    """Keep the metrics per team and worker."""
    from groundswell.aws.hooks.cloudwatch import CloudWatchHook
    from groundswell.aws.reporting import workteam
    from groundswell.reports.workteam import SOURCE, seen

    settings, window = reports.settings, Window.of(entries).due
    source = settings.sources.workteam
    if source is None or not window.days:
        for day in window.days:
            inputs.put_workteam(day, ())
        return _switched_off(inputs, window, SOURCE)
    before = _readable(window.days, inputs.workteam)
    events = _readable(window.days, lambda day: seen(inputs.activity(day)))
    pulled = workteam.pull(
        CloudWatchHook(aws_conn_id=settings.connections.aws),
        source.namespace,
        window.first,
        window.last,
        settings.zone,
        events={day: events.get(day, set()) for day in window.days},
        now=window.now,
    )
    count = 0
    for day in window.days:
        points, problems = pulled[day]
        known = before.get(day, [])
        if day not in events or (day not in before and not points):
            log.warning("%s: its metrics stay as they are: something that was kept is damaged", day)
            continue
        if not points and known:
            # CloudWatch keeps metrics for a while only; what it said then is not taken back
            log.info("%s: CloudWatch has no metrics any more; those read before stay", day)
            points, problems = known, []
        elif any(problem.kind == workteam.NOT_ANSWERED for problem in problems):
            # A reading that broke off takes nothing back either
            points = [*_unread(known, points), *points]
        inputs.put_workteam(day, points)
        inputs.put_source(day, SOURCE, READ if points else ABSENT, problems)
        count += len(points)
    return {"points": count}


@announced
@_reading
def collect_jobs(reports: Reports, inputs: Inputs, entries: Entries) -> Result:
    """Keep what labeling jobs did, by people and by the machine."""
    from groundswell.aws.hooks.cloudwatch import CloudWatchHook
    from groundswell.aws.hooks.ground_truth import GroundTruthHook
    from groundswell.aws.reporting import jobs
    from groundswell.reports.workteam import seen

    settings, window = reports.settings, Window.of(entries).due
    source = settings.sources.labeling_jobs
    if source is None or not window.days:
        for day in window.days:
            inputs.put_jobs(day, ())
        return _switched_off(inputs, window, jobs.SOURCE)
    before = _readable(window.days, inputs.jobs)
    events = _readable(window.days, lambda day: seen(inputs.activity(day)))
    pulled = jobs.pull(
        GroundTruthHook(aws_conn_id=settings.connections.aws),
        CloudWatchHook(aws_conn_id=settings.connections.aws),
        source.namespace,
        window.first,
        window.last,
        settings.zone,
        events={day: events.get(day, set()) for day in window.days},
        now=window.now,
    )
    count = 0
    for day in window.days:
        rows, problems = pulled[day]
        if day not in events or (day not in before and not rows):
            log.warning("%s: its jobs stay as they are: something that was kept is damaged", day)
            continue
        inputs.put_jobs(day, _with_known_counts(rows, before.get(day, ())))
        inputs.put_source(day, jobs.SOURCE, READ if rows else ABSENT, problems)
        count += len(rows)
    return {"jobs": count}


@announced
@_reading
def collect_ledgers(reports: Reports, inputs: Inputs, entries: Entries, *, last_try: bool = False) -> Result:
    """Keep what the ledgers of the batches say of their assignments.

    For days that only changed runs add to the window, only what these runs say is replaced. In any case what
    was known of runs that cannot be read now stays. Nobody tries again after the ``last_try``: then a batch
    whose store does not answer is a problem of the days, and the others are read.
    """
    from groundswell.aws.reporting import ledgers
    from groundswell.aws.reporting.looking import batches_of
    from groundswell.aws.reporting.marks import Marks

    settings, window = reports.settings, Window.of(entries)
    folder, marks = settings.sources.batches, Marks(reports.private)
    there = folder is not None and folder.is_dir()
    batches, problems = batches_of(folder) if folder is not None and there else ([], [])
    if folder is not None and not there:
        problems = [Problem("no batch files", 1, folder.name, _NO_FOLDER, _LEDGER)]
    count = 0
    whole: list[list[tuple[Batch, set[str]]]] = []
    failed: list[tuple[Batch, set[str] | None]] = []
    for days, changed_only in _blocks(window):
        pulled = ledgers.pull(
            batches, days, settings.zone, marks=marks.of, changed_only=changed_only, last_try=last_try
        )
        whole.append(pulled.whole)
        failed += pulled.failed
        for day in days:
            before = _readable([day], inputs.ledger).get(day)
            if before is None and folder is not None:
                again = ledgers.pull(batches, [day], settings.zone, marks=marks.of, last_try=last_try)
                if problems or again.failed or not there:
                    log.warning("%s: what was kept of the ledgers is damaged, and not all can be read", day)
                    continue
                pulled.rows[day], before = again.rows[day], schema.ACTIVITY.empty()
            rows = schema.ACTIVITY.empty() if folder is None else pulled.with_known(day, before)
            of_day = [*problems, *pulled.problems]
            if changed_only:
                of_day = pulled.still(inputs.problems(day), of_day)
            inputs.put_ledger(day, rows)
            of_day += ledgers.backwards(day, rows)
            inputs.put_source(day, _LEDGER, READ if there else OFF if folder is None else ABSENT, of_day)
            count += len(rows)
    for batch, run_ids in _in_all(whole):
        marks.read(batch, window.now.isoformat(), run_ids)
    for batch, unread in failed:
        marks.failed(batch, unread)
    return {"rows": count}


@announced
@_reading
def collect_names(reports: Reports, inputs: Inputs, entries: Entries) -> Result:
    """Look the workers of the days up in their Cognito pools; keep their names where the settings show them.

    Where names are not shown, it is only counted who is no longer there.
    """
    from groundswell.aws.hooks.cognito import CognitoHook
    from groundswell.aws.reporting import directory

    settings, window = reports.settings, Window.of(entries).due
    if not settings.shows_names and inputs.drop_names():
        log.info("Names are not shown any more; those that were kept are removed")
    if not settings.sources.cognito or not window.days:
        return _switched_off(inputs, window, directory.SOURCE)
    by_day = _readable(window.days, inputs.pools)
    hook = CognitoHook(aws_conn_id=settings.connections.aws)
    names: dict[str, str] = {}
    missing: dict[str, Problem] = {}
    for pool in sorted({pool for pools in by_day.values() for pool in pools}):
        wanted = set().union(*(pools.get(pool, set()) for pools in by_day.values()))
        found, problems = directory.pull(hook, {pool: wanted})
        names |= {worker: entry["name"] for worker, entry in found.items()}
        missing |= dict.fromkeys((pool,), problems[0]) if problems else {}
    for day, pools in by_day.items():
        # A window's problem is each day's with that day's workers: so a day says the same in every run
        problems = [
            replace(problem, count=len(pools[pool] - names.keys()), day=day)
            for pool, problem in missing.items()
            if pools.get(pool, set()) - names.keys()
        ]
        inputs.put_source(day, directory.SOURCE, READ if pools else ABSENT, problems)
    if settings.shows_names:
        inputs.put_names(names, window.last)
    return {"found": len(names)}


_LEDGER = "ledger"
_NO_FOLDER = "There is no such folder of batch files; correct sources.batches in the settings file."
#: Days that are read from the ledgers at once: memory holds the answers of so many.
_BLOCK = 31


def _blocks(window: Window) -> Iterator[tuple[list[date], bool]]:
    """Yield some days at a time, and whether only runs that have changed are to be read for them."""
    for some, changed_only in ((window.due.days, False), (sorted(window.extra), True)):
        for start in range(0, len(some), _BLOCK):
            yield list(some[start : start + _BLOCK]), changed_only


def _in_all(some: Iterable[Iterable[tuple[Batch, set[str]]]]) -> Iterable[tuple[Batch, set[str]]]:
    """Return the batches that are in all of some lists, each with the runs that it has in all of them."""
    found: dict[tuple[str, str], tuple[Batch, set[str]]] | None = None
    for pairs in some:
        now = {(batch.state, batch.name): (batch, run_ids) for batch, run_ids in pairs}
        if found is not None:
            now = {key: (batch, ids & found[key][1]) for key, (batch, ids) in now.items() if key in found}
        found = now
    return (found or {}).values()


def _readable(some: Iterable[date], read: Callable[[date], R]) -> dict[date, R]:
    """Return what is known of some days, without those of which it is damaged: their reports say so."""
    found = {}
    for day in some:
        try:
            found[day] = read(day)
        except DamagedInput as error:
            log.warning("%s", error)
    return found


def _too_late(reports: Reports, late: Mapping[date, pd.DataFrame]) -> list[Problem]:
    """Return what came in when its day was written no more, by the day on which it came.

    Whether an earlier run was still in time for it depends on the hour: what is known is in a report. Of days
    whose inputs were removed that cannot be told any more.
    """
    from groundswell.reports.activity import too_late

    inputs, problems = Inputs.of(reports), []
    for came, rows in late.items():
        of_days = _by_day(rows, reports.settings.zone)
        left = [day for day in of_days if not (reports.store.current(day) or {}).get("sealed")]
        new = _readable(left, partial(_count_new, inputs, of_days))
        count = sum(new.values())
        if count:
            problems.append(too_late(count, f"an event of {min(left)}", came))
    return problems


def _count_new(inputs: Inputs, of_days: Mapping[date, pd.DataFrame], day: date) -> int:
    return inputs.count_new(day, of_days[day])


def _switched_off(inputs: Inputs, window: Window, source: str) -> Result:
    for day in window.days:
        inputs.put_source(day, source, OFF)
    log.info("%s is left out by the settings" if window.days else "%s: no day is due", source)
    return {}


def _unread(before: Sequence[Point], now: Sequence[Point]) -> list[Point]:
    """Return the values of earlier that are not there now."""

    def key(point: Point) -> tuple[Any, ...]:
        return point["metric"], tuple(sorted(point["dimensions"].items())), point["at"], point["period"]

    there = set(map(key, now))
    return [point for point in before if key(point) not in there]


def _keep_source(inputs: Inputs, some: Iterable[date], source: str, problems: Sequence[Problem]) -> None:
    """Keep each problem with its day; that a source is not there is true of every day."""
    nothing = [problem for problem in problems if problem.kind in _NO_SOURCE]
    for day in some:
        of_day = [problem for problem in problems if problem.day == day and problem not in nothing]
        inputs.put_source(day, source, ABSENT if nothing else READ, of_day + nothing)


def _by_day(rows: pd.DataFrame, zone: Any) -> dict[date, pd.DataFrame]:
    days_of = rows["at"].dt.tz_convert(zone).dt.date
    return {day: some for day, some in rows.groupby(days_of, sort=False)}


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _with_known_counts(rows: Sequence[Row], before: Iterable[Row]) -> list[Row]:
    """Return what is known of jobs; a count that cannot be read any more stays as it was."""
    known = {row["job"]: row for row in before}
    return [
        {name: known.get(row["job"], {}).get(name) if value is None else value for name, value in row.items()}
        for row in rows
    ]
