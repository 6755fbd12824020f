"""A ledger as a long run leaves it, of any size: as the run writes it, without waiting for the disk."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from groundswell.ledger import Ledger, PartStore
from groundswell.ledger.ledger import encode

BATCH, RUN = "million", "scheduled__2026-01-01T00:00:00+00:00"
LABELS = ("cat", "dog", "bird", "fish", "none of these")
WORKERS = 2_000
#: Share of items by answers: three on average.
ANSWERS = {2: 0.4, 3: 0.3, 4: 0.2, 5: 0.1}
#: Items of a shard, HITs of a part, and HITs that are judged at once, as in the pipeline.
SHARD, CHUNK, LOT = 5_000, 50, 2_000

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_XML = (
    '<?xml version="1.0" encoding="UTF-8"?><QuestionFormAnswers xmlns="http://mechanicalturk.amazonaws.com/'
    'AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"><Answer><QuestionIdentifier>label'
    "</QuestionIdentifier><FreeText>{}</FreeText></Answer></QuestionFormAnswers>"
)

Row = dict[str, Any]


class Writer:
    """Writes parts of a ledger into a folder."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self._folder = folder
        self._ledger = ledger
        self.parts = self.rows = self.bytes = 0

    def append(self, kind: str, rows: Sequence[Row]) -> str:
        """Write rows as one part, named as Ledger.append names it; return its key."""
        body = encode(rows)
        key = self._ledger.key(kind, hashlib.sha256(body).hexdigest()[:32])
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        self.parts, self.rows, self.bytes = self.parts + 1, self.rows + len(rows), self.bytes + len(body)
        return key


def write(folder: Path, store: PartStore, items: int, seed: int = 1) -> Writer:
    """Write the ledger of a finished run over so many items."""
    ledger = Ledger(store, BATCH, RUN)
    writer, dice = Writer(folder, ledger), random.Random(seed)
    index = []
    for number, names in enumerate(_chunks(items, SHARD)):
        rows = [{"item": name, "values": {"text": f"{name} {'lorem ipsum ' * 8}"}} for name in names]
        index.append({"shard": number, "key": writer.append("items", rows), "items": len(rows)})
    ledger.write("shards", "index", index)
    labels: list[Row] = []
    for lot in _chunks(items, LOT):
        outcomes = []
        for start in range(0, len(lot), CHUNK):
            outcomes += _hits(writer, dice, lot[start : start + CHUNK], labels)
        writer.append("outcomes", outcomes)
        for start in range(0, len(lot), CHUNK):
            gone = [
                {"item": name, "hit": _hit(name), "at": _at(99_999)} for name in lot[start : start + CHUNK]
            ]
            writer.append("deletions", gone)
    _write_labels(writer, folder, ledger, labels)
    ledger.put_document("consolidation.json", {"updated": _at(100_000)})
    ledger.put_document("progress.json", {"updated": _at(100_000), "items": items})
    ledger.put_document("summary.json", {"updated": _at(100_001), "items": items})
    return writer


