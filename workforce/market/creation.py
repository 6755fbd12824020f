"""CreateHITType, CreateHIT, CreateHITWithHITType."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from workforce.market import limits
from workforce.market.accounts import is_funded
from workforce.market.errors import NotImplementedYet, unknown
from workforce.market.hit import Hit
from workforce.market.ids import new_id
from workforce.market.money import fee_cents
from workforce.market.qualification_types import check_requirements
from workforce.market.qualifications import normalise
from workforce.market.question import parse_question
from workforce.market.records import state_of
from workforce.market.shapes import SHOWN_COLUMNS, Shown, shape_of
from workforce.market.tokens import Tokens
from workforce.market.unit import Context, Unit
from workforce.store.tables import hit_types, hits, questions
from workforce.store.times import SECOND_MS, whole_second_ms

_TYPE = select(
    hit_types.c.hit_type_id,
    hit_types.c.reward_cents,
    hit_types.c.duration_s,
    hit_types.c.auto_approval_s,
    *SHOWN_COLUMNS,
)
_TYPE_BY_ID = _TYPE.where(
    hit_types.c.hit_type_id == bindparam("hit_type_id"), hit_types.c.account_id == bindparam("account")
)
_TYPE_BY_DIGEST = _TYPE.where(
    hit_types.c.digest == bindparam("digest"), hit_types.c.account_id == bindparam("account")
)
_LATER = ("HITLayoutId", "HITLayoutParameters", "AssignmentReviewPolicy", "HITReviewPolicy")


@dataclass(frozen=True)
class _Properties:
    """What makes a HIT type: two with the same values are one type."""

    title: str
    description: str
    keywords: str | None
    reward_cents: int
    duration_s: int
    auto_approval_s: int
    requirements: str

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> _Properties:
        return cls(
            title=limits.text(params, "Title", 128),
            description=limits.text(params, "Description", 2000),
            keywords=limits.optional_text(params, "Keywords", 1000),
            reward_cents=limits.dollar_cents(params, "Reward"),
            duration_s=limits.whole(params, "AssignmentDurationInSeconds", limits.SHORTEST_S, limits.YEAR_S),
            auto_approval_s=limits.whole(
                params, "AutoApprovalDelayInSeconds", 0, limits.MONTH_S, limits.MONTH_S
            ),
            requirements=json.dumps(normalise(params.get("QualificationRequirements"))),
        )

    @property
    def digest(self) -> str:
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Wish:
    """The part of a request that makes one HIT."""

    question: str
    lifetime_s: int
    seats: int
    annotation: str | None
    token: str | None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> _Wish:
        for name in _LATER:
            if params.get(name):
                raise NotImplementedYet(name)
        question = limits.question_text(params)
        parse_question(question)
        return cls(
            question=question,
            lifetime_s=limits.whole(params, "LifetimeInSeconds", limits.SHORTEST_S, limits.YEAR_S),
            seats=limits.whole(params, "MaxAssignments", 1, limits.MOST_ASSIGNMENTS, 1),
            annotation=limits.optional_text(params, "RequesterAnnotation", 255),
            token=limits.token(params),
        )


@dataclass(frozen=True)
class _Type:
    hit_type_id: str
    reward_cents: int
    duration_s: int
    auto_approval_s: int
    shown: Shown

    @classmethod
    def of(cls, row: Any) -> _Type:
        hit_type_id, reward_cents, duration_s, auto_approval_s, *shown = row
        return cls(hit_type_id, reward_cents, duration_s, auto_approval_s, Shown(*shown))


class Creation:
    """Makes HIT types and HITs."""

    def __init__(self, context: Context, tokens: Tokens) -> None:
        self._context = context
        self._tokens = tokens

    def hit_type(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """CreateHITType: identical properties give the type that exists."""
        properties = _Properties.of(params)
        with self._context.unit(now_ms) as unit:
            is_funded(unit.connection, account)
            check_requirements(unit.connection, account, properties.requirements)
            return {"HITTypeId": self._type_of(unit, account, properties).hit_type_id}

    def hit(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """CreateHIT: makes the type on the way, unless it exists."""
        properties, wish = _Properties.of(params), _Wish.of(params)
        with self._context.unit(now_ms) as unit:
            funded = is_funded(unit.connection, account)
            hit_type = self._type_of(unit, account, properties)
            return self._make(unit, account, "CreateHIT", hit_type, wish, funded=funded)

    def hit_with_type(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """CreateHITWithHITType."""
        wish = _Wish.of(params)
        type_id = limits.object_id(params, "HITTypeId")
        with self._context.unit(now_ms) as unit:
            funded = is_funded(unit.connection, account)
            row = unit.connection.execute(_TYPE_BY_ID, {"hit_type_id": type_id, "account": account}).first()
            if row is None:
                raise unknown("HITType", type_id)
            return self._make(unit, account, "CreateHITWithHITType", _Type.of(row), wish, funded=funded)

    def _type_of(self, unit: Unit, account: str, properties: _Properties) -> _Type:
        key = {"digest": properties.digest, "account": account}
        row = unit.connection.execute(_TYPE_BY_DIGEST, key).first()
        if row is None:
            self._insert_type(unit, account, properties)
            row = unit.connection.execute(_TYPE_BY_DIGEST, key).one()
        return _Type.of(row)

    def _insert_type(self, unit: Unit, account: str, properties: _Properties) -> None:
        unit.connection.execute(
            self._context.store.insert(hit_types)
            .values(
                hit_type_id=new_id(),
                account_id=account,
                digest=properties.digest,
                group_id=new_id(),
                guarded=properties.requirements != "[]",
                created_ms=unit.now_ms,
                **asdict(properties),
            )
            .on_conflict_do_nothing()
        )

    def _make(
        self, unit: Unit, account: str, operation: str, hit_type: _Type, wish: _Wish, *, funded: bool
    ) -> dict[str, Any]:
        hit_id = new_id()
        self._tokens.claim_hit(unit, account, operation, wish.token, hit_id)
        check_requirements(unit.connection, account, hit_type.shown.requirements)
        # whole seconds, so that the times a client reads and sends back are the times we hold
        created_ms = whole_second_ms(unit.now_ms)
        hit = Hit(
            seq=0,
            hit_id=hit_id,
            account_id=account,
            hit_type_id=hit_type.hit_type_id,
            created_ms=created_ms,
            expiration_ms=created_ms + wish.lifetime_s * SECOND_MS,
            reward_cents=hit_type.reward_cents,
            fee_cents=fee_cents(hit_type.reward_cents, wish.seats),
            funded=funded,
            created_seats=wish.seats,
            max_assignments=wish.seats,
            pending=0,
            submitted=0,
            approved=0,
            rejected=0,
            expired=False,
            reviewing=False,
            reviewable_ms=None,
            deleted_ms=None,
            annotation=wish.annotation,
            duration_s=hit_type.duration_s,
            auto_approval_s=hit_type.auto_approval_s,
        )
        hit.seq = self._insert_hit(unit.connection, hit)
        unit.connection.execute(insert(questions), {"hit_seq": hit.seq, "body": wish.question})
        unit.hold(hit, hit.liability_cents, unit.now_ms)
        return {"HIT": shape_of(hit, hit_type.shown, wish.question)}

    def _insert_hit(self, connection: Connection, hit: Hit) -> int:
        fixed = ("hit_id", "account_id", "hit_type_id", "created_ms", "reward_cents", "fee_cents", "funded")
        columns = {name: getattr(hit, name) for name in (*fixed, "created_seats", "annotation")}
        columns |= state_of(hit, self._context.settings)
        return int(connection.execute(insert(hits).returning(hits.c.seq), columns).scalar_one())
