"""Runs `python -m localcloud` for tests, as people run it: a process of its own, over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

CHECKOUT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 90.0
STOP_LIMIT_S = 30.0


class CloudProcess:
    """A local cloud on a folder; it can be killed and started again on the same folder and port."""

    def __init__(
        self, state_dir: Path, crowd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.state_dir = state_dir
        self.output = state_dir.parent / f"{state_dir.name}.out"
        self.port = 0
        self._crowd = crowd
        self._environment = dict(environment or {})
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def command(self, *more: str) -> list[str]:
        crowd = ["--crowd", str(self._crowd)] if self._crowd else []
        state = str(self.state_dir)
        return [sys.executable, "-m", "localcloud", "--port", str(self.port), "--state", state, *crowd, *more]

    def start(self) -> str:
        """Start it, wait until /health answers 200, return the endpoint URL."""
        self.launch()
        self.wait_healthy()
        return self.endpoint_url

    def launch(self) -> None:
        """Start it and wait only until it listens."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                self.command(),
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=CHECKOUT,
                env={**os.environ, **self._environment},
            )
        self._until(self._announced, "did not say where it listens")

    def wait_healthy(self) -> None:
        self._until(lambda: self.health() == 200, "is not healthy")

    def health(self) -> int:
        """Return the status code of /health; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.endpoint_url}/health", timeout=5) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def emulator(self) -> psutil.Process:
        """Return the emulator's process."""
        return next(p for p in self.children() if any("emulator_child" in word for word in p.cmdline()))

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(STOP_LIMIT_S)
            self.process = None

    def stop(self) -> int:
        """End it as Ctrl-C or a supervisor does; return the exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            code = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_LIMIT_S)
            raise
        self.process = None
        return code

    def client(self, service: str, *, key: str = "test", secret: str = "test", **config: Any) -> Any:
        """Return a boto3 client of this cloud."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(**{"retries": {"max_attempts": 0}, "max_pool_connections": 32, **config}),
        )

    def _announced(self) -> bool:
        found = re.search(rb"local cloud on http://[^ ]*:(\d+)", self.output.read_bytes())
        if found:
            self.port = int(found.group(1))
        return found is not None

    def _until(self, done: Any, problem: str) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_LIMIT_S
        while not done():
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"local cloud ended ({self.process.returncode}): {self.output.read_text()}"
                )
            if time.monotonic() > deadline:
                raise TimeoutError(f"local cloud {problem}: {self.output.read_text()}")
            time.sleep(0.05)
