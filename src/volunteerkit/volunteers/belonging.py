"""Members and leaders of teams, and who else a volunteer belongs to, with days."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.access import Cell, Person, Place
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.errors import Finding, InvalidValue, NotFound, Refused
from volunteerkit.organizations.model import WAITING, Team
from volunteerkit.organizations.reading import as_team, found_row, listed, place_of
from volunteerkit.organizations.tables import organization, status_on, team
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text
from volunteerkit.store.texts import only_masked, open_texts, seal_text
from volunteerkit.units import day_number, day_of, plain_day
from volunteerkit.volunteers.reading import Found, during, find, lasting, owner_on, reached, status_of
from volunteerkit.volunteers.registering import enter
from volunteerkit.volunteers.tables import membership, period, volunteer
from volunteerkit.workflow import Facts, Office, Route, Step

__all__ = [
    "WORKFLOWS",
    "Membership",
    "add_to_team",
    "appoint",
    "ask_to_join",
    "leaderless_teams",
    "leave_team",
    "members",
    "memberships",
]

_ROLES = ("member", "deputy", "leader")


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Membership:
    """Where a volunteer belongs: numbers, role (managing, member, deputy, leader), inclusive days.

    ``organization`` is the one that a team belongs to on the day that was asked about; None if to none.
    """

    volunteer: str
    organization: str | None
    team: str | None
    role: str
    since: dt.date
    until: dt.date | None
    why: str = attrs.field(repr=False)


def _team(desk: Desk, number: str) -> tuple[Any, Place | None]:
    """Return the team's row and place, two None for an unknown one; raises InvalidValue for what is no text."""
    row = found_row(desk, number, kind="team")
    if row is None:
        return None, None
    # who brought the team, and the area it lies in, have no say in who belongs to it
    return row, Place(None, (row.number,), place_of(row).organizations)


def _within_reach(desk: Desk, action: str, number: str, found: Found | None) -> Found:
    """Return the volunteer if their own place is reached too: a team reaches nobody who is not in it."""
    desk.permit_on(action, "volunteer", number, found.place if found else None)
    assert found is not None
    return found


def _may_hold(desk: Desk, found: Found) -> None:
    status = status_of(desk, found)
    if status not in ("approved", "provisional"):
        raise Refused(Finding("volunteer_not_active", {"volunteer": found.number, "status": status}))


def _must_last(row: Any) -> None:
    """In a team whose end is decided, be it for a later day, nobody begins anything."""
    if row.ended_on is not None:
        raise Refused(Finding("team_not_active", {"team": row.number, "status": row.ending}))


def _may_belong(desk: Desk, found: Found, row: Any) -> None:
    _may_hold(desk, found)
    _must_last(row)
    if row.stands != "approved":
        raise Refused(Finding("team_not_active", {"team": row.number, "status": row.stands}))
    if _lasting(desk, found.id, row.id) is not None:
        raise Refused(Finding("member_already", {"volunteer": found.number, "team": row.number}))


def _lasting(desk: Desk, volunteer_id: int, team_id: int) -> Any:
    held = sa.and_(membership.c.volunteer_id == volunteer_id, membership.c.team_id == team_id)
    return desk.connection.execute(sa.select(membership).where(held, lasting(desk.today))).first()


@command
def ask_to_join(desk: Desk, number: str, team_number: str) -> Case:
    """Ask to become a member of a team; its leader or organization decides.

    In a team without an organization that is its leader or the centre. Raises NotFound, NotPermitted, Refused
    when the volunteer or the team is not active, is a member already, or has asked already.
    """
    found = find(desk, number)
    place = Place(found.number, brought_by=None) if found else None
    desk.permit_on("team.join", "volunteer", number, place)
    assert found is not None
    row, where = _team(desk, team_number)
    if where is None or row.stands in WAITING:  # nobody learns of an application by naming it
        raise NotFound(kind="team", id=team_number)
    _may_belong(desk, found, row)
    facts = {"team": row.number, "organization": row.organization or "", "volunteer": found.number}
    return open_case(
        desk, "team.membership", f"volunteer:{found.id}:team:{row.id}",
        attrs.evolve(where, volunteer=found.number), facts=facts,
    )  # fmt: skip


