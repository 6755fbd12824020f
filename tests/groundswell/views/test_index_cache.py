"""The folder of the indexes: private, bounded, and removed at will."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from groundswell.errors import LedgerError
from groundswell.ledger import Ledger
from groundswell.ledger.shards import write_shards
from groundswell.views.cache import IndexCache
from tools.chaos.memory_store import MemoryStore


def fill(cache: IndexCache, run_id: str, unused_days: float = 0) -> Path:
    ledger = Ledger(MemoryStore(), "iris", run_id)
    write_shards(ledger, [[{"item": "a", "values": {}}]])
    index = cache.index("s3://bucket/state", "iris", run_id)
    assert index.sync(ledger, seconds=60).complete
    at = time.time() - unused_days * 86_400
    os.utime(index.path.with_suffix(".used"), (at, at))
    return index.path


def test_the_folder_is_made_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    fill(IndexCache(folder), "r")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    fill(IndexCache(folder), "r")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_another_users_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerError, match="name another folder"):
        IndexCache(tmp_path / "link").index("s3://b", "iris", "r")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(LedgerError, match="name another folder"):
        IndexCache(tmp_path / "elsewhere").index("s3://b", "iris", "r")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **more: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"file cannot be written \(File exists\).*name another folder"):
        IndexCache(tmp_path / "file").index("s3://b", "iris", "r")
    monkeypatch.setattr(Path, "touch", refuse)  # whoever runs this may write everywhere
    with pytest.raises(LedgerError, match=r"cache cannot be written \(Permission denied\)"):
        IndexCache(tmp_path / "cache").index("s3://b", "iris", "r")


def test_what_another_process_sweeps_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = IndexCache(tmp_path / "cache")
    old = fill(cache, "old", 31)

    def gone(path: Path, **how: bool) -> os.stat_result:
        found = real(path, **how)
        if path == old:
            old.unlink()
        return found

    real = Path.stat
    monkeypatch.setattr(Path, "stat", gone)
    cache.sweep()
    assert not old.exists()


def test_each_run_has_its_own_file(tmp_path: Path) -> None:
    cache = IndexCache(tmp_path / "cache")
    asked = [("s3://b", "iris", "r"), ("s3://c", "iris", "r"), ("s3://b", "i", "r"), ("s3://b", "iris", "s")]
    assert len({cache.index(*each).path for each in asked}) == 4
    assert cache.index(*asked[0]).path == cache.index(*asked[0]).path


def test_what_nobody_asked_for_goes_first(tmp_path: Path) -> None:
    cache = IndexCache(tmp_path / "cache")
    old, older, new = fill(cache, "old", 2), fill(cache, "older", 3), fill(cache, "new")
    size = new.stat().st_size
    assert cache.sweep() == []
    small = IndexCache(tmp_path / "cache", limit_bytes=2 * size + size // 2)
    assert small.sweep() == [older]
    assert IndexCache(tmp_path / "cache", limit_bytes=1).sweep(keep=new) == [old]
    assert [path.name for path in new.parent.glob("*.sqlite")] == [new.name]


def test_what_nobody_asked_for_in_a_month_goes(tmp_path: Path) -> None:
    cache = IndexCache(tmp_path / "cache")
    old, new = fill(cache, "old", 31), fill(cache, "new", 29)
    assert cache.sweep() == [old]
    assert new.exists()


def test_one_that_is_being_brought_up_to_date_stays(tmp_path: Path) -> None:
    cache = IndexCache(tmp_path / "cache")
    old = fill(cache, "old", 31)
    index = cache.index("s3://bucket/state", "iris", "old")
    os.utime(old.with_suffix(".used"), (0, 0))
    with index._file.lock() as ours:
        assert ours
        assert cache.sweep() == []
    assert cache.sweep() == [old]


def test_it_is_swept_now_and_then(tmp_path: Path) -> None:
    cache = IndexCache(tmp_path / "cache")
    old = fill(cache, "old", 31)
    fill(cache, "new")
    assert old.exists(), "it was looked through a moment ago"
    os.utime(tmp_path / "cache" / ".swept", (0, 0))
    fill(cache, "new")
    assert not old.exists()
