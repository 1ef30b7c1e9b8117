"""Rules as values: their language, dated rulebooks, crediting, checks, ladders with reasons, the city's kernel."""

from volunteerkit.rules.binding import bind
from volunteerkit.rules.check import Ruling, check
from volunteerkit.rules.crediting import Credited, CreditLine, Record, credit
from volunteerkit.rules.expression import Expression, Fact, RuleFunction
from volunteerkit.rules.facts import FACTS
from volunteerkit.rules.ladder import Assessment, Clause, assess
from volunteerkit.rules.parsing import parse
from volunteerkit.rules.rulebook import Rulebook, Version, builtin_rulebooks

__all__ = [
    "FACTS",
    "Assessment",
    "Clause",
    "CreditLine",
    "Credited",
    "Expression",
    "Fact",
    "Record",
    "RuleFunction",
    "Rulebook",
    "Ruling",
    "Version",
    "assess",
    "bind",
    "builtin_rulebooks",
    "check",
    "credit",
    "parse",
]


def __dir__() -> list[str]:
    return __all__
