"""Every verb names one action, denies by default, tells a foreign id from an unknown one to nobody."""

from __future__ import annotations

import datetime as dt
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Claim,
    Finding,
    Grant,
    KeyCipher,
    Kit,
    Refused,
    approvals,
    fixed_clock,
    hookimpl,
    hours,
    organizations,
    personal,
    projects,
    rating,
    volunteers,
)
from volunteerkit.access import ROLES, Place, matrix
from volunteerkit.approvals import Workflow, grants
from volunteerkit.approvals.cases import open_case
from volunteerkit.errors import ImportRefused, InvalidValue, NotFound, NotPermitted, VolunteerkitError
from volunteerkit.exchange import count_flagged, flagged_rows, load_file, note_refusal, refused_rows
from volunteerkit.messages import LANGUAGES
from volunteerkit.organizations import OrganizationForm, TeamForm, base, teams
from volunteerkit.organizations.tables import team, tenancy
from volunteerkit.projects import (
    PositionForm,
    ProjectChange,
    ProjectForm,
    ShiftForm,
    attendance,
    batches,
    brands,
    codes,
    participants,
    recruiting,
)
from volunteerkit.projects.tables import attendance as pair
from volunteerkit.projects.tables import participation, project, shift
from volunteerkit.statistics import activity_record, brand_page, city_figures
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.units import day_number
from volunteerkit.workflow import Office, Route, Step

DAY = dt.date(2026, 11, 23)
CLERK, SECOND, THIRD = (Actor.of(f"clerk-{n}", "centre", "system") for n in (7, 8, 9))
COUNTER = Actor("counter-2", (Grant("organization_admin", "O1"),))
KIND = "team.registration"
SELF = Actor("self-1", (Grant("volunteer"),), volunteer="V1")
SCOPES = {"team_leader": "T1", "organization_admin": "O1", "department_officer": "渝水区"}
ELSEWHERE = {"team_leader": "T9", "organization_admin": "O9", "department_officer": "分宜县"}
# what only looks at the kit, or at a connection instead of a desk
FREE = {"rating.ladder_for"}
GIVEN = {
    "volunteers.register", "volunteers.admit", "organizations.register", "projects.register", "organizations.apply",
    "organizations.teams.apply", "organizations.base.add_desk", "organizations.base.add_equipment",
    "projects.apply", "projects.brands.create",
}  # fmt: skip
"""Verbs that give a number to something new; the others look one up."""
LISTS = {
    "approvals.pending", "hours.list_pending", "organizations.list_organizations", "organizations.list_applications",
    "organizations.teams.list_teams", "organizations.teams.list_applications", "organizations.base.list_tenancies",
    "volunteers.leaderless_teams",
    "projects.list_projects", "projects.list_applications", "projects.calendar", "projects.stranded_projects",
    "projects.brands.list_brands",
}  # fmt: skip
"""Verbs that refuse nobody: who may see nothing gets nothing."""
PUBLIC = {"projects.brands.view", "statistics.brand_page"}
"""Verbs for what is public from its first day: nobody's id is foreign."""
PROTECTED = {
    "status", "state", "stars", "grade", "confirmed_minutes", "credited_minutes", "recorded_by", "opened_by",
    "granted_by", "created_by", "actor", "grants", "version", "delegated", "closed_by", "recorded_at",
}  # fmt: skip


@attrs.frozen
class Verb:
    """How a verb is called: its action, the call with an id (None: it takes none), a known and an unknown id.

    ``also`` are further actions it may ask about the same object: a case's own.
    """

    action: str
    call: Callable[[Desk, Any], Any]
    known: Any = None
    unknown: Any = None
    also: tuple[str, ...] = ()
    place: str = ""


APPLICATION = Application("兰", "O1", consent_on=DAY)
BRANCH = OrganizationForm("分会", "branch", "渝水区", parent="O1")
TEAM = TeamForm("二队", organization="O1")
LATER = DAY + dt.timedelta(days=30)
PROJECT = ProjectForm(
    "社区敬老",
    "O1",
    LATER,
    LATER,
    dict.fromkeys(("place", "content", "conditions", "risks", "protection"), "无"),
    places=5,
)
_BEGIN = dt.datetime(2027, 1, 4, 1, tzinfo=dt.UTC)
SHIFT = ShiftForm(_BEGIN, _BEGIN + dt.timedelta(hours=2), 3)
IDENTITY = "360599199003150015"
REFUSED = 7
"""The case of a dispute that was refused."""
WINTER, SPRING = dt.date(2026, 1, 15), dt.date(2026, 4, 15)


def reopened(desk: Desk, period_id: int) -> approvals.Case:
    """Ask that a day of a closed winter be open again for an hour."""
    until = desk.now + dt.timedelta(hours=1)
    return hours.reopen_period(desk, period_id, WINTER, WINTER, until=until, reason="补录")


def claim(number: str) -> Claim:
    return Claim(number, "P5", DAY, 60)