def _hits(writer: Writer, dice: random.Random, names: Sequence[str], labels: list[Row]) -> list[Row]:
    """Write what belongs to the HITs of a chunk; return the outcomes."""
    hits, answers, payments, outcomes = [], [], [], []
    reservations, extensions = [], []
    for name in names:
        count = dice.choices(list(ANSWERS), list(ANSWERS.values()))[0]
        truth, begin = dice.choice(LABELS), dice.randrange(90_000)
        hits.append(
            {"item": name, "hit": _hit(name), "hit_type": "3" + "T" * 29, "seats": 2, "expires": _at(200_000)}
        )
        given = []
        for seat, worker in enumerate(dice.sample(range(WORKERS), count)):
            label = truth if dice.random() < 0.9 else dice.choice(LABELS)
            given.append(label)
            answers.append(_answer(name, worker, label, begin + seat * 90, dice))
            payments.append(
                {"assignment": answers[-1]["assignment"], "item": name, "cents": 6, "at": _at(begin)}
            )
            if seat > 1:
                token = hashlib.sha256(f"{name} {seat}".encode()).hexdigest()
                row = {"item": name, "seats": seat + 1, "token": token}
                reservations.append(row | {"purpose": "extend", "number": 0, "at": _at(begin)})
                extensions.append(row | {"hit": _hit(name), "expires": _at(200_000)})
        outcome = "settled" if dice.random() < 0.97 else "gave_up"
        outcomes.append({"item": name, "outcome": outcome, "seats": count, "rejected": 0})
        if outcome == "settled":
            labels.append({"item": name, "label": max(LABELS, key=given.count), "given": given})
    for kind, rows in (
        (
            "intents",
            [{"token": _hit(name), "purpose": "publish", "item": name, "at": _at(0)} for name in names],
        ),
        ("hits", hits),
        ("answers", answers),
        ("payments", payments),
        ("reservations", reservations),
        ("extensions", extensions),
    ):
        if rows:
            writer.append(kind, rows)
    return outcomes


def _answer(name: str, worker: int, label: str, minute: int, dice: random.Random) -> Row:
    return {
        "assignment": "3" + hashlib.sha256(f"{name} {worker}".encode()).hexdigest()[:29].upper(),
        "item": name,
        "worker": f"A{worker:013d}",
        "accepted": _at(minute),
        "submitted": _at(minute, dice.randrange(5, 50)),
        "label": label,
        "problem": None,
        "answer": _XML.format(label),
    }


def _write_labels(writer: Writer, folder: Path, ledger: Ledger, labels: Sequence[Row]) -> None:
    """Write the labels as consolidating does: one part, and the same handed over."""
    digest, draft = hashlib.sha256(), folder / "labels"
    with draft.open("wb") as stream:
        for found in labels:
            line = encode([_label(found["item"], found["label"], found["given"])])
            stream.write(line)
            digest.update(line)
            writer.bytes += len(line)
    path = folder / ledger.key("labels", digest.hexdigest()[:32])
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.rename(path)
    writer.parts, writer.rows = writer.parts + 1, writer.rows + len(labels)


def _label(name: str, label: str, given: Sequence[str]) -> Row:
    share = given.count(label) / len(given)
    answers = [{"assignment": "3" + "X" * 29, "worker": "0" * 12, "label": each} for each in given]
    return {
        "item": name,
        "label": label,
        "confidence": round(0.5 + share / 2, 6),
        "confidence_is": "probability",
        "posterior": {label: round(0.5 + share / 2, 4)},
        "n_answers": len(given),
        "answers": answers,
        "outcome": "settled",
        "cents": 6 * len(given),
        "values": {"text": f"{name} {'lorem ipsum ' * 8}"},
        "provenance": "crowd",
        "at": _at(95_000),
        "run_id": RUN,
        "method": "dawid_skene",
        "rule": {"rule": "agree", "agree": 2, "first": 2, "most": 5},
        "template_sha256": "0" * 64,
        "code_version": "0",
    }


def _chunks(items: int, size: int) -> Iterator[list[str]]:
    for start in range(0, items, size):
        yield [_name(number) for number in range(start, min(items, start + size))]


def _name(number: int) -> str:
    # Not in the order of the alphabet, as ids of a real dataset
    return f"photo-{(number * 7_919) % 10_000_019:08d}"


def _hit(name: str) -> str:
    return f"3HIT{name.upper():A>26}"


def _at(minute: int, seconds: int = 0) -> str:
    return (_BEGAN + timedelta(minutes=minute, seconds=seconds)).isoformat(timespec="seconds")


def new_answers(number: int, names: Iterable[str]) -> list[Row]:
    """Return one more answer to each of these items."""
    dice = random.Random(number)
    return [_answer(name, WORKERS + number, LABELS[0], 98_000 + number, dice) for name in names]


def some_names(items: int, count: int) -> list[str]:
    """Return names of items, spread over the run."""
    return [_name(number * items // count) for number in range(count)]
