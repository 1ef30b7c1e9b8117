"""A guardian's consent, answered by the volunteer who has come of age."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from volunteerkit.clock import years_after
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.privacy import found_by
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import command, note
from volunteerkit.store.vault import CLOSED, open_subject, retention_of, seal_subject
from volunteerkit.units import day_number
from volunteerkit.volunteers.model import ADULT_YEARS, EARNING_YEARS
from volunteerkit.volunteers.reading import Found, reached
from volunteerkit.volunteers.registering import CONSENT, agree
from volunteerkit.volunteers.status import deregister
from volunteerkit.volunteers.tables import acknowledgement

__all__ = ["answer_consent"]


def __dir__() -> list[str]:
    return __all__


@command
def answer_consent(desk: Desk, number: str, answer: str, *, own_income: bool = False) -> None:
    """Confirm or withdraw, as a volunteer of age, the consent that a guardian gave in one's place.

    Until then the guardian's consent stands, whatever the age. ``"confirm"`` notes the volunteer's own
    consent of today, and nothing is kept of the guardian but that there was a consent; ``"withdraw"`` cancels
    the registration: see `deregister`. Of age is who is 18, or 16 and says that they live mainly on
    an income of their own (``own_income``). Nobody answers for another. Raises NotFound, NotPermitted,
    InvalidValue, KeyProblem, Refused when there is no such consent, one is not of age, or the registration
    is over.
    """
    if answer not in ("confirm", "withdraw"):
        raise InvalidValue(name="answer", value=answer, allowed="confirm, withdraw")
    cipher = desk.needed_cipher()
    found, _ = reached(desk, "volunteer.consent", number)
    if retention_of(desk.connection, found.subject)[0] in CLOSED:
        raise Refused(Finding("restricted", {"number": found.number}))
    personal = open_subject(desk.connection, cipher, found.subject)
    guardian = personal.pop("guardian", None) or {}
    day = guardian.get("consented_on")
    consented = day_number(dt.date.fromisoformat(day)) if day else _last(desk, found, "guardian_consent")
    if consented is None:
        raise Refused(Finding("no_guardian_consent", {"volunteer": found.number}))
    of_age = _of_age(desk, str(personal.get("born_on") or ""), own_income)
    # what was kept of the guardian may be erased already, when they come of age
    own = None if day else _last(desk, found, CONSENT)
    if own is not None and own > consented and own >= of_age:
        raise Refused(Finding("no_guardian_consent", {"volunteer": found.number}))
    if found.status not in ("pending", "approved", "suspended"):
        raise Refused(Finding("status_does_not_allow", {"volunteer": found.number, "status": found.status}))
    if answer == "withdraw":
        deregister(desk, found.number)
    else:
        agree(desk, found.id, CONSENT, str(_given(desk, found) + 1), desk.today)
        seal_subject(desk.connection, cipher, found.subject, personal, found_by=found_by(personal))
    note(desk, "volunteer.consent_answered", found.subject, {"answer": answer})


def _of_age(desk: Desk, born_on: str, own_income: bool) -> int:
    """Return the day number from which the volunteer answers; raise Refused before it."""
    if not born_on:
        raise Refused(Finding("age_unknown", {}))
    years = EARNING_YEARS if own_income else ADULT_YEARS
    first = years_after(dt.date.fromisoformat(born_on), years)
    if first > desk.today:
        raise Refused(Finding("not_of_age", {"age": years}))
    return day_number(first)


def _last(desk: Desk, found: Found, document: str) -> int | None:
    """Return the last day number on which the volunteer agreed to a document, or somebody for them."""
    mine = (acknowledgement.c.volunteer_id == found.id, acknowledgement.c.document == document)
    query = sa.select(sa.func.max(acknowledgement.c.acknowledged_on)).where(*mine)
    day: int | None = desk.connection.execute(query).scalar()
    return day


def _given(desk: Desk, found: Found) -> int:
    mine = (acknowledgement.c.volunteer_id == found.id, acknowledgement.c.document == CONSENT)
    return int(desk.connection.execute(sa.select(sa.func.count()).where(*mine)).scalar_one())
