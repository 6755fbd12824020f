"""A batch, its ledger in a folder, a workforce over HTTP, and workers who answer by script."""

from __future__ import annotations

import copy
import functools
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundswell.aws import runs
from groundswell.aws.collecting import Wave
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.progress import Progress
from groundswell.aws.publishing import publish_shard
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps import spend
from groundswell.aws.steps.dataset import load_dataset
from groundswell.batches.planning import plan_spend
from groundswell.ledger import FolderStore, annotation
from groundswell.ledger.months import month_of
from groundswell.ledger.shards import read_index
from workforce.api.keys import AccessKey, StaticKeys
from workforce.market import Market

CHECKOUT = Path(__file__).parents[3]
KEYS = {name: AccessKey(name, name, account) for name, account in [("test", "000000000000")]}
Labels = Mapping[str, Sequence[str]]


@functools.cache
def _iris() -> dict[str, Any]:
    """The example's batch; reading YAML takes longer than most of a test does."""
    batch: dict[str, Any] = yaml.safe_load((CHECKOUT / "include/batches/iris.yaml").read_text())
    return batch


def this_month() -> str:
    """The month whose budget a run takes from; asked anew each time, as months end while tests run."""
    return month_of(datetime.now(UTC))


class ShiftedClock:
    """The server's clock: the time, and what a test adds to it."""

    offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


