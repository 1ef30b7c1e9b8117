"""Ladders: grades, boundaries, reasons, what is missing, and replay."""

import datetime as dt
import json
from pathlib import Path

import pytest

from volunteerkit.errors import InvalidValue
from volunteerkit.rules import FACTS, Assessment, Fact, Rulebook, RuleFunction, assess

STAR = Rulebook.read(Path(__file__).parents[2] / "plugins/xinyu/src/volunteerkit_xinyu/star.toml")
DAY = dt.date(2026, 11, 23)
BOOK = """
id = "city.star"
decides = "star"
title = { zh-CN = "星级", en = "stars" }
[[version]]
effective_from = 2014-09-01
citation = "新余市志愿服务管理办法（草案）"
step = [
  { award = 1, when = "credited_minutes >= 100 * 60" },
  { award = 2, when = "credited_minutes >= 300 * 60 and (service_days > 24 or city.trusted(service_records))" },
  { award = 3, when = "credited_minutes >= 600 * 60 and not sanctioned and last_on >= date(2026, 1, 1)" },
]
[[version]]
effective_from = 2027-01-01
citation = "征求意见稿"
step = [{ award = 1, when = "credited_minutes >= 60 * 60" }]
"""
EXTRA = {
    "sanctioned": Fact("sanctioned", "bool", "受到惩戒", "sanctioned"),
    "last_on": Fact("last_on", "date", "最近服务日期", "last day of service"),
}
TRUSTED = {"city.trusted": RuleFunction("city.trusted", one=lambda service_records: service_records >= 50)}
CITY = Rulebook.loads(BOOK, facts={**FACTS, **EXTRA}, functions=TRUSTED)
ALL = {
    "credited_minutes": 36_000,
    "service_days": 30,
    "service_records": 40,
    "sanctioned": False,
    "last_on": 20_600,
}


@pytest.mark.parametrize(
    ("minutes", "grade"),
    [(0, 0), (5_999, 0), (6_000, 1), (17_999, 1), (18_000, 2), (35_999, 2), (36_000, 3), (59_999, 3), (60_000, 4),
     (89_999, 4), (90_000, 5), (300_000, 5)],
)  # fmt: skip
def test_the_national_ladder_is_inclusive(minutes: int, grade: int) -> None:
    assert assess(STAR, {"credited_minutes": minutes}, DAY).grade == grade


def test_the_version_of_the_day_rules() -> None:
    facts = {**ALL, "credited_minutes": 3_600}
    assert assess(CITY, facts, dt.date(2026, 12, 31)).grade == 0
    assert assess(CITY, facts, dt.date(2027, 1, 1)).grade == 1


def test_before_the_first_version_the_dates_are_told() -> None:
    with pytest.raises(InvalidValue) as caught:
        assess(CITY, ALL, dt.date(2014, 8, 31))
    assert caught.value.message("en") == (
        "Rulebook 'city.star' has no version in force on 2014-08-31. Its versions begin on: 2014-09-01, 2027-01-01."
    )


def test_the_highest_step_met_counts_even_over_one_that_is_not() -> None:
    facts = {**ALL, "service_days": 1, "service_records": 1}
    assert assess(CITY, facts, DAY).grade == 3
    assert assess(CITY, {**facts, "sanctioned": True}, DAY).grade == 1


def test_an_absent_fact_leaves_the_ruling_open_and_is_named() -> None:
    open_ruling = assess(CITY, {"credited_minutes": 40_000, "service_days": 30, "sanctioned": False}, DAY)
    assert (open_ruling.grade, open_ruling.missing) == (None, ("last_on", "service_records"))
    assert "无法裁定：缺少 最近服务日期 (last_on)、" in open_ruling.explain("zh-CN")
    assert open_ruling.next_step is None


def test_an_absent_fact_that_decides_nothing_does_no_harm() -> None:
    ruling = assess(CITY, {"credited_minutes": 20_000, "service_days": 30}, DAY)
    assert (ruling.grade, ruling.missing) == (2, ())
    held = [clause.holds for _, clause in ruling.clauses]
    assert held == [True, True, False]


