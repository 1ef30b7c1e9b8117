"""The verbs of a project's plan: its positions, shifts and series of shifts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.errors import Finding, Refused
from volunteerkit.organizations.model import given_text
from volunteerkit.policy import Policy
from volunteerkit.projects.model import ACTIVE, Position, PositionForm, Series, Shift, ShiftForm
from volunteerkit.projects.reading import as_shift, must_stand, of_project, reached, shift_rows, subject_of
from volunteerkit.projects.tables import participation, position, series, shift
from volunteerkit.projects.times import checked_span, clock_time, local_time, occurrences
from volunteerkit.projects.waiting import cancel_participations, fill
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, next_id
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_number, day_of, instant_of, of_type, whole_number

__all__ = [
    "add_position",
    "add_series",
    "add_shift",
    "cancel_position",
    "cancel_shift",
    "edit_position",
    "edit_series",
    "edit_shift",
    "view_series",
]

PLANNED_IN: Final = ("pending", "approved", "published")
"""States in which a plan is made."""

_MINUTE: Final = 60_000_000
_DAY: Final = 1440


def __dir__() -> list[str]:
    return __all__


def position_findings(forms: Iterable[PositionForm]) -> Iterator[Finding]:
    """Yield what stands against positions."""
    names: set[str] = set()
    for form in forms:
        name = checked_text("position.name", form.name, 100)
        if name in names:
            yield Finding("position_twice", {"position": name})
        names.add(name)
        if (form.sex is None) != (not (form.sex_ground or "").strip()):
            yield Finding("sex_without_ground", {"position": name})


def shift_findings(
    desk: Desk, forms: Iterable[ShiftForm], days: tuple[int | None, int | None], positions: Iterable[str],
    *, past: bool,
) -> Iterator[Finding]:  # fmt: skip
    """Yield what stands against shifts of a project that lasts these days; ``past`` ones are not refused.

    Raises InvalidValue for a span that is none.
    """
    known = {each.strip() for each in positions}
    for place, form in enumerate(forms, 1):
        starts_at, ends_at = checked_span(form.starts_at, form.ends_at)
        day = day_number(form.starts_at.astimezone(desk.zone).date())
        first, last = days
        if (first is not None and day < first) or (last is not None and day > last):
            yield Finding("shift_outside", {"place": place, "day": str(day_of(day))})
        if form.position is not None and form.position.strip() not in known:
            yield Finding("position_unknown", {"position": form.position[:40]})
        now = microseconds(desk.now)
        if past and ends_at > now:
            yield Finding("not_over", {"day": str(day_of(day)), "today": str(desk.today)})
        elif not past and starts_at <= now:
            yield Finding("in_the_past", {"day": str(day_of(day)), "today": str(desk.today)})


def minors_findings(
    desk: Desk, positions: Iterable[PositionForm], shifts: Iterable[ShiftForm]
) -> Iterator[Finding]:
    """Yield a warning for each shift longer, or at another time, than those whom its position admits may serve."""
    youngest = {each.name.strip(): each.age_from for each in positions}
    for place, form in enumerate(shifts, 1):
        age = youngest.get(form.position.strip()) if form.position is not None else None
        limit = _limit(desk.policy, age)
        if age is None or limit is None:
            continue
        starts, ends = checked_span(form.starts_at, form.ends_at)
        local = form.starts_at.astimezone(desk.zone)
        begin, length = local.hour * 60 + local.minute, (ends - starts) // _MINUTE
        if length > limit.day_minutes or begin < limit.not_before or begin + length > limit.not_after:
            values = {"place": place, "age": age, "minutes": limit.day_minutes}
            yield Finding("shift_unfit_for_minors", values, "warn")


def _limit(policy: Policy, age: int | None) -> Any:
    fits = [each for each in policy.minors if age is not None and age < each.below_age]
    return min(fits, key=lambda each: each.below_age, default=None)


def insert_positions(desk: Desk, project_id: int, forms: Iterable[PositionForm]) -> dict[str, int]:
    """Insert positions and return their ids by name."""
    found: dict[str, int] = {}
    for id_, form in enumerate(forms, next_id(desk, position)):
        values = attrs.asdict(form) | {"name": form.name.strip(), "sex_ground": form.sex_ground or None}
        desk.connection.execute(sa.insert(position).values(id=id_, project_id=project_id, **values))
        found[form.name.strip()] = id_
    return found


def insert_shifts(
    desk: Desk, project_id: int, forms: Iterable[ShiftForm], positions: Mapping[str, int],
    series_id: int | None = None,
) -> list[int]:  # fmt: skip
    """Insert shifts and return their ids."""
    rows: list[dict[str, Any]] = []
    for id_, form in enumerate(forms, next_id(desk, shift)):
        starts_at, ends_at = checked_span(form.starts_at, form.ends_at)
        rows.append(
            {
                "id": id_, "project_id": project_id, "series_id": series_id, "name": form.name.strip(),
                "position_id": positions[form.position.strip()] if form.position is not None else None,
                "starts_at": starts_at, "ends_at": ends_at, "capacity": form.capacity,
                "latitude_e6": form.latitude_e6, "longitude_e6": form.longitude_e6,
            }
        )  # fmt: skip
    if rows:
        desk.connection.execute(sa.insert(shift), rows)
    return [row["id"] for row in rows]


def positions_of(desk: Desk, project_id: int) -> dict[str, int]:
    """Return the ids of a project's positions by name."""
    query = sa.select(position.c.name, position.c.id).where(position.c.project_id == project_id)
    return {name: id_ for name, id_ in desk.connection.execute(query)}


