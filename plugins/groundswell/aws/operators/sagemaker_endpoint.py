"""Deploying and deleting SageMaker endpoints, and what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.amazon.aws.utils import validate_execute_complete_event
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import ClientError

from groundswell.aws.exceptions import error_code, failed
from groundswell.aws.operators.sagemaker_base import DEFER_MARGIN, SageMakerOperator
from groundswell.aws.sagemaker_requests import Deployment, check_name, deployment, serving_environment
from groundswell.aws.triggers.sagemaker import SageMakerEndpointTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Times that an endpoint may turn out to be changed or removed by somebody else before a task gives up.
ROUNDS = 5

Until = Literal["settled", "deleted"]

_CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})


class _EndpointOperator(SageMakerOperator):
    """Waiting for an endpoint, on the worker or in the triggerer."""

    endpoint_name: str | None
    waiter_delay: int
    waiter_max_attempts: int
    deferrable: bool

    def _wait(self, context: Context, until: Until, state: dict[str, Any]) -> Any:
        """Go on with :meth:`execute_complete` when the endpoint has got there."""
        if self.deferrable:
            self.defer(
                trigger=SageMakerEndpointTrigger(
                    endpoint_name=str(self.endpoint_name),
                    until=until,
                    waiter_delay=self.waiter_delay,
                    waiter_max_attempts=self.waiter_max_attempts,
                    **self._trigger_parameters,
                ),
                method_name="execute_complete",
                kwargs={"state": state},
                timeout=timedelta(seconds=self.waiter_delay * self.waiter_max_attempts + DEFER_MARGIN),
            )
        wait(
            self.hook.get_waiter(f"endpoint_{until}"),
            self.waiter_delay,
            self.waiter_max_attempts,
            {"EndpointName": self.endpoint_name},
            f"Endpoint {self.endpoint_name} cannot be followed",
            f"Endpoint {self.endpoint_name}",
            ["EndpointStatus"],
        )
        return self.execute_complete(context, {"status": "success"}, state)

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, state: dict[str, Any] | None = None
    ) -> Any:
        """Go on after waiting."""
        event = validate_execute_complete_event(event)
        if event["status"] != "success":
            raise failed(event)
        with self._clear_errors():
            return self._after_waiting(context, state or {})

    def _after_waiting(self, context: Context, state: dict[str, Any]) -> Any:
        raise NotImplementedError

    def _give_up(self) -> AirflowException:
        return AirflowException(
            f"endpoint {self.endpoint_name} was changed {ROUNDS} times by somebody else meanwhile; see to it "
            "that nobody else does, and clear this task"
        )


class SageMakerDeployEndpointOperator(_EndpointOperator):
    """
    Make an endpoint serve a trained model: create it, update it without downtime, or leave it as it is.

    Model and endpoint configuration are named after the training job and a hash of what is deployed, so a
    retry finds what an earlier try made. The names are pushed to XCom under ``deployment`` before anything is
    created, so that cleaning up knows them even if this task fails.

    .. seealso::
        - :external+boto3:py:meth:`SageMaker.Client.create_endpoint`
        - :external+boto3:py:meth:`SageMaker.Client.update_endpoint`

    :param endpoint_name: The endpoint. (templated)
    :param training_job_name: The job whose model is deployed; names model and configuration. (templated)
    :param model_data_url: S3 URI of the model. (templated)
    :param image: The container image that serves. (templated)
    :param role_arn: The role of the model, or its bare name. (templated)
    :param instance_type: What it runs on. (templated)
    :param instance_count: How many of them. (templated)
    :param source_dir: Folder with the serving code, for script mode. (templated)
    :param entry_point: The script in ``source_dir``. (templated)
    :param source_s3_uri: Where to keep the packed code; needed with ``source_dir``. (templated)
    :param environment: Environment of the container. (templated)
    :param waiter_delay: Seconds between two looks at the endpoint.
    :param waiter_max_attempts: The maximum number of looks.
    :param deferrable: Wait in the triggerer.
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates.
    :param botocore_config: Configuration dictionary (key-values) for botocore client.
    """

    template_fields: Sequence[str] = aws_template_fields(
        "endpoint_name",
        "training_job_name",
        "model_data_url",
        "image",
        "role_arn",
        "instance_type",
        "instance_count",
        "source_dir",
        "entry_point",
        "source_s3_uri",
        "environment",
    )

    def __init__(
        self,
        *,
        endpoint_name: str,
        training_job_name: str,
        model_data_url: str,
        image: str,
        role_arn: str,
        instance_type: str,
        instance_count: int = 1,
        source_dir: str | None = None,
        entry_point: str = "train.py",
        source_s3_uri: str | None = None,
        environment: dict[str, str] | None = None,
        waiter_delay: int = 30,
        waiter_max_attempts: int = 120,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.training_job_name = training_job_name
        self.model_data_url = model_data_url
        self.image = image
        self.role_arn = role_arn
        self.instance_type = instance_type
        self.instance_count = instance_count
        self.source_dir = source_dir
        self.entry_point = entry_point
        self.source_s3_uri = source_s3_uri
        self.environment = environment
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self.deferrable = deferrable

    def execute(self, context: Context) -> dict[str, str]:
        """Return ``{"endpoint_name", "endpoint_config_name", "model_name"}``."""
        with self._clear_errors():
            check_name("endpoint_name", str(self.endpoint_name))
            check_name("training_job_name", self.training_job_name)
            wanted = self._wanted()
            context["ti"].xcom_push(key="deployment", value=wanted.names)
            try:
                self.on_resource("model", wanted.names["model_name"], "intended")
                self.hook.ensure_model(wanted.model)
                self.on_resource("model", wanted.names["model_name"], "created")
                self.on_resource("endpoint_config", wanted.names["endpoint_config_name"], "intended")
                self.hook.ensure_endpoint_config(wanted.endpoint_config)
                self.on_resource("endpoint_config", wanted.names["endpoint_config_name"], "created")
            except ClientError as error:
                if error_code(error) != "ValidationException":
                    raise
                raise AirflowFailException(f"endpoint {self.endpoint_name}: {error}") from error
            return self._converge(context, wanted.names, ROUNDS)

    def _wanted(self) -> Deployment:
        environment = dict(self.environment or {})
        source = self._uploaded_source(self.source_dir, self.entry_point, self.source_s3_uri)
        if source:
            environment |= serving_environment(self.entry_point, source, self.hook.conn_region_name)
        return deployment(
            endpoint_name=str(self.endpoint_name),
            training_job_name=self.training_job_name,
            container={"Image": self.image, "ModelDataUrl": self.model_data_url, "Environment": environment},
            role_arn=self._expanded_role(self.role_arn),
            instance_type=self.instance_type,
            instance_count=int(self.instance_count),
        )

    def _converge(self, context: Context, names: dict[str, str], rounds: int) -> dict[str, str]:
        """Take the step that the endpoint's state asks for."""
        if rounds == 0:
            raise self._give_up()
        name, config = names["endpoint_name"], names["endpoint_config_name"]
        endpoint = self.hook.find_endpoint(name)
        status = None if endpoint is None else endpoint["EndpointStatus"]
        until: Until = "settled"
        if _serves(endpoint, config):
            self.on_resource("endpoint", name, "created")
            self.log.info("Endpoint %s serves %s", name, config)
            return names
        if endpoint is not None and status in _CHANGING:
            ours = config in _configs(endpoint)
        elif status is None or status == "InService":
            self.on_resource("endpoint", name, "intended")
            # False: somebody else was first, perhaps an earlier try whose answer was lost.
            ours = self.hook.start_endpoint(name, config, update=status is not None)
            self.on_resource("endpoint", name, "created")
        else:
            self.log.info("Endpoint %s: %s; it is deleted and made again", name, status)
            self.hook.delete_endpoint(name)
            until, ours = "deleted", False
        state = {"names": names, "rounds": rounds - 1, "ours": ours}
        result: dict[str, str] = self._wait(context, until, state)
        return result

    def _after_waiting(self, context: Context, state: dict[str, Any]) -> dict[str, str]:
        """Judge what we started; look again after what others did."""
        names = state["names"]
        config = names["endpoint_config_name"]
        endpoint = self.hook.find_endpoint(names["endpoint_name"])
        changing = endpoint is not None and endpoint["EndpointStatus"] in _CHANGING
        if endpoint is not None and state["ours"] and not changing and not _serves(endpoint, config):
            reason = endpoint.get("FailureReason") or f"it serves {endpoint['EndpointConfigName']}"
            status = endpoint["EndpointStatus"]
            raise AirflowException(
                f"endpoint {self.endpoint_name} does not serve {config}: {status}: {reason}"
            )
        return self._converge(context, names, state["rounds"])


