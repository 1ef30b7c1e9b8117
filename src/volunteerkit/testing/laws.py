"""The laws every rulebook keeps, as functions: each returns what broke it, or None.

Use them one by one from the tests of a plugin, with `strategies`, or all at once by `check_plugin`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from volunteerkit.errors import VolunteerkitError, place_of_failure
from volunteerkit.messages import text
from volunteerkit.rules.crediting import credit
from volunteerkit.rules.deciding import UNCREDITED, decide
from volunteerkit.rules.expression import (
    CALENDAR,
    Expression,
    Fact,
)
from volunteerkit.rules.facts import DAY_FACTS, FACTS, IN_PARTS
from volunteerkit.rules.limits import Cost, cost_of
from volunteerkit.rules.parsing import parse_any
from volunteerkit.rules.parts import Measure
from volunteerkit.rules.plan import Record
from volunteerkit.rules.rulebook import Rulebook, Version, builtin_rulebooks
from volunteerkit.rules.schemes import AWARD, REVOCATION
from volunteerkit.testing.counterexamples import Broken
from volunteerkit.testing.strategies import Subject
from volunteerkit.units import day_number, day_of

__all__ = [
    "STEPS_MAX",
    "Broken",
    "Cost",
    "always_decided",
    "cost_of",
    "every_version_is_cited",
    "more_minutes_never_lower",
    "one_equals_many",
    "order_does_not_matter",
    "outcome",
    "replay_equals_record",
    "text_round_trip",
]

STEPS_MAX: Final = 1_000_000
"""Steps that deciding about somebody with a thousand records may take."""

_TOTALS: Final = ("credited_minutes", "claimed_minutes")


def __dir__() -> list[str]:
    return __all__


# What comes out


def outcome(book: Rulebook, subject: Subject, records: Iterable[Record] | None = None) -> dict[str, Any]:
    """Return what a rulebook says of somebody, as JSON; an error by its code, a failure by its place."""
    listed = list(subject.records if records is None else records)
    return _tried(lambda: _outcome(book, subject, listed))


def _tried(reckon: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return reckon()
    except VolunteerkitError as error:
        return {"refused": error.code}
    except Exception as error:
        return {"failed": place_of_failure(error)}


def _outcome(book: Rulebook, subject: Subject, records: Sequence[Record]) -> dict[str, Any]:
    if book.decides == "credit":
        return _credited(book.version_on(subject.on), subject, records)
    found = decide(book, subject.on, records=records, facts=subject.facts, crediting=_union(subject.on))
    return {**found.as_dict(), "grade": found.assessment.grade if found.assessment else None}


def _union(on: dt.date) -> Version:
    return builtin_rulebooks()[1].version_on(on)


def _credited(version: Version, subject: Subject, records: Iterable[Record]) -> dict[str, Any]:
    day = day_number(subject.on)
    known = [each for each in records if each.served_on <= day and each.kind not in UNCREDITED]
    found = credit(version, known, subject.facts)
    return {
        "scaled": found.scaled,
        "claimed_minutes": found.claimed_minutes,
        "service_days": found.service_days,
        "service_records": found.service_records,
        "pending": [list(each) for each in found.pending],
    }


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return only what differs of two outcomes."""
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    left: dict[str, Any] = {name: one.get(name) for name in names}
    right: dict[str, Any] = {name: other.get(name) for name in names}
    for name in names:
        if isinstance(left[name], dict) and isinstance(right[name], dict):
            left[name], right[name] = _differ(left[name], right[name])
    return left, right


def broken_by(
    book: Rulebook, subject: Subject, expected: Any, found: Any, note: str = "", **values: Any
) -> Broken:
    """Return a counter-example, of two outcomes only what differs."""
    if isinstance(expected, dict) and isinstance(found, dict):
        expected, found = _differ(expected, found)
    since = book.version_on(subject.on).effective_from
    return Broken(book.id, since, expected, found, subject, note, values)


# Laws about somebody


def always_decided(book: Rulebook, subject: Subject) -> Broken | None:
    """Whatever the records and facts are, a rulebook decides or says clearly why not; it never fails."""
    found = outcome(book, subject)
    return broken_by(book, subject, text("law_any_ruling"), found["failed"]) if "failed" in found else None


def order_does_not_matter(book: Rulebook, subject: Subject) -> Broken | None:
    """Records in another order give the same; of those that begin together the first one counts."""
    apart = tuple({(each.served_on, each.start_minute): each for each in subject.records}.values())
    other = (*apart[1::2], *reversed(apart[::2]))
    expected, found = outcome(book, subject, apart), outcome(book, subject, other)
    alone = attrs.evolve(subject, records=apart)
    return None if expected == found else broken_by(book, alone, expected, found, "law_other_order")


