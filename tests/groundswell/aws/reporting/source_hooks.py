"""AWS as the hooks of the sources tell of it, and the days that are asked about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from botocore.exceptions import ClientError

from groundswell.aws.hooks.cloudwatch import Metric, MetricData
from groundswell.aws.hooks.cognito import CognitoHook
from groundswell.reports.workteam import Seen

DAY = date(2026, 11, 10)
NEXT = DAY + timedelta(days=1)
UTC_ZONE = ZoneInfo("UTC")
KOLKATA = ZoneInfo("Asia/Kolkata")
MIDNIGHT = datetime(2026, 11, 10, tzinfo=UTC)
NOW = datetime(2026, 11, 12, 6, tzinfo=UTC)
POOL = "us-east-1_abcdefghi"
ANN = Seen("cats", "blue", "ann", POOL)
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "Ask")


class Logs:
    aws_conn_id = "aws_default"

    def __init__(self, events: Iterable[dict[str, Any]] | None) -> None:
        self.events = events
        self.window = (0, 0)

    def filter_log_events(
        self, log_group: str, *, start_ms: int, end_ms: int
    ) -> Iterator[dict[str, Any]] | None:
        self.window = (start_ms, end_ms)
        return None if self.events is None else iter(self.events)


class Metrics:
    """A CloudWatch that knows values by metric and hour, and lists some of them."""

    aws_conn_id = "aws_default"

    def __init__(
        self, values: dict[Metric, dict[datetime, float]], listed: Collection[Metric] | None = None
    ) -> None:
        self.values = values
        self.listed = values.keys() if listed is None else listed
        self.failed: frozenset[Metric] = frozenset()
        self.periods: list[tuple[int, datetime, datetime]] = []

    def list_metrics(self, namespace: str) -> list[Metric]:
        return sorted(self.listed)

    def metric_data(self, namespace: str, metrics: Iterable[Metric], **request: Any) -> MetricData:
        start, end = request["start"], request["end"]
        self.periods.append((request["period"], start, end))
        found = {
            metric: {at: value for at, value in self.values.get(metric, {}).items() if start <= at < end}
            for metric in metrics
        }
        return MetricData({metric: points for metric, points in found.items() if points}, self.failed)


class Users:
    aws_conn_id = "aws_default"
    is_absent = staticmethod(CognitoHook.is_absent)

    def __init__(self, pools: dict[str, list[dict[str, Any]]]) -> None:
        self.pools = pools
        self.read: list[str] = []

    def users(self, pool_id: str) -> Iterator[dict[str, Any]]:
        if pool_id not in self.pools:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "ListUsers")
        for user in self.pools[pool_id]:
            self.read.append(user["Username"])
            yield user


class LabelingJobs:
    aws_conn_id = "aws_default"

    def __init__(self, *listed: dict[str, Any], named: dict[str, dict[str, Any]] | None = None) -> None:
        self.listed = listed
        self.named = named or {}

    def labeling_jobs(self, **filters: datetime) -> Iterator[dict[str, Any]]:
        return iter(self.listed)

    def find_labeling_job(self, job_name: str) -> dict[str, Any] | None:
        return self.named.get(job_name)


def kinds(problems: Any) -> dict[str, int]:
    return {problem.kind: problem.count for problem in problems}
