"""The functions every rule may call: what they take and give, and what they do with whole numbers.

Days are day numbers. A term in months ends on the same day of the month, and where there is none on the
month's last day; one in working days does not count the day it begins (Civil Code, articles 201 and 202).
"""

from __future__ import annotations

import calendar as months
import datetime as dt
from typing import Any, Final

import attrs

from volunteerkit.errors import InvalidValue
from volunteerkit.rules.expression import FactType
from volunteerkit.units import day_number, day_of

__all__ = [
    "BUILT_IN",
    "LONGEST_TERM",
    "BuiltIn",
    "days_after",
    "month_start",
    "months_after",
    "months_between",
    "new_year",
    "weekday",
    "working_days_after",
    "year_start",
    "years_between",
]

LONGEST_TERM: Final = 1200
_FIRST_DAY: Final = day_number(dt.date.min)
_LAST_DAY: Final = day_number(dt.date.max)


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class BuiltIn:
    """What a function takes and ``gives``; ``"same"`` are arguments of one type, which it gives as well.

    ``same`` lists the types that may be; ``step`` says that the last argument is a fixed number from 1,
    ``more`` that the last may be given any number of times.
    """

    takes: tuple[str, ...]
    gives: str
    same: tuple[FactType, ...] = ()
    step: bool = False
    more: bool = False


BUILT_IN: Final[dict[str, BuiltIn]] = {
    "choose": BuiltIn(("bool", "same", "same"), "same", ("int", "date", "word")),
    "least": BuiltIn(("same", "same"), "same", ("int", "date")),
    "greatest": BuiltIn(("same", "same"), "same", ("int", "date")),
    "floor_to": BuiltIn(("int", "int"), "int", step=True),
    "ceil_to": BuiltIn(("int", "int"), "int", step=True),
    "round_to": BuiltIn(("int", "int"), "int", step=True),
    "full_steps": BuiltIn(("int", "int"), "int", step=True),
    "how_many": BuiltIn(("bool",), "int", more=True),
    "weekday": BuiltIn(("date",), "int"),
    "days_between": BuiltIn(("date", "date"), "int"),
    "months_between": BuiltIn(("date", "date"), "int"),
    "years_between": BuiltIn(("date", "date"), "int"),
    "month_start": BuiltIn(("date",), "date"),
    "year_start": BuiltIn(("date", "int"), "date"),
    "new_year": BuiltIn(("int",), "date"),
    "days_after": BuiltIn(("date", "int"), "date"),
    "months_after": BuiltIn(("date", "int"), "date"),
    "working_days_after": BuiltIn(("date", "int"), "date"),
}


def weekday(day: Any) -> Any:
    """Return 1 for a Monday … 7 for a Sunday, of a day number or a column of them.

    >>> weekday(0)  # 1 January 1970 was a Thursday
    4
    """
    return (day + 3) % 7 + 1


def days_after(day: Any, days: Any) -> Any:
    """Return the day ``days`` later."""
    return day + days


def months_after(day: int, count: int) -> int:
    """Return the day ``count`` months later, earlier if negative; a day no calendar reaches stays what it is.

    Raises InvalidValue for a term of more than 1200 months.

    >>> day_of(months_after(day_number(dt.date(2024, 1, 31)), 1))
    datetime.date(2024, 2, 29)
    """
    _check("months_after", abs(count))
    if not _FIRST_DAY <= day <= _LAST_DAY:
        return day
    begin = day_of(day)
    year, month = divmod(begin.year * 12 + begin.month - 1 + count, 12)
    if not dt.MINYEAR <= year <= dt.MAXYEAR:
        return _LAST_DAY + 1 if count > 0 else _FIRST_DAY - 1
    last = months.monthrange(year, month + 1)[1]
    return day_number(dt.date(year, month + 1, min(begin.day, last)))


def months_between(begin: int, end: int) -> int:
    """Return the full months from one day to another, negative where the second is the earlier one.

    A month is full on the day that `months_after` gives.

    >>> months_between(day_number(dt.date(2024, 1, 31)), day_number(dt.date(2024, 2, 29)))
    1
    """
    one, other = (day_of(min(max(day, _FIRST_DAY), _LAST_DAY)) for day in (begin, end))
    count = (other.year - one.year) * 12 + other.month - one.month
    last = months.monthrange(other.year, other.month)[1]
    return count - (other.day < min(one.day, last))


def years_between(begin: int, end: int) -> int:
    """Return the full years from one day to another, such as an age.

    >>> years_between(day_number(dt.date(2008, 5, 3)), day_number(dt.date(2024, 5, 2)))
    15
    """
    return months_between(begin, end) // 12


def month_start(day: int) -> int:
    """Return the first day of a day's month."""
    return day - day_of(day).day + 1 if _FIRST_DAY <= day <= _LAST_DAY else day


def year_start(day: int, month: int) -> int:
    """Return the first day of the year a day lies in, for years that begin with ``month`` (1 to 12).

    Raises InvalidValue for a month that there is not.

    >>> day_of(year_start(day_number(dt.date(2024, 5, 2)), 9))
    datetime.date(2023, 9, 1)
    """
    if not 1 <= month <= 12:
        raise InvalidValue("rule_month", value=month)
    if not _FIRST_DAY <= day <= _LAST_DAY:
        return day
    found = day_of(day)
    year = found.year - (found.month < month)
    return day_number(dt.date(year, month, 1)) if year >= dt.MINYEAR else _FIRST_DAY - 1


def new_year(year: int) -> int:
    """Return the first of January of a year; raises InvalidValue for a year no calendar has."""
    if not dt.MINYEAR <= year <= dt.MAXYEAR:
        raise InvalidValue("rule_year", value=year)
    return day_number(dt.date(year, 1, 1))


def working_days_after(day: int, count: int, calendar: Any) -> int:
    """Return the ``count``-th working day after ``day`` by a `volunteerkit.clock.Calendar`.

    Raises KeyError naming ``calendar`` where it was not published so far, InvalidValue for a term of more
    than 1200 days.

    >>> from volunteerkit.clock import Calendar
    >>> day_of(working_days_after(day_number(dt.date(2024, 3, 4)), 10, Calendar()))
    datetime.date(2024, 3, 18)
    """
    _check("working_days_after", count)
    # a little before the last day there is, so that no search for a working day leaves the calendar
    found = calendar.working_days_after(day_of(day), count) if day < _LAST_DAY - 20_000 else None
    if found is None:
        raise KeyError("calendar")
    return day_number(found)


def _check(name: str, count: int) -> None:
    if not 0 <= count <= LONGEST_TERM:
        raise InvalidValue("rule_term", name=name, value=count, limit=LONGEST_TERM)
