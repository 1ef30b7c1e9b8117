"""Xinyu's ladder as a volunteer meets it: a minute more or less at every star."""

from __future__ import annotations

import datetime as dt

import pytest

from volunteerkit import Kit
from volunteerkit.rules import assess

TODAY = dt.date(2026, 11, 23)
LADDER = Kit.load("xinyu").rulebooks["xinyu.star"]


def stars(minutes: int, on: dt.date = TODAY) -> int | None:
    return assess(LADDER, {"credited_minutes": minutes}, on).grade


@pytest.mark.parametrize(("star", "hours"), [(1, 100), (2, 300), (3, 600), (4, 1000), (5, 1500)])
def test_the_very_minute_counts(star: int, hours: int) -> None:
    assert [stars(hours * 60 + more) for more in (-1, 0, 1)] == [star - 1, star, star]


def test_nobody_is_above_five_stars() -> None:
    assert stars(100_000 * 60) == 5


def test_the_ladder_names_its_source_and_its_first_day() -> None:
    version = LADDER.version_on(TODAY)
    assert "340" in version.citation
    assert stars(100 * 60, on=version.effective_from) == 1


def test_reasons_say_what_is_missing_in_both_languages() -> None:
    ruling = assess(LADDER, {"credited_minutes": 299 * 60}, TODAY)
    assert "一星级" in ruling.explain("zh-CN")
    assert "two stars" in ruling.explain("en")
