"""What each kind of chart looks like: plain values onto a canvas. ``charts.py`` is what others call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from groundswell.reports.html import formats
from groundswell.reports.html.formats import fit, text_width
from groundswell.reports.html.scales import Scale, named_days, scale, spread
from groundswell.reports.html.svg import Canvas

Value = float | int | None
Form = Callable[[float | None], str]
Series = Mapping[str, Sequence[Value]]

NARROW, HALF, WIDE = 370, 390, 900
"""Widths of drawings in px: narrow screens, half a page, a page."""

_DASHES: tuple[tuple[float, ...], ...] = ((), (7, 3), (3, 2), (11, 3, 3, 3), (5, 5), (1.5, 3.5))
_DASHED = (5.0, 4.0)
_SMALL, _SIZE = 11.0, 12.0
_ROW = 33.0


@dataclass(frozen=True)
class Bar:
    """A bar, or a value with its interval.

    :param note: said after the value, such as ``of 130``.
    :param low: lower end of the interval of the value, with ``high``.
    :param strong: the label is bold.
    """

    label: str
    value: Value
    note: str = ""
    low: Value = None
    high: Value = None
    strong: bool = False


@dataclass(frozen=True)
class Mark:
    """A value to compare with, drawn as a dashed line and named."""

    value: float
    label: str


@dataclass(frozen=True)
class Point:
    """A dot of two measures; ``named`` writes its label beside it and draws it stronger."""

    label: str
    x: Value
    y: Value
    named: bool = False


def said(row: Bar, form: Form) -> str:
    """Write the value of a row with its interval and note."""
    text = form(number(row.value))
    if row.low is not None and row.high is not None:
        text += f" ({form(float(row.low))} to {form(float(row.high))})"
    return f"{text} {row.note}".strip()


def number(value: Value) -> float | None:
    """Make a float of a value, if there is one."""
    return None if value is None else float(value)


def bars(rows: Sequence[Bar], form: Form, mark: Mark | None, top: float | None) -> Canvas:
    """Draw labels above bars from zero, values at the right: long names fit."""
    known = [float(row.value) for row in rows if row.value is not None]
    most = max([*known, mark.value if mark else 0.0, top or 0.0]) or 1.0
    head = 20.0 if mark else 0.0
    canvas = Canvas(HALF, head + _ROW * len(rows))
    for index, row in enumerate(rows):
        y = head + _ROW * index
        _row_text(canvas, row, y, form)
        canvas.rect(0, y + 18, HALF, 7, "track")
        if row.value:
            canvas.rect(0, y + 18, max(1.0, max(0.0, float(row.value)) / most * HALF), 7, "1")
        canvas.hover(0, y, HALF, 28, f"{row.label}: {said(row, form)}")
    if mark:
        _upright_mark(canvas, mark, mark.value / most * HALF, head, len(rows))
    return canvas


def ranges(rows: Sequence[Bar], form: Form, mark: Mark | None, top: float | None) -> Canvas:
    """Draw dots on their intervals over a labelled axis that need not begin at zero."""
    known = [float(end) for row in rows for end in (row.low, row.value, row.high) if end is not None]
    head, foot = (20.0 if mark else 2.0), 22.0
    canvas = Canvas(HALF, head + _ROW * len(rows) + foot)
    floor = canvas.height - foot
    axis = scale([*known, *([mark.value] if mark else [])], 12, HALF - 16, zero=False, top=top)
    for tick, name in zip(axis.ticks, _tick_names(axis, form), strict=True):
        canvas.line([(axis(tick), head), (axis(tick), floor)], "grid")
        canvas.text(axis(tick), floor + 15, name, role="soft", size=_SMALL, anchor="middle")
    for index, row in enumerate(rows):
        y = head + _ROW * index
        _row_text(canvas, row, y, form)
        if row.low is not None and row.high is not None:
            canvas.line([(axis(row.low), y + 22), (axis(row.high), y + 22)], "1", width=3)
        if row.value is not None:
            canvas.dots([(axis(row.value), y + 22)], "surface", size=12)
            canvas.dots([(axis(row.value), y + 22)], "1", size=8.5)
        canvas.hover(0, y, HALF, _ROW, f"{row.label}: {said(row, form)}")
    if mark:
        _upright_mark(canvas, mark, axis(mark.value), head, len(rows))
    return canvas


def columns(
    width: int, days: Sequence[date], series: Series, form: Form, usual: Mark | None, strong: date | None
) -> Canvas:
    """Draw values per day as columns from zero, series stacked; ``strong`` stands out from quiet days."""
    height = 250.0 if width == WIDE else 214.0
    floor, head = height - 28, 30.0 if usual or len(series) > 1 else 16.0
    canvas = Canvas(width, height)
    stacked = [sum(float(values[index] or 0) for values in series.values()) for index in range(len(days))]
    axis = scale([*stacked, *([usual.value] if usual else [])], floor, head, whole=form is formats.count)
    left, right = _upright_axis(canvas, axis, form), width - 2.0
    step = (right - left) / max(1, len(days))
    thick = min(34.0, step * 0.72)
    for index, day in enumerate(days):
        x, below = left + step * (index + 0.5), 0.0
        for place, values in enumerate(series.values(), start=1):
            value = float(values[index] or 0)
            role = "quiet" if strong not in (None, day) else str(place)
            if value:
                high = axis(below + value)
                gap = 1.0 if below else 0.0  # so that a stack is told apart in black and white
                canvas.rect(x - thick / 2, high, thick, max(0.5, axis(below) - gap - high), role)
            below += value
        if day == strong and below:
            near = x > right - 24
            canvas.text(
                right if near else x,
                axis(below) - 5,
                form(below),
                anchor="end" if near else "middle",
                bold=True,
            )
        canvas.hover(x - step / 2, head, step, floor - head, _tip(day, series, index, form))
    _days_below(canvas, days, lambda index: left + step * (index + 0.5), floor, right - left)
    canvas.line([(left, floor), (right, floor)], "base")
    if usual:
        canvas.line([(left, axis(usual.value)), (right, axis(usual.value))], "mark", width=1.5, dash=_DASHED)
    _key(canvas, list(series) if len(series) > 1 else [], usual, left)
    return canvas


def lines(
    width: int,
    days: Sequence[date],
    series: Series,
    form: Form,
    zero: bool,
    top: float | None,
    mark: Mark | None,
) -> Canvas:
    """Draw lines that break where there is no value and are named at their ends."""
    height = 270.0 if width == WIDE else 230.0
    floor, head = height - 28, 30.0 if mark else 12.0
    canvas = Canvas(width, height)
    known = [float(value) for values in series.values() for value in values if value is not None]
    whole = form is formats.count
    axis = scale([*known, *([mark.value] if mark else [])], floor, head, zero=zero, top=top, whole=whole)
    left = _upright_axis(canvas, axis, form)
    named = {name: fit(name, 150.0 if width == WIDE else 92.0, _SMALL) for name in series}
    names = max((text_width(text, _SMALL) for text in named.values()), default=0) if len(series) > 1 else 0
    right = width - 16 - names
    step = (right - left - 8) / max(1, len(days) - 1)
    _days_below(canvas, days, lambda index: left + 4 + step * index, floor, right - left)
    if mark:
        canvas.line([(left, axis(mark.value)), (right, axis(mark.value))], "mark", width=1.5, dash=_DASHED)
        _key(canvas, [], mark, left)
    ends: list[tuple[str, str, float]] = []
    for place, (name, values) in enumerate(series.items()):
        points = [
            (left + 4 + step * i, axis(float(v))) if v is not None else None for i, v in enumerate(values)
        ]
        _line(canvas, points, place)
        ends += [(name, str(place + 1), point[1]) for point in points[::-1] if point is not None][:1]
    if len(series) > 1:
        placed = spread([end[2] for end in ends], 14, head + 4, floor - 2)
        for (name, role, _), y in zip(ends, placed, strict=True):
            canvas.text(right + 8, y + 4, named[name], role=role, size=_SMALL, bold=True)
    for index, day in enumerate(days):
        x = left + 4 + step * index
        canvas.hover(x - step / 2, head, max(step, 4.0), floor - head, _tip(day, series, index, form))
    return canvas


def scatter(
    width: int,
    points: Sequence[Point],
    labels: tuple[str, str],
    forms: tuple[Form, Form],
    tops: tuple[float | None, float | None],
    zero: bool,
) -> Canvas:
    """Draw two measures against each other; labels name the axes at their ends."""
    height = 340.0 if width == WIDE else 310.0
    floor, head = height - 46, 24.0
    canvas = Canvas(width, height)
    whole = forms[1] is formats.count
    up = scale([float(point.y or 0) for point in points], floor, head, zero=zero, top=tops[1], whole=whole)
    left = _upright_axis(canvas, up, forms[1])
    most = 6 if width == WIDE else 4
    across = scale([float(point.x or 0) for point in points], left + 6, width - 18.0, top=tops[0], most=most)
    for tick, name in zip(across.ticks, _tick_names(across, forms[0]), strict=True):
        canvas.text(across(tick), floor + 16, name, role="soft", size=_SMALL, anchor="middle")
    canvas.text(width - 2, floor + 36, f"{labels[0]} \u2192", role="soft", size=_SMALL, anchor="end")
    canvas.text(0, 10, f"\u2191 {labels[1]}", role="soft", size=_SMALL)
    canvas.line([(left, floor), (width - 2, floor)], "base")
    placed = [(across(float(point.x or 0)), up(float(point.y or 0)), point) for point in points]
    plain = [(x, y) for x, y, point in placed if not point.named]
    named = sorted((each for each in placed if each[2].named), key=lambda each: (each[1], each[0]))
    canvas.dots(plain, "3", size=6 if len(points) < 300 else 3.5)
    canvas.dots([(x, y) for x, y, _ in named], "surface", size=12)
    canvas.dots([(x, y) for x, y, _ in named], "mark", size=9)
    others = plain if len(plain) < 300 else []
    room = (left, head, float(width), floor)
    _name_dots(canvas, [(x, y, point.label) for x, y, point in named], others, room)
    if len(points) <= 200:
        for x, y, point in placed:
            tip = f"{point.label}: {forms[0](number(point.x))}, {forms[1](number(point.y))}"
            canvas.hover(x - 5, y - 5, 10, 10, tip)
    return canvas


def _name_dots(
    canvas: Canvas,
    dots: Sequence[tuple[float, float, str]],
    others: Sequence[tuple[float, float]],
    room: tuple[float, float, float, float],
) -> None:
    """Write labels beside their dots, or off them at the end of a line; without room one is left out."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in [*others, *((x, y) for x, y, _ in dots)]]
    for x, y, label in dots:
        text = fit(label, 130, _SMALL)
        wide = text_width(text, _SMALL) + 4
        for dx, dy in _beside(wide):
            box = (x + dx, y + dy - 7, x + dx + wide, y + dy + 6)
            inside = room[0] <= box[0] and box[2] <= room[2] and room[1] <= box[1] and box[3] <= room[3]
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                at, anchor = (box[0], "start") if dx > 0 else (box[2], "end")
                if dy:  # which of several dots it names would have to be guessed
                    canvas.line([(x, y), (at + (-2 if dx > 0 else 2), y + dy)], "mark")
                canvas.text(at, y + dy + 4, text, role="mark", size=_SMALL, anchor=anchor, halo=True)
                break