VERBS = {
    "volunteers.check_registration": Verb("volunteer.register", lambda desk, _: volunteers.check_registration(desk, APPLICATION)),
    "volunteers.register": Verb("volunteer.register", lambda desk, _: volunteers.register(desk, APPLICATION)),
    "volunteers.admit": Verb("volunteer.admit", lambda desk, _: volunteers.admit(desk, name="兰", organization="O1")),
    "volunteers.approve": Verb("volunteer.decide", volunteers.approve, "V2", "V404", ("case.view",)),
    "volunteers.refuse": Verb("volunteer.decide", lambda desk, id: volunteers.refuse(desk, id, reason="重复"), "V2", "V404", ("case.view",)),
    "volunteers.resubmit": Verb("volunteer.edit", volunteers.resubmit, "V1", "V404"),
    "volunteers.claim": Verb("volunteer.claim", lambda desk, _: volunteers.claim(desk, identity_number=IDENTITY, name="兰")),
    "volunteers.suspend": Verb("volunteer.suspend", lambda desk, id: volunteers.suspend(desk, id, reason="核查"), "V1", "V404"),
    "volunteers.put_on_probation": Verb(
        "volunteer.suspend", lambda desk, id: volunteers.put_on_probation(desk, id, until=DAY, reason="核查"), "V1", "V404"
    ),
    "volunteers.answer_consent": Verb(
        "volunteer.consent", lambda desk, id: volunteers.answer_consent(desk, id, "confirm"), "V1", "V404"
    ),
    "volunteers.take_leave": Verb("volunteer.leave", lambda desk, id: volunteers.take_leave(desk, id, since=DAY), "V1", "V404"),
    "volunteers.end_period": Verb("volunteer.suspend", lambda desk, id: volunteers.end_period(desk, id, "suspended"), "V1", "V404"),
    "volunteers.deregister": Verb("volunteer.leave", volunteers.deregister, "V1", "V404"),
    "volunteers.reactivate": Verb("volunteer.decide", volunteers.reactivate, "V1", "V404"),
    "volunteers.propose_blacklist": Verb(
        "volunteer.propose_sanction", lambda desk, id: volunteers.propose_blacklist(desk, id, until=DAY, reason="作假"), "V1", "V404"
    ),
    "volunteers.lift_blacklist": Verb(
        "volunteer.propose_sanction", lambda desk, id: volunteers.lift_blacklist(desk, id, reason="查明"), "V1", "V404"
    ),
    "volunteers.blacklist": Verb("volunteer.view", volunteers.blacklist, "V1", "V404"),
    "volunteers.request_transfer": Verb("volunteer.transfer", lambda desk, id: volunteers.request_transfer(desk, id, "O2"), "V1", "V404"),
    "volunteers.ask_to_join": Verb("team.join", lambda desk, id: volunteers.ask_to_join(desk, id, "T1"), "V1", "V404"),
    "volunteers.add_to_team": Verb("team.join", lambda desk, id: volunteers.add_to_team(desk, "V1", id), "T1", "T404"),
    "volunteers.leave_team": Verb("team.join", lambda desk, id: volunteers.leave_team(desk, id, "T1"), "V1", "V404"),
    "volunteers.appoint": Verb("team.appoint", lambda desk, id: volunteers.appoint(desk, "V1", id, "leader"), "T1", "T404"),
    "volunteers.leaderless_teams": Verb("team.appoint", lambda desk, _: volunteers.leaderless_teams(desk)),
    "volunteers.members": Verb("volunteer.view", volunteers.members, "T1", "T404"),
    "volunteers.memberships": Verb("volunteer.view", volunteers.memberships, "V1", "V404"),
    "volunteers.add_training": Verb(
        "volunteer.enter", lambda desk, id: volunteers.add_training(desk, id, "急救", on=DAY, minutes=60, organization="O1"), "V1", "V404"
    ),
    "volunteers.add_commendation": Verb(
        "volunteer.enter", lambda desk, id: volunteers.add_commendation(desk, id, "先进", on=DAY, granted_by="市文明办"), "V1", "V404"
    ),
    "volunteers.evaluate": Verb(
        "volunteer.enter", lambda desk, id: volunteers.evaluate(desk, id, "年度", on=DAY, score=90, organization="O1"), "V1", "V404"
    ),
    "volunteers.add_qualification": Verb(
        "volunteer.enter", lambda desk, id: volunteers.add_qualification(desk, id, "first_aid", obtained_on=DAY), "V1", "V404"
    ),
    "volunteers.qualifications": Verb("volunteer.view", volunteers.qualifications, "V1", "V404"),
    "statistics.activity_record": Verb("volunteer.view", activity_record, "V1", "V404"),
    "statistics.brand_page": Verb("brand.view", brand_page, "B1", "B404"),
    "personal.profile": Verb("volunteer.view", personal.profile, "V1", "V404"),
    "personal.unmask": Verb("volunteer.unmask", lambda desk, id: personal.unmask(desk, id, "phone", purpose="contact"), "V1", "V404"),
    "personal.find": Verb("volunteer.view", lambda desk, _: personal.find(desk, "兰")),
    "personal.erase": Verb("privacy.erase", personal.erase, "V1", "V404"),
    "personal.due_for_erasure": Verb("privacy.erase", lambda desk, _: personal.due_for_erasure(desk)),
    "personal.export_own": Verb("privacy.export", lambda desk, _: personal.export_own(desk)),
    "personal.request_erasure": Verb("privacy.request_erasure", lambda desk, _: personal.request_erasure(desk)),
    "personal.withdraw_erasure_request": Verb("privacy.request_erasure", lambda desk, _: personal.withdraw_erasure_request(desk)),
    "hours.rebuild": Verb("store.rebuild", lambda desk, _: hours.rebuild(desk)),
    "organizations.register": Verb("organization.register", lambda desk, _: organizations.register(desk, "O7", name="会")),
    "organizations.check_application": Verb("organization.apply", lambda desk, _: organizations.check_application(desk, BRANCH)),
    "organizations.apply": Verb("organization.apply", lambda desk, _: organizations.apply(desk, BRANCH)),
    "organizations.edit": Verb("organization.edit", lambda desk, id: organizations.edit(desk, id, name="会"), "O1", "O404"),
    # what was admitted is public, so what stands for a foreign one only applied
    "organizations.view": Verb("organization.view", organizations.view, "O3", "O404"),
    "organizations.answering_for": Verb("organization.view", organizations.answering_for, "O3", "O404"),
    "organizations.view_application": Verb("organization.view_application", organizations.view_application, "O3", "O404"),
    "organizations.list_organizations": Verb("organization.view", lambda desk, _: organizations.list_organizations(desk)),
    "organizations.list_applications": Verb("organization.view_application", lambda desk, _: organizations.list_applications(desk)),
    "organizations.administrators": Verb("organization.list_admins", organizations.administrators, "O1", "O404"),
    "organizations.contact": Verb("organization.view_contact", organizations.contact, "O1", "O404"),
    "organizations.unmask_contact": Verb(
        "organization.unmask_contact",
        lambda desk, id: organizations.unmask_contact(desk, id, "phone", purpose="contact"), "O1", "O404",
    ),
    "organizations.forget_contacts": Verb(
        "organization.forget_contacts", lambda desk, _: organizations.forget_contacts(desk)
    ),
    "organizations.propose_admin": Verb(
        "organization.propose_admin", lambda desk, id: organizations.propose_admin(desk, id, "head-1"), "O1", "O404"
    ),
    "organizations.remove_admin": Verb(
        "organization.decide_admin", lambda desk, id: organizations.remove_admin(desk, id, "head-1", reason="离任"), "O1", "O404"
    ),
    "organizations.propose_suspension": Verb(
        "organization.propose_suspension", lambda desk, id: organizations.propose_suspension(desk, id, reason="核查"), "O1", "O404"
    ),
    "organizations.propose_lifting": Verb(
        "organization.propose_suspension", lambda desk, id: organizations.propose_lifting(desk, id, reason="查明"), "O1", "O404"
    ),
    "organizations.propose_dissolution": Verb(
        "organization.propose_suspension", lambda desk, id: organizations.propose_dissolution(desk, id, reason="解散"), "O2", "O404"
    ),
    "organizations.propose_merger": Verb(
        "organization.propose_suspension",
        lambda desk, id: organizations.propose_merger(desk, id, successor="O2", reason="合并"), "O1", "O404",
    ),
    "organizations.teams.check_application": Verb("team.register", lambda desk, _: teams.check_application(desk, TEAM)),
    "organizations.teams.apply": Verb("team.register", lambda desk, _: teams.apply(desk, TEAM)),
    "organizations.teams.edit": Verb("team.edit", lambda desk, id: teams.edit(desk, id, name="队"), "T1", "T404"),
    "organizations.teams.transfer": Verb("team.transfer", lambda desk, id: teams.transfer(desk, id, "O2"), "T1", "T404"),
    "organizations.teams.organization_of": Verb("team.view", lambda desk, id: teams.organization_of(desk, id, DAY), "T3", "T404"),
    "organizations.teams.suspend": Verb("team.suspend", lambda desk, id: teams.suspend(desk, id, reason="核查"), "T1", "T404"),
    "organizations.teams.lift": Verb("team.suspend", lambda desk, id: teams.lift(desk, id, reason="查明"), "T1", "T404"),
    "organizations.teams.dissolve": Verb("team.suspend", lambda desk, id: teams.dissolve(desk, id, reason="解散"), "T1", "T404"),
    "organizations.teams.view": Verb("team.view", teams.view, "T3", "T404"),
    "organizations.teams.list_teams": Verb("team.view", lambda desk, _: teams.list_teams(desk)),
    "organizations.teams.view_application": Verb("team.view_application", teams.view_application, "T3", "T404"),
    "organizations.teams.list_applications": Verb("team.view_application", lambda desk, _: teams.list_applications(desk)),
    "organizations.base.apply": Verb(
        "base.request", lambda desk, id: base.apply(desk, id, starts_on=DAY, ends_on=LATER), "O2", "O404"
    ),
    "organizations.base.view": Verb("base.view", base.view, 1, 404),
    "organizations.base.list_tenancies": Verb("base.view", lambda desk, _: base.list_tenancies(desk)),
    "organizations.base.occupancy": Verb("base.view", lambda desk, _: base.occupancy(desk)),
    "organizations.base.extend": Verb(
        "base.manage", lambda desk, id: base.extend(desk, id, LATER + dt.timedelta(days=1)), 1, 404
    ),
    "organizations.base.add_desk": Verb("base.manage", lambda desk, _: base.add_desk(desk, "D7")),
    "organizations.base.assign_desk": Verb("base.manage", lambda desk, id: base.assign_desk(desk, id, "D2"), 1, 404),
    "organizations.base.release_desk": Verb("base.manage", base.release_desk, "D1", "D404"),
    "organizations.base.add_equipment": Verb("base.manage", lambda desk, _: base.add_equipment(desk, "E7", name="音响", count=1)),
    "organizations.base.lend": Verb("base.manage", lambda desk, id: base.lend(desk, id, "E1"), 1, 404),
    "organizations.base.return_loan": Verb("base.manage", base.return_loan, 1, 404),
    "organizations.base.note_service": Verb("base.manage", lambda desk, id: base.note_service(desk, id, "财务辅导"), 1, 404),
    "organizations.base.review_exit": Verb("base.manage", lambda desk, id: base.review_exit(desk, id, "graduated"), 2, 404),
    "projects.check_application": Verb("project.register", lambda desk, _: projects.check_application(desk, PROJECT)),
    "projects.apply": Verb("project.register", lambda desk, _: projects.apply(desk, PROJECT)),
    "projects.copy": Verb("project.register", lambda desk, id: projects.copy(desk, id, starts_on=LATER), "P3", "P404"),
    "projects.edit": Verb("project.edit", lambda desk, id: projects.edit(desk, id, ProjectChange(places=7)), "P3", "P404"),
    "projects.request_change": Verb(
        "project.edit", lambda desk, id: projects.request_change(desk, id, ProjectChange(places=7)), "P1", "P404"
    ),
    "projects.mark_template": Verb("project.edit", projects.mark_template, "P1", "P404"),
    "projects.publish": Verb("project.publish", projects.publish, "P4", "P404"),
    "projects.cancel": Verb("project.publish", lambda desk, id: projects.cancel(desk, id, reason="台风"), "P4", "P404"),
    "projects.report": Verb(
        "project.close", lambda desk, id: projects.report(desk, id, persons=20, minutes=600, result="已办"), "P5", "P404"
    ),
    "projects.archive": Verb("project.close", projects.archive, "P4", "P404"),
    "projects.delete": Verb("project.close", projects.delete, "P4", "P404"),
    "projects.view": Verb("project.view", projects.view, "P3", "P404"),
    "projects.view_application": Verb("project.view_application", projects.view_application, "P3", "P404"),
    "projects.list_projects": Verb("project.view", lambda desk, _: projects.list_projects(desk)),
    "projects.list_applications": Verb("project.view_application", lambda desk, _: projects.list_applications(desk)),
    "projects.stranded_projects": Verb("project.view_application", lambda desk, _: projects.stranded_projects(desk)),
    "projects.calendar": Verb("project.view", lambda desk, _: projects.calendar(desk, DAY, LATER)),
    "projects.add_position": Verb("project.edit", lambda desk, id: projects.add_position(desk, id, PositionForm("陪护")), "P1", "P404"),
    "projects.edit_position": Verb("project.edit", lambda desk, id: projects.edit_position(desk, id, PositionForm("陪护")), 1, 404),
    "projects.cancel_position": Verb("project.edit", projects.cancel_position, 1, 404),
    "projects.add_shift": Verb("project.edit", lambda desk, id: projects.add_shift(desk, id, SHIFT), "P1", "P404"),
    "projects.edit_shift": Verb(
        "project.edit", lambda desk, id: projects.edit_shift(desk, id, attrs.evolve(SHIFT, capacity=1)), 1, 404
    ),
    "projects.cancel_shift": Verb("project.edit", projects.cancel_shift, 1, 404),
    "projects.add_series": Verb(
        "project.edit", lambda desk, id: projects.add_series(desk, id, "FREQ=WEEKLY;COUNT=2", SHIFT), "P1", "P404"
    ),
    "projects.view_series": Verb("project.edit", projects.view_series, 1, 404),
    "projects.edit_series": Verb("project.edit", lambda desk, id: projects.edit_series(desk, id, capacity=9), 1, 404),
    "projects.brands.create": Verb("brand.create", lambda desk, _: brands.create(desk, "暖阳", area="渝水区")),
    "projects.brands.edit": Verb("brand.edit", lambda desk, id: brands.edit(desk, id, summary="敬老"), "B1", "B404"),
    "projects.brands.end": Verb("brand.edit", brands.end, "B1", "B404"),
    "projects.brands.view": Verb("brand.view", brands.view, "B1", "B404"),
    "projects.brands.list_brands": Verb("brand.view", lambda desk, _: brands.list_brands(desk)),
    "projects.register": Verb("project.register", lambda desk, _: projects.register(desk, "P7", name="宣传", organization="O1")),
    "projects.recruiting.check_join": Verb("project.join", lambda desk, id: recruiting.check_join(desk, 1, id), "V1", "V404"),
    "projects.recruiting.join": Verb("project.join", lambda desk, id: recruiting.join(desk, 1, id), "V1", "V404"),
    "projects.recruiting.withdraw": Verb("project.join", lambda desk, id: recruiting.withdraw(desk, 2, id), "V1", "V404"),
    "projects.recruiting.answer": Verb("project.join", lambda desk, id: recruiting.answer(desk, 3, id, "accept"), "V1", "V404"),
    "projects.recruiting.change_guests": Verb("project.join", lambda desk, id: recruiting.change_guests(desk, 2, id, 1), "V1", "V404"),
    "projects.recruiting.commitments": Verb("project.join", recruiting.commitments, "V1", "V404"),
    # what was published is public, so what stands for a foreign one is a shift of a project that was not
    "projects.recruiting.free_places": Verb("project.view", recruiting.free_places, 4, 404),
    "projects.recruiting.sweep": Verb("project.sweep", lambda desk, _: recruiting.sweep(desk)),
    "projects.participants.invite": Verb("project.review_participants", lambda desk, id: participants.invite(desk, id, "V4"), 1, 404),
    "projects.participants.accept": Verb("project.review_participants", participants.accept, 3, 404),
    "projects.participants.refuse": Verb("project.review_participants", lambda desk, id: participants.refuse(desk, id, reason="人满"), 3, 404),
    "projects.participants.remove": Verb("project.review_participants", lambda desk, id: participants.remove(desk, id, reason="另有任务"), 1, 404),
    "projects.participants.mark": Verb("project.review_participants", lambda desk, id: participants.mark(desk, id, "missed"), 4, 404),
    "projects.participants.unmark": Verb("project.review_participants", participants.unmark, 5, 404),
    "projects.participants.list_participants": Verb("project.list_participants", participants.list_participants, 1, 404),
    "projects.participants.candidates": Verb("project.list_participants", participants.candidates, 1, 404),
    "projects.attendance.check_in": Verb("project.check_in", lambda desk, id: attendance.check_in(desk, id, "V1"), 11, 404),
    "projects.attendance.check_out": Verb("project.check_in", lambda desk, id: attendance.check_out(desk, id, "V1"), 11, 404),
    "projects.attendance.check_list": Verb(
        "project.check_in", lambda desk, id: attendance.check_list(desk, id, ["V1"], whole=True), 11, 404
    ),
    "projects.attendance.list_attendance": Verb("project.list_participants", attendance.list_attendance, 11, 404),
    "projects.attendance.review": Verb(
        "project.review_participants", lambda desk, id: attendance.review(desk, id, accept=True, reason="在场"), 1, 404
    ),
    "projects.attendance.close_forgotten": Verb("project.check_in", lambda desk, _: attendance.close_forgotten(desk)),
    "projects.codes.shift_code": Verb("project.check_in", codes.shift_code, 11, 404),
    "projects.codes.shift_code_svg": Verb("project.check_in", codes.shift_code_svg, 11, 404),
    "projects.batches.device_key": Verb("project.check_in", lambda desk, _: batches.device_key(desk, "gate-1")),
    "projects.batches.revoke_device": Verb(
        "project.revoke_device", lambda desk, _: batches.revoke_device(desk, "gate-9", reason="被盗")
    ),
    "projects.batches.revoked_devices": Verb("project.revoke_device", lambda desk, _: batches.revoked_devices(desk)),
    "projects.batches.upload": Verb("project.check_in", lambda desk, _: _uploaded(desk)),
    "hours.claim_attendance": Verb("hours.record", hours.claim_attendance, 12, 404),
    "hours.unmatched_attendance": Verb("store.verify", lambda desk, _: hours.unmatched_attendance(desk)),
    "hours.record": Verb("hours.record", lambda desk, id: hours.record(desk, claim(id)), "V1", "V404"),
    "hours.record_many": Verb("hours.record", lambda desk, id: _first(hours.record_many(desk, [("k", claim(id))])), "V1", "V404"),
    "hours.confirm": Verb("hours.confirm", hours.confirm, 1, 404),
    "hours.reject": Verb("hours.reject", lambda desk, id: hours.reject(desk, id, reason="没有签到"), 1, 404),
    "hours.list_pending": Verb("hours.confirm", lambda desk, _: hours.list_pending(desk)),
    "hours.reverse": Verb("hours.reverse", lambda desk, id: hours.reverse(desk, id, reason="录错了"), 2, 404),
    "hours.restore": Verb("hours.reverse", lambda desk, id: hours.restore(desk, id, reason="查明"), 3, 404),
    "hours.bank.settle": Verb("credit.settle", hours.bank.settle, "V1", "V404"),
    "hours.bank.settle_city": Verb("credit.settle", lambda desk, _: hours.bank.settle_city(desk)),
    "hours.bank.hold": Verb("credit.redeem", lambda desk, id: hours.bank.hold(desk, id, "O1", minutes=1), "V1", "V404"),
    "hours.bank.redeem": Verb("credit.redeem", hours.bank.redeem, 1, 404),
    "hours.bank.cancel": Verb("credit.redeem", hours.bank.cancel, 1, 404),
    "hours.bank.propose_refund": Verb(
        "credit.cancel", lambda desk, id: hours.bank.propose_refund(desk, id, reason="停业"), 2, 404
    ),
    "hours.bank.give": Verb("credit.give", lambda desk, id: hours.bank.give(desk, id, "V3", minutes=1), "V1", "V404"),
    "hours.bank.balance": Verb("credit.view", hours.bank.balance, "V1", "V404"),
    "hours.bank.lines": Verb("credit.view", hours.bank.lines, "V1", "V404"),
    "hours.bank.redemptions": Verb("credit.view", hours.bank.redemptions, "V1", "V404"),
    "hours.adjust": Verb("hours.adjust", lambda desk, id: hours.adjust(desk, id, minutes=30, reason="提前离开"), 2, 404),
    "hours.move": Verb("hours.adjust", lambda desk, id: hours.move(desk, id, "P8", reason="记错了"), 2, 404),
    "hours.raise_budget": Verb("hours.raise_budget", lambda desk, _: hours.raise_budget(desk, "P1", 60, reason="加人")),
    "hours.close_period": Verb("period.close", lambda desk, _: hours.close_period(desk, SPRING, SPRING)),
    "hours.reopen_period": Verb("period.reopen", lambda desk, id: reopened(desk, id).id, 1, 404),
    "hours.periods": Verb("period.close", lambda desk, _: hours.periods(desk)),
    "hours.dispute": Verb("hours.dispute", lambda desk, id: hours.dispute(desk, id, 30, reason="多记了"), 2, 404),
    "hours.appeal": Verb("hours.appeal", lambda desk, id: hours.appeal(desk, id, reason="有人证明"), REFUSED, 404),
    "hours.inspect": Verb("hours.inspect", lambda desk, _: hours.inspect(desk)),
    "hours.export_ledger": Verb("store.verify", lambda desk, _: list(hours.export_ledger(desk))),
    "hours.enter_group": Verb(
        "hours.enter_group", lambda desk, id: hours.enter_group(desk, id, "P1", DAY, minutes=60, persons=5), "T1", "T404"
    ),
    "hours.decide_group": Verb("hours.confirm", lambda desk, id: hours.decide_group(desk, id, "confirm"), 1, 404),
    "hours.group_entries": Verb("hours.enter_group", lambda desk, _: hours.group_entries(desk)),
    "hours.attendance_of": Verb("hours.statement", hours.attendance_of, "V1", "V404"),
    "hours.statement": Verb("hours.statement", hours.statement, "V1", "V404"),
    "rating.rate_volunteer": Verb("rating.assess", rating.rate_volunteer, "V1", "V404"),
    "rating.rate_organization": Verb("rating.assess", rating.rate_organization, "O1", "O404"),
    "rating.evaluations": Verb("rating.assess", rating.evaluations, "O1", "O404"),
    "rating.evaluate_organization": Verb(
        "organization.evaluate", lambda desk, id: rating.evaluate_organization(desk, id, 90), "O1", "O404"
    ),
    "rating.rate_city": Verb("rating.decide", lambda desk, _: rating.rate_city(desk)),
    "rating.decide_city": Verb("rating.decide", lambda desk, _: rating.decide_city(desk, EMPTY)),
    "rating.try_rule": Verb("rating.assess", lambda desk, _: rating.try_rule(desk, desk.rulebooks["xinyu.star"])),
    "rating.fallen": Verb("rating.decide", lambda desk, _: rating.fallen(desk, EMPTY)),
    "statistics.city_figures": Verb("statistics.read", lambda desk, _: city_figures(desk)),
    "exchange.refused_rows": Verb("import.load", lambda desk, _: refused_rows(desk)),
    "exchange.flagged_rows": Verb("import.load", lambda desk, _: flagged_rows(desk)),
    "exchange.count_flagged": Verb("import.load", lambda desk, _: count_flagged(desk)),
    "exchange.note_refusal": Verb(
        "import.load", lambda desk, _: note_refusal(desk, ImportRefused("empty_file", file="teams.csv"))
    ),
    "exchange.load_file": Verb("import.load", lambda desk, _: load_file(desk, None, None)),  # type: ignore[arg-type]
    "volunteers.duplicates": Verb("volunteer.propose_merge", lambda desk, _: volunteers.duplicates(desk)),
    "volunteers.plan_merge": Verb("volunteer.propose_merge", lambda desk, id: volunteers.plan_merge(desk, id, id), "V1", "V404"),
    "volunteers.propose_merge": Verb(
        "volunteer.propose_merge", lambda desk, id: volunteers.propose_merge(desk, id, id, reason="重复"), "V1", "V404"
    ),
    "volunteers.propose_unmerge": Verb(
        "volunteer.propose_merge", lambda desk, id: volunteers.propose_unmerge(desk, id, reason="不是"), "V1", "V404"
    ),
    "approvals.view": Verb("case.view", approvals.view, 1, 404),
    "approvals.pending": Verb("case.view", lambda desk, _: approvals.pending(desk, mine=False)),
    "approvals.decide": Verb("case.view", lambda desk, id: approvals.decide(desk, id, "approve"), 1, 404, ("team.decide",)),
    "approvals.withdraw": Verb("case.withdraw", approvals.withdraw, 1, 404, ("case.view",)),
    "approvals.object_to": Verb("case.object", lambda desk, id: approvals.object_to(desk, id, reason="不实"), 1, 404),
    "approvals.answer_objection": Verb(
        "case.view", lambda desk, id: approvals.answer_objection(desk, id, 1, "dismiss", reason="无"), 2, 404, ("team.decide",)
    ),
    "approvals.recuse": Verb("case.view", lambda desk, id: approvals.recuse(desk, id, reason="亲属"), 1, 404, ("team.decide",)),
    "approvals.decisions": Verb("case.view", approvals.decisions, 1, 404),
    "approvals.objections": Verb("case.view", approvals.objections, 1, 404),
    "approvals.sweep": Verb("case.sweep", lambda desk, _: approvals.sweep(desk)),
    "approvals.grants.give": Verb("grant.change", lambda desk, _: grants.give(desk, "new-1", "auditor")),
    "approvals.grants.revoke": Verb("grant.change", grants.revoke, 1, 404),
    "approvals.grants.delegate": Verb("grant.delegate", lambda desk, _: grants.delegate(desk, "b-1", "centre", until=DAY)),
    "approvals.grants.take_back": Verb("grant.delegate", grants.take_back, 2, 404),
    "approvals.grants.list_grants": Verb("grant.read", lambda desk, _: grants.list_grants(desk)),
}  # fmt: skip
EMPTY = rating.CityRating(DAY, "union", "", "", "", [], [], [], [], [], [], [], [])


