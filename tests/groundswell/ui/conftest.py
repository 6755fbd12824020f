from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from starlette.testclient import TestClient

from groundswell.ui.app import create_app
from groundswell.ui.shell import PREFIX
from tests.groundswell.ui.ui_records import Deployment

FRAGMENT = {"X-Groundswell-Fragment": "1"}


def only_ann(request: Request) -> str:
    """Stands for Airflow's sign-in: Ann has a cookie."""
    if request.cookies.get("_token") != "ann":
        raise HTTPException(401, "Not authenticated")
    return "ann"


def mounted(sources: Any, *, root: str = "") -> FastAPI:
    """The pages as Airflow mounts them."""
    airflow = FastAPI(root_path=root)
    airflow.mount(PREFIX, create_app(sources, only_ann))
    return airflow


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


@pytest.fixture
def stranger(deployment: Deployment) -> TestClient:
    """Nobody: not signed in."""
    return TestClient(mounted(deployment.sources()), follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture
def ann(deployment: Deployment) -> TestClient:
    """A user, who may read the DAGs of the batches that the deployment was given."""
    client = TestClient(mounted(deployment.sources()), follow_redirects=False, raise_server_exceptions=False)
    client.cookies.set("_token", "ann")
    return client
