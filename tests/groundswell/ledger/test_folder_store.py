"""The ledger's store in a folder: what it does when a process dies, and that it reads only what it must."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from groundswell.errors import LedgerError
from groundswell.ledger import FolderStore


class Crash(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("step", ["write", "fsync", "link", "unlink"])
def test_a_crash_in_the_middle_of_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    store = FolderStore(tmp_path)
    crashed = {"unlink": True}.get(step, False)

    def die(*_: Any, **__: Any) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", die)  # nobody tidies up after a crash
        if step == "write":
            patch.setattr(os, "fdopen", die)
        elif step == "fsync":
            patch.setattr(os, "fsync", die)
        elif step == "link":
            patch.setattr(Path, "hardlink_to", die)
        with pytest.raises(Crash):
            store.put_if_absent("run/part", b"whole")
    assert [path.name for path in tmp_path.rglob(".part-*")] or step == "fsync"
    assert list(store.keys("")) == (["run/part"] if crashed else [])
    assert store.put_if_absent("run/part", b"whole") is not crashed, "a retry writes what is missing"
    assert store.get("run/part") == b"whole"
    assert list(store.keys("")) == ["run/part"]


def test_what_a_crash_left_is_neither_key_nor_folder(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    (tmp_path / "run" / "hits").mkdir(parents=True)
    (tmp_path / "run" / "hits" / ".part-abc").write_bytes(b"half")
    assert (list(store.keys("")), store.folders(""), store.folders("run/")) == ([], [], [])


def test_a_crash_while_a_document_is_replaced_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    store.put("run/summary.json", b"old")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="no space"):
            store.put("run/summary.json", b"new")
    assert store.get("run/summary.json") == b"old"
    assert list(store.keys("run/")) == ["run/summary.json"]


def test_a_write_is_on_the_disk_with_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    FolderStore(tmp_path).put_if_absent("iris/run/part", b"x")
    root = str(tmp_path)
    assert synced[:2] == [root, f"{root}/iris"], "each new folder is an entry of the one above it"
    assert synced[2].startswith(f"{root}/iris/run/.part-")
    assert synced[3:] == [f"{root}/iris/run"]


def test_listing_walks_only_the_folder_of_the_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    for run in range(5):
        for kind in ("hits", "payments", "pay"):
            store.put_if_absent(f"iris/run{run}/{kind}/1", b"")
    seen: list[str] = []
    scandir = os.scandir

    def watch(path: Any) -> Any:
        seen.append(Path(path).relative_to(tmp_path).as_posix())
        return scandir(path)

    monkeypatch.setattr(os, "scandir", watch)
    assert list(store.keys("iris/run3/pay")) == ["iris/run3/pay/1", "iris/run3/payments/1"]
    assert sorted(seen) == ["iris/run3", "iris/run3/pay", "iris/run3/payments"]


def test_keys_stay_inside(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "in")
    (tmp_path / "out").mkdir()
    for key in ("../out/x", "/etc/x", "a/../../x"):
        with pytest.raises(LedgerError, match="leaves the folder"):
            store.put(key, b"")
        with pytest.raises(LedgerError, match="leaves the folder"):
            store.get(key)


def test_a_store_below_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "disk")
    store = FolderStore(tmp_path / "state")
    assert store.put_if_absent("run/part", b"x")
    assert list(store.keys("run/")) == ["run/part"]