def _uploaded(desk: Desk) -> Any:
    one = batches.Scan("S-1", 1, 11, "V1", "in", desk.now)
    with suppress(NotPermitted):  # is told again
        one = batches.signed(batches.device_key(desk, "gate-1"), "gate-1", one)
    return batches.upload(desk, "gate-1", [one], clock=desk.now)


def _attended(desk: Desk) -> None:
    """A shift that runs, with somebody accepted who reported a pair; and one that ended, with another pair."""
    noon, hour = microseconds(desk.now), 3_600_000_000
    connection = desk.connection
    for id_, begin in ((1, noon - 2 * hour), (2, noon - 9 * hour)):
        connection.execute(
            sa.insert(shift).values(id=10 + id_, project_id=1, starts_at=begin, ends_at=begin + 4 * hour)
        )
        connection.execute(
            sa.insert(participation).values(
                id=10 + id_,
                shift_id=10 + id_,
                volunteer_id=1,
                state="accepted",
                rank=1,
                applied_at=0,
                changed_at=0,
                changed_by="clerk-7",
            )
        )
        connection.execute(
            sa.insert(pair).values(
                id=id_,
                participation_id=10 + id_,
                volunteer_id=1,
                shift_id=10 + id_,
                served_on=day_number(DAY),
                in_at=begin,
                out_at=begin + hour,
                in_method="self",
                out_method="self",
                in_received_at=begin,
                in_by="app-1",
                flags="self_reported" if id_ == 1 else "",
            )
        )


