from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cloud_process import CloudProcess


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    """One running local cloud for all tests that do not kill it."""
    process = CloudProcess(tmp_path_factory.mktemp("cloud") / "state")
    process.start()
    yield process
    process.stop()
