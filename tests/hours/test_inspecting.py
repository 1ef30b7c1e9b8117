"""The plausibility report: one list with reasons, by pages (A33, A34), and signs of fraud, plugins' ones too."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import (
    Actor,
    Claim,
    Desk,
    Finding,
    Grant,
    Policy,
    hookimpl,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.errors import InvalidValue, NotPermitted, PluginError, Refused
from volunteerkit.projects.tables import attendance, participation, shift
from volunteerkit.store.desk import microseconds

CLERK, CHECKER = Actor.of("clerk-7", "centre"), Actor.of("clerk-8", "centre")
FRIDAY, SUNDAY, TODAY = dt.date(2026, 11, 20), dt.date(2026, 11, 22), dt.date(2026, 11, 23)


def begin(desk: Desk) -> None:
    organizations.register(desk, "O1", name="渝水区志愿服务联合会")
    organizations.register(desk, "O2", name="红十字会")
    projects.register(desk, "P1", name="无偿献血宣传", organization="O1")
    projects.register(desk, "P2", name="急救培训", organization="O2")
    for number in ("V1", "V2"):
        volunteers.admit(desk, name="𠮷田喆", organization="O1", number=number)


@pytest.fixture
def begun(city: Any) -> Any:
    city.at(TODAY, CLERK, begin)
    return city


def record(
    city: Any, day: dt.date, minutes: int, *times: int, project: str = "P1", volunteer: str = "V1"
) -> int:
    claim = Claim(volunteer, project, day, minutes, *(dt.time(each) for each in times))
    made: int = city.at(TODAY, CLERK, hours.record, claim).record_id
    return made


def codes(city: Any, actor: Actor = CLERK, day: dt.date = TODAY, **page: Any) -> dict[int, tuple[str, ...]]:
    return {each.record_id: each.codes for each in city.at(day, actor, hours.inspect, **page)}


def test_a33_long_short_open_reversed_overlapping_and_over_24_hours(begun: Any) -> None:
    plain = record(begun, SUNDAY, 60)
    long, short = record(begun, SUNDAY - dt.timedelta(7), 721), record(begun, SUNDAY - dt.timedelta(8), 14)
    record(begun, SUNDAY - dt.timedelta(9), 720), record(begun, SUNDAY - dt.timedelta(10), 15)
    first, second = record(begun, SUNDAY, 120, 18, 20), record(begun, SUNDAY, 120, 19, 21)
    taken_back = record(begun, SUNDAY, 60, volunteer="V2")
    begun.at(TODAY, CHECKER, hours.confirm, taken_back)
    begun.at(TODAY, CHECKER, hours.reverse, taken_back, reason="录错了人")
    full = [record(begun, SUNDAY - dt.timedelta(1), 720, volunteer="V2") for _ in range(2)]
    over = record(begun, SUNDAY - dt.timedelta(1), 30, volunteer="V2")
    assert codes(begun) == {
        long: ("long_entry",), short: ("short_entry",), second: ("overlap_same_volunteer",),
        taken_back: ("reversed_entry",), full[0]: ("day_sum_over_24h",), full[1]: ("day_sum_over_24h",),
        over: ("held_day_over_24h", "day_sum_over_24h"),
    }  # fmt: skip
    later = codes(begun, day=TODAY + dt.timedelta(11))
    assert later[plain] == ("open_entry",)
    assert later[first] == ("open_entry",)
    assert later[taken_back] == ("reversed_entry",)


def test_a33_it_comes_by_pages_and_by_organization(begun: Any) -> None:
    made = [record(begun, SUNDAY, 1, project=project) for project in ("P1", "P2", "P1", "P2")]
    assert list(codes(begun, limit=3)) == made[:3]
    assert list(codes(begun, after=made[2])) == made[3:]
    assert list(codes(begun, Actor("admin-2", (Grant("organization_admin", "O2"),)))) == made[1::2]
    assert codes(begun, Actor("admin-9", (Grant("organization_admin", "O9"),))) == {}
    with pytest.raises(NotPermitted):
        codes(begun, Actor("nobody"))
    for page in ({"after": -1}, {"limit": 0}, {"limit": "1"}):
        with pytest.raises(InvalidValue):
            codes(begun, **page)


def test_a34_two_organizations_at_one_time_both_stay_and_count_once(begun: Any) -> None:
    made = [record(begun, SUNDAY, 120, 18, 20, project=project) for project in ("P1", "P2")]
    for record_id in made:
        begun.at(TODAY, CHECKER, hours.confirm, record_id)
    found = begun.at(TODAY, CLERK, hours.statement, "V1")
    assert [line.record_id for line in found.lines] == made
    assert (found.confirmed_minutes, found.credited_minutes) == (240, 120)
    assert codes(begun) == {made[1]: ("overlap_same_volunteer",)}


def test_office_hours_of_a_working_day(begun: Any) -> None:
    made = record(begun, FRIDAY, 480, 9, 17)
    record(begun, FRIDAY - dt.timedelta(1), 300, 9, 14)
    record(begun, SUNDAY, 480, 9, 17)
    assert codes(begun) == {made: ("office_hours",)}


def test_late_is_after_the_last_day_and_a_night_counts_from_its_end(begun: Any) -> None:
    thursday = FRIDAY - dt.timedelta(1)
    due, later = (
        hours.recording_due(day, begun.kit.calendar, begun.kit.policy) for day in (thursday, FRIDAY)
    )
    assert due is not None
    assert later is not None
    assert due < later
    after = due + dt.timedelta(1)
    night = Claim("V2", "P1", thursday, 240, dt.time(22), dt.time(2))
    entered = (
        (due, Claim("V1", "P1", thursday, 60)),
        (after, night),
        (after, Claim("V1", "P1", thursday, 61)),
    )
    *_, late = (begun.at(day, CLERK, hours.record, claim).record_id for day, claim in entered)
    assert [id_ for id_, found in codes(begun, day=after).items() if "late_entry" in found] == [late]


def test_names_without_a_check_in(begun: Any) -> None:
    def attend(desk: Desk) -> None:
        start = dt.datetime.combine(SUNDAY, dt.time(9), desk.zone)
        at, out = microseconds(start), microseconds(start + dt.timedelta(hours=2))
        desk.connection.execute(
            sa.insert(shift).values(id=1, project_id=1, starts_at=at, ends_at=out, capacity=9)
        )
        for id_ in (1, 2):
            desk.connection.execute(
                sa.insert(participation).values(id=id_, shift_id=1, volunteer_id=id_, state="accepted", rank=1,
                                                applied_at=0, changed_at=0, changed_by="x")
            )  # fmt: skip
        desk.connection.execute(
            sa.insert(attendance).values(id=1, participation_id=1, volunteer_id=1, shift_id=1, served_on=SUNDAY.toordinal() - 719163,
                                         in_at=at, out_at=out, in_method="code", in_received_at=at, in_by="x")
        )  # fmt: skip

    begun.at(TODAY, CLERK, attend)
    record(begun, SUNDAY, 60, 9, 10)
    absent = record(begun, SUNDAY, 60, 9, 10, volunteer="V2")
    assert codes(begun) == {absent: ("no_check_in",)}


YUSHUI, FENYI = (27_800_000, 114_930_000), (27_810_000, 114_670_000)
"""Two districts of the city, 25.6 km apart; the fastest of these tests makes it in 14 minutes and a bit."""


def there(city: Any, id: int, project: int, place: tuple[int, int] | None, first: float, last: float) -> None:
    """Write a shift of a project at a place, between two hours of Sunday's clock."""

    def write(desk: Desk) -> None:
        midnight = dt.datetime.combine(SUNDAY, dt.time(), desk.zone)
        at, out = (microseconds(midnight + dt.timedelta(hours=each)) for each in (first, last))
        north, east = place or (None, None)
        desk.connection.execute(
            sa.insert(shift).values(id=id, project_id=project, starts_at=at, ends_at=out, capacity=9,
                                    latitude_e6=north, longitude_e6=east)
        )  # fmt: skip

    city.at(TODAY, CLERK, write)