def _first(answers: list[Any]) -> Any:
    if isinstance(answers[0], Exception):
        raise answers[0]
    return answers[0]


def _modules() -> Iterator[tuple[str, ModuleType]]:
    for found in pkgutil.iter_modules(volunteerkit.__path__):
        if found.ispkg and found.name not in ("store", "rules", "messages", "simulate", "testing", "cli"):
            module = importlib.import_module(f"volunteerkit.{found.name}")
            yield found.name, module
            for name in module.__all__:
                if isinstance(getattr(module, name), ModuleType):
                    yield f"{found.name}.{name}", getattr(module, name)


def verbs() -> dict[str, Callable[..., Any]]:
    """Return every public function of the slices that takes a desk first."""
    return {
        f"{place}.{name}": member
        for place, module in _modules()
        for name in module.__all__
        if inspect.isfunction(member := getattr(module, name))
        and next(iter(inspect.signature(member).parameters), "") == "desk"
    }


@pytest.fixture(scope="module")
def city() -> Iterator[tuple[Kit, sa.Engine]]:
    steps = (Step("centre", Office("centre")),)
    workflow = Workflow(Route(KIND, steps, 5), "team.decide", lambda desk, case, outcome, on: None)
    kit = Kit.load(
        "xinyu", cipher=KeyCipher(bytes(32)), clock=fixed_clock(dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC))
    )
    kit = attrs.evolve(kit, workflows={**kit.workflows, KIND: workflow})
    engine = volunteerkit.create_engine("sqlite://")
    kit.migrate(engine)
    with kit.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
        organizations.register(desk, "O2", name="红十字会")
        desk.connection.execute(
            sa.insert(team).values(id=1, number="T1", name="队", organization_id=1, status="approved")
        )
        desk.connection.execute(
            sa.insert(team).values(id=9, number="T3", name="新队", organization_id=1, status="pending")
        )
        for id_, organization in ((1, 1), (2, 2)):
            desk.connection.execute(
                sa.insert(tenancy).values(
                    id=id_, organization_id=organization, starts_on=day_number(DAY), ends_on=day_number(LATER),
                    status="granted",
                )
            )  # fmt: skip
        for number in ("D1", "D2"):
            base.add_desk(desk, number)
        base.assign_desk(desk, 1, "D1")
        base.add_equipment(desk, "E1", name="音响", count=3)
        base.lend(desk, 1, "E1")
        projects.register(desk, "P1", name="宣传", organization="O1")
        brands.create(desk, "春风", number="B1", organization="O1")
        hours.close_period(desk, dt.date(2026, 1, 1), dt.date(2026, 1, 31))
        volunteers.admit(desk, name="兰", organization="O1", number="V1")
        volunteers.add_to_team(desk, "V1", "T1")
        _recruit(desk)
        projects.register(desk, "P4", name="宣讲", organization="O1")
        projects.register(desk, "P5", name="宣传", organization="O1")
        projects.register(desk, "P8", name="敬老", organization="O1")
        projects.add_position(desk, "P4", PositionForm("讲解"))
        projects.add_shift(desk, "P4", SHIFT)
        projects.add_series(desk, "P4", "FREQ=WEEKLY;COUNT=2", SHIFT)
        for _ in range(3):
            hours.record(desk, claim("V1"))
        _attended(desk)
        hours.enter_group(desk, "T1", "P1", DAY, minutes=60, persons=5)
    with kit.open(engine, SECOND) as desk:
        hours.confirm(desk, 2)
        hours.confirm(desk, 3)
        hours.reverse(desk, 3, reason="录错了")
        for subject in ("team:1", "team:2"):
            open_case(desk, KIND, subject, Place("V1", ("T1",), ("O1",), ("渝水区",)))
        case = grants.give(desk, "clerk-1", "centre")
        hours.bank.settle(desk, "V1")
    for actor, verb in ((COUNTER, "hold"), (COUNTER, "hold"), (Actor("counter-1", COUNTER.grants), "redeem")):
        given = ("V1", "O1") if verb == "hold" else (2,)
        with kit.open(engine, actor) as desk:
            getattr(hours.bank, verb)(desk, *given, **({"minutes": 1} if verb == "hold" else {}))
    with kit.open(engine, SECOND) as desk:
        volunteers.register(desk, APPLICATION, number="V2")
        organizations.apply(desk, attrs.evolve(BRANCH, name="支会"), number="O3")
        projects.apply(desk, attrs.evolve(PROJECT, name="护学"), number="P3")
    with kit.open(engine, THIRD) as desk:
        approvals.decide(desk, case.id, "approve")
        approvals.decide(desk, 2, "approve")
        approvals.object_to(desk, 2, reason="不实")
    with kit.open(engine, Actor("clerk-1")) as desk:
        grants.delegate(desk, "b-1", "centre", until=DAY)
    with kit.open(engine, SELF) as desk:
        assert hours.dispute(desk, 3, 60, reason="我到场了").id == REFUSED
    with kit.open(engine, THIRD) as desk:
        approvals.decide(desk, REFUSED, "refuse", reason="没有签到")
    yield kit, engine
    engine.dispose()


