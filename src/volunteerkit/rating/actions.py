"""The verbs of rating: one volunteer with reasons, and the whole city at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.errors import InvalidValue, did_you_mean
from volunteerkit.hours.crediting import (
    credit_person,
    credit_rulebook,
    credited_of,
    person_facts,
    rule_records,
)
from volunteerkit.hours.reading import cluster_rows, packed_columns
from volunteerkit.projects.tables import project
from volunteerkit.rating.model import Standing, assessed, standing
from volunteerkit.rating.stream import Run, scheme_asked, streams_of, takes_records
from volunteerkit.rules import Assessment, Credited, Rulebook, assess
from volunteerkit.rules.deciding import Decision
from volunteerkit.rules.parts import Scheme
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.units import day_number, plain_day, plain_text
from volunteerkit.volunteers.persons import everybody, together
from volunteerkit.volunteers.reading import number_given, reached

__all__ = [
    "MEASURES",
    "CityRating",
    "Graded",
    "Rated",
    "credited_people",
    "graded",
    "ladder_for",
    "rate_city",
    "rate_volunteer",
    "rated_city",
]

MEASURES: Final = ("claimed_minutes", "service_days", "service_records")
"""What is counted beside ``credited_minutes``."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Rated:
    """One volunteer's credited time and what the ladder says of it.

    ``decision`` is there where the ladder looks at records (measures, awards, answers …): all that it found.
    """

    volunteer: str
    credited: Credited
    assessment: Assessment
    decision: Decision | None = None


@attrs.frozen
class CityRating:
    """A whole city rated: lists of one length, one place for each volunteer, in the order of their ids.

    ``grades`` is empty when no ladder is loaded: what conditions and earlier awards allow, 0 for none.
    ``standings`` is empty unless the ladder looks at records. ``question`` is what it was asked.
    """

    as_of: dt.date
    credit_rulebook: str
    credit_digest: str
    ladder: str
    ladder_digest: str
    ids: list[int] = attrs.field(repr=False)
    volunteers: list[str] = attrs.field(repr=False)
    claimed_minutes: list[int] = attrs.field(repr=False)
    credited_minutes: list[int] = attrs.field(repr=False)
    service_days: list[int] = attrs.field(repr=False)
    service_records: list[int] = attrs.field(repr=False)
    registered_days: list[int] = attrs.field(repr=False)
    grades: list[int] = attrs.field(repr=False)
    question: str = ""
    standings: list[Standing] = attrs.field(repr=False, factory=list)


def ladder_for(desk: Desk, decides: str = "star") -> Rulebook | None:
    """Return the ladder that answers ``decides``, None when no plugin brought one.

    That is the rulebook for this question, else the one that has a scheme of this name beside its own.
    """
    ladders = [book for book in desk.rulebooks.values() if book.decides not in ("credit", "check")]
    main = (book for book in ladders if book.decides == decides)
    return next(main, None) or next((book for book in ladders if decides in _questions(book)), None)


def _questions(book: Rulebook) -> set[str]:
    """Return what a ladder answers: its main question, and those of the schemes beside it."""
    beside = (part.name for version in book.versions for part in version.made if isinstance(part, Scheme))
    return {book.decides, *beside}


@storage_errors("database")
def rate_volunteer(
    desk: Desk, number: str, *, rulebook: str = "union", as_of: dt.date | None = None, decides: str = "star"
) -> Rated:
    """Rate the volunteer with this number, with every reason; ``decides`` is the question, such as ``"star"``.

    Hours count under ``rulebook`` unless the ladder has its own way of crediting. Raises NotFound,
    NotPermitted, and InvalidValue when there is no ladder or no version in force.
    """
    number_given(number)
    person, _ = reached(desk, "rating.assess", number)
    ladder, day = _ladder(desk, decides), desk.today if as_of is None else plain_day("as_of", as_of)
    if ladder is None:
        raise InvalidValue("ladder_missing")
    ids = together(desk.connection, person.id)
    _, _, registered_on, adult_on = everybody(desk.connection, ids)[0]
    version = credit_rulebook(desk, rulebook).version_on(day)
    ruling = ladder.version_on(day)
    if takes_records(ruling):
        run = Run.of(desk, ladder, version, day, streams_of(desk, day, (version, ruling), ids), ids)
        found = run.decide(ids[0], registered_on, adult_on)
        credited = found.credited or credit_person(desk, version, [], registered_on, adult_on)
        name = scheme_asked(ladder, ruling, decides).name
        return Rated(person.number, credited, assessed(found, name), found)
    rows = cluster_rows(desk.connection, day_number(day), ids)
    records = rule_records(desk, [each[1:] for each in rows], version)
    _, credited = credited_of(desk, rulebook, day, records, registered_on=registered_on, adult_on=adult_on)
    facts = {
        "credited_minutes": credited.credited_minutes,
        "claimed_minutes": credited.claimed_minutes,
        "service_days": credited.service_days,
        "service_records": credited.service_records,
        "registered_days": day_number(day) - registered_on,
    }
    return Rated(person.number, credited, assess(ladder, facts, day))


