"""Disputes of posted lines and one appeal, on both databases (A30, L20)."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest

from volunteerkit import Actor, Claim, Desk, Grant, approvals, hours, organizations, projects, volunteers
from volunteerkit.errors import AlreadyResolved, InvalidValue, NotFound, NotPermitted, Refused
from volunteerkit.store.texts import open_texts

CLERK, CHECKER, THIRD, FOURTH = (Actor.of(f"clerk-{n}", "centre") for n in (7, 8, 9, 10))
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
SELF = Actor("person-1", (Grant("volunteer"),), volunteer="V1")
DAY, TODAY = dt.date(2026, 11, 20), dt.date(2026, 11, 23)


@pytest.fixture
def record(city: Any) -> int:
    def begin(desk: Desk) -> int:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        projects.register(desk, "P1", name="无偿献血宣传", organization="O1")
        volunteers.admit(desk, name="𠮷田喆", organization="O1", number="V1")
        volunteers.admit(desk, name="欧阳雪", organization="O1", number="V2")
        return hours.record(desk, Claim("V1", "P1", DAY, 120)).record_id

    record_id: int = city.at(TODAY, CLERK, begin)
    city.at(TODAY, CHECKER, hours.confirm, record_id, minutes=60, reason="提前离开")
    return record_id


def disputed(city: Any, record: int, minutes: int = 120, day: dt.date = TODAY) -> int:
    case_id: int = city.at(day, SELF, hours.dispute, record, minutes, reason="我一直到活动结束").id
    return case_id


def statement(city: Any) -> Any:
    return city.at(TODAY, SELF, hours.statement, "V1", rulebook="plain")


def refused(city: Any, actor: Actor, verb: Any, day: dt.date = TODAY) -> str:
    with pytest.raises(Refused) as told:
        city.at(day, actor, verb)
    return told.value.findings[0].code


def decide(city: Any, actor: Actor, case_id: int, verdict: str = "approve") -> Any:
    return city.at(TODAY, actor, approvals.decide, case_id, verdict, reason="查看签退记录")


def test_a30_totals_are_unchanged_until_decided_and_the_line_is_tagged(city: Any, record: int) -> None:
    case_id = disputed(city, record)
    found = statement(city)
    assert (found.confirmed_minutes, found.lines[0].disputed) == (60, True)
    decide(city, ADMIN, case_id)
    found = statement(city)
    assert (found.confirmed_minutes, found.lines[0].disputed) == (120, False)
    with city.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT code, minutes, actor_id FROM vk_transfer ORDER BY seq"
        ).fetchall()
        assert tuple(rows[-1]) == ("ADJUST", 60, "admin-1")
        assert hours.verify_store(connection).holds


def test_another_case_about_somebody_disputes_no_record(city: Any, record: int) -> None:
    """The transfer's subject ends with the volunteer's number within the database, which is a record's too."""
    city.at(TODAY, CLERK, organizations.register, "O2", name="红十字会")
    case = city.at(TODAY, SELF, volunteers.request_transfer, "V1", "O2")
    assert case.subject.endswith(f":{record}")
    assert not statement(city).lines[0].disputed


def test_a_decision_without_words_has_those_of_the_dispute(city: Any, record: int) -> None:
    case_id = disputed(city, record)
    city.at(TODAY, THIRD, approvals.decide, case_id, "approve")
    found = city.at(TODAY, CLERK, lambda desk: open_texts(desk, [reason_of_last(desk)]))
    assert list(found.values()) == ["我一直到活动结束"]


def reason_of_last(desk: Desk) -> str:
    found = desk.connection.exec_driver_sql("SELECT reason FROM vk_transfer ORDER BY seq DESC LIMIT 1")
    return str(found.scalar())


def test_l20_whoever_recorded_or_confirmed_does_not_decide(city: Any, record: int) -> None:
    case_id = disputed(city, record)
    for actor in (CLERK, CHECKER):
        assert (
            refused(city, actor, partial(approvals.decide, case_id=case_id, verdict="approve")) == "own_case"
        )
    assert decide(city, THIRD, case_id).state == "granted"
    with pytest.raises(AlreadyResolved):
        decide(city, ADMIN, case_id)


@pytest.mark.parametrize(("minutes", "code"), [(0, "REVERSE"), (30, "ADJUST"), (180, "ADJUST")])
def test_l20_the_outcome_is_what_the_volunteer_named(city: Any, record: int, minutes: int, code: str) -> None:
    decide(city, ADMIN, disputed(city, record, minutes))
    with city.engine.connect() as connection:
        last = connection.exec_driver_sql("SELECT code FROM vk_transfer ORDER BY seq DESC").scalar()
    assert (last, statement(city).confirmed_minutes) == (code, minutes)


