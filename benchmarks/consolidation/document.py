"""Pieces of a Markdown document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks.origin import commit, machine

PACKAGES = ("numpy", "scipy")


@dataclass(frozen=True)
class Part:
    """One part of the benchmark.

    :param title: of its document
    :param sections: Markdown, in order
    :param charts: SVG by file name, in the folder of the document
    """

    title: str
    sections: Sequence[str]
    charts: dict[str, bytes] = field(default_factory=dict)

    def document(self, command: str, seconds: float) -> str:
        """Return the whole document."""
        libraries = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        origin = flow(f"""
            Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC at commit {commit()} with `{command}`, in
            {seconds / 60:.1f} minutes. {machine()}; {libraries}. Written by the benchmark: run it again
            rather than edit this file.""")
        return "\n\n".join([f"# {self.title}", origin, *self.sections]) + "\n"


def flow(text: str) -> str:
    """Put a paragraph on one line."""
    return " ".join(text.split())


def bullets(texts: Iterable[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {flow(text)}" for text in texts)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table: the first column to the left, the others to the right, padded for readers of text."""
    cells = [list(headers), *map(list, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    lines = [_line(row, widths) for row in cells]
    rule = [("-" * width if not column else "-" * (width - 1) + ":") for column, width in enumerate(widths)]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def image(name: str, text: str) -> str:
    """Show a chart that lies beside the document."""
    return f"![{text}]({name})"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if not column else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "| " + " | ".join(padded) + " |"
