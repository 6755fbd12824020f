"""A server over real HTTP, and unmodified clients for it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import uvicorn
from botocore.config import Config
from starlette.applications import Starlette

from workforce.market import Market

CHECKOUT = Path(__file__).resolve().parents[3]
ACCOUNT = "000000000000"
SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
QUESTION = (
    f'<HTMLQuestion xmlns="{SCHEMAS}2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[<!DOCTYPE html>'
    '<html><body><form method="post" action="https://www.mturk.com/mturk/externalSubmit">'
    '<input type="hidden" name="assignmentId" value=""><img data-item="one" alt="">'
    '<input type="radio" name="label" value="a"><input type="submit"></form></body></html>]]></HTMLContent>'
    "<FrameHeight>0</FrameHeight></HTMLQuestion>"
)
HIT_TYPE = {
    "Title": "Classify images of flowers",
    "Description": "Provide the species of iris in each image",
    "Keywords": "classification, image",
    "Reward": "0.05",
    "AssignmentDurationInSeconds": 300,
}


@contextlib.contextmanager
def serve_in_thread(app: Starlette) -> Iterator[str]:
    """Serve an application on a free port of the loopback; yields its URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def boto_client(url: str, *, secret: str = "test", access_key: str = "test", **config: Any) -> Any:
    return boto3.client(
        "mturk",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        config=Config(**{"retries": {"max_attempts": 0}, **config}),
    )


@dataclass
class Served:
    """A market behind HTTP; the test may reach into the market to play the workers."""

    url: str
    market: Market
    client: Any

    def client_of(self, account_key: str) -> Any:
        """Return a client of another account: the key and the secret have one name."""
        return boto_client(self.url, access_key=account_key, secret=account_key)

    def answer(self, hit_id: str, worker_id: str, label: str) -> str:
        """Let a worker accept and submit; returns the assignment's id."""
        self.market.workers.ensure_worker(worker_id)
        assignment = self.market.workers.accept(worker_id, hit_id)
        self.market.workers.submit(assignment.assignment_id, [("label", label)], worker_id=worker_id)
        return assignment.assignment_id

    def create_hit(self, **changes: Any) -> Any:
        """Create a HIT of one assignment and an hour; returns it as the client sees it."""
        parameters = {**HIT_TYPE, "LifetimeInSeconds": 3600, "Question": QUESTION, **changes}
        return self.client.create_hit(**parameters)["HIT"]


class ServerProcess:
    """``python -m workforce serve`` as people start it."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "workforce", "serve", *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = ""

    def wait_ready(self) -> str:
        """Wait for the line that tells the URL."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if " at http" not in line:
            raise AssertionError(f"not ready: {line!r} {self.process.communicate(timeout=10)[1]}")
        self.url = line.split(" at ")[1].split()[0]
        return self.url

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=20)
        return self.process.returncode


def run_cli(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of ``python -m workforce`` that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "workforce", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
