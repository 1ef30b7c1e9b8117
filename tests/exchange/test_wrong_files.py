"""What a clerk hands in by mistake: every message says what to do, in both languages, and tells nobody's data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from volunteerkit import messages
from volunteerkit.errors import ImportRefused
from volunteerkit.exchange import plan_directory
from volunteerkit.exchange.proposing import propose_mapping

PERSON = "V0000001,张三丰,男,1990-03-15,360599199003150015,12900000001,渝水区,O0001,,2020-01-01,approved"
PRIVATE = ("张三丰", "1990-03-15", "360599199003150015", "12900000001")
HEADER = "volunteer_id,name,sex,birth_date,resident_id,phone,district,org_id,team_id,registered_at,status"


def refusal(folder: Path, mapping: Path | None = None) -> ImportRefused:
    with pytest.raises(ImportRefused) as told:
        plan_directory(folder, mapping)
    assert told.value.message("zh-CN") != told.value.message("en")
    for language in messages.LANGUAGES:
        said = told.value.message(language)
        assert not said.startswith(told.value.code), "no text"
        assert not [word for word in PRIVATE if word in said or word in repr(told.value)]
    return told.value


def test_without_a_header_nobodys_data_are_told(tmp_path: Path) -> None:
    (tmp_path / "volunteers.csv").write_text(f"{PERSON}\n{PERSON.replace('张三丰', '李四')}\n", "utf-8")
    with messages.in_language("zh-CN"):
        error = refusal(tmp_path)
        assert "缺少表头" in str(error)
        assert "共 11 列" in str(error)
        assert "志愿者编号、姓名" in str(error)
    with messages.in_language("en"):
        assert "volunteer_id, name" in str(refusal(tmp_path))


def test_a_file_of_another_name_without_a_header_is_named_and_not_told(tmp_path: Path) -> None:
    (tmp_path / "名单.csv").write_text(f"{PERSON}\n", "utf-8")
    assert "名单.csv" in refusal(tmp_path).message("zh-CN")
    draft = propose_mapping(tmp_path)
    assert not [word for word in PRIVATE if word in draft]
    assert "名单.csv：第一行没有认识的列名" in draft
    (tmp_path / "名单.csv").write_text("编号,张三丰,注册时间\n", "utf-8")
    draft = propose_mapping(tmp_path)
    assert ("张三丰" in draft, "#2" in draft, 'registered_at = "注册时间"' in draft) == (False, True, True)


@pytest.mark.parametrize(
    ("header", "missing", "said"),
    [
        ("志愿者编号,张三丰,性别,手机,所属组织,注册时间", "姓名。", "第 2 列的标题不像列名"),
        ("volunteer_id,nam,org_id,registered_at", "name。", "未识别的列：“nam”"),
        ("volunteer_id,-,org_id,registered_at", "name。", "未识别的列：“-”"),
        ("volunteer_id,12900000001,Team status,org_id", "name, registered_at。", "“Team status”；第 2 列"),
        ("志愿者编号,姓名,所属组织", "注册时间。", "请改列名"),
    ],
)
def test_missing_columns_are_named_as_the_file_names_its_own(
    header: str, missing: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "volunteers.csv").write_text(f"{header}\n", "utf-8")
    told = refusal(tmp_path).message("zh-CN")
    assert f"缺少必需的列：{missing}" in told
    assert said in told


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"PK\x03\x04\x14\0\x06\0" + bytes(500), "file_no_text", "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "file_no_text", "Excel"),
        (b"<html><table><tr><td>V1</td></tr></table></html>", "file_no_text", "网页"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "file_no_text", "图片"),
        (bytes(range(256)) * 8, "file_no_text", "二进制"),
        (b"", "file_empty", "空的"),
        (b"\xef\xbb\xbf\r\n", "file_empty", "空的"),
        (b"\xff\xfe", "file_empty", "空的"),
        (HEADER.encode("utf-16") + b"x", "encoding_unknown", "不完整"),
        (b"\xef\xbb\xbf" + HEADER.encode() + b"\n\xff\xff", "encoding_unknown", "第 2 行"),
    ],
)
def test_what_is_no_csv_is_named(content: bytes, code: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "volunteers.csv").write_bytes(content)
    error = refusal(tmp_path)
    assert (error.code, word in error.message("zh-CN")) == (code, True)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_read_with_a_mark_and_without(encoding: str, tmp_path: Path) -> None:
    text = "志愿者编号,姓名,所属组织,注册时间\r\nV1,兰,O1,2020-01-01\r\n"
    (tmp_path / "名单.csv").write_bytes(text.encode(encoding))
    (source,) = plan_directory(tmp_path).files
    assert [cells[0] for _, cells in source.rows()] == ["V1"]  # type: ignore[index]


def test_a_folder_of_workbooks_says_how_to_save_them(tmp_path: Path) -> None:
    (tmp_path / "志愿者.xlsx").write_bytes(b"PK\x03\x04")
    told = refusal(tmp_path).message("zh-CN")
    assert "志愿者.xlsx" in told
    assert "另存为 CSV" in told
    assert "volunteers.csv" in told


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "volunteers.csv").mkdir()
    assert refusal(tmp_path).code == "file_not_regular"


def test_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "volunteers.csv").write_text(HEADER, "utf-8")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", denied)
        assert refusal(tmp_path).code == "file_unreadable"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", denied)
        assert refusal(tmp_path).code == "folder_unreadable"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_make_the_import_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "volunteers.csv")
    assert refusal(tmp_path).code == "file_not_regular"


def test_a_table_is_known_by_its_chinese_name_too(tmp_path: Path) -> None:
    for name in ("组织", "服务队", "项目", "志愿者", "服务记录"):
        (tmp_path / f"{name}.csv").write_text("编号;名称;备注\nX1;甲;\n", "utf-8")
        error = refusal(tmp_path)
        assert error.code in ("file_columns_missing", "header_missing")
        assert error.values["file"] == f"{name}.csv"
        (tmp_path / f"{name}.csv").unlink()
    (tmp_path / "志愿者.csv").write_text("编号;姓名;所属组织;注册时间;a;b;c;d;e\n", "utf-8")
    assert [file.entity for file in plan_directory(tmp_path).files] == ["volunteers"]


@pytest.mark.parametrize(
    ("content", "zh", "en"),
    [
        ("志愿者编号,姓名,备注\nV1,张三丰,\n", "缺少列：所属组织编号、注册时间。", "lacks the columns: 所属组织编号"),
        ("张三丰,1990-03-15\n", "第一行没有认识的列名", "no title that is known"),
        ("组织编号,组织名称,甲,乙,丙\n", "请把文件改名为 organizations.csv", "name the file organizations.csv"),
        (None, "另存为 CSV", "save each as CSV"),
    ],
)  # fmt: skip
def test_a_file_that_is_left_out_is_told(content: str | None, zh: str, en: str, tmp_path: Path) -> None:
    (tmp_path / "volunteers.csv").write_text(f"{HEADER}\n{PERSON}\n", "utf-8")
    name = "名册.csv" if content is not None else "名册.xlsx"
    (tmp_path / name).write_bytes((content or "PK").encode())
    (left,) = plan_directory(tmp_path).left_out
    assert left.file == name
    for language, words in (("zh-CN", zh), ("en", en)):
        with messages.in_language(language):
            assert words in str(left.why)
            assert not [word for word in PRIVATE if word in str(left.why)]
