"""Files as clerks really have them: what must be read, what must be refused, and that nothing is lost between."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Application, Kit, messages, rating, volunteers
from volunteerkit import personal as personal_data
from volunteerkit.errors import ImportRefused
from volunteerkit.exchange.tables import batch, quarantine
from volunteerkit.hours import verify_store
from volunteerkit.hours.tables import flag, service_record
from volunteerkit.organizations.tables import organization, team
from volunteerkit.projects.tables import project
from volunteerkit.store.vault import find_subjects, open_subject
from volunteerkit.units import day_of
from volunteerkit.volunteers.tables import doubt, membership, volunteer

CLERK = Actor.of("clerk-7", "centre")
HEADER = "record_id,volunteer_id,project_id,team_id,service_date,start_time,end_time,hours,status,source,recorded_at"
ONE = "R1,V0000001,P0001,,2020-09-13,15:00,17:30,2.5,confirmed,checkin,2020-09-13 17:34"
TWO = "R2,V0000002,P0001,,2020-09-14,15:00,17:30,2.5,confirmed,checkin,2020-09-14 17:34"
CITY = {
    "organizations": "org_id,org_name,parent_org_id\nO0001,甲社区,\n",
    "projects": "project_id,project_name,org_id\nP0001,献血,O0001\n",
    "volunteers": (
        "volunteer_id,name,resident_id,phone,district,org_id,registered_at\n"
        "V0000001,欧阳雪,,12900000001,高新区,O0001,2017-08-17 13:59\n"
        "V0000002,叶怡,,12900000002,渝水区,O0001,2019/1/4 17:27\n"
    ),
    "service_records": f"{HEADER}\n{ONE}\n{TWO}\n",
}

Load = Callable[..., dict[str, Any]]


@pytest.fixture
def load(kit: Kit, engine: sa.Engine, tmp_path: Path) -> Load:
    """Import the city with some of its files replaced, and check that every row is accounted for."""

    def loaded(**files: str | bytes | None) -> dict[str, Any]:
        for name, content in (CITY | files).items():
            if content is None:
                continue
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / f"{name}.csv").write_bytes(data)
        counts = kit.import_directory(engine, CLERK, tmp_path, as_of=dt.date(2026, 11, 23)).as_dict()
        parts: Any = counts
        told = sum(parts["refused"].values()) + sum(parts["skipped"].values())
        assert parts["read"] == parts["credited"] + parts["not_credited"] + told
        with engine.connect() as connection:
            assert verify_store(connection).holds
        return counts

    return loaded


def refused(engine: sa.Engine) -> list[tuple[int, str, str]]:
    """Row, value and reason of what the last batch refused."""
    last = sa.select(sa.func.max(batch.c.id)).scalar_subquery()
    query = sa.select(quarantine.c.row, quarantine.c.value, quarantine.c.reason).where(
        quarantine.c.batch_id == last
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(quarantine.c.row))]


def records(*lines: str) -> str:
    return "\n".join((HEADER, *lines)) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        f"sep=,\r\n{HEADER}\r\n{ONE}\r\n{TWO}\r\n",
        "\ufeff" + f"sep=;\n{HEADER}\n{ONE}\n{TWO}\n".replace(",", ";"),
        f"{HEADER}\n{ONE}\n{TWO}\n".replace(",", "|"),
        "\n" + f"{HEADER}\n{ONE}\n{TWO}\n".replace(",", "\t"),
        f"{HEADER}\n{ONE}\n\n,,,,,,,,,,\n{TWO}\n,,,,,,,,,,\n",
        f"{HEADER},,\n{ONE},,\n{TWO}\n",
        f"{HEADER}\n{ONE},,\n{TWO},\n",
        f"{HEADER}\r{ONE}\r{TWO}",
        f"{HEADER.upper().replace(',', ' , ')}\n{ONE}\n{TWO}",
        records(ONE, TWO).replace("hours", "服务时长（分钟）").replace(",2.5,", ",150,"),
        records(ONE, TWO).replace("2020-09-13,", "2020/9/13 0:00,").replace(",R2,", ',"=""R2""",'),
        records(ONE, TWO).replace("2020-09-13 17:34", "2020/9/13 17:34:05").replace("2020-09-14,", "44088.5,"),
        records(ONE, TWO).replace("V0000001", '"=""V0000001"""').replace("2020-09-14,", "2020年9月14号,"),
    ],
)  # fmt: skip
def test_files_that_are_certain_are_read(load: Load, engine: sa.Engine, content: str) -> None:
    counts = load(service_records=content)
    assert (counts["read"], counts["credited"], counts["refused"]) == (2, 2, {})
    with engine.connect() as connection:
        query = sa.select(service_record.c.served_on, service_record.c.claimed_minutes)
        assert sorted(tuple(row) for row in connection.execute(query)) == [(18518, 150), (18519, 150)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "file_empty"), ("\ufeff\n\n", "file_empty"), ("\0\0", "file_empty"),
        (f"{HEADER},hours\n{ONE},9\n", "column_twice"),
        (f'{HEADER}\n{ONE}\n"R2,V0000001\n', "csv_broken"),
        (f"{HEADER}\n{ONE}\n".encode() + b"\xff\xff", "encoding_unknown"),
    ],
)  # fmt: skip
def test_files_that_are_not_are_refused_as_a_whole(load: Load, content: str | bytes, code: str) -> None:
    with pytest.raises(ImportRefused) as told:
        load(service_records=content)
    assert told.value.code == code


