"""Log events of the days that are asked about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.hooks.cloudwatch import CloudWatchLogsHook
from groundswell.aws.reporting import activity
from tests.groundswell.aws.reporting.source_hooks import (
    DAY,
    DENIED,
    KOLKATA,
    MIDNIGHT,
    NEXT,
    UTC_ZONE,
    Logs,
    kinds,
)


def test_events_are_read_with_an_hour_around_the_days() -> None:
    hook = Logs([])
    assert list(activity.pull(cast("CloudWatchLogsHook", hook), "g", DAY, NEXT, KOLKATA)) == []
    start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in hook.window)
    assert start == datetime(2026, 11, 9, 17, 30, tzinfo=UTC)
    assert end == datetime(2026, 11, 11, 19, 30, tzinfo=UTC)


def test_events_come_in_blocks() -> None:
    bad = [
        {"eventId": str(n), "timestamp": 1000 * int(MIDNIGHT.timestamp()), "message": str(n)}
        for n in range(5)
    ]
    blocks = list(activity.pull(cast("CloudWatchLogsHook", Logs(bad)), "g", DAY, DAY, UTC_ZONE, block=2))
    assert [kinds(block.problems) for block in blocks] == [{"not JSON": n} for n in (2, 2, 1)]


def test_no_log_group_is_a_problem_of_the_last_day() -> None:
    [parsed] = activity.pull(cast("CloudWatchLogsHook", Logs(None)), "/aws/x", DAY, NEXT, UTC_ZONE)
    assert len(parsed.rows) == 0
    assert [(problem.kind, problem.example, problem.day) for problem in parsed.problems] == [
        ("no log group", "/aws/x", NEXT)
    ]


def test_refused_calls_name_the_connection() -> None:
    def refused() -> Iterator[dict[str, Any]]:
        raise DENIED
        yield

    with pytest.raises(AirflowFailException, match=r"'aws_default'.*not authorized"):
        list(activity.pull(cast("CloudWatchLogsHook", Logs(refused())), "g", DAY, DAY, UTC_ZONE))
