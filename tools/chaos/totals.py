"""What many schedules came to, and the table that tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.chaos.oracle import Verdict
from tools.chaos.played import Played

#: The section of the results file that is this program's; others have sections of their own.
BEGIN, END = "<!-- fast: begin -->", "<!-- fast: end -->"
_HEADLINE = "# Faults, kills and repetitions: what they cost\n"
#: Rows of the table: what is counted, and its name in a verdict.
_COUNTED = (
    ("HITs published", "hits"),
    ("answers submitted", "answers"),
    ("cents paid, fees included", "paid_cents"),
    ("**items published twice** (HITs beyond the first)", "duplicate_hits"),
    ("items never published", "unpublished"),
    ("HITs that only one side knows", "unknown_hits"),
    ("**answers lost** (submitted, not in the books)", "lost_answers"),
    ("answers made up", "invented_answers"),
    ("**answers paid twice**", "double_payments"),
    ("**answers not paid**", "unpaid"),
    ("payments and rejections not in the books", "unrecorded"),
    ("payments and rejections in the books only", "unmade"),
    ("**cents of difference** between books and balance", "cents_off"),
    ("cents spent beyond the limit", "overspent_cents"),
    ("cents committed beyond the limit at the worst moment", "overheld_cents"),
    ("seats beyond the most that an item may have", "seats_beyond"),
    ("cents for answers to second HITs and seats beyond the most", "wasted_cents"),
    ("cents still held when the run is over", "left_cents"),
)


@dataclass
class Totals:
    """Sums over schedules.

    Attributes:
        faulty: seed -> problems of the schedules after which something was wrong.
    """

    schedules: int = 0
    calls: int = 0
    attempts: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    injected: Counter[str] = field(default_factory=Counter)
    faulty: dict[int, list[str]] = field(default_factory=dict)

    def add(self, played: Played) -> None:
        """Take a schedule in."""
        self.schedules += 1
        self.calls += played.calls
        self.attempts += played.attempts
        self.injected += played.injected
        if not played.ok:
            self.faulty[played.seed] = played.verdict.problems
        self.verdict.add(played.verdict)
        self.verdict.problems.clear()


@dataclass(frozen=True)
class Measured:
    """Both sides over the same seeds.

    Attributes:
        ours: the pipeline.
        plain: the plain loop; None where it was left out.
        about: when, at which commit, how long.
    """

    ours: Totals
    plain: Totals | None
    about: str

    def table(self) -> str:
        """Return the section of the results file, in Markdown."""
        sides = [("Groundswell", self.ours)] + ([("plain loop", self.plain)] if self.plain else [])
        rows: list[Sequence[object]] = [
            ("schedules", *(each.schedules for _, each in sides)),
            ("requester API calls", *(each.calls for _, each in sides)),
            ("attempts at tasks", *(each.attempts for _, each in sides)),
            *((text, *(getattr(each.verdict, name) for _, each in sides)) for text, name in _COUNTED),
            ("**schedules after which something is wrong**", *(len(each.faulty) for _, each in sides)),
        ]
        kinds = sorted({kind for _, each in sides for kind in each.injected})
        faults = [(kind, *(each.injected[kind] for _, each in sides)) for kind in kinds]
        names = [name for name, _ in sides]
        return "\n".join(
            [
                "## Fast layer: seeded schedules in process",
                "",
                self.about,
                "",
                *_markdown(["found by the workforce's tables alone", *names], rows),
                "",
                *_markdown(["faults that took place", *names], faults),
                "",
                *self._faulty(),
            ]
        )

    def _faulty(self) -> list[str]:
        lines = []
        for seed, problems in sorted(self.ours.faulty.items())[:50]:
            lines.append(f"- `python -m tools.chaos fast --replay {seed} -v`: {problems[0].splitlines()[0]}")
        return ["Schedules of ours after which something was wrong:", "", *lines, ""] if lines else []


def plain_before(path: Path, seeds: str) -> Totals | None:
    """Return the plain loop's figures that stand in the results file, where they are of the same seeds.

    The plain loop knows nothing of our code: while schedules and faults stay, it need not be played again.

    :param seeds: how the section's text begins.
    """
    text = path.read_text() if path.exists() else ""
    section = text.partition(BEGIN)[2].partition(END)[0]
    if f"\n{seeds}, " not in section or "| plain loop |" not in section:
        return None
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if "|" in line]
    values = {row[0]: int(row[2].replace(",", "")) for row in cells if row[2][:1].isdigit()}
    found = Totals(
        schedules=values.pop("schedules"),
        calls=values.pop("requester API calls"),
        attempts=values.pop("attempts at tasks"),
        faulty={seed: [] for seed in range(values.pop("**schedules after which something is wrong**"))},
    )
    for counted, name in _COUNTED:
        setattr(found.verdict, name, values.pop(counted))
    found.injected.update(values)
    return found


def _markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    cells = [list(head), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in [cells[0], rule, *cells[1:]]:
        first, *numbers = row
        padded = [first.ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True)]
        lines.append(f"| {' | '.join(padded)} |")
    return lines


def _shown(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def write_section(path: Path, section: str) -> None:
    """Put the section into the results file, in the place of the one before."""
    text = path.read_text() if path.exists() else _HEADLINE
    block = f"{BEGIN}\n{section.rstrip()}\n{END}\n"
    before, found, rest = text.partition(BEGIN)
    if found:
        text = before + block + rest.partition(END)[2].lstrip("\n")
    else:
        text = text.rstrip("\n") + "\n\n" + block
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
