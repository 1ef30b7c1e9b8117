"""The rule language: text and value are inverse, carriers agree, errors point at the column."""

import datetime as dt
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from volunteerkit.clock import Calendar
from volunteerkit.errors import InvalidValue, RuleSyntaxError
from volunteerkit.rules import Fact, RuleFunction, bind, parse
from volunteerkit.rules.expression import (
    All,
    Apply,
    Call,
    Literal,
    Member,
    Mention,
    Not,
    Some,
    mentioned,
    reach,
)
from volunteerkit.units import day_number, day_of

INTS = ("credited_minutes", "service_days", "n")
DATES = ("served_on", "adult_on")
WORDS = ("助老", "献血", "it's", '说"好"', "𠮷野", "没有")
VOCABULARY = {"category": WORDS[:4]}
FACTS = {
    **{name: Fact(name, "int", name, name) for name in INTS},
    **{name: Fact(name, "date", name, name) for name in DATES},
    "category": Fact("category", "word", "类别", "category"),
    "trained": Fact("trained", "bool", "已培训", "trained"),
}
FUNCTIONS = {
    "xinyu.regular": RuleFunction("xinyu.regular", one=lambda n: n >= 3, many=lambda n: n >= 3),
    "xinyu.twice": RuleFunction("xinyu.twice", one=lambda n: n + n, gives="int"),
}


def read(text: str, gives: Any = "bool") -> Any:
    return parse(text, facts=FACTS, functions=FUNCTIONS, gives=gives)


# ---------------------------------------------------------------- any rule there can be

numbers = st.one_of(st.integers(-3, 5), st.sampled_from([-(2**20), 60, 6000, 2**20]))
number_facts = st.sampled_from(INTS).map(Mention)
dates = st.dates(dt.date(1969, 12, 1), dt.date(2030, 1, 1)).map(Literal)
orders = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def _within(expression: Any) -> bool:
    return max(map(abs, reach(expression))) <= 2**53


def _wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(Apply, st.sampled_from("+-"), inner, inner).filter(lambda e: _within(e) and mentioned(e)),
        st.builds(Apply, st.just("*"), inner, numbers.map(Literal)).filter(
            lambda e: _within(e) and mentioned(e)
        ),
        st.builds(Apply, st.just("*"), numbers.map(Literal), inner).filter(
            lambda e: _within(e) and mentioned(e)
        ),
        st.builds(lambda a, b: Call("least", (a, b)), inner, inner).filter(mentioned),
        st.builds(lambda a, b: Call("greatest", (a, b)), inner, inner).filter(mentioned),
        st.builds(
            lambda name, a, k: Call(name, (a, Literal(k))),
            st.sampled_from(["floor_to", "ceil_to", "round_to"]),
            inner,
            st.sampled_from([1, 2, 7, 30]),
        ).filter(lambda e: mentioned(e) and _within(e)),
        st.builds(
            lambda a, k, b, c: Call("choose", (Apply(">", a, Literal(k)), b, c)),
            number_facts,
            numbers,
            inner,
            inner,
        ),
    )


