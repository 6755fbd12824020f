"""The results of the real layer: one JSON line for each run, and the table that tells them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
LINES, PAGE = "chaos_real.jsonl", "chaos.md"
#: The section of the page that is this layer's.
BEGIN, END = "<!-- real: begin -->", "<!-- real: end -->"
_HEADLINE = "# Faults, kills and repetitions: what they cost\n"

Row = dict[str, Any]

_MEASURED: tuple[tuple[str, Callable[[Row], object]], ...] = (
    ("when", lambda row: row["at"]),
    ("commit", lambda row: row["commit"]),
    ("minutes", lambda row: f"{row['seconds'] / 60:.0f}"),
    ("faults", lambda row: sum(row["faults"].values())),
    ("times that an operator cleared what had failed", lambda row: row["repairs"]),
    ("parts that ended unasked", lambda row: sum(row["died"].values())),
    ("HITs published", lambda row: row.get("hits")),
    ("answers submitted", lambda row: row.get("answers")),
    ("cents paid, fees included", lambda row: row.get("paid_cents")),
    ("**items published twice** (HITs beyond the first)", lambda row: row.get("duplicate_hits")),
    ("**answers lost** (submitted, not in the books)", lambda row: row.get("lost_answers")),
    ("**answers paid twice**", lambda row: row.get("double_payments")),
    ("**answers not paid**", lambda row: row.get("unpaid")),
    ("**cents of difference** between books and balance", lambda row: row.get("cents_off")),
    ("cents spent beyond the limit", lambda row: row.get("overspent_cents")),
    ("cents still held when the run is over", lambda row: row.get("left_cents")),
    ("**problems of any kind**", lambda row: len(row["problems"])),
)


def record(row: Row, folder: Path = RESULTS) -> None:
    """Append a run's row, and write the section of the page anew."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LINES).open("a") as file:
        file.write(json.dumps(row, sort_keys=True) + "\n")
    rows = [json.loads(line) for line in (folder / LINES).read_text().splitlines()]
    page = folder / PAGE
    page.write_text(with_section(page.read_text() if page.exists() else _HEADLINE, section(rows)))


def section(rows: Sequence[Row]) -> str:
    """The section: a column for the latest run of each batch and seed."""
    latest = list({(row["batch"], row["seed"]): row for row in rows}.values())
    kinds = sorted({kind for row in latest for kind in row["faults"]})
    lines = ["## Real layer: a running Airflow under `kill -9`", ""]
    lines += _table(
        ["", *(f"{row['batch']}, seed {row['seed']}" for row in latest)],
        [[name, *(_shown(value(row)) for row in latest)] for name, value in _MEASURED],
    )
    lines += ["", "Faults by kind; each but the clears is a `kill -9`:", ""]
    lines += _table(
        ["", *(f"{row['batch']}, seed {row['seed']}" for row in latest)],
        [[kind, *(_shown(row["faults"].get(kind, 0)) for row in latest)] for kind in kinds],
    )
    for row in latest:
        lines += [f"- {row['batch']}, seed {row['seed']}: {problem}" for problem in row["problems"]]
    return "\n".join(lines)


def with_section(page: str, text: str) -> str:
    """The page with the section in the place of the one before, or at its end."""
    block = f"{BEGIN}\n{text.rstrip()}\n{END}\n"
    before, found, rest = page.partition(BEGIN)
    if not found:
        return page.rstrip("\n") + "\n\n" + block
    return before + block + rest.partition(END)[2].removeprefix("\n")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *("---:" for _ in head[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def _shown(value: object) -> str:
    if value is None:
        return "-"  # the run did not come to its end
    return f"{value:,}" if isinstance(value, int) else str(value)
