"""Waiting until one HIT has been handed in, or is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.sensors.base_aws import AwsBaseSensor
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowSkipException

from groundswell.aws.exceptions import clear_errors, failed
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.triggers.mturk import MTurkReviewableTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class MTurkHitSensor(AwsBaseSensor[MTurkHook]):
    """
    Wait until a HIT is reviewable: handed in, or expired. Changes nothing; skipped where there is no HIT.

    :param hit_id: The HIT; empty where there is nothing to wait for. (templated)
    :param hit_type_id: Its HIT type, which must be of this HIT alone. (templated)
    :param deferrable: Wait in the triggerer, without holding a worker slot.
    """

    aws_hook_class = MTurkHook
    template_fields: Sequence[str] = aws_template_fields("hit_id", "hit_type_id")
    ui_color = "#d9ece4"

    def __init__(
        self,
        *,
        hit_id: str,
        hit_type_id: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.hit_id = hit_id
        self.hit_type_id = hit_type_id
        self.deferrable = deferrable

    def poke(self, context: Context) -> bool:
        """Return whether nobody can hand the HIT in any more."""
        with clear_errors(connection=str(self.aws_conn_id)):
            hit = self.hook.find_hit(self.hit_id)
        return hit is None or hit["HITStatus"] in {"Reviewable", "Reviewing", "Disposed"}

    def execute(self, context: Context) -> None:
        """Poke once here; wait in the triggerer if need be."""
        if not self.hit_id:
            raise AirflowSkipException("there is no HIT to wait for")
        if not self.deferrable:
            super().execute(context)
        elif not self.poke(context):
            self.defer(
                trigger=MTurkReviewableTrigger(
                    hit_type_id=self.hit_type_id,
                    minimum=1,
                    max_wait=None,
                    poll_interval=self.poke_interval,
                    aws_conn_id=self.aws_conn_id,
                    region_name=self.region_name,
                ),
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Take the trigger's word."""
        if event is None or event.get("status") != "success":
            raise failed(event or {})
