"""The modules of the reports import downward only, also where an import stands inside a function."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter

from tests.conftest import CHECKOUT

PACKAGE = "groundswell.aws.reporting"


def test_no_two_modules_need_each_other() -> None:
    needs: dict[str, set[str]] = {}
    for path in (CHECKOUT / "plugins" / PACKAGE.replace(".", "/")).glob("*.py"):
        needs[path.stem] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
                needs[path.stem] |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
                needs[path.stem].add(str(node.module).rpartition(".")[2])
    order = list(TopologicalSorter(needs).static_order())
    assert order.index("notes") < order.index("writing") < order.index("forgetting")
