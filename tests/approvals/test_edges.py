"""What is easily got wrong about cases: whoever acts for whom, late sweepers, failing callbacks, other routes."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, Finding, Grant, Kit, Refused, approvals
from volunteerkit.access import Person, Place
from volunteerkit.approvals import Case
from volunteerkit.approvals.cases import find_case, open_case, put, waiting_case
from volunteerkit.approvals.tables import outcome_on
from volunteerkit.clock import Calendar
from volunteerkit.errors import AlreadyResolved, InvalidValue, NotFound, NotPermitted, RetryableConflict
from volunteerkit.store.desk import Desk
from volunteerkit.store.grants import alias
from volunteerkit.store.grants import grant as grant_table
from volunteerkit.units import day_number
from volunteerkit.workflow import Office, Position, Route, Step

MONDAY, TUESDAY = dt.date(2026, 11, 23), dt.date(2026, 11, 24)
LATE = dt.date(2026, 12, 21)
CENTRE, SECOND, THIRD = (Actor.of(f"centre-{n}", "centre") for n in (1, 2, 3))
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
PUBLIC = Actor.of("citizen-1", "public")
ORGANIZATION = Step("organization", Office("organization_admin"), days=5)
BY_CENTRE = Step("centre", Office("centre"))
City = Any
KIND = "team.registration"
Make = Callable[..., City]


def approve(case_id: int) -> Callable[[Desk], Case]:
    return lambda desk: approvals.decide(desk, case_id, "approve")


def refuse(case_id: int) -> Callable[[Desk], Case]:
    return lambda desk: approvals.decide(desk, case_id, "refuse", reason="人数不足")


def viewed(case_id: int) -> Callable[[Desk], Case]:
    return lambda desk: approvals.view(desk, case_id)


def codes(error: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [finding.code for finding in error.value.findings]


def lend(desk: Desk, lender: str, borrower: str, volunteer: str | None = None) -> None:
    """Write a centre's own grant of ``lender`` and its loan to ``borrower``."""
    rows: list[dict[str, Any]] = [
        {"actor_id": lender, "granted_by": "root", "delegated": 0},
        {"actor_id": borrower, "granted_by": lender, "delegated": 1, "granting_volunteer": volunteer},
    ]
    for row in rows:
        following = (desk.connection.execute(sa.select(sa.func.max(grant_table.c.id))).scalar() or 0) + 1
        values = {"id": following, "role": "centre", "since": day_number(MONDAY)} | row
        desk.connection.execute(sa.insert(grant_table).values(**values))


# who decides


def test_deciding_is_separate_whatever_the_cell_says(city: Make) -> None:
    """`team.appoint` lets the centre act without separation; a case about it is still decided by somebody else."""
    here = city(BY_CENTRE, action="team.appoint")
    case_id = here.open(MONDAY, CENTRE)
    with pytest.raises(Refused) as caught:
        here.at(MONDAY, CENTRE, approve(case_id))
    assert codes(caught) == ["own_case"]


def test_whom_a_case_was_opened_for_does_not_decide_it(city: Make) -> None:
    here = city(BY_CENTRE)
    case_id = here.open(MONDAY, attrs.evolve(ADMIN, on_behalf_of="centre-1"))
    with pytest.raises(Refused) as caught:
        here.at(MONDAY, CENTRE, approve(case_id))
    assert codes(caught) == ["own_case"]
    assert here.at(MONDAY, SECOND, approve(case_id)).state == "granted"


def test_other_parties_of_the_workflow_do_not_decide(city: Make) -> None:
    here = city(BY_CENTRE, parties=lambda case: (Person(case.facts["leader"]),))
    case_id = here.open(MONDAY, ADMIN, facts={"leader": "centre-1"})
    with pytest.raises(Refused) as caught:
        here.at(MONDAY, CENTRE, approve(case_id))
    assert codes(caught) == ["own_case"]
    assert here.at(MONDAY, CENTRE, approvals.pending) == ()


