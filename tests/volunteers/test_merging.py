"""Duplicates found, merged and unmerged (A58): common time counts once, and everything can be taken back."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from volunteerkit import (
    Actor,
    Application,
    Claim,
    Grant,
    Refused,
    approvals,
    fixed_clock,
    hours,
    organizations,
    personal,
    projects,
    rating,
    statistics,
    volunteers,
)
from volunteerkit.errors import NotFound, NotPermitted
from volunteerkit.organizations import teams
from volunteerkit.organizations.tables import team
from volunteerkit.store.desk import Desk
from volunteerkit.store.grants import alias, resolved_number
from volunteerkit.volunteers import Acknowledgement
from volunteerkit.volunteers.persons import flattened
from volunteerkit.volunteers.tables import merge_change, volunteer

MONDAY = dt.date(2026, 11, 23)
DAY = dt.timedelta(1)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
OTHER = Actor("admin-2", (Grant("organization_admin", "O2"),))
IDENTITY = "360599199003150015"


def person(desk: Desk, number: str, organization: str = "O1", **more: Any) -> None:
    given: dict[str, Any] = {"born_on": dt.date(1990, 3, 15), "consent_on": MONDAY, "name": f"兰{number}"}
    volunteers.register(desk, Application(organization=organization, **(given | more)), number=number)


def served(desk: Desk, number: str, start: int, end: int, day: dt.date = MONDAY, project: str = "P1") -> int:
    claim = Claim(number, project, day, (end - start) * 60, dt.time(start), dt.time(end))
    return hours.record(desk, claim).record_id


def see(city: Any, work: Callable[[Desk], Any], actor: Actor = CENTRE) -> Any:
    """Do ``work`` on the day after the city began."""
    return city.at(MONDAY + DAY, actor, work)


@pytest.fixture
def city(make_city: Any, database_url: str) -> Any:
    made = make_city(database_url, "xinyu")

    def begin(desk: Desk) -> None:
        for n in (1, 2):
            organizations.register(desk, f"O{n}", name=f"{n}联合会")
            projects.register(desk, f"P{n}", name="献血宣传", organization=f"O{n}")
            row = {"id": n, "number": f"T{n}", "name": f"{n}队", "organization_id": 1, "status": "approved"}
            desk.connection.execute(sa.insert(team).values(**row))
        first, rights = (Acknowledgement("rights_and_duties", version, MONDAY) for version in ("1", "2"))
        person(desk, "V1", phone="12900000001", skills=("急救",), acknowledged=(first,))
        person(desk, "V2", "O2", phone="129-0000 0001", skills=("急救", "驾驶"), acknowledged=(rights,))
        person(desk, "V3", name="欧阳雪")
        person(desk, "V4", name="欧阳 雪", identity_number=IDENTITY)
        person(desk, "V5", born_on=dt.date(1980, 1, 1))

    def on(desk: Desk) -> None:
        for number in ("V1", "V2", "V3", "V4", "V5"):
            volunteers.approve(desk, number)
        for number, where in (("V1", "T1"), ("V2", "T1"), ("V2", "T2")):
            volunteers.add_to_team(desk, number, where)
        for number, kind in (("V1", "红十字救护员"), ("V2", "红十字救护员"), ("V2", "驾驶证")):
            volunteers.add_qualification(desk, number, kind, obtained_on=MONDAY)
        volunteers.add_training(desk, "V2", "安全", on=MONDAY, minutes=60, organization="O2")

    def serve(desk: Desk) -> None:
        # common time 9 to 11, twice by V2's other records, once alone
        for number, start, end, project in (
            ("V1", 8, 11, "P1"), ("V2", 9, 12, "P1"), ("V2", 14, 16, "P2"), ("V3", 8, 9, "P1"), ("V4", 8, 10, "P1"),
        ):  # fmt: skip
            served(desk, number, start, end, project=project)

    made.at(MONDAY, CENTRE, begin)
    made.at(MONDAY, SECOND, on)
    evening = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)  # what ends at four is over by five
    with attrs.evolve(made.kit, clock=fixed_clock(evening)).open(made.engine, SECOND) as desk:
        serve(desk)
    made.at(MONDAY, CENTRE, lambda desk: [hours.confirm(desk, id_) for id_ in range(1, 6)])
    return made


def merged(city: Any, keep: str, other: str, day: dt.date = MONDAY + DAY) -> None:
    case = city.at(day, CENTRE, lambda desk: volunteers.propose_merge(desk, keep, other, reason="重复登记"))
    city.at(day, SECOND, lambda desk: approvals.decide(desk, case.id, "approve"))


def test_two_who_joined_a_team_before_and_after_it_went_over_become_one_member(city: Any) -> None:
    case = see(city, lambda desk: teams.transfer(desk, "T1", "O2"))
    see(city, lambda desk: approvals.decide(desk, case, "approve"), ADMIN)
    see(city, lambda desk: approvals.decide(desk, case, "approve"), OTHER)
    see(city, lambda desk: volunteers.add_to_team(desk, "V3", "T1"))
    merged(city, "V1", "V3", MONDAY + 2 * DAY)
    found = city.at(MONDAY + 2 * DAY, OTHER, lambda desk: volunteers.members(desk, "T1"))
    assert [(each.volunteer, each.organization, each.since) for each in found] == [
        ("V1", "O2", MONDAY), ("V2", "O2", MONDAY),
    ]  # fmt: skip


def unmerged(city: Any, number: str, day: dt.date = MONDAY + DAY) -> None:
    case = city.at(day, CENTRE, lambda desk: volunteers.propose_unmerge(desk, number, reason="并非同一人"))
    city.at(day, SECOND, lambda desk: approvals.decide(desk, case.id, "approve"))


def credited(city: Any, number: str, known_at: int | None = None) -> tuple[str, int, int]:
    found = see(city, lambda desk: hours.statement(desk, number, known_at=known_at))
    return found.volunteer, found.confirmed_minutes, found.credited_minutes


def all_read(city: Any) -> Any:
    """Everything that is read of the city's people."""

    def read(desk: Desk) -> Any:
        numbers = [f"V{n}" for n in range(1, 6)]
        return (
            [hours.statement(desk, number) for number in numbers],
            [rating.rate_volunteer(desk, number) for number in numbers],
            [volunteers.memberships(desk, number) for number in numbers],
            [volunteers.qualifications(desk, number) for number in numbers],
            [statistics.activity_record(desk, number) for number in numbers],
            [personal.profile(desk, number) for number in numbers],
            [volunteers.members(desk, number) for number in ("T1", "T2")],
            rating.rate_city(desk), statistics.city_figures(desk), volunteers.duplicates(desk),
            [personal.find(desk, text) for text in (None, "欧阳雪", "12900000001", "V2")],
        )  # fmt: skip

    return see(city, read)


