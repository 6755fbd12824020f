"""Command line: ``python -m localcloud.teams --endpoint URL [--plan FILE] [--days 7] [--until DATE] ...``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.teams.delivery import Delivered, total
from localcloud.teams.directory import PlayError
from localcloud.teams.example import Example, example_plan
from localcloud.teams.lines import LOG_GROUP
from localcloud.teams.people import Person, dropping
from localcloud.teams.plan import Plan, PlanError, default_plan, load_plan
from localcloud.teams.player import Played, clients_of, play
from localcloud.teams.simulation import Simulation, days_of

USAGE_ERROR, FAILED = 2, 1
_WORKERS, _TEAMS = 40, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Play a plan and print what was done; return the exit code.

    0 when all is there, 2 for a mistake in the arguments or the plan file, 1 when the account refuses.
    """
    arguments = _parser().parse_args(argv)
    try:
        plan = _plan(arguments)
    except PlanError as error:
        return _refuse(error, USAGE_ERROR)
    started = time.monotonic()
    try:
        played = play(
            plan,
            clients_of(arguments.endpoint),
            Example if arguments.example else Simulation,
            tell=_print_day,
        )
    except PlayError as error:
        return _refuse(error, FAILED)
    except (BotoCoreError, ClientError) as error:
        return _refuse(f"{arguments.endpoint}: {error}", FAILED)
    _print_summary(played, time.monotonic() - started)
    return 0


def _plan(arguments: argparse.Namespace) -> Plan:
    until = arguments.until or datetime.now(UTC).date() - timedelta(days=1)
    if arguments.example:
        return example_plan(until)
    if arguments.plan is None:
        workers = _WORKERS if arguments.workers is None else arguments.workers
        plan = default_plan(workers, _TEAMS if arguments.teams is None else arguments.teams)
    elif arguments.workers is not None or arguments.teams is not None:
        raise PlanError("--workers and --teams are for plays without --plan; put the numbers into the file")
    else:
        plan = load_plan(arguments.plan)
    given = {"days": arguments.days, "seed": arguments.seed, "until": arguments.until}
    values = {name: value for name, value in given.items() if value is not None}
    return plan.replace(**({} if plan.until else {"until": until}) | values)


def _print_day(day: Delivered) -> None:
    if day.lines or day.points or not (day.lines_before or day.points_before):
        before = f" (there were {day.lines_before:,} and {day.points_before:,})" if day.lines_before else ""
        print(f"{day.day}  {day.lines:>7,} log lines  {day.points:>7,} data points{before}", flush=True)
    else:
        print(f"{day.day}  was played before; nothing to add", flush=True)


def _print_summary(played: Played, seconds: float) -> None:
    plan, all_days = played.plan, total(played.days)
    print(
        f"{all_days.lines:,} log lines in {LOG_GROUP}, {all_days.points:,} data points, "
        f"{plan.workers} workers in user pool {played.account.pool_id} ({plan.pool}), {seconds:.1f} s"
    )
    for team in plan.teams:
        print(f"  team {team.name}: {team.workers} workers, {team.time_zone}, {', '.join(team.jobs)}")
    odd = list(_oddities(played))
    if odd:
        print("Odd on purpose:")
    for line in odd:
        print(f"  {line}")


def _oddities(played: Played) -> list[str]:
    plan, odd = played.plan, played.plan.oddities
    shares = {
        "delivered twice": odd.duplicates,
        f"up to {odd.late_days} days late": odd.late,
        "malformed": odd.malformed,
        "of an unknown type": odd.unknown_type,
        "of a clock that is a year ahead": odd.clock_ahead,
        "missing in the metrics": odd.missed_metrics,
    }
    found = [f"{share:.2%} of events are {what}" for what, share in shares.items() if share]
    words = {
        "too_fast": "is ten times faster than others",
        "too_uniform": "takes the same time for every task",
        "clock_skew": "has acceptances after submissions, since the clock is wrong",
        "deleted": "is no longer in Cognito",
    }
    for kind, what in words.items():
        found += [f"{_who(p)} {what}" for p in played.people if kind in p.oddities]
    weeks = sorted({(day.toordinal() - 1) // 7 for day in days_of(plan)})
    for week in weeks:
        thursday = date.fromordinal(week * 7 + 4)
        if plan.first <= thursday <= plan.last:
            found += [
                f"{_who(played.people[n])} almost stops on {thursday}" for n in sorted(dropping(plan, week))
            ]
    return found


def _who(person: Person) -> str:
    return f"{person.username} ({person.team.name}, sub {person.sub})"


def _refuse(error: Exception | str, code: int) -> int:
    print(f"localcloud.teams: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud.teams",
        description="Plays private labelling teams into a local cloud, as Ground Truth would leave them: "
        "workers in Cognito, activity in CloudWatch Logs, metrics in CloudWatch. Playing a day again adds "
        "nothing. Days are UTC.",
    )
    add = parser.add_argument
    add("--endpoint", required=True, metavar="URL", help="the local cloud, such as http://127.0.0.1:4566")
    add("--plan", type=Path, metavar="FILE", help="YAML file of teams, jobs and oddities")
    add("--seed", type=int, metavar="N", help="the same seed gives the same events (default 7)")
    add("--days", type=int, metavar="N", help="how many days (default 7)")
    add("--until", type=_day, metavar="YYYY-MM-DD", help="the last day (default yesterday)")
    add("--workers", type=int, metavar="N", help=f"how many workers (default {_WORKERS})")
    add("--teams", type=int, metavar="N", help=f"in how many teams (default {_TEAMS})")
    add("--example", action="store_true", help="AWS's example instead: 14 tasks, 2.28 minutes, 9.78 s each")
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write it as 2026-11-20") from None
