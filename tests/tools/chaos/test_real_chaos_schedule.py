from __future__ import annotations

import pytest

from tools.chaos.real.faults import PARTS, Fault, schedule


def test_a_seed_gives_the_same_faults_again() -> None:
    assert schedule(7, 30) == schedule(7, 30)
    assert schedule(7, 30) != schedule(8, 30)


def test_faults_are_spread_over_the_tasks_in_their_order() -> None:
    stages = [step.stage for step in schedule(7, 200)]
    order = list(dict.fromkeys(stages))
    assert stages == sorted(stages, key=order.index)
    assert order[0] == "load_dataset"
    assert {"publish_hits", "train", "clean_up.report"} <= set(order)
    assert not {"train", "deploy", "evaluate"} & {step.stage for step in schedule(7, 200, model=False)}


@pytest.mark.parametrize("seed", range(20))
def test_every_kind_comes_before_any_comes_again(seed: int) -> None:
    kinds = [step.fault for step in schedule(seed, len(Fault))]
    assert sorted(kinds) == sorted(Fault)


def test_a_kind_is_a_task_a_clear_or_a_part() -> None:
    for fault in Fault:
        assert fault.is_task + fault.is_clear + (fault in PARTS) == 1, fault


def test_the_choice_among_many_is_one_of_them() -> None:
    steps = schedule(3, 200)
    assert {step.choose(3) for step in steps} == {0, 1, 2}
    assert {step.choose(1) for step in steps} == {0}
