"""Files of cases: how records and facts are read, what passes, and what is said of what does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from volunteerkit.errors import InvalidValue
from volunteerkit.rules import Rulebook, RuleFunction
from volunteerkit.rules.cases import Result, read_cases, run_cases

RULE = """
id = "city.hours"
decides = "credit"
parameter = { most = 480 }
[fact.proof]
type = "bool"
default = false
zh-CN = "有证明"
en = "proof"
[fact.since]
type = "date"
default = 1970-01-01
zh-CN = "加入日期"
en = "joined on"
[[version]]
effective_from = 2020-01-01
citation = "示例"
select = "kind != 'money' and (known_on <= months_after(served_on, 1) or proof) and served_on >= since"
limit = [{ per = "day", at_most = "most" }]
convert = { unit = "积分", every_minutes = 60 }
"""


def run(tmp_path: Path, *cases: dict[str, Any], rule: str = RULE, **functions: RuleFunction) -> Result:
    place = tmp_path / "案例.json"
    whole = [{"why": "周兰", "as_of": "2024-12-31", **case} for case in cases]
    place.write_text(json.dumps({"regime": "city.hours", "cases": whole}, ensure_ascii=False), "utf-8")
    named = {each.name: each for each in functions.values()}
    return run_cases(read_cases(place), [Rulebook.loads(rule, functions=named)])


def test_records_say_everyday_words_or_the_names_of_facts(tmp_path: Path) -> None:
    record = {"date": "2024-05-04", "minutes": 100, "entered_on": "2024-06-05"}
    passed = run(
        tmp_path,
        {"records": [record], "expect": {"credited_minutes": 0, "service_records": 0}},
        {"records": [{**record, "proof": True}], "expect": {"credited_minutes": 100, "converted": 1}},
        {"records": [{**record, "known_on": "2024-06-04", "entered_on": "2024-06-04"}], "expect": {"credited_minutes": 100}},
        {"records": [{"served_on": "2024-05-04", "claimed_minutes": 481}], "expect": {"credited_minutes": 480}},
        {"records": [{"date": "2024-05-04", "minutes": 481}], "policy": {"most": 500}, "expect": {"credited_minutes": 481}},
        {"records": [{"date": "2024-05-04", "minutes": 60}], "volunteer": {"since": "2024-05-05"},
         "expect": {"credited_minutes": 0, "approver": None, "status": "effective"}},
        {"records": [{"count": 3, "year": 2023, "minutes": 300}], "expect": {"credited_minutes": 900, "service_days": 3}},
        {"records": [{"kind": "money", "amount": 100000}], "expect": {"credited_minutes": 0, "claimed_minutes": 0}},
        {"records": [{"date": "2025-01-01", "minutes": 60}], "expect": {"claimed_minutes": 0}},
    )  # fmt: skip
    assert passed.failed == ()
    assert passed.as_dict() == {"regime": "city.hours", "passed": 9, "failed": 0, "python_lines": 0}


NIGHT = """
id = "city.hours"
decides = "credit"
[[version]]
effective_from = 2020-01-01
citation = "示例"
window = [{ from = "22:00", to = "06:00", percent = 150 }]
limit = [{ per = "day", at_most = "8 * 60" }]
"""


def test_a_case_says_when_somebody_began(tmp_path: Path) -> None:
    record = {"date": "2024-05-04", "minutes": 120}
    passed = run(
        tmp_path,
        {"records": [{**record, "start": "21:00"}], "expect": {"credited_minutes": 150}},
        {"records": [{**record, "start": "20:00"}], "expect": {"credited_minutes": 120}},
        {"records": [{**record, "start": "18:00", "minutes": 480}], "expect": {"credited_minutes": 480}},
        {"records": [{**record, "start_minute": 1260, "clock_minutes": 120}], "expect": {"credited_minutes": 150}},
        {"records": [record], "expect": {"credited_minutes": 120}},
        rule=NIGHT,
    )  # fmt: skip
    assert passed.failed == ()


def test_a_misspelt_word_of_a_record_is_told_the_words_of_records(tmp_path: Path) -> None:
    (failure,) = run(tmp_path, {"records": [{"strat": "21:00"}], "expect": {}}).failed
    assert failure.error is not None
    assert "start" in failure.error.message("en").split("Known:")[0]
    assert " date," in failure.error.message("en")


def test_what_differs_is_told_with_both_values(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        {
            "records": [{"date": "2024-05-04", "minutes": 60}],
            "expect": {"credited_minutes": 61, "claimed_minutes": 60},
        },
        {"records": [{"date": "2024-05-04", "minutes": 1}], "expect": {"credited_minutes": True}},
    )
    assert [failure.differences for failure in found.failed] == [
        (("credited_minutes", 61, 60),),
        (("credited_minutes", True, 1),),
    ]
    assert found.passed == 0


def test_an_answer_that_nothing_gives_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    (failure,) = run(tmp_path, {"records": [], "expect": {"credited_minuts": 1}}).failed
    assert failure.error is not None
    assert failure.error.code == "case_unknown"
    told = failure.error.message("en").split("Known:")[0]
    assert "expect.credited_minuts" in told
    assert "'credited_minutes'" in told


@pytest.mark.parametrize(
    ("case", "code", "name"),
    [
        ({"records": [{"dat": "2024-05-04"}]}, "case_unknown", "records[0].dat"),
        ({"records": [{"date": "2024-02-30"}]}, "case_value", "served_on"),
        ({"records": [{"start": "9:00"}]}, "case_value", "records[0].start"),
        ({"records": [{"start": "24:00"}]}, "case_value", "records[0].start"),
        ({"records": [{"start": 540}]}, "case_value", "records[0].start"),
        ({"records": [{"minutes": "60"}]}, "case_value", "claimed_minutes"),
        ({"records": [{"count": -1}]}, "case_value", "records[0].count"),
        ({"records": [{"year": 0}]}, "case_value", "records[0].year"),
        ({"volunteer": {"sinse": "2024-01-01"}}, "case_unknown", "facts.sinse"),
        ({"policy": {"mos": 1}}, "case_unknown", "facts.mos"),
        ({"facts": {"proof": 1}}, "case_value", "proof"),
        ({"facts": {"calendar": {"holiday": []}}}, "case_value", "calendar"),
        ({"facts": {"calendar": {"weekend": ["Samstag"]}}}, "case_value", "weekend"),
        ({"as_of": "2019-12-31"}, "rulebook_not_yet", None),
    ],
)
def test_a_case_that_cannot_be_read_fails_and_says_where(
    tmp_path: Path, case: dict[str, Any], code: str, name: str | None
) -> None:
    (failure,) = run(tmp_path, {"expect": {"credited_minutes": 0}, **case}).failed
    assert failure.error is not None
    assert failure.error.code == code
    if name:
        assert failure.error.values["name"] == name


@pytest.mark.parametrize(
    "data",
    [[], {"cases": []}, {"regime": "x"}, {"regime": "x", "cases": [{"expect": {}}]}, {"regime": "x", "cases": [5]},
     {"regime": "x", "cases": [{"as_of": "2024-01-01", "expect": {}, "records": [5]}]},
     {"regime": "x", "cases": [{"as_of": "tomorrow", "expect": {}}]}],
)  # fmt: skip
def test_a_file_of_another_shape_is_refused(tmp_path: Path, data: Any) -> None:
    place = tmp_path / "案例.json"
    place.write_text(json.dumps(data), "utf-8")
    with pytest.raises(InvalidValue) as caught:
        read_cases(place)
    assert str(tmp_path) not in caught.value.message("zh-CN")


def test_lines_of_python_are_counted(tmp_path: Path) -> None:
    def short(minutes: int) -> bool:
        return minutes < 30

    rule = RULE.replace("kind != 'money' and", "not city.short(claimed_minutes) and")
    found = run(
        tmp_path,
        {"records": [{"date": "2024-05-04", "minutes": 29}], "expect": {"credited_minutes": 0}},
        rule=rule,
        short=RuleFunction("city.short", one=short),
    )
    assert (found.failed, found.python_lines) == ((), 2)


STAR = """
id = "city.hours.star"
decides = "star"
[fact.nominated]
type = "bool"
default = false
zh-CN = "已推荐"
en = "nominated"
[[version]]
effective_from = 2020-01-01
citation = "示例"
step = [
  { award = 1, when = "credited_minutes >= 6000" },
  { award = 2, when = "credited_minutes >= 18000 and nominated" },
]
"""


def test_a_regime_of_several_rulebooks_is_one(tmp_path: Path) -> None:
    place = tmp_path / "案例.json"
    record = {"date": "2024-05-04", "minutes": 60, "proof": True}
    case = {
        "as_of": "2024-12-31",
        "records": [record],
        "volunteer": {"nominated": True},
        "facts": {"credited_minutes": 18000},
    }
    expect = {"credited_minutes": 60, "star": 2}
    place.write_text(json.dumps({"regime": "city.hours", "cases": [{**case, "expect": expect}]}), "utf-8")
    books = [
        Rulebook.loads(RULE),
        Rulebook.loads(STAR),
        Rulebook.loads(STAR.replace("city.hours.star", "city.hoursx")),
    ]
    assert run_cases(read_cases(place), books).as_dict() == {
        "regime": "city.hours", "passed": 1, "failed": 0, "python_lines": 0,
    }  # fmt: skip


BADGE = """
id = "city.badge"
decides = "badge"
[[version]]
effective_from = 2020-01-01
citation = "示例"
measure.chain = { count = "records", per = "week", take = "run" }
step = [{ award = 1, grade = "铜章", valid_months = 12, when = "chain >= 10" }]
"""


def test_records_stand_so_many_days_apart_and_a_scheme_says_what_is_held(tmp_path: Path) -> None:
    weekly = {"count": 10, "every_days": 7, "minutes": 60}
    award = {"kind": "award", "scheme": "badge", "grade": "铜章", "date": "2025-12-31"}
    grades = [
        ([{**weekly, "year": 2026}], {"eligible": "铜章", "held": 1, "grantable": ["铜章"]}),
        ([{**weekly, "date": "2026-03-02"}], {"eligible": True}),
        ([{**weekly, "date": "2026-03-02", "every_days": 8}], {"eligible": 0, "held": False}),
        ([award], {"eligible": False, "held": "铜章", "grantable": []}),
    ]
    cases = [
        {"why": "", "as_of": "2026-12-30", "records": records, "expect": {"badge": expected}}
        for records, expected in grades
    ]
    cases.append({**cases[3], "why": "错", "expect": {"badge": {"held": False, "lost": 1}}})
    place = tmp_path / "badge.json"
    place.write_text(json.dumps({"regime": "city.badge", "cases": cases}), "utf-8")
    found = run_cases(read_cases(place), [Rulebook.loads(BADGE)])
    assert [each.why for each in found.failed] == ["错"]
    assert found.failed[0].differences == (("badge.held", False, True), ("badge.lost", 1, "-"))
