"""Ladders that look at records: measures, tables, answers, awards and plugins' records out of the database."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Claim, Grant, hookimpl, hours, organizations, projects, rating, volunteers
from volunteerkit.cli.app import app
from volunteerkit.errors import InvalidValue, NotFound, PluginError
from volunteerkit.hours import bank
from volunteerkit.messages import in_language
from volunteerkit.rating.stream import Run
from volunteerkit.rules import Record
from volunteerkit.units import day_number

DAY = dt.date(2026, 11, 23)
CENTRE, SECOND = (Actor.of(f"centre-{n}", "centre", "system") for n in (1, 2))
MEDAL = """
id = "city.medal"
decides = "star"
title = { zh-CN = "年度奖章", en = "medal of the year" }
[[version]]
effective_from = 2020-01-01
citation = "示例：年度奖章，未成年人减半，旷工者不评"
credit.select = "kind == 'service'"
credit.limit = [{ per = "day", at_most = "480" }]
answer.age = "years_between(birth_date, today)"
answer.kept_word = "absences == 0"
[version.measure.year_minutes]
sum = "minutes"
from = "year_start(today, 1)"
[version.measure.absences]
count = "records"
where = "kind == 'absence'"
from = "months_after(today, -12)"
[version.measure.blood]
sum = "quantity"
where = "kind == 'whole_blood'"
[version.measure.spent_minutes]
sum = "quantity"
where = "kind == 'redemption'"
[[version.lookup]]
by = "age"
row = [{ from = 6, wanted_minutes = "300" }, { from = 18, wanted_minutes = "600" }]
[[version.step]]
award = 1
grade = "bronze"
when = "kept_word and year_minutes + blood >= wanted_minutes"
name = { zh-CN = "铜章", en = "bronze" }
[[version.step]]
award = 2
grade = "silver"
when = "kept_word and year_minutes + blood >= wanted_minutes * 2"
after = "bronze"
wait_months = 6
name = { zh-CN = "银章", en = "silver" }
[version.scheme.jubilee]
repeat = "never"
step = [{ award = 1, when = "service_days >= 3" }]
"""


def serve(city: Any, number: str, *served: tuple[dt.date, int]) -> None:
    for day, minutes in served:
        made = city.at(DAY, CENTRE, hours.record, Claim(number, "P1", day, minutes))
        city.at(DAY, SECOND, hours.confirm, made.record_id)


@pytest.fixture
def found(make_city: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    def make(url: str, *plugins: Any, rule: str = MEDAL) -> Any:
        (tmp_path / "规则.toml").write_text(rule, "utf-8")
        city = make_city(url, tmp_path / "规则.toml", *plugins)
        since = dt.date(2026, 1, 5)
        city.at(since, CENTRE, organizations.register, "O1", name="渝水区志愿服务联合会")
        city.at(since, CENTRE, projects.register, "P1", name="社区敬老", organization="O1")
        for number, name, born in (
            ("V1", "周兰", dt.date(1990, 5, 1)),
            ("V2", "李小雨", dt.date(2012, 2, 29)),
            ("V3", "王无期", None),
        ):
            city.at(
                since, CENTRE, volunteers.admit, name=name, organization="O1", number=number, born_on=born
            )
        return city

    return make


def test_a_question_may_have_its_rulebook_before_its_name(found: Any) -> None:
    city = found("sqlite://", rule=MEDAL.replace('decides = "star"', 'decides = "city_medal.medal"'))
    serve(city, "V1", (dt.date(2026, 3, 5), 480), (dt.date(2026, 3, 6), 480))

    def decide(desk: Any, question: str) -> int:
        return rating.decide_city(desk, rating.rate_city(desk, decides=question))

    assert [city.at(DAY, CENTRE, decide, each) for each in ("city_medal.medal", "medal")] == [1, 0]
    assert city.at(DAY, CENTRE, rating.rate_volunteer, "V1", decides="city_medal.medal").assessment.grade == 1


def grades(city: Any, day: dt.date = DAY, **asked: Any) -> list[int]:
    whole = city.at(day, CENTRE, rating.rate_city, kernel=True, **asked)
    assert city.at(day, CENTRE, rating.rate_city, kernel=False, **asked) == whole
    return list(whole.grades)


def test_a_city_is_decided_about_at_once(
    found: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = found(database_url)
    serve(city, "V1", (dt.date(2026, 3, 5), 480), (dt.date(2026, 4, 5), 120))
    serve(city, "V2", (dt.date(2026, 3, 5), 299))
    monkeypatch.setattr(Run, "decide", None)
    assert [each.allowed for each in city.at(DAY, CENTRE, rating.rate_city).standings] == [1, 0, None]


def test_the_city_and_one_volunteer_come_out_alike(found: Any, database_url: str) -> None:
    city = found(database_url)
    serve(city, "V1", (dt.date(2026, 3, 5), 600), (dt.date(2025, 3, 5), 480), (dt.date(2026, 4, 5), 119))
    serve(city, "V2", (dt.date(2026, 3, 5), 300))
    serve(city, "V3", (dt.date(2026, 3, 5), 1000))
    for day in (DAY, dt.date(2026, 12, 31), dt.date(2027, 1, 1)):
        whole = city.at(day, CENTRE, rating.rate_city)
        for number, grade in zip(whole.volunteers, whole.grades, strict=True):
            one = city.at(day, CENTRE, rating.rate_volunteer, number)
            assert (one.decision.grantings["star"].award or 0) == grade
    # 480 of 600 count by the rulebook's own limit, and only those of the year: 599 of 600 minutes
    assert grades(city) == [0, 1, 0]
    serve(city, "V1", (dt.date(2026, 5, 5), 1))
    assert grades(city) == [1, 1, 0]
    one = city.at(DAY, CENTRE, rating.rate_volunteer, "V1")
    assert one.credited.credited_minutes == 480 + 480 + 119 + 1
    assert one.decision.answers["age"] == 36
    # without a birthday nobody knows what is wanted
    assert city.at(DAY, CENTRE, rating.rate_volunteer, "V3").assessment.grade is None
    assert "birth_date" in city.at(DAY, CENTRE, rating.rate_volunteer, "V3").decision.missing
    assert grades(city, decides="jubilee") == [1, 0, 0]
    assert city.at(DAY, CENTRE, rating.rate_volunteer, "V1", decides="jubilee").assessment.grade == 1


def test_nobody_reads_a_birthday_out_of_a_ruling(found: Any) -> None:
    city = found("sqlite://", rule=MEDAL.replace("kept_word and", "birth_date < today and kept_word and"))
    one = city.at(DAY, CENTRE, rating.rate_volunteer, "V1")
    told = f"{one!r} {one.assessment.explain('zh-CN')} {json.dumps(one.assessment.as_dict())} {one.decision.as_dict()}"
    assert "1990" not in told
    assert str(day_number(dt.date(1990, 5, 1))) not in told
    assert one.decision.answers["age"] == 36


def test_a_grade_once_granted_opens_the_next_after_its_term(found: Any, database_url: str) -> None:
    city = found(database_url)
    serve(city, "V1", (dt.date(2026, 3, 5), 480), (dt.date(2026, 3, 6), 480), (dt.date(2026, 3, 7), 480))
    granted = dt.date(2026, 4, 1)
    assert grades(city, granted) == [1, 0, 0]

    def decide(desk: Any, **named: Any) -> int:
        return rating.decide_city(desk, rating.rate_city(desk), **named)

    assert city.at(granted, CENTRE, decide) == 1
    assert city.at(granted, CENTRE, decide) == 0
    for day, grade in ((dt.date(2026, 9, 30), 1), (dt.date(2026, 10, 1), 2)):
        assert grades(city, day) == [grade, 0, 0]
        assert city.at(day, CENTRE, decide) == (grade == 2)
    held = city.at(dt.date(2026, 10, 1), CENTRE, rating.rate_city).standings[0]
    assert (held.held, held.grantable) == (2, ())
    # what was decided is seen from its day on only
    assert city.at(dt.date(2026, 10, 1), CENTRE, rating.rate_city, as_of=granted).standings[0].held == 1
    assert city.at(granted, CENTRE, rating.rate_city, decides="jubilee").standings[0].held == 0


def test_a_grade_that_runs_out_is_granted_anew(found: Any) -> None:
    city = found("sqlite://", rule=MEDAL.replace('grade = "bronze"', 'grade = "bronze"\nvalid_months = 1'))
    serve(city, "V1", (dt.date(2026, 3, 5), 480), (dt.date(2026, 3, 6), 480))

    def decide(desk: Any) -> int:
        return rating.decide_city(desk, rating.rate_city(desk))

    days = (dt.date(2026, 4, 1), dt.date(2026, 4, 30), dt.date(2026, 5, 1))
    assert [city.at(day, CENTRE, decide) for day in days] == [1, 0, 1]


def test_schemes_that_wait_for_an_application_grant_nothing_by_themselves(found: Any) -> None:
    rule = MEDAL.replace("[[version.lookup]]", "[[version.lookup]]", 1).replace(
        'citation = "示例', 'procedure = "application"\ncitation = "示例', 1
    )
    city = found("sqlite://", rule=rule)
    for number in ("V1", "V2"):
        serve(city, number, (dt.date(2026, 3, 5), 480), (dt.date(2026, 3, 6), 480))
    rated = city.at(DAY, CENTRE, rating.rate_city)
    assert [each.held for each in rated.standings] == [0, 0, 0]
    with pytest.raises(InvalidValue) as told:
        city.at(DAY, CENTRE, rating.decide_city, rated)
    assert told.value.code == "decide_needs_applied"
    with pytest.raises(NotFound):
        city.at(DAY, CENTRE, rating.decide_city, rated, applied=["V404"])
    assert city.at(DAY, CENTRE, rating.decide_city, rated, applied=["V2"]) == 1
    assert [each.held for each in city.at(DAY, CENTRE, rating.rate_city).standings] == [0, 1, 0]


def test_grades_given_each_by_itself_are_kept_each_by_itself(found: Any, database_url: str) -> None:
    badges = """