def test_a_quorum_is_of_persons_seen_through_loans(city: Make) -> None:
    here = city(attrs.evolve(BY_CENTRE, quorum=2))
    here.at(MONDAY, ADMIN, lambda desk: lend(desk, "lender-1", "borrower-1"))
    here.at(MONDAY, ADMIN, lambda desk: lend(desk, "lender-2", "borrower-2"))
    first = here.open(MONDAY, ADMIN)
    assert here.at(MONDAY, Actor("borrower-1"), approve(first)).state == "review"
    with pytest.raises(Refused) as caught:  # it was decided on this person's behalf
        here.at(MONDAY, Actor("lender-1"), approve(first))
    assert codes(caught) == ["decided_before"]
    assert here.at(MONDAY, Actor("lender-2"), approve(first)).state == "granted"
    second = here.open(MONDAY, ADMIN)
    here.at(MONDAY, Actor("lender-2"), approve(second))
    with pytest.raises(Refused) as caught:  # on behalf of a person who decided
        here.at(MONDAY, Actor("borrower-2"), approve(second))
    assert codes(caught) == ["decided_before"]
    assert here.at(MONDAY, Actor("borrower-2"), approvals.pending) == ()


def test_nobody_decides_two_steps_of_one_case_under_any_account(city: Make) -> None:
    here = city(BY_CENTRE, attrs.evolve(BY_CENTRE, name="again"), attrs.evolve(BY_CENTRE, name="last"))
    here.at(MONDAY, ADMIN, lambda desk: lend(desk, "lender-1", "borrower-1"))
    case_id = here.open(MONDAY, ADMIN)
    here.at(MONDAY, attrs.evolve(CENTRE, volunteer="V5"), approve(case_id))
    here.at(MONDAY, Actor("borrower-1"), approve(case_id))
    for again in (CENTRE, attrs.evolve(SECOND, volunteer="V5"), Actor("borrower-1"), Actor("lender-1")):
        with pytest.raises(Refused) as caught:
            here.at(MONDAY, again, approve(case_id))
        assert codes(caught) == ["decided_before"]
        with pytest.raises(Refused):  # nor refuses it
            here.at(MONDAY, again, refuse(case_id))
        assert here.at(MONDAY, again, approvals.pending) == ()
    other = here.open(MONDAY, ADMIN, subject="team:2")  # another case is another matter
    assert here.at(MONDAY, CENTRE, approve(other)).state == "review"
    assert here.at(MONDAY, SECOND, approve(case_id)).state == "granted"


def test_further_roles_may_decide_in_the_place_of_an_office(city: Make) -> None:
    office = Office("organization_admin", "O1", also=("department_officer",))
    here = city(Step("organization", office))
    officer = Actor("officer-1", (Grant("department_officer", "渝水区"),))
    elsewhere = Actor("officer-2", (Grant("department_officer", "分宜县"),))
    other = Actor("admin-2", (Grant("organization_admin", "O2"),))
    for actor in (ADMIN, officer):
        case_id = here.open(MONDAY, THIRD, place=Place("V1", (), ("O1", "O2"), ("渝水区",)))
        assert len(here.at(MONDAY, actor, approvals.pending)) == 1
        for no in (CENTRE, other, elsewhere):  # the scope narrows the office itself
            with pytest.raises((NotPermitted, NotFound)):
                here.at(MONDAY, no, approve(case_id))
        assert here.at(MONDAY, actor, approve(case_id)).state == "granted"


def test_a_step_counted_from_the_opening_that_begins_late_has_that_day(city: Make) -> None:
    step = Step(
        "centre", Office("centre"), days=3, calendar_days=True, at_deadline="grant", since_opening=True
    )
    here = city(Step("organization", Office("organization_admin")), step)
    case_id, day = here.open(MONDAY, THIRD), MONDAY + dt.timedelta(9)
    assert here.at(day, ADMIN, approve(case_id)).state == "review"
    assert here.at(day, CENTRE, viewed(case_id)).standing.due_on == day
    found = here.at(day + dt.timedelta(1), CENTRE, viewed(case_id))
    assert (found.state, found.standing.automatic) == ("granted", True)
    assert here.settled == [(case_id, "granted", day + dt.timedelta(1))]
    for wrong in (
        {"days": None, "at_deadline": None},
        {"at_deadline": "escalate", "escalate_to": Office("centre")},
    ):
        with pytest.raises(InvalidValue):
            attrs.evolve(step, **wrong)


@pytest.mark.parametrize("who", ["opened", "subject"])
def test_a_borrower_decides_nothing_of_the_lenders(city: Make, who: str) -> None:
    here = city(BY_CENTRE)
    here.at(MONDAY, ADMIN, lambda desk: lend(desk, "lender-1", "borrower-1", "V7"))
    opener = Actor("lender-1") if who == "opened" else ADMIN
    case_id = here.open(MONDAY, opener, place=Place("V7" if who == "subject" else "V1", (), ("O1",)))
    with pytest.raises(Refused) as caught:
        here.at(MONDAY, Actor("borrower-1"), approve(case_id))
    assert codes(caught) == ["own_case"]


