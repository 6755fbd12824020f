"""``python -m tools.demo``: start the stack, run the example, show the result."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from tools import cloud
from tools.airflow_api import AirflowApi, AirflowApiError
from tools.demo import summary
from tools.demo.documents import Documents, accuracy, batch_settings, read_answer_key
from tools.demo.progress import Display
from tools.demo.run import DemoFailed, Follower, new_run_id
from tools.stack.control import FIRST_DAG, Stack
from tools.stack.errors import StackError
from tools.stack.keys import ADMIN
from tools.stack.layout import Layout
from tools.stack.session import Session

BATCH = "include/batches/iris.yaml"
CROWD = "include/crowds/iris.yaml"
ANSWER_KEY = "include/crowds/iris_answers.csv"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description="Run the iris example.")
    parser.add_argument("--crowd", default=CROWD, help="crowd file of the simulated workers")
    options = parser.parse_args(argv)
    layout = Layout()
    stack = Stack(layout, say=lambda text: print(text, flush=True))
    try:
        session = stack.up(os.environ, crowd=options.crowd)
        with AirflowApi(session.airflow_url, username=ADMIN, password=stack.keys().admin_password) as api:
            return _demo(api, session, stack)
    except (StackError, AirflowApiError, DemoFailed) as error:
        print(f"demo: {error}", file=sys.stderr)
        if stack.running():
            print("demo: what runs is left for you to look at; `make down` ends it", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; the stack and the run go on, `make down` ends them", file=sys.stderr)
        return 130


def _demo(api: AirflowApi, session: Session, stack: Stack) -> int:
    root = stack.layout.root
    began = time.monotonic()
    batch, state_uri = batch_settings(root / BATCH)
    run_id = _begin(api)
    documents = Documents(cloud.client("s3", session.cloud_url), state_uri, batch, run_id)
    print(
        f"\nrun {run_id} of {FIRST_DAG}: {session.airflow_url}/dags/{FIRST_DAG}/runs/{run_id}\n", flush=True
    )
    display = Display()
    try:
        Follower(api, documents, display, dag_id=FIRST_DAG, run_id=run_id).follow()
    finally:
        display.close()
    document = documents.summary()
    if document is None:
        raise DemoFailed("the run succeeded but left no summary.json")
    labels = documents.labels(document["labels_uri"]) if document.get("labels_uri") else {}
    right, judged = accuracy(labels, read_answer_key(root / ANSWER_KEY))
    print(f"\nDone in {time.monotonic() - began:.0f} s\n")
    for line in summary.lines(document, right=right, judged=judged):
        print(line)
    print()
    print(f"  Airflow UI      {session.airflow_url}  (user {ADMIN}, password {stack.keys().admin_password})")
    print(f"  Worker page     {session.cloud_url}/worker")
    print("  Stop it         make down")
    return 0


def _begin(api: AirflowApi) -> str:
    """Start a run, or take up the one that an interrupted demo left: the DAG runs one at a time."""
    api.unpause(FIRST_DAG)
    active = api.active_runs(FIRST_DAG)
    if active:
        print("\nan earlier run is not finished; following it (make clean-state forgets it)")
        return active[0]
    run_id = new_run_id()
    api.trigger(FIRST_DAG, run_id, {"relabel": True})
    return run_id


if __name__ == "__main__":
    sys.exit(main())
