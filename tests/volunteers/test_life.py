"""A volunteer's life: registration and its decision, periods, transfer; on both databases."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import (
    Actor,
    Application,
    Claim,
    Finding,
    Grant,
    Refused,
    approvals,
    hookimpl,
    hours,
    organizations,
    personal,
    statistics,
    volunteers,
)
from volunteerkit.errors import AlreadyResolved, InvalidValue, KeyProblem, NotFound, NotPermitted
from volunteerkit.store.desk import Desk
from volunteerkit.store.vault import open_subject, put_retention
from volunteerkit.units import day_number
from volunteerkit.volunteers import Acknowledgement, Guardian, registering
from volunteerkit.volunteers.identity import check_character
from volunteerkit.volunteers.reading import find
from volunteerkit.volunteers.registering import enter
from volunteerkit.volunteers.tables import acknowledgement, membership, volunteer

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
OLD, OLD2 = (Actor(f"admin-{n}", (Grant("organization_admin", "O1"),)) for n in (1, 2))
NEW = Actor("admin-3", (Grant("organization_admin", "O2"),))
CITIZEN = Actor.of("citizen-1", "public")


def identity(born: dt.date, serial: int = 1) -> str:
    body = f"360599{born:%Y%m%d}{serial:03d}"
    return body + check_character(body)


@pytest.fixture
def city(two: Any) -> Any:
    return two


def codes(error: pytest.ExceptionInfo[Refused]) -> set[str]:
    return {finding.code for finding in error.value.findings if finding.severity == "block"}


def test_another_person_approves(city: Any) -> None:
    number = city.at(MONDAY, OLD, lambda desk: volunteers.register(desk, city.adult()))
    assert city.status(number, MONDAY) == "pending"
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, OLD, lambda desk: volunteers.approve(desk, number))
    assert codes(caught) == {"own_case"}
    for stranger in (NEW, CITIZEN):
        with pytest.raises((NotFound, NotPermitted)):
            city.at(MONDAY, stranger, lambda desk: volunteers.approve(desk, number))
    city.at(MONDAY, OLD2, lambda desk: volunteers.approve(desk, number))
    assert city.status(number, MONDAY) == "approved"
    for again in (lambda desk: volunteers.refuse(desk, number, reason="重复"),
                  lambda desk: volunteers.approve(desk, number)):  # fmt: skip
        with pytest.raises(AlreadyResolved) as told:  # A56: decided twice, and told by whom and when
            city.at(MONDAY, CENTRE, again)
        assert [part for part in ("admin-2", "2026-11-23") if part not in str(told.value)] == []
    admitted = city.at(MONDAY, CENTRE, lambda desk: volunteers.admit(desk, name="龚欣", organization="O1"))
    with pytest.raises(Refused) as caught:  # nobody ever asked about this one
        city.at(MONDAY, CENTRE, lambda desk: volunteers.approve(desk, admitted))
    assert codes(caught) == {"not_pending_registration"}


def test_a_citizen_registers_and_nobody_serves_before_the_decision(city: Any) -> None:
    number = city.at(
        MONDAY, CITIZEN, lambda desk: volunteers.register(desk, city.adult(by_oneself=True, consent_on=None))
    )
    claim = Claim(number, "PO1", MONDAY, 60)
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, CENTRE, lambda desk: hours.record(desk, claim))
    assert codes(caught) == {"volunteer_not_active"}
    city.at(MONDAY, CENTRE, lambda desk: volunteers.approve(desk, number))
    city.at(MONDAY, CENTRE, lambda desk: hours.record(desk, claim))
    with pytest.raises(NotPermitted):  # a citizen registers themselves, nobody else
        city.at(MONDAY, CITIZEN, lambda desk: volunteers.register(desk, city.adult()))


def test_refused_and_registered_again(city: Any) -> None:
    number = city.at(MONDAY, OLD, lambda desk: volunteers.register(desk, city.adult()))
    with pytest.raises(InvalidValue):  # a refusal says why
        city.at(MONDAY, OLD2, lambda desk: volunteers.refuse(desk, number, reason=""))
    first = city.at(MONDAY, OLD2, lambda desk: volunteers.refuse(desk, number, reason="照片不清"))
    assert city.status(number, MONDAY) == "refused"
    again = city.at(MONDAY, OLD, lambda desk: volunteers.resubmit(desk, number))
    assert again.previous_id == first.id
    with pytest.raises(Refused):  # two waiting at once
        city.at(MONDAY, OLD, lambda desk: volunteers.resubmit(desk, number))
    city.at(MONDAY, OLD2, lambda desk: volunteers.approve(desk, number))
    assert city.status(number, MONDAY) == "approved"


class Gate:
    """A plugin that refuses students from a moment on."""

    shut = False

    @hookimpl
    def vk_review_registration(self, application: Application) -> Any:
        yield Finding("gate.told", {"tags": len(application.skills)}, "warn")
        if self.shut:
            yield Finding("gate.shut")


def refused(city: Any, **more: Any) -> str:
    number: str = city.at(MONDAY, OLD, lambda desk: volunteers.register(desk, city.adult(**more)))
    city.at(MONDAY, OLD2, lambda desk: volunteers.refuse(desk, number, reason="照片不清"))
    return number


def test_who_registers_again_is_reviewed_again(make_city: Any, database_url: str) -> None:
    gate = Gate()
    made = make_city(database_url, gate)
    made.at(MONDAY, CENTRE, lambda desk: organizations.register(desk, "O1", name="联合会"))
    mother = Guardian("母", "129-0000-0001", consented_on=MONDAY)
    given = {
        "identity_number": identity(dt.date(2010, 5, 1)), "born_on": None, "guardian": mother, "skills": ("急救", "驾驶"), "area": "渝水区",
        "phone": "12900000078", "acknowledged": (Acknowledgement("rights_and_duties", "1", MONDAY),),
    }  # fmt: skip
    number = refused(made, **given)
    gate.shut = True
    with pytest.raises(Refused) as caught:
        made.at(MONDAY, OLD, volunteers.resubmit, number)
    assert codes(caught) == {"gate.shut"}
    assert made.status(number, MONDAY) == "refused"
    gate.shut = False
    case = made.at(MONDAY, OLD, volunteers.resubmit, number)
    assert [(each.code, dict(each.values)) for each in case.findings] == [("gate.told", {"tags": 2})]
    assert (case.facts["area"], case.place.volunteer) == ("渝水区", number)


def test_who_registers_again_meets_the_conditions_of_age_and_consent(city: Any) -> None:
    worker = refused(city, born_on=dt.date(2010, 11, 23), own_income=True)
    with pytest.raises(Refused) as caught:  # what is not kept is said anew
        city.at(MONDAY, OLD, volunteers.resubmit, worker)
    assert codes(caught) == {"guardian_consent_needed"}
    city.at(MONDAY, OLD, lambda desk: volunteers.resubmit(desk, worker, own_income=True))
    alone = city.at(
        MONDAY, CITIZEN, lambda desk: volunteers.register(desk, city.adult(by_oneself=True, consent_on=None))
    )
    city.at(MONDAY, OLD, lambda desk: volunteers.refuse(desk, alone, reason="照片不清"))
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, OLD, volunteers.resubmit, alone)
    assert codes(caught) == {"consent_day_missing"}
    own = Actor("citizen-1", (Grant("volunteer"),), volunteer=alone)
    case = city.at(MONDAY, own, volunteers.resubmit, alone)
    assert case.facts["by_oneself"] is True
    city.at(MONDAY, OLD2, lambda desk: volunteers.refuse(desk, alone, reason="照片不清"))
    for _ in range(2):
        city.at(MONDAY, OLD, lambda desk: volunteers.resubmit(desk, alone, consent_on=MONDAY))
        city.at(MONDAY, OLD2, lambda desk: volunteers.refuse(desk, alone, reason="照片不清"))


@pytest.mark.parametrize("state", ["restricted", "erased"])
def test_nobody_is_registered_again_with_restricted_or_erased_data(city: Any, state: str) -> None:
    number = refused(city)
    put = lambda desk: put_retention(desk.connection, "volunteer:1", state, day_number(MONDAY))  # noqa: E731
    city.at(MONDAY, CENTRE, put)
    with city.engine.connect() as connection, connection.begin():  # a portal that catches and commits
        noon = dt.datetime.combine(MONDAY, dt.time(4), dt.UTC)
        with pytest.raises(Refused) as caught:
            volunteers.resubmit(city.kit.desk(connection, OLD, now=noon), number)
    assert codes(caught) == {"reactivation_restricted"}
    assert city.status(number, MONDAY) == "refused"


def test_a_portal_that_catches_a_refused_application_keeps_nothing_of_it(city: Any) -> None:
    bad = city.adult(skills=("\0",))
    with city.engine.connect() as connection, connection.begin():
        noon = dt.datetime.combine(MONDAY, dt.time(4), dt.UTC)
        with pytest.raises(InvalidValue):
            volunteers.register(city.kit.desk(connection, OLD, now=noon), bad)
    assert (
        city.at(MONDAY, CENTRE, lambda desk: desk.connection.execute(sa.select(volunteer.c.id)).all()) == []
    )


@pytest.mark.parametrize(
    ("phone", "good"),
    [
        ("6441234", True), ("１２９-0000 0078", True), ("+86 129 0000 0078", True), ("+1 555 010 0000", True), ("0" + "1" * 14, True),
        ("abc", False), ("1" * 29, False), ("1" * 16, False), ("138123", False), ("1381234", False), ("129+00000078", False), ("--", False),
    ],
)  # fmt: skip
def test_a_phone_has_seven_to_fifteen_digits(city: Any, phone: str, good: bool) -> None:
    guardian = Guardian("母", phone, consented_on=MONDAY)
    for verb in (
        lambda desk: volunteers.register(desk, city.adult(phone=phone)),
        lambda desk: volunteers.register(desk, city.adult(guardian=guardian)),
        lambda desk: volunteers.admit(desk, name="兰", organization="O1", phone=phone),
    ):
        if good:
            city.at(MONDAY, CENTRE, verb)
            continue
        with pytest.raises(Refused) as caught:
            city.at(MONDAY, CENTRE, verb)
        assert codes(caught) == {"phone_malformed"}
        assert phone not in str(caught.value) + repr(caught.value.findings)


@pytest.mark.parametrize(
    ("name", "good"),
    [("１３８", False), ("13800000000", False), ("1 2", False), ("丁一", True), ("王5", True)],
)
def test_a_name_is_not_a_number(city: Any, name: str, good: bool) -> None:
    for verb in (
        lambda desk: volunteers.register(desk, attrs.evolve(city.adult(), name=name)),
        lambda desk: volunteers.admit(desk, name=name, organization="O1"),
    ):
        if good:
            city.at(MONDAY, CENTRE, verb)
            continue
        with pytest.raises(Refused) as caught:
            city.at(MONDAY, CENTRE, verb)
        assert codes(caught) == {"name_is_number"}


@pytest.mark.parametrize(
    ("born_on", "more", "refused_for"),
    [
        (dt.date(2008, 11, 23), {}, set()),
        (dt.date(2008, 11, 24), {}, {"guardian_consent_needed"}),
        (dt.date(2008, 11, 24), {"own_income": True}, set()),
        (dt.date(2010, 11, 23), {"own_income": True}, set()),
        (dt.date(2010, 11, 24), {"own_income": True}, {"guardian_consent_needed"}),
        (dt.date(2012, 11, 24), {"guardian": Guardian("母", "12900000001")}, {"guardian_consent_needed"}),
        (dt.date(2012, 11, 24), {"guardian": Guardian("母", "12900000001", consented_on=MONDAY)}, set()),
        (dt.date(1990, 1, 1), {"consent_on": None}, {"consent_day_missing"}),
        (dt.date(1990, 1, 1), {"consent_on": MONDAY + dt.timedelta(1)}, {"consent_in_future"}),
    ],
)
def test_what_age_and_consent_ask_for(
    city: Any, born_on: dt.date, more: dict[str, Any], refused_for: set[str]
) -> None:
    given = city.adult(born_on=born_on, **more)
    told = city.at(MONDAY, OLD, lambda desk: volunteers.check_registration(desk, given))
    assert {finding.code for finding in told if finding.severity == "block"} == refused_for
    if refused_for:
        with pytest.raises(Refused) as caught:
            city.at(MONDAY, OLD, lambda desk: volunteers.register(desk, given))
        assert codes(caught) == refused_for
        assert city.at(MONDAY, CENTRE, approvals.pending) == ()
    else:
        number = city.at(MONDAY, OLD, lambda desk: volunteers.register(desk, given))
        assert city.status(number, MONDAY) == "pending"


def test_a_known_identity_number_reveals_nothing_and_can_be_claimed(city: Any) -> None:
    """A57: the answer is one code; the claimant learns nothing before the centre has looked."""
    theirs = identity(dt.date(1990, 5, 1))
    number = city.approved(identity_number=theirs, phone="12900000000")
    mine = city.adult(by_oneself=True, identity_number=f" {theirs[:6]} {theirs[6:]} ")
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, CITIZEN, lambda desk: volunteers.register(desk, mine))
    assert codes(caught) == {"identity_known"}
    assert number not in str(caught.value)
    for asked in (theirs, identity(dt.date(1991, 5, 1)), theirs):
        answer = city.at(
            MONDAY,
            CITIZEN,
            lambda desk, asked=asked: volunteers.claim(desk, identity_number=asked, name="兰𠮷"),
        )
        assert answer is None
    (case,) = city.at(MONDAY, CENTRE, approvals.pending)
    assert case.facts == {
        "volunteer": number,
        "claimant": "citizen-1",
        "name_agrees": True,
        "phone_agrees": False,
    }
    city.at(MONDAY, CENTRE, lambda desk: approvals.decide(desk, case.id, "approve"))


def test_a_claimant_never_sees_what_agrees_nor_whether_there_is_anybody(city: Any) -> None:
    theirs = identity(dt.date(1990, 5, 1))
    city.approved(identity_number=theirs, phone="129-0000-0078")
    claimant = Actor("citizen-1", (Grant("public"), Grant("volunteer")), volunteer="V999")
    colleague = Actor("centre-7", (Grant("centre"), Grant("public")))
    auditor = Actor.of("auditor-1", "auditor")
    told = {"identity_number": theirs, "name": "兰 𠮷", "phone": "１２９ 0000 0078"}
    for actor in (claimant, colleague):  # the second is swallowed while the first one waits
        assert city.at(MONDAY, actor, lambda desk: volunteers.claim(desk, **told)) is None
    (case,) = city.at(MONDAY, CENTRE, approvals.pending)
    assert (case.facts["name_agrees"], case.facts["phone_agrees"]) == (True, True)
    for actor in (claimant, auditor, OLD):
        assert city.at(MONDAY, actor, lambda desk: approvals.pending(desk, mine=False)) == ()
    for verb in (approvals.view, approvals.withdraw, approvals.decisions, approvals.objections):
        answers = []
        for id_ in (case.id, 404):
            with pytest.raises((NotFound, NotPermitted)) as caught:
                city.at(MONDAY, claimant, lambda desk, verb=verb, id_=id_: verb(desk, id_))
            answers.append(caught.value.message("en").replace(str(id_), "?"))
        assert answers[0] == answers[1]
    assert city.at(MONDAY, CENTRE, lambda desk: approvals.view(desk, case.id)).state == "review"
    city.at(MONDAY, CENTRE, lambda desk: approvals.recuse(desk, case.id, reason="亲属"))
    assert city.at(MONDAY, CENTRE, lambda desk: approvals.view(desk, case.id)).state == "review"
    city.at(MONDAY, SECOND, lambda desk: approvals.decide(desk, case.id, "refuse", reason="不是本人"))
    assert city.at(MONDAY, SECOND, lambda desk: approvals.view(desk, case.id)).state == "refused"
    # nor does one who holds the office see the claim of their own
    city.at(MONDAY, colleague, lambda desk: volunteers.claim(desk, **told))
    assert city.at(MONDAY, colleague, lambda desk: approvals.pending(desk, mine=False)) == ()
    assert len(city.at(MONDAY, SECOND, approvals.pending)) == 1


def test_personal_data_without_a_key_are_refused(city: Any) -> None:
    bare = attrs.evolve(city.made, kit=attrs.evolve(city.kit, cipher=None))
    with pytest.raises(KeyProblem):
        bare.at(MONDAY, OLD, lambda desk: volunteers.register(desk, city.adult()))


def test_a_suspension_has_days_and_nobody_ends_it_twice(city: Any) -> None:
    """A13: nothing is recorded for the days of a suspension, everything for those around it."""
    number = city.approved()
    last = MONDAY + dt.timedelta(6)
    city.at(MONDAY, OLD, lambda desk: volunteers.suspend(desk, number, reason="缺勤", until=last))
    assert [city.status(number, day) for day in (MONDAY, last, last + dt.timedelta(1))] == [
        "suspended", "suspended", "approved",
    ]  # fmt: skip
    with pytest.raises(Refused):
        city.at(MONDAY, OLD, lambda desk: volunteers.suspend(desk, number, reason="又一次", since=last))
    for day, allowed in ((MONDAY, False), (MONDAY - dt.timedelta(1), True)):
        claim = Claim(number, "PO1", day, 60)
        if allowed:
            city.at(last, CENTRE, lambda desk, claim=claim: hours.record(desk, claim))
        else:
            with pytest.raises(Refused):
                city.at(last, CENTRE, lambda desk, claim=claim: hours.record(desk, claim))
    city.at(MONDAY, OLD2, lambda desk: volunteers.end_period(desk, number, "suspended"))
    assert city.status(number, MONDAY) == "approved"
    with pytest.raises(Refused):
        city.at(MONDAY, OLD2, lambda desk: volunteers.end_period(desk, number, "suspended"))


def test_the_blacklist_needs_two_and_ends_by_itself(city: Any) -> None:
    number, until = city.approved(), dt.date(2027, 11, 22)
    case = city.at(
        MONDAY,
        CENTRE,
        lambda desk: volunteers.propose_blacklist(desk, number, until=until, reason="伪造时长"),
    )
    assert city.status(number, MONDAY) == "approved"
    with pytest.raises(Refused):
        city.at(MONDAY, CENTRE, lambda desk: approvals.decide(desk, case.id, "approve"))
    city.at(MONDAY, SECOND, lambda desk: approvals.decide(desk, case.id, "approve"))
    assert [city.status(number, day) for day in (MONDAY, until, until + dt.timedelta(1))] == [
        "blacklisted", "blacklisted", "approved",
    ]  # fmt: skip
    lift = city.at(MONDAY, SECOND, lambda desk: volunteers.lift_blacklist(desk, number, reason="申诉成立"))
    city.at(MONDAY, CENTRE, lambda desk: approvals.decide(desk, lift.id, "approve"))
    assert city.status(number, MONDAY) == "approved"


def test_nobody_is_blacklisted_without_a_last_day(city: Any) -> None:
    number = city.approved()
    with pytest.raises(InvalidValue) as caught:
        city.at(
            MONDAY, CENTRE, lambda desk: volunteers.propose_blacklist(desk, number, until=None, reason="作假")
        )
    assert "until" in caught.value.message("zh-CN")
    assert "日期" in caught.value.message("zh-CN")
    assert city.at(MONDAY, CENTRE, lambda desk: approvals.pending(desk, mine=False)) == ()


def test_leave_cancellation_and_the_way_back(city: Any) -> None:
    number = city.approved()
    own = Actor("citizen-9", (Grant("volunteer"),), volunteer=number)
    city.at(MONDAY, own, lambda desk: volunteers.take_leave(desk, number, since=MONDAY))
    assert city.status(number, MONDAY) == "on_leave"
    other = attrs.evolve(own, volunteer="V999")
    with pytest.raises(NotFound):
        city.at(MONDAY, other, lambda desk: volunteers.end_period(desk, number, "on_leave"))
    city.at(MONDAY, own, lambda desk: volunteers.end_period(desk, number, "on_leave"))
    city.at(MONDAY, own, lambda desk: volunteers.deregister(desk, number))
    assert city.status(number, MONDAY) == "deregistered"
    with pytest.raises(Refused):
        city.at(MONDAY, own, lambda desk: volunteers.deregister(desk, number))
    city.at(MONDAY, OLD, lambda desk: volunteers.reactivate(desk, number))
    assert city.status(number, MONDAY) == "approved"


def test_a_transfer_with_a_day_in_the_future(city: Any) -> None:
    """A53, A55: the old organization stays responsible until the day before; past hours stay with it."""
    number, first = city.approved(), dt.date(2026, 12, 1)
    record = city.at(MONDAY, CENTRE, lambda desk: hours.record(desk, Claim(number, "PO1", MONDAY, 90)))
    city.at(MONDAY, SECOND, lambda desk: hours.confirm(desk, record.record_id))
    case = city.at(
        MONDAY, OLD, lambda desk: volunteers.request_transfer(desk, number, "O2", effective_on=first)
    )
    with pytest.raises(Refused):  # two waiting
        city.at(MONDAY, OLD, lambda desk: volunteers.request_transfer(desk, number, "O2"))
    both = Actor("admin-9", (Grant("organization_admin", "O1"), Grant("organization_admin", "O2")))
    city.at(MONDAY, both, lambda desk: approvals.decide(desk, case.id, "approve"))
    with pytest.raises(Refused) as caught:  # who released does not accept
        city.at(MONDAY, both, lambda desk: approvals.decide(desk, case.id, "approve"))
    assert codes(caught) == {"decided_before"}
    city.at(MONDAY, NEW, lambda desk: approvals.decide(desk, case.id, "approve"))
    assert [city.manager(number, day) for day in (MONDAY, first - dt.timedelta(1), first)] == [
        "O1",
        "O1",
        "O2",
    ]
    with pytest.raises(NotFound):
        city.at(first, OLD, lambda desk: volunteers.suspend(desk, number, reason="迟到"))
    assert city.at(first, NEW, lambda desk: hours.statement(desk, number)).credited_minutes == 90
    kept = sa.text(
        "SELECT o.number FROM vk_service_record r JOIN vk_organization o ON o.id = r.organization_id"
    )
    assert city.at(first, CENTRE, lambda desk: desk.connection.execute(kept).scalar()) == "O1"


def test_an_undecided_transfer_is_granted_by_itself_and_a_withdrawn_one_never(city: Any) -> None:
    """A54."""
    number, other = city.approved(), city.approved()
    case = city.at(MONDAY, OLD, lambda desk: volunteers.request_transfer(desk, number, "O2"))
    withdrawn = city.at(MONDAY, OLD, lambda desk: volunteers.request_transfer(desk, other, "O2"))
    city.at(MONDAY, OLD, lambda desk: approvals.withdraw(desk, withdrawn.id))
    late = MONDAY + dt.timedelta(40)
    assert city.manager(number, MONDAY + dt.timedelta(29)) == "O1"
    assert city.manager(number, late) == "O2"
    assert city.manager(other, late) == "O1"
    found = city.at(late, CENTRE, lambda desk: approvals.view(desk, case.id))
    assert found.state == "granted"
    with pytest.raises(AlreadyResolved, match="deadline"):
        city.at(late, NEW, lambda desk: approvals.decide(desk, case.id, "approve"))


@pytest.mark.parametrize("released_after", [None, 0, 20, 30])
def test_a_transfer_has_thirty_days_from_its_opening_whatever_step_it_waits_at(
    city: Any, released_after: int | None
) -> None:
    """A54: undecided on the last day of its term, granted and marked the day after."""
    number = city.approved()
    case = city.at(MONDAY, OLD, lambda desk: volunteers.request_transfer(desk, number, "O2"))
    if released_after is not None:
        day = MONDAY + dt.timedelta(released_after)
        assert city.at(day, OLD2, lambda desk: approvals.decide(desk, case.id, "approve")).state == "review"
    last = MONDAY + dt.timedelta(30)
    found = city.at(last, CENTRE, lambda desk: approvals.view(desk, case.id))
    assert (found.state, found.standing.due_on, city.manager(number, last)) == ("review", last, "O1")
    after = last + dt.timedelta(1)
    assert city.manager(number, after) == "O2"
    found = city.at(after, CENTRE, lambda desk: approvals.view(desk, case.id))
    assert (found.state, found.standing.automatic, found.closed_by) == ("granted", True, "deadline")
    assert city.at(after, CENTRE, transferred)["automatic"] is True


def test_a_transfer_granted_by_people_for_a_later_day_is_not_marked_automatic(city: Any) -> None:
    number, later = city.approved(), MONDAY + dt.timedelta(10)
    case = city.at(
        MONDAY, OLD, lambda desk: volunteers.request_transfer(desk, number, "O2", effective_on=later)
    )
    for actor in (OLD2, NEW):
        city.at(MONDAY, actor, lambda desk: approvals.decide(desk, case.id, "approve"))
    assert city.at(MONDAY, CENTRE, transferred)["automatic"] is False


def test_a_transfer_decided_for_a_later_day_is_waited_for(city: Any) -> None:
    number, later = city.approved(), MONDAY + dt.timedelta(10)
    city.at(MONDAY, CENTRE, lambda desk: organizations.register(desk, "O3", name="三"))

    def ask(day: dt.date, to: str, on: dt.date | None = None) -> Any:
        return city.at(day, CENTRE, volunteers.request_transfer, number, to, effective_on=on)

    case = ask(MONDAY, "O2", later)
    for actor in (OLD2, NEW):
        city.at(MONDAY, actor, lambda desk: approvals.decide(desk, case.id, "approve"))
    with pytest.raises(Refused) as caught:
        ask(MONDAY, "O3")
    assert codes(caught) == {"managed_later"}
    assert city.manager(number, later) == "O2"
    assert ask(later, "O3").state == "review"


def test_a_transfer_leaves_one_organization_managing_from_its_day_on(city: Any) -> None:
    """Also when a row that begins later came another way, as by an import."""
    number, later = city.approved(), MONDAY + dt.timedelta(10)
    city.at(MONDAY, CENTRE, lambda desk: organizations.register(desk, "O3", name="三"))
    case = city.at(MONDAY, OLD, lambda desk: volunteers.request_transfer(desk, number, "O3"))

    def behind_its_back(desk: Desk) -> None:
        rows = desk.connection.execute(sa.select(membership)).fetchall()
        desk.connection.execute(sa.update(membership).values(until=day_number(later) - 1))
        enter(desk, rows[0].volunteer_id, 2, "managing", day_number(later))

    city.at(MONDAY, CENTRE, behind_its_back)
    for actor in (OLD2, CENTRE):
        city.at(MONDAY, actor, lambda desk: approvals.decide(desk, case.id, "approve"))
    assert [city.manager(number, MONDAY + dt.timedelta(n)) for n in (0, 9, 10, 11)] == ["O3"] * 4
    rows = city.at(MONDAY, CENTRE, lambda desk: volunteers.memberships(desk, number))
    assert [row.organization for row in rows if row.until is None] == ["O3"]
    assert all(row.until >= row.since - dt.timedelta(1) for row in rows if row.until)


def transferred(desk: Desk) -> Any:
    query = "SELECT payload FROM vk_event WHERE type = 'volunteer.transferred'"
    return json.loads(desk.connection.exec_driver_sql(query).scalar_one())


def test_rights_and_duties_are_acknowledged_with_version_and_day(city: Any) -> None:
    bare = city.at(MONDAY, OLD, lambda desk: volunteers.check_registration(desk, city.adult()))
    assert "rights_not_acknowledged" in {finding.code for finding in bare}
    agreed = city.adult(acknowledged=(Acknowledgement("rights_and_duties", "2026-1", MONDAY),))
    told = city.at(MONDAY, OLD, lambda desk: volunteers.check_registration(desk, agreed))
    assert "rights_not_acknowledged" not in {finding.code for finding in told}
    city.approved(acknowledged=agreed.acknowledged)
    kept = sa.text("SELECT document, version FROM vk_acknowledgement WHERE document = 'rights_and_duties'")
    rows = city.at(MONDAY, CENTRE, lambda desk: desk.connection.execute(kept).all())
    assert [tuple(row) for row in rows] == [("rights_and_duties", "2026-1")]


def test_one_dated_view_of_service_training_commendation_and_evaluation(city: Any) -> None:
    number, day = city.approved(), dt.timedelta(1)
    own = attrs.evolve(OLD, volunteer=number)
    record = city.at(
        MONDAY, CENTRE, lambda desk: hours.record(desk, Claim(number, "PO1", MONDAY - 2 * day, 90))
    )
    city.at(MONDAY, SECOND, lambda desk: hours.confirm(desk, record.record_id))

    def enter(desk: Desk) -> None:
        volunteers.add_training(desk, number, "急救培训", on=MONDAY - day, minutes=120, organization="O1")
        volunteers.add_commendation(desk, number, "优秀志愿者", on=MONDAY, granted_by="新余市志愿服务联合会")
        volunteers.evaluate(desk, number, "献血宣传", on=MONDAY - 3 * day, score=95, organization="O1")
        volunteers.add_qualification(desk, number, "急救员", obtained_on=MONDAY - day, valid_until=MONDAY)

    city.at(MONDAY, OLD, enter)
    lines = city.at(MONDAY, OLD, lambda desk: statistics.activity_record(desk, number))
    assert [(line.kind, line.name, line.minutes, line.score) for line in lines] == [
        ("evaluation", "献血宣传", None, 95),
        ("service", "献血宣传", 90, None),
        ("training", "急救培训", 120, None),
        ("commendation", "优秀志愿者", None, None),
    ]
    for refused, work in (
        (NotFound, lambda desk: statistics.activity_record(desk, "V404")),
        (
            InvalidValue,
            lambda desk: volunteers.evaluate(desk, number, "x", on=MONDAY, score=101, organization="O1"),
        ),
        (
            InvalidValue,
            lambda desk: volunteers.evaluate(desk, number, "x", on=MONDAY + day, score=1, organization="O1"),
        ),
        (
            Refused,
            lambda desk: volunteers.add_qualification(desk, number, "急救员", obtained_on=MONDAY - day),
        ),
    ):
        with pytest.raises(refused):
            city.at(MONDAY, OLD, work)
    with pytest.raises(Refused) as caught:  # nobody writes into their own record
        city.at(MONDAY, own, enter)
    assert codes(caught) == {"own_case"}
    with pytest.raises(NotFound):
        city.at(MONDAY, NEW, lambda desk: statistics.activity_record(desk, number))
    valid = [city.at(MONDAY, OLD, lambda desk, on=on: volunteers.qualifications(desk, number, on=on))
             for on in (MONDAY, MONDAY + day)]  # fmt: skip
    assert [len(each) for each in valid] == [1, 0]


def admitted(city: Any, number: str | None = None) -> str:
    given: str = city.at(MONDAY, CENTRE, volunteers.admit, name="兰", organization="O1", number=number)
    return given


def test_a_public_number_is_drawn_and_never_twice(city: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [*(admitted(city) for _ in range(20)), *(city.approved() for _ in range(5))]
    assert len(set(numbers)) == 25
    assert all(re.fullmatch("V[1-9][0-9]{9}", number) for number in numbers)
    steps = [int(other[1:]) - int(one[1:]) for one, other in itertools.pairwise(numbers)]
    assert min(abs(step) for step in steps) > 1, "numbers that follow each other are no random ones"
    drawn = iter([int(numbers[0][1:]) - 10**9, int(numbers[7][1:]) - 10**9, 4711])
    monkeypatch.setattr(registering.secrets, "randbelow", lambda below: next(drawn))
    assert admitted(city) == "V1000004711"


@pytest.mark.parametrize("number", [identity(dt.date(1990, 5, 1)), "129-0000 0078", "+8612900000078"])
def test_a_public_number_is_no_personal_one(city: Any, number: str) -> None:
    form = city.adult(phone="12900000078")
    for verb in (
        lambda desk: volunteers.register(desk, form, number=number),
        lambda desk: volunteers.admit(desk, name="兰", organization="O1", phone="12900000078", number=number),
    ):
        with pytest.raises(InvalidValue) as caught:
            city.at(MONDAY, CENTRE, verb)
        assert caught.value.code == "number_is_personal"
        assert number not in str(caught.value)
    assert (
        city.at(MONDAY, CENTRE, lambda desk: desk.connection.execute(sa.select(volunteer.c.id)).all()) == []
    )


def test_a_number_that_is_given_stays_as_it_is(city: Any) -> None:
    assert [admitted(city, number) for number in ("V0033000", "X7")] == ["V0033000", "X7"]
    with pytest.raises(Refused) as caught:
        admitted(city, "X7")
    assert codes(caught) == {"already_registered"}


BORN, EIGHTEEN = dt.date(2008, 11, 24), dt.date(2026, 11, 24)


def minor(city: Any, number: str = "V1") -> Actor:
    """Register somebody with a guardian's consent, on the day before they are 18; return them."""
    mother = Guardian("周母", "129-0000-0001", consented_on=MONDAY)
    form = city.adult(born_on=BORN, guardian=mother, phone="12900000078")
    city.at(MONDAY, OLD, volunteers.register, form, number=number)
    city.at(MONDAY, OLD2, volunteers.approve, number)
    return Actor(f"citizen-{number}", (Grant("volunteer"),), volunteer=number)


