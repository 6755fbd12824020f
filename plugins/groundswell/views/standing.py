"""Where a run stands by its folded record: shares, pace and forecast, and how it came there over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from groundswell.ledger import Outcome, RunState

#: Answers that make up the pace, and workers who count as active, were seen within so long.
PACE_WINDOW, ACTIVE_WINDOW = timedelta(hours=1), timedelta(minutes=15)
#: A run that has asked for less than this has no better pace than one of this age.
SHORTEST = timedelta(minutes=5)
#: No forecast reaches further: it would say more than is known.
FARTHEST = timedelta(days=366)
#: No count of a timeline is so large: it is to be drawn.
_LARGEST = 10**15
#: Points of a timeline.
MOST_POINTS = 200

Point = dict[str, Any]


def standing(state: RunState, at: datetime) -> dict[str, Any]:
    """Return what a folded record says about a run besides its counts, in two passes over its answers.

    The result has ``given_up_by`` (outcome -> items that ended so, without settled ones), ``agreement``,
    ``pace``, ``eta`` and ``active_workers``:

    * agreement: of the answers to items that have two counted answers or more, the share that equals the
      label which most of the item's counted answers have; None where there is no such item. Counted answers
      are readable and not rejected.
    * pace: answers submitted in the hour before ``at``; None where there was none.
    * eta (ISO 8601, UTC): see :func:`forecast`.
    * active_workers: how many workers submitted an answer in the 15 minutes before ``at``.

    Args:
        state: the folded record.
        at: the time of the document.
    """
    hour, quarter = text(at - PACE_WINDOW), text(at - ACTIVE_WINDOW)
    recent, active = 0, set()
    for row in state.answers.values():
        recent += row["submitted"] > hour
        if row["submitted"] > quarter:
            active.add(row["worker"])
    return {
        "given_up_by": {
            str(outcome): count
            for outcome, count in sorted(Counter(state.outcomes.values()).items())
            if outcome is not Outcome.SETTLED
        },
        "agreement": _agreement(state),
        "pace": recent or None,
        "eta": forecast(state, at, recent),
        "active_workers": len(active),
    }


def _agreement(state: RunState) -> float | None:
    leading = counted = 0
    for item in state.hits:
        labels = [row["label"] for row in state.counted(item)]
        if len(labels) > 1:
            counted += len(labels)
            leading += max(map(labels.count, set(labels)))
    return round(leading / counted, 4) if counted else None


def forecast(state: RunState, at: datetime, recent: int) -> str | None:
    """Return when the last answer to items that were asked about may come in, None where that is not known.

    What is still to come: the open seats of the items that are asked about, and the seats that they may be
    given besides: as many as bring an item to the mean number of answers of the items whose asking has ended.
    It is divided by the pace: the recent answers over an hour, or over the time since the first call was
    intended where that is less (five minutes at least).

    Args:
        state: the folded record.
        at: the time from which on.
        recent: answers submitted in the hour before ``at``.
    """
    items = state.open_items
    if not items or not recent:
        return None
    ended = [state.answered(item) for item in state.hits if item in state.outcomes]
    usual = sum(ended) / len(ended) if ended else 0.0
    left = 0.0
    for item in items:
        seats = max(state.seats[item], state.answered(item))
        left += seats - state.answered(item) + max(0.0, usual - seats)
    span = PACE_WINDOW
    if state.intents:
        span = min(span, max(SHORTEST, at - datetime.fromisoformat(min(state.intents.values()))))
    wait = span * (left / recent)
    return text(at + wait) if wait <= FARTHEST else None


def prolonged(earlier: object, point: Mapping[str, Any]) -> list[Point]:
    """Return a timeline with one more point, thinned so that it has at most 200.

    Whoever writes last is right: points after the new one, or with more answers than it has, were written by
    a twin of the task that saw something else, or before the record was restored, and go. Where there are too
    many, the point goes whose neighbours are nearest to each other in time, never the first or the last.

    Args:
        earlier: the timeline of the document that is replaced; what is no point of it is passed over.
        point: ``at`` (ISO 8601, UTC), ``answers``, ``settled`` and ``spent_cents``.
    """
    points = [
        each
        for each in read_points(earlier)
        if each["at"] < point["at"] and each["answers"] <= point["answers"]
    ]
    points.append(dict(point))
    while len(points) > MOST_POINTS:
        times = [datetime.fromisoformat(each["at"]) for each in points]
        inner = range(1, len(points) - 1)
        del points[min(inner, key=lambda place: (times[place + 1] - times[place - 1], place))]
    return points


def read_points(found: object) -> list[Point]:
    """Return the points of a timeline as a document has it, by time, without what is no point."""
    rows: Iterable[Any] = found if isinstance(found, Sequence) and not isinstance(found, str) else ()
    return sorted((row for row in rows if _is_point(row)), key=lambda row: datetime.fromisoformat(row["at"]))


def _is_point(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    try:
        moment = datetime.fromisoformat(row["at"])
        moment.astimezone(UTC)  # in which the first and the last days of all may not exist
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    if moment.tzinfo is None:
        return False
    counts = [row.get(name) for name in ("answers", "settled", "spent_cents")]
    return all(type(count) is int and abs(count) < _LARGEST for count in counts)


def text(moment: datetime) -> str:
    """Return a time as documents have it: ISO 8601, UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
