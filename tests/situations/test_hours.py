"""Hours through the whole chain: which participations count, what a day's limit cuts, what moves in the time bank."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Claim, Policy, hours, projects
from volunteerkit.errors import InvalidValue
from volunteerkit.hours import bank
from volunteerkit.hours.bank.tables import credit_account
from volunteerkit.projects import attendance, participants, recruiting

CAPPED = """
id = "city.day"
decides = "credit"
[[version]]
effective_from = 2020-01-01
citation = "示例：一天最多计入 8 小时"
once = true
limit = [{ per = "day", at_most = "8 * 60" }]
"""


def test_a26_only_what_was_served_and_confirmed_counts(town: Any) -> None:
    """A26: pending, rejected, cancelled and missed give nothing."""
    (shift,) = town.shifts(town.project(town.shift(7, "08:00")))
    for n in range(1, 6):
        town.at(1, "09:00", town.me(f"V{n}"), recruiting.join, shift, f"V{n}")
    town.at(2, "09:00", town.me("V5"), recruiting.withdraw, shift, "V5")
    come = ["V1", "V2", "V3"]
    town.at(7, "08:00", town.admin, attendance.check_list, shift, come, whole=True)
    town.at(7, "12:00", town.admin, attendance.check_list, shift, come, "out", whole=True)
    listed = {
        each.volunteer: each
        for each in town.at(7, "13:00", town.admin, participants.list_participants, shift)
    }
    town.at(7, "13:00", town.admin, participants.mark, listed["V4"].id, "missed")
    claimed = town.claimed(shift, 8)
    assert set(claimed) == {"V1", "V2", "V3"}
    town.at(8, "10:00", town.second_admin, hours.confirm, claimed["V1"].record_id)
    town.at(8, "10:00", town.second_admin, hours.reject, claimed["V2"].record_id, reason="签到有误")
    told = {
        f"V{n}": town.at(8, "11:00", town.me(f"V{n}"), hours.statement, f"V{n}").credited_minutes
        for n in range(1, 6)
    }
    assert told == {"V1": 240, "V2": 0, "V3": 0, "V4": 0, "V5": 0}


def test_a32_a_forgotten_check_out_is_no_credit_before_somebody_looked(town: Any) -> None:
    (shift,) = town.shifts(town.project(town.shift(7, "08:00")))
    town.at(1, "09:00", town.me("V1"), recruiting.join, shift, "V1")
    town.at(7, "08:00", town.admin, attendance.check_list, shift, ["V1"], whole=True)
    assert [each.code for each in town.claimed(shift, 7, "19:00")["V1"].findings] == ["still_there"]
    assert [each.code for each in town.claimed(shift, 8)["V1"].findings] == ["attendance_waits"]
    (pair,) = town.at(8, "09:00", town.admin, attendance.list_attendance, shift)
    assert (pair.minutes, pair.flags, pair.waiting) == (240, ("forgotten",), True)
    left = town.instant(7, "10:00")
    town.at(8, "09:10", town.admin, attendance.review, pair.id, accept=True, reason="十点离开", out_at=left)
    assert town.claimed(shift, 8, "09:20")["V1"].minutes == 120


def test_a35_a_day_counts_to_its_limit_and_the_raw_minutes_stay(
    make_city: Any, settle: Any, database_url: str, tmp_path: Path
) -> None:
    """A35: of ten hours eight are credited, ten stay as served, and the reason names the limit."""
    file = tmp_path / "每日上限.toml"
    file.write_text(CAPPED, "utf-8")
    town = settle(make_city(database_url, file))
    town.policy = Policy(credit_rulebook="city.day")
    first, second = town.shifts(town.project(town.shift(7, "08:00", 6), town.shift(7, "14:00", 4)))
    for shift, clock in ((first, ("08:00", "14:00")), (second, ("14:00", "18:00"))):
        town.at(1, "09:00", town.me("V1"), recruiting.join, shift, "V1")
        for purpose, at in zip(("in", "out"), clock, strict=True):
            town.at(7, at, town.admin, attendance.check_list, shift, ["V1"], purpose, whole=True)
        record = town.claimed(shift, 7, "19:00")["V1"].record_id
        town.at(8, "09:00", town.second_admin, hours.confirm, record)
    told = town.at(8, "10:00", town.me("V1"), hours.statement, "V1", rulebook="city.day")
    assert (told.confirmed_minutes, told.credited_minutes) == (600, 480)
    assert [[reason.code for reason in line.reasons] for line in told.lines] == [[], ["day_limit"]]
    assert town.at(8, "11:00", town.centre, bank.settle, "V1").available_minutes == 480


def test_a49_the_end_of_an_activity_is_processed_once(town: Any) -> None:
    """A49: claimed, swept and confirmed twice, there is one record and one total."""
    number = town.project(town.shift(7, "08:00"))
    (shift,) = town.shifts(number)
    town.at(1, "09:00", town.me("V1"), recruiting.join, shift, "V1")
    town.at(7, "08:00", town.admin, attendance.check_list, shift, ["V1"], whole=True)
    town.at(7, "12:00", town.admin, attendance.check_list, shift, ["V1"], "out", whole=True)
    record = town.claimed(shift, 8)["V1"].record_id
    written = town.written()
    assert town.claimed(shift, 8) == {}
    assert town.at(8, "09:00", town.job, attendance.close_forgotten) == 0
    assert town.at(8, "09:00", town.job, recruiting.sweep) == 0
    assert town.written() == written
    town.at(8, "10:00", town.second_admin, hours.confirm, record, key="确认-1")
    assert town.at(8, "10:00", town.second_admin, hours.confirm, record, key="确认-1").replayed
    # a sheet of paper entered besides is told as an overlap and counts for nothing more
    claim = Claim("V1", number, town.instant(7, "08:00").date(), 240, dt.time(8), dt.time(12))
    again = town.at(8, "11:00", town.admin, hours.record, claim)
    assert "overlap_warning" in [each.code for each in again.findings]
    town.at(8, "11:30", town.second_admin, hours.confirm, again.record_id)
    told = town.at(8, "12:00", town.me("V1"), hours.statement, "V1")
    assert (told.confirmed_minutes, told.credited_minutes) == (480, 240)


def test_a69_a_gift_moves_what_it_takes_and_is_never_nothing_or_to_oneself(town: Any) -> None:
    """A69: what one loses the other gains; zero and one's own account are refused."""
    town.policy = Policy(gift_minutes_per_year=100)
    (shift,) = town.shifts(town.project(town.shift(7, "08:00")))
    town.at(1, "09:00", town.me("V1"), recruiting.join, shift, "V1")
    town.at(7, "08:00", town.admin, attendance.check_list, shift, ["V1"], whole=True)
    town.at(7, "12:00", town.admin, attendance.check_list, shift, ["V1"], "out", whole=True)
    town.at(8, "09:00", town.second_admin, hours.confirm, town.claimed(shift, 8)["V1"].record_id)
    town.at(8, "10:00", town.centre, bank.settle, "V1")

    def total() -> int:
        with town.city.engine.connect() as connection:
            return int(
                connection.execute(sa.select(sa.func.sum(credit_account.c.posted_minutes))).scalar_one()
            )

    before = total()
    town.at(8, "11:00", town.me("V1"), bank.give, "V1", "V2", minutes=100)
    assert town.at(8, "11:00", town.me("V1"), bank.balance, "V1").available_minutes == 140
    assert town.at(8, "11:00", town.me("V2"), bank.balance, "V2").available_minutes == 100
    assert total() == before
    assert town.refused(8, "12:00", town.me("V1"), bank.give, "V1", "V1", minutes=1) == ["gift_to_oneself"]
    assert town.refused(8, "12:00", town.me("V1"), bank.give, "V1", "V2", minutes=1) == ["gifts_used_up"]
    with pytest.raises(InvalidValue):
        town.at(8, "12:00", town.me("V1"), bank.give, "V1", "V2", minutes=0)