@command
def add_to_team(desk: Desk, number: str, team_number: str) -> None:
    """Make a volunteer a member of a team from today on, by whoever answers for the team and the volunteer.

    That is the centre, the organization that manages the volunteer or in which they belong to a team
    already, or the leader of such a team. Who is none of these does not learn of the volunteer; the way in
    is then that the volunteer asks: see `ask_to_join`. Raises what `ask_to_join` raises.
    """
    row, where = _team(desk, team_number)
    desk.permit_on("team.join", "team", team_number, where)
    found = _within_reach(desk, "team.join", number, find(desk, number))
    _may_belong(desk, found, row)
    enter(desk, found.id, None, "member", day_number(desk.today), team_id=row.id)
    note(desk, "team.joined", f"volunteer:{found.id}", {"team": row.number})


@command
def leave_team(desk: Desk, number: str, team_number: str, *, reason: str = "") -> None:
    """End a membership with yesterday: by the volunteer, the team's leader, the organization or the centre.

    Raises NotFound, NotPermitted, Refused when there is none or it would leave the team without a leader.
    """
    row, where = _team(desk, team_number)
    if where is None:
        desk.permit_on("team.join", "team", team_number, None)
    found = find(desk, number)
    place = attrs.evolve(where, volunteer=found.number) if found and where else None
    desk.permit_on("team.join", "volunteer", number, place)
    held = _held(desk, "team.join", number, found, row)
    said = checked_text("reason", reason, 200) if reason else ""
    _end(
        desk,
        held,
        seal_text(desk, f"volunteer:{held.volunteer_id}", f"membership:{held.id}", said) or "left",
    )
    if held.role == "leader" and _leaders(desk, row.id) == 0 and _members(desk, row.id) > 0:
        raise Refused(Finding("last_leader", {"team": row.number}))
    note(desk, "team.left", f"volunteer:{held.volunteer_id}", {"team": row.number})


def _held(desk: Desk, action: str, number: str, found: Found | None, row: Any) -> Any:
    """Return the lasting membership in the team; raise Refused when a volunteer within reach has none."""
    held = None if found is None else _lasting(desk, found.id, row.id)
    if held is None:
        there = _within_reach(desk, action, number, found)
        raise Refused(Finding("no_member", {"volunteer": there.number, "team": row.number}))
    return held


def _end(desk: Desk, held: Any, why: str) -> None:
    until = max(day_number(desk.today) - 1, held.since - 1)
    guarded = sa.update(membership).where(membership.c.id == held.id, lasting(desk.today))
    if desk.connection.execute(guarded.values(until=until, why=why)).rowcount != 1:
        raise Refused(Finding("no_member", {"volunteer": held.volunteer_id, "team": held.team_id}))


def _count(desk: Desk, team_id: int, *roles: str) -> int:
    query = sa.select(sa.func.count()).where(membership.c.team_id == team_id, membership.c.until.is_(None),
                                             membership.c.role.in_(roles))  # fmt: skip
    return int(desk.connection.execute(query).scalar_one())


def _leaders(desk: Desk, team_id: int) -> int:
    return _count(desk, team_id, "leader")


def _members(desk: Desk, team_id: int) -> int:
    return _count(desk, team_id, *_ROLES)


