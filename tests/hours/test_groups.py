"""Group entries: person-hours of a team that credit nobody (A39)."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Desk, Grant, hours, organizations, projects, statistics, volunteers
from volunteerkit.errors import AlreadyResolved, InvalidValue, NotFound, NotPermitted, Refused
from volunteerkit.organizations.tables import team

CLERK, CHECKER = Actor.of("clerk-7", "centre"), Actor.of("clerk-8", "centre")
LEADER = Actor("leader-1", (Grant("team_leader", "T1"),))
DAY, TODAY = dt.date(2026, 11, 20), dt.date(2026, 11, 23)


@pytest.fixture
def begun(city: Any) -> Any:
    def begin(desk: Desk) -> None:
        for number, name in (("O1", "渝水区志愿服务联合会"), ("O2", "红十字会")):
            organizations.register(desk, number, name=name)
        projects.register(desk, "P1", name="无偿献血宣传", organization="O1")
        projects.register(desk, "P2", name="急救培训", organization="O2")
        volunteers.admit(desk, name="𠮷田喆", organization="O1", number="V1")
        for id_, number in ((1, "T1"), (2, "T2")):
            row = {
                "id": id_,
                "number": number,
                "name": "蓝天队",
                "organization_id": id_,
                "status": "approved",
            }
            desk.connection.execute(sa.insert(team).values(row))

    city.at(TODAY, CLERK, begin)
    return city


def entered(city: Any, actor: Actor = LEADER, team: str = "T1", day: dt.date = DAY, **more: Any) -> int:
    given = {"minutes": 180, "persons": 5} | more
    made: int = city.at(TODAY, actor, hours.enter_group, team, "P1" if team == "T1" else "P2", day, **given)
    return made


def test_a39_statistics_show_unnamed_persons_beside_the_named_and_never_mix_them(begun: Any) -> None:
    claim = hours.Claim("V1", "P1", DAY, 60)
    named = begun.at(TODAY, CLERK, hours.record, claim).record_id
    begun.at(TODAY, CHECKER, hours.confirm, named)
    before = begun.at(TODAY, CLERK, statistics.city_figures)
    assert (before.group_minutes, before.group_by_organization) == (0, ())
    first, second, later, waiting, refused = (
        entered(begun), entered(begun, CLERK, "T2", minutes=60, persons=100), entered(begun, day=TODAY, persons=1),
        entered(begun), entered(begun),
    )  # fmt: skip
    for each in (first, second, later):
        begun.at(TODAY, CHECKER, hours.decide_group, each, "confirm")
    begun.at(TODAY, CHECKER, hours.decide_group, refused, "reject", reason="没有名单")
    found = begun.at(TODAY, CLERK, statistics.city_figures)
    assert found.group_minutes == 900 + 6000 + 180
    assert found.group_by_organization == (("红十字会", 6000), ("渝水区志愿服务联合会", 1080))
    assert type(found.group_minutes) is int
    assert begun.at(TODAY, CLERK, statistics.city_figures, as_of=DAY).group_minutes == 6900
    nothing = {"group_minutes": 0, "group_by_organization": ()}
    assert attrs.evolve(found, **nothing) == before  # nothing else counts them
    assert waiting


def test_a39_three_hours_of_five_persons_are_15_person_hours_and_credit_nobody(begun: Any) -> None:
    made = entered(begun)
    found = begun.at(TODAY, CHECKER, hours.decide_group, made, "confirm")
    assert (found.person_minutes, found.state, found.team, found.decided_by) == (
        15 * 60,
        "confirmed",
        "T1",
        "clerk-8",
    )
    assert begun.at(TODAY, CLERK, hours.statement, "V1").confirmed_minutes == 0
    with begun.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM vk_transfer").scalar() == 0
        assert hours.verify_store(connection).holds


def test_whoever_entered_it_does_not_decide_and_it_is_decided_once(begun: Any) -> None:
    made = entered(begun)
    with pytest.raises(Refused) as told:
        begun.at(TODAY, LEADER, hours.decide_group, made, "confirm")
    assert told.value.findings[0].code == "own_record"
    with pytest.raises(InvalidValue):
        begun.at(TODAY, CHECKER, hours.decide_group, made, "reject")
    begun.at(TODAY, CHECKER, hours.decide_group, made, "reject", reason="人数不实")
    with pytest.raises(AlreadyResolved) as late:
        begun.at(TODAY, CLERK, hours.decide_group, made, "confirm")
    assert late.value.values["actor"] == "clerk-8"


def test_entries_are_listed_by_team_and_day(begun: Any) -> None:
    first, second = entered(begun), entered(begun, CLERK, "T2", DAY - dt.timedelta(1))
    assert [each.id for each in begun.at(TODAY, CLERK, hours.group_entries)] == [first, second]
    assert [each.id for each in begun.at(TODAY, CLERK, partial(hours.group_entries, since=DAY))] == [first]
    assert [
        each.id for each in begun.at(TODAY, CLERK, partial(hours.group_entries, as_of=DAY - dt.timedelta(1)))
    ] == [second]
    assert [each.id for each in begun.at(TODAY, LEADER, hours.group_entries)] == [first]
    assert [each.id for each in begun.at(TODAY, CLERK, partial(hours.group_entries, after=first))] == [second]
    for after in (-1, 2**63, "1", None):
        with pytest.raises(InvalidValue):
            begun.at(TODAY, CLERK, partial(hours.group_entries, after=after))
    with pytest.raises(NotPermitted):
        begun.at(TODAY, Actor("nobody"), hours.group_entries)


def test_what_cannot_be_entered_is_told(begun: Any) -> None:
    for more in (
        {"minutes": 0},
        {"minutes": 1441},
        {"persons": 0},
        {"persons": 10_001},
        {"persons": 2.0},
        {"minutes": True},
    ):
        with pytest.raises(InvalidValue):
            entered(begun, **more)
    with pytest.raises(NotFound):
        entered(begun, LEADER, "T2")
    begun.at(TODAY, CLERK, hours.close_period, DAY, DAY)
    for call, code in (
        (lambda desk: hours.enter_group(desk, "T1", "P2", DAY, minutes=1, persons=1), "project_of_others"),
        (
            lambda desk: hours.enter_group(desk, "T1", "P1", TODAY + dt.timedelta(1), minutes=1, persons=1),
            "served_in_future",
        ),
        (lambda desk: hours.enter_group(desk, "T1", "P1", DAY, minutes=1, persons=1), "period_closed"),
    ):
        with pytest.raises(Refused) as told:
            begun.at(TODAY, CLERK, call)
        assert [finding.code for finding in told.value.findings] == [code]
