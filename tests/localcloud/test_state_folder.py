from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.state import StateFolder, StateInUse, StateUnusable

HOLD_LOCK = """
import sys, time
from pathlib import Path
from localcloud.state import StateFolder
handle = StateFolder(Path(sys.argv[1])).lock(4566)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    state = StateFolder(tmp_path / "deep" / "state")
    state.prepare()
    return state


def test_second_owner_is_told_who_the_first_is(folder: StateFolder) -> None:
    with folder.lock(4566), pytest.raises(StateInUse) as caught:
        folder.lock(4567)
    assert str(folder.path) in str(caught.value)
    assert f"process {os.getpid()}, port 4566" in str(caught.value)


def test_lock_is_free_after_release(folder: StateFolder) -> None:
    folder.lock(4566).close()
    folder.lock(4567).close()
    assert '"port": 4567' in (folder.path / "lock").read_text()


def test_lock_of_a_killed_owner_is_taken_over(folder: StateFolder) -> None:
    arguments = [sys.executable, "-c", HOLD_LOCK, str(folder.path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(StateInUse, match=f"process {owner.pid}"):
            folder.lock(1)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        folder.lock(2).close()


def test_secret_is_kept_and_private(folder: StateFolder) -> None:
    secret = folder.site_secret()
    assert len(secret) >= 32
    assert folder.site_secret() == secret
    assert stat.S_IMODE((folder.path / "site-secret").stat().st_mode) == 0o600


def test_empty_secret_of_an_interrupted_start_is_replaced(folder: StateFolder) -> None:
    (folder.path / "site-secret").touch(mode=0o600)
    assert len(folder.site_secret()) >= 32


def test_a_file_in_the_way_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnusable, match=r"file.*--state"):
        StateFolder(tmp_path / "file").prepare()


def test_new_folder_is_private(folder: StateFolder) -> None:
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
