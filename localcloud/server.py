"""Runs the front under uvicorn on a socket that is already bound."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 3  # for requests that are running when we are told to stop


class BadAddress(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def bind(host: str, port: int) -> socket.socket:
    """Bind a loopback address. Raises BadAddress for any other, and when the port is taken."""
    require_loopback(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1" if host == "localhost" else host, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise BadAddress(
            f"cannot listen on {host} port {port}: {reason}; stop what uses it or choose another --port"
        ) from error
    return listener


def require_loopback(host: str) -> None:
    """Raise BadAddress unless ``host`` names this machine only."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise BadAddress(
            f"--host {host} is not a loopback address; the local cloud's keys are public, "
            "so it listens on 127.0.0.1, ::1 or localhost only"
        )


class _Server(uvicorn.Server):  # type: ignore[misc]
    """Ends quietly on SIGTERM and SIGINT; uvicorn itself would raise the signal again at the end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        def stop(_signal: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        if threading.current_thread() is not threading.main_thread():  # where signals cannot be handled
            yield
            return
        previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Make the server of ``app``; ``run(sockets=[...])`` serves until SIGTERM, SIGINT or ``should_exit``."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=75,  # longer than SDKs' pools keep an idle connection on average
        timeout_graceful_shutdown=GRACE_S,
        backlog=1024,
    )
    return _Server(config)
