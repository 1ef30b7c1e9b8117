"""Tables of rating: one row for every decision; a correction is a new row that names the old one."""

from __future__ import annotations

import sqlalchemy as sa

from volunteerkit.store.schema import append_only, id_column, integer, table

__all__ = ["decision"]

decision = table(
    "decision",
    id_column(),
    sa.Column("volunteer_id", integer, sa.ForeignKey("vk_volunteer.id"), nullable=False),
    sa.Column("rulebook", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("credit_digest", sa.Text, nullable=False),
    sa.Column("decided_on", integer, nullable=False),
    sa.Column("known_at", integer, nullable=False),
    sa.Column("grade", integer, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("replaces", integer),
    owner=("volunteer_id",),
)
"""``rulebook`` is its id, followed by ``#`` and the scheme's name where that is not its main question.

``known_at`` is the ledger's last seq the decision saw; with it the same outcome can be found again."""

sa.Index("ix_vk_decision_volunteer", decision.c.volunteer_id, decision.c.rulebook, decision.c.id)

append_only(decision)


def __dir__() -> list[str]:
    return __all__
