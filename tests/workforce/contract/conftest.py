from __future__ import annotations

import contextlib
import signal
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.workforce.contract.contract_server import (
    ACCOUNT,
    Served,
    ServerProcess,
    boto_client,
    serve_in_thread,
)
from workforce.api.keys import AccessKey, StaticKeys
from workforce.app import create_app
from workforce.market import Market
from workforce.store import Store


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("market") / "market.db"
    with contextlib.closing(Store.open(f"sqlite:///{path}")) as store:
        market = Market(store)
        for account in (ACCOUNT, "111111111111"):
            market.requester.accounts.ensure_account(
                account, name="Requester", opening_cents=1_000_000, mode="ledger"
            )
        keys = StaticKeys(AccessKey("test", "test", ACCOUNT), AccessKey("other", "other", "111111111111"))
        app = create_app(market, keys, site_secret="for tests only")
        with serve_in_thread(app) as url:
            yield Served(url, market, boto_client(url))


@pytest.fixture
def token() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def start_server() -> Iterator[Callable[..., ServerProcess]]:
    started: list[ServerProcess] = []

    def start(*arguments: str, environment: dict[str, str] | None = None) -> ServerProcess:
        server = ServerProcess(*arguments, environment=environment)
        started.append(server)
        server.wait_ready()
        return server

    yield start
    for server in started:
        server.stop(signal.SIGKILL)
