"""Publishing HITs, collecting their answers, and deleting them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowException

from groundswell.aws.catching_up import catch_up
from groundswell.aws.clearing import clear_hits
from groundswell.aws.collecting import Wave
from groundswell.aws.exceptions import failed
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.limits import RunLimit, trim
from groundswell.aws.progress import Progress, keep_progress
from groundswell.aws.publishing import publish_shard
from groundswell.aws.runs import LabelingRun, keep_claims, open_run
from groundswell.aws.steps.spend import release
from groundswell.aws.stopping import expire_open
from groundswell.aws.triggers.mturk import MTurkReviewableTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

#: HITs whose items are judged at once. Enough of them tell most of what there is to know about the workers;
#: waiting for more would keep the first of them from being asked about.
LOT = 2_000
#: How long after its last moment an open HIT is looked at by itself.
OVERDUE = timedelta(minutes=15)
#: Seconds between two progress documents within a wave: each looks at all answers of the run.
SAY_EVERY = 30.0


class _BatchOperator(AwsBaseOperator[MTurkHook]):
    """What the operators of a labelling run share: the batch file and the run id."""

    aws_hook_class = MTurkHook
    ui_color = "#bfe3d0"

    def __init__(self, *, batch_path: str, run_id: str = "{{ run_id }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_path = batch_path
        self.run_id = run_id

    def _open(self) -> AbstractContextManager[LabelingRun]:
        return open_run(self.batch_path, self.run_id, "mturk")


class MTurkPublishHitsOperator(_BatchOperator):
    """
    Create one HIT per item of a shard, exactly once under retry, crash and clear-and-rerun.

    :param batch_path: The batch file. (templated)
    :param shard: Number of the item shard that load_dataset wrote; map the operator over the shards.
    :param run_id: The run. (templated)
    :param aws_conn_id: The connection that the trigger polls through: the batch file's ``connections.mturk``,
        which the task itself uses. Region, certificates and botocore settings come from that connection.
    """

    template_fields: Sequence[str] = aws_template_fields("batch_path", "run_id", "shard")

    def __init__(self, *, shard: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard

    def execute(self, context: Context) -> dict[str, Any]:
        """Publish; return ``{"hit_type", "hits", "added"}``."""
        with self._open() as run:
            published = publish_shard(run, int(self.shard), look_up=_tried_before(context))
        self.log.info("shard %s: %d HITs, %d of them new", self.shard, published.hits, published.added)
        return asdict(published)


class MTurkCollectAndExtendOperator(_BatchOperator):
    """
    Collect answers wave by wave until every item is settled or given up.

    On the worker it takes a wave of reviewable HITs: fetch, record, approve, decide, and ask one more worker
    wherever the stopping rule says that the answer is not settled. Then it defers; the trigger only reads.
    It can be killed or cleared at any point, and two copies of it may run at once.

    :param batch_path: The batch file. (templated)
    :param run_id: The run. (templated)
    :param deferrable: Wait in the triggerer. Otherwise the task sleeps between waves on its worker.
    :param aws_conn_id: The connection that the trigger polls through: the batch file's ``connections.mturk``,
        which the task itself uses. Region, certificates and botocore settings come from that connection.
    """

    template_fields: Sequence[str] = aws_template_fields("batch_path", "run_id")

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

    def execute(self, context: Context) -> dict[str, Any]:
        """Take waves; return the run's progress once nothing is open."""
        with self._open() as run:
            wave = Wave(run, run.ledger.fold())
            keep_claims(run, [*wave.state.open_items, *wave.state.out_of_money])
            if _tried_before(context):
                catch_up(wave)
            return self._take_waves(run)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take the next wave."""
        if event is None or event.get("status") != "success":
            raise failed(event or {})
        with self._open() as run:
            return self._take_waves(run)

    def _take_waves(self, run: LabelingRun) -> dict[str, Any]:
        while True:
            wave = self._take_what_is_there(run)
            progress = self._report(run, wave)
            trim(run, wave.state)
            if progress.open == 0:
                return asdict(progress)
            self._wait(run, wave, progress.open)

    def _take_what_is_there(self, run: LabelingRun) -> Wave:
        """Take waves until one brings nothing new."""
        wave = Wave(run, run.ledger.fold())
        if wave.state.stopped:
            expire_open(run, wave.state)  # HITs that were made while it was being stopped
        wave.reopen()
        news, said = bool(wave.state.open_items), time.monotonic()
        while news:
            reviewable = list(run.mturk.reviewable(_hit_type(wave)))
            news = False
            for start in range(0, len(reviewable), LOT):
                news |= wave.take(reviewable[start : start + LOT]) > 0
                if time.monotonic() - said >= SAY_EVERY:
                    self._report(run, wave)
                    said = time.monotonic()
        if overdue := _overdue(run, wave):
            # Never listed as reviewable: deleted or flagged by hand, or the workforce's store was restored
            self.log.warning("%d HITs should have ended by now; looking at each", len(overdue))
            wave.take_items(overdue)
        return wave

    def _report(self, run: LabelingRun, wave: Wave) -> Progress:
        progress = keep_progress(run, wave.state)
        self.log.info(progress.line(RunLimit(run, wave.state).own_cents))
        return progress

    def _wait(self, run: LabelingRun, wave: Wave, still_open: int) -> None:
        polling = run.batch.polling
        trigger = MTurkReviewableTrigger(
            hit_type_id=_hit_type(wave),
            # Each wave costs a reading of the ledger: large runs take large waves
            minimum=min(max(polling.wave, still_open // 50), still_open),
            max_wait=polling.max_wait_seconds,
            poll_interval=polling.interval_seconds,
            ignore=sorted(wave.foreign),
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
        )
        if self.deferrable:
            self.defer(trigger=trigger, method_name="execute_complete", timeout=polling.timeout)
        trigger.wait_here()


def _tried_before(context: Context) -> bool:
    """Return whether the task is retried or was cleared."""
    task_instance = context.get("ti")
    return task_instance is not None and int(task_instance.try_number) > 1


def _hit_type(wave: Wave) -> str:
    return str(next(iter(wave.state.hits.values()))["hit_type"])


def _overdue(run: LabelingRun, wave: Wave) -> list[str]:
    """Return the open items whose HIT can have no worker any more."""
    grace = timedelta(seconds=run.batch.task.assignment_duration_seconds) + OVERDUE
    latest = (datetime.now(UTC) - grace).isoformat(timespec="seconds")
    return [item for item in wave.state.open_items if wave.state.expires[item] < latest]


class MTurkDeleteHitsOperator(_BatchOperator):
    """
    Delete the HITs of a run that are dealt with; an idempotent clean-up.

    HITs about which workers are still being asked are left: after a failure the collecting task can go on
    with them, and they expire by themselves. Late answers are recorded and paid before their HIT goes.

    :param batch_path: The batch file. (templated)
    :param run_id: The run. (templated)
    :param aws_conn_id: The connection that the trigger polls through: the batch file's ``connections.mturk``,
        which the task itself uses. Region, certificates and botocore settings come from that connection.
    """

    template_fields: Sequence[str] = aws_template_fields("batch_path", "run_id")

    def execute(self, context: Context) -> dict[str, int]:
        """Delete; return how many HITs were ``deleted`` (or gone already), ``open`` and ``held``."""
        with self._open() as run:
            cleared = clear_hits(run)
            release(run)
        self.log.info("%(deleted)d HITs deleted, %(open)d still open, %(held)d held by workers", cleared)
        if cleared["held"]:
            raise AirflowException(
                f"{cleared['held']} HITs are held by workers; they are expired, and are deleted when this "
                "task is tried again after the assignments' time"
            )
        return cleared
