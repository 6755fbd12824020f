"""Compensations that a person approved and that nobody brought to an end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from groundswell.aws.compensating import UNDO
from groundswell.aws.janitor.findings import Finding, Kind
from groundswell.aws.janitor.house import House
from groundswell.aws.runs import COMPENSATIONS
from groundswell.batches.units import dollars
from groundswell.ledger import Ledger

#: A case that has parts of one of these is at its end.
_ENDED = frozenset({"bonuses", "deletions"})


def unended_cases(house: House) -> Iterator[Finding]:
    """Yield the batch's cases whose payment was approved, is due, and is not in the record.

    The keys alone tell most cases that are at their end: their parts are not read.
    """
    for case, kinds in sorted(_kinds(house).items()):
        if kinds & _ENDED or "approvals" not in kinds:
            continue
        ledger = Ledger(house.base.store, COMPENSATIONS, f"{house.name}/{case}")
        fixed = next((row for _, row in ledger.rows("intents") if "mode" in row), None)
        if fixed is None or (problem := _problem(house, ledger, fixed)) is None:
            continue
        yield Finding(
            Kind.UNENDED_CASE,
            house.name,
            run=f"{COMPENSATIONS}/{case}",
            item=str(fixed["worker"]),
            what=f"case {case} ({dollars(int(fixed['cents']))}) was approved, and {problem}",
            evidence="its ledger; trigger pay_worker with the same parameters, or clear its run",
        )


def _kinds(house: House) -> dict[str, set[str]]:
    """Return case -> kinds of parts that it has."""
    prefix, kinds = f"{COMPENSATIONS}/{house.name}/", defaultdict(set)
    for key in house.base.store.keys(prefix):
        case, _, rest = key.removeprefix(prefix).partition("/")
        kinds[case].add(rest.partition("/")[0])
    return kinds


def _problem(house: House, ledger: Ledger, fixed: Mapping[str, Any]) -> str | None:
    """Return what is left to do, in words; None where all is well or a task may still be at it."""
    state = ledger.fold("hits", "approvals")
    if hit := state.hits.get(str(fixed["worker"])):
        over = house.rules.old(hit["expires"])
        return f"its make-up HIT {hit['hit']} is over and was not settled" if over else None
    if not all(house.rules.old(row["at"]) for row in state.approvals):
        return None
    if fixed["mode"] == UNDO:
        payments = Ledger(house.base.store, house.name, str(fixed["run_id"])).fold("payments").payments
        if fixed["assignment"] in payments:
            return None
    return "nothing was paid"
