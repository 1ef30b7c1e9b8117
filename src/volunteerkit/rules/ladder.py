"""Ladders: which grade the facts allow, why, and what is missing for the next one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from volunteerkit.rules.binding import BoundRule, bind
from volunteerkit.rules.explain import explained
from volunteerkit.rules.expression import (
    CALENDAR,
    All,
    Apply,
    Expression,
    Fact,
    Mention,
    Not,
    Some,
    mentioned,
)
from volunteerkit.rules.facts import PRIVATE
from volunteerkit.rules.parts import Step
from volunteerkit.rules.rulebook import Rulebook, Version
from volunteerkit.units import day_number

__all__ = ["UNTOLD", "Assessment", "Clause", "assess", "assess_version"]

UNTOLD = PRIVATE | {CALENDAR}
"""Facts that rulings use and do not tell."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Clause:
    """One condition with its facts' values; ``holds`` is None when an absent fact leaves it open.

    ``lacking`` is how much a number is short of what it is compared with, in ``unit``; ``kind`` is
    ``"all"``, ``"some"`` or ``"not"`` of the ``parts``, empty without any.
    """

    text: str
    holds: bool | None
    values: tuple[tuple[str, Any], ...]
    lacking: int = 0
    unit: str = ""
    kind: str = ""
    parts: tuple[Clause, ...] = ()

    @property
    def open_parts(self) -> tuple[Clause, ...]:
        """The smallest conditions that keep it from holding, itself where it has no parts that all must hold."""
        if self.holds:
            return ()
        if self.kind == "all":
            return tuple(leaf for part in self.parts for leaf in part.open_parts)
        return (self,)

    def as_dict(self) -> dict[str, Any]:
        """Return the clause as JSON."""
        made: dict[str, Any] = {"text": self.text, "holds": self.holds, "values": dict(self.values)}
        if self.lacking:
            made["lacking"] = self.lacking
        if self.parts:
            made["kind"] = self.kind
            made["parts"] = [part.as_dict() for part in self.parts]
        return made


@attrs.frozen
class Assessment:
    """The grade that facts allow under one version of a ladder: 0 for none, None when undetermined.

    ``missing`` names the absent facts that leave it open. Clauses and texts are made when they are read.
    """

    rulebook: str
    version: Version
    facts: tuple[tuple[str, Any], ...] = attrs.field(repr=False)
    grade: int | None
    missing: tuple[str, ...] = ()
    declared: Mapping[str, Fact] = attrs.field(factory=dict, repr=False, eq=False)

    @property
    def clauses(self) -> tuple[tuple[Step, Clause], ...]:
        """Every step with its condition and values."""
        facts = dict(self.facts)
        return tuple(
            (step, _clause(step.when, facts, self.version, self.declared)) for step in self.version.steps
        )

    @property
    def next_step(self) -> Step | None:
        """The next grade's step, None on the highest grade or when undetermined."""
        grade = self.grade
        return (
            None if grade is None else next((step for step in self.version.steps if step.award > grade), None)
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the ruling as JSON: with the same version and facts it can be replayed."""
        return {
            "rulebook": self.rulebook,
            "digest": self.version.digest,
            "effective_from": str(self.version.effective_from),
            "citation": self.version.citation,
            "grade": self.grade,
            "missing": list(self.missing),
            "facts": {name: value for name, value in self.facts if name not in UNTOLD},
            "steps": [{"award": step.award, **clause.as_dict()} for step, clause in self.clauses],
        }

    def explain(self, in_: str | None = None) -> str:
        """Return the reasons as an indented tree, in language ``in_`` or the one in force."""
        return explained(self, in_)


def assess(
    rulebook: Rulebook, facts: Mapping[str, Any], on: dt.date, *, declared: Mapping[str, Fact] | None = None
) -> Assessment:
    """Return the highest grade of ``rulebook``, as in force on day ``on``, whose condition ``facts`` meet.

    ``facts`` are whole numbers, truth values, words, and dates as day numbers; others than the version
    mentions are left out. An absent one has its declared default; without one the steps it leaves open
    make the ruling undetermined, unless a higher step is met. ``declared`` are the facts' texts (default:
    those the rulebook was read with). Raises InvalidValue when no version is in force yet.

    >>> book = Rulebook.loads('''
    ... id = "example.star"
    ... decides = "star"
    ... [[version]]
    ... effective_from = 2012-10-23
    ... citation = "an example"
    ... step = [{ award = 1, when = "credited_minutes >= 100 * 60" }]
    ... ''')
    >>> assess(book, {"credited_minutes": 6000}, dt.date(2026, 11, 23)).grade
    1
    >>> assess(book, {}, dt.date(2026, 11, 23)).missing
    ('credited_minutes',)
    """
    version = rulebook.version_on(on)
    today = {
        "today": day_number(on),
        "suspended": version.suspended_from is not None and on >= version.suspended_from,
    }
    return assess_version(rulebook.id, version, {**today, **facts}, declared)


def assess_version(
    rulebook: str, version: Version, facts: Mapping[str, Any], declared: Mapping[str, Fact] | None = None
) -> Assessment:
    """Return what a version's main steps say of ``facts``, which hold ``today`` too if it asks for the day."""
    known = version.facts if declared is None else {**version.facts, **declared}
    filled: dict[str, Any] = {}
    for name in version.mentions:
        value = facts[name] if name in facts else known[name].default
        if value is not None:
            filled[name] = value
    complete = len(filled) == len(version.mentions) and CALENDAR not in filled
    grade: int | None = 0
    for award, when, bound in _descending(version):
        if complete:
            holds: bool | None = bound.function(*[filled[name] for name in bound.names])
        else:
            holds = holds_in(version, when, filled)
        if holds is None or holds:
            grade = award if holds else None
            break
    absent = tuple(name for name in version.mentions if name not in filled)
    # With every fact there, only a year that was not published leaves a grade open.
    # what the version makes itself is not what somebody should bring
    brought = tuple(name for name in absent if name not in version.makes) or absent
    missing = () if grade is not None else brought or (CALENDAR,)
    return Assessment(rulebook, version, tuple(filled.items()), grade, missing, known)


