"""Days whose inputs are damaged: the source that told what is lost is read again for the day.

What the source does not tell any more stays damaged, and the error says which object it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from groundswell.aws.reporting import collecting
from groundswell.aws.reporting.damage import DamagedInput
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.opening import Reports

_STEPS: Mapping[str, Callable[[Reports, collecting.Entries], Any]] = {
    "activity": collecting.collect_activity,
    "ledger": collecting.collect_ledgers,
    "workteam": collecting.collect_workteam,
    "jobs": collecting.collect_jobs,
}

R = TypeVar("R")

log = logging.getLogger(__name__)


def mended(reports: Reports, entry: Mapping[str, Any], write: Callable[[], R]) -> R:
    """
    Return what writing a day gives; where something that was kept of it is damaged, read that again first.

    :param entry: the day, as :meth:`groundswell.aws.reporting.window.Window.as_xcom`.
    :raises DamagedInput: the source does not tell that day any more.
    """
    left = dict(_STEPS)
    while True:
        try:
            return write()
        except DamagedInput as error:
            if error.name not in left:
                raise
            error = _first(reports, error, left)
            log.warning("%s is damaged: its source is read again", reports.private.uri(error.key))
            # As if the day were due: of others only the ledgers are read. And at another time than the run
            # began: a run of a batch that is read for this day alone is not read for all the days
            now = datetime.now(UTC).isoformat()
            left.pop(error.name)(reports, [{**entry, "extra": False, "now": now}])


def _first(reports: Reports, error: DamagedInput, left: Collection[str]) -> DamagedInput:
    """Return what has to be read before all else: the events tell what to ask the other sources for."""
    if error.day is None or "activity" not in left:
        return error
    try:
        Inputs.of(reports).activity(error.day)
    except DamagedInput as events:
        return events
    return error
