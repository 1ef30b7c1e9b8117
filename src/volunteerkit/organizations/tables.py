"""Tables of organizations and teams."""

from __future__ import annotations

import sqlalchemy as sa

from volunteerkit.store.schema import id_column, integer, table

__all__ = ["organization", "team"]

organization = table(
    "organization",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False, server_default=""),
    sa.Column("credit_code", sa.Text, nullable=False, server_default=""),
    sa.Column("parent_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("registered_on", integer),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("incubated", integer, nullable=False, server_default="0"),
    sa.Column("row_digest", sa.LargeBinary),
)
"""``number`` is the city's own id; ``credit_code`` the unified social credit code, empty for groups."""

team = table(
    "team",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id"), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("row_digest", sa.LargeBinary),
)


def __dir__() -> list[str]:
    return __all__
