"""Hooks of services that allow only a few calls per second."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
from botocore.config import Config

#: Calls that were throttled, or not answered, are made again up to ten times, at most 20 s apart.
PATIENT = Config(retries={"mode": "standard", "max_attempts": 10})


class PatientHook(AwsBaseHook):
    """
    A hook that waits where a service is asked too often.

    What the hook is made with, or the connection says in ``config_kwargs``, goes before; the rest of it, such
    as proxies and timeouts, is used as it is.

    .. seealso::
        - :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsBaseHook`
    """

    @cached_property
    def conn_config(self) -> AwsConnectionWrapper:
        """The connection; see :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsGenericHook`."""
        found: AwsConnectionWrapper = super().conn_config
        given: Any = found.botocore_config
        found.botocore_config = PATIENT.merge(given) if given else PATIENT
        return found
