"""A run of a batch as the tasks see it: the batch file, the ledger, and the hooks of its connections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from groundswell.aws import snapshot
from groundswell.aws.exceptions import clear_errors
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.part_store import S3PartStore
from groundswell.batches.model import Batch
from groundswell.batches.options import folder_of
from groundswell.ledger import FolderStore, Ledger, PartStore, run_key
from groundswell.ledger.claims import claim, held_by, run_ids

#: What ledgers of compensations have for a batch's name; no batch can have it.
COMPENSATIONS = "_compensations"
#: Time for the collecting task to take the last answers, retries included.
CLAIM_MARGIN = timedelta(days=1)


def claim_end(batch: Batch) -> str:
    """Return when no HIT published now can be open any more (ISO 8601, UTC): its item's claim lapses."""
    task, renewals = batch.task, batch.redundancy.most - batch.redundancy.first
    longest = task.lifetime * (1 + renewals) + task.assignment_duration + CLAIM_MARGIN
    return (datetime.now(UTC) + longest).isoformat(timespec="seconds")


def keep_claims(run: LabelingRun, items: Iterable[str]) -> None:
    """
    Claim items anew that HITs published or extended now may outlive: a person may have been waited for.

    :param items: items of the run that no other run asks about.
    """
    until = claim_end(run.batch)
    enough = (datetime.fromisoformat(until) - CLAIM_MARGIN).isoformat(timespec="seconds")
    held = held_by(run.store, run.batch.name, run.run_id)
    ending = [item for item in items if held.get(item, "") < enough]
    claim(run.store, run.batch.name, run.run_id, ending, until=until)


def now_text() -> str:
    """Return the time as the ledger writes it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class LabelingRun:
    """
    One DAG run of one batch.

    :param batch_path: the batch file.
    :param run_id: Airflow's run id; it names the ledger, so a cleared task finds what the run did before.
    """

    batch_path: str
    run_id: str

    @cached_property
    def live(self) -> Batch:
        """The batch file as it is now. Raises BatchError."""
        return Batch.load(Path(self.batch_path))

    @cached_property
    def batch(self) -> Batch:
        """The batch as the run began with it (:mod:`groundswell.aws.snapshot`). Raises BatchError."""
        return snapshot.kept(self.ledger, self.live) or self.live

    @cached_property
    def mturk(self) -> MTurkHook:
        """The workforce."""
        return MTurkHook(aws_conn_id=self.live.connections.mturk)

    @cached_property
    def s3(self) -> S3Hook:
        """Where state and outputs live."""
        return S3Hook(aws_conn_id=self.live.connections.aws)

    @cached_property
    def store(self) -> PartStore:
        """The store of all ledgers of the batch."""
        return part_store(self.live.state, self.s3)

    @cached_property
    def ledger(self) -> Ledger:
        """The record of this run."""
        return Ledger(self.store, self.live.name, self.run_id)

    @cached_property
    def home(self) -> str:
        """Where ledgers were kept when the run began; "" where that was not written down yet."""
        return snapshot.home_of(self.ledger, self.live)

    @property
    def key(self) -> str:
        """Hexadecimal digits that stand for the run in names with small alphabets."""
        return run_key(self.run_id)

    @property
    def job_name(self) -> str:
        """A name for the run in SageMaker: 50 characters at most, so that suffixes fit its limit of 63."""
        return f"{self.batch.name[:33].rstrip('-')}-{self.key}"

    def sibling(self, run_id: str) -> LabelingRun:
        """Return another run of the batch, on the same hooks: a client costs half a second."""
        other = LabelingRun(self.batch_path, run_id)
        other.__dict__.update({name: getattr(self, name) for name in ("live", "mturk", "s3", "store")})
        return other

    @property
    def outputs(self) -> PartStore:
        """The store below the batch's output URI."""
        return part_store(self.batch.output.uri, self.s3)

    def put_output(self, key: str, body: str) -> str:
        """Write a result under the batch's output URI; return its URI."""
        return put_text(self.outputs, key, body)

    def context(self) -> dict[str, Any]:
        """What goes into progress and summary documents to say which run this is."""
        return {"batch": self.batch.name, "run_id": self.run_id, "updated": now_text()}


@contextmanager
def open_run(batch_path: str, run_id: str, service: Literal["aws", "mturk"] = "aws") -> Iterator[LabelingRun]:
    """
    Open a run for a task, and turn what goes wrong inside into one message with the fix.

    :param service: whose connection the task mainly talks through; its id is named in messages.
    """
    run = LabelingRun(batch_path, run_id)
    with clear_errors(connection=service):
        connection = getattr(run.live.connections, service)
    _require_connections(run.live, "aws", service)
    with clear_errors(connection=connection):
        yield run


def _require_connections(batch: Batch, *services: str) -> None:
    """Refuse an unknown connection: the provider would go on with whatever credentials the machine has."""
    for service in services:
        name = getattr(batch.connections, service)
        try:
            BaseHook.get_connection(name)
        except AirflowNotFoundException as error:
            raise AirflowFailException(
                f"there is no connection {name!r}; add it to Airflow, or correct connections.{service} in "
                f"{batch.file.name}"
            ) from error


def part_store(uri: str, s3: S3Hook) -> PartStore:
    """Return the store at ``s3://…`` or at a local folder, ``file:///…``."""
    return S3PartStore(uri, s3) if uri.startswith("s3://") else FolderStore(folder_of(uri))


def all_runs(store: PartStore, batch: str) -> list[str]:
    """Return the ids of the runs of a batch that have a ledger, in lexical order."""
    claiming = run_ids(store, batch)
    # A run id with a slash is a folder in a folder: only the claims tell where it ends
    above = {run.partition("/")[0] for run in claiming if "/" in run}
    return sorted(claiming | (set(store.folders(f"{batch}/")) - above))


def all_ledgers(store: PartStore) -> list[tuple[str, str]]:
    """Return batch name and run id of every ledger in a store, those of compensations included."""
    batches = [name for name in store.folders("") if not name.startswith("_")]
    runs = [(batch, run_id) for batch in batches for run_id in all_runs(store, batch)]
    return runs + [(COMPENSATIONS, case) for case in all_cases(store)]


def all_cases(store: PartStore) -> list[str]:
    """Return ``<batch>/<case>`` of every compensation that was begun."""
    batches = store.folders(f"{COMPENSATIONS}/")
    return [f"{name}/{case}" for name in batches for case in store.folders(f"{COMPENSATIONS}/{name}/")]


def put_text(store: PartStore, key: str, body: str) -> str:
    """Write text as UTF-8; return its URI."""
    store.put(key, body.encode())
    return store.uri(key)
