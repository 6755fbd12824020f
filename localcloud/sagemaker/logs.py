"""Delivery of log lines to CloudWatch Logs, by the rules of PutLogEvents."""

from __future__ import annotations

import logging
import queue
import threading
import time
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger(__name__)

MAX_EVENTS = 10_000
MAX_BATCH_BYTES = 1_048_576
EVENT_OVERHEAD = 26
_WAITING_LINES = 20_000

Event = dict[str, Any]


def batches(events: list[Event]) -> list[list[Event]]:
    """Cut events into calls: at most 10,000 and 1 MiB, counting UTF-8 bytes plus 26 for each."""
    result: list[list[Event]] = []
    size = 0
    for event in events:
        weight = len(event["message"].encode()) + EVENT_OVERHEAD
        if not result or len(result[-1]) >= MAX_EVENTS or size + weight > MAX_BATCH_BYTES:
            result.append([])
            size = 0
        result[-1].append(event)
        size += weight
    return result


class LogStream:
    """One stream of a log group, made when the first line comes; lines are sent from a thread.

    Lines that Logs does not take are lost with a warning here: a log must not stop what it reports.
    """

    def __init__(self, client: Any, group: str, stream: str, interval: float) -> None:
        self.group = group
        self.stream = stream
        self._client = client
        self._interval = interval
        self._lines: queue.Queue[Event | None] = queue.Queue(_WAITING_LINES)
        self._made = False
        self._thread = threading.Thread(target=self._deliver, name=f"logs {stream}", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Take one line; empty ones are dropped, since Logs refuses them."""
        if line:
            self._lines.put({"timestamp": time.time_ns() // 1_000_000, "message": line})

    def close(self, timeout: float = 30) -> None:
        """Send what is waiting, for at most ``timeout`` seconds; nothing may be written afterwards."""
        self._lines.put(None)
        self._thread.join(timeout)

    def _deliver(self) -> None:
        open_ = True
        while open_:
            events, open_ = self._collect()
            for batch in batches(events):
                self._send(batch)

    def _collect(self) -> tuple[list[Event], bool]:
        """Wait for a line, then for what comes within the interval; False when it was the last."""
        first = self._lines.get()
        if first is None:
            return [], False
        events = [first]
        deadline = time.monotonic() + self._interval
        while len(events) < MAX_EVENTS:
            try:
                event = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if event is None:
                return events, False
            events.append(event)
        return events, True

    def _send(self, batch: list[Event]) -> None:
        # the clock may have been set back between two lines; Logs wants them in order
        batch.sort(key=lambda event: event["timestamp"])
        try:
            self._make()
            self._client.put_log_events(logGroupName=self.group, logStreamName=self.stream, logEvents=batch)
        except (ClientError, BotoCoreError) as error:
            self._made = False
            logger.warning("%d log lines of %s %s lost: %s", len(batch), self.group, self.stream, error)

    def _make(self) -> None:
        if self._made:
            return
        for make, names in (
            (self._client.create_log_group, {"logGroupName": self.group}),
            (self._client.create_log_stream, {"logGroupName": self.group, "logStreamName": self.stream}),
        ):
            try:
                make(**names)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                    raise
        self._made = True


def epoch(moment: datetime) -> int:
    """Return whole seconds since 1970, as log stream names carry them."""
    return int(moment.astimezone(UTC).timestamp())
