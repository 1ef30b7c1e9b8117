"""Schemes: which grades a subject's facts allow, which it holds, and which may be granted now.

Eligible, granted and held are three things: the conditions make eligible, somebody's decision grants, and a
grade is held until it is revoked, runs out or is lost. What was granted comes in as records of the kind
``award`` with the words ``scheme`` and ``grade``; ``revocation`` takes a grade back from its day on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from volunteerkit.rules.expression import CALENDAR
from volunteerkit.rules.functions import months_after, year_start
from volunteerkit.rules.parts import Scheme, Step
from volunteerkit.rules.plan import Record

__all__ = ["Award", "Granting", "awards_of", "granting", "missing_in"]

AWARD: Final = "award"
REVOCATION: Final = "revocation"


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Award:
    """A grade that was granted on a day, as its records say; ``until`` is its last day, None for life."""

    grade: str
    granted_on: int
    until: int | None
    revoked: bool = False


@attrs.frozen
class Granting:
    """What a scheme says of a subject on a day.

    ``eligible`` are the numbers of the grades whose conditions hold and that may be granted (again), at most
    one unless the scheme gives all; None when absent facts leave it open. ``held`` is the highest grade held,
    0 for none. ``grantable`` are those that somebody may now grant: none while the version is suspended, or the
    scheme's ``grant_when`` does not hold.
    """

    scheme: Scheme
    eligible: tuple[int, ...] | None
    held: int
    grantable: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()
    awards: tuple[Award, ...] = ()

    @property
    def award(self) -> int | None:
        """The highest eligible grade, 0 for none."""
        return None if self.eligible is None else max(self.eligible, default=0)

    @property
    def step(self) -> Step | None:
        """The step of the highest eligible grade."""
        return self.scheme.step_of(self.award or 0)


def awards_of(scheme: Scheme, records: Iterable[Record], today: int) -> tuple[Award, ...]:
    """Return what was granted of a scheme up to ``today``, in order of day, from the stream's records."""
    steps = {step.grade or str(step.award): step for step in scheme.steps}
    found: list[Award] = []
    for record in sorted(records, key=lambda each: each.served_on):
        facts = record.facts
        if record.kind not in (AWARD, REVOCATION) or record.served_on > today:
            continue
        if facts.get("scheme", "") != scheme.name or (grade := facts.get("grade", "")) not in steps:
            continue
        if record.kind == AWARD:
            months = steps[grade].valid_months
            until = months_after(record.served_on, months) - 1 if months else None
            found.append(Award(grade, record.served_on, until))
        elif scheme.loss != "never":
            found = [attrs.evolve(each, revoked=True) if each.grade == grade else each for each in found]
    return tuple(found)


def granting(
    scheme: Scheme,
    holding: Mapping[int, bool | None],
    awards: Sequence[Award],
    facts: Mapping[str, Any],
    *,
    may_be_granted: bool = True,
) -> Granting:
    """Return what a scheme says, given which of its conditions hold (None: open) and what was granted."""
    today, number_of = facts["today"], {step.grade or str(step.award): step.award for step in scheme.steps}
    held = max(
        (
            number_of[each.grade]
            for each in awards
            if not each.revoked and (each.until is None or today <= each.until)
        ),
        default=0,
    )
    if scheme.loss == "recomputed":
        holds = [award for award, held_now in holding.items() if held_now]
        held = min(held, max(holds, default=0))
    free = [step for step in scheme.steps if not _barred(scheme, step, awards, number_of, today)]
    eligible: tuple[int, ...] | None
    if scheme.take == "all":
        open_ = [step for step in free if holding[step.award] is None]
        eligible = None if open_ else tuple(step.award for step in free if holding[step.award])
    else:
        best = next((step for step in reversed(free) if holding[step.award] is not False), None)
        eligible = () if best is None else (best.award,) if holding[best.award] else None
    given = () if facts.get("suspended") or not may_be_granted else eligible or ()
    if scheme.procedure == "automatic":
        held = max(held, *given, 0)
    grantable = tuple(each for each in given if _new(scheme, each, awards, number_of, today))
    return Granting(scheme, eligible, held, grantable, awards=tuple(awards))


def _new(
    scheme: Scheme, award: int, awards: Sequence[Award], number_of: Mapping[str, int], today: int
) -> bool:
    """Tell whether granting this grade would give anything: it is not held already, or may be repeated."""
    if scheme.repeat == "always" and scheme.take == "highest":
        valid = [each for each in awards if not each.revoked and (each.until is None or today <= each.until)]
        return all(number_of[each.grade] < award for each in valid)
    return True


def _barred(
    scheme: Scheme, step: Step, awards: Sequence[Award], number_of: Mapping[str, int], today: int
) -> bool:
    """Tell whether prior awards keep this grade from being given."""
    granted = [each for each in awards if not each.revoked]
    if step.after:
        before = [each.granted_on for each in granted if each.grade == step.after]
        if not before or months_after(max(before), step.wait_months) > today:
            return True
    if scheme.repeat == "always":
        return False
    if scheme.repeat == "yearly":
        granted = [each for each in granted if each.granted_on >= year_start(today, 1)]
    ordered = scheme.take == "highest"
    return any(
        number_of[each.grade] >= step.award if ordered else each.grade == (step.grade or str(step.award))
        for each in granted
    )


def missing_in(missing: Iterable[str]) -> tuple[str, ...]:
    """Return absent facts, or the calendar where nothing else is absent."""
    return tuple(sorted(missing)) or (CALENDAR,)
