"""What a ruling comes to for one volunteer: the grade allowed, the grade held, and what may be granted."""

from __future__ import annotations

import attrs

from volunteerkit.rules import Assessment
from volunteerkit.rules.deciding import Decision
from volunteerkit.rules.ladder import assess_version, holds_in

__all__ = ["Standing", "assessed", "standing"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Standing:
    """Where a volunteer stands in a scheme of grades on a day.

    ``allowed`` is the highest grade that conditions and earlier awards allow, None where absent facts leave
    it open. ``held`` is the highest grade granted, neither revoked nor run out. ``grantable`` are the grades
    that may be granted now and are not held already.
    """

    allowed: int | None
    held: int
    grantable: tuple[int, ...]


def standing(decision: Decision, question: str) -> Standing:
    """Return where the subject of a decision stands in its scheme ``question``."""
    granting, version = decision.grantings[question], decision.version
    scheme, today = granting.scheme, decision.facts["today"]
    number_of = {step.grade or str(step.award): step.award for step in scheme.steps}
    valid = {
        number_of[each.grade]
        for each in granting.awards
        if not each.revoked and (each.until is None or today <= each.until)
    }
    held = max(valid, default=0)
    open_ = [step.award for step in scheme.steps if holds_in(version, step.when, decision.facts) is not False]
    kept = max((award for award in valid if award in open_), default=0)
    if scheme.take == "highest":  # who may have a higher grade may have a lower one
        kept = min(held, max(open_, default=0))
    allowed = None if granting.award is None and not kept else max(kept, granting.award or 0)
    grantable = granting.grantable
    if scheme.take == "all":
        grantable = tuple(award for award in grantable if award not in valid)
    return Standing(allowed, held, grantable)


def assessed(decision: Decision, question: str) -> Assessment:
    """Return the conditions of a decision's scheme ``question`` one by one."""
    version, scheme = decision.version, decision.grantings[question].scheme
    if scheme is not version.scheme:
        beside = attrs.evolve(version, steps=scheme.steps, answers=())
        beside.compiled["digest"] = version.digest  # it is still a rule of this version
        version = beside
    return assess_version(decision.rulebook, version, decision.facts)
