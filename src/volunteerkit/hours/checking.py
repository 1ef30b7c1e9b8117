"""What is asked about a claim before it is recorded: is it over, on time, within the activity, within a day.

What blocks refuses the claim. What only asks for a closer look holds it: it waits like any other, and whoever
confirms it gives a reason.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from volunteerkit import calling
from volunteerkit.clock import Calendar, months_after
from volunteerkit.errors import Finding, Refused
from volunteerkit.hours.model import Claim, Neighbour, Overlap
from volunteerkit.ledger import DAY_MINUTES
from volunteerkit.policy import Policy
from volunteerkit.projects.lifecycle import length_minutes
from volunteerkit.projects.model import ATTENDED, WITHOUT_HOURS
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import Execute
from volunteerkit.store.schema import one_of

__all__ = ["HELD", "SAME_PERSON", "of_activity", "recording_due", "review", "served_before_leaving"]

HELD: Final = ("late_claim", "outside_shifts", "not_enrolled", "day_over_24h")
"""Codes of a record's column ``held``."""

SAME_PERSON: Final = (
    "(SELECT v.id FROM vk_volunteer v WHERE v.number = ? "
    "UNION ALL SELECT v.id FROM vk_alias a JOIN vk_volunteer v ON v.number = a.number WHERE a.volunteer_number = ?)"
)
_SHIFTS: Final = (
    "SELECT s.starts_at, s.ends_at, EXISTS (SELECT 1 FROM vk_participation t WHERE t.shift_id = s.id "
    f"AND t.volunteer_id IN {SAME_PERSON} AND {one_of('t.state', *ATTENDED)}) "
    "FROM vk_shift s WHERE s.project_id = ? AND s.cancelled_at IS NULL AND s.starts_at < ? AND s.ends_at > ? "
    "ORDER BY s.starts_at"
)
_MINUTE: Final = 60_000_000

_LEFT: Final = (
    "SELECT payload FROM vk_event WHERE type = 'volunteer.status' AND subject = ? ORDER BY seq DESC LIMIT 1"
)


def __dir__() -> list[str]:
    return __all__


def recording_due(ended_on: dt.date, calendar: Calendar, policy: Policy) -> dt.date | None:
    """Return the last day on which service that ended on ``ended_on`` is recorded in time; None when not known yet.

    Order 67 of the Ministry of Civil Affairs, art. 15; the day it ended is not counted (Civil Code, art. 201).

    >>> recording_due(dt.date(2024, 3, 4), Calendar(), Policy())
    datetime.date(2024, 3, 18)
    """
    return _due(ended_on, calendar, policy.record_working_days)


@lru_cache(maxsize=4096)
def _due(ended_on: dt.date, calendar: Calendar, days: int) -> dt.date | None:
    return calendar.working_days_after(ended_on, days)


def served_before_leaving(execute: Execute, volunteer_id: int, day: int) -> bool:
    """Tell whether a day is no later than the one on which a volunteer, who is gone, was deregistered.

    Hours of somebody who has left since are recorded like everybody's. Only what a desk wrote is known.
    """
    row = execute(_LEFT, (f"volunteer:{volunteer_id}",)).fetchone()
    told = {} if row is None else json.loads(row[0])
    return told.get("status") == "deregistered" and day <= int(told["on"])


def of_activity(
    desk: Desk, claim: Claim, project_id: int, status: str, afterwards: int, neighbours: Sequence[Neighbour]
) -> tuple[Finding, ...]:
    """Return why a project takes no such hours: where it stands, or how long it was when entered afterwards."""
    if status in WITHOUT_HOURS:
        return (Finding("project_without_hours", {"number": claim.project, "status": status}),)
    if not afterwards:
        return ()
    most, day = length_minutes(desk, project_id, claim.served_on), claim.served_on.toordinal() - _EPOCH
    kept = sum(each.minutes for each in neighbours if (each.project, each.served_on) == (claim.project, day))
    if kept + claim.claimed_minutes > most:
        return (Finding("more_than_activity", {"number": claim.project, "most": most}),)
    return ()


