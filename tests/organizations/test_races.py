"""Eight processes at once: what may happen once happens once, on both databases."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Grant, approvals, organizations
from volunteerkit.organizations import base
from volunteerkit.organizations.model import check_character
from volunteerkit.store.grants import grant

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
RACERS = 8
ROUNDS = 3


class Race:
    """Eight processes that each do one thing a round, all at once."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("racer.py")), url]
        self.racers = [
            subprocess.Popen(
                [*command, f"racer-{i}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                bufsize=1,
            )
            for i in range(RACERS)
        ]
        for each in self.racers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"

    def run(self, *asked: tuple[str, list[Any], dict[str, Any]]) -> Counter[str]:
        for each, (verb, given, named) in zip(self.racers, asked, strict=True):
            assert each.stdin is not None
            each.stdin.write(json.dumps({"verb": verb, "given": given, "named": named}) + "\n")
            each.stdin.flush()
        return Counter(each.stdout.readline().strip() for each in self.racers if each.stdout is not None)

    def end(self) -> None:
        for each in self.racers:
            each.communicate(timeout=30)


@pytest.fixture
def race(city: Any, database_url: str) -> Iterator[Race]:
    racing = Race(database_url)
    yield racing
    racing.end()


@pytest.mark.slow
def test_eight_processes_race(race: Race, city: Any) -> None:
    for n in range(ROUNDS):
        the_last_administrator_stays(race, city, f"A{n}")
        nothing_comes_above_itself(race, city, f"H{n}")
        a_code_is_applied_for_once(race, f"{n}")
        a_desk_has_one_tenant_and_equipment_is_lent_once(race, city, n)


def the_last_administrator_stays(race: Race, city: Any, number: str) -> None:
    city.at(MONDAY, CENTRE, organizations.register, number, name=number)

    def appoint(desk: Any) -> None:
        last = desk.connection.execute(sa.select(sa.func.max(grant.c.id))).scalar() or 0
        held = {"role": "organization_admin", "scope": number, "since": 0, "granted_by": "centre-1"}
        rows = [held | {"id": last + i + 1, "actor_id": f"{number}-{i}"} for i in range(RACERS)]
        desk.connection.execute(sa.insert(grant), rows)

    city.at(MONDAY, CENTRE, appoint)
    done = race.run(*[("remove_admin", [number, f"{number}-{i}"], {"reason": "调离"}) for i in range(RACERS)])
    assert done == {"done": RACERS - 1, "last_administrator": 1}
    assert len(city.at(MONDAY, CENTRE, organizations.administrators, number)) == 1


def nothing_comes_above_itself(race: Race, city: Any, letter: str) -> None:
    numbers = [f"{letter}-{i}" for i in range(RACERS)]
    for number in numbers:
        city.at(MONDAY, CENTRE, organizations.register, number, name=number)
    ring = zip(numbers, [*numbers[1:], numbers[0]], strict=True)
    done = race.run(*[("edit", [number], {"parent": above}) for number, above in ring])
    assert done == {"done": RACERS - 1, "in_a_circle": 1}


def a_code_is_applied_for_once(race: Race, digit: str) -> None:
    code = digit + "0" * 16
    form = {
        "name": f"联合会{digit}",  # the winner of a round before has that name waiting
        "kind": "registered",
        "area": "渝水区",
        "credit_code": code + check_character(code),
    }
    done = race.run(*[("apply", [form], {})] * RACERS)
    assert done == {"done": 1, "credit_code_taken": RACERS - 1}


def a_desk_has_one_tenant_and_equipment_is_lent_once(race: Race, city: Any, n: int) -> None:
    tenancies = []
    for i in range(RACERS):
        number = f"T{n}-{i}"
        city.at(MONDAY, CENTRE, organizations.register, number, name=number)
        admin = Actor("admin", (Grant("organization_admin", number),))
        tenancies.append(city.at(MONDAY, admin, base.apply, number, starts_on=MONDAY, ends_on=MONDAY))
        case = city.at(MONDAY, SECOND, approvals.pending, kind="base.tenancy")[0]
        city.at(MONDAY, SECOND, approvals.decide, case.id, "approve")
    city.at(MONDAY, CENTRE, base.add_desk, f"D{n}")
    city.at(MONDAY, CENTRE, base.add_equipment, f"E{n}", name="帐篷", count=3)
    done = race.run(*[("base.assign_desk", [each, f"D{n}"], {}) for each in tenancies])
    assert done == {"done": 1, "desk_taken": RACERS - 1}
    done = race.run(*[("base.lend", [each, f"E{n}"], {}) for each in tenancies])
    assert done == {"done": 3, "not_enough_equipment": RACERS - 3}
