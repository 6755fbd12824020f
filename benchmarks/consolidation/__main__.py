"""Consolidation measured against other implementations, on real crowds and on synthetic ones of any size.

    make bench-consolidation
    python -m benchmarks.consolidation --only speed stopping
    python -m benchmarks.consolidation --quick --output /tmp/results

Four parts, each with a document of its own in benchmarks/results/, so that one can be run again alone.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.consolidation.crowds import REAL, Crowd, real_crowds
from benchmarks.consolidation.document import Part
from benchmarks.consolidation.peers import PYTHON
from benchmarks.consolidation.progress import Narrator, Say

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True)
class Task:
    """What a part is given."""

    data: Path
    quick: bool
    reuse: bool
    say: Say


def accuracy(task: Task) -> Part:
    """All methods on the real crowds."""
    from benchmarks.consolidation.accuracy import measure_accuracies
    from benchmarks.consolidation.accuracy_report import accuracy_part
    from benchmarks.consolidation.calibration import calibration_sections

    found = measure_accuracies(_crowds(task), quick=task.quick, reuse=task.reuse, say=task.say)
    return accuracy_part(found, calibration_sections(found, task.say))


def speed(task: Task) -> Part:
    """Time and memory at growing numbers of answers."""
    from benchmarks.consolidation.speed import measure_speeds, speed_part

    return speed_part(measure_speeds(quick=task.quick, say=task.say))


def stopping(task: Task) -> Part:
    """Stopping rules on the real crowds."""
    from benchmarks.consolidation.stopping import stopping_part

    return stopping_part(_crowds(task), quick=task.quick, say=task.say)


def boxes(task: Task) -> Part:
    """Boxes against other ways to fuse them."""
    from benchmarks.consolidation.boxes import DRAWS, boxes_sections, run

    draws = 1 if task.quick else DRAWS
    rows = run(task.data / "pedestrians_boxes", draws=draws, say=task.say)
    return Part("Consolidation: boxes", boxes_sections(rows, draws))


def _crowds(task: Task) -> list[Crowd]:
    crowds = real_crowds(task.data)
    return [crowd for crowd in crowds if len(crowd.answers) < 10_000] if task.quick else crowds


PARTS: dict[str, Callable[[Task], Part]] = {
    "accuracy": accuracy,
    "speed": speed,
    "stopping": stopping,
    "boxes": boxes,
}


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.consolidation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--only", nargs="+", choices=list(PARTS), metavar="PART", help=f"of {', '.join(PARTS)}")
    made.add_argument("--quick", action="store_true", help="smaller sets and fewer methods: a minute or two")
    made.add_argument(
        "--reuse",
        action="store_true",
        help="accuracy: keep what crowd-kit found before for the same answers, in the same version",
    )
    made.add_argument("--data", type=Path, default=REAL, metavar="FOLDER", help="real crowds: %(default)s")
    made.add_argument("--output", type=Path, default=RESULTS, metavar="FOLDER", help="default: %(default)s")
    return made


def main() -> None:
    """Measure and write, part by part; a part that fails does not keep the others away."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    if not PYTHON.exists():
        sys.exit(f"{PYTHON.parents[1].name} is missing; make it: make setup-peers")
    if not options.data.is_dir():
        sys.exit(f"{options.data}: there are no real crowds; name their folder: --data FOLDER")
    narrator = Narrator()
    command = " ".join(["python -m benchmarks.consolidation", *sys.argv[1:]])
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.only or PARTS:
        began = narrator.seconds
        narrator(f"{name}: begins")
        part = PARTS[name](Task(options.data, options.quick, options.reuse, narrator))
        text = part.document(command, narrator.seconds - began)
        (options.output / f"consolidation_{name}.md").write_text(text)
        for file, content in part.charts.items():
            (options.output / file).write_bytes(content)
        narrator(f"{name}: written to {options.output / f'consolidation_{name}.md'}")


if __name__ == "__main__":
    main()
