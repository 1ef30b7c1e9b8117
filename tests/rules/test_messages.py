"""Every message of the rules, word for word, in both languages.

``VOLUNTEERKIT_SNAPSHOTS=write pytest tests/rules/test_messages.py`` writes the files in ``snapshots`` again.
"""

import datetime as dt
import os
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from volunteerkit.errors import InvalidValue, RulebookError, RuleSyntaxError, VolunteerkitError
from volunteerkit.messages import LANGUAGES
from volunteerkit.rules import FACTS, Fact, Record, Rulebook, RuleFunction, assess, credit, parse
from volunteerkit.rules.kernel import credit_columns

SNAPSHOTS = Path(__file__).with_name("snapshots")
FUNCTIONS = {"xinyu.regular": RuleFunction("xinyu.regular", one=lambda service_days: service_days >= 24)}
DECLARED = {
    name: FACTS[name] for name in ("credited_minutes", "service_days", "category", "served_on")
} | {"trained": Fact("trained", "bool", "已完成培训", "has finished training")}  # fmt: skip

RULES = [
    "", "service_days > 1 and " * 250, "not " * 60 + "trained", "service_days >= 24 and", "category == '助老' an trained",
    "service_days ≥ 24", "service_days >= ２４", "category == “助老”", "trained # 备注", "category == '助\\老'",
    "category == '助\u200b老'", "service_days ** 2 > 1", "service_days == None", "[x for x in category]", "-service_days < 1",
    "credited_minutes > 2.5 * 60", "credited_minutes / 60 >= 100", "service_days > 9999999999", "service_days * 2000000 > 1",
    "credited_minutes * service_days > 1", "credited_minuts >= 6000", "时长 >= 6000", "xinyu.reguler(service_days)",
    "总数(service_days)", "xinyu.regular(service_days, 1)", "service_days == '助老'", "served_on >= 20000", "service_days",
    "1 < 2", "xinyu.regular(24)", "trained and True", "category > '助老'", "'助老' == category", "category in '助老'",
    "service_days in (1, credited_minutes)", "xinyu.regular(category)", "served_on >= date(2026, 2, 30)",
    "category == '𠮷野' and credited_minutes // 60 > 1",
]  # fmt: skip

LADDER = 'id = "city.star"\ndecides = "star"\n[[version]]\neffective_from = 2014-09-01\ncitation = "办法"\n'
CREDIT = LADDER.replace('"star"', '"credit"')
RULEBOOKS = [
    "id = city.star",
    'id = ""\nversions = []\ndecides = 5',
    LADDER + 'step = [{ award = 2, when = "service_days > 1" }, { award = 1, when = "credited_minuts > 1", naam = 1 }]',
    LADDER + 'step = [{ award = 2, when = "service_days > 1" }, { award = 2, when = "service_days > 2" }]',
    LADDER + 'step = [{ award = 0, when = "service_days > 1", colour = "red" }]',
    2 * (LADDER + 'step = [{ award = 1, when = "service_days > 1" }]\n').replace('id = "city.star"\ndecides = "star"', "\n"),
    CREDIT + 'step = []\ncoefficient = { by = "categorie", percent = { "助老" = 2000 } }',
    CREDIT + 'coefficient = { by = "served_on", percent = { "助老" = 1.5 } }\nday = { at_most = "480 minutes" }',
]  # fmt: skip


def raised(run: "object", *arguments: "object", **named: "object") -> VolunteerkitError:
    assert callable(run)
    try:
        run(*arguments, **named)
    except VolunteerkitError as error:
        return error
    raise AssertionError(arguments)


def of_columns(**columns: list[int]) -> VolunteerkitError:
    version = Rulebook.loads(CREDIT).versions[0]
    records = {"volunteer": [0, 1], "served_on": [5, 5], "claimed_minutes": [60, 60]} | columns
    return raised(
        credit_columns,
        version,
        {name: np.array(each) for name, each in records.items() if each},
        {},
        2,
        clustered=True,
    )


