"""What happens to a local cloud that is killed, crashes inside, is started twice, or is told to stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.cloud_process import CHECKOUT, CloudProcess
from tools.stack.processes import left_running

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CloudProcess, dict[str, Any]]]:
    """A local cloud for all tests that kill it, filled once: a start costs seconds."""
    process = CloudProcess(tmp_path_factory.mktemp("own") / "state")
    process.start()
    yield process, fill(process)
    process.stop()


@pytest.fixture
def ids(filled: tuple[CloudProcess, dict[str, Any]]) -> dict[str, Any]:
    """What `check_filled` needs."""
    return filled[1]


@pytest.fixture
def own_cloud(filled: tuple[CloudProcess, dict[str, Any]]) -> CloudProcess:
    """A local cloud that the test may kill; it runs, whatever the test before has left."""
    process = filled[0]
    if process.health() != 200:
        process.kill()
        process.start()
    return process


def eventually(done: Callable[[], bool], what: str, limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < deadline, f"still not {what}"
        time.sleep(0.05)


def refused(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Start a local cloud that cannot start; return its exit code and what it says."""
    command = [sys.executable, "-m", "localcloud", *arguments]
    result = subprocess.run(
        command,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(environment or {})},
    )
    assert result.stdout == ""
    return result.returncode, result.stderr


def fill(cloud: CloudProcess) -> dict[str, Any]:
    """Put something into every service that keeps state."""
    cloud.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument="{}")
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/kept")
    logs.create_log_stream(logGroupName="/kept", logStreamName="s")
    logs.put_log_events(
        logGroupName="/kept",
        logStreamName="s",
        logEvents=[{"timestamp": int(time.time() * 1000), "message": "kept"}],
    )
    cloud.client("cloudwatch").put_metric_data(
        Namespace="Kept", MetricData=[{"MetricName": "M", "Value": 1.0}]
    )
    url = cloud.client("sqs").create_queue(QueueName="kept")["QueueUrl"]
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody="kept")
    pool = cloud.client("cognito-idp").create_user_pool(PoolName="kept")["UserPool"]["Id"]
    cloud.client("cognito-idp").admin_create_user(UserPoolId=pool, Username="kept")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="empty-but-kept")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="k", Body=b"kept", ContentType="text/plain", Metadata={"a": "b"})
    return {"queue": url, "pool": pool}


def check_filled(cloud: CloudProcess, ids: dict[str, Any]) -> None:
    cloud.client("iam").get_role(RoleName="kept")
    events = cloud.client("logs").get_log_events(logGroupName="/kept", logStreamName="s", startFromHead=True)
    assert [event["message"] for event in events["events"]] == ["kept"]
    assert len(cloud.client("cloudwatch").list_metrics(Namespace="Kept")["Metrics"]) == 1
    received = cloud.client("sqs").receive_message(
        QueueUrl=ids["queue"], WaitTimeSeconds=1, VisibilityTimeout=0
    )
    assert [message["Body"] for message in received["Messages"]] == ["kept"]
    users = cloud.client("cognito-idp").list_users(UserPoolId=ids["pool"])["Users"]
    assert [user["Username"] for user in users] == ["kept"]
    buckets = [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]]
    assert {"empty-but-kept", "kept"} <= set(buckets)
    got = cloud.client("s3").get_object(Bucket="kept", Key="k")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"kept", "text/plain", {"a": "b"})
    assert cloud.client("mturk").get_account_balance()["AvailableBalance"] == "10000.00"


def test_everything_survives_a_kill_of_all_processes(own_cloud: CloudProcess, ids: dict[str, Any]) -> None:
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="latest")
    s3.put_object(Bucket="kept", Key="overwritten", Body=b"before", ContentType="text/x")
    folder = own_cloud.state_dir / "emulator" / "state"
    eventually(lambda: "'latest'" in "".join(path.read_text() for path in folder.glob("s3.json")), "saved")
    emulator = own_cloud.emulator()
    os.kill(own_cloud.pid, signal.SIGSTOP)  # so that it cannot start another emulator
    emulator.kill()
    own_cloud.kill()
    # As when it was killed in the middle of overwriting an object: the new body, described as the old one
    [body] = own_cloud.state_dir.glob("emulator/s3/*/kept/overwritten")
    body.write_bytes(b"much longer afterwards")
    own_cloud.start()
    check_filled(own_cloud, ids)
    own_cloud.client("s3").head_bucket(Bucket="latest")
    got = own_cloud.client("s3").get_object(Bucket="kept", Key="overwritten")
    assert (got["Body"].read(), got["ContentType"]) == (b"much longer afterwards", "text/x")


