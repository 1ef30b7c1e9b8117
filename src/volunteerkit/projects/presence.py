"""Who was there and how long: pairs of check-in and check-out as they stand at the desk's moment.

Nothing here writes. A pair that nobody ended is ended as a function of the clock: a reader sees the same
before and after the sweeper has written it.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.access import Place
from volunteerkit.organizations.tables import organization, team
from volunteerkit.policy import Policy
from volunteerkit.projects.tables import attendance, participation, project, shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.registering import possible_id
from volunteerkit.units import day_number, day_of, instant_of
from volunteerkit.volunteers.tables import volunteer

__all__ = [
    "MINUTE",
    "SWEPT",
    "Attendance",
    "Pair",
    "list_attendance",
    "metres_between",
    "minutes_within",
    "place_of_shift",
    "read",
    "served_on",
    "shown",
]

MINUTE: Final = 60_000_000
"""A minute in microseconds, the unit of every instant in the tables."""

_EARTH_METRES: Final = 6_371_000

SWEPT: Final = ("forgotten", "discharged")
"""Ways in which a pair ended without a check-out; each is also a flag."""

WAITING: Final = ("self_reported", "forgotten")
"""Flags for which somebody must have looked at a pair before it becomes hours."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Pair:
    """One stored pair with the shift's end and the discharge it depends on; instants in microseconds."""

    id: int
    in_at: int
    out_at: int | None
    out_method: str | None
    flags: str
    record_id: int | None

    def limit(self, policy: Policy) -> int:
        """Return the last instant for which a check-out is taken."""
        return self.in_at + policy.forgotten_check_out_minutes * MINUTE

    def ended(self, policy: Policy, ends_at: int, discharged_at: int | None, now: int) -> Pair:
        """Return the pair as a reader sees it at ``now``: also ended by a discharge or the configured limit, the first of them.

        Who forgot to check out was there until the limit at the longest, and never after the shift's end.
        """
        if self.out_at is not None:
            return self
        limit = self.limit(policy)
        if discharged_at is not None and discharged_at <= now and discharged_at < limit:
            return self._ended(max(discharged_at, self.in_at), "discharged")
        if limit > now:
            return self
        return self._ended(max(self.in_at, min(limit, ends_at)), "forgotten")

    def _ended(self, out_at: int, how: str) -> Pair:
        return attrs.evolve(self, out_at=out_at, out_method=how, flags=with_flags(self.flags, how))


def with_flags(held: str, *more: str, without: tuple[str, ...] = ()) -> str:
    """Return codes joined by commas with ``more`` and ``without`` some, each once.

    >>> with_flags("forgotten", "self_reported", without=("forgotten",))
    'self_reported'
    """
    words = dict.fromkeys([*filter(None, held.split(",")), *more])
    return ",".join(word for word in words if word not in without)


