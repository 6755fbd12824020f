"""The sections by team, job, kind of task and worker, and the course over days and weeks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from groundswell.reports.html import charts, formats, frames, tabling, wording
from groundswell.reports.html.charts import Bar, Point
from groundswell.reports.html.frames import Row, text
from groundswell.reports.html.scope import Scope
from groundswell.reports.html.tabling import Table, measured

MOST_BARS = 10
MOST_NAMED = 12
_NOT_NAMED = "Not named"
_DOTS = "each dot is a worker; large ones are to look at, named where there is room"


@dataclass(frozen=True)
class Section:
    """A section for the template: charts are safe HTML.

    :param intro: plain sentences.
    :param nothing: said instead of everything where there is nothing.
    """

    id: str
    title: str
    intro: Sequence[str] = ()
    charts: Sequence[str] = ()
    tables: Sequence[Table] = ()
    nothing: str = ""
    notes: Sequence[str] = field(default_factory=tuple)


def by_source(scope: Scope) -> Section:
    """Private teams and own runs side by side."""
    found = frames.biggest(scope.rows_by("source"), "submitted", "source")
    if len(found) < 2:
        only = wording.source(text(found[0], "source")) if found else ""
        said = f"All work is from one source: {only}." if found else "No source recorded any work."
        return Section("sources", "Private and public", nothing=said)
    table = measured(
        found,
        (*tabling.TASKS, *tabling.TIME, *tabling.QUALITY, *tabling.COST),
        caption="Work by source",
        stub="Source",
        key="source",
        label={text(row, "source"): wording.source(text(row, "source")) for row in found},
        sparks=scope.sparks("source"),
        spark="Per day",
    )
    return Section("sources", "Private and public", tables=[table])


def by_team(scope: Scope) -> Section:
    """Work by team: bars, accuracy, and all measures."""
    found = frames.biggest(scope.rows_by("team"), "submitted", "team")
    if not found:
        return Section("teams", "By team", nothing="No team did any work.")
    table = measured(
        found,
        (*tabling.TASKS, *tabling.TIME, *tabling.QUALITY, *tabling.PAY),
        caption="Work by team",
        stub="Team",
        key="team",
        label=_labels(found, "team"),
        remarks=_remarks(scope, "team", "source"),
        sparks=scope.sparks("team"),
        spark="Per day",
        noun="teams",
    )
    drawn = [_submitted(found, "team", "Submitted by team"), _quality(found, "team")]
    return Section("teams", "By team", charts=_drawn(drawn), tables=[table])


def by_job(scope: Scope) -> Section:
    """Work by labeling job or batch."""
    found = frames.biggest(scope.rows_by("job"), "submitted", "job")
    if not found:
        return Section("jobs", "By job", nothing="No job got any work.")
    table = measured(
        found,
        (*tabling.TASKS, *tabling.TIME, *tabling.QUALITY, *tabling.COST),
        caption="Work by job",
        stub="Job or batch",
        key="job",
        label=_labels(found, "job"),
        remarks=_remarks(scope, "job", "team"),
        sparks=scope.sparks("job"),
        spark="Per day",
        noun="jobs",
    )
    drawn = [
        _submitted(found, "job", "Submitted by job"),
        _times(found, "job", "Median time per task by job"),
    ]
    return Section("jobs", "By job", charts=_drawn(drawn), tables=[table])


def by_task_type(scope: Scope) -> Section:
    """Work by what is asked."""
    found = frames.biggest(scope.rows_by("task_type"), "submitted", "task_type")
    if not found:
        return Section("task-types", "By task type", nothing="No task was worked on.")
    table = measured(
        found,
        (*tabling.TASKS, *tabling.TIME, *tabling.QUALITY, *tabling.COST),
        caption="Work by task type",
        stub="Task type",
        key="task_type",
        label=_labels(found, "task_type"),
        noun="task types",
    )
    return Section("task-types", "By task type", tables=[table])


def by_worker(scope: Scope) -> Section:
    """Speed against quality and amount, and one row per worker."""
    found = scope.workers
    if not found:
        gone = frames.number(scope.total, "submitted")
        said = "Rows that tell workers apart were removed." if gone else "No worker was seen."
        return Section("workers", "By worker", nothing=said)
    shown = _names(found, scope)
    teams = _remarks(scope, "worker", "team")
    table = measured(
        found,
        (*tabling.TASKS, *tabling.TIME, *tabling.QUALITY, "rejected", *tabling.PAY),
        caption="Work by worker, most submitted tasks first",
        stub="Worker",
        key="worker",
        label=shown,
        remarks=teams,
        flags=scope.flags,
        sparks=scope.sparks("worker"),
        spark="Per day",
        noun="workers",
        file="workers.csv",
    )
    intro = [
        "Workers are shown by name."
        if scope.settings.shows_names
        else "Workers are shown by pseudonyms, which stay the same from day to day."
    ]
    return Section(
        "workers", "By worker", intro=intro, charts=_drawn(_scatters(scope, shown)), tables=[table]
    )


def _scatters(scope: Scope, shown: Mapping[str, str]) -> list[str]:
    found, drawn = scope.workers, []
    if len(found) < 3:
        return []
    quality = max(("accuracy", "agreement"), key=lambda name: _known(found, name))
    if _known(found, quality) >= 3:
        points = _points(scope, shown, quality)
        beside = len(found) - len([point for point in points if point.x is not None and point.y is not None])
        unit = _DOTS
        unit += f"; {wording.many(beside, 'worker')} without {quality} left out" if beside else ""
        drawn.append(
            charts.scatter(
                points,
                title=f"Speed and {quality}",
                unit=unit,
                x_label="median seconds per task",
                y_label=wording.measure(quality).label.lower(),
                table=False,
            )
        )
    if _known(found, "seconds_median") >= 3 and _known(found, quality) < len(found) / 2:
        drawn.append(
            charts.scatter(
                _points(scope, shown, "submitted"),
                title="Speed and amount",
                unit=_DOTS,
                x_label="median seconds per task",
                y_label="submitted tasks",
                y_form=formats.count,
                y_top=None,
                y_zero=True,
                table=False,
            )
        )
    return drawn


def _points(scope: Scope, shown: Mapping[str, str], measure: str) -> list[Point]:
    named = [worker for worker in (text(row, "worker") for row in scope.workers) if worker in scope.flags]
    chosen = set(named[:MOST_NAMED])
    return [
        Point(
            shown.get(text(row, "worker"), text(row, "worker")),
            wording.value("seconds_median", row),
            wording.value(measure, row),
            text(row, "worker") in chosen,
        )
        for row in scope.workers
    ]


def _names(found: Sequence[Row], scope: Scope) -> dict[str, str]:
    if not scope.settings.shows_names:
        return {}
    named = {text(row, "worker"): text(row, "name") for row in found}
    return {worker: f"{name} ({worker})" for worker, name in named.items() if name}


def _known(found: Sequence[Row], measure: str) -> int:
    return sum(wording.value(measure, row) is not None for row in found)


def _labels(found: Sequence[Row], key: str) -> dict[str, str]:
    return {text(row, key): text(row, key) or _NOT_NAMED for row in found}


def _remarks(scope: Scope, key: str, other: str) -> dict[str, str]:
    """Say for each value of a key which values of another it goes with."""
    found = scope.together(key, other)
    name = wording.source if other == "source" else formats.clean
    return {value: wording.listed([name(each) for each in others], 3) for value, others in found.items()}


def _submitted(found: Sequence[Row], key: str, title: str) -> str:
    shown = found[:MOST_BARS]
    unit = "tasks" + (f"; the {len(shown)} largest of {len(found)}" if len(found) > len(shown) else "")
    rows = [Bar(text(row, key) or _NOT_NAMED, wording.value("submitted", row)) for row in shown]
    return charts.bars(rows, title=title, unit=unit, table=False) if len(found) > 1 else ""


def _times(found: Sequence[Row], key: str, title: str) -> str:
    shown = [row for row in found[:MOST_BARS] if wording.value("seconds_median", row) is not None]
    rows = [Bar(text(row, key) or _NOT_NAMED, wording.value("seconds_median", row)) for row in shown]
    return charts.bars(rows, title=title, form=formats.seconds, table=False) if len(rows) > 1 else ""


def _quality(found: Sequence[Row], key: str) -> str:
    shown = [row for row in found if wording.value("accuracy", row) is not None][:MOST_BARS]
    if not shown:
        return _times(found, key, f"Median time per task by {key}")
    rows = [
        Bar(
            text(row, key) or _NOT_NAMED,
            wording.value("accuracy", row),
            low=wording.value("accuracy_low", row),
            high=wording.value("accuracy_high", row),
        )
        for row in shown
    ]
    beside = len(found) - len(shown)
    unit = "with 90% interval" + (f"; {beside} without an estimate" if beside else "")
    return charts.ranges(rows, title=f"Estimated accuracy by {key}", unit=unit, table=False)


def _drawn(found: Sequence[str]) -> list[str]:
    return [chart for chart in found if chart]
