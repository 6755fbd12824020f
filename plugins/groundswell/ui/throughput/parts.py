"""The parts of the page: what each template is given. A part that has nothing to say is left empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from groundswell.errors import ReportError
from groundswell.reports.html import formats
from groundswell.reports.settings import ReportSettings
from groundswell.ui.throughput import checks, pictures, queries
from groundswell.ui.throughput.columns import LISTINGS, TOTALS
from groundswell.ui.throughput.filters import PRESETS, SOURCE_LABELS, Span
from groundswell.ui.throughput.listings import Asked, meaning, table
from groundswell.ui.throughput.reading import Reader
from groundswell.ui.throughput.service import Service
from groundswell.ui.throughput.totals import Total, totals

Context = dict[str, Any]

#: Days that are named one by one; of more, how many they are is said.
_FEW = 5


@dataclass(frozen=True)
class View:
    """What an address asks for, and the reports that are there for it.

    :param latest: the day of the latest report, None where there is none
    :param span: the days asked for; None without reports
    """

    asked: Asked
    settings: ReportSettings
    reader: Reader
    today: date
    expected: date
    latest: date | None
    span: Span | None

    @property
    def days_asked(self) -> Span:
        """The days asked for, where there is a report at all."""
        if self.span is None:
            raise ReportError("there is no report yet; run the DAG worker_metrics")
        return self.span

    def rows(self) -> queries.Rows:
        """Return the rows asked for."""
        return queries.rows_of(self.reader, self.days_asked, self.asked.filters)

    def before(self) -> queries.Rows:
        """Return the rows of the range before, with the same filters."""
        return queries.rows_of(self.reader, self.days_asked.before(), self.asked.filters)


def view_of(service: Service, asked: Asked) -> View:
    """Return the view that an address asks for.

    :raises ReportError: the settings cannot be read
    :raises UnreachableError: the store does not answer
    :raises BadFilterError: the days asked for are too many
    """
    settings, reader, today = service.settings(), service.reader(), service.today()
    days = reader.days()
    latest = days[-1] if days else None
    span = None if latest is None else asked.filters.span(latest, today)
    return View(asked, settings, reader, today, service.expected(), latest, span)


def summary(view: View) -> Context:
    """Return what ``summary.html`` shows: the totals, and what is wrong with the days."""
    if view.latest is None or view.span is None:
        settings = view.settings
        return {
            "state": "none",
            "announce": "No reports yet",
            "start": settings.start,
            "catch_up": settings.catch_up,
            "uri": settings.uri,
            "settings_file": settings.file,
        }
    rows = view.rows()
    before = view.before()
    now = measured(view, rows)
    return {
        "state": "nothing" if rows.empty else "ok",
        "announce": _announce(rows, now),
        "choices": rows.choices,
        "stale": view.latest < view.expected,
        "latest_text": formats.day(view.latest, weekday=True),
        "expected_text": formats.day(view.expected, weekday=True),
        "unread": [(formats.day(day), why) for day, why in sorted(rows.unread.items())],
        "range_text": range_text(view.span),
        "range_note": _range_note(view, rows, before),
        "query": view.asked.filters.query(),
        "notes": _notes(rows),
        "totals": _totals(view, rows, before),
        "meanings": {name: meaning(name) for name in TOTALS},
        **_nothing(view, rows),
    }


def _totals(view: View, rows: queries.Rows, before: queries.Rows) -> list[Total]:
    now, then = measured(view, rows), measured(view, before)
    if not now:
        return []
    earlier = then[0] if then and not before.empty else None
    return totals(now[0], earlier, float(view.settings.fair_pay), whole=rows.whole and before.whole)


def _announce(rows: queries.Rows, now: list[queries.Row]) -> str:
    if rows.empty or not now:
        return "No rows for these filters"
    return f"{formats.count(now[0]['submitted'])} tasks submitted, {range_text(rows.days.span)}"


def range_text(span: Span) -> str:
    """``14 to 20 Nov 2026``, or one day with its weekday."""
    if span.days == 1:
        return formats.day(span.first, weekday=True)
    return f"{formats.day(span.first, year=span.first.year != span.last.year)} to {formats.day(span.last)}"


def day_text(day: date) -> str:
    """``Friday, 20 Nov 2026``."""
    return formats.day(day, weekday=True)


def _range_note(view: View, rows: queries.Rows, before: queries.Rows) -> str:
    said = f"{_days_with(rows)} Days in {view.settings.time_zone}."
    if not before.days.records:
        return f"{said} There is no report of the {_length(before.days.span)} before to compare with."
    said = f"{said} Compared with {range_text(before.days.span)}{_of_them(before)}."
    if rows.whole and before.whole:
        return said
    return f"{said} Counts are not compared, as not all days of both are complete."


def _days_with(rows: queries.Rows) -> str:
    there, asked = len(rows.days.records), rows.days.span.days
    if there == asked:
        return "Every day has a report." if asked > 1 else "The day has a report."
    return f"{there} of {_length(rows.days.span)} have a report."


def _of_them(rows: queries.Rows) -> str:
    there, asked = len(rows.days.records), rows.days.span.days
    return "" if there == asked else f" ({there} of {asked} days have a report)"


def _length(span: Span) -> str:
    return "1 day" if span.days == 1 else f"{span.days} days"


def _notes(rows: queries.Rows) -> list[tuple[str, str]]:
    """Return marks on the range: kind of badge, and text."""
    states: dict[str, list[date]] = {"provisional": [], "revised": []}
    for day, record in rows.days.records.items():
        for state, days in states.items():
            if record.get(state):
                days.append(day)
    said = []
    if states["provisional"]:
        said.append(("active", f"Provisional: {_named(states['provisional'])}"))
    if states["revised"]:
        said.append(("warn", f"Revised: {_named(states['revised'])}"))
    if rows.days.missing and rows.days.records:
        said.append(("warn", f"No report: {_named(rows.days.missing)}"))
    if rows.sealed:
        said.append(("", f"Workers no longer told apart: {_named(list(rows.sealed))}"))
    return said


def _named(days: list[date]) -> str:
    if len(days) > _FEW:
        return f"{len(days)} days"
    return ", ".join(formats.day(day, year=False) for day in days)


def _nothing(view: View, rows: queries.Rows) -> Context:
    """Return what to say, and which ways there are, where no row passes."""
    filters = view.asked.filters
    ways = []
    if not rows.days.records:
        title, text = (
            "No report of these days",
            f"The latest report is of {formats.day(view.latest or view.today)}.",
        )
        ways.append((PRESETS["7d"], view.asked.filtered(range="7d", **{"from": "", "to": ""})))
    elif not filters.rows():
        title, text = "No work was recorded", "There are reports of these days, and nobody worked on them."
        ways.append((PRESETS["28d"], view.asked.filtered(range="28d", **{"from": "", "to": ""})))
    else:
        title, text = (
            "Nothing for these filters",
            "The days have reports, but no row in them passes the filters.",
        )
        for field in ("source", "team", "job", "worker"):
            if getattr(filters, field):
                ways.append((f"Every {field}", view.asked.filtered(**{field: ""})))
    return {"nothing_title": title, "nothing_text": text, "ways": ways}


def charts(view: View) -> Context:
    """Return what ``charts.html`` shows."""
    if view.span is None:
        return {"charts": []}
    rows = view.rows()
    return {"charts": [] if rows.empty else drawn(view, rows)}


def drawn(view: View, rows: queries.Rows) -> list[pictures.Chart]:
    """Return the charts of rows; they are kept as long as the rows do not change."""
    fair_pay = float(view.settings.fair_pay)
    key = ("charts", rows.days.key, rows.days.span, tuple(rows.unread), _filter_key(view), fair_pay)
    return view.reader.kept.get(
        key, lambda: pictures.draw(rows, fair_pay), lambda made: 2 * sum(len(chart.html) for chart in made)
    )


def _filter_key(view: View) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(view.asked.filters.rows().items()))


def tables(view: View) -> Context:
    """Return what ``tables.html`` shows."""
    if view.span is None:
        return {"tables": [], "files": {}}
    rows = view.rows()
    if rows.empty:
        return {"tables": [], "files": {}}
    found = {name: measured(view, rows, *listing.keys) for name, listing in LISTINGS.items()}
    found["days"] = [*found["days"], *_idle_days(rows, found["days"])]
    made = [table(listing, found[name], view.asked) for name, listing in LISTINGS.items()]
    return {"tables": made, "files": {str(day): _day(record) for day, record in rows.days.records.items()}}


def _idle_days(rows: queries.Rows, found: list[queries.Row]) -> list[queries.Row]:
    """Return a row for each day whose report says that nothing passes the filters: it is there to be read."""
    known = {str(row["day"]) for row in found} | {str(day) for day in rows.unread}
    nothing = dict.fromkeys(LISTINGS["days"].measures)
    return [{**nothing, "day": str(day)} for day in rows.days.records if str(day) not in known]


def measured(view: View, rows: queries.Rows, *keys: str) -> list[queries.Row]:
    """Return ``rows.by(*keys)``; kept, so that sorting a table or turning a page computes nothing anew."""
    key = ("by", keys, rows.days.span, rows.days.key, tuple(rows.unread), _filter_key(view))
    return view.reader.kept.get(key, lambda: rows.by(*keys), lambda made: 3_000 * len(made))


def _day(record: Mapping[str, Any]) -> Context:
    state, kind = checks.state_of(record)
    number = int(record.get("revision", 1))
    labels = {"report.html": "Report", "workers.csv": "CSV", "workers.parquet": "Parquet"}
    there = record.get("files", ())
    return {
        "state": state if number == 1 else f"{state}, revision {number}",
        "kind": kind,
        "files": [(file, label) for file, label in labels.items() if file in there],
    }


def checks_of(view: View) -> Context:
    """Return what ``checks.html`` shows."""
    if view.span is None:
        return {"shown": False}
    days = view.reader.read(view.span)
    if not days.records:
        return {"shown": False}
    found = {
        name: queries.smaller(view.reader, days, name, view.rows(), view.asked.filters).to_dict("records")
        for name in ("anomalies", "sources", "problems")
    }
    return {
        "shown": True,
        "anomalies": checks.anomalies(found["anomalies"], view.asked),
        "sources": checks.disagreements(found["sources"], view.asked),
        "agreeing": sum(checks.agree(row) for row in found["sources"]),
        "problems": checks.problems(found["problems"]),
        "changed": checks.changed(days.records),
    }


#: The parts by name, in the order of the page.
PARTS: Mapping[str, Callable[[View], Context]] = {
    "summary": summary,
    "charts": charts,
    "tables": tables,
    "checks": checks_of,
}
#: The part that says what is wrong, for all of them.
FIRST = "summary"
#: Labels of the choices of the form.
FORM = {"presets": PRESETS, "source_labels": SOURCE_LABELS}
