"""The verbs that change what was applied for: at once while it waits, by an approval afterwards."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.approvals import Case
from volunteerkit.approvals.cases import open_case
from volunteerkit.errors import Finding, Refused
from volunteerkit.organizations.reading import admitted_row
from volunteerkit.projects.applying import brand_findings, case_facts, case_place, days_findings
from volunteerkit.projects.model import NEEDED, Project, ProjectChange
from volunteerkit.projects.planning import taking_part
from volunteerkit.projects.reading import (
    as_project,
    must_stand,
    place_of,
    project_rows,
    reached,
    statements_of,
    subject_of,
)
from volunteerkit.projects.tables import brand, project, project_change, shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, id_of, next_id
from volunteerkit.units import day_number, day_of, instant_of, of_type

__all__ = ["edit", "request_change", "settle_change"]

CHANGE: Final = "project.change"
_LIVING: Final = ("approved", "published")
_DAYS: Final = ("starts_on", "ends_on", "apply_from", "apply_until")
_RELEVANT: Final = ("name", "area", "starts_on", "ends_on", "statements.place")
"""What somebody who takes part wants to hear of."""


def __dir__() -> list[str]:
    return __all__


@command
def edit(desk: Desk, number: str, change: ProjectChange) -> Project:
    """Change a project that still waits for its approval, and return it; the decider sees it as it is then.

    Raises NotFound, NotPermitted, InvalidValue, and Refused for one that was decided: see `request_change`.
    """
    row = reached(desk, "project.edit", number)
    must_stand(row, "pending")
    before, after = _changed(desk, row, change)
    change_id = _keep(desk, row, before, after, "in_force")
    guarded = sa.update(project).where(project.c.id == row.id, project.c.status == "pending")
    desk.connection.execute(guarded.values(**after))
    note(desk, "project.edited", subject_of(row), {"change": change_id, "fields": _fields(before, after)})
    return as_project(desk, desk.connection.execute(project_rows.where(project.c.id == row.id)).one())


@command
def request_change(desk: Desk, number: str, change: ProjectChange) -> int:
    """Ask for a change of an approved or published project; return the case that decides it.

    Nothing changes before. What changed is kept, and when name, time or place of one that is not over changed,
    the event names the volunteers to be notified. Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    row = reached(desk, "project.edit", number)
    must_stand(row, *_LIVING)
    before, after = _changed(desk, row, change)
    place = attrs.evolve(place_of(desk, row), volunteer=None, brought_by=None, published=False)
    facts = case_facts(desk, "project.edit", row.number, place, row.area)
    change_id = _keep(desk, row, before, after, "proposed")
    facts["change"] = change_id
    opened = open_case(
        desk, CHANGE, subject_of(row), case_place(desk, CHANGE, place, row.area, facts), facts=facts
    )
    kept = sa.update(project_change).where(project_change.c.id == change_id)
    desk.connection.execute(kept.values(case_id=opened.id))
    return opened.id


