"""Values: a profile, a find, what is due for erasure. What is personal never shows in a repr."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["Due", "Found", "Profile"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Profile:
    """A volunteer as the actor may see them.

    ``fields`` are the personal ones, in full or in their mask; ``masked`` names those in a mask.
    ``retention`` is registered, kept, restricted or erased.
    """

    number: str
    organization: str
    team: str | None
    district: str
    status: str
    registered_on: dt.date
    retention: str
    skills: tuple[str, ...]
    fields: Mapping[str, Any] = attrs.field(repr=False, hash=False)
    masked: frozenset[str]


@attrs.frozen
class Found:
    """One volunteer in a list: number, name as far as the actor sees it, organization's number, status."""

    number: str
    name: str = attrs.field(repr=False)
    organization: str
    status: str


@attrs.frozen
class Due:
    """What may no longer be kept: the fields, and the first day on which they may not."""

    number: str
    fields: tuple[str, ...]
    since: dt.date
