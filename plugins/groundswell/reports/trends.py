"""Days and ISO weeks as buckets, and how a measure changed from the weeks before.

Days are those of the report's time zone; a week begins on Monday and is named as ISO 8601 does, ``2026-W41``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from groundswell.reports.period import Period

Every = Literal["day", "week"]
WEEK = timedelta(days=7)
BUCKETS: tuple[Every, ...] = ("day", "week")


def bucket(day: date, every: Every) -> tuple[str, date]:
    """Return what the bucket of a day is called, and its first day."""
    if every == "day":
        return day.isoformat(), day
    year, week, weekday = day.isocalendar()
    return f"{year}-W{week:02d}", day - timedelta(days=weekday - 1)


def buckets(first: date, last: date, every: Every) -> Iterator[tuple[str, date]]:
    """Yield all buckets from that of the first to that of the last day."""
    step = timedelta(days=1) if every == "day" else WEEK
    _, start = bucket(first, every)
    while start <= last:
        yield bucket(start, every)
        start += step


def changes(period: Period, key: str, measure: str, *, weeks: int = 4) -> pd.DataFrame:
    """Compare the last seven days of a period with the weeks before them.

    Counts are compared per week: those of the weeks before are divided by how many weeks of the period there
    are. Shares and times are those of all these weeks together.

    :param key: source, team, job, task_type or worker
    :param weeks: how many weeks before, at most
    :return: the key, ``now``, ``before``, ``change`` (now - before) and ``relative`` (change / before), null
        where a side has nothing; in the order of the key
    """
    import numpy as np
    import pandas as pd

    from groundswell.reports import schema

    if not period.days:
        return pd.DataFrame(
            {key: pd.Series(dtype="str"), **{name: pd.Series(dtype="float64") for name in _SIDES}}
        )
    last = date.fromisoformat(period.days[-1])
    begin = last - WEEK + timedelta(days=1)
    earlier = period.between(begin - weeks * WEEK, begin - timedelta(days=1))
    now = period.between(begin, last).by(key).set_index(key)[measure].astype("float64")
    before = earlier.by(key).set_index(key)[measure].astype("float64")
    if measure in schema.ADDITIVE and earlier.days:
        days = (begin - date.fromisoformat(earlier.days[0])).days
        before = before / max(days / WEEK.days, 1.0)
    both: Any = pd.DataFrame({"now": now, "before": before}).sort_index()
    both["change"] = both["now"] - both["before"]
    both["relative"] = (both["change"] / both["before"].abs()).where(both["before"] != 0, np.nan)
    return both.rename_axis(key).reset_index().round(6)


_SIDES = ("now", "before", "change", "relative")
