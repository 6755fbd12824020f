"""forget: remove a worker from the reports and from what they are made of, and say what was done.

First the worker's mark is kept, so that nothing collected from now on brings the worker back. Then the inputs
are written anew, then each day that names the worker, old revisions included, then the months. Every step may
be done again. Tasks of the reports that are at work meanwhile are told from their notes, see
:mod:`groundswell.aws.reporting.notes`. The ledgers of batches keep worker ids: they are records of money.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.notes import DEAD_AFTER, Note, digest_of, learn, noted, notes
from groundswell.aws.reporting.opening import Reports, forgotten_marks, put_forgotten_marks
from groundswell.aws.reporting.taking_out import naming, take_out
from groundswell.reports.names import FORGOTTEN, PSEUDONYM, pseudonym_of

_LEDGERS = "The ledgers of batches keep worker ids: they are records of money."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Worker:
    """Who is forgotten: what was given, the raw ids that are kept, the pseudonym, and the mark."""

    who: str
    raw: frozenset[str]
    pseudonym: str
    mark: str


def forget(reports: Reports, who: str, now: datetime, *, expected: bool = False) -> dict[str, Any]:
    """
    Forget a worker.

    :param who: a Cognito sub, a worker id of the workforce, or a pseudonym from a report.
    :param now: what the time is.
    :param expected: also if nothing is known of such a worker, who may yet come.
    :return: what was done: pseudonym, already (since when the worker is forgotten, or None), inputs (days
        whose inputs were written anew), days (whose reports were), revisions (old files that were removed),
        months, name (whether one was kept), ledgers (what stays).
    :raises AirflowFailException: it cannot be a worker, or nothing is known of one.
    :raises AirflowException: a run is writing, and may not know of it yet; doing it again helps.
    """
    with noted(reports, "forget") as (reports, own):
        worker = _find(reports, who.strip())
        already = _mark(reports, worker, now, expected=expected)
        # Should this be killed, the next try does not wait for it
        learn(reports, own, forgotten_marks(reports.private))
        busy = _at_work(reports, own)
        taken = take_out(reports, worker.pseudonym)
        if busy:
            _wait_for(busy.keys() & _at_work(reports, own).keys(), busy, worker)
            # They have ended, maybe after their days were looked at
            taken += take_out(reports, worker.pseudonym)
    result = {
        "pseudonym": worker.pseudonym,
        "already": already,
        "inputs": [day.isoformat() for day in sorted(taken.inputs)],
        "days": [day.isoformat() for day in sorted(taken.days)],
        "revisions": taken.revisions,
        "months": sorted(taken.months),
        "name": taken.name,
        "ledgers": _LEDGERS,
    }
    again = f"was already forgotten on {already}" if already else "was forgotten"
    log.info("%s %s: %s", worker.pseudonym, again, result)
    return result


def _find(reports: Reports, who: str) -> _Worker:
    if not who or who == FORGOTTEN or not who.isprintable():
        raise AirflowFailException(
            f"worker: {who!r} is nobody; give a Cognito sub, a worker id of the workforce, or a pseudonym "
            "such as w-0123456789"
        )
    pseudonyms, kept = reports.pseudonyms, _raw_ids(Inputs.of(reports))
    if PSEUDONYM.fullmatch(who) is None:
        mark = pseudonyms.mark(who)
        return _Worker(who, kept & {who}, pseudonym_of(mark), mark)
    raw = frozenset(name for name in kept if pseudonym_of(pseudonyms.mark(name)) == who)
    # Where the inputs are gone, the pseudonym is all that there is, and as good to tell the worker by
    return _Worker(who, raw, who, pseudonyms.mark(min(raw)) if raw else who.removeprefix("w-"))


def _raw_ids(inputs: Inputs) -> frozenset[str]:
    """Return every raw id that is kept."""
    found = set(inputs.names())
    for day in inputs.days():
        found |= inputs.workers(day)
    return frozenset(found)


def _mark(reports: Reports, worker: _Worker, now: datetime, *, expected: bool) -> str | None:
    """Keep the mark of a worker; return since when it has been there, or None."""
    marks = forgotten_marks(reports.private)
    for mark, since in marks.items():
        # Of some only the first digits are known, those of the pseudonym
        if mark.startswith(worker.mark) or worker.mark.startswith(mark):
            return since
    if not (expected or worker.raw or any(naming(reports, "", worker.pseudonym))):
        raise AirflowFailException(
            f"worker: nothing that is kept names {worker.who!r}, no inputs, no names and no reports, and "
            "nothing was changed. Give a pseudonym as it is in a report (w- and ten hexadecimal digits), a "
            "Cognito sub, or a worker id, letter by letter; or set expected, if it is right and the worker "
            "only may come"
        )
    put_forgotten_marks(reports.private, {**marks, worker.mark: now.date().isoformat()})
    return None


def _at_work(reports: Reports, own: Note) -> Mapping[str, Note]:
    """Return the notes of those who write at the moment and may not know all who are forgotten, by key."""
    knows = digest_of(forgotten_marks(reports.private))
    others = (note for note in notes(reports) if note.key != own.key)
    return {note.key: note for note in others if not note.is_dead and note.knows != knows}


def _wait_for(left: frozenset[str] | set[str], busy: Mapping[str, Note], worker: _Worker) -> None:
    """Raise AirflowException where tasks that began before are still at work."""
    if left:
        note = min((busy[key] for key in left), key=lambda each: each.since)
        raise AirflowException(
            f"{worker.pseudonym} is forgotten, but {note.what}, at work since {note.since:%H:%M:%S} UTC, may "
            "still write what it read before; this has to be done once more when it has ended. If it was "
            f"killed, it is waited for until {note.since + DEAD_AFTER:%H:%M:%S} UTC"
        )
