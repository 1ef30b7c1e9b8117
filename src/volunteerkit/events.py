"""Events: what happened, who did it, in which order. One append-only chain serves audit and delivery.

A successful command writes one event in its own transaction; react hooks get it afterwards. The payload
holds opaque ids, codes and numbers only, never a personal datum.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import attrs

__all__ = ["EVENT_TYPES", "Event"]

EVENT_TYPES: Final = {
    "hours.recorded": "minutes were claimed and wait for confirmation",
    "hours.confirmed": "a claim was confirmed",
    "hours.rejected": "a claim was rejected",
    "hours.reversed": "confirmed minutes were taken back, or a reversal was",
    "import.loaded": "a file was imported",
    "volunteer.registered": "a volunteer was registered",
    "organization.registered": "an organization was registered",
    "organization.edited": "what is known of an organization was changed",
    "organization.suspended": "an organization may not act for some time",
    "organization.lifted": "a suspension of an organization was ended",
    "organization.ended": "an organization was dissolved or merged into another",
    "organization.admin_appointed": "somebody administers an organization from now on",
    "organization.admin_removed": "somebody administers an organization no longer",
    "organization.evaluated": "an organization's service was evaluated",
    "team.registered": "a team was registered",
    "team.edited": "what is known of a team was changed",
    "team.suspended": "a team may not act for some time",
    "team.lifted": "a suspension of a team was ended",
    "team.ended": "a team was dissolved",
    "team.transferred": "a team goes over to another organization",
    "base.tenancy_began": "an organization moves into the incubation base",
    "base.tenancy_extended": "an organization stays longer in the incubation base",
    "base.tenancy_ended": "an organization left the incubation base after its review",
    "base.desk_changed": "a desk of the incubation base was added, taken or freed",
    "base.equipment_changed": "equipment of the incubation base was added, lent or came back",
    "base.served": "a tenant of the incubation base received a service",
    "project.registered": "a project was registered",
    "case.opened": "an approval began its way",
    "case.moved": "an approval went on to another step, office or notice",
    "case.closed": "an approval was granted, refused or withdrawn",
    "case.recused": "somebody stays out of an approval",
    "rating.decided": "grades were decided for volunteers",
    "unit.run": "a portal's unit of work was done once under its key",
}
"""Every type of event with its meaning; an unknown type is refused when it is written."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Event:
    """One thing that happened.

    ``seq`` is gap-free; ``at`` is an aware instant; ``subject`` is an opaque id such as ``"record:12"``;
    ``payload`` holds ids, codes and whole numbers. Deliveries may repeat: use ``seq`` as the key.
    """

    seq: int
    type: str
    at: dt.datetime
    actor_id: str
    subject: str
    payload: dict[str, Any] = attrs.field(hash=False)
