"""Hypothesis strategies for rules: people, records and facts that lie just below, on and above every literal.

``subjects(book)`` is what the laws try a rulebook with; ``records`` and ``people`` are its halves.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from volunteerkit.clock import Calendar, years_after
from volunteerkit.errors import MissingExtra
from volunteerkit.rules.expression import (
    ARITHMETIC,
    CALENDAR,
    LARGEST,
    All,
    Among,
    Apply,
    Call,
    Expression,
    Fact,
    Literal,
    Member,
    Mention,
    Not,
    Some,
    mentioned,
    reach,
)
from volunteerkit.rules.facts import IN_PARTS, RECORD_FACTS
from volunteerkit.rules.parts import Lookup, Measure
from volunteerkit.rules.plan import Record
from volunteerkit.rules.rulebook import Rulebook, Version
from volunteerkit.rules.schemes import AWARD, REVOCATION
from volunteerkit.units import day_number, day_of

try:
    from hypothesis import strategies as st
except ModuleNotFoundError:
    raise MissingExtra(package="hypothesis", extra="testing") from None

__all__ = ["Edges", "Subject", "edges_of", "on_days", "people", "records", "subjects"]

OTHER_WORD: Final = "其他"
RECORDS_MAX: Final = 200
_DAY_MINUTES: Final = 480
_YEARS: Final = (dt.date(1900, 1, 1), dt.date(2199, 12, 31))
_NEVER_GIVEN: Final = {*IN_PARTS, "today", "suspended", "value"}
_OF_A_PERSON: Final = ("registered_on", "birth_date", "adult_on", "senior_on")


def __dir__() -> list[str]:
    return __all__


# So many days of service are tried one by one, and so many such people at most.
_FEW: Final = 120
_MANY: Final = 60


@attrs.frozen
class Subject:
    """Somebody a rulebook decides about on the day ``on``; dates in ``facts`` are day numbers."""

    on: dt.date
    records: tuple[Record, ...] = ()
    facts: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Edges:
    """The values at which a version's answers may change: whole numbers, day numbers, and words by fact."""

    numbers: tuple[int, ...]
    days: tuple[int, ...]
    words: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, Fact]


def edges_of(version: Version) -> Edges:
    """Return the edges of a version: its literals, the constants they make, and its terms and bands."""
    numbers, days, words = set[int](), set[int](), dict[str, set[str]]()
    credit = version.credit
    for rule in version.every_rule:
        for fact, value in _literals(rule, ""):
            if isinstance(value, str):
                words.setdefault(fact, set()).add(value)
            elif isinstance(value, dt.date):
                days.add(day_number(value))
            elif not isinstance(value, bool):
                numbers.add(value)
    for declared in version.declared:
        if type(declared.default) is int:
            (days if declared.type == "date" else numbers).add(declared.default)
    for each in (version, credit) if credit else (version,):
        for window in each.windows:
            numbers |= {window.from_minute, window.to_minute}
        if each.coefficient:
            words.setdefault(each.coefficient.by, set()).update(word for word, _ in each.coefficient.percent)
    for part in version.made:
        for value in _of_part(part):
            if isinstance(value, str):
                words.setdefault(part.by if isinstance(part, Lookup) else "", set()).add(value)
            else:
                numbers.add(value)
    listed = {name: tuple(sorted(each)) for name, each in words.items()}
    facts = {**(credit.facts if credit else {}), **version.facts}
    return Edges(tuple(sorted(numbers)), tuple(sorted(days)), listed, facts)


def _of_part(part: Any) -> Iterator[int | str]:
    if isinstance(part, Lookup):
        for row in part.rows:
            yield from row.is_
            yield from () if row.from_ is None else (row.from_,)
    if isinstance(part, Measure) and part.gap_days is not None:
        yield part.gap_days


def _literals(rule: Expression, fact: str) -> Iterator[tuple[str, int | bool | str | dt.date]]:
    """Yield every literal with the fact it is compared with, and what constants reckon to as a whole."""
    match rule:
        case Literal(value):
            yield fact, value
        case Apply(symbol) if symbol in ARITHMETIC and not mentioned(rule):
            yield fact, reach(rule)[0]
        case Apply(_, left, right):
            near = left.name if isinstance(left, Mention) else fact
            yield from _literals(left, "")
            yield from _literals(right, near)
        case Member(item, values):
            near = item.name if isinstance(item, Mention) else ""
            for each in values:
                yield near, each.value
            yield from _literals(item, "")
        case All(items) | Some(items) | Call(_, items):
            for item in items:
                yield from _literals(item, "")
        case Not(item):
            yield from _literals(item, "")
        case Among() | Mention():
            pass


