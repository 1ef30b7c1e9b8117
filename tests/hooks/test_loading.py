"""The ways in which a plugin is named, what is told of one that cannot be used, and that order never matters."""

from __future__ import annotations

import datetime as dt
import logging
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import volunteerkit
from volunteerkit import Fact, Finding, Kit, RuleFunction, hookimpl
from volunteerkit.clock import Calendar
from volunteerkit.errors import PluginConflict, PluginError, Refused
from volunteerkit.hooks import KINDS
from volunteerkit.messages import LANGUAGES
from volunteerkit.policy import Policy
from volunteerkit.workflow import Office, Route, Step

_shared = runpy.run_path(str(Path(__file__).with_name("world.py")), run_name="world")
ASKED, plugin, world_in = (_shared[name] for name in ("ASKED", "plugin", "world_in"))
BODY = """from volunteerkit import hookimpl, Fact
@hookimpl
def vk_facts():
    yield Fact("{name}_trained", "bool", "已完成培训", "has finished training", default=False)
"""
STAR = (
    'id = "{name}.star"\ndecides = "star"\n[[version]]\neffective_from = 2020-01-01\ncitation = "试行"\n'
    'step = [{{ award = 1, when = "credited_minutes >= 60" }}]\n'
)


def file(folder: Path, name: str, body: str = BODY) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(body.format(name=path.stem if path.stem != "__init__" else path.parent.name), "utf-8")
    return path


class City:
    """A plugin with a setting."""

    def __init__(self, most_minutes: int) -> None:
        self.most_minutes = most_minutes

    @hookimpl
    def vk_review_hours(self, claim: Any) -> Any:
        if claim.claimed_minutes > self.most_minutes:
            yield Finding("city.too_long", {"most": self.most_minutes})


def test_a_plugin_is_a_name_a_module_an_object_a_file_or_a_package(tmp_path: Path) -> None:
    module = ModuleType("city_module")
    exec(BODY.format(name="module"), module.__dict__)
    file(tmp_path, "package/__init__.py", "from .parts import vk_facts\n")
    file(tmp_path, "package/parts.py", BODY.replace("{name}", "package"))
    kit = Kit.load("registration_2013", module, City(60), file(tmp_path, "one.py"), str(tmp_path / "package"))
    assert [each.name for each in kit.plugins] == [
        "City",
        "city_module",
        "one",
        "package",
        "registration_2013",
    ]
    assert [name for name, _ in kit.hooks["vk_facts"]] == ["city_module", "one", "package"]


@pytest.mark.parametrize(("most", "refused"), [(59, True), (60, False)])
def test_settings_are_given_to_the_constructor(small: Any, most: int, refused: bool) -> None:
    world = world_in(small).with_(City(most))
    if refused:
        with pytest.raises(Refused) as caught:
            ASKED["vk_review_hours"](world)
        assert [(each.code, each.values) for each in caught.value.findings] == [
            ("city.too_long", {"most": 59})
        ]
    else:
        assert ASKED["vk_review_hours"](world).record_id


def test_a_file_may_set_an_object_up_so_that_the_command_line_needs_no_settings(tmp_path: Path) -> None:
    path = file(tmp_path, "ours.py", (
        "from volunteerkit import Finding, hookimpl\n"
        "class City:\n    def __init__(self, most):\n        self.most = most\n"
        "    @hookimpl\n    def vk_review_hours(self, claim):\n        return [Finding('city.most')]\n"
        "vk_review_hours = City(most=60).vk_review_hours\n"
    ))  # fmt: skip
    assert [name for name, _ in Kit.load(path).hooks["vk_review_hours"]] == ["ours"]


def test_a_class_is_not_yet_a_plugin() -> None:
    with pytest.raises(PluginError) as caught:
        Kit.load(City)
    assert (caught.value.code, caught.value.values["plugin"]) == ("plugin_class", "City")


