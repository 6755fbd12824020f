"""Where the pages' data comes from: batch files, the stores that they name, and Airflow's word on access."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, TypeVar

from groundswell.batches.model import Batch, batch_files
from groundswell.errors import GroundswellError
from groundswell.ledger import PartStore
from groundswell.views.cache import IndexCache
from groundswell.views.index import masked

log = logging.getLogger(__name__)

T = TypeVar("T")
#: The checkout, or what stands for it in an image: dags/, plugins/ and include/ lie side by side.
_ROOT = Path(__file__).parents[3]
#: Seconds for which a client of S3 is kept: a connection that is changed is noticed after that.
_CLIENT_SECONDS = 300.0


@dataclass(frozen=True)
class BatchFile:
    """
    One batch file.

    :param path: the file.
    :param batch: what it says; None where it cannot be read.
    :param error: why it cannot be read, "" where it can.
    """

    path: Path
    batch: Batch | None
    error: str = ""

    @property
    def name(self) -> str:
        """The batch's name; the file's where it cannot be read."""
        return self.path.stem if self.batch is None else self.batch.name

    @property
    def dag_id(self) -> str:
        """The DAG of the batch (``dags/labeling.py``)."""
        if self.batch is None:
            return f"broken_batch_{sha256(self.path.name.encode()).hexdigest()[:12]}"
        return dag_of(self.batch.name)


def dag_of(batch: str) -> str:
    """Return the id of a batch's DAG."""
    return f"labeling_{batch.replace('-', '_')}"


class Kept(Generic[T]):
    """Values that cost something to make, kept by key for some seconds; safe between threads."""

    def __init__(self, seconds: float, most: int = 500) -> None:
        self._seconds, self._most = seconds, most
        self._values: dict[Any, tuple[float, T]] = {}
        # A lock is there while threads want the key: whatever stands in an address must not leave one behind
        self._locks: dict[Any, tuple[threading.Lock, int]] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], T]) -> T:
        """Return the value of a key; make it where there is none or it is too old. One thread makes it."""
        with self._alone(key):
            with self._lock:
                known = self._values.get(key)
            if known is not None and time.monotonic() - known[0] < self._seconds:
                return known[1]
            made = make()
            with self._lock:
                self._values[key] = (time.monotonic(), made)
                self._forget()
        return made

    @contextmanager
    def _alone(self, key: Any) -> Iterator[None]:
        """Let one thread after the other pass."""
        with self._lock:
            lock, wanted = self._locks.get(key) or (threading.Lock(), 0)
            self._locks[key] = (lock, wanted + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, wanted = self._locks.pop(key)
                if wanted > 1:
                    self._locks[key] = (lock, wanted - 1)

    def _forget(self) -> None:
        if len(self._values) > self._most:
            for key in sorted(self._values, key=lambda key: self._values[key][0])[: self._most // 2]:
                del self._values[key]


@dataclass
class Sources:
    """
    What the pages read.

    :param batches: folder of the batch files.
    :param settings: file of the report settings (Throughput).
    :param open_store: returns the store at a URI (``s3://…``, ``file:///…``) through a connection's id.
    :param readable: returns the ids of the DAGs that a user may read. Blocks.
    :param cache: folder for what can be made again, readable by this process's user alone.
    :param pseudonyms: returns what turns a worker's id into what people see. Blocks.
    """

    batches: Path
    settings: Path
    open_store: Callable[[str, str], PartStore]
    readable: Callable[[Any], Collection[str]]
    cache: Path
    pseudonyms: Callable[[], Callable[[str], str]] = lambda: masked
    _read: dict[Path, tuple[tuple[int, int], BatchFile]] = field(default_factory=dict, repr=False)

    def batch_list(self) -> list[BatchFile]:
        """Return all batch files by name; a file is read again when it has changed."""
        if not self.batches.is_dir():
            return []
        return sorted((self._one(path) for path in batch_files(self.batches)), key=lambda each: each.name)

    def batch_file(self, name: str) -> BatchFile | None:
        """Return the readable file of the batch with this name."""
        return next((each for each in self.batch_list() if each.batch and each.name == name), None)

    def batch_of_dag(self, dag_id: str) -> BatchFile | None:
        """Return the batch file that a DAG belongs to; None for a DAG of another kind."""
        return next((each for each in self.batch_list() if each.dag_id == dag_id), None)

    def store(self, batch: Batch) -> PartStore:
        """Return the store of a batch's ledgers. May raise what its connection is wrong about."""
        return self.open_store(batch.state, batch.connections.aws)

    def _one(self, path: Path) -> BatchFile:
        stat = path.stat()
        version = (stat.st_mtime_ns, stat.st_size)
        known = self._read.get(path)
        if known is None or known[0] != version:
            known = self._read[path] = (version, _load(path))
        return known[1]


def _load(path: Path) -> BatchFile:
    try:
        return BatchFile(path, Batch.load(path))
    except GroundswellError as error:
        return BatchFile(path, None, str(error))


def airflow_sources() -> Sources:
    """Return the sources of this deployment. Imports nothing of Airflow before a page asks."""
    hooks: Kept[Any] = Kept(_CLIENT_SECONDS)

    def open_store(uri: str, connection: str) -> PartStore:
        from groundswell.aws.runs import part_store

        return part_store(uri, hooks.get(connection, lambda: _s3(connection)))

    settings, cache = _ROOT / "include" / "reports" / "worker_metrics.yaml", cache_folder()
    return Sources(
        batches=_ROOT / "include" / "batches",
        settings=settings,
        open_store=open_store,
        readable=_readable,
        cache=cache,
        pseudonyms=lambda: report_names(settings, open_store, cache),
    )


def report_names(
    settings: Path, open_store: Callable[[str, str], PartStore], cache: Path
) -> Callable[[str], str]:
    """
    Return what names workers as the reports do, so that a worker is called the same on all pages.

    As long as there are no reports, or their private part cannot be read, it is a pseudonym under a key that
    is kept in the cache: nobody can tell from it who is who, and it is not the one in the reports.
    """
    from groundswell.aws.reporting.opening import forgotten_marks
    from groundswell.reports.names import Pseudonyms
    from groundswell.reports.settings import ReportSettings

    try:
        if settings.is_file():
            found = ReportSettings.load(settings)
            private = open_store(found.private, found.connections.aws)
            if key := private.get("pseudonym.key"):
                return Pseudonyms(key, forgotten_marks(private))
    except Exception as error:  # a page about labels must not hang on the reports
        log.warning("workers are not named as in the reports: %s", error)
    try:
        return Pseudonyms(IndexCache(cache).names_key())
    except (GroundswellError, OSError) as error:
        log.warning("workers are named otherwise by each process: %s", error)
        return masked


def _s3(connection: str) -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.sdk import BaseHook

    # An unknown connection must not fall back to whatever credentials the machine has
    BaseHook.get_connection(connection)
    hook = S3Hook(aws_conn_id=connection)
    hook.get_conn()  # here, not in several threads at once
    return hook


def _readable(user: Any) -> Collection[str]:
    from airflow.api_fastapi.app import get_auth_manager

    found: set[str] = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return found


def cache_folder() -> Path:
    """Return where indexes are kept: ``GROUNDSWELL_CACHE``, else below AIRFLOW_HOME, else a temporary one."""
    given, home = os.environ.get("GROUNDSWELL_CACHE"), os.environ.get("AIRFLOW_HOME")
    if given:
        return Path(given)
    if home and os.access(home, os.W_OK):
        return Path(home) / "groundswell_cache"
    return Path(tempfile.gettempdir()) / f"groundswell-cache-{os.getuid()}"
