from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator

import pytest

from tests.airflow.live import Live
from tests.support.crowds import quick_crowd
from tests.support.ports import stack_ports
from tools.stack.control import Stack
from tools.stack.layout import Layout


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Real Airflow processes and a local cloud on free ports, with a state folder of their own."""
    layout = Layout(folder_name=f".groundswell-test-{uuid.uuid4().hex[:8]}")
    stack = Stack(layout)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    try:
        crowd = quick_crowd(tmp_path_factory.mktemp("crowd"))
        session = stack.up({**environment, **stack_ports()}, crowd=str(crowd))
        with Live(stack, session) as running:
            yield running
    finally:
        stack.down()
        assert stack.running() == []
        shutil.rmtree(layout.state, ignore_errors=True)
