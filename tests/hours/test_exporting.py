"""The ledger checked without the library (L25), and a head that was published before (L24)."""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

import volunteerkit.cli
from volunteerkit import Actor, Claim, Desk, Grant, fixed_clock, hours, organizations, projects, volunteers
from volunteerkit.errors import InvalidValue, NotPermitted

SCRIPT = Path(volunteerkit.cli.__file__).with_name("verify_export.py")
CLERK, CHECKER, THIRD = (Actor.of(f"clerk-{n}", "centre") for n in (7, 8, 9))
SYSTEM = Actor.of("jobs", "centre", "system")
DAY, TODAY = dt.date(2026, 11, 20), dt.date(2026, 11, 23)
RECORDS = """record_id,volunteer_id,project_id,team_id,service_date,start_time,end_time,hours,status,source,recorded_at
R1,V1,P1,,2026-11-01,09:00,11:00,2,confirmed,manual,2026-11-02 10:00
R2,V1,P1,,2026-11-02,09:00,11:00,2,pending,manual,2026-11-02 11:00
R3,V1,P1,,2026-11-03,09:00,11:00,2,cancelled,manual,2026-11-03 12:00
"""


@pytest.fixture
def filled(city: Any, tmp_path: Path) -> Any:
    """A ledger with every code in it."""

    def begin(desk: Desk) -> None:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        for number in ("P1", "P2"):
            projects.register(desk, number, name="无偿献血宣传", organization="O1")
        volunteers.admit(desk, name="𠮷田喆", organization="O1", number="V1")
        for i in range(5):
            hours.record(desk, Claim("V1", "P1", DAY, 60 + i, kind=("service", "travel")[i % 2]), key=f"k{i}")

    def decide(desk: Desk) -> None:
        hours.confirm(desk, 1)
        hours.confirm(desk, 2, minutes=30, reason="提前离开")
        hours.reject(desk, 3, reason="没有签到")
        hours.reverse(desk, 1, reason="录错了人")
        hours.restore(desk, 1, reason="冲正有误")
        hours.adjust(desk, 2, minutes=20, reason="查明")
        hours.move(desk, 2, "P2", reason="记错了活动")

    city.at(TODAY, CLERK, begin)
    city.at(TODAY, CHECKER, decide)
    own = Actor("me-1", (Grant("volunteer"),), volunteer="V1")
    counter = Actor("shop-1", (Grant("organization_admin", "O1"),))
    city.at(TODAY, CLERK, volunteers.admit, name="兰", organization="O1", number="V2")
    city.at(TODAY, SYSTEM, hours.bank.settle, "V1")
    for minutes, then in ((7, hours.bank.redeem), (5, hours.bank.cancel), (3, None)):
        held = city.at(TODAY, own, hours.bank.hold, "V1", "O1", minutes=minutes)
        if then:
            city.at(TODAY, counter, then, held.id)
    city.at(TODAY, own, hours.bank.give, "V1", "V2", minutes=4)
    (tmp_path / "service_records.csv").write_text(RECORDS, "utf-8")
    noon = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)
    attrs.evolve(city.kit, clock=fixed_clock(noon)).import_directory(city.engine, CLERK, tmp_path)
    return city


def lines(city: Any) -> list[str]:
    found: list[str] = city.at(TODAY, CLERK, lambda desk: list(hours.export_ledger(desk)))
    return found


def checked(folder: Path, text: list[str], *more: str) -> tuple[int, str]:
    """Run the script as an auditor would, with a Python that has no libraries."""
    file = folder / "ledger.jsonl"
    file.write_text("\n".join(text) + "\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, file, *more], check=False, capture_output=True, encoding="utf-8"
    )
    return done.returncode, done.stdout


