"""Claims before they are recorded: kinds, terms, shifts, days of more than 24 hours (A25, A29, A33, A43, A44, L12)."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Claim, Grant, hookimpl, hours, organizations, projects, volunteers
from volunteerkit.clock import Calendar
from volunteerkit.errors import InvalidValue, Refused
from volunteerkit.policy import Policy
from volunteerkit.projects.tables import participation, shift
from volunteerkit.store.desk import microseconds
from volunteerkit.store.texts import open_texts
from volunteerkit.store.vault import vault

CLERK, CHECKER = Actor.of("clerk-7", "centre"), Actor.of("clerk-8", "centre")
SELF = Actor("person-1", (Grant("volunteer"),), volunteer="V1")
DAY, TODAY = dt.date(2026, 11, 20), dt.date(2026, 11, 23)


@pytest.fixture
def begun(city: Any) -> Any:
    def begin(desk: Any) -> None:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        projects.register(desk, "P1", name="无偿献血宣传", organization="O1")
        projects.register(desk, "P2", name="敬老院服务", organization="O1")
        volunteers.admit(desk, name="𠮷田喆", organization="O1", number="V1")

    city.at(dt.date(2026, 1, 5), CLERK, begin)
    return city


def add_shift(city: Any, first: int, last: int, capacity: int | None = 2, *, enrolled: bool = True) -> None:
    """Add a shift of P1 on the day, between two hours of the city's clock."""

    def add(desk: Any) -> None:
        start = dt.datetime.combine(DAY, dt.time(first), desk.zone)
        end = start + dt.timedelta(hours=last - first)
        id_ = (desk.connection.execute(sa.select(sa.func.max(shift.c.id))).scalar() or 0) + 1
        desk.connection.execute(
            sa.insert(shift).values(id=id_, project_id=1, starts_at=microseconds(start), ends_at=microseconds(end),
                                    capacity=capacity, taken=int(enrolled))
        )  # fmt: skip
        if enrolled:
            desk.connection.execute(
                sa.insert(participation).values(id=id_, shift_id=id_, volunteer_id=1, state="accepted", rank=1,
                                                applied_at=0, changed_at=0, changed_by="x")
            )  # fmt: skip

    city.at(TODAY, CLERK, add)


def claimed(city: Any, claim: Claim, actor: Actor = CLERK, day: dt.date = TODAY) -> Any:
    return city.at(day, actor, hours.record, claim)


