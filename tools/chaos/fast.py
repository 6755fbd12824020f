"""Plays many schedules, in several processes, ours and the plain loop, and tells how far it is."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tools.chaos.played import Played
from tools.chaos.totals import Measured, Totals, plain_before, write_section

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "chaos.md"
#: Every so many schedules goes over real sockets, through proxy and server on ports of their own.
_SOCKETS_EVERY = 50
#: Schedules that a process plays before a new one takes its place.
_LIFE = 1_000
#: Seconds between two writes of the results.
_WRITE_EVERY = 60.0

#: Seconds without a result after which the processes are looked after.
_SILENCE = 30.0

Pair = tuple[Played, Played | None]


def _prepare() -> None:
    """Give Airflow a home of its own; before it is imported."""
    home = tempfile.mkdtemp(prefix="chaos-airflow-")
    os.environ.update(AIRFLOW_HOME=home, AIRFLOW__CORE__LOAD_EXAMPLES="False")
    # Every turn of every task parses the batch file's times and money with these: no reason to be told
    warnings.simplefilter("ignore")


def play_all(seeds: Iterable[int], *, plain: bool, sockets: bool = False) -> Iterator[Pair]:
    """Play schedules one after another in this process; yield what became of each."""
    from tools.chaos.plain_loop import play_plainly
    from tools.chaos.schedule import schedule_of
    from tools.chaos.simulation import play
    from tools.chaos.stage import Stage

    with Stage() as stage:
        for seed in seeds:
            schedule, real = schedule_of(seed), sockets or seed % _SOCKETS_EVERY == 0
            ours = play(stage, schedule, sockets=real)
            yield ours, play_plainly(stage, schedule, sockets=real) if plain else None


def _work(seeds: range, plain: bool, results: multiprocessing.Queue[Pair | None]) -> None:
    """Play some seeds; the body of a process."""
    _prepare()
    parent = os.getppid()
    try:
        for pair in play_all(seeds, plain=plain):
            results.put(pair)
            if os.getppid() != parent:  # it was killed
                return
    except KeyboardInterrupt:
        pass
    finally:
        results.put(None)
        shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)


def _in_processes(first: int, count: int, jobs: int, *, plain: bool) -> Iterator[Pair]:
    """Play schedules in several processes, each of which lives for a limited number of them."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[Pair | None] = context.Queue()
    step = min(_LIFE, -(-count // jobs))
    waiting = [range(start, min(start + step, first + count)) for start in range(first, first + count, step)]
    running = 0
    processes = []
    try:
        while waiting or running:
            while waiting and running < jobs:
                process = context.Process(target=_work, args=(waiting.pop(0), plain, results), daemon=True)
                process.start()
                processes.append(process)
                running += 1
            try:
                pair = results.get(timeout=_SILENCE)
            except queue.Empty:
                if not any(process.is_alive() for process in processes):
                    raise SystemExit("a process of the simulation died; see above") from None
                continue
            if pair is None:
                running -= 1
                multiprocessing.active_children()  # which takes leave of those that are done
            else:
                yield pair
    finally:
        for process in processes:
            process.terminate()
            process.join(10)


def _seeds(first: int, count: int) -> str:
    return f"Seeds {first} to {first + count - 1}"


def _about(started: float, first: int, count: int, jobs: int, *, plain_before: bool) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    minutes = (time.monotonic() - started) / 60
    return (
        f"{_seeds(first, count)}, played {datetime.now(UTC):%Y-%m-%d %H:%M} UTC at commit "
        f"{commit or 'unknown'} in {minutes:.0f} minutes with {jobs} job{'s' * (jobs > 1)}: `make chaos`. "
        "Each schedule is one labelling run under API faults, kills, clears, twins and time jumps; after it "
        "the workforce's tables are compared with the books. The plain loop meets the same faults and kills"
        f"{', in a run of the same seeds before this one' * plain_before}. "
        "Written by the program: run it again rather than edit this section."
    )


def _progress(ours: Totals, plain: Totals, count: int, started: float) -> str:
    seconds = time.monotonic() - started
    left = seconds / max(1, ours.schedules) * (count - ours.schedules)
    bar = "#" * (30 * ours.schedules // count)
    return (
        f"[{bar:<30}] {ours.schedules}/{count} schedules, {len(ours.faulty)} wrong "
        f"({len(plain.faulty)} of the plain loop's), {left / 60:.0f} min left"
    )


def run(first: int, count: int, jobs: int, *, plain: bool, results: Path | None) -> Measured:
    """Play schedules, write the results now and then and at the end, and return them."""
    # In good order when it is told to end: with what there is
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    started, written = time.monotonic(), time.monotonic()
    ours, theirs = Totals(), Totals()
    before_this = plain_before(results, _seeds(first, count)) if results and not plain else None
    live = sys.stderr.isatty()

    def measured() -> Measured:
        about = _about(started, first, ours.schedules, jobs, plain_before=before_this is not None)
        return Measured(ours, theirs if plain else before_this, about)

    try:
        for mine, other in _in_processes(first, count, jobs, plain=plain):
            ours.add(mine)
            if other is not None:
                theirs.add(other)
            if live or ours.schedules % 100 == 0:
                line = _progress(ours, theirs, count, started)
                print(line, end="\r" if live else "\n", file=sys.stderr, flush=True)
            if results and time.monotonic() - written > _WRITE_EVERY:
                written = time.monotonic()
                write_section(results, measured().table())
    except KeyboardInterrupt:
        print("\ninterrupted; these are the schedules so far", file=sys.stderr)
    finally:
        signal.signal(signal.SIGTERM, before)
    if results:
        write_section(results, measured().table())
    return measured()


def replay(seed: int, *, verbose: bool, plain: bool, sockets: bool) -> bool:
    """Play one schedule and tell about it; return whether ours came out well."""
    _prepare()
    [(ours, theirs)] = play_all([seed], plain=plain, sockets=sockets)
    for name, played in (("Groundswell", ours), ("plain loop", theirs)):
        if played is None:
            continue
        print(f"{name}: {'nothing wrong' if played.ok else 'WRONG'}, {played.calls} calls")
        if verbose:
            from tools.chaos.schedule import schedule_of

            print(f"  {schedule_of(seed)}\n  {dict(played.injected)}")
            print("\n".join(f"  {line}" for line in played.log))
        print("\n".join(f"  !! {problem}" for problem in played.verdict.problems))
    return ours.ok


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.chaos fast", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000, metavar="N", help="how many (10000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the first one's number (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="processes")
    parser.add_argument("--replay", type=int, metavar="SEED", help="play this one again")
    parser.add_argument("-v", "--verbose", action="store_true", help="with --replay: tell everything")
    parser.add_argument("--no-plain-loop", action="store_true", help="do not play the plain loop")
    parser.add_argument("--sockets", action="store_true", help="with --replay: over real sockets")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="where the table goes")
    options = parser.parse_args(arguments)
    plain = not options.no_plain_loop
    if options.replay is not None:
        well = replay(options.replay, verbose=options.verbose, plain=plain, sockets=options.sockets)
        return 0 if well else 1
    measured = run(options.seed, options.schedules, options.jobs, plain=plain, results=options.results)
    print(measured.table())
    for seed in sorted(measured.ours.faulty):
        print(f"WRONG: python -m tools.chaos fast --replay {seed} -v", file=sys.stderr)
    return 1 if measured.ours.faulty else 0
