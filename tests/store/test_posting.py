"""What every writer passes through: the head, the events and the keys."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from volunteerkit import Actor
from volunteerkit.errors import IntegrityProblem
from volunteerkit.hours import verify_store
from volunteerkit.store.posting import note, note_many

DAY, CENTRE = dt.date(2026, 11, 23), Actor.of("centre-1", "centre")


def events(city: Any) -> list[Any]:
    with city.engine.connect() as connection:
        assert verify_store(connection).holds
        query = "SELECT seq, type, subject, payload FROM vk_event ORDER BY seq"
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_an_event_of_an_unknown_type_is_not_written(city: Any) -> None:
    for verb, given in (
        (note, ("team.vanished", "team:1", {})),
        (note_many, ([("team.vanished", "team:1", {})],)),
    ):
        with pytest.raises(IntegrityProblem):
            city.at(DAY, CENTRE, verb, *given)
    assert events(city) == []


def test_many_events_are_those_that_as_many_single_ones_would_have_been(make_city: Any) -> None:
    told = [("volunteer.status", f"volunteer:{n}", {"on": n}) for n in range(1, 4)]
    one, many = make_city("sqlite://"), make_city("sqlite://")
    for city in (one, many):
        city.at(DAY, CENTRE, note, "volunteer.status", "volunteer:9", {"on": 9})
    city = one
    for each in told:
        city.at(DAY, CENTRE, note, *each)
    many.at(DAY, CENTRE, note_many, told)
    many.at(DAY, CENTRE, note_many, [])
    assert events(one) == events(many)
    assert [seq for seq, *_ in events(many)] == [1, 2, 3, 4]
    heads = []
    for city in (one, many):
        with city.engine.connect() as connection:
            heads.append(connection.exec_driver_sql("SELECT event_seq, event_hash FROM vk_head").one())
    assert heads[0] == heads[1]
