"""The real stack, Airflow's four processes and the local cloud: the last tests on it, which take it down."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from tests.airflow.live import Live
from tests.support.ports import stack_ports
from tools.stack import processes, session
from tools.stack.control import AIRFLOW, CLOUD, FIRST_DAG, Stack
from tools.stack.errors import StackError
from tools.stack.layout import ROOT, Layout

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]


@pytest.fixture
def stack(live: Live) -> Stack:
    return live.stack


def family(stack: Stack) -> list[psutil.Process]:
    found = []
    for record in stack.running():
        leader = psutil.Process(record.pid)
        found += [leader, *leader.children(recursive=True)]
    return found


def pids(stack: Stack) -> dict[str, int]:
    return {record.name: record.pid for record in stack.running()}


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    listening = [
        connection.laddr
        for process in family(stack)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    current = session.load(stack.layout)
    assert current
    assert {current.airflow_port, current.cloud_port} <= {address.port for address in listening}
    assert [address for address in listening if not ipaddress.ip_address(address.ip).is_loopback] == []


def test_up_again_changes_nothing(live: Live, stack: Stack) -> None:
    before = pids(stack)
    assert set(before) == {CLOUD, *AIRFLOW}
    stack.up(os.environ, crowd=live.session.crowd)
    assert pids(stack) == before


def test_up_on_other_ports_is_refused_while_it_runs(stack: Stack) -> None:
    with pytest.raises(StackError, match=r"Airflow already runs on port .* first: make down"):
        stack.up({"AIRFLOW_PORT": "1"}, crowd=None)


def test_a_killed_process_is_started_again_by_up(live: Live, stack: Stack) -> None:
    before = pids(stack)
    os.kill(before["triggerer"], signal.SIGKILL)
    assert processes.left_running([psutil.Process(before["triggerer"])]) == []
    stack.up(os.environ, crowd=live.session.crowd, dag=FIRST_DAG)
    after = pids(stack)
    assert after.pop("triggerer") != before.pop("triggerer")
    assert after == before


def test_a_killed_part_is_started_again_alone(stack: Stack) -> None:
    before = pids(stack)
    assert stack.kill("triggerer") == []
    with pytest.raises(StackError, match="triggerer does not run"):
        stack.kill("triggerer")
    stack.start_again("triggerer", os.environ)
    after = pids(stack)
    assert after.pop("triggerer") != before.pop("triggerer")
    assert after == before


def test_no_password_is_in_a_log(stack: Stack) -> None:
    password = stack.keys().admin_password
    logs = [path for path in stack.layout.state.rglob("*.log") if path.is_file()]
    assert logs
    assert [path for path in logs if password in path.read_text(errors="replace")] == []


def test_down_leaves_nothing_running_and_keeps_the_state(stack: Stack) -> None:
    before = family(stack)
    assert stack.down() == 1 + len(AIRFLOW)
    assert processes.left_running(before, 0) == []
    assert processes.load(stack.layout.records) == []
    assert (stack.layout.airflow_home / "airflow.db").is_file()
    assert (stack.layout.cloud / "workforce.db").is_file()


def test_a_dag_file_that_cannot_be_read_is_said_at_once(fresh_database: Path, tmp_path: Path) -> None:
    """`up` on a checkout whose DAG is broken ends with the reason, not with a time-out."""
    root = tmp_path / "checkout"
    (root / "dags").mkdir(parents=True)
    (root / "dags" / "labeling.py").write_text("from airflow.sdk import DAG\nimport no_such_module_here\n")
    (root / "plugins").mkdir()
    for package in ("localcloud", "workforce", ".venv-emulator", ".venv-training"):
        (root / package).symlink_to(ROOT / package)
    broken = Stack(Layout(root=root))
    shutil.copytree(fresh_database, broken.layout.airflow_home)
    try:
        with pytest.raises(StackError, match=r"labeling\.py: ModuleNotFoundError: .*no_such_module_here"):
            broken.up({**os.environ, **stack_ports()}, crowd=None)
    finally:
        broken.down()