def metres_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return how far two places are from each other; (latitude, longitude) in degrees.

    >>> round(metres_between((27.8, 114.9), (27.8, 115.0)), -2)
    9800.0
    """
    south, west, north, east = (math.radians(each) for each in (*one, *other))
    half = math.sin((north - south) / 2) ** 2
    half += math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    return 2 * _EARTH_METRES * math.asin(math.sqrt(min(1.0, half)))


def minutes_within(begin: int, end: int, starts_at: int, ends_at: int) -> int:
    """Return the whole minutes from ``begin`` to ``end`` that lie within a shift; all in microseconds.

    >>> minutes_within(0, 90 * MINUTE, 30 * MINUTE, 60 * MINUTE)
    30
    """
    return max(0, min(end, ends_at) - max(begin, starts_at)) // MINUTE


def served_on(desk: Desk, starts_at: int) -> int:
    """Return the day number that a shift belongs to: the one on which it began, in the city's zone.

    A day begins at minute ``day_begins_minute`` of the clock, also on the days on which clocks are changed.
    """
    local = instant_of(starts_at).astimezone(desk.zone)
    early = local.hour * 60 + local.minute < desk.policy.day_begins_minute
    return day_number(local.date()) - early


@attrs.frozen
class Attendance:
    """One pair of check-in and check-out as it stands at the desk's moment.

    Instants are aware, in the city's zone. ``out_at`` is None while the person is there; ``served_on`` is the day on which the
    shift began; ``minutes`` are whole and lie within the shift, 0 until the pair has ended; ``distance_ok``
    tells whether the phone was near, None when that is not known. ``flags`` are codes: ``self_reported`` and
    ``forgotten`` wait for a review (`attendance.review`).
    """

    id: int
    shift_id: int
    project: str
    volunteer: str
    state: str
    served_on: dt.date
    starts_at: dt.datetime
    ends_at: dt.datetime
    in_at: dt.datetime
    out_at: dt.datetime | None
    in_received_at: dt.datetime
    in_method: str
    out_method: str | None
    distance_ok: bool | None
    flags: tuple[str, ...]
    minutes: int
    record_id: int | None
    place: Place = attrs.field(repr=False)

    @property
    def waiting(self) -> bool:
        """Whether somebody must look at it before it becomes hours."""
        return not {"reviewed", "refused"} & {*self.flags} and bool({*WAITING} & {*self.flags})


_ROWS = (
    sa.select(
        *attendance.c, participation.c.state, participation.c.served_until, shift.c.starts_at, shift.c.ends_at,
        project.c.number.label("project"), organization.c.number.label("organization"), team.c.number.label("team"),
        volunteer.c.number.label("volunteer"),
    )
    .join(participation, participation.c.id == attendance.c.participation_id)
    .join(shift, shift.c.id == attendance.c.shift_id)
    .join(project, project.c.id == shift.c.project_id)
    .join(organization, organization.c.id == project.c.organization_id)
    .join(volunteer, volunteer.c.id == attendance.c.volunteer_id)
    .outerjoin(team, team.c.id == project.c.team_id)
    .order_by(attendance.c.participation_id, attendance.c.in_at, attendance.c.id)
)  # fmt: skip


def read(desk: Desk, *where: sa.ColumnElement[bool], beyond: bool = False) -> list[Attendance]:
    """Return the pairs that meet the conditions, each person's in the order of time; instants in UTC, to count with.

    Minutes that two pairs of one person share (two lists kept on paper) count for the first of them only, of a
    refused one for the other. With ``beyond`` the minutes outside of the shift count too.
    """
    found: list[Attendance] = []
    now, last = microseconds(desk.now), (0, 0)
    for row in desk.connection.execute(_ROWS.where(*where)):
        gone = row.served_until if row.state == "discharged" else None
        pair = Pair(row.id, row.in_at, row.out_at, row.out_method, row.flags, row.record_id)
        pair = pair.ended(desk.policy, row.ends_at, gone, now)
        before = last[1] if last[0] == row.participation_id else 0
        minutes = 0
        if pair.out_at is not None:
            begin, span = max(pair.in_at, before), (row.starts_at, row.ends_at)
            minutes = minutes_within(begin, pair.out_at, *((begin, pair.out_at) if beyond else span))
            if "refused" not in pair.flags.split(","):
                last = row.participation_id, max(before, pair.out_at)
        found.append(_as_value(row, pair, minutes))
    return found


def _as_value(row: Any, pair: Pair, minutes: int) -> Attendance:
    return Attendance(
        row.id, row.shift_id, row.project, row.volunteer, row.state, day_of(row.served_on),
        instant_of(row.starts_at), instant_of(row.ends_at), instant_of(pair.in_at),
        None if pair.out_at is None else instant_of(pair.out_at), instant_of(row.in_received_at),
        row.in_method, pair.out_method, None if row.distance_ok is None else bool(row.distance_ok),
        tuple(filter(None, pair.flags.split(","))), minutes, row.record_id,
        Place(row.volunteer, (row.team,) if row.team else (), (row.organization,)),
    )  # fmt: skip


def place_of_shift(desk: Desk, shift_id: object) -> Place | None:
    """Return where a shift belongs, None for an unknown one."""
    if not possible_id(shift_id):
        return None
    query = (
        sa.select(organization.c.number, team.c.number)
        .select_from(shift)
        .join(project, project.c.id == shift.c.project_id)
        .join(organization, organization.c.id == project.c.organization_id)
        .outerjoin(team, team.c.id == project.c.team_id)
        .where(shift.c.id == shift_id, project.c.status != "deleted")
    )
    row = desk.connection.execute(query).first()
    return None if row is None else Place(None, (row[1],) if row[1] else (), (row[0],))


@storage_errors("database")
def list_attendance(desk: Desk, shift_id: int) -> tuple[Attendance, ...]:
    """Return who checked in to a shift and out again, each person's pairs in the order of time.

    Raises NotFound (also for a foreign shift), NotPermitted.
    """
    desk.permit_on("project.list_participants", "shift", shift_id, place_of_shift(desk, shift_id))
    return tuple(shown(desk, each) for each in read(desk, attendance.c.shift_id == shift_id))


def shown(desk: Desk, pair: Attendance) -> Attendance:
    """Return a pair of `read` with its instants in the city's zone, as everything that is read says them."""
    names = ("starts_at", "ends_at", "in_at", "in_received_at", *(("out_at",) if pair.out_at else ()))
    return attrs.evolve(pair, **{name: getattr(pair, name).astimezone(desk.zone) for name in names})
