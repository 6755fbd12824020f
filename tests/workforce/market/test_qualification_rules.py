from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from workforce.market import Refused, RequestError
from workforce.market.qualifications import WorkerRecord, meets, normalise
from workforce.store.tables import workers

APPROVED, PERCENT, LOCALE = "00000000000000000040", "000000000000000000L0", "00000000000000000071"
US = {"Country": "US"}


def need(type_id: str, comparator: str, *values: int, **more: Any) -> dict[str, Any]:
    integers = {"IntegerValues": list(values)} if values else {}
    return {"QualificationTypeId": type_id, "Comparator": comparator, **integers, **more}


def test_defaults_are_filled_in() -> None:
    assert normalise(None) == normalise([]) == []
    assert normalise([need(APPROVED, "GreaterThan", 5)]) == [
        need(APPROVED, "GreaterThan", 5, RequiredToPreview=False, ActionsGuarded="Accept")
    ]
    (found,) = normalise([need(LOCALE, "In", LocaleValues=[US], RequiredToPreview=True)])
    assert (found["ActionsGuarded"], found["LocaleValues"]) == ("PreviewAndAccept", [US])


@pytest.mark.parametrize(
    "requirement",
    [
        need(APPROVED, "Exists", 1),
        need(APPROVED, "DoesNotExist", LocaleValues=[US]),
        need(APPROVED, "EqualTo"),
        need(APPROVED, "EqualTo", 1, 2),
        need(APPROVED, "GreaterThan", 1, LocaleValues=[US]),
        need(APPROVED, "In", *range(16)),
        need(LOCALE, "NotIn", LocaleValues=[US] * 31),
        need(LOCALE, "EqualTo", LocaleValues=[US] * 2),
        need(LOCALE, "GreaterThan", LocaleValues=[US]),
        need(APPROVED, "Like", 1),
        need("", "Exists"),
        need(APPROVED, "Exists", ActionsGuarded="Sleep"),
        need(APPROVED, "Exists", ActionsGuarded="Accept", RequiredToPreview=True),
        "Exists",
    ],
)
def test_bad_requirements_are_named(requirement: Any) -> None:
    with pytest.raises(RequestError, match=r"^QualificationRequirements\[1\]"):
        normalise([need(APPROVED, "Exists"), requirement])


def test_at_most_ten() -> None:
    assert len(normalise([need(APPROVED, "Exists")] * 10)) == 10
    with pytest.raises(RequestError, match="at most 10"):
        normalise([need(APPROVED, "Exists")] * 11)


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        (need(APPROVED, "GreaterThan", 90), False),
        (need(APPROVED, "GreaterThanOrEqualTo", 90), True),
        (need(APPROVED, "LessThan", 90), False),
        (need(APPROVED, "LessThanOrEqualTo", 90), True),
        (need(APPROVED, "EqualTo", 90), True),
        (need(APPROVED, "NotEqualTo", 90), False),
        (need(APPROVED, "In", 1, 90), True),
        (need(APPROVED, "NotIn", 1, 90), False),
        (need(APPROVED, "Exists"), True),
        (need(APPROVED, "DoesNotExist"), False),
        (need(PERCENT, "GreaterThanOrEqualTo", 75), True),
        (need(PERCENT, "GreaterThan", 75), False),
        (need(LOCALE, "EqualTo", LocaleValues=[US]), False),
        (need(LOCALE, "NotEqualTo", LocaleValues=[US]), False),
        (need("3SOMETHINGELSE", "Exists"), False),
        (need("3SOMETHINGELSE", "DoesNotExist"), True),
        (need("3SOMETHINGELSE", "NotEqualTo", 1), False),
        (need("3SOMETHINGELSE", "NotIn", 1), False),
        (need(LOCALE, "DoesNotExist"), False),
        (need("3GRANTED", "DoesNotExist"), False),
        (need("3GRANTED", "Exists"), True),
        (need("3GRANTED", "EqualTo", 7), True),
        (need("3GRANTED", "NotEqualTo", 7), False),
        (need("3GRANTED", "LessThan", 7), False),
        (need("3GRANTED", "LessThanOrEqualTo", 7), True),
        (need("3GRANTED", "GreaterThan", 6), True),
        (need("3GRANTED", "GreaterThanOrEqualTo", 8), False),
        (need("3GRANTED", "In", 6, 7), True),
        (need("3GRANTED", "NotIn", 6, 8), True),
    ],
)
def test_what_a_worker_meets(requirement: dict[str, Any], met: bool) -> None:
    record = WorkerRecord(submitted=120, approved=90, granted={"3GRANTED": 7})
    assert meets(normalise([requirement]), record, "accept") is met
    assert meets(normalise([need(APPROVED, "Exists"), requirement]), record, "accept") is met


