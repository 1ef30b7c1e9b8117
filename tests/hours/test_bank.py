"""The time bank: deposits follow confirmed hours, holds are redeemed once, lots expire, gifts keep their day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import (
    Actor,
    Claim,
    Grant,
    Policy,
    approvals,
    hookimpl,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.errors import (
    AlreadyResolved,
    IdempotencyConflict,
    InvalidValue,
    NotFound,
    NotPermitted,
    Refused,
)
from volunteerkit.hours import bank
from volunteerkit.hours.bank.tables import credit_account, credit_lot, credit_transfer

DAY = dt.date(2026, 3, 2)
CENTRE, SECOND = (Actor.of(f"centre-{n}", "centre", "system") for n in (1, 2))
ADMIN, OTHER = (Actor(f"admin-{n}", (Grant("organization_admin", "O1"),)) for n in (1, 2))
SHOP = Actor("shop-1", (Grant("organization_admin", "O2"),))


def me(number: str) -> Actor:
    return Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)


def policy(**settled: Any) -> object:
    def vk_choose_policy() -> Policy:
        return Policy(**settled)

    return SimpleNamespace(__name__="policy", vk_choose_policy=hookimpl(vk_choose_policy))


def founded(make_city: Callable[..., Any], url: str, **settled: Any) -> Any:
    city = make_city(url, policy(**settled))
    for number, name in (("O1", "红十字会"), ("O2", "敬老院食堂")):
        city.at(DAY, CENTRE, organizations.register, number, name=name)
    for n in (1, 2, 3):
        who = {"name": f"志愿者{n}", "number": f"V{n}", "born_on": dt.date(1960, 5, n)}
        city.at(DAY, CENTRE, volunteers.admit, organization="O1", **who)
    city.at(DAY, CENTRE, projects.register, "P1", name="助餐", organization="O1")
    return city


@pytest.fixture
def founded_city(make_city: Callable[..., Any], database_url: str) -> Any:
    return founded(make_city, database_url, credit_months=12, gift_minutes_per_year=300)


def serve(city: Any, number: str, minutes: int, on: dt.date = DAY, start: int = 0) -> int:
    claim = Claim(
        number,
        "P1",
        on,
        minutes,
        dt.time(start),
        (dt.datetime(1, 1, 1, start) + dt.timedelta(minutes=minutes)).time(),
    )
    record: int = city.at(on, ADMIN, hours.record, claim).record_id
    city.at(on, OTHER, hours.confirm, record)
    return record


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(Refused) as refusal:
        yield
    assert [each.code for each in refusal.value.findings] == [code]


def sound(city: Any) -> None:
    with city.engine.connect() as connection:
        assert bank.verify_bank(connection) == ("", "", "")


def test_confirmed_minutes_are_deposited_once(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 120)
    assert city.at(DAY, me("V1"), bank.balance, "V1").available_minutes == 0
    for _ in range(2):
        found = city.at(DAY, CENTRE, bank.settle, "V1")
        assert (found.posted_minutes, found.available_minutes) == (120, 120)
    assert found.expiring == ((dt.date(2027, 3, 2), 120),)
    (line,) = city.at(DAY, me("V1"), bank.lines, "V1")
    assert (line.code, line.minutes, line.on) == ("DEPOSIT", 120, DAY)
    sound(city)


def test_the_honour_ledger_is_never_spent(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 120)
    city.at(DAY, CENTRE, bank.settle, "V1")
    held = city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=100)
    city.at(DAY, SHOP, bank.redeem, held.id)
    assert city.at(DAY, me("V1"), bank.balance, "V1").posted_minutes == 20
    assert city.at(DAY, me("V1"), hours.statement, "V1").credited_minutes == 120


def test_what_is_held_cannot_be_held_again_and_comes_back_when_cancelled(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 120)
    city.at(DAY, CENTRE, bank.settle, "V1")
    held = city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=100)
    with refused("credit_too_low"):
        city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=21)
    found = city.at(DAY, me("V1"), bank.balance, "V1")
    assert (found.posted_minutes, found.held_minutes, found.available_minutes) == (120, 100, 20)
    assert city.at(DAY, me("V1"), bank.cancel, held.id, reason="改日再来").state == "cancelled"
    assert city.at(DAY, me("V1"), bank.balance, "V1").available_minutes == 120
    for verb in (bank.redeem, bank.cancel):
        with pytest.raises(AlreadyResolved) as told:
            city.at(DAY, SHOP, verb, held.id)
        assert told.value.message("zh-CN") == f"兑换 {held.id} 已是“已退还”，不能再次办理。"
    sound(city)


def test_who_held_does_not_redeem_and_neither_does_the_volunteer(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 60)
    city.at(DAY, CENTRE, bank.settle, "V1")
    held = city.at(DAY, ADMIN, bank.hold, "V1", "O1", minutes=30)
    with refused("own_redemption"):
        city.at(DAY, ADMIN, bank.redeem, held.id)
    himself = Actor("x", (Grant("organization_admin", "O1"),), volunteer="V1")
    with refused("own_redemption"):
        city.at(DAY, himself, bank.redeem, held.id)
    for stranger in (me("V1"), me("V2"), SHOP):
        with pytest.raises(NotFound):
            city.at(DAY, stranger, bank.redeem, held.id)
    assert city.at(DAY, OTHER, bank.redeem, held.id).state == "redeemed"


def test_a_hold_lapses_by_the_clock_whether_or_not_it_was_swept(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 60)
    city.at(DAY, CENTRE, bank.settle, "V1")
    until = DAY + dt.timedelta(5)
    held = city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=60, until=until)
    assert city.at(until, me("V1"), bank.redemptions, "V1")[0].state == "held"
    after = until + dt.timedelta(1)
    assert city.at(after, me("V1"), bank.redemptions, "V1")[0].state == "lapsed"
    seen = city.at(after, me("V1"), bank.balance, "V1")
    assert (seen.held_minutes, seen.available_minutes) == (0, 60)
    with pytest.raises(AlreadyResolved):
        city.at(after, SHOP, bank.redeem, held.id)
    assert city.at(after, CENTRE, bank.settle, "V1") == seen
    sound(city)


def test_lots_expire_first_come_first_and_a_lapsed_hold_on_one_expires_with_it(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 60)
    later = DAY + dt.timedelta(100)
    serve(city, "V1", 30, later)
    city.at(later, CENTRE, bank.settle, "V1")
    held = city.at(later, me("V1"), bank.hold, "V1", "O2", minutes=50, until=dt.date(2027, 3, 20))
    last = dt.date(2027, 3, 2)
    assert city.at(last, me("V1"), bank.balance, "V1").available_minutes == 40
    assert city.at(last + dt.timedelta(1), me("V1"), bank.balance, "V1").available_minutes == 30
    # the fifty were held in time: they may be redeemed until the hold ends, then they are gone
    over = dt.date(2027, 3, 21)
    seen = city.at(over, me("V1"), bank.balance, "V1")
    assert (seen.posted_minutes, seen.available_minutes, seen.held_minutes) == (30, 30, 0)
    assert city.at(over, CENTRE, bank.settle, "V1") == seen
    assert [line.minutes for line in city.at(over, me("V1"), bank.lines, "V1")] == [60, 30, -60]
    assert held.minutes == 50
    sound(city)


def test_a_reversed_record_is_taken_back_even_below_zero_and_the_next_one_makes_it_good(
    founded_city: Any,
) -> None:
    city = founded_city
    record = serve(city, "V1", 100)
    city.at(DAY, CENTRE, bank.settle, "V1")
    held = city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=80)
    city.at(DAY, SHOP, bank.redeem, held.id)
    city.at(DAY, CENTRE, hours.reverse, record, reason="没有到场")
    found = city.at(DAY, CENTRE, bank.settle, "V1")
    assert (found.posted_minutes, found.available_minutes) == (-80, -80)
    with pytest.raises(Refused) as told:
        city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=1)
    assert [(each.code, each.values["available"]) for each in told.value.findings] == [("credit_too_low", 0)]
    serve(city, "V1", 90, DAY + dt.timedelta(1))
    assert city.at(DAY + dt.timedelta(1), CENTRE, bank.settle, "V1").available_minutes == 10
    city.at(DAY + dt.timedelta(1), SECOND, hours.restore, record, reason="查实到场")
    assert city.at(DAY + dt.timedelta(1), CENTRE, bank.settle, "V1").available_minutes == 110
    sound(city)


def test_a_gift_keeps_its_last_day_and_has_a_limit_a_year(founded_city: Any) -> None:
    """A69: a breach of the limit is told by the policy."""
    city = founded_city
    serve(city, "V1", 400)
    city.at(DAY, CENTRE, bank.settle, "V1")
    city.at(DAY, me("V1"), bank.give, "V1", "V2", minutes=300, key="礼-1")
    city.at(DAY, me("V1"), bank.give, "V1", "V2", minutes=300, key="礼-1")
    theirs = city.at(DAY, me("V2"), bank.balance, "V2")
    assert (theirs.available_minutes, theirs.expiring) == (300, ((dt.date(2027, 3, 2), 300),))
    with refused("gifts_used_up"):
        city.at(DAY, me("V1"), bank.give, "V1", "V2", minutes=1)
    with refused("gift_to_oneself"):
        city.at(DAY, me("V1"), bank.give, "V1", "V1", minutes=1)
    with pytest.raises(IdempotencyConflict):
        city.at(DAY, me("V1"), bank.give, "V1", "V2", minutes=2, key="礼-1")
    with pytest.raises(NotFound):
        city.at(DAY, me("V1"), bank.give, "V1", "V9", minutes=2)
    assert city.at(dt.date(2027, 1, 1), me("V1"), bank.give, "V1", "V2", minutes=1).available_minutes == 99
    sound(city)


def test_a_refund_needs_two_of_the_centre(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 60)
    city.at(DAY, CENTRE, bank.settle, "V1")
    held = city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=60)
    with refused("nothing_redeemed"):
        city.at(DAY, CENTRE, bank.propose_refund, held.id, reason="食堂停业")
    city.at(DAY, SHOP, bank.redeem, held.id)
    case = city.at(DAY, CENTRE, bank.propose_refund, held.id, reason="食堂停业")
    with refused("own_case"):
        city.at(DAY, CENTRE, approvals.decide, case.id, "approve")
    assert city.at(DAY, SECOND, approvals.decide, case.id, "approve").state == "granted"
    assert city.at(DAY, me("V1"), bank.balance, "V1").available_minutes == 60
    assert city.at(DAY, me("V1"), bank.redemptions, "V1")[0].state == "refunded"
    sound(city)


def test_the_same_key_holds_once(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 60)
    city.at(DAY, CENTRE, bank.settle, "V1")
    first = city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=20, key="预留-1")
    again = city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=20, key="预留-1")
    assert (again.id, again.replayed, first.replayed) == (first.id, True, False)
    with pytest.raises(IdempotencyConflict):
        city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=21, key="预留-1")
    assert city.at(DAY, me("V1"), bank.balance, "V1").held_minutes == 20


@pytest.mark.parametrize("minutes", [0, -1, 1.0, True, "60", 10**9, float("nan")])
def test_amounts_are_whole_and_positive(small_bank: Any, minutes: Any) -> None:
    with pytest.raises(InvalidValue, match="minutes"):
        small_bank.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=minutes)
    with pytest.raises(InvalidValue, match="minutes"):
        small_bank.at(DAY, me("V1"), bank.give, "V1", "V2", minutes=minutes)


@pytest.fixture
def small_bank(make_city: Callable[..., Any]) -> Any:
    return founded(make_city, "sqlite://", overdraft_minutes=50)


def test_an_overdraft_is_lent_for_a_service_and_never_given_away(small_bank: Any) -> None:
    city = small_bank
    held = city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=50)
    with refused("credit_too_low"):
        city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=1)
    with refused("credit_too_low"):
        city.at(DAY, me("V2"), bank.give, "V2", "V1", minutes=1)
    serve(city, "V1", 30)
    assert city.at(DAY, CENTRE, bank.settle, "V1").available_minutes == 30
    city.at(DAY, me("V1"), bank.cancel, held.id)
    found = city.at(DAY, me("V1"), bank.balance, "V1")
    assert (found.posted_minutes, found.available_minutes) == (30, 80)
    sound(city)


def test_a_stranger_sees_nothing(founded_city: Any) -> None:
    city = founded_city
    for verb in (bank.balance, bank.lines, bank.redemptions):
        with pytest.raises(NotFound):
            city.at(DAY, me("V2"), verb, "V1")
        with pytest.raises(NotPermitted):
            city.at(DAY, Actor("nobody"), verb, "V1")
    with pytest.raises(NotPermitted):
        city.at(DAY, me("V1"), bank.settle_city)


def test_the_city_is_settled_by_pages(founded_city: Any) -> None:
    city = founded_city
    for n in (1, 2, 3):
        serve(city, f"V{n}", 10 * n)
    after, pages = 0, 0
    while after is not None:
        after, pages = city.at(DAY, CENTRE, bank.settle_city, after=after, limit=2), pages + 1
    assert pages == 2
    assert [city.at(DAY, CENTRE, bank.balance, f"V{n}").posted_minutes for n in (1, 2, 3)] == [10, 20, 30]


def test_nothing_is_held_longer_than_the_city_has_settled(founded_city: Any) -> None:
    city, longest = founded_city, DAY + dt.timedelta(365)
    serve(city, "V1", 60)
    city.at(DAY, CENTRE, bank.settle, "V1")
    for until in (dt.date.max, longest + dt.timedelta(1), DAY - dt.timedelta(1)):
        with pytest.raises(InvalidValue) as told:
            city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=20, until=until)
        assert told.value.values == {"name": "until", "value": until, "allowed": f"{DAY} … {longest}"}
    assert city.at(DAY, me("V1"), bank.redemptions, "V1") == ()
    assert city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=20, until=longest).until == longest


def test_the_chain_cannot_be_changed_and_every_altered_column_is_found(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 60)
    city.at(DAY, CENTRE, bank.settle, "V1")
    city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=20)
    for verb in (sa.update(credit_transfer).values(minutes=1), sa.delete(credit_transfer)):
        with city.engine.connect() as connection, pytest.raises(Exception, match="append-only"):
            connection.execute(verb)
    drop = ["DROP TRIGGER vk_credit_transfer_no_update"]
    if city.engine.dialect.name == "postgresql":
        drop = ["ALTER TABLE vk_credit_transfer DISABLE TRIGGER ALL"]
    with city.engine.begin() as connection:
        for each in drop:
            connection.execute(sa.text(each))
    altered = {
        "debit_id": 11, "credit_id": 11, "minutes": 7, "code": "EXPIRE", "lot_id": 5, "record_id": None,
        "effective_on": 1, "recorded_at": 1, "actor_id": "谁", "reason": "改", "hash": b"0" * 32,
    }  # fmt: skip
    for name, value in altered.items():
        with city.engine.connect() as connection:
            connection.execute(
                sa.update(credit_transfer).where(credit_transfer.c.seq == 1).values({name: value})
            )
            assert bank.verify_bank(connection)[0].startswith("credit transfer 1"), name
            connection.rollback()
    for table, name in (
        (credit_account, "posted_minutes"),
        (credit_account, "held_minutes"),
        (credit_lot, "left_minutes"),
    ):
        with city.engine.connect() as connection:
            connection.execute(sa.update(table).values({name: 1}))
            assert "credit" in bank.verify_bank(connection)[0], name
            connection.rollback()


def test_minutes_are_there_on_their_last_day(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 60)
    city.at(DAY, CENTRE, bank.settle, "V1")
    last = dt.date(2027, 3, 2)
    found = city.at(last, me("V1"), bank.balance, "V1")
    assert (found.posted_minutes, found.available_minutes, found.expiring) == (60, 60, ((last, 60),))
    found = city.at(last + dt.timedelta(1), me("V1"), bank.balance, "V1")
    assert (found.posted_minutes, found.available_minutes, found.expiring) == (0, 0, ())


def test_a_deposit_has_the_day_of_service_and_a_gift_the_day_it_was_given(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 60)
    later = DAY + dt.timedelta(9)
    city.at(later, CENTRE, bank.settle, "V1")
    city.at(later, me("V1"), bank.give, "V1", "V2", minutes=20)
    lines = city.at(later, me("V1"), bank.lines, "V1")
    assert [(line.code, line.minutes, line.on) for line in lines] == [
        ("DEPOSIT", 60, DAY),
        ("GIFT", -20, later),
    ]
    assert [(line.minutes, line.on) for line in city.at(later, me("V2"), bank.lines, "V2")] == [(20, later)]


def test_a_hold_still_holds_on_its_last_day(founded_city: Any) -> None:
    city = founded_city
    serve(city, "V1", 60)
    city.at(DAY, CENTRE, bank.settle, "V1")
    held = city.at(DAY, me("V1"), bank.hold, "V1", "O2", minutes=20, until=DAY + dt.timedelta(2))
    last = DAY + dt.timedelta(2)
    assert city.at(last, CENTRE, bank.settle, "V1").held_minutes == 20
    assert city.at(last, CENTRE, bank.balance, "V1").available_minutes == 40
    assert city.at(last, SHOP, bank.redeem, held.id).state == "redeemed"
    sound(city)
