"""Our side: the operators of the labelling DAG on a batch, against a local cloud of their own.

    python -m benchmarks.requester_calls.pipeline --speed-up 15 --crowd FILE --folder DIR
        [--batch FILE] [--set redundancy='{"rule": "fixed", "first": 3}' ...]

The tasks are those of `dags/labeling.py` up to the labels, then the deletion of the HITs, in its order and
with its arguments; training asks no workforce. Where a task defers, its trigger is made anew from what it
serialises to and runs to its first event, as in Airflow's triggerer. Two things differ from production, both
so that the benchmark's clock runs faster: the batch's polling times, and the trigger's QUIET_SECONDS, are
divided by the speed-up. Prints one line of JSON per step, the last with the labels.

A process of its own, because Airflow reads its settings when it is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.cloud_process import CloudProcess

if TYPE_CHECKING:
    from groundswell.batches.model import Batch

CHECKOUT = Path(__file__).resolve().parents[2]
BATCH = CHECKOUT / "include" / "batches" / "iris.yaml"
RUN_ID = "manual__benchmark"


def say(step: str, **more: Any) -> None:
    """Tell the parent process."""
    print(json.dumps({"step": step, **more}), flush=True)


def set_airflow_up(home: Path) -> None:
    """Give Airflow a home of its own; to be called before it is imported."""
    os.environ.update(
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(CHECKOUT / "plugins"),
        AIRFLOW__CORE__UNIT_TEST_MODE="False",
        AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE="True",
    )
    warnings.simplefilter("ignore", DeprecationWarning)
    logging.basicConfig(level=logging.WARNING)


def connect(url: str) -> None:
    """Point the batch's two connections to the local cloud."""
    connection = {
        "conn_type": "aws",
        "login": "test",
        "password": "test",
        "extra": {"region_name": "us-east-1", "endpoint_url": url},
    }
    for name in ("MTURK_DEFAULT", "AWS_DEFAULT"):
        os.environ[f"AIRFLOW_CONN_{name}"] = json.dumps(connection)


def scaled_batch(source: Path, speed_up: float, folder: Path, sections: dict[str, Any]) -> Path:
    """Write a batch with its polling times divided by the speed-up and other sections; returns the file."""
    from groundswell.batches.model import Batch

    batch = Batch.load(source)
    content = yaml.safe_load(source.read_text())
    content["polling"]["interval"] = whole_seconds(batch.polling.interval_seconds / speed_up)
    content["polling"]["max_wait"] = whole_seconds(batch.polling.max_wait_seconds / speed_up)
    content["dataset"]["path"] = batch.dataset.path
    content["task"]["template"] = str(batch.task.template)
    content["task"]["image_folder"] = str(batch.task.image_folder)
    for section in ("training", "endpoint", "evaluation"):
        content.pop(section)
    content.update(sections)
    path = folder / source.name
    path.write_text(yaml.safe_dump(content))
    return path


def whole_seconds(seconds: float) -> str:
    """Return a duration as batch files have it, which is in whole seconds."""
    if seconds < 1 or seconds != int(seconds):
        raise SystemExit(
            f"the batch would poll every {seconds:g} s, but takes whole seconds; "
            "choose another --speed-up: 1, 3, 5, 7.5 or 15"
        )
    return f"{int(seconds)}s"


def scale_quiet_time(speed_up: float) -> None:
    """Shorten the time for which a new trigger keeps quiet, as everything else is shortened."""
    from groundswell.aws.triggers import mturk

    mturk.QUIET_SECONDS /= speed_up


def perform(task: Any, *, on_wait: Any = None) -> Any:
    """Run a task as worker and triggerer do between them; returns its result."""
    from airflow.sdk.exceptions import TaskDeferred

    method, arguments = "execute", dict[str, Any]()
    while True:
        try:
            return getattr(task, method)({}, **arguments)
        except TaskDeferred as deferred:
            if on_wait:
                on_wait()
            path, keywords = deferred.trigger.serialize()
            module, _, name = path.rpartition(".")
            trigger = getattr(import_module(module), name)(**keywords)
            method, arguments = deferred.method_name, {"event": asyncio.run(_first_event(trigger))}


