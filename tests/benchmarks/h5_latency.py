"""H5.1: rating one volunteer of 100 records through the public API, against functions written by hand.

The rule is the one of ``h1_rerating``. ``explained`` keeps, on both sides, what every record counted, what
the day's limit took and what is short of the next grade; on neither side text is made.

    python tests/benchmarks/h5_latency.py [--quick]
"""

from __future__ import annotations

import datetime as dt
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from volunteerkit.rules import FACTS, Record, Rulebook, assess, credit

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
[version.coefficient]
by = "category"
percent = {{ {", ".join(f'"{word}" = {percent}' for word, percent in zip(WORDS, PERCENTS, strict=True))} }}
[version.day]
at_most = "choose(served_on < adult_on, 240, 480)"
percent = "choose(served_on >= senior_on, 120, 100)"
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
    found = []
    for name, mine, contender, theirs in pairs:
        rounds = [(best(mine, 0.02), best(theirs, 0.02)) for _ in range(3 if quick else 9)]
        ours_s, theirs_s = (statistics.median(each) for each in zip(*rounds, strict=True))
        found.append({
            "name": name, "ours_s": ours_s, "contender": contender, "contender_s": theirs_s,
            "ratio": round(ours_s / theirs_s, 3), "same_answer": mine()[:2] == theirs()[:2],
        })  # fmt: skip
    return found


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(f"{row['name']:32s} {row['ours_s'] * 1e6:8.1f} us  {row['contender']:20s} {row['contender_s'] * 1e6:8.1f} us  "
              f"ratio {row['ratio']:.3f}  same answer {row['same_answer']}")  # fmt: skip
