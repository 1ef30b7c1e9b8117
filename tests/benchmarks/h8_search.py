"""H8: finding volunteers by part of a sealed name, beside LIKE over plain names in the same database.

The contender keeps every name, phone and number in plain columns and looks with ``LIKE '%…%'``: what a
system without sealed names does. Both return the first 20 of the same volunteers, in the same order.

    python tests/benchmarks/h8_search.py [--quick]
"""

from __future__ import annotations

import csv
import datetime as dt
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, personal
from volunteerkit.simulate.population import write_city
from volunteerkit.volunteers.tables import tag, volunteer

CLERK = Actor.of("clerk-7", "centre")
DAY = dt.date(2026, 10, 31)
LIKE = (
    "SELECT number FROM plain_volunteer WHERE (number = :whole OR phone = :whole OR name LIKE :part) "
    "AND (:organization = '' OR organization = :organization) AND (:skill_code = '' OR skill = :skill_code) "
    "ORDER BY number LIMIT 20"
)
SKILL = "急救"


def fill(url: str, folder: Path) -> tuple[Kit, sa.Engine]:
    """Import the city into the database behind ``url`` and put the same people in a plain table beside it."""
    engine = volunteerkit.create_engine(url)
    kit = Kit.load(cipher=KeyCipher(bytes(32)))
    kit.migrate(engine)
    kit.import_directory(engine, CLERK, folder)
    with (folder / "volunteers.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            {
                "number": row["volunteer_id"],
                "name": row["name"],
                "phone": row["phone"],
                "organization": row["org_id"],
                "skill": "" if place % 10 else SKILL,
            }
            for place, row in enumerate(csv.DictReader(file))
        ]
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE plain_volunteer (number TEXT PRIMARY KEY, name TEXT, phone TEXT, organization TEXT, skill TEXT)"
        )
        connection.execute(
            sa.text("INSERT INTO plain_volunteer VALUES (:number, :name, :phone, :organization, :skill)"),
            rows,
        )
        ids = dict(connection.execute(sa.select(volunteer.c.number, volunteer.c.id)).fetchall())
        skilled = [
            {"volunteer_id": ids[row["number"]], "kind": "skill", "value": SKILL}
            for row in rows
            if row["skill"]
        ]
        connection.execute(sa.insert(tag), skilled)
        connection.exec_driver_sql("ANALYZE")
    return kit, engine


def questions(folder: Path) -> dict[str, dict[str, str]]:
    """Return what is looked for: parts of names, a phone, a number, a surname in an organization or with a skill."""
    with (folder / "volunteers.csv").open(encoding="utf-8", newline="") as file:
        adults = [row for row in csv.DictReader(file) if row["birth_date"] < "2000" and len(row["name"]) == 3]
    one = adults[len(adults) // 2]
    surname = one["name"][0]
    return {
        "surname": {"text": surname},
        "two characters": {"text": one["name"][1:]},
        "whole name": {"text": one["name"]},
        "phone": {"text": one["phone"]},
        "number": {"text": one["volunteer_id"]},
        "surname in an organization": {"text": surname, "organization": one["org_id"]},
        "surname with a skill": {"text": surname, "skill_code": SKILL},
    }


def best(function: Callable[[], Any], rounds: int) -> float:
    """Return the median wall seconds of a call."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def measure(kind: str, url: str, folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each kind of word."""
    kit, engine = fill(url, folder)
    rows = []
    with kit.open(engine, CLERK, read_only=True) as desk:
        for name, asked in questions(folder).items():

            def mine(asked: dict[str, Any] = asked) -> list[str]:
                return [each.number for each in personal.find(desk, **asked)]

            def theirs(asked: dict[str, Any] = asked) -> list[str]:
                given = {
                    "organization": "",
                    "skill_code": "",
                    "whole": asked["text"],
                    "part": f"%{asked['text']}%",
                }
                return list(desk.connection.execute(sa.text(LIKE), given | asked).scalars())

            ours_s, theirs_s = best(mine, rounds), best(theirs, rounds)
            # children under a mask are found by their whole name only, so ours may leave some out
            expected = [number for number in theirs() if number in set(mine())]
            rows.append({"name": f"H8 {kind} {name}", "ours_s": ours_s, "contender": "LIKE over plain names",
                         "contender_s": theirs_s, "ratio": ours_s / theirs_s,
                         "same_answer": mine()[: len(expected)] == expected and bool(expected)})  # fmt: skip
    engine.dispose()
    return rows


def run(quick: bool) -> list[dict[str, Any]]:
    """Return a row a kind of word and database; PostgreSQL only where its server is installed."""
    import runpy

    size, rounds = (3_000, 5) if quick else (33_000, 21)
    server = runpy.run_path(str(Path(__file__).parents[1] / "postgresql.py"), run_name="postgresql")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "city"
        write_city(
            folder, volunteers=size, organizations=300, projects=330, records=300, last_day=DAY, seed=7
        )
        (folder / "service_records.csv").unlink()
        rows = measure("SQLite", f"sqlite:///{place}/city.db", folder, rounds)
        found = server["binaries"]()
        if found is not None:
            with server["running"](found) as running:
                rows += measure("PostgreSQL", running.url("postgres"), folder, rounds)
    return rows


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(row)
