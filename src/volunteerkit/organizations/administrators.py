"""Who administers an organization: proposed, decided by a case, removed, listed."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa

from volunteerkit.access import Person, Place
from volunteerkit.approvals import Case
from volunteerkit.approvals.cases import open_case
from volunteerkit.errors import Finding, NotFound, Refused
from volunteerkit.organizations.actions import case_area
from volunteerkit.organizations.model import Administrator
from volunteerkit.organizations.reading import must_live, place_of, reached
from volunteerkit.organizations.tables import organization
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import grant
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, next_id
from volunteerkit.units import day_number, day_of, plain_text

__all__ = ["administrators", "in_office", "propose_admin", "remove_admin", "settle_admin"]

ADMIN: Final = "organization.admin"


def __dir__() -> list[str]:
    return __all__


def _holds(number: Any, day: int, table: Any = grant) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.role == "organization_admin", table.c.scope == number, table.c.delegated == 0,
        table.c.since <= day, sa.or_(table.c.until.is_(None), table.c.until >= day),
    )  # fmt: skip


@command
def propose_admin(desk: Desk, number: str, actor_id: str, *, volunteer: str | None = None) -> int:
    """Propose that the actor ``actor_id`` administers an organization; return the case that decides it.

    ``volunteer`` is the number of the volunteer they are, if any: neither id decides the own case. Raises
    NotFound, NotPermitted, InvalidValue, and Refused when they administer it already or are the proposer.
    """
    row = reached(desk, "organization.propose_admin", number)
    must_live(row, "suspended")
    who = checked_text("actor_id", actor_id, 100)
    if volunteer is not None:
        plain_text("volunteer", volunteer)
    if desk.is_one_of(Person(who, volunteer)):
        raise Refused(Finding("own_case"))
    if any(each.actor_id == who for each in in_office(desk, number)):
        raise Refused(Finding("already_administrator", {"number": number}))
    facts = {"beneficiary_actor": who, "area": row.area}
    area = case_area(desk, ADMIN, row.area, facts)
    place = Place(None, (), (number,), (area,) if area else ())
    subject = f"organization:{row.id}:{who}"
    return open_case(desk, ADMIN, subject, place, facts=facts, beneficiary=volunteer).id


def settle_admin(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    """Write the grant when the case was granted."""
    if outcome != "granted":
        return
    who, number = case.facts["beneficiary_actor"], next(iter(case.place.organizations))
    if any(each.actor_id == who for each in in_office(desk, number)):
        return
    id_ = next_id(desk, grant)
    # Whoever writes down an expired term may be anybody, also the one who gains; the proposer never is.
    by = case.opened_by if desk.actor.id == who else desk.actor.id
    desk.connection.execute(
        sa.insert(grant).values(
            id=id_, actor_id=who, role="organization_admin", scope=number, since=day_number(on), granted_by=by
        )
    )
    note(desk, "organization.admin_appointed", case.subject, {"case": case.id, "grant": id_})


@command
def remove_admin(desk: Desk, number: str, actor_id: str, *, reason: str) -> None:
    """Remove an administrator, from today on; not oneself, and never the last one of a living organization.

    Raises NotFound (also for somebody who does not administer it), NotPermitted, InvalidValue, Refused.
    """
    row = reached(desk, "organization.decide_admin", number)
    cell = desk.permit("organization.decide_admin", place_of(row))
    plain_text("actor_id", actor_id)
    desk.separate(cell, "own_case", Person(actor_id))
    checked_text("reason", reason, 500)
    today, other = day_number(desk.today), grant.alias("other")
    held = sa.and_(_holds(number, today), grant.c.actor_id == actor_id)
    if desk.connection.execute(sa.select(grant.c.id).where(held)).first() is None:
        raise NotFound(kind="administrator", id=actor_id)
    another = sa.exists().where(_holds(number, today, other), other.c.actor_id != actor_id)
    ended = sa.exists().where(organization.c.id == row.id, organization.c.ended_on <= today)
    removed = sa.update(grant).where(held, sa.or_(another, ended)).values(until=today - 1)
    if desk.connection.execute(removed).rowcount == 0:
        raise Refused(Finding("last_administrator", {"number": number}))
    note(desk, "organization.admin_removed", f"organization:{row.id}", {"actor": actor_id})


@storage_errors("database")
def administrators(desk: Desk, number: str) -> tuple[Administrator, ...]:
    """Return who administers an organization today, by stored grants, in the order of their appointment.

    Whom the portal itself names for a session does not stand here. Raises NotFound, NotPermitted.
    """
    reached(desk, "organization.list_admins", number)
    return in_office(desk, number)


def in_office(desk: Desk, number: str) -> tuple[Administrator, ...]:
    """Return who administers an organization today; nobody's right to see it is checked here."""
    query = sa.select(grant).where(_holds(number, day_number(desk.today))).order_by(grant.c.id)
    return tuple(
        Administrator(
            row.actor_id, day_of(row.since), None if row.until is None else day_of(row.until), row.granted_by
        )
        for row in desk.connection.execute(query)
    )
