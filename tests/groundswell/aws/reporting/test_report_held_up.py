"""A day or month that is damaged, or fails, holds up no other one; and the run says so at its end."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.reporting.publishing import publish, verify
from groundswell.aws.reporting.window import plan
from tests.groundswell.aws.reporting.private_days import (
    DAY,
    NEXT_MORNING,
    entry,
    holding,
    pseudonyms,
    reports_in,
    usual,
    write,
)

OCTOBER = date(2026, 10, 31)


def test_what_is_too_old_goes_though_one_day_is_damaged(tmp_path: Path) -> None:
    reports = reports_in(tmp_path, "retention: {inputs: 10d, workers: 30d}")
    results = [write(reports, day, usual(day)) for day in (OCTOBER, DAY)]
    publish(reports, results, NEXT_MORNING)
    [table] = (tmp_path / f"public/days/{OCTOBER}/revisions/1").glob("*/problems.parquet")
    body = table.read_bytes()
    table.unlink()
    later = NEXT_MORNING + timedelta(days=40)
    newest = later.date() - timedelta(days=1)
    for _ in range(2):  # the next morning's is no better off
        result = write(reports, newest, now=later)
        with pytest.raises(AirflowFailException, match=rf"^{OCTOBER} is damaged.*; 2026-10 is damaged"):
            verify(publish(reports, [result], later))
        named = holding(tmp_path / "public", pseudonyms(reports)["ann"])
        assert named, "what cannot be written anew"
        assert {key.split("/")[1][:7] for key in named} == {"2026-10"}, "the rest is gone"
        assert reports.store.month(f"{newest:%Y-%m}") is not None
    table.write_bytes(body)
    assert publish(reports, [result], later)["sealed"] == [str(OCTOBER)]
    assert holding(tmp_path / "public", pseudonyms(reports)["ann"]) == set()


def test_months_are_written_though_a_day_failed(tmp_path: Path) -> None:
    reports = reports_in(tmp_path)
    result = write(reports, DAY, usual(DAY))
    wanted = [entry(DAY - timedelta(days=1)), entry(DAY)]
    said = publish(reports, [result], NEXT_MORNING, wanted=wanted)
    assert (said["days"], said["failed"]) == ([str(DAY)], ["2026-11-01"])
    with pytest.raises(AirflowFailException, match=r"^2026-11-01 was not written: see its task"):
        verify(said)
    assert reports.store.months() == ["2026-11"]
    verify(publish(reports, [result], NEXT_MORNING, wanted=wanted[1:]))
    assert publish(reports, [result], NEXT_MORNING, wanted=wanted[1:])["day"] == str(DAY)


def test_a_source_that_is_down_holds_up_nothing_that_has_to_go(tmp_path: Path) -> None:
    reports = reports_in(tmp_path, "retention: {inputs: 10d, workers: 30d}")
    write(reports, DAY, usual(DAY))
    later = NEXT_MORNING + timedelta(days=40)
    wanted = [entry(DAY + timedelta(days=number)) for number in range(1, 20)]
    with pytest.raises(AirflowFailException, match=r"2026-11-12 was not written: .*; …$"):
        publish(reports, [], later, wanted=wanted)
    assert holding(tmp_path, pseudonyms(reports)["ann"]) == set()


def test_a_day_of_which_the_pointer_is_damaged_holds_up_no_other_and_is_put_right(tmp_path: Path) -> None:
    """All days that follow look at it, and the window too."""
    reports = reports_in(tmp_path)
    write(reports, DAY, usual(DAY))
    current, following = f"days/{DAY}/current.json", DAY + timedelta(days=1)
    body = reports.store.public.get(current)
    reports.store.public.put(current, b'{"schema')
    assert DAY in plan(reports.settings, reports.store, {}, None, NEXT_MORNING).days
    result = write(reports, following, usual(following))
    verify(publish(reports, [result], NEXT_MORNING))
    assert write(reports, DAY)["revision"] == 1
    assert reports.store.public.get(current) == body
