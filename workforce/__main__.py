"""``python -m workforce``."""

from __future__ import annotations

from workforce.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
