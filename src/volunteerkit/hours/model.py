"""Values of hours: a claim, what became of it, a statement."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import attrs

from volunteerkit.errors import Finding, InvalidValue
from volunteerkit.ledger import DAY_MINUTES
from volunteerkit.messages import phrase
from volunteerkit.units import plain_day, plain_text, whole_number

__all__ = ["KINDS", "METHODS", "STATES", "Claim", "Neighbour", "Overlap", "Recorded"]

FIRST_DAY = dt.date(1900, 1, 1)
STATES = ("pending", "confirmed", "rejected", "cancelled", "reversed")
METHODS = ("checkin", "manual", "import", "claim")
KINDS = ("service", "planning", "travel", "training")


def __dir__() -> list[str]:
    return __all__


def _minute_of(time: dt.time | None) -> int:
    return -1 if time is None else time.hour * 60 + time.minute


def _number(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    plain_text(attribute.name, value)


def _day(_: object, attribute: attrs.Attribute[dt.date], value: dt.date) -> None:
    if plain_day(attribute.name, value) < FIRST_DAY:
        raise InvalidValue(name=attribute.name, value=value, allowed=f"{FIRST_DAY} …")


def _time(_: object, attribute: attrs.Attribute[dt.time | None], value: dt.time | None) -> None:
    if value is not None and (not isinstance(value, dt.time) or value.tzinfo is not None):
        shown = type(value).__name__
        raise InvalidValue(name=attribute.name, value=shown, allowed=phrase("allowed_time"))


def _one_of(*words: str) -> Any:
    def check(_: object, attribute: attrs.Attribute[str], value: str) -> None:
        if type(value) is not str or value not in words:
            raise InvalidValue(name=attribute.name, value=type(value).__name__, allowed=", ".join(words))

    return check


def _evidence(_: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None:
        plain_text(attribute.name, value, 500)


@attrs.frozen
class Claim:
    """Minutes that somebody says a volunteer served.

    ``volunteer`` and ``project`` are numbers (the public ones); ``served_on`` is the day the service
    began, in the city's zone, from 1900 on; ``claimed_minutes`` is whole, 1 to 1440; ``start`` and ``end`` are times of
    day when a clock was kept, and an end before the start means the next day. ``kind`` is one of `KINDS`;
    ``evidence`` says in words where a late claim is proved (a sheet, a photograph). Raises InvalidValue.

    >>> Claim("V0000001", "P0001", dt.date(2026, 11, 8), 240, dt.time(22), dt.time(2)).clock_minutes
    240
    """

    volunteer: str = attrs.field(validator=_number)
    project: str = attrs.field(validator=_number)
    served_on: dt.date = attrs.field(validator=_day)
    claimed_minutes: int = attrs.field(
        validator=lambda _, a, value: whole_number(a.name, value, 1, DAY_MINUTES) and None
    )
    start: dt.time | None = attrs.field(default=None, validator=_time)
    end: dt.time | None = attrs.field(default=None, validator=_time)
    method: str = attrs.field(default="claim", validator=_one_of(*METHODS))
    kind: str = attrs.field(default=KINDS[0], validator=_one_of(*KINDS))
    evidence: str | None = attrs.field(default=None, validator=_evidence, repr=False)

    def __attrs_post_init__(self) -> None:
        if (self.start is None) != (self.end is None):
            raise InvalidValue(
                name="start, end", value=f"{self.start}, {self.end}", allowed=phrase("allowed_both_times")
            )
        if self.start is not None and self.start == self.end:
            raise InvalidValue(name="end", value=str(self.end), allowed=phrase("allowed_other_time"))

    @property
    def start_minute(self) -> int:
        """The minute of the day the service began, -1 when no clock was kept."""
        return _minute_of(self.start)

    @property
    def clock_minutes(self) -> int:
        """The minutes between start and end, 0 when no clock was kept."""
        return (_minute_of(self.end) - _minute_of(self.start)) % DAY_MINUTES


class Neighbour(NamedTuple):
    """A record of the same person around the day of a claim; the day is a day number."""

    record_id: int
    served_on: int
    start_minute: int
    clock_minutes: int
    minutes: int
    project: str


@attrs.frozen
class Overlap:
    """Another record of the same volunteer at the same time."""

    record_id: int
    project: str
    served_on: dt.date
    start_minute: int
    clock_minutes: int


@attrs.frozen
class Recorded:
    """What became of a command: the record, its state and minutes, findings that did not block.

    ``replayed`` tells that the same key and payload had come before: nothing was written now.
    """

    record_id: int
    state: str
    minutes: int
    findings: tuple[Finding, ...] = ()
    replayed: bool = False
