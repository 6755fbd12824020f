"""After the example: a week of private labelling teams is played, and reported with the example's work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tools.airflow_api import AirflowApi
from tools.demo.progress import Display
from tools.demo.run import DemoFailed, Follower, new_run_id
from tools.stack.session import Session

DAG = "worker_metrics"
DAYS = 7
PLAY_LIMIT_S = 300.0


@dataclass(frozen=True)
class Week:
    """The days before today, and today, which is not over."""

    today: date

    @classmethod
    def now(cls) -> Week:
        """The one that ends today (UTC, as the settings of the reports have it)."""
        return cls(datetime.now(UTC).date())

    @property
    def first(self) -> date:
        """Its first day."""
        return self.today - timedelta(days=DAYS)

    @property
    def last_over(self) -> date:
        """Its last day that is over."""
        return self.today - timedelta(days=1)


def play(cloud_url: str, week: Week) -> None:
    """Let three private teams work through the week; a week that was played stays as it is."""
    command = [sys.executable, "-m", "localcloud.teams", "--endpoint", cloud_url]
    command += ["--days", str(DAYS), "--until", week.last_over.isoformat()]
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PLAY_LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise DemoFailed(f"playing the private teams took more than {PLAY_LIMIT_S:.0f} s") from error
    if ended.returncode:
        raise DemoFailed(f"the private teams cannot be played:\n{ended.stderr.strip()}")


class NothingMore:
    """The reports' run has no progress document."""

    def progress(self) -> None:
        """Return None."""


def report(api: AirflowApi, week: Week) -> None:
    """Run the reports' DAG over the week and today."""
    api.unpause(DAG)
    run_id = new_run_id()
    days = {"from_day": week.first.isoformat(), "to_day": week.today.isoformat()}
    api.trigger(DAG, run_id, days)
    display = Display()
    try:
        Follower(api, NothingMore(), display, dag_id=DAG, run_id=run_id).follow()
    finally:
        display.close()


def lines(session: Session, week: Week) -> Iterator[str]:
    """Where to look, for the end of the demo."""
    yield f"  Reports         every day from {week.first} to {week.today}; today's is provisional"
    yield f"  Throughput      {session.airflow_url}/plugin/throughput"
    yield f"  Labelling       {session.airflow_url}/plugin/labelling"
