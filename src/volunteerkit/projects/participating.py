"""Values of recruiting: what is open, who takes part, what else somebody has accepted, who would suit."""

from __future__ import annotations

import datetime as dt
from typing import Final

import attrs

from volunteerkit.errors import Finding

__all__ = [
    "AGAIN",
    "OUTCOMES",
    "TAKING",
    "Candidate",
    "Commitment",
    "Joined",
    "Opening",
    "Participation",
    "Places",
]

OUTCOMES: Final = ("completed", "discharged", "excused", "missed")
"""What becomes of an accepted participation; it keeps its place in the count of the shift."""

TAKING: Final = ("accepted", *OUTCOMES)
"""States whose persons and guests are counted in ``vk_shift.taken``."""

AGAIN: Final = ("withdrawn", "refused", "cancelled")
"""States after which somebody may apply again, or be invited."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Opening:
    """A shift as a plugin sees it: numbers, words and aware instants; ``capacity`` None is unlimited."""

    shift_id: int
    project: str
    organization: str
    team: str | None
    position: str | None
    skill: str | None
    starts_at: dt.datetime
    ends_at: dt.datetime
    capacity: int | None
    taken: int


@attrs.frozen
class Places:
    """The places of a shift: ``taken`` counts persons and guests, ``waiting`` those on the waiting list.

    ``capacity`` and ``free`` are None when the shift is unlimited. Who will be absent has given their place
    back already.
    """

    capacity: int | None
    taken: int
    waiting: int

    @property
    def free(self) -> int | None:
        """How many more may come, never below zero."""
        return None if self.capacity is None else max(0, self.capacity - self.taken)


@attrs.frozen
class Joined:
    """What became of an application: ``accepted``, ``waiting``, ``applied``; findings that did not block."""

    participation_id: int
    state: str
    findings: tuple[Finding, ...] = ()


@attrs.frozen
class Participation:
    """One person and one shift. ``name`` and ``phone`` are as the reader may see them, empty when not at all.

    ``project`` is the project's number, ``project_name`` what a page shows.

    ``minutes`` are those that the outcome lets count: the whole shift when completed, the part served when
    discharged early, none otherwise; whether they were served is a matter of the attendance.
    """

    id: int
    shift_id: int
    project: str
    volunteer: str
    state: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    guests: int
    children: int
    party: str | None
    applied_at: dt.datetime
    changed_at: dt.datetime
    served_until: dt.datetime | None = None
    name: str = attrs.field(default="", repr=False)
    phone: str = attrs.field(default="", repr=False)
    project_name: str = ""

    @property
    def minutes(self) -> int:
        """The whole minutes that the outcome lets count."""
        last = {"completed": self.ends_at, "discharged": self.served_until}.get(self.state)
        return (
            0
            if last is None
            else max(0, (last - self.starts_at.astimezone(dt.UTC)) // dt.timedelta(minutes=1))
        )


@attrs.frozen
class Commitment:
    """A shift in the life of somebody: whose it is and from when until when, in microseconds since 1970 UTC."""

    shift_id: int
    project: str
    organization: str
    starts_at: int
    ends_at: int


@attrs.frozen
class Candidate:
    """Who applied or waits for a shift, with what speaks for them.

    ``skills`` are those that the position asks for, ``served_here`` counts the shifts served with the
    organization, ``minutes`` all minutes served in shifts. ``distance_metres`` is None: nobody's home is known.
    """

    participation_id: int
    volunteer: str
    state: str
    skills: tuple[str, ...]
    served_here: int
    minutes: int
    distance_metres: int | None = None
