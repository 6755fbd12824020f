"""What the janitor found, as a document for programs and as a table for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from groundswell.aws.janitor.findings import Finding
from groundswell.ledger import PartStore

#: Lines of the table; the documents have all findings.
LINES = 40
_HEADER = ("kind", "batch", "run", "item", "name", "what", "result")
#: Characters of a cell; what is longer is cut in the middle, since run ids differ at their ends.
_WIDEST = 60


def put_document(store: PartStore, batch: str, stamp: str, findings: Sequence[Finding], **about: Any) -> str:
    """Write what was found of a batch beside its ledgers, named after the janitor's run; return its key."""
    key = f"_janitor/{batch}/reports/{stamp}.json"
    document = {"batch": batch, **about, "findings": [finding.row() for finding in findings]}
    store.put(key, json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True).encode())
    return key


def get_findings(store: PartStore, key: str) -> list[Finding]:
    """Return the findings of a document; none where it was deleted meanwhile."""
    body = store.get(key)
    return [Finding.of(row) for row in json.loads(body)["findings"]] if body else []


def get_clean(store: PartStore, batch: str) -> dict[str, int]:
    """Return what earlier rounds found clean; see :class:`~groundswell.aws.janitor.house.House`."""
    try:
        found = json.loads(store.get(_clean_key(batch)) or b"{}")
        return {str(run): int(parts) for run, parts in found.items()}
    except (ValueError, AttributeError, TypeError):  # only saves reading: what is damaged is written again
        return {}


def put_clean(store: PartStore, batch: str, clean: Mapping[str, int]) -> None:
    """Keep what this round found clean."""
    store.put(_clean_key(batch), json.dumps(dict(clean), indent=2, sort_keys=True).encode())


def _clean_key(batch: str) -> str:
    return f"_janitor/{batch}/clean.json"


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings of each kind there are, and of each result (``found``, ``repaired`` …)."""
    rows = list(findings)
    kinds = Counter(str(each.kind) for each in rows)
    results = Counter(each.result.partition(":")[0] for each in rows)
    return {**dict(sorted(kinds.items())), **{f"result_{name}": n for name, n in sorted(results.items())}}


def table(findings: Iterable[Finding]) -> str:
    """Return the findings as aligned text: a header, a line for each, what nobody settled first."""
    rows = sorted(findings, key=lambda each: (each.settled, each.kind, each.batch, each.run, each.item))
    cells = [_HEADER, *(_cells(each) for each in rows[:LINES])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    if len(rows) > LINES:
        lines.append(f"and {len(rows) - LINES} more: see the documents")
    return "\n".join(lines)


def _cells(finding: Finding) -> tuple[str, ...]:
    row: Mapping[str, Any] = finding.row()
    texts = [str(row[name] or "-") for name in _HEADER]
    texts[-2] += f" ({finding.evidence})"
    # The two that explain are at the end, where their length moves nothing
    return (*map(_cut, texts[:-2]), " ".join(texts[-2].split()), " ".join(texts[-1].split()))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    half = (_WIDEST - 3) // 2
    return text if len(text) <= _WIDEST else f"{text[:half]}...{text[-half:]}"
