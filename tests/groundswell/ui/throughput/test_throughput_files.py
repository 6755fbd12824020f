"""What can be fetched from the Throughput page: rows, files of the store, reports; and by whom."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest
from starlette.testclient import TestClient

from groundswell.reports import tables
from groundswell.reports.schema import WORKERS
from tests.groundswell.ui.throughput.filled_store import (
    STRANGER,
)
from tests.groundswell.ui.throughput.page_parts import PARTS, Get, cells, of_days, plain, tile

# ---- files ----------------------------------------


def test_the_rows_of_a_view_as_csv(web: TestClient, workers: pd.DataFrame) -> None:
    answer = web.get("/throughput/view.csv?from=2026-10-06&to=2026-10-09&team=forms")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == (
        'attachment; filename="throughput-2026-10-06-to-2026-10-09-forms.csv"'
    )
    rows = of_days(workers, "2026-10-06", "2026-10-09")
    rows = rows[rows["team"] == "forms"].sort_values(list(WORKERS.key))
    assert answer.content == tables.to_csv(rows, WORKERS)


def test_files_of_several_views_can_lie_beside_each_other(web: TestClient) -> None:
    where = "from=2026-10-06&to=2026-10-06&source=public&team=a%22%0D%0Ab%2F..%2Fc&worker=w-0"
    for path, ending in (("view.csv", "csv"), ("period.html", "html")):
        said = web.get(f"/throughput/{path}?{where}&download=yes").headers["content-disposition"]
        name = "throughput-2026-10-06-to-2026-10-06-public-a-b-..-c-w-0"
        assert said == f'attachment; filename="{name}.{ending}"'


def test_files_are_those_of_the_store(web: TestClient, reports: Path) -> None:
    folder = reports.parent / "reports/days/2026-10-07"
    for name, kind in (("workers.csv", "text/csv"), ("summary.parquet", "application/vnd.apache.parquet")):
        answer = web.get(f"/throughput/days/2026-10-07/{name}")
        assert answer.content == (folder / name).read_bytes()
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["content-disposition"] == f'attachment; filename="2026-10-07-{name}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_a_report_is_served_as_a_document_that_can_do_nothing(web: TestClient) -> None:
    for path in ("days/2026-10-07/report.html", "period.html"):
        answer = web.get(f"/throughput/{path}")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"].split("; ")
        assert policy[0] == "sandbox"
        assert "default-src 'none'" in policy
        assert not [rule for rule in policy if rule.startswith("script-src")]
        assert "frame-ancestors 'self'" in policy
        assert answer.headers["content-disposition"].startswith("inline")
    saved = web.get("/throughput/days/2026-10-07/report.html?download=yes")
    assert saved.headers["content-disposition"] == 'attachment; filename="2026-10-07-report.html"'


def test_an_earlier_revision_can_be_had(web: TestClient) -> None:
    now = web.get("/throughput/days/2026-10-06/workers.csv")
    before = web.get("/throughput/days/2026-10-06/workers.csv?revision=1")
    assert before.status_code == 200
    assert before.content != now.content
    assert web.get("/throughput/days/2026-10-06/workers.csv?revision=2").content == now.content
    assert web.get("/throughput/days/2026-10-06/workers.csv?revision=9").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("days/2026-10-07/current.json", 404),
        ("days/2026-10-07/revisions", 404),
        ("days/2026-10-07/..%2F..%2F_private%2Fnames.json", 404),
        ("days/..%2F..%2Fsecret/workers.csv", 404),
        ("days/2026-10-99/workers.csv", 400),
        ("days/2026-10-7/workers.csv", 400),
        ("days/20261007", 400),
        ("days/2025-01-01/workers.csv", 404),
        ("days/2025-01-01", 404),
        ("days/2026-10-07/workers.csv?revision=0", 400),
        ("days/2026-10-07/workers.csv?revision=1e3", 400),
        ("days/2026-10-07/workers.csv?revision=..", 400),
        ("parts/everything", 404),
    ],
)
def test_only_known_files_of_real_days(web: TestClient, path: str, status: int) -> None:
    assert web.get(f"/throughput/{path}").status_code == status


def test_the_page_of_a_day(get: Get) -> None:
    html = get("/days/2026-10-06")
    assert "Tuesday, 6 Oct 2026" in html
    assert re.search(r'<iframe [^>]*src="/throughput/days/2026-10-06/report.html"[^>]*sandbox', html)
    assert 'href="/throughput/days/2026-10-05"' in html
    assert 'href="/throughput/days/2026-10-07"' in html
    assert re.search(r"Tasks submitted: [\d,]+ → [\d,]+", html)


def test_the_period_report_has_the_range_and_the_filters(get: Get, workers: pd.DataFrame) -> None:
    text = plain(get("/period.html?from=2026-10-06&to=2026-10-09&team=forms"))
    rows = of_days(workers, "2026-10-06", "2026-10-09")
    assert "6 Oct to 9 Oct 2026, team forms" in text
    assert f"{rows[rows['team'] == 'forms']['submitted'].sum():,}" in text


# ---- who, and states ----------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("", *(f"/parts/{part}" for part in PARTS), "/view.csv", "/period", "/period.html", "/charts.css"),
        *("/days/2026-10-07", "/days/2026-10-07/report.html", "/days/2026-10-07/workers.csv"),
    ],
)
def test_only_readers_of_the_dag_see_anything(web: TestClient, path: str) -> None:
    assert web.get(f"/throughput{path}", headers={"x-user": ""}).status_code == 401
    refused = web.get(f"/throughput{path}", headers={"x-user": STRANGER})
    assert refused.status_code == 403
    assert "worker_metrics" in refused.text


def test_without_script_the_page_comes_whole(get: Get, workers: pd.DataFrame) -> None:
    shell, whole = get("?team=birds"), get("?team=birds&script=no")
    assert '<meta http-equiv="refresh" content="0; url=/throughput?team=birds&amp;script=no">' in shell
    assert "http-equiv" not in whole
    assert '<input type="hidden" name="script" value="no">' in whole
    rows = of_days(workers, "2026-10-08", "2026-10-14")
    assert tile(whole, "Tasks submitted").startswith(f"{rows[rows['team'] == 'birds']['submitted'].sum():,} ")
    assert cells(whole, "workers")
    assert "data-fragment" not in whole
    links = re.findall(r'<a [^>]*href="/throughput\?([^"]*)"', whole)
    assert links
    assert all("script=no" in link for link in links)
