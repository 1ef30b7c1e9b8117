"""Reading what a version reckons for a subject: measures, tables, answers and schemes, in any order of text.

A part may mention what another gives; they are put in order here, and a circle is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol

import attrs

from volunteerkit.errors import VolunteerkitError
from volunteerkit.rules.expression import LARGEST, Expression, Fact, FactType, Mention, RuleFunction
from volunteerkit.rules.facts import DAY_FACTS, FACTS, MINUTES, PERSON_FACTS, RECORD_FACTS
from volunteerkit.rules.parsing import parse_any
from volunteerkit.rules.parts import PERIODS, Answer, Cohort, Lookup, LookupRow, Measure, Scheme, Step
from volunteerkit.rules.rulebook import Made
from volunteerkit.units import day_number

__all__ = ["Composer"]

PARTS_MAX: Final = 100
ROWS_MAX: Final = 1000
AWARD_MAX: Final = 1000
TERM_MAX: Final = 1200
GAP_MAX: Final = 36_600

_HOWS: Final = ("sum", "count", "most", "least", "first", "last", "balance")
_MEASURE: Final = {**dict.fromkeys(_HOWS, str), "where": str, "from": str, "to": str, "after": str, "before": str,
                   "per": str, "year_begins_month": int, "counts": str, "having": str, "best": int, "take": str, "gap_days": int,
                   "latest": int, "spends": str, "expires_months": int,
                   "otherwise": object}  # fmt: skip
_TAKES: Final = ("sum", "count", "most", "least", "run", "last_run")
_LOOKUP: Final = {"by": str, "row": list}
_SCHEME: Final = {"step": list, "take": str, "repeat": str, "loss": str, "procedure": str, "grant_when": str}
_COHORT: Final = {"among": str, "rank_by": list, "places": int, "percent": int, "at_least": int, "within": str,
                  "exempt": str, "grades": dict, "groups": dict}  # fmt: skip
_STEP: Final = {"award": int, "when": str, "name": dict, "grade": str, "after": str, "wait_months": int,
                "valid_months": int, "certifier": str}  # fmt: skip
# What holds words of the author's own and no rule.
_PLAIN: Final = {"name", "grade", "certifier", "take", "repeat", "loss", "procedure", "per", "count", "is"}
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_NAME: Final = re.compile(r"[^\W\d]\w*")


def __dir__() -> list[str]:
    return __all__


class Reader(Protocol):
    """What gathers problems with their paths; see `reading`."""

    declared: dict[str, Fact]
    functions: Mapping[str, RuleFunction]

    @property
    def of_subject(self) -> Mapping[str, Fact]:
        """Facts of a volunteer or an organization."""

    def problem(self, path: str, code: str, **values: Any) -> None:
        """Note a problem."""

    def misspelt(self, path: str, code: str, name: str, known: list[str]) -> None:
        """Note a word that is not known, with the nearest one."""

    def table(
        self, data: Any, allowed: Mapping[str, type], path: str, needed: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return the entries that are known and of the right type."""

    def worded(self, fact: Fact) -> Fact:
        """Return a fact with the texts the file gives it."""

    def failed(self, path: str, error: VolunteerkitError) -> None:
        """Note an error of a rule."""

    def named(self, name: str, path: str) -> bool:
        """Tell whether a new fact may have this name."""

    def choice(self, value: str, known: tuple[str, ...], path: str) -> None:
        """Refuse what is none of the known words."""

    def plain(self, got: Mapping[str, Any], name: str, path: str) -> None:
        """Refuse a word with characters that nobody sees."""

    def texts(self, data: Any, path: str) -> tuple[tuple[str, str], ...]:
        """Read a text in each language."""


