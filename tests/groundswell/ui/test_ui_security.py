"""Who gets what: sign-in, the DAGs that a user may read, methods, headers, and what breaks."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from groundswell.ui import security
from groundswell.ui.app import create_app
from tests.conftest import CHECKOUT
from tests.groundswell.ui.conftest import FRAGMENT, mounted, only_ann
from tests.groundswell.ui.ui_records import Deployment, Record

RUN = "manual__2026-11-22T05:00:00+00:00"
PAGES = ("run", "items", "workers", "fragments/run", "fragments/items", "fragments/workers")


@pytest.fixture
def flowers(deployment: Deployment) -> Deployment:
    deployment.batch("flowers")
    Record(deployment.ledger("flowers", RUN)).write().progress()
    return deployment


def addresses(deployment: Deployment) -> list[str]:
    app = create_app(deployment.sources(), only_ann)
    paths = [route.path for route in app.routes if isinstance(route, APIRoute)]
    return [re.sub(r"\{[^}]*\}", "ui.css", path) for path in paths]


def test_strangers_get_nothing_from_any_address(flowers: Deployment, stranger: TestClient) -> None:
    found = addresses(flowers)
    assert {"/labelling", "/labelling/fragments/item", "/throughput", "/static/ui.css"} <= set(found)
    for path in [*found, "/no/such/page", "/openapi.json", "/docs"]:
        query = {"batch": "flowers", "run_id": RUN, "item": "flower-001"}
        answer = stranger.get(f"/groundswell{path}", params=query)
        assert answer.status_code == 401, path
        assert "Sign in to Airflow" in answer.text
        assert "flower" not in answer.text
        assert "--accent" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_fragment_tells_strangers_to_sign_in_within_the_page(stranger: TestClient) -> None:
    answer = stranger.get("/groundswell/labelling/fragments/batches", headers=FRAGMENT)
    assert answer.status_code == 401
    assert "Your sign-in has ended" in answer.text
    assert "<html" not in answer.text
    assert "/api/v2/auth/login?next=" in answer.text


def test_airflows_own_dependency_takes_bearer_and_cookie(
    flowers: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.core_api import security as airflows
    from jwt import InvalidTokenError

    class Manager:
        async def get_user_from_token(self, token: str) -> str:
            if token != "good":
                raise InvalidTokenError(token)
            return "ann"

    monkeypatch.setattr(airflows, "get_auth_manager", Manager)
    app = create_app(flowers.sources())
    assert TestClient(app).get("/labelling").status_code == 401
    assert TestClient(app, headers={"Authorization": "Bearer good"}).get("/labelling").status_code == 200
    assert TestClient(app, cookies={"_token": "good"}).get("/static/ui.css").status_code == 200
    for forged in ({"headers": {"Authorization": "Bearer bad"}}, {"cookies": {"_token": "bad"}}):
        answer = TestClient(app, **forged).get("/labelling")
        assert answer.status_code == 403
        assert "Sign in to Airflow" in answer.text


def test_users_see_only_batches_whose_dag_they_may_read(flowers: Deployment, ann: TestClient) -> None:
    flowers.batch("secret", description="Hidden things")
    Record(flowers.ledger("secret", RUN)).write().progress()
    flowers.allowed.discard("labeling_secret")
    for query in ("", "?q=secret", "?q=hidden"):
        text = ann.get(f"/groundswell/labelling/fragments/batches{query}").text
        assert "Hidden things" not in text
        assert "labelling/run?batch=secret" not in text
    assert (
        "1 more batch of this deployment belongs to DAGs"
        in ann.get("/groundswell/labelling/fragments/batches").text
    )
    for page in (*PAGES, "item", "fragments/item", "batch", "fragments/batch"):
        query = {"batch": "secret", "run_id": RUN, "item": "flower-001"}
        answer = ann.get(f"/groundswell/labelling/{page}", params=query)
        assert answer.status_code == 403, page
        assert "read the DAG “labeling_secret”" in answer.text
        assert "Ask an administrator" in answer.text
    tab = ann.get("/groundswell/labelling/run", params={"dag_id": "labeling_secret", "run_id": RUN})
    assert tab.status_code == 403


def test_throughput_is_for_readers_of_the_metrics_dag(flowers: Deployment, ann: TestClient) -> None:
    answer = ann.get("/groundswell/throughput")
    assert answer.status_code == 403
    assert security.METRICS_DAG in answer.text
    flowers.allowed.add(security.METRICS_DAG)
    assert ann.get("/groundswell/throughput").status_code == 200


def test_access_is_asked_of_airflow_with_the_user_of_the_request(flowers: Deployment) -> None:
    asked: list[Any] = []

    def readable(user: Any) -> set[str]:
        asked.append(user)
        return set()

    client = TestClient(mounted(flowers.sources(readable=readable)), cookies={"_token": "ann"})
    text = client.get("/groundswell/labelling/fragments/batches").text
    assert asked == ["ann"]
    assert "No batch that you may see" in text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(ann: TestClient, method: str) -> None:
    answer = ann.request(method, "/groundswell/labelling")
    assert answer.status_code == 405
    assert "only show" in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("labelling/run?batch=nothing&run_id=x", 404),
        ("labelling/run?batch=flowers&run_id=unknown", 404),
        ("labelling/item?batch=flowers&run_id={run}&item=unknown", 404),
        ("labelling/fragments/item?batch=flowers&run_id={run}&item=unknown", 404),
        ("labelling/run?batch=flowers&run_id=../other", 404),
        ("labelling/run?batch=flowers&run_id=a/../../../etc", 404),
        ("labelling/run?batch=../flowers&run_id=x", 400),
        ("labelling/run?batch=flowers&run_id=a%00b", 400),
        ("labelling/run?batch=flowers", 400),
        ("labelling/items?batch=flowers&run_id={run}&order=sideways", 400),
        ("labelling/fragments/items?batch=flowers&run_id={run}&page=0", 400),
        ("labelling/fragments/items?batch=flowers&run_id={run}&page=99999999999999999999", 400),
        (f"labelling/fragments/items?batch=flowers&run_id={{run}}&search={'x' * 300}", 400),
        ("static/../app.py", 404),
        ("static/%2e%2e/security.py", 404),
        ("static//etc/passwd", 404),
        ("no/such/page", 404),
    ],
)
def test_addresses_that_name_nothing_get_a_page_that_says_so(
    flowers: Deployment, ann: TestClient, path: str, status: int
) -> None:
    answer = ann.get(f"/groundswell/{path.format(run=RUN.replace('+', '%2B'))}")
    assert answer.status_code == status, answer.text
    assert '<main id="main"' in answer.text
    assert 'class="state problem"' in answer.text


def test_every_answer_has_the_security_headers(flowers: Deployment, ann: TestClient) -> None:
    for path in ("labelling", "static/ui.js", "nothing", "labelling/fragments/batches"):
        headers = ann.get(f"/groundswell/{path}").headers
        policy = headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        if path != "static/ui.js":
            assert headers["cache-control"] == "no-store"


def test_static_files_may_be_kept_under_an_address_that_changes_with_them(ann: TestClient) -> None:
    page = ann.get("/groundswell/labelling").text
    [address] = re.findall(r'href="([^"]*ui\.css[^"]*)"', page)
    kept = ann.get(address)
    assert kept.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert kept.headers["content-type"].startswith("text/css")
    assert ann.get("/groundswell/static/ui.css").headers["cache-control"] == "private, no-cache"


def test_what_breaks_is_a_page_with_a_reference_and_no_details(
    flowers: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    def readable(user: Any) -> set[str]:
        raise RuntimeError("password=hunter2")

    app = mounted(flowers.sources(readable=readable))
    client = TestClient(app, cookies={"_token": "ann"}, raise_server_exceptions=False)
    answer = client.get("/groundswell/labelling/fragments/batches", headers=FRAGMENT)
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert "data-retry" in answer.text
    [reference] = re.findall(r"reference ([0-9a-f]{8})", answer.text)
    assert reference in caplog.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_addresses_hold_where_a_proxy_serves_airflow_below_a_path(flowers: Deployment) -> None:
    client = TestClient(mounted(flowers.sources(), root="/team/airflow"), cookies={"_token": "ann"})
    page = client.get("/team/airflow/groundswell/labelling").text
    assert 'data-fragment="/team/airflow/groundswell/labelling/fragments/batches"' in page
    assert 'src="/team/airflow/groundswell/static/ui.js' in page
    text = client.get("/team/airflow/groundswell/labelling/fragments/batches").text
    assert 'href="/team/airflow/dags/labeling_flowers/runs/' in text


def test_making_the_app_loads_nothing_heavy() -> None:
    code = (
        "import sys; from groundswell.ui.app import create_app; create_app(authenticate=lambda: 'x');"
        "heavy = ('pandas', 'matplotlib', 'boto3', 'airflow', 'numpy');"
        "print([name for name in heavy if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT / "plugins"
    )
    assert found.stdout.strip() == "[]"
