"""Reading projects: as rows with their place, as values, by number, by what is reached, by day."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.access import Place
from volunteerkit.errors import Finding, InvalidValue, Refused, nearest
from volunteerkit.organizations.model import ADMITTED, given_text
from volunteerkit.organizations.reading import admitted_row
from volunteerkit.organizations.tables import organization, organization_on, status_on, team
from volunteerkit.projects.model import IMPORTED_STATES, PROJECT_STATES, Listed, Position, Project, Shift
from volunteerkit.projects.tables import brand, position, project, shift
from volunteerkit.projects.times import plain_year
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import all_numbers, within
from volunteerkit.store.registering import id_of, possible_id
from volunteerkit.units import day_number, day_of, instant_of, plain_day, whole_number
from volunteerkit.volunteers.tables import membership, volunteer

__all__ = [
    "as_project",
    "as_shift",
    "calendar",
    "list_applications",
    "list_projects",
    "listed",
    "must_stand",
    "of_project",
    "place_of",
    "project_rows",
    "reached",
    "shift_rows",
    "statements_of",
    "stranded_projects",
    "subject_of",
    "view",
    "view_application",
]

_BELOW, _SOURCE = organization.alias("below"), project.alias("source")
_DAYS_AT_MOST = 366
_PUBLIC = sa.or_(project.c.published_at.is_not(None), project.c.case_id.is_(None))
"""What was published once; and what was never applied for: registered or imported."""


def __dir__() -> list[str]:
    return __all__


project_rows = (
    sa.select(
        project, organization.c.number.label("organization"), team.c.number.label("team"),
        organization.c.name.label("organization_name"), brand.c.number.label("brand_number"), _BELOW.c.number.label("below"), _SOURCE.c.number.label("source"),
        _PUBLIC.label("public"),
    )
    .select_from(project)
    .join(organization, organization.c.id == project.c.organization_id)
    .outerjoin(team, team.c.id == project.c.team_id)
    .outerjoin(brand, brand.c.id == project.c.brand_id)
    .outerjoin(_BELOW, _BELOW.c.id == project.c.visible_below_id)
    .outerjoin(_SOURCE, _SOURCE.c.id == project.c.copied_from_id)
    .where(project.c.status != "deleted")
)  # fmt: skip
"""The query for projects: columns of the table and the numbers that its ids stand for."""


@attrs.frozen
class _Belonging:
    """Where the actor belongs: organizations with all above them, and what they lead or administer."""

    above: tuple[int, ...]
    organizations: tuple[str, ...]
    teams: tuple[str, ...]

    def sees(self, row: Any) -> bool:
        return (
            row.visible_below_id is None
            or row.visible_below_id in self.above
            or row.organization in self.organizations
            or row.team in self.teams
        )

    @property
    def condition(self) -> sa.ColumnElement[bool]:
        """The same in SQL."""
        return sa.or_(
            project.c.visible_below_id.is_(None), project.c.visible_below_id.in_(self.above),
            organization.c.number.in_(self.organizations), team.c.number.in_(self.teams),
        )  # fmt: skip


def _belonging(desk: Desk) -> _Belonging:
    held = [each for each in (*desk.acting.grants, *desk.stored_grants) if each.holds_on(desk.today)]
    numbers = tuple(sorted({each.scope or "" for each in held if each.role == "organization_admin"}))
    teams = tuple(sorted({each.scope or "" for each in held if each.role == "team_leader"}))
    day = day_number(desk.today)
    own = [sa.select(organization.c.id).where(organization.c.number.in_(numbers))]
    own.append(sa.select(organization_on(day)).where(team.c.number.in_(teams)))
    if desk.acting.volunteer:
        me = sorted(all_numbers(desk.connection, desk.acting.volunteer))
        here = (
            membership.join(volunteer, volunteer.c.id == membership.c.volunteer_id)
            .outerjoin(team, team.c.id == membership.c.team_id)
        )  # fmt: skip
        now = sa.and_(
            volunteer.c.number.in_(me), membership.c.since <= day,
            sa.or_(membership.c.until.is_(None), membership.c.until >= day),
        )  # fmt: skip
        where = sa.func.coalesce(membership.c.organization_id, organization_on(day))
        own.append(sa.select(where).select_from(here).where(now))
    found = {id_ for query in own for id_ in desk.connection.execute(query).scalars() if id_ is not None}
    layer = set(found)
    while layer:
        query = sa.select(organization.c.parent_id).where(organization.c.id.in_(sorted(layer)))
        layer = {each for each in desk.connection.execute(query).scalars() if each is not None} - found
        found |= layer
    return _Belonging(tuple(sorted(found)), numbers, teams)


def place_of(desk: Desk, row: Any) -> Place:
    """Return where a row of `project_rows` belongs, and whether the actor sees it because it is public.

    One that is shown to a sub-tree of organizations is so to their members, and to who runs it.
    """
    public = bool(row.public) and (row.visible_below_id is None or _belonging(desk).sees(row))
    return Place(
        row.brought_volunteer,
        (row.team,) if row.team else (),
        (row.organization,),
        (row.area,) if row.area else (),
        row.brought_by or None,
        published=public,
    )


def reached(desk: Desk, action: str, number: str) -> Any:
    """Return the row of a project that the actor may do ``action`` to.

    Raises NotFound (also for a foreign one), NotPermitted, InvalidValue for what is no text.
    """
    given_text("project", number)
    row = desk.connection.execute(project_rows.where(project.c.number == number)).first()
    desk.permit_on(action, "project", number, None if row is None else place_of(desk, row))
    return row


def of_project(desk: Desk, action: str, kind: str, target: sa.Table, id_: int) -> tuple[Any, Any]:
    """Return the row of a project's position, shift or series, and its project's, for ``action``.

    Raises NotFound for an unknown id and a foreign one alike, NotPermitted.
    """
    inner = row = None
    if possible_id(id_):
        inner = desk.connection.execute(sa.select(target).where(target.c.id == id_)).first()
    if inner is not None:
        row = desk.connection.execute(project_rows.where(project.c.id == inner.project_id)).first()
    desk.permit_on(action, kind, id_, None if row is None else place_of(desk, row))
    return inner, row


def subject_of(row: Any) -> str:
    """Return the opaque name of a project in events and cases."""
    return f"project:{row.id}"


def must_stand(row: Any, *states: str) -> None:
    """Raise Refused unless the project stands in one of the ``states``."""
    if row.status not in states:
        raise Refused(Finding("project_state", {"number": row.number, "status": row.status}))


def listed(
    desk: Desk, action: str, *conditions: Any, after: str = "", limit: int = 100, more: Sequence[Any] = ()
) -> Iterator[Any]:
    """Yield the rows that `reached` would return, in the order of their numbers, from ``after`` on."""
    given_text("after", after)
    whole_number("limit", limit, 1)
    query = project_rows.add_columns(*more) if more else project_rows
    query = query.where(_covered(desk, action), project.c.number > after, *conditions)
    yield from desk.connection.execute(query.order_by(project.c.number).limit(limit))


def _covered(desk: Desk, action: str) -> sa.ColumnElement[bool]:
    reach = desk.reach(action)
    columns: dict[str, Any] = {
        "volunteer": project.c.brought_volunteer,
        "brought_by": project.c.brought_by,
        "team": team.c.number,
        "organization": organization.c.number,
        "area": sa.func.nullif(project.c.area, ""),
    }
    if reach.published and not reach.city:
        columns["published"] = sa.and_(_PUBLIC, _belonging(desk).condition)
    return within(reach, columns)


def _day(number: int | None) -> dt.date | None:
    return None if number is None else day_of(number)


def statements_of(row: Any) -> Mapping[str, str]:
    """Return what the organizer stated."""
    return MappingProxyType(json.loads(row.statements))


shift_rows = (
    sa.select(
        shift, position.c.name.label("position"), project.c.number.label("project"),
        project.c.name.label("project_name"), project.c.statements,
        organization.c.number.label("organization"), organization.c.name.label("organization_name"),
    )
    .select_from(shift)
    .join(project, project.c.id == shift.c.project_id)
    .join(organization, organization.c.id == project.c.organization_id)
    .outerjoin(position, position.c.id == shift.c.position_id)
    .order_by(shift.c.starts_at, shift.c.id)
)  # fmt: skip
"""The query for shifts in order, with the numbers and names that their ids stand for."""


def as_shift(desk: Desk, row: Any) -> Shift:
    """Return the value for a row of `shift_rows`."""
    starts_at, ends_at = (instant_of(each).astimezone(desk.zone) for each in (row.starts_at, row.ends_at))
    return Shift(
        row.id, row.project, row.name, row.position, starts_at, ends_at, row.capacity, row.taken,
        row.series_id, bool(row.edited), row.cancelled_at is not None,
        row.latitude_e6, row.longitude_e6, row.project_name, row.organization, row.organization_name,
        statements_of(row).get("place", ""),
    )  # fmt: skip


def as_project(desk: Desk, row: Any) -> Project:
    """Return the value for a row of `project_rows`, with its positions and shifts."""
    places = sa.select(position).where(position.c.project_id == row.id).order_by(position.c.id)
    positions = tuple(
        Position(each.id, each.name, each.content, each.age_from, each.age_to, each.qualification, each.skill,
                 each.sex, each.sex_ground)
        for each in desk.connection.execute(places)
    )  # fmt: skip
    shifts = tuple(
        as_shift(desk, each)
        for each in desk.connection.execute(shift_rows.where(shift.c.project_id == row.id))
    )
    coming = any(not each.cancelled and each.ends_at > desk.now for each in shifts)
    over = row.ends_on is not None and row.ends_on < day_number(desk.today) and not coming
    published = None if row.published_at is None else instant_of(row.published_at).astimezone(desk.zone)
    return Project(
        row.number, row.name, row.brand_number, row.category, row.organization, row.team, row.area,
        _day(row.starts_on), _day(row.ends_on), row.recruit_target, _day(row.apply_from), _day(row.apply_until),
        row.acceptance, bool(row.waiting_list), row.guests_at_most, row.below, bool(row.back_entry),
        bool(row.template), statements_of(row), row.status, row.case_id, row.source, published, positions,
        shifts, over,
    )  # fmt: skip


@storage_errors("database")
def view(desk: Desk, number: str) -> Project:
    """Return a project as it stands, once it is published; later too, when it is over or cancelled.

    One that is for the members of a sub-tree of organizations is there for nobody else. Raises NotFound,
    NotPermitted.
    """
    return as_project(desk, reached(desk, "project.view", number))


@storage_errors("database")
def view_application(desk: Desk, number: str) -> Project:
    """Return a project for whoever brought it, its organizer and its offices, also before it is published.

    Raises NotFound, NotPermitted.
    """
    return as_project(desk, reached(desk, "project.view_application", number))


def _coming(desk: Desk) -> sa.ColumnElement[bool]:
    return sa.and_(
        shift.c.project_id == project.c.id, shift.c.cancelled_at.is_(None), shift.c.ends_at > microseconds(desk.now)
    )  # fmt: skip


def _over(desk: Desk) -> sa.ColumnElement[bool]:
    """Return the SQL for whether a project's last day is past and no shift is to come."""
    coming = sa.exists(sa.select(shift.c.id).where(_coming(desk)).correlate(project))
    return sa.and_(project.c.ends_on.is_not(None), project.c.ends_on < day_number(desk.today), ~coming)


