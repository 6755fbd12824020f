from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.chaos.real import table


def row(seed: int, **more: Any) -> dict[str, Any]:
    return {
        "batch": "iris",
        "seed": seed,
        "at": "2026-11-22 01:00 UTC",
        "commit": "abc1234",
        "seconds": 600,
        "faults": {"triggerer": 2, "local cloud": 1},
        "died": {},
        "repairs": 0,
        "problems": [],
        "paid_cents": 1992,
        "cents_off": 0,
    } | more


def test_the_latest_run_of_a_seed_is_shown_beside_the_others(tmp_path: Path) -> None:
    page = tmp_path / table.PAGE
    page.write_text("# Faults\n\nabove\n")
    table.record(row(1, paid_cents=1), tmp_path)
    table.record(row(2, faults={"API server": 4}, problems=["an endpoint is left"]), tmp_path)
    table.record(row(1), tmp_path)
    text = page.read_text()
    assert text.startswith("# Faults\n\nabove\n")
    assert text.count(table.BEGIN) == text.count(table.END) == 1
    assert "|  | iris, seed 1 | iris, seed 2 |" in text
    assert "| cents paid, fees included | 1,992 | 1,992 |" in text
    assert "| faults | 3 | 4 |" in text
    assert "| API server | 0 | 4 |" in text
    assert "| **problems of any kind** | 0 | 1 |" in text
    assert "- iris, seed 2: an endpoint is left" in text
    assert len((tmp_path / table.LINES).read_text().splitlines()) == 3


def test_a_section_is_replaced_where_it_stands() -> None:
    page = table.with_section("# A\n\nb\n", "one") + "\nafter\n"
    assert table.with_section(page, "two") == page.replace("one", "two")


def test_a_run_without_an_end_has_no_figures() -> None:
    stuck = row(3, problems=["nothing moves"])
    del stuck["paid_cents"]
    assert "| cents paid, fees included | - |" in table.section([stuck])
