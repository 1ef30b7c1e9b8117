"""Tables of organizations and teams, and where each stands on a day as SQL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from volunteerkit.approvals.tables import case, outcome_on
from volunteerkit.store.schema import id_column, integer, table

__all__ = ["affiliation", "organization", "organization_on", "standing", "status_on", "team"]


def __dir__() -> list[str]:
    return __all__


organization = table(
    "organization",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False, server_default=""),
    sa.Column("kind", sa.Text, nullable=False, server_default=""),
    sa.Column("credit_code", sa.Text, nullable=False, server_default=""),
    sa.Column("area", sa.Text, nullable=False, server_default=""),
    sa.Column("parent_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("hosted_by_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("consent", sa.Text, nullable=False, server_default=""),
    sa.Column("registered_on", integer),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("case_id", integer, sa.ForeignKey("vk_case.id")),
    sa.Column("brought_by", sa.Text, nullable=False, server_default=""),
    sa.Column("brought_volunteer", sa.Text),
    sa.Column("ended_on", integer),
    sa.Column("ending", sa.Text),
    sa.Column("successor_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("incubated", integer, nullable=False, server_default="0"),
    sa.Column("row_digest", sa.LargeBinary),
    sa.CheckConstraint("parent_id <> id", name="parent"),
    sa.CheckConstraint("successor_id <> id", name="successor"),
    sa.CheckConstraint("(ended_on IS NULL) = (ending IS NULL)", name="ended"),
)
"""``number`` is the city's own id; ``credit_code`` the unified social credit code, empty for groups.

``status`` is what was last decided; where it stands on a day is `status_on`. ``case_id`` is the case of its
registration, ``ended_on`` the first day on which it no longer exists.
"""

team = table(
    "team",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("area", sa.Text, nullable=False, server_default=""),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("parent_id", integer, sa.ForeignKey("vk_team.id")),
    sa.Column("registered_on", integer),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("case_id", integer, sa.ForeignKey("vk_case.id")),
    sa.Column("brought_by", sa.Text, nullable=False, server_default=""),
    sa.Column("brought_volunteer", sa.Text),
    sa.Column("ended_on", integer),
    sa.Column("ending", sa.Text),
    sa.Column("successor_id", integer, sa.ForeignKey("vk_team.id")),
    sa.Column("row_digest", sa.LargeBinary),
    sa.CheckConstraint("parent_id <> id", name="parent"),
    sa.CheckConstraint("successor_id <> id", name="successor"),
    sa.CheckConstraint("(ended_on IS NULL) = (ending IS NULL)", name="ended"),
)
"""``organization_id`` is the first organization; a later one stands in `affiliation`: see `organization_on`."""

sa.Index("ix_vk_team_organization", team.c.organization_id)

affiliation = table(
    "team_affiliation",
    id_column(),
    sa.Column("team_id", integer, sa.ForeignKey("vk_team.id"), nullable=False),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id"), nullable=False),
    sa.Column("since", integer, nullable=False),
    sa.UniqueConstraint("team_id", "since"),
)
"""To which organization a team came later, and from which day; it stays there until the next row."""

standing = table(
    "standing",
    id_column(),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id")),
    sa.Column("team_id", integer, sa.ForeignKey("vk_team.id")),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("since", integer, nullable=False),
    sa.Column("until", integer),
    sa.Column("successor_id", integer),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("case_id", integer, sa.ForeignKey("vk_case.id")),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.CheckConstraint("(organization_id IS NULL) <> (team_id IS NULL)", name="subject"),
    sa.CheckConstraint("change IN ('suspend', 'lift', 'dissolve', 'merge')", name="change"),
    sa.CheckConstraint("state IN ('proposed', 'in_force', 'refused', 'withdrawn')", name="state"),
)
"""Suspensions (from ``since`` to ``until``, both inclusive), their lifting, and ends, with the reason."""

sa.Index("ix_vk_standing_organization", standing.c.organization_id)
sa.Index("ix_vk_standing_team", standing.c.team_id)


def status_on(target: sa.Table, day: int) -> sa.ColumnElement[str]:
    """Return the SQL for the status of a row of `organization` or `team` on ``day`` (a day number).

    It follows from dated rows and from the case of the registration, so no sweeper has to run for it.
    """
    held, admitted = (
        (standing.c.organization_id, "active") if target is organization else (standing.c.team_id, "approved")
    )
    suspended: Any = sa.exists(
        sa.select(standing.c.id)
        .where(
            held == target.c.id, standing.c.change == "suspend", standing.c.state == "in_force",
            standing.c.since <= day, sa.or_(standing.c.until.is_(None), standing.c.until >= day),
        )
        .correlate(target)
    )  # fmt: skip
    outcome: Any = (
        sa.select(
            sa.case(
                (outcome_on(day) == "granted", admitted),
                (outcome_on(day).in_(["refused", "withdrawn"]), outcome_on(day)),
                else_="pending",
            )
        )
        .where(case.c.id == target.c.case_id)
        .correlate(target)
        .scalar_subquery()
    )
    return sa.case(
        (target.c.ended_on <= day, target.c.ending),
        (suspended, "suspended"),
        (sa.and_(target.c.status == "pending", target.c.case_id.is_not(None)), outcome),
        else_=target.c.status,
    )


def organization_on(day: int) -> sa.ColumnElement[int]:
    """Return the SQL for the id of the organization that a row of `team` belongs to on ``day``."""
    later: Any = (
        sa.select(affiliation.c.organization_id)
        .where(affiliation.c.team_id == team.c.id, affiliation.c.since <= day)
        .order_by(affiliation.c.since.desc())
        .limit(1)
        .correlate(team)
        .scalar_subquery()
    )
    return sa.func.coalesce(later, team.c.organization_id)
