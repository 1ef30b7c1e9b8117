"""A brand's page: what it is, and what was done under it."""

from __future__ import annotations

from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.hours.groups import group_minutes
from volunteerkit.hours.tables import group_entry, service_record
from volunteerkit.projects import Brand, brands
from volunteerkit.projects.tables import brand, project
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.volunteers.persons import merged_into

__all__ = ["BrandPage", "brand_page"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class BrandPage:
    """A brand and its figures up to now: projects, volunteers with confirmed minutes, those minutes.

    ``group_minutes`` are those of unnamed persons, minutes times persons; they are in no other figure.
    """

    brand: Brand
    projects: int
    volunteers: int
    confirmed_minutes: int
    group_minutes: int


@storage_errors("database")
def brand_page(desk: Desk, number: str) -> BrandPage:
    """Return a brand with the figures of the projects under it; raises NotFound, NotPermitted.

    Counted are projects that were published, or approved elsewhere, and confirmed minutes; a person who was
    merged from two is one.
    """
    found = brands.view(desk, number)
    under = sa.and_(
        project.c.brand_id == sa.select(brand.c.id).where(brand.c.number == number).scalar_subquery(),
        project.c.status != "deleted",
        sa.or_(project.c.published_at.is_not(None), project.c.case_id.is_(None)),
    )
    projects = desk.connection.execute(sa.select(sa.func.count()).where(under)).scalar_one()
    served: Any = (
        sa.select(service_record.c.volunteer_id, sa.func.sum(service_record.c.confirmed_minutes))
        .join(project, project.c.id == service_record.c.project_id)
        .where(project.c.brand_id.is_not(None), under, service_record.c.state == "confirmed")
        .group_by(service_record.c.volunteer_id)
    )
    rows = desk.connection.execute(served).fetchall()
    heirs = merged_into(desk.connection)
    people = {heirs.get(id_, id_) for id_, _ in rows}
    inside = group_entry.c.project_id.in_(sa.select(project.c.id).where(under))
    groups = sum(group_minutes(desk, inside).values())
    return BrandPage(found, projects, len(people), sum(int(minutes) for _, minutes in rows), groups)
