"""A15: the same folder is imported by two and by eight processes at once: every row is there once."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_racing = runpy.run_path(str(Path(__file__).with_name("racing.py")), run_name="racing")
officer, RACERS = _racing["officer"], _racing["RACERS"]
PEOPLE, RECORDS = 5, 40


@pytest.fixture(params=_racing["DATABASES"])
def race(request: pytest.FixtureRequest) -> Iterator[Any]:
    with _racing["racing"](request) as found:
        yield found


def folder(path: Path, n: int, *, numbered: bool) -> str:
    """Write a city's files for a round; unless ``numbered`` the records have no ids of their own."""
    path.mkdir()
    people = [f"V{n}{i:03d},欧阳雪{i},129{n:04d}{i:04d},O{n},2017-08-17" for i in range(PEOPLE)]
    days = [f"2020-{1 + i % 12:02d}-{1 + i // 12:02d}" for i in range(RECORDS)]
    records = [f"V{n}{i % PEOPLE:03d},P{n},{day},2.5,confirmed" for i, day in enumerate(days)]
    head = "volunteer_id,project_id,service_date,hours,status"
    if numbered:
        head, records = f"record_id,{head}", [f"R{n}-{i},{each}" for i, each in enumerate(records)]
    for name, lines in (
        ("organizations", ["org_id,org_name", f"O{n},甲社区{n}"]),
        ("projects", ["project_id,project_name,org_id", f"P{n},献血{n},O{n}"]),
        ("volunteers", ["volunteer_id,name,phone,org_id,registered_at", *people]),
        ("service_records", [head, *records]),
    ):
        (path / f"{name}.csv").write_text("\n".join([*lines, ""]), "utf-8")
    return str(path)


def imported_once(race: Any, path: Path, rounds: int) -> None:
    path.mkdir()
    for n in range(rounds):
        racers = RACERS if n % 2 else 2
        where = folder(path / f"{n}", n, numbered=n % 4 < 2)
        answers = race.run(*[(officer(i), "import", [where], {}) for i in range(racers)])
        new = [0, 0, 0, 0]
        for answer in answers:
            for i, each in enumerate(
                answer.split(" ")
            ):  # rows that were new and rows that were there, of each file
                added, there = map(int, each.split("+"))
                assert added + there == (1, 1, PEOPLE, RECORDS)[i], answers
                new[i] += added
        assert new == [1, 1, PEOPLE, RECORDS], answers
        for table, each in (
            ("organization", 1),
            ("project", 1),
            ("volunteer", PEOPLE),
            ("service_record", RECORDS),
        ):
            assert race.query(f"SELECT count(*) FROM vk_{table}") == [((n + 1) * each,)]
        assert race.query("SELECT sum(confirmed_minutes) FROM vk_service_record") == [
            ((n + 1) * RECORDS * 150,)
        ]


@pytest.mark.slow
def test_the_same_folder_at_once(race: Any, tmp_path: Path) -> None:
    imported_once(race, tmp_path / "in", 4)


@pytest.mark.campaign
def test_the_same_folder_at_once_forty_times(race: Any, tmp_path: Path) -> None:
    imported_once(race, tmp_path / "in", 40)
