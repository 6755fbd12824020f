"""Plays a schedule: Airflow's part, in miniature, on the real operators.

It runs the tasks in order, tries again what fails, takes what was killed for dead, clears tasks as somebody
at the UI would, and lets twins and sleepers of a task go on beside its next attempt.
"""

from __future__ import annotations

import random
import traceback
from collections import Counter
from functools import partial
from typing import Any

from groundswell.aws.runs import LabelingRun
from groundswell.ledger import Ledger
from tools.chaos.oracle import Books, check
from tools.chaos.played import Played
from tools.chaos.processes import Killed, Process, side_by_side
from tools.chaos.schedule import Schedule
from tools.chaos.stage import ACCOUNT, Scene, Stage
from tools.chaos.tasks import Task, Tasks

#: Attempts after which the faults end, and attempts after which a run counts as stuck.
PATIENCE, MOST_ATTEMPTS = 60, 160
#: Share of failures after which the clean-up runs before somebody clears the failed task.
_GIVES_UP = 0.2
#: Seconds between two tries.
RETRY_DELAY = (20.0, 900.0)
#: Seconds for which nobody looks after a failure: longer than a token lives.
DAY_OFF = (22.5 * 3_600, 30 * 3_600)


class Stuck(Exception):
    """The run does not come to its end although nothing goes wrong any more."""