def _planned(desk: Desk, number: str) -> Any:
    row = reached(desk, "project.edit", number)
    must_stand(row, *PLANNED_IN)
    return row


def _inner(desk: Desk, kind: str, target: sa.Table, id_: int) -> tuple[Any, Any]:
    inner, row = of_project(desk, "project.edit", kind, target, id_)
    must_stand(row, *PLANNED_IN)
    return inner, row


def _told(desk: Desk, row: Any, what: str, id_: int, change: str, **more: Any) -> None:
    note(desk, "project.planned", subject_of(row), {"what": what, "id": id_, "change": change, **more})


def _refuse(findings: Iterable[Finding]) -> None:
    found = tuple(findings)
    if any(each.severity == "block" for each in found):
        raise Refused(*found)


@command
def add_position(desk: Desk, number: str, form: PositionForm) -> Position:
    """Add a position to a project that is not over, and return it.

    Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    row = _planned(desk, number)
    of_type("form", form, PositionForm)
    _refuse(position_findings([form]))
    if form.name.strip() in positions_of(desk, row.id):
        raise Refused(Finding("position_twice", {"position": form.name.strip()}))
    id_ = insert_positions(desk, row.id, [form])[form.name.strip()]
    _told(desk, row, "position", id_, "added")
    return _position(desk, id_)


def _position(desk: Desk, id_: int) -> Position:
    row = desk.connection.execute(sa.select(position).where(position.c.id == id_)).one()._mapping
    return Position(**{each.name: row[each.name] for each in attrs.fields(Position)})


@command
def edit_position(desk: Desk, position_id: int, form: PositionForm) -> Position:
    """Let a position be as the form says, for those who join from now on; return it.

    Raises what `add_position` raises.
    """
    before, row = _inner(desk, "position", position, position_id)
    of_type("form", form, PositionForm)
    _refuse(position_findings([form]))
    if positions_of(desk, row.id).get(form.name.strip(), position_id) != position_id:
        raise Refused(Finding("position_twice", {"position": form.name.strip()}))
    values = attrs.asdict(form) | {"name": form.name.strip(), "sex_ground": form.sex_ground or None}
    changed = {name: value for name, value in values.items() if before._mapping[name] != value}
    if changed:
        desk.connection.execute(sa.update(position).where(position.c.id == position_id).values(**changed))
        _told(desk, row, "position", position_id, "edited", fields=sorted(changed))
    return _position(desk, position_id)


@command
def cancel_position(desk: Desk, position_id: int) -> None:
    """Take a position away that no shift has. Raises NotFound, NotPermitted, Refused while one has it."""
    _, row = _inner(desk, "position", position, position_id)
    used = sa.select(shift.c.id).where(shift.c.position_id == position_id).limit(1)
    found = desk.connection.execute(used).scalar()
    if found is not None:
        raise Refused(Finding("position_used", {"shift": found}))
    desk.connection.execute(sa.delete(position).where(position.c.id == position_id))
    _told(desk, row, "position", position_id, "cancelled")


@command
def add_shift(desk: Desk, number: str, form: ShiftForm) -> Shift:
    """Add a shift to a project that is not over, within the project's days, and return it.

    Raises NotFound, NotPermitted, InvalidValue (naive times, an end before the start, a time that the clock
    shows twice or never), Refused.
    """
    row = _planned(desk, number)
    of_type("form", form, ShiftForm)
    positions = positions_of(desk, row.id)
    days = (row.starts_on, row.ends_on)
    _refuse(shift_findings(desk, [form], days, positions, past=bool(row.back_entry)))
    (id_,) = insert_shifts(desk, row.id, [form], positions)
    _told(desk, row, "shift", id_, "added")
    return _shift(desk, id_)


def _shift(desk: Desk, id_: int) -> Shift:
    return as_shift(desk, desk.connection.execute(shift_rows.where(shift.c.id == id_)).one())


@command
def edit_shift(desk: Desk, shift_id: int, form: ShiftForm) -> Shift:
    """Let a shift that has not begun be as the form says, and return it.

    A capacity below those accepted sends nobody away: no place is free until enough have left; a higher one
    lets in who waits. Those who take part are named in the event to be notified when time, place or name changed. Raises what `add_shift`
    raises, and Refused for one that began or was cancelled.
    """
    before, row = _inner(desk, "shift", shift, shift_id)
    of_type("form", form, ShiftForm)
    _coming(desk, row, before)
    positions = positions_of(desk, row.id)
    _refuse(shift_findings(desk, [form], (row.starts_on, row.ends_on), positions, past=bool(row.back_entry)))
    starts_at, ends_at = checked_span(form.starts_at, form.ends_at)
    values = {
        "starts_at": starts_at, "ends_at": ends_at, "capacity": form.capacity, "name": form.name.strip(),
        "position_id": positions[form.position.strip()] if form.position is not None else None,
        "latitude_e6": form.latitude_e6, "longitude_e6": form.longitude_e6,
    }  # fmt: skip
    changed = {name: value for name, value in values.items() if before._mapping[name] != value}
    if changed:
        desk.connection.execute(sa.update(shift).where(shift.c.id == shift_id).values(edited=1, **changed))
        relevant = set(changed) & {"starts_at", "ends_at", "name", "latitude_e6", "longitude_e6"}
        told = taking_part(desk, [shift_id]) if relevant and row.status == "published" else []
        _told(desk, row, "shift", shift_id, "edited", fields=sorted(changed), notify=told)
        if "capacity" in changed:
            fill(desk, shift_id)
    return _shift(desk, shift_id)


def _coming(desk: Desk, row: Any, found: Any) -> None:
    if found.cancelled_at is not None:
        raise Refused(Finding("shift_cancelled", {"shift": found.id}))
    if found.starts_at <= microseconds(desk.now) and not row.back_entry:
        day = instant_of(found.starts_at).astimezone(desk.zone).date()
        raise Refused(Finding("in_the_past", {"day": str(day), "today": str(desk.today)}))


def taking_part(desk: Desk, shifts: Iterable[int]) -> list[int]:
    """Return the ids of the volunteers who mean to come to any of the shifts, each once."""
    query = sa.select(participation.c.volunteer_id).where(
        participation.c.shift_id.in_(sorted(shifts)), participation.c.state.in_([*ACTIVE, "invited"])
    )
    found = desk.connection.execute(query.distinct().order_by(participation.c.volunteer_id)).scalars()
    return list(found)


def cancel_shifts(desk: Desk, shifts: Iterable[int], reason: str) -> list[int]:
    """Cancel shifts with everybody's part in them, empty their waiting lists, and return whom to tell.

    ``reason`` is the address of a sealed text.
    """
    ids = sorted(shifts)
    told = taking_part(desk, ids)
    open_still = sa.update(shift).where(shift.c.id.in_(ids), shift.c.cancelled_at.is_(None))
    desk.connection.execute(open_still.values(cancelled_at=microseconds(desk.now)))
    for id_ in ids:
        cancel_participations(desk, id_, reason=reason)
    return told


@command
def cancel_shift(desk: Desk, shift_id: int, *, reason: str = "") -> None:
    """Cancel a shift that has not begun; whoever meant to come is named in the event to be notified.

    Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    found, row = _inner(desk, "shift", shift, shift_id)
    said = checked_text("reason", reason, 500) if reason else ""
    _coming(desk, row, found)
    said = seal_text(desk, subject_of(row), f"shift:{shift_id}", said)
    told = cancel_shifts(desk, [shift_id], said)
    _told(desk, row, "shift", shift_id, "cancelled", notify=told)


