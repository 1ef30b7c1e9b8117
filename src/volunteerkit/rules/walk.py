"""A way of crediting applied part by part, record by record, keeping what each part took or added.

Every part goes once over a person's records, in the order of service, and sees what the one before it left.
This is what a version means; the loop of `plan` and the columns of `kernel` do the same faster for versions
whose days can be summed first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import attrs

from volunteerkit.messages import phrase
from volunteerkit.rules.binding import source
from volunteerkit.rules.expression import Expression, Mention, mentioned
from volunteerkit.rules.functions import months_after, months_between, year_start
from volunteerkit.rules.parts import Limit, Transform, Window
from volunteerkit.rules.plan import (
    BEGIN,
    DAY_MINUTES,
    HIGHEST,
    NO_FACTS,
    NOTHING,
    PERCENT,
    PERCENT_MAX,
    Record,
    activity_day,
    once,
    record_places,
    scales,
)
from volunteerkit.rules.rulebook import Version
from volunteerkit.units import day_of, whole_minutes

__all__ = ["Pending", "Step", "Walked", "walk"]

Why = tuple[str, Mapping[str, Any]]
_Rule = Callable[[Any, Mapping[str, Any], Any], Any]
_YEAR: Final = 4
_MONTH: Final = 7


def __dir__() -> list[str]:
    return __all__


class Pending(NamedTuple):
    """Minutes of one day that count once the office ``to`` agrees; ``day`` is a day number."""

    day: int
    minutes: int
    to: str


@attrs.define
class Step:
    """One record on its way: its activity day, its value so far, and why that changed."""

    record: Record
    day: int
    value: int
    selected: bool = True
    # the minutes of the clock that count: where they begin, from 1970 on, and how many; none without a clock
    begin: int = 0
    length: int = 0
    why: list[Why] = attrs.field(factory=list)


@attrs.frozen
class Walked:
    """What became of every record; values are whole numbers of ``1 / scale`` minutes."""

    steps: tuple[Step, ...]
    pending: tuple[Pending, ...]

    @property
    def scaled(self) -> int:
        """The exact total."""
        return sum(step.value for step in self.steps)


def walk(version: Version, records: Iterable[Record], person: Mapping[str, Any]) -> Walked:
    """Apply every part of ``version`` to one person's records; ``person`` holds all defaults.

    Raises KeyError with the name of an absent fact.
    """
    ordered = sorted(records, key=BEGIN)
    if version.day_begins_minute:
        steps = [Step(record, activity_day(version, record), record[4]) for record in ordered]
    else:
        steps = [Step(record, record[1], record[4]) for record in ordered]
    counted = steps
    if version.select is not None:
        select = _ready(version, version.select)
        for step in steps:
            if not select(step.record, person, 0):
                step.selected, step.value = False, 0
                step.why.append(("not_selected", NO_FACTS))
        counted = [step for step in steps if step.selected]
    if version.once or version.windows:
        _take_clocks(version, counted)
    for transform in version.transforms:
        _transform(version, transform, counted, person)
    if version.windows:
        _weigh(version, counted, person)
    if version.coefficient:
        _multiply(version, counted, person)
    for limit in version.limits:
        _hold(version, limit, counted, person)
    pending = _days(version, counted, person)
    return Walked(tuple(steps), pending)


def _ready(version: Version, rule: Expression | None, here: str = "") -> _Rule:
    """Return a rule as a function of a record, a person, and the value of the fact ``here``."""
    if rule is None:
        return lambda record, person, value: True
    key = ("walk", rule, here)
    found: _Rule | None = version.compiled.get(key)
    if found is None:
        places = record_places(mentioned(rule)) | {here: "value"}
        values: dict[str, Any] = {"__builtins__": {}}
        text = source(rule, places, values, version.functions)
        # The text was written here from checked values; nothing from outside reaches the compiler.
        found = version.compiled[key] = eval(f"lambda r, person, value: {text}", values)
    return found


def _told(part: Any) -> dict[str, Any]:
    """Return the author's word and sentences, where there are any."""
    return {name: getattr(part, name) for name in ("reason", "because") if getattr(part, name)}


