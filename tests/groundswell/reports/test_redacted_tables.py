"""Tables that tell less about people still add up."""

from __future__ import annotations

from pathlib import Path

from groundswell.reports import schema
from groundswell.reports.day import DayInputs, DayTables, compute
from groundswell.reports.names import FORGOTTEN, Pseudonyms
from groundswell.reports.redacting import by_team_and_job, with_forgotten, without_workers
from tests.groundswell.aws.reporting.private_days import DAY, SUBS, settings_in, usual

NAMES = Pseudonyms(b"key")


def tables() -> DayTables:
    zone = settings_in(Path("/nowhere")).zone
    rows = schema.WORKTEAM.frame(
        {
            "day": [str(DAY)] * 3,
            "job": ["iris"] * 3,
            "team": ["flowers", "flowers", "trees"],
            "worker": list(SUBS.values()),
            "measure": ["submitted"] * 3,
            "value": [3.0, 4.0, 3.0],
            "dimensions": [""] * 3,
        }
    )
    called = {sub: name.title() for name, sub in SUBS.items()}
    return compute(DayInputs(DAY, zone, NAMES.of, activity=usual(DAY), workteam=rows, names=called))


def test_without_workers_groups_keep_their_numbers() -> None:
    whole = tables()
    left = without_workers(whole)
    assert set(left.workers["worker"]) == {""}
    assert left.workers["submitted"].sum() == whole.workers["submitted"].sum() == 9
    assert set(left.workers["team"]) == {"flowers", "trees"}
    groups = whole.summary[whole.summary["level"] != "worker"].reset_index(drop=True)
    assert left.summary.equals(groups)
    assert set(left.sources["worker"]) <= {""}
    assert len(left.sources)
    assert left.totals == whole.totals
    for frame in left.frames().values():
        assert not any(NAMES.of(sub) in frame.to_csv() for sub in SUBS.values())
        assert "Ann" not in frame.to_csv()


def test_stand_ins_are_rows_of_the_workers_table() -> None:
    rows = by_team_and_job(tables().summary)
    assert list(rows.columns) == schema.WORKERS.names
    assert list(rows["source"]) == ["worker_activity"] * 2
    assert by_team_and_job(schema.SUMMARY.empty()).empty


def test_forgotten_workers_become_one_and_their_numbers_add_up() -> None:
    whole = tables()
    once = with_forgotten(whole, NAMES.of(SUBS["ann"]))
    twice = with_forgotten(once, NAMES.of(SUBS["bob"]))
    assert list(once.workers["worker"]).count(FORGOTTEN) == 1
    row = twice.workers[twice.workers["worker"] == FORGOTTEN].iloc[0]
    assert (row["submitted"], row["seconds_total"]) == (6, 60.0)
    assert abs(row["seconds_median"] - 10.0) <= 0.1, "from bins"
    assert row["name"] == ""
    by_worker = twice.summary[twice.summary["level"] == "worker"]
    assert sorted(by_worker["submitted"]) == [3, 6]
    groups = [
        each.summary[each.summary["level"] != "worker"].reset_index(drop=True) for each in (whole, twice)
    ]
    assert groups[0].equals(groups[1])
    of_forgotten = twice.sources[twice.sources["worker"] == FORGOTTEN]
    difference = of_forgotten[of_forgotten["measure"] == "submitted"]
    assert list(difference[["by_events", "by_metric", "difference"]].iloc[0]) == [6.0, 7.0, -1.0]
    assert with_forgotten(twice, NAMES.of(SUBS["ann"])).workers.equals(twice.workers)
    for frame in twice.frames().values():
        assert NAMES.of(SUBS["ann"]) not in frame.to_csv()
        assert "Ann" not in frame.to_csv()