def _recruit(desk: Desk) -> None:
    """Write shifts of a published project, one past and one of a project that nobody sees, and who takes part."""
    volunteers.admit(desk, name="周雪", organization="O1", number="V4")
    projects.register(desk, "P2", name="宣传", organization="O1")
    desk.connection.execute(
        sa.update(project).where(project.c.number == "P1").values(status="published", guests_at_most=2)
    )
    hour, now = 3_600_000_000, microseconds(desk.now)
    times = {1: 200, 2: 300, 3: 400, 4: 500, 5: -24}
    rows = [
        {
            "id": id_,
            "project_id": 2 if id_ == 4 else 1,
            "starts_at": now + at * hour,
            "ends_at": now + (at + 2) * hour,
            "capacity": 9,
            "taken": 1,
        }
        for id_, at in times.items()
    ]
    desk.connection.execute(sa.insert(shift), rows)
    common = {"rank": 1, "applied_at": 0, "changed_at": 0, "changed_by": "x"}
    held = [(2, 1, "accepted"), (3, 1, "invited"), (2, 2, "applied"), (5, 1, "accepted"), (5, 2, "missed")]
    people = [
        common | {"id": id_, "shift_id": at, "volunteer_id": who, "state": state}
        for id_, (at, who, state) in enumerate(held, 1)
    ]
    desk.connection.execute(sa.insert(participation), people)


