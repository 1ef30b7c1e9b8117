"""One list of records that somebody should look into, each with the reasons, whatever found them.

Some reasons were written down when the record was made (overlaps, what it is held for, what a plugin warned of);
the others follow from the record and are worked out for every page.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.hours.checking import recording_due
from volunteerkit.hours.tables import flag, service_record
from volunteerkit.hours.travelling import impossible_travel
from volunteerkit.ledger import DAY_MINUTES
from volunteerkit.organizations.tables import organization
from volunteerkit.projects.tables import attendance, project, shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import within
from volunteerkit.units import day_of, instant_of, whole_number
from volunteerkit.volunteers.tables import volunteer

__all__ = ["Doubt", "inspect"]

_PAGE: Final = 500
_OFFICE: Final = (9 * 60, 17 * 60)
_OFFICE_MINUTES: Final = 6 * 60
_BULK: Final = 30
_DAY_MICROSECONDS: Final = DAY_MINUTES * 60_000_000


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Doubt:
    """A record and why it is looked into: ``codes`` have texts of their own, a plugin's begins with its name.

    ``minutes`` are those confirmed, else those claimed; ``volunteer`` and ``project`` are numbers.
    """

    record_id: int
    volunteer: str
    project: str
    organization: str
    served_on: dt.date
    minutes: int
    state: str
    codes: tuple[str, ...]


@storage_errors("database")
def inspect(desk: Desk, *, after: int = 0, limit: int = 100) -> tuple[Doubt, ...]:
    """Return records that the actor may inspect and somebody should look into, by pages in the order of their ids.

    Longer than the city's policy finds likely or shorter, waiting for long, reversed, overlapping, on a day of more
    than 24 hours, held, late; signs of fraud: nobody checked in, office hours, many entries made at once, travel that
    nobody can have made; and what plugins warned of. At most ``limit``, with ids above ``after``. Raises NotPermitted, InvalidValue.
    """
    whole_number("after", after)
    whole_number("limit", limit, 1)
    reached = desk.reach("hours.inspect")
    if reached.nothing:
        desk.permit("hours.inspect")
    where = within(reached, {"organization": organization.c.number})
    found: list[Doubt] = []
    while len(found) < limit:
        rows = desk.connection.execute(
            _candidates.where(where, service_record.c.id > after).limit(_PAGE)
        ).fetchall()
        found += _doubts(desk, rows)
        if len(rows) < _PAGE:
            break
        after = rows[-1].id
    return tuple(found[:limit])


_r = service_record.c
_minutes = sa.case((_r.state == "confirmed", _r.confirmed_minutes), else_=_r.claimed_minutes)
_own_entry = sa.and_(_r.batch_id.is_(None), _r.method != "checkin")
_candidates = (
    sa.select(
        service_record, _minutes.label("minutes"), volunteer.c.number.label("volunteer"),
        project.c.number.label("project"), organization.c.number.label("organization"),
        sa.exists().where(shift.c.project_id == _r.project_id).label("has_shifts"),
    )
    .join(volunteer, volunteer.c.id == _r.volunteer_id)
    .join(project, project.c.id == _r.project_id)
    .join(organization, organization.c.id == _r.organization_id)
    .where(_r.state.in_(("pending", "confirmed", "reversed")))
    .order_by(_r.id)
)  # fmt: skip


def _doubts(desk: Desk, rows: Sequence[Any]) -> Iterator[Doubt]:
    ids = [row.id for row in rows]
    marked: dict[int, list[str]] = defaultdict(list)
    flags = sa.select(flag.c.record_id, flag.c.kind).where(flag.c.record_id.in_(ids)).order_by(flag.c.kind)
    for record_id, kind in desk.connection.execute(flags):
        marked[record_id].append(kind)
    attended, bulk, full = _attended(desk, rows), _bulk(desk, rows), _full_days(desk, rows)
    travelled = impossible_travel(desk, rows)
    for row in rows:
        held = row.held.split(",") if row.held else ()
        codes = [*marked[row.id], *(f"held_{why}" for why in held), *_of_itself(desk, row)]
        live = row.state != "reversed"
        if live and (row.volunteer_id, row.served_on) in full and "day_sum_over_24h" not in codes:
            codes.append("day_sum_over_24h")
        if (
            live
            and row.has_shifts
            and row.method != "checkin"
            and (row.volunteer_id, row.served_on) not in attended
        ):
            codes.append("no_check_in")
        if live and (row.recorded_by, row.entered_at) in bulk and row.batch_id is None:
            codes.append("entered_in_bulk")
        if live and row.id in travelled:
            codes.append("impossible_travel")
        if codes:
            yield Doubt(row.id, row.volunteer, row.project, row.organization, day_of(row.served_on), row.minutes,
                        row.state, tuple(codes))  # fmt: skip


def _of_itself(desk: Desk, row: Any) -> Iterator[str]:
    if row.state == "reversed":
        yield "reversed_entry"
        return
    if row.minutes > desk.policy.long_minutes:
        yield "long_entry"
    if row.minutes < desk.policy.short_minutes:
        yield "short_entry"
    ended_on = day_of(row.served_on + (max(row.start_minute, 0) + row.clock_minutes) // DAY_MINUTES)
    if row.entered_at is not None:
        entered = instant_of(row.entered_at).astimezone(desk.zone).date()
        due = recording_due(ended_on, desk.calendar, desk.policy)
        if due is not None and entered > due:
            yield "late_entry"
        waits = microseconds(desk.now) - row.entered_at > desk.policy.record_working_days * _DAY_MICROSECONDS
        if row.state == "pending" and waits:
            yield "open_entry"
    if row.start_minute >= 0 and desk.calendar.works_on(day_of(row.served_on)):
        begins, ends = row.start_minute, row.start_minute + row.clock_minutes
        if min(ends, _OFFICE[1]) - max(begins, _OFFICE[0]) >= _OFFICE_MINUTES:
            yield "office_hours"


def _days(rows: Sequence[Any]) -> tuple[list[int], list[int]]:
    return [row.volunteer_id for row in rows], [row.served_on for row in rows]


def _attended(desk: Desk, rows: Sequence[Any]) -> set[tuple[int, int]]:
    people, days = _days(rows)
    query = sa.select(attendance.c.volunteer_id, attendance.c.served_on).where(
        attendance.c.volunteer_id.in_(people), attendance.c.served_on.in_(days)
    )
    return {(row[0], row[1]) for row in desk.connection.execute(query)}


def _full_days(desk: Desk, rows: Sequence[Any]) -> set[tuple[int, int]]:
    """Return the persons' days whose records come to more than 24 hours."""
    people, days = _days(rows)
    query = (
        sa.select(_r.volunteer_id, _r.served_on)
        .where(_r.volunteer_id.in_(people), _r.served_on.in_(days), _r.state.in_(("pending", "confirmed")))
        .group_by(_r.volunteer_id, _r.served_on).having(sa.func.sum(_minutes) > DAY_MINUTES)
    )  # fmt: skip
    return {(row[0], row[1]) for row in desk.connection.execute(query)}


def _bulk(desk: Desk, rows: Sequence[Any]) -> set[tuple[str, int]]:
    """Return who entered many records at one instant."""
    instants = [row.entered_at for row in rows if row.entered_at is not None]
    query = (
        sa.select(_r.recorded_by, _r.entered_at).where(_own_entry, _r.entered_at.in_(instants))
        .group_by(_r.recorded_by, _r.entered_at).having(sa.func.count() >= _BULK)
    )  # fmt: skip
    return {(row[0], row[1]) for row in desk.connection.execute(query)}
