"""What schedules share in one process: a workforce server, the proxy before it, clients, and a made-up time.

Only waiting is replaced: the sleeps of botocore and of the trigger let the world's time pass instead. Clients
and servers are made once, since a client costs more than a whole schedule.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import json
import os
import random
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import botocore.endpoint
import uvicorn
import yaml
from aiobotocore.endpoint import AioEndpoint
from airflow.sdk.exceptions import AirflowException
from botocore.config import Config
from botocore.retries.quota import RetryQuota
from sqlalchemy import delete
from starlette.types import ASGIApp

from groundswell.aws import funds, reconciling, runs
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.triggers import mturk as triggers
from groundswell.batches.model import Batch
from groundswell.ledger import ledger
from tools.chaos.direct import DirectWire, InlineThreads
from tools.chaos.faults import FaultPlan
from tools.chaos.lagging import Lag
from tools.chaos.memory_store import MemoryStore
from tools.chaos.processes import MortalStore, StoreFaults, after_call, before_call
from tools.chaos.proxy import HOST, FaultProxy
from tools.chaos.quickening import NoThreads, remembering, silence
from tools.chaos.schedule import Schedule
from tools.chaos.workers import Workers
from tools.chaos.world import World, time_of
from workforce.api import asgi
from workforce.api.asgi import api_app
from workforce.api.keys import AccessKey, StaticKeys
from workforce.market import Market, ids
from workforce.store import Store
from workforce.store.tables import meta, metadata

CHECKOUT = Path(__file__).parents[2]
ACCOUNT = "000000000000"
OPENING_CENTS = 100_000
#: Seconds that a client is taken to wait before it tries again.
_BACKOFF = 1.0


class TimedOut(AirflowException):  # type: ignore[misc]
    """The trigger did not fire within the deferral's time-out."""


@dataclass
class Scene:
    """What one schedule plays on."""

    schedule: Schedule
    run_id: str
    path: Path
    folder: Path
    world: World
    store: Store
    market: Market
    workers: Workers
    plan: FaultPlan
    put_faults: StoreFaults
    state: MemoryStore = field(default_factory=MemoryStore)
    output: MemoryStore = field(default_factory=MemoryStore)

    allowed_cents: int = 0

    def allow(self, cents: int | None) -> None:
        """Note that a person was shown this limit and said yes to it; None: it is the batch file's."""
        self.allowed_cents = max(self.allowed_cents, cents or 0)

    def calm(self) -> None:
        """No more faults from now on."""
        self.plan.on = self.put_faults.on = False


