"""Create the virtual environments from the hashed locks; instant when nothing has changed.

Runs before anything is installed, so it uses the standard library alone (Python 3.11 or later).
Each environment remembers the hash of what it was made from in a stamp file. uv does the installing
when it can be had (itself pinned by hash); otherwise pip does the same more slowly.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOTSTRAP_LOCK = "requirements-bootstrap.txt"
RECIPE = "1"  # raise when the way of installing changes, so that environments are brought up to date
STAMP = ".groundswell-stamp"

# sagemaker-training is published as source with one C extension that only its MPI and smdataparallel
# launchers load into other processes. It is left out, so that no compiler or header is needed anywhere.
WITHOUT_EXTENSION = "sagemaker-training"
GETHOSTNAME_STAND_IN = '''"""Stands in for sagemaker-training's C extension of this name.

The extension exists to be preloaded into MPI ranks; a local training job runs in one process.
"""


def call(_path):
    raise NotImplementedError("MPI and smdataparallel training are not available in the local cloud")
'''


class SetupError(Exception):
    """Set-up cannot go on; the message is one line and says what to do."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment: the folder, what fills it, and an import that proves it works.

    One that is made on demand is left alone unless it is named.
    """

    folder: str
    locks: tuple[str, ...]
    proof: str
    purpose: str
    on_demand: bool = False

    def digest(self, root: Path = ROOT) -> str:
        """Hash of the locks and the recipe: the environment is current as long as this is the same."""
        total = hashlib.sha256(RECIPE.encode())
        for name in (BOOTSTRAP_LOCK, *self.locks):
            total.update(name.encode() + b"\0" + (root / name).read_bytes())
        return total.hexdigest()


ENVIRONMENTS = (
    Environment(
        ".venv",
        ("requirements.txt", "requirements-dev.txt"),
        "import importlib.metadata as m; m.version('apache-airflow'); import sqlalchemy, boto3, pytest",
        "Airflow, the plugins, the servers, the tests",
    ),
    Environment(".venv-emulator", ("requirements-emulator.txt",), "import ministack", "the AWS emulator"),
    Environment(
        ".venv-training",
        ("requirements-training.txt",),
        "import sklearn, sagemaker_training.entry_point, sagemaker_training.mpi",
        "SageMaker training jobs",
    ),
    Environment(
        ".venv-peers",
        ("requirements-peers.txt",),
        # Not imported: that takes seconds and the tests do it anyway
        "import importlib.metadata as m; m.version('crowd-kit'); m.version('ensemble-boxes'); import sklearn",
        "other implementations of consolidation, to compare with",
        on_demand=True,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Bring every environment up to date; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--rebuild-for-other-python",
        action="store_true",
        help="make environments anew that were made with another Python version",
    )
    names = [environment.folder for environment in ENVIRONMENTS]
    parser.add_argument("--only", action="append", choices=names, help="leave the others alone")
    options = parser.parse_args(argv)
    wanted = [
        each for each in ENVIRONMENTS if (each.folder in options.only if options.only else not each.on_demand)
    ]
    same = options.rebuild_for_other_python
    try:
        if stale_environments(wanted, ROOT, same_python=same):
            with one_at_a_time(ROOT):
                build_all(stale_environments(wanted, ROOT, same_python=same), ROOT, same_python=same)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: stopped; run it again to go on", file=sys.stderr)
        return 130
    return 0


def stale_environments(
    environments: Sequence[Environment], root: Path, *, same_python: bool
) -> list[Environment]:
    """The environments that have to be made or brought up to date."""
    return [each for each in environments if not is_current(each, root, same_python=same_python)]


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Let one set-up work at a time in a checkout; the others wait and then find everything done."""
    handle = os.open(root, os.O_RDONLY)  # a folder can be locked as well as a file
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: another set-up is at work in this checkout; waiting for it", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_current(environment: Environment, root: Path, *, same_python: bool) -> bool:
    """Tell whether the environment was finished from these locks (and, if asked, by this Python version)."""
    folder = root / environment.folder
    try:
        digest, version = (folder / STAMP).read_text().split()
    except (OSError, ValueError):
        return False
    if digest != environment.digest(root) or not os.access(folder / "bin" / "python", os.X_OK):
        return False
    return not same_python or version == python_version()