@command
def add_series(desk: Desk, number: str, rule: str, first: ShiftForm, *, fold: int | None = None) -> Series:
    """Add shifts by an RFC 5545 rule, beginning with ``first``, and return them; at most 500.

    The city's clock shows the same time whatever the season, and each shift is as long as the first. The rule
    has FREQ (DAILY, WEEKLY, MONTHLY) and perhaps INTERVAL, BYDAY, BYMONTHDAY, COUNT or UNTIL, EXDATE on a line
    of its own; without an end it goes to the project's last day. ``fold`` says which of two equal times is
    meant in autumn. Raises what `add_shift` raises, InvalidValue naming the part of the rule.
    """
    row = _planned(desk, number)
    of_type("first", first, ShiftForm)
    begin, end = checked_span(first.starts_at, first.ends_at)
    local = first.starts_at.astimezone(desk.zone).replace(tzinfo=None, fold=0)
    last_on = local.date() if row.ends_on is None else day_of(row.ends_on)
    length = dt.timedelta(microseconds=end - begin)
    forms = [
        attrs.evolve(first, starts_at=each, ends_at=each + length)
        for each in occurrences(rule, local, last_on, desk.zone, fold=fold)
    ]
    positions = positions_of(desk, row.id)
    days = (row.starts_on, row.ends_on)
    _refuse(shift_findings(desk, forms, days, positions, past=bool(row.back_entry)))
    id_ = next_id(desk, series)
    desk.connection.execute(
        sa.insert(series).values(
            id=id_, project_id=row.id, rule=rule.strip(), first_on=day_number(local.date()),
            start_minute=local.hour * 60 + local.minute, minutes=(end - begin) // _MINUTE,
        )
    )  # fmt: skip
    made = insert_shifts(desk, row.id, forms, positions, id_)
    _told(desk, row, "series", id_, "added", shifts=len(made))
    return Series(id_, rule.strip(), local.date(), tuple(made))


