"""Who becomes a volunteer, where, and who comes back; on both databases."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from volunteerkit import (
    Actor,
    Grant,
    Refused,
    approvals,
    organizations,
    personal,
    projects,
    volunteers,
)
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted
from volunteerkit.organizations import OrganizationForm, TeamForm, teams
from volunteerkit.privacy import hide
from volunteerkit.store.desk import Desk
from volunteerkit.volunteers import Acknowledgement, Guardian, registering

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
OLD, OLD2 = (Actor(f"admin-{n}", (Grant("organization_admin", "O1"),)) for n in (1, 2))
OFFICER = Actor("officer-1", (Grant("department_officer", "渝水区"),))
CITIZEN = Actor.of("citizen-1", "public")


@pytest.fixture
def city(two: Any) -> Any:
    return two


def codes(error: pytest.ExceptionInfo[Refused]) -> set[str]:
    return {finding.code for finding in error.value.findings if finding.severity == "block"}


def myself(number: str) -> Actor:
    return Actor("self-1", (Grant("volunteer"),), volunteer=number)


def test_nobody_is_reactivated_whom_no_second_person_ever_approved(city: Any) -> None:
    number = city.at(MONDAY, OLD, volunteers.register, city.adult())
    (case,) = city.at(MONDAY, CENTRE, approvals.pending)
    city.at(MONDAY, OLD, approvals.withdraw, case.id)
    for actor in (OLD, OLD2, CENTRE):
        with pytest.raises(Refused) as caught:
            city.at(MONDAY, actor, volunteers.reactivate, number)
        assert codes(caught) == {"never_approved"}
    assert city.status(number) == "deregistered"
    city.at(MONDAY, OLD, volunteers.resubmit, number)
    city.at(MONDAY, OLD2, volunteers.approve, number)
    city.at(MONDAY, OLD, volunteers.deregister, number)
    city.at(MONDAY, OLD2, volunteers.reactivate, number)
    assert city.status(number) == "approved"


def test_who_was_taken_over_from_elsewhere_can_be_reactivated(city: Any) -> None:
    number = city.at(MONDAY, CENTRE, lambda desk: volunteers.admit(desk, name="兰𠮷", organization="O1"))
    city.at(MONDAY, OLD, volunteers.deregister, number)
    city.at(MONDAY, OLD, volunteers.reactivate, number)
    assert city.status(number) == "approved"


def test_who_withdrew_the_consent_comes_back_only_with_a_new_one(city: Any) -> None:
    grown = dt.date(2026, 11, 24)
    mother = Guardian("母亲", "12900000001", consented_on=MONDAY)
    number = city.approved(born_on=dt.date(2008, 11, 24), guardian=mother)
    city.at(grown, myself(number), volunteers.answer_consent, number, "withdraw")
    for actor in (OLD, CENTRE):
        with pytest.raises(Refused) as caught:
            city.at(grown, actor, volunteers.reactivate, number)
        assert codes(caught) == {"consent_withdrawn"}
        with pytest.raises(Refused) as caught:
            city.at(grown, actor, volunteers.resubmit, number)
        assert codes(caught) == {"consent_day_missing"}
        assert city.status(number, grown) == "deregistered"
    for day in (MONDAY, grown - dt.timedelta(1)):  # it was withdrawn since
        with pytest.raises(Refused) as caught:
            city.at(grown, OLD, lambda desk, day=day: volunteers.resubmit(desk, number, consent_on=day))
        assert codes(caught) == {"consent_before_withdrawal"}
        assert city.status(number, grown) == "deregistered"
    city.at(grown, OLD, lambda desk: volunteers.resubmit(desk, number, consent_on=grown))
    city.at(grown, OLD2, volunteers.approve, number)
    assert city.status(number, grown) == "approved"
    city.at(grown, OLD, volunteers.deregister, number)
    city.at(grown, OLD, volunteers.reactivate, number)  # what was withdrawn was given again
    assert city.status(number, grown) == "approved"


def stopped(city: Any, number: str, how: str) -> str:
    """Bring an organization into a state from today on and return its number."""
    if how == "suspended":
        case = city.at(MONDAY, CENTRE, organizations.propose_suspension, number, reason="年检未过")
    else:
        case = city.at(
            MONDAY, CENTRE, organizations.propose_merger, number, successor="O1", reason="合并", on=MONDAY
        )
    city.at(MONDAY, SECOND, approvals.decide, case, "approve")
    return number


@pytest.mark.parametrize(
    ("how", "code"),
    [("unknown", "organization_unknown"), ("applied", "organization_unknown"), ("refused", "organization_unknown"),
     ("suspended", "organization_not_active"), ("merged", "organization_not_active")],
)  # fmt: skip
def test_nobody_is_registered_into_an_organization_that_cannot_act(city: Any, how: str, code: str) -> None:
    number = "O404"
    if how in ("applied", "refused"):
        form = OrganizationForm(
            "白鹭书社", kind="hosted_group", hosted_by="O1", area="渝水区", consent="渝志函1号"
        )
        applied = city.at(MONDAY, CENTRE, organizations.apply, form)
        number = applied.number
        if how == "refused":
            city.at(
                MONDAY, OFFICER, lambda desk: approvals.decide(desk, applied.case, "refuse", reason="不全")
            )
    elif how != "unknown":
        number = stopped(city, "O2", how)
    application = attrs.evolve(city.adult(by_oneself=True, consent_on=None), organization=number)
    told = city.at(MONDAY, CITIZEN, volunteers.check_registration, application)
    assert code in {each.code for each in told if each.severity == "block"}
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, CITIZEN, volunteers.register, application)
    assert codes(caught) == {code}
    with pytest.raises((Refused, NotFound)) as wrong:
        city.at(MONDAY, CENTRE, lambda desk: projects.register(desk, "P1", name="献血", organization=number))
    assert isinstance(wrong.value, NotFound if how == "unknown" else Refused)


def test_an_organization_that_stopped_meanwhile_gets_nobody(city: Any) -> None:
    application = attrs.evolve(city.adult(), organization="O2")
    number = city.at(MONDAY, CENTRE, volunteers.register, application)
    stopped(city, "O2", "suspended")
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, SECOND, volunteers.approve, number)
    assert codes(caught) == {"organization_not_active"}
    assert city.status(number) == "pending"
    city.at(MONDAY, SECOND, lambda desk: volunteers.refuse(desk, number, reason="组织已暂停"))
    assert city.status(number) == "refused"


NEW = Actor("admin-3", (Grant("organization_admin", "O2"),))
AFTER = MONDAY + dt.timedelta(31)
"""The first day after the term of a transfer asked for on `MONDAY`."""


def waiting(city: Any) -> set[str]:
    return {each.kind for each in city.at(MONDAY, CENTRE, lambda desk: approvals.pending(desk, mine=False))}


def test_who_left_is_transferred_no_more(city: Any) -> None:
    number = city.approved()
    case = city.at(MONDAY, OLD, volunteers.request_transfer, number, "O2")
    city.at(MONDAY, CENTRE, lambda desk: organizations.propose_admin(desk, "O1", "actor-9", volunteer=number))
    sanction = city.at(
        MONDAY, CENTRE, lambda desk: volunteers.propose_blacklist(desk, number, until=AFTER, reason="作假")
    )
    city.at(MONDAY, OLD, volunteers.deregister, number)
    assert waiting(city) == {sanction.kind}  # who leaves does not escape what is said against them
    assert city.at(AFTER, CENTRE, approvals.view, case.id).state == "withdrawn"
    assert city.manager(number, AFTER) == "O1"


def test_who_is_erased_is_transferred_no_more(city: Any) -> None:
    number = city.approved()
    case = city.at(MONDAY, OLD, volunteers.request_transfer, number, "O2")
    erasure = city.at(MONDAY, CENTRE, personal.erase, number)
    city.at(MONDAY, SECOND, approvals.decide, erasure.id, "approve")
    assert city.at(AFTER, CENTRE, approvals.view, case.id).state == "withdrawn"
    assert city.manager(number, AFTER) == "O1"


def test_who_is_blacklisted_is_not_transferred_by_the_term(city: Any) -> None:
    number = city.approved()
    city.at(MONDAY, OLD, volunteers.request_transfer, number, "O2")
    sanction = city.at(
        MONDAY, CENTRE, lambda desk: volunteers.propose_blacklist(desk, number, until=AFTER, reason="作假")
    )
    city.at(MONDAY, SECOND, approvals.decide, sanction.id, "approve")
    assert city.manager(number, AFTER) == "O1"


def test_nobody_is_transferred_into_an_organization_that_stopped_meanwhile(city: Any) -> None:
    number = city.approved()
    case = city.at(MONDAY, OLD, volunteers.request_transfer, number, "O2")
    city.at(MONDAY, OLD2, approvals.decide, case.id, "approve")
    stopped(city, "O2", "suspended")
    with pytest.raises(NotPermitted):
        city.at(MONDAY, NEW, approvals.decide, case.id, "approve")
    with pytest.raises(Refused) as caught:  # nor does the centre take in anybody there
        city.at(MONDAY, CENTRE, approvals.decide, case.id, "approve")
    assert codes(caught) == {"organization_not_active"}
    assert city.manager(number, AFTER) == "O1"


def test_what_waited_at_the_old_organization_ends_with_a_transfer(city: Any) -> None:
    """A53: requests to join its teams and offices in it, those given under the volunteer's number too."""
    number = city.approved()

    def begin(desk: Desk) -> int:
        applied = teams.apply(desk, TeamForm("白鹭队", organization="O1"))
        return applied.case

    case = city.at(MONDAY, OLD, begin)
    city.at(MONDAY, OLD2, approvals.decide, case, "approve")
    team = city.at(MONDAY, CENTRE, lambda desk: approvals.view(desk, case).place.teams[0])
    held = city.at(
        MONDAY, CENTRE, lambda desk: organizations.propose_admin(desk, "O1", "actor-8", volunteer=number)
    )
    city.at(MONDAY, SECOND, approvals.decide, held, "approve")
    city.at(MONDAY, CENTRE, lambda desk: organizations.propose_admin(desk, "O1", "actor-9", volunteer=number))
    city.at(MONDAY, myself(number), volunteers.ask_to_join, number, team)
    transfer = city.at(MONDAY, OLD, volunteers.request_transfer, number, "O2")
    assert waiting(city) == {"organization.admin", "team.membership", "volunteer.transfer"}
    for actor in (OLD2, NEW):
        city.at(MONDAY, actor, approvals.decide, transfer.id, "approve")
    assert waiting(city) == set()
    assert city.at(MONDAY, CENTRE, organizations.administrators, "O1") == ()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("Ｖ9", ""), (" v9 ", ""), ('="V9"', ""), ("=1+1", "number_malformed"), ("V 9", "number_malformed"), ("0000009", "number_malformed"),
        ("王小明", "number_is_personal"), ("V王", "number_is_personal"), ("12900000078", "number_is_personal"),
        ("V１２９00000078", "number_is_personal"), ("a@example.org", "number_is_personal"), ("36059919900315001X", "number_is_personal"),
    ],
)  # fmt: skip
def test_a_public_number_has_one_form_and_tells_nothing(city: Any, given: str, code: str) -> None:
    verbs = (
        lambda desk: volunteers.register(desk, city.adult(), number=given),
        lambda desk: volunteers.admit(desk, name="兰𠮷", organization="O1", number=given),
        lambda desk: organizations.register(desk, given, name="白鹭书社"),
        lambda desk: (
            organizations.apply(
                desk, OrganizationForm("白鹭书社", "branch", "渝水区", parent="O1"), number=given
            ).number
        ),
    )
    for n, verb in enumerate(verbs):
        if code:
            with pytest.raises(InvalidValue) as caught:
                city.at(MONDAY, CENTRE, verb)
            assert caught.value.code == code
            assert given.strip() not in str(caught.value)
        elif n % 2 == 0:
            assert city.at(MONDAY, CENTRE, verb) == "V9"
        else:  # however it is written, it is the same number
            with pytest.raises(Refused) as taken:
                city.at(MONDAY, CENTRE, verb)
            assert codes(taken) == {"already_registered"}