def _beside(wide: float) -> list[tuple[float, float]]:
    """Return where a label of a width may stand, seen from its dot: nearest first."""
    level = [(9.0, 0.0), (-9 - wide, 0.0)]
    off = [(far, far * 1.4 * side) for far in (10.0, 20.0) for side in (-1, 1)]
    return level + [place for dx, dy in off for place in ((dx, dy), (-dx - wide, dy))]


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _row_text(canvas: Canvas, row: Bar, y: float, form: Form) -> None:
    shown = said(row, form)
    label = fit(row.label, HALF - text_width(shown, _SIZE) - 24, _SIZE)
    canvas.text(0, y + 12, label, bold=row.strong)
    canvas.text(HALF, y + 12, shown, anchor="end", role="ink" if row.value is not None else "soft")


def _upright_mark(canvas: Canvas, mark: Mark, x: float, head: float, rows: int) -> None:
    # Across the bars only: above each of them stand its name and value, which a line would strike through
    for index in range(rows):
        beside = [(x, head + _ROW * index + 15), (x, head + _ROW * index + 29)]
        canvas.line(beside, "surface", width=4)
        canvas.line(beside, "mark", width=1.5, dash=_DASHED)
    late = x > HALF / 2
    where = (x + 2, "end") if late else (x - 2, "start")
    canvas.text(where[0], head - 8, mark.label, role="mark", size=_SMALL, anchor=where[1])


