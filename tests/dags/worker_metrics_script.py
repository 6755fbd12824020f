"""Run DAGs with ``dag.test()``, one for each line of JSON on stdin, and answer each with a line.

One process for all runs: starting Airflow takes longer than a run.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier, Context

from tests.support.quick_clients import quick_clients


class Note(BaseNotifier):
    """Writes what it is told to a file."""

    template_fields = ("text",)

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        super().__init__()

    def notify(self, context: Context) -> None:
        """Write the text."""
        Path(self.path).write_text(self.text)


def states(run: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in run.get_task_instances():
        found.setdefault(each.task_id, []).append(str(each.state))
    return {task: sorted(of_task) for task, of_task in found.items()}


def told(run: Any) -> list[Any]:
    """What the asset events of a run say."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        events = session.query(AssetEvent).filter(AssetEvent.source_run_id == run.run_id)
        return [event.extra for event in events]


def main() -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import conf as settings
    from airflow.utils.db import initdb

    os.fsync = lambda descriptor: None  # type: ignore[assignment]
    initdb()
    bag = DagBag(settings.get("core", "dags_folder"))
    with quick_clients():
        for line in sys.stdin:
            order = json.loads(line)
            run = bag.dags[order["dag_id"]].test(run_conf=order["conf"])
            said = {"state": str(run.state), "tasks": states(run), "told": told(run)}
            print(f"\nanswer: {json.dumps(said)}", flush=True)


if __name__ == "__main__":
    main()
