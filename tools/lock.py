"""``python -m tools.lock``: compile the locks anew from requirements*.in, for Python 3.11 to 3.13.

What is locked stays at its version as long as the .in files allow it; delete a lock to take new versions,
and move CUTOFF, after which nothing published is taken.
"""

from __future__ import annotations

import subprocess
import sys

from tools.environments import ROOT, Installer, SetupError

CUTOFF = "2026-11-21"
OPTIONS = ["--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"]
# Name of the environment -> what its lock must agree with
LOCKS: dict[str, list[str]] = {
    "-bootstrap": [],
    "": [],
    "-dev": ["-c", "requirements.txt"],
    "-emulator": [],
    "-training": [],
    "-peers": ["--override", "requirements-peers-unused.in"],
}


def command(uv: str, name: str) -> list[str]:
    """The compiler's command line for one lock."""
    files = [f"requirements{name}.in", "-o", f"requirements{name}.txt"]
    return [uv, "pip", "compile", *OPTIONS, "--exclude-newer", CUTOFF, *LOCKS[name], *files]


def main() -> int:
    """Compile all of them; returns the exit status."""
    try:
        installer = Installer.prepare(ROOT)
    except SetupError as error:
        print(f"lock: {error}", file=sys.stderr)
        return 1
    if installer.uv is None:
        print("lock: only uv can compile these locks, and it cannot be installed here", file=sys.stderr)
        return 1
    for name in LOCKS:
        print(f"lock: requirements{name}.txt", flush=True)
        ended = subprocess.run(
            command(str(installer.uv), name), cwd=ROOT, env=dict(installer.variables), check=False
        )
        if ended.returncode:
            print(f"lock: requirements{name}.in cannot be resolved; the reason is above", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
