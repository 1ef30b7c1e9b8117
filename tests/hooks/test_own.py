"""What plugins bring beside rules: texts, tables and numbers."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Finding, KeyCipher, Kit, hours, organizations
from volunteerkit.errors import InvalidValue, PluginConflict, PluginError, Refused
from volunteerkit.hours.statement import StatementLine
from volunteerkit.messages import in_language
from volunteerkit.projects import brands

_shared = runpy.run_path(str(Path(__file__).with_name("world.py")), run_name="world")
ASKED, CENTRE, DAY, plugin, world_in = (
    _shared[name] for name in ("ASKED", "CENTRE", "DAY", "plugin", "world_in")
)
TEXTS = {"xin.late": {"zh-CN": "{hour} 点后不服务。", "en": "No service after {hour}."}}


def says(name: str, *given: Any) -> Any:
    return plugin(name, vk_messages=lambda: given)


def finds(*findings: Finding) -> Any:
    return plugin("审查", vk_review_project=lambda: findings)


@pytest.mark.parametrize("way", ["value", "file"])
def test_texts_tell_a_finding_in_both_languages(small: Any, tmp_path: Path, way: str) -> None:
    file = tmp_path / "texts.toml"
    file.write_text('["xin.late"]\nzh-CN = "{hour} 点后不服务。"\nen = "No service after {hour}."\n', "utf-8")
    own = Finding("xin.late", {"hour": 22}, texts={"zh-CN": "自己的话", "en": "Its own words"})
    found = finds(Finding("xin.late", {"hour": 22}), own, Finding("xin.other"))
    with pytest.raises(Refused) as refused:
        ASKED["vk_review_project"](world_in(small).with_(says("词", file if way == "file" else TEXTS), found))
    told = {language: refused.value.message(language).splitlines() for language in ("zh-CN", "en")}
    assert told == {
        "zh-CN": ["22 点后不服务。", "自己的话", "xin.other"],
        "en": ["No service after 22.", "Its own words", "xin.other"],
    }
    assert [each.plugin for each in refused.value.findings] == ["审查"] * 3


@pytest.mark.parametrize(
    "texts",
    [
        {"xin.late": {"en": "Too late."}},
        {"xin.late": {"en": "Too late.", "zh-CN": " "}},
        {"xin.late": {"en": "Too late.", "zh-CN": "太晚", "fr": "Trop tard."}},
        {"xin.late": "Too late."},
        {"xin.late": {"en": 5, "zh-CN": "太晚"}},
        {7: {"en": "Too late.", "zh-CN": "太晚"}},
    ],
)
def test_texts_that_are_not_whole_are_refused(texts: Any) -> None:
    with pytest.raises(PluginError) as caught:
        Kit.load(says("词", texts))
    assert (caught.value.code, caught.value.values["plugin"]) == ("plugin_texts", "词")


def test_two_texts_for_one_code_conflict() -> None:
    for given, names in (
        ((says("甲", TEXTS), says("乙", TEXTS)), {"甲", "乙"}),
        ((says("甲", {"own_record": TEXTS["xin.late"]}),), {"甲", "volunteerkit"}),
    ):
        with pytest.raises(PluginConflict) as caught:
            Kit.load(*given)
        assert {caught.value.values["first"], caught.value.values["second"]} == names


def test_a_file_of_texts_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "坏.toml").write_text("[", "utf-8")
    for name in ("坏.toml", "没有.toml"):
        with pytest.raises(PluginError) as caught:
            Kit.load(says("词", tmp_path / name))
        assert all(each in caught.value.message("zh-CN") for each in ("词", name))


def kept(name: str, table: str) -> Any:
    made = sa.Table(table, sa.MetaData(), sa.Column("seq", sa.BigInteger, primary_key=True))
    return made, plugin(name, vk_tables=lambda: [made])


def test_a_plugin_keeps_what_it_did_in_a_table_of_its_own(empty_database_url: str) -> None:
    table, own = kept("通知", "tongzhi_sent")
    engine = volunteerkit.create_engine(empty_database_url)

    def vk_react(event: Any) -> None:
        with engine.begin() as connection:
            if connection.execute(sa.select(table).where(table.c.seq == event.seq)).first() is None:
                connection.execute(sa.insert(table).values(seq=event.seq))

    kit = Kit.load(own, plugin("发送", vk_react=vk_react), cipher=KeyCipher(bytes(32)))
    Kit.load(cipher=kit.cipher).migrate(engine)  # the plugin comes to a city that is there
    for _ in range(2):
        kit.migrate(engine)
    with kit.open(engine, CENTRE) as desk:
        organizations.register(desk, "O1", name="红十字会志愿服务队")
    assert kit.deliver(engine) == 1
    with engine.connect() as connection:
        assert connection.execute(sa.select(table.c.seq)).scalars().all() == [1]
    kit.migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(sa.select(table.c.seq)).scalars().all() == [1]
    engine.dispose()


def test_a_table_may_not_be_the_librarys_or_anothers() -> None:
    with pytest.raises(PluginError) as caught:
        Kit.load(kept("通知", "vk_event")[1])
    assert (caught.value.code, caught.value.values["what"]) == ("plugin_table", "vk_event")
    with pytest.raises(PluginConflict) as conflict:
        Kit.load(kept("甲", "sent")[1], kept("乙", "sent")[1])
    assert {conflict.value.values["first"], conflict.value.values["second"]} == {"甲", "乙"}


APPLYING = {
    "organization": ASKED["vk_review_organization"],
    "team": ASKED["vk_review_team"],
    "project": ASKED["vk_review_project"],
}


@pytest.mark.parametrize("kind", APPLYING)
def test_numbers_are_the_citys_where_it_has_some(small: Any, kind: str) -> None:
    serials: list[int] = []

    def vk_choose_number(kind: str, serial: int) -> str | None:
        serials.append(serial)
        return f"XY-{kind}-{serial}".upper()

    world = world_in(small).with_(plugin("编号", vk_choose_number=vk_choose_number))
    assert APPLYING[kind](world).number == f"XY-{kind}-{serials[0]}".upper()


def test_a_brand_has_a_number_of_the_citys_too(small: Any) -> None:
    world = world_in(small).with_(plugin("编号", vk_choose_number=lambda kind: f"XY-{kind}-1"))
    assert world.at(CENTRE, brands.create, "护学岗") == "XY-BRAND-1"


def test_without_an_answer_the_library_numbers(small: Any) -> None:
    world = world_in(small).with_(plugin("编号", vk_choose_number=lambda: None))
    assert APPLYING["project"](world).number.startswith("P000")


@pytest.mark.parametrize("number", ["", "欧阳兰", "12345678901", "7", "a\nb1"])
def test_a_number_that_cannot_be_one_is_refused(small: Any, number: str) -> None:
    world = world_in(small).with_(plugin("编号", vk_choose_number=lambda: number))
    before = world.stored()
    with pytest.raises(InvalidValue):
        APPLYING["project"](world)
    assert world.stored() == before


def test_a_number_that_is_taken_is_refused(small: Any) -> None:
    world = world_in(small).with_(plugin("编号", vk_choose_number=lambda: "P9"))
    with pytest.raises(Refused, match="P9"):
        APPLYING["project"](world)


def test_a_statement_looks_as_the_city_wants_it(small: Any) -> None:
    def vk_choose_rendering(document: Any, language: str) -> str:
        return f"<h1>{language} {document.volunteer}: {document.confirmed_minutes}</h1>"

    world = world_in(small)
    assert ASKED["vk_choose_rendering"](world) is None
    kit = world.with_(plugin("版式", vk_choose_rendering=vk_choose_rendering)).one.city.kit
    found = world.at(CENTRE, hours.statement, "V1")
    assert kit.render(found, "zh-CN") == "<h1>zh-CN V1: 0</h1>"
    with in_language("en"):
        assert kit.render(found) == "<h1>en V1: 0</h1>"
    for document, language in ((found, "fr"), ("V1", "en")):
        with pytest.raises(InvalidValue):
            kit.render(document, language)


def test_a_rendering_changes_nothing_of_the_statement(small: Any) -> None:
    def vk_choose_rendering(document: Any) -> str:
        document.lines[0].reasons[0].values.clear()
        return "页"

    world = world_in(small)
    line = StatementLine(1, DAY, "P9", 90, 90, 60, 1, reasons=(Finding("transform", {"minutes": 30}),))
    found = attrs.evolve(world.at(CENTRE, hours.statement, "V1"), lines=(line,))
    kit = world.with_(plugin("版式", vk_choose_rendering=vk_choose_rendering)).one.city.kit
    assert (kit.render(found), found.lines[0].reasons[0].values) == ("页", {"minutes": 30})
