"""Crowd files for tests."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.conftest import CHECKOUT


def quick_crowd(folder: Path) -> Path:
    """Write the example's crowd so that it answers six times as fast as in the demo; return the file."""
    crowd = yaml.safe_load((CHECKOUT / "include/crowds/iris.yaml").read_text())
    crowd["speed_up"] = 60
    crowd["answer_key"]["file"] = str(CHECKOUT / "include/crowds/iris_answers.csv")
    path = folder / "crowd.yaml"
    path.write_text(yaml.safe_dump(crowd))
    return path
