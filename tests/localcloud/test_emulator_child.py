from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from localcloud import emulator_child
from localcloud.emulator_child import Snapshots, changes_state, watched


def scope(method: str, path: str = "/", target: str = "") -> dict[str, Any]:
    headers = [(b"x-amz-target", target.encode())] if target else []
    return {"type": "http", "method": method, "path": path, "headers": headers}


CBOR_PATH = "/service/GraniteServiceVersion20100801/operation/{}"


@pytest.mark.parametrize(
    ("request_scope", "changes"),
    [
        (scope("GET", "/bucket/key"), False),
        (scope("HEAD", "/bucket/key"), False),
        (scope("PUT", "/bucket"), True),
        (scope("DELETE", "/bucket/key"), True),
        (scope("POST", target="Logs_20140328.PutLogEvents"), True),
        (scope("POST", target="Logs_20140328.GetLogEvents"), False),
        (scope("POST", target="Logs_20140328.FilterLogEvents"), False),
        (scope("POST", target="AWSCognitoIdentityProviderService.AdminCreateUser"), True),
        (scope("POST", target="AmazonSQS.ReceiveMessage"), True),
        (scope("POST", target="AmazonSQS.GetQueueUrl"), False),
        (scope("POST", CBOR_PATH.format("PutMetricData")), True),
        (scope("POST", CBOR_PATH.format("GetMetricData")), False),
        (scope("POST"), True),  # the query protocol names its action in the body
    ],
)
def test_what_may_change_state(request_scope: dict[str, Any], changes: bool) -> None:
    assert changes_state(request_scope) is changes


class Recorder:
    def __init__(self) -> None:
        self.state: dict[str, Any] = {"iam": {"roles": 1}}
        self.saved: list[tuple[str, Any]] = []
        self.broken: set[str] = set()

    def sources(self) -> dict[str, Any]:
        def read(name: str) -> Any:
            if name in self.broken:
                raise RuntimeError("dictionary changed size during iteration")
            return self.state[name]

        return {name: lambda name=name: read(name) for name in self.state}

    def save(self, name: str, value: Any) -> None:
        self.saved.append((name, value))


async def until(done: Any) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.005)


@pytest.mark.asyncio
async def test_nothing_is_saved_before_a_change_and_once_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_child, "MIN_PAUSE_S", 0.01)
    recorder = Recorder()
    snapshots = Snapshots(recorder.sources, recorder.save)
    saver = asyncio.create_task(snapshots.run())
    await asyncio.sleep(0.05)
    assert recorder.saved == []
    snapshots.touch()
    snapshots.touch()
    await until(lambda: recorder.saved)
    await asyncio.sleep(0.05)
    assert recorder.saved == [("iam", {"roles": 1})]
    saver.cancel()


@pytest.mark.asyncio
async def test_a_state_that_is_changing_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_child, "MIN_PAUSE_S", 0.01)
    recorder = Recorder()
    recorder.state["logs"] = {}
    recorder.broken.add("iam")
    snapshots = Snapshots(recorder.sources, recorder.save)
    saver = asyncio.create_task(snapshots.run())
    snapshots.touch()
    await until(lambda: ("logs", {}) in recorder.saved)
    recorder.broken.clear()
    await until(lambda: ("iam", {"roles": 1}) in recorder.saved)
    saver.cancel()


@pytest.mark.asyncio
async def test_a_service_that_never_loaded_is_not_saved() -> None:
    recorder = Recorder()
    recorder.state = {"iam": None}
    await Snapshots(recorder.sources, recorder.save).save_now()
    assert recorder.saved == []


@pytest.mark.asyncio
async def test_a_change_is_noted_after_the_request_even_if_it_fails() -> None:
    events: list[str] = []

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        events.append("handled")
        raise ValueError

    handle = watched(app, lambda: events.append("touched"))
    with pytest.raises(ValueError):
        await handle(scope("PUT"), None, None)
    with pytest.raises(ValueError):
        await handle(scope("GET"), None, None)
    assert events == ["handled", "touched", "handled"]


def test_lock_waits_for_the_predecessor(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from localcloud.emulator_child import take_lock
        print("waiting", flush=True)
        with take_lock(Path(sys.argv[1])):
            print("mine", flush=True)
        """
    )
    with path.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        arguments = [sys.executable, "-c", code, str(path)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as successor:
            assert successor.stdout is not None
            assert successor.stdout.readline() == "waiting\n"
            with pytest.raises(subprocess.TimeoutExpired):
                successor.wait(0.3)
            fcntl.flock(held, fcntl.LOCK_UN)
            assert successor.stdout.readline() == "mine\n"


def test_lock_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_child, "LOCK_WAIT_S", 0.1)
    path = tmp_path / "lock"
    with emulator_child.take_lock(path), pytest.raises(TimeoutError, match=str(path)):
        emulator_child.take_lock(path)


def test_an_object_that_is_older_than_its_description_is_left_alone(tmp_path: Path) -> None:
    body, beside = tmp_path / "b" / "k.json", tmp_path / "b" / "k.json.meta.json"
    body.parent.mkdir()
    body.write_text("new")
    beside.write_text('{"size": 3, "etag": "e", "checksums": {"CRC32": "x"}, "content_type": "t"}')
    (body.parent / "marker.meta.json").write_text('{"is_delete_marker": true}')
    os.utime(body, ns=(1, 1))
    assert emulator_child.mend_objects(tmp_path) == []
    os.utime(beside, ns=(0, 0))
    assert emulator_child.mend_objects(tmp_path) == [body]
    known = json.loads(beside.read_text())
    assert known == {"size": None, "etag": "", "checksums": {}, "content_type": "t"}
    assert emulator_child.mend_objects(tmp_path) == []