def test_who_is_registered_registers_themselves_no_second_time(city: Any) -> None:
    own = city.adult(by_oneself=True, consent_on=None)
    number = city.at(MONDAY, CITIZEN, volunteers.register, own)
    told = city.at(MONDAY, CITIZEN, volunteers.check_registration, own)
    assert "actor_registered" in {each.code for each in told if each.severity == "block"}
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, CITIZEN, volunteers.register, own)
    assert codes(caught) == {"actor_registered"}
    city.at(MONDAY, CENTRE, lambda desk: volunteers.refuse(desk, number, reason="照片不清"))
    me = Actor("citizen-1", (Grant("public"), Grant("volunteer")), volunteer=number)
    assert city.at(MONDAY, me, volunteers.resubmit, number).state == "review"  # the way that is named
    other = Actor.of("citizen-2", "public")
    assert city.at(MONDAY, other, volunteers.register, own) != number


def test_what_is_said_twice_counts_once(city: Any) -> None:
    rights = Acknowledgement("rights_and_duties", "1", MONDAY)
    again = Acknowledgement(" rights_and_duties", "1", MONDAY)
    form = city.adult(
        acknowledged=(rights, rights, again), skills=("急救", " 急救"), languages=("é", "e\u0301")
    )
    assert (form.skills, form.languages) == (("急救",), ("é",))
    assert city.status(city.at(MONDAY, OLD, volunteers.register, form)) == "pending"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"guardian": Guardian("母亲", "", consented_on=MONDAY)}, "guardian_consent_needed"),
        ({"guardian": Guardian("兰 𠮷", "12900000001", consented_on=MONDAY)}, "guardian_is_applicant"),
        ({"guardian": Guardian("母亲", "12900000001", consented_on=dt.date(2012, 4, 30))}, "consent_before_birth"),
        ({"acknowledged": (Acknowledgement("data_use", "1", MONDAY + dt.timedelta(1)),)}, "consent_in_future"),
    ],
)  # fmt: skip
def test_a_guardian_is_another_person_and_days_are_possible(
    city: Any, more: dict[str, Any], code: str
) -> None:
    mother = Guardian("母亲", "12900000001", consented_on=MONDAY)
    form = city.adult(**({"born_on": dt.date(2012, 5, 1), "guardian": mother} | more))
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, OLD, volunteers.register, form)
    assert codes(caught) == {code}


