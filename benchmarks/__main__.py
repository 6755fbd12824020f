"""Requester API calls per labelled item: a script that polls once a minute, and Groundswell's pipeline.

    make bench
    python -m benchmarks --slower 1 3 9

Runs both to the end for each pace of the crowd, prints the comparison, and writes it to
benchmarks/results/requester_calls.md. Takes about seven minutes.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from benchmarks.requester_calls.report import document
from benchmarks.requester_calls.sides import (
    Progress,
    Scenario,
    answer_key,
    interrupt,
    run_pipeline,
    run_script,
)
from benchmarks.requester_calls.tables import Pair, comparison, growth

RESULTS = Path(__file__).with_name("results") / "requester_calls.md"
SAY_EVERY_S = 10.0


class Narrator:
    """Says how far both sides are, a line now and then."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Print a line with the time."""
        with self._lock:
            print(f"[{self.seconds:4.0f} s] {text}", flush=True)

    def of(self, side: str) -> Progress:
        """Return what a side reports its labelled items to."""
        said = 0.0

        def progress(labelled: int, items: int) -> None:
            nonlocal said
            if labelled == items or self.seconds - said >= SAY_EVERY_S:
                said = self.seconds
                self.say(f"  {side}: {labelled} of {items} items labelled")

        return progress


def compare(scenario: Scenario, folder: Path, narrator: Narrator) -> Pair:
    """Run both sides at the same time; where one fails, the other is ended."""
    with ThreadPoolExecutor(2) as pool:
        script = pool.submit(run_script, scenario, folder / "script", narrator.of("polling script"))
        ours = pool.submit(run_pipeline, scenario, folder / "pipeline", narrator.of("Groundswell"))
        try:
            for side in wait((script, ours), return_when=FIRST_EXCEPTION).done:
                side.result()
        except BaseException:  # a side's failure, or Ctrl-C
            interrupt()
            raise
        pair = Pair(scenario, script.result(), ours.result())
    narrator.say(
        f"  calls per item: {pair.script.per_item():.2f} and {pair.ours.per_item():.2f}, "
        f"{pair.ratio:.2f} times as many"
    )
    return pair


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--slower",
        type=float,
        nargs="+",
        default=[1.0, 3.0],
        metavar="TIMES",
        help="how many times as long as the crowd file says workers take (default: 1 3)",
    )
    made.add_argument(
        "--speed-up",
        type=float,
        default=5.0,
        choices=(1.0, 3.0, 5.0, 7.5, 15.0),
        help="how much faster than life (default 5); the script's minute grows longer with it",
    )
    made.add_argument("--output", type=Path, default=RESULTS, metavar="FILE", help="default: %(default)s")
    return made


def main() -> None:
    """Measure, print and write."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    narrator, key = Narrator(), answer_key()
    pairs = []
    with tempfile.TemporaryDirectory(prefix="groundswell-benchmark-") as folder:
        for number, slower in enumerate(sorted(options.slower), start=1):
            scenario = Scenario(slower, options.speed_up)
            narrator.say(
                f"{number} of {len(options.slower)}: workers take {slower:g} times as long as in the file"
            )
            pairs.append(compare(scenario, Path(folder) / str(number), narrator))
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(document(pairs, key, took=narrator.seconds, command=command))
    print(f"\n{comparison(pairs[0], key)}\n\n{growth(pairs)}\n\nWritten to {options.output}")


if __name__ == "__main__":
    main()
