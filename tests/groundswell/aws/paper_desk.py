"""A workbench without a workforce: what workers answered is written down, and tasks only read and write."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from groundswell.aws import runs
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.dataset import load_dataset
from groundswell.aws.steps.labels import all_labels
from groundswell.ledger import FolderStore
from tests.groundswell.aws.desk import connection
from tests.groundswell.aws.workbench import ShiftedClock, Workbench


class Bucket(FolderStore):
    """A folder whose files have addresses as in S3."""

    def uri(self, key: str) -> str:
        return f"s3://bucket/{key}"


class PaperDesk(Workbench):
    """Runs whose ledger and outputs are one folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for service in ("AWS", "MTURK"):
            monkeypatch.setenv(f"AIRFLOW_CONN_{service}_DEFAULT", connection("http://127.0.0.1:9"))
        super().__init__(None, ShiftedClock(), folder, monkeypatch)  # type: ignore[arg-type]
        self.keep_in(Bucket(folder / "store"))

    def keep_in(self, store: FolderStore) -> None:
        self.monkeypatch.setattr(runs, "part_store", lambda uri, s3: store)

    def start(self, path: Path, *, relabel: bool = False) -> LabelingRun:
        run = LabelingRun(str(path), f"manual__{uuid.uuid4().hex}")
        load_dataset(run, relabel=relabel)
        return run

    def labels_of(self, run: LabelingRun) -> dict[str, str]:
        return {row["item"]: row["label"] for row in all_labels(run)}

    def path(self, uri: str) -> Path:
        return self.folder / "store" / uri.removeprefix("s3://bucket/")

    def read(self, uri: str) -> str:
        return self.path(uri).read_text()


def rows_of(run: LabelingRun) -> dict[str, dict[str, Any]]:
    """The rows of all labels that a run wrote, by item."""
    return {row["item"]: row for _, row in run.ledger.rows("labels")}


def document_of(run: LabelingRun) -> dict[str, Any]:
    """What the run's consolidation says of itself."""
    document = run.ledger.get_document("consolidation.json")
    assert document is not None
    return document