def replay_equals_record(book: Rulebook, subject: Subject) -> Broken | None:
    """A decision that was kept as JSON gives itself again: from its facts and records, and from its facts alone."""
    if book.decides == "credit":
        once, twice = outcome(book, subject), outcome(book, subject)
        return None if once == twice else broken_by(book, subject, once, twice)
    first = outcome(book, subject)
    if "facts" not in first:
        return None
    kept = json.loads(json.dumps(first))
    facts = {**subject.facts, **kept["facts"]}
    again = outcome(book, attrs.evolve(subject, facts=facts))
    if json.loads(json.dumps(again)) != kept:
        return broken_by(book, subject, kept, again, "law_replayed")
    if any(each.kind in (AWARD, REVOCATION) for each in subject.records):
        return None  # what was granted stands in the records, not in the facts
    alone = _tried(lambda: decide(book, subject.on, facts=facts).as_dict())
    expected, found = ({name: each.get(name) for name in ("schemes", "answers", "missing")}
                       for each in (kept, json.loads(json.dumps(alone))))  # fmt: skip
    return None if expected == found else broken_by(book, subject, expected, found, "law_replayed_facts")


def more_minutes_never_lower(
    book: Rulebook, subject: Subject, place: int = 0, minutes: int = 60
) -> Broken | None:
    """``minutes`` more for one record lower nothing; a version with ``monotone = false`` is let off."""
    version = book.version_on(subject.on)
    served = [i for i, each in enumerate(subject.records) if each.kind not in UNCREDITED]
    if not version.monotone or not (version.credit or version).monotone or not served:
        return None
    at = served[place % len(served)]
    record = subject.records[at]
    clock = record.clock_minutes + minutes if record.start_minute >= 0 else 0
    longer = record._replace(claimed_minutes=record.claimed_minutes + minutes, clock_minutes=clock)
    records = (*subject.records[:at], longer, *subject.records[at + 1 :])
    facts = {name: value + minutes if name in _TOTALS else value for name, value in subject.facts.items()}
    before, after = outcome(book, subject), outcome(book, attrs.evolve(subject, records=records, facts=facts))
    was, came = _amounts(before), _amounts(after)
    lower = [name for name in was if name in came and came[name] < was[name]]
    if not lower:
        return None
    return broken_by(
        book, subject, {name: was[name] for name in lower}, {name: came[name] for name in lower}, "law_longer",
        day=day_of(record.served_on), minutes=minutes,
    )  # fmt: skip


def _amounts(found: Mapping[str, Any]) -> dict[str, int]:
    """Return what of an outcome can be more or less: totals with what waits, and the highest grades."""
    if "scaled" in found:
        return {"minutes": found["scaled"]} if not found["pending"] else {}
    return {
        name: max(each["eligible"], default=0)
        for name, each in found.get("schemes", {}).items()
        if each["eligible"] is not None
    }


def one_equals_many(book: Rulebook, subjects: Sequence[Subject]) -> Broken | None:
    """One by one gives what the city's run gives: the kernel on columns, else a loop over everybody.

    All ``subjects`` are on the first one's day. Needs numpy.
    """
    on = subjects[0].on
    together, version = [attrs.evolve(each, on=on) for each in subjects], book.version_on(on)
    way = version if book.decides == "credit" else version.credit
    # columns hold neither calendars nor sets of words
    if way is not None and CALENDAR not in way.mentions and not _sets(way):
        broken = _credited_alike(book, way, _same_facts(way, together))
        if broken is not None or book.decides == "credit":
            return broken
    if (
        version.steps
        and not set(version.makes) & set(version.mentions)
        and CALENDAR not in version.mentions
        and not _sets(version)
    ):
        return _grades_alike(book, version, together)
    for each in together:
        fresh = attrs.evolve(book, versions=tuple(map(attrs.evolve, book.versions)))  # nothing compiled yet
        expected, found = outcome(fresh, each), outcome(book, each)
        if expected != found:
            return broken_by(book, each, expected, found, "law_kernel")
    return None


def _sets(version: Version) -> bool:
    return any(version.facts[name].type == "words" for name in version.mentions if name in version.facts)


def _credited_alike(book: Rulebook, way: Version, subjects: Sequence[Subject]) -> Broken | None:
    """Credit everybody one by one and on columns."""
    many = _tried(lambda: _by_kernel(way, subjects, day_number(subjects[0].on)))
    for i, subject in enumerate(subjects):
        one = _tried(partial(_credited, way, subject, subject.records))
        found = {name: column[i] for name, column in many.items() if isinstance(column, list)} or many
        expected = {name: value for name, value in one.items() if name in found or "scaled" not in one}
        # what one of many lacks refuses the run as a whole
        if expected != found and not ("refused" in many and len(subjects) > 1):
            return broken_by(book, subject, expected, found, "law_kernel")
    return None


def _same_facts(version: Version, subjects: Sequence[Subject]) -> list[Subject]:
    """Return the subjects with those facts alone that all of them have: columns have no gaps."""
    shared = set(version.mentions).intersection(*(each.facts for each in subjects))
    return [
        attrs.evolve(each, facts={name: value for name, value in each.facts.items() if name in shared})
        for each in subjects
    ]


