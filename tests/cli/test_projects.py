"""Projects and brands from the command line, in both languages."""

from __future__ import annotations

import csv
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
_terminal = runpy.run_path(str(Path(__file__).with_name("terminal.py")), run_name="terminal")
ADMIN = ("--as", "admin-1", "--role", "organization_admin:O0001")
DAYS = ("--starts-on", "2098-12-01", "--ends-on", "2098-12-31")
FORM = ("project", "apply", "--name", "社区敬老", "--organization", "O0001", *DAYS, "--places", "5", *ADMIN)
SAID = (
    "--place",
    "社区食堂",
    "--content",
    "洗菜",
    "--conditions",
    "无",
    "--risks",
    "刀具",
    "--protection",
    "手套",
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    _terminal["sit_down"](
        tmp_path,
        monkeypatch,
        organizations="org_id,org_name\nO0001,渝水区志愿服务联合会\n",
        projects="project_id,project_name,brand,org_id\nP0001,春风义诊,春风,O0001\n",
    )
    return _terminal["terminal"]("en")


def test_a_project_is_applied_for_published_shown_and_cancelled(run: Run) -> None:
    shift = ("--shift", "2098-12-05 22:00-02:00 x3", "--shift", "2098-12-06 9:00-11:30")
    made = run(*FORM, *SAID, *shift, "--json").values
    assert run("project", "show", made["project"], "--as", "x", "--role", "public").code == 1
    assert run("project", "show", made["project"], *ADMIN, "--json").values["status"] == "pending"
    assert run("approve", str(made["case"]), "--as", "clerk-2").code == 0
    assert (
        run("project", "publish", made["project"], *ADMIN, language="zh-CN").out == "项目 P0000002 已发布。\n"
    )
    found = run(
        "project", "list", "--text", "敬老", "--free", "--as", "x", "--role", "public", "--json"
    ).values
    assert [(each["number"], each["status"], each["free"]) for each in found] == [
        ("P0000002", "published", None)
    ]
    shown = run("project", "show", made["project"], "--json").values
    assert [(each["starts_at"], each["ends_at"], each["capacity"]) for each in shown["shifts"]] == [
        ("2098-12-05 22:00:00+08:00", "2098-12-06 02:00:00+08:00", 3),
        ("2098-12-06 09:00:00+08:00", "2098-12-06 11:30:00+08:00", None),
    ]
    for language, words in (
        ("zh-CN", ("已发布", "服务地点：社区食堂", "余额", "2098-12-06 02:00")),
        ("en", ("published", "risks: 刀具")),
    ):
        out = run("project", "show", made["project"], language=language).out
        assert all(word in out for word in words), out
    assert run("project", "cancel", made["project"], "--reason", "台风", *ADMIN).code == 0
    listed = run("project", "list", "--applications", *ADMIN, language="zh-CN").out
    assert "已取消" in listed
    again = run("project", "cancel", made["project"], "--reason", "台风", language="zh-CN")
    assert (again.code, "已取消" in again.err) == (1, True)


def test_a_check_names_what_is_missing_and_writes_nothing(run: Run) -> None:
    done = run(*FORM, "--place", "社区食堂", "--check", language="zh-CN")
    assert done.code == 1
    assert all(
        word in done.out for word in ("服务内容", "参加条件", "可能的风险", "安全保障措施", "没有写入")
    )
    assert "服务地点" not in done.out
    assert run(*FORM, *SAID, "--check", "--json").values == {"blocks": False, "findings": []}
    assert run("project", "list", "--applications", *ADMIN, "--json").values[0]["number"] == "P0001"
    assert len(run("project", "list", "--applications", *ADMIN, "--json").values) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--shift", "20255-12-01 09:00-10:00"), "--shift"),
        (("--shift", "2098-12-05 0900"), "2098-12-05 0900"),
        (("--shift", "2098-12-05 09:00-25:00"), "--shift"),
        (("--shift", "2098-12-05 09:00-11:00 x-1"), "--shift"),
        (("--team", "T404"), "T404"),
        (("--brand", "B404"), "B404"),
        (("--places", "1.5"), "--places"),
    ],
)
def test_a_wrong_turn_is_told_by_its_option(run: Run, words: tuple[str, ...], told: str) -> None:
    for language in ("zh-CN", "en"):
        done = run(*FORM[:-4], *SAID, *words, language=language)
        assert done.code != 0
        assert told in done.err, done.err
        assert "Traceback" not in done.err
    assert run("project", "list", "--applications", "--brand", "B1").code == 1


def test_brands_are_listed_with_their_figures(run: Run) -> None:
    (found,) = run("brand", "list", "--json").values
    assert (found["number"], found["name"], found["projects"], found["confirmed_minutes"]) == (
        "B0000001",
        "春风",
        1,
        0,
    )
    assert "春风" in run("brand", "list", language="zh-CN").out
    assert "志愿者" in run("brand", "list", language="zh-CN").out


def test_brands_are_exported_with_their_figures(run: Run, tmp_path: Path) -> None:
    done = run("export", "brands", "--out", "brands.csv", language="zh-CN")
    assert (done.code, "1 行" in done.err) == (0, True)
    with (tmp_path / "brands.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "brand_id": "B0000001", "name": "春风", "summary": "", "organization_id": "", "area": "", "founded_on": "",
        "ended_on": "", "projects": "1", "volunteers": "0", "confirmed_minutes": "0", "group_minutes": "0",
    }  # fmt: skip
