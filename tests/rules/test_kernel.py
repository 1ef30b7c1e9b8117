"""The city's kernel on columns gives every volunteer what the scalar path gives one."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volunteerkit.errors import InvalidValue
from volunteerkit.rules import (
    FACTS,
    Fact,
    Record,
    Rulebook,
    RuleFunction,
    Version,
    assess,
    builtin_rulebooks,
    credit,
    kernel,
)
from volunteerkit.rules.kernel import credit_columns, grade_columns
from volunteerkit.rules.walk import walk

WORDS = ("助老", "献血", "培训")
DECLARED = {
    **FACTS,
    "state": Fact("state", "int", "状态", "state"),
    "bonus": Fact("bonus", "int", "加成", "bonus", default=3),
}
FUNCTIONS = {"x.long": RuleFunction("x.long", one=lambda minutes: minutes > 100)}
MEASURES = ("claimed_minutes", "service_days", "service_records")

bodies = st.tuples(
    st.sampled_from(["", "select = \"category != '培训'\"", 'select = "state == 0 and served_on >= registered_on"',
                     "select = \"not x.long(claimed_minutes) or category in ('助老', '没有')\""]),
    st.sampled_from(["", "once = true"]),
    st.sampled_from(["", 'coefficient = { by = "category", percent = { "献血" = 200, "助老" = 0 }, otherwise = 33 }',
                     'coefficient = { by = "category", percent = { "没有" = 7, "培训" = 1000 } }']),
    st.sampled_from(["", 'limit = [{ per = "day", at_most = "choose(served_on < adult_on, 240, 480)" }]',
                     'day_percent = "choose(served_on >= senior_on, 120, 100)"',
                     'day_percent = "100 + bonus * 10"\nlimit = [{ per = "day", at_most = "least(480, bonus * 60 - 100)" }]',
                     'day_percent = "0"\nlimit = [{ per = "day", at_most = "480" }]',
                     'limit = [{ per = "month", at_most = "480", by = ["category"] }, { per = "day", at_most = "240" }]',
                     'limit = [{ per = "year", at_most = "3", count = "records", when = "claimed_minutes >= 60" }]',
                     'limit = [{ per = "day", at_most = "241", beyond = "refuse", when = "state == 1" }]']),
    st.sampled_from(["", 'transform = [{ minutes = "floor_to(minutes, 60)" }, { when = "minutes >= 480", minutes = "480" }]',
                     'window = [{ from = "23:00", to = "10:01", percent = 200, when = "weekday(served_on) <= 5" }]',
                     'route = [{ when = "day_minutes > 480", to = "centre" }]', 'day_begins = "10:01"']),
)  # fmt: skip


def version(body: str) -> Version:
    head = 'id = "c"\ndecides = "credit"\n[[version]]\neffective_from = 2020-01-01\ncitation = "c"\n'
    return Rulebook.loads(head + body, facts=DECLARED, functions=FUNCTIONS).versions[0]


# few days, few starts: equal starts, overlaps, midnight crossings and long camps are the rule
rows = st.tuples(
    st.integers(0, 5),
    st.integers(20_000, 20_003),
    st.sampled_from([-1, 0, 600, 601, 1380, 1439]),
    st.sampled_from([0, 1, 60, 120, 1500, 5000]),
    st.sampled_from([0, 1, 59, 60, 61, 120, 240, 241, 479, 480, 1440, 5000]),
    st.sampled_from([-1, 0, 1, 2]),
    st.sampled_from([0, 1]),
)
NAMES = ("volunteer", "served_on", "start_minute", "clock_minutes", "claimed_minutes", "category", "state")
people = st.fixed_dictionaries(
    {"adult_on": st.integers(19_999, 20_004), "senior_on": st.integers(19_999, 20_004), "registered_on": st.integers(19_999, 20_004)},
    optional={"bonus": st.sampled_from([-20, 0, 2, 9, 95])},
)  # fmt: skip


def columns(given_rows: list[tuple[int, ...]], kinds: tuple[Any, ...]) -> dict[str, Any]:
    listed = list(zip(*given_rows, strict=True)) or [()] * len(NAMES)
    return {name: np.array(column, kind) for name, column, kind in zip(NAMES, listed, kinds, strict=True)}


def one_by_one(
    rule: Version, given_rows: list[tuple[int, ...]], persons: list[dict[str, int]], as_of: int | None
) -> Any:
    found = []
    for i, person in enumerate(persons):
        own = [
            Record(
                n,
                row[1],
                row[2],
                row[3],
                row[4],
                "别的" if row[5] < 0 else WORDS[row[5]],
                facts={"state": row[6]},
            )
            for n, row in enumerate(given_rows)
            if row[0] == i and (as_of is None or row[1] <= as_of)
        ]
        one = credit(rule, own, person)
        found.append(
            (one.scaled, one.credited_minutes, one.claimed_minutes, one.service_days, one.service_records)
        )
    return found


@settings(max_examples=300, deadline=None)
@given(
    bodies.map("\n".join),
    st.lists(rows, max_size=14),
    st.lists(people, min_size=6, max_size=6),
    st.sampled_from([None, 20_001]),
    st.sampled_from([(np.int64,) * 7, (np.int32, np.int16, np.int16, np.int16, np.int16, np.int8, np.int8)]),
    st.sampled_from([1, 2]),
)
def test_kernel_and_scalar_path_agree(
    body: str,
    given_rows: list[tuple[int, ...]],
    persons: list[dict[str, int]],
    as_of: int | None,
    kinds: Any,
    threads: int,
) -> None:
    rule = version(body)
    with_bonus = [{"bonus": 3, **person} for person in persons]
    expected = one_by_one(rule, given_rows, persons, as_of)
    facts = {name: np.array([person[name] for person in with_bonus], np.int32) for name in with_bonus[0]}
    ordered = sorted(given_rows, key=lambda row: row[:3])
    for records, is_clustered in ((columns(given_rows, kinds), False), (columns(ordered, kinds), True)):
        totals = credit_columns(rule, records, facts, len(persons), clustered=is_clustered, as_of=as_of, measures=MEASURES,
                                vocabulary={"category": WORDS}, threads=threads)  # fmt: skip
        listed = [totals.scaled, totals.credited_minutes, *(totals.measures[name] for name in MEASURES)]
        assert list(zip(*(column.tolist() for column in listed), strict=True)) == expected


@given(bodies.map("\n".join), st.lists(rows, max_size=10), people, st.randoms(use_true_random=False))
def test_totals_and_reasons_agree_and_the_order_given_matters_to_nothing_else(
    body: str, given_rows: list[tuple[int, ...]], person: dict[str, int], random: Any
) -> None:
    rule, facts = version(body), {**defaults(), **person}
    # of those that begin together the first given counts; here no two do
    starts = [n * 140 + row[2] % 140 if row[2] >= 0 else -1 for n, row in enumerate(given_rows)]
    begins = {(row[1], start): row for start, row in zip(starts, given_rows, strict=True)}
    records = [
        Record(n, day, start, row[3], row[4], WORDS[row[5]], facts={"state": row[6]})
        for n, ((day, start), row) in enumerate(begins.items())
    ]
    found = credit(rule, records, person)
    done = walk(rule, records, facts)
    assert (found.scaled, found.service_days) == (
        done.scaled,
        len({each.day for each in done.steps if each.value}),
    )
    assert sum(each.selected for each in done.steps) == found.service_records
    for line in found.lines:
        assert line.reasons or line.claimed_minutes == line.credited_minutes
    mixed = list(records)
    random.shuffle(mixed)
    again = credit(rule, mixed, person)
    assert (again.scaled, again.pending, again.lines) == (found.scaled, found.pending, found.lines)


@st.composite
def near_their_literals(draw: st.DrawFn) -> tuple[str, list[tuple[int, ...]], list[dict[str, int]]]:
    """A random version, with records and people one below, on and one above every number in it."""
    numbers = st.integers(1, 600)
    least, most, monthly, full, long = (draw(numbers) for _ in range(5))
    step, edge, day = (
        draw(st.sampled_from([2, 7, 30])),
        draw(st.integers(1, 1438)),
        draw(st.integers(20_000, 20_040)),
    )
    date = (np.datetime64(0, "D") + day).item()
    literal = f"date({date.year}, {date.month}, {date.day})"
    parts = {
        "select": f'select = "claimed_minutes >= {least} or served_on < {literal}"',
        "once": "once = true",
        "coefficient": 'coefficient = { by = "category", percent = { "献血" = 150 } }',
        "percent": f'day_percent = "choose(served_on > {literal}, 110, 100)"',
        "day": f'[[version.limit]]\nper = "day"\nat_most = "choose(served_on < adult_on, {most} - 1, {most})"',
        "month": f'[[version.limit]]\nper = "month"\nat_most = "{monthly}"\nby = ["category"]',
        "transform": f'[[version.transform]]\nwhen = "minutes > {full}"\nminutes = "floor_to(minutes, {step})"',
        "window": f'[[version.window]]\nfrom = "{edge // 60:02}:{edge % 60:02}"\nto = "24:00"\npercent = 200',
        "route": f'[[version.route]]\nwhen = "day_minutes >= {long}"\nto = "centre"',
    }
    chosen = draw(
        st.lists(st.sampled_from(list(parts)), unique=True).map(
            lambda names: [n for n in parts if n in names]
        )
    )
    near = st.sampled_from(
        [k + d for k in (least, most, monthly, full, long, step, edge) for d in (-1, 0, 1)]
    )
    around = st.integers(day - 1, day + 1)
    row = st.tuples(st.integers(0, 2), around, st.one_of(st.just(-1), st.sampled_from([edge - 1, edge, edge + 1, 0])), near,
                    near, st.sampled_from([-1, 0, 1, 2]), st.just(0))  # fmt: skip
    people = [{"adult_on": draw(around), "senior_on": day, "registered_on": day} for _ in range(3)]
    return "\n".join(parts[name] for name in chosen), draw(st.lists(row, max_size=10)), people


@settings(max_examples=300, deadline=None)
@given(near_their_literals())
def test_random_versions_agree_around_each_of_their_numbers(
    made: tuple[str, list[tuple[int, ...]], list[dict[str, int]]],
) -> None:
    body, given_rows, persons = made
    rule = version(body)
    expected = one_by_one(rule, given_rows, persons, None)
    facts = {name: np.array([person[name] for person in persons], np.int32) for name in persons[0]}
    for is_clustered in (False, True):
        ordered = sorted(given_rows, key=lambda row: row[:3]) if is_clustered else given_rows
        records = columns(ordered, (np.int64,) * 7)
        totals = credit_columns(rule, records, facts, 3, clustered=is_clustered, measures=MEASURES,
                                vocabulary={"category": WORDS})  # fmt: skip
        listed = [totals.scaled, totals.credited_minutes, *(totals.measures[name] for name in MEASURES)]
        assert list(zip(*(column.tolist() for column in listed), strict=True)) == expected
    for i, person in enumerate(persons):
        own = [
            Record(n, *row[1:5], "别的" if row[5] < 0 else WORDS[row[5]])
            for n, row in enumerate(given_rows)
            if row[0] == i
        ]
        assert walk(rule, own, {**defaults(), **person}).scaled == expected[i][0]


def defaults() -> dict[str, Any]:
    return {name: fact.default for name, fact in DECLARED.items() if fact.default is not None}


def test_persons_without_a_column_have_the_declared_default() -> None:
    rule = version(
        'day_percent = "100 + bonus"\nlimit = [{ per = "day", at_most = "choose(served_on < adult_on, 240, 480)" }]'
    )
    records = columns([(0, 20_000, -1, 0, 600, 0, 0)], (np.int32,) * 7)
    for clustered in (True, False):
        totals = credit_columns(rule, records, {}, 2, clustered=clustered)
        assert (totals.scaled.tolist(), totals.scale) == ([480 * 103, 0], 100)


def test_many_volunteers_in_many_blocks_chunks_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_CHUNK", 7_000)
    rng = np.random.default_rng(7)
    count, volunteers = 60_000, 40_000
    records = {
        "volunteer": rng.integers(0, volunteers, count, dtype=np.int32),
        "served_on": rng.integers(0, 40, count, dtype=np.int16),
        "claimed_minutes": rng.integers(0, 600, count, dtype=np.int16),
    }
    rule = version('limit = [{ per = "day", at_most = "480" }]')
    order = np.lexsort((records["served_on"], records["volunteer"]))
    ordered = {name: column[order] for name, column in records.items()}
    keys, place = np.unique(records["volunteer"] * 64 + records["served_on"], return_inverse=True)
    by_day = np.minimum(np.bincount(place, records["claimed_minutes"]).astype(np.int64), 480)
    expected = np.bincount(keys // 64, by_day, volunteers).astype(np.int64)
    for threads in (1, 2):
        assert (
            credit_columns(rule, ordered, {}, volunteers, clustered=True, threads=threads).scaled == expected
        ).all()
        assert (
            credit_columns(rule, records, {}, volunteers, clustered=False, threads=threads).scaled == expected
        ).all()


@pytest.mark.parametrize("clustered", [True, False])
@pytest.mark.parametrize(
    ("claimed", "kind"),
    [
        ([2**31 - 1] * 3, np.int32),
        ([2**31 - 1, 2**31 - 1, 1], np.int64),
        ([32_767] * 3, np.int16),
        ([255] * 3, np.uint8),
    ],
)
def test_extreme_minutes_do_not_wrap(claimed: list[int], kind: Any, clustered: bool) -> None:
    rule = version('coefficient = { by = "category", percent = { "助老" = 1000 } }\nday_percent = "1000"')
    records = columns([(0, 20_000, -1, 0, 0, 0, 0)] * 3, (np.int32,) * 7) | {
        "claimed_minutes": np.array(claimed, kind)
    }
    totals = credit_columns(
        rule, records, {}, 1, clustered=clustered, measures=MEASURES, vocabulary={"category": WORDS}
    )
    assert totals.scaled.tolist() == [sum(claimed) * 1_000_000]
    assert totals.measures["claimed_minutes"].tolist() == [sum(claimed)]


@pytest.mark.parametrize("clustered", [True, False])
def test_sums_of_a_day_leave_32_bits(clustered: bool) -> None:
    records = columns([(0, 20_000, -1, 0, 2**31 - 1, 0, 0)] * 3, (np.int64,) * 7)
    assert credit_columns(version(""), records, {}, 1, clustered=clustered).scaled.tolist() == [
        3 * (2**31 - 1)
    ]


@pytest.mark.parametrize("clustered", [True, False])
def test_a_long_camp_takes_nothing_from_the_next_volunteer(clustered: bool) -> None:
    records = columns([(i, 20_000, 600, 5_000, 5_000, 0, 0) for i in range(3)], (np.int32,) * 7)
    totals = credit_columns(version("once = true"), records, {}, 3, clustered=clustered)
    assert totals.scaled.tolist() == [5_000] * 3


@pytest.mark.parametrize("clustered", [True, False])
def test_long_days_and_days_far_apart(clustered: bool) -> None:
    days = np.array([-32_768, 32_767, 32_767], np.int16)
    records = {
        "volunteer": np.array([0, 0, 1], np.uint8),
        "served_on": days,
        "claimed_minutes": np.array([1, 2, 4]),
    }
    totals = credit_columns(
        version('limit = [{ per = "day", at_most = "3" }]'), records, {}, 2, clustered=clustered
    )
    assert totals.scaled.tolist() == [3, 3]


@pytest.mark.parametrize("clustered", [True, False])
def test_numbers_too_wide_for_one_key_are_sorted_the_long_way(clustered: bool) -> None:
    rule = version('select = "state == 0"\nday_percent = "choose(served_on > date(1970, 1, 10), 200, 100)"')
    days, minutes = [0, 2**30, 2**30, 5], [2**31 - 1, 2**31 - 2, 5, 7]
    rows_in_order = [(0, days[0]), (0, days[1]), (0, days[2]), (1, days[3])]
    records = {
        "volunteer": np.array([who for who, _ in rows_in_order]),
        "served_on": np.array([day for _, day in rows_in_order]),
        "claimed_minutes": np.array(minutes),
        "state": np.array([0, 0, 1, 0]),
    }
    if not clustered:
        records = {name: column[::-1] for name, column in records.items()}
    totals = credit_columns(rule, records, {}, 2, clustered=clustered, measures=("service_records",))
    assert totals.scaled.tolist() == [(2**31 - 1) * 100 + (2**31 - 2) * 200, 700]
    assert totals.measures["service_records"].tolist() == [2, 1]


def test_claimed_minutes_beyond_exact_fractions() -> None:
    records = columns([(0, 20_000, -1, 0, 0, 0, 0)] * 2, (np.int64,) * 7) | {
        "claimed_minutes": np.array([2**53, 1])
    }
    totals = credit_columns(version(""), records, {}, 1, clustered=True, measures=("claimed_minutes",))
    assert totals.measures["claimed_minutes"].tolist() == [2**53 + 1]


def test_totals_that_could_leave_64_bits_are_refused() -> None:
    records = columns([(0, 20_000, -1, 0, 0, 0, 0)] * 2, (np.int64,) * 7) | {
        "claimed_minutes": np.array([2**62, 2**62])
    }
    with pytest.raises(InvalidValue) as caught:
        credit_columns(version(""), records, {}, 1, clustered=True)
    assert caught.value.code == "columns_too_large"


GOOD = [(0, 20_000, 60, 60, 60, 0, 0), (1, 20_000, 60, 60, 60, 0, 0), (1, 20_001, 60, 60, 60, 0, 0)]


@pytest.mark.parametrize(
    ("change", "body", "code"),
    [
        ({"volunteer": [1, 0, 1]}, "", "columns_unsorted"),
        ({"served_on": [20_000, 20_002, 20_001]}, "", "columns_unsorted"),
        (
            {"served_on": [20_000, 20_000, 20_000], "start_minute": [60, 61, 60]},
            "once = true",
            "columns_unsorted",
        ),
        ({"claimed_minutes": [1, -1, 1]}, "", "columns_negative"),
        ({"volunteer": [0, 1, 2]}, "", "columns_volunteer"),
        ({"volunteer": [-1, 0, 1]}, "", "columns_volunteer"),
        ({"served_on": None}, "", "columns_missing"),
        ({"state": None}, 'select = "state == 0"', "columns_missing"),
        ({"served_on": None}, 'day_begins = "05:00"', "columns_missing"),
        ({"volunteer": [-1, 0, 1]}, 'day_begins = "05:00"', "columns_volunteer"),
        ({"volunteer": [0, 1, 2]}, 'day_begins = "05:00"', "columns_volunteer"),
        ({"claimed_minutes": [1, -1, 1]}, 'day_begins = "05:00"', "columns_negative"),
        ({"state": None}, 'select = "state == 0"\nday_begins = "05:00"', "fact_missing"),
    ],
)
def test_columns_that_cannot_be_right_are_refused(change: dict[str, Any], body: str, code: str) -> None:
    records = {
        **columns(GOOD, (np.int64,) * 7),
        **{name: np.array(value) for name, value in change.items() if value},
    }
    for name in [name for name, value in change.items() if value is None]:
        del records[name]
    with pytest.raises(InvalidValue) as caught:
        credit_columns(version(body), records, {}, 2, clustered=True)
    assert caught.value.code == code


def test_no_records_at_all() -> None:
    for clustered in (True, False):
        for body in ("", "once = true"):
            totals = credit_columns(
                version(body), columns([], (np.int64,) * 7), {}, 3, clustered=clustered, measures=MEASURES
            )
            assert totals.credited_minutes.tolist() == [0, 0, 0]
            assert totals.measures["service_records"].tolist() == [0, 0, 0]


LADDER = """
id = "x.star"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "c"
step = [
  { award = 1, when = "credited_minutes >= 100 * 60" },
  { award = 2, when = "credited_minutes > 300 * 60 and (service_days >= 24 or x.long(service_records))" },
  { award = 5, when = "credited_minutes - bonus * 60 >= 600 * 60 and not state == 2 and registered_days != 365" },
]
"""


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "credited_minutes": st.sampled_from(
                    [0, *(k * 60 + d for k in (100, 300, 600, 603) for d in (-1, 0, 1))]
                ),
                "service_days": st.sampled_from([23, 24, 25]),
                "service_records": st.sampled_from([99, 100, 101]),
                "registered_days": st.sampled_from([364, 365, 366]),
                "state": st.sampled_from([1, 2, 3]),
            }
        ),
        min_size=1,
    )
)
def test_grades_by_column_and_one_by_one(volunteers: list[dict[str, int]]) -> None:
    book = Rulebook.loads(LADDER, facts=DECLARED, functions=FUNCTIONS)
    facts = {name: np.array([each[name] for each in volunteers], np.int32) for name in volunteers[0]}
    expected = [assess(book, each, book.versions[0].effective_from).grade for each in volunteers]
    assert grade_columns(book.versions[0], facts).tolist() == expected


def test_a_ladder_names_the_column_it_needs() -> None:
    book = Rulebook.loads(LADDER, facts=DECLARED, functions=FUNCTIONS)
    with pytest.raises(InvalidValue) as caught:
        grade_columns(book.versions[0], {"credited_minutes": np.array([1])})
    assert caught.value.values == {"name": "registered_days"}


def test_service_before_1970_counts_once_too() -> None:
    records = [Record(1, -1, 540, 60, 60), Record(2, -1, 570, 60, 60), Record(3, -25_000, 0, 30, 30)]
    columns = {
        name: np.array([getattr(each, name) for each in records], np.int64)
        for name in ("served_on", "start_minute", "clock_minutes", "claimed_minutes")
    } | {"volunteer": np.zeros(3, np.int64)}
    union = builtin_rulebooks()[1].versions[0]
    assert credit(union, records).credited_minutes == 120
    assert credit_columns(union, columns, {}, 1, clustered=False).scaled.tolist() == [120]


def test_a_word_of_a_person_is_a_code_on_columns() -> None:
    rule = """
id = "渝水.hours"
decides = "credit"
[fact.publisher]
type = "word"
zh-CN = "发布者"
en = "publisher"
[[version]]
effective_from = 1970-01-01
citation = "办法"
select = "publisher == '学校'"
"""
    by_records = rule + 'limit = [{ per = "month", at_most = "600" }]'
    columns = {name: np.array([1, 0], np.int64) for name in ("volunteer", "served_on", "start_minute")}
    columns |= {name: np.array([60, 90], np.int64) for name in ("clock_minutes", "claimed_minutes")}
    persons = {"publisher": np.array([1, -1])}
    vocabulary = {"publisher": ("团队", "学校")}
    for text in (rule, by_records):
        found = credit_columns(
            Rulebook.loads(text).versions[0], columns, persons, 2, clustered=False, vocabulary=vocabulary
        )
        assert found.scaled.tolist() == [90, 0]
