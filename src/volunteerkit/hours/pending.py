"""Records that wait for somebody to confirm them."""

from __future__ import annotations

import datetime as dt

import attrs
import sqlalchemy as sa

from volunteerkit.access import Person
from volunteerkit.hours.tables import flag, service_record
from volunteerkit.organizations.tables import organization, team
from volunteerkit.projects.tables import project as projects
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import within
from volunteerkit.units import day_number, day_of, plain_day, plain_text, whole_number
from volunteerkit.volunteers.tables import volunteer

__all__ = ["PendingRecord", "list_pending"]

_ROWS = 500


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class PendingRecord:
    """One record that waits; ``start_minute`` is the minute of the day, -1 when no clock was kept.

    ``overlaps`` tells that another record of the volunteer was there for the same time when it came.
    """

    record_id: int
    volunteer: str
    project: str
    served_on: dt.date
    claimed_minutes: int
    start_minute: int
    clock_minutes: int
    recorded_by: str
    overlaps: bool


@storage_errors("database")
def list_pending(
    desk: Desk, *, project: str | None = None, served_on: dt.date | None = None, after: int = 0, limit: int = 1000
) -> tuple[PendingRecord, ...]:  # fmt: skip
    """Return the pending records that the actor may confirm, by id: of one project, of one day, or all.

    What they recorded or served themselves is left out: see `confirm`. For a list by pages: at most
    ``limit`` records, those whose ids follow ``after``, the id of the last one of the page before. Raises
    InvalidValue.
    """
    whole_number("after", after)
    whole_number("limit", limit, 1)
    reached = {"volunteer": volunteer.c.number, "team": team.c.number, "organization": organization.c.number}
    flagged = sa.select(flag.c.record_id).where(
        flag.c.record_id == service_record.c.id, flag.c.kind == "overlap_same_volunteer"
    )
    query = (
        sa.select(
            service_record.c.id, volunteer.c.number, projects.c.number, service_record.c.served_on,
            service_record.c.claimed_minutes, service_record.c.start_minute, service_record.c.clock_minutes,
            service_record.c.recorded_by, flagged.exists(),
        )
        .join(volunteer, volunteer.c.id == service_record.c.volunteer_id)
        .join(projects, projects.c.id == service_record.c.project_id)
        .join(organization, organization.c.id == service_record.c.organization_id)
        .outerjoin(team, team.c.id == service_record.c.team_id)
        .where(service_record.c.state == "pending", within(desk.reach("hours.confirm"), reached))
        .order_by(service_record.c.id)
        .limit(_ROWS)
    )  # fmt: skip
    if project is not None:
        query = query.where(projects.c.number == plain_text("project", project))
    if served_on is not None:
        query = query.where(service_record.c.served_on == day_number(plain_day("served_on", served_on)))
    found: list[PendingRecord] = []
    while True:
        rows = desk.connection.execute(query.where(service_record.c.id > after)).fetchall()
        for id_, number, where, on, claimed, start, clock, by, overlaps in rows:
            if not desk.is_one_of(Person(by, number)):
                found.append(PendingRecord(id_, number, where, day_of(on), claimed, start, clock, by, bool(overlaps)))  # fmt: skip
        if len(rows) < _ROWS or len(found) >= limit:
            return tuple(found[:limit])
        after = rows[-1][0]
