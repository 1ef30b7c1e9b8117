"""The moves that the reference draws are those that the verbs make: each is tried in every state."""

from __future__ import annotations

import contextlib
import datetime as dt
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Refused, approvals, projects
from volunteerkit.errors import NotFound
from volunteerkit.projects import ShiftForm, participants, recruiting
from volunteerkit.projects.model import PARTICIPATION_STATES, PROJECT_STATES
from volunteerkit.projects.moves import PARTICIPATION_MOVES, PROJECT_MOVES
from volunteerkit.projects.participating import OUTCOMES, TAKING
from volunteerkit.projects.tables import participation, project, shift

_shared = runpy.run_path(str(Path(__file__).with_name("attending.py")), run_name="attending")
NINE, CENTRE = _shared["NINE"], Actor.of("centre-2", "centre")
ADMIN, me, join = _shared["LEADER"], _shared["me"], _shared["join"]
DAY, LATER = dt.date(2026, 11, 23), dt.date(2027, 6, 1)
STATES = PROJECT_STATES[:-1]


def put(one: Any, table: sa.Table, where: sa.ColumnElement[bool], **values: Any) -> None:
    one.at(CENTRE, lambda desk: desk.connection.execute(sa.update(table).where(where).values(**values)))


def made(one: Any, name: str, kind: str) -> tuple[str, int | None]:
    """Return a project and the case of its application, or (``closing``) that of its report."""
    if kind == "registered":
        number = f"R{name}"
        one.at(one.admin, projects.register, number, name=name, organization="O1")
        return number, None
    applied = one.at(one.admin, projects.apply, one.form(name, days=3))
    if kind == "pending":
        return applied.number, applied.case
    one.at(one.officer, approvals.decide, applied.case, "approve")
    if kind != "closing":
        return applied.number, None
    one.at(one.admin, projects.publish, applied.number)
    return applied.number, one.at(
        one.admin, projects.report, applied.number, persons=1, minutes=1, result="好", on=LATER
    )


VERBS: dict[str, Callable[..., Any]] = {
    "publish": projects.publish,
    "cancel": lambda desk, number: projects.cancel(desk, number, reason="台风"),
    "report": lambda desk, number: projects.report(desk, number, persons=1, minutes=1, result="好"),
    "archive": projects.archive,
}


@pytest.mark.parametrize("kind", ["applied", "registered", "pending", "closing"])
def test_a_project_moves_as_drawn(one: Any, kind: str) -> None:
    found = set()
    verbs = ("approve", "refuse", "withdraw") if kind in ("pending", "closing") else tuple(VERBS)
    for state in STATES:
        for verb in verbs:
            number, case = made(one, f"{state}-{verb}", kind)
            put(one, project, project.c.number == number, status=state)
            on = LATER if verb == "report" or kind == "closing" else DAY
            try:
                if case is None:
                    one.at(one.admin, VERBS[verb], number, on=on)
                elif verb == "withdraw":
                    one.at(one.admin, approvals.withdraw, case, on=on)
                else:
                    one.at(one.officer, approvals.decide, case, verb, reason="见材料", on=on)
            except Refused:
                continue
            after = one.at(one.admin, projects.view_application, number).status
            found |= {(state, verb, after)} if after != state else set()
    expected = {each for each in PROJECT_MOVES if each[0] and each[1] in verbs}
    if kind in ("pending", "closing"):
        expected = {
            each
            for each in expected
            if each[0] == kind and each[2] != ("approved" if kind == "closing" else "")
        }
    elif kind == "applied":
        expected -= {("approved", "report", "closing")}
    assert found == expected


def test_a_report_that_is_sent_back_puts_a_project_where_it_was(one: Any) -> None:
    found = set()
    for verb in ("refuse", "withdraw"):
        number, _ = made(one, verb, "registered")
        case = one.at(one.admin, VERBS["report"], number, on=LATER)
        if verb == "withdraw":
            one.at(one.admin, approvals.withdraw, case, on=LATER)
        else:
            one.at(CENTRE, approvals.decide, case, verb, reason="见材料", on=LATER)
        found.add(("closing", verb, one.at(one.admin, projects.view_application, number).status))
    assert found == {each for each in PROJECT_MOVES if each[0] == "closing" and each[2] == "approved"}


TRIED: dict[str, tuple[str, Callable[..., Any]]] = {
    "join": ("self", lambda desk, id, at: recruiting.join(desk, at, "V1")),
    "answer": ("self", lambda desk, id, at: recruiting.answer(desk, at, "V1", "accept")),
    "decline": ("self", lambda desk, id, at: recruiting.answer(desk, at, "V1", "decline")),
    "withdraw": ("self", lambda desk, id, at: recruiting.withdraw(desk, at, "V1")),
    "invite": ("office", lambda desk, id, at: participants.invite(desk, at, "V1")),
    "accept": ("office", lambda desk, id, at: participants.accept(desk, id)),
    "refuse": ("office", lambda desk, id, at: participants.refuse(desk, id, reason="人满")),
    "remove": ("office", lambda desk, id, at: participants.remove(desk, id, reason="另有任务")),
    "cancel": ("office", lambda desk, id, at: projects.cancel_shift(desk, at)),
    "promote": ("centre", lambda desk, id, at: recruiting.sweep(desk)),
    "unmark": ("office", lambda desk, id, at: participants.unmark(desk, id)),
    **{each: ("office", lambda desk, id, at, to=each: participants.mark(
        desk, id, to, **({"until": NINE + dt.timedelta(hours=1)} if to == "discharged" else {})))
       for each in OUTCOMES},
}  # fmt: skip
NAMES = {"decline": "answer", **dict.fromkeys(OUTCOMES, "mark")}


def tried(one: Any, number: str, state: str, name: str, full: bool) -> str:
    """Return where a participation in that state is after a verb; the person who has the other place is V2."""
    who, verb = TRIED[name]
    form = ShiftForm(NINE, NINE + dt.timedelta(hours=4), 1)
    id_ = one.at(one.admin, projects.add_shift, number, form).id
    row = one.at(CENTRE, join, id_, "V1", state) if state else 0
    if full:
        one.at(CENTRE, join, id_, "V2", "accepted")
    taken = int(full) + int(state in TAKING)
    put(one, shift, shift.c.id == id_, taken=taken, capacity=max(1, taken))
    actor = {"self": me("V1"), "office": one.admin, "centre": CENTRE}[who]
    on = DAY + dt.timedelta(8) if name in (*OUTCOMES, "unmark") else DAY
    with contextlib.suppress(Refused, NotFound):
        one.at(actor, verb, row, id_, on=on)
    query = sa.select(participation.c.state).where(
        participation.c.shift_id == id_, participation.c.volunteer_id == 1
    )
    after = one.at(CENTRE, lambda desk: desk.connection.execute(query).scalar()) or ""
    put(one, participation, participation.c.shift_id == id_, state="cancelled")  # out of the next one's way
    put(one, shift, shift.c.id == id_, taken=0)
    return after


def test_a_participation_moves_as_drawn(one: Any) -> None:
    found = set()
    for acceptance, full in (("auto", False), ("auto", True), ("reviewed", False)):
        number = one.published(acceptance=acceptance, name=f"{acceptance}{full}")
        for state in ("", *PARTICIPATION_STATES):
            for name in TRIED:
                after = tried(one, number, state, name, full)
                found |= {(state, NAMES.get(name, name), after)} if after != state else set()
    # the last one is tried in tests/hours/test_attending.py
    assert found == {each for each in PARTICIPATION_MOVES if each[1] != "confirm"}
