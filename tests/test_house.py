"""The rules of the house: sizes, docstrings, texts in both languages, no machine of ours in any file."""

from __future__ import annotations

import ast
import re
import statistics
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from volunteerkit.messages import LANGUAGES, catalogue

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py"), ROOT / "dev.py"])
TEXTS = {".py", ".toml", ".md", ".txt", ".cfg", ".csv", ".json", ".yml", ".html", ".sh", ""}
# in parts, or this file would be the first to break its own rule
MACHINES = re.compile(
    "|".join(["/" + "work/", "/" + "root/", "/" + r"home/\w", r"[A-Z]:\\\\?" + "Users", "/" + "opt/"])
)
REGISTRIES = re.compile(
    "|".join([r"pypi" + r"\.org", "python" + "hosted", r"npmjs" + r"\.", r"mirrors?" + r"\.\w+\."])
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, Function):
            yield node


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def files() -> list[Path]:
    """Return the files of the repository: what git knows or would add, everything of a copy without git."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=False, capture_output=True
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not any(part.startswith(".") for part in path.parts)]
    return [path for path in found if path.suffix in TEXTS and path.is_file()]


def test_no_module_is_long() -> None:
    assert {relative(path): lines(path) for path in SOURCES if lines(path) > 500} == {}


def test_modules_are_short() -> None:
    assert statistics.median(lines(path) for path in SOURCES) <= 200


def test_dev_is_one_short_file() -> None:
    assert lines(ROOT / "dev.py") <= 250


def test_no_function_is_long() -> None:
    long = {
        f"{relative(path)}:{function.name}": length
        for path in SOURCES
        for function in functions(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > 60
    }
    assert long == {}


def public(body: list[ast.stmt]) -> Iterator[ast.ClassDef | Function]:
    for node in body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_public_name_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "the module itself"
    assert [node.name for node in public(tree.body) if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("what", [MACHINES, REGISTRIES], ids=["paths", "registries"])
def test_no_file_names_a_machine_of_ours(what: re.Pattern[str]) -> None:
    found = {}
    for path in files():
        text = path.read_text("utf-8", errors="replace")
        if match := what.search(text):
            found[relative(path)] = match.group()
    assert found == {}


def test_every_text_is_there_in_both_languages() -> None:
    assert {code for code, texts in catalogue().items() if set(texts) != set(LANGUAGES)} == set()
    assert {
        code for code, texts in catalogue().items() if not all(text.strip() for text in texts.values())
    } == set()


def test_both_languages_have_the_same_placeholders() -> None:
    def placeholders(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    different = {
        code: {language: sorted(placeholders(text)) for language, text in texts.items()}
        for code, texts in catalogue().items()
        if len({frozenset(placeholders(text)) for text in texts.values()}) > 1
    }
    assert different == {}


def imported(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        check=True, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


HEAVY = {
    "sqlalchemy",
    "cattrs",
    "numpy",
    "polars",
    "duckdb",
    "narwhals",
    "altair",
    "pandas",
    "pyarrow",
    "cryptography",
}


@pytest.mark.parametrize(
    "code",
    [
        "import volunteerkit",
        "import volunteerkit.testing.plugin",
        "from volunteerkit.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
    ],
    ids=["import", "pytest", "help"],
)
def test_starting_loads_no_database_and_no_frames(code: str) -> None:
    assert imported(code) & HEAVY == set()


def test_every_public_name_is_there() -> None:
    import volunteerkit

    assert [name for name in volunteerkit.__all__ if not hasattr(volunteerkit, name)] == []
    assert sorted(volunteerkit.__all__) == sorted(dir(volunteerkit))


def test_whatever_is_not_found_has_a_word_in_both_languages() -> None:
    """What NotFound, `permit_on` and `id_of` name must not be told as a raw key."""
    calls = re.compile(r'(?:NotFound\(kind=|permit_on\([^,]+, |id_of\(desk, [\w.]+, |kind=)"([a-z_ /]+)"')
    slices = [
        path
        for path in SOURCES
        if {"approvals", "hours", "organizations", "volunteers", "personal"} & {*path.parts}
    ]
    kinds = {kind for path in slices for kind in calls.findall(path.read_text("utf-8"))} - {"stable"}
    assert len(kinds) > 10
    assert {kind for kind in kinds if f"kind_{kind}" not in catalogue()} == set()