def settle_change(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    """Write what was asked for, unless it was refused; raises Refused when shifts lie outside meanwhile."""
    id_ = int(case.facts["change"])
    kept = sa.update(project_change).where(project_change.c.id == id_, project_change.c.state == "proposed")
    state = "in_force" if outcome == "granted" else outcome
    values = {"state": state, "changed_at": microseconds(desk.now)}
    if desk.connection.execute(kept.values(**values)).rowcount != 1 or outcome != "granted":
        return
    asked = desk.connection.execute(sa.select(project_change).where(project_change.c.id == id_)).one()
    row = desk.connection.execute(project_rows.where(project.c.id == asked.project_id)).one()
    before, after = json.loads(asked.before), json.loads(asked.after)
    _refuse_outside(desk, row, after)
    guarded = sa.update(project).where(project.c.id == row.id, project.c.status.in_(_LIVING))
    if desk.connection.execute(guarded.values(**after)).rowcount != 1:
        raise Refused(Finding("project_state", {"number": row.number, "status": row.status}))
    fields = _fields(before, after)
    payload = {"change": id_, "case": case.id, "fields": fields, "notify": _told(desk, row, after, fields)}
    note(desk, "project.edited", case.subject, payload)


def _told(desk: Desk, row: Any, after: dict[str, Any], fields: list[str]) -> list[int]:
    ends_on = after.get("ends_on", row.ends_on)
    over = ends_on is not None and day_of(ends_on) < desk.today
    if over or row.status != "published" or not set(fields) & set(_RELEVANT):
        return []
    shifts = sa.select(shift.c.id).where(
        shift.c.project_id == row.id, shift.c.cancelled_at.is_(None), shift.c.ends_at > microseconds(desk.now)
    )
    return taking_part(desk, desk.connection.execute(shifts).scalars())


def _keep(desk: Desk, row: Any, before: dict[str, Any], after: dict[str, Any], state: str) -> int:
    id_ = next_id(desk, project_change)
    texts = {name: json.dumps(value, ensure_ascii=False, sort_keys=True)
             for name, value in (("before", before), ("after", after))}  # fmt: skip
    desk.connection.execute(
        sa.insert(project_change).values(
            id=id_, project_id=row.id, state=state, changed_at=microseconds(desk.now), actor_id=desk.actor.id, **texts
        )
    )  # fmt: skip
    return id_


def _fields(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of what changed, each statement by its own."""
    names = set(after) - {"statements"}
    if "statements" in after:
        old, new = json.loads(before["statements"]), json.loads(after["statements"])
        names |= {f"statements.{key}" for key in {*old, *new} if old.get(key) != new.get(key)}
    return sorted(names)


def _changed(desk: Desk, row: Any, change: ProjectChange) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns that change, as they were and as they are to be."""
    of_type("change", change, ProjectChange)
    wanted = _wanted(desk, row, change)
    after = {name: value for name, value in wanted.items() if row._mapping[name] != value}
    if not after:
        raise Refused(Finding("nothing_changed"))
    found = list(brand_findings(desk, change.brand))
    whole = {name: after.get(name, row._mapping[name]) for name in _DAYS}
    days = {name: None if value is None else day_of(value) for name, value in whole.items()}
    found += days_findings(**days)
    moved = {"starts_on", "ends_on"} & set(after)
    if moved and not row.back_entry and days["ends_on"] is not None and days["ends_on"] < desk.today:
        found.append(Finding("in_the_past", {"day": str(days["ends_on"]), "today": str(desk.today)}))
    if "starts_on" in after and not row.back_entry and day_of(after["starts_on"]) < desk.today:
        found.append(Finding("in_the_past", {"day": str(days["starts_on"]), "today": str(desk.today)}))
    for key in NEEDED:
        if key in change.statements and not change.statements[key].strip():
            found.append(Finding(f"statement_missing_{key}"))
    if found:
        raise Refused(*dict.fromkeys(found))
    _refuse_outside(desk, row, after)
    return {name: row._mapping[name] for name in after}, after


def _wanted(desk: Desk, row: Any, change: ProjectChange) -> dict[str, Any]:
    stated = {**statements_of(row), **{key: text.strip() for key, text in change.statements.items()}}
    stated = {key: text for key, text in stated.items() if text}
    below = change.visible_below
    columns: dict[str, Any] = {
        "name": None if change.name is None else checked_text("name", change.name),
        "category": None if change.category is None else checked_text("category", change.category, 100),
        "area": None if change.area is None else checked_text("area", change.area, 100),
        "recruit_target": change.places,
        "acceptance": change.acceptance,
        "waiting_list": None if change.waiting_list is None else int(change.waiting_list),
        "guests_at_most": change.guests_at_most,
        "statements": json.dumps(stated, ensure_ascii=False, sort_keys=True) if change.statements else None,
        **{
            name: None if getattr(change, name) is None else day_number(getattr(change, name))
            for name in _DAYS
        },
    }
    wanted = {name: value for name, value in columns.items() if value is not None}
    if change.brand is not None:
        wanted["brand_id"] = id_of(desk, brand, "brand", change.brand) if change.brand else None
    if below is not None:
        wanted["visible_below_id"] = admitted_row(desk, below).id if below else None
    return wanted


def _refuse_outside(desk: Desk, row: Any, after: dict[str, Any]) -> None:
    """Refuse days that leave a shift of the project outside."""
    first, last = (after.get(name, row._mapping[name]) for name in ("starts_on", "ends_on"))
    if not {"starts_on", "ends_on"} & set(after):
        return
    kept = sa.select(shift.c.id, shift.c.starts_at).where(
        shift.c.project_id == row.id, shift.c.cancelled_at.is_(None)
    )
    found = []
    for place, (_, starts_at) in enumerate(desk.connection.execute(kept.order_by(shift.c.starts_at)), 1):
        day = instant_of(starts_at).astimezone(desk.zone).date()
        number = day_number(day)
        if (first is not None and number < first) or (last is not None and number > last):
            found.append(Finding("shift_outside", {"place": place, "day": str(day)}))
    if found:
        raise Refused(*found)
