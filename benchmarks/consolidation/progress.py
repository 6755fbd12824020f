"""Says how far a long command is."""

from __future__ import annotations

import time
from collections.abc import Callable

Say = Callable[[str], None]


class Narrator:
    """Prints lines with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def __call__(self, text: str) -> None:
        print(f"[{self.seconds:5.0f} s] {text}", flush=True)