def _free(desk: Desk) -> tuple[Any, Any]:
    """Return the SQL for how many coming places of a project are free, and whether one has no limit."""
    left = sa.case((shift.c.capacity > shift.c.taken, shift.c.capacity - shift.c.taken), else_=0)
    total: Any = sa.select(sa.func.coalesce(sa.func.sum(left), 0)).where(_coming(desk)).correlate(project)
    unlimited: Any = sa.exists(
        sa.select(shift.c.id).where(_coming(desk), shift.c.capacity.is_(None)).correlate(project)
    )
    return total.scalar_subquery(), unlimited


@storage_errors("database")
def list_projects(
    desk: Desk,
    *,
    brand: str | None = None,
    category: str | None = None,
    area: str | None = None,
    organization: str | None = None,
    team: str | None = None,
    since: dt.date | None = None,
    until: dt.date | None = None,
    status: str | None = None,
    free: bool | None = None,
    over: bool | None = None,
    text: str | None = None,
    after: str = "",
    limit: int = 100,
) -> tuple[Listed, ...]:
    """Return the projects that the actor may `view`, by number: ``limit`` of them following ``after``.

    ``since`` and ``until`` take those that last into these days (inclusive), ``free`` those with (or without)
    a free place in a coming shift, ``over`` those whose last day is past (or is not, yet), ``text`` those whose name
    has it. Raises NotFound for an unknown brand, organization or team, InvalidValue.
    """
    return _list(desk, "project.view", brand, category, area, organization, team, since, until, status, free,
                 text, after, limit, *_flag("over", over, _over(desk)))  # fmt: skip


