"""Stars of organizations: every fact at its edge, undetermined without an evaluation, reasons as a tree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import volunteerkit
from volunteerkit import (
    Actor,
    Claim,
    Grant,
    KeyCipher,
    Kit,
    Refused,
    fixed_clock,
    hours,
    organizations,
    projects,
    rating,
    volunteers,
)
from volunteerkit.errors import InvalidValue, NotFound, RulebookError
from volunteerkit.rules import Rulebook

LADDER = Path(__file__).with_name("organization_star.toml")
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
BEGUN = dt.date(2025, 1, 1)
LATER = dt.date(2026, 1, 1)

At = Callable[..., Any]


@pytest.fixture
def at(database_url: str) -> Iterator[At]:
    engine = volunteerkit.create_engine(database_url)
    kit = Kit.load(LADDER, cipher=KeyCipher(bytes(32)))
    kit.migrate(engine)

    def run(day: dt.date, actor: Actor, verb: Callable[..., Any], *given: Any, **named: Any) -> Any:
        noon = dt.datetime.combine(day, dt.time(4), dt.UTC)
        with attrs.evolve(kit, clock=fixed_clock(noon)).open(engine, actor) as desk:
            return verb(desk, *given, **named)

    for number in ("O1", "O2"):
        run(BEGUN, CENTRE, organizations.register, number, name=number)
        run(BEGUN, CENTRE, projects.register, f"P-{number}", name="宣传", organization=number)
    run(BEGUN, CENTRE, projects.register, "P2", name="护河", organization="O1")
    for number in ("V1", "V2"):
        run(BEGUN, CENTRE, volunteers.admit, name="兰", organization="O1", number=number)
    yield run
    engine.dispose()


def served(at: At, volunteer: str, project: str, minutes: int, day: dt.date = BEGUN) -> None:
    made = at(day, CENTRE, hours.record, Claim(volunteer, project, day, minutes))
    at(day, SECOND, hours.confirm, made.record_id)


def test_an_organization_rises_by_what_its_volunteers_served(at: At) -> None:
    served(at, "V1", "P-O1", 90)
    served(at, "V2", "P-O1", 89)
    served(at, "V2", "P-O2", 500)  # with another organization
    rated = at(LATER, ADMIN, rating.rate_organization, "O1")
    facts = dict(rated.assessment.facts)
    assert (rated.assessment.grade, facts["credited_minutes"], facts["members_served"]) == (0, 179, 2)
    served(at, "V2", "P2", 1, LATER)
    unknown = at(LATER, ADMIN, rating.rate_organization, "O1").assessment
    assert (unknown.grade, unknown.missing) == (None, ("evaluation_score",))
    at(LATER, CENTRE, rating.evaluate_organization, "O1", 79)
    assert at(LATER, ADMIN, rating.rate_organization, "O1").assessment.grade == 1
    at(LATER, CENTRE, rating.evaluate_organization, "O1", 80)
    done = at(LATER, ADMIN, rating.rate_organization, "O1").assessment
    assert done.grade == 2
    assert dict(done.facts) == {
        "credited_minutes": 180, "members_served": 2, "projects": 2, "evaluation_score": 80,
        "registered_days": 365, "service_records": 3,
    }  # fmt: skip
    told = done.explain("en")
    assert "two stars" in told
    assert "✓ members_served >= 2  [members_served = 2]" in told
    assert "points of the last evaluation" in told
    before = at(LATER, ADMIN, rating.rate_organization, "O1", as_of=BEGUN).assessment
    assert (before.grade, dict(before.facts)["credited_minutes"]) == (0, 179)


def test_who_may_rate_and_evaluate(at: At) -> None:
    with pytest.raises(NotFound):
        at(LATER, ADMIN, rating.rate_organization, "O2")
    both = Actor("centre-9", (Grant("centre"), Grant("organization_admin", "O1")))
    with pytest.raises(Refused):
        at(LATER, both, rating.evaluate_organization, "O1", 100)
    for score in (-1, 101, True, 80.0, "80"):
        with pytest.raises(InvalidValue):
            at(LATER, CENTRE, rating.evaluate_organization, "O1", score)
    with pytest.raises(InvalidValue):
        at(BEGUN, CENTRE, rating.evaluate_organization, "O1", 80, on=LATER)
    at(LATER, CENTRE, rating.evaluate_organization, "O1", 80, on=BEGUN)
    found = at(LATER, ADMIN, rating.evaluations, "O1")
    assert [(each.score, each.on, each.actor_id) for each in found] == [(80, BEGUN, "centre-1")]


def test_a_city_without_such_a_ladder_is_told_so() -> None:
    engine = volunteerkit.create_engine("sqlite://")
    kit = Kit.load()
    kit.migrate(engine)
    with kit.open(engine, CENTRE) as desk:
        organizations.register(desk, "O1", name="联合会")
        with pytest.raises(InvalidValue, match="organization_star"):
            rating.rate_organization(desk, "O1")
    engine.dispose()


def test_a_volunteers_ladder_cannot_ask_for_an_organizations_facts() -> None:
    text = LADDER.read_text("utf-8")
    with pytest.raises(RulebookError):
        Rulebook.loads(text.replace("organization_star", "star"))