class Workbench:
    """Runs of small batches against a real workforce server; the ledger is a folder."""

    def __init__(
        self, market: Market, clock: ShiftedClock, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.market = market
        self.clock = clock
        self._mturk = MTurkHook(aws_conn_id="mturk_default")
        self.folder = folder
        self.monkeypatch = monkeypatch
        real = runs.part_store
        outputs = FolderStore(folder / "store")
        monkeypatch.setattr(
            runs, "part_store", lambda uri, s3: outputs if uri.startswith("s3://") else real(uri, s3)
        )

    @staticmethod
    def keyring() -> StaticKeys:
        return StaticKeys(*KEYS.values())

    def batch_file(self, items: Sequence[str], **changes: Any) -> Path:
        """Write a batch file like iris.yaml over these items; ``section__option`` changes an option."""
        batch = copy.deepcopy(_iris())
        for name in ("training", "endpoint", "evaluation"):
            del batch[name]
        batch["state"] = "store"
        dataset = self.folder / "items.csv"
        rows = [f"{item},5.1,3.5,1.4,0.2,flower-a.svg" for item in items]
        header = "id,sepal_length,sepal_width,petal_length,petal_width,image"
        dataset.write_text("\n".join([header, *rows]) + "\n")
        batch["dataset"]["path"] = str(dataset)
        batch["task"]["template"] = str(CHECKOUT / "include/templates/image_classification.liquid.html")
        batch["task"]["image_folder"] = str(CHECKOUT / "include/data/images")
        batch["output"]["test_items"] = 0
        for option, value in changes.items():
            section, _, name = option.partition("__")
            if name:
                batch[section][name] = value
            else:
                batch[section] = value
        path = self.folder / "batch.yaml"
        path.write_text(yaml.safe_dump(batch))
        return path

    def run(self, items: Sequence[str], **changes: Any) -> LabelingRun:
        """Start a run with its items loaded."""
        path = self.batch_file(items, **changes)
        run = self._quick(LabelingRun(str(path), f"manual__{uuid.uuid4().hex}"))
        load_dataset(run, relabel=True)
        self.reserve(run)
        return run

    def reserve(self, run: LabelingRun) -> None:
        """Reserve the worst case of a run, as approve_spend does where nobody has to be asked."""
        items = sum(entry["items"] for entry in read_index(run.ledger) or ())
        worst = plan_spend(run.batch, items).worst_cents
        plan = {
            "at": runs.now_text(),
            "month": this_month(),
            "hold_cents": min(worst, run.batch.spend.budget_cents),
            "limit_cents": None,
            "over_cents": 0,
            "text": "for a test",
        }
        spend.reserve(run, plan, spend.AUTOMATIC)

    def again(self, run: LabelingRun) -> LabelingRun:
        """The same run as a new process would see it."""
        return self._quick(LabelingRun(run.batch_path, run.run_id))

    def _quick(self, run: LabelingRun) -> LabelingRun:
        run.__dict__["mturk"] = self._mturk  # a boto3 client costs half a second: share one
        return run

    # what workers do

    def answer(self, run: LabelingRun, script: Labels, *, invalid: str = "") -> int:
        """Let new workers fill every open seat of the run's HITs with the script's next answers."""
        filled = 0
        for item, labels in script.items():
            for hit in self.hits_of(run, item):
                for _ in range(self.seats_open(hit)):
                    label = labels[self.seats_used(hit)]
                    fields = [("item", item)] if label == invalid else [("item", item), ("label", label)]
                    worker = self.market.workers.ensure_worker(f"A{uuid.uuid4().hex[:13].upper()}").worker_id
                    assignment = self.market.workers.accept(worker, hit)
                    self.market.workers.submit(assignment.assignment_id, fields, worker_id=worker)
                    filled += 1
        return filled

    # what the server knows

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.market.requester.call(operation, KEYS["test"].account, params)

    def all_hits(self) -> list[dict[str, Any]]:
        hits: list[dict[str, Any]] = []
        params: dict[str, Any] = {"MaxResults": 100}
        while (page := self.call("ListHITs", **params))["HITs"]:
            hits += page["HITs"]
            params["NextToken"] = page["NextToken"]
        return hits

    def hits_of(self, run: LabelingRun, item: str) -> list[str]:
        mark = annotation(run.batch.name, run.run_id, item)
        return [hit["HITId"] for hit in self.all_hits() if hit.get("RequesterAnnotation") == mark]

    def assignments(self, hit: str) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self.call("ListAssignmentsForHIT", HITId=hit, MaxResults=100)[
            "Assignments"
        ]
        return result

    def seats_open(self, hit: str) -> int:
        return int(self.call("GetHIT", HITId=hit)["HIT"]["NumberOfAssignmentsAvailable"])

    def seats_used(self, hit: str) -> int:
        return len(self.assignments(hit))

    # what tasks do

    def publish(self, run: LabelingRun) -> None:
        publish_shard(run, 0)

    def collect(self, run: LabelingRun) -> Progress:
        """Take one wave as a new process would."""
        wave = Wave(run, run.ledger.fold())
        wave.reopen()
        if wave.state.open_items:
            hit_type = next(iter(wave.state.hits.values()))["hit_type"]
            wave.take(list(run.mturk.reviewable(hit_type)))
        return Progress.of(wave.state)

    def to_the_end(self, run: LabelingRun, script: Labels) -> Progress:
        """Publish and collect until nothing is open, with workers who answer by script."""
        self.publish(run)
        for _ in range(20):
            self.answer(run, script)
            progress = self.collect(run)
            if progress.open == 0:
                return progress
        raise AssertionError(f"still open: {progress}")

    # the oracle: the server's store against the ledger

    def check(self, run: LabelingRun, script: Labels) -> None:
        """Every item one HIT; every submission recorded and paid once; nothing else."""
        state = self.again(run).ledger.fold()
        for item in script:
            hits = self.hits_of(run, item)
            assert len(hits) == 1, f"{item} has HITs {hits}"
            there = {each["AssignmentId"]: each["AssignmentStatus"] for each in self.assignments(hits[0])}
            recorded = [row["assignment"] for row in state.answers_of(item)]
            assert sorted(recorded) == sorted(there), f"{item}: answers recorded and submitted differ"
            assert set(there.values()) == {"Approved"}, f"{item}: {there}"
            paid = [key for key, row in state.payments.items() if row["item"] == item]
            assert sorted(paid) == sorted(there), f"{item}: payments recorded and made differ"
        parts = [row["assignment"] for _, row in self.again(run).ledger.rows("payments")]
        assert state.spent_cents == 6 * len(state.payments), Counter(parts)
        assert self.market.audit(KEYS["test"].account) == []


class Killed(BaseException):
    """The process is gone: no handler of ours may run after it."""


class Killer:
    """
    Kills a "process" just before or just after its n-th outside effect (API call or ledger write).

    :param at: number of the effect, from 1; 0 never kills.
    :param after: kill once the effect has happened, so that only its answer is lost.
    """

    def __init__(self, at: int = 0, *, after: bool = False) -> None:
        self.at, self.after = at, after
        self.effects = 0
        self.dead = False

    def before(self, **_: Any) -> None:
        self._stop_if(self.dead)
        self.effects += 1
        self._stop_if(self.effects == self.at and not self.after)

    def done(self, **_: Any) -> None:
        self._stop_if(self.effects == self.at and self.after)

    def _stop_if(self, condition: bool) -> None:
        if condition:
            self.dead = True
            raise Killed

    def watch(self, run: LabelingRun) -> LabelingRun:
        """Let this run's process live as long as the killer allows."""
        run.__dict__["mturk"] = MTurkHook(aws_conn_id="mturk_default")
        events = run.mturk.conn.meta.events
        events.register("before-call.mturk", self.before)
        events.register("after-call.mturk", self.done)
        return self.watch_store(run)

    def watch_store(self, run: LabelingRun) -> LabelingRun:
        """The same for a step that only writes: a client of its own costs half a second."""
        run.__dict__["store"] = _MortalStore(run.store, self)
        return run


class _MortalStore:
    def __init__(self, store: Any, killer: Killer) -> None:
        self._store, self._killer = store, killer

    def _effect(self, name: str, *arguments: Any) -> Any:
        self._killer.before()
        result = getattr(self._store, name)(*arguments)
        self._killer.done()
        return result

    def put_if_absent(self, key: str, body: bytes) -> Any:
        return self._effect("put_if_absent", key, body)

    def put(self, key: str, body: bytes) -> Any:
        return self._effect("put", key, body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
