"""Teams: registered, approved, parts of each other, transferred with their past left behind, ended."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from volunteerkit import Actor, Claim, Grant, Refused, approvals, hours, organizations, projects, volunteers
from volunteerkit.errors import NotFound, NotPermitted
from volunteerkit.messages import LANGUAGES
from volunteerkit.organizations import TeamForm, teams

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
OFFICER = Actor("officer-1", (Grant("department_officer", "渝水区"),))
MEMBER = Actor("member-1", (Grant("volunteer"),), volunteer="V0000001")
CITIZEN = Actor.of("citizen-1", "public")


def day(n: int) -> dt.date:
    return MONDAY + dt.timedelta(n)


def admin(number: str, id: str = "") -> Actor:
    return Actor(id or f"admin-{number}", (Grant("organization_admin", number),))


def codes(caught: pytest.ExceptionInfo[Refused]) -> list[str]:
    for language in LANGUAGES:  # every text is there and gets what it needs
        assert caught.value.message(language)
        assert all(finding.code not in finding.message(language) for finding in caught.value.findings)
    return [finding.code for finding in caught.value.findings]


@pytest.fixture
def two(city: Any) -> Any:
    for number in ("O1", "O2"):
        city.at(MONDAY, CENTRE, organizations.register, number, name=number, area="渝水区")
    return city


def made(city: Any, name: str, **more: Any) -> str:
    form = TeamForm(name, **({"organization": "O1"} | more))
    applied = city.at(MONDAY, admin("O1"), teams.apply, form)
    city.at(MONDAY, admin("O1", "admin-O1-b"), approvals.decide, applied.case, "approve")
    return str(applied.number)


def test_a_volunteers_team_is_approved_by_its_organization(two: Any) -> None:
    applied = two.at(MONDAY, MEMBER, teams.apply, TeamForm("清晨护学队", organization="O1"))
    with pytest.raises(NotFound):
        two.at(MONDAY, CITIZEN, teams.view, applied.number)
    assert two.at(MONDAY, MEMBER, teams.view_application, applied.number).status == "pending"
    assert [each.number for each in two.at(MONDAY, admin("O1"), teams.list_applications)] == [applied.number]
    assert two.at(MONDAY, admin("O2"), teams.list_applications) == ()
    with pytest.raises(NotFound):
        two.at(MONDAY, admin("O2"), approvals.decide, applied.case, "approve")
    with pytest.raises(NotFound):
        two.at(MONDAY, admin("O2"), teams.transfer, applied.number, "O2")
    with pytest.raises(Refused) as caught:
        two.at(MONDAY, MEMBER, teams.apply, TeamForm("清晨护学队", organization="O1"))
    assert codes(caught) == ["organization_waiting"]
    two.at(day(1), admin("O1"), approvals.decide, applied.case, "approve")
    found = two.at(day(1), CITIZEN, teams.view, applied.number)
    assert (found.status, found.organization, found.registered_on) == ("approved", "O1", day(1))


def test_a_team_without_an_organization_is_approved_by_the_department(two: Any) -> None:
    applied = two.at(MONDAY, MEMBER, teams.apply, TeamForm("广场舞护河队", area="渝水区"))
    two.at(MONDAY, OFFICER, approvals.decide, applied.case, "approve")
    assert two.at(MONDAY, CITIZEN, teams.view, applied.number).organization is None
    with pytest.raises(NotFound):  # no organization takes in a team that did not ask
        two.at(MONDAY, admin("O1"), teams.transfer, applied.number, "O1")
    leader = Actor("leader-1", (Grant("team_leader", applied.number),))
    case = two.at(MONDAY, leader, teams.transfer, applied.number, "O1")
    two.at(MONDAY, admin("O1"), approvals.decide, case, "approve")
    assert two.at(MONDAY, CITIZEN, teams.view, applied.number).organization == "O1"


def test_a_refused_team_is_not_public(two: Any) -> None:
    applied = two.at(MONDAY, MEMBER, teams.apply, TeamForm("夜跑队", organization="O1"))
    two.at(MONDAY, admin("O1"), approvals.decide, applied.case, "refuse", reason="人数不足")
    assert two.at(MONDAY, CITIZEN, teams.list_teams) == ()
    assert two.at(MONDAY, MEMBER, teams.view_application, applied.number).status == "refused"
    two.at(MONDAY, MEMBER, teams.apply, TeamForm("夜跑队", organization="O1"))


def test_sub_teams_form_no_circle(two: Any) -> None:
    numbers = [made(two, name) for name in ("甲队", "乙队", "丙队")]
    for below, above in ((1, 0), (2, 1)):
        two.at(MONDAY, admin("O1"), teams.edit, numbers[below], parent=numbers[above])
    for above in numbers:
        with pytest.raises(Refused) as caught:
            two.at(MONDAY, admin("O1"), teams.edit, numbers[0], parent=above)
        assert codes(caught) == ["in_a_circle"]
    with pytest.raises(NotFound):
        two.at(MONDAY, admin("O2"), teams.edit, numbers[0], name="抢来的")
    leader = Actor("leader-1", (Grant("team_leader", numbers[0]),))
    assert two.at(MONDAY, leader, teams.edit, numbers[0], name="甲一队").name == "甲一队"


@pytest.mark.parametrize(("asking", "agreeing"), [("O1", "O2"), ("O2", "O1")], ids=["released", "invited"])
def test_one_side_asks_for_a_transfer_and_the_other_agrees(two: Any, asking: str, agreeing: str) -> None:
    number, part = made(two, "甲队"), made(two, "乙队")
    two.at(MONDAY, admin("O1"), teams.edit, part, parent=number)
    who = two.at(MONDAY, CENTRE, volunteers.admit, name="兰", organization="O1")
    two.at(MONDAY, CENTRE, projects.register, "P1", name="献血宣传", organization="O1")
    served = two.at(MONDAY, CENTRE, hours.record, Claim(who, "P1", MONDAY, 90))
    with pytest.raises(Refused) as caught:
        two.at(MONDAY, admin("O1"), teams.transfer, part, "O2")
    assert codes(caught) == ["team_is_a_part"]
    case = two.at(MONDAY, admin(asking), teams.transfer, number, "O2", on=day(7))
    with pytest.raises(NotPermitted):
        two.at(MONDAY, admin(asking, "another"), approvals.decide, case, "approve")
    two.at(day(1), admin(agreeing), approvals.decide, case, "approve")
    for each in (number, part):
        assert two.at(day(6), CITIZEN, teams.view, each).organization == "O1"
        assert two.at(day(7), CITIZEN, teams.view, each).organization == "O2"
    with pytest.raises(Refused) as caught:
        two.at(day(2), admin("O1"), teams.transfer, number, "O2")
    assert codes(caught) == ["transfer_decided"]
    owners = [two.at(day(30), CITIZEN, teams.organization_of, number, on=day(n)) for n in (0, 6, 7, 30)]
    assert owners == ["O1", "O1", "O2", "O2"]
    assert [each.number for each in two.at(day(7), CITIZEN, teams.list_teams, organization="O2")] == [
        number,
        part,
    ]
    with pytest.raises(NotFound):  # from its day on the team is the other organization's
        two.at(day(7), admin("O1"), teams.edit, number, name="还是我的")
    with pytest.raises(NotFound):  # and what was served before stays where it was
        two.at(day(7), admin("O2"), hours.confirm, served.record_id)
    two.at(day(7), admin("O1"), hours.confirm, served.record_id)


def test_when_the_leader_asks_both_sides_agree(two: Any) -> None:
    number = made(two, "甲队")
    leader = Actor("leader-1", (Grant("team_leader", number),))
    case = two.at(MONDAY, leader, teams.transfer, number, "O2")
    with pytest.raises(NotPermitted):
        two.at(MONDAY, admin("O2"), approvals.decide, case, "approve")
    two.at(MONDAY, admin("O1"), approvals.decide, case, "approve")
    assert two.at(MONDAY, CITIZEN, teams.view, number).organization == "O1"
    two.at(MONDAY, admin("O2"), approvals.decide, case, "approve")
    assert two.at(MONDAY, CITIZEN, teams.view, number).organization == "O2"


def test_a_team_is_suspended_lifted_and_ends_with_its_parts(two: Any) -> None:
    number, part, heir = made(two, "甲队"), made(two, "乙队"), made(two, "丙队")
    two.at(MONDAY, admin("O1"), teams.edit, part, parent=number)
    two.at(MONDAY, admin("O1"), teams.suspend, number, reason="整顿", since=day(1), until=day(5))
    two.at(day(2), admin("O1"), teams.lift, number, reason="已整顿", on=day(4))
    found = [two.at(day(n), CITIZEN, teams.view, number).status for n in (0, 1, 3, 4)]
    assert found == ["approved", "suspended", "suspended", "approved"]
    with pytest.raises(Refused):
        two.at(day(4), admin("O1"), teams.lift, number, reason="没有暂停")
    with pytest.raises(Refused) as caught:
        two.at(day(4), admin("O1"), teams.dissolve, number, reason="合并", successor=part)
    assert codes(caught) == ["in_a_circle"]
    two.at(day(4), admin("O1"), teams.dissolve, number, reason="合并", on=day(6), successor=heir)
    for each in (number, part):
        ended = two.at(day(6), CITIZEN, teams.view, each)
        assert (ended.status, ended.ended_on, ended.successor) == ("dissolved", day(6), heir)
    with pytest.raises(Refused):
        two.at(day(7), admin("O1"), teams.dissolve, number, reason="再来")
    living = two.at(day(6), CITIZEN, teams.list_teams, status="approved")
    assert [each.number for each in living] == [heir]


def test_the_teams_of_an_ended_organization_go_to_its_successor(two: Any) -> None:
    number = made(two, "甲队")
    case = two.at(
        MONDAY, CENTRE, organizations.propose_merger, "O1", successor="O2", reason="合并", on=day(3)
    )
    two.at(MONDAY, SECOND, approvals.decide, case, "approve")
    assert [two.at(day(n), CITIZEN, teams.view, number).organization for n in (2, 3)] == ["O1", "O2"]
