"""Values of approvals: a workflow, a case, a decision."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from volunteerkit.access import Person, Place
from volunteerkit.errors import Finding
from volunteerkit.workflow import Position, Route, Standing

if TYPE_CHECKING:
    from volunteerkit.store.desk import Desk

__all__ = ["Case", "Decision", "Objection", "StoredGrant", "Workflow"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Decision:
    """What somebody decided at a step: ``verdict`` is approve or refuse, ``at`` an aware instant."""

    step: str
    verdict: str
    actor_id: str
    volunteer: str | None
    on_behalf_of: str | None
    reason: str = attrs.field(repr=False)
    at: dt.datetime


@attrs.frozen
class Objection:
    """What somebody said against a case during its public notice; ``answer`` is open, dismissed or upheld."""

    number: int
    actor_id: str
    reason: str = attrs.field(repr=False)
    on: dt.date
    answer: str


@attrs.frozen
class StoredGrant:
    """A grant kept in the database; days are inclusive, ``until`` None for an open end.

    A ``delegated`` one is lent by ``granted_by`` and worth nothing when the lender's own has ended.
    """

    number: int
    actor_id: str
    role: str
    scope: str | None
    since: dt.date
    until: dt.date | None
    granted_by: str
    delegated: bool


@attrs.frozen
class Case:
    """One approval travelling its route.

    ``subject`` is an opaque id such as ``"volunteer:12"``; ``place`` says whose it is; ``facts`` choose the
    office of a step and hold ids, codes and whole numbers only,
    but for ``reason`` (``project`` is the number of the one it is about); ``beneficiary`` is a volunteer's number who
    gains from it. ``opened_for`` is on whose behalf it was opened. ``put`` is where it was last put,
    ``standing`` where it stands today. ``closed_by`` is who decided or withdrew it: an actor, ``deadline``
    when a term or notice ran out, ``route`` when there was nothing to decide, ``imported`` when a file said how it ended; None while it waits.
    """

    id: int
    kind: str
    subject: str
    place: Place
    facts: Mapping[str, Any] = attrs.field(hash=False, repr=False)
    beneficiary: str | None
    opened_by: str
    opened_volunteer: str | None
    opened_for: str | None
    opened_on: dt.date
    previous_id: int | None
    findings: tuple[Finding, ...]
    put: Position
    standing: Standing
    version: int
    closed_by: str | None
    reason: str = attrs.field(repr=False)

    @property
    def state(self) -> str:
        """Where it stands today: review, notice, objected, granted, refused or withdrawn."""
        return self.standing.state


def _nobody(_: Case) -> tuple[Person, ...]:
    return ()


@attrs.frozen
class Workflow:
    """How one kind of case works: its ``route``, the ``action`` that deciding is, and what follows.

    ``settle(desk, case, outcome, on)`` writes what the outcome (granted, refused, withdrawn) means for the
    subject, with effect from day ``on``; it is called once, in the transaction that closes the case, at the
    desk of whoever closed it, perhaps a sweeper: it checks no permission. When it raises, nothing was
    written and the case waits on. ``parties(case)`` are further persons who may not decide: whoever made
    the case, is its subject or beneficiary never may. A ``confidential`` case is there for its office
    alone: whoever opened it does not learn that it exists, because that already answers a question.
    With ``by_subject`` the case is about a wish of the volunteer who is its subject, and they withdraw it too,
    whoever opened it.
    """

    route: Route
    action: str
    settle: Callable[[Desk, Case, str, dt.date], None] = attrs.field(repr=False)
    parties: Callable[[Case], tuple[Person, ...]] = attrs.field(default=_nobody, repr=False)
    confidential: bool = False
    by_subject: bool = False
