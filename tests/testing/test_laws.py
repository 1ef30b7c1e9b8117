"""``check_plugin``: right rules hold, every wrong one is named by its law with a small counter-example."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import given, settings

from volunteerkit import Finding, Rulebook, RuleFunction, hookimpl
from volunteerkit.cli.app import app
from volunteerkit.errors import InvalidValue, PluginError
from volunteerkit.rules import Record, builtin_rulebooks
from volunteerkit.testing import PluginReport, check_plugin, laws, targets_of
from volunteerkit.testing.strategies import Subject, edges_of, subjects
from volunteerkit.units import day_number

ON = dt.date(2026, 11, 25)
RULE = """
id = "渝水.star"
decides = "star"
title = { zh-CN = "星级", en = "stars" }
[[version]]
effective_from = 2020-01-01
citation = "渝水区办法"
credit.limit = [{ per = "day", at_most = "480" }]
measure.year_minutes = { sum = "minutes", from = "year_start(today, 1)" }
step = [{ award = 1, when = "year_minutes >= 20 * 60" }]
"""
CASE = """
regime = "渝水"
[[cases]]
why = "二十小时"
as_of = 2026-11-25
records = [{ count = 5, year = 2026, minutes = 240 }]
expect = { star = 1 }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "渝水 区"
    (place / "cases").mkdir(parents=True)
    (place / "yushui.toml").write_text(RULE, "utf-8")
    (place / "cases" / "yushui.toml").write_text(CASE, "utf-8")
    return place


def states(report: PluginReport) -> dict[str, str]:
    return {each.law: each.state for each in report.results}


def named(name: str, **hooks: Any) -> Any:
    """A plugin of this test."""
    return SimpleNamespace(__name__=name, **{hook: hookimpl(each) for hook, each in hooks.items()})


def with_book(text: str, name: str = "yushui", **hooks: Any) -> Any:
    def vk_rulebooks() -> Iterable[Rulebook]:
        yield Rulebook.loads(text)

    return named(name, vk_rulebooks=vk_rulebooks, **hooks)


def test_a_right_rulebook_keeps_every_law(folder: Path) -> None:
    report = check_plugin(folder / "yushui.toml", examples=30)
    assert report.holds, str(report)
    assert set(states(report).values()) == {"holds"}
    assert {each.law: each.tried for each in report.results}["cases"] == 1


def test_the_same_seed_says_the_same_word_for_word(folder: Path) -> None:
    wrong = with_book(RULE.replace('"480"', '"480", beyond = "refuse"'))
    one, other = (check_plugin(wrong, examples=60, seed=7) for _ in range(2))
    assert [each.broken for each in one.results] == [each.broken for each in other.results]


def test_less_for_more_is_shown_in_both_languages() -> None:
    report = check_plugin(with_book(RULE.replace('"480"', '"480", beyond = "refuse"')), examples=100)
    assert {law for law, state in states(report).items() if state == "broken"} == {"monotone"}
    result = next(each for each in report.results if each.law == "monotone")
    assert result.broken is not None
    assert result.broken.subject is not None
    assert len(result.broken.subject.records) <= 4
    assert (result.broken.expected, result.broken.found) == ({"star": 1}, {"star": 0})
    zh, en = ("\n".join(report.lines(language)) for language in ("zh-CN", "en"))
    assert "✗ 时长增加，结果不降" in zh
    assert "8 小时" in zh
    assert "应为：{'star': 1}" in zh
    assert "monotone = false" in en
    assert "8 h" in en


def test_who_says_so_may_give_less_for_more() -> None:
    text = RULE.replace('"480"', '"480", beyond = "refuse"').replace("citation", "monotone = false\ncitation")
    assert states(check_plugin(with_book(text), examples=20))["monotone"] == "idle"


