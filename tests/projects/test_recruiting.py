"""Joining and leaving a shift: who may, what is asked of them, what the organizer decides (situations A1 to A62)."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import (
    Actor,
    Finding,
    Grant,
    Kit,
    Policy,
    Refused,
    approvals,
    hookimpl,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted, PluginConflict, PluginError
from volunteerkit.projects import participants, recruiting
from volunteerkit.projects.eligibility import person_of
from volunteerkit.projects.tables import participation, position, project, shift
from volunteerkit.store.vault import seal_subject
from volunteerkit.units import day_number

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY, THEN = dt.date(2026, 11, 23), dt.date(2026, 11, 30)
CENTRE = Actor.of("centre-1", "centre", "system")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))


def me(number: str) -> Actor:
    return Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)


def on(hour: float, day: dt.date = THEN) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), SHANGHAI) + dt.timedelta(hours=hour)


def change(planned: Any, table: sa.Table, id: int, **values: Any) -> None:
    written = sa.update(table).where(table.c.id == id).values(**values)
    planned.at(CENTRE, lambda desk: desk.connection.execute(written))


def settled(planned: Any, **policy: Any) -> Any:
    kit = attrs.evolve(planned.city.kit, policy=Policy(**policy))
    return attrs.evolve(planned, city=attrs.evolve(planned.city, kit=kit))


def join(planned: Any, number: str, shift_id: int, *given: Any, on: dt.date = DAY, **named: Any) -> Any:
    return planned.at(me(number), recruiting.join, shift_id, number, *given, on=on, **named)


def refused(
    planned: Any, number: str, shift_id: int, *given: Any, on: dt.date = DAY, **named: Any
) -> list[Finding]:
    """Return why joining is refused; the form says the same, and nothing was written."""

    def written(desk: Any) -> list[Any]:
        query = "SELECT count(*), (SELECT event_seq FROM vk_head), (SELECT sum(taken) FROM vk_shift) FROM vk_participation"
        return list(desk.connection.exec_driver_sql(query).one())

    before = planned.at(CENTRE, written)
    with pytest.raises(Refused) as caught:
        join(planned, number, shift_id, *given, on=on, **named)
    told = planned.at(me(number), recruiting.check_join, shift_id, number, *given, on=on, **named)
    assert told == caught.value.findings
    assert planned.at(CENTRE, written) == before
    for each in caught.value.findings:
        assert each.code not in each.message("zh-CN")
        assert each.code not in each.message("en")
    return [each for each in caught.value.findings if each.severity == "block"]


def codes(*given: Any, **named: Any) -> list[str]:
    return [each.code for each in refused(*given, **named)]


def states(planned: Any, shift_id: int) -> dict[str, str]:
    return {
        each.volunteer: each.state for each in planned.at(ADMIN, participants.list_participants, shift_id)
    }


def free(planned: Any, shift_id: int, on: dt.date = DAY) -> int | None:
    number: int | None = planned.at(me("V6"), recruiting.free_places, shift_id, on=on).free
    return number


def events(planned: Any, type: str) -> list[dict[str, Any]]:
    def read(desk: Any) -> list[str]:
        query = sa.text("SELECT payload FROM vk_event WHERE type = :type ORDER BY seq")
        return list(desk.connection.execute(query, {"type": type}).scalars())

    return [json.loads(each) for each in planned.at(CENTRE, read)]


def test_a5_two_places_zero_places_and_no_limit(planned: Any) -> None:
    change(planned, project, 1, waiting_list=0)
    two, closed, open_ = (
        planned.shift(on(8), capacity=2),
        planned.shift(on(8), capacity=0),
        planned.shift(on(14)),
    )
    assert [join(planned, number, two).state for number in ("V1", "V2")] == ["accepted"] * 2
    (found,) = refused(planned, "V3", two)
    assert (found.code, found.values) == ("shift_full", {"shift": two, "free": 0, "needed": 1})
    assert codes(planned, "V3", closed) == ["shift_closed"]
    assert [join(planned, f"V{n}", open_).state for n in range(1, 7)] == ["accepted"] * 6
    assert (free(planned, two), free(planned, closed), free(planned, open_)) == (0, 0, None)
    change(planned, project, 1, waiting_list=1)
    assert codes(planned, "V3", closed) == ["shift_closed"]
    assert join(planned, "V3", two).state == "waiting"


def test_a7_a_lowered_capacity_drops_nobody(planned: Any) -> None:
    change(planned, project, 1, waiting_list=0)
    first = planned.shift(on(8), capacity=3)
    for number in ("V1", "V2", "V3"):
        join(planned, number, first)
    change(planned, shift, first, capacity=1)
    places = planned.at(me("V6"), recruiting.free_places, first)
    assert (places.capacity, places.taken, places.free) == (1, 3, 0)
    assert set(states(planned, first).values()) == {"accepted"}
    assert codes(planned, "V4", first) == ["shift_full"]
    planned.at(me("V1"), recruiting.withdraw, first, "V1")
    assert codes(planned, "V4", first) == ["shift_full"]


def test_a8_who_joins_twice_is_told_so(planned: Any) -> None:
    first = planned.shift(on(8), capacity=5)
    joined = join(planned, "V1", first)
    (found,) = refused(planned, "V1", first)
    assert (found.code, found.values) == ("already_joined", {"shift": first, "state": "accepted"})
    assert "已接受" in found.message("zh-CN")
    assert states(planned, first) == {"V1": "accepted"}
    assert free(planned, first) == 4
    planned.at(me("V1"), recruiting.withdraw, first, "V1")
    assert join(planned, "V1", first).participation_id == joined.participation_id


def test_a9_withdrawing_has_a_deadline_and_then_a_manager(planned: Any) -> None:
    eve = settled(planned, withdraw_hours=24)
    first, second = planned.shift(on(12)), planned.shift(on(11.99, THEN))
    joined = [join(planned, f"V{n}", id_) for n, id_ in ((1, first), (2, second))]
    # noon of the day before is 24 hours before the first, and a little less before the second
    eve.at(me("V1"), recruiting.withdraw, first, "V1", on=THEN - dt.timedelta(1))
    with pytest.raises(Refused) as caught:
        eve.at(me("V2"), recruiting.withdraw, second, "V2", on=THEN - dt.timedelta(1))
    assert [each.code for each in caught.value.findings] == ["withdrawal_too_late"]
    assert states(planned, second) == {"V2": "accepted"}
    with pytest.raises(NotPermitted):
        eve.at(me("V2"), participants.remove, joined[1].participation_id, reason="有事")
    eve.at(
        ADMIN, participants.remove, joined[1].participation_id, reason="突然生病", on=THEN - dt.timedelta(1)
    )
    assert states(planned, second) == {"V2": "refused"}
    assert "生病" not in json.dumps(events(planned, "participation.moved"), ensure_ascii=False)
    # whoever was taken out comes back by a decision only
    assert join(planned, "V2", second).state == "applied"


def test_a10_nobody_joins_after_the_end_and_while_it_runs_by_policy(planned: Any) -> None:
    first = planned.shift(on(10))  # noon is in the middle
    assert codes(planned, "V1", first, on=THEN) == ["shift_running"]
    assert codes(planned, "V1", first, on=THEN + dt.timedelta(1)) == ["shift_over"]
    running = settled(planned, join_while_running=True)
    assert codes(running, "V1", first, on=THEN + dt.timedelta(1)) == ["shift_over"]
    assert join(running, "V1", first, on=THEN).state == "accepted"
    begun, over = planned.shift(on(12)), planned.shift(on(8))
    assert codes(planned, "V2", begun, on=THEN) == ["shift_running"]
    assert codes(running, "V2", over, on=THEN) == ["shift_over"]


def test_a11_the_window_is_inclusive_closes_when_full_and_reopens(planned: Any) -> None:
    change(planned, project, 1, waiting_list=0, apply_from=day_number(DAY), apply_until=day_number(DAY) + 1)
    first = planned.shift(on(8), capacity=1)
    before, last, after = (DAY + dt.timedelta(n) for n in (-1, 1, 2))
    change(planned, project, 1, published_at=0)
    assert codes(planned, "V1", first, on=before) == ["application_not_open"]
    assert codes(planned, "V1", first, on=after) == ["application_closed"]
    assert join(planned, "V1", first, on=DAY).state == "accepted"
    assert codes(planned, "V2", first, on=last) == ["shift_full"]
    planned.at(me("V1"), recruiting.withdraw, first, "V1", on=last)
    assert join(planned, "V2", first, on=last).state == "accepted"


def test_a12_a_qualification_is_valid_on_the_day_of_the_activity(planned: Any) -> None:
    first = planned.shift(on(8))
    values = {"id": 1, "project_id": 1, "name": "救护", "qualification": "first_aid"}
    planned.at(CENTRE, lambda desk: desk.connection.execute(sa.insert(position).values(**values)))
    change(planned, shift, first, position_id=1)
    (found,) = refused(planned, "V1", first)
    assert (found.code, found.values) == (
        "qualification_missing",
        {"qualification": "first_aid", "day": THEN},
    )
    given = {"obtained_on": dt.date(2024, 1, 1), "valid_until": THEN - dt.timedelta(1)}
    planned.at(CENTRE, volunteers.add_qualification, "V1", "first_aid", **given)
    (found,) = refused(planned, "V1", first)
    assert found.code == "qualification_expires"
    assert found.values == {"qualification": "first_aid", "day": THEN, "until": THEN - dt.timedelta(1)}
    assert "first_aid" in found.message("zh-CN")
    given = {"obtained_on": dt.date(2026, 11, 1), "valid_until": THEN}
    planned.at(CENTRE, volunteers.add_qualification, "V1", "first_aid", **given)
    assert join(planned, "V1", first).state == "accepted"


def test_a_position_asks_for_skill_and_sex(planned: Any) -> None:
    plain, cared = planned.shift(on(8)), planned.shift(on(14))
    rows = [
        {"id": 1, "project_id": 1, "name": "翻译", "skill": "手语", "sex": None, "sex_ground": None},
        {
            "id": 2,
            "project_id": 1,
            "name": "护理",
            "skill": None,
            "sex": "F",
            "sex_ground": "女职工劳动保护特别规定",
        },
    ]
    planned.at(CENTRE, lambda desk: desk.connection.execute(sa.insert(position), rows))
    for id_, shift_id in ((1, plain), (2, cared)):
        change(planned, shift, shift_id, position_id=id_)
    planned.at(CENTRE, volunteers.admit, name="周兰", number="W1", organization="O1")
    skilled(planned, "W1", "手语")

    def told(desk: Any) -> None:
        subject = f"volunteer:{person_of(desk, 'W1').id}"
        seal_subject(
            desk.connection, desk.needed_cipher(), subject, {"name": "周兰", "sex": "F"}, found_by={}
        )

    planned.at(CENTRE, told)
    assert codes(planned, "V1", plain) == ["skill_missing"]
    assert codes(planned, "V1", cared) == ["sex_required"]
    assert join(planned, "W1", plain).state == "accepted"
    assert join(planned, "W1", cared).state == "accepted"


def test_ages_count_on_the_day_of_the_shift_and_an_unknown_one_is_named(planned: Any) -> None:
    first = planned.shift(on(8))
    values = {"id": 1, "project_id": 1, "name": "搬运", "age_from": 20, "age_to": 36}
    planned.at(CENTRE, lambda desk: desk.connection.execute(sa.insert(position).values(**values)))
    change(planned, shift, first, position_id=1)
    for number, born in (("W1", THEN.replace(year=2006)), ("W2", dt.date(2006, 12, 1)), ("W3", dt.date(1989, 12, 1)),
                         ("W4", dt.date(1989, 11, 30)), ("W5", None)):  # fmt: skip
        planned.at(CENTRE, volunteers.admit, name="陈晨", number=number, organization="O1", born_on=born)
    assert join(planned, "W1", first).state == join(planned, "W3", first).state == "accepted"
    assert codes(planned, "W2", first) == codes(planned, "W4", first) == ["age_not_allowed"]
    (found,) = refused(planned, "W5", first)
    assert (found.code, found.values) == ("age_not_known", {"least": 20, "most": 36})


@pytest.mark.parametrize("kind", ["suspended", "on_leave"])
def test_a13_who_is_away_joins_nothing_and_loses_what_lies_in_those_days(planned: Any, kind: str) -> None:
    change(planned, project, 1, waiting_list=0)
    first, later = planned.shift(on(8), capacity=1), planned.shift(on(8, dt.date(2026, 12, 10)), capacity=1)
    for id_ in (first, later):
        join(planned, "V1", id_)
    assert codes(planned, "V2", first) == ["shift_full"]
    last = dt.date(2026, 12, 9)
    if kind == "suspended":
        planned.at(ADMIN, volunteers.suspend, "V1", reason="核查", until=last)
    else:
        planned.at(me("V1"), volunteers.take_leave, "V1", since=DAY, until=last)
    # it is so at once, before anybody wrote it
    mine = {each.shift_id: each.state for each in planned.at(me("V1"), recruiting.commitments, "V1")}
    assert mine == {first: "cancelled", later: "accepted"}
    assert (free(planned, first), free(planned, later)) == (1, 0)
    third = planned.shift(on(14))
    (found,) = refused(planned, "V1", third)
    assert (found.code, found.values["kind"], found.values["day"]) == ("volunteer_away", kind, DAY)
    # and written, once, by whoever takes the place
    assert join(planned, "V2", first).state == "accepted"
    assert states(planned, first) == {"V1": "cancelled", "V2": "accepted"}
    assert [each["participation"] for each in events(planned, "participation.cancelled")] == [1]
    assert "missed" not in json.dumps(events(planned, "participation.moved"))


def test_a13_a_policy_may_keep_the_commitments(planned: Any) -> None:
    kept = settled(planned, commitments_when_away="kept")
    first = planned.shift(on(8), capacity=1)
    join(planned, "V1", first)
    planned.at(ADMIN, volunteers.suspend, "V1", reason="核查")
    assert kept.at(me("V1"), recruiting.commitments, "V1")[0].state == "accepted"
    assert kept.at(me("V2"), recruiting.free_places, first).free == 0
    assert kept.at(CENTRE, recruiting.sweep) == 0
    assert join(kept, "V2", first).state == "waiting"


def test_a13_what_has_begun_is_cancelled_by_no_leave(planned: Any) -> None:
    begun, later = planned.shift(on(10), capacity=1), planned.shift(on(15), capacity=1)
    for id_ in (begun, later):
        join(planned, "V1", id_)
    planned.at(me("V1"), volunteers.take_leave, "V1", since=THEN, until=THEN, on=THEN)
    mine = planned.at(me("V1"), recruiting.commitments, "V1", on=THEN)
    assert [(each.shift_id, each.state) for each in mine] == [(begun, "accepted"), (later, "cancelled")]
    assert (free(planned, begun, on=THEN), free(planned, later, on=THEN)) == (0, 1)
    assert planned.at(CENTRE, recruiting.sweep, on=THEN) == 1
    assert states(planned, begun) == {"V1": "accepted"}
    # nor does a leave of yesterday free anybody from what began then and still runs
    night, eve = planned.shift(on(-4), 20), THEN - dt.timedelta(1)
    planned = settled(planned, consecutive_minutes=None)
    join(planned, "V2", night)
    planned.at(me("V2"), volunteers.take_leave, "V2", since=eve, until=eve, on=THEN)
    assert codes(planned, "V2", later, on=THEN) == ["shift_conflict"]


def test_a13_who_left_has_no_commitments_and_a_sweep_writes_it_once(planned: Any) -> None:
    first = planned.shift(on(8), capacity=1)
    for number in ("V1", "V2", "V3"):
        join(planned, number, first)
    planned.at(me("V1"), volunteers.deregister, "V1")
    planned.at(me("V2"), volunteers.take_leave, "V2", since=THEN, until=THEN)
    mine = planned.at(me("V1"), recruiting.commitments, "V1")
    assert [each.state for each in mine] == ["cancelled"]
    assert planned.at(me("V6"), recruiting.free_places, first).waiting == 1
    assert planned.at(CENTRE, recruiting.sweep) == 3
    assert states(planned, first) == {"V1": "cancelled", "V2": "cancelled", "V3": "accepted"}
    assert planned.at(CENTRE, recruiting.sweep) == 0
    with pytest.raises(NotPermitted):
        planned.at(ADMIN, recruiting.sweep)


def test_a14_an_activity_shows_to_its_sub_tree_alone(planned: Any) -> None:
    for number, parent in (("O2", "O1"), ("O3", "O2"), ("O4", None)):
        planned.at(CENTRE, organizations.register, number, name=f"分会{number}", parent=parent)
    for number, organization in (("W2", "O2"), ("W3", "O3"), ("W4", "O4")):
        planned.at(CENTRE, volunteers.admit, name="周兰", number=number, organization=organization)
    first = planned.shift(on(8))
    change(planned, project, 1, visible_below_id=2)
    for number in ("W2", "W3"):
        assert join(planned, number, first).state == "accepted"
    for number in ("V1", "W4"):
        for verb in (recruiting.join, recruiting.check_join):
            with pytest.raises(NotFound) as hidden:
                planned.at(me(number), verb, first, number)
            with pytest.raises(NotFound) as unknown:
                planned.at(me(number), verb, 404, number)
            assert (hidden.value.code, {**hidden.value.values, "id": 404}) == (
                unknown.value.code,
                unknown.value.values,
            )
        with pytest.raises(NotFound):
            planned.at(me(number), recruiting.free_places, first)
    assert planned.at(me("W3"), recruiting.free_places, first).taken == 2
    assert (
        planned.at(
            Actor("admin-3", (Grant("organization_admin", "O3"),)), recruiting.free_places, first
        ).taken
        == 2
    )
    with pytest.raises(NotFound):
        planned.at(Actor("admin-4", (Grant("organization_admin", "O4"),)), recruiting.free_places, first)


@pytest.mark.parametrize(("status", "code"), [("pending", None), ("approved", None), ("closed", "project_not_open"), ("cancelled", "project_not_open")])  # fmt: skip
def test_nobody_joins_what_is_not_published(planned: Any, status: str, code: str | None) -> None:
    first = planned.shift(on(8))
    change(planned, project, 1, status=status)
    if code:
        assert codes(planned, "V1", first) == [code]
        return
    with pytest.raises(NotFound):
        join(planned, "V1", first)


def test_a16_guests_are_limited_by_the_project_and_by_the_free_places(planned: Any) -> None:
    change(planned, project, 1, waiting_list=0, guests_at_most=3)
    first = planned.shift(on(8), capacity=4)
    assert codes(planned, "V1", first, 4) == ["too_many_guests"]
    assert join(planned, "V1", first, 1).state == "accepted"
    (found,) = refused(planned, "V2", first, 2)
    assert (found.code, found.values) == ("too_many_guests", {"most": 1, "guests": 2})
    with pytest.raises(Refused) as caught:  # one of three is used, and two places are free
        planned.at(me("V1"), recruiting.change_guests, first, "V1", 4)
    assert caught.value.findings[0].values == {"most": 3, "guests": 4}
    assert join(planned, "V2", first).state == "accepted"
    with pytest.raises(Refused) as caught:
        planned.at(me("V1"), recruiting.change_guests, first, "V1", 3)
    assert caught.value.findings[0].values == {"most": 2, "guests": 3}
    planned.at(me("V1"), recruiting.change_guests, first, "V1", 2)
    assert free(planned, first) == 0
    planned.at(me("V1"), recruiting.change_guests, first, "V1", 0)
    assert free(planned, first) == 2
    assert events(planned, "participation.guests")[-1] == {"participation": 1, "shift": first, "guests": 0}


@pytest.mark.parametrize("guests", [0, 1, 2])
def test_a16_after_the_shift_s_end_nobody_s_guests_change(planned: Any, guests: int) -> None:
    change(planned, project, 1, guests_at_most=3)
    first = planned.shift(on(8), capacity=4)  # eight to twelve, and the desk opens at noon
    join(planned, "V1", first, 1)
    with pytest.raises(Refused) as caught:
        planned.at(me("V1"), recruiting.change_guests, first, "V1", guests, on=THEN)
    assert [each.code for each in caught.value.findings] == ["shift_over"]
    (stands,) = planned.at(ADMIN, participants.list_participants, first)
    assert (stands.guests, stands.state) == (1, "accepted")


def test_a16_with_a_waiting_list_the_free_places_do_not_limit(planned: Any) -> None:
    change(planned, project, 1, guests_at_most=3)
    first = planned.shift(on(8), capacity=3)
    assert join(planned, "V1", first).state == "accepted"
    assert join(planned, "V2", first, 3).state == "waiting"  # who never fits, and keeps the rank
    assert join(planned, "V3", first, 1).state == "accepted"
    assert codes(planned, "V4", first, 4) == ["too_many_guests"]


def marked(planned: Any, id_: int, outcome: str, **named: Any) -> Any:
    planned.at(ADMIN, participants.mark, id_, outcome, on=THEN + dt.timedelta(1), **named)
    return planned.at(ADMIN, participants.list_participants, 1)[id_ - 1]


def test_a27_missed_excused_and_discharged_are_three_outcomes(planned: Any) -> None:
    first = planned.shift(on(8))
    ids = [join(planned, f"V{n}", first).participation_id for n in range(1, 5)]
    assert marked(planned, ids[0], "missed").minutes == 0
    assert marked(planned, ids[1], "excused", reason="家人住院").minutes == 0
    left = marked(planned, ids[2], "discharged", until=on(9.5))
    assert (left.minutes, left.served_until) == (90, on(9.5))
    assert marked(planned, ids[3], "completed").minutes == 240
    assert [each.state for each in planned.at(ADMIN, participants.list_participants, first)] == [
        "missed", "excused", "discharged", "completed",
    ]  # fmt: skip


def test_a28_missed_done_missed_done_is_one_done(planned: Any) -> None:
    first = planned.shift(on(8))
    for number in ("V1", "V2"):
        join(planned, number, first)
    for outcome in ("missed", "completed", "missed", "completed"):
        marked(planned, 1, outcome)
    marked(planned, 2, "completed")
    one, other = planned.at(ADMIN, participants.list_participants, first)
    assert (
        (one.state, one.minutes, one.served_until)
        == (other.state, other.minutes, other.served_until)
        == ("completed", 240, None)
    )
    with pytest.raises(Refused):
        marked(planned, 1, "completed")
    planned.at(ADMIN, participants.unmark, 1, on=THEN + dt.timedelta(1))
    with pytest.raises(Refused):
        planned.at(ADMIN, participants.unmark, 1, on=THEN + dt.timedelta(1))
    assert states(planned, first) == {"V1": "accepted", "V2": "completed"}


@pytest.mark.parametrize(
    ("outcome", "until", "day", "wrong"),
    [
        ("missed", None, THEN - dt.timedelta(1), "outcome_too_early"), ("completed", None, THEN, "outcome_too_early"),
        ("discharged", None, THEN, InvalidValue), ("missed", on(11), THEN, InvalidValue),
        ("discharged", on(8), THEN, InvalidValue), ("discharged", on(12.5), THEN, InvalidValue),
        ("discharged", dt.datetime(2026, 11, 30, 11), THEN, InvalidValue), ("gone", None, THEN, InvalidValue),
        (None, None, THEN, InvalidValue), ("discharged", "11:00", THEN, InvalidValue),
    ],
)  # fmt: skip
def test_an_outcome_has_its_time(planned: Any, outcome: Any, until: Any, day: dt.date, wrong: Any) -> None:
    first = planned.shift(on(10))
    join(planned, "V1", first)
    with pytest.raises(Refused if isinstance(wrong, str) else wrong) as caught:
        planned.at(ADMIN, participants.mark, 1, outcome, until=until, on=day)
    if isinstance(wrong, str):
        assert [each.code for each in caught.value.findings] == [wrong]
    assert states(planned, first) == {"V1": "accepted"}


def test_a61_contact_data_only_of_ones_own_participants(planned: Any) -> None:
    planned.at(CENTRE, organizations.register, "O2", name="蓝天救援队")
    for number, born in (("W1", dt.date(1990, 1, 1)), ("W2", dt.date(1991, 1, 1))):
        named = {"name": "欧阳雪", "phone": f"1290000000{number[1]}", "born_on": born}
        planned.at(CENTRE, volunteers.admit, number=number, organization="O2", **named)
    change(planned, project, 1, acceptance="reviewed")
    first = planned.shift(on(8))
    join(planned, "W1", first)
    join(planned, "W2", first)
    planned.at(ADMIN, participants.accept, 1)
    seen = planned.at(ADMIN, participants.list_participants, first)
    assert [(each.name, each.phone) for each in seen] == [("欧阳雪", "12900000001"), ("欧阳雪", "")]
    masked = planned.at(CENTRE, participants.list_participants, first)
    assert [(each.name, each.phone) for each in masked] == [("欧阳＊", "*********01"), ("欧阳＊", "")]
    assert "欧阳" not in repr(seen)
    for stranger in (
        Actor("admin-2", (Grant("organization_admin", "O2"),)),
        Actor("lead-1", (Grant("team_leader", "T1"),)),
    ):
        with pytest.raises(NotFound):
            planned.at(stranger, participants.list_participants, first)
    with pytest.raises(NotPermitted):
        planned.at(me("W1"), participants.list_participants, first)


def test_participants_come_by_the_page(planned: Any) -> None:
    first = planned.shift(on(8), capacity=3)
    for n in range(1, 6):
        join(planned, f"V{n}", first)
    page = planned.at(ADMIN, participants.list_participants, first, limit=2)
    assert [each.volunteer for each in page] == ["V1", "V2"]
    page = planned.at(ADMIN, participants.list_participants, first, limit=2, after=page[-1].id)
    assert [each.volunteer for each in page] == ["V3", "V4"]
    page = planned.at(ADMIN, participants.list_participants, first, only="waiting")
    assert [each.volunteer for each in page] == ["V4", "V5"]
    for wrong in (
        {"limit": 0},
        {"limit": 1001},
        {"after": -1},
        {"after": "1"},
        {"only": "gone"},
        {"only": 1},
    ):
        with pytest.raises(InvalidValue):
            planned.at(ADMIN, participants.list_participants, first, **wrong)


def minor(planned: Any, number: str, born: dt.date) -> None:
    planned.at(CENTRE, volunteers.admit, name="小兰", organization="O1", number=number, born_on=born)

    def consent(desk: Any) -> None:
        query = f"SELECT id, 'guardian_consent', '1', 20000, 'admin-1' FROM vk_volunteer WHERE number = '{number}'"
        columns = "(volunteer_id, document, version, acknowledged_on, actor_id)"
        desk.connection.exec_driver_sql(f"INSERT INTO vk_acknowledgement {columns} {query}")

    planned.at(CENTRE, consent)


def skilled(planned: Any, number: str, skill: str) -> None:
    query = f"INSERT INTO vk_volunteer_tag SELECT id, 'skill', '{skill}' FROM vk_volunteer WHERE number = '{number}'"
    planned.at(CENTRE, lambda desk: desk.connection.exec_driver_sql(query))


def test_a62_minors_need_consent_serve_in_their_hours_and_a_child_along_takes_no_place(planned: Any) -> None:
    early, long, good = (
        planned.shift(on(7), 2),
        planned.shift(on(9), 3.5),
        planned.shift(on(14), 2, capacity=1),
    )
    minor(planned, "W1", dt.date(2013, 5, 1))
    assert codes(planned, "W1", early) == ["minor_outside_window"]
    assert codes(planned, "W1", long) == ["minor_day_too_long"]
    assert join(planned, "W1", good).state == "accepted"

    def forget(desk: Any) -> None:
        desk.connection.exec_driver_sql("DELETE FROM vk_acknowledgement WHERE document = 'guardian_consent'")

    planned.at(CENTRE, forget)
    assert "minor_without_consent" in codes(planned, "W1", planned.shift(on(17), 1))
    family = planned.shift(on(14), 2, capacity=1)
    assert join(planned, "V1", family, children=2).state == "accepted"
    (listed,) = planned.at(ADMIN, participants.list_participants, family)
    assert (listed.children, free(planned, family)) == (2, 0)
    assert planned.at(me("V6"), recruiting.free_places, family).taken == 1


def test_a_child_is_masked_for_the_organizer_too(planned: Any) -> None:
    minor(planned, "W1", dt.date(2013, 5, 1))
    first = planned.shift(on(14), 2)
    join(planned, "W1", first)
    assert [each.name for each in planned.at(ADMIN, participants.list_participants, first)] == ["＊"]


def test_a_reviewed_project_decides_and_nobody_decides_for_themselves(planned: Any) -> None:
    change(planned, project, 1, acceptance="reviewed")
    first = planned.shift(on(8), capacity=1)
    ids = [join(planned, f"V{n}", first).participation_id for n in (1, 2, 3)]
    assert set(states(planned, first).values()) == {"applied"}
    assert free(planned, first) == 1
    own = Actor("admin-7", (Grant("organization_admin", "O1"), Grant("volunteer")), volunteer="V1")
    for verb, more in ((participants.accept, {}), (participants.refuse, {"reason": "不合适"})):
        with pytest.raises(Refused) as caught:
            planned.at(own, verb, ids[0], **more)
        assert [each.code for each in caught.value.findings] == ["own_case"]
    assert planned.at(ADMIN, participants.accept, ids[1]) == "accepted"
    assert planned.at(ADMIN, participants.accept, ids[2]) == "waiting"
    planned.at(ADMIN, participants.refuse, ids[0], reason="人手已够")
    assert states(planned, first) == {"V1": "refused", "V2": "accepted", "V3": "waiting"}
    for verb in (participants.accept, lambda desk, id: participants.refuse(desk, id, reason="不合适")):
        with pytest.raises(Refused) as caught:
            planned.at(ADMIN, verb, ids[1])
        assert [(each.code, each.values["state"]) for each in caught.value.findings] == [
            ("participation_is", "accepted")
        ]
    planned.at(ADMIN, participants.remove, ids[1], reason="另有任务")
    assert states(planned, first)["V3"] == "accepted"


def test_a4_an_application_is_accepted_against_a_conflict_with_a_reason(planned: Any) -> None:
    change(planned, project, 1, acceptance="reviewed")
    first, second = planned.shift(on(8)), planned.shift(on(10))
    ids = [join(planned, "V1", id_).participation_id for id_ in (first, second)]
    planned.at(ADMIN, participants.accept, ids[0])
    with pytest.raises(Refused) as caught:
        planned.at(ADMIN, participants.accept, ids[1])
    assert [each.code for each in caught.value.findings] == ["shift_conflict"]
    with pytest.raises(InvalidValue):
        planned.at(ADMIN, participants.accept, ids[1], override=" ")
    assert planned.at(ADMIN, participants.accept, ids[1], override="两个摊位在一起") == "accepted"
    told = events(planned, "participation.moved")
    assert [each.get("against") for each in told] == [None, ["shift_conflict"]]
    # what is no matter of time is overridden by nobody
    third = planned.shift(on(16))
    id_ = join(planned, "V2", third).participation_id
    planned.at(ADMIN, volunteers.suspend, "V2", reason="核查")
    with pytest.raises(Refused) as caught:
        planned.at(ADMIN, participants.accept, id_, override="缺人")
    assert [each.code for each in caught.value.findings] == ["volunteer_away"]


def test_who_was_missed_too_often_waits_for_a_decision(planned: Any) -> None:
    often = settled(planned, no_shows=2, no_show_days=10)
    for day in (24, 25):
        missed = planned.shift(on(8, dt.date(2026, 11, day)))
        id_ = join(often, "V1", missed).participation_id
        often.at(ADMIN, participants.mark, id_, "missed", on=dt.date(2026, 11, 26))
    first = planned.shift(on(8, dt.date(2026, 12, 20)))
    assert join(often, "V1", first, on=dt.date(2026, 11, 27)).state == "applied"
    often.at(me("V1"), recruiting.withdraw, first, "V1")
    # ten days after the first of them only one counts
    assert join(often, "V1", first, on=dt.date(2026, 12, 4)).state == "accepted"
    assert join(often, "V2", first, on=dt.date(2026, 11, 27)).state == "accepted"


def test_a_party_is_accepted_as_a_whole_or_not_at_all(planned: Any) -> None:
    first, other = planned.shift(on(8), capacity=3), planned.shift(on(10), capacity=3)
    ids = [join(planned, f"V{n}", first, party="zhou-family").participation_id for n in (1, 2)]
    assert set(states(planned, first).values()) == {"applied"}
    join(planned, "V2", other)
    with pytest.raises(Refused) as caught:
        planned.at(ADMIN, participants.accept, ids[0])
    assert [each.code for each in caught.value.findings] == ["party_member_cannot", "shift_conflict"]
    planned.at(me("V2"), recruiting.withdraw, other, "V2")
    for n in (3, 4):
        join(planned, f"V{n}", first)
    with pytest.raises(Refused) as caught:
        planned.at(ADMIN, participants.accept, ids[1])
    assert caught.value.findings[0].values == {"shift": first, "free": 1, "needed": 2}
    assert states(planned, first) == {"V1": "applied", "V2": "applied", "V3": "accepted", "V4": "accepted"}
    planned.at(me("V3"), recruiting.withdraw, first, "V3")
    assert planned.at(ADMIN, participants.accept, ids[1]) == "accepted"
    assert states(planned, first) == {"V1": "accepted", "V2": "accepted", "V3": "withdrawn", "V4": "accepted"}
    for wrong in ("", "周家", "a" * 41, 7, "a b"):
        with pytest.raises(InvalidValue):
            join(planned, "V5", first, party=wrong)


def test_an_invitation_is_answered_once(planned: Any) -> None:
    change(planned, project, 1, acceptance="reviewed", apply_until=day_number(DAY) - 1)
    first = planned.shift(on(8), capacity=1)
    assert codes(planned, "V1", first) == ["application_closed"]
    for number in ("V1", "V2", "V3"):
        planned.at(ADMIN, participants.invite, first, number)
    assert free(planned, first) == 1
    with pytest.raises(Refused):
        planned.at(ADMIN, participants.invite, first, "V1")
    assert planned.at(me("V1"), recruiting.answer, first, "V1", "decline").state == "withdrawn"
    assert planned.at(me("V2"), recruiting.answer, first, "V2", "accept").state == "accepted"
    assert join(planned, "V3", first).state == "waiting"
    for number in ("V1", "V2", "V4"):
        with pytest.raises(Refused) as caught:
            planned.at(me(number), recruiting.answer, first, number, "accept")
        assert [each.code for each in caught.value.findings] == ["not_invited"]
    with pytest.raises(InvalidValue):
        planned.at(me("V1"), recruiting.answer, first, "V1", "maybe")
    planned.at(CENTRE, organizations.register, "O2", name="蓝天救援队")
    planned.at(CENTRE, volunteers.admit, name="周兰", number="W1", organization="O2")
    for number in ("V404", "W1", "", 7):  # a stranger's member behaves as an unknown one
        with pytest.raises(NotFound):
            planned.at(ADMIN, participants.invite, first, number)


def test_nobody_joins_or_withdraws_for_another(planned: Any) -> None:
    first = planned.shift(on(8))
    join(planned, "V1", first)
    for verb in (recruiting.join, recruiting.check_join, recruiting.withdraw):
        with pytest.raises(NotFound):
            planned.at(me("V2"), verb, first, "V1")
        for other in (ADMIN, CENTRE):
            with pytest.raises(NotPermitted):
                planned.at(other, verb, first, "V1")
    with pytest.raises(NotFound):
        planned.at(me("V2"), recruiting.commitments, "V1")
    for wrong in ({"guests": -1}, {"guests": "1"}, {"guests": True}, {"children": 101}):
        with pytest.raises(InvalidValue):
            join(planned, "V2", first, **wrong)


def test_what_a_merged_volunteer_accepted_binds_the_person(planned: Any) -> None:
    first, other = planned.shift(on(8), capacity=1), planned.shift(on(10))
    join(planned, "V2", first)
    case = planned.at(CENTRE, volunteers.propose_merge, "V1", "V2", reason="同一人")
    planned.at(Actor.of("centre-2", "centre"), approvals.decide, case.id, "approve")
    assert codes(planned, "V1", other) == ["shift_conflict"]
    assert codes(planned, "V1", first) == ["already_joined"]
    mine = planned.at(me("V1"), recruiting.commitments, "V1")
    assert [(each.shift_id, each.state, each.volunteer) for each in mine] == [(first, "accepted", "V1")]
    planned.at(me("V1"), volunteers.take_leave, "V1", since=THEN, until=THEN)
    assert free(planned, first) == 1
    planned.at(me("V2"), recruiting.withdraw, first, "V2")  # by the old number too
    assert states(planned, first) == {"V2": "withdrawn"}


def test_a_plugin_may_have_conditions_of_its_own(planned: Any) -> None:
    class Strict:
        __name__ = "strict"

        @hookimpl
        def vk_review_participation(self, volunteer: str, shift: Any) -> Any:
            if volunteer == "V1" and shift.project == "P1" and shift.starts_at.hour == 8:
                yield Finding("strict.no", {}, texts={"zh-CN": "不行。", "en": "No."})
            else:
                yield Finding("strict.note", {}, "warn")

    hooks = Kit.load(Strict()).hooks
    kit = attrs.evolve(planned.city.kit, hooks=hooks)
    strict = attrs.evolve(planned, city=attrs.evolve(planned.city, kit=kit))
    first = planned.shift(on(8))
    with pytest.raises(Refused) as caught:
        join(strict, "V1", first)
    assert [(each.code, each.plugin) for each in caught.value.findings] == [("strict.no", "strict")]
    assert [each.code for each in join(strict, "V2", first).findings] == ["strict.note"]


def test_a_misspelt_severity_of_a_plugin_refuses(planned: Any) -> None:
    no = Finding("strict.no", {}, "BLOCK", texts={"zh-CN": "不行。", "en": "No."})  # type: ignore[arg-type]
    answer = hookimpl(lambda: [no])
    hooks = Kit.load(SimpleNamespace(__name__="strict", vk_review_participation=answer)).hooks
    kit = attrs.evolve(planned.city.kit, hooks=hooks)
    strict = attrs.evolve(planned, city=attrs.evolve(planned.city, kit=kit))
    with pytest.raises(Refused):
        join(strict, "V1", planned.shift(on(8)))


def with_matching(planned: Any, *answers: Any) -> Any:
    hooks = Kit.load(
        *(
            SimpleNamespace(__name__=f"p{n}", vk_choose_matching=hookimpl(answer))
            for n, answer in enumerate(answers)
        )
    ).hooks
    return attrs.evolve(
        planned, city=attrs.evolve(planned.city, kit=attrs.evolve(planned.city.kit, hooks=hooks))
    )


def test_candidates_are_ranked_by_skill_then_service_and_a_plugin_may_choose(planned: Any) -> None:
    change(planned, project, 1, acceptance="reviewed")
    planned.at(CENTRE, organizations.register, "O2", name="蓝天救援队")
    planned.at(CENTRE, projects.register, "P2", name="救援", organization="O2")
    planned.at(CENTRE, volunteers.admit, name="周兰", number="W1", organization="O1")
    skilled(planned, "W1", "手语")
    past = [planned.shift(on(8 + 4 * n, dt.date(2026, 11, 24))) for n in range(2)] + [
        planned.shift(on(8, dt.date(2026, 11, 25)), 6, number="P2")
    ]

    def served(desk: Any) -> None:
        rows = [("V2", past[0]), ("V3", past[1]), ("V3", past[0]), ("V4", past[2]), ("V5", past[0])]
        numbers = {
            row[1]: row[0] for row in desk.connection.exec_driver_sql("SELECT id, number FROM vk_volunteer")
        }
        common = {"state": "completed", "applied_at": 0, "changed_at": 0, "changed_by": "admin-1"}
        values = [
            {"id": n, "shift_id": at, "volunteer_id": numbers[who], "rank": n}
            for n, (who, at) in enumerate(rows, 1)
        ]
        desk.connection.execute(sa.insert(participation), [each | common for each in values])
        desk.connection.exec_driver_sql(
            "UPDATE vk_participation SET state = 'discharged', served_until = (SELECT starts_at + 3600000000 FROM vk_shift "
            "WHERE id = shift_id) WHERE id = 5"
        )

    planned.at(CENTRE, served)
    values = {"id": 1, "project_id": 1, "name": "翻译", "skill": "手语"}
    first = planned.shift(on(8))
    for number in ("V1", "V2", "V3", "V4", "V5", "W1"):
        join(planned, number, first)
    planned.at(CENTRE, lambda desk: desk.connection.execute(sa.insert(position).values(**values)))
    change(planned, shift, first, position_id=1)
    found = planned.at(ADMIN, participants.candidates, first)
    assert [(each.volunteer, each.skills, each.served_here, each.minutes) for each in found] == [
        ("W1", ("手语",), 0, 0), ("V3", (), 2, 480), ("V2", (), 1, 240), ("V5", (), 1, 60), ("V4", (), 0, 360), ("V1", (), 0, 0),
    ]  # fmt: skip
    backwards = with_matching(
        planned, lambda shift, candidates: [each.participation_id for each in candidates][::-1]
    )
    assert [each.volunteer for each in backwards.at(ADMIN, participants.candidates, first)] == [
        "W1",
        "V5",
        "V4",
        "V3",
        "V2",
        "V1",
    ]
    for lost in ([], [1, 2], "V1", 7):
        with pytest.raises(PluginError, match="p0"):
            with_matching(planned, lambda shift, candidates, lost=lost: lost).at(
                ADMIN, participants.candidates, first
            )
    with pytest.raises(PluginConflict):
        with_matching(planned, lambda: [], lambda: []).at(ADMIN, participants.candidates, first)
    assert with_matching(planned, lambda: None).at(ADMIN, participants.candidates, first) == found


def test_a_team_leader_decides_for_the_projects_of_the_team(planned: Any) -> None:
    lead = Actor("lead-1", (Grant("team_leader", "T1"),))
    first = planned.shift(on(8))
    join(planned, "V1", first)
    with pytest.raises(NotFound):
        planned.at(lead, participants.remove, 1, reason="另有任务")

    def founded(desk: Any) -> None:
        values = "(id, number, name, organization_id, status) VALUES (1, 'T1', '敬老队', 1, 'approved')"
        desk.connection.exec_driver_sql(f"INSERT INTO vk_team {values}")

    planned.at(CENTRE, founded)
    change(planned, project, 1, team_id=1)
    planned.at(lead, participants.remove, 1, reason="另有任务")
    assert states(planned, first) == {"V1": "refused"}
    assert events(planned, "participation.moved")[-1]["state"] == "refused"


def test_a_page_finds_the_names_of_projects_and_organizations_in_lists(planned: Any) -> None:
    first = planned.shift(on(8))
    join(planned, "V1", first)
    (mine,) = planned.at(me("V1"), recruiting.commitments, "V1")
    (listed,) = planned.at(ADMIN, participants.list_participants, first)
    assert {(each.project, each.project_name) for each in (mine, listed)} == {("P1", "社区敬老")}
    planned.shift(on(8), capacity=3)
    change(planned, shift, first, capacity=5)
    assert listed.name == "志愿者1"
    (shown,) = planned.at(Actor.of("citizen-1", "public"), projects.list_projects)
    assert (shown.free, type(shown.free)) == (7, int)  # a sum of PostgreSQL is a Decimal, which is no JSON
    assert (shown.organization, shown.organization_name) == ("O1", "红十字会志愿服务队")


def test_minutes_of_an_outcome_are_real_ones_when_the_clock_is_changed() -> None:
    zone = ZoneInfo("America/New_York")
    begin = dt.datetime(2026, 11, 1, 0, 30, tzinfo=zone)  # an hour comes twice
    end = dt.datetime(2026, 11, 1, 3, 30, tzinfo=zone)
    done = recruiting.Participation(
        1, 1, "P1", "V1", "completed", begin, end, 0, 0, None, begin, begin, project_name="社区敬老"
    )
    assert done.minutes == 240
    assert attrs.evolve(done, state="discharged", served_until=end).minutes == 240
