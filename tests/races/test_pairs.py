"""A17: two verbs against each other, four pairs of them at once: each comes out as in one order or in the other."""

from __future__ import annotations

import datetime as dt
import itertools
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Grant, approvals, hours, organizations, personal, projects, volunteers
from volunteerkit.approvals import grants
from volunteerkit.hours import bank
from volunteerkit.organizations.tables import team
from volunteerkit.projects import attendance
from volunteerkit.projects.tables import project, shift
from volunteerkit.store.desk import microseconds
from volunteerkit.volunteers import merging

_racing = runpy.run_path(str(Path(__file__).with_name("racing.py")), run_name="racing")
KIT, NOW, do, me, officer, admin = (_racing[name] for name in ("KIT", "NOW", "do", "me", "officer", "admin"))
FIRST, SECOND = (Actor.of(f"centre-{n}", "centre", "system") for n in (1, 2))
REASON = {"reason": "核对"}
HOUR = 3_600_000_000
Pair = tuple[Any, Any, Callable[[], Any]]
"""What one asks, what the other asks, and how to see what became of it."""


class City:
    """What the pairs need: each has people, days, shifts and organizations of its own."""

    def __init__(self, race: Any) -> None:
        self.race, self.at, self.query = race, race.at, race.query
        self.days = (dt.date(2024, 1, 1) + dt.timedelta(n) for n in itertools.count())
        self.count = itertools.count(1)
        for number, name in (("O1", "红十字会"), ("O2", "敬老院食堂")):
            self.at(FIRST, organizations.register, number, name=name)
        for number in ("P1", "P2"):
            self.at(FIRST, projects.register, number, name="助餐", organization="O1")

    def volunteer(self, organization: str = "O1") -> str:
        number = f"V{next(self.count)}"
        found: str = self.at(FIRST, volunteers.admit, name="周雪", organization=organization, number=number)
        return found

    def claim(self, number: str) -> list[Any]:
        """What a claim consists of, for a day on which nothing else happens."""
        return [number, "P1", str(next(self.days)), 60]

    def record(self, number: str, *, confirmed: bool = True, minutes: int = 60) -> int:
        claim = hours.Claim(number, "P1", next(self.days), minutes)
        id_: int = self.at(FIRST, hours.record, claim).record_id
        if confirmed:
            self.at(SECOND, hours.confirm, id_)
        return id_

    def saver(self, minutes: int = 50) -> tuple[str, int]:
        number = self.volunteer()
        record = self.record(number, minutes=minutes)
        assert self.at(FIRST, bank.settle, number).available_minutes == minutes
        return number, record

    def shift(self, hours_from_now: float, capacity: int | None = None) -> tuple[str, int]:
        """A project of O1 that is published, with one shift of four hours."""
        number = f"P{next(self.count) + 100}"
        self.at(FIRST, projects.register, number, name="护学", organization="O1")
        (id_,) = self.query(f"SELECT id FROM vk_project WHERE number = '{number}'")[0]
        begin = microseconds(NOW) + int(hours_from_now * HOUR)
        shift_id = next(self.count)
        self.race.change(sa.update(project).where(project.c.id == id_).values(
            status="published", acceptance="auto", waiting_list=1))  # fmt: skip
        self.race.change(sa.insert(shift).values(
            id=shift_id, project_id=id_, capacity=capacity, starts_at=begin, ends_at=begin + 4 * HOUR))  # fmt: skip
        return number, shift_id

    def joined(self, shift_id: int) -> str:
        number = self.volunteer()
        self.at(myself(number), projects.recruiting.join, shift_id, number)
        return number

    def minutes(self, record: int) -> Any:
        return self.query(
            f"SELECT state, confirmed_minutes FROM vk_service_record WHERE id = {record}"
        )  # what stands, whoever decided

    def records(self, number: str) -> Any:
        return self.query(
            "SELECT r.state, r.claimed_minutes, r.confirmed_minutes, CASE WHEN p.number = 'P2' THEN 2 ELSE 1 END FROM vk_service_record r "
            "JOIN vk_volunteer v ON v.id = r.volunteer_id JOIN vk_project p ON p.id = r.project_id "
            f"WHERE v.number = '{number}' ORDER BY r.id"
        )

    def places(self, shift_id: int) -> Any:
        states = f"SELECT state FROM vk_participation WHERE shift_id = {shift_id} ORDER BY rank"
        return self.query(states), self.query(f"SELECT taken, capacity FROM vk_shift WHERE id = {shift_id}")

    def money(self, number: str) -> Any:
        found = self.at(FIRST, bank.balance, number)
        return found.posted_minutes, found.held_minutes, found.available_minutes


def myself(number: str) -> Actor:
    return Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)


def decide(case: int, verdict: str = "approve", n: int = 1) -> Any:
    return officer(n), "approvals.decide", [case, verdict], REASON


