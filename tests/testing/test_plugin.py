"""The fixtures that authors of plugins get by installing the library."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

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
from volunteerkit.errors import InvalidValue, NotPermitted
from volunteerkit.testing import SampleCity

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


RULE = """
id = "渝水.star"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "渝水区办法"
credit.limit = [{ per = "day", at_most = "480" }]
measure.year_minutes = { sum = "minutes", from = "year_start(today, 1)" }
step = [{ award = 1, when = "year_minutes >= 9 * 60 and registered_on <= today" }]
"""


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "渝水 区.toml"
    path.write_text(RULE, "utf-8")
    return path


def test_a_sample_city_is_rated_by_the_plugin(vk_city: Callable[..., SampleCity], rule: Path) -> None:
    city = vk_city(rule, now=dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC))
    lan, ming = city.volunteer("周小兰"), city.volunteer("欧阳明")
    city.serve(lan, DAY, 540, begin=dt.time(9))
    city.serve(lan, DAY - dt.timedelta(1), 60)
    city.serve(ming, DAY, 540)
    assert [city.rated(each).grantings["star"].award for each in (lan, ming)] == [1, 0]
    found = city.rated(lan).credited
    assert found is not None
    assert (found.claimed_minutes, found.credited_minutes) == (600, 540)
    with pytest.raises(InvalidValue, match="honour"):
        city.rated(lan, decides="honour")


@pytest.mark.parametrize(
    ("role", "may_confirm"), [("centre", True), ("organization_admin", True), ("auditor", False)]
)
def test_there_is_a_desk_for_every_role(
    vk_city: Callable[..., SampleCity], rule: Path, role: str, may_confirm: bool
) -> None:
    city = vk_city(rule)
    lan = city.volunteer("周小兰")
    own = city.desk("volunteer", lan)
    recorded = hours.record(own, Claim(lan, "P0001", own.today, 60))
    if may_confirm:
        hours.confirm(city.desk(role, "别人-1"), recorded.record_id)
    else:
        with pytest.raises(NotPermitted):
            hours.confirm(city.desk(role, "别人-1"), recorded.record_id)


def test_two_sample_cities_know_nothing_of_each_other(vk_city: Callable[..., SampleCity], rule: Path) -> None:
    assert rating.rate_city(vk_city().desk()).volunteers == []
