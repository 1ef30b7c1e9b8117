"""H6.4: a volunteer's page on SQLite with 300,000 records: all that stands in their record, by the public verb.

Beside them stands the hand-written query of the same rows. Best processor time, many volunteers, interleaved.

    python tests/benchmarks/h6_page.py [--quick]
"""

from __future__ import annotations

import datetime as dt
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h2_posting as posting
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, Kit, fixed_clock, statistics

EACH = 20
PAGE = (
    "SELECT r.served_on, p.name, r.confirmed_minutes, o.number, r.state FROM vk_service_record r "
    "JOIN vk_project p ON p.id = r.project_id JOIN vk_organization o ON o.id = r.organization_id "
    "WHERE r.volunteer_id = (SELECT v.id FROM vk_volunteer v WHERE v.number = ?) ORDER BY r.served_on, r.id"
)


def fill(engine: sa.Engine, people: int) -> None:
    """Write ``EACH`` records for everybody, in no order of person."""
    posting.fill(engine)
    draw = random.Random(6)
    order = [person for person in range(people) for _ in range(EACH)]
    draw.shuffle(order)
    rows = [
        {"id": id_, "volunteer_id": person + 1, "project_id": draw.randrange(posting.PROJECTS) + 1, "organization_id": 1,
         "served_on": 20_000 + draw.randrange(500), "start_minute": -1, "clock_minutes": 0, "claimed_minutes": 90,
         "confirmed_minutes": 90, "state": "confirmed", "method": "import", "recorded_by": "clerk-7"}
        for id_, person in enumerate(order, 1)
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(volunteerkit.metadata.tables["vk_service_record"]), rows)


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the row for the page."""
    people, shown, rounds = (1_000, 50, 2) if quick else (15_000, 200, 6)
    clerk = Actor.of("clerk-7", "centre")
    best, same = {"ours": 1e9, "by hand": 1e9}, True
    with tempfile.TemporaryDirectory() as folder:
        engine = volunteerkit.create_engine(f"sqlite:///{Path(folder) / 'city.db'}", synchronous="NORMAL")
        fill(engine, people)
        kit = Kit.load(clock=fixed_clock(dt.datetime(2026, 11, 23, tzinfo=dt.UTC)))
        draw = random.Random(7)
        with engine.connect() as connection:
            for _ in range(rounds):
                some = [f"V{draw.randrange(people)}" for _ in range(shown)]
                start = time.process_time()
                mine = [statistics.activity_record(kit.desk(connection, clerk), each) for each in some]
                best["ours"] = min(best["ours"], (time.process_time() - start) / shown)
                start = time.process_time()
                theirs = [connection.exec_driver_sql(PAGE, (each,)).fetchall() for each in some]
                best["by hand"] = min(best["by hand"], (time.process_time() - start) / shown)
                minutes = [[line.minutes for line in page] for page in mine]
                same &= minutes == [[row[2] for row in page] for page in theirs]
    return [{"name": "H6.4 volunteer page, goal <= 1.5 ms", "ours_s": best["ours"], "contender": "SQL by hand",
             "contender_s": best["by hand"], "ratio": best["ours"] / best["by hand"], "same_answer": same}]  # fmt: skip


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(row)
