"""H1.8: from the database to stars: the library's reader beside readers written by hand, and SQL alone.

The rule is that of ``h1_rerating``: percentages by category, a limit a day, lower before the 18th birthday,
more from the 60th; the same kernel stands behind every reader, SQL states the rule itself. The rulebook
``plain``, where SQL over the covering index only sums, has rows of its own. Wall seconds, medians.
"""

from __future__ import annotations

import datetime as dt
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, rating
from volunteerkit.hours.crediting import person_facts
from volunteerkit.hours.reading import packed_columns
from volunteerkit.rules import FACTS, Rulebook
from volunteerkit.rules.kernel import credit_columns, grade_columns
from volunteerkit.simulate.population import write_city
from volunteerkit.store.posting import driver, insert_rows
from volunteerkit.units import day_number

TODAY = dt.date(2026, 11, 23)
LAST = day_number(TODAY)
LADDER = (6_000, 18_000, 36_000, 60_000, 90_000)
CLERK = Actor.of("clerk-7", "centre")
SLICE = 16_384  # volunteers read at a time by hand
NEVER = {"adult_on": FACTS["adult_on"].default, "senior_on": FACTS["senior_on"].default}

Run = Callable[[], list[int]]


def rulebook(percents: dict[str, int]) -> Rulebook:
    listed = ", ".join(f'"{word}" = {percent}' for word, percent in percents.items())
    return Rulebook.loads(f"""
id = "bench.credit"
decides = "credit"
[[version]]
effective_from = 1970-01-01
citation = "benchmark"
coefficient = {{ by = "category", percent = {{ {listed} }} }}
limit = [{{ per = "day", at_most = "choose(served_on < adult_on, 240, 480)" }}]
day_percent = "choose(served_on >= senior_on, 120, 100)"
""")


def by_hand(execute: Callable[..., Any], people: int, sqlite: bool) -> dict[str, Any]:
    """Read volunteer, day, minutes and project packed by the database, slice by slice."""
    word = (
        "((volunteer_id - {0}){1} << 47) | (served_on{1} << 31) | (confirmed_minutes{1} << 20) | project_id"
    )
    parts = []
    for first in range(0, people, SLICE):
        packed = word.format(first, "" if sqlite else "::bigint")
        gathered = f"group_concat({packed}, ' ')" if sqlite else f"string_agg(int8send({packed}), ''::bytea)"
        found = execute(
            f"SELECT {gathered} FROM vk_service_record WHERE state = 'confirmed' AND served_on <= ? "
            "AND volunteer_id >= ? AND volunteer_id < ?", (LAST, first, first + SLICE),
        ).fetchone()[0]  # fmt: skip
        if found:
            rows = (
                np.fromstring(found, np.int64, sep=" ")
                if sqlite
                else np.frombuffer(found, ">i8").astype(np.int64)
            )
            rows.sort()
            parts.append(rows + (first << 47))
    rows = np.concatenate(parts)
    return {
        "volunteer": (rows >> 47).astype(np.int32),
        "served_on": (rows >> 31 & 0xFFFF).astype(np.int32),
        "claimed_minutes": (rows >> 20 & 0x7FF).astype(np.int32),
        "project": (rows & 0xFFFFF).astype(np.int32),
    }


def birthdays(connection: sa.Connection, people: int) -> dict[str, Any]:
    """Return everybody's birthdays as columns, and put them into a table for SQL: nobody is timed with them."""
    execute = driver(connection)
    columns = {name: np.full(people, never, np.int64) for name, never in NEVER.items()}
    for id_, registered_on, adult_on in execute(
        "SELECT id, registered_on, adult_on FROM vk_volunteer", ()
    ).fetchall():
        for name, day in person_facts(registered_on, adult_on).items():
            if name in columns:
                columns[name][id_] = day
    execute("CREATE TEMP TABLE birthdays (id bigint PRIMARY KEY, adult_on bigint, senior_on bigint)", ())
    rows = np.stack([np.arange(people), columns["adult_on"], columns["senior_on"]], axis=1)
    insert_rows(connection, "birthdays", ("id", *NEVER), rows.tolist())
    execute("ANALYZE birthdays", ())
    return columns


def rated_sql(percents: dict[str, int], sqlite: bool) -> str:
    least = "min" if sqlite else "least"
    steps = " + ".join(f"CASE WHEN total >= {step * 10_000} THEN 1 ELSE 0 END" for step in LADDER)
    case = " ".join(f"WHEN '{word}' THEN {percent}" for word, percent in percents.items())
    return f"""
        WITH days AS (
            SELECT r.volunteer_id, r.served_on, sum(r.confirmed_minutes * p.percent) AS value FROM vk_service_record r
            JOIN (SELECT id, CASE category {case} ELSE 100 END AS percent FROM vk_project) p ON p.id = r.project_id
            WHERE r.state = 'confirmed' AND r.served_on <= {LAST} GROUP BY r.volunteer_id, r.served_on),
        totals AS (
            SELECT d.volunteer_id, sum({least}(d.value, CASE WHEN d.served_on < b.adult_on THEN 24000 ELSE 48000 END)
                * CASE WHEN d.served_on >= b.senior_on THEN 120 ELSE 100 END) AS total
            FROM days d JOIN birthdays b ON b.id = d.volunteer_id GROUP BY d.volunteer_id)
        SELECT {steps} AS stars, count(*) FROM totals GROUP BY 1"""


