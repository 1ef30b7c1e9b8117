"""Rulebooks: dated, cited versions of one rule.

A rulebook credits hours (``decides = "credit"``), answers questions about one matter (``"check"``), or is a
ladder for the question it names, such as ``decides = "star"``. Every version has its first day, its citation and a digest of its meaning.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from volunteerkit.errors import InvalidValue, RulebookError, cause_of
from volunteerkit.rules.expression import Expression, Fact, RuleFunction, mentioned
from volunteerkit.rules.parts import (
    Answer,
    Coefficient,
    Cohort,
    Convert,
    Limit,
    Lookup,
    LookupRow,
    Measure,
    Route,
    Scheme,
    Step,
    Transform,
    Window,
)

__all__ = ["Rulebook", "Step", "Version", "builtin_rulebooks"]


def __dir__() -> list[str]:
    return __all__


Made: TypeAlias = Measure | Lookup | Answer | Scheme
"""What a version reckons for a subject: each gives one fact or more, by name, that later parts may mention."""


@attrs.frozen
class Version:
    """A rule as it stands from ``effective_from`` on, until the next version.

    A ladder has ``steps`` (its main ``scheme``'s), a check ``answers``. Either may have a way of crediting of its
    own (``credit``) and what it reckons: ``made`` holds its measures, tables, answers and schemes in the order
    in which they need one another; see `deciding`. A ``cohort`` says who of many gets a place; see `cohorts`. ``adopted_on`` is when it was decided on,
    ``suspended_from`` the day from which nothing is granted. ``monotone = false`` says that more minutes
    may lower what comes out, which is an author's mistake otherwise. A way of crediting has, in the order they are applied:
    ``select`` (which records), ``once`` (every minute of a person's clock counts once), ``transforms``,
    ``windows``, ``coefficient``, ``limits``, ``routes``, ``day_percent`` and ``convert``; see `parts`. Its
    days begin at ``day_begins_minute``: an earlier start belongs to the day before. ``declared`` are the facts
    and parameters of the file itself. ``facts`` and ``functions`` are what it was read with; ``digest`` is the
    SHA-256 of its meaning: two versions with one digest rule alike.
    """

    effective_from: dt.date
    citation: str
    steps: tuple[Step, ...] = ()
    select: Expression | None = None
    once: bool = False
    transforms: tuple[Transform, ...] = ()
    windows: tuple[Window, ...] = ()
    coefficient: Coefficient | None = None
    limits: tuple[Limit, ...] = ()
    routes: tuple[Route, ...] = ()
    day_percent: Expression | None = None
    convert: Convert | None = None
    day_begins_minute: int = 0
    answers: tuple[Answer, ...] = ()
    credit: Version | None = None
    made: tuple[Made, ...] = ()
    scheme: Scheme | None = None
    cohort: Cohort | None = None
    adopted_on: dt.date | None = None
    suspended_from: dt.date | None = None
    declared: tuple[Fact, ...] = ()
    confidence: str = attrs.field(default="", eq=False)
    monotone: bool = attrs.field(default=True, eq=False)
    facts: Mapping[str, Fact] = attrs.field(factory=dict, eq=False, repr=False)
    functions: Mapping[str, RuleFunction] = attrs.field(factory=dict, eq=False, repr=False)
    # What the runs have compiled out of this version, so that it is compiled once.
    compiled: dict[Any, Any] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 over the version's meaning, rules in their canonical text, in hexadecimal."""
        found: str | None = self.compiled.get("digest")
        if found is None:
            found = self.compiled["digest"] = _digest(self)
        return found

    @property
    def rules(self) -> tuple[Expression, ...]:
        """Every rule in it, in the order they are applied."""
        parts = (*self.transforms, *self.windows, *self.limits, *self.routes)
        found = (
            self.select,
            *(part.when for part in parts),
            *(each.minutes for each in self.transforms),
            *(each.at_most for each in self.limits),
            self.day_percent,
            *(step.when for step in self.steps),
            *(rule for answer in self.answers for rule in answer.rules),
        )
        return tuple(rule for rule in found if rule is not None)

    @property
    def every_rule(self) -> tuple[Expression, ...]:
        """Every rule in it, with those of its own way of crediting and of what it reckons first."""
        of_credit = self.credit.rules if self.credit else ()
        of_cohort = self.cohort.rules if self.cohort else ()
        return *of_credit, *(rule for part in self.made for rule in part.rules), *self.rules, *of_cohort

    @property
    def makes(self) -> tuple[str, ...]:
        """The facts that its measures, tables, answers and further schemes make, in their order."""
        columns = (part.columns if isinstance(part, Lookup) else (part.name,) for part in self.made)
        return tuple(name for names in columns for name in names)

    @property
    def mentions(self) -> tuple[str, ...]:
        """The facts its rules mention and its parts go by, sorted."""
        found: tuple[str, ...] | None = self.compiled.get("mentions")
        if found is None:
            by = [name for limit in self.limits for name in limit.by]
            by += [self.coefficient.by] if self.coefficient else []
            found = tuple(sorted({*by, *(name for rule in self.rules for name in mentioned(rule))}))
            self.compiled["mentions"] = found
        return found


@attrs.frozen
class Rulebook:
    """The rule for one question with all its versions, oldest first.

    ``case_words`` say how summaries in its cases become records; see `summaries`.

    >>> book = Rulebook.loads('''
    ... id = "example.star"
    ... decides = "star"
    ... [[version]]
    ... effective_from = 2012-10-23
    ... citation = "an example"
    ... step = [{ award = 1, when = "credited_minutes >= 100 * 60" }]
    ... ''')
    >>> book.version_on(dt.date(2026, 11, 23)).steps[0].award
    1
    """

    id: str
    decides: str
    versions: tuple[Version, ...]
    title: tuple[tuple[str, str], ...] = ()
    case_words: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, eq=False, repr=False)

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        functions: Mapping[str, RuleFunction] | None = None,
        facts: Mapping[str, Fact] | None = None,
    ) -> Rulebook:
        """Read a rulebook from a TOML file; raises RulebookError with every problem and its path."""
        place = Path(path)
        try:
            text = place.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            problem = (
                InvalidValue("rulebook_unreadable", problem=cause_of(error))
                if isinstance(error, OSError)
                else InvalidValue("rulebook_not_utf8")
            )
            raise RulebookError(place.name, ("$", problem)) from None
        return cls.loads(text, place.name, functions=functions, facts=facts)

    @classmethod
    def loads(
        cls,
        text: str,
        source: str = "rulebook",
        *,
        functions: Mapping[str, RuleFunction] | None = None,
        facts: Mapping[str, Fact] | None = None,
    ) -> Rulebook:
        """Read a rulebook from the text of a TOML file; raises RulebookError as `read` does.

        ``facts`` are all facts rules may mention: `volunteerkit.rules.FACTS` and those of plugins.
        """
        from volunteerkit.rules.reading import read_rulebook

        return read_rulebook(text, source, functions or {}, facts)

    def version_on(self, day: dt.date) -> Version:
        """Return the version in force on ``day``; raises InvalidValue before the first one."""
        for version in reversed(self.versions):
            if version.effective_from <= day:
                return version
        dates = ", ".join(str(version.effective_from) for version in self.versions)
        raise InvalidValue("rulebook_not_yet", rulebook=self.id, day=day, dates=dates)


