"""Limits of what a file may ask for, so that none makes a reading or a run hang or fill the memory.

What is counted is the same on every machine: characters, depth, and steps of a ruling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from volunteerkit.rules.expression import All, Among, Apply, Call, Expression, Member, Not, Some
from volunteerkit.rules.parts import Lookup, Measure
from volunteerkit.rules.rulebook import Version

__all__ = [
    "DEPTH_MAX",
    "PER_RECORD_MAX",
    "PER_SUBJECT_MAX",
    "TEXT_MAX",
    "Cost",
    "cost_of",
    "too_deep",
    "too_deep_text",
]

TEXT_MAX: Final = 500_000
DEPTH_MAX: Final = 20
PER_RECORD_MAX: Final = 5_000
PER_SUBJECT_MAX: Final = 200_000
_MANY_RECORDS: Final = 1000
# Names one after the other with dots between; the parser's time grows with the square of their number.
_DOTTED: Final = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){20}""")


def __dir__() -> list[str]:
    return __all__


def too_deep_text(text: str) -> bool:
    """Tell whether a TOML text has a name with more dots than tables may be deep.

    >>> too_deep_text("measure.minutes.sum = 'minutes'"), too_deep_text("a." * 30 + "a = 1")
    (False, True)
    """
    return _DOTTED.search(text) is not None


def too_deep(data: Any) -> bool:
    """Tell whether tables and arrays stand in one another deeper than any rulebook or case needs."""
    level = [data]
    for _ in range(DEPTH_MAX):
        level = [
            inner
            for each in level
            if isinstance(each, Mapping | list)
            for inner in (each.values() if isinstance(each, Mapping) else each)
        ]
        if not level:
            return False
    return True


@attrs.frozen
class Cost:
    """What a version costs in steps: a node of a rule is one, for each record or once for each subject."""

    per_record: int
    per_subject: int

    @property
    def steps(self) -> int:
        """Steps for somebody with a thousand records."""
        return self.per_record * _MANY_RECORDS + self.per_subject


def cost_of(version: Version) -> Cost:
    """Return what a version costs: the same on every machine.

    >>> from volunteerkit.rules import builtin_rulebooks
    >>> cost_of(builtin_rulebooks()[0].versions[0])
    Cost(per_record=1, per_subject=0)
    """
    way = version.credit or (version if not version.steps and not version.answers else None)
    of_record = 1
    if way is not None:
        of_record += sum(map(_nodes, way.rules)) + len(way.limits) + len(way.windows) + len(way.transforms)
    of_subject = 0
    for part in version.made:
        if isinstance(part, Measure):
            within = (part.of, part.where)
            of_record += 1 + sum(_nodes(rule) for rule in within if rule is not None)
            of_record += _nodes(part.having) if part.having is not None else 0
            of_subject += sum(_nodes(rule) for rule in (part.first_day, part.last_day) if rule is not None)
        else:
            of_subject += sum(map(_nodes, part.rules)) + (len(part.rows) if isinstance(part, Lookup) else 0)
    of_subject += sum(_nodes(step.when) for step in version.steps)
    return Cost(of_record, of_subject)


def _nodes(rule: Expression) -> int:
    match rule:
        case Apply(_, left, right) | Among(left, right):
            return 1 + _nodes(left) + _nodes(right)
        case All(items) | Some(items) | Call(_, items):
            return 1 + sum(map(_nodes, items))
        case Not(item):
            return 1 + _nodes(item)
        case Member(item, values):
            return 1 + _nodes(item) + len(values)
    return 1
