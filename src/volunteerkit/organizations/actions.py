"""The verbs of organizations: apply, register, edit, view, list. Their end and their offices stand beside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from volunteerkit import calling
from volunteerkit.access import Place
from volunteerkit.approvals import Case
from volunteerkit.approvals.cases import close_expired, open_case, waiting_case, workflow_of
from volunteerkit.errors import Finding, InvalidValue, NotFound, Refused, RetryableConflict
from volunteerkit.organizations.contacts import put_contact
from volunteerkit.organizations.model import (
    ADMITTED,
    KINDS,
    WAITING,
    Applied,
    Contact,
    Organization,
    OrganizationForm,
    checked_day,
    given_contact,
    given_text,
    read_credit_code,
)
from volunteerkit.organizations.reading import (
    admitted_row,
    as_organization,
    below,
    id_or_none,
    listed,
    must_live,
    organization_rows,
    place_of,
    reached,
)
from volunteerkit.organizations.tables import organization, status_on
from volunteerkit.privacy import public_number
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, next_id, register_row
from volunteerkit.units import day_number, of_type

__all__ = [
    "answering_for",
    "apply",
    "case_area",
    "check_application",
    "edit",
    "free_number",
    "given_number",
    "list_applications",
    "list_organizations",
    "register",
    "settle_registration",
    "view",
    "view_application",
]

REGISTRATION: Final = "organization.registration"


def __dir__() -> list[str]:
    return __all__


@storage_errors("database")
def check_application(
    desk: Desk, form: OrganizationForm, *, previous: str | None = None
) -> tuple[Finding, ...]:
    """Return what stands against an application, or is worth telling, without applying: for a form.

    ``previous`` is the number of an application that was refused or withdrawn and is made anew. Raises
    NotPermitted, NotFound for an unknown parent or host, InvalidValue.
    """
    desk.permit("organization.apply", _place_of_form(desk, form))
    return (*_findings(desk, form, previous), *calling.review(desk, "vk_review_organization", form=form))


def _place_of_form(desk: Desk, form: OrganizationForm) -> Place:
    of_type("form", form, OrganizationForm)
    above = tuple(each for each in (form.parent, form.hosted_by) if each)
    areas = (form.area,) if form.area else ()
    return Place(desk.acting.volunteer, (), above, areas, desk.actor.id)


def _findings(desk: Desk, form: OrganizationForm, previous: str | None) -> Iterator[Finding]:
    checked_text("name", form.name)
    checked_text("area", form.area, 100)
    if form.kind in ("legal_person", "registered") and not form.credit_code:
        yield Finding("credit_code_missing")
    if form.kind == "branch" and not form.parent:
        yield Finding("parent_missing")
    if form.kind == "hosted_group":
        if not form.hosted_by:
            yield Finding("host_missing")
        if not form.consent.strip():
            yield Finding("consent_missing")
    for number in (form.parent, form.hosted_by):
        if number:
            above = admitted_row(desk, number)
            must_live(above)
            if number == form.hosted_by and above.kind == "hosted_group":
                yield Finding("host_unfit", {"number": number})
    if form.credit_code:
        try:
            code = read_credit_code(form.credit_code)
        except InvalidValue:
            yield Finding("credit_code_wrong")
        else:
            for other in _alike(desk, organization.c.credit_code == code, previous):
                yield Finding("credit_code_taken", {"number": other.number})
    if previous is not None:
        given_text("previous", previous)
    same = sa.and_(organization.c.name == form.name.strip(), organization.c.area == form.area.strip())
    for other in _alike(desk, same, previous):
        own = other.stands == "pending" and other.brought_by == desk.actor.id
        code_, how = ("organization_waiting", "block") if own else ("organization_same_name", "warn")
        yield Finding(code_, {"number": other.number}, how)  # type: ignore[arg-type]


def _alike(desk: Desk, condition: Any, previous: str | None) -> list[Any]:
    """Return organizations that are there or waiting and meet the condition, but not ``previous``."""
    day = day_number(desk.today)
    stands = status_on(organization, day).in_([*ADMITTED, "pending", "suspended"])
    query = organization_rows(day).where(condition, stands, organization.c.number != (previous or ""))
    return list(desk.connection.execute(query.order_by(organization.c.id)))


@command
def apply(
    desk: Desk, form: OrganizationForm, *, number: str | None = None, previous: str | None = None
) -> Applied:
    """Apply for an organization; return its number, and the case that its office decides.

    Whoever may apply for it: a citizen, a volunteer, a department for its area, the centre, and an
    organization for its branch or a group it hosts. ``number`` is the city's own, by default ``O`` and
    seven digits; ``previous`` makes an application anew that was refused or withdrawn, under its number.
    Raises NotPermitted, NotFound, InvalidValue, and Refused with findings, the plugins' too.
    """
    desk.permit("organization.apply", place := _place_of_form(desk, form))
    before = _refused_before(desk, previous) if previous else None
    told = calling.review(desk, "vk_review_organization", form=form)
    findings = (*_findings(desk, form, previous), *told)
    if any(finding.severity == "block" for finding in findings):
        raise Refused(*findings)
    values = _values(desk, form) | {"status": "pending"}
    if before is None:
        given = given_number(desk, number, organization, "O")
        if desk.connection.execute(
            sa.select(organization.c.id).where(organization.c.number == given)
        ).first():
            raise Refused(Finding("already_registered", {"number": given}))
        id_ = next_id(desk, organization)
        values |= {"brought_by": desk.actor.id, "brought_volunteer": desk.acting.volunteer}
        desk.connection.execute(sa.insert(organization).values(id=id_, number=given, **values))
    else:
        given, id_ = before.number, before.id
        waiting = waiting_case(desk, REGISTRATION, f"organization:{id_}")
        if waiting is not None:  # its term ran out and nobody has swept yet
            close_expired(desk, waiting)
        guarded = sa.update(organization).where(
            organization.c.id == id_, organization.c.case_id == before.case_id
        )
        if desk.connection.execute(guarded.values(**values)).rowcount != 1:
            raise RetryableConflict()
    if form.contact != Contact() or before is not None:
        put_contact(desk, id_, form.contact)
    area = case_area(desk, REGISTRATION, form.area, facts := {"kind": form.kind, "area": form.area})
    opened = open_case(
        desk, REGISTRATION, f"organization:{id_}",
        Place(None, (), place.organizations, (area,) if area else ()),
        facts=facts, findings=findings, previous_id=before.case_id if before else None,
    )  # fmt: skip
    desk.connection.execute(sa.update(organization).where(organization.c.id == id_).values(case_id=opened.id))
    return Applied(given, opened.id)


def _refused_before(desk: Desk, previous: str) -> Any:
    """Return the row of an own application that was refused or withdrawn."""
    row = reached(desk, "organization.apply", previous)
    if row.stands not in WAITING or row.stands == "pending" or row.case_id is None:
        raise Refused(Finding("not_living", {"number": previous, "status": row.stands}))
    return row


def case_area(desk: Desk, kind: str, area: str, facts: dict[str, Any]) -> str:
    """Return the area whose officers decide the first step: the object's own, or the one its office names."""
    steps = workflow_of(desk, kind).route.steps
    office = steps[0].office_for(facts) if steps else None
    return (office.scope or area) if office and office.role == "department_officer" else area


