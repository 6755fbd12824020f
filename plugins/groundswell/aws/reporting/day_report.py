"""The tables and the page of one day, from what was collected for it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.months import make_stale
from groundswell.aws.reporting.opening import Reports
from groundswell.errors import ReportError
from groundswell.reports.store import Kind, Overtaken, Published, Record, ReportStore

if TYPE_CHECKING:
    import pandas as pd

    from groundswell.reports.day import DayTables
    from groundswell.reports.problems import Problem
    from groundswell.reports.settings import ReportSettings

#: Days that the charts of a day's report look back.
TREND_DAYS = 28
#: Inputs that are not data: where only they change, nothing came late.
_NO_DATA = frozenset({"earlier days", "names of workers", "settings", "formulas"})
#: How often a day is written for others who write it at the same time.
_TRIES = 10

log = logging.getLogger(__name__)


def write_day(
    reports: Reports,
    inputs: Inputs,
    day: date,
    *,
    provisional: bool,
    kind: Kind | None = None,
    why: str = "",
    anew: bool = False,
) -> Published:
    """
    Compute a day from its inputs where these have changed, and publish it unless it says the same as before.

    Others may write the day or its inputs at the same time. A revision follows the one that was current
    before the inputs were looked at, or none is written; and once it is there, the inputs are looked at
    again. So whoever comes last, the revision that stays is made from the inputs that stay. A day whose
    inputs were removed stays as it is.

    :param provisional: the day is not over yet. A day that was over stays over.
    :param kind: of the revision, where it is not told from the one before.
    :param why: for the history, where it is not told from what changed.
    :param anew: write a revision although nothing has changed.
    :raises AirflowException: others write it all the time; doing it again helps.
    """
    asked: dict[str, Any] = {"kind": kind, "why": why, "anew": anew}

    def write(known: Record | None) -> Published | None:
        digests = digests_of(reports, inputs, day)
        so_far = provisional and (known is None or known["provisional"])
        if known and (known["sealed"] or (not asked["anew"] and _is_of(known, digests, so_far))):
            return Published(known["revision"], False, known)
        published = publish_tables(
            reports,
            day,
            _tables(reports, inputs, day, complete=not so_far),
            provisional=so_far,
            follows=known["revision"] if known else 0,
            more={"inputs": dict(digests), "sources": inputs.states(day)},
            **asked | {"why": asked["why"] or _why(known, digests, provisional=so_far)},
        )
        # What comes after that would be for other reasons
        asked.update(kind=None, why="", anew=False)
        return published if digests_of(reports, inputs, day) == digests else None

    return settled(reports, day, write)


def settled(reports: Reports, day: date, write: Callable[[Record | None], Published | None]) -> Published:
    """
    Write a day until nobody has come in between.

    :param write: is given the record that the next revision follows; returns None to be called again.
    :raises AirflowException: others write the day all the time; doing it again helps.
    """
    for _ in range(_TRIES):
        try:
            published = write(reports.store.heal(day))
        except Overtaken as error:
            log.info("%s", error)
            continue
        if published is not None:
            return published
        log.info("%s: its inputs have changed while it was written; it is looked at again", day)
    raise AirflowException(f"{day} is being written by others all the time; this has to be done again")


def _is_of(known: Record, digests: Mapping[str, str], provisional: bool) -> bool:
    """Return whether a revision was made from these inputs."""
    return bool(known.get("inputs") == digests and known["provisional"] == provisional)


def publish_tables(
    reports: Reports,
    day: date,
    tables: DayTables,
    *,
    provisional: bool,
    why: str = "",
    kind: Kind | None = None,
    sealed: str | None = None,
    anew: bool = False,
    follows: int | None = None,
    without: Sequence[str] = (),
    more: Mapping[str, Any],
) -> Published:
    """
    Write the tables of a day as files, with its HTML report, unless they say the same as before.

    :param without: tables that are not written, though the report shows them.
    :param more: what else the record says. The other arguments are those of
        :meth:`groundswell.reports.store.ReportStore.publish`.
    """
    settings, csv = reports.settings, csv_of(tables)
    more = {"time_zone": settings.time_zone, "anomalies": len(tables.anomalies), **more}
    make_stale(reports, day)
    return reports.store.publish(
        day,
        files_of(tables, csv, settings, lambda: earlier(reports.store, day, TREND_DAYS), without=without),
        digest_of(tables, csv),
        tables.totals,
        provisional=provisional,
        why=why,
        kind=kind,
        sealed=sealed,
        anew=anew,
        follows=follows,
        more=more,
    )


def csv_of(tables: DayTables) -> dict[str, bytes]:
    """Return the tables as CSV, by name."""
    from groundswell.reports import schema
    from groundswell.reports.tables import to_csv

    return {table.name: to_csv(tables.frames()[table.name], table) for table in schema.TABLES}


def files_of(
    tables: DayTables,
    csv: Mapping[str, bytes],
    settings: ReportSettings,
    history: Callable[[], list[tuple[date, pd.DataFrame]]],
    *,
    without: Sequence[str] = (),
) -> Callable[[Record], dict[str, bytes]]:
    """Return a function that makes the files of a revision for its record.

    :param csv: the tables as CSV, by name.
    :param history: gives the workers tables of the days before.
    :param without: tables that are no files.
    """
    from groundswell.reports import schema
    from groundswell.reports.html.render import render_day
    from groundswell.reports.period import Period, without_workers
    from groundswell.reports.tables import to_parquet

    def make(record: Record) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for table in schema.TABLES:
            if table.name in without:
                continue
            files[f"{table.name}.parquet"] = to_parquet(tables.frames()[table.name], table)
            files[f"{table.name}.csv"] = csv[table.name]
        before = [frame for _, frame in history()]
        if not draws_workers(settings, record):
            before = [without_workers(frame) for frame in before]
        trend = Period([*before, tables.workers]) if before else None
        files["report.html"] = render_day(tables, record, trend, settings).encode()
        return files

    return make


def draws_workers(settings: ReportSettings, record: Mapping[str, Any]) -> bool:
    """Return whether the page of a revision tells workers apart on the days before its own.

    It does not where the first of these days may be kept so no longer when that was written.
    """
    written = settings.day_of(datetime.fromisoformat(record["written"]))
    first = date.fromisoformat(record["day"]) - timedelta(days=TREND_DAYS)
    return first >= written - settings.retention.workers


def digest_of(tables: DayTables, csv: Mapping[str, bytes]) -> str:
    """Return a digest of what the tables say, whatever wrote them and in whatever version of Parquet.

    :param csv: the tables as CSV, by name.
    """
    from groundswell.reports import schema

    digest = hashlib.sha256()
    for table in schema.TABLES:
        digest.update(csv[table.name])
        for column in table:
            if column.parquet_only:
                values = tables.frames()[table.name][column.name]
                digest.update(json.dumps([str(value) for value in values]).encode())
    return digest.hexdigest()


def read_tables(store: ReportStore, day: date, record: Record) -> DayTables:
    """Return the tables of a day's current revision.

    :raises ReportError: one of them is gone.
    """
    from groundswell.reports import schema
    from groundswell.reports.day import DayTables

    frames = {table.name: store.table(day, table.name) for table in schema.TABLES}
    return DayTables(**frames, totals=dict(record["totals"]))


def earlier(store: ReportStore, day: date, count: int) -> list[tuple[date, pd.DataFrame]]:
    """Return the workers tables of the days before a day, those that there are, the first one first."""
    found = []
    for number in range(count, 0, -1):
        before = day - timedelta(days=number)
        try:
            found.append((before, store.table(before, "workers")))
        except ReportError:
            continue
    return found


def _tables(reports: Reports, inputs: Inputs, day: date, *, complete: bool) -> DayTables:
    from groundswell.reports.activity_rows import with_task_types
    from groundswell.reports.anomalies import Thresholds
    from groundswell.reports.day import DayInputs, compute

    settings, jobs = reports.settings, inputs.jobs(day)
    activity = with_task_types(inputs.activity(day), jobs)
    workteam, problems = _workteam(settings, inputs, day, activity, jobs)
    return compute(
        DayInputs(
            day=day,
            zone=settings.zone,
            pseudonym=reports.pseudonyms.of,
            activity=activity,
            ledger=inputs.ledger(day),
            workteam=workteam,
            jobs=jobs,
            names=inputs.names() if settings.shows_names else {},
            history=earlier(reports.store, day, settings.anomalies.usual_days),
            problems=[*inputs.problems(day), *problems],
        ),
        thresholds=Thresholds(**settings.anomalies.model_dump()),
        fair_pay=float(settings.fair_pay),
        complete=complete,
    )


def _workteam(
    settings: ReportSettings, inputs: Inputs, day: date, activity: pd.DataFrame, jobs: list[dict[str, Any]]
) -> tuple[pd.DataFrame | None, list[Problem]]:
    """Return the totals of a day by metrics, None where they are not read; and what could not be used."""
    from groundswell.reports.workteam import seen, totals

    if settings.sources.workteam is None:
        return None, []
    teams = {job["job"]: job["team"] for job in jobs if job.get("team")}
    return totals(inputs.workteam(day), day, settings.zone, teams, seen(activity))


def digests_of(reports: Reports, inputs: Inputs, day: date) -> dict[str, str]:
    """Return a digest of all that a day's tables follow from, by what it is called in a history."""
    from groundswell.reports.schema import FORMULAS

    settings, store = reports.settings, reports.store
    before = (day - timedelta(days=number) for number in range(1, settings.anomalies.usual_days + 1))
    records = [store.current(each) for each in before]
    relevant = settings.model_dump(mode="json", include={"time_zone", "names", "fair_pay", "anomalies"})
    return {
        **inputs.digests(day),
        "earlier days": _short([record and record["digest"] for record in records]),
        "names of workers": _short(inputs.names() if settings.shows_names else {}),
        "settings": _short(relevant),
        "formulas": str(FORMULAS),
    }


def _short(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _why(known: Record | None, digests: Mapping[str, str], *, provisional: bool) -> str:
    """Return why there is a revision after ``known`` that was final; "" where it is not for late data."""
    if known is None or known["provisional"] or provisional:
        return ""
    before = known.get("inputs") or {}
    changed = [name for name in digests if digests[name] != before.get(name)]
    data = [name for name in changed if name not in _NO_DATA]
    if data:
        return f"Late data: {', '.join(data)}"
    return f"Changed: {', '.join(changed)}" if changed else "Computed anew"
