from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.airflow.live import Live
from tests.support.crowds import quick_crowd
from tests.support.ports import stack_ports
from tools.stack.control import Stack
from tools.stack.layout import Layout

#: Half of the machine would go into reading the same DAG files again and again.
SETTINGS = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "90"}


class Kept(Stack):
    """A stack that keeps a copy of its database as it was when it was made."""

    copy: Path

    def _migrate(self, variables: Mapping[str, str]) -> None:
        super()._migrate(variables)
        if not self.copy.exists():
            self.copy.mkdir()
            for name in ("airflow.db", "migrated"):
                shutil.copy(self.layout.airflow_home / name, self.copy)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Real Airflow processes and a local cloud on free ports, until the last tests here take them down."""
    layout = Layout(folder_name=f".groundswell-test-{uuid.uuid4().hex[:8]}")
    stack = Kept(layout, settings=SETTINGS)
    stack.copy = tmp_path_factory.mktemp("fresh") / "airflow"
    try:
        crowd = quick_crowd(tmp_path_factory.mktemp("crowd"))
        session = stack.up({**os.environ, **stack_ports()}, crowd=str(crowd))
        with Live(stack, session) as running:
            yield running
    finally:
        stack.down()
        assert stack.running() == []
        shutil.rmtree(layout.state, ignore_errors=True)


@pytest.fixture
def fresh_database(live: Live) -> Path:
    """A folder with an empty database of Airflow: making it takes longer than a test."""
    assert isinstance(live.stack, Kept)
    return live.stack.copy