class Stage:
    """Servers, clients and patches of one process; a context manager."""

    def __init__(self) -> None:
        self._exits = contextlib.ExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        # of the triggers: whoever waits for one turns it, so that nothing else moves meanwhile
        self._triggerer = asyncio.new_event_loop()
        self._scene: Scene | None = None
        self._quotas: list[RetryQuota] = []
        self._market: Any = _CurrentMarket(self)
        self._async_client: Any = None

    @property
    def scene(self) -> Scene:
        """The scene of the schedule under way."""
        if self._scene is None:
            raise RuntimeError("no schedule is under way; use Stage.playing")
        return self._scene

    @property
    def world(self) -> World:
        """The time of the schedule under way."""
        return self.scene.world

    def __enter__(self) -> Stage:
        with contextlib.ExitStack() as exits:
            self.folder = Path(
                exits.enter_context(tempfile.TemporaryDirectory(prefix="chaos-", dir=_quick()))
            )
            self._store = exits.enter_context(contextlib.closing(Store.open("sqlite://")))
            self._thread.start()
            exits.callback(self._stop_loop)
            app = api_app(self._market, StaticKeys(AccessKey("test", "test", ACCOUNT)))
            self.proxy = FaultProxy(self._start_server(app, exits))
            self.wire = DirectWire(self.proxy, app)
            listening = self._in_background(self.proxy.start())
            exits.callback(lambda: self._loop.call_soon_threadsafe(listening.close))
            self._patch(exits)
            self._make_clients(exits)
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @contextlib.contextmanager
    def playing(self, schedule: Schedule, *, sockets: bool = False) -> Iterator[Scene]:
        """
        Make the scene of a schedule: an empty market, an empty ledger, no time passed.

        :param sockets: let the requests go over TCP, through proxy and server on their ports.
        """
        self.wire.on = not sockets
        folder = self.folder / str(schedule.seed)
        folder.mkdir()
        world = World()
        _wipe(self._store)
        market = Market(self._store, clock=world)
        market.requester.accounts.ensure_account(
            ACCOUNT, name="Requester", opening_cents=OPENING_CENTS, mode="ledger"
        )
        plan = schedule.faults()
        chance = random.Random(f"puts {schedule.seed}")
        scene = Scene(
            schedule=schedule,
            run_id=f"manual__{schedule.seed}",
            path=_batch_file(folder, schedule),
            folder=folder,
            world=world,
            store=self._store,
            market=market,
            workers=Workers(market, world, schedule),
            plan=plan,
            put_faults=StoreFaults(chance, schedule.put_fault_rate, plan.count),
        )
        self._begin(scene)
        try:
            yield scene
        finally:
            self.proxy.begin(FaultPlan(0), World(), Lag(self._store, world, 0))
            self._scene = None
            shutil.rmtree(folder, ignore_errors=True)

    def _begin(self, scene: Scene) -> None:
        self._scene = scene
        lag = Lag(scene.store, scene.world, scene.schedule.lag_seconds)
        self.proxy.begin(scene.plan, scene.world, lag)
        numbers = random.Random(f"ids {scene.schedule.seed}")
        vars(ids)["secrets"] = SimpleNamespace(randbits=numbers.getrandbits)
        for quota in self._quotas:
            quota.release(RetryQuota.INITIAL_CAPACITY)

    def hook(self, **_: Any) -> MTurkHook:
        """Return a hook as a new process has it, on the one client."""
        hook = MTurkHook(aws_conn_id="mturk_default")
        hook.__dict__["conn"] = self.client
        return hook

    def part_store(self, uri: str, _: Any) -> MortalStore:
        """Return the store of ledgers or outputs of the schedule under way."""
        scene = self.scene
        store = scene.state if "state" in uri else scene.output
        return MortalStore(store, scene.put_faults, AirflowException)

    def _start_server(self, app: ASGIApp, exits: contextlib.ExitStack) -> int:
        config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        listener = socket.create_server((HOST, 0))
        serving = asyncio.run_coroutine_threadsafe(server.serve(sockets=[listener]), self._loop)

        def stop() -> None:
            server.should_exit = True
            serving.result(10)

        exits.callback(stop)
        while not server.started:
            time.sleep(0.01)
        return int(listener.getsockname()[1])

    def _patch(self, exits: contextlib.ExitStack) -> None:
        connection = {
            "conn_type": "aws",
            "login": "test",
            "password": "test",
            "extra": {"region_name": "us-east-1", "endpoint_url": f"http://{HOST}:{self.proxy.port}"},
        }
        text = json.dumps(connection)
        names = ("AIRFLOW_CONN_MTURK_DEFAULT", "AIRFLOW_CONN_AWS_DEFAULT")
        exits.enter_context(mock.patch.dict(os.environ, dict.fromkeys(names, text)))
        exits.enter_context(time_of(lambda: self.world))
        patch = mock.patch.object
        exits.enter_context(patch(runs, "MTurkHook", self.hook))
        exits.enter_context(patch(runs, "part_store", self.part_store))
        exits.enter_context(patch(ids, "secrets", vars(ids)["secrets"]))
        # waiting
        sleeper = SimpleNamespace(sleep=lambda _: self.world.advance(_BACKOFF))
        exits.enter_context(patch(botocore.endpoint, "time", sleeper))
        exits.enter_context(patch(AioEndpoint, "_sleep", self._sleep_between_tries))
        exits.enter_context(patch(triggers, "asyncio", SimpleNamespace(sleep=self._sleep_in_trigger)))
        exits.enter_context(
            patch(triggers, "time", SimpleNamespace(monotonic=lambda: self.world.monotonic()))
        )
        exits.enter_context(patch(triggers, "MTurkHook", lambda **_: _AsyncHook(self)))
        pause = {"pause": lambda seconds: self.world.advance(seconds)}
        exits.enter_context(mock.patch.dict(reconciling.reconcile.__kwdefaults__, pause))
        # Python 3.11 locks a cached property for all instances, and a process may stop inside of it
        for each in (*vars(MTurkHook).values(), *vars(runs.LabelingRun).values()):
            if isinstance(each, functools.cached_property) and hasattr(each, "lock"):
                exits.enter_context(patch(each, "lock", contextlib.nullcontext()))
        # each client has a quota of tries, which one schedule must not use up for the next
        made = RetryQuota.__init__

        def remember(quota: RetryQuota, *arguments: Any, **named: Any) -> None:
            made(quota, *arguments, **named)
            self._quotas.append(quota)

        exits.enter_context(patch(RetryQuota, "__init__", remember))
        exits.enter_context(patch(asgi, "to_thread", InlineThreads(self.wire, vars(asgi)["to_thread"])))
        exits.enter_context(patch(ledger, "ThreadPoolExecutor", NoThreads))
        exits.enter_context(patch(funds, "ThreadPoolExecutor", NoThreads))
        exits.enter_context(silence())
        # a batch file is read at every turn of every task, and takes as long as ten calls
        exits.enter_context(patch(Batch, "parse", remembering(Batch.parse)))

    async def _sleep_between_tries(self, *_: object) -> None:
        self.world.advance(_BACKOFF)

    async def _sleep_in_trigger(self, seconds: float) -> None:
        self.world.advance(seconds)
        if self.world.monotonic() > self._trigger_ends:
            raise TimedOut("the trigger did not fire in time")
        await asyncio.sleep(0)

    def run_trigger(self, trigger: Any, timeout: float) -> dict[str, Any]:
        """Run a trigger to its first event, as the triggerer does. Raises TimedOut."""
        self._trigger_ends = self.world.monotonic() + timeout

        async def first() -> dict[str, Any]:
            async with contextlib.aclosing(trigger.run()) as events:
                async for event in events:
                    return dict(event.payload)
            raise TimedOut("the trigger ended without an event")

        return self._triggerer.run_until_complete(first())

    def _make_clients(self, exits: contextlib.ExitStack) -> None:
        # Composing the user agent takes a tenth of a call
        config = MTurkHook(aws_conn_id="mturk_default").config.merge(Config(user_agent="chaos"))
        self.client: Any = MTurkHook(aws_conn_id="mturk_default", config=config).conn
        events = self.client.meta.events
        events.register("before-call.mturk", before_call)
        events.register("after-call.mturk", after_call)

        events.register("before-send.mturk", self.wire.send)

        async def enter() -> tuple[Any, Any]:
            manager = await MTurkHook(aws_conn_id="mturk_default").get_async_conn()
            return manager, await manager.__aenter__()

        turn = self._triggerer.run_until_complete
        manager, self._async_client = turn(enter())
        self._async_client.meta.events.register("before-send.mturk", self.wire.asend)
        exits.callback(lambda: turn(manager.__aexit__(None, None, None)))

    def _stop_loop(self) -> None:
        self._in_background(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._triggerer.run_until_complete(self._triggerer.shutdown_asyncgens())
        self._triggerer.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _AsyncHook(MTurkHook):
    """A hook whose client is the stage's."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(aws_conn_id="mturk_default")
        self._stage = stage

    async def get_async_conn(self) -> Any:
        return contextlib.nullcontext(self._stage._async_client)


class _CurrentMarket:
    """The market of the schedule under way, for a server that outlives it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage.scene.market, name)