def test_a71_a_fourth_pair_a_past_project_and_a_longer_back_entry_are_refused(town: Any) -> None:
    """A71: through the whole chain, from the gate to the record."""
    (shift,) = town.shifts(town.project(town.shift(7, "08:00")))
    town.at(1, "09:00", town.me("V1"), recruiting.join, shift, "V1")
    for hour in (8, 9, 10):
        town.at(7, f"{hour:02}:00", town.admin, attendance.check_list, shift, ["V1"], whole=True)
        town.at(7, f"{hour:02}:30", town.admin, attendance.check_list, shift, ["V1"], "out", whole=True)
    assert town.refused(7, "11:00", town.admin, attendance.check_list, shift, ["V1"], whole=True) == [
        "pairs_enough"
    ]
    past = projects.ProjectForm(
        "秋季护河", "O1", town.instant(7, "12:00").date(), town.instant(7, "12:00").date(), town.said,
        places=3, shifts=(town.shift(7, "14:00", 2),),
    )  # fmt: skip
    assert "in_the_past" in town.refused(9, "09:00", town.admin, projects.apply, past)
    applied = town.at(
        9, "09:00", town.admin, projects.apply, past, back_entry=True, evidence="签到表第 12 号"
    )
    town.approve(9, applied.case, town.officer, town.centre)
    day = past.starts_on
    longer = Claim("V2", applied.number, day, 121)
    assert town.refused(9, "12:00", town.admin, hours.record, longer) == ["more_than_activity"]
    recorded = town.at(9, "12:00", town.admin, hours.record, Claim("V2", applied.number, day, 120))
    assert recorded.findings == ()  # nobody could join what was entered afterwards, so nobody is asked why
    town.at(9, "13:00", town.second_admin, hours.confirm, recorded.record_id)
    assert town.at(9, "14:00", town.me("V2"), hours.statement, "V2").confirmed_minutes == 120
