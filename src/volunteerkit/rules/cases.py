"""Cases of a regime as data: what a person did and what follows from it, run against its rulebooks.

A file of cases is JSON or TOML: ``regime``, then ``cases``, each with ``why``, ``volunteer`` and ``facts``
(facts of the person and of the matter; tables inside are laid flat), ``records`` (one a record), ``policy``
(parameters with other values), ``as_of`` and ``expect``. Names are those of the facts; beside them stand
the everyday words of `RECORD_WORDS`.
"""

from __future__ import annotations

import datetime as dt
import inspect
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any, Final

import attrs

from volunteerkit.clock import Calendar
from volunteerkit.errors import InvalidValue, VolunteerkitError, cause_of, did_you_mean
from volunteerkit.messages import phrase
from volunteerkit.rules.check import check
from volunteerkit.rules.crediting import Credited, credit
from volunteerkit.rules.deciding import decide
from volunteerkit.rules.expression import CALENDAR, All, Apply, Call, Expression, Fact, Not, Some
from volunteerkit.rules.facts import FACTS
from volunteerkit.rules.limits import too_deep, too_deep_text
from volunteerkit.rules.plan import Record
from volunteerkit.rules.reading import toml_place
from volunteerkit.rules.rulebook import Rulebook, Version
from volunteerkit.rules.schemes import Granting
from volunteerkit.rules.summaries import RECORDS_MAX as ALL_RECORDS_MAX
from volunteerkit.rules.summaries import Summaries
from volunteerkit.units import day_number, day_of

__all__ = ["RECORD_WORDS", "Case", "Cases", "Failure", "Result", "read_cases", "run_cases"]

RECORD_WORDS: Final = {
    "date": "served_on", "minutes": "claimed_minutes", "activity": "project", "place": "project",
    "amount": "quantity", "entered_on": "known_on", "submitted_on": "known_on", "org": "organization",
}  # fmt: skip
"""What a record of a case may say instead of a fact's name.

``start`` is the time of day at which it began, ``"21:30"``; its clock then goes on for its minutes, unless
``clock_minutes`` says otherwise. ``count`` and ``year`` make so many records of a year, one a day from the
first of January on; ``years`` makes them in so many years one after the other.
"""

_BESIDE: Final = ("start", "count", "every_days", "year", "years")

RECORDS_MAX: Final = 10_000
YEARS_MAX: Final = 100

_CASE: Final = ("why", "volunteer", "records", "facts", "policy", "as_of", "expect")
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_PYTHON: Final = {"int": int, "bool": bool, "word": str, "date": dt.date, "words": tuple}


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Case:
    """One case as it was written down."""

    why: str
    as_of: dt.date
    expect: Mapping[str, Any]
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    records: tuple[Mapping[str, Any], ...] = ()


@attrs.frozen
class Cases:
    """All cases of a regime."""

    regime: str
    cases: tuple[Case, ...]


@attrs.frozen
class Failure:
    """A case that came out otherwise: answers by name with what was expected and found, or an error."""

    why: str
    differences: tuple[tuple[str, Any, Any], ...] = ()
    error: VolunteerkitError | None = None


@attrs.frozen
class Result:
    """How a regime's cases came out, and how many lines of Python its rulebooks need beside them."""

    regime: str
    passed: int
    failed: tuple[Failure, ...]
    python_lines: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        return {
            "regime": self.regime,
            "passed": self.passed,
            "failed": len(self.failed),
            "python_lines": self.python_lines,
        }


def read_cases(path: Path | str) -> Cases:
    """Read a file of cases, JSON or TOML; raises InvalidValue naming the file and what is wrong in it."""
    place = Path(path)
    try:
        text = place.read_text("utf-8-sig")
        if too_deep_text(text):
            raise RecursionError
        data = tomllib.loads(text) if place.suffix == ".toml" else json.loads(text)
        if too_deep(data):
            raise RecursionError
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, tomllib.TOMLDecodeError):
            raise InvalidValue("cases_not_toml", file=place.name, place=toml_place(error)) from None
        problem = cause_of(error) if isinstance(error, OSError) else phrase("cause_no_text")
        raise InvalidValue("cases_unreadable", file=place.name, problem=problem) from None
    cases = data.get("cases") if isinstance(data, dict) else None
    if not isinstance(cases, list) or type(data.get("regime")) is not str:
        raise InvalidValue("cases_shape", file=place.name, place="$", wanted="regime, cases")
    return Cases(data["regime"], tuple(_case(place.name, i, each) for i, each in enumerate(cases)))


