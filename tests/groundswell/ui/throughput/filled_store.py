"""A report store filled as the DAG fills it, from seeded inputs, and the app on top of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd  # noqa: TID253 (no DAG imports this)
from fastapi import FastAPI, HTTPException, Request

from groundswell.ledger import FolderStore
from groundswell.reports import tables
from groundswell.reports.day import DayInputs, DayTables, compute
from groundswell.reports.names import Pseudonyms
from groundswell.reports.parts import RemovableFolder
from groundswell.reports.schema import TABLES
from groundswell.reports.settings import ReportSettings
from groundswell.reports.store import ReportStore
from groundswell.ui.app import create_app
from groundswell.ui.security import METRICS_DAG
from groundswell.ui.sources import Sources
from groundswell.ui.throughput.service import Service
from tests.support.activity_rows import Made

READER = "reader"
STRANGER = "stranger"
#: A report that does what no report does; how real ones look is tested where they are made.
REPORT = b"""<!doctype html><title>A report</title><h1 id=said>A report</h1>
<script>document.getElementById("said").textContent = "A script ran"</script>"""


def settings_file(folder: Path, zone: str = "Europe/Berlin", **more: str) -> Path:
    """A settings file whose reports are in ``folder``/reports."""
    file = folder / "worker_metrics.yaml"
    lines = {
        "name": "worker-metrics",
        "description": "Who labelled how much",
        "start": "2026-10-05",
        "time_zone": zone,
        "uri": (folder / "reports").as_uri(),
        **more,
    }
    file.write_text("".join(f"{name}: {value}\n" for name, value in lines.items()))
    return file


def pseudonyms() -> Pseudonyms:
    return Pseudonyms(b"00" * 32)


def day_tables(
    made: Made,
    day: date,
    *,
    names: Mapping[str, str] | None = None,
    history: Sequence[tuple[date, pd.DataFrame]] = (),
    complete: bool = True,
) -> DayTables:
    inputs = DayInputs(
        day, ZoneInfo(made.zone), pseudonyms(), **made.inputs(day), names=names or {}, history=history
    )
    return compute(inputs, fair_pay=15.0, complete=complete)


def publish(
    store: ReportStore,
    day: date,
    made: DayTables,
    settings: ReportSettings,
    *,
    digest: str = "1",
    provisional: bool = False,
    render: bool = False,
) -> None:
    def files(record: Mapping[str, Any]) -> dict[str, bytes]:
        bodies = {"report.html": report(made, record, settings) if render else REPORT}
        for table in TABLES:
            frame = getattr(made, table.name)
            bodies[f"{table.name}.parquet"] = tables.to_parquet(frame, table)
            bodies[f"{table.name}.csv"] = tables.to_csv(frame, table)
        return bodies

    more = {"time_zone": settings.time_zone}
    store.publish(day, files, digest, made.totals, provisional=provisional, more=more)


def report(made: DayTables, record: Mapping[str, Any], settings: ReportSettings) -> bytes:
    from groundswell.reports.html.render import render_day

    return render_day(made, record, None, settings).encode("utf-8", "replace")


def fill(folder: Path, made: Made, *, render: bool = False) -> Path:
    """Publish all days: the second is revised, the last is provisional. Returns the settings file."""
    file = settings_file(folder, made.zone)
    settings = ReportSettings.load(file)
    store = ReportStore(RemovableFolder(folder / "reports"))
    history: list[tuple[date, pd.DataFrame]] = []
    for number, day in enumerate(made.days):
        last = number == len(made.days) - 1
        done = day_tables(made, day, history=history, complete=not last)
        if number == 1:
            early = made.inputs(day)["activity"].iloc[:-200]
            inputs = {**made.inputs(day), "activity": early}
            first = compute(DayInputs(day, ZoneInfo(made.zone), pseudonyms(), **inputs), fair_pay=15.0)
            publish(store, day, first, settings, digest="0", render=render)
        publish(store, day, done, settings, provisional=last, render=render)
        history.append((day, done.workers))
    return file


def the_sources(settings: Path, open_store: Callable[[str, str], Any] | None = None) -> Sources:
    def opened(uri: str, connection: str) -> Any:
        return FolderStore(Path(uri.removeprefix("file://")))

    def readable(user: str) -> Collection[str]:
        return {METRICS_DAG} if user == READER else set()

    return Sources(
        batches=settings.parent / "batches",
        settings=settings,
        open_store=open_store or opened,
        readable=readable,
        cache=settings.parent / "cache",
    )


def the_app(
    settings: Path,
    now: datetime,
    *,
    user: str | None = READER,
    open_store: Callable[[str, str], Any] | None = None,
) -> FastAPI:
    """The app, signed in as ``user`` unless the request has a header ``x-user``; "" is nobody."""

    def authenticate(request: Request) -> str:
        name = request.headers.get("x-user", user or "")
        if not name:
            raise HTTPException(401, "Not authenticated")
        return name

    app = create_app(the_sources(settings, open_store), authenticate)
    app.state.throughput = Service(app.state.sources, now=lambda: now)
    return app


def at(day: date, hour: int = 12) -> datetime:
    """A time on a day, UTC."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
