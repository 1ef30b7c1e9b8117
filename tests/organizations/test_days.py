"""Every day that a verb of organizations, teams or the base takes is checked at the border, by its name."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import volunteerkit
from volunteerkit import Actor, Grant, Kit, Refused, fixed_clock, organizations
from volunteerkit.errors import InvalidValue
from volunteerkit.messages import LANGUAGES
from volunteerkit.organizations import base, tables, teams
from volunteerkit.store.desk import Desk
from volunteerkit.units import day_number

DAY = dt.date(2026, 11, 23)
LATER = DAY + dt.timedelta(30)
CENTRE = Actor("centre-1", (Grant("centre"), Grant("organization_admin", "O2")))

CALLS: dict[tuple[Callable[..., Any], str], Callable[[Desk, Any], Any]] = {
    **{
        (organizations.propose_suspension, name): lambda desk, day, name=name: (
            organizations.propose_suspension(  # type: ignore[misc]
                desk, "O1", reason="年检未过", **{name: day}
            )
        )
        for name in ("since", "until")
    },
    (organizations.propose_lifting, "on"): lambda desk, day: organizations.propose_lifting(
        desk, "O1", reason="已整改", on=day
    ),
    (organizations.propose_dissolution, "on"): lambda desk, day: organizations.propose_dissolution(
        desk, "O1", reason="解散", on=day
    ),
    (organizations.propose_merger, "on"): lambda desk, day: organizations.propose_merger(
        desk, "O1", successor="O2", reason="合并", on=day
    ),
    (organizations.answering_for, "on"): lambda desk, day: organizations.answering_for(desk, "O1", on=day),
    (teams.transfer, "on"): lambda desk, day: teams.transfer(desk, "T1", "O2", on=day),
    (teams.organization_of, "on"): lambda desk, day: teams.organization_of(desk, "T1", day),
    **{
        (teams.suspend, name): lambda desk, day, name=name: teams.suspend(  # type: ignore[misc]
            desk, "T1", reason="整顿", **{name: day}
        )
        for name in ("since", "until")
    },
    (teams.lift, "on"): lambda desk, day: teams.lift(desk, "T1", reason="已整改", on=day),
    (teams.dissolve, "on"): lambda desk, day: teams.dissolve(desk, "T1", reason="解散", on=day),
    (base.apply, "starts_on"): lambda desk, day: base.apply(desk, "O2", starts_on=day, ends_on=LATER),
    (base.apply, "ends_on"): lambda desk, day: base.apply(desk, "O2", starts_on=DAY, ends_on=day),
    (base.extend, "ends_on"): lambda desk, day: base.extend(desk, 1, day),
    (base.note_service, "on"): lambda desk, day: base.note_service(desk, 1, "财务辅导", on=day),
    (base.occupancy, "on"): base.occupancy,
}
ODD = st.one_of(
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.text(max_size=12),
    st.sampled_from(["2026-11-23", "20255-01-01", "今天", "", b"", [], {}, 0, False, True, 20255, 1.5, float("nan")]),
    st.integers(),
    st.times(),
    st.dates(max_value=dt.date(1899, 12, 31)),
    st.dates(min_value=dt.date(2200, 1, 1)),
    st.sampled_from([dt.date.min, dt.date.max, dt.date(201, 11, 23)]),
)  # fmt: skip


@pytest.fixture(scope="module")
def town() -> Iterator[tuple[Kit, sa.Engine]]:
    kit = Kit.load(clock=fixed_clock(dt.datetime.combine(DAY, dt.time(4), dt.UTC)))
    engine = volunteerkit.create_engine("sqlite://")
    kit.migrate(engine)
    with kit.open(engine, CENTRE) as desk:
        for number in ("O1", "O2"):
            organizations.register(desk, number, name="联合会", area="渝水区")
        desk.connection.execute(
            sa.insert(tables.team).values(id=1, number="T1", name="队", organization_id=1, status="approved")
        )
        desk.connection.execute(
            sa.insert(tables.tenancy).values(
                id=1,
                organization_id=1,
                starts_on=day_number(DAY),
                ends_on=day_number(LATER),
                status="granted",
            )
        )
    yield kit, engine
    engine.dispose()


def tried(town: tuple[Kit, sa.Engine], call: Callable[[Desk, Any], Any], day: Any) -> Any:
    kit, engine = town
    with engine.connect() as connection, connection.begin() as transaction:
        try:
            return call(kit.desk(connection, CENTRE), day)
        finally:
            transaction.rollback()


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(odd=ODD)
@pytest.mark.parametrize("which", CALLS, ids=lambda which: f"{which[0].__name__}.{which[1]}")
def test_an_odd_day_is_told_by_its_name(town: Any, which: Any, odd: Any) -> None:
    with pytest.raises(InvalidValue) as caught:
        tried(town, CALLS[which], odd)
    assert caught.value.values["name"] == which[1]
    for language in LANGUAGES:
        assert which[1] in caught.value.message(language)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    day=st.dates(dt.date(1900, 1, 1), dt.date(2199, 12, 31))
    | st.dates(DAY - dt.timedelta(3), DAY + dt.timedelta(40))
)
@pytest.mark.parametrize("which", CALLS, ids=lambda which: f"{which[0].__name__}.{which[1]}")
def test_any_other_day_is_taken_or_refused_by_what_is_so(town: Any, which: Any, day: dt.date) -> None:
    error: Exception | None = None
    try:
        tried(town, CALLS[which], day)
    except (Refused, InvalidValue) as refused:
        error = refused
    if isinstance(error, InvalidValue):  # an end before its beginning
        assert error.values["name"] in ("until", "ends_on")


def test_an_end_before_its_beginning_is_told_by_its_name(town: Any) -> None:
    since, until = DAY + dt.timedelta(5), DAY + dt.timedelta(4)
    calls: list[tuple[str, Callable[[Desk, Any], Any]]] = [
        ("until", lambda desk, day: organizations.propose_suspension(desk, "O1", reason="核查", since=since, until=day)),
        ("until", lambda desk, day: teams.suspend(desk, "T1", reason="核查", since=since, until=day)),
        ("ends_on", lambda desk, day: base.apply(desk, "O2", starts_on=since, ends_on=day)),
    ]  # fmt: skip
    for name, call in calls:
        with pytest.raises(InvalidValue) as caught:
            tried(town, call, until)
        assert caught.value.values["name"] == name
        assert str(since) in caught.value.message("zh-CN")
        tried(town, call, since)


def test_every_day_that_a_verb_takes_is_tried() -> None:
    taken = {
        (verb, name)
        for module in (organizations, teams, base)
        for each in module.__all__
        if inspect.isfunction(verb := getattr(module, each))
        for name, parameter in inspect.signature(verb).parameters.items()
        if "dt.date" in str(parameter.annotation)
    }
    assert taken == set(CALLS)
