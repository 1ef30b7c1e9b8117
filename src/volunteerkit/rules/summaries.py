"""Summaries in cases: totals, held grades and the like, and the records they stand for.

A case often says ``total_minutes = 6000`` where a city has forty records. ``[case."total_minutes"]`` in the
rulebook's file says which records that is. A word of the path may be ``*``; what stands there is ``{key}``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from volunteerkit.errors import InvalidValue, RulebookError, RuleSyntaxError
from volunteerkit.rules.binding import bind
from volunteerkit.rules.expression import CALENDAR, Fact, FactType
from volunteerkit.rules.functions import months_after, years_between
from volunteerkit.rules.parsing import parse
from volunteerkit.rules.plan import Record
from volunteerkit.units import day_number

__all__ = ["Summaries", "read_words"]

MANY: Final = 10_000
RECORDS_MAX: Final = 100_000
FIRST_DAY: Final = day_number(dt.date.min)
LAST_DAY: Final = day_number(dt.date.max)
_RULES: Final[dict[str, FactType]] = {
    "minutes": "int", "quantity": "int", "count": "int", "on": "date", "from": "date", "when": "bool",
}  # fmt: skip
_KEYS: Final = {**dict.fromkeys(_RULES, str), "kind": str, "fact": str, "every_days": int, "spread": str}
_SPREADS: Final = ("all", "yearly", "each")
_PLACES: Final = re.compile(r"\{([^{}]*)\}")
_YEAR: Final = re.compile(r"[0-9]{4}")


def __dir__() -> list[str]:
    return __all__


class Reader(Protocol):
    """What gathers problems with their paths; see `reading`."""

    def problem(self, path: str, code: str, **values: Any) -> None:
        """Note a problem."""

    def choice(self, value: str, known: tuple[str, ...], path: str) -> None:
        """Refuse what is none of the known words."""

    def table(
        self, data: Any, allowed: Mapping[str, type], path: str, needed: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return the entries that are known and of the right type."""


