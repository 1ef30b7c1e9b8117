"""Values of organizations and teams, and the unified social credit code."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

import attrs

from volunteerkit.errors import InvalidValue
from volunteerkit.messages import phrase
from volunteerkit.privacy import read_phone
from volunteerkit.units import fold, of_type, plain_day, storable

__all__ = [
    "ADMITTED",
    "KINDS",
    "OUTCOMES",
    "WAITING",
    "Administrator",
    "Applied",
    "Contact",
    "Organization",
    "OrganizationForm",
    "Seat",
    "Team",
    "TeamForm",
    "Tenancy",
    "check_character",
    "checked_day",
    "given_contact",
    "given_text",
    "read_credit_code",
]

KINDS: Final = ("legal_person", "registered", "branch", "hosted_group")
"""A legal person of another law, one registered at civil affairs, a branch, an unregistered hosted group."""

WAITING: Final = ("pending", "refused", "withdrawn", "rejected")
"""States of what was applied for and never admitted; everything else is public."""

ADMITTED: Final = ("active", "approved")
"""States in which an organization (active) or a team (approved) may act."""

OUTCOMES: Final = ("graduated", "expired", "gave_up", "expelled")
"""How a tenancy in the incubation base may end: grown up, its time over, left early, sent away."""

_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_MODULUS: Final = 31
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_FIRST, _LAST = dt.date(1900, 1, 1), dt.date(2199, 12, 31)


def __dir__() -> list[str]:
    return __all__


def given_text(name: str, value: str) -> str:
    """Return ``value`` if it is a text, which may be empty; raises InvalidValue for what no driver takes as one.

    >>> given_text("area", "")
    ''
    """
    if type(value) is not str or not storable(value):
        raise InvalidValue(name=name, value=type(value).__name__, allowed=phrase("allowed_text", most=200))
    return value


def checked_day(name: str, value: dt.date) -> dt.date:
    """Return ``value`` if it is a date of 1900 to 2199; raises InvalidValue naming ``name``.

    Another year is a slip of the pen: it would end or begin something that nobody lives to see.

    >>> checked_day("on", dt.date(2026, 11, 24))
    datetime.date(2026, 11, 24)
    """
    if not _FIRST <= plain_day(name, value) <= _LAST:
        raise InvalidValue(name=name, value=str(value), allowed=f"{_FIRST} … {_LAST}")
    return value


def check_character(first17: str) -> str:
    """Return the check character (GB 32100) for the first 17 characters of a unified social credit code.

    >>> check_character("91350100M000100Y4")
    '3'
    """
    total = sum(_ALPHABET.index(letter) * pow(3, i, _MODULUS) for i, letter in enumerate(first17))
    return _ALPHABET[-total % _MODULUS]


def read_credit_code(text: str) -> str:
    """Return a unified social credit code of 18 characters; full-width and small letters are folded.

    Raises InvalidValue credit_code_wrong for another length, for I, O, S, V or Z, which the code never has,
    and for a wrong check character.

    >>> read_credit_code(" 91350100m000100y43 ")
    '91350100M000100Y43'
    """
    code = fold(text).replace(" ", "").strip().upper()
    if len(code) != 18 or not set(code) <= set(_ALPHABET) or check_character(code[:17]) != code[17]:
        raise InvalidValue("credit_code_wrong")
    return code


def _kind(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value not in KINDS:
        raise InvalidValue(name=attribute.name, value=value, allowed=", ".join(KINDS))


def _text(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    given_text(attribute.name, value)


def _number(_: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None:
        given_text(attribute.name, value)


@attrs.frozen
class Contact:
    """Whom to ask at an organization: a person's name, phone and e-mail address, each perhaps empty.

    Personal data: they are sealed and appear in no repr. Raises InvalidValue, which never tells the value.

    >>> Contact("欧阳雪", "129 0000 0078", "xue@example.org").phone
    '12900000078'
    """

    name: str = attrs.field(default="", repr=False)
    phone: str = attrs.field(default="", repr=False)
    email: str = attrs.field(default="", repr=False)

    def __attrs_post_init__(self) -> None:
        for name in ("name", "phone", "email"):
            text = given_text(name, getattr(self, name)).strip()
            if len(text) > 200 or not text.isprintable():
                raise InvalidValue(
                    name=name, value=phrase("count_letters", count=len(text)), allowed=phrase("allowed_text", most=200)
                )  # fmt: skip
            object.__setattr__(self, name, text)
        if self.phone:
            object.__setattr__(self, "phone", read_phone(self.phone))
        if self.email and not _EMAIL.fullmatch(self.email):
            raise InvalidValue(
                name="email", value=phrase("count_letters", count=len(self.email)), allowed="…@…"
            )

    @classmethod
    def masked(cls, name: str, phone: str, email: str) -> Contact:
        """Return a contact of what is shown, which is no phone or address any more."""
        shown = cls(name)
        object.__setattr__(shown, "phone", phone)
        object.__setattr__(shown, "email", email)
        return shown


def given_contact(value: Contact) -> Contact:
    """Return ``value`` if it is a `Contact`; raises InvalidValue."""
    of_type("contact", value, Contact)
    return value


def _contact(_: object, attribute: attrs.Attribute[Contact], value: Contact) -> None:
    given_contact(value)


@attrs.frozen
class OrganizationForm:
    """What an applicant says of an organization.

    ``kind`` is one of `KINDS`; ``area`` the jurisdiction that answers for it; ``parent`` and ``hosted_by``
    are numbers of organizations; ``consent`` names the paper by which the host agreed; ``contact`` is sealed.
    Raises InvalidValue.

    >>> OrganizationForm("渝水区志愿服务联合会", "registered", "渝水区").parent is None
    True
    """

    name: str = attrs.field(validator=_text)
    kind: str = attrs.field(validator=_kind)
    area: str = attrs.field(validator=_text)
    credit_code: str = attrs.field(default="", validator=_text)
    type: str = attrs.field(default="", validator=_text)
    parent: str | None = attrs.field(default=None, validator=_number)
    hosted_by: str | None = attrs.field(default=None, validator=_number)
    consent: str = attrs.field(default="", validator=_text)
    contact: Contact = attrs.field(factory=Contact, validator=_contact, repr=False)


@attrs.frozen
class TeamForm:
    """What somebody says of a team: of an ``organization``, or of people who have none yet.

    ``organization`` and ``parent`` (the team it is a part of) are numbers. Raises InvalidValue.
    """

    name: str = attrs.field(validator=_text)
    area: str = attrs.field(default="", validator=_text)
    organization: str | None = attrs.field(default=None, validator=_number)
    parent: str | None = attrs.field(default=None, validator=_number)


@attrs.frozen
class Applied:
    """What an application made: the number of the organization or team, and the case that decides it."""

    number: str
    case: int


@attrs.frozen
class Organization:
    """An organization as it stands on a day.

    ``status`` is active, suspended, dissolved, merged, or pending, refused, withdrawn; ``successor`` is the
    number of the organization that answers for its records from ``ended_on`` on.
    """

    number: str
    name: str
    kind: str
    type: str
    credit_code: str
    area: str
    parent: str | None
    hosted_by: str | None
    registered_on: dt.date | None
    status: str
    ended_on: dt.date | None
    successor: str | None


@attrs.frozen
class Team:
    """A team as it stands on a day; ``organization`` is the number of the one it belongs to that day."""

    number: str
    name: str
    area: str
    organization: str | None
    parent: str | None
    registered_on: dt.date | None
    status: str
    ended_on: dt.date | None
    successor: str | None


@attrs.frozen
class Administrator:
    """Who administers an organization: an opaque actor id, from ``since`` to ``until`` (inclusive days)."""

    actor_id: str
    since: dt.date
    until: dt.date | None
    granted_by: str


@attrs.frozen
class Tenancy:
    """An organization's time in the incubation base, from ``starts_on`` to ``ends_on`` (inclusive).

    ``status`` is pending, refused, withdrawn, granted, or left after the review of its exit, whose
    ``outcome`` is one of `OUTCOMES`; ``lent`` is how many pieces of equipment are still out.
    """

    id: int
    organization: str
    starts_on: dt.date
    ends_on: dt.date
    status: str
    outcome: str
    lent: int
    services: tuple[tuple[dt.date, str], ...]


@attrs.frozen
class Seat:
    """A desk of the incubation base and the organization that has it on a day, None when it is free."""

    desk: str
    organization: str | None
