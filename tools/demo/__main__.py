"""``python -m tools.demo``: start the stack, run the example, show the result."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import cloud
from tools.airflow_api import AirflowApi, AirflowApiError
from tools.demo import reports, summary
from tools.demo.documents import Documents, accuracy, batch_settings, read_answer_key
from tools.demo.progress import Display
from tools.demo.run import DemoFailed, Follower, new_run_id
from tools.stack.control import Stack
from tools.stack.errors import StackError
from tools.stack.keys import ADMIN
from tools.stack.layout import Layout
from tools.stack.session import Session

FIRST = "iris"


@dataclass(frozen=True)
class Example:
    """A batch that has a simulated crowd of the same name."""

    name: str
    include: Path

    @classmethod
    def named(cls, name: str, include: Path) -> Example:
        """Find it; raises DemoFailed where a file of it is missing."""
        example = cls(name, include)
        for path in (example.batch, example.crowd, example.answer_key):
            if not path.is_file():
                there = sorted(each.stem for each in (include / "crowds").glob("*.yaml"))
                raise DemoFailed(f"BATCH={name}: there is no {path}; the examples are {', '.join(there)}")
        return example

    @property
    def batch(self) -> Path:
        """Its batch file."""
        return self.include / "batches" / f"{self.name}.yaml"

    @property
    def crowd(self) -> Path:
        """Its simulated workers."""
        return self.include / "crowds" / f"{self.name}.yaml"

    @property
    def answer_key(self) -> Path:
        """The labels that are right."""
        return self.include / "crowds" / f"{self.name}_answers.csv"

    @property
    def dag_id(self) -> str:
        """The DAG that runs it."""
        return f"labeling_{batch_settings(self.batch)[0]}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description="Run an example.")
    parser.add_argument(
        "--batch", default=FIRST, help="which: a name in include/batches (default: %(default)s)"
    )
    parser.add_argument("--crowd", help="crowd file of the simulated workers (default: the example's)")
    options = parser.parse_args(argv)
    layout = Layout()
    stack = Stack(layout, say=lambda text: print(text, flush=True))
    try:
        example = Example.named(options.batch, layout.root / "include")
        session = stack.up(os.environ, crowd=options.crowd or str(example.crowd), dag=example.dag_id)
        with AirflowApi(session.airflow_url, username=ADMIN, password=stack.keys().admin_password) as api:
            return _demo(api, session, stack, example)
    except (StackError, AirflowApiError, DemoFailed) as error:
        print(f"demo: {error}", file=sys.stderr)
        if stack.running():
            print("demo: what runs is left for you to look at; `make down` ends it", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; the stack and the run go on, `make down` ends them", file=sys.stderr)
        return 130


def _demo(api: AirflowApi, session: Session, stack: Stack, example: Example) -> int:
    began = time.monotonic()
    batch, state_uri = batch_settings(example.batch)
    dag_id = example.dag_id
    run_id = _begin(api, dag_id)
    documents = Documents(cloud.client("s3", session.cloud_url), state_uri, batch, run_id)
    print(f"\nrun {run_id} of {dag_id}: {session.airflow_url}/dags/{dag_id}/runs/{run_id}\n", flush=True)
    display = Display()
    try:
        Follower(api, documents, display, dag_id=dag_id, run_id=run_id).follow()
    finally:
        display.close()
    document = documents.summary()
    if document is None:
        raise DemoFailed("the run succeeded but left no summary.json")
    labels = documents.labels(document["labels_uri"]) if document.get("labels_uri") else {}
    right, judged = accuracy(labels, read_answer_key(example.answer_key))
    print(f"\nDone in {time.monotonic() - began:.0f} s\n")
    for line in summary.lines(document, right=right, judged=judged):
        print(line)
    print("\nA week of three private labelling teams, and the report of every day\n", flush=True)
    week = reports.Week.now()
    reports.play(session.cloud_url, week)
    reports.report(api, week)
    print()
    for line in reports.lines(session, week):
        print(line)
    print(f"  Airflow UI      {session.airflow_url}  (user {ADMIN}, password {stack.keys().admin_password})")
    print(f"  Worker page     {session.cloud_url}/worker")
    print("  Stop it         make down")
    return 0


def _begin(api: AirflowApi, dag_id: str) -> str:
    """Start a run, or take up the one that an interrupted demo left: the DAG runs one at a time."""
    api.unpause(dag_id)
    active = api.active_runs(dag_id)
    if active:
        print("\nan earlier run is not finished; following it (make clean-state forgets it)")
        return active[0]
    run_id = new_run_id()
    api.trigger(dag_id, run_id, {"relabel": True})
    return run_id


if __name__ == "__main__":
    sys.exit(main())
