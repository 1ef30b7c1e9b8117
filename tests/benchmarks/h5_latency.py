"""H5: rating one volunteer of 100 records through the public API, against functions written by hand.

The rule is the one of ``h1_rerating``. ``explained`` keeps, on both sides, what every record counted, what
the day's limit took and what is short of the next grade; on neither side text is made (H5.3 has rows with and without the texts).
H5.2 compares kits: ten plugins, each with a rule function, a fact and a review hook, beside none.

    python tests/benchmarks/h5_latency.py [--quick]
"""

from __future__ import annotations

import datetime as dt
import random
import statistics
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

import volunteerkit
from volunteerkit import Actor, Kit, hookimpl, organizations, projects, rating
from volunteerkit.rules import FACTS, Fact, Record, Rulebook, RuleFunction, assess, credit
from volunteerkit.rules.kernel import credit_columns

PERCENTS = (100, 100, 120, 150, 80, 100, 130, 200)
WORDS = ("助老", "助残", "环保", "献血", "文体", "助学", "交通", "应急")
LADDER = tuple(hours * 600_000 for hours in (100, 300, 600, 1000, 1500))
ADULT_ON, SENIOR_ON = 400, 2500
DAY = dt.date(2026, 11, 23)

CREDIT = f"""
id = "bench.credit"
decides = "credit"
[[version]]
effective_from = 1970-01-01
citation = "benchmark"
select = "method == 'confirmed'"
coefficient = {{ by = "category", percent = {{ {", ".join(f'"{word}" = {percent}' for word, percent in zip(WORDS, PERCENTS, strict=True))} }} }}
limit = [{{ per = "day", at_most = "choose(served_on < adult_on, 240, 480)" }}]
day_percent = "choose(served_on >= senior_on, 120, 100)"
"""
STAR = """
id = "bench.star"
decides = "star"
[[version]]
effective_from = 1970-01-01
citation = "benchmark"
step = [
""" + "".join(
    f'  {{ award = {i}, when = "credited_minutes >= {step // 600_000} * 60" }},\n' for i, step in enumerate(LADDER, 1)
) + "]"  # fmt: skip

Row = tuple[int, int, int, int]


def rows(count: int) -> list[Row]:
    chance = random.Random(3)
    return [
        (
            chance.randrange(3000),
            chance.randrange(2, 41) * 15,
            chance.randrange(8),
            0 if chance.random() < 0.9 else 1,
        )
        for _ in range(count)
    ]


def by_hand(given: list[Row], adult_on: int, senior_on: int) -> tuple[int, int]:
    days: dict[int, int] = {}
    for day, minutes, category, state in given:
        if state == 0:
            days[day] = days.get(day, 0) + minutes * PERCENTS[category]
    total = 0
    for day, value in days.items():
        limit = 24_000 if day < adult_on else 48_000
        total += (value if value < limit else limit) * (120 if day >= senior_on else 100)
    grade = 0
    for step in LADDER:
        if total >= step:
            grade += 1
    return total, grade


def by_hand_explained(given: list[Row], adult_on: int, senior_on: int) -> tuple[Any, ...]:
    days: dict[int, list[tuple[int, int]]] = {}
    skipped = []
    for i, (day, minutes, category, state) in enumerate(given):
        if state:
            skipped.append((i, "not confirmed"))
        else:
            days.setdefault(day, []).append((i, minutes * PERCENTS[category]))
    total, lines = 0, []
    for day, items in days.items():
        value = sum(each for _, each in items)
        limit, rule = (24_000, "day limit, minor") if day < adult_on else (48_000, "day limit")
        counted = value if value < limit else limit
        factor = 120 if day >= senior_on else 100
        lines.append((day, items, value, counted, rule if counted != value else None, factor))
        total += counted * factor
    grade = 0
    for step in LADDER:
        if total >= step:
            grade += 1
    return total, grade, lines, skipped, LADDER[grade] - total if grade < 5 else None


