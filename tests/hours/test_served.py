"""A volunteer's own attendance: minutes raw and credited, and where the claim of each pair stands."""

from __future__ import annotations

import datetime as dt
import runpy
from pathlib import Path
from typing import Any

import pytest

from volunteerkit import Actor, approvals, hours, volunteers
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted
from volunteerkit.projects.attendance import check_in, check_out, review

_folder = Path(__file__).parents[1] / "projects"
_shared = runpy.run_path(str(_folder / "attending.py"), run_name="attending")
planned = runpy.run_path(str(_folder / "conftest.py"), run_name="planned")["planned"]
NINE, CENTRE, LEADER, SECOND, STRANGER = (
    _shared[name] for name in ("NINE", "CENTRE", "LEADER", "SECOND", "STRANGER")
)
me, minutes = _shared["me"], _shared["minutes"]
ONE = NINE + dt.timedelta(hours=4)
DAY = dt.timedelta(days=1)


@pytest.fixture
def attending(planned: Any) -> Any:
    return _shared["Attending"](planned)


def served(attending: Any, number: str, day: int, length: int = 240) -> int:
    """Let somebody serve in a shift of their own on a day, and return the shift."""
    shift_id: int = attending.shift(number, starts=NINE + day * DAY)
    attending.at(NINE + day * DAY, LEADER, check_in, shift_id, number)
    attending.at(NINE + day * DAY + minutes(length), LEADER, check_out, shift_id, number)
    return shift_id


def own(attending: Any, number: str = "V1", day: int = 9, actor: Any = None, **page: Any) -> Any:
    return attending.at(ONE + day * DAY, actor or me(number), hours.attendance_of, number, **page)


def test_every_pair_says_where_its_minutes_stand(attending: Any) -> None:
    for day, length in enumerate((240, 180, 240, 120, 240, 60)):
        shift_id = served(attending, "V1", day, length)
        if day < 4:
            (claim,) = attending.at(ONE + day * DAY, LEADER, hours.claim_attendance, shift_id)
            if day:
                attending.at(ONE + day * DAY, SECOND, hours.reject if day == 3 else hours.confirm,
                             claim.record_id, **({"reason": "不在场"} if day == 3 else {}))  # fmt: skip
            if day == 2:
                third = Actor("admin-3", SECOND.grants)
                attending.at(ONE + day * DAY, third, hours.reverse, claim.record_id, reason="录错")
    for day, accept in ((6, None), (7, False)):
        shift_id = attending.shift("V1", starts=NINE + day * DAY)
        for verb, at in ((check_in, NINE), (check_out, ONE)):
            done = attending.at(at + day * DAY, me("V1"), verb, shift_id, "V1", evidence="合影")
        if accept is not None:
            attending.at(ONE + day * DAY, SECOND, review, done.attendance_id, accept=accept, reason="核对")
    last = attending.shift("V1", "V2", starts=NINE + 9 * DAY)
    for number in ("V1", "V2"):
        attending.at(NINE + 9 * DAY, LEADER, check_in, last, number)
    found = own(attending)
    assert [(each.claim, each.raw_minutes, each.confirmed_minutes, each.credited_minutes) for each in found] == [
        ("pending", 240, 0, 0), ("confirmed", 180, 180, 180), ("reversed", 240, 0, 0), ("rejected", 120, 0, 0),
        ("unclaimed", 240, 0, 0), ("unclaimed", 60, 0, 0), ("waiting", 240, 0, 0), ("refused", 240, 0, 0),
        ("open", 0, 0, 0),
    ]  # fmt: skip
    assert {(each.project, each.project_name) for each in found} == {("P1", "社区敬老")}
    assert f"{found[0].in_at:%Y-%m-%d %H:%M}" == "2026-11-30 09:00"
    assert found[-1].out_at is None
    assert [each.claim for each in own(attending, "V2")] == ["open"]
    assert own(attending, "V3") == ()


def test_what_a_rule_takes_off_is_said_at_the_pair(attending: Any) -> None:
    """Two organizations at the same time: both were served as far as the lists say, and minutes count once."""
    first = served(attending, "V1", 0)
    (claim,) = attending.at(ONE, LEADER, hours.claim_attendance, first)
    attending.at(ONE, SECOND, hours.confirm, claim.record_id)
    earlier = hours.Claim("V1", "P1", NINE.date(), 120, dt.time(8), dt.time(10))
    other = attending.at(ONE, LEADER, hours.record, earlier)
    attending.at(ONE, SECOND, hours.confirm, other.record_id, reason="另有名单")
    (found,) = own(attending)
    assert (found.raw_minutes, found.confirmed_minutes, found.credited_minutes) == (240, 240, 180)
    assert [each.code for each in found.reasons] == ["minutes_counted_before"]
    (plain,) = own(attending, rulebook="plain")
    assert (plain.credited_minutes, plain.reasons) == (240, ())


def test_it_comes_by_pages_and_from_a_day_on(attending: Any) -> None:
    for day in range(3):
        served(attending, "V1", day)
    assert [each.attendance_id for each in own(attending, limit=2)] == [1, 2]
    assert [each.attendance_id for each in own(attending, after=2)] == [3]
    assert [each.attendance_id for each in own(attending, since=(NINE + DAY).date())] == [2, 3]
    for wrong in ({"limit": 0}, {"after": -1}, {"after": True}, {"since": "2026"}, {"rulebook": "unio"}):
        with pytest.raises(InvalidValue):
            own(attending, **wrong)


def test_it_is_for_whoever_may_read_the_statement(attending: Any) -> None:
    served(attending, "V1", 0)
    assert len(own(attending, actor=LEADER)) == len(own(attending, actor=CENTRE)) == 1
    for actor in (STRANGER, me("V2")):
        with pytest.raises(NotFound):
            own(attending, actor=actor)
    with pytest.raises(NotPermitted):
        own(attending, actor=Actor.of("gates", "system"))
    with pytest.raises(InvalidValue) as told:
        own(attending, None, actor=CENTRE)  # type: ignore[arg-type]
    assert told.value.code == "no_volunteer"


def test_a_merged_volunteer_has_one_list(attending: Any) -> None:
    served(attending, "V1", 0)
    served(attending, "V2", 1)
    case = attending.at(ONE + DAY, CENTRE, volunteers.propose_merge, "V1", "V2", reason="同一人").id
    attending.at(ONE + DAY, Actor.of("centre-2", "centre"), approvals.decide, case, "approve")
    found = [own(attending, number, actor=CENTRE) for number in ("V1", "V2")]
    assert [each.attendance_id for each in found[0]] == [1, 2]
    assert found[0] == found[1]
