"""H3: importing service records, beside the validation and executemany somebody would write by hand.

The hand-written contender reads the same file, checks the same things row by row and fills one table with
two indices. Ours also keeps double entry with a hash a row, balances, flags and a quarantine.
"""

from __future__ import annotations

import csv
import datetime as dt
import importlib.util
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import count, islice
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
NAMES = ("number", "volunteer", "project", "day", "minutes", "state")
TABLE = "CREATE TABLE record(number TEXT, volunteer INTEGER, project INTEGER, day INTEGER, minutes INTEGER, state TEXT)"
INDICES = ("CREATE UNIQUE INDEX ux ON record(number)", "CREATE INDEX ix ON record(volunteer, day)")
COUNT = "SELECT count(*), sum(minutes) FROM record WHERE state = 'confirmed'"
CORE = sa.Table("record", sa.MetaData(), *(
    sa.Column(name, sa.Text if name in ("number", "state") else sa.Integer) for name in NAMES))  # fmt: skip
Answer = tuple[int, int]
"""Rows credited, and their minutes."""


def valid_rows(folder: Path) -> Iterator[tuple[Any, ...]]:
    """Yield the rows that stand after the checks everybody makes, row by row."""
    with (folder / "volunteers.csv").open(encoding="utf-8", newline="") as file:
        people = {row[0]: i for i, row in enumerate(csv.reader(file))}
    with (folder / "projects.csv").open(encoding="utf-8", newline="") as file:
        projects = {row[0]: i for i, row in enumerate(csv.reader(file))}
    today, seen = day_number(TODAY), set()
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
            yield row[0], who, project, day, minutes, row[8]


def in_chunks(rows: Iterable[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    held = iter(rows)
    while some := list(islice(held, size)):
        yield some


def by_hand(folder: Path, db: Path) -> Answer:
    """Fill one table by ``executemany``, its indices afterwards."""
    connection = sqlite3.connect(db)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(TABLE)
    for rows in in_chunks(valid_rows(folder), 5_000):
        connection.executemany("INSERT INTO record VALUES(?, ?, ?, ?, ?, ?)", rows)
    return closed(connection)


def closed(connection: sqlite3.Connection) -> Answer:
    for index in INDICES:
        connection.execute(index)
    connection.commit()
    count, minutes = connection.execute(COUNT).fetchone()
    connection.close()
    return count, minutes


def by_core(folder: Path, url: str) -> Answer:
    """Fill the same table by SQLAlchemy Core in chunks of 10,000."""
    engine = volunteerkit.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS record")
        CORE.create(connection)
        for rows in in_chunks(valid_rows(folder), 10_000):
            connection.execute(sa.insert(CORE), [dict(zip(NAMES, row, strict=True)) for row in rows])
        for index in INDICES:
            connection.exec_driver_sql(index)
        found = connection.exec_driver_sql(COUNT).one()
    engine.dispose()
    return found[0], int(found[1])


@cache
def django_record() -> tuple[Any, Any]:
    """Return the model of the table and Django's connection; a model is registered once in a process."""
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ""}}, USE_TZ=True
    )
    django.setup()
    from django.db import connection, models

    class Record(models.Model):
        number, state = models.TextField(primary_key=True), models.TextField()
        volunteer, project, day, minutes = (models.IntegerField() for _ in range(4))

        class Meta:
            app_label, db_table, managed = "bench", "record", False

    return Record, connection


def by_django(folder: Path, db: Path) -> Answer:
    """Fill the same table by Django's ``bulk_create`` of 5,000."""
    record, connection = django_record()
    from django.db import transaction

    connection.close()
    connection.settings_dict["NAME"] = str(db)
    sqlite3.connect(db).execute(TABLE)
    with transaction.atomic():
        for rows in in_chunks(valid_rows(folder), 5_000):
            record.objects.bulk_create(
                record(
                    number=row[0], volunteer=row[1], project=row[2], day=row[3], minutes=row[4], state=row[5]
                )
                for row in rows
            )
    connection.close()
    return closed(sqlite3.connect(db))


def by_copy(folder: Path, url: str) -> Answer:
    """Fill the same table on PostgreSQL: rows checked in Python, then COPY."""
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("DROP TABLE IF EXISTS record")
        connection.execute(TABLE)
        with connection.cursor().copy("COPY record FROM STDIN") as copy:
            for row in valid_rows(folder):
                copy.write_row(row)
        for index in INDICES:
            connection.execute(index)
        found = connection.execute(COUNT).fetchone()
    return found[0], int(found[1])  # type: ignore[index]


