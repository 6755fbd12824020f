"""The boto3 script that the idea came from runs unchanged against the server."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.requester_calls import measure
from tests.workforce.contract.contract_server import CHECKOUT, run_cli

pytestmark = pytest.mark.contract

TRUTH = CHECKOUT / "include" / "crowds" / "iris_answers.csv"
SPEED_UP = 200


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("seed")
    crowd = measure.crowd_at(SPEED_UP, folder)
    database = f"sqlite:///{folder / 'market.db'}"
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "POLL_SECONDS": "1",
    }
    with measure.serving(database, crowd) as url:
        finished = subprocess.run(
            [sys.executable, str(measure.SEED_SCRIPT), str(measure.DATASET), str(folder)],
            env={**environment, "AWS_ENDPOINT_URL_MTURK": url},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert finished.returncode == 0, finished.stderr
    return {"folder": folder, "database": database, "output": finished.stdout}


def test_two_files_with_every_flower_once(labelled: dict[str, Any]) -> None:
    flowers = rows(measure.DATASET)
    training = rows(labelled["folder"] / "iris_training.csv")
    test = rows(labelled["folder"] / "iris_test.csv")
    assert (len(training), len(test)) == (120, 30)
    features = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert [[row[name] for name in features] for row in [*training, *test]] == [
        [flower[name] for name in features] for flower in flowers
    ]
    assert list(training[0]) == [*features, "species"]


def test_the_labels_are_mostly_right(labelled: dict[str, Any]) -> None:
    truth = {row["item"]: row["label"] for row in rows(TRUTH)}
    found = [*rows(labelled["folder"] / "iris_training.csv"), *rows(labelled["folder"] / "iris_test.csv")]
    pairs = zip(rows(measure.DATASET), found, strict=True)
    right = sum(truth[flower["id"]] == row["species"] for flower, row in pairs)
    assert right >= 130


def test_the_calls_are_those_of_the_script(labelled: dict[str, Any]) -> None:
    calls = measure.counts_in(labelled["database"])
    assert calls["GetAccountBalance"] == 1
    assert calls["CreateHIT"] == 150
    assert calls["GetHIT"] == calls["ListAssignmentsForHIT"] >= 150
    assert calls["ApproveAssignment"] == 300 + calls["CreateAdditionalAssignmentsForHIT"]
    assert set(calls) == {
        "GetAccountBalance",
        "CreateHIT",
        "GetHIT",
        "ListAssignmentsForHIT",
        "ApproveAssignment",
        "CreateAdditionalAssignmentsForHIT",
    }


def test_the_books_balance_afterwards(labelled: dict[str, Any]) -> None:
    audit = run_cli("audit", "--db", labelled["database"])
    assert (audit.returncode, audit.stderr) == (0, "")


def test_the_table_compares_calls_per_item() -> None:
    seed = measure.Measured("seed", {"GetHIT": 300, "CreateHIT": 150}, 150)
    ours = measure.Measured("ours", {"ListReviewableHITs": 15}, 150)
    lines = [line.split() for line in measure.table([seed, ours]).splitlines()]
    assert ["|", "GetHIT", "|", "300", "|", "2.00", "|", "0", "|", "0.00", "|"] in lines
    assert lines[-1] == ["|", "total", "|", "450", "|", "3.00", "|", "15", "|", "0.10", "|"]


def test_the_crowd_file_keeps_its_answer_key(tmp_path: Path) -> None:
    plan = yaml.safe_load(measure.crowd_at(7.0, tmp_path).read_text())
    assert plan["speed_up"] == 7.0
    assert Path(plan["answer_key"]["file"]).is_file()
