from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from tools.stack import processes
from tools.stack.processes import Record

# A leader that starts a child in its own session and one that has a session of its own
FAMILY = """
import subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
pids = [subprocess.Popen(sleep).pid, subprocess.Popen(sleep, start_new_session=True).pid]
print(*pids, flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    processes.stop(processes.load(tmp_path), tmp_path, grace_s=0)


def begin(folder: Path, name: str, code: str) -> Record:
    return processes.start(
        name,
        [sys.executable, "-c", code],
        environment=os.environ,
        cwd=folder,
        log=folder / f"{name}.log",
        records=folder,
    )


def first_line(record: Record) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if text := Path(record.log).read_text():
            return text
        time.sleep(0.02)
    raise AssertionError("the process says nothing")


def gone(pid: int) -> bool:
    return processes.identity_of(pid) is None


def test_a_started_process_is_found_again_by_its_record(folder: Path) -> None:
    record = begin(folder, "one", "import time; time.sleep(600)")
    assert processes.load(folder) == [record]
    assert record.alive
    assert os.getsid(record.pid) == record.pid


def test_stopping_ends_children_and_those_in_other_sessions(folder: Path) -> None:
    record = begin(folder, "leader", FAMILY)
    children = [int(pid) for pid in first_line(record).split()]
    processes.stop([record], folder)
    assert [pid for pid in (record.pid, *children) if not gone(pid)] == []
    assert processes.load(folder) == []


def test_a_zombie_is_not_left_running() -> None:
    """An orphan stays one where process 1 reaps nothing."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        zombie = psutil.Process(child.pid)
        assert processes.left_running([zombie]) == []
        assert zombie.status() == psutil.STATUS_ZOMBIE


def test_orphans_of_a_killed_leader_are_ended_too(folder: Path) -> None:
    record = begin(folder, "leader", FAMILY)
    own_session, other_session = (int(pid) for pid in first_line(record).split())
    try:
        os.kill(record.pid, signal.SIGKILL)
        psutil.Process(record.pid).wait(10)
        assert not record.alive
        processes.stop([record], folder)
        assert gone(own_session)
    finally:
        os.kill(other_session, signal.SIGKILL)


def test_a_leader_can_be_killed_alone(folder: Path) -> None:
    record = begin(folder, "leader", FAMILY)
    children = {int(pid) for pid in first_line(record).split()}
    left = processes.kill(record, family=False)
    assert gone(record.pid)
    assert {process.pid for process in left} == children
    assert [pid for pid in children if gone(pid)] == []
    processes.end(left)
    assert [pid for pid in children if not gone(pid)] == []


def test_a_leader_can_be_killed_with_all_that_it_started(folder: Path) -> None:
    record = begin(folder, "leader", FAMILY)
    children = [int(pid) for pid in first_line(record).split()]
    assert processes.kill(record, family=True) == []
    assert [pid for pid in (record.pid, *children) if not gone(pid)] == []
    assert processes.load(folder) == [record], "whoever starts it again finds its record"


def test_a_process_that_ignores_term_is_killed_and_counted(folder: Path) -> None:
    record = begin(folder, "stubborn", STUBBORN)
    first_line(record)
    assert processes.stop([record], folder, grace_s=0.3) == 1
    assert gone(record.pid)


@pytest.mark.parametrize("change", [{"identity": "1"}, {"boot": "another boot"}])
def test_a_recycled_pid_is_never_touched(folder: Path, change: dict[str, str]) -> None:
    bystander = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    try:
        true = Record(
            "old", bystander.pid, str(processes.identity_of(bystander.pid)), processes.boot_id(), [], "x.log"
        )
        assert true.alive
        stale = replace(true, **change)
        (folder / "old.json").write_text(json.dumps(asdict(stale)))
        assert not stale.alive
        processes.stop([stale], folder)
        assert bystander.poll() is None
        assert processes.load(folder) == []
    finally:
        bystander.kill()
        bystander.wait()


def test_a_half_written_record_is_dropped(folder: Path) -> None:
    (folder / "bad.json").write_text('{"name": "bad", "pi')
    assert processes.load(folder) == []
    assert not (folder / "bad.json").exists()


def test_the_log_of_the_run_before_is_kept(folder: Path) -> None:
    (folder / "one.log").write_text("earlier")
    begin(folder, "one", "import time; time.sleep(600)")
    assert (folder / "one.log.1").read_text() == "earlier"


def test_a_log_can_be_gone_on_with(folder: Path) -> None:
    (folder / "one.log").write_text("earlier ")
    record = processes.start(
        "one",
        [sys.executable, "-c", "print('later', flush=True); import time; time.sleep(600)"],
        environment=os.environ,
        cwd=folder,
        log=folder / "one.log",
        records=folder,
        keep_log=True,
    )
    deadline = time.monotonic() + 20
    while "later" not in Path(record.log).read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert Path(record.log).read_text() == "earlier later\n"
    assert not (folder / "one.log.1").exists()