@pytest.mark.parametrize("day", ["2026-11-23", 5, dt.datetime(2026, 11, 23, tzinfo=dt.UTC)])
def test_a_day_of_consent_is_a_date(day: Any) -> None:
    for make in (
        lambda: Guardian("母亲", "12900000001", consented_on=day),
        lambda: Acknowledgement("data_use", "1", day),
    ):
        with pytest.raises(InvalidValue):
            make()


@pytest.mark.parametrize("answer", ["confirm", "withdraw"])
def test_who_comes_of_age_answers_also_when_the_guardian_is_erased(city: Any, answer: str) -> None:
    grown = dt.date(2026, 11, 24)
    mother = Guardian("母亲", "12900000001", consented_on=MONDAY)
    number = city.approved(born_on=dt.date(2008, 11, 24), guardian=mother)
    erasure = city.at(grown, CENTRE, lambda desk: personal.erase(desk, number, only=["guardian"]))
    city.at(grown, SECOND, approvals.decide, erasure.id, "approve")
    city.at(grown, myself(number), volunteers.answer_consent, number, answer)
    assert city.status(number, grown) == {"confirm": "approved", "withdraw": "deregistered"}[answer]
    with pytest.raises(Refused) as caught:  # once
        city.at(grown, myself(number), volunteers.answer_consent, number, "confirm")
    assert codes(caught) == {"no_guardian_consent" if answer == "confirm" else "status_does_not_allow"}


