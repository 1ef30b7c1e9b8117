"""Cohorts: who of many gets a place, and who cannot be told apart."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volunteerkit.errors import InvalidValue, RulebookError
from volunteerkit.rules import Rulebook
from volunteerkit.rules.cohorts import Places, select
from volunteerkit.rules.deciding import decide

ON = dt.date(2026, 11, 25)
BOOK = """
id = "city.best"
decides = "city.best"
[fact.street]
type = "word"
default = ""
zh-CN = "街道"
en = "street"
[[version]]
effective_from = 2020-01-01
citation = "办法"
step = [
  { award = 1, grade = "good", when = "credited_minutes >= 100" },
  { award = 2, grade = "best", when = "credited_minutes >= 200" },
]
[version.cohort]
among = "best"
rank_by = ["credited_minutes", "service_days"]
"""


def places(cohort: str, **people: Any) -> list[Places]:
    book = Rulebook.loads(BOOK + cohort)
    facts = {
        name: dict(zip(("credited_minutes", "service_days", "street"), each, strict=False))
        for name, each in people.items()
    }
    return list(select({name: decide(book, ON, facts=each) for name, each in facts.items()}))


def test_the_highest_rank_first_and_ties_are_told() -> None:
    people = {"王": (150, 3), "李": (150, 5), "张": (120, 9), "赵": (120, 9), "周": (110, 1), "吴": (99, 9)}
    (found,) = places("places = 3", **people)
    assert found.chosen == ("李", "王")
    assert found.tied == ("张", "赵")
    assert found.left == ("周",)
    assert found.open_places == 1
    (found,) = places("places = 4", **people)
    assert (found.chosen, found.tied, found.left) == (("李", "王", "张", "赵"), (), ("周",))
    (found,) = places("places = 0", **people)
    assert (found.chosen, found.tied, len(found.left)) == ((), (), 5)


@pytest.mark.parametrize(
    ("cohort", "count", "expected"),
    [
        ("percent = 10", 19, 1),
        ("percent = 10", 20, 2),
        ("percent = 10", 9, 0),
        ("percent = 10\nat_least = 1", 9, 1),
        ("percent = 100", 5, 5),
        ("places = 50", 60, 50),
        ("places = 50", 8, 8),
    ],
)
def test_a_share_of_all_with_a_minimum(cohort: str, count: int, expected: int) -> None:
    (found,) = places(cohort, **{f"p{n}": (100 + n, 1) for n in range(count)})
    assert len(found.chosen) == expected


def test_groups_and_grades_have_places_of_their_own() -> None:
    people = {
        "a": (300, 1, "东"),
        "b": (250, 1, "东"),
        "c": (150, 1, "东"),
        "d": (140, 1, "东"),
        "e": (130, 1, "西"),
    }
    found = places('places = 3\nwithin = "street"\ngrades = { best = 1 }', **people)
    assert [(each.within, each.grade, each.chosen, each.left) for each in found] == [
        ("东", "best", ("a",), ("b",)), ("东", "good", ("c", "d"), ()), ("西", "good", ("e",), ()),
    ]  # fmt: skip
    shared = places("places = 3", **{name: each[:2] for name, each in people.items()})
    assert [each.chosen for each in shared] == [("a", "b"), ("c",)]  # the higher grade first


def test_single_groups_have_other_places() -> None:
    people = {"a": (150, 1, "东"), "b": (140, 1, "东"), "c": (150, 1, "西"), "d": (140, 1, "西")}
    found = places('places = 1\nwithin = "street"\ngroups = { "西" = 2 }', **people)
    assert [(each.within, each.chosen) for each in found] == [("东", ("a",)), ("西", ("c", "d"))]


def test_the_exempt_take_no_place() -> None:
    people = {"a": (150, 30), "b": (140, 1), "c": (130, 2)}
    (found,) = places('places = 1\nexempt = "service_days >= 30"', **people)
    assert (found.exempt, found.chosen, found.left) == (("a",), ("b",), ("c",))


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(InvalidValue) as caught:
        places("places = 1", a=(150,), b=(140,))
    assert caught.value.code == "fact_missing"
    plain = Rulebook.loads(BOOK.partition("[version.cohort]")[0])
    one = decide(plain, ON, facts={"credited_minutes": 1})
    with pytest.raises(InvalidValue) as caught:
        select({1: one})
    assert caught.value.code == "cohort_none"
    other = decide(Rulebook.loads(BOOK + "places = 1"), ON, facts={"credited_minutes": 1})
    with pytest.raises(InvalidValue) as caught:
        select({1: other, 2: one})
    assert caught.value.code == "cohort_versions"


@pytest.mark.parametrize(
    ("cohort", "path", "code"),
    [
        ("", "", "rulebook_cohort_places"),
        ("places = 1\npercent = 5", "", "rulebook_cohort_places"),
        ("percent = 101", ".percent", "rulebook_range"),
        ('places = 1\nwithin = "stret"', ".within", "rulebook_choice_near"),
        ('places = 1\nexempt = "service_days"', ".exempt", "rulebook_rule_type"),
        ("places = 1\ngrades = { best = true }", ".grades.best", "rulebook_type"),
        ("places = 1\ngroups = { a = 2 }", ".groups", "rulebook_needs"),
    ],
)
def test_what_is_written_wrongly_is_told_with_its_place(cohort: str, path: str, code: str) -> None:
    with pytest.raises(RulebookError) as caught:
        Rulebook.loads(BOOK + cohort)
    assert [(place, problem.code) for place, problem in caught.value.problems] == [
        (f"$.version[0].cohort{path}", code)
    ]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(90, 110), st.integers(0, 2)), max_size=12),
    st.integers(0, 6),
    st.randoms(use_true_random=False),
)
def test_laws(people: list[tuple[int, int]], count: int, random: Any) -> None:
    """Nobody is lost or doubled, no place is given twice, nobody with less goes before, no order of asking matters."""
    named = {f"p{n}": each for n, each in enumerate(people)}
    candidates = {name for name, each in named.items() if each[0] >= 100}
    found = places(f"places = {count}", **named)
    if not candidates:
        assert found == []
        return
    (one,) = found
    everybody = [*one.chosen, *one.tied, *one.left]
    assert sorted(everybody) == sorted(candidates)
    assert len(one.chosen) <= count
    assert len(one.chosen) + one.open_places == min(count, len(candidates))
    assert [named[name] for name in everybody] == sorted((named[name] for name in everybody), reverse=True)
    assert len({named[name] for name in one.tied}) <= 1
    shuffled = list(named.items())
    random.shuffle(shuffled)
    (again,) = places(f"places = {count}", **dict(shuffled))
    assert (set(again.chosen), set(again.tied)) == (set(one.chosen), set(one.tied))
