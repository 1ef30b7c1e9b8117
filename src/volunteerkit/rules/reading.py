"""Reading a rulebook's TOML strictly: every problem is gathered with its path before anything is refused."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import attrs

from volunteerkit.errors import InvalidValue, RulebookError, VolunteerkitError, nearest
from volunteerkit.messages import LANGUAGES, Phrase, phrase
from volunteerkit.rules.expression import Expression, Fact, FactType, RuleFunction
from volunteerkit.rules.facts import FACTS, GROUP_FACTS, LADDER_FACTS, PERSON_FACTS, RECORD_FACTS
from volunteerkit.rules.parsing import parse
from volunteerkit.rules.rulebook import Coefficient, Rulebook, Step, Version
from volunteerkit.units import plain_text

__all__ = ["read_rulebook"]

PERCENT_MAX: Final = 1000
AWARD_MAX: Final = 1000

_TOP: Final = {"id": str, "decides": str, "version": list, "title": dict}
_VERSION: Final = {"effective_from": dt.date, "citation": str}
_LADDER: Final = {**_VERSION, "step": list}
_CREDIT: Final = {**_VERSION, "select": str, "once": bool, "coefficient": dict, "day": dict}
_STEP: Final = {"award": int, "when": str, "name": dict}
_COEFFICIENT: Final = {"by": str, "percent": dict, "otherwise": int}
_DAY: Final = {"at_most": str, "percent": str}
_TYPES: Final = {str: "text", int: "integer", bool: "boolean", list: "array", dict: "table", dt.date: "date",
                 float: "float", dt.datetime: "date-time", dt.time: "time"}  # fmt: skip
_DAY_FACTS: Final = {"served_on": RECORD_FACTS["served_on"], **PERSON_FACTS}


def __dir__() -> list[str]:
    return __all__


def read_rulebook(
    text: str, source: str, functions: Mapping[str, RuleFunction], facts: Mapping[str, Fact] | None
) -> Rulebook:
    """Return the rulebook in a TOML text; raises RulebookError naming ``source`` and every problem."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise RulebookError(source, ("$", InvalidValue("rulebook_not_toml", place=_place(error)))) from None
    reader = _Reader(functions, FACTS if facts is None else facts)
    made = reader.rulebook(data)
    if made is None or reader.problems:
        raise RulebookError(source, *reader.problems)
    return made


def _place(error: Exception) -> Phrase:
    """Return where a text is no TOML: the parser's sentence is English and may quote the text."""
    if found := re.search(r"line ([0-9]+), column ([0-9]+)", str(error)):
        return phrase("toml_place", line=found[1], column=found[2])
    return phrase("toml_end" if "end of document" in str(error) else "toml_somewhere")


