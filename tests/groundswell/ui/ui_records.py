"""Batches and records of runs for tests of the pages: small, seeded, in folders."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from groundswell.batches.model import Batch
from groundswell.ledger import FolderStore, Ledger, PartStore
from groundswell.ledger.shards import write_shards
from groundswell.ui.sources import Sources
from tests.conftest import CHECKOUT

LABELS = ("setosa", "versicolor", "virginica")


@dataclass
class Deployment:
    """A folder of batch files and the stores that they name."""

    folder: Path
    allowed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.batches.mkdir(parents=True, exist_ok=True)

    @property
    def batches(self) -> Path:
        return self.folder / "include" / "batches"

    def batch(self, name: str, **changes: str) -> Batch:
        """Write a batch file like the iris example's, and let the user read its DAG."""
        text = (CHECKOUT / "include/batches/iris.yaml").read_text()
        text = text.replace("../", f"{CHECKOUT / 'include'}/")
        changes = {"name": name, "state": str(self.folder / "state"), **changes}
        lines = [
            f"{key}: {changes[key]}" if (key := line.partition(":")[0]) in changes else line
            for line in text.splitlines()
        ]
        path = self.batches / f"{name}.yaml"
        path.write_text("\n".join(lines) + "\n")
        self.allowed.add(f"labeling_{name.replace('-', '_')}")
        return Batch.load(path)

    def ledger(self, batch: str, run_id: str) -> Ledger:
        return Ledger(FolderStore(self.folder / "state"), batch, run_id)

    def sources(self, **changes: Any) -> Sources:
        given: dict[str, Any] = {
            "batches": self.batches,
            "settings": self.folder / "include" / "reports" / "worker_metrics.yaml",
            "open_store": self.open_store,
            "readable": lambda user: self.allowed,
            "cache": self.folder / "cache",
        }
        return Sources(**(given | changes))

    def open_store(self, uri: str, connection: str) -> PartStore:
        return FolderStore(self.folder / "state")


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


