"""The same work as people script it without tokens: a loop that creates, polls, approves and extends.

It stands for what the published requester scripts do: ``create_hit`` per item without a token; ids and
labels saved after each step; after a crash, on from what was saved last; every submission that is listed is
approved; where workers disagree the HIT is extended by one, without a token. Nobody clears its tasks, and no
two of it run at once: it only meets the faults and kills of the schedule.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from functools import partial
from typing import Any

from groundswell.answers.labels import label_of
from groundswell.answers.question_form import parse_answer
from groundswell.errors import AnswerError
from groundswell.ledger import RunState, annotation
from tools.chaos.oracle import Books, check
from tools.chaos.played import Played
from tools.chaos.processes import Fate, Killed, Process
from tools.chaos.schedule import ANSWER_CENTS, LABELS, Schedule
from tools.chaos.simulation import MOST_ATTEMPTS, PATIENCE, RETRY_DELAY
from tools.chaos.stage import ACCOUNT, Scene, Stage

_BATCH = "iris"
_SCHEMA = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
_PAGE = (
    f'<HTMLQuestion xmlns="{_SCHEMA}"><HTMLContent><![CDATA[<!DOCTYPE html><html><body>'
    '<form method="post" action="https://www.mturk.com/mturk/externalSubmit"><p>%s</p>'
    '<input name="label"><input type="submit"></form></body></html>]]></HTMLContent>'
    "<FrameHeight>0</FrameHeight></HTMLQuestion>"
)


class PlainLoop:
    """The script. What it knows is in ``saved``, which outlives its process.

    :param mturk: a boto3 client.
    """

    def __init__(self, scene: Scene, mturk: Any) -> None:
        self._scene = scene
        self._mturk = mturk
        self.saved: dict[str, Any] = {"hits": {}, "answers": {}, "paid": [], "labels": {}}

    @property
    def steps(self) -> list[Any]:
        """The steps, each of which is begun again after a crash."""
        return [self._create, self._collect, self._tidy]

    def _save(self, saved: dict[str, Any]) -> None:
        self.saved = json.loads(json.dumps(saved))

    def _load(self) -> dict[str, Any]:
        return dict(json.loads(json.dumps(self.saved)))

    def _create(self) -> None:
        saved, options = self._load(), self._scene.schedule.batch
        if saved["hits"]:
            return
        for item in self._scene.schedule.items:
            response = self._mturk.create_hit(
                Title="Classify images of flowers",
                Description="Provide the species of iris in each image",
                Keywords="classification, image",
                Reward="0.05",
                MaxAssignments=options["redundancy"]["first"],
                LifetimeInSeconds=int(options["task__lifetime"].removesuffix("s")),
                AssignmentDurationInSeconds=int(options["task__assignment_duration"].removesuffix("s")),
                AutoApprovalDelayInSeconds=30 * 86_400,
                Question=_PAGE % item,
                RequesterAnnotation=annotation(_BATCH, self._scene.run_id, item),
            )
            saved["hits"][item] = response["HIT"]["HITId"]
        self._save(saved)

    def _collect(self) -> None:
        saved = self._load()
        interval = float(self._scene.schedule.batch["polling"]["interval"].removesuffix("s"))
        while len(saved["labels"]) < len(saved["hits"]):
            self._scene.world.advance(interval)
            for item in saved["hits"]:
                if item not in saved["labels"] and (label := self._look_at(saved, item)):
                    saved["labels"][item] = label
            self._save(saved)

    def _look_at(self, saved: dict[str, Any], item: str) -> str | None:
        redundancy, hit_id = self._scene.schedule.batch["redundancy"], saved["hits"][item]
        hit = self._mturk.get_hit(HITId=hit_id)["HIT"]
        votes = Counter(self._approve(saved, item))
        if hit["HITStatus"] != "Reviewable":
            return None
        label, count = max(votes.items(), key=lambda vote: vote[1], default=("unknown", 0))
        if count >= redundancy.get("agree", 2) or hit["MaxAssignments"] >= redundancy["most"]:
            return label
        self._mturk.create_additional_assignments_for_hit(HITId=hit_id, NumberOfAdditionalAssignments=1)
        return None

    def _approve(self, saved: dict[str, Any], item: str) -> list[str]:
        """Approve what is listed of an item; return the labels."""
        labels = []
        response = self._mturk.list_assignments_for_hit(HITId=saved["hits"][item], MaxResults=100)
        for assignment in response["Assignments"]:
            identifier = assignment["AssignmentId"]
            if assignment["AssignmentStatus"] == "Submitted":
                self._mturk.approve_assignment(AssignmentId=identifier)
            if identifier not in saved["paid"]:
                saved["paid"].append(identifier)
            saved["answers"][identifier] = item
            try:
                labels.append(label_of(parse_answer(assignment["Answer"]), "label", LABELS))
            except AnswerError:
                continue
        return labels

    def _tidy(self) -> None:
        """Approve what came late, and delete the HITs that were saved."""
        saved = self._load()
        for item, hit in saved["hits"].items():
            if self._mturk.get_hit(HITId=hit)["HIT"]["HITStatus"] != "Disposed":
                self._approve(saved, item)
                self._save(saved)
                self._mturk.delete_hit(HITId=hit)

    def books(self) -> Books:
        """Return what the script believes."""
        state, redundancy = RunState(), self._scene.schedule.batch["redundancy"]
        for item, hit in self.saved["hits"].items():
            state.add("hits", {"item": item, "hit": hit, "seats": redundancy["first"], "expires": ""})
        for identifier, item in self.saved["answers"].items():
            row = {"assignment": identifier, "item": item, "label": None, "submitted": ""}
            state.add("answers", row)
        for identifier in self.saved["paid"]:
            row = {"assignment": identifier, "item": self.saved["answers"][identifier]}
            state.add("payments", row | {"cents": ANSWER_CENTS})
        return Books(
            batch=_BATCH,
            run_id=self._scene.run_id,
            state=state,
            most=redundancy["most"],
            items=self._scene.schedule.items,
        )


class _Supervised:
    """Begins the script again whenever it died."""

    def __init__(self, scene: Scene, loop: PlainLoop) -> None:
        self.scene = scene
        self.loop = loop
        self.log: list[str] = []
        self.attempts = 0
        self._chance = random.Random(f"simulation {scene.schedule.seed}")

    def run(self) -> bool:
        """Run to the end; return whether it came to it."""
        self.scene.workers.start()
        for step in self.loop.steps:
            while not self._attempt(step):
                if self.attempts > MOST_ATTEMPTS:
                    return False
                self.scene.world.advance(self._chance.uniform(*RETRY_DELAY))
        return True

    def _attempt(self, step: Any) -> bool:
        self.attempts += 1
        if self.attempts == PATIENCE:
            self.scene.calm()
        schedule = self.scene.schedule
        for number, seconds in schedule.jumps:
            if number == self.attempts:
                self.scene.plan.count("clock jumped")
                self.scene.world.advance(seconds)
        fate = schedule.fate(self._chance) if self.attempts < PATIENCE else Fate()
        # who sleeps for long was killed and begun again: nobody runs this script twice at once
        fate = Fate(kill_at=fate.kill_at or fate.sleep_at, after=fate.after)
        process = Process(partial(step), fate, self._chance)
        process.resume()
        if isinstance(process.error, Killed):
            self.scene.plan.count(f"killed {'after' if fate.after else 'before'} an effect")
        end = "done" if process.error is None else repr(process.error)
        self.log.append(f"{self.scene.world.now():%d %H:%M:%S} {step.__name__}: {end}")
        return process.error is None


def play_plainly(stage: Stage, schedule: Schedule, *, sockets: bool = False) -> Played:
    """Let the plain loop do the work under a schedule, and judge what became of it."""
    with stage.playing(schedule, sockets=sockets) as scene:
        loop = PlainLoop(scene, stage.client)
        supervised = _Supervised(scene, loop)
        finished = supervised.run()
        scene.calm()
        verdict = check(scene.store, ACCOUNT, [loop.books()])
        if not finished:
            verdict.problems.append(f"still not done after {supervised.attempts} attempts")
        return Played(
            seed=schedule.seed,
            verdict=verdict,
            injected=scene.plan.injected,
            log=supervised.log,
            calls=scene.plan.calls,
            attempts=supervised.attempts,
        )