id = "city.badges"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "示例：徽章各自授予，条件不再满足即收回"
take = "all"
loss = "recomputed"
measure.this_year = { sum = "minutes", from = "year_start(today, 1)" }
step = [{ award = 1, when = "credited_minutes >= 60" }, { award = 2, when = "this_year >= 30" },
        { award = 3, when = "this_year >= 90" }]
"""
    city = found(database_url, rule=badges)
    serve(city, "V1", (dt.date(2026, 3, 5), 90))

    def decide(desk: Any) -> int:
        return rating.decide_city(desk, rating.rate_city(desk))

    assert [city.at(DAY, CENTRE, decide) for _ in range(2)] == [3, 0]
    assert city.at(DAY, CENTRE, rating.rate_city).standings[0].held == 3
    new_year = dt.date(2027, 1, 1)
    assert [city.at(new_year, CENTRE, decide) for _ in range(3)] == [1, 1, 0]  # one badge after the other
    assert city.at(new_year, CENTRE, rating.rate_city).standings[0].held == 1


def test_missed_shifts_and_redeemed_minutes_are_in_the_stream(found: Any, database_url: str) -> None:
    city = found(database_url)
    serve(city, "V1", (dt.date(2026, 3, 5), 480), (dt.date(2026, 3, 6), 480))

    def miss(desk: Any, on: dt.date) -> None:
        at = (
            dt.datetime.combine(on, dt.time(1), dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        ).total_seconds()
        micro = int(at) * 10**6
        execute = desk.connection.execute
        execute(sa.text("INSERT INTO vk_shift (id, project_id, starts_at, ends_at) VALUES (:id, 1, :a, :b)"),
                {"id": 900 + on.day, "a": micro, "b": micro + 1})  # fmt: skip
        execute(sa.text("INSERT INTO vk_participation (id, shift_id, volunteer_id, state, rank, applied_at, changed_at,"
                        " changed_by) VALUES (:id, :id, 1, 'missed', 1, 1, 1, 'x')"), {"id": 900 + on.day})  # fmt: skip

    city.at(DAY, CENTRE, miss, dt.date(2025, 11, 22))
    assert grades(city) == [1, 0, 0]
    city.at(DAY, CENTRE, miss, dt.date(2026, 11, 24))
    assert grades(city) == [1, 0, 0]  # one is too long ago, the other is still to come
    assert grades(city, dt.date(2026, 11, 24)) == [0, 0, 0]
    city.at(DAY, CENTRE, bank.settle, "V1")
    me = Actor("me-1", (Grant("volunteer"),), volunteer="V1")
    held = city.at(DAY, me, bank.hold, "V1", "O1", minutes=60)
    assert city.at(DAY, CENTRE, rating.rate_volunteer, "V1").decision.facts["spent_minutes"] == 0
    shop = Actor("shop-1", (Grant("organization_admin", "O1"),))
    city.at(DAY, shop, bank.redeem, held.id)
    one = city.at(DAY, CENTRE, rating.rate_volunteer, "V1")
    assert one.decision.facts["spent_minutes"] == 60
    assert one.decision.facts["service_records"] == 2


def donors(answer: Any) -> Any:
    asked: list[tuple[tuple[str, ...], dt.date]] = []

    @hookimpl
    def vk_records(volunteers: tuple[str, ...], until: dt.date) -> Any:
        asked.append((volunteers, until))
        return answer

    return SimpleNamespace(__name__="donors", vk_records=vk_records, asked=asked)


BLOOD = Record(7, day_number(dt.date(2026, 6, 14)), -1, 0, 0, kind="whole_blood", quantity=600)


def test_plugins_bring_records_for_everybody_at_once(found: Any, database_url: str) -> None:
    plugin = donors([("V1", BLOOD), ("V404", BLOOD), ("V1", BLOOD._replace(served_on=day_number(DAY) + 1))])
    city = found(database_url, plugin)
    assert city.at(DAY, CENTRE, rating.rate_city).grades == [1, 0, 0]
    assert plugin.asked == [(("V1", "V2", "V3"), DAY)]
    assert city.at(DAY, CENTRE, rating.rate_volunteer, "V1").decision.facts["blood"] == 600
    assert plugin.asked[1:] == [(("V1",), DAY)]
    assert city.at(DAY, CENTRE, rating.rate_volunteer, "V1").decision.facts["service_records"] == 0


def test_the_citys_way_of_crediting_does_not_see_what_plugins_bring(found: Any) -> None:
    rule = MEDAL.replace("credit.select = \"kind == 'service'\"\n", "").replace(
        'credit.limit = [{ per = "day", at_most = "480" }]\n', ""
    )
    city = found("sqlite://", donors([("V1", BLOOD._replace(claimed_minutes=50))]), rule=rule)
    serve(city, "V1", (dt.date(2026, 3, 5), 30))
    facts = city.at(DAY, CENTRE, rating.rate_volunteer, "V1").decision.facts
    assert (facts["credited_minutes"], facts["service_records"], facts["service_days"]) == (30, 1, 1)
    assert facts["blood"] == 600


@pytest.mark.parametrize(
    "answer", [[BLOOD], [("V1", "献血")], ["V1"], [("V1", BLOOD._replace(served_on="x"))], 5]
)
def test_a_plugin_that_brings_something_else_is_named(found: Any, answer: Any) -> None:
    city = found("sqlite://", donors(answer))
    with pytest.raises(PluginError) as told:
        grades(city)
    assert (told.value.values["plugin"], told.value.values["hook"]) == ("donors", "vk_records")


def test_a_question_nobody_answers_is_told_with_the_nearest(found: Any) -> None:
    city = found("sqlite://")
    with pytest.raises(InvalidValue) as told:
        city.at(DAY, CENTRE, rating.rate_city, decides="jubiles")
    assert told.value.code == "question_unknown"
    assert "jubilee" in told.value.message("zh-CN")


def test_the_terminal_tells_schemes_answers_and_who_holds_too_much(
    found: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "city.db"
    city = found(f"sqlite:///{place}")
    serve(city, "V1", (dt.date(2026, 3, 5), 480), (dt.date(2026, 3, 6), 480))
    city.engine.dispose()

    def run(*words: str) -> str:
        app([*words, "--db", str(place), "--plugin", str(tmp_path / "规则.toml"), "--as-of", "2026-11-23"],
            exit_on_error=False, result_action="return_value")  # fmt: skip
        return capsys.readouterr().out

    with in_language("zh-CN"):
        told = run("explain", "V1")
        assert "star：符合 铜章；持有 铜章；现可授予 铜章" in told
        assert "age = 36" in told
        assert "1990" not in told
        assert "写入 1 项决定。" in run("rate", "--decide")
        assert "holds" in json.dumps(json.loads(run("explain", "V1", "--json"))["steps"])
        city.at(DAY, SECOND, hours.reverse, 2, reason="录错了")
        told = run("rate", "--decide")
    assert "写入 0 项决定。" in told
    assert "#2 -8 小时" in told
    with in_language("en"):
        assert "jubilee: eligible for none; holds none" in run("explain", "V1", "--decides", "jubilee")
        told = run("rate", "--decides", "jubilee")
        assert "Volunteers per grade of jubilee" in told
        assert "star" not in told
    assert json.loads(run("rate", "--decide", "--json"))["fallen"][0]["volunteer"] == "V1"
