"""``python -m localcloud.teams``."""

from __future__ import annotations

import sys

from localcloud.teams.cli import main

if __name__ == "__main__":
    sys.exit(main())
