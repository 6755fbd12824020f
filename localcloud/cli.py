"""Command line: ``python -m localcloud --port 4566 --state DIR [--crowd FILE] [--host 127.0.0.1]``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from localcloud.adapters import SageMakerService, WorkforceService
from localcloud.emulator import Emulator, EmulatorMissing, EmulatorSettings, find_python
from localcloud.front import Front
from localcloud.server import BadAddress, bind, is_loopback, make_server
from localcloud.state import StateFolder, StateInUse, StateUnusable
from workforce.crowd import Crowd, CrowdFileError, CrowdPlan

CHECKOUT = Path(__file__).resolve().parents[1]
USAGE_ERROR = 2
CANNOT_START = 1

log = logging.getLogger("localcloud")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the local cloud until SIGTERM or SIGINT; return the exit code.

    0 after an orderly stop, 2 for a mistake in the arguments or the crowd file, 1 when the state
    folder, the port or the emulator cannot be had.
    """
    arguments = _parser().parse_args(argv)
    try:
        if not is_loopback(arguments.host):
            bind(arguments.host, arguments.port)  # raises with the explanation
        crowd = Crowd.load(arguments.crowd) if arguments.crowd else None
    except (CrowdFileError, BadAddress) as error:
        return _refuse(error, USAGE_ERROR)
    except OSError as error:
        return _refuse(f"--crowd {arguments.crowd}: {error.strerror}; give a readable YAML file", USAGE_ERROR)
    try:
        _run(arguments, crowd)
    except (StateInUse, StateUnusable, BadAddress, EmulatorMissing) as error:
        return _refuse(error, CANNOT_START)
    return 0


def _run(arguments: argparse.Namespace, crowd: CrowdPlan | None) -> None:
    python = find_python(CHECKOUT, os.environ.get("LOCALCLOUD_EMULATOR_PYTHON"))
    state = StateFolder(arguments.state.resolve())
    state.prepare()
    with ExitStack() as held:
        held.enter_context(state.lock(arguments.port))
        listener = held.enter_context(bind(arguments.host, arguments.port))
        _set_up_logging(state)
        port: int = listener.getsockname()[1]
        host = "[::1]" if ":" in arguments.host else "127.0.0.1"
        url = f"http://{host}:{port}"
        for number in (signal.SIGTERM, signal.SIGINT):  # until the server takes them over
            signal.signal(number, _leave)
        front = Front(
            Emulator(EmulatorSettings(python, state.emulator, state.logs / "emulator.log", port)),
            WorkforceService(state, crowd),
            SageMakerService(state, url, _training_python()),
        )
        print(f"local cloud on {url}, state in {state.path}; ready when {url}/health answers 200", flush=True)
        make_server(front).run(sockets=[listener])


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
    return parser
