"""Two clerks at one terminal: what they do rightly and wrongly, and what the commands keep to themselves."""

from __future__ import annotations

import re
import runpy
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from volunteerkit.volunteers.identity import check_character

BODY = "36059919900501002"
IDENTITY = BODY + check_character(BODY)
PHONE = "12900000001"
NAME = "周小兰"
LAN = ("register", "--name", NAME, "--organization", "O0001", "--identity-number", IDENTITY, "--phone", PHONE,
       "--consent", "2026-01-05", "--rights", "2026", "--skill", "急救", "--area", "渝水区")  # fmt: skip
ADMIN = ("--as", "admin-1", "--role", "organization_admin:O0001")
STRANGER = ("--as", "admin-2", "--role", "organization_admin:O0002")


Run = Callable[..., Any]
_terminal = runpy.run_path(str(Path(__file__).with_name("terminal.py")), run_name="terminal")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    organizations = "org_id,org_name\nO0001,渝水区志愿服务联合会\nO0002,分宜县志愿服务队\n"
    _terminal["sit_down"](tmp_path, monkeypatch, organizations=organizations)
    return _terminal["terminal"]("en")


def registered(run: Run, *more: str) -> str:
    number: str = run(*LAN, *more, "--as", "clerk-1", "--json").values["volunteer"]
    return number


def approved(run: Run) -> str:
    number = registered(run)
    assert run("approve", number, "--as", "clerk-2").code == 0
    return number


def rows(table: str) -> int:
    database = sqlite3.connect("city.db")
    try:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        database.close()


def test_two_clerks_from_registration_to_approval(run: Run) -> None:
    done = run(*LAN, "--as", "clerk-1")
    assert re.search(r"Registered under number (V\d{10})\.\nCase 1 \(registration, \1\): under review, step review", done.out)  # fmt: skip
    number = done.out.split()[3].rstrip(".")
    assert "No case waits for your decision." in run("pending", "--as", "clerk-1").out
    assert "审批件" in run("pending", "--as", "clerk-2", language="zh-CN").out
    assert [row["volunteer"] for row in run("pending", "--as", "clerk-2", "--json").values] == [number]
    assert run("approve", number, "--as", "clerk-1").err.startswith("Nobody decides what they made")
    decided = run("approve", number.lower(), "--as", "clerk-2", "--reason", "证件[已]核对", language="zh-CN")
    assert decided.out == f"审批件 1（注册，{number}）：已通过\n"
    told = run("case", "1", language="zh-CN").out
    assert "由 clerk-1" in told
    assert "clerk-2（审核）同意：证件[已]核对" in told
    late = run("approve", "1", "--as", "clerk-3")
    assert (late.code, "[case_decided]" in late.err, "clerk-2" in late.err) == (1, True, True)
    assert run("show", number, "--json").values["status"] == "approved"
    assert run("pending", "--all", "--json").values == []


def test_a_refusal_needs_a_reason_and_says_it(run: Run) -> None:
    number = registered(run)
    wrong = run("refuse", number, "--as", "clerk-2", language="zh-CN")
    assert (wrong.code, "缺少 --reason" in wrong.err) == (2, True)
    assert "refused" in run("refuse", number, *ADMIN, "--reason", "材料不全").out
    case = run("case", "1", "--json").values
    assert (case["state"], case["closed_by"], case["reason"]) == ("refused", "admin-1", "材料不全")
    assert [each["verdict"] for each in case["decisions"]] == ["refuse"]


def test_check_tells_everything_and_writes_nothing(run: Run) -> None:
    before = {table: rows(table) for table in ("vk_volunteer", "vk_case", "vk_event", "vk_vault")}
    good = run(*LAN, "--check")
    assert (good.code, good.out) == (0, "Can be registered; nothing was written.\n")
    child = ("register", "--name", NAME, "--organization", "O0001", "--born-on", "2015-05-01", "--check")
    bad = run(*child, language="zh-CN")
    assert bad.code == 1
    assert "不可：未满 14 周岁" in bad.out
    assert "不可：由组织代为登记，需要本人同意的日期。" in bad.out
    assert "提示：尚未确认" in bad.out
    assert bad.out.endswith("不能登记；没有写入任何内容。\n")
    assert run(*child, "--json").code == 1
    assert "[not_found]" in run(*LAN[:3], "--organization", "O0009", "--check").err
    assert {table: rows(table) for table in before} == before