@pytest.mark.parametrize(
    ("old", "new", "value", "reason"),
    [
        ("15:00", "24:00", "24:00", "start_at_24"),
        ("R2", "R\x002", "R␀2", "id_malformed"),
        ("R2", "R2" * 51, "R2" * 50, "id_malformed"),
        ("2020-09-14,", "2020-09-14\x00,", "2020-09-14␀", "date_unreadable"),
        ("V0000002", "360599199003150015", "****************15", "id_malformed"),
        ("V0000002", "１２９00000002", "*********02", "id_malformed"),
        ("V0000002", "ye@example.org", "＊", "id_is_personal"),
        ("2020-09-14 17:34", "2020-02-30 17:34", "2020-02-30 17:34", "date_impossible"),
        (",2.5", ",2.5,2", "12 ≠ 11", "columns_mismatch"),
    ],
)
def test_one_bad_cell_refuses_its_row_and_no_other(
    load: Load, engine: sa.Engine, old: str, new: str, value: str, reason: str
) -> None:
    counts = load(service_records=records(ONE, TWO.replace(old, new, 1)))
    assert (counts["read"], counts["credited"]) == (2, 1)
    assert refused(engine) == [(3, value, reason)]


@pytest.mark.parametrize(("said", "shown"), [("90.5", "90.5"), (" 1.5 ", "1.5"), ("很久", "＊"), ("", "")])
def test_a_column_of_minutes_is_mended_in_minutes(
    load: Load, engine: sa.Engine, said: str, shown: str
) -> None:
    text = records(ONE.replace(",2.5,", ",150,"), TWO.replace(",2.5,", f",{said},"))
    counts = load(service_records=text.replace("hours", "服务时长（分钟）"))
    assert (counts["credited"], refused(engine)) == (1, [(3, shown, "minutes_unreadable")])
    for language, word in (("zh-CN", "整分钟数"), ("en", "counts minutes")):
        assert word in messages.text("minutes_unreadable", language)
        assert "2.5" not in messages.text("minutes_unreadable", language)


