"""Real regimes of counting hours fit in TOML: the shared cases pass, and a wrong figure would be noticed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from volunteerkit.rules import Rulebook
from volunteerkit.rules.cases import read_cases, run_cases

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "rules"
BOOKS = ROOT / "plugins" / "regimes" / "src" / "volunteerkit_regimes"
OWN = ROOT / "plugins" / "regimes" / "cases"
EXAMPLES = ROOT / "examples" / "regimes"
REGIMES = sorted(path.stem for path in BOOKS.glob("*.toml"))
# Figures that stand for no boundary: another one gives the same answer to everybody.
FREE = {
    "us_pvsa": {"may_have_one and window_minutes"},
    "cn_longquanyi": {"balance_minutes > 0"},
    "de_bayern_card": {"recent_weeks > 0"},
    "tw_honor_card": {"minutes > 0"},
}


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


def figures(regime: str) -> list[str]:
    """Every text of the rulebook in which one compared figure is one more."""
    text = (BOOKS / f"{regime}.toml").read_text("utf-8")
    rules, _, words = text.partition("\n[case]")
    found = []
    for match in re.finditer(r"(?<=[<>] |>=|<=) ?([0-9]+)\b(?!\s*<)", rules):
        begin = rules.rfind("\n", 0, match.start()) + 1
        line = rules[begin : rules.find("\n", match.end())]
        if not any(free in line for free in FREE.get(regime, ())):
            number = str(int(match[1]) + 1)
            found.append(rules[: match.start(1)] + number + rules[match.end(1) :] + "\n[case]" + words)
    return found


@pytest.mark.parametrize("regime", REGIMES)
def test_every_compared_figure_has_a_case_at_its_border(regime: str) -> None:
    cases = read_cases(OWN / f"{regime}.toml")
    texts = figures(regime)
    unnoticed = [text for text in texts if not run_cases(cases, [Rulebook.loads(text)]).failed]
    assert unnoticed == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_more_regimes_fit_in_forty_lines(path: Path) -> None:
    cases = read_cases(EXAMPLES / "cases" / path.name)
    result = run_cases(cases, [Rulebook.read(path)])
    assert result.failed == ()
    assert (result.passed, result.python_lines) == (len(cases.cases), 0)
    assert len(path.read_text("utf-8").splitlines()) < 40


def test_all_of_them_are_there() -> None:
    assert len(REGIMES) == 19
    assert len(list(EXAMPLES.glob("*.toml"))) == 10
