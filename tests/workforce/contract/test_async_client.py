"""The same server through aiobotocore, which the triggers use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiobotocore.session import get_session

from tests.workforce.contract.contract_server import HIT_TYPE, QUESTION, Served

pytestmark = pytest.mark.contract


def with_client(url: str, use: Callable[[Any], Awaitable[Any]], secret: str = "test") -> Any:
    async def run() -> Any:
        async with get_session().create_client(
            "mturk",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key=secret,
        ) as client:
            return await use(client)

    return asyncio.run(run())


def test_life_of_a_hit(served: Served, token: str) -> None:
    async def use(client: Any) -> None:
        created = await client.create_hit(
            **HIT_TYPE, LifetimeInSeconds=600, Question=QUESTION, UniqueRequestToken=token
        )
        hit_id = created["HIT"]["HITId"]
        with pytest.raises(client.exceptions.RequestError) as caught:
            await client.create_hit(
                **HIT_TYPE, LifetimeInSeconds=600, Question=QUESTION, UniqueRequestToken=token
            )
        assert caught.value.response["TurkErrorCode"] == "AWS.MechanicalTurk.HitAlreadyExists"
        assignment = await asyncio.to_thread(served.answer, hit_id, "AWORKER1", "a")
        pages = client.get_paginator("list_assignments_for_hit").paginate(HITId=hit_id)
        listed = [item["AssignmentId"] async for page in pages for item in page["Assignments"]]
        assert listed == [assignment]
        await client.approve_assignment(AssignmentId=assignment)
        hit = (await client.get_hit(HITId=hit_id))["HIT"]
        assert hit["Expiration"] == created["HIT"]["Expiration"]
        assert hit["NumberOfAssignmentsCompleted"] == 1

    with_client(served.url, use)


def test_many_calls_at_once(served: Served) -> None:
    async def use(client: Any) -> list[Any]:
        parameters = {**HIT_TYPE, "LifetimeInSeconds": 600, "Question": QUESTION}
        return await asyncio.gather(*(client.create_hit(**parameters) for _ in range(40)))

    created = with_client(served.url, use)
    assert len({each["HIT"]["HITId"] for each in created}) == 40
    assert served.market.audit("000000000000") == []


def test_a_wrong_secret(served: Served) -> None:
    async def use(client: Any) -> None:
        with pytest.raises(client.exceptions.ClientError) as caught:
            await client.get_account_balance()
        assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"

    with_client(served.url, use, secret="wrong")
