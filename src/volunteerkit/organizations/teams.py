"""The verbs of teams, subjects of their own: register, edit, transfer, suspend, dissolve, view, list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit import calling
from volunteerkit.access import Place
from volunteerkit.approvals import Case
from volunteerkit.approvals.cases import open_case, put, workflow_of
from volunteerkit.errors import Finding, NotFound, Refused
from volunteerkit.organizations.actions import case_area, given_number
from volunteerkit.organizations.model import WAITING, Applied, Team, TeamForm, checked_day, given_text
from volunteerkit.organizations.reading import (
    admitted_row,
    as_team,
    below,
    found_row,
    id_or_none,
    listed,
    must_live,
    place_of,
    reached,
    team_rows,
)
from volunteerkit.organizations.standing import checked_days, end_teams, move_teams
from volunteerkit.organizations.tables import (
    affiliation,
    organization_on,
    standing,
    status_on,
    team,
)
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, next_id
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_number, of_type
from volunteerkit.workflow import Position

__all__ = [
    "apply",
    "check_application",
    "dissolve",
    "edit",
    "lift",
    "list_applications",
    "list_teams",
    "organization_of",
    "suspend",
    "transfer",
    "view",
    "view_application",
]

REGISTRATION: Final = "team.registration"
TRANSFER: Final = "team.transfer"


def __dir__() -> list[str]:
    return __all__


def _of_team(desk: Desk, action: str, number: str) -> Any:
    return reached(desk, action, number, kind="team")


def _place_of_form(desk: Desk, form: TeamForm) -> Place:
    of_type("form", form, TeamForm)
    owners = (form.organization,) if form.organization else ()
    return Place(desk.acting.volunteer, (), owners, (form.area,) if form.area else (), desk.actor.id)


@storage_errors("database")
def check_application(desk: Desk, form: TeamForm) -> tuple[Finding, ...]:
    """Return what stands against registering a team, without doing it: for a form.

    Raises NotPermitted, NotFound for an unknown organization or team above, InvalidValue, Refused for one
    that may not act.
    """
    desk.permit("team.register", _place_of_form(desk, form))
    return (*_findings(desk, form), *calling.review(desk, "vk_review_team", form=form))


def _findings(desk: Desk, form: TeamForm) -> Iterator[Finding]:
    name = checked_text("name", form.name)
    if form.organization:
        must_live(admitted_row(desk, form.organization))
    else:  # somebody has to answer for it
        checked_text("area", form.area, 100)
    if form.parent:
        above = admitted_row(desk, form.parent, kind="team")
        must_live(above)
        if above.organization != form.organization:
            yield Finding("other_organization", {"number": form.parent})
    waiting = status_on(team, day_number(desk.today)) == "pending"
    own = sa.and_(team.c.name == name, team.c.brought_by == desk.actor.id, waiting)
    for number in desk.connection.execute(sa.select(team.c.number).where(own)).scalars():
        yield Finding("organization_waiting", {"number": number})


@command
def apply(desk: Desk, form: TeamForm, *, number: str | None = None) -> Applied:
    """Register a team, to be approved; return its number and the case that decides it.

    A volunteer brings a group of people, an organization its own team. The organization decides, for a team
    without one the department of the ``area``. Raises NotPermitted, NotFound, InvalidValue, Refused.
    """
    desk.permit("team.register", _place_of_form(desk, form))
    told = calling.review(desk, "vk_review_team", form=form)
    findings = (*_findings(desk, form), *told)
    if any(finding.severity == "block" for finding in findings):
        raise Refused(*findings)
    values = {
        "name": checked_text("name", form.name),
        "area": form.area.strip(),
        "organization_id": id_or_none(desk, form.organization),
        "parent_id": id_or_none(desk, form.parent, kind="team"),
        "status": "pending",
        "brought_by": desk.actor.id,
        "brought_volunteer": desk.acting.volunteer,
    }
    given = given_number(desk, number, team, "T")
    if desk.connection.execute(sa.select(team.c.id).where(team.c.number == given)).first() is not None:
        raise Refused(Finding("already_registered", {"number": given}))
    id_ = next_id(desk, team)
    desk.connection.execute(sa.insert(team).values(id=id_, number=given, **values))
    facts = {"organization": form.organization or "", "area": form.area}
    area = case_area(desk, REGISTRATION, form.area, facts)
    of_type("form", form, TeamForm)
    owners = (form.organization,) if form.organization else ()
    place = Place(None, (given,), owners, (area,) if area else ())
    opened = open_case(desk, REGISTRATION, f"team:{id_}", place, facts=facts, findings=findings)
    desk.connection.execute(sa.update(team).where(team.c.id == id_).values(case_id=opened.id))
    return Applied(given, opened.id)


def settle_registration(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    """Write what the decision of a registration means: the team is there from day ``on``, or not."""
    id_ = int(case.subject.partition(":")[2])
    granted = outcome == "granted"
    values: dict[str, Any] = {"status": "approved" if granted else outcome}
    values |= {"registered_on": day_number(on)} if granted else {}
    guarded = sa.update(team).where(team.c.id == id_, team.c.status == "pending").values(**values)
    if desk.connection.execute(guarded).rowcount == 1 and granted:
        note(desk, "team.registered", case.subject, {"case": case.id})


@command
def edit(
    desk: Desk, number: str, *, name: str | None = None, area: str | None = None, parent: str | None = None
) -> Team:
    """Change what is given of a team and return it; an empty ``parent`` takes it out of the team above.

    Raises NotFound, NotPermitted, InvalidValue, Refused for an ended one, for a circle, and for a team
    above of another organization.
    """
    row = _of_team(desk, "team.edit", number)
    must_live(row, "suspended")
    values: dict[str, Any] = {
        **({"name": checked_text("name", name)} if name is not None else {}),
        **({"area": checked_text("area", area, 100)} if area is not None else {}),
    }
    if parent is not None:
        above = _of_team(desk, "team.edit", parent) if given_text("parent", parent) else None
        if above is not None:
            must_live(above)
            if above.owner_id != row.owner_id:
                raise Refused(Finding("other_organization", {"number": parent}))
        if above is not None and above.id in below(desk, team, row.id):
            raise Refused(Finding("in_a_circle", {"number": parent}))
        values["parent_id"] = above.id if above is not None else None
    if not values:
        return as_team(row)
    guarded = sa.update(team).where(team.c.id == row.id, team.c.ended_on.is_(None)).values(**values)
    if desk.connection.execute(guarded).rowcount != 1:
        raise Refused(Finding("not_living", {"number": number, "status": "dissolved"}))
    note(desk, "team.edited", f"team:{row.id}", {"fields": sorted(values)})
    return as_team(admitted_row(desk, number, kind="team"))


@command
def transfer(desk: Desk, number: str, organization: str, *, on: dt.date | None = None) -> int:
    """Ask that a team goes over to another organization on day ``on`` (default today); return the case.

    Both sides agree: the side that asks has agreed by asking, the team's leader and the centre ask both.
    Its sub-teams go along; what was served before stays with the old organization. Raises NotFound,
    NotPermitted, Refused.
    """
    given_text("organization", organization)
    row = found_row(desk, number, kind="team")
    place = None if row is None else attrs.evolve(place_of(row), brought_by=None, volunteer=None)
    old = row.organization if row is not None else None
    # An organization may ask for another one's team, who is then asked; a team without one asks itself.
    asked_at = place
    if place is not None and old and place.published:
        asked_at = attrs.evolve(place, organizations=(old, organization))
    desk.permit_on("team.transfer", "team", number, asked_at)
    assert place is not None
    must_live(row)
    new = admitted_row(desk, organization)
    must_live(new)
    if new.id == row.owner_id:
        raise Refused(Finding("same_organization", {"number": organization}))
    if row.parent_id is not None:
        raise Refused(Finding("team_is_a_part", {"number": number}))
    since, _ = checked_days(desk, on, names=("on", ""))
    later = sa.and_(affiliation.c.team_id == row.id, affiliation.c.since > day_number(desk.today))
    if desk.connection.execute(sa.select(affiliation.c.id).where(later)).first() is not None:
        raise Refused(Finding("transfer_decided", {"number": number}))
    asking = desk.reach("team.transfer").organizations
    first, second = old or organization, organization
    if second in asking and first not in asking:
        first, second = second, first
    facts = {"first": first, "second": second, "since": since, "to": new.id}
    both = attrs.evolve(place, organizations=tuple(dict.fromkeys((first, second))))
    opened = open_case(desk, TRANSFER, f"team:{row.id}", both, facts=facts)
    steps = workflow_of(desk, TRANSFER).route.steps
    if len(steps) > 1 and (old is None or first in asking):
        opened = put(desk, opened, Position("review", 1, False, desk.today), by=desk.actor.id)
    return opened.id


def settle_transfer(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    """Write to which organization the team and its sub-teams belong from the agreed day, or the decision's."""
    if outcome != "granted":
        return
    top, to = int(case.subject.partition(":")[2]), case.facts["to"]
    since = max(case.facts["since"], day_number(on))
    moved = below(desk, team, top)
    move_teams(desk, moved, to, since)
    note(desk, "team.transferred", case.subject, {"to": to, "since": since, "teams": len(moved)})


