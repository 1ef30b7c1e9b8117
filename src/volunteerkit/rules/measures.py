"""Measures: what a stream of dated records adds up to, for one subject, over a span of days.

A measure looks at the records its ``where`` lets in, between its first and its last day, perhaps group by
group (``per``), and gives one whole number or one day. It sees what the measures before it found, so a span
may begin at an anchor such as the last award.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from volunteerkit.rules.binding import source
from volunteerkit.rules.expression import Expression, mentioned
from volunteerkit.rules.functions import months_after, months_between, year_start, years_between
from volunteerkit.rules.parts import PERIODS, Lookup, Measure
from volunteerkit.rules.plan import Record, record_places
from volunteerkit.units import day_of

__all__ = ["Rules", "Stream", "looked_up", "measured", "period_of"]


def __dir__() -> list[str]:
    return __all__


class Stream:
    """One subject's records, each with the exact minutes it counts, as a measure looks at them.

    ``values`` are whole numbers of ``1 / scale`` minutes; see `crediting`.
    """

    __slots__ = ("records", "scale", "values")

    def __init__(self, records: Sequence[Record], values: Sequence[int], scale: int) -> None:
        self.records, self.values, self.scale = records, values, scale


def measured(part: Measure, stream: Stream, facts: Mapping[str, Any], rules: Rules) -> int | None:
    """Return what a measure finds, None where nothing is left and it has no ``otherwise``.

    ``facts`` are those of the subject, ``today`` among them, and all defaults. Raises KeyError naming an
    absent fact.
    """
    today = facts["today"]
    first = rules.of_subject(part.first_day)(facts) + part.after if part.first_day is not None else None
    last = rules.of_subject(part.last_day)(facts) - part.before if part.last_day is not None else today
    last = min(last, today)
    where = rules.of_record(part.where) if part.where is not None else None
    found = [
        (record, value)
        for record, value in zip(stream.records, stream.values, strict=True)
        if record[1] <= last
        and (first is None or record[1] >= first)
        and (where is None or where(record, facts, value // stream.scale))
    ]
    if part.latest is not None:
        found = sorted(found, key=_when)[-part.latest :]
    if part.per:
        result = _over_groups(part, found, stream.scale, facts, rules, last)
    else:
        result = _of_group(part, found, stream.scale, facts, rules, last)
    if result is not None:
        return result
    if part.otherwise is None or isinstance(part.otherwise, int):
        return part.otherwise
    return int(rules.of_subject(part.otherwise)(facts))


def _when(row: tuple[Record, int]) -> tuple[int, int, int]:
    """Return where a record stands in time; of two that begin together the one entered later is the later."""
    return row[0].served_on, row[0].start_minute, row[0].record_id


Rows: TypeAlias = Sequence[tuple[Record, int]]


def _of_group(
    part: Measure, rows: Rows, scale: int, facts: Mapping[str, Any], rules: Rules, last: int
) -> int | None:
    """Return what the records of one group come to; None for none where nothing can be said of none."""
    if part.how == "count":
        if part.distinct == "days":
            return len({record[1] for record, _ in rows})
        if part.distinct:
            word = rules.word(part.distinct)
            return len({word(record, facts, 0) for record, _ in rows})
        return len(rows)
    if part.how == "sum" and part.of is None:
        return sum(value for _, value in rows) // scale
    if part.how == "balance":
        return _balance(part, rows, scale, facts, rules, last)
    assert part.of is not None
    of = rules.of_record(part.of)
    values = [int(of(record, facts, value // scale)) for record, value in rows]
    if part.how == "sum":
        return sum(values)
    if part.gap_days is not None:
        return _unbroken_since(values, last, part.gap_days)
    if not values:
        return None
    return min(values) if part.how in ("first", "least") else max(values)


def _balance(part: Measure, rows: Rows, scale: int, facts: Mapping[str, Any], rules: Rules, last: int) -> int:
    """Return what is left on ``last`` of what was added, the oldest spent first; negative where it is owed."""
    of = rules.of_record(part.of) if part.of is not None else None
    spends = rules.of_record(part.spends) if part.spends is not None else None
    # on one day what is added comes before what is spent
    moves = []
    for record, value in rows:
        added = of(record, facts, value // scale) if of else value // scale
        spent = spends(record, facts, value // scale) if spends else 0
        moves.append((record[1], 0, max(added, 0)))
        moves.append((record[1], 1, max(spent, 0) + max(-added, 0)))
    lots: deque[list[int]] = deque()
    owed = 0
    for day, spending, amount in sorted(moves):
        _expire(lots, part.expires_months, day)
        if not spending:
            paid = min(owed, amount)
            owed -= paid
            if amount > paid:
                lots.append([day, amount - paid])
            continue
        while amount and lots:
            taken = min(amount, lots[0][1])
            lots[0][1] -= taken
            amount -= taken
            if not lots[0][1]:
                lots.popleft()
        owed += amount
    _expire(lots, part.expires_months, last)
    return sum(left for _, left in lots) - owed


def _expire(lots: deque[list[int]], months: int | None, today: int) -> None:
    """Take away the lots that ran out: one of 1 March that is good for a month counts up to 31 March."""
    while months is not None and lots and months_after(lots[0][0], months) <= today:
        lots.popleft()


def _unbroken_since(days: Iterable[int], last: int, gap_days: int) -> int | None:
    """Return the first day of the service that reaches ``last`` without a gap of more than so many days."""
    since: int | None = None
    reached = last
    for day in sorted(set(days), reverse=True):
        if reached - day > gap_days:
            break
        since = reached = day
    return since


def _over_groups(
    part: Measure, rows: Rows, scale: int, facts: Mapping[str, Any], rules: Rules, last: int
) -> int | None:
    key = period_of(part, last) if part.per in PERIODS else None
    word = rules.word(part.per) if key is None else None
    keyed = [(key(record[1]) if key else word(record, facts, 0), record, value)  # type: ignore[misc]
             for record, value in rows]  # fmt: skip
    keyed.sort(key=itemgetter(0))
    counts = rules.of_subject(part.counts) if part.counts is not None else None
    having = rules.of_subject(part.having) if part.having is not None else None
    kept: list[tuple[Any, int]] = []
    for group, its in groupby(keyed, key=itemgetter(0)):
        value = _of_group(part, [each[1:] for each in its], scale, facts, rules, last)
        if value is not None and (having is None or having({**facts, "value": value})):
            kept.append((group, value if counts is None else counts({**facts, "value": value})))
    if part.best is not None:
        kept = sorted(sorted(kept, key=itemgetter(1), reverse=True)[: part.best])
    return _taken(part, kept, key(last) if key else 0)


def _taken(part: Measure, kept: Sequence[tuple[Any, int]], present: int) -> int | None:
    """Put the groups that are left together."""
    values = [value for _, value in kept]
    match part.take:
        case "count":
            return len(values)
        case "sum":
            return sum(values)
        case "most" | "least":
            return (max if part.take == "most" else min)(values, default=None)
    chains = _chains([group for group, _ in kept])
    if part.take == "run":
        return max((length for _, length in chains), default=0)
    # a calendar's present period may still be going on: a chain that ends with the one before is not broken yet
    reaching = (0,) if part.per.endswith("_back") else (present, present - 1)
    return next((length for end, length in chains if end in reaching), 0)


def _chains(groups: Iterable[int]) -> list[tuple[int, int]]:
    """Return where chains of numbers that follow one another are nearest to the present, and their lengths."""
    found: list[list[int]] = []
    for group in groups:
        if found and group == found[-1][-1] + 1:
            found[-1].append(group)
        else:
            found.append([group])
    return [(end, len(chain)) for chain in found for end in {chain[0], chain[-1]}]


def period_of(part: Measure, last: int) -> Callable[[int], int]:
    """Return how a day becomes the number of its period; periods that follow one another differ by one."""
    match part.per:
        case "day":
            return lambda day: day
        case "week":
            return lambda day: (day + 3) // 7
        case "month":
            return _months
        case "quarter" | "half_year":
            months = 3 if part.per == "quarter" else 6
            return lambda day: (_months(day) - part.year_begins_month + 1) // months
        case "year":
            return lambda day: day_of(year_start(day, part.year_begins_month)).year
        case "month_back":
            return lambda day: months_between(day, last)
    return lambda day: years_between(day, last)


def _months(day: int) -> int:
    """Return the number of a day's month, counted from January of the year 0."""
    found = day_of(day)
    return found.year * 12 + found.month - 1


