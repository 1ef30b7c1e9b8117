"""What ends with a team or an organization, and who may leave a team without a leader."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from volunteerkit import Actor, Application, Grant, Refused, approvals, organizations, personal, volunteers
from volunteerkit.errors import InvalidValue, NotFound
from volunteerkit.messages import LANGUAGES
from volunteerkit.organizations import TeamForm, base, teams

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND, CITIZEN = (
    Actor.of("centre-1", "centre"),
    Actor.of("centre-2", "centre"),
    Actor.of("c-1", "public"),
)
HEAD = Actor("head-1", (Grant("organization_admin", "O1"),))


def day(n: int) -> dt.date:
    return MONDAY + dt.timedelta(n)


def refused(code: str, call: Callable[..., Any], *given: Any, **named: Any) -> None:
    with pytest.raises(Refused) as caught:
        call(*given, **named)
    assert [finding.code for finding in caught.value.findings] == [code]
    assert all(caught.value.message(language) for language in LANGUAGES)


@pytest.fixture
def town(city: Any) -> Any:
    """O1 with the teams T1 (led by V1, with V2) and T2, a part of T1 (with V2); O2 without any."""
    for number in ("O1", "O2"):
        city.at(MONDAY, CENTRE, organizations.register, number, name=f"{number}联合会", area="渝水区")
    for number, name, parent in (("T1", "一队", None), ("T2", "二队", "T1")):
        form = TeamForm(name, organization="O1", parent=parent)
        asked = city.at(MONDAY, CENTRE, teams.apply, form, number=number)
        city.at(MONDAY, HEAD, approvals.decide, asked.case, "approve")
    for number, name in (("V1", "欧阳雪"), ("V2", "买买提·艾力"), ("V3", "兰")):
        city.at(
            MONDAY, CENTRE, volunteers.register, Application(name, "O1", consent_on=MONDAY), number=number
        )
        city.at(MONDAY, SECOND, volunteers.approve, number)
    for number, team in (("V1", "T1"), ("V2", "T1"), ("V2", "T2")):
        city.at(MONDAY, CENTRE, volunteers.add_to_team, number, team)
    city.at(MONDAY, CENTRE, volunteers.appoint, "V1", "T1", "leader")
    return city


def inside(town: Any, team: str, n: int) -> list[tuple[str, str]]:
    found = town.at(day(n), CENTRE, volunteers.members, team, on=day(n))
    return [(each.volunteer, each.role) for each in found]


def leaderless(town: Any, n: int, actor: Actor = CENTRE) -> list[str]:
    return [each.number for each in town.at(day(n), actor, volunteers.leaderless_teams)]


def test_memberships_and_offices_end_with_a_team_on_the_same_day(town: Any) -> None:
    leader = Actor("leader-1", (Grant("team_leader", "T1"),))
    asked = town.at(MONDAY, CENTRE, volunteers.ask_to_join, "V3", "T1")
    town.at(day(1), HEAD, teams.dissolve, "T1", reason="解散", on=day(3))
    assert town.at(day(1), CENTRE, approvals.view, asked.id).state == "withdrawn"
    assert inside(town, "T1", 2) == [("V2", "member"), ("V1", "leader")]
    assert town.at(day(2), leader, personal.profile, "V2").number == "V2"
    for team in ("T1", "T2"):
        assert town.at(day(3), CITIZEN, teams.view, team).status == "dissolved"
        assert inside(town, team, 3) == []
    refused("not_living", town.at, day(3), leader, teams.edit, "T1", name="次日")
    with pytest.raises(NotFound):  # who was in it is out of the leader's reach
        town.at(day(3), leader, personal.profile, "V2")
    ended = [each for each in town.at(day(3), CENTRE, volunteers.memberships, "V2") if each.team]
    assert [(each.team, each.until, each.why) for each in ended] == [
        ("T1", day(2), "team_ended"), ("T2", day(2), "team_ended"),
    ]  # fmt: skip


def test_in_a_team_whose_end_is_decided_nobody_begins_anything_and_everybody_may_leave(town: Any) -> None:
    town.at(MONDAY, HEAD, teams.dissolve, "T1", reason="解散", on=day(5))
    for verb in (volunteers.add_to_team, volunteers.ask_to_join):
        refused("team_not_active", town.at, day(1), CENTRE, verb, "V3", "T1")
    refused("team_not_active", town.at, day(1), CENTRE, volunteers.appoint, "V2", "T1", "deputy")
    town.at(day(1), CENTRE, volunteers.leave_team, "V1", "T1")
    assert inside(town, "T1", 1) == [("V2", "member")]
    town.at(day(2), CENTRE, volunteers.deregister, "V2")
    assert inside(town, "T1", 2) == inside(town, "T2", 2) == []


def test_a_team_that_waits_for_a_decision_never_becomes_public_by_ending(town: Any) -> None:
    town.at(MONDAY, CENTRE, teams.apply, TeamForm("三队", organization="O1", parent="T1"), number="T3")
    town.at(MONDAY, HEAD, teams.dissolve, "T1", reason="解散")
    with pytest.raises(NotFound):
        town.at(day(1), CITIZEN, teams.view, "T3")
    assert town.at(day(1), CENTRE, teams.view_application, "T3").status == "withdrawn"


def end(town: Any, number: str, on: dt.date, **more: Any) -> None:
    case = town.at(MONDAY, CENTRE, organizations.propose_dissolution, number, reason="解散", on=on, **more)
    town.at(MONDAY, SECOND, approvals.decide, case, "approve")


def test_teams_memberships_and_tenancies_end_with_an_organization(town: Any) -> None:
    stay = town.at(MONDAY, HEAD, base.apply, "O1", starts_on=MONDAY, ends_on=day(60))
    case = town.at(MONDAY, CENTRE, approvals.pending)[0].id
    town.at(MONDAY, SECOND, approvals.decide, case, "approve")
    town.at(MONDAY, CENTRE, base.add_desk, "D1")
    town.at(MONDAY, CENTRE, base.assign_desk, stay, "D1")
    town.at(MONDAY, HEAD, teams.dissolve, "T2", reason="解散", on=day(20))
    end(town, "O1", day(4))
    assert town.at(day(1), CENTRE, base.view, stay).ends_on == day(3)
    assert [town.at(day(n), CENTRE, base.occupancy)[0].organization for n in (3, 4)] == ["O1", None]
    for team in ("T1", "T2"):
        found = town.at(day(4), CITIZEN, teams.view, team)
        assert (found.status, found.ended_on) == ("dissolved", day(4))
        assert (inside(town, team, 3) != [], inside(town, team, 4)) == (True, [])
    assert town.at(day(4), SECOND, base.review_exit, stay, "gave_up").ends_on == day(3)


def test_a_tenancy_that_was_to_begin_later_never_does(town: Any) -> None:
    stay = town.at(MONDAY, HEAD, base.apply, "O1", starts_on=day(10), ends_on=day(60))
    case = town.at(MONDAY, CENTRE, approvals.pending)[0].id
    town.at(MONDAY, SECOND, approvals.decide, case, "approve")
    end(town, "O1", day(4))
    found = town.at(day(4), CENTRE, base.view, stay)
    assert (found.starts_on, found.ends_on) == (day(10), day(9))


def test_teams_that_go_over_to_a_successor_keep_their_members(town: Any) -> None:
    end(town, "O1", day(4), successor="O2")
    assert town.at(day(4), CITIZEN, teams.view, "T1").organization == "O2"
    assert inside(town, "T1", 4) == [("V2", "member"), ("V1", "leader")]


def test_who_alone_leads_a_team_cannot_cancel_before_somebody_else_is_appointed(town: Any) -> None:
    refused("last_leader", town.at, day(1), CENTRE, volunteers.deregister, "V1")
    assert inside(town, "T1", 1) == [("V2", "member"), ("V1", "leader")]
    town.at(day(1), CENTRE, volunteers.appoint, "V2", "T1", "leader")
    town.at(day(1), CENTRE, volunteers.deregister, "V1")
    assert inside(town, "T1", 1) == [("V2", "leader")]
    town.at(day(1), CENTRE, volunteers.deregister, "V2")  # nobody is left behind
    assert inside(town, "T1", 1) == []


def test_a_team_whose_leader_was_stopped_is_listed_as_without_one(town: Any) -> None:
    assert leaderless(town, 0) == ["T2"]
    assert leaderless(town, 0, HEAD) == ["T2"]
    assert leaderless(town, 0, CITIZEN) == []
    assert leaderless(town, 0, Actor("head-2", (Grant("organization_admin", "O2"),))) == []
    town.at(MONDAY, SECOND, volunteers.suspend, "V1", reason="核查", since=day(2), until=day(3))
    assert [leaderless(town, n) for n in (1, 2, 3, 4)] == [["T2"], ["T1", "T2"], ["T1", "T2"], ["T2"]]
    case = town.at(day(4), CENTRE, volunteers.propose_blacklist, "V1", until=day(9), reason="作假")
    town.at(day(4), SECOND, approvals.decide, case.id, "approve")
    assert [leaderless(town, n) for n in (5, 10)] == [["T1", "T2"], ["T2"]]
    erasure = town.at(day(10), CENTRE, personal.erase, "V1")
    town.at(day(10), SECOND, approvals.decide, erasure.id, "approve")
    assert leaderless(town, 10) == ["T1", "T2"]
    town.at(day(11), CENTRE, volunteers.appoint, "V2", "T1", "leader")
    assert leaderless(town, 11) == ["T2"]
    town.at(day(11), HEAD, teams.dissolve, "T1", reason="解散", on=day(13))
    assert leaderless(town, 11) == []
    with pytest.raises(InvalidValue):
        town.at(day(11), CENTRE, volunteers.leaderless_teams, after=7)


def test_who_is_stopped_gets_no_office_and_may_lose_one(town: Any) -> None:
    town.at(MONDAY, SECOND, volunteers.suspend, "V2", reason="核查", since=day(1), until=day(2))
    for role in ("leader", "deputy"):
        refused("volunteer_not_active", town.at, day(1), CENTRE, volunteers.appoint, "V2", "T1", role)
    town.at(day(3), CENTRE, volunteers.appoint, "V2", "T1", "deputy")
    case = town.at(day(3), CENTRE, volunteers.propose_blacklist, "V2", until=day(9), reason="作假")
    town.at(day(3), SECOND, approvals.decide, case.id, "approve")
    refused("volunteer_not_active", town.at, day(4), CENTRE, volunteers.appoint, "V2", "T1", "leader")
    town.at(day(4), CENTRE, volunteers.appoint, "V2", "T1", "member")
    assert inside(town, "T1", 4) == [("V1", "leader"), ("V2", "member")]
