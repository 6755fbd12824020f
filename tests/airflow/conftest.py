from __future__ import annotations

import os
import shutil
import socket
import uuid
from collections.abc import Iterator

import pytest

from tests.airflow.live import Live
from tests.support.crowds import quick_crowd
from tools.stack.control import Stack
from tools.stack.layout import Layout


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Real Airflow processes and a local cloud on free ports, with a state folder of their own."""
    layout = Layout(folder_name=f".groundswell-test-{uuid.uuid4().hex[:8]}")
    stack = Stack(layout)
    ports = {"AIRFLOW_PORT": free_port(), "CLOUD_PORT": free_port()}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    try:
        crowd = quick_crowd(tmp_path_factory.mktemp("crowd"))
        session = stack.up({**environment, **ports}, crowd=str(crowd))
        with Live(stack, session) as running:
            yield running
    finally:
        stack.down()
        assert stack.running() == []
        shutil.rmtree(layout.state, ignore_errors=True)
