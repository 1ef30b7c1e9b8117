"""Plugins at the terminal: from a folder, one hook's manual, and the trace of what they answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from volunteerkit import calling
from volunteerkit.hooks import KINDS

GOOD = """from volunteerkit import Finding, hookimpl
@hookimpl
def vk_review_project(form):
    yield Finding("good.note", severity="warn")
"""


def run(folder: Path, *words: str, language: str = "en") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"VOLUNTEERKIT_LANG": language, "COLUMNS": "200", "PYTHONUTF8": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run([sys.executable, "-m", "volunteerkit", *words], cwd=folder, env=environment,
                          check=False, capture_output=True, encoding="utf-8")  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "插件"
    inside.mkdir()
    (inside / "good.py").write_text(GOOD, "utf-8")
    (inside / "star.toml").write_text(
        'id = "ours.star"\ndecides = "star"\n[[version]]\neffective_from = 2020-01-01\ncitation = "试行"\n'
        'step = [{ award = 1, when = "credited_minutes >= 60" }]\n',
        "utf-8",
    )
    return tmp_path


def test_a_folder_of_plugins_is_listed_with_what_cannot_be_used(folder: Path) -> None:
    done = run(folder, "plugins", "--plugins-dir", "插件", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, [each["name"] for each in found["loaded"]], found["failed"]) == (
        0,
        ["good", "star"],
        [],
    )
    assert "ours.star" in [each["id"] for each in found["rulebooks"]]
    (folder / "插件" / "bad.py").write_text(GOOD.replace("form", "from_"), "utf-8")
    for language, said in (("en", "'from_'"), ("zh-CN", "“from_”")):
        done = run(folder, "plugins", "--plugins-dir", "插件", language=language)
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.splitlines()[0] == "good  (good.py)  vk_review_project"
        (told,) = (line for line in done.stdout.splitlines() if line.startswith("bad.py"))
        assert said in told
        assert "[plugin_arguments]" in told


def test_a_city_is_opened_with_the_plugins_of_a_folder(folder: Path) -> None:
    (folder / "city").mkdir()
    for name, text in {
        "organizations": "org_id,org_name\nO1,渝水区志愿服务联合会",
        "volunteers": "volunteer_id,name,org_id,registered_at\nV1,周小兰,O1,2019-03-01",
    }.items():
        (folder / "city" / f"{name}.csv").write_text(text, "utf-8")
    assert run(folder, "import", "city", "--db", "c.db").returncode == 0
    rated = run(folder, "explain", "V1", "--db", "c.db", "--plugins-dir", "插件")
    assert "ours.star" in rated.stdout, rated.stderr
    traced = run(folder, "explain", "V1", "--db", "c.db", "--plugins-dir", "插件", "--trace")
    assert traced.stdout == rated.stdout
    assert [line.split()[:2] for line in traced.stderr.splitlines()] == [["star", "vk_rulebooks"]]
    assert " ms: 1 (" in traced.stderr
    assert rated.stderr == ""


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_folder_that_is_none_is_told(folder: Path, language: str) -> None:
    done = run(folder, "plugins", "--plugins-dir", "没有", language=language)
    assert (done.returncode, "没有" in done.stderr, "plugin_folder" in done.stderr) == (1, True, True)


def test_hooks_are_listed_with_kind_and_signature_and_one_has_its_manual(folder: Path) -> None:
    listed = run(folder, "hooks", "--plugins-dir", "插件").stdout
    for hook, kind in KINDS.items():
        assert f"{calling.signature(hook)}  [{kind}]  ← " in listed
    assert (
        "vk_review_project(form: ProjectForm, back_entry: bool) -> Iterable[Finding]  [review]  ← good\n"
        in listed
    )
    assert "Example::" not in listed
    manual = run(folder, "hooks", "vk_facts").stdout
    for line in calling.example("vk_facts").splitlines():
        assert line in manual
    assert (manual.count("[contribute]"), "Added in 0.1." in manual) == (1, True)
    wrong = run(folder, "hooks", "vk_fact", language="zh-CN")
    assert (wrong.returncode, "是否想写“vk_facts”" in wrong.stderr) == (1, True)
