from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from tools.stack import keys, session
from tools.stack.control import Stack, airflow_command, cloud_command
from tools.stack.environment import process_environment
from tools.stack.errors import StackError
from tools.stack.keys import Keys
from tools.stack.layout import Layout
from tools.stack.session import Session

PRIVATE = 0o600


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(root=tmp_path)
    made.create()
    return made


def test_ports_come_from_the_environment_then_from_what_runs(layout: Layout) -> None:
    running = Session(airflow_port=9001, cloud_port=9002)
    assert session.wanted({}, running, crowd=None, layout=layout) == running
    asked = session.wanted({"AIRFLOW_PORT": "9003", "CLOUD_PORT": ""}, None, crowd=None, layout=layout)
    assert (asked.airflow_port, asked.cloud_port) == (9003, session.DEFAULT_CLOUD_PORT)


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", "80.0", "\u0968"])
def test_a_port_that_is_none_is_refused_with_its_name(layout: Layout, text: str) -> None:
    with pytest.raises(StackError, match=r"CLOUD_PORT=.* is not a port"):
        session.wanted({"CLOUD_PORT": text}, None, crowd=None, layout=layout)


def test_a_missing_crowd_file_is_refused(layout: Layout) -> None:
    with pytest.raises(StackError, match=r"CROWD=no\.yaml: there is no such file"):
        session.wanted({}, None, crowd="no.yaml", layout=layout)


def test_a_taken_port_is_named_with_its_variable() -> None:
    with socket.socket() as taken:
        taken.bind((session.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {port} is taken .* make up AIRFLOW_PORT={port + 1}"):
            session.require_free(port, "AIRFLOW_PORT")
    session.require_free(port, "AIRFLOW_PORT")


def test_a_session_is_found_again(layout: Layout) -> None:
    assert session.load(layout) is None
    session.save(Session(1, 2, "/c.yaml"), layout)
    assert session.load(layout) == Session(1, 2, "/c.yaml")
    layout.session.write_text("{")
    assert session.load(layout) is None


def test_secrets_are_made_once_and_readable_by_the_owner_alone(layout: Layout) -> None:
    first = keys.load_or_create(layout)
    assert keys.load_or_create(layout) == first
    assert Keys.generate() != first
    for path in (layout.secrets, layout.passwords):
        assert stat.S_IMODE(path.stat().st_mode) == PRIVATE
    assert json.loads(layout.passwords.read_text()) == {"admin": first.admin_password}
    assert stat.S_IMODE(layout.state.stat().st_mode) == 0o700


def test_the_developers_own_airflow_and_aws_settings_do_not_leak_in(layout: Layout) -> None:
    mine = {
        "AWS_PROFILE": "production",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AIRFLOW_HOME": "/home/me/airflow",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "PYTHONPATH": "/elsewhere",
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin",
        "NO_PROXY": "corp",
    }
    variables = process_environment(mine, layout, Session(), Keys.generate())
    assert not {"AWS_PROFILE", "AWS_SECRET_ACCESS_KEY"} & set(variables)
    assert variables["AWS_CONFIG_FILE"] == os.devnull
    assert variables["AIRFLOW_HOME"] == str(layout.airflow_home)
    assert variables["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert variables["PYTHONPATH"] == f"{layout.root}{os.pathsep}{layout.root / 'plugins'}"
    assert variables["LANG"] == "C.UTF-8"
    assert variables["PATH"].endswith(f"{os.pathsep}/usr/bin")
    assert variables["NO_PROXY"] == "corp,127.0.0.1,localhost"


def test_only_the_connections_make_it_local_and_a_given_one_wins(layout: Layout) -> None:
    own = '{"conn_type": "aws", "extra": {"endpoint_url": "https://workforce.example"}}'
    variables = process_environment(
        {"AIRFLOW_CONN_MTURK_DEFAULT": own, "AIRFLOW_VAR_X": "1"},
        layout,
        Session(cloud_port=9),
        Keys.generate(),
    )
    assert variables["AIRFLOW_CONN_MTURK_DEFAULT"] == own
    assert variables["AIRFLOW_VAR_X"] == "1"
    aws = json.loads(variables["AIRFLOW_CONN_AWS_DEFAULT"])
    assert aws["extra"] == {"region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:9"}
    naming_the_cloud = [name for name, value in variables.items() if "127.0.0.1:9" in value]
    assert naming_the_cloud == ["AIRFLOW_CONN_AWS_DEFAULT"]


def test_the_port_is_told_to_all_who_need_it(layout: Layout) -> None:
    variables = process_environment({}, layout, Session(airflow_port=9005), Keys.generate())
    assert variables["AIRFLOW__API__PORT"] == "9005"
    assert variables["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:9005"
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:9005/execution/"


def test_every_process_is_bound_to_loopback(layout: Layout) -> None:
    wanted = Session(crowd="/c.yaml")
    assert airflow_command("api-server", wanted)[4:6] == ["--host", "127.0.0.1"]
    # these two would serve logs on every interface
    assert airflow_command("scheduler", wanted)[-1] == "--skip-serve-logs"
    assert airflow_command("triggerer", wanted)[-1] == "--skip-serve-logs"
    command = cloud_command(layout, wanted)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[-2:] == ["--crowd", "/c.yaml"]


def test_down_without_anything_does_nothing(tmp_path: Path) -> None:
    assert Stack(Layout(root=tmp_path)).down() == 0
    assert not (tmp_path / ".groundswell").exists()
