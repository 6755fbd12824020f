"""How fast the Labelling page is with a run of a million items: the index's cost, size and answers.

    make bench-pages
    make bench-pages B='--items 100000 --folder /tmp/big --print'

Writes the ledger of a finished run (a million items, three million answers: some 6 GB) into a temporary
folder, indexes it in a process of its own, asks random questions, and writes what that took to
benchmarks/results/labelling_page.md. Takes about 15 minutes on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.labelling_page import big_ledger
from benchmarks.labelling_page.measuring import PATIENCE, QUESTIONS, measure
from benchmarks.origin import CHECKOUT, commit, machine
from groundswell.ledger import FolderStore

RESULTS = CHECKOUT / "benchmarks" / "results" / "labelling_page.md"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labelling_page")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="keep ledger and index here; what is there is used again")
    parser.add_argument("--print", action="store_true", help="print the result instead of writing it")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.folder, options.items, lambda text: print(text, file=sys.stderr))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        began = time.perf_counter()
        ledger = _ledger(folder, options.items)
        print(f"ledger: {ledger} after {time.perf_counter() - began:.0f} s", flush=True)
        text = _document(ledger, _measured(folder, options.items))
    if options.print:
        print(text)
    else:
        RESULTS.write_text(text)
        print(f"written to {RESULTS}")


def _ledger(folder: Path, items: int) -> dict[str, int]:
    """Write the ledger unless it is there; return its parts, rows and bytes."""
    note = folder / "ledger.json"
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        store = folder / "store"
        store.mkdir()
        writer = big_ledger.write(store, FolderStore(store), items)
        note.write_text(json.dumps({"parts": writer.parts, "rows": writer.rows, "bytes": writer.bytes}))
    found: dict[str, int] = json.loads(note.read_text())
    return found


def _measured(folder: Path, items: int) -> dict[str, Any]:
    """Measure in a process of its own, so that its memory is the index's."""
    command = [sys.executable, "-m", "benchmarks.labelling_page", "--measure"]
    command += ["--items", str(items), "--folder", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=CHECKOUT, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


_TEXT = """\
# The Labelling page with a large run

Measured {at:%Y-%m-%d %H:%M} UTC at commit {commit} with `python -m benchmarks.labelling_page`;
{machine}; {load}.
Written by the benchmark: run it again rather than edit it.

A finished run of {items:,} items with {answers:,} answers; its ledger is a local folder of {parts:,} parts
with {rows:,} rows, {ledger_gb:.2f} GB.

| building the index, once per run | |
| --- | ---: |
| from nothing to complete | {index_seconds:,.0f} s |
| of it processor time | {index_cpu:,.0f} s |
| looks of {patience:.0f} s that this was spread over | {looks:,} |
| longest look | {longest_look:.1f} s |
| size of the index | {file_gb:.2f} GB |
| most memory of the process while building | {rss_after_index:,.0f} MB |
| most memory after all questions | {rss:,.0f} MB |
| a look at a finished run that has not changed | {final_look} |
| 50 more answers in the ledger, until they are shown: median | {more_answers} |
| the same: longest | {more_answers_max} |

| question ({questions} random ones each) | median | 95 % within | longest |
| --- | ---: | ---: | ---: |
{table}
| overview of the batch's runs (no index) | {overviews} | | |

## How it was measured

- The ledger is written as the pipeline writes it: shards of 5,000 items, parts of 50 HITs, two to five
  answers per item (three on average) with their forms' XML, reservations and extensions beyond the second,
  payments, outcomes, deletions, and one labels part of the whole run.
- The index is built in looks as a page makes them. Where the wall clock shows much more than the processor
  time, other work had the machine. Questions run in one process, the operating system's file cache is warm,
  and nothing is cached between questions: each opens the index anew. An item's columns are read from its
  shard.
- A filter is one of three states and one of five labels or none; a sort is any of the page's, up or down.
  Pages have 50 rows.
"""


def _document(ledger: dict[str, int], found: dict[str, Any]) -> str:
    kinds = found["questions"].items()
    rows = [
        f"| {kind} | {_ms(each['p50'])} | {_ms(each['p95'])} | {_ms(each['max'])} |" for kind, each in kinds
    ]
    times = {
        name: _ms(found[name]) for name in ("final_look", "more_answers", "more_answers_max", "overviews")
    }
    sizes = {name: found[name] / 1e6 for name in ("rss", "rss_after_index")}
    return _TEXT.format(
        **{**found, **times, **sizes, "questions": QUESTIONS},
        at=datetime.now(UTC),
        commit=commit(),
        machine=machine(),
        load=f"{os.getloadavg()[2]:.0f} processes were waiting for a core on average at the end",
        parts=ledger["parts"],
        rows=ledger["rows"],
        ledger_gb=ledger["bytes"] / 1e9,
        file_gb=found["file"] / 1e9,
        patience=PATIENCE,
        table="\n".join(rows),
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"


if __name__ == "__main__":
    main()
