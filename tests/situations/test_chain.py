"""One life of a project, from its brand to redeemed credit, through public verbs alone, with the clock moved."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import volunteerkit.cli
from volunteerkit import approvals, hours, projects
from volunteerkit.errors import NotPermitted
from volunteerkit.hours import bank
from volunteerkit.projects import attendance, brands, codes, participants, recruiting
from volunteerkit.statistics import activity_record, brand_page

DAY = dt.date(2026, 11, 2)

SCRIPT = Path(volunteerkit.cli.__file__).with_name("verify_export.py")


def test_from_a_brand_to_redeemed_credit(town: Any, tmp_path: Path) -> None:
    child = town.minor(dt.date(2011, 4, 5))
    brand = town.at(-10, "09:00", town.officer, brands.create, "暖阳行动", area="渝水区")

    morning, noon = town.shift(7, "08:00", 4, 4), town.shift(7, "11:00", 2, 2)
    form = projects.ProjectForm(
        "社区敬老",
        "O1",
        DAY + dt.timedelta(7),
        DAY + dt.timedelta(7),
        town.said,
        brand=brand,
        places=6,
        shifts=(morning, noon),
    )
    applied = town.at(0, "09:00", town.admin, projects.apply, form)
    number = applied.number
    with pytest.raises(NotPermitted):
        town.at(0, "09:10", town.second_admin, approvals.decide, applied.case, "approve")
    town.at(0, "10:00", town.officer, approvals.decide, applied.case, "approve")
    assert town.at(0, "10:05", town.admin, projects.publish, number).status == "published"
    first, second = town.shifts(number)

    # four places: the child and three others get one, the fourth waits until somebody withdraws
    for who in (child, "V1", "V2", "V3"):
        assert town.at(1, "09:00", town.me(who), recruiting.join, first, who).state == "accepted"
    assert town.at(1, "10:00", town.me("V4"), recruiting.join, first, "V4").state == "waiting"
    town.at(2, "09:00", town.me("V3"), recruiting.withdraw, first, "V3")
    listed = town.at(2, "10:00", town.admin, participants.list_participants, first)
    assert {each.volunteer: each.state for each in listed} == {
        child: "accepted", "V1": "accepted", "V2": "accepted", "V3": "withdrawn", "V4": "accepted",
    }  # fmt: skip
    # one serves at two stalls at the same time
    assert town.refused(3, "09:00", town.me("V1"), recruiting.join, second, "V1") == ["shift_conflict"]
    town.at(3, "10:00", town.admin, participants.invite, second, "V1", override="两个摊位挨着，兼顾得来")
    assert town.at(3, "11:00", town.me("V1"), recruiting.answer, second, "V1", "accept").state == "accepted"

    # by code, by the leader's list; V4 forgets to check out
    shown = town.at(7, "07:50", town.admin, codes.shift_code, first)
    for who in ("V1", child):
        town.at(7, "07:50", town.me(who), attendance.check_in, first, who, code=shown)
    town.at(7, "08:00", town.second_admin, attendance.check_list, first, ["V2", "V4"], whole=True)
    town.at(7, "10:55", town.second_admin, attendance.check_list, second, ["V1"], whole=True)
    leaving = town.at(7, "11:30", town.admin, codes.shift_code, first, "out")
    town.at(7, "11:30", town.me(child), attendance.check_out, first, child, code=leaving)
    town.at(7, "12:05", town.second_admin, attendance.check_list, first, ["V1", "V2"], "out", whole=True)
    town.at(7, "13:00", town.second_admin, attendance.check_list, second, ["V1"], "out", whole=True)

    claimed = {
        each.volunteer: each for each in town.at(8, "09:00", town.admin, hours.claim_attendance, first)
    }
    assert {who: each.minutes for who, each in claimed.items()} == {child: 210, "V1": 240, "V2": 240, "V4": 0}
    assert [each.code for each in claimed["V4"].findings] == ["attendance_waits"]
    town.at(8, "09:30", town.job, attendance.close_forgotten)
    waiting = [
        each for each in town.at(8, "09:40", town.admin, attendance.list_attendance, first) if each.waiting
    ]
    (forgotten,) = waiting
    town.at(
        8, "10:00", town.admin, attendance.review, forgotten.id, accept=True, reason="与领队一起离开",
        out_at=town.instant(7, "12:00"),
    )  # fmt: skip
    (late,) = town.at(8, "10:10", town.admin, hours.claim_attendance, first)
    (double,) = town.at(8, "10:20", town.admin, hours.claim_attendance, second)
    assert (late.volunteer, late.minutes, double.volunteer, double.minutes) == ("V4", 240, "V1", 120)
    assert town.at(8, "10:30", town.admin, hours.claim_attendance, first) == ()

    # somebody else confirms, and nobody their own claim
    records = [each.record_id for each in claimed.values() if each.record_id] + [
        late.record_id,
        double.record_id,
    ]
    assert town.refused(8, "11:00", town.admin, hours.confirm, records[0])
    for record in records:
        town.at(8, "11:00", town.second_admin, hours.confirm, record)

    told = town.at(8, "12:00", town.me("V1"), hours.statement, "V1")
    assert (told.confirmed_minutes, told.credited_minutes) == (360, 300)
    assert [[reason.code for reason in line.reasons] for line in told.lines] == [
        [],
        ["minutes_counted_before"],
    ]
    participation = {
        each.volunteer: each
        for each in town.at(8, "12:00", town.admin, participants.list_participants, first)
    }
    assert participation["V2"].state == "completed"  # with the confirmation of the hours
    for who in (child, "V1", "V2", "V4"):
        if participation[who].state == "completed":
            continue
        town.at(8, "12:10", town.admin, participants.mark, participation[who].id, "completed")

    # V2 came an hour later than the list says; refused, appealed, adjusted by the centre
    mine = claimed["V2"].record_id
    dispute = town.at(9, "09:00", town.me("V2"), hours.dispute, mine, 180, reason="我九点才到")
    assert town.at(9, "09:05", town.me("V2"), hours.statement, "V2").lines[0].disputed
    assert town.refused(
        9, "09:10", town.second_admin, approvals.decide, dispute.id, "refuse", reason="名单如此"
    )
    town.at(9, "09:20", town.third_admin, approvals.decide, dispute.id, "refuse", reason="名单如此")
    appeal = town.at(9, "10:00", town.me("V2"), hours.appeal, dispute.id, reason="有照片为证")
    town.at(9, "11:00", town.centre, approvals.decide, appeal.id, "approve")
    (line,) = town.at(9, "12:00", town.me("V2"), hours.statement, "V2").lines
    assert (line.claimed_minutes, line.confirmed_minutes, line.credited_minutes) == (240, 180, 180)
    assert not line.disputed

    case = town.at(
        10, "09:00", town.admin, projects.report, number, persons=20, minutes=600, result="陪护二十位老人"
    )
    town.at(10, "10:00", town.officer, approvals.decide, case, "approve")
    assert town.at(10, "11:00", town.centre, projects.view, number).status == "closed"

    # the month is closed: what it says stays; a correction counts from a later day
    last = dt.date(2026, 11, 30)
    town.at(30, "09:00", town.centre, hours.close_period, DAY, last)
    assert town.refused(
        30, "10:00", town.third_admin, hours.reverse, mine, reason="重复", effective_on=DAY + dt.timedelta(7)
    ) == ["period_closed"]

    for who in ("V1", "V2", "V4", child):
        town.at(31, "09:00", town.centre, bank.settle, who)
    assert town.at(31, "09:10", town.me("V1"), bank.balance, "V1").available_minutes == 300
    held = town.at(31, "10:00", town.me("V1"), bank.hold, "V1", "O2", minutes=120)
    assert town.at(31, "11:00", town.other_admin, bank.redeem, held.id).state == "redeemed"
    assert town.at(31, "11:10", town.me("V1"), bank.balance, "V1").available_minutes == 180
    assert town.at(31, "11:10", town.me("V1"), hours.statement, "V1").credited_minutes == 300

    page = town.at(31, "12:00", town.centre, brand_page, brand)
    assert page is not None
    assert town.at(31, "12:00", town.me("V1"), activity_record, "V1") is not None
    assert sound(town, tmp_path)


def sound(town: Any, folder: Path) -> bool:
    """Ask all that verifies: the store, the bank, what disagrees with attendance, and the script of an auditor."""
    with town.city.engine.connect() as connection:
        found = hours.verify_store(connection)
        assert found.holds, found
        assert bank.verify_bank(connection) == ("", "", "")
    assert town.at(31, "13:00", town.second_centre, hours.unmatched_attendance) == ()
    file = folder / "ledger.jsonl"
    file.write_text(
        "\n".join(town.at(31, "13:10", town.centre, lambda desk: list(hours.export_ledger(desk)))) + "\n",
        "utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, file, found.head], check=False, capture_output=True, encoding="utf-8"
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return True
