"""The waiting list: who is promoted, once, in which order; and what a cancelled shift does to those in it."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Grant, Kit, Refused, hookimpl, projects, volunteers
from volunteerkit.errors import IntegrityProblem, PluginError
from volunteerkit.projects import participants, recruiting
from volunteerkit.projects.tables import project, shift
from volunteerkit.projects.waiting import fill
from volunteerkit.store.texts import open_texts

SHANGHAI = ZoneInfo("Asia/Shanghai")
THEN = dt.date(2026, 11, 30)
CENTRE = Actor.of("centre-1", "centre", "system")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))


def me(number: str) -> Actor:
    return Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)


def on(hour: float) -> dt.datetime:
    return dt.datetime.combine(THEN, dt.time(), SHANGHAI) + dt.timedelta(hours=hour)


def change(planned: Any, table: sa.Table, id: int, **values: Any) -> None:
    written = sa.update(table).where(table.c.id == id).values(**values)
    planned.at(CENTRE, lambda desk: desk.connection.execute(written))


def join(planned: Any, shift_id: int, *numbers: str) -> list[str]:
    return [planned.at(me(each), recruiting.join, shift_id, each).state for each in numbers]


def withdraw(planned: Any, shift_id: int, number: str) -> None:
    planned.at(me(number), recruiting.withdraw, shift_id, number)


def states(planned: Any, shift_id: int) -> dict[str, str]:
    return {
        each.volunteer: each.state for each in planned.at(ADMIN, participants.list_participants, shift_id)
    }


def taken(planned: Any, shift_id: int) -> int:
    number: int = planned.at(me("V6"), recruiting.free_places, shift_id).taken
    return number


def notified(planned: Any, type: str) -> list[int]:
    """Return whom the react hooks are told of, by the id of the participation, in order."""
    seen = []

    class Notifier:
        __name__ = "notifier"

        @hookimpl
        def vk_react(self, event: Any) -> None:
            if event.type == type:
                seen.append(event.payload["participation"])

    kit = attrs.evolve(planned.city.kit, hooks=Kit.load(Notifier()).hooks)
    kit.deliver(planned.city.engine)
    return seen


def test_a15_the_first_who_may_come_is_promoted_once_and_told_once(planned: Any) -> None:
    first, other = planned.shift(on(8), capacity=1), planned.shift(on(10))
    assert join(planned, first, "V1", "V2", "V3", "V4") == ["accepted", "waiting", "waiting", "waiting"]
    join(planned, other, "V2")  # V2 has something else now
    withdraw(planned, first, "V1")
    assert states(planned, first) == {"V1": "withdrawn", "V2": "waiting", "V3": "accepted", "V4": "waiting"}
    assert planned.at(CENTRE, fill, first) == 0
    assert notified(planned, "participation.promoted") == [3]
    assert notified(planned, "participation.promoted") == []
    # who was passed over has kept the rank, and comes before V4
    withdraw(planned, other, "V2")
    withdraw(planned, first, "V3")
    assert states(planned, first) == {"V1": "withdrawn", "V2": "accepted", "V3": "withdrawn", "V4": "waiting"}
    assert taken(planned, first) == 1


def test_who_comes_back_stands_at_the_end(planned: Any) -> None:
    first = planned.shift(on(8), capacity=1)
    join(planned, first, "V1", "V2", "V3")
    withdraw(planned, first, "V2")
    assert join(planned, first, "V2") == ["waiting"]
    withdraw(planned, first, "V1")
    assert states(planned, first) == {"V1": "withdrawn", "V2": "waiting", "V3": "accepted"}


def test_who_has_time_again_gets_the_place_that_stayed_free(planned: Any) -> None:
    first, other = planned.shift(on(8), capacity=1), planned.shift(on(10), capacity=1)
    assert join(planned, first, "V1", "V2") == ["accepted", "waiting"]
    join(planned, other, "V2")
    withdraw(planned, first, "V1")
    assert (states(planned, first)["V2"], taken(planned, first)) == ("waiting", 0)
    withdraw(planned, other, "V2")
    assert (states(planned, first)["V2"], taken(planned, first)) == ("accepted", 1)


def test_who_brings_more_than_fit_is_passed_over_and_keeps_the_rank(planned: Any) -> None:
    change(planned, project, 1, guests_at_most=3)
    first = planned.shift(on(8), capacity=3)
    join(planned, first, "V1", "V2", "V3")
    assert planned.at(me("V4"), recruiting.join, first, "V4", 2).state == "waiting"
    assert join(planned, first, "V5") == ["waiting"]
    withdraw(planned, first, "V1")
    assert (states(planned, first)["V4"], states(planned, first)["V5"]) == ("waiting", "accepted")
    for number in ("V2", "V3", "V5"):
        withdraw(planned, first, number)
    assert (states(planned, first)["V4"], taken(planned, first)) == ("accepted", 3)


def test_a_raised_capacity_and_guests_given_back_promote(planned: Any) -> None:
    change(planned, project, 1, guests_at_most=1)
    first = planned.shift(on(8), capacity=2)
    planned.at(me("V1"), recruiting.join, first, "V1", 1)
    assert join(planned, first, "V2", "V3", "V4") == ["waiting"] * 3
    planned.at(me("V1"), recruiting.change_guests, first, "V1", 0)
    assert states(planned, first)["V2"] == "accepted"
    change(planned, shift, first, capacity=3)
    # the next who joins does not come before those who wait
    assert join(planned, first, "V5") == ["waiting"]
    assert states(planned, first) == {
        "V1": "accepted",
        "V2": "accepted",
        "V3": "accepted",
        "V4": "waiting",
        "V5": "waiting",
    }
    change(planned, shift, first, capacity=None)
    assert planned.at(CENTRE, recruiting.sweep) == 2
    assert taken(planned, first) == 5


def test_nobody_is_promoted_who_is_away_or_whom_the_shift_has_left_behind(planned: Any) -> None:
    first = planned.shift(on(8), capacity=1)
    join(planned, first, "V1", "V2", "V3")
    planned.at(me("V2"), volunteers.take_leave, "V2", since=THEN, until=THEN)
    with pytest.raises(Refused):  # the leave of the day itself is in the way of nothing else
        planned.at(me("V2"), recruiting.join, first, "V2")
    planned.at(ADMIN, participants.remove, 1, reason="病假", on=THEN - dt.timedelta(1))
    assert states(planned, first) == {"V1": "refused", "V2": "cancelled", "V3": "accepted"}
    second = planned.shift(on(10), capacity=1)
    join(planned, second, "V4", "V5")
    planned.at(ADMIN, participants.remove, 4, reason="病假", on=THEN)  # it runs already
    assert states(planned, second) == {"V4": "refused", "V5": "waiting"}


def test_an_override_ends_with_the_withdrawal(planned: Any) -> None:
    first, second = planned.shift(on(8)), planned.shift(on(10), capacity=1)
    join(planned, first, "V1")
    planned.at(ADMIN, participants.invite, second, "V1", override="兼顾得来")
    planned.at(me("V1"), recruiting.answer, second, "V1", "accept")
    withdraw(planned, second, "V1")
    withdraw(planned, first, "V1")
    assert join(planned, second, "V2", "V1") == ["accepted", "waiting"]
    assert join(planned, first, "V1") == ["accepted"]
    withdraw(planned, second, "V2")
    assert states(planned, second) == {"V1": "waiting", "V2": "withdrawn"}


def test_an_override_holds_on_the_waiting_list(planned: Any) -> None:
    first, second = planned.shift(on(8)), planned.shift(on(10), capacity=1)
    join(planned, first, "V1")
    join(planned, second, "V2")
    planned.at(ADMIN, participants.invite, second, "V1", override="兼顾得来")
    assert planned.at(me("V1"), recruiting.answer, second, "V1", "accept").state == "waiting"
    withdraw(planned, second, "V2")
    assert states(planned, second) == {"V1": "accepted", "V2": "withdrawn"}


def test_a_plugin_that_fails_holds_up_nobody_but_who_waits(planned: Any) -> None:
    first = planned.shift(on(8), capacity=1)
    join(planned, first, "V1", "V2")

    @hookimpl
    def broken() -> Any:
        raise RuntimeError("out of order")

    hooks = Kit.load(SimpleNamespace(__name__="bad", vk_review_participation=broken)).hooks
    bad = attrs.evolve(
        planned, city=attrs.evolve(planned.city, kit=attrs.evolve(planned.city.kit, hooks=hooks))
    )
    with pytest.raises(PluginError, match="bad"):
        join(bad, first, "V3")
    withdraw(bad, first, "V1")
    assert states(planned, first) == {"V1": "withdrawn", "V2": "waiting"}
    assert planned.at(CENTRE, recruiting.sweep) == 1


def test_who_will_be_away_gives_the_place_to_who_waits(planned: Any) -> None:
    first = planned.shift(on(8), capacity=2)
    join(planned, first, "V1", "V2", "V3", "V4")
    planned.at(me("V1"), volunteers.take_leave, "V1", since=THEN, until=THEN)
    withdraw(planned, first, "V2")
    assert states(planned, first) == {
        "V1": "cancelled",
        "V2": "withdrawn",
        "V3": "accepted",
        "V4": "accepted",
    }
    assert taken(planned, first) == 2


def test_a46_a_cancelled_shift_tells_everybody_once_and_empties_the_list(planned: Any) -> None:
    first = planned.shift(on(8), capacity=2)
    join(planned, first, "V1", "V2", "V3", "V4")
    planned.at(ADMIN, participants.invite, first, "V5")
    withdraw(planned, first, "V4")
    planned.at(ADMIN, projects.cancel_shift, first, reason="台风")
    with pytest.raises(Refused):
        planned.at(ADMIN, projects.cancel_shift, first, reason="台风")
    assert states(planned, first) == {
        "V1": "cancelled", "V2": "cancelled", "V3": "cancelled", "V4": "withdrawn", "V5": "cancelled",
    }  # fmt: skip
    assert notified(planned, "participation.promoted") == []
    assert taken(planned, first) == 0
    assert {each.minutes for each in planned.at(ADMIN, participants.list_participants, first)} == {0}
    with pytest.raises(Refused) as caught:
        join(planned, first, "V6")
    assert [each.code for each in caught.value.findings] == ["shift_cancelled"]
    with pytest.raises(Refused):
        planned.at(me("V5"), recruiting.answer, first, "V5", "accept")

    def kept(desk: Any) -> tuple[list[Any], set[str]]:
        told = "SELECT payload FROM vk_event WHERE type = 'project.planned' ORDER BY seq"
        query = "SELECT reason FROM vk_participation WHERE state = 'cancelled'"
        rows = desk.connection.exec_driver_sql(told).scalars()
        reasons = list(desk.connection.exec_driver_sql(query).scalars())
        return [json.loads(each)["notify"] for each in rows], set(open_texts(desk, reasons).values())

    assert planned.at(CENTRE, kept) == ([[1, 2, 3, 5]], {"台风"})


def test_a_place_given_back_that_nobody_took_stops_the_command(planned: Any) -> None:
    first = planned.shift(on(8), capacity=2)
    join(planned, first, "V1")
    change(planned, shift, first, taken=0)
    with pytest.raises(IntegrityProblem):
        withdraw(planned, first, "V1")
    assert states(planned, first) == {"V1": "accepted"}


def test_events_hold_ids_and_codes_only(planned: Any) -> None:
    first = planned.shift(on(8), capacity=1)
    join(planned, first, "V1", "V2")
    planned.at(ADMIN, participants.remove, 1, reason="欧阳雪生病了")

    def read(desk: Any) -> list[Any]:
        query = sa.text("SELECT type, payload FROM vk_event WHERE type LIKE 'participation.%' ORDER BY seq")
        return [tuple(row) for row in desk.connection.execute(query)]

    rows = [(type, json.loads(payload)) for type, payload in planned.at(CENTRE, read)]
    assert [type.partition(".")[2] for type, _ in rows] == ["applied", "applied", "moved", "promoted"]
    assert rows[3][1] == {"participation": 2, "shift": first, "before": "waiting", "state": "accepted"}
    assert all(isinstance(value, int) or value.isascii() for _, payload in rows for value in payload.values())
