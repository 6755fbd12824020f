"""What needs a look: anomalies, sources that disagree, problems with the data, and days that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from groundswell.reports.html import formats, wording
from groundswell.ui.throughput.columns import MEASURES
from groundswell.ui.throughput.filters import read_page
from groundswell.ui.throughput.listings import Asked

Row = Mapping[str, Any]

#: Rows of a list that are shown at once.
PAGE_SIZE = 10
#: Changes of a revision that are named.
MOST_CHANGES = 6
#: How measures are written that are shown nowhere else.
_FORMS = {
    "seconds_total": formats.duration,
    "pay_seconds": formats.duration,
    "pay_cents": formats.cents,
    "active_by_events": formats.duration,
    "accuracy_low": formats.share,
    "accuracy_high": formats.share,
}
_SEVERITIES = {"warning": 0, "notice": 1}


@dataclass(frozen=True)
class Leaf:
    """A page of a list. ``previous`` and ``following`` are queries of the pages beside it."""

    name: str
    rows: Sequence[Mapping[str, Any]]
    total: int
    page: int
    pages: int
    previous: str
    following: str


def anomalies(rows: Sequence[Row], asked: Asked) -> Leaf:
    """Return a page of the anomalies: the newest day first, and what is more severe before what is less."""
    ordered = sorted(
        rows,
        key=lambda row: (
            -_ordinal(row["day"]),
            _SEVERITIES.get(row["severity"], 2),
            row["worker"],
            row["job"],
            row["kind"],
        ),
    )
    return _leaf("anomalies", ordered, asked, lambda row: _anomaly(row, asked))


def _anomaly(row: Row, asked: Asked) -> dict[str, Any]:
    return {
        "day": str(row["day"]),
        "day_text": _day_text(row["day"]),
        "worker": formats.clean(row["worker"]),
        "team": formats.plain(row["team"]),
        "job": formats.plain(row["job"]),
        "kind": words(row["kind"]),
        "reason": formats.sentence(row["reason"]),
        "severity": row["severity"],
        "query": asked.filtered(worker=str(row["worker"])),
    }


def disagreements(rows: Sequence[Row], asked: Asked) -> Leaf:
    """Return a page of what the sources disagree on, the largest differences first."""
    differing = [row for row in rows if not agree(row)]
    ordered = sorted(
        differing,
        key=lambda row: (
            -_size(row),
            str(row["day"]),
            row["team"],
            row["job"],
            row["worker"],
            row["measure"],
        ),
    )
    return _leaf("sources", ordered, asked, _disagreement)


def agree(row: Row) -> bool:
    """Return whether both sources say the same."""
    return not formats.missing(row["difference"]) and float(row["difference"]) == 0


def _size(row: Row) -> float:
    """Return how large a difference is; where only one source counts, all that it counts."""
    for column in ("difference", "by_events", "by_metric"):
        if not formats.missing(row[column]):
            return abs(float(row[column]))
    return 0.0


def _disagreement(row: Row) -> dict[str, Any]:
    measure = str(row["measure"])
    form = MEASURES[measure].form if measure in MEASURES else formats.count
    numbers = {name: _number(row[name]) for name in ("by_events", "by_metric", "difference")}
    difference = numbers["difference"]
    return {
        "day": str(row["day"]),
        "day_text": _day_text(row["day"]),
        "team": formats.plain(row["team"]),
        "job": formats.plain(row["job"]),
        "worker": formats.clean(row["worker"]) or "the whole team and job",
        "measure": MEASURES[measure].heading if measure in MEASURES else formats.plain(measure),
        "by_events": form(numbers["by_events"]),
        "by_metric": form(numbers["by_metric"]),
        "difference": formats.NONE
        if difference is None
        else formats.signed(difference, form(abs(difference))),
    }


def _number(value: Any) -> float | None:
    return None if formats.missing(value) else float(value)


def problems(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the problems of all days, equal ones added up, the most frequent first."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: str(row["day"])):
        key = (str(row["source"]), str(row["kind"]), str(row["what_to_do"]))
        same = found.setdefault(key, {"count": 0, "days": [], "example": ""})
        same["count"] += int(row["count"])
        same["days"].append(str(row["day"]))
        same["example"] = same["example"] or str(row["example"])
    ordered = sorted(found.items(), key=lambda item: (-item[1]["count"], item[0]))
    return [
        {
            "source": words(source),
            "kind": formats.clean(kind),
            "count": formats.count(same["count"]),
            "days": _days_text(sorted(set(same["days"]))),
            "example": formats.clean(same["example"]),
            "what_to_do": formats.clean(what_to_do, 500),
        }
        for (source, kind, what_to_do), same in ordered
    ]


def _days_text(days: Sequence[str]) -> str:
    if len(days) <= 2:
        return ", ".join(map(_day_text, days))
    return f"{len(days)} days, {_day_text(days[0])} to {_day_text(days[-1])}"


def _day_text(day: object) -> str:
    return formats.day(formats.as_day(day))


def changed(records: Mapping[date, Row]) -> list[dict[str, Any]]:
    """Return the newest revision of each day that has more than one, the newest day first."""
    rows = []
    for day in sorted(records, reverse=True):
        history = revisions(records[day])
        if len(history) > 1:
            newest = history[0]
            more = max(0, len(newest["changes"]) - MOST_CHANGES)
            rows.append(
                {
                    **newest,
                    "day": str(day),
                    "day_text": _day_text(day),
                    "changes": newest["changes"][:MOST_CHANGES],
                    "more": more,
                }
            )
    return rows


def revisions(record: Row) -> list[dict[str, Any]]:
    """Return the history of a day in words, the newest revision first."""
    return [
        {
            "revision": entry.get("revision"),
            "kind": words(entry.get("kind", "")),
            "mark": MARKS.get(str(entry.get("kind", "")), ""),
            "written": str(entry.get("written", "")),
            "why": formats.clean(entry.get("why", ""), 500),
            "changes": [_change(change) for change in sorted(entry.get("changes", ()), key=_weight)],
        }
        for entry in reversed(list(record.get("history", ())))
    ]


#: The colour of a state or of a revision's kind.
MARKS: Mapping[str, str] = {"revised": "warn", "provisional": "active", "final": "good", "first": "good"}


def state_of(record: Row) -> tuple[str, str]:
    """Return what a day's report is, in words, and the colour of that."""
    if record.get("provisional"):
        return "Provisional", "active"
    if record.get("revised"):
        return "Revised", "warn"
    # Late events may still come; after the inputs are gone nothing can change it
    return ("Final" if record.get("sealed") else "Complete"), "good"


