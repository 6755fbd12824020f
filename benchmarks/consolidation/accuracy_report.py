"""The document about accuracy."""

from __future__ import annotations

import numpy as np

from benchmarks.consolidation import charts
from benchmarks.consolidation.accuracy import (
    DEFAULT,
    LIMIT_SECONDS,
    MAJORITY,
    Accuracies,
    is_ours,
)
from benchmarks.consolidation.document import Part, bullets, flow, image, table
from benchmarks.consolidation.significance import Comparison, compare

CHART = "consolidation_accuracy.svg"
FIRST_LABEL = "crowd-kit MV"


def accuracy_part(found: Accuracies, calibration: list[str]) -> Part:
    """Return the document.

    :param calibration: sections about how far scores can be believed
    """
    sections = [
        "## All methods",
        flow(_what_the_table_says(found)),
        _summary(found),
        image(CHART, "Difference to the majority vote per method and set"),
        "## By set",
        flow("""
            Accuracy in percent; `-` marks what is significantly below the majority vote and `+` what is
            significantly above it (p < .05)."""),
        _by_set(found),
    ]
    if DEFAULT in found.methods:
        sections += ["## The default against the majority vote", _paired(found)]
    failed = [each for each in found.outcomes.values() if each.right is None]
    if failed:
        sections += ["## What did not run", bullets(f"{e.method} on {e.crowd}: {e.error}" for e in failed)]
    sections += calibration
    sections += ["## How it was measured", bullets(_method(found))]
    return Part("Consolidation: accuracy on real crowds", sections, {CHART: charts.differences(found)})


def _what_the_table_says(found: Accuracies) -> str:
    return f"""
        {len(found.crowds)} sets of real answers whose truth is known. Below and above count the sets where a
        method differs significantly from the majority vote; the worst loss is against it, in points, whether
        significant or not. CPU seconds are the sum over the sets. A method without a prefix is this
        project's.
        """


def _summary(found: Accuracies) -> str:
    rows = []
    order = sorted(found.methods, key=lambda method: -_mean(found, method, _sets(found, method)))
    for method in order:
        sets = _sets(found, method)
        if not sets:
            rows.append([method, *["did not run"] * 2, *[""] * 5])
            continue
        compared = found.against_majority(method).values()
        missing = len(sets) < len(found.crowds)
        default = f"{_mean(found, DEFAULT, sets):.2f}" if missing and DEFAULT in found.methods else ""
        rows.append(
            [
                method,
                f"{_mean(found, method, sets):.2f}",
                f"{len(sets)} of {len(found.crowds)}",
                default,
                str(sum(each.below for each in compared)),
                str(sum(each.above for each in compared)),
                _worst(found, method),
                f"{sum(each.seconds for each in found.of(method)):.1f}",
            ]
        )
    headers = [
        "method",
        "mean accuracy, %",
        "sets",
        "default on these sets",
        "below",
        "above",
        "worst loss",
        "CPU s",
    ]
    return table(headers, rows)


def _sets(found: Accuracies, method: str) -> set[str]:
    return {outcome.crowd for outcome in found.of(method)}


def _mean(found: Accuracies, method: str, sets: set[str]) -> float:
    values = [outcome.accuracy for outcome in found.of(method) if outcome.crowd in sets]
    return 100 * float(np.mean(values)) if values else 0.0


def _worst(found: Accuracies, method: str) -> str:
    compared = found.against_majority(method)
    name = min(compared, key=lambda each: compared[each].difference)
    worst = compared[name].difference
    return f"{100 * worst:.1f} ({name})" if worst < 0 else "none"


def _by_set(found: Accuracies) -> str:
    rows = []
    for method in found.methods:
        compared = found.against_majority(method)
        cells = []
        for crowd in found.crowds:
            outcome = found.outcomes[method, crowd.name]
            mark = _mark(compared[crowd.name]) if crowd.name in compared else ""
            cells.append("" if outcome.right is None else f"{100 * outcome.accuracy:.1f}{mark}")
        rows.append([method, *cells])
    shape = [
        ["answers", *(str(len(crowd.answers)) for crowd in found.crowds)],
        ["answers per item", *(f"{crowd.per_item:.1f}" for crowd in found.crowds)],
        ["labels", *(str(len(crowd.answers.label_names)) for crowd in found.crowds)],
        ["items with truth", *(str(int(np.sum(crowd.truth >= 0))) for crowd in found.crowds)],
    ]
    return table(["method", *(crowd.name for crowd in found.crowds)], [*rows, *shape])


def _mark(compared: Comparison) -> str:
    return "-" if compared.below else "+" if compared.above else " "


def _paired(found: Accuracies) -> str:
    rows = []
    for name, compared in found.against_majority(DEFAULT).items():
        rows.append(
            [
                name,
                f"{100 * found.outcomes[MAJORITY, name].accuracy:.2f}",
                f"{100 * found.outcomes[DEFAULT, name].accuracy:.2f}",
                f"{100 * compared.difference:+.2f}",
                f"{compared.won:.1f}",
                f"{compared.lost:.1f}",
                f"{compared.p:.2g}",
                f"{compared.harm:.3f}",
                *_against_first_label(found, name),
            ]
        )
    headers = ["set", "majority, %", "default, %", "difference", "only default right", "only majority right"]
    headers += ["p", "unlucky", "majority, ties to the first label, %", "difference", "p"]
    return table(headers, rows)


def _against_first_label(found: Accuracies, name: str) -> list[str]:
    """Compare with crowd-kit's majority vote, which gives a tie to the label that comes first."""
    ours, theirs = found.outcomes[DEFAULT, name], found.outcomes.get((FIRST_LABEL, name))
    if theirs is None or theirs.right is None or ours.right is None:
        return ["", "", ""]
    compared = compare(ours.right, theirs.right)
    return [f"{100 * theirs.accuracy:.2f}", f"{100 * compared.difference:+.2f}", f"{compared.p:.2g}"]


def _method(found: Accuracies) -> list[str]:
    ours = ", ".join(method for method in found.methods if is_ours(method))
    return [
        """
        A tied vote counts as right with the share 1 / tied labels if the truth is among them, which is what
        breaking ties at random gets on average. The same holds for any of ours that leaves an item undecided.
        crowd-kit decides every item, its majority vote a tie by the order of the labels, and is taken at its
        word.""",
        """
        p is the exact two-sided McNemar test over the items that only one of the two has right, averaged
        over all ways of breaking the ties, each weighted by its probability. "Unlucky" is the probability
        that breaking them at random makes the method significantly worse (p < .05). No correction for the
        number of sets. The last columns compare with a majority vote that gives a tie to the label with the
        lowest number, as crowd-kit does: on some sets that is luck, on others the opposite.""",
        f"""
        Nothing is told to any method but the answers: no gold, no skill from earlier batches, no setting per
        set. Ours: {ours}. crowd-kit 1.4.2 with its defaults and seed 0, in an environment of its own, at
        most {LIMIT_SECONDS:.0f} CPU seconds per set and method and 12 GiB of memory.""",
        """
        Ground Truth's algorithm is written from the description that AWS published with it ("Modified
        Dawid-Skene"), run for its 20 rounds. What the live service does today cannot be seen from
        outside.""",
        """
        Seconds are CPU seconds in one process without its imports and without reading the file, on a machine
        that may be doing other things; the document about speed compares properly.""",
    ]
