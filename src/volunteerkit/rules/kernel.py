"""The city's kernel: the same steps as `crediting`, on NumPy columns, volunteers by blocks.

A rulebook splits by volunteer, so records clustered by (volunteer, day) need no sorting: a block of
volunteers fits the cache and is summed by runs. Unordered records are dealt out to blocks first, their
value packed into the sorting key. Measured in ``tests/benchmarks/h1_rerating.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import attrs
import numpy as np

from volunteerkit.errors import InvalidValue
from volunteerkit.rules.binding import BoundRule, bind
from volunteerkit.rules.crediting import credit
from volunteerkit.rules.expression import Expression, reach
from volunteerkit.rules.plan import DAY_MINUTES, HIGHEST, PERCENT_MAX, by_days, day_limit, scales
from volunteerkit.rules.rulebook import Version
from volunteerkit.rules.unpacking import records_of, said

__all__ = ["Totals", "credit_columns", "grade_columns", "record_values"]

Column: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Columns: TypeAlias = Mapping[str, Column]
_Task: TypeAlias = Callable[[], None]

_BLOCK: Final = 4096
_DEALT_BITS: Final = 14
_CHUNK: Final = 2**18
_T = TypeVar("_T")
_INT32: Final = 2**31
_EXACT_IN_FLOAT: Final = 2**53


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Totals:
    """Columns by volunteer: exact ``scaled`` totals of ``1 / scale`` minutes, and the measures asked for."""

    scaled: Column
    scale: int
    measures: Columns

    @property
    def credited_minutes(self) -> Column:
        """Whole credited minutes, rounded down once for each volunteer."""
        return self.scaled // self.scale


@attrs.frozen
class _DayRule:
    rule: BoundRule
    highest: int
    held: bool

    def on(self, facts: Mapping[str, Any]) -> Any:
        found = self.rule.on(facts)
        return np.clip(found, 0, self.highest) if self.held else found


@attrs.frozen
class _Plan:
    """A version ready to run on columns."""

    select: BoundRule | None
    once: bool
    by: str
    table: Column | None
    at_most: _DayRule | None
    percent: _DayRule | None
    record_scale: int
    scale: int
    defaults: Mapping[str, Any]
    record_columns: tuple[str, ...]

    @property
    def highest_percent(self) -> int:
        """What a minute can be multiplied with at most."""
        largest = 1 if self.table is None else int(self.table.max())
        return largest * (PERCENT_MAX if self.percent else 1)


def _plan(version: Version, vocabulary: Mapping[str, tuple[str, ...]]) -> _Plan:
    key = ("numpy", tuple(sorted(vocabulary.items())))
    plan: _Plan | None = version.compiled.get(key)
    if plan is None:
        plan = version.compiled[key] = _compiled(version, vocabulary)
    return plan


def _compiled(version: Version, vocabulary: Mapping[str, tuple[str, ...]]) -> _Plan:
    coefficient, table = version.coefficient, None
    columns = ["volunteer", "served_on", "claimed_minutes"]
    if coefficient:
        percents = dict(coefficient.percent)
        words = vocabulary.get(coefficient.by, ())
        # One entry more than words: the code -1, a word outside the vocabulary, takes the last one.
        listed = [percents.get(word, coefficient.otherwise) for word in words]
        table = np.array([*listed, coefficient.otherwise], np.int32)
        columns.append(coefficient.by)
    if version.once:
        columns += ["start_minute", "clock_minutes"]

    def day_rule(rule: Expression | None, highest: int) -> _DayRule | None:
        if rule is None:
            return None
        held = reach(rule)[0] < 0 or reach(rule)[1] > highest
        return _DayRule(bind(rule, version.functions, "numpy", vocabulary), highest, held)

    return _Plan(
        bind(version.select, version.functions, "numpy", vocabulary) if version.select else None,
        version.once,
        coefficient.by if coefficient else "",
        table,
        day_rule(day_limit(version), HIGHEST),
        day_rule(version.day_percent, PERCENT_MAX),
        *scales(version),
        {fact.name: fact.default for fact in version.facts.values() if fact.default is not None},
        tuple(columns),
    )


@attrs.frozen
class _Job:
    """One run: the plan, the columns of persons (or one value for all), and the columns to fill."""

    plan: _Plan
    people: Mapping[str, Any]
    as_of: int | None
    largest: int
    threads: int
    total: Column
    days: Column | None

    @property
    def value_type(self) -> Any:
        """The narrowest type that holds a record's value."""
        return np.int32 if self.largest < _INT32 else np.int64

    def of_person(self, name: str, volunteer: Column) -> Any:
        """Return a person's fact for each of the volunteers, or the one value it has for everybody."""
        column = self.people[name]
        return column[volunteer] if isinstance(column, np.ndarray) else column