def _line(canvas: Canvas, points: Sequence[tuple[float, float] | None], place: int) -> None:
    role, stretch = str(place + 1), list[tuple[float, float]]()
    for point in [*points, None]:
        if point is not None:
            stretch.append(point)
            continue
        if len(stretch) == 1:
            canvas.dots(stretch, role, size=5)
        elif stretch:
            canvas.line(stretch, role, width=2.2, dash=_DASHES[place % len(_DASHES)])
        stretch = []
    canvas.dots([point for point in points if point is not None][-1:], role, size=6.5)


def _upright_axis(canvas: Canvas, axis: Scale, form: Form) -> float:
    """Draw lines and names of the ticks; return where the plot begins."""
    names = _tick_names(axis, form)
    left = max(text_width(name, _SMALL) for name in names) + 8
    for tick, name in zip(axis.ticks, names, strict=True):
        canvas.line([(left, axis(tick)), (canvas.width, axis(tick))], "grid")
        canvas.text(left - 7, axis(tick) + 4, name, role="soft", size=_SMALL, anchor="end")
    return left


def _tick_names(axis: Scale, form: Form) -> list[str]:
    """Write ticks as short as possible: ``$10`` for ``$10.00`` if no tick needs the cents."""
    if form is formats.seconds and axis.ticks[-1] < 100:
        return _second_names(axis.ticks)
    names = [form(tick) for tick in axis.ticks]
    short = [re.sub(r"(\d)\.0+(?!\d)", r"\1", name) for name in names]
    needed = any(re.search(r"\d\.\d", name) for name in short)
    return [names[index] if needed and axis.ticks[index] else name for index, name in enumerate(short)]


