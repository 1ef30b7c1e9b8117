"""Real regimes of counting hours fit in TOML: the shared cases pass, and a wrong figure would be noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from volunteerkit.rules import Rulebook
from volunteerkit.rules.cases import read_cases, run_cases

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "rules"
BOOKS = ROOT / "plugins" / "regimes" / "src" / "volunteerkit_regimes"
REGIMES = ("kr_1365_hours", "cn_cupb_hours", "cn_ivolunteer_gd_daily", "cn_order67_record")


@pytest.mark.parametrize("regime", REGIMES)
def test_every_shared_case_passes(regime: str) -> None:
    path = SHARED / f"{regime}.json"
    if not path.exists():
        pytest.skip(f"no {regime}.json in ../shared/rules beside the project")
    result = run_cases(read_cases(path), [Rulebook.read(BOOKS / f"{regime}.toml")])
    assert result.failed == ()
    assert (result.passed, result.python_lines) == (len(json.loads(path.read_text("utf-8"))["cases"]), 0)


@pytest.mark.parametrize(
    ("regime", "old", "new", "failing"),
    [
        ("kr_1365_hours", 'at_most = "480"', 'at_most = "481"', 1),
        ("kr_1365_hours", 'at_most = "5"', 'at_most = "6"', 1),
        ("kr_1365_hours", "months_after(served_on, entry_limit_months)", "months_after(served_on, 3)", 1),
        ("cn_cupb_hours", "floor_to(minutes, 30)", "ceil_to(minutes, 30)", 2),
        ("cn_ivolunteer_gd_daily", "day_minutes > 8 * 60", "day_minutes >= 8 * 60", 1),
        ("cn_order67_record", "working_days_after(activity_end, 10)", "days_after(activity_end, 14)", 1),
    ],
)
def test_another_figure_fails_its_case(regime: str, old: str, new: str, failing: int) -> None:
    text = (BOOKS / f"{regime}.toml").read_text("utf-8")
    assert old in text
    own = read_cases(ROOT / "plugins" / "regimes" / "cases" / f"{regime}.toml")
    assert run_cases(own, [Rulebook.loads(text)]).failed == ()
    assert len(run_cases(own, [Rulebook.loads(text.replace(old, new))]).failed) == failing
