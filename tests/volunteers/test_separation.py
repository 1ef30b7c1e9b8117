"""Who may not touch what is proposed about them: withdrawing it, and deciding it under another name."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from volunteerkit import Actor, Application, Grant, Refused, approvals, organizations, personal, volunteers
from volunteerkit.errors import NotFound, NotPermitted
from volunteerkit.store.desk import Desk

MONDAY, UNTIL = dt.date(2026, 11, 23), dt.date(2027, 11, 22)
CENTRE, SECOND, THIRD = (Actor.of(f"centre-{n}", "centre") for n in (1, 2, 3))
ADMIN, ADMIN2 = (Actor(f"admin-{n}", (Grant("organization_admin", "O1"),)) for n in (1, 2))


@pytest.fixture
def city(city: Any) -> Any:
    def begin(desk: Desk) -> None:
        for number in ("O1", "O2"):
            organizations.register(desk, number, name=f"{number}志愿服务队")

    city.at(MONDAY, CENTRE, begin)
    return city


def applied(city: Any, name: str = "兰𠮷", by: Actor = ADMIN) -> str:
    """Register a volunteer, or oneself, and return the number; nobody has decided yet."""
    own = by.grants == CITIZEN.grants
    consent = None if own else MONDAY
    given = Application(name, "O1", born_on=dt.date(1990, 5, 1), consent_on=consent, by_oneself=own)
    return str(city.at(MONDAY, by, lambda desk: volunteers.register(desk, given)))


def approved(city: Any, name: str = "兰𠮷", by: Actor = ADMIN) -> str:
    number = applied(city, name, by)
    city.at(MONDAY, ADMIN2, lambda desk: volunteers.approve(desk, number))
    return number


CITIZEN = Actor.of("citizen-1", "public")


def volunteer(number: str) -> Actor:
    return Actor("app-1", (Grant("volunteer"),), volunteer=number)


def withdraw(city: Any, actor: Actor, case_id: int) -> str:
    return str(city.at(MONDAY, actor, lambda desk: approvals.withdraw(desk, case_id)).state)


@pytest.mark.parametrize("what", ["blacklist", "merge", "erasure"])
def test_nobody_withdraws_what_a_clerk_proposed_about_them(city: Any, what: str) -> None:
    number, kept = approved(city), approved(city, "龚欣")
    propose = {
        "blacklist": lambda desk: volunteers.propose_blacklist(desk, number, until=UNTIL, reason="伪造时长"),
        "merge": lambda desk: volunteers.propose_merge(desk, kept, number, reason="同一人"),
        "erasure": lambda desk: personal.erase(desk, number),
    }[what]
    case = city.at(MONDAY, CENTRE, propose)
    assert case.place.volunteer == number
    with pytest.raises(NotPermitted):
        withdraw(city, volunteer(number), case.id)
    with pytest.raises(NotFound):  # and a stranger does not learn of it
        withdraw(city, volunteer(kept), case.id)
    with pytest.raises(NotPermitted):
        withdraw(city, SECOND, case.id)
    assert withdraw(city, CENTRE, case.id) == "withdrawn"


def test_the_subject_withdraws_what_is_their_own_wish(city: Any) -> None:
    number = applied(city)
    registration = city.at(MONDAY, CENTRE, lambda desk: approvals.pending(desk, mine=False))[0]
    assert withdraw(city, volunteer(number), registration.id) == "withdrawn"
    other = approved(city, "龚欣")
    transfer = city.at(MONDAY, ADMIN, lambda desk: volunteers.request_transfer(desk, other, "O2"))
    assert withdraw(city, volunteer(other), transfer.id) == "withdrawn"


def test_whom_a_case_was_opened_for_withdraws_it(city: Any) -> None:
    number, stand_in = approved(city), Actor("aide-1", (Grant("centre"),), on_behalf_of="centre-1")
    case = city.at(
        MONDAY,
        stand_in,
        lambda desk: volunteers.propose_blacklist(desk, number, until=UNTIL, reason="伪造时长"),
    )
    assert withdraw(city, CENTRE, case.id) == "withdrawn"


def lent_to(borrower: str) -> Actor:
    return Actor(borrower, (Grant("centre", delegated_by="centre-1"),))


@pytest.mark.parametrize(
    "decides",
    [CENTRE, lent_to("aide-1"), Actor("aide-1", (Grant("centre"),), on_behalf_of="centre-1")],
    ids=["oneself", "a borrower", "a stand-in"],
)
@pytest.mark.parametrize("merged", [False, True])
def test_a_clerk_who_registered_as_a_volunteer_does_not_decide_about_themselves(
    city: Any, decides: Actor, merged: bool
) -> None:
    """The portal hands in no volunteer's number: the database knows who registered under the clerk's id."""
    number = approved(city, by=Actor.of("centre-1", "public"))
    if merged:
        kept = approved(city, "龚欣")
        merge = city.at(
            MONDAY, SECOND, lambda desk: volunteers.propose_merge(desk, kept, number, reason="同一人")
        )
        city.at(MONDAY, THIRD, lambda desk: approvals.decide(desk, merge.id, "approve"))
        number = kept
    case = city.at(
        MONDAY,
        SECOND,
        lambda desk: volunteers.propose_blacklist(desk, number, until=UNTIL, reason="伪造时长"),
    )
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, decides, lambda desk: approvals.decide(desk, case.id, "refuse", reason="无此事"))
    assert [each.code for each in caught.value.findings] == ["own_case"]
    assert city.at(MONDAY, decides, approvals.pending) == ()
    decided = city.at(MONDAY, THIRD, lambda desk: approvals.decide(desk, case.id, "approve"))
    assert decided.state == "granted"
