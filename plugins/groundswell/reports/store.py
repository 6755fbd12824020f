"""Where reports are kept: immutable revisions of each day, and what came last under names that stay.

Below the public URI::

    days/<YYYY-MM-DD>/current.json           which revision is current, its totals, and how the day changed
    days/<day>/{workers,summary,…}.{parquet,csv}, report.html          copies of the current revision
    days/<day>/revisions/<n>/record.json     written last, once: only then revision n exists
    days/<day>/revisions/<n>/<digest>/…      its files
    months/<YYYY-MM>/report.html
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from groundswell.errors import ReportError
from groundswell.ledger import PartStore

if TYPE_CHECKING:
    import pandas as pd

#: Tables of a day, each as Parquet and as CSV.
TABLES = ("workers", "summary", "sources", "anomalies", "problems")
SCHEMA = 1

#: Why there is a revision: the day's first; more of a day that is not over; the day is over, and nothing or
#: only its rest is new; late data, so that a number changed that counted; a worker was deleted; the worker
#: level was removed for its age.
Kind = Literal["first", "provisional", "final", "revised", "forgotten", "sealed"]

Totals = Mapping[str, float | int | None]
Record = dict[str, Any]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TWINS = 20


@dataclass(frozen=True)
class Published:
    """What came of publishing a day: its current revision, and whether it was written now."""

    revision: int
    changed: bool
    record: Record


class ReportStore:
    """The reports of all days.

    :param public: the store below ``uri``.
    :param private: the store below ``private_uri``; readers of reports need none.
    """

    def __init__(self, public: PartStore, private: PartStore | None = None) -> None:
        self.public = public
        self._private = private

    @property
    def private(self) -> PartStore:
        """The store of raw ids and names. Raises ReportError where it was opened without."""
        if self._private is None:
            raise ReportError("the reports were opened for readers, without the private store")
        return self._private

    def days(self) -> list[date]:
        """Return the days that have a report or the beginning of one, in order; one listing."""
        names = self.public.folders("days/")
        return [date.fromisoformat(name) for name in names if _DAY.fullmatch(name)]

    def current(self, day: date) -> Record | None:
        """Return the record of a day's current revision, or None; one small read.

        ``{schema, day, time_zone, revision, provisional, revised, sealed, written, why, kind, digest, inputs,
        totals, folder, files, history: [{revision, written, kind, why, changes: [{measure, before,
        after}]}]}``.
        """
        return _document(self.public.get(f"{_of(day)}current.json"))

    def table(self, day: date, name: str) -> pd.DataFrame:
        """Return a table of a day's current revision.

        :param name: one of :data:`TABLES`.
        :raises ReportError: the day has no report, or the table was removed.
        """
        import pandas as pd

        body = self.body(day, f"{name}.parquet")
        if body is None:
            raise ReportError(f"there is no table {name!r} for {day}")
        return pd.read_parquet(io.BytesIO(body))

    def body(self, day: date, file: str, revision: int | None = None) -> bytes | None:
        """Return a file of a revision (the current one by default), or None where there is none.

        :param file: such as ``workers.csv`` or ``report.html``.
        """
        record = self.current(day) if revision is None else self.revision(day, revision)
        if record is None or file not in record["files"]:
            return None
        return self.public.get(f"{_of(day)}{record['folder']}{file}")

    def revision(self, day: date, number: int) -> Record | None:
        """Return the record of one revision, or None; its ``files`` may be gone since (see ``removed``)."""
        return _document(self.public.get(f"{_of(day)}revisions/{number}/record.json"))

    def publish(
        self,
        day: date,
        files: Mapping[str, bytes] | Callable[[Record], Mapping[str, bytes]],
        digest: str,
        totals: Totals,
        *,
        provisional: bool = False,
        why: str = "",
        time_zone: str = "UTC",
        more: Mapping[str, Any] | None = None,
    ) -> Published:
        """Make these files the current revision of a day, unless they are it already."""
        raise NotImplementedError

    def months(self) -> list[str]:
        """Return the names of the months that have a report, such as ``2026-11``, in order."""
        return list(self.public.folders("months/"))

    def month(self, name: str) -> bytes | None:
        """Return the HTML report of a month, or None."""
        return self.public.get(f"months/{name}/report.html")


def _of(day: date) -> str:
    return f"days/{day.isoformat()}/"


def _document(body: bytes | None) -> Record | None:
    return None if body is None else json.loads(body)
