"""Rules in words: every part and every function of the language has them, in Chinese and in English."""

from __future__ import annotations

import ast
import datetime as dt
import re
from pathlib import Path

import attrs
import pytest

from volunteerkit.messages import LANGUAGES, catalogue, text
from volunteerkit.rules import FACTS, Rulebook, builtin_rulebooks, parse, parts
from volunteerkit.rules.differing import differences
from volunteerkit.rules.functions import BUILT_IN
from volunteerkit.rules.parts import PERIODS, Measure, Scheme
from volunteerkit.rules.rulebook import Version
from volunteerkit.rules.telling import explained_rulebook, lines_of
from volunteerkit.rules.wording import Words

ROOT = Path(__file__).parents[2]
REGIMES = sorted((ROOT / "plugins/regimes/src/volunteerkit_regimes").glob("*.toml"))
HEAD = 'id = "city.star"\ndecides = "star"\n[[version]]\neffective_from = 2026-01-01\ncitation = "示例"\n'
STAR = HEAD + 'step = [{ award = 1, when = "credited_minutes >= 100 * 60 and service_days > 3" }]\n'


def said(rule: str, language: str = "zh-CN") -> str:
    scope = {
        **FACTS,
        "until_on": attrs.evolve(FACTS["registered_on"], name="until_on", zh="截止日", en="last day"),
    }
    gives = "bool" if re.search(r"[<>=]| in |not", rule) else "int"
    try:
        read = parse(rule, facts=scope, gives=gives)
    except Exception:
        read = parse(rule, facts=scope, gives="date")
    return Words(scope, language).rule(read)


@pytest.mark.parametrize(
    ("rule", "zh", "en"),
    [
        ("credited_minutes >= 100 * 60", "计入时长不少于100 小时", "credited minutes is at least 100 h"),
        ("credited_minutes > 90", "计入时长超过1 小时 30 分钟", "credited minutes is more than 1 h 30 min"),
        ("service_days < 3", "服务天数少于3 天", "days of service is less than 3 day(s)"),
        ("registered_on <= date(2026, 1, 2)", "注册日期不晚于2026-01-02", "day of registration is not after 2026-01-02"),
        ("category in ('助老', '环保')", "项目类别是“助老”、“环保”之一", "category of the project is one of “助老”, “环保”"),
        ("member != ''", "成员（家庭、团队）不等于空", "member of a family or team is not empty"),
        ("not suspended", "不属于“办法已暂停”", "it is not so: the rules are suspended on that day"),
        ("registered_on >= months_after(today, -12)", "注册日期不早于评定之日之前 12 个月",
         "day of registration is not before 12 months before the day asked for"),
        ("service_days > 3 and (evidence or accepted)", "服务天数超过3 天，并且（属于“附有证明”，或者属于“已由规则指定的审批单位认可”）",
         "days of service is more than 3 day(s), and (it is so: evidence was attached, or it is so: agreed to by the office the rule names)"),
        ("how_many(evidence, service_days > 3) >= 2", "下列各项中成立的项数：属于“附有证明”、服务天数超过3 天不少于2",
         "how many of these hold: it is so: evidence was attached, days of service is more than 3 day(s) is at least 2"),
    ],
)  # fmt: skip
def test_conditions_are_phrases(rule: str, zh: str, en: str) -> None:
    assert (said(rule), said(rule, "en")) == (zh, en)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", BUILT_IN)
def test_every_function_has_words(name: str, language: str) -> None:
    values = {"bool": "evidence", "date": "registered_on", "int": "service_days", "same": "service_days"}
    takes = [values[each] for each in BUILT_IN[name].takes]
    if BUILT_IN[name].step:
        takes[-1] = "30"
    made = said(f"{name}({', '.join(takes)})", language)
    assert f"{name}(" not in made
    assert (FACTS["service_days"].zh if language == "zh-CN" else FACTS["service_days"].en) in made or (
        "registered_on" in takes or "evidence" in takes
    )


def words_of(cls: type, field: str) -> list[str]:
    """Return the words a field may have, as its type says."""
    return re.findall(r"[\"']([a-z_]+)[\"']", str(attrs.fields_dict(cls)[field].type))


def test_every_word_of_a_part_has_its_own_words() -> None:
    found = {f"say_each_{each}" for each in PERIODS}
    found |= {f"say_put_{each}" for each in words_of(Measure, "take")}
    for name in ("take", "repeat", "loss", "procedure"):
        some = words_of(Scheme, name)
        assert some
        found |= {f"say_{name}_{each}" for each in some}
    hows = set(words_of(Measure, "how")) - {"count"}
    assert {"balance", "first", "sum"} <= hows
    found |= {f"say_{each}" for each in hows} | {f"say_limit_{each}" for each in ("minutes", "records")}
    found |= {f"say_call_{each}" for each in BUILT_IN}
    assert found - set(catalogue()) == set()


@pytest.mark.parametrize(
    "cls", [getattr(parts, name) for name in parts.__all__ if attrs.has(getattr(parts, name))]
)
def test_every_field_of_a_part_is_told(cls: type) -> None:
    told_by = (ROOT / "src/volunteerkit/rules/telling.py").read_text("utf-8")
    own = {field.name for field in attrs.fields(cls)} - {
        "gives",
        "reason",
    }  # the author's code is told with its rulings
    silent = {name for name in own if f".{name}" not in told_by and f'"{name}"' not in told_by}
    assert silent == set()


