"""``rule cases``: the figures of each regime, what came out otherwise, and how that is told to a script."""

import json
from pathlib import Path

import pytest

from volunteerkit.cli.app import app
from volunteerkit.errors import InvalidValue
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