def credit_columns(
    version: Version,
    records: Columns,
    persons: Columns,
    volunteers: int,
    *,
    clustered: bool,
    as_of: int | None = None,
    measures: tuple[str, ...] = (),
    vocabulary: Mapping[str, tuple[str, ...]] | None = None,
    threads: int = 1,
) -> Totals:
    """Credit the confirmed ``records`` of ``volunteers`` volunteers under ``version``.

    ``records`` are integer columns of one length: ``volunteer`` (0 … volunteers - 1), ``served_on`` (day
    numbers), ``claimed_minutes``, with ``once`` also ``start_minute`` and ``clock_minutes``, word facts
    as codes into ``vocabulary`` (-1 for any other word), and whatever else ``select`` mentions.
    ``persons`` are columns by volunteer; an absent one has its declared default. ``clustered`` says that
    records come sorted by (volunteer, served_on, start_minute). ``as_of`` leaves out later days.
    ``measures`` are any of ``claimed_minutes``, ``service_days``, ``service_records``. Equal to
    `crediting.credit` volunteer by volunteer. A version with parts that go record by record (see
    `plan.by_days`) is credited by that itself, one volunteer after the other.

    Raises InvalidValue for a missing column, unsorted records said to be clustered, and totals that could
    leave 64 bits.
    """
    try:
        if not by_days(version):
            return _one_by_one(version, records, persons, volunteers, as_of, measures, vocabulary or {})
        plan = _plan(version, vocabulary or {})
        return _credited(plan, records, persons, volunteers, clustered, as_of, measures, threads)
    except KeyError as missing:
        raise InvalidValue("columns_missing", name=missing.args[0]) from None


def _one_by_one(
    version: Version,
    records: Columns,
    persons: Columns,
    volunteers: int,
    as_of: int | None,
    measures: tuple[str, ...],
    vocabulary: Mapping[str, tuple[str, ...]],
) -> Totals:
    _check(records, volunteers)
    columns = {name: column.tolist() for name, column in records.items()}
    people = {
        name: said(column.tolist(), vocabulary.get(name))
        if isinstance(column, np.ndarray)
        else [column] * volunteers
        for name, column in persons.items()
    }
    own = records_of(columns, volunteers, as_of, vocabulary)
    found = [
        credit(version, each, {name: column[i] for name, column in people.items()})
        for i, each in enumerate(own)
    ]
    listed = {name: np.array([getattr(each, name) for each in found], np.int64) for name in measures}
    return Totals(np.array([each.scaled for each in found], np.int64), scales(version)[1], listed)


def record_values(version: Version, records: Columns, people: Columns, volunteers: int,
                  vocabulary: Mapping[str, tuple[str, ...]]) -> tuple[_Plan, Column | None, Column]:  # fmt: skip
    """Return the plan, which records count (None: all), and what each counts before its day is looked at."""
    plan = _plan(version, vocabulary)
    job = _Job(plan, people, None, _largest(plan, records, volunteers), 1, np.zeros(0, np.int64), None)
    keep = _kept(job, records)
    return plan, keep, _values(job, records, keep).astype(np.int64)


