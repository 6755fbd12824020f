from __future__ import annotations

import json
import time
import types
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from localcloud import emulator_fixes
from tests.support.cloud_process import CloudProcess

HOUR_MS = 3_600_000


@given(
    st.lists(st.lists(st.integers(0, 5), max_size=12).map(sorted), max_size=3),
    st.integers(1, 4),
    st.sampled_from([0, 1]),
)
def test_pages_give_every_event_once(streams: list[list[int]], limit: int, odd: int) -> None:
    stored = [
        (f"s{n}", [{"timestamp": at, "message": f"{n}-{k}"} for k, at in enumerate(times)])
        for n, times in enumerate(streams)
    ]
    token: str | None = None
    seen: list[dict[str, Any]] = []
    while True:
        position = emulator_fixes.parse_token(token)
        merged = emulator_fixes.merged(stored, {"startTime": 1, "endTime": 4}, position[0])
        events, token = emulator_fixes.page(merged, position, lambda m: int(m[-1]) % 2 >= odd, limit)
        assert len(events) <= limit
        seen += events
        if token is None:
            break
        assert events
    expected = [
        (event["timestamp"], name, event["message"])
        for name, events in stored
        for event in events
        if 1 <= event["timestamp"] <= 4 and int(event["message"][-1]) % 2 >= odd
    ]
    assert sorted((e["timestamp"], e["logStreamName"], e["message"]) for e in seen) == sorted(expected)
    assert [e["timestamp"] for e in seen] == sorted(e["timestamp"] for e in seen)


def test_an_unchanged_state_is_written_once(tmp_path: Any) -> None:
    written = []
    persistence = types.SimpleNamespace(
        __name__="persistence", json=json, save_state=lambda name, state: written.append((name, state))
    )
    emulator_fixes.mend_saving(persistence)
    state = {"a": 1}
    for value in (state, state, {"a": 1}):
        persistence.save_state("logs", value)
    assert len(written) == 2
    with (tmp_path / "x").open("w") as file:
        persistence.json.dump({"when": 1}, file, default=str)
    assert persistence.json.loads((tmp_path / "x").read_text()) == {"when": 1}


def test_an_emulator_of_another_shape_is_left_alone() -> None:
    with pytest.raises(AttributeError, match="no _log_groups"):
        emulator_fixes.mend_logs(types.SimpleNamespace(__name__="logs"))


@pytest.mark.contract
def test_filter_log_events_pages_as_aws_does(cloud: CloudProcess) -> None:
    logs = cloud.client("logs")
    group = f"group-{uuid.uuid4().hex[:6]}"
    logs.create_log_group(logGroupName=group)
    start = int(time.time() * 1000) - HOUR_MS
    padding = "x" * 300
    for stream in ("red-1", "red-2", "blue"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": start + n // 7, "message": f"{stream} {n} {padding}"} for n in range(2000)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=group))
    assert [len(page["events"]) > 0 for page in pages] == [True, True]  # 1.8 MB of text
    messages = [event["message"] for page in pages for event in page["events"]]
    assert len(messages) == len(set(messages)) == 6000
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, logStreamNamePrefix="red", startTime=start + 1, endTime=start + 2
    )
    found = [event for page in pages for event in page["events"]]
    assert len(found) == 2 * 2 * 7
    assert {event["logStreamName"] for event in found} == {"red-1", "red-2"}
    with pytest.raises(ClientError) as caught:
        logs.filter_log_events(logGroupName=group, nextToken="made up")
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_a_query_goes_through_the_metrics_that_it_names_only() -> None:
    metrics = {("space", name, f"Worker={n}"): [n] for name in ("a", "b") for n in range(100)}
    asked = emulator_fixes.Asked(metrics, dict, lambda named: "|".join(f"{k}={v}" for k, v in named.items()))
    asked.key(asked.dimensions({"Worker": 7}))
    assert list(asked.items()) == [(("space", name, "Worker=7"), [7]) for name in ("a", "b")]
    asked.key(asked.dimensions({"Worker": 100}))
    assert list(asked.items()) == []
    asked.dimensions({})
    assert len(list(asked.items())) == 200, "a query without dimensions makes no key"


