"""The Throughput page over HTTP: what it shows is what the reports say."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from html import unescape
from pathlib import Path

import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest
from starlette.testclient import TestClient

from groundswell.ledger import FolderStore
from groundswell.reports import tables
from groundswell.reports.html import formats
from groundswell.reports.period import Period
from groundswell.reports.redacting import without_workers
from groundswell.reports.schema import SUMMARY, WORKERS
from groundswell.reports.settings import ReportSettings
from groundswell.reports.store import ReportStore
from tests.groundswell.ui.throughput.filled_store import (
    STRANGER,
    at,
    day_tables,
    publish,
    settings_file,
    the_app,
)
from tests.support.activity_rows import Made

Get = Callable[[str], str]
PARTS = ("summary", "charts", "tables", "checks")


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def tile(html: str, title: str) -> str:
    """The text of the total with this title."""
    found = re.search(rf"<dt[^>]*>{re.escape(title)}</dt>(.*?)</div>", html, re.S)
    assert found, title
    return plain(found[1])


def cells(html: str, table: str) -> list[list[str]]:
    """The body of a table of the page, as text."""
    section = html.split(f'id="tp-{table}"')[1].split("</table>")[0].split("<tbody>")[1]
    return [
        [plain(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
        for row in re.findall(r"<tr>(.*?)</tr>", section, re.S)
    ]


def heads(html: str, table: str) -> list[str]:
    section = html.split(f'id="tp-{table}"')[1].split("</thead>")[0]
    return [plain(head).replace("\xa0", " ") for head in re.findall(r"<th [^>]*>(.*?)</th>", section, re.S)]


@pytest.fixture(scope="module")
def workers(made: Made) -> pd.DataFrame:
    """The finest rows of all days, computed apart from the store and the page."""
    return pd.concat([day_tables(made, day).workers for day in made.days], ignore_index=True)


def of_days(workers: pd.DataFrame, first: str, last: str) -> pd.DataFrame:
    return workers[(workers["day"] >= first) & (workers["day"] <= last)]


# ---- numbers ----------------------------------------


def test_totals_are_those_of_the_latest_seven_days(get: Get, workers: pd.DataFrame) -> None:
    html = get("/parts/summary")
    rows = of_days(workers, "2026-10-08", "2026-10-14")
    assert "8 Oct to 14 Oct 2026" in html
    submitted = rows["submitted"].sum()
    assert tile(html, "Tasks submitted").startswith(f"{submitted:,} ")
    active = rows["active_seconds"].sum()
    assert tile(html, "Time per task").startswith(formats.seconds(active / rows["active_tasks"].sum()))
    people = rows[(rows["worker"] != "") & (rows[["submitted", "returned", "declined"]].sum(axis=1) > 0)]
    assert tile(html, "Active workers") == str(people["worker"].nunique())
    agreement = rows["agreed"].sum() / rows["judged"].sum()
    assert tile(html, "Agreement").startswith(formats.share(agreement))
    pay = rows["pay_cents"].sum() / 100 / (rows["pay_seconds"].sum() / 3600)
    assert tile(html, "Pay per hour").startswith(formats.dollars(pay))
    assert tile(html, "Cost, fees included").startswith(formats.cents(rows["cost_cents"].sum()))


def test_counts_are_compared_with_as_many_whole_days(get: Get, workers: pd.DataFrame) -> None:
    html = get("/parts/summary?from=2026-10-10&to=2026-10-13")
    submitted = of_days(workers, "2026-10-10", "2026-10-13")["submitted"].sum()
    earlier = of_days(workers, "2026-10-06", "2026-10-09")["submitted"].sum()
    change = abs(submitted - earlier) / earlier * 100
    assert f"{change:.1f}% from {earlier:,}" in tile(html, "Tasks submitted")
    assert "not compared" not in plain(html)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-10-08", "2026-10-14"),  # of the seven days before three have a report
        ("2026-10-11", "2026-10-14"),  # the last day is not over
    ],
)
def test_counts_are_not_compared_where_days_are_missing(get: Get, first: str, last: str) -> None:
    html = get(f"/parts/summary?from={first}&to={last}")
    for title in ("Tasks submitted", "Active workers", "Active time", "Cost, fees included"):
        assert " from " not in tile(html, title)
        assert "before:" not in tile(html, title)
    assert " from " in tile(html, "Tasks per hour"), "a rate can be compared"
    assert "Counts are not compared, as not all days of both are complete." in plain(html)


def test_totals_equal_a_period_of_the_same_rows(get: Get, workers: pd.DataFrame) -> None:
    html = get("/parts/summary?from=2026-10-06&to=2026-10-09&team=public")
    (row,) = (
        Period([of_days(workers, "2026-10-06", "2026-10-09")]).filtered(team="public").by().to_dict("records")
    )
    assert tile(html, "Tasks submitted").startswith(formats.count(row["submitted"]))
    low, high = formats.share(row["accuracy_low"]), formats.share(row["accuracy_high"])
    assert f"{low} to {high}" in tile(html, "Estimated accuracy")
    assert tile(html, "Gold score").startswith(formats.share(row["gold_score"]))
    assert f"median {formats.seconds(row['seconds_median'])}" in tile(html, "Time per task")
    assert tile(html, "Cost per label").startswith(formats.dollars(row["cost_per_label"]))


def test_a_median_of_one_day_is_exact(get: Get, made: Made) -> None:
    day = made.days[3]
    (row,) = [r for r in day_tables(made, day).summary.to_dict("records") if r["level"] == "all"]
    html = get(f"/parts/summary?from={day}&to={day}")
    assert f"median {formats.seconds(row['seconds_median'])}," in tile(html, "Time per task")


@pytest.mark.parametrize(
    ("table", "key"), [("teams", "team"), ("jobs", "job"), ("workers", "worker"), ("days", "day")]
)
def test_tables_add_up_by_their_key(get: Get, workers: pd.DataFrame, table: str, key: str) -> None:
    html = get("/parts/tables?range=28d")
    expected = workers.groupby(key)["submitted"].sum().astype(int).to_dict()
    place = heads(html, table).index("Submitted")
    found: dict[str, int] = {}
    for row in cells(html, table):
        name = row[0]
        if key == "day":
            name = datetime.strptime(name, "%A, %d %b %Y").date().isoformat()
        found[name] = found.get(name, 0) + int(row[place].replace(",", "").replace(formats.NONE, "0"))
    assert found == {name or "no single worker": count for name, count in expected.items()}


def test_the_machine_share_is_that_of_the_labels(get: Get, workers: pd.DataFrame) -> None:
    rows = of_days(workers, "2026-10-08", "2026-10-14")
    share = rows["machine_labels"].sum() / (rows["machine_labels"].sum() + rows["human_labels"].sum())
    assert tile(get("/parts/summary"), "Labels by machine").startswith(formats.share(share))


def test_charts_say_the_numbers_behind_them(get: Get, workers: pd.DataFrame) -> None:
    html = get("/parts/charts")
    numbers = workers[workers["day"] == "2026-10-09"].groupby("team")["submitted"].sum()
    table = html[html.index("Tasks submitted per day") :].split("</table>")[0]
    (row,) = re.findall(r'<tr><th scope="row">9 Oct 2026</th>(.*?)</tr>', table)
    assert sorted(plain(row).split()) == sorted(f"{count:,}" for count in numbers)
    assert html.count("<svg ") == html.count("</desc>") >= 6


def test_a_long_range_is_drawn_by_week(get: Get) -> None:
    assert "Tasks submitted per week" in get("/parts/charts?from=2026-07-01&to=2026-10-14")


# ---- filters ----------------------------------------


def test_a_worker_is_found_by_the_beginning_of_the_pseudonym(get: Get, workers: pd.DataFrame) -> None:
    worker = next(name for name in workers["worker"] if name)
    rows = cells(get(f"/parts/tables?range=28d&worker={worker[:8]}"), "workers")
    assert [row[0] for row in rows] == [worker]


def test_filters_combine(get: Get, workers: pd.DataFrame) -> None:
    html = get("/parts/summary?range=28d&source=private&team=birds&job=birds-species")
    rows = workers[(workers["team"] == "birds") & (workers["job"] == "birds-species")]
    assert tile(html, "Tasks submitted").startswith(f"{rows['submitted'].sum():,} ")
    assert "No row" not in html


def test_choices_stay_whole_while_one_is_chosen(get: Get) -> None:
    html = get("/parts/summary?team=birds")
    assert 'value="forms"' in html
    assert 'value="iris"' in html


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?from=yesterday", "from"),
        ("?from=2026-10-03&to=2026-10-01", "to"),
        ("?range=forever", "range"),
        ("?source=everywhere", "source"),
        ("?workers=salary", "workers"),
        ("?workers_page=0", "workers_page"),
        ("?anomalies_page=x", "anomalies_page"),
        (f"?team={'x' * 500}", "team"),
    ],
)
@pytest.mark.parametrize("path", ["", "/parts/tables", "/view.csv", "/period.html"])
def test_a_bad_parameter_is_refused_and_named(web: TestClient, path: str, query: str, field: str) -> None:
    answer = web.get(f"/throughput{path}{query}")
    assert answer.status_code == 400
    if path != "/parts/tables":
        assert f"“{field}” in the address cannot be used" in answer.text


def test_the_part_that_explains_names_the_field(web: TestClient) -> None:
    answer = web.get("/throughput/parts/summary?from=2020-01-01", headers={"x-groundswell-fragment": "1"})
    assert answer.status_code == 400
    assert "“from” in the address cannot be used" in answer.text


def test_what_the_address_says_is_escaped_everywhere(web: TestClient) -> None:
    evil = '"><script>alert(1)</script>'
    for path in ("", *(f"/parts/{part}" for part in PARTS)):
        answer = web.get(f"/throughput{path}", params={"team": evil, "worker": evil, "script": "no"})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
    assert "<script>alert" not in web.get("/throughput", params={"range": evil}).text


def test_names_of_strangers_are_text_on_the_page_and_in_csv(made: Made, tmp_path: Path, latest: date) -> None:
    day = made.days[0]
    done = day_tables(made, day)
    evil, formula = "<img src=x onerror=alert(1)>", '=HYPERLINK("http://x")'
    frame = done.workers
    frame.loc[frame["team"] == "birds", "team"] = evil
    frame.loc[frame["job"] == "iris", "job"] = formula
    done.anomalies["reason"] = evil
    file = settings_file(tmp_path, made.zone)
    publish(ReportStore(FolderStore(tmp_path / "reports")), day, done, ReportSettings.load(file))
    web = TestClient(the_app(file, at(day + timedelta(days=1))))
    whole = web.get("/throughput?script=no").text
    assert "<img src=x" not in whole
    assert unescape(whole).count(evil) >= 3  # a choice, a row, a reason
    rows = list(csv.DictReader(io.StringIO(web.get("/throughput/view.csv").text)))
    assert {row["job"] for row in rows} >= {f"'{formula}"}
    link = re.search(r'href="/throughput(\?[^"]*team=[^"]*img[^"]*)"', whole)
    assert link
    assert evil in unescape(web.get(f"/throughput/parts/tables{unescape(link[1])}").text)


# ---- tables ----------------------------------------


def test_tables_sort_by_what_the_address_says(get: Get) -> None:
    html = get("/parts/tables?range=28d&workers=submitted")
    counts = [int(row[2].replace(",", "")) for row in cells(html, "workers") if row[2] != formats.NONE]
    assert counts == sorted(counts)
    assert cells(html, "workers")[-1][2] == formats.NONE  # without a value: last either way
    head = html.split('id="tp-workers"')[1].split("</thead>")[0]
    assert head.count('aria-sort="ascending"') == 1
    assert re.search(r'aria-sort="ascending"[^>]*>\s*<a class="sort" id="sort-workers-submitted"', head)
    # the same column again turns it round, which is the default and needs no words
    assert '?range=28d"' in head.split("sort-workers-submitted")[1].split(">")[0]


def test_sorting_one_table_leaves_the_others(get: Get) -> None:
    html = get("/parts/tables?teams=team&jobs=-seconds_median")
    link = unescape(re.findall(r'id="sort-workers-hourly_pay"[^>]*href="([^"]*)"', html)[0])
    assert "teams=team" in link
    assert "jobs=-seconds_median" in link
    assert "workers=-hourly_pay" in link


def test_a_table_has_pages(made: Made, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundswell.ui.throughput.listings.PAGE_SIZE", 5)
    first = [row[0] for row in cells(get("/parts/tables?range=28d"), "workers")]
    html = get("/parts/tables?range=28d&workers_page=2")
    second = [row[0] for row in cells(html, "workers")]
    assert len(first) == len(second) == 5
    assert not {*first} & {*second}
    assert "Page 2 of" in html
    last = get("/parts/tables?range=28d&workers_page=99")  # a page that is no more: the last one
    assert cells(last, "workers")


# ---- what needs a look ----------------------------------------


def test_anomalies_are_those_of_the_days(get: Get, reports: Path) -> None:
    store = ReportStore(FolderStore(reports.parent / "reports"))
    day = date(2026, 10, 8)
    found = tables.read_parquet(store.body(day, "anomalies.parquet") or b"")
    html = get(f"/parts/checks?from={day}&to={day}")
    assert len(found) > 0
    assert f'To look at <span class="faint">{len(found)}</span>' in html
    for reason in found["reason"][:10]:
        assert str(reason) in unescape(html)


def test_disagreements_are_largest_first_with_both_counts(get: Get, made: Made) -> None:
    day = made.days[2]
    frame = day_tables(made, day).sources
    differing = frame[frame["difference"] != 0]
    html = get(f"/parts/checks?from={day}&to={day}")
    assert f'Sources that disagree <span class="faint">{len(differing)}</span>' in html
    assert f"{(frame['difference'] == 0).sum()} comparisons agree" in html
    largest = differing.loc[differing["difference"].abs().idxmax()]
    section = html.split('id="tp-sources"')[1].split("<tbody>")[1]
    first = plain(section.split("</tr>")[0])
    assert largest["job"] in first
    assert formats.duration(largest["by_events"]) in first
    assert formats.duration(largest["by_metric"]) in first


def test_revised_and_provisional_days_are_marked_with_what_changed(get: Get) -> None:
    html = get("/parts/tables?range=28d")
    states = {row[0]: row[1] for row in cells(html, "days")}
    assert states["Tuesday, 6 Oct 2026"] == "Revised, revision 2"
    assert states["Wednesday, 14 Oct 2026"] == "Provisional"
    assert states["Monday, 5 Oct 2026"] == "Final"
    changed = plain(get("/parts/checks?range=28d").split('id="tp-changed"')[1])
    assert re.search(r"2026-10-06 2 Revised .* Tasks submitted: [\d,]+ → [\d,]+", changed)
    summary = get("/parts/summary?range=28d")
    assert "Provisional: 14 Oct" in summary
    assert "Revised: 6 Oct" in summary


# ---- files ----------------------------------------


def test_the_rows_of_a_view_as_csv(web: TestClient, workers: pd.DataFrame) -> None:
    answer = web.get("/throughput/view.csv?from=2026-10-06&to=2026-10-09&team=forms")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == (
        'attachment; filename="throughput-2026-10-06-to-2026-10-09.csv"'
    )
    rows = of_days(workers, "2026-10-06", "2026-10-09")
    rows = rows[rows["team"] == "forms"].sort_values(list(WORKERS.key))
    assert answer.content == tables.to_csv(rows, WORKERS)


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
    (tmp_path / "reports" / "days" / str(made.days[2]) / "current.json").write_text("{")
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
