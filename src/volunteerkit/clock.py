"""Time and ids, handed in: a clock, the city's zone, and identifiers that sort by time."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from volunteerkit.errors import InvalidValue
from volunteerkit.messages import phrase

__all__ = ["Clock", "aware", "fixed_clock", "new_id", "system_clock", "zone_named"]

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
    """Return the time zone ``name`` (such as ``"Asia/Shanghai"``); raises InvalidValue for others."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidValue(name="zone", value=name, allowed=phrase("allowed_zone")) from error


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
