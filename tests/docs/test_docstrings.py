"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import volunteerkit

MODULES = sorted(
    ["volunteerkit", *(found.name for found in pkgutil.walk_packages(volunteerkit.__path__, "volunteerkit."))]
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(
    name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("examples"))
    monkeypatch.setenv("VOLUNTEERKIT_LANG", "en")
    result = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.REPORT_NDIFF
    )
    assert result.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = sum(len(test.examples) for name in MODULES for test in finder.find(importlib.import_module(name)))
    assert found > 20