def best(function: Callable[[], Any], seconds: float) -> float:
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        began = time.process_time()
        for _ in range(50):
            function()
        times.append((time.process_time() - began) / 50)
    return min(times)


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Return one row a comparison: name, ours_s, contender, contender_s, ratio, same_answer."""
    given = rows(100)
    records = [
        Record(i, day, -1, 0, minutes, WORDS[category], method="other" if state else "confirmed")
        for i, (day, minutes, category, state) in enumerate(given)
    ]
    version = Rulebook.loads(CREDIT, facts=FACTS).versions[0]
    ladder = Rulebook.loads(STAR)
    plain = Rulebook.loads(
        'id="p"\ndecides="credit"\n[[version]]\neffective_from=1970-01-01\ncitation="c"'
    ).versions[0]
    person = {"adult_on": ADULT_ON, "senior_on": SENIOR_ON}

    def rated() -> tuple[int, int | None]:
        credited = credit(version, records, person)
        return credited.scaled, assess(ladder, {"credited_minutes": credited.credited_minutes}, DAY).grade

    def explained() -> tuple[Any, ...]:
        credited = credit(version, records, person)
        ruling = assess(ladder, {"credited_minutes": credited.credited_minutes}, DAY)
        return credited.scaled, ruling.grade, credited, ruling

    def explained_and_read() -> tuple[Any, ...]:
        total, grade, credited, ruling = explained()
        return total, grade, credited.lines, ruling.clauses

    def plain_rated() -> tuple[int, int | None]:
        credited = credit(plain, records)
        return credited.scaled, assess(ladder, {"credited_minutes": credited.credited_minutes}, DAY).grade

    def plain_by_hand() -> tuple[int, int]:
        total = sum(row[1] for row in given)
        return total, sum(total * 10_000 >= step for step in LADDER)

    pairs: list[tuple[str, Callable[[], Any], str, Callable[[], Any]]] = [
        ("H5.1 rating <= 1.6", rated, "by hand", lambda: by_hand(given, ADULT_ON, SENIOR_ON)),
        ("H5.1 explained <= 1.6", explained, "by hand, explained", lambda: by_hand_explained(given, ADULT_ON, SENIOR_ON)),
        ("H5.1 explained, all lines read", explained_and_read, "by hand, explained",
         lambda: by_hand_explained(given, ADULT_ON, SENIOR_ON)),
        ("plain rulebook", plain_rated, "sum by hand", plain_by_hand),
    ]  # fmt: skip

    def texts() -> str:
        credited, ruling = explained()[2:]
        return str([reason.code for line in credited.lines for reason in line.reasons]) + ruling.explain("en")

    read = explained()
    found = []
    for name, mine, contender, theirs in pairs:
        rounds = [(best(mine, 0.02), best(theirs, 0.02)) for _ in range(3 if quick else 9)]
        ours_s, theirs_s = (statistics.median(each) for each in zip(*rounds, strict=True))
        found.append({
            "name": name, "ours_s": ours_s, "contender": contender, "contender_s": theirs_s,
            "ratio": round(ours_s / theirs_s, 3), "same_answer": mine()[:2] == theirs()[:2],
        })  # fmt: skip
    without, with_texts = best(explained, 0.1), best(texts, 0.1)
    found.append({
        "name": "H5.3 unread explanation", "ours_s": without, "contender": "ours, every text read",
        "contender_s": with_texts, "ratio": without / with_texts, "same_answer": read[:2] == explained()[:2],
    })  # fmt: skip
    return found + with_plugins(quick)


def with_plugins(quick: bool) -> list[dict[str, Any]]:
    """Return the rows for H5.2: one rating through a desk, and a city through the kernel."""
    rounds, made = 3 if quick else 9, []
    for name, work, goal in (("one rating", one_rating, "+20 us"), ("H1", city_rating, "<= 1.03")):
        none, ten = work(0), work(10)
        times = [(best(ten, 0.1), best(none, 0.1)) for _ in range(rounds)]
        ours_s, theirs_s = (statistics.median(each) for each in zip(*times, strict=True))
        made.append({
            "name": f"H5.2 ten plugins, {name}, goal {goal}", "ours_s": ours_s, "contender": "no plugin",
            "contender_s": theirs_s, "ratio": round(ours_s / theirs_s, 3), "same_answer": ten() == none(),
        })  # fmt: skip
    return made


def kit_of(count: int) -> Kit:
    """Return a kit with a ladder and ``count`` plugins beside it."""

    def plugin(i: int) -> Any:
        def vk_functions() -> Any:
            return [RuleFunction(f"p{i}.twice", one=lambda minutes: minutes * 2)]

        def vk_facts() -> Any:
            return [Fact(f"fact{i}", "int", "事实", "fact")]

        def vk_review_hours(claim: Any) -> Any:
            return []

        hooks = {each.__name__: hookimpl(each) for each in (vk_functions, vk_facts, vk_review_hours)}
        return SimpleNamespace(__name__=f"p{i}", **hooks)

    return Kit.load("xinyu", *map(plugin, range(count)))


def one_rating(count: int) -> Callable[[], Any]:
    kit, engine = kit_of(count), volunteerkit.create_engine("sqlite://")
    kit.migrate(engine)
    clerk = Actor.of("clerk-7", "centre")
    connection = engine.connect()
    connection.begin()
    desk = kit.desk(connection, clerk)
    organizations.register(desk, "O1", name="联合会")
    projects.register(desk, "P1", name="宣传", organization="O1")
    for i in range(100):
        insert = (
            "INSERT INTO vk_service_record (id, volunteer_id, project_id, organization_id, served_on, start_minute, "
            "clock_minutes, claimed_minutes, confirmed_minutes, state, method, recorded_by) "
            f"VALUES ({i + 1}, 1, 1, 1, {20_000 + i}, -1, 0, 60, 60, 'confirmed', 'import', 'x')"
        )
        if i == 0:
            connection.exec_driver_sql(
                "INSERT INTO vk_volunteer (id, number, organization_id, status, registered_on) "
                "VALUES (1, 'V1', 1, 'approved', 0)"
            )
        connection.exec_driver_sql(insert)
    return lambda: rating.rate_volunteer(desk, "V1", as_of=DAY).assessment.grade


def city_rating(count: int) -> Callable[[], Any]:
    version = kit_of(count).rulebooks["union"].version_on(DAY)
    people, size = 1_000, 20_000
    chance = random.Random(5)
    rows = sorted(
        (chance.randrange(people), chance.randrange(20_000), chance.randrange(1440)) for _ in range(size)
    )
    columns = {name: np.array(column, np.int32) for name, column in
               zip(("volunteer", "served_on", "start_minute"), zip(*rows, strict=True), strict=True)}  # fmt: skip
    columns |= {name: np.full(size, 60, np.int32) for name in ("clock_minutes", "claimed_minutes")}
    return lambda: int(credit_columns(version, columns, {}, people, clustered=True).credited_minutes.sum())


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(f"{row['name']:32s} {row['ours_s'] * 1e6:8.1f} us  {row['contender']:20s} {row['contender_s'] * 1e6:8.1f} us  "
              f"ratio {row['ratio']:.3f}  same answer {row['same_answer']}")  # fmt: skip
