"""Plugins that a city may write wrongly, and what it is told."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Claim,
    Finding,
    KeyCipher,
    Kit,
    RuleFunction,
    hookimpl,
    hours,
    organizations,
    projects,
    rating,
    volunteers,
)
from volunteerkit.errors import InvalidValue, PluginConflict, PluginError, Refused
from volunteerkit.hooks import KINDS
from volunteerkit.store import note_delivery

CLERK = Actor.of("clerk-7", "centre")


def plugin(name: str, **functions: Any) -> Any:
    return SimpleNamespace(__name__=name, **functions)


def test_a_misspelt_hook_is_named_with_the_nearest_one() -> None:
    @hookimpl
    def vk_rulebook() -> list[Any]:
        return []

    with pytest.raises(PluginError) as told:
        Kit.load(plugin("city", vk_rulebook=vk_rulebook))
    assert (told.value.code, told.value.values["near"].values["guess"]) == (
        "plugin_hook_unknown",
        "vk_rulebooks",
    )
    assert "city" in told.value.message("en")


def test_a_missing_mark_is_not_passed_over() -> None:
    with pytest.raises(PluginError) as told:
        Kit.load(plugin("city", vk_rulebooks=lambda: []))
    assert told.value.code == "plugin_mark_missing"


def test_a_wrong_argument_is_told() -> None:
    @hookimpl
    def vk_review_hours(claims: Any) -> list[Any]:
        return []

    with pytest.raises(PluginError) as told:
        Kit.load(plugin("city", vk_review_hours=vk_review_hours))
    assert told.value.code == "plugin_arguments"


@pytest.mark.parametrize("option", ["tryfirst", "trylast", "wrapper", "hookwrapper"])
def test_order_and_wrappers_are_refused(option: str) -> None:
    mark = pluggy.HookimplMarker("volunteerkit")

    def vk_rulebooks() -> Any:
        yield

    with pytest.raises(PluginError) as told:
        Kit.load(plugin("city", vk_rulebooks=mark(**{option: True})(vk_rulebooks)))
    assert told.value.code == "plugin_order"


def test_two_ladders_for_stars_conflict_and_both_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text(
        'id = "other.star"\ndecides = "star"\n[[version]]\neffective_from = 2020-01-01\ncitation = "试行"\n'
        'step = [{ award = 1, when = "credited_minutes >= 60" }]\n',
        "utf-8",
    )
    with pytest.raises(PluginConflict) as told:
        Kit.load("xinyu", path)
    assert {told.value.values["first"], told.value.values["second"]} == {"xinyu", "other"}
    assert sorted(Kit.load(path).rulebooks) == ["other.star", "plain", "union"]


def test_an_unknown_plugin_is_told_with_the_nearest_name() -> None:
    with pytest.raises(PluginError) as told:
        Kit.load("xinyo")
    assert told.value.values["near"].values["guess"] == "xinyu"


def city(kit: Kit) -> Any:
    engine = volunteerkit.create_engine("sqlite://")
    kit.migrate(engine)
    with kit.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
        projects.register(desk, "P1", name="宣传", organization="O1")
        volunteers.register(desk, Application("兰", "O1", consent_on=desk.today), number="V1")
    with kit.open(engine, Actor.of("clerk-8", "centre")) as desk:
        volunteers.approve(desk, "V1")
    return engine


def test_a_review_can_refuse_and_fails_closed() -> None:
    @hookimpl
    def vk_review_hours(claim: Claim) -> Any:
        if claim.claimed_minutes > 480:
            yield Finding("city_too_long", {"minutes": claim.claimed_minutes})
        if claim.claimed_minutes == 1:
            raise ZeroDivisionError

    kit = Kit.load(plugin("city", vk_review_hours=vk_review_hours), cipher=KeyCipher(bytes(32)))
    engine = city(kit)
    with pytest.raises(Refused) as refused, kit.open(engine, CLERK) as desk:
        hours.record(desk, Claim("V1", "P1", dt.date(2026, 1, 2), 481))
    assert [(finding.code, finding.plugin) for finding in refused.value.findings] == [
        ("city_too_long", "city")
    ]
    with pytest.raises(PluginError) as failed, kit.open(engine, CLERK) as desk:
        hours.record(desk, Claim("V1", "P1", dt.date(2026, 1, 2), 1))
    assert failed.value.values["plugin"] == "city"
    with kit.open(engine, CLERK) as desk:
        assert hours.record(desk, Claim("V1", "P1", dt.date(2026, 1, 2), 480)).record_id == 1
    engine.dispose()


def test_events_reach_a_failing_plugin_again_and_others_at_once() -> None:
    seen: dict[str, list[int]] = {"good": [], "bad": []}
    broken = [True]

    @hookimpl
    def vk_react(event: Any) -> None:
        seen["good"].append(event.seq)

    def react_badly(event: Any) -> None:
        if broken[0]:
            raise RuntimeError
        seen["bad"].append(event.seq)

    class Bad:
        pass

    bad = Bad()
    bad.vk_react = hookimpl(react_badly)  # type: ignore[attr-defined]
    kit = Kit.load(plugin("good", vk_react=vk_react), bad, cipher=KeyCipher(bytes(32)))
    engine = city(kit)
    assert kit.deliver(engine) == 6
    assert (seen["good"], seen["bad"]) == ([1, 2, 3, 4, 5, 6], [])
    broken[0] = False
    assert kit.deliver(engine) == 6
    assert seen["bad"] == [1, 2, 3, 4, 5, 6]
    assert kit.deliver(engine) == 0
    engine.dispose()


def test_every_hook_has_one_of_the_four_kinds_and_an_explanation() -> None:
    assert set(KINDS.values()) == {"contribute", "review", "choose", "react"}
    from volunteerkit import hooks

    assert all(getattr(hooks, name).__doc__ for name in KINDS)


@pytest.mark.parametrize("nothing", [None, 42, ["xinyu"], object(), dt])
def test_what_implements_no_hook_is_no_plugin(nothing: Any) -> None:
    with pytest.raises(PluginError) as told:
        Kit.load(nothing)
    assert told.value.code == "plugin_empty"


def test_a_misspelt_severity_and_a_text_without_its_values_still_refuse() -> None:
    @hookimpl
    def vk_review_hours(claim: Claim) -> Any:
        yield Finding("own_record", severity="blok")  # type: ignore[arg-type]

    kit = Kit.load(plugin("city", vk_review_hours=vk_review_hours), cipher=KeyCipher(bytes(32)))
    engine = city(kit)
    with pytest.raises(Refused) as refused, kit.open(engine, CLERK) as desk:
        hours.record(desk, Claim("V1", "P1", dt.date(2026, 1, 2), 60))
    assert str(refused.value) == "own_record"
    engine.dispose()


@pytest.mark.parametrize("chosen", ["", "  ", "a\nb", "x" * 101])
def test_a_number_that_cannot_be_one_is_not_taken_from_a_plugin(chosen: str) -> None:
    @hookimpl
    def vk_choose_volunteer_number() -> str:
        return chosen

    kit = Kit.load(
        plugin("city", vk_choose_volunteer_number=vk_choose_volunteer_number), cipher=KeyCipher(bytes(32))
    )
    engine = volunteerkit.create_engine("sqlite://")
    kit.migrate(engine)
    with kit.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
    with pytest.raises(InvalidValue), kit.open(engine, CLERK) as desk:
        volunteers.admit(desk, name="兰", organization="O1")
    engine.dispose()


def test_a_plugin_may_use_the_database_while_it_reacts(database_url: str) -> None:
    counted: list[int] = []
    engine = volunteerkit.create_engine(database_url, busy_seconds=1)

    @hookimpl
    def vk_react(event: Any) -> None:
        with kit.open(engine, CLERK) as desk:
            counted.append(len(desk.connection.exec_driver_sql("SELECT seq FROM vk_event").all()))

    kit = Kit.load(plugin("city", vk_react=vk_react), cipher=KeyCipher(bytes(32)))
    kit.migrate(engine)
    with kit.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
    assert (kit.deliver(engine), counted, kit.deliver(engine)) == (1, [1], 0)
    engine.dispose()


def test_failures_are_counted_and_what_was_delivered_never_goes_back(database_url: str) -> None:
    seen: list[int] = []

    @hookimpl
    def vk_react(event: Any) -> None:
        seen.append(event.seq)
        if event.seq == 2:
            raise RuntimeError
        if event.seq == 3:
            raise KeyboardInterrupt

    kit = Kit.load(plugin("city", vk_react=vk_react), cipher=KeyCipher(bytes(32)))
    engine = volunteerkit.create_engine(database_url)
    kit.migrate(engine)

    def noted() -> Any:
        with engine.connect() as connection:
            return tuple(connection.exec_driver_sql("SELECT event_seq, failures FROM vk_delivery").one())

    with kit.open(engine, CLERK) as desk:
        for number in ("O1", "O2", "O3"):
            organizations.register(desk, number, name="联合会")
    assert (kit.deliver(engine), noted()) == (1, (1, 1))
    assert (kit.deliver(engine), noted()) == (0, (1, 2))
    with engine.begin() as connection:
        note_delivery(connection, "city", 2, False)
    assert noted() == (2, 0)
    with pytest.raises(KeyboardInterrupt):
        kit.deliver(engine)
    with engine.begin() as connection:
        note_delivery(connection, "city", 1, False)
    assert (seen, noted()) == ([1, 2, 2, 3], (2, 0))
    engine.dispose()


ZEROES = "p.f(service_days)"


@pytest.mark.parametrize(
    ("one", "many", "gives", "when"),
    [
        (lambda days: 1 // days, None, "int", f"{ZEROES} >= 1"),
        (lambda days: "yes", None, "bool", ZEROES),
        (lambda days: None, None, "bool", ZEROES),
        (lambda days: 1.5, None, "int", f"{ZEROES} >= 1"),
        (lambda days: 2**70, None, "int", f"{ZEROES} >= 1"),
        (lambda days: True, None, "int", f"{ZEROES} >= 1"),
        (lambda days: days >= 0, lambda days: days[:0] >= 0, "bool", ZEROES),
        (lambda days: days >= 0, lambda days: days, "bool", ZEROES),
        (lambda days: days >= 0, lambda days: True, "bool", ZEROES),
        (lambda days: days >= 0, lambda days: days.nothing, "bool", ZEROES),
    ],
)
def test_a_rule_function_that_fails_or_lies_is_named(
    tmp_path: Path, one: Any, many: Any, gives: Any, when: str
) -> None:
    book = tmp_path / "star.toml"
    book.write_text(
        f'id = "x"\ndecides = "star"\n[[version]]\neffective_from = 2020-01-01\ncitation = "c"\n'
        f'step = [{{ award = 1, when = "{when}" }}]\n',
        "utf-8",
    )

    @hookimpl
    def vk_functions() -> Any:
        yield RuleFunction("p.f", one=one, many=many, gives=gives)

    kit = Kit.load(plugin("p", vk_functions=vk_functions), book, cipher=KeyCipher(bytes(32)))
    engine = city(kit)
    with kit.open(engine, CLERK) as desk:
        if many is None:
            for call in (
                lambda: rating.rate_volunteer(desk, "V1"),
                lambda: rating.rate_city(desk, kernel=False),
            ):
                with pytest.raises(PluginError) as told:
                    call()
                assert (told.value.values["plugin"], told.value.values["hook"]) == ("p", "p.f")
        else:
            assert rating.rate_volunteer(desk, "V1").assessment.grade == 1
        with pytest.raises(PluginError):
            rating.rate_city(desk, kernel=True)
    engine.dispose()


def test_a_rule_function_that_keeps_its_word_runs_on_every_way(tmp_path: Path) -> None:
    book = tmp_path / "star.toml"
    book.write_text(
        'id = "x"\ndecides = "star"\n[[version]]\neffective_from = 2020-01-01\ncitation = "c"\n'
        'step = [{ award = 1, when = "p.f(service_days, 3) >= 3" }]\n',
        "utf-8",
    )

    @hookimpl
    def vk_functions() -> Any:
        yield RuleFunction("p.f", one=lambda a, b: a + b, many=lambda a, b: a + b, gives="int")

    kit = Kit.load(plugin("p", vk_functions=vk_functions), book, cipher=KeyCipher(bytes(32)))
    engine = city(kit)
    with kit.open(engine, CLERK) as desk:
        assert rating.rate_volunteer(desk, "V1").assessment.grade == 1
        assert [rating.rate_city(desk, kernel=kernel).grades for kernel in (True, False)] == [[1], [1]]
    engine.dispose()


def choosing(name: str, number: str | None) -> Any:
    @hookimpl
    def vk_choose_volunteer_number() -> str | None:
        return number

    return plugin(name, vk_choose_volunteer_number=vk_choose_volunteer_number)


def test_one_plugin_may_choose_and_two_answers_conflict_by_name() -> None:
    kit = Kit.load(choosing("b", None), choosing("a", "志-7"), cipher=KeyCipher(bytes(32)))
    engine = city(kit)
    with kit.open(engine, CLERK) as desk:
        assert volunteers.admit(desk, name="兰", organization="O1") == "志-7"
    two = Kit.load(choosing("b", "1"), choosing("a", "2"), cipher=KeyCipher(bytes(32)))
    with pytest.raises(PluginConflict) as told, two.open(engine, CLERK) as desk:
        volunteers.admit(desk, name="兰", organization="O1")
    assert (told.value.values["first"], told.value.values["second"]) == ("a", "b")
    engine.dispose()


def test_an_error_of_the_librarys_own_passes_through_a_review_as_it_is() -> None:
    @hookimpl
    def vk_review_hours(claim: Claim) -> Any:
        raise Refused(Finding("city_says_no"))

    kit = Kit.load(plugin("city", vk_review_hours=vk_review_hours), cipher=KeyCipher(bytes(32)))
    engine = city(kit)
    with pytest.raises(Refused), kit.open(engine, CLERK) as desk:
        hours.record(desk, Claim("V1", "P1", dt.date(2026, 1, 2), 60))
    engine.dispose()


def test_two_ways_of_crediting_under_one_id_conflict(tmp_path: Path) -> None:
    body = 'id = "ours"\ndecides = "credit"\n[[version]]\neffective_from = 2020-01-01\ncitation = "c"\n'
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(body, "utf-8")
    with pytest.raises(PluginConflict) as told:
        Kit.load(tmp_path / "one.toml", tmp_path / "two.toml")
    assert (told.value.values["first"], told.value.values["second"]) == ("one", "two")
