"""Corrections of confirmed hours: adjust, move, and what stands afterwards, on both databases (A30, A31, A40, A41)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Claim, Grant, hours, organizations, projects, volunteers
from volunteerkit.errors import (
    AlreadyResolved,
    IdempotencyConflict,
    InvalidValue,
    NotFound,
    NotPermitted,
    Refused,
)
from volunteerkit.volunteers.tables import link as volunteer_link

CLERK, CHECKER, THIRD = (Actor.of(f"clerk-{n}", "centre") for n in (7, 8, 9))
DAY, TODAY = dt.date(2026, 11, 20), dt.date(2026, 11, 23)


@pytest.fixture
def record(city: Any) -> int:
    """One confirmed record of two hours."""

    def begin(desk: Any) -> int:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        organizations.register(desk, "O2", name="红十字会")
        for number, organization in (("P1", "O1"), ("P2", "O1"), ("P3", "O2")):
            projects.register(desk, number, name="无偿献血宣传", organization=organization)
        volunteers.admit(desk, name="𠮷田喆", organization="O1", number="V1")
        return hours.record(
            desk, Claim("V1", "P1", DAY, 120, dt.time(9), dt.time(11), kind="travel")
        ).record_id

    record_id: int = city.at(TODAY, CLERK, begin)
    city.at(TODAY, CHECKER, hours.confirm, record_id)
    return record_id


def statement(city: Any, **more: Any) -> Any:
    return city.at(TODAY, CLERK, hours.statement, "V1", rulebook="plain", **more)


def codes(error: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [finding.code for finding in error.value.findings]


def transfers(city: Any) -> list[tuple[Any, ...]]:
    query = "SELECT record_id, code, minutes, refers_to, journal FROM vk_transfer ORDER BY seq"
    with city.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def issued(city: Any) -> dict[str, int]:
    query = (
        "SELECT p.number, -a.posted_minutes FROM vk_account a JOIN vk_project p ON a.id = p.id * 16 + 2 "
        "WHERE a.posted_minutes <> 0"
    )
    with city.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.exec_driver_sql(query)}


def holds(city: Any) -> bool:
    with city.engine.connect() as connection:
        return hours.verify_store(connection).holds


def test_a31_every_change_is_a_new_entry_and_totals_are_their_sum(city: Any, record: int) -> None:
    known = statement(city).known_at
    city.at(TODAY, CHECKER, hours.adjust, record, minutes=90, reason="提前离开")
    city.at(TODAY, THIRD, hours.adjust, record, minutes=100, reason="查明签退时间", effective_on=TODAY)
    assert transfers(city) == [
        (record, "RECORD", 120, None, None), (record, "CONFIRM", 120, 1, None),
        (record, "ADJUST", 30, 2, None), (record, "ADJUST", 10, 3, None),
    ]  # fmt: skip
    found = statement(city)
    assert (found.confirmed_minutes, found.lines[0].claimed_minutes, found.lines[0].seq) == (100, 120, 4)
    assert statement(city, known_at=known).confirmed_minutes == 120
    # a correction counts from its day
    assert statement(city, as_of=DAY).confirmed_minutes == 120
    assert issued(city) == {"P1": 100}
    city.at(TODAY, CHECKER, hours.reverse, record, reason="没有到场")
    assert statement(city).confirmed_minutes == 0
    city.at(TODAY, CHECKER, hours.restore, record, reason="到过场")
    assert statement(city).confirmed_minutes == 100
    assert holds(city)


def test_l4_on_no_day_do_minutes_stand_twice_or_below_none(city: Any, record: int) -> None:
    before, later = TODAY - dt.timedelta(1), TODAY + dt.timedelta(9)

    def out_of_order(on: dt.date, verb: Any, *given: Any, day: dt.date, since: dt.date, **more: Any) -> None:
        with pytest.raises(InvalidValue, match=f"effective_on.*{since} … {on}"):
            city.at(on, THIRD, verb, record, *given, reason="核对", effective_on=day, **more)

    for day in (DAY - dt.timedelta(1), TODAY + dt.timedelta(1)):
        out_of_order(TODAY, hours.reverse, day=day, since=DAY)
    city.at(TODAY, CHECKER, hours.reverse, record, reason="没有到场")
    out_of_order(later, hours.restore, day=before, since=TODAY)
    city.at(TODAY, CHECKER, hours.restore, record, reason="到过场")
    out_of_order(later, hours.adjust, day=before, since=TODAY, minutes=60)
    out_of_order(later, hours.move, "P2", day=before, since=TODAY)
    shown = [statement(city, as_of=day).confirmed_minutes for day in (DAY, before, TODAY, later)]
    assert (shown, holds(city)) == ([120] * 4, True)


def test_a30_an_unchanged_correction_is_refused(city: Any, record: int) -> None:
    with pytest.raises(Refused) as told:
        city.at(TODAY, CHECKER, hours.adjust, record, minutes=120, reason="核对")
    assert codes(told) == ["nothing_changes"]
    assert len(transfers(city)) == 2


def test_l3_more_than_was_claimed_needs_a_second_person(city: Any, record: int) -> None:
    for actor in (CLERK, CHECKER):
        with pytest.raises(Refused) as told:
            city.at(TODAY, actor, hours.adjust, record, minutes=180, reason="漏记一小时")
        assert codes(told) in (["own_record"], ["second_person"])
    # who confirmed it, under another login: both are the same volunteer
    city.at(TODAY, CLERK, lambda desk: volunteers.admit(desk, name="周雪", organization="O1", number="V2"))
    with city.engine.begin() as connection:
        for actor in (CHECKER.id, "phone-3"):
            connection.execute(sa.insert(volunteer_link).values(actor_id=actor, volunteer_id=2, linked_on=0))
    with pytest.raises(Refused) as told:
        city.at(TODAY, Actor.of("phone-3", "centre"), hours.adjust, record, minutes=180, reason="漏记一小时")
    assert codes(told) == ["second_person"]
    done = city.at(TODAY, THIRD, hours.adjust, record, minutes=180, reason="漏记一小时", key="k")
    assert (done.minutes, statement(city).confirmed_minutes, holds(city)) == (180, 180, True)
    again = city.at(TODAY, THIRD, hours.adjust, record, minutes=180, reason="漏记一小时", key="k")
    assert (again.replayed, again.minutes) == (True, 180)
    with pytest.raises(IdempotencyConflict):
        city.at(TODAY, THIRD, hours.adjust, record, minutes=181, reason="漏记一小时", key="k")


@pytest.mark.parametrize("minutes", [0, -1, 1441, 1.0, True, "90", None])
def test_an_adjustment_names_the_whole_minutes_that_stand(city: Any, record: int, minutes: Any) -> None:
    with pytest.raises(InvalidValue):
        city.at(TODAY, THIRD, hours.adjust, record, minutes=minutes, reason="核对")


def test_only_what_is_confirmed_is_adjusted_or_moved_and_only_by_who_may(city: Any, record: int) -> None:
    with pytest.raises(NotPermitted):
        city.at(TODAY, Actor("nobody"), hours.adjust, record, minutes=60, reason="核对")
    foreign = Actor("admin-2", (Grant("organization_admin", "O2"),))
    for verb in (lambda desk: hours.adjust(desk, record, minutes=60, reason="核对"),
                 lambda desk: hours.move(desk, record, "P3", reason="核对")):  # fmt: skip
        with pytest.raises(NotFound):
            city.at(TODAY, foreign, verb)
    own = Actor("admin-1", (Grant("organization_admin", "O1"),))
    with pytest.raises(NotFound):  # the other organization's project
        city.at(TODAY, own, hours.move, record, "P3", reason="核对")
    city.at(TODAY, CHECKER, hours.reverse, record, reason="录错了人")
    for verb in (lambda desk: hours.adjust(desk, record, minutes=60, reason="核对"),
                 lambda desk: hours.move(desk, record, "P2", reason="核对")):  # fmt: skip
        with pytest.raises(Refused) as told:
            city.at(TODAY, CHECKER, verb)
        assert codes(told) == ["nothing_to_adjust"]


def test_a40_moving_an_entry_changes_both_totals_at_once_in_one_journal(city: Any, record: int) -> None:
    city.at(TODAY, CHECKER, hours.adjust, record, minutes=100, reason="提前离开")
    done = city.at(TODAY, CHECKER, hours.move, record, "P3", reason="记错了活动", key="k")
    assert (done.record_id, done.state, done.minutes) == (record + 1, "confirmed", 100)
    assert transfers(city)[3:] == [(record, "REVERSE", 100, 3, 4), (record + 1, "MOVE", 100, 4, 4)]
    assert issued(city) == {"P3": 100}
    found = statement(city)
    assert found.confirmed_minutes == 100
    assert [(line.record_id, line.project, line.kind, line.claimed_minutes) for line in found.lines] == [
        (record + 1, "P3", "travel", 120)
    ]
    assert city.at(TODAY, CHECKER, hours.move, record, "P3", reason="记错了活动", key="k").replayed
    with pytest.raises(Refused) as told:  # it would count twice
        city.at(TODAY, CHECKER, hours.restore, record, reason="没有记错")
    assert codes(told) == ["record_moved"]
    with pytest.raises(AlreadyResolved):
        city.at(TODAY, CHECKER, hours.reverse, record, reason="录错了人")
    city.at(TODAY, THIRD, hours.move, record + 1, "P1", reason="没有记错")
    assert (issued(city), statement(city).confirmed_minutes, holds(city)) == ({"P1": 100}, 100, True)


def test_a41_totals_are_sums_of_whole_minutes(city: Any, record: int) -> None:
    for minutes in (20, 20, 20):
        made = city.at(TODAY, CLERK, hours.record, Claim("V1", "P2", DAY - dt.timedelta(1), minutes))
        city.at(TODAY, CHECKER, hours.confirm, made.record_id)
    found = statement(city)
    assert found.confirmed_minutes == 180 == sum(line.confirmed_minutes for line in found.lines)
    assert found.credited_minutes == sum(line.credited_minutes for line in found.lines)
