"""A worker who asks to be forgotten is in no file any more, and the numbers of teams stay."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from groundswell.aws.reporting.forgetting import forget
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.opening import Reports, forgotten_marks
from groundswell.aws.reporting.publishing import publish
from tests.groundswell.aws.reporting.private_days import (
    ANOTHER_RUN,
    DAY,
    NEXT_MORNING,
    POOL,
    SUBS,
    events,
    holding,
    pseudonyms,
    reports_in,
    usual,
    write,
)

OTHER_DAY = DAY + timedelta(days=1)
ANN = SUBS["ann"]


def two_days(folder: Path) -> Reports:
    """Ann worked on two days, the first of which was revised."""
    reports = reports_in(folder, "names: shown")
    Inputs.of(reports).put_names({ANN: "Ann Other", SUBS["bob"]: "Bob"}, DAY)
    write(reports, DAY, usual(DAY))
    results = [
        write(reports, DAY, events(DAY, ("ann", 600, 20.0))),
        write(reports, OTHER_DAY, usual(OTHER_DAY)),
    ]
    publish(reports, results, NEXT_MORNING)
    return reports


def by_team(reports: Reports, day: Any) -> list[tuple[Any, ...]]:
    summary = reports.store.table(day, "summary")
    rows = summary[summary["level"].isin(["all", "team", "job", "team_job"])]
    return list(
        rows[["level", "team", "job", "submitted", "seconds_total"]].itertuples(index=False, name=None)
    )


def test_days_that_do_not_name_the_worker_are_left_alone(tmp_path: Path) -> None:
    reports = reports_in(tmp_path)
    write(reports, DAY, events(DAY, ("ann", 1, 9.0)))
    write(reports, OTHER_DAY, events(OTHER_DAY, ("bob", 1, 9.0)))
    write(reports, OTHER_DAY, events(OTHER_DAY, ("bob", 2, 9.0)))
    # Trends of workers in the page of the second day go back to the first
    pages = holding(tmp_path / "public/days" / OTHER_DAY.isoformat(), pseudonyms(reports)["ann"])
    done = forget(reports, ANN, NEXT_MORNING)
    assert (pages, done["days"]) == (set(), [DAY.isoformat()])
    assert reports.store.body(OTHER_DAY, "workers.csv", revision=1)
    assert not reports.store.body(DAY, "workers.csv", revision=1)


def test_a_worker_leaves_no_trace_and_teams_keep_their_numbers(tmp_path: Path) -> None:
    reports = two_days(tmp_path)
    called = pseudonyms(reports)
    before = {day: by_team(reports, day) for day in (DAY, OTHER_DAY)}
    assert holding(tmp_path, ANN)
    assert holding(tmp_path, called["ann"])
    assert holding(tmp_path, "Ann Other")
    done = forget(reports_in(tmp_path, "names: shown"), called["ann"], NEXT_MORNING)
    assert done["pseudonym"] == called["ann"]
    assert done["days"] == done["inputs"] == [DAY.isoformat(), OTHER_DAY.isoformat()]
    assert done["months"] == ["2026-11"]
    assert done["name"]
    assert done["revisions"] > 0
    assert "ledgers" in done
    for text in (ANN, called["ann"], "Ann Other"):
        assert holding(tmp_path, text) == set(), text
    assert holding(tmp_path, called["bob"])
    assert holding(tmp_path, "Bob")
    reports = reports_in(tmp_path, "names: shown")
    assert {day: by_team(reports, day) for day in (DAY, OTHER_DAY)} == before
    workers = reports.store.table(DAY, "workers")
    assert set(workers["worker"]) == {"forgotten", called["bob"], called["cyd"]}
    record = reports.store.current(DAY)
    assert record is not None
    assert [each["kind"] for each in record["history"]] == ["first", "revised", "forgotten"]
    assert record["history"][-1]["why"] == "A worker was forgotten"
    assert reports.store.body(DAY, "workers.csv", revision=1) is None


def test_it_may_be_done_again_and_the_worker_does_not_come_back(tmp_path: Path) -> None:
    called = pseudonyms(two_days(tmp_path))["ann"]
    forget(reports_in(tmp_path), ANN, NEXT_MORNING)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = forget(reports_in(tmp_path), called, NEXT_MORNING + timedelta(days=9))
    assert (again["days"], again["inputs"], again["revisions"], again["name"]) == ([], [], 0, False)
    marks = list(forgotten_marks(reports_in(tmp_path).private))
    assert len(marks) == 1
    assert again["already"] == NEXT_MORNING.date().isoformat()
    assert {path: path.read_bytes() for path in files if path.name != "forgotten.json"} == {
        path: body for path, body in files.items() if path.name != "forgotten.json"
    }
    reports = reports_in(tmp_path)
    again_pulled = write(reports, DAY, usual(DAY), now=ANOTHER_RUN)
    assert not again_pulled["changed"], "what is known of forgotten workers is known"
    late = write(reports, DAY, events(DAY, ("ann", 700, 5.0)), now=NEXT_MORNING + timedelta(days=1))
    assert late["totals"]["submitted"] == 11
    assert holding(tmp_path, ANN) == holding(tmp_path, called) == set()


def test_who_is_known_by_pseudonym_only_is_forgotten_where_the_inputs_are_gone(tmp_path: Path) -> None:
    reports = two_days(tmp_path)
    called = pseudonyms(reports)
    before = {day: by_team(reports, day) for day in (DAY, OTHER_DAY)}
    publish(
        reports_in(tmp_path, "retention: {inputs: 10d, workers: 730d}"),
        [write(reports, OTHER_DAY)],
        NEXT_MORNING + timedelta(days=60),
    )
    assert Inputs.of(reports).days() == []
    forget(reports_in(tmp_path), called["ann"], NEXT_MORNING)
    forget(reports_in(tmp_path), called["bob"], NEXT_MORNING)
    assert holding(tmp_path / "public", called["ann"]) == holding(tmp_path / "public", called["bob"]) == set()
    reports = reports_in(tmp_path)
    assert {day: by_team(reports, day) for day in (DAY, OTHER_DAY)} == before
    workers = reports.store.table(DAY, "workers")
    assert sorted(workers["worker"]) == sorted(["forgotten", called["cyd"]]), "both are one row now"
    gone = workers[workers["worker"] == "forgotten"].iloc[0]
    assert (gone["submitted"], gone["seconds_total"]) == (7, 80.0)
    assert gone["name"] == ""
    record = reports.store.current(DAY)
    assert record is not None
    assert record["sealed"] == "inputs"
    assert reports.pseudonyms.of(ANN) == "forgotten", "should the events come back"


@pytest.mark.parametrize("die_at", [0, 1, 9, 30])
def test_a_deletion_that_dies_is_finished_by_the_next(tmp_path: Path, die_at: int, monkeypatch: Any) -> None:
    called = pseudonyms(two_days(tmp_path))["ann"]
    left = [die_at]

    def die(self: Any, *args: Any) -> Any:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return original(self, *args)

    from groundswell.reports.parts import RemovableFolder

    original = RemovableFolder.remove
    with monkeypatch.context() as patched:
        patched.setattr(RemovableFolder, "remove", die)
        try:
            forget(reports_in(tmp_path), ANN, NEXT_MORNING)
        except KeyboardInterrupt:
            pass
        else:
            assert die_at > 20, "it removes something"
    forget(reports_in(tmp_path), ANN, NEXT_MORNING)
    assert holding(tmp_path, ANN) == holding(tmp_path, called) == set()
    assert reports_in(tmp_path).store.table(DAY, "workers")["submitted"].sum() == 10


def test_a_run_that_writes_the_worker_meanwhile_is_noticed(tmp_path: Path, monkeypatch: Any) -> None:
    reports = two_days(tmp_path)
    called = pseudonyms(reports)["ann"]
    from groundswell.aws.reporting import taking_out

    def written_meanwhile(*_: Any) -> list[str]:
        reports.store.public.put(f"days/{DAY}/workers.csv", called.encode())
        return []

    with monkeypatch.context() as patched:
        patched.setattr(taking_out, "write_months", written_meanwhile)
        with pytest.raises(AirflowException, match=r"workers\.csv names the worker again"):
            forget(reports_in(tmp_path), ANN, NEXT_MORNING)
    forget(reports_in(tmp_path), ANN, NEXT_MORNING)
    assert holding(tmp_path / "public", called) == set()


@pytest.mark.parametrize("who", ["", "  ", "forgotten", "a\nb"])
def test_nobody_can_not_be_forgotten(tmp_path: Path, who: str) -> None:
    with pytest.raises(AirflowFailException, match=r"worker: .* is nobody; give a Cognito sub"):
        forget(reports_in(tmp_path), who, NEXT_MORNING)


@pytest.mark.parametrize("who", ["00000000-1111-4222-8333-444455556667", "W-0123456789", "w-0123456789"])
def test_a_mistyped_id_is_an_error_and_changes_nothing(tmp_path: Path, who: str) -> None:
    write(reports_in(tmp_path), DAY, usual(DAY))
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(AirflowFailException, match=rf"nothing that is kept names '{who}'.*or set expected"):
        forget(reports_in(tmp_path), who, NEXT_MORNING)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_a_worker_who_is_only_expected_is_not_taken_in_later(tmp_path: Path) -> None:
    for already in (None, NEXT_MORNING.date().isoformat()):
        done = forget(reports_in(tmp_path), ANN, NEXT_MORNING, expected=already is None)
        assert (done["days"], done["inputs"], done["months"], done["name"]) == ([], [], [], False)
        assert done["already"] == already
    write(reports_in(tmp_path), DAY, usual(DAY))
    assert holding(tmp_path, ANN) == set()
    assert holding(tmp_path, POOL)


def test_who_is_forgotten_by_pseudonym_is_known_by_id(tmp_path: Path) -> None:
    called = pseudonyms(reports_in(tmp_path))["ann"]
    forget(reports_in(tmp_path), called, NEXT_MORNING, expected=True)
    assert forget(reports_in(tmp_path), ANN, NEXT_MORNING)["already"] == "2026-11-03"
    assert list(forgotten_marks(reports_in(tmp_path).private)) == [called.removeprefix("w-")]
