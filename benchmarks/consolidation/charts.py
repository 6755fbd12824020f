"""Charts of the results, as SVG that is the same whenever the figures are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.consolidation.accuracy import MAJORITY, Accuracies, is_ours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS, THEIRS, QUIET = "#0b6e99", "#a63a2b", "#8a8a8a"
# Okabe and Ito's, which people who see few colours can tell apart
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a6d00")
SETTINGS: Any = {
    "svg.hashsalt": "groundswell",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}


def new_figure(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Any]]:
    """Return a figure with its panels side by side."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(SETTINGS)
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.subplots(1, panels, squeeze=False)
    return figure, list(axes[0])


def svg(figure: Figure) -> bytes:
    """Return the figure as a file."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    # matplotlib ends some lines with a space
    return b"\n".join(line.rstrip() for line in file.getvalue().splitlines()) + b"\n"


def differences(found: Accuracies) -> bytes:
    """Difference to the majority vote: a row per method, a dot per set, filled where it is significant."""
    methods = [method for method in found.methods if method != MAJORITY and found.of(method)]
    figure, (axis,) = new_figure(8, 1.2 + 0.3 * max(len(methods), 1))
    for row, method in enumerate(reversed(methods)):
        colour = OURS if is_ours(method) else THEIRS
        for compared in found.against_majority(method).values():
            sure = compared.below or compared.above
            axis.plot(
                100 * compared.difference,
                row,
                "o",
                color=colour,
                markersize=6,
                markerfacecolor=colour if sure else "white",
                alpha=0.85,
            )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(methods)), list(reversed(methods)))
    axis.set_xscale("symlog", linthresh=5, linscale=2)
    ticks = [-40, -20, -10, -5, -2, 0, 2, 5, 10, 20]
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_xlim(-45, 25)
    axis.minorticks_off()
    axis.grid(axis="x", color="#e3e3e3", linewidth=0.6)
    axis.set_xlabel("points above the majority vote (one dot per set; filled: p < .05)")
    return svg(figure)


def against_size(
    panels: Sequence[tuple[str, dict[str, list[tuple[float, float]]]]], colours: dict[str, str]
) -> bytes:
    """Lines over the number of answers, both axes logarithmic.

    :param panels: what is on the vertical axis, and the points by the name of their line
    """
    figure, axes = new_figure(9, 3.6, len(panels))
    for axis, (title, lines) in zip(axes, panels, strict=True):
        for name, points in lines.items():
            if points:
                x, y = zip(*points, strict=True)
                axis.plot(x, y, "o-", color=colours[name], label=name, linewidth=1.4, markersize=4)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("answers")
        axis.set_title(title, fontsize=10)
        axis.grid(color="#e3e3e3", linewidth=0.6)
    axes[0].legend(frameon=False)
    return svg(figure)
