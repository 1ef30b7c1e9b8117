"""Crediting for one person: from recorded minutes to minutes that count, with a reason for each difference.

The steps are those of a credit rulebook's version, in its order: select, once, coefficient, then day by
day a limit and a percentage. Totals are exact whole numbers of ``1 / scale`` minutes; whole minutes are
taken once, at the end, downwards. `kernel` does the same for a whole city on columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import attrs

from volunteerkit.errors import Finding, InvalidValue
from volunteerkit.rules.plan import BEGIN, NO_FACTS, PERCENT, Plan, Record, once, plan_of
from volunteerkit.rules.rulebook import Version
from volunteerkit.units import day_of, whole_minutes

__all__ = ["CreditLine", "Credited", "Record", "credit"]

_Why = tuple[str, Mapping[str, Any]]


def __dir__() -> list[str]:
    return __all__


class CreditLine(NamedTuple):
    """What became of one record; credited minutes are rounded down. ``why`` is `reasons`, unworded."""

    record_id: int
    served_on: int
    claimed_minutes: int
    credited_minutes: int
    why: tuple[_Why, ...] = ()

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """Findings whose texts say why credited and claimed minutes differ; empty when they do not."""
        return tuple(Finding(code, dict(values), "warn") for code, values in self.why)


@attrs.frozen
class Credited:
    """One person's credited time: totals, and ``lines`` with reasons, made when they are read.

    ``scaled / scale`` is the exact total in minutes, ``credited_minutes`` the same rounded down;
    ``service_days`` counts days with credited time, ``service_records`` the selected records.
    """

    claimed_minutes: int
    credited_minutes: int
    service_days: int
    service_records: int
    scaled: int
    scale: int
    _explained: Callable[[], tuple[CreditLine, ...]] = attrs.field(repr=False, eq=False)

    @property
    def lines(self) -> tuple[CreditLine, ...]:
        """One line a record, in the order of service; what a day's limit cuts, its last records lose."""
        return self._explained()


def credit(version: Version, records: Iterable[Record], person: Mapping[str, int] | None = None) -> Credited:
    """Credit one person's confirmed ``records`` under ``version``.

    ``person`` holds the facts of the person, dates as day numbers (``adult_on`` …); an absent one has its
    declared default. The order of ``records`` matters only among those that begin at the same minute: the
    first one counts. Raises InvalidValue naming a fact that is absent and has no default.

    >>> from volunteerkit.rules import builtin_rulebooks
    >>> import datetime as dt
    >>> union = builtin_rulebooks()[1].version_on(dt.date(2026, 1, 1))
    >>> found = credit(union, [Record(1, 20000, 480, 120, 120), Record(2, 20000, 540, 120, 120)])
    >>> found.claimed_minutes, found.credited_minutes
    (240, 180)
    """
    plan, given = plan_of(version), list(records)
    facts: Mapping[str, Any] = {**plan.defaults, **person} if person else plan.defaults
    try:
        counted, scaled, service_days = plan.run(given, facts)
    except KeyError as missing:
        if missing.args[0] not in version.mentions:  # a function's own mistake
            raise
        raise InvalidValue("fact_missing", name=missing.args[0]) from None
    return Credited(
        sum([each[4] for each in given]),
        whole_minutes(scaled, plan.scale),
        service_days,
        counted,
        scaled,
        plan.scale,
        partial(_lines, plan, given, facts),
    )


def _lines(plan: Plan, records: Sequence[Record], facts: Mapping[str, Any]) -> tuple[CreditLine, ...]:
    """Go through the same steps record by record, keeping what each of them took."""
    ordered = sorted(records, key=BEGIN)
    counted = plan.select(ordered, facts)
    days = {each[1] for each in counted}
    limits = {day: plan.at_most(day, facts) for day in days} if plan.at_most else {}
    percents = {day: plan.percent(day, facts) for day in days} if plan.percent else {}
    left = {day: limit * plan.record_scale for day, limit in limits.items()}
    free = iter(once(counted) if plan.once else [(each[4], -1) for each in counted])
    following = iter(counted)
    expected = next(following, None)
    lines = []
    for record in ordered:
        if record is not expected:
            lines.append(CreditLine(record[0], record[1], record[4], 0, (("not_selected", NO_FACTS),)))
            continue
        expected = next(following, None)
        day = record[1]
        value, holder = next(free)
        why = _overlap(record, value, holder) if value < record[4] else []
        if plan.by >= 0:
            percent = plan.percents.get(record[plan.by], plan.otherwise)
            value *= percent
            if percent != PERCENT:
                why.append(("coefficient", {"percent": percent}))
        if left:
            if value > left[day]:
                cut = -whole_minutes(left[day] - value, plan.record_scale)
                why.append(("day_limit", {"minutes": cut, "day": day_of(day), "limit": limits[day]}))
                value = left[day]
            left[day] -= value
        if percents:
            value *= percents[day]
            if percents[day] != PERCENT:
                why.append(("day_percent", {"percent": percents[day]}))
        lines.append(CreditLine(record[0], day, record[4], whole_minutes(value, plan.scale), tuple(why)))
    return tuple(lines)


def _overlap(record: Record, free: int, holder: int) -> list[_Why]:
    why: list[_Why] = []
    clock, claimed = record[3], record[4]
    if clock < claimed:
        why.append(("clock_shorter", {"clock": clock, "minutes": claimed - clock}))
    taken = min(clock, claimed) - free
    if taken:
        why.append(("minutes_counted_before", {"minutes": taken, "record": holder}))
    return why
