"""Tables of volunteers. Names, birth dates, identity numbers and phones are not here but in the vault."""

from __future__ import annotations

import sqlalchemy as sa

from volunteerkit.store.schema import id_column, integer, table

__all__ = ["doubt", "skill", "volunteer"]

volunteer = table(
    "volunteer",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id"), nullable=False),
    sa.Column("team_id", integer, sa.ForeignKey("vk_team.id")),
    sa.Column("district", sa.Text, nullable=False, server_default=""),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("registered_on", integer, nullable=False),
    sa.Column("adult_on", integer),
    sa.Column("row_digest", sa.LargeBinary),
)
"""``number`` is the public volunteer number; ``adult_on`` the day of the 18th birthday, None if unknown."""

doubt = table(
    "doubt",
    sa.Column(
        "volunteer_id", integer, sa.ForeignKey("vk_volunteer.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("kind", sa.Text, primary_key=True),
)
"""Doubts about a volunteer's identity, by kind, for a clerk to look into."""


skill = table(
    "skill",
    sa.Column(
        "volunteer_id", integer, sa.ForeignKey("vk_volunteer.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("code", sa.Text, primary_key=True),
)
"""What a volunteer can do, as codes of the city's own vocabulary."""

sa.Index("ix_vk_skill_code", skill.c.code)


def __dir__() -> list[str]:
    return __all__
