from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.groundswell.aws.desk import Desk, Served, served_market
from tests.groundswell.aws.workbench import KEYS, ShiftedClock, Workbench
from tests.support.quick_clients import quick_clients
from tests.workforce.contract.contract_server import serve_in_thread
from workforce.app import create_app
from workforce.market import Market
from workforce.store import Store


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    """Clients are cheap, and nobody waits for the disk: what is killed here is a task, never the machine."""
    with quick_clients(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture
def market_url(tmp_path: Path) -> Iterator[tuple[Market, ShiftedClock, str]]:
    """A workforce behind real HTTP."""
    path = tmp_path / "market.db"
    with contextlib.closing(Store.open(f"sqlite:///{path}?synchronous=NORMAL")) as store:
        clock = ShiftedClock()
        market = Market(store, clock=clock)
        for key in KEYS.values():
            market.requester.accounts.ensure_account(
                key.account, name="Requester", opening_cents=100_000, mode="ledger"
            )
        app = create_app(market, Workbench.keyring(), site_secret="for tests only")
        with serve_in_thread(app) as url:
            yield market, clock, url


@pytest.fixture
def bench(
    market_url: tuple[Market, ShiftedClock, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Workbench:
    market, clock, url = market_url
    connection = {
        "conn_type": "aws",
        "login": "test",
        "password": "test",
        "extra": {"region_name": "us-east-1", "endpoint_url": url},
    }
    monkeypatch.setenv("AIRFLOW_CONN_MTURK_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    return Workbench(market, clock, tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def shared_market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One workforce behind real HTTP for the tests of a module."""
    with served_market(tmp_path_factory.mktemp("market")) as served:
        yield served


@pytest.fixture
def desk(shared_market: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    yield Desk(shared_market, tmp_path, monkeypatch)
    shared_market[1].offset = timedelta()
