"""Group entries: so many persons served so long, for a team; nobody is named, and nobody is credited.

They stand in a table of their own and count in the statistics of teams and organizations only, once confirmed.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.access import Person, Place
from volunteerkit.errors import AlreadyResolved, Finding, InvalidValue, Refused
from volunteerkit.hours.periods import open_day, period_state, period_values
from volunteerkit.hours.tables import group_entry
from volunteerkit.ledger import DAY_MINUTES
from volunteerkit.organizations.reading import reached
from volunteerkit.organizations.tables import organization, team
from volunteerkit.projects.tables import project as projects
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import within
from volunteerkit.store.posting import command, driver, note
from volunteerkit.store.registering import checked_text, id_of, next_id, possible_id
from volunteerkit.store.sealing import insert_sealed, update_sealed
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_number, day_of, instant_of, plain_day, whole_number

__all__ = ["GroupEntry", "decide_group", "enter_group", "group_entries", "group_minutes"]

_PERSONS: Final = 10_000
_STATES: Final = {"confirm": "confirmed", "reject": "rejected"}


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class GroupEntry:
    """``persons`` served ``minutes`` each on a day; numbers of team, project and organization."""

    id: int
    team: str
    project: str
    organization: str
    served_on: dt.date
    minutes: int
    persons: int
    state: str
    recorded_by: str
    decided_by: str | None

    @property
    def person_minutes(self) -> int:
        """What the entry is worth to its team: minutes times persons.

        >>> GroupEntry(1, "T1", "P1", "O1", dt.date(2026, 11, 8), 180, 5, "confirmed", "a", "b").person_minutes
        900
        """
        return self.minutes * self.persons


_rows = (
    sa.select(
        group_entry, team.c.number.label("team"), projects.c.number.label("project"),
        organization.c.number.label("organization"),
    )
    .join(team, team.c.id == group_entry.c.team_id)
    .join(projects, projects.c.id == group_entry.c.project_id)
    .join(organization, organization.c.id == group_entry.c.organization_id)
    .order_by(group_entry.c.id)
)  # fmt: skip


def _entry(row: Any) -> GroupEntry:
    return GroupEntry(row.id, row.team, row.project, row.organization, day_of(row.served_on), row.minutes, row.persons,
                      row.state, row.recorded_by, row.decided_by)  # fmt: skip


def _must_be_open(desk: Desk, organization_id: int, day: int) -> None:
    execute = driver(desk.connection)
    state = execute(
        f"SELECT {period_state('?', str(int(organization_id)))}", period_values(desk, day)
    ).fetchone()[0]
    open_day(desk, organization_id, day, state)


@command
def enter_group(
    desk: Desk, team_number: str, project: str, served_on: dt.date, *, minutes: int, persons: int
) -> int:
    """Enter that ``persons`` of a team served ``minutes`` each; return the entry's number, which waits.

    Raises NotFound, NotPermitted, InvalidValue, and Refused: another organization's project, a day in the future, a
    closed period.
    """
    row = reached(desk, "hours.enter_group", team_number, kind="team")
    day = plain_day("served_on", served_on)
    values = {
        "minutes": whole_number("minutes", minutes, 1, DAY_MINUTES),
        "persons": whole_number("persons", persons, 1, _PERSONS),
    }
    project_id = id_of(desk, projects, "project", project)
    owner = desk.connection.execute(
        sa.select(projects.c.organization_id).where(projects.c.id == project_id)
    ).scalar_one()
    if owner != row.owner_id:
        raise Refused(Finding("project_of_others", {"project": project, "team": team_number}))
    if day > desk.today:
        raise Refused(Finding("served_in_future", {"day": day, "today": desk.today}))
    _must_be_open(desk, owner, day_number(day))
    id_ = next_id(desk, group_entry)
    insert_sealed(
        desk, group_entry, id=id_, team_id=row.id, project_id=project_id, organization_id=owner,
        served_on=day_number(day), state="pending", recorded_by=desk.actor.id,
        recorded_volunteer=desk.acting.volunteer, recorded_at=microseconds(desk.now), **values,
    )  # fmt: skip
    note(desk, "hours.group_entered", f"group_entry:{id_}", values)
    return id_


@command
def decide_group(desk: Desk, group_id: int, verdict: str, *, reason: str = "") -> GroupEntry:
    """Confirm or reject a group entry, once; ``verdict`` is ``"confirm"`` or ``"reject"``, which needs a reason.

    Raises NotFound, NotPermitted, AlreadyResolved, InvalidValue, and Refused for whoever entered it, or in a
    closed period.
    """
    if not isinstance(verdict, str) or verdict not in _STATES:
        raise InvalidValue(name="verdict", value=verdict, allowed=", ".join(_STATES))
    said = checked_text("reason", reason, 500) if reason or verdict == "reject" else ""
    row: Any = None
    if possible_id(group_id):
        row = desk.connection.execute(_rows.where(group_entry.c.id == group_id)).first()
    place = None if row is None else Place(None, (row.team,), (row.organization,))
    desk.permit_on("hours.confirm", "group_entry", group_id, place)
    if desk.is_one_of(Person(row.recorded_by, row.recorded_volunteer)):
        raise Refused(Finding("own_record", {"record": group_id}))
    if row.state != "pending":
        at = instant_of(row.decided_at).astimezone(desk.zone)
        raise AlreadyResolved(id=group_id, state=row.state, actor=row.decided_by, at=at)
    if verdict == "confirm":
        _must_be_open(desk, row.organization_id, row.served_on)
    address = seal_text(desk, f"group_entry:{group_id}", f"decision:{group_id}", said)
    update_sealed(
        desk, group_entry, group_id, state=_STATES[verdict], decided_by=desk.actor.id,
        decided_at=microseconds(desk.now), reason=address,
    )  # fmt: skip
    note(desk, "hours.group_decided", f"group_entry:{group_id}", {"state": _STATES[verdict]})
    return _entry(desk.connection.execute(_rows.where(group_entry.c.id == group_id)).one())


def group_minutes(desk: Desk, *where: sa.ColumnElement[bool]) -> dict[int, int]:
    """Return the confirmed minutes times persons, by the organization's id, of entries that meet the conditions.

    For statistics, which show them beside the minutes of named persons and never add the two: nobody knows whether
    one of the persons has a record of their own.
    """
    entry = group_entry.c
    total = sa.func.sum(entry.minutes * entry.persons)
    query = sa.select(entry.organization_id, total).where(entry.state == "confirmed", *where)
    rows = desk.connection.execute(query.group_by(entry.organization_id)).all()
    return {row[0]: int(row[1]) for row in rows}


@storage_errors("database")
def group_entries(
    desk: Desk,
    *,
    since: dt.date | None = None,
    as_of: dt.date | None = None,
    after: int = 0,
    limit: int = 1000,
) -> tuple[GroupEntry, ...]:
    """Return the group entries that the actor may enter ones beside, by pages in the order of their numbers.

    ``since`` and ``as_of`` are the first and last day of service. Raises NotPermitted, InvalidValue.
    """
    whole_number("after", after)
    whole_number("limit", limit, 1)
    reach = desk.reach("hours.enter_group")
    if reach.nothing:
        desk.permit("hours.enter_group")
    query = _rows.where(
        within(reach, {"team": team.c.number, "organization": organization.c.number}),
        group_entry.c.id > after,
    )
    if since is not None:
        query = query.where(group_entry.c.served_on >= day_number(plain_day("since", since)))
    if as_of is not None:
        query = query.where(group_entry.c.served_on <= day_number(plain_day("as_of", as_of)))
    return tuple(map(_entry, desk.connection.execute(query.limit(limit))))
