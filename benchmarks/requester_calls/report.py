"""The result of a run of the benchmark, as a Markdown document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks.origin import commit, machine
from benchmarks.requester_calls.sides import Outcome
from benchmarks.requester_calls.tables import LOOKING, TIDYING, Pair, comparison, growth, pace

PACKAGES = ("apache-airflow", "apache-airflow-providers-amazon", "boto3", "aiobotocore", "SQLAlchemy")


def document(pairs: Sequence[Pair], key: Mapping[str, str], *, took: float, command: str) -> str:
    """Return the whole document."""
    first = pairs[0]
    origin = f"""
        Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC at commit {commit()} with `{command}`, in
        {took / 60:.1f} minutes. Written by the benchmark: run it again rather than edit this file."""
    worker_side = """
        Minutes are minutes to the crowd. What the worker side does happens inside the server and is no call
        to the requester API; it is in no sum above and shown for comparison only."""
    parts = [
        "# Requester API calls per labelled item",
        _flow(origin),
        f"## Workers take {pace(first.scenario)}",
        comparison(first, key),
        _flow(worker_side),
    ]
    if len(pairs) > 1:
        parts += ["## When workers take longer", growth(pairs)]
    parts += ["## Reading", _bullets(reading(pairs, key))]
    parts += ["## How it was measured", _bullets(method(pairs))]
    return "\n\n".join(parts) + "\n"


def reading(pairs: Sequence[Pair], key: Mapping[str, str]) -> list[str]:
    """Return what the figures say, and what they do not."""
    first, last = pairs[0], pairs[-1]
    script, ours = first.script, first.ours
    tidying = ours.per_item(*TIDYING)
    common = [side.per_item() - side.per_item(*LOOKING) - side.per_item(*TIDYING) for side in (script, ours)]
    texts = [
        f"""
        With the crowd of the example the script makes {first.ratio:.2f} times as many calls. The difference
        is in the looking: {script.per_item(*LOOKING):.2f} calls per item against
        {ours.per_item(*LOOKING):.2f}. Creating, extending and paying takes a call per HIT or answer on both
        sides ({common[0]:.2f} and {common[1]:.2f} per item); no way of waiting changes that.""",
        f"""
        Groundswell also makes {tidying:.2f} calls per item to flag and to delete its HITs, while the script
        leaves them in the account. Without these calls the script would make
        {script.per_item() / (ours.per_item() - tidying):.2f} times as many.""",
    ]
    if len(pairs) > 1:
        texts.append(_growing(first, last))
    texts += [
        """
        The crowd of the example is done within minutes. On a real market items wait for hours; how many
        calls either side would make then is not measured here.""",
        f"""
        The script had {script.right(key)} of {len(script.labels)} labels right, ours {ours.right(key)} of
        {len(ours.labels)}, from {script.books.approved} and {ours.books.approved} answers. Both ask by the
        same rule, but who meets which flower depends on the moment: from run to run answers differ by some
        percent, labels by a few, and the script's looks by ten percent or so, by where its minutes fall. A
        difference of that size is chance.""",
        f"""
        An answer waits {script.unpaid_minutes:.1f} minutes for its approval with the script and
        {ours.unpaid_minutes:.1f} with ours, which takes HITs in waves, each when all of its workers have
        answered.{_waiting_later(first, last)}""",
    ]
    return texts


def _growing(first: Pair, last: Pair) -> str:
    def slope(side: Callable[[Pair], Outcome]) -> float:
        more = side(last).calls(*LOOKING) - side(first).calls(*LOOKING)
        return more / (side(last).minutes - side(first).minutes)

    return f"""
        Where workers take {last.scenario.slower:g} times as long, the script looks
        {last.script.per_item(*LOOKING):.2f} times per item and ours {last.ours.per_item(*LOOKING):.2f} times.
        Each further minute cost the script {slope(lambda pair: pair.script):.0f} looks, since it asks about
        every open HIT one by one, and ours {slope(lambda pair: pair.ours):.0f}, since it asks for the list of
        reviewable HITs, which is one question however many are open. Ours grows with time, too, but not with
        time multiplied by items."""


def _waiting_later(first: Pair, last: Pair) -> str:
    if first is last:
        return ""
    return f"""
        Where workers take {last.scenario.slower:g} times as long, it is {last.script.unpaid_minutes:.1f} and
        {last.ours.unpaid_minutes:.1f}."""


def method(pairs: Sequence[Pair]) -> list[str]:
    """Return how the figures came about."""
    speeds = " and ".join(sorted({f"{pair.scenario.speed_up:g}" for pair in pairs}))
    periods = " and ".join(f"{pair.script.period or 0:.0f}" for pair in pairs)
    return [
        """
        Calls are counted by the workforce server, one per authenticated request, refused ones included, and
        read from its database after it has stopped. The account was audited at that moment. What is
        timed is the crowd, not the machine.""",
        """
        Both sides label the 150 flowers of `include/data/iris.csv` at the same time on the same machine, each
        on a fresh server with the crowd of `include/crowds/iris.yaml`: the script against
        `python -m workforce serve`, ours against a local cloud, which runs the same workforce and has the S3
        that the ledger needs. Labels are held against the file that the crowd is simulated from, which
        neither side reads.""",
        """
        The polling script is `benchmarks/requester_calls/seed_script.py`, unchanged: GetHIT and
        ListAssignmentsForHIT for each open HIT, then it sleeps a minute.""",
        """
        Ours are the tasks of `dags/labeling.py` from load_dataset to write_dataset, then delete_hits, on
        `include/batches/iris.yaml`: the steps and operators themselves, which defer to their triggers. What
        trains and deploys a model asks no workforce and is left out. No task failed or was run twice; a
        retry makes calls of its own.""",
        f"""
        The clock runs {speeds} times as fast as life for all alike: the crowd's times, the script's minute,
        and of ours the batch's `polling.interval` (15 s) and `polling.max_wait` (60 s) and the trigger's
        `QUIET_SECONDS` (15 s) are divided by {speeds}. The last is a constant of the code, which the
        benchmark patches; it patches nothing else. Lifetimes and time-outs are not divided; none was
        reached.""",
        f"""
        What the machine does is not sped up, so that a look at all HITs takes some seconds of crowd time:
        the script looked every {periods} seconds instead of 60, and so rather too seldom. Airflow's own
        time between two waves is not in ours; with it waves would be fewer and larger.""",
        """
        Where workers take longer, everything that they do does, their coming and going, too. Polling is the
        same.""",
        f"""
        {machine()}; {", ".join(f"{name} {version(name)}" for name in PACKAGES)}.""",
    ]


def _flow(text: str) -> str:
    return " ".join(text.split())


def _bullets(texts: Sequence[str]) -> str:
    return "\n".join(f"- {_flow(text)}" for text in texts)
