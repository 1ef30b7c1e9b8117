"""dev.py: what a newcomer runs first, from any folder, with any language."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


ROW: dict[str, Any] = {
    "name": "加总",
    "ours_s": 0.5,
    "contender": "by hand",
    "contender_s": 1.0,
    "ratio": 0.5,
    "same_answer": True,
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository of another name with a space and Chinese characters in its path."""
    folder = tmp_path / "志愿 服务"
    (folder / "tests" / "benchmarks").mkdir(parents=True)
    for name in ("dev.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def run(script: Path, *arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "VOLUNTEERKIT_LANG": "en", **more}
    return subprocess.run(
        [sys.executable, script, *arguments],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=cwd,
        env=env,
    )


def ready(folder: Path) -> None:
    """Make dev.py believe that its environment is there: the running one lends its Python."""
    module = runpy.run_path(str(folder / "dev.py"), run_name="dev")
    module["PYTHON"].parent.mkdir(parents=True)
    module["PYTHON"].write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
    module["PYTHON"].chmod(0o755)
    groups = json.dumps({"state": module["state"](), "groups": ["", "dev"]})
    (module["VENV"] / "installed.json").write_text(groups, "utf-8")


def test_without_a_command_it_says_what_there_is(tmp_path: Path) -> None:
    done = run(ROOT / "dev.py", cwd=tmp_path)
    assert done.returncode == 0
    assert {"setup", "demo", "test", "docs", "bench"} <= set(re.findall(r"dev\.py (\w+)", done.stdout))


def test_an_unknown_command_is_an_error(tmp_path: Path) -> None:
    assert run(ROOT / "dev.py", "tset", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(("language", "word"), [("zh_CN.UTF-8", "需要"), ("en_GB.UTF-8", "needed")])
def test_an_old_python_is_told_so(language: str, word: str, capsys: pytest.CaptureFixture[str],
                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    module = runpy.run_path(str(ROOT / "dev.py"), run_name="dev")
    monkeypatch.setenv("VOLUNTEERKIT_LANG", language)
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit):
        module["main"](["setup"])
    assert word in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")
class TestBench:
    """Benchmarks: a table for people, a list for programs."""

    def benchmark(self, folder: Path, file: str, /, **changed: object) -> None:
        row = {**ROW, **changed}
        text = f"def run(quick):\n    print('noise')\n    return [{row!r} | {{'quick': quick}}]\n"
        (folder / "tests" / "benchmarks" / f"{file}.py").write_text(text, "utf-8")

    def test_json_is_a_list_and_nothing_else(self, copy: Path, tmp_path: Path) -> None:
        ready(copy)
        self.benchmark(copy, "h1_sums")
        self.benchmark(copy, "h2_other")
        done = run(copy / "dev.py", "bench", "h1", "--json", "--quick", cwd=tmp_path)
        assert json.loads(done.stdout) == [{**ROW, "quick": True}]
        assert done.returncode == 0

    def test_a_table_shows_every_ratio(self, copy: Path, tmp_path: Path) -> None:
        ready(copy)
        self.benchmark(copy, "h1_sums")
        self.benchmark(copy, "h2_other", name="导入", ratio=1.75)
        done = run(copy / "dev.py", "bench", cwd=tmp_path)
        first, second = done.stdout.splitlines()
        assert "加总" in first
        assert "0.500" in first
        assert "1.750" in second

    def test_a_different_answer_is_a_failure(self, copy: Path, tmp_path: Path) -> None:
        ready(copy)
        self.benchmark(copy, "h1_sums", same_answer=False)
        assert run(copy / "dev.py", "bench", cwd=tmp_path).returncode == 1

    def test_a_benchmark_that_breaks_is_a_failure(self, copy: Path, tmp_path: Path) -> None:
        ready(copy)
        (copy / "tests" / "benchmarks" / "h1_broken.py").write_text("1 / 0\n", "utf-8")
        done = run(copy / "dev.py", "bench", "--json", cwd=tmp_path)
        assert done.returncode == 1
        assert json.loads(done.stdout) == []

    def test_an_unknown_name_lists_what_there_is(self, copy: Path, tmp_path: Path) -> None:
        ready(copy)
        self.benchmark(copy, "h1_sums")
        done = run(copy / "dev.py", "bench", "h9", cwd=tmp_path)
        assert done.returncode == 1
        assert "h1_sums" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for the command is a shell script")
def test_demo_runs_in_the_readers_folder_with_the_readers_arguments(copy: Path, tmp_path: Path) -> None:
    ready(copy)
    command = copy / ".venv" / "bin" / "volunteerkit"
    command.write_text('#!/bin/sh\npwd\necho "$@"\nexit 7\n', "utf-8")
    command.chmod(0o755)
    here = tmp_path / "别处"
    here.mkdir()
    done = run(copy / "dev.py", "demo", "--small", "--out", "a b.html", cwd=here)
    assert done.stdout.splitlines() == [str(here), "demo --small --out a b.html"]
    assert done.returncode == 7


def test_a_change_of_pins_installs_again(copy: Path) -> None:
    module = runpy.run_path(str(copy / "dev.py"), run_name="dev")
    before = module["state"]()
    with (copy / "constraints.txt").open("a") as pins:
        pins.write("another==1.0\n")
    assert module["state"]() != before


def test_every_dependency_is_pinned() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = [declared["project"]["dependencies"], *declared["project"]["optional-dependencies"].values()]
    groups += declared["dependency-groups"].values()
    wanted = {re.split(r"[^\w.-]", requirement)[0].lower() for group in groups for requirement in group}
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()}
    assert wanted - pinned == {"volunteerkit"}


def test_a_folder_with_a_chinese_name_is_found_in_every_locale(copy: Path) -> None:
    packages = copy / ".venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    pointer = packages / "_editable_impl_volunteerkit.pth"
    pointer.write_text(f"{copy / 'src'}\n", "utf-8")
    module = runpy.run_path(str(copy / "dev.py"), run_name="dev")
    for _ in range(2):  # an installation that finds nothing to do leaves what it wrote before
        module["make_pointers_relative"]()
        assert pointer.read_text("ascii") == "../../../../src\n"
