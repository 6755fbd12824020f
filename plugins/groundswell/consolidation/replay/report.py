"""A comparison as a table for people and as data for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from groundswell.batches.pricing import LARGE_HIT
from groundswell.batches.units import dollars
from groundswell.consolidation.replay.accuracy import Accuracy
from groundswell.consolidation.replay.comparing import Row
from groundswell.consolidation.replay.rules import as_data, describe

_RAN_OUT = 0.01
"""A rule that could not go on for more of the items than this is marked."""


def text_table(rows: Sequence[Row], everything: Row, method: str) -> str:
    """Return a table with one line per rule, and below it what the marks mean."""
    header = ["rule", "answers", "per item", "saved", "cost", "settled", "given up"]
    known = bool(everything.accuracy)
    if known:
        header += ["right: settled", "right: all"]
    lines = [header, *(_cells(row, everything, method) for row in rows)]
    if known:
        lines.append(_everything_cells(everything))
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = [_line(line, widths) for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*text, "", *_notes(rows, known, method)])


def _cells(row: Row, everything: Row, method: str) -> list[str]:
    mark = "*" if _truncated(row) else ""
    cells = [
        describe(row.rule) + mark,
        f"{row.answers:,.0f}",
        f"{row.per_item:.2f}",
        _percent(1 - row.answers / max(everything.answers, 1), 0),
        dollars(round(row.cents)),
        _percent(row.settled / max(row.items, 1), 0),
        _percent(row.given_up / max(row.items, 1), 0),
    ]
    if row.accuracy:
        found = row.accuracy[method]
        cells += [_percent(found.settled, 1), _percent(found.everything, 1)]
    return cells


def _everything_cells(everything: Row) -> list[str]:
    cells = _cells(everything, everything, "majority")
    return ["all answers, majority vote", *cells[1:3], "", cells[4], "", "", "", cells[-1]]


def _notes(rows: Sequence[Row], known: bool, method: str) -> list[str]:
    notes = []
    if known:
        notes.append(
            f"right: share of the items with known truth that {method!r} labels right: of the settled ones, "
            "and of all by their best label. A tie counts as one guess among the labels that are equal."
        )
    notes.append("cost: reward and marketplace fee. saved: answers, against all that are recorded.")
    if any(_truncated(row) for row in rows):
        most = max(row.ran_out / max(row.items, 1) for row in rows)
        notes.append(
            f"* up to {_percent(most, 0)} of the items would have been asked about once more, and the record "
            "has no further answer: asking for real costs more than this."
        )
    impossible = [describe(row.rule) for row in rows if row.rule.first < LARGE_HIT <= row.rule.most]
    if impossible:
        notes.append(
            f"{'; '.join(impossible)}: a HIT created with fewer than {LARGE_HIT} assignments can never reach "
            f"{LARGE_HIT}, so no batch takes such a rule, and the cost is not what any run would pay."
        )
    return notes


def _truncated(row: Row) -> bool:
    return row.ran_out > _RAN_OUT * row.items


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]).rstrip()


def _percent(share: float, digits: int) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.{digits}f} %"


def as_json(rows: Sequence[Row], everything: Row, **settings: Any) -> dict[str, Any]:
    """Return the comparison as data: amounts in cents, shares from 0 to 1, ``None`` where nothing is known.

    :param settings: how it was made, to be told along
    """
    return {**settings, "everything": _data(everything), "rules": [_data(row) for row in rows]}


def _data(row: Row) -> dict[str, Any]:
    return {
        "rule": as_data(row.rule),
        "items": row.items,
        "answers": round(row.answers, 2),
        "answers_sd": round(row.answers_sd, 2),
        "answers_per_item": round(row.per_item, 4),
        "cost_cents": round(row.cents, 2),
        "settled": round(row.settled, 2),
        "given_up": round(row.given_up, 2),
        "ran_out": round(row.ran_out, 2),
        "accuracy": {name: _accuracy(found, row.accuracy_sd[name]) for name, found in row.accuracy.items()},
    }


def _accuracy(found: Accuracy, sd: float) -> dict[str, float | None]:
    shares = {"settled": found.settled, "all": found.everything, "all_sd": sd}
    return {name: None if math.isnan(share) else round(share, 6) for name, share in shares.items()}
