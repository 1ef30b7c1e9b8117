"""Eight processes at the hours and the time bank at once, on every database and in both journals of SQLite."""

from __future__ import annotations

import datetime as dt
import importlib
import inspect
import runpy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from volunteerkit import Actor, Grant, hours, organizations, projects, volunteers
from volunteerkit.hours import bank

_racing = runpy.run_path(str(Path(__file__).with_name("racing.py")), run_name="racing")
KIT, NOW, RACERS, do = (_racing[name] for name in ("KIT", "NOW", "RACERS", "do"))
me, officer, admin, job = (_racing[name] for name in ("me", "officer", "admin", "job"))
ROUNDS, CAMPAIGN = 1, 40
CENTRE, CHECKER, THIRD = (Actor.of(f"centre-{n}", "centre", "system") for n in (1, 2, 3))
REASON = {"reason": "核对"}


class Race:
    """A city and eight processes that each do one thing a round, all at once."""

    def __init__(self, racing: Any) -> None:
        self.racing, self.at, self.query = racing, racing.at, racing.query
        self.day = dt.date(2024, 1, 1)
        with KIT.open(racing.engine, CENTRE) as desk:
            for number, name in (("O1", "红十字会"), ("O2", "敬老院食堂")):
                organizations.register(desk, number, name=name)
            for number in ("P1", "P2"):
                projects.register(desk, number, name="助餐", organization="O1")
        self.people = 0

    def run(self, *asked: Any) -> Counter[str]:
        return Counter(self.racing.run(*asked))

    def volunteer(self) -> str:
        """Admit somebody new."""
        self.people += 1
        return str(
            self.at(CENTRE, volunteers.admit, name="周雪", organization="O1", number=f"V{self.people}")
        )

    def claim(self, number: str, minutes: int = 60) -> hours.Claim:
        """A claim for a day of its own."""
        self.day += dt.timedelta(1)
        return hours.Claim(number, "P1", self.day, minutes)

    def record(self, number: str, *states: str, minutes: int = 60) -> int:
        id_: int = self.at(CENTRE, hours.record, self.claim(number, minutes)).record_id
        if "confirmed" in states:
            self.at(CHECKER, hours.confirm, id_)
        if "reversed" in states:
            self.at(THIRD, hours.reverse, id_, **REASON)
        return id_

    def saver(self, minutes: int) -> str:
        """Somebody new with so many minutes in the time bank."""
        number = self.volunteer()
        self.record(number, "confirmed", minutes=minutes)
        assert self.at(CENTRE, bank.settle, number).available_minutes == minutes
        return number


@pytest.fixture(params=_racing["DATABASES"])
def race(request: pytest.FixtureRequest) -> Iterator[Race]:
    with _racing["racing"](request) as racing:
        yield Race(racing)


def nobody_holds_more_than_there_is(race: Race) -> None:
    number = race.saver(50)
    one: Any = (me(number), "hours.bank.hold", [number, "O2"], {"minutes": 20})
    assert race.run(*[one] * RACERS) == {"held": 2, "credit_too_low": RACERS - 2}
    found = race.at(CENTRE, bank.balance, number)
    assert (found.posted_minutes, found.held_minutes, found.available_minutes) == (50, 40, 10)


def a_hold_ends_once(race: Race) -> None:
    number = race.saver(50)
    own = Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)
    id_ = race.at(own, bank.hold, number, "O2", minutes=20).id
    asked = [(admin(n, "O2"), f"hours.bank.{('redeem', 'cancel')[n % 2]}", [id_], {}) for n in range(RACERS)]
    asked[7] = (me(number), "hours.bank.hold", [number, "O2"], {"minutes": 30})
    answers = race.run(*asked)
    won = answers["redeemed"] + answers["cancelled"]
    assert (won, answers["held"], answers["redemption_settled"]) == (1, 1, RACERS - 2)
    found = race.at(CENTRE, bank.balance, number)
    left = 0 if answers["redeemed"] else 20
    assert (found.held_minutes, found.available_minutes) == (30, left)


