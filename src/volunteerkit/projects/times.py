"""When shifts are: instants from the city's clock, spans that exist, and the days of an RFC 5545 rule."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from volunteerkit.clock import aware
from volunteerkit.errors import Finding, InvalidValue, Refused, nearest
from volunteerkit.messages import phrase
from volunteerkit.store.desk import microseconds
from volunteerkit.units import plain_day, plain_text

__all__ = ["SERIES_AT_MOST", "checked_span", "clock_time", "local_time", "occurrences", "plain_year"]

SERIES_AT_MOST: Final = 500
"""How many shifts one series may have."""

_YEARS: Final = range(2000, 2200)
_MINUTE: Final = 60_000_000
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_PARTS: Final = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "WKST")
_DAYS: Final = "MO|TU|WE|TH|FR|SA|SU"
_SHAPES: Final = {
    "FREQ": ("DAILY|WEEKLY|MONTHLY", "DAILY, WEEKLY, MONTHLY"),
    "INTERVAL": ("[1-9][0-9]{0,2}", "1 … 999"),
    "COUNT": ("[1-9][0-9]{0,2}", f"1 … {SERIES_AT_MOST}"),
    "BYDAY": (f"([+-]?[1-5])?({_DAYS})(,([+-]?[1-5])?({_DAYS}))*", "MO, TU, WE, TH, FR, SA, SU, 1MO, -1FR"),
    "BYMONTHDAY": ("-?([1-9]|[12][0-9]|3[01])(,-?([1-9]|[12][0-9]|3[01]))*", "1 … 31, -1 … -31"),
    "WKST": (_DAYS, _DAYS.replace("|", ", ")),
}
_WHEN: Final = "20261231, 20261231T150000, 20261231T070000Z"


def __dir__() -> list[str]:
    return __all__


def clock_time(name: str, text: str) -> dt.time:
    """Return the time of day for a text such as ``"15:00"``; raises InvalidValue.

    >>> clock_time("starts", "15:00")
    datetime.time(15, 0)
    """
    found = _CLOCK.fullmatch(text) if type(text) is str else None
    if found is None:
        shown = text if type(text) is str and len(text) <= 20 else type(text).__name__
        raise InvalidValue(name=name, value=shown, allowed="00:00 … 23:59")
    return dt.time(int(found[1]), int(found[2]))


def local_time(zone: ZoneInfo, day: dt.date, clock: str, *, fold: int | None = None) -> dt.datetime:
    """Return the instant (in UTC) when the city's clocks show ``clock``, such as ``"15:00"``, on a day.

    In the hour that the clocks show twice in autumn ``fold`` says which: 0 the first, 1 the second. Raises
    InvalidValue, ``time_twice`` without it, and ``time_missing`` for the hour that is left out in spring.

    >>> local_time(ZoneInfo("Europe/Berlin"), dt.date(2026, 7, 1), "15:00").isoformat()
    '2026-07-01T13:00:00+00:00'
    """
    naive = dt.datetime.combine(plain_day("day", day), clock_time("clock", clock))
    return _instant("clock", naive, zone, fold)


def _instant(name: str, naive: dt.datetime, zone: ZoneInfo, fold: int | None) -> dt.datetime:
    if fold is not None and (type(fold) is not int or fold not in (0, 1)):
        raise InvalidValue(name="fold", value=fold, allowed="0, 1")
    wanted = naive.replace(tzinfo=zone, fold=fold or 0)
    _exists(name, wanted)
    if fold is None:
        _once(name, wanted)
    return wanted.astimezone(dt.UTC)


def _offsets(instant: dt.datetime) -> tuple[Any, Any]:
    return instant.replace(fold=0).utcoffset(), instant.replace(fold=1).utcoffset()


def _exists(name: str, instant: dt.datetime) -> None:
    first, second = _offsets(instant)
    back = instant.astimezone(dt.UTC).astimezone(instant.tzinfo)
    if first != second and back.replace(tzinfo=None) != instant.replace(tzinfo=None):
        raise InvalidValue("time_missing", name=name, value=f"{instant:%Y-%m-%d %H:%M}", near=f"{back:%H:%M}")


def _once(name: str, instant: dt.datetime) -> None:
    first, second = _offsets(instant)
    if first != second:
        shown = {"first": f"{instant.replace(fold=0):%z}", "second": f"{instant.replace(fold=1):%z}"}
        raise InvalidValue("time_twice", name=name, value=f"{instant:%Y-%m-%d %H:%M}", **shown)


def plain_year(name: str, day: dt.date) -> None:
    """Raise InvalidValue for a year that nobody means, such as 0201."""
    if day.year not in _YEARS:
        raise InvalidValue(
            name=f"{name}.year", value=f"{day.year:04d}", allowed=f"{_YEARS[0]} … {_YEARS[-1]}"
        )


def checked_span(starts_at: dt.datetime, ends_at: dt.datetime) -> tuple[int, int]:
    """Return both instants as microseconds since 1970; raises InvalidValue naming the field.

    Refused: naive ones, years that nobody means, seconds, a time that its zone's clocks never show or show
    twice (``fold=1`` names the second, an offset either), an end that does not lie after the start.
    """
    found = []
    for name, value in (("starts_at", starts_at), ("ends_at", ends_at)):
        aware(name, value)
        plain_year(name, value)
        _exists(name, value)
        if not value.fold:
            _once(name, value)
        instant = microseconds(value)
        if instant % _MINUTE:
            raise InvalidValue(name=name, value=f"{value:%H:%M:%S}", allowed=phrase("allowed_whole_minute"))
        found.append(instant)
    if found[1] <= found[0]:
        allowed = phrase("allowed_later", than="starts_at", value=f"{starts_at:%Y-%m-%d %H:%M%z}")
        raise InvalidValue(name="ends_at", value=f"{ends_at:%Y-%m-%d %H:%M%z}", allowed=allowed)
    return found[0], found[1]


def occurrences(
    rule: str, first: dt.datetime, last_on: dt.date, zone: ZoneInfo, *, fold: int | None = None
) -> Iterator[dt.datetime]:
    """Return the instants of an RFC 5545 rule that begins at the naive local time ``first``, in order.

    The rule has FREQ (DAILY, WEEKLY, MONTHLY) and perhaps INTERVAL, COUNT or UNTIL, BYDAY, BYMONTHDAY, WKST, and
    on a line of its own EXDATE. Without an end of its own it goes to ``last_on``. The clock shows the same time
    whatever the season. Raises InvalidValue naming the part, Refused for more than `SERIES_AT_MOST`.

    >>> monday = dt.datetime(2026, 11, 30, 15)
    >>> [f"{each:%m-%d %H:%M}" for each in
    ...  occurrences("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", monday, monday.date(), ZoneInfo("Asia/Shanghai"))]
    ['11-30 07:00', '12-02 07:00', '12-07 07:00']
    """
    from dateutil.rrule import rrulestr  # nothing else needs it

    parts, left_out = _read(rule, zone)
    until = parts.pop("UNTIL", None)
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    last = _last(until, zone) if until else dt.datetime.combine(last_on, dt.time.max)
    found = []
    for each in islice(rrulestr(text, dtstart=first), SERIES_AT_MOST + len(left_out) + 1):
        if each > last and "COUNT" not in parts:
            break
        if not {each, each.date()} & left_out:
            found.append(each)
    if not found:
        raise Refused(Finding("series_empty"))
    if len(found) > SERIES_AT_MOST:
        raise Refused(Finding("series_too_long", {"most": SERIES_AT_MOST}))
    return (_instant("rule", each, zone, fold) for each in found)


def _read(rule: str, zone: ZoneInfo) -> tuple[dict[str, str], set[Any]]:
    parts: dict[str, str] = {}
    left_out: set[Any] = set()
    if type(rule) is not str or len(rule) > 20_000:
        raise InvalidValue(name="rule", value=type(rule).__name__, allowed="FREQ=WEEKLY;BYDAY=MO;COUNT=10")
    for line in rule.upper().split():
        if line.startswith("EXDATE"):
            dates = line.rpartition(":")[2].split(",")
            left_out |= {_when("rule.EXDATE", date, zone) for date in dates}
            continue
        for part in line.removeprefix("RRULE:").rstrip(";").split(";"):
            name, _, value = part.partition("=")
            if name not in _PARTS or name in parts:
                guess = nearest(name, _PARTS) if name not in parts else ""
                raise InvalidValue(name="rule", value=part[:40], allowed=guess or ", ".join(_PARTS))
            _checked(name, value, zone)
            parts[name] = value
    if "FREQ" not in parts:
        raise InvalidValue(name="rule", value=plain_text("rule", rule, 20_000)[:40], allowed="FREQ=WEEKLY;…")
    if "COUNT" in parts and "UNTIL" in parts:
        raise InvalidValue(name="rule", value="COUNT, UNTIL", allowed="COUNT | UNTIL")
    _fit(parts)
    return parts, left_out


def _checked(name: str, value: str, zone: ZoneInfo) -> None:
    if name == "UNTIL":
        _when("rule.UNTIL", value, zone)
        return
    shape, allowed = _SHAPES[name]
    if not re.fullmatch(shape, value, re.ASCII) or (name == "COUNT" and int(value) > SERIES_AT_MOST):
        guess = nearest(value, shape.split("|")) if name == "FREQ" else ""
        raise InvalidValue(name=f"rule.{name}", value=value[:40], allowed=guess or allowed)


def _fit(parts: dict[str, str]) -> None:
    monthly = parts["FREQ"] == "MONTHLY"
    if not monthly and "BYMONTHDAY" in parts:
        raise InvalidValue(name="rule.BYMONTHDAY", value=parts["FREQ"], allowed="FREQ=MONTHLY")
    if not monthly and re.search("[0-9]", parts.get("BYDAY", "")):
        raise InvalidValue(name="rule.BYDAY", value=parts["BYDAY"][:40], allowed="FREQ=MONTHLY")


def _when(name: str, text: str, zone: ZoneInfo) -> dt.date | dt.datetime:
    """Return the day, or the naive local time, of a value of UNTIL or EXDATE."""
    shapes = {8: "%Y%m%d", 15: "%Y%m%dT%H%M%S", 16: "%Y%m%dT%H%M%SZ"}
    try:
        found = dt.datetime.strptime(text, shapes[len(text)])  # noqa: DTZ007 (the city's clock)
    except (KeyError, ValueError):
        raise InvalidValue(name=name, value=text[:40], allowed=_WHEN) from None
    if len(text) == 8:
        return found.date()
    return found.replace(tzinfo=dt.UTC).astimezone(zone).replace(tzinfo=None) if text[-1] == "Z" else found


def _last(until: str, zone: ZoneInfo) -> dt.datetime:
    found = _when("rule.UNTIL", until, zone)
    return found if isinstance(found, dt.datetime) else dt.datetime.combine(found, dt.time.max)
