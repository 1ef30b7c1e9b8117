"""Personal data in use: masks by office and age, unmasking with a purpose, finding, export, erasure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Claim,
    Grant,
    KeyCipher,
    Kit,
    Refused,
    approvals,
    fixed_clock,
    hours,
    organizations,
    personal,
    projects,
    volunteers,
)
from volunteerkit.errors import InvalidValue, KeyProblem, NotFound, NotPermitted
from volunteerkit.hours import verify_store
from volunteerkit.privacy import HIDDEN, found_by
from volunteerkit.statistics.city import city_figures
from volunteerkit.store.desk import Desk
from volunteerkit.store.schema import event, metadata
from volunteerkit.store.vault import (
    blind,
    find_subjects,
    open_subject,
    put_retention,
    release,
    retention_of,
    seal_subject,
    vault,
)
from volunteerkit.units import day_number
from volunteerkit.volunteers.tables import tag, volunteer

DAY = dt.date(2026, 11, 24)
KEY = KeyCipher(bytes(32))
CENTRE, SECOND, AUDITOR = (
    Actor.of("centre-1", "centre"),
    Actor.of("centre-2", "centre"),
    Actor.of("a-1", "auditor"),
)
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
OTHER = Actor("admin-2", (Grant("organization_admin", "O2"),))
OFFICER = Actor("officer-1", (Grant("department_officer", "渝水区"),))
SELF = Actor("app-1", (Grant("volunteer"),), volunteer="V1")
CHILD = Actor("app-2", (Grant("volunteer"),), volunteer="V3")


@attrs.frozen
class City:
    """A small city on a day."""

    engine: sa.Engine

    def at(self, actor: Actor, work: Callable[[Desk], Any], day: dt.date = DAY) -> Any:
        kit = Kit.load(cipher=KEY, clock=fixed_clock(dt.datetime.combine(day, dt.time(4), dt.UTC)))
        with kit.open(self.engine, actor) as desk:
            return work(desk)

    def edit(self, subject: str, **more: Any) -> None:
        def work(desk: Desk) -> None:
            data = open_subject(desk.connection, KEY, subject) | more
            seal_subject(desk.connection, KEY, subject, data, found_by=found_by(data))

        self.at(CENTRE, work)


def people(desk: Desk) -> None:
    for number in ("O1", "O2"):
        organizations.register(desk, number, name=f"志愿者联合会{number}")
    projects.register(desk, "P1", name="助老", organization="O1")
    for number, name, organization, phone, born in (
        ("V1", "欧阳雪", "O1", "12900000078", dt.date(1990, 3, 15)),
        ("V2", "王小明", "O2", "12900001178", dt.date(1955, 1, 1)),
        ("V3", "王小乐", "O1", "12900002278", dt.date(2012, 11, 25)),
        ("V4", "买买提·艾力", "O1", "", dt.date(2000, 2, 29)),
        ("V5", "Ａnn Smith", "O1", "12900003378", dt.date(2000, 2, 29)),
        ("V6", "𠮷野雪", "O1", "", None),
    ):
        volunteers.admit(desk, name=name, organization=organization, number=number, phone=phone, born_on=born)
    desk.connection.execute(sa.update(volunteer).values(district="渝水区"))
    desk.connection.execute(sa.insert(tag).values(volunteer_id=1, kind="skill", value="first_aid"))


@pytest.fixture
def city(database_url: str) -> Iterator[City]:
    engine = volunteerkit.create_engine(database_url)
    Kit.load(cipher=KEY).migrate(engine)
    made = City(engine)
    made.at(CENTRE, people)
    yield made
    engine.dispose()


def test_a_profile_shows_what_the_office_may_see(city: City) -> None:
    def fields(actor: Actor, number: str = "V1", day: dt.date = DAY) -> Any:
        return city.at(actor, lambda desk: personal.profile(desk, number), day).fields

    assert fields(SELF)["phone"] == "12900000078"
    assert fields(ADMIN)["name"] == "欧阳雪"
    assert fields(ADMIN)["phone"] == "*********78"
    assert fields(ADMIN)["born_on"] == "36–59"
    for actor in (OFFICER, AUDITOR):
        assert fields(actor)["name"] == "欧阳＊"
    for actor in (ADMIN, CENTRE, OFFICER, AUDITOR):
        assert {value for value in fields(actor, "V3").values() if value} == {HIDDEN}
    assert fields(CHILD, "V3")["name"] == "王小乐"
    birthday = dt.date(2026, 11, 25)
    assert (fields(ADMIN, "V3", birthday)["name"], fields(OFFICER, "V3", birthday)["name"]) == (
        "王小乐",
        "王＊",
    )
    shown = city.at(ADMIN, lambda desk: personal.profile(desk, "V1"))
    assert "欧阳" not in repr(shown)
    assert (shown.skills, shown.district, shown.organization) == (("first_aid",), "渝水区", "O1")


def test_a_foreign_volunteer_is_an_unknown_one(city: City) -> None:
    for actor in (OTHER, SELF):
        for work in (
            personal.profile,
            lambda desk, number: personal.unmask(desk, number, "phone", purpose="contact"),
        ):
            errors = []
            for number in ("V4", "V999"):
                with pytest.raises(NotFound) as told:
                    city.at(actor, lambda desk, work=work, number=number: work(desk, number))
                errors.append(str(told.value).replace(number, "V"))
            assert errors[0] == errors[1]
    with pytest.raises(NotPermitted):
        city.at(Actor.of("x", "public"), lambda desk: personal.profile(desk, "V1"))


def test_unmasking_needs_a_purpose_and_leaves_its_trace(city: City) -> None:
    for purpose, code in (("", "purpose_needed"), ("王小明的电话", None)):
        with pytest.raises((Refused, InvalidValue)) as told:
            city.at(
                ADMIN, lambda desk, purpose=purpose: personal.unmask(desk, "V1", "phone", purpose=purpose)
            )
        assert "王小明" not in str(told.value) + repr(told.value)
        assert not isinstance(told.value, Refused) or told.value.findings[0].code == code
    with pytest.raises(InvalidValue):
        city.at(ADMIN, lambda desk: personal.unmask(desk, "V1", "status", purpose="contact"))
    with pytest.raises(NotPermitted):
        city.at(AUDITOR, lambda desk: personal.unmask(desk, "V1", "phone", purpose="contact"))
    assert (
        city.at(ADMIN, lambda desk: personal.unmask(desk, "V1", "phone", purpose="contact")) == "12900000078"
    )
    assert city.at(SELF, lambda desk: personal.unmask(desk, "V1", "name")) == "欧阳雪"
    rows = city.at(CENTRE, lambda desk: desk.connection.execute(
        sa.select(event.c.actor_id, event.c.subject, event.c.payload).where(event.c.type == "volunteer.unmasked")
    ).fetchall())  # fmt: skip
    assert [tuple(row) for row in rows] == [
        ("admin-1", "volunteer:1", '{"field":"phone","purpose":"contact"}'),
        ("app-1", "volunteer:1", '{"field":"name","purpose":""}'),
    ]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("欧阳", ["V1"]), ("雪", ["V1", "V6"]), ("王", ["V2"]), ("王小乐", ["V3"]), ("小乐", []), ("王小明", ["V2"]),
        ("v2", ["V2"]), ("Ｖ３", ["V3"]), ("12900000078", ["V1"]), ("129 0000 0078", ["V1"]),
        ("12900002278", ["V3"]), ("艾力", ["V4"]), ("买买提艾力", ["V4"]), ("买买提・艾", ["V4"]),
        ("ann", ["V5"]), ("ＳＭＩＴＨ", ["V5"]), ("ann smith", ["V5"]), ("𠮷", ["V6"]), ("𠮷野", ["V6"]), ("%", []),
        ("_", []), ("阳欧", []), ("x" * 100_000, []), ("360599", []),
    ],
)  # fmt: skip
def test_the_centre_finds_by_number_phone_and_part_of_a_name(
    city: City, text: str, numbers: list[str]
) -> None:
    assert [each.number for each in city.at(CENTRE, lambda desk: personal.find(desk, text))] == numbers


def test_a_search_tells_nothing_that_a_mask_hides(city: City) -> None:
    def found(actor: Actor, text: str | None = None, **more: Any) -> list[str]:
        return [each.number for each in city.at(actor, lambda desk: personal.find(desk, text, **more))]

    assert found(OFFICER, "小明") == []
    assert found(OFFICER, "王") == ["V2"]
    assert found(OFFICER, "王小明") == ["V2"]
    assert found(ADMIN, "小明") == []
    assert found(ADMIN) == ["V1", "V3", "V4", "V5", "V6"]
    assert found(SELF) == ["V1"]
    assert found(CHILD, "乐") == ["V3"]
    assert found(CENTRE, organization="O2") == ["V2"]
    assert found(CENTRE, skill_code="first_aid") == ["V1"]
    assert found(CENTRE, limit=2) == ["V1", "V2"]
    for actor in (CENTRE, ADMIN, OFFICER, SELF):  # every mask shows the last two digits of a phone at most
        for part in ("78", "078", "0078", "00078", "2900000078", "1290000", "129", "１１７８"):
            assert found(actor, part) == [], part
    with pytest.raises(NotPermitted):
        found(Actor.of("x", "public"), "王")
    for limit in (0, 201, True, "5"):
        with pytest.raises(InvalidValue):
            found(CENTRE, limit=limit)


@pytest.mark.parametrize("text", ["", " ", "　\t\n", "·", "\u200b", "\u202e", "\0", "王\ud800", " ・ "])
def test_a_search_for_nothing_lists_nobody_and_says_what_may_be_looked_for(city: City, text: str) -> None:
    with pytest.raises(InvalidValue) as told:
        city.at(CENTRE, lambda desk: personal.find(desk, text))
    assert "志愿者编号、完整的电话" in told.value.message("zh-CN")
    assert "a whole phone" in told.value.message("en")
    assert len(city.at(CENTRE, personal.find)) == 6


def test_everybody_takes_a_copy_of_everything_about_themselves(city: City) -> None:
    city.at(SELF, lambda desk: hours.record(desk, Claim("V1", "P1", dt.date(2026, 11, 8), 150)))
    city.at(ADMIN, lambda desk: personal.unmask(desk, "V1", "phone", purpose="contact"))
    copy = json.loads(city.at(SELF, personal.export_own))
    assert copy["personal"]["name"] == "欧阳雪"
    assert copy["volunteer_tag"] == [{"kind": "skill", "value": "first_aid", "volunteer_id": 1}]
    assert copy["service_record"][0]["served_on"] == "2026-11-08"
    assert "volunteer.unmasked" in {each["type"] for each in copy["event"]}
    assert "王" not in json.dumps(copy, ensure_ascii=False)
    for nobody in (attrs.evolve(SELF, volunteer="V99"), Actor.of("x", "volunteer")):
        with pytest.raises(Refused):
            city.at(nobody, personal.export_own)
    for other in (CENTRE, Actor.of("x", "public"), Actor("x", (Grant("auditor"),), volunteer="V1")):
        with pytest.raises(NotPermitted):
            city.at(other, personal.export_own)


def test_a_copy_holds_what_is_ones_own_and_not_what_one_decided_about_others(city: City) -> None:
    clerk = Actor("app-1", (Grant("volunteer"), Grant("centre")), volunteer="V1")
    waiting = city.at(CENTRE, lambda desk: hours.record(desk, Claim("V1", "P1", dt.date(2026, 11, 8), 150)))
    city.at(SECOND, lambda desk: hours.confirm(desk, waiting.record_id, minutes=90, reason="迟到"))
    theirs = city.at(CENTRE, lambda desk: volunteers.request_transfer(desk, "V1", "O2", reason="搬家"))
    other = city.at(CENTRE, lambda desk: volunteers.request_transfer(desk, "V3", "O2", reason="升学"))
    for case, decider in ((theirs, SECOND), (other, clerk)):
        releasing = attrs.evolve(decider, grants=(*decider.grants, Grant("organization_admin", "O1")))
        city.at(releasing, lambda desk, case=case: approvals.decide(desk, case.id, "approve", reason="可"))  # type: ignore[misc]
    copy = json.loads(city.at(clerk, personal.export_own))
    assert [each["id"] for each in copy["case"]] == [theirs.id]
    assert [each["case_id"] for each in copy["case_decision"]] == [theirs.id]
    assert copy["case"][0]["facts"]["reason"] == "搬家"
    assert [each["reason"] for each in copy["transfer"]] == [None, "迟到"]
    assert [each["posted_minutes"] for each in copy["account"]] == [90]
    assert "升学" not in json.dumps(copy, ensure_ascii=False)


def test_every_table_that_names_a_volunteer_says_whose_its_rows_are() -> None:
    elsewhere = {"vk_vault", "vk_blind"}  # the copy has them as ``personal``
    named = {"volunteer", "volunteer_id", "volunteer_number", "subject", "beneficiary", "record_id"}
    silent = {
        table.name
        for table in metadata.sorted_tables
        for column in table.c
        if (column.name in named or any(key.column.table is volunteer for key in column.foreign_keys))
        and not table.info["owner"]
    }
    assert silent - elsewhere == {"vk_head"}  # the head counts records
    for table in metadata.sorted_tables:
        assert set(table.info["owner"]) <= set(table.c.keys()), table.name


def test_erasure_takes_two_and_leaves_hours_counts_and_chain(city: City) -> None:
    """A60: names and contacts go, hours and counts stay."""
    waiting = city.at(CENTRE, lambda desk: hours.record(desk, Claim("V1", "P1", dt.date(2026, 11, 8), 150)))
    city.at(SECOND, lambda desk: hours.confirm(desk, waiting.record_id))
    before = city.at(CENTRE, city_figures)
    city.at(SELF, personal.request_erasure)
    city.at(SELF, personal.request_erasure)
    assert city.at(CENTRE, lambda desk: personal.find(desk, "欧阳雪")) == ()
    assert city.at(ADMIN, lambda desk: personal.profile(desk, "V1")).fields == {}
    assert city.at(SELF, lambda desk: personal.profile(desk, "V1")).fields["name"] == "欧阳雪"
    with pytest.raises(Refused):
        city.at(ADMIN, lambda desk: personal.unmask(desk, "V1", "phone", purpose="contact"))
    due = city.at(CENTRE, personal.due_for_erasure)
    assert [(each.number, each.since) for each in due] == [("V1", DAY)]
    for actor in (SELF, ADMIN, AUDITOR):
        with pytest.raises(NotPermitted):
            city.at(actor, lambda desk: personal.erase(desk, "V1"))
    case = city.at(CENTRE, lambda desk: personal.erase(desk, "V1"))
    assert city.at(CENTRE, personal.due_for_erasure) == ()
    with pytest.raises(Refused):
        city.at(CENTRE, lambda desk: approvals.decide(desk, case.id, "approve"))
    assert city.at(SECOND, lambda desk: approvals.decide(desk, case.id, "approve")).state == "granted"
    assert city.at(CENTRE, lambda desk: personal.erase(desk, "V1")) is None
    city.at(SELF, personal.request_erasure)
    assert city.at(CENTRE, lambda desk: personal.profile(desk, "V1")).retention == "erased"

    def gone(desk: Desk) -> None:
        for table in (vault, blind):
            assert (
                desk.connection.execute(sa.select(table).where(table.c.subject == "volunteer:1")).first()
                is None
            )
        row = desk.connection.execute(sa.select(volunteer).where(volunteer.c.id == 1)).one()
        assert (row.number, row.row_digest) == ("V1", None)
        assert find_subjects(desk.connection, KEY, "phone", "12900000078") == ()
        assert hours.statement(desk, "V1").credited_minutes == 150
        assert verify_store(desk.connection).holds
        assert city_figures(desk) == before

    city.at(CENTRE, gone)


def test_a_refused_erasure_leaves_the_data_merely_stored(city: City) -> None:
    city.at(SELF, personal.request_erasure)
    case = city.at(CENTRE, lambda desk: personal.erase(desk, "V1"))
    city.at(SECOND, lambda desk: approvals.decide(desk, case.id, "refuse", reason="诉讼未结"))
    assert city.at(CENTRE, lambda desk: personal.profile(desk, "V1")).retention == "restricted"
    assert city.at(SELF, lambda desk: personal.profile(desk, "V1")).fields["name"] == "欧阳雪"


def test_leaving_ends_no_restriction(city: City) -> None:
    """Who asked for erasure and then cancels the registration is still merely stored, and still due."""
    city.at(SELF, personal.request_erasure)
    later = DAY + dt.timedelta(3)
    city.at(SELF, lambda desk: volunteers.deregister(desk, "V1"), later)
    assert city.at(CENTRE, lambda desk: personal.find(desk, "欧阳雪"), later) == ()
    seen = city.at(ADMIN, lambda desk: personal.profile(desk, "V1"), later)
    assert (seen.retention, seen.fields, seen.status) == ("restricted", {}, "deregistered")
    with pytest.raises(Refused):
        city.at(ADMIN, lambda desk: personal.unmask(desk, "V1", "phone", purpose="contact"), later)
    due = city.at(CENTRE, personal.due_for_erasure, later)
    assert [(each.number, each.since) for each in due] == [("V1", DAY)]


def test_a_retention_only_goes_up_unless_it_is_released(city: City) -> None:
    order = ("kept", "restricted", "erased")

    def both(first: str, second: str) -> Callable[[Desk], tuple[str, int | None]]:
        def work(desk: Desk) -> tuple[str, int | None]:
            subject = f"volunteer:{first}-{second}"
            put_retention(desk.connection, subject, first, 1)
            put_retention(desk.connection, subject, second, 2)
            return retention_of(desk.connection, subject)

        return work

    for first in order:
        for second in order:
            higher = order.index(second) > order.index(first) or first == second == "kept"
            expected = (second, 2) if higher else (first, 1)
            assert city.at(CENTRE, both(first, second)) == expected

    def released(desk: Desk) -> list[tuple[bool, str]]:
        answers = []
        for there, state in (("kept", "restricted"), ("kept", "kept"), ("restricted", "kept"),
                             ("restricted", "restricted"), ("erased", "restricted")):  # fmt: skip
            put_retention(desk.connection, "volunteer:99", there, 1)
            gone = release(desk.connection, "volunteer:99", state)
            answers.append((gone, retention_of(desk.connection, "volunteer:99")[0]))
        return answers

    assert city.at(CENTRE, released) == [
        (False, "kept"), (True, "registered"), (False, "restricted"), (True, "registered"), (False, "erased"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "fields"),
    [
        (dt.date(2026, 11, 24), ()), (dt.date(2026, 11, 25), ("address",)), (dt.date(2027, 5, 24), ("address",)),
        (dt.date(2027, 5, 25), ("address", "phone")), (dt.date(2036, 11, 24), ("address", "phone")),
        (dt.date(2036, 11, 25), ("address", "born_on", "name", "phone")),
    ],
)  # fmt: skip
def test_retention_says_what_is_due_on_the_day(city: City, day: dt.date, fields: tuple[str, ...]) -> None:
    city.edit("volunteer:1", address="江西省新余市渝水区某路1号")
    city.at(SELF, lambda desk: volunteers.deregister(desk, "V1"))
    due = city.at(CENTRE, personal.due_for_erasure, day)
    assert [each.fields for each in due] == ([fields] if fields else [])


def test_who_came_back_is_not_due_and_leaves_anew(city: City) -> None:
    def due(day: dt.date) -> list[dt.date]:
        return [each.since for each in city.at(CENTRE, personal.due_for_erasure, day)]

    city.at(SELF, lambda desk: volunteers.deregister(desk, "V1"))
    back, again = DAY + dt.timedelta(30), DAY + dt.timedelta(60)
    city.at(CENTRE, lambda desk: volunteers.reactivate(desk, "V1"), back)
    assert city.at(CENTRE, lambda desk: personal.profile(desk, "V1"), back).retention == "registered"
    assert due(dt.date(2040, 1, 1)) == []
    city.at(SELF, lambda desk: volunteers.deregister(desk, "V1"), again)
    assert due(dt.date(2027, 7, 23)) == []
    assert due(dt.date(2027, 7, 24)) == [dt.date(2027, 7, 24)]


def test_of_an_active_volunteer_nothing_is_due_whatever_was_noted(city: City) -> None:
    city.at(CENTRE, lambda desk: put_retention(desk.connection, "volunteer:1", "kept", day_number(DAY)))
    assert city.at(CENTRE, personal.due_for_erasure, dt.date(2040, 1, 1)) == ()


@pytest.mark.parametrize("asked", ["restricted", "erased"])
def test_nobody_comes_back_without_their_data(city: City, asked: str) -> None:
    city.at(SELF, lambda desk: volunteers.deregister(desk, "V1"))
    city.at(SELF, personal.request_erasure)
    if asked == "erased":
        case = city.at(CENTRE, lambda desk: personal.erase(desk, "V1"))
        city.at(SECOND, lambda desk: approvals.decide(desk, case.id, "approve"))
    for verb in (volunteers.reactivate, volunteers.resubmit):
        with pytest.raises(Refused) as told:
            city.at(CENTRE, lambda desk, verb=verb: verb(desk, "V1"))  # type: ignore[misc]
        assert [each.code for each in told.value.findings] == ["reactivation_restricted"]
    seen = city.at(CENTRE, lambda desk: personal.profile(desk, "V1"))
    status = "erased" if asked == "erased" else "deregistered"
    assert (seen.status, seen.retention) == (status, asked)


def test_a_request_of_erasure_can_be_taken_back(city: City) -> None:
    with pytest.raises(Refused) as told:
        city.at(SELF, personal.withdraw_erasure_request)
    assert [each.code for each in told.value.findings] == ["erasure_not_asked"]
    city.at(SELF, personal.request_erasure)
    assert city.at(ADMIN, lambda desk: personal.profile(desk, "V1")).fields == {}
    city.at(SELF, personal.withdraw_erasure_request)
    assert city.at(ADMIN, lambda desk: personal.profile(desk, "V1")).fields["name"] == "欧阳雪"
    assert city.at(CENTRE, personal.due_for_erasure) == ()
    city.at(SELF, personal.request_erasure)
    case = city.at(CENTRE, lambda desk: personal.erase(desk, "V1"))
    with pytest.raises(Refused) as told:  # the centre has it on its desk
        city.at(SELF, personal.withdraw_erasure_request)
    assert [each.code for each in told.value.findings] == ["erasure_waiting"]
    city.at(SECOND, lambda desk: approvals.decide(desk, case.id, "approve"))
    with pytest.raises(Refused) as told:
        city.at(SELF, personal.withdraw_erasure_request)
    assert [each.code for each in told.value.findings] == ["erasure_not_asked"]


def test_who_was_erased_does_nothing_more(city: City) -> None:
    case = city.at(CENTRE, lambda desk: personal.erase(desk, "V1"))
    city.at(SECOND, lambda desk: approvals.decide(desk, case.id, "approve"))
    assert city.at(CENTRE, lambda desk: personal.profile(desk, "V1")).status == "erased"
    with pytest.raises(Refused) as told:
        city.at(CENTRE, lambda desk: hours.record(desk, Claim("V1", "P1", dt.date(2026, 11, 8), 60)))
    assert [each.code for each in told.value.findings] == ["volunteer_not_active"]
    for only in ([], 5, "phone"):
        with pytest.raises(InvalidValue):
            city.at(CENTRE, lambda desk, only=only: personal.erase(desk, "V3", only=only))


def test_refused_applicants_are_due_from_the_refusal(city: City) -> None:
    """Refused by a clerk here, or rejected in a city's file: both words stand in the table."""
    application = Application(name="兰兰", organization="O1", phone="12900007778", consent_on=DAY)
    number = city.at(Actor.of("p", "centre"), lambda desk: volunteers.register(desk, application))
    on = dt.date(2027, 1, 10)
    assert city.at(CENTRE, personal.due_for_erasure, dt.date(2040, 1, 1)) == ()
    city.at(SECOND, lambda desk: volunteers.refuse(desk, number, reason="材料不全"), on)
    rejected = sa.update(volunteer).where(volunteer.c.number == "V2").values(status="rejected")
    city.at(CENTRE, lambda desk: desk.connection.execute(rejected))
    for day, numbers in (
        (dt.date(2027, 5, 24), []), (dt.date(2027, 5, 25), ["V2"]),
        (dt.date(2027, 7, 10), ["V2"]), (dt.date(2027, 7, 11), ["V2", number]),
    ):  # fmt: skip
        due = city.at(CENTRE, personal.due_for_erasure, day)
        assert [each.number for each in due if "phone" in each.fields] == sorted(numbers)
    city.at(CENTRE, lambda desk: volunteers.resubmit(desk, number), on)
    city.at(SECOND, lambda desk: volunteers.resubmit(desk, "V2"), on)
    (left,) = city.at(CENTRE, personal.due_for_erasure, dt.date(2040, 1, 1))
    # the application waits again, and why the first one was refused is old
    assert (left.number, left.fields, left.since) == (number, ("reason",), dt.date(2029, 1, 11))


