"""What a city settles in one file: defaults for the rest, a clear word for what is wrong."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volunteerkit import Kit, Policy, hookimpl
from volunteerkit.errors import InvalidValue, PluginConflict, PluginError
from volunteerkit.policy import MinorLimit


def written(folder: Path, text: str) -> Path:
    path = folder / "规定.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_file_names_some_fields_and_the_rest_stays(tmp_path: Path) -> None:
    found = Policy.read(
        written(tmp_path, "rest_minutes = 30\n[[minors]]\nbelow_age = 16\nday_minutes = 240\n")
    )
    assert found == Policy(rest_minutes=30, minors=(MinorLimit(16, 240),))


@pytest.mark.parametrize(
    ("text", "named", "guess"),
    [
        ("rest_minuts = 30", "rest_minuts", "rest_minutes"),
        ("rest_minutes = -1", "-1", "0 … 1440"),
        ("rest_minutes = true", "True", "0 … 1440"),
        ("rest_minutes = 1.5", "1.5", "0 … 1440"),
        ("commitments_when_away = 'keep'", "keep", "kept"),
        ("[[minors]]\nbelow_age = 16", "day_minutes", "1, 2"),
        ("[[minors]]\nbelow_age = 16\nday_minutes = 1\nnot_bfore = 3", "not_bfore", "not_before"),
        ("minors = 3", "minors", "[[minors]]"),
        ("rest_minutes = ", "规定.toml", "TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_was_meant(
    tmp_path: Path, text: str, named: str, guess: str
) -> None:
    with pytest.raises(InvalidValue) as refused:
        Policy.read(written(tmp_path, text))
    for language in ("zh-CN", "en"):
        assert named in refused.value.message(language)
        assert guess in refused.value.message(language)


@given(st.integers(-10, 2000))
def test_a_length_is_held_within_a_day(minutes: int) -> None:
    if 0 <= minutes <= 1440:
        assert Policy(rest_minutes=minutes).rest_minutes == minutes
    else:
        with pytest.raises(InvalidValue, match="rest_minutes"):
            Policy(rest_minutes=minutes)


@pytest.mark.parametrize(
    ("field", "value"),
    [("minors", 5), ("minors", ("x",)), ("join_while_running", "yes"), ("join_while_running", 1), ("credit_rulebook", 5)],
)  # fmt: skip
def test_a_value_of_another_type_is_told_as_such(field: str, value: object) -> None:
    with pytest.raises(InvalidValue, match=field):
        Policy(**{field: value})  # type: ignore[arg-type]


def chooser(name: str, answer: object) -> object:
    def vk_choose_policy() -> object:
        return answer

    return SimpleNamespace(__name__=name, vk_choose_policy=hookimpl(vk_choose_policy))


def test_one_plugin_chooses_the_citys_policy() -> None:
    assert Kit.load().policy == Policy()
    assert Kit.load(chooser("甲", Policy(rest_minutes=10)), chooser("乙", None)).policy.rest_minutes == 10
    with pytest.raises(PluginConflict):
        Kit.load(chooser("甲", Policy()), chooser("乙", Policy()))
    with pytest.raises(PluginError, match="dict"):
        Kit.load(chooser("甲", {}))
