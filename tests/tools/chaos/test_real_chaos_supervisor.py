"""The supervisor of a stack whose parts are processes that sleep."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tools.chaos.real import supervisor as module
from tools.chaos.real.supervisor import Supervisor
from tools.chaos.real.timeline import Timeline
from tools.stack import processes
from tools.stack.control import AIRFLOW, CLOUD, Stack
from tools.stack.layout import Layout
from tools.stack.processes import Record

SLEEP = "import time; time.sleep(600)"
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "{SLEEP}"])
print(child.pid, flush=True)
time.sleep(600)
"""


class Sleepers(Stack):
    """A stack of which only the scheduler has a child."""

    def start_again(self, name: str, environment: Mapping[str, str]) -> Record:
        code = PARENT if name == "scheduler" else SLEEP
        return self._start(name, [sys.executable, "-c", code], environment, keep_log=True)


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(module, "RESTART_S", 0.0)
    stack = Sleepers(Layout(root=tmp_path), say=lambda _: None)
    stack.layout.create()
    for name in (CLOUD, *AIRFLOW):
        stack.start_again(name, os.environ)
    made = Supervisor(stack, os.environ, Timeline(io.StringIO()))
    try:
        yield made
    finally:
        made.stop()
        stack.down()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pid_of(supervisor: Supervisor, part: str) -> int:
    return next(record.pid for record in supervisor.stack.running() if record.name == part)


def said(supervisor: Supervisor) -> str:
    stream = supervisor.timeline.stream
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_a_killed_part_is_started_again_when_its_time_has_come(supervisor: Supervisor) -> None:
    before = pid_of(supervisor, "triggerer")
    supervisor.kill("triggerer", family=True, down_s=600)
    supervisor.tick()
    assert supervisor.down() == ["triggerer"]
    supervisor.tick(now=True)
    assert supervisor.down() == []
    assert pid_of(supervisor, "triggerer") != before
    assert supervisor.timeline.died == {}


def test_a_part_that_ends_by_itself_is_told_and_started_again(supervisor: Supervisor) -> None:
    os.kill(pid_of(supervisor, "api-server"), signal.SIGKILL)
    until(lambda: supervisor.down() == ["api-server"])
    (supervisor.stack.layout.logs / "api-server.log").write_text("OSError: no room\n")
    supervisor.tick()
    assert supervisor.down() == []
    assert supervisor.timeline.died == {"api-server": 1}
    assert "api-server ended by itself: OSError: no room" in said(supervisor)


def test_what_a_killed_leader_left_runs_on_for_a_while(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = supervisor.stack.layout.logs / "scheduler.log"
    until(lambda: bool(log.read_text()))
    [child] = supervisor.kill("scheduler", family=False, down_s=0)
    supervisor.tick()
    assert processes.identity_of(child.pid) is not None
    assert supervisor.down() == [], "its successor runs beside it"
    clock = time.monotonic
    monkeypatch.setattr(module.time, "monotonic", lambda: clock() + module.ORPHANS_S)
    supervisor.tick()
    assert processes.identity_of(child.pid) is None


def test_stop_leaves_no_orphan(supervisor: Supervisor) -> None:
    log = supervisor.stack.layout.logs / "scheduler.log"
    until(lambda: bool(log.read_text()))
    [child] = supervisor.kill("scheduler", family=False, down_s=0)
    supervisor.stop()
    assert processes.identity_of(child.pid) is None
