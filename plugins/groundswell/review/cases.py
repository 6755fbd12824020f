"""A compensation as a person asks for it: who gets how much, from which batch, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundswell.batches.units import parse_money, to_cents
from groundswell.errors import CompensationError

#: A reason goes into messages with other limits as well; this many characters say enough.
REASON_LIMIT = 500

_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_WORKER = re.compile(r"A[A-Z0-9]{1,63}")
_ASSIGNMENT = re.compile(r"[A-Z0-9]{1,64}")
_BATCH = re.compile(r"[a-z0-9](?:-*[a-z0-9]){0,62}")


@dataclass(frozen=True)
class Case:
    """One compensation. Batch and case id name it: whatever is triggered again under them is paid once.

    Attributes:
        batch: name of the batch that the worker worked for.
        case: id of the case, such as the number of the worker's message.
        worker: the worker's id.
        cents: what the worker is to get, without fees; 0 where a rejection is taken back.
        reason: what the worker reads.
        assignment: the worker's assignment that it is about; empty where there is none.
        undo: whether to approve that assignment, which was rejected by mistake.
    """

    batch: str
    case: str
    worker: str
    cents: int
    reason: str
    assignment: str = ""
    undo: bool = False

    @property
    def message(self) -> str:
        """The reason with the case id, by which the payment is found again at the workforce."""
        return f"{self.reason} (case {self.case})"


def read_case(params: Mapping[str, Any]) -> Case:
    """Read a case from the parameters of a DAG run.

    Raises:
        CompensationError: names every parameter that is wrong, with the fix, on one line.
    """
    problems: list[str] = []

    def text(name: str, pattern: re.Pattern[str], advice: str, *, optional: bool = False) -> str:
        value = params.get(name)
        value = value.strip() if isinstance(value, str) else value
        if optional and value in (None, ""):
            return ""
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            problems.append(f"{name}: {value!r} {advice}")
            return ""
        return value

    undo = params.get("undo_rejection", False)
    if not isinstance(undo, bool):
        problems.append(f"undo_rejection: {undo!r} is neither true nor false")
    case = Case(
        batch=text("batch", _BATCH, "is not the name of a batch; write the name in the batch file"),
        case=text("case", _CASE, "is not a case id; use up to 63 letters, digits, dots, hyphens"),
        worker=text("worker_id", _WORKER, "is not a worker id; it begins with A, such as A1B2C3"),
        assignment=text("assignment", _ASSIGNMENT, "is not an assignment id", optional=undo is not True),
        cents=0 if undo is True else _cents(params.get("amount"), problems),
        reason=_reason(params.get("reason"), problems),
        undo=undo is True,
    )
    if problems:
        raise CompensationError(f"parameters of the run: {'; '.join(problems)}")
    return case


def _cents(value: Any, problems: list[str]) -> int:
    try:
        cents = to_cents(parse_money(value))
    except ValueError as error:
        problems.append(f"amount: {error}")
        return 0
    if cents < 1:
        problems.append('amount: must be at least one cent; write "0.01" or more')
    return cents


def _reason(value: Any, problems: list[str]) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text or not text.isprintable() or len(text) > REASON_LIMIT:
        problems.append(
            f"reason: write what the worker shall read, in plain text, {REASON_LIMIT} characters at most"
        )
    return text
