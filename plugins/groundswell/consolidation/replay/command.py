"""The command ``replay``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from groundswell.batches.pricing import LARGE_HIT
from groundswell.batches.units import parse_money, to_cents
from groundswell.consolidation.classification import METHODS
from groundswell.consolidation.replay.accuracy import EARLY, methods
from groundswell.consolidation.replay.chart import check_chart, draw
from groundswell.consolidation.replay.comparing import ORDERS, compare
from groundswell.consolidation.replay.recorded import Recorded, read_recorded
from groundswell.consolidation.replay.report import as_json, text_table
from groundswell.consolidation.replay.rules import grid, parse_rule, usual
from groundswell.consolidation.stopping import Fixed, StoppingRule
from groundswell.errors import AnswerError, GroundswellError

_MOST_ORDERS = 1000
_SHOWN = 5
"""Names that a remark lists."""

DESCRIPTION = """
Replay recorded answers with other stopping rules, without asking anybody: how many answers each rule would
have bought, what they cost, how many items it settles, and - where the truth is known - how many are labelled
right. Answers are handed out in several orders drawn at random; numbers are means over the orders.
"""
EXAMPLE = """
example:
  python -m groundswell.consolidation replay answers.csv --truth truth.csv --chart rules.svg \\
      --rule '{"rule": "agree", "agree": 2, "first": 2, "most": 9}' \\
      --rule '{"rule": "confidence", "confidence": 0.96, "first": 2, "most": 9}'
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a program's commands."""
    parser = commands.add_parser(
        "replay",
        help="what other stopping rules would have cost",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "answers",
        type=Path,
        help="CSV: task,worker,label[,submitted]; or a ledger's answers (.jsonl, folder)",
    )
    add("--truth", type=Path, help="CSV: task,label")
    add(
        "--rule",
        action="append",
        default=[],
        metavar="JSON",
        help="a rule as in a batch file; may be repeated",
    )
    add("--grid", action="store_true", help="compare every kind of rule, from cheap to careful")
    add(
        "--most",
        type=_count,
        help="answers per item at most, for rules that are not given (default: the median, up to 9)",
    )
    add("--orders", type=_orders, default=ORDERS, help=f"orders to draw (default: {ORDERS})")
    add("--as-submitted", action="store_true", help="replay in the order of the column submitted instead")
    add("--seed", type=_seed, default=0, help="of the orders (default: 0)")
    add("--reward", default="0.05", help="dollars per answer, without the fee (default: 0.05)")
    add(
        "--method",
        choices=[*METHODS, EARLY],
        help="how the labels come about that are held against the truth",
    )
    add("--chart", type=Path, help="write a chart of cost against accuracy: .svg or .png")
    add("--json", action="store_true", help="print data instead of a table")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carry the command out; return the exit status."""
    try:
        rules = [parse_rule(text) for text in options.rule]
        reward = _reward(options.reward)
        if options.chart is not None:
            check_chart(options.chart)
        recorded = read_recorded(options.answers, options.truth)
        _report(options, recorded, rules, reward)
    except GroundswellError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("replay: interrupted", file=sys.stderr)
        return 130
    return 0


def _report(options: argparse.Namespace, recorded: Recorded, given: list[StoppingRule], reward: int) -> None:
    rules = _rules(options, recorded, given)
    orders = 0 if options.as_submitted else options.orders
    if not orders and recorded.submitted is None:
        raise AnswerError(
            f"{options.answers}: not every answer has a time ('submitted'); leave out --as-submitted"
        )
    if recorded.unheard:
        names = ", ".join(repr(name[:80]) for name in recorded.unheard[:_SHOWN])
        print(f"replay: true labels that no worker gave: {names}; are they spelt alike?", file=sys.stderr)
    method = options.method or methods()[0]
    label_by = tuple(dict.fromkeys((method, "majority", EARLY)))
    recorded_most = int(recorded.per_task.max())
    wanted = [Fixed(first=recorded_most, most=recorded_most), *rules]
    progress = _Progress(sys.stderr, len(wanted) * max(orders, 1))
    everything, *rows = compare(
        recorded,
        wanted,
        orders=orders,
        seed=options.seed,
        reward_cents=reward,
        label_by=label_by,
        done=progress.step,
    )
    progress.end()
    if options.chart is not None:
        draw(rows, options.chart, method=method, everything=everything)
    if options.json:
        print(
            json.dumps(
                as_json(
                    rows, everything, method=method, orders=orders, seed=options.seed, reward_cents=reward
                ),
                indent=2,
            )
        )
    else:
        print(_heading(recorded, orders))
        print(text_table(rows, everything, method))
    if options.chart is not None:
        print(f"chart: {options.chart}", file=sys.stderr)


def _rules(options: argparse.Namespace, recorded: Recorded, given: list[StoppingRule]) -> list[StoppingRule]:
    # A HIT that is created with fewer assignments can never reach the number from which the fee is higher
    most = options.most or min(recorded.typical, LARGE_HIT - 1)
    if options.grid:
        return [*given, *(rule for rule in grid(most) if rule not in given)]
    return given or usual(most)


def _heading(recorded: Recorded, orders: int) -> str:
    answers, known = recorded.answers, int((recorded.truth >= 0).sum())
    order = f"{orders} orders drawn at random" if orders else "in the order of submission"
    return (
        f"{len(answers):,} answers of {len(answers.worker_names):,} workers to {len(answers.task_names):,} "
        f"items, {len(answers.label_names)} labels, truth known of {known:,}; {order}\n"
    )


def _reward(text: str) -> int:
    try:
        return to_cents(parse_money(text))
    except ValueError as error:
        raise AnswerError(f"--reward: {error}") from None


def _count(text: str) -> int:
    return _whole(text, 1, 1000)


def _orders(text: str) -> int:
    return _whole(text, 1, _MOST_ORDERS)


def _seed(text: str) -> int:
    return _whole(text, 0, 2**31)


def _whole(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or not least <= int(text[:12]) <= most:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {least} to {most}")
    return int(text)


@dataclass
class _Progress:
    """How many replays are done, on one line; nothing where nobody is looking."""

    stream: TextIO
    total: int
    done: int = field(default=0, init=False)

    def step(self) -> None:
        """Count one more."""
        self.done += 1
        if self.stream.isatty():
            self.stream.write(f"\rreplay {self.done} of {self.total}")
            self.stream.flush()

    def end(self) -> None:
        """Take the line away."""
        if self.stream.isatty():
            self.stream.write("\r\x1b[K")


def main(argv: Sequence[str] | None = None, *, add: Sequence[Callable[..., None]] = (add_parser,)) -> int:
    """Run a command of ``python -m groundswell.consolidation``; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m groundswell.consolidation", description="Look at answers that were recorded."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for each in add:
        each(commands)
    options = parser.parse_args(argv)
    status: int = options.run(options)
    return status
