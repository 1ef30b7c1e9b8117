"""Six processes at once: a project is decided once, cancelled or published, and no place is shown that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import approvals, projects
from volunteerkit.projects.tables import project
from volunteerkit.store.schema import event

RACERS = 6
ROUNDS = 3


class Race:
    """Processes that each do one thing a round, all at once."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("racer.py")), url]
        self.racers = [
            subprocess.Popen([*command, f"racer-{i}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             encoding="utf-8", bufsize=1)
            for i in range(RACERS)
        ]  # fmt: skip
        for each in self.racers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"

    def run(self, *asked: tuple[str, list[Any], dict[str, Any]]) -> list[str]:
        for each, (verb, given, named) in zip(self.racers, asked, strict=True):
            assert each.stdin is not None
            each.stdin.write(json.dumps({"verb": verb, "given": given, "named": named}) + "\n")
            each.stdin.flush()
        return [each.stdout.readline().strip() for each in self.racers if each.stdout is not None]

    def end(self) -> None:
        for each in self.racers:
            each.communicate(timeout=30)


@pytest.fixture
def race(organized: Any, database_url: str) -> Iterator[Race]:
    racing = Race(database_url)
    yield racing
    racing.end()


@pytest.mark.slow
def test_six_processes_race(race: Race, organized: Any) -> None:
    for n in range(ROUNDS):
        a_project_is_decided_once(race, organized, n)
        it_is_published_and_cancelled_in_some_order(race, organized, n)
        nobody_sees_more_places_than_there_are(race, organized, n)


def counted(city: Any, type: str, number: str) -> int:
    def count(desk: Any) -> int:
        id_ = desk.connection.execute(sa.select(project.c.id).where(project.c.number == number)).scalar_one()
        told = sa.select(sa.func.count()).where(event.c.type == type, event.c.subject == f"project:{id_}")
        return int(desk.connection.execute(told).scalar_one())

    return int(city.at(city.centre, count))


def a_project_is_decided_once(race: Race, city: Any, n: int) -> None:
    # without an area the centre decides, and all of them are its officers
    city.at(city.centre, lambda desk: desk.connection.exec_driver_sql("UPDATE vk_organization SET area = ''"))
    applied = city.at(city.admin, projects.apply, city.form(f"敬老{n}"))
    verdicts = ["approve", "refuse"] * (RACERS // 2)
    asked = [("approvals.decide", [applied.case, verdict], {"reason": "如此"}) for verdict in verdicts]
    answers = race.run(*asked)
    assert Counter(answers) == {"done": 1, "case_decided": RACERS - 1}
    won = verdicts[answers.index("done")]
    state = city.at(city.admin, projects.view_application, applied.number).status
    assert state == {"approve": "approved", "refuse": "refused"}[won]
    assert counted(city, "project.approved", applied.number) == (won == "approve")


def it_is_published_and_cancelled_in_some_order(race: Race, city: Any, n: int) -> None:
    applied = city.at(city.admin, projects.apply, city.form(f"护学{n}", shifts=(city.span(8, "09:00", 2),)))
    city.at(city.centre, approvals.decide, applied.case, "approve")
    asked = [
        ("projects.cancel", [applied.number], {"reason": "台风"}) if i % 2 else ("projects.publish", [applied.number], {})
        for i in range(RACERS)
    ]  # fmt: skip
    answers = race.run(*asked)
    published, cancelled = Counter(answers[::2]), Counter(answers[1::2])
    assert cancelled == {"done": 1, "project_state": RACERS // 2 - 1}
    assert published["done"] in (0, 1)
    assert published["done"] + published["project_state"] == RACERS // 2
    found = city.at(city.admin, projects.view_application, applied.number)
    assert (found.status, found.published_at is not None) == ("cancelled", bool(published["done"]))
    assert counted(city, "project.cancelled", applied.number) == 1
    assert counted(city, "project.published", applied.number) == published["done"]


def nobody_sees_more_places_than_there_are(race: Race, city: Any, n: int) -> None:
    applied = city.at(city.admin, projects.apply, city.form(f"义诊{n}"))
    city.at(city.centre, approvals.decide, applied.case, "approve")
    city.at(city.admin, projects.publish, applied.number)
    made = city.at(city.admin, projects.add_shift, applied.number, city.span(8, "09:00", 2, 4))
    city.join(made.id, "V1", "V2")
    asked = [("capacity", [made.id, places], {}) for places in (1, 3, 5)]
    answers = race.run(*asked, *[("free", [applied.number], {})] * (RACERS - 3))
    assert answers[:3] == ["0", "1", "3"]
    assert set(answers[3:]) <= {"0", "1", "2", "3"}
    (shift,) = city.at(city.public, projects.view, applied.number).shifts
    assert (shift.taken, shift.free) == (2, max(0, shift.capacity - 2))
    assert shift.capacity in (1, 3, 5)
