"""The one interpreter: an expression becomes a Python function once, and runs on any carrier.

It uses only Python's own operators, which whole numbers, NumPy columns and SQLAlchemy columns share. Only
the functions of `functions` differ by carrier, and words become codes on columns.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, TypeAlias
from typing import Literal as Choice

import attrs

from volunteerkit.rules.expression import (
    ARITHMETIC,
    CALENDAR,
    All,
    Among,
    Apply,
    Call,
    Expression,
    Literal,
    Member,
    Mention,
    Not,
    RuleFunction,
    Some,
    mentioned,
)
from volunteerkit.rules.functions import (
    BUILT_IN,
    days_after,
    month_start,
    months_after,
    months_between,
    new_year,
    weekday,
    working_days_after,
    year_start,
    years_between,
)
from volunteerkit.units import day_number

__all__ = ["BoundRule", "Carrier", "bind"]

Carrier: TypeAlias = Choice["int", "numpy", "sql"]

# What a rule's word becomes when no row can have it: a column's own -1 is a word no rule asks for.
_ABSENT: Final = -2
_SYMBOLS: Final = ARITHMETIC | {"==", "!=", "<", "<=", ">", ">="}


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class BoundRule:
    """A rule ready to run: ``names`` are its facts, in the order ``function`` takes them."""

    names: tuple[str, ...]
    function: Callable[..., Any] = attrs.field(repr=False)

    def on(self, facts: Mapping[str, Any]) -> Any:
        """Return the rule's answer for ``facts``; raises KeyError for an absent one."""
        return self.function(*[facts[name] for name in self.names])


def bind(
    expression: Expression,
    functions: Mapping[str, RuleFunction] | None = None,
    carrier: Carrier = "int",
    vocabulary: Mapping[str, tuple[str, ...]] | None = None,
) -> BoundRule:
    """Return ``expression`` as a function of its facts.

    On ``"numpy"`` a word fact with a ``vocabulary`` is a column of codes: the words' positions there, or
    -1 for any other word. Dates are days since 1970-01-01 everywhere.

    >>> from volunteerkit.rules.expression import Apply, Literal, Mention
    >>> bind(Apply(">=", Mention("service_days"), Literal(24))).on({"service_days": 24})
    True
    """
    names = mentioned(expression)
    values: dict[str, Any] = {"__builtins__": {}}
    places = {name: f"f{i}" for i, name in enumerate(names)}
    body = source(expression, places, values, functions, carrier, vocabulary)
    # The text was written here from checked values; nothing from outside reaches the compiler.
    return BoundRule(names, eval(f"lambda {', '.join(places.values())}: {body}", values))


def source(
    expression: Expression,
    places: Mapping[str, str],
    values: dict[str, Any],
    functions: Mapping[str, RuleFunction] | None = None,
    carrier: Carrier = "int",
    vocabulary: Mapping[str, tuple[str, ...]] | None = None,
) -> str:
    """Return an expression as Python text, facts by ``places``; it fills ``values`` with what it names."""
    writer = _Writer(places, vocabulary or {}, carrier, values, functions or {})
    values |= _CARRIERS[carrier]()
    return writer.text(expression)


@attrs.define
class _Writer:
    facts: Mapping[str, str]
    vocabulary: Mapping[str, tuple[str, ...]]
    carrier: Carrier
    values: dict[str, Any]
    functions: Mapping[str, RuleFunction]

    def text(self, node: Expression) -> str:
        match node:
            case Mention(name):
                return self.facts[name]
            case Literal():
                return self.literal(node, None)
            case Apply(symbol, left, right) if symbol in _SYMBOLS:
                if symbol in ARITHMETIC:
                    return f"({self.number(left)} {symbol} {self.number(right)})"
                if isinstance(left, Mention) and isinstance(right, Mention):
                    return f"({self.word(left.name)} {symbol} {self.word(right.name)})"
                fact = left.name if isinstance(left, Mention) else None
                other = self.literal(right, fact) if isinstance(right, Literal) else self.text(right)
                return f"({self.text(left)} {symbol} {other})"
            case All(items):
                return "(" + " & ".join(map(self.text, items)) + ")"
            case Some(items):
                return "(" + " | ".join(map(self.text, items)) + ")"
            case Not(item):
                return f"({self.text(item)} == False)"
            case Member(item, values, negated):
                known = item.name if isinstance(item, Mention) else None
                fact = self.text(item) if known else "one"
                equal = " | ".join(f"({fact} == {self.literal(value, known)})" for value in values)
                if not known:  # written once, or calls in calls would grow with every value
                    equal = f"(lambda one: {equal})({self.text(item)})"
                return f"(({equal}) == False)" if negated else f"({equal})"
            case Among(item, words, negated):
                if self.carrier != "int":
                    raise TypeError("sets of words cannot be asked on columns")
                return f"({self.text(item)} {'not in' if negated else 'in'} {self.text(words)})"
            case Call("choose", (condition, one, other)) if self.carrier == "int":
                return f"({self.text(one)} if {self.text(condition)} else {self.text(other)})"
            case Call(name, arguments):
                if name in BUILT_IN and name not in self.values:
                    raise TypeError(f"{name} cannot run on columns of a database")
                called = (
                    name if name in BUILT_IN else self.name(_on_carrier(self.functions[name], self.carrier))
                )
                texts = [*map(self.number, arguments)]
                if name == "working_days_after":
                    texts.append(self.facts[CALENDAR])
                return f"{called}({', '.join(texts)})"
        raise TypeError(node)

    def word(self, name: str) -> str:
        """Return a fact to compare with another: the codes of two vocabularies become the words they stand for."""
        if self.carrier != "numpy" or name not in self.vocabulary:
            return self.facts[name]
        np = import_module("numpy")
        # the code -1, some other word, takes the last: an object that is like no other
        return f"{self.name(np.array([*self.vocabulary[name], object()], object))}[{self.facts[name]}]"

    def number(self, node: Expression) -> str:
        """Columns may be narrow integers: where they are reckoned with they are widened, so nothing wraps."""
        text = self.text(node)
        return f"wide({text})" if self.carrier == "numpy" and isinstance(node, Mention) else text

    def literal(self, node: Literal, fact: str | None) -> str:
        value = node.value
        if isinstance(value, dt.date):
            value = day_number(value)
        elif isinstance(value, str) and fact is not None and fact in self.vocabulary:
            words = self.vocabulary[fact]
            value = words.index(value) if value in words else _ABSENT
        if isinstance(value, str):
            return self.name(value)
        return repr(value)

    def name(self, value: Any) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return name


