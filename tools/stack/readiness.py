"""Wait until the stack is ready, and say at once when it cannot become so."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tools.airflow_api import AirflowApi, AirflowApiError
from tools.stack import processes
from tools.stack.errors import StackError
from tools.stack.keys import ADMIN, Keys
from tools.stack.layout import Layout
from tools.stack.session import Session

CLOUD_LIMIT_S = 90.0
AIRFLOW_LIMIT_S = 240.0
DAG_LIMIT_S = 180.0
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


class Readiness:
    """The checks; each returns when it holds and raises StackError when it cannot."""

    def __init__(self, layout: Layout, session: Session, keys: Keys, say: Callable[[str], None]) -> None:
        self._layout = layout
        self._session = session
        self._api = AirflowApi(session.airflow_url, username=ADMIN, password=keys.admin_password)
        self._say = say
        self._began = datetime.now(UTC)

    def cloud(self) -> None:
        """GET /health of the local cloud is 200."""
        self._until(self._cloud_answers, CLOUD_LIMIT_S, self._cloud_problem)
        self._say("local cloud: ready")

    def airflow(self) -> None:
        """Airflow calls all four components healthy."""
        self._until(lambda: not self._unhealthy(), AIRFLOW_LIMIT_S, self._airflow_problem)
        self._say("Airflow: all four components are healthy")

    def dag(self, dag_id: str) -> None:
        """The DAG was read since this command started, or is known and nothing was restarted."""
        self._until(
            lambda: self._parsed(dag_id) or self._refused(dag_id),
            DAG_LIMIT_S,
            lambda: self._dag_problem(dag_id),
        )
        self._say(f"Airflow: DAG {dag_id} is there")

    def _cloud_answers(self) -> bool:
        try:
            return self._cloud_health().status_code == 200
        except httpx.HTTPError:
            return False

    def _cloud_health(self) -> httpx.Response:
        return httpx.get(self._session.cloud_url + "/health", timeout=5, trust_env=False)

    def _cloud_problem(self) -> str:
        try:
            said = self._cloud_health().text[:300]
        except httpx.HTTPError as error:
            said = str(error)
        return f"the local cloud does not become ready: {said}"

    def _unhealthy(self) -> list[str]:
        try:
            states = self._api.health()
        except AirflowApiError:
            return ["api-server"]
        return [name for name in COMPONENTS if states.get(name) != "healthy"]

    def _airflow_problem(self) -> str:
        return f"Airflow does not become healthy: waiting for {', '.join(self._unhealthy())}"

    def _parsed(self, dag_id: str) -> bool:
        try:
            dag = self._api.dag(dag_id)
        except AirflowApiError:
            return False
        if not dag or dag.get("is_stale"):
            return False
        return dag.get("last_parsed_time") is not None and self._fresh(str(dag["last_parsed_time"]))

    def _refused(self, dag_id: str) -> bool:
        """Raise when the DAG files were read and one of them could not be; waiting would not help."""
        try:
            errors = self._api.import_errors(since=self._processor_started())
        except AirflowApiError:
            return False
        if errors and not self._parsed(dag_id):
            raise StackError(f"Airflow does not know the DAG {dag_id}: {'; '.join(errors)}")
        return False

    def _fresh(self, parsed: str) -> bool:
        """Read after the dag-processor that runs was started, not by one of an earlier day."""
        return datetime.fromisoformat(parsed) >= self._processor_started()

    def _processor_started(self) -> datetime:
        record = self._layout.records / "dag-processor.json"
        return datetime.fromtimestamp(record.stat().st_mtime, UTC) if record.exists() else self._began

    def _dag_problem(self, dag_id: str) -> str:
        try:
            errors = self._api.import_errors()
        except AirflowApiError as error:
            errors = [str(error)]
        return f"Airflow does not know the DAG {dag_id}: " + ("; ".join(errors) or "no file defines it")

    def _until(self, holds: Callable[[], bool], limit_s: float, problem: Callable[[], str]) -> None:
        deadline = time.monotonic() + limit_s
        while not holds():
            self._nobody_died()
            if time.monotonic() > deadline:
                raise StackError(f"{problem()} (waited {limit_s:.0f} s; logs are in {self._layout.logs})")
            time.sleep(0.5)

    def _nobody_died(self) -> None:
        for record in processes.load(self._layout.records):
            if not record.alive:
                log = Path(record.log)
                raise StackError(f"{record.name} ended; see {log}\n{processes.tail(log)}")
