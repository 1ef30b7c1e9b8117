"""Ratings decided again: once for ever on unchanged data, and what happens to a star whose hours are reversed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Claim, hours, organizations, projects, rating, volunteers
from volunteerkit.rules import Rulebook, assess

CENTRE, SECOND = (Actor.of(f"centre-{n}", "centre") for n in (1, 2))
DAY = dt.date(2026, 11, 23)
STAR = """
id = "city.star"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "示例"
step = [{ award = 1, when = "credited_minutes >= 300" }, { award = 2, when = "credited_minutes >= 600" }]
"""
LATER = """
[[version]]
effective_from = 2027-01-01
citation = "示例：提高"
step = [{ award = 1, when = "credited_minutes >= 900" }]
"""
YEARLY = """
id = "city.star"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "示例：每年可再评一次"
repeat = "yearly"
step = [{ award = 1, when = "credited_minutes >= 300" }]
"""


def decide(desk: Any, **named: Any) -> int:
    return rating.decide_city(desk, rating.rate_city(desk), **named)


def fallen(desk: Any) -> tuple[rating.Fallen, ...]:
    return rating.fallen(desk, rating.rate_city(desk))


@pytest.fixture
def town(make_city: Callable[..., Any], database_url: str, tmp_path: Path) -> Callable[[str], Any]:
    def make(rule: str) -> Any:
        (tmp_path / "星级.toml").write_text(rule, "utf-8")
        city = make_city(database_url, tmp_path / "星级.toml")
        if "O1" not in known(city):
            begin(city)
        return city

    return make


def known(city: Any) -> set[str]:
    with city.engine.connect() as connection:
        return set(connection.execute(sa.text("SELECT number FROM vk_organization")).scalars())


def begin(city: Any) -> None:
    since = dt.date(2026, 1, 5)
    city.at(since, CENTRE, organizations.register, "O1", name="渝水区志愿服务联合会")
    city.at(since, CENTRE, projects.register, "P1", name="社区敬老", organization="O1")
    for number, name in (("V1", "周兰"), ("V2", "李强")):
        city.at(since, CENTRE, volunteers.admit, name=name, organization="O1", number=number)
    for number, minutes in (("V1", 400), ("V1", 200), ("V2", 300)):
        made = city.at(
            DAY, CENTRE, hours.record, Claim(number, "P1", dt.date(2026, 3, minutes // 100), minutes)
        )
        city.at(DAY, SECOND, hours.confirm, made.record_id)


def test_a64_deciding_twice_on_unchanged_data_grants_nothing_new(town: Callable[[str], Any]) -> None:
    city = town(STAR)
    assert [city.at(DAY, CENTRE, decide) for _ in range(3)] == [2, 0, 0]
    assert city.at(dt.date(2027, 6, 1), CENTRE, decide) == 0


def test_a64_a_repeatable_grade_is_granted_again_when_its_time_comes(town: Callable[[str], Any]) -> None:
    city = town(YEARLY)
    days = (DAY, dt.date(2026, 12, 31), dt.date(2027, 1, 1), dt.date(2027, 1, 2))
    assert [city.at(day, CENTRE, decide) for day in days] == [2, 0, 2, 0]


@pytest.mark.parametrize("measured", [False, True], ids=["totals", "records"])
def test_a66_a_star_whose_hours_were_reversed_is_flagged_for_a_decision(
    town: Callable[[str], Any], measured: bool
) -> None:
    """A66: the star stays until somebody decides, and what was reversed is cited."""
    rule = STAR if not measured else STAR.replace(
        'citation = "示例"', 'citation = "示例"\nmeasure.all_minutes = { sum = "minutes" }'
    ).replace("credited_minutes", "all_minutes")  # fmt: skip
    city = town(rule)
    assert city.at(DAY, CENTRE, decide) == 2
    assert city.at(DAY, CENTRE, fallen) == ()
    city.at(DAY, SECOND, hours.reverse, 2, reason="录错了")
    assert city.at(DAY, CENTRE, decide) == 0
    (one,) = city.at(DAY, CENTRE, fallen)
    assert (one.volunteer, one.held, one.allowed) == ("V1", 2, 1)
    assert [(each.record_id, each.minutes, each.on) for each in one.reversals] == [(2, 200, DAY)]
    assert city.at(DAY, CENTRE, decide, lower=["V1"]) == 1
    assert city.at(DAY, CENTRE, fallen) == ()
    assert city.at(DAY, CENTRE, decide) == 0


@pytest.mark.parametrize(("loss", "written"), [("recomputed", 1), ("never", 0)])
def test_a66_a_rulebook_may_settle_it_itself(town: Callable[[str], Any], loss: str, written: int) -> None:
    city = town(STAR.replace("citation", f'loss = "{loss}"\ncitation'))
    city.at(DAY, CENTRE, decide)
    city.at(DAY, SECOND, hours.reverse, 2, reason="录错了")
    assert city.at(DAY, CENTRE, decide) == written
    assert city.at(DAY, CENTRE, fallen) == ()
    held = city.at(DAY, CENTRE, rating.rate_city).standings[0].held
    assert held == 2 - written


def test_a_version_appended_later_changes_no_earlier_day(town: Callable[[str], Any]) -> None:
    """Results as of a past day, their digests, and every decision that was kept, come out again."""
    before = town(STAR)
    rated = before.at(DAY, CENTRE, rating.rate_city)
    assert before.at(DAY, CENTRE, decide) == 2
    explained = before.at(DAY, CENTRE, rating.rate_volunteer, "V1").assessment.explain("zh-CN")
    after = town(STAR + LATER)
    again = after.at(dt.date(2027, 3, 1), CENTRE, rating.rate_city, as_of=DAY)
    assert again == rated
    one = after.at(dt.date(2027, 3, 1), CENTRE, rating.rate_volunteer, "V1", as_of=DAY)
    assert one.assessment.explain("zh-CN") == explained
    assert after.at(dt.date(2027, 3, 1), CENTRE, rating.rate_city).grades == [0, 0]
    book: Rulebook = after.kit.rulebooks["city.star"]
    with after.engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT digest, decided_on, grade, facts FROM vk_decision")).all()
    assert len(kept) == 2
    for digest, decided_on, grade, facts in kept:
        on = dt.date(1970, 1, 1) + dt.timedelta(decided_on)
        assert book.version_on(on).digest == digest
        import json

        assert assess(book, json.loads(facts), on).grade == grade
