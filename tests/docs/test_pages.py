"""Every page's code runs, and the Chinese and the English documentation have the same shape."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
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


INTERPRETER = """
import contextlib, io, json, os, sys
from volunteerkit.cli import main

sys.argv = [sys.argv[1]]
for line in sys.stdin:
    words, environment = json.loads(line)
    os.environ.clear()
    os.environ.update(environment)
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as done:
            code = int(done.code or 0)
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""
"""What runs a page's commands one after the other: to start Python anew takes longer than most of them."""


class Terminal:
    """Runs the commands of one page in an interpreter of its own, which lives on the day of the pages."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run_console(self, example: Example) -> None:
        """Run each ``$ volunteerkit …`` of a console block; what stands below it is what it must print.

        ``...`` stands for any text. Other commands (``$ python3 dev.py …``) belong into a ``sh`` block.
        """
        for command, expected in _commands(example.parsed):
            words = command.split()
            assert words[0] == "volunteerkit", f"a console block runs volunteerkit only, not {words[0]}"
            code, out, err = self._run(words[1:])
            assert code == 0, f"{command}: exit {code}\n{err}"
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            same = not expected.strip() or doctest.OutputChecker().check_output(expected, out, flags)
            assert same, f"{command} printed\n{out}\nthe page says\n{expected}"

    def _run(self, words: list[str]) -> tuple[int, str, str]:
        script = Path(sys.executable).with_name("volunteerkit")
        # as a reader's shell has it, so that hints name the command by its name
        environment = {
            **os.environ, "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).with_name("at_a_day")), *filter(None, sys.path)]),
            "RUN_AT": "2026-11-25T12:00:00+08:00", "PYTHONUTF8": "1",
        }  # fmt: skip
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", INTERPRETER, str(script)], env=environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
            )  # fmt: skip
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([words, environment]), file=self._process.stdin, flush=True)
        code, out, err = json.loads(self._process.stdout.readline())
        return code, out, err

    def close(self) -> None:
        """End the interpreter, if any command was run."""
        if self._process is not None:
            self._process.communicate()


def run_page(page: Path) -> Document:
    """Run every block of a page."""
    with closing(Terminal()) as terminal:
        parsers = [SkipParser(), PythonCodeBlockParser(), CodeBlockParser("console", terminal.run_console)]
        document: Document = Sybil(parsers).parse(page)
        for example in document.examples():
            example.evaluate()
    return document


def _commands(block: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOLUNTEERKIT_LANG", _language(page))
    monkeypatch.setenv("COLUMNS", "100")
    assert run_page(page).end >= 0


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
        run_page(page)


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
