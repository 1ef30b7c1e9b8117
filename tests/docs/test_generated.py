"""The generated pages of the reference say what the library says today."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from volunteerkit import errors, hooks
from volunteerkit.messages import catalogue

ROOT = Path(__file__).resolve().parents[2]
NOT_DOCUMENTED = ("report_", "explain_", "say_", "kind_", "length", "word_", "law_")


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    generate: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    made: dict[Path, str] = generate["pages"]()
    return made


def test_the_pages_are_fresh(pages: dict[Path, str]) -> None:
    stale = [path.name for path, text in pages.items() if path.read_text("utf-8") != text]
    assert not stale, f"run .venv/bin/python docs/generate.py: {stale}"


@pytest.mark.parametrize("tree", ["zh", "en"])
def test_every_hook_is_documented(tree: str) -> None:
    specified = {name for name, each in vars(hooks).items() if hasattr(each, "volunteerkit_spec")}
    assert specified == set(hooks.KINDS)
    page = ROOT.joinpath("docs", tree, "reference", "hooks.md").read_text("utf-8")
    assert {name for name in specified if f"\n## {name}\n" in page} == specified


@pytest.mark.parametrize("tree", ["zh", "en"])
def test_every_code_is_documented(tree: str) -> None:
    folder = ROOT / "docs" / tree / "reference"
    text = "".join(folder.joinpath(name).read_text("utf-8") for name in ("errors.md", "reasons.md"))
    assert [
        code for code in catalogue() if not code.startswith(NOT_DOCUMENTED) and f"| `{code}` |" not in text
    ] == []


def test_every_default_code_has_a_text() -> None:
    kinds = [
        each for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "default_code")
    ]
    assert [each.default_code for each in kinds if each.default_code not in catalogue()] == []
