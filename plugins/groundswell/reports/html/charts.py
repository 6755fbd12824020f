"""Charts as inline SVG: drawn with matplotlib, coloured by the page, each with its numbers behind it.

Every function returns one ``<figure class="chart">``: a caption, the SVG with title and description, and the
numbers as a table in ``<details>``. There are no style attributes and no scripts. The page includes
:func:`css` once; it sets ``--chart-<role>`` for light, dark and print (``data-theme`` on the root decides,
else what the reader's system prefers). Equal arguments give equal bytes. Charts take some 5 to 50 ms, after
the first one, which imports matplotlib; several threads may draw.

Those that fill a page hold two drawings, for wide and for narrow screens; the style sheet shows one.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from groundswell.reports.html import drawing, formats
from groundswell.reports.html.drawing import (
    HALF,
    NARROW,
    WIDE,
    Bar,
    Form,
    Mark,
    Point,
    Series,
    Value,
    number,
    said,
)
from groundswell.reports.html.formats import clean, escape
from groundswell.reports.html.svg import Canvas

__all__ = ["Bar", "Mark", "Point", "bars", "columns", "css", "lines", "ranges", "scatter", "spark"]

MOST_SERIES = 6
"""Lines that can be told apart; more are left to the table."""


@functools.cache
def css() -> str:
    """Return the style sheet of charts: colours for light, dark and print, and how a figure is laid out."""
    return Path(__file__).with_name("charts.css").read_text("utf-8")


def bars(
    rows: Sequence[Bar],
    *,
    title: str,
    unit: str = "",
    form: Form = formats.count,
    mark: Mark | None = None,
    top: float | None = None,
    table: bool = True,
) -> str:
    """Draw horizontal bars from zero: label above, value at the right, so that long names fit.

    :param unit: what is counted, for the caption.
    :param form: writes a value for people: a function of :mod:`groundswell.reports.html.formats`.
    :param mark: a value to compare with.
    :param top: the value of a full bar where it is known, such as 1 for shares.
    :param table: put the numbers behind the chart; False where a table stands beside it.
    """
    if not any(row.value is not None for row in rows):
        return _nothing(title, unit)
    numbers = [[row.label, said(row, form)] for row in rows] if table else []
    drawn = drawing.bars(rows, form, mark, top)
    return _figure([drawn], title, unit, _spoken(rows, form, mark), ["", unit or title], numbers)


def ranges(
    rows: Sequence[Bar],
    *,
    title: str,
    unit: str = "",
    form: Form = formats.share,
    mark: Mark | None = None,
    top: float | None = 1.0,
    table: bool = True,
) -> str:
    """Draw estimates as dots on their intervals; the axis is labelled and need not begin at zero.

    Arguments as for :func:`bars`.
    """
    if not any(row.value is not None for row in rows):
        return _nothing(title, unit)
    numbers = [[row.label, said(row, form)] for row in rows] if table else []
    drawn = drawing.ranges(rows, form, mark, top)
    return _figure([drawn], title, unit, _spoken(rows, form, mark), ["", unit or title], numbers)


def columns(
    days: Sequence[date],
    series: Series,
    *,
    title: str,
    unit: str = "",
    form: Form = formats.count,
    usual: Mark | None = None,
    strong: date | None = None,
    wide: bool = False,
    table: bool = True,
    heading: str = "Day",
) -> str:
    """Draw values per day (or week) as columns from zero; several series are stacked, the first below.

    :param series: name -> one value per day; None draws nothing.
    :param usual: a value to compare with.
    :param strong: the day that stands out; the others are drawn quieter (for one series).
    :param wide: fill the page.
    :param heading: what a row of the table is.
    """
    if not _known(series):
        return _nothing(title, unit)
    widths = (WIDE, NARROW) if wide else (HALF,)
    drawn = [drawing.columns(width, days, series, form, usual, strong) for width in widths]
    numbers = _by_day(days, series, form) if table else []
    spoken = _spoken_days(days, series, form, usual)
    return _figure(drawn, title, unit, spoken, [heading, *series], numbers)


def lines(
    days: Sequence[date],
    series: Series,
    *,
    title: str,
    unit: str = "",
    form: Form = formats.count,
    zero: bool = True,
    top: float | None = None,
    mark: Mark | None = None,
    wide: bool = False,
    table: bool = True,
    heading: str = "Day",
) -> str:
    """Draw values over days or weeks as lines named at their ends; without a value the line is broken.

    The first :data:`MOST_SERIES` are drawn and the caption says so; the table has all.

    :param zero: begin the axis at zero.
    :param top: end the axis there.
    """
    if not _known(series):
        return _nothing(title, unit)
    shown = dict(list(series.items())[:MOST_SERIES])
    if len(series) > len(shown):
        unit = f"{unit}{'; ' if unit else ''}{len(shown)} of {len(series)} drawn"
    widths = (WIDE, NARROW) if wide else (HALF,)
    drawn = [drawing.lines(width, days, shown, form, zero, top, mark) for width in widths]
    numbers = _by_day(days, series, form) if table else []
    return _figure(drawn, title, unit, _spoken_days(days, shown, form, mark), [heading, *series], numbers)


def scatter(
    points: Sequence[Point],
    *,
    title: str,
    x_label: str,
    y_label: str,
    unit: str = "",
    x_form: Form = formats.seconds,
    y_form: Form = formats.share,
    x_top: float | None = None,
    y_top: float | None = 1.0,
    y_zero: bool = False,
    table: bool = True,
) -> str:
    """Draw two measures against each other, a dot each, across the page; some are named beside their dot.

    :param y_zero: begin the upright axis at zero; the other one does in any case.
    """
    known = [point for point in points if point.x is not None and point.y is not None]
    if not known:
        return _nothing(title, unit)
    labels, forms, tops = (x_label, y_label), (x_form, y_form), (x_top, y_top)
    drawn = [drawing.scatter(width, known, labels, forms, tops, y_zero) for width in (WIDE, NARROW)]
    named = ", ".join(clean(point.label, 40) for point in known if point.named)
    spoken = f"{len(known)} dots; {x_label} across, {y_label} upwards."
    spoken += f" Named: {named}." if named else ""
    rows = [[each.label, x_form(number(each.x)), y_form(number(each.y))] for each in points] if table else []
    return _figure(drawn, title, unit, spoken, ["", x_label, y_label], rows)


def spark(values: Sequence[Value], *, label: str, low: float = 0.0, width: int = 88, height: int = 20) -> str:
    """Draw a line the size of a word, its last value dotted; returns ``<svg>``, no figure.

    Written out by hand: a table may hold hundreds, and a Figure costs milliseconds for each.

    :param label: read to those who do not see it, such as ``submitted per day, four weeks``.
    :param low: the value at the bottom.
    """
    known = [index for index, value in enumerate(values) if value is not None]
    if not known:
        return ""
    room = (max(float(values[index] or 0) for index in known) - low) or 1.0
    step = (width - 8) / max(1, len(values) - 1)
    places = {index: (float(values[index] or 0) - low) / room for index in known}
    at = {
        index: f"{4 + index * step:.1f} {height - 3 - place * (height - 6):.1f}"
        for index, place in places.items()
    }
    path = "".join(f"{'L' if index - 1 in at else 'M'}{at[index]}" for index in known)
    x, y = at[known[-1]].split()
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(label)}"><path d="{path}" fill="none" stroke="var(--chart-base, #7d8d89)" '
        f'stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round"/>'
        f'<circle cx="{x}" cy="{y}" r="2.5" fill="var(--chart-1, #0b6b67)"/></svg>'
    )


def _known(series: Series) -> bool:
    return any(value is not None for values in series.values() for value in values)


def _spoken(rows: Sequence[Bar], form: Form, mark: Mark | None) -> str:
    text = "; ".join(f"{clean(row.label, 60)}: {said(row, form)}" for row in rows[:8])
    text += f"; and {len(rows) - 8} more" if len(rows) > 8 else ""
    return text + (f". Dashed line: {mark.label}" if mark else "")


def _spoken_days(days: Sequence[date], series: Series, form: Form, mark: Mark | None) -> str:
    parts = []
    for name, values in series.items():
        known = [float(value) for value in values if value is not None]
        if known:
            low, high, last = form(min(known)), form(max(known)), form(known[-1])
            parts.append(f"{clean(name, 60)}: {low} to {high}, last {last}")
    text = f"{formats.day(days[0])} to {formats.day(days[-1])}. {'; '.join(parts)}"
    return text + (f". Dashed line: {mark.label}" if mark else "")


def _by_day(days: Sequence[date], series: Series, form: Form) -> list[list[str]]:
    return [
        [formats.day(day), *(form(number(values[index])) for values in series.values())]
        for index, day in enumerate(days)
    ]


def _nothing(title: str, unit: str) -> str:
    return (
        f'<figure class="chart"><figcaption>{escape(title)}{_unit(unit)}</figcaption>'
        '<p class="chart-nothing">There are no values to draw.</p></figure>'
    )


def _unit(unit: str) -> str:
    return f' <span class="chart-unit">{escape(unit)}</span>' if unit else ""


def _figure(
    drawings: Sequence[Canvas],
    title: str,
    unit: str,
    spoken: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> str:
    told = repr((title, unit, spoken, heads, rows, [canvas.width for canvas in drawings]))
    key = "c" + hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:8]
    two = len(drawings) > 1
    parts = [f'<figure class="chart{" chart-full" if two else ""}"><figcaption>{escape(title)}{_unit(unit)}']
    parts.append("</figcaption>")
    for kind, canvas in zip(("wide", "narrow") if two else ("one",), drawings, strict=True):
        parts.append(f'<div class="chart-{kind}">{canvas.svg(title, spoken, f"{key}-{kind[0]}")}</div>')
    if rows:
        parts.append(_numbers(title, heads, rows))
    return "".join([*parts, "</figure>"])


def _numbers(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name) or "Name"}</th>' for name in heads)
    lines_of_table = []
    for name, *cells in rows:
        values = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        lines_of_table.append(f'<tr><th scope="row">{escape(name)}</th>{values}</tr>')
    label = escape(f"Numbers: {title}")
    return (
        '<details class="chart-numbers"><summary>Numbers</summary>'
        f'<div class="chart-scroll" role="region" tabindex="0" aria-label="{label}"><table>'
        f'<caption class="chart-hidden">{label}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines_of_table)}</tbody></table></div></details>"
    )