def test_l20_a_reversal_is_disputed_too_and_restored(city: Any, record: int) -> None:
    city.at(TODAY, CHECKER, hours.reverse, record, reason="没有到场")
    decide(city, ADMIN, disputed(city, record, 90))
    assert statement(city).confirmed_minutes == 90
    with city.engine.connect() as connection:
        assert hours.verify_store(connection).holds


def test_l20_a_refusal_is_appealed_once_and_another_decides(city: Any, record: int) -> None:
    case_id = disputed(city, record)
    assert refused(city, SELF, partial(hours.appeal, case_id=case_id, reason="不服")) == "dispute_not_refused"
    decide(city, THIRD, case_id, "refuse")
    assert statement(city).confirmed_minutes == 60
    assert (
        refused(city, SELF, partial(hours.dispute, record_id=record, minutes=120, reason="再来"))
        == "disputed_before"
    )
    second = city.at(TODAY, SELF, hours.appeal, case_id, reason="有人证明").id
    assert statement(city).lines[0].disputed
    for actor in (CLERK, CHECKER, THIRD):
        assert (
            refused(city, actor, partial(approvals.decide, case_id=second, verdict="approve")) == "own_case"
        )
    with pytest.raises(NotPermitted):  # it goes to the centre
        decide(city, ADMIN, second)
    decide(city, FOURTH, second, "refuse")
    assert refused(city, SELF, partial(hours.appeal, case_id=case_id, reason="再来")) == "appealed_before"
    assert statement(city).confirmed_minutes == 60


def test_an_appeal_that_is_upheld_changes_the_line(city: Any, record: int) -> None:
    case_id = disputed(city, record)
    decide(city, ADMIN, case_id, "refuse")
    decide(city, THIRD, city.at(TODAY, SELF, hours.appeal, case_id, reason="有人证明").id)
    assert statement(city).confirmed_minutes == 120


def test_l20_only_ones_own_posted_line_and_only_in_time(city: Any, record: int) -> None:
    pending = city.at(TODAY, CLERK, hours.record, Claim("V1", "P1", DAY, 30)).record_id
    other = city.at(TODAY, CLERK, hours.record, Claim("V2", "P1", DAY, 30)).record_id
    city.at(TODAY, CHECKER, hours.confirm, other)
    assert (
        refused(city, SELF, partial(hours.dispute, record_id=pending, minutes=1, reason="x"))
        == "nothing_to_dispute"
    )
    assert (
        refused(city, SELF, partial(hours.dispute, record_id=record, minutes=60, reason="x"))
        == "nothing_changes"
    )
    for unknown in (other, 99):
        with pytest.raises(NotFound):
            disputed(city, unknown)
    with pytest.raises(NotPermitted):
        city.at(TODAY, ADMIN, hours.dispute, record, 120, reason="x")
    for minutes in (-1, 1441, 1.0, True, None):
        with pytest.raises(InvalidValue):
            disputed(city, record, minutes)  # type: ignore[arg-type]
    last = TODAY + dt.timedelta(90)
    late = partial(hours.dispute, record_id=record, minutes=120, reason="x")
    assert refused(city, SELF, late, last + dt.timedelta(1)) == "dispute_too_late"
    assert disputed(city, record, day=last)
    assert refused(city, SELF, late, last) == "case_waiting"


def test_what_was_said_is_sealed_about_the_volunteer(city: Any, record: int) -> None:
    disputed(city, record)
    with city.engine.connect() as connection:
        facts = connection.exec_driver_sql("SELECT facts FROM vk_case").scalar()
        assert "活动结束" not in facts
        assert '"volunteer:1#case:1"' in facts


def test_l17_a_statement_carries_what_a_certificate_needs(city: Any, record: int) -> None:
    first = statement(city)
    with city.engine.connect() as connection:
        head = connection.exec_driver_sql("SELECT transfer_seq, transfer_hash FROM vk_head").one()
    assert (first.known_at, first.head) == (head[0], bytes(head[1]).hex())
    decide(city, ADMIN, disputed(city, record))
    later = statement(city)
    assert later.content_hash != first.content_hash
    again = city.at(
        TODAY, SELF, hours.statement, "V1", rulebook="plain", known_at=first.known_at, as_of=first.as_of
    )
    assert again.content_hash == first.content_hash


def test_a42_a_range_of_days_filters_lines_and_totals_alike(city: Any, record: int) -> None:
    for before in (10, 1):
        made = city.at(TODAY, CLERK, hours.record, Claim("V1", "P1", DAY - dt.timedelta(before), 30))
        city.at(TODAY, CHECKER, hours.confirm, made.record_id)
    found = city.at(
        TODAY, SELF, hours.statement, "V1", since=DAY - dt.timedelta(1), as_of=DAY, rulebook="plain"
    )
    assert (found.confirmed_minutes, found.credited_minutes) == (90, 90)
    assert [line.confirmed_minutes for line in found.lines] == [30, 60]
    assert city.at(TODAY, SELF, hours.statement, "V1", since=DAY, rulebook="plain").confirmed_minutes == 60
