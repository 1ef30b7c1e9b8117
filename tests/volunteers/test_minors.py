"""A62, A46: a minor serves with a guardian's consent, in the hours and for as long as their age allows; a child's data are hidden."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from volunteerkit import (
    Actor,
    Application,
    Claim,
    Grant,
    Refused,
    hours,
    organizations,
    personal,
    projects,
    volunteers,
)
from volunteerkit.privacy import HIDDEN
from volunteerkit.volunteers import Guardian

RULES = """
id = "city.minors"
decides = "credit"
[[version]]
effective_from = 2020-01-01
citation = "示例：未满 18 周岁的志愿者只在 8 至 18 时服务，一天不超过 4 小时；成年人一天不超过 8 小时"
select = "served_on >= adult_on or (start_minute >= 8 * 60 and start_minute + clock_minutes <= 18 * 60)"
limit = [{ per = "day", at_most = "choose(served_on < adult_on, 4 * 60, 8 * 60)" }]
"""
EVE = dt.date(2026, 11, 22)
BIRTHDAY = EVE + dt.timedelta(1)
AFTERWARDS = BIRTHDAY + dt.timedelta(1)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")


@pytest.fixture
def minors(make_city: Any, database_url: str, tmp_path: Path) -> Any:
    file = tmp_path / "未成年人.toml"
    file.write_text(RULES, "utf-8")
    city = make_city(database_url, file)

    def begin(desk: Any) -> None:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        projects.register(desk, "P1", name="献血宣传", organization="O1")

    city.at(EVE, CENTRE, begin)
    return city


def served(city: Any, number: str, day: dt.date, start: dt.time, end: dt.time) -> None:
    minutes = (end.hour - start.hour) * 60 + end.minute - start.minute
    claim = Claim(number, "P1", day, minutes, start, end)
    recorded = city.at(AFTERWARDS, CENTRE, hours.record, claim)
    city.at(AFTERWARDS, SECOND, hours.confirm, recorded.record_id)


def test_a62_a_minor_needs_consent_and_keeps_to_the_hours_of_their_age(minors: Any) -> None:
    form = Application("小乐", "O1", born_on=dt.date(2008, 11, 23), consent_on=EVE)
    with pytest.raises(Refused) as caught:
        minors.at(EVE, CENTRE, volunteers.register, form)
    assert [each.code for each in caught.value.findings if each.severity == "block"] == [
        "guardian_consent_needed"
    ]
    mother = Guardian("母", "12900000001", consented_on=EVE)
    form = Application("小乐", "O1", born_on=dt.date(2008, 11, 23), consent_on=EVE, guardian=mother)
    number = minors.at(EVE, CENTRE, volunteers.register, form)
    minors.at(EVE, SECOND, volunteers.approve, number)

    served(minors, number, EVE, dt.time(9), dt.time(12))
    served(minors, number, EVE, dt.time(14), dt.time(16))
    served(minors, number, EVE, dt.time(17, 30), dt.time(18, 30))
    served(minors, number, BIRTHDAY, dt.time(14), dt.time(20))
    told = minors.at(BIRTHDAY, CENTRE, hours.statement, number, rulebook="city.minors")
    credited = [(line.served_on, line.credited_minutes) for line in told.lines]
    # as a minor 180 + 60 of 120 by the day's limit, nothing for what ran past six; grown up, everything
    assert credited == [(EVE, 180), (EVE, 60), (EVE, 0), (BIRTHDAY, 360)]
    assert [line.claimed_minutes for line in told.lines] == [180, 120, 60, 360]
    assert [[reason.code for reason in line.reasons] for line in told.lines[:3]] == [
        [],
        ["day_limit"],
        ["not_selected"],
    ]


ROLES = {
    "organization_admin": Actor("admin-1", (Grant("organization_admin", "O1"),)),
    "department_officer": Actor("officer-1", (Grant("department_officer", "渝水区"),)),
    "centre": CENTRE,
    "auditor": Actor.of("auditor-1", "auditor"),
}


@pytest.fixture
def child(minors: Any) -> str:
    mother = Guardian("欧阳母", "12900000001", consented_on=EVE)
    form = Application(
        "欧阳小乐", "O1", phone="12900000078", born_on=dt.date(2012, 11, 23), area="渝水区", consent_on=EVE, guardian=mother
    )  # fmt: skip
    number: str = minors.at(EVE, CENTRE, volunteers.register, form)
    minors.at(EVE, SECOND, volunteers.approve, number)
    return number


@pytest.mark.parametrize("role", ROLES)
def test_a_childs_data_are_hidden_until_the_day_they_turn_fourteen(
    minors: Any, child: str, role: str
) -> None:
    """A46: before it nobody sees more than that there are data; from that very day on the masks of the role hold."""
    before, after = (minors.at(day, ROLES[role], personal.profile, child).fields for day in (EVE, BIRTHDAY))
    assert {value for value in before.values() if value} == {HIDDEN}
    assert after["name"] == {"organization_admin": "欧阳小乐", "centre": "欧阳小乐"}.get(role, "欧阳＊")
    assert after["phone"] in (HIDDEN, "*********78")
    assert "欧阳母" not in str(after)


def test_a_child_sees_their_own_data_on_every_day(minors: Any, child: str) -> None:
    own = Actor("self-1", (Grant("volunteer"),), volunteer=child)
    for day in (EVE, BIRTHDAY):
        assert minors.at(day, own, personal.profile, child).fields["name"] == "欧阳小乐"
