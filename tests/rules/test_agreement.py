"""Random rulebooks decide alike one by one and on columns, at, below and above every number they compare.

10,000 of them: `python3 dev.py test -m campaign tests/rules/test_agreement.py`; `AGREEMENT_SEED` begins elsewhere.
"""

import datetime as dt
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from volunteerkit.errors import InvalidValue, RulebookError
from volunteerkit.rules import FACTS, Fact, Record, Rulebook
from volunteerkit.rules.columns import Decisions, Known, decide_columns, why_not
from volunteerkit.rules.deciding import Decision, decide
from volunteerkit.rules.facts import MINUTES
from volunteerkit.rules.parsing import parse_any
from volunteerkit.rules.parts import Answer, Lookup, Measure
from volunteerkit.units import day_number

SEED = int(os.environ.get("AGREEMENT_SEED", "20261125"))
ON = dt.date(2026, 11, 25)
TODAY = day_number(ON)
TOWNS = ("东城", "西城")
CATEGORIES = ("助老", "献血", "环保")
KINDS = ("service", "service", "service", "training", "points", "award", "revocation")
MEMBERS = ("", "王芳", "李强")
GRADES = ("1", "silver", "3")
WORDS = (*TOWNS, *CATEGORIES, "service", "training", "points", "award", "revocation", *MEMBERS, *GRADES,
         "medal", "other")  # fmt: skip
HEAD = """
id = "city.medal"
decides = "city.medal"
[fact]
kept = { type = "int", zh-CN = "保留", en = "kept" }
ready = { type = "bool", zh-CN = "就绪", en = "ready" }
town = { type = "word", zh-CN = "城区", en = "town" }
since_on = { type = "date", zh-CN = "起始", en = "since" }
bonus = { type = "int", default = 2, zh-CN = "加成", en = "bonus" }
[[version]]
effective_from = 2020-01-01
citation = "试行办法"
"""