def test_a_child_comes_with_a_guardian(run: Run) -> None:
    child = ("register", "--name", NAME, "--organization", "O0001", "--born-on", "2015-05-01", "--consent", "2026-01-05",
             "--guardian-name", "周大", "--guardian-phone", "12900000009")  # fmt: skip
    partial = run(*child)
    assert (partial.code, "--guardian-consent" in partial.err) == (1, True)
    number = run(*child, "--guardian-consent", "2026-01-04", "--json").values["volunteer"]
    shown = run("show", number)
    assert NAME not in shown.out
    assert "周大" not in shown.out
    assert "2015" not in shown.out


def test_a_transfer_needs_two_and_can_be_withdrawn(run: Run) -> None:
    number = approved(run)
    where = run("transfer", number, "--to", "o0002", "--as", "clerk-1", "--reason", "搬家", "--json").values
    assert (where["case"], where["step"], where["facts"]["to"]) == (2, "release", "O0002")
    assert "withdrawn" in run("withdraw", "2", "--as", "clerk-1").out
    run("transfer", number, "--to", "O0002", "--as", "clerk-1")
    assert "step accept" in run("approve", "3", *ADMIN).out
    twice = run("approve", "3", "--as", "admin-1")
    assert "another person is needed" in twice.err
    assert "granted" in run("approve", "3", *STRANGER).out
    belongs = run("show", number, "--json").values["memberships"]
    assert [each["organization"] for each in belongs if each["until"] is None] == ["O0002"]


def test_the_status_of_a_volunteer(run: Run) -> None:
    number = approved(run)
    for words, said in (
        (("suspend",), "还需要 --reason"),
        (("probation", "--reason", "新人"), "还需要 --until"),
        (("reactivate", "--since", "2026-01-05"), "用不到 --since"),
        (("suspend", "--reason", "投诉", "--until", "2020-01-01"), "until"),
        (("end",), "不能这样操作"),
    ):
        wrong = run("status", number, *words, language="zh-CN")
        assert (wrong.code, said in wrong.err) == (1, True), wrong.err
    for words, status in (
        (("suspend", "--reason", "投诉"), "suspended"),
        (("end",), "approved"),
        (("leave", "--until", "2099-01-01"), "on_leave"),
        (("end",), "approved"),
        (("probation", "--until", "2099-01-01", "--reason", "新人"), "provisional"),
        (("end",), "approved"),
        (("deregister", "--reason", "本人要求"), "deregistered"),
        (("reactivate",), "approved"),
    ):
        assert run("status", number, *words, "--json").values["status"] == status
    assert run("status", number, "leave", language="zh-CN").out.endswith("今天的状态：请假\n")


def test_find_and_show_keep_to_their_masks(run: Run) -> None:
    number = approved(run)
    for text in (number, PHONE, "小兰", NAME):
        assert [each["volunteer"] if "volunteer" in each else each["number"]
                for each in run("find", text, "--json").values] == [number]  # fmt: skip
    assert NAME in run("find", "周", *ADMIN).out
    auditor = ("--as", "auditor-1", "--role", "auditor")
    masked = run("find", "周", *auditor).out
    assert "周＊" in masked
    assert NAME not in masked
    assert "Nobody was found." in run("find", "小兰", *auditor).out
    # every mask shows less than the last four digits, and who looks for nothing is not shown everybody
    assert "可以查找：志愿者编号、完整的电话" in run("find", PHONE[-4:], language="zh-CN").out
    for blank in ("", " ", "·"):
        refused = run("find", blank)
        assert (refused.code, refused.out) == (1, "")
        assert "a whole phone" in refused.err
    assert "没有找到。" in run("find", NAME, *STRANGER, language="zh-CN").out
    for who in (ADMIN, auditor, ("--as", "clerk-2")):
        shown = run("show", number, *who, language="zh-CN")
        assert shown.code == 0
        assert "归属" in shown.out
        assert PHONE not in shown.out
        assert IDENTITY not in shown.out
    foreign = run("show", number, *STRANGER)
    assert (foreign.code, "[not_found]" in foreign.err) == (1, True)
    own = run("show", number, "--as", "app-1", "--role", f"volunteer:{number}")
    assert PHONE in own.out


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (LAN, "identity_known"),
        ((*LAN[:5], "--identity-number", IDENTITY[:-1]), "identity_unreadable"),
        (("register", "--name", NAME, "--organization", "O0001", "--born-on", "1990-02-30"), ""),
        (("register", "--name", "周", "小兰", "--organization", "O0001"), ""),
        (("register", "--name", NAME, "--organization", "O0009", "--consent", "2026-01-05"), "not_found"),
        (("register", "--name", NAME, "--organization", NAME), "not_found"),
        (("show", NAME), "not_found"),
        (("show", IDENTITY), "not_found"),
        (("find", NAME, "--limit", NAME), ""),
        (("find", "周", "小兰"), ""),
        (("approve", NAME), "not_found"),
        (("approve", IDENTITY), "not_found"),
        (("case", IDENTITY), "not_found"),
        (("withdraw", PHONE), "not_found"),
        (("transfer", PHONE, "--to", "O0002"), "not_found"),
    ],
)
def test_what_was_typed_of_a_person_is_not_repeated(run: Run, words: tuple[str, ...], code: str, language: str) -> None:  # fmt: skip
    if code == "identity_known":
        registered(run)
    done = run(*words, language=language)
    assert done.code == (1 if code else 2)
    if code:
        assert f"[{code}]" in done.err or "[refused]" in done.err
    for text in (NAME, "小兰", IDENTITY, IDENTITY[:-1], PHONE, "1990-02-30"):
        assert text not in done.err + done.out
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) <= 6