def test_every_plugin_of_a_folder_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "插件"
    for name in ("b.py", "a.py", "_part.py", ".hidden.py", "package/__init__.py"):
        file(folder, name)
    file(folder, "star.toml", STAR)
    (folder / "notes.txt").write_text("not a plugin", "utf-8")
    (folder / "data").mkdir()
    kit = Kit.load("registration_2013", plugins_dir=folder)
    assert [each.name for each in kit.plugins] == ["a", "b", "package", "registration_2013", "star"]
    assert "star.star" in kit.rulebooks
    assert [each.name for each in Kit.load(plugins_dir=str(folder)).plugins] == ["a", "b", "package", "star"]


@pytest.mark.parametrize("case", ["missing", "empty", "file"])
def test_a_folder_without_plugins_is_told(tmp_path: Path, case: str) -> None:
    folder = tmp_path / "插件"
    if case == "empty":
        folder.mkdir()
    elif case == "file":
        folder.write_text("", "utf-8")
    with pytest.raises(PluginError) as caught:
        Kit.load(plugins_dir=folder)
    for language in LANGUAGES:
        assert "插件" in caught.value.message(language)
        assert str(tmp_path) not in caught.value.message(language)
    assert caught.value.code == "plugin_folder"


def test_a_folder_that_is_no_package_points_to_the_right_option(tmp_path: Path) -> None:
    file(tmp_path, "many/a.py")
    with pytest.raises(PluginError, match="--plugins-dir"):
        Kit.load(tmp_path / "many")


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('欧阳兰')",
        "raise SystemExit('欧阳兰')",
        "import sys; sys.exit(3)",
        "import no_such_module",
        "def broken(:",
        "from . import nothing",
    ],
)
def test_a_plugin_that_cannot_be_imported_is_named(tmp_path: Path, body: str) -> None:
    before = set(sys.modules)
    (tmp_path / "坏.py").write_text(body, "utf-8")
    file(tmp_path, "包/__init__.py", "from . import part\n" + body.replace("{", "{{"))
    (tmp_path / "包" / "part.py").write_text("", "utf-8")
    for name in ("坏.py", "包"):
        with pytest.raises(PluginError) as caught:
            Kit.load(tmp_path / name)
        for language in LANGUAGES:
            assert name in caught.value.message(language)
            assert "欧阳兰" not in caught.value.message(language)
        assert caught.value.code == "plugin_import"
    assert not {each for each in set(sys.modules) - before if each.startswith("volunteerkit_plugin_")}


