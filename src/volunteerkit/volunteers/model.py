"""Values of volunteers: an application, a guardian, a status and the days it holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final
from unicodedata import normalize

import attrs

from volunteerkit.clock import age_on
from volunteerkit.errors import Finding, InvalidValue
from volunteerkit.privacy import normal
from volunteerkit.units import plain_day

__all__ = [
    "ADULT_YEARS",
    "CHILD_YEARS",
    "EARNING_YEARS",
    "PERIODS",
    "STATUSES",
    "TAG_KINDS",
    "Acknowledgement",
    "Application",
    "Guardian",
    "Period",
    "review_age",
    "review_guardian",
    "status_on",
]

STATUSES: Final = ("pending", "approved", "refused", "suspended", "deregistered", "merged", "erased")
"""Statuses a volunteer is put into; ``suspended`` without dates comes from imports before those had periods."""

PERIODS: Final = ("blacklisted", "suspended", "on_leave", "provisional")
"""Kinds of dated periods of an approved volunteer, the strongest first."""

CHILD_YEARS: Final = 14
"""Below, personal data need a guardian's consent (Personal Information Protection Law, articles 28 and 31)."""

EARNING_YEARS: Final = 16
"""From here on who lives mainly on an income of their own acts for themselves (Civil Code, article 18)."""

ADULT_YEARS: Final = 18
"""From here on everybody acts for themselves (Civil Code, articles 17 and 18)."""

TAG_KINDS: Final = ("skill", "language", "service_field", "availability")


def __dir__() -> list[str]:
    return __all__


def _tags(values: Iterable[str]) -> tuple[str, ...]:
    # in the form in which they are stored, where one stands once
    plain = {normalize("NFC", each).strip() if type(each) is str else each for each in values}
    return tuple(sorted(plain, key=str))


@attrs.frozen
class Guardian:
    """Who answers for a minor: sealed with the minor's own data. ``consented_on`` is the day of the consent."""

    name: str = attrs.field(repr=False)
    phone: str = attrs.field(repr=False)
    relation: str = "guardian"
    identity_number: str = attrs.field(default="", repr=False)
    consented_on: dt.date | None = None

    def __attrs_post_init__(self) -> None:
        if self.consented_on is not None:
            plain_day("consented_on", self.consented_on)


@attrs.frozen
class Acknowledgement:
    """A document in one version that was agreed to on a day: ``rights_and_duties``, ``data_use`` …"""

    document: str
    version: str
    on: dt.date

    def __attrs_post_init__(self) -> None:
        plain_day("on", self.on)


@attrs.frozen
class Application:
    """What somebody gives to be registered (Order 67, article 5); personal data never show in a repr.

    ``organization`` is the number of the organization that will manage the volunteer; ``by_oneself`` tells
    that the applicant acts, else an organization does, which needs ``consent_on``: the day the person
    agreed. ``student``, ``own_income`` and ``school_procedure`` matter under 18. Raises InvalidValue.

    >>> Application("兰", "O0001", born_on=dt.date(1990, 5, 1)).name == "兰"
    True
    """

    name: str = attrs.field(repr=False)
    organization: str
    identity_number: str | None = attrs.field(default=None, repr=False)
    phone: str | None = attrs.field(default=None, repr=False)
    born_on: dt.date | None = attrs.field(default=None, repr=False)
    sex: str = attrs.field(default="", repr=False)
    email: str = attrs.field(default="", repr=False)
    address: str = attrs.field(default="", repr=False)
    political_status: str = attrs.field(default="", repr=False)
    education: str = attrs.field(default="", repr=False)
    employer: str = attrs.field(default="", repr=False)
    area: str = ""
    skills: tuple[str, ...] = attrs.field(default=(), converter=_tags)
    languages: tuple[str, ...] = attrs.field(default=(), converter=_tags)
    service_fields: tuple[str, ...] = attrs.field(default=(), converter=_tags)
    availability: tuple[str, ...] = attrs.field(default=(), converter=_tags)
    by_oneself: bool = False
    consent_on: dt.date | None = None
    guardian: Guardian | None = None
    student: bool = False
    own_income: bool = False
    school_procedure: bool = False
    acknowledged: tuple[Acknowledgement, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.sex not in ("", "F", "M"):
            raise InvalidValue(name="sex", value="?", allowed="F, M")
        for name in ("born_on", "consent_on"):
            if getattr(self, name) is not None:
                plain_day(name, getattr(self, name))


@attrs.frozen
class Period:
    """Days from ``since`` to ``until`` (inclusive; None for an open end) on which ``kind`` holds."""

    kind: str
    since: dt.date
    until: dt.date | None = None

    def holds_on(self, day: dt.date) -> bool:
        """Tell whether ``day`` lies in the period."""
        return self.since <= day and (self.until is None or day <= self.until)


def status_on(status: str, periods: Iterable[Period], day: dt.date) -> str:
    """Return the status on ``day``: an approved volunteer's strongest period, everybody else's own status.

    >>> status_on("approved", [Period("on_leave", dt.date(2026, 11, 1), dt.date(2026, 11, 30))],
    ...           dt.date(2026, 12, 1))
    'approved'
    """
    if status != "approved":
        return status
    now = {period.kind for period in periods if period.holds_on(day)}
    return next((kind for kind in PERIODS if kind in now), "approved")


def review_age(application: Application, born_on: dt.date | None, day: dt.date) -> tuple[Finding, ...]:
    """Return what the applicant's age asks for.

    Under 14 a guardian's consent is needed for the personal data themselves, under 18 for the service,
    except from 16 on for those who live mainly on an income of their own. A city's further conditions come
    from plugins. The consent stands until the volunteer answers it when of age: see `answer_consent`.
    """
    if born_on is None:
        return (Finding("age_unknown", {}, "warn"),)
    age = age_on(born_on, day)
    guardian = application.guardian
    consented = guardian is not None and guardian.consented_on is not None and bool(guardian.phone)
    if consented or age >= (EARNING_YEARS if application.own_income else ADULT_YEARS):
        return ()
    return (Finding("guardian_consent_needed", {"age": CHILD_YEARS if age < CHILD_YEARS else ADULT_YEARS}),)


def review_guardian(application: Application, born_on: dt.date | None) -> tuple[Finding, ...]:
    """Return what shows that a guardian is the applicant, or agreed before there was anybody to agree for."""
    guardian, found = application.guardian, list[Finding]()
    if guardian is None:
        return ()
    if normal("name", guardian.name) == normal("name", application.name):
        found.append(Finding("guardian_is_applicant", {}))
    if born_on and guardian.consented_on and guardian.consented_on < born_on:
        found.append(Finding("consent_before_birth", {"day": guardian.consented_on}))
    return tuple(found)
