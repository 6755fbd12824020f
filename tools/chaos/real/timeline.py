"""What happened when, one line for each event."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TextIO

from tools.demo.progress import clock


@dataclass
class Timeline:
    """Prints events with the time since the run began, and counts faults, and parts that died unasked."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    faults: Counter[str] = field(default_factory=Counter)
    died: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Something happened."""
        print(f"{clock(self.seconds)}  {text}", file=self.stream, flush=True)

    def fault(self, kind: str, text: str) -> None:
        """A fault was injected."""
        self.faults[kind] += 1
        self.say(f"FAULT {sum(self.faults.values()):>3}  {text}")

    def problem(self, text: str) -> None:
        """Something that must not be."""
        self.problems.append(text)
        self.say(f"PROBLEM    {text}")
