"""Claims: somebody says that a registered volunteer is themselves, and nobody learns anything by saying so."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from volunteerkit.access import Place
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.errors import Refused
from volunteerkit.privacy import normal
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text
from volunteerkit.store.vault import open_subject
from volunteerkit.volunteers.identity import read_identity
from volunteerkit.volunteers.persons import connect, together
from volunteerkit.volunteers.registering import known_identity
from volunteerkit.volunteers.tables import volunteer
from volunteerkit.workflow import Office, Route, Step

__all__ = ["WORKFLOWS", "claim"]


def __dir__() -> list[str]:
    return __all__


@command
def claim(desk: Desk, *, identity_number: str, name: str, phone: str = "") -> None:
    """Claim to be the volunteer with that identity number; the centre looks into it.

    Nothing is answered, whether there is such a person or not and whatever was given of them: the case is
    there for those who decide it, and the claimant learns the outcome from the centre. A second claim of the same person
    while one is waiting changes nothing. Raises NotPermitted, InvalidValue, KeyProblem.
    """
    desk.permit("volunteer.claim", Place(None, (), (), (), desk.actor.id))
    cipher, identity = desk.needed_cipher(), read_identity(identity_number, desk.today)
    checked_text("name", name, 100)
    if phone:
        checked_text("phone", phone, 40)
    known = known_identity(desk, cipher, identity.number)
    if not known:
        return
    subject = f"volunteer:{known[0]}"
    row = desk.connection.execute(sa.select(volunteer.c.number).where(volunteer.c.id == known[0])).one()
    agrees = _agrees(open_subject(desk.connection, cipher, subject), name, phone)
    facts = {"volunteer": row.number, "claimant": desk.actor.id, **agrees}
    with suppress(Refused):  # a claim is waiting already, which the claimant need not know
        open_case(desk, "volunteer.claim", subject, Place(), facts=facts)


def _agrees(personal: dict[str, Any], name: str, phone: str) -> dict[str, bool]:
    given = {"name": name, "phone": phone}
    return {
        f"{field}_agrees": bool(text) and normal(field, personal.get(field, "")) == normal(field, text)
        for field, text in given.items()
    }


def _settle_claim(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome == "granted":
        who = together(desk.connection, int(case.subject.partition(":")[2]))[0]
        connect(desk, case.facts["claimant"], who)
        note(desk, "volunteer.claimed", case.subject, {"actor": case.facts["claimant"], "case": case.id})


WORKFLOWS = (
    Workflow(
        Route("volunteer.claim", (Step("centre", Office("centre"), days=10),)), "volunteer.decide", _settle_claim,
        confidential=True,
    ),
)  # fmt: skip
"""A claim is decided by the centre, and seen by nobody else."""
