"""Looks for metrics in lines of a log; a program of its own, since a regular expression may never end.

Started as ``python -I -S metrics_child.py SECONDS`` by `localcloud.sagemaker.training.metrics`, with
``{"patterns": {name: regex}, "lines": [line, ...]}`` on stdin. SECONDS is the limit for one metric. Writes a
JSON line for each metric: ``[name, value, index of its line]``, with nulls where there is none, and
``[name]`` alone when the time was over. (The `re` module looks for signals while it matches.)
"""

from __future__ import annotations

import json
import re
import signal
import sys


class TimeOver(Exception):
    """The limit of one metric was reached."""


def on_alarm(*_: object) -> None:
    """End the search for one metric."""
    raise TimeOver


def last_value(pattern: re.Pattern[str], lines: list[str]) -> tuple[float | None, int | None]:
    """Return the last number that matches, and its line; a first group that is no number is passed over."""
    for index in range(len(lines) - 1, -1, -1):
        values = [value for found in pattern.finditer(lines[index]) if (value := number(found)) is not None]
        if values:
            return values[-1], index
    return None, None


def number(found: re.Match[str]) -> float | None:
    """Return the number that a match holds."""
    try:
        return float(found.group(1) if found.re.groups else found.group(0))
    except (TypeError, ValueError):
        return None


def main(limit: float) -> None:
    """Read the request, write the answers."""
    request = json.load(sys.stdin)
    signal.signal(signal.SIGALRM, on_alarm)
    for name, regex in request["patterns"].items():
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            answer = [name, *last_value(re.compile(regex), request["lines"])]
        except TimeOver:
            answer = [name]
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
