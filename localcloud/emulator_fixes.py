"""Where the AWS emulator (ministack 1.5.33) differs from AWS in what reports depend on, and what is done.

* Its FilterLogEvents has one page: events after the first 10,000 cannot be had. Here it pages as AWS
  does, by 10,000 events or 1 MiB ("FilterLogEvents", Amazon CloudWatch Logs API reference), and knows
  ``logStreamNamePrefix``.
* Its CloudWatch forgets data points after two weeks, and looks for old ones at every request. AWS keeps
  them for 455 days, while ListMetrics names only metrics with data of the last two weeks ("Metrics
  retention" and "ListMetrics", Amazon CloudWatch user guide and API reference).
* Its GetMetricData goes through all metrics for every query: of ten thousand metrics it took minutes.
* After any change of any service it copies all log events and data points, deeply and in the thread that
  serves, and writes them, events twice, with the slow one of Python's JSON encoders: 30,000 events took
  it 3.7 s. Here states are copied flat, written fast, events once, and only where something changed.

Runs in the emulator's interpreter: standard library only. What it changes is private to the emulator,
so a version without it is left as it is, with a warning.
"""

from __future__ import annotations

import copy
import heapq
import importlib
import json
import logging
import time
import types
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any

KEPT_S = 455 * 86_400
LISTED_S = 14 * 86_400
PAGE_BYTES = 2**20
PAGE_EVENTS = 10_000
EVENT_OVERHEAD = 26
READS = ("Get", "List", "Describe", "Filter")
_EVICT_EVERY_S = 3600.0

log = logging.getLogger("localcloud.emulator")

Event = dict[str, Any]


def apply() -> None:
    """Mend the services that are there."""
    mends = {"services.cloudwatch_logs": mend_logs, "services.cloudwatch": mend_metrics}
    for module, mend in {**mends, "core.persistence": mend_saving}.items():
        try:
            mend(importlib.import_module(f"ministack.{module}"))
        except Exception:
            log.warning("this version of the emulator's %s is used as it is", module, exc_info=True)


# --- CloudWatch Logs ------------------------------------------------------------------------------


def mend_logs(service: Any) -> None:
    """Give the service a FilterLogEvents with pages, and a cheap way to read its state."""
    _require(service, "_log_groups", "_log_events_lock", "_log_records", "_resolve_log_group_name")
    _require(service, "_compile_filter_pattern", "_build_log_record", "load_persisted_state")
    _require(service, "error_response_json", "json_response")

    def filter_log_events(data: dict[str, Any]) -> Any:
        name = service._resolve_log_group_name(data)
        if name not in service._log_groups:
            message = f"The specified log group does not exist: {name}"
            return service.error_response_json("ResourceNotFoundException", message, 400)
        try:
            position = parse_token(data.get("nextToken"))
        except ValueError:
            message = "The specified nextToken is invalid."
            return service.error_response_json("InvalidParameterException", message, 400)
        with service._log_events_lock:
            chosen = _chosen(service._log_groups[name]["streams"], data)
        limit = min(data.get("limit", PAGE_EVENTS), PAGE_EVENTS)
        matches = service._compile_filter_pattern(data.get("filterPattern", ""))
        events, token = page(merged(chosen, data, position[0]), position, matches, limit)
        answer = {"events": events, "searchedLogStreams": []}
        return service.json_response(answer | ({"nextToken": token} if token else {}))

    def entries() -> Iterator[Any]:
        for group in _plain(service._log_groups):
            for stream in group["streams"].values():
                yield from stream["events"]

    service._filter_log_events = filter_log_events
    nothing = type(service._log_records)()
    read_cheaply(service, entries, lambda: len(service._log_records._data), _log_records=nothing)
    load = service.load_persisted_state

    def load_persisted_state(data: Any) -> None:
        load(data)
        _restore_records(service)

    service.load_persisted_state = load_persisted_state


