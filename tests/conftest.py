from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.expression import Expression
from hypothesis import HealthCheck, settings

CHECKOUT = Path(__file__).parents[1]

# Container images like to switch compiled modules off; then each process that imports Airflow compiles it
# anew, 7 s instead of 2. The tests and what they start keep theirs in a folder of their own.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = sys.pycache_prefix or str(CHECKOUT / ".cache" / "python")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Airflow reads these when it is first imported: a home of the tests' own, and this checkout's DAGs
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="groundswell-airflow-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(CHECKOUT / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(CHECKOUT / "plugins")
os.environ["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = "True"

# A proxy that the machine needs for the outside must not be asked for servers of the tests
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1", "localhost")))

# How long an example takes depends on what else the machine does, so time fails no test. In CI the examples
# are always the same ones; what fails is printed so that it can be tried again anywhere.
settings.register_profile(
    "groundswell",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("groundswell")


MARKERS = {"contract", "dag", "airflow", "browser"}
"""Those that make up the groups of ``make test``."""


def may_have(text: str, wanted: str) -> bool:
    """Tell whether a test file with this text may have tests that the expression ``wanted`` selects."""
    if set(re.findall(r"\w+", wanted)) - MARKERS - {"and", "or", "not"}:
        return True
    there = MARKERS & set(re.findall(r"\bmark\.(\w+)", text))
    expression = Expression.compile(wanted)
    marks = (set(some) for count in range(len(there) + 1) for some in combinations(there, count))
    return any(expression.evaluate(lambda name, some=some, **_: name in some) for some in marks)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files without a test of the group: importing all takes each process ten seconds."""
    wanted = config.option.markexpr
    if not wanted or collection_path.suffix != ".py" or collection_path.name == "conftest.py":
        return None
    return None if may_have(collection_path.read_text(), wanted) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, start first what waits longest: it would else be left over at the end.

    In one process the order stays, the quick ones first.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: [item.get_closest_marker(name) is None for name in ("airflow", "dag")])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests on real Airflow in one test process: they share a stack, and the run that it made."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class OneStack(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return "tests/airflow" if file.startswith("tests/airflow/") else file

    return OneStack(config, log)
