"""Training, deploying and deleting with SageMaker, safe under retry, crash and clear-and-rerun."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.amazon.aws.links.logs import CloudWatchEventsLink
from airflow.providers.amazon.aws.utils import validate_execute_complete_event
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import ClientError

from groundswell.aws.exceptions import error_code, failed
from groundswell.aws.hooks.sagemaker import TRAINING_LOG_GROUP
from groundswell.aws.operators.sagemaker_base import DEFER_MARGIN, SageMakerOperator
from groundswell.aws.operators.sagemaker_endpoint import (
    SageMakerDeleteEndpointConfigOperator,
    SageMakerDeleteEndpointOperator,
    SageMakerDeleteModelIfExistsOperator,
    SageMakerDeployEndpointOperator,
)
from groundswell.aws.sagemaker_requests import (
    check_name,
    differences,
    numbered,
    training_failure,
    training_request,
)
from groundswell.aws.triggers.sagemaker import SageMakerTrainingJobTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = [
    "SageMakerDeleteEndpointConfigOperator",
    "SageMakerDeleteEndpointOperator",
    "SageMakerDeleteModelIfExistsOperator",
    "SageMakerDeployEndpointOperator",
    "SageMakerTrainOperator",
]

#: Seconds beyond MaxRuntimeInSeconds in which a job may wait for instances, start and upload its model.
TRAINING_MARGIN = 3600
#: Failed or stopped jobs of one name after which something else than another job is needed.
MAX_JOBS = 50
#: Lines of a job's log that are copied to the task's log: the last ones.
LOG_LINES = 500


class SageMakerTrainOperator(SageMakerOperator):
    """
    Train a model, once per job name.

    A retry, or a task that was cleared and runs again, reads the truth first: a completed job of the name is
    the result, one in progress is waited for, and a new one is started only where there is none. After a job
    that failed or was stopped, the next try uses ``<job name>-2``, then ``-3`` and so on.

    .. seealso::
        - :external+boto3:py:meth:`SageMaker.Client.create_training_job`

    :param job_name: Name of the job, the same for every try of what shall be one training. (templated)
    :param config: The request of CreateTrainingJob without TrainingJobName. (templated)
    :param source_dir: Folder with the training code, for script mode. (templated)
    :param entry_point: The script in ``source_dir``. (templated)
    :param source_s3_uri: Where to keep the packed code; needed with ``source_dir``. (templated)
    :param hyperparameters: Values for the script; they are JSON-encoded, as script mode wants them, and added
        to the configuration's HyperParameters. (templated)
    :param print_log: Copy the end of the job's log to the task's log.
    :param stop_on_kill: Stop the job when the task is killed: marked by a user, cleared while it runs, or
        terminated.
    :param waiter_delay: Seconds between two looks at the job.
    :param deferrable: Wait in the triggerer.
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates.
    :param botocore_config: Configuration dictionary (key-values) for botocore client.
    """

    template_fields: Sequence[str] = aws_template_fields(
        "job_name", "config", "source_dir", "entry_point", "source_s3_uri", "hyperparameters"
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"config": "json", "hyperparameters": "json"}
    operator_extra_links = (CloudWatchEventsLink(),)

    def __init__(
        self,
        *,
        job_name: str,
        config: dict[str, Any],
        source_dir: str | None = None,
        entry_point: str = "train.py",
        source_s3_uri: str | None = None,
        hyperparameters: dict[str, Any] | None = None,
        print_log: bool = True,
        stop_on_kill: bool = True,
        waiter_delay: int = 30,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.config = config
        self.source_dir = source_dir
        self.entry_point = entry_point
        self.source_s3_uri = source_s3_uri
        self.hyperparameters = hyperparameters
        self.print_log = print_log
        self.stop_on_kill = stop_on_kill
        self.waiter_delay = waiter_delay
        self.deferrable = deferrable
        self._running_job: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Return ``{"training_job_name", "model_artifacts", "metrics"}``."""
        with self._clear_errors():
            name, job = self._adopted_or_started()
            if job["TrainingJobStatus"] not in self.hook.non_terminal_states:
                return self._finished(context, name)
        self._running_job = name
        seconds = int(job["StoppingCondition"].get("MaxRuntimeInSeconds", 86400)) + TRAINING_MARGIN
        attempts = seconds // self.waiter_delay + 1
        if self.deferrable:
            self.defer(
                trigger=SageMakerTrainingJobTrigger(
                    job_name=name,
                    stop_on_kill=self.stop_on_kill,
                    waiter_delay=self.waiter_delay,
                    waiter_max_attempts=attempts,
                    **self._trigger_parameters,
                ),
                method_name="execute_complete",
                timeout=timedelta(seconds=seconds + DEFER_MARGIN),
            )
        with self._clear_errors():
            wait(
                self.hook.get_waiter("training_job_over"),
                self.waiter_delay,
                attempts,
                {"TrainingJobName": name},
                f"Training job {name} cannot be followed",
                f"Training job {name}",
                ["TrainingJobStatus", "SecondaryStatus"],
            )
            return self._finished(context, name)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge the job that has ended."""
        event = validate_execute_complete_event(event)
        if event["status"] != "success":
            raise failed(event)
        with self._clear_errors():
            return self._finished(context, event["job_name"])

    def on_kill(self) -> None:
        """Stop the job that this task waits for."""
        if self.stop_on_kill and self._running_job:
            self.log.info("Stopping training job %s", self._running_job)
            self.hook.stop_training_job(self._running_job)

    def _adopted_or_started(self) -> tuple[str, dict[str, Any]]:
        check_name("job_name", self.job_name)
        for number in range(1, MAX_JOBS + 1):
            name = numbered(self.job_name, number)
            job = self.hook.find_training_job(name)
            if job is None:
                return name, self._started(name)
            status = job["TrainingJobStatus"]
            # Stopping counts as stopped: clearing a running task stops its job, which ends within minutes.
            if status not in {"Failed", "Stopped", "Stopping"}:
                self._warn_of_differences(name, job)
                self.on_resource("training_job", name, "created")
                return name, job
            self.log.info("Training job %s: %s %s", name, status, job.get("FailureReason", ""))
        raise AirflowFailException(
            f"{MAX_JOBS} training jobs named {self.job_name!r} have failed or were stopped; see the log of "
            "the last, correct the cause, and use another name"
        )

    def _started(self, name: str) -> dict[str, Any]:
        request = training_request(
            self.config,
            name=name,
            role_arn=self._expanded_role(self.config["RoleArn"]),
            hyperparameters=self.hyperparameters or {},
            entry_point=self.entry_point,
            source=self._uploaded_source(self.source_dir, self.entry_point, self.source_s3_uri),
            region=self.hook.conn_region_name,
        )
        try:
            self.hook.check_training_config(request)
        except AirflowException as error:
            raise AirflowFailException(
                f"training job {name}: {error}; write the training data first"
            ) from error
        self.on_resource("training_job", name, "intended")
        try:
            started = self.hook.start_training_job(request)
        except ClientError as error:
            if error_code(error) != "ValidationException":
                raise
            raise AirflowFailException(f"training job {name} was refused: {error}") from error
        self.on_resource("training_job", name, "created")
        self.log.info("Training job %s %s", name, "is started" if started else "exists and is used")
        job: dict[str, Any] = self.hook.describe_training_job(name)
        return job

    def _warn_of_differences(self, name: str, job: dict[str, Any]) -> None:
        self.log.info("Training job %s exists (%s) and is used", name, job["TrainingJobStatus"])
        different = differences(job, self.config, self.hyperparameters or {})
        if different:
            self.log.warning(
                "Training job %s was started with another %s; to train with what is asked for now, use "
                "another job name",
                name,
                ", ".join(different),
            )

    def _finished(self, context: Context, name: str) -> dict[str, Any]:
        self._running_job = None
        job = self.hook.describe_training_job(name)
        log = self._shown_log(context, name)
        if job["TrainingJobStatus"] != "Completed":
            raise training_failure(name, job, log)
        return {
            "training_job_name": name,
            "model_artifacts": job["ModelArtifacts"]["S3ModelArtifacts"],
            "metrics": {each["MetricName"]: each["Value"] for each in job.get("FinalMetricDataList", [])},
        }

    def _shown_log(self, context: Context, name: str) -> list[str]:
        """Link to the job's log and return its end; what cannot be shown must not fail a job that is done."""
        lines: list[str] = []
        try:
            for stream in self.hook.training_log_streams(name)[:1]:
                CloudWatchEventsLink.persist(
                    context=context,
                    operator=self,
                    region_name=self.hook.conn_region_name,
                    aws_partition=self.hook.conn_partition,
                    awslogs_region=self.hook.conn_region_name,
                    awslogs_group=TRAINING_LOG_GROUP,
                    awslogs_stream_name=stream,
                )
            lines = self.hook.training_log_end(name, LOG_LINES)
            for line in lines if self.print_log else ():
                self.log.info("%s | %s", name, line)
        except Exception as error:
            self.log.warning("The log of training job %s cannot be shown: %s", name, error)
        return lines