def _by_kernel(version: Version, subjects: Sequence[Subject], day: int) -> dict[str, Any]:
    import numpy as np

    from volunteerkit.rules.kernel import credit_columns

    rows = [
        (i, each)
        for i, subject in enumerate(subjects)
        for each in subject.records
        if each.kind not in UNCREDITED
    ]
    columns: dict[str, list[Any]] = {"volunteer": [i for i, _ in rows]}
    for name in ("served_on", "start_minute", "clock_minutes", "claimed_minutes", "quantity", "known_on"):
        columns[name] = [getattr(each, name) for _, each in rows]
    vocabulary = {}
    for name in ("category", "project", "organization", "method", "kind"):
        vocabulary[name] = words = tuple(sorted({getattr(each, name) for _, each in rows}))
        columns[name] = [words.index(getattr(each, name)) for _, each in rows]
    for name in sorted({name for _, each in rows for name in each.facts} & set(version.mentions)):
        fact = version.facts[name]
        values = [each.facts.get(name, fact.default) for _, each in rows]
        if fact.type == "word":
            vocabulary[name] = words = tuple(sorted(set(values)))
            values = [words.index(each) for each in values]
        columns[name] = values
    persons = {
        name: np.array([each.facts[name] for each in subjects]) if type(subjects[0].facts[name]) is not str
        else _codes(vocabulary, name, [each.facts[name] for each in subjects])
        for name in subjects[0].facts if version.facts[name].type != "words"
    }  # fmt: skip
    arrays = {name: np.array(column, bool if column and type(column[0]) is bool else np.int64)
              for name, column in columns.items()}  # fmt: skip
    found = credit_columns(
        version, arrays, persons, len(subjects), clustered=False, as_of=day,
        measures=("service_days", "service_records"), vocabulary=vocabulary,
    )  # fmt: skip
    return {"scaled": found.scaled.tolist(), **{name: each.tolist() for name, each in found.measures.items()}}


def _codes(vocabulary: dict[str, tuple[str, ...]], name: str, words: Sequence[str]) -> Any:
    import numpy as np

    vocabulary[name] = known = tuple(sorted(set(words)))
    return np.array([known.index(word) for word in words], np.int64)


def _grades_alike(book: Rulebook, version: Version, subjects: Sequence[Subject]) -> Broken | None:
    """Grade the facts that were found one by one on columns as well."""
    import numpy as np

    from volunteerkit.rules.kernel import grade_columns

    found = [(each, outcome(book, each)) for each in subjects]
    whole = [(each, one) for each, one in found if set(version.mentions) <= set(one.get("facts", ()))]
    if not whole or not version.mentions:
        return None
    columns, vocabulary = dict[str, Any](), dict[str, tuple[str, ...]]()
    for name in version.mentions:
        values = [one["facts"][name] for _, one in whole]
        columns[name] = (
            _codes(vocabulary, name, values) if version.facts[name].type == "word" else np.array(values)
        )
    grades = grade_columns(version, columns, vocabulary=vocabulary).tolist()
    for (subject, one), grade in zip(whole, grades, strict=True):
        if one["grade"] != grade:
            return broken_by(book, subject, one["grade"], grade, "law_kernel")
    return None


# Laws about the text


def text_round_trip(book: Rulebook) -> Broken | None:
    """Every rule is the value of its own text, so that what is printed is what rules."""
    for version in book.versions:
        for rule, facts in _rules(version):
            told = str(rule)
            try:
                again = parse_any(told, facts=facts, functions=version.functions)[0]
            except VolunteerkitError as error:
                return Broken(book.id, version.effective_from, told, error.code)
            if again != rule:
                return Broken(book.id, version.effective_from, told, str(again))
    return None


def _rules(version: Version) -> Iterator[tuple[Expression, Mapping[str, Fact]]]:
    facts = {**FACTS, **IN_PARTS, **DAY_FACTS, **version.facts}
    for each in (version, version.credit):
        if each is not None:
            yield from ((rule, {**facts, **each.facts}) for rule in each.rules)
    for part in version.made:
        value = Fact(
            "value", part.gives if isinstance(part, Measure) and part.take != "count" else "int", "", ""
        )
        for rule in part.rules:
            known = {**facts, "value": value} if isinstance(part, Measure) and rule == part.having else facts
            yield rule, known


def every_version_is_cited(book: Rulebook) -> Broken | None:
    """Every version names its source."""
    for version in book.versions:
        if not version.citation.strip():
            return Broken(book.id, version.effective_from, "citation", version.citation)
    return None


def cost_within(book: Rulebook, steps: int = STEPS_MAX) -> Broken | None:
    """No version takes more than so many steps for somebody with a thousand records."""
    for version in book.versions:
        if (cost := cost_of(version).steps) > steps:
            return Broken(book.id, version.effective_from, f"<= {steps:,}", f"{cost:,}")
    return None
