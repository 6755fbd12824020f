"""The Throughput page without reports, with damaged or late ones, and without a store."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from groundswell.ledger import FolderStore
from groundswell.reports import tables
from groundswell.reports.html import formats
from groundswell.reports.redacting import without_workers
from groundswell.reports.schema import SUMMARY
from groundswell.reports.settings import ReportSettings
from groundswell.reports.store import ReportStore
from tests.groundswell.ui.throughput.filled_store import (
    at,
    day_tables,
    publish,
    settings_file,
    the_app,
)
from tests.groundswell.ui.throughput.page_parts import PARTS, Get, plain, tile
from tests.support.activity_rows import Made


def test_no_report_yet_says_what_to_do(tmp_path: Path, latest: date) -> None:
    web = TestClient(the_app(settings_file(tmp_path), at(latest)))
    text = plain(web.get("/throughput/parts/summary").text)
    assert "No reports yet" in text
    assert "the DAG worker_metrics and switch it on (unpause it)" in text
    assert "airflow backfill create --dag-id worker_metrics" in text
    assert "--max-active-runs 1" in text, "a day is told from those before it"
    assert "It then catches up on the days since" in text
    for part in PARTS[1:]:
        assert plain(web.get(f"/throughput/parts/{part}").text) == ""
    assert web.get("/throughput/view.csv").text.count("\n") == 1
    assert web.get("/throughput/period").status_code == 404


def test_no_report_yet_promises_no_days_that_the_schedule_leaves_out(tmp_path: Path, latest: date) -> None:
    file = settings_file(tmp_path)
    file.write_text(f"{file.read_text()}catch_up: false\n")
    text = plain(TestClient(the_app(file, at(latest))).get("/throughput/parts/summary").text)
    assert "It then reports each day from now on." in text
    assert "catches up" not in text


def test_days_without_report_and_filters_without_rows(get: Get) -> None:
    later = get("/parts/summary?from=2026-11-01&to=2026-11-03")
    assert "No report of these days" in later
    assert "The latest report is of 14 Oct 2026" in later
    nobody = get("/parts/summary?team=nobody&job=iris")
    assert "Nothing for these filters" in nobody
    assert 'href="/throughput?job=iris">Every team' in nobody
    partly = get("/parts/summary?from=2026-10-01&to=2026-10-06")
    assert "2 of 6 days have a report" in partly
    assert "No report: 1 Oct, 2 Oct, 3 Oct, 4 Oct" in partly


def test_a_store_that_does_not_answer(reports: Path, latest: date) -> None:
    def refuse(uri: str, connection: str) -> object:
        raise ConnectionError("Could not connect to the endpoint")

    web = TestClient(the_app(reports, at(latest), open_store=refuse))
    answer = web.get("/throughput/parts/summary", headers={"x-groundswell-fragment": "1"})
    assert answer.status_code == 502
    text = plain(answer.text)
    assert "Could not connect to the endpoint" in text
    assert "the connection “aws_default” in Airflow" in text
    assert "data-retry" in answer.text
    for part in PARTS[1:]:  # one message is enough
        quiet = web.get(f"/throughput/parts/{part}")
        assert (quiet.status_code, plain(quiet.text)) == (502, "")
    assert web.get("/throughput").status_code == 200
    assert web.get("/throughput?script=no").status_code == 502


def test_settings_that_cannot_be_read_are_named(tmp_path: Path, latest: date) -> None:
    web = TestClient(the_app(settings_file(tmp_path, late_days="many"), at(latest)))
    answer = web.get("/throughput/parts/summary")
    assert answer.status_code == 500
    assert "worker_metrics.yaml" in answer.text
    assert "late_days" in answer.text
    settings_file(tmp_path)  # put right: no restart is needed
    assert web.get("/throughput/parts/summary").status_code == 200


def test_an_unreadable_day_is_told_and_left_out(made: Made, tmp_path: Path) -> None:
    file = settings_file(tmp_path, made.zone)
    settings = ReportSettings.load(file)
    store = ReportStore(FolderStore(tmp_path / "reports"))
    for day in made.days[:3]:
        publish(store, day, day_tables(made, day), settings)
    record = store.current(made.days[1])
    assert record
    broken = tmp_path / "reports" / "days" / str(made.days[1]) / record["folder"] / "workers.parquet"
    broken.write_bytes(b"not a table")
    for name in ("current.json", "revisions/1/record.json"):
        (tmp_path / "reports" / "days" / str(made.days[2]) / name).write_text("{")
    web = TestClient(the_app(file, at(made.days[2] + timedelta(days=1))))
    html = web.get("/throughput/parts/summary").text
    assert "leave out 2 days that cannot be read" in html
    assert "6 Oct 2026:" in html
    assert "7 Oct 2026:" in html
    expected = day_tables(made, made.days[0]).workers["submitted"].sum()
    assert tile(html, "Tasks submitted").startswith(f"{expected:,}")


@pytest.mark.parametrize(
    ("days_later", "hour", "late"),
    [(1, 4, False), (1, 12, False), (2, 4, False), (2, 12, True), (9, 1, True)],
)
def test_a_late_report_is_said_once_it_is_due(
    reports: Path, latest: date, days_later: int, hour: int, late: bool
) -> None:
    web = TestClient(the_app(reports, at(latest + timedelta(days=days_later), hour)))
    html = web.get("/throughput/parts/summary").text
    assert ("The latest report is of Wednesday, 14 Oct 2026." in html) == late


def test_a_day_without_names_of_workers_is_counted_and_said(made: Made, tmp_path: Path) -> None:
    file = settings_file(tmp_path, made.zone)
    store = ReportStore(FolderStore(tmp_path / "reports"))
    day = made.days[0]
    done = day_tables(made, day)
    files = {"summary.parquet": tables.to_parquet(without_workers(done).summary, SUMMARY)}
    more = {"time_zone": "UTC"}
    store.publish(day, files, "2", done.totals, kind="sealed", sealed="workers", more=more)
    web = TestClient(the_app(file, at(day + timedelta(days=1))))
    html = web.get("/throughput/parts/summary").text
    assert tile(html, "Tasks submitted").startswith(f"{done.workers['submitted'].sum():,}")
    assert "Workers no longer told apart: 5 Oct" in html
    assert tile(html, "Active workers") == formats.NONE, "how many they were is not known any more"
    text = web.get(f"/throughput/days/{day}").text
    assert "The report of this day was removed" in text
