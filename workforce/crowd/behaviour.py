"""What a simulated worker answers: a function of seed, worker and item, and of nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from workforce.crowd.chance import chance
from workforce.crowd.forms import FormField, RenderedTask
from workforce.crowd.plan import CrowdPlan, Group

Intent = Literal["answer", "return", "abandon"]

GARBAGE = ("asdf", "???", "virginca", "<b>setosa</b>", "]]> & <", "one or the other", "-1", "N/A")
"""What a sloppy worker leaves in the answer field in place of a choice."""


@dataclass(frozen=True)
class Member:
    """One worker of the crowd, with the accuracy that chance gave it (None: has a confusion table)."""

    worker_id: str
    group: Group
    accuracy: float | None


def members(plan: CrowdPlan) -> list[Member]:
    """All workers of a crowd, in the order of the file."""
    return [
        Member(worker_id, group, _accuracy(plan.seed, worker_id, group))
        for group in plan.groups
        for worker_id in group.worker_ids()
    ]


def _accuracy(seed: int, worker_id: str, group: Group) -> float | None:
    if group.skill is None or group.skill.accuracy is None:
        return None
    accuracy = group.skill.accuracy
    if isinstance(accuracy, tuple):
        return chance(seed, worker_id, "accuracy").uniform(*accuracy)
    return accuracy


def intent(plan: CrowdPlan, member: Member, item: str) -> Intent:
    """Whether the worker goes through with the item, gives it back, or forgets about it."""
    draw = chance(plan.seed, member.worker_id, item, "intent").random()
    if draw < member.group.abandon_rate:
        return "abandon"
    if draw < member.group.abandon_rate + member.group.return_rate:
        return "return"
    return "answer"


def form_answers(plan: CrowdPlan, member: Member, task: RenderedTask, item: str) -> dict[str, str | None]:
    """What the worker enters in the form; raises UnreadableTask when the answer field is not there."""
    choices = task.choices(plan.answer_field) or list(plan.labels)
    answers: dict[str, str | None] = {
        name: _filler(plan.seed, member.worker_id, item, other)
        for name, other in task.fields.items()
        if other.required and not other.value and name != plan.answer_field
    }
    answers[plan.answer_field] = answer(plan, member, item, choices)
    return answers


def answer(plan: CrowdPlan, member: Member, item: str, choices: Sequence[str]) -> str | None:
    """The worker's answer on an item; None leaves the field out of the form."""
    draw = chance(plan.seed, member.worker_id, item, "answer")
    choices = sorted(set(choices))  # the order on the page must not change the answer
    group = member.group
    if group.behaviour == "random_spammer":
        return draw.choice(choices)
    if group.behaviour == "constant_spammer":
        return group.answer if group.answer in choices else choices[-1]
    considered = _considered(plan, member, item, choices, draw)
    if group.behaviour == "sloppy_form":
        slip = chance(plan.seed, member.worker_id, item, "slip")
        if slip.random() < (group.sloppy_rate or 0.0):
            return slip.choice((None, "", slip.choice(GARBAGE)))
    return considered


def _considered(
    plan: CrowdPlan, member: Member, item: str, choices: Sequence[str], draw: random.Random
) -> str:
    """An honest answer; an item that the key does not know, or does not offer, is guessed."""
    truth = plan.key.get(item)
    if truth is None or truth not in choices:
        return draw.choice(choices)
    if member.accuracy is not None:
        others = [choice for choice in choices if choice != truth]
        return truth if not others or draw.random() < member.accuracy else draw.choice(others)
    row = member.group.skill.confusion[truth] if member.group.skill and member.group.skill.confusion else {}
    weights = [row.get(choice, 0.0) for choice in choices]
    return draw.choices(choices, weights)[0] if sum(weights) > 0 else draw.choice(choices)


def _filler(seed: int, worker_id: str, item: str, other: FormField) -> str:
    """Something for a field that must not stay empty."""
    if other.options:
        return chance(seed, worker_id, item, "field", other.name).choice(other.options)
    return "ok"