def test_a_function_whose_columns_differ_breaks_one_equals_many() -> None:
    def vk_functions() -> Iterable[RuleFunction]:
        yield RuleFunction("yushui.long", one=lambda days: days >= 24, many=lambda days: days > 24)

    def vk_rulebooks() -> Iterable[Path]:
        yield path

    text = """
id = "yushui.star"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "办法"
step = [{ award = 1, when = "yushui.long(service_days) or service_days == 24 and credited_minutes < 0" }]
"""
    path = Path(_written(text))
    report = check_plugin(named("yushui", vk_functions=vk_functions, vk_rulebooks=vk_rulebooks), examples=1)
    assert states(report)["many"] == "broken"
    broken = next(each.broken for each in report.results if each.law == "many")
    assert broken is not None
    assert (broken.expected, broken.found) == (1, 0)


def _written(text: str) -> str:
    import tempfile

    place = Path(tempfile.mkdtemp()) / "long.toml"
    place.write_text(text, "utf-8")
    return str(place)


def test_a_function_that_fails_is_an_error_with_a_code_and_no_failure() -> None:
    def vk_functions() -> Iterable[RuleFunction]:
        yield RuleFunction("yushui.bad", one=lambda days: 1 // (days - 24) > 0)

    path = Path(
        _written(
            RULE.replace('"year_minutes >= 20 * 60"', '"yushui.bad(service_days) and service_days < 24"')
        )
    )

    def vk_rulebooks() -> Iterable[Path]:
        yield path

    report = check_plugin(named("yushui", vk_functions=vk_functions, vk_rulebooks=vk_rulebooks), examples=1)
    assert states(report)["decided"] == "holds"


BY_HASH = """
import os, sys
from volunteerkit import Rulebook, RuleFunction, hookimpl

@hookimpl
def vk_functions():
    yield RuleFunction("yushui.luck", one=lambda days: days + len(SEED) > 1)

@hookimpl
def vk_rulebooks():
    from pathlib import Path
    yield Path(__file__).with_name("luck.toml")
"""


@pytest.mark.parametrize(
    "seed",
    ['os.environ.get("PYTHONHASHSEED", "")[:1]', 'sys.exit(3) if os.environ.get("PYTHONHASHSEED") else ""'],
)
def test_what_differs_from_process_to_process_is_named(
    tmp_path: Path, seed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    plugin = tmp_path / "渝水 区.py"
    plugin.write_text(BY_HASH.replace("SEED", "S") + f"\nS = {seed}\n", "utf-8")
    rule = RULE.replace("year_minutes >= 20 * 60", "yushui.luck(service_days)")
    (tmp_path / "luck.toml").write_text(rule, "utf-8")
    report = check_plugin(plugin, examples=20)
    assert {law for law, state in states(report).items() if state == "broken"} == {"seed"}
    assert "哈希种子为 1" in "\n".join(report.lines("zh-CN"))


def test_a_case_that_fails_is_told_by_its_reason(folder: Path) -> None:
    (folder / "cases" / "yushui.toml").write_text(CASE.replace("star = 1", "star = 2"), "utf-8")
    report = check_plugin(folder / "yushui.toml", examples=5)
    assert states(report)["cases"] == "broken"
    assert "二十小时" in "\n".join(report.lines("zh-CN"))


@pytest.mark.parametrize(
    "answer",
    [
        ["a text"],
        [Finding("other.code", texts={"zh-CN": "一", "en": "one"})],
        [Finding("yushui.night", texts={"zh-CN": "{begin} 以后", "en": "after"})],
        [Finding("yushui.night", texts={"zh-CN": "夜间"})],
    ],
)
def test_a_hook_with_a_wrong_answer_is_named(answer: list[Any]) -> None:
    report = check_plugin(with_book(RULE, vk_review_hours=lambda claim: answer), examples=5)
    broken = next(each.broken for each in report.results if each.law == "hooks")
    assert broken is not None
    assert "vk_review_hours" in "\n".join(report.lines("zh-CN"))


def test_a_hook_that_fails_or_loses_somebody_is_named() -> None:
    def fails(claim: Any) -> list[Finding]:
        raise KeyError(claim.volunteer)

    plugin = with_book(RULE, vk_review_hours=fails, vk_choose_matching=lambda candidates: [7, 3])
    report = check_plugin(plugin, examples=5)
    assert states(report)["hooks"] == "broken"
    assert "V0000001" not in str(report)


def test_a_number_that_is_none_is_named() -> None:
    report = check_plugin(with_book(RULE, vk_choose_number=lambda kind, serial: serial), examples=5)
    assert states(report)["hooks"] == "broken"
    assert "int" in str(report)


def test_each_law_notices_what_breaks_it() -> None:
    book = Rulebook.loads(RULE)
    version = book.versions[0]
    bare = attrs.evolve(book, versions=(attrs.evolve(version, citation=" "),))
    assert laws.every_version_is_cited(book) is None
    assert laws.every_version_is_cited(bare) is not None
    assert laws.text_round_trip(book) is None
    assert laws.cost_within(book) is None
    assert laws.cost_within(book, steps=10) is not None
    someone = Subject(ON, (Record(1, day_number(ON), -1, 0, 60),), {})
    assert laws.more_minutes_never_lower(book, someone, 0, 60) is None
    assert laws.outcome(book, someone)["schemes"]["star"]["eligible"] == []
    early = attrs.evolve(someone, on=dt.date(2019, 12, 31))
    assert laws.outcome(book, early) == {"refused": "rulebook_not_yet"}


@given(subjects(Rulebook.loads(RULE)))
@settings(max_examples=30, deadline=None)
def test_an_author_uses_the_laws_in_tests_of_their_own(someone: Subject) -> None:
    book = Rulebook.loads(RULE)
    assert laws.always_decided(book, someone) is None
    assert laws.replay_equals_record(book, someone) is None
    assert laws.order_does_not_matter(book, someone) is None


def test_examples_lie_at_every_literal() -> None:
    edges = edges_of(
        Rulebook.loads(
            RULE.replace('sum = "minutes"', 'sum = "minutes", where = "category == \'助老\'"')
        ).versions[0]
    )
    assert {480, 1200} <= set(edges.numbers)
    assert edges.words == {"category": ("助老",)}


@pytest.mark.parametrize("book", builtin_rulebooks(), ids=lambda book: book.id)
def test_the_rulebooks_that_ship_keep_the_laws(book: Rulebook) -> None:
    renamed = attrs.evolve(book, id="yushui.hours")

    def vk_rulebooks() -> Iterable[Rulebook]:
        yield renamed

    report = check_plugin(named("yushui", vk_rulebooks=vk_rulebooks), examples=40)
    assert report.holds, str(report)


@pytest.mark.parametrize(("name", "value"), [("examples", 0), ("examples", 10**6), ("seed", -1)])
def test_figures_nobody_can_mean_are_refused(folder: Path, name: str, value: int) -> None:
    asked: dict[str, Any] = {name: value}
    with pytest.raises(InvalidValue, match="0 …" if name == "seed" else "1 …"):
        check_plugin(folder / "yushui.toml", **asked)


def test_what_is_no_plugin_is_refused_with_the_nearest(folder: Path) -> None:
    with pytest.raises(PluginError, match="xinyu"):
        check_plugin("xinyo")
    with pytest.raises(InvalidValue) as told:
        targets_of(
            folder / "cases" / "..",
        )[0].asked and targets_of(folder.parent)
    assert told.value.code == "plugin_folder_empty"


def test_the_command_tells_people_and_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> None:
        app(["plugin", "check", *words], exit_on_error=False, result_action="return_value")

    run(str(folder), "--examples", "5", "--seed", "3", "--json")
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["plugin"], told["seed"], told["holds"]) == ("yushui", 3, True)
    assert len(told["laws"]) == 11
    (folder / "cases" / "yushui.toml").write_text(CASE.replace("star = 1", "star = 2"), "utf-8")
    with pytest.raises(SystemExit) as done:
        run(str(folder / "yushui.toml"), "--examples", "5")
    assert done.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("✓") for line in lines) == 10
    assert sum(line.startswith("✗") for line in lines) == 1


def test_a_folder_without_cases_is_no_folder_of_cases(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue) as told:
        check_plugin(folder / "yushui.toml", examples=5, cases=tmp_path / "没有")
    assert told.value.code == "cases_none"