@storage_errors("database")
def list_applications(
    desk: Desk,
    *,
    organization: str | None = None,
    team: str | None = None,
    status: str | None = None,
    template: bool | None = None,
    over: bool | None = None,
    text: str | None = None,
    after: str = "",
    limit: int = 100,
) -> tuple[Listed, ...]:
    """Return the projects that the actor may `view_application`, by number, whatever their status.

    With ``template`` those that were marked to be copied from, ``over`` as there. Raises what `list_projects` raises.
    """
    more = _flag("template", template, project.c.template == 1) + _flag("over", over, _over(desk))
    return _list(desk, "project.view_application", None, None, None, organization, team, None, None, status,
                 None, text, after, limit, *more)  # fmt: skip


def _flag(name: str, value: bool | None, condition: Any) -> list[Any]:
    if value is None:
        return []
    if type(value) is not bool:
        raise InvalidValue(name=name, value=type(value).__name__, allowed="True, False")
    return [condition if value else sa.not_(condition)]


def _list(
    desk: Desk, action: str, brand_: str | None, category: str | None, area: str | None, owner: str | None,
    team_: str | None, since: dt.date | None, until: dt.date | None, status: str | None, free: bool | None,
    text: str | None, after: str, limit: int, *conditions: Any,
) -> tuple[Listed, ...]:  # fmt: skip
    texts = {"category": category, "area": area, "status": status, "text": text}
    for name, value in texts.items():
        if value is not None:
            given_text(name, value)
    known = (*PROJECT_STATES[:-1], *IMPORTED_STATES)
    if status is not None and status not in known:
        raise InvalidValue(
            name="status", value=status[:40], allowed=nearest(status, known) or ", ".join(known)
        )
    total, unlimited = _free(desk)
    first, last = _range(since, until)
    wanted = [
        *conditions,
        *([project.c.brand_id == id_of(desk, brand, "brand", brand_)] if brand_ is not None else []),
        *([project.c.organization_id == admitted_row(desk, owner).id] if owner is not None else []),
        *([project.c.team_id == admitted_row(desk, team_, kind="team").id] if team_ is not None else []),
        *([getattr(project.c, name) == texts[name] for name in texts if name != "text" and texts[name]]),
        *([project.c.ends_on >= first] if first is not None else []),
        *([project.c.starts_on <= last] if last is not None else []),
        *_flag("free", free, sa.or_(unlimited, total > 0)),
        *([sa.func.lower(project.c.name).contains(text.lower(), autoescape=True)] if text else []),
    ]
    more = (total.label("free"), unlimited.label("unlimited"), _over(desk).label("over"))
    return tuple(
        Listed(row.number, row.name, row.brand_number, row.category, row.organization, row.team, row.area,
               _day(row.starts_on), _day(row.ends_on), row.status, bool(row.template),
               None if row.unlimited else int(row.free), row.organization_name, bool(row.over))
        for row in listed(desk, action, *wanted, after=after, limit=limit, more=more)
    )  # fmt: skip