def around(values: Iterable[int], low: int = 0, high: int = LARGEST - 1) -> tuple[int, ...]:
    """Return k - 1, k and k + 1 of every value between ``low`` and ``high``, sorted, each once.

    >>> around([10, 11])
    (9, 10, 11, 12)
    """
    found = {value + step for value in values for step in (-1, 0, 1)}
    return tuple(sorted(each for each in found if low <= each <= high))


def subjects(book: Rulebook, version: Version | None = None) -> st.SearchStrategy[Subject]:
    """Somebody and a day on which ``version`` (default: the last) of ``book`` is in force, with records."""
    version = version or book.versions[-1]
    edges = edges_of(version)
    return days_of(book, version, edges).flatmap(lambda on: _on_day(version, edges, on))


def on_days(book: Rulebook, version: Version) -> list[Subject]:
    """Return somebody for every k - 1, k and k + 1 of the small numbers: with so many days of service of an hour each.

    Chance alone would seldom meet just so many days.
    """
    later = [each.effective_from for each in book.versions if each.effective_from > version.effective_from]
    on = min(later) - dt.timedelta(1) if later else max(version.effective_from, dt.date(2026, 1, 1))
    last, edges = day_number(on), edges_of(version)
    return [
        Subject(on, tuple(Record(n, last - n, -1, 0, 60) for n in range(count)))
        for count in around(each for each in edges.numbers if each <= _FEW)[:_MANY]
    ]


def _on_day(version: Version, edges: Edges, on: dt.date) -> st.SearchStrategy[Subject]:
    return st.builds(Subject, st.just(on), records(version, on, edges), people(version, on, edges))


def days_of(book: Rulebook, version: Version, edges: Edges) -> st.SearchStrategy[dt.date]:
    """Days on which ``version`` is the one in force."""
    place = book.versions.index(version)
    first = max(version.effective_from, _YEARS[0])
    later = [each.effective_from for each in book.versions[place + 1 :]]
    last = later[0] - dt.timedelta(1) if later else _YEARS[1]
    wanted = [
        first,
        first + dt.timedelta(400),
        last,
        *map(day_of, around(edges.days, *map(day_number, _YEARS))),
    ]
    if version.suspended_from:
        wanted += [version.suspended_from - dt.timedelta(1), version.suspended_from]
    usual = dt.date(2026, 11, 25)
    found = sorted({day for day in (usual, *wanted) if first <= day <= last} or {first})
    return st.sampled_from(found)


def records(
    version: Version, on: dt.date, edges: Edges | None = None
) -> st.SearchStrategy[tuple[Record, ...]]:
    """A person's records around the day ``on``: some as they come, some that add up to just an edge."""
    edges = edges or edges_of(version)
    one = st.lists(_record(version, day_number(on), edges), max_size=5)
    sums = around(each for each in edges.numbers if each <= _DAY_MINUTES * RECORDS_MAX)
    many = st.builds(_adding_up, st.sampled_from(sums or (60,)), st.integers(0, 40), st.just(day_number(on)))
    return st.builds(_numbered, one, st.one_of(st.just(()), many, many))


def _adding_up(minutes: int, ago: int, on: int) -> tuple[Record, ...]:
    """Return service of at most eight hours a day, day before day, that adds up to so many minutes."""
    full, rest = divmod(minutes, _DAY_MINUTES)
    each = [_DAY_MINUTES] * full + [rest] * bool(rest)
    return tuple(Record(0, on - ago - n, -1, 0, amount) for n, amount in enumerate(each))


def _numbered(*groups: Iterable[Record]) -> tuple[Record, ...]:
    return tuple(record._replace(record_id=n) for n, record in enumerate((r for g in groups for r in g), 1))