def _restore_records(service: Any) -> None:
    """Make the records of all events, which hold nothing that the events do not say."""
    records = service._log_records._data
    for (account, region, group), value in service._log_groups._data.items():
        for stream, content in value["streams"].items():
            for event in content["events"]:
                pointer = event["eventId"]
                records[account, region, pointer] = service._build_log_record(
                    ptr=pointer,
                    timestamp_ms=event["timestamp"],
                    message=event["message"],
                    log_group=group,
                    log_stream=stream,
                )


def parse_token(token: str | None) -> tuple[int | None, int]:
    """Return from which timestamp to go on, and how many events of that timestamp are done.

    Raises ValueError when the token was not given out here.
    """
    if token is None:
        return None, 0
    timestamp, _, done = token.partition("/")
    return int(timestamp), int(done)


def _chosen(streams: dict[str, Any], data: dict[str, Any]) -> list[tuple[str, list[Event]]]:
    names = data.get("logStreamNames")
    prefix = data.get("logStreamNamePrefix", "")
    return [
        (name, stream["events"])
        for name, stream in streams.items()
        if (not names or name in names) and name.startswith(prefix)
    ]


def merged(
    streams: Iterable[tuple[str, list[Event]]], data: dict[str, Any], first: int | None
) -> Iterator[Event]:
    """Return the events of several streams in the order of time, from ``first`` and within the request."""
    start = data.get("startTime") if first is None else first
    end = data.get("endTime")

    def span(name: str, events: list[Event]) -> Iterator[Event]:
        low = 0 if start is None else bisect_left(events, start, key=_timestamp)
        high = len(events) if end is None else bisect_right(events, end, key=_timestamp)
        for index in range(low, high):
            yield {**events[index], "logStreamName": name}

    return heapq.merge(*(span(*stream) for stream in streams), key=_timestamp)


def page(
    events: Iterator[Event], position: tuple[int | None, int], matches: Callable[[str], bool], limit: int
) -> tuple[list[Event], str | None]:
    """Return the next events that match, and the token of the page after them, None when it is the last.

    ``events`` begin with the timestamp of ``position``.
    """
    timestamp, done = position
    skip = done
    found: list[Event] = []
    size = 0
    for event in events:
        if skip:
            skip -= 1
            continue
        weight = len(event["message"].encode("utf-8", "surrogatepass")) + EVENT_OVERHEAD
        if found and (len(found) >= limit or size + weight > PAGE_BYTES):
            return found, f"{timestamp}/{done}"
        timestamp, done = event["timestamp"], done + 1 if event["timestamp"] == timestamp else 1
        if matches(event["message"]):
            found.append(event)
            size += weight
    return found, None


def _timestamp(event: Event) -> int:
    timestamp: int = event["timestamp"]
    return timestamp


# --- CloudWatch -----------------------------------------------------------------------------------


def mend_metrics(service: Any) -> None:
    """Keep data points as long as AWS does, and list the metrics that AWS would."""
    _require(service, "_metrics", "_evict_old_metrics", "_list_metrics", "TWO_WEEKS_SECONDS")
    service.TWO_WEEKS_SECONDS = KEPT_S
    _require(service, "_get_metric_data", "_dims_key", "_dims_from_list")
    evict, listing, data = service._evict_old_metrics, service._list_metrics, service._get_metric_data
    next_eviction = 0.0

    def evict_now_and_then() -> None:
        nonlocal next_eviction
        if time.monotonic() >= next_eviction:
            next_eviction = time.monotonic() + _EVICT_EVERY_S
            evict()

    def list_recent(*arguments: Any, **options: Any) -> Any:
        since = time.time() - LISTED_S
        recent = {
            key: points
            for key, points in service._metrics.items()
            if any(point["Timestamp"] >= since for point in reversed(points))
        }
        return with_globals(listing, service, _metrics=recent)(*arguments, **options)

    def get_data(*arguments: Any, **options: Any) -> Any:
        asked = Asked(service._metrics, service._dims_from_list, service._dims_key)
        names = {"_metrics": asked, "_dims_from_list": asked.dimensions, "_dims_key": asked.key}
        return with_globals(data, service, **names)(*arguments, **options)

    service._evict_old_metrics = evict_now_and_then
    service._list_metrics = list_recent
    service._get_metric_data = get_data
    read_cheaply(
        service,
        lambda: (point for points in _plain(service._metrics) for point in points),
        lambda: sum(len(points) for points in _plain(service._metrics)),
    )


