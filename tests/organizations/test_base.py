"""The incubation base: tenancies, desks, equipment, services, exits."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from volunteerkit import Actor, Grant, Refused, approvals, organizations
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted
from volunteerkit.messages import LANGUAGES
from volunteerkit.organizations import base

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")


def day(n: int) -> dt.date:
    return MONDAY + dt.timedelta(n)


def admin(number: str) -> Actor:
    return Actor(f"admin-{number}", (Grant("organization_admin", number),))


def codes(caught: pytest.ExceptionInfo[Refused]) -> list[str]:
    for language in LANGUAGES:  # every text is there and gets what it needs
        assert caught.value.message(language)
        assert all(finding.code not in finding.message(language) for finding in caught.value.findings)
    return [finding.code for finding in caught.value.findings]


@pytest.fixture
def two(city: Any) -> Any:
    for number in ("O1", "O2"):
        city.at(MONDAY, CENTRE, organizations.register, number, name=number)
    for number in ("A-1", "A-2"):
        city.at(MONDAY, CENTRE, base.add_desk, number)
    city.at(MONDAY, CENTRE, base.add_equipment, "E1", name="投影仪", count=3)
    return city


def moved_in(city: Any, number: str, last: int = 30) -> int:
    id_ = city.at(MONDAY, admin(number), base.apply, number, starts_on=MONDAY, ends_on=day(last))
    case = city.at(MONDAY, CENTRE, approvals.pending)[0]
    city.at(MONDAY, CENTRE, approvals.decide, case.id, "approve")
    return int(id_)


def test_a_tenancy_is_applied_for_and_decided_by_the_centre(two: Any) -> None:
    with pytest.raises(NotFound):
        two.at(MONDAY, admin("O2"), base.apply, "O1", starts_on=MONDAY, ends_on=day(9))
    id_ = two.at(MONDAY, admin("O1"), base.apply, "O1", starts_on=MONDAY, ends_on=day(9))
    with pytest.raises(Refused):
        two.at(MONDAY, admin("O1"), base.apply, "O1", starts_on=MONDAY, ends_on=day(9))
    with pytest.raises(Refused) as caught:
        two.at(MONDAY, CENTRE, base.assign_desk, id_, "A-1")
    assert codes(caught) == ["no_tenant"]
    case = two.at(MONDAY, CENTRE, approvals.pending)[0]
    two.at(day(2), CENTRE, approvals.decide, case.id, "approve")
    found = two.at(day(2), admin("O1"), base.view, id_)
    assert (found.status, found.starts_on, found.ends_on) == ("granted", day(2), day(9))
    with pytest.raises(NotFound):
        two.at(day(2), admin("O2"), base.view, id_)
    assert two.at(day(2), admin("O2"), base.list_tenancies) == ()
    with pytest.raises(NotPermitted):
        two.at(day(2), Actor.of("citizen-1", "public"), base.occupancy)


def test_a_tenancy_decided_when_its_days_are_over_is_refused(two: Any) -> None:
    id_ = two.at(MONDAY, admin("O1"), base.apply, "O1", starts_on=MONDAY, ends_on=day(3))
    case = two.at(MONDAY, CENTRE, approvals.pending)[0]
    two.at(day(4), CENTRE, approvals.decide, case.id, "approve")
    assert two.at(day(4), CENTRE, base.view, id_).status == "refused"


def test_a_desk_has_one_tenant_at_a_time_and_every_day_is_known(two: Any) -> None:
    first, second = moved_in(two, "O1"), moved_in(two, "O2")
    two.at(MONDAY, CENTRE, base.assign_desk, first, "A-1")
    with pytest.raises(Refused) as caught:
        two.at(MONDAY, CENTRE, base.assign_desk, second, "A-1")
    assert codes(caught) == ["desk_taken"]
    two.at(day(3), CENTRE, base.release_desk, "A-1")
    with pytest.raises(Refused) as caught:
        two.at(day(3), CENTRE, base.release_desk, "A-1")
    assert codes(caught) == ["desk_free"]
    two.at(day(5), CENTRE, base.assign_desk, second, "A-1")

    def seats(n: int, actor: Actor = CENTRE) -> dict[str, str | None]:
        found = two.at(day(9), actor, base.occupancy, on=day(n))
        return {each.desk: each.organization for each in found}

    assert [seats(n)["A-1"] for n in (0, 2, 3, 4, 5, 30, 31)] == ["O1", "O1", None, None, "O2", "O2", None]
    assert seats(0)["A-2"] is None
    assert (seats(0, admin("O1")), seats(0, admin("O2"))) == ({"A-1": "O1"}, {})
    third = two.at(day(31), admin("O1"), base.apply, "O1", starts_on=day(31), ends_on=day(60))
    case = two.at(day(31), CENTRE, approvals.pending)[0]
    two.at(day(31), CENTRE, approvals.decide, case.id, "approve")
    two.at(day(31), CENTRE, base.assign_desk, third, "A-1")  # nobody had to sweep the ended tenancy


def test_equipment_is_never_lent_twice_nor_returned_more_than_lent(two: Any) -> None:
    first, second = moved_in(two, "O1"), moved_in(two, "O2")
    loan = two.at(MONDAY, CENTRE, base.lend, first, "E1", 2)
    with pytest.raises(Refused) as caught:
        two.at(MONDAY, CENTRE, base.lend, second, "E1", 2)
    assert codes(caught) == ["not_enough_equipment"]
    assert "1" in caught.value.findings[0].message("en")
    two.at(MONDAY, CENTRE, base.return_loan, loan, 1)
    with pytest.raises(Refused) as caught:
        two.at(MONDAY, CENTRE, base.return_loan, loan, 2)
    assert codes(caught) == ["more_than_lent"]
    assert two.at(MONDAY, CENTRE, base.view, first).lent == 1
    two.at(MONDAY, CENTRE, base.lend, second, "E1", 2)
    two.at(MONDAY, CENTRE, base.return_loan, loan)
    with pytest.raises(Refused):
        two.at(MONDAY, CENTRE, base.return_loan, loan)
    for count in (0, -1, True, 1.0):
        with pytest.raises(InvalidValue):
            two.at(MONDAY, CENTRE, base.lend, first, "E1", count)
    with pytest.raises(NotFound):
        two.at(MONDAY, CENTRE, base.return_loan, 99)


def test_a_stay_is_extended_and_ends_with_a_review(two: Any) -> None:
    id_ = moved_in(two, "O1", last=9)
    assert two.at(day(1), CENTRE, base.extend, id_, day(20)).ends_on == day(20)
    with pytest.raises(Refused):
        two.at(day(1), CENTRE, base.extend, id_, day(20))
    two.at(day(1), CENTRE, base.assign_desk, id_, "A-1")
    two.at(day(2), CENTRE, base.note_service, id_, "财务辅导")
    with pytest.raises(Refused):
        two.at(day(2), CENTRE, base.note_service, id_, "财务辅导", on=day(3))
    loan = two.at(day(2), CENTRE, base.lend, id_, "E1")
    with pytest.raises(Refused) as caught:
        two.at(day(5), SECOND, base.review_exit, id_, "graduated")
    assert codes(caught) == ["equipment_out"]
    with pytest.raises(InvalidValue):
        two.at(day(5), SECOND, base.review_exit, id_, "bored")
    two.at(day(5), CENTRE, base.return_loan, loan)
    left = two.at(day(5), SECOND, base.review_exit, id_, "graduated")
    assert (left.status, left.outcome, left.ends_on) == ("left", "graduated", day(4))
    assert left.services == ((day(2), "财务辅导"),)
    assert [each.organization for each in two.at(day(5), CENTRE, base.occupancy)] == [None, None]
    assert two.at(day(5), CENTRE, base.occupancy, on=day(4))[0].organization == "O1"
    with pytest.raises(Refused) as caught:
        two.at(day(5), CENTRE, base.review_exit, id_, "graduated")
    assert codes(caught) == ["no_tenant"]


@pytest.mark.parametrize("day", [None, "2026-12-01", 5])
def test_a_tenancy_without_its_days_is_told_as_such(city: Any, day: Any) -> None:
    city.at(MONDAY, CENTRE, organizations.register, "O9", name="书画协会")
    admin = Actor("admin-9", (Grant("organization_admin", "O9"),))
    with pytest.raises(InvalidValue):
        city.at(MONDAY, admin, lambda desk: base.apply(desk, "O9", starts_on=MONDAY, ends_on=day))
