"""The metrics of a job, read from its log by the regular expressions of its definition.

The expressions are the user's, and one that backtracks without end would hold the interpreter's lock
and with it the whole server. So they run in a process of their own, for a limited time.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

MAX_LINES = 10_000
MAX_LINE = 4096
"""Characters of a line that are looked at."""
MAX_CHARACTERS = 4 * 2**20
"""Of all lines together; the last ones count."""
LIMIT_S = 5.0
"""For all metrics of a job."""
_START_S = 20.0  # for the process itself, on a machine that is busy
_CHILD = Path(__file__).with_name("metrics_child.py")


class MetricReader:
    """Keeps the last lines of a log, in which `final` looks for the last value of each metric."""

    def __init__(self, definitions: Iterable[Mapping[str, str]], limit: float = LIMIT_S) -> None:
        self._patterns = {d["Name"]: d["Regex"] for d in definitions}
        self._limit = limit
        self._lines: deque[tuple[str, datetime]] = deque()
        self._size = 0

    def read(self, line: str, now: datetime) -> None:
        """Take one line."""
        if not self._patterns:
            return
        kept = line[:MAX_LINE]
        self._lines.append((kept, now))
        self._size += len(kept)
        while len(self._lines) > MAX_LINES or self._size > MAX_CHARACTERS:
            self._size -= len(self._lines.popleft()[0])

    def final(self) -> list[dict[str, Any]]:
        """Return the FinalMetricDataList; a metric whose expression takes too long is left out."""
        if not self._lines:
            return []
        lines = list(self._lines)
        found = []
        for name, *rest in self._answers([line for line, _ in lines]):
            if not rest:
                logger.warning("metric %s left out: its regular expression takes too long", name)
            elif rest[0] is not None:
                found.append({"MetricName": name, "Value": rest[0], "Timestamp": lines[rest[1]][1]})
        return found

    def _answers(self, lines: list[str]) -> list[list[Any]]:
        request = json.dumps({"patterns": self._patterns, "lines": lines})
        each = self._limit / len(self._patterns)
        try:
            result = subprocess.run(  # noqa: S603
                [sys.executable, "-I", "-S", str(_CHILD), str(each)],
                input=request.encode(),
                capture_output=True,
                timeout=self._limit + _START_S,
                check=True,
                env={},
            )
        except (subprocess.SubprocessError, OSError) as error:
            logger.warning("metrics %s left out: %s", ", ".join(self._patterns), error)
            return []
        return [json.loads(answer) for answer in result.stdout.splitlines()]
