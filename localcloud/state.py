"""The state folder of a local cloud: one owner at a time, and a secret of its own."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO


class StateInUse(Exception):
    """Another local cloud runs on the folder; the message names it."""


class StateUnusable(Exception):
    """The folder cannot be made or written; the message names it."""


@dataclass(frozen=True)
class StateFolder:
    """Where everything of one local cloud is kept.

    ``workforce.db`` the HITs and the money, ``emulator/`` S3 objects and service state,
    ``sagemaker/`` jobs and endpoints, ``logs/``, ``lock`` who runs on it, ``site-secret``.
    """

    path: Path

    @property
    def database(self) -> Path:
        """File of the workforce store."""
        return self.path / "workforce.db"

    @property
    def logs(self) -> Path:
        """Folder of log files."""
        return self.path / "logs"

    @property
    def emulator(self) -> Path:
        """Folder of the emulator."""
        return self.path / "emulator"

    @property
    def sagemaker(self) -> Path:
        """Folder of training jobs, models and endpoints."""
        return self.path / "sagemaker"

    def prepare(self) -> None:
        """Make the folder. Raises StateUnusable."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
        except OSError as error:
            raise StateUnusable(
                f"cannot use {self.path} as the state folder: {error.strerror}; choose another with --state"
            ) from error

    def lock(self, port: int) -> IO[str]:
        """Own the folder until the returned file is closed or the process ends, however it ends.

        Raises StateInUse when a living process owns it.
        """
        handle = os.fdopen(os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner(handle.read())
            handle.close()
            raise StateInUse(
                f"another local cloud already runs on {self.path}{owner}; stop it or choose another --state"
            ) from None
        handle.truncate(0)
        handle.write(json.dumps({"pid": os.getpid(), "port": port}))
        handle.flush()
        return handle

    def site_secret(self) -> str:
        """Return the secret that signs the annotators' sessions, made at the first call."""
        path = self.path / "site-secret"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            secret = path.read_text("ascii").strip()
            if secret:
                return secret
            descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
        secret = secrets.token_urlsafe(32)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secret + "\n")
        return secret


def _owner(content: str) -> str:
    try:
        owner = json.loads(content)
        return f" (process {owner['pid']}, port {owner['port']})"
    except (ValueError, KeyError, TypeError):
        return ""