def _ended_on(claim: Claim) -> dt.date:
    return claim.served_on + dt.timedelta((max(claim.start_minute, 0) + claim.clock_minutes) // DAY_MINUTES)


def review(
    desk: Desk, execute: Execute, claim: Claim, *, number: str, status: str, project_id: int | None,
    neighbours: Sequence[Neighbour], overlapping: tuple[Overlap, ...], afterwards: int = 0,
    refusals: tuple[Finding, ...] = (),
) -> tuple[tuple[Finding, ...], str | None]:  # fmt: skip
    """Return what was found about a claim that is accepted, and the codes it is held for; raises Refused.

    ``number`` is the volunteer's, ``project_id`` None for a project without shifts; one
    entered ``afterwards`` was open to nobody, so nobody must have joined it; ``neighbours`` are the person's
    other records around that day, ``refusals`` what speaks against it already.
    """
    findings = refusals
    if status != "approved":
        findings += (Finding("volunteer_not_active", {"volunteer": claim.volunteer, "status": status}),)
    if claim.served_on > desk.today:
        findings += (Finding("served_in_future", {"day": claim.served_on, "today": desk.today}),)
    elif (desk.today - claim.served_on).days < 2 and _runs(desk, claim):
        findings += (Finding("service_not_over", {"day": claim.served_on}),)
    said, held = _lateness(desk, claim, number)
    findings += tuple(each for each in said if each.severity != "warn")
    day = claim.served_on.toordinal() - _EPOCH
    served = sum(each.minutes for each in neighbours if each.served_on == day)
    if served + claim.claimed_minutes > DAY_MINUTES:
        held += ("day_over_24h",)
    if project_id is not None:
        blocking, more = _within_shifts(desk, execute, claim, number, project_id)
        more = tuple(why for why in more if why != "not_enrolled" or not afterwards)
        findings, held = findings + blocking, held + more
    findings += tuple(
        Finding("overlap_warning", {"record": other.record_id}, "warn") for other in overlapping
    )
    findings += calling.review_hours(desk, claim, overlapping)
    if any(finding.severity != "warn" for finding in findings):  # a misspelt one refuses
        raise Refused(*findings)
    # what is refused is not held
    findings += tuple(Finding(f"held_{code}", {}, "warn") for code in held)
    findings += tuple(each for each in said if each.severity == "warn")
    return findings, ",".join(held) or None


_EPOCH: Final = dt.date(1970, 1, 1).toordinal()


def _instants(desk: Desk, claim: Claim) -> tuple[dt.datetime, dt.datetime] | None:
    """Return when a claim with a clock began and ended."""
    if claim.start is None or claim.end is None:
        return None
    first = dt.datetime.combine(claim.served_on, claim.start, desk.zone)
    last = dt.datetime.combine(_ended_on(claim), claim.end, desk.zone)
    return first.astimezone(dt.UTC), last.astimezone(dt.UTC)


def _runs(desk: Desk, claim: Claim) -> bool:
    instants = _instants(desk, claim)
    return instants is not None and instants[1] > desk.now


def _lateness(desk: Desk, claim: Claim, number: str) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    passed = (desk.today - claim.served_on).days
    if passed <= desk.policy.record_working_days:  # working days are days
        return (), ()
    ended_on = _ended_on(claim)
    own = desk.actor.volunteer is not None and desk.acting.volunteer == number
    if own and desk.today > (last := months_after(ended_on, desk.policy.claim_months)):
        if claim.evidence is None:
            return (Finding("claim_too_late", {"until": last}),), ()
        return (), ("late_claim",)
    due = recording_due(ended_on, desk.calendar, desk.policy)
    if due is None or desk.today <= due:
        return (), ()
    return (Finding("recorded_late", {"until": due}, "warn"),), ()


def _within_shifts(
    desk: Desk, execute: Execute, claim: Claim, number: str, project_id: int
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Find whether a claim lies within the activity's shifts, and the volunteer was to serve in one of them."""
    midnight = dt.datetime.combine(claim.served_on, dt.time(), desk.zone)
    begins, ends = (microseconds(at) for at in (midnight, midnight + dt.timedelta(2)))
    rows: list[Any] = execute(_SHIFTS, (number, number, project_id, ends, begins)).fetchall()
    instants = _instants(desk, claim)
    if instants is None:
        tomorrow = microseconds(midnight + dt.timedelta(1))
        rows = [row for row in rows if begins <= row[0] < tomorrow]
        inside = claim.claimed_minutes * _MINUTE <= sum(row[1] - row[0] for row in rows)
    else:
        at, last = map(microseconds, instants)
        rows = [row for row in rows if row[0] < last and row[1] > at]
        for row in rows:  # those that adjoin are one
            if row[0] <= at:
                at = max(at, row[1])
        inside = at >= last
    if rows and all(row[1] > microseconds(desk.now) for row in rows):
        return (Finding("service_not_over", {"day": claim.served_on}),), ()
    held = () if inside else ("outside_shifts",)
    return (), held if any(row[2] for row in rows) else (*held, "not_enrolled")
