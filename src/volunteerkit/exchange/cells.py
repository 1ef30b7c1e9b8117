"""Cells to values: read where they are certain, refused with a reason code where they are not.

Every reader takes a cell's text and returns a value or raises `Cell`. Full-width digits and letters and
spaces are folded; nothing else is: a superscript or an Arabic-Indic digit is no digit here.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from volunteerkit import privacy
from volunteerkit.errors import VolunteerkitError
from volunteerkit.ledger import DAY_MINUTES
from volunteerkit.units import day_number, day_of
from volunteerkit.units import fold as folded

__all__ = [
    "Cell",
    "IdShapes",
    "clean",
    "mask",
    "read_day",
    "read_id",
    "read_instant",
    "read_minutes",
    "read_time",
    "safe_cell",
]

_DAY: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})-([0-9]{1,2})|/([0-9]{1,2})/([0-9]{1,2})|\.([0-9]{1,2})\.([0-9]{1,2})"
    r"|年([0-9]{1,2})月([0-9]{1,2})[日号]|([0-9]{2})([0-9]{2}))"
    r"(?:[ T](?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?)?"
)
_SERIAL: Final = re.compile(r"[0-9]{5}(?:\.[0-9]+)?")
_TURNED: Final = re.compile(r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}")
_SERIAL_DAY_0: Final = day_number(dt.date(1899, 12, 30))
_HOURS: Final = re.compile(
    r"([+-]?[0-9]{1,6})(?:\.([0-9]{1,6}))?(?: ?(?:小时|个小时|時|h|hr|hrs|hour|hours))?", re.IGNORECASE
)
_MINUTES: Final = re.compile(
    r"([+-]?[0-9]{1,6})(?:\.0+)? ?(?:分钟|分|min|mins|minute|minutes|m)", re.IGNORECASE
)
_BOTH: Final = re.compile(
    r"([0-9]{1,4}) ?(?:小时|个小时|h|:) ?([0-5]?[0-9]) ?(?:分钟|分|min|m)?", re.IGNORECASE
)
_TIME: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::[0-5][0-9])?")
_UTC: Final = re.compile(r"\s*(?:UTC|GMT)$")
_FORMULA: Final = re.compile(r"""[\s"']*[=+\-@\t\r＝＋－＠]""")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_MANY_SHAPES: Final = 64
_FIELDS: Final = {"resident_id": "identity_number", "birth_date": "born_on"}


def __dir__() -> list[str]:
    return __all__