def free_number(desk: Desk, table: sa.Table, letter: str) -> str:
    """Return the next number that is free: a plugin's, else a letter and seven digits."""
    serial = next_id(desk, table)
    kind = table.name.removeprefix("vk_")
    chosen = calling.choose_text(desk.hooks, "vk_choose_number", kind=kind, serial=serial)
    if chosen is not None:
        return public_number(chosen)
    while True:
        number = f"{letter}{serial:07d}"
        if desk.connection.execute(sa.select(table.c.id).where(table.c.number == number)).first() is None:
            return number
        serial += 1


def given_number(desk: Desk, number: str | None, table: sa.Table, letter: str) -> str:
    """Return the city's own number for what is applied for, or the next free one; raises InvalidValue."""
    if number is None or not given_text("number", number):
        return free_number(desk, table, letter)
    return public_number(number)


def _values(desk: Desk, form: OrganizationForm) -> dict[str, Any]:
    return {
        "name": checked_text("name", form.name),
        "kind": form.kind,
        "type": form.type.strip(),
        "area": form.area.strip(),
        "credit_code": read_credit_code(form.credit_code) if form.credit_code else "",
        "parent_id": id_or_none(desk, form.parent),
        "hosted_by_id": id_or_none(desk, form.hosted_by),
        "consent": form.consent.strip(),
    }


