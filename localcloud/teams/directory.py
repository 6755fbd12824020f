"""The workers of a plan as AWS knows them: Cognito users in groups, a SageMaker workforce, work teams.

Everything is looked for first and made only where it is missing, so it may be run any number of times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from localcloud.teams.lines import LOG_GROUP
from localcloud.teams.people import Person
from localcloud.teams.plan import Plan
from localcloud.teams.simulation import Account

CLIENT_NAME = "labeling-portal"
_SUB = re.compile(r'"cognito_sub_id":"([0-9a-f-]{36})"')
_THREADS = 8


class PlayError(Exception):
    """A plan cannot be played in this account; the message says why and what to do."""


class Directory:
    """Makes and finds the people of a plan. ``clients`` returns the boto3 client of a service."""

    def __init__(self, clients: Callable[[str], Any]) -> None:
        self._cognito = clients("cognito-idp")
        self._sagemaker = clients("sagemaker")
        self._logs = clients("logs")
        self._sts = clients("sts")

    def account(self) -> str:
        """Return the number of the account."""
        return str(self._sts.get_caller_identity()["Account"])

    def prepare(self, plan: Plan, people: Sequence[Person], number: str, region: str) -> Account:
        """Make what is missing and return the account, with the ids that Cognito gave.

        Raises PlayError when the account has a workforce of another user pool.
        """
        pool = self._pool(plan.pool)
        client = self._client(pool)
        workforce = self._workforce(plan.workforce, pool, client)
        subs = dict(self._users(pool))
        with ThreadPoolExecutor(_THREADS) as threads:
            wanted = [person for person in people if person.username not in subs]
            subs.update(threads.map(lambda person: self._sub_of_missing(pool, person), wanted))
            for team in plan.teams:
                members = [p for p in people if p.team == team and "deleted" not in p.oddities]
                self._group(pool, team.name, members, threads.map)
        for team in plan.teams:
            self._team(team.name, workforce, pool, client)
        return Account(number, region, pool, subs)

    def delete(self, account: Account, people: Iterable[Person]) -> list[Person]:
        """Delete users, as when somebody leaves; return those who were still there."""
        gone = []
        for person in people:
            try:
                self._cognito.admin_delete_user(UserPoolId=account.pool_id, Username=person.username)
                gone.append(person)
            except self._cognito.exceptions.UserNotFoundException:
                continue
        return gone

    def _pool(self, name: str) -> str:
        for page in self._cognito.get_paginator("list_user_pools").paginate(MaxResults=60):
            for pool in page["UserPools"]:
                if pool["Name"] == name:
                    return str(pool["Id"])
        made = self._cognito.create_user_pool(
            PoolName=name, AdminCreateUserConfig={"AllowAdminCreateUserOnly": True}
        )
        return str(made["UserPool"]["Id"])

    def _client(self, pool: str) -> str:
        for page in self._cognito.get_paginator("list_user_pool_clients").paginate(UserPoolId=pool):
            for client in page["UserPoolClients"]:
                if client["ClientName"] == CLIENT_NAME:
                    return str(client["ClientId"])
        made = self._cognito.create_user_pool_client(UserPoolId=pool, ClientName=CLIENT_NAME)
        return str(made["UserPoolClient"]["ClientId"])

    def _users(self, pool: str) -> Iterator[tuple[str, str]]:
        for page in self._cognito.get_paginator("list_users").paginate(UserPoolId=pool):
            for user in page["Users"]:
                yield user["Username"], _sub(user["Attributes"])

    def _sub_of_missing(self, pool: str, person: Person) -> tuple[str, str]:
        """Return the name and id of a worker whom the pool lacks, made anew unless deleted on purpose."""
        known = self._sub_in_log(person) if "deleted" in person.oddities else None
        if known:
            return person.username, known
        values = {
            "email": person.email,
            "email_verified": "true",
            "name": person.name,
            "given_name": person.given_name,
            "family_name": person.family_name,
        }
        user = self._cognito.admin_create_user(
            UserPoolId=pool,
            Username=person.username,
            UserAttributes=[{"Name": name, "Value": value} for name, value in values.items()],
            MessageAction="SUPPRESS",
        )["User"]
        return person.username, _sub(user["Attributes"])

    def _sub_in_log(self, person: Person) -> str | None:
        """Return the id that a worker had, as the log remembers it."""
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=LOG_GROUP, filterPattern=f'"{person.worker_id}"', PaginationConfig={"PageSize": 10}
        )
        try:
            for page in pages:
                for event in page["events"]:
                    if found := _SUB.search(event["message"]):
                        return found[1]
        except self._logs.exceptions.ResourceNotFoundException:
            pass
        return None

    def _group(self, pool: str, name: str, people: Sequence[Person], each: Any) -> None:
        try:
            self._cognito.create_group(UserPoolId=pool, GroupName=name)
        except self._cognito.exceptions.GroupExistsException:
            pages = self._cognito.get_paginator("list_users_in_group").paginate(
                UserPoolId=pool, GroupName=name
            )
            there = {user["Username"] for page in pages for user in page["Users"]}
            people = [person for person in people if person.username not in there]

        def join(person: Person) -> None:
            self._cognito.admin_add_user_to_group(UserPoolId=pool, Username=person.username, GroupName=name)

        list(each(join, people))

    def _workforce(self, name: str, pool: str, client: str) -> str:
        for workforce in self._sagemaker.list_workforces()["Workforces"]:
            found = workforce.get("CognitoConfig", {}).get("UserPool")
            if found != pool:
                raise PlayError(
                    f"the account's one private workforce, {workforce['WorkforceName']}, is of another user "
                    f"pool ({found}); name that pool in the plan's `pool`, or delete the workforce"
                )
            return str(workforce["WorkforceName"])
        self._sagemaker.create_workforce(
            WorkforceName=name, CognitoConfig={"UserPool": pool, "ClientId": client}
        )
        return name

    def _team(self, name: str, workforce: str, pool: str, client: str) -> None:
        member = {"UserPool": pool, "ClientId": client, "UserGroup": name}
        try:
            self._sagemaker.create_workteam(
                WorkteamName=name,
                WorkforceName=workforce,
                MemberDefinitions=[{"CognitoMemberDefinition": member}],
                Description=f"Private team {name}",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUse":
                raise


def _sub(attributes: Iterable[dict[str, str]]) -> str:
    return next(attribute["Value"] for attribute in attributes if attribute["Name"] == "sub")
