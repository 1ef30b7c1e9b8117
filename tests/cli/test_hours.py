"""An office records and confirms hours at the terminal."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAME = "周小兰"
OTHER = ("--as", "乙")


Run = Callable[..., Any]
_terminal = runpy.run_path(str(Path(__file__).with_name("terminal.py")), run_name="terminal")
command = _terminal["terminal"]("zh-CN")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return how to run a command in a small city as the clerk 甲."""
    _terminal["sit_down"](
        tmp_path,
        monkeypatch,
        organizations="org_id,org_name\nO1,渝水区志愿服务联合会\nO2,分宜县志愿者协会",
        projects="project_id,project_name,org_id\nP1,无偿献血宣传,O1\nP2,河道清理,O2",
        volunteers=f"volunteer_id,name,org_id,registered_at\nV1,{NAME},O1,2019-03-01\nV2,李明,O1,2019-03-01",
    )

    def at(*words: str, language: str = "zh-CN") -> Any:
        return command(*words, *(() if "--as" in words else ("--as", "甲")), language=language)

    return at


def recorded(run: Run, *more: str, volunteer: str = "V1", on: str = "2024/3/5", project: str = "P1") -> str:
    done = run("hours", "record", volunteer, "--project", project, "--on", on, *more, "--json")
    return str(done.values[0]["record"])


def minutes(volunteer: str = "V1") -> int:
    words = ("statement", volunteer, "--rulebook", "plain", "--json")
    return int(command(*words).values["confirmed_minutes"])


def waiting(run: Run, *words: str) -> list[str]:
    return [str(row["record"] if "record" in row else row["record_id"])
            for row in run("hours", "pending", *words, *OTHER, "--json").values]  # fmt: skip


def test_a_record_from_its_claim_to_its_correction(run: Run) -> None:
    said = run(
        "hours",
        "record",
        "v1",
        "--project",
        "p1",
        "--on",
        "2024年3月5日",
        "--start",
        "9:00",
        "--end",
        "11:30",
    )
    first, hint = said.out.splitlines()
    assert first == "记录 1：待确认，150 分钟", said.err
    assert "2024-03-19" in hint  # ten working days after the activity
    again = run(
        "hours", "record", "V1", "--project", "P1", "--on", "20240305", "--start", "11：00", "--end", "12:00"
    )
    assert "提示：" in again.out
    listed = run("hours", "pending", *OTHER).out
    assert "09:00–11:30" in listed
    assert "时间重叠" in listed
    assert (
        run("hours", "pending").out == "没有等您确认的记录。\n"
    )  # what somebody recorded themselves is not theirs
    own = run("hours", "confirm", "1")
    assert (own.code, "必须由另一人确认" in own.err) == (1, True), own.err
    assert (
        run("hours", "confirm", "1", "2", *OTHER).out == "记录 1：已确认，150 分钟\n记录 2：已确认，60 分钟\n"
    )
    assert minutes() == 210
    late = run("hours", "confirm", "1", *OTHER)
    assert (late.code, "乙" in late.err) == (1, True), late.err
    assert "已冲正" in run("hours", "reverse", "1", "--reason", "录错了", "--on", "2024-03-05", *OTHER).out
    assert minutes() == 60
    assert "已确认" in run("hours", "restore", "1", "--reason", "没有录错", "--on", "2024.3.5", *OTHER).out
    assert minutes() == 210


def test_fewer_minutes_and_a_rejection_need_a_reason(run: Run) -> None:
    first, second = recorded(run, "--minutes", "120"), recorded(run, "--minutes", "60", on="2024-03-06")
    wrong = run("hours", "confirm", first, "--minutes", "90", *OTHER)
    assert (wrong.code, "--reason" in wrong.err) == (1, True), wrong.err
    both = run("hours", "confirm", first, second, "--minutes", "90", "--reason", "提前离开", *OTHER)
    assert (both.code, "--minutes" in both.err) == (1, True), both.err
    assert "90 分钟" in run("hours", "confirm", first, "--minutes", "90", "--reason", "提前离开", *OTHER).out
    assert "缺少 --reason" in run("hours", "reject", second, *OTHER).err
    assert "已驳回" in run("hours", "reject", second, "--reason", "没有签到", *OTHER).out
    assert minutes() == 90