def _descending(version: Version) -> list[tuple[int, Expression, BoundRule]]:
    found: list[tuple[int, Expression, BoundRule]] | None = version.compiled.get("steps")
    if found is None:
        found = [(step.award, step.when, bound_in(version, step.when)) for step in reversed(version.steps)]
        version.compiled["steps"] = found
    return found


def bound_in(version: Version, expression: Expression) -> BoundRule:
    """Return a rule of ``version`` as a function of its facts; it is made once."""
    found: BoundRule | None = version.compiled.get(expression)
    if found is None:
        found = version.compiled[expression] = bind(expression, version.functions)
    return found


def holds_in(version: Version, rule: Expression, facts: Mapping[str, Any]) -> bool | None:
    """Whether a rule holds; None where absent facts, or days no calendar knows yet, leave it open."""
    bound = bound_in(version, rule)
    if all(name in facts for name in bound.names):
        try:
            return bool(bound.on(facts))
        except KeyError as missing:
            if missing.args[0] != CALENDAR:
                raise
            return None
    match rule:
        case All(items) | Some(items):
            found = {holds_in(version, item, facts) for item in items}
            settled = isinstance(rule, Some)
            return settled if settled in found else None if None in found else not settled
        case Not(item):
            held = holds_in(version, item, facts)
            return None if held is None else not held
    return None


def _clause(
    rule: Expression, facts: Mapping[str, Any], version: Version, declared: Mapping[str, Fact]
) -> Clause:
    holds = holds_in(version, rule, facts)
    values = tuple((name, facts.get(name)) for name in mentioned(rule) if name not in UNTOLD)

    def parts(*items: Expression) -> tuple[Clause, ...]:
        return tuple(_clause(item, facts, version, declared) for item in items)

    match rule:
        case All(items):
            return Clause(str(rule), holds, values, kind="all", parts=parts(*items))
        case Some(items):
            return Clause(str(rule), holds, values, kind="some", parts=parts(*items))
        case Not(item):
            return Clause(str(rule), holds, values, kind="not", parts=parts(item))
        case Apply(">=" | ">", Mention(name), right) if holds is False and declared[name].type == "int":
            wanted = bound_in(version, right).on(facts) + (rule.symbol == ">")
            return Clause(str(rule), holds, values, wanted - facts[name], declared[name].unit)
    return Clause(str(rule), holds, values)
