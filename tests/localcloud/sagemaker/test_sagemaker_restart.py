"""What is left when SageMaker is killed with SIGKILL: nothing that runs, and everything that counts."""

from __future__ import annotations

import psutil
import pytest

from tests.localcloud.sagemaker.bench import Bench, ServerProcess, until
from tests.support.cloud_process import CloudProcess
from tools.stack.processes import left_running

pytestmark = pytest.mark.contract


def pids(bench: Bench, job: str) -> list[int]:
    """Return the processes that runs of the endless job have named in its log."""
    return [int(pid) for line in bench.log(job) if line.startswith("pids") for pid in line.split()[1:]]


def endpoint_names(bench: Bench) -> list[str]:
    return [endpoint["EndpointName"] for endpoint in bench.sagemaker.list_endpoints()["Endpoints"]]


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
    doomed = bench.endpoint(config)
    newer = bench.config(bench.model("newer"))
    bench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=newer)
    bench.sagemaker.delete_endpoint(EndpointName=doomed)

    server.kill()
    assert left_running(family) == []

    server.start()
    bench = Bench(cloud.client, server.client)
    described = bench.settled(endpoint)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", newer)
    assert bench.invoke(endpoint) == "newer"
    until(lambda: endpoint_names(bench) == [endpoint], "the end of the endpoint that was being deleted")
    again = until(lambda: pids(bench, job)[2:], "the second run")
    assert set(again).isdisjoint(first)
    steps = [step["Status"] for step in bench.described(job)["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Restarting", "Downloading", "Training"]
    bench.sagemaker.stop_training_job(TrainingJobName=job)
    assert bench.ended(job)["TrainingJobStatus"] == "Stopped"
    family = psutil.Process(server.process.pid).children(recursive=True)
    assert server.stop() == 0
    assert left_running(family) == []
