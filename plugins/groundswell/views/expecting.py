"""When a run may end, all of its plan considered: also the items that nobody was asked about yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from groundswell.views.standing import FARTHEST, PACE_WINDOW, SHORTEST, text

#: Why there is no forecast, for people.
NOTHING_ASKED = "nothing was asked yet"
NO_PACE = "no answer in the last hour"
NOTHING_OPEN = "no item is open"
TOO_FAR = "more than a year at this pace"
NOT_TOLD = "the run's documents do not tell"


@dataclass(frozen=True)
class Told:
    """What a run's documents tell of how far it is.

    Attributes:
        at: when they were written.
        began: when the first of them was; None where they do not tell.
        items: items that workers were asked about so far.
        planned: items that the run is to ask about; None where the documents do not tell.
        open: items about which workers are being asked.
        answers: answers that were handed in.
        pace: answers in the hour before ``at``; None for none.
        asked: when the last answer to the items that were asked about may come in, by
            :func:`groundswell.views.standing.forecast`; None where that is not known.
    """

    at: datetime
    began: datetime | None
    items: int
    planned: int | None
    open: int
    answers: int
    pace: float | None
    asked: datetime | None


def expected(told: Told) -> tuple[str | None, str | None]:
    """Return when the last answer of the run may come in (ISO 8601, UTC), or None and why that is not known.

    An item that nobody was asked about yet is taken to need as many answers as one of the others: those it
    has, and those still to come by the forecast. They are divided by the same pace: the answers of the last
    hour, over an hour or over the time since the run's first document where that is less (five minutes at
    least).
    """
    more = max(0, (told.planned or 0) - told.items)
    if why := _unknown(told, more):
        return None, why
    span = PACE_WINDOW
    if told.began is not None:
        span = min(span, max(SHORTEST, told.at - told.began))
    wait = max(timedelta(0), (told.asked or told.at) - told.at)
    pace = told.pace or 1.0
    try:
        of_each = (told.answers + wait / span * pace) / max(1, told.items)
        wait += span * (more * of_each / pace)
        end = text(told.at + min(wait, FARTHEST))
    except OverflowError:
        return None, TOO_FAR
    return (end, None) if wait <= FARTHEST else (None, TOO_FAR)


def _unknown(told: Told, more: int) -> str | None:
    """Return why nothing can be said, None where something can."""
    if not told.items:
        return NOTHING_ASKED
    if not told.open and not more:
        return NOTHING_OPEN
    if not told.pace:
        return NO_PACE
    # The forecast leaves out only what is too far, and older documents have none
    return TOO_FAR if told.open and told.asked is None else None
