"""Reading a rulebook's TOML strictly: every problem is gathered with its path before anything is refused."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from volunteerkit.errors import InvalidValue, RulebookError, VolunteerkitError, nearest
from volunteerkit.messages import LANGUAGES, Phrase, phrase
from volunteerkit.rules.composing import Composer
from volunteerkit.rules.declaring import UNITS, declared_facts, new_name
from volunteerkit.rules.expression import Expression, Fact, FactType, RuleFunction, mentioned
from volunteerkit.rules.facts import (
    DAY_MINUTES,
    FACTS,
    GROUP_FACTS,
    IN_PARTS,
    LADDER_FACTS,
    MINUTES,
    PERSON_FACTS,
    RECORD_FACTS,
)
from volunteerkit.rules.limits import (
    DEPTH_MAX,
    PER_RECORD_MAX,
    PER_SUBJECT_MAX,
    TEXT_MAX,
    cost_of,
    too_deep,
    too_deep_text,
)
from volunteerkit.rules.parsing import parse
from volunteerkit.rules.parts import Answer, Coefficient, Convert, Limit, Route, Scheme, Transform, Window
from volunteerkit.rules.rulebook import Rulebook, Version
from volunteerkit.rules.summaries import read_words
from volunteerkit.units import plain_text

__all__ = ["read_rulebook", "toml_place"]

PERCENT_MAX: Final = 1000
CONVERT_MAX: Final = 1_000_000

# So many parts of one sort, so that no file makes a run hang.
PARTS_MAX: Final = 100

_TOP: Final = {"id": str, "decides": str, "version": list, "title": dict, "fact": dict, "parameter": dict,
               "name": dict, "case": dict}  # fmt: skip
_NAME: Final = {**dict.fromkeys(LANGUAGES, str), "unit": str}
_VERSION: Final = {"effective_from": dt.date, "citation": str, "confidence": str, "adopted_on": dt.date,
                   "suspended_from": dt.date, "monotone": bool}  # fmt: skip
_PARTS: Final = {
    "credit": dict,
    "measure": dict,
    "lookup": list,
    "answer": dict,
    "scheme": dict,
    "cohort": dict,
}
_LADDER: Final = {
    **_VERSION,
    **_PARTS,
    "step": list,
    "take": str,
    "repeat": str,
    "loss": str,
    "procedure": str,
    "grant_when": str,
}
_CHECK: Final = {**_VERSION, **_PARTS}
_CREDIT: Final = {**_VERSION, "select": str, "once": bool, "transform": list, "window": list, "coefficient": dict,
                  "limit": list, "route": list, "day_percent": str, "convert": dict, "day_begins": str}  # fmt: skip
_PART: Final = {"when": str, "reason": str, "because": dict}
_TRANSFORM: Final = {"minutes": str, **_PART}
_WINDOW: Final = {"from": str, "to": str, "percent": int, **_PART}
_COEFFICIENT: Final = {"by": str, "percent": dict, "otherwise": int}
_LIMIT: Final = {
    "year_begins_month": int,
    "per": str,
    "at_most": str,
    "by": list,
    "count": str,
    "beyond": str,
    **_PART,
}
_ROUTE: Final = {"to": str, **_PART}
_CONVERT: Final = {"unit": str, "every_minutes": int, "gives": int}
_PERIODS: Final = ("day", "week", "month", "quarter", "half_year", "year", "life")
_YEARLY: Final = ("quarter", "half_year", "year")
_TYPES: Final = {str: "text", int: "integer", bool: "boolean", list: "array", dict: "table", dt.date: "date",
                 float: "float", dt.datetime: "date-time", dt.time: "time"}  # fmt: skip


def __dir__() -> list[str]:
    return __all__


def read_rulebook(
    text: str, source: str, functions: Mapping[str, RuleFunction], facts: Mapping[str, Fact] | None
) -> Rulebook:
    """Return the rulebook in a TOML text; raises RulebookError naming ``source`` and every problem."""
    if len(text) > TEXT_MAX:
        raise RulebookError(source, ("$", InvalidValue("rulebook_too_long", count=len(text), limit=TEXT_MAX)))
    try:
        data = None if too_deep_text(text) else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise RulebookError(
            source, ("$", InvalidValue("rulebook_not_toml", place=toml_place(error)))
        ) from None
    if data is None or too_deep(data):
        raise RulebookError(source, ("$", InvalidValue("rulebook_too_deep", limit=DEPTH_MAX)))
    reader = _Reader(functions, FACTS if facts is None else facts)
    made = reader.rulebook(data)
    if made is None or reader.problems:
        raise RulebookError(source, *reader.problems)
    return made


def toml_place(error: Exception) -> Phrase:
    """Return where a text is no TOML: the parser's sentence is English and may quote the text."""
    if found := re.search(r"line ([0-9]+), column ([0-9]+)", str(error)):
        return phrase("toml_place", line=found[1], column=found[2])
    return phrase("toml_end" if "end of document" in str(error) else "toml_somewhere")