def _second_names(ticks: Sequence[float]) -> list[str]:
    """Write ticks as they are: a time of 12.5 s may be said to be 12 s, a line at 12.5 s may not."""
    places = max(len(f"{tick:g}".partition(".")[2]) for tick in ticks)
    return [f"{tick:.{places}f} s" if tick else "0 s" for tick in ticks]


def _days_below(
    canvas: Canvas, days: Sequence[date], across: Callable[[int], float], floor: float, room: float
) -> None:
    for index in named_days(days, room / 52):
        x = min(max(across(index), 18.0), canvas.width - 20)
        name = formats.day(days[index], year=False)
        canvas.text(x, floor + 17, name, role="soft", size=_SMALL, anchor="middle")


def _key(canvas: Canvas, names: Sequence[str], mark: Mark | None, left: float) -> None:
    x = left
    for place, name in enumerate(names, start=1):
        canvas.rect(x, 3, 10, 10, str(place))
        canvas.text(x + 15, 12, name, size=_SMALL)
        x += text_width(name, _SMALL) + 36
    if mark:
        canvas.line([(x, 8), (x + 22, 8)], "mark", width=1.5, dash=_DASHED)
        canvas.text(x + 28, 12, mark.label, role="mark", size=_SMALL)


def _tip(day: date, series: Series, index: int, form: Form) -> str:
    values = ", ".join(f"{name} {form(number(values[index]))}" for name, values in series.items())
    return f"{formats.day(day, weekday=True)}: {values}"
