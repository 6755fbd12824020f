"""Notes of the tasks that write what may name workers, so that whoever forgets one knows who is at work.

Before a task looks who was forgotten it leaves a note below the private URI, and removes it when it is done.
Before somebody is forgotten the mark of that is kept, and only then are notes looked for. So of a task and a
deletion at the same time at least one sees the other: the task knows the mark, or the deletion finds the note
and comes again when the task has ended. A task that was killed leaves its note; after an hour it counts no
more.

::

    writing/<random>.json   {what, since, knows}; knows: a digest of the marks that the task knows
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from groundswell.aws.reporting.opening import Reports, document, put_document

#: A task whose note is older is taken for dead.
DEAD_AFTER = timedelta(hours=1)
_FOLDER = "writing/"


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