class Simulation:
    """One run of the pipeline under one schedule."""

    def __init__(self, stage: Stage, scene: Scene) -> None:
        self.scene = scene
        self.log: list[str] = []
        self.attempts = 0
        self._chance = random.Random(f"simulation {scene.schedule.seed}")
        self._results: dict[str, Any] = {}
        self._tries: Counter[str] = Counter()
        self._tasks = Tasks(stage, scene, self._results)
        self._sleepers: list[tuple[str, Process]] = []
        self._calm = False
        self._error = ""

    def play(self) -> None:
        """Run to the end, whatever happens. Raises Stuck."""
        self.scene.workers.start()
        clears = sorted(self.scene.schedule.clears)
        position, tasks = 0, self._all()
        while position < len(tasks):
            if self._attempt(tasks[position]):
                position += 1
                tasks = self._all()
                self._wake(0.1)
                if clears and position / len(tasks) >= clears[0][0]:
                    position = self._clear(tasks, position, *clears.pop(0)[1:])
            else:
                self._after_failure(tasks, position)
        self._wake(1.0)

    def _all(self) -> list[Task]:
        shards = self._results.get("load_dataset")
        return self._tasks.before_shards() + (self._tasks.after_shards(shards) if shards else [])

    def _clear(self, tasks: list[Task], position: int, share: float, alone: bool) -> int:
        """Clear a finished task and what comes after it, or the task alone; return where to go on."""
        target = int(share * position)
        self.scene.plan.count("task cleared")
        if not alone:
            self._say(f"somebody clears {tasks[target].name} and what comes after it")
            return target
        self._say(f"somebody clears {tasks[target].name} alone")
        while not self._attempt(tasks[target]):
            self._after_failure(tasks, target)
        return position

    def _after_failure(self, tasks: list[Task], position: int) -> None:
        """Let time pass; now and then the run fails for good and cleans up, before somebody clears it."""
        self.scene.world.advance(self._chance.uniform(*RETRY_DELAY))
        if self._chance.random() < self.scene.schedule.day_off and not self._calm:
            self._say("nobody looks for a day")
            self.scene.plan.count("clock jumped")
            self.scene.world.advance(self._chance.uniform(*DAY_OFF))
        self._wake(0.2)
        if self._chance.random() < _GIVES_UP and not self._calm and not tasks[position].clean_up:
            self._say("the run fails; it cleans up before somebody clears the task")
            for task in tasks:
                if task.clean_up:
                    self._attempt(task)

    def _attempt(self, task: Task) -> bool:
        self.attempts += 1
        schedule = self.scene.schedule
        self._give_up_if_hopeless()
        for number, seconds in schedule.jumps:
            if number == self.attempts:
                self._say(f"{seconds / 3600:.1f} hours pass")
                self.scene.plan.count("clock jumped")
                self.scene.world.advance(seconds)
        twins = task.may_have_twin and not self._calm and self._chance.random() < schedule.trouble / 4
        fates = [schedule.fate(self._chance) for _ in range(2 if twins else 1)]
        if self._calm:
            fates = [type(fates[0])()]
        if twins:
            yields = self._chance.choice((0.05, 0.3, 0.6))
            fates = [type(fate)(fate.kill_at, fate.after, 0, yields) for fate in fates]
            self.scene.plan.count("twins")
        self._tries[task.name] += 1
        work = partial(task.work, self._tries[task.name])
        processes = [Process(work, fate, self._chance) for fate in fates]
        if twins:
            side_by_side(processes, self._chance)
        elif not processes[0].resume():
            self._sleepers.append((task.name, processes[0]))
            self.scene.plan.count("process asleep")
            self._say(f"{task.name}: falls asleep before effect {fates[0].sleep_at}; taken for dead")
            return False
        return any([self._ended(task.name, process) for process in processes])

    def _ended(self, name: str, process: Process) -> bool:
        error = process.error
        if error is None:
            self._results[name] = process.result
            self._say(f"{name}: done, {process.effects} effects")
            return True
        if isinstance(error, Killed):
            when = "after" if process.fate.after else "before"
            self.scene.plan.count(f"killed {when} an effect")
            self._say(f"{name}: killed {when} effect {process.effects}")
        else:
            self._error = "".join(traceback.format_exception(error))
            self._say(f"{name}: {type(error).__name__}: {error}")
        return False

    def _wake(self, likely: float) -> None:
        """Let sleepers go on with what they were about to do."""
        for entry in list(self._sleepers):
            if self._chance.random() < likely:
                name, process = entry
                self._sleepers.remove(entry)
                self._say(f"{name}: the sleeper goes on")
                process.resume()
                self._ended(f"(sleeper) {name}", process)

    def _give_up_if_hopeless(self) -> None:
        if self.attempts == PATIENCE:
            self._say("no more faults from here on")
            self._calm = True
            self.scene.calm()
        if self.attempts > MOST_ATTEMPTS:
            raise Stuck(f"still not done after {self.attempts} attempts: {self._error}")

    def _say(self, text: str) -> None:
        self.log.append(f"{self.scene.world.now():%d %H:%M:%S} {text}")

    def bury(self) -> None:
        """End what still sleeps."""
        for _, process in self._sleepers:
            process.bury()


def books(scene: Scene) -> Books:
    """Return the run as its ledger tells it."""
    run = LabelingRun(str(scene.path), scene.run_id)
    ledger = Ledger(scene.state, run.live.name, scene.run_id)
    return Books(
        batch=run.live.name,
        run_id=scene.run_id,
        state=ledger.fold(),
        limit_cents=max(scene.schedule.limit_cents, scene.allowed_cents),
        most=scene.schedule.most,
        items=scene.schedule.items,
    )


def play(stage: Stage, schedule: Schedule, *, sockets: bool = False) -> Played:
    """Play a schedule and judge what became of it."""
    with stage.playing(schedule, sockets=sockets) as scene:
        simulation = Simulation(stage, scene)
        problem = ""
        try:
            simulation.play()
        except Stuck as stuck:
            problem = str(stuck)
        finally:
            simulation.bury()
        scene.calm()
        verdict = check(scene.store, ACCOUNT, [books(scene)])
        if problem:
            verdict.problems.append(problem)
        return Played(
            seed=schedule.seed,
            verdict=verdict,
            injected=scene.plan.injected,
            log=simulation.log,
            calls=scene.plan.calls,
            attempts=simulation.attempts,
        )