@storage_errors("database")
def organization_of(desk: Desk, number: str, on: dt.date) -> str | None:
    """Return the number of the organization that a team belonged to on a day, None when it had none.

    Raises NotFound, NotPermitted, InvalidValue.
    """
    _of_team(desk, "team.view", number)
    query = team_rows(day_number(checked_day("on", on))).where(team.c.number == number)
    found: str | None = desk.connection.execute(query).one().organization
    return found


@command
def suspend(
    desk: Desk, number: str, *, reason: str, since: dt.date | None = None, until: dt.date | None = None
) -> None:
    """Suspend a team from ``since`` (default today) to ``until`` (inclusive), or until it is lifted.

    Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    row = _of_team(desk, "team.suspend", number)
    must_live(row)
    first, last = checked_days(desk, since, until)
    _stand(desk, row, "suspend", reason, first, until=last)
    note(desk, "team.suspended", f"team:{row.id}", {"since": first, "until": last})


@command
def lift(desk: Desk, number: str, *, reason: str, on: dt.date | None = None) -> None:
    """Let a suspended team act again from day ``on`` (default today). Raises what `suspend` raises."""
    row = _of_team(desk, "team.suspend", number)
    first, _ = checked_days(desk, on, names=("on", ""))
    checked_text("reason", reason, 500)
    running = sa.and_(
        standing.c.team_id == row.id, standing.c.change == "suspend",
        sa.or_(standing.c.until.is_(None), standing.c.until >= first),
    )  # fmt: skip
    if desk.connection.execute(sa.update(standing).where(running).values(until=first - 1)).rowcount == 0:
        raise Refused(Finding("not_suspended", {"number": number}))
    _stand(desk, row, "lift", reason, first)
    note(desk, "team.lifted", f"team:{row.id}", {"since": first})


@command
def dissolve(
    desk: Desk, number: str, *, reason: str, on: dt.date | None = None, successor: str | None = None
) -> None:
    """Let a team end on day ``on`` (default today), its sub-teams with it; ``successor`` is another team.

    Memberships, leaders' too, end on the same day, and what waits for a decision there is withdrawn.
    Raises what `suspend` raises.
    """
    row = _of_team(desk, "team.suspend", number)
    must_live(row, "suspended")
    first, _ = checked_days(desk, on, names=("on", ""))
    checked_text("reason", reason, 500)
    named = successor if successor is None else given_text("successor", successor)
    heir = admitted_row(desk, named, kind="team") if named else None
    ending = below(desk, team, row.id)
    if heir is not None:
        must_live(heir)
        if heir.id in ending:
            raise Refused(Finding("in_a_circle", {"number": heir.number}))
    ended = end_teams(desk, ending, first, heir.id if heir is not None else None)
    _stand(desk, row, "dissolve", reason, first)
    note(desk, "team.ended", f"team:{row.id}", {"on": first, "teams": ended})


def _stand(desk: Desk, row: Any, change: str, reason: str, since: int, until: int | None = None) -> None:
    said = checked_text("reason", reason, 500)
    id_ = next_id(desk, standing)
    desk.connection.execute(
        sa.insert(standing).values(
            id=id_, team_id=row.id, change=change, since=since, until=until,
            reason=seal_text(desk, f"team:{row.id}", f"standing:{id_}", said), state="in_force", actor_id=desk.actor.id,
        )
    )  # fmt: skip


@storage_errors("database")
def view(desk: Desk, number: str) -> Team:
    """Return a team as it stands today; the number of an ended one still resolves.

    Raises NotFound, NotPermitted.
    """
    return as_team(_of_team(desk, "team.view", number))


@storage_errors("database")
def list_teams(
    desk: Desk,
    *,
    organization: str | None = None,
    area: str | None = None,
    status: str | None = None,
    after: str = "",
    limit: int = 100,
) -> tuple[Team, ...]:
    """Return the teams that the actor may `view`, by number: ``limit`` of them following ``after``.

    Raises NotFound for an unknown ``organization`` and for one that only applied.
    """
    day = day_number(desk.today)
    for name, value in (("organization", organization), ("area", area), ("status", status)):
        if value is not None:
            given_text(name, value)
    owner = admitted_row(desk, organization).id if organization else None
    wanted = [
        *([organization_on(day) == owner] if owner is not None else []),
        *([team.c.area == area] if area is not None else []),
        *([status_on(team, day) == status] if status is not None else []),
    ]
    rows = listed(desk, "team.view", *wanted, kind="team", after=after, limit=limit)
    return tuple(as_team(row) for row in rows)


@storage_errors("database")
def view_application(desk: Desk, number: str) -> Team:
    """Return a team that was registered and is not approved, for who brought it and its offices.

    Raises NotFound, NotPermitted.
    """
    row = _of_team(desk, "team.view_application", number)
    if row.stands not in WAITING:
        raise NotFound(kind="team", id=number)
    return as_team(row)


@storage_errors("database")
def list_applications(desk: Desk, *, after: str = "", limit: int = 100) -> tuple[Team, ...]:
    """Return the registrations that the actor may `view_application`, by number."""
    waiting = status_on(team, day_number(desk.today)).in_(WAITING)
    rows = listed(desk, "team.view_application", waiting, kind="team", after=after, limit=limit)
    return tuple(as_team(row) for row in rows)
