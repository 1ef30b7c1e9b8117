"""H1.8: from an SQLite file to stars: the library's rating beside a hand-written packed reader and SQL alone.

The rule is `plain` with the national ladder, so that everybody states the same thing; the hand-written
reader packs volunteer and minutes into one integer a row and sums with NumPy. Wall seconds, medians.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit
from volunteerkit.hours.reading import packed_columns
from volunteerkit.rules.kernel import credit_columns, grade_columns
from volunteerkit.simulate.population import write_city
from volunteerkit.units import day_number

TODAY = dt.date(2026, 11, 23)
LADDER = (6_000, 18_000, 36_000, 60_000, 90_000)
CLERK = Actor.of("clerk-7", "centre")


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the rows for H1.8 on SQLite."""
    size, rounds = (30_000, 3) if quick else (300_000, 5)
    with tempfile.TemporaryDirectory() as place:
        folder, db = Path(place) / "city", Path(place) / "city.db"
        folder.mkdir()
        write_city(folder, volunteers=size // 9, organizations=60, projects=66, records=size, last_day=TODAY)
        kit = Kit.load("xinyu", cipher=KeyCipher(bytes(32)))
        engine = volunteerkit.create_engine(f"sqlite:///{db}")
        kit.migrate(engine)
        kit.import_directory(engine, CLERK, folder, as_of=TODAY)
        last = day_number(TODAY)
        raw = sqlite3.connect(db)
        people = raw.execute("SELECT max(id) + 1 FROM vk_volunteer").fetchone()[0]
        credit = kit.rulebooks["plain"].version_on(TODAY)
        ladder = kit.rulebooks["xinyu.star"].version_on(TODAY)

        def mine() -> list[int]:
            with engine.connect() as connection:
                columns = packed_columns(connection, last, ("served_on", "claimed_minutes"))
            totals = credit_columns(credit, columns, {}, people, clustered=True)
            return np.bincount(
                grade_columns(ladder, {"credited_minutes": totals.credited_minutes}), minlength=6
            ).tolist()  # type: ignore[no-any-return]

        def packed() -> list[int]:
            total = np.zeros(people, np.int64)
            for first in range(0, people, 16_384):
                text = raw.execute(
                    "SELECT group_concat((volunteer_id << 11) | confirmed_minutes, ' ') FROM vk_service_record "
                    "WHERE state = 'confirmed' AND served_on <= ? AND volunteer_id >= ? AND volunteer_id < ?",
                    (last, first, first + 16_384),
                ).fetchone()[0]
                if text:
                    keys = np.fromstring(text, np.int64, sep=" ")
                    total += np.bincount(keys >> 11, weights=keys & 2047, minlength=people).astype(np.int64)
            return np.bincount(np.searchsorted(np.array(LADDER), total, side="right"), minlength=6).tolist()  # type: ignore[no-any-return]

        def sql() -> list[int]:
            stars = " + ".join(f"(minutes >= {step})" for step in LADDER)
            counted = dict(raw.execute(
                f"SELECT {stars} AS stars, count(*) FROM (SELECT sum(confirmed_minutes) AS minutes FROM vk_service_record "
                "WHERE state = 'confirmed' AND served_on <= ? GROUP BY volunteer_id) GROUP BY stars", (last,)
            ).fetchall())  # fmt: skip
            counted[0] = people - sum(count for stars, count in counted.items() if stars)
            return [counted.get(star, 0) for star in range(6)]

        contenders: dict[str, Callable[[], list[int]]] = {
            "ours": mine,
            "packed by hand": packed,
            "all in SQL": sql,
        }
        times: dict[str, list[float]] = {name: [] for name in contenders}
        answers = {}
        for _ in range(rounds):
            for name, contender in contenders.items():
                start = time.perf_counter()
                answers[name] = contender()
                times[name].append(time.perf_counter() - start)
        raw.close()
        engine.dispose()
    cost = {name: statistics.median(each) for name, each in times.items()}
    return [
        {"name": f"H1.8 from SQLite, goal {goal}", "ours_s": cost["ours"], "contender": name, "contender_s": cost[name],
         "ratio": cost["ours"] / cost[name], "same_answer": answers[name] == answers["ours"]}
        for name, goal in (("packed by hand", "<= 1.2"), ("all in SQL", "<= 0.4"))
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(row)