@pytest.mark.parametrize("steps", [(), (BY_CENTRE,)], ids=["notice only", "after a step"])
def test_a_borrower_answers_no_objection_for_the_lender(city: Make, steps: tuple[Step, ...]) -> None:
    here = city(*steps, notice_days=5)
    here.at(MONDAY, ADMIN, lambda desk: lend(desk, "lender-1", "borrower-1"))
    case_id = here.open(MONDAY, Actor("lender-1"))
    if steps:
        here.at(MONDAY, SECOND, approve(case_id))
    number = here.at(MONDAY, PUBLIC, lambda desk: approvals.object_to(desk, case_id, reason="不实"))

    def dismiss(desk: Desk) -> Case:
        return approvals.answer_objection(desk, case_id, number, "dismiss", reason="已核实")

    with pytest.raises(Refused) as caught:
        here.at(MONDAY, Actor("borrower-1"), dismiss)
    assert codes(caught) == ["own_case"]
    assert here.at(MONDAY, THIRD, dismiss).state == "notice"


def test_only_the_office_of_the_step_answers_objections(city: Make) -> None:
    here = city(BY_CENTRE, notice_days=5)
    case_id = here.open(MONDAY, SECOND)
    here.at(MONDAY, CENTRE, approve(case_id))
    number = here.at(MONDAY, PUBLIC, lambda desk: approvals.object_to(desk, case_id, reason="不实"))
    assert here.at(MONDAY, ADMIN, approvals.pending) == ()
    with pytest.raises(NotPermitted):
        here.at(
            MONDAY,
            ADMIN,
            lambda desk: approvals.answer_objection(desk, case_id, number, "dismiss", reason="无"),
        )


def test_a_person_who_stays_out_stays_out_under_every_account(city: Make) -> None:
    here = city(BY_CENTRE)
    case_id = here.open(MONDAY, ADMIN)
    known = attrs.evolve(CENTRE, volunteer="V5")
    here.at(MONDAY, known, lambda desk: approvals.recuse(desk, case_id, reason="亲属"))
    here.at(MONDAY, ADMIN, lambda desk: lend(desk, "centre-1", "borrower-1"))
    for actor in (attrs.evolve(SECOND, volunteer="V5"), Actor("borrower-1")):
        with pytest.raises(Refused) as caught:
            here.at(MONDAY, actor, approve(case_id))
        assert codes(caught) == ["recused"]


def test_what_one_may_decide_leaves_out_what_one_has_decided_and_what_waits_for_the_public(
    city: Make,
) -> None:
    here = city(attrs.evolve(BY_CENTRE, quorum=2), notice_days=3)
    case_id = here.open(MONDAY, ADMIN)
    here.at(MONDAY, CENTRE, approve(case_id))
    assert here.at(MONDAY, CENTRE, approvals.pending) == ()
    assert len(here.at(MONDAY, SECOND, approvals.pending)) == 1
    here.at(MONDAY, SECOND, approve(case_id))
    assert here.at(MONDAY, THIRD, approvals.pending) == ()
    assert len(here.at(MONDAY, THIRD, lambda desk: approvals.pending(desk, mine=False))) == 1


def test_a_merged_volunteer_keeps_their_case_and_their_separation(city: Make) -> None:
    here = city(BY_CENTRE)
    case_id = here.open(MONDAY, ADMIN)
    merged = sa.insert(alias).values(number="V1", volunteer_number="V2")
    here.at(MONDAY, CENTRE, lambda desk: desk.connection.execute(merged))
    for number in ("V1", "V2"):
        actor = Actor("app-1", (Grant("volunteer"),), volunteer=number)
        assert here.at(MONDAY, actor, viewed(case_id)).place.volunteer == "V2"
        assert len(here.at(MONDAY, actor, lambda desk: approvals.pending(desk, mine=False))) == 1
        with pytest.raises(Refused):
            here.at(MONDAY, attrs.evolve(CENTRE, volunteer=number), approve(case_id))
    kit = attrs.evolve(here.kit, workflows={KIND: attrs.evolve(here.kit.workflows[KIND], by_subject=True)})
    here, mine = attrs.evolve(here, kit=kit), Actor("app-1", (Grant("volunteer"),), volunteer="V2")
    assert here.at(MONDAY, mine, lambda desk: approvals.withdraw(desk, case_id)).state == "withdrawn"


