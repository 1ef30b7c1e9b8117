"""A rule tried on the city before it is enacted: who would rise and fall, and why. Nothing is written."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import attrs
import sqlalchemy as sa

from volunteerkit import messages
from volunteerkit.errors import InvalidValue
from volunteerkit.hours.crediting import credit_rulebook, person_facts
from volunteerkit.organizations.tables import organization
from volunteerkit.rating.actions import Graded, graded, ladder_for
from volunteerkit.rating.model import assessed
from volunteerkit.rating.stream import scheme_asked
from volunteerkit.rules import Assessment, Clause, Fact, Rulebook, Version, assess
from volunteerkit.rules.explain import lack_text
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.units import day_number, plain_day
from volunteerkit.volunteers.persons import everybody
from volunteerkit.volunteers.reading import during
from volunteerkit.volunteers.tables import membership

__all__ = ["Count", "Move", "Trial", "try_rule"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Move:
    """A volunteer whose grade would be another one; a grade is 0 for none, None where it is open.

    ``why`` says by which rule somebody stays below: ``new`` or ``old`` conditions not met (``clauses``),
    ``waits`` for a term, an earlier grade or a pause, ``no_grade`` or ``no_rule`` before, ``unknown`` facts.
    """

    volunteer: str
    before: int | None
    after: int | None
    why: Literal["new", "old", "waits", "no_grade", "no_rule", "unknown"]
    clauses: tuple[Clause, ...] = ()
    declared: dict[str, Fact] = attrs.field(factory=dict, repr=False, eq=False)

    def reasons(self, in_: str | None = None) -> tuple[str, ...]:
        """Return the reasons as sentences, in language ``in_`` or the one in force."""
        language = in_ or messages.language()
        lacks = [lack_text(clause, self.declared, language) for clause in self.clauses]
        said = messages.text(f"explain_trial_{self.why}", language)
        return tuple(f"{said}{each}" for each in lacks) or (said,)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        clauses = [clause.as_dict() for clause in self.clauses]
        return {"volunteer": self.volunteer, "before": self.before, "after": self.after, "why": self.why,
                "clauses": clauses}  # fmt: skip


@attrs.frozen
class Count:
    """How many volunteers of an age class and an organization have one grade now and would have another.

    ``age`` is ``minor``, ``adult``, ``senior`` (from 60 on) or ``unknown``; ``organization`` the number of the
    managing one, empty for none.
    """

    before: int | None
    after: int | None
    age: str
    organization: str
    volunteers: int


@attrs.frozen
class Trial:
    """What a rule would change on a day: ``counts`` of everybody, ``moves`` of those whose grade differs.

    ``in_force`` and ``in_force_digest`` name the rule it was compared with, empty for none; ``same`` tells
    that both are one. Grades are those of ``question``, named by ``names`` and ``names_before``.
    """

    question: str
    rulebook: str
    digest: str
    in_force: str
    in_force_digest: str
    as_of: dt.date
    counts: tuple[Count, ...] = attrs.field(repr=False)
    moves: tuple[Move, ...] = attrs.field(repr=False)
    version: Version = attrs.field(repr=False)
    version_before: Version | None = attrs.field(repr=False)

    @property
    def same(self) -> bool:
        """Whether the rule that was tried is the one in force."""
        return self.digest == self.in_force_digest

    @property
    def rising(self) -> int:
        """How many would have a higher grade."""
        return sum(_rank(each.after) > _rank(each.before) for each in self.moves)

    @property
    def falling(self) -> int:
        """How many would have a lower grade."""
        return sum(_rank(each.after) < _rank(each.before) for each in self.moves)

    def as_dict(self, limit: int | None = None) -> dict[str, Any]:
        """Return it as JSON, with the first ``limit`` moves or all."""
        beside = ("question", "rulebook", "digest", "in_force", "in_force_digest")
        return {
            **{name: getattr(self, name) for name in beside},
            "as_of": str(self.as_of),
            "same": self.same,
            "rising": self.rising,
            "falling": self.falling,
            "counts": [attrs.asdict(each) for each in self.counts],
            "moved": len(self.moves),
            "moves": [each.as_dict() for each in self.moves[:limit]],
        }


def _rank(grade: int | None) -> int:
    return -1 if grade is None else grade


@attrs.frozen
class _Side:
    """One of the two rules compared: its ladder, the grades it gives, and why."""

    ladder: Rulebook | None
    question: str
    day: dt.date
    found: Graded

    @property
    def version(self) -> Version | None:
        return self.ladder.version_on(self.day) if self.ladder else None

    def assessment(self, i: int, person: Any) -> Assessment:
        assert self.ladder is not None
        if self.found.run is not None:
            run = self.found.run
            name = scheme_asked(self.ladder, run.version, self.question).name
            return assessed(run.decide(person[0], person[2], person[3]), name)
        return assess(self.ladder, {name: column[i] for name, column in self.found.facts.items()}, self.day)


@storage_errors("database")
def try_rule(
    desk: Desk, rulebook: Rulebook, *, as_of: dt.date | None = None, crediting: str = "union"
) -> Trial:
    """Compare the newest version of ``rulebook`` with the rule in force for the same question, on day ``as_of``.

    The version is applied to what is on record on that day (default today), also before it takes effect;
    nothing is written. Grades that were decided count for both. A way of crediting is compared with
    ``crediting`` by the stars that follow from it; a ladder is compared with the one for its question, or with none. Raises
    NotPermitted, and InvalidValue for a rulebook of another sort or when there is no ladder of stars.
    """
    desk.permit("rating.assess")
    if not isinstance(rulebook, Rulebook):
        raise InvalidValue(name="rulebook", value=type(rulebook).__name__, allowed="Rulebook")
    day = desk.today if as_of is None else plain_day("as_of", as_of)
    if rulebook.decides == "check" or rulebook.decides.startswith("organization_"):
        raise InvalidValue("trial_question", rulebook=rulebook.id, decides=rulebook.decides)
    people, way = everybody(desk.connection), credit_rulebook(desk, crediting)
    compared: Rulebook | None
    tried, newest = _as_in_force(rulebook, day), rulebook.versions[-1]
    if rulebook.decides == "credit":
        ladder, compared = ladder_for(desk), way
        if ladder is None:
            raise InvalidValue("ladder_missing")
        sides = [_side(desk, ladder, each, day, people, "star") for each in (way, tried)]
    else:
        ladder = compared = _in_force(desk, rulebook.decides, day)
        kept_for = (ladder,) if ladder else ()
        sides = [_side(desk, ladder, way, day, people, rulebook.decides),
                 _side(desk, tried, way, day, people, rulebook.decides, kept_for)]  # fmt: skip
    before, after = sides
    assert after.version is not None
    return Trial(
        after.question, rulebook.id, newest.digest, compared.id if compared else "",
        compared.version_on(day).digest if compared else "", day, _counts(desk, day, people, before, after),
        _moves(people, before, after), after.version, before.version,
    )  # fmt: skip


def _as_in_force(rulebook: Rulebook, day: dt.date) -> Rulebook:
    """Return the newest version alone, as if it were in force already."""
    newest = rulebook.versions[-1]
    if newest.effective_from > day:
        newest = attrs.evolve(newest, effective_from=dt.date.min)
    return attrs.evolve(rulebook, versions=(newest,))


def _in_force(desk: Desk, question: str, day: dt.date) -> Rulebook | None:
    ladder = ladder_for(desk, question)
    return ladder if ladder and ladder.versions[0].effective_from <= day else None


def _side(
    desk: Desk,
    ladder: Rulebook | None,
    way: Rulebook,
    day: dt.date,
    people: Sequence[Any],
    question: str,
    kept_for: Sequence[Rulebook] = (),
) -> _Side:
    found = graded(desk, ladder, way, day, people, question, kept_for=kept_for)
    return _Side(ladder, question, day, found if ladder else attrs.evolve(found, grades=[0] * len(people)))


def _moves(people: Sequence[Any], before: _Side, after: _Side) -> tuple[Move, ...]:
    pairs = zip(people, before.found.grades, after.found.grades, strict=True)
    return tuple(
        _move(i, person, old, new, before, after) for i, (person, old, new) in enumerate(pairs) if old != new
    )


def _move(i: int, person: Any, old: int | None, new: int | None, before: _Side, after: _Side) -> Move:
    """Say why by the rule that gives less: what keeps the volunteer below the next grade there."""
    if old is None or new is None:
        return Move(person[1], old, new, "unknown")
    if new > old and before.version is None:
        return Move(person[1], old, new, "no_rule")
    side, lower = (before, old) if new > old else (after, new)
    assessment = side.assessment(i, person)
    clause = next((clause for step, clause in assessment.clauses if step.award > lower), None)
    if clause is None:
        return Move(person[1], old, new, "no_grade")
    declared = dict(assessment.declared)
    return Move(person[1], old, new, "waits" if clause.holds else "old" if new > old else "new",
                clause.open_parts, declared)  # fmt: skip


def _counts(
    desk: Desk, day: dt.date, people: Sequence[Any], before: _Side, after: _Side
) -> tuple[Count, ...]:
    query = (
        sa.select(membership.c.volunteer_id, organization.c.number)
        .join(organization, organization.c.id == membership.c.organization_id)
        .where(membership.c.role == "managing", during(day_number(day)))
    )
    managing = {id_: number for id_, number in desk.connection.execute(query)}
    today = day_number(day)
    counted = Counter(
        (old, new, _age(person[3], today), managing.get(person[0], ""))
        for person, old, new in zip(people, before.found.grades, after.found.grades, strict=True)
    )
    rows = sorted(counted.items(), key=lambda row: (_rank(row[0][0]), _rank(row[0][1]), *row[0][2:]))
    return tuple(Count(*key, number) for key, number in rows)


def _age(adult_on: int | None, today: int) -> str:
    if adult_on is None:
        return "unknown"
    if today < adult_on:
        return "minor"
    return "senior" if today >= person_facts(0, adult_on)["senior_on"] else "adult"