def sealed(city: Any, number: str) -> Any:
    return city.at(
        EIGHTEEN,
        CENTRE,
        lambda desk: open_subject(desk.connection, desk.needed_cipher(), find(desk, number).subject),
    )


def test_who_comes_of_age_answers_for_themselves(city: Any) -> None:
    own = minor(city)
    with pytest.raises(Refused) as caught:  # one day too early
        city.at(MONDAY, own, volunteers.answer_consent, "V1", "confirm")
    assert [(each.code, each.values) for each in caught.value.findings] == [("not_of_age", {"age": 18})]
    for other in (OLD, CENTRE, SECOND):
        with pytest.raises(NotPermitted):
            city.at(EIGHTEEN, other, volunteers.answer_consent, "V1", "confirm")
    with pytest.raises(InvalidValue, match="withdraw"):
        city.at(EIGHTEEN, own, volunteers.answer_consent, "V1", "yes")
    assert (city.status("V1", EIGHTEEN), sealed(city, "V1")["guardian"]["name"]) == ("approved", "周母")
    city.at(EIGHTEEN, own, volunteers.answer_consent, "V1", "confirm")
    kept = sealed(city, "V1")
    assert (kept["name"], kept["phone"], "guardian" in kept) == (city.adult().name, "12900000078", False)
    found = city.at(EIGHTEEN, own, lambda desk: desk.connection.execute(
        sa.select(acknowledgement.c.document, acknowledgement.c.acknowledged_on, acknowledgement.c.actor_id)
    ).all())  # fmt: skip
    assert ("consent_to_registration", day_number(EIGHTEEN), own.id) in [tuple(row) for row in found]
    assert "guardian_consent" in {row[0] for row in found}  # that there was one stays told
    with pytest.raises(Refused) as caught:
        city.at(EIGHTEEN, own, volunteers.answer_consent, "V1", "withdraw")
    assert codes(caught) == {"no_guardian_consent"}
    assert [each.number for each in city.at(EIGHTEEN, CENTRE, personal.find, "12900000078")] == ["V1"]


def test_who_withdraws_the_consent_is_no_volunteer_any_more(city: Any) -> None:
    own = minor(city)
    city.at(EIGHTEEN, own, volunteers.answer_consent, "V1", "withdraw")
    assert city.status("V1", EIGHTEEN) == "deregistered"
    for answer in ("confirm", "withdraw"):
        with pytest.raises(Refused) as caught:
            city.at(EIGHTEEN, own, volunteers.answer_consent, "V1", answer)
        assert codes(caught) == {"status_does_not_allow"}


def test_at_sixteen_an_income_of_ones_own_makes_one_of_age(city: Any) -> None:
    own = minor(city)
    with pytest.raises(NotFound):  # for nobody else
        city.at(MONDAY, own, volunteers.answer_consent, "V404", "confirm", own_income=True)
    city.at(MONDAY, own, volunteers.answer_consent, "V1", "confirm", own_income=True)
    assert "guardian" not in sealed(city, "V1")