date_facts = st.sampled_from(DATES).map(Mention)
weekdays = date_facts.map(lambda day: Call("weekday", (day,)))
amounts = st.recursive(st.one_of(number_facts, weekdays, numbers.map(Literal)), _wider, max_leaves=6)
later = st.builds(lambda day, n: Call("days_after", (day, Literal(n))), date_facts, st.integers(0, 40))
leaves = st.one_of(
    st.builds(Apply, orders, amounts.filter(mentioned), amounts),
    st.builds(
        Apply, orders, st.sampled_from(DATES).map(Mention), st.one_of(dates, st.just(Mention("adult_on")))
    ),
    st.builds(
        Apply,
        st.sampled_from(["==", "!="]),
        st.just(Mention("category")),
        st.sampled_from(WORDS).map(Literal),
    ),
    st.builds(Apply, st.sampled_from(["==", "!="]), st.just(Mention("trained")), st.booleans().map(Literal)),
    st.just(Mention("trained")),
    st.builds(
        lambda values, negated: Member(Mention("category"), tuple(map(Literal, values)), negated),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
        st.booleans(),
    ),
    st.builds(
        lambda values, negated: Member(Mention("n"), tuple(map(Literal, values)), negated),
        st.lists(numbers, min_size=1, max_size=3),
        st.booleans(),
    ),
    st.builds(lambda n: Call("xinyu.regular", (n,)), number_facts),
    st.builds(
        Apply,
        orders,
        date_facts,
        st.one_of(later, st.builds(lambda a, b: Call("least", (a, b)), later, dates)),
    ),
    st.builds(Member, weekdays, st.just((Literal(6), Literal(7))), st.booleans()),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda items: All(tuple(items)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda items: Some(tuple(items)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


def literals(expression: Any) -> set[int]:
    """Every number in a rule, and every product of two, where answers can change."""
    match expression:
        case Literal(value) if isinstance(value, dt.date):
            return {day_number(value)}
        case Literal(value) if type(value) is int:
            return {value}
        case Apply(_, left, right):
            found = literals(left) | literals(right)
            return found | {a * b for a in found for b in found if abs(a * b) < 2**30}
        case All(items) | Some(items) | Call(_, items) | Member(_, items):
            return set().union(*map(literals, items))
        case Not(item):
            return literals(item)
    return set()


@st.composite
def rules_and_facts(draw: st.DrawFn) -> tuple[Any, list[dict[str, Any]]]:
    rule = draw(conditions)
    near = sorted({k + d for k in literals(rule) for d in (-1, 0, 1)} | {-1, 0, 1, 2**31 - 1, -(2**31)})
    near = [k for k in near if abs(k) <= 2**31]
    one = st.fixed_dictionaries(
        {
            **{name: st.sampled_from(near) for name in INTS + DATES},
            "category": st.sampled_from(WORDS[:4]),
            "trained": st.booleans(),
        }
    )
    return rule, draw(st.lists(one, min_size=1, max_size=6))


@given(conditions)
def test_text_and_value_are_inverse(rule: Any) -> None:
    assert read(str(rule)) == rule


@given(amounts.filter(mentioned))
def test_amounts_have_a_text_too(amount: Any) -> None:
    assert read(str(amount), "int") == amount


@given(rules_and_facts())
def test_numpy_columns_give_the_answers_of_single_facts(pair: tuple[Any, list[dict[str, Any]]]) -> None:
    rule, rows = pair
    one = bind(rule, FUNCTIONS)
    expected = [one.on(row) for row in rows]
    columns: dict[str, Any] = {
        name: np.array([row[name] for row in rows]) for name in (*INTS, *DATES, "trained")
    }
    columns["category"] = np.array([WORDS.index(row["category"]) for row in rows], np.int8)
    assert bind(rule, FUNCTIONS, "numpy", VOCABULARY).on(columns).tolist() == expected
    narrow = {name: _narrow(column) for name, column in columns.items()}
    assert bind(rule, FUNCTIONS, "numpy", VOCABULARY).on(narrow).tolist() == expected


def _narrow(column: Any) -> Any:
    kind = next(
        (
            t
            for t in (np.int8, np.int16, np.int32)
            if column.dtype.kind == "i" and (column == column.astype(t)).all()
        ),
        None,
    )
    return column if kind is None else column.astype(kind)


TYPES: dict[str, Any] = {"int": sa.BigInteger, "date": sa.BigInteger, "word": sa.String, "bool": sa.Boolean}
TABLE = sa.Table(
    "facts",
    sa.MetaData(),
    sa.Column("row", sa.Integer, primary_key=True),
    *(sa.Column(name, TYPES[fact.type]) for name, fact in FACTS.items()),
)
ENGINE = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
TABLE.create(ENGINE)


@settings(deadline=None)
@given(rules_and_facts())
def test_database_columns_give_the_answers_of_single_facts(pair: tuple[Any, list[dict[str, Any]]]) -> None:
    rule, rows = pair
    one, many = bind(rule, FUNCTIONS), bind(rule, FUNCTIONS, "sql")
    with ENGINE.connect() as connection:
        connection.execute(TABLE.insert(), [{"row": i, **row} for i, row in enumerate(rows)])
        query = sa.select(many.on(TABLE.c)).order_by(TABLE.c.row)
        assert [bool(found) for found in connection.scalars(query)] == [one.on(row) for row in rows]
        connection.rollback()


def test_a_function_without_a_form_for_columns_runs_row_by_row() -> None:
    rule = read("xinyu.twice(n) >= 6 and not xinyu.regular(service_days)")
    columns = {"n": np.array([2, 3, 4], np.int8), "service_days": np.array([0, 0, 3])}
    assert bind(rule, FUNCTIONS, "numpy").on(columns).tolist() == [False, True, False]


def test_narrow_columns_do_not_wrap_where_they_are_reckoned_with() -> None:
    columns = {"n": np.array([127, -128], np.int8), "service_days": np.array([255, 0], np.uint8)}
    found = bind(read("n * 60 - service_days", "int"), carrier="numpy").on(columns)
    assert found.tolist() == [127 * 60 - 255, -128 * 60]


def test_a_word_nobody_has_is_never_met_and_always_unequal() -> None:
    columns = {"category": np.array([0, 1])}
    words = {"category": ("助老", "献血")}
    assert bind(read("category == '没有'"), carrier="numpy", vocabulary=words).on(columns).tolist() == [
        False,
        False,
    ]
    assert bind(read("category != '没有'"), carrier="numpy", vocabulary=words).on(columns).tolist() == [
        True,
        True,
    ]


# ---------------------------------------------------------------- how it reads


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("credited_minutes>=100*60", "credited_minutes >= 100 * 60"),
        ("  ( n  >  1 ) ", "n > 1"),
        ("1 < n < 3", "1 < n and n < 3"),
        ("n - (service_days - 1) == 0x10", "n - (service_days - 1) == 16"),
        ("(n - service_days) - 1 > 1_000", "n - service_days - 1 > 1000"),
        ("not (not trained)", "not not trained"),
        ("category in ['助老', \"献血\"]", "category in ('助老', '献血')"),
        ("category not in ('𠮷野',)", "category not in ('𠮷野',)"),
        ('category == "it\'s"', 'category == "it\'s"'),
        ("served_on >= date(2026, 11, 1)", "served_on >= date(2026, 11, 1)"),
        ("n > 1 and\n  (n < 5 or\ttrained)", "n > 1 and (n < 5 or trained)"),
        ("xinyu . regular( n )", "xinyu.regular(n)"),
        ("(n + 1) * 2 > -5 * service_days", "(n + 1) * 2 > -5 * service_days"),
    ],
)
def test_the_canonical_text(written: str, canonical: str) -> None:
    rule = read(written)
    assert str(rule) == canonical
    assert read(canonical) == rule


@pytest.mark.parametrize(
    ("rule", "met", "not_met"),
    [
        ("category in ('助老', '献血')", {"category": "献血"}, {"category": "环保"}),
        ("category not in ('助老', '献血')", {"category": "环保"}, {"category": "助老"}),
        ("category != '助老'", {"category": "环保"}, {"category": "助老"}),
        ("n in (1, 5)", {"n": 5}, {"n": 3}),
        ("not trained", {"trained": False}, {"trained": True}),
        ("trained == False", {"trained": False}, {"trained": True}),
        ("n > 1 and trained", {"n": 2, "trained": True}, {"n": 1, "trained": True}),
        ("n > 1 or trained", {"n": 1, "trained": True}, {"n": 1, "trained": False}),
        ("n - service_days - 1 == 2", {"n": 8, "service_days": 5}, {"n": 8, "service_days": 6}),
        ("n - (service_days - 1) == 2", {"n": 6, "service_days": 5}, {"n": 8, "service_days": 5}),
        ("served_on < date(2026, 11, 1)", {"served_on": 20_757}, {"served_on": 20_758}),
        ("choose(trained, n, 0) >= 3", {"trained": True, "n": 3}, {"trained": False, "n": 3}),
        ("least(n, 3) == 3", {"n": 4}, {"n": 2}),
        ("greatest(n, 3) == 3", {"n": 2}, {"n": 4}),
    ],
)
def test_what_a_rule_means(rule: str, met: dict[str, Any], not_met: dict[str, Any]) -> None:
    bound = bind(read(rule))
    assert [bound.on(met), bound.on(not_met)] == [True, False]


def test_a_chain_means_every_link() -> None:
    rule = bind(read("0 < n <= 3"))
    assert [rule.on({"n": n}) for n in (0, 1, 3, 4)] == [False, True, True, False]


REFUSED = [
    # rule, code, column, something its values must say
    ("", "rule_empty", 1, None),
    (" \n ", "rule_empty", 1, None),
    ("n > 1 " + "and n > 1 " * 500, "rule_too_long", 1, 4000),
    ("n<" * 600 + "n", "rule_too_long", 1, 4000),
    ("n" + " + n" * 60 + " > 1", "rule_too_deep", 1, 50),
    ("not " * 60 + "trained", "rule_too_deep", 205, 50),
    ("n > 1 and", "rule_not_readable", 9, None),
    ("n >> 1 > 1 >", "rule_not_readable", 12, None),
    ("1or n", "rule_not_readable", 1, None),
    ("n ≥ 1", "rule_wide_character", 3, ">="),
    ("n >= １00", "rule_wide_character", 6, "1"),
    ("category == “助老”", "rule_wide_character", 13, "'"),
    ("n > 1 # 备注", "rule_character", 7, "#"),
    ("category == 'a\\'b'", "rule_character", 13, "\\"),
    ("category == 'a\u200bb'", "rule_unprintable", 13, None),
    ("n > 1\x00", "rule_unprintable", 6, None),
    ("n / 60 >= 100", "rule_no_division", 1, None),
    ("n > 1 and n // 60 >= 100", "rule_no_division", 11, None),
    ("n % 2 == 0", "rule_no_division", 1, None),
    ("n ** 2 > 1", "rule_not_allowed", 1, "n ** 2"),
    ("n > 2.5", "rule_fraction", 5, None),
    ("n > 1e3", "rule_fraction", 5, None),
    ("n == None", "rule_not_allowed", 6, "None"),
    ("credited_minuts > 1", "rule_unknown_fact_near", 1, "credited_minutes"),
    ("类别 == '助老'", "rule_unknown_fact", 1, "类别"),
    ("xinyu.reguler(n)", "rule_unknown_function_near", 1, "xinyu.regular"),
    ("__import__('os')", "rule_unknown_function", 1, "__import__"),
    ("n.real > 1", "rule_not_allowed", 1, "n.real"),
    ("(n).real(1)", "rule_unknown_function", 1, "n.real"),
    ("[n for n in (1, 2)]", "rule_not_allowed", 1, "[n for n in (1, 2)]"),
    ("(lambda: n)()", "rule_not_allowed", 1, None),
    ("n if trained else 1", "rule_not_allowed", 1, None),
    ("n is 1", "rule_not_allowed", 1, None),
    ("n * service_days > 1", "rule_product", 1, None),
    ("n > 2147483649", "rule_number_too_large", 5, 2**31),
    ("n * 1048577 > 1", "rule_number_too_large", 1, 2**20),
    ("n > 65536 * 65536", "rule_number_too_large", 5, 2**31),
    ("n * 1048576 * 8 > 1", "rule_number_too_large", 1, 2**53),
    ("1 < 2", "rule_no_fact", 1, None),
    ("n > 1 and True", "rule_no_fact", 11, None),
    ("xinyu.regular(3)", "rule_no_fact", 1, None),
    ("least(1, 2) < n", "rule_no_fact", 1, None),
    ("n == '助老'", "rule_wrong_type", 6, "word"),
    ("n > date(2026, 1, 1)", "rule_wrong_type", 5, "date"),
    ("n + 1", "rule_wrong_type", 1, "bool"),
    ("n", "rule_wrong_type", 1, "bool"),
    ("not n", "rule_wrong_type", 5, "bool"),
    ("category > '助老'", "rule_no_order", 1, "word"),
    ("trained >= True", "rule_no_order", 1, "bool"),
    ("'助老' == category", "rule_fact_first", 1, None),
    ("category in '助老'", "rule_member", 13, None),
    ("category in ()", "rule_member", 13, None),
    ("n in (1, service_days)", "rule_member", 10, None),
    ("n in (1, '二')", "rule_wrong_type", 10, "word"),
    ("xinyu.regular(category)", "rule_word_argument", 15, None),
    ("xinyu.regular(n, n)", "rule_arity", 1, 1),
    ("choose(trained, 1) > n", "rule_arity", 1, 3),
    ("xinyu.regular(n=1)", "rule_not_allowed", 1, None),
    ("xinyu.regular(*n)", "rule_not_allowed", 1, None),
    ("served_on > date(2026, 2, 30)", "rule_no_such_date", 13, None),
    ("served_on > date(n, 2, 3)", "rule_no_such_date", 13, None),
    ("f'{n}' == category", "rule_not_allowed", 1, None),
    ("category == '助老' and n / 2 > 1", "rule_no_division", 22, None),
]


@pytest.mark.parametrize(
    ("text", "code", "column", "said"), REFUSED, ids=[case[0][:24] or "empty" for case in REFUSED]
)
def test_refused_with_its_column(text: str, code: str, column: int, said: Any) -> None:
    with pytest.raises(RuleSyntaxError) as caught:
        read(text)
    assert (caught.value.code, caught.value.column) == (code, column)
    if said is not None:
        assert said in caught.value.values.values()


pieces = st.sampled_from(
    ["n", "trained", "category", "served_on", "xinyu.regular", "choose", "date", "(", ")", "[", "]", "{", "}", ",", ".",
     "and", "or", "not", "in", "is", "if", "else", "lambda", ":", ":=", "+", "-", "*", "**", "/", "%", "@", "~", "<", "==",
     "'", '"', "'''", "\\", "#", "\n", "1", "0x", "1_0", "1e9", "9" * 30, "f'", "b''", "…", "；", "\ud800", "\x00", "𠮷"]
)  # fmt: skip


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(), st.lists(pieces, max_size=30).map(" ".join), st.lists(pieces, max_size=30).map("".join)
    )
)
def test_whatever_is_typed_is_a_rule_or_a_rule_error(text: str) -> None:
    try:
        rule, error = read(text), None
    except RuleSyntaxError as caught:
        rule, error = None, caught
    if error is None:
        assert read(str(rule)) == rule
    else:
        assert 1 <= error.column <= max(1, len(error.text))
        assert error.message("zh-CN").splitlines()[0]


