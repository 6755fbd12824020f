"""Lets faults loose on one run, then waits for its end as an operator would."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tools.airflow_api import AirflowApi, AirflowApiError
from tools.chaos.real import victims
from tools.chaos.real.bucket import RunRecord
from tools.chaos.real.faults import PARTS, Fault, Step
from tools.chaos.real.site import Site
from tools.chaos.real.supervisor import Supervisor
from tools.chaos.real.timeline import Timeline
from tools.demo.progress import DONE, Snapshot
from tools.stack.readiness import COMPONENTS

TICK_S = 0.2
LOOK_S = 2.0
#: Progress alone is told so often.
QUIET_S = 15.0
#: A task process is awaited so long; then the fault comes back later, when one runs again.
VICTIM_S = 20.0
#: So long a fault may wait for the run to reach its task.
REACH_S = 240.0
#: So long a fault may wait for Airflow to be well again.
SETTLE_S = 90.0
#: So long a person takes to answer. Airflow 3.3 may fail a task that is resumed within seconds (see its issue
#: 72716), and people are slower than that.
ANSWER_S = 10.0
#: Times that the operator clears what failed.
MOST_REPAIRS = 10
ACTIVE = ("running", "deferred", "awaiting_input", "up_for_retry", "queued", "scheduled", "restarting")
FAILED = frozenset({"failed", "upstream_failed"})
WHOLE_RUN = "clear the whole run"
REACHED = frozenset({"running", "deferred", "awaiting_input", "success", "failed", "restarting"})


@dataclass(frozen=True)
class Limits:
    """Seconds."""

    total: float = 60 * 60
    stall: float = 20 * 60


class Stuck(Exception):
    """The run does not end; the message says what its tasks do."""


@dataclass
class Driver:
    """One run under faults."""

    site: Site
    api: AirflowApi
    supervisor: Supervisor
    record: RunRecord
    timeline: Timeline
    run_id: str
    limits: Limits = field(default_factory=Limits)
    repairs: int = 0
    answers: int = 0
    tries: Counter[str] = field(default_factory=Counter)
    _asked: dict[str, float] = field(default_factory=dict)
    _seen: tuple[Any, ...] = ()
    _changed: float = field(default_factory=time.monotonic)
    _looked: float = 0.0
    _said: float = 0.0
    _state: str = "queued"
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def run(self, steps: Sequence[Step]) -> None:
        """Trigger the run, inject the faults, and return when it has succeeded. Raises Stuck."""
        self.api.unpause(self.site.dag)
        self.api.trigger(self.site.dag, self.run_id, {"relabel": True})
        self.timeline.say(f"triggered {self.run_id}")
        for step in steps:
            self._reach(step.stage)
            if step.settled:
                self._settle()
            self._pause(step.after_s)
            if self._state == "success":
                self._clear_all(step)
            self._inject(step)
        self.timeline.say("no more faults; everything that is down is started again")
        self.supervisor.tick(now=True)
        self._finish()

    # --- faults -----------------------------------------------------------------------------------

    def _inject(self, step: Step) -> None:
        if step.fault.is_clear:
            self._clear(step)
        elif step.fault.is_task:
            self._hit_task(step)
        else:
            self._hit_part(step)

    def _hit_part(self, step: Step) -> None:
        part, family = PARTS[step.fault]
        while part in self.supervisor.down():  # still down from the fault before
            self._pause(TICK_S)
        left = self.supervisor.kill(part, family=family, down_s=step.down_s)
        beside = f", {len(left)} processes of it run on" if left else ""
        self.timeline.fault(step.fault, f"kill -9 {step.fault}; down for {step.down_s:g} s{beside}")

    def _hit_task(self, step: Step) -> None:
        self._pause(8 * step.draw)  # not only at the beginning of tasks
        deadline = time.monotonic() + VICTIM_S
        while not (found := victims.running_tasks(self.supervisor.stack)):
            if time.monotonic() > deadline:
                self.timeline.say(f"no task runs; no {step.fault} to kill")
                return
            self._pause(TICK_S)
        victim = found[step.choose(len(found))]
        self._look(at_once=True)  # for its name
        self.timeline.fault(step.fault, f"kill -9 {step.fault}: {self._name(victim)}")
        if step.fault is Fault.TASK:
            victims.kill_task(victim)
        else:
            self.supervisor.adopt(victims.kill_worker(victim, alone=step.fault is Fault.WORKER_ALONE))

    def _name(self, victim: victims.Running) -> str:
        names = {str(row["id"]): _label(row) for row in self._rows}
        return names.get(victim.title, victim.title)

    def _clear(self, step: Step) -> None:
        wanted = ACTIVE if step.fault is Fault.CLEAR_ACTIVE else tuple(DONE)
        rows = self._ask(lambda: self.api.task_instances(self.site.dag, self.run_id))
        found = sorted((_label(row), row) for row in rows if row.get("state") in wanted)
        if not found:
            self.timeline.say(f"nothing to clear ({step.fault})")
            return
        name, row = found[step.choose(len(found))]
        task = (str(row["task_id"]), int(row["map_index"]))
        downstream = step.fault is Fault.CLEAR_DOWNSTREAM
        cleared = self._ask(
            lambda: self.api.clear(
                self.site.dag, self.run_id, [task if task[1] >= 0 else task[0]], downstream=downstream
            )
        )
        more = f" and {len(cleared) - 1} more" if len(cleared) > 1 else ""
        self.timeline.fault(step.fault, f"cleared {name} ({row['state']}){more}")

    def _reach(self, stage: str) -> None:
        """Wait until a task was reached, but not for ever: what holds a run up shall meet faults too."""
        deadline = time.monotonic() + REACH_S
        while time.monotonic() < deadline and self._state != "success" and not self._reached(stage):
            self._pause(TICK_S)

    def _reached(self, stage: str) -> bool:
        rows = [row for row in self._rows if row["task_id"] == stage]
        if self._rows and not rows:
            return True  # this batch does not have it
        return any(row.get("state") in REACHED for row in rows)

    def _settle(self) -> None:
        """Wait until every part runs and Airflow calls itself healthy, but not for ever."""
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline and not self._well():
            self._pause(LOOK_S)

    def _well(self) -> bool:
        try:
            states = self.api.health()
        except AirflowApiError:
            return False
        return not self.supervisor.down() and {states.get(name) for name in COMPONENTS} == {"healthy"}

    def _clear_all(self, step: Step) -> None:
        """Set a run that is over going again: a fault that meets nothing is none."""
        if failed := self._failed():
            self._repair(failed)
            return
        if step.fault.is_clear:
            return
        cleared = self._ask(lambda: self.api.clear(self.site.dag, self.run_id))
        self.timeline.fault(WHOLE_RUN, f"{WHOLE_RUN}: {len(cleared)} tasks")
        self._state = "queued"

    # --- waiting ----------------------------------------------------------------------------------

    def _finish(self) -> None:
        while True:
            self._pause(LOOK_S)
            if self._state not in {"success", "failed"}:
                continue
            failed = self._failed()
            if self._state == "success" and not failed:
                self.timeline.say("the run succeeded")
                return
            self._repair(failed)

    def _repair(self, failed: list[str]) -> None:
        """Clear what failed, as an operator does."""
        self.repairs += 1
        if self.repairs > MOST_REPAIRS:
            raise Stuck(f"the run failed {self.repairs} times: {', '.join(failed)}")
        self.timeline.say(f"the run ended with failures: {', '.join(failed)}; clearing them")
        self._tell_why(failed)
        self._ask(lambda: self.api.clear(self.site.dag, self.run_id, only_failed=True))
        self._state = "queued"

    def _failed(self) -> list[str]:
        """The tasks that failed. A run that has some and is called a success would fool everybody."""
        self._rows = self._ask(lambda: self.api.task_instances(self.site.dag, self.run_id))
        failed = sorted(_label(row) for row in self._rows if row.get("state") in FAILED)
        if failed and self._state == "success":
            self.timeline.problem(f"the run is a success, and these failed: {', '.join(failed)}")
        return failed

    def _tell_why(self, failed: list[str]) -> None:
        for row in self._rows:
            if _label(row) in failed and row.get("state") == "failed":
                lines = self._ask(partial(self.api.task_log, self.site.dag, self.run_id, row))
                wrong = [line for line in lines if line.startswith(("error", "critical"))] or lines
                self.timeline.say(f"  {_label(row)}: {' | '.join(wrong[-2:])[:500]}")

    def _pause(self, seconds: float) -> None:
        """Let time pass: parts are started again, and the run is looked at."""
        until = time.monotonic() + seconds
        while True:
            self.supervisor.tick()
            self._look()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(TICK_S, left))

    def _look(self, *, at_once: bool = False) -> None:
        """Look at the run every now and then, and say what is new. Raises Stuck."""
        now = time.monotonic()
        if now - self._looked < LOOK_S and not at_once:
            return
        self._looked = now
        try:
            self._state = self.api.run_state(self.site.dag, self.run_id)
            self._rows = self.api.task_instances(self.site.dag, self.run_id)
        except AirflowApiError:
            pass  # its API server may be down
        else:
            self._note()
            self._answer()
        if now - self._changed > self.limits.stall or self.timeline.seconds > self.limits.total:
            raise Stuck(
                f"the run is {self._state}, and nothing moves: {', '.join(self._doing()) or 'no task'}"
            )

    def _answer(self) -> None:
        """Allow what the run asks a person about, and reject whose answers it proposes to reject."""
        for row in self._rows:
            if row.get("state") != "awaiting_input":
                self._asked.pop(_label(row), None)
                continue
            since = self._asked.setdefault(_label(row), time.monotonic())
            if time.monotonic() - since < ANSWER_S:
                continue
            try:
                options = self.api.options(self.site.dag, self.run_id, row)
                chosen = ["Approve"] if "Approve" in options else options[1:] or options
                self.api.answer(self.site.dag, self.run_id, row, chosen)
            except AirflowApiError as error:  # down, or answered a moment ago
                self.timeline.say(f"{_label(row)} could not be answered: {error}")
            else:
                self.answers += 1
                self.timeline.say(f"answered {_label(row)}: {', '.join(chosen)}")

    def _note(self) -> None:
        seen = (self._state, tuple(self._doing()))
        for row in self._rows:
            self.tries[_label(row)] = max(self.tries[_label(row)], int(row.get("try_number") or 0))
        progress = self.record.progress()
        if (*seen, progress) == self._seen:
            return
        now = time.monotonic()
        if seen != self._seen[:2] or now - self._said > QUIET_S:
            line = Snapshot.of(self._state, self._rows, progress).line()
            self.timeline.say(f"{'':9}{line}  [{', '.join(self._doing())}]")
            self._said = now
        self._seen, self._changed = (*seen, progress), now

    def _doing(self) -> list[str]:
        return [f"{_label(row)} {row['state']}" for row in self._rows if row.get("state") in ACTIVE]

    def _ask(self, call: Callable[[], Any]) -> Any:
        """Ask the API until it answers; it may be one of the parts that are down."""
        for _ in self._attempts():
            try:
                return call()
            except AirflowApiError as error:
                said = str(error)
            self._pause(1.0)
        raise Stuck(f"Airflow's API does not answer: {said}")

    def _attempts(self) -> Iterator[int]:
        deadline = time.monotonic() + self.limits.stall
        number = 0
        while time.monotonic() < deadline:
            yield number
            number += 1


def _label(row: dict[str, Any]) -> str:
    """A task instance as people name it."""
    index = int(row.get("map_index", -1))
    return f"{row['task_id']}[{index}]" if index >= 0 else str(row["task_id"])