@pytest.mark.parametrize(
    ("start", "end", "hours", "flagged"),
    [
        ("11:00", "09:00", "2", True), ("14:00", "10:00", "3.5", True), ("22:00", "06:00", "8", False),
        ("20:00", "08:00", "8", False), ("21:00", "00:30", "1", False), ("09:00", "11:00", "2", False),
        ("18:00", "24:00", "1", False),
    ],
)  # fmt: skip
def test_a_swapped_start_and_end_are_flagged(
    load: Load, engine: sa.Engine, start: str, end: str, hours: str, flagged: bool
) -> None:
    counts = load(service_records=records(ONE.replace("15:00,17:30,2.5", f"{start},{end},{hours}"), TWO))
    kind = sa.select(service_record.c.external_id, flag.c.kind).join(
        flag, flag.c.record_id == service_record.c.id
    )
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(kind)]
    assert (counts["credited"], found) == (2, [("R1", "times_swapped")] if flagged else [])


def test_swapped_times_take_no_minutes_from_another_record(load: Load, kit: Kit, engine: sa.Engine) -> None:
    swapped = ONE.replace("15:00,17:30,2.5", "11:00,09:00,2")
    evening = TWO.replace("V0000002", "V0000001").replace("2020-09-14,15:00,17:30", "2020-09-13,15:00,17:30")
    counts = load(service_records=records(swapped, evening))
    assert counts["flagged"] == {"missing_id": 2, "times_swapped": 1}
    with kit.open(engine, CLERK) as desk:
        rated = rating.rate_city(desk, rulebook="union", as_of=dt.date(2026, 11, 23))
    assert dict(zip(rated.volunteers, rated.credited_minutes, strict=True))["V0000001"] == 120 + 150
    assert load(service_records=records(swapped, evening))["unchanged"] == 2


def test_a_repeat_in_a_file_without_record_ids_is_told_by_a_column_that_it_has(
    load: Load, engine: sa.Engine
) -> None:
    row = "V0000001,P0001,2020-09-13,2.5,已确认\n"
    load(service_records=f"志愿者编号,项目编号,服务日期,服务时长,状态\n{row}{row}")
    with engine.connect() as connection:
        query = sa.select(quarantine.c.row, quarantine.c.column, quarantine.c.value, quarantine.c.reason)
        assert [tuple(each) for each in connection.execute(query)] == [
            (3, "志愿者编号", "V0000001", "exact_duplicate")
        ]


def test_a_repeat_that_comes_first_next_time_costs_nobody_a_record(load: Load, engine: sa.Engine) -> None:
    repeat = ONE.replace("R1", "R3")
    load(service_records=records(ONE, TWO, repeat))
    counts = load(service_records=records(repeat, TWO, ONE))
    assert (counts["new"], counts["unchanged"], counts["refused"]) == (0, 2, {"exact_duplicate": 1})
    assert refused(engine) == [(2, "R3", "exact_duplicate")]
    again = load(service_records=records(ONE, ONE, TWO, TWO.replace("confirmed", "cancelled")))
    assert again["refused"] == {"exact_duplicate": 1, "record_id_repeated": 1}


def test_the_quarantine_is_that_of_the_last_run(load: Load, engine: sa.Engine) -> None:
    wrong = ONE.replace("2.5", "25")
    load(service_records=records(wrong, TWO))
    load(service_records=records(TWO))
    assert refused(engine) == []
    load(service_records=records(wrong, TWO))
    assert refused(engine) == [(2, "25", "hours_over_24")]


def test_a_file_of_which_every_row_is_refused_comes_after_a_right_one(load: Load, engine: sa.Engine) -> None:
    load()
    counts = load(service_records=records(ONE.replace("2.5", "25")))
    assert (counts["read"], counts["refused"]) == (1, {"hours_over_24": 1})


def test_a_line_break_in_a_cell_is_a_space(load: Load) -> None:
    counts = load(volunteers=CITY["volunteers"].replace("高新区", '"高新区\n城东"'))
    assert (counts["credited"], counts["refused"]) == (2, {})


@pytest.mark.parametrize(
    "row", ["12900000003,丙,,129-0000-0003,", "360599199003150015,丙,,,", "360599199003150015,丙,360599199003150015,,"]
)  # fmt: skip
def test_no_identity_number_or_phone_becomes_a_public_number(load: Load, engine: sa.Engine, row: str) -> None:
    counts: Any = load(volunteers=f"{CITY['volunteers']}{row},O0001,2020-01-01\n")
    people = next(file for file in counts["files"] if file["entity"] == "volunteers")
    assert people["refused"] == {"id_is_personal": 1}
    with engine.connect() as connection:
        assert "*" in connection.execute(sa.select(quarantine.c.value)).scalar_one()