def test_l25_the_script_agrees_with_verify(filled: Any, tmp_path: Path) -> None:
    text = lines(filled)
    with filled.engine.connect() as connection:
        found = hours.verify_store(connection)
    assert found.holds
    codes = {line["code"] for line in map(json.loads, text) if line["kind"] == "transfer"}
    assert codes == {"RECORD", "CONFIRM", "REJECT", "REVERSE", "ADJUST", "MOVE", "IMPORT"}
    code, said = checked(tmp_path, text, found.head)
    assert (code, said.split()[-1]) == (0, found.head)
    banked = {line["code"] for line in map(json.loads, text) if line["kind"] == "credit"}
    assert banked == {"DEPOSIT", "HOLD", "REDEEM", "CANCEL", "GIFT"}
    assert checked(tmp_path, text, found.head[:-1] + "x")[0] == 1


def altered(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return [*value[:-1], "x"]
    return str(value) + "x"


def test_l25_the_script_notices_any_value_that_was_altered(filled: Any, tmp_path: Path) -> None:
    """Every field of every kind of line, in the script's own process for speed."""
    script: dict[str, Any] = {"__name__": "script"}
    exec(compile(SCRIPT.read_text("utf-8"), str(SCRIPT), "exec"), script)
    text, draw, tried = lines(filled), random.Random(7), set()
    script["verify"](text)
    by_kind: dict[str, list[int]] = {}
    for place, line in enumerate(text):
        by_kind.setdefault(json.loads(line)["kind"], []).append(place)
    for kind, places in by_kind.items():
        for place in draw.sample(places, min(6, len(places))):
            line = json.loads(text[place])
            for name in sorted(line):
                if (kind, name) in {("record", "volunteer_id"), ("record", "claimed")}:
                    continue  # told for the reader; the hash of the first transfer covers them
                other = [*text[:place], json.dumps(line | {name: altered(line[name])}), *text[place + 1 :]]
                with pytest.raises((script["Diverges"], KeyError, ValueError, TypeError)):
                    script["verify"](other)
                tried.add((kind, name))
    assert len(tried) > 35
    for place, line in enumerate(map(json.loads, text)):
        if line["kind"] in ("account", "credit_account") and not any(
            line.get(name) for name in ("posted", "pending", "held")
        ):
            continue  # nothing follows from an account where nothing moved
        with pytest.raises((script["Diverges"], KeyError)):
            script["verify"]([*text[:place], *text[place + 1 :]])


def test_the_script_says_where_and_what_it_needs(filled: Any, tmp_path: Path) -> None:
    text = lines(filled)
    wrong = [line.replace('"minutes":30', '"minutes":31') for line in text]
    code, said = checked(tmp_path, wrong)
    assert (code, said.split(":")[1].strip()) == (1, "transfer 7")
    assert checked(tmp_path, text[:-1]) == (
        1,
        "DIVERGES  Diverges: the head is missing: the file was cut off\n",
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT], check=False, capture_output=True, encoding="utf-8"
    )
    assert (done.returncode, "verify_export.py LEDGER" in done.stdout) == (2, True)


def test_l24_a_published_head_is_found_again_or_not(filled: Any) -> None:
    with filled.engine.connect() as connection:
        head = hours.verify_store(connection).head
    filled.at(TODAY, CLERK, hours.record, Claim("V1", "P1", DAY, 7))
    with filled.engine.connect() as connection:
        assert hours.verify_store(connection, published=head).holds
        seq, _, hash_ = head.partition(":")
        forged = hours.verify_store(connection, published=f"{seq}:{'0' * 64}")
        assert (forged.where, forged.stored) == (f"published head, event {seq}", hash_)
        assert hours.verify_store(connection, published=f"999:{hash_}").where == "published head, event 999"
        for odd in ("", "1", f"x:{hash_}", 7):
            with pytest.raises(InvalidValue):
                hours.verify_store(connection, published=odd)  # type: ignore[arg-type]


def test_no_word_about_anybody_leaves_with_the_ledger(filled: Any) -> None:
    text = "\n".join(lines(filled))
    assert all(word not in text for word in ("𠮷田", "提前离开", "没有签到"))
    with pytest.raises(NotPermitted):
        filled.at(TODAY, Actor("nobody"), hours.export_ledger)
