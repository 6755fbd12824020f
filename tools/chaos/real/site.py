"""The stack that faults are let loose on: a copy of the checkout, a batch, a crowd, and a state of its own.

A copy, since the batch must not appear in the deployment's own DAGs, and since a run of many minutes must not
see the checkout being edited.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import yaml

from tools.stack.layout import ROOT, Layout

BatchName = Literal["iris", "large"]
LARGE_ITEMS = 2000

_COPIED = ("plugins", "include", "localcloud", "workforce")
_LINKED = (".venv-emulator", ".venv-training")
#: Below what systems hand out by themselves: while a part is down, nobody else may get its port.
_PORTS = range(20_000, 32_000)
_SPEED_UP = 60  # crowd seconds in a real second: the crowd must not be what the run waits for

#: Airflow's own time-outs, so that what was lost is noticed in seconds. A real deployment keeps its minutes;
#: what then happens is the same. None is so short that a busy machine is taken for a dead process.
QUICK_RECOVERY = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",  # 300: a task whose process is gone
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",  # 10
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",  # 300: tasks of a scheduler that is gone
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",  # 30: when it counts as gone
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",  # 600: a task that no worker took
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "15",  # 120
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",  # 30: its triggers go to another
    "AIRFLOW__CORE__PARALLELISM": "6",  # a worker that was killed keeps its slot until the scheduler restarts
}


@dataclass(frozen=True)
class Site:
    """A prepared folder.

    Attributes:
        layout: the stack's folders; its root is the copy.
        batch: name of the batch, which is the folder of its ledgers.
        dag: id of its DAG.
        state_uri: where its ledgers are.
        crowd: crowd file.
        items: ids of the items.
        model: whether the batch trains and deploys a model.
    """

    layout: Layout
    batch: str
    dag: str
    state_uri: str
    crowd: Path
    items: tuple[str, ...]
    model: bool

    @property
    def bucket(self) -> str:
        """Bucket of the ledgers."""
        return self.state_uri.removeprefix("s3://").partition("/")[0]


def prepare(
    name: BatchName, folder: Path, *, seed: int, items: int | None = None, source: Path = ROOT
) -> Site:
    """Make the site in a new folder.

    Args:
        name: the iris example with its model, or a batch without one.
        folder: must not exist.
        seed: of the generated items and their labels.
        items: how many items the large batch has.
        source: the checkout that is copied.
    """
    root = folder.resolve() / "checkout"
    root.mkdir(parents=True)
    for part in _COPIED:
        shutil.copytree(source / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "dags").mkdir()
    shutil.copy(source / "dags" / "labeling.py", root / "dags")
    for link in _LINKED:
        (root / link).symlink_to(ROOT / link)
    content = _iris(root) if name == "iris" else _large(root, items or LARGE_ITEMS, seed)
    shutil.rmtree(root / "include" / "batches")
    (root / "include" / "batches").mkdir()
    (root / "include" / "batches" / f"{content['name']}.yaml").write_text(yaml.safe_dump(content))
    return Site(
        layout=Layout(root=root, folder_name=str(folder.resolve() / "state")),
        batch=content["name"],
        dag=f"labeling_{content['name'].replace('-', '_')}",
        state_uri=content["state"],
        crowd=_crowd(root, content["name"]),
        items=_item_ids(root / "include" / "batches" / content["dataset"]["path"], content["dataset"]["key"]),
        model="training" in content,
    )


def free_ports() -> dict[str, str]:
    """Two free ports as `Stack.up` takes them."""
    drawn = random.SystemRandom().sample(_PORTS, len(_PORTS))
    free = islice(filter(_is_free, drawn), 2)
    return dict(zip(("AIRFLOW_PORT", "CLOUD_PORT"), map(str, free), strict=True))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def clean_environment() -> dict[str, str]:
    """The environment without the developer's own Airflow settings, connections included."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}


def _item_ids(path: Path, key: str) -> tuple[str, ...]:
    with path.open(newline="") as file:
        return tuple(row[key] for row in csv.DictReader(file))


def _iris(root: Path) -> dict[str, Any]:
    """The example as it is, but for the times that it waits."""
    content: dict[str, Any] = yaml.safe_load((root / "include/batches/iris.yaml").read_text())
    content["polling"] |= {"interval": "5s", "max_wait": "20s"}
    content["task"] |= {"assignment_duration": "60s"}  # what delete_hits waits for a worker who left
    return content


def _large(root: Path, items: int, seed: int) -> dict[str, Any]:
    """A batch made from the example: more items in several shards, little money, a review, and no model."""
    content = _iris(root)
    _write_items(root / "include", items, seed, content["task"]["labels"])
    for section in ("training", "endpoint", "evaluation"):
        content.pop(section, None)
    content["output"].pop("csv_format", None)
    certain = items * content["redundancy"]["first"] * 6 / 100  # five cents and one for the fee
    return content | {
        "name": "chaos",
        "description": "Generated items, to see what faults do to many of them",
        "state": "s3://groundswell-chaos/state",
        "dataset": {"path": "../data/chaos.csv", "format": "csv", "key": "id"},
        # A person is asked three times: before, where the money does not suffice, and about bad answers
        "spend": content["spend"] | {"budget": f"{certain * 1.1:.2f}", "approve_above": "1.00"},
        "review": {"answer_within": "2h", "feedback": "Your answers did not match those of the others."},
        "polling": content["polling"] | {"first_wave": 20, "wave": 100},
        "shard_items": max(1, min(500, -(-items // 4))),
        "output": content["output"]
        | {"uri": "s3://groundswell-chaos", "manifest": "manifests/chaos.manifest"},
    }


def _write_items(include: Path, items: int, seed: int, labels: list[str]) -> None:
    """Flowers that are repeated under ids of their own, with labels drawn by the seed."""
    draw = random.Random(f"items {seed}")
    with (include / "data/iris.csv").open(newline="") as file:
        flowers = list(csv.DictReader(file))
    rows = [dict(flowers[number % len(flowers)], id=f"item-{number:06d}") for number in range(1, items + 1)]
    _write_csv(include / "data/chaos.csv", rows)
    _write_csv(
        include / "crowds/chaos_answers.csv",
        [{"item": row["id"], "label": draw.choice(labels)} for row in rows],
    )


def _write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _crowd(root: Path, batch: str) -> Path:
    """The example's crowd in a hurry, with the batch's answer key."""
    folder = root / "include" / "crowds"
    content: Mapping[str, Any] = yaml.safe_load((folder / "iris.yaml").read_text())
    key = content["answer_key"] | {"file": f"{batch}_answers.csv"}
    path = folder / "crowd-in-a-hurry.yaml"
    path.write_text(yaml.safe_dump({**content, "speed_up": _SPEED_UP, "answer_key": key}))
    return path
