"""The code on the leader's screen: who gets it, how long it holds, and what passes for it."""

from __future__ import annotations

import builtins
import datetime as dt
import logging
import runpy
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from volunteerkit import Actor, KeyCipher, Policy, Refused
from volunteerkit.errors import InvalidValue, KeyProblem, MissingExtra, NotFound, NotPermitted
from volunteerkit.projects.attendance import check_in, check_out
from volunteerkit.projects.codes import shift_code, shift_code_svg, shift_of_code
from volunteerkit.store.schema import metadata

_shared = runpy.run_path(str(Path(__file__).with_name("attending.py")), run_name="attending")
NINE, LEADER, STRANGER, GATE = (_shared[name] for name in ("NINE", "LEADER", "STRANGER", "GATE"))
me = _shared["me"]
STEP = NINE - dt.timedelta(seconds=int(NINE.timestamp()) % 30)
"""The beginning of a step of the code."""


@pytest.fixture
def attending(planned: Any) -> Any:
    return _shared["Attending"](planned)


def seconds(count: float) -> dt.timedelta:
    return dt.timedelta(seconds=count)


def tried(attending: Any, instant: dt.datetime, shift_id: int, code: Any, verb: Any = check_in) -> str:
    """Return what a volunteer is told who hands in that code."""
    try:
        done = attending.at(instant, me("V1"), verb, shift_id, "V1", code=code)
    except Refused as refusal:
        told = refusal
    else:
        return "repeated" if done.repeated else "done"
    if code:
        assert str(code) not in f"{told!r}{told}"
    return told.findings[0].code


def test_a_code_holds_for_its_step_and_the_next(attending: Any) -> None:
    shift_id = attending.shift("V1")
    code = attending.at(STEP, LEADER, shift_code, shift_id)
    assert code == attending.at(STEP + seconds(29.9), LEADER, shift_code, shift_id)
    assert code != attending.at(STEP + seconds(30), LEADER, shift_code, shift_id)
    assert tried(attending, STEP - seconds(0.1), shift_id, code) == "code_expired"
    assert tried(attending, STEP + seconds(60), shift_id, code) == "code_expired"
    assert tried(attending, STEP + seconds(59.9), shift_id, code) == "done"
    assert tried(attending, STEP, shift_id, code) == "repeated"


def test_the_city_says_how_long_a_code_holds(attending: Any) -> None:
    shift_id = attending.shift("V1")
    attending.policy = Policy(code_seconds=300)
    start = NINE - seconds(int(NINE.timestamp()) % 300)
    code = attending.at(start, LEADER, shift_code, shift_id)
    assert tried(attending, start + seconds(599), shift_id, code) == "done"
    assert tried(attending, start + seconds(600), shift_id, code) == "code_expired"


@pytest.mark.parametrize("way", range(10))
def test_what_is_not_the_code_is_refused(attending: Any, way: int) -> None:
    shift_id, other = attending.shift("V1"), attending.shift("V1")
    code = attending.at(NINE, LEADER, shift_code, shift_id)
    shift, purpose, step, signature = code.split("-")
    flipped = ("b" if signature[0] == "a" else "a") + signature[1:]
    wrong, expected = [
        (f"{shift}-{purpose}-{step}-{flipped}", "code_wrong"),
        (f"{other}-{purpose}-{step}-{signature}", "code_wrong"),
        (f"{shift}-out-{step}-{signature}", "code_wrong"),
        (f"{shift}-{purpose}-{int(step, 16) + 1:x}-{signature}", "code_wrong"),
        (f"{shift}-{purpose}-0{step}-{signature}", "done"),  # the same step, and the same code
        (code.upper(), "code_wrong"),
        (attending.at(NINE, LEADER, shift_code, other), "code_other_shift"),
        (attending.at(NINE, LEADER, shift_code, shift_id, "out"), "code_for_out"),
        (f"{shift}-{purpose}-{step}-", "code_wrong"),
        (code + "\n", "code_wrong"),
    ][way]
    assert tried(attending, NINE, shift_id, wrong) == expected


def test_a_code_for_going_is_none_for_coming(attending: Any) -> None:
    shift_id = attending.shift("V1")
    code = attending.at(NINE, LEADER, shift_code, shift_id)
    assert tried(attending, NINE, shift_id, code, check_out) == "code_for_in"
    assert tried(attending, NINE, shift_id, code) == "done"
    out = attending.at(NINE, LEADER, shift_code, shift_id, "out")
    assert tried(attending, NINE, shift_id, out, check_out) == "done"
    assert tried(attending, NINE, shift_id, out, check_out) == "repeated"