@pytest.mark.parametrize("text", ["(" * 1999, "-" * 3999, "not " * 999, "[" * 150 + "]" * 150, "n" + "(" * 900 + ")" * 900,
                                  "n+" * 1900 + "n", "f" + "'{f" * 700])  # fmt: skip
def test_depth_is_refused_not_overflowed(text: str) -> None:
    with pytest.raises(RuleSyntaxError):
        read(text + " / ")
    with pytest.raises(RuleSyntaxError):
        read("xinyu.regular(" + text + ")")


def test_reach_covers_what_a_rule_can_give() -> None:
    assert reach(read("least(n, 480)", "int")) == (-(2**31), 480)
    assert reach(read("greatest(n, 0) + 5", "int")) == (5, 2**31 + 5)
    assert reach(read("choose(trained, 240, 480) - 1", "int")) == (239, 479)
    assert reach(read("n * -2", "int")) == (-(2**32), 2**32)


@pytest.mark.parametrize(
    "text", ["n > -True", "n > -'a'", "n > -1.5", "n > -None", "n > 2147483649", "n > -2147483649"]
)
def test_only_whole_numbers_have_a_sign_and_they_have_an_end(text: str) -> None:
    with pytest.raises(RuleSyntaxError):
        parse(text, facts={"n": Fact("n", "int", "n", "n")})


