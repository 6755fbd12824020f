from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.sagemaker.bench import BUCKET, Bench, ServerProcess
from tests.support.cloud_process import CloudProcess


@pytest.fixture(scope="session")
def bench(cloud: CloudProcess) -> Bench:
    """SageMaker of the running local cloud."""
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    return Bench(cloud.client, cloud.client)


@pytest.fixture
def server(cloud: CloudProcess, bench: Bench, tmp_path: Path) -> Iterator[ServerProcess]:
    """A SageMaker that may be killed and started again."""
    process = ServerProcess(tmp_path / "state", cloud.endpoint_url)
    process.start()
    yield process
    if process.process is not None and process.process.poll() is None:
        process.stop()
