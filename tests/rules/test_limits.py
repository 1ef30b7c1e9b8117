"""No file makes a reading or a ruling hang: it is refused with a clear error, or decided within its steps."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from volunteerkit.errors import InvalidValue, RulebookError, RuleSyntaxError, VolunteerkitError
from volunteerkit.rules import FACTS, Record, Rulebook, parse
from volunteerkit.rules.cases import read_cases, run_cases
from volunteerkit.rules.deciding import decide
from volunteerkit.rules.limits import PER_RECORD_MAX, PER_SUBJECT_MAX, cost_of, too_deep, too_deep_text
from volunteerkit.units import day_number

ON = dt.date(2026, 11, 25)
HEAD = """
id = "渝水.star"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "渝水区办法"
step = [{ award = 1, when = "service_days >= 1" }]
"""
LINES_MAX = 400_000
"""So many lines of Python may one reading or ruling of a test run through: steps, not seconds."""


def within(lines: int, run: Callable[[], Any]) -> Any:
    """Run something, and stop it when it takes more lines of Python than it may."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        if count > lines:
            raise TimeoutError(f"more than {lines} steps")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return run()
    finally:
        sys.settrace(before)


def chained(levels: int) -> str:
    """A short text whose middle is read twice in every level: written out it doubles each time."""
    text = "minutes"
    for _ in range(levels):
        text = f"choose(1 < {text} < 2, 1, 2)"
    return f"{text} > 1"


@pytest.mark.parametrize("levels", [10, 14, 20, 24])
def test_chains_in_chains_are_refused_before_they_are_written_out(levels: int) -> None:
    facts = {**FACTS, "minutes": FACTS["claimed_minutes"]}
    with pytest.raises(RuleSyntaxError) as told:
        within(10 * LINES_MAX, lambda: parse(chained(levels), facts=facts))
    assert told.value.code in ("rule_too_long", "rule_too_deep")


pieces = st.sampled_from(
    ["(", ")", "not ", "-", "choose(", "1 < ", "service_days", " and ", " or ", ", ", "'助老'", " in (", "[", "+", "*",
     "floor_to(", "1", " == ", "lambda: ", "{", "date(2026, 1, 1)", "9" * 50, "𠮷", "\u202e"]
)  # fmt: skip
nested = st.one_of(
    st.builds(lambda piece, times: (piece * times)[:10_000], pieces, st.integers(1, 5000)),
    st.lists(pieces, max_size=400).map(lambda found: "".join(found)[:10_000]),
    st.builds(
        lambda left, n, right: left * n + "service_days" + right * n, pieces, st.integers(1, 900), pieces
    ),
)


@given(nested)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text_of_a_rule_is_read_or_refused(text: str) -> None:
    with suppress(RuleSyntaxError):
        within(LINES_MAX, lambda: parse(text, facts=FACTS))


@given(
    st.sampled_from(["measure.x.", "answer.", "lookup.", "credit.", "", "case.", "fact.x.", "scheme.x."]),
    st.sampled_from(["a.", "'a'.", "a . ", '"志".']),
    st.integers(1, 20_000),
)
@settings(max_examples=60, deadline=None)
def test_names_of_any_depth_are_refused(table: str, part: str, times: int) -> None:
    with pytest.raises(RulebookError):
        within(LINES_MAX, lambda: Rulebook.loads(f"{HEAD}{table}{part * times}b = 1"))


def test_a_book_of_any_length_is_refused_unread() -> None:
    with pytest.raises(RulebookError) as told:
        within(LINES_MAX, lambda: Rulebook.loads("x" * 10_000_000))
    assert told.value.problems[0][1].code == "rulebook_too_long"


def test_what_real_rulebooks_have_is_not_deep() -> None:
    assert not too_deep_text("a.b.c.d.e = 1\ncitation = '" + "x" * 100_000 + "'")
    assert not too_deep({"a": [{"b": [{"c": 1}]}]})
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    assert too_deep(deep)


@pytest.mark.parametrize(("measures", "words"), [(99, 5), (9, 600), (100, 1)])
def test_measures_are_decided_within_their_steps_or_refused(measures: int, words: int) -> None:
    where = "kind in (" + "'a', " * words + "'service')"
    text = HEAD + "".join(
        f'\nmeasure.m{n} = {{ sum = "minutes", where = "{where}", per = "month" }}' for n in range(measures)
    )
    if (measures, words) != (99, 5):
        with pytest.raises(RulebookError) as told:
            Rulebook.loads(text)
        codes = {problem.code for _, problem in told.value.problems}
        assert codes & {"rulebook_cost", "rulebook_too_many"}
        return
    book = Rulebook.loads(text)
    cost = cost_of(book.versions[0])
    assert cost.per_record <= PER_RECORD_MAX
    assert cost.per_subject <= PER_SUBJECT_MAX
    records = [Record(n, day_number(ON) - n % 3000, -1, 0, 60) for n in range(100)]
    found = within(99 * 100 * 60, lambda: decide(book, ON, records=records))
    assert found.facts["m0"] == 6000


def test_versions_are_not_without_end() -> None:
    version = HEAD[HEAD.index("[[version]]") :]
    with pytest.raises(RulebookError) as told:
        Rulebook.loads(HEAD + version * 200)
    assert "rulebook_too_many" in {problem.code for _, problem in told.value.problems}


CASES = """
regime = "渝水"
[[cases]]
why = "很多"
as_of = 2026-11-25
{case}
expect = {{ star = 1 }}
"""
values = st.one_of(st.integers(-(10**40), 10**40), st.sampled_from([2**31, -(2**31), 10**18, 10_000, 0]))


@given(
    st.sampled_from(
        ['count = "value"', 'minutes = "value"', 'on = "days_after(as_of, value)"', 'quantity = "value"',
         'from = "days_after(as_of, value)"', 'from = "days_after(as_of, value)"\nevery_days = 1\nspread = "each"',
         'organization = "{value:>2000000000}"', 'organization = "{value.__class__}"', 'organization = "{key}{value}"',
         'minutes = "' + "9" * 5000 + '"']
    ),
    values,
)  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_summary_of_any_size_is_decided_or_refused(tmp_path: Path, said: str, value: int) -> None:
    file = tmp_path / "案例.toml"
    file.write_text(CASES.format(case=f"facts = {{ total = {value} }}"), "utf-8")
    try:
        book = Rulebook.loads(f"{HEAD}[case.total]\n{said}")
        result = within(20 * LINES_MAX, lambda: run_cases(read_cases(file), [book]))
    except VolunteerkitError:
        return
    assert result.passed + len(result.failed) == 1


@pytest.mark.parametrize(
    "case",
    ["records = [" + "{ count = 10000, year = 2000, years = 50, minutes = 1 }, " * 40 + "]",
     "records = [{ count = 1000000000, minutes = 1 }]",
     "facts = { a = " + "{ a = " * 30 + "1" + " }" * 30 + " }"],
    ids=["many", "one", "deep"],
)  # fmt: skip
def test_cases_of_any_size_are_refused(tmp_path: Path, case: str) -> None:
    file = tmp_path / "案例.toml"
    file.write_text(CASES.format(case=case), "utf-8")
    book = Rulebook.loads(HEAD)

    def run() -> None:
        result = run_cases(read_cases(file), [book])
        assert result.failed[0].error is not None
        raise result.failed[0].error

    with pytest.raises(InvalidValue):
        within(30 * LINES_MAX, run)
