"""Rulebooks: dated and cited versions, digests, and every problem of a file at once."""

import datetime as dt
from pathlib import Path

import pytest

from volunteerkit.errors import InvalidValue, RulebookError
from volunteerkit.rules import FACTS, Fact, Rulebook, builtin_rulebooks

LADDER = """
id = "city.star"
decides = "star"
[[version]]
effective_from = 2014-09-01
citation = "新余市志愿服务管理办法"
step = [
  { award = 1, when = "credited_minutes >= 100 * 60", name = { zh-CN = "一星", en = "one star" } },
  { award = 2, when = "credited_minutes >= 300 * 60" },
]
"""


def problems(text: str) -> list[tuple[str, str]]:
    with pytest.raises(RulebookError) as caught:
        Rulebook.loads(text, "star.toml")
    return [(path, problem.code) for path, problem in caught.value.problems]


def test_two_ways_of_crediting_ship() -> None:
    plain, union = builtin_rulebooks()
    assert (plain.id, union.id) == ("plain", "union")
    assert not plain.versions[0].once
    assert union.versions[0].once
    assert all(
        book.decides == "credit" and dict(book.title).keys() == {"zh-CN", "en"} for book in (plain, union)
    )


def test_the_national_ladder_names_its_source() -> None:
    book = Rulebook.read(Path(__file__).parents[2] / "plugins/xinyu/src/volunteerkit_xinyu/star.toml")
    version = book.version_on(dt.date(2026, 11, 23))
    assert "民函〔2012〕340号" in version.citation
    assert version.effective_from == dt.date(2012, 10, 23)
    assert [step.award for step in version.steps] == [1, 2, 3, 4, 5]
    assert str(version.steps[0].when) == "credited_minutes >= 100 * 60"


def test_the_digest_is_of_the_meaning() -> None:
    digest = Rulebook.loads(LADDER).versions[0].digest
    assert len(digest) == 64
    assert Rulebook.loads(LADDER.replace(">= 100 * 60", ">=(100*60)")).versions[0].digest == digest
    assert Rulebook.loads("# remark\n" + LADDER.replace("一星", "★")).versions[0].digest == digest
    for old, new in [
        ("100", "101"),
        ("2014-09-01", "2014-09-02"),
        ("管理办法", "办法"),
        ("award = 2", "award = 3"),
    ]:
        assert Rulebook.loads(LADDER.replace(old, new)).versions[0].digest != digest


def test_every_credit_step_enters_the_digest() -> None:
    head = 'id = "c"\ndecides = "credit"\n[[version]]\neffective_from = 2020-01-01\ncitation = "c"\n'
    bodies = [
        "", "once = true", "select = \"category == '助老'\"", 'coefficient = { by = "category", percent = { "a" = 50 } }',
        'coefficient = { by = "category", percent = { "a" = 50 }, otherwise = 90 }',
        'limit = [{ per = "day", at_most = "480" }]', 'day_percent = "90"',
    ]  # fmt: skip
    digests = [Rulebook.loads(head + body).versions[0].digest for body in bodies]
    assert len(set(digests)) == len(bodies)
    assert Rulebook.loads(head + "once = false").versions[0].digest == digests[0]


def test_the_version_in_force() -> None:
    text = LADDER + LADDER.split('"star"')[1].replace("2014-09-01", "2027-01-01")
    book = Rulebook.loads(text)
    days = [dt.date(2014, 9, 1), dt.date(2026, 12, 31), dt.date(2027, 1, 1)]
    assert [book.versions.index(book.version_on(day)) for day in days] == [0, 0, 1]
    with pytest.raises(InvalidValue, match="2014-09-01, 2027-01-01"):
        book.version_on(dt.date(2014, 8, 31))


def test_all_problems_come_at_once_with_their_places() -> None:
    text = """
    id = "city.star"
    decides = "star"
    titel = { en = "stars" }
    [[version]]
    effective_from = 2014-09-01
    citation = "  "
    step = [
      { award = 2, wen = "credited_minutes >= 1", when = "credited_minuts >= 1" },
      { award = 2, when = "service_days / 2 > 3" },
      { award = 0, when = 7, name = { de = "Stern" } },
    ]
    [[version]]
    effective_from = 2014-09-01
    citation = "c"
    once = true
    """
    assert problems(text) == [
        ("$.titel", "rulebook_unknown_key_near"),
        ("$.version[0].citation", "rulebook_empty"),
        ("$.version[0].step[0].wen", "rulebook_unknown_key_near"),
        ("$.version[0].step[0].when", "rule_unknown_fact_near"),
        ("$.version[0].step[1].when", "rule_no_division"),
        ("$.version[0].step[2].when", "rulebook_type"),
        ("$.version[0].step[2].award", "rulebook_award"),
        ("$.version[0].step[2].name.de", "rulebook_unknown_key"),
        ("$.version[1].once", "rulebook_unknown_key"),
        ("$.version[1]", "rulebook_missing_key"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("award = 2", "award = 1", ("$.version[0].step[1].award", "rulebook_awards")),
        ("award = 2", "award = 1001", ("$.version[0].step[1].award", "rulebook_award")),
        ('"city.star"', '"city\\u0000star"', ("$.id", "invalid_value")),
        ('"star"', '"star\\n"', ("$.decides", "invalid_value")),
        ("award = 2", "award = true", ("$.version[0].step[1].award", "rulebook_type")),
        (
            "effective_from = 2014-09-01",
            "effective_from = 2014-09-01T00:00:00",
            ("$.version[0].effective_from", "rulebook_type"),
        ),
        (
            "effective_from = 2014-09-01",
            'effective_from = "2014-09-01"',
            ("$.version[0].effective_from", "rulebook_type"),
        ),
        ("effective_from = 2014-09-01\n", "", ("$.version[0]", "rulebook_missing_key")),
        ('decides = "star"\n', "", ("$", "rulebook_missing_key")),
        ('id = "city.star"', 'id = ""', ("$.id", "rulebook_empty")),
        ("[[version]]", "[version]", ("$.version", "rulebook_type")),
        ("credited_minutes >= 300", "adult_on >= 300", ("$.version[0].step[1].when", "rule_wrong_type")),
        ("credited_minutes >= 300", "category >= 300", ("$.version[0].step[1].when", "rule_unknown_fact")),
        ('id = "city.star"', "id = city.star", ("$", "rulebook_not_toml")),
    ],
)
def test_one_problem(old: str, new: str, expected: tuple[str, str]) -> None:
    assert old in LADDER
    assert problems(LADDER.replace(old, new)) == [expected]


