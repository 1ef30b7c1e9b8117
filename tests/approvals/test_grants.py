"""Giving, revoking and lending grants: two persons, never oneself, and nothing that outlives its lender."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, Grant, Kit, Refused, approvals, fixed_clock
from volunteerkit.access import Reach
from volunteerkit.approvals import grants
from volunteerkit.errors import AlreadyResolved, InvalidValue, NotFound, NotPermitted, PluginError
from volunteerkit.hours import verify_store
from volunteerkit.store.desk import Desk
from volunteerkit.store.grants import alias, grant
from volunteerkit.workflow import Office, Route, Step

DAY = dt.date(2026, 11, 23)
NEXT, LATER = DAY + dt.timedelta(1), DAY + dt.timedelta(30)
CENTRE, SECOND, THIRD = (Actor.of(f"centre-{n}", "centre") for n in (1, 2, 3))
At = Callable[[dt.date, Actor, Callable[[Desk], Any]], Any]


@pytest.fixture
def at(database_url: str) -> Iterator[At]:
    engine, kit = volunteerkit.create_engine(database_url), Kit.load()
    kit.migrate(engine)

    def run(day: dt.date, actor: Actor, work: Callable[[Desk], Any]) -> Any:
        clock = fixed_clock(dt.datetime.combine(day, dt.time(4), dt.UTC))
        with attrs.evolve(kit, clock=clock).open(engine, actor) as desk:
            return work(desk)

    yield run
    engine.dispose()


def approve(at: At, actor: Actor, case_id: int, day: dt.date = DAY) -> approvals.Case:
    found: approvals.Case = at(day, actor, lambda desk: approvals.decide(desk, case_id, "approve"))
    return found


def given(at: At, actor_id: str, role: str = "centre", scope: str | None = None, **more: Any) -> None:
    case = at(DAY, CENTRE, lambda desk: grants.give(desk, actor_id, role, scope, **more))
    assert approve(at, SECOND, case.id).state == "granted"


def holds(at: At, actor_id: str, day: dt.date, action: str = "case.view") -> bool:
    found: Reach = at(day, Actor(actor_id), lambda desk: desk.reach(action))
    return not found.nothing


def listed(at: At) -> list[approvals.StoredGrant]:
    return list(at(DAY, CENTRE, grants.list_grants))


def test_a_role_is_given_by_two_and_neither_is_the_holder(at: At) -> None:
    case = at(DAY, CENTRE, lambda desk: grants.give(desk, "new-1", "centre", until=LATER))
    assert case.state == "review"
    assert listed(at) == []
    for actor in (CENTRE, Actor.of("new-1", "centre"), attrs.evolve(SECOND, on_behalf_of="new-1")):
        with pytest.raises(Refused) as caught:
            approve(at, actor, case.id)
        assert caught.value.findings[0].code == "own_case"
    assert not holds(at, "new-1", DAY)
    assert approve(at, SECOND, case.id).state == "granted"
    assert listed(at) == [
        approvals.StoredGrant(1, "new-1", "centre", None, DAY, LATER, "centre-1", delegated=False)
    ]
    assert [holds(at, "new-1", day) for day in (DAY, LATER, LATER + dt.timedelta(1))] == [True, True, False]


@pytest.mark.parametrize(
    "actor",
    [CENTRE, attrs.evolve(SECOND, on_behalf_of="centre-1"), attrs.evolve(SECOND, volunteer="V7"),
     attrs.evolve(SECOND, volunteer="V8")],
    ids=["oneself", "standing in", "the same volunteer", "merged into the same volunteer"],
)  # fmt: skip
def test_nobody_gives_to_themselves(at: At, actor: Actor) -> None:
    merged = sa.insert(alias).values(number="V8", volunteer_number="V7")
    at(DAY, CENTRE, lambda desk: desk.connection.execute(merged))
    with pytest.raises(Refused) as caught:
        at(DAY, actor, lambda desk: grants.give(desk, "centre-1", "auditor", volunteer="V7"))
    assert caught.value.findings[0].code == "grant_self"


def test_nobody_is_given_what_they_hold(at: At) -> None:
    """Revoked once, a role is gone."""
    for scope, more in (("渝水区", {}), ("分宜县", {"until": LATER})):
        given(at, "new-1", "department_officer", scope, **more)
    for scope, more in (
        ("渝水区", {}), ("渝水区", {"since": NEXT, "until": LATER}), ("分宜县", {"until": LATER}),
    ):  # fmt: skip
        with pytest.raises(Refused) as caught:
            given(at, "new-1", "department_officer", scope, **more)
        assert [each.code for each in caught.value.findings] == ["already_held"]
    given(at, "new-1", "department_officer", "分宜县")  # longer than the one before
    given(at, "new-2", "department_officer", "渝水区")  # somebody else
    case = at(DAY, CENTRE, lambda desk: grants.revoke(desk, 1))
    approve(at, SECOND, case.id)
    given(at, "new-1", "department_officer", "渝水区")  # ended, it can be given again


def test_what_was_given_meanwhile_is_not_given_twice(at: At) -> None:
    early = at(DAY, CENTRE, lambda desk: grants.give(desk, "new-1", "auditor", since=NEXT, until=LATER))
    approve(at, SECOND, early.id)
    long = at(DAY, CENTRE, lambda desk: grants.give(desk, "new-1", "auditor", until=LATER))
    with pytest.raises(Refused) as caught:  # of what it asked for only the days of the first are left
        approve(at, SECOND, long.id, NEXT)
    assert [each.code for each in caught.value.findings] == ["already_held"]
    assert len(listed(at)) == 1


def test_a_refused_proposal_gives_nothing(at: At) -> None:
    case = at(DAY, CENTRE, lambda desk: grants.give(desk, "new-1", "auditor"))
    done = at(DAY, SECOND, lambda desk: approvals.decide(desk, case.id, "refuse", reason="岗位已满"))
    assert (done.state, listed(at)) == ("refused", [])


def test_a_grant_begins_when_it_was_granted(at: At) -> None:
    case = at(DAY, CENTRE, lambda desk: grants.give(desk, "new-1", "department_officer", "渝水区"))
    approve(at, SECOND, case.id, NEXT)
    assert [(each.scope, each.since) for each in listed(at)] == [("渝水区", NEXT)]
    short = at(DAY, CENTRE, lambda desk: grants.give(desk, "new-2", "centre", until=DAY))
    with pytest.raises(Refused) as caught:
        approve(at, SECOND, short.id, NEXT)
    assert caught.value.findings[0].code == "grant_over"
    assert at(NEXT, SECOND, lambda desk: approvals.view(desk, short.id)).state == "review"


@pytest.mark.parametrize(
    ("role", "scope", "more"),
    [
        ("organization_admin", "O1", {}), ("volunteer", None, {}), ("king", None, {}), ("centre", "O1", {}),
        ("department_officer", None, {}), ("department_officer", "", {}), ("centre", None, {"until": DAY - dt.timedelta(1)}),
        ("centre", None, {"since": NEXT, "until": DAY}), ("centre", None, {"since": dt.datetime(2026, 11, 23)}),
        ("centre", None, {"until": "2027-01-01"}),
    ],
)  # fmt: skip
def test_only_the_citys_roles_where_and_when_they_can_hold(
    at: At, role: str, scope: str | None, more: Any
) -> None:
    with pytest.raises(InvalidValue):
        at(DAY, CENTRE, lambda desk: grants.give(desk, "new-1", role, scope, **more))


@pytest.mark.parametrize("actor_id", ["", "a\n", "x" * 101, None, 7, "\ud800"])
def test_a_grant_goes_to_an_actor(at: At, actor_id: Any) -> None:
    with pytest.raises(InvalidValue):
        at(DAY, CENTRE, lambda desk: grants.give(desk, actor_id, "centre"))


def test_revoking_is_decided_by_another_and_never_rewrites_the_past(at: At) -> None:
    given(at, "new-1")
    case = at(DAY, CENTRE, lambda desk: grants.revoke(desk, 1))
    with pytest.raises(Refused):
        approve(at, CENTRE, case.id)
    with pytest.raises(Refused):
        approve(at, Actor("new-1"), case.id)
    assert holds(at, "new-1", NEXT)
    approve(at, SECOND, case.id, LATER)
    assert [each.until for each in listed(at)] == [LATER - dt.timedelta(1)]
    assert [holds(at, "new-1", day) for day in (NEXT, LATER)] == [True, False]
    with pytest.raises(Refused) as caught:
        at(LATER, CENTRE, lambda desk: grants.revoke(desk, 1))
    assert caught.value.findings[0].code == "grant_ended"


def test_revoking_shortens_and_never_lengthens(at: At) -> None:
    given(at, "new-1", until=LATER)
    with pytest.raises(Refused):
        at(DAY, CENTRE, lambda desk: grants.revoke(desk, 1, until=LATER))
    first = at(DAY, CENTRE, lambda desk: grants.revoke(desk, 1, until=NEXT))
    with pytest.raises(Refused) as caught:
        at(DAY, CENTRE, lambda desk: grants.revoke(desk, 1))
    assert caught.value.findings[0].code == "case_waiting"
    approve(at, SECOND, first.id)
    assert [each.until for each in listed(at)] == [NEXT]


def test_nobody_revokes_their_own(at: At) -> None:
    given(at, "new-1")
    with pytest.raises(Refused) as caught:
        at(DAY, Actor("new-1"), lambda desk: grants.revoke(desk, 1))
    assert caught.value.findings[0].code == "grant_self"


@pytest.mark.parametrize("grant_id", [2, 0, -1, 2**63, "1", None, True])
def test_an_unknown_grant_is_not_found(at: At, grant_id: Any) -> None:
    given(at, "new-1")
    for verb in (grants.revoke, grants.take_back):
        with pytest.raises(NotFound):
            at(DAY, CENTRE, lambda desk, verb=verb: verb(desk, grant_id))


def test_one_lends_what_one_holds_and_takes_it_back(at: At) -> None:
    given(at, "new-1", until=LATER)
    for wrong in (LATER + dt.timedelta(1), LATER + dt.timedelta(400)):
        with pytest.raises(Refused) as caught:
            at(
                DAY,
                Actor("new-1"),
                lambda desk, wrong=wrong: grants.delegate(desk, "b-1", "centre", until=wrong),
            )
        assert caught.value.findings[0].code == "grant_not_held"
    loan = at(
        DAY, Actor("new-1"), lambda desk: grants.delegate(desk, "b-1", "centre", since=NEXT, until=LATER)
    )
    assert [holds(at, "b-1", day) for day in (DAY, NEXT, LATER)] == [False, True, True]
    with pytest.raises(Refused):  # what is lent is not lent on
        at(NEXT, Actor("b-1"), lambda desk: grants.delegate(desk, "b-2", "centre", until=LATER))
    with pytest.raises(NotFound):  # somebody else's loan
        at(NEXT, CENTRE, lambda desk: grants.take_back(desk, loan))
    with pytest.raises(NotFound):  # no loan at all
        at(NEXT, CENTRE, lambda desk: grants.take_back(desk, 1))
    at(LATER, Actor("new-1"), lambda desk: grants.take_back(desk, loan))
    assert [holds(at, "b-1", day) for day in (NEXT, LATER)] == [True, False]
    with pytest.raises(Refused):
        at(LATER, Actor("new-1"), lambda desk: grants.take_back(desk, loan))


def test_handed_in_grants_are_not_lent_and_nothing_is_lent_to_oneself(at: At) -> None:
    for to, code in (("b-1", "grant_not_held"), ("centre-1", "grant_self")):
        with pytest.raises(Refused) as caught:
            at(DAY, CENTRE, lambda desk, to=to: grants.delegate(desk, to, "centre", until=LATER))
        assert caught.value.findings[0].code == code
    with pytest.raises(NotPermitted):
        at(
            DAY,
            Actor.of("citizen", "volunteer"),
            lambda desk: grants.delegate(desk, "b", "volunteer", until=DAY),
        )


def test_a_loan_is_worth_nothing_once_the_lenders_own_was_revoked(at: At) -> None:
    given(at, "new-1")
    at(DAY, Actor("new-1"), lambda desk: grants.delegate(desk, "b-1", "centre", until=LATER))
    case = at(DAY, CENTRE, lambda desk: grants.revoke(desk, 1))
    with pytest.raises(Refused):  # the borrower acts for the holder
        approve(at, Actor("b-1"), case.id)
    approve(at, SECOND, case.id)
    assert not holds(at, "b-1", DAY)


def test_a_borrower_does_not_propose_for_the_lender(at: At) -> None:
    given(at, "new-1")
    at(DAY, Actor("new-1"), lambda desk: grants.delegate(desk, "b-1", "centre", until=LATER))
    with pytest.raises(Refused) as caught:
        at(DAY, Actor("b-1"), lambda desk: grants.give(desk, "new-1", "auditor"))
    assert caught.value.findings[0].code == "grant_self"
    case = at(DAY, Actor("b-1"), lambda desk: grants.give(desk, "new-2", "auditor"))
    with pytest.raises(Refused):  # the lender made it, by the borrower's hand
        approve(at, Actor("new-1"), case.id)
    assert approve(at, SECOND, case.id).state == "granted"


@pytest.mark.parametrize("theirs", [("organization_admin", "O2"), ("centre", None)])
def test_a_loan_of_another_scope_is_worth_nothing(at: At, theirs: tuple[str, str | None]) -> None:
    """Written into the table by hand: no verb would."""
    rows = [("lender", *theirs, "root", 0), ("b-1", "organization_admin", "O1", "lender", 1)]

    def write(desk: Desk) -> None:
        for number, (actor_id, role, scope, by, delegated) in enumerate(rows, 1):
            values = {"id": number, "actor_id": actor_id, "role": role, "scope": scope, "since": 0}
            desk.connection.execute(sa.insert(grant).values(**values, granted_by=by, delegated=delegated))

    at(DAY, CENTRE, write)
    assert not holds(at, "b-1", DAY)


def test_who_may_not_read_grants_reads_none(at: At) -> None:
    given(at, "new-1", "auditor")
    assert len(at(DAY, Actor("new-1"), lambda desk: grants.list_grants(desk, "new-1"))) == 1
    assert at(DAY, CENTRE, lambda desk: grants.list_grants(desk, "nobody")) == ()
    with pytest.raises(NotPermitted):
        at(DAY, Actor("o", (Grant("organization_admin", "O1"),)), grants.list_grants)


def test_every_change_is_an_event_and_the_chain_holds(at: At) -> None:
    given(at, "new-1")
    loan = at(DAY, Actor("new-1"), lambda desk: grants.delegate(desk, "b-1", "centre", until=LATER))
    at(DAY, Actor("new-1"), lambda desk: grants.take_back(desk, loan))
    case = at(DAY, CENTRE, lambda desk: grants.revoke(desk, 1))
    approve(at, SECOND, case.id)
    types = at(
        DAY, CENTRE,
        lambda desk: list(desk.connection.exec_driver_sql("SELECT type FROM vk_event ORDER BY seq").scalars()),
    )  # fmt: skip
    assert types == [
        "case.opened", "case.closed", "grant.given", "grant.delegated", "grant.revoked", "case.opened",
        "case.closed", "grant.revoked",
    ]  # fmt: skip
    assert at(DAY, CENTRE, lambda desk: verify_store(desk.connection).holds)


def test_deciding_twice_is_told(at: At) -> None:
    case = at(DAY, CENTRE, lambda desk: grants.give(desk, "new-1", "auditor"))
    approve(at, SECOND, case.id)
    with pytest.raises(AlreadyResolved, match="centre-2"):
        approve(at, THIRD, case.id)


class Plugin:
    """A plugin with one route."""

    def __init__(self, route: Route) -> None:
        self.route = route

    @volunteerkit.hookimpl
    def vk_routes(self) -> list[Route]:
        return [self.route]


CENTRE_STEP = Step("centre", Office("centre"), days=5, at_deadline="refuse")


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ((), "plugin_route_second"),
        ((attrs.evolve(CENTRE_STEP, at_deadline="grant"),), "plugin_route_second"),
        ((Step("a", Office("auditor")),), "plugin_route_office"),
        ((attrs.evolve(CENTRE_STEP, at_deadline="escalate", escalate_to=Office("mayor")),), "plugin_route_office"),
    ],
)  # fmt: skip
def test_a_route_that_cannot_work_or_spares_the_second_person_is_refused(steps: Any, code: str) -> None:
    with pytest.raises(PluginError) as caught:
        Kit.load(Plugin(Route("grant.change", steps)))
    assert caught.value.code == code


def test_a_city_may_ask_for_more(at: At) -> None:
    kit = Kit.load(Plugin(Route("grant.change", (attrs.evolve(CENTRE_STEP, quorum=2),))))
    assert kit.workflows["grant.change"].route.steps[0].quorum == 2


def test_reasons_about_grants_are_read_as_they_were_given(make_city: Any) -> None:
    city = make_city("sqlite://")  # with a key, so that reasons are sealed
    giving = city.at(DAY, CENTRE, grants.give, "new-1", "auditor")
    city.at(DAY, CENTRE, approvals.withdraw, giving.id, reason="不再需要")
    assert city.at(DAY, CENTRE, approvals.view, giving.id).reason == "不再需要"
    again = city.at(DAY, CENTRE, grants.give, "new-1", "auditor")
    city.at(DAY, SECOND, approvals.decide, again.id, "refuse", reason="材料不全")
    assert [each.reason for each in city.at(DAY, CENTRE, approvals.decisions, again.id)] == ["材料不全"]
