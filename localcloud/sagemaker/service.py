"""SageMaker as one object: its state, its workers, and its operations by name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localcloud.sagemaker.arns import Caller
from localcloud.sagemaker.errors import NotImplementedYet
from localcloud.sagemaker.hosting.endpoint_host import EndpointHost
from localcloud.sagemaker.hosting.fleet import Fleet, Host
from localcloud.sagemaker.hosting.operations import EndpointConfigs, Endpoints, Models
from localcloud.sagemaker.labeling_jobs import LabelingJobs
from localcloud.sagemaker.s3_files import Aws, S3Files
from localcloud.sagemaker.settings import SageMakerSettings
from localcloud.sagemaker.store import Document, DocumentStore
from localcloud.sagemaker.tags import Tags
from localcloud.sagemaker.training.jobs import TrainingJobs
from localcloud.sagemaker.training.runner import TrainingRunner
from localcloud.sagemaker.workteams import UserPools, Workforces, Workteams
from workforce.clock import Clock, SystemClock

logger = logging.getLogger(__name__)

Operation = Callable[[Mapping[str, Any], Caller], Document]


class SageMaker:
    """Training jobs that train, endpoints that serve (as processes of ``training_python``), and work teams.

    ``state`` is a folder of its own: ``sagemaker.db``, and the files of what runs. S3 and CloudWatch
    Logs are reached at ``endpoint_url``. Images are recorded, never pulled.
    """

    def __init__(
        self,
        state: Path,
        endpoint_url: str,
        training_python: Path,
        clock: Clock | None = None,
        settings: SageMakerSettings | None = None,
    ) -> None:
        clock = clock or SystemClock()
        settings = settings or SageMakerSettings()
        state = state.absolute()
        # not resolved: following the link of a virtual environment's interpreter would leave it
        training_python = training_python.absolute()
        self.settings = settings
        self._aws = Aws(endpoint_url)
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._store = DocumentStore(state / "sagemaker.db")
        files = S3Files(self._aws)
        self._runner = TrainingRunner(
            self._store,
            self._aws,
            state / "training",
            training_python,
            clock,
            settings,
            self._ready,
        )
        self._jobs = TrainingJobs(self._store, self._runner, clock)
        host = Host(self._aws, training_python, settings, clock.now)
        self._host = EndpointHost(self._store, state / "endpoints", host, self._ready)
        self._operations = self._table(files, clock)

    def start(self) -> None:
        """Take up what a former server left unfinished, and begin to work once S3 answers."""
        self._jobs.resume()
        self._host.resume()
        threading.Thread(target=self._wait_for_s3, name="sagemaker start", daemon=True).start()

    def stop(self) -> None:
        """End all processes; jobs and endpoints go on at the next start."""
        self._stopping.set()
        self._host.close()
        self._runner.begin_close()
        self._ready.set()
        self._runner.close()
        self._store.close()

    def call(self, operation: str, params: Mapping[str, Any], caller: Caller) -> Document:
        """Run an operation whose parameters were validated against botocore's model.

        Returns a document that holds at least the members of the output shape. Raises ApiError.
        """
        run = self._operations.get(operation)
        if run is None:
            raise NotImplementedYet(operation)
        return run(params, caller)

    def fleet(self, endpoint_name: str) -> Fleet | None:
        """Return what serves an endpoint, held for one request; the caller calls ``release``."""
        return self._host.fleet(endpoint_name)

    def _wait_for_s3(self) -> None:
        if not self._aws.wait_until_ready(self.settings.dependency_timeout, self._stopping.is_set):
            logger.error("S3 does not answer at %s; work that needs it will fail", self._aws.endpoint_url)
        self._ready.set()

    def _table(self, files: S3Files, clock: Clock) -> dict[str, Operation]:
        models = Models(self._store, files, clock)
        configs = EndpointConfigs(self._store, clock)
        endpoints = Endpoints(self._store, configs, self._host, clock)
        tags = Tags(self._store)
        return {
            "CreateTrainingJob": self._jobs.create,
            "DescribeTrainingJob": self._jobs.describe,
            "ListTrainingJobs": self._jobs.list,
            "StopTrainingJob": self._jobs.stop,
            "DeleteTrainingJob": self._jobs.delete,
            "CreateModel": models.create,
            "DescribeModel": models.describe,
            "ListModels": models.list,
            "DeleteModel": models.delete,
            "CreateEndpointConfig": configs.create,
            "DescribeEndpointConfig": configs.describe,
            "ListEndpointConfigs": configs.list,
            "DeleteEndpointConfig": configs.delete,
            "CreateEndpoint": endpoints.create,
            "DescribeEndpoint": endpoints.describe,
            "ListEndpoints": endpoints.list,
            "UpdateEndpoint": endpoints.update,
            "DeleteEndpoint": endpoints.delete,
            "AddTags": tags.add,
            "ListTags": tags.list,
            "DeleteTags": tags.delete,
            **self._people(clock),
        }

    def _people(self, clock: Clock) -> dict[str, Operation]:
        pools = UserPools(self._aws.client)
        workforces = Workforces(self._store, pools, clock)
        workteams = Workteams(self._store, workforces, pools, clock)
        jobs = LabelingJobs(self._store)
        return {
            "CreateWorkforce": workforces.create,
            "DescribeWorkforce": workforces.describe,
            "ListWorkforces": workforces.list,
            "DeleteWorkforce": workforces.delete,
            "CreateWorkteam": workteams.create,
            "DescribeWorkteam": workteams.describe,
            "ListWorkteams": workteams.list,
            "UpdateWorkteam": workteams.update,
            "DeleteWorkteam": workteams.delete,
            "DescribeLabelingJob": jobs.describe,
            "ListLabelingJobs": jobs.list,
        }
