"""Deciding about one subject: tables, answers and schemes, what is held and what may be granted."""

import datetime as dt
import json
from typing import Any

import pytest

from volunteerkit.clock import Calendar
from volunteerkit.errors import RulebookError
from volunteerkit.rules import Record, Rulebook
from volunteerkit.rules.deciding import Decision, decide
from volunteerkit.units import day_number

ON = dt.date(2026, 11, 25)
HEAD = (
    'id = "city.medal"\ndecides = "city.medal"\n[[version]]\neffective_from = 2020-01-01\ncitation = "办法"\n'
)
STEPS = """
step = [
  { award = 1, grade = "bronze", when = "credited_minutes >= 60" },
  { award = 2, grade = "silver", when = "credited_minutes >= 120" },
  { award = 3, grade = "gold", when = "credited_minutes >= 180" },
]
"""


def day(text: str) -> int:
    return day_number(dt.date.fromisoformat(text))


def served(minutes: int, on: str = "2026-03-01", **fields: Any) -> Record:
    return Record(0, day(on), -1, 0, minutes, **fields)


def award(grade: str, on: str, kind: str = "award", scheme: str = "medal") -> Record:
    return Record(0, day(on), -1, 0, 0, kind=kind, facts={"scheme": scheme, "grade": grade})


def decided(text: str, *records: Record, on: dt.date = ON, **facts: Any) -> Decision:
    return decide(Rulebook.loads(text), on, records=records, facts=facts)


def medal(
    options: str, *records: Record, on: dt.date = ON
) -> tuple[tuple[int, ...] | None, int, tuple[int, ...]]:
    found = decided(HEAD + options + STEPS, *records, on=on).grantings["medal"]
    return found.eligible, found.held, found.grantable


@pytest.mark.parametrize(
    ("options", "records", "expected"),
    [
        # eligible, held, grantable
        ("", (served(59),), ((), 0, ())),
        ("", (served(60),), ((1,), 1, (1,))),
        ('procedure = "application"', (served(130),), ((2,), 0, (2,))),
        ('procedure = "application"', (served(130), award("bronze", "2026-04-01")), ((2,), 1, (2,))),
        ('procedure = "application"', (served(130), award("silver", "2026-04-01")), ((2,), 2, ())),
        ('procedure = "application"', (served(60), award("gold", "2026-04-01")), ((1,), 3, ())),
        (
            'procedure = "application"\nloss = "recomputed"',
            (served(60), award("gold", "2026-04-01")),
            ((1,), 1, ()),
        ),
        ('procedure = "application"', (served(60), award("gold", "2026-11-26")), ((1,), 0, (1,))),  # tomorrow
        (
            'procedure = "application"',
            (served(60), award("gold", "2026-04-01", scheme="star")),
            ((1,), 0, (1,)),
        ),
        ('take = "all"', (served(130),), ((1, 2), 2, (1, 2))),
        ('take = "all"\nrepeat = "never"', (served(130), award("bronze", "2020-01-01")), ((2,), 2, (2,))),
        ('repeat = "never"', (served(200), award("silver", "2020-01-01")), ((3,), 3, (3,))),
        ('repeat = "never"', (served(130), award("silver", "2020-01-01")), ((), 2, ())),
        ('repeat = "yearly"', (served(130), award("silver", "2026-01-01")), ((), 2, ())),
        ('repeat = "yearly"', (served(130), award("silver", "2025-12-31")), ((2,), 2, (2,))),
        ("suspended_from = 2026-11-25", (served(130),), ((2,), 0, ())),
        ("suspended_from = 2026-11-26", (served(130),), ((2,), 2, (2,))),
    ],
)
def test_eligible_held_and_grantable(options: str, records: tuple[Record, ...], expected: object) -> None:
    assert medal(options, *records) == expected


def test_a_revoked_grade_is_held_no_more_and_may_be_given_again() -> None:
    granted, back = award("silver", "2026-04-01"), award("silver", "2026-05-01", "revocation")
    again = award("silver", "2026-06-01")
    options = 'procedure = "application"\nrepeat = "never"'
    assert medal(options, served(130), granted) == ((), 2, ())
    assert medal(options, served(130), granted, back) == ((2,), 0, (2,))
    assert medal(options, served(130), granted, back, on=dt.date(2026, 4, 30)) == ((), 2, ())
    assert medal(options, served(130), granted, back, again) == ((), 2, ())
    assert medal(options + '\nloss = "never"', served(130), granted, back) == ((), 2, ())


