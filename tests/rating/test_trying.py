"""A65: a rule is tried on the city and nothing of the city changes; who would rise and fall is told with reasons."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import (
    Actor,
    Claim,
    Grant,
    hours,
    organizations,
    projects,
    rating,
    volunteers,
)
from volunteerkit.cli.app import app
from volunteerkit.errors import InvalidValue, NotPermitted, RulebookError
from volunteerkit.messages import in_language
from volunteerkit.rules import Rulebook

DAY = dt.date(2026, 11, 23)
CENTRE, SECOND = (Actor.of(f"centre-{n}", "centre") for n in (1, 2))
STAR = """
id = "city.star"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "现行办法"
step = [{ award = 1, when = "credited_minutes >= 300", name = { zh-CN = "一星", en = "one star" } },
        { award = 2, when = "credited_minutes >= 600", name = { zh-CN = "二星", en = "two stars" } }]
"""
DRAFT = (
    STAR
    + """
[[version]]
effective_from = 2027-07-01
citation = "征求意见稿：一星降低，二星须一年内有服务"
[version.measure.year_minutes]
sum = "minutes"
from = "months_after(today, -12)"
[[version.step]]
award = 1
when = "credited_minutes >= 200"
name = { zh-CN = "一星", en = "one star" }
[[version.step]]
award = 2
when = "credited_minutes >= 600 and year_minutes >= 120"
name = { zh-CN = "二星", en = "two stars" }
"""
)


@pytest.fixture
def town(make_city: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    def make(url: str, rule: str = STAR) -> Any:
        (tmp_path / "现行.toml").write_text(rule, "utf-8")
        city = make_city(url, tmp_path / "现行.toml")
        since = dt.date(2024, 1, 5)
        for number, name in (("O1", "渝水区志愿服务联合会"), ("O2", "分宜县红十字会")):
            city.at(since, CENTRE, organizations.register, number, name=name)
        city.at(since, CENTRE, projects.register, "P1", name="社区敬老", organization="O1")
        for number, name, home, born in (
            ("V1", "周兰", "O1", dt.date(1990, 5, 1)),
            ("V2", "李小雨", "O2", dt.date(2012, 5, 1)),
            ("V3", "王大爷", "O1", dt.date(1950, 5, 1)),
            ("V4", "赵不动", "O1", None),
        ):
            city.at(
                since, CENTRE, volunteers.admit, name=name, organization=home, number=number, born_on=born
            )
        for number, day, minutes in (
            ("V1", dt.date(2024, 3, 5), 600), ("V1", dt.date(2026, 3, 5), 100), ("V2", dt.date(2026, 3, 5), 250),
            ("V3", dt.date(2026, 3, 6), 300), ("V3", dt.date(2026, 3, 7), 310), ("V4", dt.date(2024, 3, 5), 20),
        ):  # fmt: skip
            made = city.at(DAY, CENTRE, hours.record, Claim(number, "P1", day, minutes))
            city.at(DAY, SECOND, hours.confirm, made.record_id)
        return city

    return make


def everything(engine: sa.Engine) -> str:
    """A digest of every row of every table."""
    seen = hashlib.sha256()
    with engine.connect() as connection:
        for table in sorted(sa.inspect(connection).get_table_names()):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            seen.update(f"{table}{sorted(map(repr, rows))}".encode())
    return seen.hexdigest()


def tried(city: Any, text: str, **named: Any) -> Any:
    return city.at(DAY, CENTRE, rating.try_rule, Rulebook.loads(text), **named)


def test_a65_a_trial_changes_nothing_and_tells_who_moves(town: Any, database_url: str) -> None:
    city = town(database_url)
    city.at(DAY, CENTRE, lambda desk: rating.decide_city(desk, rating.rate_city(desk)))
    before = everything(city.engine)
    trial = tried(city, DRAFT)
    assert everything(city.engine) == before
    assert (trial.in_force, trial.same, trial.rising, trial.falling) == ("city.star", False, 1, 1)
    assert [(each.volunteer, each.before, each.after, each.why) for each in trial.moves] == [
        ("V1", 2, 1, "new"), ("V2", 0, 1, "old"),
    ]  # fmt: skip
    fall, rise = trial.moves
    assert fall.reasons("zh-CN") == ("按新规则：year_minutes (year_minutes)：还差 20",)
    assert rise.reasons("en") == (
        "by the rule in force: credited minutes (credited_minutes): still short by 50 min",
    )
    assert {(each.before, each.after, each.age, each.organization, each.volunteers) for each in trial.counts} == {
        (2, 1, "adult", "O1", 1), (0, 1, "minor", "O2", 1), (2, 2, "senior", "O1", 1), (0, 0, "unknown", "O1", 1),
    }  # fmt: skip
    told = json.loads(json.dumps(trial.as_dict(1)))
    assert (told["moved"], len(told["moves"]), told["falling"]) == (2, 1, 1)
    assert told["moves"][0]["clauses"][0]["lacking"] == 20


def test_the_rule_in_force_changes_nothing(town: Any) -> None:
    trial = tried(town("sqlite://"), STAR)
    assert (trial.same, trial.moves, trial.rising, trial.falling) == (True, (), 0, 0)


def test_without_a_rule_in_force_everybody_begins_with_none(town: Any) -> None:
    trial = tried(town("sqlite://"), STAR.replace('decides = "star"', 'decides = "medal"'))
    assert (trial.in_force, trial.in_force_digest, trial.rising) == ("", "", 2)
    assert {each.why for each in trial.moves} == {"no_rule"}


def test_a_way_of_crediting_is_tried_by_the_stars_that_follow(town: Any) -> None:
    hours_rule = """
