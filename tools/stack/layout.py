"""Where the stack keeps things: everything is under .groundswell in the checkout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Layout:
    """The folders and files of one stack."""

    root: Path = ROOT
    folder_name: str = ".groundswell"

    @property
    def state(self) -> Path:
        """Everything that `make clean-state` removes."""
        return self.root / self.folder_name

    @property
    def airflow_home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.state / "airflow"

    @property
    def cloud(self) -> Path:
        """The local cloud's state: objects, metrics, the workforce's database."""
        return self.state / "cloud"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.state / "logs"

    @property
    def records(self) -> Path:
        """One JSON file per running process."""
        return self.state / "run"

    @property
    def secrets(self) -> Path:
        """Generated keys and the admin password, readable by the owner alone."""
        return self.state / "secrets.json"

    @property
    def passwords(self) -> Path:
        """The password file of Airflow's SimpleAuthManager."""
        return self.airflow_home / "simple_auth_manager_passwords.json.generated"

    @property
    def session(self) -> Path:
        """Ports and crowd of the running stack."""
        return self.state / "session.json"

    @property
    def lock(self) -> Path:
        """Held while the stack is being started or stopped."""
        return self.state / "lock"

    @property
    def batches(self) -> Path:
        """The batch files of this deployment."""
        return self.root / "include" / "batches"

    @property
    def reports(self) -> Path:
        """The settings of this deployment's reports."""
        return self.root / "include" / "reports"

    def create(self) -> None:
        """Make the folders; the state holds secrets, so nobody else may look in."""
        for folder in (self.state, self.airflow_home, self.cloud, self.logs, self.records):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
