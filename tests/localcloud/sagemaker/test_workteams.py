"""Private workforces, work teams and the lists of labeling jobs, with unmodified boto3."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud_process import CloudProcess

pytestmark = pytest.mark.contract


class People:
    """A user pool with two groups, and a workforce of it."""

    def __init__(self, cloud: CloudProcess) -> None:
        self.cognito = cloud.client("cognito-idp")
        self.sagemaker = cloud.client("sagemaker")
        self.pool, self.client = self.make_pool()

    def make_pool(self) -> tuple[str, str]:
        pool = self.cognito.create_user_pool(PoolName=f"pool-{uuid.uuid4().hex[:6]}")["UserPool"]["Id"]
        client = self.cognito.create_user_pool_client(UserPoolId=pool, ClientName="portal")["UserPoolClient"]
        for group in ("red", "blue"):
            self.cognito.create_group(UserPoolId=pool, GroupName=group)
        return pool, client["ClientId"]

    def config(self, **other: str) -> dict[str, str]:
        return {"UserPool": self.pool, "ClientId": self.client, **other}

    def members(self, *groups: str, **other: str) -> list[dict[str, Any]]:
        return [{"CognitoMemberDefinition": self.config(UserGroup=group, **other)} for group in groups]

    def create(self, name: str, *groups: str, **more: Any) -> str:
        arn = self.sagemaker.create_workteam(
            **{
                "WorkteamName": name,
                "Description": "people",
                "MemberDefinitions": self.members(*groups or ("red",)),
                **more,
            }
        )["WorkteamArn"]
        return str(arn)

    def clear(self) -> None:
        for page in self.sagemaker.get_paginator("list_workteams").paginate():
            for team in page["Workteams"]:
                self.sagemaker.delete_workteam(WorkteamName=team["WorkteamName"])
        for workforce in self.sagemaker.list_workforces()["Workforces"]:
            self.sagemaker.delete_workforce(WorkforceName=workforce["WorkforceName"])


@pytest.fixture
def people(cloud: CloudProcess) -> Iterator[People]:
    people = People(cloud)
    people.clear()
    yield people
    people.clear()


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_workforce_is_one_per_account(people: People) -> None:
    sagemaker = people.sagemaker
    arn = sagemaker.create_workforce(WorkforceName="crew", CognitoConfig=people.config())["WorkforceArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:workforce/crew"
    workforce = sagemaker.describe_workforce(WorkforceName="crew")["Workforce"]
    assert workforce["CognitoConfig"] == people.config()
    assert workforce["Status"] == "Active"
    assert workforce["CreateDate"] == workforce["LastUpdatedDate"]
    assert [w["WorkforceName"] for w in sagemaker.list_workforces()["Workforces"]] == ["crew"]
    assert sagemaker.list_workforces(NameContains="x")["Workforces"] == []
    with pytest.raises(ClientError) as caught:
        sagemaker.create_workforce(WorkforceName="other", CognitoConfig=people.config())
    assert code_of(caught) == (
        "ValidationException",
        "Cannot create more than one workforce for account 000000000000. If you are trying to update "
        "existing workforce, please use UpdateWorkforce API",
    )
    sagemaker.delete_workforce(WorkforceName="crew")
    with pytest.raises(ClientError, match="No workforce") as caught:
        sagemaker.describe_workforce(WorkforceName="crew")
    assert code_of(caught)[0] == "ValidationException"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"UserPool": "us-east-1_nobody"}, "User pool us-east-1_nobody does not exist"),
        ({"ClientId": "nobody"}, "Client nobody does not exist in user pool"),
    ],
)
def test_a_workforce_needs_its_user_pool(people: People, wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        people.sagemaker.create_workforce(WorkforceName="crew", CognitoConfig=people.config(**wrong))
    assert code_of(caught)[0] == "ValidationException"
    assert people.sagemaker.list_workforces()["Workforces"] == []


def test_a_team_lives(people: People) -> None:
    sagemaker = people.sagemaker
    sagemaker.create_workforce(WorkforceName="crew", CognitoConfig=people.config())
    arn = people.create("painters", "red", WorkforceName="crew", Tags=[{"Key": "floor", "Value": "2"}])
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/painters"
    team = sagemaker.describe_workteam(WorkteamName="painters")["Workteam"]
    assert team["MemberDefinitions"] == people.members("red")
    assert team["WorkforceArn"].endswith(":workforce/crew")
    assert team["Description"] == "people"
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "floor", "Value": "2"}]

    changed = sagemaker.update_workteam(
        WorkteamName="painters", MemberDefinitions=people.members("red", "blue"), Description="more people"
    )["Workteam"]
    assert changed["MemberDefinitions"] == people.members("red", "blue")
    assert changed["LastUpdatedDate"] >= team["LastUpdatedDate"]
    assert changed["CreateDate"] == team["CreateDate"]
    assert sagemaker.describe_workteam(WorkteamName="painters")["Workteam"] == changed

    with pytest.raises(ClientError) as caught:
        people.create("Painters")
    assert code_of(caught)[0] == "ResourceInUse"
    with pytest.raises(ClientError, match="painters") as caught:
        sagemaker.delete_workforce(WorkforceName="crew")
    assert code_of(caught)[0] == "ResourceInUse"
    assert sagemaker.delete_workteam(WorkteamName="painters")["Success"] is True
    for call in (sagemaker.delete_workteam, sagemaker.describe_workteam, sagemaker.update_workteam):
        with pytest.raises(ClientError, match=r"The work team .*painters does not exist") as caught:
            call(WorkteamName="painters")
        assert code_of(caught)[0] == "ValidationException"


def test_the_first_team_makes_the_workforce(people: People) -> None:
    people.create("painters")
    workforce = people.sagemaker.describe_workforce(WorkforceName="default")["Workforce"]
    assert workforce["CognitoConfig"] == people.config()
    other = People.make_pool(people)
    with pytest.raises(ClientError, match="is not the user pool") as caught:
        people.create("others", MemberDefinitions=people.members("red", UserPool=other[0], ClientId=other[1]))
    assert code_of(caught)[0] == "ValidationException"
    with pytest.raises(ClientError, match="No workforce"):
        people.create("others", WorkforceName="nobody")


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({"UserGroup": "green"}, "User group green does not exist"),
        ({"ClientId": "nobody"}, "Client nobody does not exist"),
        ({"UserPool": "us-east-1_nobody"}, "User pool us-east-1_nobody does not exist"),
    ],
)
def test_a_team_needs_its_group(people: People, definition: dict[str, str], message: str) -> None:
    members = [{"CognitoMemberDefinition": people.config(**{"UserGroup": "red", **definition})}]
    with pytest.raises(ClientError, match=message) as caught:
        people.create("painters", MemberDefinitions=members)
    assert code_of(caught)[0] == "ValidationException"
    people.create("painters")
    with pytest.raises(ClientError, match=message):
        people.sagemaker.update_workteam(WorkteamName="painters", MemberDefinitions=members)
    team = people.sagemaker.describe_workteam(WorkteamName="painters")["Workteam"]
    assert team["MemberDefinitions"] == people.members("red")


@pytest.mark.parametrize(
    "members", [[{}], [{"OidcMemberDefinition": {"Groups": ["g"]}}], [{"CognitoMemberDefinition": {}}], []]
)
def test_other_members_are_refused(cloud: CloudProcess, people: People, members: list[Any]) -> None:
    unchecked = cloud.client("sagemaker", parameter_validation=False)
    with pytest.raises(ClientError) as caught:
        unchecked.create_workteam(WorkteamName="t", Description="d", MemberDefinitions=members)
    assert code_of(caught)[0] == "ValidationException"
    assert people.sagemaker.list_workteams()["Workteams"] == []


def test_teams_are_listed_in_pages_and_limited(people: People) -> None:
    for number in range(25):
        people.create(f"team-{number:02d}")
    with pytest.raises(ClientError) as caught:
        people.create("one-more")
    assert code_of(caught)[0] == "ResourceLimitExceeded"
    pages = people.sagemaker.get_paginator("list_workteams").paginate(
        SortBy="Name", SortOrder="Descending", NameContains="team-1", MaxResults=4
    )
    names = [[team["WorkteamName"] for team in page["Workteams"]] for page in pages]
    assert [len(page) for page in names] == [4, 4, 2]
    assert [name for page in names for name in page] == [f"team-{n}" for n in range(19, 9, -1)]


def test_there_are_no_labeling_jobs(people: People) -> None:
    sagemaker = people.sagemaker
    assert sagemaker.list_labeling_jobs(SortBy="Status", MaxResults=5)["LabelingJobSummaryList"] == []
    with pytest.raises(ClientError) as caught:
        sagemaker.describe_labeling_job(LabelingJobName="cats")
    assert code_of(caught)[0] == "ResourceNotFound"


def test_teams_survive_a_kill(tmp_path: Path) -> None:
    cloud = CloudProcess(tmp_path / "state")
    cloud.start()
    try:
        people = People(cloud)
        people.create("painters")
        cloud.kill()
        cloud.start()
        team = cloud.client("sagemaker").describe_workteam(WorkteamName="painters")["Workteam"]
        assert team["MemberDefinitions"] == people.members("red")
    finally:
        cloud.stop()
