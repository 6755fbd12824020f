"""What a run left behind: the oracle's verdict on labour and money, and everything else that must be so."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import psutil
import yaml

from tools.chaos.oracle import Books, check
from tools.chaos.real.bucket import RunRecord
from tools.chaos.real.site import Site
from tools.chaos.real.timeline import Timeline
from workforce.store import Store

ACCOUNT = "000000000000"


def judge(site: Site, run_id: str, record: RunRecord, aws: Any, timeline: Timeline) -> dict[str, Any]:
    """Judge a run that is over while the local cloud still runs; returns the oracle's figures.

    `aws` makes a client of the local cloud from a service's name.
    """
    batch = yaml.safe_load((site.layout.batches / f"{site.batch}.yaml").read_text())
    state = record.state()
    books = Books(
        batch=site.batch,
        run_id=run_id,
        state=state,
        limit_cents=max(round(float(batch["spend"]["budget"]) * 100), state.approved_cents),
        # A rejected answer's seat is given to somebody else
        most=None if "review" in batch else batch["redundancy"]["most"],
        items=site.items,
    )
    store = Store.open(f"sqlite:///{site.layout.cloud / 'workforce.db'}")
    try:
        verdict = check(store, ACCOUNT, [books])
    finally:
        store.close()
    for problem in verdict.problems:
        timeline.problem(problem)
    if unsettled := sorted(set(site.items) - state.outcomes.keys()):
        timeline.problem(f"items that were not asked to the end: {', '.join(unsettled)}")
    if not record.summary():
        timeline.problem("the run left no summary.json")
    _judge_leftovers(site, aws, timeline)
    figures = asdict(verdict)
    figures.pop("problems")
    return figures


def _judge_leftovers(site: Site, aws: Any, timeline: Timeline) -> None:
    """Whatever costs money by the hour, and HITs that workers still see."""
    if left := aws("mturk").list_hits()["HITs"]:
        timeline.problem(f"{len(left)} HITs or more are left at the workforce")
    if not site.model:
        return
    sagemaker = aws("sagemaker")
    left = {
        "endpoints": sagemaker.list_endpoints()["Endpoints"],
        "endpoint configurations": sagemaker.list_endpoint_configs()["EndpointConfigs"],
        "models": sagemaker.list_models()["Models"],
    }
    for what, found in left.items():
        if found:
            timeline.problem(f"{len(found)} {what} are left")
    # A job that was stopped because its task was cleared is followed by another, on purpose
    jobs = sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    statuses = [job["TrainingJobStatus"] for job in jobs]
    timeline.say(f"training jobs: {', '.join(statuses)}")
    if statuses.count("Completed") != 1 or set(statuses) - {"Completed", "Stopped"}:
        timeline.problem(f"one completed training job was expected, found: {', '.join(statuses)}")


def processes_of(site: Site) -> list[psutil.Process]:
    """Every process that works in the site's folder, whoever started it."""
    folder = str(site.layout.state.parent)
    found = []
    for process in psutil.process_iter():
        try:
            words = [process.cwd(), *process.cmdline()]
        except psutil.Error:
            continue
        if process.pid != psutil.Process().pid and any(folder in word for word in words[:1]):
            found.append(process)
    return found
