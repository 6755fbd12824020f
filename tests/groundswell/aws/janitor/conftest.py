from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.groundswell.aws.desk import Served, served_market
from tests.groundswell.aws.janitor.broom import Broom


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_market(tmp_path_factory.mktemp("market")) as served:
        yield served


@pytest.fixture
def broom(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broom]:
    served[1].offset *= 0
    broom = Broom(served, tmp_path, monkeypatch)
    yield broom
    broom.sweep()
