"""A running stack as the tests see it: Airflow's API on one side, the workforce's store on the other."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tools import cloud
from tools.airflow_api import AirflowApi
from tools.chaos.real import victims
from tools.chaos.real.site import clean_environment
from tools.stack.control import CLOUD, Stack
from tools.stack.keys import ADMIN
from tools.stack.session import Session
from workforce.market import Market
from workforce.store import Store

DAG = "labeling_iris"
BUCKET = "groundswell-iris"
ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Books:
    """What the workforce's store says of labour and money."""

    hits: int
    approved: int
    extended: int
    balance: Decimal
    on_hold: Decimal


class Live:
    """The stack of the tests."""

    def __init__(self, stack: Stack, session: Session) -> None:
        self.stack = stack
        self.session = session
        self.api = AirflowApi(session.airflow_url, username=ADMIN, password=stack.keys().admin_password)
        self.store = Store.open(f"sqlite:///{stack.layout.cloud / 'workforce.db'}")
        self.market = Market(self.store)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *exc: object) -> None:
        self.api.close()
        self.store.close()

    def client(self, service: str) -> Any:
        return cloud.client(service, self.session.cloud_url)

    # Airflow

    def trigger(self, run_id: str, **conf: Any) -> None:
        self.api.unpause(DAG)
        self.api.trigger(DAG, run_id, conf)

    def wait(self, run_id: str, timeout: float = 420) -> dict[str, str]:
        """Wait for the end of a run; return the state of each task."""
        deadline = time.monotonic() + timeout
        while (state := self.api.run_state(DAG, run_id)) in {"queued", "running"}:
            assert time.monotonic() < deadline, f"{run_id} is {state}: {self.states(run_id)}"
            time.sleep(0.5)
        return self.states(run_id)

    def states(self, run_id: str) -> dict[str, str]:
        return {each["task_id"]: each["state"] for each in self.api.task_instances(DAG, run_id)}

    def clear(self, run_id: str, *tasks: str) -> list[str]:
        """Clear tasks (all where none is named) as the UI does; return what Airflow cleared."""
        return self.api.clear(DAG, run_id, tasks)

    def kill_while_collecting(self, timeout: float = 300) -> list[str]:
        """`kill -9` the collecting task in its first wave, the local cloud and the triggerer.

        Both are started again. Returns the titles of the tasks that were killed.
        """
        deadline = time.monotonic() + timeout
        while not self._approved():
            assert time.monotonic() < deadline, "nobody is paid"
            time.sleep(0.02)
        killed = victims.running_tasks(self.stack)
        for victim in killed:
            victims.kill_task(victim)
        for part in (CLOUD, "triggerer"):
            self.stack.kill(part)
            self.stack.start_again(part, clean_environment())
        return [victim.title for victim in killed]

    # the truth

    def document(self, run_id: str, name: str) -> dict[str, Any]:
        body = self.client("s3").get_object(Bucket=BUCKET, Key=f"state/iris/{run_id}/{name}")["Body"]
        document: dict[str, Any] = json.loads(body.read())
        return document

    def _approved(self) -> int:
        from sqlalchemy import text

        with self.store.read() as connection:
            query = text("SELECT count(*) FROM assignments WHERE status = 'Approved'")
            return int(connection.execute(query).scalar_one())

    def books(self) -> Books:
        """Count in the store itself; the counters of calls would count refused ones too."""
        from sqlalchemy import text

        with self.store.read() as connection:
            hits, seats = connection.execute(text("SELECT count(*), sum(max_assignments) FROM hits")).one()
        balance = self.market.requester.call("GetAccountBalance", ACCOUNT, {})
        assert self.market.audit(ACCOUNT) == []
        return Books(
            hits=hits,
            approved=self._approved(),
            extended=seats - 2 * hits,
            balance=Decimal(balance["AvailableBalance"]),
            on_hold=Decimal(balance["OnHoldBalance"]),
        )
