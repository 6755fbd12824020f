"""Plays a plan into an account through the AWS API."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from localcloud.teams.delivery import Delivered, Delivery
from localcloud.teams.directory import Directory, PlayError
from localcloud.teams.lines import stream_of, stream_prefix
from localcloud.teams.metrics import points_of
from localcloud.teams.people import Person, people_of
from localcloud.teams.plan import Plan
from localcloud.teams.simulation import REGION, Account, Simulation, days_of

_THREADS = 4
_WAITING = 6
"""Days whose events are in memory at once."""


@dataclass(frozen=True)
class Played:
    """What a play did. ``account`` is what `truth_of` needs to speak of the same ids."""

    plan: Plan
    account: Account
    people: tuple[Person, ...]
    days: list[Delivered]
    deleted: list[Person]


def clients_of(endpoint_url: str) -> Callable[[str], Any]:
    """Return a function that gives the client of a service of the local cloud.

    The keys are the local cloud's, which are public, so that nothing can be put into a real account.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        max_pool_connections=16,
        proxies={},  # the endpoint is this machine
    )
    session = boto3.Session("test", "test", region_name=REGION)
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = session.client(service, endpoint_url=endpoint_url, config=config)
        return made[service]

    return client


def play(
    plan: Plan,
    clients: Callable[[str], Any],
    make: Callable[[Plan, Account], Simulation] = Simulation,
    now: datetime | None = None,
    tell: Callable[[Delivered], None] = lambda _day: None,
) -> Played:
    """Put the days of a plan into an account, and only what is not there.

    Of today only the past is put; call again later for the rest. ``tell`` hears of each day.

    Raises:
        PlayError: the account has something else, or the plan ends in the future.
        PlanError: the plan does not say until when.
    """
    now = now or datetime.now(UTC)
    if plan.last > now.date():
        raise PlayError(f"the plan ends on {plan.last}, which is not over in UTC; give an earlier --until")
    directory, delivery = Directory(clients), Delivery(clients, plan.metric_minutes * 60)
    people = people_of(plan)
    number = directory.account()
    streams = delivery.streams(stream_prefix(number, REGION))
    names = {day: stream_of(plan, day, number, REGION) for day in days_of(plan)}
    for day, stream in names.items():
        if stream in streams:
            delivery.check(day, stream, people)
    account = directory.prepare(plan, people, number, REGION)
    simulation = make(plan, account)
    since = _since(plan, account, streams)
    until_ms = int(now.timestamp() * 1000)
    with ThreadPoolExecutor(_THREADS) as threads:
        waiting: list[Future[Delivered]] = []
        days: list[Delivered] = []
        for day, stream in names.items():
            events = list(simulation.delivered(day, since, until_ms))
            points = points_of(simulation, day, until_ms)
            waiting.append(threads.submit(delivery.deliver, day, stream, stream in streams, events, points))
            while len(waiting) >= _WAITING:
                _finish(waiting.pop(0), days, tell)
        for future in waiting:
            _finish(future, days, tell)
    deleted = directory.delete(account, [p for p in simulation.people if "deleted" in p.oddities])
    return Played(plan, account, simulation.people, days, deleted)


def _finish(future: Future[Delivered], days: list[Delivered], tell: Callable[[Delivered], None]) -> None:
    days.append(future.result())
    tell(days[-1])


def _since(plan: Plan, account: Account, streams: set[str]) -> date:
    """Return from which day on late events are delivered: earlier days count when they were played."""
    since = plan.first
    for _ in range(plan.oddities.late_days):
        before = since - timedelta(days=1)
        if stream_of(plan, before, account.account, account.region) not in streams:
            break
        since = before
    return since