def came(
    city: Any, id: int, first: float, last: float | None, record_id: int | None = None, **more: Any
) -> None:
    """Write a pair of V1 on the shift with that id."""

    def write(desk: Desk) -> None:
        midnight = dt.datetime.combine(SUNDAY, dt.time(), desk.zone)
        at = microseconds(midnight + dt.timedelta(hours=first))
        out = None if last is None else microseconds(midnight + dt.timedelta(hours=last))
        desk.connection.execute(
            sa.insert(participation).values(id=id, shift_id=id, volunteer_id=1, state="accepted", rank=id,
                                            applied_at=0, changed_at=0, changed_by="x")
        )  # fmt: skip
        values = {
            "in_method": "code",
            "in_received_at": at,
            "in_by": "x",
            "record_id": record_id,
            "out_at": out,
        }
        desk.connection.execute(
            sa.insert(attendance).values(id=id, participation_id=id, volunteer_id=1, shift_id=id, in_at=at,
                                         served_on=SUNDAY.toordinal() - 719163, **values | more)
        )  # fmt: skip

    city.at(TODAY, CLERK, write)


def travel(city: Any, **policy: Any) -> set[int]:
    city = attrs.evolve(city, kit=attrs.evolve(city.kit, policy=Policy(**policy)))
    return {id for id, found in codes(city).items() if "impossible_travel" in found}


