"""Accuracy on real crowds: every method against the majority vote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import process_time

import numpy as np
from numpy.typing import NDArray

from benchmarks.consolidation.crowds import Crowd
from benchmarks.consolidation.ground_truth import modified_dawid_skene
from benchmarks.consolidation.peers import peer_labels
from benchmarks.consolidation.progress import Say
from benchmarks.consolidation.significance import Comparison, compare, credit, credit_of_labels
from groundswell.consolidation import classification

MAJORITY = "majority"
DEFAULT = "default"
GROUND_TRUTH = "Ground Truth, published"
PEERS = ("MV", "DS", "OneCoinDS", "Wawa", "ZBS", "GLAD", "MACE", "MMSR", "KOS")
QUICK_PEERS = ("MV", "DS", "Wawa")
LIMIT_SECONDS = 150.0


@dataclass(frozen=True)
class Outcome:
    """One method on one set.

    :param right: credit per item with known truth, from 0 to 1; ``None``: it did not run, see ``error``
    :param score: what the method says of its certainty for these items; NaN where it says nothing
    """

    method: str
    crowd: str
    right: NDArray[np.float64] | None
    score: NDArray[np.float64] | None = None
    seconds: float = 0.0
    error: str = ""

    @property
    def accuracy(self) -> float:
        """Share of right labels."""
        return float("nan") if self.right is None else float(np.mean(self.right))


@dataclass(frozen=True)
class Accuracies:
    """All outcomes, by method and set."""

    crowds: Sequence[Crowd]
    outcomes: Mapping[tuple[str, str], Outcome]

    @property
    def methods(self) -> list[str]:
        """The methods, in the order in which they ran."""
        return list(dict.fromkeys(method for method, _ in self.outcomes))

    def of(self, method: str) -> list[Outcome]:
        """The outcomes of a method on the sets where it ran."""
        found = (self.outcomes.get((method, crowd.name)) for crowd in self.crowds)
        return [each for each in found if each is not None and each.right is not None]

    def against_majority(self, method: str) -> dict[str, Comparison]:
        """Compare a method with the majority vote, by set."""
        compared = {}
        for outcome in self.of(method):
            majority = self.outcomes[MAJORITY, outcome.crowd].right
            if outcome.right is not None and majority is not None:
                compared[outcome.crowd] = compare(outcome.right, majority)
        return compared


def is_ours(method: str) -> bool:
    """Whether a method is this project's."""
    return method in classification.METHODS


def measure_accuracies(crowds: Sequence[Crowd], *, quick: bool, reuse: bool, say: Say) -> Accuracies:
    """Run all methods on all sets.

    :param reuse: do not run others' methods again where an earlier run had the same answers and versions
    """
    outcomes: dict[tuple[str, str], Outcome] = {}
    for outcome in _all(crowds, QUICK_PEERS if quick else PEERS, reuse):
        outcomes[outcome.method, outcome.crowd] = outcome
        result = outcome.error or f"{outcome.accuracy:.2%} in {outcome.seconds:.2f} s"
        say(f"accuracy: {outcome.method} on {outcome.crowd}: {result}")
    return Accuracies(crowds, outcomes)


def _all(crowds: Sequence[Crowd], peers: Iterable[str], reuse: bool) -> Iterator[Outcome]:
    for method in sorted(classification.METHODS, key=lambda name: name != MAJORITY):
        for crowd in crowds:
            yield _ours(method, crowd)
    for crowd in crowds:
        yield _ground_truth(crowd)
    for peer in peers:
        yield from _peer(peer, crowds, reuse)


def _ours(method: str, crowd: Crowd) -> Outcome:
    began = process_time()
    consensus = classification.METHODS[method](crowd.answers)
    seconds = process_time() - began
    right = credit(crowd.answers, consensus, crowd.truth)
    return Outcome(method, crowd.name, right, consensus.confidence[crowd.truth >= 0], seconds)


def _ground_truth(crowd: Crowd) -> Outcome:
    began = process_time()
    posterior = modified_dawid_skene(crowd.answers)
    seconds = process_time() - began
    label = posterior.argmax(axis=1).astype(np.int32)
    right = credit_of_labels(label, crowd.truth, posterior.shape[1])
    return Outcome(GROUND_TRUTH, crowd.name, right, posterior.max(axis=1)[crowd.truth >= 0], seconds)


def _peer(method: str, crowds: Sequence[Crowd], reuse: bool) -> Iterator[Outcome]:
    name = f"crowd-kit {method}"
    for found in peer_labels(method, crowds, LIMIT_SECONDS, reuse=reuse):
        crowd = found.crowd
        if found.label is None or found.score is None:
            yield Outcome(name, crowd.name, None, error=found.error or "no labels")
            continue
        right = credit_of_labels(found.label, crowd.truth, len(crowd.answers.label_names))
        yield Outcome(name, crowd.name, right, found.score[crowd.truth >= 0], found.seconds or 0.0)
