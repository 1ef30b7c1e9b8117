"""H3: importing service records, beside the validation and executemany somebody would write by hand.

The hand-written contender reads the same file, checks the same things row by row and fills one table with
two indices. Ours also keeps double entry with a hash a row, balances, flags and a quarantine.
"""

from __future__ import annotations

import csv
import datetime as dt
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit
from volunteerkit.exchange.cells import Cell, read_day, read_id, read_minutes
from volunteerkit.simulate.population import write_city
from volunteerkit.units import day_number

TODAY = dt.date(2026, 11, 23)
CLERK = Actor.of("clerk-7", "centre")


def by_hand(folder: Path, db: Path, core: bool) -> tuple[int, int]:
    """Return (rows credited, minutes) of the contender; ``core`` inserts by SQLAlchemy Core."""
    with (folder / "volunteers.csv").open(encoding="utf-8", newline="") as file:
        people = {row[0]: i for i, row in enumerate(csv.reader(file))}
    with (folder / "projects.csv").open(encoding="utf-8", newline="") as file:
        projects = {row[0]: i for i, row in enumerate(csv.reader(file))}
    today, rows, seen = day_number(TODAY), [], set()
    with (folder / "service_records.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for row in reader:
            try:
                who, project = people[read_id(row[1])], projects[read_id(row[2])]
                day, minutes = read_day(row[4]), read_minutes(row[7])
            except (KeyError, Cell):
                continue
            mark = (who, project, row[3], day, row[5], row[6], minutes, row[8], row[9])
            if day > today or mark in seen:
                continue
            seen.add(mark)
            rows.append((row[0], who, project, day, minutes, row[8]))
    names = ("number", "volunteer", "project", "day", "minutes", "state")
    if core:
        engine = volunteerkit.create_engine(f"sqlite:///{db}")
        target = sa.Table(
            "record",
            sa.MetaData(),
            *(sa.Column(name, sa.Text if name in ("number", "state") else sa.Integer) for name in names),
        )
        with engine.begin() as connection:
            target.create(connection)
            for start in range(0, len(rows), 10_000):
                connection.execute(
                    sa.insert(target),
                    [dict(zip(names, row, strict=True)) for row in rows[start : start + 10_000]],
                )
        engine.dispose()
    connection = sqlite3.connect(db)
    if not core:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE record(number TEXT, volunteer INTEGER, project INTEGER, day INTEGER, minutes INTEGER, state TEXT)"
        )
        connection.executemany("INSERT INTO record VALUES(?, ?, ?, ?, ?, ?)", rows)
    connection.execute("CREATE UNIQUE INDEX ux ON record(number)")
    connection.execute("CREATE INDEX ix ON record(volunteer, day)")
    connection.commit()
    count, minutes = connection.execute(
        "SELECT count(*), sum(minutes) FROM record WHERE state = 'confirmed'"
    ).fetchone()
    connection.close()
    return count, minutes


def ours(folder: Path, db: Path) -> tuple[float, tuple[int, int]]:
    """Return (processor seconds for the service records alone, (rows credited, minutes))."""
    kit = Kit.load("xinyu", cipher=KeyCipher(bytes(32)))
    engine = volunteerkit.create_engine(f"sqlite:///{db}")
    kit.migrate(engine)
    started: list[float] = []

    def progress(file: str, rows: int) -> None:
        if file == "volunteers.csv":
            started[:] = [time.process_time()]

    kit.import_directory(engine, CLERK, folder, as_of=TODAY, progress=progress)
    cost = time.process_time() - started[0]
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT count(*), sum(confirmed_minutes) FROM vk_service_record WHERE state = 'confirmed'"
        ).one()
    engine.dispose()
    return cost, (found[0], found[1])


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the rows for H3.1 and H3.4 (SQLite)."""
    size, rounds = (10_000, 1) if quick else (100_000, 3)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "city"
        folder.mkdir()
        write_city(folder, volunteers=size // 10, organizations=60, projects=66, records=size, last_day=TODAY)
        mine, theirs, built = [], [], []
        for i in range(rounds):
            cost, answer = ours(folder, Path(place) / f"ours{i}.db")
            mine.append(cost)
            start = time.process_time()
            same = by_hand(folder, Path(place) / f"hand{i}.db", core=False)
            theirs.append(time.process_time() - start)
            start = time.process_time()
            by_hand(folder, Path(place) / f"core{i}.db", core=True)
            built.append(time.process_time() - start)
    return [
        {"name": name, "ours_s": statistics.median(mine), "contender": contender, "contender_s": statistics.median(cost),
         "ratio": statistics.median(mine) / statistics.median(cost), "same_answer": same == answer}
        for name, contender, cost in (
            ("H3.1 import, goal <= 1.3", "csv + executemany by hand", theirs),
            ("H3.4 import, goal <= 0.625", "SQLAlchemy Core in chunks of 10,000", built),
        )
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(row)
