"""The library's own routes for projects."""

from __future__ import annotations

from typing import Any, Final

from volunteerkit.approvals import Workflow
from volunteerkit.organizations.routes import DEPARTMENT
from volunteerkit.projects import applying, changing, lifecycle
from volunteerkit.workflow import Office, Route, Step

__all__ = ["workflows"]

_CENTRE: Final = Office("centre")
_DAYS: Final = 10


def __dir__() -> list[str]:
    return __all__


def workflows(lead: Office = DEPARTMENT) -> tuple[Workflow, ...]:
    """Return the workflows, with ``lead`` as the office where the department decides.

    >>> [each.route.kind for each in workflows()][:2]
    ['project.application', 'project.back_entry']
    """

    def above(facts: Any) -> Office:
        if facts.get("by") == "team":
            return Office("organization_admin")
        # without an area no officer would ever be reached
        return lead if lead.role != "department_officer" or lead.scope or facts.get("area") else _CENTRE

    first = Step("review", above, days=_DAYS, at_deadline="escalate", escalate_to=_CENTRE)
    # what nobody could see while it took place is vouched for twice
    second = Step("centre", _CENTRE, days=_DAYS)
    settled = {
        applying.APPLICATION: ((first,), applying.settle_application),
        applying.BACK_ENTRY: ((first, second), applying.settle_application),
        changing.CHANGE: ((first,), changing.settle_change),
        lifecycle.CLOSING: ((first,), lifecycle.settle_closing),
    }
    return tuple(
        Workflow(Route(kind, steps), "project.decide", settle) for kind, (steps, settle) in settled.items()
    )
