"""Proposals as Markdown for the person who decides. What strangers wrote is shown as code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from groundswell.review.evidence import Evidence
from groundswell.review.proposals import Candidate, Proposal, Proposals

#: Workers, and answers of each, that are listed; the document beside the ledger has all.
MOST_ROWS = 40
MOST_EXAMPLES = 5

_SHOWN = 80
_COLUMNS = ("Worker", "Answers", "Unreadable", "Agreement", "By chance", "Median time", "To reject", "Why")


def as_code(text: str, *, most: int = _SHOWN) -> str:
    """Return a stranger's text as a Markdown code span, on one line, that fits a table's cell.

    In code nothing is markup, a link or HTML. What could end code or cell is replaced by a look-alike.
    """
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    line = line if len(line) <= most else f"{line[:most]}..."
    line = line.replace("`", "'").replace("|", "\u00a6").strip()
    return f"`{line}`" if line else "(nothing)"


def describe(proposals: Proposals) -> str:
    """Return what the person reads: a table of the workers, their answers, and what the caps spare."""
    counted = f"{proposals.waiting} answers wait for a decision before they are paid"
    if not proposals.workers:
        return f"{counted}; nothing is held against any of them."
    parts = [
        f"{counted}. {proposals.answers} of them may be rejected; the others are paid in any case. "
        "A rejection costs a worker the reward and counts against the worker everywhere: choose a worker "
        "only where the evidence leaves no doubt. Where the answers of many workers cannot be read, look at "
        "the page first.",
        _table(proposals.workers[:MOST_ROWS]),
        _examples(proposals.workers[:MOST_ROWS]),
    ]
    if proposals.cut:
        parts.append(
            f"{proposals.cut} more answers have the same evidence and are paid: review.most_per_worker and "
            "review.most_per_run allow no more."
        )
    if len(proposals.workers) > MOST_ROWS:
        parts.append(f"{len(proposals.workers) - MOST_ROWS} more workers are in the document.")
    return "\n\n".join(parts)


def _table(workers: Iterable[Proposal]) -> str:
    lines = [_row(_COLUMNS), _row("---" for _ in _COLUMNS)]
    lines += [_row(_cells(each)) for each in workers]
    return "\n".join(lines)


def _cells(proposal: Proposal) -> Sequence[str]:
    evidence = proposal.evidence
    return (
        as_code(proposal.worker),
        str(evidence.answers),
        str(evidence.unreadable),
        _agreement(evidence),
        "" if evidence.by_chance is None else f"{evidence.by_chance:.0%}",
        "" if evidence.median_seconds is None else f"{evidence.median_seconds} s",
        str(len(proposal.answers)) + (f" ({proposal.cut} more spared)" if proposal.cut else ""),
        proposal.why,
    )


def _agreement(evidence: Evidence) -> str:
    return "" if evidence.agreement is None else f"{evidence.agreement:.0%} of {evidence.judged}"


def _examples(workers: Iterable[Proposal]) -> str:
    lines = []
    for proposal in workers:
        shown = proposal.answers[:MOST_EXAMPLES]
        more = len(proposal.answers) - len(shown)
        said = "; ".join(_example(each) for each in shown) + (f"; and {more} more" if more else "")
        lines.append(f"- {as_code(proposal.worker)}: {said}")
    return "\n".join(lines)


def _example(answer: Candidate) -> str:
    if not answer.others:
        return f"{as_code(answer.item)}: {as_code(answer.said)}"
    others = ", ".join(f"{as_code(label)} ({votes})" for label, votes in answer.others)
    return f"{as_code(answer.item)}: {as_code(answer.said)} where others said {others}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
