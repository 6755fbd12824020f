"""Notes of the tasks that write what may name workers, so that whoever forgets one knows who is at work.

Before a task looks who was forgotten it leaves a note below the private URI, and removes it when it is done.
Before somebody is forgotten the mark of that is kept, and only then are notes looked for. So of a task and a
deletion at the same time at least one sees the other: the task knows the mark, or the deletion finds the note
and comes again when the task has ended. A task that was killed leaves its note; after an hour it counts no
more. Should a task yet live longer, it looks once more at its end, and removes whom it named too late.

::

    writing/<random>.json   {what, since, knows}; knows: a digest of the marks that the task knows
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from groundswell.aws.reporting.opening import Reports, document, forgotten_marks, put_document
from groundswell.reports.names import pseudonym_of

#: A task whose note is older is taken for dead.
DEAD_AFTER = timedelta(hours=1)
_FOLDER = "writing/"

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Note:
    """Who writes, and since when.

    Attributes:
        key: of the note.
        what: the name of the step.
        since: when it began.
        knows: a digest of the marks that it knows; "" before it has looked.
    """

    key: str
    what: str
    since: datetime
    knows: str = ""

    @property
    def is_dead(self) -> bool:
        """Whether its writer has been gone for long, as far as one can tell."""
        return datetime.now(UTC) - self.since >= DEAD_AFTER


def announced(step: Callable[Concatenate[Reports, P], R]) -> Callable[Concatenate[Reports, P], R]:
    """Let a step leave a note while it writes, and look at its end who was forgotten meanwhile."""

    @wraps(step)
    def call(reports: Reports, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with noted(reports, step.__name__) as (reports, note):
            result = step(reports, *args, **kwargs)
            _take_out_later(reports, note)
            return result

    return call


@contextmanager
def noted(reports: Reports, what: str) -> Iterator[tuple[Reports, Note]]:
    """Leave a note; give the reports as they are read after it, with who was forgotten until then."""
    note = Note(f"{_FOLDER}{secrets.token_hex(16)}.json", what, datetime.now(UTC))
    reports = Reports(reports.settings)
    _put(reports, note)
    try:
        yield reports, learn(reports, note, reports.pseudonyms.forgotten)
    finally:
        reports.private.remove(note.key)


def learn(reports: Reports, note: Note, marks: Collection[str]) -> Note:
    """Say in a note which marks its writer knows; return the note."""
    note = replace(note, knows=digest_of(marks))
    _put(reports, note)
    return note


def _put(reports: Reports, note: Note) -> None:
    content = {"what": note.what, "since": note.since.isoformat(), "knows": note.knows}
    put_document(reports.private, note.key, content)


def notes(reports: Reports) -> list[Note]:
    """Return the notes that there are, those of the dead included."""
    found = []
    for key in list(reports.private.keys(_FOLDER)):
        if content := document(reports.private, key):  # it may be done meanwhile
            since = datetime.fromisoformat(content["since"])
            found.append(Note(key, content["what"], since, content["knows"]))
    return found


def digest_of(marks: Collection[str]) -> str:
    """Return a digest of the marks of all who were forgotten."""
    return hashlib.sha256(json.dumps(sorted(marks)).encode()).hexdigest()


def _take_out_later(reports: Reports, note: Note) -> None:
    """Remove those from the reports who were forgotten since the note was left."""
    from groundswell.aws.reporting.forgetting import take_out

    marks = forgotten_marks(reports.private)
    if digest_of(marks) == note.knows:
        return
    late = sorted(marks.keys() - reports.pseudonyms.forgotten)
    reports = Reports(reports.settings)
    for mark in late:
        log.warning("%s was forgotten while %s wrote, and is removed again", pseudonym_of(mark), note.what)
        take_out(reports, pseudonym_of(mark))
