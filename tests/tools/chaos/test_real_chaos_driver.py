"""The driver against an Airflow and a supervisor that do what a test says."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tools.airflow_api import AirflowApiError
from tools.chaos.real import driver as module
from tools.chaos.real.driver import Driver, Limits, Stuck
from tools.chaos.real.faults import Fault, Step
from tools.chaos.real.site import Site
from tools.chaos.real.timeline import Timeline
from tools.stack.layout import Layout

SITE = Site(Layout(), "chaos", "labeling_chaos", "s3://b/state", Path("crowd.yaml"), ("a",), model=False)
RUN = "chaos-large-1"


def row(task: str, state: str | None, index: int = -1) -> dict[str, Any]:
    return {"id": f"id-{task}", "task_id": task, "state": state, "map_index": index, "try_number": 1}


@dataclass
class Airflow:
    """Each look takes the next (run state, rows); the last one stays. None: the API server is down."""

    looks: list[tuple[str, list[dict[str, Any]]] | None]
    cleared: list[tuple[Any, ...]] = field(default_factory=list)
    answered: list[tuple[str, list[str]]] = field(default_factory=list)
    triggered: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def unpause(self, dag_id: str) -> None: ...

    def trigger(self, dag_id: str, run_id: str, conf: Any) -> None:
        self.triggered.append(run_id)

    def health(self) -> dict[str, str]:
        return dict.fromkeys(module.COMPONENTS, "healthy")

    def run_state(self, dag_id: str, run_id: str) -> str:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if look is None:
            raise AirflowApiError("connection refused")
        state, self.rows = look
        return state

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return self.rows

    def task_log(self, dag_id: str, run_id: str, task: Any) -> list[str]:
        return ["info begun", "error it broke"]

    def clear(self, dag_id: str, run_id: str, tasks: Any = (), **how: bool) -> list[str]:
        self.cleared.append((tuple(tasks), how))
        return ["one", "two"]

    def options(self, dag_id: str, run_id: str, task: Any) -> list[str]:
        rejecting = ["Pay everybody", "Reject 3 of A1", "Reject 1 of A2"]
        return rejecting if task["task_id"] == "approve_rejections" else ["Approve", "Reject"]

    def answer(self, dag_id: str, run_id: str, task: Any, chosen: list[str]) -> None:
        self.answered.append((task["task_id"], chosen))


@dataclass
class Supervisor:
    kills: list[tuple[str, bool]] = field(default_factory=list)
    started: int = 0
    stack: Any = None

    def tick(self, *, now: bool = False) -> None:
        self.started += now

    def down(self) -> list[str]:
        return []

    def kill(self, part: str, *, family: bool, down_s: float) -> list[Any]:
        self.kills.append((part, family))
        return []


class Record:
    def progress(self) -> dict[str, Any] | None:
        return None


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TICK_S", "LOOK_S", "ANSWER_S"):
        monkeypatch.setattr(module, name, 0.0)


def drive(
    airflow: Airflow,
    steps: Sequence[Step] = (),
    limits: Limits | None = None,
    supervisor: Supervisor | None = None,
) -> tuple[Driver, Supervisor, str]:
    supervisor, stream = supervisor or Supervisor(), io.StringIO()
    parts: dict[str, Any] = {"api": airflow, "supervisor": supervisor, "record": Record()}
    driver = Driver(
        SITE, timeline=Timeline(stream), run_id=RUN, limits=limits or Limits(total=20, stall=10), **parts
    )
    driver.run(steps)
    return driver, supervisor, stream.getvalue()


def step(fault: Fault, draw: float = 0.0) -> Step:
    return Step("load", after_s=0, settled=True, fault=fault, down_s=0, draw=draw)


def test_a_run_that_failed_is_cleared_until_it_succeeds() -> None:
    failed = ("failed", [row("collect", "failed"), row("report", "upstream_failed")])
    airflow = Airflow([("running", []), failed, ("running", []), failed, ("success", [])])
    driver, supervisor, said = drive(airflow)
    assert airflow.triggered == [RUN]
    assert airflow.cleared == [((), {"only_failed": True})] * 2
    assert driver.repairs == 2
    assert supervisor.started == 1, "what is down at the end of the faults is started"
    assert "the run ended with failures: collect, report" in said
    assert "collect: error it broke" in said


def test_a_run_that_is_called_a_success_in_spite_of_failures_is_a_problem() -> None:
    fooled = ("success", [row("approve", "failed"), row("report", "success")])
    airflow = Airflow([fooled, ("running", []), ("success", [row("approve", "success")])])
    driver, _, _ = drive(airflow)
    assert driver.timeline.problems == ["the run is a success, and these failed: approve"]
    assert driver.repairs == 1


def test_a_run_that_fails_for_ever_is_given_up() -> None:
    airflow = Airflow([("failed", [row("collect", "failed")])])
    with pytest.raises(Stuck, match="the run failed 11 times: collect"):
        drive(airflow)
    assert len(airflow.cleared) == module.MOST_REPAIRS


def test_a_run_that_does_not_move_is_stuck() -> None:
    airflow = Airflow([("running", [row("sense", "deferred"), row("load", "success")])])
    with pytest.raises(Stuck, match="running, and nothing moves: sense deferred"):
        drive(airflow, limits=Limits(total=20, stall=0.05))


def test_who_is_asked_allows_the_spend_and_the_rejections() -> None:
    asking = [row("approve_spend", "awaiting_input"), row("approve_rejections", "awaiting_input")]
    airflow = Airflow([("running", asking), ("success", [])])
    driver, _, _ = drive(airflow)
    assert airflow.answered == [
        ("approve_spend", ["Approve"]),
        ("approve_rejections", ["Reject 3 of A1", "Reject 1 of A2"]),
    ]
    assert driver.answers == 2


def test_an_api_server_that_is_down_is_waited_for() -> None:
    airflow = Airflow([("running", []), None, None, ("success", [])])
    _, _, said = drive(airflow)
    assert "the run succeeded" in said


@pytest.mark.parametrize(
    ("fault", "part", "family"),
    [
        (Fault.SCHEDULER, "scheduler", True),
        (Fault.SCHEDULER_ALONE, "scheduler", False),
        (Fault.TRIGGERER, "triggerer", True),
        (Fault.CLOUD, "localcloud", True),
        (Fault.CLOUD_ALONE, "localcloud", False),
    ],
)
def test_a_part_is_killed_and_counted(fault: Fault, part: str, family: bool) -> None:
    airflow = Airflow([("running", [row("load", "running")]), ("success", [])])
    driver, supervisor, _ = drive(airflow, [step(fault)])
    assert supervisor.kills == [(part, family)]
    assert driver.timeline.faults[fault] == 1


def test_a_run_that_is_over_is_cleared_for_the_faults_that_are_left() -> None:
    airflow = Airflow([("success", [row("load", "success")])])
    driver, _, _ = drive(airflow, [step(Fault.TRIGGERER)])
    assert airflow.cleared == [((), {})]
    assert driver.timeline.faults == {module.WHOLE_RUN: 1, Fault.TRIGGERER: 1}


@pytest.mark.parametrize(
    ("fault", "draw", "task", "downstream"),
    [
        (Fault.CLEAR_ACTIVE, 0.0, "collect", False),
        (Fault.CLEAR_FINISHED, 0.0, "load", False),
        (Fault.CLEAR_FINISHED, 0.9, ("publish", 1), False),
        (Fault.CLEAR_DOWNSTREAM, 0.0, "load", True),
    ],
)
def test_one_task_is_cleared(fault: Fault, draw: float, task: Any, downstream: bool) -> None:
    rows = [
        row("load", "success"),
        row("publish", "success", 1),
        row("collect", "deferred"),
        row("end", None),
    ]
    airflow = Airflow([("running", rows), ("success", rows)])
    driver, _, _ = drive(airflow, [step(fault, draw)])
    assert airflow.cleared == [((task,), {"downstream": downstream})]
    assert driver.timeline.faults == {fault: 1}


def test_a_task_that_the_batch_does_not_have_is_not_waited_for() -> None:
    airflow = Airflow([("running", [row("other", "running")]), ("success", [])])
    driver, _, _ = drive(airflow, [step(Fault.TRIGGERER)], limits=Limits(total=5, stall=5))
    assert driver.timeline.faults[Fault.TRIGGERER] == 1


def test_a_fault_waits_for_its_task() -> None:
    early = ("running", [row("load", None)])
    airflow = Airflow([early, early, early, ("running", [row("load", "running")]), ("success", [])])
    looks = len(airflow.looks)
    left: list[int] = []
    kill = Supervisor.kill

    class Watching(Supervisor):
        def kill(self, part: str, *, family: bool, down_s: float) -> list[Any]:
            left.append(len(airflow.looks))
            return kill(self, part, family=family, down_s=down_s)

    drive(airflow, [step(Fault.TRIGGERER)], supervisor=Watching())
    assert left == [looks - 4]


def test_where_nothing_can_be_cleared_no_fault_is_counted() -> None:
    driver, _, _ = drive(Airflow([("success", [])]), [step(Fault.CLEAR_ACTIVE)])
    assert driver.timeline.faults == {}