@command
def appoint(desk: Desk, number: str, team_number: str, role: str) -> None:
    """Make a member the team's ``leader``, ``deputy`` or plain ``member`` from today on.

    By the organization (not by or for oneself) or the centre. A team keeps at least one leader once it has
    one, and nobody who may not join anything now, as on leave or while suspended, gets an office. Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    if role not in _ROLES:
        raise InvalidValue(name="role", value=role, allowed=", ".join(_ROLES))
    row, where = _team(desk, team_number)
    cell = desk.permit_on("team.appoint", "team", team_number, where)
    found = find(desk, number)
    held = _held(desk, "team.appoint", number, found, row)
    assert found is not None
    desk.separate(cell, "own_case", Person(None, found.number))
    if held.role == role:
        return
    _must_last(row)
    if role != "member":
        _may_hold(desk, found)
    _end(desk, held, "appointed")
    enter(desk, found.id, None, role, day_number(desk.today), team_id=row.id, linked_id=held.id)
    if held.role == "leader" and _leaders(desk, row.id) == 0:
        raise Refused(Finding("last_leader", {"team": row.number}))
    note(desk, "team.appointed", f"volunteer:{found.id}", {"team": row.number, "role": role})


def _select(day: int) -> sa.Select[Any]:
    """Return the query for memberships, with the organization that each team belonged to on ``day``."""
    return (
        sa.select(volunteer.c.number, organization.c.number, team.c.number, membership.c.role, membership.c.since,
                  membership.c.until, membership.c.why)
        .join(volunteer, volunteer.c.id == membership.c.volunteer_id)
        .outerjoin(team, team.c.id == membership.c.team_id)
        .outerjoin(organization, organization.c.id == owner_on(day))
        .order_by(membership.c.since, membership.c.id)
    )  # fmt: skip


def _as_values(desk: Desk, query: sa.Select[Any], cell: Cell, place: Place) -> tuple[Membership, ...]:
    rows = desk.connection.execute(query).fetchall()
    said = open_texts(desk, (row[6] for row in rows), masked=only_masked(desk, cell, place))
    return tuple(
        Membership(
            row[0], row[1], row[2], row[3], day_of(row[4]), None if row[5] is None else day_of(row[5]),
            said[row[6]],
        )
        for row in rows
    )  # fmt: skip


@storage_errors("database")
def memberships(desk: Desk, number: str) -> tuple[Membership, ...]:
    """Return where a volunteer belongs and belonged, by day. Raises NotFound, NotPermitted."""
    found, cell = reached(desk, "volunteer.view", number)
    theirs = _select(day_number(desk.today)).where(membership.c.volunteer_id == found.id)
    return _as_values(desk, theirs, cell, found.place)


@storage_errors("database")
def members(desk: Desk, team_number: str, *, on: dt.date | None = None) -> tuple[Membership, ...]:
    """Return who belonged to a team on a day (default today). Raises NotFound, NotPermitted."""
    row, where = _team(desk, team_number)
    cell = desk.permit_on("volunteer.view", "team", team_number, where)
    assert where is not None
    day = day_number(desk.today if on is None else plain_day("on", on))
    return _as_values(desk, _select(day).where(membership.c.team_id == row.id, during(day)), cell, where)


@storage_errors("database")
def leaderless_teams(desk: Desk, *, after: str = "", limit: int = 100) -> tuple[Team, ...]:
    """Return the living teams without a leader who may act today, for whoever may `appoint` one, by number.

    A leader who is suspended or blacklisted does not count, nor one whose data were erased. Raises
    InvalidValue for what is no text; who may appoint nobody gets none.
    """
    day = day_number(desk.today)
    stopped = sa.exists().where(
        period.c.volunteer_id == volunteer.c.id, period.c.kind.in_(["suspended", "blacklisted"]),
        period.c.since <= day, sa.or_(period.c.until.is_(None), period.c.until >= day),
    )  # fmt: skip
    led = sa.exists().where(
        membership.c.team_id == team.c.id, membership.c.role == "leader", during(day),
        volunteer.c.id == membership.c.volunteer_id, volunteer.c.status == "approved", ~stopped,
    )  # fmt: skip
    living = sa.and_(status_on(team, day).not_in(WAITING), team.c.ended_on.is_(None))
    rows = listed(desk, "team.appoint", living, ~led, kind="team", after=after, limit=limit)
    return tuple(as_team(row) for row in rows)


def _settle(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome == "granted":
        found = find(desk, case.facts["volunteer"])
        row, _ = _team(desk, case.facts["team"])
        assert found is not None  # no number ever goes away
        _may_belong(desk, found, row)
        enter(desk, found.id, None, "member", day_number(on), team_id=row.id)
        note(desk, "team.joined", f"volunteer:{found.id}", {"team": row.number, "case": case.id})


def _leader(facts: Facts) -> Office:
    return Office("team_leader", facts["team"], ("organization_admin", "centre"))


WORKFLOWS = (
    Workflow(
        Route("team.membership", (Step("team", _leader, days=5),)),
        "team.decide_member", _settle, by_subject=True,
    ),
)  # fmt: skip
"""Who asks to join a team is taken in by its leader, its organization or the centre."""
