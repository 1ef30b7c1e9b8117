"""The package that ``plugin new`` makes: installed beside the built wheel, in a fresh environment, it works."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLERS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "VOLUNTEERKIT_PLUGINS", "PYTEST_ADDOPTS")
BASE = Path(sys.base_prefix) / ("python.exe" if os.name == "nt" else "bin/python3")


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in CALLERS}
    env |= {"PYTHONUTF8": "1", "VOLUNTEERKIT_LANG": "zh"}
    return subprocess.run(
        [str(word) for word in words], cwd=cwd, env=env, check=False, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def tool(name: str, *words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Build or install with uv where it is, else with the pip of the Python below."""
    uv = next(
        (
            each
            for each in (ROOT / ".tools" / "bin" / "uv", shutil.which("uv"))
            if each and Path(each).exists()
        ),
        None,
    )
    if name == "build":
        first = (
            (uv, "build", "--wheel", "-q", "-o")
            if uv
            else (BASE, "-m", "pip", "wheel", "-q", "--no-deps", "-w")
        )
    else:
        python, *words = words
        first = (uv, "pip", "install", "-q", "--no-deps", "--python", python) if uv else (
            BASE, "-m", "pip", "--python", python, "install", "-q", "--no-deps")  # fmt: skip
    return run(*first, *words, cwd=cwd)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the built wheel; what it depends on is lent by the running one."""
    folder = tmp_path_factory.mktemp("轮 子")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    built = tool("build", folder / "dist", source, cwd=folder)
    if built.returncode:
        pytest.skip("no build backend can be had here: neither kept from before nor from an index")
    subprocess.run([BASE, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    found = next((folder / "venv").glob("bin/python*" if os.name != "nt" else "Scripts/python.exe"))
    (packages,) = {
        *(folder / "venv").glob("lib/python*/site-packages"),
        *(folder / "venv").glob("Lib/site-packages"),
    }
    # paths in such a file are searched for modules, and the editable installs that lie there do not count
    (packages / "lent.pth").write_text("\n".join(site.getsitepackages()) + "\n", "utf-8")
    (wheel,) = (folder / "dist").glob("volunteerkit-*.whl")
    installed = tool("install", found, wheel, cwd=folder)
    assert installed.returncode == 0, installed.stdout
    return found


@pytest.mark.slow
def test_a_new_plugin_works_beside_the_built_wheel(python: Path, tmp_path: Path) -> None:
    place = tmp_path / "渝水 区"
    place.mkdir()

    def volunteerkit(*words: str | Path) -> str:
        done = run(python, "-m", "volunteerkit", *words, cwd=place)
        assert done.returncode == 0, f"{words}\n{done.stdout}"
        return done.stdout

    origin = run(python, "-c", "import volunteerkit; print(volunteerkit.__file__)", cwd=place).stdout
    assert "venv" in origin
    volunteerkit("plugin", "new", "yushui")
    folder = place / "volunteerkit-yushui"
    installed = tool("install", python, folder, cwd=place)
    assert installed.returncode == 0, installed.stdout
    told = json.loads(volunteerkit("plugins", "--plugin", "yushui", "--json"))
    assert [each["name"] for each in told["loaded"]] == ["yushui"]
    assert told["failed"] == []
    cases = volunteerkit(
        "rule", "cases", folder / "src" / "volunteerkit_yushui" / "cases", "--plugin", "yushui", "--json"
    )
    assert [(each["passed"], each["failed"]) for each in json.loads(cases)] == [(6, 0)]
    (report,) = json.loads(volunteerkit("plugin", "check", "yushui", "--examples", "20", "--json"))
    assert report["holds"]
    assert {each["law"]: each["tried"] for each in report["laws"]}["cases"] == 6
    tests = run(python, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", cwd=folder)
    assert tests.returncode == 0, tests.stdout
    assert "6 passed" in tests.stdout