def plain_sql() -> str:
    steps = " + ".join(f"CASE WHEN minutes >= {step} THEN 1 ELSE 0 END" for step in LADDER)
    return (
        f"SELECT {steps} AS stars, count(*) FROM (SELECT sum(confirmed_minutes) AS minutes FROM vk_service_record "
        f"WHERE state = 'confirmed' AND served_on <= {LAST} GROUP BY volunteer_id) AS totals GROUP BY 1"
    )


def contenders(kit: Kit, engine: sa.Engine) -> dict[str, dict[str, Run]]:
    """Return for each rule the contenders by name, on one open connection."""
    connection = engine.connect()
    execute, sqlite = driver(connection), engine.dialect.name == "sqlite"
    people = execute("SELECT max(id) + 1 FROM vk_volunteer", ()).fetchone()[0]
    categories = [row[0] for row in execute("SELECT DISTINCT category FROM vk_project ORDER BY category", ())]
    percents = {word: 80 + 20 * (i % 5) for i, word in enumerate(categories)}
    book = rulebook(percents)
    ladder = kit.rulebooks["xinyu.star"].version_on(TODAY)
    desk = kit.desk(connection, CLERK)
    persons = birthdays(connection, people)

    def graded(version: Any, records: dict[str, Any], persons: dict[str, Any]) -> list[int]:
        words = {"category": tuple(categories)} if "category" in records else {}
        totals = credit_columns(version, records, persons, people, clustered=True, vocabulary=words)
        grades = grade_columns(ladder, {"credited_minutes": totals.credited_minutes})
        return np.bincount(grades, minlength=6).tolist()  # type: ignore[no-any-return]

    def rated(records: dict[str, Any]) -> list[int]:
        code = np.zeros(execute("SELECT max(id) + 1 FROM vk_project", ()).fetchone()[0], np.int32)
        for id_, category in execute("SELECT id, category FROM vk_project", ()):
            code[id_] = categories.index(category)
        records["category"] = code[records.pop("project")]
        return graded(book.versions[0], records, persons)

    def sql(query: str) -> list[int]:
        counted = {stars: count for stars, count in execute(query, ()).fetchall()}
        counted[0] = people - sum(count for stars, count in counted.items() if stars)
        return [counted.get(star, 0) for star in range(6)]

    plain, columns = kit.rulebooks["plain"].version_on(TODAY), ("served_on", "claimed_minutes")
    return {
        "": {
            "ours": lambda: rated(packed_columns(connection, LAST, (*columns, "project"))),
            "packed by hand": lambda: rated(by_hand(execute, people, sqlite)),
            "all in SQL": lambda: sql(rated_sql(percents, sqlite)),
        },
        " (plain)": {
            "ours": lambda: graded(plain, packed_columns(connection, LAST, columns), {}),
            "all in SQL": lambda: sql(plain_sql()),
            "rate_city, all of it": lambda: np.bincount(
                [*rating.rate_city(desk, rulebook="plain", as_of=TODAY).grades, 0], minlength=6).tolist(),
        },
    }  # fmt: skip


def compared(kit: Kit, url: str, folder: Path, rounds: int) -> list[dict[str, Any]]:
    engine = volunteerkit.create_engine(url)
    kit.migrate(engine)
    kit.import_directory(engine, CLERK, folder, as_of=TODAY)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    goals = {"packed by hand": 1.2, "all in SQL": 0.4 if engine.dialect.name == "sqlite" else 0.35}
    rows = []
    for rule, found in contenders(kit, engine).items():
        answers = {name: run() for name, run in found.items()}
        times: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(rounds):
            for name, run in found.items():
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
        cost = {name: statistics.median(each) for name, each in times.items()}
        rows += [
            {"name": f"H1.8 {engine.dialect.name}{rule}" + ("" if rule else f", goal <= {goals[name]}"),
             "ours_s": cost["ours"], "contender": name, "contender_s": cost[name],
             "ratio": cost["ours"] / cost[name], "same_answer": answers[name] == answers["ours"]}
            for name in found if name != "ours"
        ]  # fmt: skip
    engine.dispose()
    return rows


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the rows for H1.8 on SQLite, and on PostgreSQL where there is a server."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import postgresql

    size, rounds = (30_000, 3) if quick else (300_000, 5)
    kit = Kit.load("xinyu", cipher=KeyCipher(bytes(32)))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "city"
        folder.mkdir()
        write_city(folder, volunteers=size // 9, organizations=60, projects=66, records=size, last_day=TODAY)
        rows = compared(kit, f"sqlite:///{place}/city.db", folder, rounds)
        found = postgresql.binaries()
        if found is None:
            print("no PostgreSQL server on this machine: its rows are left out", file=sys.stderr)
            return rows
        with postgresql.running(found) as server:
            return rows + compared(kit, server.url("postgres"), folder, rounds)


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(row)
