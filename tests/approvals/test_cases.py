"""Cases on their way: offices, quorum, terms, notice, objections, and each decided once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, Finding, Grant, Kit, Refused, approvals, fixed_clock
from volunteerkit.access import Place
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.clock import Calendar
from volunteerkit.errors import AlreadyResolved, NotFound, NotPermitted
from volunteerkit.store.desk import Desk
from volunteerkit.workflow import Office, Route, Step

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
OTHER = Actor("admin-2", (Grant("organization_admin", "O2"),))
PUBLIC = Actor.of("citizen-1", "public")
settled: list[tuple[int, str, dt.date]] = []


def settle(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    settled.append((case.id, outcome, on))


@pytest.fixture(autouse=True)
def nothing_settled() -> None:
    settled.clear()


Opened = Callable[..., "Office_"]


@attrs.frozen
class Office_:
    """A database with a kit of one kind of case, at any day."""

    kit: Kit
    engine: sa.Engine

    def at(self, day: dt.date, actor: Actor, work: Callable[[Desk], Any]) -> Any:
        noon = dt.datetime.combine(day, dt.time(4), dt.UTC)
        kit = attrs.evolve(self.kit, clock=fixed_clock(noon))
        with kit.open(self.engine, actor) as desk:
            return work(desk)


@pytest.fixture
def office(database_url: str) -> Iterator[Callable[..., Office_]]:
    engine = volunteerkit.create_engine(database_url)

    def make(*steps: Step, notice_days: int = 0, calendar: Calendar | None = None) -> Office_:
        workflow = Workflow(Route("team.registration", steps, notice_days), "team.decide", settle)
        kit = attrs.evolve(
            Kit.load(), workflows={"team.registration": workflow}, calendar=calendar or Calendar()
        )
        kit.migrate(engine)
        return Office_(kit, engine)

    yield make
    engine.dispose()


def new(desk: Desk, **more: Any) -> int:
    given = {"place": Place("V1", (), ("O1",), ("渝水区",))} | more
    return open_case(desk, "team.registration", "team:1", **given).id


ORGANIZATION = Step("organization", Office("organization_admin"), days=5)


def test_an_office_decides_once(office: Callable[..., Office_]) -> None:
    city = office(ORGANIZATION)
    case_id = city.at(MONDAY, CENTRE, new)
    with pytest.raises(NotFound):
        city.at(MONDAY, OTHER, lambda desk: approvals.decide(desk, case_id, "approve"))
    with pytest.raises(NotPermitted):  # the centre may decide teams, but this step is the organization's
        city.at(MONDAY, SECOND, lambda desk: approvals.decide(desk, case_id, "approve"))
    done = city.at(MONDAY, ADMIN, lambda desk: approvals.decide(desk, case_id, "approve"))
    assert done.state == "granted"
    assert settled == [(case_id, "granted", MONDAY)]
    with pytest.raises(AlreadyResolved, match="admin-1"):
        city.at(MONDAY, ADMIN, lambda desk: approvals.decide(desk, case_id, "refuse", reason="人数不足"))
    assert settled == [(case_id, "granted", MONDAY)]


@pytest.mark.parametrize(
    "actor",
    [
        attrs.evolve(ADMIN, id="centre-1"),
        attrs.evolve(ADMIN, volunteer="V1"),
        attrs.evolve(ADMIN, volunteer="V2"),
        attrs.evolve(ADMIN, on_behalf_of="centre-1"),
    ],
    ids=["made it", "is its subject", "gains from it", "stands in for who made it"],
)
def test_nobody_decides_what_they_made_gain_from_or_are(office: Callable[..., Office_], actor: Actor) -> None:
    city = office(ORGANIZATION)
    case_id = city.at(MONDAY, CENTRE, lambda desk: new(desk, beneficiary="V2"))
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, actor, lambda desk: approvals.decide(desk, case_id, "approve"))
    assert [finding.code for finding in caught.value.findings] == ["own_case"]


@pytest.mark.parametrize("settled_first", [False, True])
@pytest.mark.parametrize(
    ("at_deadline", "state"), [("grant", "granted"), ("refuse", "refused"), (None, "review")]
)
def test_what_happens_at_the_deadline_is_seen_before_and_after_it_is_written(
    office: Callable[..., Office_], at_deadline: Any, state: str, settled_first: bool
) -> None:
    city = office(attrs.evolve(ORGANIZATION, at_deadline=at_deadline))
    case_id = city.at(MONDAY, CENTRE, new)
    last, after, late = dt.date(2026, 11, 30), dt.date(2026, 12, 1), dt.date(2026, 12, 21)
    assert city.at(last, CENTRE, lambda desk: approvals.view(desk, case_id)).state == "review"
    if settled_first:  # the first desk of a day writes it down
        city.at(dt.date(2026, 12, 20), CENTRE, lambda desk: None)
        assert settled == ([(case_id, state, after)] if at_deadline else [])

    def seen(desk: Desk) -> None:
        late_desk = attrs.evolve(desk, now=dt.datetime.combine(late, dt.time(4), dt.UTC))
        found = approvals.view(late_desk, case_id)
        assert (found.state, found.standing.position.since) == (state, after if at_deadline else MONDAY)
        assert len(approvals.pending(late_desk)) == (at_deadline is None)
        if at_deadline:
            with pytest.raises(AlreadyResolved, match="deadline"):
                approvals.decide(late_desk, case_id, "approve")

    city.at(last, ADMIN, seen)
    assert city.at(late, CENTRE, approvals.sweep) == 0  # opening the desk has done it
    assert settled == ([(case_id, state, after)] if at_deadline else [])


def test_escalation_hands_the_step_to_the_other_office(office: Callable[..., Office_]) -> None:
    step = attrs.evolve(ORGANIZATION, at_deadline="escalate", escalate_to=Office("centre"))
    city = office(step)
    case_id = city.at(MONDAY, CENTRE, new)
    late = dt.date(2026, 12, 1)
    with pytest.raises(NotPermitted):
        city.at(late, ADMIN, lambda desk: approvals.decide(desk, case_id, "approve"))
    assert [each.id for each in city.at(late, SECOND, approvals.pending)] == [case_id]
    assert city.at(late, SECOND, lambda desk: approvals.decide(desk, case_id, "approve")).state == "granted"


def test_a_quorum_needs_different_persons(office: Callable[..., Office_]) -> None:
    city = office(Step("centre", Office("centre"), quorum=2))
    case_id = city.at(MONDAY, ADMIN, new)
    assert city.at(MONDAY, CENTRE, lambda desk: approvals.decide(desk, case_id, "approve")).state == "review"
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, CENTRE, lambda desk: approvals.decide(desk, case_id, "approve"))
    assert caught.value.findings[0].code == "decided_before"
    assert settled == []
    assert city.at(MONDAY, SECOND, lambda desk: approvals.decide(desk, case_id, "approve")).state == "granted"
    found = city.at(MONDAY, CENTRE, lambda desk: approvals.decisions(desk, case_id))
    assert [(each.step, each.verdict, each.actor_id) for each in found] == [
        ("centre", "approve", "centre-1"),
        ("centre", "approve", "centre-2"),
    ]


def test_objections_stop_the_public_notice(office: Callable[..., Office_]) -> None:
    city = office(Step("centre", Office("centre")), notice_days=5)
    case_id = city.at(MONDAY, ADMIN, new)
    assert city.at(MONDAY, CENTRE, lambda desk: approvals.decide(desk, case_id, "approve")).state == "notice"
    friday, late = dt.date(2026, 11, 27), dt.date(2026, 12, 31)
    number = city.at(friday, PUBLIC, lambda desk: approvals.object_to(desk, case_id, reason="时长不实"))
    assert city.at(late, CENTRE, lambda desk: approvals.view(desk, case_id)).state == "objected"
    with pytest.raises(Refused):
        city.at(
            late, attrs.evolve(SECOND, id="citizen-1"),
            lambda desk: approvals.answer_objection(desk, case_id, number, "dismiss", reason="查无此事"),
        )  # fmt: skip
    again = city.at(
        late,
        SECOND,
        lambda desk: approvals.answer_objection(desk, case_id, number, "dismiss", reason="已核实"),
    )
    assert (again.state, again.standing.position.since) == ("notice", late)
    assert settled == []
    end = again.standing.due_on
    assert city.at(end, CENTRE, lambda desk: approvals.view(desk, case_id)).state == "notice"
    with pytest.raises(NotFound):  # no longer public, so a citizen cannot tell it from an unknown one
        city.at(
            end + dt.timedelta(1), PUBLIC, lambda desk: approvals.object_to(desk, case_id, reason="太晚了")
        )


def test_an_upheld_objection_refuses(office: Callable[..., Office_]) -> None:
    city = office(notice_days=5)
    case_id = city.at(MONDAY, ADMIN, new)
    number = city.at(MONDAY, PUBLIC, lambda desk: approvals.object_to(desk, case_id, reason="时长不实"))
    done = city.at(
        MONDAY,
        CENTRE,
        lambda desk: approvals.answer_objection(desk, case_id, number, "uphold", reason="属实"),
    )
    assert (done.state, settled) == ("refused", [(case_id, "refused", MONDAY)])


def test_withdrawn_can_be_opened_anew_but_never_twice_at_once(office: Callable[..., Office_]) -> None:
    city = office(ORGANIZATION)
    case_id = city.at(MONDAY, CENTRE, new)
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, CENTRE, new)
    assert caught.value.findings[0].code == "case_waiting"
    with pytest.raises(NotPermitted):  # who sees it is not told that it is not there
        city.at(MONDAY, SECOND, lambda desk: approvals.withdraw(desk, case_id))
    assert city.at(MONDAY, CENTRE, lambda desk: approvals.withdraw(desk, case_id)).state == "withdrawn"
    second = city.at(MONDAY, CENTRE, lambda desk: new(desk, previous_id=case_id))
    assert city.at(MONDAY, CENTRE, lambda desk: approvals.view(desk, second)).previous_id == case_id
    with pytest.raises(AlreadyResolved):
        city.at(MONDAY, CENTRE, lambda desk: approvals.withdraw(desk, case_id))


def test_who_stays_out_cannot_decide(office: Callable[..., Office_]) -> None:
    city = office(Step("centre", Office("centre")))
    case_id = city.at(MONDAY, ADMIN, new)
    city.at(MONDAY, CENTRE, lambda desk: approvals.recuse(desk, case_id, reason="亲属"))
    with pytest.raises(Refused) as caught:
        city.at(MONDAY, CENTRE, lambda desk: approvals.decide(desk, case_id, "approve"))
    assert caught.value.findings[0].code == "recused"
    assert city.at(MONDAY, CENTRE, approvals.pending) == ()
    assert len(city.at(MONDAY, SECOND, approvals.pending)) == 1


def test_findings_block_or_go_along(office: Callable[..., Office_]) -> None:
    city = office(ORGANIZATION)
    with pytest.raises(Refused):
        city.at(MONDAY, CENTRE, lambda desk: new(desk, findings=(Finding("case_waiting", {"case": 0}),)))
    warned = Finding("case_waiting", {"case": 7}, "warn", "xinyu")
    case_id = city.at(MONDAY, CENTRE, lambda desk: new(desk, findings=(warned,)))
    assert city.at(MONDAY, ADMIN, lambda desk: approvals.view(desk, case_id)).findings == (warned,)


def test_no_deadline_is_guessed_beyond_the_known_calendar(office: Callable[..., Office_]) -> None:
    step = attrs.evolve(ORGANIZATION, at_deadline="grant")
    city = office(step, calendar=Calendar(known_until=dt.date(2026, 11, 27)))
    case_id = city.at(MONDAY, CENTRE, new)
    found = city.at(dt.date(2027, 3, 1), CENTRE, lambda desk: approvals.view(desk, case_id))
    assert (found.state, found.standing.due_on) == ("review", None)
    extended = Office_(
        attrs.evolve(city.kit, calendar=Calendar(known_until=dt.date(2027, 12, 31))), city.engine
    )
    assert (
        extended.at(dt.date(2027, 3, 1), CENTRE, lambda desk: approvals.view(desk, case_id)).state
        == "granted"
    )
