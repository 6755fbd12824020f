from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CHECKOUT


@pytest.fixture(scope="session")
def dagbag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(CHECKOUT / "dags")


@pytest.fixture
def bag_with(tmp_path: Path) -> Callable[[dict[str, str]], Any]:
    """Parse the DAG files of a copy of the project that has other batch files."""

    def parse(batches: dict[str, str]) -> Any:
        from airflow.dag_processing.dagbag import DagBag

        shutil.copytree(CHECKOUT / "include", tmp_path / "include")
        shutil.copytree(CHECKOUT / "dags", tmp_path / "dags")
        for name, text in batches.items():
            (tmp_path / "include" / "batches" / name).write_text(text)
        return DagBag(tmp_path / "dags")

    return parse
