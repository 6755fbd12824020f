"""Tables of the report: which columns, which rows are open, and what is left out and said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from groundswell.reports.html import formats, wording
from groundswell.reports.html.frames import Row, text
from groundswell.reports.html.scope import MOST_OPEN

OPEN_ROWS = 40
"""Tables of up to this many rows are open; of longer ones the first :data:`OPEN_ROWS`, the rest folds."""

TASKS = ("submitted", "accepted", "returned", "declined")
"""Measures of tasks; those of a group stand together."""
TIME = ("active_seconds", "seconds_median", "seconds_p90", "tasks_per_hour")
QUALITY = ("agreement", "accuracy", "gold_score")
PAY = ("earned_cents", "hourly_pay")
COST = ("cost_cents", "cost_per_label")
LABELS = ("human_labels", "machine_labels", "machine_share")


@dataclass(frozen=True)
class Heading:
    """The heading of a column of numbers."""

    label: str
    name: str = ""


@dataclass(frozen=True)
class Line:
    """A row: what it is about, with a remark, its numbers, and a small drawing (safe HTML).

    :param cells: each number, and what is said below it.
    """

    name: str
    cells: Sequence[tuple[str, str]]
    remark: str = ""
    spark: str = ""
    flags: Sequence[str] = ()
    about: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """A table for the template.

    :param stub: the heading of the first column.
    :param about: headings of further columns of text.
    :param groups: headings over columns: (label, number of columns).
    :param without: measures that have no value in any row, so that they are no columns.
    """

    caption: str
    stub: str
    headings: Sequence[Heading]
    lines: Sequence[Line]
    groups: Sequence[tuple[str, int]] = ()
    about: Sequence[str] = ()
    without: Sequence[str] = ()
    spark: str = ""
    noun: str = "rows"
    file: str = "summary.csv"

    @property
    def firsts(self) -> Sequence[int]:
        """Positions of the columns that begin a group, to draw a line before them."""
        ends = [0]
        for _, span in self.groups[:-1]:
            ends.append(ends[-1] + span)
        return ends if len(self.groups) > 1 else ()

    @property
    def open(self) -> Sequence[Line]:
        """The rows that are shown at once."""
        return self.lines if len(self.lines) <= MOST_OPEN else self.lines[:OPEN_ROWS]

    @property
    def folded(self) -> Sequence[Line]:
        """The rows that are shown on demand."""
        return self.lines[len(self.open) :]


def measured(
    found: Sequence[Row],
    names: Sequence[str],
    *,
    caption: str,
    stub: str,
    key: str,
    label: Mapping[str, str] | None = None,
    remarks: Mapping[str, str] | None = None,
    sparks: Mapping[str, str] | None = None,
    flags: Mapping[str, Sequence[str]] | None = None,
    about: tuple[str, Mapping[str, str]] | None = None,
    spark: str = "",
    noun: str = "rows",
    file: str = "summary.csv",
) -> Table:
    """Make a table with one row per value of a key and a column per measure that has any value.

    :param names: the measures, in order, those of one group together.
    :param label: what to call a value of the key; by default itself.
    :param remarks: said below the name, by value of the key; ``sparks``, ``flags`` likewise.
    :param about: heading and texts of one more column of text.
    :param noun: what the rows are, such as ``workers``.
    :param file: where the rows are as a file beside the report.
    """
    used = [name for name in names if any(wording.value(name, row) is not None for row in found)]
    lines = []
    for row in found:
        value = text(row, key)
        lines.append(
            Line(
                name=formats.clean((label or {}).get(value, value), formats.MOST_NAME) or "Not named",
                cells=[(wording.shown(name, row), wording.interval(name, row)) for name in used],
                remark=(remarks or {}).get(value, ""),
                spark=(sparks or {}).get(value, ""),
                flags=(flags or {}).get(value, ()),
                about=[about[1].get(value, "")] if about else (),
            )
        )
    return Table(
        caption=caption,
        stub=stub,
        headings=[Heading(wording.measure(name).label, name) for name in used],
        lines=lines,
        groups=[
            (group, len(list(members))) for group, members in groupby(wording.measure(n).group for n in used)
        ],
        about=[about[0]] if about else (),
        without=[wording.measure(name).label for name in names if name not in used],
        spark=spark if any(line.spark for line in lines) else "",
        noun=noun,
        file=file,
    )
