"""The time bank and closed periods at the terminal, rightly and wrongly."""

from __future__ import annotations

import datetime as dt
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
_terminal = runpy.run_path(str(Path(__file__).with_name("terminal.py")), run_name="terminal")
command = _terminal["terminal"]("zh-CN")
CANTEEN = ("--role", "organization_admin:O2", "--as", "食堂")
YESTERDAY = (dt.datetime.now(dt.timezone(dt.timedelta(hours=8))) - dt.timedelta(1)).date()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return how to run a command in a small city where 周小兰 served four hours yesterday."""
    _terminal["sit_down"](
        tmp_path,
        monkeypatch,
        organizations="org_id,org_name\nO1,渝水区志愿服务联合会\nO2,社区食堂",
        projects="project_id,project_name,org_id\nP1,无偿献血宣传,O1\nP2,河道清理,O1",
        volunteers="volunteer_id,name,org_id,registered_at\nV1,周小兰,O1,2019-03-01\nV2,李明,O1,2019-03-01",
    )
    day = ("--on", str(YESTERDAY), "--minutes", "240", "--as", "甲")
    assert command("hours", "record", "V1", "--project", "P1", *day).code == 0
    assert command("hours", "confirm", "1", "--as", "乙").code == 0
    return command


def available(number: str = "V1") -> int:
    return int(command("bank", "balance", number, "--json").values["available_minutes"])


def test_minutes_are_held_redeemed_refunded_and_given(run: Run) -> None:
    assert "bank settle" in run("bank", "lines", "V1").out
    assert run("bank", "settle").code == 0
    assert available() == 240
    held = run("bank", "hold", "V1", "O2", "--minutes", "90", "--once", "午餐")
    assert "兑换 1（V1，O2，90 分钟）：已预留" in held.out, held.err
    run("bank", "hold", "V1", "O2", "--minutes", "90", "--once", "午餐")
    assert available() == 150
    assert "已兑换" in run("bank", "redeem", "1", *CANTEEN).out
    asked = run("bank", "refund", "1", "--reason", "没有提供", "--as", "甲", "--json").values
    assert run("approve", str(asked["case"]), "--as", "甲").code == 1
    assert run("approve", str(asked["case"]), "--as", "乙").code == 0
    assert available() == 240
    assert "210 minutes available" in run("bank", "give", "V1", "V2", "--minutes", "30", language="en").out
    second = run("bank", "hold", "V1", "O2", "--minutes", "60", "--json").values["id"]
    assert "已退还" in run("bank", "cancel", str(second), "--role", "volunteer:V1").out
    assert (available(), available("V2")) == (210, 30)
    told = run("bank", "lines", "V1").out
    assert all(word in told for word in ("入账", "兑换", "退回", "赠与"))
    page = run("bank", "lines", "V1", "--limit", "1", "--json")
    assert ([each["minutes"] for each in page.values], "--after 1" in page.err) == ([240], True)
    states = [each["state"] for each in run("bank", "redemptions", "V1", "--json").values]
    assert states == ["refunded", "cancelled"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("bank", "balance", "V9"), 1, "V9"),
        (("bank", "hold", "V1", "O9", "--minutes", "5"), 1, "O9"),
        (("bank", "hold", "V1", "O2", "--minutes", "5000"), 1, "240"),
        (("bank", "hold", "V1", "O2", "--minutes", "1.5"), 2, "1.5"),
        (("bank", "hold", "V1", "O2"), 2, "--minutes"),
        (("bank", "hold", "V1", "O2", "--minutes", "5", "--until", "2020-1-1"), 1, "--until"),
        (("bank", "redeem", "1"), 1, "--role"),
        (("bank", "redeem", "77", *CANTEEN), 1, "77"),
        (("bank", "lines", "V1", "--limit", "0"), 2, "1, 2, 3, …"),
        (("bank", "hould", "V1"), 2, "hold"),
        (("period", "close", "--first-on", "2020-13-01", "--last-on", "2020-12-31"), 2, "2020-13-01"),
        (("period", "close", "--first-on", "2020-02-01", "--last-on", "2020-01-31"), 1, "--first-on"),
        (("period", "close", "--first-on", "2020-02-01", "--last-on", "2099-01-31"), 1, "--last-on"),
        (("period", "close", "--last-on", "2020-01-31"), 2, "--first-on"),
        (("hours", "adjust", "1", "--minutes", "2000", "--reason", "误"), 1, "1440"),
        (("hours", "move", "1", "--project", "P9", "--reason", "误"), 1, "P9"),
        (("hours", "dispute", "1", "V2", "--minutes", "0", "--reason", "误"), 1, "1"),
        (("hours", "appeal", "5", "V1", "--reason", "误"), 1, "5"),
        (("hours", "claim", "9"), 1, "9"),
        (("hours", "inspect", "--after", "一"), 2, "--after"),
        (("hours", "raise-budget", "P9", "--minutes", "5", "--reason", "误"), 1, "P9"),
    ],
)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_what_is_wrong_is_told_and_nothing_is_written(
    run: Run, words: tuple[str, ...], code: int, said: str, language: str
) -> None:
    assert run("bank", "settle").code == 0
    before = run("verify", "--json").out
    done = run(*words, language=language)
    assert (done.code, said in done.err, "unexpected" in done.err, done.out) == (code, True, False, ""), (
        done.err
    )
    assert run("verify", "--json").out == before


def test_a_closed_month_is_opened_again_by_two_and_posted_in_by_others(run: Run) -> None:
    assert "还没有关账" in run("period", "list").out
    days = ("--first-on", "2024年10月1日", "--last-on", "20241031")
    assert "编号 1" in run("period", "close", *days, "--as", "甲").out
    late = ("hours", "record", "V1", "--project", "P1", "--on", "2024-10-05", "--minutes", "60")
    assert "关账" in run(*late, "--as", "丙").err
    some = ("--first-on", "2024-10-05", "--last-on", "2024-10-06", "--reason", "补录")
    bare = run("period", "reopen", "1", *some, "--until", "2099-12-01")
    assert (bare.code, "--until" in bare.err) == (1, True)
    over = run("period", "reopen", "1", *some, "--until", "2020-12-01 18:00")
    assert (over.code, "2020-12-01 18:00" in over.err, "+00:00" in over.err) == (1, True, False)
    assert run("period", "reopen", "9", *some, "--until", "2099-12-01 18:00").code == 1
    opened = run("period", "reopen", "1", *some, "--until", "2099年12月1日 18:00", "--as", "甲")
    assert "2024-10-05–2024-10-06" in opened.out, opened.err
    assert "打开到: 2099-12-01 18:00" in run("case", "1").out
    assert run("approve", "1", "--as", "乙").code == 0
    assert "2099-12-01 18:00" in run("period", "list").out
    assert [each["reopens"] for each in run("period", "list", "--json").values] == [None, 1]
    assert run(*late, "--as", "甲").code == 1
    assert run(*late, "--as", "丙").code == 0


def test_a_record_is_adjusted_moved_disputed_and_appealed(run: Run) -> None:
    assert "200 分钟" in run("hours", "adjust", "1", "--minutes", "200", "--reason", "误", "--as", "乙").out
    assert "记录 2" in run("hours", "move", "1", "--project", "P2", "--reason", "误", "--as", "乙").out
    asked = run("hours", "dispute", "2", "V1", "--minutes", "240", "--reason", "到一点才走")
    assert "时长异议" in asked.out, asked.err
    assert "有异议" in run("statement", "V1").out
    assert "到一点才走" in run("case", "1").out
    assert run("approve", "1", "--as", "乙").code == 1
    assert run("refuse", "1", "--reason", "签到表", "--as", "丙").code == 0
    assert run("hours", "appeal", "1", "V1", "--reason", "请再看").code == 0
    assert run("approve", "2", "--as", "丙").code == 1
    assert run("approve", "2", "--as", "丁").code == 0
    assert run("statement", "V1", "--json").values["confirmed_minutes"] == 240
    assert "1" in run("hours", "inspect", language="en").out
    assert [each["codes"] for each in run("hours", "inspect", "--json").values] == [["reversed_entry"]]