def test_a_vetoed_case_is_in_no_list(city: Make) -> None:
    def veto(actor: Actor, action: str, place: Place) -> tuple[Finding, ...]:
        return (Finding("x.y"),) if action == "case.view" and actor.id == "centre-2" else ()

    here = city(BY_CENTRE)
    case_id = here.open(MONDAY, ADMIN)
    here = attrs.evolve(here, kit=attrs.evolve(here.kit, hooks={"vk_review_access": (("x", veto),)}))
    with pytest.raises(NotPermitted):
        here.at(MONDAY, SECOND, viewed(case_id))
    for mine in (True, False):
        assert here.at(MONDAY, SECOND, lambda desk, mine=mine: approvals.pending(desk, mine=mine)) == ()
        assert len(here.at(MONDAY, CENTRE, lambda desk, mine=mine: approvals.pending(desk, mine=mine))) == 1


# terms that ran out


def test_a_step_is_escalated_once_and_approvals_before_it_count(city: Make) -> None:
    step = Step(
        "both", Office("organization_admin"), quorum=2, days=5, at_deadline="escalate",
        escalate_to=Office("centre"),
    )  # fmt: skip
    here = city(step)
    case_id = here.open(MONDAY, THIRD)
    assert here.at(MONDAY, ADMIN, approve(case_id)).state == "review"
    found = here.at(dt.date(2027, 6, 1), CENTRE, viewed(case_id))
    assert (found.state, found.standing.position.escalated) == ("review", True)
    assert found.standing.due_on == dt.date(2026, 12, 7)
    assert here.at(LATE, CENTRE, approvals.sweep) == 0
    assert here.at(LATE, SECOND, approve(case_id)).state == "granted"


def test_an_objection_after_an_escalated_step_goes_to_either_office(city: Make) -> None:
    step = attrs.evolve(ORGANIZATION, at_deadline="escalate", escalate_to=Office("centre"))
    here = city(step, notice_days=3)
    case_id = here.open(MONDAY, THIRD)
    assert here.at(LATE, CENTRE, approve(case_id)).state == "notice"
    number = here.at(LATE, PUBLIC, lambda desk: approvals.object_to(desk, case_id, reason="不实"))
    done = here.at(
        LATE, SECOND, lambda desk: approvals.answer_objection(desk, case_id, number, "uphold", reason="是")
    )
    assert (done.state, here.settled) == ("refused", [(case_id, "refused", LATE)])


def test_a_notice_follows_an_automatic_grant_and_can_be_objected_to(city: Make) -> None:
    here = city(attrs.evolve(ORGANIZATION, at_deadline="grant"), notice_days=5)
    case_id, last = here.open(MONDAY, CENTRE), dt.date(2026, 11, 30)
    assert here.at(last, PUBLIC, lambda desk: _objects(desk, case_id)) is False
    found = here.at(last + dt.timedelta(1), CENTRE, viewed(case_id))
    assert (found.state, found.standing.due_on) == ("notice", dt.date(2026, 12, 8))
    assert here.at(dt.date(2026, 12, 8), PUBLIC, lambda desk: _objects(desk, case_id)) is True
    assert here.at(LATE, CENTRE, approvals.sweep) == 0
    assert here.at(LATE, CENTRE, viewed(case_id)).state == "objected"


def _objects(desk: Desk, case_id: int) -> bool:
    try:
        return approvals.object_to(desk, case_id, reason="不实") > 0
    except NotFound:
        return False


@pytest.mark.parametrize("days", [4, 5])
def test_working_days_over_new_year(city: Make, days: int) -> None:
    holidays = [dt.date(2027, 1, 1), dt.date(2027, 2, 5)]
    calendar = Calendar(holidays, [dt.date(2027, 1, 3)], known_until=dt.date(2027, 12, 31))
    here = city(attrs.evolve(ORGANIZATION, days=days, at_deadline="refuse"), calendar=calendar)
    case_id = here.open(dt.date(2026, 12, 29), CENTRE)
    found = here.at(dt.date(2026, 12, 29), CENTRE, viewed(case_id))
    # 30, 31, then the holiday and Saturday, Sunday worked instead, Monday, Tuesday
    assert found.standing.due_on == dt.date(2027, 1, days)
    unknown = here.with_calendar(attrs.evolve(calendar, known_until=dt.date(2026, 12, 31)))
    assert unknown.at(LATE.replace(year=2027), CENTRE, viewed(case_id)).state == "review"


