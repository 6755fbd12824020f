"""Where a result comes from: the commit and the machine."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def commit() -> str:
    """Return the commit that is checked out, and whether anything but results differs from it."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    at = _git(git, "rev-parse", "--short", "HEAD") or "unknown"
    changes = _git(git, "status", "--porcelain", "--", ":!benchmarks/results")
    return f"{at} with changes that are not committed" if changes else at


def machine() -> str:
    """Return the Python, the system and the number of cores."""
    return (
        f"Python {platform.python_version()}; {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores"
    )


def _git(git: str, *arguments: str) -> str:
    command = [git, "-C", str(CHECKOUT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
