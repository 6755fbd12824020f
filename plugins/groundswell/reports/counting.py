"""From the events of a day to its finest groups: sums, seconds in order, and how each row came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundswell.reports import bins
from groundswell.reports.bins import Bins
from groundswell.reports.cleaning import KINDS, SUBMITTED, Events, known
from groundswell.reports.measures import (
    EVENTS,
    QUANTILES,
    Floats,
    Ints,
    Sums,
    group,
    joined,
    micro,
    sums,
)


@dataclass(frozen=True)
class Finest:
    """The rows of the workers table.

    :param keys: object[n] per column of :data:`cleaning.GROUP_KEYS`
    :param seconds: float64[m] of the submitted tasks whose time is known, rising
    :param row: int64[m], the row of each of them
    """

    keys: list[NDArray[Any]]
    sums: Sums
    seconds: Floats
    row: Ints

    def __len__(self) -> int:
        return len(self.sums)

    def quantiles(self, to: Ints, groups: int) -> dict[str, Floats]:
        """Return the exact quantiles of seconds where row r is in group ``to[r]``."""
        group = to[self.row]
        # Few groups sort by radix, in a pass or two
        order = np.argsort(group.astype(np.uint16) if groups <= 1 << 16 else group, kind="stable")
        seconds, group = self.seconds[order], group[order]
        return {name: bins.exact(seconds, group, q, groups) for name, q in QUANTILES.items()}

    def histogram(self) -> Bins:
        """Return the histogram of seconds of each row."""
        return bins.of(self.seconds, self.row)

    def with_rows(self, keys: Sequence[Sequence[Any]], more: Sums) -> Finest:
        """Return the rows with others added; one that is there already is added to it."""
        if not len(more):
            return self
        both = [
            np.concatenate([old, np.array(new, dtype=object)])
            for old, new in zip(self.keys, keys, strict=True)
        ]
        named, to = group(both)
        return Finest(
            named, joined([self.sums, more]).regrouped(to, len(named[0])), self.seconds, to[self.row]
        )


def finest(parts: Sequence[Events]) -> tuple[Finest, list[Ints]]:
    """Count the events of all sources; also return which row each group of each part became."""
    keys = [np.concatenate([part.keys[place] for part in parts]) for place in range(len(parts[0].keys))]
    named, to = group(keys)
    counted = joined([_sums(part) for part in parts]).regrouped(to, len(named[0]))
    ends = np.cumsum([part.groups for part in parts])
    rows_of = np.split(to, ends[:-1])
    seconds, row = [], []
    for part, place in zip(parts, rows_of, strict=True):
        timed = _timed(part)
        seconds.append(part.numbers["seconds"][timed])
        row.append(place[part.group[timed]])
    together = np.concatenate(seconds)
    order = np.argsort(together, kind="stable")
    return Finest(named, counted, together[order], np.concatenate(row)[order]), rows_of


def _timed(part: Events) -> NDArray[np.bool_]:
    timed: NDArray[np.bool_] = (part.kind == SUBMITTED) & ~np.isnan(part.numbers["seconds"])
    return timed


def _sums(part: Events) -> Sums:
    groups = part.groups
    if not groups:
        return sums({}, 0)
    ledger = part.keys[0] == "ledger"
    given: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for code, name in enumerate(KINDS):
        given[name] = np.bincount(part.group[part.kind == code], minlength=groups)
        told[name] = np.ones(groups, bool)
    for name in ("returned", "declined"):  # a ledger does not hear of them
        told[name] = ~ledger | (given[name] > 0)
    timed = _timed(part)
    given["seconds_total"] = _total(part, part.numbers["seconds"], timed)
    told["seconds_total"] = np.bincount(part.group[timed], minlength=groups) > 0
    given["active_tasks"] = np.bincount(part.group[timed], minlength=groups)
    for name in ("active_seconds", "active_by_events"):
        given[name] = given["seconds_total"]
    for name in ("active_seconds", "active_by_events", "active_tasks"):
        told[name] = told["seconds_total"]
    active_from = np.where(told["active_seconds"], EVENTS, 0).astype(np.int8)
    if part.flags:
        _add_answers(part, ledger, given, told)
        _add_money(part, timed, given, told)
    return sums(given, groups, told, active_from)


def _add_answers(part: Events, ledger: Any, given: dict[str, Any], told: dict[str, Any]) -> None:
    """Count what a ledger knows of answers: judged, gold, settled, rejected, unreadable."""
    flags, submitted = part.flags, part.kind == SUBMITTED
    judged = submitted & known(flags["agreed"])
    counted = {
        "judged": judged,
        "agreed": judged & (flags["agreed"] == 1),
        "gold_seen": submitted & known(flags["gold_right"]),
        "gold_right": submitted & (flags["gold_right"] == 1),
        "settled_labels": submitted & (flags["settles"] == 1),
        "rejected": submitted & (flags["rejected"] == 1),
        "unreadable": submitted & (flags["readable"] == 0),
    }
    for name, rows in counted.items():
        given[name] = np.bincount(part.group[rows], minlength=part.groups)
        told[name] = ledger
    given["human_labels"], told["human_labels"] = given["settled_labels"], ledger
    given["machine_labels"], told["machine_labels"] = np.zeros(part.groups, np.int64), ledger
    # Where no posterior is told, agreeing with the label counts as right
    right = np.where(np.isnan(part.numbers["right"]), flags["agreed"] == 1, part.numbers["right"])
    given["right_expected"] = _total(part, right, judged)
    told["right_expected"] = given["judged"] > 0


def _add_money(part: Events, timed: NDArray[np.bool_], given: dict[str, Any], told: dict[str, Any]) -> None:
    submitted = part.kind == SUBMITTED
    for name, column in (("earned_cents", "reward_cents"), ("cost_cents", "cost_cents")):
        rows = submitted & ~np.isnan(part.numbers[column])
        given[name] = _total(part, part.numbers[column], rows)
        told[name] = np.bincount(part.group[rows], minlength=part.groups) > 0
    earned = part.numbers["reward_cents"]
    decided = timed & ((part.flags["paid"] == 1) | (part.flags["rejected"] == 1)) & ~np.isnan(earned)
    for name, values in (("pay_seconds", part.numbers["seconds"]), ("pay_cents", earned)):
        given[name] = _total(part, values, decided)
        told[name] = np.bincount(part.group[decided], minlength=part.groups) > 0


def _total(part: Events, values: Floats, rows: NDArray[np.bool_]) -> Ints:
    total = np.zeros(part.groups, np.int64)
    np.add.at(total, part.group[rows], micro(values[rows]))
    return total
