"""A small client of Airflow's public REST API, for the stack and the demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote

import httpx


class AirflowApiError(Exception):
    """The API could not be reached or refused; the message says what was asked and what came back."""


class AirflowApi:
    """Calls `/api/v2` as the admin user; gets a token when it needs one."""

    def __init__(
        self,
        base_url: str,
        *,
        username: str,
        password: str,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        # trust_env: a proxy of the developer's must not be asked for this machine's loopback
        self._client = httpx.Client(base_url=base_url, timeout=30, trust_env=False, transport=transport)
        self._credentials = {"username": username, "password": password}
        self._token: str | None = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> AirflowApi:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def health(self) -> dict[str, str]:
        """State of each component by name, such as {"scheduler": "healthy"}; needs no token."""
        answer = self._send("GET", "/api/v2/monitor/health", token=False)
        return {name: str((part or {}).get("status")) for name, part in answer.items()}

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        """The DAG, or None as long as Airflow does not know it."""
        try:
            return self._send("GET", f"/api/v2/dags/{quote(dag_id)}")
        except NotFound:
            return None

    def import_errors(self, since: datetime | None = None) -> list[str]:
        """The last line of each DAG file's import error, with the file; only newer ones if so asked."""
        answer = self._send("GET", "/api/v2/importErrors")
        return [
            f"{each['filename']}: {each['stack_trace'].strip().splitlines()[-1]}"
            for each in answer.get("import_errors", [])
            if since is None or datetime.fromisoformat(each["timestamp"]) >= since
        ]

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run."""
        self._send("PATCH", f"/api/v2/dags/{quote(dag_id)}", json={"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Start a run under an id of our own."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        self._send("POST", f"/api/v2/dags/{quote(dag_id)}/dagRuns", json=body)

    def active_runs(self, dag_id: str) -> list[str]:
        """Ids of the runs that are queued or running, the oldest first."""
        filters = {"state": ["queued", "running"], "order_by": "run_after", "limit": 100}
        answer = self._send("GET", f"/api/v2/dags/{quote(dag_id)}/dagRuns", params=filters)
        return [str(run["dag_run_id"]) for run in answer["dag_runs"]]

    def clear(
        self,
        dag_id: str,
        run_id: str,
        tasks: Sequence[str | tuple[str, int]] = (),
        *,
        downstream: bool = False,
        only_failed: bool = False,
    ) -> list[str]:
        """Clear tasks (all where none is named) as the UI does, so that they run again; returns their ids.

        A mapped copy is named as (task id, map index). A run that had ended goes on.
        """
        body: dict[str, Any] = {
            "dry_run": False,
            "dag_run_id": run_id,
            "only_failed": only_failed,
            "reset_dag_runs": True,
            "include_downstream": downstream,
        }
        if tasks:
            body["task_ids"] = [each if isinstance(each, str) else list(each) for each in tasks]
        answer = self._send("POST", f"/api/v2/dags/{quote(dag_id)}/clearTaskInstances", json=body)
        return sorted(str(each["task_id"]) for each in answer["task_instances"])

    def options(self, dag_id: str, run_id: str, task: Mapping[str, Any]) -> list[str]:
        """What a person may choose whom a task instance asks, such as "Approve" and "Reject"."""
        return [str(each) for each in self._send("GET", _asked(dag_id, run_id, task))["options"]]

    def answer(self, dag_id: str, run_id: str, task: Mapping[str, Any], chosen: Sequence[str]) -> None:
        """Choose for a task instance that waits for a person."""
        body = {"chosen_options": list(chosen), "params_input": {}}
        self._send("PATCH", _asked(dag_id, run_id, task), json=body)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of a run: queued, running, success or failed."""
        return str(self._send("GET", _run_path(dag_id, run_id))["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """All task instances of a run."""
        answer = self._send("GET", _run_path(dag_id, run_id) + "/taskInstances", params={"limit": 500})
        return cast("list[dict[str, Any]]", answer["task_instances"])

    def returned(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a finished task returned, or None as long as there is nothing."""
        path = _run_path(dag_id, run_id) + f"/taskInstances/{quote(task_id)}/xcomEntries/return_value"
        try:
            return self._send("GET", path, params={"deserialize": "true"})["value"]
        except NotFound:
            return None

    def task_log(self, dag_id: str, run_id: str, task: Mapping[str, Any]) -> list[str]:
        """Lines of the last try of a task instance."""
        path = _run_path(dag_id, run_id) + f"/taskInstances/{quote(str(task['task_id']))}"
        path += f"/logs/{max(1, int(task.get('try_number') or 1))}"
        answer = self._send("GET", path, params={"map_index": task.get("map_index", -1)})
        return [_log_line(entry) for entry in answer.get("content") or []]

    def _send(self, method: str, path: str, *, token: bool = True, **arguments: Any) -> dict[str, Any]:
        answer = self._once(method, path, token=token, **arguments)
        if answer.status_code == 401 and token:
            self._token = None  # expired during a long run
            answer = self._once(method, path, token=token, **arguments)
        if answer.status_code == 404:
            raise NotFound(f"{method} {path}: not found")
        if answer.is_error:
            raise AirflowApiError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return cast("dict[str, Any]", answer.json())

    def _once(self, method: str, path: str, *, token: bool, **arguments: Any) -> httpx.Response:
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {self._token or self._fresh_token()}"
        try:
            return self._client.request(method, path, headers=headers, **arguments)
        except httpx.HTTPError as error:
            raise AirflowApiError(f"{method} {path}: {error or type(error).__name__}") from error

    def _fresh_token(self) -> str:
        try:
            answer = self._client.post("/auth/token", json=self._credentials)
        except httpx.HTTPError as error:
            raise AirflowApiError(f"POST /auth/token: {error or type(error).__name__}") from error
        if answer.is_error:
            raise AirflowApiError(f"POST /auth/token: {answer.status_code} {answer.text[:300]}")
        self._token = str(answer.json()["access_token"])
        return self._token


class NotFound(AirflowApiError):
    """There is no such thing (yet)."""


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _asked(dag_id: str, run_id: str, task: Mapping[str, Any]) -> str:
    """The path of what a task instance asks a person."""
    instance = f"/taskInstances/{quote(str(task['task_id']))}/{task.get('map_index', -1)}"
    return f"{_run_path(dag_id, run_id)}{instance}/hitlDetails"


def _log_line(entry: Any) -> str:
    """One line of a structured log entry."""
    if not isinstance(entry, Mapping):
        return str(entry)
    parts = [entry.get("level"), entry.get("event")]
    parts += [f"{e.get('exc_type')}: {e.get('exc_value')}" for e in entry.get("error_detail") or []]
    return " ".join(str(part) for part in parts if part)
