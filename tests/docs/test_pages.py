"""Every page's code runs, and the Chinese and the English documentation have the same shape."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", *ROOT.glob("plugins/*/README.md")])
FENCE = re.compile(r"^ *```(\S*).*?^ *```$", re.MULTILINE | re.DOTALL)


def _language(page: Path) -> str:
    return "zh-CN" if "zh" in page.parts or page.name == "README.md" else "en"


def run_console(example: Example) -> None:
    """Run each ``$ volunteerkit …`` of a console block; what stands below it is what it must print.

    ``...`` stands for any text. Other commands (``$ python3 dev.py …``) belong into a ``sh`` block.
    """
    script = Path(sys.executable).with_name("volunteerkit")
    for command, expected in _commands(example.parsed):
        words = command.split()
        assert words[0] == "volunteerkit", f"a console block runs volunteerkit only, not {words[0]}"
        # as a reader's shell has it, so that hints name the command by its name
        path = {
            **os.environ, "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).with_name("at_a_day")), "RUN_AT": "2026-11-25T12:00:00+08:00",
        }  # fmt: skip
        done = subprocess.run(
            [script, *words[1:]], check=False, capture_output=True, encoding="utf-8", env=path
        )
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr}"
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        same = not expected.strip() or doctest.OutputChecker().check_output(expected, done.stdout, flags)
        assert same, f"{command} printed\n{done.stdout}\nthe page says\n{expected}"


def _commands(block: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


PARSERS = [SkipParser(), PythonCodeBlockParser(), CodeBlockParser("console", run_console)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOLUNTEERKIT_LANG", _language(page))
    monkeypatch.setenv("COLUMNS", "100")
    document: Document = Sybil(PARSERS).parse(page)
    for example in document.examples():
        example.evaluate()
    assert document.end >= 0


@pytest.mark.parametrize("tree", ["zh", "en"])
@pytest.mark.parametrize("name", ["embed", "hours"])
def test_a_page_runs_on_postgresql(
    tree: str, name: str, postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DOCS / tree / "how-to" / f"{name}.md").read_text("utf-8")
    here = "sqlite:///city.db"
    assert here in text
    page = tmp_path / "page.md"
    page.write_text(text.replace(here, postgresql_url), "utf-8")
    test_a_page_runs(page, tmp_path, monkeypatch)


def test_a_false_page_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ volunteerkit --version\nnever\n```\n", "utf-8")
    with pytest.raises(AssertionError, match="the page says"):
        next(iter(Sybil(PARSERS).parse(page).examples())).evaluate()


def test_both_languages_have_the_same_pages() -> None:
    zh, en = (
        {path.relative_to(DOCS / tree) for path in (DOCS / tree).rglob("*.md")} for tree in ("zh", "en")
    )
    assert zh == en
    assert len(zh) >= 3


@pytest.mark.parametrize("page", sorted((DOCS / "zh").rglob("*.md")), ids=lambda page: page.name)
def test_both_languages_have_the_same_blocks(page: Path) -> None:
    other = DOCS / "en" / page.relative_to(DOCS / "zh")
    here, there = ([found[1] for found in FENCE.finditer(each.read_text("utf-8"))] for each in (page, other))
    assert here == there


@pytest.mark.parametrize("page", [*DOCS.glob("*/**/*.md")], ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_starts_with_a_block_that_runs(page: Path) -> None:
    first = re.match(r"# .+\n\n```(console|python)\n", page.read_text("utf-8"))
    assert first, "a heading, then a console or python block"
