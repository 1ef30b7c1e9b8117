"""Time and ids, handed in: a clock, the city's zone, its working days, and identifiers that sort by time."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from calendar import monthrange
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import attrs

from volunteerkit.errors import InvalidValue, nearest
from volunteerkit.messages import phrase

__all__ = [
    "Calendar",
    "Clock",
    "age_on",
    "aware",
    "fixed_clock",
    "months_after",
    "new_id",
    "system_clock",
    "years_after",
    "zone_named",
]

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


def months_after(day: dt.date, months: int) -> dt.date:
    """Return the day ``months`` later; a day that the month does not have is its last one (Civil Code, art. 202).

    >>> months_after(dt.date(2026, 11, 30), 3), months_after(dt.date(2026, 1, 31), -1)
    (datetime.date(2027, 2, 28), datetime.date(2025, 12, 31))
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return dt.date(year, month + 1, min(day.day, last))


def _dates(given: Iterable[dt.date]) -> frozenset[dt.date]:
    return frozenset(given)


def _weekdays(given: Iterable[int]) -> frozenset[int]:
    return frozenset(given)


def age_on(born_on: dt.date, day: dt.date) -> int:
    """Return the completed years on ``day``; who was born on 29 February grows older on 1 March.

    >>> age_on(dt.date(2012, 2, 29), dt.date(2026, 2, 28)), age_on(dt.date(2012, 2, 29), dt.date(2026, 3, 1))
    (13, 14)
    """
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))


@attrs.frozen(cache_hash=True)
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

    holidays: frozenset[dt.date] = attrs.field(default=frozenset(), converter=_dates, repr=False)
    extra_workdays: frozenset[dt.date] = attrs.field(default=frozenset(), converter=_dates, repr=False)
    weekend: frozenset[int] = attrs.field(default=frozenset({5, 6}), converter=_weekdays)
    known_until: dt.date | None = None

    def __attrs_post_init__(self) -> None:
        if not self.weekend < frozenset(range(7)):
            raise InvalidValue(name="weekend", value=sorted(self.weekend), allowed="0 … 6, not all of them")

    @classmethod
    def read(cls, path: Path | str) -> Calendar:
        """Return the calendar of a TOML file with one table ``[[year]]`` for every year that was published.

        A table has ``year``, ``citation``, ``holidays`` (every free day, on a weekend or not) and
        ``extra_workdays`` (Saturdays and Sundays that are worked). Years follow one another; the calendar is
        known until the end of the last. Raises InvalidValue naming file, table and key, also for a day outside
        its year and for a worked day that is a holiday or no weekend; OSError when there is no such file.

        >>> import tempfile
        >>> year = ("[[year]]", "year = 2026", "citation = 'the yearly notice'",
        ...         "holidays = [2026-01-01, 2026-01-02, 2026-01-03]", "extra_workdays = [2026-01-04]")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "calendar.toml").write_text("\\n".join(year), "utf-8")
        ...     Calendar.read(Path(folder, "calendar.toml")).working_days_after(dt.date(2025, 12, 31), 1)
        datetime.date(2026, 1, 4)
        """
        import tomllib

        source = Path(path)
        try:
            tables = tomllib.loads(source.read_text("utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidValue("calendar_not_toml", file=source.name, problem=str(error)) from None
        years = tables.get("year")
        if [*tables] != ["year"] or not isinstance(years, list) or not years:
            raise InvalidValue(name=source.name, value=", ".join(tables), allowed="[[year]]")
        holidays, extra = set[dt.date](), set[dt.date]()
        for number, table in enumerate(years):
            where = f"{source.name}: year[{number}]"
            last = _year(where, table)
            if number and last != years[number - 1]["year"] + 1:
                raise InvalidValue(name=f"{where}.year", value=last, allowed=years[number - 1]["year"] + 1)
            holidays |= _days(where, table, "holidays")
            extra |= _days(where, table, "extra_workdays")
            for day in sorted(extra):
                if day in holidays or day.weekday() < 5:
                    allowed = phrase("allowed_weekend_day")
                    raise InvalidValue(name=f"{where}.extra_workdays", value=str(day), allowed=allowed)
        return cls(holidays, extra, known_until=dt.date(last, 12, 31))

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


def _year(where: str, table: Any) -> int:
    keys = ("year", "citation", "holidays", "extra_workdays")
    for key in table if isinstance(table, dict) else ("?",):
        if key not in keys:
            guess = nearest(key, keys)
            raise InvalidValue(name=where, value=key, allowed=guess or ", ".join(keys))
    for key, type_ in zip(keys, (int, str, list, list), strict=True):
        if type(table.get(key)) is not type_ or table[key] == "":
            raise InvalidValue(name=f"{where}.{key}", value=str(table.get(key, "")), allowed=_SHAPES[key])
    if not dt.MINYEAR <= table["year"] <= dt.MAXYEAR:
        raise InvalidValue(name=f"{where}.year", value=table["year"], allowed=_SHAPES["year"])
    return int(table["year"])


_SHAPES = {
    "year": "2026",
    "citation": '"…"',
    "holidays": "[2026-10-01, …]",
    "extra_workdays": "[2026-10-10, …]",
}


def _days(where: str, table: dict[str, Any], key: str) -> set[dt.date]:
    for day in table[key]:
        if type(day) is not dt.date or day.year != table["year"]:
            raise InvalidValue(name=f"{where}.{key}", value=str(day), allowed=f"{table['year']}-01-01 …")
    return set(table[key])
