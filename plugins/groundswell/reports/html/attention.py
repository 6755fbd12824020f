"""What needs attention: findings about workers, input that could not be used, sources that disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundswell.reports.html import formats, wording
from groundswell.reports.html.frames import Row, number, text

MOST_OPEN = 12


@dataclass(frozen=True)
class Finding:
    """Something a person should look at."""

    severity: str
    kind: str
    who: str
    where: str
    reason: str
    day: str = ""


@dataclass(frozen=True)
class Trouble:
    """Input that could not be used as it was, and what an operator can do."""

    source: str
    kind: str
    count: str
    example: str
    what_to_do: str
    days: str = ""


@dataclass(frozen=True)
class Disagreement:
    """Two sources that count the same thing."""

    what: str
    where: str
    who: str
    by_events: str
    by_metric: str
    difference: str
    day: str = ""


@dataclass(frozen=True)
class Compared:
    """How far sources agree.

    :param known: comparisons where both say something.
    :param differ: those where they differ.
    :param alone: what only one of them knows.
    """

    known: int
    differ: int
    alone: int
    shown: Sequence[Disagreement]

    @property
    def words(self) -> str:
        """The result in a sentence."""
        if not self.known and not self.alone:
            return "There is no second source to compare the counts with."
        parts = [f"{wording.many(self.known, 'count')} known to both the events and the metrics"]
        parts.append(f"{formats.count(self.differ)} differ" if self.differ else "all agree")
        if self.alone:
            parts.append(f"{formats.count(self.alone)} known to one of them only")
        return "; ".join(parts) + "."


def findings(anomalies: Sequence[Row], *, with_day: bool = False) -> list[Finding]:
    """Return findings, what is urgent first; over several days, those of the same kind and place are one.

    :param with_day: say on which days that was.
    """
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in sorted(anomalies, key=lambda row: tuple(text(row, key) for key in ("day", "reason"))):
        key = tuple(text(row, name) for name in ("kind", "worker", "team", "job"))
        found.setdefault(key, []).append(row)
    order = sorted(
        found.items(),
        key=lambda pair: (
            min(wording.urgency(text(row, "severity")) for row in pair[1]),
            -len(pair[1]),
            pair[0],
        ),
    )
    return [_finding(rows, with_day) for _, rows in order]


def _finding(rows: Sequence[Row], with_day: bool) -> Finding:
    """Make one finding of rows of one kind and place, in the order of their days; the last one is told."""
    last = rows[-1]
    worst = min(rows, key=lambda row: wording.urgency(text(row, "severity")))
    reason = text(last, "reason")
    days = [_day(row) for row in rows]
    if len(rows) > 1 and with_day:
        reason = f"On {wording.many(len(rows), 'day')}. Last: {reason}"
    elif len(rows) > 1:
        reason = " ".join(dict.fromkeys(text(row, "reason") for row in rows))
    return Finding(
        severity=text(worst, "severity") or "notice",
        kind=wording.kind(text(last, "kind")),
        who=formats.clean(text(last, "worker"), formats.MOST_NAME),
        where=_where(last),
        reason=formats.sentence(reason),
        day=wording.listed(list(dict.fromkeys(days)), 5) if with_day else "",
    )


def troubles(problems: Sequence[Row]) -> list[Trouble]:
    """Return problems, those of several days as one, the most frequent first."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in problems:
        found.setdefault((text(row, "source"), text(row, "kind"), text(row, "what_to_do")), []).append(row)
    result = []
    for (source, kind, what_to_do), members in found.items():
        count = sum(number(row, "count") for row in members)
        days = sorted({_day(row) for row in members if text(row, "day")})
        result.append(
            (
                (-count, source, kind, what_to_do),
                Trouble(
                    source=wording.source(source),
                    kind=kind[:1].upper() + kind[1:] or "Not named",
                    count=formats.count(count),
                    example=min(
                        (text(row, "example") for row in members if text(row, "example")), default=""
                    ),
                    what_to_do=what_to_do,
                    days=wording.many(len(days), "day") if len(days) > 1 else "",
                ),
            )
        )
    return [trouble for _, trouble in sorted(result, key=lambda pair: pair[0])]


def compared(sources: Sequence[Row], *, with_day: bool = False) -> Compared:
    """Return where sources disagree, the largest differences first; both counts are kept."""
    both = [row for row in sources if not _lacks(row, "by_events") and not _lacks(row, "by_metric")]
    differ = [row for row in both if abs(_difference(row)) > 1e-9]
    one = [row for row in sources if _lacks(row, "by_events") != _lacks(row, "by_metric")]
    order = sorted(
        [*differ, *one],
        key=lambda row: (
            text(row, "measure") == "active_seconds",  # pauses make these differ as a rule
            text(row, "worker") != "",
            -abs(_difference(row)),
            *(text(row, key) for key in ("day", "team", "job", "worker", "measure")),
        ),
    )
    return Compared(len(both), len(differ), len(one), [_disagreement(row, with_day) for row in order])


def _disagreement(row: Row, with_day: bool) -> Disagreement:
    form = wording.measure(text(row, "measure")).form
    both = not _lacks(row, "by_events") and not _lacks(row, "by_metric")
    return Disagreement(
        what=wording.measure(text(row, "measure")).label,
        where=_where(row),
        who=formats.clean(text(row, "worker"), formats.MOST_NAME) or "all workers",
        by_events=form(wording.value("by_events", row)),
        by_metric=form(wording.value("by_metric", row)),
        difference=formats.signed(_difference(row), form(abs(_difference(row)))) if both else formats.NONE,
        day=_day(row) if with_day else "",
    )


def _lacks(row: Row, key: str) -> bool:
    return wording.value(key, row) is None


def _difference(row: Row) -> float:
    return number(row, "by_events") - number(row, "by_metric")


def _where(row: Row) -> str:
    names = (formats.clean(text(row, key), formats.MOST_NAME) for key in ("team", "job"))
    return " \u00b7 ".join(name for name in names if name)


def _day(row: Row) -> str:
    return formats.day(formats.as_day(row["day"]), year=False) if text(row, "day") else ""
