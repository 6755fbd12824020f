from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from workforce.clock import ManualClock
from workforce.market import Market, MarketSettings, RequestError
from workforce.store import Store

POSTGRES = "WORKFORCE_TEST_POSTGRES_URL"
ACCOUNT = "000000000000"
START = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
HTML = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/'
    'HTMLQuestion.xsd"><HTMLContent><![CDATA[<form><input name="label"></form>]]></HTMLContent>'
    "<FrameHeight>450</FrameHeight></HTMLQuestion>"
)


@dataclass
class Desk:
    """A market with one requester, and short ways to say what happens on it."""

    market: Market
    clock: ManualClock
    account: str = ACCOUNT
    types: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.market.requester.call(operation, self.account, params)

    def refused(self, operation: str, **params: Any) -> RequestError:
        with pytest.raises(RequestError) as caught:
            self.call(operation, **params)
        return caught.value

    def hit_type(self, *, reward: str = "0.05", duration: int = 300, **more: Any) -> str:
        params = {"Title": "Classify images", "Description": "Name the species", "Reward": reward, **more}
        return str(self.call("CreateHITType", AssignmentDurationInSeconds=duration, **params)["HITTypeId"])

    def hit(self, seats: int = 2, *, lifetime: int = 3600, hit_type: str | None = None, **more: Any) -> str:
        params = {"HITTypeId": hit_type or self.hit_type(), "LifetimeInSeconds": lifetime, "Question": HTML}
        made = self.call("CreateHITWithHITType", MaxAssignments=seats, **params, **more)
        return str(made["HIT"]["HITId"])

    def show(self, hit_id: str) -> dict[str, Any]:
        shape: dict[str, Any] = self.call("GetHIT", HITId=hit_id)["HIT"]
        return shape

    def state(self, hit_id: str) -> tuple[str, int, int, int]:
        """Status, available, pending, completed."""
        shape = self.show(hit_id)
        counts = (shape[f"NumberOfAssignments{name}"] for name in ("Available", "Pending", "Completed"))
        return (shape["HITStatus"], *counts)  # type: ignore[return-value]

    def accept(self, worker: str, hit_id: str) -> str:
        self.market.workers.ensure_worker(worker)
        return self.market.workers.accept(worker, hit_id).assignment_id

    def submit(self, worker: str, hit_id: str, label: str = "setosa") -> str:
        assignment_id = self.accept(worker, hit_id)
        self.market.workers.submit(assignment_id, [("label", label)], worker_id=worker)
        return assignment_id

    def qualification(self, name: str) -> str:
        """A new qualification type; its id."""
        params = {"Description": "For tests", "QualificationTypeStatus": "Active"}
        made = self.call("CreateQualificationType", Name=name, **params)
        return str(made["QualificationType"]["QualificationTypeId"])

    def grant(self, type_id: str, worker: str, value: int = 1, **more: Any) -> None:
        self.call(
            "AssociateQualificationWithWorker",
            QualificationTypeId=type_id,
            WorkerId=worker,
            IntegerValue=value,
            **more,
        )

    def balance(self) -> tuple[str, str]:
        shape = self.call("GetAccountBalance")
        return shape["AvailableBalance"], shape["OnHoldBalance"]

    def at(self, seconds: float) -> datetime:
        """A whole second so far from now."""
        return (self.clock.now() + timedelta(seconds=seconds)).replace(microsecond=0)


def new_desk(store: Store, *, opening_cents: int = 1_000_000, mode: str = "ledger", **settings: Any) -> Desk:
    clock = ManualClock(START)
    market = Market(store, MarketSettings(**settings), clock)
    market.requester.accounts.ensure_account(ACCOUNT, name="Iris Lab", opening_cents=opening_cents, mode=mode)
    return Desk(market, clock)


def _postgres_schema() -> Iterator[str]:
    url = os.environ[POSTGRES]
    schema = f"test_{secrets.token_hex(6)}"
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.execute(text(f"create schema {schema}"))
    joiner = "&" if "?" in url else "?"
    yield f"{url}{joiner}options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"drop schema {schema} cascade"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRES in os.environ else ["sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own, of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/market.db?synchronous=NORMAL"
    else:
        yield from _postgres_schema()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store.open(store_url)
    yield opened
    opened.close()


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    """A market with 10,000 dollars; whatever the test does, the books must balance at its end."""
    made = new_desk(store)
    yield made
    assert made.market.audit(ACCOUNT) == []


@pytest.fixture
def memory_desk() -> Iterator[Desk]:
    """The same in memory, for rules that do not depend on the database."""
    opened = Store.open("sqlite://")
    yield new_desk(opened)
    opened.close()


@pytest.fixture
def make_desk(store: Store) -> Any:
    """Opens a market on the test's store with other settings: make_desk(opening_cents=…, mode=…)."""

    def make(**settings: Any) -> Desk:
        return new_desk(store, **settings)

    return make


@pytest.fixture
def html_question() -> str:
    return HTML
