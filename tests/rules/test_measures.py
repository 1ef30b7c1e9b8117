"""Measures: what dated records add up to over a span, group by group, and as a balance that runs out."""

import datetime as dt
from collections import defaultdict
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volunteerkit.errors import RulebookError
from volunteerkit.rules import Record, Rulebook
from volunteerkit.rules.deciding import decide
from volunteerkit.units import day_number

ON = dt.date(2026, 11, 25)

BOOK = """
id = "city.measures"
decides = "check"
[fact.night]
type = "bool"
default = false
zh-CN = "夜间"
en = "at night"
[parameter]
cutoff = 2026-06-30
[[version]]
effective_from = 2020-01-01
citation = "办法"
answer.echo = "found"
[version.measure.anchor]
last = "served_on"
where = "kind == 'award' and scheme == 'star'"
otherwise = 2026-01-01
[version.measure.found]
"""


def day(text: str) -> int:
    return day_number(dt.date.fromisoformat(text))


def record(on: str, minutes: int = 60, **fields: Any) -> Record:
    beside = {name: fields.pop(name) for name in list(fields) if name not in Record._fields}
    return Record(0, day(on), -1, 0, minutes, **fields, facts=beside)


@cache
def book_of(measure: str) -> Rulebook:
    return Rulebook.loads(BOOK + measure)


def figure(measure: str, *records: Record, on: dt.date = ON, **facts: Any) -> Any:
    return decide(book_of(measure), on, records=records, facts=facts).answers["echo"]


YEARS = (
    record("2023-05-01", 100),
    record("2024-05-01", 90),
    record("2024-12-31", 20),
    record("2026-01-01", 130),
    record("2026-11-25", 7, category="助老"),
    record("2026-11-26", 1000),  # tomorrow is not yet
)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ('sum = "minutes"', 347),
        ('sum = "minutes"\nfrom = "year_start(today, 1)"', 137),
        ('sum = "minutes"\nafter = "date(2026, 1, 1)"', 7),
        ('sum = "minutes"\nto = "date(2024, 12, 31)"', 210),
        ('sum = "minutes"\nbefore = "date(2024, 12, 31)"', 190),
        ('sum = "minutes"\nto = "cutoff"', 340),
        ('sum = "minutes"\nfrom = "months_after(today, -24)"\nwhere = "category == \'助老\'"', 7),
        ('sum = "minutes"\nafter = "anchor"', 7),
        ('count = "records"', 5),
        ('count = "days"', 5),
        ('count = "category"', 2),
        ('most = "minutes"', 130),
        ('least = "claimed_minutes"', 7),
        ('first = "served_on"', dt.date(2023, 5, 1)),
        ('last = "served_on"\nwhere = "minutes > 50"', dt.date(2026, 1, 1)),
        ('last = "served_on"\nwhere = "night"', None),
        ('last = "served_on"\nwhere = "night"\notherwise = 1949-10-01', dt.date(1949, 10, 1)),
        ('most = "minutes"\nwhere = "night"\notherwise = -1', -1),
        ('sum = "minutes"\nwhere = "night"', 0),
        ('sum = "minutes"\nper = "year"\ntake = "most"', 137),
        ('sum = "minutes"\nper = "year"\ntake = "least"', 100),
        ('sum = "minutes"\nper = "year"\nhaving = "value >= 110"\ntake = "count"', 2),
        ('sum = "minutes"\nper = "year"\nhaving = "value >= 110"', 247),
        ('sum = "minutes"\nper = "year"\ncounts = "least(value, 105)"', 310),
        ('sum = "minutes"\nper = "year"\nbest = 2', 247),
        ('sum = "minutes"\nper = "year"\ntake = "run"', 2),
        ('sum = "minutes"\nper = "year"\ntake = "last_run"', 1),
        ('sum = "minutes"\nper = "year"\nyear_begins_month = 12\ntake = "count"', 4),
        ('sum = "minutes"\nper = "year_back"\ntake = "count"', 4),
        ('count = "records"\nper = "quarter"\ntake = "most"', 1),
        ('count = "records"\nper = "half_year"\ntake = "count"', 5),
        ('first = "served_on"\nper = "year"\ntake = "most"', dt.date(2026, 1, 1)),
        ('sum = "minutes"\nper = "category"\ntake = "count"', 2),
    ],
)
def test_a_figure(measure: str, expected: Any) -> None:
    assert figure(measure, *YEARS) == expected


