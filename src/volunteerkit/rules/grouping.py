"""The groups of a measure on NumPy columns: what `measures` makes of one subject's records, for many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias

import attrs
import numpy as np

from volunteerkit.errors import InvalidValue
from volunteerkit.rules.expression import Expression
from volunteerkit.rules.measures import period_of
from volunteerkit.rules.parts import PERIODS, Measure

__all__ = ["Known", "by_value", "changes", "order_of", "over_groups"]

Column: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_TABLE: Final = 2**20


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Known:
    """A fact by subject (or record): its values, and which have it; what stands at the others means nothing."""

    values: Column = attrs.field(repr=False)
    there: Column = attrs.field(repr=False)

    def over(self, other: Known | None) -> Known:
        """Return this fact, and the other one where this is absent."""
        if other is None or self.there.all():
            return self
        return Known(np.where(self.there, self.values, other.values), self.there | other.there)


class OfSubjects(Protocol):
    """Reckons a rule for subjects, with the ``value`` of a group of theirs."""

    def __call__(self, rule: Expression, who: Column, value: Column) -> Known: ...


def by_value(function: Callable[..., int], *columns: Column) -> Column:
    """Return a function of whole numbers on columns, called once for every different row of them."""
    if not len(columns[0]):
        return np.zeros(0, np.int64)
    key, span = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:  # days lie close together: two of them make one number
        low, width = int(column.min()), int(column.max()) - int(column.min()) + 1
        key, span = key * width + (column - low), span * width
    if span > _TABLE:
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
    else:  # a table instead of sorting; of the rows of one number any will do
        rows_of = np.full(span, -1)
        rows_of[key] = np.arange(len(key))
        first = rows_of[rows_of >= 0]
        place = (np.cumsum(rows_of >= 0) - 1)[key]
    rows = zip(*(column[first].tolist() for column in columns), strict=True)
    found: Column = np.array([function(*row) for row in rows], np.int64)[place]
    return found


def order_of(*keys: Column) -> Any:
    """Return how rows are put in order, the first key first; rows that are in order stay where they are."""
    tied = np.ones(max(len(keys[0]) - 1, 0), bool)
    for key in keys:
        if np.any(tied & (key[1:] < key[:-1])):
            return np.lexsort(keys[::-1])
        tied &= key[1:] == key[:-1]
    return slice(None)


def changes(*columns: Column) -> Column:
    """Return where a row differs from the one before; the first one does."""
    first = np.ones(len(columns[0]), bool)
    first[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return first


def over_groups(
    part: Measure,
    who: Column,
    days: Column,
    columns: Mapping[str, Column],
    scale: int,
    last: Column,
    failed: Column,
    of_subjects: OfSubjects,
) -> Known:
    """Return a measure of every subject from its chosen records, which stand in order of (subject, day).

    ``columns`` are the records' values (``of``) and words, ``last`` the last day of each subject. Subjects that
    lack a fact are noted in ``failed``.
    """
    key, present = _keys(part, who, days, columns, last)
    if part.per and len(who):
        order = order_of(who, key)
        who, days, key = who[order], days[order], key[order]
        columns = {name: column[order] for name, column in columns.items()}
    starts = np.flatnonzero(changes(who, key))
    found, there = _of_groups(part, who, key, days, columns, scale, last, starts)
    if not part.per:
        none = 0 if part.how in ("sum", "count") else None
        return _spread(who[starts][there], found[there], len(last), none)
    who, key, found = who[starts][there], key[starts][there], found[there]
    if part.having is not None:
        held = of_subjects(part.having, who, found)
        failed[who[~held.there]] = True
        good = held.there & held.values.astype(bool)
        who, key, found = who[good], key[good], found[good]
    if part.counts is not None:
        counted = of_subjects(part.counts, who, found)
        failed[who[~counted.there]] = True
        found = counted.values
    if part.best is not None:
        order = np.lexsort((key, -found, who))
        starts = np.flatnonzero(changes(who[order]))
        place = np.arange(len(who)) - np.repeat(starts, np.diff(starts, append=len(who)))
        kept = np.sort(order[place < part.best])
        who, key, found = who[kept], key[kept], found[kept]
    return _taken(part, who, key, found, present)


def _keys(
    part: Measure, who: Column, days: Column, columns: Mapping[str, Column], last: Column
) -> tuple[Column, Column]:
    """Return the group of every record, and the group each subject's last day lies in."""
    if part.per not in PERIODS:
        return columns[part.per] if part.per else np.zeros(len(who), np.int64), last
    if part.per.endswith("_back"):
        return by_value(lambda day, end: period_of(part, end)(day), days, last[who]), np.zeros_like(last)
    key = period_of(part, 0)
    return by_value(key, days), by_value(key, last)