class Author:
    """Writes one random rulebook; every rule stands between « and »."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numbers = [self.random.choice([1, 2, 3, 7, 60, 120, 365]) for _ in range(4)]
        self.subject = {"int": ["kept", "bonus", "credited_minutes", "service_days", "service_records"],
                        "date": ["today", "since_on", "registered_on", "birth_date"], "bool": ["ready", "suspended"],
                        "word": ["town"]}  # fmt: skip
        self.record = {"int": ["quantity", "claimed_minutes", "minutes"], "date": ["served_on"], "bool": [],
                       "word": ["category", "kind", "member"]}  # fmt: skip

    def maybe(self, share: float) -> bool:
        return self.random.random() < share

    def number(self) -> int:
        return self.random.choice(self.numbers) + self.random.choice([-1, 0, 0, 1])

    def fact(self, type_: str, of_record: bool) -> str:
        names = self.subject[type_] if not (of_record and self.maybe(0.7)) else self.record[type_]
        return self.random.choice(names or self.subject[type_])

    def int_(self, deep: int, record: bool = False) -> str:
        one = self.fact("int", record)
        if deep <= 0 or self.maybe(0.4):
            return one
        made: list[Callable[[], str]] = [
            lambda: f"{self.int_(deep - 1, record)} + {self.int_(deep - 1, record)}",
            lambda: f"({self.int_(deep - 1, record)} - {self.number()}) * {self.random.choice([-2, 2, 3])}",
            lambda: f"choose({self.bool_(deep - 1, record)}, {self.int_(deep - 1, record)}, {self.number()})",
            lambda: f"{self.random.choice(['least', 'greatest'])}({one}, {self.int_(deep - 1, record)})",
            lambda: (
                f"{self.random.choice(['floor_to', 'ceil_to', 'round_to', 'full_steps'])}"
                f"({self.int_(deep - 1, record)}, {max(self.number(), 1)})"
            ),
            lambda: f"how_many({self.bool_(deep - 1, record)}, {self.bool_(deep - 1, record)})",
            lambda: (
                f"{self.random.choice(['days', 'months', 'years'])}_between"
                f"({self.date(deep - 1, record)}, {self.date(deep - 1, record)})"
            ),
            lambda: f"weekday({self.date(deep - 1, record)})",
        ]
        return self.random.choice(made)()

    def date(self, deep: int, record: bool = False) -> str:
        one = self.fact("date", record)
        if deep <= 0 or self.maybe(0.4):
            return one
        made: list[Callable[[], str]] = [
            lambda: f"months_after({one}, {self.random.choice([-12, -1, 1, 13])})",
            lambda: f"year_start({self.date(deep - 1, record)}, {self.random.choice([1, 4, 9])})",
            lambda: f"month_start({self.date(deep - 1, record)})",
            lambda: f"days_after({one}, 0 - {self.number()})",
            lambda: f"choose({self.bool_(deep - 1, record)}, {one}, {self.date(deep - 1, record)})",
            lambda: f"least({one}, date(2026, {self.random.randint(1, 12)}, 28))",
            # beyond 1,200 months the function refuses, and is not asked where another is chosen
            lambda: f"months_after({one}, greatest(kept, 0) * 4)" if self.maybe(0.1) else one,
            lambda: (
                f"choose(kept < 121 and kept > 0, months_after({one}, kept * 4), {one})"
                if self.maybe(0.15)
                else one
            ),
            lambda: f"new_year({self.random.choice(['2025', '2024 + bonus'])})" if self.maybe(0.2) else one,
        ]
        return self.random.choice(made)()

    def bool_(self, deep: int, record: bool = False) -> str:
        word = self.fact("word", record)
        known = {"town": TOWNS, "category": CATEGORIES, "kind": KINDS, "member": MEMBERS}[word]
        some = self.random.choice([
            f"{self.int_(deep - 1, record)} {self.random.choice(['>=', '>', '<', '<=', '==', '!='])} {self.number()}",
            f"{self.int_(0, record)} >= {self.int_(deep - 1, record)}",
            f"{self.date(deep - 1, record)} {self.random.choice(['>=', '<'])} {self.date(0, record)}",
            f"{word} {self.random.choice(['==', '!='])} '{self.random.choice([*known, '别的'])}'",
            f"{word} {self.random.choice(['in', 'not in'])} ('{self.random.choice(known)}', '没有')",
            self.fact("bool", record),
        ])  # fmt: skip
        if deep <= 0 or self.maybe(0.5):
            return some
        other = self.bool_(deep - 1, record)
        return self.random.choice([f"({some}) and ({other})", f"({some}) or ({other})", f"not ({some})"])

    def measure(self, name: str) -> str:
        pick = self.random.choice
        how = pick(["sum", "sum", "count", "most", "least", "first", "last", "gap"])
        type_, lines = "int", []
        if how == "count":
            lines.append(f'count = "{pick(["records", "days", "category", "member"])}"')
        elif how == "sum":
            lines.append(f'sum = "«{"minutes" if self.maybe(0.6) else self.int_(1, True)}»"')
        elif how in ("most", "least") and self.maybe(0.6):
            lines.append(f'{how} = "«{self.int_(1, True)}»"')
        else:
            type_ = "date"
            lines.append(f'{"first" if how == "gap" else how} = "«{self.date(1, True)}»"')
        if how == "gap":
            lines.append(f"gap_days = {max(self.number(), 0)}")
        if self.maybe(0.5):
            lines.append(f'where = "«{self.bool_(2, True)}»"')
        for names in (("from", "after"), ("to", "before")):
            if self.maybe(0.4):
                lines.append(f'{pick(names)} = "«{self.date(2)}»"')
        if self.maybe(0.5) and how != "gap":
            type_ = self.grouped(lines, type_)
        if self.maybe(0.3):
            lines.append(f"otherwise = {self.number() if type_ == 'int' else '2026-01-01'}")
        self.subject[type_].append(name)
        return "\n".join([f"[version.measure.{name}]", *lines])

    def grouped(self, lines: list[str], type_: str) -> str:
        pick = self.random.choice
        per = pick(
            [
                "day",
                "week",
                "month",
                "quarter",
                "half_year",
                "year",
                "month_back",
                "year_back",
                "category",
                "member",
            ]
        )
        takes = ["most", "least", "count", *(["sum"] if type_ == "int" else [])]
        takes += ["run", "last_run"] if per not in ("category", "member") else []
        take = pick(takes)
        lines += [f'per = "{per}"', f'take = "{take}"']
        if per in ("quarter", "half_year", "year"):
            lines.append(f"year_begins_month = {pick([1, 4, 9])}")
        if self.maybe(0.5):
            right = f"{self.number()}" if type_ == "int" else self.date(0)
            lines.append(f'having = "«value >= {right}»"')
        if self.maybe(0.3) and type_ == "int":
            lines.append(f'counts = "«least(value, {self.int_(1)})»"')
        if self.maybe(0.3):
            lines.append(f"best = {pick([1, 2, 3])}")
        return "int" if take in ("count", "run", "last_run") else type_

    def lookup(self) -> str:
        self.subject["int"] += ["need", "gain"]
        values = lambda: f'need = "«{self.bare(1)}»", gain = {self.number()}'  # noqa: E731
        if self.maybe(0.5):
            rows = [f"{{ is = '{TOWNS[0]}', {values()} }}", f"{{ {values()} }}"]
            return f'[[version.lookup]]\nby = "town"\nrow = [{", ".join(rows[: self.random.choice([1, 2])])}]'
        bands = sorted({self.number() for _ in range(3)})
        rows = [f"{{ from = {low}, {values()} }}" for low in bands]
        return f'[[version.lookup]]\nby = "{self.bare(0)}"\nrow = [{", ".join(rows)}]'

    def bare(self, deep: int) -> str:
        """A number that does not come from the table itself."""
        saved, self.subject = self.subject, {**self.subject}
        self.subject["int"] = [name for name in saved["int"] if name not in ("need", "gain")]
        found = self.int_(deep)
        self.subject = saved
        return found

    def scheme(self, name: str, main: bool) -> str:
        pick = self.random.choice
        lines = [
            f"{key} = \"{pick(values)}\""
            for key, values in (("take", ["highest", "all"]), ("repeat", ["always", "yearly", "never"]),
                                ("loss", ["event", "recomputed", "never"]),
                                ("procedure", ["automatic", "application"]))
            if self.maybe(0.5)
        ]  # fmt: skip
        if self.maybe(0.2):
            lines.append(f'grant_when = "«{self.bool_(1)}»"')
        steps = []
        for award, grade in enumerate(GRADES, 1):
            more = "" if grade == str(award) else f', grade = "{grade}"'
            if self.maybe(0.3) and award > 1:
                more += f', after = "{GRADES[award - 2]}", wait_months = {pick([0, 1, 12])}'
            if self.maybe(0.4):
                more += f", valid_months = {pick([1, 12])}"
            steps.append(f'{{ award = {award}, when = "«{self.bool_(2)}»"{more} }}')
        steps = [each.replace('after = "1", ', "") if False else each for each in steps]
        head = [] if main else [f"[version.scheme.{name}]"]
        self.subject["int"] += [] if main else [name]
        return "\n".join([*head, *lines, f"step = [{', '.join(steps)}]"])

    def credit(self) -> str:
        parts = {
            'select': f'select = "«{self.bool_credit()}»"',
            "once": "once = true",
            "coefficient": 'coefficient = { by = "category", percent = { "献血" = 150, "助老" = 33 } }',
            "day_percent": f'day_percent = "«choose(served_on >= registered_on, 110, {self.number()})»"',
            "limit": f'limit = [{{ per = "{self.random.choice(["day", "day", "month"])}", at_most = "{max(self.number(), 0)}" }}]',
        }  # fmt: skip
        chosen = [text for text in parts.values() if self.maybe(0.4)]
        return "\n".join(["[version.credit]", *chosen]) if chosen else ""

    def bool_credit(self) -> str:
        return self.random.choice([f"claimed_minutes >= {self.number()}", "category != '环保'", "kind == 'service'",
                                   "served_on >= registered_on", "quantity != 1 or member == '王芳'"])  # fmt: skip

    def answer(self, name: str) -> str:
        type_ = self.random.choice(["bool", "int", "date", "words"])
        if type_ == "words":
            return f'[version.answer.{name}]\n"可评" = "«{self.bool_(2)}»"\n"待评" = "«{self.bool_(1)}»"'
        rule = {"bool": self.bool_, "int": self.int_, "date": self.date}[type_](2)
        self.subject[type_].append(name)
        return f'[version.answer]\n{name} = "«{rule}»"'

    def text(self) -> str:
        body = [self.measure(f"m{i}") for i in range(self.random.randint(1, 3))]
        if self.maybe(0.5):
            body.append(self.lookup())
        if self.maybe(0.6):
            body.append(self.answer("a1"))
        if self.maybe(0.4):
            body.append(self.scheme("other", main=False))
        if self.maybe(0.1):
            body.append('[version.measure.left]\nbalance = "minutes"\nspends = "quantity"')
            self.subject["int"].append("left")
        main = self.scheme("medal", main=True)
        if self.maybe(0.15):
            main = f"suspended_from = {self.random.choice(['2026-11-25', '2026-11-26'])}\n{main}"
        return "\n".join([HEAD + main, *([self.credit()] if self.maybe(0.6) else []), *body])

    # The subjects

    def records(self) -> list[Record]:
        pick, numbers = self.random.choice, [n + d for n in self.numbers for d in (-1, 0, 1)]
        days = [TODAY - n for n in (*numbers, 0, 1, 31, 32, 200, 250, 300, 329, 366, 400)] + [TODAY + 1]
        found = []
        for i in range(self.random.choice([0, 1, 3, 6, 9])):
            kind = pick(KINDS)
            of_award = {"scheme": "", "grade": "", "member": pick(MEMBERS)}
            if kind in ("award", "revocation"):
                of_award |= {"scheme": pick(["medal", "medal", "other"]), "grade": pick(GRADES)}
            found.append(Record(i, pick(days), pick([-1, 0, 600, 601]), pick([0, 60, 120]), max(pick(numbers), 0),
                                pick(CATEGORIES), kind=kind, quantity=pick(numbers), facts=of_award))  # fmt: skip
        return found

    def facts(self) -> dict[str, Any]:
        pick = self.random.choice
        near = [n + d for n in self.numbers for d in (-1, 0, 1)]
        all_ = {"kept": pick(near), "ready": pick([True, False]), "town": pick(TOWNS), "since_on": TODAY - pick(near),
                "registered_on": TODAY - pick(near), "birth_date": TODAY - 365 * pick([14, 18, 60]) - pick(near)}  # fmt: skip
        return {name: value for name, value in all_.items() if self.maybe(0.85)}


def columns_of(records: list[list[Record]]) -> dict[str, Any]:
    """Put records in columns, mixed as they may come, each subject's in their order."""
    rows = sorted(
        ((i, one) for i, own in enumerate(records) for one in own), key=lambda row: (row[1].record_id, row[0])
    )
    code = WORDS.index
    return {
        "volunteer": np.array([i for i, _ in rows], np.int32),
        **{name: np.array([getattr(one, name) for _, one in rows], np.int32)
           for name in ("served_on", "start_minute", "clock_minutes", "claimed_minutes", "quantity")},
        **{name: np.array([code(getattr(one, name)) for _, one in rows], np.int16) for name in ("category", "kind")},
        **{name: np.array([code(one.facts[name]) for _, one in rows], np.int16)
           for name in ("scheme", "grade", "member")},
    }  # fmt: skip


