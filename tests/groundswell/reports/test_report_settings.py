"""The settings of the reports: what they say, and one clear sentence for what is wrong with them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from groundswell.errors import ReportError
from groundswell.reports.anomalies import Thresholds
from groundswell.reports.settings import ReportSettings
from tests.conftest import CHECKOUT

FILE = CHECKOUT / "include/reports/worker_metrics.yaml"
SMALL = "name: daily\ndescription: Who labelled\nstart: 2026-11-01\nuri: s3://reports/daily\n"


def parse(text: str) -> ReportSettings:
    return ReportSettings.parse(text, Path("/project/include/reports/daily.yaml"))


def test_the_file_of_the_project_is_right_and_spells_the_defaults() -> None:
    settings = ReportSettings.load(FILE)
    assert settings.file == FILE
    assert settings.sources.batches == CHECKOUT / "include/batches"
    defaults = parse(SMALL)
    for name in (
        "schedule",
        "time_zone",
        "late_days",
        "connections",
        "names",
        "retention",
        "fair_pay",
        "anomalies",
    ):
        assert getattr(settings, name) == getattr(defaults, name), name
    assert defaults.sources.batches is None
    assert settings.sources.worker_activity == defaults.sources.worker_activity
    assert not defaults.shows_names


def test_thresholds_are_those_of_the_anomalies() -> None:
    assert parse(SMALL).anomalies.model_dump() == dataclasses.asdict(Thresholds())


def test_places_follow_from_the_uri_and_the_file() -> None:
    assert parse(SMALL).private == "s3://reports/daily/_private"
    assert parse(f"{SMALL}private_uri: s3://secrets/x").private == "s3://secrets/x"
    local = parse(SMALL.replace("s3://reports/daily", "../../out"))
    assert (local.uri, local.private) == ("file:///project/out", "file:///project/out/_private")
    assert parse(f"{SMALL}sources: {{batches: ../batches}}").sources.batches == Path(
        "/project/include/batches"
    )


def test_days_begin_at_midnight_of_the_time_zone() -> None:
    settings = parse(f"{SMALL}time_zone: Europe/Berlin")
    assert settings.start_of(date(2026, 3, 29)) == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert settings.start_of(date(2026, 3, 30)) - settings.start_of(date(2026, 3, 29)) == timedelta(hours=23)
    assert settings.day_of(datetime(2026, 11, 1, 23, 30, tzinfo=UTC)) == date(2026, 11, 2)
    assert parse(f"{SMALL}time_zone: Asia/Kolkata").time_zone == "Asia/Kolkata"


def test_sources_may_be_left_out() -> None:
    sources = parse(
        f"{SMALL}sources: {{worker_activity: null, workteam: null, labeling_jobs: null, cognito: false}}"
    ).sources
    assert (sources.worker_activity, sources.workteam, sources.labeling_jobs, sources.cognito) == (
        None,
        None,
        None,
        False,
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("late_dys: 3", "late_dys: unknown option; did you mean late_days?"),
        ("late_days: 15", "late_days: 15 is above 14; set it to 14 or less"),
        ("late_days: '3'", "late_days: '3' is not a whole number"),
        ("time_zone: Mars/Olympus", "time_zone: 'Mars/Olympus' is not a time zone; write an IANA name"),
        ("time_zone: Asia/Kathmandu", "is not whole or half hours away from UTC"),
        ("schedule: daily", "schedule: 'daily' does not fit; write a cron expression in quotes"),
        ("names: real", "names: 'real' is not known; write 'pseudonymous' or 'shown'"),
        (
            "fair_pay: 15.0",
            'fair_pay: 15.0 is a number, which cannot hold cents exactly; write it in quotes: "15.00"',
        ),
        ("retention: {inputs: 3}", "retention.inputs: 3 is not a duration"),
        ("retention: {inputs: 90d, workers: 30d}", "retention.workers: is less than retention.inputs"),
        ("retention: {inputs: 3d}", "retention.inputs: late events change the 3 days before a report"),
        ("retention: {workers: 0d}", "retention.workers: must be between 1d and 36500d"),
        ("private_uri: s3://reports/daily", "private_uri: is the same as uri, which others may read"),
        ("private_uri: http://x", "private_uri: 'http://x' is neither s3://bucket/prefix nor a folder"),
        ("sources: {batches: s3://x/y}", "must be a path on disk, relative to the settings file"),
        (
            "sources: {worker_activity: {log_group: 'a b'}}",
            "sources.worker_activity.log_group: 'a b' does not fit",
        ),
        ("anomalies: {fast_share: 2}", "anomalies.fast_share: 2 is not below 1"),
        (
            "notify: [{notifier: smtp}]",
            "notify.0.notifier: 'smtp' does not fit; write the import path of a class",
        ),
        ("notify: [{when: always}]", "notify.0.notifier: is missing; add it"),
        ("start: soon", "start: Input should be a valid date"),
        ("start: 2026-11-02", "option 'start' is there twice, first on line 3"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_option(more: str, message: str) -> None:
    text = SMALL if more != "start: soon" else SMALL.replace("start: 2026-11-01\n", "")
    with pytest.raises(ReportError) as caught:
        parse(f"{text}{more}")
    assert message in str(caught.value)
    assert str(caught.value).startswith("/project/include/reports/daily.yaml: ")


@pytest.mark.parametrize(
    ("text", "message"), [("", "is empty"), ("[]", "is not a mapping"), ("a: [", "line 1")]
)
def test_a_file_that_is_no_settings_says_so(text: str, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        parse(text)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"absent.yaml: cannot be read: No such file"):
        ReportSettings.load(tmp_path / "absent.yaml")
