"""How organizations stop for a while or for good: suspension, its lifting, dissolution, merger.

Each is proposed by one person and decided by another officer of the centre. Where an organization stands on
a day follows from the dated rows that the decision puts in force.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.approvals import Case
from volunteerkit.approvals.cases import end_cases, open_case
from volunteerkit.approvals.tables import case as case_table
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.organizations.model import WAITING, checked_day, given_text
from volunteerkit.organizations.reading import admitted_row, must_live, place_of, reached
from volunteerkit.organizations.tables import (
    affiliation,
    organization,
    organization_on,
    standing,
    status_on,
    team,
    tenancy,
)
from volunteerkit.store.desk import Desk
from volunteerkit.store.grants import grant, succession
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, next_id
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_number

__all__ = [
    "checked_days",
    "end_teams",
    "move_teams",
    "propose_dissolution",
    "propose_lifting",
    "propose_merger",
    "propose_suspension",
    "settle_standing",
]

STANDING: Final = "organization.standing"


def __dir__() -> list[str]:
    return __all__


def checked_days(
    desk: Desk,
    since: dt.date | None,
    until: dt.date | None = None,
    names: tuple[str, str] = ("since", "until"),
) -> tuple[int, int | None]:
    """Return two days as day numbers, ``since`` today by default; ``names`` are those of the arguments.

    Raises InvalidValue for what is no day and for an end before its beginning, Refused for a past day.
    """
    first = desk.today if since is None else checked_day(names[0], since)
    if until is not None and checked_day(names[1], until) < first:
        raise InvalidValue(name=names[1], value=str(until), allowed=f"{first} …")
    if first < desk.today:
        raise Refused(Finding("dates_in_the_past", {"day": str(first), "today": str(desk.today)}))
    return day_number(first), None if until is None else day_number(until)


@command
def propose_suspension(
    desk: Desk, number: str, *, reason: str, since: dt.date | None = None, until: dt.date | None = None
) -> int:
    """Propose that an organization may not act from ``since`` to ``until`` (inclusive); return the case.

    Without ``until`` it lasts until it is lifted. It is in force when another officer of the centre has
    approved the case, and not before that day. Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    row = reached(desk, "organization.propose_suspension", number)
    must_live(row)
    first, last = checked_days(desk, since, until)
    return _propose(desk, row, "suspend", reason, first, until=last)


@command
def propose_lifting(desk: Desk, number: str, *, reason: str, on: dt.date | None = None) -> int:
    """Propose that an organization may act again from day ``on`` (default today); return the case.

    Raises what `propose_suspension` raises, and Refused when it is not suspended.
    """
    row = reached(desk, "organization.propose_suspension", number)
    first, _ = checked_days(desk, on, names=("on", ""))
    query = sa.select(standing.c.id).where(_suspending(row.id, first))
    if row.ended_on is not None or desk.connection.execute(query).first() is None:
        raise Refused(Finding("not_suspended", {"number": number}))
    return _propose(desk, row, "lift", reason, first)


@command
def propose_dissolution(
    desk: Desk, number: str, *, reason: str, on: dt.date | None = None, successor: str | None = None
) -> int:
    """Propose that an organization no longer exists from day ``on`` (default today); return the case.

    ``successor`` is the number of the organization that answers for its records from then on; one with
    service records needs it. Raises what `propose_suspension` raises.
    """
    return _propose_end(desk, number, "dissolve", reason, on, successor)


@command
def propose_merger(desk: Desk, number: str, *, successor: str, reason: str, on: dt.date | None = None) -> int:
    """Propose that an organization goes over into ``successor`` on day ``on``; return the case.

    Raises what `propose_suspension` raises.
    """
    return _propose_end(desk, number, "merge", reason, on, successor)


def _propose_end(
    desk: Desk, number: str, change: str, reason: str, on: dt.date | None, successor: str | None
) -> int:
    row = reached(desk, "organization.propose_suspension", number)
    must_live(row, "suspended")
    first, _ = checked_days(desk, on, names=("on", ""))
    named = successor if successor is None else given_text("successor", successor)
    heir = _heir(desk, row.id, named) if named else None
    if heir is None and _has_records(desk, row.id):
        raise Refused(Finding("successor_missing", {"number": number}))
    return _propose(desk, row, change, reason, first, successor_id=heir)