def test_what_was_kept_of_a_guardian_is_due_when_the_child_has_come_of_age(city: City) -> None:
    guardian = volunteers.Guardian("欧阳母", "12900007779", consented_on=DAY)
    application = Application(name="欧阳小雪", organization="O1", born_on=dt.date(2010, 3, 15), phone="12900007778",
                              consent_on=DAY, guardian=guardian)  # fmt: skip
    number = city.at(Actor.of("p", "centre"), lambda desk: volunteers.register(desk, application))
    city.at(SECOND, lambda desk: volunteers.approve(desk, number))
    assert city.at(CENTRE, personal.due_for_erasure, dt.date(2028, 3, 15)) == ()
    (due,) = city.at(CENTRE, personal.due_for_erasure, dt.date(2028, 3, 16))
    assert (due.number, due.fields, due.since) == (number, ("guardian",), dt.date(2028, 3, 16))
    case = city.at(CENTRE, lambda desk: personal.erase(desk, number, only=due.fields), dt.date(2028, 3, 16))
    city.at(SECOND, lambda desk: approvals.decide(desk, case.id, "approve"), dt.date(2028, 3, 16))
    assert city.at(CENTRE, personal.due_for_erasure, dt.date(2028, 3, 16)) == ()
    assert (
        city.at(CENTRE, lambda desk: personal.find(desk, "欧阳小雪"), dt.date(2028, 3, 16))[0].number
        == number
    )


