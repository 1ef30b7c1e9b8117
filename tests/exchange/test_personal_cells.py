"""Phones, public numbers and what a quarantine keeps: nobody's data in plain, whatever column they got into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Kit
from volunteerkit.errors import InvalidValue, NotFound
from volunteerkit.exchange.showing import shown
from volunteerkit.exchange.tables import batch, quarantine
from volunteerkit.privacy import read_phone
from volunteerkit.store.vault import find_subjects

CLERK = Actor.of("clerk-7", "centre")
ORGANIZATIONS = "org_id,org_name\nO1,甲社区\n"
PEOPLE = "volunteer_id,name,sex,birth_date,resident_id,phone,district,org_id,registered_at,status\n"
RECORDS = "record_id,volunteer_id,project_id,service_date,hours,status\n"

Load = Callable[..., list[tuple[str, str, str]]]


@pytest.fixture
def load(kit: Kit, engine: sa.Engine, tmp_path: Path) -> Load:
    """Import files and return the column, value and reason of everything that was refused."""

    def loaded(**files: str) -> list[tuple[str, str, str]]:
        for name, content in files.items():
            (tmp_path / f"{name}.csv").write_text(content, "utf-8")
        kit.import_directory(engine, CLERK, tmp_path)
        query = sa.select(quarantine.c.column, quarantine.c.value, quarantine.c.reason)
        with engine.connect() as connection:
            rows = connection.execute(query.order_by(quarantine.c.batch_id, quarantine.c.row))
            return [tuple(row) for row in rows]

    return loaded


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("129 0000 0078", "12900000078"), ("１２９－００００－００７８", "12900000078"), ("+86 12900000078", "12900000078"),
        ("008612900000078", "12900000078"), ("12900000078.0", "12900000078"), ("0790-6441234", "07906441234"),
        ("（0790）6441234", "07906441234"), ("0790-6441234-801", "07906441234801"), ("6441234", "6441234"),
        ("\u202d12900000078\u202c", "12900000078"), ("129–0000—0078", "12900000078"),
        ("+852 2123 4567", "+85221234567"), ("400-800-1234", "4008001234"),
    ],
)  # fmt: skip
def test_a_phone_has_one_form(text: str, phone: str) -> None:
    assert read_phone(text) == phone


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.38E+10", "phone_rounded"), ("1.29e10", "phone_rounded"), ("１．２９E+10", "phone_rounded"), ("abc", "phone_malformed"),
        ("无", "phone_malformed"), ("1290000007", "phone_malformed"), ("129000000789", "phone_malformed"), ("110", "phone_malformed"),
        ("12900000078/12900000079", "phone_malformed"), ("360599199003150015", "phone_malformed"), ("²290000007", "phone_malformed"),
    ],
)  # fmt: skip
def test_what_is_no_phone_is_none(text: str, code: str) -> None:
    with pytest.raises(InvalidValue) as told:
        read_phone(text)
    assert told.value.code == code
    assert text not in repr(told.value)


def test_phones_are_found_in_any_form_and_broken_ones_refused(
    load: Load, kit: Kit, engine: sa.Engine
) -> None:
    people = PEOPLE + "".join(
        f"V{number},张三丰,,,,{phone},,O1,2020-01-01,\n"
        for number, phone in enumerate(
            ["+86 129-0000 0078", "1.29E+10", "没有手机", "张三丰", "０７９０－６４４１２３４", ""], 1
        )
    )
    assert load(organizations=ORGANIZATIONS, volunteers=people) == [
        ("phone", "******10", "phone_rounded"),
        ("phone", "＊", "phone_malformed"),
        ("phone", "＊", "phone_malformed"),
    ]
    with kit.open(engine, CLERK, read_only=True) as desk:
        for phone in ("12900000078", "07906441234"):
            assert len(list(find_subjects(desk.connection, desk.needed_cipher(), "phone", phone))) == 1


@pytest.mark.parametrize(
    "number", ["张三丰", "V张三", "12900000078", "V12900000078", "0790-6441234", "360599199003150015", "360599900315001"]
)  # fmt: skip
def test_a_public_number_says_nothing_about_the_person(load: Load, number: str) -> None:
    (refused,) = load(
        organizations=ORGANIZATIONS, volunteers=f"{PEOPLE}{number},张三丰,,,,,,O1,2020-01-01,\n"
    )
    assert (refused[0], refused[2]) == ("volunteer_id", "id_is_personal")
    assert "*" in refused[1] or refused[1] == "＊"


@pytest.mark.parametrize("number", ["V0000001", "ANN-1", "xy_0093", "20170817000012", "A.B/7", "ANN"])
def test_numbers_of_other_systems_are_taken(load: Load, number: str) -> None:
    assert (
        load(organizations=ORGANIZATIONS, volunteers=f"{PEOPLE}{number},张三丰,,,,,,O1,2020-01-01,\n") == []
    )


def test_a_name_in_any_column_of_any_file_stays_out_of_the_database(load: Load, engine: sa.Engine) -> None:
    """Every cell in its turn holds the name: whatever is refused says where, and never who."""
    row = ["V", "张三丰", "F", "1990-03-15", "360599199003150015", "12900000078", "渝水区", "O1", "2020-01-01", "approved"]  # fmt: skip
    people = [[f"V{at}", *row[1:]] for at in range(len(row))]
    for at, cells in enumerate(people):
        cells[at] = "买买提·艾力"
    record = ["R", "V1", "P1", "2020-01-01", "2", "confirmed"]
    records = [[f"R{at}", *record[1:]] for at in range(len(record))]
    for at, cells in enumerate(records):
        cells[at] = "欧阳娜娜"
    refused = load(
        organizations=ORGANIZATIONS,
        projects="project_id,project_name,org_id\nP1,献血,O1\n",
        volunteers=PEOPLE + "\n".join(map(",".join, people)) + "\n",
        service_records=RECORDS + "\n".join(map(",".join, records)) + "\n",
    )
    assert ("record_id", "＊", "id_is_personal") in refused
    assert len(refused) >= 12
    assert {value for _, value, _ in refused} <= {"＊", "R1", "R2", "R3", "R4", "R5"}
    with engine.connect() as connection:
        for table in (batch, quarantine):
            stored = " ".join(map(str, connection.execute(sa.select(table))))
            assert not [name for name in ("艾力", "买买提", "欧阳", "娜") if name in stored]


@pytest.mark.parametrize(
    ("field", "text", "kept"),
    [
        ("hours", "25小时", "25小时"), ("hours", "2小时75分", "2小时75分"), ("service_date", "2019年2月30日", "2019年2月30日"),
        ("service_date", "5/3/2019", "5/3/2019"), ("recorded_at", "2020-02-30T17:34Z", "2020-02-30T17:34Z"),
        ("status", "已注销", "已注销"), ("status", "已办结", "＊"), ("volunteer_id", "VOOO7957", "VOOO7957"),
        ("volunteer_id", "zhangsan1990", "＊"), ("volunteer_id", "ye@example.org", "＊"), ("hours", "", ""), ("hours", " ", ""),
        ("hours", "360599199003150015", "****************15"), ("hours", "12900000078", "*********78"), ("hours", "0790-6441234", "**********34"),
        ("project_id", "36059919900315001500", "******************00"), ("record_id", "20200913000000000123", "20200913000000000123"),
        ("hours", "=HYPERLINK(\"http://x/1\")", "＊"), ("name", "欧阳娜娜", "欧阳＊"), ("phone", "买买提·艾力江", "＊"),
        ("resident_id", "买买提·艾力江", "＊"), ("", "12 ≠ 11", "12 ≠ 11"), ("", "王小明", "＊"),
        ("record_id", "0198c0de-7a5b-7c3d-9e1f-abcdefabcdef", "0198c0de-7a5b-7c3d-9e1f-abcdefabcdef"),
    ],
)  # fmt: skip
def test_what_is_kept_has_the_form_of_something_harmless(field: str, text: str, kept: str) -> None:
    assert shown(field, text) == kept


@pytest.mark.parametrize(
    "typed", ["张三丰", "ZHANG SAN", "zhangsan", "12900000078", "360599199003150015", "ye@example.org"]
)
def test_an_unknown_id_that_is_none_is_not_repeated(typed: str) -> None:
    error: Any = NotFound(kind="volunteer", id=typed)
    assert typed not in f"{error} {error!r} {error.message('en')} {error.args}"
    assert "V0000009" in str(NotFound(kind="volunteer", id="V0000009"))