MOVES = {
    "vk_acknowledgement": 1,
    "vk_membership": 3,
    "vk_qualification": 1,
    "vk_volunteer_tag": 1,
}


def codes(refused: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [each.code for each in refused.value.findings]


def test_duplicates_are_found_within_reach_and_tell_no_personal_datum(city: Any) -> None:
    found = see(city, volunteers.duplicates)
    assert [(each.first, each.second, each.why) for each in found] == [
        ("V3", "V4", ("same_name_and_birth",)), ("V1", "V2", ("same_phone",)),
    ]  # fmt: skip
    assert "欧阳" not in repr(found)
    assert see(city, lambda desk: volunteers.duplicates(desk, limit=1)) == found[:1]
    assert see(city, volunteers.duplicates, ADMIN) == found  # V2 is in a team of theirs
    assert see(city, volunteers.duplicates, OTHER) == ()  # and of V1 they may know nothing
    with pytest.raises(NotPermitted):
        see(city, volunteers.duplicates, Actor.of("a-1", "auditor"))


def test_merge_unites_and_counts_common_time_once(city: Any) -> None:
    plan = see(city, lambda desk: volunteers.plan_merge(desk, "V1", "V2"))
    assert plan.overlaps == ((1, 2),)
    assert [each.code for each in plan.findings] == ["merge_overlap"]
    assert dict(plan.moves) == MOVES
    before = all_read(city)
    assert credited(city, "V1") == ("V1", 180, 180)
    merged(city, "V1", "V2")
    assert before != all_read(city)
    for number in ("V1", "V2"):
        assert credited(city, number) == ("V1", 480, 360)  # 8 to 12 and 14 to 16
    where = see(city, lambda desk: volunteers.memberships(desk, "V2"))
    assert [(each.organization, each.team, each.role) for each in where] == [
        ("O1", None, "managing"), ("O1", "T1", "member"), ("O1", "T2", "member"),
    ]  # fmt: skip
    assert see(city, lambda desk: [each.volunteer for each in volunteers.members(desk, "T1")]) == ["V1"]
    held = see(city, lambda desk: volunteers.qualifications(desk, "V1"))
    assert sorted(each.kind for each in held) == ["红十字救护员", "驾驶证"]
    record = see(city, lambda desk: statistics.activity_record(desk, "V2"))
    assert [each.kind for each in record].count("service") == 3
    assert [each.name for each in record if each.kind == "training"] == ["安全"]
    profile = see(city, lambda desk: personal.profile(desk, "V2"))
    assert (profile.number, profile.organization, profile.skills) == ("V1", "O1", ("急救", "驾驶"))
    for text in ("V2", "12900000001", None):
        numbers = [each.number for each in see(city, lambda desk, text=text: personal.find(desk, text))]
        assert "V1" in numbers
        assert "V2" not in numbers
    figures = see(city, statistics.city_figures)
    assert (figures.registered, figures.active, figures.credited_minutes) == (4, 3, 360 + 60 + 120)
    assert {row[0]: row[3] for row in figures.by_organization} == {"1联合会": 3, "2联合会": 1}


def test_the_city_is_rated_the_same_in_every_way(city: Any) -> None:
    merged(city, "V2", "V1")  # the kept one has the higher id
    merged(city, "V3", "V4")  # … and the lower

    def compare(desk: Desk) -> None:
        for rulebook in ("plain", "union"):
            for day in (MONDAY, MONDAY - DAY, dt.date(2027, 6, 1)):
                kernel = rating.rate_city(desk, rulebook=rulebook, as_of=day, kernel=True)
                assert kernel == rating.rate_city(desk, rulebook=rulebook, as_of=day, kernel=False)
                assert kernel.volunteers == ["V2", "V3", "V5"]
                for i, number in enumerate(kernel.volunteers):
                    one = rating.rate_volunteer(desk, number, rulebook=rulebook, as_of=day)
                    assert one.credited.credited_minutes == kernel.credited_minutes[i]
                    assert one.credited.service_days == kernel.service_days[i]
                    assert one.assessment.grade == kernel.grades[i]
                    told = hours.statement(desk, number, rulebook=rulebook, as_of=day)
                    assert told.credited_minutes == kernel.credited_minutes[i]
        assert rating.decide_city(desk, rating.rate_city(desk)) == 0
        figures = statistics.city_figures(desk)
        assert figures.credited_minutes == sum(rating.rate_city(desk).credited_minutes) == 360 + 120

    see(city, compare)


def test_merge_then_unmerge_is_as_if_nothing_was(city: Any) -> None:
    before = all_read(city)
    merged(city, "V1", "V2")
    unmerged(city, "V2")
    assert all_read(city) == before
    merged(city, "V2", "V1")  # and it can be done again, also the other way round
    assert credited(city, "V1") == ("V2", 480, 360)
    unmerged(city, "V1")
    assert all_read(city) == before


def test_what_was_added_since_stays_with_the_kept_one(city: Any) -> None:
    merged(city, "V1", "V2")

    def add(desk: Desk) -> None:
        volunteers.add_qualification(desk, "V2", "手语", obtained_on=MONDAY)
        volunteers.leave_team(desk, "V2", "T2")
        hours.confirm(desk, 6)

    new = see(city, lambda desk: served(desk, "V2", 20, 21), SECOND)
    assert new == 6
    see(city, add)
    assert credited(city, "V1") == ("V1", 540, 420)
    unmerged(city, "V2")
    assert credited(city, "V1") == ("V1", 240, 240)
    assert credited(city, "V2") == ("V2", 300, 300)
    held = see(city, lambda desk: [each.kind for each in volunteers.qualifications(desk, "V1")])
    assert sorted(held) == ["手语", "红十字救护员"]
    # the membership went back, and the leaving with it
    assert see(city, lambda desk: volunteers.members(desk, "T2")) == ()


def test_a_merge_is_known_from_its_own_moment_on(city: Any) -> None:
    known = see(city, lambda desk: hours.statement(desk, "V1").known_at)
    said = {number: see(city, lambda desk, n=number: hours.statement(desk, n)) for number in ("V1", "V2")}
    merged(city, "V1", "V2")
    see(city, lambda desk: served(desk, "V5", 8, 9), SECOND)  # the ledger goes on
    during = see(city, lambda desk: hours.statement(desk, "V2"))
    assert (during.volunteer, during.merged, during.credited_minutes) == ("V1", ("V2",), 360)
    unmerged(city, "V2")
    see(city, lambda desk: served(desk, "V5", 10, 11), SECOND)
    for number in ("V1", "V2"):
        then = see(city, lambda desk, n=number: hours.statement(desk, n, known_at=known))
        assert then == said[number]
        again = see(city, lambda desk, n=number: hours.statement(desk, n, known_at=during.known_at))
        assert again == during
    assert credited(city, "V2") == ("V2", 300, 300)


def test_chains_point_to_the_last_and_are_taken_back_from_the_end(city: Any) -> None:
    before = all_read(city)
    merged(city, "V2", "V1")
    middle = all_read(city)
    merged(city, "V3", "V2")
    for number in ("V1", "V2", "V3"):
        assert see(city, lambda desk, n=number: resolved_number(desk.connection, n)) == "V3"
        assert credited(city, number) == ("V3", 540, 360)
    flat = see(city, lambda desk: dict(desk.connection.execute(sa.select(alias)).all()))
    assert flat == {"V1": "V3", "V2": "V3"}
    with pytest.raises(Refused) as refused:
        unmerged(city, "V1")
    assert codes(refused) == ["merge_above"]
    unmerged(city, "V2")
    assert all_read(city) == middle
    unmerged(city, "V1")
    assert all_read(city) == before


def test_what_forbids_a_merge(city: Any) -> None:
    def forbidden(keep: str, other: str) -> list[str]:
        plan = see(city, lambda desk: volunteers.plan_merge(desk, keep, other))
        with pytest.raises(Refused) as refused:
            see(city, lambda desk: volunteers.propose_merge(desk, keep, other, reason="重复"))
        blocking = [each.code for each in plan.findings if each.severity == "block"]
        assert [each.code for each in refused.value.findings if each.severity == "block"] == blocking
        return blocking

    assert forbidden("V1", "V1") == ["merge_same"]
    see(city, lambda desk: volunteers.request_transfer(desk, "V2", "O1"), SECOND)
    assert forbidden("V1", "V2") == ["merge_case_waiting"]
    see(city, lambda desk: volunteers.appoint(desk, "V1", "T1", "leader"))
    assert forbidden("V1", "V2") == ["merge_case_waiting", "merge_roles_differ"]
    see(city, lambda desk: volunteers.deregister(desk, "V5"))
    assert forbidden("V5", "V4") == ["merge_status"]
    known = see(city, lambda desk: volunteers.plan_merge(desk, "V4", "V5"))
    assert [each.code for each in known.findings] == ["merge_no_likeness"]
    with pytest.raises(NotFound):
        see(city, lambda desk: volunteers.plan_merge(desk, "V1", "V404"))
    with pytest.raises(NotFound):  # of another organization
        see(
            city,
            lambda desk: volunteers.plan_merge(desk, "V3", "V2"),
            OTHER,
        )
    with pytest.raises(Refused) as refused:
        see(city, lambda desk: volunteers.propose_unmerge(desk, "V1", reason="不是"))
    assert codes(refused) == ["not_merged"]


def test_a_second_person_decides_and_neither_of_the_two(city: Any) -> None:
    case = see(city, lambda desk: volunteers.propose_merge(desk, "V1", "V2", reason="重复"))
    for mine in (CENTRE, *(attrs.evolve(SECOND, id=f"c-{n}", volunteer=n) for n in ("V1", "V2"))):
        with pytest.raises(Refused) as refused:
            see(city, lambda desk: approvals.decide(desk, case.id, "approve"), mine)
        assert codes(refused) == ["own_case"]
    # what came in between is looked at again when it is decided
    see(city, lambda desk: volunteers.request_transfer(desk, "V2", "O1"), SECOND)
    with pytest.raises(Refused) as refused:
        see(city, lambda desk: approvals.decide(desk, case.id, "approve"), SECOND)
    assert codes(refused) == ["merge_case_waiting"]
    assert see(city, lambda desk: approvals.view(desk, case.id).state) == "review"


def test_who_was_merged_confirms_nothing_of_their_own(city: Any) -> None:
    merged(city, "V1", "V2")
    id_ = see(city, lambda desk: served(desk, "V1", 20, 21), SECOND)
    other = attrs.evolve(CENTRE, id="c-2", volunteer="V2")
    with pytest.raises(Refused) as refused:
        see(city, lambda desk: hours.confirm(desk, id_), other)
    assert codes(refused) == ["own_record"]
    again = see(
        city, lambda desk: hours.record(desk, Claim("V2", "P2", MONDAY, 60, dt.time(15), dt.time(16))), SECOND
    )
    assert [each.code for each in again.findings] == ["overlap_warning"]  # with what V2 served before


def test_erasing_a_person_erases_what_was_merged(city: Any) -> None:
    merged(city, "V1", "V2")
    own = Actor("citizen-1", (Grant("volunteer"),), volunteer="V2")
    told = json.loads(see(city, personal.export_own, own))
    assert told["personal"]["name"] == "兰V1"
    assert [each["name"] for each in told["personal_merged"]] == ["兰V2"]
    assert len(told["service_record"]) == 3
    case = see(city, lambda desk: personal.erase(desk, "V2"))
    see(city, lambda desk: approvals.decide(desk, case.id, "approve"), SECOND)
    assert "personal_merged" not in json.loads(see(city, personal.export_own, own))
    numbers = sa.select(volunteer.c.number).where(volunteer.c.status == "merged")
    assert see(city, lambda desk: desk.connection.execute(numbers).scalars().all()) == ["V2"]
    assert credited(city, "V2") == ("V1", 480, 360)
    words = see(city, lambda desk: desk.connection.execute(sa.select(merge_change.c.key)).scalars().all())
    assert not [each for each in words if "skill" in each]


def test_a_file_with_a_merged_number_changes_nothing_of_it(city: Any, tmp_path: Path) -> None:
    rows = ["volunteer_id,name,org_id,registered_at,status", "V2,王小,O1,2026-11-23,approved"]
    (tmp_path / "organizations.csv").write_text("org_id,org_name\nO1,1联合会\n", "utf-8")
    (tmp_path / "volunteers.csv").write_text("\n".join(rows) + "\n", "utf-8")
    merged(city, "V1", "V2")
    kit = attrs.evolve(city.kit, clock=fixed_clock(dt.datetime(2026, 11, 24, 4, tzinfo=dt.UTC)))
    done = kit.import_directory(city.engine, Actor.of("centre-1", "centre"), tmp_path)
    assert done.files[-1].refused == {"person_merged": 1}
    assert credited(city, "V2") == ("V1", 480, 360)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12))))
def test_a_mapping_points_to_the_last_of_every_chain(tried: list[tuple[int, int]]) -> None:
    pairs: dict[int, int] = {}
    person = {n: n for n in range(13)}
    for merging, kept in tried:  # as the verbs allow it: neither is merged already, and they are two
        if merging != kept and merging not in pairs and kept not in pairs:
            pairs[merging] = kept
            person = {n: kept if one == merging else one for n, one in person.items()}
    assert flattened(pairs.items()) == {n: one for n, one in person.items() if n != one}