def _credited(
    plan: _Plan,
    records: Columns,
    persons: Columns,
    volunteers: int,
    clustered: bool,
    as_of: int | None,
    measures: tuple[str, ...],
    threads: int,
) -> Totals:
    days = np.zeros(volunteers, np.int64) if "service_days" in measures else None
    total = np.zeros(volunteers, np.int64)
    people = {**plan.defaults, **persons}
    job = _Job(plan, people, as_of, _largest(plan, records, volunteers), threads, total, days)
    if plan.once and not clustered:
        # lexsort is stable: records that begin together stay in the order given, the first one counts
        order = np.lexsort((records["start_minute"], records["served_on"], records["volunteer"]))
        names = {*plan.record_columns, *(plan.select.names if plan.select else ())}
        ordered = {name: column[order] for name, column in records.items() if name in names}
        tasks = _clustered(job, ordered, volunteers)
    else:
        tasks = _clustered(job, records, volunteers) if clustered else _dealt(job, records, volunteers)
    _all(tasks, threads)
    return Totals(total, plan.scale, _measured(job, records, volunteers, measures))


def _largest(plan: _Plan, records: Columns, volunteers: int) -> int:
    """Return what a record can be worth at most; refuse columns that cannot be summed exactly."""
    claimed, volunteer = records["claimed_minutes"], records["volunteer"]
    if not len(claimed):
        return 0
    _check(records, volunteers)
    largest, count = int(claimed.max()), len(claimed)
    if largest * plan.highest_percent * count >= 2**63:
        fullest = int(np.bincount(volunteer).max())
        if largest * plan.highest_percent * fullest >= 2**63:
            raise InvalidValue("columns_too_large", largest=largest, records=fullest)
    return largest * (1 if plan.table is None else int(plan.table.max()))


def _check(records: Columns, volunteers: int) -> None:
    claimed, volunteer = records["claimed_minutes"], records["volunteer"]
    if len(claimed) and int(claimed.min()) < 0:
        raise InvalidValue("columns_negative", name="claimed_minutes")
    if len(claimed) and (int(volunteer.min()) < 0 or int(volunteer.max()) >= volunteers):
        raise InvalidValue("columns_volunteer", volunteers=volunteers)