def settle_registration(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    """Write what the decision of an application means: the organization is there from day ``on``, or not."""
    id_ = int(case.subject.partition(":")[2])
    status = "active" if outcome == "granted" else outcome
    values = {"status": status} | ({"registered_on": day_number(on)} if outcome == "granted" else {})
    guarded = sa.update(organization).where(organization.c.id == id_, organization.c.status == "pending")
    if desk.connection.execute(guarded.values(**values)).rowcount == 1 and outcome == "granted":
        note(desk, "organization.registered", case.subject, {"case": case.id})


@command
def register(
    desk: Desk,
    number: str,
    *,
    name: str,
    type: str = "",
    kind: str = "",
    area: str = "",
    credit_code: str = "",
    parent: str | None = None,
    hosted_by: str | None = None,
) -> str:
    """Register an organization that was admitted before, under the city's ``number``; return that number.

    Only the centre does; everybody else applies (`apply`). ``kind`` is one of `KINDS`, empty when unknown.
    Raises NotPermitted, NotFound, InvalidValue, Refused when the number is taken.
    """
    desk.permit("organization.register")
    given = public_number(number)
    if given_text("kind", kind) and kind not in KINDS:
        raise InvalidValue(name="kind", value=kind, allowed=", ".join(KINDS))
    values = {
        "name": checked_text("name", name),
        "type": checked_text("type", type) if given_text("type", type) else "",
        "kind": kind,
        "area": given_text("area", area).strip(),
        "credit_code": _free_code(desk, credit_code, given),
        "parent_id": id_or_none(desk, parent),
        "hosted_by_id": id_or_none(desk, hosted_by),
        "registered_on": day_number(desk.today),
        "status": "active",
    }
    register_row(desk, organization, "organization.registered", given, values)
    return given


@command
def edit(
    desk: Desk,
    number: str,
    *,
    name: str | None = None,
    type: str | None = None,
    area: str | None = None,
    credit_code: str | None = None,
    parent: str | None = None,
    contact: Contact | None = None,
) -> Organization:
    """Change what is given of an organization and return it; an empty ``parent`` takes it out of its parent.

    Its administrators may change the name, the type and the contact, a department or the centre the rest. An
    empty contact leaves none; the one before is destroyed. Raises NotFound, NotPermitted,
    InvalidValue, Refused for an ended one and for a circle of parents.
    """
    row = reached(desk, "organization.edit", number)
    reach = desk.reach("organization.edit")
    given = {"area": area, "credit_code": credit_code, "parent": parent}
    kept = sorted(key for key, value in given.items() if value is not None)
    if kept and not reach.city and reach.areas.isdisjoint(place_of(row).areas):
        raise Refused(Finding("field_not_yours", {"fields": ", ".join(kept)}))
    if area is not None:  # whoever hands it to another area must answer for that one too
        desk.permit("organization.edit", Place(None, (), (), (checked_text("area", area, 100),)))
    must_live(row, "suspended")
    values: dict[str, Any] = {
        **({"name": checked_text("name", name)} if name is not None else {}),
        **({"type": given_text("type", type).strip()} if type is not None else {}),
        **({"area": area.strip()} if area is not None else {}),
        **({"credit_code": _free_code(desk, credit_code, number)} if credit_code is not None else {}),
    }
    if parent is not None:
        above = admitted_row(desk, parent) if given_text("parent", parent) else None
        if above is not None:
            must_live(above)
        if above is not None and above.id in below(desk, organization, row.id):
            raise Refused(Finding("in_a_circle", {"number": parent}))
        values["parent_id"] = above.id if above is not None else None
    fields = [*values, *(["contact"] if contact is not None and given_contact(contact) else [])]
    if not fields:
        return as_organization(row)
    guarded = sa.update(organization).where(organization.c.id == row.id, organization.c.ended_on.is_(None))
    if desk.connection.execute(guarded.values(values or {"name": organization.c.name})).rowcount != 1:
        raise Refused(Finding("not_living", {"number": number, "status": "dissolved"}))
    if contact is not None:
        put_contact(desk, row.id, contact)
    note(desk, "organization.edited", f"organization:{row.id}", {"fields": sorted(fields)})
    return as_organization(admitted_row(desk, number))


def _free_code(desk: Desk, text: str, number: str) -> str:
    code = read_credit_code(text) if given_text("credit_code", text) else ""
    for other in _alike(desk, organization.c.credit_code == code, number) if code else ():
        raise Refused(Finding("credit_code_taken", {"number": other.number}))
    return code


@storage_errors("database")
def view(desk: Desk, number: str) -> Organization:
    """Return an organization as it stands today; the number of an ended one still resolves.

    Raises NotFound, NotPermitted.
    """
    return as_organization(reached(desk, "organization.view", number))


@storage_errors("database")
def list_organizations(
    desk: Desk,
    *,
    area: str | None = None,
    kind: str | None = None,
    status: str | None = None,
    after: str = "",
    limit: int = 100,
) -> tuple[Organization, ...]:
    """Return the organizations that the actor may `view`, by number: ``limit`` of them following ``after``.

    Raises InvalidValue for what is no text: who may see none gets none.
    """
    for name, value in (("area", area), ("kind", kind), ("status", status)):
        if value is not None:
            given_text(name, value)
    wanted = [
        *([organization.c.area == area] if area is not None else []),
        *([organization.c.kind == kind] if kind is not None else []),
        *([status_on(organization, day_number(desk.today)) == status] if status is not None else []),
    ]
    return tuple(
        as_organization(row) for row in listed(desk, "organization.view", *wanted, after=after, limit=limit)
    )


@storage_errors("database")
def answering_for(desk: Desk, number: str, *, on: dt.date | None = None) -> str | None:
    """Return the number of the organization that answers for the records of ``number`` on a day.

    That is itself while it exists, then its successor or the successor's; None when it ended without one.
    ``on`` is today by default. Raises NotFound, NotPermitted, InvalidValue.
    """
    row = reached(desk, "organization.view", number)
    day = day_number(desk.today if on is None else checked_day("on", on))
    while row is not None and row.ended_on is not None and row.ended_on <= day:
        following = organization_rows(day).where(organization.c.id == row.successor_id)
        row = desk.connection.execute(following).first() if row.successor_id is not None else None
    return None if row is None else str(row.number)


@storage_errors("database")
def view_application(desk: Desk, number: str) -> Organization:
    """Return an organization that was applied for and is not admitted, for its applicant and its offices.

    Raises NotFound, NotPermitted.
    """
    row = reached(desk, "organization.view_application", number)
    if row.stands not in WAITING:
        raise NotFound(kind="organization", id=number)
    return as_organization(row)


@storage_errors("database")
def list_applications(desk: Desk, *, after: str = "", limit: int = 100) -> tuple[Organization, ...]:
    """Return the applications that the actor may `view_application`, by number."""
    waiting = status_on(organization, day_number(desk.today)).in_(WAITING)
    rows = listed(desk, "organization.view_application", waiting, after=after, limit=limit)
    return tuple(as_organization(row) for row in rows)
