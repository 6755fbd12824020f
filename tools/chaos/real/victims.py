"""The processes of a running stack that a fault may hit."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import psutil

from tools.stack import processes
from tools.stack.control import Stack

_WORKER = "airflow worker -- LocalExecutor"
_IDLE = "<idle>"


@dataclass(frozen=True)
class Running:
    """A task that runs: the worker that supervises it, and its own process."""

    worker: psutil.Process
    task: psutil.Process
    title: str


def running_tasks(stack: Stack) -> list[Running]:
    """The tasks that run under the present scheduler, by process id."""
    found = []
    for record in stack.running():
        if record.name != "scheduler":
            continue
        with contextlib.suppress(psutil.Error):
            for worker in psutil.Process(record.pid).children():
                found += _busy(worker)
    return sorted(found, key=lambda each: each.task.pid)


def _busy(worker: psutil.Process) -> list[Running]:
    """The worker's task, unless it is idle.

    An idle worker is never a victim: it may hold the lock of the executor's queue, and all others would wait
    for it for ever. That is a weakness of Python's queues and not of a run's, and systemd kills no worker.
    """
    with contextlib.suppress(psutil.Error):
        title = " ".join(worker.cmdline())
        if title.startswith(_WORKER) and _IDLE not in title:
            words = title.removeprefix(_WORKER).strip(": ")
            return [Running(worker, child, words) for child in worker.children()[:1]]
    return []


def kill_task(victim: Running) -> None:
    """Kill the task's process; its worker reports the failure."""
    processes.end([victim.task])


def kill_worker(victim: Running, *, alone: bool) -> list[psutil.Process]:
    """Kill the worker; returns its task's process where that runs on with nobody to report to."""
    if alone:
        processes.end([victim.worker])
        return [victim.task]
    processes.end([victim.worker, victim.task])
    return []
