"""Chance in whole numbers, the same on every machine and with every version of numpy.

Only the raw bits of PCG64 are used, whose stream numpy promises to keep. Its distributions may change
between versions, and floating-point functions differ in the last bit between processors; either would
turn one city into another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Whole: TypeAlias = npt.NDArray[np.int64]

__all__ = ["Dice", "lognormal_table"]


def __dir__() -> list[str]:
    return __all__


def lognormal_table(sigma_thousandths: int, steps: int = 16_384) -> Whole:
    """Return ``steps`` equally likely values of a log-normal with median 1000, in ascending order.

    >>> table = lognormal_table(1000, steps=5)
    >>> table.tolist()
    [278, 592, 1000, 1689, 3602]
    """
    normal, sigma = NormalDist(), sigma_thousandths / 1000
    points = (math.exp(sigma * normal.inv_cdf((2 * step + 1) / (2 * steps))) for step in range(steps))
    return np.array([max(1, round(1000 * point)) for point in points], dtype=np.int64)


class Dice:
    """Draws whole numbers from ``seed``; the same calls in the same order give the same numbers.

    >>> Dice(1).below(6, 10).tolist() == Dice(1).below(6, 10).tolist()
    True
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def below(self, limit: int | Whole, count: int) -> Whole:
        """Return ``count`` numbers from 0 to ``limit`` - 1; ``limit`` is at most 2**31, or one for each."""
        raw = np.asarray(self._bits.random_raw(count), dtype=np.uint64) >> np.uint64(33)
        drawn: Whole = (raw.astype(np.int64) * limit) >> 31
        return drawn

    def chance(self, per_thousand: int, count: int) -> npt.NDArray[np.bool_]:
        """Return ``count`` answers, yes for ``per_thousand`` of a thousand."""
        return self.below(1000, count) < per_thousand

    def pick(self, weights: Sequence[int] | Whole, count: int) -> Whole:
        """Return ``count`` positions in ``weights``, each as likely as its weight."""
        edges = np.cumsum(np.asarray(weights, dtype=np.int64))
        return np.searchsorted(edges, self.below(int(edges[-1]), count), side="right")

    def shuffled(self, count: int) -> Whole:
        """Return the numbers from 0 to ``count`` - 1 in a drawn order."""
        return np.argsort(np.asarray(self._bits.random_raw(count), dtype=np.uint64), kind="stable")
