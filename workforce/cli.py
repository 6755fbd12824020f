"""The command line: ``python -m workforce serve | deposit | counts | audit``."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import re
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from workforce.market import Market, MarketError
from workforce.market.money import dollars
from workforce.opening import DEFAULT_ACCOUNT, StartProblem, open_store

_AMOUNT = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,2})?")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (0 well, 1 a difference found, 2 bad input)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except StartProblem as problem:
        print(f"workforce: error: {problem}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workforce", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_serve(commands.add_parser("serve", help="answer the Requester API and show the workers' site"))
    for name, run, help_text in (
        ("counts", _counts, "print the API calls per operation that the database has seen"),
        ("audit", _audit, "recompute the account from its journal; status 1 when they differ"),
    ):
        command = commands.add_parser(name, help=help_text)
        _add_database(command)
        command.add_argument("--account", default=DEFAULT_ACCOUNT, help="account id (default %(default)s)")
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(run=run)
    _add_deposit(commands.add_parser("deposit", help="credit money to the account, also while it is served"))
    return parser


def _add_deposit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("amount", type=_cents, metavar="USD", help="dollars, such as 25.00")
    _add_database(parser)
    parser.add_argument("--account", default=DEFAULT_ACCOUNT, help="account id (default %(default)s)")
    parser.set_defaults(run=_deposit)


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--db", required=True, metavar="URL", help="sqlite:///file.db or postgresql://...")


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=8070, help="default %(default)s; 0 takes a free one")
    _add_database(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--crowd", type=Path, metavar="FILE", help="YAML file of a simulated crowd to run")
    parser.add_argument("--mode", choices=("ledger", "sandbox"), default="ledger", help="how money is kept")
    parser.add_argument("--balance", type=_cents, default="10000.00", metavar="USD", help="opening deposit")
    parser.add_argument("--public-url", metavar="URL", help="the site's address as browsers see it")
    parser.set_defaults(run=_serve)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; use 0 to 65535")
    return int(text)


def _cents(text: str) -> int:
    # Not all that Decimal takes: "1.000" may be meant as a thousand
    if _AMOUNT.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount; write dollars such as 10000.00")
    return int(Decimal(text) * 100)


def _serve(options: argparse.Namespace) -> int:
    # Here, since the commands that only read should not wait a second for a web server's imports.
    from workforce.serving import ServeOptions, serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    serve(
        ServeOptions(
            host=options.host,
            port=options.port,
            db=options.db,
            crowd=options.crowd,
            mode=options.mode,
            opening_cents=options.balance,
            public_url=options.public_url,
        )
    )
    return 0


def _counts(options: argparse.Namespace) -> int:
    counts = _read(options, lambda market: market.counts(options.account))
    if options.json:
        print(json.dumps(counts, sort_keys=True))
        return 0
    width = max(map(len, [*counts, "operation"]))
    print(f"{'operation':<{width}}  calls")
    for operation in sorted(counts, key=lambda name: (-counts[name], name)):
        print(f"{operation:<{width}}  {counts[operation]:>5}")
    print(f"{'total':<{width}}  {sum(counts.values()):>5}")
    return 0


def _audit(options: argparse.Namespace) -> int:
    differences = _read(options, lambda market: market.audit(options.account))
    if options.json:
        print(json.dumps(differences))
    else:
        print("\n".join(differences) or f"account {options.account}: journal, holds and balance agree")
    return 1 if differences else 0


def _deposit(options: argparse.Namespace) -> int:
    at, available = _read(
        options, lambda market: market.requester.accounts.deposit(options.account, options.amount)
    )
    print(
        f"account {options.account}: {dollars(options.amount)} deposited at {at.isoformat()}; "
        f"{dollars(available)} available"
    )
    return 0


Found = TypeVar("Found")


def _read(options: argparse.Namespace, question: Callable[[Market], Found]) -> Found:
    with contextlib.closing(open_store(options.db, must_exist=True)) as store:
        try:
            return question(Market(store))
        except MarketError as error:
            raise StartProblem(f"--account {options.account}: {error}") from error
        except SQLAlchemyError as error:  # locked for long, or the connection broke
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise StartProblem(f"--db: {reason}; look at the balance before you do it again") from error
