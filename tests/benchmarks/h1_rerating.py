"""H1.1-H1.3: a whole city rated again from columns, against engines and NumPy written by hand.

The rule: records in state 0 up to a day; minutes times a percentage of their category; a limit for each
volunteer and day, lower before the 18th birthday; 120 percent from the 60th; five grades. The library
takes it from a rulebook in TOML with a fact that a plugin declares (``state``); the others have it written
out. Rounds are interleaved, medians of five, and no time counts before the checksums are equal.

    python tests/benchmarks/h1_rerating.py [--quick]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import numpy as np
import polars as pl

from volunteerkit.rules import FACTS, Fact, Rulebook
from volunteerkit.rules.kernel import credit_columns, grade_columns

SEED = 20261123
ROUNDS = 5
PERCENTS = (100, 100, 120, 150, 80, 100, 130, 200)
WORDS = ("助老", "助残", "环保", "献血", "文体", "助学", "交通", "应急")
AS_OF, DAYS = 3500, 3650
LIMIT, LIMIT_MINOR, SENIOR = 480, 240, 120
HOURS = (100, 300, 600, 1000, 1500)
SCALED = tuple(hours * 60 * 10_000 for hours in HOURS)

CREDIT = f"""
id = "bench.credit"
decides = "credit"
[[version]]
effective_from = 2020-01-01
citation = "benchmark"
select = "state == 0"
coefficient = {{ by = "category", percent = {{ {", ".join(f'"{word}" = {percent}' for word, percent in zip(WORDS, PERCENTS, strict=True))} }} }}
limit = [{{ per = "day", at_most = "choose(served_on < adult_on, {LIMIT_MINOR}, {LIMIT})" }}]
day_percent = "choose(served_on >= senior_on, {SENIOR}, 100)"
"""
LADDER = """
id = "bench.star"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "benchmark"
step = [
""" + "".join(
    f'  {{ award = {i}, when = "credited_minutes >= {hours} * 60" }},\n' for i, hours in enumerate(HOURS, 1)
) + "]"  # fmt: skip

Run = Callable[[], list[int]]


def make(volunteers: int, records: int) -> dict[str, np.ndarray]:
    """Return records in the order of entry: skewed activity, some days with several records."""
    rng = np.random.default_rng(SEED)
    weight = rng.lognormal(0.0, 1.0, volunteers)
    volunteer = np.repeat(
        np.arange(volunteers, dtype=np.int32), rng.multinomial(records, weight / weight.sum())
    )
    rng.shuffle(volunteer)
    day = np.sort(rng.integers(0, DAYS, records, dtype=np.int16))
    again = np.flatnonzero(rng.random(records - 1) < 0.15) + 1
    volunteer[again], day[again] = volunteer[again - 1], day[again - 1]
    born = rng.integers(-80 * 365, -6 * 365, volunteers, dtype=np.int32)
    return {
        "volunteer": volunteer,
        "day": day,
        "minutes": (rng.integers(2, 41, records, dtype=np.int16) * 15).astype(np.int16),
        "category": rng.integers(0, len(WORDS), records, dtype=np.int8),
        "state": np.digitize(rng.random(records), (0.90, 0.95, 0.98)).astype(np.int8),
        "adult": (born + 18 * 365).astype(np.int32),
        "senior": (born + 60 * 365).astype(np.int32),
    }


def clustered(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    order = np.lexsort((data["day"], data["volunteer"]))
    return {name: column[order] if len(column) == len(order) else column for name, column in data.items()}


def checksum(total: Any, grade: Any) -> list[int]:
    return [
        int(np.asarray(total).sum()),
        *np.bincount(np.asarray(grade).astype(np.int64), minlength=6).tolist(),
    ]


def grade_of(total: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.array(SCALED), total, side="right").astype(np.int8)


def ours(data: dict[str, np.ndarray], *, ordered: bool, threads: int) -> Run:
    declared = {**FACTS, "state": Fact("state", "int", "状态", "state")}
    credit = Rulebook.loads(CREDIT, facts=declared).versions[0]
    ladder = Rulebook.loads(LADDER).versions[0]
    names = {"volunteer": "volunteer", "served_on": "day", "claimed_minutes": "minutes", "category": "category",
             "state": "state"}  # fmt: skip
    records = {name: data[column] for name, column in names.items()}
    persons = {"adult_on": data["adult"], "senior_on": data["senior"]}

    def run() -> list[int]:
        totals = credit_columns(credit, records, persons, len(data["adult"]), clustered=ordered, as_of=AS_OF,
                                vocabulary={"category": WORDS}, threads=threads)  # fmt: skip
        return checksum(totals.scaled, grade_columns(ladder, {"credited_minutes": totals.credited_minutes}))

    return run


def numpy_blocks(data: dict[str, np.ndarray], threads: int) -> Run:
    """Unordered, by hand: dealt to blocks of 16,384 volunteers, packed and sorted there."""
    people = len(data["adult"])
    percents = np.array(PERCENTS, np.uint32)
    blocks = people // 16384 + 1

    def run() -> list[int]:
        keep = (data["state"] == 0) & (data["day"] <= AS_OF)
        volunteer = data["volunteer"][keep]
        low = (data["day"][keep].astype(np.uint32) << np.uint32(20)) | (
            data["minutes"][keep].astype(np.uint32) * percents[data["category"][keep]]
        )
        key = (volunteer.astype(np.uint64) << np.uint64(32)) | low
        block = (volunteer // 16384).astype(np.uint8 if blocks <= 256 else np.uint16)
        order = np.argsort(block, kind="stable")
        key = key[order]
        edges = np.searchsorted(block[order], np.arange(blocks + 1))
        total = np.zeros(people, np.int64)

        def one(i: int) -> None:
            part = key[edges[i] : edges[i + 1]]
            if not len(part):
                return
            part.sort()
            group = part >> np.uint64(20)
            starts = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))
            value = np.add.reduceat((part & np.uint64(0xFFFFF)).astype(np.int64), starts)
            group = group[starts]
            who = (group >> np.uint64(12)).astype(np.int64)
            day = (group & np.uint64(0xFFF)).astype(np.int32)
            value = np.minimum(value, np.where(day < data["adult"][who], LIMIT_MINOR * 100, LIMIT * 100))
            value *= np.where(day >= data["senior"][who], SENIOR, 100)
            first = np.flatnonzero(np.concatenate(([True], who[1:] != who[:-1])))
            total[who[first]] = np.add.reduceat(value, first)

        in_threads(one, range(blocks), threads)
        return checksum(total, grade_of(total))

    return run


def numpy_clustered(data: dict[str, np.ndarray], threads: int) -> Run:
    """Clustered, by hand: runs are summed in blocks of 4,096 volunteers, nothing is sorted."""
    people = len(data["adult"])
    edges = np.searchsorted(data["volunteer"], np.arange(0, people + 4096, 4096))
    percents = np.array(PERCENTS, np.int32)

    def run() -> list[int]:
        total = np.zeros(people, np.int64)

        def one(i: int) -> None:
            part = slice(edges[i], edges[i + 1])
            if edges[i] == edges[i + 1]:
                return
            who, day = data["volunteer"][part], data["day"][part]
            value = data["minutes"][part] * percents[data["category"][part]]
            value *= data["state"][part] == 0
            value *= day <= AS_OF
            first = np.empty(len(who), bool)
            first[0] = True
            np.not_equal(who[1:], who[:-1], out=first[1:])
            first[1:] |= day[1:] != day[:-1]
            starts = np.flatnonzero(first)
            value, who, day = np.add.reduceat(value, starts), who[starts], day[starts]
            value = np.minimum(value, np.where(day < data["adult"][who], LIMIT_MINOR * 100, LIMIT * 100))
            value = value * np.where(day >= data["senior"][who], SENIOR, 100)
            last = np.flatnonzero(np.concatenate(([True], who[1:] != who[:-1])))
            total[who[last]] = np.add.reduceat(value.astype(np.int64), last)

        in_threads(one, range(len(edges) - 1), threads)
        return checksum(total, grade_of(total))

    return run


def in_threads(one: Callable[[int], None], items: range, threads: int) -> None:
    if threads == 1:
        for i in items:
            one(i)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, items))


def frames(data: dict[str, np.ndarray]) -> tuple[pl.DataFrame, pl.DataFrame]:
    columns = ("volunteer", "day", "minutes", "category", "state")
    people = {
        "volunteer": np.arange(len(data["adult"]), dtype=np.int32),
        "adult": data["adult"],
        "senior": data["senior"],
    }
    return pl.DataFrame({name: data[name] for name in columns}), pl.DataFrame(people)


def polars_days(days: pl.LazyFrame, people: pl.DataFrame, *, keep_order: bool) -> list[int]:
    limit = pl.when(pl.col("day") < pl.col("adult")).then(LIMIT_MINOR * 100).otherwise(LIMIT * 100)
    factor = pl.when(pl.col("day") >= pl.col("senior")).then(SENIOR).otherwise(100)
    valued = days.join(people.lazy(), on="volunteer", maintain_order="left" if keep_order else "none").select(
        pl.col("volunteer").set_sorted() if keep_order else "volunteer",
        value=pl.min_horizontal("value", limit).cast(pl.Int64) * factor,
    )
    total = valued.group_by("volunteer", maintain_order=keep_order).agg(total=pl.col("value").sum())
    everybody = people.lazy().select("volunteer").join(total, on="volunteer", how="left")
    rated = everybody.with_columns(pl.col("total").fill_null(0)).with_columns(
        grade=sum((pl.col("total") >= step).cast(pl.Int8) for step in SCALED)
    )
    out = rated.collect()
    return checksum(out["total"].to_numpy(), out["grade"].to_numpy())


def polars_lazy(data: dict[str, np.ndarray]) -> Run:
    """Unordered, grouped by one packed key: the faster of the two usual ways to write it."""
    records, people = frames(data)

    def run() -> list[int]:
        percent = pl.col("category").replace_strict(list(range(8)), list(PERCENTS), return_dtype=pl.Int32)
        days = (
            records.lazy()
            .filter((pl.col("state") == 0) & (pl.col("day") <= AS_OF))
            .select(
                key=pl.col("volunteer").cast(pl.UInt32) * 4096 + pl.col("day").cast(pl.UInt32),
                value=pl.col("minutes").cast(pl.Int32) * percent,
            )
            .group_by("key")
            .agg(pl.col("value").sum())
            .select((pl.col("key") // 4096).cast(pl.Int32).alias("volunteer"),
                    (pl.col("key") % 4096).cast(pl.Int16).alias("day"), "value")
        )  # fmt: skip
        return polars_days(days, people, keep_order=False)

    return run


def polars_sorted(data: dict[str, np.ndarray]) -> Run:
    """Clustered, with that order declared on the packed key."""
    records, people = frames(data)
    packed = records.select(
        pl.col("volunteer").cast(pl.UInt32).mul(4096).add(pl.col("day").cast(pl.UInt32)).alias("key").set_sorted(),
        "minutes", "category", "state",
    )  # fmt: skip

    def run() -> list[int]:
        percent = pl.col("category").replace_strict(list(range(8)), list(PERCENTS), return_dtype=pl.Int32)
        days = (
            packed.lazy()
            .filter((pl.col("state") == 0) & (pl.col("key") % 4096 <= AS_OF))
            .select(pl.col("key").set_sorted(), value=pl.col("minutes").cast(pl.Int32) * percent)
            .group_by("key", maintain_order=True)
            .agg(pl.col("value").sum())
            .select((pl.col("key") // 4096).cast(pl.Int32).set_sorted().alias("volunteer"),
                    (pl.col("key") % 4096).cast(pl.Int16).alias("day"), "value")
        )  # fmt: skip
        return polars_days(days, people, keep_order=True)

    return run


def duckdb_sql(data: dict[str, np.ndarray], *, ordered: bool) -> Run:
    records, people = frames(data)
    connection = duckdb.connect()
    connection.register("r", {name: records[name].to_numpy() for name in records.columns})
    connection.register("p", {name: people[name].to_numpy() for name in people.columns})
    connection.execute(
        "CREATE TABLE records AS SELECT * FROM r" + (" ORDER BY volunteer, day" if ordered else "")
    )
    connection.execute("CREATE TABLE people AS SELECT * FROM p")
    case = " ".join(f"WHEN {i} THEN {percent}" for i, percent in enumerate(PERCENTS) if percent != 100)
    steps = " + ".join(f"(coalesce(total, 0) >= {step})::INT" for step in SCALED)
    query = f"""
        WITH days AS (
            SELECT volunteer, day, sum(minutes * CASE category {case} ELSE 100 END)::BIGINT AS value
            FROM records WHERE state = 0 AND day <= {AS_OF} GROUP BY volunteer, day),
        totals AS (
            SELECT d.volunteer, sum(least(value, CASE WHEN day < adult THEN {LIMIT_MINOR * 100} ELSE {LIMIT * 100} END)
                * CASE WHEN day >= senior THEN {SENIOR} ELSE 100 END)::BIGINT AS total
            FROM days d JOIN people p ON p.volunteer = d.volunteer GROUP BY d.volunteer)
        SELECT coalesce(total, 0) AS total, {steps} AS grade
        FROM people p LEFT JOIN totals t ON t.volunteer = p.volunteer"""

    def run() -> list[int]:
        out = connection.execute(query).fetchnumpy()
        return checksum(out["total"], out["grade"])

    return run


def interleaved(contenders: dict[str, Run]) -> tuple[dict[str, float], dict[str, list[int]]]:
    answers = {name: run() for name, run in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in times.items()}, answers


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Return one row a comparison: name, ours_s, contender, contender_s, ratio, same_answer."""
    data = make(10_000, 200_000) if quick else make(100_000, 2_000_000)
    by_volunteer = clustered(data)
    medians, answers = interleaved({
        "ours unordered, 2 threads": ours(data, ordered=False, threads=2),
        "ours unordered": ours(data, ordered=False, threads=1),
        "ours clustered, 2 threads": ours(by_volunteer, ordered=True, threads=2),
        "ours clustered": ours(by_volunteer, ordered=True, threads=1),
        "NumPy by hand, blocks, 2 threads": numpy_blocks(data, 2),
        "NumPy by hand, blocks": numpy_blocks(data, 1),
        "NumPy by hand, clustered, 2 threads": numpy_clustered(by_volunteer, 2),
        "NumPy by hand, clustered": numpy_clustered(by_volunteer, 1),
        "Polars lazy": polars_lazy(data),
        "Polars, sorted key": polars_sorted(by_volunteer),
        "DuckDB": duckdb_sql(data, ordered=False),
        "DuckDB, clustered table": duckdb_sql(data, ordered=True),
    })  # fmt: skip
    best = min("Polars lazy", "DuckDB", key=medians.__getitem__)
    pairs = [
        ("H1.1 unordered <= 0.80", "ours unordered, 2 threads", best),
        ("H1.2 unordered <= 1.25", "ours unordered", "NumPy by hand, blocks"),
        ("H1.2 unordered <= 1.25", "ours unordered, 2 threads", "NumPy by hand, blocks, 2 threads"),
        ("H1.3 clustered <= 1.25", "ours clustered", "NumPy by hand, clustered"),
        ("H1.3 clustered <= 1.25", "ours clustered, 2 threads", "NumPy by hand, clustered, 2 threads"),
        ("H1.3 clustered <= 0.55", "ours clustered, 2 threads", "Polars, sorted key"),
        ("H1.3 clustered <= 0.35", "ours clustered, 2 threads", "DuckDB, clustered table"),
    ]
    return [
        {
            "name": name,
            "ours_s": round(medians[mine], 4),
            "contender": theirs,
            "contender_s": round(medians[theirs], 4),
            "ratio": round(medians[mine] / medians[theirs], 3),
            "same_answer": answers[mine] == answers[theirs],
        }
        for name, mine, theirs in pairs
    ]


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(f"{row['name']:26s} {row['ours_s']:8.4f} s  {row['contender']:36s} {row['contender_s']:8.4f} s  "
              f"ratio {row['ratio']:.3f}  same answer {row['same_answer']}")  # fmt: skip
