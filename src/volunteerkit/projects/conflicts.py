"""What stands in the way of one more shift in somebody's time: overlaps, too little rest, too long a day.

Nothing here knows a database. Spans are half open, so that shifts that touch do not overlap; shifts that touch
or overlap form a block, which counts from its first minute to its last.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from volunteerkit.errors import Finding
from volunteerkit.policy import MinorLimit, Policy
from volunteerkit.projects.participating import Commitment
from volunteerkit.units import instant_of

__all__ = ["MINUTE", "OVERRIDABLE", "minor_findings", "time_findings"]

MINUTE = 60_000_000
"""A minute in microseconds."""

OVERRIDABLE = ("shift_conflict", "rest_too_short", "consecutive_too_long")
"""What a manager may accept against, with a reason; the law and the number of places are not among it."""


def __dir__() -> list[str]:
    return __all__


def time_findings(
    shift: Commitment, others: Sequence[Commitment], policy: Policy, zone: ZoneInfo
) -> list[Finding]:
    """Return what speaks against ``shift`` beside the accepted ``others``, each naming the other one.

    >>> morning, noon = (Commitment(n, "P1", "O1", n * 60 * MINUTE, (n + 1) * 60 * MINUTE) for n in (8, 9))
    >>> time_findings(morning, [noon], Policy(), ZoneInfo("Asia/Shanghai"))
    []
    """
    found = []
    for other in others:
        overlap = min(shift.ends_at, other.ends_at) - max(shift.starts_at, other.starts_at)
        if overlap > 0:
            half = min(shift.ends_at - shift.starts_at, other.ends_at - other.starts_at) // 2
            soft = overlap <= min(policy.soft_overlap_minutes * MINUTE, half)
            found.append(_named("shift_conflict", other, zone, "warn" if soft else "block"))
        elif 0 < -overlap < policy.rest_minutes * MINUTE:
            named = _named("rest_too_short", other, zone)
            named.values.update(minutes=-overlap // MINUTE, least=policy.rest_minutes)
            found.append(named)
    return found + _too_long(shift, others, policy)


def _named(code: str, other: Commitment, zone: ZoneInfo, severity: str = "block") -> Finding:
    values = {"shift": other.shift_id, "project": other.project, "begin": instant_of(other.starts_at).astimezone(zone),
              "end": instant_of(other.ends_at).astimezone(zone)}  # fmt: skip
    return Finding(code, values, "warn" if severity == "warn" else "block")


def _too_long(shift: Commitment, others: Sequence[Commitment], policy: Policy) -> list[Finding]:
    """Sum the block that the shift belongs to; the strictest limit of the organizations in it applies."""
    first, last, block, rest = shift.starts_at, shift.ends_at, [shift], list(others)
    while near := [each for each in rest if each.starts_at <= last and each.ends_at >= first]:
        block += near
        rest = [each for each in rest if each not in near]
        first = min(first, *(each.starts_at for each in near))
        last = max(last, *(each.ends_at for each in near))
    limits = [
        policy.consecutive_minutes,
        *(policy.consecutive_minutes_at.get(each.organization) for each in block),
    ]
    limit = min((each for each in limits if each is not None), default=None)
    minutes = (last - first) // MINUTE
    if limit is None or last - first <= limit * MINUTE:
        return []
    return [Finding("consecutive_too_long", {"minutes": minutes, "limit": limit})]


def minor_findings(
    shift: Commitment, others: Sequence[Commitment], age: int, policy: Policy, zone: ZoneInfo
) -> list[Finding]:
    """Return what the city's limits for somebody of ``age`` completed years say, below 18.

    The limit of the narrowest age class counts: minutes of all shifts that begin on the same day of the city,
    and between which minutes of the day the shift may lie.
    """
    limit = min((each for each in policy.minors if age < each.below_age), key=_class, default=None)
    if limit is None:
        return []
    begin, end = (instant_of(each).astimezone(zone) for each in (shift.starts_at, shift.ends_at))
    midnight = dt.datetime.combine(begin.date(), dt.time())
    first, last = (int((each.replace(tzinfo=None) - midnight).total_seconds()) for each in (begin, end))
    found = []
    if first < limit.not_before * 60 or last > limit.not_after * 60:
        window = {"age": limit.below_age, "begin": _clock(limit.not_before), "end": _clock(limit.not_after)}
        found.append(Finding("minor_outside_window", window))
    same = [each for each in others if instant_of(each.starts_at).astimezone(zone).date() == begin.date()]
    length = sum(each.ends_at - each.starts_at for each in (shift, *same))
    if length > limit.day_minutes * MINUTE:
        values = {"age": limit.below_age, "minutes": length // MINUTE, "limit": limit.day_minutes}
        found.append(Finding("minor_day_too_long", values))
    return found


def _class(limit: MinorLimit) -> int:
    return limit.below_age


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
