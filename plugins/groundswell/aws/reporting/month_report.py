"""The reports of months, each written from its days."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING

from groundswell.aws.reporting.months import catch_up, mark_of
from groundswell.aws.reporting.opening import Reports
from groundswell.errors import ReportError
from groundswell.reports.days import days

if TYPE_CHECKING:
    import pandas as pd

#: What comes of files that are gone or damaged: of one day or month, which holds up no other one.
_DAMAGE = (ReportError, KeyError, TypeError, ValueError)

log = logging.getLogger(__name__)


@contextmanager
def passed_over(what: object, wrong: list[str] | None) -> Iterator[None]:
    """Note what is damaged about a day or month and go on; where nobody notes it, raise it."""
    try:
        yield
    except _DAMAGE as error:
        if wrong is None:
            raise
        log.exception("%s is damaged", what)
        wrong.append(f"{what} is damaged: {error!r}; restore the file from a backup or version")


def write_month(reports: Reports, name: str) -> bool:
    """
    Write the report of a month from its days; return whether it changed.

    :param name: such as ``2026-11``.
    """
    from groundswell.reports.html.render import render_period
    from groundswell.reports.period import Period

    first = date.fromisoformat(f"{name}-01")
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    store = reports.store
    records = {day: record for day in days(first, last) if (record := store.current(day))}
    if not records:
        return False
    body = render_period(
        Period([_workers(reports, day) for day in records]),
        first.strftime("%B %Y"),
        first,
        min(last, max(records)),
        settings=reports.settings,
        records=list(records.values()),
        anomalies=_all_of(reports, records, "anomalies"),
        sources=_all_of(reports, records, "sources"),
        problems=_all_of(reports, records, "problems"),
    ).encode()
    key = f"months/{name}/report.html"
    if store.public.get(key) == body:
        return False
    store.public.put(key, body)
    return True


def write_months(reports: Reports, names: Collection[str], wrong: list[str] | None = None) -> list[str]:
    """Write the reports of some months, which are behind no longer; return their names in order.

    :param wrong: takes what is damaged, where the other months are to be written all the same.
    """
    written = []
    for name in sorted(names):
        with passed_over(name, wrong):
            while True:
                mark = mark_of(reports, name)  # before its days are read
                write_month(reports, name)
                if mark is None or catch_up(reports, name, mark):
                    break
            written.append(name)
    return written


def _workers(reports: Reports, day: date) -> pd.DataFrame:
    """Return the workers table of a day, or what stands for it where workers are no longer told apart."""
    from groundswell.reports.redacting import by_team_and_job

    try:
        return reports.store.table(day, "workers")
    except ReportError:
        return by_team_and_job(reports.store.table(day, "summary"))


def _all_of(reports: Reports, some: Iterable[date], name: str) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([reports.store.table(day, name) for day in some], ignore_index=True)
