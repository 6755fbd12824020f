"""What the reports are made of, as it was collected: below the private URI, since it holds raw ids.

::

    inputs/<day>/activity/<digest>.parquet   events; parts are only added, each with what no other part has
    inputs/<day>/ledger.parquet  workteam.json  jobs.json             what the source said last
    inputs/<day>/sources/<source>.json                                how reading it went, and what was wrong
    names.json                                                         names by raw id, if they are shown
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from groundswell.aws.reporting.opening import Reports, document, put_document
from groundswell.reports import schema
from groundswell.reports.names import FORGOTTEN, Pseudonyms
from groundswell.reports.parts import RemovableStore
from groundswell.reports.problems import Problem, merged

if TYPE_CHECKING:
    import pandas as pd

    from groundswell.reports.columns import Table
    from groundswell.reports.workteam import Point

_NAMES = "names.json"
#: Tells events apart that are equal in all that is kept of them.
_COPY = "copy"
#: What the log tells of an event; the other columns are those of ledgers.
_FROM_LOG = tuple(schema.ACTIVITY.names[: schema.ACTIVITY.names.index("item") + 1])
#: Snapshots by what changed in them, in the words of a history.
_SNAPSHOTS = {
    "ledger.parquet": "ledgers",
    "workteam.json": "metrics of teams",
    "jobs.json": "labeling jobs",
}


class Inputs:
    """
    The inputs of all days.

    :param private: the store below the private URI.
    :param pseudonyms: know who was deleted: nothing that is kept here names them again.
    """

    def __init__(self, private: RemovableStore, pseudonyms: Pseudonyms) -> None:
        self.store = private
        self._pseudonyms = pseudonyms

    @classmethod
    def of(cls, reports: Reports) -> Inputs:
        """Return the inputs of these reports."""
        return cls(reports.private, reports.pseudonyms)

    def add_activity(self, day: date, rows: pd.DataFrame) -> int:
        """
        Keep those events of a day that are not known yet; return how many they were.

        :param rows: ``schema.ACTIVITY``, all events of the day that a pull gave. Equal rows in one pull are
            as many events; rows that equal those of an earlier pull are the same ones again.
        """
        new = self._new_activity(day, rows)
        if len(new):
            self._write_activity(day, new)
        return len(new)

    def count_new(self, day: date, rows: pd.DataFrame) -> int:
        """Return how many events of a day are not known, as :meth:`add_activity` would, and keep none."""
        return len(self._new_activity(day, rows))

    def _new_activity(self, day: date, rows: pd.DataFrame) -> pd.DataFrame:
        rows = _numbered(self._without_forgotten(schema.ACTIVITY.conform(rows)))
        return _minus(rows, self._activity(day))

    def activity(self, day: date) -> pd.DataFrame:
        """Return the events of a day, ``schema.ACTIVITY``, in no order."""
        return schema.ACTIVITY.conform(self._activity(day))

    def _activity(self, day: date) -> pd.DataFrame:
        import pandas as pd

        parts = [self._read(key) for key in self._activity_keys(day)]
        frames = [_told_apart(self._without_forgotten(part)) for part in parts if part is not None]
        if not frames:
            return _numbered(schema.ACTIVITY.empty())
        # Twins may have written one event twice, each in a part of its own
        return pd.concat(frames, ignore_index=True).drop_duplicates(ignore_index=True)

    def _activity_keys(self, day: date) -> list[str]:
        return list(self.store.keys(f"{_of(day)}activity/"))

    def _write_activity(self, day: date, rows: pd.DataFrame) -> str:
        body = _parquet(rows.sort_values(list(rows.columns), kind="stable", ignore_index=True))
        key = f"{_of(day)}activity/{hashlib.sha256(body).hexdigest()[:32]}.parquet"
        self.store.put_if_absent(key, body)
        return key

    def put_ledger(self, day: date, rows: pd.DataFrame) -> None:
        """Replace what the ledgers say of a day, ``schema.ACTIVITY``."""
        rows = self._without_forgotten(schema.ACTIVITY.conform(rows))
        self._put_snapshot(day, "ledger.parquet", rows)

    def ledger(self, day: date) -> pd.DataFrame:
        """Return what the ledgers said of a day, ``schema.ACTIVITY``."""
        return self._snapshot(day, "ledger.parquet", schema.ACTIVITY)

    def put_workteam(self, day: date, points: Iterable[Point]) -> None:
        """Replace what the metrics of teams say of a day."""
        key = f"{_of(day)}workteam.json"
        rows = self._points_without_forgotten(points)
        if rows or self.store.get(key) is not None:
            put_document(self.store, key, rows)

    def workteam(self, day: date) -> list[Point]:
        """Return what the metrics of teams said of a day."""
        return self._points_without_forgotten(document(self.store, f"{_of(day)}workteam.json") or ())

    def _points_without_forgotten(self, points: Iterable[Point]) -> list[Point]:
        """Return points with those of all who were deleted added up, in an order that does not vary."""
        found: dict[str, Point] = {}
        for point in points:
            dimensions = {name: self._not_forgotten(value) for name, value in point["dimensions"].items()}
            known: Point = {**point, "dimensions": dimensions}
            key = json.dumps({**known, "sum": 0}, sort_keys=True)
            if FORGOTTEN in dimensions.values() and key in found:
                known["sum"] += found[key]["sum"]
            found[key] = known
        return [found[key] for key in sorted(found)]

    def _not_forgotten(self, value: str) -> str:
        return FORGOTTEN if self._pseudonyms.is_forgotten(value) else value

    def put_jobs(self, day: date, jobs: Sequence[Mapping[str, Any]]) -> None:
        """Replace what is known of a day's labeling jobs, rows of ``schema.JOBS``."""
        rows = sorted(
            (dict(job) for job in jobs), key=lambda job: json.dumps(job, sort_keys=True, default=str)
        )
        put_document(self.store, f"{_of(day)}jobs.json", json.loads(json.dumps(rows, default=str)))

    def jobs(self, day: date) -> list[dict[str, Any]]:
        """Return what is known of a day's labeling jobs."""
        return document(self.store, f"{_of(day)}jobs.json") or []

    def put_source(self, day: date, source: str, state: str, problems: Iterable[Problem] = ()) -> None:
        """Replace how reading one source went for a day, and what was wrong with it."""
        rows = [asdict(problem) | {"day": day.isoformat()} for problem in merged(problems)]
        put_document(self.store, f"{_of(day)}sources/{source}.json", {"state": state, "problems": rows})

    def states(self, day: date) -> dict[str, str]:
        """Return how reading each source went for a day: ``read``, ``absent`` or ``off``."""
        return {source: known["state"] for source, known in self._sources(day)}

    def problems(self, day: date) -> list[Problem]:
        """Return what was wrong with the sources on a day."""
        rows = [row for _, known in self._sources(day) for row in known["problems"]]
        return merged(Problem(**row | {"day": day}) for row in rows)

    def _sources(self, day: date) -> list[tuple[str, dict[str, Any]]]:
        prefix = f"{_of(day)}sources/"
        known = ((key, document(self.store, key)) for key in self.store.keys(prefix))
        return [(key.removeprefix(prefix).removesuffix(".json"), each) for key, each in known if each]

    def put_names(self, names: Mapping[str, str], seen: date) -> None:
        """Add names by raw id; who was deleted gets none.

        :param seen: the last day on which these workers may have worked.
        """
        known = document(self.store, _NAMES) or {}
        for worker, name in names.items():
            last = max(seen.isoformat(), known.get(worker, {}).get("seen", ""))
            known[str(worker)] = {"name": str(name), "seen": last}
        self._keep_names(known)

    def keep_names(self, since: date) -> None:
        """Remove the names of those who were deleted, and of who has not worked since a day."""
        known = document(self.store, _NAMES)
        if known is not None:
            seen = {worker: name for worker, name in known.items() if name["seen"] >= since.isoformat()}
            self._keep_names(seen)

    def _keep_names(self, known: Mapping[str, Any]) -> None:
        kept = {worker: each for worker, each in known.items() if not self._pseudonyms.is_forgotten(worker)}
        put_document(self.store, _NAMES, kept)

    def names(self) -> dict[str, str]:
        """Return names by raw id."""
        return {worker: each["name"] for worker, each in (document(self.store, _NAMES) or {}).items()}

    def drop_names(self) -> bool:
        """Remove all names; return whether there were any."""
        if self.store.get(_NAMES) is None:
            return False
        self.store.remove(_NAMES)
        return True

    def pools(self, day: date) -> dict[str, set[str]]:
        """Return the raw ids in the events of a day, by the Cognito user pool that they name."""
        rows = self.activity(day)[["pool", "worker"]].drop_duplicates()
        found: dict[str, set[str]] = {}
        for pool, worker in zip(rows["pool"], rows["worker"], strict=True):
            if pool and worker and worker != FORGOTTEN:
                found.setdefault(str(pool), set()).add(str(worker))
        return found

    def workers(self, day: date) -> set[str]:
        """Return the raw ids in what was collected of a day; metrics may give other ids with them."""
        found = set(self.activity(day)["worker"]) | set(self.ledger(day)["worker"])
        for point in self.workteam(day):
            found |= set(point["dimensions"].values())
        return {str(worker) for worker in found} - {"", FORGOTTEN}

    def digests(self, day: date) -> dict[str, str]:
        """Return a digest of each kind of input of a day, by what it is called in a history."""
        found = {"events": hashlib.sha256(" ".join(self._activity_keys(day)).encode()).hexdigest()[:16]}
        for name, words in _SNAPSHOTS.items():
            found[words] = _short(self.store.get(f"{_of(day)}{name}"))
        sources = json.dumps(self._sources(day), sort_keys=True)
        return found | {"problems of the sources": _short(sources.encode())}

    def days(self) -> list[date]:
        """Return the days of which there are inputs, in order."""
        return [date.fromisoformat(name) for name in self.store.folders("inputs/")]

    def remove(self, day: date) -> int:
        """Remove the inputs of a day; return how many objects they were."""
        keys = list(self.store.keys(_of(day)))
        for key in keys:
            self.store.remove(key)
        return len(keys)

    def forget(self, day: date) -> bool:
        """
        Write the inputs of a day anew without those who were deleted; return whether that changed them.

        Their events stay, as those of somebody forgotten: the numbers of teams and jobs do not change. A
        crash in between leaves parts that name them, which reading hides and the next call removes.
        """
        changed = self._forget_snapshots(day)
        keys = self._activity_keys(day)
        if not any(self._names_forgotten(key) for key in keys):
            return changed
        kept = self._write_activity(day, self._activity(day))
        for key in keys:
            if key != kept:
                self.store.remove(key)
        return True

    def _forget_snapshots(self, day: date) -> bool:
        changed = False
        if self._names_forgotten(f"{_of(day)}ledger.parquet"):
            self.put_ledger(day, self.ledger(day))
            changed = True
        points = document(self.store, f"{_of(day)}workteam.json") or []
        if points != self.workteam(day):
            self.put_workteam(day, points)
            changed = True
        return changed

    def _names_forgotten(self, key: str) -> bool:
        rows = self._read(key, ["worker"])
        return rows is not None and bool(self._forgotten_in(rows))

    def _forgotten_in(self, rows: pd.DataFrame) -> list[str]:
        """Return the raw ids in these rows that belong to workers who were deleted."""
        workers = [str(worker) for worker in rows["worker"].unique()]
        return [worker for worker in workers if self._pseudonyms.is_forgotten(worker)]

    def _without_forgotten(self, rows: pd.DataFrame) -> pd.DataFrame:
        gone = self._forgotten_in(rows)
        if not gone:
            return rows
        return rows.assign(worker=rows["worker"].where(~rows["worker"].isin(gone), FORGOTTEN))

    def _put_snapshot(self, day: date, name: str, rows: pd.DataFrame) -> None:
        key = f"{_of(day)}{name}"
        known = self.store.get(key)
        if known is None and len(rows) == 0:
            return
        body = _parquet(rows.sort_values(list(rows.columns), kind="stable", ignore_index=True))
        if known != body:
            self.store.put(key, body)

    def _read(self, key: str, columns: list[str] | None = None) -> pd.DataFrame | None:
        import pandas as pd

        body = self.store.get(key)
        return None if body is None else pd.read_parquet(io.BytesIO(body), columns=columns)

    def _snapshot(self, day: date, name: str, table: Table) -> pd.DataFrame:
        rows = self._read(f"{_of(day)}{name}")
        return table.empty() if rows is None else table.conform(self._without_forgotten(rows))