def test_nothing_is_granted_before_the_notice_is_over_and_the_panel_agreed() -> None:
    text = (
        HEAD.replace(
            "[[version]]",
            """
[fact.notice_from]
type = "date"
zh-CN = "公示开始"
en = "public notice since"
[fact.agreed]
type = "int"
default = 0
zh-CN = "同意的评委人数"
en = "members of the panel who agreed"
[[version]]""",
        )
        + 'procedure = "nomination"\ngrant_when = "working_days_after(notice_from, 5) < today and agreed >= 2"'
        + STEPS
    )
    calendar = Calendar()

    def grantable(**facts: Any) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
        found = decided(text, served(60), calendar=calendar, **facts).grantings["medal"]
        return found.eligible, found.grantable

    assert grantable() == ((1,), ())
    assert grantable(notice_from=day("2026-11-18"), agreed=2) == ((1,), ())  # the fifth day is today
    assert grantable(notice_from=day("2026-11-17"), agreed=1) == ((1,), ())
    assert grantable(notice_from=day("2026-11-17"), agreed=2) == ((1,), (1,))


def test_what_is_made_has_a_name_for_people_and_names_change_no_meaning() -> None:
    made = (
        HEAD
        + 'measure.year_minutes = { sum = "minutes" }\nstep = [{ award = 1, when = "year_minutes >= 60" }]'
    )
    name = '[name.year_minutes]\nzh-CN = "本年时长"\nen = "hours of the year"\nunit = "minutes"\n'
    named = made.replace("[[version]]", name + "[[version]]")
    assert Rulebook.loads(named).versions[0].digest == Rulebook.loads(made).versions[0].digest
    found = decided(named, served(45)).assessment
    assert found is not None
    assert "hours of the year" in found.explain("en")
    assert "本年时长" in found.explain("zh-CN")
    with pytest.raises(RulebookError) as caught:
        Rulebook.loads(named.replace("name.year_minutes", "name.year_minute"))
    assert [(place, problem.code) for place, problem in caught.value.problems] == [
        ("$.name.year_minute", "rulebook_choice_near")]  # fmt: skip
    with pytest.raises(RulebookError):
        Rulebook.loads(named.replace('unit = "minutes"', 'unit = "hours"'))


TERMS = """
procedure = "application"
step = [
  { award = 1, grade = "blue", valid_months = 36, certifier = "district", when = "credited_minutes >= 60" },
  { award = 2, grade = "gold", after = "blue", wait_months = 24, when = "credited_minutes >= 60" },
]
"""


@pytest.mark.parametrize(
    ("granted", "on", "eligible", "held"),
    [
        (None, "2026-11-25", 1, 0),
        ("2024-11-25", "2026-11-24", 1, 1),
        ("2024-11-25", "2026-11-25", 2, 1),  # two years are over
        ("2023-11-26", "2026-11-25", 2, 1),
        ("2023-11-25", "2026-11-25", 2, 0),  # three years are over: blue ran out
    ],
)
def test_waiting_and_running_out(granted: str | None, on: str, eligible: int, held: int) -> None:
    records = [served(60, "2020-01-01"), *([award("blue", granted)] if granted else [])]
    found = decided(HEAD + TERMS, *records, on=dt.date.fromisoformat(on)).grantings["medal"]
    assert (found.award, found.held) == (eligible, held)
    assert found.step is not None
    assert found.step.certifier == ("district" if eligible == 1 else "")


TABLE = """
answer.age = "years_between(birth_date, today)"
answer.short_by = "greatest(needed - credited_minutes, 0)"
[[version.lookup]]
by = "age"
row = [{ from = 6, needed = 60, best = "2 * 60" }, { from = 18, needed = "300", best = 600 }]
[[version.lookup]]
by = "place"
row = [{ is = ["渝水区", "分宜县"], bonus = 10 }, { is = "高新区", bonus = 20 }, { bonus = 5 }]
[[version.step]]
award = 1
when = "credited_minutes + bonus >= needed"
[[version.step]]
award = 2
when = "credited_minutes + bonus >= best"
"""
PLACE = '[fact.place]\ntype = "word"\nzh-CN = "地区"\nen = "area"\n'


@pytest.mark.parametrize(
    ("born", "place", "minutes", "expected"),
    [
        ("2020-11-26", "", 1000, None),  # five years old: no row fits
        ("2020-11-25", "", 55, 1),
        ("2020-11-25", "", 54, 0),
        ("2008-11-26", "分宜县", 110, 2),
        ("2008-11-25", "分宜县", 289, 0),
        ("2008-11-25", "高新区", 280, 1),
        ("1990-01-01", "高新区", 580, 2),
    ],
)
def test_a_table_by_age_and_one_by_word(born: str, place: str, minutes: int, expected: int | None) -> None:
    text = HEAD.replace("[[version]]", PLACE + "[[version]]") + TABLE
    found = decided(text, served(minutes), birth_date=day(born), place=place)
    assert found.grantings["medal"].award == expected