@pytest.mark.parametrize(
    ("words", "zh", "en"),
    [
        (("pending", "--role", "centr"), "没有角色“centr”。是否想写“centre”？", "Did you mean 'centre'?"),
        (("pending", "--role", "organization_admin"), "organization_admin:O0001", "organization_admin:O0001"),
        (("pending", "--role", "centre:O0001"), "请写成：centre。", "like this: centre."),
        (("pending", "--role", "public"), "", ""),
        (("pending", "--kind", "volunteer.moved"), "volunteer.transfer", "volunteer.transfer"),
        (("case", "77"), "找不到审批件“77”", "No case 77"),
        (("grants", "revoke", "77"), "找不到授权“77”", "No grant 77"),
        (("grants", "list", "--role", "public"), "grant.read", "grant.read"),
        (("grants", "lst"), "是否想写“list”", "Did you mean 'list'"),
        (("status", "V0000001", "suspnd"), "允许的是：suspend", "Allowed: suspend"),
    ],
)
def test_mistakes_are_told_in_both_languages(run: Run, words: tuple[str, ...], zh: str, en: str) -> None:
    for language, said in (("zh-CN", zh), ("en", en)):
        done = run(*words, language=language)
        if not said:
            assert done.code == 0
            continue
        assert (done.code > 0, said in done.err) == (True, True), done.err


def test_grants_are_given_by_two_lent_and_taken_back(run: Run) -> None:
    assert "There are no grants." in run("grants", "list").out
    assert "Nobody gives" in run("grants", "give", "clerk-1", "centre", "--as", "clerk-1").err
    case = run("grants", "give", "clerk-9", "department_officer:渝水区", "--as", "clerk-1", "--json").values
    assert case["facts"]["scope"] == "渝水区"
    assert run("approve", str(case["case"]), "--as", "clerk-1").code == 1
    assert run("approve", str(case["case"]), "--as", "clerk-2").code == 0
    lent = (
        "grants",
        "lend",
        "clerk-8",
        "department_officer:渝水区",
        "--as",
        "clerk-9",
        "--until",
        "2099-01-01",
    )
    assert run(*lent, "--json").values == {"grant": 2}
    listed = run("grants", "list", "clerk-8", "--json").values
    assert [(each["granted_by"], each["delegated"]) for each in listed] == [("clerk-9", True)]
    assert "渝水区" in run("grants", "list", language="zh-CN").out
    assert run("grants", "take-back", "2", "--as", "clerk-8").code == 1
    assert run("grants", "take-back", "2", "--as", "clerk-9").out == "Grant 2 was taken back.\n"
    revoked = run("grants", "revoke", "1", "--as", "clerk-1", language="zh-CN")
    assert revoked.out.startswith("审批件 2（授权变更，clerk-9）：审核中")


def test_a_roleless_actor_works_by_what_was_given(run: Run) -> None:
    run("grants", "give", "clerk-9", "centre", "--as", "clerk-1")
    number = registered(run)
    nobody = ("--as", "clerk-9", "--role", "public")
    assert "[not_permitted]" in run("approve", number, *nobody).err
    run("approve", "1", "--as", "clerk-2")
    assert "granted" in run("approve", number, *nobody).out


