"""Notifiers are told of reports, each by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from groundswell.aws.reporting.notifying import VARIABLES, notify
from tests.groundswell.aws.reporting.private_days import reports_in

RESULT = {
    "day": "2026-11-19",
    "days": ["2026-11-18", "2026-11-19"],
    "revised": [],
    "failed": [],
    "anomalies": 2,
    "totals": {"submitted": 14},
    "report": "s3://reports/days/2026-11-19/report.html",
    "months": [],
    "sealed": [],
}
told: list[str] = []


class Told(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__()

    def notify(self, context: Any) -> None:
        told.append(self.text)


HERE = f"{__name__}.Told"


def tell(folder: Path, entry: str, **more: Any) -> None:
    notify(reports_in(folder, f"notify: [{entry}]"), 0, RESULT | more, {})  # type: ignore[typeddict-item]


def test_arguments_may_use_what_the_run_tells(tmp_path: Path) -> None:
    told.clear()
    text = " ".join(f"{{{{ {name} }}}}" for name in VARIABLES)
    tell(tmp_path, f"{{notifier: {HERE}, arguments: {{text: '{text}'}}}}")
    assert told == [
        "2026-11-19 ['2026-11-18', '2026-11-19'] [] [] 2 {'submitted': 14} "
        "s3://reports/days/2026-11-19/report.html"
    ]


@pytest.mark.parametrize(
    ("when", "result", "heard"),
    [
        ("always", {"anomalies": 0}, True),
        ("anomalies", {"anomalies": 0}, False),
        ("anomalies", {}, True),
        ("revised", {}, False),
        ("revised", {"revised": ["2026-11-18"]}, True),
    ],
)
def test_each_is_told_when_it_wants_to_be(
    tmp_path: Path, when: str, result: dict[str, Any], heard: bool
) -> None:
    told.clear()
    entry = f"{{notifier: {HERE}, when: {when}, arguments: {{text: '{{{{ day }}}}'}}}}"
    if heard:
        tell(tmp_path, entry, **result)
    else:
        with pytest.raises(AirflowSkipException, match=f"nothing to tell when {when}"):
            tell(tmp_path, entry, **result)
    assert told == ["2026-11-19"] * heard


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "{notifier: no.such.Notifier}",
            r"settings.yaml: notify.0.notifier: no.such.Notifier cannot be imported",
        ),
        ("{notifier: airflow.sdk.NoSuch}", "airflow.sdk.NoSuch cannot be imported"),
        ("{notifier: airflow.sdk.DAG}", "airflow.sdk.DAG is no notifier; name a class of one"),
        (
            f"{{notifier: {HERE}, arguments: {{txt: a}}}}",
            r"notify.0.arguments: .*txt.*; see the documentation of Told",
        ),
    ],
)
def test_an_entry_that_is_wrong_is_named(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        tell(tmp_path, entry)
