"""Eight processes with one code at once: one attendance, on every database and in both journals of SQLite."""

from __future__ import annotations

import datetime as dt
import json
import runpy
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from volunteerkit import KeyCipher, Kit, Policy
from volunteerkit.hours import unmatched_attendance
from volunteerkit.hours.tables import service_record
from volunteerkit.projects.codes import shift_code
from volunteerkit.projects.tables import attendance, scan

_here = Path(__file__)
_shared = runpy.run_path(str(_here.with_name("attending.py")), run_name="attending")
_planned = runpy.run_path(str(_here.with_name("conftest.py")), run_name="planned")
_city = runpy.run_path(str(_here.parents[1] / "conftest.py"), run_name="city")["City"]
NINE, LEADER, CENTRE = (_shared[name] for name in ("NINE", "LEADER", "CENTRE"))
RACERS, ROUNDS = 8, 3


class Race:
    """Eight processes that each do one thing a round, all at once."""

    def __init__(self, url: str, journal: str) -> None:
        command = [sys.executable, str(_here.with_name("attendance_racer.py")), url, journal]
        self.racers = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1
            )
            for _ in range(RACERS)
        ]
        for each in self.racers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"

    def run(self, verb: str, shift_id: int, given: str, now: dt.datetime) -> Counter[str]:
        line = json.dumps({"verb": verb, "shift": shift_id, "given": given, "now": now.isoformat()})
        for each in self.racers:
            assert each.stdin is not None
            each.stdin.write(line + "\n")
            each.stdin.flush()
        return Counter(each.stdout.readline().strip() for each in self.racers if each.stdout is not None)

    def end(self) -> None:
        for each in self.racers:
            each.communicate(timeout=30)


@pytest.fixture(params=["wal", "delete", "postgresql"])
def racing(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Race]]:
    there = request.param == "postgresql"
    journal = "delete" if request.param == "delete" else ""
    url = request.getfixturevalue("postgresql_url" if there else "sqlite_url")
    engine = _shared["engine_of"](url, journal)
    kit = Kit.load(cipher=KeyCipher(bytes(32)))
    kit.migrate(engine)
    planned = _planned["Planned"](_city(kit, engine))
    _planned["prepare"](planned)
    race = Race(url, journal)
    yield _shared["Attending"](planned, Policy(pairs_per_day=None)), race
    race.end()
    if not there:
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == request.param
    engine.dispose()


@pytest.mark.slow
def test_eight_processes_race(racing: tuple[Any, Race]) -> None:
    attending, race = racing
    for n in range(ROUNDS):
        before = len(attending.rows(attendance))
        starts = NINE + dt.timedelta(days=n)
        shift_id = attending.shift("V1", starts=starts)
        code = attending.at(starts, LEADER, shift_code, shift_id)
        assert race.run("in", shift_id, code, starts) == {"done": 1, "repeated": RACERS - 1}
        ends = starts + dt.timedelta(hours=4)
        code = attending.at(ends, LEADER, shift_code, shift_id, "out")
        assert race.run("out", shift_id, code, ends) == {"done": 1, "repeated": RACERS - 1}
        assert race.run("in", shift_id, code, ends) == {"code_for_out": RACERS}
        assert race.run("claim", shift_id, "", ends) == {"claimed 1": 1, "claimed 0": RACERS - 1}
        assert race.run("upload", shift_id, f"S-{n}", starts + dt.timedelta(hours=2)) == {
            "taken": 1, "replayed": RACERS - 1,
        }  # fmt: skip
        assert len(attending.rows(attendance)) == before + 1
    assert (len(attending.rows(service_record)), len(attending.rows(scan))) == (ROUNDS, ROUNDS)
    assert attending.at(NINE + dt.timedelta(days=9), CENTRE, unmatched_attendance) == ()
