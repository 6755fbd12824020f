"""How a run goes, for people: a live display on a terminal, one line per change elsewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

# What a task instance can be, in the order in which one wants to see it named
ACTIVE = ("running", "deferred", "up_for_retry", "up_for_reschedule", "restarting", "queued", "scheduled")
DONE = frozenset({"success", "skipped", "failed", "upstream_failed", "removed"})
BAR_WIDTH = 30


@dataclass(frozen=True)
class Plan:
    """What the run said it would cost, in cents: for certain, and if every item needs the most answers."""

    certain: int
    worst: int

    @classmethod
    def of(cls, value: object) -> Plan | None:
        """From what the planning task returned; None where that is something else."""
        if not isinstance(value, Mapping):
            return None
        certain, worst = value.get("certain_cents"), value.get("worst_cents")
        return cls(certain, worst) if isinstance(certain, int) and isinstance(worst, int) else None

    def __str__(self) -> str:
        """For people."""
        return f"planned {dollars(self.certain)}, at most {dollars(self.worst)}"


@dataclass(frozen=True)
class Snapshot:
    """One look at the run."""

    run_state: str
    task: str
    tasks_done: int
    tasks_total: int
    items: int | None = None
    settled: int = 0
    answers: int = 0
    spent_cents: int = 0
    plan: Plan | None = None

    @classmethod
    def of(
        cls,
        run_state: str,
        instances: Iterable[Mapping[str, Any]],
        progress: Mapping[str, Any] | None,
        plan: Plan | None = None,
    ) -> Snapshot:
        """From what the REST API and progress.json say."""
        rows = list(instances)
        seen = progress or {}
        return cls(
            run_state=run_state,
            task=current_task(rows),
            tasks_done=sum(row.get("state") in DONE for row in rows),
            tasks_total=len(rows),
            items=seen.get("items"),
            settled=int(seen.get("settled") or 0),
            answers=int(seen.get("answers") or 0),
            spent_cents=int(seen.get("spent_cents") or 0),
            plan=plan,
        )

    def line(self) -> str:
        """Everything in one line, without the time."""
        parts = [f"{self.task or self.run_state}", f"tasks {self.tasks_done}/{self.tasks_total}"]
        if self.items is not None:
            parts.append(f"settled {self.settled}/{self.items}")
            parts.append(f"{self.answers} answers")
            parts.append(f"spent {self.spend()}")
        return "  ".join(parts)

    @property
    def between_tasks(self) -> bool:
        """Whether the scheduler has yet to start what comes next."""
        return self.run_state == "running" and not self.task

    def spend(self) -> str:
        """Money spent, against the plan where it is known."""
        spent = dollars(self.spent_cents)
        return f"{spent} ({self.plan})" if self.plan else spent


@dataclass
class Display:
    """Writes snapshots to a stream: redrawn in place on a terminal, on change elsewhere."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    _last: str = ""
    _drawn: int = 0

    def show(self, snapshot: Snapshot, elapsed_s: float) -> None:
        """Show the snapshot."""
        if self.stream.isatty():
            self._redraw(terminal_lines(snapshot, elapsed_s))
        elif snapshot.line() != self._last and not snapshot.between_tasks:
            self._last = snapshot.line()
            print(f"{clock(elapsed_s)}  {self._last}", file=self.stream, flush=True)

    def close(self) -> None:
        """Leave what was drawn last on the terminal."""
        self._drawn = 0

    def _redraw(self, lines: list[str]) -> None:
        width = shutil.get_terminal_size().columns - 1
        if self._drawn:
            self.stream.write(f"\x1b[{self._drawn}A")
        for line in lines:
            self.stream.write(f"\x1b[2K{line[:width]}\n")
        self.stream.flush()
        self._drawn = len(lines)


def terminal_lines(snapshot: Snapshot, elapsed_s: float) -> list[str]:
    """The live display's lines; always the same number."""
    items = snapshot.items or 0
    settled = f"{snapshot.settled}/{items}" if items else "-"
    return [
        f"  task     {snapshot.task or ('...' if snapshot.between_tasks else snapshot.run_state)}",
        f"  tasks    {bar(snapshot.tasks_done, snapshot.tasks_total)} "
        f"{snapshot.tasks_done}/{snapshot.tasks_total}",
        f"  settled  {bar(snapshot.settled, items)} {settled}",
        f"  answers  {snapshot.answers}",
        f"  spent    {snapshot.spend()}",
        f"  elapsed  {clock(elapsed_s)}",
    ]


def current_task(rows: Iterable[Mapping[str, Any]]) -> str:
    """The task that is at work (or waits), with how many of its mapped copies are done."""
    instances = list(rows)
    for state in ACTIVE:
        active = [row for row in instances if row.get("state") == state]
        if active:
            name = str(active[0]["task_id"])
            copies = [row for row in instances if row["task_id"] == name]
            done = sum(row.get("state") in DONE for row in copies)
            return f"{name} ({done}/{len(copies)})" if len(copies) > 1 else name
    return ""


def bar(done: int, total: int) -> str:
    """A bar of fixed width."""
    filled = BAR_WIDTH * done // total if total else 0
    return "[" + "#" * filled + "." * (BAR_WIDTH - filled) + "]"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def dollars(cents: int | None) -> str:
    """An amount as people write it; a dash where it is not known."""
    return "-" if cents is None else f"${cents / 100:,.2f}"
