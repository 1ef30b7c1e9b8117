"""Tables of the import: what was loaded, and what was refused and why."""

from __future__ import annotations

import sqlalchemy as sa

from volunteerkit.store.schema import id_column, integer, table

__all__ = ["batch", "overruled", "quarantine"]

batch = table(
    "batch",
    id_column(),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("rows_read", integer, nullable=False),
    sa.Column("rows_new", integer, nullable=False),
    sa.Column("refused_digest", sa.LargeBinary, nullable=False),
    sa.Column("loaded_at", integer, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
)
"""One row for every run over a file that changed something."""

quarantine = table(
    "quarantine",
    sa.Column("batch_id", integer, sa.ForeignKey("vk_batch.id"), primary_key=True, autoincrement=False),
    sa.Column("row", integer, primary_key=True, autoincrement=False),
    sa.Column("column", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)
"""Refused rows of a file's last run: row as a spreadsheet counts, value masked if personal, reason code."""

overruled = table(
    "overruled",
    sa.Column("entity", sa.Text, primary_key=True),
    sa.Column("id", integer, primary_key=True, autoincrement=False),
    sa.CheckConstraint("entity IN ('organizations', 'teams')", name="entity"),
)
"""Organizations and teams of which the last file says otherwise than a desk decided; `doubt` is for volunteers."""


def __dir__() -> list[str]:
    return __all__