def join(city: City, shift_id: int) -> Any:
    number = city.volunteer()
    return me(number), "projects.recruiting.join", [shift_id, number], {}


def a_project_is_cancelled_and_joined(city: City) -> Pair:
    number, shift_id = city.shift(48, 5)
    cancel = officer(1), "projects.cancel", [number], {"reason": "台风"}
    return cancel, join(city, shift_id), lambda: city.places(shift_id)


def a_shift_shrinks_and_is_joined(city: City) -> Pair:
    _, shift_id = city.shift(48, 2)
    city.joined(shift_id)
    return (officer(1), "capacity", [shift_id, 1], {}), join(city, shift_id), lambda: city.places(shift_id)


def somebody_withdraws_and_somebody_joins(city: City) -> Pair:
    _, shift_id = city.shift(48, 1)
    there = city.joined(shift_id)
    withdraw = me(there), "projects.recruiting.withdraw", [shift_id, there], {}
    return withdraw, join(city, shift_id), lambda: city.places(shift_id)


def somebody_leaves_the_city_and_joins(city: City) -> Pair:
    _, shift_id = city.shift(48, 1)
    joining = join(city, shift_id)
    number = joining[0][2]
    return (officer(1), "volunteers.deregister", [number], {}), joining, lambda: city.places(shift_id)


def somebody_is_suspended_and_holds(city: City) -> Pair:
    number, _ = city.saver()
    suspend = officer(1), "volunteers.suspend", [number], REASON
    return suspend, hold(number, 20), lambda: city.money(number)


def hold(number: str, minutes: int) -> Any:
    return me(number), "hours.bank.hold", [number, "O2"], {"minutes": minutes}


def a_shift_is_cancelled_and_somebody_checked_in(city: City) -> Pair:
    _, shift_id = city.shift(0.25)
    number = city.joined(shift_id)
    cancel = officer(1), "projects.cancel_shift", [shift_id], {"reason": "台风"}
    check = admin(1, "O1"), "projects.attendance.check_in", [shift_id, number], {}
    return (
        cancel,
        check,
        lambda: (
            city.places(shift_id),
            city.query(f"SELECT in_method FROM vk_attendance WHERE shift_id = {shift_id}"),
        ),
    )


def a_pair_is_reviewed_and_claimed(city: City) -> Pair:
    _, shift_id = city.shift(0.25)
    number = city.joined(shift_id)
    begin = NOW + dt.timedelta(minutes=15)
    for verb, at in ((attendance.check_in, begin), (attendance.check_out, begin + dt.timedelta(hours=2))):
        under = {"at": at.isoformat()}
        name = f"projects.attendance.{verb.__name__}"
        said = {"evidence": "照片"}
        assert do(city.race.engine, (me(number), name, [shift_id, number], said, under))[0] == "done"
    (id_,) = city.query(f"SELECT id FROM vk_attendance WHERE shift_id = {shift_id}")[0]
    later = {"at": (begin + dt.timedelta(hours=5)).isoformat()}
    review = admin(1, "O1"), "projects.attendance.review", [id_], {"accept": True, "reason": "属实"}, later
    claim = admin(2, "O1"), "claimed", [shift_id], {}, later
    return review, claim, lambda: city.records(number)


def a_record_is_confirmed_and_rejected(city: City) -> Pair:
    id_ = city.record(city.volunteer(), confirmed=False)
    confirm = officer(1), "hours.confirm", [id_], {}
    return confirm, (officer(2), "hours.reject", [id_], REASON), lambda: city.minutes(id_)


def a_record_is_adjusted_and_reversed(city: City) -> Pair:
    id_ = city.record(city.volunteer())
    adjust = officer(1), "hours.adjust", [id_], REASON | {"minutes": 30}
    return adjust, (officer(2), "hours.reverse", [id_], REASON), lambda: city.minutes(id_)


def a_record_is_moved_and_reversed(city: City) -> Pair:
    number = city.volunteer()
    id_ = city.record(number)
    move = officer(1), "hours.move", [id_, "P2"], REASON
    return move, (officer(2), "hours.reverse", [id_], REASON), lambda: city.records(number)


def a_record_is_moved_and_adjusted(city: City) -> Pair:
    number = city.volunteer()
    id_ = city.record(number)
    move = officer(1), "hours.move", [id_, "P2"], REASON
    adjust = officer(2), "hours.adjust", [id_], REASON | {"minutes": 30}
    return move, adjust, lambda: city.records(number)


def a_dispute_is_granted_and_the_record_reversed(city: City) -> Pair:
    number = city.volunteer()
    id_ = city.record(number)
    case = city.at(myself(number), hours.dispute, id_, 30, reason="多记了").id
    reverse = officer(2), "hours.reverse", [id_], REASON
    return (
        decide(case),
        reverse,
        lambda: (city.minutes(id_), city.query(f"SELECT state FROM vk_case WHERE id = {case}")),
    )


