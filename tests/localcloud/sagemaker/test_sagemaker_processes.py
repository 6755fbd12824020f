"""Processes that never outlive the server, their output as lines, and its way to the log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from localcloud.sagemaker.logs import EVENT_OVERHEAD, MAX_BATCH_BYTES, MAX_EVENTS, LogStream, batches
from localcloud.sagemaker.process import LineSplitter, Supervised, clean_environment
from tools.stack.processes import left_running

PYTHON = Path(sys.executable)
IGNORES = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); "


class Run:
    """A supervised command and its lines so far."""

    def __init__(self, code: str, folder: Path, grace: float = 60) -> None:
        self.lines: list[str] = []
        self.process = Supervised(
            PYTHON,
            [str(PYTHON), "-c", code],
            env=clean_environment(PYTHON, {}),
            cwd=folder,
            grace=grace,
            on_line=self.lines.append,
        )

    def wait_for(self, line: str) -> None:
        deadline = time.monotonic() + 30
        while line not in self.lines:
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('fine')", 0),
        ("import sys; sys.exit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", 128 + signal.SIGKILL),
    ],
)
def test_the_exit_code_is_the_commands(tmp_path: Path, code: str, expected: int) -> None:
    assert Run(code, tmp_path).process.wait(30) == expected


def test_sigterm_lets_the_command_end_in_its_own_way(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saving', flush=True), sys.exit(5)))\n"
        "print('on', flush=True)\n"
        "time.sleep(60)"
    )
    run = Run(code, tmp_path)
    run.wait_for("on")
    run.process.terminate()
    assert run.process.wait(30) == 5
    assert run.lines == ["on", "saving"]


def test_who_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    run = Run(f"{IGNORES} time.sleep(60)", tmp_path, grace=0.3)
    run.wait_for("on")
    started = time.monotonic()
    run.process.terminate()
    assert run.process.wait(30) == 128 + signal.SIGKILL
    assert 0.3 <= time.monotonic() - started < 20


@pytest.mark.parametrize("session", [True, False])
def test_what_a_command_leaves_behind_is_killed_when_it_ends(tmp_path: Path, session: bool) -> None:
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {IGNORES + 'time.sleep(60)'!r}], "
        f"stdout=subprocess.DEVNULL, start_new_session={session})\n"
        "print(child.pid)"
    )
    run = Run(code, tmp_path)
    assert run.process.wait(30) == 0
    assert not psutil.pid_exists(int(run.lines[0]))


def test_kill_ends_everything_at_once(tmp_path: Path) -> None:
    run = Run(f"{IGNORES} time.sleep(60)", tmp_path)
    run.wait_for("on")
    family = [psutil.Process(run.process.pid), *psutil.Process(run.process.pid).children(recursive=True)]
    run.process.kill()
    assert run.process.wait(30) == 128 + signal.SIGKILL
    assert left_running(family) == []


def test_a_command_ends_with_its_supervisor(tmp_path: Path) -> None:
    run = Run(f"{IGNORES} time.sleep(60)", tmp_path)
    run.wait_for("on")
    family = psutil.Process(run.process.pid).children(recursive=True)
    os.kill(run.process.pid, signal.SIGKILL)
    assert left_running(family) == []
    run.process.wait(10)


def test_a_command_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from localcloud.sagemaker.process import Supervised, clean_environment\n"
        "python = Path(sys.executable)\n"
        "Supervised(python, [sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True);"
        " time.sleep(60)'], env=clean_environment(python, {}), cwd=Path('.'), grace=60,\n"
        "           on_line=lambda line: print(line, flush=True))\n"
        "time.sleep(60)"
    )
    checkout = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as server:
        assert server.stdout is not None
        command = psutil.Process(int(server.stdout.readline()))
        server.kill()
    assert left_running([command]) == []


def test_the_environment_of_a_command_has_no_secrets_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    environment = clean_environment(PYTHON, {"OWN": "1"})
    assert "AIRFLOW__CORE__FERNET_KEY" not in environment
    assert environment["OWN"] == "1"
    assert environment["PATH"].startswith(str(PYTHON.parent))
    assert "127.0.0.1" in environment["NO_PROXY"]


def test_the_installers_settings_are_passed_on_without_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:p@ss@index.example/simple/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://token@one.example/ http://a:b@two.example/x@y")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy:3128")
    for name in ("PIP_KEYRING_PASSWORD", "UV_PUBLISH_TOKEN", "UV_INDEX_PRIVATE_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    environment = clean_environment(PYTHON, {})
    assert environment["PIP_INDEX_URL"] == "https://index.example/simple/"
    assert environment["PIP_EXTRA_INDEX_URL"] == "https://one.example/ http://two.example/x@y"
    assert environment["HTTPS_PROXY"] == "http://proxy:3128"
    assert "secret" not in " ".join(environment.values())


@given(st.text(alphabet="aé✓\n😀", max_size=60), st.integers(1, 9), st.integers(4, 12))
def test_lines_are_whole_whatever_the_chunks(text: str, size: int, limit: int) -> None:
    data = text.encode()
    splitter = LineSplitter(limit)
    lines = [line for i in range(0, len(data), size) for line in splitter.feed(data[i : i + size])]
    lines += splitter.finish()
    assert "".join(lines) == text.replace("\n", "")
    assert all(len(line.encode()) <= limit for line in lines)


def test_lines_lose_carriage_returns_and_bad_bytes() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"one\r\n\xff\xfe\nrest") == ["one", "\ufffd\ufffd"]
    assert splitter.finish() == ["rest"]
    assert splitter.finish() == []


@given(st.lists(st.integers(1, 300_000), max_size=20))
def test_batches_keep_within_the_limit_of_bytes(sizes: list[int]) -> None:
    events = [{"timestamp": n, "message": "x" * size} for n, size in enumerate(sizes)]
    calls = batches(events)
    assert [event for call in calls for event in call] == events
    for call in calls:
        assert sum(len(e["message"]) + EVENT_OVERHEAD for e in call) <= MAX_BATCH_BYTES
    if sum(sizes) + EVENT_OVERHEAD * len(sizes) <= MAX_BATCH_BYTES:
        assert len(calls) <= 1


def test_batches_have_at_most_ten_thousand_events() -> None:
    calls = batches([{"timestamp": 0, "message": "x"}] * (MAX_EVENTS + 1))
    assert [len(call) for call in calls] == [MAX_EVENTS, 1]


class Logs:
    """CloudWatch Logs that remembers; the group exists, and putting fails at first if wanted."""

    def __init__(self, failures: int = 0) -> None:
        self.messages: list[str] = []
        self.calls: list[str] = []
        self._failures = failures

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda **arguments: self._call(name, arguments)

    def _call(self, name: str, arguments: dict[str, Any]) -> None:
        self.calls.append(name)
        if name == "create_log_group":
            raise ClientError({"Error": {"Code": "ResourceAlreadyExistsException"}}, name)
        if name == "put_log_events":
            if self._failures:
                self._failures -= 1
                raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, name)
            self.messages += [event["message"] for event in arguments["logEvents"]]


def written(logs: Logs, lines: Sequence[str]) -> Logs:
    stream = LogStream(logs, "group", "stream", interval=0.01)
    for line in lines:
        stream.write(line)
    stream.close()
    return logs


def test_a_log_arrives_in_order_without_empty_lines() -> None:
    logs = written(Logs(), ["first", "", "second"])
    assert logs.messages == ["first", "second"]
    assert logs.calls[:2] == ["create_log_group", "create_log_stream"]


def test_a_log_without_lines_makes_no_stream() -> None:
    assert written(Logs(), []).calls == []


def test_a_log_that_cannot_be_written_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    logs = Logs(failures=1)
    stream = LogStream(logs, "group", "stream", interval=0)
    stream.write("lost")
    while "put_log_events" not in logs.calls:
        time.sleep(0.01)
    stream.write("kept")
    stream.close()
    assert logs.messages == ["kept"]
    assert "1 log lines of group stream lost" in caplog.text