def test_every_part_of_a_version_is_told() -> None:
    told_by = (ROOT / "src/volunteerkit/rules/telling.py").read_text("utf-8")
    plain = {"steps", "answers", "scheme", "facts", "functions", "compiled"}  # ``made`` holds them
    own = {field.name for field in attrs.fields(Version)} - plain
    assert {name for name in own if f".{name}" not in told_by and f'"{name}"' not in told_by} == set()


def test_no_text_is_left_over() -> None:
    sources = [ROOT / f"src/volunteerkit/{each}" for each in (
        "rules/wording.py", "rules/telling.py", "rules/differing.py", "cli/ruling.py")]  # fmt: skip
    nodes = [node for source in sources for node in ast.walk(ast.parse(source.read_text("utf-8")))]
    said_ = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    begins = ("call_", "each_", "put_", "take_", "repeat_", "loss_", "procedure_", "limit_", "per_", "beyond_", "before_",
              "decides_", "count_")  # fmt: skip
    own = {code.removeprefix("say_") for code in catalogue() if code.startswith("say_")}
    said_ |= {each.removeprefix("say_") for each in said_}
    direct = {*words_of(Measure, "how")}
    left = {code for code in own if not code.startswith(begins)} - said_ - direct
    assert {each for each in left if not each.endswith("_day")} == set()


@pytest.mark.parametrize("path", REGIMES, ids=lambda path: path.stem)
@pytest.mark.parametrize("language", LANGUAGES)
def test_real_rules_are_told_whole(path: Path, language: str) -> None:
    book = Rulebook.read(path)
    told = explained_rulebook(book, language)
    for version in book.versions:
        assert version.citation in told
        assert version.digest[:12] in told
        for part in version.made:
            if isinstance(part, Measure):
                assert part.name in told
        paths = [line.path for line in lines_of(version, language)]
        assert len(paths) == len(set(paths))
    assert not re.search(r"say_\w|[{}]|None", told)
    assert not re.search(r"\b(?:years_between|months_after|service_days|credited_minutes)\b", told)


def test_the_ways_of_crediting_that_ship_are_told() -> None:
    union = builtin_rulebooks()[1]
    assert "同一人的同一分钟只计一次。" in explained_rulebook(union, "zh-CN")


def told(old: str, new: str, language: str = "zh-CN") -> list[str]:
    one, other = (Rulebook.loads(each).versions[-1] for each in (old, new))
    return [each.message(language) for each in differences(one, other)]


@pytest.mark.parametrize(
    ("old", "new", "zh", "en"),
    [
        ("100 * 60", "120 * 60", "1 级：计入时长：由100 小时提高到120 小时，提高20 小时。",
         "grade 1: credited minutes: raised from 100 h to 120 h, by 20 h."),
        ("service_days > 3", "service_days > 2", "1 级：服务天数：由3 天降低到2 天，降低1 天。",
         "grade 1: days of service: lowered from 3 day(s) to 2 day(s), by 1 day(s)."),
        (" and service_days > 3", "", "1 级：取消条件：服务天数超过3 天。",
         "grade 1: a condition is gone: days of service is more than 3 day(s)."),
        ("service_days > 3", "service_days > 3 and registered_days >= 30", "1 级：增加条件：注册天数不少于30 天。",
         "grade 1: a condition is added: days since registration is at least 30 day(s)."),
        ("2026-01-01", "2026-07-01", "原为：自 2026-01-01 起，依据：示例　现为：自 2026-07-01 起，依据：示例",
         "It was: From 2026-01-01 on, source: 示例 Now it is: From 2026-07-01 on, source: 示例"),
    ],
)  # fmt: skip
def test_what_changed_is_told_with_its_amount(old: str, new: str, zh: str, en: str) -> None:
    other = STAR.replace(old, new)
    assert other != STAR
    assert told(STAR, other) == [zh]
    assert told(STAR, other, "en") == [en]


def test_grades_parts_and_terms_that_come_and_go_are_told() -> None:
    more = STAR.replace("[{", '[{ certifier = "市文明办", valid_months = 24,').replace(
        "step =", 'repeat = "never"\nmeasure.half = { sum = "minutes", from = "months_after(today, -6)" }\n'
        'credit.limit = [{ per = "day", at_most = "480" }]\nstep ='
    ).replace("}]\n", '}, { award = 2, when = "half >= 60" }]\n').replace('"480" }, { award = 2, when = "half >= 60" }]', '"480" }]')  # fmt: skip
    found = " ".join(told(STAR, more))
    for part in ("增加：“half”：计入时长之和，只看评定之日前 6 个月内", "增加：2 级", "每天最多计8 小时", "每个等级只授予一次",
                 "有效 24 个月", "由“市文明办”决定"):  # fmt: skip
        assert part in found
    back = " ".join(told(more, STAR))
    assert "取消：2 级" in back
    assert "取消：“half”" in back


def test_blanks_and_comments_are_no_difference_and_names_are_only_texts() -> None:
    assert told(STAR, STAR.replace("100 * 60", "6000").replace("\n[[", "\n# 说明\n[[")) == []
    named = STAR.replace("[{", '[{ name = { zh-CN = "一星", en = "one star" },')
    one, other = (Rulebook.loads(each).versions[0] for each in (STAR, named))
    changes = differences(one, other)
    assert changes
    assert all(each.text for each in changes)
    assert one.digest == other.digest


def test_days_without_a_limit_are_told_as_such() -> None:
    words = Words({}, "zh-CN")
    assert [words.day(day) for day in (dt.date.min, dt.date.max, dt.date(2026, 1, 2))] == [
        "最早", "永不到来的一天", "2026-01-02"]  # fmt: skip
    assert text("say_ever", "en") == "the beginning of time"
