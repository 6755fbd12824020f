"""What must not be missing or counted twice: idle days, workers, what stands out; and long names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from groundswell.ledger import FolderStore
from groundswell.reports.html import formats
from groundswell.reports.settings import ReportSettings
from groundswell.reports.store import ReportStore
from groundswell.ui.throughput import totals
from tests.groundswell.ui.throughput.filled_store import at, day_tables, publish, settings_file, the_app
from tests.groundswell.ui.throughput.page_parts import Get, cells, plain, tile
from tests.support.activity_rows import Made

LONG = "an-annotation-team-with-the-longest-name-that-anybody-may-give-to-a-team"


@pytest.fixture(scope="module")
def few(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Three days with names of workers, of which nobody worked on the second."""
    folder = tmp_path_factory.mktemp("whole")
    made = replace(
        made, activity=made.activity.replace({"team": {"forms": LONG}}), workteam=made.workteam[:0]
    )
    idle = replace(made, activity=made.activity[:0], ledger=made.ledger[:0], jobs=[])
    file = settings_file(folder, made.zone, names="shown")
    settings, store = ReportSettings.load(file), ReportStore(FolderStore(folder / "reports"))
    for place, day in enumerate(made.days[:3]):
        done = day_tables(idle if place == 1 else made, day, names=made.names)
        if not place:  # one of those about a job is said about its first worker
            who = done.workers.loc[done.workers["name"] != "", "worker"].iloc[0]
            done.anomalies["worker"] = [who, *done.anomalies["worker"][1:]]
        publish(store, day, done, settings)
    web = TestClient(the_app(file, at(made.days[2] + timedelta(days=1))))
    return lambda address: web.get(f"/throughput{address}").text


def test_a_day_without_work_is_listed_with_its_report(few: Get) -> None:
    html = few("/parts/tables")
    rows = {row[0]: row for row in cells(html, "days")}
    assert list(rows) == ["Wednesday, 7 Oct 2026", "Tuesday, 6 Oct 2026", "Monday, 5 Oct 2026"]
    assert set(rows["Tuesday, 6 Oct 2026"][2:-1]) == {formats.NONE}
    assert 'href="/throughput/days/2026-10-06"' in html
    assert "Days 3" in plain(html)


def test_days_on_which_nobody_worked_are_not_laid_to_filters(few: Get) -> None:
    day = "from=2026-10-06&to=2026-10-06"
    idle = few(f"/parts/summary?{day}")
    assert "No work was recorded" in idle
    assert 'href="/throughput?range=28d">Last 4 weeks' in idle
    assert "Nothing for these filters" in few(f"/parts/summary?{day}&team=birds")


def test_the_tables_count_what_the_totals_count(get: Get) -> None:
    workers = tile(get("/parts/summary"), "Active workers").split()[0]
    text = plain(get("/parts/tables"))
    assert f" Workers {workers} Worker Team " in text
    assert "no single worker" in text, "which is none"


def test_who_is_looked_for_by_name_is_looked_for_everywhere(few: Get) -> None:
    [worker] = {row[1] for row in cells(few("/parts/checks"), "anomalies")} - {formats.NONE}
    [row] = [row for row in cells(few("/parts/tables"), "workers") if row[0].startswith(worker)]
    name = row[0].removeprefix(worker).strip().replace(" ", "+")
    for asked in (worker, name):
        assert f" {worker} " in plain(few(f"/parts/tables?worker={asked}"))
        assert [row[1] for row in cells(few(f"/parts/checks?worker={asked}"), "anomalies")] == [worker]
    assert "To look at 0" in plain(few("/parts/checks?worker=nobody"))


def test_what_stands_out_is_of_the_source_that_is_asked_for(get: Get) -> None:
    def teams(query: str) -> set[str]:
        return {row[2] for row in cells(get(f"/parts/checks?range=28d{query}"), "anomalies")}

    assert teams("&source=public") == {"public"}
    assert "public" not in teams("&source=private")


def test_a_long_name_is_broken_and_leaves_the_numbers_in_sight(few: Get) -> None:
    html = few("/parts/tables")
    assert f'<th scope="row" class=" tp-long"><a data-live href="/throughput?team={LONG}"' in " ".join(
        html.split()
    )
    assert 'class=" tp-long"' not in html.split('id="tp-days"')[1]


def test_a_day_shows_its_report_before_its_files(get: Get) -> None:
    html = get("/days/2026-10-07")
    assert html.index("<iframe") < html.index('id="files"')
    assert "← 6 Oct 2026" in html
    assert "8 Oct 2026 →" in html


def test_a_growth_of_thousands_of_percent_is_said_in_times() -> None:
    [first, *_] = totals.totals({"submitted": 5800}, {"submitted": 100}, 15.0)
    assert (first.change, first.before) == ("+58\u00d7", "100")


def test_measures_that_changed_are_called_what_the_report_calls_them(get: Get) -> None:
    assert "Seconds total" not in plain(get("/days/2026-10-06"))
    assert "Time from accept to submit:" in plain(get("/days/2026-10-06"))
