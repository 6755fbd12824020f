"""What the pages must not give away: raw ids, pseudonyms that anybody can compute, files per guess."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from groundswell.ledger import FolderStore
from groundswell.reports.names import Pseudonyms
from groundswell.ui.sources import report_names
from groundswell.views.index import masked
from tests.groundswell.ui.ui_records import Deployment, Record

RUN = "scheduled__2026-11-22T05:00:00+00:00"
WORKER = "A2QXZ3NDE7SXGZ"
SETTINGS = """
name: worker-metrics
description: Who labelled how much
start: 2026-11-01
uri: s3://reports/public
"""


@pytest.fixture
def record(deployment: Deployment) -> Record:
    deployment.batch("flowers")
    return Record(deployment.ledger("flowers", RUN), items=12).write().progress().finish()


def guessed(worker: str) -> set[str]:
    """What anybody can compute who has a list of workers."""
    texts = (worker, f"groundswell:{worker}")
    return {f"w-{hashlib.sha256(text.encode()).hexdigest()[:10]}" for text in texts}


@pytest.mark.parametrize("settings", ["", SETTINGS, "name: ["])
def test_pseudonyms_without_reports_need_a_key(tmp_path: Path, settings: str) -> None:
    file, state = tmp_path / "worker_metrics.yaml", FolderStore(tmp_path / "state")
    if settings:
        file.write_text(settings)
    called = [report_names(file, lambda *_: state, tmp_path / "cache")(WORKER) for _ in range(2)]
    assert called[0] == called[1], "all processes of a deployment agree"
    assert called[0] not in guessed(WORKER)
    assert called[0] != report_names(file, lambda *_: state, tmp_path / "another")(WORKER)
    key = tmp_path / "cache" / "names.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700


def test_a_private_store_that_fails_does_not_give_pseudonyms_away(tmp_path: Path) -> None:
    file = tmp_path / "worker_metrics.yaml"
    file.write_text(SETTINGS)

    def refused(uri: str, connection: str) -> FolderStore:
        raise PermissionError(13, "no access")

    assert report_names(file, refused, tmp_path / "cache")(WORKER) not in guessed(WORKER)
    (tmp_path / "no-folder").write_text("")
    assert report_names(file, refused, tmp_path / "no-folder")(WORKER) == masked(WORKER)
    assert masked(WORKER) not in guessed(WORKER)


def test_with_reports_workers_are_called_as_there(tmp_path: Path) -> None:
    file, state = tmp_path / "worker_metrics.yaml", FolderStore(tmp_path / "state")
    file.write_text(SETTINGS)
    state.put("pseudonym.key", b"secret")
    names = report_names(file, lambda *_: state, tmp_path / "cache")
    assert names(WORKER) == Pseudonyms(b"secret")(WORKER)


def test_differences_of_bonuses_do_not_name_workers(record: Record, ann: TestClient) -> None:
    rows = [
        {
            "what": "bonus",
            "where": f"item flower-001 (HIT 3ABC), assignment 3XYZ, worker {WORKER}",
            "ledger": "1 of $0.50",
            "workforce": "none",
            "fix": "ask who runs the workforce: it has lost a payment",
        },
        {"what": "answer", "where": None},
    ]
    record.ledger.put_document("reconciliation.json", {"rows": rows})
    query = {"batch": "flowers", "run_id": RUN}
    text = ann.get("/groundswell/labelling/fragments/run", params=query).text
    assert WORKER not in text
    assert f"assignment 3XYZ, worker {masked(WORKER)}" in text


@pytest.mark.parametrize("part", ["items", "workers", "item"])
def test_runs_that_are_not_there_leave_no_files(
    record: Record, deployment: Deployment, ann: TestClient, part: str
) -> None:
    for number in range(3):
        query = {"batch": "flowers", "run_id": f"guess-{number}", "item": "flower-001"}
        answer = ann.get(f"/groundswell/labelling/fragments/{part}", params=query)
        assert answer.status_code == 404
    cache = deployment.folder / "cache"
    assert not cache.exists() or not list(cache.iterdir())
