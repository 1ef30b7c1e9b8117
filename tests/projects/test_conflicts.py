"""Two things at once, too little rest, too long a day: what speaks against one more shift in somebody's time."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volunteerkit import Actor, Claim, Finding, Grant, Policy, Refused, hours
from volunteerkit.errors import InvalidValue
from volunteerkit.policy import MinorLimit
from volunteerkit.projects import participants, recruiting
from volunteerkit.projects.conflicts import MINUTE, minor_findings, time_findings
from volunteerkit.projects.participating import Commitment
from volunteerkit.store.texts import open_texts

SHANGHAI = ZoneInfo("Asia/Shanghai")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
MIDNIGHT = int(dt.datetime(2026, 11, 30, tzinfo=SHANGHAI).timestamp()) * 1_000_000


def me(number: str) -> Actor:
    return Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)


def on(hour: float, day: int = 30) -> dt.datetime:
    return dt.datetime(2026, 11, day, tzinfo=SHANGHAI) + dt.timedelta(hours=hour)


def span(begin: float, end: float, shift: int = 1, organization: str = "O1") -> Commitment:
    first, last = (MIDNIGHT + round(hour * 60) * MINUTE for hour in (begin, end))
    return Commitment(shift, f"P{shift}", organization, first, last)


def told(shift: Commitment, *others: Commitment, **settled: Any) -> list[tuple[str, str]]:
    policy = Policy(**{"consecutive_minutes": None} | settled)
    return [(each.code, each.severity) for each in time_findings(shift, others, policy, SHANGHAI)]


def test_a1_shifts_that_touch_do_not_conflict() -> None:
    assert told(span(8, 12), span(12, 18, 2)) == []
    assert told(span(12, 18), span(8, 12, 2)) == []


def test_a2_four_conflicts_each_name_the_other_commitment() -> None:
    others = [span(11, 14, 2), span(10, 11, 3), span(6, 18, 4), span(8, 12, 5)]
    found = time_findings(span(8, 12), others, Policy(consecutive_minutes=None), SHANGHAI)
    assert [(each.code, each.values["shift"], each.values["project"]) for each in found] == [
        ("shift_conflict", n, f"P{n}") for n in (2, 3, 4, 5)
    ]
    assert "2026-11-30 11:00" in found[0].message("zh-CN")
    assert "班次 2（项目 P2" in found[0].message("zh-CN")


@pytest.mark.parametrize(
    ("mine", "theirs", "severity"),
    [
        ((12, 18), (11, 13), "warn"), ((12, 18), (11, 14), "block"), ((9, 10), (9, 10), "block"),
        ((9, 10), (9.5, 12), "warn"), ((9, 10), (9.25, 12), "block"), ((9, 18), (10, 10.5), "block"),
    ],
)  # fmt: skip
def test_a3_a_soft_overlap_only_warns_and_shrinks_with_a_short_shift(
    mine: tuple[float, float], theirs: tuple[float, float], severity: str
) -> None:
    assert told(span(*mine), span(*theirs, 2), soft_overlap_minutes=60) == [("shift_conflict", severity)]
    assert told(span(*theirs), span(*mine, 2), soft_overlap_minutes=60) == [("shift_conflict", severity)]


def test_a17_blocks_of_adjoining_shifts_are_summed_and_the_strictest_organization_counts() -> None:
    three = [span(4, 8, 2), span(12, 14, 3, "O2"), span(15, 20, 4)]
    assert told(span(8, 12), *three, consecutive_minutes=600) == []
    assert told(span(8, 12), *three, consecutive_minutes=599) == [("consecutive_too_long", "block")]
    at_o2 = {"consecutive_minutes": 600, "consecutive_minutes_at": {"O2": 540, "O3": 60}}
    assert told(span(8, 12), *three, **at_o2) == [("consecutive_too_long", "block")]
    assert told(span(8, 12), three[0], **at_o2) == []
    found = time_findings(span(8, 12), three, Policy(**at_o2), SHANGHAI)
    assert found == [Finding("consecutive_too_long", {"minutes": 600, "limit": 540})]


def test_a18_rest_lies_between_shifts_that_do_not_adjoin() -> None:
    assert told(span(8, 12), span(12.25, 14, 2), rest_minutes=0) == []
    assert told(span(8, 12), span(12.25, 14, 2), rest_minutes=15) == []
    assert told(span(8, 12), span(12.25, 14, 2), rest_minutes=16) == [("rest_too_short", "block")]
    assert told(span(12.25, 14), span(8, 12, 2), rest_minutes=16) == [("rest_too_short", "block")]
    (found,) = time_findings(span(8, 12), [span(12.25, 14, 2)], Policy(rest_minutes=30), SHANGHAI)
    assert (found.values["minutes"], found.values["least"], found.values["shift"]) == (15, 30, 2)


spans = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(
    lambda one: span(one[0] / 2, (one[0] + one[1]) / 2)
)


@given(st.lists(spans, max_size=5), spans)
def test_a_block_lasts_as_long_as_its_minutes(others: list[Commitment], shift: Commitment) -> None:
    """Counted here minute by minute, in half hours, outwards from the shift."""
    half = 30 * MINUTE
    covered = {at for each in (shift, *others) for at in range(each.starts_at, each.ends_at, half)}
    first, last = shift.starts_at, shift.ends_at
    while first - half in covered:
        first -= half
    while last in covered:
        last += half
    length = (last - first) // MINUTE
    within = Policy(consecutive_minutes=length, soft_overlap_minutes=0)
    assert "consecutive_too_long" not in {
        each.code for each in time_findings(shift, others, within, SHANGHAI)
    }
    if length > 1:
        less = Policy(consecutive_minutes=length - 1)
        assert "consecutive_too_long" in {each.code for each in time_findings(shift, others, less, SHANGHAI)}


@pytest.mark.parametrize(
    ("age", "mine", "codes"),
    [
        (13, (8, 11), []), (13, (7.5, 10), ["minor_outside_window"]), (13, (8, 11.25), ["minor_day_too_long"]),
        (13, (19, 20), []), (13, (19, 20.25), ["minor_outside_window"]), (14, (7, 11), []), (15, (7, 11.5), ["minor_day_too_long"]),
        (17, (6, 14), []), (17, (21, 25), ["minor_outside_window"]), (18, (0, 24), []),
    ],
)  # fmt: skip
def test_a62_minors_have_windows_and_a_daily_limit_by_age(
    age: int, mine: tuple[float, float], codes: list[str]
) -> None:
    found = minor_findings(span(*mine), [], age, Policy(), SHANGHAI)
    assert [each.code for each in found] == codes


def test_a62_all_shifts_of_a_minors_day_count_together() -> None:
    policy = Policy(minors=(MinorLimit(18, 240),))
    assert minor_findings(span(8, 10), [span(14, 16, 2)], 17, policy, SHANGHAI) == []
    (found,) = minor_findings(span(8, 10), [span(14, 16.5, 2)], 17, policy, SHANGHAI)
    assert found == Finding("minor_day_too_long", {"age": 18, "minutes": 270, "limit": 240})
    assert minor_findings(span(8, 10), [span(32, 40, 2)], 17, policy, SHANGHAI) == []


def test_a_policy_names_organizations_with_their_minutes(tmp_path: Path) -> None:
    file = tmp_path / "本市.toml"
    file.write_text("[consecutive_minutes_at]\nO1 = 480\n", "utf-8")
    assert Policy.read(file).consecutive_minutes_at == {"O1": 480}
    for wrong in ({"O1": 0}, {"O1": "480"}, {1: 480}, ["O1"]):
        with pytest.raises(InvalidValue, match="consecutive_minutes_at"):
            Policy(consecutive_minutes_at=wrong)  # type: ignore[arg-type]


def settled(planned: Any, **policy: Any) -> Any:
    kit = attrs.evolve(planned.city.kit, policy=Policy(**policy))
    return attrs.evolve(planned, city=attrs.evolve(planned.city, kit=kit))


def test_the_other_commitment_is_named_when_joining(planned: Any) -> None:
    first, second, third = planned.shift(on(8)), planned.shift(on(11)), planned.shift(on(12))
    planned.at(me("V1"), recruiting.join, first, "V1")
    with pytest.raises(Refused) as caught:
        planned.at(me("V1"), recruiting.join, second, "V1")
    (found,) = caught.value.findings
    assert (found.code, found.values["shift"], found.values["project"]) == ("shift_conflict", first, "P1")
    assert (found.values["begin"], found.values["end"]) == (on(8), on(12))
    assert planned.at(me("V1"), recruiting.join, third, "V1").state == "accepted"
    # what is only waited for or was given up binds nobody
    planned.at(me("V2"), recruiting.join, first, "V2")
    planned.at(me("V2"), recruiting.withdraw, first, "V2")
    assert planned.at(me("V2"), recruiting.join, second, "V2").state == "accepted"


def test_a3_the_answer_carries_the_warning(planned: Any) -> None:
    soft = settled(planned, soft_overlap_minutes=60)
    first, second = soft.shift(on(12), 6), soft.shift(on(11), 2)
    soft.at(me("V1"), recruiting.join, first, "V1")
    joined = soft.at(me("V1"), recruiting.join, second, "V1")
    assert joined.state == "accepted"
    assert [(each.code, each.severity) for each in joined.findings] == [("shift_conflict", "warn")]


def test_a4_a_manager_overrides_with_a_reason_and_the_minutes_count_once(planned: Any) -> None:
    first, second = planned.shift(on(8)), planned.shift(on(10))
    planned.at(me("V1"), recruiting.join, first, "V1")
    with pytest.raises(Refused):
        planned.at(ADMIN, participants.invite, second, "V1")
    planned.at(ADMIN, participants.invite, second, "V1", override="两个摊位在一起，兼顾得来")
    assert planned.at(me("V1"), recruiting.answer, second, "V1", "accept").state == "accepted"

    def kept(desk: Any) -> tuple[str, list[Any]]:
        address = desk.connection.exec_driver_sql(
            "SELECT override FROM vk_participation WHERE shift_id = 2"
        ).scalar()
        query = "SELECT actor_id, payload FROM vk_event WHERE type = 'participation.invited'"
        return open_texts(desk, [address])[address], list(desk.connection.exec_driver_sql(query))

    reason, events = planned.at(ADMIN, kept)
    assert reason == "两个摊位在一起，兼顾得来"
    assert [each[0] for each in events] == ["admin-1"]
    assert '"against":["shift_conflict"]' in events[0][1]
    assert "摊位" not in events[0][1]

    day, centre = dt.date(2026, 11, 30), Actor.of("centre-1", "centre")
    for start, end in ((8, 12), (10, 14)):
        claim = Claim("V1", "P1", day, 240, dt.time(start), dt.time(end))
        recorded = planned.at(ADMIN, hours.record, claim, on=day + dt.timedelta(1))
        planned.at(centre, hours.confirm, recorded.record_id, on=day + dt.timedelta(1))
    statement = planned.at(centre, hours.statement, "V1", rulebook="union", on=day + dt.timedelta(1))
    assert statement.confirmed_minutes == 480
    assert statement.credited_minutes == 360


def test_a17_and_a18_hold_when_joining(planned: Any) -> None:
    strict = settled(planned, consecutive_minutes=600, consecutive_minutes_at={"O1": 420}, rest_minutes=30)
    first, second = strict.shift(on(8)), strict.shift(on(12))
    near, far = strict.shift(on(12.25), 2), strict.shift(on(12.5), 2)
    strict.at(me("V1"), recruiting.join, first, "V1")
    for shift, code in ((second, "consecutive_too_long"), (near, "rest_too_short")):
        with pytest.raises(Refused) as caught:
            strict.at(me("V1"), recruiting.join, shift, "V1")
        assert [each.code for each in caught.value.findings] == [code]
    assert strict.at(me("V1"), recruiting.join, far, "V1").state == "accepted"
