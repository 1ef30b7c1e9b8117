"""Organizations: applied for, decided, changed, stopped, ended; who administers them."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from volunteerkit import (
    Actor,
    Claim,
    Finding,
    Grant,
    Kit,
    Refused,
    approvals,
    hookimpl,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.errors import AlreadyResolved, InvalidValue, NotFound, NotPermitted, PluginError
from volunteerkit.messages import LANGUAGES
from volunteerkit.organizations import OrganizationForm, TeamForm, base, teams
from volunteerkit.organizations.model import check_character, read_credit_code
from volunteerkit.store import undelivered
from volunteerkit.workflow import Office, Route, Step

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
OFFICER = Actor("officer-1", (Grant("department_officer", "渝水区"),))
FOREIGN = Actor("officer-2", (Grant("department_officer", "分宜县"),))
CITIZEN = Actor.of("citizen-1", "public")
CODE = "52360599MA000004XR"


def day(n: int) -> dt.date:
    return MONDAY + dt.timedelta(n)


def codes(caught: pytest.ExceptionInfo[Refused]) -> list[str]:
    for language in LANGUAGES:  # every text is there and gets what it needs
        assert caught.value.message(language)
        assert all(finding.code not in finding.message(language) for finding in caught.value.findings)
    return [finding.code for finding in caught.value.findings]


def form(name: str = "渝水区志愿服务联合会", **more: Any) -> OrganizationForm:
    given: dict[str, Any] = {"kind": "registered", "area": "渝水区", "credit_code": CODE} | more
    return OrganizationForm(name, **given)


def admitted(city: Any, name: str = "渝水区志愿服务联合会", **more: Any) -> str:
    applied = city.at(MONDAY, CITIZEN, organizations.apply, form(name, **more))
    city.at(MONDAY, OFFICER, approvals.decide, applied.case, "approve")
    return str(applied.number)


def admin(number: str, id: str = "admin-1") -> Actor:
    return Actor(id, (Grant("organization_admin", number),))


# By hand, with the values 0-9 for digits and A=10 B=11 C=12 D=13 E=14 F=15 G=16 H=17 J=18 K=19 L=20 M=21
# N=22 P=23 Q=24 R=25 T=26 U=27 W=28 X=29 Y=30 and the weights 1 3 9 27 19 26 16 17 20 29 25 13 8 24 10 30 28:
# 0 everywhere: the sum is 0, so the check value is 0.
# 1 then 0s: the sum is 1, 31 - 1 = 30 is Y.
# 0s then 1: the sum is 28, 31 - 28 = 3.
# 11 then 0s: 1 + 3 = 4, 31 - 4 = 27 is U.
# Y in the second place: 30 * 3 = 90 = 2 * 31 + 28, 31 - 28 = 3.
# 123 then 0s: 1 + 6 + 27 = 34 = 31 + 3, 31 - 3 = 28 is W.
@pytest.mark.parametrize(
    ("first17", "check"),
    [
        ("0" * 17, "0"),
        ("1" + "0" * 16, "Y"),
        ("0" * 16 + "1", "3"),
        ("11" + "0" * 15, "U"),
        ("0Y" + "0" * 15, "3"),
        ("123" + "0" * 14, "W"),
    ],
)
def test_check_characters_reckoned_by_hand(first17: str, check: str) -> None:
    assert check_character(first17) == check
    assert read_credit_code(first17 + check) == first17 + check


@pytest.mark.parametrize(
    "text", ["５２３６０５９９ＭＡ０００００４ＸＲ", " 52360599ma000004xr", "52360599MA 000004XR"]
)
def test_a_code_is_folded(text: str) -> None:
    assert read_credit_code(text) == CODE


@pytest.mark.parametrize(
    "text", ["", CODE[:17], CODE + "0", CODE[:17] + "0", CODE.replace("4", "I"), "²" + CODE[1:], "0" * 50_000]
)
def test_a_wrong_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"credit code|信用代码"):
        read_credit_code(text)


def test_an_organization_is_applied_for_and_decided_by_the_department_of_its_area(city: Any) -> None:
    applied = city.at(MONDAY, CITIZEN, organizations.apply, form())
    for stranger in (CITIZEN, FOREIGN):
        with pytest.raises(NotFound):
            city.at(MONDAY, stranger, organizations.view, applied.number)
    assert city.at(MONDAY, OFFICER, organizations.view_application, applied.number).status == "pending"
    assert city.at(MONDAY, CITIZEN, organizations.view_application, applied.number).status == "pending"
    with pytest.raises(NotFound):
        city.at(MONDAY, FOREIGN, approvals.decide, applied.case, "approve")
    with pytest.raises(NotPermitted):  # the centre's turn comes after ten working days
        city.at(MONDAY, CENTRE, approvals.decide, applied.case, "approve")
    city.at(day(1), OFFICER, approvals.decide, applied.case, "approve")
    found = city.at(day(1), CITIZEN, organizations.view, applied.number)
    assert (found.status, found.registered_on, found.credit_code) == ("active", day(1), CODE)
    with pytest.raises(AlreadyResolved):
        city.at(day(1), OFFICER, approvals.decide, applied.case, "refuse", reason="材料不全")
    with pytest.raises(NotFound):
        city.at(day(1), OFFICER, organizations.view_application, applied.number)


def test_after_ten_working_days_the_centre_decides(small: Any) -> None:
    applied = small.at(MONDAY, CITIZEN, organizations.apply, form())
    with pytest.raises(NotPermitted):
        small.at(dt.date(2026, 12, 7), CENTRE, approvals.decide, applied.case, "approve")
    small.at(dt.date(2026, 12, 8), CENTRE, approvals.decide, applied.case, "approve")
    assert small.at(dt.date(2026, 12, 8), CITIZEN, organizations.view, applied.number).status == "active"


def test_a56_own_decided_withdrawn_and_doubled_applications_are_refused(city: Any) -> None:
    both = Actor("citizen-1", (Grant("public"), Grant("department_officer", "渝水区")))
    applied = city.at(MONDAY, both, organizations.apply, form())
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, both, approvals.decide, applied.case, "approve")
    assert codes(caught) == ["own_case"]
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, both, organizations.apply, form())
    assert codes(caught) == ["credit_code_taken", "organization_waiting"]
    city.at(MONDAY, both, approvals.withdraw, applied.case)
    with pytest.raises(AlreadyResolved):
        city.at(MONDAY, OFFICER, approvals.decide, applied.case, "approve")
    again = city.at(day(1), both, organizations.apply, form(), previous=applied.number)
    assert again.number == applied.number
    city.at(day(1), OFFICER, approvals.decide, again.case, "refuse", reason="没有章程")
    assert city.at(day(1), both, organizations.view_application, applied.number).status == "refused"
    with pytest.raises(NotFound):
        city.at(day(2), Actor.of("citizen-2", "public"), organizations.apply, form(), previous=applied.number)
    third = city.at(day(2), both, organizations.apply, form(name="渝水志愿联合会"), previous=applied.number)
    assert city.at(day(2), OFFICER, approvals.view, third.case).previous_id == again.case
    with pytest.raises(Refused):
        city.at(day(2), both, organizations.apply, form(), previous=applied.number)
    city.at(day(2), OFFICER, approvals.decide, third.case, "approve")
    assert city.at(day(2), CITIZEN, organizations.view, applied.number).name == "渝水志愿联合会"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"credit_code": ""}, ["credit_code_missing"]),
        ({"credit_code": "52360599MA000004X0"}, ["credit_code_wrong"]),
        ({"kind": "branch", "credit_code": ""}, ["parent_missing"]),
        ({"kind": "hosted_group", "credit_code": ""}, ["host_missing", "consent_missing"]),
    ],
)
def test_what_an_application_needs(small: Any, more: dict[str, Any], expected: list[str]) -> None:
    found = small.at(MONDAY, CITIZEN, organizations.check_application, form(**more))
    assert [finding.code for finding in found] == expected
    with pytest.raises(Refused) as caught:
        small.at(MONDAY, CITIZEN, organizations.apply, form(**more))
    assert codes(caught) == expected
    assert small.at(MONDAY, CENTRE, organizations.list_organizations) == ()


def test_a_group_is_hosted_with_consent_by_a_body_that_is_no_such_group(small: Any) -> None:
    host = admitted(small)
    group = form(
        "老街互助组", kind="hosted_group", credit_code="", hosted_by=host, consent="渝志联〔2026〕3号"
    )
    applied = small.at(MONDAY, admin(host), organizations.apply, group)
    small.at(MONDAY, OFFICER, approvals.decide, applied.case, "approve")
    assert small.at(MONDAY, CITIZEN, organizations.view, applied.number).hosted_by == host
    below = form("楼栋组", kind="hosted_group", credit_code="", hosted_by=applied.number, consent="口头")
    with pytest.raises(Refused) as caught:
        small.at(MONDAY, CITIZEN, organizations.apply, below)
    assert codes(caught) == ["host_unfit"]


def test_a_plugin_may_refuse_or_warn(make_city: Any) -> None:
    def review(form: OrganizationForm) -> Any:
        yield Finding("plugin_said_so", {}, "block" if form.area == "渝水区" else "warn")

    city = make_city("sqlite://", SimpleNamespace(__name__="xin", vk_review_organization=hookimpl(review)))
    with pytest.raises(Refused):
        city.at(MONDAY, CITIZEN, organizations.apply, form())
    applied = city.at(MONDAY, CITIZEN, organizations.apply, form(area="分宜县"))
    found = city.at(MONDAY, FOREIGN, approvals.view, applied.case).findings
    assert [(each.code, each.severity, each.plugin) for each in found] == [("plugin_said_so", "warn", "xin")]


def test_the_department_that_leads_is_configuration(make_city: Any) -> None:
    lead = hookimpl(lambda: Office("department_officer", "新余市"))
    lead.__name__ = "vk_choose_lead"
    city = make_city("sqlite://", SimpleNamespace(__name__="xin", vk_choose_lead=lead))
    applied = city.at(MONDAY, CITIZEN, organizations.apply, form())
    with pytest.raises(NotFound):
        city.at(MONDAY, OFFICER, approvals.decide, applied.case, "approve")
    leading = Actor("officer-9", (Grant("department_officer", "新余市"),))
    city.at(MONDAY, leading, approvals.decide, applied.case, "approve")
    assert city.at(MONDAY, CITIZEN, organizations.view, applied.number).status == "active"


def test_an_administrator_changes_the_name_and_the_department_the_rest(small: Any) -> None:
    number = admitted(small)
    assert small.at(day(1), admin(number), organizations.edit, number, name="渝水志联").name == "渝水志联"
    with pytest.raises(Refused) as caught:
        small.at(day(1), admin(number), organizations.edit, number, area="分宜县")
    assert codes(caught) == ["field_not_yours"]
    with pytest.raises(NotPermitted):  # an officer cannot push it to somebody else's area
        small.at(day(1), OFFICER, organizations.edit, number, area="分宜县")
    assert small.at(day(1), CENTRE, organizations.edit, number, area="分宜县").area == "分宜县"
    with pytest.raises(NotFound):
        small.at(day(1), OFFICER, organizations.edit, number, name="别人的")


def test_nothing_stands_above_itself(small: Any) -> None:
    for number in "ABC":
        small.at(MONDAY, CENTRE, organizations.register, number, name=number)
    small.at(MONDAY, CENTRE, organizations.edit, "B", parent="A")
    small.at(MONDAY, CENTRE, organizations.edit, "C", parent="B")
    for number in "ABC":
        with pytest.raises(Refused) as caught:
            small.at(MONDAY, CENTRE, organizations.edit, "A", parent=number)
        assert codes(caught) == ["in_a_circle"]
    assert small.at(MONDAY, CENTRE, organizations.edit, "B", parent="").parent is None
    assert small.at(MONDAY, CENTRE, organizations.edit, "A", parent="C").parent == "C"


def test_a_suspension_holds_on_its_days_and_needs_a_second_person(city: Any) -> None:
    number = admitted(city)
    case = city.at(
        day(1),
        CENTRE,
        organizations.propose_suspension,
        number,
        reason="年检未过",
        since=day(3),
        until=day(9),
    )
    with pytest.raises(Refused) as caught:
        city.at(day(1), CENTRE, approvals.decide, case, "approve")
    assert codes(caught) == ["own_case"]
    with pytest.raises(NotPermitted):
        city.at(day(1), OFFICER, approvals.decide, case, "approve")
    city.at(day(2), SECOND, approvals.decide, case, "approve")

    def status(n: int) -> str:
        return str(city.at(day(n), CITIZEN, organizations.view, number).status)

    assert [status(n) for n in (2, 3, 9, 10)] == ["active", "suspended", "suspended", "active"]
    lifting = city.at(day(4), OFFICER, organizations.propose_lifting, number, reason="已整改", on=day(6))
    city.at(day(4), SECOND, approvals.decide, lifting, "approve")
    assert [status(n) for n in (2, 3, 5, 6, 9)] == ["active", "suspended", "suspended", "active", "active"]
    with pytest.raises(Refused) as caught:
        city.at(day(7), OFFICER, organizations.propose_lifting, number, reason="已整改")
    assert codes(caught) == ["not_suspended"]


def test_a_refused_suspension_changes_nothing(small: Any) -> None:
    number = admitted(small)
    case = small.at(day(1), OFFICER, organizations.propose_suspension, number, reason="年检未过")
    with pytest.raises(Refused) as caught:
        small.at(day(1), CENTRE, organizations.propose_suspension, number, reason="年检未过")
    assert codes(caught) == ["case_waiting"]
    small.at(day(1), CENTRE, approvals.decide, case, "refuse", reason="证据不足")
    assert small.at(day(1), CITIZEN, organizations.view, number).status == "active"
    with pytest.raises(Refused):
        small.at(day(1), CENTRE, organizations.propose_suspension, number, reason="迟了", since=MONDAY)
    with pytest.raises(NotFound):
        small.at(day(1), FOREIGN, organizations.propose_suspension, number, reason="不归我管")


def test_a_dissolved_organization_leaves_its_records_to_its_successor(city: Any) -> None:
    old, heir = (
        admitted(city),
        admitted(city, "新联合会", kind="legal_person", credit_code="1" + "0" * 16 + "Y"),
    )
    who = city.at(MONDAY, CENTRE, volunteers.admit, name="兰", organization=old)
    city.at(MONDAY, CENTRE, projects.register, "P1", name="献血宣传", organization=old)
    claim = city.at(MONDAY, CENTRE, hours.record, Claim(who, "P1", MONDAY, 90))
    waiting = city.at(MONDAY, CENTRE, organizations.propose_admin, old, "admin-7")
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, CENTRE, organizations.propose_dissolution, old, reason="合并", on=day(5))
    assert codes(caught) == ["successor_missing"]
    with pytest.raises(NotFound):
        city.at(day(1), admin(heir, "heir-1"), hours.confirm, claim.record_id)
    case = city.at(
        MONDAY, CENTRE, organizations.propose_merger, old, successor=heir, reason="合并", on=day(5)
    )
    city.at(day(1), SECOND, approvals.decide, case, "approve")
    assert city.at(day(1), CENTRE, approvals.view, waiting).state == "withdrawn"
    assert city.at(day(4), CITIZEN, organizations.view, old).status == "active"
    with pytest.raises(NotFound):
        city.at(day(4), admin(heir, "heir-1"), hours.confirm, claim.record_id)
    gone = city.at(day(5), CITIZEN, organizations.view, old)
    assert (gone.status, gone.ended_on, gone.successor) == ("merged", day(5), heir)
    assert [city.at(day(5), CITIZEN, organizations.answering_for, old, on=day(n)) for n in (4, 5)] == [
        old,
        heir,
    ]
    assert city.at(day(5), admin(heir, "heir-1"), hours.confirm, claim.record_id).state == "confirmed"
    for verb in (organizations.propose_suspension, organizations.propose_dissolution):
        with pytest.raises(Refused) as caught:
            city.at(day(5), CENTRE, verb, old, reason="再来")
        assert codes(caught) == ["not_living"]
    with pytest.raises(Refused):
        city.at(day(5), CENTRE, organizations.edit, old, name="改名")


def test_two_that_would_succeed_each_other_do_not_both_end(small: Any) -> None:
    for number in "AB":
        small.at(MONDAY, CENTRE, organizations.register, number, name=number)
    cases = [
        small.at(MONDAY, CENTRE, organizations.propose_merger, one, successor=other, reason="合并")
        for one, other in ("AB", "BA")
    ]
    small.at(MONDAY, SECOND, approvals.decide, cases[0], "approve")
    with pytest.raises(Refused):
        small.at(MONDAY, SECOND, approvals.decide, cases[1], "approve")
    assert small.at(MONDAY, CITIZEN, organizations.view, "B").status == "active"


def test_an_administrator_is_proposed_and_decided(city: Any) -> None:
    number = admitted(city)
    case = city.at(MONDAY, CENTRE, organizations.propose_admin, number, "admin-1", volunteer="V1")
    stored = Actor("admin-1")
    with pytest.raises(NotPermitted):
        city.at(MONDAY, stored, organizations.edit, number, name="早了")
    for own in (
        Actor("admin-1", OFFICER.grants),
        Actor("officer-1", OFFICER.grants, volunteer="V1"),
    ):
        with pytest.raises(Refused) as caught:
            city.at(MONDAY, own, approvals.decide, case, "approve")
        assert codes(caught) == ["own_case"]
    city.at(MONDAY, OFFICER, approvals.decide, case, "approve")
    assert city.at(MONDAY, stored, organizations.edit, number, name="渝水志联").name == "渝水志联"
    listed = city.at(MONDAY, stored, organizations.administrators, number)
    assert [(each.actor_id, each.since, each.until) for each in listed] == [("admin-1", MONDAY, None)]
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, CENTRE, organizations.propose_admin, number, "admin-1")
    assert codes(caught) == ["already_administrator"]
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, stored, organizations.propose_admin, number, "admin-1")
    assert codes(caught) == ["own_case"]
    with pytest.raises(NotPermitted):
        city.at(MONDAY, CITIZEN, organizations.administrators, number)


def test_a52_the_last_administrator_of_a_living_organization_cannot_be_removed(city: Any) -> None:
    number = admitted(city)
    for who in ("admin-1", "admin-2"):
        case = city.at(MONDAY, CENTRE, organizations.propose_admin, number, who)
        city.at(MONDAY, OFFICER, approvals.decide, case, "approve")
    with pytest.raises(Refused) as caught:
        city.at(
            day(1),
            Actor("admin-1", OFFICER.grants),
            organizations.remove_admin,
            number,
            "admin-1",
            reason="x",
        )
    assert codes(caught) == ["own_case"]
    city.at(day(1), OFFICER, organizations.remove_admin, number, "admin-1", reason="调离")
    with pytest.raises(NotPermitted):
        city.at(day(1), Actor("admin-1"), organizations.edit, number, name="还想改")
    with pytest.raises(NotFound):
        city.at(day(1), OFFICER, organizations.remove_admin, number, "admin-1", reason="再撤一次")
    with pytest.raises(Refused) as caught:
        city.at(day(1), OFFICER, organizations.remove_admin, number, "admin-2", reason="调离")
    assert codes(caught) == ["last_administrator"]
    assert len(city.at(day(1), OFFICER, organizations.administrators, number)) == 1


def test_a_term_that_ran_out_admits_without_anybody_sweeping(make_city: Any) -> None:
    route = Route(
        "organization.registration",
        (Step("department", Office("department_officer"), days=5, at_deadline="grant"),),
    )
    hook = hookimpl(lambda: [route])
    city = make_city("sqlite://", SimpleNamespace(__name__="xin", vk_routes=hook))
    applied = city.at(MONDAY, CITIZEN, organizations.apply, form())
    after = dt.date(2026, 12, 1)
    with pytest.raises(NotFound):
        city.at(day(7), CITIZEN, organizations.view, applied.number)
    for _ in ("unswept", "swept"):
        assert city.at(after, CITIZEN, organizations.view, applied.number).status == "active"
        assert city.at(after, CITIZEN, organizations.list_organizations, status="active")
        city.at(after, CENTRE, approvals.sweep)
    assert city.at(after, CITIZEN, organizations.view, applied.number).registered_on == after


def test_records_pass_on_from_successor_to_successor(small: Any) -> None:
    for number in "ABC":
        small.at(MONDAY, CENTRE, organizations.register, number, name=number, area="渝水区")
    for n, (old, heir) in enumerate((("A", "B"), ("B", "C"))):
        case = small.at(day(n), CENTRE, organizations.propose_merger, old, successor=heir, reason="合并")
        small.at(day(n), SECOND, approvals.decide, case, "approve")
    for number in "AB":
        assert small.at(day(1), CITIZEN, organizations.answering_for, number) == "C"
        assert small.at(day(1), admin("C"), organizations.administrators, number) == ()
        with pytest.raises(NotFound):
            small.at(day(1), admin("D"), organizations.administrators, number)
    with pytest.raises(NotFound):  # it answered for A only until it ended itself
        small.at(day(1), CENTRE, organizations.view, "D")


def test_the_office_of_an_ended_organizations_administrator_ends(small: Any) -> None:
    number = admitted(small)
    appointing = small.at(MONDAY, CENTRE, organizations.propose_admin, number, "admin-1")
    small.at(MONDAY, OFFICER, approvals.decide, appointing, "approve")
    stored = Actor("admin-1")
    case = small.at(MONDAY, OFFICER, organizations.propose_dissolution, number, reason="自愿终止", on=day(3))
    small.at(MONDAY, CENTRE, approvals.decide, case, "approve")
    assert len(small.at(day(2), stored, organizations.administrators, number)) == 1
    with pytest.raises(NotPermitted):
        small.at(day(3), stored, organizations.administrators, number)
    assert small.at(day(3), CITIZEN, organizations.answering_for, number) is None


def test_the_applicant_has_no_say_in_a_suspension(small: Any) -> None:
    member = Actor("member-1", (Grant("volunteer"),), volunteer="V1")
    applied = small.at(MONDAY, member, organizations.apply, form())
    small.at(MONDAY, OFFICER, approvals.decide, applied.case, "approve")
    case = small.at(MONDAY, OFFICER, organizations.propose_suspension, applied.number, reason="年检未过")
    with pytest.raises(NotFound):
        small.at(MONDAY, member, approvals.withdraw, case)


def test_what_happened_is_told_as_events(small: Any) -> None:
    number = admitted(small)
    case = small.at(MONDAY, CENTRE, organizations.propose_suspension, number, reason="年检未过")
    small.at(MONDAY, SECOND, approvals.decide, case, "approve")

    def told(desk: Any) -> list[tuple[str, str]]:
        return [(each.type, each.subject) for each in undelivered(desk.connection, "nobody", 100)]

    kinds = small.at(MONDAY, CENTRE, told)
    assert [kind for kind, subject in kinds if subject == "organization:1"] == [
        "organization.registered",
        "organization.suspended",
    ]
    assert [kind for kind, _ in kinds].count("case.closed") == 2


def test_a_city_may_decide_at_once(make_city: Any) -> None:
    kinds = ("organization.registration", "organization.admin", "base.tenancy")
    hook = hookimpl(lambda: [Route(kind) for kind in kinds])
    city = make_city("sqlite://", SimpleNamespace(__name__="xin", vk_routes=hook))
    number = city.at(MONDAY, CITIZEN, organizations.apply, form()).number
    assert city.at(MONDAY, CITIZEN, organizations.view, number).status == "active"
    city.at(MONDAY, CENTRE, organizations.propose_admin, number, "admin-1")
    stay = city.at(MONDAY, Actor("admin-1"), base.apply, number, starts_on=MONDAY, ends_on=day(9))
    assert city.at(MONDAY, CENTRE, base.view, stay).status == "granted"
    standing = hookimpl(lambda: [Route("organization.standing")])
    with pytest.raises(PluginError) as told:  # but a second person where the matrix asks for one
        Kit.load(SimpleNamespace(__name__="xin", vk_routes=standing))
    assert told.value.code == "plugin_route_second"


def test_a_number_or_code_is_taken_once(small: Any) -> None:
    number = admitted(small)
    with pytest.raises(Refused) as caught:
        small.at(MONDAY, CENTRE, organizations.register, "O9", name="别的", credit_code=CODE)
    assert codes(caught) == ["credit_code_taken"]
    other = form("别的", kind="branch", credit_code="", parent=number)
    refused = small.at(MONDAY, CITIZEN, organizations.apply, other)
    small.at(MONDAY, OFFICER, approvals.decide, refused.case, "refuse", reason="没有章程")
    with pytest.raises(Refused) as caught:
        small.at(MONDAY, CITIZEN, organizations.apply, other, number=refused.number)
    assert codes(caught) == ["already_registered"]


def test_nobody_learns_of_an_application_by_naming_it(small: Any) -> None:
    waiting = small.at(MONDAY, CITIZEN, organizations.apply, form()).number
    number = small.at(MONDAY, CENTRE, organizations.register, "O9", name="别的", area="渝水区")
    stranger = Actor("stranger", (Grant("volunteer"), Grant("organization_admin", number)), volunteer="V1")
    for unknown in (waiting, "O404"):
        branch = form("分支", kind="branch", credit_code="", parent=unknown)
        for verb, given in (
            (organizations.apply, (branch,)),
            (organizations.view, (unknown,)),
            (organizations.view_application, (unknown,)),
            (organizations.edit, (unknown,)),
            (organizations.administrators, (unknown,)),
            (organizations.propose_admin, (unknown, "admin-1")),
            (teams.apply, (TeamForm("护河队", organization=unknown),)),
        ):
            with pytest.raises((NotFound, NotPermitted)) as caught:
                small.at(MONDAY, stranger, verb, *given)
            assert "pending" not in caught.value.message("en")


def test_where_no_area_is_known_the_centre_decides(small: Any) -> None:
    small.at(MONDAY, CENTRE, organizations.register, "O1", name="早年登记的")
    case = small.at(MONDAY, CENTRE, organizations.propose_admin, "O1", "admin-1")
    small.at(MONDAY, SECOND, approvals.decide, case, "approve")
    assert len(small.at(MONDAY, CENTRE, organizations.administrators, "O1")) == 1


def test_an_applicant_reads_why_their_organization_was_refused(city: Any) -> None:
    applied = city.at(MONDAY, CITIZEN, organizations.apply, form())
    case = city.at(MONDAY, OFFICER, approvals.pending)[0]
    city.at(MONDAY, OFFICER, approvals.decide, case.id, "refuse", reason="章程不全")
    said = city.at(MONDAY, CITIZEN, approvals.decisions, case.id)
    assert [(each.verdict, each.reason) for each in said] == [("refuse", "章程不全")]
    assert city.at(MONDAY, CITIZEN, approvals.view, case.id).subject == case.subject
    assert applied.number
    with pytest.raises(NotFound):
        city.at(MONDAY, Actor.of("citizen-2", "public"), approvals.view, case.id)
