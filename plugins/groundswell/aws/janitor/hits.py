"""The HITs of a run that is over, at the workforce and in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from botocore.exceptions import ClientError

from groundswell.aws.deployment import is_ours
from groundswell.aws.exceptions import turk_message
from groundswell.aws.janitor.findings import Finding, Kind
from groundswell.aws.janitor.house import Hit, House, answers_there, is_open
from groundswell.aws.runs import LabelingRun
from groundswell.ledger import RunState, annotation, request_token
from groundswell.ledger.shards import read_items


class HitSurvey:
    """
    Holds the HITs of one run at the workforce against its ledger.

    :param house: the batch.
    :param run: a run that is over.
    :param state: its folded ledger.
    """

    def __init__(self, house: House, run: LabelingRun, state: RunState) -> None:
        self.house = house
        self.run = run
        self.state = state
        marked = {hit["HITId"]: hit for hit in house.hits.get(run.key, ())}
        recorded = {row["hit"] for row in state.hits.values()}
        self.there = {name: hit for name, hit in marked.items() if name in recorded or is_ours(run, hit)}
        if foreign := len(marked) - len(self.there):
            house.notes.append(
                f"run {run.run_id}: {foreign} HITs are left alone: they are of another deployment that has "
                "this batch name and run id"
            )

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the run's HITs."""
        recorded = {row["hit"]: item for item, row in self.state.hits.items()}
        for name, hit in self.there.items():
            item = recorded.get(name)
            if item is None:
                yield self._unrecorded(hit)
            elif item in self.state.deleted:
                yield self._extra(item, hit, "the ledger says that it is deleted, and it is there")
        yield from self._recorded()

    def _recorded(self) -> Iterator[Finding]:
        undeleted, over = 0, self.house.lapsed(self.run.run_id)
        for item, row in self.state.hits.items():
            if item in self.state.deleted:
                continue
            hit = self.there.get(row["hit"]) or hit_or_gone(self.run, row["hit"])
            if isinstance(hit, str):
                yield self._zombie(item, row["hit"], hit)
                continue
            if found := self._owing(item, hit):
                yield found
            # What was never decided has had its time once the claims lapse: nobody clears the run any more
            undeleted += item in self.state.outcomes or over
        if undeleted:
            yield self._undeleted(undeleted)

    # what the ledger does not have

    @cached_property
    def _marks(self) -> dict[str, str]:
        """The annotation of every item of the run -> the item."""
        items = read_items(self.run.ledger).keys() | self.state.hits.keys()
        return {annotation(self.house.name, self.run.run_id, item): item for item in items}

    def _unrecorded(self, hit: Hit) -> Finding:
        item = self._marks.get(hit["RequesterAnnotation"])
        if item is None:
            return self._finding(
                Kind.ORPHAN_HIT,
                hit["HITId"],
                what="a HIT about an item that the run never had",
                evidence=f"annotation {hit['RequesterAnnotation']}; no such item in the ledger's shards",
                repair=None,
                safe=False,
            )
        if item in self.state.hits:
            other = self.state.hits[item]["hit"]
            return self._extra(item, hit, f"the ledger has HIT {other} for this item")
        token = request_token(self.house.name, self.run.run_id, item, "publish", 0)
        intended = self.state.intents.get(token)
        return self._finding(
            Kind.ORPHAN_HIT,
            hit["HITId"],
            item=item,
            what=f"a HIT that the ledger does not have, {doing(hit)}",
            evidence=f"intended at {intended}" if intended else "the ledger has no intent for it either",
            repair="record it in the run's ledger, pay what it got, take it off the market",
            safe=intended is not None,
        )

    def _extra(self, item: str, hit: Hit, evidence: str) -> Finding:
        return self._finding(
            Kind.SECOND_HIT,
            hit["HITId"],
            item=item,
            what=f"a HIT that should not be, {doing(hit)}",
            evidence=evidence,
            repair="pay and record what it got, take it off the market, delete it",
        )

    # what the ledger has

    def _zombie(self, item: str, name: str, how: str) -> Finding:
        # "Does not exist" is also what another account says, or a workforce that was made anew
        sure = how == "Disposed" or bool(self.there)
        outcome = self.state.outcomes.get(item)
        return self._finding(
            Kind.ZOMBIE,
            name,
            item=item,
            what="a HIT of the ledger that is gone" + ("" if outcome else "; its item was not decided"),
            evidence=f"GetHIT: {how}"
            + ("" if sure else "; no HIT of the run is in this account: is it the one that published it?"),
            repair="record that it is gone" + ("" if outcome else ", and give its item back"),
            safe=sure,
        )

    def _owing(self, item: str, hit: Hit) -> Finding | None:
        """Return what is open or owed at a HIT of the ledger."""
        owed = owed_words(self.run, self.state, item, hit)
        decided = item in self.state.outcomes
        if is_open(hit) and not decided:
            return self._finding(
                Kind.OPEN_HIT,
                hit["HITId"],
                item=item,
                what="workers can still take it, and the run is over",
                evidence="; ".join(filter(None, [doing(hit), owed])),
                repair="pay what it got, take it off the market",
            )
        if not owed:
            return None
        return self._finding(
            Kind.MISSED_APPROVAL if decided else Kind.EXPIRED_WITH_WORK,
            hit["HITId"],
            item=item,
            what="answers that the run did not take" if not decided else "answers that were missed",
            evidence=owed,
            repair="record and pay them",
        )

    def _undeleted(self, count: int) -> Finding:
        return self._finding(
            Kind.UNDELETED_HITS,
            "",
            what=f"{count} HITs of which nothing more is wanted",
            evidence="their items are decided or had their time, and the ledger has no deletion",
            repair="pay what is owed, delete them",
        )

    def _finding(self, kind: Kind, name: str, **members: object) -> Finding:
        return Finding(kind, self.house.name, run=self.run.run_id, name=name, **members)  # type: ignore[arg-type]


