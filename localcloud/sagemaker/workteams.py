"""The operations on private workforces and work teams, whose members are groups of a Cognito user pool.

The texts of errors are AWS's where clients are known to match on them (Terraform's AWS provider does:
"No workforce", "The work team"). OIDC workforces, VPC portals and the workers' portal itself are not
there, so neither answer has a ``SubDomain``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from localcloud.sagemaker.arns import WORKFORCE, WORKTEAM, Caller
from localcloud.sagemaker.errors import ApiError, NotSupported, Refused, ResourceInUse
from localcloud.sagemaker.listing import listed
from localcloud.sagemaker.store import AlreadyStored, Document, DocumentStore
from workforce.clock import Clock

MAX_WORKTEAMS = 25
"""CreateWorkteam, Amazon SageMaker API reference: per account and region."""
DEFAULT_WORKFORCE = "default"
_MISSING = frozenset({"ResourceNotFoundException", "UserPoolNotFoundException"})


class UserPools:
    """What is asked of Cognito: whether the parts of a definition exist."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        """``client`` returns the client of a service, here of ``cognito-idp``."""
        self._client = client

    def require(self, pool: str, client_id: str, group: str | None = None) -> None:
        """Raise Refused unless pool, app client and, if given, group exist."""
        self._call(f"User pool {pool} does not exist.", "describe_user_pool", UserPoolId=pool)
        self._call(
            f"Client {client_id} does not exist in user pool {pool}.",
            "describe_user_pool_client",
            UserPoolId=pool,
            ClientId=client_id,
        )
        if group is not None:
            problem = f"User group {group} does not exist in user pool {pool}."
            self._call(problem, "get_group", UserPoolId=pool, GroupName=group)

    def _call(self, problem: str, operation: str, **arguments: str) -> None:
        try:
            getattr(self._client("cognito-idp"), operation)(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise Refused(problem) from error
            raise


class Workforces:
    """CreateWorkforce and its relatives; an account has at most one."""

    def __init__(self, store: DocumentStore, pools: UserPools, clock: Clock) -> None:
        self._store = store
        self._pools = pools
        self._clock = clock
        self._only_one = threading.Lock()

    def create(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Store the account's workforce; raises Refused when there is one or its pool does not exist."""
        for member, fix in (
            ("OidcConfig", "give a CognitoConfig"),
            ("WorkforceVpcConfig", "leave it out"),
        ):
            if member in params:
                raise NotSupported(member, fix)
        config = params.get("CognitoConfig")
        if config is None:
            raise Refused("One of CognitoConfig and OidcConfig is required.")
        self._pools.require(config["UserPool"], config["ClientId"])
        kept = {k: params[k] for k in ("SourceIpConfig", "IpAddressType") if k in params}
        document = self.add(params["WorkforceName"], dict(config), caller, kept)
        return {"WorkforceArn": document["WorkforceArn"]}

    def add(
        self, name: str, config: Document, caller: Caller, more: Mapping[str, Any] | None = None
    ) -> Document:
        """Store a workforce of an existing pool and return it; raises Refused when there is one."""
        now = self._clock.now()
        document: Document = {
            "WorkforceName": name,
            "WorkforceArn": caller.arn(WORKFORCE, name),
            "CognitoConfig": config,
            "CreateDate": now,
            "LastUpdatedDate": now,
            "CreationTime": now,  # what lists are sorted by
            "Status": "Active",
            **(more or {}),
        }
        with self._only_one:
            if self._store.all(WORKFORCE):
                raise Refused(
                    f"Cannot create more than one workforce for account {caller.account}. If you are trying "
                    "to update existing workforce, please use UpdateWorkforce API"
                )
            self._store.insert(WORKFORCE, name, document)
        return document

    def describe(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Return the workforce of that name."""
        return {"Workforce": self.named(params["WorkforceName"])}

    def list(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Return one page of the workforces, of which there is at most one."""
        page, token = listed(self._store.all(WORKFORCE), params, name_key="WorkforceName", descending=False)
        return {"Workforces": page, "NextToken": token}

    def delete(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Forget a workforce that no work team belongs to."""
        workforce = self.named(params["WorkforceName"])
        teams = [
            team["WorkteamName"]
            for team in self._store.all(WORKTEAM)
            if team["WorkforceArn"] == workforce["WorkforceArn"]
        ]
        if teams:
            raise ResourceInUse(
                f"Workforce {workforce['WorkforceName']} contains the work teams {', '.join(teams)}; "
                "delete them first."
            )
        self._store.delete(WORKFORCE, workforce["WorkforceName"])
        return {}

    def named(self, name: str) -> Document:
        """Return a workforce; raises Refused when there is none of that name."""
        workforce = self._store.get(WORKFORCE, name)
        if workforce is None:
            raise Refused(f"No workforce found with name {name}.")
        return workforce

    def only(self) -> Document | None:
        """Return the account's workforce, None when it has none."""
        return next(iter(self._store.all(WORKFORCE)), None)


class Workteams:
    """CreateWorkteam and its relatives."""

    def __init__(self, store: DocumentStore, workforces: Workforces, pools: UserPools, clock: Clock) -> None:
        self._store = store
        self._workforces = workforces
        self._pools = pools
        self._clock = clock

    def create(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Store a team of groups of the workforce's user pool.

        As on AWS, the first team of an account that has no workforce makes one.
        """
        name = params["WorkteamName"]
        if self._store.get(WORKTEAM, name) is not None:
            raise self._taken(name)
        if len(self._store.all(WORKTEAM)) >= MAX_WORKTEAMS:
            raise ApiError(
                "ResourceLimitExceeded", f"An account may have at most {MAX_WORKTEAMS} work teams."
            )
        members = self._members(params)
        workforce = self._workforce(params.get("WorkforceName"), members, caller)
        now = self._clock.now()
        document: Document = {
            "WorkteamName": name,
            # the middle part is documented by every ARN of a private team, such as in Ground Truth's logs
            "WorkteamArn": caller.arn(WORKTEAM, f"private-crowd/{name}"),
            "WorkforceArn": workforce["WorkforceArn"],
            "MemberDefinitions": members,
            "Description": params["Description"],
            "CreateDate": now,
            "LastUpdatedDate": now,
            "CreationTime": now,
            "Tags": params.get("Tags", []),
            **_settings(params),
        }
        try:
            self._store.insert(WORKTEAM, name, document)
        except AlreadyStored as error:
            raise self._taken(name) from error
        return {"WorkteamArn": document["WorkteamArn"]}

    def describe(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Return a team."""
        team = self._store.get(WORKTEAM, params["WorkteamName"])
        if team is None:
            raise self._missing(params["WorkteamName"], caller)
        return {"Workteam": team}

    def list(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Return one page of the teams."""
        page, token = listed(self._store.all(WORKTEAM), params, name_key="WorkteamName", descending=False)
        return {"Workteams": page, "NextToken": token}

    def update(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Replace the members, the description or the settings that are given."""
        name = params["WorkteamName"]
        before = self.describe(params, caller)["Workteam"]
        changes = {k: params[k] for k in ("Description",) if k in params} | _settings(params)
        if "MemberDefinitions" in params:
            members = self._members(params)
            self._same_pool(members, self._workforces.named(_last(before["WorkforceArn"])))
            changes["MemberDefinitions"] = members
        changes["LastUpdatedDate"] = self._clock.now()
        team = self._store.update(WORKTEAM, name, lambda document: document.update(changes))
        if team is None:
            raise self._missing(name, caller)
        return {"Workteam": team}

    def delete(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Forget a team."""
        if not self._store.delete(WORKTEAM, params["WorkteamName"]):
            raise self._missing(params["WorkteamName"], caller)
        return {"Success": True}

    def _members(self, params: Mapping[str, Any]) -> Sequence[Document]:
        members = [dict(member) for member in params["MemberDefinitions"]]
        for member in members:
            if "OidcMemberDefinition" in member:
                raise NotSupported("OidcMemberDefinition", "give a CognitoMemberDefinition")
            group = member.get("CognitoMemberDefinition")
            if group is None:
                raise Refused(
                    "A member definition needs one of CognitoMemberDefinition and OidcMemberDefinition."
                )
            self._pools.require(group["UserPool"], group["ClientId"], group["UserGroup"])
        return members

    def _workforce(self, name: str | None, members: Sequence[Document], caller: Caller) -> Document:
        workforce = self._workforces.named(name) if name else self._workforces.only()
        if workforce is None:
            first = members[0]["CognitoMemberDefinition"]
            config = {"UserPool": first["UserPool"], "ClientId": first["ClientId"]}
            workforce = self._workforces.add(DEFAULT_WORKFORCE, config, caller)
        self._same_pool(members, workforce)
        return workforce

    def _same_pool(self, members: Sequence[Document], workforce: Document) -> None:
        pool = workforce["CognitoConfig"]["UserPool"]
        for member in members:
            own = member["CognitoMemberDefinition"]["UserPool"]
            if own != pool:
                raise Refused(
                    f"User pool {own} is not the user pool {pool} of workforce {workforce['WorkforceName']}: "
                    "a workforce corresponds to a single user pool."
                )

    def _taken(self, name: str) -> ResourceInUse:
        return ResourceInUse(f"A work team with the name {name} already exists.")

    def _missing(self, name: str, caller: Caller) -> Refused:
        arn = caller.arn(WORKTEAM, f"private-crowd/{name}")
        return Refused(f"The work team {arn} does not exist.")


def _settings(params: Mapping[str, Any]) -> Document:
    return {k: params[k] for k in ("NotificationConfiguration", "WorkerAccessConfiguration") if k in params}


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]
