"""Trigger the example's run and follow it to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from tools.airflow_api import AirflowApi, AirflowApiError
from tools.demo.progress import Display, Plan, Snapshot

LOG_LINES = 25
LOST_S = 60.0
PLAN_TASK = "plan_spend"


class DemoFailed(Exception):
    """The run failed or stalled; the message says which task and shows the end of its log."""


class Telling(Protocol):
    """Whoever knows more of a run than Airflow does."""

    def progress(self) -> dict[str, Any] | None:
        """The run's progress.json, or None where there is none."""


@dataclass(frozen=True)
class Limits:
    """How long the demo waits, in seconds."""

    total: float = 30 * 60
    stall: float = 8 * 60
    pause: float = 1.0


def new_run_id() -> str:
    """A run id that sorts by time and needs no quoting in a URI."""
    return f"demo-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


class Follower:
    """Follows one run. `clock` and `sleep` are replaceable for tests."""

    def __init__(
        self,
        api: AirflowApi,
        documents: Telling,
        display: Display,
        *,
        dag_id: str,
        run_id: str,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._documents = documents
        self._display = display
        self._dag_id = dag_id
        self._run_id = run_id
        self._limits = limits or Limits()
        self._plan: Plan | None = None
        self._asked_for_plan = False
        self._clock = clock
        self._sleep = sleep

    def follow(self) -> None:
        """Return when the run succeeded; raise DemoFailed when it failed, stalled or took too long."""
        began = changed = seen = self._clock()
        before: tuple[Any, ...] = ()
        while True:
            now = self._clock()
            try:
                snapshot, states = self._look()
            except AirflowApiError as error:
                if now - seen > LOST_S:
                    raise DemoFailed(f"Airflow does not answer any more: {error}") from error
                self._sleep(self._limits.pause)
                continue
            seen = now
            self._display.show(snapshot, now - began)
            if snapshot.run_state == "success":
                return
            if snapshot.run_state == "failed":
                raise DemoFailed(self._failure("the run failed"))
            if (current := (snapshot, states)) != before:
                before, changed = current, now
            if now - began > self._limits.total:
                raise DemoFailed(self._failure(f"not finished after {self._limits.total / 60:.0f} minutes"))
            if now - changed > self._limits.stall:
                raise DemoFailed(self._failure(f"nothing moved for {self._limits.stall / 60:.0f} minutes"))
            self._sleep(self._limits.pause)

    def _look(self) -> tuple[Snapshot, tuple[Any, ...]]:
        state = self._api.run_state(self._dag_id, self._run_id)
        instances = self._api.task_instances(self._dag_id, self._run_id)
        self._learn_plan(instances)
        snapshot = Snapshot.of(state, instances, self._documents.progress(), self._plan)
        states = tuple((row["task_id"], row.get("map_index"), row.get("state")) for row in instances)
        return snapshot, states

    def _learn_plan(self, instances: list[dict[str, Any]]) -> None:
        """Ask once what the run may cost, when it has worked that out."""
        planned = any(row["task_id"] == PLAN_TASK and row.get("state") == "success" for row in instances)
        if planned and not self._asked_for_plan:
            self._asked_for_plan = True
            self._plan = Plan.of(self._api.returned(self._dag_id, self._run_id, PLAN_TASK))

    def _failure(self, what: str) -> str:
        """What happened, and the last lines of the task that is to blame."""
        try:
            instances = self._api.task_instances(self._dag_id, self._run_id)
            task = blamed(instances)
            if task is None:
                return what
            log = self._api.task_log(self._dag_id, self._run_id, task)
        except AirflowApiError as error:
            return f"{what} (and its log cannot be read: {error})"
        end = "\n".join(f"    {line}" for line in log[-LOG_LINES:])
        return f"{what}: task {task['task_id']} is {task.get('state')}; the end of its log:\n{end}"


def blamed(instances: list[dict[str, Any]]) -> Mapping[str, Any] | None:
    """The task whose log explains the end: the first that failed, else the one at work."""
    for state in ("failed", "up_for_retry", "running", "deferred", "queued", "scheduled"):
        found = [row for row in instances if row.get("state") == state]
        if found:
            return min(found, key=lambda row: str(row.get("start_date") or "9"))
    return None
