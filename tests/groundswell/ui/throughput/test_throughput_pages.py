"""The Throughput page over HTTP: what it shows is what the reports say."""

from __future__ import annotations

import csv
import io
import re
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
from groundswell.reports.settings import ReportSettings
from groundswell.reports.store import ReportStore
from tests.groundswell.ui.throughput.filled_store import (
    at,
    day_tables,
    publish,
    settings_file,
    the_app,
)
from tests.groundswell.ui.throughput.page_parts import PARTS, Get, cells, heads, of_days, plain, tile
from tests.support.activity_rows import Made

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
    assert states["Monday, 5 Oct 2026"] == "Complete"
    changed = plain(get("/parts/checks?range=28d").split('id="tp-changed"')[1])
    assert re.search(r"6 Oct 2026 2 Revised .* Tasks submitted: [\d,]+ → [\d,]+", changed)
    summary = get("/parts/summary?range=28d")
    assert "Provisional: 14 Oct" in summary
    assert "Revised: 6 Oct" in summary
