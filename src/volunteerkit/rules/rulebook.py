"""Rulebooks: dated, cited versions of one rule.

A rulebook either credits hours (``decides = "credit"``) or is a ladder for the question it names, such as
``decides = "star"``. Every version has its first day, its citation and a digest of its meaning.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs

from volunteerkit.errors import InvalidValue, RulebookError
from volunteerkit.rules.expression import Expression, Fact, RuleFunction, mentioned

__all__ = ["Coefficient", "Rulebook", "Step", "Version", "builtin_rulebooks"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Step:
    """A grade (``award``, from 1) and the condition it needs; ``names`` are its names by language."""

    award: int
    when: Expression
    names: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Coefficient:
    """A percentage for every word of the fact ``by``, ``otherwise`` for all other words."""

    by: str
    percent: tuple[tuple[str, int], ...]
    otherwise: int = 100


@attrs.frozen
class Version:
    """A rule as it stands from ``effective_from`` on, until the next version.

    A ladder has ``steps``. A way of crediting has, in the order they are applied: ``select`` (which
    records), ``once`` (every minute of a person's clock counts once), ``coefficient``, and for each day
    ``day_at_most`` (minutes) and ``day_percent``. ``facts`` and ``functions`` are what it was read with;
    ``digest`` is the SHA-256 of its meaning: two versions with one digest rule alike.
    """

    effective_from: dt.date
    citation: str
    steps: tuple[Step, ...] = ()
    select: Expression | None = None
    once: bool = False
    coefficient: Coefficient | None = None
    day_at_most: Expression | None = None
    day_percent: Expression | None = None
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
        found = (self.select, self.day_at_most, self.day_percent, *(step.when for step in self.steps))
        return tuple(rule for rule in found if rule is not None)

    @property
    def mentions(self) -> tuple[str, ...]:
        """The facts its rules mention, sorted."""
        found: tuple[str, ...] | None = self.compiled.get("mentions")
        if found is None:
            found = tuple(sorted({name for rule in self.rules for name in mentioned(rule)}))
            self.compiled["mentions"] = found
        return found


@attrs.frozen
class Rulebook:
    """The rule for one question with all its versions, oldest first.

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
            code = "rulebook_not_utf8" if isinstance(error, UnicodeDecodeError) else "rulebook_unreadable"
            raise RulebookError(place.name, ("$", InvalidValue(code, problem=type(error).__name__))) from None
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
    coefficient = version.coefficient and attrs.astuple(version.coefficient)
    meaning = {
        "effective_from": str(version.effective_from),
        "citation": version.citation,
        "steps": [[step.award, str(step.when)] for step in version.steps],
        "select": version.select and str(version.select),
        "once": version.once,
        "coefficient": coefficient,
        "day_at_most": version.day_at_most and str(version.day_at_most),
        "day_percent": version.day_percent and str(version.day_percent),
    }
    canonical = json.dumps(meaning, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@cache
def builtin_rulebooks() -> tuple[Rulebook, ...]:
    """Return the two ways of crediting that ship: ``plain`` and ``union``.

    >>> [book.id for book in builtin_rulebooks()]
    ['plain', 'union']
    """
    folder = files("volunteerkit.rules")
    names = ("plain.toml", "union.toml")
    return tuple(Rulebook.loads(folder.joinpath(name).read_text("utf-8"), name) for name in names)
