"""Where reports are kept: immutable revisions of each day, and what came last under names that stay.

Below the public URI::

    days/<YYYY-MM-DD>/current.json           which revision is current, its totals, and how the day changed
    days/<day>/{workers,summary,…}.{parquet,csv}, report.html          copies of the current revision
    days/<day>/revisions/<n>/record.json     written last, once: only then revision n exists
    days/<day>/revisions/<n>/<digest>/…      its files
    months/<YYYY-MM>/report.html
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from groundswell.errors import ReportError
from groundswell.ledger import PartStore
from groundswell.reports.parts import RemovableStore

if TYPE_CHECKING:
    import pandas as pd

#: Tables of a day, each as Parquet and as CSV.
TABLES = ("workers", "summary", "sources", "anomalies", "problems")
#: The page of a day, among the files of a revision.
PAGE = "report.html"
SCHEMA = 1

#: Why there is a revision: the day's first; more of a day that is not over; the day is over, and nothing or
#: only its rest is new; late data, so that a number changed that counted; a worker was deleted; the worker
#: level was removed for its age.
Kind = Literal["first", "provisional", "final", "revised", "forgotten", "sealed"]

Totals = Mapping[str, float | int | None]
Record = dict[str, Any]
Files = Mapping[str, bytes] | Callable[[Record], Mapping[str, bytes]]

_WHY: Mapping[Kind, str] = {
    "first": "The day is over",
    "provisional": "The day is not over yet",
    "final": "The day is over",
    "revised": "Late data",
    "forgotten": "A worker was forgotten",
    "sealed": "What tells workers apart was removed for its age",
}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_REVISION_FILE = re.compile(r"days/(?P<day>\d{4}-\d{2}-\d{2})/revisions/(?P<number>\d+)/(?P<folder>[^/]+)")
_TWINS = 20
#: What two records say alike where the second would be no news.
_SAYS = ("digest", "provisional", "sealed")

log = logging.getLogger(__name__)


class Overtaken(ReportError):
    """Raised where another revision of a day came before the one that was made for it."""


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
        """Return the record of a day's current revision, or None; one small read, more where it is damaged.

        ``{schema, day, time_zone, revision, kind, why, written, provisional, revised, sealed, digest, inputs,
        totals: {measure: value}, folder, files, copied, history: [{revision, written, kind, why, changes:
        [{measure, before, after}]}]}``; ``revised``: a number that counted has changed since; ``sealed``:
        None, ``inputs`` (it cannot be made again) or ``workers`` (the worker level is gone as well).
        """
        try:
            return self._record(f"{_of(day)}current.json")
        except ReportError as error:
            log.warning("%s; the newest revision says the same", error)
            return self.latest(day)  # and whoever writes the day next puts it right

    def table(self, day: date, name: str) -> pd.DataFrame:
        """Return a table of a day's current revision.

        :param name: one of :data:`TABLES`.
        :raises ReportError: the day has no report, or the table was removed.
        """
        from groundswell.reports.tables import read_parquet

        body = self.body(day, f"{name}.parquet")
        if body is None:
            raise ReportError(f"there is no table {name!r} for {day}")
        return read_parquet(body)

    def body(self, day: date, file: str, revision: int | None = None) -> bytes | None:
        """Return a file of a revision (the current one by default), or None where there is none.

        :param file: such as ``workers.csv`` or ``report.html``.
        """
        if revision is not None:
            record = self.revision(day, revision)
            return None if record is None else self.file(day, record, file)
        record, before = self.current(day), None
        while record is not None and record != before:
            if (found := self.file(day, record, file)) is not None or file not in record["files"]:
                return found
            # The files of a revision go when the next one has come, where it named somebody who was forgotten
            record, before = self.current(day), record
        return None

    def file(self, day: date, record: Mapping[str, Any], name: str) -> bytes | None:
        """Return a file of the revision that a record tells of, or None where there is none; one read."""
        if name not in record["files"]:
            return None
        return self.public.get(f"{_of(day)}{record['folder']}{name}")

    def revision(self, day: date, number: int) -> Record | None:
        """Return the record of one revision, or None.

        Its ``files`` may be gone since: for their age, or because a worker was forgotten.
        """
        return self._record(f"{_of(day)}revisions/{number}/record.json")

    def _record(self, key: str) -> Record | None:
        body = self.public.get(key)
        try:
            return None if body is None else dict(json.loads(body))
        except (TypeError, ValueError) as error:
            raise ReportError(
                f"{self.public.uri(key)} is damaged ({error}); restore it from a version or backup"
            ) from error

    def publish(
        self,
        day: date,
        files: Files,
        digest: str,
        totals: Totals,
        *,
        provisional: bool = False,
        why: str = "",
        kind: Kind | None = None,
        sealed: str | None = None,
        anew: bool = False,
        follows: int | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Published:
        """Make these files the current revision of a day, unless they are it already.

        Whatever dies in between, and whoever else publishes the day at the same time: a revision is whole,
        its number is given once, and calling this again puts right what was left undone.

        :param files: the files of the revision by name, or a function that makes them for its record.
        :param digest: of what the files say; the same digest as the current revision's writes nothing.
        :param totals: numbers of the whole day; the history says how they changed.
        :param provisional: the day is not over yet. A day that was over stays over.
        :param why: one sentence for the history.
        :param kind: told from the revision before where it is not given.
        :param sealed: see :meth:`current`; what was sealed stays so.
        :param anew: write a revision although it says the same.
        :param follows: the revision that the files were made after, 0 for none; None for whichever it is.
        :param more: what else the record says.
        :raises Overtaken: there is another revision than the one that this was to follow.
        :raises ReportError: others publish the same day all the time.
        """
        for _ in range(_TWINS):
            latest = self.latest(day)
            if follows is not None and follows != (latest["revision"] if latest else 0):
                raise Overtaken(f"the report of {day} was written by another meanwhile")
            record = _next(day, latest, digest, totals, provisional, kind, why) | dict(more or {})
            record["sealed"] = sealed or (latest or {}).get("sealed")
            if latest and not anew and all(latest[name] == record[name] for name in _SAYS):
                return Published(latest["revision"], False, self._point(day, latest))
            bodies = files(record) if callable(files) else files
            record["files"] = sorted(bodies)
            for name in _readable_first(bodies):
                # What a revision says is never written twice, not by a twin either
                self.public.put_if_absent(f"{_of(day)}{record['folder']}{name}", bodies[name])
            key = f"{_of(day)}revisions/{record['revision']}/record.json"
            # The store may have taken it, and its answer be lost: then the next try finds that it is there
            if self.public.put_if_absent(key, _encoded(record)) or self._record(key) == record:
                return Published(record["revision"], True, self._point(day, record))
            self._drop(day, record)
        raise ReportError(f"the report of {day} is being written by others all the time; run this again")

    def _drop(self, day: date, record: Record) -> None:
        """Remove the files of a revision whose number another one has got: it never comes to be."""
        other = self.revision(day, record["revision"])
        if other and other["folder"] != record["folder"] and isinstance(self.public, RemovableStore):
            for key in reversed(_readable_first(self.public.keys(f"{_of(day)}{record['folder']}"))):
                self.remove(key)

    def latest(self, day: date) -> Record | None:
        """Return the record of the newest revision that is whole, which ``current.json`` may not name yet."""
        numbers = [int(name) for name in self.public.folders(f"{_of(day)}revisions/") if name.isdecimal()]
        for number in sorted(numbers, reverse=True):
            if record := self.revision(day, number):
                return record
        return None

    def heal(self, day: date, *, anew: bool = False) -> Record | None:
        """Finish what a writer that died left undone; return the record of the current revision, or None.

        :param anew: copy the files to the names that stay whatever ``current.json`` says.
        """
        latest = self.latest(day)
        if latest is not None and anew:
            self._copy(day, latest)
        return None if latest is None else self._point(day, latest)

    def _point(self, day: date, record: Record) -> Record:
        """Copy a revision to the names that stay, and let ``current.json`` name it.

        Another writer may have got further meanwhile: who writes last looks last, so the newest one stays.
        """
        while self.current(day) != record | {"copied": True}:
            current = f"{_of(day)}current.json"
            self.public.put(current, _encoded(record | {"copied": False}))
            self._copy(day, record)
            self.public.put(current, _encoded(record | {"copied": True}))
            record = self.latest(day) or record
        return record

    def _copy(self, day: date, record: Record) -> None:
        for name in record["files"]:
            body = self.public.get(f"{_of(day)}{record['folder']}{name}")
            if body is not None:
                self.public.put(f"{_of(day)}{name}", body)
        for key in self.public.keys(_of(day)):
            name = key.removeprefix(_of(day))
            if "/" not in name and name != "current.json" and name not in record["files"]:
                self.remove(key)

    def clear_revisions(self, day: date, *, keep: int | None = None, file: str = "") -> int:
        """Remove the files of a day's revisions, but for those of revision ``keep``; the records stay.

        Returns how many were removed. Files that never became a revision go as well.

        :param file: only those of this name.
        """
        folder = f"{_of(day)}revisions/"
        kept = self.revision(day, keep) if keep is not None else None
        whole = f"{_of(day)}{kept['folder']}" if kept else None
        removed = 0
        for key in reversed(_readable_first(self.public.keys(folder))):
            wanted = key.endswith(f"/{file}") if file else not key.endswith("/record.json")
            if wanted and not (whole and key.startswith(whole)):
                self.remove(key)
                removed += 1
        return removed

    def remove(self, key: str) -> None:
        """Remove a public object. Raises ReportError where the store cannot."""
        self._removable(key).remove(key)

    def sweep(self, before: datetime) -> int:
        """See :meth:`groundswell.reports.parts.RemovableStore.sweep`."""
        return self._removable("").sweep(before)

    def leftovers(self, before: datetime) -> Iterator[str]:
        """Yield the keys of files, last written before a moment, of revisions that never came to be.

        One listing; records are read only where a revision's folder holds several, or no record.
        """
        found: dict[tuple[str, str], dict[str, list[str]]] = {}
        for key in self._removable("").older("days/", before):
            if part := _REVISION_FILE.match(key):
                of_revision = found.setdefault((part["day"], part["number"]), {})
                of_revision.setdefault(part["folder"], []).append(key)
        for (day, number), folders in found.items():
            if "record.json" in folders and len(folders) == 2:
                continue
            record = self.revision(date.fromisoformat(day), int(number))
            used = record["folder"].rstrip("/").rpartition("/")[2] if record else None
            for folder in folders.keys() - {"record.json", used}:
                yield from folders[folder]

    def _removable(self, key: str) -> RemovableStore:
        if not isinstance(self.public, RemovableStore):
            raise ReportError(f"{self.public.uri(key)} cannot be removed: the store was opened for readers")
        return self.public

    def months(self) -> list[str]:
        """Return the names of the months that have a report, such as ``2026-11``, in order."""
        return list(self.public.folders("months/"))

    def month(self, name: str) -> bytes | None:
        """Return the HTML report of a month, or None."""
        return self.public.get(f"months/{name}/report.html")


def _readable_first(names: Iterable[str]) -> list[str]:
    """Return names of files with those of Parquet last.

    Files are written in this order and removed in the other one: whatever dies in between, where there is a
    table as Parquet there is one as CSV, from which one can tell whom it names.
    """
    return sorted(names, key=lambda name: name.endswith(".parquet"))


def _of(day: date) -> str:
    return f"days/{day.isoformat()}/"


def _encoded(record: Record) -> bytes:
    return json.dumps(record, indent=2, ensure_ascii=True, sort_keys=True, allow_nan=False).encode()


def _next(
    day: date,
    latest: Record | None,
    digest: str,
    totals: Totals,
    provisional: bool,
    kind: Kind | None,
    why: str,
) -> Record:
    """Return the record of the revision that would follow."""
    provisional = provisional and (latest is None or latest["provisional"])
    number = latest["revision"] + 1 if latest else 1
    kind = kind or _kind(latest, provisional)
    written = datetime.now(UTC).isoformat(timespec="seconds")
    entry = {
        "revision": number,
        "written": written,
        "kind": kind,
        "why": why or _WHY[kind],
        "changes": _changes(latest["totals"], totals) if latest else [],
    }
    history = [*(latest["history"] if latest else []), entry]
    return {
        "schema": SCHEMA,
        "day": day.isoformat(),
        "revision": number,
        "kind": kind,
        "why": entry["why"],
        "written": written,
        "provisional": provisional,
        "revised": any(each["kind"] == "revised" for each in history),
        "digest": digest,
        "totals": dict(totals),
        "history": history,
        "folder": f"revisions/{number}/{digest[:16]}/",
    }


def _kind(latest: Record | None, provisional: bool) -> Kind:
    if provisional:
        return "provisional"
    if latest is None:
        return "first"
    return "final" if latest["provisional"] else "revised"


def _changes(before: Totals, after: Totals) -> list[dict[str, Any]]:
    """Return which measures changed; one that only one of both has is new or gone, and did not change."""
    return [
        {"measure": name, "before": before[name], "after": after[name]}
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    ]
