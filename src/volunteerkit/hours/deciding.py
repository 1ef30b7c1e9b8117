"""Deciding about claims: confirm or reject, once, by somebody else than the recorder and the volunteer."""

from __future__ import annotations

from volunteerkit.errors import Finding, Refused
from volunteerkit.hours.attending import complete
from volunteerkit.hours.budget import issue, post
from volunteerkit.hours.model import Recorded
from volunteerkit.hours.periods import open_day
from volunteerkit.hours.records import (
    REASON_LETTERS,
    Found,
    asked_of,
    find_record,
    last_transfer,
    not_own,
    resolved_before,
)
from volunteerkit.ledger import CONFIRM, DAY_MINUTES, REJECT, honour_account, issuer_account
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import (
    Execute,
    asked_ahead,
    replay_asked,
    replayed,
    request_hash,
    take_numbers,
    write_event,
    write_transfers,
    writing,
)
from volunteerkit.store.texts import seal_text
from volunteerkit.units import plain_text, whole_number

__all__ = ["confirm", "reject"]

_STATE = "UPDATE vk_service_record SET state = ?, confirmed_minutes = ? WHERE id = ? AND state = 'pending'"

_BEYOND = "SELECT 1 FROM vk_attendance WHERE record_id = ? AND beyond <> ''"


def __dir__() -> list[str]:
    return __all__


def confirm(desk: Desk, record_id: int, *, minutes: int | None = None, reason: str | None = None,
            key: str | None = None) -> Recorded:  # fmt: skip
    """Confirm a pending record, wholly or with fewer ``minutes`` (then with a ``reason``).

    A record that is held (see `Claim`'s findings) is accepted with a reason only. The confirmer must be another
    person than the recorder and the volunteer. With the hours of a check-in the participation is completed. Raises NotFound, NotPermitted, AlreadyResolved (naming who, when and
    how), IdempotencyConflict, InvalidValue, and Refused: in a closed period, or beyond what the project may
    issue; the record waits on then.
    """
    if reason is not None:
        plain_text("reason", reason, REASON_LETTERS)
    with writing(desk):
        return _resolve(desk, record_id, CONFIRM, "hours.confirmed", "confirmed", minutes, reason, key)


def reject(desk: Desk, record_id: int, *, reason: str, key: str | None = None) -> Recorded:
    """Reject a pending record; it stays visible with the reason and counts for nothing.

    Raises what `confirm` raises.
    """
    plain_text("reason", reason, REASON_LETTERS)
    with writing(desk):
        return _resolve(desk, record_id, REJECT, "hours.rejected", "rejected", None, reason, key)


def _unanswered(execute: Execute, found: Found) -> list[str]:
    """Return what a record is held for that nobody gave a reason for; who claims beyond a shift has said why."""
    held = found.held.split(",") if found.held else []
    if "outside_shifts" in held and execute(_BEYOND, (found.id,)).fetchone():
        held.remove("outside_shifts")
    return held


def _resolve(desk: Desk, record_id: int, code: str, type: str, state: str, minutes: int | None,
             reason: str | None, key: str | None) -> Recorded:  # fmt: skip
    execute = asked_ahead(desk.connection, [*asked_of(desk, record_id), *replay_asked(type, key)])
    found = find_record(desk, execute, record_id, "hours.confirm" if code == CONFIRM else "hours.reject")
    if minutes is not None:
        whole_number("minutes", minutes, 1, DAY_MINUTES)
    request = request_hash(record_id, code, minutes, reason)
    if before := replayed(execute, type, key, request):
        return Recorded(record_id, state, before["minutes"], replayed=True)
    not_own(desk, found)
    settled = found.claimed if minutes is None else minutes
    if settled > found.claimed:
        values = {"record": record_id, "claimed": found.claimed, "minutes": settled}
        raise Refused(Finding("more_than_claimed", values))
    if settled < found.claimed:
        plain_text("reason", reason or "", REASON_LETTERS)
    last = last_transfer(execute, record_id)
    if found.state != "pending" or last is None:
        raise resolved_before(desk, record_id, found.state, last)
    confirmed = settled if code == CONFIRM else 0
    if code == CONFIRM:
        if not reason and (held := _unanswered(execute, found)):
            raise Refused(
                *(Finding(f"held_{why}", {}, "warn") for why in held),
                Finding("held_needs_reason", {"record": record_id}),
            )
        open_day(desk, found.organization_id, found.served_on, found.period)
        issue(desk, execute, found.project_id, confirmed, found.budget)
    if execute(_STATE, (state, confirmed, record_id)).rowcount != 1:
        raise resolved_before(desk, record_id, found.state, last_transfer(execute, record_id))
    numbers = take_numbers(execute, 0, 1)
    debit, credit = issuer_account(found.project_id), honour_account(found.volunteer_id)
    said = seal_text(desk, f"volunteer:{found.volunteer_id}", f"transfer:{last.seq}", reason or "")
    entry = (record_id, debit, credit, settled, code, last.seq, found.served_on, said or None)
    chained = write_transfers(execute, desk, numbers, [entry])
    post(execute, debit, credit, confirmed, issuer=debit, pending=found.claimed)
    payload = {"record": record_id, "minutes": confirmed}
    write_event(execute, desk, numbers, chained, type, f"record:{record_id}", payload, key, request)
    if code == CONFIRM and found.method == "checkin":
        complete(desk, record_id)
    return Recorded(record_id, state, confirmed)
