"""A play through the real AWS API, and what a reader of that API finds afterwards."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.teams import Plan, default_plan, simulate, truth_of
from localcloud.teams.delivery import total
from localcloud.teams.directory import PlayError
from localcloud.teams.example import SECONDS
from localcloud.teams.lines import LOG_GROUP
from localcloud.teams.metrics import WORKTEAM
from localcloud.teams.player import Played, clients_of, play
from localcloud.teams.simulation import start_ms
from tests.support.cloud_process import CHECKOUT, CloudProcess

pytestmark = pytest.mark.contract

_YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
LAST = _YESTERDAY - timedelta(days=(_YESTERDAY.weekday() - 4) % 7)
"""A Friday: people work on it and on the day before, and the day after is over or today."""
ODD = {"late": 0.05, "deleted": 1, "too_fast": 0, "too_uniform": 0, "clock_skew": 0}


class Account:
    """A local cloud of its own, and a reader that knows AWS but not the player."""

    def __init__(self, cloud: CloudProcess) -> None:
        self.cloud = cloud
        self.logs = cloud.client("logs")
        self.cloudwatch = cloud.client("cloudwatch")
        self.cognito = cloud.client("cognito-idp")
        self.sagemaker = cloud.client("sagemaker")

    def play(self, plan: Plan, **more: Any) -> Played:
        return play(plan, clients_of(self.cloud.endpoint_url), **more)

    def lines(self) -> list[tuple[int, str]]:
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=LOG_GROUP)
        return [(e["timestamp"], e["message"]) for page in pages for e in page["events"]]

    def users(self, pool: str) -> dict[str, dict[str, str]]:
        pages = self.cognito.get_paginator("list_users").paginate(UserPoolId=pool, Limit=5)
        users = [user for page in pages for user in page["Users"]]
        return {u["Username"]: {a["Name"]: a["Value"] for a in u["Attributes"]} for u in users}

    def sums(self, first: date, last: date, size: int, name: str | None = None) -> Counter[str]:
        """Add up all metrics with so many dimensions, by name."""
        pages = self.cloudwatch.get_paginator("list_metrics").paginate(Namespace=WORKTEAM)
        metrics = [
            metric
            for page in pages
            for metric in page["Metrics"]
            if len(metric["Dimensions"]) == size
            and (name is None or name in {d["Value"] for d in metric["Dimensions"]})
        ]
        sums: Counter[str] = Counter()
        for low in range(0, len(metrics), 100):
            queries = [
                {"Id": f"q{n}", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}
                for n, metric in enumerate(metrics[low : low + 100])
            ]
            for page in self.cloudwatch.get_paginator("get_metric_data").paginate(
                StartTime=datetime.combine(first, time(), UTC),
                EndTime=datetime.combine(last + timedelta(days=1), time(), UTC),
                MetricDataQueries=queries,
            ):
                for result in page["MetricDataResults"]:
                    metric = metrics[low + int(result["Id"][1:])]
                    sums[metric["MetricName"]] += sum(result["Values"])
        return sums


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account with nothing in it: a play expects to be alone."""
    cloud = CloudProcess(tmp_path_factory.mktemp("teams") / "state")
    cloud.start()
    yield Account(cloud)
    cloud.stop()


def plan_of(days: int = 2, until: date = LAST, seed: int = 7) -> Plan:
    plan = default_plan(10, 3, days=days, until=until, seed=seed)
    return plan.replace(oddities={**dict(plan.oddities), **ODD})


@pytest.fixture(scope="module")
def played(account: Account) -> Played:
    return account.play(plan_of())


def test_the_log_has_what_the_simulation_says(account: Account, played: Played) -> None:
    expected = [(e.timestamp_ms, e.message) for e in simulate(played.plan, played.account)]
    assert Counter(account.lines()) == Counter(expected)
    assert total(played.days).lines == len(expected) > 500
    streams = account.logs.describe_log_streams(logGroupName=LOG_GROUP)["logStreams"]
    assert len(streams) == 2
    prefix = "aws/sagemaker/groundtruth/worker-activity/000000000000-us-east-1/"
    assert all(stream["logStreamName"].startswith(prefix) for stream in streams)


def test_the_metrics_have_what_the_truth_says(account: Account, played: Played) -> None:
    row = truth_of(played.plan, account=played.account).totals()["all"]
    for size in (1, 2, 3):
        sums = account.sums(played.plan.first, played.plan.last, size)
        assert 0 < sums.pop("ActiveWorkers") <= 40
        assert sums == pytest.approx(
            {
                "TasksAccepted": row.metric_accepted,
                "TasksSubmitted": row.metric_submitted,
                "TasksReturned": row.metric_returned,
                "TasksDeclined": row.metric_declined,
                "TimeSpent": row.metric_seconds,
            }
        )
    worker = max(truth_of(played.plan, account=played.account).rows.items(), key=lambda kv: kv[1].submitted)
    found = account.sums(played.plan.first, played.plan.last, 3, worker[0][4])
    rows = truth_of(played.plan, account=played.account).totals(by=lambda key: key[4])
    assert found["TasksSubmitted"] == rows[worker[0][4]].metric_submitted