@attrs.define
class Composer:
    """Reads the parts of one version; ``known`` are the facts that those read so far have made."""

    reader: Reader
    known: dict[str, Fact] = attrs.Factory(dict)
    # What could not be read: that others mention it is no problem of theirs.
    unread: set[str] = attrs.Factory(set)

    def read(self, got: Mapping[str, Any], path: str, main: str = "") -> tuple[Made, ...]:
        """Return every measure, table, answer and scheme in the order in which they need one another.

        ``main`` is the name of the scheme whose steps stand in the version itself, if it has one.
        """
        texts: dict[str, tuple[str, str, Any]] = {}
        if main:
            texts[main] = "scheme", path, {name: got[name] for name in _SCHEME if name in got}
        for sort in ("measure", "answer", "scheme"):
            for name, data in got.get(sort, {}).items():
                self._place(texts, name, (sort, f"{path}.{sort}.{name}", data))
        for i, data in enumerate(got.get("lookup", [])):
            columns = _columns(data)
            if not columns:
                self.reader.problem(f"{path}.lookup[{i}].row", "rulebook_empty")
            for name in columns:
                self._place(texts, name, ("lookup", f"{path}.lookup[{i}]", data))
        if len(texts) > PARTS_MAX:
            self.reader.problem(f"{path}.answer", "rulebook_too_many", count=len(texts), limit=PARTS_MAX)
            return ()
        made: list[Made] = []
        for name in self._order(texts):
            sort, place, data = texts[name]
            if name in self.known:  # another column of a table that was read
                continue
            part = getattr(self, f"_{sort}")(name, data, place)
            if part is not None:
                made.append(part)
            else:
                self.unread |= set(_columns(data)) if sort == "lookup" else {name}
        return tuple(made)

    def _place(self, texts: dict[str, tuple[str, str, Any]], name: str, part: tuple[str, str, Any]) -> None:
        if name in texts:
            self.reader.problem(part[1], "rulebook_fact_taken", name=name)
        elif self.reader.named(name, part[1]):
            texts[name] = part

    def _order(self, texts: Mapping[str, tuple[str, str, Any]]) -> list[str]:
        """Return the names so that each comes after those its rules mention; a circle is noted and left out."""
        for name, (sort, place, data) in texts.items():
            if sort in ("answer", "measure") and name in _mentions(data):
                self.reader.problem(place, "rulebook_circle", names=name)
                self.unread.add(name)
        needs = {name: _mentions(data) & set(texts) - {name} for name, (_, _, data) in texts.items()}
        for name, (sort, _, data) in texts.items():
            if sort == "lookup":
                needs[name] -= set(_columns(data))
        found: list[str] = []
        left = dict(needs)
        while left:
            ready = [name for name, its in left.items() if not its & set(left)]
            if not ready:
                while rest := set(left) - set().union(*left.values()):  # they only need what is in the circle
                    left = {name: its for name, its in left.items() if name not in rest}
                self.reader.problem(texts[next(iter(left))][1], "rulebook_circle", names=", ".join(left))
                return found
            found += ready
            for name in ready:
                del left[name]
        return found

    # What stands in a rule

    @property
    def of_subject(self) -> dict[str, Fact]:
        """Facts of the subject as a whole, and what was made so far."""
        return {**self.reader.of_subject, **PERSON_FACTS, **DAY_FACTS, **self.reader.declared, **self.known}

    @property
    def of_record(self) -> dict[str, Fact]:
        """Facts of one record, beside those of its subject."""
        return {**PERSON_FACTS, **DAY_FACTS, **self.reader.declared, **self.known, **RECORD_FACTS,
                "minutes": MINUTES}  # fmt: skip

    def rule(
        self,
        got: Mapping[str, Any],
        name: str,
        path: str,
        wanted: tuple[FactType, ...],
        scope: Mapping[str, Fact],
    ) -> tuple[Expression | None, FactType]:
        """Read a rule of one of the types that may be; None when it is left out or wrong."""
        if name not in got:
            return None, wanted[0]
        try:
            rule, found = parse_any(got[name], facts=scope, functions=self.reader.functions)
        except VolunteerkitError as error:
            self._failed(f"{path}.{name}", error)
            return None, wanted[0]
        if found not in wanted:
            self.reader.problem(f"{path}.{name}", "rulebook_rule_type", found=found, wanted=", ".join(wanted))
            return None, wanted[0]
        return rule, found

    def _failed(self, path: str, error: VolunteerkitError) -> None:
        if error.values.get("name") not in self.unread:
            self.reader.failed(path, error)

    def condition(
        self, got: Mapping[str, Any], name: str, path: str, scope: Mapping[str, Fact]
    ) -> Expression | None:
        """Read a condition."""
        return self.rule(got, name, path, ("bool",), scope)[0]

    def knows(self, name: str, gives: FactType) -> None:
        """Note a fact that a part makes."""
        self.known[name] = self.reader.worded(Fact(name, gives, name, name))

    # The parts

    def _measure(self, name: str, data: Any, path: str) -> Measure | None:
        got = self.reader.table(data, _MEASURE, path, ())
        hows = [how for how in _HOWS if how in got]
        if len(hows) != 1:
            self.reader.problem(path, "rulebook_one_of", names=", ".join(_HOWS))
            return None
        how = hows[0]
        of, distinct, gives = self._what(got, how, path)
        spans = [each for each in ("from", "after", "to", "before") if each in got]
        for one, other in (("from", "after"), ("to", "before")):
            if one in spans and other in spans:
                self.reader.problem(f"{path}.{other}", "rulebook_either", name=one, other=other)
        subject = self.of_subject
        first = self.rule(got, "after" if "after" in got else "from", path, ("date",), subject)[0]
        last = self.rule(got, "before" if "before" in got else "to", path, ("date",), subject)[0]
        self._grouped(got, gives, path)
        value = {**subject, "value": Fact("value", gives, "该组数值", "the group's value")}
        take = got.get("take", "most" if gives == "date" else "sum")
        part = Measure(
            name, how, of, distinct,
            self.condition(got, "where", path, self.of_record), first, last,
            "after" in got, "before" in got, got.get("per", ""), got.get("year_begins_month", 1),
            self.rule(got, "counts", path, (gives,), value)[0], self.condition(got, "having", path, value),
            got.get("best"), take, got.get("gap_days"), self.rule(got, "spends", path, ("int",), self.of_record)[0],
            got.get("expires_months"), None,
            "int" if take in ("count", "run", "last_run") else gives, got.get("latest"),
        )  # fmt: skip
        part = attrs.evolve(part, otherwise=self._otherwise(got, part, path))
        self.knows(name, part.gives)
        return part

    def _what(self, got: Mapping[str, Any], how: str, path: str) -> tuple[Expression | None, str, FactType]:
        """Read what a measure adds up, counts or takes: a rule, a word, and the type it has."""
        if how == "count":
            self.reader.choice(got["count"], ("records", "days", *self._words), f"{path}.count")
            return None, "" if got["count"] == "records" else got["count"], "int"
        wanted: tuple[FactType, ...] = ("int",) if how in ("sum", "balance") else ("date", "int") if how in (
            "first", "last") else ("int", "date")  # fmt: skip
        of, gives = self.rule(got, how, path, wanted, self.of_record)
        # of minutes the exact total is rounded, not every record's
        return None if how in ("sum", "balance") and of == Mention("minutes") else of, "", gives

    @property
    def _words(self) -> list[str]:
        """The words a record may have."""
        of_record = {**RECORD_FACTS, **self.reader.declared}
        return [name for name, fact in of_record.items() if fact.type == "word"]

    def _grouped(self, got: Mapping[str, Any], gives: FactType, path: str) -> None:
        """Note what does not fit together in a measure with or without groups."""
        if "per" in got:
            self.reader.choice(got["per"], (*PERIODS, *self._words), f"{path}.per")
        self.reader.choice(got.get("take", "sum"), _TAKES, f"{path}.take")
        for name in ("spends", "expires_months"):
            if name in got and "balance" not in got:
                self.reader.problem(f"{path}.{name}", "rulebook_needs", name=name, needs="balance")
        for name in ("counts", "having", "best", "take", "year_begins_month"):
            if name in got and "per" not in got:
                self.reader.problem(f"{path}.{name}", "rulebook_needs", name=name, needs="per")
        if got.get("take") in ("run", "last_run") and got.get("per") not in PERIODS:
            self.reader.problem(f"{path}.take", "rulebook_choice", name=got["take"],
                                known="sum, count, most, least")  # fmt: skip
        if got.get("take") == "sum" and gives == "date":
            self.reader.problem(f"{path}.take", "rulebook_choice", name="sum",
                                known="count, most, least, run, last_run")  # fmt: skip
        self.within(got, "year_begins_month", 1, 12, path)
        self.within(got, "gap_days", 0, GAP_MAX, path)
        self.within(got, "best", 1, GAP_MAX, path)
        self.within(got, "latest", 1, GAP_MAX, path)
        self.within(got, "expires_months", 1, TERM_MAX, path)
        if "gap_days" in got and ("first" not in got or gives != "date"):
            self.reader.problem(f"{path}.gap_days", "rulebook_needs", name="gap_days", needs="first")

    def _otherwise(self, got: Mapping[str, Any], part: Measure, path: str) -> int | Expression | None:
        if "otherwise" not in got:
            return None
        value = got["otherwise"]
        if type(value) is str:
            return self.rule(got, "otherwise", path, (part.gives,), self.of_subject)[0]
        if part.gives == "date" and type(value).__name__ == "date":
            return day_number(value)
        if part.gives == "int" and type(value) is int and abs(value) <= LARGEST:
            return value
        self.reader.problem(f"{path}.otherwise", "rulebook_default", wanted=part.gives, limit=LARGEST)
        return None

    def within(self, got: Mapping[str, Any], name: str, low: int, high: int, path: str) -> None:
        """Note a number that is too small or too large."""
        if name in got and not low <= got[name] <= high:
            self.reader.problem(f"{path}.{name}", "rulebook_range", value=got[name], low=low, high=high)

    def _lookup(self, name: str, data: Any, path: str) -> Lookup | None:
        got = self.reader.table(data, _LOOKUP, path, ("by", "row"))
        scope, rows = self.of_subject, got.get("row", [])
        by, columns = got.get("by", ""), _columns(data)
        fact = scope.get(by)
        if fact is None or fact.type not in ("int", "word"):
            known = [each for each, its in scope.items() if its.type in ("int", "word")]
            self.reader.misspelt(f"{path}.by", "rulebook_choice", by, known)
            return None
        if len(rows) > ROWS_MAX:
            self.reader.problem(f"{path}.row", "rulebook_too_many", count=len(rows), limit=ROWS_MAX)
            return None
        read = [self._row(row, f"{path}.row[{i}]", fact, columns) for i, row in enumerate(rows)]
        floors = [(i, row.from_) for i, row in enumerate(read) if row is not None and row.from_ is not None]
        for (_, lower), (i, upper) in pairwise(floors):
            if upper <= lower:
                self.reader.problem(f"{path}.row[{i}].from", "rulebook_rows", lower=lower, upper=upper)
        for each in columns:
            self.knows(each, "int")
        return Lookup(by, columns, tuple(row for row in read if row is not None))

    def _row(self, data: Any, path: str, fact: Fact, columns: tuple[str, ...]) -> LookupRow | None:
        allowed: dict[str, type] = {"from": int, "is": object, **dict.fromkeys(columns, object)}
        got = self.reader.table(data, allowed, path, columns)
        if "from" in got and fact.type != "int":
            self.reader.problem(f"{path}.from", "rulebook_row_is", name=fact.name)
        elif "from" in got and "is" in got:
            self.reader.problem(f"{path}.from", "rulebook_either", name="from", other="is")
        is_ = got.get("is", [])
        words = tuple(is_) if isinstance(is_, list) else (is_,)
        if any(type(word) is not (int if fact.type == "int" else str) for word in words):
            self.reader.problem(f"{path}.is", "rulebook_default", wanted=fact.type, limit=LARGEST)
        values = []
        for name in columns:
            text = {name: str(got[name]) if type(got.get(name)) is int else got.get(name)}
            if name in got and type(text[name]) is not str:
                self.reader.problem(f"{path}.{name}", "rulebook_default", wanted="int", limit=LARGEST)
            elif name in got:
                values.append(self.rule(text, name, path, ("int",), self.of_subject)[0])
        if len(values) != len(columns) or any(value is None for value in values):
            return None
        return LookupRow(tuple(value for value in values if value is not None), got.get("from"), words)

    def _answer(self, name: str, data: Any, path: str) -> Answer | None:
        scope = {**FACTS, **self.of_subject}
        if isinstance(data, dict):
            texts = self.reader.table(data, dict.fromkeys(data, str), path, ())
            words = [(word, self.condition(texts, word, path, scope)) for word in texts]
            self.knows(name, "words")
            return Answer(
                name, None, "words", tuple((word, rule) for word, rule in words if rule is not None)
            )
        if type(data) is not str:
            self.reader.table({name: data}, {name: str}, path.rpartition(".")[0], ())
            return None
        try:
            rule, gives = parse_any(data, facts=scope, functions=self.reader.functions)
        except VolunteerkitError as error:
            self._failed(path, error)
            return None
        self.knows(name, gives)
        return Answer(name, rule, gives)

    def _scheme(self, name: str, data: Any, path: str) -> Scheme | None:
        return self.scheme(name, self.reader.table(data, _SCHEME, path, ("step",)), path)

    def cohort(self, data: Any, path: str, schemes: Sequence[str]) -> Cohort | None:
        """Read who of many gets a place; ``schemes`` are the version's."""
        got = self.reader.table(data, _COHORT, path, ("among", "rank_by"))
        if "among" in got:
            self.reader.choice(got["among"], tuple(schemes), f"{path}.among")
        numbers = [name for name, fact in self.of_subject.items() if fact.type in ("int", "date")]
        for i, name in enumerate(got.get("rank_by", [])):
            self.reader.choice(str(name), tuple(numbers), f"{path}.rank_by[{i}]")
        if "within" in got:
            words = [name for name, fact in self.of_subject.items() if fact.type == "word"]
            self.reader.choice(got["within"], tuple(words), f"{path}.within")
        if ("places" in got) == ("percent" in got):
            self.reader.problem(path, "rulebook_cohort_places")
        self.within(got, "places", 0, LARGEST, path)
        self.within(got, "percent", 1, 100, path)
        self.within(got, "at_least", 0, LARGEST, path)
        grades, groups = (self._places(got.get(name, {}), f"{path}.{name}") for name in ("grades", "groups"))
        if groups and "within" not in got:
            self.reader.problem(f"{path}.groups", "rulebook_needs", name="groups", needs="within")
        exempt = self.condition(got, "exempt", path, self.of_subject)
        if "among" not in got or "rank_by" not in got:
            return None
        return Cohort(
            got["among"], tuple(map(str, got["rank_by"])), got.get("places"), got.get("percent"), got.get("at_least", 0),
            got.get("within", ""), exempt, grades, groups,
        )  # fmt: skip

    def _places(self, data: Any, path: str) -> tuple[tuple[str, int], ...]:
        found = self.reader.table(data, dict.fromkeys(data, int), path, ())
        for name in found:
            self.within(found, name, 0, LARGEST, path)
        return tuple(sorted(found.items()))

    def scheme(self, name: str, got: Mapping[str, Any], path: str) -> Scheme:
        """Read a scheme's steps and how its grades are given, kept and lost."""
        scope = self.of_subject
        read = [self._step(each, f"{path}.step[{i}]", scope) for i, each in enumerate(got.get("step", []))]
        steps = [step for step in read if step is not None]
        for i, (lower, upper) in enumerate(pairwise(steps)):
            if upper.award <= lower.award:
                self.reader.problem(
                    f"{path}.step[{i + 1}].award", "rulebook_awards", lower=lower.award, upper=upper.award
                )
        grades = [step.grade or str(step.award) for step in steps]
        for i, step in enumerate(steps):
            if step.grade and grades.count(step.grade) > 1:
                self.reader.problem(f"{path}.step[{i}].grade", "rulebook_grade_twice", name=grades[i])
            if step.after:
                self.reader.choice(step.after, tuple(grades), f"{path}.step[{i}].after")
        self._circle_of_steps(dict(zip(grades, steps, strict=True)), path)
        how = {}
        for key, known in _HOW_GIVEN.items():
            self.reader.choice(got.get(key, known[0]), known, f"{path}.{key}")
            how[key] = got.get(key, known[0])
        grant_when = self.condition(got, "grant_when", path, scope)
        self.knows(name, "int")
        return Scheme(name, tuple(steps), grant_when=grant_when, **how)

    def _circle_of_steps(self, steps: Mapping[str, Step], path: str) -> None:
        """Note grades that wait for one another: nobody could ever get any of them."""
        for i, grade in enumerate(steps):
            chain = [grade]
            while (after := steps[chain[-1]].after) in steps and after not in chain:
                chain.append(after)
            if after == grade:
                self.reader.problem(f"{path}.step[{i}].after", "rulebook_circle", names=", ".join(chain))
                return

    def _step(self, data: Any, path: str, scope: Mapping[str, Fact]) -> Step | None:
        got = self.reader.table(data, _STEP, path, ("award", "when"))
        when = self.condition(got, "when", path, scope)
        if not 1 <= got.get("award", 1) <= AWARD_MAX:
            self.reader.problem(f"{path}.award", "rulebook_award", value=got["award"])
        for name in ("wait_months", "valid_months"):
            self.within(got, name, 0, TERM_MAX, path)
        if "wait_months" in got and "after" not in got:
            self.reader.problem(f"{path}.wait_months", "rulebook_needs", name="wait_months", needs="after")
        for name in ("grade", "certifier", "after"):
            self.reader.plain(got, name, path)
        names = self.reader.texts(got.get("name", {}), f"{path}.name")
        if when is None or "award" not in got:
            return None
        beside = {name: got[name] for name in _STEP if name in got and name not in ("award", "when", "name")}
        return Step(got["award"], when, names, **beside)


_HOW_GIVEN: Final = {
    "take": ("highest", "all"),
    "repeat": ("always", "yearly", "never"),
    "loss": ("event", "recomputed", "never"),
    "procedure": ("automatic", "application", "nomination"),
}


def _columns(data: Any) -> tuple[str, ...]:
    """Return the columns of a table's first row, the facts it gives."""
    rows = data.get("row", []) if isinstance(data, dict) else []
    first = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
    return tuple(name for name in first if name not in ("from", "is"))


def _mentions(data: Any) -> set[str]:
    """Return every name that stands somewhere in a part's texts."""
    if isinstance(data, str):
        return set(_NAME.findall(_QUOTED.sub("", data)))
    if isinstance(data, dict):
        plain = _PLAIN | ({"after"} if "award" in data else set())
        return {name for key, each in data.items() if key not in plain for name in _mentions(each)}
    if isinstance(data, list):
        return {name for each in data for name in _mentions(each)}
    return set()
