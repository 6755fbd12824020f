from __future__ import annotations

import dataclasses
import re
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest

from groundswell.reports import schema
from groundswell.reports.day import DayInputs, compute
from groundswell.reports.html import formats
from groundswell.reports.html.render import render_day, render_period
from groundswell.reports.period import Period
from tests.groundswell.reports.html import report_tables as made
from tests.support import activity_rows

SETTINGS = made.settings()


class Page(HTMLParser):
    """A page's elements in order, its headings, and the rows of its tables by caption."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[tuple[int, str]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._open: list[str] = []
        self._caption = ""
        self._rows: list[list[str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in {"h1", "h2", "h3"}:
            self.headings.append((int(tag[1]), ""))
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])
        if tag in {"td", "th"}:
            self._rows[-1].append("")
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if {"h1", "h2", "h3"} & set(self._open):
            level, said = self.headings[-1]
            self.headings[-1] = (level, said + data)
        if "caption" in self._open:
            self._caption += data
        elif {"td", "th"} & set(self._open):
            self._rows[-1][-1] += data


def shuffled(tables: made.Tables, seed: int = 1) -> made.Tables:
    return dataclasses.replace(
        tables,
        **{
            name: getattr(tables, name).sample(frac=1, random_state=seed)
            for name in ("workers", "summary", "sources", "anomalies", "problems")
        },
    )


@pytest.fixture(scope="module")
def usual() -> tuple[made.Tables, dict[str, Any], Period, str]:
    tables, record, course = made.usual_day()
    return tables, record, course, render_day(tables, record, course, SETTINGS)


@pytest.fixture(scope="module")
def nasty() -> str:
    return render_day(*made.nasty_day(), SETTINGS)


@pytest.fixture(scope="module")
def many() -> str:
    return render_day(*made.many_workers(), SETTINGS)


@pytest.fixture(scope="module")
def month() -> str:
    days = made.month(first=date(2026, 10, 1), days=31)
    records = [made.record(day) for day, _ in days[:-1]]
    records[4] = made.revised(days[4][0])
    records[-1]["provisional"] = True
    return render_period(
        Period([frame for _, frame in days]),
        "October 2026",
        days[0][0],
        days[-1][0],
        settings=SETTINGS,
        records=records,
        anomalies=pd.concat([made.anomalies(day, frame) for day, frame in days[::5]]),
        sources=pd.concat([made.sources(day, frame) for day, frame in days]),
        problems=pd.concat([made.problems(day) for day, _ in days]),
    )


@pytest.fixture(scope="module")
def true_day() -> tuple[Any, str]:
    """The report of the Friday of a week that were computed from events."""
    crowd = activity_rows.make(days=5, workers=30, odd={"fast": 1, "careless": 1}, tasks=90.0)
    history: list[tuple[date, pd.DataFrame]] = []
    for day in crowd.days:
        inputs = DayInputs(
            day, ZoneInfo(crowd.zone), lambda raw: f"w-{raw[:10]}", history=history, **crowd.inputs(day)
        )
        tables = compute(inputs, fair_pay=15.0)
        history.append((day, tables.workers))
    course = Period([frame for _, frame in history])
    return tables, render_day(tables, made.record(crowd.days[-1]), course, SETTINGS)


def reports(request: pytest.FixtureRequest, name: str) -> str:
    found = request.getfixturevalue(name)
    return found if isinstance(found, str) else found[-1]


ALL = ("usual", "nasty", "many", "month", "true_day", "nothing", "one")


@pytest.fixture
def nothing() -> str:
    return render_day(*made.nothing(), SETTINGS)


@pytest.fixture
def one() -> str:
    return render_day(*made.one_worker(), SETTINGS)


@pytest.mark.parametrize("name", ALL)
def test_a_report_asks_for_nothing_and_runs_nothing(request, name) -> None:
    page = Page(reports(request, name))
    policy = next(attrs for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in str(policy["content"])
    tags = {tag for tag, _ in page.tags}
    assert not tags & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "video",
        "use",
        "image",
    }
    for _, attrs in page.tags:
        assert not any(attribute.startswith("on") or attribute in {"src", "style"} for attribute in attrs)
        assert str(attrs.get("href", "#")).startswith("#")
    assert not re.search(r"url\(|@import", reports(request, name).split("</style>")[0])


@pytest.mark.parametrize("name", ALL)
def test_headings_landmarks_and_tables_can_be_followed_without_eyes(request, name) -> None:
    page = Page(reports(request, name))
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    tags = [tag for tag, _ in page.tags]
    assert (tags.count("main"), tags.count("header"), tags.count("nav")) == (1, 1, 1)
    assert tags.count("caption") == tags.count("table")
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {str(attrs["href"])[1:] for tag, attrs in page.tags if tag == "a"}
    assert links <= set(ids)
    for _, attrs in page.tags:
        assert set(str(attrs.get("aria-labelledby", "")).split()) <= set(ids)
    scrolling = [attrs for _, attrs in page.tags if attrs.get("role") == "region"]
    assert all(attrs.get("tabindex") == "0" and attrs.get("aria-label") for attrs in scrolling)


def test_title_zone_and_order_of_what_matters(usual) -> None:
    page = Page(usual[-1])
    assert page.headings[0] == (1, "Friday, 6 Nov 2026")
    assert "Europe/Berlin" in page.text
    sections = [name for level, name in page.headings if level == 2]
    assert sections == [
        "The day in total",
        "What needs attention",
        "Private and public",
        "By team",
        "By job",
        "By task type",
        "By worker",
        "The weeks before",
        "Pay and cost",
        "Labels by people and machine",
        "About these numbers",
        "What the measures mean",
    ]


def test_totals_are_those_of_the_tables_beside_the_usual(usual) -> None:
    tables, record, course, html = usual
    day = pd.Timestamp(record["day"])
    total = tables.summary[tables.summary["level"] == "all"].iloc[0]
    text = Page(html).text
    assert f"submitted {total['submitted']:,} tasks" in text
    fridays = course.by("day").set_index("day")["submitted"]
    before = [fridays[str((day - pd.Timedelta(days=7 * ago)).date())] for ago in range(1, 5)]
    assert f"usual {round(pd.Series(before).median()):,}" in text
    assert f"range {min(before):,} to {max(before):,}" in text
    assert "the last 4 Fridays" in text


def test_workers_are_drawn_no_longer_than_they_are_kept(usual) -> None:
    """Also on the page of a later day; what teams did stays."""
    tables, record, course, html = usual
    short = made.settings(retention={"inputs": "9d", "workers": "10d"})
    cut = render_day(tables, record, course, short)
    worker = tables.workers.sort_values("submitted")["worker"].iloc[-1]

    def points(page: str, name: str) -> int:
        [drawn] = re.findall(rf'<tr><th[^>]*><bdi>{name}<.*?<path d="([^"]*)"', page)
        return len(re.findall("[ML]", drawn))

    assert (points(html, worker), points(html, "street-scenes")) == (29, 29)
    # Written on 7 November: days from 28 October are kept
    assert (points(cut, worker), points(cut, "street-scenes")) == (10, 29)
    assert len(re.findall("Submitted per day", cut)) == len(re.findall("Submitted per day", html))


def test_only_what_is_far_from_all_like_days_is_said_to_be(usual) -> None:
    tables, record, course, html = usual
    assert "far above" not in html
    crowded = dataclasses.replace(tables, summary=tables.summary.copy())
    whole = crowded.summary["level"] == "all"
    crowded.summary.loc[whole, "submitted"] = crowded.summary.loc[whole, "submitted"] * 5
    assert "far above all of the last 4 Fridays" in render_day(crowded, record, course, SETTINGS)


def test_every_row_and_number_of_a_table_is_the_one_computed(usual) -> None:
    tables, _, _, html = usual
    rows = Page(html).tables["Work by team"]
    head, body = rows[1], rows[2:]
    found = tables.summary[tables.summary["level"] == "team"].sort_values("submitted", ascending=False)
    assert [row[0].split("Own")[0].split("Private")[0] for row in body] == found["team"].tolist()
    place = head.index("Submitted")
    assert [row[place] for row in body] == [f"{number:,}" for number in found["submitted"]]
    place = head.index("Agreement")
    assert [row[place] for row in body] == [
        "\u2013" if pd.isna(number) else f"{100 * number:.1f}%" for number in found["agreement"]
    ]


def test_what_changed_is_shown_before_and_after_with_the_reason(usual) -> None:
    page = Page(usual[-1])
    assert "Revised." in page.text
    last = page.tables["Revision 3, 2026-11-09 05:11 UTC: 2 late events"]
    assert last[1] == ["Submitted", "1,521", "1,523", "+2"]
    earlier = page.tables["Revision 2, 2026-11-08 05:11 UTC: 31 late events"]
    assert earlier[1:] == [
        ["Submitted", "1,490", "1,521", "+31"],
        ["Active time", "14 h 10 min", "14 h 30 min", "+20 min"],
        ["Agreement", "\u2013", "93.1%", "\u2013"],
    ]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, "Complete."),
        ({"sealed": "inputs"}, "Final."),
        ({"provisional": True, "kind": "provisional"}, "Provisional."),
        ({"kind": "forgotten", "why": "a worker was forgotten"}, "Revised."),
    ],
)
def test_the_state_of_a_report_is_said(more, word) -> None:
    tables, record, _ = made.one_worker()
    text = Page(render_day(tables, {**record, **more}, None, SETTINGS)).text
    assert word in text
    assert "Revision 1, written 2026-11-07 05:12 UTC" in text
    assert "9 Nov 2026" in text or word in ("Revised.", "Final.")


def test_findings_problems_and_both_counts_of_sources_are_shown(usual) -> None:
    tables, _, _, html = usual
    page = Page(html)
    for row in tables.anomalies.itertuples():
        assert row.reason in page.text
    rows = page.tables["Input that could not be used as it was"]
    assert rows[1][:3] == ["Duplicate eventPrivate teams (activity log)", "14", "Nothing; each counts once."]
    differ = page.tables["Counts that differ between events and metrics"]
    known = tables.sources.dropna(subset=["by_metric"])
    off = known[known["difference"] != 0].iloc[0]
    numbers = [f"{off['by_events']:,.0f}", f"{off['by_metric']:,.0f}", f"+{off['difference']:.0f}"]
    assert numbers in [row[3:] for row in differ]
    lonely = tables.sources[tables.sources["by_metric"].isna()].iloc[0]
    assert [f"{lonely['by_events']:,.0f}", "\u2013", "\u2013"] in [row[3:] for row in differ]


def test_bytes_do_not_depend_on_the_order_of_rows(usual) -> None:
    tables, record, course, html = usual
    other = Period([course.rows.sample(frac=1, random_state=3)])
    assert render_day(shuffled(tables), record, other, SETTINGS) == html


def test_markup_in_names_is_text(nasty) -> None:
    assert nasty.encode("utf-8")
    assert "<script>" not in nasty
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in nasty
    assert "\u202e" not in nasty
    assert nasty.count("</style>") == 1
    assert "49" not in Page(nasty).tables["Work by team"][-1][0]
    assert "{{ 7*7 }}" in nasty


def test_two_thousand_workers_stay_usable(many) -> None:
    assert len(many) < 1_500_000
    page = Page(many)
    caption = "Work by worker, most submitted tasks first"
    assert len(page.tables[caption]) == 2 + 40
    assert len(page.tables[f"{caption}, the rest"]) == 2 + 1960
    assert "1,960 more workers; all are in workers.csv" in page.text
    assert "not printed" in many.split("</style>")[0]


def test_a_day_without_any_event_says_so_and_what_may_be_the_reason(nothing) -> None:
    page = Page(nothing)
    assert "No work was recorded. 5 problems with the input may be the reason" in page.text
    assert "Look at the connection" in page.text
    assert "By team" not in page.text
    tables, record, _ = made.nothing()
    quiet = dataclasses.replace(tables, problems=schema.PROBLEMS.empty())
    assert "so nobody worked" in render_day(quiet, record, None, SETTINGS)


def test_measures_without_any_value_are_no_columns_but_are_named(one) -> None:
    page = Page(one)
    assert "Agreement" not in page.tables["Work by team"][1]
    assert "No source gave: Agreement" in page.text
    assert "Trends need at least three days" in page.text


def test_a_period_says_which_days_are_missing_provisional_or_revised(month) -> None:
    text = Page(month).text
    assert "30 days reported; 1 provisional (30 Oct)" in text
    assert "revised (5 Oct)" in text
    assert "no report for 1 day (31 Oct)" in text


def test_a_period_joins_findings_and_problems_of_its_days(month) -> None:
    page = Page(month)
    assert "On 6 days. Last: " in page.text or "On 5 days. Last: " in page.text
    rows = page.tables["Input that could not be used as it was"]
    assert rows[1][:2] == ["Duplicate eventPrivate teams (activity log), 31 days", str(14 * 31)]


def test_every_measure_is_defined(month) -> None:
    text = Page(month).text
    for column in schema.MEASURES:
        if not column.parquet_only:
            assert column.meaning in text
            assert column.formula in text


def test_names_are_shown_only_where_the_settings_say_so() -> None:
    tables, record, course = made.one_worker()
    for frame in (tables.workers, tables.summary):
        frame["name"] = frame["worker"].where(frame["worker"] == "", "Ada Lovelace")
    pseudonym = tables.workers["worker"].iloc[0]
    assert "Ada" not in render_day(tables, record, course, SETTINGS)
    shown = render_day(tables, record, course, made.settings(names="shown"))
    assert f"Ada Lovelace ({pseudonym})" in shown


def test_a_report_of_computed_tables_holds_their_numbers(true_day) -> None:
    tables, html = true_day
    page = Page(html)
    assert (
        f"{tables.totals['workers']} workers in 3 teams submitted {tables.totals['submitted']:,} tasks"
        in page.text
    )
    assert len(tables.anomalies) > 0
    for reason in tables.anomalies["reason"]:
        assert formats.sentence(reason) in page.text
    rows = page.tables["Work by worker, most submitted tasks first"][2:]
    assert len(rows) == tables.totals["workers"]