def test_many_are_confirmed_or_none_and_each_that_fails_is_named(run: Run) -> None:
    ids = [recorded(run, "--minutes", "60", on=f"2024-03-{day:02}") for day in range(1, 5)]
    own = str(run("hours", "record", "V2", "--project", "P1", "--on", "2024-03-01", "--minutes", "30", *OTHER, "--json")
              .values[0]["record"])  # fmt: skip
    for language, said in (("zh-CN", "6 条记录中有 2 条不能办理"), ("en", "2 of 6 records cannot be done")):
        done = run("hours", "confirm", *ids, own, "404", *OTHER, language=language)
        assert (done.code, done.out, said in done.err) == (1, "", True), done.err
        told = done.err.splitlines()[1:]
        assert [own in told[0], "404" in told[1], len(told)] == [True, True, 2], done.err
    assert waiting(run) == ids
    assert run("hours", "confirm", *ids, ids[0], *OTHER).out.count("已确认") == 4
    assert (waiting(run), minutes()) == ([], 240)


def test_what_waits_is_listed_by_project_day_and_page(run: Run) -> None:
    ids = [recorded(run, "--minutes", "60", on=f"2024-03-{day:02}") for day in range(1, 6)]
    there = recorded(run, "--minutes", "45", on="2024-03-02", project="P2")
    assert waiting(run, "--project", "P2") == [there]
    assert waiting(run, "--on", "2024-03-02") == [ids[1], there]
    assert waiting(run, "--on", "2024-03-02", "--project", "p1") == [ids[1]]
    pages, after = [], "0"
    while True:
        page = run("hours", "pending", "--limit", "4", "--after", after, *OTHER, "--json")
        found = [str(row["record_id"]) for row in page.values]
        pages.append(found)
        if not page.err:
            break
        after = found[-1]
        assert f"--after {after}" in page.err
    assert pages == [ids[:4], [ids[4], there]]
    for wrong in (("--limit", "0"), ("--limit", "-1"), ("--after", "-1")):
        done = run("hours", "pending", *wrong, *OTHER)
        assert (done.code, wrong[0] in done.err) == (1 if wrong[0] == "--after" else 2, True), done.err
    admin = ("--as", "丙", "--role", "organization_admin:O2")
    rows = run("hours", "pending", *admin, "--json").values
    assert [str(row["record_id"]) for row in rows] == [there]
    foreign = run("hours", "confirm", ids[0], *admin)
    assert (foreign.code, "[not_found]" in foreign.err) == (1, True), foreign.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("V1", "--project", "P1", "--on", "2024-03-05"), ("--minutes",)),
        (("V1", "--project", "P1", "--on", "2024-03-05", "--start", "9:00"), ("--minutes",)),
        (("V1", "--project", "P1", "--on", "2024-02-30", "--minutes", "60"), ("--on", "2024-02-30")),
        (("V1", "--project", "P1", "--on", "2024-03-05", "--minutes", "1.5"), ("--minutes", "1.5")),
        (("V1", "--project", "P1", "--on", "2024-03-05", "--minutes", "1441"), ("--minutes", "1441")),
        (
            ("V1", "--project", "P1", "--on", "2024-03-05", "--start", "25:00", "--end", "26:00"),
            ("--start", "25:00"),
        ),
        (("V1", "--project", "P1", "--on", "2999-01-01", "--minutes", "60"), ("2999-01-01",)),
        (("V1", "--project", "P9", "--on", "2024-03-05", "--minutes", "60"), ("P9",)),
        (("V9", "--project", "P1", "--on", "2024-03-05", "--minutes", "60"), ("V9",)),
        (("V1", "--project", "P1", "--on", "2024-03-05", "--minuts", "60"), ("--minuts", "--minutes")),
        ((NAME, "--project", "P1", "--on", "2024-03-05", "--minutes", "60"), ("volunteerkit find",)),
    ],
)
def test_a_slip_in_a_claim_is_named_and_nothing_is_written(run: Run, words: tuple[str, ...], said: tuple[str, ...]) -> None:  # fmt: skip
    for language in ("zh-CN", "en"):
        done = run("hours", "record", *words, language=language)
        assert done.code in (1, 2)
        assert [each for each in said if each not in done.err] == [], done.err
        assert NAME not in done.err
    assert waiting(run) == []


def test_no_record_named_is_told(run: Run) -> None:
    # a command's words are those of the language in which this process loaded it first
    assert run("hours", "confirm", *OTHER).err.startswith(("缺少 记录编号", "缺少 RECORDS"))
    assert "没有命令“confrim”。是否想写“confirm”？" in run("hours", "confrim", "1").err
