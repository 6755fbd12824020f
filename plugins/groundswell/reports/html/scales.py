"""Axes: round ticks, positions, dates to name, and labels that do not run into each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Scale:
    """A straight map from values to pixels; ``ticks`` are round values inside."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """Return the position of a value, in px."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def scale(
    values: Sequence[float],
    start: float,
    end: float,
    *,
    zero: bool = True,
    top: float | None = None,
    most: int = 4,
    whole: bool = False,
) -> Scale:
    """Return a scale that holds all values and ends on round ticks.

    :param zero: begin at 0, as bars must.
    :param top: the end of the axis where it is known, such as 1 for shares.
    :param most: intervals between ticks, at most.
    :param whole: ticks are whole numbers, as there is no half of what is counted.
    """
    known = [value for value in values if math.isfinite(value)]
    low = min(known, default=0.0)
    high = max(known, default=1.0) if top is None else top
    low = min(0.0, low) if zero else low
    if high <= low and top is None:
        high = low + (abs(low) or 1.0)
    elif high <= low:  # all values are at the end of the axis, as 100% of answers may be right
        low = high - (abs(high) / 10 or 1.0)
    step = _step((high - low) / most, whole)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(index * step, 10) for index in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], start, end, ticks)


def _step(rough: float, whole: bool) -> float:
    rough = max(rough, 1.0) if whole else rough
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 5, 10) if whole and power < 10 else (1, 2, 2.5, 5, 10):
        if rough <= factor * power * (1 + 1e-9):
            return float(factor * power)
    return 10 * power


def named_days(days: Sequence[date], room: float) -> list[int]:
    """Return the positions of the days to name under an axis: all, or Mondays, or firsts of months.

    :param room: how many labels fit.
    """
    positions = list(range(len(days)))
    if len(positions) <= room:
        return positions
    for chosen in (
        [index for index in positions if days[index].weekday() == 0],
        [index for index in positions if days[index].day == 1],
    ):
        if 2 <= len(chosen) <= room:
            return chosen
    every = math.ceil(len(positions) / max(1.0, room))
    return positions[len(positions) - 1 :: -every][::-1]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions apart so that neighbours are ``gap`` px apart, inside low..high where they fit."""
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    placed: list[float] = []
    for index in order:
        placed.append(max(wanted[index], placed[-1] + gap if placed else low))
    over = (placed[-1] - high) if placed else 0.0
    for position in range(len(placed) - 1, -1, -1):
        if over <= 0:
            break
        limit = placed[position + 1] - gap if position + 1 < len(placed) else high
        placed[position] = min(placed[position], limit)
    result = [0.0] * len(wanted)
    for index, value in zip(order, placed, strict=True):
        result[index] = value
    return result