def test_a_declared_default_stands_in() -> None:
    facts = {**FACTS, "sanctioned": Fact("sanctioned", "bool", "受到惩戒", "sanctioned", default=False)}
    book = Rulebook.loads(
        'id="x"\ndecides="star"\n[[version]]\neffective_from=2020-01-01\ncitation="c"\n'
        'step=[{award=1,when="not sanctioned and service_days > 1"}]',
        facts=facts,
    )
    assert assess(book, {"service_days": 2}, DAY).grade == 1
    assert assess(book, {"service_days": 2, "sanctioned": True}, DAY).grade == 0


EXPLAINED_ZH = """\
符合：1 级
规则：city.star [{digest}]，自 2014-09-01 起生效
依据：新余市志愿服务管理办法（草案）
事实：
  计入时长 (credited_minutes) = 287 小时 30 分钟（17250 分钟）
  最近服务日期 (last_on) = 2026-05-27
  受到惩戒 (sanctioned) = 否
  服务天数 (service_days) = 24 天
  服务次数 (service_records) = 40 次
条件：
  ✓ 1 级：credited_minutes >= 100 * 60  [credited_minutes = 17250]
  ✗ 2 级：credited_minutes >= 300 * 60 and (service_days > 24 or city.trusted(service_records))
    ✗ credited_minutes >= 300 * 60  [credited_minutes = 17250]
    ✗ service_days > 24 or city.trusted(service_records)
      ✗ service_days > 24  [service_days = 24]
      ✗ city.trusted(service_records)  [service_records = 40]
  ✗ 3 级：credited_minutes >= 600 * 60 and not sanctioned and last_on >= date(2026, 1, 1)
    ✗ credited_minutes >= 600 * 60  [credited_minutes = 17250]
    ✓ not sanctioned
      ✗ sanctioned  [sanctioned = 否]
    ✓ last_on >= date(2026, 1, 1)  [last_on = 2026-05-27]
距下一级（2 级）：
  计入时长 (credited_minutes)：还差 12 小时 30 分钟
  还须满足 service_days > 24 or city.trusted(service_records)"""


def test_the_reasons_as_a_tree() -> None:
    ruling = assess(CITY, {**ALL, "credited_minutes": 17_250, "service_days": 24}, DAY)
    digest = ruling.version.digest[:12]
    assert ruling.explain("zh-CN") == EXPLAINED_ZH.format(digest=digest)
    english = ruling.explain("en").splitlines()
    assert english[0] == "Eligible for: grade 1"
    assert english[-2:] == [
        "  credited minutes (credited_minutes): still short by 12 h 30 min",
        "  still to be met: service_days > 24 or city.trusted(service_records)",
    ]


def test_one_more_than_the_limit_is_missing_where_the_limit_does_not_count() -> None:
    book = Rulebook.loads(
        'id="x"\ndecides="star"\n[[version]]\neffective_from=2020-01-01\ncitation="c"\n'
        'step=[{award=1,when="service_days > 24"}]'
    )
    ruling = assess(book, {"service_days": 24}, DAY)
    assert ruling.clauses[0][1].lacking == 1
    assert "  服务天数 (service_days)：还差 1 天" in ruling.explain("zh-CN").splitlines()


def test_names_of_grades_come_from_the_rulebook() -> None:
    ruling = assess(STAR, {"credited_minutes": 6_000}, DAY)
    assert ruling.explain("zh-CN").splitlines()[0] == "符合：一星级"
    assert ruling.explain("en").splitlines()[0] == "Eligible for: one star"
    assert "民函〔2012〕340号" in ruling.explain("zh-CN")
    assert assess(STAR, {"credited_minutes": 90_000}, DAY).next_step is None


def replayed(kept: dict[str, object]) -> Assessment:
    version = next(each for each in CITY.versions if each.digest == kept["digest"])
    facts = kept["facts"]
    assert isinstance(facts, dict)
    return assess(CITY, facts, version.effective_from)


@pytest.mark.parametrize("minutes", [0, 6_000, 18_000, 36_000])
def test_a_kept_ruling_can_be_replayed(minutes: int) -> None:
    ruling = assess(CITY, {**ALL, "credited_minutes": minutes, "unrelated": 1}, DAY)
    kept = json.loads(json.dumps(ruling.as_dict(), ensure_ascii=False))
    assert replayed(kept).as_dict() == ruling.as_dict()
    assert "unrelated" not in kept["facts"]


def test_reasons_are_worded_only_when_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> str:
        raise AssertionError("worded")

    monkeypatch.setattr("volunteerkit.messages.text", never)
    assert assess(CITY, ALL, DAY).as_dict()["grade"] == 3