def test_versions_in_order_of_date() -> None:
    same = LADDER + LADDER.split('"star"')[1]
    assert problems(same) == [("$.version[1].effective_from", "rulebook_order")]


CREDIT = 'id = "c"\ndecides = "credit"\n[[version]]\neffective_from = 2020-01-01\ncitation = "c"\n'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('step = [{ award = 1, when = "service_days > 1" }]', [("$.version[0].step", "rulebook_unknown_key")]),
        ('select = "service_days > 1"', [("$.version[0].select", "rule_unknown_fact")]),
        ('select = "claimed_minutes + 1"', [("$.version[0].select", "rule_wrong_type")]),
        ('coefficient = { by = "categry", percent = { "a" = 50 } }', [("$.version[0].coefficient.by", "rulebook_not_a_word_near")]),
        ('coefficient = { by = "served_on", percent = { "a" = 50 } }', [("$.version[0].coefficient.by", "rulebook_not_a_word")]),
        ('coefficient = { by = "category", percent = { "助老" = 1001 } }',
         [("$.version[0].coefficient.percent.助老", "rulebook_percent")]),
        ('coefficient = { by = "category", percent = { "助老" = 1.5 }, otherwise = -1 }',
         [("$.version[0].coefficient.percent.助老", "rulebook_percent"), ("$.version[0].coefficient.otherwise", "rulebook_percent")]),
        ('coefficient = { by = "category" }', [("$.version[0].coefficient", "rulebook_missing_key")]),
        ('limit = [{ per = "day", at_most = "claimed_minutes" }]', [("$.version[0].limit[0].at_most", "rule_unknown_fact")]),
        ('limit = [{ per = "day", at_most = "served_on > adult_on" }]', [("$.version[0].limit[0].at_most", "rule_wrong_type")]),
        ('route = [{ when = "day_minutes > 1", to = "区\\u001b" }]', [("$.version[0].route[0].to", "invalid_value")]),
        ('transform = [{ minutes = "1", reason = "\\n" }]', [("$.version[0].transform[0].reason", "rulebook_empty")]),
        ('limit = [{ per = "month", at_most = "served_on > 1" }]', [("$.version[0].limit[0].at_most", "rule_unknown_fact_near")]),
        ('select = "minutes > 1"', [("$.version[0].select", "rule_unknown_fact_near")]),
        ('day_percent = "day_minutes"', [("$.version[0].day_percent", "rule_unknown_fact")]),
        ('limit = [{ per = "day", at_most = 480 }]', [("$.version[0].limit[0].at_most", "rulebook_type")]),
        ('limit = [{ per = "day", limit = "480" }]',
         [("$.version[0].limit[0].limit", "rulebook_unknown_key"), ("$.version[0].limit[0]", "rulebook_missing_key")]),
    ],
)  # fmt: skip
def test_problems_of_crediting(body: str, expected: list[tuple[str, str]]) -> None:
    assert problems(CREDIT + body) == expected


def test_facts_of_plugins_may_be_mentioned_anywhere() -> None:
    facts = {**FACTS, "state": Fact("state", "int", "状态", "state", default=0)}
    version = Rulebook.loads(
        CREDIT + 'select = "state == 0"\nlimit = [{ per = "day", at_most = "state + 480" }]', facts=facts
    ).versions[0]
    assert version.mentions == ("state",)
    assert version.facts["state"].default == 0


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RulebookError) as caught:
        Rulebook.read(tmp_path / "没有.toml")
    assert [(path, each.code) for path, each in caught.value.problems] == [("$", "rulebook_unreadable")]
    (tmp_path / "gbk.toml").write_bytes("citation = '办法'".encode("gbk"))
    with pytest.raises(RulebookError) as caught:
        Rulebook.read(tmp_path / "gbk.toml")
    assert [(path, each.code) for path, each in caught.value.problems] == [("$", "rulebook_not_utf8")]
    (tmp_path / "bom.toml").write_text(LADDER, "utf-8-sig")
    assert Rulebook.read(tmp_path / "bom.toml").id == "city.star"
    assert str(tmp_path) not in caught.value.message("zh-CN")


def test_a_text_nested_beyond_measure_is_no_toml() -> None:
    assert problems("a = " + "[" * 5000) == [("$", "rulebook_not_toml")]
