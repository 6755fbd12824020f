from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from workforce.clock import ManualClock
from workforce.market import Market
from workforce.site import site_app
from workforce.store import Store

ACCOUNT = "000000000000"
WORKER = "A2WORKER"
XMLNS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas"
HTML = """<!DOCTYPE html><html lang="en"><head><title>Which?</title></head><body><main data-item="i-1">
<form method="post" action="https://www.mturk.com/mturk/externalSubmit">
<input type="hidden" name="assignmentId" id="assignmentId" value="">
<fieldset><legend>Which species?</legend>
<label><input type="radio" name="label" value="setosa" required> setosa</label>
<label><input type="radio" name="label" value="virginica"> virginica</label></fieldset>
<button>Submit</button></form></main></body></html>"""


def html_question(html: str, height: int = 0) -> str:
    content = f"<HTMLContent><![CDATA[{html}]]></HTMLContent><FrameHeight>{height}</FrameHeight>"
    return f'<HTMLQuestion xmlns="{XMLNS}/2011-11-11/HTMLQuestion.xsd">{content}</HTMLQuestion>'


def external_question(url: str, height: int = 0) -> str:
    content = f"<ExternalURL>{url}</ExternalURL><FrameHeight>{height}</FrameHeight>"
    return f'<ExternalQuestion xmlns="{XMLNS}/2006-07-14/ExternalQuestion.xsd">{content}</ExternalQuestion>'


FORM_QUESTION = (
    f'<QuestionForm xmlns="{XMLNS}/2017-11-06/QuestionForm.xsd"><Question><QuestionIdentifier>q'
    "</QuestionIdentifier><QuestionContent><Text>Why?</Text></QuestionContent><AnswerSpecification>"
    "<FreeTextAnswer/></AnswerSpecification></Question></QuestionForm>"
)


class Client:
    """Sends requests to an ASGI app, one after the other, and keeps its cookies."""

    def __init__(self, app: Starlette) -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        self.cookies = self._http.cookies

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._http.get(path, **options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._http.post(path, **options))

    def close(self) -> None:
        self._runner.run(self._http.aclose())
        self._runner.close()


class Browser:
    """A test client that signs in and posts forms with the token that the page gave it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def token(self, path: str = "/worker/hits") -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.client.get(path).text)
        assert found, f"no form with a token on {path}"
        return found[1]

    def post(self, path: str, **fields: str) -> Any:
        return self.client.post(path, data={"csrf": self.token(), **fields})

    def sign_in(self, worker_id: str = WORKER) -> Browser:
        fields = {"csrf": self.token("/worker/sign-in"), "worker_id": worker_id, "next": "/worker/hits"}
        answer = self.client.post("/worker/sign-in", data=fields)
        assert answer.status_code == 303, answer.text
        return self

    def accept(self, hit_id: str) -> str:
        answer = self.post(f"/worker/hits/{hit_id}/accept")
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"]).removeprefix("/worker/assignments/").partition("#")[0]


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
    def one(question: str = "", **changes: Any) -> str:
        params = {
            "Title": "Classify images of flowers",
            "Description": "Provide the species of iris in each image",
            "Reward": "0.05",
            "MaxAssignments": 2,
            "LifetimeInSeconds": 14400,
            "AssignmentDurationInSeconds": 300,
            "AutoApprovalDelayInSeconds": 259200,
            "Question": question or html_question(HTML),
        }
        hit = market.requester.call("CreateHIT", ACCOUNT, {**params, **changes})
        return str(hit["HIT"]["HITId"])

    return one


@pytest.fixture
def connect() -> Iterator[Callable[[Starlette], Client]]:
    clients: list[Client] = []

    def new(app: Starlette) -> Client:
        clients.append(Client(app))
        return clients[-1]

    yield new
    for client in clients:
        client.close()


@pytest.fixture
def stranger(market: Market, connect: Callable[[Starlette], Client]) -> Browser:
    return Browser(connect(site_app(market, secret="not a secret", public_url=None)))


@pytest.fixture
def make_worker(market: Market, connect: Callable[[Starlette], Client]) -> Callable[[str], Browser]:
    """A browser of its own for each worker, all on the same market."""

    def make(worker_id: str) -> Browser:
        return Browser(connect(site_app(market, secret="not a secret", public_url=None))).sign_in(worker_id)

    return make


@pytest.fixture
def worker(make_worker: Callable[[str], Browser]) -> Browser:
    return make_worker(WORKER)
