"""The verbs of brands, the lasting programmes under which projects run: create, edit, end, view, list."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from volunteerkit.access import Place
from volunteerkit.errors import Finding, Refused
from volunteerkit.organizations.actions import given_number
from volunteerkit.organizations.model import given_text
from volunteerkit.organizations.reading import admitted_row, must_live
from volunteerkit.organizations.tables import organization
from volunteerkit.projects.model import Brand
from volunteerkit.projects.tables import brand
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import within
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, register_row
from volunteerkit.units import day_number, day_of, plain_day, whole_number

__all__ = ["create", "edit", "end", "list_brands", "view"]

_rows = sa.select(brand, organization.c.number.label("organization")).outerjoin(
    organization, organization.c.id == brand.c.organization_id
)


def __dir__() -> list[str]:
    return __all__


def _reached(desk: Desk, action: str, number: str) -> Any:
    given_text("brand", number)
    row = desk.connection.execute(_rows.where(brand.c.number == number)).first()
    desk.permit_on(action, "brand", number, None if row is None else _place_of(row))
    return row


def _place_of(row: Any) -> Place:
    owners = (row.organization,) if row.organization else ()
    return Place(None, (), owners, (row.area,) if row.area else (), published=True)


def _as_brand(row: Any) -> Brand:
    days = (None if each is None else day_of(each) for each in (row.founded_on, row.ended_on))
    return Brand(row.number, row.name, row.summary, row.organization, row.area, *days)


@command
def create(
    desk: Desk,
    name: str,
    *,
    number: str | None = None,
    summary: str = "",
    organization: str | None = None,
    area: str = "",
    founded_on: dt.date | None = None,
) -> str:
    """Create a brand and return its number, by default ``B`` and seven digits.

    The department creates it for its ``area``, the centre for the city; ``organization`` is the number of the
    one that maintains it. Raises NotPermitted, NotFound, InvalidValue, Refused for a name or number that is
    taken.
    """
    place = Place(None, (), (), (area,) if given_text("area", area) else ())
    desk.permit("brand.create", place)
    owner = None if organization is None else admitted_row(desk, organization)
    if owner is not None:
        must_live(owner)
    said = _free_name(desk, name, None)
    founded = desk.today if founded_on is None else plain_day("founded_on", founded_on)
    values = {
        "name": said,
        "summary": checked_text("summary", summary, 2000) if given_text("summary", summary) else "",
        "organization_id": None if owner is None else owner.id,
        "area": area.strip(),
        "founded_on": day_number(founded),
    }
    given = given_number(desk, number, brand, "B")
    register_row(desk, brand, "brand.created", given, values)
    return given


def _free_name(desk: Desk, name: str, but: int | None) -> str:
    said = checked_text("name", name)
    query = sa.select(brand.c.number).where(brand.c.name == said, brand.c.ended_on.is_(None))
    query = query if but is None else query.where(brand.c.id != but)
    other = desk.connection.execute(query.limit(1)).scalar()
    if other is not None:
        raise Refused(Finding("brand_same_name", {"number": other}))
    return said


@command
def edit(
    desk: Desk,
    number: str,
    *,
    name: str | None = None,
    summary: str | None = None,
    organization: str | None = None,
) -> Brand:
    """Change what is given of a brand that has not ended, and return it; an empty ``organization`` is the centre.

    Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    row = _reached(desk, "brand.edit", number)
    _must_last(desk, row)
    values: dict[str, Any] = {
        **({"name": _free_name(desk, name, row.id)} if name is not None else {}),
        **({"summary": given_text("summary", summary).strip()[:2000]} if summary is not None else {}),
    }
    if organization is not None:
        owner = admitted_row(desk, organization) if given_text("organization", organization) else None
        if owner is not None:
            must_live(owner)
        values["organization_id"] = None if owner is None else owner.id
    if values:
        desk.connection.execute(sa.update(brand).where(brand.c.id == row.id).values(**values))
        note(desk, "brand.edited", f"brand:{row.id}", {"fields": sorted(values)})
    return _as_brand(desk.connection.execute(_rows.where(brand.c.id == row.id)).one())


def _must_last(desk: Desk, row: Any) -> None:
    if row.ended_on is not None:
        raise Refused(Finding("brand_ended", {"number": row.number}))


@command
def end(desk: Desk, number: str, *, on: dt.date | None = None) -> None:
    """Let a brand end on day ``on`` (default today); its projects go on, new ones do not come under it.

    Raises NotFound, NotPermitted, InvalidValue, Refused for a past day and for one that ended.
    """
    row = _reached(desk, "brand.edit", number)
    _must_last(desk, row)
    day = desk.today if on is None else plain_day("on", on)
    if day < desk.today:
        raise Refused(Finding("dates_in_the_past", {"day": str(day), "today": str(desk.today)}))
    desk.connection.execute(sa.update(brand).where(brand.c.id == row.id).values(ended_on=day_number(day)))
    note(desk, "brand.ended", f"brand:{row.id}", {"on": day_number(day)})


@storage_errors("database")
def view(desk: Desk, number: str) -> Brand:
    """Return a brand; an ended one too. Raises NotFound, NotPermitted."""
    return _as_brand(_reached(desk, "brand.view", number))


@storage_errors("database")
def list_brands(
    desk: Desk, *, organization: str | None = None, area: str | None = None, after: str = "", limit: int = 100
) -> tuple[Brand, ...]:
    """Return the brands by number, ended ones too: ``limit`` of them following ``after``.

    Raises NotFound for an unknown organization, InvalidValue.
    """
    given_text("after", after)
    whole_number("limit", limit, 1)
    wanted = [
        *([brand.c.organization_id == admitted_row(desk, organization).id] if organization else []),
        *([brand.c.area == given_text("area", area)] if area is not None else []),
    ]
    shown = within(desk.reach("brand.view"), {"published": sa.true()})
    query = _rows.where(shown, brand.c.number > after, *wanted).order_by(brand.c.number).limit(limit)
    return tuple(_as_brand(row) for row in desk.connection.execute(query))
