"""Small charts of a run over time, drawn as SVG without a plotting library: they are made for every look."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from groundswell.ui import formats
from groundswell.views.overview import Point

_WIDTH, _HEIGHT = 420, 196
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 16, 24
#: Steps of a time axis, in seconds.
_STEPS = (
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    21600,
    43200,
    86400,
    172800,
    604800,
    2592000,
    7776000,
    31536000,
)


@dataclass(frozen=True)
class Series:
    """
    What is drawn of a timeline.

    :param name: what it is ("Answers").
    :param of: value of a point.
    :param form: writes a value.
    """

    name: str
    of: Callable[[Point], float]
    form: Callable[[float], str]


ANSWERS = Series("Answers", lambda point: point.answers, formats.number)
SETTLED = Series("Items settled", lambda point: point.settled, formats.number)
SPENT = Series("Spent", lambda point: point.spent_cents, formats.money)


def chart(
    points: Sequence[Point],
    series: Series,
    *,
    limit: float | None = None,
    limit_name: str = "",
    limit_kind: str = "target",
) -> Markup:
    """
    Return a line over time as a ``<figure>``; what it shows is in its title, in words.

    :param points: by time, two at least.
    :param limit: a value drawn as a broken line, such as the budget; shown where it is not far away.
    :param limit_kind: target (to be reached) or limit (not to be passed).
    """
    times = [_moment(point) for point in points]
    values = [float(series.of(point)) for point in points]
    shown = limit if limit is not None and limit <= 4 * max(values, default=0) else None
    top, step = _scale(max([*values, shown or 0.0, 1.0]), money=series is SPENT)
    plot = _Plot(times[0], max(times[-1], times[0] + timedelta(seconds=60)), top)
    summary = (
        f"{series.name} over time: from {series.form(values[0])} at {times[0]:%Y-%m-%d %H:%M} UTC "
        f"to {series.form(values[-1])} at {times[-1]:%Y-%m-%d %H:%M} UTC"
    )
    parts = [_grid(plot, series, top, step), _times(plot)]
    if shown is not None:
        parts.append(_limit(plot, shown, f"{limit_name} {series.form(shown)}", limit_kind))
    places = [(plot.x(at), plot.y(value)) for at, value in zip(times, values, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    floor = plot.y(0)
    area = f"{places[0][0]:.1f},{floor:.1f} {line} {places[-1][0]:.1f},{floor:.1f}"
    parts.append(
        Markup('<polygon class="area" points="{}"/><polyline class="line" points="{}"/>').format(area, line)
    )
    parts.append(_last(places[-1]))
    return Markup(
        '<figure class="chart"><svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
        "<figcaption>{}</figcaption></figure>"
    ).format(_WIDTH, _HEIGHT, summary, Markup("").join(parts), series.name)


class _Plot:
    """Where values come to lie."""

    def __init__(self, first: datetime, last: datetime, top: float) -> None:
        self.first, self.last, self.top = first, last, top

    def x(self, at: datetime) -> float:
        share = (at - self.first) / (self.last - self.first)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.top * (_HEIGHT - _TOP - _BOTTOM)


def _moment(point: Point) -> datetime:
    return datetime.fromisoformat(point.at).astimezone(UTC)


def _scale(most: float, *, money: bool) -> tuple[float, float]:
    """Return the top of an axis and the distance of its lines: four lines or so, at round values."""
    rough = most / 4
    size = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next(size * each for each in (1, 2, 2.5, 5, 10) if size * each >= rough)
    step = max(step, 1.0)
    if not money:
        step = math.ceil(step)
    return step * math.ceil(most / step), step


def _grid(plot: _Plot, series: Series, top: float, step: float) -> Markup:
    lines = []
    for number in range(round(top / step) + 1):
        y, value = plot.y(number * step), number * step
        kind = "grid-line" if number else "axis"
        lines.append(
            Markup('<line class="{}" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
                kind, _LEFT, _WIDTH - _RIGHT, y, y
            )
        )
        text = series.form(value)
        lines.append(
            Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(_LEFT - 8, y + 4, text)
        )
    return Markup("").join(lines)


def _times(plot: _Plot) -> Markup:
    span = (plot.last - plot.first).total_seconds()
    step = next((each for each in _STEPS if span / each <= 5), _STEPS[-1])
    at = datetime.fromtimestamp(math.ceil(plot.first.timestamp() / step) * step, UTC)
    texts = []
    while at <= plot.last:
        text = f"{at:%d %b}" if step >= 86400 else f"{at:%H:%M}"
        if step < 86400 and at.hour == at.minute == 0:
            text = f"{at:%d %b}"
        texts.append(
            Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                plot.x(at), _HEIGHT - 8, text
            )
        )
        at += timedelta(seconds=step)
    return Markup("").join(texts)


def _limit(plot: _Plot, value: float, name: str, kind: str) -> Markup:
    y = plot.y(value)
    return Markup(
        '<line class="{}" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
        '<text x="{}" y="{:.1f}" text-anchor="start">{}</text>'
    ).format(kind, _LEFT, _WIDTH - _RIGHT, y, y, _LEFT + 6, y - 5, name)


def _last(place: tuple[float, float]) -> Markup:
    return Markup('<circle class="last" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(*place)
