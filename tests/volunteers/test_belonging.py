"""Members and leaders of teams: asked, taken in, appointed, gone; one leader always stays."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import (
    Actor,
    Application,
    Grant,
    Refused,
    approvals,
    organizations,
    personal,
    volunteers,
)
from volunteerkit.errors import NotFound, NotPermitted, VolunteerkitError
from volunteerkit.organizations import teams
from volunteerkit.organizations.tables import team
from volunteerkit.store.desk import Desk

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
LEADER = Actor("leader-1", (Grant("team_leader", "T1"),))
STRANGER = Actor("leader-2", (Grant("team_leader", "T2"),))
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
FOREIGN = Actor("admin-2", (Grant("organization_admin", "O2"),))
FOREIGN_LEADER = Actor("leader-3", (Grant("team_leader", "T3"),))


@pytest.fixture
def city(city: Any) -> Any:
    def begin(desk: Desk) -> None:
        for number in ("O1", "O2"):
            organizations.register(desk, number, name=f"{number}联合会")
        for id_, owner, status in (
            (1, 1, "approved"),
            (2, 1, "approved"),
            (3, 2, "approved"),
            (4, None, "approved"),
            (5, 1, "pending"),
        ):
            desk.connection.execute(
                sa.insert(team).values(
                    id=id_,
                    number=f"T{id_}",
                    name=f"{id_}队",
                    area="渝水区",
                    organization_id=owner,
                    status=status,
                )
            )
        for number in ("V1", "V2"):
            volunteers.register(desk, Application("兰", "O1", consent_on=MONDAY), number=number)

    city.at(MONDAY, CENTRE, begin)
    for number in ("V1", "V2"):
        city.at(MONDAY, SECOND, lambda desk, number=number: volunteers.approve(desk, number))
    return city


def inside(city: Any, day: dt.date = MONDAY) -> list[tuple[str, str]]:
    found = city.at(day, CENTRE, lambda desk: volunteers.members(desk, "T1", on=day))
    return [(each.volunteer, each.role) for each in found]


def test_who_asks_is_taken_in_by_the_leader(city: Any) -> None:
    own = Actor("citizen-1", (Grant("volunteer"),), volunteer="V1")
    case = city.at(MONDAY, own, lambda desk: volunteers.ask_to_join(desk, "V1", "T1"))
    assert inside(city) == []
    with pytest.raises(Refused):  # two pending
        city.at(MONDAY, own, lambda desk: volunteers.ask_to_join(desk, "V1", "T1"))
    with pytest.raises(NotFound):  # another team's leader sees nothing of it
        city.at(MONDAY, STRANGER, lambda desk: approvals.decide(desk, case.id, "approve"))
    city.at(MONDAY, LEADER, lambda desk: approvals.decide(desk, case.id, "approve"))
    assert inside(city) == [("V1", "member")]
    with pytest.raises(Refused):
        city.at(MONDAY, own, lambda desk: volunteers.ask_to_join(desk, "V1", "T1"))
    with pytest.raises(NotFound):
        city.at(MONDAY, own, lambda desk: volunteers.ask_to_join(desk, "V2", "T1"))


def test_leaving_and_coming_back_keeps_the_days(city: Any) -> None:
    later = MONDAY + dt.timedelta(10)
    city.at(MONDAY, ADMIN, lambda desk: volunteers.add_to_team(desk, "V1", "T1"))
    city.at(later, LEADER, lambda desk: volunteers.leave_team(desk, "V1", "T1"))
    assert [inside(city, day) for day in (MONDAY, later - dt.timedelta(1), later)] == [
        [("V1", "member")], [("V1", "member")], [],
    ]  # fmt: skip
    with pytest.raises(Refused):
        city.at(later, ADMIN, lambda desk: volunteers.leave_team(desk, "V1", "T1"))
    with pytest.raises(NotFound):  # who is gone is out of the leader's reach
        city.at(later, LEADER, lambda desk: volunteers.leave_team(desk, "V1", "T1"))
    city.at(later, ADMIN, lambda desk: volunteers.add_to_team(desk, "V1", "T1"))
    roles = city.at(later, CENTRE, lambda desk: volunteers.memberships(desk, "V1"))
    assert [(each.role, each.since, each.until) for each in roles if each.team] == [
        ("member", MONDAY, later - dt.timedelta(1)),
        ("member", later, None),
    ]


def test_a_team_keeps_a_leader(city: Any) -> None:
    for number in ("V1", "V2"):
        city.at(MONDAY, ADMIN, lambda desk, number=number: volunteers.add_to_team(desk, number, "T1"))
    city.at(MONDAY, CENTRE, lambda desk: volunteers.appoint(desk, "V1", "T1", "leader"))
    for work in (
        lambda desk: volunteers.appoint(desk, "V1", "T1", "member"),
        lambda desk: volunteers.leave_team(desk, "V1", "T1"),
    ):
        with pytest.raises(Refused) as caught:
            city.at(MONDAY, CENTRE, work)
        assert caught.value.findings[0].code == "last_leader"
        assert inside(city) == [("V2", "member"), ("V1", "leader")]
    city.at(MONDAY, CENTRE, lambda desk: volunteers.appoint(desk, "V2", "T1", "leader"))
    city.at(MONDAY, CENTRE, lambda desk: volunteers.leave_team(desk, "V1", "T1"))
    assert inside(city) == [("V2", "leader")]
    own = Actor("admin-1", (Grant("organization_admin", "O1"),), volunteer="V2")
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, own, lambda desk: volunteers.appoint(desk, "V2", "T1", "deputy"))
    assert caught.value.findings[0].code == "own_case"
    with pytest.raises(NotPermitted):
        city.at(MONDAY, LEADER, lambda desk: volunteers.appoint(desk, "V2", "T1", "member"))


INTO_A_TEAM = {
    "add_to_team": lambda desk, number: volunteers.add_to_team(desk, number, "T3"),
    "ask_to_join": lambda desk, number: volunteers.ask_to_join(desk, number, "T3"),
    "appoint": lambda desk, number: volunteers.appoint(desk, number, "T3", "leader"),
    "leave_team": lambda desk, number: volunteers.leave_team(desk, number, "T3"),
    "request_transfer": lambda desk, number: volunteers.request_transfer(desk, number, "O2"),
    "resubmit": volunteers.resubmit,
    "reactivate": volunteers.reactivate,
    "propose_merge": lambda desk, number: volunteers.propose_merge(desk, number, number, reason="重复"),
}


@pytest.mark.parametrize("verb", INTO_A_TEAM)
@pytest.mark.parametrize("actor", [FOREIGN, FOREIGN_LEADER], ids=lambda actor: actor.id)
def test_nobody_is_drawn_in_by_an_organization_that_does_not_know_them(
    city: Any, actor: Actor, verb: str
) -> None:
    """A volunteer of another organization answers as one that does not exist, and nothing is read of them."""
    told = []
    for number in ("V1", "V404"):
        with pytest.raises((NotFound, NotPermitted)) as caught:
            city.at(MONDAY, actor, lambda desk, number=number: INTO_A_TEAM[verb](desk, number))
        told.append(caught.value.message("en").replace(number, "?"))
    assert told[0] == told[1]
    assert city.at(MONDAY, CENTRE, lambda desk: volunteers.members(desk, "T3")) == ()
    with pytest.raises(NotFound):
        city.at(MONDAY, actor, lambda desk: personal.profile(desk, "V1"))


def test_who_asked_into_a_foreign_team_is_within_its_reach(city: Any) -> None:
    own = Actor("citizen-1", (Grant("volunteer"),), volunteer="V1")
    case = city.at(MONDAY, own, lambda desk: volunteers.ask_to_join(desk, "V1", "T3"))
    city.at(MONDAY, FOREIGN_LEADER, lambda desk: approvals.decide(desk, case.id, "approve"))
    city.at(MONDAY, FOREIGN, lambda desk: volunteers.appoint(desk, "V1", "T3", "leader"))
    with pytest.raises(NotFound):  # the leader of one team has no say in another
        city.at(MONDAY, FOREIGN_LEADER, lambda desk: volunteers.add_to_team(desk, "V1", "T2"))
    found = city.at(MONDAY, CENTRE, lambda desk: volunteers.members(desk, "T3"))
    assert [(each.volunteer, each.role) for each in found] == [("V1", "leader")]


def test_a_team_without_organization_has_members(city: Any) -> None:
    own = Actor("citizen-1", (Grant("volunteer"),), volunteer="V1")
    leader = Actor("leader-4", (Grant("team_leader", "T4"),))
    case = city.at(MONDAY, own, lambda desk: volunteers.ask_to_join(desk, "V1", "T4"))
    for other in (ADMIN, FOREIGN, FOREIGN_LEADER):  # no organization has a say in it, the volunteer's neither
        with pytest.raises((NotFound, NotPermitted)):
            city.at(MONDAY, other, lambda desk: approvals.decide(desk, case.id, "approve"))
        with pytest.raises(NotFound):
            city.at(MONDAY, other, lambda desk: volunteers.members(desk, "T4"))
    assert city.at(MONDAY, leader, approvals.pending) == (
        city.at(MONDAY, leader, lambda desk: approvals.view(desk, case.id)),
    )
    city.at(MONDAY, leader, lambda desk: approvals.decide(desk, case.id, "approve"))
    with pytest.raises(NotFound):  # who is in no team of the leader's has to ask
        city.at(MONDAY, leader, lambda desk: volunteers.add_to_team(desk, "V2", "T4"))
    city.at(MONDAY, CENTRE, lambda desk: volunteers.add_to_team(desk, "V2", "T4"))
    city.at(MONDAY, CENTRE, lambda desk: volunteers.appoint(desk, "V1", "T4", "leader"))
    found = city.at(MONDAY, leader, lambda desk: volunteers.members(desk, "T4"))
    assert [(each.volunteer, each.role, each.organization) for each in found] == [
        ("V2", "member", None), ("V1", "leader", None),
    ]  # fmt: skip
    assert city.at(MONDAY, leader, lambda desk: personal.profile(desk, "V1")).team == "T4"
    where = city.at(MONDAY, ADMIN, lambda desk: volunteers.memberships(desk, "V1"))
    assert [(each.organization, each.team) for each in where if each.until is None] == [
        ("O1", None),
        (None, "T4"),
    ]
    city.at(MONDAY, leader, lambda desk: volunteers.leave_team(desk, "V2", "T4"))
    with pytest.raises(NotFound):
        city.at(MONDAY, leader, lambda desk: personal.profile(desk, "V2"))


def test_who_goes_over_to_another_organization_stays_in_a_team_without_one(city: Any) -> None:
    city.at(MONDAY, CENTRE, lambda desk: volunteers.add_to_team(desk, "V1", "T1"))
    city.at(MONDAY, CENTRE, lambda desk: volunteers.add_to_team(desk, "V1", "T4"))
    case = city.at(MONDAY, CENTRE, lambda desk: volunteers.request_transfer(desk, "V1", "O2"))
    city.at(MONDAY, ADMIN, lambda desk: approvals.decide(desk, case.id, "approve"))
    city.at(MONDAY, FOREIGN, lambda desk: approvals.decide(desk, case.id, "approve"))
    where = city.at(MONDAY, FOREIGN, lambda desk: volunteers.memberships(desk, "V1"))
    assert [(each.organization, each.team) for each in where if each.until is None] == [
        (None, "T4"),
        ("O2", None),
    ]


def test_whoever_takes_over_a_team_reaches_its_members(city: Any) -> None:
    tuesday = MONDAY + dt.timedelta(1)
    for number in ("V1", "V2"):
        city.at(MONDAY, CENTRE, lambda desk, number=number: volunteers.add_to_team(desk, number, "T1"))
    case = city.at(MONDAY, ADMIN, lambda desk: teams.transfer(desk, "T1", "O2", on=tuesday))
    with pytest.raises(NotFound):
        city.at(MONDAY, FOREIGN, lambda desk: personal.profile(desk, "V1"))
    city.at(MONDAY, FOREIGN, lambda desk: approvals.decide(desk, case, "approve"))
    found = {
        day: city.at(day, CENTRE, lambda desk: volunteers.members(desk, "T1")) for day in (MONDAY, tuesday)
    }
    assert {day: {each.organization for each in some} for day, some in found.items()} == {
        MONDAY: {"O1"},
        tuesday: {"O2"},
    }
    with pytest.raises(NotFound):
        city.at(MONDAY, FOREIGN, lambda desk: personal.profile(desk, "V1"))
    assert city.at(tuesday, FOREIGN, lambda desk: personal.profile(desk, "V1")).team == "T1"
    assert [each.number for each in city.at(tuesday, FOREIGN, lambda desk: personal.find(desk, "V2"))] == [
        "V2"
    ]
    # who goes over to a third organization stays in the team, which belongs to another than theirs
    city.at(tuesday, CENTRE, lambda desk: organizations.register(desk, "O3", name="志愿者协会"))
    moved = city.at(tuesday, CENTRE, lambda desk: volunteers.request_transfer(desk, "V1", "O3")).id
    city.at(tuesday, SECOND, lambda desk: approvals.decide(desk, moved, "approve"))
    city.at(tuesday, Actor.of("centre-3", "centre"), lambda desk: approvals.decide(desk, moved, "approve"))
    where = city.at(tuesday, CENTRE, lambda desk: volunteers.memberships(desk, "V1"))
    assert [(each.organization, each.team) for each in where if each.until is None] == [
        ("O2", "T1"),
        ("O3", None),
    ]


def test_what_was_not_found_is_named(city: Any) -> None:
    own = Actor("citizen-1", (Grant("volunteer"),), volunteer="V1")
    for actor, number, team_number, said in (
        (own, "V1", "T404", ("team", "T404")),
        (CENTRE, "V1", "T404", ("team", "T404")),
        (CENTRE, "V404", "T1", ("volunteer", "V404")),
        (own, "V2", "T1", ("volunteer", "V2")),
    ):
        with pytest.raises(NotFound) as caught:
            city.at(MONDAY, actor, volunteers.leave_team, number, team_number)
        assert (caught.value.values["kind"], caught.value.values["id"]) == said


def test_a_team_that_only_applied_is_not_there_for_who_asks(city: Any) -> None:
    own = Actor("citizen-1", (Grant("volunteer"),), volunteer="V1")
    with pytest.raises(NotFound):
        city.at(MONDAY, own, lambda desk: volunteers.ask_to_join(desk, "V1", "T5"))


@pytest.mark.parametrize(
    "verb",
    [
        lambda desk: volunteers.leave_team(desk, "V1", "T1"),
        lambda desk: volunteers.appoint(desk, "V1", "T1", "member"),
        lambda desk: volunteers.add_to_team(desk, "V1", "T1"),
    ],
)
def test_a_portal_that_catches_a_refusal_and_commits_keeps_nothing_of_it(city: Any, verb: Any) -> None:
    for number in ("V1", "V2"):
        city.at(MONDAY, ADMIN, lambda desk, number=number: volunteers.add_to_team(desk, number, "T1"))
    city.at(MONDAY, CENTRE, lambda desk: volunteers.appoint(desk, "V1", "T1", "leader"))
    before = city.at(MONDAY, CENTRE, lambda desk: volunteers.memberships(desk, "V1"))
    noon = dt.datetime.combine(MONDAY, dt.time(4), dt.UTC)
    with city.engine.connect() as connection, connection.begin():
        desk = city.kit.desk(connection, CENTRE, now=noon)
        with pytest.raises(VolunteerkitError):
            verb(desk)
    assert city.at(MONDAY, CENTRE, lambda desk: volunteers.memberships(desk, "V1")) == before
    assert inside(city) == [("V2", "member"), ("V1", "leader")]