def read_words(reader: Reader, data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Read ``[case]``: by the path of a summary, the records it stands for, or the fact."""
    found = {}
    for name, each in data.items():
        # beside the keys known here any word of a record may be given
        words = dict.fromkeys((key for key, value in each.items() if type(value) is str), str) if isinstance(
            each, dict) else {}  # fmt: skip
        found[name] = reader.table(each, {**words, **_KEYS}, f"$.case.{name}", ())
        reader.choice(found[name].get("spread", "all"), _SPREADS, f"$.case.{name}.spread")
        if not 1 <= found[name].get("every_days", 1) <= MANY:
            reader.problem(f"$.case.{name}.every_days", "rulebook_range", value=found[name]["every_days"],
                           low=1, high=MANY)  # fmt: skip
    return found


class Summaries:
    """One case's summaries on their way to records and facts.

    ``words`` are the rulebook's, ``data`` what the case says, ``known`` the declared facts.
    """

    def __init__(
        self,
        words: Mapping[str, Mapping[str, Any]],
        data: Mapping[str, Any],
        known: Mapping[str, Fact],
        as_of: int,
    ) -> None:
        self.words, self.known = words, known
        self.facts: dict[str, Any] = {"as_of": as_of}
        self.found: list[tuple[str, Mapping[str, Any]]] = []
        self.rest: dict[str, Any] = {}
        # a summary that a case leaves out is none
        tails = [name.partition(".*")[0].rpartition(".")[2] for name in words]
        self.scope = dict.fromkeys(tails, 0)
        self._go_through("", data, {})

    def _go_through(self, path: str, data: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
        sums = [each for each in data.values() if type(each) is int]
        name = path.rpartition(".")[2]
        if name and len(sums) == len(data):
            self.scope[name] = sum(sums)
        for key, value in data.items():
            here = f"{path}.{key}" if path else str(key)
            pattern = self._pattern(here)
            if value is None:
                continue
            if not path and not isinstance(value, dict | list):
                self.scope[str(key)] = _plain(value)
            if pattern is not None:
                self.found.append((pattern, {**keys, **_entry(key, value)}))
            elif isinstance(value, dict) and key != CALENDAR:
                self._go_through(here, value, {**keys, **_entry(key, None)})
            elif isinstance(value, list) and self._pattern(f"{here}.0") is not None:
                self._go_through(here, {str(i): each for i, each in enumerate(value)}, keys)
            else:
                self.rest[here] = value

    def _pattern(self, path: str) -> str | None:
        steps = path.split(".")
        for pattern in self.words:
            wanted = pattern.split(".")
            if len(wanted) == len(steps) and all(
                one in ("*", other) for one, other in zip(wanted, steps, strict=True)
            ):
                return pattern
        return None

    def given(self, facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield the facts that summaries give."""
        self.facts |= facts
        for pattern, entry in self.found:
            word = self.words[pattern]
            if "fact" in word and "value" in entry:
                yield word["fact"], entry["value"]

    def records(self, number: int) -> Iterator[Record]:
        """Yield the records that summaries stand for, numbered from ``number`` on."""
        for pattern, entry in self.found:
            if "fact" in self.words[pattern] or not self.words[pattern]:
                continue
            for record in self._records(pattern, entry):
                if number >= RECORDS_MAX:
                    raise InvalidValue(
                        "case_value", name="count", value=f"> {RECORDS_MAX}", wanted=f"0 … {RECORDS_MAX}"
                    )
                if not FIRST_DAY <= record.served_on <= LAST_DAY:
                    raise InvalidValue("case_value", name="on", value=str(record.served_on), wanted="date")
                yield record._replace(record_id=number)
                number += 1

    def _records(self, pattern: str, entry: Mapping[str, Any]) -> Iterator[Record]:
        word = self.words[pattern]
        value = {name: self._value(pattern, name, entry) for name in _RULES if name in word}
        if value.get("when") is False:
            return
        count = value.get("count", 1)
        if not 0 <= count <= MANY:
            raise InvalidValue("case_value", name="count", value=str(count), wanted=f"0 … {MANY}")
        on, minutes = value.get("on", self.facts["as_of"]), value.get("minutes", 0)
        words = {
            name: _PLACES.sub(partial(_place, entry), text)
            for name, text in word.items()
            if name not in _KEYS or name == "kind"
        }
        made = Record(
            0, on, -1, 0, minutes, kind=words.pop("kind", "service"), quantity=value.get("quantity", 1)
        )
        fields: dict[str, Any] = {name: words.pop(name) for name in list(words) if name in Record._fields}
        made = made._replace(**fields, facts=words)
        if "from" in value:
            yield from _spread(made, value["from"], word.get("every_days", 30), word.get("spread", "all"))
        else:
            for n in range(count):
                yield made._replace(served_on=on - n)

    def _value(self, pattern: str, name: str, entry: Mapping[str, Any]) -> Any:
        facts = {**self.scope, **self.facts, **{key: _plain(value) for key, value in entry.items()}}
        facts = {key: value for key, value in facts.items() if value is not None}
        scope = {key: self.known.get(key, Fact(key, _type(value), key, key)) for key, value in facts.items()}
        for key in entry:
            scope[key] = Fact(key, _type(facts.get(key)), key, key)
        scope["as_of"] = Fact("as_of", "date", "as_of", "as_of")
        text = self.words[pattern][name]
        try:
            return int(text) if re.fullmatch(r"-?[0-9]{1,10}", text) else bind(
                parse(text, facts=scope, gives=_RULES[name])).on(facts)  # fmt: skip
        except RuleSyntaxError as error:
            raise RulebookError("[case]", (f"$.case.{pattern}.{name}", error)) from None


def _place(entry: Mapping[str, Any], found: re.Match[str]) -> str:
    """Return what stands at one place of a template; it may mention a summary's words and nothing of them."""
    if found[1] not in entry:
        raise InvalidValue("case_word", name=found[1], known=", ".join(entry))
    return str(entry[found[1]])


def _entry(key: Any, value: Any) -> dict[str, Any]:
    """Return what a summary's template may mention: its key, its value, or what its table says."""
    found: dict[str, Any] = {"key": key}
    if year := _YEAR.match(str(key)):
        found["year"] = int(year[0])
    if isinstance(value, dict):
        return {**found, **value}
    return found if value is None else {**found, "value": value}


def _plain(value: Any) -> Any:
    """Return a value as rules know it; a date, also as a text, becomes a day number."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        value = dt.date.fromisoformat(value)
    return _Day(day_number(value)) if isinstance(value, dt.date) else value


class _Day(int):
    """A day number that was written as a date."""


def _type(value: Any) -> FactType:
    if isinstance(value, _Day):
        return "date"
    return "bool" if isinstance(value, bool) else "word" if isinstance(value, str) else "int"


def _spread(record: Record, first: int, every_days: int, how: str) -> Iterator[Record]:
    """Yield records from ``first`` to the record's own day, one every so many days.

    All their minutes add up to the record's, or those of every twelve months do, or each has them.
    """
    if (record.served_on - first) // every_days > MANY:
        raise InvalidValue("case_value", name="from", value=str(first), wanted=f"1 … {MANY}")
    last, minutes = record.served_on, max(record.claimed_minutes, 0)
    if how == "yearly":
        years = years_between(first, last + 1)
        for n in range(years):
            begin, end = (months_after(last + 1, -12 * each) for each in (n + 1, n))
            yield from _shared(record, range(end - 1, begin - 1, -every_days), minutes)
        rest = range(months_after(last + 1, -12 * years) - 1, first - 1, -every_days)
        yield from _shared(record, rest, minutes * len(rest) * every_days // 366)
        return
    days = range(last, first - 1, -every_days)
    # the first day has a record as well: it says since when
    listed = [*days] if days and days[-1] == first else [*days, first]
    yield from _shared(record, listed, minutes * len(listed) if how == "each" else minutes)


def _shared(record: Record, days: Sequence[int], minutes: int) -> Iterator[Record]:
    share, left = divmod(minutes, len(days)) if days else (0, 0)
    for i, day in enumerate(days):
        yield record._replace(served_on=day, claimed_minutes=share + (i < left))