def _ladder(desk: Desk, decides: str) -> Rulebook | None:
    """Return the ladder for a question; raises InvalidValue for a question that nobody answers but others are."""
    plain_text("decides", decides)
    found = ladder_for(desk, decides)
    known = sorted(
        {name for book in desk.rulebooks.values() for name in _questions(book)} - {"credit", "check"}
    )
    if found is None and known and decides != "star":
        near = did_you_mean(decides, known)
        raise InvalidValue("question_unknown", name=decides, known=", ".join(known), near=near)
    return found


@storage_errors("database")
def rate_city(
    desk: Desk,
    *,
    rulebook: str = "union",
    as_of: dt.date | None = None,
    kernel: bool | None = None,
    decides: str = "star",
) -> CityRating:
    """Rate every volunteer of the city; the same outcome as `rate_volunteer` one by one.

    Merged volunteers have no place of their own: the kept one's counts all of the person. A ladder that looks
    at records is asked about one volunteer after the other. For all others the kernel runs on packed columns
    with NumPy installed, without it a loop over the records;
    ``kernel`` chooses one of them. Raises NotPermitted, InvalidValue.
    """
    desk.permit("rating.decide")
    day = desk.today if as_of is None else plain_day("as_of", as_of)
    return rated_city(desk, _ladder(desk, decides), rulebook, day, decides, kernel)


def rated_city(
    desk: Desk,
    ladder: Rulebook | None,
    rulebook: str,
    day: dt.date,
    question: str,
    kernel: bool | None = None,
) -> CityRating:
    """Return what `rate_city` does, for any ladder; the caller has asked whether this is permitted."""
    book, people = credit_rulebook(desk, rulebook), everybody(desk.connection)
    made = graded(desk, ladder, book, day, people, question, kernel=kernel)
    facts = made.facts
    return CityRating(
        day, book.id, book.version_on(day).digest, ladder.id if ladder else "",
        ladder.version_on(day).digest if ladder else "", [person[0] for person in people],
        [person[1] for person in people], facts["claimed_minutes"], facts["credited_minutes"], facts["service_days"],
        facts["service_records"], facts["registered_days"], [each or 0 for each in made.grades],
        question if ladder else "", made.standings,
    )  # fmt: skip


@attrs.frozen
class Graded:
    """Everybody's totals and grades, in the order in which they were asked for.

    A grade is None where absent facts leave it open; ``run`` is there where the ladder looks at records.
    """

    facts: dict[str, list[int]]
    grades: Sequence[int | None]
    standings: list[Standing]
    run: Run | None = None


def graded(
    desk: Desk, ladder: Rulebook | None, book: Rulebook, day: dt.date, people: Sequence[Any], question: str,
    *, kernel: bool | None = None, kept_for: Sequence[Rulebook] = (),
) -> Graded:  # fmt: skip
    """Grade ``people`` (rows as `credited_people` takes them) by totals at once, or by their records one by one.

    Where columns can do it, records are looked at all at once as well. Grades kept for the rulebooks
    ``kept_for`` count as awards of this ladder.
    """
    kernel = _has_numpy() if kernel is None else kernel
    registered_days = [day_number(day) - person[2] for person in people]
    if ladder is None or not takes_records(ladder.version_on(day)):
        facts = credited_people(desk, book, day, people, kernel=kernel)
        facts["registered_days"] = registered_days
        return Graded(facts, _grades(ladder, facts, day, kernel) if ladder is not None else [], [])
    versions = (book.version_on(day), ladder.version_on(day))
    run = Run.of(desk, ladder, versions[0], day, streams_of(desk, day, versions), kept_for=kept_for)
    name = scheme_asked(ladder, run.version, question).name
    if kernel:
        from volunteerkit.rating.at_once import rated_at_once

        at_once = rated_at_once(run, people, name, ("credited_minutes", *MEASURES))
        if at_once is not None:
            standings, facts = at_once
            facts["registered_days"] = registered_days
            return Graded(facts, [each.allowed for each in standings], standings, run)
    standings = []
    facts = {name: [] for name in ("credited_minutes", *MEASURES)}
    for id_, _, registered_on, adult_on in people:
        found = run.decide(id_, registered_on, adult_on)
        standings.append(standing(found, name))
        for total, column in facts.items():
            column.append(found.facts.get(total, 0))
    return Graded(
        {**facts, "registered_days": registered_days}, [each.allowed for each in standings], standings, run
    )


