"""What was wrong with what the sources gave: counted and shown beside the numbers, never fatal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

EXAMPLE_LIMIT = 200

_MASKED = (
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "<e-mail>"),
    (re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), "<id>"),
    (re.compile(r"\b[a-z]{2}(?:-[a-z]+)+-\d_\w+"), "<pool>"),
    (re.compile(r"\b(?=\w*\d)[0-9a-fA-F]{10,}\b"), "<id>"),
    (re.compile(r"\bA[0-9A-Z]{9,}\b"), "<id>"),  # as workers of a crowd are called
)
_LAST_WORD = re.compile(r"[\w.@+-]*\Z")


@dataclass(frozen=True)
class Problem:
    """Something that a source gave and that could not be counted as it should.

    Attributes:
        kind: what it is, in a few words, such as "missing field".
        count: how often.
        example: one of them, at most 200 characters, without ids of people.
        what_to_do: a sentence for whoever reads the report.
        source: ``worker_activity``, ``workteam``, ``labeling_jobs``, ``cognito`` or ``ledger``.
        day: the day of the report that it belongs to, where it belongs to one.
    """

    kind: str
    count: int
    example: str
    what_to_do: str
    source: str = ""
    day: date | None = None


def merged(problems: Iterable[Problem]) -> list[Problem]:
    """Add up problems that are the same but for count and example, in an order that does not vary.

    The example is the first in the alphabet, so that it does not depend on the order of what was read.
    """
    found: dict[tuple[str, str, str, str], Problem] = {}
    for problem in problems:
        key = (str(problem.day or ""), problem.source, problem.kind, problem.what_to_do)
        known = found.get(key)
        if known is not None:
            problem = replace(
                problem, count=known.count + problem.count, example=min(known.example, problem.example)
            )
        found[key] = problem
    return [found[key] for key in sorted(found)]


def masked(text: str) -> str:
    """Return a piece of bad input as it may be shown: one short printable line without ids of people."""
    if len(text) > 2 * EXAMPLE_LIMIT:  # a line may be a megabyte long, and half an id does not look like one
        text = _LAST_WORD.sub("", text[: 2 * EXAMPLE_LIMIT])
    text = "".join(mark if mark.isprintable() else " " for mark in text)
    for pattern, name in _MASKED:
        text = pattern.sub(name, text)
    return text if len(text) <= EXAMPLE_LIMIT else text[: EXAMPLE_LIMIT - 1] + "…"
