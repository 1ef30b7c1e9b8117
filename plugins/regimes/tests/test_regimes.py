"""Every regime on the cases written down beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
import volunteerkit_regimes

from volunteerkit import Kit, Rulebook
from volunteerkit.rules.cases import read_cases, run_cases

FOLDER = Path(__file__).resolve().parents[1]
FILES = sorted(FOLDER.glob("src/volunteerkit_regimes/*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_regime_has_its_source_and_how_sure_it_is(path: Path) -> None:
    book = Rulebook.read(path)
    assert book.id == path.stem
    assert all(version.citation and version.confidence for version in book.versions)
    assert dict(book.title).keys() == {"zh-CN", "en"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_case_passes_without_a_line_of_python(path: Path) -> None:
    cases = read_cases(FOLDER / "cases" / path.name)
    result = run_cases(cases, [Rulebook.read(each) for each in FILES])
    assert result.failed == ()
    assert (result.passed, result.python_lines) == (len(cases.cases), 0)
    assert result.passed


def test_a_city_takes_them_all_with_one_plugin() -> None:
    kit = Kit.load(volunteerkit_regimes)
    assert {path.stem for path in FILES} <= set(kit.rulebooks)