def test_nobody_is_at_two_places_without_the_time_to_travel(begun: Any) -> None:
    there(begun, 1, 1, YUSHUI, 18, 19), there(begun, 2, 2, FENYI, 19.2, 20)
    first, second = record(begun, SUNDAY, 60, 18, 19), record(begun, SUNDAY, 45, 19, 20, project="P2")
    record(begun, SUNDAY, 60, 18, 19, volunteer="V2")
    came(begun, 1, 18, 19, first)
    assert travel(begun) == {first, second}  # the second is entered by hand, and begins where the first ends
    came(begun, 2, 19.2, 20, second)  # twelve minutes with 100 km/h: 20 km and twice 500 m
    assert travel(begun) == {first, second}


@pytest.mark.parametrize(("speed", "found"), [(90, True), (98, True), (99, False), (120, False)])
def test_how_fast_somebody_travels_is_the_city_s_policy(begun: Any, speed: int, found: bool) -> None:
    there(begun, 1, 1, YUSHUI, 18, 19), there(begun, 2, 2, FENYI, 19.25, 20)
    made = {record(begun, SUNDAY, 60, 18, 19), record(begun, SUNDAY, 45, 19, 20, project="P2")}
    for id, (record_id, first, last) in enumerate(zip(sorted(made), (18, 19.25), (19, 20), strict=True), 1):
        came(begun, id, first, last, record_id)
    assert travel(begun, travel_km_per_hour=speed) == (made if found else set())


def test_a_record_with_a_clock_is_at_the_place_of_its_shift(begun: Any) -> None:
    there(begun, 1, 1, YUSHUI, 18, 20), there(begun, 2, 2, FENYI, 18, 22)
    made = {record(begun, SUNDAY, 60, 18, 19), record(begun, SUNDAY, 60, 19, 20, project="P2")}
    assert travel(begun) == made
    rejected = max(made)
    begun.at(TODAY, CHECKER, hours.reject, rejected, reason="不在场")
    assert travel(begun) == set()


