"""A batch that is labelled on paper over weeks, and the reports on it, run by run."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from groundswell.aws import runs
from groundswell.aws.progress import keep_progress
from groundswell.aws.reporting import collecting
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.looking import mark_reported, plan_window
from groundswell.aws.reporting.window import Window
from groundswell.aws.runs import LabelingRun
from tests.groundswell.aws.paper_desk import Bucket, PaperDesk
from tests.groundswell.aws.reporting.private_days import reports_in
from tests.support.noting_stores import NotingStore

#: When the run of these tests begins. On a morning the day before is due.
FIRST = date(2026, 11, 2)
LEDGERS_ONLY = """
late_days: 0
sources: {worker_activity: null, workteam: null, labeling_jobs: null, cognito: false, batches: .}
"""


class NotingBucket(NotingStore, Bucket):
    """Notes which keys are read; can be broken."""


class Office:
    """A batch whose runs are labelled on paper, and the reports on them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, monkeypatch
        self.desk = PaperDesk(folder, monkeypatch)
        self.store = NotingBucket(folder / "store")
        self.desk.keep_in(self.store)
        self.reports = reports_in(folder, LEDGERS_ONLY)
        self.inputs = Inputs.of(self.reports)

    def at(self, moment: datetime) -> None:
        """Let it be a time, for what runs write."""
        self.patch.setattr(runs, "now_text", lambda: moment.isoformat(timespec="seconds"))

    def label(self, run: LabelingRun, day: date, *items: str, hour: int = 9) -> None:
        """Let two workers answer some items on a day; nothing is paid."""
        begin = datetime.combine(day, time(hour), tzinfo=UTC)
        for item in items:
            for number, worker in enumerate(("AX", "AY")):
                accepted = begin + timedelta(minutes=number)
                row = {
                    "assignment": f"{item}-{worker}",
                    "item": item,
                    "worker": worker,
                    "label": "setosa",
                    "problem": None,
                    "accepted": accepted.isoformat(),
                    "submitted": (accepted + timedelta(seconds=30)).isoformat(),
                    "answer": "",
                }
                run.ledger.append("answers", [row])
        self.note(run, begin + timedelta(minutes=10))

    def pay(self, run: LabelingRun, moment: datetime, *items: str) -> None:
        """Pay the answers to some items, and close these."""
        for item in items:
            assignments = [f"{item}-{worker}" for worker in ("AX", "AY")]
            run.ledger.append("payments", [{"assignment": a, "item": item, "cents": 6} for a in assignments])
            run.ledger.append("outcomes", [{"item": item, "outcome": "settled"}])
        self.note(run, moment)

    def note(self, run: LabelingRun, moment: datetime) -> None:
        """Replace the run's progress."""
        self.at(moment)
        keep_progress(run, run.ledger.fold())

    def note_only(self, run: LabelingRun, moment: datetime) -> None:
        """Replace the run's progress by one that tells nothing but when."""
        self.at(moment)
        run.ledger.put_document("progress.json", run.context())

    def end(self, run: LabelingRun, moment: datetime) -> None:
        """Bring a run to its end."""
        self.note(run, moment)
        run.ledger.put_document("summary.json", run.context() | {"items": 1})

    def reported(self, *some: date) -> None:
        """Let days have a report, and inputs, as if they had been due; what is in it does not matter."""
        for day in some:
            self.inputs.put_source(day, "cognito", "off")
            self.reports.store.publish(day, {"report.html": b""}, "before", {})

    def window(self, morning: date, **params: Any) -> Window:
        now = datetime.combine(morning, time(6, 1), tzinfo=UTC)
        return plan_window(self.reports, params, (now - timedelta(days=1), now), now)

    def daily(self, morning: date, **params: Any) -> Collection[str]:
        """Collect for a window, and say that it was written; return its days that are only the ledgers'."""
        found = self.window(morning, **params)
        collecting.collect_ledgers(self.reports, found.as_xcom())
        mark_reported(self.reports, found.as_xcom())
        return days_of(found)

    def marks(self, morning: date, **params: Any) -> Collection[str]:
        """Do as :meth:`daily` without reading what the ledgers say, which takes a while."""
        found = self.window(morning, **params)
        for each in self.inputs.store.keys("ledgers/"):
            known = json.loads(self.inputs.store.get(each) or b"")
            for row in known.values():
                row.get("next", {})["read"] = True
            self.inputs.store.put(each, json.dumps(known).encode())
        mark_reported(self.reports, found.as_xcom())
        return days_of(found)

    def paid_on(self, day: date) -> int:
        """Return how many answers of a day are paid by what the reports know."""
        rows = self.inputs.ledger(day)
        return int(rows["paid"].fillna(False).astype(bool).sum())


def days_of(found: Window) -> Collection[str]:
    return {f"{day:%d}" for day in found.extra}


def november(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def on(day: int) -> date:
    return date(2026, 11, day)


def begun(office: Office) -> LabelingRun:
    """Return a run with answers on 2 and 4 November, unpaid and reported; 2 to 4 have a report."""
    run = office.desk.run(["a", "b"])
    office.label(run, FIRST, "a")
    office.label(run, on(4), "b")
    office.reported(FIRST, on(3), on(4))
    assert office.marks(on(20)) == {"02", "03", "04"}
    return run
