"""Reading a rule's text: Python's own parser, then a white list; everything else is refused by column."""

from __future__ import annotations

import ast
import datetime as dt
import re
import unicodedata
import warnings
from collections.abc import Mapping
from typing import Any, Final

import attrs

from volunteerkit.errors import RuleSyntaxError, nearest
from volunteerkit.rules.expression import (
    LARGEST,
    All,
    Among,
    Apply,
    Call,
    Expression,
    Fact,
    FactType,
    Literal,
    Member,
    Mention,
    Not,
    RuleFunction,
    Some,
    mentioned,
    reach,
)
from volunteerkit.rules.functions import BUILT_IN, BuiltIn

__all__ = ["parse", "parse_any"]

LONGEST: Final = 4000
DEEPEST: Final = 50
LARGEST_FACTOR: Final = 2**20
# The largest result in between: with a percentage on top it still fits 64 bits on every carrier.
LARGEST_RESULT: Final = 2**53

_SYMBOLS: Final[dict[type, str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Eq: "==", ast.NotEq: "!=",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_PIECES: Final = re.compile(r"'[^']*'|\"[^\"]*\"|.", re.DOTALL)
_HIDDEN: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_MENDED: Final = {"≥": ">=", "≤": "<=", "≠": "!=", "×": "*", "−": "-", "“": "'", "”": "'", "‘": "'", "’": "'",
                  "、": ",", "\u3000": "' '"}  # fmt: skip


def __dir__() -> list[str]:
    return __all__


def parse(
    text: str,
    *,
    facts: Mapping[str, Fact],
    functions: Mapping[str, RuleFunction] | None = None,
    gives: FactType = "bool",
) -> Expression:
    """Read a rule's text; ``gives`` is the type it must have (``"bool"`` for conditions).

    Raises RuleSyntaxError with the column and, for a misspelt name, the nearest known one.

    >>> facts = {"credited_minutes": Fact("credited_minutes", "int", "计入分钟", "credited minutes")}
    >>> str(parse("credited_minutes>=100*60", facts=facts))
    'credited_minutes >= 100 * 60'
    """
    expression, found = parse_any(text, facts=facts, functions=functions)
    if found != gives:
        raise RuleSyntaxError("rule_wrong_type", text=_one_line(text), column=1, found=found, wanted=gives)
    return expression


def parse_any(
    text: str, *, facts: Mapping[str, Fact], functions: Mapping[str, RuleFunction] | None = None
) -> tuple[Expression, FactType]:
    """Read a rule's text as `parse` does; return it with the type it has.

    >>> parse_any("choose(paid > 0, 'no', 'yes')", facts={"paid": Fact("paid", "int", "收费", "fee")})[1]
    'word'
    """
    if len(text) > LONGEST:
        raise _too_long(text)
    line = _one_line(text)
    if not line.strip():
        raise RuleSyntaxError("rule_empty", text=line, column=1)
    expression, found = _Reader(line, facts, functions or {}).read(_tree(line), 0)
    if len(str(expression)) > LONGEST:  # a chain of comparisons is longer written out
        raise _too_long(line)
    return expression, found


def _too_long(text: str) -> RuleSyntaxError:
    return RuleSyntaxError(
        "rule_too_long", text="".join(text[:60].split("\n")) + "…", column=1, limit=LONGEST
    )


def _one_line(text: str) -> str:
    """Return the text with line breaks as blanks; refuse characters that could hide or change meaning."""
    pieces = []
    for match in _PIECES.finditer(text):
        piece = match.group()
        if piece in ("\n", "\r", "\t", "\f"):
            piece = " "
        wide = unwide(piece) if len(piece) == 1 else ""
        if wide:
            raise _at(text, match.start(), "rule_wide_character", found=piece, mend=wide)
        if piece == "#" or "\\" in piece:
            raise _at(text, match.start(), "rule_character", found="#" if piece == "#" else "\\")
        if _hidden(piece):
            raise _at(text, match.start(), "rule_unprintable")
        pieces.append(piece)
    return "".join(pieces)


def _hidden(piece: str) -> bool:
    return any(unicodedata.category(each) in _HIDDEN for each in piece)


def unwide(character: str) -> str:
    """Return what to type instead of a full-width or typographic character, empty if it is none."""
    if "\uff01" <= character <= "\uff5e":
        return chr(ord(character) - 0xFEE0)
    return _MENDED.get(character, "")


def _at(text: str, index: int, code: str, **values: Any) -> RuleSyntaxError:
    shown = "".join(" " if _hidden(each) else each for each in text)
    return RuleSyntaxError(code, text=shown, column=index + 1, **values)


def _tree(line: str) -> ast.expr:
    indent = len(line) - len(line.lstrip())
    try:
        with warnings.catch_warnings():
            # Python only warns of "1or"; here it is an error whatever filters the host has set.
            warnings.simplefilter("error")
            return ast.parse(line.lstrip(), mode="eval").body
    except SyntaxError as error:
        # Python says 0 where the end came too early.
        column = min(error.offset + indent, len(line)) if error.offset else len(line)
        raise RuleSyntaxError("rule_not_readable", text=line, column=column) from None
    except (ValueError, RecursionError, MemoryError, Warning):
        raise RuleSyntaxError("rule_not_readable", text=line, column=1) from None


@attrs.define
class _Reader:
    """Turns Python's tree into ours; everything it does not know is refused where it stands."""

    text: str
    facts: Mapping[str, Fact]
    functions: Mapping[str, RuleFunction]
    nodes: int = 0

    def error(self, code: str, node: ast.expr, **values: Any) -> RuleSyntaxError:
        body = self.text.lstrip()
        before = len(body.encode()[: node.col_offset].decode(errors="ignore"))
        return RuleSyntaxError(code, text=self.text, column=len(self.text) - len(body) + before + 1, **values)

    def refused(self, node: ast.expr) -> RuleSyntaxError:
        source = ast.get_source_segment(self.text.lstrip(), node) or ""
        return self.error("rule_not_allowed", node, found=source if len(source) <= 40 else source[:39] + "…")

    def unknown(
        self, code: str, node: ast.expr, name: str, known: Mapping[str, Any] | list[str]
    ) -> RuleSyntaxError:
        guess = nearest(name, known)
        listed = ", ".join(sorted(known))
        if guess:
            return self.error(f"{code}_near", node, name=name, known=listed, guess=guess)
        return self.error(code, node, name=name, known=listed)

    def read(self, node: ast.expr, depth: int) -> tuple[Expression, FactType]:
        if depth > DEEPEST:
            raise self.error("rule_too_deep", node, limit=DEEPEST)
        # the middle of a chain is read twice, chains in chains as often as no text could be written out
        self.nodes += 1
        if self.nodes > LONGEST:
            raise _too_long(self.text)
        match node:
            case ast.Constant(value):
                return self.literal(node, value)
            case ast.UnaryOp(ast.USub(), ast.Constant(value)) if type(value) is int:
                return self.literal(node, -value)
            case ast.UnaryOp(ast.Not(), operand):
                return Not(self.condition(operand, depth)), "bool"
            case ast.Name(name):
                fact = self.facts.get(name)
                if fact is None:
                    raise self.unknown("rule_unknown_fact", node, name, self.facts)
                return Mention(name), fact.type
            case ast.BoolOp(op, values):
                items = tuple(self.condition(value, depth) for value in values)
                return (All(items) if isinstance(op, ast.And) else Some(items)), "bool"
            case ast.BinOp():
                return self.arithmetic(node, depth), "int"
            case ast.Compare():
                return self.comparison(node, depth), "bool"
            case ast.Call():
                return self.call(node, depth)
        raise self.refused(node)

    def typed(self, node: ast.expr, wanted: FactType, depth: int) -> Expression:
        expression, found = self.read(node, depth + 1)
        if found != wanted:
            raise self.error("rule_wrong_type", node, found=found, wanted=wanted)
        return expression

    def condition(self, node: ast.expr, depth: int) -> Expression:
        expression = self.typed(node, "bool", depth)
        if isinstance(expression, Literal):
            raise self.error("rule_no_fact", node)
        return expression

    def literal(self, node: ast.expr, value: object) -> tuple[Expression, FactType]:
        if isinstance(value, bool):
            return Literal(value), "bool"
        if isinstance(value, int):
            if abs(value) > LARGEST:
                raise self.error("rule_number_too_large", node, limit=LARGEST)
            return Literal(value), "int"
        if isinstance(value, str):
            if "'" in value and '"' in value:
                raise self.error("rule_character", node, found="' \"")
            return Literal(value), "word"
        if isinstance(value, float | complex):
            raise self.error("rule_fraction", node)
        raise self.refused(node)

    def arithmetic(self, node: ast.BinOp, depth: int) -> Expression:
        symbol = _SYMBOLS.get(type(node.op))
        if symbol is None:
            division = isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod)
            raise self.error("rule_no_division", node) if division else self.refused(node)
        left, right = self.typed(node.left, "int", depth), self.typed(node.right, "int", depth)
        if symbol == "*":
            factors = [reach(side)[0] for side in (left, right) if not mentioned(side)]
            if not factors:
                raise self.error("rule_product", node)
            if len(factors) == 1 and abs(factors[0]) > LARGEST_FACTOR:
                raise self.error("rule_number_too_large", node, limit=LARGEST_FACTOR)
        made = Apply(symbol, left, right)
        limit = LARGEST_RESULT if mentioned(made) else LARGEST
        if max(map(abs, reach(made))) > limit:
            raise self.error("rule_number_too_large", node, limit=limit)
        return made

    def comparison(self, node: ast.Compare, depth: int) -> Expression:
        operands = [node.left, *node.comparators]
        links: list[Expression] = []
        for left, op, right in zip(operands, node.ops, operands[1:], strict=False):
            symbol = _SYMBOLS.get(type(op))
            if isinstance(op, ast.In | ast.NotIn):
                links.append(self.member(left, right, isinstance(op, ast.NotIn), depth))
            elif symbol is None:
                raise self.refused(node)
            else:
                links.append(self.compared(symbol, left, right, depth))
        return links[0] if len(links) == 1 else All(tuple(links))

    def compared(self, symbol: str, left: ast.expr, right: ast.expr, depth: int) -> Expression:
        (one, first), (other, second) = self.read(left, depth + 1), self.read(right, depth + 1)
        if first != second:
            raise self.error("rule_wrong_type", right, found=second, wanted=first)
        if not mentioned(one) and not mentioned(other):
            raise self.error("rule_no_fact", left)
        if first == "words":
            raise self.error("rule_member", right)
        if first in ("word", "bool"):
            if symbol not in ("==", "!="):
                raise self.error("rule_no_order", left, found=first)
            two_words = first == "word" and isinstance(other, Mention)
            if not isinstance(one, Mention) or not (two_words or isinstance(other, Literal)):
                raise self.error("rule_fact_first", left)
        return Apply(symbol, one, other)

    def member(self, left: ast.expr, right: ast.expr, negated: bool, depth: int) -> Expression:
        item, type_ = self.read(left, depth + 1)
        if isinstance(right, ast.Name):
            words = self.typed(right, "words", depth)
            if type_ != "word" or not isinstance(item, Mention | Literal) or not isinstance(words, Mention):
                raise self.error("rule_member", right)
            return Among(item, words, negated)
        known = isinstance(item, Mention) or (isinstance(item, Call) and type_ in ("int", "date"))
        if not known or not isinstance(right, ast.Tuple | ast.List) or not right.elts:
            raise self.error("rule_member", right)
        assert isinstance(item, Mention | Call)
        values = []
        for element in right.elts:
            value = self.typed(element, type_, depth)
            if not isinstance(value, Literal):
                raise self.error("rule_member", element)
            values.append(value)
        return Member(item, tuple(values), negated)

    def call(self, node: ast.Call, depth: int) -> tuple[Expression, FactType]:
        name = _dotted(node.func)
        if name is None or node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
            raise self.refused(node)
        if name == "date":
            return self.date(node), "date"
        if name not in BUILT_IN and name not in self.functions:
            raise self.unknown("rule_unknown_function", node, name, [*self.functions, *BUILT_IN, "date"])
        built_in = BUILT_IN.get(name)
        arity = len(built_in.takes) if built_in else self.functions[name].arity
        if not len(node.args) if built_in and built_in.more else len(node.args) != arity:
            raise self.error("rule_arity", node, name=name, wanted=arity, found=len(node.args))
        if name in BUILT_IN:
            return self.built_in(node, name, BUILT_IN[name], depth)
        arguments = []
        for each in node.args:
            argument, type_ = self.read(each, depth + 1)
            if type_ == "word":  # on columns a word is a code, which a function could not tell from a number
                raise self.error("rule_word_argument", each)
            arguments.append(argument)
        return self.with_fact(node, Call(name, tuple(arguments))), self.functions[name].gives

    def built_in(
        self, node: ast.Call, name: str, function: BuiltIn, depth: int
    ) -> tuple[Expression, FactType]:
        arguments: list[Expression] = []
        same: FactType | None = None
        takes = function.takes + function.takes[-1:] * (len(node.args) - len(function.takes))
        for each, wanted in zip(node.args, takes, strict=True):
            if wanted == "bool":
                arguments.append(self.condition(each, depth))
                continue
            argument, found = self.read(each, depth + 1)
            if wanted == "same" and same is None:
                same = found if found in function.same else function.same[0]
            expected: FactType = same or "int" if wanted == "same" else "date" if wanted == "date" else "int"
            if found != expected:
                raise self.error("rule_wrong_type", each, found=found, wanted=expected)
            arguments.append(argument)
        if function.step and (mentioned(arguments[-1]) or reach(arguments[-1])[0] < 1):
            raise self.error("rule_step", node.args[-1], name=name)
        gives: FactType = (
            same or "int" if function.gives == "same" else "date" if function.gives == "date" else "int"
        )
        made = self.with_fact(node, Call(name, tuple(arguments)))
        if gives == "int" and max(map(abs, reach(made))) > LARGEST_RESULT:
            raise self.error("rule_number_too_large", node, limit=LARGEST_RESULT)
        return made, gives

    def with_fact(self, node: ast.expr, made: Expression) -> Expression:
        if not mentioned(made):
            raise self.error("rule_no_fact", node)
        return made

    def date(self, node: ast.Call) -> Literal:
        parts = [
            each.value for each in node.args if isinstance(each, ast.Constant) and type(each.value) is int
        ]
        if len(parts) == len(node.args) == 3:
            try:
                return Literal(dt.date(*parts))
            except (ValueError, OverflowError):
                pass
        raise self.error("rule_no_such_date", node)


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else None
    return None
