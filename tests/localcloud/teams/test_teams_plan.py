from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.teams import PlanError, default_plan, load_plan
from localcloud.teams.cli import main
from localcloud.teams.people import dropping, people_of
from localcloud.teams.plan import make_plan

TEAM: dict[str, Any] = {"name": "a", "workers": 9, "jobs": ["cats"]}
JOB: dict[str, Any] = {"name": "cats", "task_type": "image-classification", "median": "8s"}


def write(path: Path, **values: Any) -> Path:
    path.write_text(yaml.safe_dump({"teams": [TEAM], "jobs": [JOB], **values}))
    return path


def test_a_plan_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        """
        seed: 3
        days: 2
        until: 2026-11-20
        teams:
          - {name: paris, workers: 12, time_zone: Europe/Paris, start: "08:00", end: "16:30",
             labelling: 2h, days: [mon, tue], jobs: [cats]}
        jobs:
          - {name: cats, task_type: image-classification, median: 9s, renewed: weekly}
        oddities: {late: 0, sudden_drop: 0}
        """
    )
    plan = load_plan(path)
    assert (plan.first, plan.last) == (date(2026, 11, 19), date(2026, 11, 20))
    assert plan.teams[0].labelling == 7200
    assert plan.teams[0].start.hour == 8
    assert plan.jobs[0].name_on(date(2027, 1, 1)) == "cats-2026-w53"
    assert plan.jobs[0].first_day(date(2027, 1, 1)) == date(2026, 12, 28)
    assert plan.oddities.late == 0
    assert plan.oddities.duplicates > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"teams": [{**TEAM, "jobs": ["dogs"]}]}, "unknown job 'dogs'; use one of cats"),
        ({"teams": [TEAM, {**TEAM, "name": "A"}]}, "two teams called 'a'"),
        ({"teams": [{**TEAM, "time_zone": "Europe/Pariss"}]}, "teams[0].time_zone: 'Europe/Pariss' is no"),
        ({"teams": [{**TEAM, "start": 540}]}, "teams[0].start: 540 is no time of day; write it in quotes"),
        ({"teams": [{**TEAM, "end": "10:59"}]}, "teams[0]: end must be two hours after start"),
        ({"teams": [{**TEAM, "worker": 3}]}, "teams[0].worker: is no option; did you mean workers?"),
        ({"teams": [{**TEAM, "workers": 0}]}, "teams[0].workers: 0 must be 1 or more"),
        ({"jobs": [{**JOB, "median": "fast"}]}, "jobs[0].median: 'fast' is not a duration"),
        ({"oddities": {"late": 2}}, "oddities.late: 2 must be 1 or less"),
        ({"oddities": {"deleted": 9}}, "oddities want 12 odd workers, but the teams have 9"),
        ({"days": 1000}, "days: 1000 must be 400 or less"),
        ({"seed": "x"}, "seed: "),
    ],
)
def test_mistakes_name_file_field_and_fix(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "plan.yaml", **values)
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2]", "{", "\x00", "a: &x [*x]"])
def test_files_that_are_no_plan(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(PlanError, match=r"plan\.yaml"):
        load_plan(path)
    with pytest.raises(PlanError, match="cannot be read"):
        load_plan(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "2"], "--workers 2: every one of 3 teams needs a worker"),
        (["--teams", "26"], "--teams 26: SageMaker has 1 to 25"),
        (["--days", "0"], "days: 0 must be 1 or more"),
        (["--plan", "nothing.yaml"], "nothing.yaml: cannot be read"),
        (["--plan", "nothing.yaml", "--teams", "2"], "are for plays without --plan"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--endpoint", "http://127.0.0.1:1", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_people_are_the_same_every_time() -> None:
    plan = default_plan()
    people = people_of(plan)
    assert people == people_of(plan)
    assert len({p.username for p in people}) == len({p.sub for p in people}) == plan.workers == 40
    assert [p.team.name for p in people].count("berlin-vision") == 14
    assert all(p.username.isascii() and " " not in p.username and "'" not in p.username for p in people)
    for kind in ("too_fast", "too_uniform", "clock_skew", "deleted"):
        assert sum(kind in p.oddities for p in people) == 1
    assert people_of(plan.replace(seed=8)) != people
    subs = {people[3].username: "11111111-2222-3333-4444-555555555555"}
    assert people_of(plan, subs)[3].sub == subs[people[3].username]
    assert people_of(plan, subs)[4] == people[4]
    assert len({p.username for p in people_of(default_plan(5000))}) == 5000
    assert {dropping(plan, week) for week in range(30)} > {dropping(plan, 3)}


def test_a_plan_knows_until_when_or_says_so() -> None:
    with pytest.raises(PlanError, match="until"):
        _ = default_plan().last
    assert default_plan(until=date(2026, 3, 1), days=2).first == date(2026, 2, 28)
    with pytest.raises(PlanError, match="plan: teams"):
        make_plan({"jobs": [JOB]})
