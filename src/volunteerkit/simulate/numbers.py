"""Numbers of people and organizations that look right and can belong to nobody.

Identity numbers and organization codes carry valid check characters, so that software under test takes
them, and the area code 360599, which is assigned to no county; phone numbers begin with 12, which is no
mobile range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from volunteerkit.simulate.dice import Dice
from volunteerkit.units import day_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from volunteerkit.simulate.dice import Whole

__all__ = ["AREA", "organization_code", "phone_numbers", "resident_numbers"]

AREA = 360599
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_CHECKS = "10X98765432"
_CODE_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_BODY_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def __dir__() -> list[str]:
    return __all__


def _ranks(keys: Whole) -> Whole:
    """Return for each key how many equal keys stand before it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    places = np.arange(len(keys), dtype=np.int64)
    firsts = np.where(np.r_[True, ordered[1:] != ordered[:-1]], places, 0)
    ranks = np.empty_like(places)
    ranks[order] = places - np.maximum.accumulate(firsts)
    return ranks


def resident_numbers(dice: Dice, birth_days: Whole, female: npt.NDArray[np.bool_]) -> list[str]:
    """Return one 18-character identity number for each day of birth (days since 1970-01-01), all different.

    Holds for up to 500 people of one sex born on one day.
    """
    texts = {day: int(f"{day_of(day):%Y%m%d}") for day in set(birth_days.tolist())}
    births = np.array([texts[day] for day in birth_days.tolist()], dtype=np.int64)
    start = int(dice.below(500, 1)[0])
    serial = (start + 37 * (births % 97) + _ranks(births * 2 + female)) % 500
    body = (AREA * 10**8 + births) * 1000 + 2 * serial + np.where(female, 0, 1)
    total, rest = np.zeros_like(body), body.copy()
    for weight in reversed(_RESIDENT_WEIGHTS):
        total += weight * (rest % 10)
        rest //= 10
    checks = (total % 11).tolist()
    return [f"{number}{_RESIDENT_CHECKS[check]}" for number, check in zip(body.tolist(), checks, strict=True)]


def phone_numbers(dice: Dice, count: int) -> list[str]:
    """Return ``count`` phone numbers of eleven digits that begin with 12."""
    return [f"12{number:09d}" for number in dice.below(10**9, count).tolist()]


def organization_code(kind: str, serial: int) -> str:
    """Return an organization's unified code: two characters of kind, the area, a body and two checks.

    >>> organization_code("12", 2)
    '12360599MA0000023B'
    """
    body = f"MA{serial:06d}"
    weighed = sum(int(letter, 36) * weight for letter, weight in zip(body, _BODY_WEIGHTS, strict=True))
    check = 11 - weighed % 11
    code = f"{kind}{AREA}{body}{'0' if check == 11 else 'X' if check == 10 else check}"
    total = sum(_CODE_LETTERS.index(letter) * pow(3, place, 31) for place, letter in enumerate(code))
    return code + _CODE_LETTERS[(31 - total % 31) % 31]