def test_what_stops_the_program_stops_an_import_too(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("raise KeyboardInterrupt", "utf-8")
    with pytest.raises(KeyboardInterrupt):
        Kit.load(tmp_path / "a.py")


def test_two_plugins_of_one_name_are_both_told(tmp_path: Path) -> None:
    file(tmp_path, "city.py")
    file(tmp_path, "city.toml", STAR)
    with pytest.raises(PluginConflict) as caught:
        Kit.load(plugins_dir=tmp_path)
    assert {caught.value.values["first"], caught.value.values["second"]} == {"city.py", "city.toml"}


def test_an_object_whose_members_cannot_be_read_is_no_plugin() -> None:
    class Odd:
        @property
        def vk_facts(self) -> Any:
            raise RuntimeError("欧阳兰")

    with pytest.raises(PluginError) as caught:
        Kit.load(Odd())
    assert (caught.value.code, "欧阳兰" in caught.value.message()) == ("plugin_import", False)


CHOOSING = {
    "vk_choose_calendar": (Calendar(), Calendar(weekend=[6])),
    "vk_choose_lead": (Office("centre"), Office("department_officer")),
    "vk_choose_policy": (Policy(), Policy()),
    "vk_choose_number": ("X1", "X2"),
    "vk_choose_rendering": ("页", "page"),
    "vk_choose_volunteer_number": ("X1", "X2"),
    "vk_choose_matching": ([1], [1]),
}


@pytest.mark.parametrize("hook", [hook for hook, kind in KINDS.items() if kind == "choose"])
def test_two_that_choose_are_both_told(small: Any, hook: str) -> None:
    two = [
        plugin(name, **{hook: _answering(each)})
        for name, each in zip(("甲", "乙"), CHOOSING[hook], strict=True)
    ]
    world = world_in(small)
    before = world.stored()
    with pytest.raises(PluginConflict) as caught:
        _asked(world, hook, two)
    assert caught.value.values == {"what": hook, "first": "乙", "second": "甲"}
    assert world.stored() == before


def _asked(world: Any, hook: str, plugins: list[Any]) -> None:
    changed = world.with_(*plugins)
    if hook in ASKED:
        ASKED[hook](changed)


def _answering(value: Any) -> Any:
    return lambda: value


def test_the_trace_tells_who_answered_what_and_how_long_it_took(
    small: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "volunteerkit.plugins")
    secret = Finding("欧阳兰 说", severity="warn")
    world = world_in(small).with_(
        plugin("甲", vk_review_hours=_answering([Finding("jia.late", severity="warn"), secret])),
        plugin("乙", vk_review_hours=_answering(None)),
    )
    ASKED["vk_review_hours"](world)
    told = [each.getMessage() for each in caplog.records if "vk_review_hours" in each.getMessage()]
    assert [each.split()[0] for each in told] == ["乙", "甲"]
    assert told[0].endswith(" ms: -")
    assert told[1].endswith(" ms: 2 (jia.late, Finding)")
    assert "欧阳兰" not in caplog.text


def test_who_is_not_traced_is_silent(small: Any, capfd: pytest.CaptureFixture[str]) -> None:
    ASKED["vk_review_hours"](world_in(small).with_(City(480)))
    assert capfd.readouterr() == ("", "")


def _mixture() -> list[Any]:
    """Return plugins that between them answer hooks of every kind."""
    day = dt.date(2026, 10, 1)
    return [
        plugin("甲", vk_facts=_answering([Fact("a_trained", "bool", "甲", "a", default=False)]),
               vk_review_project=_answering([Finding("jia.note", severity="warn"), Finding("jia.no")])),
        plugin("乙", vk_functions=_answering([RuleFunction("yi.old", one=lambda days: days > 9)]),
               vk_facts=_answering([Fact("b_trained", "bool", "乙", "b", default=False)]),
               vk_choose_calendar=_answering(Calendar(holidays=[day]))),
        plugin("丙", vk_messages=_answering([{"jia.no": {"zh-CN": "不行。", "en": "No."}}]),
               vk_review_project=_answering([Finding("bing.no")]), vk_choose_number=_answering(None)),
        plugin("丁", vk_routes=_answering([Route("team.registration", (Step("centre", Office("centre")),))]),
               vk_choose_number=_answering("XY-1"), vk_review_project=_answering(None)),
        plugin("Z", vk_choose_lead=_answering(Office("department_officer", "新余市")),
               vk_review_project=_answering((Finding("z.no"),)), vk_choose_policy=_answering(None)),
    ]  # fmt: skip


def _told(kit: Kit) -> tuple[Any, ...]:
    """Return what a kit makes of its plugins, as far as it can be compared."""
    findings = [
        (
            who,
            [
                (each.code, each.severity, each.plugin, each.texts)
                for each in answer(form=None, back_entry=False)
            ],
        )
        for who, answer in kit.hooks["vk_review_project"]
    ]
    return (
        [each.name for each in kit.plugins], {hook: [who for who, _ in bound] for hook, bound in kit.hooks.items()},
        sorted(kit.functions), kit.calendar, kit.policy, findings,
        {kind: [str(step.office) for step in each.route.steps if isinstance(step.office, Office)]
         for kind, each in kit.workflows.items()},
        volunteerkit.calling.choose(kit.hooks, "vk_choose_number", kind="project", serial=1),
    )  # fmt: skip


@settings(max_examples=60, deadline=None, database=None)
@given(st.permutations(_mixture()))
def test_the_order_of_plugins_never_matters(order: list[Any]) -> None:
    assert _told(Kit.load(*order)) == _told(Kit.load(*_mixture()))


CLASHING = _answering([Fact("twice", "bool", "二", "two", default=False)])


@settings(max_examples=30, deadline=None, database=None)
@given(st.permutations([*_mixture(), plugin("重", vk_facts=CLASHING), plugin("复", vk_facts=CLASHING)]))
def test_who_conflicts_does_so_in_every_order_and_is_told_the_same(order: list[Any]) -> None:
    with pytest.raises(PluginConflict) as caught:
        Kit.load(*order)
    assert caught.value.values == {"what": "fact twice", "first": "复", "second": "重"}
