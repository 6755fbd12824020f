"""Event rows as arrays that can be counted: those of one day, checked, workers by pseudonym.

What cannot be right is left out or made "not known", and counted as a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from groundswell.reports.days import bounds
from groundswell.reports.measures import Bools, Floats, Ints, rounded
from groundswell.reports.problems import Problem, masked

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import pandas as pd

KINDS = ("accepted", "submitted", "returned", "declined")
SUBMITTED = KINDS.index("submitted")
GROUP_KEYS = ("source", "team", "job", "task_type", "worker")
UNKNOWN = "unknown"
TEXT_LIMIT = 200
"""Longer names of jobs and the like are cut: nobody reads them, and they would fill every row."""

_NUMBERS = {
    "seconds": 366 * 86_400.0,
    "reward_cents": 1e8,
    "cost_cents": 1e8,
    "right": 1.0,
}
"""Numbers lie between 0 and this."""
_LEDGER_NUMBERS = ("reward_cents", "cost_cents", "right")
_LEDGER_FLAGS = ("paid", "rejected", "readable", "agreed", "gold_right", "settles")

Flags = NDArray[np.int8]


@dataclass(frozen=True)
class Events:
    """Events of one source on one day.

    :param keys: the columns of :data:`GROUP_KEYS` (object[groups]) of each group of events
    :param group: int64[n], the group of each event
    :param kind: int8[n], places in :data:`KINDS`
    :param numbers: float64[n] by column, NaN where not known
    :param flags: int8[n] by column: 1, 0, or -1 where not known
    :param answer: int64[n], codes of labels given, -1 for none
    :param raw: raw worker ids by pseudonym
    """

    keys: list[NDArray[Any]]
    group: Ints
    kind: NDArray[np.int8]
    numbers: Mapping[str, Floats]
    flags: Mapping[str, Flags]
    answer: Ints
    raw: Mapping[str, str]

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.keys[0])


def events(
    frame: pd.DataFrame, source: str, day: date, zone: ZoneInfo, pseudonym: Callable[[str], str]
) -> tuple[Events, list[Problem]]:
    """Return the events of a day, and what was wrong with rows of it.

    Rows of other days are no problem: they are left out.

    :param frame: columns of :data:`schema.ACTIVITY`; those of ledgers may be absent
    :param source: of rows that name none
    """
    problems = _Problems(source, day)
    frame = _of_day(frame, day, zone, problems)
    kind = _places(frame, KINDS)
    if (kind < 0).any():
        problems.add("unknown kind of event", frame["kind"][kind < 0], "They are not counted.")
        frame, kind = frame[kind >= 0], kind[kind >= 0]
    keys, group, raw = _keys(frame, source, pseudonym, problems)
    ledger = source == "ledger"
    numbers = {name: _number(frame, name, problems) for name in ("seconds", *_LEDGER_NUMBERS[: 3 * ledger])}
    flags = {name: _flag(frame, name) for name in _LEDGER_FLAGS[: 6 * ledger]}
    answer = _codes(frame, "answer")[0] if ledger and "answer" in frame else np.full(len(frame), -1)
    return Events(keys, group, kind, numbers, flags, answer, raw), problems.found


class _Problems:
    def __init__(self, source: str, day: date) -> None:
        self._source = source
        self._day = day
        self.found: list[Problem] = []

    def add(self, kind: str, values: Any, what_to_do: str) -> None:
        """Count these values as a problem; the example is the first in the alphabet."""
        example = min((str(value) for value in values[:1000]), default="")
        self.found.append(Problem(kind, len(values), masked(example), what_to_do, self._source, self._day))


def _of_day(frame: pd.DataFrame, day: date, zone: ZoneInfo, problems: _Problems) -> pd.DataFrame:
    import pandas as pd

    at = frame["at"]
    if not isinstance(at.dtype, pd.DatetimeTZDtype):
        at = pd.to_datetime(at, utc=True, errors="coerce")
    gone = at.isna()
    if gone.any():
        problems.add("event without time", frame["at"][gone], "They are not counted.")
    first, end = bounds(day, day, zone)
    wanted = ((at >= first) & (at < end)).to_numpy(bool)
    return frame if wanted.all() else frame[wanted]


def _places(frame: pd.DataFrame, known: tuple[str, ...]) -> NDArray[np.int8]:
    codes, texts = _codes(frame, "kind")
    places: NDArray[np.int8] = np.array([*(known.index(t) if t in known else -1 for t in texts), -1], np.int8)
    found: NDArray[np.int8] = places[codes]
    return found


def _codes(frame: pd.DataFrame, name: str) -> tuple[Ints, list[str]]:
    """Return a code for each row's text, and the texts; -1 for an empty or absent one."""
    import pandas as pd

    if name not in frame:
        return np.full(len(frame), -1), []
    column = frame[name]
    codes, uniques = pd.factorize(column.to_numpy() if column.dtype == object else column)
    # A worker's id is needed whole: its pseudonym follows from it, and it is not shown
    texts = [str(text) if name == "worker" else _clean(text) for text in uniques]
    codes = np.append(np.array([code if text else -1 for code, text in enumerate(texts)], np.int64), -1)[
        codes
    ]
    return codes, texts


def _clean(value: Any) -> str:
    text = str(value)[:TEXT_LIMIT]
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _keys(
    frame: pd.DataFrame, source: str, pseudonym: Callable[[str], str], problems: _Problems
) -> tuple[list[NDArray[Any]], Ints, dict[str, str]]:
    columns: list[NDArray[Any]] = []
    places: list[Ints] = []
    raw: dict[str, str] = {}
    for name in GROUP_KEYS:
        codes, texts = _codes(frame, name)
        missing = {"source": source, "worker": ""}.get(name, UNKNOWN)
        if name == "worker":
            nobody = codes < 0
            if nobody.any():
                rows = frame["job"][nobody] if "job" in frame else codes[nobody]
                problems.add("event without worker", rows, "They count for team and job only.")
            named = [pseudonym(text) if text else "" for text in texts]
            raw = {called: text for called, text in zip(named, texts, strict=True) if text}
            texts = named
        values, order = np.unique(np.array([*texts, missing], dtype=object), return_inverse=True)
        columns.append(values)
        places.append(order[codes])
    group = np.zeros(len(frame), np.int64)
    first = np.zeros(0, np.int64)
    for values, place in zip(columns, places, strict=True):
        # Made dense at each step, so that the product of many names never overflows
        _, first, group = np.unique(group * len(values) + place, return_index=True, return_inverse=True)
    return [values[place[first]] for values, place in zip(columns, places, strict=True)], group, raw


def _number(frame: pd.DataFrame, name: str, problems: _Problems) -> Floats:
    import pandas as pd

    if name not in frame:
        return np.full(len(frame), np.nan)
    given = frame[name]
    numbers = pd.to_numeric(given, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = ~((numbers >= 0) & (numbers <= _NUMBERS[name])) & given.notna().to_numpy(bool)
    if bad.any():
        problems.add(f"{name} cannot be", given[bad], "The number is taken as not known.")
    return rounded(np.where(bad, np.nan, numbers))


def _flag(frame: pd.DataFrame, name: str) -> Flags:
    import pandas as pd

    if name not in frame:
        return np.full(len(frame), -1, np.int8)
    codes, values = pd.factorize(frame[name])
    meaning = [-1 if value not in (True, False) else int(value) for value in values]
    found: Flags = np.array([*meaning, -1], np.int8)[codes]
    return found


def known(flag: Flags) -> Bools:
    """Return where a flag is known."""
    return flag >= 0
