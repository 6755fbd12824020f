"""What one run claims is read from that run's entries alone: a batch may have had thousands of runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundswell.ledger import FolderStore
from groundswell.ledger.claims import all_held, claim, held_by, release

UNTIL = "2099-01-01T00:00:00+00:00"


def test_only_the_runs_own_entries_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    for run in ("a", "b", "a/b", "ab"):
        claim(store, "iris", run, [f"item of {run}", "shared"], until=UNTIL)
    read: list[str] = []
    get = FolderStore.get

    def watched(self: FolderStore, key: str) -> bytes | None:
        read.append(key)
        return get(self, key)

    monkeypatch.setattr(FolderStore, "get", watched)
    assert held_by(store, "iris", "a") == {"item of a": UNTIL, "shared": UNTIL}
    assert read == ["_claims/iris/a/000000.jsonl"]
    release(store, "iris", "a", ["shared", "item of b"])
    assert all_held(store, "iris")["a"] == {"item of a": UNTIL}
    assert all_held(store, "iris")["a/b"] == {"item of a/b": UNTIL, "shared": UNTIL}
