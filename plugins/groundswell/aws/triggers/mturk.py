"""Waiting for workers, in the triggerer. Triggers only read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from botocore.exceptions import BotoCoreError, ClientError

from groundswell.aws.exceptions import CREDENTIAL_CODES, INCOMPLETE_CREDENTIALS, error_code, failed
from groundswell.aws.hooks.mturk import MTurkHook

#: Airflow 3.3 may mark a task failed whose trigger fires within seconds of the deferral (apache/airflow
#: issues 71580, 72716): nothing is reported before this many seconds.
QUIET_SECONDS = 15.0
#: Polls in a row that may fail before the task is woken to say so (and to be retried by Airflow).
PATIENCE = 20


class MTurkReviewableTrigger(BaseTrigger):
    """
    Fire when enough HITs of a HIT type are reviewable, or when some have waited long enough.

    :param hit_type_id: the HIT type of the run.
    :param minimum: fire as soon as this many HITs are reviewable.
    :param max_wait: fire this many seconds after the first of fewer HITs was seen. None: never.
    :param poll_interval: seconds between two polls.
    :param ignore: HITs of the same type that are none of the run's.
    :param aws_conn_id: the Airflow connection of the workforce.
    :param region_name: region, where the connection's own is not wanted.
    """

    def __init__(
        self,
        *,
        hit_type_id: str,
        minimum: int,
        max_wait: float | None,
        poll_interval: float,
        ignore: list[str] | None = None,
        aws_conn_id: str | None = "mturk_default",
        region_name: str | None = None,
    ) -> None:
        super().__init__()
        self.hit_type_id = hit_type_id
        self.minimum = minimum
        self.max_wait = max_wait
        self.poll_interval = poll_interval
        self.ignore = ignore or []
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments from which the triggerer makes the trigger again."""
        return (
            "groundswell.aws.triggers.mturk.MTurkReviewableTrigger",
            {
                "hit_type_id": self.hit_type_id,
                "minimum": self.minimum,
                "max_wait": self.max_wait,
                "poll_interval": self.poll_interval,
                "ignore": self.ignore,
                "aws_conn_id": self.aws_conn_id,
                "region_name": self.region_name,
            },
        )

    def hook(self) -> MTurkHook:
        """Return the hook of the trigger's connection."""
        return MTurkHook(aws_conn_id=self.aws_conn_id, region_name=self.region_name)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is a wave; yield one event, ``{"status": "success" | "error", …}``."""
        await asyncio.sleep(max(QUIET_SECONDS, self.poll_interval))
        first_seen: float | None = None
        failures = 0
        hook = self.hook()
        async with await hook.get_async_conn() as client:
            while True:
                try:
                    count = await self._count(hook, client)
                except (ClientError, BotoCoreError) as error:
                    failures += 1
                    if failures >= PATIENCE or _hopeless(error):
                        yield TriggerEvent({"status": "error", "message": self._complaint(error)})
                        return
                else:
                    failures = 0
                    first_seen = (first_seen or time.monotonic()) if count else None
                    if self._enough(count, first_seen):
                        yield TriggerEvent({"status": "success", "reviewable": count})
                        return
                await asyncio.sleep(self.poll_interval)

    def wait_here(self) -> None:
        """Wait on the worker instead, for tasks that do not defer. Raises AirflowException on failure."""

        async def first() -> dict[str, Any]:
            async for event in self.run():
                return dict(event.payload)
            return {}

        event = asyncio.run(first())
        if event.get("status") != "success":
            raise failed(event)

    def _complaint(self, error: Exception) -> str:
        return f"connection {self.aws_conn_id!r}: polling for answers: {error}"

    async def _count(self, hook: MTurkHook, client: Any) -> int:
        """Count the run's reviewable HITs, up to the minimum: more need not be listed."""
        ignore, count = set(self.ignore), 0
        async for hit in hook.areviewable(client, self.hit_type_id):
            count += hit not in ignore
            if count >= self.minimum:
                break
        return count

    def _enough(self, count: int, first_seen: float | None) -> bool:
        if count >= self.minimum:
            return True
        if self.max_wait is None or first_seen is None:
            return False
        return time.monotonic() - first_seen >= self.max_wait


def _hopeless(error: Exception) -> bool:
    if isinstance(error, ClientError):
        return error_code(error) in CREDENTIAL_CODES
    return isinstance(error, INCOMPLETE_CREDENTIALS)