def _of_groups(
    part: Measure,
    who: Column,
    key: Column,
    days: Column,
    columns: Mapping[str, Column],
    scale: int,
    last: Column,
    starts: Column,
) -> tuple[Column, Column]:
    """Return what every group comes to, and whether anything can be said of it."""
    there, values = np.ones(len(starts), bool), columns.get("of")
    if not len(starts):
        return np.zeros(0, np.int64), there
    if part.how == "count":
        what = days if part.distinct == "days" else columns.get(part.distinct, np.arange(len(who)))
        order = order_of(who, key, what)  # groups stay where they are
        different = changes(who[order], key[order], what[order])
        return np.add.reduceat(different.astype(np.int64), starts), there
    assert values is not None
    if part.how == "sum":
        longest = int(np.diff(starts, append=len(who)).max())
        if int(np.abs(values).max()) * longest >= 2**63:
            raise InvalidValue("columns_too_large", largest=int(np.abs(values).max()), records=longest)
        return np.add.reduceat(values, starts) // (scale if part.of is None else 1), there
    if part.gap_days is not None:
        return _unbroken_since(who, key, values, last, part.gap_days, starts)
    least = part.how in ("first", "least")
    return (np.minimum if least else np.maximum).reduceat(values, starts), there


def _unbroken_since(
    who: Column, key: Column, values: Column, last: Column, gap_days: int, starts: Column
) -> tuple[Column, Column]:
    """Return the first day of each group's service that reaches the last day without a longer gap."""
    order = order_of(who, key, values)
    values, ends = values[order], np.append(starts[1:], len(who)) - 1
    following = np.append(values[1:], 0)
    following[ends] = last[who[ends]]
    places = np.arange(len(values))
    broken = np.where(
        following - values > gap_days, places + 1, np.repeat(starts, np.diff(starts, append=len(who)))
    )
    since = np.maximum.reduceat(broken, starts)
    there = since <= ends
    return values[np.minimum(since, ends)], there


def _taken(part: Measure, who: Column, key: Column, found: Column, present: Column) -> Known:
    """Put each subject's groups together, as `measures` does."""
    size = len(present)
    starts = np.flatnonzero(changes(who))
    if part.take == "count":
        return Known(np.bincount(who, minlength=size), np.ones(size, bool))
    if part.take in ("sum", "most", "least"):
        together = {"sum": np.add, "most": np.maximum, "least": np.minimum}[part.take]
        values = together.reduceat(found, starts) if len(starts) else found
        return _spread(who[starts], values, size, 0 if part.take == "sum" else None)
    breaks = changes(who)
    breaks[1:] |= key[1:] != key[:-1] + 1
    begins = np.flatnonzero(breaks)
    lengths, holders = np.diff(begins, append=len(who)), who[begins]
    if part.take == "last_run":
        # the present period may still be going on: a chain that ends with the one before is not broken yet
        ends = key[begins + lengths - 1]
        back = part.per.endswith("_back")
        reaching = key[begins] == 0 if back else ends >= present[holders] - 1
        lengths, holders = lengths[reaching], holders[reaching]
    longest = np.zeros(size, np.int64)
    np.maximum.at(longest, holders, lengths)
    return Known(longest, np.ones(size, bool))


def _spread(who: Column, values: Column, size: int, none: int | None) -> Known:
    """Give subjects their values; ``none`` is that of the others, None for none at all."""
    found, there = np.full(size, none or 0), np.full(size, none is not None)
    found[who] = values
    there[who] = True
    return Known(found, there)
