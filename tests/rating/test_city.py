"""One volunteer or the whole city, kernel or loop, SQLite or PostgreSQL: the same minutes and grades."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

import volunteerkit
from volunteerkit import (
    Actor,
    Claim,
    KeyCipher,
    Kit,
    hours,
    organizations,
    projects,
    rating,
    statistics,
    volunteers,
)
from volunteerkit.rules import Rulebook, assess
from volunteerkit.rules.kernel import grade_columns

SAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "synthetic_sample"
CLERK = Actor.of("clerk-7", "centre")
AS_OF = dt.date(2026, 11, 23)
STRICT = """
id = "strict"
decides = "credit"
[[version]]
effective_from = 2014-01-01
citation = "试行：每日封顶，未成年人更低，无偿献血宣传加倍"
select = "category != '文体' and claimed_minutes >= 30"
once = true
coefficient = { by = "category", percent = { "无偿献血宣传" = 200, "文明交通" = 150 }, otherwise = 100 }
day_percent = "choose(served_on >= senior_on, 120, 100)"
limit = [{ per = "day", at_most = "choose(served_on < adult_on, 240, 480)" }]
"""


WEIGHED = """
id = "weighed"
decides = "credit"
[[version]]
effective_from = 2014-01-01
citation = "试行：无偿献血宣传加倍"
coefficient = { by = "category", percent = { "无偿献血宣传" = 200 }, otherwise = 100 }
"""
PARTS = """
id = "parts"
decides = "credit"
[[version]]
effective_from = 2014-01-01
citation = "试行：半小时为单位，夜间加倍，三个月内登记，每月每类 20 小时，单日 8 小时以上待批"
once = true
day_begins = "05:00"
[[version.transform]]
when = "known_on > months_after(served_on, 3)"
minutes = "0"
[[version.transform]]
minutes = "floor_to(minutes, 30)"
[[version.window]]
from = "20:00"
to = "06:00"
percent = 200
when = "weekday(served_on) <= 5"
[[version.limit]]
per = "month"
by = ["category"]
at_most = "1200"
[[version.limit]]
per = "year"
count = "records"
at_most = "60"
[[version.route]]
when = "day_minutes > 480"
to = "区团委"
"""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("规则") / "strict.toml"
    path.write_text(STRICT, "utf-8")
    return path


@pytest.fixture
def city(database_url: str, strict: Path) -> Iterator[tuple[Kit, sa.Engine]]:
    for name, text in (("weighed", WEIGHED), ("parts", PARTS)):
        strict.with_stem(name).write_text(text, "utf-8")
    books = (strict, strict.with_stem("weighed"), strict.with_stem("parts"))
    kit = Kit.load("xinyu", *books, cipher=KeyCipher(bytes(32)))
    engine = volunteerkit.create_engine(database_url)
    kit.migrate(engine)
    kit.import_directory(engine, CLERK, SAMPLE, as_of=AS_OF)
    yield kit, engine
    engine.dispose()


def test_every_way_of_rating_agrees(city: tuple[Kit, sa.Engine]) -> None:
    kit, engine = city
    with kit.open(engine, CLERK, read_only=True) as desk:
        for rulebook in ("plain", "union", "weighed", "parts", "strict"):
            for day in (AS_OF, dt.date(2020, 2, 29)):
                kernel = rating.rate_city(desk, rulebook=rulebook, as_of=day, kernel=True)
                loop = rating.rate_city(desk, rulebook=rulebook, as_of=day, kernel=False)
                assert kernel == loop
        for i, number in enumerate(kernel.volunteers[:60]):
            one = rating.rate_volunteer(desk, number, rulebook="strict", as_of=day)
            assert (one.assessment.grade, one.credited.credited_minutes) == (
                kernel.grades[i],
                kernel.credited_minutes[i],
            )
        assert sum(kernel.credited_minutes) > 0


LADDER = Rulebook.read(Path(__file__).resolve().parents[2] / "plugins/xinyu/src/volunteerkit_xinyu/star.toml")
EDGES = [hours * 60 + step for hours in (100, 300, 600, 1000, 1500) for step in (-1, 0, 1)]


def test_the_figures_of_a_city_are_those_of_its_statements(city: tuple[Kit, sa.Engine]) -> None:
    kit, engine = city
    with kit.open(engine, CLERK, read_only=True) as desk:
        for rulebook in ("union", "strict"):
            figures = statistics.city_figures(desk, rulebook=rulebook, as_of=AS_OF)
            months: dict[str, list[int]] = {}
            lost = 0
            for number in rating.rate_city(desk, as_of=AS_OF).volunteers:
                found = hours.statement(desk, number, as_of=AS_OF, rulebook=rulebook)
                exact = found.confirmed_minutes == found.credited_minutes
                for line in found.lines:
                    month = months.setdefault(f"{line.served_on:%Y-%m}", [0, 0])
                    month[0] += line.confirmed_minutes
                    month[1] += line.confirmed_minutes if exact else line.credited_minutes
                lost += sum(line.confirmed_minutes - line.credited_minutes for line in found.lines)
            assert figures.by_month == tuple((name, *months[name]) for name in sorted(months))
            assert sum(row[1] for row in figures.by_organization) == figures.claimed_minutes
            assert sum(row[2] for row in figures.by_organization) == sum(row[2] for row in figures.by_month)
            assert sum(minutes for _, minutes in figures.differences) == lost


@settings(max_examples=50)
@given(st.lists(st.sampled_from(EDGES) | st.integers(0, 10**6), min_size=1, max_size=30))
def test_a_minute_either_side_of_every_threshold(minutes: list[int]) -> None:
    """A63: at 99:59 no star, at 100:00 one, and so at 300, 600, 1000 and 1500."""
    import numpy as np

    version = LADDER.version_on(AS_OF)
    columns = grade_columns(version, {"credited_minutes": np.array(minutes, np.int64)})
    assert columns.tolist() == [assess(LADDER, {"credited_minutes": each}, AS_OF).grade for each in minutes]
    assert columns.tolist() == [
        sum(each >= hours * 60 for hours in (100, 300, 600, 1000, 1500)) for each in minutes
    ]


def test_service_before_1970_counts_in_every_way_of_rating(database_url: str) -> None:
    kit = Kit.load("xinyu", cipher=KeyCipher(bytes(32)))
    engine = volunteerkit.create_engine(database_url)
    kit.migrate(engine)
    with kit.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
        projects.register(desk, "P1", name="学雷锋", organization="O1")
        volunteers.admit(desk, name="兰", organization="O1", number="V1")
        days = (dt.date(1900, 1, 1), dt.date(1963, 3, 5), dt.date(1969, 12, 31), dt.date(1970, 1, 1))
        made = [hours.record(desk, Claim("V1", "P1", day, 60)).record_id for day in days]
    with kit.open(engine, Actor.of("clerk-8", "centre")) as desk:
        for record_id in made:
            hours.confirm(desk, record_id)
        for kernel in (True, False):
            assert rating.rate_city(desk, kernel=kernel).credited_minutes == [240]
        assert rating.rate_volunteer(desk, "V1").credited.credited_minutes == 240
    engine.dispose()