class Asked:
    """The metrics as a request for data sees them: of those that a query looks at, only what it names.

    The service reads a query's dimensions, makes a key of them if there are any, and compares it with that of
    each metric. Here the key chooses the metrics that there are to compare.
    """

    def __init__(self, metrics: Any, read: Callable[[Any], Any], key: Callable[[Any], str]) -> None:
        self._all = list(metrics.items())
        self._read, self._key = read, key
        self._of_key: dict[str, list[Any]] = {}
        for entry in self._all:
            self._of_key.setdefault(entry[0][2], []).append(entry)
        self._chosen: Iterable[Any] = self._all

    def dimensions(self, given: Any) -> Any:
        """Read the dimensions of the next query."""
        self._chosen = self._all
        return self._read(given)

    def key(self, dimensions: Any) -> str:
        """Return the key of the query's dimensions."""
        key = self._key(dimensions)
        self._chosen = self._of_key.get(key, ())
        return key

    def items(self) -> Iterable[Any]:
        """Return what the query has to be compared with."""
        return self._chosen


# --- saving ---------------------------------------------------------------------------------------


def mend_saving(persistence: Any) -> None:
    """Write states with the fast encoder, and none that is the very object written before."""
    _require(persistence, "save_state", "json")
    save = persistence.save_state
    written: dict[str, Any] = {}

    def dump(value: Any, file: Any, **options: Any) -> None:
        file.write(json.dumps(value, **options))

    def save_state(name: str, state: Any) -> None:
        if written.get(name) is not state:
            save(name, state)
            written[name] = state

    persistence.json = types.SimpleNamespace(**{**vars(json), "dump": dump})
    persistence.save_state = save_state


def read_cheaply(
    service: Any, entries: Callable[[], Iterable[Any]], size: Callable[[], int], **instead: Any
) -> None:
    """Let ``get_state`` share ``entries``, and return the same object again when nothing changed.

    ``entries`` are the many small objects of the state that are never changed once they are stored;
    ``size`` counts them, since other services add some without a request. ``instead`` are module
    variables that it shall see with other values.
    """
    _require(service, "get_state", "handle_request", "copy")
    read, handle = service.get_state, service.handle_request
    requests = 0
    last: tuple[tuple[int, int], Any] | None = None

    async def handle_request(method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
        nonlocal requests
        try:
            return await handle(method, path, headers, *rest)
        finally:
            operation = headers.get("x-amz-target", "").rpartition(".")[2] or path.rpartition("/")[2]
            requests += not operation.startswith(READS)

    def get_state() -> Any:
        nonlocal last
        mark = requests, size()
        if last is None or last[0] != mark:
            memo = {id(entry): entry for entry in entries()}
            last = mark, with_memo(read, service, memo, instead)
        return last[1]

    service.handle_request = handle_request
    service.get_state = get_state


# --- all ------------------------------------------------------------------------------------------


def with_globals(function: Any, service: Any, **names: Any) -> Any:
    """Return a copy of a module's function that sees other values under some names."""
    return types.FunctionType(
        function.__code__, {**vars(service), **names}, function.__name__, function.__defaults__
    )


def with_memo(read: Any, service: Any, memo: dict[int, Any], instead: dict[str, Any]) -> Any:
    """Run a ``get_state`` whose deep copies take the objects of ``memo`` as they are."""
    copying = types.SimpleNamespace(copy=copy.copy, deepcopy=lambda value: copy.deepcopy(value, memo))
    return with_globals(read, service, copy=copying, **instead)()


def _plain(scoped: Any) -> list[Any]:
    """Return the values of all accounts and regions."""
    return list(scoped._data.values())


def _require(service: Any, *names: str) -> None:
    missing = [name for name in names if not hasattr(service, name)]
    if missing:
        raise AttributeError(f"{service.__name__} has no {', '.join(missing)}")
