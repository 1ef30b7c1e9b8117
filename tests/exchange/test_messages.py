"""Every message of the importer, in both languages, exactly as people read it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib.resources import files
from string import Formatter

import pytest

from volunteerkit import messages
from volunteerkit.errors import PluginError, did_you_mean
from volunteerkit.exchange.cells import Cell, read_day, read_id, read_minutes, read_time
from volunteerkit.units import day_of

VALUES = {
    "area": "渝水区", "file": "记录.csv", "place": "city.db", "problem": "EACCES", "folder": "城市", "expected": "volunteers.csv", "columns": "hours",
    "unplaced": "时数", "entity": "teams", "first": "a.csv", "second": "b.csv", "offset": 7, "line": 2, "row": 3, "rulebook": "unoin",
    "known": "plain, union", "guess": "union", "near": messages.phrase("did_you_mean", guess="union"), "fields": "hours", "path": "$.zone", "most": 100, "problems": "$.zone", "field": "hour", "column": "HOURS",
}  # fmt: skip

EXCHANGE = VALUES | {
    "width": 5, "titles": "“时数”", "numbers": "2, 5", "files": "a.csv", "what": messages.phrase("content_page"),
    "form": "%Q", "given": "column, join", "hidden": messages.phrase("columns_by_number"),
}  # fmt: skip


@pytest.mark.parametrize("language", messages.LANGUAGES)
@pytest.mark.parametrize(
    "area",
    [
        "attendance",
        "exchange",
        "reasons",
        "flags",
        "core",
        "plugins",
        "laws",
        "approvals",
        "volunteers",
        "organizations",
        "personal",
        "recruiting",
        "hours",
    ],
)
def test_every_message(area: str, language: str, snapshot: Callable[[str, str], None]) -> None:
    codes = tomllib.loads(files("volunteerkit.messages").joinpath(f"{area}.toml").read_text("utf-8"))
    more = {
        "actor": "clerk-7", "action": "hours.confirm", "kind": "record", "id": 12, "at": "2026-11-23", "state": "confirmed",
        "key": "k", "name": "minutes", "value": 0, "allowed": "1 … 1440", "package": "numpy", "extra": "fast", "found": "9",
        "expected": "1", "what": "x", "mode": "644", "plugin": "xinyu", "hook": "vk_react", "volunteer": "V1", "status": "pending",
        "day": "2027-01-01", "words": "x", "hours": 2, "today": "2026-11-23", "record": 5, "claimed": 60, "minutes": 90, "number": "V1", "known": 1,
        "case": 3, "objection": 2, "age": 18, "since": "2026-11-01", "until": "2026-11-30", "organization": "O1",
        "count": 100, "steps": 1050, "milliseconds": 2, "facts": "birth_date = 2010-11-25", "seed": 1, "why": "五十小时",
        "holds": 10, "broken": 1, "examples": 100, "team": "T1", "role": "centre", "by": messages.phrase("plugin_name_word"), "step": "centre", "grant": 3, "near": "",
    }  # fmt: skip
    values = VALUES | more if area != "exchange" else EXCHANGE
    lines = []
    for code in sorted(codes):
        asked = {name for _, name, _, _ in Formatter().parse(messages.catalogue()[code][language]) if name}
        unsampled = {name: f"‹{name}›" for name in asked - set(values)}
        lines.append(f"{code}: {messages.text(code, language, **values, **unsampled)}")
    snapshot(f"messages/{area}.{language}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize(("name", "asks"), [("xinyo", True), ("zzz", False)])
def test_a_name_is_only_proposed_where_one_is_near(name: str, asks: bool) -> None:
    error = PluginError("plugin_unknown", plugin=name, known="xinyu", near=did_you_mean(name, ["xinyu"]))
    assert (error.code, "Did you mean" in error.message("en")) == ("plugin_unknown", asks)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2019-03-05", "2019-03-05"), ("2019/3/5", "2019-03-05"), ("2019年3月5日", "2019-03-05"), ("20190305", "2019-03-05"),
        ("2019.03.05", "2019-03-05"), ("２０１９－０３－０５", "2019-03-05"), ("43529", "2019-03-05"), (" 2024-02-29 ", "2024-02-29"),
        ("2019-03-05 00:00:00", "2019-03-05"),
    ],
)  # fmt: skip
def test_days_that_are_certain_are_read(text: str, day: str) -> None:
    assert day_of(read_day(text)).isoformat() == day


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2019-02-30", "date_impossible"), ("2019-13-01", "date_impossible"), ("2019-00-00", "date_impossible"),
        ("0201-01-01", "date_impossible"), ("20255-01-01", "date_unreadable"), ("5/3/2019", "date_ambiguous"),
        ("", "date_unreadable"), ("٢٠١٩-٠٣-٠٥", "date_unreadable"), ("2019²-3-5", "date_unreadable"), ("x" * 50_000, "date_unreadable"),
    ],
)  # fmt: skip
def test_days_that_are_not_are_refused(text: str, reason: str) -> None:
    with pytest.raises(Cell) as told:
        read_day(text)
    assert told.value.reason == reason


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("3", 180), ("2.5", 150), ("３", 180), ("3小时", 180), ("180分钟", 180), ("3h", 180), ("2小时30分", 150), ("2:30", 150),
        ("0.33", 20), ("24", 1440), ("0.25h", 15),
    ],
)  # fmt: skip
def test_hours_that_are_certain_are_read(text: str, minutes: int) -> None:
    assert read_minutes(text) == minutes


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0", "hours_zero_or_negative"), ("-2", "hours_zero_or_negative"), ("25", "hours_over_24"), ("nan", "hours_unreadable"),
        ("1e3", "hours_unreadable"), ("٣", "hours_unreadable"), ("", "hours_unreadable"), ("True", "hours_unreadable"),
        ("9" * 5000, "hours_unreadable"), ("0.0001", "hours_not_whole_minutes"), ("0.512", "hours_not_whole_minutes"),
        ("24.01", "hours_over_24"),
    ],
)  # fmt: skip
def test_hours_that_are_not_are_refused(text: str, reason: str) -> None:
    with pytest.raises(Cell) as told:
        read_minutes(text)
    assert told.value.reason == reason


@pytest.mark.parametrize("text", ["", "25:00", "9", "9:60", "24:01", "九点"])
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Cell):
        read_time(text)


@pytest.mark.parametrize("text", ["", "0007957?", "V 1", "Ⅴ１", "=1", "V1\x00"])
def test_malformed_ids_are_refused(text: str) -> None:
    with pytest.raises(Cell) as told:
        read_id(text)
    assert told.value.reason == "id_malformed"
