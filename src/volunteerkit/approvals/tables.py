"""Tables of approvals: cases, decisions, objections, recusals."""

from __future__ import annotations

import sqlalchemy as sa

from volunteerkit.store.schema import append_only, id_column, integer, sealed, table
from volunteerkit.workflow import CLOSED, OPEN

__all__ = ["case", "decision", "is_open", "objection", "outcome_on", "recusal"]

_STATES = ", ".join(f"'{state}'" for state in (*OPEN, *CLOSED))

case = table(
    "case",
    id_column(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("volunteer", sa.Text),
    sa.Column("team", sa.Text),
    sa.Column("organization", sa.Text),
    sa.Column("second_organization", sa.Text),
    sa.Column("area", sa.Text),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("beneficiary", sa.Text),
    sa.Column("opened_by", sa.Text, nullable=False),
    sa.Column("opened_volunteer", sa.Text),
    sa.Column("opened_for", sa.Text),
    sa.Column("opened_on", integer, nullable=False),
    sa.Column("previous_id", integer, sa.ForeignKey("vk_case.id")),
    sa.Column("findings", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("step", integer, nullable=False),
    sa.Column("escalated", integer, nullable=False),
    sa.Column("since", integer, nullable=False),
    sa.Column("end_state", sa.Text),
    sa.Column("end_on", integer),
    sa.Column("version", integer, nullable=False),
    sa.Column("closed_by", sa.Text),
    sa.Column("closed_at", integer),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.CheckConstraint(f"state IN ({_STATES})", name="state"),
    sa.CheckConstraint("(end_state IS NULL) = (end_on IS NULL)", name="end"),
    owner=("subject", "beneficiary"),
)
"""``end_state`` and ``end_on`` say how the case ends if nobody does anything more (`workflow.forecast`)."""

is_open = case.c.state.in_([sa.literal_column(f"'{state}'") for state in OPEN])
"""The SQL for cases that wait, as they were put; its words stand in it, or no database would use the indices."""

# Two cases about the same thing cannot wait at once.
sa.Index(
    "uq_vk_case_waiting",
    case.c.kind,
    case.c.subject,
    unique=True,
    sqlite_where=is_open,
    postgresql_where=is_open,
)
sa.Index("ix_vk_case_waiting", case.c.id, sqlite_where=is_open, postgresql_where=is_open)
sa.Index("ix_vk_case_organization", case.c.organization, case.c.state)

decision = table(
    "case_decision",
    id_column(),
    sa.Column("case_id", integer, sa.ForeignKey("vk_case.id"), nullable=False),
    sa.Column("step", integer, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("volunteer", sa.Text),
    sa.Column("on_behalf_of", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("decided_at", integer, nullable=False),
    sa.UniqueConstraint("case_id", "step", "actor_id"),
    sa.CheckConstraint("verdict IN ('approve', 'refuse')", name="verdict"),
    owner=("case_id",),
)
append_only(decision)

objection = table(
    "case_objection",
    id_column(),
    sa.Column("case_id", integer, sa.ForeignKey("vk_case.id"), nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("volunteer", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("objected_on", integer, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("answered_by", sa.Text),
    sa.Column("answer_reason", sa.Text),
    sa.CheckConstraint("answer IN ('open', 'dismissed', 'upheld')", name="answer"),
    owner=("case_id",),
)
sealed(objection)
sa.Index("ix_vk_case_objection_case", objection.c.case_id)

recusal = table(
    "case_recusal",
    sa.Column("case_id", integer, sa.ForeignKey("vk_case.id"), primary_key=True, autoincrement=False),
    sa.Column("actor_id", sa.Text, primary_key=True),
    sa.Column("volunteer", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    owner=("case_id",),
)
"""Who stays out of a case; nobody comes back into it."""
append_only(recusal)


def __dir__() -> list[str]:
    return __all__


def outcome_on(day: int) -> sa.ColumnElement[str]:
    """Return the SQL for the state of a case on ``day`` (a day number): the same as `workflow.stands` says.

    A case that only moved on by itself, to another step or office or to its notice, is still where it was
    put. A calendar or route that changed since counts from the next sweep on.
    """
    ended = sa.and_(is_open, case.c.end_on <= day)
    return sa.case((ended, case.c.end_state), else_=case.c.state)
