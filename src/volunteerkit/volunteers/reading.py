"""Reading volunteers: by number (also a merged one's), where they belong, and their status on a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.access import Cell, Place
from volunteerkit.approvals.cases import waiting_case
from volunteerkit.errors import InvalidValue
from volunteerkit.organizations.tables import organization, organization_on, team
from volunteerkit.store.desk import Desk
from volunteerkit.store.grants import resolved_number
from volunteerkit.units import day_number, day_of, plain_text, storable
from volunteerkit.volunteers.model import Period, status_on
from volunteerkit.volunteers.tables import membership, period, volunteer

__all__ = [
    "Found",
    "by_managing",
    "during",
    "find",
    "find_many",
    "lasting",
    "led_alone",
    "members_of",
    "number_given",
    "owner_on",
    "periods_of",
    "reached",
    "reached_by",
    "status_of",
    "teams_of",
]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Found:
    """A volunteer as the verbs need it: ids, where it belongs on the desk's day, what it was put into.

    ``organization`` is the number of the managing organization.
    """

    id: int
    number: str
    status: str
    organization: str
    organization_id: int
    registered_on: int
    adult_on: int | None
    place: Place

    @property
    def subject(self) -> str:
        """The opaque text under which the vault and the events know them."""
        return f"volunteer:{self.id}"


def during(day: int) -> sa.ColumnElement[bool]:
    """Return the SQL for memberships that hold on ``day``, a day number."""
    return sa.and_(membership.c.since <= day, sa.or_(membership.c.until.is_(None), membership.c.until >= day))


def lasting(today: dt.date) -> sa.ColumnElement[bool]:
    """Return the SQL for memberships that do not end before ``today``, be their last day known or not."""
    return sa.or_(membership.c.until.is_(None), membership.c.until >= day_number(today))


def led_alone(desk: Desk, volunteer_id: int) -> str | None:
    """Return the number of a living team that the volunteer alone leads and others belong to; None if none."""
    other = membership.alias()
    others = sa.exists().where(
        other.c.team_id == membership.c.team_id, other.c.volunteer_id != volunteer_id, other.c.until.is_(None)
    )
    query = (
        sa.select(team.c.number)
        .join(membership, membership.c.team_id == team.c.id)
        .where(membership.c.volunteer_id == volunteer_id, membership.c.role == "leader", membership.c.until.is_(None))
        .where(team.c.ended_on.is_(None), others, ~others.where(other.c.role == "leader"))
        .order_by(team.c.number)
    )  # fmt: skip
    found: str | None = desk.connection.execute(query.limit(1)).scalar()
    return found


def owner_on(day: int) -> sa.ColumnElement[int]:
    """Return the SQL for the id of the organization of a membership joined with its team, on ``day``."""
    return sa.case((membership.c.team_id.is_(None), membership.c.organization_id), else_=organization_on(day))


def teams_of(organization_ids: Any, day: int) -> sa.Select[Any]:
    """Return the select of ids of the teams that belong to one of the organizations on ``day``."""
    return sa.select(team.c.id).where(organization_on(day).in_(organization_ids))


def members_of(organization_numbers: tuple[str, ...], day: int) -> sa.CompoundSelect[Any]:
    """Return the select of ids of volunteers who belong to one of the organizations in any way on ``day``."""
    ids = sa.select(organization.c.id).where(organization.c.number.in_(organization_numbers))
    there = sa.select(membership.c.volunteer_id).where(during(day))
    managed = there.where(membership.c.organization_id.in_(ids))
    return managed.union_all(there.where(membership.c.team_id.in_(teams_of(ids, day))))


def reached_by(day: int) -> dict[str, Any]:
    """Return what a volunteer's row can be reached by, for `store.grants.within`."""

    def teams(numbers: tuple[str, ...]) -> sa.ColumnElement[bool]:
        inside = (
            sa.select(membership.c.volunteer_id)
            .join(team, team.c.id == membership.c.team_id)
            .where(team.c.number.in_(numbers), during(day))
        )
        return volunteer.c.id.in_(inside)

    return {
        "volunteer": volunteer.c.number,
        "team": teams,
        "organization": lambda numbers: volunteer.c.id.in_(members_of(numbers, day)),
        "area": volunteer.c.district,
    }


