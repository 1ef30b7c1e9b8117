"""While an organization is suspended its administrators and its teams' leaders read, and do nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import (
    Actor,
    Application,
    Claim,
    Grant,
    approvals,
    hours,
    organizations,
    personal,
    projects,
    volunteers,
)
from volunteerkit.access import Place, matrix, reading_actions
from volunteerkit.approvals import grants
from volunteerkit.errors import NotFound, NotPermitted
from volunteerkit.messages import LANGUAGES
from volunteerkit.organizations import TeamForm, teams

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND, CITIZEN = (
    Actor.of("centre-1", "centre"),
    Actor.of("centre-2", "centre"),
    Actor.of("c-1", "public"),
)
LEADER = Actor("leader-1", (Grant("team_leader", "T1"),))
HEAD = Actor("head-1", (Grant("organization_admin", "O1"),))
STORED = Actor("head-2")
OFFICER = Actor("officer-1", (Grant("department_officer", "渝水区"),))
SECOND_DAY, LAST_DAY = 2, 5


def day(n: int) -> dt.date:
    return MONDAY + dt.timedelta(n)


@pytest.fixture
def town(city: Any) -> Any:
    """O1 with a stored administrator, a team, a volunteer and a record, suspended on the days 2 to 5."""
    for number, name in (("O1", "渝水区联合会"), ("O2", "红十字志愿服务队"), ("O3", "旧联合会")):
        city.at(MONDAY, CENTRE, organizations.register, number, name=name, area="渝水区")
    case = city.at(MONDAY, CENTRE, organizations.propose_admin, "O1", STORED.id)
    city.at(MONDAY, OFFICER, approvals.decide, case, "approve")
    team = city.at(MONDAY, CENTRE, teams.apply, TeamForm("一队", organization="O1"), number="T1")
    city.at(MONDAY, HEAD, approvals.decide, team.case, "approve")
    city.at(MONDAY, CENTRE, volunteers.admit, name="欧阳雪", organization="O1", number="V1")
    city.at(MONDAY, CENTRE, volunteers.add_to_team, "V1", "T1")
    city.at(MONDAY, CENTRE, projects.register, "P1", name="献血宣传", organization="O1")
    for _ in range(2):
        city.at(MONDAY, CENTRE, hours.record, Claim("V1", "P1", MONDAY, 60))
    suspended(city, "O1")
    return city


def suspended(city: Any, number: str, since: int = SECOND_DAY, until: int = LAST_DAY) -> None:
    case = city.at(
        MONDAY, CENTRE, organizations.propose_suspension, number,
        reason="年检未过", since=day(since), until=day(until),
    )  # fmt: skip
    city.at(MONDAY, SECOND, approvals.decide, case, "approve")


@contextmanager
def told(code: str = "office_suspended") -> Iterator[None]:
    with pytest.raises(NotPermitted) as caught:
        yield
    assert caught.value.code == code
    for language in LANGUAGES:
        assert caught.value.values["action"] in caught.value.message(language)


ACTS: list[tuple[Actor, Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    (HEAD, organizations.edit, ("O1",), {"name": "改名"}),
    (HEAD, organizations.propose_admin, ("O1", "head-9"), {}),
    (HEAD, teams.edit, ("T1",), {"name": "改名"}),
    (HEAD, teams.suspend, ("T1",), {"reason": "整顿"}),
    (HEAD, volunteers.register, (Application("兰", "O1", consent_on=MONDAY),), {}),
    (HEAD, hours.confirm, (1,), {}),
    (HEAD, hours.record, (Claim("V1", "P1", MONDAY, 30),), {}),
    (HEAD, personal.unmask, ("V1", "phone"), {"purpose": "contact"}),
    (STORED, organizations.edit, ("O1",), {"name": "改名"}),
    (STORED, hours.confirm, (1,), {}),
    (STORED, grants.delegate, ("b-1", "organization_admin", "O1"), {"until": day(9)}),
    (LEADER, teams.edit, ("T1",), {"name": "改名"}),
    (LEADER, hours.confirm, (1,), {}),
    (LEADER, volunteers.leave_team, ("V1", "T1"), {}),
]


def test_who_holds_an_office_there_does_nothing_while_it_lasts(town: Any) -> None:
    for n in (SECOND_DAY, LAST_DAY):
        for actor, verb, given, named in ACTS:
            with told():
                town.at(day(n), actor, verb, *given, **named)


def test_before_and_after_they_do(town: Any) -> None:
    for n in (SECOND_DAY - 1, LAST_DAY + 1):
        assert town.at(day(n), HEAD, organizations.edit, "O1", name=f"第{n}日").name == f"第{n}日"
        assert town.at(day(n), STORED, organizations.edit, "O1", name=f"改{n}").name == f"改{n}"
        assert town.at(day(n), LEADER, teams.edit, "T1", name=f"队{n}").name == f"队{n}"
    lifting = town.at(day(2), CENTRE, organizations.propose_lifting, "O1", reason="已整改", on=day(3))
    town.at(day(2), SECOND, approvals.decide, lifting, "approve")
    assert town.at(day(3), LEADER, teams.edit, "T1", name="三队").name == "三队"


def test_they_read_what_they_read_before(town: Any) -> None:
    for n in (SECOND_DAY - 1, SECOND_DAY):
        for actor in (HEAD, STORED, LEADER):
            assert town.at(day(n), actor, personal.profile, "V1").number == "V1"
            assert town.at(day(n), actor, volunteers.members, "T1")
            assert town.at(day(n), actor, hours.statement, "V1").volunteer == "V1"
        assert town.at(day(n), HEAD, organizations.administrators, "O1")[0].actor_id == STORED.id


def test_others_go_on(town: Any) -> None:
    assert town.at(day(2), SECOND, hours.confirm, 1).state == "confirmed"
    assert town.at(day(2), OFFICER, organizations.edit, "O1", area="渝水区").area == "渝水区"
    both = Actor("head-1", (*HEAD.grants, Grant("centre")))
    assert town.at(day(2), both, teams.edit, "T1", name="队").name == "队"
    two = Actor("head-1", (*HEAD.grants, Grant("organization_admin", "O2")))
    assert town.at(day(2), two, organizations.edit, "O2", name="另一个").name == "另一个"
    with told():
        town.at(day(2), two, organizations.edit, "O1", name="改名")
    with pytest.raises(NotFound):
        town.at(day(2), two, organizations.edit, "O3", name="改名")


def test_the_office_decides_no_case_while_it_lasts(town: Any) -> None:
    asked = town.at(day(1), CENTRE, teams.apply, TeamForm("二队", organization="O1"))
    with told():
        town.at(day(2), HEAD, approvals.decide, asked.case, "approve")
    assert town.at(day(2), HEAD, approvals.view, asked.case).state == "review"
    town.at(day(6), HEAD, approvals.decide, asked.case, "approve")


def test_who_answers_for_an_ended_one_does_nothing_for_it_either(town: Any) -> None:
    town.at(MONDAY, CENTRE, volunteers.admit, name="兰", organization="O3", number="V3")
    town.at(MONDAY, CENTRE, projects.register, "P3", name="宣传", organization="O3")
    record = town.at(MONDAY, CENTRE, hours.record, Claim("V3", "P3", MONDAY, 60)).record_id
    case = town.at(
        MONDAY, CENTRE, organizations.propose_merger, "O3", successor="O1", reason="合并", on=day(1)
    )
    town.at(MONDAY, SECOND, approvals.decide, case, "approve")
    for actor in (HEAD, STORED):
        with told():
            town.at(day(2), actor, hours.confirm, record)
        assert town.at(day(2), actor, hours.statement, "V3").volunteer == "V3"
    assert town.at(day(1), HEAD, hours.confirm, record).state == "confirmed"


def test_an_heir_acts_for_one_that_was_suspended_when_it_ended(town: Any) -> None:
    heir = Actor("heir-1", (Grant("organization_admin", "O2"),))
    case = town.at(day(3), CENTRE, organizations.propose_merger, "O1", successor="O2", reason="合并")
    town.at(day(3), SECOND, approvals.decide, case, "approve")
    assert town.at(day(3), heir, hours.confirm, 1).state == "confirmed"
    assert town.at(day(3), LEADER, teams.edit, "T1", name="三队").name == "三队"  # the team is O2's now


def test_the_leader_of_a_suspended_team_reads_only_and_its_organization_goes_on(town: Any) -> None:
    town.at(day(1), HEAD, teams.suspend, "T1", reason="整顿", until=day(1))
    with told():
        town.at(day(1), LEADER, teams.edit, "T1", name="改名")
    assert town.at(day(1), HEAD, teams.edit, "T1", name="改名").name == "改名"


def test_a_team_that_came_over_is_stopped_with_its_organization_of_that_day(town: Any) -> None:
    asked = town.at(MONDAY, LEADER, teams.transfer, "T1", "O2", on=day(4))
    for actor in (HEAD, Actor("heir-1", (Grant("organization_admin", "O2"),))):
        town.at(MONDAY, actor, approvals.decide, asked, "approve")
    with told():
        town.at(day(3), LEADER, teams.edit, "T1", name="改名")
    assert town.at(day(4), LEADER, teams.edit, "T1", name="改名").name == "改名"


def test_what_is_reached_in_a_list_is_what_may_be_done(town: Any) -> None:
    with town.engine.connect() as connection, connection.begin() as transaction:
        for actor in (HEAD, STORED, LEADER):
            desk = _desk(town, connection, actor)
            for action in matrix():
                place = Place("V1", ("T1",), ("O1",), ("渝水区",))
                may = desk.may(action, place)
                assert desk.reach(action).covers(place) is may
                assert not may or action in reading_actions()
        transaction.rollback()


def _desk(town: Any, connection: sa.Connection, actor: Actor) -> Any:
    return town.kit.desk(connection, actor, now=dt.datetime.combine(day(SECOND_DAY), dt.time(4), dt.UTC))


def test_one_statement_at_most_is_asked_for_a_grant_handed_in(town: Any) -> None:
    asked: list[str] = []

    def note(*given: Any) -> None:
        asked.append(given[2])

    sa.event.listen(town.engine, "before_cursor_execute", note)
    place = Place("V1", ("T1",), ("O2",))
    with town.engine.connect() as connection, connection.begin() as transaction:
        for actor, most in ((CENTRE, 0), (Actor("h", (Grant("organization_admin", "O2"),)), 1)):
            desk = _desk(town, connection, actor)
            asked.clear()
            for _ in range(3):
                desk.permit("hours.confirm", place)
                desk.permit("volunteer.view", place)
            assert len(asked) == most
        transaction.rollback()
    sa.event.remove(town.engine, "before_cursor_execute", note)


def test_reading_is_named_in_the_matrix() -> None:
    assert reading_actions() <= set(matrix())
    assert {action for action in matrix() if action.endswith((".view", ".read"))} <= reading_actions()
    # what is only read publishes nothing, opens no mask, binds nobody to the separation of duties
    for action in reading_actions():
        assert not any(cell.separate or cell.second for cell in matrix()[action].values()), action
