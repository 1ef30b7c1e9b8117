"""Minutes, fen and days as whole numbers: reading them, printing them, and the one place that rounds.

Inside the library a day is the number of days since 1970-01-01 and a length is a number of minutes, so
that the same rule runs on Python integers, NumPy columns and database columns.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final, TypeVar

from volunteerkit import messages
from volunteerkit.errors import InvalidValue

__all__ = [
    "day_number",
    "day_of",
    "fold",
    "hours_text",
    "instant_of",
    "of_type",
    "plain_day",
    "plain_text",
    "storable",
    "whole_minutes",
    "whole_number",
]

T = TypeVar("T")
_EPOCH = dt.date(1970, 1, 1).toordinal()


def __dir__() -> list[str]:
    return __all__


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_FOLD = {**{0xFF01 + i: 0x21 + i for i in range(94)}, 0x3000: 0x20}


def fold(text: str) -> str:
    """Return ``text`` with full-width digits, letters and signs as plain ones, and nothing else changed.

    Superscripts and other scripts' digits stay what they are, so they are never taken for digits.

    >>> fold("Ｖ１２　²")
    'V12 ²'
    """
    return text.translate(_FOLD)


_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def plain_text(name: str, value: str, most: int = 200) -> str:
    """Return ``value`` if it is a text of 1 to ``most`` printable characters, not all blank.

    Raises InvalidValue naming ``name``; the value itself may be a person's name, so only its length or
    type is told. Only ``str`` itself is taken: a subclass such as an enumeration may be stored as one text
    and printed as another, and the ledger's hashes are made of what is printed.

    >>> plain_text("reason", "没有签到")
    '没有签到'
    """
    if type(value) is not str or not value.strip() or len(value) > most or _UNPRINTABLE.search(value):
        length = messages.phrase("count_letters", count=len(value)) if type(value) is str else None
        shown = length or type(value).__name__
        raise InvalidValue(name=name, value=shown, allowed=messages.phrase("allowed_text", most=most))
    return value


def plain_day(name: str, value: dt.date) -> dt.date:
    """Return ``value`` if it is a date and not a date-time, whose day would depend on a zone.

    Raises InvalidValue.

    >>> plain_day("served_on", dt.date(2026, 11, 8))
    datetime.date(2026, 11, 8)
    """
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise InvalidValue(name=name, value=type(value).__name__, allowed=messages.phrase("allowed_date"))
    return value


_LARGEST: Final = 2**63 - 1
"""The largest whole number that both databases hold."""


def whole_number(name: str, value: object, least: int = 0, most: int = _LARGEST) -> int:
    """Return ``value`` if it is an ``int`` from ``least`` to ``most``: an amount, a score, how many to a page.

    Raises InvalidValue with the value and the range. Booleans, fractions and texts are refused, also ``True``,
    ``2.0`` and ``"2"``; of a text only its length is told, for it may be a person's.

    >>> whole_number("claimed_minutes", 90, 1, 1440)
    90
    """
    if type(value) is not int or not least <= value <= most:
        shown = messages.phrase("count_letters", count=len(value)) if isinstance(value, str) else value
        if most == _LARGEST:
            allowed = messages.phrase("allowed_whole_from", least=least)
        else:
            allowed = messages.phrase("allowed_whole_range", least=least, most=most)
        raise InvalidValue(name=name, value=shown, allowed=allowed)
    return value


def of_type(name: str, value: object, type_: type[T]) -> T:
    """Return ``value`` if it is a ``type_`` of the library's, such as a form; raises InvalidValue.

    >>> of_type("on", dt.date(2026, 11, 8), dt.date).year
    2026
    """
    if not isinstance(value, type_):
        raise InvalidValue(name=name, value=type(value).__name__, allowed=f"{type_.__name__}(…)")
    return value


def storable(text: str) -> bool:
    """Tell whether both databases can hold ``text``: not with NUL or half of a surrogate pair.

    >>> storable("𠮷"), storable("a\\0b")
    (True, False)
    """
    return _UNSTORABLE.search(text) is None


def day_number(day: dt.date) -> int:
    """Return the days from 1970-01-01 to ``day``.

    >>> day_number(dt.date(1970, 1, 2))
    1
    """
    return day.toordinal() - _EPOCH


def day_of(number: int) -> dt.date:
    """Return the date that lies ``number`` days after 1970-01-01; the inverse of `day_number`.

    >>> day_of(20_000)
    datetime.date(2024, 10, 4)
    """
    return dt.date.fromordinal(number + _EPOCH)


def instant_of(microseconds: int) -> dt.datetime:
    """Return the aware UTC instant that lies ``microseconds`` after the beginning of 1970.

    >>> instant_of(1_000_000).isoformat()
    '1970-01-01T00:00:01+00:00'
    """
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)


def hours_text(minutes: int, in_: str | None = None) -> str:
    """Return whole minutes as hours for people, never rounded, in language ``in_`` or the one in force.

    >>> hours_text(150, "en"), hours_text(150, "zh-CN")
    ('2 h 30 min', '2 小时 30 分钟')
    >>> hours_text(-60, "en")
    '-1 h'
    """
    sign, (hours, rest) = ("-" if minutes < 0 else ""), divmod(abs(minutes), 60)
    code = "length" if hours and rest else "length_hours" if hours or not rest else "length_minutes"
    return sign + messages.text(code, in_, hours=hours, minutes=rest)


def whole_minutes(scaled: int, scale: int) -> int:
    """Return ``scaled / scale`` rounded down to whole minutes; both are integers, ``scale`` is positive.

    Coefficients keep a total exact in fractions of a minute (one percent of a minute is scale 100); a
    person's total is rounded once, at the end, and always down.

    >>> whole_minutes(15_099, 100)
    150
    """
    return scaled // scale
