"""Subprocesses of the training interpreter, and their output as lines."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_SUPERVISOR = Path(__file__).with_name("supervise.py")
_READ = 65536

MAX_LINE_BYTES = 256 * 1024 - 26
"""The longest log event that CloudWatch Logs took for most of its life, less its overhead."""

_PASSED_ON = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_INSTALLER = (
    "PIP_CACHE_DIR",
    "PIP_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_NO_CACHE_DIR",
    "PIP_NO_INDEX",
    "PIP_PREFER_BINARY",
    "PIP_RETRIES",
    "PIP_TRUSTED_HOST",
)
"""What pip needs to install a script's requirements.txt; passwords in addresses are taken out."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")


class InterpreterMissing(RuntimeError):
    """There is no training interpreter; `str(error)` says how to get one."""


class LineSplitter:
    """Cuts a stream of bytes into lines of text; undecodable bytes become replacement characters."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """Return the lines that the chunk completes; longer ones than the limit come in pieces."""
        *complete, self._rest = (self._rest + chunk).split(b"\n")
        lines = [piece for line in complete for piece in self._pieces(line)]
        while len(self._rest) > self._limit:
            cut = self._cut(self._rest)
            lines.append(_decode(self._rest[:cut]))
            self._rest = self._rest[cut:]
        return lines

    def finish(self) -> list[str]:
        """Return the line that the end of the stream completes, if any."""
        rest, self._rest = self._rest, b""
        return self._pieces(rest) if rest else []

    def _pieces(self, line: bytes) -> list[str]:
        pieces = []
        while len(line) > self._limit:
            cut = self._cut(line)
            pieces.append(_decode(line[:cut]))
            line = line[cut:]
        return [*pieces, _decode(line)]

    def _cut(self, line: bytes) -> int:
        """Return the longest allowed length that does not split a UTF-8 character."""
        cut = self._limit
        while cut > self._limit - 4 and line[cut] & 0xC0 == 0x80:
            cut -= 1
        return cut


def _decode(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")


def clean_environment(python: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a "container": little of ours, the interpreter's tools, and ``extra``.

    The server's own variables, secrets among them, stay here; what package installation and
    certificates need is passed on, without the user and password that an address may hold.
    """
    env = {
        name: _USER_INFO.sub("", os.environ[name])
        for name in (*_PASSED_ON, *_INSTALLER, *_PROXIES)
        if name in os.environ
    }
    env["PATH"] = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
    if any(name in env for name in _PROXIES):
        # S3 and Logs are on this machine
        env["NO_PROXY"] = env["no_proxy"] = "127.0.0.1,localhost,::1"
    env["PYTHONUNBUFFERED"] = "1"
    env["PYTHONIOENCODING"] = "utf-8:backslashreplace"
    return {**env, **extra}


class Supervised:
    """A running command whose descendants never outlive this process, even if it is killed."""

    def __init__(
        self,
        python: Path,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        grace: float,
        on_line: Callable[[str], None],
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start it; ``on_line`` gets stdout and stderr line by line, in a thread of its own.

        Raises InterpreterMissing.
        """
        if not os.access(python, os.X_OK):
            raise InterpreterMissing(
                f"the training interpreter {python} does not exist; make the environment that "
                "requirements-training.txt describes, or name another in LOCALCLOUD_TRAINING_PYTHON"
            )
        reader, self._lifeline = os.pipe()
        self._closing = threading.Lock()
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [str(python), "-I", "-S", str(_SUPERVISOR), str(reader), str(grace), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                pass_fds=(reader, *pass_fds),
                start_new_session=True,
            )
        except OSError:
            os.close(self._lifeline)
            raise
        finally:
            os.close(reader)
        self._pump = threading.Thread(target=self._read, args=(self._process.stdout, on_line), daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    def terminate(self) -> None:
        """Send SIGTERM; SIGKILL follows when the grace period is over."""
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill everything at once."""
        with self._closing:
            lifeline, self._lifeline = self._lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code once the command ended and its output is read; None on time-out."""
        self._pump.join(timeout)
        if self._pump.is_alive():
            return None
        code = self._process.wait()
        self.kill()
        return code

    def poll(self) -> int | None:
        """Return the exit code if it ended."""
        return self._process.poll()

    def _read(self, stream: IO[bytes], on_line: Callable[[str], None]) -> None:
        splitter = LineSplitter()
        with stream:
            while chunk := os.read(stream.fileno(), _READ):
                for line in splitter.feed(chunk):
                    on_line(line)
        for line in splitter.finish():
            on_line(line)
