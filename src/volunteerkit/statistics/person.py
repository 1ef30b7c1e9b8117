"""One volunteer's activity record: service, training, commendation and evaluation in one dated view."""

from __future__ import annotations

import datetime as dt

import attrs
import sqlalchemy as sa

from volunteerkit.hours.tables import service_record
from volunteerkit.organizations.tables import organization
from volunteerkit.projects.tables import project
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.texts import only_masked, open_texts
from volunteerkit.units import day_of
from volunteerkit.volunteers.persons import together
from volunteerkit.volunteers.reading import reached
from volunteerkit.volunteers.tables import entry

__all__ = ["Activity", "activity_record"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Activity:
    """One line of a record: its day, kind (service, training, commendation, evaluation) and name.

    ``minutes`` are confirmed or trained ones, ``organization`` the number of who vouched or held,
    ``granted_by`` who commended, ``score`` an evaluation's 0 to 100, ``state`` a service record's.
    """

    on: dt.date
    kind: str
    name: str
    minutes: int | None
    organization: str
    granted_by: str
    score: int | None
    state: str


@storage_errors("database")
def activity_record(desk: Desk, number: str) -> tuple[Activity, ...]:
    """Return all that stands in a volunteer's record, by day. Raises NotFound, NotPermitted."""
    found, cell = reached(desk, "volunteer.view", number)
    ids = together(desk.connection, found.id)
    served = (
        sa.select(service_record.c.served_on, project.c.name, service_record.c.confirmed_minutes,
                  organization.c.number, service_record.c.state)
        .join(project, project.c.id == service_record.c.project_id)
        .join(organization, organization.c.id == service_record.c.organization_id)
        .where(service_record.c.volunteer_id.in_(ids))
        .order_by(service_record.c.served_on, service_record.c.id)
    )  # fmt: skip
    entered = (
        sa.select(entry, organization.c.number.label("of"))
        .outerjoin(organization, organization.c.id == entry.c.organization_id)
        .where(entry.c.volunteer_id.in_(ids))
        .order_by(entry.c.happened_on, entry.c.id)
    )
    rows = desk.connection.execute(entered).fetchall()
    masked = only_masked(desk, cell, found.place)
    judged = open_texts(desk, [row.name for row in rows if row.kind == "evaluation"], masked=masked)
    said = open_texts(desk, [row.name for row in rows if row.kind != "evaluation"]) | judged
    lines = [
        Activity(day_of(on), "service", name, minutes, of, "", None, state)
        for on, name, minutes, of, state in desk.connection.execute(served)
    ]
    lines += [
        Activity(
            day_of(row.happened_on),
            row.kind,
            said[row.name],
            row.minutes,
            row.of or "",
            row.granted_by,
            row.score,
            "",
        )
        for row in rows
    ]
    return tuple(sorted(lines, key=lambda line: line.on))
