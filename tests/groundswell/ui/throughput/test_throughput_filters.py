"""What an address of the Throughput page asks for."""

from __future__ import annotations

from datetime import date

import pytest

from groundswell.ui.throughput.filters import BadFilterError, Filters, Order, Span

LATEST = date(2026, 11, 20)
TODAY = date(2026, 11, 22)


def span(**parameters: str) -> tuple[str, str]:
    found = Filters.read({name.rstrip("_"): value for name, value in parameters.items()}).span(LATEST, TODAY)
    return str(found.first), str(found.last)


def test_the_default_is_a_week_that_ends_with_the_latest_report() -> None:
    assert span() == ("2026-11-14", "2026-11-20")


@pytest.mark.parametrize(
    ("preset", "days"),
    [
        ("yesterday", ("2026-11-21", "2026-11-21")),
        ("7d", ("2026-11-14", "2026-11-20")),
        ("28d", ("2026-10-24", "2026-11-20")),
        ("month", ("2026-11-01", "2026-11-21")),
    ],
)
def test_a_preset_names_days(preset: str, days: tuple[str, str]) -> None:
    assert span(range=preset) == days


def test_this_month_is_its_first_day_while_that_lasts() -> None:
    days = Filters(preset="month").span(LATEST, date(2026, 12, 1))
    assert days == Span(date(2026, 12, 1), date(2026, 12, 1))


def test_dates_win_over_a_preset() -> None:
    assert span(from_="2026-10-01", to="2026-10-05", range="28d") == ("2026-10-01", "2026-10-05")


def test_without_a_last_day_the_latest_report_is_it() -> None:
    assert span(from_="2026-11-01") == ("2026-11-01", "2026-11-20")
    assert span(from_="2026-11-25") == ("2026-11-25", "2026-11-25")


def test_without_a_first_day_it_is_the_week_that_ends_with_the_last() -> None:
    assert span(to="2026-11-02", range="28d") == ("2026-10-27", "2026-11-02")


def test_the_range_before_is_as_long_and_ends_the_day_before() -> None:
    assert Span(date(2026, 11, 1), date(2026, 11, 7)).before() == Span(date(2026, 10, 25), date(2026, 10, 31))


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "20261121"}, "from"),
        ({"from": "2026-W47-6"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"from": "2026-11-01", "to": "2026-13-01"}, "to"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "to"),
        ({"from": "2020-01-01", "to": "2026-11-01"}, "from"),
        ({"range": "8d"}, "range"),
        ({"source": "ledger"}, "source"),
        ({"team": "x" * 401}, "team"),
        ({"job": "x" * 401}, "job"),
        ({"worker": "x" * 401}, "worker"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(parameters: dict[str, str], field: str) -> None:
    with pytest.raises(BadFilterError) as caught:
        Filters.read(parameters)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


def test_a_first_day_long_ago_needs_a_last_one() -> None:
    with pytest.raises(BadFilterError, match="from: more than 400 days before the latest report"):
        span(from_="2020-01-01")


def test_the_longest_range_is_taken() -> None:
    assert Filters.read({"from": "2025-10-18", "to": "2026-11-21"}).span(LATEST, TODAY).days == 400
    with pytest.raises(BadFilterError):
        Filters.read({"from": "2025-10-17", "to": "2026-11-21"})


def test_rows_are_named_as_reports_name_them() -> None:
    filters = Filters.read({"source": "public", "team": "north", "worker": " w-0123456789 "})
    assert filters.rows() == {"source": "ledger", "team": "north", "worker": "w-0123456789"}


def test_an_address_says_what_is_not_the_default_and_reads_back() -> None:
    parameters = {"from": "2026-11-01", "to": "2026-11-03", "team": 'a&b="<', "source": "private"}
    filters = Filters.read(parameters)
    assert filters.parameters() == parameters
    assert Filters().query() == ""
    assert Filters(team="a&b c").query() == "?team=a%26b+c"


def test_changes_of_an_address() -> None:
    filters = Filters.read({"from": "2026-11-01", "to": "2026-11-03", "team": "north"})
    assert filters.query(range="28d") == "?range=28d&team=north"
    assert filters.query(range="7d") == "?team=north"
    assert filters.query(team="", workers="-pay") == "?from=2026-11-01&to=2026-11-03&workers=-pay"


def test_an_order_is_read_and_said() -> None:
    columns = ("worker", "submitted")
    order = Order.read({"workers": "submitted", "workers_page": "3"}, "workers", columns, "-submitted")
    assert order == Order("submitted", descending=False, page=3)
    assert Order.read({}, "workers", columns, "-submitted").said() == "-submitted"


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"workers": "salary"}, "workers"),
        ({"workers": "--submitted"}, "workers"),
        ({"workers_page": "0"}, "workers_page"),
        ({"workers_page": "-1"}, "workers_page"),
        ({"workers_page": "²"}, "workers_page"),
        ({"workers_page": "9" * 5000}, "workers_page"),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused_by_name(parameters: dict[str, str], field: str) -> None:
    with pytest.raises(BadFilterError) as caught:
        Order.read(parameters, "workers", ("worker", "submitted"), "-submitted")
    assert caught.value.field == field
