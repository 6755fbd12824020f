"""Names of workers from their user pools."""

from __future__ import annotations

from typing import Any, cast

import pytest

from groundswell.aws.hooks.cognito import CognitoHook
from groundswell.aws.reporting import directory
from tests.groundswell.aws.reporting.source_hooks import POOL, Users


def user(username: str, /, **attributes: str) -> dict[str, Any]:
    return {"Username": username, "Attributes": [{"Name": k, "Value": v} for k, v in attributes.items()]}


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"name": "Ann Lee", "given_name": "A", "email": "a@x.org"}, "Ann Lee"),
        ({"name": " ", "given_name": "Ann", "family_name": "Lee", "preferred_username": "al"}, "Ann Lee"),
        ({"family_name": "Lee", "preferred_username": "al"}, "Lee"),
        ({"preferred_username": "al", "email": "a@x.org"}, "al"),
        ({"email": "a@x.org"}, "a@x.org"),
        ({}, "ann-user"),
        ({"name": "Ann\n\tLee\ud800\x00"}, "Ann Lee"),
        ({"name": "\x00\ud800", "email": "a@x.org"}, "a@x.org"),
        ({"name": "x" * 2048}, "x" * 200),
        ({"name": "<b>Ann</b>"}, "<b>Ann</b>"),
    ],
)
def test_names_of_users(attributes: dict[str, str], name: str) -> None:
    hook = cast("CognitoHook", Users({POOL: [user("ann-user", sub="1", **attributes)]}))
    assert directory.pull(hook, {POOL: ["1"]}) == ({"1": {"name": name, "pool": POOL}}, [])


def test_pools_are_read_until_all_are_found() -> None:
    hook = Users({POOL: [user(str(n), sub=str(n)) for n in range(9)], "eu-west-1_b": [user("x", sub="7")]})
    wanted = {POOL: {"3", "1"}, "eu-west-1_b": {"7"}, "": {"w"}, "eu-west-1_c": set()}
    found, problems = directory.pull(cast("CognitoHook", hook), wanted)
    assert {sub: worker["name"] for sub, worker in found.items()} == {"1": "1", "3": "3", "7": "x"}
    assert problems == []
    assert hook.read == ["x", "0", "1", "2", "3"]


def test_workers_and_pools_that_are_gone() -> None:
    hook = Users({POOL: [user("ann", sub="1")]})
    wanted = {POOL: ["1", "2", "3"], "us-east-1_gone": ["4"], "../etc; DROP": ["5"]}
    found, problems = directory.pull(cast("CognitoHook", hook), wanted)
    assert list(found) == ["1"]
    assert sorted((problem.kind, problem.count) for problem in problems) == [
        ("no longer in the pool", 2),
        ("no such pool", 1),
        ("no such pool", 1),
    ]
    assert POOL not in str(problems)
