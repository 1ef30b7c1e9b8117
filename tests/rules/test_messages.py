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
from volunteerkit.rules import FACTS, Fact, Record, Rulebook, RuleFunction, assess, check, credit, parse
from volunteerkit.rules.cases import read_cases, run_cases
from volunteerkit.rules.cohorts import select
from volunteerkit.rules.deciding import decide
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
    "category == '𠮷野' and credited_minutes // 60 > 1", "floor_to(credited_minutes, service_days) > 1",
]  # fmt: skip

LADDER = 'id = "city.star"\ndecides = "star"\n[[version]]\neffective_from = 2014-09-01\ncitation = "办法"\n'
CREDIT = LADDER.replace('"star"', '"credit"')
CHECK = LADDER.replace('"star"', '"check"') + 'answer = { due = "months_after(served_on, 5000)" }'
MANY_WORDS = "kind in (" + "'a', " * 600 + ")"
RULEBOOKS = [
    "# " + "x" * 500_000,
    "a." * 20 + "a = 1",
    CHECK + "".join(f'\nmeasure.m{n} = {{ count = "days", where = "{MANY_WORDS}" }}' for n in range(9)),
    "id = city.star",
    'id = ""\nversions = []\ndecides = 5',
    LADDER + 'step = [{ award = 2, when = "service_days > 1" }, { award = 1, when = "credited_minuts > 1", naam = 1 }]',
    LADDER + 'step = [{ award = 2, when = "service_days > 1" }, { award = 2, when = "service_days > 2" }]',
    LADDER + 'step = [{ award = 0, when = "service_days > 1", colour = "red" }]',
    2 * (LADDER + 'step = [{ award = 1, when = "service_days > 1" }]\n').replace('id = "city.star"\ndecides = "star"', "\n"),
    CREDIT + 'step = []\ncoefficient = { by = "categorie", percent = { "助老" = 2000 } }',
    CREDIT + 'coefficient = { by = "served_on", percent = { "助老" = 1.5 } }\nday = { at_most = "480 minutes" }',
    CREDIT + """
limit = [{ per = "weak", at_most = "5" }, { per = "day", at_most = "5", by = ["categry"], count = "money" }]
window = [{ from = "25:00", to = "06:00", percent = 200 }, { from = "06:00", to = "06:00", percent = 5000 }]
transform = [{ minutes = "floor_to(minuts, 30)" }, { minutes = "0", because = { en = "no" } }]
route = [{ when = "day_minutes > 480" }]
convert = { unit = "积分", every_minutes = 0 }
day_begins = "5 am"
""",
    CHECK.replace("answer = {", 'answer = { days = "served_on", a = "b + 1", b = "a + 1",'),
    LADDER + """
suspended_from = 2014-08-01
cohort = { among = "star", rank_by = ["service_days"] }
measure.hours = { sum = "minutes", count = "days" }
measure.span = { sum = "served_on", from = "today", after = "today", having = "value > 1", gap_days = -1 }
lookup = [{ by = "service_days", row = [{ from = 2, a = 1 }, { from = 1, a = 2 }] }, { by = "w", row = [{ from = 1, b = 1 }] }]
answer.w = "'a'"
scheme.y.step = [{ award = 1, grade = "a", when = "today > date(2020, 1, 1)" }, { award = 2, grade = "a", when = "today > date(2020, 1, 1)" }]
step = [{ award = 1, when = "service_days > 1" }]
""",
    CREDIT + "transform = [" + '{ minutes = "0" }, ' * 101 + "]",
    """
id = "city.credit"
decides = "credit"
parameter = { entry_months = 2.5, kind = 1, trained = 3 }
[fact."in"]
type = "bool"
zh-CN = "在"
en = "in"
[fact.trained]
type = "boolean"
zh-CN = "已培训"
en = "trained"
[fact.proof]
type = "bool"
default = 1
zh-CN = "有证明"
en = "there is proof"
[[version]]
effective_from = 2014-09-01
citation = "办法"
""",
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


CASE = """
regime = "city.star"
[[cases]]
as_of = 2026-01-01
expect = { due = 2026-01-01 }
"""


def of_cases(tmp_path: Path) -> Iterator[VolunteerkitError]:
    place, book = tmp_path / "案例.toml", Rulebook.loads(CHECK)
    for text in ("[[", "cases = []", CASE + "expected = {}"):
        place.write_text(text, "utf-8")
        yield raised(read_cases, place)
    yield raised(read_cases, tmp_path / "missing.toml")
    words = Rulebook.loads('case = { hours = { kind = "{kin}" } }\n' + CHECK)
    place.write_text(CASE + "facts = { hours = 5 }", "utf-8")
    error = run_cases(read_cases(place), [words]).failed[0].error
    assert error is not None
    yield error
    for line in ("facts = { sered_on = 2026-01-01 }", "facts = { served_on = 5 }", ""):
        place.write_text(CASE + line, "utf-8")
        error = run_cases(read_cases(place), [book] if line else []).failed[0].error
        assert error is not None
        yield error


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
    book = Rulebook.loads(CHECK)
    yield raised(check, book, {"served_on": 5}, dt.date(2026, 1, 1))
    for rule in ("year_start(served_on, service_days)", "new_year(service_days)"):
        wrong = Rulebook.loads(CHECK.replace("months_after(served_on, 5000)", rule))
        yield raised(check, wrong, {"served_on": 5, "service_days": 0}, dt.date(2026, 1, 1))
    yield raised(check, book, {}, dt.date(2026, 1, 1), answers=["deu"])
    decisions = [decide(each, dt.date(2026, 1, 1), facts={"service_days": 5}) for each in (ladder, book)]
    yield raised(select, {1: decisions[0]})
    yield raised(select, dict(enumerate(decisions)))
    yield from of_cases(tmp_path)
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
day_percent = "120"
limit = [{ per = "day", at_most = "480" }]
"""
)
PARTS = (
    CREDIT
    + """
[[version.transform]]
minutes = "floor_to(minutes, 30)"
reason = "half_hours"
because = { zh-CN = "以半小时为单位{。}", en = "Half hours {only}." }
[[version.window]]
from = "22:00"
to = "06:00"
percent = 200
[[version.limit]]
per = "month"
at_most = "600"
[[version.limit]]
per = "life"
when = "kind == 'gift'"
at_most = "30"
beyond = "refuse"
[[version.limit]]
per = "year"
when = "kind == 'whole_blood'"
count = "records"
at_most = "1"
[[version.route]]
when = "day_minutes > 200"
to = "区团委"
"""
)


def reasons(language: str) -> Iterator[str]:
    records = [
        Record(41, 20_000, 480, 100, 130, "献血"), Record(42, 20_000, 540, 120, 120, "助老"), Record(43, 20_000, -1, 0, 60, "培训"),
        Record(44, 20_000, 800, 600, 600, "助老"),
    ]  # fmt: skip
    several = [
        Record(51, 20_000, 1380, 100, 100), Record(52, 20_001, -1, 0, 60, kind="gift"),
        Record(53, 20_001, -1, 0, 60, kind="whole_blood"), Record(54, 20_002, -1, 0, 60, kind="whole_blood"),
        Record(55, 20_003, -1, 0, 600),
    ]  # fmt: skip
    for text, some in ((REASONED, records), (PARTS, several)):
        for line in credit(Rulebook.loads(text).versions[0], some).lines:
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
    seen |= {line.strip()[1:].partition("]")[0] for line in reasons("en") if line.startswith("  [")}
    assert {code for code in known if not code.startswith("explain_")} - seen == {"rule_syntax", "cases_none"}
    assert all(set(texts) == set(LANGUAGES) for texts in known.values())


def test_errors_are_also_python_value_errors() -> None:
    with pytest.raises(ValueError, match="credited_minutes"):
        parse("credited_minuts > 1", facts=FACTS)
    with pytest.raises(ValueError, match="TOML"):
        Rulebook.loads("=")
    assert issubclass(InvalidValue, ValueError)
