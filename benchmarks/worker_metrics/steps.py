"""One task of the reports' DAG in a process of its own, as an executor runs it.

    python -m benchmarks.worker_metrics.steps SETTINGS TASK WHAT-THE-TASK-BEFORE-RETURNED.json

Prints as JSON on the last line what the task returns, and the most memory that it had, in MB.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from groundswell.aws.reporting import collecting
from groundswell.aws.reporting.opening import Reports, open_reports


def window(reports: Reports, days: Any) -> Any:
    """The days to write: ``days`` is one, as text."""
    from groundswell.aws.reporting.window import plan

    begin = reports.settings.start_of(date.fromisoformat(days))
    interval = (begin, begin + timedelta(days=1))
    return plan(reports.settings, reports.store, {}, interval, datetime.now(UTC)).as_xcom()


def report_day(reports: Reports, days: Any) -> Any:
    """The last of the days."""
    from groundswell.aws.reporting.reporting import report_day as report

    return report(reports, days[-1])


def publish(reports: Reports, written: Any) -> Any:
    """The month and what is too old."""
    from groundswell.aws.reporting.publishing import publish as finish

    return finish(reports, [written], datetime.now(UTC))


STEPS: dict[str, Callable[[Reports, Any], Any]] = {
    "window": window,
    "collect_activity": collecting.collect_activity,
    "collect_workteam": collecting.collect_workteam,
    "collect_jobs": collecting.collect_jobs,
    "collect_names": collecting.collect_names,
    "report_day": report_day,
    "publish": publish,
}

if __name__ == "__main__":
    file, step, given = sys.argv[1:]
    with open_reports(Path(file)) as opened:
        result = STEPS[step](opened, json.loads(given))
    # Not getrusage: that counts what the process was before it became this program
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps([result, peak]))
