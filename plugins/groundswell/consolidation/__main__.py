"""``python -m groundswell.consolidation``: replay recorded answers with other stopping rules."""

from __future__ import annotations

from groundswell.consolidation.replay.command import main

if __name__ == "__main__":
    raise SystemExit(main())
