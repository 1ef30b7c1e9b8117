"""Cohorts: who of many gets one of few places. The one part of a rulebook that looks from one person to another.

Everybody is decided about alone first; then those whose grade makes them candidates are ranked. Who cannot be
told apart at the last place is reported and gets none: somebody has to decide that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import attrs

from volunteerkit.errors import InvalidValue
from volunteerkit.rules.deciding import Decision
from volunteerkit.rules.ladder import holds_in
from volunteerkit.rules.parts import Cohort

__all__ = ["Places", "select"]

Key = TypeVar("Key")


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Places:
    """Who gets a place of one group and grade: ``chosen`` in order of rank, ``exempt`` beside them.

    ``tied`` cannot be told apart at the last place and have none yet; ``left`` come after them. ``places`` are
    those there were for ``chosen`` and ``tied``; ``open_places`` are left for the tied.
    """

    within: str
    grade: str
    places: int
    chosen: tuple[Any, ...]
    exempt: tuple[Any, ...]
    tied: tuple[Any, ...]
    left: tuple[Any, ...]

    @property
    def open_places(self) -> int:
        """Places that somebody has to give to some of the tied."""
        return self.places - len(self.chosen) if self.tied else 0


def select(decisions: Mapping[Key, Decision]) -> tuple[Places, ...]:
    """Return who gets a place, group by group and grade by grade, in their order.

    ``decisions`` are of one version of a rulebook, on one day, by whatever names the subjects; the order does
    not matter but among those of one rank. Raises InvalidValue when they are of different versions, when the
    version says nothing of places, or when a fact to rank by is absent.

    >>> select({})
    ()
    """
    if not decisions:
        return ()
    version = next(iter(decisions.values())).version
    if any(each.version.digest != version.digest for each in decisions.values()):
        raise InvalidValue("cohort_versions")
    cohort = version.cohort
    if cohort is None:
        raise InvalidValue("cohort_none", rulebook=next(iter(decisions.values())).rulebook)
    groups: dict[str, dict[Key, Decision]] = {}
    for key, decision in decisions.items():
        groups.setdefault(str(_fact(decision, cohort.within)) if cohort.within else "", {})[key] = decision
    return tuple(places for within in sorted(groups) for places in _in_group(cohort, within, groups[within]))


def _in_group(cohort: Cohort, within: str, decisions: Mapping[Any, Decision]) -> Iterator[Places]:
    candidates: dict[int, list[Any]] = {}
    for key, decision in decisions.items():
        award = decision.grantings[cohort.among].award
        if award:
            candidates.setdefault(award, []).append(key)
    if within in (own_places := dict(cohort.groups)):
        places = own_places[within]
    elif cohort.places is not None:
        places = cohort.places
    else:
        places = max(len(decisions) * (cohort.percent or 0) // 100, cohort.at_least)
    own = dict(cohort.grades)
    left = places
    for award in sorted(candidates, reverse=True):
        scheme = next(iter(decisions.values())).grantings[cohort.among].scheme
        step = scheme.step_of(award)
        grade = (step.grade if step else "") or str(award)
        found = _chosen(
            cohort, within, grade, own.get(grade, left), {key: decisions[key] for key in candidates[award]}
        )
        # grades without places of their own share the rest, the higher first
        left -= 0 if grade in own else len(found.chosen)
        yield found


def _chosen(
    cohort: Cohort, within: str, grade: str, places: int, decisions: Mapping[Any, Decision]
) -> Places:
    exempt, ranked = [], []
    for key, decision in decisions.items():
        beside = cohort.exempt is not None and holds_in(decision.version, cohort.exempt, decision.facts)
        if beside:
            exempt.append(key)
        else:
            ranked.append((tuple(-_fact(decision, name) for name in cohort.rank_by), key))
    ranked.sort(key=lambda each: each[0])
    if len(ranked) <= places:
        return Places(within, grade, places, tuple(key for _, key in ranked), tuple(exempt), (), ())
    last = ranked[places - 1][0] if places else None
    if last is None or ranked[places][0] != last:
        cut, tied = places, 0
    else:
        cut = sum(rank < last for rank, _ in ranked)
        tied = sum(rank == last for rank, _ in ranked)
    keys = [key for _, key in ranked]
    return Places(
        within, grade, places, tuple(keys[:cut]), tuple(exempt), tuple(keys[cut : cut + tied]), tuple(keys[cut + tied :])
    )  # fmt: skip


def _fact(decision: Decision, name: str) -> Any:
    if name not in decision.facts:
        raise InvalidValue("fact_missing", name=name)
    return decision.facts[name]
