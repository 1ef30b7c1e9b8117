"""A rule as a value with a text form: ``str`` and `parsing.parse` are inverse.

The language is a small part of Python's expressions: comparisons, ``+ - *``, ``and or not``, membership
and calls of registered functions, over whole numbers, booleans, words and dates. There is no division, no
fraction and no null, products have a literal factor, and every comparison mentions a fact, so that the
same rule gives the same answer on Python integers, NumPy columns and database columns.
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from typing import Literal as Choice

import attrs

__all__ = [
    "All",
    "Among",
    "Apply",
    "Call",
    "Expression",
    "Fact",
    "FactType",
    "Literal",
    "Member",
    "Mention",
    "Not",
    "RuleFunction",
    "Some",
    "mentioned",
    "reach",
]

FactType: TypeAlias = Choice["int", "bool", "word", "date", "words"]
"""``"words"`` is a set of words, which a rule asks with ``in``."""

LARGEST: Final = 2**31
ARITHMETIC: Final = frozenset("+-*")
CALENDAR: Final = "calendar"
"""The fact that ``working_days_after`` needs: a calendar of working days. No rule names it itself."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Fact:
    """The declaration of a fact: its name, type, texts for people and unit.

    ``default`` stands in where the fact is absent (a date's is a day number); None makes a ruling that
    needs it undetermined. ``unit`` is ``"minutes"``, ``"days"``, ``"times"`` or empty. Whole numbers lie
    between -2**31 and 2**31.

    >>> Fact("trained", "bool", "已完成培训", "has finished training").default is None
    True
    """

    name: str
    type: FactType
    zh: str
    en: str
    unit: str = ""
    default: int | bool | str | tuple[str, ...] | None = None


@attrs.frozen
class RuleFunction:
    """A function that rules may call: ``one`` on whole numbers, ``many`` (optional) on NumPy columns.

    ``gives`` is the type of its answer. Names have a dot: ``plugin.function``. Without ``many`` the city's
    run calls ``one`` row by row.

    >>> RuleFunction("xinyu.regular", one=lambda service_days: service_days >= 24).arity
    1
    """

    name: str
    one: Callable[..., Any] = attrs.field(repr=False)
    many: Callable[..., Any] | None = attrs.field(default=None, repr=False)
    gives: FactType = "bool"

    @property
    def arity(self) -> int:
        """How many arguments it takes."""
        return len(inspect.signature(self.one).parameters)


@attrs.frozen
class Mention:
    """A fact, by name."""

    name: str

    def __str__(self) -> str:
        return self.name


@attrs.frozen
class Literal:
    """A whole number, a truth value, a word or a date. A word has no backslash and one kind of quote."""

    value: int | bool | str | dt.date

    def __str__(self) -> str:
        value = self.value
        if isinstance(value, dt.date):
            return f"date({value.year}, {value.month}, {value.day})"
        if isinstance(value, str):
            return f'"{value}"' if "'" in value else f"'{value}'"
        return str(value)


@attrs.frozen
class Apply:
    """``left symbol right`` for ``+ - *`` and the six comparisons."""

    symbol: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        left, right = str(self.left), str(self.right)
        if self.symbol in ARITHMETIC:
            if isinstance(self.left, Apply) and self.symbol == "*" and self.left.symbol != "*":
                left = f"({left})"
            if isinstance(self.right, Apply) and (self.symbol == "*" or self.right.symbol != "*"):
                right = f"({right})"
        return f"{left} {self.symbol} {right}"


@attrs.frozen
class All:
    """Every one of ``items`` (two or more) holds."""

    items: tuple[Expression, ...]

    def __str__(self) -> str:
        return " and ".join(f"({item})" if isinstance(item, All | Some) else str(item) for item in self.items)


@attrs.frozen
class Some:
    """At least one of ``items`` (two or more) holds."""

    items: tuple[Expression, ...]

    def __str__(self) -> str:
        return " or ".join(f"({item})" if isinstance(item, Some) else str(item) for item in self.items)


@attrs.frozen
class Not:
    """``item`` does not hold."""

    item: Expression

    def __str__(self) -> str:
        return f"not ({self.item})" if isinstance(self.item, All | Some) else f"not {self.item}"


@attrs.frozen
class Member:
    """A fact or a function's number or date is (with ``negated`` is not) one of some words, numbers or dates."""

    item: Mention | Call
    values: tuple[Literal, ...]
    negated: bool = False

    def __str__(self) -> str:
        listed = ", ".join(map(str, self.values)) + ("," if len(self.values) == 1 else "")
        return f"{self.item} {'not in' if self.negated else 'in'} ({listed})"


@attrs.frozen
class Among:
    """A word is (with ``negated`` is not) one of the words of a fact."""

    item: Mention | Literal
    words: Mention
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.item} {'not in' if self.negated else 'in'} {self.words}"


@attrs.frozen
class Call:
    """A call of a function every rule may call (see `functions`) or of a registered one."""

    name: str
    arguments: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.arguments))})"


Expression: TypeAlias = Mention | Literal | Apply | All | Some | Not | Member | Among | Call


def mentioned(expression: Expression) -> tuple[str, ...]:
    """Return the names of the facts an expression mentions, sorted, each once.

    >>> mentioned(Apply("<", Mention("served_on"), Mention("adult_on")))
    ('adult_on', 'served_on')
    """
    match expression:
        case Mention(name):
            return (name,)
        case Literal():
            return ()
        case Apply(_, left, right) | Among(left, right):
            found = {*mentioned(left), *mentioned(right)}
        case All(items) | Some(items) | Call(_, items):
            found = {name for item in items for name in mentioned(item)}
            if isinstance(expression, Call) and expression.name == "working_days_after":
                found.add(CALENDAR)
        case Not(item) | Member(item):
            return mentioned(item)
    return tuple(sorted(found))


def reach(expression: Expression) -> tuple[int, int]:
    """Return the lowest and highest number an int expression can give, whatever the facts are.

    >>> reach(Apply("*", Mention("service_days"), Literal(60))) == (-60 * 2**31, 60 * 2**31)
    True
    """
    match expression:
        case Literal(value) if isinstance(value, int):
            return value, value
        case Apply("+", left, right):
            return reach(left)[0] + reach(right)[0], reach(left)[1] + reach(right)[1]
        case Apply("-", left, right):
            return reach(left)[0] - reach(right)[1], reach(left)[1] - reach(right)[0]
        case Apply("*", left, right):
            ends = [one * other for one in reach(left) for other in reach(right)]
            return min(ends), max(ends)
        case Call("choose", (_, one, other)):
            return min(reach(one)[0], reach(other)[0]), max(reach(one)[1], reach(other)[1])
        case Call("least", (one, other)):
            return min(reach(one)[0], reach(other)[0]), min(reach(one)[1], reach(other)[1])
        case Call("greatest", (one, other)):
            return max(reach(one)[0], reach(other)[0]), max(reach(one)[1], reach(other)[1])
        case Call("floor_to" | "ceil_to" | "round_to", (one, other)):
            return reach(one)[0] - reach(other)[0], reach(one)[1] + reach(other)[0]
        case Call("full_steps", (one, other)):
            return reach(one)[0] // reach(other)[0], reach(one)[1] // reach(other)[0]
        case Call("how_many", items):
            return 0, len(items)
        case Call("weekday"):
            return 1, 7
    return -LARGEST, LARGEST