def _case(file: str, number: int, data: Any) -> Case:
    place = f"$.cases[{number}]"
    if not isinstance(data, dict) or not isinstance(data.get("expect"), dict) or "as_of" not in data:
        raise InvalidValue("cases_shape", file=file, place=place, wanted="why, as_of, expect")
    for name in data:
        if name not in _CASE:
            near = did_you_mean(name, _CASE)
            raise InvalidValue("case_unknown", name=f"{place}.{name}", near=near, known=", ".join(_CASE))
    records, tables = (
        data.get("records", []),
        [data.get(name, {}) for name in ("volunteer", "facts", "policy")],
    )
    if not isinstance(records, list):  # totals without records are facts
        records, tables = [], [*tables, records]
    if not all(isinstance(each, dict) for each in [*records, *tables]):
        raise InvalidValue("cases_shape", file=file, place=place, wanted="records = [{…}], facts = {…}")
    given = {name: value for table in tables for name, value in table.items()}
    as_of = _value(Fact("as_of", "date", "", ""), data["as_of"])
    day = dt.date(1970, 1, 1) + dt.timedelta(as_of)
    return Case(str(data.get("why", "")), day, data["expect"], given, tuple(records))


def run_cases(cases: Cases, rulebooks: Iterable[Rulebook]) -> Result:
    """Run every case against the regime's rulebooks: those whose id is its name, or begins with it and a dot.

    A case passes when each expected answer is the one found; answers nobody expects are not looked at. A
    rulebook of credit answers ``credited_minutes``, ``claimed_minutes``, ``service_days``,
    ``service_records``, ``converted``, ``effective_now_minutes``, ``day_total_minutes`` (with what waits for an
    office), ``status`` (``"effective"`` or ``"pending"``), ``approver`` and ``reason`` (the first its parts
    give); a check answers by its own names and ``missing``, a ladder with the grade by the name of its question.
    """
    books = [book for book in rulebooks if book.id == cases.regime or book.id.startswith(f"{cases.regime}.")]
    failed = [failure for case in cases.cases if (failure := _run(case, cases.regime, books))]
    lines = sum(_python_lines(version) for book in books for version in book.versions)
    return Result(cases.regime, len(cases.cases) - len(failed), tuple(failed), lines)


def _run(case: Case, regime: str, books: list[Rulebook]) -> Failure | None:
    if not books:
        return Failure(case.why, error=InvalidValue("cases_no_rulebook", regime=regime))
    found: dict[str, Any] = {}
    try:
        # what a way of crediting of the regime gives, its other rulebooks go on with
        ways = [book.version_on(case.as_of) for book in books if book.decides == "credit"]
        versions = [book.version_on(case.as_of) for book in books]
        known = FACTS | {
            fact.name: fact for each in versions for fact in (*each.declared, *each.facts.values())
        }
        for book in sorted(books, key=lambda each: each.decides != "credit"):
            found |= _answers(case, book, known, ways[0] if ways else None)
        given = {*found, *(name for each in versions for name in each.makes)}
        for name in case.expect:
            if name not in given:
                near = did_you_mean(name, given)
                raise InvalidValue(
                    "case_unknown", name=f"expect.{name}", near=near, known=", ".join(sorted(given))
                )
    except VolunteerkitError as error:
        return Failure(case.why, error=error)
    told = [
        (name, _plain(value), _plain(found_value)) for name, value, found_value in _told(case.expect, found)
    ]
    # yes is no 1, though Python says so
    differences = tuple(each for each in told if (type(each[1]), each[1]) != (type(each[2]), each[2]))
    return Failure(case.why, differences) if differences else None


