"""The processes in which tasks run: each can be killed, or put to sleep, before or after any outside effect.

A process is a thread, of which only one moves at a time. So what twins of a task do is interleaved as the
seed says, and again the same way when the schedule is replayed.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from groundswell.ledger import PartStore

_here = threading.local()


class Killed(BaseException):
    """The process is gone: nothing of it may have an effect after this."""


@dataclass(frozen=True)
class Fate:
    """What happens to a process.

    Attributes:
        kill_at: number of the effect (API call or write of the ledger) at which it dies, from 1; 0: never.
        after: it dies once the effect has happened, so that only the answer to it is lost.
        sleep_at: number of the effect before which it stops, to go on much later.
        yields: how likely it lets its twin go first at an effect.
    """

    kill_at: int = 0
    after: bool = False
    sleep_at: int = 0
    yields: float = 0.0


class Process:
    """One attempt at a task, in a thread of its own.

    Attributes:
        effects: API calls and writes so far.
        done: whether it came to its end.
        result: what the task returned.
        error: what it raised: a :class:`Killed`, where it was killed.
    """

    def __init__(self, work: Callable[[], Any], fate: Fate, chance: random.Random) -> None:
        self.fate = fate
        self.effects = 0
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._chance = chance
        self._dead = False
        self._work = work
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def resume(self) -> bool:
        """Let it run to its next stop; return whether it is done."""
        self._go.release()
        self._stopped.acquire()
        if self.done:
            self._thread.join()
        return self.done

    def bury(self) -> None:
        """End a process that sleeps: it never wakes up."""
        self._dead = True
        while not self.done:
            self.resume()

    def before(self) -> None:
        """To be called before an effect."""
        self._die_if(self._dead)
        self.effects += 1
        self._die_if(self.effects == self.fate.kill_at and not self.fate.after)
        if self.effects == self.fate.sleep_at:
            self._stop()
        while self.fate.yields and self._chance.random() < self.fate.yields:
            self._stop()

    def after(self) -> None:
        """To be called once an effect has happened."""
        self._die_if(self._dead or (self.effects == self.fate.kill_at and self.fate.after))

    def _stop(self) -> None:
        self._stopped.release()
        self._go.acquire()
        self._die_if(self._dead)

    def _die_if(self, condition: bool) -> None:
        if condition:
            self._dead = True
            raise Killed

    def _run(self) -> None:
        self._go.acquire()
        _here.process = self
        try:
            self.result = self._work()
        except BaseException as error:  # the thread stands for a process: whatever ends it is its end
            self.error = error
        finally:
            self.done = True
            self._stopped.release()


def before_call(**_: Any) -> None:
    """Tell the process that runs here of an API call to come; an event handler of botocore."""
    if process := getattr(_here, "process", None):
        process.before()


def after_call(**_: Any) -> None:
    """Tell the process that runs here of an API call that was answered; an event handler of botocore."""
    if process := getattr(_here, "process", None):
        process.after()


def side_by_side(processes: Iterable[Process], chance: random.Random) -> None:
    """Run processes to their ends, in turns."""
    alive = list(processes)
    while alive:
        process = chance.choice(alive)
        if process.resume():
            alive.remove(process)


class LedgerFault(Exception):
    """The store did not say whether it wrote."""


@dataclass
class StoreFaults:
    """How often a write of the ledger goes wrong: it fails, its answer is lost, or a retry finds it done.

    :param chance: the source of randomness.
    :param rate: the share of writes.
    :param count: told the name of each fault.
    """

    chance: random.Random
    rate: float
    count: Callable[[str], None]
    on: bool = True

    def next(self) -> str:
        """Return what goes wrong with the next write, or ""."""
        roll, choice = self.chance.random(), self.chance.random()
        if not self.on or roll >= self.rate:
            return ""
        return ("PUT lost before", "PUT lost after", "PUT repeated: says it exists")[int(choice * 3)]


class MortalStore:
    """A part store whose writes are effects of the process that makes them, and may go wrong."""

    def __init__(self, store: PartStore, faults: StoreFaults, error: Callable[[str], Exception]) -> None:
        self._store = store
        self._faults = faults
        self._error = error

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """See :class:`groundswell.ledger.PartStore`."""
        return bool(self._write("put_if_absent", key, body))

    def put(self, key: str, body: bytes) -> None:
        """See :class:`groundswell.ledger.PartStore`."""
        self._write("put", key, body)

    def _write(self, name: str, key: str, body: bytes) -> Any:
        before_call()
        fault = self._faults.next()
        if fault == "PUT lost before":
            self._faults.count(fault)
            raise self._error(f"{key}: connection was closed")
        written = getattr(self._store, name)(key, body)
        if fault == "PUT lost after":
            self._faults.count(fault)
            raise self._error(f"{key}: connection was closed")
        if fault and written:
            # The client tried again by itself, and met its own first try
            self._faults.count(fault)
            written = False
        after_call()
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