def known_of(facts: list[dict[str, Any]]) -> dict[str, Known]:
    found = {}
    for name in ("kept", "ready", "town", "since_on", "registered_on", "birth_date"):
        given = [each.get(name) for each in facts]
        plain = [WORDS.index(value) if isinstance(value, str) else value or 0 for value in given]
        kind = bool if name == "ready" else np.int32
        found[name] = Known(np.array(plain, kind), np.array([value is not None for value in given]))
    return found


def read(seed: int) -> tuple[str, Author]:
    """Return the first rulebook from a seed on that the reader takes."""
    for attempt in range(200):
        author = Author(seed * 1000 + attempt)
        text = author.text()
        try:
            Rulebook.loads(plain(text))
        except RulebookError:  # a circle, or a total asked of a single record
            continue
        return text, author
    raise AssertionError("no rulebook of two hundred can be read")


def plain(text: str, change: Callable[[str], str] = str) -> str:
    return re.sub("«(.*?)»", lambda found: change(found[1]), text)


def outcome(decision: Decision) -> dict[str, Any]:
    facts = {name: value for name, value in decision.facts.items() if not isinstance(value, tuple)}
    answers = {name: value if isinstance(value, tuple) else day_number(value) if isinstance(value, dt.date) else value
               for name, value in decision.answers.items()}  # fmt: skip
    grantings = {
        name: (each.eligible, each.held, each.grantable) for name, each in decision.grantings.items()
    }
    return {"facts": facts, "answers": answers, "grantings": grantings}