def test_a_sweeper_closes_what_a_calendar_published_later_makes_certain(city: Make) -> None:
    here = city(
        attrs.evolve(ORGANIZATION, at_deadline="grant"), calendar=Calendar(known_until=dt.date(2026, 11, 27))
    )
    case_id = here.open(MONDAY, CENTRE)
    assert here.at(LATE, CENTRE, approvals.sweep) == 0
    known = here.with_calendar(Calendar(known_until=dt.date(2027, 12, 31)))
    assert known.at(TUESDAY, CENTRE, approvals.sweep) == 0
    in_sql = sa.select(outcome_on(day_number(LATE)))
    assert known.unswept(LATE, CENTRE, lambda desk: desk.connection.execute(in_sql).scalar_one()) == "granted"
    assert known.unswept(LATE, CENTRE, approvals.sweep) == 1
    assert here.settled == [(case_id, "granted", dt.date(2026, 12, 1))]


def test_a_sweep_changes_nothing_of_what_is_told(city: Make) -> None:
    here = city(attrs.evolve(ORGANIZATION, at_deadline="refuse"))
    case_id = here.open(MONDAY, CENTRE)

    def told() -> tuple[Any, ...]:
        found = here.unswept(LATE, CENTRE, viewed(case_id))
        with pytest.raises(AlreadyResolved) as caught:
            here.unswept(LATE, ADMIN, approve(case_id))
        return found.standing, found.place, found.closed_by, found.reason, str(caught.value)

    before = told()
    assert here.unswept(LATE, CENTRE, approvals.sweep) == 1
    assert told() == before
    assert before[2] == "deadline"


def test_the_first_desk_settles_what_a_calendar_published_later_makes_certain(city: Make) -> None:
    """As a reader is shown it: nobody has to sweep for that."""
    here = city(
        attrs.evolve(ORGANIZATION, at_deadline="grant"), calendar=Calendar(known_until=dt.date(2026, 11, 27))
    )
    case_id = here.open(MONDAY, CENTRE)
    known = here.with_calendar(Calendar(known_until=dt.date(2027, 12, 31)))
    known.at(MONDAY, CENTRE, viewed(case_id))
    assert known.settled == []
    with known.on(LATE).open(known.engine, CENTRE, read_only=True) as desk:
        assert approvals.view(desk, case_id).state == "granted"
    assert known.settled == [(case_id, "granted", dt.date(2026, 12, 1))]


def test_a_reader_waits_for_no_writer_though_a_term_ran_out(city: Make) -> None:
    here = city(attrs.evolve(ORGANIZATION, at_deadline="grant"))
    case_id, began = here.open(MONDAY, CENTRE), time.monotonic()
    with here.on(MONDAY).open(here.engine, CENTRE) as busy:
        approvals.sweep(busy)  # behind the head until it is done
        with here.on(LATE).open(here.engine, SECOND, read_only=True) as desk:
            assert approvals.view(desk, case_id).state == "granted"
        assert here.settled == []
    assert time.monotonic() - began < 5
    with here.on(LATE).open(here.engine, SECOND, read_only=True) as desk:  # the next one sees to it
        assert approvals.view(desk, case_id).state == "granted"
    assert here.settled == [(case_id, "granted", dt.date(2026, 12, 1))]