def test_parts_may_stand_in_any_order_and_need_one_another() -> None:
    text = (
        HEAD
        + """
answer.pays = "choose(level == 2, 'double', 'single')"
answer.level = "how_many(medal >= 1, city_hours >= 2, served >= 30) + 0"
answer.city_hours = "full_steps(served, 60)"
measure.served = { sum = "minutes", where = "kind == 'service'" }
step = [{ award = 1, when = "served >= 120" }]
scheme.badge = { step = [{ award = 1, when = "medal >= 1 and pays == 'single'" }] }
"""
    )
    found = decided(text, served(119))
    assert found.answers == {"pays": "single", "level": 1, "city_hours": 1}
    assert {name: each.award for name, each in found.grantings.items()} == {"medal": 0, "badge": 0}
    assert list(decided(text, served(120)).grantings) == ["medal", "badge"]
    assert {name: each.award for name, each in decided(text, served(120)).grantings.items()} == {
        "medal": 1,
        "badge": 1,
    }


def test_words_that_hold_are_listed_and_a_set_of_words_is_asked() -> None:
    text = (
        'id = "city.form"\ndecides = "check"\n'
        + """
[fact.trained_fields]
type = "words"
zh-CN = "已培训领域"
en = "trained fields"
default = []
[[version]]
effective_from = 2020-01-01
citation = "办法"
credit.select = "kind == 'service' and category in trained_fields"
[version.answer.needs]
hours = "credited_minutes < 60"
training = "registered_days > 365 and credited_minutes < 600"
"""
    )
    found = decided(
        text, served(50, category="助老"), served(50, category="环保"), trained_fields=("助老", "医疗")
    )
    assert found.answers == {"needs": ("hours",)}
    assert found.missing == ("registered_days",)
    assert found.facts["credited_minutes"] == 50
    long_ago = decided(text, served(599, category="助老"), trained_fields=("助老",), registered_on=0)
    assert long_ago.answers == {"needs": ("training",)}
    assert str(Rulebook.loads(text).versions[0].credit.select).endswith("category in trained_fields")  # type: ignore[union-attr]


def test_a_group_counts_the_members_that_give_enough() -> None:
    text = (
        HEAD
        + """
measure.together = { sum = "minutes", per = "member", having = "value >= 25" }
measure.members = { sum = "minutes", per = "member", having = "value >= 25", take = "count" }
step = [{ award = 1, when = "together >= 100 and members >= 2" }]
"""
    )
    team = [
        served(70, facts={"member": "甲"}),
        served(24, facts={"member": "乙"}),
        served(30, facts={"member": "丙"}),
    ]
    assert decided(text, *team).grantings["medal"].award == 1
    assert decided(text, *team[:2]).grantings["medal"].award == 0


def test_minutes_are_credited_by_the_version_else_by_the_city_else_as_they_are() -> None:
    plain, own = HEAD + STEPS, HEAD + "credit = { limit = [{ per = 'day', at_most = '100' }] }" + STEPS
    way = Rulebook.loads(
        HEAD.replace('"city.medal"', '"credit"') + 'transform = [{ minutes = "minutes - 1" }]'
    ).versions[0]
    records = [served(130), served(70, kind="travel"), served(0, kind="points", quantity=5)]

    def credited(text: str, crediting: Any) -> int:
        found = decide(Rulebook.loads(text), ON, records=records, crediting=crediting).credited
        assert found is not None
        return found.credited_minutes

    assert credited(plain, None) == 130  # the kind of service alone
    assert credited(plain, way) == 129 + 69
    assert credited(own, way) == 100


def test_minutes_of_records_add_up_exactly_before_they_are_rounded() -> None:
    percent = "credit = { coefficient = { by = 'category', percent = { a = 150 } } }"
    text = HEAD + percent + '\nmeasure.all = { sum = "minutes" }\nstep = [{ award = 1, when = "all >= 3" }]'
    halves = [served(1, category="a"), served(1, category="a")]
    assert decided(text.replace('"minutes"', '" ( minutes ) "'), *halves).facts["all"] == 3
    assert decided(text, *halves).facts["all"] == 3
    assert decided(text, *halves).facts["credited_minutes"] == 3


