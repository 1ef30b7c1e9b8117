"""While its organizer is suspended nothing new begins in a shift; what runs is finished by those who may."""

from __future__ import annotations

import datetime as dt
import runpy
from pathlib import Path
from typing import Any

import pytest

from volunteerkit import Actor, Grant, Refused, approvals, hours, organizations, projects
from volunteerkit.errors import NotPermitted
from volunteerkit.messages import LANGUAGES
from volunteerkit.projects import participants, recruiting
from volunteerkit.projects.attendance import check_in, check_out, review
from volunteerkit.projects.codes import shift_code
from volunteerkit.projects.tables import project

_shared = runpy.run_path(str(Path(__file__).with_name("attending.py")), run_name="attending")
NINE, LEADER, GATE, CENTRE = (_shared[name] for name in ("NINE", "LEADER", "GATE", "CENTRE"))
SECOND_CENTRE, THIRD_CENTRE = (Actor.of(f"centre-{n}", "centre") for n in (2, 3))
me, minutes = _shared["me"], _shared["minutes"]
ONE = NINE + dt.timedelta(hours=4)
BEFORE = NINE - dt.timedelta(days=5)


@pytest.fixture
def attending(planned: Any) -> Any:
    return _shared["Attending"](planned)


def suspend(attending: Any, instant: dt.datetime, days: int) -> None:
    """Suspend O1 from the day of the instant on, so many days."""
    since = instant.date()
    case = attending.at(
        instant, SECOND_CENTRE, organizations.propose_suspension, "O1",
        reason="年检未过", since=since, until=since + dt.timedelta(days - 1),
    )  # fmt: skip
    attending.at(instant, THIRD_CENTRE, approvals.decide, case, "approve")


def refused(attending: Any, *given: Any, **named: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        attending.at(*given, **named)
    blocking = [each for each in caught.value.findings if each.severity == "block"]
    for finding in blocking:
        assert all("O1" in finding.message(language) for language in LANGUAGES)
    return [each.code for each in blocking]


def states(attending: Any, shift_id: int) -> dict[str, str]:
    found = attending.at(BEFORE, LEADER, participants.list_participants, shift_id)
    return {each.volunteer: each.state for each in found}


def test_nobody_joins_and_nobody_is_promoted_until_it_is_over(attending: Any) -> None:
    shift_id = attending.planned.shift(NINE, 4, 1)
    for number in ("V1", "V2"):
        attending.at(BEFORE, me(number), recruiting.join, shift_id, number)
    suspend(attending, BEFORE, 2)
    assert refused(attending, BEFORE, me("V3"), recruiting.join, shift_id, "V3") == ["organizer_suspended"]
    told = attending.at(BEFORE, me("V3"), recruiting.check_join, shift_id, "V3")
    assert [each.code for each in told] == ["organizer_suspended", "will_wait"]
    assert refused(attending, BEFORE, CENTRE, participants.accept, 2) == ["organizer_suspended"]
    attending.at(BEFORE, me("V1"), recruiting.withdraw, shift_id, "V1")  # who leaves may
    assert states(attending, shift_id) == {"V1": "withdrawn", "V2": "waiting"}
    attending.at(BEFORE, CENTRE, recruiting.sweep)
    assert states(attending, shift_id)["V2"] == "waiting"
    attending.at(BEFORE + dt.timedelta(days=2), CENTRE, recruiting.sweep)
    assert states(attending, shift_id)["V2"] == "accepted"
    joined = attending.at(BEFORE + dt.timedelta(days=2), me("V3"), recruiting.join, shift_id, "V3")
    assert joined.state == "waiting"


def test_nothing_of_it_is_published(attending: Any) -> None:
    attending.change(project, 1, status="approved", published_at=None)
    suspend(attending, BEFORE, 2)
    with pytest.raises(NotPermitted) as caught:
        attending.at(BEFORE, LEADER, projects.publish, "P1")
    assert caught.value.code == "office_suspended"
    assert refused(attending, BEFORE, CENTRE, projects.publish, "P1") == ["not_living"]
    assert attending.at(BEFORE + dt.timedelta(days=2), LEADER, projects.publish, "P1").status == "published"


def test_no_code_is_shown_for_checking_in_and_who_is_there_is_finished_with(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2", "V3")
    for number in ("V1", "V2"):
        attending.at(NINE, LEADER, check_in, shift_id, number)
    suspend(attending, NINE + minutes(60), 1)
    for purpose in ("in", "out"):
        with pytest.raises(NotPermitted) as caught:
            attending.at(NINE + minutes(61), LEADER, shift_code, shift_id, purpose)
        assert caught.value.code == "office_suspended"
    assert refused(attending, NINE + minutes(61), GATE, shift_code, shift_id) == ["organizer_suspended"]
    code = attending.at(ONE, GATE, shift_code, shift_id, "out")
    attending.at(ONE, me("V1"), check_out, shift_id, "V1", code=code)
    attending.at(ONE, me("V2"), check_out, shift_id, "V2", evidence="与队友的合影")
    attending.at(ONE, CENTRE, review, 2, accept=True, reason="队友证明")
    claimed = attending.at(ONE, SECOND_CENTRE, hours.claim_attendance, shift_id)
    with pytest.raises(NotPermitted):
        attending.at(ONE, LEADER, hours.confirm, claimed[0].record_id)
    confirmed = [attending.at(ONE, CENTRE, hours.confirm, each.record_id).minutes for each in claimed]
    assert confirmed == [240, 240]


def test_a_suspended_team_stops_its_own_shifts_alone(attending: Any) -> None:
    from volunteerkit.organizations import TeamForm, teams

    officer = Actor("leader-9", (Grant("organization_admin", "O1"),))
    asked = attending.at(BEFORE, CENTRE, teams.apply, TeamForm("一队", organization="O1"), number="T1")
    attending.at(BEFORE, officer, approvals.decide, asked.case, "approve")
    shift_id = attending.planned.shift(NINE, 4)
    attending.at(BEFORE, CENTRE, teams.suspend, "T1", reason="整顿", until=BEFORE.date())
    attending.at(BEFORE, me("V1"), recruiting.join, shift_id, "V1")
    attending.change(project, 1, team_id=1)
    with pytest.raises(Refused, match="T1"):
        attending.at(BEFORE, me("V2"), recruiting.join, shift_id, "V2")
