"""Which runs of the batches the reports know to the end: how each stood when its days were last written.

::

    ledgers/<batch>-<digest of where its ledgers are>.json        below the private URI; one for all its runs

A run of the reports looks at all runs first, and notes what it is about to write. That counts only once all
of its days are written: whatever dies in between leaves the mark as it was, and the days are written again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowException

from groundswell.aws.reporting.opening import document, put_document
from groundswell.batches.model import Batch
from groundswell.ledger import PartStore

_FOLDER = "ledgers/"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """How a run stood when it was looked at.

    Attributes:
        progress: when its ``progress.json`` was written, as it says; None where there is none.
        summary: the same of its ``summary.json``.
        beside: digest of what others than its own tasks did to it, as far as one can tell; "" for nothing.
        objects: how many its ledger has, until it is finished: a task that died has not told of the last.
    """

    progress: str | None = None
    summary: str | None = None
    beside: str = ""
    objects: int | None = None

    @property
    def told(self) -> bool:
        """Whether the run has left a document, which will tell of what happens next."""
        return (self.progress, self.summary) != (None, None)

    @property
    def finished(self) -> bool:
        """Whether the run was summed up after all else: what goes on again writes its progress first."""
        return self.summary is not None and (self.progress or "") <= self.summary


@dataclass(frozen=True)
class Mark:
    """What the reports know of a run.

    Attributes:
        standing: how it stood when its ledger was looked at.
        earliest: when the first of its answers was begun; None where it has none.
        latest: when the last of them was begun or handed in.
        left: its days until this one are still to be written from that standing; None for none.
        by: when the run of the reports began that is at work on it; "" for none.
        then: what ``left`` will be after that run.
        read: whether that run has read it for its days.
    """

    standing: Standing
    earliest: datetime | None
    latest: datetime | None
    left: date | None
    by: str = ""
    then: date | None = None
    read: bool = False

    def touches(self, begin: datetime, end: datetime) -> bool:
        """Return whether the run may have answers from a time until another (exclusive)."""
        if self.earliest is None or self.latest is None:
            return False
        return self.earliest < end and self.latest >= begin

    def begun(self, by: str, left: date | None) -> Mark:
        """Return the mark with what will hold after a run of the reports."""
        return replace(self, by=by, then=left, read=False)

    def given_up(self) -> Mark:
        """Return the mark as it is without a run of the reports that may come to its end."""
        return replace(self, by="", then=None, read=False)

    def reported(self) -> Mark:
        """Return the mark as it is once that run has written all its days."""
        return replace(self.given_up(), left=self.then)

    def row(self) -> dict[str, Any]:
        """Return it as JSON can carry it."""
        found: dict[str, Any] = {
            "progress": self.standing.progress,
            "summary": self.standing.summary,
            "earliest": _text(self.earliest),
            "latest": _text(self.latest),
            "left": _text(self.left),
        }
        if self.standing.beside:
            found["beside"] = self.standing.beside
        if self.standing.objects is not None:
            found["objects"] = self.standing.objects
        if self.by:
            found["next"] = {"by": self.by, "left": _text(self.then), "read": self.read}
        return found

    @classmethod
    def of(cls, row: Any) -> Mark:
        """Return what :meth:`row` made of a mark. Raises KeyError, TypeError or ValueError for another."""
        beside, objects = str(row.get("beside", "")), row.get("objects")
        standing = Standing(row["progress"], row["summary"], beside, objects)
        earliest, latest = (_moment(row[name]) for name in ("earliest", "latest"))
        mark = cls(standing, earliest, latest, _day(row["left"]))
        if following := row.get("next"):
            mark = mark.begun(str(following["by"]), _day(following["left"]))
            mark = replace(mark, read=bool(following["read"]))
        return mark


class Marks:
    """
    The marks of all batches, in the store below the private URI.

    Two that write them at the same time leave those of one: what is lost of the other's is found again.
    """

    def __init__(self, private: PartStore) -> None:
        self._store = private

    def of(self, batch: Batch) -> dict[str, Mark]:
        """Return the marks of a batch by run id; what is damaged is as if it was never there."""
        return self._read(_key(batch))

    def keep(self, batch: Batch, marks: Mapping[str, Mark]) -> None:
        """Replace the marks of a batch."""
        self._write(_key(batch), marks)

    def read(self, batch: Batch, by: str, run_ids: Collection[str]) -> None:
        """Note which runs of a batch a run of the reports has read, for all the days that it writes."""
        marks = self.of(batch)
        some = {run_id: marks[run_id] for run_id in run_ids if run_id in marks}
        found = {run_id: replace(mark, read=True) for run_id, mark in some.items() if mark.by == by}
        if found:
            self.keep(batch, marks | found)

    def failed(self, batch: Batch, run_ids: Collection[str] | None) -> None:
        """Note that some runs of a batch, or all (None), are missing in days that are about to be written."""
        marks = self.of(batch)
        some = {run_id: mark for run_id, mark in marks.items() if run_ids is None or run_id in run_ids}
        due = {run_id: replace(mark.given_up(), left=date.max) for run_id, mark in some.items()}
        if due:
            self.keep(batch, marks | due)

    def reported(self, by: str) -> int:
        """
        Mark as reported what a run of the reports has read; return how many runs of batches that were.

        :param by: when that run began.
        """
        count = 0
        for key in list(self._store.keys(_FOLDER)):
            marks = self._read(key)
            at_work = {run_id: mark for run_id, mark in marks.items() if mark.by == by and mark.read}
            if at_work:
                self._write(key, marks | {run_id: mark.reported() for run_id, mark in at_work.items()})
            count += len(at_work)
        return count

    def _read(self, key: str) -> dict[str, Mark]:
        try:
            return {run_id: Mark.of(row) for run_id, row in (document(self._store, key) or {}).items()}
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            log.warning("%s is damaged (%r): all runs are read anew", self._store.uri(key), error)
            return {}

    def _write(self, key: str, marks: Mapping[str, Mark]) -> None:
        try:
            put_document(self._store, key, {run_id: mark.row() for run_id, mark in marks.items()})
        except (AirflowException, OSError) as error:
            log.warning("%s cannot be written (%s): its runs are read each time", self._store.uri(key), error)


def _key(batch: Batch) -> str:
    # Of one name there may be batches in several places
    return f"{_FOLDER}{batch.name}-{hashlib.sha256(batch.state.encode()).hexdigest()[:12]}.json"


def _text(when: date | None) -> str | None:
    if isinstance(when, datetime):
        return when.astimezone(UTC).isoformat()
    return None if when is None else when.isoformat()


def _moment(text: Any) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(text: Any) -> date | None:
    return None if text is None else date.fromisoformat(text)
