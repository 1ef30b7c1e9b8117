"""The verbs by which a project comes to be: apply, edit what waits, copy; and what the decision means."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit import calling
from volunteerkit.access import Place
from volunteerkit.approvals import Case
from volunteerkit.approvals.cases import open_case
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.ledger import issuer_account
from volunteerkit.organizations import Applied
from volunteerkit.organizations.actions import case_area, given_number
from volunteerkit.organizations.reading import admitted_row, cannot_take_in, found_row, must_live, place_of
from volunteerkit.organizations.tables import organization as organizations
from volunteerkit.projects.model import NEEDED, PositionForm, ProjectForm, ShiftForm
from volunteerkit.projects.planning import (
    insert_positions,
    insert_shifts,
    minors_findings,
    position_findings,
    shift_findings,
)
from volunteerkit.projects.reading import as_project, reached
from volunteerkit.projects.tables import brand, project
from volunteerkit.projects.times import local_time, plain_year
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, id_of, next_id, register_row
from volunteerkit.store.schema import account
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_number, of_type, plain_day

__all__ = ["apply", "check_application", "copy", "register", "settle_application"]

APPLICATION: Final = "project.application"
BACK_ENTRY: Final = "project.back_entry"


def __dir__() -> list[str]:
    return __all__


def _place_of_form(desk: Desk, form: ProjectForm) -> tuple[Place, str]:
    """Return where a form belongs, and the area where it takes place."""
    of_type("form", form, ProjectForm)
    row = found_row(desk, form.organization)
    known = row is not None and place_of(row).published
    own = tuple(place_of(row).areas) if known else ()
    area = form.area.strip() or next(iter(own), "")
    return Place(None, (form.team,) if form.team else (), (form.organization,), own, desk.actor.id), area


def _permit(desk: Desk, form: ProjectForm) -> tuple[Place, str]:
    place, area = _place_of_form(desk, form)
    desk.permit("project.register", place)
    if (
        area and area not in place.areas
    ):  # an officer answers for both: where the organization is, and the place
        desk.permit("project.register", attrs.evolve(place, areas=(area,)))
    return place, area


@storage_errors("database")
def check_application(
    desk: Desk, form: ProjectForm, *, back_entry: bool = False, evidence: str = ""
) -> tuple[Finding, ...]:
    """Return what stands against an application, or is worth telling, without applying: for a form.

    Missing statements are named one by one. Raises NotPermitted, NotFound for an unknown organization, team or
    brand, InvalidValue, Refused for one that may not act.
    """
    _permit(desk, form)
    return _all_findings(desk, form, back_entry, evidence)


def _all_findings(desk: Desk, form: ProjectForm, back_entry: bool, evidence: str) -> tuple[Finding, ...]:
    if type(back_entry) is not bool:
        raise InvalidValue(name="back_entry", value=type(back_entry).__name__, allowed="True, False")
    told = calling.review(desk, "vk_review_project", form=form, back_entry=back_entry)
    found = (*_findings(desk, form), *_plan_findings(desk, form, back_entry))
    if back_entry and not evidence:
        found = (*found, Finding("evidence_missing"))
    if back_entry and not form.shifts:  # what bounds the hours
        found = (*found, Finding("shift_missing"))
    return tuple(dict.fromkeys((*found, *told)))


def _findings(desk: Desk, form: ProjectForm) -> Iterator[Finding]:
    name = checked_text("name", form.name)
    owner = admitted_row(desk, form.organization)
    must_live(owner)
    if form.team is not None:
        group = admitted_row(desk, form.team, kind="team")
        must_live(group)
        if group.organization != form.organization:
            yield Finding("other_organization", {"number": form.team})
    if form.visible_below is not None:
        must_live(admitted_row(desk, form.visible_below))
    yield from brand_findings(desk, form.brand)
    for each in NEEDED:
        if not form.statements.get(each, "").strip():
            yield Finding(f"statement_missing_{each}")
    if form.places is None:
        yield Finding("places_missing")
    yield from days_findings(form.starts_on, form.ends_on, form.apply_from, form.apply_until)
    same = sa.select(project.c.number).where(
        project.c.organization_id == owner.id, project.c.name == name, project.c.status == "pending",
        project.c.starts_on == day_number(form.starts_on), project.c.brought_by == desk.actor.id,
    )  # fmt: skip
    for number in desk.connection.execute(same.order_by(project.c.id)).scalars():
        yield Finding("project_waiting", {"number": number})


def _plan_findings(desk: Desk, form: ProjectForm, back_entry: bool) -> Iterator[Finding]:
    shown = {"today": str(desk.today)}
    if back_entry and form.ends_on > desk.today:
        yield Finding("not_over", {"day": str(form.ends_on), **shown})
    elif not back_entry and form.starts_on < desk.today:
        yield Finding("in_the_past", {"day": str(form.starts_on), **shown})
    yield from position_findings(form.positions)
    days = (day_number(form.starts_on), day_number(form.ends_on))
    names = [each.name for each in form.positions]
    yield from shift_findings(desk, form.shifts, days, names, past=back_entry)
    yield from minors_findings(desk, form.positions, form.shifts)


def brand_findings(desk: Desk, number: str | None) -> Iterator[Finding]:
    """Yield what stands against a project under that brand; raises NotFound for an unknown one."""
    if number:
        id_ = id_of(desk, brand, "brand", number)
        ended = desk.connection.execute(sa.select(brand.c.ended_on).where(brand.c.id == id_)).scalar()
        if ended is not None and ended <= day_number(desk.today):
            yield Finding("brand_ended", {"number": number})


def days_findings(
    starts_on: dt.date | None,
    ends_on: dt.date | None,
    apply_from: dt.date | None,
    apply_until: dt.date | None,
) -> Iterator[Finding]:
    """Yield what stands against a project's days and those on which people apply for it.

    Raises InvalidValue naming the field for a year that nobody means.
    """
    named = {"starts_on": starts_on, "ends_on": ends_on, "apply_from": apply_from, "apply_until": apply_until}
    for name, value in named.items():
        if value is not None:
            plain_year(name, value)
    for since, until in ((starts_on, ends_on), (apply_from, apply_until)):
        if since is not None and until is not None and until < since:
            yield Finding("dates_reversed", {"since": str(since), "until": str(until)})
    if apply_until is not None and ends_on is not None and apply_until > ends_on:
        yield Finding("apply_after_end", {"until": str(apply_until), "ends_on": str(ends_on)})


@command
def apply(
    desk: Desk,
    form: ProjectForm,
    *,
    number: str | None = None,
    back_entry: bool = False,
    evidence: str = "",
) -> Applied:
    """Apply for a project; return its number and the case that decides it.

    A team's leader applies for the team, an organization's administrators, the department and the centre for
    the organization. The organization decides about its team's, the department about its organizations'.
    What took place already goes through ``back_entry`` alone: with ``evidence``, and a second office decides
    too. ``number`` is the city's own, by default ``P`` and seven digits. Raises NotPermitted, NotFound,
    InvalidValue, and Refused with findings, the plugins' too.
    """
    return _applied(desk, form, number, back_entry, evidence, None)


def _applied(
    desk: Desk, form: ProjectForm, number: str | None, back_entry: bool, evidence: str, source: int | None
) -> Applied:
    place, area = _permit(desk, form)
    said = checked_text("evidence", evidence, 500) if evidence else ""
    findings = _all_findings(desk, form, back_entry, said)
    if any(finding.severity != "warn" for finding in findings):
        raise Refused(*findings)
    given = given_number(desk, number, project, "P")
    if desk.connection.execute(sa.select(project.c.id).where(project.c.number == given)).first() is not None:
        raise Refused(Finding("already_registered", {"number": given}))
    id_ = next_id(desk, project)
    values = _values(desk, form) | {
        "area": area, "back_entry": int(back_entry), "copied_from_id": source, "status": "pending",
        "evidence": seal_text(desk, f"project:{id_}", "evidence:0", said),
        "brought_by": desk.actor.id, "brought_volunteer": desk.acting.volunteer,
    }  # fmt: skip
    desk.connection.execute(sa.insert(project).values(id=id_, number=given, **values))
    desk.connection.execute(
        sa.insert(account).values(id=issuer_account(id_), posted_minutes=0, pending_minutes=0)
    )
    insert_shifts(desk, id_, form.shifts, insert_positions(desk, id_, form.positions))
    kind = BACK_ENTRY if back_entry else APPLICATION
    facts = case_facts(desk, "project.register", given, place, area)
    opened = open_case(
        desk,
        kind,
        f"project:{id_}",
        case_place(desk, kind, place, area, facts),
        facts=facts,
        findings=findings,
    )
    desk.connection.execute(sa.update(project).where(project.c.id == id_).values(case_id=opened.id))
    return Applied(given, opened.id)


def case_facts(desk: Desk, action: str, number: str, place: Place, area: str) -> dict[str, Any]:
    """Return the facts of a case about the project ``number``: which one it is, and what finds its office.

    ``by`` is ``"team"`` when whoever does ``action`` reaches the project only by leading its team: then the organization
    decides, and the department otherwise.
    """
    reach = desk.reach(action)
    above = reach.city or not reach.organizations.isdisjoint(place.organizations)
    above = above or not reach.areas.isdisjoint(place.areas)
    return {
        "project": number,
        "organization": next(iter(place.organizations)),
        "team": next(iter(place.teams), ""),
        "area": area,
        "by": "organization" if above else "team",
    }


def case_place(desk: Desk, kind: str, place: Place, area: str, facts: dict[str, Any]) -> Place:
    """Return the place of a case about a project: whose it is, and the area whose officers decide."""
    found = case_area(desk, kind, area, facts)
    return Place(None, tuple(place.teams), tuple(place.organizations), (found,) if found else ())


def _values(desk: Desk, form: ProjectForm) -> dict[str, Any]:
    owner = admitted_row(desk, form.organization)
    stated = {name: text.strip() for name, text in form.statements.items() if text.strip()}
    below = form.visible_below
    return {
        "name": checked_text("name", form.name),
        "brand_id": id_of(desk, brand, "brand", form.brand) if form.brand else None,
        "category": checked_text("category", form.category, 100) if form.category else "",
        "organization_id": owner.id,
        "team_id": admitted_row(desk, form.team, kind="team").id if form.team else None,
        "starts_on": day_number(form.starts_on),
        "ends_on": day_number(form.ends_on),
        "recruit_target": form.places,
        "apply_from": None if form.apply_from is None else day_number(form.apply_from),
        "apply_until": None if form.apply_until is None else day_number(form.apply_until),
        "acceptance": form.acceptance,
        "waiting_list": int(form.waiting_list),
        "guests_at_most": form.guests_at_most,
        "visible_below_id": admitted_row(desk, below).id if below is not None else None,
        "statements": json.dumps(stated, ensure_ascii=False, sort_keys=True),
    }


def settle_application(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    """Write what the decision means: the project is approved, refused or withdrawn."""
    id_ = int(case.subject.partition(":")[2])
    status = "approved" if outcome == "granted" else outcome
    guarded = sa.update(project).where(project.c.id == id_, project.c.status == "pending")
    if desk.connection.execute(guarded.values(status=status)).rowcount == 1 and outcome == "granted":
        note(desk, "project.approved", case.subject, {"case": case.id})


@command
def copy(
    desk: Desk,
    number: str,
    *,
    starts_on: dt.date,
    name: str | None = None,
    new_number: str | None = None,
    fold: int | None = None,
) -> Applied:
    """Apply for a project that is another one over again, beginning on day ``starts_on``; see `apply`.

    Positions, requirements, statements and shifts are the same, every day moved by as many days, at the same
    time of the city's clock and of the same length; cancelled shifts, and whoever took part, are left out.
    Raises what `apply` raises, also for what the copied project lacks.
    """
    plain_day("starts_on", starts_on)
    plain_year("starts_on", starts_on)
    row = reached(desk, "project.register", number)
    old = as_project(desk, row)
    first = old.starts_on or min((each.day for each in old.shifts), default=starts_on)
    moved = starts_on - first

    def later(day: dt.date | None) -> dt.date | None:
        return None if day is None else day + moved

    shifts = []
    for each in old.shifts:
        if not each.cancelled:
            begin = local_time(desk.zone, each.day + moved, f"{each.starts_at:%H:%M}", fold=fold)
            end = begin + dt.timedelta(minutes=each.minutes)
            where = (each.latitude_e6, each.longitude_e6)
            shifts.append(ShiftForm(begin, end, each.capacity, each.position, each.name, *where))
    fields = [each.name for each in attrs.fields(PositionForm)]
    form = ProjectForm(
        name or old.name, old.organization, starts_on, later(old.ends_on) or starts_on, dict(old.statements),
        old.category, old.brand, old.team, old.area, old.places, later(old.apply_from), later(old.apply_until),
        old.acceptance, old.waiting_list, old.guests_at_most, old.visible_below,
        tuple(PositionForm(**{name: getattr(each, name) for name in fields}) for each in old.positions),
        tuple(shifts),
    )  # fmt: skip
    return _applied(desk, form, new_number, False, "", row.id)


@command
def register(desk: Desk, number: str, *, name: str, organization: str, category: str = "") -> str:
    """Register a project of the organization with that number, with the account its minutes come from.

    One that was approved elsewhere; everybody else applies (`apply`). Raises NotPermitted, NotFound,
    InvalidValue, Refused when the number is taken or the organization is not active.
    """
    desk.permit("project.register", organization=organization)
    id_ = id_of(desk, organizations, "organization", organization)
    stopped = cannot_take_in(desk, organization, desk.today)
    if stopped:
        raise Refused(*stopped)
    values = {
        "name": checked_text("name", name),
        "category": checked_text("category", category) if category else "",
        "organization_id": id_,
        "status": "approved",
    }
    given = checked_text("number", number, 100)
    register_row(desk, project, "project.registered", given, values, issuer_account)
    return given