def _told(expect: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Give each expected answer with the one found; a scheme may be asked for several of its answers."""
    for name, wanted in expect.items():
        granting = found.get(name, "-")
        if isinstance(wanted, dict) and isinstance(granting, Granting):
            says = {
                "eligible": granting.eligible,
                "held": (granting.held,) if granting.held else (),
                "grantable": granting.grantable,
            }
            for key, value in wanted.items():
                yield f"{name}.{key}", value, _as(value, granting, says[key]) if key in says else "-"
        elif isinstance(granting, Granting):
            yield name, wanted, _as(wanted, granting, granting.eligible)
        else:
            yield name, wanted, granting


def _as(wanted: Any, granting: Granting, awards: tuple[int, ...] | None) -> Any:
    """Return grades of a scheme in the form a case asks for: yes or no, a number, a word, or all of them."""
    if awards is None:
        return None
    if isinstance(wanted, bool):
        return bool(awards)
    if isinstance(wanted, int):
        return max(awards, default=0)
    words = [(step.grade or award) for award in awards if (step := granting.scheme.step_of(award))]
    return words if isinstance(wanted, list) else words[-1] if words else None


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return sorted(value, key=str)
    return str(value) if isinstance(value, dt.date) else value


def _answers(case: Case, book: Rulebook, known: Mapping[str, Fact], way: Version | None) -> dict[str, Any]:
    version = book.version_on(case.as_of)
    known = {name: fact for name, fact in known.items() if name not in version.makes}
    as_of = day_number(case.as_of)
    summaries = Summaries(book.case_words, case.facts, known, as_of)
    facts = dict(_facts(summaries.rest, known)) | dict(_valued(summaries.given({}), known))
    summaries.facts |= facts
    records = list(_stream(case, known))
    records += summaries.records(len(records))
    if book.decides == "credit":
        return _credited(credit(version, [each for each in records if each.served_on <= as_of], facts))
    decision = decide(book, case.as_of, records=records, facts=facts, crediting=way)
    found = _credited(decision.credited) if decision.credited is not None else {}
    found |= {
        name: _said(version, name, decision.facts[name]) for name in version.makes if name in decision.facts
    }
    found |= _valid(decision.grantings.values())
    found |= {**decision.grantings, **decision.answers, "missing": decision.missing}
    if "missing" in case.expect and version.answers:
        asked = [answer.name for answer in version.answers if answer.name in case.expect]
        found["missing"] = check(book, decision.facts, case.as_of, answers=asked).missing
    return found


def _said(version: Version, name: str, value: Any) -> Any:
    """Return a fact that was made as people read it."""
    return day_of(value) if name in version.facts and version.facts[name].type == "date" else value


def _valid(grantings: Iterable[Granting]) -> dict[str, Any]:
    """Return who decides about the first grade that is eligible, and how long it is held."""
    step = next((each.step for each in grantings if each.step is not None), None)
    if step is None:
        return {"certifier": None, "valid_years": None}
    return {"certifier": step.certifier or None, "valid_years": step.valid_months // 12 or None}


def _credited(found: Credited) -> dict[str, Any]:
    reasons = (why.values["reason"] for line in found.lines for why in line.reasons if "reason" in why.values)
    waiting = sum(each.minutes for each in found.pending)
    return {
        "credited_minutes": found.credited_minutes,
        "claimed_minutes": found.claimed_minutes,
        "service_days": found.service_days,
        "service_records": found.service_records,
        "converted": found.converted,
        "effective_now_minutes": found.credited_minutes,
        "day_total_minutes": found.credited_minutes + waiting,
        "status": "pending" if found.pending else "effective",
        "approver": found.pending[0].to if found.pending else None,
        "reason": next(reasons, None),
    }


def _facts(given: Mapping[str, Any], known: Mapping[str, Fact]) -> Iterator[tuple[str, Any]]:
    """Read the facts of a case, by their paths; the last word of a path is the fact's name."""
    for path, value in given.items():
        if path == CALENDAR:
            yield CALENDAR, _calendar(value)
        else:
            yield from _valued([(path.rpartition(".")[2], value)], known)


def _valued(given: Iterable[tuple[str, Any]], known: Mapping[str, Fact]) -> Iterator[tuple[str, Any]]:
    for name, value in given:
        yield name, _value(_known(name, known, "facts"), value)


def _known(name: str, known: Mapping[str, Fact], place: str) -> Fact:
    if name not in known:
        words = [*known, *((*RECORD_WORDS, *_BESIDE) if place.startswith("records") else ())]
        near = did_you_mean(name, words)
        raise InvalidValue("case_unknown", name=f"{place}.{name}", near=near, known=", ".join(sorted(words)))
    return known[name]


def _value(fact: Fact, value: Any) -> Any:
    """Return a value of the fact's type; a date, also as a text, becomes a day number."""
    with suppress(ValueError):
        if fact.type == "date" and isinstance(value, str):
            value = dt.date.fromisoformat(value)
    if fact.type == "words" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = tuple(value)
    if type(value) is not _PYTHON[fact.type]:
        raise InvalidValue("case_value", name=fact.name, value=str(value)[:40], wanted=fact.type)
    return day_number(value) if isinstance(value, dt.date) else value


def _calendar(value: Any) -> Calendar:
    if not isinstance(value, dict) or not set(value) <= {"weekend", "holidays", "extra_workdays"}:
        raise InvalidValue(
            "case_value", name=CALENDAR, value=str(value)[:40], wanted="weekend, holidays, extra_workdays"
        )
    day = Fact(CALENDAR, "date", "", "")
    days = [
        [dt.date(1970, 1, 1) + dt.timedelta(_value(day, each)) for each in value.get(name, [])]
        for name in ("holidays", "extra_workdays")
    ]
    weekend = value.get("weekend", ["Sat", "Sun"])
    if not set(weekend) <= set(_WEEKDAYS):
        raise InvalidValue("case_value", name="weekend", value=str(weekend)[:40], wanted=", ".join(_WEEKDAYS))
    return Calendar(
        frozenset(days[0]), frozenset(days[1]), frozenset(_WEEKDAYS.index(each) for each in weekend)
    )


def _stream(case: Case, known: Mapping[str, Fact]) -> Iterator[Record]:
    """Turn what a case lists into one dated stream of records."""
    number = 0
    for i, data in enumerate(case.records):
        place = f"records[{i}]"
        times = _within(f"{place}.count", data.get("count", 1), 0, RECORDS_MAX)
        year = _within(f"{place}.year", data.get("year", case.as_of.year), dt.MINYEAR, dt.MAXYEAR)
        years = _within(f"{place}.years", data.get("years", 1), 1, min(dt.MAXYEAR - year + 1, YEARS_MAX))
        given = {RECORD_WORDS.get(name, name): value for name, value in data.items() if name not in _BESIDE}
        read = {name: _value(_known(name, known, place), value) for name, value in given.items()}
        fields = {name: value for name, value in read.items() if name in Record._fields}
        beside = {name: value for name, value in read.items() if name not in Record._fields}
        if "start" in data:
            began = _minute(f"{place}.start", data["start"])
            fields = {"start_minute": began, "clock_minutes": fields.get("claimed_minutes", 0), **fields}
        apart = _within(f"{place}.every_days", data.get("every_days", 1), 1, RECORDS_MAX)
        # Without a day of their own they stand one a day, the year round.
        first = fields.pop("served_on", None)
        for each, n in product(range(year, year + years), range(times)):
            if first is None:
                served_on = day_number(dt.date(each, 1, 1)) + n * apart % 365
            else:
                served_on = first + (n * apart if "every_days" in data else 0)
            made = {"start_minute": -1, "clock_minutes": 0, "claimed_minutes": 0, **fields}
            if number >= ALL_RECORDS_MAX:
                raise InvalidValue(
                    "case_value", name="count", value=f"> {ALL_RECORDS_MAX}", wanted=f"0 … {ALL_RECORDS_MAX}"
                )
            yield Record(number, served_on, **made, facts=beside)
            number += 1


def _minute(name: str, value: Any) -> int:
    """Return a time of day as the minute that it is."""
    with suppress(TypeError, ValueError):
        found = dt.time.fromisoformat(value)
        if value == f"{found:%H:%M}":
            return found.hour * 60 + found.minute
    raise InvalidValue("case_value", name=name, value=str(value)[:40], wanted='"00:00" … "23:59"')


def _within(name: str, value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise InvalidValue("case_value", name=name, value=str(value)[:40], wanted=f"{low} … {high}")
    return value


def _python_lines(version: Version) -> int:
    """Count the lines of the registered functions that a version calls."""
    called = {name for rule in version.every_rule for name in _called(rule) if name in version.functions}
    return sum(_lines_of(version.functions[name].one) for name in called)


def _called(rule: Expression) -> Iterator[str]:
    match rule:
        case Call(name, items):
            yield name
        case All(items) | Some(items):
            pass
        case Apply(_, left, right):
            items = (left, right)
        case Not(item):
            items = (item,)
        case _:
            items = ()
    for item in items:
        yield from _called(item)


def _lines_of(function: Any) -> int:
    try:
        return len(inspect.getsource(function).splitlines())
    except (OSError, TypeError):
        return 1