@pytest.mark.parametrize("number", [2147483648, -2147483648])
def test_the_largest_number_is_still_one(number: int) -> None:
    assert str(parse(f"n > {number}", facts={"n": Fact("n", "int", "n", "n")})) == f"n > {number}"


# ---------------------------------------------------------------- days


def of_days(text: str, **facts: Any) -> dt.date:
    given_days = {
        name: day_number(value) if isinstance(value, dt.date) else value for name, value in facts.items()
    }
    return day_of(bind(read(text, "date"), FUNCTIONS).on(given_days))


@pytest.mark.parametrize(
    ("begin", "months", "end"),
    [
        ((2024, 1, 31), 1, (2024, 2, 29)), ((2023, 1, 31), 1, (2023, 2, 28)), ((2024, 2, 29), 12, (2025, 2, 28)),
        ((2024, 11, 30), 3, (2025, 2, 28)), ((2024, 12, 15), 1, (2025, 1, 15)), ((2024, 12, 15), 0, (2024, 12, 15)),
        ((2024, 2, 29), 1, (2024, 3, 29)),
    ],
)  # fmt: skip
def test_months_end_on_the_same_day_or_the_last(begin: Any, months: int, end: Any) -> None:
    found = of_days("months_after(served_on, n)", served_on=dt.date(*begin), n=months)
    assert found == dt.date(*end)
    columns = {"served_on": np.array([day_number(dt.date(*begin))]), "n": np.array([months], np.int8)}
    rule = bind(read("months_after(served_on, n)", "date"), FUNCTIONS, "numpy")
    assert rule.on(columns).tolist() == [day_number(dt.date(*end))]