def a_day_is_closed_and_a_record_confirmed(city: City) -> Pair:
    id_ = city.record(city.volunteer(), confirmed=False)
    return closing(city, id_), (officer(2), "hours.confirm", [id_], {}), lambda: city.minutes(id_)


def closing(city: City, record: int) -> Any:
    (day,) = city.query(f"SELECT served_on FROM vk_service_record WHERE id = {record}")[0]
    on = str(dt.date(1970, 1, 1) + dt.timedelta(day))
    return officer(1), "hours.close_period", [on, on], {}


def a_day_is_closed_and_a_record_adjusted_on_it(city: City) -> Pair:
    id_ = city.record(city.volunteer())
    close = closing(city, id_)
    back = REASON | {"minutes": 30, "effective_on": close[2][0]}
    return close, (officer(2), "hours.adjust", [id_], back), lambda: city.minutes(id_)


def a_day_is_opened_again_and_posted_in(city: City) -> Pair:
    number = city.volunteer()
    claim = city.claim(number)
    day = dt.date.fromisoformat(claim[2])
    period = city.at(FIRST, hours.close_period, day, day)
    until = NOW + dt.timedelta(hours=1)
    case = city.at(FIRST, hours.reopen_period, period, day, day, until=until, reason="补录").id
    record = officer(2), "hours.record", [{"Claim": claim}], {}
    return decide(case), record, lambda: city.records(number)


def a_budget_is_raised_and_a_record_confirmed(city: City) -> Pair:
    project_number, _ = city.shift(-240, 1)  # one place for four hours
    day = (NOW - dt.timedelta(hours=240)).astimezone(KIT.zone).date()
    before, id_ = (
        city.at(FIRST, hours.record, hours.Claim(city.volunteer(), project_number, day, 150)).record_id
        for _ in range(2)
    )
    city.at(SECOND, hours.confirm, before, **REASON)
    raised = officer(1), "hours.raise_budget", [project_number, 60], REASON
    return raised, (officer(2), "hours.confirm", [id_], REASON), lambda: city.minutes(id_)


def a_group_entry_is_confirmed_and_its_day_closed(city: City) -> Pair:
    number, day = f"T{next(city.count)}", next(city.days)
    (owner,) = city.query("SELECT id FROM vk_organization WHERE number = 'O1'")[0]
    row = {"id": next(city.count), "number": number, "name": number, "organization_id": owner}
    city.race.change(sa.insert(team).values(**row, status="approved"))
    id_ = city.at(FIRST, hours.enter_group, number, "P1", day, minutes=60, persons=5)
    close = officer(1), "hours.close_period", [str(day), str(day)], {}
    confirm = officer(2), "hours.decide_group", [id_, "confirm"], {}
    return close, confirm, lambda: city.query(f"SELECT state FROM vk_group_entry WHERE id = {id_}")


def a_record_is_reversed_and_its_credit_held(city: City) -> Pair:
    number, record = city.saver()
    reverse = officer(1), "hours.reverse", [record], REASON
    return reverse, hold(number, 20), lambda: (city.at(FIRST, bank.settle, number), city.money(number))[1]


def a_refund_is_granted_and_the_minutes_held_again(city: City) -> Pair:
    number, _ = city.saver()
    id_ = city.at(myself(number), bank.hold, number, "O2", minutes=50).id
    city.at(Actor("counter-1", (Grant("organization_admin", "O2"),)), bank.redeem, id_)
    case = city.at(FIRST, bank.propose_refund, id_, reason="没有服务").id
    return decide(case), hold(number, 20), lambda: city.money(number)


def minutes_are_given_and_held(city: City) -> Pair:
    number, _ = city.saver()
    other = city.volunteer()
    give = me(number), "hours.bank.give", [number, other], {"minutes": 40}
    return give, hold(number, 40), lambda: (city.money(number), city.money(other))


def somebody_is_erased_and_holds(city: City) -> Pair:
    number, _ = city.saver()
    case = city.at(FIRST, personal.erase, number).id
    return (
        decide(case),
        hold(number, 20),
        lambda: city.query(
            f"SELECT count(*) FROM vk_redemption r JOIN vk_volunteer v ON v.id = r.volunteer_id WHERE v.number = '{number}'"
        ),
    )


def two_numbers_become_one_and_one_of_them_holds(city: City) -> Pair:
    kept, _ = city.saver(50)
    other, _ = city.saver(30)
    case = city.at(FIRST, merging.propose_merge, kept, other, reason="同一人").id
    # 70 is more than either has alone
    held = [admin(1, "O1"), "hours.bank.hold", [kept, "O2"], {"minutes": 70}]
    return decide(case), held, lambda: city.money(kept)


