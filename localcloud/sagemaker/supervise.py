"""Runs one command so that nothing of it outlives the server that started it.

Started as ``python -I -S supervise.py LIFELINE GRACE COMMAND...`` by `localcloud.sagemaker.process`;
it runs in the training interpreter and imports the standard library only.

LIFELINE is the reading end of a pipe that the server holds open: when the server ends, however it
ends, the pipe closes and everything is killed. (``PR_SET_PDEATHSIG`` alone would not do: it follows
the *thread* that forked, and does not reach grandchildren.) On SIGTERM the command's processes get
SIGTERM and, GRACE seconds later, SIGKILL. As with PID 1 of a container, what the command leaves
behind is killed when it ends. The exit code is the command's, 128 + n when signal n killed it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """Set a process attribute where the kernel has it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def in_child() -> None:
    """Run between fork and exec: a process group of its own, and no life without the supervisor."""
    os.setpgid(0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def children() -> list[int]:
    """Return the processes whose parent we are; subreaping brings orphans of the command here."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            found.append(int(stat.parent.name))
    return found


class Supervisor:
    """One command and its descendants."""

    def __init__(self, lifeline: int, grace: float, command: list[str]) -> None:
        self.lifeline = lifeline
        self.grace = grace
        self.code: int | None = None
        self.deadline: float | None = None
        self.wake, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self.on_terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        os.set_inheritable(lifeline, False)
        # other descriptors that were passed on, such as a listening socket, are the command's
        self.main = subprocess.Popen(command, preexec_fn=in_child, close_fds=False)  # noqa: S603

    def on_terminate(self, *_: object) -> None:
        """Pass SIGTERM on and start the grace period."""
        if self.deadline is None:
            self.deadline = time.monotonic() + self.grace
            self.signal_group(signal.SIGTERM)

    def signal_group(self, number: int) -> None:
        """Signal the command's process group, if there is anybody left in it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.main.pid, number)

    def reap(self) -> bool:
        """Collect ended processes; tells whether any are left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.main.pid:
                code = os.waitstatus_to_exitcode(status)
                self.code = code if code >= 0 else 128 - code

    def kill_all(self) -> None:
        """Kill the command and all its descendants, those that left its group included."""
        self.signal_group(signal.SIGKILL)
        while self.reap():
            for pid in children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            select.select([self.wake], [], [], 0.05)
            self.drain()

    def drain(self) -> None:
        """Forget pending wake-ups."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.wake, 512):
                pass

    def run(self) -> int:
        """Wait for the end, and return the exit code."""
        while True:
            left = self.reap()
            finished = not left or (self.code is not None and self.deadline is None)
            expired = self.deadline is not None and time.monotonic() >= self.deadline
            if finished or expired or self.orphaned(self.remaining()):
                self.kill_all()
                return 137 if self.code is None else self.code
            self.drain()

    def remaining(self) -> float | None:
        """Seconds of grace left; None when nobody asked us to stop."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def orphaned(self, timeout: float | None) -> bool:
        """Wait for a signal or the server's end; True for the latter."""
        ready, _, _ = select.select([self.lifeline, self.wake], [], [], timeout)
        return self.lifeline in ready


if __name__ == "__main__":
    sys.exit(Supervisor(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]).run())
