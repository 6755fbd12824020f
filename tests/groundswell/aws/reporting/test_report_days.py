"""A day's report: written where its inputs changed, with names only where they are shown."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.publishing import publish
from groundswell.reports import measures, schema
from groundswell.reports.names import PSEUDONYM
from tests.groundswell.aws.reporting.private_days import (
    DAY,
    NEXT_MORNING,
    POOL,
    SUBS,
    entry,
    events,
    holding,
    pseudonyms,
    reports_in,
    usual,
    write,
)

LATER = NEXT_MORNING + timedelta(days=1)


def test_a_day_is_written_once_and_again_where_late_events_came(tmp_path: Path) -> None:
    first = write(reports_in(tmp_path), DAY, usual(DAY))
    assert (first["revision"], first["kind"], first["changed"]) == (1, "first", True)
    assert first["totals"]["submitted"] == 9
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = write(reports_in(tmp_path), DAY, usual(DAY), now=datetime.now(UTC) + timedelta(minutes=1))
    assert (again["revision"], again["changed"]) == (1, False)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    late = write(reports_in(tmp_path), DAY, events(DAY, ("ann", 600, 20.0)), now=LATER)
    assert (late["revision"], late["kind"], late["changed"]) == (2, "revised", True)
    record = reports_in(tmp_path).store.current(DAY)
    assert record is not None
    assert record["history"][1]["why"] == "Late data: events"
    changes = {change["measure"]: change for change in record["history"][1]["changes"]}
    assert (changes["submitted"]["before"], changes["submitted"]["after"]) == (9, 10)
    assert (changes["seconds_total"]["before"], changes["seconds_total"]["after"]) == (90.0, 110.0)
    page = (tmp_path / "public/days/2026-11-02/report.html").read_text()
    assert "Revised" in page
    assert "UTC" in page


def test_a_day_of_other_formulas_is_computed_anew_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(schema, "FORMULAS", schema.FORMULAS - 1)
        before.setattr(measures, "_HOUR", 60.0)
        write(reports_in(tmp_path), DAY, usual(DAY))
    assert write(reports_in(tmp_path), DAY, usual(DAY), now=LATER)["kind"] == "revised"
    record = reports_in(tmp_path).store.current(DAY)
    assert record is not None
    assert record["history"][1]["why"] == "Changed: formulas"
    assert record["history"][1]["changes"] == [{"measure": "tasks_per_hour", "before": 6.0, "after": 360.0}]


def test_a_try_that_died_after_writing_is_told_by_the_next(tmp_path: Path) -> None:
    began = datetime.now(UTC)
    write(reports_in(tmp_path), DAY, usual(DAY), now=began)
    assert write(reports_in(tmp_path), DAY, now=began)["changed"], "it was this run that wrote it"
    assert not write(reports_in(tmp_path), DAY, now=began + timedelta(minutes=1))["changed"]


def test_a_day_without_events_has_a_report(tmp_path: Path) -> None:
    result = write(reports_in(tmp_path), DAY)
    assert result["totals"]["submitted"] in {None, 0}
    assert (tmp_path / "public/days/2026-11-02/report.html").read_text()
    publish(reports_in(tmp_path), [result], NEXT_MORNING)
    assert reports_in(tmp_path).store.months() == ["2026-11"]


def test_a_provisional_day_becomes_final_without_being_revised(tmp_path: Path) -> None:
    noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    first = write(reports_in(tmp_path), DAY, usual(DAY, 1), now=noon, provisional=True)
    assert first["provisional"]
    final = write(reports_in(tmp_path), DAY, usual(DAY))
    assert (final["kind"], final["provisional"], final["revision"]) == ("final", False, 2)
    record = reports_in(tmp_path).store.current(DAY)
    assert record is not None
    assert not record["revised"]
    same = write(reports_in(tmp_path), DAY, now=noon, provisional=True)
    assert not same["provisional"], "a day that is over stays over"


def test_no_raw_id_is_public_and_no_name_unless_shown(tmp_path: Path) -> None:
    reports = reports_in(tmp_path)
    Inputs.of(reports).put_names({SUBS["ann"]: "Ann Other"}, DAY)
    write(reports, DAY, usual(DAY))
    publish(reports, [write(reports, DAY)], NEXT_MORNING)
    for text in (*SUBS.values(), POOL, "Ann Other"):
        assert holding(tmp_path / "public", text) == set(), text
    assert holding(tmp_path / "private", SUBS["ann"]), "the helper finds what is there"
    table = reports.store.table(DAY, "workers")
    assert set(table["worker"]) == set(pseudonyms(reports).values())
    assert all(PSEUDONYM.fullmatch(worker) for worker in table["worker"])
    shown = reports_in(tmp_path, "names: shown")
    result = write(shown, DAY, now=LATER)
    assert (result["changed"], result["revision"]) == (True, 2)
    names = dict(shown.store.table(DAY, "workers")[["worker", "name"]].itertuples(index=False))
    assert names == {
        pseudonyms(reports)["ann"]: "Ann Other",
        **{pseudonyms(reports)[each]: "" for each in ("bob", "cyd")},
    }
    record = shown.store.current(DAY)
    assert record is not None
    assert record["history"][-1]["why"].startswith("Changed:")
    assert "Late" not in record["history"][-1]["why"]


def test_pseudonyms_are_the_same_on_all_days_and_of_one_key(tmp_path: Path) -> None:
    reports = reports_in(tmp_path)
    for day in (DAY, DAY + timedelta(days=1)):
        write(reports, day, usual(day))
    one, two = (set(reports.store.table(day, "workers")["worker"]) for day in (DAY, DAY + timedelta(days=1)))
    assert one == two
    assert pseudonyms(reports_in(tmp_path)) == pseudonyms(reports)
    assert set(pseudonyms(reports_in(tmp_path / "elsewhere")).values()).isdisjoint(one)


def test_the_reports_of_a_month_hold_its_days_and_say_nothing_of_now(tmp_path: Path) -> None:
    reports = reports_in(tmp_path)
    days = [date(2026, 10, 31), DAY, DAY + timedelta(days=1)]
    written = [write(reports, day, usual(day)) for day in days]
    result = publish(reports, written, NEXT_MORNING)
    assert result["months"] == ["2026-10", "2026-11"]
    assert result["days"] == [day.isoformat() for day in days]
    assert (result["day"], result["revised"]) == ("2026-11-03", [])
    assert result["report"].endswith("/public/days/2026-11-03/report.html")
    assert result["totals"]["submitted"] == 9
    page = reports.store.month("2026-11")
    assert page is not None
    assert b"November 2026" in page
    again = publish(reports_in(tmp_path), written, LATER)
    assert reports.store.month("2026-11") == page
    assert again["sealed"] == []
    json.dumps(result)


def test_the_same_events_in_another_order_give_the_same_files(tmp_path: Path) -> None:
    for name, rows in (("a", usual(DAY)), ("b", usual(DAY).iloc[::-1])):
        reports = reports_in(tmp_path / name)
        reports.private.put("pseudonym.key", b"0" * 64)
        write(reports, DAY, rows)
    files = [
        path.relative_to(tmp_path / "a")
        for path in (tmp_path / "a/public").rglob("*")
        if path.suffix in {".csv", ".parquet"}
    ]
    assert len(files) == 20
    for file in files:
        other = tmp_path / "b" / re.sub(r"revisions/1/\w+/", lambda found: found[0], file.as_posix())
        assert other.read_bytes() == (tmp_path / "a" / file).read_bytes(), file


@pytest.mark.parametrize("kind", ["revised", "sealed"])
def test_what_counts_as_revised_was_final_before(tmp_path: Path, kind: str) -> None:
    reports = reports_in(tmp_path)
    write(reports, DAY, usual(DAY))
    result = write(reports, DAY, events(DAY, ("ann", 600, 20.0)), now=NEXT_MORNING)
    told = publish(reports, [result | {"kind": kind}], NEXT_MORNING)
    assert told["revised"] == (["2026-11-02"] if kind == "revised" else [])
    assert entry(DAY)["day"] == told["day"]


def test_reports_whose_key_is_lost_do_not_rename_everybody(tmp_path: Path) -> None:
    write(reports_in(tmp_path), DAY, usual(DAY))
    reports_in(tmp_path).private.remove("pseudonym.key")
    with pytest.raises(AirflowFailException, match=r"pseudonym\.key is gone.*restore it from a backup"):
        write(reports_in(tmp_path), DAY, events(DAY, ("ann", 600, 20.0)), now=LATER)
    assert reports_in(tmp_path).private.get("pseudonym.key") is None
    record = reports_in(tmp_path).store.current(DAY)
    assert record is not None
    assert record["revision"] == 1
