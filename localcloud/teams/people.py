"""The workers of a plan: who they are, and what they are like at work."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from localcloud.teams.plan import Plan, Team

_GIVEN = """
    Ada Amara Anjali Anton Ayesha Björn Camila Chidi Chloé Dmitri Elif Emeka Esi Farid Fatima Grace
    Hanna Hugo Imani Ines Ivan Jakob Joana José Kavya Kofi Lena Liam Łukasz Maja Mateo Mei Mina
    Nadia Naveen Noor Olga Omar Priya Rafael Rosa Samir Sanna Tomás Uma Viktor Yara Yuki Zoë Zuri
""".split()  # noqa: SIM905  # a list would take a page
_FAMILY = """
    Adeyemi Akinola Almeida Andersen Banerjee Becker Bonsu Castro Costa Das Diaz Dlamini Dubois
    Eriksen Fernandes Fischer Gupta Hansen Haddad Ito Iyer Jansen Kamau Khan Kowalska Kumar
    Lindqvist Lopez Malik Mensah Meyer Moreau Nair Nguyen Novák O'Neill Okafor Oliveira Owusu
    Petrov Quiroga Rao Reyes Rossi Santos Schäfer Silva Tanaka Varga Weber
""".split()  # noqa: SIM905  # a list would take a page
_NAMESPACE = uuid.UUID("6b0f4b0e-6a53-4c53-9a1f-5f0a9d0b7c11")


@dataclass(frozen=True)
class Person:
    """One worker. ``number`` counts through all teams; ``sub`` is the id that Cognito gave.

    ``speed`` multiplies the time that tasks take, ``evenness`` their spread, ``stamina`` the time spent
    labelling; ``care`` multiplies how often tasks are declined or returned. ``oddities`` are those that
    the worker has for good.
    """

    number: int
    team: Team
    username: str
    given_name: str
    family_name: str
    worker_id: str
    sub: str
    speed: float
    evenness: float
    stamina: float
    care: float
    oddities: frozenset[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        """Full name."""
        return f"{self.given_name} {self.family_name}"

    @property
    def email(self) -> str:
        """An address that reaches nobody (RFC 2606)."""
        return f"{self.username}@labelers.example"


@lru_cache(maxsize=8)
def zone_of(team: Team) -> ZoneInfo:
    """Return the time zone of a team."""
    return ZoneInfo(team.time_zone)


def people_of(plan: Plan, subs: dict[str, str] | None = None) -> tuple[Person, ...]:
    """Return the workers of a plan, the same at every call.

    ``subs`` are the ids that Cognito gave, by user name; without it they are made up from the seed.
    """
    rng = np.random.default_rng([plan.seed, 1])
    count = plan.workers
    names = _names(count, rng)
    speed = np.exp(rng.normal(0, 0.22, count))
    evenness = rng.uniform(0.75, 1.2, count)
    stamina = np.exp(rng.normal(0, 0.18, count))
    care = np.exp(rng.normal(0, 0.5, count))
    odd = _odd(plan)
    people = []
    teams = [team for team in plan.teams for _ in range(team.workers)]
    for number, team in enumerate(teams):
        given, family, username = names[number]
        oddities = frozenset(odd.get(number, ()))
        made_up = str(uuid.uuid5(_NAMESPACE, f"{plan.pool}/{plan.seed}/{username}"))
        people.append(
            Person(
                number=number,
                team=team,
                username=username,
                given_name=given,
                family_name=family,
                worker_id=hashlib.sha256(f"{plan.pool}/{plan.seed}/{username}".encode()).hexdigest()[:16],
                sub=(subs or {}).get(username, made_up),
                speed=float(speed[number]) * (0.1 if "too_fast" in oddities else 1.0),
                evenness=float(evenness[number]) * (0.02 if "too_uniform" in oddities else 1.0),
                stamina=float(stamina[number]),
                care=float(care[number]),
                oddities=oddities,
            )
        )
    return tuple(people)


def dropping(plan: Plan, week: int) -> frozenset[int]:
    """Return the numbers of the workers who stop on Thursday of a week (days since year 1, by 7).

    They are not odd otherwise, as long as there are such.
    """
    odd = _odd(plan)
    steady = [number for number in range(plan.workers) if number not in odd] or list(odd)
    chosen = min(plan.oddities.sudden_drop, len(steady))
    rng = np.random.default_rng([plan.seed, 2, week])
    return frozenset(int(n) for n in rng.choice(steady, chosen, replace=False))


def _odd(plan: Plan) -> dict[int, list[str]]:
    chosen = iter(np.random.default_rng([plan.seed, 5]).permutation(plan.workers))
    kinds = ("too_fast", "too_uniform", "deleted", "clock_skew")
    return {int(next(chosen)): [kind] for kind in kinds for _ in range(getattr(plan.oddities, kind))}


def _names(count: int, rng: np.random.Generator) -> list[tuple[str, str, str]]:
    pairs = rng.permutation(len(_GIVEN) * len(_FAMILY))
    names = []
    for number in range(count):
        again, position = divmod(number, len(pairs))
        given, family = divmod(int(pairs[position]), len(_FAMILY))
        username = f"{_plain(_GIVEN[given])}.{_plain(_FAMILY[family])}" + (f"{again + 1}" if again else "")
        names.append((_GIVEN[given], _FAMILY[family], username))
    return names


_LETTERS = str.maketrans({"ö": "o", "é": "e", "Ł": "L", "á": "a", "ë": "e", "ä": "a", "'": ""})


def _plain(name: str) -> str:
    return name.translate(_LETTERS).lower()