def test_fields_whose_time_ran_out_go_and_the_others_stay(city: City) -> None:
    case = city.at(CENTRE, lambda desk: personal.erase(desk, "V1", only=["phone"]))
    city.at(SECOND, lambda desk: approvals.decide(desk, case.id, "approve"))
    assert city.at(CENTRE, lambda desk: open_subject(desk.connection, KEY, "volunteer:1"))["name"] == "欧阳雪"
    assert city.at(CENTRE, lambda desk: personal.find(desk, "12900000078")) == ()
    assert city.at(CENTRE, lambda desk: personal.unmask(desk, "V1", "phone", purpose="contact")) == ""
    with pytest.raises(InvalidValue):
        city.at(CENTRE, lambda desk: personal.erase(desk, "V1", only=["status"]))


def test_no_cipher_and_a_wrong_one_are_told(city: City) -> None:
    for cipher in (None, KeyCipher(bytes(range(32)))):
        for work in (
            lambda desk: personal.profile(desk, "V1"), lambda desk: personal.find(desk, "雪"),
            lambda desk: personal.unmask(desk, "V1", "phone", purpose="contact"),
        ):  # fmt: skip
            with pytest.raises(KeyProblem), Kit.load(cipher=cipher).open(city.engine, CENTRE) as desk:
                work(desk)


@pytest.mark.parametrize("text", ["\0", "\ud800", "王\0"])
def test_what_no_database_holds_is_told_the_same_way_on_both(city: City, text: str) -> None:
    with pytest.raises(InvalidValue):
        city.at(CENTRE, lambda desk: personal.find(desk, text))
    for work in (personal.profile, personal.erase):
        with pytest.raises(NotFound):
            city.at(CENTRE, lambda desk, work=work: work(desk, text))
    with pytest.raises(InvalidValue):
        city.at(CENTRE, lambda desk: volunteers.admit(desk, name="兰", organization=text))


@pytest.mark.parametrize("odd", [5, ["phone"], "\0", "\ud800"])
def test_what_is_no_word_is_told_the_same_way_on_both(city: City, odd: Any) -> None:
    for work in (
        lambda desk: personal.find(desk, "欧阳雪", organization=odd),
        lambda desk: personal.find(desk, "欧阳雪", skill_code=odd),
        lambda desk: personal.find(desk, odd),
        lambda desk: personal.unmask(desk, "V1", odd, purpose="contact"),
        lambda desk: personal.unmask(desk, "V1", "phone", purpose=odd),
    ):
        with pytest.raises(InvalidValue):
            city.at(ADMIN, work)