FOREIGN = """Volunteer\tE-mail\tEvent\tDate\tClock In\tClock Out\tMinutes\tIn\tOut
ANN\tann@example.org\tE1\t03/05/2020\t03/05/2020 9:00 AM\t03/05/2020 11:30 AM\t150\t1583416800\t1583425800000
BOB\tbob@example.org\tE1\t03/06/2020\t03/06/2020 11:00 PM\t03/07/2020 1:30 AM\t150.0\t1583553600\t1583562600
"""
MAPPING = """source = "us"
zone = "America/New_York"
[[file]]
name = "s.csv"
entity = "organizations"
distinct = true
[file.columns]
org_id = { constant = "O1" }
org_name = { constant = "Org" }
[[file]]
name = "s.csv"
entity = "projects"
distinct = true
[file.columns]
project_id = "Event"
project_name = "Event"
org_id = { constant = "O1" }
[[file]]
name = "s.csv"
entity = "volunteers"
distinct = true
[file.columns]
volunteer_id = "WHO"
name = "Volunteer"
org_id = { constant = "O1" }
registered_at = { constant = "2019-01-01" }
[[file]]
name = "s.csv"
entity = "service_records"
[file.columns]
volunteer_id = "WHO"
project_id = "Event"
status = { constant = "confirmed" }
"""
TIMES = {
    "minutes": 'service_date = { column = "Date", formats = ["%m/%d/%Y"] }\nhours = "Minutes"',
    "clock": """checked_in_at = { column = "Clock In", formats = ["%m/%d/%Y %I:%M %p"] }
        checked_out_at = { column = "Clock Out", formats = ["%m/%d/%Y %I:%M %p"] }""",
    "epoch": """checked_in_at = { column = "In", formats = ["epoch"] }
        checked_out_at = { column = "Out", formats = ["epoch"] }""",
}


@pytest.mark.parametrize(("who", "times"), [("Volunteer", way) for way in TIMES] + [("E-mail", "epoch")])
def test_a_foreign_table_comes_in_by_any_of_its_columns(
    kit: Kit, engine: sa.Engine, tmp_path: Path, who: str, times: str
) -> None:
    (tmp_path / "s.csv").write_text(FOREIGN, "utf-8")
    mapping = tmp_path / "m.toml"
    mapping.write_text(MAPPING.replace("WHO", who) + TIMES[times], "utf-8")
    for new in (2, 0):
        report = kit.import_directory(engine, CLERK, tmp_path, mapping=mapping, as_of=dt.date(2026, 11, 23))
        if who == "E-mail":
            assert report.files[-1].refused == report.files[-2].refused == {"id_is_personal": 2}
            continue
        assert (report.files[-1].new, report.files[-1].credited) == (new, 2)
        query = sa.select(service_record.c.served_on, service_record.c.claimed_minutes)
        with engine.connect() as connection:
            found = sorted(tuple(row) for row in connection.execute(query))
        assert found == [(18326, 150), (18327, 150)]
    with engine.connect() as connection:
        batches = connection.execute(sa.select(sa.func.count()).select_from(batch)).scalar_one()
    assert batches == 4


