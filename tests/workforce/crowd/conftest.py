from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from workforce.clock import ManualClock
from workforce.crowd import Crowd, CrowdPlan
from workforce.market import Market
from workforce.store import Store

ACCOUNT = "000000000000"
LABELS = ("setosa", "versicolor", "virginica")
HTML = """<!DOCTYPE html><html><body><div data-item="{item}"><p>Which?</p></div>
<form method="post" action="https://www.mturk.com/mturk/externalSubmit">
<input type="hidden" name="assignmentId" value=""><input type="hidden" name="batch" value="b-1">
<label><input type="radio" name="label" value="setosa" required>setosa</label>
<label><input type="radio" name="label" value="versicolor">versicolor</label>
<label><input type="radio" name="label" value="virginica">virginica</label>
<button>Submit</button></form></body></html>"""
QUESTION = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/'
    'HTMLQuestion.xsd"><HTMLContent><![CDATA[{html}]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>'
)
GROUP: dict[str, Any] = {
    "name": "good",
    "count": 3,
    "behaviour": "honest",
    "skill": {"accuracy": 0.9},
    "speed": {"median": "10s", "spread": 0.3},
    "arrival": {"every": "10m", "session": "5m"},
}

PlanMaker = Callable[..., CrowdPlan]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 5, 9, tzinfo=UTC))


@pytest.fixture
def market(clock: ManualClock) -> Market:
    market = Market(Store.open("sqlite://"), clock=clock)
    market.requester.accounts.ensure_account(ACCOUNT, name="Iris Lab", opening_cents=100_000, mode="ledger")
    return market


@pytest.fixture
def publish(market: Market) -> Callable[..., str]:
    def one(
        item: str, *, html: str = HTML, seats: int = 2, duration: int = 300, lifetime: int = 14400
    ) -> str:
        hit = market.requester.call(
            "CreateHIT",
            ACCOUNT,
            {
                "Title": "Classify",
                "Description": "Which species?",
                "Reward": "0.05",
                "MaxAssignments": seats,
                "LifetimeInSeconds": lifetime,
                "AssignmentDurationInSeconds": duration,
                "Question": QUESTION.format(html=html.replace("{item}", item)),
            },
        )
        return str(hit["HIT"]["HITId"])

    return one


@pytest.fixture
def answers(market: Market) -> Callable[[str], dict[str, str]]:
    def of(hit_id: str) -> dict[str, str]:
        found = market.requester.call("ListAssignmentsForHIT", ACCOUNT, {"HITId": hit_id, "MaxResults": 100})
        return {turn["WorkerId"]: turn["Answer"] for turn in found["Assignments"]}

    return of


@pytest.fixture
def write_crowd(tmp_path: Path) -> Callable[..., Path]:
    """Writes a crowd file and an answer key of 300 items beside it."""

    def write(*groups: dict[str, Any], **options: Any) -> Path:
        rows = [f"item-{number},{LABELS[number % 3]}" for number in range(300)]
        (tmp_path / "key.csv").write_text("\n".join(["item,label", *rows]) + "\n")
        document = {
            "seed": 7,
            "speed_up": 1,
            "answer_key": {"file": "key.csv"},
            "groups": list(groups) or [GROUP],
        }
        path = tmp_path / "crowd.yaml"
        path.write_text(yaml.safe_dump({**document, **options}))
        return path

    return write


@pytest.fixture
def make_plan(write_crowd: Callable[..., Path]) -> PlanMaker:
    def make(*groups: dict[str, Any], **options: Any) -> CrowdPlan:
        return Crowd.load(write_crowd(*groups, **options))

    return make
