"""The report of a day or of a period as one HTML file: no script, no request, light, dark and print.

Equal arguments give equal bytes, whatever the order of the rows of the tables. All text is untrusted and
escaped; what cannot be encoded or printed is shown as a replacement character.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from groundswell.reports.html import (
    attention,
    charts,
    formats,
    frames,
    money,
    scope,
    sections,
    state,
    tiles,
    wording,
)
from groundswell.reports.html.frames import Row, Tables
from groundswell.reports.html.scope import Scope
from groundswell.reports.html.sections import Section
from groundswell.reports.html.state import Record, State

if TYPE_CHECKING:
    import pandas as pd

    from groundswell.reports.period import Period
    from groundswell.reports.settings import ReportSettings

_SECTIONS: tuple[Callable[[Scope], Section], ...] = (
    sections.by_source,
    sections.by_team,
    sections.by_job,
    sections.by_task_type,
    sections.by_worker,
    money.trends,
    money.pay,
    money.labels,
)


@dataclass(frozen=True)
class _Attention:
    anomalies: Sequence[Row]
    sources: Sequence[Row]
    problems: Sequence[Row]


def render_day(tables: Tables, record: Record, trend: Period | None, settings: ReportSettings) -> str:
    """Return the HTML report of one day.

    :param tables: the tables of the day.
    :param record: the record of the revision, as :class:`groundswell.reports.store.ReportStore` keeps it:
        ``day``, ``revision``, ``provisional``, ``written``, ``history``, ...
    :param trend: the days before, and this one; None where no other is known. Of days that were older than
        the settings keep workers when the revision was written, it shows no worker.
    :param settings: time zone, names, fair pay and more of the deployment.
    """
    day = formats.as_day(record["day"])
    if trend is not None:
        # Days whose own reports no longer tell workers apart: neither do those of later days
        written = settings.day_of(datetime.fromisoformat(record["written"]))
        trend = trend.without_workers(written - settings.retention.workers)
    about = scope.of_day(tables, day, settings, trend)
    look = _Attention(
        frames.rows(tables.anomalies), frames.rows(tables.sources), frames.rows(tables.problems)
    )
    return _page(formats.day(day, weekday=True), about, look, state.of_day(record, day, settings.late_days))


def render_period(
    period: Period,
    title: str,
    first: date,
    last: date,
    *,
    settings: ReportSettings,
    records: Sequence[Record] = (),
    anomalies: pd.DataFrame | None = None,
    sources: pd.DataFrame | None = None,
    problems: pd.DataFrame | None = None,
) -> str:
    """Return the HTML report of several days, both ends included.

    :param period: the rows of these days.
    :param title: such as ``November 2026``.
    :param records: the records of the days that have a report; days without one are named as missing.
    :param anomalies: rows of these days one below the other; sources and problems likewise.
    """
    look = _Attention(frames.rows(anomalies), frames.rows(sources), frames.rows(problems))
    about = scope.of_period(period, first, last, settings, look.anomalies)
    return _page(title, about, look, state.of_period(records, first, last))


def _page(title: str, about: Scope, look: _Attention, where: State) -> str:
    findings = attention.findings(look.anomalies, with_day=not about.one_day)
    troubles = attention.troubles(look.problems)
    compared = attention.compared(look.sources, with_day=not about.one_day)
    parts = [make(about) for make in _SECTIONS]
    if about.idle:
        parts = [part for part in parts if not part.nothing]
    zone = about.settings.time_zone
    named = about.one_day or formats.day(about.last) in title
    days = "" if named else f"{formats.day(about.first)} to {formats.day(about.last)}, "
    usual, totals = about.usual("submitted"), tiles.tiles(about)
    hours = f"{days}from midnight to midnight, time zone {zone}."
    page: Mapping[str, Any] = {
        "title": formats.clean(title),
        "name": formats.clean(about.settings.name),
        "description": formats.clean(about.settings.description),
        "css": charts.css() + _css(),
        "time_zone": hours[0].upper() + hours[1:],
        "state": where,
        "totals_title": "The day in total" if about.one_day else "The period in total",
        "summary": tiles.summary(about, len(findings)) + _silence(about, troubles),
        "tiles": totals,
        "comparison": f"Usual: the median of {usual.words}, with the lowest and the highest of them."
        if usual and totals
        else "",
        "without": tiles.without(about),
        "findings": findings,
        "troubles": troubles,
        "compared": compared,
        "sections": parts,
        "about": _about(about),
        "definitions": wording.definitions(),
        "contents": [
            ("totals", "Totals"),
            ("attention", "Attention" + (f" ({len(findings)})" if findings else "")),
            *((part.id, part.title) for part in parts),
            ("quality", "About these numbers"),
            ("definitions", "Measures"),
        ],
    }
    return _environment().get_template("report.html.j2").render(page=page)


def _silence(about: Scope, troubles: Sequence[attention.Trouble]) -> str:
    if not about.idle:
        return ""
    if troubles:
        return f" {wording.many(len(troubles), 'problem')} with the input may be the reason; see below."
    return " All sources that are read answered, so nobody worked."


def _about(about: Scope) -> list[str]:
    settings = about.settings
    used = [
        wording.source(name)
        for name in ("worker_activity", "workteam", "labeling_jobs")
        if getattr(settings.sources, name)
    ]
    used += [wording.source("cognito")] if settings.sources.cognito else []
    used += [wording.source("ledger")] if settings.sources.batches else []
    names = (
        "Workers are named, as this deployment asks."
        if settings.shows_names
        else "Workers are told apart by pseudonyms; who they are is kept apart from the reports."
    )
    kept = f"{settings.retention.workers.days:,} days"
    return [
        f"Sources that are read: {'; '.join(used)}." if used else "No source is switched on.",
        "An event counts on the day on which it happened in the time zone above, however late it arrived, up "
        f"to {wording.many(settings.late_days, 'day')} late.",
        "A dash means that there is nothing to count or to compute from; it is not zero. Medians over "
        "several days are at most 1% off, as they come from histograms.",
        "Agreement and accuracy compare answers with the consolidated labels, and trust these; they exist "
        "for own runs only. The gold score compares with labels known from elsewhere.",
        f"{names} Tables that tell workers apart are kept for {kept}. A worker who was deleted on request is "
        "counted as forgotten.",
        "The same numbers, and all rows, are beside this report as Parquet and CSV: workers, summary, "
        "sources, anomalies and problems.",
    ]


@functools.cache
def _css() -> str:
    return Path(__file__).with_name("report.css").read_text("utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )
    environment.filters["count"] = formats.count
    environment.filters["severity"] = lambda name: name if name in wording.SEVERITIES else "notice"
    return environment
