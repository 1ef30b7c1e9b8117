"""Eight processes at one case: decided once, and every loser is told who was first and when."""

from __future__ import annotations

import json
import random
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import volunteerkit
from volunteerkit import Actor, Kit
from volunteerkit.access import Place
from volunteerkit.approvals import decide, grants, view
from volunteerkit.approvals.cases import open_case
from volunteerkit.hours import verify_store

RACER = Path(__file__).with_name("racer.py")
racer = runpy.run_path(str(RACER))
OPENER, SECOND = Actor.of("opener", "centre"), Actor.of("second", "centre")
ROUNDS = [20, pytest.param(300, marks=pytest.mark.campaign)]


class Race:
    """Eight processes that wait for their line, and the database they fight over."""

    def __init__(self, url: str, processes: list[subprocess.Popen[str]]) -> None:
        self.engine, self.processes = volunteerkit.create_engine(url, busy_seconds=60), processes
        self.kit: Kit = racer["kit"](1)
        self.kit.migrate(self.engine)

    def open(self, subject: str) -> int:
        with self.kit.open(self.engine, OPENER) as desk:
            return open_case(desk, racer["KIND"], subject, Place("V1", (), ("O1",))).id

    def run(self, *commands: tuple[str, int, str, tuple[str, ...]], quorum: int = 1) -> list[list[Any]]:
        racing = list(zip(self.processes, commands, strict=False))
        random.shuffle(racing)
        for process, command in racing:
            assert process.stdin
            process.stdin.write(json.dumps([quorum, *command]) + "\n")
        for process, _ in racing:
            assert process.stdin
            process.stdin.flush()
        said = {}
        for process, command in racing:
            assert process.stdout
            said[command] = json.loads(process.stdout.readline() or '["died"]')
        return [said[command] for command in commands]

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(text)]


@contextmanager
def racing(url: str) -> Iterator[Race]:
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(RACER), url], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, encoding="utf-8",
                )
            )
            for _ in range(8)
        ]  # fmt: skip
        race = Race(url, processes)
        yield race
        with race.engine.connect() as connection:
            assert verify_store(connection).holds
        race.engine.dispose()


CENTRE = ("centre",)


def one_case_is_decided_once(race: Race, rounds: int) -> None:
    for number in range(rounds):
        case_id = race.open(f"one:{number}")
        commands = [
            *(("approve", case_id, f"centre-{n}", CENTRE) for n in range(4)),
            *(("refuse", case_id, f"centre-{n}", CENTRE) for n in range(4, 7)),
            ("withdraw", case_id, "opener", CENTRE),
        ]
        said = race.run(*commands)
        winners = [each for each in said if each[0] == "done"]
        assert len(winners) == 1, said
        with race.kit.open(race.engine, OPENER) as desk:
            found = view(desk, case_id)
        assert [found.state] == winners[0][1:]
        for loser in said:
            if loser[0] not in ("done", "retryable_conflict"):
                assert loser[:2] == ["case_decided", found.closed_by], said
                assert loser[2].startswith("20")
                assert loser[3] == found.state
        decided = race.query(f"SELECT count(*) FROM vk_case_decision WHERE case_id = {case_id}")
        assert decided == [(int(found.state != "withdrawn"),)]


def a_quorum_of_two_is_exactly_two_persons(race: Race, rounds: int) -> None:
    for number in range(rounds):
        case_id = race.open(f"quorum:{number}")
        # twice each: the same person at two places at once is still one
        deciders = (("approve", case_id, f"centre-{n % 4}", (*CENTRE, f"x{n}")) for n in range(8))
        said = race.run(*deciders, quorum=2)
        assert sorted(each[1] for each in said if each[0] == "done") == ["granted", "review"], said
        rest = {tuple(each[:1]) for each in said if each[0] != "done"}
        assert rest <= {("case_decided",), ("refused",), ("retryable_conflict",)}, said
        rows = race.query(f"SELECT actor_id FROM vk_case_decision WHERE case_id = {case_id}")
        assert len(rows) == len(set(rows)) == 2


def whoever_was_revoked_first_approves_nothing(race: Race, rounds: int) -> None:
    """The outcome is that of one order, and the chain of events tells the same one."""
    for number in range(rounds):
        holder = f"holder-{number}"
        with race.kit.open(race.engine, OPENER) as desk:
            giving = grants.give(desk, holder, "centre")
        with race.kit.open(race.engine, SECOND) as desk:
            decide(desk, giving.id, "approve")
        grant_id = number + 1
        with race.kit.open(race.engine, OPENER) as desk:
            revoking = grants.revoke(desk, grant_id)
        case_id = race.open(f"revoke:{number}")
        approved, revoked = race.run(
            ("approve", case_id, holder, ()), ("approve", revoking.id, "second", CENTRE)
        )
        assert revoked == ["done", "granted"]
        order = race.query(
            "SELECT subject FROM vk_event WHERE (type = 'case.closed' AND subject = "
            f"'case:{case_id}') OR (type = 'grant.revoked' AND subject = 'grant:{grant_id}') ORDER BY seq"
        )
        if approved[0] == "done":
            assert order == [(f"case:{case_id}",), (f"grant:{grant_id}",)]
        else:
            assert approved[0] in ("not_permitted", "not_found"), approved
            assert order == [(f"grant:{grant_id}",)]


def a_city_of_cases_gets_one_number_each(race: Race, rounds: int) -> None:
    """Eight processes decide eight different cases at once: nobody is in anybody's way."""
    for number in range(rounds // 2):
        cases = [race.open(f"team:{number}:{n}") for n in range(8)]
        said = race.run(*(("approve", case_id, f"centre-{n}", CENTRE) for n, case_id in enumerate(cases)))
        assert said == [["done", "granted"]] * 8
    assert race.query("SELECT count(*) - max(id) FROM vk_case_decision") == [(0,)]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_races(database_url: str, rounds: int) -> None:
    with racing(database_url) as race:
        one_case_is_decided_once(race, rounds)
        a_quorum_of_two_is_exactly_two_persons(race, rounds)
        whoever_was_revoked_first_approves_nothing(race, rounds)
        a_city_of_cases_gets_one_number_each(race, rounds)