def codes(error: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [finding.code for finding in error.value.findings if finding.severity != "warn"]


def test_service_is_the_kind_unless_said_otherwise_and_the_chain_covers_it(begun: Any) -> None:
    made = [
        claimed(begun, Claim("V1", "P2", DAY, 60, kind=kind))
        for kind in ("service", "planning", "travel", "training")
    ]
    for each in made:
        begun.at(TODAY, CHECKER, hours.confirm, each.record_id)
    found = begun.at(TODAY, CLERK, hours.statement, "V1", rulebook="plain")
    assert [line.kind for line in found.lines] == ["service", "planning", "travel", "training"]
    with begun.engine.connect() as connection:
        assert hours.verify_store(connection).holds
    for kind in ("Service", "", None, 1):
        with pytest.raises(InvalidValue):
            Claim("V1", "P2", DAY, 60, kind=kind)  # type: ignore[arg-type]


CASES = json.loads(Path(__file__).with_name("order67.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_order_67_due_days(case: dict[str, Any]) -> None:
    facts, expected = case["facts"], case["expect"]
    days = {
        name: frozenset(map(dt.date.fromisoformat, facts["calendar"][name]))
        for name in ("holidays", "extra_workdays")
    }
    due = hours.recording_due(dt.date.fromisoformat(facts["activity_end"]), Calendar(**days), Policy())
    assert str(due) == expected["due"]
    assert due is not None
    assert (dt.date.fromisoformat(facts["recorded_on"]) <= due) is expected["on_time"]


def test_a_late_record_is_told(begun: Any) -> None:
    claim = Claim("V1", "P2", dt.date(2026, 11, 9), 60)
    assert claimed(begun, claim).findings == ()
    (late,) = claimed(begun, claim, day=dt.date(2026, 11, 24)).findings
    assert (late.code, late.values["until"], late.severity) == ("recorded_late", TODAY, "warn")


def test_a43_a_claim_older_than_three_months_needs_evidence_and_a_reason(begun: Any) -> None:
    old = dt.date(2026, 8, 22)
    with pytest.raises(Refused) as told:
        claimed(begun, Claim("V1", "P2", old, 60), SELF)
    assert codes(told) == ["claim_too_late"]
    assert claimed(begun, Claim("V1", "P2", old + dt.timedelta(1), 60), SELF).state == "pending"
    assert claimed(begun, Claim("V1", "P2", old, 60), CLERK).state == "pending"  # somebody else's word
    made = claimed(begun, Claim("V1", "P2", old, 60, evidence="活动签到表第三页，欧阳雪签名"), SELF)
    assert [finding.code for finding in made.findings] == ["held_late_claim"]
    with pytest.raises(Refused) as told:
        begun.at(TODAY, CHECKER, hours.confirm, made.record_id)
    assert codes(told) == ["held_needs_reason"]
    assert begun.at(TODAY, CHECKER, hours.confirm, made.record_id, reason="签到表属实").state == "confirmed"


def test_evidence_is_sealed_and_no_message_or_table_tells_it(begun: Any) -> None:
    claim = Claim("V1", "P2", dt.date(2026, 8, 1), 60, evidence="欧阳雪作证")
    assert "欧阳雪" not in repr(claim)
    made = claimed(begun, claim, SELF)

    def read(desk: Any) -> tuple[str, str]:
        held = desk.connection.exec_driver_sql(
            f"SELECT evidence FROM vk_service_record WHERE id = {made.record_id}"
        ).scalar()
        return held, open_texts(desk, [held])[held]

    address, text = begun.at(TODAY, CLERK, read)
    assert (address, text) == (f"volunteer:1#evidence:{made.record_id}", "欧阳雪作证")
    with begun.engine.connect() as connection:
        assert "欧阳雪" not in repr(connection.execute(sa.select(vault)).fetchall())
        assert hours.verify_store(connection).holds


def test_a25_a_future_or_running_service_counts_for_nothing(begun: Any) -> None:
    for claim in (
        Claim("V1", "P2", TODAY + dt.timedelta(1), 60),
        Claim("V1", "P2", TODAY, 60, dt.time(11, 30), dt.time(12, 30)),  # it is noon
        Claim("V1", "P2", TODAY, 600, dt.time(22), dt.time(8)),
    ):
        with pytest.raises(Refused) as told:
            claimed(begun, claim)
        assert codes(told)[0] in ("served_in_future", "service_not_over")
    assert claimed(begun, Claim("V1", "P2", TODAY, 60, dt.time(11), dt.time(12))).state == "pending"


@pytest.mark.parametrize(
    ("start", "end", "minutes", "held"),
    [
        (9, 11, 120, []), (8, 11, 120, ["held_outside_shifts"]), (10, 13, 180, []), (11, 14, 180, []),
        (13, 15, 120, ["held_outside_shifts"]), (17, 18, 60, ["held_outside_shifts", "held_not_enrolled"]),
        (None, None, 300, []), (None, None, 301, ["held_outside_shifts"]),
    ],
)  # fmt: skip
def test_a29_claimed_hours_lie_within_the_activity(
    begun: Any, start: int | None, end: int | None, minutes: int, held: list[str]
) -> None:
    add_shift(begun, 9, 12)
    add_shift(begun, 12, 14)  # they adjoin
    times = () if start is None or end is None else (dt.time(start), dt.time(end))
    made = claimed(begun, Claim("V1", "P1", DAY, minutes, *times))
    assert [finding.code for finding in made.findings] == held
    if held:
        with pytest.raises(Refused):
            begun.at(TODAY, CHECKER, hours.confirm, made.record_id)
    reason = "临时加时，负责人证实" if held else None
    assert begun.at(TODAY, CHECKER, hours.confirm, made.record_id, reason=reason).state == "confirmed"


def test_l12_who_was_not_accepted_for_a_shift_is_held(begun: Any) -> None:
    add_shift(begun, 9, 12, enrolled=False)
    made = claimed(begun, Claim("V1", "P1", DAY, 60, dt.time(9), dt.time(10)))
    assert [finding.code for finding in made.findings] == ["held_not_enrolled"]


def test_l12_a_day_of_more_than_24_hours_is_held(begun: Any) -> None:
    def many(desk: Any) -> list[Any]:
        return hours.record_many(desk, [(None, Claim("V1", "P2", DAY, 720)) for _ in range(2)])

    assert [each.findings for each in begun.at(TODAY, CLERK, many)] == [(), ()]
    made = claimed(begun, Claim("V1", "P2", DAY, 1))
    assert [finding.code for finding in made.findings] == ["held_day_over_24h"]
    assert claimed(begun, Claim("V1", "P2", DAY - dt.timedelta(1), 720)).findings == ()


def issue(city: Any, minutes: int) -> Any:
    made = claimed(city, Claim("V1", "P1", DAY, minutes))
    return made.record_id


def limit(city: Any) -> Any:
    with city.engine.connect() as connection:
        return connection.exec_driver_sql("SELECT limit_minutes FROM vk_account WHERE id = 18").scalar()


def test_l12_a_project_issues_no_more_than_its_places_times_their_length(begun: Any) -> None:
    add_shift(begun, 9, 12, capacity=2)  # 360 minutes
    first, second = issue(begun, 180), issue(begun, 180)
    third = issue(begun, 30)
    for record_id in (first, second):
        begun.at(TODAY, CHECKER, hours.confirm, record_id, reason="核对属实")
    assert limit(begun) == 360
    with pytest.raises(Refused) as told:
        begun.at(TODAY, CHECKER, hours.confirm, third, reason="核对属实")
    assert codes(told) == ["over_budget"]
    assert told.value.findings[-1].values == {"minutes": 30, "left": 0}
    assert begun.at(TODAY, CLERK, hours.raise_budget, "P1", 20, reason="增加一名志愿者") == 380
    with pytest.raises(Refused):
        begun.at(TODAY, CHECKER, hours.confirm, third, reason="核对属实")
    begun.at(TODAY, CHECKER, hours.confirm, third, minutes=20, reason="其余不属实")
    more = issue(begun, 10)

    def swapped(desk: Any) -> None:
        hours.reverse(desk, third, reason="不实")
        hours.confirm(desk, more, reason="核对属实")
        hours.restore(desk, third, reason="属实")

    for verb in (lambda desk: hours.adjust(desk, third, minutes=21, reason="补一分钟"), swapped):
        with pytest.raises(Refused) as told:
            begun.at(TODAY, CHECKER, verb)
        assert codes(told) == ["over_budget"]
    with begun.engine.connect() as connection:
        assert hours.verify_store(connection).holds


def test_l12_a_project_without_shifts_or_with_unlimited_places_has_no_limit(begun: Any) -> None:
    begun.at(TODAY, CHECKER, hours.confirm, issue(begun, 600))
    assert limit(begun) is None
    add_shift(begun, 9, 12, capacity=1)
    add_shift(begun, 13, 14, capacity=None)
    begun.at(TODAY, CHECKER, hours.confirm, issue(begun, 200), reason="核对属实")
    assert limit(begun) is None


def test_l12_the_database_itself_refuses_to_issue_more(begun: Any) -> None:
    add_shift(begun, 9, 12, capacity=1)
    begun.at(TODAY, CHECKER, hours.confirm, issue(begun, 100), reason="核对属实")
    with pytest.raises(sa.exc.IntegrityError), begun.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE vk_account SET posted_minutes = -181 WHERE id = 18")


HISTORY = """id = "history"
decides = "credit"
[[version]]
effective_from = 2014-01-01
citation = "试行：历史时数不计入"
select = "method != 'import'"
"""


def test_a44_historical_hours_are_a_class_of_their_own_that_a_rule_leaves_out(
    make_city: Any, sqlite_url: str, tmp_path: Path
) -> None:
    book = tmp_path / "history.toml"
    book.write_text(HISTORY, "utf-8")

    @hookimpl
    def vk_rulebooks() -> Any:
        return [book]

    city = make_city(sqlite_url, SimpleNamespace(__name__="history", vk_rulebooks=vk_rulebooks))

    def begin(desk: Any) -> None:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        projects.register(desk, "P2", name="敬老院服务", organization="O1")
        volunteers.admit(desk, name="𠮷田喆", organization="O1", number="V1")

    city.at(TODAY, CLERK, begin)
    for minutes, method in ((60, "import"), (30, "checkin")):
        made = claimed(city, Claim("V1", "P2", DAY, minutes, method=method))
        city.at(TODAY, CHECKER, hours.confirm, made.record_id)
    found = city.at(TODAY, CLERK, hours.statement, "V1", rulebook="history")
    assert (found.confirmed_minutes, found.credited_minutes) == (90, 30)


def test_a_rejected_claim_leaves_its_time_to_another_one(begun: Any) -> None:
    first = claimed(begun, Claim("V1", "P1", DAY, 1440, dt.time(0), dt.time(23, 59)), SELF)
    begun.at(TODAY, CHECKER, hours.reject, first.record_id, reason="不是这一天")
    again = claimed(begun, Claim("V1", "P1", DAY, 240, dt.time(9), dt.time(13)), SELF)
    assert (again.state, again.findings) == ("pending", ())
    assert begun.at(TODAY, CHECKER, hours.confirm, again.record_id).minutes == 240
