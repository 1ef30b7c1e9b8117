"""The quarantine a clerk works through: files refused as a whole, flagged rows, filters, pages, exit codes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit.cli import main
from volunteerkit.messages import in_language

FILES = {
    "organizations": "org_id,org_name\nO1,渝水区志愿服务联合会\n",
    "projects": "project_id,project_name,org_id\nP1,无偿献血宣传,O1\n",
    "volunteers": "volunteer_id,name,org_id,registered_at\nV1,周兰,O1,2019-03-01\n",
    "service_records": "volunteer_id,project_id,service_date,hours,status\n",
}
RIGHT = "V1,P1,2019-03-05,2,confirmed\n"
WRONG = "V1,P1,2019-02-30,2,confirmed\n"

Said = tuple[int, str, str]
Say = Callable[..., Said]


@pytest.fixture(params=["sqlite", "postgresql"])
def say(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Say:  # fmt: skip
    """Run a command on the city and return its exit code, output and errors."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else "city.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("VOLUNTEERKIT_KEY_FILE", str(tmp_path / "city.key"))
    (tmp_path / "files").mkdir()
    create, opened = volunteerkit.create_engine, []

    def created(*given: Any, **named: Any) -> sa.Engine:
        opened.append(create(*given, **named))
        return opened[-1]

    monkeypatch.setattr(volunteerkit, "create_engine", created)

    def said(*words: str, language: str = "zh-CN", records: str = "", **files: str | None) -> Said:
        for name, content in (
            FILES | {"service_records": FILES["service_records"] + records} | files
        ).items():
            path = tmp_path / "files" / f"{name}.csv"
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(content, "utf-8")
        capsys.readouterr()
        with in_language(language), pytest.raises(SystemExit) as done:
            main([*words, "--db", url])
        while opened:  # as the end of a process does
            opened.pop().dispose()
        shown = capsys.readouterr()
        code = done.value.code
        return int(code or 0), shown.out, shown.err

    return said


def test_every_row_refused_is_no_success_and_some_are(say: Say) -> None:
    code, out, err = say("import", "files", records=WRONG)
    assert (code, "every_row_refused" in err, "service_records.csv (1)" in err) == (1, True, True)
    assert "quarantine" in out
    code, out, err = say("import", "files", records=WRONG + RIGHT)
    assert (code, err) == (0, "")
    code, out, err = say("import", "files", "--json", records=WRONG)
    assert out, err
    assert (code, json.loads(out)["refused"]) == (1, {"date_impossible": 1})


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"volunteers": "编号,张三丰\nV1,李四\n"}, "file_columns_missing"),
        ({"volunteers": 'volunteer_id,name,org_id,registered_at\n"V1,周兰\n'}, "csv_broken"),
        ({"volunteers": ""}, "file_empty"),
    ],
)
def test_a_file_refused_as_a_whole_stands_in_the_quarantine_until_it_is_right(
    say: Say, files: dict[str, str], code: str
) -> None:
    assert say("import", "files", records=RIGHT)[0] == 0
    for _ in range(2):
        assert say("import", "files", records=RIGHT, **files)[0] == 1
    zh, en = say("quarantine")[1], say("quarantine", language="en")[1]
    assert "整个文件被拒绝" in zh
    assert "refused as a whole" in en
    assert all("volunteers.csv" in text and code in text for text in (zh, en))
    (row,) = json.loads(say("quarantine", "--json")[1])
    assert (row["file"], row["row"], row["reason"]) == ("volunteers.csv", 0, code)
    assert "张三丰" not in json.dumps(row, ensure_ascii=False)
    assert "李四" not in zh + en
    assert say("quarantine", "--reason", code)[1] == zh
    assert say("import", "files", records=RIGHT)[0] == 0
    assert say("quarantine")[1].strip() == "没有被拒绝的行。"
    assert say("verify")[0] == 0


def test_a_folder_that_cannot_be_imported_makes_no_database(say: Say, tmp_path: Path) -> None:
    say("import", "files", volunteers="")
    assert not (tmp_path / "city.db").exists()


def test_a_file_that_is_left_out_is_named(say: Say) -> None:
    more: dict[str, Any] = {"名册": "志愿者编号,姓名\nV1,周兰\n"}
    code, out, _ = say("import", "files", records=RIGHT, **more)
    assert (code, "未导入：名册.csv" in out, "缺少列：所属组织编号、注册时间" in out) == (0, True, True)
    assert "Not imported: 名册.csv" in say("import", "files", language="en", records=RIGHT, **more)[1]
    (left,) = json.loads(say("import", "files", "--json", records=RIGHT, **more)[1])["left_out"]
    assert left["file"] == "名册.csv"
    named: dict[str, Any] = {"志愿者": "编号;姓名\nV1;周兰\n", "volunteers": None, "名册": None}
    code, _, err = say("import", "files", records=RIGHT, **named)
    assert (code, "志愿者.csv" in err, "注册时间" in err) == (1, True, True)


def test_flagged_rows_are_listed_by_kind_and_by_page(say: Say, tmp_path: Path) -> None:
    records = "".join(f"V1,P1,2018-01-{1 + at % 28:02d},{1 + at // 28},confirmed\n" for at in range(250))
    assert "quarantine --flagged" in say("import", "files", records=records)[1]
    rows = json.loads(say("quarantine", "--flagged", "--json")[1])
    kinds = [row["kind"] for row in rows]
    assert kinds == sorted(kinds)
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "before_registration": 250, "day_sum_over_24h": 250, "missing_id": 1, "no_clock": 250
    }  # fmt: skip
    assert rows[0] | {"record": ""} == {
        "kind": "before_registration", "volunteer": "V1", "record": "", "place": "", "day": "2018-01-01", "file": "service_records.csv",
        "meaning": "服务日期早于注册日期。请核对两个日期；若是补录旧记录，无须更正。",
    }  # fmt: skip
    last = say("quarantine", "--flagged", "--page", "4")[1]
    assert "第 4 页，共 4 页、751 行" in last
    assert last.count("service_records.csv") == 151
    only = say("quarantine", "--flagged", "--reason", "missing_id", language="en")[1]
    assert ("missing_id" in only, "no_clock" in only, "Page" in only) == (True, False, False)
    assert say("quarantine", "--flagged", "--out", "flagged.csv")[0] == 0
    with (tmp_path / "flagged.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 751


def test_a_filter_that_is_no_reason_names_those_that_are(say: Say) -> None:
    say("import", "files", records=RIGHT)
    code, _, err = say("quarantine", "--reason", "date_imposible")
    assert (code, "date_impossible" in err, "是否想写" in err) == (1, True, True)
    code, _, err = say("quarantine", "--flagged", "--reason", "date_impossible")
    assert (code, "no_clock" in err) == (1, True)
    assert "date_impossible" in say("quarantine", "--reason", "date_impossible")[1]
    for page in ("0", "-1", "2"):
        assert "1 … 1" in say("quarantine", "--page", page)[2]
