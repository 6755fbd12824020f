"""Bring the stack up and down."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psutil

from tools import cloud
from tools.stack import keys, processes, session
from tools.stack.environment import process_environment
from tools.stack.errors import StackError
from tools.stack.keys import Keys
from tools.stack.layout import Layout
from tools.stack.processes import Record
from tools.stack.readiness import Readiness
from tools.stack.session import HOST, Session

CLOUD = "localcloud"
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer")
FIRST_DAG = "labeling_iris"
Say = Callable[[str], None]


class Stack:
    """The stack of one checkout."""

    def __init__(
        self,
        layout: Layout | None = None,
        say: Say = print,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`settings` are environment variables of the processes that win over the stack's own."""
        self.layout = layout or Layout()
        self._say = say
        self._settings = dict(settings or {})

    def up(
        self, environment: Mapping[str, str], *, crowd: str | None, dag: str | None = FIRST_DAG
    ) -> Session:
        """Start what does not run, make buckets and role, and return when all is ready.

        Raises StackError with one line: a taken port, a process that died, a DAG file that cannot be read.
        """
        self.layout.create()
        with self._locked():
            running = self.running()
            before = session.load(self.layout) if running else None
            wanted = session.wanted(environment, before, crowd=crowd, layout=self.layout)
            if before and wanted.airflow_port != before.airflow_port:
                raise StackError(f"Airflow already runs on port {before.airflow_port}; first: make down")
            if before and wanted.cloud_port != before.cloud_port:
                raise StackError(
                    f"the local cloud already runs on port {before.cloud_port}; first: make down"
                )
            if before and wanted.crowd != before.crowd:
                self._say("local cloud: starting it again with another crowd")
                self._stop([record for record in running if record.name == CLOUD])
            self._start_all(environment, wanted, dag)
            return wanted

    def down(self) -> int:
        """Stop everything; the state stays. Returns how many processes had run."""
        if not self.layout.state.exists():
            return 0
        self.layout.create()
        with self._locked():
            records = processes.load(self.layout.records)
            alive = sum(record.alive for record in records)
            # Airflow first, so that nothing calls a cloud that is gone; a long task is not waited for
            self._stop([record for record in records if record.name != CLOUD], grace_s=10)
            self._stop([record for record in records if record.name == CLOUD])
            return alive

    def kill(self, name: str, *, family: bool = True) -> list[psutil.Process]:
        """End one part as `kill -9` does; returns what it left behind (nothing with `family`).

        Raises StackError when it does not run.
        """
        for record in self.running():
            if record.name == name:
                return processes.kill(record, family=family)
        raise StackError(f"{name} does not run")

    def start_again(self, name: str, environment: Mapping[str, str]) -> Record:
        """Start one part that has ended, as a supervisor does: as before, and without waiting for it.

        Raises StackError when the stack was never up.
        """
        current = session.load(self.layout)
        if current is None:
            raise StackError("the stack was not started yet; first: make up")
        variables = self._variables(environment, current, self.keys())
        command = cloud_command(self.layout, current) if name == CLOUD else airflow_command(name, current)
        return self._start(name, command, variables, keep_log=True)

    def running(self) -> list[Record]:
        """The processes of the stack that run."""
        return [record for record in processes.load(self.layout.records) if record.alive]

    def keys(self) -> Keys:
        """Secrets of this stack."""
        return keys.load_or_create(self.layout)

    def _start_all(self, environment: Mapping[str, str], wanted: Session, dag: str | None) -> None:
        running = {record.name for record in self.running()}
        if CLOUD not in running:
            session.require_free(wanted.cloud_port, "CLOUD_PORT")
        if "api-server" not in running:
            session.require_free(wanted.airflow_port, "AIRFLOW_PORT")
        own = self.keys()
        variables = self._variables(environment, wanted, own)
        session.save(wanted, self.layout)
        readiness = Readiness(self.layout, wanted, own, self._say)
        if CLOUD not in running:
            self._say(f"local cloud: starting on {wanted.cloud_url}")
            self._start(CLOUD, cloud_command(self.layout, wanted), variables)
        if "api-server" not in running:
            self._migrate(variables)
        started = [name for name in AIRFLOW if name not in running]
        if started:
            self._say(f"Airflow: starting {', '.join(started)} on {wanted.airflow_url}")
        for name in started:
            self._start(name, airflow_command(name, wanted), variables)
        readiness.cloud()
        created = cloud.provision(wanted.cloud_url, cloud.wanted_by(self.layout.batches, self.layout.reports))
        if created:
            self._say(f"local cloud: created {', '.join(created)}")
        readiness.airflow()
        if dag:
            readiness.dag(dag)

    def _variables(self, environment: Mapping[str, str], wanted: Session, own: Keys) -> dict[str, str]:
        return process_environment(environment, self.layout, wanted, own) | self._settings

    def _start(
        self, name: str, command: list[str], variables: Mapping[str, str], *, keep_log: bool = False
    ) -> Record:
        return processes.start(
            name,
            command,
            environment=variables,
            cwd=self.layout.root,
            log=self.layout.logs / f"{name}.log",
            records=self.layout.records,
            keep_log=keep_log,
        )

    def _migrate(self, variables: Mapping[str, str]) -> None:
        """Create or upgrade Airflow's database; skipped when this version has done it."""
        version = importlib.metadata.version("apache-airflow-core")
        stamp = self.layout.airflow_home / "migrated"
        database = self.layout.airflow_home / "airflow.db"
        if database.exists() and stamp.exists() and stamp.read_text() == version:
            return
        self._say("Airflow: preparing its database")
        log = self.layout.logs / "migrate.log"
        with log.open("wb") as output:
            command = [sys.executable, "-m", "airflow", "db", "migrate"]
            ended = subprocess.run(
                command, env=dict(variables), stdout=output, stderr=subprocess.STDOUT, check=False
            )
        if ended.returncode:
            raise StackError(f"Airflow's database could not be prepared; see {log}\n{processes.tail(log)}")
        stamp.write_text(version)

    def _stop(self, records: list[Record], *, grace_s: float = processes.GRACE_S) -> None:
        if records and (killed := processes.stop(records, self.layout.records, grace_s=grace_s)):
            self._say(f"{killed} processes did not end by themselves and were killed")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One command at a time starts or stops the stack."""
        with self.layout.lock.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("another command is starting or stopping the stack; waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
            os.set_inheritable(handle.fileno(), False)
            yield


def cloud_command(layout: Layout, wanted: Session) -> list[str]:
    """How the local cloud is started."""
    command = [sys.executable, "-m", "localcloud", "--host", HOST, "--port", str(wanted.cloud_port)]
    command += ["--state", str(layout.cloud)]
    return [*command, "--crowd", wanted.crowd] if wanted.crowd else command


def airflow_command(name: str, wanted: Session) -> list[str]:
    """How an Airflow process is started: bound to loopback, and without the log servers, which are not.

    Task logs are read from the disk that all of them share.
    """
    command = [sys.executable, "-m", "airflow", name]
    if name == "api-server":
        return [*command, "--host", HOST, "--port", str(wanted.airflow_port)]
    return [*command, "--skip-serve-logs"] if name in {"scheduler", "triggerer"} else command
