"""What a quarantine may keep of a refused cell: enough to find the mistake, nobody's datum.

Columns get mixed up, so a value is kept in plain only if it has the form that belongs into some column that
is not personal: an id, a date, a time, a length, a word of the library's own.
"""

from __future__ import annotations

import re
from typing import Final

from volunteerkit.exchange.cells import clean, mask
from volunteerkit.exchange.layouts import PERSONAL, is_word
from volunteerkit.privacy import HIDDEN, hide

__all__ = ["shown"]

_MOST: Final = 100
_UNITS: Final = re.compile(
    r"(?<=[0-9.: ])(?:个?小时|分钟|[年月日号时分秒点時]|hours?|hrs?|minutes?|mins?|[ap]m|utc|gmt|[hmtz])(?![a-z])",
    re.IGNORECASE,
)
_ID: Final = re.compile(r"[A-Za-z0-9_.:/#␀-]+")
_RANDOM: Final = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_NUMBER: Final = re.compile(r"[0-9Xx*.Ee+\s()-]+")
_LONG: Final = re.compile(r"[0-9]{13,}[0-9Xx]{2}")


def __dir__() -> list[str]:
    return __all__


def shown(field: str, text: str) -> str:
    """Return what may be kept of the cell ``text`` under ``field``, at most 100 characters; "＊" stands for the rest.

    ``field`` is empty for a column that no field is read from.

    >>> shown("hours", "25小时"), shown("status", "张三丰"), shown("phone", "12900000000")
    ('25小时', '＊', '*********00')
    """
    plain = clean(text).replace("\0", "␀")  # PostgreSQL stores no NUL
    if not plain:
        return ""
    if field in PERSONAL:
        numeric = field in ("resident_id", "phone")
        return mask(field, plain[:_MOST]) if not numeric or _NUMBER.fullmatch(plain) else HIDDEN
    # a source's own record ids may be long numbers
    hidden = hide(plain) if field == "record_id" else _LONG.sub(_ends, hide(plain))
    if not _tellable(hidden):
        return HIDDEN
    return (plain if hidden == plain else hidden)[:_MOST]


def _ends(found: re.Match[str]) -> str:
    return "*" * (len(found[0]) - 2) + found[0][-2:]


def _tellable(text: str) -> bool:
    if is_word(text) or not any(letter.isalpha() for letter in _UNITS.sub("", text)):
        return True
    letters = sum(letter.isalpha() for letter in text)
    # as many digits as letters: a name with a year behind it is none
    id_ = _ID.fullmatch(text) and letters <= sum(letter.isdigit() for letter in text)
    return bool(id_ or _RANDOM.fullmatch(text))
