"""What both sides of the comparison need: a server with a crowd, its counts, and a table of them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
SEED_SCRIPT = Path(__file__).with_name("seed_script.py")
DATASET = CHECKOUT / "include" / "data" / "iris.csv"
CROWD = CHECKOUT / "include" / "crowds" / "iris.yaml"
START_SECONDS = 60
MINUTE = 60.0


@dataclass(frozen=True)
class Measured:
    """Calls per operation that one way of working needed for its labelled items."""

    name: str
    calls: dict[str, int]
    items: int


def crowd_at(speed_up: float, folder: Path, crowd: Path = CROWD) -> Path:
    """Write the crowd with another speed; its answer key stays where it is."""
    plan = yaml.safe_load(crowd.read_text())
    plan["speed_up"] = speed_up
    plan["answer_key"]["file"] = str(crowd.resolve().parent / plan["answer_key"]["file"])
    path = folder / "crowd.yaml"
    path.write_text(yaml.safe_dump(plan))
    return path


@contextlib.contextmanager
def serving(database: str, crowd: Path, log: Path | None = None) -> Iterator[str]:
    """Run ``python -m workforce serve`` on a free port; yields its URL. What it logs goes to `log`."""
    command = [sys.executable, "-m", "workforce", "serve", "--port", "0", "--db", database]
    command += ["--crowd", str(crowd)]
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("w")) if log else None
        server = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            line = server.stdout.readline() if server.stdout else ""
            if " at http" not in line:
                raise SystemExit(f"the server did not start; its error is {f'in {log}' if log else 'above'}")
            yield line.split(" at ")[1].split()[0]
        finally:
            server.terminate()
            server.wait(START_SECONDS)


def counts_in(database: str) -> dict[str, int]:
    """Ask the server's own command line for the calls per operation."""
    command = [sys.executable, "-m", "workforce", "counts", "--json", "--db", database]
    answer = subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE, text=True)
    counts: dict[str, int] = json.loads(answer.stdout)
    return counts


def table(measured: Sequence[Measured], more: Sequence[Sequence[str]] = ()) -> str:
    """Return a Markdown table: a line per operation, and for each way calls and calls per item.

    :param more: rows to put below the total.
    """
    operations = sorted(
        {name for each in measured for name in each.calls},
        key=lambda name: (-max(each.calls.get(name, 0) for each in measured), name),
    )
    header = ["operation", *(text for each in measured for text in (each.name, "per item"))]
    rows = [[name, *cells(measured, [name])] for name in operations]
    return markdown(header, [*rows, ["total", *cells(measured, operations)], *more])


def cells(measured: Sequence[Measured], operations: Sequence[str]) -> list[str]:
    """Return calls and calls per item of the given operations together, for each way."""
    out = []
    for each in measured:
        calls = sum(each.calls.get(name, 0) for name in operations)
        out += [str(calls), f"{calls / each.items:.2f}"]
    return out


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table that also reads well as text; all columns but the first are numbers."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [f"| {' | '.join(text.ljust(width) for text, width in zip(header, widths, strict=True))} |"]
    lines.append(f"| {' | '.join(['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])])} |")
    for first, *numbers in rows:
        padded = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        lines.append(f"| {' | '.join([first.ljust(widths[0]), *padded])} |")
    return "\n".join(lines)
