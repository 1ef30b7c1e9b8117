"""``plugin new``: a city's own package, from a name; nothing that is there is touched."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from volunteerkit import Kit
from volunteerkit.cli.app import app
from volunteerkit.cli.scaffolding import legal_name, new_plugin
from volunteerkit.errors import InvalidValue, StorageError, VolunteerkitError
from volunteerkit.messages import in_language
from volunteerkit.rules.cases import read_cases, run_cases


def run(*words: str) -> None:
    app(["plugin", *words], exit_on_error=False, result_action="return_value")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "渝水 区"
    place.mkdir()
    return place


def test_a_name_makes_a_package_whose_cases_pass(folder: Path) -> None:
    place = new_plugin("yushui", folder)
    assert place == folder / "volunteerkit-yushui"
    declared = tomllib.loads((place / "pyproject.toml").read_text("utf-8"))
    assert declared["project"]["entry-points"]["volunteerkit"] == {"yushui": "volunteerkit_yushui"}
    package = place / "src" / "volunteerkit_yushui"
    kit = Kit.load(package / "star.toml")
    result = run_cases(read_cases(package / "cases" / "star.toml"), kit.rulebooks.values())
    assert (result.passed, result.failed, result.python_lines) == (6, (), 0)
    assert dict(kit.rulebooks["yushui.star"].title).keys() == {"zh-CN", "en"}


def test_nothing_of_the_template_is_left_over(folder: Path) -> None:
    place = new_plugin("fen_yi", folder)
    files = [each for each in place.rglob("*") if each.is_file()]
    names = {str(each.relative_to(place)) for each in files}
    assert {"README.md", "pyproject.toml", "tests/test_fen_yi.py"} <= names
    assert {"src/volunteerkit_fen_yi/__init__.py", "src/volunteerkit_fen_yi/cases/star.toml"} <= names
    for each in files:
        assert each.suffix != ".txt"
        assert not {"@NAME@", "@DIST@"} & set(each.read_text("utf-8").split("@"))
        assert "@" not in each.read_text("utf-8").replace("@hookimpl", "").replace("@pytest", "")
    assert 'name = "volunteerkit-fen-yi"' in (place / "pyproject.toml").read_text("utf-8")
    assert [each.name for each in folder.iterdir()] == ["volunteerkit-fen-yi"]


def test_what_is_there_stays_as_it_is(folder: Path) -> None:
    place = folder / "volunteerkit-yushui"
    place.mkdir()
    (place / "README.md").write_text("周兰的笔记", "utf-8")
    with pytest.raises(StorageError) as told:
        new_plugin("yushui", folder)
    assert told.value.code == "plugin_folder_taken"
    assert [each.name for each in place.iterdir()] == ["README.md"]
    assert (place / "README.md").read_text("utf-8") == "周兰的笔记"


def test_a_folder_that_is_not_there_is_not_made(folder: Path) -> None:
    with pytest.raises(StorageError) as told:
        new_plugin("yushui", folder / "没有")
    assert told.value.code == "plugin_folder_missing"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "code", "guess"),
    [
        ("Yushui-2026", "plugin_name", "yushui_2026"),
        ("2026", "plugin_name", "city_2026"),
        ("渝水", "plugin_name", "my_city"),
        ("ｙｕｓｈｕｉ", "plugin_name", "yushui"),
        ("", "plugin_name", "my_city"),
        ("../x", "plugin_name", "x"),
        ("y" * 41, "plugin_name", "y" * 40),
        ("class", "plugin_name_taken", "class_city"),
        ("plain", "plugin_name_taken", "plain_city"),
        ("xinyu", "plugin_name_taken", "xinyu_city"),
        ("y\u202ex\x00", "plugin_name", "y_x"),
    ],
)
def test_a_name_that_cannot_be_one_is_told_the_nearest_that_can(
    folder: Path, name: str, code: str, guess: str
) -> None:
    with pytest.raises(InvalidValue) as told:
        new_plugin(name, folder)
    assert (told.value.code, told.value.values["guess"]) == (code, guess)
    for language in ("zh-CN", "en"):
        assert guess in told.value.message(language)
        assert told.value.message(language).isprintable()
    assert list(folder.iterdir()) == []
    assert new_plugin(guess, folder).is_dir()


def test_a_guess_is_never_taken_either() -> None:
    assert legal_name("plain", ["plain", "plain_city"]) == "plain_city_2"


def test_the_command_says_what_to_do_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with in_language("zh-CN"):
        run("new", "yushui", "--dir", str(folder))
    told = capsys.readouterr().out
    assert f"pip install -e '{folder / 'volunteerkit-yushui'}'" in told
    assert "volunteerkit plugin check yushui" in told
    run("new", "fenyi", "--dir", str(folder), "--json")
    assert json.loads(capsys.readouterr().out)["folder"] == str(folder / "volunteerkit-fenyi")


def test_a_folder_nobody_may_write_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(VolunteerkitError) as told:
        new_plugin("yushui", folder)
    assert told.value.code == "file_failed"
    assert list(folder.iterdir()) == []
