"""A guardian's consent, answered by the volunteer who has come of age."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from volunteerkit.clock import age_on
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.privacy import found_by
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import command, note
from volunteerkit.store.vault import CLOSED, open_subject, retention_of, seal_subject
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
    guardian = personal.pop("guardian", None)
    if not guardian or not guardian.get("consented_on"):
        raise Refused(Finding("no_guardian_consent", {"volunteer": found.number}))
    _of_age(desk, str(personal.get("born_on") or ""), own_income)
    if found.status not in ("pending", "approved", "suspended"):
        raise Refused(Finding("status_does_not_allow", {"volunteer": found.number, "status": found.status}))
    if answer == "withdraw":
        deregister(desk, found.number)
    else:
        agree(desk, found.id, CONSENT, str(_given(desk, found) + 1), desk.today)
        seal_subject(desk.connection, cipher, found.subject, personal, found_by=found_by(personal))
    note(desk, "volunteer.consent_answered", found.subject, {"answer": answer})


def _of_age(desk: Desk, born_on: str, own_income: bool) -> None:
    if not born_on:
        raise Refused(Finding("age_unknown", {}))
    years = EARNING_YEARS if own_income else ADULT_YEARS
    if age_on(dt.date.fromisoformat(born_on), desk.today) < years:
        raise Refused(Finding("not_of_age", {"age": years}))


def _given(desk: Desk, found: Found) -> int:
    mine = (acknowledgement.c.volunteer_id == found.id, acknowledgement.c.document == CONSENT)
    return int(desk.connection.execute(sa.select(sa.func.count()).where(*mine)).scalar_one())
