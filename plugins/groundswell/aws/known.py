"""Items whose label is known: from the batch's gold file, and from experts."""

from __future__ import annotations

from groundswell.answers.known import read_known_labels
from groundswell.aws.experts import expert_answers
from groundswell.aws.files import read_text
from groundswell.aws.runs import LabelingRun
from groundswell.errors import DatasetError


def gold_labels(run: LabelingRun) -> dict[str, str]:
    """
    Return item -> label of the batch's gold file; nothing where the batch has none.

    :raises DatasetError: where the file cannot be read, or a row of it cannot be used.
    """
    path = run.batch.consolidation.gold
    if path is None:
        return {}
    text = read_text(run, path, option="consolidation.gold")
    rows, problems = read_known_labels(text, name=path, labels=run.batch.task.labels)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise DatasetError(f"consolidation.gold: {problems[0]}{more}")
    return {row.item: row.label for row in rows}


def known_labels(run: LabelingRun) -> dict[str, str]:
    """
    Return item -> label of every item whose label is known; the gold file comes before the experts.

    :raises DatasetError: as :func:`gold_labels`.
    """
    return {item: row["label"] for item, row in expert_answers(run).items()} | gold_labels(run)
