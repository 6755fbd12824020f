"""The page's way to the reports: the settings file, the store that it names, and one reader for both."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from fastapi import Request

from groundswell.reports.settings import ReportSettings
from groundswell.reports.store import ReportStore
from groundswell.ui.sources import Sources
from groundswell.ui.throughput.reading import Reader

#: How long a report may take after its schedule before its day counts as late.
_GRACE = timedelta(hours=3)
#: When the report of yesterday is expected where the schedule names no one time of day.
_NOON = time(12)


class Service:
    """Reports for the pages of one app; safe between threads.

    :param sources: where the settings file is, and how stores are opened
    :param now: the time, with a zone
    """

    def __init__(self, sources: Sources, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._sources = sources
        self._now = now
        self._lock = threading.Lock()
        self._settings: tuple[tuple[Path, int, int], ReportSettings] | None = None
        self._reader: tuple[tuple[str, str], Reader] | None = None

    def settings(self) -> ReportSettings:
        """Return the settings of the reports; a file that has changed is read again.

        :raises ReportError: it cannot be read; the text names the file, the option and the fix
        """
        file = self._sources.settings
        with self._lock:
            version = _version(file)
            if self._settings is None or self._settings[0] != version:
                self._settings = (version, ReportSettings.load(file))
            return self._settings[1]

    def reader(self) -> Reader:
        """Return the reader of the store that the settings name.

        :raises ReportError: the settings cannot be read
        """
        settings = self.settings()
        place = (settings.uri, settings.connections.aws)
        with self._lock:
            if self._reader is None or self._reader[0] != place:
                self._reader = (place, Reader(lambda: ReportStore(self._sources.open_store(*place))))
            return self._reader[1]

    def today(self) -> date:
        """Return the calendar day in the time zone of the reports."""
        return self.settings().day_of(self._now())

    def expected(self) -> date:
        """Return the newest day whose report should be there by now."""
        settings = self.settings()
        local = self._now().astimezone(settings.zone)
        due = datetime.combine(local.date(), _time_of(settings.schedule), tzinfo=settings.zone) + _GRACE
        return local.date() - timedelta(days=1 if local >= due else 2)


def service_of(request: Request) -> Service:
    """Return the app's service; made when first asked for. Also a dependency."""
    state = request.app.state
    if not hasattr(state, "throughput"):
        state.throughput = Service(state.sources)
    service: Service = state.throughput
    return service


def _version(file: Path) -> tuple[Path, int, int]:
    try:
        stat = file.stat()
    except OSError:  # loading it says what is wrong
        return (file, 0, 0)
    return (file, stat.st_mtime_ns, stat.st_size)


def _time_of(schedule: str) -> time:
    """Return the time of day of a daily cron expression, noon for any other."""
    minute, hour = schedule.split()[:2]
    if minute.isdecimal() and hour.isdecimal() and int(hour) <= 23 and int(minute) <= 59:
        return time(int(hour), int(minute))
    return _NOON
