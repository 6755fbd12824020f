"""The metrics of a job, read from its log by the regular expressions of its definition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any


class MetricReader:
    """Remembers the last value of each metric."""

    def __init__(self, definitions: Iterable[Mapping[str, str]]) -> None:
        self._patterns = {d["Name"]: re.compile(d["Regex"]) for d in definitions}
        self._last: dict[str, dict[str, Any]] = {}

    def read(self, line: str, now: datetime) -> None:
        """Look for metrics in a line; matches whose first group is no number are passed over."""
        for name, pattern in self._patterns.items():
            for found in pattern.finditer(line):
                value = _number(found)
                if value is not None:
                    self._last[name] = {"MetricName": name, "Value": value, "Timestamp": now}

    def final(self) -> list[dict[str, Any]]:
        """Return the FinalMetricDataList."""
        return [self._last[name] for name in self._patterns if name in self._last]


def _number(found: re.Match[str]) -> float | None:
    try:
        return float(found.group(1) if found.re.groups else found.group(0))
    except (TypeError, ValueError):
        return None
