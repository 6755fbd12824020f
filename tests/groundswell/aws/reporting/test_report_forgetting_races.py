"""What a run leaves behind that began before a deletion, or died before its own: it does not stay."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk.exceptions import AirflowException
from botocore.stub import Stubber

from groundswell.aws.reporting import month_report
from groundswell.aws.reporting.forgetting import forget
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.notes import noted
from groundswell.aws.reporting.opening import RemovableS3
from groundswell.aws.reporting.publishing import publish, sweep
from groundswell.aws.reporting.retention import seal
from tests.groundswell.aws.reporting.private_days import (
    ANOTHER_RUN,
    DAY,
    NEXT_MORNING,
    SUBS,
    events,
    holding,
    pseudonyms,
    reports_in,
    usual,
    write,
)


def test_events_kept_by_a_task_that_knew_of_no_deletion_lose_the_id(tmp_path: Path) -> None:
    write(reports_in(tmp_path), DAY, usual(DAY))
    collecting = Inputs.of(reports_in(tmp_path))
    forget(reports_in(tmp_path), SUBS["ann"], NEXT_MORNING)
    collecting.add_activity(DAY, events(DAY, ("ann", 600, 20.0)))
    assert holding(tmp_path, SUBS["ann"])
    result = write(reports_in(tmp_path), DAY)
    assert holding(tmp_path, SUBS["ann"]) == set()
    publish(reports_in(tmp_path), [result], NEXT_MORNING)
    assert holding(tmp_path, SUBS["ann"]) == set()
    assert holding(tmp_path / "private", SUBS["bob"])


def test_the_month_that_a_dead_run_left_behind_is_written_by_the_next(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """Also if that has no day of the month to write."""
    reports = reports_in(tmp_path)
    publish(reports, [write(reports, DAY, usual(DAY))], NEXT_MORNING)
    before = reports.store.month("2026-11")
    write(reports, DAY, events(DAY, ("ann", 600, 20.0)))
    with monkeypatch.context() as patched:
        patched.setattr(month_report, "write_month", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            publish(reports, [write(reports, DAY)], NEXT_MORNING)
    assert reports.store.month("2026-11") == before
    other = date(2026, 12, 1)
    assert publish(reports, [write(reports, other, now=ANOTHER_RUN)], NEXT_MORNING)["months"] == [
        "2026-11",
        "2026-12",
    ]
    assert reports.store.month("2026-11") != before
    assert list(reports.private.keys("stale/")) == []
    assert publish(reports, [write(reports, other, now=ANOTHER_RUN)], NEXT_MORNING)["months"] == []


def test_what_dead_writers_left_goes_after_a_day(tmp_path: Path) -> None:
    reports = reports_in(tmp_path)
    result = write(reports, DAY, usual(DAY))
    left = {
        "public/days/.part-abc": b"half",
        "private/inputs/.part-abc": b"half",
        "private/told/0123-0.json": b"{}",
        f"public/days/{DAY}/revisions/9/0123456789abcdef/workers.csv": b"never became a revision",
        "private/writing/0123.json": b'{"what": "report_day", "since": "2026-11-01T00:00:00Z", "knows": ""}',
    }
    young = tmp_path / "public/days/.part-young"
    young.write_bytes(b"half")
    for name, body in left.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        os.utime(path, (1, 1))
    kept = {path for path in tmp_path.rglob("*") if path.is_file()} - {tmp_path / name for name in left}
    assert sweep(reports) == len(left)
    assert sweep(reports) == 0
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == kept
    publish(reports, [result], NEXT_MORNING)
    # Somebody who is at work may take what is there for the own files
    reports.store.public.put(f"days/{DAY}/revisions/9/0123456789abcdef/workers.csv", b"taken")
    os.utime(tmp_path / f"public/days/{DAY}/revisions/9/0123456789abcdef/workers.csv", (1, 1))
    with noted(reports, "report_day"):
        assert sweep(reports) == 0
    publish(reports, [result], NEXT_MORNING)
    assert not (tmp_path / f"public/days/{DAY}/revisions/9").is_dir() or not list(
        (tmp_path / f"public/days/{DAY}/revisions/9").rglob("*.csv")
    )


def test_only_tasks_that_cannot_know_are_waited_for(tmp_path: Path) -> None:
    write(reports_in(tmp_path), DAY, usual(DAY))
    message = r"is forgotten, but collect_activity, at work since [\d:]+ UTC, .* waited for until [\d:]+ UTC"
    with noted(reports_in(tmp_path), "collect_activity"):
        with pytest.raises(AirflowException, match=message):
            forget(reports_in(tmp_path), SUBS["ann"], NEXT_MORNING)
        assert holding(tmp_path, SUBS["ann"]) == set(), "what is there goes at once"
    with noted(reports_in(tmp_path), "report_day"):  # has begun since
        assert forget(reports_in(tmp_path), SUBS["ann"], NEXT_MORNING)["already"]
    assert not list((tmp_path / "private/writing").iterdir())


def test_objects_of_s3_by_age() -> None:
    """Page by page, and without the prefix; a write to S3 leaves nothing by halves."""
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    hook = S3Hook(aws_conn_id=None, region_name="us-east-1")
    hook.get_conn = lambda: client  # type: ignore[method-assign]
    store = RemovableS3("s3://reports/daily", hook)
    asked = {"Bucket": "reports", "Prefix": "daily/days/"}
    with Stubber(client) as stub:
        first = [{"Key": "daily/days/old", "LastModified": NEXT_MORNING - timedelta(days=2)}]
        answer = {"Contents": first, "IsTruncated": True, "NextContinuationToken": "a"}
        stub.add_response("list_objects_v2", answer, asked)
        then = [{"Key": "daily/days/young", "LastModified": NEXT_MORNING}]
        stub.add_response("list_objects_v2", {"Contents": then}, {**asked, "ContinuationToken": "a"})
        stub.add_response("list_objects_v2", {}, asked)
        assert list(store.older("days/", NEXT_MORNING)) == ["days/old"]
        assert list(store.older("days/", NEXT_MORNING)) == []
    assert store.sweep(NEXT_MORNING) == 0


def test_an_old_day_whose_run_died_before_retention_is_sealed_by_the_next(tmp_path: Path) -> None:
    keep = "retention: {inputs: 10d, workers: 30d}"
    reports, later = reports_in(tmp_path, keep), NEXT_MORNING + timedelta(days=40)
    write(reports, DAY, usual(DAY))
    seal(reports, later)
    old = DAY - timedelta(days=1)
    write(reports, old, usual(old), now=later)
    assert holding(tmp_path / "public", pseudonyms(reports)["ann"])
    seal(reports_in(tmp_path, keep), later + timedelta(days=1))
    assert holding(tmp_path / "public", pseudonyms(reports)["ann"]) == set()
    assert holding(tmp_path / "private", SUBS["ann"]) == set()
