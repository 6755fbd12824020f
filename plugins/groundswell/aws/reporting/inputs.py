"""What the reports are made of, as it was collected: below the private URI, since it holds raw ids.

::

    inputs/<day>/activity/<digest>.parquet   events; parts are only added, each with what no other part has
    inputs/<day>/ledger/…  workteam/…  jobs/…     what the source said last
    inputs/<day>/sources/<source>/…               how reading it went, and what was wrong
    names.json                                    names by raw id, if they are shown

How the newest of several readings is told is said in :mod:`groundswell.aws.reporting.snapshots`, what becomes
of damaged objects in :mod:`groundswell.aws.reporting.damage`.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from groundswell.aws.reporting import damage
from groundswell.aws.reporting.event_rows import in_order, minus, numbered, to_parquet, told_apart
from groundswell.aws.reporting.opening import Reports, document, put_document
from groundswell.aws.reporting.snapshots import Reading, Snapshots, begin, end, number_of
from groundswell.reports import schema
from groundswell.reports.names import FORGOTTEN, Pseudonyms
from groundswell.reports.parts import RemovableStore
from groundswell.reports.problems import Problem, merged

if TYPE_CHECKING:
    import pandas as pd

    from groundswell.reports.workteam import Point

_NAMES = "names.json"
#: Snapshots by what changed in them, in the words of a history.
_SNAPSHOTS = {
    "ledger": "ledgers",
    "workteam": "metrics of teams",
    "jobs": "labeling jobs",
}

log = logging.getLogger(__name__)


class Inputs:
    """
    The inputs of all days.

    :param private: the store below the private URI.
    :param pseudonyms: know who was deleted: nothing that is kept here names them again.
    """

    def __init__(self, private: RemovableStore, pseudonyms: Pseudonyms) -> None:
        self.store = private
        self._pseudonyms = pseudonyms
        self._snapshots = Snapshots(private)
        self._reading: Reading | None = None

    @classmethod
    def of(cls, reports: Reports) -> Inputs:
        """Return the inputs of these reports."""
        return cls(reports.private, reports.pseudonyms)

    @classmethod
    def reading(cls, reports: Reports) -> Inputs:
        """Return the inputs for whoever begins to read a source now: what an older reading says gives way."""
        inputs = cls.of(reports)
        inputs._reading = begin(inputs.store)
        return inputs

    def end(self) -> None:
        """Say that all that was read is kept."""
        if self._reading is not None:
            end(self.store, self._reading)

    def add_activity(self, day: date, rows: pd.DataFrame) -> int:
        """
        Keep those events of a day that are not known yet; return how many they were.

        :param rows: ``schema.ACTIVITY``, all events of the day that a pull gave. Equal rows in one pull are
            as many events; rows that equal those of an earlier pull are the same ones again. Where there
            are some, they take the place of what was kept and is damaged.
        """
        if not len(rows):
            return 0
        known, damaged = self._parts(day)
        new = self._not_in(known, rows)
        written = self._write_activity(day, new) if len(new) else ""
        for key in damaged:
            if key != written:
                damage.set_aside(self.store, key)
                self.store.remove(key)
        return len(new)

    def count_new(self, day: date, rows: pd.DataFrame) -> int:
        """Return how many events of a day are not known, as :meth:`add_activity` would, and keep none."""
        return len(self._not_in(self._activity(day), rows))

    def _not_in(self, known: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        return minus(numbered(self._without_forgotten(schema.ACTIVITY.conform(rows))), known)

    def activity(self, day: date) -> pd.DataFrame:
        """Return the events of a day, ``schema.ACTIVITY``, in no order. Raises DamagedInput."""
        return schema.ACTIVITY.conform(self._activity(day))

    def _activity(self, day: date) -> pd.DataFrame:
        known, damaged = self._parts(day)
        for error in damaged.values():
            raise error
        return known

    def _parts(self, day: date) -> tuple[pd.DataFrame, dict[str, damage.DamagedInput]]:
        """Return the events of a day, and which parts cannot be read."""
        import pandas as pd

        frames, damaged = [], {}
        for key in self._activity_keys(day):
            try:
                part = self._read(key)
            except damage.DamagedInput as error:
                damaged[key] = error
            else:
                frames += [] if part is None else [told_apart(self._without_forgotten(part))]
        if not frames:
            return numbered(schema.ACTIVITY.empty()), damaged
        # Twins may have written one event twice, each in a part of its own
        return pd.concat(frames, ignore_index=True).drop_duplicates(ignore_index=True), damaged

    def _activity_keys(self, day: date) -> list[str]:
        return list(self.store.keys(f"{_of(day)}activity/"))

    def _write_activity(self, day: date, rows: pd.DataFrame) -> str:
        body = to_parquet(in_order(rows))
        key = f"{_of(day)}activity/{hashlib.sha256(body).hexdigest()[:32]}.parquet"
        if not self.store.put_if_absent(key, body) and self.store.get(key) != body:
            damage.set_aside(self.store, key)
            self.store.put(key, body)
        return key

    def put_ledger(self, day: date, rows: pd.DataFrame) -> None:
        """Replace what the ledgers say of a day, ``schema.ACTIVITY``."""
        rows = self._without_forgotten(schema.ACTIVITY.conform(rows))
        self._put(day, "ledger", to_parquet(in_order(rows)) if len(rows) else b"", ".parquet")

    def ledger(self, day: date) -> pd.DataFrame:
        """Return what the ledgers said of a day, ``schema.ACTIVITY``."""
        key, body = self._snapshots.get(f"{_of(day)}ledger") or ("", b"")
        if not body:
            return schema.ACTIVITY.empty()
        return schema.ACTIVITY.conform(self._without_forgotten(self._rows(key, body)))

    def put_workteam(self, day: date, points: Iterable[Point]) -> None:
        """Replace what the metrics of teams say of a day."""
        rows = self._points_without_forgotten(points)
        self._put(day, "workteam", _json(rows) if rows else b"")

    def workteam(self, day: date) -> list[Point]:
        """Return what the metrics of teams said of a day."""
        return self._points_without_forgotten(self._document(day, "workteam") or ())

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
        self._put(day, "jobs", _json(json.loads(json.dumps(rows, default=str))))

    def jobs(self, day: date) -> list[dict[str, Any]]:
        """Return what is known of a day's labeling jobs."""
        return self._document(day, "jobs") or []

    def put_source(self, day: date, source: str, state: str, problems: Iterable[Problem] = ()) -> None:
        """Replace how reading one source went for a day, and what was wrong with it."""
        rows = [asdict(problem) | {"day": day.isoformat()} for problem in merged(problems)]
        self._put(day, f"sources/{source}", _json({"state": state, "problems": rows}))

    def states(self, day: date) -> dict[str, str]:
        """Return how reading each source went for a day: ``read``, ``absent`` or ``off``."""
        return {source: known["state"] for source, known in self._sources(day)}

    def problems(self, day: date) -> list[Problem]:
        """Return what was wrong with the sources on a day."""
        rows = [row for _, known in self._sources(day) for row in known["problems"]]
        told = (Problem(**row | {"day": day}) for row in rows)
        return merged([*told, *damage.of_day(self.store.keys(damage.folder(day)), day)])

    def _sources(self, day: date, kept: Snapshots | None = None) -> list[tuple[str, dict[str, Any]]]:
        kept = kept or Snapshots(self.store, f"{_of(day)}sources/")
        known = ((name, _source(kept, day, name)) for name in kept.names(f"{_of(day)}sources/"))
        return [(name, each) for name, each in known if each]

    def _document(self, day: date, name: str) -> Any:
        return _document(self._snapshots, day, name)

    def _put(self, day: date, name: str, body: bytes, suffix: str = ".json") -> None:
        if self._reading is None:
            self._reading = begin(self.store)
        self._snapshots.put(f"{_of(day)}{name}", self._reading, body, suffix)

    def put_names(self, names: Mapping[str, str], seen: date) -> None:
        """Add names by raw id; who was deleted gets none.

        :param seen: the last day on which these workers may have worked.
        """
        before = self._known_names()
        known = dict(before)
        for worker, name in names.items():
            last = max(seen.isoformat(), known.get(worker, {}).get("seen", ""))
            known[str(worker)] = {"name": str(name), "seen": last}
        self._keep_names(before, known)

    def keep_names(self, since: date) -> None:
        """Remove the names of those who were deleted, and of who has not worked since a day."""
        before = self._known_names()
        if not before and self.store.get(_NAMES) not in (None, b"{}"):
            self.store.remove(_NAMES)  # damaged: nobody can tell whom it names
            return
        seen = {worker: name for worker, name in before.items() if name["seen"] >= since.isoformat()}
        self._keep_names(before, seen)

    def _keep_names(self, before: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        kept = {worker: each for worker, each in known.items() if not self._pseudonyms.is_forgotten(worker)}
        if kept != before:  # else what another run adds at this moment would be lost
            put_document(self.store, _NAMES, kept)

    def names(self) -> dict[str, str]:
        """Return names by raw id."""
        return {worker: each["name"] for worker, each in self._known_names().items()}

    def _known_names(self) -> dict[str, Any]:
        try:
            return document(self.store, _NAMES) or {}
        except ValueError:
            log.warning("%s is damaged: names are looked up anew", self.store.uri(_NAMES))
            return {}

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
        kept = Snapshots(self.store, _of(day))
        events = " ".join(kept.listed(f"{_of(day)}activity/"))
        found = {"events": hashlib.sha256(events.encode()).hexdigest()[:16]}
        for name, words in _SNAPSHOTS.items():
            known = kept.get(f"{_of(day)}{name}")
            found[words] = _short(known[1] if known else None)
        spoiled = damage.of_day(kept.listed(damage.folder(day)), day)
        told = [*self._sources(day, kept), *map(asdict, spoiled)]
        sources = json.dumps(told, sort_keys=True, default=str)
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
        known = Snapshots(self.store, _of(day))
        keys = known.listed(f"{_of(day)}activity/")
        changed = self._forget_snapshots(day, known)
        if not any(self._names_forgotten(key) for key in keys):
            return changed
        kept = self._write_activity(day, self._activity(day))
        for key in keys:
            if key != kept:
                self.store.remove(key)
        return True

    def _forget_snapshots(self, day: date, kept: Snapshots) -> bool:
        changed = False
        for name in _SNAPSHOTS:
            if len(kept.keys(f"{_of(day)}{name}")) > 1:
                kept.get(f"{_of(day)}{name}")  # where the last is damaged, the one before is all that is left
                kept.drop_older(f"{_of(day)}{name}")
        ledger = kept.get(f"{_of(day)}ledger")
        if ledger and ledger[1] and self._forgotten_in(self._rows(*ledger, ["worker"])):
            self._put_again(day, "ledger", ledger[0], to_parquet(in_order(self.ledger(day))), ".parquet")
            changed = True
        workteam = kept.get(f"{_of(day)}workteam")
        points = json.loads(workteam[1]) if workteam and workteam[1] else []
        if workteam and points != (known := self._points_without_forgotten(points)):
            self._put_again(day, "workteam", workteam[0], _json(known))
            changed = True
        return changed

    def _put_again(self, day: date, name: str, key: str, body: bytes, suffix: str = ".json") -> None:
        """Replace what a reading said by the same without those who were deleted, under its number."""
        prefix = f"{_of(day)}{name}"
        self._snapshots.put(prefix, Reading(number_of(key, prefix)), body, suffix)

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

    def _read(self, key: str, columns: list[str] | None = None) -> pd.DataFrame | None:
        body = self.store.get(key)
        if body is None:
            return None
        damage.check_whole(self.store, key, body)
        return self._rows(key, body, columns)

    def _rows(self, key: str, body: bytes, columns: list[str] | None = None) -> pd.DataFrame:
        import pandas as pd

        return damage.parsed(self.store, key, lambda: pd.read_parquet(io.BytesIO(body), columns=columns))


def _of(day: date) -> str:
    return f"inputs/{day.isoformat()}/"


def _document(kept: Snapshots, day: date, name: str) -> Any:
    found = kept.get(f"{_of(day)}{name}")
    return json.loads(found[1]) if found and found[1] else None


def _source(kept: Snapshots, day: date, name: str) -> Any:
    try:
        return _document(kept, day, f"sources/{name}")
    except damage.DamagedInput as error:
        log.warning("%s", error)  # no numbers depend on it
        return None


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False).encode()


def _short(body: bytes | None) -> str:
    return "" if not body else hashlib.sha256(body).hexdigest()[:16]
