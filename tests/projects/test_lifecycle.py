"""A project's life: applied for, decided by its office, published, changed, cancelled, reported on, put away."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import (
    Actor,
    Claim,
    Finding,
    Grant,
    Refused,
    approvals,
    fixed_clock,
    hookimpl,
    hours,
    organizations,
    projects,
)
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted
from volunteerkit.organizations import teams
from volunteerkit.projects import PositionForm, ProjectChange, brands
from volunteerkit.projects.lifecycle import accepts_hours, length_minutes
from volunteerkit.projects.model import NEEDED
from volunteerkit.projects.tables import participation, project, project_change
from volunteerkit.store.texts import open_texts
from volunteerkit.workflow import Office, Route, Step

DAY = dt.date(2026, 11, 23)
SECOND = Actor.of("centre-2", "centre")


def after(days: int) -> dt.date:
    return DAY + dt.timedelta(days)


def status(city: Any, number: str) -> str:
    return str(city.at(city.admin, projects.view_application, number).status)


def test_the_department_decides_its_organizations_project(organized: Any) -> None:
    applied = organized.at(organized.admin, projects.apply, organized.form())
    with pytest.raises(NotFound):  # nobody sees it yet
        organized.at(organized.public, projects.view, applied.number)
    with pytest.raises(NotPermitted):  # the organization is not the office
        organized.at(organized.second_admin, approvals.decide, applied.case, "approve")
    organized.at(organized.officer, approvals.decide, applied.case, "approve")
    assert status(organized, applied.number) == "approved"
    with pytest.raises(NotFound):
        organized.at(organized.public, projects.view, applied.number)
    assert organized.at(organized.admin, projects.publish, applied.number).status == "published"
    shown = organized.at(organized.public, projects.view, applied.number)
    assert (shown.name, shown.organization, shown.area, shown.places) == ("社区敬老", "O1", "渝水区", 10)
    assert [each.number for each in organized.at(organized.public, projects.list_projects)] == [
        applied.number
    ]


def test_the_organization_decides_its_teams_project(organized: Any) -> None:
    applied = organized.at(organized.leader, projects.apply, organized.form(team="T1"))
    with pytest.raises(NotPermitted):
        organized.at(organized.officer, approvals.decide, applied.case, "approve")
    organized.at(organized.admin, approvals.decide, applied.case, "approve")
    organized.at(organized.leader, projects.publish, applied.number)
    assert organized.at(organized.public, projects.view, applied.number).team == "T1"


def test_an_organization_does_not_decide_what_it_applies_for_under_its_teams_name(one: Any) -> None:
    applied = one.at(one.admin, projects.apply, one.form(team="T1"))
    with pytest.raises(NotPermitted):
        one.at(one.second_admin, approvals.decide, applied.case, "approve")
    one.at(one.officer, approvals.decide, applied.case, "approve")


def test_department_and_centre_apply_too_and_nobody_decides_their_own(one: Any, codes: Any) -> None:
    applied = one.at(one.officer, projects.apply, one.form())
    with pytest.raises(Refused) as caught:
        one.at(one.officer, approvals.decide, applied.case, "approve")
    assert codes(caught) == ["own_case"]
    one.at(one.second_officer, approvals.decide, applied.case, "approve")
    applied = one.at(one.centre, projects.apply, one.form("义诊"))
    one.at(one.officer, approvals.decide, applied.case, "refuse", reason="重复")
    assert status(one, applied.number) == "refused"


def test_who_answers_for_neither_applies_for_nothing(one: Any) -> None:
    elsewhere = Actor("officer-9", (Grant("department_officer", "分宜县"),))
    for actor in (one.stranger, elsewhere, Actor("leader-9", (Grant("team_leader", "T9"),)), one.public):
        for verb in (projects.apply, projects.check_application):
            with pytest.raises(NotPermitted):
                one.at(actor, verb, one.form())
    with pytest.raises(NotPermitted):  # an officer answers for the place too
        one.at(one.officer, projects.apply, one.form(area="分宜县"))
    with pytest.raises(NotPermitted):  # an unknown organization is a foreign one
        one.at(one.admin, projects.apply, one.form(organization="O404"))


def test_missing_statements_are_named_one_by_one(one: Any) -> None:
    found = one.at(one.admin, projects.check_application, one.form(statements={"risks": "  "}, places=None))
    assert [each.code for each in found] == [
        *(f"statement_missing_{each}" for each in NEEDED),
        "places_missing",
    ]
    for language, word in (("zh-CN", "服务地点"), ("en", "place")):
        assert word in found[0].message(language)
    said = dict.fromkeys(NEEDED[1:], "见通知")
    found = one.at(one.admin, projects.check_application, one.form(statements=said))
    assert [each.code for each in found] == ["statement_missing_place"]
    with pytest.raises(Refused):
        one.at(one.admin, projects.apply, one.form(statements=said))
    assert one.at(one.admin, projects.list_applications) == ()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"start": -1}, "in_the_past"),
        ({"start": 7, "days": -1}, "dates_reversed"),
        ({"apply_from": DAY, "apply_until": DAY - dt.timedelta(1)}, "dates_reversed"),
        ({"days": 1, "apply_until": DAY + dt.timedelta(9)}, "apply_after_end"),
        ({"positions": (PositionForm("陪护"), PositionForm("陪护"))}, "position_twice"),
        ({"positions": (PositionForm("陪护", sex="F"),)}, "sex_without_ground"),
        ({"positions": (PositionForm("陪护", sex_ground="某法"),)}, "sex_without_ground"),
        ({"organization": "O2", "team": "T1"}, "other_organization"),
    ],
)
def test_an_application_that_cannot_stand_is_refused(
    one: Any, codes: Any, more: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as caught:
        one.at(one.centre, projects.apply, one.form(**more))
    assert codes(caught) == [code]


def test_shifts_are_checked_with_the_form(one: Any, codes: Any) -> None:
    shifts = (one.span(7, "09:00", 2, position="护理"), one.span(99, "09:00", 2))
    with pytest.raises(Refused) as caught:
        one.at(one.admin, projects.apply, one.form(shifts=shifts))
    assert codes(caught) == ["position_unknown", "shift_outside"]
    early = one.form(start=0, shifts=(one.span(0, "09:00", 2),))  # it is noon
    with pytest.raises(Refused) as caught:
        one.at(one.admin, projects.apply, early)
    assert codes(caught) == ["in_the_past"]


def test_an_ended_or_unknown_brand_takes_no_project(one: Any, codes: Any) -> None:
    one.at(one.centre, brands.create, "暖阳", number="B1")
    assert one.at(one.admin, projects.view_application, one.approved(brand="B1")).brand == "B1"
    one.at(one.centre, brands.end, "B1")
    with pytest.raises(Refused) as caught:
        one.at(one.admin, projects.apply, one.form("义诊", brand="B1"))
    assert codes(caught) == ["brand_ended"]
    with pytest.raises(NotFound):
        one.at(one.admin, projects.apply, one.form("义诊", brand="B404"))


def test_a_plugin_asks_for_insurance_and_sets_another_route(make_city: Any, codes: Any) -> None:
    class Strict:
        @hookimpl
        def vk_review_project(self, form: Any, back_entry: bool) -> Any:
            if not form.statements.get("insurance"):
                yield Finding("statement_missing_insurance")

        @hookimpl
        def vk_routes(self) -> Any:
            yield Route("project.application", (Step("centre", Office("centre")),))

    made = make_city("sqlite://", Strict())
    made.at(DAY, SECOND, organizations.register, "O1", name="红十字会", area="渝水区")
    admin = Actor("admin-1", (Grant("organization_admin", "O1"),))
    said = dict.fromkeys(NEEDED, "见通知")
    form = projects.ProjectForm("急救培训", "O1", after(7), after(8), said, places=5)
    with pytest.raises(Refused) as caught:
        made.at(DAY, admin, projects.apply, form)
    assert codes(caught) == ["statement_missing_insurance"]
    applied = made.at(
        DAY, admin, projects.apply, attrs.evolve(form, statements={**said, "insurance": "意外险"})
    )
    made.at(DAY, SECOND, approvals.decide, applied.case, "approve")
    assert made.at(DAY, admin, projects.publish, applied.number).status == "published"


def test_the_same_application_waits_once(one: Any, codes: Any) -> None:
    first = one.at(one.admin, projects.apply, one.form())
    with pytest.raises(Refused) as caught:
        one.at(one.admin, projects.apply, one.form())
    assert codes(caught) == ["project_waiting"]
    one.at(one.admin, approvals.withdraw, first.case)
    assert status(one, first.number) == "withdrawn"
    second = one.at(one.admin, projects.apply, one.form(), number="P77")
    assert second.number == "P77"
    with pytest.raises(Refused) as caught:
        one.at(one.admin, projects.apply, one.form("义诊"), number="P77")
    assert codes(caught) == ["already_registered"]


def test_only_what_is_approved_and_to_come_is_published(organized: Any, codes: Any) -> None:
    applied = organized.at(
        organized.admin, projects.apply, organized.form(shifts=(organized.span(7, "09:00", 2),))
    )
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.publish, applied.number)
    assert codes(caught) == ["project_state"]
    organized.at(organized.officer, approvals.decide, applied.case, "approve")
    for day in (7, 8):  # the shift began at nine, and it is noon
        with pytest.raises(Refused) as caught:
            organized.at(organized.admin, projects.publish, applied.number, on=after(day))
        assert codes(caught) == ["in_the_past"]
    organized.at(organized.admin, projects.publish, applied.number, on=after(6))
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.publish, applied.number, on=after(6))
    assert codes(caught) == ["project_state"]


def test_a_suspended_or_dissolved_organization_publishes_nothing(organized: Any, codes: Any) -> None:
    waiting, running = organized.approved(), organized.published(name="义诊")
    of_team = organized.at(organized.leader, projects.apply, organized.form("护学", team="T1")).number
    organized.at(organized.admin, approvals.decide, organized.at(organized.admin, projects.view_application, of_team).case,
                 "approve")  # fmt: skip
    assert organized.at(organized.centre, projects.stranded_projects) == ()
    organized.at(organized.admin, teams.suspend, "T1", reason="整改")
    with pytest.raises(Refused) as caught:
        organized.at(organized.centre, projects.publish, of_team)
    assert codes(caught) == ["not_living"]
    with pytest.raises(NotPermitted):  # a suspended office only reads
        organized.at(organized.leader, projects.publish, of_team)
    assert [each.number for each in organized.at(organized.centre, projects.stranded_projects)] == [of_team]
    case = organized.at(organized.centre, organizations.propose_suspension, "O1", reason="核查")
    organized.at(SECOND, approvals.decide, case, "approve")
    for verb, given in ((projects.publish, waiting), (projects.apply, organized.form("宣讲"))):
        with pytest.raises(NotPermitted):
            organized.at(organized.admin, verb, given)
    with pytest.raises(Refused) as caught:
        organized.at(organized.centre, projects.publish, waiting)
    assert codes(caught) == ["not_living"]
    with pytest.raises(Refused):
        organized.at(organized.centre, projects.apply, organized.form("宣讲"))
    for reader in (organized.centre, organized.officer):
        found = organized.at(reader, projects.stranded_projects)
        assert [each.number for each in found] == [waiting, running, of_team]
    assert organized.at(organized.stranger, projects.stranded_projects) == ()
    theirs = organized.at(organized.stranger, projects.apply, organized.form("送水", organization="O2"))
    organized.at(organized.officer, approvals.decide, theirs.case, "approve")
    open_still = organized.at(
        organized.stranger, projects.apply, organized.form("夜跑护航", organization="O2")
    )
    case = organized.at(organized.centre, organizations.propose_dissolution, "O2", reason="解散")
    organized.at(SECOND, approvals.decide, case, "approve")
    with pytest.raises(Refused) as caught:
        organized.at(organized.centre, projects.publish, theirs.number)
    assert codes(caught) == ["not_living"]
    assert organized.at(organized.centre, projects.stranded_projects)[-1].number == theirs.number
    withdrawn = organized.at(organized.centre, projects.view_application, open_still.number)
    assert withdrawn.status == "withdrawn"  # its case ended with the organization
    assert organized.at(organized.centre, projects.stranded_projects, on=after(400)) == ()  # over by then


def test_what_waits_is_edited_and_what_was_decided_changes_by_approval(organized: Any, codes: Any) -> None:
    applied = organized.at(organized.admin, projects.apply, organized.form())
    changed = organized.at(
        organized.admin, projects.edit, applied.number, ProjectChange(name="敬老日", places=12)
    )
    assert (changed.name, changed.places) == ("敬老日", 12)
    organized.at(organized.officer, approvals.decide, applied.case, "approve")
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.edit, applied.number, ProjectChange(places=15))
    assert codes(caught) == ["project_state"]
    organized.at(organized.admin, projects.publish, applied.number)
    asked = ProjectChange(places=15, statements={"place": "新食堂"})
    case = organized.at(organized.admin, projects.request_change, applied.number, asked)
    before = organized.at(organized.public, projects.view, applied.number)
    assert (before.places, before.statements["place"]) == (12, "见通知")
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.request_change, applied.number, ProjectChange(places=16))
    assert codes(caught) == ["case_waiting"]
    organized.at(organized.officer, approvals.decide, case, "approve")
    now = organized.at(organized.public, projects.view, applied.number)
    assert (now.places, now.statements["place"], now.statements["risks"]) == (15, "新食堂", "见通知")
    kept = organized.at(
        organized.centre, lambda desk: desk.connection.execute(sa.select(project_change)).all()
    )
    assert next((each.state, each.before) for each in kept) == (
        "in_force",
        '{"name": "社区敬老", "recruit_target": 10}',
    )
    refused = organized.at(organized.admin, projects.request_change, applied.number, ProjectChange(places=99))
    organized.at(organized.officer, approvals.decide, refused, "refuse", reason="场地不够")
    assert organized.at(organized.public, projects.view, applied.number).places == 15


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (ProjectChange(name="敬老日"), [1, 2]),
        (ProjectChange(statements={"place": "新食堂"}), [1, 2]),
        (ProjectChange(area="分宜县"), [1, 2]),
        (ProjectChange(ends_on=DAY + dt.timedelta(80)), [1, 2]),
        (ProjectChange(places=20, category="敬老"), []),
        (ProjectChange(statements={"risks": "台阶多"}), []),
    ],
)
def test_only_name_time_and_place_are_told(one: Any, change: ProjectChange, told: list[int]) -> None:
    """A51: only a change of time, place or title is told."""
    number = one.published(shifts=(one.span(8, "09:00", 2), one.span(9, "09:00", 2)))
    one.join(1, "V1", "V2")
    one.join(2, "V1")
    case = one.at(one.admin, projects.request_change, number, change)
    one.at(one.officer, approvals.decide, case, "approve")
    assert one.events("project.edited")[-1]["notify"] == told


def test_nobody_is_told_of_a_change_of_what_is_over(one: Any) -> None:
    """A51: never of what is over."""
    number = one.published(days=3, shifts=(one.span(8, "09:00", 2),))
    one.join(1, "V1")
    case = one.at(one.admin, projects.request_change, number, ProjectChange(name="敬老日"), on=after(20))
    one.at(one.officer, approvals.decide, case, "approve", on=after(20))
    assert one.events("project.edited")[-1]["notify"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (ProjectChange(), "nothing_changed"),
        (ProjectChange(name="社区敬老"), "nothing_changed"),
        (ProjectChange(ends_on=DAY), "dates_reversed"),
        (ProjectChange(starts_on=DAY - dt.timedelta(1)), "in_the_past"),
        (ProjectChange(starts_on=DAY + dt.timedelta(9)), "shift_outside"),
        (ProjectChange(statements={"risks": ""}), "statement_missing_risks"),
        (ProjectChange(apply_until=DAY + dt.timedelta(99)), "apply_after_end"),
    ],
)
def test_a_change_that_cannot_stand_is_refused(
    one: Any, codes: Any, change: ProjectChange, code: str
) -> None:
    number = one.published(shifts=(one.span(8, "09:00", 2),))
    with pytest.raises(Refused) as caught:
        one.at(one.admin, projects.request_change, number, change)
    assert codes(caught) == [code]


def test_days_are_not_granted_that_leave_a_shift_outside_meanwhile(one: Any, codes: Any) -> None:
    number = one.published()
    case = one.at(one.admin, projects.request_change, number, ProjectChange(ends_on=after(10)))
    one.at(one.admin, projects.add_shift, number, one.span(20, "09:00", 2))
    with pytest.raises(Refused) as caught:
        one.at(one.officer, approvals.decide, case, "approve")
    assert codes(caught) == ["shift_outside"]
    assert one.at(one.public, projects.view, number).ends_on == after(67)


def test_a_cancelled_project_gives_nobody_hours_and_tells_each_once(organized: Any, codes: Any) -> None:
    """A46: no hours, each told once, the waiting list emptied, the reason kept."""
    number = organized.published(shifts=(organized.span(8, "09:00", 2, 1), organized.span(9, "09:00", 2)))
    organized.join(1, "V1")
    organized.join(2, "V1", "V3")
    organized.join(1, "V2", "V4", state="waiting")
    open_change = organized.at(organized.admin, projects.request_change, number, ProjectChange(places=20))
    organized.at(organized.admin, projects.cancel, number, reason="王阿姨家中有事")
    assert organized.events("project.cancelled") == [{"notify": [1, 2, 3, 4]}]
    assert organized.at(organized.centre, approvals.view, open_change).state == "withdrawn"

    def stored(desk: Any) -> Any:
        rows = desk.connection.execute(sa.select(participation.c.state, participation.c.reason)).all()
        reason = desk.connection.execute(
            sa.select(project.c.reason).where(project.c.number == number)
        ).scalar_one()
        return rows, reason, open_texts(desk, [reason])[reason]

    rows, reason, said = organized.at(organized.centre, stored)
    assert {tuple(row) for row in rows} == {("cancelled", reason)}
    assert len(organized.events("participation.cancelled")) == len(rows) == 5
    assert (reason, said) == ("project:1#cancellation:0", "王阿姨家中有事")
    shown = organized.at(organized.public, projects.view, number)
    assert (shown.status, {each.taken for each in shown.shifts}) == ("cancelled", {0})
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            organized.at(organized.admin, hours.record, Claim("V1", number, after(8), 60), on=after(10))
        assert codes(caught) == ["project_without_hours"]
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.cancel, number, reason="再来")
    assert codes(caught) == ["project_state"]


def test_what_has_hours_is_not_cancelled_nor_deleted_but_put_away(organized: Any, codes: Any) -> None:
    """A47: what has hours is archived, not deleted."""
    number = organized.published(days=1, shifts=(organized.span(7, "09:00", 2),))
    made = organized.at(organized.admin, hours.record, Claim("V1", number, after(7), 60), on=after(9))
    for verb, named, code in (
        (projects.cancel, {"reason": "重复"}, "project_has_hours"),
        (projects.delete, {}, "project_has_records"),
        (projects.archive, {}, "project_state"),
    ):
        with pytest.raises(Refused) as caught:
            organized.at(organized.admin, verb, number, on=after(9), **named)
        assert codes(caught) == [code]
    assert "归档" in Finding("project_has_records", {"number": number}).message("zh-CN")
    organized.at(organized.second_admin, hours.reject, made.record_id, reason="没有签到", on=after(9))
    with pytest.raises(Refused):  # a rejected claim stays visible, so its project does
        organized.at(organized.admin, projects.delete, number, on=after(9))
    organized.at(organized.admin, projects.cancel, number, reason="没有人来", on=after(9))
    organized.at(organized.admin, projects.archive, number, on=after(9))
    assert organized.at(organized.public, projects.view, number).status == "archived"


def test_hours_taken_back_do_not_come_back_to_a_cancelled_project(one: Any, codes: Any) -> None:
    number = one.published(days=1, shifts=(one.span(7, "09:00", 2),))
    made = one.at(one.admin, hours.record, Claim("V1", number, after(7), 60), on=after(9)).record_id
    one.at(one.second_admin, hours.confirm, made, reason="负责人在场", on=after(9))
    one.at(one.second_admin, hours.reverse, made, reason="没有人来", on=after(9))
    one.at(one.admin, projects.cancel, number, reason="没有人来", on=after(9))
    with pytest.raises(Refused) as caught:
        one.at(one.second_admin, hours.restore, made, reason="查明", on=after(9))
    assert codes(caught) == ["project_takes_no_hours"]
    other = one.published(name="义诊", days=1)
    claim = Claim("V1", other, after(7), 60)
    kept = one.at(one.admin, hours.record, claim, on=after(9)).record_id
    one.at(one.second_admin, hours.confirm, kept, reason="负责人在场", on=after(9))
    with pytest.raises(Refused) as caught:
        one.at(one.second_admin, hours.move, kept, number, reason="记错项目", on=after(9))
    assert codes(caught) == ["project_takes_no_hours"]


def test_a_project_without_hours_is_deleted_for_everybody(organized: Any, codes: Any) -> None:
    """A47: what has no hours is deleted."""
    number = organized.published(shifts=(organized.span(8, "09:00", 2),))
    organized.join(1, "V1")
    organized.at(organized.admin, projects.delete, number)
    assert organized.events("project.deleted") == [{"notify": [1]}]
    for actor in (organized.admin, organized.centre, organized.public):
        with pytest.raises(NotFound):
            organized.at(actor, projects.view, number)
        assert organized.at(actor, projects.list_projects) == ()
    assert organized.at(organized.centre, projects.calendar, DAY, after(60)) == ()
    with pytest.raises(Refused) as caught:  # a number never comes back for something else
        organized.at(organized.admin, projects.apply, organized.form(), number=number)
    assert codes(caught) == ["already_registered"]
    waiting = organized.at(organized.admin, projects.apply, organized.form("义诊"))
    organized.at(organized.admin, projects.delete, waiting.number)
    assert organized.at(organized.centre, approvals.view, waiting.case).state == "withdrawn"


def test_what_is_over_is_reported_on_and_reviewed(organized: Any, codes: Any) -> None:
    number = organized.published(days=1, shifts=(organized.span(8, "09:00", 2),))
    organized.at(organized.admin, hours.record, Claim("V1", number, after(8), 60), on=after(9))
    said = {"persons": 40, "minutes": 60, "result": "为四十位老人理发"}
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.report, number, on=after(7), **said)
    assert codes(caught) == ["not_over"]
    case = organized.at(organized.admin, projects.report, number, on=after(9), **said)
    assert status(organized, number) == "closing"
    organized.at(organized.officer, approvals.decide, case, "refuse", reason="人数不实", on=after(9))
    assert status(organized, number) == "published"
    again = organized.at(organized.admin, projects.report, number, on=after(9), **(said | {"persons": 30}))
    with pytest.raises(Refused):  # it waits
        organized.at(organized.admin, projects.report, number, on=after(9), **said)
    organized.at(organized.officer, approvals.decide, again, "approve", on=after(9))
    assert status(organized, number) == "closed"
    kept = organized.at(organized.centre, lambda desk: desk.connection.execute(
        sa.select(project.c.served_persons, project.c.served_minutes, project.c.result)).one())  # fmt: skip
    assert tuple(kept) == (30, 60, "project:1#report:1")
    organized.at(organized.admin, projects.archive, number, on=after(9))
    assert organized.at(organized.public, projects.view, number).status == "archived"


@pytest.mark.parametrize("persons", [-1, 1.5, "40", True])
def test_a_report_has_whole_numbers(one: Any, persons: Any) -> None:
    number = one.published(days=1)
    with pytest.raises(InvalidValue):
        one.at(one.admin, projects.report, number, persons=persons, minutes=1, result="好", on=after(9))


def test_the_past_comes_in_by_the_back_entry_alone(organized: Any, codes: Any) -> None:
    """A71: what is past is not published, it goes through the back-entry."""
    past = organized.form(
        start=-10, days=1, shifts=(organized.span(-10, "09:00", 2), organized.span(-10, "10:00", 2))
    )
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.apply, past)
    assert set(codes(caught)) == {"in_the_past"}
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.apply, past, back_entry=True)
    assert codes(caught) == ["evidence_missing"]
    with pytest.raises(Refused) as caught:
        organized.at(
            organized.admin, projects.apply, attrs.evolve(past, shifts=()), back_entry=True, evidence="签到表"
        )
    assert codes(caught) == ["shift_missing"]
    future = organized.form(shifts=(organized.span(8, "09:00", 2),))
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.apply, future, back_entry=True, evidence="签到表")
    assert set(codes(caught)) == {"not_over"}
    applied = organized.at(organized.admin, projects.apply, past, back_entry=True, evidence="签到表第 12 号")
    organized.at(organized.officer, approvals.decide, applied.case, "approve")
    assert status(organized, applied.number) == "pending"  # a second office decides too
    organized.at(SECOND, approvals.decide, applied.case, "approve")
    assert status(organized, applied.number) == "approved"
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.publish, applied.number)
    assert codes(caught) == ["back_entry_unpublished"]
    case = organized.at(
        organized.admin, projects.report, applied.number, persons=3, minutes=180, result="已办"
    )
    organized.at(organized.officer, approvals.decide, case, "approve")
    assert status(organized, applied.number) == "closed"


def test_hours_entered_afterwards_are_no_longer_than_the_activity(organized: Any, codes: Any) -> None:
    """A71: a back-entry is no longer than the activity."""
    # nine to eleven and ten to twelve: three hours, not four; and one more on the next day
    shifts = (
        organized.span(-10, "09:00", 2),
        organized.span(-10, "10:00", 2),
        organized.span(-9, "09:00", 1),
    )
    past = organized.form(start=-10, days=1, shifts=shifts)
    applied = organized.at(organized.admin, projects.apply, past, back_entry=True, evidence="签到表")
    claim = Claim("V1", applied.number, after(-10), 120)
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, hours.record, claim)
    assert codes(caught) == ["project_without_hours"]
    organized.at(organized.officer, approvals.decide, applied.case, "approve")
    organized.at(SECOND, approvals.decide, applied.case, "approve")
    organized.at(organized.admin, hours.record, claim)
    more = [attrs.evolve(claim, claimed_minutes=minutes) for minutes in (60, 1)]
    first, second = organized.at(organized.admin, hours.record_many, [(None, each) for each in more])
    assert first.minutes == 60
    assert [each.code for each in second.findings if each.severity == "block"] == ["more_than_activity"]
    for day, minutes in ((-9, 61), (-8, 1)):
        with pytest.raises(Refused) as caught:
            organized.at(organized.admin, hours.record, Claim("V1", applied.number, after(day), minutes))
        assert codes(caught) == ["more_than_activity"]
    organized.at(organized.admin, hours.record, Claim("V2", applied.number, after(-10), 180))
    assert organized.at(organized.centre, length_minutes, 1, after(-10)) == 180
    assert [organized.at(organized.centre, accepts_hours, 1, after(day)) for day in (-10, -8)] == [
        True,
        False,
    ]


@pytest.mark.parametrize("word", ["approved", "finished", "published", "closing", "closed", "archived"])
def test_other_projects_take_hours_whatever_their_word(one: Any, word: str) -> None:
    one.at(one.centre, projects.register, "P1", name="社区敬老", organization="O1")
    one.at(one.centre, lambda desk: desk.connection.execute(sa.update(project).values(status=word)))
    assert one.at(one.admin, hours.record, Claim("V1", "P1", DAY, 60)).minutes == 60


@pytest.mark.parametrize("word", ["pending", "refused", "withdrawn", "cancelled", "deleted"])
def test_what_was_not_approved_takes_none(one: Any, codes: Any, word: str) -> None:
    one.at(one.centre, projects.register, "P1", name="社区敬老", organization="O1")
    one.at(one.centre, lambda desk: desk.connection.execute(sa.update(project).values(status=word)))
    with pytest.raises(Refused) as caught:
        one.at(one.admin, hours.record, Claim("V1", "P1", DAY, 60))
    assert codes(caught) == ["project_without_hours"]
    assert not one.at(one.admin, accepts_hours, 1, DAY)


def test_a_copy_keeps_everything_but_who_took_part(organized: Any) -> None:
    """A50: a copy keeps offsets, lengths and requirements, and no participants."""
    positions = (PositionForm("陪护", "陪老人散步", 18, 60, "first_aid", "沟通"), PositionForm("后勤"))
    shifts = (organized.span(8, "22:00", 4, 3, position="陪护", latitude_e6=27_800_000, longitude_e6=114_900_000),
              organized.span(10, "09:00", 2))  # fmt: skip
    old = organized.published(positions=positions, shifts=shifts, apply_from=DAY, apply_until=after(7),
                              acceptance="reviewed", guests_at_most=2, waiting_list=False)  # fmt: skip
    organized.join(1, "V1", "V2")
    gone = organized.at(organized.admin, projects.add_shift, old, organized.span(9, "09:00", 1))
    organized.at(organized.admin, projects.cancel_shift, gone.id)
    made = organized.at(
        organized.admin, projects.copy, old, starts_on=after(107), new_number="P77", name="明年敬老"
    )
    one, other = (
        organized.at(organized.admin, projects.view_application, each) for each in (old, made.number)
    )
    assert (other.number, other.name, other.copied_from, other.status) == ("P77", "明年敬老", old, "pending")
    same = ("organization", "area", "places", "acceptance", "guests_at_most", "waiting_list", "statements")
    assert all(getattr(one, name) == getattr(other, name) for name in same)
    for name in ("starts_on", "ends_on", "apply_from", "apply_until"):
        assert getattr(other, name) - getattr(one, name) == dt.timedelta(100)
    assert [attrs.astuple(each)[1:] for each in other.positions] == [
        attrs.astuple(each)[1:] for each in one.positions
    ]
    kept = [each for each in one.shifts if not each.cancelled]
    assert len(other.shifts) == len(kept) == 2
    for before, now in zip(kept, other.shifts, strict=True):
        assert now.starts_at - before.starts_at == dt.timedelta(100)
        assert (now.minutes, now.capacity, now.position) == (before.minutes, before.capacity, before.position)
        assert (now.latitude_e6, now.longitude_e6, now.taken) == (before.latitude_e6, before.longitude_e6, 0)
    assert one.shifts[0].taken == 2


def test_a_copy_keeps_the_clock_over_the_change_of_seasons(in_zone: Any) -> None:
    city = in_zone("Europe/Berlin")
    old = city.published(shifts=(city.span(8, "15:00", 2),))
    made = city.at(city.admin, projects.copy, old, starts_on=dt.date(2027, 6, 1))
    (shift,) = city.at(city.admin, projects.view_application, made.number).shifts
    assert (f"{shift.starts_at:%m-%d %H:%M %z}", shift.minutes) == ("06-02 15:00 +0200", 120)


def test_a_template_is_found_to_copy_from(one: Any) -> None:
    number, _ = one.published(), one.published(name="义诊")
    one.at(one.admin, projects.mark_template, number)
    assert [each.number for each in one.at(one.admin, projects.list_applications, template=True)] == [number]
    assert one.at(one.stranger, projects.list_applications, template=True) == ()
    one.at(one.admin, projects.mark_template, number, False)
    assert one.at(one.admin, projects.list_applications, template=True) == ()


def test_what_is_over_is_told_and_found_by_it(organized: Any) -> None:
    old = organized.published(name="社区敬老", days=3)  # from the 7th day to the 10th
    late = organized.published(name="跨年守护", days=3, shifts=(organized.span(10, "22:00", 4),))
    new = organized.published(name="义诊", start=30, days=3)
    public = (organized.public, projects.list_projects)
    for days, past in ((10, []), (11, [old, late]), (34, [old, late, new])):
        found = organized.at(*public, on=after(days))
        assert [each.number for each in found if each.over] == past
        assert {each.status for each in found} == {"published"}
        for over in (True, False):
            narrowed = organized.at(*public, over=over, status="published", on=after(days))
            assert narrowed == tuple(each for each in found if each.over is over)
            mine = organized.at(organized.admin, projects.list_applications, over=over, on=after(days))
            assert [each.number for each in mine] == [each.number for each in narrowed]
        for number in (old, late, new):
            shown = organized.at(organized.public, projects.view, number, on=after(days))
            assert shown.over is (number in past)


def test_a_shift_past_midnight_ends_after_the_last_day(organized: Any) -> None:
    number = organized.published(days=3, shifts=(organized.span(10, "22:00", 4),))
    with attrs.evolve(organized.city.kit, clock=fixed_clock(organized.instant(11, "01:00"))).open(
        organized.city.engine, organized.public, read_only=True
    ) as desk:
        assert [each.over for each in projects.list_projects(desk)] == [False]
        assert not projects.view(desk, number).over


def test_a_list_is_narrowed(organized: Any) -> None:
    organized.at(organized.centre, brands.create, "暖阳", number="B1")
    old = organized.published(name="社区敬老", category="敬老", brand="B1", days=3)
    new = organized.published(name="义诊 50%", category="医疗", start=30, days=3, area="渝水区")
    for named, numbers in (
        ({"brand": "B1"}, [old]), ({"category": "医疗"}, [new]), ({"area": "渝水区"}, [old, new]), ({"area": "分宜县"}, []),
        ({"organization": "O1"}, [old, new]), ({"organization": "O2"}, []), ({"team": "T1"}, []),
        ({"since": after(11)}, [new]), ({"until": after(29)}, [old]), ({"since": after(10), "until": after(10)}, [old]),
        ({"status": "published"}, [old, new]), ({"status": "closed"}, []), ({"text": "0%"}, [new]), ({"text": "%"}, [new]),
        ({"text": "敬老"}, [old]), ({"limit": 1}, [old]), ({"after": old}, [new]),
    ):  # fmt: skip
        found = organized.at(organized.public, projects.list_projects, **named)
        assert [each.number for each in found] == numbers, named
    for named in ({"brand": "B404"}, {"organization": "O404"}, {"team": "T404"}):
        with pytest.raises(NotFound):
            organized.at(organized.public, projects.list_projects, **named)
    for named in (
        {"limit": 0},
        {"free": 1},
        {"over": "no"},
        {"text": 7},
        {"since": after(2), "until": after(1)},
        {"status": "\0"},
    ):
        with pytest.raises(InvalidValue):
            organized.at(organized.public, projects.list_projects, **named)
    with pytest.raises(InvalidValue) as caught:
        organized.at(organized.public, projects.list_projects, status="publised")
    assert caught.value.values["allowed"] == "published"