def test_a_corrected_parent_is_found_by_its_children(load: Load, engine: sa.Engine) -> None:
    head = "org_id,org_name,parent_org_id\nO0001,甲社区,O0002\n"
    load(organizations=f"{head}O0002,,\n")
    load(organizations=f"{head}O0002,乙街道,\n")
    with engine.connect() as connection:
        query = sa.select(organization.c.parent_id).where(organization.c.number == "O0001")
        assert connection.execute(query).scalar_one() is not None


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes only there")
def test_a_file_name_in_gbk_is_read(load: Load, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xbc\xc7\xc2\xbc.csv"
    try:
        Path(os.fsdecode(name)).write_text(records(ONE, TWO), "utf-8")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    counts: Any = load(service_records=None)
    assert counts["files"][-1]["file"] == "记录.csv"


def test_a_record_that_was_pending_and_comes_decided_is_decided(load: Load, engine: sa.Engine) -> None:
    """A system exports a record twice: while it waits, and when somebody has confirmed or rejected it."""
    wait = [row.replace("confirmed", "pending") for row in (ONE, TWO)]
    first = load(service_records="\n".join([HEADER, *wait]) + "\n")
    assert (first["credited"], first["not_credited"]) == (0, 2)
    decided = "\n".join([HEADER, ONE, TWO.replace("confirmed", "rejected")]) + "\n"
    second = load(service_records=decided)
    assert (second["credited"], second["not_credited"], second["updated"], second["new"]) == (1, 1, 2, 0)
    assert second["refused"] == {}
    for again in (decided, "\n".join([HEADER, *wait]) + "\n"):  # also the older file once more
        third = load(service_records=again)
        assert (third["credited"], third["updated"], third["refused"]) == (1, 0, {})
    turned = load(service_records="\n".join([HEADER, ONE.replace("confirmed", "rejected"), TWO]) + "\n")
    assert turned["refused"] == {"record_id_conflict": 2}
    with engine.connect() as connection:
        columns = (service_record.c.state, service_record.c.confirmed_minutes)
        rows = connection.execute(sa.select(*columns).order_by(service_record.c.id)).all()
    assert [tuple(row) for row in rows] == [("confirmed", 150), ("rejected", 0)]


def test_a_row_keeps_what_the_file_does_not_know(load: Load, kit: Kit, engine: sa.Engine) -> None:
    """What a guardian, an e-mail or an address came by is no file: a changed row leaves them alone."""
    load()
    guardian = volunteers.Guardian("叶父", "12900000009", consented_on=dt.date(2026, 1, 1))
    with kit.open(engine, CLERK) as desk:
        number = volunteers.register(
            desk,
            Application(
                "叶小", "O0001", phone="12900000003", born_on=dt.date(2012, 3, 15), email="ye@example.org",
                address="江西省新余市渝水区某路1号", guardian=guardian, consent_on=desk.today,
            ),
        )  # fmt: skip
    before = personal(kit, engine, number)
    header = "volunteer_id,name,phone,org_id,registered_at\n"
    counts: Any = load(volunteers=f"{header}{number},叶小小,,O0001,2020-01-01\n")
    assert next(file for file in counts["files"] if file["entity"] == "volunteers")["updated"] == 1
    assert personal(kit, engine, number) == before | {"name": "叶小小"}
    with kit.open(engine, CLERK, read_only=True) as desk:
        cipher = desk.needed_cipher()
        for kind, value in (("phone", "12900000003"), ("email", "ye@example.org"), ("name_part", "小小")):
            assert find_subjects(desk.connection, cipher, kind, value), kind
        adult = desk.connection.execute(
            sa.select(volunteer.c.adult_on).where(volunteer.c.number == number)
        ).scalar_one()
    assert day_of(adult) == dt.date(2030, 3, 15)


def test_a_file_without_identity_numbers_raises_no_doubt_about_those_that_are_known(
    load: Load, kit: Kit, engine: sa.Engine
) -> None:
    header = "volunteer_id,name,sex,birth_date,resident_id,phone,org_id,registered_at\n"
    rows = "V3,兰,F,,360599199003150015,,O0001,2020-01-01\nV4,竹,,,360599900315002,,O0001,2020-01-01\n"
    load(volunteers=header + rows)
    kept = personal(kit, engine, "V3")
    assert doubts(engine, "V3") == {"sex_disagrees_with_id"}
    assert doubts(engine, "V4") == {"old_15_digit_id"}
    load(volunteers=header + "V3,兰兰,,,,,O0001,2020-01-01\nV4,竹竹,,,3.60E+14,,O0001,2020-01-01\n")
    assert doubts(engine, "V3") == {"sex_disagrees_with_id"}
    assert doubts(engine, "V4") == {"old_15_digit_id", "identity_unreadable"}
    assert personal(kit, engine, "V3") == kept | {"name": "兰兰"}
    assert personal(kit, engine, "V4")["identity_number"].startswith("360599199003150")
    load(volunteers=header + "V3,兰兰,M,,,,O0001,2020-01-01\n")
    assert doubts(engine, "V3") == set()


def test_a_column_that_the_file_lacks_changes_nothing(load: Load, kit: Kit, engine: sa.Engine) -> None:
    teams = "team_id,team_name,org_id\nT1,一队,O0001\n"
    header = "volunteer_id,name,org_id,registered_at"
    load(
        teams=teams,
        volunteers=f"{header},team_id,district,status\nV3,兰,O0001,2020-01-01,T1,高新区,suspended\n",
    )
    load(volunteers=f"{header}\nV3,兰兰,O0001,2020-01-01\n")
    query = sa.select(membership.c.team_id, volunteer.c.district, membership.c.until)
    joined = query.join(membership, membership.c.volunteer_id == volunteer.c.id).where(
        volunteer.c.number == "V3"
    )
    with engine.connect() as connection:
        assert set(map(tuple, connection.execute(joined))) == {(place, "高新区", None) for place in (None, 1)}
    with kit.open(engine, CLERK, read_only=True) as desk:
        assert personal_data.profile(desk, "V3").status == "suspended"


STATUSES = {
    "organizations": ("org_id,org_name,status\nO0001,甲社区,\nX1,乙社区,{}\n", organization),
    "teams": ("team_id,team_name,org_id,status\nX1,一队,O0001,{}\n", team),
    "projects": ("project_id,project_name,org_id,status\nP0001,献血,O0001,\nX1,义诊,O0001,{}\n", project),
    "volunteers": ("volunteer_id,name,org_id,registered_at,status\nX1,兰,O0001,2020-01-01,{}\n", volunteer),
}


@pytest.mark.parametrize(
    ("entity", "said", "status"),
    [
        ("organizations", "已通过", "active"), ("organizations", "正常", "active"),
        ("organizations", "已注销", "dissolved"), ("organizations", "已确认", None),
        ("teams", "正常", "approved"), ("teams", "已解散", "dissolved"), ("teams", "已取消", None),
        ("projects", "进行中", "approved"), ("projects", "已解散", None),
        ("volunteers", "正常", "approved"), ("volunteers", "有效", "approved"), ("volunteers", "已驳回", "rejected"),
        ("volunteers", "已解散", None), ("volunteers", "已确认", None), ("volunteers", "已取消", None),
    ],
)  # fmt: skip
def test_a_status_is_one_of_its_table(
    load: Load, engine: sa.Engine, entity: str, said: str, status: str | None
) -> None:
    text, table = STATUSES[entity]
    load(**{"service_records": None, entity: text.format(said)})
    with engine.connect() as connection:
        found = connection.execute(sa.select(table.c.status).where(table.c.number == "X1")).scalar()
        reasons = set(connection.execute(sa.select(quarantine.c.reason)).scalars())
    assert (found, reasons) == (status, set() if status else {"status_unknown"})


def personal(kit: Kit, engine: sa.Engine, number: str) -> dict[str, Any]:
    with kit.open(engine, CLERK, read_only=True) as desk:
        id_ = desk.connection.execute(sa.select(volunteer.c.id).where(volunteer.c.number == number)).scalar()
        return open_subject(desk.connection, desk.needed_cipher(), f"volunteer:{id_}")


def doubts(engine: sa.Engine, number: str) -> set[str]:
    query = sa.select(doubt.c.kind).join(volunteer, volunteer.c.id == doubt.c.volunteer_id)
    with engine.connect() as connection:
        return set(connection.execute(query.where(volunteer.c.number == number)).scalars())
