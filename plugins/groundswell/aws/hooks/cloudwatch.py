"""Amazon CloudWatch: metrics, and what the amazon provider's hook for its logs lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple

from airflow.providers.amazon.aws.hooks.logs import AwsLogsHook
from botocore.exceptions import ClientError

from groundswell.aws.exceptions import error_code
from groundswell.aws.hooks.patience import PatientHook

EVENTS_PER_PAGE = 10_000  # the API's maximum
QUERIES_PER_CALL = 500  # the API's maximum
_VALUE_CHARACTERS = 1024  # the API's maximum of a dimension's value


class CloudWatchLogsHook(PatientHook, AwsLogsHook):
    """
    Interact with Amazon CloudWatch Logs: search a whole log group.

    Provide thin wrapper around :external+boto3:py:class:`boto3.client("logs") <CloudWatchLogs.Client>`.

    Additional arguments (such as ``aws_conn_id``) may be specified and
    are passed down to the underlying AwsBaseHook.

    .. seealso::
        - :class:`airflow.providers.amazon.aws.hooks.logs.AwsLogsHook`
    """

    def filter_log_events(
        self, log_group: str, *, start_ms: int, end_ms: int
    ) -> Iterator[dict[str, Any]] | None:
        """
        Return the events of all streams of a log group, the earliest first, page by page as they are read.

        .. seealso::
            - :external+boto3:py:meth:`CloudWatchLogs.Client.filter_log_events`

        :param log_group: the name of the log group
        :param start_ms: the time of the first event, milliseconds since 1970 in UTC
        :param end_ms: events of this time and later are left out
        :return: None where there is no such log group.
        """
        pages = self._pages(log_group, start_ms, end_ms)
        try:
            first = next(pages)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
        return (
            event
            for page in chain((first,), pages)
            for event in page
            if start_ms <= event["timestamp"] < end_ms
        )

    def _pages(self, log_group: str, start_ms: int, end_ms: int) -> Iterator[list[dict[str, Any]]]:
        request = {"logGroupName": log_group, "endTime": end_ms - 1, "limit": EVENTS_PER_PAGE}
        known: set[str] = set()  # those of the first millisecond that were given already
        while True:
            events: list[dict[str, Any]] = []
            end, ends = start_ms, known
            for events in self._pages_by_token({**request, "startTime": start_ms}):
                yield [event for event in events if event["eventId"] not in known]
                end, ends = _last(events, end, ends)
            if len(events) < EVENTS_PER_PAGE:
                return
            # Full pages without a token are from an emulator that has no tokens. It continues where it ended.
            if all(event["eventId"] in known for event in events):
                self.log.warning("more than %d events at one time, %d: the rest is left out", len(known), end)
                end, ends = end + 1, set()
            start_ms, known = end, ends

    def _pages_by_token(self, request: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
        token: str | None = None
        while True:
            page = self.conn.filter_log_events(**request, **({"nextToken": token} if token else {}))
            yield page["events"]  # may be empty although there are more
            if page.get("nextToken") in {None, token}:
                return
            token = page["nextToken"]


def _last(events: Sequence[Mapping[str, Any]], end: int, ends: set[str]) -> tuple[int, set[str]]:
    """Return the last time of events so far, and the ids of those of that time."""
    last = max([end, *(event["timestamp"] for event in events)])
    now = {event["eventId"] for event in events if event["timestamp"] == last}
    return last, (ends if last == end else set()) | now


class Metric(NamedTuple):
    """A metric of a namespace: its name and its dimensions, sorted."""

    name: str
    dimensions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, name: str, dimensions: Mapping[str, str]) -> Metric:
        """Return the metric with these dimensions, in any order."""
        return cls(name, tuple(sorted(dimensions.items())))

    @property
    def is_possible(self) -> bool:
        """Whether CloudWatch could have it: one query for another one would fail all those beside it."""
        return all(
            value.strip() and value.isascii() and value.isprintable() and len(value) <= _VALUE_CHARACTERS
            for _, value in self.dimensions
        )


@dataclass(frozen=True)
class MetricData:
    """What CloudWatch said about some metrics.

    Attributes:
        values: by metric and by start of the period (UTC); metrics without values are not in it.
        failed: metrics that CloudWatch did not give, or not all of.
    """

    values: dict[Metric, dict[datetime, float]]
    failed: frozenset[Metric]


class CloudWatchHook(PatientHook):
    """
    Interact with the metrics of Amazon CloudWatch.

    Provide thin wrapper around :external+boto3:py:class:`boto3.client("cloudwatch") <CloudWatch.Client>`.

    Additional arguments (such as ``aws_conn_id``) may be specified and
    are passed down to the underlying AwsBaseHook.

    .. seealso::
        - :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsBaseHook`
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "cloudwatch"
        super().__init__(*args, **kwargs)

    def list_metrics(self, namespace: str) -> list[Metric]:
        """
        Return the metrics of a namespace that had data in the last two weeks, each once, sorted.

        .. seealso::
            - :external+boto3:py:meth:`CloudWatch.Client.list_metrics`

        :param namespace: the namespace, exactly
        """
        pages = self.conn.get_paginator("list_metrics").paginate(Namespace=namespace)
        return sorted(
            {
                Metric.of(metric["MetricName"], {d["Name"]: d["Value"] for d in metric.get("Dimensions", [])})
                for page in pages
                for metric in page["Metrics"]
            }
        )

    def metric_data(
        self,
        namespace: str,
        metrics: Iterable[Metric],
        *,
        statistic: str,
        period: int,
        start: datetime,
        end: datetime,
    ) -> MetricData:
        """
        Return a statistic of metrics over time, 500 metrics at a time.

        .. seealso::
            - :external+boto3:py:meth:`CloudWatch.Client.get_metric_data`

        :param namespace: the namespace, exactly
        :param metrics: which; one that does not exist has no values
        :param statistic: such as ``Sum`` or ``Maximum``
        :param period: in seconds, a multiple of what CloudWatch still keeps at that age
        :param start: the beginning of the first period
        :param end: the end of the last period
        """
        values: dict[Metric, dict[datetime, float]] = {}
        failed: set[Metric] = set()
        wanted = [metric for metric in metrics if metric.is_possible]
        for begin in range(0, len(wanted), QUERIES_PER_CALL):
            by_id = {f"m{n}": metric for n, metric in enumerate(wanted[begin : begin + QUERIES_PER_CALL])}
            queries = [_query(each, namespace, metric, statistic, period) for each, metric in by_id.items()]
            found, unanswered = self._results(queries, start, end)
            values |= {by_id[query_id]: points for query_id, points in found.items() if points}
            failed |= {by_id[query_id] for query_id in unanswered}
        return MetricData(values, frozenset(failed))

    def _results(
        self, queries: list[dict[str, Any]], start: datetime, end: datetime
    ) -> tuple[dict[str, dict[datetime, float]], set[str]]:
        """Return the values by the id of the query; and the queries that were not answered, or not whole."""
        found: dict[str, dict[datetime, float]] = {}
        status: dict[str, str] = {}
        messages: list[dict[str, Any]] = []
        pages = self.conn.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
        )
        for page in pages:
            messages += page.get("Messages", ())
            for result in page["MetricDataResults"]:
                # PartialData: the rest is on the next page, unless it is the last one
                status[result["Id"]] = result.get("StatusCode", "Complete")
                points = zip(result["Timestamps"], result["Values"], strict=True)
                found.setdefault(result["Id"], {}).update(
                    {at.astimezone(UTC): float(value) for at, value in points if start <= at < end}
                )
        unanswered = {query_id for query_id, code in status.items() if code != "Complete"}
        for message in messages:
            # About the whole call, of which CloudWatch did what it could
            self.log.warning("CloudWatch: %s: %s", message.get("Code"), message.get("Value"))
            unanswered |= {query["Id"] for query in queries} - status.keys()
        return found, unanswered


def _query(query_id: str, namespace: str, metric: Metric, statistic: str, period: int) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    described = {"Namespace": namespace, "MetricName": metric.name, "Dimensions": dimensions}
    return {"Id": query_id, "MetricStat": {"Metric": described, "Period": period, "Stat": statistic}}
