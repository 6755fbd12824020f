"""What the janitor finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What may be left behind. The order is that of the repairs of a run."""

    UNKNOWN_RUN_HIT = "unknown_run_hit"  # a HIT of the batch, of a run that has no ledger
    ORPHAN_HIT = "orphan_hit"  # a HIT of a run that its ledger does not have
    SECOND_HIT = "second_hit"  # one HIT too many for its item, or one that the ledger says is deleted
    ZOMBIE = "zombie"  # in the ledger, and gone from the workforce
    OPEN_HIT = "open_hit_of_dead_run"  # workers can still take it, and nobody will collect
    EXPIRED_WITH_WORK = "expired_with_work"  # expired before its item was decided, with answers nobody took
    MISSED_APPROVAL = "missed_approval"  # an answer that is not paid, or paid and not in the ledger
    UNDELETED_HITS = "undeleted_hits"  # nothing more is wanted of them
    ENDPOINT_LEFT = "endpoint_left"  # a SageMaker endpoint, configuration, model or job that still is there
    MONTH_HOLD = "month_hold"  # money held of the month's budget that can no longer be spent
    STALE_CLAIMS = "stale_claims"  # items kept from other runs by one that will not publish them
    UNENDED_CASE = "unended_case"  # a compensation that was approved and not paid, or not settled
    UNREADABLE_LEDGER = "unreadable_ledger"
    UNREACHABLE = "unreachable"  # a connection or a store that does not answer
    BROKEN_BATCH = "broken_batch"
    BATCH_WITHOUT_FILE = "batch_without_file"  # HITs and ledgers of a batch whose file was removed or renamed


@dataclass(frozen=True)
class Finding:
    """
    One thing that should not be.

    :param kind: what it is.
    :param batch: the batch, or the name of its file where that cannot be read.
    :param what: the finding in a few words.
    :param evidence: what was read, and where, that shows it.
    :param run: the run id; the digits of the annotation where the id is not known.
    :param item: the item, if it is about one.
    :param name: the HIT or the resource, if it is about one.
    :param repair: what the janitor would do; None where it takes a person.
    :param safe: whether it does so without being told for this kind.
    :param result: what became of it: ``found``, ``repaired``, ``waits: …``, ``left: …`` or ``failed: …``.
    """

    kind: Kind
    batch: str
    what: str
    evidence: str
    run: str = ""
    item: str = ""
    name: str = ""
    repair: str | None = None
    safe: bool = True
    result: str = "found"

    @property
    def settled(self) -> bool:
        """Whether nobody has to look at it: it is repaired, or only time is missing."""
        return self.result == "repaired" or self.result.startswith("waits")

    def ended(self, result: str) -> Finding:
        """Return the finding with its result."""
        return replace(self, result=result)

    def row(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return asdict(self)

    @classmethod
    def of(cls, row: dict[str, Any]) -> Finding:
        """Return the finding that :meth:`row` wrote."""
        return cls(**{**row, "kind": Kind(row["kind"])})
