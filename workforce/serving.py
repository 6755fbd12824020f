"""Runs the server: opens the store, makes the account, binds the port, serves until told to stop."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from workforce.api.keys import AccessKey, StaticKeys
from workforce.app import create_app
from workforce.crowd import Crowd, CrowdFileError, CrowdPlan, CrowdRunner
from workforce.housekeeping import Housekeeping
from workforce.market import Market
from workforce.opening import DEFAULT_ACCOUNT, StartProblem, open_store

KEY_VARIABLES = ("WORKFORCE_ACCESS_KEY_ID", "WORKFORCE_SECRET_ACCESS_KEY")
SITE_SECRET_VARIABLE = "WORKFORCE_SITE_SECRET"  # noqa: S105 - the variable's name
_STOP_SECONDS = 5
_HEADER_BYTES = 32 * 1024
_MOST_CONNECTIONS = 500  # below the 1024 open files that a process has by default; 503 beyond
_KEEP_ALIVE_SECONDS = 5


@dataclass(frozen=True)
class ServeOptions:
    """What ``serve`` is told; money in cents, port 0 takes a free one."""

    host: str
    port: int
    db: str
    crowd: Path | None
    mode: Literal["ledger", "sandbox"]
    opening_cents: int
    public_url: str | None = None


def serve(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT; raises StartProblem when it cannot start."""
    keys = access_keys(options.host)
    plan = _crowd_plan(options.crowd) if options.crowd else None
    listener = _listen(options.host, options.port)
    with contextlib.closing(listener), contextlib.closing(open_store(options.db)) as store:
        market = Market(store)
        market.requester.accounts.ensure_account(
            DEFAULT_ACCOUNT, name="Requester", opening_cents=options.opening_cents, mode=options.mode
        )
        secret = os.environ.get(SITE_SECRET_VARIABLE) or store.secret.hex()
        try:
            app = create_app(market, keys, site_secret=secret, public_url=options.public_url)
        except ValueError as error:
            raise StartProblem(f"--public-url: {error}") from error
        server = _Server(server_config(app), _url(listener))
        with Housekeeping(market), _crowd_running(market, plan), _signals_stop(server):
            server.run(sockets=[listener])


def server_config(app: ASGIApp) -> uvicorn.Config:
    """Return how uvicorn is run: with limits to what one client can take from the others."""
    return uvicorn.Config(
        app,
        http="h11",  # the parser that limits the size of headers
        h11_max_incomplete_event_size=_HEADER_BYTES,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )


def access_keys(host: str) -> StaticKeys:
    """Return the keys from the environment; on loopback alone test/test will do."""
    access_key, secret = (os.environ.get(name, "") for name in KEY_VARIABLES)
    if access_key and secret:
        return StaticKeys(AccessKey(access_key, secret, DEFAULT_ACCOUNT))
    names = " and ".join(KEY_VARIABLES)
    if access_key or secret:
        raise StartProblem(f"set both {names}, or neither")
    if not _is_loopback(host):
        raise StartProblem(f"--host {host} can be reached by others; set {names} first")
    return StaticKeys(AccessKey("test", "test", DEFAULT_ACCOUNT))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise StartProblem(f"--host {host} is no address of this machine; try 127.0.0.1") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            problem = f"port {port} on {host} is taken; stop what listens there or choose another --port"
        else:
            problem = f"cannot listen on {host} port {port}: {error.strerror}"
        raise StartProblem(problem) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):  # type: ignore[misc]
    """Tells when it is ready, which is after the application has started."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            print(f"Workforce ready at {self._url} (API at /, workers at {self._url}/worker)", flush=True)


@contextlib.contextmanager
def _signals_stop(server: _Server) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the server with status 0.

    uvicorn raises them again after its own clean stop, which would kill the process before the
    crowd and the store are closed.
    """

    def stop(*_: object) -> None:
        server.should_exit = True

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _crowd_plan(path: Path) -> CrowdPlan:
    try:
        return Crowd.load(path)
    except CrowdFileError as error:
        raise StartProblem(f"--crowd: {error}") from error
    except OSError as error:
        raise StartProblem(f"--crowd {path}: {error.strerror}; give a readable YAML file") from error


@contextlib.contextmanager
def _crowd_running(market: Market, plan: CrowdPlan | None) -> Iterator[None]:
    if plan is None:
        yield
        return
    runner = CrowdRunner(market, plan)
    runner.start()
    try:
        yield
    finally:
        runner.stop()