def outcome_at(found: Decisions, i: int) -> dict[str, Any]:
    def value(name: str, known: Any) -> Any:
        if not isinstance(known, Known):
            return tuple(word for word, holds in known.items() if holds[i])
        if not known.there[i]:
            return None
        one = known.values[i].item()
        return found.words[one] if name in ("town", "scheme", "grade", "member", "kind") else one

    facts = {name: each for name, known in found.facts.items() if (each := value(name, known)) is not None}
    numbers = {name: [step.award for step in each.scheme.steps] for name, each in found.grantings.items()}

    def which(name: str, row: Any) -> tuple[int, ...]:
        return tuple(number for number, one in zip(numbers[name], row.tolist(), strict=True) if one)

    grantings = {
        name: (None if each.undetermined[i] else which(name, each.eligible[i]), int(each.held[i]), which(name, each.grantable[i]))
        for name, each in found.grantings.items()
    }  # fmt: skip
    return {"facts": facts, "answers": {name: value(name, each) for name, each in found.answers.items()},
            "grantings": grantings}  # fmt: skip


def agree(seed: int) -> str:
    """Decide one way and the other, and compare everything; return why columns could not do it, or "refused"."""
    text, author = read(seed)
    book = Rulebook.loads(plain(text))
    records, facts = [author.records() for _ in range(6)], [author.facts() for _ in range(6)]
    expected, refused = [], ""
    for own, given in zip(records, facts, strict=True):
        try:
            expected.append(outcome(decide(book, ON, records=own, facts=given)))
        except InvalidValue as error:
            refused = error.code
    if refused:
        with pytest.raises(InvalidValue) as caught:
            decide_columns(book, ON, 6, records=columns_of(records), facts=known_of(facts), words=WORDS)
        assert caught.value.code == refused, text
        return "refused"
    found = decide_columns(book, ON, 6, records=columns_of(records), facts=known_of(facts), words=WORDS)
    for i, each in enumerate(expected):
        assert outcome_at(found, i) == each, (seed, i, plain(text))
    shuffled = [decided_again(book, own, given, author) for own, given in zip(records, facts, strict=True)]
    assert shuffled == expected
    return found.one_by_one


