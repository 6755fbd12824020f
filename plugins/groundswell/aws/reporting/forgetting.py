"""forget: remove a worker from the reports and from what they are made of, and say what was done.

First the worker's mark is kept, so that nothing collected from now on brings the worker back. Then the inputs
are written anew, then each day that names the worker, old revisions included, then the months. Every step may
be done again. Tasks of the reports that are at work meanwhile are told from their notes, see
:mod:`groundswell.aws.reporting.writing`. The ledgers of batches keep worker ids: they are records of money.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.months import stale_months
from groundswell.aws.reporting.opening import Reports, forgotten_marks, put_forgotten_marks
from groundswell.aws.reporting.publishing import write_months
from groundswell.aws.reporting.reporting import publish_tables, read_tables, write_day
from groundswell.aws.reporting.writing import DEAD_AFTER, Note, digest_of, learn, noted, notes
from groundswell.reports.names import FORGOTTEN, PSEUDONYM, pseudonym_of
from groundswell.reports.store import Record

_WHY = "A worker was forgotten"
_READABLE = (".csv", ".html", ".json")  # what a Parquet file says stands in the CSV file beside it
_LEDGERS = "The ledgers of batches keep worker ids: they are records of money."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Worker:
    """Who is forgotten: what was given, the raw ids that are kept, the pseudonym, and the mark."""

    who: str
    raw: frozenset[str]
    pseudonym: str
    mark: str


@dataclass(frozen=True)
class Taken:
    """What was removed.

    Attributes:
        inputs: days whose inputs were written anew.
        days: days whose reports were.
        revisions: files of old revisions that were removed.
        months: months whose reports were written anew.
        name: whether a name was kept.
    """

    inputs: frozenset[date]
    days: frozenset[date]
    revisions: int
    months: frozenset[str]
    name: bool

    def __add__(self, other: Taken) -> Taken:
        return Taken(
            self.inputs | other.inputs,
            self.days | other.days,
            self.revisions + other.revisions,
            self.months | other.months,
            self.name or other.name,
        )


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


def take_out(reports: Reports, pseudonym: str) -> Taken:
    """
    Remove a worker, whose mark is kept, from all inputs and reports.

    :raises AirflowException: the worker is named again, by a run at the same time; doing it again helps.
    """
    reports = Reports(reports.settings)  # with the marks as they are now
    inputs = Inputs.of(reports)
    names = inputs.names()
    inputs.keep_names(date.min)
    again = {day for day in inputs.days() if inputs.forget(day)}
    written, removed = set(), 0
    for day in reports.store.days():
        record = reports.store.heal(day)
        named = list(_names(reports, f"days/{day.isoformat()}/", pseudonym))
        if not named:
            continue
        if record is None:
            removed += reports.store.clear_revisions(day)
            continue
        if any(f"/{record['folder']}" in key for key in named):
            record = _write_anew(reports, inputs, day, record, pseudonym)
            written.add(day)
        else:
            reports.store.heal(day, anew=True)
        removed += reports.store.clear_revisions(day, keep=record["revision"])
    named_months = {key.split("/")[1] for key in _names(reports, "months/", pseudonym)}
    months = write_months(reports, named_months | {*stale_months(reports)})
    if left := list(_names(reports, "", pseudonym)):
        raise AirflowException(
            f"{left[0]} names the worker again: a run wrote it at the same time; try again"
        )
    gone = inputs.names().keys() < names.keys()
    return Taken(frozenset(again), frozenset(written), removed, frozenset(months), gone)


def take_out_again(reports: Reports) -> None:
    """Remove who was forgotten and is named all the same, by a task that wrote for long and was killed."""
    gone = {pseudonym_of(mark) for mark in forgotten_marks(reports.private)}
    public, named = reports.store.public, set[str]()
    for key in list(public.keys("")) if gone else ():
        if key.endswith(_READABLE):
            named |= gone & set(PSEUDONYM.findall((public.get(key) or b"").decode(errors="replace")))
    for pseudonym in sorted(named):
        log.warning("%s was forgotten, and is removed again", pseudonym)
        take_out(reports, pseudonym)


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
    if not (expected or worker.raw or any(_names(reports, "", worker.pseudonym))):
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


def _names(reports: Reports, prefix: str, pseudonym: str) -> Iterator[str]:
    """Yield the keys of public files that name a worker."""
    public = reports.store.public
    for key in list(public.keys(prefix)):
        if key.endswith(_READABLE) and pseudonym.encode() in (public.get(key) or b""):
            yield key


def _write_anew(reports: Reports, inputs: Inputs, day: date, record: Record, pseudonym: str) -> Record:
    """Return the record of a revision of a day that does not name the worker any more."""
    from groundswell.reports.redacting import with_forgotten

    if not record["sealed"] and day in set(inputs.days()):
        return write_day(
            reports,
            inputs,
            day,
            provisional=record["provisional"],
            known=record,
            kind="forgotten",
            why=_WHY,
            anew=True,
        ).record
    more: dict[str, Any] = {name: record[name] for name in ("inputs", "sources") if name in record}
    return publish_tables(
        reports,
        day,
        with_forgotten(read_tables(reports.store, day, record), pseudonym),
        provisional=record["provisional"],
        kind="forgotten",
        why=_WHY,
        anew=True,
        more=more,
    ).record