def _take_clocks(version: Version, steps: Sequence[Step]) -> None:
    """Let every minute count once, if the version says so, and note where the counted minutes begin."""
    taken = once([step.record for step in steps]) if version.once else None
    for step in steps:
        record = step.record
        timed = record.start_minute >= 0 and record.clock_minutes > 0
        end = record.served_on * DAY_MINUTES + record.start_minute
        end += min(record.clock_minutes, record.claimed_minutes)
        if taken is not None:
            free, holder = next(taken)
            if free < step.value:
                step.why += _overlap(record, free, holder)
            step.value = free
        if timed:
            step.length = min(step.value, record.clock_minutes)
            step.begin = end - step.length


def _overlap(record: Record, free: int, holder: int) -> Iterator[Why]:
    clock, claimed = record.clock_minutes, record.claimed_minutes
    if clock < claimed:
        yield "clock_shorter", {"clock": clock, "minutes": claimed - clock}
    taken = min(clock, claimed) - free
    if taken:
        yield "minutes_counted_before", {"minutes": taken, "record": holder}


def _transform(version: Version, part: Transform, steps: Sequence[Step], person: Mapping[str, Any]) -> None:
    when, minutes = _ready(version, part.when, "minutes"), _ready(version, part.minutes, "minutes")
    for step in steps:
        if when(step.record, person, step.value):
            made = min(max(minutes(step.record, person, step.value), 0), HIGHEST)
            if made != step.value:
                step.why.append(("transform", {"before": step.value, "after": made, **_told(part)}))
                step.value = made


def _weigh(version: Version, steps: Sequence[Step], person: Mapping[str, Any]) -> None:
    """Multiply the minutes in each window; those outside, or without a clock, count as they are."""
    rules = [(window, _ready(version, window.when, "served_on")) for window in version.windows]
    for step in steps:
        inside = _minutes_inside(rules, step, min(step.value, step.length), person)
        step.value *= PERCENT
        for window, minutes in inside.items():
            step.value += minutes * (window.percent - PERCENT)
            if window.percent != PERCENT:
                span = {"begin": _time(window.from_minute), "end": _time(window.to_minute)}
                told = {"minutes": minutes, **span, "percent": window.percent, **_told(window)}
                step.why.append(("window", told))