def ours(folder: Path, url: str, clock: Callable[[], float] = time.process_time) -> tuple[float, Answer]:
    """Return (seconds for the service records alone, what was credited)."""
    kit = Kit.load("xinyu", cipher=KeyCipher(bytes(32)))
    engine = volunteerkit.create_engine(url)
    with engine.begin() as connection:
        volunteerkit.metadata.drop_all(connection)
    kit.migrate(engine)
    started: list[float] = []

    def progress(file: str, rows: int) -> None:
        if file == "volunteers.csv":
            started[:] = [clock()]

    kit.import_directory(engine, CLERK, folder, as_of=TODAY, progress=progress)
    cost = clock() - started[0]
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT count(*), sum(confirmed_minutes) FROM vk_service_record WHERE state = 'confirmed'"
        ).one()
    engine.dispose()
    return cost, (found[0], int(found[1]))


def timed(work: Callable[[], Answer], clock: Callable[[], float]) -> tuple[float, Answer]:
    start = clock()
    answer = work()
    return clock() - start, answer


def peak(folder: Path, db: Path, name: str) -> float:
    """Return by how many MB a process of its own grew while it imported."""
    # VmHWM is this process's own; the usual ru_maxrss begins with what the parent had
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import h3_import as h, pathlib, re\n"
        "def now(): return int(re.search(r'VmHWM:\\s*(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])\n"
        f"before = now(); h.{name}; print((now() - before) / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code.replace("@folder", repr(str(folder))).replace("@db", repr(str(db)))],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


Pair = tuple[str, str, Callable[[], Answer]]


def compared(
    pairs: list[Pair], mine: Callable[[], tuple[float, Answer]], rounds: int, clock: Callable[[], float]
) -> list[dict[str, Any]]:
    """Run everybody in turn, ``rounds`` times, and return a row a contender."""
    own: list[float] = []
    theirs: dict[str, list[float]] = {contender: [] for _, contender, _ in pairs}
    answers: dict[str, Answer] = {}
    for _ in range(rounds):
        cost, answer = mine()
        own.append(cost)
        for _, contender, work in pairs:
            cost, answers[contender] = timed(work, clock)
            theirs[contender].append(cost)
    median = statistics.median
    return [
        {"name": name, "ours_s": median(own), "contender": contender, "contender_s": median(theirs[contender]),
         "ratio": median(own) / median(theirs[contender]), "same_answer": answers[contender] == answer}
        for name, contender, _ in pairs
    ]  # fmt: skip


def on_sqlite(folder: Path, place: Path, rounds: int) -> list[dict[str, Any]]:
    number = count()

    def new() -> Path:
        return place / f"{next(number)}.db"

    pairs: list[Pair] = [
        ("H3.1 import, goal <= 1.3", "csv + executemany by hand", lambda: by_hand(folder, new())),
        ("H3.4 import, goal <= 0.625", "SQLAlchemy Core in chunks of 10,000", lambda: by_core(folder, f"sqlite:///{new()}")),
    ]  # fmt: skip
    if importlib.util.find_spec("django"):
        pairs.append(("H3.4 import, goal <= 0.2", "Django bulk_create", lambda: by_django(folder, new())))
    else:
        print("django is not installed: its row is left out", file=sys.stderr)
    rows = compared(pairs, lambda: ours(folder, f"sqlite:///{new()}"), rounds, time.process_time)
    if not Path("/proc/self/status").exists():
        return rows
    mine = peak(folder, new(), "ours(pathlib.Path(@folder), 'sqlite:///' + @db)")
    theirs = peak(folder, new(), "by_hand(pathlib.Path(@folder), pathlib.Path(@db))")
    rows.append({"name": "H3.5 peak in MB, not s", "ours_s": mine, "contender": "csv + executemany by hand",
                 "contender_s": theirs, "ratio": mine / theirs, "same_answer": True})  # fmt: skip
    return rows


def on_postgresql(folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Wall seconds here: half of the work is the server's."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import postgresql

    found = postgresql.binaries()
    if found is None:
        print("no PostgreSQL server on this machine: its rows are left out", file=sys.stderr)
        return []
    with postgresql.running(found) as server:
        url = server.url("postgres")
        pairs: list[Pair] = [
            ("H3.3 PostgreSQL, goal <= 1.2", "csv + COPY by hand", lambda: by_copy(folder, url)),
            (
                "H3.4 PostgreSQL, goal <= 0.25",
                "SQLAlchemy Core insertmanyvalues",
                lambda: by_core(folder, url),
            ),
        ]
        return compared(pairs, lambda: ours(folder, url, time.perf_counter), rounds, time.perf_counter)


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the rows for H3.1, H3.3, H3.4 and H3.5; H3.2 has no contender, for there is no columnar reader."""
    size, rounds = (10_000, 1) if quick else (100_000, 3)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "city"
        folder.mkdir()
        write_city(folder, volunteers=size // 10, organizations=60, projects=66, records=size, last_day=TODAY)
        return on_sqlite(folder, Path(place), rounds) + on_postgresql(folder, rounds)


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(row)
