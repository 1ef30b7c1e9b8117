"""The diagrams of cases show what the code does."""

from __future__ import annotations

import runpy
from pathlib import Path

from volunteerkit import Kit
from volunteerkit.workflow import CLOSED, OPEN

diagrams = runpy.run_path(str(Path(__file__).with_name("diagrams.py")))


def test_the_pages_show_the_states_and_routes_of_today() -> None:
    assert len(diagrams["PAGES"]) == 2
    for page in diagrams["PAGES"]:
        text = page.read_text("utf-8")
        assert diagrams["drawn"](text) == text, "run: python tests/docs/diagrams.py"
        assert all(f"`{state}`" in text for state in (*OPEN, *CLOSED))
        assert all(kind in text for kind in Kit.load().workflows)


def test_nothing_leaves_a_closed_state() -> None:
    moves = diagrams["moves"]()
    assert {before for before, _, _ in moves} & set(CLOSED) == set()
    assert moves >= {
        ("review", "approve", "notice"),
        ("review", "wait", "refused"),
        ("review", "wait", "review"),
    }
    assert {after for _, _, after in moves} == {*OPEN, *CLOSED}
