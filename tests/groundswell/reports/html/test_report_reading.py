"""What a reader of the report would otherwise take for something else."""

from __future__ import annotations

import dataclasses
import re
from datetime import date, timedelta
from html import unescape

import pandas as pd  # noqa: TID253 (no DAG imports this)

from groundswell.reports import schema
from groundswell.reports.html.render import render_day, render_period
from groundswell.reports.period import Period
from tests.groundswell.reports.html import report_tables as made

SETTINGS = made.settings()
FRIDAY = date(2026, 11, 6)


def plain(html: str) -> str:
    body = html.split("</style>")[1]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def small_day(**changes: object) -> made.Tables:
    """Three workers; ``changes`` are made to the row of the first."""
    frame = made.workers_of(FRIDAY, made.crew(3))
    for name, value in changes.items():
        frame.loc[0, name] = value
    return made.Tables(frame, made.summed(frame, FRIDAY))


def test_who_only_accepted_tasks_is_no_worker_who_submitted_some() -> None:
    """The page of these days counts the same."""
    none = dict.fromkeys(("submitted", "returned", "declined"), 0)
    text = plain(render_day(small_day(**none), made.record(FRIDAY), None, SETTINGS))
    assert "2 workers in 3 teams submitted" in text
    assert "Workers 2" in text
    text = plain(render_day(small_day(**none | {"declined": 1}), made.record(FRIDAY), None, SETTINGS))
    assert "3 workers in 3 teams submitted" in text


def test_a_day_without_active_time_is_not_said_to_have_taken_a_dash() -> None:
    tables = small_day()
    tables.summary["active_seconds"] = pd.NA
    text = plain(render_day(tables, made.record(FRIDAY), None, SETTINGS))
    assert re.search(r"submitted [\d,]+ tasks\. ", text)


def test_the_usual_of_an_idle_day_is_whole_tasks_and_only_explained_beside_totals() -> None:
    frames = [
        made.workers_of(FRIDAY - timedelta(days=7 * ago), made.crew(1)).assign(submitted=9 + ago)
        for ago in range(1, 5)
    ]
    empty = made.Tables(schema.WORKERS.empty(), schema.SUMMARY.empty())
    text = plain(render_day(empty, made.record(FRIDAY), Period(frames), SETTINGS))
    assert "usual 12: median of the last 4 Fridays" in text
    assert "Usual: the median" not in text


def test_pay_per_hour_is_not_to_be_taken_for_the_pay_of_so_many_tasks() -> None:
    tables = small_day()
    tables.summary.loc[tables.summary["hourly_pay"].notna(), "hourly_pay"] = 3.82
    html = render_day(tables, made.record(FRIDAY), None, SETTINGS)
    assert re.search(r"\$3\.82 an hour, [\d,]+ tasks<", html)
    assert "$3.82 for" not in html


def test_shares_in_reasons_are_written_like_all_others() -> None:
    tables = small_day()
    tables.anomalies = made.anomalies(FRIDAY, tables.workers)
    tables.anomalies["reason"] = "Gave one answer to 100 % of 26 tasks; others give it to 27 %."
    text = plain(render_day(tables, made.record(FRIDAY), None, SETTINGS))
    assert "100% of 26 tasks; others give it to 27%." in text


def test_the_days_of_a_period_are_said_once() -> None:
    period = Period([frame for _, frame in made.month(days=3, workers=3)])
    first, last = date(2026, 10, 5), date(2026, 10, 7)
    texts = {
        title: plain(render_period(period, title, first, last, settings=SETTINGS))
        for title in ("5 Oct to 7 Oct 2026, team public", "October 2026")
    }
    said = {title: "5 Oct 2026 to 7 Oct 2026, from midnight" in text for title, text in texts.items()}
    assert said == {"5 Oct to 7 Oct 2026, team public": False, "October 2026": True}
    assert all("rom midnight to midnight, time zone Europe/Berlin." in text for text in texts.values())


def test_the_definitions_say_whose_units_they_name() -> None:
    text = plain(render_day(dataclasses.replace(small_day()), made.record(FRIDAY), None, SETTINGS))
    assert "Names and units are those of the columns in the files" in text


def test_a_growth_of_thousands_of_percent_is_said_in_times() -> None:
    frames = [made.workers_of(FRIDAY - timedelta(days=ago), made.crew(1)) for ago in range(5)]
    frames = [frame.assign(submitted=5800 if not ago else 100) for ago, frame in enumerate(frames)]
    tables = made.Tables(frames[0], made.summed(frames[0], FRIDAY))
    text = plain(render_day(tables, made.record(FRIDAY), Period(frames), SETTINGS))
    assert "58 times as much as usual (the last 4 days with work)" in text
    assert "58\u00d7 , usual 100" in text
    assert "5700%" not in text