def _heir(desk: Desk, id_: int, number: str) -> int:
    heir = admitted_row(desk, number)
    must_live(heir)
    if heir.id == id_:
        raise Refused(Finding("in_a_circle", {"number": number}))
    found: int = heir.id
    return found


def _has_records(desk: Desk, id_: int) -> bool:
    # Hours lie above organizations, so their table is asked by its name alone.
    records = sa.table("vk_service_record", sa.column("organization_id"))
    query = sa.select(records.c.organization_id).where(records.c.organization_id == id_).limit(1)
    return desk.connection.execute(query).first() is not None


def _suspending(id_: int, day: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        standing.c.organization_id == id_, standing.c.change == "suspend", standing.c.state == "in_force",
        sa.or_(standing.c.until.is_(None), standing.c.until >= day),
    )  # fmt: skip


def _propose(desk: Desk, row: Any, change: str, reason: str, since: int, **more: Any) -> int:
    said = checked_text("reason", reason, 500)
    facts = {"change": change, "since": since}
    # not whoever once applied for it: they are no party to this, and could withdraw it
    place = attrs.evolve(place_of(row), volunteer=None, brought_by=None)
    opened = open_case(desk, STANDING, f"organization:{row.id}", place, facts=facts)
    id_ = next_id(desk, standing)
    desk.connection.execute(
        sa.insert(standing).values(
            id=id_, organization_id=row.id, change=change, since=since,
            reason=seal_text(desk, f"organization:{row.id}", f"standing:{id_}", said),
            state="proposed", case_id=opened.id, actor_id=desk.actor.id, **more,
        )
    )  # fmt: skip
    if opened.standing.closed:  # a route without steps decides at once, before there was anything to decide
        settle_standing(desk, opened, opened.state, desk.today)
    return opened.id