def errors(tmp_path: Path) -> Iterator[VolunteerkitError]:
    for text in RULES:
        error = raised(parse, text, facts=DECLARED, functions=FUNCTIONS)
        assert isinstance(error, RuleSyntaxError)
        yield error
    for text in RULEBOOKS:
        error = raised(Rulebook.loads, text, "星级.toml")
        assert isinstance(error, RulebookError)
        yield error
    (tmp_path / "gbk.toml").write_bytes("# 办法".encode("gbk"))
    yield raised(Rulebook.read, tmp_path / "gbk.toml")
    yield raised(Rulebook.read, tmp_path / "missing.toml")
    ladder = Rulebook.loads(LADDER + 'step = [{ award = 1, when = "service_days > 1" }]')
    yield raised(ladder.version_on, dt.date(2014, 8, 31))
    facts = {**FACTS, "state": Fact("state", "int", "状态", "state")}
    version = Rulebook.loads(CREDIT + 'select = "state == 0"', facts=facts).versions[0]
    yield raised(credit, version, [Record(1, 5, -1, 0, 60)])
    yield of_columns(claimed_minutes=[])
    yield of_columns(volunteer=[1, 0])
    yield of_columns(volunteer=[0, 2])
    yield of_columns(claimed_minutes=[1, -1])
    yield of_columns(claimed_minutes=[2**62, 2**62], volunteer=[1, 1])


def codes(error: VolunteerkitError) -> set[str]:
    inner = {code for _, problem in getattr(error, "problems", ()) for code in codes(problem)}
    return {error.code} | inner


def compare(name: str, text: str) -> None:
    place = SNAPSHOTS / name
    if os.environ.get("VOLUNTEERKIT_SNAPSHOTS") == "write":
        place.write_text(text, "utf-8")
    assert text == place.read_text("utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error(language: str, tmp_path: Path) -> None:
    texts = [f"[{error.code}]\n{error.message(language)}\n" for error in errors(tmp_path)]
    compare(f"errors.{language}.txt", "\n".join(texts))


REASONED = (
    CREDIT
    + """
select = "category != '培训'"
once = true
coefficient = { by = "category", percent = { "献血" = 200 } }
[version.day]
at_most = "480"
percent = "120"
"""
)


def reasons(language: str) -> Iterator[str]:
    records = [
        Record(41, 20_000, 480, 100, 130, "献血"), Record(42, 20_000, 540, 120, 120, "助老"), Record(43, 20_000, -1, 0, 60, "培训"),
        Record(44, 20_000, 800, 600, 600, "助老"),
    ]  # fmt: skip
    for line in credit(Rulebook.loads(REASONED).versions[0], records).lines:
        yield f"{line.record_id}: {line.claimed_minutes} → {line.credited_minutes}"
        yield from (f"  [{why.code}] {why.message(language)}" for why in line.reasons)


EXPLAINED = """
step = [
  { award = 1, when = "credited_minutes >= 100 * 60", name = { zh-CN = "一星", en = "one star" } },
  { award = 2, when = "credited_minutes >= 300 * 60 and service_days > 24 and service_records >= 30" },
  { award = 3, when = "trained and last_on >= date(2026, 1, 1) and not category == '无'" },
]
"""


def rulings(language: str) -> Iterator[str]:
    extra = {
        "trained": Fact("trained", "bool", "已完成培训", "has finished training"),
        "last_on": Fact("last_on", "date", "最近服务日期", "last day of service"),
        "category": Fact("category", "word", "主要类别", "main category"),
    }
    book = Rulebook.loads(LADDER + EXPLAINED, facts=FACTS | extra)
    facts = {"credited_minutes": 17_250, "service_days": 24, "service_records": 28, "trained": False, "last_on": 20_600,
             "category": "助老"}  # fmt: skip
    day = dt.date(2026, 11, 23)
    for changed in (
        facts,
        {**facts, "credited_minutes": 0},
        {**facts, "trained": True},
        {"credited_minutes": 1, "trained": True},
    ):
        yield assess(book, changed, day).explain(language) + "\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_and_ruling(language: str) -> None:
    compare(f"reasons.{language}.txt", "\n".join([*reasons(language), "", *rulings(language)]))


def test_no_message_is_left_out(tmp_path: Path) -> None:
    known = tomllib.loads(files("volunteerkit.messages").joinpath("rules.toml").read_text("utf-8"))
    seen = {code for error in errors(tmp_path) for code in codes(error)}
    seen |= {why.code for line in credit(Rulebook.loads(REASONED).versions[0], [
        Record(1, 5, 0, 9, 10, "献血"), Record(2, 5, 5, 9, 9), Record(3, 5, -1, 0, 600), Record(4, 5, -1, 0, 1, "培训"),
    ]).lines for why in line.reasons}  # fmt: skip
    assert {code for code in known if not code.startswith("explain_")} - seen == {"rule_syntax"}
    assert all(set(texts) == set(LANGUAGES) for texts in known.values())


def test_errors_are_also_python_value_errors() -> None:
    with pytest.raises(ValueError, match="credited_minutes"):
        parse("credited_minuts > 1", facts=FACTS)
    with pytest.raises(ValueError, match="TOML"):
        Rulebook.loads("=")
    assert issubclass(InvalidValue, ValueError)
