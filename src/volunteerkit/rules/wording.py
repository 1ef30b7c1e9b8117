"""Rules in words: an expression as a phrase an official can read, minutes as hours and facts by their names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from volunteerkit import messages
from volunteerkit.rules.expression import (
    All,
    Among,
    Apply,
    Call,
    Expression,
    Fact,
    Literal,
    Member,
    Mention,
    Not,
    Some,
)
from volunteerkit.rules.facts import FACTS, IN_PARTS
from volunteerkit.rules.functions import BUILT_IN
from volunteerkit.units import day_of, hours_text

__all__ = ["Words", "fold"]

_SYMBOLS: Final = {">=": "ge", ">": "gt", "<": "lt", "<=": "le", "==": "eq", "!=": "ne"}
_ARITHMETIC: Final = {"+": "plus", "-": "minus", "*": "times"}
_SUFFIXES: Final = {"minutes": "minutes", "days": "days", "hours": "", "times": "times"}
_FIRST, _LAST = dt.date(1, 1, 1), dt.date(9999, 12, 31)


def __dir__() -> list[str]:
    return __all__


def fold(rule: Expression) -> int | None:
    """Return the whole number a rule without facts stands for, None for any other.

    >>> fold(Apply("*", Literal(100), Literal(60)))
    6000
    """
    match rule:
        case Literal(value) if type(value) is int:
            return value
        case Apply("+" | "-" | "*" as symbol, left, right):
            one, other = fold(left), fold(right)
            if one is None or other is None:
                return None
            return one + other if symbol == "+" else one - other if symbol == "-" else one * other
    return None


@attrs.frozen
class Words:
    """Says rules in ``language``; ``facts`` are those the rules mention, the file's own and made ones among them."""

    facts: Mapping[str, Fact]
    language: str

    def say(self, code: str, **values: Any) -> str:
        """Return one of the texts for rules."""
        return messages.text(f"say_{code}", self.language, **values)

    def joined(self, items: Iterable[str], by: str = "comma") -> str:
        """Return phrases as one, with commas or by another text."""
        return self.say(by).join(items)

    def word(self, word: str) -> str:
        """Return a word in quotes."""
        return self.say("word", word=word) if word else self.say("no_word")

    def fact(self, name: str) -> str:
        """Return a fact's name for people; a parameter with its value, a made one in quotes."""
        if name == "value" or name == "minutes":
            return self.say("value" if name == "value" else "minutes_so_far")
        fact = self.facts.get(name) or FACTS.get(name) or IN_PARTS.get(name)
        if fact is None or (fact.zh == name and fact.default is None):
            return self.say("made_fact", name=name)
        if fact.zh == name:
            return self.say("parameter_fact", name=name, value=self.value(fact, fact.default))
        return fact.zh if self.language == "zh-CN" else fact.en

    def value(self, fact: Fact, value: Any) -> str:
        """Return a fact's value: a day as a date, minutes as hours."""
        if fact.type == "date":
            return self.day(day_of(value))
        if fact.type == "bool":
            return self.say("yes" if value else "no")
        if isinstance(value, tuple):
            return self.joined(map(self.word, value))
        return (
            self.word(value) if isinstance(value, str) else self.number(value, self.unit(Mention(fact.name)))
        )

    def day(self, day: dt.date) -> str:
        """Return a date; the first and the last one there are stand for no limit."""
        return self.say("ever") if day == _FIRST else self.say("never") if day == _LAST else str(day)

    def number(self, number: int, unit: str) -> str:
        """Return a number with its unit, minutes as hours."""
        if unit == "minutes":
            return hours_text(number, self.language)
        return messages.text(f"explain_{unit}", self.language, number=number) if unit else f"{number:,}"

    def unit(self, rule: Expression) -> str:
        """Return the unit of a number: its fact's, else what the end of its name says."""
        match rule:
            case Mention(name):
                fact = self.facts.get(name) or FACTS.get(name) or IN_PARTS.get(name)
                return (fact.unit if fact else "") or _SUFFIXES.get(name.rpartition("_")[2], "")
            case Apply(_, left, right):
                return self.unit(left) or self.unit(right)
            case Call("least" | "greatest" | "floor_to" | "ceil_to" | "round_to", items):
                return next((unit for unit in map(self.unit, items) if unit), "")
            case Call("choose", (_, one, other)):
                return self.unit(one) or self.unit(other)
            case Call("days_between"):
                return "days"
        return ""

    def _is_day(self, rule: Expression) -> bool:
        match rule:
            case Mention(name):
                fact = self.facts.get(name) or FACTS.get(name)
                return fact is not None and fact.type == "date"
            case Literal(value):
                return isinstance(value, dt.date)
            case Call("choose", (_, one, _)) | Call("least" | "greatest", (one, _)):
                return self._is_day(one)
            case Call(name):
                return name in BUILT_IN and BUILT_IN[name].gives == "date"
        return False

    def rule(self, rule: Expression, unit: str = "") -> str:
        """Return a rule as a phrase; ``unit`` is that of a number without one of its own."""
        if (number := fold(rule)) is not None:
            return self.number(number, unit)
        match rule:
            case Mention(name):
                fact = self.facts.get(name) or FACTS.get(name)
                return (
                    self.say("holds", fact=self.fact(name))
                    if fact and fact.type == "bool"
                    else self.fact(name)
                )
            case Literal(plain):
                return self._literal(plain)
            case Apply(symbol, left, right):
                return self._applied(symbol, left, right, unit)
            case All(items) | Some(items):
                parts = (self._inner(item, isinstance(item, Some | All)) for item in items)
                return self.joined(parts, "and" if isinstance(rule, All) else "or")
            case Not(Mention(name)):
                return self._plain(name, "holds_not")
            case Not(item):
                return self.say("not", text=self._inner(item, isinstance(item, All | Some)))
            case Member(of, values, negated):
                listed = self.joined(map(self._literal, (each.value for each in values)))
                return self.say("not_among" if negated else "among", left=self.rule(of), right=listed)
            case Among(word, words, negated):
                code = "not_among" if negated else "among"
                return self.say(code, left=self.rule(word), right=self.fact(words.name))
        return self._called(rule, unit)

    def _plain(self, name: str, code: str) -> str:
        """Return that a yes-or-no fact is so, or not; a made one stands in quotes already."""
        fact = self.facts.get(name) or FACTS[name]
        return self.say(code, fact=name if fact.zh == name else self.fact(name))

    def _inner(self, rule: Expression, several: bool) -> str:
        return self.say("brackets", text=self.rule(rule)) if several else self.rule(rule)

    def _literal(self, value: int | bool | str | dt.date) -> str:
        if isinstance(value, bool):
            return self.say("yes" if value else "no")
        if isinstance(value, dt.date):
            return self.day(value)
        return self.word(value) if isinstance(value, str) else f"{value:,}"

    def _applied(self, symbol: str, left: Expression, right: Expression, unit: str) -> str:
        if symbol in _ARITHMETIC:
            if symbol == "*":  # a share of something is a plain number
                number = fold(right)
                one, other = (left, right) if number is not None else (right, left)
                return self.say("times", left=self._part(one, unit), right=f"{fold(other) or 0:,}")
            return self.say(_ARITHMETIC[symbol], left=self._part(left, unit), right=self._part(right, unit))
        of_days = symbol not in ("==", "!=") and (self._is_day(left) or self._is_day(right))
        unit = self.unit(left) or self.unit(right)
        code = _SYMBOLS[symbol] + ("_day" if of_days else "")
        return self.say(code, left=self._side(left, unit), right=self._side(right, unit))

    def _side(self, rule: Expression, unit: str) -> str:
        return self.fact(rule.name) if isinstance(rule, Mention) else self.rule(rule, unit)

    def _part(self, rule: Expression, unit: str) -> str:
        said = self._side(rule, unit or self.unit(rule))
        return self.say("brackets", text=said) if isinstance(rule, Apply) and fold(rule) is None else said

    def _called(self, rule: Expression, unit: str) -> str:
        assert isinstance(rule, Call)
        name, given = rule.name, rule.arguments
        if name not in BUILT_IN or name == "how_many":
            listed = self.joined(self.rule(each) for each in given)
            return self.say("call_how_many", list=listed) if name in BUILT_IN else self.say(
                "call_other", name=name, list=listed)  # fmt: skip
        if name in ("days_after", "months_after") and (back := fold(given[1]) or 0) < 0:
            return self.say(f"before_{name.partition('_')[0]}", a=self._side(given[0], ""), b=-back)
        plain = name in ("days_after", "months_after", "working_days_after", "year_start", "new_year")
        own = "" if plain else unit or self.unit(rule)
        said = [self.rule(each) if BUILT_IN[name].takes[i] == "bool" else self._side(each, own)
                for i, each in enumerate(given)]  # fmt: skip
        return self.say(f"call_{name}", **dict(zip("abc", said, strict=False)))