def test_who_never_had_a_guardian_has_no_consent_to_answer(city: Any) -> None:
    number = city.approved()
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, myself(number), volunteers.answer_consent, number, "confirm")
    assert codes(caught) == {"no_guardian_consent"}


@pytest.mark.parametrize("wrong", ["2026-11-24", 0, dt.datetime(2026, 11, 24, tzinfo=dt.UTC)])
def test_a_day_is_a_date(city: Any, wrong: Any) -> None:
    number = city.approved()
    verbs = (
        lambda desk: volunteers.suspend(desk, number, reason="核查", since=wrong),
        lambda desk: volunteers.suspend(desk, number, reason="核查", until=wrong),
        lambda desk: volunteers.put_on_probation(desk, number, reason="核查", until=wrong),
        lambda desk: volunteers.take_leave(desk, number, since=wrong),
        lambda desk: volunteers.take_leave(desk, number, since=None),  # type: ignore[arg-type]
        lambda desk: volunteers.end_period(desk, number, "on_leave", last_day=wrong),
        lambda desk: volunteers.propose_blacklist(desk, number, until=wrong, reason="作假"),
        lambda desk: volunteers.propose_blacklist(desk, number, until=AFTER, since=wrong, reason="作假"),
        lambda desk: volunteers.request_transfer(desk, number, "O2", effective_on=wrong),
        lambda desk: volunteers.add_training(desk, number, "急救", on=wrong, minutes=60, organization="O1"),
        lambda desk: volunteers.add_qualification(desk, number, "急救", obtained_on=wrong),
        lambda desk: volunteers.add_qualification(
            desk, number, "急救", obtained_on=MONDAY, valid_until=wrong
        ),
    )
    for verb in verbs:
        with pytest.raises(InvalidValue):
            city.at(MONDAY, CENTRE, verb)