class Cell(VolunteerkitError, ValueError):
    """A cell cannot be read; ``reason`` is the code, ``field`` and ``column`` say where it stands.

    ``skipped`` rows are left out on purpose by a mapping and are no mistake. ``shown`` is the cell's text, of
    which a quarantine keeps what may be shown.
    """

    def __init__(
        self, reason: str, *, field: str = "", column: str = "", shown: str = "", skipped: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.field, self.column, self.shown, self.skipped = reason, field, column, shown, skipped


def clean(text: str, *, fold: bool = True) -> str:
    """Return ``text`` without spaces around it, full-width digits, letters and signs folded to plain ones.

    >>> clean("　Ｖ００１ ")
    'V001'
    """
    return (folded(text) if fold else text).strip(" \t\r\n\u3000\xa0\ufeff")


def read_id(text: str) -> str:
    """Return an id in its one form (folded, upper case); raises Cell id_malformed, id_is_personal (e-mail).

    >>> read_id(" ｖ0007957 ")
    'V0007957'
    """
    number = privacy.id_form(text)
    if number is None:
        raise Cell("id_is_personal" if "@" in clean(text) else "id_malformed")
    return number


class IdShapes:
    """The shapes of the ids known so far: which runs of letters and digits, how long.

    An id that is not known is malformed when no known id has its shape, else merely unknown.

    >>> shapes = IdShapes(["V0000001", "V0000002"])
    >>> shapes.fits("V9000000"), shapes.fits("V00079"), shapes.fits("VOOO7957")
    (True, False, False)
    """

    def __init__(self, known: Iterable[str]) -> None:
        lengths: dict[str, set[int]] = {}
        for number in known:
            lengths.setdefault(self._shape(number), set()).add(len(number))
            if len(lengths) > _MANY_SHAPES:
                # Ids without a pattern (random ones): any well-formed id may be one.
                lengths.clear()
                break
        self._lengths = lengths

    @staticmethod
    def _shape(number: str) -> str:
        return re.sub(r"[0-9]+", "9", number)

    def fits(self, number: str) -> bool:
        """Tell whether ``number`` has the shape of a known id; anything fits when none is known."""
        if not self._lengths:
            return True
        lengths = self._lengths.get(self._shape(number))
        return lengths is not None and (len(number) in lengths or len(lengths) > 1)


def read_day(text: str, formats: tuple[str, ...] = ()) -> int:
    """Return the day number of a date.

    Read are 2019-03-05, 2019/3/5, 2019.03.05, 2019年3月5日, 20190305, a spreadsheet's serial day such as
    43529, full-width digits, and ``formats`` for `strptime`, tried first; a time of day behind the date is
    left aside. Raises Cell date_impossible, date_ambiguous (5/3/2019 without a format) or date_unreadable.

    >>> read_day("２０１９年３月５日") == read_day("43529")
    True
    """
    folded = clean(text)[:40]
    for form in formats:
        try:
            return day_number(dt.datetime.strptime(folded, form).date())  # noqa: DTZ007 - only its date is used
        except ValueError:
            continue
    found = _DAY.fullmatch(folded)
    if found:
        year, month, day = (int(part) for part in found.groups() if part is not None)
        try:
            if not 1900 <= year <= 2100:
                raise ValueError
            return day_number(dt.date(year, month, day))
        except ValueError:
            raise Cell("date_impossible") from None
    if _SERIAL.fullmatch(folded):
        return _SERIAL_DAY_0 + int(folded[:5])
    raise Cell("date_ambiguous" if _TURNED.fullmatch(folded) else "date_unreadable")


def read_minutes(text: str) -> int:
    """Return whole minutes from a length of time: hours by default, minutes where they are named.

    Read are 2.5, 2.5h, 3小时, 180分钟, 2小时30分, 2:30, full-width digits. A decimal of hours stands for the
    nearest whole minute when it is within its own precision of one (0.33 is 20 minutes, 0.512 is not).
    Raises Cell hours_zero_or_negative, hours_over_24, hours_not_whole_minutes or hours_unreadable.

    >>> read_minutes("３"), read_minutes("2.5h"), read_minutes("180分钟")
    (180, 150, 180)
    """
    folded = clean(text)[:40]
    if len(clean(text)) > 40:
        raise Cell("hours_unreadable")
    if found := _MINUTES.fullmatch(folded):
        minutes = int(found[1])
    elif found := _HOURS.fullmatch(folded):
        minutes = _from_hours(found[1], found[2] or "")
    elif found := _BOTH.fullmatch(folded):
        minutes = int(found[1]) * 60 + int(found[2])
    else:
        raise Cell("hours_unreadable")
    if minutes <= 0:
        raise Cell("hours_zero_or_negative")
    if minutes > DAY_MINUTES:
        raise Cell("hours_over_24")
    return minutes


def _from_hours(whole: str, decimals: str) -> int:
    exact = Fraction(f"{whole}.{decimals or 0}") * 60
    if exact <= 0 or exact > DAY_MINUTES:
        raise Cell("hours_over_24" if exact > 0 else "hours_zero_or_negative")
    nearest = round(exact)
    if exact.denominator != 1 and abs(exact - nearest) > Fraction(30, 10 ** len(decimals)):
        raise Cell("hours_not_whole_minutes")
    if nearest == 0:
        raise Cell("hours_not_whole_minutes")
    return nearest


def read_time(text: str) -> int:
    """Return the minute of the day for a time such as 9:05, 15:00:00 or 24:00; raises Cell time_unreadable.

    >>> read_time("９：05")
    545
    """
    found = _TIME.fullmatch(clean(text)[:20])
    if found:
        minute = int(found[1]) * 60 + int(found[2])
        if (int(found[2]) < 60 and minute < DAY_MINUTES) or minute == DAY_MINUTES:
            return minute
    raise Cell("time_unreadable")


def read_instant(text: str, formats: tuple[str, ...], zone: ZoneInfo) -> dt.datetime:
    """Return an aware instant: ISO with Z or an offset, ``… UTC``, or local time in ``zone``.

    ``formats`` are tried first; the format ``epoch`` is seconds or milliseconds since 1970. Raises Cell instant_unreadable, or time_ambiguous for a local time that
    does not exist or occurs twice in ``zone``.
    """
    folded = clean(text)[:60]
    found = _with_formats(folded, formats)
    if found is None:
        named_utc = _UTC.search(folded)
        bare = _UTC.sub("", folded).replace("/", "-")
        try:
            found = dt.datetime.fromisoformat(bare)
        except ValueError:
            found = _spelled(bare)
        if named_utc and found.tzinfo is None:
            found = found.replace(tzinfo=dt.UTC)
    if not 1900 <= found.year <= 2100:
        raise Cell("date_impossible")
    if found.tzinfo is not None:
        return found
    first, second = found.replace(tzinfo=zone, fold=0), found.replace(tzinfo=zone, fold=1)
    if first.utcoffset() != second.utcoffset():
        raise Cell("time_ambiguous")
    return first


def _spelled(text: str) -> dt.datetime:
    """Read a date in any form of `read_day` with a time such as 9:05 or 9:05:30 behind it, or none."""
    day, _, time = text.partition(" ")
    try:
        date = day_of(read_day(day)).isoformat()
        return dt.datetime.fromisoformat(
            f"{date} 0{time.strip()}" if time[1:2] == ":" else f"{date} {time}".strip()
        )
    except Cell as problem:
        raise Cell(
            "date_impossible" if problem.reason == "date_impossible" else "instant_unreadable"
        ) from None
    except ValueError:
        raise Cell("instant_unreadable") from None


def _with_formats(text: str, formats: tuple[str, ...]) -> dt.datetime | None:
    for form in formats:
        try:
            if form == "epoch":
                if not _NUMBER.fullmatch(text):
                    continue
                seconds = Fraction(text) / (1000 if len(text) > 11 else 1)
                return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
                    microseconds=int(seconds * 1_000_000)
                )
            return dt.datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone
        except (ValueError, OverflowError, ZeroDivisionError):
            continue
    return None


def mask(field: str, text: str) -> str:
    """Return a personal value as a quarantine may show it: one canonical mask for each field.

    >>> mask("resident_id", "36059919900315001X"), mask("phone", "12900000000"), mask("name", "欧阳雪")
    ('36**************1X', '*********00', '欧阳＊')
    """
    return privacy.mask(_FIELDS.get(field, field), text)


def safe_cell(text: str) -> str:
    """Return a text cell that no spreadsheet takes for a formula; plain numbers stay as they are.

    >>> safe_cell("=1+1"), safe_cell("-5")
    ("'=1+1", '-5')
    """
    return "'" + text if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
