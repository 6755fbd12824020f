from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from workforce.api.keys import StaticKeys
from workforce.app import create_app
from workforce.housekeeping import Housekeeping
from workforce.market import Market
from workforce.slow_clients import BodyDeadline
from workforce.store import Store


@pytest.fixture
def real_market(tmp_path: Path) -> Iterator[Market]:
    with contextlib.closing(Store.open(f"sqlite:///{tmp_path / 'market.db'}")) as store:
        yield Market(store)


def get(market: Market, keys: StaticKeys, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(market, keys, site_secret="for tests only"))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_the_root_leads_people_to_the_site(real_market: Market, keys: StaticKeys) -> None:
    response = get(real_market, keys, "/")
    assert (response.status_code, response.headers["location"]) == (307, "/worker")
    assert get(real_market, keys, "/worker/sign-in").status_code == 200


def test_healthy_while_the_store_answers(
    real_market: Market, keys: StaticKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert get(real_market, keys, "/health").status_code == 200

    def gone(*_: object) -> dict[str, int]:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(real_market, "counts", gone)
    response = get(real_market, keys, "/health")
    assert response.status_code == 503
    assert "hunter2" not in response.text


class Chores:
    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.rounds = 0
        self.enough = threading.Event()

    def run_timers(self) -> None:
        self.rounds += 1
        if self.rounds >= 3:
            self.enough.set()
        if self.rounds <= self.failures:
            raise RuntimeError("the database is busy")


@pytest.mark.parametrize("failures", [0, 2])
def test_housekeeping_goes_on_by_itself_and_over_failures(failures: int) -> None:
    chores = Chores(failures)
    with Housekeeping(cast("Any", chores), every_seconds=0.001):
        assert chores.enough.wait(10)


def test_housekeeping_has_a_last_round() -> None:
    chores = Chores()
    with Housekeeping(cast("Any", chores), every_seconds=3600):
        assert chores.rounds == 0
    assert chores.rounds == 1


def test_bodies_have_a_deadline_here(real_market: Market, keys: StaticKeys) -> None:
    app = create_app(real_market, keys, site_secret="for tests only")
    assert BodyDeadline in [middleware.cls for middleware in app.user_middleware]
