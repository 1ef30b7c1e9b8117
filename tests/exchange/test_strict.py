"""A59: a strict import brings in everything or nothing; the same folder twice changes nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Kit
from volunteerkit.cli import main
from volunteerkit.errors import ImportRefused
from volunteerkit.hours import verify_store
from volunteerkit.store.schema import metadata

CLERK = Actor.of("clerk-7", "centre")
DAY = dt.date(2026, 11, 23)
CITY = {
    "organizations": "org_id,org_name\nO0001,甲社区\n",
    "projects": "project_id,project_name,org_id\nP0001,献血,O0001\n",
    "volunteers": "volunteer_id,name,phone,org_id,registered_at\nV0000001,欧阳雪,12900000001,O0001,2017-08-17\n",
    "service_records": "record_id,volunteer_id,project_id,service_date,hours,status\n"
    "R1,V0000001,P0001,2020-09-13,2.5,confirmed\nR2,V0000404,P0001,2020-02-30,2,confirmed\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in CITY.items():
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    return tmp_path


def content(engine: sa.Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        assert verify_store(connection).holds
        return {
            table.name: connection.execute(sa.select(table)).fetchall() for table in metadata.sorted_tables
        }


def mend(folder: Path) -> None:
    file = folder / "service_records.csv"
    file.write_text(
        file.read_text("utf-8").replace("V0000404,P0001,2020-02-30", "V0000001,P0001,2020-02-28"), "utf-8"
    )


def test_one_refused_row_refuses_the_folder(kit: Kit, engine: sa.Engine, folder: Path) -> None:
    before = content(engine)
    with pytest.raises(ImportRefused) as caught:
        kit.import_directory(engine, CLERK, folder, as_of=DAY, strict=True)
    assert caught.value.code == "strict_refused"
    said = caught.value.message("zh-CN")
    assert "有 1 行被拒绝" in said
    assert "service_records.csv 第 3 行，" in said
    assert "欧阳雪" not in said
    assert content(engine) == before
    mend(folder)
    report = kit.import_directory(engine, CLERK, folder, as_of=DAY, strict=True)
    assert [file.new for file in report.files] == [1, 1, 1, 2]


def test_the_same_folder_twice_changes_nothing_strictly_too(
    kit: Kit, engine: sa.Engine, folder: Path
) -> None:
    mend(folder)
    kit.import_directory(engine, CLERK, folder, as_of=DAY, strict=True)
    before = content(engine)
    kit.import_directory(engine, CLERK, folder, as_of=DAY, strict=True)
    kit.import_directory(engine, CLERK, folder, as_of=DAY)
    assert content(engine) == before


def test_the_command_says_what_was_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VOLUNTEERKIT_LANG", "en")
    with pytest.raises(SystemExit) as ended:
        main(["import", ".", "--db", "c.db", "--strict"])
    told = capsys.readouterr()
    assert ended.value.code == 1
    assert "1 row(s) were refused, nothing was written" in told.err
    assert "service_records.csv, row 3" in told.err
