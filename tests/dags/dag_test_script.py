"""Run DAGs with ``dag.test()``, one for each line of JSON on stdin; each ends with a line of its states.

One process for all runs: starting Airflow takes longer than a run.
"""

from __future__ import annotations

import json
import sys

ANSWER = "answer: "


def main() -> None:
    """Run what is ordered until stdin ends."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import conf as settings
    from airflow.utils.db import initdb

    initdb()
    bag = DagBag(settings.get("core", "dags_folder"))
    for line in sys.stdin:
        order = json.loads(line)
        run = bag.dags[order["dag_id"]].test(run_conf=order["conf"])
        states = {each.task_id: str(each.state) for each in run.get_task_instances()}
        said = {"run_id": run.run_id, "state": str(run.state), "tasks": states}
        print(f"\n{ANSWER}{json.dumps(said)}", flush=True)


if __name__ == "__main__":
    main()
