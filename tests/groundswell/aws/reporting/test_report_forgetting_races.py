"""What a run leaves behind that began before a deletion, or died before its own: it does not stay."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from groundswell.aws.reporting.forgetting import forget
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.publishing import publish, seal
from tests.groundswell.aws.reporting.private_days import (
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
