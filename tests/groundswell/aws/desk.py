"""A workbench whose server and client outlive a test, and the tasks of dags/labeling.py to run on it."""

from __future__ import annotations

import contextlib
import functools
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from dags import labeling
from groundswell.aws import runs
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.operators.mturk import MTurkPublishHitsOperator
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps import spend
from tests.groundswell.aws.workbench import KEYS, ShiftedClock, Workbench
from tests.workforce.contract.contract_server import serve_in_thread
from workforce.app import create_app
from workforce.market import Market
from workforce.store import Store

ACCOUNT = KEYS["test"].account
READING = ("Get", "List")
Served = tuple[Market, ShiftedClock, str]


@contextlib.contextmanager
def served_market(folder: Path) -> Iterator[Served]:
    """A workforce behind real HTTP, for the tests of a module."""
    with contextlib.closing(Store.open(f"sqlite:///{folder / 'market.db'}?synchronous=NORMAL")) as store:
        clock = ShiftedClock()
        market = Market(store, clock=clock)
        market.requester.accounts.ensure_account(
            ACCOUNT, name="Requester", opening_cents=100_000, mode="ledger"
        )
        app = create_app(market, Workbench.keyring(), site_secret="for tests only")
        with serve_in_thread(app) as url:
            yield market, clock, url


def connection(url: str, **changes: Any) -> str:
    """Return an Airflow connection as an environment variable has it."""
    extra = {"region_name": "us-east-1", "endpoint_url": url}
    return json.dumps(
        {"conn_type": "aws", "login": "test", "password": "test", "extra": extra} | changes,
    )


@functools.cache
def hook_at(url: str) -> MTurkHook:
    """Return the one hook of all tests at this server: its client costs half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_MTURK_DEFAULT", connection(url))
        hook = MTurkHook(aws_conn_id="mturk_default")
        assert hook.conn is not None
    return hook


class Desk(Workbench):
    """A workbench on a shared server; tasks run as the DAG runs them."""

    def __init__(self, served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        market, clock, self.url = served
        super().__init__(market, clock, folder, monkeypatch)
        self._mturk = hook_at(self.url)
        self.connect("mturk", self.url)
        self.connect("aws", self.url)
        monkeypatch.setattr(runs, "MTurkHook", lambda **_: self._mturk)

    def connect(self, service: str, url: str, **changes: Any) -> None:
        """Set a connection, and let runs make a client of their own for it where it is not the usual one."""
        self.monkeypatch.setenv(f"AIRFLOW_CONN_{service.upper()}_DEFAULT", connection(url, **changes))
        if service == "mturk" and (url, changes) != (self.url, {}):
            self.monkeypatch.setattr(runs, "MTurkHook", MTurkHook)

    def dataset(self, content: str | bytes, name: str = "items.csv") -> str:
        """Write a dataset; return its path."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def edit_template(self, old: str, new: str) -> str:
        """Write a worker page in which something is otherwise; return its path."""
        source = Path(__file__).parents[3] / "include/templates/image_classification.liquid.html"
        text = source.read_text()
        assert old in text
        path = self.folder / "page.liquid.html"
        path.write_text(text.replace(old, new))
        return str(path)

    # the tasks of the DAG

    def load(self, path: Path, run_id: str = "", *, relabel: bool = False) -> list[int]:
        shards: list[int] = labeling.load_dataset.function(
            str(path), run_id=run_id or f"manual__{uuid.uuid4().hex}", params={"relabel": relabel}
        )
        return shards

    def up_to_publishing(self, path: Path) -> str:
        """Run load_dataset, plan_spend, approve_spend and publish_hits; return the run id."""
        run_id = f"manual__{uuid.uuid4().hex}"
        shards = self.load(path, run_id, relabel=True)
        plan = labeling.plan_spend.function(str(path), shards, run_id=run_id)
        spend.reserve(LabelingRun(str(path), run_id), plan, "a test")
        for shard in shards:
            operator(MTurkPublishHitsOperator, path, run_id, shard=shard).execute({})
        return run_id

    # what must not have happened

    @contextlib.contextmanager
    def nothing_published(self) -> Iterator[None]:
        """Fail where the block changed anything at the workforce, or cost anything."""
        before = self.market.counts(ACCOUNT), len(self.all_hits()), self._mturk.available_cents()
        yield
        after = self.market.counts(ACCOUNT)
        called = {name for name, count in after.items() if count != before[0].get(name, 0)}
        assert {name for name in called if not name.startswith(READING)} == set()
        assert (len(self.all_hits()), self._mturk.available_cents()) == before[1:]

    def refusal(
        self,
        task: Callable[..., Any],
        *arguments: Any,
        error: type[AirflowException] = AirflowFailException,
        **named: Any,
    ) -> str:
        """Run a task that must refuse before anything is published; return its message, which is one line."""
        with self.nothing_published(), pytest.raises(AirflowException) as caught:
            task(*arguments, **named)
        assert type(caught.value) is error, repr(caught.value)
        message = str(caught.value)
        assert "\n" not in message
        return message


def complete(path: Path, **changes: Any) -> Path:
    """Give a batch file the sections on the model that the workbench leaves out."""
    checkout = Path(__file__).parents[3]
    whole = yaml.safe_load((checkout / "include/batches/iris.yaml").read_text())
    whole["training"]["source"] = str(checkout / "include/training/iris")
    sections = {name: whole[name] for name in ("training", "endpoint", "evaluation")}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | sections | changes))
    return path


def operator(kind: type[Any], path: Path | str, run_id: str, **arguments: Any) -> Any:
    """Return an operator as the DAG makes it, with its templates rendered."""
    return kind(
        task_id=kind.__name__,
        batch_path=str(path),
        run_id=run_id,
        aws_conn_id="mturk_default",
        **arguments,
    )


def record(
    run: LabelingRun,
    answers: Mapping[str, Sequence[str | None]],
    *,
    at: str = "2026-01-01T00:00:00+00:00",
    outcome: str = "settled",
) -> None:
    """Write down answers, payments and outcomes as collecting does; None is an answer that cannot be read."""
    rows = [
        {
            "assignment": f"{run.key}-{item}-{number}",
            "item": item,
            "worker": f"AWORKER{number}",
            "label": label,
            "problem": None if label else "label: is missing",
            "submitted": at,
        }
        for item, labels in answers.items()
        for number, label in enumerate(labels)
    ]
    run.ledger.append("answers", rows)
    run.ledger.append(
        "payments",
        [{"assignment": row["assignment"], "item": row["item"], "cents": 6} for row in rows],
    )
    run.ledger.append("outcomes", [{"item": item, "outcome": outcome} for item in answers])


class Pulled:
    """Stands in for a task instance: what other tasks returned, and the states of the clean-up."""

    dag_id = "labeling_iris"

    def __init__(self, results: dict[str, Any], states: dict[str, str | None] | None = None) -> None:
        self.results = results
        self.states = states or {}

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.results.get(task_ids if key == "return_value" else f"{task_ids}.{key}")

    def get_task_states(self, *, run_ids: list[str], **_: Any) -> dict[str, Any]:
        return {run_ids[0]: self.states}
