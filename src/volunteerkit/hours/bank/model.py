"""Values of the time bank (credit ledger): accounts, balances, redemptions, lines of an account."""

from __future__ import annotations

import datetime as dt
from typing import Final

import attrs

__all__ = [
    "BANK",
    "CANCEL",
    "DEPOSIT",
    "EXPIRE",
    "EXPIRED",
    "GIFT",
    "HOLD",
    "REDEEM",
    "REFUND",
    "STATES",
    "TAKE_BACK",
    "Balance",
    "BankLine",
    "Redemption",
    "person_account",
    "redeemed_account",
    "volunteer_of",
]

DEPOSIT: Final = "DEPOSIT"
TAKE_BACK: Final = "TAKE_BACK"
HOLD: Final = "HOLD"
REDEEM: Final = "REDEEM"
CANCEL: Final = "CANCEL"
REFUND: Final = "REFUND"
GIFT: Final = "GIFT"
EXPIRE: Final = "EXPIRE"

STATES: Final = ("held", "redeemed", "cancelled", "lapsed", "refunded")

BANK: Final = 0
"""The account that every deposited minute comes from; it stands below zero by what is in circulation."""

EXPIRED: Final = 1
"""The account where expired minutes arrive."""

_PERSON, _REDEEMED, _KINDS = 2, 3, 4


def __dir__() -> list[str]:
    return __all__


def person_account(volunteer_id: int) -> int:
    """Return the id of a volunteer's credit account.

    >>> person_account(7)
    30
    """
    return volunteer_id * _KINDS + _PERSON


def redeemed_account(organization_id: int) -> int:
    """Return the id of the account where the minutes redeemed at an organization arrive.

    >>> redeemed_account(7)
    31
    """
    return organization_id * _KINDS + _REDEEMED


def volunteer_of(account_id: int) -> int | None:
    """Return whose credit account it is, None for another kind of account.

    >>> volunteer_of(person_account(7)), volunteer_of(redeemed_account(7)), volunteer_of(BANK)
    (7, None, None)
    """
    holder, kind = divmod(account_id, _KINDS)
    return holder if kind == _PERSON else None


@attrs.frozen
class Balance:
    """What a person has in the time bank on a day, in whole minutes.

    ``posted_minutes`` were deposited or received and neither redeemed, given away nor expired; of these
    ``held_minutes`` wait to be redeemed. ``available_minutes`` may be held now: what is neither held nor
    expired, and below it the overdraft that the city allows. Below zero it tells how much has to be earned
    first. ``expiring`` are (last day, minutes) of what will expire, soonest first.
    """

    volunteer: str
    on: dt.date
    posted_minutes: int
    held_minutes: int
    available_minutes: int
    expiring: tuple[tuple[dt.date, int], ...] = ()


@attrs.frozen
class Redemption:
    """Minutes that a person gives for a service at an organization.

    ``state`` is held (until the day ``until``, inclusive), redeemed, cancelled, lapsed or refunded. With
    ``replayed`` the same key and payload had come before: nothing was written now.
    """

    id: int
    volunteer: str
    organization: str
    minutes: int
    state: str
    held_on: dt.date
    until: dt.date
    replayed: bool = False


@attrs.frozen
class BankLine:
    """One movement of a person's credit account; ``minutes`` are negative when they left it.

    ``record_id`` is the service record that was deposited; ``expires_on`` the last day on which the minutes
    may be used, None for ever.
    """

    seq: int
    code: str
    on: dt.date
    minutes: int
    record_id: int | None
    expires_on: dt.date | None
    reason: str = attrs.field(repr=False)