def test_only_the_last_records_are_looked_at_whatever_their_order() -> None:
    morning = Record(3, day("2026-11-25"), 480, 60, 60)
    noon = Record(4, day("2026-11-25"), 720, 60, 30)
    stream = (noon, *YEARS, morning)
    assert figure('sum = "minutes"\nlatest = 2', *stream) == 30 + 60
    assert figure('sum = "minutes"\nlatest = 2\nper = "day"\ntake = "count"', *stream) == 1
    assert figure('sum = "minutes"\nlatest = 2\nwhere = "category == \'助老\'"', *stream) == 7
    assert figure('count = "records"\nlatest = 100', *stream) == 7


def test_where_no_record_is_left_a_rule_says_what_else() -> None:
    since = 'last = "served_on"\nwhere = "night"\notherwise = "registered_on"'
    registered = {"registered_on": day("2025-06-01")}
    assert figure(since, *YEARS, **registered) == dt.date(2025, 6, 1)
    assert figure(since, record("2026-02-03", night=True), **registered) == dt.date(2026, 2, 3)
    decision = decide(book_of(since.replace("registered_on", "birth_date")), ON, records=YEARS)
    assert (decision.answers, decision.missing) == ({"echo": None}, ("birth_date",))


def test_a_span_begins_at_an_anchor_that_was_measured_before() -> None:
    records = (
        record("2026-02-01"),
        record("2026-03-01", 0, kind="award", scheme="star", grade="1"),
        record("2026-03-01"),
    )
    assert figure('sum = "minutes"\nafter = "anchor"', *records) == 0
    assert figure('sum = "minutes"\nfrom = "anchor"', *records) == 60
    assert (
        figure('sum = "minutes"\nafter = "anchor"', *records[:1], *records[2:]) == 120
    )  # no award: since 2026


@pytest.mark.parametrize(
    ("measure", "records", "expected"),
    [
        # served in three years on end, a year out, then two
        ("year", ("2019-01-31", "2020-02-01", "2021-03-01", "2023-01-01", "2024-12-31"), (3, 0)),
        ("year", ("2019-01-31", "2021-03-01", "2025-01-01"), (1, 1)),  # the present year may still come
        ("year", ("2025-01-01", "2026-11-25"), (2, 2)),
        ("month", ("2025-12-31", "2026-01-01", "2026-02-28", "2026-10-01"), (3, 1)),
        ("week", ("2026-11-15", "2026-11-16", "2026-11-23"), (3, 3)),  # Sunday, Monday, Monday
        ("day", ("2026-11-22", "2026-11-23", "2026-11-25", "2026-11-25"), (2, 1)),
        ("year_back", ("2026-11-25", "2025-11-26", "2025-11-25", "2024-11-25"), (3, 3)),
        ("month_back", ("2026-10-25", "2026-09-25"), (2, 0)),
    ],
)
def test_chains_of_periods(measure: str, records: tuple[str, ...], expected: tuple[int, int]) -> None:
    given_ = [record(each) for each in records]
    made = (
        figure(f'count = "records"\nper = "{measure}"\ntake = "{take}"', *given_)
        for take in ("run", "last_run")
    )
    assert tuple(made) == expected


@pytest.mark.parametrize(
    ("days", "gap", "expected"),
    [
        (("2026-11-25",), 0, "2026-11-25"),
        (("2026-11-24",), 0, None),
        (("2026-01-01", "2026-10-25", "2026-11-10"), 31, "2026-10-25"),
        (("2026-01-01", "2026-10-09", "2026-11-09"), 31, "2026-10-09"),
        (("2026-01-01", "2026-10-09", "2026-11-10"), 31, "2026-11-10"),
        ((), 31, None),
    ],
)
def test_service_without_a_longer_gap(days: tuple[str, ...], gap: int, expected: str | None) -> None:
    found = figure(f'first = "served_on"\ngap_days = {gap}', *map(record, days))
    assert found == (dt.date.fromisoformat(expected) if expected else None)