class _Reader:
    def __init__(self, functions: Mapping[str, RuleFunction], facts: Mapping[str, Fact]) -> None:
        self.functions = functions
        self.facts = dict(facts)
        # What plugins and the file declare may stand in every rule; the library's own facts each have their place.
        self.declared = {name: fact for name, fact in facts.items() if FACTS.get(name) != fact}
        self.of_file: tuple[Fact, ...] = ()
        self.decides = ""
        self.names: dict[str, dict[str, Any]] = {}
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
            elif wanted is not object and type(value) is not wanted:
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
        self.decides = decides = str(top.get("decides", ""))
        self.of_subject = GROUP_FACTS if decides.startswith("organization_") else LADDER_FACTS
        read: Callable[[Any, str], Version | None] = self.ladder
        if decides in ("credit", "check"):
            read = self.credit if decides == "credit" else self.check
        self.names = {
            name: self.table(each, _NAME, f"$.name.{name}", LANGUAGES)
            for name, each in top.get("name", {}).items()
        }
        self.of_file = tuple(self.worded(fact) for fact in declared_facts(self, top))
        self.declared |= {fact.name: fact for fact in self.of_file}
        self.facts |= self.declared
        for name in ("id", "decides"):  # both are stored and looked up: no hidden characters
            self.plain(top, name, "$")
        if decides.isprintable() and decides and read == self.ladder:  # rules call the grade by its last word
            self.named(decides.rpartition(".")[2], "$.decides")
        self.few(top.get("version", []), "$.version")
        versions = [read(each, f"$.version[{i}]") for i, each in enumerate(top.get("version", []))]
        last: dt.date | None = None
        for i, version in enumerate(versions):
            if version and last and version.effective_from <= last:
                self.problem(f"$.version[{i}].effective_from", "rulebook_order", earlier=last,
                             later=version.effective_from)  # fmt: skip
            last = version.effective_from if version else last
        known = {fact.name for fact in self.of_file} | {
            name for each in versions if each for name in each.makes
        }
        for name in self.names if all(versions) else ():
            if name not in known:
                self.misspelt(f"$.name.{name}", "rulebook_choice", name, sorted(known))
        title = self.texts(top.get("title", {}), "$.title")
        words = read_words(self, top.get("case", {}))
        if self.problems:
            return None
        return Rulebook(top["id"], top["decides"], tuple(each for each in versions if each), title, words)

    def worded(self, fact: Fact) -> Fact:
        """Return a fact with the texts and the unit that ``[name]`` gives it."""
        texts = self.names.get(fact.name, {})
        unit = texts.get("unit", fact.unit)
        self.choice(unit, ("", *UNITS), f"$.name.{fact.name}.unit")
        return attrs.evolve(fact, zh=texts.get("zh-CN", fact.zh), en=texts.get("en", fact.en), unit=unit)

    def ladder(self, data: Any, path: str) -> Version | None:
        got = self.table(data, _LADDER, path, ("effective_from", "citation", "step"))
        composer = Composer(self)
        # "city.star" is the question, "star" what rules and records call it
        name = self.decides.rpartition(".")[2]
        made = composer.read(got, path, name if "step" in got else "")
        scheme = next((part for part in made if isinstance(part, Scheme) and part.name == name), None)
        steps = scheme.steps if scheme else ()
        return self.version(
            got, composer.known, scheme=scheme, steps=steps, **self.reckoned(got, made, composer, path)
        )

    def reckoned(
        self, got: Mapping[str, Any], made: tuple[Any, ...], composer: Composer, path: str
    ) -> dict[str, Any]:
        """Return what ladders and checks have alike: what is reckoned first, and a way of crediting of their own."""
        begins, suspended = got.get("effective_from"), got.get("suspended_from")
        if begins and suspended and suspended <= begins:
            self.problem(f"{path}.suspended_from", "rulebook_suspended", begins=begins, day=suspended)
        of_credit = None
        if "credit" in got:
            whole = {name: got[name] for name in ("effective_from", "citation") if name in got}
            for name in whole:
                if name in got["credit"]:
                    self.misspelt(f"{path}.credit.{name}", "rulebook_unknown_key", name, list(_CREDIT)[3:])
            of_credit = self.credit({**whole, **got["credit"]}, f"{path}.credit")
        schemes = [part.name for part in made if isinstance(part, Scheme)]
        cohort = composer.cohort(got["cohort"], f"{path}.cohort", schemes) if "cohort" in got else None
        return {
            "made": made,
            "cohort": cohort,
            "credit": of_credit,
            "answers": tuple(part for name in got.get("answer", {}) for part in made
                             if isinstance(part, Answer) and part.name == name),
        }  # fmt: skip

    def credit(self, data: Any, path: str) -> Version | None:
        got = self.table(data, _CREDIT, path, ("effective_from", "citation"))
        return self.version(
            got,
            select=self.rule(got, "select", path, "bool", self.of_record),
            once=got.get("once", False),
            transforms=self.parts(got, "transform", path, self.transform),
            windows=self.parts(got, "window", path, self.window),
            coefficient=self.coefficient(got["coefficient"], f"{path}.coefficient")
            if "coefficient" in got
            else None,
            limits=self.parts(got, "limit", path, self.limit),
            routes=self.parts(got, "route", path, self.route),
            day_percent=self.rule(got, "day_percent", path, "int", self.of_day),
            convert=self.convert(got["convert"], f"{path}.convert") if "convert" in got else None,
            day_begins_minute=self.minute(got, "day_begins", path) % 1440,
        )

    @property
    def of_record(self) -> Mapping[str, Fact]:
        return RECORD_FACTS | PERSON_FACTS | self.declared

    @property
    def of_day(self) -> Mapping[str, Fact]:
        return {"served_on": RECORD_FACTS["served_on"], **PERSON_FACTS, **self.declared}

    def parts(self, got: Mapping[str, Any], name: str, path: str, read: Callable[[Any, str], Any]) -> Any:
        listed = got.get(name, [])
        if not self.few(listed, f"{path}.{name}"):
            return ()
        found = [read(each, f"{path}.{name}[{i}]") for i, each in enumerate(listed)]
        return tuple(each for each in found if each is not None)

    def few(self, listed: list[Any], path: str) -> bool:
        if len(listed) > PARTS_MAX:
            self.problem(path, "rulebook_too_many", count=len(listed), limit=PARTS_MAX)
            listed.clear()
            return False
        return True

    def common(self, got: Mapping[str, Any], path: str, scope: Mapping[str, Fact]) -> dict[str, Any]:
        """Read what every part has: its condition, its author's word and sentence."""
        if "because" in got:
            because = self.table(got["because"], dict.fromkeys(LANGUAGES, str), f"{path}.because", LANGUAGES)
        else:
            because = {}
        self.plain(got, "reason", path)
        return {
            "when": self.rule(got, "when", path, "bool", scope),
            "reason": got.get("reason", ""),
            "because": tuple(sorted(because.items())),
        }

    def transform(self, data: Any, path: str) -> Transform | None:
        got, scope = self.table(data, _TRANSFORM, path, ("minutes",)), {**self.of_record, "minutes": MINUTES}
        minutes = self.rule(got, "minutes", path, "int", scope)
        part = self.common(got, path, scope)
        return Transform(minutes, **part) if minutes is not None else None

    def window(self, data: Any, path: str) -> Window | None:
        got = self.table(data, _WINDOW, path, ("from", "to", "percent"))
        begin, end = self.minute(got, "from", path), self.minute(got, "to", path)
        if "from" in got and "to" in got and begin % 1440 == end:
            self.problem(f"{path}.to", "rulebook_window", time=got["to"])
        self.percent(got.get("percent", 0), f"{path}.percent")
        return Window(begin % 1440, end, got.get("percent", 0), **self.common(got, path, self.of_record))

    def limit(self, data: Any, path: str) -> Limit | None:
        got = self.table(data, _LIMIT, path, ("per", "at_most"))
        per, by = got.get("per", "day"), got.get("by", [])
        self.choice(per, _PERIODS, f"{path}.per")
        self.choice(got.get("count", "minutes"), ("minutes", "records"), f"{path}.count")
        self.choice(got.get("beyond", "cut"), ("cut", "refuse"), f"{path}.beyond")
        for i, name in enumerate(by):
            self.by(name, f"{path}.by[{i}]")
        begins = got.get("year_begins_month", 1)
        if not 1 <= begins <= 12:
            self.problem(f"{path}.year_begins_month", "rulebook_range", value=begins, low=1, high=12)
        if begins != 1 and per not in _YEARLY:
            self.problem(f"{path}.year_begins_month", "rulebook_needs", name="year_begins_month",
                         needs='per = "year", "half_year", "quarter"')  # fmt: skip
        scope = self.of_day if per == "day" else PERSON_FACTS | self.declared
        at_most = self.rule(got, "at_most", path, "int", scope)
        part = self.common(got, path, self.of_record)
        if at_most is None:
            return None
        beyond, count = got.get("beyond", "cut"), got.get("count", "minutes")
        return Limit(per, at_most, tuple(map(str, by)), count, beyond, begins, **part)

    def route(self, data: Any, path: str) -> Route | None:
        got = self.table(data, _ROUTE, path, ("to", "when"))
        self.plain(got, "to", path)
        part = self.common(got, path, {**self.of_day, "day_minutes": DAY_MINUTES})
        return Route(got["to"], **part) if "to" in got else None

    def convert(self, data: Any, path: str) -> Convert:
        got = self.table(data, _CONVERT, path, ("unit", "every_minutes"))
        for name in ("every_minutes", "gives"):
            if not 1 <= got.get(name, 1) <= CONVERT_MAX:
                self.problem(f"{path}.{name}", "rulebook_convert", value=got[name], limit=CONVERT_MAX)
        self.plain(got, "unit", path)
        return Convert(got.get("unit", ""), got.get("every_minutes", 1), got.get("gives", 1))

    def minute(self, got: Mapping[str, Any], name: str, path: str) -> int:
        """Read a time of day as minutes: 00:00 to 24:00."""
        text = got.get(name, "00:00")
        if found := re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", text):
            return int(found[1] or 24) * 60 + int(found[2] or 0)
        self.problem(f"{path}.{name}", "rulebook_time", value=text)
        return 0

    def plain(self, got: Mapping[str, Any], name: str, path: str) -> None:
        """Refuse a word with characters that nobody sees."""
        if name in got:
            try:
                plain_text(name, got[name])
            except InvalidValue as error:
                self.problems.append((f"{path}.{name}", error))

    def choice(self, value: str, known: tuple[str, ...], path: str) -> None:
        if value not in known:
            self.misspelt(path, "rulebook_choice", value, list(known))

    def by(self, name: Any, path: str) -> None:
        """Refuse what is no word of a record."""
        words = [each for each, fact in self.of_record.items() if fact.type == "word"]
        if name not in words:
            self.misspelt(path, "rulebook_not_a_word", str(name), words)

    def percent(self, value: Any, path: str) -> None:
        if type(value) is not int or not 0 <= value <= PERCENT_MAX:
            self.problem(path, "rulebook_percent", value=value, limit=PERCENT_MAX)

    def check(self, data: Any, path: str) -> Version | None:
        got = self.table(data, _CHECK, path, ("effective_from", "citation"))
        if "answer" not in got and "scheme" not in got and isinstance(data, dict):
            self.problem(path, "rulebook_missing_key", name="answer")
        composer = Composer(self)
        made = composer.read(got, path)
        return self.version(got, composer.known, **self.reckoned(got, made, composer, path))

    def version(
        self, got: Mapping[str, Any], reckoned: Mapping[str, Fact] | None = None, **parts: Any
    ) -> Version | None:
        if "effective_from" not in got or "citation" not in got:
            return None
        version = Version(
            got["effective_from"],
            got["citation"],
            functions=self.functions,
            declared=self.of_file,
            confidence=got.get("confidence", ""),
            monotone=got.get("monotone", True),
            adopted_on=got.get("adopted_on"),
            suspended_from=got.get("suspended_from"),
            **parts,
        )
        known = {**FACTS, **IN_PARTS, **self.facts, **(reckoned or {})}
        used = {name for rule in version.every_rule for name in mentioned(rule)} | set(version.mentions)
        cost = cost_of(version)
        for count, limit in ((cost.per_record, PER_RECORD_MAX), (cost.per_subject, PER_SUBJECT_MAX)):
            if count > limit:
                self.problem("$.version", "rulebook_cost", count=count, limit=limit)
        return attrs.evolve(version, facts={name: known[name] for name in sorted(used) if name in known})

    def failed(self, path: str, error: VolunteerkitError) -> None:
        self.problems.append((path, error))

    def named(self, name: str, path: str) -> bool:
        return new_name(self, name, path)

    def coefficient(self, data: Any, path: str) -> Coefficient | None:
        got = self.table(data, _COEFFICIENT, path, ("by", "percent"))
        by, percent, otherwise = got.get("by"), got.get("percent", {}), got.get("otherwise", 100)
        if by is not None:
            self.by(by, f"{path}.by")
        for word, value in percent.items():
            self.percent(value, f"{path}.percent.{word}")
        self.percent(otherwise, f"{path}.otherwise")
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