def decided_again(book: Rulebook, own: list[Record], given: dict[str, Any], author: Author) -> dict[str, Any]:
    """Decide with the records in another order; those of a day keep theirs."""
    mixed = list(own)
    author.random.shuffle(mixed)
    by_day: dict[int, list[Record]] = {}
    for one in own:
        by_day.setdefault(one.served_on, []).append(one)
    mixed = [by_day[one.served_on].pop(0) for one in mixed]
    return outcome(decide(book, ON, records=mixed, facts=given))


def round_trip(seed: int) -> None:
    """Every rule's text reads as the rule, and a rulebook's digest hangs on no way of writing it."""
    text, _ = read(seed)
    version = Rulebook.loads(plain(text)).versions[0]
    known = {**FACTS, **version.facts, "minutes": MINUTES, **{fact.name: fact for fact in version.declared}}
    for part in version.made:
        names = part.columns if isinstance(part, Lookup) else (part.name,)
        gives = part.gives if isinstance(part, Measure | Answer) else "int"
        known |= {name: Fact(name, gives, name, name) for name in names}
        known["value"] = Fact("value", gives, "", "")
        for rule in part.rules:
            if "value" not in str(rule):
                assert parse_any(str(rule), facts=known)[0] == rule
    spaced = Rulebook.loads(plain(text, lambda rule: rule if rule == "minutes" else f"(  {rule} )")).versions[
        0
    ]
    assert spaced.digest == version.digest
    assert spaced == version