@storage_errors("database")
def view_series(desk: Desk, series_id: int) -> Series:
    """Return a series with its shifts, for who may edit it. Raises NotFound, NotPermitted."""
    found, _ = of_project(desk, "project.edit", "series", series, series_id)
    mine = sa.select(shift.c.id).where(shift.c.series_id == series_id).order_by(shift.c.starts_at, shift.c.id)
    shifts = tuple(desk.connection.execute(mine).scalars())
    return Series(found.id, found.rule, day_of(found.first_on), shifts)


@command
def edit_series(
    desk: Desk,
    series_id: int,
    *,
    starts: str | None = None,
    minutes: int | None = None,
    capacity: int | None = None,
    name: str | None = None,
    fold: int | None = None,
) -> tuple[int, ...]:
    """Change the coming shifts of a series, and return the ids of those that were changed.

    Left alone are shifts that began, that somebody takes part in, that were cancelled or changed by
    themselves. ``starts`` is a time of the city's clock such as ``"15:00"``. Raises NotFound, NotPermitted,
    InvalidValue, Refused when there is nothing to change.
    """
    found, row = _inner(desk, "series", series, series_id)
    if minutes is not None:
        whole_number("minutes", minutes, 1, 7 * _DAY)
    if capacity is not None:
        whole_number("capacity", capacity, 0, 10**6)
    clock = None if starts is None else clock_time("starts", starts)
    values: dict[str, Any] = {} if capacity is None else {"capacity": capacity}
    values |= {} if name is None else {"name": given_text("name", name).strip()}
    if not values and clock is None and minutes is None:
        raise Refused(Finding("nothing_changed"))
    touched = _untouched(desk, series_id)
    for each in touched:
        begin, end = instant_of(each.starts_at), instant_of(each.ends_at)
        if starts is not None:
            begin = local_time(desk.zone, begin.astimezone(desk.zone).date(), starts, fold=fold)
        if begin <= desk.now:
            day = str(begin.astimezone(desk.zone).date())
            raise Refused(Finding("in_the_past", {"day": day, "today": str(desk.today)}))
        length = end - instant_of(each.starts_at) if minutes is None else dt.timedelta(minutes=minutes)
        span = {"starts_at": microseconds(begin), "ends_at": microseconds(begin + length)}
        desk.connection.execute(sa.update(shift).where(shift.c.id == each.id).values(**span, **values))
    plan = {} if clock is None else {"start_minute": clock.hour * 60 + clock.minute}
    plan |= {} if minutes is None else {"minutes": minutes}
    if plan:
        desk.connection.execute(sa.update(series).where(series.c.id == found.id).values(**plan))
    ids = tuple(each.id for each in touched)
    _told(desk, row, "series", series_id, "edited", shifts=len(ids))
    return ids


def _untouched(desk: Desk, series_id: int) -> list[Any]:
    """Return the coming shifts of a series that nobody takes part in and that were not changed by themselves."""
    left = ("refused", "withdrawn", "cancelled")
    somebody = sa.exists(
        sa.select(participation.c.id)
        .where(participation.c.shift_id == shift.c.id, participation.c.state.not_in(left))
        .correlate(shift)
    )
    query = sa.select(shift).where(
        shift.c.series_id == series_id, shift.c.starts_at > microseconds(desk.now), shift.c.edited == 0,
        shift.c.cancelled_at.is_(None), sa.not_(somebody),
    )  # fmt: skip
    return list(desk.connection.execute(query.order_by(shift.c.starts_at, shift.c.id)))
