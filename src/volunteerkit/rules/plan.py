"""A credit version made ready for one person: its steps written out as small Python functions.

Rules stand in the text of the loop itself, so that no rule costs a call for every record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import attrs

from volunteerkit.rules.binding import source
from volunteerkit.rules.expression import Expression, mentioned, reach
from volunteerkit.rules.facts import PERSON_FACTS
from volunteerkit.rules.rulebook import Version

__all__ = ["BEGIN", "NOTHING", "Plan", "Record", "activity_day", "by_days", "day_limit", "once", "plan_of", "record_places",
           "scales"]  # fmt: skip

DAY_MINUTES: Final = 1440
PERCENT: Final = 100
PERCENT_MAX: Final = 1000
HIGHEST: Final = 2**53
BEGIN: Final = itemgetter(1, 2)
NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})


def __dir__() -> list[str]:
    return __all__


class Record(NamedTuple):
    """One confirmed record: an opaque id, its day as a day number, its clock, its minutes, its words.

    ``start_minute`` is the minute of the day (0 … 1439) it began, ``clock_minutes`` how long it went on,
    perhaps past midnight; without a clock they are -1 and 0. ``kind`` says what it records (``"travel"``,
    ``"whole_blood"`` …), ``quantity`` how much of it, ``known_on`` the day it was entered (0: in time).
    ``facts`` holds what plugins and rulebooks declared beside.
    """

    record_id: int
    served_on: int
    start_minute: int
    clock_minutes: int
    claimed_minutes: int
    category: str = ""
    project: str = ""
    organization: str = ""
    method: str = ""
    kind: str = "service"
    quantity: int = 1
    known_on: int = 0
    facts: Mapping[str, Any] = NO_FACTS


NOTHING: Final = Record(0, 0, -1, 0, 0)
"""Stands where a rule looks at a day and at no record."""


@attrs.frozen
class Plan:
    """A version ready to run on whole numbers.

    ``run`` gives how many records count, the exact total and the days that count; it raises KeyError with the
    name of an absent fact. It is None where the days cannot be summed first; see `by_days`.
    """

    run: Callable[[Sequence[Record], Mapping[str, Any]], tuple[int, int, int]] | None
    scale: int
    defaults: Mapping[str, Any]


def scales(version: Version) -> tuple[int, int]:
    """Return the parts of a minute a record and a total are counted in; a percentage makes it 100 times."""
    record = PERCENT if version.coefficient else 1
    if version.windows:
        record *= PERCENT
    return record, record * (PERCENT if version.day_percent else 1)


def day_limit(version: Version) -> Expression | None:
    """Return the minutes a day counts at most, where that is the version's only limit."""
    return version.limits[0].at_most if version.limits else None


def by_days(version: Version) -> bool:
    """Tell whether a version's days can be summed before anything else is decided.

    Then the loop here and the columns of `kernel` run it; otherwise `walk` goes part by part.
    """
    whole_days = [
        limit.per == "day" and limit.beyond == "cut" and limit.count == "minutes"
        and limit.when is None and not limit.by for limit in version.limits
    ]  # fmt: skip
    more = version.transforms or version.windows or version.routes or version.day_begins_minute
    return not more and whole_days in ([], [True])


def activity_day(version: Version, record: Record) -> int:
    """Return the day a record belongs to: the one it began on, as the version's days begin."""
    return record.served_on - (0 <= record.start_minute < version.day_begins_minute)


def once(ordered: Iterable[Record]) -> Iterator[tuple[int, int]]:
    """Yield for each record its minutes that no earlier one took, and the id of one that took some, or -1.

    A record stands for the first ``claimed_minutes`` of its clock; without a clock it counts whole and
    takes nothing from others. So the total is the length of a union, which no further record can lower.
    """
    busy_until, holder = -HIGHEST, -1  # before every day, those before 1970 too
    for record in ordered:
        record_id, served_on, start_minute, clock_minutes, claimed_minutes = record[:5]
        if start_minute < 0 or clock_minutes <= 0:
            yield claimed_minutes, -1
            continue
        start = served_on * DAY_MINUTES + start_minute
        end = start + min(clock_minutes, claimed_minutes)
        if start >= busy_until:
            yield end - start, -1
        else:
            yield max(0, end - busy_until), holder
        if end > busy_until:
            busy_until, holder = end, record_id


