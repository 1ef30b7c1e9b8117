"""Reading organizations and teams: as rows with their place, as values, by number or by what is reached."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from volunteerkit.access import Place
from volunteerkit.errors import Finding, NotFound, Refused
from volunteerkit.organizations.model import ADMITTED, WAITING, Organization, Team, given_text
from volunteerkit.organizations.tables import organization, organization_on, status_on, team
from volunteerkit.store.desk import Desk
from volunteerkit.store.grants import within
from volunteerkit.store.registering import id_of
from volunteerkit.units import day_number, day_of, whole_number

__all__ = [
    "admitted_row",
    "as_organization",
    "as_team",
    "below",
    "cannot_take_in",
    "found_row",
    "id_or_none",
    "listed",
    "must_live",
    "organization_rows",
    "place_of",
    "reached",
    "team_rows",
]

_PARENT, _HOST, _SUCCESSOR = (organization.alias(name) for name in ("parent", "host", "successor"))
_TEAM_PARENT, _TEAM_SUCCESSOR, _OWNER = (
    team.alias("parent"),
    team.alias("successor"),
    organization.alias("owner"),
)


def __dir__() -> list[str]:
    return __all__


def organization_rows(day: int) -> sa.Select[Any]:
    """Return the query for organizations as they stand on ``day``: columns of the table, numbers, status."""
    return (
        sa.select(
            organization, status_on(organization, day).label("stands"), _PARENT.c.number.label("parent"),
            _HOST.c.number.label("hosted_by"), _SUCCESSOR.c.number.label("successor"),
        )
        .select_from(organization)
        .outerjoin(_PARENT, _PARENT.c.id == organization.c.parent_id)
        .outerjoin(_HOST, _HOST.c.id == organization.c.hosted_by_id)
        .outerjoin(_SUCCESSOR, _SUCCESSOR.c.id == organization.c.successor_id)
    )  # fmt: skip


def team_rows(day: int) -> sa.Select[Any]:
    """Return the query for teams as they stand on ``day``; ``owner_id`` is the organization of that day."""
    return (
        sa.select(
            team, status_on(team, day).label("stands"), _OWNER.c.id.label("owner_id"),
            _OWNER.c.number.label("organization"), _TEAM_PARENT.c.number.label("parent"),
            _TEAM_SUCCESSOR.c.number.label("successor"),
        )
        .select_from(team)
        .outerjoin(_OWNER, _OWNER.c.id == organization_on(day))
        .outerjoin(_TEAM_PARENT, _TEAM_PARENT.c.id == team.c.parent_id)
        .outerjoin(_TEAM_SUCCESSOR, _TEAM_SUCCESSOR.c.id == team.c.successor_id)
    )  # fmt: skip


def place_of(row: Any) -> Place:
    """Return where a row of `organization_rows` or `team_rows` belongs; what was admitted once is public."""
    whose = row._mapping
    is_team = "owner_id" in whose
    numbers = (whose["organization"] if is_team else row.number,)
    return Place(
        row.brought_volunteer,
        (row.number,) if is_team else (),
        tuple(each for each in numbers if each),
        (row.area,) if row.area else (),
        row.brought_by or None,
        published=row.stands not in WAITING,
    )


def found_row(desk: Desk, number: str, *, kind: str = "organization") -> Any:
    """Return the row of an organization or team, None for an unknown number; nobody's right is checked here.

    Raises InvalidValue for what is no text.
    """
    given_text(kind, number)
    table, rows = (team, team_rows) if kind == "team" else (organization, organization_rows)
    return desk.connection.execute(rows(day_number(desk.today)).where(table.c.number == number)).first()


def reached(desk: Desk, action: str, number: str, *, kind: str = "organization") -> Any:
    """Return the row of an organization or team that the actor may do ``action`` to.

    Raises NotFound (also for a foreign one), NotPermitted, InvalidValue for what is no text.
    """
    row = found_row(desk, number, kind=kind)
    desk.permit_on(action, kind, number, None if row is None else place_of(row))
    return row


def admitted_row(desk: Desk, number: str, *, kind: str = "organization") -> Any:
    """Return the row of an organization or team that was admitted once, whoever asks.

    Raises NotFound for an unknown number, and for an application: nobody learns of it by naming it.
    """
    row = found_row(desk, number, kind=kind)
    if row is None or row.stands in WAITING:
        raise NotFound(kind=kind, id=number)
    return row


def listed(desk: Desk, action: str, *conditions: Any, kind: str = "organization", after: str = "",
           limit: int = 1000) -> Iterator[Any]:  # fmt: skip
    """Yield the rows that `reached` would return, in the order of their numbers, from ``after`` on."""
    given_text("after", after)
    whole_number("limit", limit, 1)
    day, table = day_number(desk.today), team if kind == "team" else organization
    rows = team_rows(day) if kind == "team" else organization_rows(day)
    columns: dict[str, Any] = {
        "volunteer": table.c.brought_volunteer,
        "brought_by": table.c.brought_by,
        "organization": _OWNER.c.number if kind == "team" else organization.c.number,
        "area": sa.func.nullif(table.c.area, ""),
        "published": status_on(table, day).not_in(WAITING),
    }
    if kind == "team":
        columns["team"] = table.c.number
    query = rows.where(within(desk.reach(action), columns), table.c.number > after, *conditions)
    yield from desk.connection.execute(query.order_by(table.c.number).limit(limit))


def _day(number: int | None) -> Any:
    return None if number is None else day_of(number)


def as_organization(row: Any) -> Organization:
    """Return the value for a row of `organization_rows`."""
    return Organization(
        row.number, row.name, row.kind, row.type, row.credit_code, row.area, row.parent, row.hosted_by,
        _day(row.registered_on), row.stands, _day(row.ended_on), row.successor,
    )  # fmt: skip


def as_team(row: Any) -> Team:
    """Return the value for a row of `team_rows`."""
    return Team(
        row.number, row.name, row.area, row.organization, row.parent, _day(row.registered_on), row.stands,
        _day(row.ended_on), row.successor,
    )  # fmt: skip


def must_live(row: Any, *also: str) -> None:
    """Raise Refused unless the row's organization or team may act today, or is in one of the ``also`` states.

    With one whose end is decided for a later day nothing new is begun.
    """
    if row.stands not in (*ADMITTED, *also) or row.ended_on is not None:
        raise Refused(Finding("not_living", {"number": row.number, "status": row.stands}))


def cannot_take_in(desk: Desk, number: str, day: dt.date) -> tuple[Finding, ...]:
    """Return why an organization takes in nobody and nothing on ``day``, or nothing.

    One that was never admitted counts as unknown: nobody learns of an application by naming it.
    """
    stands = sa.select(status_on(organization, day_number(day))).where(organization.c.number == number)
    status = desk.connection.execute(stands).scalar()
    if status is None or status in WAITING:
        return (Finding("organization_unknown", {}),)
    if status not in ADMITTED:
        return (Finding("organization_not_active", {"organization": number, "status": status}),)
    return ()


def id_or_none(desk: Desk, number: str | None, *, kind: str = "organization") -> int | None:
    """Return the id behind a number, None for None or an empty one; raises NotFound."""
    if number is None or not given_text(kind, number):
        return None
    return id_of(desk, team if kind == "team" else organization, kind, number)


def below(desk: Desk, table: sa.Table, top: int) -> set[int]:
    """Return the ids of everything below ``top`` and of ``top`` itself."""
    found, layer = {top}, {top}
    while layer:
        query = sa.select(table.c.id).where(table.c.parent_id.in_(sorted(layer)))
        layer = set(desk.connection.execute(query).scalars()) - found
        found |= layer
    return found
