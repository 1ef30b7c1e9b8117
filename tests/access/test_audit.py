"""The audit trail (A44): whatever a verb writes, an event tells who did it to what; without the event nothing is written."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Grant, Kit, approvals, hours, organizations, projects, volunteers
from volunteerkit.errors import NotFound, NotPermitted, Refused, StorageError, VolunteerkitError
from volunteerkit.organizations import base, teams
from volunteerkit.projects import attendance
from volunteerkit.store.desk import Desk
from volunteerkit.store.schema import metadata
from volunteerkit.store.vault import put_retention, seal_subject

_verbs = runpy.run_path(str(Path(__file__).with_name("test_verbs.py")), run_name="verbs")
VERBS, trying = _verbs["VERBS"], _verbs["trying"]
city = _verbs["city"]

BOOKKEEPING = {"vk_event", "vk_head", "vk_delivery"}
ACTORS = (
    _verbs["CLERK"], _verbs["SECOND"], _verbs["THIRD"], Actor("citizen-1", (Grant("public"),)),
    Actor("self-1", (Grant("volunteer"),), volunteer="V1"), Actor("admin-1", (Grant("organization_admin", "O1"),)),
    Actor("admin-2", (Grant("organization_admin", "O2"),)), Actor("officer-1", (Grant("department_officer", "渝水区"),)),
    Actor("clerk-1"), Actor("admin-4", (Grant("organization_admin", "O4"),)),
)  # fmt: skip


SECOND, THIRD = _verbs["SECOND"], _verbs["THIRD"]


def decided(desk: Desk, case_id: int, kit: Kit) -> None:
    approvals.decide(kit.desk(desk.connection, THIRD), case_id, "approve")


def merged(desk: Desk, kit: Kit) -> None:
    volunteers.admit(desk, name="兰", organization="O1", number="V5")
    decided(desk, volunteers.propose_merge(desk, "V1", "V5", reason="同一人").id, kit)


def confirmed(desk: Desk, kit: Kit) -> None:
    hours.confirm(kit.desk(desk.connection, SECOND), 1)


def administered(desk: Desk, kit: Kit) -> None:
    for holder in ("head-1", "head-2"):
        decided(desk, organizations.propose_admin(desk, "O1", holder), kit)


def grown_up(desk: Desk, _: Kit) -> None:
    """Let the first volunteer be one whose guardian agreed, who is of age meanwhile."""
    personal = {
        "name": "兰", "born_on": "2000-01-01",
        "guardian": {"name": "母", "phone": "12900000001", "relation": "", "consented_on": "2014-05-01"},
    }  # fmt: skip
    seal_subject(desk.connection, desk.needed_cipher(), "volunteer:1", personal, found_by={})


ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
BEFORE: dict[str, Callable[[Desk, Kit], Any]] = {
    "volunteers.resubmit": lambda desk, _: volunteers.deregister(desk, "V1"),
    "volunteers.reactivate": lambda desk, _: volunteers.deregister(desk, "V1"),
    "volunteers.end_period": lambda desk, _: volunteers.suspend(desk, "V1", reason="核查"),
    "volunteers.ask_to_join": lambda desk, _: volunteers.leave_team(desk, "V1", "T1"),
    "volunteers.add_to_team": lambda desk, _: volunteers.leave_team(desk, "V1", "T1"),
    "volunteers.lift_blacklist": lambda desk, kit: decided(
        desk, volunteers.propose_blacklist(desk, "V1", until=_verbs["DAY"], reason="作假").id, kit
    ),
    "volunteers.propose_merge": lambda desk, _: volunteers.admit(
        desk, name="兰", organization="O1", number="V5"
    ),
    "volunteers.propose_unmerge": merged,
    "hours.bank.settle": confirmed,
    "hours.bank.settle_city": confirmed,
    "hours.bank.give": lambda desk, _: volunteers.admit(desk, name="竹", organization="O1", number="V3"),
    "organizations.remove_admin": administered,
    "organizations.propose_lifting": lambda desk, kit: decided(
        desk, organizations.propose_suspension(desk, "O1", reason="核查"), kit
    ),
    "organizations.teams.lift": lambda desk, _: teams.suspend(desk, "T1", reason="核查"),
    "organizations.base.apply": lambda desk, _: organizations.register(desk, "O4", name="书画协会"),
    "approvals.object_to": lambda desk, kit: decided(desk, 1, kit),
    "projects.archive": lambda desk, _: projects.cancel(desk, "P4", reason="台风"),
    "volunteers.answer_consent": grown_up,
    "projects.attendance.check_out": lambda desk, kit: attendance.check_in(
        kit.desk(desk.connection, ADMIN), 11, "V1"
    ),
    "projects.attendance.close_forgotten": lambda desk, _: desk.connection.exec_driver_sql(
        "UPDATE vk_attendance SET in_at = 0, out_at = NULL WHERE id = 1"
    ),
    "personal.withdraw_erasure_request": lambda desk, _: put_retention(
        desk.connection, "volunteer:1", "restricted", 1
    ),
}
"""What must have happened for a verb to have something to do."""
INSTEAD: dict[str, Callable[[Desk, Any], Any]] = {
    "volunteers.propose_merge": lambda desk, id: volunteers.propose_merge(desk, id, "V5", reason="同一人"),
    "volunteers.propose_unmerge": lambda desk, id: volunteers.propose_unmerge(desk, "V5", reason="不是"),
    "organizations.base.apply": lambda desk, id: base.apply(
        desk, "O4", starts_on=_verbs["DAY"], ends_on=_verbs["LATER"]
    ),
}
"""Calls with something that the table of verbs has no need of."""
UNTRIED = {"exchange.load_file", "rating.rate_organization"}
"""A file and a ladder are needed: tests/exchange and tests/rating do these."""


def tables(connection: sa.Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
        for table in metadata.sorted_tables
    }


@contextmanager
def done(city: tuple[Kit, sa.Engine], name: str) -> Iterator[tuple[Actor, set[str], list[Any]] | None]:
    """Do a verb as the first of many actors who may; yield actor, changed tables and new events."""
    verb = VERBS[name]
    for actor in ACTORS:
        with trying(city, actor) as desk:
            if name in BEFORE:
                BEFORE[name](city[0].desk(desk.connection, SECOND), city[0])
                desk.look_again()
            before = tables(desk.connection)
            try:
                INSTEAD.get(name, verb.call)(desk, verb.known)
            except VolunteerkitError:
                continue
            after = tables(desk.connection)
            changed = {table for table in after if after[table] != before[table]}
            old = set(before["vk_event"])
            yield actor, changed, [row for row in after["vk_event"] if row not in old]
            return
    yield None


@pytest.mark.parametrize("name", sorted(set(VERBS) - UNTRIED))
def test_whatever_is_written_is_told_by_an_event(name: str, city: tuple[Kit, sa.Engine]) -> None:
    with done(city, name) as found:
        assert found is not None, "no actor of this city can do it: prepare it in BEFORE"
        actor, changed, events = found
        if changed - BOOKKEEPING:
            assert events, changed
        columns = list(metadata.tables["vk_event"].c.keys())
        for row in events:
            event = dict(zip(columns, row, strict=True))
            assert event["actor_id"] == actor.id
            assert event["subject"]
            assert event["type"].partition(".")[2]
            assert isinstance(json.loads(event["payload"]), dict)


@pytest.mark.parametrize("name", sorted(set(VERBS) - UNTRIED))
def test_without_its_event_nothing_is_done(name: str, city: tuple[Kit, sa.Engine]) -> None:
    with done(city, name) as found:
        assert found is not None
        actor, _, events = found
    if not events:  # it reads
        return
    with trying(city, actor) as desk:
        if name in BEFORE:
            BEFORE[name](city[0].desk(desk.connection, SECOND), city[0])
        desk.connection.exec_driver_sql(
            "CREATE TEMP TRIGGER no_event BEFORE INSERT ON vk_event BEGIN SELECT RAISE(ABORT, 'disk'); END"
        )
        with pytest.raises(StorageError):
            INSTEAD.get(name, VERBS[name].call)(desk, VERBS[name].known)


def test_a_refusal_is_logged_with_ids_and_codes_only(
    make_city: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    made, day = make_city("sqlite://"), _verbs["DAY"]
    caplog.set_level("INFO", "volunteerkit.refusals")
    with pytest.raises(NotPermitted):
        made.at(day, Actor("nobody"), volunteers.admit, name="欧阳雪", organization="O1")
    made.at(day, SECOND, organizations.register, "O1", name="联合会")
    with pytest.raises(Refused):
        made.at(day, SECOND, organizations.register, "O1", name="联合会")
    with pytest.raises(NotFound):
        made.at(day, SECOND, volunteers.approve, "欧阳雪")
    assert [record.getMessage() for record in caplog.records] == [
        "nobody was refused: not_permitted volunteer.admit",
        "clerk-8 was refused: ['already_registered'] ",
        "clerk-8 was refused: not_found ",
    ]