def test_what_says_nothing_of_a_place_is_no_travel(begun: Any) -> None:
    there(begun, 1, 1, YUSHUI, 18, 20), there(begun, 2, 2, None, 18, 22)
    record(begun, SUNDAY, 60, 18, 19), record(begun, SUNDAY, 60, 19, 20, project="P2")
    assert travel(begun) == set()
    there(begun, 3, 2, FENYI, 18, 22), there(begun, 4, 2, YUSHUI, 18, 22)  # which of them, nobody knows
    assert travel(begun) == set()
    record(begun, SUNDAY, 60, project="P2")
    assert travel(begun) == set()


@pytest.mark.parametrize(
    ("more", "found"),
    [({}, True), ({"out_method": "leader"}, True), ({"flags": "self_reported,refused"}, False),
     ({"out_method": "forgotten"}, False), ({"out_at": None}, False)],
)  # fmt: skip
def test_a_presence_that_was_refused_or_whose_end_nobody_knows(
    begun: Any, more: dict[str, Any], found: bool
) -> None:
    there(begun, 1, 1, YUSHUI, 8, 20), there(begun, 2, 2, FENYI, 18, 20)
    came(begun, 1, 8, 20, **more)
    made = record(begun, SUNDAY, 60, 18, 19, project="P2")
    assert travel(begun) == ({made} if found else set())


def test_many_entries_of_one_actor_at_one_instant(begun: Any) -> None:
    def many(desk: Desk) -> None:
        hours.record_many(desk, [(None, Claim("V1", "P1", SUNDAY - dt.timedelta(i), 60)) for i in range(30)])

    begun.at(TODAY, CLERK, lambda desk: hours.record_many(desk, [(None, Claim("V2", "P1", SUNDAY, 60))] * 2))
    assert codes(begun) == {}
    begun.at(TODAY + dt.timedelta(1), CLERK, many)
    found = codes(begun, day=TODAY + dt.timedelta(1))
    assert len(found) == 30
    assert {"entered_in_bulk"} <= set(found[3])


@pytest.mark.parametrize("code", ["\ud800", None, 7, ["x"], "", "x" * 101])
def test_a_plugin_that_says_nothing_readable_is_named(make_city: Any, code: Any) -> None:
    said = [Finding(code, {}, "warn")]
    bad = SimpleNamespace(__name__="bad", vk_review_hours=hookimpl(lambda claim: said))
    city = make_city("sqlite://", bad)
    city.at(TODAY, CLERK, begin)
    with pytest.raises(PluginError, match="bad"):
        record(city, SUNDAY, 60)
    said[:] = [Finding("bad.hours", {}, "Block")]  # type: ignore[arg-type]
    with pytest.raises(Refused):
        record(city, SUNDAY, 60)


def test_a_plugin_may_say_again_what_the_library_says(make_city: Any, database_url: str) -> None:
    said = [Finding("overlap_same_volunteer", {}, "warn")] * 2
    city = make_city(
        database_url, SimpleNamespace(__name__="twice", vk_review_hours=hookimpl(lambda claim: said))
    )
    city.at(TODAY, CLERK, begin)
    for _ in range(2):
        city.at(TODAY, CLERK, hours.record, Claim("V1", "P1", SUNDAY, 60, dt.time(9), dt.time(10)))
    assert {each for found in codes(city).values() for each in found} >= {"overlap_same_volunteer"}


def test_a_plugin_s_sign_of_fraud_stays_with_the_record(make_city: Any, database_url: str) -> None:
    @hookimpl
    def vk_review_hours(claim: Claim) -> Any:
        texts = {"zh-CN": "整点时长。", "en": "Round hours."}
        return [Finding("round.hours", {}, "warn", texts=texts)] if claim.claimed_minutes % 60 == 0 else []

    city = make_city(database_url, SimpleNamespace(__name__="round", vk_review_hours=vk_review_hours))
    city.at(TODAY, CLERK, begin)
    made = record(city, SUNDAY, 120)
    record(city, SUNDAY, 119)
    assert codes(city) == {made: ("round.hours",)}