def _minutes_inside(
    rules: Sequence[tuple[Window, _Rule]], step: Step, length: int, person: Mapping[str, Any]
) -> dict[Window, int]:
    """Return how many of a record's minutes lie in each window, day by day and piece by piece."""
    edges = {0, DAY_MINUTES} | {
        edge for window, _ in rules for edge in (window.from_minute, window.to_minute)
    }
    bounds, found = sorted(edges), dict[Window, int]()
    begin, end = step.begin, step.begin + length
    for day in range(begin // DAY_MINUTES, (end - 1) // DAY_MINUTES + 1):
        holding = [window for window, when in rules if when(step.record, person, day)]
        for low, high in pairwise(bounds):
            window = next((each for each in holding if each.holds_at(low)), None)
            midnight = day * DAY_MINUTES
            minutes = min(midnight + high, end) - max(midnight + low, begin)
            if window is not None and minutes > 0:
                found[window] = found.get(window, 0) + minutes
    return found


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _multiply(version: Version, steps: Sequence[Step], person: Mapping[str, Any]) -> None:
    assert version.coefficient is not None
    by, otherwise = version.coefficient.by, version.coefficient.otherwise
    percents, word_of = dict(version.coefficient.percent), _ready(version, Mention(by))
    for step in steps:
        percent = percents.get(word_of(step.record, person, 0), otherwise)
        step.value *= percent
        if percent != PERCENT:
            step.why.append(("coefficient", {"percent": percent}))


def _hold(version: Version, part: Limit, steps: Sequence[Step], person: Mapping[str, Any]) -> None:
    """Let each group of records have no more than its limit; what is over, its last records lose."""
    when, at_most = _ready(version, part.when), _ready(version, part.at_most, "served_on")
    scale = scales(version)[0] if part.count == "minutes" else 1
    words = [_ready(version, Mention(name)) for name in part.by]
    left: dict[Any, tuple[int, int]] = {}
    for step in steps:
        record = step.record
        if not step.value or (part.when is not None and not when(record, person, 0)):
            continue
        key: Any = step.day if part.per == "day" else _period(part, step.day)
        if words:
            key = (key, *(word_of(record, person, 0) for word_of in words))
        if key not in left:
            limit = min(max(at_most(NOTHING, person, step.day), 0), HIGHEST)
            left[key] = limit, limit * scale
        limit, rest = left[key]
        amount = step.value if part.count == "minutes" else 1
        given = amount if amount <= rest else rest if part.beyond == "cut" else 0
        left[key] = limit, rest - given
        if given < amount:
            lost = -whole_minutes(given - amount, scale)
            step.why.append(_over(part, step.day, limit, lost))
            step.value = given if part.count == "minutes" else 0


def _over(part: Limit, day: int, limit: int, lost: int) -> Why:
    told = {"limit": limit, **_told(part)}
    if part.per == "day" and part.count == "minutes" and part.beyond == "cut":
        return "day_limit", {"minutes": lost, "day": day_of(day), **told}
    told["period"] = _period(part, day) or phrase("explain_life")
    if part.count == "records":
        return "count_limit", told
    return ("limit" if part.beyond == "cut" else "limit_refused"), {"minutes": lost, **told}


def _period(part: Limit, day: int) -> str:
    """Return the name of a limit's period: a year, a month, or the first day of what has no name."""
    if part.per == "life":
        return ""
    text = str(day_of(day))
    if part.per == "week":
        return str(day_of(day - (day + 3) % 7))
    if part.per in ("quarter", "half_year") or (part.per == "year" and part.year_begins_month != 1):
        begins = year_start(day, part.year_begins_month)
        months = {"quarter": 3, "half_year": 6, "year": 12}[part.per]
        return str(day_of(months_after(begins, months_between(begins, day) // months * months)))
    return text[:_YEAR] if part.per == "year" else text[:_MONTH] if part.per == "month" else text


def _days(version: Version, steps: Sequence[Step], person: Mapping[str, Any]) -> tuple[Pending, ...]:
    """Give every day its percentage, and send it to the office that must agree, if one must."""
    waiting = _waiting(version, steps, person) if version.routes else {}
    if version.day_percent is not None:
        _share(version, steps, person)
    held = dict.fromkeys(waiting, 0)
    for step in steps if waiting else ():
        if step.value and step.day in waiting:
            held[step.day] += step.value
            step.why.append(("route", {"day": day_of(step.day), **waiting[step.day]}))
            step.value = 0
    scale = scales(version)[1]
    return tuple(Pending(day, whole_minutes(value, scale), waiting[day]["to"]) for day, value in held.items())


def _share(version: Version, steps: Sequence[Step], person: Mapping[str, Any]) -> None:
    percent_of, percents = _ready(version, version.day_percent, "served_on"), dict[int, int]()
    for step in steps:
        percent = percents.get(step.day)
        if percent is None:
            percent = min(max(percent_of(NOTHING, person, step.day), 0), PERCENT_MAX)
            percents[step.day] = percent
        step.value *= percent
        if percent != PERCENT:
            step.why.append(("day_percent", {"percent": percent}))


def _waiting(version: Version, steps: Sequence[Step], person: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the days that wait, each with its office and its author's words."""
    days: dict[int, list[Step]] = {}
    for step in steps:
        if step.value:
            days.setdefault(step.day, []).append(step)
    rules = [(part, _ready(version, part.when, "served_on")) for part in version.routes]
    scale, found = scales(version)[0], dict[int, dict[str, Any]]()
    for day, its in days.items():
        if all(step.record.facts.get("accepted", False) for step in its):
            continue
        facts = {**person, "day_minutes": whole_minutes(sum(step.value for step in its), scale)}
        part = next((part for part, when in rules if when(NOTHING, facts, day)), None)
        if part is not None:
            found[day] = {"to": part.to, **_told(part)}
    return found