@pytest.mark.contract
def test_queries_of_one_request_do_not_see_each_others_metrics(cloud: CloudProcess) -> None:
    cloudwatch = cloud.client("cloudwatch")
    namespace = f"space-{uuid.uuid4().hex[:6]}"
    now = datetime.now(UTC)

    def dimensions(worker: str) -> list[dict[str, str]]:
        return [{"Name": "Worker", "Value": worker}] if worker else []

    for value, worker in enumerate(["ann", "bob"], start=1):
        datum = {"MetricName": "m", "Dimensions": dimensions(worker), "Timestamp": now, "Value": value}
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])
    queries = [
        {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions(worker)},
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for number, (name, worker) in enumerate([("m", "bob"), ("m", "cid"), ("other", "bob"), ("m", "ann")])
    ]
    start, end = now - timedelta(hours=1), now + timedelta(hours=1)
    data = cloudwatch.get_metric_data(StartTime=start, EndTime=end, MetricDataQueries=queries)
    assert [result["Values"] for result in data["MetricDataResults"]] == [[2.0], [], [], [1.0]]


@pytest.mark.contract
def test_metrics_are_kept_for_455_days_and_listed_for_two_weeks(cloud: CloudProcess) -> None:
    cloudwatch = cloud.client("cloudwatch")
    namespace = f"space-{uuid.uuid4().hex[:6]}"
    now = datetime.now(UTC)
    for age in (1, 20, 440):
        cloudwatch.put_metric_data(
            Namespace=namespace,
            MetricData=[{"MetricName": f"m{age}", "Timestamp": now - timedelta(days=age), "Value": 2.0}],
        )
    listed = cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    assert [metric["MetricName"] for metric in listed] == ["m1"]
    queries = [
        {
            "Id": f"m{age}",
            "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": f"m{age}"},
                "Period": 86_400,
                "Stat": "Sum",
            },
        }
        for age in (1, 20, 440)
    ]
    data = cloudwatch.get_metric_data(
        StartTime=now - timedelta(days=450), EndTime=now, MetricDataQueries=queries
    )["MetricDataResults"]
    assert [result["Values"] for result in data] == [[2.0], [2.0], [2.0]]


@pytest.mark.contract
def test_logs_and_metrics_survive_a_restart(tmp_path: Path) -> None:
    cloud = CloudProcess(tmp_path / "state")
    cloud.start()
    try:
        logs, cloudwatch = cloud.client("logs"), cloud.client("cloudwatch")
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        now = int(time.time() * 1000)
        put = [{"timestamp": now + n, "message": f"line {n}"} for n in range(5)]
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=put)
        cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 4.0}])
        cloud.stop()
        cloud.start()
        logs, cloudwatch = cloud.client("logs"), cloud.client("cloudwatch")
        events = logs.filter_log_events(logGroupName="g")["events"]
        assert [event["message"] for event in events] == [line["message"] for line in put]
        record = logs.get_log_record(logRecordPointer=events[3]["eventId"])["logRecord"]
        assert (record["@message"], record["@logStream"]) == ("line 3", "s")
        assert [m["MetricName"] for m in cloudwatch.list_metrics(Namespace="n")["Metrics"]] == ["m"]
        logs.put_log_events(
            logGroupName="g", logStreamName="s", logEvents=[{"timestamp": now + 9, "message": "later"}]
        )
        saved = cloud.state_dir / "emulator" / "state" / "cloudwatch_logs.json"
        deadline = time.monotonic() + 60
        while "later" not in saved.read_text():  # until then a kill may lose it
            assert time.monotonic() < deadline
            time.sleep(0.05)
        cloud.kill()
        cloud.start()
        events = cloud.client("logs").filter_log_events(logGroupName="g")["events"]
        assert [event["message"] for event in events][-2:] == ["line 4", "later"]
    finally:
        cloud.stop()