def _range(since: dt.date | None, until: dt.date | None) -> tuple[int | None, int | None]:
    first = None if since is None else day_number(plain_day("since", since))
    last = None if until is None else day_number(plain_day("until", until))
    if first is not None and last is not None and last < first:
        raise InvalidValue(name="until", value=str(until), allowed=f"{since} …")
    return first, last


@storage_errors("database")
def calendar(
    desk: Desk, since: dt.date, until: dt.date, *, organization: str | None = None, limit: int = 1000
) -> tuple[Shift, ...]:
    """Return the shifts that begin from day ``since`` to day ``until`` (inclusive, the city's), by their start.

    Of projects that the actor may `view`, cancelled shifts left out; the first ``limit`` of them. Raises
    InvalidValue, also for more than 366 days, NotFound for an unknown organization, NotPermitted.
    """
    for name, day in (("since", since), ("until", until)):
        plain_year(name, plain_day(name, day))
    first, last = _range(since, until)
    assert first is not None
    assert last is not None
    if last - first >= _DAYS_AT_MOST:
        raise InvalidValue(
            name="until", value=str(until), allowed=f"{since} … {day_of(first + _DAYS_AT_MOST - 1)}"
        )
    whole_number("limit", limit, 1)
    begin, end = (
        microseconds(dt.datetime.combine(day, dt.time(), desk.zone)) for day in (since, day_of(last + 1))
    )
    owner = [] if organization is None else [project.c.organization_id == admitted_row(desk, organization).id]
    shown = project_rows.with_only_columns(project.c.id).where(_covered(desk, "project.view"), *owner)
    wanted = (shift.c.starts_at >= begin, shift.c.starts_at < end, shift.c.cancelled_at.is_(None))
    rows = desk.connection.execute(shift_rows.where(*wanted, shift.c.project_id.in_(shown)).limit(limit))
    return tuple(as_shift(desk, row) for row in rows)


@storage_errors("database")
def stranded_projects(desk: Desk, *, after: str = "", limit: int = 100) -> tuple[Listed, ...]:
    """Return what is approved or published, not over, and whose organization or team may not act today.

    For the centre and the department, who cancel it or let another organization apply for it. Raises
    InvalidValue.
    """
    day = day_number(desk.today)
    unfit = sa.or_(
        status_on(organization, day).not_in(ADMITTED),
        sa.and_(project.c.team_id.is_not(None), status_on(team, day).not_in(ADMITTED)),
    )
    coming = sa.or_(project.c.ends_on.is_(None), project.c.ends_on >= day)
    wanted = (project.c.status.in_(["approved", "published"]), project.c.back_entry == 0, coming, unfit)
    return _list(desk, "project.view_application", None, None, None, None, None, None, None, None, None, None,
                 after, limit, *wanted)  # fmt: skip