@pytest.mark.parametrize("how", ["first desk", "new case"])
def test_what_the_deadline_cannot_grant_it_refuses_and_says_why(city: Make, how: str) -> None:
    settled: list[tuple[int, str]] = []

    def settle(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
        if outcome == "granted":
            raise Refused(Finding("already_registered", {"number": "渝水一队"}))
        settled.append((case.id, outcome))

    here = city(attrs.evolve(ORGANIZATION, at_deadline="grant"), settle=settle)
    case_id = here.open(MONDAY, CENTRE)
    if how == "new case":
        here.unswept(
            LATE, CENTRE, lambda desk: open_case(desk, KIND, "team:1", Place("V1", (), ("O1",), ("渝水区",)))
        )
    found = here.at(LATE, CENTRE, viewed(case_id))
    assert (found.state, found.closed_by, found.reason) == ("refused", "deadline", "already_registered")
    assert settled == [(case_id, "refused")]
    with pytest.raises(AlreadyResolved, match="deadline"):
        here.at(LATE, ADMIN, approve(case_id))


def test_one_case_that_cannot_be_settled_does_not_stop_the_sweeper(city: Make) -> None:
    done: list[int] = []

    def settle(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
        if case.subject == "team:1":  # whatever the outcome
            raise Refused(Finding("already_registered", {"number": "T1"}))
        done.append(case.id)

    here = city(attrs.evolve(ORGANIZATION, at_deadline="grant"), settle=settle)
    first, second = here.open(MONDAY, CENTRE), here.open(MONDAY, CENTRE, subject="team:2")
    assert here.unswept(LATE, CENTRE, approvals.sweep) == 1
    assert done == [second]
    assert here.at(LATE, CENTRE, viewed(first)).version == 1


def test_withdrawing_comes_too_late_when_the_term_ran_out(city: Make) -> None:
    here = city(attrs.evolve(ORGANIZATION, at_deadline="grant"))
    case_id = here.open(MONDAY, CENTRE)
    with pytest.raises(AlreadyResolved, match="deadline"):
        here.unswept(LATE, CENTRE, lambda desk: approvals.withdraw(desk, case_id))
    assert here.unswept(LATE, CENTRE, approvals.sweep) == 1


def test_a_new_case_settles_the_expired_one_first(city: Make) -> None:
    here = city(attrs.evolve(ORGANIZATION, at_deadline="refuse"))
    first = here.open(MONDAY, CENTRE)
    again = here.unswept(
        LATE, CENTRE, lambda desk: open_case(desk, "team.registration", "team:1", Place("V1", (), ("O1",)))
    )
    assert here.settled == [(first, "refused", dt.date(2026, 12, 1))]
    assert here.at(LATE, CENTRE, viewed(again.id)).state == "review"


# nothing half written


def test_a_refused_opening_writes_nothing_even_in_the_portals_transaction(city: Make) -> None:
    step = attrs.evolve(ORGANIZATION, at_deadline="escalate", escalate_to=Office("centre"))
    here = city(step)
    here.open(MONDAY, CENTRE)
    before = here.events()
    with here.engine.begin() as connection:
        desk = here.unswept_desk(connection, LATE, CENTRE)
        with pytest.raises(Refused):
            open_case(desk, "team.registration", "team:1", Place("V1", (), ("O1",)))
    assert here.events() == before


@pytest.mark.parametrize(
    "error", [RuntimeError("no"), Refused(Finding("already_registered", {"number": "T1"}))]
)
@pytest.mark.parametrize("way", ["decide", "sweep", "withdraw", "uphold", "open"])
def test_what_cannot_be_settled_leaves_no_trace(city: Make, error: Exception, way: str) -> None:
    def settle(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
        desk.connection.execute(sa.insert(alias).values(number="V8", volunteer_number="V9"))
        raise error

    steps = (attrs.evolve(ORGANIZATION, at_deadline="grant"),) if way not in ("uphold", "open") else ()
    here = city(*steps, notice_days=3 if way == "uphold" else 0, settle=settle)
    case_id = here.open(MONDAY, CENTRE) if way != "open" else 0
    number = 0
    if way == "uphold":
        number = here.at(MONDAY, PUBLIC, lambda desk: approvals.object_to(desk, case_id, reason="不实"))
    work: dict[str, tuple[Actor, dt.date, Callable[[Desk], Any]]] = {
        "decide": (ADMIN, MONDAY, approve(case_id)),
        "sweep": (CENTRE, LATE, approvals.sweep),
        "withdraw": (CENTRE, MONDAY, lambda desk: approvals.withdraw(desk, case_id)),
        "uphold": (
            SECOND,
            MONDAY,
            lambda desk: approvals.answer_objection(desk, case_id, number, "uphold", reason="属实"),
        ),
        "open": (CENTRE, MONDAY, lambda desk: open_case(desk, "team.registration", "team:9", Place())),
    }
    actor, day, run = work[way]
    before, dumped = here.events(), dump(here)
    with here.engine.begin() as connection:  # the portal's own: it commits although the verb raised
        desk = here.unswept_desk(connection, day, actor)
        if way == "sweep" and isinstance(error, Refused):
            assert run(desk) == 0
        else:
            with pytest.raises(type(error)):
                run(desk)
    assert (here.events(), dump(here)) == (before, dumped)


def dump(here: City) -> list[list[tuple[Any, ...]]]:
    tables = ("vk_case", "vk_case_decision", "vk_case_objection", "vk_alias", "vk_head")
    with here.engine.connect() as connection:
        return [
            [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1")]
            for name in tables
        ]


def test_a_stale_case_is_put_nowhere(city: Make) -> None:
    here = city(attrs.evolve(BY_CENTRE, quorum=2))
    case_id = here.open(MONDAY, ADMIN)
    stale = here.at(MONDAY, CENTRE, lambda desk: find_case(desk, case_id))
    here.at(MONDAY, CENTRE, approve(case_id))
    to = Position("refused", 0, False, MONDAY)
    with pytest.raises(RetryableConflict):
        here.at(MONDAY, SECOND, lambda desk: put(desk, stale, to, by="centre-2"))
    here.at(MONDAY, SECOND, approve(case_id))
    with pytest.raises(AlreadyResolved, match="centre-2"):
        here.at(MONDAY, SECOND, lambda desk: put(desk, stale, to, by="centre-2"))


def test_a_closed_case_is_never_opened_again(city: Make) -> None:
    here = city(BY_CENTRE)
    case_id = here.open(MONDAY, ADMIN)
    closed = here.at(MONDAY, CENTRE, approve(case_id))
    with pytest.raises(AlreadyResolved):
        here.at(MONDAY, CENTRE, lambda desk: put(desk, closed, Position("review", 0, False, MONDAY), by="x"))


def test_a_case_granted_at_once_says_so(city: Make) -> None:
    here = city()
    case_id = here.open(MONDAY, ADMIN)
    assert here.at(MONDAY, CENTRE, viewed(case_id)).closed_by == "route"
    with pytest.raises(AlreadyResolved, match="route"):
        here.at(MONDAY, ADMIN, lambda desk: approvals.withdraw(desk, case_id))


@pytest.mark.parametrize(
    "place",
    [Place(teams=("T1", "T2")), Place(organizations=("O1", "O2", "O3")), Place(areas=("渝水区", "分宜县"))],
)
def test_a_place_that_does_not_fit_is_not_cut_off(city: Make, place: Place) -> None:
    here = city(BY_CENTRE)
    with pytest.raises(InvalidValue):
        here.open(MONDAY, ADMIN, place=place)


@pytest.mark.parametrize("case_id", [0, -1, 2**63, 10**30, "1", None, 1.0, True])
def test_no_id_is_a_driver_error(city: Make, case_id: Any) -> None:
    here = city(BY_CENTRE)
    here.open(MONDAY, ADMIN)
    with pytest.raises(NotFound):
        here.at(MONDAY, CENTRE, viewed(case_id))


# routes that change while cases wait


def test_a_route_that_lost_steps_leaves_the_case_with_its_last_office(city: Make) -> None:
    here = city(ORGANIZATION, BY_CENTRE, attrs.evolve(BY_CENTRE, name="again"))
    case_id = here.open(MONDAY, THIRD)
    here.at(MONDAY, ADMIN, approve(case_id))
    here.at(MONDAY, CENTRE, approve(case_id))
    shorter = here.with_route(ORGANIZATION, BY_CENTRE)
    assert shorter.at(LATE, SECOND, viewed(case_id)).state == "review"
    assert len(shorter.at(LATE, SECOND, approvals.pending)) == 1
    assert shorter.at(LATE, SECOND, approve(case_id)).state == "granted"


def test_a_route_that_lost_every_step_lets_whoever_may_decide(city: Make) -> None:
    here = city(BY_CENTRE)
    case_id = here.open(MONDAY, THIRD)
    none = here.with_route()
    assert none.at(LATE, CENTRE, viewed(case_id)).state == "review"
    assert none.at(LATE, CENTRE, approve(case_id)).state == "granted"


@pytest.mark.parametrize("days", [-1, True, 1.5, None])
def test_a_notice_has_whole_days(days: Any) -> None:
    with pytest.raises(InvalidValue):
        Route("x", (), days)


@pytest.mark.parametrize("word", ["approve", "", "GRANT", True])
def test_what_happens_at_the_deadline_is_one_of_three_words(word: Any) -> None:
    with pytest.raises(InvalidValue):
        Step("a", Office("centre"), days=5, at_deadline=word)


def test_a_route_is_a_value_even_from_a_list() -> None:
    assert hash(Route("x", [BY_CENTRE])) == hash(Route("x", (BY_CENTRE,)))  # type: ignore[arg-type]


def test_the_notice_goes_on_only_when_every_objection_is_answered(city: Make) -> None:
    here = city(notice_days=3)
    case_id = here.open(MONDAY, ADMIN)
    first, second = (
        here.at(MONDAY, PUBLIC, lambda desk: approvals.object_to(desk, case_id, reason="不实"))
        for _ in range(2)
    )

    def dismiss(number: int) -> Callable[[Desk], Case]:
        return lambda desk: approvals.answer_objection(desk, case_id, number, "dismiss", reason="已核实")

    assert here.at(MONDAY, CENTRE, dismiss(first)).state == "objected"
    with pytest.raises(Refused) as caught:
        here.at(MONDAY, CENTRE, dismiss(first))
    assert codes(caught) == ["no_open_objection"]
    assert here.at(LATE, CENTRE, viewed(case_id)).state == "objected"
    assert here.at(LATE, CENTRE, dismiss(second)).state == "notice"


@pytest.mark.parametrize("at_deadline", ["grant", "refuse"])
@pytest.mark.parametrize("notice_days", [0, 2])
def test_on_every_day_the_list_in_sql_says_what_the_case_says(
    city: Make, at_deadline: Any, notice_days: int
) -> None:
    here = city(attrs.evolve(ORGANIZATION, at_deadline=at_deadline), notice_days=notice_days)
    case_id = here.open(MONDAY, CENTRE)
    for later in range(15):
        day = MONDAY + dt.timedelta(later)
        found = here.at(day, CENTRE, viewed(case_id))
        query = sa.select(outcome_on(day_number(day)))
        in_sql = here.at(day, CENTRE, lambda desk, query=query: desk.connection.execute(query).scalar_one())
        assert in_sql == (found.state if found.standing.closed else found.put.state), day


@pytest.mark.parametrize("rows", [1, 3, 500])
def test_a_list_by_pages_is_the_whole_list(city: Make, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """However many rows are read at once: the same cases, those of the actor's own doing left out."""
    monkeypatch.setattr("volunteerkit.approvals.actions._ROWS", rows)
    here = city(Step("centre", Office("centre"), quorum=2))
    cases = [here.open(MONDAY, SECOND if n == 3 else CENTRE, subject=f"team:{n}") for n in range(8)]
    here.at(MONDAY, SECOND, lambda desk: approvals.decide(desk, cases[1], "approve"))
    here.at(MONDAY, SECOND, lambda desk: approvals.recuse(desk, cases[4], reason="回避"))
    here.at(MONDAY, THIRD, lambda desk: approvals.decide(desk, cases[6], "refuse", reason="材料不全"))
    mine = [each for n, each in enumerate(cases) if n not in (1, 3, 4, 6)]
    assert [each.id for each in here.at(MONDAY, SECOND, approvals.pending)] == mine
    every = [each for n, each in enumerate(cases) if n != 6]
    assert [
        each.id for each in here.at(MONDAY, SECOND, lambda desk: approvals.pending(desk, mine=False))
    ] == every
    for limit in (1, 2, 3, 9):
        paged, last = [], 0
        while page := here.at(
            MONDAY,
            SECOND,
            lambda desk, last=last, limit=limit: approvals.pending(desk, after=last, limit=limit),
        ):
            assert len(page) <= limit
            paged += [each.id for each in page]
            last = paged[-1]
        assert paged == mine


@pytest.mark.parametrize(
    "named", [{"limit": 0}, {"limit": True}, {"limit": "2"}, {"after": -1}, {"after": 2**63}]
)
def test_a_page_is_asked_for_in_whole_numbers(city: Make, named: dict[str, Any]) -> None:
    here = city(Step("centre", Office("centre")))
    with pytest.raises(InvalidValue, match=next(iter(named))):
        here.at(MONDAY, CENTRE, lambda desk: approvals.pending(desk, **named))


def test_a_waiting_case_is_found_without_reading_all_that_were_ever_closed(sqlite_url: str) -> None:
    engine = volunteerkit.create_engine(sqlite_url)
    Kit.load().migrate(engine)
    said: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT vk_case") and "vk_case.state IN" in statement:
            plan = connection.connection.dbapi_connection.execute(
                f"EXPLAIN QUERY PLAN {statement}", parameters
            )
            said.extend(row[3] for row in plan if "vk_case" in row[3])

    with Kit.load().open(engine, CENTRE) as desk:
        sa.event.listen(engine, "before_cursor_execute", explain)
        waiting_case(desk, "volunteer.registration", "volunteer:1")
        approvals.pending(desk)
    engine.dispose()
    assert len(said) == 2
    assert all("USING INDEX" in each for each in said), said
