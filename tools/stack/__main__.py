"""``python -m tools.stack up|down|status|env``."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from tools.stack import session
from tools.stack.control import AIRFLOW, CLOUD, Stack
from tools.stack.environment import local_settings
from tools.stack.errors import StackError
from tools.stack.keys import ADMIN


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.stack", description="The local stack.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start what does not run and wait until it is ready")
    up.add_argument("--crowd", help="crowd file of the simulated workers; without it, people answer")
    commands.add_parser("down", help="stop everything; the state stays")
    commands.add_parser("status", help="say what runs and how to open it")
    commands.add_parser("env", help='print the settings, for a shell: eval "$(python -m tools.stack env)"')
    options = parser.parse_args(argv)
    try:
        return _run(options)
    except StackError as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stack: stopped waiting; what was started still runs, `make down` ends it", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    stack = Stack(say=_say)
    if options.command == "up":
        stack.up(os.environ, crowd=options.crowd or None)
        return _status(stack)
    if options.command == "down":
        stopped = stack.down()
        print(f"stopped {stopped} processes; the state is kept (make clean-state removes it)")
        return 0
    return _status(stack) if options.command == "status" else _environment(stack)


def _status(stack: Stack) -> int:
    running = {record.name: record for record in stack.running()}
    current = session.load(stack.layout)
    if not running or not current:
        print("nothing runs; `make up` starts the stack, `make demo` the example")
        return 3
    for name in (CLOUD, *AIRFLOW):
        record = running.get(name)
        print(f"  {name:<14} {'pid ' + str(record.pid) if record else 'not running'}")
    print(f"  Airflow        {current.airflow_url}  (user {ADMIN}, password {stack.keys().admin_password})")
    print(f"  Worker page    {current.cloud_url}/worker")
    print(f"  AWS endpoint   {current.cloud_url}  (region us-east-1, access key test, secret test)")
    print(f"  Crowd          {current.crowd or 'none: people answer on the worker page'}")
    print(f"  Logs           {stack.layout.logs}")
    return 0 if len(running) == 1 + len(AIRFLOW) else 3


def _environment(stack: Stack) -> int:
    stack.layout.create()
    current = session.load(stack.layout) or session.Session()
    for name, value in local_settings(stack.layout, current, stack.keys()).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
