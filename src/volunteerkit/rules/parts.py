"""The parts a version of a way of crediting is made of, in the order in which they are applied.

``select`` → ``once`` → transforms → windows → coefficient → limits → routes → ``day_percent`` → convert.
Every part sees what the one before it left. ``reason`` is the author's word for what a part takes or adds,
``because`` the author's sentence in each language; a line's findings carry both.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from volunteerkit.rules.expression import Expression, FactType

__all__ = ["Answer", "Coefficient", "Convert", "Limit", "Period", "Route", "Transform", "Window"]

Period: TypeAlias = Literal["day", "month", "year", "life"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class _Part:
    """What every part has: a condition (None for always), and how its author calls and explains it."""

    when: Expression | None = attrs.field(default=None, kw_only=True)
    reason: str = attrs.field(default="", kw_only=True)
    because: tuple[tuple[str, str], ...] = attrs.field(default=(), kw_only=True)


@attrs.frozen
class Transform(_Part):
    """Other ``minutes`` for a record: a rule over its facts and the fact ``minutes``, what it counts so far."""

    minutes: Expression


@attrs.frozen
class Window(_Part):
    """``percent`` for the minutes of a clock between two minutes of the day, perhaps over midnight.

    A record is cut at midnight; ``served_on`` is the piece's own day. The first window that holds counts.
    """

    from_minute: int
    to_minute: int
    percent: int

    def holds_at(self, minute: int) -> bool:
        """Tell whether this minute of the day (0 … 1439) lies in the window."""
        if self.from_minute < self.to_minute:
            return self.from_minute <= minute < self.to_minute
        return minute >= self.from_minute or minute < self.to_minute


@attrs.frozen
class Coefficient:
    """A percentage for every word of the fact ``by``, ``otherwise`` for all other words."""

    by: str
    percent: tuple[tuple[str, int], ...]
    otherwise: int = 100


@attrs.frozen
class Limit(_Part):
    """The most minutes (or records that count anything) of a period, for every word of the facts ``by``.

    What lies beyond is cut off, or the whole record is refused. Records without a say in it (``when``) are
    neither counted nor cut.
    """

    per: Period
    at_most: Expression
    by: tuple[str, ...] = ()
    count: Literal["minutes", "records"] = "minutes"
    beyond: Literal["cut", "refuse"] = "cut"


@attrs.frozen
class Route(_Part):
    """Days whose minutes wait for the office ``to``; the first route that holds counts.

    Its condition is over ``day_minutes``, ``served_on`` and the person. A day all of whose counting records
    are ``accepted`` waits for nobody.
    """

    to: str


@attrs.frozen
class Convert:
    """What a total is worth elsewhere: ``gives`` of ``unit`` for every full ``every_minutes``."""

    unit: str
    every_minutes: int
    gives: int = 1


@attrs.frozen
class Answer:
    """A named answer of a check: a rule over facts and the type it ``gives``."""

    name: str
    rule: Expression
    gives: FactType
