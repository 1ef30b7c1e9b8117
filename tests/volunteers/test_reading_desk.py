"""At a desk that only reads, what would write is refused: nothing is done that would be lost."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from volunteerkit import Actor, Application, fixed_clock, organizations, personal, volunteers
from volunteerkit.errors import StorageReadOnly
from volunteerkit.messages import text
from volunteerkit.store.desk import Desk

MONDAY = dt.date(2026, 11, 23)
CENTRE = Actor.of("centre-1", "centre")


def test_what_writes_is_refused_at_a_desk_that_only_reads(city: Any) -> None:
    def begin(desk: Desk) -> str:
        organizations.register(desk, "O1", name="一心志愿服务队")
        given = Application("兰𠮷", "O1", phone="13900000000", born_on=dt.date(1990, 5, 1), consent_on=MONDAY)
        return volunteers.register(desk, given)

    number = city.at(MONDAY, CENTRE, begin)
    kit = attrs.evolve(city.kit, clock=fixed_clock(dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)))
    with kit.open(city.engine, CENTRE, read_only=True) as desk:
        # a phone that was shown, and no event left of it
        with pytest.raises(StorageReadOnly) as told:
            personal.unmask(desk, number, "phone", purpose="contact")
        with pytest.raises(StorageReadOnly):
            organizations.register(desk, "O2", name="二心志愿服务队")
        assert personal.profile(desk, number).number == number
    assert "read_only" in str(told.value)
    assert "只读" in text(told.value.code, "zh-CN")
    assert city.at(MONDAY, CENTRE, organizations.list_organizations)[0].number == "O1"