def find(desk: Desk, number: str) -> Found | None:
    """Return the volunteer with this number or, for one that was merged, the one it became; None if unknown."""
    if type(number) is not str or not storable(number):
        return None
    there = volunteer.c.number == resolved_number(desk.connection, number)
    id_ = desk.connection.execute(sa.select(volunteer.c.id).where(there)).scalar()
    return None if id_ is None else find_many(desk, [id_])[0]


def number_given(number: str) -> str:
    """Return a volunteer's number as it was handed in; raises InvalidValue.

    Portals hand in `Actor.volunteer`, which is None for an account that is no volunteer's.
    """
    if number is None:
        raise InvalidValue("no_volunteer", name="volunteer")
    return plain_text("volunteer", number)


def reached(desk: Desk, action: str, number: str, *, managing: bool = False) -> tuple[Found, Cell]:
    """Return the volunteer and the cell that lets the actor do ``action`` to them.

    With ``managing`` of all organizations only the one that manages the volunteer counts. Raises NotFound
    (also for a foreign one), NotPermitted, InvalidValue for an actor's own number that is None.
    """
    if number is None:
        number_given(number)
    found = find(desk, number)
    place = None if found is None else by_managing(found) if managing else found.place
    cell = desk.permit_on(action, "volunteer", number, place)
    assert found is not None
    return found, cell


def find_many(desk: Desk, ids: Sequence[int]) -> list[Found]:
    """Return the volunteers with these ids, in their order, with where they belong on the desk's day."""
    rows = {
        row.id: row for row in desk.connection.execute(sa.select(volunteer).where(volunteer.c.id.in_(ids)))
    }
    belongs: dict[int, list[Any]] = {id_: [] for id_ in rows}
    query = (
        sa.select(
            membership.c.volunteer_id,
            membership.c.role,
            organization.c.number,
            organization.c.id,
            team.c.number,
        )
        .outerjoin(team, team.c.id == membership.c.team_id)
        .outerjoin(organization, organization.c.id == owner_on(day_number(desk.today)))
        .where(membership.c.volunteer_id.in_(list(rows)), during(day_number(desk.today)))
        .order_by(membership.c.role != "managing", membership.c.id)
    )
    for id_, *one in desk.connection.execute(query):
        belongs[id_].append(one)
    return [_found(rows[id_], belongs[id_]) for id_ in ids if id_ in rows]


def _found(row: Any, belongs: list[Any]) -> Found:
    place = Place(
        row.number,
        tuple(dict.fromkeys(each[3] for each in belongs if each[3])),
        tuple(dict.fromkeys(each[1] for each in belongs if each[1])),
        (row.district,) if row.district else (),
    )
    managing = next((each for each in belongs if each[0] == "managing"), None)
    return Found(
        row.id, row.number, row.status, managing[1] if managing else "", managing[2] if managing else 0,
        row.registered_on, row.adult_on, place,
    )  # fmt: skip


def by_managing(found: Found) -> Place:
    """Return the place for what only the managing organization may do."""
    # A case knows one team at most, and the teams have no say in it.
    managing = (found.organization,) if found.organization else ()
    return attrs.evolve(found.place, organizations=managing, teams=())


def periods_of(desk: Desk, volunteer_id: int) -> tuple[Period, ...]:
    """Return a volunteer's dated periods, in the order in which they were put."""
    query = sa.select(period).where(period.c.volunteer_id == volunteer_id).order_by(period.c.id)
    return tuple(
        Period(row.kind, day_of(row.since), None if row.until is None else day_of(row.until))
        for row in desk.connection.execute(query)
    )


def status_of(desk: Desk, found: Found, on: dt.date | None = None) -> str:
    """Return a volunteer's status on a day (default today), also when a term ran out and nobody has swept."""
    day = on or desk.today
    status = found.status
    if status == "pending":
        case = waiting_case(desk, "volunteer.registration", f"volunteer:{found.id}")
        outcome = case.state if case is not None else ""
        status = {"granted": "approved", "refused": "refused"}.get(outcome, "pending")
    return status_on(status, periods_of(desk, found.id), day)
