"""Reports in folders, fed with events of private workers, for tests of what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.opening import Reports
from groundswell.aws.reporting.reporting import report_day
from groundswell.reports import schema
from groundswell.reports.settings import ReportSettings

if TYPE_CHECKING:
    import pandas as pd

DAY = date(2026, 11, 2)
POOL = "us-east-1_flowers"
SUBS = {
    name: f"{number:08d}-1111-4222-8333-444455556666" for number, name in enumerate(("ann", "bob", "cyd"))
}
NEXT_MORNING = datetime(2026, 11, 3, 6, tzinfo=UTC)
#: After the tests: what is written before then was not written by a run of then.
ANOTHER_RUN = datetime(2099, 1, 1, tzinfo=UTC)


def settings_in(folder: Path, more: str = "") -> ReportSettings:
    text = f"""
name: worker-metrics
description: Who labelled how much
start: 2026-11-01
uri: {(folder / "public").as_uri()}
private_uri: {(folder / "private").as_uri()}
{more}
"""
    return ReportSettings.parse(text, folder / "settings.yaml")


def reports_in(folder: Path, more: str = "") -> Reports:
    return Reports(settings_in(folder, more))


def events(day: date, *rows: tuple[str, int, float], kind: str = "submitted") -> pd.DataFrame:
    """Events of (who, minutes after 08:00 UTC, seconds)."""
    morning = datetime.combine(day, time(8), tzinfo=UTC)
    at = [morning + timedelta(minutes=minute) for _, minute, _ in rows]
    columns: dict[str, Any] = {
        "source": ["worker_activity"] * len(rows),
        "kind": [kind] * len(rows),
        "at": at,
        "accepted_at": [moment - timedelta(seconds=row[2]) for moment, row in zip(at, rows, strict=True)],
        "seconds": [row[2] for row in rows],
        "worker": [SUBS[row[0]] for row in rows],
        "pool": [POOL] * len(rows),
        "team": ["flowers" if row[0] != "cyd" else "trees" for row in rows],
        "job": ["iris"] * len(rows),
        "task_type": ["unknown"] * len(rows),
    }
    return schema.ACTIVITY.frame(columns)


def usual(day: date, count: int = 3) -> pd.DataFrame:
    """A day on which each of the three workers submits ``count`` tasks of 10 s."""
    return events(day, *((name, minute, 10.0) for name in SUBS for minute in range(count)))


def entry(day: date, now: datetime = NEXT_MORNING, *, provisional: bool = False) -> dict[str, Any]:
    return {"day": day.isoformat(), "provisional": provisional, "now": now.isoformat()}


def write(reports: Reports, day: date, rows: pd.DataFrame | None = None, **more: Any) -> dict[str, Any]:
    """Take in events and write the day."""
    if rows is not None:
        Inputs.of(reports).add_activity(day, rows)
    return report_day(reports, entry(day, **more))


def holding(folder: Path, text: str) -> set[str]:
    """Return the files below a folder that hold a text, Parquet files included."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and text in _text(path)
    }


def _text(path: Path) -> str:
    if path.suffix != ".parquet":
        return path.read_bytes().decode()
    import pandas as pd

    return pd.read_parquet(path).to_csv()


def pseudonyms(reports: Reports, names: Iterable[str] = tuple(SUBS)) -> dict[str, str]:
    return {name: reports.pseudonyms.of(SUBS[name]) for name in names}
