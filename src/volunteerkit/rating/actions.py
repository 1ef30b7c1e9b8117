"""The verbs of rating: one volunteer with reasons, the whole city at once, and decisions that are kept."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.errors import InvalidValue
from volunteerkit.hours.crediting import (
    credit_person,
    credit_rulebook,
    credited_of,
    person_facts,
    rule_records,
)
from volunteerkit.hours.reading import cluster_rows, packed_columns
from volunteerkit.projects.tables import project
from volunteerkit.rating.tables import decision
from volunteerkit.rules import Assessment, Credited, Rulebook, assess
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, insert_rows, note
from volunteerkit.store.registering import next_id
from volunteerkit.store.schema import head
from volunteerkit.store.sealing import seal_rows
from volunteerkit.units import day_number, of_type, plain_day
from volunteerkit.volunteers.persons import everybody, together
from volunteerkit.volunteers.reading import number_given, reached

__all__ = [
    "CityRating",
    "Rated",
    "credited_people",
    "decide_city",
    "ladder_for",
    "rate_city",
    "rate_volunteer",
]

_MEASURES = ("claimed_minutes", "service_days", "service_records")


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Rated:
    """One volunteer's credited time and what the ladder says of it."""

    volunteer: str
    credited: Credited
    assessment: Assessment


@attrs.frozen
class CityRating:
    """A whole city rated: lists of one length, one place for each volunteer, in the order of their ids.

    ``grades`` is empty when no ladder is loaded.
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


def ladder_for(desk: Desk, decides: str = "star") -> Rulebook | None:
    """Return the ladder that answers ``decides``, None when no plugin brought one."""
    return next((book for book in desk.rulebooks.values() if book.decides == decides), None)


@storage_errors("database")
def rate_volunteer(
    desk: Desk, number: str, *, rulebook: str = "union", as_of: dt.date | None = None
) -> Rated:
    """Rate the volunteer with this number, with every reason.

    Raises NotFound, NotPermitted, and InvalidValue when there is no ladder or no version in force.
    """
    number_given(number)
    person, _ = reached(desk, "rating.assess", number)
    ladder, day = ladder_for(desk), desk.today if as_of is None else plain_day("as_of", as_of)
    if ladder is None:
        raise InvalidValue("ladder_missing")
    ids = together(desk.connection, person.id)
    rows = cluster_rows(desk.connection, day_number(day), ids)
    version = credit_rulebook(desk, rulebook).version_on(day)
    records = rule_records(desk, [each[1:] for each in rows], version)
    _, _, registered_on, adult_on = everybody(desk.connection, ids)[0]
    _, credited = credited_of(desk, rulebook, day, records, registered_on=registered_on, adult_on=adult_on)
    facts = {
        "credited_minutes": credited.credited_minutes,
        "claimed_minutes": credited.claimed_minutes,
        "service_days": credited.service_days,
        "service_records": credited.service_records,
        "registered_days": day_number(day) - registered_on,
    }
    return Rated(person.number, credited, assess(ladder, facts, day))


@storage_errors("database")
def rate_city(
    desk: Desk, *, rulebook: str = "union", as_of: dt.date | None = None, kernel: bool | None = None
) -> CityRating:
    """Rate every volunteer of the city; the same outcome as `rate_volunteer` one by one.

    Merged volunteers have no place of their own: the kept one's counts all of the person.

    With NumPy installed the kernel runs on packed columns, without it a loop over the records;
    ``kernel`` chooses one of them. Raises NotPermitted, InvalidValue.
    """
    desk.permit("rating.decide")
    day = desk.today if as_of is None else plain_day("as_of", as_of)
    book, ladder = credit_rulebook(desk, rulebook), ladder_for(desk)
    people = everybody(desk.connection)
    if kernel is None:
        kernel = _has_numpy()
    facts = credited_people(desk, book, day, people, kernel=kernel)
    facts["registered_days"] = [day_number(day) - person[2] for person in people]
    grades = _grades(ladder, facts, day, kernel) if ladder is not None else []
    return CityRating(
        day, book.id, book.version_on(day).digest, ladder.id if ladder else "",
        ladder.version_on(day).digest if ladder else "", [person[0] for person in people],
        [person[1] for person in people], facts["claimed_minutes"], facts["credited_minutes"], facts["service_days"],
        facts["service_records"], facts["registered_days"], grades,
    )  # fmt: skip


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
    found: dict[str, list[int]] = {name: [] for name in ("credited_minutes", *_MEASURES)}
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
    rare = {"organization", "method", "kind", "known_on", "evidence", "calendar"} & set(version.mentions)
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
        version, records, persons, highest, clustered=True, measures=_MEASURES, vocabulary=vocabulary
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


@command
def decide_city(desk: Desk, rating: CityRating) -> int:
    """Keep a decision for every volunteer whose grade changed since the last one; return how many.

    A first grade of 0 needs no decision. Running it twice on unchanged data adds nothing; a correction is
    a new row that names the old one.
    """
    desk.permit("rating.decide")
    of_type("rating", rating, CityRating)
    connection, following = desk.connection, next_id(desk, decision)
    latest = (
        sa.select(sa.func.max(decision.c.id))
        .where(decision.c.rulebook == rating.ladder)
        .group_by(decision.c.volunteer_id)
    )
    rows = connection.execute(
        sa.select(decision.c.volunteer_id, decision.c.id, decision.c.grade).where(decision.c.id.in_(latest))
    )
    before = {id_: (number, grade) for id_, number, grade in rows}
    known_at = connection.execute(sa.select(head.c.transfer_seq)).scalar_one()
    made: list[tuple[Any, ...]] = []
    for i, (id_, grade) in enumerate(zip(rating.ids, rating.grades, strict=True)):
        old = before.get(id_, (None, 0))
        if grade == old[1]:
            continue
        facts = {
            name: getattr(rating, name)[i] for name in ("credited_minutes", *_MEASURES, "registered_days")
        }
        made.append((following + len(made), id_, rating.ladder, rating.ladder_digest, rating.credit_digest,
                     day_number(rating.as_of), known_at, grade, json.dumps(facts, sort_keys=True), old[0]))  # fmt: skip
    if made:
        insert_rows(connection, decision.name, decision.columns.keys(), made)
        seal_rows(desk, decision, made)
        payload = {"rulebook": rating.ladder, "digest": rating.ladder_digest, "decisions": len(made)}
        note(desk, "rating.decided", "city", payload)
    return len(made)
