"""One record as the deciding verbs find it: where it stands, whose it is, and whether they may touch it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, NamedTuple

from volunteerkit.access import Person, Place
from volunteerkit.errors import AlreadyResolved, Finding, Refused
from volunteerkit.hours.budget import Budget, budget_columns
from volunteerkit.hours.periods import period_state, period_values
from volunteerkit.ledger import issuer_account
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import Execute
from volunteerkit.units import whole_number

__all__ = [
    "REASON_LETTERS",
    "Found",
    "Last",
    "asked_of",
    "find_record",
    "last_transfer",
    "not_own",
    "read_record",
    "resolved_before",
    "teams",
]

REASON_LETTERS: Final = 500
"""How long a reason may be."""

_DAY: Final = "COALESCE(CAST(? AS BIGINT), r.served_on)"
_ISSUER: Final = f"r.project_id * {issuer_account(2) - issuer_account(1)} + {issuer_account(0)}"
_RECORD: Final = (
    "SELECT r.id, r.state, r.claimed_minutes, r.confirmed_minutes, r.served_on, r.recorded_by, r.project_id, "
    "r.volunteer_id, r.held, r.organization_id, o.number, v.number, t.number, r.method, "
    f"{period_state(_DAY, 'r.organization_id')}, {budget_columns('r.project_id', 'a')} FROM vk_service_record r "
    f"JOIN vk_account a ON a.id = {_ISSUER} "
    "JOIN vk_organization o ON o.id = r.organization_id JOIN vk_volunteer v ON v.id = r.volunteer_id "
    "LEFT JOIN vk_team t ON t.id = r.team_id WHERE r.id = ?"
)
_LAST: Final = (
    "SELECT seq, code, minutes, actor_id, recorded_at, effective_on FROM vk_transfer WHERE record_id = ? "
    "ORDER BY seq DESC LIMIT 1"
)


def __dir__() -> list[str]:
    return __all__


class Found(NamedTuple):
    """A record: ids, day numbers and minutes; numbers of its organization, volunteer and team.

    ``period`` is what `periods.open_day` asks about the day on which something is to be posted, ``budget`` what
    `budget.issue` asks about the project.
    """

    id: int
    state: str
    claimed: int
    confirmed: int
    served_on: int
    recorded_by: str
    project_id: int
    volunteer_id: int
    held: str | None
    organization_id: int
    organization: str
    volunteer: str
    team: str | None
    method: str
    period: int | None
    budget: Budget

    @property
    def place(self) -> Place:
        """Whose record it is, for the matrix."""
        return Place(self.volunteer, teams(self.team), (self.organization,))


class Last(NamedTuple):
    """A record's last transfer; ``recorded_at`` is in microseconds since 1970 UTC, ``effective_on`` a day number."""

    seq: int
    code: str
    minutes: int
    actor_id: str
    recorded_at: int
    effective_on: int


def find_record(
    desk: Desk, execute: Execute, record_id: int, action: str, posted_on: int | None = None
) -> Found:
    """Return the record on which the actor may do ``action``, to be posted on that day (default: its own).

    Raises InvalidValue for what is no whole number, NotFound (also for a foreign record), NotPermitted.
    """
    # The ledger's hash is made of the id as it is printed: 1.0, True or "01" must not stand for record 1.
    if type(record_id) is not int:
        whole_number("record_id", record_id, 1)
    found = read_record(desk, execute, record_id, posted_on) if 0 < record_id < 2**63 else None
    desk.permit_on(action, "record", record_id, found.place if found else None)
    assert found is not None
    return found


def asked_of(desk: Desk, record_id: int) -> list[tuple[str, tuple[Any, ...]]]:
    """Return what `find_record` and `last_transfer` ask about a record, for `store.posting.asked_ahead`."""
    if type(record_id) is not int or not 0 < record_id < 2**63:
        return []
    return [(_RECORD, (*period_values(desk, None), record_id)), (_LAST, (record_id,))]


def read_record(desk: Desk, execute: Execute, record_id: int, posted_on: int | None = None) -> Found | None:
    """Return the record with this id, None if there is none; nobody's right to it is checked here."""
    row: Any = execute(_RECORD, (*period_values(desk, posted_on), record_id)).fetchone()
    return None if row is None else Found._make((*row[:-4], Budget(*row[-4:])))


def last_transfer(execute: Execute, record_id: int) -> Last | None:
    """Return a record's last transfer, None when it never moved minutes."""
    row = execute(_LAST, (record_id,)).fetchone()
    return None if row is None else Last(*row)


def teams(team: str | None) -> tuple[str, ...]:
    """Return the teams of a place from a record's one team or none."""
    return (team,) if team else ()


def not_own(desk: Desk, found: Found) -> None:
    """Refuse whoever recorded it or served it."""
    if desk.is_one_of(Person(found.recorded_by, found.volunteer)):
        raise Refused(Finding("own_record", {"record": found.id}))


def resolved_before(desk: Desk, record_id: int, state: str, last: Last | None) -> AlreadyResolved | Refused:
    """Return the error that tells who decided about a record before, when and how."""
    if last is None:
        return Refused(Finding("not_pending", {"record": record_id, "state": state}))
    at = dt.datetime.fromtimestamp(last.recorded_at // 1_000_000, desk.zone)
    return AlreadyResolved(id=record_id, state=state, actor=last.actor_id, at=at)
