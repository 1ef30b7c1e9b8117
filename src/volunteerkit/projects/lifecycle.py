"""The verbs of an approved project's life: publish, cancel, report, archive, delete; and which hours it takes."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.approvals import Case
from volunteerkit.approvals.cases import end_cases, open_case
from volunteerkit.approvals.tables import case as case_table
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.organizations.reading import admitted_row, must_live
from volunteerkit.projects.applying import case_facts, case_place
from volunteerkit.projects.model import WITHOUT_HOURS, Project
from volunteerkit.projects.planning import cancel_shifts
from volunteerkit.projects.reading import (
    as_project,
    must_stand,
    place_of,
    project_rows,
    reached,
    subject_of,
)
from volunteerkit.projects.tables import attendance, project, shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, possible_id
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_of, instant_of, whole_number

__all__ = [
    "accepts_hours",
    "archive",
    "cancel",
    "delete",
    "length_minutes",
    "mark_template",
    "publish",
    "report",
    "settle_closing",
]

CLOSING: Final = "project.closing"
_MINUTE: Final = 60_000_000
_OVER: Final = ("pending", "approved", "published", "closing")
"""States from which nothing is archived: something is still to be done."""


def __dir__() -> list[str]:
    return __all__


def _shifts(desk: Desk, project_id: int) -> list[Any]:
    mine = sa.select(shift).where(shift.c.project_id == project_id, shift.c.cancelled_at.is_(None))
    return list(desk.connection.execute(mine.order_by(shift.c.starts_at, shift.c.id)))


def _moved(desk: Desk, row: Any, states: tuple[str, ...], **values: Any) -> None:
    """Write a new state, unless somebody moved the project meanwhile."""
    guarded = sa.update(project).where(project.c.id == row.id, project.c.status.in_(states))
    if desk.connection.execute(guarded.values(**values)).rowcount != 1:
        raise Refused(Finding("project_state", {"number": row.number, "status": row.status}))


@command
def publish(desk: Desk, number: str) -> Project:
    """Publish an approved project, so that volunteers see and join it; return it.

    Raises NotFound, NotPermitted, and Refused for one that is not approved, has begun already (what is past
    goes through ``back_entry``), or whose organization or team may not act.
    """
    row = reached(desk, "project.publish", number)
    must_stand(row, "approved")
    if row.back_entry:
        raise Refused(Finding("back_entry_unpublished", {"number": number}))
    must_live(admitted_row(desk, row.organization))
    if row.team:
        must_live(admitted_row(desk, row.team, kind="team"))
    shifts = _shifts(desk, row.id)
    first = day_of(row.starts_on) if row.starts_on is not None else desk.today
    if first < desk.today or (shifts and shifts[0].starts_at <= microseconds(desk.now)):
        raise Refused(Finding("in_the_past", {"day": str(first), "today": str(desk.today)}))
    _moved(desk, row, ("approved",), status="published", published_at=microseconds(desk.now))
    note(desk, "project.published", subject_of(row), {"shifts": len(shifts)})
    return _again(desk, row)


def _again(desk: Desk, row: Any) -> Project:
    return as_project(desk, desk.connection.execute(project_rows.where(project.c.id == row.id)).one())


_records = sa.table("vk_service_record", sa.column("project_id"), sa.column("state"))
"""Hours lie above projects, so their table is asked by its name alone."""


def _has_records(desk: Desk, project_id: int, *states: str) -> bool:
    """Tell whether there are records in these states (default any), or people came who have none yet."""
    mine = sa.select(_records.c.project_id).where(_records.c.project_id == project_id)
    mine = mine.where(_records.c.state.in_(states)) if states else mine
    came = (
        sa.select(shift.c.project_id).join(attendance, attendance.c.shift_id == shift.c.id)
        .where(shift.c.project_id == project_id, attendance.c.record_id.is_(None),
               attendance.c.flags.not_like("%refused%"))
    )  # fmt: skip
    return any(desk.connection.execute(each.limit(1)).first() is not None for each in (mine, came))


@command
def cancel(desk: Desk, number: str, *, reason: str) -> None:
    """Cancel an approved or published project: nobody gets hours for it.

    Everybody's part in it ends, its waiting lists are emptied, its open cases too; the event names once each
    volunteer to be notified. Raises NotFound, NotPermitted, InvalidValue, and Refused when hours were claimed
    or confirmed, or somebody checked in: then its coming shifts are cancelled one by one, and it is reported on.
    """
    row = reached(desk, "project.publish", number)
    said = checked_text("reason", reason, 500)
    must_stand(row, "approved", "published")
    if _has_records(desk, row.id, "pending", "confirmed"):
        raise Refused(Finding("project_has_hours", {"number": number}))
    sealed = seal_text(desk, subject_of(row), "cancellation:0", said)
    _ended(desk, row, ("approved", "published"), "cancelled", "project.cancelled", sealed)


def _ended(
    desk: Desk, row: Any, states: tuple[str, ...], status: str, type: str, reason: str, **more: Any
) -> None:
    told = cancel_shifts(desk, [each.id for each in _shifts(desk, row.id)], reason)
    values = {"status": status, "ended_at": microseconds(desk.now), "reason": reason, **more}
    _moved(desk, row, states, **values)
    end_cases(desk, case_table.c.subject == subject_of(row), by=type.replace(".", "_"))
    note(desk, type, subject_of(row), {"notify": told})


@command
def report(desk: Desk, number: str, *, persons: int, minutes: int, result: str) -> int:
    """Report on a project that is over, and return the case of its closing review.

    ``persons`` is how many were served, ``minutes`` how long in all, ``result`` what came of it. Raises
    NotFound, NotPermitted, InvalidValue, and Refused before its last shift has ended.
    """
    row = reached(desk, "project.close", number)
    for name, value in (("persons", persons), ("minutes", minutes)):
        whole_number(name, value, 0, 10**9)
    said = checked_text("result", result, 2000)
    states = ("approved", "published") if row.back_entry or row.case_id is None else ("published",)
    must_stand(row, *states)
    shifts = _shifts(desk, row.id)
    last = max((each.ends_at for each in shifts), default=None)
    ends_on = None if row.ends_on is None else day_of(row.ends_on)
    if (last is not None and last > microseconds(desk.now)) or (
        last is None and ends_on is not None and ends_on > desk.today
    ):
        raise Refused(Finding("not_over", {"day": str(ends_on or ""), "today": str(desk.today)}))
    given = sa.select(sa.func.count()).select_from(case_table)
    times = desk.connection.execute(
        given.where(case_table.c.kind == CLOSING, case_table.c.subject == subject_of(row))
    ).scalar_one()
    sealed = seal_text(desk, subject_of(row), f"report:{times}", said)
    reported = {"served_persons": persons, "served_minutes": minutes, "result": sealed}
    _moved(desk, row, states, status="closing", **reported)
    note(desk, "project.reported", subject_of(row), {"persons": persons, "minutes": minutes})
    place = attrs.evolve(place_of(desk, row), volunteer=None, brought_by=None, published=False)
    facts = case_facts(desk, "project.close", row.number, place, row.area)
    facts |= {"persons": persons, "minutes": minutes}
    where = case_place(desk, CLOSING, place, row.area, facts)
    return open_case(desk, CLOSING, subject_of(row), where, facts=facts).id


def settle_closing(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    """Close the project, or put it back where it was reported from."""
    id_ = int(case.subject.partition(":")[2])
    row = desk.connection.execute(sa.select(project).where(project.c.id == id_)).one()
    before = "approved" if row.published_at is None else "published"
    closed = {"status": "closed", "ended_at": microseconds(desk.now)}
    guarded = sa.update(project).where(project.c.id == id_, project.c.status == "closing")
    done = desk.connection.execute(guarded.values(closed if outcome == "granted" else {"status": before}))
    if done.rowcount == 1 and outcome == "granted":
        note(desk, "project.closed", case.subject, {"case": case.id})


@command
def archive(desk: Desk, number: str) -> None:
    """Put a project away that is closed, cancelled, refused or withdrawn, or was imported as over.

    Its hours stay. Raises NotFound, NotPermitted, Refused while something is still to be done with it.
    """
    row = reached(desk, "project.close", number)
    if row.status in (*_OVER, "archived"):
        must_stand(row)
    _moved(desk, row, (row.status,), status="archived")
    note(desk, "project.archived", subject_of(row), {"before": row.status})


@command
def delete(desk: Desk, number: str) -> None:
    """Delete a project for which nobody has hours: its number is there for nobody any more.

    Whoever meant to come is named in the event to be notified; its open cases end. Raises NotFound,
    NotPermitted, and Refused when hours were claimed or confirmed, or somebody checked in: `archive` it instead.
    """
    row = reached(desk, "project.close", number)
    if _has_records(desk, row.id):
        raise Refused(Finding("project_has_records", {"number": number}))
    empty = {"name": "", "statements": "{}"}
    _ended(desk, row, (row.status,), "deleted", "project.deleted", row.reason, **empty)


@command
def mark_template(desk: Desk, number: str, template: bool = True) -> None:
    """Mark a project as one to `copy` from, or take the mark away. Raises NotFound, NotPermitted, InvalidValue."""
    row = reached(desk, "project.edit", number)
    if type(template) is not bool:
        raise InvalidValue(name="template", value=type(template).__name__, allowed="True, False")
    desk.connection.execute(sa.update(project).where(project.c.id == row.id).values(template=int(template)))
    note(desk, "project.edited", subject_of(row), {"fields": ["template"], "template": int(template)})


def accepts_hours(desk: Desk, project_id: int, day: dt.date) -> bool:
    """Tell whether hours of a day may be recorded for the project with that id, by where it stands."""
    if not possible_id(project_id):
        return False
    query = sa.select(project.c.status, project.c.back_entry).where(project.c.id == project_id)
    row = desk.connection.execute(query).first()
    if row is None or row.status in WITHOUT_HOURS:
        return False
    return not row.back_entry or length_minutes(desk, project_id, day) > 0


def length_minutes(desk: Desk, project_id: int, day: dt.date) -> int:
    """Return how many minutes a project lasts on a day: of the shifts that begin on it, together.

    Shifts at the same time are counted once. Nobody's hours there are more, for a project entered afterwards.
    """
    total, until = 0, 0
    for each in _shifts(desk, project_id):
        if instant_of(each.starts_at).astimezone(desk.zone).date() == day:
            total += max(0, each.ends_at - max(each.starts_at, until))
            until = max(until, each.ends_at)
    return total // _MINUTE