@contextmanager
def trying(city: tuple[Kit, sa.Engine], actor: Actor) -> Iterator[Desk]:
    """A desk whose writing is undone."""
    kit, engine = city
    with engine.connect() as connection, connection.begin() as transaction:
        yield kit.desk(connection, actor)
        transaction.rollback()


def told(city: tuple[Kit, sa.Engine], actor: Actor, verb: Verb, id: Any) -> tuple[Any, ...]:
    """Return what the caller is told: the error's type, code and values, with the id itself taken out."""
    with trying(city, actor) as desk:
        try:
            verb.call(desk, id)
        except (NotFound, NotPermitted) as error:
            shown = {name: str(value).replace(str(id), "ID") if name == "id" else value
                     for name, value in error.values.items()}  # fmt: skip
            return type(error).__name__, error.code, shown
        except Exception as error:
            return (type(error).__name__,)
    return ("done",)


def test_every_verb_is_in_the_table() -> None:
    assert set(verbs()) - FREE == set(VERBS)
    assert set(verbs()) >= FREE


def test_every_action_of_a_verb_is_in_the_matrix() -> None:
    assert {action for verb in VERBS.values() for action in (verb.action, *verb.also)} <= set(matrix())


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_that_takes_an_id_says_so(name: str) -> None:
    ids = {
        "record_id",
        "case_id",
        "grant_id",
        "volunteer",
        "claim",
        "claims",
        "period_id",
        "group_id",
        "keep",
        "tenancy_id",
        "loan_id",
        "redemption_id",
        "position_id",
        "shift_id",
        "series_id",
        "participation_id",
        "attendance_id",
    }
    if name not in GIVEN:
        ids |= {"number", "team_number", "keep"}
    if name == "approvals.grants.give":  # the volunteer whom the new holder is; nothing is looked up
        ids = set()
    takes = bool(ids & set(inspect.signature(verbs()[name]).parameters))
    assert takes is (VERBS[name].known is not None)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_asks_for_one_action(
    name: str, city: tuple[Kit, sa.Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[str] = set()
    for method in ("permit", "permit_on", "reach", "may"):
        original = getattr(Desk, method)

        def spy(self: Desk, action: str, *rest: Any, _original: Any = original, **more: Any) -> Any:
            asked.add(action)
            return _original(self, action, *rest, **more)

        monkeypatch.setattr(Desk, method, spy)
    verb = VERBS[name]
    with trying(city, CLERK) as desk, suppress(Exception):
        verb.call(desk, verb.known)
    assert verb.action in asked
    assert asked <= {verb.action, *verb.also}


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_denies_whoever_holds_nothing(name: str, city: tuple[Kit, sa.Engine]) -> None:
    verb = VERBS[name]
    for actor in (Actor("nobody"), Actor.of("stranger", "no-such-role")):
        if name in LISTS:
            with trying(city, actor) as desk:
                assert verb.call(desk, None) == ()
            continue
        for id in (verb.known, verb.unknown):
            with trying(city, actor) as desk, pytest.raises(NotPermitted) as caught:
                verb.call(desk, id)
            assert caught.value.values == {"actor": actor.id, "action": verb.action}


@pytest.mark.parametrize("name", sorted(set(VERBS) - LISTS))
def test_a_verb_denies_every_role_without_a_cell(name: str, city: tuple[Kit, sa.Engine]) -> None:
    verb = VERBS[name]
    for role in sorted(set(ROLES) - set(matrix()[verb.action])):
        actor = Actor("actor-1", (Grant(role, SCOPES.get(role)),), volunteer="V1")
        assert told(city, actor, verb, verb.known)[0] == "NotPermitted", role


@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if verb.known is not None])
def test_a_foreign_id_is_an_unknown_one(name: str, city: tuple[Kit, sa.Engine]) -> None:
    verb = VERBS[name]
    for role in ROLES:
        cell = matrix()[verb.action].get(role)
        actor = Actor("actor-1", (Grant(role, ELSEWHERE.get(role)),), volunteer="V9")
        known, unknown = told(city, actor, verb, verb.known), told(city, actor, verb, verb.unknown)
        if name in PUBLIC and cell is not None:
            assert (known[0], unknown[0]) == ("done", "NotFound")
        elif (name, role) == ("approvals.withdraw", "centre"):  # sees every case, and withdraws its own
            assert (known[0], unknown[0]) == ("NotPermitted", "NotFound")
        elif cell is None or cell.relation != "city":
            assert known == unknown, role
            assert known[0] == ("NotPermitted" if cell is None else "NotFound"), role
        else:
            assert unknown[0] == "NotFound", role


@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if type(verb.known) is int])
@pytest.mark.parametrize("id", [0, -1, 2**63, 10**30, "1", None, 1.5, True])
def test_no_id_reaches_a_driver_that_cannot_take_it(name: str, id: Any, city: tuple[Kit, sa.Engine]) -> None:
    # what is no whole number at all may be told as such
    expected = {"NotFound"} if type(id) is int else {"NotFound", "InvalidValue"}
    roles = matrix()[VERBS[name].action]
    who = CLERK if "centre" in roles else SELF if set(roles) == {"volunteer"} else COUNTER
    assert told(city, who, VERBS[name], id)[0] in expected


@pytest.mark.parametrize("name", [
    name for name, verb in VERBS.items()
    if type(verb.known) is str and (name.startswith("organizations.") or verb.known[0] == "O")
])  # fmt: skip
@pytest.mark.parametrize(
    "number", [None, True, 2**63, 1.5, "", "\0", "\ud800", "O" * 9999, b"O1", [], ["O1"], {}]
)
def test_no_number_reaches_a_driver_that_cannot_take_it(
    name: str, number: Any, city: tuple[Kit, sa.Engine]
) -> None:
    actor = attrs.evolve(CLERK, grants=(*CLERK.grants, Grant("organization_admin", "O1")))
    expected = {"NotFound", "InvalidValue"} if type(number) is str else {"InvalidValue"}
    assert told(city, actor, VERBS[name], number)[0] in expected


