"""Tables of projects."""

from __future__ import annotations

import sqlalchemy as sa

from volunteerkit.store.schema import id_column, integer, table

__all__ = ["project"]

project = table(
    "project",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("brand", sa.Text, nullable=False, server_default=""),
    sa.Column("category", sa.Text, nullable=False, server_default=""),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id"), nullable=False),
    sa.Column("starts_on", integer),
    sa.Column("ends_on", integer),
    sa.Column("recruit_target", integer),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("row_digest", sa.LargeBinary),
)


def __dir__() -> list[str]:
    return __all__