def a_hold_is_redeemed_or_lapses(race: Race) -> None:
    """Some clocks say the last day of a hold, others the day after: it ends once, and nothing of it is lost."""
    number = race.saver(50)
    own = Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)
    today = NOW.astimezone(KIT.zone).date()
    id_ = race.at(own, bank.hold, number, "O2", minutes=20, until=today).id
    last_day, day_after = ({"at": (NOW + dt.timedelta(n)).isoformat()} for n in (0, 1))
    redeem = [(admin(n, "O2"), "hours.bank.redeem", [id_], {}, last_day) for n in range(RACERS // 2)]
    settle: list[Any] = [
        (job(n), "hours.bank.settle", [number], {}, day_after) for n in range(RACERS - len(redeem))
    ]
    answers = race.run(*redeem, *settle)
    assert answers["done"] == len(settle)
    assert answers["redeemed"] <= 1
    assert answers["redemption_settled"] == len(redeem) - answers["redeemed"]
    state = "redeemed" if answers["redeemed"] else "lapsed"
    assert race.query(f"SELECT state FROM vk_redemption WHERE id = {id_}") == [(state,)]
    found = race.at(CENTRE, bank.balance, number)
    assert (found.held_minutes, found.available_minutes) == (0, 30 if answers["redeemed"] else 50)


def minutes_are_held_or_expire(race: Race) -> None:
    """Some clocks say the last day of a lot, others the day after: it is held or written off, never both."""
    number, under = race.volunteer(), {"policy": {"credit_months": 1}}
    today = NOW.astimezone(KIT.zone).date()
    id_ = race.at(CENTRE, hours.record, hours.Claim(number, "P1", today, 50)).record_id
    race.at(CHECKER, hours.confirm, id_)
    assert do(race.racing.engine, (job(0), "hours.bank.settle", [number], {}, under))[0] == "done"
    theirs = f"JOIN vk_volunteer v ON v.id = l.volunteer_id WHERE v.number = '{number}'"
    ((lot, until),) = race.query(f"SELECT l.id, l.expires_on FROM vk_credit_lot l {theirs}")
    days = (dt.datetime(1970, 1, 1, 4, tzinfo=dt.UTC) + dt.timedelta(until + n) for n in (0, 1))
    last_day, day_after = (under | {"at": day.isoformat()} for day in days)
    one = (me(number), "hours.bank.hold", [number, "O2"], {"minutes": 50}, last_day)
    sweep = [(job(n), "hours.bank.settle", [number], {}, day_after) for n in range(RACERS // 2)]
    answers = race.run(*[one] * (RACERS // 2), *sweep)
    assert answers["done"] == len(sweep)
    assert answers["held"] <= 1
    assert answers["credit_too_low"] == RACERS // 2 - answers["held"]
    codes = race.query(
        f"SELECT code FROM vk_credit_transfer WHERE coalesce(lot_id, seq) = {lot} ORDER BY seq"
    )
    assert codes == [("DEPOSIT",), ("HOLD" if answers["held"] else "EXPIRE",)]


def nobody_gives_away_more_than_there_is(race: Race) -> None:
    number, other = race.saver(50), race.volunteer()
    one: Any = (me(number), "hours.bank.give", [number, other], {"minutes": 20})
    assert race.run(*[one] * RACERS) == {"done": 2, "credit_too_low": RACERS - 2}
    assert race.at(CENTRE, bank.balance, other).available_minutes == 40


def a_closed_day_takes_nothing_any_more(race: Race) -> None:
    number = race.volunteer()
    claim = race.claim(number)
    told = {"Claim": [number, "P1", str(claim.served_on), 60]}
    closing: Any = (officer(0), "hours.close_period", [str(claim.served_on), str(claim.served_on)], {})
    answers = race.run(closing, *[(officer(n), "hours.record", [told], {}) for n in range(1, RACERS)])
    assert answers["done"] == 1
    assert answers["pending"] + answers["period_closed"] == RACERS - 1
    (closed,) = race.query("SELECT max(seq) FROM vk_event WHERE type = 'period.closed'")[0]
    late = "SELECT count(*) FROM vk_event WHERE type = 'hours.recorded' AND seq > " + str(closed)
    assert race.query(late) == [(0,)]


def one_decides_a_dispute(race: Race) -> None:
    number = race.volunteer()
    id_ = race.record(number, "confirmed")
    own = Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)
    case = race.at(own, hours.dispute, id_, 30, reason="多记了").id
    asked: list[Any] = [
        (
            officer(n),
            "approvals.decide",
            [case, ("approve", "refuse")[n % 2]],
            {"reason": "查明"},
        )
        for n in range(RACERS)
    ]
    answers = race.run(*asked)
    assert answers["case_decided"] == RACERS - 1, answers
    (state,) = set(answers) - {"case_decided"}
    (minutes,) = race.query(f"SELECT confirmed_minutes FROM vk_service_record WHERE id = {id_}")[0]
    assert minutes == {"granted": 30, "refused": 60}[state]


def keyed(race: Race, verb: str, n: int) -> Any:
    """A verb with something new to do; `other` says the other payload."""
    if verb == "hours.record":
        claim = race.claim(race.volunteer())
        return officer(n), verb, [{"Claim": [claim.volunteer, "P1", str(claim.served_on), 60]}], {}
    if verb == "hours.bank.hold":
        number = race.saver(50)
        return me(number), verb, [number, "O2"], {"minutes": 10}
    if verb == "hours.bank.give":
        number = race.saver(50)
        return me(number), verb, [number, race.volunteer()], {"minutes": 10}
    states = {"confirm": (), "reject": (), "restore": ("confirmed", "reversed")}.get(
        verb.rpartition(".")[2], ("confirmed",)
    )
    named = {"confirm": {}, "adjust": REASON | {"minutes": 30}}.get(verb.rpartition(".")[2], REASON)
    given = [race.record(race.volunteer(), *states), *(["P2"] if verb == "hours.move" else [])]
    return officer(n), verb, given, dict(named)


def other(asked: Any) -> Any:
    actor, verb, given, named = asked
    if verb == "hours.record":
        return actor, verb, [{"Claim": [*given[0]["Claim"][:3], 61]}], named
    if "minutes" in named or verb == "hours.confirm":
        return actor, verb, given, named | {"minutes": 11, "reason": "另行核对"}
    return actor, verb, given, named | {"reason": "另行核对"}


def with_key() -> list[str]:
    """Every public verb that takes a key."""
    found = []
    for name in ("hours", "hours.bank", "projects", "volunteers", "organizations", "approvals"):
        module = importlib.import_module(f"volunteerkit.{name}")
        for each in module.__all__:
            verb = getattr(module, each)
            if inspect.isfunction(verb) and "key" in inspect.signature(verb).parameters:
                found.append(f"{name}.{each}")
    return sorted(found)


def one_key_has_one_effect(race: Race) -> None:
    for verb in with_key():
        for unequal in (False, True):
            race.people += 1
            key = f"k-{race.people}"
            actor, name, given, named = keyed(race, verb, 1)
            first: Any = (actor, name, given, named | {"key": key})
            second = other(first) if unequal else first
            if "bank" in verb and unequal:
                second[3].pop("reason", None)
            answers = race.run(*[(first, second)[n % 2] for n in range(RACERS)])
            conflicts = RACERS // 2 if unequal else 0
            assert answers.pop("idempotency_conflict", 0) == conflicts, (verb, answers)
            assert list(answers.values()) == [RACERS - conflicts], (verb, answers)
            assert race.query(f"SELECT count(*) FROM vk_event WHERE key = '{key}'") == [(1,)], verb


RACES = (
    nobody_holds_more_than_there_is,
    a_hold_ends_once,
    a_hold_is_redeemed_or_lapses,
    minutes_are_held_or_expire,
    nobody_gives_away_more_than_there_is,
    one_key_has_one_effect,
    one_decides_a_dispute,
    a_closed_day_takes_nothing_any_more,
)


@pytest.mark.slow
def test_eight_processes_race(race: Race) -> None:
    assert "hours.record" in with_key()
    for each in RACES * ROUNDS:
        each(race)


@pytest.mark.campaign
def test_eight_processes_race_forty_times(race: Race) -> None:
    for each in RACES * CAMPAIGN:
        each(race)
