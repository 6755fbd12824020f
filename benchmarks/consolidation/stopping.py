"""Stopping rules on real crowds: what each buys, and how accurate it is."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.consolidation import charts
from benchmarks.consolidation.crowds import Crowd
from benchmarks.consolidation.document import Part, bullets, flow, image, table
from benchmarks.consolidation.progress import Say
from groundswell.consolidation.replay import Recorded, Row, compare, same_spend
from groundswell.consolidation.replay import table as replayed
from groundswell.consolidation.replay.accuracy import methods
from groundswell.consolidation.replay.chart import draw
from groundswell.consolidation.replay.comparing import Comparison
from groundswell.consolidation.replay.rules import describe, family_of, grid, usual, with_most
from groundswell.consolidation.stopping import DEFAULT_CONFIDENCE, DEFAULT_FIRST, StoppingRule

CHART = "consolidation_stopping.svg"
REPLAY_CHART = "consolidation_replay_{}.svg"
SHOWN = "rte"
ORDERS, QUICK_ORDERS = 6, 2
ENOUGH = 5
"""With fewer answers per item there is little to save; such sets are shown and not summed up."""
FIRST = 2
MAJORITY = "majority"


@dataclass(frozen=True)
class Rules:
    """One set: the rules compared on it, and which method labels what was bought."""

    crowd: Crowd
    compared: Comparison
    method: str

    @property
    def enough(self) -> bool:
        """Whether there are answers enough to save some."""
        return self.crowd.per_item >= ENOUGH

    def rule(self, family: str) -> Row:
        """The rule of a family at its default."""
        return next(row for row in self.compared.rows if family_of(row.rule) == family)

    @property
    def majority(self) -> float:
        """Accuracy of the majority vote on all answers."""
        return self.compared.everything.accuracy[MAJORITY].everything

    def saved(self, row: Row) -> float:
        """Share of all answers that the rule does not buy."""
        return 1 - row.answers / self.compared.everything.answers

    def gain(self, row: Row) -> float:
        """Accuracy of all items above the majority vote on all answers."""
        return row.accuracy[self.method].everything - self.majority


def stopping_part(crowds: Sequence[Crowd], *, quick: bool, say: Say) -> Part:
    """Replay the rules on all sets, and return the document."""
    orders = QUICK_ORDERS if quick else ORDERS
    found = []
    for crowd in crowds:
        recorded = Recorded(crowd.answers, crowd.truth)
        (compared,) = replayed({crowd.name: recorded}, _rules, orders=orders, label_by=methods())
        found.append(Rules(crowd, compared, methods()[0]))
        row = found[-1].rule("confidence")
        say(f"stopping: {crowd.name}: {row.per_item:.2f} answers per item, {found[-1].gain(row):+.2%}")
    pictures = {CHART: _chart(found)}
    for each in found:
        if each.crowd.name == SHOWN:
            pictures[REPLAY_CHART.format(SHOWN)] = _replay_chart(each, orders)
    return Part("Consolidation: stopping rules", _sections(found, orders, pictures), pictures)


def _rules(most: int) -> list[StoppingRule]:
    return [*usual(most), with_most({"rule": "fixed", "first": FIRST}, most=FIRST)]


def _sections(found: Sequence[Rules], orders: int, pictures: dict[str, bytes]) -> list[str]:
    sections = [
        "## The rule `confidence` at its default",
        flow(f"""
            `confidence: {DEFAULT_CONFIDENCE}`, {DEFAULT_FIRST} answers first, against the majority vote on
            all answers (at most as many per item as a typical item has). Labels of what was bought are by the
            method `{found[0].method}`. Sets with fewer than {ENOUGH} answers per item stand below the
            medians."""),
        _against_all(found),
        image(CHART, "Accuracy against the share of the answers that are bought"),
        "## At the spend of the tutorial's rule",
        flow("""
            The tutorial's rule asks two workers and then one more at a time until two agree, and takes the
            majority. `confidence` at the same spend is read off between the two nearest of its settings, the
        cheapest being two answers for every item and no more."""),
        _against_tutorial(found),
        "## All rules at their defaults",
        flow(f"Answers per item, and percent right of all items, labelled by `{found[0].method}`."),
        _all_rules(found),
    ]
    shown = REPLAY_CHART.format(SHOWN)
    if shown in pictures:
        sections += [f"## The grid of rules on the set {SHOWN}", image(shown, "Cost against accuracy")]
    return [*sections, "## How it was measured", bullets(_method(orders))]


def _against_all(found: Sequence[Rules]) -> str:
    def cells(each: Rules) -> list[str]:
        row = each.rule("confidence")
        return [
            each.crowd.name,
            f"{each.compared.everything.per_item:.2f}",
            f"{100 * each.majority:.1f}",
            f"{row.per_item:.2f}",
            f"{100 * each.saved(row):.0f} %",
            f"{100 * row.accuracy[each.method].everything:.1f}",
            f"{100 * each.gain(row):+.1f}",
            f"{100 * row.settled / row.items:.0f} %",
            f"{100 * row.accuracy[each.method].settled:.1f}",
        ]

    enough = [each for each in found if each.enough]
    rows = [cells(each) for each in enough]
    if enough:
        rows.append(_medians(enough))
    rows += [cells(each) for each in found if not each.enough]
    headers = ["set", "all: per item", "majority right, %", "confidence: per item", "saved", "right, %"]
    return table([*headers, "difference", "settled", "right of settled, %"], rows)


def _medians(found: Sequence[Rules]) -> list[str]:
    saved, right, gain, majority = np.median(
        [
            (
                each.saved(row),
                row.accuracy[each.method].everything,
                each.gain(row),
                each.majority,
            )
            for each in found
            for row in [each.rule("confidence")]
        ],
        axis=0,
    )
    cells = ["median", "", f"{100 * majority:.1f}", "", f"{100 * saved:.0f} %", f"{100 * right:.1f}"]
    return [*cells, f"{100 * gain:+.1f}", "", ""]


def _against_tutorial(found: Sequence[Rules]) -> str:
    rows, better, compared = [], 0, 0
    for each in found:
        tutorial = each.rule("agree")
        theirs = tutorial.accuracy[MAJORITY].everything
        ours = same_spend([*each.compared.sweep, each.compared.rows[-1]], tutorial.per_item, each.method)
        cells = [each.crowd.name, f"{tutorial.per_item:.2f}", f"{100 * theirs:.1f}"]
        cells.append(f"{100 * tutorial.accuracy[each.method].everything:.1f}")
        if ours is None:
            rows.append([*cells, "not reached", ""])
            continue
        compared, better = compared + 1, better + (ours > theirs)
        rows.append([*cells, f"{100 * ours:.1f}", f"{100 * (ours - theirs):+.1f}"])
    headers = ["set", "answers per item", "tutorial's rule, %", "its answers labelled by ours, %"]
    text = table([*headers, "confidence at that spend, %", "difference"], rows)
    return f"{text}\n\nHigher on {better} of {compared} sets."


def _all_rules(found: Sequence[Rules]) -> str:
    rows = []
    for each in found:
        cells = []
        for family in ("fixed", "agree", "lead", "confidence"):
            row = each.rule(family)
            cells += [f"{row.per_item:.2f}", f"{100 * row.accuracy[each.method].everything:.1f}"]
        rows.append([each.crowd.name, *cells])
    headers = ["set", "all", "%", "agree 2", "%", "lead 2", "%", f"confidence {DEFAULT_CONFIDENCE}", "%"]
    return table(headers, rows)


def _chart(found: Sequence[Rules]) -> bytes:
    enough = [each for each in found if each.enough]
    figure, (axis,) = charts.new_figure(8, 4.2)
    for number, each in enumerate(enough):
        colour = charts.PALETTE[number % len(charts.PALETTE)]
        points = sorted((100 * (1 - each.saved(row)), 100 * each.gain(row)) for row in each.compared.sweep)
        axis.plot(*zip(*points, strict=True), "-", color=colour, linewidth=1.3, label=each.crowd.name)
        default, tutorial = each.rule("confidence"), each.rule("agree")
        axis.plot(100 * (1 - each.saved(default)), 100 * each.gain(default), "o", color=colour, markersize=7)
        tutorials = tutorial.accuracy[MAJORITY].everything - each.majority
        axis.plot(100 * (1 - each.saved(tutorial)), 100 * tutorials, "x", color=colour, markersize=7)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xlim(left=0)
    axis.grid(color="#e3e3e3", linewidth=0.6)
    axis.set_xlabel("answers bought, % of all (dot: `confidence` at its default; cross: tutorial's rule)")
    axis.set_ylabel("points above majority vote on all answers")
    if enough:
        axis.legend(frameon=False, ncols=2)
    return charts.svg(figure)


def _replay_chart(each: Rules, orders: int) -> bytes:
    recorded = Recorded(each.crowd.answers, each.crowd.truth)
    rows = compare(recorded, grid(recorded.typical), orders=orders, label_by=methods())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chart.svg"
        draw(rows, path, method=each.method, everything=each.compared.everything)
        return path.read_bytes()


def _method(orders: int) -> list[str]:
    return [
        f"""
        Recorded answers are handed out in {orders} random orders (seeded); figures are means over them. Each
        round asks one more worker about every item that the rule wants to go on with, as the collector does
        in waves, and judges by all answers bought so far; the model behind `confidence` is fitted anew each
        round, and no skill from earlier batches is known to it.""",
        """
        An item ends when the rule settles it or gives it up, or when its recorded answers are used up: a
        rule cannot buy what nobody gave. Accuracy counts every item with known truth by its best label,
        given up or not; a tie counts as one guess among the labels that are equal.""",
        f"Rules: {describe_defaults()}; `most` is the median number of answers per item, at most 20.",
    ]


def describe_defaults() -> str:
    """Return the rules that are compared, with a most of 10."""
    return "; ".join(describe(rule) for rule in usual(10))
