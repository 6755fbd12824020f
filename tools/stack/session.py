"""What this stack runs with: ports and crowd; kept so that later commands find it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.stack.errors import StackError
from tools.stack.layout import Layout

HOST = "127.0.0.1"
DEFAULT_AIRFLOW_PORT = 8080
DEFAULT_CLOUD_PORT = 4566


@dataclass(frozen=True)
class Session:
    """Ports, and the crowd file (None: nobody answers by itself)."""

    airflow_port: int = DEFAULT_AIRFLOW_PORT
    cloud_port: int = DEFAULT_CLOUD_PORT
    crowd: str | None = None

    @property
    def airflow_url(self) -> str:
        """Base URL of the Airflow UI and API."""
        return f"http://{HOST}:{self.airflow_port}"

    @property
    def cloud_url(self) -> str:
        """Endpoint of every AWS service, and of the worker page."""
        return f"http://{HOST}:{self.cloud_port}"


def wanted(
    environment: Mapping[str, str], running: Session | None, *, crowd: str | None, layout: Layout
) -> Session:
    """Work out the session: AIRFLOW_PORT and CLOUD_PORT, else what runs already, else the defaults.

    Raises StackError for a port that is no port and a crowd file that is not there.
    """
    base = running or Session()
    return Session(
        airflow_port=_port(environment, "AIRFLOW_PORT", base.airflow_port),
        cloud_port=_port(environment, "CLOUD_PORT", base.cloud_port),
        crowd=_crowd(crowd, layout.root) if crowd else base.crowd,
    )


def load(layout: Layout) -> Session | None:
    """The session that was last started, or None."""
    try:
        return Session(**json.loads(layout.session.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def save(session: Session, layout: Layout) -> None:
    """Keep the session for later commands."""
    layout.session.write_text(json.dumps(asdict(session), indent=1) + "\n")


def require_free(port: int, variable: str) -> None:
    """Raise StackError when something listens on the port already."""
    with socket.socket() as probe:
        probe.settimeout(1)
        answered = probe.connect_ex((HOST, port)) == 0
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            answered = True
            if isinstance(error, PermissionError):
                raise StackError(
                    f"port {port} is not ours to use; choose another: make up {variable}={port + 8000}"
                ) from error
    if answered:
        raise StackError(
            f"port {port} is taken by another program; choose another: make up {variable}={port + 1}"
        )


def _port(environment: Mapping[str, str], variable: str, default: int) -> int:
    text = environment.get(variable, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 65535:
        raise StackError(f"{variable}={text} is not a port; give a number from 1 to 65535")
    return int(text)


def _crowd(text: str, root: Path) -> str:
    path = Path(text) if Path(text).is_absolute() else root / text
    if not path.is_file():
        raise StackError(f"CROWD={text}: there is no such file; the example is include/crowds/iris.yaml")
    return os.path.realpath(path)
