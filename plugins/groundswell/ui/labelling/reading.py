"""What the Labelling page reads, and what may go wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from groundswell.batches.model import Batch
from groundswell.errors import GroundswellError
from groundswell.ledger import Ledger, PartStore
from groundswell.ui.problems import NotFound, PageProblem, Unavailable
from groundswell.ui.sources import BatchFile, Kept, Sources
from groundswell.views.overview import RunOverview, overview, overviews

#: Runs of a batch that the list of batches shows.
NEWEST = 6
#: Batches that are read at once: each waits for a store far away.
_READERS = 8
#: Seconds for which people who look at the same time share what was read.
_SHARED = 3.0
#: Seconds after which it is looked again whether workers were forgotten.
_NAMED = 60.0


@dataclass(frozen=True)
class BatchRuns:
    """A batch and its newest runs, newest first; or the problem that kept them from being read."""

    file: BatchFile
    runs: Sequence[RunOverview] = ()
    problem: str = ""


@dataclass(frozen=True)
class Run:
    """One run of one batch, and where its record is."""

    file: BatchFile
    batch: Batch
    run_id: str
    store: PartStore

    @property
    def ledger(self) -> Ledger:
        """The record."""
        return Ledger(self.store, self.batch.name, self.run_id)

    @property
    def address(self) -> dict[str, str]:
        """The parameters that lead to this run."""
        return {"batch": self.batch.name, "run_id": self.run_id}


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn what goes wrong with a store or a connection into a page that says so."""
    try:
        yield
    except PageProblem:
        raise
    except GroundswellError as error:
        raise Unavailable(str(error)) from error
    except OSError as error:
        raise Unavailable(f"{what} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        if not _is_airflows(error):
            raise
        raise Unavailable(str(error)) from error


def _is_airflows(error: Exception) -> bool:
    """Return whether an error is Airflow's own: a connection that is missing, a store that refused."""
    exceptions = sys.modules.get("airflow.sdk.exceptions")  # not loaded: nothing of it can have been raised
    return exceptions is not None and isinstance(error, exceptions.AirflowException)


class Reader:
    """Reads for all users of the app; what is read at the same time is read once."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._newest: Kept[BatchRuns] = Kept(_SHARED)
        self._names: Kept[Callable[[str], str]] = Kept(_NAMED)
        self._one: Kept[RunOverview | None] = Kept(_SHARED)

    def pseudonym(self) -> Callable[[str], str]:
        """Return what turns a worker's id into what people see."""
        return self._names.get("", self.sources.pseudonyms)

    def batches(self, files: Sequence[BatchFile]) -> list[BatchRuns]:
        """Return these batches with their newest runs; what cannot be read does not hide the others."""
        with ThreadPoolExecutor(_READERS) as readers:
            return list(readers.map(self._runs, files))

    def _runs(self, file: BatchFile) -> BatchRuns:
        batch = file.batch
        if batch is None:
            return BatchRuns(file, problem=file.error)
        return self._newest.get((file.path, batch.state), lambda: self._read(file, batch))

    def _read(self, file: BatchFile, batch: Batch) -> BatchRuns:
        try:
            with reading("the record"):
                return BatchRuns(file, overviews(self.sources.store(batch), batch.name, NEWEST))
        except PageProblem as problem:
            return BatchRuns(file, problem=problem.text)

    def newest(self, batch: Batch, limit: int) -> list[RunOverview]:
        """Return the newest runs of one batch."""
        with reading("the record"):
            return overviews(self.sources.store(batch), batch.name, limit)

    def run(self, file: BatchFile, batch: Batch, run_id: str) -> Run:
        """
        Return a run, whether it has written anything or not.

        :raises PageProblem: where the id cannot be one of a run.
        """
        with reading("the record"):
            run = Run(file, batch, run_id, self.sources.store(batch))
        try:
            _ = run.ledger
        except GroundswellError as error:
            raise NotFound("run", run_id) from error
        return run

    def overview(self, run: Run) -> RunOverview | None:
        """Return where a run stands; None where nothing of it is on record."""
        key = (run.batch.state, run.batch.name, run.run_id)
        with reading("the record"):
            return self._one.get(key, lambda: _overview(run))

    def document(self, run: Run, name: str) -> dict[str, Any]:
        """Return a document beside the ledger; {} where there is none, or none that can be read."""
        try:
            with reading("the record"):
                found = run.ledger.get_document(name)
        except (PageProblem, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def rows(self, run: Run, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
        """Return all rows of kinds that have few: plans and approvals."""
        with reading("the record"):
            return list(run.ledger.rows(*kinds))


def _overview(run: Run) -> RunOverview | None:
    found = overview(run.store, run.batch.name, run.run_id)
    if found.updated or found.problem:
        return found
    return found if list(run.store.folders(run.ledger.prefix)) else None