id = "city.hours"
decides = "credit"
[[version]]
effective_from = 2027-01-01
citation = "征求意见稿：每日最多 5 小时"
limit = [{ per = "day", at_most = "300" }]
"""
    trial = tried(town("sqlite://"), hours_rule)
    assert trial.in_force == "union"
    assert [(each.volunteer, each.before, each.after) for each in trial.moves] == [("V1", 2, 1)]
    assert trial.moves[0].reasons("zh-CN") == ("按新规则：计入时长 (credited_minutes)：还差 3 小时 20 分钟",)


def test_grades_kept_for_the_rule_in_force_count_for_the_new_one(town: Any) -> None:
    waiting = STAR.replace("city.star", "city.star2").replace(
        'award = 2, when = "credited_minutes >= 600"',
        'award = 2, after = "1", wait_months = 12, when = "credited_minutes >= 600"',
    )
    city = town("sqlite://")
    trial = tried(city, waiting)
    assert [(each.volunteer, each.after, each.why) for each in trial.moves] == [
        ("V1", 1, "waits"),
        ("V3", 1, "waits"),
    ]
    city.at(DAY, CENTRE, lambda desk: rating.decide_city(desk, rating.rate_city(desk)))
    assert tried(city, waiting).moves == ()


@pytest.mark.parametrize("decides", ["check", "organization_star"])
def test_what_grades_no_volunteers_cannot_be_tried(town: Any, decides: str) -> None:
    step = (
        'answer.old = "service_days > 3"'
        if decides == "check"
        else 'step = [{ award = 1, when = "projects > 3" }]'
    )
    text = f'id = "x"\ndecides = "{decides}"\n[[version]]\neffective_from = 2020-01-01\ncitation = "例"\n{step}\n'
    with pytest.raises(InvalidValue) as told:
        tried(town("sqlite://"), text)
    assert told.value.code == "trial_question"


@pytest.mark.parametrize(
    "actor",
    [Actor("a", (Grant("organization_admin", "O1"),)), Actor("l", (Grant("team_leader", "T1"),)), Actor("n"),
     Actor("o", (Grant("department_officer", "渝水区"),)), Actor("me", (Grant("volunteer"),), volunteer="V1")],
    ids=lambda actor: actor.id,
)  # fmt: skip
def test_only_who_rates_the_whole_city_may_try(town: Any, actor: Actor) -> None:
    with pytest.raises(NotPermitted):
        town("sqlite://").at(DAY, actor, rating.try_rule, Rulebook.loads(DRAFT))


def run(*words: str) -> None:
    app(["rule", "try", *words], exit_on_error=False, result_action="return_value")


def test_a65_the_command_leaves_the_file_as_it_was(
    town: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "city.db"
    city = town(f"sqlite:///{place}")
    city.engine.dispose()
    draft = tmp_path / "征求意见稿.toml"
    draft.write_text(DRAFT, "utf-8")
    before = place.read_bytes()
    words = (str(draft), "--db", str(place), "--plugin", str(tmp_path / "现行.toml"), "--as-of", "2026-11-23")
    with in_language("zh-CN"):
        run(*words)
    told = capsys.readouterr().out
    assert place.read_bytes() == before
    assert "4 名志愿者中，1 人上升，1 人下降" in told
    for part in ("二星", "一星", "未满 18 岁", "O2", "V1", "year_minutes", "还差 20"):
        assert part in told
    with in_language("en"):
        run(*words, "--limit", "1")
    told = capsys.readouterr().out
    assert "1 would rise and 1 would fall" in told
    assert "1 more" in told
    for part in ("under 18", "18 to 59"):
        assert part in told
    assert "more organizations" in told
    run(*words, "--json")
    assert json.loads(capsys.readouterr().out)["rising"] == 1
    with in_language("zh-CN"):
        run(str(tmp_path / "现行.toml"), *words[1:])
    assert "什么都不会变" in capsys.readouterr().out
    draft.write_text(DRAFT.replace("credited_minutes >= 200", "credited_minuts >= 200"), "utf-8")
    with pytest.raises(RulebookError) as wrong:
        run(*words)
    assert "$.version[1].step[0].when" in str(wrong.value)