def test_the_workers_are_in_cognito_but_for_who_left(account: Account, played: Played) -> None:
    users = account.users(played.account.pool_id)
    gone = [person for person in played.people if "deleted" in person.oddities]
    assert [person.username for person in played.deleted] == [person.username for person in gone]
    assert len(gone) == 1
    assert users.keys() == {p.username for p in played.people} - {gone[0].username}
    for person in played.people:
        if person not in gone:
            user = users[person.username]
            assert user["sub"] == person.sub
            assert user["email"] == person.email
            assert user["name"] == f"{user['given_name']} {user['family_name']}" == person.name
    assert any(gone[0].sub in message for _, message in account.lines())
    for team in played.plan.teams:
        members = account.cognito.list_users_in_group(UserPoolId=played.account.pool_id, GroupName=team.name)[
            "Users"
        ]
        assert {m["Username"] for m in members} == {
            p.username for p in played.people if p.team == team and p not in gone
        }


def test_the_teams_are_in_sagemaker(account: Account, played: Played) -> None:
    workforce = account.sagemaker.describe_workforce(WorkforceName="groundswell")["Workforce"]
    assert workforce["CognitoConfig"]["UserPool"] == played.account.pool_id
    teams = account.sagemaker.list_workteams()["Workteams"]
    assert {team["WorkteamName"] for team in teams} == {team.name for team in played.plan.teams}
    arns = {team["WorkteamArn"] for team in teams}
    assert all(any(arn in message for arn in arns) for _, message in account.lines() if "workteam" in message)


def test_playing_again_adds_nothing_and_more_days_only_themselves(account: Account, played: Played) -> None:
    before = Counter(account.lines())
    sums = account.sums(played.plan.first, LAST, 3)
    again = total(account.play(plan_of()).days)
    assert (again.lines, again.points) == (0, 0)
    assert again.lines_before == before.total()
    assert Counter(account.lines()) == before

    more = account.play(plan_of(3, LAST + timedelta(days=1)))
    days = {day.day: day for day in more.days}
    assert days[LAST].lines == days[LAST].points == 0
    whole = simulate(more.plan, more.account)
    assert Counter(account.lines()) == Counter((e.timestamp_ms, e.message) for e in whole)
    assert more.account.subs == played.account.subs, "a deleted worker keeps the id"
    assert account.sums(played.plan.first, LAST, 3) == sums


def test_a_play_that_was_cut_short_is_completed(account: Account, played: Played) -> None:
    monday = played.plan.first - timedelta(days=3)
    plan = plan_of(1, monday)
    half = account.play(plan, now=datetime.combine(monday, time(13), UTC)).days[0]
    assert half.lines > 50
    assert half.points > 0
    whole = account.play(plan)
    assert whole.days[0].lines_before == half.lines
    assert whole.days[0].points_before == half.points
    there = [line for line in account.lines() if line[0] // 86_400_000 == start_ms(monday) // 86_400_000]
    assert Counter(there) == Counter((e.timestamp_ms, e.message) for e in simulate(plan, whole.account))
    row = truth_of(plan, account=whole.account).totals()["all"]
    assert account.sums(monday, monday, 3)["TasksSubmitted"] == row.metric_submitted


def test_another_plan_on_the_same_days_is_refused(account: Account, played: Played) -> None:
    users = account.users(played.account.pool_id)
    with pytest.raises(PlayError, match="was already played with another plan"):
        account.play(plan_of(seed=8))
    assert account.users(played.account.pool_id) == users
    with pytest.raises(PlayError, match="is of another user pool"):
        account.play(plan_of(1, LAST - timedelta(days=30)).replace(pool="other"))
    with pytest.raises(PlayError, match="not over"):
        account.play(plan_of(until=datetime.now(UTC).date() + timedelta(days=1)))


def test_the_example_on_the_command_line(account: Account, played: Played) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "localcloud.teams", "--endpoint", account.cloud.endpoint_url, *arguments],
            cwd=Path(CHECKOUT),
            capture_output=True,
            text=True,
            check=False,
        )

    day = str(LAST)
    first, second = run("--example", "--until", day), run("--example", "--until", day)
    assert first.returncode == second.returncode == 0, first.stderr
    assert "28 log lines" in first.stdout
    assert "played before" in second.stdout
    sums = account.sums(LAST, LAST, 2, "Sample-labeling-team")
    assert sums["TasksSubmitted"] == len(SECONDS) == 14
    assert sums["TimeSpent"] == pytest.approx(136.92)
    failed = run("--seed", "9", "--until", day)
    assert failed.returncode == 1
    assert "already played" in failed.stderr
    assert "Traceback" not in failed.stderr