def somebody_goes_to_another_organization_which_enters_a_training(city: City) -> Pair:
    number = city.volunteer()
    case = city.at(myself(number), volunteers.request_transfer, number, "O2").id
    city.at(Actor("admin-9", (Grant("organization_admin", "O1"),)), approvals.decide, case, "approve")
    accept = admin(8, "O2"), "approvals.decide", [case, "approve"], {}
    training = {"name": "急救", "on": str(dt.date(2026, 3, 5)), "minutes": 60, "organization": "O1"}
    enter = admin(7, "O1"), "volunteers.add_training", [], training | {"number": number}
    return (
        accept,
        enter,
        lambda: city.query(
            "SELECT count(*) FROM vk_record_entry e JOIN vk_volunteer v ON v.id = e.volunteer_id "
            f"WHERE v.number = '{number}'"
        ),
    )


def an_organization_is_suspended_and_redeems(city: City) -> Pair:
    number, place = city.saver()[0], f"O{next(city.count) + 100}"
    city.at(FIRST, organizations.register, place, name=place)
    case = city.at(FIRST, organizations.propose_suspension, place, reason="整改")
    held = me(number), "hours.bank.hold", [number, place], {"minutes": 20}
    return decide(case), held, lambda: city.money(number)


def an_office_is_taken_away_and_used(city: City) -> Pair:
    holder = f"holder-{next(city.count)}"
    giving = city.at(FIRST, grants.give, holder, "centre").id
    city.at(SECOND, approvals.decide, giving, "approve")
    (grant,) = city.query(f"SELECT max(id) FROM vk_grant WHERE actor_id = '{holder}'")[0]
    case = city.at(FIRST, grants.revoke, grant).id
    id_ = city.record(city.volunteer(), confirmed=False)
    return decide(case), ([holder, [], None], "hours.confirm", [id_], {}), lambda: city.minutes(id_)


PAIRS = (
    a_project_is_cancelled_and_joined,
    a_shift_shrinks_and_is_joined,
    somebody_withdraws_and_somebody_joins,
    somebody_leaves_the_city_and_joins,
    somebody_is_suspended_and_holds,
    a_shift_is_cancelled_and_somebody_checked_in,
    a_pair_is_reviewed_and_claimed,
    a_record_is_confirmed_and_rejected,
    a_record_is_adjusted_and_reversed,
    a_record_is_moved_and_reversed,
    a_record_is_moved_and_adjusted,
    a_dispute_is_granted_and_the_record_reversed,
    a_day_is_closed_and_a_record_confirmed,
    a_day_is_closed_and_a_record_adjusted_on_it,
    a_day_is_opened_again_and_posted_in,
    a_budget_is_raised_and_a_record_confirmed,
    a_group_entry_is_confirmed_and_its_day_closed,
    a_record_is_reversed_and_its_credit_held,
    a_refund_is_granted_and_the_minutes_held_again,
    minutes_are_given_and_held,
    somebody_is_erased_and_holds,
    two_numbers_become_one_and_one_of_them_holds,
    somebody_goes_to_another_organization_which_enters_a_training,
    an_organization_is_suspended_and_redeems,
    an_office_is_taken_away_and_used,
)


def in_order(city: City, pair: Callable[[City], Pair], *, first: int) -> Any:
    """Do one before the other and return what came of it, in the order of the pair."""
    *both, look = pair(city)
    said = {n: do(city.race.engine, both[n])[0] for n in (first, 1 - first)}
    return said[0], said[1], look()


def at_once(city: City, pair: Callable[[City], Pair], times: int) -> list[Any]:
    found = [pair(city) for _ in range(times)]
    said = city.race.run(*(asked for one, other, _ in found for asked in (one, other)))
    return [(said[2 * n], said[2 * n + 1], look()) for n, (_, _, look) in enumerate(found)]


def race_all(city: City, rounds: int) -> None:
    for pair in PAIRS:
        orders = [in_order(city, pair, first=n) for n in (0, 1)]
        assert orders[0] != orders[1], (pair.__name__, orders)  # else nothing could be seen
        for _ in range(rounds):
            for outcome in at_once(city, pair, _racing["RACERS"] // 2):
                assert outcome in orders, (pair.__name__, outcome, orders)


@pytest.fixture(params=_racing["DATABASES"])
def city(request: pytest.FixtureRequest) -> Iterator[City]:
    with _racing["racing"](request) as race:
        yield City(race)


@pytest.mark.slow
def test_two_verbs_come_out_as_in_some_order(city: City) -> None:
    race_all(city, 1)


@pytest.mark.campaign
def test_two_verbs_come_out_as_in_some_order_thirty_times(city: City) -> None:
    race_all(city, 8)  # of four pairs each
