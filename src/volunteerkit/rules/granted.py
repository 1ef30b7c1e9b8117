"""Schemes on NumPy columns: what `schemes.granting` says of one subject, for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs
import numpy as np

from volunteerkit.rules.functions import months_after, year_start
from volunteerkit.rules.grouping import Column, Known, by_value
from volunteerkit.rules.parts import Scheme

__all__ = ["NEVER", "Granted", "granted"]

NEVER: Final = -(2**31)
"""Stands for the day of a grade that was not granted."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Granted:
    """A scheme's `schemes.Granting` by subject; ``eligible`` and ``grantable`` have a column for every step.

    Where ``undetermined``, absent facts leave open what is eligible. ``valid`` are the grades granted and neither
    revoked nor run out, ``conceivable`` those whose conditions hold or are open.
    """

    scheme: Scheme
    eligible: Column
    undetermined: Column
    held: Column
    grantable: Column
    valid: Column
    conceivable: Column

    @property
    def award(self) -> Column:
        """The number of the highest eligible grade, 0 for none (and where it is undetermined)."""
        return self.highest(self.eligible)

    def highest(self, which: Column) -> Column:
        """Return the number of each subject's highest grade of ``which``, a column for every step; 0 for none."""
        return _highest(self.scheme, which)


def granted(
    scheme: Scheme, holding: Sequence[Known], on: Sequence[Column], today: int, may: Column
) -> Granted:
    """Return what a scheme says, given which of its conditions hold and the day each grade was last granted.

    ``may`` tells for whom anything may be granted now.
    """
    size, steps = len(may), scheme.steps
    there = _beside([each.there for each in holding], size)
    true = _beside([each.values & each.there for each in holding], size)
    valid = np.zeros((size, len(steps)), bool)
    for i, step in enumerate(steps):
        runs_out = (
            by_value(partial(_after, step.valid_months), on[i]) <= today if step.valid_months else False
        )
        valid[:, i] = (on[i] != NEVER) & np.logical_not(runs_out)
    awarded = _highest(scheme, valid)
    held = np.minimum(awarded, _highest(scheme, true)) if scheme.loss == "recomputed" else awarded
    free = ~_barred(scheme, on, today, size)
    eligible: Column = free & true
    undetermined: Column = np.zeros(size, bool)
    if scheme.take == "all":
        undetermined = np.logical_or.reduce(free & ~there, axis=1)
    else:
        best = np.zeros(size, bool)
        for i in reversed(range(len(steps))):
            undetermined |= ~best & free[:, i] & ~there[:, i]
            eligible[:, i] &= ~best
            best |= free[:, i] & (true[:, i] | ~there[:, i])
    eligible &= ~undetermined[:, None]
    grantable = eligible & may[:, None]
    if scheme.procedure == "automatic":
        held = np.maximum(held, _highest(scheme, grantable))
    if scheme.repeat == "always" and scheme.take == "highest":
        grantable &= _numbers(scheme) > awarded[:, None]
    return Granted(scheme, eligible, undetermined, held, grantable, valid, true | ~there)


def _after(months: int, day: int) -> int:
    return months_after(day, months)


def _numbers(scheme: Scheme) -> Column:
    return np.array([step.award for step in scheme.steps], np.int64)


def _highest(scheme: Scheme, which: Column) -> Column:
    """Return the number of each subject's highest grade, 0 for none."""
    found: Column = np.max(np.where(which, _numbers(scheme), 0), axis=1, initial=0)
    return found


def _beside(columns: Sequence[Column], size: int) -> Column:
    return np.stack(columns, axis=1) if columns else np.zeros((size, 0), bool)


def _barred(scheme: Scheme, on: Sequence[Column], today: int, size: int) -> Column:
    """Tell which grades prior awards keep from being given."""
    places = {step.grade or str(step.award): i for i, step in enumerate(scheme.steps)}
    since = year_start(today, 1) if scheme.repeat == "yearly" else NEVER + 1
    given = _beside([each >= since for each in on], size)
    found = np.zeros_like(given)
    for i, step in enumerate(scheme.steps):
        if step.after:
            before = on[places[step.after]]
            found[:, i] = (before == NEVER) | (by_value(partial(_after, step.wait_months), before) > today)
        if scheme.repeat != "always":
            found[:, i] |= given[:, i:].any(axis=1) if scheme.take == "highest" else given[:, i]
    return found
