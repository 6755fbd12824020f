"""The processes that serve one deployment of an endpoint."""

from __future__ import annotations

import http.client
import random
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.sagemaker.hosting.deployment import VariantFolder, fetch, serving_command, serving_environment
from localcloud.sagemaker.logs import LogStream, epoch
from localcloud.sagemaker.process import Supervised
from localcloud.sagemaker.s3_files import Aws, S3Files, S3Problem
from localcloud.sagemaker.settings import SageMakerSettings
from localcloud.sagemaker.store import Document

LOG_GROUP_PREFIX = "/aws/sagemaker/Endpoints/"
_POLL = 0.1
_LONGEST_PAUSE = 30.0


class DeploymentFailed(Exception):
    """The deployment does not serve; `str(error)` is the FailureReason."""


class DeploymentAbandoned(Exception):
    """Somebody closed the fleet while it started."""


@dataclass(frozen=True)
class Host:
    """What all fleets share."""

    aws: Aws
    python: Path
    settings: SageMakerSettings
    now: Callable[[], Any]


class Instance:
    """One variant's process, started again when it ends by itself once it has been in service."""

    def __init__(
        self, endpoint: str, variant: Mapping[str, Any], folder: Path, host: Host, region: str
    ) -> None:
        self.name: str = variant["VariantName"]
        self.weight: float = variant.get("InitialVariantWeight", 1.0)
        self.port = 0
        self._variant = variant
        self._folder = VariantFolder(folder)
        self._host = host
        self._region = region
        self._closing = threading.Event()
        self._process: Supervised | None = None
        self._endpoint = endpoint
        self._log: LogStream | None = None

    def start(self) -> None:
        """Fetch, start, and wait until healthy; raises DeploymentFailed or DeploymentAbandoned."""
        container = self._variant["Container"]
        try:
            fetch(S3Files(self._host.aws), container, self._folder)
        except (S3Problem, OSError) as error:
            self._check_open()
            raise DeploymentFailed(
                f"Failed to download model data for production variant {self.name}: {error}"
            ) from error
        self._check_open()
        stream = f"{self.name}/i-{epoch(self._host.now()):x}{random.randrange(16**8):08x}"
        group = f"{LOG_GROUP_PREFIX}{self._endpoint}"
        self._log = LogStream(self._host.aws.client("logs"), group, stream, self._host.settings.log_interval)
        self._log.write(
            f"Local SageMaker: image {container.get('Image')} is recorded, not pulled; "
            f"the model is served with {self._host.python}"
        )
        self._process = self._spawn()
        self._wait_healthy()
        threading.Thread(target=self._keep, name=f"keep {self._endpoint}/{self.name}", daemon=True).start()

    def close(self) -> None:
        """Stop the process: SIGTERM, then SIGKILL after the grace period."""
        self._closing.set()
        process = self._process
        if process is not None:
            process.terminate()
            process.wait()
        if self._log is not None:
            self._log.close(timeout=5)

    def kill(self) -> None:
        """Stop at once, files kept, since the server itself ends."""
        self._closing.set()
        if self._process is not None:
            self._process.kill()

    def _spawn(self) -> Supervised:
        container = self._variant["Container"]
        env = serving_environment(
            container, self._folder, self._host.python, self._host.aws.endpoint_url, self._region
        )
        log = self._log
        if log is None:
            raise RuntimeError("an instance needs its log before its process")
        # we bind, so that no other process can take the port in between; only the child keeps it open
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            self.port = listener.getsockname()[1]
            env |= {"SAGEMAKER_BIND_TO_PORT": str(self.port), "LOCALCLOUD_LISTEN_FD": str(listener.fileno())}
            return Supervised(
                self._host.python,
                serving_command(self._host.python),
                env=env,
                cwd=self._folder.base,
                grace=self._host.settings.serving_stop_grace,
                on_line=log.write,
                pass_fds=(listener.fileno(),),
            )

    def _wait_healthy(self) -> None:
        limit = self._variant.get(
            "ContainerStartupHealthCheckTimeoutInSeconds", self._host.settings.startup_timeout
        )
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            self._check_open()
            process = self._process
            if process is None or process.poll() is not None:
                break
            if self._ping():
                return
            self._closing.wait(_POLL)
        self._check_open()
        raise DeploymentFailed(
            f"The primary container for production variant {self.name} did not pass the ping health check. "
            "Please check CloudWatch logs for this endpoint."
        )

    def _ping(self) -> bool:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=self._host.settings.ping_timeout
        )
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _keep(self) -> None:
        """Replace the process when it ends although nobody asked it to, as SageMaker does."""
        pause = 0.0
        while self._process is not None:
            started = time.monotonic()
            self._process.wait()
            if time.monotonic() - started > _LONGEST_PAUSE:
                pause = 0.0
            if self._closing.wait(pause):
                return
            pause = min(_LONGEST_PAUSE, 2 * pause + 0.5)
            if self._log is not None:
                self._log.write("Local SageMaker: the serving process ended by itself and is started again")
            self._process = self._spawn()
            if self._closing.is_set():
                self._process.kill()
                return

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise DeploymentAbandoned


class Fleet:
    """All variants of one deployment; requests hold it while they run, so that it can be drained."""

    def __init__(self, endpoint: str, deployment: Document, folder: Path, host: Host, region: str) -> None:
        self.id: str = deployment["Id"]
        self._folder = folder / self.id
        self._host = host
        self._instances = [
            Instance(endpoint, variant, self._folder / variant["VariantName"], host, region)
            for variant in deployment["Variants"]
        ]
        self._running = 0
        self._idle = threading.Condition()

    def start(self) -> None:
        """Start all variants; raises DeploymentFailed, with nothing left running."""
        try:
            for instance in self._instances:
                instance.start()
        except BaseException:
            self.close()
            raise

    def choose(self, target: str | None) -> Instance | None:
        """Return the variant of a request: the one it names, or one by weight; None when there is none."""
        if target is not None:
            return next((i for i in self._instances if i.name == target), None)
        weights = [i.weight for i in self._instances]
        if not any(weights):
            return None
        return random.choices(self._instances, weights)[0]

    def hold(self) -> None:
        """Count a request in."""
        with self._idle:
            self._running += 1

    def release(self) -> None:
        """Count a request out."""
        with self._idle:
            self._running -= 1
            self._idle.notify_all()

    def drain(self, timeout: float) -> None:
        """Wait until no request runs, at most ``timeout`` seconds."""
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0, timeout)

    def close(self) -> None:
        """Stop all processes and remove their files."""
        for instance in self._instances:
            instance.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        """Stop at once and keep the files, for the next start of the server."""
        for instance in self._instances:
            instance.kill()