@dataclass
class Record:
    """Writes the record of a run, as the tasks of a run would."""

    ledger: Ledger
    items: int = 12
    seed: int = 1
    start: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=2))
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    workers: tuple[str, ...] = tuple(f"A{number:02d}SIMULATED" for number in range(1, 10))

    def write(self, *, done: float = 1.0, given_up: int = 1, quarantined: int = 1) -> Record:
        """Write items, HITs, answers, payments and outcomes of a share of the items."""
        chance = random.Random(self.seed)
        names = [f"flower-{number:03d}" for number in range(1, self.items + 1)]
        rows = [
            {
                "item": name,
                "values": self.values.get(name)
                or {
                    "id": name,
                    "image": f"flower-{'abc'[at % 3]}.svg",
                    "sepal_length": f"{chance.uniform(4, 8):.1f}",
                    "petal_width": f"{chance.uniform(0, 2.5):.1f}",
                },
            }
            for at, name in enumerate(names)
        ]
        write_shards(self.ledger, [rows])
        day = stamp(self.start)
        self.ledger.append(
            "spend",
            [
                {
                    "at": day,
                    "certain_cents": 12 * self.items,
                    "worst_cents": 30 * self.items,
                    "budget_cents": 4500,
                    "text": "plan",
                    "month": day[:7],
                }
            ],
        )
        self.ledger.append(
            "approvals",
            [
                {
                    "what": "spend",
                    "at": day,
                    "by": "automatic",
                    "limit_cents": None,
                    "plan": day,
                    "month": day[:7],
                }
            ],
        )
        expires = stamp(self.start + timedelta(hours=4))
        self.ledger.append(
            "hits",
            [
                {
                    "item": name,
                    "hit": f"HIT{at:05d}",
                    "hit_type": "TYPE1",
                    "seats": 2,
                    "expires": expires,
                    "token": f"t{at}",
                }
                for at, name in enumerate(names)
            ],
        )
        ended = names[: round(done * len(names))]
        answers, payments, outcomes, labels = [], [], [], []
        for at, name in enumerate(ended):
            loser = at < given_up
            count = 5 if loser else 2
            truth = LABELS[at % 3]
            for seat in range(count):
                begun = self.start + timedelta(seconds=20 * at + 3 * seat)
                label: str | None = LABELS[(at + seat) % 3] if loser else truth
                problem = None
                if at == len(ended) - 1 and seat < quarantined and not loser:
                    label, problem = None, "'<b>setosa</b>' is not one of the labels"
                assignment = f"ASG{at:05d}{seat}"
                answers.append(
                    {
                        "assignment": assignment,
                        "item": name,
                        "worker": chance.choice(self.workers),
                        "accepted": stamp(begun),
                        "submitted": stamp(begun + timedelta(seconds=chance.randint(4, 40))),
                        "label": label,
                        "problem": problem,
                        "answer": "<xml/>",
                    }
                )
                payments.append({"assignment": assignment, "item": name, "cents": 6, "at": stamp(begun)})
            outcomes.append(
                {"item": name, "outcome": "gave_up" if loser else "settled", "seats": count, "rejected": 0}
            )
            if not loser:
                labels.append(
                    {
                        "item": name,
                        "label": truth,
                        "confidence": round(chance.uniform(0.7, 1), 4),
                        "confidence_is": "score",
                        "posterior": {truth: 0.9},
                        "n_answers": count,
                        "answers": [],
                        "outcome": "settled",
                        "cents": 6 * count,
                        "provenance": "crowd",
                        "at": day,
                        "run_id": self.ledger.run_id,
                        "method": "dawid_skene",
                        "rule": {"rule": "agree"},
                        "template_sha256": "0" * 64,
                        "code_version": "0.1.0",
                        "values": {},
                    }
                )
        for kind, part in (("answers", answers), ("payments", payments), ("outcomes", outcomes)):
            self.ledger.append(kind, part)
        if done == 1.0:
            self.ledger.append("labels", labels)
        self.counts = {
            "items": len(names),
            "settled": len(ended) - min(given_up, len(ended)),
            "open": len(names) - len(ended),
            "given_up": min(given_up, len(ended)),
            "answers": len(answers),
            "quarantined": sum(row["label"] is None for row in answers),
            "spent_cents": 6 * len(answers),
        }
        return self

    def progress(self, *, updated: datetime | None = None, **changes: Any) -> Record:
        """Write progress.json."""
        at = updated or datetime.now(UTC)
        steps = 40
        document = {
            "batch": self.ledger.batch,
            "run_id": self.ledger.run_id,
            "updated": stamp(at),
            **self.counts,
            "given_up_by": {"gave_up": self.counts["given_up"]} if self.counts["given_up"] else {},
            "agreement": 0.934,
            "pace": 412,
            "eta": stamp(at + timedelta(hours=1, minutes=20)),
            "active_workers": 7,
            "planned_items": self.items,
            "budget_cents": 4500,
            "worst_cents": 30 * self.items,
            "timeline": [
                {
                    "at": stamp(self.start + (at - self.start) * step / steps),
                    **{
                        name: int(self.counts[name] * (step / steps) ** 1.3)
                        for name in ("answers", "settled", "spent_cents")
                    },
                }
                for step in range(1, steps + 1)
            ],
        }
        self.ledger.put_document("progress.json", document | changes)
        return self

    def finish(self, *, findings: bool = True, differences: int = 0) -> Record:
        """Write what the end of a run leaves."""
        now = stamp(datetime.now(UTC))
        context = {"batch": self.ledger.batch, "run_id": self.ledger.run_id, "updated": now}
        found = [
            {
                "kind": "copies",
                "severity": "warning",
                "items": [],
                "workers": list(self.workers[:2]),
                "text": f"1 pair of workers made the same mistakes far more often than two people do, like "
                f"{self.workers[0]} and {self.workers[1]} (9 of 11 mistakes on 40 shared items, about 3 "
                "expected); they may copy.",
            },
            {
                "kind": "labelled_unsettled",
                "severity": "note",
                "items": ["flower-001"],
                "workers": [],
                "text": "1 of 150 items has its best label though workers did not settle it.",
            },
        ]
        self.ledger.put_document(
            "consolidation.json",
            context
            | {
                "method": "dawid_skene",
                "labelled": self.counts["settled"],
                "labelled_by": {"crowd": self.counts["settled"]},
                "unlabelled": self.counts["given_up"],
                "queued": 0,
                "agreement": {"alpha": 0.87, "percent": 0.912, "by_chance": 0.334, "items": self.items},
                "findings": found if findings else [],
                "workers": [],
            },
        )
        self.ledger.put_document(
            "reconciliation.json",
            context
            | {
                "rows": [
                    {
                        "what": "paid twice",
                        "where": f"item flower-{at:03d}",
                        "ledger": "6 cents",
                        "workforce": "12 cents",
                        "fix": "look at the assignment",
                    }
                    for at in range(differences)
                ],
                "notes": [],
                "late": [],
                "hits": self.items,
                "reconciled": not differences,
            },
        )
        self.ledger.put_document(
            "summary.json",
            context
            | self.counts
            | {
                "plan": {"budget_cents": 4500},
                "labels_uri": "s3://bucket/state/labels.jsonl",
                "train_uri": "s3://bucket/train.csv",
                "model": {"accuracy": 0.967},
                "resources_left": [],
                "reconciled": not differences,
                "differences": differences,
            },
        )
        return self