def _wipe(store: Store) -> None:
    """Empty the market: a new database would have to compile every statement anew."""
    with store.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table is not meta:
                connection.execute(delete(table))


def _quick() -> str | None:
    """Return a folder in memory where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def _batch_file(folder: Path, schedule: Schedule) -> Path:
    """Write dataset and batch file of a schedule; return the batch file."""
    batch = copy.deepcopy(_example())
    header = "id,sepal_length,sepal_width,petal_length,petal_width,image"
    rows = [f"{item},5.1,3.5,1.4,0.2,flower-a.svg" for item in schedule.items]
    (folder / "items.csv").write_text("\n".join([header, *rows]) + "\n")
    batch["dataset"]["path"] = str(folder / "items.csv")
    batch["task"]["template"] = str(CHECKOUT / "include/templates/image_classification.liquid.html")
    batch["task"]["image_folder"] = str(CHECKOUT / "include/data/images")
    batch["output"]["test_items"] = 0
    for option, value in schedule.batch.items():
        section, _, name = option.partition("__")
        if name:
            batch[section][name] = value
        elif value is not None:
            batch[section] = value
    path = folder / "batch.yaml"
    path.write_text(json.dumps(batch))  # JSON is YAML, and quicker to write
    return path


@functools.cache
def _example() -> dict[str, Any]:
    batch: dict[str, Any] = yaml.safe_load((CHECKOUT / "include/batches/iris.yaml").read_text())
    for name in ("training", "endpoint", "evaluation"):
        batch.pop(name, None)
    return batch