@pytest.mark.parametrize("odd", [["x"], {"x": 1}, [], {}, 7, b"x", "\0"])
@pytest.mark.parametrize(
    "call",
    [
        *(lambda desk, odd, key=key: organizations.register(desk, **{"number": "O7", "name": "会"} | {key: odd})
          for key in ("number", "name", "type", "kind", "area", "credit_code", "parent", "hosted_by")),
        *(lambda desk, odd, key=key: organizations.apply(desk, attrs.evolve(BRANCH, **{key: odd}))
          for key in ("name", "kind", "area", "credit_code", "type", "parent", "hosted_by", "consent")),
        *(lambda desk, odd, key=key: organizations.apply(desk, BRANCH, **{key: odd}) for key in ("number", "previous")),
        lambda desk, odd: organizations.check_application(desk, BRANCH, previous=odd),
        *(lambda desk, odd, key=key: organizations.edit(desk, "O1", **{key: odd})
          for key in ("name", "type", "area", "credit_code", "parent")),
        *(lambda desk, odd, key=key: organizations.list_organizations(desk, **{key: odd})
          for key in ("area", "kind", "status", "after")),
        lambda desk, odd: organizations.propose_admin(desk, "O1", odd),
        lambda desk, odd: organizations.propose_admin(desk, "O1", "head-1", volunteer=odd),
        lambda desk, odd: organizations.remove_admin(desk, "O1", odd, reason="离任"),
        lambda desk, odd: organizations.propose_merger(desk, "O1", successor=odd, reason="合并"),
        lambda desk, odd: organizations.propose_suspension(desk, "O1", reason=odd),
        *(lambda desk, odd, key=key: teams.apply(desk, attrs.evolve(TEAM, **{key: odd}))
          for key in ("name", "area", "organization", "parent")),
        lambda desk, odd: teams.apply(desk, TEAM, number=odd),
        *(lambda desk, odd, key=key: teams.edit(desk, "T1", **{key: odd}) for key in ("name", "area", "parent")),
        lambda desk, odd: teams.transfer(desk, "T1", odd),
        lambda desk, odd: teams.suspend(desk, "T1", reason=odd),
        lambda desk, odd: teams.dissolve(desk, "T1", reason="解散", successor=odd),
        *(lambda desk, odd, key=key: teams.list_teams(desk, **{key: odd})
          for key in ("organization", "area", "status", "after")),
        lambda desk, odd: base.list_tenancies(desk, organization=odd),
    ],
)  # fmt: skip
def test_what_is_no_text_is_told_as_such(
    call: Callable[[Desk, Any], Any], odd: Any, city: tuple[Kit, sa.Engine]
) -> None:
    with trying(city, CLERK) as desk, pytest.raises(InvalidValue):
        call(desk, odd)


def test_nobody_learns_of_an_application_by_listing_its_teams(city: tuple[Kit, sa.Engine]) -> None:
    with trying(city, Actor.of("actor-1", "public")) as desk:
        for number in ("O3", "O404"):
            with pytest.raises(NotFound):
                teams.list_teams(desk, organization=number)


@pytest.mark.parametrize("name", sorted(verbs()))
def test_nothing_is_assigned_that_is_not_named(name: str, city: tuple[Kit, sa.Engine]) -> None:
    parameters = inspect.signature(verbs()[name]).parameters
    assert not any(each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL) for each in parameters.values())
    # whoever commended, not whoever granted a right
    protected = PROTECTED - ({"granted_by"} if name == "volunteers.add_commendation" else set())
    if name in LISTS:  # what is listed, not what is written
        protected -= {"status"}
    assert set(parameters) & protected == set()
    with trying(city, CLERK) as desk:
        for key in sorted(protected):
            with pytest.raises(TypeError, match=key):
                verbs()[name](desk, **{key: "x"})


@pytest.mark.parametrize("key", sorted(PROTECTED))
def test_a_claim_carries_nothing_more(key: str) -> None:
    with pytest.raises(TypeError, match=key):
        Claim("V1", "P1", DAY, 60, **{key: "x"})


def _raises() -> Any:
    raise RuntimeError("out of order")


def _raises_later() -> Iterator[Finding]:
    yield Finding("x.told", {}, "warn")
    raise RuntimeError("out of order")


def _says(answer: Any) -> Callable[..., Any]:
    return lambda: answer


WARNED = Finding("x.told", {}, "warn")