def test_a_day_no_calendar_reaches_stays_beyond_it() -> None:
    rule = bind(read("months_after(served_on, 2)", "date"))
    assert rule.on({"served_on": 2**24}) == 2**24
    assert rule.on({"served_on": day_number(dt.date(9999, 12, 1))}) > day_number(dt.date.max)


@pytest.mark.parametrize("months", [-1201, 1201, 2**31])
def test_a_term_has_an_end(months: int) -> None:
    for function in ("months_after", "working_days_after"):
        with pytest.raises(InvalidValue) as caught:
            bind(read(f"{function}(served_on, n)", "date")).on(
                {"served_on": 20_000, "n": months, "calendar": Calendar()}
            )
        assert caught.value.code == "rule_term"


def test_working_days_need_a_calendar_that_no_rule_names() -> None:
    rule = read("working_days_after(served_on, 10) >= adult_on")
    assert mentioned(rule) == ("adult_on", "calendar", "served_on")
    with pytest.raises(RuleSyntaxError, match="calendar"):
        read("calendar == calendar")
    facts = {"served_on": day_number(dt.date(2024, 3, 4)), "adult_on": day_number(dt.date(2024, 3, 18))}
    assert bind(rule).on({**facts, "calendar": Calendar()})
    columns = {name: np.array([value, value + 1]) for name, value in facts.items()}
    assert bind(rule, None, "numpy").on({**columns, "calendar": Calendar()}).tolist() == [True, True]


