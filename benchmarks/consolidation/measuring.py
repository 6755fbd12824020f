"""Time and added memory of one piece of work, measured inside the process that does it.

Standard library alone: the peers' environment uses it, too.
"""

from __future__ import annotations

import ctypes
import gc
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
CLEAR_PEAK = "5"
"""What Linux wants written to ``clear_refs`` to forget a process's peak of resident memory."""


@dataclass(frozen=True)
class Cost:
    """What the work took: of the time the best of all runs, of the memory what the first run added.

    ``before_mib`` is resident when the work began, imports and input included; ``added_mib`` is the peak
    during the work less that.
    """

    seconds: float
    cpu_seconds: float
    runs: int
    before_mib: float
    added_mib: float

    def as_json(self) -> dict[str, float]:
        """Return the fields by name."""
        return asdict(self)


def measure(work: Callable[[], T], runs: int) -> tuple[T, Cost]:
    """Do the work ``runs`` times; return the first result and the cost."""
    give_back_free_memory()
    Path("/proc/self/clear_refs").write_text(CLEAR_PEAK)
    before = _status_mib("VmRSS")
    result, wall, cpu = _timed(work)
    added = _status_mib("VmHWM") - before
    times = [(wall, cpu)]
    for _ in range(runs - 1):
        gc.collect()
        _, wall, cpu = _timed(work)
        times.append((wall, cpu))
    best_wall, best_cpu = (min(column) for column in zip(*times, strict=True))
    return result, Cost(best_wall, best_cpu, runs, before, max(added, 0.0))


def give_back_free_memory() -> None:
    """Return to the system what is free, so that reusing it counts as added."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.malloc_trim(0)


def _timed(work: Callable[[], T]) -> tuple[T, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def _status_mib(field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    if found is None:
        raise OSError(f"/proc/self/status says nothing of {field}; memory is measured on Linux only")
    return int(found[1]) / 1024
