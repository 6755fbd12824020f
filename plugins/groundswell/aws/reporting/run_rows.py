"""The answers of one run as rows of the reports."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from groundswell.aws.skill import FEW_LABELS
from groundswell.batches.model import Batch
from groundswell.errors import LedgerError
from groundswell.ledger import Ledger, Outcome, RunState
from groundswell.reports import schema
from groundswell.views.label_rows import label_rows
from groundswell.views.reading import part_rows
from groundswell.views.record_rows import folded

if TYPE_CHECKING:
    import pandas as pd

#: Kinds that say what became of answers and items.
_KINDS = ("hits", "payments", "rejections", "reservations", "extensions", "outcomes")
#: What is taken of a label's row.
_OF_LABEL = ("label", "posterior", "provenance")
_SEMANTIC = ("at", "job", "run", "task", "kind")

Row = dict[str, Any]


class Columns:
    """Rows of a day, column by column."""

    def __init__(self) -> None:
        self._values: defaultdict[str, list[Any]] = defaultdict(list)

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row; columns that it does not have are null."""
        for name in schema.ACTIVITY.names:
            self._values[name].append(row.get(name))

    def frame(self) -> pd.DataFrame:
        """Return the rows as ``schema.ACTIVITY``, in an order that does not vary."""
        frame = schema.ACTIVITY.frame(dict(self._values))
        return frame.sort_values(list(_SEMANTIC), kind="stable", ignore_index=True)


class Times:
    """
    Some times, each from its beginning to its end (exclusive).

    :param spans: (begin, end), of which none overlaps another.
    """

    def __init__(self, spans: Iterable[tuple[datetime, datetime]]) -> None:
        self._spans: list[tuple[datetime, datetime]] = []
        for begin, end in sorted(spans):
            if self._spans and self._spans[-1][1] == begin:
                begin, _ = self._spans.pop()
            self._spans.append((begin, end))
        self._begins = [begin for begin, _ in self._spans]

    def __iter__(self) -> Iterator[tuple[datetime, datetime]]:
        """Yield (begin, end), in order; neighbours are one."""
        return iter(self._spans)

    def __contains__(self, moment: datetime) -> bool:
        number = bisect(self._begins, moment) - 1
        return number >= 0 and moment < self._spans[number][1]


def span_of(ledger: Ledger) -> tuple[datetime | None, datetime | None]:
    """
    Return when the first answer of a run was begun and when the last was begun or handed in; None for none.

    :raises LedgerError: a part is damaged.
    """
    earliest: datetime | None = None
    latest: datetime | None = None
    for _, row in part_rows(ledger, "answers"):
        accepted, submitted = _times(ledger, row)
        earliest = min(accepted, submitted, earliest or submitted)
        latest = max(accepted, submitted, latest or submitted)
    return earliest, latest


def _times(ledger: Ledger, row: Row) -> tuple[datetime, datetime]:
    """Return when an answer was accepted (handed in, where that is not known) and when handed in."""
    submitted = _submitted(ledger, row)
    return _moment(row.get("accepted")) or submitted, submitted


def _submitted(ledger: Ledger, row: Row) -> datetime:
    moment = _moment(row["submitted"])
    if moment is None:
        raise LedgerError(
            f"{ledger.prefix}: answer {row['assignment']!r} was submitted at {row['submitted']!r}, "
            "which is no time; restore the part from a backup or version"
        )
    return moment


