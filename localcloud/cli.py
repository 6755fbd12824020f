"""Command line: ``python -m localcloud --port 4566 --state DIR [--crowd FILE] [--host 127.0.0.1]``.

``--allowed-host NAME`` (repeatable) is a further name that clients may call it by.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from localcloud.adapters import SageMakerService, WorkforceService
from localcloud.emulator import Emulator, EmulatorMissing, EmulatorSettings, find_python
from localcloud.server import BadAddress, bind, make_server, require_loopback
from localcloud.state import StateFolder, StateInUse, StateUnusable

if TYPE_CHECKING:
    from workforce.crowd import CrowdPlan

CHECKOUT = Path(__file__).resolve().parents[1]
USAGE_ERROR = 2
CANNOT_START = 1


class BadCrowd(Exception):
    """The crowd file cannot be used; the message names it, the field and the fix."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the local cloud until SIGTERM or SIGINT; return the exit code.

    0 after an orderly stop, 2 for a mistake in the arguments or the crowd file, 1 when the state
    folder, the port or the emulator cannot be had.
    """
    arguments = _parser().parse_args(argv)
    try:
        require_loopback(arguments.host)
        crowd = _crowd(arguments.crowd) if arguments.crowd else None
    except (BadAddress, BadCrowd) as error:
        return _refuse(error, USAGE_ERROR)
    try:
        return _run(arguments, crowd)
    except (StateInUse, StateUnusable, BadAddress, EmulatorMissing) as error:
        return _refuse(error, CANNOT_START)


def _crowd(path: Path) -> CrowdPlan:
    from workforce.crowd import Crowd, CrowdFileError

    try:
        return Crowd.load(path)
    except CrowdFileError as error:
        raise BadCrowd(f"--crowd: {error}") from error


def _run(arguments: argparse.Namespace, crowd: CrowdPlan | None) -> int:
    python = find_python(CHECKOUT, os.environ.get("LOCALCLOUD_EMULATOR_PYTHON"))
    state = StateFolder(arguments.state.resolve())
    state.prepare()
    with ExitStack() as held:
        held.enter_context(state.lock(arguments.port))
        listener = held.enter_context(bind(arguments.host, arguments.port))
        for number in (signal.SIGTERM, signal.SIGINT):  # until the server takes them over
            signal.signal(number, _leave)
        _set_up_logging(state)
        return _serve(state, python, crowd, listener, arguments.allowed_host)


def _serve(
    state: StateFolder,
    python: Path,
    crowd: CrowdPlan | None,
    listener: socket.socket,
    allowed_hosts: Sequence[str],
) -> int:
    from localcloud.front import Front

    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    front = Front(
        Emulator(EmulatorSettings(python, state.emulator, state.logs / "emulator.log", port)),
        WorkforceService(state, crowd),
        SageMakerService(state, url, _training_python()),
        allowed_hosts,
    )
    print(f"local cloud on {url}, state in {state.path}; ready when {url}/health answers 200", flush=True)
    server = make_server(front)
    front.on_failure = partial(setattr, server, "should_exit", True)
    server.run(sockets=[listener])
    for problem in front.problems:
        print(f"localcloud: {problem}", file=sys.stderr)
    return CANNOT_START if front.problems else 0


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _training_python() -> Path:
    override = os.environ.get("LOCALCLOUD_TRAINING_PYTHON")
    return Path(override) if override else CHECKOUT / ".venv-training" / "bin" / "python"


def _set_up_logging(state: StateFolder) -> None:
    """Log to a file in the state folder, and warnings to standard error as well."""
    to_file = logging.FileHandler(state.logs / "localcloud.log")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    to_console = logging.StreamHandler()
    to_console.setLevel(logging.WARNING)
    to_console.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[to_file, to_console], force=True)
    for chatty in ("botocore", "boto3", "urllib3", "s3transfer"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _refuse(error: Exception | str, code: int) -> int:
    print(f"localcloud: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud",
        description="MTurk, SageMaker, S3 and the other AWS services of the pipelines on one local port. "
        "Access key and secret are both `test`.",
    )
    parser.add_argument(
        "--port", type=int, default=4566, help="port to listen on (default 4566; 0 picks a free one)"
    )
    parser.add_argument(
        "--state", type=Path, required=True, metavar="DIR", help="folder that keeps everything"
    )
    parser.add_argument(
        "--crowd", type=Path, metavar="FILE", help="YAML file of a simulated crowd that does the work"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="loopback address to listen on (default 127.0.0.1)"
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        type=_host_name,
        metavar="NAME",
        help="further name that clients may reach it by, through a forwarder; names of loopback always "
        "may; repeatable",
    )
    return parser


def _host_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a host name; give it without scheme and port")
    return text