def plan_of(version: Version) -> Plan:
    """Return the plan of a version; it is made once."""
    plan: Plan | None = version.compiled.get("int")
    if plan is None:
        plan = version.compiled["int"] = _planned(version)
    return plan


def _planned(version: Version) -> Plan:
    return Plan(
        _compiled(version) if by_days(version) else None,
        scales(version)[1],
        {fact.name: fact.default for fact in version.facts.values() if fact.default is not None},
    )


def _compiled(version: Version) -> Callable[[Sequence[Record], Mapping[str, Any]], tuple[int, int, int]]:
    percents = dict(version.coefficient.percent) if version.coefficient else {}
    values: dict[str, Any] = {
        "__builtins__": {"zip": zip, "sorted": sorted, "list": list, "len": len, "sum": sum}
    }
    values |= {"once": once, "begin": BEGIN, "percent_of": percents.get}
    # The text is written from checked values only; nothing from outside reaches the compiler.
    exec("\n".join(_lines(version, values)), values)
    run: Callable[[Sequence[Record], Mapping[str, Any]], tuple[int, int, int]] = values["run"]
    return run


def _lines(version: Version, values: dict[str, Any]) -> Iterator[str]:
    select = "list(records)"
    if version.select:
        text = source(version.select, record_places(mentioned(version.select)), values, version.functions)
        select = f"[r for r in records if {text}]"
    at_most = _of_day(version, day_limit(version), HIGHEST, values)
    percent = _of_day(version, version.day_percent, PERCENT_MAX, values)
    of_person = [
        f"  {place} = person[{name!r}]" for name, place in _day_places(version).items() if place != "day"
    ]
    minutes = "minutes" if version.once else "r[4]"
    if version.coefficient:
        by = record_places((version.coefficient.by,))[version.coefficient.by]
        minutes += f" * percent_of({by}, {version.coefficient.otherwise})"
    yield from ("def run(records, person):", *of_person)
    yield f"  records = {select}" if version.select else ""
    yield "  records = sorted(records, key=begin)" if version.once else ""
    yield "  days = {}"
    yield "  for r, (minutes, _) in zip(records, once(records)):" if version.once else "  for r in records:"
    yield "    day = r[1]"
    yield f"    if day in days: days[day] += {minutes}"
    yield f"    else: days[day] = {minutes}"
    value = "value"
    if at_most:
        value = f"(value if value < (most := {at_most} * {scales(version)[0]}) else most)"
    if percent:
        value += f" * {percent}"
    yield f"  values = [{value} for day, value in days.items()]"
    yield "  return len(records), sum(values), len(values) - values.count(0)"


def _of_day(version: Version, rule: Expression | None, highest: int, values: dict[str, Any]) -> str:
    """Return a rule of the day as text, held between 0 and ``highest`` where it could leave them."""
    if rule is None:
        return ""
    text = source(rule, _day_places(version), values, version.functions)
    low, high = reach(rule)
    return text if low >= 0 and high <= highest else f"least(greatest({text}, 0), {highest})"


def _day_places(version: Version) -> dict[str, str]:
    """Return where the facts of the day's rules stand: in variables of the function."""
    rules = [rule for rule in (day_limit(version), version.day_percent) if rule is not None]
    names = sorted({name for rule in rules for name in mentioned(rule)})
    return {name: "day" if name == "served_on" else f"p{i}" for i, name in enumerate(names)}


def record_places(names: tuple[str, ...]) -> dict[str, str]:
    """Return where each fact stands: in the record, beside it, or with the person."""
    places = {}
    for name in names:
        if name in PERSON_FACTS:
            places[name] = f"person[{name!r}]"
        elif name in Record._fields:
            places[name] = f"r[{Record._fields.index(name)}]"
        else:
            beside = f"r[{Record._fields.index('facts')}]"
            places[name] = f"({beside} if {name!r} in {beside} else person)[{name!r}]"
    return places
