"""Starts parts of the stack again after they were killed or died, as systemd or a container engine does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil

from tools.chaos.real.timeline import Timeline
from tools.stack import processes
from tools.stack.control import AIRFLOW, CLOUD, Stack

#: How long what a killed leader left behind runs on beside its successor; systemd allows 90 s.
ORPHANS_S = 30.0
#: After which a part that ended by itself is started again.
RESTART_S = 2.0


@dataclass
class Supervisor:
    """Keeps the parts of a stack running. Call `tick` often."""

    stack: Stack
    environment: Mapping[str, str]
    timeline: Timeline
    _due: dict[str, float] = field(default_factory=dict)
    _orphans: list[tuple[float, list[psutil.Process]]] = field(default_factory=list)

    def kill(self, part: str, *, family: bool, down_s: float) -> list[psutil.Process]:
        """Kill a part that runs, to be started again after some seconds; returns what it left behind."""
        left = self.stack.kill(part, family=family)
        self._due[part] = time.monotonic() + down_s
        self.adopt(left)
        return left

    def adopt(self, orphans: list[psutil.Process]) -> None:
        """End these after a while, unless they have ended before."""
        if orphans:
            self._orphans.append((time.monotonic() + ORPHANS_S, orphans))

    def down(self) -> list[str]:
        """The parts that do not run."""
        up = {record.name for record in self.stack.running()}
        return [name for name in (CLOUD, *AIRFLOW) if name not in up]

    def tick(self, *, now: bool = False) -> None:
        """Start what is due (with `now` all that is down), and end orphans whose time is over."""
        for part in self.down():
            if part not in self._due:
                self._note_death(part)
            if now or time.monotonic() >= self._due[part]:
                record = self.stack.start_again(part, self.environment)
                del self._due[part]
                self.timeline.say(f"started {part} again (pid {record.pid})")
        for due, orphans in list(self._orphans):
            if now or time.monotonic() >= due:
                self._orphans.remove((due, orphans))
                processes.end(orphans)

    def stop(self) -> None:
        """Start nothing any more, and end what killed leaders left behind."""
        for _, orphans in self._orphans:
            processes.end(orphans)
        self._orphans.clear()

    def _note_death(self, part: str) -> None:
        """A part ended that nobody killed: Airflow's or ours, it is worth knowing."""
        self._due[part] = time.monotonic() + RESTART_S
        log = self.stack.layout.logs / f"{part}.log"
        last = [line for line in processes.tail(log, 3).splitlines() if line.strip()]
        self.timeline.died[part] += 1
        self.timeline.say(f"{part} ended by itself: {last[-1][:200] if last else 'its log is empty'}")
