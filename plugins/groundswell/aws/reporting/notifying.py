"""notify: tell people of new reports, through the notifiers of Airflow and its providers.

Where a notifier has told, a note of that is kept below the private URI, so that another try of the same run
does not tell again. What dies between telling and the note is told twice: no notifier takes a message back.

::

    told/<digest of the run>-<number>.json   {at, day, notifier}
"""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseNotifier, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from groundswell.aws.reporting.opening import Reports, document, put_document
from groundswell.reports.settings import Notify

#: What arguments of notifiers may use in templates.
VARIABLES = ("day", "days", "revised", "failed", "anomalies", "totals", "report")
#: Below the private URI: which runs have told whom.
TOLD = "told/"

log = logging.getLogger(__name__)


def notify(reports: Reports, number: int, result: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """
    Tell people through one notifier.

    :param number: which entry of ``notify`` in the settings, from 0.
    :param result: what :func:`groundswell.aws.reporting.publishing.publish` returned.
    :param context: of the task; templates may use it too.
    :return: notifier, day, and when people were told.
    :raises AirflowSkipException: there is nothing to tell, by the entry's ``when``.
    :raises AirflowFailException: the entry is wrong.
    :raises AirflowException: nobody was told; doing it again may help.
    """
    entry = reports.settings.notify[number]
    name = entry.notifier.rpartition(".")[2]
    context["notifier"] = name
    if not wanted(entry, result):
        raise AirflowSkipException(f"{result['day']}: nothing to tell when {entry.when}")
    key = _note(context, number)
    if key and (told := document(reports.private, key)) is not None:
        log.info("%s told of %s in an earlier try, at %s", name, told["day"], told["at"])
        return dict(told)
    where = f"{reports.settings.file.name}: notify.{number}"
    notifier = _notifier(entry, where)
    variables = {variable: result.get(variable) for variable in VARIABLES}
    try:
        notifier({**context, **variables})
    except Exception as error:
        raise AirflowException(
            f"{where}: {name} did not tell of {result['day']}: {type(error).__name__}: {error}. The report "
            "is written. Check the arguments and the connection that they name"
        ) from error
    told = {
        "notifier": entry.notifier,
        "day": result["day"],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if key:
        put_document(reports.private, key, told)
    log.info("%s told of %s", entry.notifier, result["day"])
    return told


def _note(context: Context, number: int) -> str | None:
    """Return where it is noted that a run has told through a notifier, or None outside of a run."""
    run = context.get("run_id")
    return f"{TOLD}{hashlib.sha256(run.encode()).hexdigest()[:32]}-{number}.json" if run else None


def wanted(entry: Notify, result: Mapping[str, Any]) -> bool:
    """Return whether there is something to tell."""
    if entry.when == "always":
        return True
    return bool(result["revised"] if entry.when == "revised" else result["anomalies"])


def _notifier(entry: Notify, where: str) -> BaseNotifier:
    module, _, name = entry.notifier.rpartition(".")
    try:
        made = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise AirflowFailException(
            f"{where}.notifier: {entry.notifier} cannot be imported ({error}); install its provider, or "
            "correct the path"
        ) from error
    if not (isinstance(made, type) and issubclass(made, BaseNotifier)):
        raise AirflowFailException(f"{where}.notifier: {entry.notifier} is no notifier; name a class of one")
    try:
        return made(**entry.arguments)
    except (TypeError, ValueError) as error:
        raise AirflowFailException(f"{where}.arguments: {error}; see the documentation of {name}") from error
