"""The closing summary of the demo, from the run's own summary document."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from tools.demo.progress import dollars

#: Characters of a finding's text per line.
_WIDTH = 90
#: Numbers of an item that are shown one by one.
_NUMBERS = 12


def lines(summary: Mapping[str, Any], *, right: int, judged: int) -> Iterator[str]:
    """The summary, line by line; what the run did not reach shows a dash."""
    model = summary.get("model") or {}
    yield _row("items", _items(summary))
    yield _row("answers", f"{summary['answers']}, {summary['extended']} items needed more workers")
    if summary.get("quarantined"):
        yield _row("set aside", f"{summary['quarantined']} unreadable answers (paid, asked again)")
    yield _row("spend", _spend(summary))
    yield _row("label accuracy", _share(right, judged) + " (against the known labels)")
    yield from _consolidation(summary.get("consolidation") or {})
    yield _row("model accuracy", f"{_percent(model.get('accuracy'))} (on the held-out test file)")
    yield _row("prediction", _prediction(model.get("prediction")))
    yield ""
    for name, key in (("labels", "labels_uri"), ("train", "train_uri"), ("test", "test_uri")):
        yield _row(name, summary.get(key) or "-")
    yield _row("manifest", summary.get("manifest_uri") or "-")
    yield _row("model", model.get("artifacts_uri") or "-")
    yield ""
    cleaned = summary.get("cleaned") or ["-"]
    yield _row("cleaned up", cleaned[0])
    for more in cleaned[1:]:
        yield _row("", more)


def _row(name: str, text: object) -> str:
    return f"  {name:<15} {text}".rstrip()


def _items(summary: Mapping[str, Any]) -> str:
    text = f"{summary['items']}, {summary['settled']} settled"
    return f"{text}, {summary['given_up']} given up" if summary.get("given_up") else text


def _spend(summary: Mapping[str, Any]) -> str:
    plan = summary.get("plan") or {}
    return (
        f"{dollars(summary['spent_cents'])}; planned {dollars(plan.get('certain_cents'))}, "
        f"at most {dollars(plan.get('worst_cents'))}, budget {dollars(plan.get('budget_cents'))}"
    )


def _consolidation(found: Mapping[str, Any]) -> Iterator[str]:
    """How the labels came about, and what is odd about them, one finding after the other."""
    if not found:
        return
    yield _row("method", f"{found['method']}; confidence is a {found['confidence_is']}")
    if known := found.get("on_known"):
        share = _share(known["right"], known["known"])
        yield _row(
            "on known items", f"{share}; a plain vote {_share(known['right_by_vote'], known['known'])}"
        )
    if doubtful := found.get("labelled_unsettled"):
        yield _row("unsettled", f"{doubtful} of the labels are the best of workers who did not agree")
    if waits := found.get("waiting_for_experts"):
        yield _row("experts", f"{waits} items wait in {found.get('queue_uri')}")
    findings = found.get("findings") or ()
    for number, each in enumerate(findings):
        first, *rest = textwrap.wrap(f"{each['severity']}: {each['text']}", _WIDTH) or [""]
        yield _row("findings" if number == 0 else "", first)
        yield from (_row("", f"  {line}") for line in rest)
    if not findings:
        yield _row("findings", "nothing odd about the answers or the labels")


def _share(right: int, judged: int) -> str:
    return f"{100 * right / judged:.1f} % ({right} of {judged})" if judged else "-"


def _percent(value: object) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, int | float) else "-"


def _prediction(value: object) -> str:
    """The first prediction: a label, or a label with its probability and what was asked about."""
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, Mapping):
        return "-" if first in (None, []) else str(first)
    text = str(first.get("label", "-"))
    if isinstance(first.get("probability"), float):
        text += f" ({_percent(first['probability'])} sure)"
    return f"{text} for {_brief(first['input'])}" if "input" in first else text


def _brief(value: object) -> str:
    """What was asked about; of many numbers, how many they are."""
    if isinstance(value, list) and len(value) > _NUMBERS:
        return f"an item of {len(value)} numbers"
    return str(value)