def test_another_citys_code_is_none(attending: Any, make_city: Any) -> None:
    shift_id = attending.shift("V1")
    elsewhere = make_city("sqlite://")
    key = KeyCipher(bytes(range(32)))
    code = attending.at(NINE, LEADER, shift_code, shift_id)
    import attrs

    from volunteerkit import organizations, volunteers

    there = attrs.evolve(elsewhere, kit=attrs.evolve(elsewhere.kit, cipher=key))
    day, centre = NINE.date(), Actor.of("centre-1", "centre", "system")
    there.at(day, centre, organizations.register, "O1", name="志愿服务队")
    there.at(day, centre, volunteers.admit, name="志愿者一", organization="O1", number="V1")
    planned = type(attending.planned)(there)
    there.at(day, centre, _project)
    other = _shared["Attending"](planned)
    other_id = other.shift("V1")
    assert (other_id, tried(other, NINE, other_id, code)) == (shift_id, "code_wrong")


def _project(desk: Any) -> None:
    from volunteerkit import projects
    from volunteerkit.projects.tables import project

    projects.register(desk, "P1", name="社区敬老", organization="O1")
    desk.connection.execute(sa.update(project).values(status="published", published_at=1))


@pytest.mark.parametrize(
    "code", ["", "x", 7, None, b"x", "9" * 9999, "1-in-1-" + "a" * 26, "1-in-１-" + "a" * 26, ["x"]]
)
def test_whatever_is_handed_in_is_checked(attending: Any, code: Any) -> None:
    shift_id = attending.shift("V1")
    expected = "code_needed" if code is None else "code_wrong"
    assert tried(attending, NINE, shift_id, code) == expected


@given(
    st.text(max_size=60)
    | st.from_regex(r"[0-9]{1,20}-(in|out)-[0-9a-f]{1,17}-[a-z2-7]{20,30}", fullmatch=True)
)
def test_a_shift_is_read_or_refused(code: str) -> None:
    with suppress(Refused):
        assert code.startswith(f"{shift_of_code(code)}-")


def test_what_is_no_code_is_called_so_and_not_an_unknown_shift() -> None:
    for scanned in ("http://例子", "7-in", "", None):
        with pytest.raises(Refused) as refused:
            shift_of_code(scanned)
        assert refused.value.findings[0].message("zh-CN") == "这不是签到码。请扫描现场屏幕上的二维码。"


def test_only_who_leads_the_shift_gets_its_code(attending: Any) -> None:
    shift_id = attending.shift("V1")
    for actor in (me("V1"), STRANGER):
        with pytest.raises(NotFound):
            attending.at(NINE, actor, shift_code, shift_id)
    with pytest.raises(NotPermitted):
        attending.at(NINE, Actor.of("a", "auditor"), shift_code, shift_id)
    with pytest.raises(NotFound):
        attending.at(NINE, LEADER, shift_code, 404)
    for wrong in ("through", "", None, 1, ["in"]):
        with pytest.raises(InvalidValue, match="in, out"):
            attending.at(NINE, LEADER, shift_code, shift_id, wrong)
    assert shift_of_code(attending.at(NINE, GATE, shift_code, shift_id)) == shift_id


def test_a_code_is_kept_nowhere(attending: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shift_id = attending.shift("V1")
    code = attending.at(NINE, LEADER, shift_code, shift_id)
    done = attending.at(NINE, me("V1"), check_in, shift_id, "V1", code=code)
    assert tried(attending, NINE + seconds(90), shift_id, code) == "code_expired"
    kept = [repr(done), caplog.text, *(repr(attending.rows(table)) for table in metadata.sorted_tables)]
    for part in (code, code.rpartition("-")[2], code.rpartition("-")[2][:12]):
        assert part not in "".join(kept)


def test_codes_need_the_key(attending: Any, make_city: Any) -> None:
    import attrs

    shift_id = attending.shift("V1")
    city = attending.planned.city
    attending.planned = attrs.evolve(
        attending.planned, city=attrs.evolve(city, kit=attrs.evolve(city.kit, cipher=None))
    )
    with pytest.raises(KeyProblem):
        attending.at(NINE, LEADER, shift_code, shift_id)
    # who leads enters people without it
    assert attending.at(NINE, LEADER, check_in, shift_id, "V1").in_at == NINE


def test_a_code_is_shown_as_a_picture(attending: Any) -> None:
    pytest.importorskip("segno")
    shift_id = attending.shift("V1")
    picture = attending.at(NINE, LEADER, shift_code_svg, shift_id)
    assert picture.startswith("<svg")
    assert picture == attending.at(NINE, LEADER, shift_code_svg, shift_id)
    assert picture != attending.at(NINE, LEADER, shift_code_svg, shift_id, "out")


def test_without_the_extra_the_command_is_named(attending: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shift_id = attending.shift("V1")
    original = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "segno":
            raise ModuleNotFoundError(name="segno")
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtra) as caught:
        attending.at(NINE, LEADER, shift_code_svg, shift_id)
    assert "pip install 'volunteerkit[qr]'" in caught.value.message("zh-CN")
    assert "pip install 'volunteerkit[qr]'" in caught.value.message("en")
