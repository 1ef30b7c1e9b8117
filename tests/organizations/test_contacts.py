"""Whom to ask at an organization: sealed, masked, read in full for a purpose, destroyed in time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Grant, Refused, approvals, organizations, personal
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted
from volunteerkit.organizations import Contact, OrganizationForm
from volunteerkit.store import undelivered
from volunteerkit.store.vault import vault

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND, CITIZEN = (
    Actor.of("centre-1", "centre"),
    Actor.of("centre-2", "centre"),
    Actor.of("c-1", "public"),
)
OFFICER = Actor("officer-1", (Grant("department_officer", "渝水区"),))
HEAD = Actor("head-1", (Grant("organization_admin", "O1"),))
OTHER = Actor("head-2", (Grant("organization_admin", "O2"),))
XUE = Contact("欧阳雪", "１２９-0000 0078", "xue@example.org")


def day(n: int) -> dt.date:
    return MONDAY + dt.timedelta(n)


@pytest.fixture
def town(city: Any) -> Any:
    form = OrganizationForm("渝水区志愿服务联合会", "registered", "渝水区", "52360599MA000004XR", contact=XUE)
    applied = city.at(MONDAY, CITIZEN, organizations.apply, form, number="O1")
    city.at(MONDAY, OFFICER, approvals.decide, applied.case, "approve")
    city.at(MONDAY, CENTRE, organizations.register, "O2", name="红十字志愿服务队", area="分宜县")
    return city


def sealed(town: Any) -> list[bytes]:
    with town.engine.connect() as connection:
        query = sa.select(vault.c.wrapped_key).where(vault.c.subject == "organization:1")
        return [bytes(each) for each in connection.execute(query).scalars()]


def shown(town: Any, actor: Actor = CENTRE, number: str = "O1", n: int = 0) -> tuple[str, ...]:
    found = town.at(day(n), actor, organizations.contact, number)
    assert "雪" not in repr(found)
    return found.name, found.phone, found.email


def test_a_contact_is_shown_in_its_mask_to_whoever_answers_for_the_organization(town: Any) -> None:
    for actor in (CENTRE, OFFICER, HEAD, Actor.of("auditor-1", "auditor")):
        assert shown(town, actor) == ("欧阳＊", "*********78", "＊@example.org")
    assert shown(town, CENTRE, "O2") == ("", "", "")
    with pytest.raises(NotPermitted):
        shown(town, CITIZEN)
    for number in ("O1", "O404"):
        with pytest.raises(NotFound):
            shown(town, OTHER, number)


def test_it_is_read_in_full_for_a_purpose_which_is_logged(town: Any) -> None:
    for actor in (CENTRE, OFFICER, HEAD):
        with pytest.raises(Refused) as caught:
            town.at(MONDAY, actor, organizations.unmask_contact, "O1", "phone")
        assert [each.code for each in caught.value.findings] == ["purpose_needed"]
        found = [town.at(MONDAY, actor, organizations.unmask_contact, "O1", name, purpose="contact")
                 for name in ("name", "phone", "email")]  # fmt: skip
        assert found == ["欧阳雪", "12900000078", "xue@example.org"]
    for field, purpose in (
        ("address", "contact"),
        ("phone", "找欧阳雪"),
        (7, "contact"),
        ("phone", ["contact"]),
    ):
        with pytest.raises(InvalidValue):
            town.at(MONDAY, CENTRE, organizations.unmask_contact, "O1", field, purpose=purpose)
    with pytest.raises(NotPermitted):
        town.at(
            MONDAY,
            Actor.of("auditor-1", "auditor"),
            organizations.unmask_contact,
            "O1",
            "phone",
            purpose="law",
        )
    with town.engine.connect() as connection:
        told = [
            each
            for each in undelivered(connection, "nobody", 1000)
            if each.type == "organization.contact_unmasked"
        ]
    assert len(told) == 9
    assert told[1].payload == {"field": "phone", "purpose": "contact"}


def test_changing_it_destroys_the_one_before(town: Any) -> None:
    before = sealed(town)
    town.at(day(1), HEAD, organizations.edit, "O1", contact=Contact("买买提·艾力"))
    assert shown(town) == ("买＊", "", "")
    (after,) = sealed(town)
    assert [after] != before
    town.at(day(1), HEAD, organizations.edit, "O1", name="新名称")
    assert shown(town) == ("买＊", "", "")
    town.at(day(1), CENTRE, organizations.edit, "O1", contact=Contact())
    assert (sealed(town), shown(town)) == ([], ("", "", ""))


def test_it_goes_half_a_year_after_the_organization_ended(town: Any) -> None:
    case = town.at(MONDAY, CENTRE, organizations.propose_dissolution, "O1", reason="解散", on=day(1))
    town.at(MONDAY, SECOND, approvals.decide, case, "approve")
    for on, count in ((dt.date(2027, 5, 24), 0), (dt.date(2027, 5, 25), 1), (dt.date(2027, 5, 25), 0)):
        assert town.at(on, CENTRE, organizations.forget_contacts) == count
        assert len(sealed(town)) == (on == dt.date(2027, 5, 24))
    with town.engine.connect() as connection:  # what was said of it stays
        held = connection.execute(
            sa.select(vault.c.subject).where(vault.c.subject.startswith("organization:1#"))
        )
        assert held.first() is not None


def test_that_of_a_refused_application_goes_at_once(city: Any) -> None:
    form = OrganizationForm("渝水区志愿服务联合会", "registered", "渝水区", "52360599MA000004XR", contact=XUE)
    applied = city.at(MONDAY, CITIZEN, organizations.apply, form)
    assert city.at(MONDAY, CENTRE, organizations.forget_contacts) == 0
    city.at(MONDAY, OFFICER, approvals.decide, applied.case, "refuse", reason="材料不全")
    assert city.at(MONDAY, CENTRE, organizations.forget_contacts) == 1
    assert sealed(city) == []


def test_who_looks_for_a_volunteer_does_not_find_it(town: Any) -> None:
    assert town.at(MONDAY, CENTRE, personal.find, "欧阳雪") == ()


def test_a_contact_has_a_phone_as_volunteers_have_it() -> None:
    written = ("+86 129-0000-0078", "１２９ ００００ ００７８", "（0790）6441234")
    assert [Contact("欧阳雪", each).phone for each in written] == [
        "12900000078",
        "12900000078",
        "07906441234",
    ]
    with pytest.raises(InvalidValue) as refused:
        Contact("欧阳雪", "1.29E+10")
    assert refused.value.code == "phone_rounded"


@pytest.mark.parametrize(
    "given", [("\0",), (7,), ("x" * 201,), ("兰\n雪",), ("", "129"), ("", "一二三四五六七"), ("", "", "兰"), ("", "", "兰@ x")]
)  # fmt: skip
def test_what_is_no_contact_is_told_without_the_value(given: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidValue) as caught:
        Contact(*given)
    assert "兰" not in caught.value.message("zh-CN")
    assert "兰" not in repr(caught.value)


@pytest.mark.parametrize("odd", ["欧阳雪", {}, 7, ("欧阳雪",)])
def test_what_is_no_contact_at_all_is_refused(town: Any, odd: Any) -> None:
    with pytest.raises(InvalidValue):
        town.at(MONDAY, CENTRE, organizations.edit, "O1", contact=odd)
    with pytest.raises(InvalidValue):
        OrganizationForm("会", "registered", "渝水区", contact=odd)