def test_a_period_to_come_is_cancelled_and_none_gets_longer(city: Any) -> None:
    number, first, last = city.approved(), MONDAY + dt.timedelta(5), MONDAY + dt.timedelta(9)
    own = myself(number)
    city.at(MONDAY, own, lambda desk: volunteers.take_leave(desk, number, since=first, until=last))
    with pytest.raises(InvalidValue):
        city.at(MONDAY, own, lambda desk: volunteers.end_period(desk, number, "on_leave", last_day=AFTER))
    city.at(MONDAY, own, volunteers.end_period, number, "on_leave")
    assert [city.status(number, day) for day in (MONDAY, first, last)] == ["approved"] * 3
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, own, volunteers.end_period, number, "on_leave")
    assert codes(caught) == {"no_period_running"}
    city.at(MONDAY, own, lambda desk: volunteers.take_leave(desk, number, since=MONDAY, until=last))
    assert city.status(number, first) == "on_leave"


def test_nobody_is_suspended_before_they_were_registered_nor_for_days_gone_by(city: Any) -> None:
    number, later = city.approved(), MONDAY + dt.timedelta(9)
    gone = MONDAY + dt.timedelta(8)
    for verb in (
        lambda desk: volunteers.suspend(desk, number, reason="核查", since=dt.date(1900, 1, 1)),
        lambda desk: volunteers.suspend(desk, number, reason="核查", since=MONDAY, until=gone),
        lambda desk: volunteers.propose_blacklist(desk, number, since=MONDAY, until=gone, reason="作假"),
    ):
        with pytest.raises(InvalidValue):
            city.at(later, CENTRE, verb)
    city.at(later, CENTRE, lambda desk: volunteers.suspend(desk, number, reason="核查", since=gone))
    assert city.status(number, later) == "suspended"


def test_a_number_drawn_by_chance_never_looks_like_a_phone(
    city: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering.secrets, "randbelow", lambda _: 258245164)
    number = city.at(MONDAY, OLD, volunteers.register, city.adult())
    assert (len(number), hide(number)) == (11, number)