def _measured(job: _Job, records: Columns, volunteers: int, measures: tuple[str, ...]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    if job.days is not None:
        found["service_days"] = job.days
    people, minutes = records["volunteer"], records["claimed_minutes"]
    early = records["served_on"] <= job.as_of if job.as_of is not None else None
    if "claimed_minutes" in measures:
        some = minutes if early is None else minutes * early
        if len(minutes) and int(minutes.max()) * len(minutes) >= _EXACT_IN_FLOAT:
            found["claimed_minutes"] = np.zeros(volunteers, np.int64)
            np.add.at(found["claimed_minutes"], people, some)
        else:
            summed = np.bincount(people, weights=some, minlength=volunteers)
            found["claimed_minutes"] = summed.astype(np.int64)
    if "service_records" in measures:
        keep = _kept(job, records)
        some = people if keep is None else people[keep]
        found["service_records"] = np.bincount(some, minlength=volunteers)
    return found


def _kept(job: _Job, part: Columns) -> Column | None:
    """Return which records count, None for all of them."""
    keep: Column | None = None
    select = job.plan.select
    if select is not None:
        volunteer = part["volunteer"]
        facts = [part[name] if name in part else job.of_person(name, volunteer) for name in select.names]
        keep = np.broadcast_to(select.function(*facts), volunteer.shape)
    if job.as_of is not None:
        early = part["served_on"] <= job.as_of
        keep = early if keep is None else keep & early
    return keep


def _once(part: Columns, keep: Column | None) -> Column:
    """Return each record's minutes that no earlier record of the volunteer took; see `crediting`."""
    start, clock, claimed = (
        part["start_minute"],
        part["clock_minutes"],
        part["claimed_minutes"].astype(np.int64),
    )
    timed = (start >= 0) & (clock > 0)
    if keep is not None:
        timed &= keep
    length = np.where(timed, np.minimum(clock, claimed), 0)
    begin = part["served_on"].astype(np.int64) * DAY_MINUTES + start
    lowest = int(begin.min())
    # Volunteers stand far apart on one axis: the running end of one never reaches the next one's start.
    apart = int(begin.max()) - lowest + int(length.max()) + 1
    begin += (part["volunteer"].astype(np.int64) - int(part["volunteer"][0])) * apart - lowest
    if np.any(begin[1:] < begin[:-1]):
        raise InvalidValue("columns_unsorted")
    end = begin + length
    busy = np.maximum.accumulate(np.where(timed, end, -1))
    free = length.copy()
    free[1:] -= np.clip(busy[:-1] - begin[1:], 0, length[1:])
    return np.where(timed, free, claimed)


def _values(job: _Job, part: Columns, keep: Column | None) -> Column:
    """Return what each record counts before its day is looked at; 0 for those left out."""
    plan = job.plan
    minutes = _once(part, keep) if plan.once else part["claimed_minutes"]
    value: Column
    if plan.table is None:
        value = minutes.astype(job.value_type)
    else:
        table: Column = plan.table.astype(job.value_type, copy=False)
        value = np.multiply(minutes, table[part[plan.by]], dtype=job.value_type, casting="unsafe")
    if keep is not None:
        value *= keep
    return value


def _summed(value: Column, starts: Column) -> Column:
    """Sum runs; in 32 bits where that cannot overflow, which halves the time."""
    if value.dtype == np.int32:
        longest = int(np.diff(starts, append=len(value)).max())
        if int(value.max()) * longest < _INT32:
            return np.add.reduceat(value, starts, dtype=np.int32)
    return np.add.reduceat(value, starts, dtype=np.int64)


def _by_volunteer(job: _Job, volunteer: Column, day: Column, value: Column) -> None:
    """From sums by (volunteer, day) to totals by volunteer: the day's limit and percentage."""
    plan = job.plan

    def facts(rule: _DayRule) -> dict[str, Any]:
        names = rule.rule.names
        return {name: day if name == "served_on" else job.of_person(name, volunteer) for name in names}

    if plan.at_most is not None:
        value = np.minimum(value, plan.at_most.on(facts(plan.at_most)) * plan.record_scale)
    if plan.percent is not None:
        value = value * np.asarray(plan.percent.on(facts(plan.percent)), np.int64)
    starts = np.flatnonzero(_changes(volunteer))
    holders = volunteer[starts]
    job.total[holders] = np.add.reduceat(value, starts, dtype=np.int64)
    if job.days is not None:
        job.days[holders] = np.add.reduceat(value > 0, starts, dtype=np.int64)


def _clustered(job: _Job, records: Columns, volunteers: int) -> list[_Task]:
    edges = np.searchsorted(records["volunteer"], np.arange(0, volunteers + _BLOCK, _BLOCK))

    if edges[-1] != len(records["volunteer"]) or np.any(edges[1:] < edges[:-1]):
        raise InvalidValue("columns_unsorted")

    def task(low: int, high: int, base: int) -> None:
        part = {name: column[low:high] for name, column in records.items()}
        value = _values(job, part, _kept(job, part))
        volunteer, day = part["volunteer"], part["served_on"]
        first = _changes(volunteer)
        first[1:] |= day[1:] != day[:-1]
        starts = np.flatnonzero(first)
        volunteer, day = volunteer[starts], day[starts]
        later = (volunteer[1:] > volunteer[:-1]) | (day[1:] > day[:-1]) & (volunteer[1:] == volunteer[:-1])
        if not later.all() or volunteer[0] < base or volunteer[-1] >= base + _BLOCK:
            raise InvalidValue("columns_unsorted")
        _by_volunteer(job, volunteer, day, _summed(value, starts))

    bounds = enumerate(pairwise(edges.tolist()))
    return [partial(task, low, high, i * _BLOCK) for i, (low, high) in bounds if high > low]


class _Packing(NamedTuple):
    """How a record becomes one sortable number: volunteer within its block, day, value."""

    first_day: int
    day_bits: int
    value_bits: int
    blocks: int


def _dealt(job: _Job, records: Columns, volunteers: int) -> list[_Task]:
    """Deal unordered records out to blocks of volunteers, each small enough to be sorted in cache."""
    day = records["served_on"]
    if not len(day):
        return []
    packing = _Packing(
        int(day.min()),
        (int(day.max()) - int(day.min())).bit_length(),
        job.largest.bit_length(),
        (volunteers >> _DEALT_BITS) + 1,
    )
    if packing.day_bits + packing.value_bits + _DEALT_BITS > 64 or packing.blocks > 2**16:
        order = np.lexsort((day, records["volunteer"]))
        return _clustered(job, {name: column[order] for name, column in records.items()}, volunteers)
    names = {*job.plan.record_columns, *(job.plan.select.names if job.plan.select else ())}
    used = {name: column for name, column in records.items() if name in names}
    chunks = [
        {name: column[i : i + _CHUNK] for name, column in used.items()} for i in range(0, len(day), _CHUNK)
    ]
    dealt = _all([partial(_deal, job, packing, chunk) for chunk in chunks], job.threads)

    def task(i: int) -> None:
        keys = np.concatenate([key[edges[i] : edges[i + 1]] for key, edges in dealt])
        if not len(keys):
            return
        keys.sort()
        runs = keys >> np.uint64(packing.value_bits)
        starts = np.flatnonzero(_changes(runs))
        values = np.add.reduceat((keys & np.uint64((1 << packing.value_bits) - 1)).astype(np.int64), starts)
        runs = runs[starts]
        holders = (runs >> np.uint64(packing.day_bits)).astype(np.int64) + (i << _DEALT_BITS)
        served = (runs & np.uint64((1 << packing.day_bits) - 1)).astype(np.int64) + packing.first_day
        _by_volunteer(job, holders, served, values)

    return [partial(task, i) for i in range(packing.blocks)]


def _deal(job: _Job, packing: _Packing, chunk: Columns) -> tuple[Column, Column]:
    """Return a chunk's records as packed numbers, block after block, and where each block begins."""
    keep = _kept(job, chunk)
    part = {name: chunk[name] if keep is None else chunk[name][keep] for name in job.plan.record_columns}
    value, volunteer, day = _values(job, part, None), part["volunteer"], part["served_on"]
    if volunteer.dtype.itemsize < 4:
        volunteer = volunteer.astype(np.int32)
    word: Any = np.uint32 if packing.day_bits + packing.value_bits <= 32 else np.uint64
    low = day.astype(np.int64 if packing.day_bits > 30 else np.int32) - packing.first_day
    low = (low.astype(word) << word(packing.value_bits)) | value.astype(word)
    key = (volunteer & ((1 << _DEALT_BITS) - 1)).astype(np.uint64)
    key <<= np.uint64(packing.day_bits + packing.value_bits)
    key |= low
    block = (volunteer >> _DEALT_BITS).astype(np.uint8 if packing.blocks <= 256 else np.uint16)
    order = np.argsort(block, kind="stable")
    edges = np.concatenate(([0], np.cumsum(np.bincount(block, minlength=packing.blocks))))
    return key[order], edges


def _changes(column: Column) -> Column:
    """Return where a column differs from the row before; the first row does."""
    first = np.empty(len(column), bool)
    first[:1] = True
    np.not_equal(column[1:], column[:-1], out=first[1:])
    return first


def _all(tasks: Sequence[Callable[[], _T]], threads: int) -> list[_T]:
    """Run every task and return their answers in order."""
    if threads == 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda task: task(), tasks))


def grade_columns(
    version: Version, facts: Columns, *, vocabulary: Mapping[str, tuple[str, ...]] | None = None
) -> Column:
    """Return each volunteer's grade (0 for none): the highest step whose condition the columns meet.

    ``facts`` are columns of one length for the facts the version mentions; word facts are codes into
    ``vocabulary``, dates day numbers. An absent column has its declared default; without one InvalidValue
    names it.
    """
    length = len(next(iter(facts.values())))
    grade = np.zeros(length, np.int32)
    known: dict[str, Any] = {}
    for name in version.mentions:
        known[name] = facts.get(name, version.facts[name].default)
        if known[name] is None:
            raise InvalidValue("columns_missing", name=name)
    for step in version.steps:
        rule = bind(step.when, version.functions, "numpy", vocabulary)
        grade = np.where(rule.on(known), np.int32(step.award), grade)
    return grade