def test_a_decision_can_be_replayed_from_what_it_says() -> None:
    text = HEAD.replace("[[version]]", PLACE + "[[version]]") + TABLE
    found = decided(text, served(100), birth_date=day("2000-01-01"), place="渝水区")
    kept = json.loads(json.dumps(found.as_dict(), ensure_ascii=False))
    assert kept["answers"] == {"age": 26, "short_by": 200}
    again = decide(Rulebook.loads(text), ON, facts={name: kept["facts"][name] for name in (
        "credited_minutes", "birth_date", "place")})  # fmt: skip
    assert again.as_dict()["schemes"] == kept["schemes"]
    assert again.as_dict()["digest"] == kept["digest"]
    assert found.assessment is not None
    assert found.assessment.grade == 0
    assert "100" in found.assessment.explain("en")


def test_the_same_person_under_an_old_and_a_new_version() -> None:
    new = HEAD.split("[[version]]")[1].replace("2020", "2026").replace("办法", "新办法")
    text = HEAD + STEPS + "[[version]]" + new + "adopted_on = 2025-12-01" + STEPS.replace("60", "100")
    before, after = (
        decided(text, served(60, "2025-01-01"), on=dt.date(2025, 12, 31)),
        decided(text, served(60)),
    )
    assert (before.grantings["medal"].award, after.grantings["medal"].award) == (1, 0)
    assert (
        before.version.digest == decided(HEAD + STEPS, served(60)).version.digest
    )  # a new version changes no old one


def test_the_digest_is_of_every_part() -> None:
    options = [
        "", 'repeat = "never"', 'take = "all"', 'loss = "never"', 'procedure = "nomination"', "adopted_on = 2019-12-01",
        "suspended_from = 2027-01-01", 'grant_when = "service_days > 1"', 'credit.select = "quantity > 1"', 'answer.more = "credited_minutes + 1"',
        'measure.some = { sum = "minutes" }', 'measure.some = { sum = "minutes", per = "year" }',
        'measure.some = { sum = "minutes", latest = 2 }', 'measure.some = { sum = "minutes", otherwise = "service_days" }',
        'measure.some = { sum = "minutes", per = "year", best = 2 }', 'scheme.x = { step = [{ award = 1, when = "today > today" }] }',
        'lookup = [{ by = "service_days", row = [{ from = 1, a = 1 }] }]',
        'lookup = [{ by = "service_days", row = [{ from = 1, a = 2 }] }]',
    ]  # fmt: skip
    texts = [HEAD + each + STEPS for each in options]
    texts += [HEAD + STEPS.replace('"gold",', more) for more in (
        '"golden",', '"gold", valid_months = 6,', '"gold", after = "silver",', '"gold", certifier = "city",')]  # fmt: skip
    digests = [Rulebook.loads(text).versions[0].digest for text in texts]
    assert len(set(digests)) == len(texts)
    named = HEAD + STEPS.replace('"gold",', '"gold", name = { en = "gold medal" },')
    assert Rulebook.loads(named).versions[0].digest == digests[0]


@pytest.mark.parametrize(
    ("text", "path", "code"),
    [
        ('answer.medal = "credited_minutes"', ".answer.medal", "rulebook_fact_taken"),
        ('answer.today = "credited_minutes"', ".answer.today", "rulebook_fact_taken"),
        ('answer.a = "b + 1"\nanswer.b = "a + 1"', ".answer.a", "rulebook_circle"),
        ('answer.a = "a + 1"', ".answer.a", "rulebook_circle"),
        ('lookup = [{ by = "service_days", row = [{}] }]', ".lookup[0].row", "rulebook_empty"),
        ('answer.a = "medl + 1"', ".answer.a", "rule_unknown_fact_near"),
        ("answer.a = 5", ".answer.a", "rulebook_type"),
        ('answer.a = { x = "credited_minutes" }', ".answer.a.x", "rulebook_rule_type"),
        ('scheme.x = { take = "all" }', ".scheme.x", "rulebook_missing_key"),
        ('scheme.x = { step = [{ award = 1, when = "credited_minutes" }] }', ".scheme.x.step[0].when", "rulebook_rule_type"),
        ('repeat = "yearli"', ".repeat", "rulebook_choice_near"),
        ("suspended_from = 2019-01-01", ".suspended_from", "rulebook_suspended"),
        ('credit = { citation = "x" }', ".credit.citation", "rulebook_unknown_key"),
        ('credit = { selekt = "quantity > 1" }', ".credit.selekt", "rulebook_unknown_key_near"),
        ('lookup = [{ by = "age", row = [{ a = 1 }] }]', ".lookup[0].by", "rulebook_choice"),
        ('lookup = [{ by = "service_days", row = [{ from = 2, a = 1 }, { from = 2, a = 2 }] }]', ".lookup[0].row[1].from", "rulebook_rows"),
        ('lookup = [{ by = "service_days", row = [{ from = 2, a = 1 }, { from = 3 }] }]', ".lookup[0].row[1]", "rulebook_missing_key"),
        ('lookup = [{ by = "service_days", row = [{ from = 2, is = 2, a = 1 }] }]', ".lookup[0].row[0].from", "rulebook_either"),
        ('answer.word = "\'a\'"\nlookup = [{ by = "word", row = [{ from = 2, a = 1 }] }]', ".lookup[0].row[0].from", "rulebook_row_is"),
        ('answer.c = "d + 1"\nanswer.a = "b + 1"\nanswer.d = "a + 1"\nanswer.b = "a + 1"', ".answer.a", "rulebook_circle"),
        ('lookup = [{ by = "service_days", row = [{ is = "x", a = 1 }] }]', ".lookup[0].row[0].is", "rulebook_default"),
        ('lookup = [{ by = "service_days", row = [{ from = 2, a = true }] }]', ".lookup[0].row[0].a", "rulebook_default"),
    ],
)  # fmt: skip
def test_what_is_written_wrongly_is_told_with_its_place(text: str, path: str, code: str) -> None:
    with pytest.raises(RulebookError) as caught:
        Rulebook.loads(HEAD + text + STEPS)
    assert [(place, problem.code) for place, problem in caught.value.problems] == [
        (f"$.version[0]{path}", code)
    ]


