from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest

from groundswell.reports.day import DayInputs, DayTables, compute
from tests.support.activity_rows import ODD, Made, make


def pseudonym(worker: str) -> str:
    return f"w-{worker}"


@dataclass(frozen=True)
class Month:
    """A month of 40 workers in 3 teams, and its tables day by day."""

    made: Made
    tables: list[DayTables]


def tables_of(made: Made, usual_days: int = 14) -> list[DayTables]:
    history, tables = [], []
    for day in made.days:
        inputs = DayInputs(
            day=day,
            zone=ZoneInfo(made.zone),
            pseudonym=pseudonym,
            history=history[-usual_days:],
            **made.inputs(day),
        )
        found = compute(inputs, fair_pay=15.0)
        history.append((day, found.workers))
        tables.append(found)
    return tables


@pytest.fixture(scope="session")
def month() -> Month:
    made = make(seed=7)
    return Month(made, tables_of(made))


@pytest.fixture(scope="session")
def odd_month() -> Month:
    made = make(seed=8, days=21, odd=dict.fromkeys(ODD, 1))
    return Month(made, tables_of(made))


@pytest.fixture(scope="session")
def computed() -> Callable[[Made], list[DayTables]]:
    return tables_of
