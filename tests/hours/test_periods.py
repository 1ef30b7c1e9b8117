"""Closed periods: one choke point for every path to the ledger, and reopening by two persons (L15, L16, A17)."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Claim,
    Desk,
    KeyCipher,
    Kit,
    approvals,
    fixed_clock,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted, Refused

CLERK, CHECKER, THIRD, FOURTH = (Actor.of(f"clerk-{n}", "centre") for n in (7, 8, 9, 10))
JANUARY = dt.date(2026, 1, 1), dt.date(2026, 1, 31)
DAY, TODAY = dt.date(2026, 1, 15), dt.date(2026, 2, 10)
NOON = dt.datetime(2026, 2, 10, 4, tzinfo=dt.UTC)


@pytest.fixture
def records(city: Any) -> list[int]:
    """A confirmed record and a pending one of January."""

    def begin(desk: Desk) -> list[int]:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        organizations.register(desk, "O2", name="红十字会")
        projects.register(desk, "P1", name="无偿献血宣传", organization="O1")
        projects.register(desk, "P2", name="急救培训", organization="O2")
        volunteers.admit(desk, name="𠮷田喆", organization="O1", number="V1")
        return [hours.record(desk, Claim("V1", "P1", DAY, 60)).record_id for _ in range(2)]

    made: list[int] = city.at(TODAY, CLERK, begin)
    city.at(TODAY, CHECKER, hours.confirm, made[0])
    return made


def refused(city: Any, verb: Any, actor: Actor = CHECKER, day: dt.date = TODAY) -> list[str]:
    with pytest.raises(Refused) as told:
        city.at(day, actor, verb)
    return [finding.code for finding in told.value.findings if finding.severity != "warn"]


def total(city: Any, **more: Any) -> int:
    found: int = city.at(TODAY, CLERK, hours.statement, "V1", rulebook="plain", **more).confirmed_minutes
    return found


def import_row(
    city: Any,
    folder: Path,
    day: dt.date,
    status: str = "confirmed",
    number: str = "R1",
    at: dt.datetime = NOON,
) -> Any:
    header = "record_id,volunteer_id,project_id,team_id,service_date,start_time,end_time,hours,status,source,recorded_at"
    folder.mkdir(exist_ok=True)
    text = f"{header}\n{number},V1,P1,,{day},,,2,{status},manual,2026-02-09 10:00\n"
    folder.joinpath("service_records.csv").write_text(text, "utf-8")
    kit = attrs.evolve(city.kit, clock=fixed_clock(at))
    return kit.import_directory(city.engine, CLERK, folder)


def test_l15_every_path_to_the_ledger_is_checked(city: Any, records: list[int], tmp_path: Path) -> None:
    confirmed, pending = records
    city.at(TODAY, CLERK, hours.close_period, *JANUARY)
    back = {"reason": "核对", "effective_on": DAY}
    for verb in (
        lambda desk: hours.record(desk, Claim("V1", "P1", DAY, 60)),
        lambda desk: hours.confirm(desk, pending),
        lambda desk: hours.adjust(desk, confirmed, minutes=30, **back),
        lambda desk: hours.reverse(desk, confirmed, **back),
        lambda desk: (hours.reverse(desk, confirmed, reason="核对"), hours.restore(desk, confirmed, **back)),
        lambda desk: hours.move(desk, confirmed, "P2", **back),
    ):
        assert refused(city, verb) == ["period_closed"]
    report = import_row(city, tmp_path / "a", DAY)
    assert [dict(each.refused) for each in report.files][-1] == {"period_closed_here": 1}
    assert total(city) == 60
    # what moves no minutes goes on, and so does what counts from an open day
    city.at(TODAY, CHECKER, hours.reject, pending, reason="已关账")
    known = city.at(TODAY, CLERK, hours.statement, "V1").known_at
    city.at(TODAY, CHECKER, hours.adjust, confirmed, minutes=30, reason="提前离开")
    city.at(TODAY, CLERK, hours.record, Claim("V1", "P1", TODAY - dt.timedelta(1), 60))
    assert (total(city), total(city, as_of=JANUARY[1]), total(city, known_at=known)) == (30, 60, 60)


def test_l15_the_first_and_last_day_are_closed_and_their_neighbours_open(
    city: Any, records: list[int]
) -> None:
    city.at(TODAY, CLERK, hours.close_period, *JANUARY, organization="O1")
    for day in JANUARY:
        assert refused(city, partial(hours.record, claim=Claim("V1", "P1", day, 60))) == ["period_closed"]
        city.at(TODAY, CLERK, hours.record, Claim("V1", "P2", day, 60))  # another organization's
    for day in (JANUARY[0] - dt.timedelta(1), JANUARY[1] + dt.timedelta(1)):
        city.at(TODAY, CLERK, hours.record, Claim("V1", "P1", day, 60))


def reopened(city: Any, days: tuple[dt.date, dt.date] = (DAY, DAY), hours_open: int = 2) -> None:
    until = NOON + dt.timedelta(hours=hours_open)
    case = city.at(TODAY, CHECKER, hours.reopen_period, 1, *days, until=until, reason="补录一张签到表")
    assert refused(city, partial(approvals.decide, case_id=case.id, verdict="approve")) == ["own_case"]
    city.at(TODAY, THIRD, approvals.decide, case.id, "approve")


def test_l16_reopening_needs_two_and_neither_of_them_posts(
    city: Any, records: list[int], tmp_path: Path
) -> None:
    city.at(TODAY, CLERK, hours.close_period, *JANUARY)
    record = partial(hours.record, claim=Claim("V1", "P1", DAY, 60))
    reopened(city)
    for actor in (CHECKER, THIRD):
        assert refused(city, record, actor) == ["reopened_oneself"]
    assert refused(city, partial(hours.record, claim=Claim("V1", "P1", DAY + dt.timedelta(1), 60))) == [
        "period_closed"
    ]
    known = city.at(TODAY, CLERK, hours.statement, "V1").known_at
    city.at(TODAY, CLERK, record)
    city.at(TODAY, FOURTH, hours.confirm, records[1])
    import_row(city, tmp_path / "a", DAY)
    # certified before, and found again
    assert (total(city), total(city, known_at=known)) == (240, 60)
    with city.engine.connect() as connection:
        assert hours.verify_store(connection).holds


def test_l16_whoever_posted_in_a_reopening_neither_asks_for_another_nor_agrees(
    city: Any, records: list[int]
) -> None:
    city.at(TODAY, CLERK, hours.close_period, *JANUARY, organization="O1")
    reopened(city)
    city.at(TODAY, CLERK, hours.record, Claim("V1", "P1", DAY, 60))
    until = NOON + dt.timedelta(hours=2)
    again = partial(
        hours.reopen_period, period_id=1, first_on=DAY, last_on=DAY, until=until, reason="再补一张"
    )
    assert refused(city, again, CLERK) == ["posted_in_period"]
    other = DAY + dt.timedelta(1)  # on whose days they posted nothing
    city.at(TODAY, CLERK, hours.reopen_period, 1, other, other, until=until, reason="另一天")
    city.at(TODAY, THIRD, approvals.decide, 2, "refuse", reason="不必")
    case = city.at(TODAY, CHECKER, again)
    decide = partial(approvals.decide, case_id=case.id, verdict="approve")
    assert refused(city, decide, CLERK) == ["posted_in_period"]
    assert city.at(TODAY, THIRD, decide).state == "granted"


def test_an_import_knows_the_first_and_last_day_of_a_closing_and_when_a_reopened_one_ends(
    city: Any, records: list[int], tmp_path: Path
) -> None:
    city.at(TODAY, CLERK, hours.close_period, *JANUARY)
    neighbours = (JANUARY[0] - dt.timedelta(1), JANUARY[1] + dt.timedelta(1))
    for n, (day, closed) in enumerate([*((day, 1) for day in JANUARY), *((day, 0) for day in neighbours)]):
        report = import_row(city, tmp_path / f"{n}", day, number=f"R{n}")
        assert report.files[-1].refused == ({"period_closed_here": 1} if closed else {})
    reopened(city)
    for n, hours_later, closed in ((8, 2, 1), (9, 1, 0)):
        at = NOON + dt.timedelta(hours=hours_later)
        report = import_row(city, tmp_path / f"{n}", DAY, number=f"R{n}", at=at)
        assert report.files[-1].refused == ({"period_closed_here": 1} if closed else {})


def test_a_reopening_that_is_refused_opens_nothing(city: Any, records: list[int]) -> None:
    city.at(TODAY, CLERK, hours.close_period, *JANUARY)
    until = NOON + dt.timedelta(hours=2)
    case = city.at(TODAY, CHECKER, hours.reopen_period, 1, DAY, DAY, until=until, reason="补录")
    assert city.at(TODAY, THIRD, approvals.decide, case.id, "refuse", reason="无依据").state == "refused"
    record = partial(hours.record, claim=Claim("V1", "P1", DAY, 60))
    assert refused(city, record, FOURTH) == ["period_closed"]
    assert len(city.at(TODAY, CLERK, hours.periods)) == 1


def test_days_that_one_organization_reopened_are_closed_for_the_whole_city(
    city: Any, records: list[int]
) -> None:
    city.at(TODAY, CLERK, hours.close_period, *JANUARY, organization="O1")
    reopened(city)
    city.at(TODAY, CLERK, hours.close_period, DAY, DAY)
    record = partial(hours.record, claim=Claim("V1", "P2", DAY, 60))
    assert refused(city, record, FOURTH) == ["period_closed"]


def test_l16_a_reopened_day_closes_by_itself(city: Any, records: list[int]) -> None:
    city.at(TODAY, CLERK, hours.close_period, *JANUARY)
    reopened(city, hours_open=2)
    record = partial(hours.record, claim=Claim("V1", "P1", DAY, 60))
    for after, answer in (
        (dt.timedelta(hours=2) - dt.timedelta(microseconds=1), "open"),
        (dt.timedelta(hours=2), "closed"),
    ):
        kit = attrs.evolve(city.kit, clock=fixed_clock(NOON + after))
        try:
            with kit.open(city.engine, CLERK) as desk:
                record(desk)
            found = "open"
        except Refused:
            found = "closed"
        assert found == answer
    listed = city.at(TODAY, CLERK, hours.periods)
    assert [(each.first_on, each.last_on, each.reopens) for each in listed] == [
        (*JANUARY, None),
        (DAY, DAY, 1),
    ]
    assert listed[1].recloses_at == NOON + dt.timedelta(hours=2)


def test_what_cannot_be_closed_or_reopened_is_told(city: Any, records: list[int]) -> None:
    for first, last in ((TODAY, TODAY), (JANUARY[1], JANUARY[0]), ("2026-01-01", "2026-01-31")):
        with pytest.raises(InvalidValue):
            city.at(TODAY, CLERK, hours.close_period, first, last)
    with pytest.raises(NotFound):
        city.at(TODAY, CLERK, hours.close_period, *JANUARY, organization="O9")
    with pytest.raises(NotPermitted):
        city.at(TODAY, Actor.of("auditor", "auditor"), hours.close_period, *JANUARY)
    city.at(TODAY, CLERK, hours.close_period, *JANUARY)
    assert refused(city, lambda desk: hours.close_period(desk, DAY, DAY, organization="O1")) == [
        "period_closed_before"
    ]
    soon = NOON + dt.timedelta(hours=1)
    for days, until in (
        ((DAY, dt.date(2026, 2, 1)), soon),
        ((DAY, DAY), NOON),
        ((DAY, DAY), soon.replace(tzinfo=None)),
    ):
        with pytest.raises(InvalidValue):
            city.at(TODAY, CLERK, hours.reopen_period, 1, *days, until=until, reason="补录")
    with pytest.raises(NotFound):
        city.at(TODAY, CLERK, hours.reopen_period, 2, DAY, DAY, until=soon, reason="补录")


@pytest.mark.parametrize("statement", ["DELETE FROM vk_period", "UPDATE vk_period SET last_on = 0"])
def test_l16_closings_are_never_changed(city: Any, records: list[int], statement: str) -> None:
    city.at(TODAY, CLERK, hours.close_period, *JANUARY)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), city.engine.begin() as connection:
        connection.exec_driver_sql(statement)


KIT = Kit.load(cipher=KeyCipher(bytes(32)), clock=fixed_clock(NOON))


def race(url: str, me: int) -> list[str]:
    """One closes January, the others post in it: after the closing nobody does."""
    engine, outcomes = volunteerkit.create_engine(url), []
    if me == 0:
        KIT.run(engine, CLERK, lambda desk: hours.close_period(desk, *JANUARY))
        outcomes.append("closed")
    else:
        for _ in range(8):
            try:
                KIT.run(engine, CLERK, partial(hours.record, claim=Claim("V1", "P1", DAY, 1)))
                outcomes.append("posted")
            except Refused:
                outcomes.append("refused")
    engine.dispose()
    return outcomes


@pytest.mark.slow
def test_a17_close_and_post_take_turns(city: Any, records: list[int], database_url: str) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, __file__, database_url, str(me)], stdout=subprocess.PIPE, encoding="utf-8"
        )
        for me in range(4)
    ]
    told = [json.loads(process.communicate(timeout=120)[0]) for process in started]
    posted = sum(each.count("posted") for each in told)
    with city.engine.connect() as connection:
        closed = connection.exec_driver_sql("SELECT seq FROM vk_event WHERE type = 'period.closed'").scalar()
        last = connection.exec_driver_sql(
            "SELECT max(seq) FROM vk_event WHERE type = 'hours.recorded'"
        ).scalar()
        count = connection.exec_driver_sql("SELECT count(*) FROM vk_service_record").scalar()
        assert hours.verify_store(connection).holds
    assert last < closed
    assert count == posted + 2
    assert posted + sum(each.count("refused") for each in told) == 24


if __name__ == "__main__":
    print(json.dumps(race(sys.argv[1], int(sys.argv[2]))))
