"""Two weeks of reports, made once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest
from starlette.testclient import TestClient

from tests.groundswell.ui.throughput.filled_store import at, day_tables, fill, the_app
from tests.support.activity_rows import Made, make

FIRST = date(2026, 10, 5)
DAYS = 10


@pytest.fixture(scope="session")
def made() -> Made:
    return make(3, first=FIRST, days=DAYS, workers=12, odd={"fast": 1, "careless": 1}, tasks=30)


@pytest.fixture(scope="session")
def reports(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings file of a filled store: revised 6 Oct, provisional 14 Oct (the latest)."""
    return fill(tmp_path_factory.mktemp("throughput"), made)


@pytest.fixture(scope="session")
def latest(made: Made) -> date:
    return made.days[-1]


@pytest.fixture(scope="session")
def web(reports: Path, latest: date) -> TestClient:
    return TestClient(the_app(reports, at(latest + timedelta(days=1))), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def get(web: TestClient) -> Callable[[str], str]:
    """The text of a page that must be there."""

    def text(address: str) -> str:
        answer = web.get(f"/throughput{address}")
        assert answer.status_code == 200, answer.text
        return answer.text

    return text


@pytest.fixture(scope="session")
def workers(made: Made) -> pd.DataFrame:
    """The finest rows of all days, computed apart from the store and the page."""
    return pd.concat([day_tables(made, day).workers for day in made.days], ignore_index=True)