def spent(on: str, minutes: int) -> Record:
    return record(on, 0, kind="redemption", quantity=minutes)


BALANCE = 'balance = "minutes"\nspends = "choose(kind == \'redemption\', quantity, 0)"\nexpires_months = 12'


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ((record("2025-11-25", 60),), 0),  # good for twelve months: up to the day before
        ((record("2025-11-26", 60),), 60),
        (
            (record("2025-01-01", 60), record("2025-12-01", 30), spent("2025-12-31", 50)),
            30,
        ),  # the oldest first
        ((record("2025-01-01", 60), record("2025-12-01", 30), spent("2025-12-31", 70)), 20),
        ((record("2025-01-01", 60), record("2025-12-01", 30), spent("2026-01-01", 20)), 10),  # 60 had run out
        ((spent("2026-03-01", 20), record("2026-04-01", 50)), 30),  # what was owed is paid first
        ((spent("2026-03-01", 20),), -20),
        ((record("2026-03-01", 20), spent("2026-03-01", 20)), 0),
    ],
)
def test_a_balance_runs_out_by_lots(records: tuple[Record, ...], expected: int) -> None:
    assert figure(BALANCE, *records) == expected


def test_an_absent_fact_is_named_and_leaves_what_needs_it_open() -> None:
    book = Rulebook.loads(BOOK + 'sum = "minutes"\nfrom = "birth_date"')
    decision = decide(book, ON, records=YEARS)
    assert decision.answers == {"echo": None}
    assert decision.missing == ("birth_date",)
    assert decide(book, ON, records=YEARS, facts={"birth_date": day("2024-01-01")}).answers == {"echo": 247}


@pytest.mark.parametrize(
    ("measure", "path", "code"),
    [
        ("", "", "rulebook_one_of"),
        ('sum = "minutes"\ncount = "days"', "", "rulebook_one_of"),
        ('sum = "served_on"', ".sum", "rulebook_rule_type"),
        ('count = "recrods"', ".count", "rulebook_choice_near"),
        ('sum = "minutes"\nper = "weak"', ".per", "rulebook_choice_near"),
        ('sum = "minutes"\nhaving = "value > 5"', ".having", "rulebook_needs"),
        ('sum = "minutes"\nbest = 3', ".best", "rulebook_needs"),
        ('sum = "minutes"\nexpires_months = 3', ".expires_months", "rulebook_needs"),
        ('sum = "minutes"\ngap_days = 3', ".gap_days", "rulebook_needs"),
        ('sum = "minutes"\nper = "kind"\ntake = "run"', ".take", "rulebook_choice"),
        ('sum = "minutes"\nper = "year"\ntake = "runn"', ".take", "rulebook_choice_near"),
        ('first = "served_on"\nper = "year"\ntake = "sum"', ".take", "rulebook_choice"),
        ('sum = "minutes"\nper = "year"\nbest = 0', ".best", "rulebook_range"),
        ('sum = "minutes"\nper = "year"\nyear_begins_month = 13', ".year_begins_month", "rulebook_range"),
        ('sum = "minutes"\nfrom = "today"\nafter = "today"', ".after", "rulebook_either"),
        ('sum = "minutes"\nto = "today"\nbefore = "today"', ".before", "rulebook_either"),
        ('sum = "minutes"\nfrom = "5"', ".from", "rulebook_rule_type"),
        ('sum = "minutes"\nfrom = "anchr"', ".from", "rule_unknown_fact_near"),
        ('sum = "minutes"\nwhere = "echo > 5"', ".where", None),
        ('last = "served_on"\notherwise = 5', ".otherwise", "rulebook_default"),
        ('sum = "minutes"\notherwise = "none"', ".otherwise", "rule_unknown_fact"),
        ('sum = "minutes"\notherwise = "birth_date"', ".otherwise", "rulebook_rule_type"),
        ('sum = "minutes"\nlatest = 0', ".latest", "rulebook_range"),
        ('sum = "minutes"\nwhen = "night"', ".when", "rulebook_unknown_key_near"),
    ],
)
def test_what_is_written_wrongly_is_told_with_its_place(measure: str, path: str, code: str | None) -> None:
    with pytest.raises(RulebookError) as caught:
        Rulebook.loads(BOOK + measure)
    found = [(place, problem.code) for place, problem in caught.value.problems]
    if code is None:  # an answer that needs the measure that needs the answer
        assert found[0][1] == "rulebook_circle"
    else:
        assert found == [(f"$.version[0].measure.found{path}", code)]
    for language in ("zh-CN", "en"):
        assert caught.value.message(language)


