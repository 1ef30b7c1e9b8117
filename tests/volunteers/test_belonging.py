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
    volunteers,
)
from volunteerkit.errors import NotFound, NotPermitted
from volunteerkit.organizations.tables import team
from volunteerkit.store.desk import Desk

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
LEADER = Actor("leader-1", (Grant("team_leader", "T1"),))
STRANGER = Actor("leader-2", (Grant("team_leader", "T2"),))


@pytest.fixture
def city(city: Any) -> Any:
    def begin(desk: Desk) -> None:
        organizations.register(desk, "O1", name="联合会")
        for id_ in (1, 2):
            desk.connection.execute(
                sa.insert(team).values(
                    id=id_, number=f"T{id_}", name=f"{id_}队", organization_id=1, status="approved"
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
    city.at(MONDAY, LEADER, lambda desk: volunteers.add_to_team(desk, "V1", "T1"))
    city.at(later, LEADER, lambda desk: volunteers.leave_team(desk, "V1", "T1"))
    assert [inside(city, day) for day in (MONDAY, later - dt.timedelta(1), later)] == [
        [("V1", "member")], [("V1", "member")], [],
    ]  # fmt: skip
    with pytest.raises(Refused):
        city.at(later, LEADER, lambda desk: volunteers.leave_team(desk, "V1", "T1"))
    city.at(later, LEADER, lambda desk: volunteers.add_to_team(desk, "V1", "T1"))
    roles = city.at(later, CENTRE, lambda desk: volunteers.memberships(desk, "V1"))
    assert [(each.role, each.since, each.until) for each in roles if each.team] == [
        ("member", MONDAY, later - dt.timedelta(1)),
        ("member", later, None),
    ]


def test_a_team_keeps_a_leader(city: Any) -> None:
    for number in ("V1", "V2"):
        city.at(MONDAY, LEADER, lambda desk, number=number: volunteers.add_to_team(desk, number, "T1"))
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
