"""Problems add up the same in any order, and their examples can be shown to anybody."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.reports.problems import EXAMPLE_LIMIT, Problem, masked, merged

DAY = date(2026, 11, 10)
PROBLEMS = st.builds(
    Problem,
    st.sampled_from(["a", "b"]),
    st.integers(1, 9),
    st.sampled_from(["x", "y", "z"]),
    st.sampled_from(["do", "do not"]),
    st.sampled_from(["", "s"]),
    st.sampled_from([None, DAY]),
)


@given(st.lists(PROBLEMS, max_size=20), st.randoms())
def test_merged_in_any_order(problems: list[Problem], random: Any) -> None:
    found = merged(problems)
    assert sum(problem.count for problem in found) == sum(problem.count for problem in problems)
    assert len({(p.day, p.source, p.kind, p.what_to_do) for p in problems}) == len(found)
    random.shuffle(problems)
    half = len(problems) // 2
    assert merged([*merged(problems[:half]), *merged(problems[half:])]) == found


def test_the_example_is_the_first_in_the_alphabet() -> None:
    assert [p.example for p in merged([Problem("a", 1, "y", ""), Problem("a", 2, "x", "")])] == ["x"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\x00", "two lines "),
        ("half a pair \ud83d", "half a pair  "),
        ("Ann.Lee+work@mail.example.org wrote", "<e-mail> wrote"),
        ("d6947aeb-0650-447a-ab5d-894db61017fd", "<id>"),
        ("worker cd449a289e129409", "worker <id>"),
        ("A2SUAM1J7GNN3S", "<id>"),
        ("pool us-gov-east-1_IpicJXXXX", "pool <pool>"),
        ("arn:aws:sagemaker:us-east-1:111122223333:x", "arn:aws:sagemaker:us-east-1:<id>:x"),
        ("<script>alert('1')</script>", "<script>alert('1')</script>"),
        ("Wed Aug 14 16:00:59 UTC 2019", "Wed Aug 14 16:00:59 UTC 2019"),
        ("decade", "decade"),
    ],
)
def test_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_long_texts_are_cut_and_no_half_id_is_left() -> None:
    assert masked("ab " * 10**6) == ("ab " * 67)[: EXAMPLE_LIMIT - 1] + "…"
    addresses = ("x" * 30 + "@example.org ") * 8  # 344 characters, which masking makes 72
    for length in range(60):
        assert "d6947" not in masked(addresses + "." * length + " d6947aeb-0650-447a-ab5d-894db61017fd")