async def _first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise SystemExit(f"{type(trigger).__name__} ended without an event")


def label(path: Path, batch: Batch) -> dict[str, str]:
    """Do the DAG's tasks from load_dataset to the deletion of the HITs; returns item -> label."""
    from groundswell.aws.operators.mturk import (
        MTurkCollectAndExtendOperator,
        MTurkDeleteHitsOperator,
        MTurkPublishHitsOperator,
    )
    from groundswell.aws.runs import open_run
    from groundswell.aws.sensors.mturk import MTurkReviewableSensor
    from groundswell.aws.steps.dataset import load_dataset
    from groundswell.aws.steps.labels import all_labels, consolidate, write_dataset
    from groundswell.aws.steps.spend import plan, reserve

    common: dict[str, Any] = {
        "batch_path": str(path),
        "run_id": RUN_ID,
        "aws_conn_id": batch.connections.mturk,
    }
    with open_run(str(path), RUN_ID) as run:
        shards = load_dataset(run, relabel=False)
    say("load_dataset", shards=len(shards))
    with open_run(str(path), RUN_ID, "mturk") as run:
        planned = plan(run)
        say("plan_spend", text=planned["text"])
        reserve(run, planned, "the benchmark")
    for shard in shards:
        say(
            "publish_hits", **perform(MTurkPublishHitsOperator(task_id="publish_hits", shard=shard, **common))
        )

    sensor = MTurkReviewableSensor(
        task_id="sense_reviewable",
        poke_interval=batch.polling.interval_seconds,
        timeout=batch.polling.timeout.total_seconds(),
        **common,
    )
    perform(sensor)

    def report() -> None:
        with open_run(str(path), RUN_ID) as run:
            state = run.ledger.fold("hits", "outcomes")
        say("collect_and_extend", labelled=len(state.hits) - len(state.open_items), items=len(state.hits))

    perform(MTurkCollectAndExtendOperator(task_id="collect_and_extend", **common), on_wait=report)
    with open_run(str(path), RUN_ID) as run:
        counts = consolidate(run)
        say("consolidate", labelled=counts["labelled"], unlabelled=counts["unlabelled"])
        write_dataset(run)
        labels = {row["item"]: row["label"] for row in all_labels(run)}
    say("delete_hits", **perform(MTurkDeleteHitsOperator(task_id="delete_hits", **common)))
    return labels


def _section(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    return name, json.loads(value)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speed-up", type=float, required=True, help="what the polling times are divided by")
    parser.add_argument("--crowd", type=Path, required=True, metavar="FILE", help="the crowd file to serve")
    parser.add_argument(
        "--folder", type=Path, required=True, metavar="DIR", help="the cloud's state: DIR/cloud"
    )
    parser.add_argument("--batch", type=Path, default=BATCH, metavar="FILE", help="default: %(default)s")
    parser.add_argument(
        "--set",
        type=_section,
        action="append",
        default=[],
        metavar="SECTION=JSON",
        help="in place of the file's",
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # in good order: the cloud is stopped
    with tempfile.TemporaryDirectory() as home:
        set_airflow_up(Path(home))
        path = scaled_batch(options.batch, options.speed_up, options.folder, dict(options.set))
        from groundswell.batches.model import Batch

        batch = Batch.load(path)
        scale_quiet_time(options.speed_up)
        cloud = CloudProcess(options.folder / "cloud", crowd=options.crowd)
        try:
            connect(cloud.start())
            cloud.client("s3").create_bucket(Bucket=batch.output.uri.removeprefix("s3://").partition("/")[0])
            labels = label(path, batch)
        finally:
            cloud.stop()
    say("done", labels=labels)


if __name__ == "__main__":
    main()
