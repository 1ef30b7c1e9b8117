"""Time and ids, handed in: a clock, the city's zone, its working days, and identifiers that sort by time."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import attrs

from volunteerkit.errors import InvalidValue, nearest
from volunteerkit.messages import phrase

__all__ = ["Calendar", "Clock", "aware", "fixed_clock", "new_id", "system_clock", "years_after", "zone_named"]

Clock = Callable[[], dt.datetime]
"""A function without arguments that returns an aware instant."""


def __dir__() -> list[str]:
    return __all__


def system_clock() -> dt.datetime:
    """Return this machine's present instant, in UTC."""
    return dt.datetime.now(dt.UTC)


def fixed_clock(instant: dt.datetime) -> Clock:
    """Return a clock that always shows ``instant``; raises InvalidValue for a naive one.

    >>> fixed_clock(dt.datetime(2026, 11, 23, tzinfo=dt.UTC))().isoformat()
    '2026-11-23T00:00:00+00:00'
    """
    aware("instant", instant)
    return lambda: instant


def aware(name: str, instant: dt.datetime) -> dt.datetime:
    """Return ``instant`` if it is an aware date-time; raises InvalidValue for a naive one and for others.

    >>> aware("now", dt.datetime(2026, 11, 23, tzinfo=dt.UTC)).year
    2026
    """
    if not isinstance(instant, dt.datetime) or instant.utcoffset() is None:
        shown = "naive" if isinstance(instant, dt.datetime) else type(instant).__name__
        raise InvalidValue(name=name, value=shown, allowed=phrase("allowed_aware"))
    return instant


@cache
def zone_named(name: str) -> ZoneInfo:
    """Return the time zone ``name`` (such as ``"Asia/Shanghai"``); raises InvalidValue for others.

    >>> try:
    ...     zone_named("Asia/Shanghia")
    ... except InvalidValue as error:
    ...     error.message("en")
    "zone cannot be 'Asia/Shanghia'. Allowed: a zone's name; perhaps Asia/Shanghai was meant."
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        guess = nearest(name, available_timezones())
        allowed = phrase("allowed_zone_near", guess=guess) if guess else phrase("allowed_zone")
        raise InvalidValue(name="zone", value=name, allowed=allowed) from error


def new_id(now: dt.datetime) -> str:
    """Return a new identifier (UUID version 7, RFC 9562) whose first 48 bits are ``now`` in milliseconds.

    >>> len(new_id(dt.datetime(2026, 11, 23, tzinfo=dt.UTC)))
    36
    """
    milliseconds = int(now.timestamp() * 1000)
    bits = (
        (milliseconds << 80)
        | (0x7 << 76)
        | (secrets.randbits(12) << 64)
        | (0b10 << 62)
        | secrets.randbits(62)
    )
    return str(uuid.UUID(int=bits))


def years_after(day: dt.date, years: int) -> dt.date:
    """Return the day ``years`` later; 29 February becomes 1 March where it does not exist.

    >>> years_after(dt.date(2008, 2, 29), 14)
    datetime.date(2022, 3, 1)
    """
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return dt.date(day.year + years, 3, 1)


@attrs.frozen
class Calendar:
    """Which days are working days: weekends, public holidays, and the weekend days worked instead.

    ``weekend`` holds weekday numbers (Monday is 0). ``known_until`` is the last day for which holidays were
    published; a deadline beyond it is not guessed but None. None there means that the calendar has no
    holidays at all and knows every day.

    Days are counted as the Civil Code does (articles 201, 203): the day of the event is not counted, and a
    last day that is no working day moves to the next one.

    >>> Calendar().working_days_after(dt.date(2024, 3, 4), 10)
    datetime.date(2024, 3, 18)
    """

    holidays: frozenset[dt.date] = attrs.field(default=frozenset(), converter=frozenset, repr=False)
    extra_workdays: frozenset[dt.date] = attrs.field(default=frozenset(), converter=frozenset, repr=False)
    weekend: frozenset[int] = attrs.field(default=frozenset({5, 6}), converter=frozenset)
    known_until: dt.date | None = None

    def __attrs_post_init__(self) -> None:
        if not self.weekend < frozenset(range(7)):
            raise InvalidValue(name="weekend", value=sorted(self.weekend), allowed="0 … 6, not all of them")

    def knows(self, day: dt.date) -> bool:
        """Tell whether it is certain what ``day`` is."""
        return self.known_until is None or day <= self.known_until

    def works_on(self, day: dt.date) -> bool:
        """Tell whether ``day`` is a working day."""
        if day in self.extra_workdays:
            return True
        return day not in self.holidays and day.weekday() not in self.weekend

    def working_days_after(self, day: dt.date, count: int) -> dt.date | None:
        """Return the ``count``-th working day after ``day``, None when it lies beyond what is known."""
        for _ in range(count):
            day += dt.timedelta(1)
            while not self.works_on(day):
                day += dt.timedelta(1)
                if not self.knows(day):
                    return None
        return day if self.knows(day) else None

    def days_after(self, day: dt.date, count: int) -> dt.date | None:
        """Return the end of a term of ``count`` calendar days, moved to a working day; None when unknown.

        >>> Calendar().days_after(dt.date(2026, 11, 24), 4)
        datetime.date(2026, 11, 30)
        """
        day += dt.timedelta(count)
        while not self.works_on(day) and self.knows(day):
            day += dt.timedelta(1)
        return day if self.knows(day) else None