DAYS = st.integers(day("2023-01-01"), day("2026-12-31"))
STREAM = st.lists(
    st.builds(
        lambda on, minutes, kind, project: Record(0, on, -1, 0, minutes, kind=kind, project=project),
        DAYS, st.integers(0, 500), st.sampled_from(["service", "travel"]), st.sampled_from("甲乙丙"),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(STREAM, DAYS, st.randoms(use_true_random=False))
def test_groups_and_spans_against_plain_counting(stream: list[Record], first: int, random: Any) -> None:
    last = day_number(ON)
    inside = [each for each in stream if first <= each.served_on <= last and each.kind == "service"]
    by_project: dict[str, int] = defaultdict(int)
    for each in inside:
        by_project[each.project] += each.claimed_minutes
    many = [minutes for minutes in by_project.values() if minutes >= 100]
    measure = 'sum = "minutes"\nwhere = "kind == \'service\'"\nfrom = "birth_date"'
    grouped = measure + '\nper = "project"\nhaving = "value >= 100"'
    random.shuffle(stream)
    facts = {"birth_date": first}
    assert figure(measure, *stream, **facts) == sum(each.claimed_minutes for each in inside)
    assert figure(grouped, *stream, **facts) == sum(many)
    assert figure(grouped + '\ntake = "count"', *stream, **facts) == len(many)
    assert figure(grouped + '\ntake = "most"\notherwise = 0', *stream, **facts) == max(many, default=0)
    days = {each.served_on for each in inside}
    assert figure(measure.replace('sum = "minutes"', 'count = "days"'), *stream, **facts) == len(days)


MOVES = st.lists(st.tuples(DAYS, st.booleans(), st.integers(0, 60)), max_size=25)


@settings(max_examples=200, deadline=None)
@given(MOVES)
def test_a_balance_against_single_minutes(moves: list[tuple[int, bool, int]]) -> None:
    """Every minute on its own: the oldest that is still good is spent first; what is owed is paid first."""
    moves = [move for move in moves if move[0] <= day_number(ON)]
    minutes: list[int] = []  # the day each was earned
    owed = 0
    for on, spending, amount in sorted(moves, key=lambda move: move[:2]):
        minutes = [each for each in minutes if not ran_out(each, on)]
        for _ in range(amount):
            if not spending and owed:
                owed -= 1
            elif not spending:
                minutes.append(on)
            elif minutes:
                minutes.pop(0)
            else:
                owed += 1
    minutes = [each for each in minutes if not ran_out(each, day_number(ON))]
    records = [
        Record(
            0,
            on,
            -1,
            0,
            0 if spending else amount,
            kind="redemption" if spending else "service",
            quantity=amount,
        )
        for on, spending, amount in moves
    ]
    assert figure(BALANCE, *records) == len(minutes) - owed


def ran_out(earned: int, on: int) -> bool:
    began, now = dt.date.fromordinal(earned + 719163), dt.date.fromordinal(on + 719163)
    last = 28 if (began.month, began.day) == (2, 29) else began.day
    return now >= dt.date(began.year + 1, began.month, last)
