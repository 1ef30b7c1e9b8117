"""How many minutes a project may issue: its places times the length of its shifts, and what the centre adds.

A project without shifts, or with one that takes any number, has no limit. Shifts change, so the limit is worked
out when minutes are confirmed and written down, with an event, when it is another than before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from volunteerkit.errors import Finding, IntegrityProblem, Refused
from volunteerkit.ledger import issuer_account
from volunteerkit.projects.tables import project as projects
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import Execute, command, driver, note
from volunteerkit.store.registering import checked_text, id_of
from volunteerkit.store.texts import seal_text
from volunteerkit.units import whole_number

__all__ = ["Budget", "budget_columns", "issue", "lift", "post", "raise_budget"]

_MOST: Final = 10**9
_ACCOUNT: Final = "SELECT {columns} FROM vk_account a WHERE a.id = ?"
_OVER: Final = (
    "SELECT p.id, a.raised_minutes FROM vk_account a JOIN vk_project p ON p.id = a.id / 16 "
    "WHERE a.limit_minutes IS NOT NULL AND a.posted_minutes + ? < -a.limit_minutes AND a.id = ?"
)
_LIMIT: Final = "UPDATE vk_account SET limit_minutes = ?, raised_minutes = ? WHERE id = ?"
# The condition asks for the issuer, and both accounts move or none: nothing is ever issued beyond the limit.
_POST: Final = (
    "UPDATE vk_account SET pending_minutes = pending_minutes - CASE id WHEN ? THEN ? ELSE ? END, "
    "posted_minutes = posted_minutes + CASE id WHEN ? THEN ? ELSE ? END WHERE id IN (?, ?) "
    "AND EXISTS (SELECT 1 FROM vk_account i WHERE i.id = ? "
    "AND (i.limit_minutes IS NULL OR i.posted_minutes - ? >= -i.limit_minutes))"
)


def __dir__() -> list[str]:
    return __all__


class Budget(NamedTuple):
    """What `budget_columns` read: minutes of all places (None without a limit), and the issuer's account."""

    places: int | None
    posted: int
    limit: int | None
    raised: int


def budget_columns(project_id: str, account: str) -> str:
    """Return the SQL of a `Budget` for a project's id and the alias of its issuer's account."""
    return (
        "(SELECT CASE WHEN COUNT(*) = COUNT(s.capacity) "
        "THEN CAST(SUM(s.capacity * ((s.ends_at - s.starts_at) / 60000000)) AS BIGINT) END FROM vk_shift s "
        f"WHERE s.project_id = {project_id} AND s.cancelled_at IS NULL), "
        f"{account}.posted_minutes, {account}.limit_minutes, {account}.raised_minutes"
    )


def _limit(desk: Desk, budget: Budget) -> int | None:
    if budget.places is None:
        return None
    return budget.places * desk.policy.issuance_percent // 100 + budget.raised


def issue(desk: Desk, execute: Execute, project_id: int, minutes: int, budget: Budget | None = None) -> None:
    """Make sure that a project may issue ``minutes`` more, and that its account says up to where; raises Refused."""
    if budget is None:
        columns = budget_columns(str(int(project_id)), "a")
        row: Any = execute(_ACCOUNT.format(columns=columns), (issuer_account(project_id),)).fetchone()
        budget = Budget(*row)
    limit = _limit(desk, budget)
    if limit is not None and minutes - budget.posted > limit:
        left = max(limit + budget.posted, 0)
        raise Refused(Finding("over_budget", {"minutes": minutes, "left": left}))
    if limit != budget.limit:
        _write(desk, execute, project_id, limit, budget.raised)


def _write(
    desk: Desk, execute: Execute, project_id: int, limit: int | None, raised: int, **more: Any
) -> None:
    execute(_LIMIT, (limit, raised, issuer_account(project_id)))
    payload = {"limit": limit, "raised": raised, **more}
    note(desk, "hours.budget_set", f"project:{project_id}", payload)


def post(execute: Execute, debit: int, credit: int, minutes: int, *, issuer: int, pending: int = 0) -> None:
    """Move ``minutes`` from one account to the other, and end a claim of ``pending`` minutes on the way.

    ``issuer`` is the one of them that is a project's.
    """
    issued = minutes if issuer == debit else 0
    moved = (credit, pending, -pending, credit, minutes, -minutes, debit, credit, issuer, issued)
    if execute(_POST, moved).rowcount != 2:  # asked before, and nobody else has written since
        raise IntegrityProblem(what=f"account {issuer} is at its limit")


def lift(desk: Desk, execute: Execute, balances: Mapping[int, Sequence[int]]) -> None:
    """Take away the limits of issuers that an import takes beyond them; ``balances`` is what it posts, by account.

    What another system has issued already is imported all the same. The next confirmation works the limit out
    anew, and is refused while more was issued.
    """
    for account in sorted(balances):
        row: Any = (
            execute(_OVER, (balances[account][0], account)).fetchone() if balances[account][0] < 0 else None
        )
        if row is not None:
            _write(desk, execute, row[0], None, row[1])


@command
def raise_budget(desk: Desk, project: str, minutes: int, *, reason: str) -> int | None:
    """Let a project issue ``minutes`` more than its places allow; return its limit, None if it has none.

    Raises NotPermitted, NotFound, InvalidValue.
    """
    desk.permit("hours.raise_budget")
    more = whole_number("minutes", minutes, 1, _MOST)
    said = checked_text("reason", reason, 500)
    project_id = id_of(desk, projects, "project", project)
    execute = driver(desk.connection)
    columns = budget_columns(str(project_id), "a")
    before = Budget(*execute(_ACCOUNT.format(columns=columns), (issuer_account(project_id),)).fetchone())
    after = before._replace(raised=before.raised + more)
    subject = f"project:{project_id}"
    address = seal_text(desk, subject, f"budget:{after.raised}", said)
    limit = _limit(desk, after)
    if limit is not None:
        limit = max(limit, -before.posted)  # shifts may be fewer than when minutes were issued
    _write(desk, execute, project_id, limit, after.raised, reason=address)
    return limit