def credited_people(
    desk: Desk, book: Rulebook, day: dt.date, people: Sequence[Any], *, kernel: bool | None = None
) -> dict[str, list[int]]:
    """Return what a credit rulebook counts for ``people``: lists of one length, by the name of the measure.

    ``people`` are rows (id, number, registered_on, adult_on) of the whole city in the order of their ids, as
    `volunteers.persons.everybody` gives them; the names are those of `CityRating`. The caller has asked whether this is permitted.
    """
    if kernel is None:
        kernel = _has_numpy()
    return (_by_kernel if kernel else _by_loop)(desk, book, day, people)


def _has_numpy() -> bool:
    from importlib.util import find_spec

    return find_spec("numpy") is not None


def _by_loop(desk: Desk, book: Rulebook, day: dt.date, people: Sequence[Any]) -> dict[str, list[int]]:
    version = book.version_on(day)
    rows = list(cluster_rows(desk.connection, day_number(day)))
    pairs = zip(rows, rule_records(desk, [row[1:] for row in rows], version), strict=True)
    records = {id_: [each[1] for each in some] for id_, some in groupby(pairs, key=lambda pair: pair[0][0])}
    found: dict[str, list[int]] = {name: [] for name in ("credited_minutes", *MEASURES)}
    for id_, _, registered_on, adult_on in people:
        credited = credit_person(desk, version, records.get(id_, []), registered_on, adult_on)
        for name, column in found.items():
            column.append(getattr(credited, name))
    return found


def _by_kernel(desk: Desk, book: Rulebook, day: dt.date, people: Sequence[Any]) -> dict[str, list[int]]:
    import numpy as np

    from volunteerkit.rules.kernel import credit_columns
    from volunteerkit.rules.plan import by_days

    version = book.version_on(day)
    words = {"category", "project"} & set(version.mentions)
    rare = {"organization", "method", "kind", "known_on", "evidence", "calendar", "birth_date"} & set(
        version.mentions
    )
    if rare or not by_days(version):
        # Rare facts are not packed out of the database, and some parts go record by record: the loop knows all.
        return _by_loop(desk, book, day, people)
    columns: tuple[str, ...] = ("served_on", "claimed_minutes")
    if version.once or {"start_minute", "clock_minutes"} & set(version.mentions):
        columns = ("served_on", "start_minute", "clock_minutes", "claimed_minutes")
    if words:
        columns += ("project",)
    records = packed_columns(desk.connection, day_number(day), columns)
    vocabulary = _words(desk, records, words) if words else {}
    highest = people[-1][0] + 1 if people else 0
    persons = _person_columns(np, people, highest)
    totals = credit_columns(
        version, records, persons, highest, clustered=True, measures=MEASURES, vocabulary=vocabulary
    )
    ids = np.array([person[0] for person in people], np.int64)
    found = {"credited_minutes": totals.credited_minutes, **totals.measures}
    return {name: column[ids].tolist() for name, column in found.items()}


def _words(desk: Desk, records: dict[str, Any], words: set[str]) -> dict[str, tuple[str, ...]]:
    """Turn project ids into codes of projects and categories."""
    import numpy as np

    rows = desk.connection.execute(sa.select(project.c.id, project.c.number, project.c.category)).all()
    ids = records.pop("project")
    vocabulary: dict[str, tuple[str, ...]] = {}
    for name, position in (("project", 1), ("category", 2)):
        if name in words:
            vocabulary[name] = tuple(sorted({row[position] for row in rows}))
            code = {word: i for i, word in enumerate(vocabulary[name])}
            table = np.full(max((row[0] for row in rows), default=0) + 1, -1, np.int32)
            for row in rows:
                table[row[0]] = code[row[position]]
            records[name] = table[ids]
    return vocabulary


def _person_columns(np: Any, people: Sequence[Any], highest: int) -> dict[str, Any]:
    from volunteerkit.rules import FACTS

    facts = [person_facts(person[2], person[3]) for person in people]
    ids = np.array([person[0] for person in people], np.int64)
    columns = {}
    for name in ("registered_on", "adult_on", "senior_on"):
        default = FACTS[name].default
        column = np.full(highest, default, np.int64)
        column[ids] = [fact.get(name, default) for fact in facts]
        columns[name] = column
    return columns


def _grades(ladder: Rulebook, facts: Mapping[str, list[int]], day: dt.date, kernel: bool) -> list[int]:
    if kernel:
        import numpy as np

        from volunteerkit.rules.kernel import grade_columns

        columns = {name: np.array(column, np.int64) for name, column in facts.items()}
        grades: list[int] = grade_columns(ladder.version_on(day), columns).tolist()
        return grades
    names = tuple(facts)
    return [assess(ladder, dict(zip(names, row, strict=True)), day).grade or 0
            for row in zip(*(facts[name] for name in names), strict=True)]  # fmt: skip
