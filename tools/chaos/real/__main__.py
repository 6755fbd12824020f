"""``python -m tools.chaos.real --batch iris|large --faults N --seed S``."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tools import cloud
from tools.airflow_api import AirflowApi
from tools.chaos.real import table
from tools.chaos.real.bucket import RunRecord
from tools.chaos.real.driver import Driver, Limits, Stuck
from tools.chaos.real.faults import schedule
from tools.chaos.real.site import QUICK_RECOVERY, Site, clean_environment, free_ports, prepare
from tools.chaos.real.supervisor import Supervisor
from tools.chaos.real.timeline import Timeline
from tools.chaos.real.verdict import judge, processes_of
from tools.stack.control import Stack
from tools.stack.errors import StackError
from tools.stack.keys import ADMIN
from tools.stack.layout import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one batch under faults; returns 0 where nothing was wrong with labour, money and clean-up."""
    parser = argparse.ArgumentParser(prog="python -m tools.chaos real", description=__doc__)
    parser.add_argument("--batch", choices=("iris", "large"), default="iris")
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the faults, their order and the pauses")
    parser.add_argument("--items", type=int, help="items of the large batch (2,000)")
    parser.add_argument("--minutes", type=float, default=60, help="after which a run counts as stuck")
    parser.add_argument("--results", type=Path, default=table.RESULTS, help="folder of the table")
    parser.add_argument("--folder", type=Path, help="where to work; kept, also when nothing was wrong")
    parser.add_argument("--source", type=Path, default=ROOT, help="the checkout that is tried")
    options = parser.parse_args(argv)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="groundswell-chaos-")) / "site"
    site = prepare(
        options.batch, folder, seed=options.seed, items=options.items, source=options.source.resolve()
    )
    timeline, at = Timeline(), f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nothing may be left running
    row = try_out(
        site,
        name=options.batch,
        faults=options.faults,
        seed=options.seed,
        limits=Limits(total=options.minutes * 60),
        timeline=timeline,
    )
    print(json.dumps(row, indent=1))
    table.record(row | {"at": at, "commit": _commit(options.source)}, options.results)
    if timeline.problems:
        print(f"chaos: {len(timeline.problems)} problems; everything is kept in {folder}", file=sys.stderr)
    elif not options.folder:
        shutil.rmtree(folder.parent, ignore_errors=True)
    return 1 if timeline.problems else 0


def try_out(
    site: Site, *, name: str, faults: int, seed: int, limits: Limits, timeline: Timeline
) -> dict[str, Any]:
    """Start the stack, run the batch under the faults of a seed, stop the stack; returns the results."""
    stack = Stack(site.layout, say=timeline.say, settings=QUICK_RECOVERY)
    environment = {**clean_environment(), **free_ports()}
    figures: dict[str, Any] = {}
    driver: Driver | None = None
    supervisor = Supervisor(stack, environment, timeline)
    try:
        session = stack.up(environment, crowd=str(site.crowd), dag=site.dag)
        aws = partial(cloud.client, endpoint_url=session.cloud_url)
        run_id = f"chaos-{name}-{seed}"
        record = RunRecord(aws("s3"), site.state_uri, site.batch, run_id)
        with AirflowApi(session.airflow_url, username=ADMIN, password=stack.keys().admin_password) as api:
            driver = Driver(site, api, supervisor, record, timeline, run_id, limits)
            driver.run(schedule(seed, faults, model=site.model))
        figures = judge(site, run_id, record, aws, timeline)
    except (Stuck, StackError) as error:
        timeline.problem(str(error))
    finally:
        supervisor.stop()
        stack.down()
    for process in processes_of(site):
        timeline.problem(f"left running: {process.pid} {' '.join(process.cmdline())[:200]}")
    return {
        "layer": "real",
        "batch": name,
        "seed": seed,
        "schedules": 1,
        "faults": dict(sorted(timeline.faults.items())),
        "died": dict(timeline.died),
        "repairs": driver.repairs if driver else 0,
        "tries": sum(driver.tries.values()) if driver else 0,
        "seconds": round(timeline.seconds),
        **figures,
        "problems": timeline.problems,
    }


def _commit(source: Path) -> str:
    """The commit of the checkout that was tried, for the table."""
    command = ["git", "-C", str(source), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"  # a copy without its history


if __name__ == "__main__":
    sys.exit(main())