class RunAnswers:
    """
    What a run's ledger knows of the answers that were begun or handed in within some times.

    Making it reads the answers once, to see which items matter: ``items``. :meth:`read` reads the rest.

    :param ledger: the run's.
    :param times: when.
    :param bonuses: assignment -> (cents, fee in cents) of bonuses that are not in this ledger.
    :raises LedgerError: a part is damaged.
    """

    def __init__(self, ledger: Ledger, times: Times, bonuses: Mapping[str, tuple[int, int]]) -> None:
        self._ledger = ledger
        self._times = times
        self._bonuses = dict(bonuses)
        self._state = RunState()
        self._labels: dict[str, Row] = {}
        self._are_made = False  # labels, of whatever items
        self.items: set[str] = set()
        for _, row in part_rows(ledger, "answers"):
            if any(moment in times for moment in _times(ledger, row)):
                self.items.add(row["item"])

    def read(self) -> None:
        """Read what is known of the items. Raises LedgerError."""
        self._state = folded(self._of_items(), self._ledger.prefix)
        for _, row in part_rows(self._ledger, "bonuses"):
            self._state.add("bonuses", row)
        for row in self._state.bonuses.values():
            cents, fee = self._bonuses.get(row["assignment"], (0, 0))
            self._bonuses[row["assignment"]] = cents + int(row["cents"]), fee + int(row["fee_cents"])
        for row in label_rows(self._ledger):
            self._are_made = True
            if row.get("item") in self.items:
                self._labels[row["item"]] = {name: row.get(name) for name in _OF_LABEL}

    def _of_items(self) -> Iterator[tuple[str, Row]]:
        for kind, row in part_rows(self._ledger, *_KINDS, "answers"):
            if row["item"] in self.items:
                row.pop("answer", None)  # what the worker's form sent can be long
                yield kind, row

    def rows(self, batch: Batch, reward_cents: int) -> Iterator[tuple[datetime, Row]]:
        """
        Yield (time, row) of what lies within the times.

        :param batch: the batch as it is now.
        :param reward_cents: of an answer, when the run began.
        """
        common = {
            "source": "ledger",
            "pool": "",
            "team": "public",
            "job": batch.name,
            "run": self._ledger.run_id,
            "task_type": "image-classification" if batch.task.image else "text-classification",
        }
        labels = batch.task.labels
        last = {item: self._last(item) for item in self.items}
        for answer in self._state.answers.values():
            accepted, submitted = _moment(answer.get("accepted")), _submitted(self._ledger, answer)
            row = common | {
                "accepted_at": accepted,
                "worker": str(answer["worker"]),
                "task": answer["assignment"],
                "item": answer["item"],
            }
            if accepted is not None and accepted in self._times:
                yield accepted, row | {"kind": "accepted", "at": accepted}
            if submitted in self._times:
                what = self._became(answer, labels, reward_cents)
                what["settles"] = last[answer["item"]] == answer["assignment"]
                what["seconds"] = None if accepted is None else _seconds(accepted, submitted)
                yield submitted, row | {"kind": "submitted", "at": submitted} | what

    def _last(self, item: str) -> str | None:
        """Return the last counted answer of an item that got a label; until labels are made, that settled."""
        counted = self._state.counted(item)
        if not counted:
            return None
        settled = self._state.outcomes.get(item) is Outcome.SETTLED and not self._are_made
        return str(counted[-1]["assignment"]) if item in self._labels or settled else None

    def _became(self, answer: Row, labels: Iterable[str], reward_cents: int) -> Row:
        """Return what is known of an answer that was handed in."""
        assignment, label = answer["assignment"], answer["label"]
        payment = self._state.payments.get(assignment)
        cents, fee = self._bonuses.get(assignment, (0, 0))
        found: Row = {
            "paid": payment is not None,
            "rejected": self._state.is_rejected(assignment),
            "reward_cents": float(cents + (reward_cents if payment else 0)),
            "cost_cents": float(cents + fee + (int(payment["cents"]) if payment else 0)),
            "readable": label is not None,
        }
        if label is None:
            return found
        known = tuple(labels)
        found["answer"] = label if label in known and len(known) <= FEW_LABELS else ""
        if row := self._labels.get(answer["item"]):
            found["agreed"] = label == row["label"]
            found["right"] = how_right(label, row, len(known))
            found["gold_right"] = found["agreed"] if row["provenance"] == "gold" else None
        return found


def how_right(label: str, row: Mapping[str, Any], labels: int) -> float | None:
    """
    Return how likely a label is right by a consolidated row: 0 to 1; None where the method does not tell.

    A label that gold or an expert gave is right for certain. The row has the likeliest labels only: the
    others share equally what these leave, each no more than the least of these.

    :param label: what a worker said.
    :param row: ``label``, ``posterior`` (label -> probability) and ``provenance`` of the item.
    :param labels: how many labels there are.
    """
    if row.get("provenance") in {"gold", "expert"}:
        return float(label == row["label"])
    posterior = row.get("posterior")
    if not isinstance(posterior, dict) or not posterior:
        return None
    if label in posterior:
        return min(1.0, max(0.0, float(posterior[label])))
    rest = max(0.0, 1.0 - sum(posterior.values())) / max(1, labels - len(posterior))
    return min(rest, 1.0, *(float(share) for share in posterior.values()))


def _seconds(accepted: datetime, submitted: datetime) -> float | None:
    seconds = (submitted - accepted).total_seconds()
    return seconds if seconds >= 0 else None


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