@pytest.mark.parametrize(
    ("veto", "permitted"),
    [
        (_says(None), True), (_says(()), True), (_says([WARNED]), True), (_raises, False), (_raises_later, False),
        (_says([Finding("x.no")]), False), (_says([WARNED, Finding("x.no")]), False), (_says(False), False), (_says(True), False),
        (_says(0), False), (_says("no"), False), (_says({"severity": "warn"}), False), (_says(object()), False),
        (_says([None]), False), (_says(Finding("x.no")), False), (_says([Finding("x", {}, "BLOCK")]), False),  # type: ignore[arg-type]
        (_says([attrs.make_class("Fake", {"severity": attrs.field(default="warn")})()]), False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["hours.confirm", "approvals.view", "approvals.sweep"])
def test_a_plugin_that_vetoes_or_fails_denies(
    name: str, veto: Any, permitted: bool, city: tuple[Kit, sa.Engine]
) -> None:
    kit, engine = city
    two = (
        SimpleNamespace(__name__=who, vk_review_access=hookimpl(answer))
        for who, answer in (("bad", veto), ("good", _says(None)))
    )
    kit = attrs.evolve(kit, hooks=Kit.load(*two).hooks)
    verb = VERBS[name]
    if permitted:
        assert told((kit, engine), SECOND, verb, verb.known) == ("done",)
    else:
        kind, code, values = told((kit, engine), SECOND, verb, verb.known)
        assert (kind, code, values["plugin"]) == ("NotPermitted", "vetoed", "bad")


# The twelve rules of the separation of duties; each is a refusal of a person who would be allowed otherwise.


def _own_record(city: tuple[Kit, sa.Engine], actor: Actor) -> None:
    with trying(city, actor) as desk:
        hours.confirm(desk, 1)


def _own_case(city: tuple[Kit, sa.Engine], actor: Actor, **more: Any) -> None:
    with trying(city, SECOND) as desk:
        case = open_case(desk, KIND, "team:3", Place("V1", (), ("O1",)), **more)
        kit, _ = city
        approvals.decide(kit.desk(desk.connection, actor), case.id, "approve")


def _transfer(desk: Desk) -> int:
    return volunteers.request_transfer(desk, "V1", "O2").id


def _own_transfer(city: tuple[Kit, sa.Engine], actor: Actor) -> None:
    with trying(city, actor) as desk:
        approvals.decide(desk, _transfer(desk), "approve")


def _accept_after_release(city: tuple[Kit, sa.Engine], actor: Actor) -> None:
    with trying(city, SECOND) as desk:
        case_id = _transfer(desk)
        for _ in range(2):
            approvals.decide(city[0].desk(desk.connection, actor), case_id, "approve")


def _own_grant(city: tuple[Kit, sa.Engine], actor: Actor) -> None:
    with trying(city, actor) as desk:
        grants.give(desk, "clerk-7", "auditor", volunteer="V7")


def _decide_appeal(city: tuple[Kit, sa.Engine], actor: Actor) -> None:
    with trying(city, SELF) as desk:
        case = hours.appeal(desk, REFUSED, reason="有人证明")
        approvals.decide(city[0].desk(desk.connection, actor), case.id, "approve")


def _post_in_winter(city: tuple[Kit, sa.Engine], actor: Actor) -> None:
    """One asks for a reopening, another agrees, and somebody posts in it."""
    with trying(city, SECOND) as desk:
        approvals.decide(city[0].desk(desk.connection, THIRD), reopened(desk, 1).id, "approve")
        hours.record(city[0].desk(desk.connection, actor), Claim("V1", "P1", WINTER, 60))


def _reopen_after_posting(
    city: tuple[Kit, sa.Engine], *, asks: Actor = SECOND, agrees: Actor = THIRD
) -> None:
    """Somebody posts while a day is open again, and then has a part in opening it once more."""
    with trying(city, SECOND) as desk:
        approvals.decide(city[0].desk(desk.connection, THIRD), reopened(desk, 1).id, "approve")
        hours.record(city[0].desk(desk.connection, CLERK), Claim("V1", "P1", WINTER, 60))
        case = reopened(city[0].desk(desk.connection, asks), 1)
        approvals.decide(city[0].desk(desk.connection, agrees), case.id, "approve")


def _just_appointed(city: tuple[Kit, sa.Engine], since: dt.date = DAY) -> None:
    """Somebody changes a volunteer's record, gets an office, and decides about the volunteer."""
    kit, _ = city
    mover = Actor("mover-1", (Grant("organization_admin", "O1"),))
    with trying(city, mover) as desk:
        volunteers.add_training(desk, "V1", "急救", on=DAY, minutes=60, organization="O1")
        case = open_case(kit.desk(desk.connection, SECOND), KIND, "volunteer:1", Place("V9", (), ("O9",)))
        promoted = attrs.evolve(mover, grants=(Grant("centre", since=since),))
        approvals.decide(kit.desk(desk.connection, promoted), case.id, "approve")


WITH_V1, WITH_V7 = (attrs.evolve(THIRD, volunteer=number) for number in ("V1", "V7"))
RULES: dict[str, list[Callable[[Any], None]] | set[str]] = {
    "1 subject, decider": [lambda city: _own_case(city, WITH_V1), lambda city: _own_record(city, WITH_V1)],
    "2 creator, decider": [
        lambda city: _own_case(city, SECOND),
        lambda city: _own_case(city, attrs.evolve(THIRD, on_behalf_of="clerk-8")),
    ],
    "3 recorder, confirmer": [
        lambda city: _own_record(city, CLERK),
        lambda city: _own_record(city, attrs.evolve(THIRD, on_behalf_of="clerk-7")),
    ],
    "4 beneficiary, decider": [lambda city: _own_case(city, WITH_V7, beneficiary="V7")],
    "5 release, accept": [
        lambda city: _own_transfer(city, CLERK),
        lambda city: _accept_after_release(city, THIRD),
    ],
    "6 first decision, appeal": [lambda city: _decide_appeal(city, THIRD)],
    "7 grantor, grantee": [
        lambda city: _own_grant(city, CLERK),
        lambda city: _own_grant(city, WITH_V7),
        lambda city: _own_grant(city, attrs.evolve(THIRD, on_behalf_of="clerk-7")),
    ],
    "8 importer, committer": {"import.commit"},
    "9 fund approver, recorder, disburser": {"fund.approve", "fund.record", "fund.disburse"},
    "10 certificate issuer, subject": {"certificate.issue"},
    "11 reopener, poster in the period": [
        lambda city: _post_in_winter(city, SECOND),
        lambda city: _post_in_winter(city, THIRD),
        lambda city: _reopen_after_posting(city, asks=CLERK),
        lambda city: _reopen_after_posting(city, agrees=CLERK),
    ],
    "12 young grant, touched object": [_just_appointed],
}
"""Each rule: attempts that must be refused, or the actions that wait for a verb which is not built yet."""


@pytest.mark.parametrize("rule", RULES)
def test_nobody_is_judge_of_their_own_affairs(rule: str, city: tuple[Kit, sa.Engine]) -> None:
    attempts = RULES[rule]
    if isinstance(attempts, set):
        built = attempts & {action for verb in VERBS.values() for action in (verb.action, *verb.also)}
        assert built == set(), "a verb was built: say here what it must refuse"
        return
    for attempt in attempts:
        with pytest.raises(Refused) as caught:
            attempt(city)
        assert next(finding.code for finding in caught.value.findings) in (
            "own_case",
            "own_record",
            "grant_self",
            "decided_before",
            "grant_too_new",
            "reopened_oneself",
            "posted_in_period",
        )


def test_there_are_twelve_rules_and_somebody_else_is_allowed(city: tuple[Kit, sa.Engine]) -> None:
    assert len(RULES) == 12
    _own_record(city, THIRD)
    _decide_appeal(city, Actor.of("clerk-10", "centre"))
    _post_in_winter(city, CLERK)
    _reopen_after_posting(city)
    _just_appointed(city, DAY - dt.timedelta(1))
    _own_case(city, THIRD, beneficiary="V7")
    _own_grant(city, THIRD)


HOSTILE = [None, b"", Decimal("1.5"), {}, [], 10**30, -(10**4999), 1.5, True, dt.datetime(2026, 11, 23, 4), dt.date.max, dt.date.min,
           dt.datetime.max, "长" * 10_000, "\ud800", object()]  # fmt: skip


def handed(name: str, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the arguments with which the table calls a verb, by their names."""
    verb, function = VERBS[name], verbs()[name]
    given: list[inspect.BoundArguments] = []

    def record(*args: Any, **named: Any) -> Any:
        given.append(inspect.signature(function).bind(*args, **named))
        raise _Recorded

    if verb.call is function:
        return dict(list(inspect.signature(function).bind(desk, verb.known).arguments.items())[1:])
    place, _, short = name.rpartition(".")
    with monkeypatch.context() as patch, suppress(_Recorded):
        patch.setattr(dict(_modules())[place], short, record)
        if globals().get(short) is function:
            patch.setitem(globals(), short, record)
        verb.call(desk, verb.known)
    return dict(list(given[0].arguments.items())[1:])


class _Recorded(Exception):
    pass


def _word(odd: Any) -> str:
    return type(odd).__name__ if isinstance(odd, int | str) else repr(odd)[:40]


@pytest.mark.parametrize("name", sorted(VERBS))
def test_whatever_is_handed_to_a_verb_is_taken_or_refused_in_a_few_words(
    name: str, city: tuple[Kit, sa.Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    function, wrong = verbs()[name], []
    roles = matrix()[VERBS[name].action]
    actor = CLERK if "centre" in roles else SELF if set(roles) == {"volunteer"} else COUNTER
    with trying(city, actor) as desk:
        usual = handed(name, desk, monkeypatch)
        for parameter, kind in list(inspect.signature(function).parameters.items())[1:]:
            if kind.kind is inspect.Parameter.VAR_KEYWORD:
                continue
            for odd in HOSTILE:
                savepoint = desk.connection.begin_nested()
                try:
                    answer = function(desk, **usual | {parameter: odd})
                    if inspect.isgenerator(answer):
                        list(answer)
                except VolunteerkitError as error:
                    texts = [error.message(language) for language in LANGUAGES]
                    # what is allowed may be a long list; what was handed in is never repeated as a whole
                    length = max(map(len, texts)) - len(str(error.values.get("allowed", "")))
                    if length > 300 or any("object at 0x" in text or "长" * 90 in text for text in texts):
                        wrong.append((name, parameter, _word(odd), texts[-1][:300]))
                except Exception as error:
                    wrong.append((name, parameter, _word(odd), f"{type(error).__name__}: {error}"[:200]))
                savepoint.rollback()
    assert not wrong, "\n" + "\n".join(map(str, wrong))
