"""What workers are called, from the Cognito user pools that their events name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from groundswell.aws.exceptions import clear_errors
from groundswell.aws.hooks.cognito import CognitoHook
from groundswell.reports.problems import Problem, masked

SOURCE = "cognito"
NAME_LIMIT = 200
_POOL = re.compile(r"[\w-]{1,40}_[0-9a-zA-Z]{1,40}", re.ASCII)

Names = dict[str, dict[str, str]]


def pull(hook: CognitoHook, pools: Mapping[str, Collection[str]]) -> tuple[Names, list[Problem]]:
    """
    Look up workers in their pools. A pool is read only as far as it takes to find them all.

    :param hook: where Cognito is
    :param pools: the subs wanted, by the id of their user pool; workers without a pool ("") have no entry
    :return: ``{sub: {"name": …, "pool": …}}`` of those who are there, and what was not found, without a day.
    """
    names: Names = {}
    problems = []
    with clear_errors(connection=str(hook.aws_conn_id)):
        for pool, subs in sorted(pools.items()):
            if not pool or not subs:
                continue
            found = _users(hook, pool, set(subs))
            if found is None:
                problems.append(_no_pool(pool, len(set(subs))))
                continue
            names |= found
            if deleted := set(subs) - found.keys():
                problems.append(_no_longer(pool, len(deleted)))
    return names, problems


def _users(hook: CognitoHook, pool: str, wanted: set[str]) -> Names | None:
    """Return the wanted users of a pool; None where there is no such pool."""
    if _POOL.fullmatch(pool) is None:  # from a line of a log
        return None
    found: Names = {}
    try:
        for user in hook.users(pool):
            attributes = {item["Name"]: item.get("Value", "") for item in user.get("Attributes", [])}
            sub = attributes.get("sub", "")
            if sub in wanted:
                found[sub] = {"name": display_name(attributes, user.get("Username", "")), "pool": pool}
                if len(found) == len(wanted):
                    break
    except ClientError as error:
        if not hook.is_absent(error):
            raise
        return None
    return found


def display_name(attributes: Mapping[str, Any], username: str) -> str:
    """
    Return what a user is called: name, given and family name, preferred name, e-mail address, user name.

    Whoever may edit the pool has written it: it is one line of at most 200 characters, and not safe as HTML.
    """
    given = f"{attributes.get('given_name') or ''} {attributes.get('family_name') or ''}"
    candidates = (
        attributes.get("name"),
        given,
        attributes.get("preferred_username"),
        attributes.get("email"),
        username,
    )
    return next((line for line in map(_line, candidates) if line), "")


def _line(value: Any) -> str:
    text = " ".join(str(value or "").split())
    return "".join(mark for mark in text if mark.isprintable())[:NAME_LIMIT].strip()


def _no_longer(pool: str, count: int) -> Problem:
    what_to_do = "Workers who were deleted from their user pool keep their pseudonyms and have no names."
    return Problem("no longer in the pool", count, masked(pool), what_to_do, SOURCE)


def _no_pool(pool: str, count: int) -> Problem:
    what_to_do = (
        "The workers of this user pool have no names. If the pool was not deleted, it is in another region "
        "or account: correct the connection, or set sources.cognito to false in the settings file."
    )
    return replace(_no_longer(pool, count), kind="no such pool", what_to_do=what_to_do)
