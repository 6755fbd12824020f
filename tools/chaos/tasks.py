"""The tasks of the labelling DAG as a process runs them: the real operators, sensor, triggers and steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from airflow.sdk.exceptions import TaskDeferred

from groundswell.aws.operators.mturk import (
    MTurkCollectAndExtendOperator,
    MTurkDeleteHitsOperator,
    MTurkPublishHitsOperator,
)
from groundswell.aws.reviewing import apply_reviews, propose_rejections, record_decision
from groundswell.aws.runs import open_run
from groundswell.aws.sensors.mturk import MTurkReviewableSensor
from groundswell.aws.steps import spend
from groundswell.aws.steps.dataset import load_dataset
from groundswell.aws.steps.labels import consolidate
from groundswell.aws.steps.reconcile import reconcile
from groundswell.aws.steps.summary import summarise
from groundswell.batches.model import Batch
from tools.chaos.stage import Scene, Stage


@dataclass
class Task:
    """A task instance.

    Attributes:
        work: does it once, from beginning to end, and returns its result; told the number of the try.
        may_have_twin: two copies may run at once.
        clean_up: runs also where the work before has failed.
    """

    name: str
    work: Callable[[int], Any]
    may_have_twin: bool = True
    clean_up: bool = False


class Tasks:
    """The tasks of one run, in the order of the DAG.

    :param results: what the tasks returned so far, by name; a task takes its input from there.
    """

    def __init__(self, stage: Stage, scene: Scene, results: Mapping[str, Any]) -> None:
        self._stage = stage
        self._scene = scene
        self._results = results
        self._where: dict[str, Any] = {"batch_path": str(scene.path), "run_id": scene.run_id}
        self._conn = {"aws_conn_id": "mturk_default"}

    def before_shards(self) -> list[Task]:
        """Return the tasks up to the approval of the spend."""
        return [
            Task("load_dataset", self._load),
            Task("plan_spend", self._plan),
            Task("approve_spend", self._approve, may_have_twin=False),
        ]

    def after_shards(self, shards: list[int]) -> list[Task]:
        """Return the tasks once the shards are known."""
        batch = Batch.load(self._scene.path)
        decisions = []
        if batch.review is not None:
            decisions += [
                Task("propose_rejections", self._propose),
                Task("approve_rejections", self._decide, may_have_twin=False),
                Task("apply_reviews", self._apply),
            ]
        if batch.spend.ask_overrun:
            decisions.append(Task("approve_overrun", self._approve_overrun, may_have_twin=False))
        if decisions:
            decisions.append(Task("collect_rest", self._collect))
        return [
            *(Task(f"publish_hits[{shard}]", partial(self._publish, shard)) for shard in shards),
            Task("sense_reviewable", self._sense),
            Task("collect_and_extend", self._collect),
            *decisions,
            Task("consolidate", self._consolidate),
            Task("reconcile", self._reconcile, clean_up=True),
            Task("delete_hits", self._delete, clean_up=True),
            Task("report", self._report, clean_up=True),
        ]

    # people

    def _approve(self, _: int) -> None:
        """Do what SpendApprovalOperator does; the person says yes, after a while."""
        plan = self._results["plan_spend"]
        with open_run(**self._where, service="mturk") as run:
            by: str | None = spend.AUTOMATIC
            if plan["approval"] and (by := spend.approved_by(run, plan)) is None:
                self._scene.world.advance(600)
                self._scene.allow(plan["limit_cents"])
                by = "somebody"
            spend.reserve(run, plan, str(by))

    def _approve_overrun(self, _: int) -> None:
        """Do what OverrunApprovalOperator does; the person says yes or no, after a while."""
        with open_run(**self._where, service="mturk") as run:
            plan = spend.plan_overrun(run)
            if not plan["approval"]:
                return
            run.ledger.put_document("overrun.json", plan)
            self._scene.world.advance(1_800)
            if not self._scene.schedule.answers_no:
                self._scene.allow(plan["limit_cents"])
                spend.grant_overrun(run, plan, "somebody")

    def _decide(self, _: int) -> dict[str, Any]:
        """Do what ReviewApprovalOperator does; the person rejects some of what is proposed, or nothing."""
        proposals = self._results["propose_rejections"]
        if not proposals["approval"]:
            return {"workers": [], "by": None}
        self._scene.world.advance(1_800)
        offered = [each["worker"] for each in proposals["workers"]]
        chosen = [] if self._scene.schedule.answers_no else offered[: 1 + self._scene.schedule.seed % 3]
        at = self._scene.world.now().isoformat(timespec="seconds")
        with open_run(**self._where) as run:
            record_decision(run, chosen, by="somebody", at=at)
        return {"workers": chosen, "by": "somebody"}

    # tasks

    def _load(self, _: int) -> list[int]:
        with open_run(**self._where) as run:
            return load_dataset(run, relabel=True)

    def _plan(self, _: int) -> dict[str, Any]:
        with open_run(**self._where, service="mturk") as run:
            return spend.plan(run)

    def _propose(self, _: int) -> dict[str, Any]:
        with open_run(**self._where, service="mturk") as run:
            return propose_rejections(run)

    def _apply(self, _: int) -> dict[str, int]:
        decision = self._results["approve_rejections"]
        with open_run(**self._where, service="mturk") as run:
            return apply_reviews(run, decision["workers"], decision["by"])

    def _reconcile(self, _: int) -> dict[str, Any]:
        with open_run(**self._where, service="mturk") as run:
            return reconcile(run)

    def _publish(self, shard: int, number: int) -> Any:
        operator = MTurkPublishHitsOperator(task_id="publish_hits", shard=shard, **self._where, **self._conn)
        return operator.execute(_context(number))

    def _sense(self, number: int) -> Any:
        polling = Batch.load(self._scene.path).polling
        return self._run_deferrable(
            MTurkReviewableSensor(
                task_id="sense_reviewable",
                deferrable=True,
                poke_interval=polling.interval_seconds,
                timeout=polling.timeout.total_seconds(),
                **self._where,
                **self._conn,
            ),
            number,
        )

    def _collect(self, number: int) -> Any:
        return self._run_deferrable(
            MTurkCollectAndExtendOperator(
                task_id="collect_and_extend", deferrable=True, **self._where, **self._conn
            ),
            number,
        )

    def _run_deferrable(self, operator: Any, number: int) -> Any:
        """Run an operator as worker and triggerer do between them."""
        method, arguments = "execute", dict[str, Any]()
        while True:
            try:
                return getattr(operator, method)(_context(number), **arguments)
            except TaskDeferred as deferred:
                path, keywords = deferred.trigger.serialize()
                module, _, name = path.rpartition(".")
                trigger = getattr(import_module(module), name)(**keywords)
                timeout = deferred.timeout.total_seconds() if deferred.timeout else 1e9
                event = self._stage.run_trigger(trigger, timeout)
                method, arguments = deferred.method_name, {"event": event}

    def _consolidate(self, _: int) -> Any:
        with open_run(**self._where) as run:
            return consolidate(run)

    def _delete(self, number: int) -> Any:
        operator = MTurkDeleteHitsOperator(task_id="delete_hits", **self._where, **self._conn)
        return operator.execute(_context(number))

    def _report(self, _: int) -> Any:
        with open_run(**self._where) as run:
            return summarise(run, self._results.get, {})


def _context(number: int) -> Any:
    """Return what of Airflow's context the operators look at."""
    return {"ti": SimpleNamespace(try_number=number)}
