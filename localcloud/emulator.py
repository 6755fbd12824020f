"""Starts, watches and stops the AWS emulator, a subprocess with an interpreter of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

ACCOUNT_ID = "000000000000"
READY_LIMIT_S = 45.0
STOP_LIMIT_S = 15.0  # the child saves its state and then gives itself 6
MAX_DEATHS = 5
DEATHS_WINDOW_S = 120.0
LOG_LIMIT_BYTES = 20 * 1024 * 1024
CHILD = Path(__file__).with_name("emulator_child.py")
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "DOCKER_HOST")
_HEALTH = b"GET /_ministack/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"

log = logging.getLogger("localcloud.emulator")


class EmulatorMissing(Exception):
    """There is no emulator to run; the message says how to install it."""


@dataclass(frozen=True)
class EmulatorSettings:
    """What the emulator needs: an interpreter that has it, a folder of its own, where it logs.

    ``public_port`` is the front's: what runs inside the emulator (a Lambda function) calls back
    there, and so reaches every service, ours included.
    """

    python: Path
    folder: Path
    log_file: Path
    public_port: int

    def environment(self) -> dict[str, str]:
        """Return the child's whole environment; the caller's own AWS settings must not leak into it."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in _PASSED_ON or name.startswith(("MINISTACK_", "LAMBDA_"))
        }
        return kept | {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.public_port),
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.folder / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.folder / "s3"),
            "SFTP_ENABLED": "0",  # these two would listen on fixed ports
            "IOT_MTLS_ENABLED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def find_python(checkout: Path, override: str | None) -> Path:
    """Return the interpreter that has the emulator: ``override`` or the checkout's own environment.

    Raises EmulatorMissing, naming the path that was looked for and the fix.
    """
    python = Path(override) if override else checkout / ".venv-emulator" / "bin" / "python"
    if not os.access(python, os.X_OK):
        raise EmulatorMissing(
            f"the AWS emulator's interpreter {python} is missing; run `make setup`, "
            "or point LOCALCLOUD_EMULATOR_PYTHON at a Python that has ministack"
        )
    return python


class Emulator:
    """The emulator process, started again when it dies, at most `MAX_DEATHS` times in two minutes."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)
        self._stopping = False
        self.address: tuple[str, int] | None = None
        """Where it listens while it is ready; None otherwise."""
        self.state = "starting"
        """starting, ready, restarting, failed or stopped."""

    @property
    def pid(self) -> int | None:
        """Process id of the running emulator."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it in the background; `wait_ready` tells when it answers."""
        for folder in (self._settings.folder / "state", self._settings.folder / "s3"):
            folder.mkdir(parents=True, exist_ok=True)
        self._settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._supervisor = asyncio.create_task(self._supervise(), name="emulator")

    async def wait_ready(self) -> None:
        """Return when the emulator answers."""
        await self._ready.wait()

    async def stop(self) -> None:
        """Stop it and wait until it has saved its state; kill it when that takes too long."""
        self._stopping = True
        process = self._process
        if process and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
            except TimeoutError:
                log.error("the emulator did not stop within %.0f s, killing it", STOP_LIMIT_S)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if self._supervisor:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        self._down("stopped")

    async def _supervise(self) -> None:
        while not self._stopping:
            try:
                await self._run_once()
            except OSError as error:
                log.error("the emulator could not be started: %s", error)
            if self._stopping:
                return
            self._deaths.append(time.monotonic())
            if len(self._deaths) == MAX_DEATHS and self._deaths[-1] - self._deaths[0] < DEATHS_WINDOW_S:
                self._down("failed")
                log.error(
                    "the emulator died %d times in a row; not starting it again, see %s",
                    MAX_DEATHS,
                    self._settings.log_file,
                )
                return
            self._down("restarting")
            await asyncio.sleep(0.2 * 2 ** (len(self._deaths) - 1))

    def _down(self, state: str) -> None:
        self.state = state
        self.address = None
        self._ready.clear()

    async def _run_once(self) -> None:
        listener = socket.socket()
        with listener:
            listener.bind(("127.0.0.1", 0))
            address: tuple[str, int] = listener.getsockname()
            self._process = process = await self._spawn(listener.fileno())
        try:
            if not await self._answers(process, address):
                return
            self.address, self.state = address, "ready"
            self._ready.set()
            log.info("the emulator is ready (pid %d, port %d)", process.pid, address[1])
            await process.wait()
        finally:
            if process.returncode is None and not self._stopping:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if not self._stopping:
            log.error("the emulator ended with code %s, see %s", process.returncode, self._settings.log_file)

    async def _spawn(self, listen_fd: int) -> asyncio.subprocess.Process:
        settings = self._settings
        if settings.log_file.exists() and settings.log_file.stat().st_size > LOG_LIMIT_BYTES:
            settings.log_file.replace(settings.log_file.with_suffix(".old.log"))
        with settings.log_file.open("ab") as output:
            # -I: neither PYTHONPATH nor the folder of the script may shadow what the emulator imports
            return await asyncio.create_subprocess_exec(
                str(settings.python),
                "-I",
                "-u",
                str(CHILD),
                f"--listen-fd={listen_fd}",
                f"--lock={settings.folder / 'lock'}",
                stdin=asyncio.subprocess.PIPE,  # never written to: the child leaves when it closes
                stdout=output,
                stderr=output,
                env=settings.environment(),
                cwd=settings.folder,
                pass_fds=(listen_fd,),
                start_new_session=True,
            )

    async def _answers(self, process: asyncio.subprocess.Process, address: tuple[str, int]) -> bool:
        """Wait until it is healthy; False when it ended or took too long."""
        deadline = time.monotonic() + READY_LIMIT_S
        while process.returncode is None:
            if await _healthy(address):
                return True
            if time.monotonic() > deadline:
                log.error("the emulator was not ready after %.0f s", READY_LIMIT_S)
                return False
            await asyncio.sleep(0.05)
        return False


async def _healthy(address: tuple[str, int]) -> bool:
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(*address)
            try:
                writer.write(_HEALTH)
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200" in status