def _record(version: Version, on: int, edges: Edges) -> st.SearchStrategy[Record]:
    back = sorted({0, 1, 30, 31, 364, 365, 366, 730, *around(n for n in edges.numbers if n <= 4000)})
    back += [on - each for each in around(edges.days, on - 20_000, on)]
    day = st.one_of(st.sampled_from(back), st.integers(0, 1500), st.just(-1)).map(lambda ago: on - ago)
    minutes = st.one_of(st.integers(1, 1440), st.sampled_from(around(edges.numbers, 1, 1440) or (60,)))
    clock = st.one_of(
        st.just(-1), st.sampled_from(around(edges.numbers, 0, 1439) or (540,)), st.integers(0, 1439)
    )
    words = {
        name: st.sampled_from(_words(name, edges))
        for name in ("category", "project", "organization", "method")
    }
    kinds = st.sampled_from(tuple(dict.fromkeys(["service", *_words("kind", edges)])))
    beside = {
        name: st.booleans() if fact.type == "bool" else st.sampled_from(_words(name, edges))
        for name, fact in RECORD_FACTS.items()
        if name in edges.facts and name in ("member", "evidence", "accepted")
    }
    plain = st.builds(
        _made, day, clock, minutes, st.fixed_dictionaries(words), kinds,
        st.one_of(st.just(1), st.sampled_from(around(edges.numbers, 1, 10_000) or (1,))),
        st.fixed_dictionaries({}, optional=beside), st.sampled_from((0, 1, 30, 100)),
    )  # fmt: skip
    grades = [
        {"scheme": scheme.name, "grade": step.grade or str(step.award)}
        for scheme in schemes_of(version)
        for step in scheme.steps
    ]
    if not grades:
        return plain
    given = st.builds(
        lambda on_, kind, facts: Record(0, on_, -1, 0, 0, kind=kind, facts=facts),
        day, st.sampled_from((AWARD, REVOCATION)), st.sampled_from(grades),
    )  # fmt: skip
    return st.one_of(plain, plain, plain, given)


def _made(
    day: int, start: int, minutes: int, words: Mapping[str, str], kind: str, quantity: int,
    facts: Mapping[str, Any], late: int,
) -> Record:  # fmt: skip
    clock = minutes if start >= 0 else 0
    return Record(0, day, start, clock, minutes, **words, kind=kind, quantity=quantity,
                  known_on=day + late if late else 0, facts=facts)  # fmt: skip


def schemes_of(version: Version) -> tuple[Any, ...]:
    """Return the version's schemes, its main question first."""
    return tuple(
        each for each in (version.scheme, *version.made) if each is not None and hasattr(each, "step_of")
    )


def _words(name: str, edges: Edges) -> tuple[str, ...]:
    return (OTHER_WORD, *edges.words.get(name, ()), *(("",) if name == "member" else ()))


def people(version: Version, on: dt.date, edges: Edges | None = None) -> st.SearchStrategy[dict[str, Any]]:
    """A person's facts on the day ``on``, dates as day numbers; what has no default may be absent."""
    edges = edges or edges_of(version)
    always: dict[str, st.SearchStrategy[Any]] = {"registered_on": _registered(edges, day_number(on))}
    sometimes: dict[str, st.SearchStrategy[Any]] = {}
    for name, fact in edges.facts.items():
        if name in _NEVER_GIVEN or name in version.makes or name in RECORD_FACTS or name in always:
            continue
        if name in _OF_A_PERSON:
            always[name] = _birthday(edges, on, {"adult_on": 18, "senior_on": 60}.get(name, 0))
        else:
            sometimes[name] = _value(fact, edges, day_number(on))
    if CALENDAR in edges.facts or CALENDAR in version.mentions:
        always[CALENDAR] = st.just(Calendar())
    return st.fixed_dictionaries(always, optional=sometimes)


def _registered(edges: Edges, on: int) -> st.SearchStrategy[int]:
    return st.sampled_from(around((0, 365, *(n for n in edges.numbers if n <= 20_000)))).map(lambda n: on - n)


def _birthday(edges: Edges, on: dt.date, years: int) -> st.SearchStrategy[int]:
    """Return days on which somebody was born (or came of age) who is about as old as a number in the rules."""
    ages = sorted({14, 18, 30, 60, *(n for n in edges.numbers if 0 < n <= 100)})

    def born(age: int, shift: int) -> int:
        return day_number(years_after(years_after(on, -age), years)) + shift

    return st.builds(born, st.sampled_from(ages), st.sampled_from((0, -1, 1)))


def _value(fact: Fact, edges: Edges, on: int) -> st.SearchStrategy[Any]:
    match fact.type:
        case "bool":
            return st.booleans()
        case "int":
            return st.sampled_from(around((0, *edges.numbers)))
        case "date":
            return st.sampled_from(around((on, on - 365, *edges.days), -LARGEST))
        case "words":
            every = sorted({word for words in edges.words.values() for word in words})
            return st.lists(st.sampled_from((OTHER_WORD, *every)), max_size=3, unique=True).map(tuple)
    return st.sampled_from(_words(fact.name, edges))
