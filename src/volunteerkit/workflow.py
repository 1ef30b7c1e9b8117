"""Routes and where a case stands on one, as values: no database, no clock, no plugin.

A case travels the steps of its route. Every step has an office that decides, a quorum, and perhaps a term
after which something happens by itself. Where a case stands on a day is a function of what was decided,
the route and the calendar: whether anybody has swept up expired terms changes nothing about it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import attrs

from volunteerkit.clock import Calendar
from volunteerkit.errors import InvalidValue
from volunteerkit.units import whole_number

__all__ = [
    "CLOSED",
    "OPEN",
    "Office",
    "Position",
    "Route",
    "Standing",
    "Step",
    "after_approval",
    "forecast",
    "stands",
]

OPEN = ("review", "notice", "objected")
"""States in which a case still waits: for a decision, for the end of its notice, for an objection's answer."""

CLOSED = ("granted", "refused", "withdrawn")
"""States that a case never leaves."""

Facts = Mapping[str, Any]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Office:
    """Who decides a step: holders of ``role`` for the case's organization, team, area, or the whole city.

    ``scope`` tells which of several organizations, teams or areas of the case; None takes any of its own. Holders of
    the roles in ``also`` may decide in their place.

    >>> Office("organization_admin", also=("centre",)).roles
    ('organization_admin', 'centre')
    """

    role: str
    scope: str | None = None
    also: tuple[str, ...] = ()

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles that may decide, the one whose task it is first."""
        return (self.role, *self.also)


@attrs.frozen
class Step:
    """One step: ``office`` decides, or a function from the case's facts to an office.

    ``quorum`` approvals of different persons are needed; one refusal refuses. ``days`` is the term, in
    working days or (``calendar_days``) calendar days; at its end ``at_deadline`` happens by itself:
    ``grant``, ``refuse``, or ``escalate`` to the office ``escalate_to`` for another term, once; approvals
    given before count on. Without ``at_deadline`` the case is merely overdue. With ``since_opening`` the term
    is counted from the day on which the case was opened, whenever the step began.
    """

    name: str
    office: Office | Callable[[Facts], Office]
    quorum: int = 1
    days: int | None = None
    calendar_days: bool = False
    at_deadline: Literal["grant", "refuse", "escalate"] | None = None
    escalate_to: Office | None = None
    since_opening: bool = False

    def __attrs_post_init__(self) -> None:
        whole_number("quorum", self.quorum, 1)
        if self.days is not None:
            whole_number("days", self.days, 1)
        if self.at_deadline not in (None, "grant", "refuse", "escalate"):
            raise InvalidValue(name="at_deadline", value=self.at_deadline, allowed="grant, refuse, escalate")
        if (self.at_deadline is not None and self.days is None) or (
            (self.at_deadline == "escalate") != (self.escalate_to is not None)
        ):
            raise InvalidValue(name="at_deadline", value=self.at_deadline, allowed="days, escalate_to")
        if self.since_opening and (self.days is None or self.at_deadline == "escalate"):
            raise InvalidValue(name="since_opening", value=True, allowed="days, grant, refuse")

    def office_for(self, facts: Facts, escalated: bool = False) -> Office:
        """Return who decides a case with these facts, before or after the term ran out."""
        if escalated and self.escalate_to is not None:
            return self.escalate_to
        return self.office(facts) if callable(self.office) else self.office

    def due_on(self, since: dt.date, calendar: Calendar) -> dt.date | None:
        """Return the last day of the term that began with the event of day ``since``; None without one."""
        if self.days is None:
            return None
        count = calendar.days_after if self.calendar_days else calendar.working_days_after
        return count(since, self.days)


def _tuple(given: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(given)


@attrs.frozen
class Route:
    """The steps of one kind of case, then ``notice_days`` working days of public notice if any.

    ``kind`` names what is decided, such as ``volunteer.registration``. A route without steps grants at once.

    >>> Route("team.registration", (Step("organization", Office("organization_admin"), days=5),)).notice_days
    0
    """

    kind: str
    steps: tuple[Step, ...] = attrs.field(default=(), converter=_tuple)
    notice_days: int = 0

    def __attrs_post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if len(set(names)) != len(names):
            raise InvalidValue(name="steps", value=", ".join(names), allowed="every name once")
        whole_number("notice_days", self.notice_days)

    def step(self, number: int) -> Step | None:
        """Return the step with that number, counted from 0; None on a route without steps.

        A case that waits at a step which its route has lost meanwhile stands at the last one.
        """
        return self.steps[min(number, len(self.steps) - 1)] if self.steps else None


@attrs.frozen
class Position:
    """Where a case was last put: its state, step, whether that step was escalated, and since which day."""

    state: str = "review"
    step: int = 0
    escalated: bool = False
    since: dt.date = dt.date.min


@attrs.frozen
class Standing:
    """Where a case stands on a day: the position, its term's last day, and whether it came there by itself.

    ``due_on`` is None without a term, or when the calendar does not know that far. ``automatic`` tells that
    a term or a notice ran out rather than somebody deciding.
    """

    position: Position
    due_on: dt.date | None
    automatic: bool = False

    @property
    def state(self) -> str:
        """The state: review, notice, objected, granted, refused or withdrawn."""
        return self.position.state

    @property
    def closed(self) -> bool:
        """Whether the case is decided or withdrawn."""
        return self.state in CLOSED


def after_approval(route: Route, step: int, on: dt.date) -> Position:
    """Return the position after step ``step`` was approved on day ``on``.

    >>> after_approval(Route("x"), 0, dt.date(2026, 11, 24)).state
    'granted'
    """
    if step + 1 < len(route.steps):
        return Position("review", step + 1, False, on)
    return Position("notice" if route.notice_days else "granted", step, False, on)


def _term(route: Route, at: Position, calendar: Calendar, opened: dt.date | None) -> dt.date | None:
    if at.state == "notice":
        return calendar.working_days_after(at.since, route.notice_days)
    if at.state == "review":
        step = route.step(at.step)
        if step is None:
            return None
        return step.due_on(opened if opened and step.since_opening else at.since, calendar)
    return None


def _after_term(route: Route, at: Position, due: dt.date) -> Position | None:
    """Return where a case goes when the term ended on ``due``; None when it merely stays overdue."""
    # The term's last day still belongs to those who may decide; what follows begins the day after.
    following = max(due + dt.timedelta(1), at.since)
    if at.state == "notice":
        return Position("granted", at.step, False, following)
    step = route.step(at.step)
    assert step is not None  # a term that ended was a step's
    if step.at_deadline == "grant":
        return after_approval(route, at.step, following)
    if step.at_deadline == "refuse":
        return Position("refused", at.step, False, following)
    if step.at_deadline == "escalate" and not at.escalated:
        return Position("review", at.step, True, due)
    return None


def stands(
    route: Route, at: Position, on: dt.date, calendar: Calendar, opened: dt.date | None = None
) -> Standing:
    """Return where a case that was put to ``at`` stands on day ``on``; it was opened on day ``opened``.

    A step that somebody's decision began has at least that day, also when its term since the opening is over.

    >>> step = Step("organization", Office("organization_admin"), days=1, at_deadline="grant")
    >>> monday = dt.date(2026, 11, 23)
    >>> [stands(Route("x", (step,)), Position(since=monday), monday + dt.timedelta(n), Calendar()).state
    ...  for n in (0, 1, 2)]
    ['review', 'review', 'granted']
    """
    automatic = False
    while at.state in ("review", "notice"):
        due = _term(route, at, calendar, opened)
        if due is not None and not automatic:
            due = max(due, at.since)
        moved = None if due is None or on <= due else _after_term(route, at, due)
        if moved is None:
            return Standing(at, due, automatic)
        at, automatic = moved, True
    return Standing(at, None, automatic)


def forecast(
    route: Route, at: Position, calendar: Calendar, opened: dt.date | None = None
) -> tuple[str, dt.date] | None:
    """Return (state, day) in which a case ends if nobody does anything; None when it would wait for ever.

    Kept beside the case so that a list in SQL sees the same as `stands`.
    """
    found = stands(route, at, dt.date.max, calendar, opened)
    return (found.state, found.position.since) if found.closed else None