def _on_carrier(function: RuleFunction, carrier: Carrier) -> Callable[..., Any]:
    if carrier != "numpy":
        return function.one
    if function.many is not None:
        return function.many

    return _each(function.one, "bool" if function.gives == "bool" else "int64")


def _each(function: Callable[..., Any], kind: Any) -> Callable[..., Any]:
    """Return a function of single values as one of columns, row by row."""

    def each(*columns: Any) -> Any:
        np = import_module("numpy")
        rows = zip(*(column.tolist() for column in np.broadcast_arrays(*columns)), strict=True)
        return np.array([function(*row) for row in rows], kind)

    return each


# NumPy and SQLAlchemy are loaded already wherever their columns come from; rules themselves need neither.


def _floor_to(value: Any, step: int) -> Any:
    return value - value % step


def _ceil_to(value: Any, step: int) -> Any:
    return value + -value % step


def _round_to(value: Any, step: int) -> Any:
    return _floor_to(value + step // 2, step)


def _full_steps(value: Any, step: int) -> Any:
    return value // step


def _days_between(begin: Any, end: Any) -> Any:
    return end - begin


_BY_CALENDAR: Final = (months_after, months_between, years_between, month_start, year_start, new_year,
                       working_days_after)  # fmt: skip

_ON_NUMBERS: Final[Mapping[str, Any]] = {
    "full_steps": _full_steps,
    "days_between": _days_between,
    "floor_to": _floor_to,
    "ceil_to": _ceil_to,
    "round_to": _round_to,
    "weekday": weekday,
    "days_after": days_after,
}


def _on_int() -> dict[str, Any]:
    by_calendar = {each.__name__: each for each in _BY_CALENDAR}
    counted = {"how_many": lambda *holding: sum(map(bool, holding))}
    return {"least": min, "greatest": max, **counted, **_ON_NUMBERS, **by_calendar}


def _on_numpy() -> dict[str, Any]:
    np = import_module("numpy")

    def wide(column: Any) -> Any:
        return (
            column.astype(np.int64, copy=False)
            if isinstance(column, np.ndarray) and column.dtype.kind in "iu"
            else column
        )

    by_calendar = {each.__name__: _each(each, "int64") for each in _BY_CALENDAR}

    def how_many(*holding: Any) -> Any:
        return sum(np.asarray(each).astype(np.int64) for each in holding)

    chosen = {"choose": np.where, "least": np.minimum, "greatest": np.maximum, "how_many": how_many}
    return {**chosen, **_ON_NUMBERS, **by_calendar, "wide": wide}


def _on_sql() -> dict[str, Any]:
    case = import_module("sqlalchemy").case

    def choose(condition: Any, one: Any, other: Any) -> Any:
        return case((condition, one), else_=other)

    return {
        "choose": choose,
        "least": lambda one, other: choose(one <= other, one, other),
        "greatest": lambda one, other: choose(one >= other, one, other),
        # a database's remainder has the sign of what is divided
        "floor_to": lambda value, step: value - (value % step + step) % step,
        "ceil_to": lambda value, step: value + (-value % step + step) % step,
        "round_to": lambda value, step: (value + step // 2) - ((value + step // 2) % step + step) % step,
        "full_steps": lambda value, step: (value - (value % step + step) % step) // step,
        "how_many": lambda *holding: sum(choose(each, 1, 0) for each in holding),
        "weekday": lambda day: ((day + 3) % 7 + 7) % 7 + 1,
        "days_after": days_after,
        "days_between": _days_between,
    }


_CARRIERS: Final[Mapping[Carrier, Callable[[], dict[str, Any]]]] = {
    "int": _on_int,
    "numpy": _on_numpy,
    "sql": _on_sql,
}