class _Reader:
    def __init__(self, functions: Mapping[str, RuleFunction], facts: Mapping[str, Fact]) -> None:
        self.functions = functions
        self.facts = dict(facts)
        # What plugins declare may stand in every rule; the library's own facts each have their place.
        self.declared = {name: fact for name, fact in facts.items() if FACTS.get(name) != fact}
        self.of_subject = LADDER_FACTS
        self.problems: list[tuple[str, VolunteerkitError]] = []

    def problem(self, path: str, code: str, **values: Any) -> None:
        self.problems.append((path, InvalidValue(code, **values)))

    def misspelt(self, path: str, code: str, name: str, known: list[str]) -> None:
        guess = nearest(name, known)
        if guess:
            self.problem(path, f"{code}_near", name=name, known=", ".join(known), guess=guess)
        else:
            self.problem(path, code, name=name, known=", ".join(known))

    def table(
        self, data: Any, allowed: Mapping[str, type], path: str, needed: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return the entries that are known and of the right type; note the others."""
        good: dict[str, Any] = {}
        if not isinstance(data, dict):
            self.problem(path, "rulebook_type", found=_type(data), wanted="table")
            return good
        for name, value in data.items():
            wanted = allowed.get(name)
            if wanted is None:
                self.misspelt(f"{path}.{name}", "rulebook_unknown_key", name, list(allowed))
            elif type(value) is not wanted:
                self.problem(f"{path}.{name}", "rulebook_type", found=_type(value), wanted=_TYPES[wanted])
            elif value == [] or (isinstance(value, str) and not value.strip()):
                self.problem(f"{path}.{name}", "rulebook_empty")
            else:
                good[name] = value
        for name in needed:
            if name not in data:
                self.problem(path, "rulebook_missing_key", name=name)
        return good

    def rulebook(self, data: Any) -> Rulebook | None:
        top = self.table(data, _TOP, "$", ("id", "decides", "version"))
        decides = str(top.get("decides", ""))
        self.of_subject = GROUP_FACTS if decides.startswith("organization_") else LADDER_FACTS
        read = self.credit if decides == "credit" else self.ladder
        for name in ("id", "decides"):  # both are stored and looked up: no hidden characters
            if name in top:
                try:
                    plain_text(name, top[name])
                except InvalidValue as error:
                    self.problems.append((f"$.{name}", error))
        versions = [read(each, f"$.version[{i}]") for i, each in enumerate(top.get("version", []))]
        last: dt.date | None = None
        for i, version in enumerate(versions):
            if version and last and version.effective_from <= last:
                self.problem(f"$.version[{i}].effective_from", "rulebook_order", earlier=last,
                             later=version.effective_from)  # fmt: skip
            last = version.effective_from if version else last
        title = self.texts(top.get("title", {}), "$.title")
        if self.problems:
            return None
        return Rulebook(top["id"], top["decides"], tuple(each for each in versions if each), title)

    def ladder(self, data: Any, path: str) -> Version | None:
        got = self.table(data, _LADDER, path, ("effective_from", "citation", "step"))
        scope = self.of_subject | self.declared
        read = [self.step(each, f"{path}.step[{i}]", scope) for i, each in enumerate(got.get("step", []))]
        steps = [step for step in read if step]
        for i, (lower, upper) in enumerate(pairwise(steps)):
            if upper.award <= lower.award:
                self.problem(
                    f"{path}.step[{i + 1}].award", "rulebook_awards", lower=lower.award, upper=upper.award
                )
        return self.version(got, steps=tuple(steps))

    def credit(self, data: Any, path: str) -> Version | None:
        got = self.table(data, _CREDIT, path, ("effective_from", "citation"))
        day = self.table(got.get("day", {}), _DAY, f"{path}.day", ())
        of_day = _DAY_FACTS | self.declared
        return self.version(
            got,
            select=self.rule(got, "select", path, "bool", RECORD_FACTS | PERSON_FACTS | self.declared),
            once=got.get("once", False),
            coefficient=self.coefficient(got["coefficient"], f"{path}.coefficient")
            if "coefficient" in got
            else None,
            day_at_most=self.rule(day, "at_most", f"{path}.day", "int", of_day),
            day_percent=self.rule(day, "percent", f"{path}.day", "int", of_day),
        )

    def version(self, got: Mapping[str, Any], **parts: Any) -> Version | None:
        if "effective_from" not in got or "citation" not in got:
            return None
        version = Version(got["effective_from"], got["citation"], functions=self.functions, **parts)
        known = FACTS | self.facts
        return attrs.evolve(version, facts={name: known[name] for name in version.mentions})

    def step(self, data: Any, path: str, scope: Mapping[str, Fact]) -> Step | None:
        got = self.table(data, _STEP, path, ("award", "when"))
        when = self.rule(got, "when", path, "bool", scope)
        if not 1 <= got.get("award", 1) <= AWARD_MAX:
            self.problem(f"{path}.award", "rulebook_award", value=got["award"])
        names = self.texts(got.get("name", {}), f"{path}.name")
        return Step(got["award"], when, names) if when is not None and "award" in got else None

    def coefficient(self, data: Any, path: str) -> Coefficient | None:
        got = self.table(data, _COEFFICIENT, path, ("by", "percent"))
        by, percent, otherwise = got.get("by"), got.get("percent", {}), got.get("otherwise", 100)
        words = [name for name, fact in RECORD_FACTS.items() if fact.type == "word"]
        if by is not None and by not in words:
            self.misspelt(f"{path}.by", "rulebook_not_a_word", by, words)
        for place, value in [
            *((f"percent.{word}", each) for word, each in percent.items()),
            ("otherwise", otherwise),
        ]:
            if type(value) is not int or not 0 <= value <= PERCENT_MAX:
                self.problem(f"{path}.{place}", "rulebook_percent", value=value, limit=PERCENT_MAX)
        return Coefficient(by, tuple(sorted(percent.items())), otherwise) if by is not None else None

    def rule(
        self, got: Mapping[str, Any], name: str, path: str, gives: FactType, scope: Mapping[str, Fact]
    ) -> Expression | None:
        if name not in got:
            return None
        try:
            return parse(got[name], facts=scope, functions=self.functions, gives=gives)
        except VolunteerkitError as error:
            self.problems.append((f"{path}.{name}", error))
            return None

    def texts(self, data: Any, path: str) -> tuple[tuple[str, str], ...]:
        return tuple(sorted(self.table(data, dict.fromkeys(LANGUAGES, str), path, ()).items()))


def _type(value: Any) -> str:
    return _TYPES.get(type(value), type(value).__name__)
