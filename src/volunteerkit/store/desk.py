"""A desk: one actor, at one moment, on one open transaction. Every verb takes it first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import sqlalchemy as sa

from volunteerkit.access import Actor, authorize
from volunteerkit.errors import KeyProblem
from volunteerkit.store.vault import Cipher

__all__ = ["Desk", "microseconds"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def __dir__() -> list[str]:
    return __all__


def microseconds(instant: dt.datetime) -> int:
    """Return an aware instant as microseconds since 1970 UTC, the form the tables hold.

    >>> microseconds(dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC))
    1000000
    """
    return (instant - _EPOCH) // _MICROSECOND


@attrs.frozen
class Desk:
    """One actor, at one moment (``now``, an aware instant), on one open transaction (``connection``).

    ``hooks``, ``rulebooks`` and ``functions`` are what the kit's plugins contributed when it was loaded:
    hook name -> ((plugin, function), …), and values by their ids.
    """

    connection: sa.Connection
    actor: Actor
    now: dt.datetime
    zone: ZoneInfo
    hooks: Mapping[str, tuple[tuple[str, Callable[..., Any]], ...]] = attrs.field(factory=dict, repr=False)
    rulebooks: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    functions: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    cipher: Cipher | None = None
    today: dt.date = attrs.field(init=False, repr=False)
    """The day that ``now`` is in the city's zone."""

    @today.default
    def _today(self) -> dt.date:
        return self.now.astimezone(self.zone).date()

    def permit(self, action: str, *, organization: str | None = None, volunteer: str | None = None) -> None:
        """Raise NotPermitted unless the actor may do ``action`` there today."""
        authorize(self.actor, action, self.today, organization=organization, volunteer=volunteer)

    def needed_cipher(self) -> Cipher:
        """Return the cipher; raises KeyProblem when none was handed in."""
        if self.cipher is None:
            raise KeyProblem()
        return self.cipher
