"""Sensing that workers have answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.sensors.base_aws import AwsBaseSensor
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.sdk import conf

from groundswell.aws.exceptions import failed
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.runs import open_run
from groundswell.aws.triggers.mturk import MTurkReviewableTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class MTurkReviewableSensor(AwsBaseSensor[MTurkHook]):
    """
    Wait until the first wave of a run's HITs is reviewable. Changes nothing.

    Its time-out means that nobody is answering: reward, title or qualifications keep workers away.

    :param batch_path: The batch file. (templated)
    :param run_id: The run whose HITs are meant. (templated)
    :param deferrable: Wait in the triggerer, without holding a worker slot.
    :param aws_conn_id: The connection that the trigger polls through: the batch file's ``connections.mturk``,
        which the task itself uses. Region, certificates and botocore settings come from that connection.
    """

    aws_hook_class = MTurkHook
    template_fields: Sequence[str] = aws_template_fields("batch_path", "run_id")
    ui_color = "#d9ece4"

    def __init__(
        self,
        *,
        batch_path: str,
        run_id: str = "{{ run_id }}",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_path = batch_path
        self.run_id = run_id
        self.deferrable = deferrable

    def poke(self, context: Context) -> bool:
        """Return whether the first wave is there, or nothing is left to wait for."""
        with open_run(self.batch_path, self.run_id, "mturk") as run:
            state = run.ledger.fold("hits", "reservations", "outcomes")
            minimum = min(run.batch.polling.first_wave, len(state.open_items))
            if minimum == 0:
                return True
            ours = {row["hit"] for row in state.hits.values()}
            seen = (hit for hit in run.mturk.reviewable(_hit_type(state.hits)) if hit in ours)
            return sum(1 for _ in islice(seen, minimum)) >= minimum

    def execute(self, context: Context) -> None:
        """Poke once here; wait in the triggerer if need be."""
        if not self.deferrable:
            super().execute(context)
        elif not self.poke(context):
            self.defer(
                trigger=self._trigger(),
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )

    def _trigger(self) -> MTurkReviewableTrigger:
        with open_run(self.batch_path, self.run_id, "mturk") as run:
            state = run.ledger.fold("hits", "reservations", "outcomes")
            return MTurkReviewableTrigger(
                hit_type_id=_hit_type(state.hits),
                minimum=min(run.batch.polling.first_wave, len(state.open_items)),
                max_wait=run.batch.polling.max_wait_seconds,
                poll_interval=run.batch.polling.interval_seconds,
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
            )

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Take the trigger's word."""
        if event is None or event.get("status") != "success":
            raise failed(event or {})
        self.log.info("%d HITs are reviewable", event["reviewable"])


def _hit_type(hits: dict[str, dict[str, Any]]) -> str:
    return str(next(iter(hits.values()))["hit_type"])