@pytest.mark.parametrize(
    ("old", "new", "path", "code"),
    [
        ('"gold",', '"bronze",', ".step[0].grade", "rulebook_grade_twice"),
        ('"gold",', '"gold", after = "sliver",', ".step[2].after", "rulebook_choice_near"),
        ('"gold",', '"gold", after = "gold",', ".step[2].after", "rulebook_circle"),
        ('"gold",', '"gold", wait_months = 2,', ".step[2].wait_months", "rulebook_needs"),
        ('"gold",', '"gold", valid_months = 1201,', ".step[2].valid_months", "rulebook_range"),
        ('"gold",', '"gold", certifyer = "x",', ".step[2].certifyer", "rulebook_unknown_key_near"),
    ],
)
def test_a_step_that_is_written_wrongly(old: str, new: str, path: str, code: str) -> None:
    with pytest.raises(RulebookError) as caught:
        Rulebook.loads(HEAD + STEPS.replace(old, new))
    assert (f"$.version[0]{path}", code) in [
        (place, problem.code) for place, problem in caught.value.problems
    ]


def test_grades_that_wait_for_one_another_are_refused_once_and_a_chain_is_not() -> None:
    waiting = STEPS.replace('"silver", when', '"silver", after = "bronze", when')
    waiting = waiting.replace('"gold", when', '"gold", after = "silver", when')
    Rulebook.loads(HEAD + waiting)
    with pytest.raises(RulebookError) as caught:
        Rulebook.loads(HEAD + waiting.replace('grade = "bronze"', 'grade = "bronze", after = "gold"'))
    ((place, problem),) = caught.value.problems
    assert (place, problem.code) == ("$.version[0].step[0].after", "rulebook_circle")
    assert problem.values["names"] == "bronze, gold, silver"


def test_a_circle_names_only_those_that_are_in_it() -> None:
    with pytest.raises(RulebookError) as caught:
        Rulebook.loads(
            HEAD
            + 'answer.c = "a + 1"\nanswer.a = "b + 1"\nanswer.b = "a + 1"'
            + STEPS.replace("credited_minutes", "c")
        )
    assert caught.value.problems[0][1].values["names"] == "a, b"


@pytest.mark.parametrize(
    ("decides", "code"),
    [
        ("today", "rulebook_fact_taken"),
        ("city.credited_minutes", "rulebook_fact_taken"),
        ("city.donor", "rulebook_fact_taken"),
        ("city.round", "rulebook_fact_taken"),
        ("city.", "rulebook_fact_name"),
    ],
)
def test_a_question_is_not_called_like_a_fact(decides: str, code: str) -> None:
    declared = '[fact.donor]\ntype = "int"\nzh-CN = "献血"\nen = "donor"\n[parameter]\nround = 3\n'
    text = HEAD.replace('"city.medal"\n[[', f'"{decides}"\n{declared}[[') + STEPS
    with pytest.raises(RulebookError) as caught:
        Rulebook.loads(text)
    assert [(place, problem.code) for place, problem in caught.value.problems] == [("$.decides", code)]