def _digest(version: Version) -> str:
    meaning = {
        "effective_from": str(version.effective_from),
        "citation": version.citation,
        "steps": [[step.award, str(step.when)] for step in version.steps],
        "select": version.select and str(version.select),
        "once": version.once,
        "coefficient": version.coefficient and attrs.astuple(version.coefficient),
        "day_percent": version.day_percent and str(version.day_percent),
        # A limit of the day once stood here by itself; kept decisions name digests that were made so.
        "day_at_most": None,
    }
    more = (
        "credit",
        "cohort",
        "adopted_on",
        "suspended_from",
        "transforms",
        "windows",
        "limits",
        "routes",
        "convert",
        "day_begins_minute",
        "answers",
        "declared",
    )
    # Only what is there: a part the library learns later changes no digest of what does not have it.
    meaning |= {name: _meant(value) for name in more if (value := getattr(version, name))}
    if made := tuple(
        each for each in version.made if not isinstance(each, Answer) and each != version.scheme
    ):
        meaning["made"] = _meant(made)
    if version.scheme and (how := attrs.evolve(version.scheme, steps=())) != Scheme(version.scheme.name, ()):
        meaning["scheme"] = _meant(how)
    if any(map(_beside, version.steps)):
        meaning["grades"] = [list(_beside(step).items()) for step in version.steps]
    canonical = json.dumps(meaning, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _beside(step: Step) -> dict[str, Any]:
    """Return what a grade has beside its number, its condition and its names."""
    plain = ("award", "when", "names")
    names = [field.name for field in attrs.fields(Step) if field.name not in plain]
    return {name: value for name in names if (value := getattr(step, name))}


def _meant(value: Any) -> Any:
    """Return a part as what JSON knows; texts for people are no part of its meaning."""
    if isinstance(value, tuple):
        return [_meant(each) for each in value]
    if isinstance(value, Fact):
        return [value.name, value.type, value.default]
    if isinstance(value, Version):
        return value.digest
    if isinstance(value, Transform | Window | Limit | Route | Convert | Step | Cohort | LookupRow | Made):
        names = [field.name for field in attrs.fields(type(value)) if field.name not in ("because", "names")]
        found = {name: _meant(getattr(value, name)) for name in names}
        # without words, or a number of last records, a part is what it was before there were any
        later: dict[str, Any] = {"words": [], "latest": None, "groups": []} | (
            {"year_begins_month": 1} if isinstance(value, Limit) else {}
        )
        return {name: each for name, each in found.items() if name not in later or each != later[name]}
    return value if value is None or isinstance(value, bool | int) else str(value)


@cache
def builtin_rulebooks() -> tuple[Rulebook, ...]:
    """Return the two ways of crediting that ship: ``plain`` and ``union``.

    >>> [book.id for book in builtin_rulebooks()]
    ['plain', 'union']
    """
    folder = files("volunteerkit.rules")
    names = ("plain.toml", "union.toml")
    return tuple(Rulebook.loads(folder.joinpath(name).read_text("utf-8"), name) for name in names)