SHARDS = 15


@pytest.mark.parametrize("shard", range(SHARDS))
def test_columns_decide_as_one_by_one(shard: int) -> None:
    reasons = [agree(SEED + shard * 10 + i) for i in range(10)]
    # else columns would never be asked
    assert reasons.count("") >= 3


@pytest.mark.campaign
@pytest.mark.parametrize("shard", range(100))
def test_columns_decide_as_one_by_one_ten_thousand_times(shard: int) -> None:
    for i in range(100):
        agree(SEED + 1_000_000 + shard * 100 + i)


@pytest.mark.parametrize("shard", range(5))
def test_rules_and_digests_survive_being_written(shard: int) -> None:
    for i in range(10):
        round_trip(SEED + shard * 10 + i)


def small(body: str) -> Rulebook:
    return Rulebook.loads(HEAD + 'step = [{ award = 1, when = "m0 >= 1" }]\n' + body)


ONE = {"volunteer": [0], "served_on": [TODAY], "claimed_minutes": [60]}


def test_a_fact_of_the_person_is_never_that_of_a_record() -> None:
    book = small('measure.m0 = { count = "records", where = "registered_on == today" }')
    facts = {"registered_on": np.array([TODAY])}
    found = decide_columns(book, ON, 1, records={**ONE, "registered_on": [TODAY - 1]}, facts=facts)
    assert found.grantings["medal"].award.tolist() == [1]


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ({**ONE, "volunteer": [1]}, "columns_volunteer"),
        ({**ONE, "volunteer": [-1]}, "columns_volunteer"),
        ({"volunteer": [0], "served_on": [TODAY]}, "columns_missing"),
    ],
)
def test_columns_that_cannot_be_right_are_refused(records: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        decide_columns(small('measure.m0 = { count = "records" }'), ON, 1, records=records)
    assert caught.value.code == code


def test_what_columns_cannot_do_is_named() -> None:
    assert why_not(small('measure.m0 = { count = "records" }').versions[0]) == ""
    assert why_not(small('measure.m0 = { balance = "minutes" }').versions[0]) == "balance: m0"
    found = decide_columns(small('measure.m0 = { balance = "minutes" }'), ON, 2, records=ONE)
    assert (found.one_by_one, found.grantings["medal"].award.tolist()) == ("balance: m0", [1, 0])


def test_hash_seeds_do_not_matter() -> None:
    script = (
        "from test_agreement import *\n"
        "for seed in range(SEED, SEED + 10):\n"
        "    text, author = read(seed)\n"
        "    book = Rulebook.loads(plain(text))\n"
        "    print(book.versions[0].digest)\n"
        "    records, facts = [author.records() for _ in range(3)], [author.facts() for _ in range(3)]\n"
        "    try:\n"
        "        found = decide_columns(book, ON, 3, records=columns_of(records), facts=known_of(facts), words=WORDS)\n"
        "        one = decide(book, ON, records=records[0], facts=facts[0])\n"
        "        print(one.as_dict(), [outcome_at(found, i) for i in range(3)], found.one_by_one)\n"
        "    except InvalidValue as error:\n"
        "        print(error.code)\n"
    )
    told = set()
    for hash_seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment,
                              cwd=os.path.dirname(__file__), encoding="utf-8")  # fmt: skip
        told.add(done.stdout)
    assert len(told) == 1
    assert "eligible" in told.pop()