class SageMakerDeleteEndpointOperator(_EndpointOperator):
    """
    Delete an endpoint and wait until it is really gone.

    An endpoint that is absent is a success. One that is being created or updated, which SageMaker does not
    delete, is waited for first.

    .. seealso::
        - :external+boto3:py:meth:`SageMaker.Client.delete_endpoint`

    :param endpoint_name: The endpoint; None or "" for nothing to delete. (templated)
    :param waiter_delay: Seconds between two looks at the endpoint.
    :param waiter_max_attempts: The maximum number of looks.
    :param deferrable: Wait in the triggerer.
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates.
    :param botocore_config: Configuration dictionary (key-values) for botocore client.
    """

    template_fields: Sequence[str] = aws_template_fields("endpoint_name")

    def __init__(
        self,
        *,
        endpoint_name: str | None,
        waiter_delay: int = 15,
        waiter_max_attempts: int = 120,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self.deferrable = deferrable

    def execute(self, context: Context) -> None:
        """Delete and wait."""
        with self._clear_errors():
            if self.endpoint_name:
                self._delete(context, ROUNDS)
            else:
                self.log.info("No endpoint to delete")

    def _delete(self, context: Context, rounds: int) -> None:
        if rounds == 0:
            raise self._give_up()
        outcome = self.hook.delete_endpoint(str(self.endpoint_name))
        self.log.info("Endpoint %s: %s", self.endpoint_name, outcome)
        deleting = outcome == "deleting"
        if outcome == "absent" or (deleting and self.hook.find_endpoint(str(self.endpoint_name)) is None):
            self.on_resource("endpoint", str(self.endpoint_name), "deleted")
        else:
            self._wait(context, "deleted" if outcome == "deleting" else "settled", {"rounds": rounds - 1})

    def _after_waiting(self, context: Context, state: dict[str, Any]) -> None:
        self._delete(context, state["rounds"])


class SageMakerDeleteEndpointConfigOperator(SageMakerOperator):
    """
    Delete an endpoint configuration; one that is absent is a success.

    .. seealso::
        - :external+boto3:py:meth:`SageMaker.Client.delete_endpoint_config`

    :param endpoint_config_name: The configuration; None or "" for nothing to delete. (templated)
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates.
    :param botocore_config: Configuration dictionary (key-values) for botocore client.
    """

    template_fields: Sequence[str] = aws_template_fields("endpoint_config_name")

    def __init__(self, *, endpoint_config_name: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint_config_name = endpoint_config_name

    def execute(self, context: Context) -> None:
        """Delete."""
        name = self.endpoint_config_name
        with self._clear_errors():
            deleted = bool(name) and self.hook.delete_endpoint_config(str(name))
            if name:
                self.on_resource("endpoint_config", str(name), "deleted")
        self.log.info("Endpoint configuration %s: %s", name, "deleted" if deleted else "absent")


class SageMakerDeleteModelIfExistsOperator(SageMakerOperator):
    """
    Delete a model; one that is absent is a success, unlike in the provider's SageMakerDeleteModelOperator.

    .. seealso::
        - :external+boto3:py:meth:`SageMaker.Client.delete_model`

    :param model_name: The model; None or "" for nothing to delete. (templated)
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates.
    :param botocore_config: Configuration dictionary (key-values) for botocore client.
    """

    template_fields: Sequence[str] = aws_template_fields("model_name")

    def __init__(self, *, model_name: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_name = model_name

    def execute(self, context: Context) -> None:
        """Delete."""
        with self._clear_errors():
            deleted = bool(self.model_name) and self.hook.delete_model_if_exists(str(self.model_name))
            if self.model_name:
                self.on_resource("model", str(self.model_name), "deleted")
        self.log.info("Model %s: %s", self.model_name, "deleted" if deleted else "absent")


def _serves(endpoint: dict[str, Any] | None, config: str) -> bool:
    in_service = endpoint is not None and endpoint["EndpointStatus"] == "InService"
    return endpoint is not None and in_service and endpoint["EndpointConfigName"] == config


def _configs(endpoint: dict[str, Any]) -> set[str]:
    """The configurations that an endpoint serves and is about to serve."""
    pending = endpoint.get("PendingDeploymentSummary", {}).get("EndpointConfigName")
    return {endpoint["EndpointConfigName"], pending or endpoint["EndpointConfigName"]}
