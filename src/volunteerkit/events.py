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
    "hours.reversed": "confirmed minutes were taken back",
    "hours.restored": "a reversal was taken back",
    "credit.settled": "a credit account was brought up to date: deposits, reversals, lapsed holds, expired lots",
    "credit.held": "minutes of the time bank were held for a service",
    "credit.redeemed": "held minutes were redeemed",
    "credit.cancelled": "held minutes were given back",
    "credit.refunded": "redeemed minutes were given back",
    "credit.given": "a volunteer gave minutes to another one",
    "hours.adjusted": "confirmed minutes were changed",
    "hours.moved": "confirmed minutes stand under another project",
    "hours.budget_set": "a project may issue another number of minutes",
    "hours.group_entered": "minutes of unnamed persons were entered for a team",
    "hours.group_decided": "such an entry was confirmed or rejected",
    "period.closed": "nothing is posted on some days any more",
    "period.reopened": "some days of a closing are open again for a while",
    "import.loaded": "a file was imported",
    "import.refused": "a file was refused as a whole; nothing of it was imported",
    "volunteer.registered": "somebody asked to be registered as a volunteer",
    "volunteer.status": "a volunteer was approved, refused, cancelled or approved again",
    "volunteer.consent_answered": "a volunteer who came of age confirmed or withdrew a guardian's consent",
    "volunteer.claimed": "an actor was found to be a volunteer",
    "volunteer.period_begun": "a volunteer is suspended, provisional, on leave or blacklisted from a day on",
    "volunteer.period_ended": "such a period has its last day",
    "volunteer.transferred": "another organization manages a volunteer from a day on",
    "volunteer.merged": "a volunteer was found to be the same person as another one, who stands for both now",
    "volunteer.unmerged": "such a merge was taken back",
    "volunteer.unmasked": "a field of a volunteer's was read in full, for a purpose",
    "privacy.exported": "somebody took a copy of everything about themselves",
    "privacy.erasure_withdrawn": "somebody took back the request that their data be erased",
    "privacy.erasure_requested": "somebody asked for their data to be erased; nothing is done with them but storing",
    "privacy.erased": "a subject's personal data were destroyed",
    "organization.registered": "an organization was registered",
    "organization.edited": "what is known of an organization was changed",
    "organization.contact_unmasked": "a field of an organization's contact was read in full, for a purpose",
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
    "project.approved": "a project that was applied for was approved",
    "project.edited": "what a project says of itself was changed",
    "project.planned": "positions, shifts or a series of a project were added, changed or cancelled",
    "project.published": "a project was published",
    "project.cancelled": "a project was cancelled; whom to notify is named",
    "project.reported": "an organizer reported on a project that is over",
    "project.closed": "a project's report was accepted",
    "project.archived": "a project was put away",
    "project.deleted": "a project without hours was deleted; whom to notify is named",
    "brand.created": "a brand was created",
    "brand.edited": "what is known of a brand was changed",
    "brand.ended": "a brand ends on a day",
    "participation.applied": "somebody applied for a shift: accepted, waiting for a place or for a decision",
    "participation.invited": "somebody was invited to a shift",
    "participation.moved": "a participation was accepted, refused, withdrawn, or its outcome told",
    "participation.promoted": "a place became free for the first on a waiting list who could take it",
    "participation.cancelled": "a participation ended with its activity or by the person's absence",
    "participation.guests": "a participant brings another number of guests",
    "attendance.checked_in": "somebody was checked in to a shift",
    "attendance.checked_out": "somebody was checked out of a shift",
    "attendance.closed": "a check-out that was forgotten, or a discharge, ended a pair",
    "attendance.reviewed": "a pair that waited for it was let count, or refused",
    "attendance.uploaded": "a device handed in what it scanned while it was offline",
    "attendance.device_revoked": "a device was lost or stolen; nothing more is taken of it",
    "attendance.claimed": "the minutes of a pair were claimed",
    "volunteer.entry": "a training, commendation or evaluation was entered into a record",
    "volunteer.qualified": "a qualification was noted",
    "team.joined": "a volunteer belongs to a team from a day on",
    "team.left": "a volunteer belongs to a team no longer",
    "team.appointed": "a member of a team has another role",
    "case.opened": "an approval began its way",
    "case.moved": "an approval went on to another step, office or notice",
    "case.closed": "an approval was granted, refused or withdrawn",
    "case.recused": "somebody stays out of an approval",
    "grant.given": "somebody was given one of the city's roles",
    "grant.revoked": "a stored grant was ended",
    "grant.delegated": "somebody lent a grant of their own",
    "rating.decided": "grades were decided for volunteers",
    "vault.rewrapped": "every subject's key was sealed anew under a new master key",
    "store.rebuilt": "balances were computed anew from the transfers",
    "store.migrated": "a database of an older version was brought up to date; what it held was written down",
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