def test_every_acknowledged_object_survives_a_kill_of_the_front_in_full_flight(
    own_cloud: CloudProcess, ids: dict[str, Any]
) -> None:
    """Without waiting: the emulator notices that its parent is gone, saves and leaves."""
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="flight")
    acknowledged: list[str] = []
    enough = threading.Event()

    def write(writer: int) -> None:
        for number in range(100_000):
            key = f"{writer}/{number}"
            try:
                s3.put_object(Bucket="flight", Key=key, Body=key.encode())
            except (BotoCoreError, ClientError):
                return
            acknowledged.append(key)
            if len(acknowledged) > 200:
                enough.set()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    assert enough.wait(60)
    family = own_cloud.children()
    own_cloud.client("sqs").create_queue(QueueName="latest")
    own_cloud.kill()
    for writer in writers:
        writer.join()
    own_cloud.start()
    assert left_running(family) == [], "something outlived its parent"
    check_filled(own_cloud, ids)
    own_cloud.client("sqs").get_queue_url(QueueName="latest")
    for key in acknowledged:
        assert s3.get_object(Bucket="flight", Key=key)["Body"].read() == key.encode()


def test_a_dead_emulator_is_a_503_and_comes_back(own_cloud: CloudProcess) -> None:
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="again")
    s3.put_object(Bucket="again", Key="k", Body=b"x")
    first = own_cloud.emulator()
    first.kill()
    seen: set[tuple[str, int]] = set()

    def answered_503() -> bool:
        try:
            s3.get_object(Bucket="again", Key="k")
        except ClientError as error:
            seen.add((error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]))
        return bool(seen)

    eventually(answered_503, "answered with an error")
    assert seen == {("ServiceUnavailable", 503)}
    eventually(lambda: own_cloud.health() == 503, "seen to be dead")  # it notices a moment later
    patient = own_cloud.client("s3", retries={"max_attempts": 12, "mode": "standard"})
    assert patient.get_object(Bucket="again", Key="k")["Body"].read() == b"x"
    own_cloud.wait_healthy()
    assert own_cloud.emulator().pid != first.pid
    assert "the emulator ended with code -9" in own_cloud.output.read_text()


def test_stop_leaves_nothing_running(own_cloud: CloudProcess, ids: dict[str, Any]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        if own_cloud.process is None:
            own_cloud.start()
            check_filled(own_cloud, ids)
        family = own_cloud.children()
        assert family
        assert own_cloud.process is not None
        own_cloud.process.send_signal(number)
        assert own_cloud.process.wait(60) == 0
        assert "did not stop within" not in own_cloud.output.read_text()
        assert left_running(family, 0) == []
        assert "Traceback" not in own_cloud.output.read_text()
        own_cloud.process = None


def test_stop_during_the_start(tmp_path: Path) -> None:
    cloud = CloudProcess(tmp_path / "state")
    cloud.launch()
    family = cloud.children()
    assert cloud.stop() == 0
    assert left_running(family, 0) == []


def test_second_cloud_on_the_same_state_says_so(cloud: CloudProcess) -> None:
    code, said = refused("--port", "0", "--state", str(cloud.state_dir))
    assert code == 1
    assert re.fullmatch(
        rf"localcloud: another local cloud already runs on .*process {cloud.pid}.*--state\n", said
    )
    assert cloud.health() == 200


def test_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, said = refused("--port", str(port), "--state", str(tmp_path / "state"))
    assert code == 1
    assert re.fullmatch(rf"localcloud: cannot listen on 127\.0\.0\.1 port {port}: .* --port\n", said)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.10", "example.org"])
def test_other_hosts_than_loopback_are_refused(tmp_path: Path, host: str) -> None:
    state = tmp_path / "state"
    code, said = refused("--host", host, "--port", "0", "--state", str(state))
    assert code == 2
    assert re.fullmatch(rf"localcloud: --host {re.escape(host)} is not a loopback address; .*\n", said)
    assert not state.exists()


@pytest.mark.parametrize("content", [None, "workers: [", "nonsense: 1\n"])
def test_broken_crowd_file_is_one_line_before_anything_starts(tmp_path: Path, content: str | None) -> None:
    crowd, state = tmp_path / "crowd.yaml", tmp_path / "state"
    if content is not None:
        crowd.write_text(content)
    code, said = refused("--port", "0", "--state", str(state), "--crowd", str(crowd))
    assert code == 2
    assert said.startswith("localcloud: ")
    assert str(crowd) in said
    assert said.count("\n") == 1
    assert not state.exists()


def test_missing_emulator_says_how_to_get_it(tmp_path: Path) -> None:
    environment = {"LOCALCLOUD_EMULATOR_PYTHON": str(tmp_path / "python")}
    code, said = refused("--port", "0", "--state", str(tmp_path / "state"), environment=environment)
    assert code == 1
    assert re.fullmatch(r"localcloud: .*/python is missing; run `make setup`.*\n", said)


def test_an_emulator_that_cannot_run_is_given_up_on(tmp_path: Path) -> None:
    environment = {"LOCALCLOUD_EMULATOR_PYTHON": "/bin/false"}
    cloud = CloudProcess(tmp_path / "state", environment=environment)
    cloud.launch()
    eventually(lambda: "not starting it again" in cloud.output.read_text(), "given up")
    assert cloud.health() == 503
    assert not psutil.Process(cloud.pid).children()
    assert cloud.stop() == 0


def test_a_store_that_cannot_be_opened_ends_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "workforce.db").write_bytes(b"this is no database" * 100)
    command = [sys.executable, "-m", "localcloud", "--port", "0", "--state", str(state)]
    result = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "localcloud: workforce failed: " in result.stderr
    assert "Traceback" not in result.stderr