def _of(day: date) -> str:
    return f"inputs/{day.isoformat()}/"


def _parquet(rows: pd.DataFrame) -> bytes:
    body = io.BytesIO()
    rows.to_parquet(body, index=False)
    return body.getvalue()


def _short(body: bytes | None) -> str:
    return "" if body is None else hashlib.sha256(body).hexdigest()[:16]


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of events from the log, and a number that tells equal rows apart: 0, 1, …."""
    rows = rows[list(_FROM_LOG)].reset_index(drop=True)
    numbers = rows.assign(**{_COPY: 0})[_COPY]
    again = rows.duplicated(keep=False)
    if again.any():
        some = rows[again]
        numbers[again] = some.groupby(list(_FROM_LOG), dropna=False, sort=False).cumcount()
    return rows.assign(**{_COPY: numbers})


def _told_apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a part; those of several workers who were deleted may be alike, and stay as many."""
    if not rows.duplicated().any():
        return rows
    columns = list(_FROM_LOG)
    alike = rows.duplicated(columns, keep=False) & (rows["worker"] == FORGOTTEN)
    numbers = rows[_COPY].copy()
    numbers[alike] = rows[alike].groupby(columns, dropna=False, sort=False).cumcount()
    return rows.assign(**{_COPY: numbers})


def _minus(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are not known."""
    import pandas as pd

    if not len(known):
        return rows
    both = pd.concat([known, rows], ignore_index=True)
    return rows[~both.duplicated().to_numpy()[len(known) :]]
