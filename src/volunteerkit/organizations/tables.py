"""Tables of organizations and teams, and where each stands on a day as SQL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from volunteerkit.approvals.tables import case, outcome_on
from volunteerkit.store.schema import append_only, id_column, integer, table

__all__ = [
    "affiliation",
    "base_desk",
    "base_service",
    "equipment",
    "evaluation",
    "loan",
    "organization",
    "organization_on",
    "seat",
    "standing",
    "status_on",
    "team",
    "tenancy",
]


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


tenancy = table(
    "tenancy",
    id_column(),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id"), nullable=False),
    sa.Column("starts_on", integer, nullable=False),
    sa.Column("ends_on", integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False, server_default=""),
    sa.Column("case_id", integer, sa.ForeignKey("vk_case.id")),
    sa.CheckConstraint("starts_on <= ends_on + 1", name="days"),
    sa.CheckConstraint("status IN ('pending', 'refused', 'withdrawn', 'granted', 'left')", name="status"),
)
"""An organization in the incubation base, from ``starts_on`` to ``ends_on`` (inclusive) once it is granted."""

sa.Index("ix_vk_tenancy_organization", tenancy.c.organization_id)

base_desk = table(
    "base_desk",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("tenancy_id", integer, sa.ForeignKey("vk_tenancy.id")),
)
"""The desks of the base; ``tenancy_id`` is who sits there now. Who sat there when: `seat`."""

seat = table(
    "base_seat",
    id_column(),
    sa.Column("desk_id", integer, sa.ForeignKey("vk_base_desk.id"), nullable=False),
    sa.Column("tenancy_id", integer, sa.ForeignKey("vk_tenancy.id"), nullable=False),
    sa.Column("since", integer, nullable=False),
    sa.Column("until", integer),
)
"""Who has a desk from which to which day (inclusive); a day belongs to whoever took the desk last."""

equipment = table(
    "base_equipment",
    id_column(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("owned", integer, nullable=False),
    sa.Column("lent", integer, nullable=False, server_default="0"),
    sa.CheckConstraint("lent BETWEEN 0 AND owned", name="lent"),
)

loan = table(
    "base_loan",
    id_column(),
    sa.Column("equipment_id", integer, sa.ForeignKey("vk_base_equipment.id"), nullable=False),
    sa.Column("tenancy_id", integer, sa.ForeignKey("vk_tenancy.id"), nullable=False),
    sa.Column("lent_on", integer, nullable=False),
    sa.Column("count", integer, nullable=False),
    sa.Column("returned", integer, nullable=False, server_default="0"),
    sa.CheckConstraint("count > 0 AND returned BETWEEN 0 AND count", name="returned"),
)

sa.Index("ix_vk_base_loan_tenancy", loan.c.tenancy_id)

base_service = table(
    "base_service",
    id_column(),
    sa.Column("tenancy_id", integer, sa.ForeignKey("vk_tenancy.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("served_on", integer, nullable=False),
)
"""What a tenant received: advice, training, a room; ``kind`` is the city's word."""

evaluation = table(
    "organization_evaluation",
    id_column(),
    sa.Column("organization_id", integer, sa.ForeignKey("vk_organization.id"), nullable=False),
    sa.Column("score", integer, nullable=False),
    sa.Column("evaluated_on", integer, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.CheckConstraint("score BETWEEN 0 AND 100", name="score"),
)
"""How well an organization served, in points of a hundred; a later one replaces, the earlier one stays."""

append_only(evaluation)


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
