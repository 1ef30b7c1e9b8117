"""Travel that nobody can have made: one volunteer at two places, too far apart for the time between.

Where a person was is kept nowhere. A presence lies at the place of its shift, and one whose shift has no place, or
whose time of day is not known, says nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.hours.tables import service_record
from volunteerkit.ledger import DAY_MINUTES
from volunteerkit.projects.presence import MINUTE, metres_between
from volunteerkit.projects.tables import attendance, shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.units import day_of

__all__ = ["impossible_travel"]

_DAY: Final = DAY_MINUTES * MINUTE
_LIVE: Final = ("pending", "confirmed")


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class _Presence:
    """When somebody was said to be at a place: microseconds since 1970 UTC, and degrees."""

    volunteer_id: int
    begin: int
    end: int
    place: tuple[float, float]
    record_id: int | None


def impossible_travel(desk: Desk, rows: Sequence[Any]) -> set[int]:
    """Return the ids of records of the rows' volunteers, around their days, that ask for impossible travel.

    Between the end of one presence and the beginning of the next, up to a day later, somebody gets
    `Policy.travel_km_per_hour` far, and needs to be no nearer to either place than `Policy.geofence_metres`.
    """
    people, days = {row.volunteer_id for row in rows}, {row.served_on + n for row in rows for n in (-1, 0, 1)}
    there: dict[int, list[_Presence]] = defaultdict(list)
    for each in (*_checked_in(desk, people, days), *_entered(desk, people, days)):
        there[each.volunteer_id].append(each)
    found: set[int | None] = set()
    for presences in there.values():
        presences.sort(key=lambda each: (each.begin, each.end))
        for n, earlier in enumerate(presences):
            for later in presences[n + 1 :]:
                if later.begin - earlier.end >= _DAY:
                    break
                if _too_far(desk, earlier, later):
                    found |= {earlier.record_id, later.record_id}
    return {each for each in found if each is not None}


def _too_far(desk: Desk, earlier: _Presence, later: _Presence) -> bool:
    minutes = max(0, later.begin - earlier.end) / MINUTE
    reached = 2 * desk.policy.geofence_metres + desk.policy.travel_km_per_hour * 1000 / 60 * minutes
    return metres_between(earlier.place, later.place) > reached


def _place(row: Any) -> tuple[float, float]:
    return row.latitude_e6 / 1e6, row.longitude_e6 / 1e6


_has_place = sa.and_(shift.c.latitude_e6.is_not(None), shift.c.longitude_e6.is_not(None))


def _checked_in(desk: Desk, people: Collection[int], days: Collection[int]) -> Iterator[_Presence]:
    """Yield the pairs; of one that nobody ended it is known only when it began."""
    query = (
        sa.select(attendance, shift.c.latitude_e6, shift.c.longitude_e6)
        .join(shift, shift.c.id == attendance.c.shift_id)
        .outerjoin(service_record, service_record.c.id == attendance.c.record_id)
        .where(
            attendance.c.volunteer_id.in_(people), attendance.c.served_on.in_(days), _has_place,
            attendance.c.flags.not_like("%refused%"),
            sa.or_(attendance.c.record_id.is_(None), service_record.c.state.in_(_LIVE)),
        )
    )  # fmt: skip
    for row in desk.connection.execute(query):
        known = row.out_at is not None and row.out_method != "forgotten"
        end = row.out_at if known else row.in_at
        yield _Presence(row.volunteer_id, row.in_at, end, _place(row), row.record_id)


def _entered(desk: Desk, people: Collection[int], days: Collection[int]) -> Iterator[_Presence]:
    """Yield the records with a clock that came of no pair, where the project's shifts of that time have one place."""
    r = service_record.c
    midnight = r.served_on * _DAY
    query = (
        sa.select(r.id, r.volunteer_id, r.served_on, r.start_minute, r.clock_minutes, shift.c.starts_at,
                  shift.c.ends_at, shift.c.latitude_e6, shift.c.longitude_e6)
        .join(shift, shift.c.project_id == r.project_id)
        .where(
            r.volunteer_id.in_(people), r.served_on.in_(days), r.start_minute >= 0, r.state.in_(_LIVE),
            shift.c.cancelled_at.is_(None), shift.c.starts_at < midnight + 3 * _DAY,
            shift.c.ends_at > midnight - _DAY, _has_place,
            ~sa.exists().where(attendance.c.record_id == r.id),
        )
    )  # fmt: skip
    found: dict[int, dict[tuple[float, float], _Presence]] = defaultdict(dict)
    for row in desk.connection.execute(query):
        at = dt.time(*divmod(row.start_minute, 60))
        begin = microseconds(dt.datetime.combine(day_of(row.served_on), at, desk.zone))
        end = begin + row.clock_minutes * MINUTE
        if row.starts_at < end and begin < row.ends_at:
            place = _place(row)
            found[row.id][place] = _Presence(row.volunteer_id, begin, end, place, row.id)
    for places in found.values():
        if len(places) == 1:
            yield from places.values()
