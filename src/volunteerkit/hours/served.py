"""A volunteer's own attendance: every pair of check-in and check-out, and what has become of its minutes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.errors import InvalidValue
from volunteerkit.hours.statement import StatementLine, statement
from volunteerkit.hours.tables import service_record
from volunteerkit.projects.presence import Attendance, read, shown
from volunteerkit.projects.tables import attendance, project
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.registering import possible_id
from volunteerkit.units import day_number, plain_day
from volunteerkit.volunteers.persons import together
from volunteerkit.volunteers.reading import number_given, reached

__all__ = ["ServedPair", "attendance_of"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class ServedPair:
    """One pair as it stands, instants in the city's zone; ``project`` is a number.

    ``raw_minutes`` lie within the shift (0 while the person is there), ``confirmed_minutes`` are what somebody
    confirmed and ``credited_minutes`` what the rulebook credits of them, with the ``reasons`` for a difference.
    ``claim`` tells where the minutes stand: ``open`` (nobody checked out yet), ``waiting`` for a review, ``refused``
    by it, ``unclaimed``, or the state of the record ``record_id``.
    """

    attendance_id: int
    shift_id: int
    project: str
    project_name: str
    served_on: dt.date
    in_at: dt.datetime
    out_at: dt.datetime | None
    flags: tuple[str, ...]
    claim: str
    raw_minutes: int
    confirmed_minutes: int
    credited_minutes: int
    record_id: int | None = None
    reasons: tuple[Any, ...] = ()


@storage_errors("database")
def attendance_of(
    desk: Desk,
    volunteer: str,
    *,
    since: dt.date | None = None,
    rulebook: str = "union",
    after: int = 0,
    limit: int = 100,
) -> tuple[ServedPair, ...]:
    """Return a volunteer's pairs, by pages in the order of their ids: ``limit`` of them following ``after``.

    For whoever may read the volunteer's `statement`, the volunteer first of all; merged volunteers are one person.
    ``since`` is the first day. Raises NotFound, NotPermitted, InvalidValue.
    """
    number_given(volunteer)
    found, _ = reached(desk, "hours.statement", volunteer)
    if after != 0 and not possible_id(after):
        raise InvalidValue(name="after", value=type(after).__name__, allowed="0, 1, 2, …")
    if not possible_id(limit):
        raise InvalidValue(name="limit", value=type(limit).__name__, allowed="1, 2, …")
    where: list[Any] = [attendance.c.volunteer_id.in_(together(desk.connection, found.id))]
    if since is not None:
        where.append(attendance.c.served_on >= day_number(plain_day("since", since)))
    pairs = sorted(
        (each for each in read(desk, *where, project.c.status != "deleted") if each.id > after),
        key=lambda each: each.id,
    )[:limit]
    numbers, ids = {each.project for each in pairs}, {each.record_id for each in pairs if each.record_id}
    named = sa.select(project.c.number, project.c.name).where(project.c.number.in_(numbers))
    names = {row[0]: row[1] for row in desk.connection.execute(named)}
    stand = sa.select(service_record.c.id, service_record.c.state).where(service_record.c.id.in_(ids))
    states = {row[0]: row[1] for row in desk.connection.execute(stand)}
    lines = {each.record_id: each for each in statement(desk, volunteer, rulebook=rulebook).lines}
    return tuple(
        _served(shown(desk, each), names[each.project], states, lines.get(each.record_id or 0))
        for each in pairs
    )


def _served(pair: Attendance, name: str, states: dict[int, str], line: StatementLine | None) -> ServedPair:
    return ServedPair(
        pair.id, pair.shift_id, pair.project, name, pair.served_on, pair.in_at, pair.out_at, pair.flags,
        _claim(pair, states), pair.minutes, 0 if line is None else line.confirmed_minutes,
        0 if line is None else line.credited_minutes, pair.record_id, () if line is None else line.reasons,
    )  # fmt: skip


def _claim(pair: Attendance, states: dict[int, str]) -> str:
    if pair.record_id is not None:
        return states[pair.record_id]
    if "refused" in pair.flags:
        return "refused"
    if pair.out_at is None:
        return "open"
    return "waiting" if pair.waiting else "unclaimed"