def test_calendars_do_not_run_in_a_database() -> None:
    with pytest.raises(TypeError, match="months_after"):
        bind(read("months_after(served_on, 1) > adult_on"), FUNCTIONS, "sql")


def test_a_rule_nested_to_its_limit_is_read_and_run_at_once() -> None:
    text = "n"
    for _ in range(20):
        text = f"choose({text} in (1, 2, 3), 1, 9)" if text != "n" else "choose(n in (1, 2, 3), 1, 9)"
    rule = bind(read(f"{text} == 1"))
    assert [rule.on({"n": n}) for n in (1, 3, 4)] == [True, True, False]


def test_choose_least_and_greatest_keep_the_type() -> None:
    assert of_days(
        "greatest(served_on, adult_on)", served_on=dt.date(2024, 1, 1), adult_on=dt.date(2024, 1, 2)
    ) == (dt.date(2024, 1, 2))
    rule = bind(parse("choose(n > 1, '待批', '生效')", facts=FACTS, gives="word"))
    assert [rule.on({"n": n}) for n in (1, 2)] == ["生效", "待批"]
    for text in (
        "least(category, '助老') > 1",
        "choose(n > 1, 1, '助老')",
        "choose(n > 1, trained, trained)",
    ):
        with pytest.raises(RuleSyntaxError) as caught:
            read(text, "word")
        assert caught.value.code == "rule_wrong_type"


def test_two_words_are_compared_as_words_whatever_the_codes_of_their_columns() -> None:
    facts = {name: Fact(name, "word", name, name) for name in ("district", "home")}
    rule = parse("district == home", facts=facts)
    assert str(rule) == "district == home"
    assert [bind(rule).on({"district": "城东", "home": home}) for home in ("城东", "城西")] == [True, False]
    words = {"district": ("城东", "城西"), "home": ("城北", "城东")}
    columns = {"district": np.array([0, 0, 1, -1], np.int8), "home": np.array([0, 1, 1, -1], np.int8)}
    assert bind(rule, None, "numpy", words).on(columns).tolist() == [False, True, False, False]
    other = parse("district != home", facts=facts)
    assert bind(other, None, "numpy", words).on(columns).tolist() == [True, False, True, True]


def test_a_fixed_word_is_asked_for_in_a_set_of_words() -> None:
    facts = {"courses": Fact("courses", "words", "课程", "courses")}
    rule = parse("'急救' in courses", facts=facts)
    assert str(rule) == "'急救' in courses"
    assert [bind(rule).on({"courses": courses}) for courses in (("急救", "通讯"), ("通讯",))] == [True, False]
    with pytest.raises(RuleSyntaxError) as caught:
        parse("5 in courses", facts=facts)
    assert caught.value.code == "rule_member"
