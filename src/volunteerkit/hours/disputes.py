"""Disputes: a volunteer says that a posted line is wrong; somebody who had no part in it decides, one appeal.

A disputed line counts on as it stands and is tagged in the statement. Upheld, it is reversed, restored or adjusted to
the minutes that the volunteer named.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa

from volunteerkit.access import Person
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import find_case, last_case, open_case
from volunteerkit.approvals.tables import case, decision, is_open
from volunteerkit.errors import Finding, Refused
from volunteerkit.hours.correcting import correct
from volunteerkit.hours.records import find_record, last_transfer, read_record
from volunteerkit.ledger import DAY_MINUTES, POSTING_CODES
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import command, driver
from volunteerkit.store.registering import checked_text
from volunteerkit.units import day_number, instant_of, whole_number
from volunteerkit.workflow import Office, Route, Step

__all__ = ["WORKFLOWS", "appeal", "dispute", "disputed_records"]

_DISPUTE: Final = "hours.dispute"
_APPEAL: Final = "hours.appeal"
_WRITERS: Final = "SELECT DISTINCT actor_id FROM vk_transfer WHERE record_id = ? ORDER BY actor_id"


def __dir__() -> list[str]:
    return __all__


@command
def dispute(desk: Desk, record_id: int, minutes: int, *, reason: str) -> Case:
    """Say that a posted line of one's own should stand at ``minutes`` (0: it should not be there).

    Nothing changes until somebody decides who has neither recorded nor confirmed nor corrected it. Raises
    NotFound, NotPermitted, InvalidValue, and Refused: nothing was posted, it stands at that already, the term is
    over, or this line was disputed before.
    """
    whole_number("minutes", minutes, 0, DAY_MINUTES)
    said = checked_text("reason", reason, 500)
    execute = driver(desk.connection)
    found = find_record(desk, execute, record_id, "hours.dispute")
    last = last_transfer(execute, record_id)
    if last is None or last.code not in POSTING_CODES:
        raise Refused(Finding("nothing_to_dispute", {"record": record_id, "state": found.state}))
    if minutes == found.confirmed:
        raise Refused(Finding("nothing_changes", {"record": record_id, "minutes": minutes}))
    posted_on = instant_of(last.recorded_at).astimezone(desk.zone).date()
    _in_time(desk, posted_on)
    subject = f"volunteer:{found.volunteer_id}:record:{record_id}"
    before = last_case(desk, _DISPUTE, subject)
    if before is not None and before.facts["seq"] == last.seq and before.state == "refused":
        raise Refused(Finding("disputed_before", {"case": before.id}))
    handled = {found.recorded_by, *(row[0] for row in execute(_WRITERS, (record_id,)).fetchall())}
    facts = {
        "record": record_id, "seq": last.seq, "minutes": minutes, "reason": said,
        "handled": [[actor, None] for actor in sorted(handled)],
    }  # fmt: skip
    return open_case(desk, _DISPUTE, subject, found.place, facts=facts)


def _in_time(desk: Desk, since: dt.date) -> None:
    last = since + dt.timedelta(desk.policy.dispute_days)
    if desk.today > last:
        raise Refused(Finding("dispute_too_late", {"until": last}))


@command
def appeal(desk: Desk, case_id: int, *, reason: str) -> Case:
    """Appeal to the centre, once, against a refused dispute of one's own; another person than before decides.

    Raises NotFound, NotPermitted, InvalidValue, and Refused when the dispute was not refused, the term is over, or
    an appeal was made before.
    """
    said = checked_text("reason", reason, 500)
    found = find_case(desk, case_id)
    if found is not None and found.kind != _DISPUTE:
        found = None
    desk.permit_on("hours.appeal", "case", case_id, found.place if found else None)
    assert found is not None
    if found.state != "refused":
        raise Refused(Finding("dispute_not_refused", {"case": case_id, "state": found.state}))
    _in_time(desk, found.standing.position.since)
    before = last_case(desk, _APPEAL, found.subject)
    if before is not None and before.previous_id == case_id:
        raise Refused(Finding("appealed_before", {"case": before.id}))
    query = sa.select(decision.c.actor_id, decision.c.volunteer, decision.c.on_behalf_of)
    rows = desk.connection.execute(query.where(decision.c.case_id == case_id)).fetchall()
    decided = [[actor, volunteer] for actor, volunteer, _ in rows] + [
        [each, None] for *_, each in rows if each
    ]
    facts = {**found.facts, "reason": said, "handled": [*found.facts["handled"], *decided]}
    return open_case(desk, _APPEAL, found.subject, found.place, facts=facts, previous_id=case_id)


def _parties(found: Case) -> tuple[Person, ...]:
    return tuple(Person(*each) for each in found.facts["handled"])


def _settle(desk: Desk, found: Case, outcome: str, on: dt.date) -> None:
    if outcome != "granted":
        return
    execute, wanted = driver(desk.connection), found.facts["minutes"]
    reason, day = found.reason or found.facts["reason"], day_number(desk.today)

    def standing() -> Any:
        return read_record(desk, execute, found.facts["record"], day)

    record = standing()
    if record.state == "reversed" and wanted:
        correct(desk, execute, record, "restored", None, reason, day)
        record = standing()
    if record.confirmed != wanted:  # it may have been mended meanwhile
        correct(desk, execute, record, "adjusted" if wanted else "reversed", wanted, reason, day)


WORKFLOWS: Final = (
    Workflow(Route(_DISPUTE, (Step("organization", Office("organization_admin", also=("centre",))),)),
             "hours.decide_dispute", _settle, _parties),
    Workflow(Route(_APPEAL, (Step("centre", Office("centre")),)), "hours.decide_appeal", _settle, _parties),
)  # fmt: skip


def disputed_records(desk: Desk, numbers: tuple[str, ...]) -> frozenset[int]:
    """Return the ids of records that volunteers with these numbers dispute, undecided until now."""
    query = sa.select(case.c.subject).where(
        case.c.kind.in_((_DISPUTE, _APPEAL)), case.c.volunteer.in_(numbers), is_open
    )
    return frozenset(int(each.rpartition(":")[2]) for each in desk.connection.execute(query).scalars())
