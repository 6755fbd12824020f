"""What is made for a view: its rows as CSV, and the report of its days as one HTML file."""

from __future__ import annotations

import re

from groundswell.reports import schema
from groundswell.reports.html import formats
from groundswell.ui.throughput import queries
from groundswell.ui.throughput.filters import SOURCE_LABELS, Filters
from groundswell.ui.throughput.parts import View, range_text

#: What a name of a file has not, and how much of the name of a team or job it has.
_NOT_IN_NAMES, _LONGEST_NAME = re.compile(r"[^A-Za-z0-9.]+"), 40


def rows_csv(view: View) -> tuple[bytes, str]:
    """Return the rows that pass the filters, as the CSV files of the reports write them, and a file name."""
    from groundswell.reports import tables

    frame = schema.WORKERS.empty() if view.span is None else view.rows().period.rows
    columns = list(schema.WORKERS.key)
    ordered = frame.sort_values(columns, kind="stable", ignore_index=True)
    return tables.to_csv(ordered, schema.WORKERS), f"throughput-{_said(view)}.csv"


def period_html(view: View) -> tuple[bytes, str]:
    """Return the report of the range, with the filters in its title, and a file name.

    :raises ReportError: there is no report yet
    """
    from groundswell.reports.html import render

    span, rows, filters = view.days_asked, view.rows(), view.asked.filters
    extra = {
        name: queries.smaller(view.reader, rows.days, name, rows, filters)
        for name in ("anomalies", "sources", "problems")
    }
    html = render.render_period(
        rows.period,
        ", ".join([range_text(span), *_filtered(view)]),
        span.first,
        span.last,
        settings=view.settings,
        records=list(rows.days.records.values()),
        **extra,
    )
    return html.encode("utf-8", "replace"), f"throughput-{_said(view)}.html"


def _filtered(view: View) -> list[str]:
    filters = view.asked.filters
    said = {"team": filters.team, "job": filters.job, "worker": filters.worker}
    words = [SOURCE_LABELS[filters.source]] if filters.source else []
    return [*words, *(f"{name} {formats.clean(value, 60)}" for name, value in said.items() if value)]


def _said(view: View) -> str:
    """Return the days and the filters, so that files of several teams can lie beside each other."""
    filters = view.asked.filters
    days = "none" if view.span is None else f"{view.span.first}-to-{view.span.last}"
    named = (_NOT_IN_NAMES.sub("-", value)[:_LONGEST_NAME].strip("-") for value in _values(filters))
    return "-".join([days, *filter(None, named)])


def _values(filters: Filters) -> tuple[str, ...]:
    return (filters.source, filters.team, filters.job, filters.worker)
