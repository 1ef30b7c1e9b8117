"""Joining and leaving at the counter, and the list of who takes part."""

from __future__ import annotations

import datetime as dt
import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import organizations, projects, volunteers
from volunteerkit.cli.common import close_databases, open_city
from volunteerkit.projects.tables import project, shift
from volunteerkit.store.desk import microseconds

_terminal = runpy.run_path(str(Path(__file__).with_name("terminal.py")), run_name="terminal")
command = _terminal["terminal"]("zh-CN")


@pytest.fixture(autouse=True)
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _terminal["sit_down"](tmp_path, monkeypatch)
    opened = open_city("city.db", create=True)
    with opened.kit.open(opened.engine, opened.actor) as desk:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        projects.register(desk, "P1", name="社区敬老", organization="O1")
        for n in (1, 2):
            volunteers.admit(
                desk, name=f"欧阳雪{n}", number=f"V{n}", organization="O1", phone=f"1290000000{n}"
            )
        desk.connection.execute(sa.update(project).values(status="published"))
        begin = microseconds(desk.now + dt.timedelta(days=30))
        values = {
            "id": 1,
            "project_id": 1,
            "starts_at": begin,
            "ends_at": begin + 7_200_000_000,
            "capacity": 1,
        }
        desk.connection.execute(sa.insert(shift).values(values))
    close_databases()


def values(*words: str) -> Any:
    return command(*words, "--json").values


def test_two_come_to_the_counter_for_one_place() -> None:
    assert command("join", "1", "V1", "--check")[1].strip().endswith("可以报名；没有写入任何内容。")
    assert values("join", "1", "V1") == {"participation": 1, "state": "accepted", "findings": []}
    code, out, _ = command("join", "1", "V2")
    assert (code, out.splitlines()[0]) == (0, "报名 2：候补。")
    code, _, err = command("join", "1", "V1")
    assert (code, "[refused]" in err, "已经报名班次 1" in err) == (1, True, True)
    _, out, _ = command("participants", "1")
    assert "班次 1：已占 1，候补 1，剩余 0" in out
    assert "欧阳＊" in out
    assert "欧阳雪" not in out
    assert command("leave", "1", "V1")[1] == "V1 已退出班次 1。\n"
    rows = values("participants", "1", "--as", "admin-1", "--role", "organization_admin:O1")["rows"]
    assert [(each["volunteer"], each["name"], each["state"]) for each in rows] == [
        ("V1", "欧阳雪1", "withdrawn"), ("V2", "欧阳雪2", "accepted"),
    ]  # fmt: skip
    assert [each["volunteer"] for each in values("participants", "1", "--only", "accepted")["rows"]] == ["V2"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("join", "7", "V1"), "班次"), (("join", "x", "V1"), "班次"), (("join", "1", "V9"), "志愿者"),
        (("join", "1", "V1", "--guests", "1"), "最多可带 0 名"), (("join", "1", "V1", "--guests", "1.5"), "整数"),
        (("join", "1", "V1", "--party", "欧阳家"), "party"), (("leave", "1", "V2"), "没有报名"),
        (("participants", "7"), "班次"), (("participants", "1", "--only", "gone"), "missed"),
        (("join", "1", "V1", "--role", "centre"), "project.join"),
    ],
)  # fmt: skip
def test_a_wrong_turn_says_what_is_wrong_and_writes_nothing(words: tuple[str, ...], told: str) -> None:
    code, _, err = command(*words)
    assert (code in (1, 2), told in err) == (True, True), err
    assert "欧阳" not in err
    assert values("participants", "1")["rows"] == []


def test_a_check_that_blocks_ends_with_an_error() -> None:
    code, out, _ = command("join", "1", "V1", "--guests", "1", "--check", "--json")
    found = json.loads(out)
    assert (code, found["blocks"], found["findings"][0]["code"]) == (1, True, "too_many_guests")
