"""Identity numbers: mainland (18 digits, 15 converted), residence permits 81/82/83, permanent residents 9.

Own lines because the known libraries refuse valid numbers of people born before 1984 or take milliseconds
each. Check character: ISO 7064 MOD 11-2 (GB 11643).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final, Literal

import attrs

from volunteerkit.clock import years_after
from volunteerkit.errors import InvalidValue
from volunteerkit.units import day_number, fold
from volunteerkit.volunteers.model import ADULT_YEARS

__all__ = ["Identity", "adult_on", "check_character", "read_identity"]

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHARACTERS: Final = "10X98765432"
_SHAPE: Final = re.compile(r"[1-9][0-9]{14}|[1-9][0-9]{16}[0-9X]")


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Identity:
    """An identity number in its 18-character form; ``number`` never shows in a repr.

    ``doubts`` are codes: ``bad_check_character``, ``old_15_digit_id``.
    """

    number: str = attrs.field(repr=False)
    kind: Literal["mainland", "residence_permit", "permanent_resident"]
    born_on: dt.date
    sex: Literal["F", "M"]
    doubts: tuple[str, ...] = ()


def check_character(first17: str) -> str:
    """Return the check character for the first 17 digits.

    >>> check_character("36059919900315001")
    '5'
    """
    return _CHARACTERS[sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True)) % 11]


def read_identity(text: str, latest: dt.date | None = None) -> Identity:
    """Read an identity number; full-width characters, lower-case x and spaces are folded.

    A wrong check character is a doubt, not a refusal. Raises InvalidValue identity_unreadable for another
    length or other characters (a number that a spreadsheet rounded, 3.6E+17), for a birth date that does
    not exist or lies after ``latest``.

    >>> read_identity(" 36059919900315001５ ").born_on
    datetime.date(1990, 3, 15)
    """
    if type(text) is not str:
        raise InvalidValue("identity_unreadable")
    number = fold(text).replace(" ", "").strip().upper()
    doubts: tuple[str, ...] = ()
    if not _SHAPE.fullmatch(number):
        raise InvalidValue("identity_unreadable")
    if len(number) == 15:
        body = f"{number[:6]}19{number[6:]}"
        number = body + check_character(body)
        doubts = ("old_15_digit_id",)
    elif check_character(number[:17]) != number[17]:
        doubts = ("bad_check_character",)
    try:
        born_on = dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise InvalidValue("identity_unreadable") from None
    if born_on.year < 1850 or (latest is not None and born_on > latest):
        raise InvalidValue("identity_unreadable")
    kind: Literal["mainland", "residence_permit", "permanent_resident"] = "mainland"
    if number[:2] in ("81", "82", "83"):
        kind = "residence_permit"
    elif number[0] == "9":
        kind = "permanent_resident"
    return Identity(number, kind, born_on, "M" if int(number[16]) % 2 else "F", doubts)


def adult_on(born_on: dt.date) -> int:
    """Return the day number of the 18th birthday; for 29 February it is 1 March in an ordinary year.

    >>> adult_on(dt.date(1970, 1, 1)) == day_number(dt.date(1988, 1, 1))
    True
    """
    return day_number(years_after(born_on, ADULT_YEARS))