def looked_up(part: Lookup, facts: Mapping[str, Any], rules: Rules) -> dict[str, int]:
    """Return the facts of the row that fits, none where none does; raises KeyError naming an absent fact."""
    key, fitting = facts[part.by], None
    for row in part.rows:
        if row.is_:
            fits = key in row.is_
        else:
            fits = key >= row.from_ if row.from_ is not None else fitting is None
        if fits:
            fitting = row
    if fitting is None:
        return {}
    return {
        name: rules.of_subject(rule)(facts) for name, rule in zip(part.columns, fitting.values, strict=True)
    }


class Rules:
    """The rules of one version, each made a Python function once."""

    def __init__(self, functions: Mapping[str, Any]) -> None:
        self._functions = functions
        self._made: dict[Any, Callable[..., Any]] = {}

    def of_record(self, rule: Expression) -> Callable[[Record, Mapping[str, Any], int], Any]:
        """Return a rule over a record, the subject's facts and the minutes the record counts."""
        found = self._made.get(rule)
        if found is None:
            places = record_places(mentioned(rule)) | {"minutes": "minutes"}
            found = self._made[rule] = self._function("r, person, minutes", rule, places)
        return found

    def of_subject(self, rule: Expression) -> Callable[[Mapping[str, Any]], Any]:
        """Return a rule over the subject's facts."""
        key = ("subject", rule)
        found = self._made.get(key)
        if found is None:
            places = {name: f"facts[{name!r}]" for name in mentioned(rule)}
            found = self._made[key] = self._function("facts", rule, places)
        return found

    def word(self, name: str) -> Callable[[Record, Mapping[str, Any], int], Any]:
        """Return what gives a word of a record."""
        found = self._made.get(name)
        if found is None:
            text = record_places((name,))[name]
            found = self._made[name] = eval(f"lambda r, person, minutes: {text}", {"__builtins__": {}})
        return found

    def _function(self, takes: str, rule: Expression, places: Mapping[str, str]) -> Callable[..., Any]:
        values: dict[str, Any] = {"__builtins__": {}}
        text = source(rule, places, values, self._functions)
        # The text was written here from checked values; nothing from outside reaches the compiler.
        made: Callable[..., Any] = eval(f"lambda {takes}: {text}", values)
        return made