def _weight(change: Row) -> tuple[int, str]:
    """Order changes as the measures of the page are."""
    names, measure = list(MEASURES), str(change.get("measure", ""))
    return (names.index(measure) if measure in names else len(names), measure)


def _change(change: Row) -> str:
    measure = str(change.get("measure", ""))
    before, after = (change.get(side) for side in ("before", "after"))
    name = MEASURES[measure].title if measure in MEASURES else wording.measure(measure).label
    if not isinstance(before, (int, float, type(None))) or not isinstance(after, (int, float, type(None))):
        return f"{name}: {formats.plain(before)} → {formats.plain(after)}"
    form = MEASURES[measure].form if measure in MEASURES else _FORMS.get(measure, formats.count)
    return f"{name}: {form(before)} → {form(after)}"


def words(name: object) -> str:
    """``too_fast`` -> ``Too fast``."""
    text = formats.clean(str(name).replace("_", " "))
    return text[:1].upper() + text[1:]


def _ordinal(day: object) -> int:
    return formats.as_day(day).toordinal()


def _leaf(name: str, rows: Sequence[Row], asked: Asked, write: Any) -> Leaf:
    parameter = f"{name}_page"
    pages = max(1, -(-len(rows) // PAGE_SIZE))
    page = min(read_page(asked.parameters, name), pages)

    def turn(to: int) -> str:
        return asked.query(**{parameter: str(to) if to > 1 else ""})

    return Leaf(
        name,
        [write(row) for row in rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]],
        total=len(rows),
        page=page,
        pages=pages,
        previous=turn(page - 1),
        following=turn(page + 1),
    )
