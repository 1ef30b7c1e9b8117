"""The fixtures that authors of plugins get by installing the library."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from volunteerkit import (
    Actor,
    Application,
    Claim,
    Desk,
    KeyCipher,
    Kit,
    hours,
    organizations,
    projects,
    rating,
    volunteers,
)

DAY = dt.date(2026, 11, 8)


def test_two_clerks_share_a_fresh_city(vk_desk: Callable[[Kit, Actor], Desk]) -> None:
    kit = Kit.load("xinyu", cipher=KeyCipher(bytes(32)))
    recording, confirming = (vk_desk(kit, Actor.of(name, "centre")) for name in ("经办-7", "经办-8"))
    organizations.register(recording, "O0001", name="渝水区志愿服务联合会")
    projects.register(recording, "P0001", name="无偿献血宣传", organization="O0001")
    who = volunteers.register(
        recording, Application("𠮷兰", "O0001", born_on=dt.date(1990, 5, 1), consent_on=DAY)
    )
    volunteers.approve(confirming, who)
    claim = Claim(who, "P0001", dt.date(2026, 11, 8), 150, dt.time(9), dt.time(11, 30))
    recorded = hours.record(recording, claim, key="第12页第3行")
    hours.confirm(confirming, recorded.record_id)
    assert rating.rate_volunteer(confirming, who).credited.credited_minutes == 150


def test_the_next_test_finds_nothing_of_it(vk_desk: Callable[[Kit, Actor], Desk]) -> None:
    desk = vk_desk(Kit.load("xinyu"), Actor.of("clerk-7", "centre"))
    assert rating.rate_city(desk).volunteers == []
