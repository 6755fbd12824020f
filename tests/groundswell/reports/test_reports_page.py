"""docs/reports.md explains every measure as the code defines it; run this file to write that part anew."""

from __future__ import annotations

import re
from pathlib import Path

from groundswell.reports import schema
from groundswell.reports.anomalies import Thresholds

PAGE = Path(__file__).parents[3] / "docs" / "reports.md"
BEGIN = "<!-- measures: written by tests/groundswell/reports/test_reports_page.py -->"
END = "<!-- end of measures -->"


def written(page: str) -> str:
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n\n{measures()}\n\n{END}{tail}"


def measures() -> str:
    """Each column once: what one table has told, the next need not tell again."""
    told: set[str] = set()
    lines = []
    for line in schema.describe().strip().splitlines():
        if line.startswith("| `"):
            if line in told:
                continue
            told.add(line)
        lines.append(line)
    return "\n".join(lines)


def test_the_page_tells_the_measures_as_the_schema_does() -> None:
    page = PAGE.read_text("utf-8")
    assert written(page) == page, "run this file with PYTHONPATH=plugins to write it anew"


def test_the_page_tells_the_thresholds_as_they_are() -> None:
    section = PAGE.read_text("utf-8").split("### What is pointed out")[1].split("\n## ")[0]
    told = dict(re.findall(r"`(\w+)` \(([\d.]+)\)", section))
    defaults = Thresholds()
    assert {name: float(value) for name, value in told.items()} == {
        name: float(getattr(defaults, name)) for name in Thresholds.__dataclass_fields__
    }


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