def test_the_percentage_counts_as_100_until_100_submissions() -> None:
    requirement = normalise([need(PERCENT, "EqualTo", 100)])
    assert meets(requirement, WorkerRecord(submitted=99, approved=0), "accept")
    assert not meets(requirement, WorkerRecord(submitted=100, approved=99), "accept")


def test_guarded_work_is_neither_offered_nor_given(desk: Any) -> None:
    open_type = desk.hit_type()
    expert = desk.hit_type(QualificationRequirements=[need(APPROVED, "GreaterThan", 9)])
    local = desk.hit_type(QualificationRequirements=[need(LOCALE, "EqualTo", LocaleValues=[US])])
    hits = {
        name: desk.hit(1, hit_type=t) for name, t in (("open", open_type), ("expert", expert), ("us", local))
    }
    desk.market.workers.ensure_worker("AWA")

    def offered() -> set[str]:
        return {listing.hit_id for listing in desk.market.workers.available("AWA")}

    assert offered() == {hits["open"]}
    for name in ("expert", "us"):
        with pytest.raises(Refused) as caught:
            desk.market.workers.accept("AWA", hits[name])
        assert caught.value.reason == "not_qualified"
    with desk.market.store.write() as connection:
        connection.execute(update(workers).values(approved=10, submitted=10))
    assert offered() == {hits["open"], hits["expert"]}
    assert desk.market.workers.accept("AWA", hits["expert"]).status == "Accepted"
    (shown,) = desk.show(hits["us"])["QualificationRequirements"]
    assert shown == need(
        LOCALE, "EqualTo", LocaleValues=[US], RequiredToPreview=False, ActionsGuarded="Accept"
    )


GUARDS = {
    "Accept": {"discover", "preview"},
    "PreviewAndAccept": {"discover"},
    "DiscoverPreviewAndAccept": set(),
}


@pytest.mark.parametrize(("guard", "left"), GUARDS.items())
def test_a_guard_holds_for_its_actions_alone(desk: Any, guard: str, left: set[str]) -> None:
    requirement = need(APPROVED, "GreaterThan", 9, ActionsGuarded=guard)
    guarded = desk.hit(hit_type=desk.hit_type(QualificationRequirements=[requirement]))
    free = desk.hit()
    service = desk.market.workers
    service.ensure_worker("AWA")

    def seen() -> dict[str, bool]:
        return {listing.hit_id: listing.qualified for listing in service.discover("AWA")}

    assert {
        action for action in ("discover", "preview", "accept") if service.may("AWA", guarded, action)
    } == left
    assert seen() == ({guarded: False, free: True} if "discover" in left else {free: True})
    assert [listing.hit_id for listing in service.available("AWA")] == [free]
    assert all(service.may("AWA", free, action) for action in ("discover", "preview", "accept"))
    with desk.market.store.write() as connection:
        connection.execute(update(workers).values(approved=10, submitted=10))
    assert seen() == {guarded: True, free: True}
    assert all(service.may("AWA", guarded, action) for action in ("discover", "preview", "accept"))


def test_the_strictest_of_several_guards_counts() -> None:
    weak, strong = (
        need(APPROVED, "GreaterThan", 9, ActionsGuarded=guard) for guard in ("Accept", "PreviewAndAccept")
    )
    record = WorkerRecord(submitted=1, approved=1)
    requirements = normalise([weak, strong])
    assert [meets(requirements, record, a) for a in ("discover", "preview", "accept")] == [True, False, False]


def test_what_may_be_done_with_no_hit_is_refused(desk: Any) -> None:
    desk.market.workers.ensure_worker("AWA")
    with pytest.raises(Refused):
        desk.market.workers.may("AWA", "3NONE", "preview")