def hit_or_gone(run: LabelingRun, name: str) -> Hit | str:
    """Return a HIT (the list of all HITs lags behind), or how the workforce says that it is gone."""
    try:
        hit = run.mturk.get_hit(name)
    except ClientError as error:
        if "does not exist" in turk_message(error):
            return "does not exist"
        raise
    return "Disposed" if hit["HITStatus"] == "Disposed" else hit


def doing(hit: Hit) -> str:
    """Return what the workforce says of a HIT, in a few words."""
    there, ended = answers_there(hit)
    return f"{hit['HITStatus']}, {there} of {hit['MaxAssignments']} answers, {ended} reviewed"


def owed_words(run: LabelingRun, state: RunState, item: str, hit: Hit) -> str:
    """Return what of a HIT's answers is not recorded or not paid, in words; "" for nothing."""
    name = hit["HITId"]
    own = state.hits[item]["hit"] if item in state.hits else name
    answers = [row for row in state.answers_of(item) if row.get("hit", own) == name]
    ended = [row for row in answers if _is_ended(state, row["assignment"])]
    if answers_there(hit) == (len(answers), len(ended)) and len(answers) == len(ended):
        return ""  # all there are are recorded and dealt with: the answers need not be listed
    there = run.mturk.assignments(name)
    unpaid = [each for each in there if each["AssignmentStatus"] == "Submitted"]
    approved = [each for each in there if each["AssignmentStatus"] == "Approved"]
    counts = {
        "not paid": len(unpaid),
        "paid and not in the ledger": sum(each["AssignmentId"] not in state.payments for each in approved),
        "not recorded": sum(each["AssignmentId"] not in state.answers for each in there),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _is_ended(state: RunState, assignment: str) -> bool:
    return assignment in state.payments or assignment in state.rejections
