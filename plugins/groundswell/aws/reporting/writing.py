"""Steps that write what may name workers: they say that they are at work, see
:mod:`groundswell.aws.reporting.notes`.

Should a step live longer than its note counts, it looks once more at its end who was forgotten, and removes
whom it named too late.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from groundswell.aws.reporting.notes import Note, digest_of, noted
from groundswell.aws.reporting.opening import Reports, forgotten_marks
from groundswell.aws.reporting.taking_out import take_out
from groundswell.reports.names import pseudonym_of

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


def announced(step: Callable[Concatenate[Reports, P], R]) -> Callable[Concatenate[Reports, P], R]:
    """Let a step leave a note while it writes, and look at its end who was forgotten meanwhile."""

    @wraps(step)
    def call(reports: Reports, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with noted(reports, step.__name__) as (reports, note):
            result = step(reports, *args, **kwargs)
            _take_out_later(reports, note)
            return result

    return call


def _take_out_later(reports: Reports, note: Note) -> None:
    """Remove those from the reports who were forgotten since the note was left."""
    marks = forgotten_marks(reports.private)
    if digest_of(marks) == note.knows:
        return
    late = sorted(marks.keys() - reports.pseudonyms.forgotten)
    reports = Reports(reports.settings)
    for mark in late:
        log.warning("%s was forgotten while %s wrote, and is removed again", pseudonym_of(mark), note.what)
        take_out(reports, pseudonym_of(mark))
