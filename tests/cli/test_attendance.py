"""The command ``attendance`` at a leader's terminal."""

from __future__ import annotations

import builtins
import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from volunteerkit import KeyCipher, Kit, create_engine

_root = Path(__file__).parents[1]
_shared = runpy.run_path(str(_root / "projects" / "attending.py"), run_name="attending")
_planned = runpy.run_path(str(_root / "projects" / "conftest.py"), run_name="planned")
_city = runpy.run_path(str(_root / "conftest.py"), run_name="city")["City"]
LEADER = ("--as", "admin-1", "--role", "organization_admin:O1")
_terminal = runpy.run_path(str(Path(__file__).with_name("terminal.py")), run_name="terminal")
Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A shift, number 1, that began an hour ago with V1 and V2."""
    import datetime as dt

    _terminal["sit_down"](tmp_path, monkeypatch)
    engine = create_engine("sqlite:///city.db")
    kit = Kit.load(cipher=KeyCipher.from_file("city.db.key", create=True))
    kit.migrate(engine)
    planned = _planned["Planned"](_city(kit, engine))
    _planned["prepare"](planned)
    begin = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) - dt.timedelta(hours=1)
    _shared["Attending"](planned).shift("V1", "V2", starts=begin)

    command = _terminal["terminal"]("en")
    yield lambda *words, **told: command("attendance", *words, **told)
    engine.dispose()


def test_a_leader_checks_people_in_and_out(run: Run) -> None:
    assert run("list", "1", *LEADER)[1] == "Nobody has checked in yet.\n"
    code, out, _ = run("check-in", "1", "V1", "v2", "V3", *LEADER)
    assert (code, out.count("checked in at")) == (1, 2)
    assert "V3: Volunteer V3 has not joined shift 1. Join it first." in out
    code, out, _ = run("check-in", "1", "V1", *LEADER, language="zh-CN")
    assert (code, "（此前已登记）" in out) == (0, True)
    assert "签退" in run("check-out", "1", "V1", *LEADER, language="zh-CN")[1]
    found = json.loads(run("list", "1", *LEADER, "--json")[1])
    assert [(each["volunteer"], each["out_at"] is None) for each in found] == [("V1", False), ("V2", True)]
    code, out, _ = run("list", "1", *LEADER, language="zh-CN")
    assert (code, "志愿者" in out, "V2" in out) == (0, True, True)


def test_one_comes_by_ones_own_code_or_report(run: Run) -> None:
    me = ("--as", "me-1", "--role", "volunteer:V1")
    assert "code_needed" in run("check-in", "1", "V1", *me)[1] + run("check-in", "1", "V1", *me, "--json")[1]
    shown = json.loads(run("code", "1", *LEADER, "--json")[1])
    assert shown["seconds"] == 30
    assert run("check-in", "1", "V1", "--code", shown["code"], *me)[0] == 0
    code, out, _ = run("check-out", "1", "V1", "--evidence", "合影", *me, "--json")
    assert (code, json.loads(out)[0]["flags"]) == (0, ["self_reported"])
    assert "本人申报" in run("list", "1", *LEADER, language="zh-CN")[1]


def test_one_lists_ones_own_attendance(run: Run) -> None:
    me = ("--as", "me-1", "--role", "volunteer:V1")
    assert run("list", *me) == (0, "There is no attendance.\n", "")
    run("check-in", "1", "V1", "V2", *LEADER)
    run("check-out", "1", "V1", *LEADER)
    code, out, _ = run("list", *me, language="zh-CN")
    assert (code, "社区敬老" in out, "尚未申报" in out, "V2" in out) == (0, True, True, False)
    (found,) = json.loads(run("list", *me, "--json")[1])
    assert (found["claim"], found["raw_minutes"], found["credited_minutes"]) == ("unclaimed", 0, 0)
    assert found["in_at"].endswith("+08:00")
    assert "not checked out yet" in run("list", "--volunteer", "v2", *LEADER)[1]
    assert (
        run("list", "--volunteer", "V1", "--since", "2099-01-01", *LEADER)[1] == "There is no attendance.\n"
    )
    code, _, err = run("list", *LEADER)
    assert (code, "no volunteer's" in err) == (1, True)
    code, _, err = run("list", "1", "--volunteer", "V1", *LEADER)
    assert (code, "--volunteer" in err) == (1, True)


def test_the_centre_revokes_a_stolen_device(run: Run) -> None:
    assert run("revoke-device", "gate-1", "--reason", "被盗", *LEADER)[0] == 1
    code, out, _ = run("revoke-device", "gate-1", "--reason", "被盗", language="zh-CN")
    assert (code, "gate-1" in out, "作废" in out) == (0, True, True)
    code, _, err = run("check-in", "1", "V1", "--device", "gate-1", "--as", "gates", "--role", "system")
    assert (code, "gate-1" in err, "revoked" in err) == (1, True, True)
    assert json.loads(run("revoke-device", "gate-2", "--reason", "丢失", "--json")[1])["revoked"]


def test_a_code_is_shown_as_a_picture_and_a_text(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("segno")
    code, out, err = run("code", "1", "--out", *LEADER)
    assert (code, err) == (0, "")
    assert "█" in out
    assert "\n1-out-" in out
    original = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "segno":
            raise ModuleNotFoundError(name="segno")
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    code, out, err = run("code", "1", *LEADER, language="zh-CN")
    assert (code, out.startswith("1-in-")) == (0, True)
    assert "pip install 'volunteerkit[qr]'" in err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("check-in", "404", "V1"), "shift"), (("check-in", "1"), "volunteers"), (("check-in", "周小兰", "V1"), "shift"),
        (("check-in", "1", "周小兰"), "volunteer"), (("check-in", "1", "V1", "--at", "nine"), "--at"),
        (("check-in", "1", "V1", "--device", "gate-1"), "[not_permitted]"), (("list", "404"), "shift"),
        (("code", "x"), "shift"), (("check-out", "1", "V1", "--at", "2020-01-01T09:00"), ""),
    ],
)  # fmt: skip
def test_wrong_turns_are_told(run: Run, words: tuple[str, ...], expected: str) -> None:
    code, out, err = run(*words, *LEADER)
    assert code in (1, 2)
    assert expected in out + err
    assert "周小兰" not in out + err
    assert "Traceback" not in err
