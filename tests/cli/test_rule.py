"""``rule cases``: the figures of each regime, what came out otherwise, and how that is told to a script."""

import json
from pathlib import Path

import pytest

from volunteerkit.cli.app import app
from volunteerkit.errors import InvalidValue, RulebookError
from volunteerkit.messages import in_language

RULE = """
id = "city.hours"
decides = "credit"
[[version]]
effective_from = 2020-01-01
citation = "市文明办办法"
limit = [{ per = "day", at_most = "480" }]
"""
CASES = """
regime = "city.hours"
[[cases]]
why = "周兰一天 8 小时 1 分"
as_of = 2026-11-01
records = [{ date = 2026-10-01, minutes = 481 }]
expect = { credited_minutes = 480 }
[[cases]]
why = "以为可以超过"
as_of = 2026-11-01
records = [{ date = 2026-10-01, minutes = 481 }]
expect = { credited_minutes = 481 }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "案例").mkdir()
    (tmp_path / "city.hours.toml").write_text(RULE, "utf-8")
    (tmp_path / "案例" / "city.toml").write_text(CASES, "utf-8")
    return tmp_path


def run(*words: str) -> None:
    app(["rule", "cases", *words], exit_on_error=False, result_action="return_value")


def test_what_differs_is_named_and_the_exit_code_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with in_language("zh-CN"), pytest.raises(SystemExit) as told:
        run(str(folder / "案例"), "--plugin", str(folder / "city.hours.toml"))
    assert told.value.code == 1
    printed = capsys.readouterr().out
    assert "city.hours: 以为可以超过\n  credited_minutes：应为 481，得到 480\n" in printed
    assert "周兰" not in printed


def test_scripts_read_four_figures_of_each_regime(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = CASES[: CASES.rindex("[[cases]]")]
    (folder / "案例" / "city.toml").write_text(text, "utf-8")
    run(str(folder / "案例"), "--plugin", str(folder / "city.hours.toml"), "--json")
    assert json.loads(capsys.readouterr().out) == [
        {"regime": "city.hours", "passed": 1, "failed": 0, "python_lines": 0}
    ]


def test_a_regime_without_a_rulebook_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = folder / "other.toml"
    other.write_text(RULE.replace("city.hours", "city.other"), "utf-8")
    with in_language("en"), pytest.raises(SystemExit):
        run(str(folder / "案例"), "--plugin", str(other))
    assert capsys.readouterr().out.count("no rulebook 'city.hours'") == 1


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue) as caught:
        run(str(tmp_path))
    assert caught.value.code == "cases_none"


STAR = """
id = "city.star"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "市文明办办法"
step = [{ award = 1, when = "credited_minutes >= 100 * 60" }]
[[version]]
effective_from = 2027-01-01
citation = "市文明办办法（修订）"
step = [{ award = 1, when = "credited_minutes >= 120 * 60" }]
"""


def command(*words: str) -> None:
    app(["rule", *words], exit_on_error=False, result_action="return_value")


@pytest.fixture
def star(tmp_path: Path) -> Path:
    place = tmp_path / "星级.toml"
    place.write_text(STAR, "utf-8")
    return place


def test_a_right_file_is_told_with_its_digest_and_what_it_mentions(
    star: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with in_language("zh-CN"):
        command("check", str(star))
    told = capsys.readouterr().out
    assert "city.star（star）没有问题，共 2 个版本。" in told
    assert "提到: credited_minutes" in told
    command("check", str(star), "--json")
    found = json.loads(capsys.readouterr().out)
    assert [each["effective_from"] for each in found["versions"]] == ["2020-01-01", "2027-01-01"]
    assert len(found["versions"][0]["digest"]) == 64


def test_a_wrong_file_is_told_with_every_problem_and_its_path(star: Path) -> None:
    wrong = STAR.replace("credited_minutes >= 100", "credited_minuts >= 100").replace(
        'citation = "市文明办办法（修订）"', ""
    )
    star.write_text(wrong, "utf-8")
    with pytest.raises(RulebookError) as told:
        command("check", str(star))
    message = told.value.message("zh-CN")
    assert "$.version[0].step[0].when" in message
    assert "credited_minutes" in message
    assert "$.version[1]" in message


def test_a_rule_is_explained_in_both_languages_or_one(star: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("explain", str(star))
    both_ = capsys.readouterr().out
    assert "1 级：计入时长不少于100 小时。" in both_
    assert "grade 1: credited minutes is at least 120 h." in both_
    command("explain", str(star), "--lang", "zh-CN")
    assert "credited minutes" not in capsys.readouterr().out
    command("explain", "union", "--lang", "en")
    assert "Every minute of a person counts once." in capsys.readouterr().out
    with pytest.raises(InvalidValue):
        command("explain", str(star), "--lang", "fr")
    with pytest.raises(InvalidValue) as told:
        command("explain", "unoin")
    assert (told.value.code, "union" in told.value.message("zh-CN")) == ("rule_not_found", True)


def test_what_differs_between_versions_of_one_file_is_told(
    star: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with in_language("zh-CN"):
        command("diff", f"{star}@2020-06-01", str(star))
    told = capsys.readouterr().out
    assert "1 级：计入时长：由100 小时提高到120 小时，提高20 小时。" in told
    assert "市文明办办法（修订）" in told
    with in_language("en"):
        command("diff", f"{star}@2020-06-01", f"{star}@2020-07-01")
    assert "Both rules mean the same." in capsys.readouterr().out
    command("diff", f"{star}@2020-06-01", str(star), "--json")
    found = json.loads(capsys.readouterr().out)
    assert [(each["kind"], each["by"]) for each in found["changes"]] == [
        ("line_changed", 0),
        ("raised", 1200),
    ]
    assert not found["same"]
    with pytest.raises(InvalidValue):
        command("diff", f"{star}@2019-01-01", str(star))
    with pytest.raises(InvalidValue):
        command("diff", f"{star}@2020-13-01", str(star))


def test_a_day_that_does_not_exist_is_told_with_what_is_allowed(star: Path) -> None:
    with in_language("zh-CN"), pytest.raises(InvalidValue, match="实际存在的日期"):
        command("diff", f"{star}@2026-02-30", str(star))


def test_a_file_that_is_not_there_is_told_without_english(tmp_path: Path) -> None:
    with pytest.raises(RulebookError) as told:
        command("check", str(tmp_path / "星级.toml"))
    assert "文件无法打开（文件或文件夹不存在）" in told.value.message("zh-CN")


def test_a_name_that_changed_is_told_as_only_a_text(star: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = star.with_name("改名.toml")
    other.write_text(
        STAR.replace("[{ award", '[{ name = { zh-CN = "一星", en = "one star" }, award'), "utf-8"
    )
    with in_language("zh-CN"):
        command("diff", str(star), str(other))
    told = capsys.readouterr().out
    assert "两份规则的意思完全相同。" in told
    assert "只是文字" in told