def test_who_was_refused_applies_again(run: Run) -> None:
    number = registered(run)
    early = run("resubmit", number, "--as", "clerk-1")
    assert (early.code, "neither refused nor cancelled" in early.err) == (1, True), early.err
    assert run("refuse", number, "--as", "clerk-2", "--reason", "材料不全").code == 0
    again = run("resubmit", number.lower(), "--as", "clerk-1", "--consent", "2026年2月1日", language="zh-CN")
    assert again.out.startswith(f"审批件 2（注册，{number}）：审核中"), again.err
    assert run("approve", number, "--as", "clerk-2").code == 0
    wrong = run("resubmit", number, "--consent", "2026-02-30", language="zh-CN")
    assert (wrong.code, "--consent" in wrong.err) == (2, True), wrong.err
    assert "V0000404" in run("resubmit", "V0000404").err


def test_a_claim_at_the_counter_tells_nothing_and_the_centre_decides_it(run: Run) -> None:
    number = approved(run)
    known = ("claim", "--identity-number", IDENTITY, "--name", NAME, "--phone", PHONE, "--as", "wechat-7")
    unknown = (*known[:2], "36059919900501" + "102" + check_character("36059919900501102"), *known[3:])
    assert unknown[2] != IDENTITY
    answers = [run(*words, language="zh-CN") for words in (known, unknown, known)]
    assert len({(each.code, each.out, each.err) for each in answers}) == 1
    assert (answers[0].code, "由市中心核实" in answers[0].out) == (0, True), answers[0].err
    waiting = run("pending", "--kind", "认领", "--as", "clerk-2", "--json").values
    assert [(each["kind"], each["facts"]["name_agrees"]) for each in waiting] == [("volunteer.claim", True)]
    assert waiting[0]["facts"]["volunteer"] == number
    assert "granted" in run("approve", str(waiting[0]["case"]), "--as", "clerk-2").out
    missing = run(*known[:7], language="zh-CN")
    assert (missing.code, "还需要 --as" in missing.err) == (1, True), missing.err
    wrong = run("claim", "--identity-number", IDENTITY[:-1], "--name", NAME, "--as", "wechat-8")
    assert (wrong.code, IDENTITY[:-1] in wrong.err, NAME in wrong.err) == (1, False, False), wrong.err


def test_what_is_to_come_is_cancelled(run: Run) -> None:
    number = approved(run)
    for what in ("leave", "suspend"):
        words = ("--since", "2099-01-01", "--until", "2099-02-01", "--reason", "外出")
        assert run("status", number, what, *words).code == 0
        assert run("status", number, "end", language="zh-CN").out.startswith("已办理。")
        none = run("status", number, "end")
        assert (none.code, "[refused]" in none.err) == (1, True), none.err
    assert run("status", number, "suspend", "--since", "2099-03-01", "--reason", "核查").code == 0
    assert run("status", number, "leave", "--until", "2099-02-01").code == 0
    for _ in range(2):  # what runs is ended before what is to come
        assert run("status", number, "end", "--json").values["status"] == "approved"
    assert run("status", number, "end").code == 1


@pytest.mark.parametrize(
    ("typed", "found"),
    [("注册", True), ("registration", True), ("VOLUNTEER.registration", True), ("volunteer.registration", True), ("转移", False)],
)  # fmt: skip
def test_a_kind_of_case_is_named_by_its_word(run: Run, typed: str, found: bool) -> None:
    number = registered(run)
    rows = run("pending", "--kind", typed, "--as", "clerk-2", "--json").values
    assert [each["volunteer"] for each in rows] == [number] * found


@pytest.mark.parametrize(
    ("typed", "near"), [("注册登记", "注册"), ("转换", "转移"), ("volunteer.tranfer", "volunteer.transfer")]
)
def test_a_misspelt_kind_is_told_with_the_nearest(run: Run, typed: str, near: str) -> None:
    done = run("pending", "--kind", typed, language="zh-CN")
    assert (done.code, f"是否想写“{near}”" in done.err, "volunteer.claim" in done.err) == (1, True, True), (
        done.err
    )


def test_what_waits_is_listed_by_pages(run: Run) -> None:
    for day in range(1, 6):
        words = ("register", "--name", NAME, "--organization", "O0001", "--born-on", f"1990-01-0{day}",
                 "--consent", "2026-01-05", "--rights", "2026", "--as", "clerk-1")  # fmt: skip
        assert run(*words).code == 0
    first = run("pending", "--limit", "3", "--as", "clerk-2", "--json")
    assert ([row["case"] for row in first.values], "--after 3" in first.err) == ([1, 2, 3], True)
    second = run("pending", "--limit", "3", "--after", "3", "--as", "clerk-2", "--json")
    assert ([row["case"] for row in second.values], second.err) == ([4, 5], "")
    for wrong in ("0", "-3", "x"):
        done = run("pending", "--limit", wrong, language="zh-CN")
        assert (done.code > 0, "--limit" in done.err) == (True, True), done.err
