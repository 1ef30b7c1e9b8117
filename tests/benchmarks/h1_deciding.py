"""A city decided about from its records: measures and steps on columns, one by one, and written by hand.

33,000 volunteers with 700,000 records, some with 2,000 and most with few, and a rulebook of three measures and
five steps: minutes since the last year began, days of service, and the longest run of months with four hours.
No time counts before all answers are equal; medians of three rounds, interleaved.

    python tests/benchmarks/h1_deciding.py [--quick]
"""

from __future__ import annotations

import datetime as dt
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from volunteerkit.rules import Record, Rulebook
from volunteerkit.rules.columns import decide_columns
from volunteerkit.rules.deciding import decide
from volunteerkit.units import day_number

SEED, ROUNDS = 20261125, 3
ON = dt.date(2026, 11, 25)
TODAY, SINCE = day_number(ON), day_number(dt.date(2025, 1, 1))
WORDS = ("助老", "环保", "献血")
RULES = """
id = "bench.medal"
decides = "bench.medal"
[[version]]
effective_from = 2020-01-01
citation = "a benchmark"
measure.year_minutes = { sum = "minutes", from = "date(2025, 1, 1)", where = "category != '献血'" }
measure.days = { count = "days" }
measure.regular_months = { sum = "minutes", per = "month", having = "value >= 4 * 60", take = "run" }
step = [
  { award = 1, when = "year_minutes >= 20 * 60" },
  { award = 2, when = "year_minutes >= 50 * 60 and days >= 5" },
  { award = 3, when = "year_minutes >= 100 * 60 and (days >= 24 or regular_months >= 6)" },
  { award = 4, when = "year_minutes >= 200 * 60 and regular_months >= 3" },
  { award = 5, when = "year_minutes >= 400 * 60 and days >= 48 and regular_months >= 6" },
]
"""


def make(volunteers: int, records: int) -> dict[str, Any]:
    """Return records in order of (volunteer, day)."""
    rng = np.random.default_rng(SEED)
    share = rng.pareto(1.2, volunteers) + 0.02
    who = rng.choice(volunteers, records, p=share / share.sum())
    day = TODAY - rng.integers(0, 1500, records)
    order = np.lexsort((day, who))
    return {"volunteer": who[order], "served_on": day[order], "claimed_minutes": rng.integers(15, 600, records),
            "category": rng.integers(0, 3, records)}  # fmt: skip


def one_by_one(data: dict[str, Any], volunteers: int, book: Rulebook) -> list[int]:
    rows = zip(
        *(data[name].tolist() for name in ("volunteer", "served_on", "claimed_minutes", "category")),
        strict=True,
    )
    own: list[list[Record]] = [[] for _ in range(volunteers)]
    for i, (who, day, minutes, category) in enumerate(rows):
        own[who].append(Record(i, day, -1, 0, minutes, WORDS[category]))
    return [decide(book, ON, records=records).grantings["medal"].award or 0 for records in own]


def on_columns(data: dict[str, Any], volunteers: int, book: Rulebook) -> list[int]:
    found = decide_columns(book, ON, volunteers, records=data, words=WORDS)
    return list(found.grantings["medal"].award.tolist())


def grades(minutes: Any, days: Any, months: Any) -> list[int]:
    steps = [
        minutes >= 1200,
        (minutes >= 3000) & (days >= 5),
        (minutes >= 6000) & ((days >= 24) | (months >= 6)),
        (minutes >= 12_000) & (months >= 3),
        (minutes >= 24_000) & (days >= 48) & (months >= 6),
    ]
    return list(np.max([each * award for award, each in enumerate(steps, 1)], axis=0).tolist())


def numpy_by_hand(data: dict[str, Any], volunteers: int) -> list[int]:
    who, day, minutes = data["volunteer"], data["served_on"], data["claimed_minutes"]
    some = (day >= SINCE) & (data["category"] != 2)
    total = np.bincount(who[some], minutes[some], volunteers)
    new_day = np.ones(len(who), bool)
    new_day[1:] = (who[1:] != who[:-1]) | (day[1:] != day[:-1])
    days = np.bincount(who[new_day], minlength=volunteers)
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    starts = np.ones(len(who), bool)
    starts[1:] = (who[1:] != who[:-1]) | (month[1:] != month[:-1])
    first = np.flatnonzero(starts)
    full = first[np.add.reduceat(minutes, first) >= 240]
    mine, its = who[full], month[full]
    breaks = np.ones(len(full), bool)
    breaks[1:] = (mine[1:] != mine[:-1]) | (its[1:] != its[:-1] + 1)
    begins = np.flatnonzero(breaks)
    longest = np.zeros(volunteers, np.int64)
    np.maximum.at(longest, mine[begins], np.diff(begins, append=len(full)))
    return grades(total, days, longest)


def polars_by_hand(data: dict[str, Any], volunteers: int) -> list[int]:
    frame = pl.LazyFrame(data).with_columns(
        month=pl.col("served_on").cast(pl.Int32).cast(pl.Date).dt.truncate("1mo")
    )
    totals = frame.group_by("volunteer").agg(
        minutes=pl.col("claimed_minutes")
        .filter((pl.col("served_on") >= SINCE) & (pl.col("category") != 2))
        .sum(),
        days=pl.col("served_on").n_unique(),
    )
    months = (
        frame.group_by("volunteer", "month").agg(value=pl.col("claimed_minutes").sum()).filter(pl.col("value") >= 240)
        .sort("volunteer", "month")
        .with_columns(number=pl.col("month").dt.year().cast(pl.Int64) * 12 + pl.col("month").dt.month())
        .with_columns(chain=pl.col("number") - pl.int_range(pl.len()).over("volunteer"))
        .group_by("volunteer", "chain").len().group_by("volunteer").agg(months=pl.col("len").max())
    )  # fmt: skip
    every = pl.LazyFrame({"volunteer": np.arange(volunteers)})
    found = (
        every.join(totals, on="volunteer", how="left").join(months, on="volunteer", how="left").fill_null(0)
    )
    table = found.sort("volunteer").collect()
    return grades(*(table[name].to_numpy().astype(np.int64) for name in ("minutes", "days", "months")))


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Return one row a comparison: name, ours_s, contender, contender_s, ratio, same_answer."""
    volunteers, records = (3_000, 60_000) if quick else (33_000, 700_000)
    data, book = make(volunteers, records), Rulebook.loads(RULES)
    tasks: dict[str, Callable[[], list[int]]] = {
        "columns": lambda: on_columns(data, volunteers, book),
        "one by one": lambda: one_by_one(data, volunteers, book),
        "NumPy by hand": lambda: numpy_by_hand(data, volunteers),
        "Polars by hand": lambda: polars_by_hand(data, volunteers),
    }
    answers = {name: task() for name, task in tasks.items()}
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(each) for name, each in times.items()}
    return [
        {
            "name": "H1 deciding from records",
            "ours_s": round(medians["columns"], 4),
            "contender": name,
            "contender_s": round(medians[name], 4),
            "ratio": round(medians["columns"] / medians[name], 3),
            "same_answer": answers["columns"] == answers[name],
        }
        for name in tasks
        if name != "columns"
    ]


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(f"{row['name']:26s} {row['ours_s']:8.4f} s  {row['contender']:16s} {row['contender_s']:8.4f} s  "
              f"ratio {row['ratio']:.3f}  same answer {row['same_answer']}")  # fmt: skip
