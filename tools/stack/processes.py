"""Background processes that outlive the command that started them, found again by pid and start time.

Each runs in a session of its own, so that what it starts can be found as well. A pid alone is never
trusted: the record also holds when the process started, and a recycled pid does not match.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tools.stack.errors import StackError

GRACE_S = 25.0  # the local cloud lets the emulator save its state, which has 12 s itself
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Record:
    """One started process: enough to find it again and to tell it from another with its pid."""

    name: str
    pid: int
    identity: str
    boot: str
    command: list[str]
    log: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return self.boot == boot_id() and identity_of(self.pid) == self.identity


def boot_id() -> str:
    """Identifies this boot of the machine; pids of another boot mean nothing."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"{psutil.boot_time():.0f}"


def identity_of(pid: int) -> str | None:
    """When the process started, as exactly as the system says; None when there is none (or a zombie)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return _start_ticks(pid) or f"{process.create_time():.0f}"
    except psutil.Error:
        return None


def _start_ticks(pid: int) -> str | None:
    """Start time in clock ticks since boot, where the system tells: setting the clock cannot change it."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return None
    return after_name.split()[19]


def start(
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: Path,
    log: Path,
    records: Path,
    keep_log: bool = False,
) -> Record:
    """Start a process in the background and record it; `keep_log` goes on in the log that is there."""
    if log.exists() and not keep_log:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab" if keep_log else "wb") as output:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    identity = identity_of(process.pid)
    if identity is None:
        raise StackError(f"{name} ended at once; see {log}")
    record = Record(name, process.pid, identity, boot_id(), list(command), str(log))
    (records / f"{name}.json").write_text(json.dumps(asdict(record), indent=1) + "\n")
    return record


def load(records: Path) -> list[Record]:
    """All records, also of processes that have ended."""
    found = []
    for path in sorted(records.glob("*.json")):
        try:
            found.append(Record(**json.loads(path.read_text())))
        except (ValueError, TypeError):
            path.unlink(missing_ok=True)  # half-written by a killed command
    return found


def stop(records: Iterable[Record], folder: Path, *, grace_s: float = GRACE_S) -> int:
    """End the processes and everything they started: TERM first, KILL for what is left after the grace.

    Returns how many had to be killed. Records are removed once nothing is left.
    """
    wanted = list(records)
    family = _family(wanted)
    leaders = [psutil.Process(record.pid) for record in wanted if record.alive]
    for leader in leaders:  # a leader stops its own children in good order
        _quietly_signal(leader, signal.SIGTERM)
    left_running(leaders, grace_s)
    family |= _family(wanted)  # what they started meanwhile
    orphans = [process for process in family if _running(process)]
    for process in orphans:
        _quietly_signal(process, signal.SIGTERM)
    left = left_running(orphans, min(5.0, grace_s))
    for process in left:
        _quietly_signal(process, signal.SIGKILL)
    if stubborn := left_running(left, 10.0):
        pids = ", ".join(str(process.pid) for process in stubborn)
        raise StackError(f"processes {pids} cannot be killed; look at them with ps")
    for record in wanted:
        (folder / f"{record.name}.json").unlink(missing_ok=True)
    return len(left)


def kill(record: Record, *, family: bool) -> list[psutil.Process]:
    """End a process as `kill -9` does, with all that it started or (as when only the leader crashes) alone.

    Returns the processes that it left behind; `end` takes them away. Its record stays.
    """
    members = _family([record])
    doomed = members if family else {each for each in members if each.pid == record.pid}
    for process in doomed:
        _quietly_signal(process, signal.SIGKILL)
    if stubborn := left_running(doomed, 10.0):
        raise StackError(f"{record.name} (pid {stubborn[0].pid}) cannot be killed; look at it with ps")
    return [process for process in members - doomed if _running(process)]


def end(left: Iterable[psutil.Process]) -> None:
    """Kill what is left of a group of processes."""
    remaining = list(left)
    for process in remaining:
        _quietly_signal(process, signal.SIGKILL)
    left_running(remaining, 10.0)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def _family(records: Sequence[Record]) -> set[psutil.Process]:
    """The recorded processes that run, their descendants, and orphans in their sessions."""
    now = boot_id()
    ours = [record for record in records if record.boot == now]
    found: set[psutil.Process] = set()
    sessions: set[int] = set()
    for record in ours:
        current = identity_of(record.pid)
        if current == record.identity:
            found |= _with_descendants(record.pid)
        if current in (None, record.identity):  # else the pid, and so the session, is another's
            sessions.add(record.pid)
    for pid in psutil.pids():
        try:
            if os.getsid(pid) in sessions:
                found.add(psutil.Process(pid))
        except (OSError, psutil.Error):
            continue
    return found


def _with_descendants(pid: int) -> set[psutil.Process]:
    try:
        leader = psutil.Process(pid)
        return {leader, *leader.children(recursive=True)}
    except psutil.Error:
        return set()


def _quietly_signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)  # psutil checks the start time again


def _running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def left_running(processes: Iterable[psutil.Process], limit_s: float = 10.0) -> list[psutil.Process]:
    """Wait until they have ended; returns those that have not.

    A zombie has ended: where process 1 reaps nothing, as in many containers, an orphan stays one for ever.
    """
    deadline = time.monotonic() + limit_s
    left = [process for process in processes if _running(process)]
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = [process for process in left if _running(process)]
    return left
