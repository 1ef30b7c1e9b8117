"""Every situation that the library must get right (A1 to A71) is the name or the docstring of a test."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
AWAITING = frozenset({67, 68, 70})
"""Certificates, help requests, plugins switched off: not built yet."""
BUILT = frozenset(range(1, 72)) - AWAITING
# A17 to A19 and A44 also name promises of the ledger and of the audit trail, in these files
OTHERS = {"test_ledger_machine.py", "test_periods.py", "test_audit.py"}
_LABEL = re.compile(r"(?<![A-Za-z0-9])[Aa]([1-9][0-9]?)(?![A-Za-z0-9])")
_RANGE = re.compile(r"(?<![A-Za-z0-9])A[0-9]+ to A[0-9]+")


@cache
def _named() -> set[int]:
    """Return the lines that the names and docstrings of test functions, and docstrings of test modules, name."""
    found: set[int] = set()
    for path in TESTS.rglob("test_*.py"):
        if path.name in OTHERS or path == Path(__file__):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_"]
        for node in (tree, *tests):
            name = node.name if isinstance(node, ast.FunctionDef) else ""
            said = _RANGE.sub("", f"{name} {ast.get_docstring(node) or ''}")
            found |= {int(each) for each in _LABEL.findall(said)}
    return found


@pytest.mark.parametrize("line", sorted(BUILT))
def test_a_situation_is_a_test(line: int) -> None:
    assert line in _named(), f"no test is named after A{line}"


def test_what_is_awaited_is_not_there_yet() -> None:
    assert _named() & AWAITING == set(), "a test is there: take its line off the list"
