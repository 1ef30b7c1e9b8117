"""The library's own routes for organizations, teams and the incubation base."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from volunteerkit.approvals import Workflow
from volunteerkit.organizations import base, teams
from volunteerkit.organizations.actions import REGISTRATION, settle_registration
from volunteerkit.organizations.administrators import ADMIN, settle_admin
from volunteerkit.organizations.standing import STANDING, settle_standing
from volunteerkit.workflow import Office, Route, Step

__all__ = ["DEPARTMENT", "workflows"]

DEPARTMENT: Final = Office("department_officer")
"""The officers of the department for the case's own area: who leads where no plugin says otherwise."""

_CENTRE: Final = Office("centre")
_DAYS: Final = 10


def __dir__() -> list[str]:
    return __all__


def workflows(lead: Office = DEPARTMENT) -> tuple[Workflow, ...]:
    """Return the workflows, with ``lead`` as the office where the department decides.

    >>> [each.route.kind for each in workflows()][:2]
    ['organization.registration', 'organization.admin']
    """

    def by_area(facts: Any) -> Office:
        # without an area no officer would ever be reached
        return lead if lead.role != "department_officer" or lead.scope or facts.get("area") else _CENTRE

    def owner(facts: Any) -> Office:
        return Office("organization_admin") if facts.get("organization") else by_area(facts)

    def side(name: str) -> Callable[[Any], Office]:
        return lambda facts: Office("organization_admin", facts[name])

    transfer = (_step("release", side("first")), _step("accept", side("second")))
    return (
        Workflow(
            Route(REGISTRATION, (_step("department", by_area),)), "organization.decide", settle_registration
        ),
        Workflow(Route(ADMIN, (_step("department", by_area),)), "organization.decide_admin", settle_admin),
        Workflow(Route(STANDING, (Step("centre", _CENTRE),)), "organization.suspend", settle_standing),
        Workflow(
            Route(teams.REGISTRATION, (_step("owner", owner),)), "team.decide", teams.settle_registration
        ),
        Workflow(Route(teams.TRANSFER, transfer), "team.accept", teams.settle_transfer),
        Workflow(
            Route(base.TENANCY, (Step("centre", _CENTRE, days=_DAYS),)), "base.decide", base.settle_tenancy
        ),
    )


def _step(name: str, office: Office | Callable[[Any], Office]) -> Step:
    """Return a step with the usual term: ten working days, then the centre decides."""
    return Step(name, office, days=_DAYS, at_deadline="escalate", escalate_to=_CENTRE)
