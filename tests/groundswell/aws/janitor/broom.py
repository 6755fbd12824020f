"""A desk with a janitor: runs that end badly, and rounds through what they leave."""

from __future__ import annotations

import contextlib
import functools
import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.janitor.findings import Finding
from groundswell.aws.janitor.house import Rules, Workforces, open_house
from groundswell.aws.janitor.repairs import repair
from groundswell.aws.janitor.survey import survey
from groundswell.aws.limits import give_back
from groundswell.aws.publishing import hit_type_properties
from groundswell.aws.runs import LabelingRun
from groundswell.ledger import FolderStore, annotation
from tests.groundswell.aws.desk import READING, Desk
from tests.groundswell.aws.workbench import Killer, _MortalStore
from workforce.market.errors import RequestError


class MortalHook(MTurkHook):
    """A hook that lives as long as its killer of the moment allows; only what changes something counts."""

    killer = Killer()

    def watch(self) -> MortalHook:
        self.conn.meta.events.register("before-call.mturk", self._before)
        self.conn.meta.events.register("after-call.mturk", self._after)
        return self

    def _before(self, model: Any, **_: Any) -> None:
        if not model.name.startswith(READING):
            self.killer.before()

    def _after(self, model: Any, **_: Any) -> None:
        if not model.name.startswith(READING):
            self.killer.done()


@functools.cache
def mortal(url: str) -> MortalHook:
    """Return the one such hook of all tests at a server: its client costs half a second."""
    assert url
    return MortalHook(aws_conn_id="mturk_default").watch()


class Broom(Desk):
    """Rounds of the janitor. Airflow says that every run is over unless a test says otherwise."""

    #: run id -> what Airflow says of it
    running: dict[str, bool | None]

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.running = {}
        self.name = f"b{uuid.uuid4().hex[:8]}"  # the server outlives the test: each has a batch of its own

    def begin(self, *items: str, publish: bool = True, **changes: object) -> LabelingRun:
        """Start a run of this test's batch; publish its items, and hold no more than they may cost."""
        run = self.run(items, name=self.name, **changes)
        if publish:
            self.publish(run)
        give_back(run, end=True)
        return run

    def rules(self, *, grace: timedelta = timedelta(), unsure: tuple[str, ...] = ()) -> Rules:
        return Rules(
            now=self.clock.now(),
            grace=grace,
            under_way=lambda _, run_id: self.running.get(run_id, False),
            unsure=frozenset(unsure),
        )

    def survey(self, path: str | Path, rules: Rules | None = None) -> list[Finding]:
        """One dry round, which must not change anything."""
        before = self.files()
        with self.nothing_published(), open_house(Path(path), Workforces(), rules or self.rules()) as house:
            self.notes = house.notes
            found = survey(house)
        assert self.files() == before, "a dry run writes nothing"
        return found

    def repair(
        self, path: str | Path, rules: Rules | None = None, killer: Killer | None = None
    ) -> list[Finding]:
        """One round that repairs."""
        with open_house(Path(path), Workforces(), rules or self.rules()) as house:
            if killer:
                mortal(self.url).killer = killer
                house.base.__dict__["mturk"] = mortal(self.url)
                house.base.__dict__["store"] = _MortalStore(house.base.store, killer)
            return list(repair(house, survey(house)))

    def kinds(self, path: str | Path, rules: Rules | None = None) -> list[str]:
        """Return the kinds that a dry round finds."""
        return [str(each.kind) for each in self.survey(path, rules)]

    def files(self) -> dict[str, bytes]:
        store = FolderStore(self.folder / "store")
        return {key: store.get(key) or b"" for key in store.keys("")}

    def hit_of(self, run: LabelingRun, item: str) -> str:
        return str(run.ledger.fold().hits[item]["hit"])

    def post(self, run: LabelingRun, item: str, *, mark: str | None = None) -> str:
        """Publish a HIT as the run does, and let nothing be recorded of it; return its id."""
        hit_type = run.mturk.create_hit_type(**hit_type_properties(run))
        question = self.call("GetHIT", HITId=self.hit_of(run, next(iter(run.ledger.fold().hits))))["HIT"]
        return run.mturk.create_hit(
            token=uuid.uuid4().hex,
            HITTypeId=hit_type,
            MaxAssignments=2,
            LifetimeInSeconds=3600,
            Question=question["Question"],
            RequesterAnnotation=annotation(run.batch.name, run.run_id, item) if mark is None else mark,
        )

    def submit(self, hit: str, label: str = "setosa", *, hand_in: bool = True) -> str:
        """Let a new worker take a HIT, and hand it in unless told otherwise; return the assignment."""
        worker = self.market.workers.ensure_worker(f"A{uuid.uuid4().hex[:13].upper()}").worker_id
        assignment = self.market.workers.accept(worker, hit).assignment_id
        if hand_in:
            self.market.workers.submit(assignment, [("label", label)], worker_id=worker)
        return str(assignment)

    def status(self, hit: str) -> str:
        """Return the status of a HIT; "Disposed" once it is deleted."""
        return str(self.call("GetHIT", HITId=hit)["HIT"]["HITStatus"])

    def lose(self, run: LabelingRun, *kinds: str) -> None:
        """Let the process have been killed before it wrote parts of these kinds."""
        store = self.folder / "store"
        for kind in kinds:
            for path in (store / run.batch.name / run.run_id / kind).iterdir():
                path.unlink()

    def sweep(self) -> None:
        """Forget all runs, and delete what can be deleted, so that what comes next does not list it."""
        shutil.rmtree(self.folder / "store", ignore_errors=True)
        for hit in self.all_hits():
            name = hit["HITId"]
            self.call("UpdateExpirationForHIT", HITId=name, ExpireAt=datetime(2015, 1, 1, tzinfo=UTC))
            for each in self.assignments(name):
                if each["AssignmentStatus"] == "Submitted":
                    self.call("ApproveAssignment", AssignmentId=each["AssignmentId"])
            with contextlib.suppress(RequestError):  # a worker may hold it
                self.call("DeleteHIT", HITId=name)

    def everything_is_paid(self, run: LabelingRun, *hits: str) -> None:
        """The ledger has every answer of these HITs once, paid once, as the server has; and no more."""
        state = self.again(run).ledger.fold()
        there: list[str] = []
        for hit in hits:
            for each in self.assignments(hit):
                assert each["AssignmentStatus"] == "Approved"
                there.append(each["AssignmentId"])
        assert sorted(state.answers) == sorted(state.payments) == sorted(there)
        assert state.spent_cents == 6 * len(there)
        assert self.market.audit("000000000000") == []
