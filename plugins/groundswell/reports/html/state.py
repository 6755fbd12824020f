"""Whether a report may still change, whether it did, and how: numbers never change silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from groundswell.reports.html import formats, wording
from groundswell.reports.html.frames import Row, text

Record = Mapping[str, Any]
_SEALED = {
    "inputs": "The events behind these numbers were removed for their age, so they no longer change.",
    "workers": "What tells workers apart was removed for its age; the numbers of teams and jobs stay.",
}


@dataclass(frozen=True)
class Change:
    """A total before and after a revision."""

    label: str
    before: str
    after: str
    difference: str


@dataclass(frozen=True)
class Revision:
    """One writing of the report, and what changed from the one before."""

    number: int
    written: str
    why: str
    changes: Sequence[Change]


@dataclass(frozen=True)
class State:
    """What the banner below the title says.

    :param kind: provisional, final or revised.
    :param revisions: the latest first.
    """

    kind: str
    word: str
    sentence: str
    revisions: Sequence[Revision] = ()


def of_day(record: Record, day: date, late_days: int) -> State:
    """Return the state of the report of a day.

    :param record: the record of its revision, see :class:`groundswell.reports.store.ReportStore`.
    """
    history = [_revision(entry) for entry in record.get("history") or ()]
    history.sort(key=lambda revision: -revision.number)
    number = int(record.get("revision") or 1)
    counted = f"Revision {number}, written {formats.moment(record.get('written') or '')}."
    changed = any(revision.changes for revision in history)
    until = formats.day(day + timedelta(days=late_days))
    if record.get("sealed"):
        kept = _SEALED.get(str(record["sealed"]), _SEALED["inputs"])
        word = "revised" if record.get("revised") else "final"
        return State(word, word.title(), f"{kept} {counted}", history if changed else ())
    if record.get("provisional"):
        sentence = (
            f"The day was not over when this was written. Late events are taken in until {until}; what "
            f"changes will be shown here. {counted}"
        )
        return State("provisional", "Provisional", sentence, history if changed else ())
    if record.get("revised") or record.get("kind") == "forgotten":
        return State("revised", "Revised", f"What was reported before is shown below. {counted}", history)
    sentence = (
        f"Late events are taken in until {until}; if they change a number, the report will be marked as "
        f"revised and show how. {counted}"
    )
    return State("final", "Complete", sentence, history if changed else ())


def of_period(records: Sequence[Record], first: date, last: date) -> State:
    """Return the state of the report of a period, from the records of its days."""
    states: dict[str, list[date]] = {"provisional": [], "revised": []}
    seen = set()
    for record in records:
        day = formats.as_day(record["day"])
        seen.add(day)
        if record.get("provisional"):
            states["provisional"].append(day)
        elif record.get("revised"):
            states["revised"].append(day)
    missing = [
        day for day in (first + timedelta(days=n) for n in range((last - first).days + 1)) if day not in seen
    ]
    parts = [f"{wording.many(len(seen), 'day')} reported"]
    parts += [f"{len(days)} {word} ({_days(days)})" for word, days in states.items() if days]
    if missing:
        parts.append(f"no report for {wording.many(len(missing), 'day')} ({_days(missing)})")
    sentence = "; ".join(parts) + "."
    if states["provisional"] or missing:
        return State("provisional", "Provisional", f"Numbers may still change. {sentence}")
    if states["revised"]:
        return State("revised", "Revised", sentence)
    return State("final", "Complete", sentence)


def _days(days: Sequence[date]) -> str:
    if len(days) > 2 and (days[-1] - days[0]).days == len(days) - 1:
        return f"{formats.day(days[0], year=False)} to {formats.day(days[-1], year=False)}"
    return wording.listed([formats.day(day, year=False) for day in days], 5)


def _revision(entry: Row) -> Revision:
    changes = [_change(change) for change in entry.get("changes") or ()]
    why = text(entry, "why")
    return Revision(
        number=int(entry.get("revision") or 0),
        written=formats.moment(entry.get("written") or ""),
        why=why,
        changes=[change for change in changes if change.before != change.after],
    )


def _change(change: Row) -> Change:
    name = text(change, "measure")
    form = wording.measure(name).form
    before, after = wording.value("before", change), wording.value("after", change)
    known = before is not None and after is not None
    moved = (after or 0) - (before or 0)
    return Change(
        label=wording.measure(name).label,
        before=form(before),
        after=form(after),
        difference=formats.signed(moved, form(abs(moved))) if known else formats.NONE,
    )
