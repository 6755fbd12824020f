"""What is left when SageMaker is killed with SIGKILL: nothing that runs, and everything that counts."""

from __future__ import annotations

import psutil
import pytest

from tests.localcloud.sagemaker.bench import Bench, ServerProcess, until
from tests.support.cloud_process import CloudProcess

pytestmark = pytest.mark.contract


def pids(bench: Bench, job: str) -> list[int]:
    """Return the processes that runs of the endless job have named in its log."""
    return [int(pid) for line in bench.log(job) if line.startswith("pids") for pid in line.split()[1:]]


def test_endpoints_come_back_and_jobs_run_again(cloud: CloudProcess, server: ServerProcess) -> None:
    bench = Bench(cloud.client, server.client)
    config = bench.config(bench.model("durable"))
    endpoint = bench.endpoint(config)
    job = bench.name("interrupted")
    bench.sagemaker.create_training_job(**bench.job(job, "train_endless.py"))
    first = until(lambda: pids(bench, job), "the first run")
    assert len(first) == 2
    assert server.process is not None
    family = psutil.Process(server.process.pid).children(recursive=True)
    assert {process.pid for process in family} > set(first)

    server.kill()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []

    server.start()
    bench = Bench(cloud.client, server.client)
    assert bench.settled(endpoint)["EndpointStatus"] == "InService"
    assert bench.invoke(endpoint) == "durable"
    again = until(lambda: pids(bench, job)[2:], "the second run")
    assert set(again).isdisjoint(first)
    steps = [step["Status"] for step in bench.described(job)["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Restarting", "Downloading", "Training"]
    bench.sagemaker.stop_training_job(TrainingJobName=job)
    assert bench.ended(job)["TrainingJobStatus"] == "Stopped"
    family = psutil.Process(server.process.pid).children(recursive=True)
    assert server.stop() == 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
