"""A chart of cost against accuracy, one line per family of rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundswell.consolidation.replay.comparing import Row
from groundswell.consolidation.replay.rules import FAMILIES, family_of, knob_of
from groundswell.errors import AnswerError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".svg", ".png")

# Okabe and Ito's colours, which people who see few colours can tell apart; markers say the same in print
_LOOKS = {
    "fixed": ("#555555", "s"),
    "agree": ("#d55e00", "^"),
    "lead": ("#0072b2", "D"),
    "confidence": ("#009e73", "o"),
}
_NAMED_FROM = 2
"""Families of so many rules are joined by a line, and their points named."""


def check_chart(path: Path) -> None:
    """Check that a chart can be written to this file, before anything is worked out.

    :raises AnswerError: its name ends otherwise than in .svg or .png, or its folder does not exist
    """
    if path.suffix.lower() not in SUFFIXES:
        raise AnswerError(f"{path}: a chart is written as .svg or .png; name it so")
    if not path.parent.is_dir():
        raise AnswerError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise AnswerError(f"{path}: is a folder; give the name of a file")


def draw(rows: Sequence[Row], path: Path, *, method: str, everything: Row | None = None) -> None:
    """Write a chart of the rows.

    Across: dollars per item, fees included. Up: how many in a hundred items are labelled right, each by its
    best label; or, where no truth is known, how many are settled.

    :param path: an .svg or .png file; the same rows give the same bytes
    :param method: that labels the items
    :param everything: all recorded answers, for a line to compare with
    :raises AnswerError: the file cannot be written
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "groundswell", "font.size": 10, "svg.fonttype": "path"}):
        # A figure of its own, and not pyplot's: nothing is kept, and no display is asked for
        figure = Figure(figsize=(8.0, 5.6), layout="constrained")
        axes = figure.add_subplot()
        for family in FAMILIES:
            _plot(axes, family, [row for row in rows if family_of(row.rule) == family], method)
        if everything is not None:
            _plot_everything(axes, everything)
        _name(axes, rows, method)
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
        metadata: dict[str, Any] = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        try:
            figure.savefig(path, dpi=150, metadata=metadata)
        except OSError as error:
            raise AnswerError(f"{path}: cannot be written: {error.strerror or error}") from None


def _plot(axes: Axes, family: str, rows: list[Row], method: str) -> None:
    if not rows:
        return
    rows = sorted(rows, key=lambda row: (row.cents_per_item, knob_of(row.rule)))
    across = [row.cents_per_item / 100 for row in rows]
    up = [_height(row, method) for row in rows]
    colour, marker = _LOOKS[family]
    line = "-" if len(rows) >= _NAMED_FROM else "none"
    label = f"{family}: {_MEANING[family]}"
    axes.plot(
        across, up, color=colour, marker=marker, linestyle=line, linewidth=1.2, markersize=5, label=label
    )
    for row, x, y in zip(rows, across, up, strict=True):
        if not math.isnan(y):
            axes.annotate(
                f"{knob_of(row.rule)}",
                (x, y),
                xytext=_OFFSET[family],
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=colour,
            )


# Each family names its points on a side of its own, so that names of near points stand apart
_OFFSET = {"fixed": (0, -12), "agree": (9, -9), "lead": (8, 2), "confidence": (-10, 5)}
_MEANING = {
    "fixed": "so many answers",
    "agree": "so many for one label",
    "lead": "so many ahead",
    "confidence": "so likely, by who answered",
}


def _plot_everything(axes: Axes, everything: Row) -> None:
    found = everything.accuracy.get("majority")
    if found is not None and not math.isnan(found.everything):
        axes.axhline(
            100 * found.everything,
            color="#999999",
            linestyle="--",
            linewidth=1,
            label=f"majority vote on all recorded answers ({everything.per_item:.1f} per item)",
        )


def _name(axes: Axes, rows: Sequence[Row], method: str) -> None:
    known = any(row.accuracy for row in rows)
    axes.set_xlabel("Cost per item, fees included (US dollars)")
    axes.set_ylabel("Items labelled right (%)" if known else "Items settled (%)")
    title = f"What each stopping rule costs and brings, with labels by the method {method!r}" if known else ""
    axes.set_title(title or "What each stopping rule costs, and how much it settles", fontsize=11)
    axes.xaxis.set_major_formatter(lambda value, _: f"${value:.2f}")
    axes.grid(alpha=0.25)
    axes.margins(x=0.05, y=0.1)


def _height(row: Row, method: str) -> float:
    if row.accuracy:
        return 100 * row.accuracy[method].everything
    return 100 * row.settled / max(row.items, 1)
