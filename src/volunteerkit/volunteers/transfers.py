"""Transfer of the managing organization: released by the old one, accepted by the new one, from a day on.

What was served before stays with the organization that vouched for it: records carry it themselves.
"""

from __future__ import annotations

import datetime as dt
import json

import sqlalchemy as sa

from volunteerkit import calling
from volunteerkit.access import Place
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.approvals.tables import case as case_table
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.organizations.reading import cannot_take_in
from volunteerkit.organizations.tables import organization
from volunteerkit.store.desk import Desk
from volunteerkit.store.grants import grant
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, id_of
from volunteerkit.units import day_number, day_of, plain_day
from volunteerkit.volunteers.model import PERIODS
from volunteerkit.volunteers.reading import Found, find_many, reached, status_of, teams_of
from volunteerkit.volunteers.registering import enter
from volunteerkit.volunteers.status import end_requests
from volunteerkit.volunteers.tables import link, membership
from volunteerkit.workflow import Facts, Office, Route, Step

__all__ = ["WORKFLOWS", "request_transfer"]


def __dir__() -> list[str]:
    return __all__


@command
def request_transfer(
    desk: Desk, number: str, to: str, *, effective_on: dt.date | None = None, reason: str = ""
) -> Case:
    """Ask that the organization ``to`` manage the volunteer from ``effective_on`` on (default: when granted).

    Two persons decide: one releases, another accepts. Undecided 30 days after it was asked for it is granted by itself,
    whatever step it waits at, and marked so; a withdrawn request never is. With a day in the future the old organization stays
    responsible until the day before. Raises NotFound, NotPermitted, InvalidValue, and Refused with what
    speaks against it, or when a request is waiting already.
    """
    found, _ = reached(desk, "volunteer.transfer", number, managing=True)
    id_of(desk, organization, "organization", to)
    if effective_on is not None and plain_day("effective_on", effective_on) < desk.today:
        raise InvalidValue(name="effective_on", value=effective_on, allowed=f"≥ {desk.today}")
    findings = _against(desk, found, to, effective_on or desk.today)
    if to == found.organization:
        findings += (Finding("managed_already", {"organization": to}),)
    later = sa.and_(
        membership.c.volunteer_id == found.id, membership.c.role == "managing",
        membership.c.since > day_number(desk.today),
        sa.or_(membership.c.until.is_(None), membership.c.until >= membership.c.since),
    )  # fmt: skip
    if desk.connection.execute(sa.select(membership.c.id).where(later)).first() is not None:
        findings += (Finding("managed_later", {"volunteer": found.number}),)
    findings += calling.review_transfer(
        desk, found.number, found.organization, to, effective_on or desk.today
    )
    facts = {
        "from": found.organization, "to": to, "effective_on": effective_on and day_number(effective_on),
        "reason": checked_text("reason", reason, 500) if reason else "",
    }  # fmt: skip
    place = Place(found.number, (), (found.organization, to), found.place.areas)
    return open_case(
        desk, "volunteer.transfer", f"volunteer:{found.id}", place, facts=facts, findings=findings
    )


def _against(desk: Desk, found: Found, to: str, first: dt.date) -> tuple[Finding, ...]:
    """Return what speaks against a transfer to ``to`` from the day ``first`` on, asked for or granted."""
    status = status_of(desk, found, first)
    stopped = cannot_take_in(desk, to, first)
    if status in ("approved", *PERIODS[1:]):
        return stopped
    return (Finding("volunteer_not_active", {"volunteer": found.number, "status": status}), *stopped)


def _settle(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome != "granted":
        return
    volunteer_id, wanted = int(case.subject.partition(":")[2]), case.facts["effective_on"]
    first = max(day_number(on), wanted or 0)
    (found,) = find_many(desk, [volunteer_id])
    against = _against(desk, found, case.facts["to"], day_of(first))
    if against:  # what was asked for may have lost its ground while it waited
        raise Refused(*against)
    lasting = sa.or_(membership.c.until.is_(None), membership.c.until >= first)
    managing = sa.select(membership).where(
        membership.c.volunteer_id == volunteer_id, membership.c.role == "managing", lasting
    )
    held = desk.connection.execute(managing.order_by(membership.c.since, membership.c.id)).fetchall()
    before = [each.organization_id for each in held]
    # What the volunteer held at the old organization ends with it: its teams, and offices in it. One that was
    # to begin later never does.
    ends = sa.case((membership.c.since > first, membership.c.since - 1), else_=first - 1)
    desk.connection.execute(
        sa.update(membership)
        .where(
            membership.c.volunteer_id == volunteer_id, lasting,
            sa.or_(membership.c.organization_id.in_(before), membership.c.team_id.in_(teams_of(before, first))),
        )
        .values(until=ends, why="transferred")
    )  # fmt: skip
    to = id_of(desk, organization, "organization", case.facts["to"])
    enter(desk, volunteer_id, to, "managing", first, linked_id=held[0].id if held else None)
    end_requests(desk, found, by="transferred", at=case.facts["from"])
    actors = sa.select(link.c.actor_id).where(link.c.volunteer_id == volunteer_id)
    # an office may have been given under the volunteer's number to an actor who never was linked
    named = sa.select(case_table.c.facts).where(
        case_table.c.organization == case.facts["from"], case_table.c.kind == "organization.admin",
        case_table.c.state == "granted", case_table.c.beneficiary == found.number,
    )  # fmt: skip
    appointed = [json.loads(each)["beneficiary_actor"] for each in desk.connection.execute(named).scalars()]
    desk.connection.execute(
        sa.update(grant)
        .where(
            sa.or_(grant.c.actor_id.in_(actors), grant.c.actor_id.in_(appointed)), grant.c.role == "organization_admin", grant.c.scope == case.facts["from"],
            sa.or_(grant.c.until.is_(None), grant.c.until >= first),
        )
        .values(until=first - 1)
    )  # fmt: skip
    payload = {"from": case.facts["from"], "to": case.facts["to"], "effective_on": first, "case": case.id,
               "automatic": case.standing.automatic}  # fmt: skip
    note(desk, "volunteer.transferred", case.subject, payload)


def _old(facts: Facts) -> Office:
    return Office("organization_admin", facts["from"], ("centre",))


def _new(facts: Facts) -> Office:
    return Office("organization_admin", facts["to"], ("centre",))


WORKFLOWS = (
    Workflow(
        Route("volunteer.transfer", (
            Step("release", _old, days=30, calendar_days=True, at_deadline="grant", since_opening=True),
            Step("accept", _new, days=30, calendar_days=True, at_deadline="grant", since_opening=True),
        )),
        "volunteer.release", _settle, by_subject=True,
    ),
)  # fmt: skip
"""A transfer is released and accepted by two persons, or granted by itself when nobody decides."""
