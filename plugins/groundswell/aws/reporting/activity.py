"""The events of private workers, from the log group that Ground Truth writes them to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from groundswell.aws.exceptions import clear_errors
from groundswell.aws.hooks.cloudwatch import CloudWatchLogsHook
from groundswell.reports import schema
from groundswell.reports.activity import BLOCK, SOURCE, LogEvent, Parsed, parse_blocks
from groundswell.reports.days import bounds
from groundswell.reports.problems import Problem

#: An event may be in the log a little before or after the time that it tells.
SLACK = timedelta(hours=1)


def pull(
    hook: CloudWatchLogsHook,
    log_group: str,
    first: date,
    last: date,
    zone: ZoneInfo,
    *,
    late_days: int | None = None,
    block: int = BLOCK,
) -> Iterator[Parsed]:
    """
    Read the events of some days, block by block; an event counts for the day of the time that it tells.

    Nothing is filtered by CloudWatch: what is bad shall be counted.

    :param hook: where the log is
    :param log_group: the name of the log group
    :param first: the first day
    :param last: the last day
    :param zone: of the days
    :param late_days: rows of earlier days that came in later than this are told apart
    :param block: events per block
    :return: rows of these days (``schema.ACTIVITY``) and problems, each with its day. Where there is no such
        log group, one block without rows and with this problem.
    """
    with clear_errors(connection=str(hook.aws_conn_id)):
        window = bounds(first, last, zone)
        start, end = window[0] - SLACK, window[1] + SLACK
        found = hook.filter_log_events(
            log_group, start_ms=int(start.timestamp() * 1000), end_ms=int(end.timestamp() * 1000)
        )
        if found is None:
            yield Parsed(schema.ACTIVITY.empty(), [_absent(log_group, last)])
            return
        lines = (
            LogEvent(event["eventId"], event["timestamp"], event["message"], event.get("ingestionTime"))
            for event in found
        )
        yield from parse_blocks(
            lines, zone=zone, window=window, days=(first, last), late_days=late_days, block=block
        )


def _absent(log_group: str, day: date) -> Problem:
    what_to_do = (
        "Ground Truth makes the log group with the first private labeling job of the region. If there will "
        "be none, set sources.worker_activity to null in the settings file; else correct its log_group or "
        "the region of the connection."
    )
    return Problem("no log group", 1, log_group, what_to_do, SOURCE, day)