def python_version() -> str:
    """Major and minor version of the Python that runs this file."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def build_all(stale: Sequence[Environment], root: Path, *, same_python: bool) -> None:
    """Build the stale environments one after the other, saying where one is."""
    if stale:
        installer = Installer.prepare(root)
        for number, environment in enumerate(stale, start=1):
            progress = f"[{number}/{len(stale)}]"
            build(environment, installer, root, same_python=same_python, progress=progress)


def version_of(python: Path) -> str | None:
    """Major and minor version of another Python, or None where it does not run."""
    say = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        return _run([str(python), "-c", say], "not usable").strip()
    except SetupError:
        return None


def build(
    environment: Environment, installer: Installer, root: Path, *, same_python: bool, progress: str
) -> None:
    """Create or update one environment and stamp it."""
    began = time.monotonic()
    folder = root / environment.folder
    print(f"setup {progress}: {environment.folder} ({environment.purpose}) ...", flush=True)
    (folder / STAMP).unlink(missing_ok=True)
    python = folder / "bin" / "python"
    version = version_of(python)
    if version is None or (same_python and version != python_version()):
        shutil.rmtree(folder, ignore_errors=True)
        create_venv(folder, with_pip=installer.needs_pip)
    with tempfile.TemporaryDirectory() as scratch:
        plain, without_extension = split_lock([root / lock for lock in environment.locks])
        installer.install(python, _written(Path(scratch) / "lock.txt", plain))
        if without_extension:
            installer.install_without_compiler(
                python, _written(Path(scratch) / "source.txt", without_extension)
            )
            add_gethostname(python)
    _run([str(python), "-c", environment.proof], f"{environment.folder} was installed but does not work")
    (folder / STAMP).write_text(f"{environment.digest(root)} {version_of(python)}\n")
    print(f"setup {progress}: {environment.folder} ready in {time.monotonic() - began:.0f} s", flush=True)


def split_lock(locks: Sequence[Path]) -> tuple[str, str]:
    """Separate the one source package with a C extension from everything else in the locks."""
    plain: list[str] = []
    special: list[str] = []
    for lock in locks:
        for block in re.split(r"(?m)^(?=[A-Za-z0-9])", lock.read_text()):
            (special if block.startswith(WITHOUT_EXTENSION + "==") else plain).append(block)
    return "".join(plain), "".join(special)


def add_gethostname(python: Path) -> None:
    """Put the pure-Python module beside the toolkit, unless a real extension is there."""
    where = "import sysconfig; print(sysconfig.get_path('platlib'))"
    site = Path(_run([str(python), "-c", where], "cannot find site-packages").strip())
    if not list(site.glob("gethostname.*")):
        (site / "gethostname.py").write_text(GETHOSTNAME_STAND_IN)


def create_venv(folder: Path, *, with_pip: bool) -> None:
    """Make an empty virtual environment with the Python that runs this file."""
    command = [sys.executable, "-m", "venv", str(folder)]
    _run(command if with_pip else [*command, "--without-pip"], f"cannot create {folder.name}")


@dataclass(frozen=True)
class Installer:
    """Installs locks into environments: with uv when there is one, with pip otherwise."""

    uv: Path | None
    variables: Mapping[str, str]

    @property
    def needs_pip(self) -> bool:
        """Whether a new environment must contain pip."""
        return self.uv is None

    @classmethod
    def prepare(cls, root: Path) -> Installer:
        """Install uv into an environment of its own (hash-pinned); fall back to pip with one line."""
        tools = root / ".venv-tools"
        python, uv = tools / "bin" / "python", tools / "bin" / "uv"
        if version_of(python) is None:
            shutil.rmtree(tools, ignore_errors=True)
            try:
                create_venv(tools, with_pip=True)
            except SetupError:
                raise SetupError(
                    f"{sys.executable} cannot make virtual environments with pip; install ensurepip "
                    f"(Debian, Ubuntu: python{python_version()}-venv), or name another: make PYTHON=..."
                ) from None
        bootstrap = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            _run(
                [*bootstrap, "--require-hashes", "--only-binary", ":all:", "-r", str(root / BOOTSTRAP_LOCK)],
                "cannot install uv",
            )
            _run([str(uv), "--version"], "uv does not run here")
        except SetupError as error:
            print(f"setup: {error}; going on with pip, which is slower", file=sys.stderr, flush=True)
            return cls(None, dict(os.environ))
        return cls(uv, uv_variables(_pip_settings(python), os.environ))

    def install(self, python: Path, lock: Path) -> None:
        """Make the environment hold exactly what the lock says, every hash verified."""
        if self.uv:
            command = [str(self.uv), "pip", "sync", "--python", str(python), "--require-hashes"]
            command += ["--build-constraints", str(ROOT / BOOTSTRAP_LOCK), str(lock)]
        else:
            command = [str(python), "-m", "pip", "install", "--require-hashes", "--no-deps"]
            command += ["--disable-pip-version-check", "--progress-bar", "off", "-q", "-r", str(lock)]
        self._install(command, {})

    def install_without_compiler(self, python: Path, lock: Path) -> None:
        """Build a source package with a compiler that does nothing, so that its C extension is left out.

        Caches are avoided: the wheel made here is not what other projects on this machine expect.
        """
        nothing = shutil.which("true") or "/bin/true"
        stand_in = {"CC": nothing, "CXX": nothing, "LDSHARED": nothing}
        if self.uv:
            command = [str(self.uv), "pip", "install", "--python", str(python), "--no-cache", "--no-deps"]
            command += [
                "--build-constraints",
                str(ROOT / BOOTSTRAP_LOCK),
                "--require-hashes",
                "-r",
                str(lock),
            ]
        else:
            command = [str(python), "-m", "pip", "install", "--no-cache-dir", "--no-deps"]
            command += ["--disable-pip-version-check", "-q", "--require-hashes", "-r", str(lock)]
        self._install(command, stand_in)

    def _install(self, command: list[str], extra: Mapping[str, str]) -> None:
        if self.uv and not sys.stderr.isatty():
            command.insert(1, "--quiet")  # no bars and no list of packages in a log
        finished = subprocess.run(command, env={**self.variables, **extra}, check=False)
        if finished.returncode:
            raise SetupError(
                f"installing from the lock failed (above: {Path(command[0]).name}'s own words); "
                "check the network and the package index settings, then run it again"
            )


def uv_variables(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Environment for uv: the package index, certificates and time-out that pip is set to, where uv has none.

    uv does not read pip's configuration, but people behind a mirror or a proxy have set pip up.
    """
    result = dict(environment)
    if pip.get("index-url"):
        result.setdefault("UV_DEFAULT_INDEX", pip["index-url"])
    if pip.get("cert"):
        result.setdefault("SSL_CERT_FILE", pip["cert"])
    if pip.get("default-timeout") or pip.get("timeout"):
        result.setdefault("UV_HTTP_TIMEOUT", pip.get("default-timeout") or pip["timeout"])
    if result.get("SSL_CERT_FILE") or _system_certificates():
        result.setdefault("UV_SYSTEM_CERTS", "true")
    result.pop("VIRTUAL_ENV", None)
    return result


def _system_certificates() -> bool:
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile or (paths.capath and any(Path(paths.capath).glob("*"))))


def _pip_settings(python: Path) -> dict[str, str]:
    """What `pip config list` says, by option name; later (more specific) sections win."""
    listing = _run([str(python), "-m", "pip", "config", "list"], "cannot read pip's configuration")
    pairs = (line.partition("=") for line in listing.splitlines() if "=" in line)
    return {key.strip().rpartition(".")[2]: value.strip().strip("'\"") for key, _, value in pairs}


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _run(command: Sequence[str], problem: str) -> str:
    """Run a command and return its output; on failure raise with the last line that it said."""
    try:
        finished = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        raise SetupError(f"{problem}: {error}") from error
    if finished.returncode:
        said = (
            finished.stderr.strip() or finished.stdout.strip() or f"exit {finished.returncode}"
        ).splitlines()
        raise SetupError(f"{problem}: {said[-1]}")
    return finished.stdout


if __name__ == "__main__":
    sys.exit(main())
