"""Crediting for one person: what counts, what does not and why."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volunteerkit.errors import InvalidValue
from volunteerkit.rules import FACTS, Credited, Fact, Record, Rulebook, Version, builtin_rulebooks, credit
from volunteerkit.units import day_number

PLAIN, UNION = (book.version_on(dt.date(2026, 1, 1)) for book in builtin_rulebooks())
DAY = day_number(dt.date(2026, 11, 8))
HEAD = """
id = "city.credit"
decides = "credit"
[[version]]
effective_from = 2020-01-01
citation = "市文明办办法第七条"
"""


def version(body: str, **facts: Fact) -> Version:
    return Rulebook.loads(HEAD + body, facts={**FACTS, **facts}).versions[0]


def codes(credited: Credited) -> list[tuple[int, int, list[str]]]:
    return [
        (line.record_id, line.credited_minutes, [why.code for why in line.reasons]) for line in credited.lines
    ]


def test_plain_counts_claimed_minutes() -> None:
    found = credit(PLAIN, [Record(7, DAY, 480, 100, 120), Record(8, DAY, 500, 100, 90)])
    assert (found.claimed_minutes, found.credited_minutes, found.service_days, found.service_records) == (
        210,
        210,
        1,
        2,
    )
    assert codes(found) == [(7, 120, []), (8, 90, [])]


def test_nobody_without_records_has_credit() -> None:
    found = credit(UNION, [])
    assert (found.claimed_minutes, found.credited_minutes, found.service_days, found.lines) == (0, 0, 0, ())


def test_an_overlap_counts_once_and_names_the_other_record() -> None:
    found = credit(UNION, [Record(2, DAY, 540, 120, 120), Record(1, DAY, 480, 120, 120)])
    assert (found.claimed_minutes, found.credited_minutes) == (240, 180)
    assert codes(found) == [(1, 120, []), (2, 60, ["minutes_counted_before"])]
    reason = found.lines[1].reasons[0]
    assert reason.message("zh-CN") == "其中 60 分钟与记录 1 重叠，已在那里计入。"
    assert reason.message("en") == "60 minutes overlap record 1 and were counted there."


def test_a_record_inside_another_counts_nothing_and_its_day_stays() -> None:
    found = credit(UNION, [Record(1, DAY, 480, 240, 240), Record(2, DAY, 500, 60, 60)])
    assert (found.credited_minutes, found.service_days, found.service_records) == (240, 1, 2)


def test_the_night_shift_meets_the_next_morning() -> None:
    night = Record(1, DAY, 23 * 60, 180, 180)
    morning = Record(2, DAY + 1, 60, 120, 120)
    found = credit(UNION, [morning, night])
    assert (found.credited_minutes, found.service_days) == (240, 2)
    assert codes(found) == [(1, 180, []), (2, 60, ["minutes_counted_before"])]


def test_touching_records_both_count() -> None:
    found = credit(UNION, [Record(1, DAY, 480, 60, 60), Record(2, DAY, 540, 60, 60)])
    assert codes(found) == [(1, 60, []), (2, 60, [])]


def test_more_than_the_clock_shows_does_not_count() -> None:
    found = credit(UNION, [Record(1, DAY, 480, 100, 130)])
    assert codes(found) == [(1, 100, ["clock_shorter"])]
    assert found.lines[0].reasons[0].values == {"clock": 100, "minutes": 30}


def test_without_a_clock_everything_claimed_counts() -> None:
    found = credit(
        UNION, [Record(1, DAY, -1, 0, 90), Record(2, DAY, 480, 60, 60), Record(3, DAY, 480, 0, 45)]
    )
    assert found.credited_minutes == 195
    assert codes(found) == [(1, 90, []), (2, 60, []), (3, 45, [])]


def test_of_two_that_begin_together_the_first_given_counts() -> None:
    one, other = Record(1, DAY, 480, 60, 60), Record(2, DAY, 480, 90, 90)
    assert codes(credit(UNION, [other, one])) == [(2, 90, []), (1, 0, ["minutes_counted_before"])]
    assert codes(credit(UNION, [one, other])) == [(1, 60, []), (2, 30, ["minutes_counted_before"])]


def test_coefficients_go_by_category_and_are_exact() -> None:
    rule = version(
        'coefficient = { by = "category", percent = { "无偿献血宣传" = 200, "会务" = 33 }, otherwise = 50 }'
    )
    found = credit(
        rule,
        [
            Record(1, DAY, -1, 0, 60, "无偿献血宣传"),
            Record(2, DAY, -1, 0, 10, "会务"),
            Record(3, DAY, -1, 0, 11, "𠮷"),
        ],
    )
    assert (found.scaled, found.scale, found.credited_minutes) == (12000 + 330 + 550, 100, 128)
    assert codes(found) == [(1, 120, ["coefficient"]), (2, 3, ["coefficient"]), (3, 5, ["coefficient"])]


def test_a_days_limit_is_lower_before_the_eighteenth_birthday_and_cuts_the_last_records() -> None:
    rule = version('limit = [{ per = "day", at_most = "choose(served_on < adult_on, 240, 480)" }]')
    records = [Record(2, DAY, 600, 300, 300), Record(1, DAY, 480, 60, 60), Record(3, DAY, 901, 60, 60)]
    assert credit(rule, records).credited_minutes == 420
    assert credit(rule, records, {"adult_on": DAY}).credited_minutes == 420
    young = credit(rule, records, {"adult_on": DAY + 1})
    assert codes(young) == [(1, 60, []), (2, 180, ["day_limit"]), (3, 0, ["day_limit"])]
    assert (
        young.lines[1].reasons[0].message("zh-CN") == "2026-11-08 当日最多计 240 分钟，超出的 120 分钟不计。"
    )


def test_a_day_filled_to_its_limit_loses_nothing() -> None:
    rule = version('limit = [{ per = "day", at_most = "480" }]')
    found = credit(rule, [Record(1, DAY, -1, 0, 480), Record(2, DAY + 1, -1, 0, 481)])
    assert codes(found) == [(1, 480, []), (2, 480, ["day_limit"])]
    assert found.lines[1].reasons[0].values["minutes"] == 1


def test_a_part_of_a_minute_over_the_limit_is_told_as_a_minute() -> None:
    third = 'coefficient = { by = "category", percent = { "会务" = 33 } }'
    rule = version(third + '\nlimit = [{ per = "day", at_most = "3" }]')
    found = credit(rule, [Record(1, DAY, -1, 0, 10, "会务")])
    assert codes(found) == [(1, 3, ["coefficient", "day_limit"])]
    assert found.lines[0].reasons[1].values["minutes"] == 1


def test_from_sixty_on_days_count_more_and_are_rounded_down_once() -> None:
    rule = version('day_percent = "choose(served_on >= senior_on, 120, 100)"')
    records = [Record(i, DAY + i, -1, 0, 7) for i in range(3)]
    found = credit(rule, records, {"senior_on": DAY + 1})
    assert (found.scaled, found.scale, found.credited_minutes) == (700 + 840 + 840, 100, 23)
    assert codes(found) == [(0, 7, []), (1, 8, ["day_percent"]), (2, 8, ["day_percent"])]


def test_a_limit_below_zero_is_zero_and_a_day_of_nothing_is_no_service_day() -> None:
    rule = version(
        'limit = [{ per = "day", at_most = "claimed_limit - 100" }]',
        claimed_limit=Fact("claimed_limit", "int", "限", "limit"),
    )
    found = credit(rule, [Record(1, DAY, -1, 0, 60)], {"claimed_limit": 50})
    assert (found.credited_minutes, found.service_days, found.service_records) == (0, 0, 1)


def test_a_days_percentage_is_held_between_nothing_and_a_thousand() -> None:
    bonus = Fact("bonus", "int", "加成", "bonus")
    rule = version('day_percent = "100 + bonus"', bonus=bonus)
    assert credit(rule, [Record(1, DAY, -1, 0, 60)], {"bonus": 5000}).credited_minutes == 600
    assert credit(rule, [Record(1, DAY, -1, 0, 60)], {"bonus": -5000}).credited_minutes == 0


def test_what_is_not_selected_stays_visible() -> None:
    state = Fact("state", "int", "状态", "state")
    rule = version("select = \"category != '培训' and state == 0\"", state=state)
    found = credit(
        rule,
        [
            Record(1, DAY, -1, 0, 60, "培训", facts={"state": 0}),
            Record(2, DAY, -1, 0, 50, "助老", facts={"state": 0}),
            Record(3, DAY, -1, 0, 40, "助老", facts={"state": 1}),
        ],
    )
    assert (found.claimed_minutes, found.credited_minutes, found.service_records) == (150, 50, 1)
    assert codes(found) == [(1, 0, ["not_selected"]), (2, 50, []), (3, 0, ["not_selected"])]


def test_an_absent_fact_without_default_is_named() -> None:
    rule = version('select = "state == 0"', state=Fact("state", "int", "状态", "state"))
    with pytest.raises(InvalidValue) as caught:
        credit(rule, [Record(1, DAY, -1, 0, 60)])
    assert (caught.value.code, caught.value.values) == ("fact_missing", {"name": "state"})


def test_every_step_in_its_order() -> None:
    rule = version(
        """
        select = "category != '培训'"
        once = true
        coefficient = { by = "category", percent = { "献血" = 200 } }
        day_percent = "choose(served_on >= senior_on, 120, 100)"
        limit = [{ per = "day", at_most = "480" }]
        """
    )
    found = credit(
        rule,
        [
            Record(1, DAY, 480, 120, 120, "献血"),
            Record(2, DAY, 540, 120, 120),
            Record(3, DAY, -1, 0, 500, "培训"),
            Record(4, DAY, 700, 300, 300),
        ],
        {"senior_on": DAY},
    )
    assert (found.scaled, found.scale) == (480 * 100 * 120, 10_000)
    assert codes(found) == [
        (3, 0, ["not_selected"]),
        (1, 288, ["coefficient", "day_percent"]),
        (2, 72, ["minutes_counted_before", "day_percent"]),
        (4, 216, ["day_limit", "day_percent"]),
    ]


# ---------------------------------------------------------------- laws

clocked = st.builds(
    lambda day, start, clock, more: Record(0, DAY + day, start, clock, clock + more),
    st.integers(0, 2),
    st.integers(0, 1439),
    st.integers(1, 2000),
    st.integers(0, 30),
)
anything = st.builds(
    lambda day, start, clock, claimed: Record(0, DAY + day, start, clock, claimed),
    st.integers(0, 2),
    st.one_of(st.just(-1), st.integers(0, 1439)),
    st.integers(0, 2000),
    st.integers(0, 2000),
)


def numbered(records: list[Record]) -> list[Record]:
    return [record._replace(record_id=i) for i, record in enumerate(records)]


@given(st.lists(clocked, max_size=6))
def test_once_is_the_number_of_different_minutes(records: list[Record]) -> None:
    minutes = {
        record.served_on * 1440 + record.start_minute + i
        for record in records
        for i in range(record.clock_minutes)
    }
    assert credit(UNION, numbered(records)).credited_minutes == len(minutes)


@given(st.lists(anything, max_size=6), anything, st.randoms())
def test_once_never_more_than_claimed_never_less_by_another_record(
    records: list[Record], more: Record, random: "st.random.Random"
) -> None:
    total = credit(UNION, numbered(records)).credited_minutes
    assert total <= sum(record.claimed_minutes for record in records)
    mixed = [*records, more]
    random.shuffle(mixed)
    assert credit(UNION, numbered(mixed)).credited_minutes >= total
    again = list(records)
    random.shuffle(again)
    assert credit(UNION, numbered(again)).credited_minutes == total


@given(st.lists(anything, max_size=8), st.sampled_from(["", "once = true\n"]))
def test_lines_tell_what_the_total_says(records: list[Record], once: str) -> None:
    found = credit(version(once + 'limit = [{ per = "day", at_most = "480" }]'), numbered(records))
    assert sum(line.credited_minutes for line in found.lines) == found.credited_minutes
    assert sorted(line.record_id for line in found.lines) == list(range(len(records)))
    for line in found.lines:
        told = sum(why.values["minutes"] for why in line.reasons)
        assert line.claimed_minutes - told == line.credited_minutes
