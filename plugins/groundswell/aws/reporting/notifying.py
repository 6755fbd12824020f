"""notify: tell people of new reports, through the notifiers of Airflow and its providers."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseNotifier, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from groundswell.aws.reporting.opening import Reports
from groundswell.reports.settings import Notify

#: What arguments of notifiers may use in templates.
VARIABLES = ("day", "days", "revised", "anomalies", "totals", "report")

log = logging.getLogger(__name__)


def notify(reports: Reports, number: int, result: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """
    Tell people through one notifier.

    :param number: which entry of ``notify`` in the settings, from 0.
    :param result: what :func:`groundswell.aws.reporting.publishing.publish` returned.
    :param context: of the task; templates may use it too.
    :raises AirflowSkipException: there is nothing to tell, by the entry's ``when``.
    :raises AirflowFailException: the entry is wrong.
    """
    entry = reports.settings.notify[number]
    context["notifier"] = entry.notifier.rpartition(".")[2]
    if not wanted(entry, result):
        raise AirflowSkipException(f"{result['day']}: nothing to tell when {entry.when}")
    where = f"{reports.settings.file.name}: notify.{number}"
    notifier = _notifier(entry, where)
    variables = {name: result[name] for name in VARIABLES}
    notifier({**context, **variables})
    log.info("%s told of %s", entry.notifier, result["day"])
    return {"notifier": entry.notifier, "day": result["day"]}


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
