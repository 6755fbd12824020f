from __future__ import annotations

import importlib.util
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tools import environments
from tools.environments import Environment, SetupError

LOCK = """aaa==1.0 \\
    --hash=sha256:11
    # via -r x.in
sagemaker-training==5.1.4 \\
    --hash=sha256:22
zzz==2 ; python_full_version < '3.12' \\
    --hash=sha256:33
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / environments.BOOTSTRAP_LOCK).write_text("uv==1\n")
    (tmp_path / "lock.txt").write_text(LOCK)
    return tmp_path


@pytest.fixture
def finished(root: Path) -> Environment:
    environment = Environment(".venv-x", ("lock.txt",), "pass", "tests")
    folder = root / ".venv-x"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / environments.STAMP).write_text(f"{environment.digest(root)} {environments.python_version()}\n")
    return environment


def test_the_source_package_with_an_extension_is_set_apart_with_its_hash(root: Path) -> None:
    plain, special = environments.split_lock([root / "lock.txt"])
    assert special == "sagemaker-training==5.1.4 \\\n    --hash=sha256:22\n"
    assert plain + special != LOCK
    assert sorted((plain + special).splitlines()) == sorted(LOCK.splitlines())


def test_the_training_lock_still_has_that_package() -> None:
    _, special = environments.split_lock([ROOT / "requirements-training.txt"])
    assert special.count("--hash=sha256:") == 1, "set-up would look for a compiler"


def test_nothing_is_done_when_nothing_changed(root: Path, finished: Environment) -> None:
    assert environments.is_current(finished, root, same_python=True)


@pytest.mark.parametrize("changed", ["lock.txt", environments.BOOTSTRAP_LOCK])
def test_a_changed_lock_makes_it_stale(root: Path, finished: Environment, changed: str) -> None:
    (root / changed).write_text("other==1\n")
    assert not environments.is_current(finished, root, same_python=False)


def test_another_python_makes_it_stale_only_when_asked_for(root: Path, finished: Environment) -> None:
    (root / ".venv-x" / environments.STAMP).write_text(f"{finished.digest(root)} 3.9\n")
    assert environments.is_current(finished, root, same_python=False)
    assert not environments.is_current(finished, root, same_python=True)


def test_an_environment_on_demand_is_made_only_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []

    def stale(chosen: list[Environment], *_: object, **__: object) -> list[Environment]:
        looked_at.extend(each.folder for each in chosen)
        return []

    monkeypatch.setattr(environments, "stale_environments", stale)
    environments.main([])
    assert ".venv" in looked_at
    assert ".venv-peers" not in looked_at
    looked_at.clear()
    environments.main(["--only", ".venv-peers"])
    assert looked_at == [".venv-peers"]


def test_a_second_set_up_waits_for_the_first(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait(10)
        with environments.one_at_a_time(root):
            order.append("second")

    waiting = threading.Thread(target=second)
    waiting.start()
    with environments.one_at_a_time(root):
        inside.set()
        while "waiting for it" not in capfd.readouterr().out:
            assert waiting.is_alive()
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


def test_an_environment_that_was_never_finished_is_stale(root: Path, finished: Environment) -> None:
    (root / ".venv-x" / environments.STAMP).unlink()
    assert not environments.is_current(finished, root, same_python=False)


def test_uv_follows_what_pip_is_set_to() -> None:
    variables = environments.uv_variables(
        {"index-url": "https://mirror.example/simple", "cert": "/ca.pem", "timeout": "99"}, {"A": "b"}
    )
    assert variables["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert (variables["SSL_CERT_FILE"], variables["UV_HTTP_TIMEOUT"]) == ("/ca.pem", "99")
    assert variables["A"] == "b"


def test_uv_settings_of_the_developer_win_over_pip() -> None:
    variables = environments.uv_variables({"index-url": "https://pip.example"}, {"UV_DEFAULT_INDEX": "mine"})
    assert variables["UV_DEFAULT_INDEX"] == "mine"


def test_a_failing_command_is_one_line(tmp_path: Path) -> None:
    fails = tmp_path / "fails"
    fails.write_text("#!/bin/sh\necho first >&2\necho 'the reason' >&2\nexit 3\n")
    fails.chmod(fails.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(SetupError, match=r"^cannot do it: the reason$"):
        environments._run([str(fails)], "cannot do it")


def test_the_gethostname_stand_in_says_what_it_cannot_do(tmp_path: Path) -> None:
    (tmp_path / "gethostname.py").write_text(environments.GETHOSTNAME_STAND_IN)
    spec = importlib.util.spec_from_file_location("gethostname", tmp_path / "gethostname.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(NotImplementedError, match="MPI"):
        module.call("/opt/ml/input/config/resourceconfig.json")


def test_the_set_up_script_refuses_a_wrong_python() -> None:
    ended = subprocess.run(
        ["sh", "tools/setup.sh"],
        env={**os.environ, "PYTHON": "/bin/false"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert (
        ended.stderr
        == "setup: PYTHON=/bin/false is not a Python 3.11, 3.12 or 3.13 with ssl, sqlite3 and venv\n"
    )


def test_the_set_up_script_says_what_is_missing_without_any_python(tmp_path: Path) -> None:
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    script = (ROOT / "tools" / "setup.sh").read_text().replace("/usr/bin/python3 /usr/local/bin/python3", "")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "setup.sh").write_text(script)
    ended = subprocess.run(
        ["/bin/sh", str(tmp_path / "tools" / "setup.sh")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "no Python 3.11, 3.12 or 3.13 found" in ended.stderr