def settle_standing(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    """Put in force what was proposed, from its own day or the day of the decision if that is later."""
    query = sa.select(standing).where(standing.c.case_id == case.id, standing.c.state == "proposed")
    row = desk.connection.execute(query).first()
    if row is None:
        return
    since = max(row.since, day_number(on))
    values = {"state": "in_force" if outcome == "granted" else outcome, "since": since}
    guarded = sa.update(standing).where(standing.c.id == row.id, standing.c.state == "proposed")
    if desk.connection.execute(guarded.values(**values)).rowcount != 1 or outcome != "granted":
        return
    if row.change == "suspend":
        note(desk, "organization.suspended", case.subject, {"since": since, "until": row.until})
    elif row.change == "lift":
        lifted = sa.update(standing).where(_suspending(row.organization_id, since))
        desk.connection.execute(lifted.values(until=since - 1))
        note(desk, "organization.lifted", case.subject, {"since": since})
    else:
        _end(desk, row, case, since)


def _end(desk: Desk, row: Any, case: Case, since: int) -> None:
    """End the organization: its heir takes over, its administrators' offices and its open cases end."""
    ending = "merged" if row.change == "merge" else "dissolved"
    heir_id = _living_heir(desk, row)
    end: dict[str, Any] = {"ended_on": since, "ending": ending, "successor_id": heir_id}
    for id_ in sorted(each for each in (row.organization_id, heir_id) if each is not None):
        guarded = sa.update(organization).where(organization.c.id == id_, organization.c.ended_on.is_(None))
        values = end if id_ == row.organization_id else {"status": organization.c.status}
        if desk.connection.execute(guarded.values(**values)).rowcount != 1:
            raise Refused(Finding("not_living", {"number": _number(desk, id_), "status": ending}))
    number, belonging = _number(desk, row.organization_id), organization_on(since) == row.organization_id
    if heir_id is not None:
        heir = _number(desk, heir_id)
        desk.connection.execute(sa.insert(succession).values(number=number, successor=heir, since=since))
        living = sa.select(team.c.id).where(belonging, team.c.ended_on.is_(None))
        move_teams(desk, set(desk.connection.execute(living).scalars()), heir_id, since)
    else:
        end_teams(desk, set(desk.connection.execute(sa.select(team.c.id).where(belonging)).scalars()), since)
    # one that was to begin later never does
    stays = sa.and_(tenancy.c.organization_id == row.organization_id, tenancy.c.ends_on >= since)
    last = sa.case((tenancy.c.starts_on >= since, tenancy.c.starts_on - 1), else_=since - 1)
    desk.connection.execute(sa.update(tenancy).where(stays).values(ends_on=last))
    offices = sa.update(grant).where(
        grant.c.role == "organization_admin", grant.c.scope == number,
        sa.or_(grant.c.until.is_(None), grant.c.until >= since),
    )  # fmt: skip
    desk.connection.execute(offices.values(until=since - 1))
    # whatever still waits there can be opened anew at another one
    here = sa.or_(case_table.c.organization == number, case_table.c.second_organization == number)
    end_cases(desk, sa.and_(here, case_table.c.id != case.id), by="organization_ended")
    note(desk, "organization.ended", case.subject, {"ending": ending, "on": since})


_membership: Final = sa.table(  # a table of the volunteers, who are above organizations
    "vk_membership", sa.column("team_id"), sa.column("since"), sa.column("until"), sa.column("why")
)


def end_teams(desk: Desk, teams: set[int], since: int, successor_id: int | None = None) -> int:
    """End the teams with these ids on the day number ``since``; return how many that were admitted ended.

    Memberships, leaders' too, end with them on the same day, and what waits there is withdrawn.
    """
    ids = sorted(teams)
    numbers = list(desk.connection.execute(sa.select(team.c.number).where(team.c.id.in_(ids))).scalars())
    end_cases(desk, case_table.c.team.in_(numbers), by="team_ended")
    lasting = sa.or_(team.c.ended_on.is_(None), team.c.ended_on > since)
    admitted = status_on(team, day_number(desk.today)).not_in(WAITING)
    ended = sa.update(team).where(team.c.id.in_(ids), lasting, admitted)
    values = {"ended_on": since, "ending": "dissolved", "successor_id": successor_id}
    found = desk.connection.execute(ended.values(**values)).rowcount
    inside = _membership.c
    there = sa.and_(inside.team_id.in_(ids), sa.or_(inside.until.is_(None), inside.until >= since))
    last = sa.case((inside.since >= since, inside.since - 1), else_=since - 1)
    desk.connection.execute(sa.update(_membership).where(there).values(until=last, why="team_ended"))
    return found


def move_teams(desk: Desk, teams: set[int], to: int, since: int) -> None:
    """Write that the teams with these ids belong to the organization ``to`` from day ``since`` on."""
    if not teams:
        return
    moved = sorted(teams)
    following = next_id(desk, affiliation)
    later = sa.and_(affiliation.c.team_id.in_(moved), affiliation.c.since >= since)
    desk.connection.execute(sa.delete(affiliation).where(later))
    desk.connection.execute(
        sa.insert(affiliation),
        [
            {"id": following + i, "team_id": id_, "organization_id": to, "since": since}
            for i, id_ in enumerate(moved)
        ],
    )


def _living_heir(desk: Desk, row: Any) -> int | None:
    """Return the id of who answers for the records: the proposed heir, or who took over from it meanwhile."""
    heir, columns = row.successor_id, (organization.c.ended_on, organization.c.successor_id)
    while heir is not None:
        ended_on, following = desk.connection.execute(
            sa.select(*columns).where(organization.c.id == heir)
        ).one()
        if ended_on is None:
            break
        if following in (None, row.organization_id):
            raise Refused(Finding("not_living", {"number": _number(desk, heir), "status": "dissolved"}))
        heir = following
    found: int | None = heir
    return found


def _number(desk: Desk, id_: int) -> str:
    query = sa.select(organization.c.number).where(organization.c.id == id_)
    found: str = desk.connection.execute(query).scalar_one()
    return found
