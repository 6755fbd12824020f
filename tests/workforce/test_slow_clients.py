from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from workforce.slow_clients import BodyDeadline


async def _length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _broken(request: Request) -> Response:
    await request.body()
    raise RuntimeError("a fault of the application")


async def _form(request: Request) -> Response:
    async with request.form() as form:
        return PlainTextResponse(str(len(form)))


APP = Starlette(routes=[Route(f"/{e.__name__}", e, methods=["POST"]) for e in (_length, _broken, _form)])


def post(path: str, *, complete: bool, seconds: float) -> httpx.Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"label="
        if not complete:
            await asyncio.Event().wait()
        yield b"setosa"

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(BodyDeadline(APP, seconds))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return await client.post(path, content=body(), headers=headers)

    return asyncio.run(asyncio.wait_for(ask(), 60))


@pytest.mark.parametrize("path", ["/_length", "/_form", "/_broken"])
def test_a_body_that_does_not_come_to_its_end_is_given_up(path: str) -> None:
    answer = post(path, complete=False, seconds=0.05)
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
    assert "within 0.05 seconds" in answer.text


def test_a_body_that_comes_in_time_is_passed_on() -> None:
    assert post("/_length", complete=True, seconds=60).text == "12"


def test_faults_of_the_application_are_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="a fault of the application"):
        post("/_broken", complete=True, seconds=60)
