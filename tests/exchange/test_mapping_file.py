"""A mapping with a mistake: which line, what is wrong, what is allowed, in the reader's language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from volunteerkit.errors import ImportRefused
from volunteerkit.exchange import plan_directory
from volunteerkit.messages import LANGUAGES

RIGHT = """source = "外来系统"
zone = "Asia/Shanghai"
[[file]]
name = "人员.csv"
entity = "volunteers"
[file.columns]
volunteer_id = "工号"
name = "称呼"
org_id = { constant = "O1" }
registered_at = { column = "入会", formats = ["%Y.%m.%d"] }
"""
HEADER = "工号,称呼,入会\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "人员.csv").write_text(f"{HEADER}A1,张三丰,2020.01.01\n", "utf-8")
    return tmp_path


def refusal(folder: Path, mapping: str | bytes) -> str:
    (folder / "m.toml").write_bytes(mapping if isinstance(mapping, bytes) else mapping.encode())
    with pytest.raises(ImportRefused) as told:
        plan_directory(folder, folder / "m.toml")
    zh, en = (told.value.message(language) for language in LANGUAGES)
    assert zh != en
    for text in (zh, en):
        assert not re.search(r"datetime|NoneType|Error\b|<class|\[\d+\]\[|None", text), text
        assert "张三丰" not in text
    return zh


def test_the_right_one_is_right(folder: Path) -> None:
    (folder / "m.toml").write_text(RIGHT, "utf-8")
    (source,) = plan_directory(folder, folder / "m.toml").files
    assert [list(cells)[:2] for _, cells in source.rows()] == [["A1", "张三丰"]]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"外来系统"', "外来系统", "第 1 行第 10 列：不是合法的 TOML"),
        ("[[file]]", "[[file]", "第 3 行"),
        ('name = "称呼"', 'name = "称呼"\nname = "工号"', "是否写了两次"),
        ('"Asia/Shanghai"', '"Asia/Shanghia"', "第 2 行，zone：zone 的值 'Asia/Shanghia' 不可接受。允许的是：时区名称，您要写的可能是 Asia/Shanghai"),
        ('"Asia/Shanghai"', "2020-01-01", "第 2 行，zone：这里应是加引号的文字"),
        ("zone =", "zoen =", "第 2 行，zoen：不认识的键“zoen”。是否想写“zone”？"),
        ("[[file]]", "[file]", "第 3 行，file：每个要读的表各写一段 [[file]]"),
        ('"volunteers"', '"志愿者"', "第 5 行，file[0].entity：没有名为“志愿者”的表。可用：organizations"),
        ('"volunteers"', '"volunteers"\nrounding = "nearest"', "第 6 行，file[0].rounding：rounding 只能是"),
        ('"volunteers"', '"volunteers"\nclose_after_minutes = 0', "第 6 行，file[0].close_after_minutes：close_after_minutes 的值 0 不可接受"),
        ('"volunteers"', '"volunteers"\ndistinct = "是"', "第 6 行，file[0].distinct：这里应是 true 或 false"),
        ('name = "称呼"', 'nmae = "称呼"', "第 8 行，file[0].columns.nmae：表 volunteers 没有字段“nmae”。是否想写“name”？"),
        ('name = "称呼"', "name = 3", "第 8 行，file[0].columns.name：这里应是列名"),
        ('name = "称呼"', 'name = { column = "称呼", join = ["工号"] }', "第 8 行，file[0].columns.name：只能从一处取值，这里却写了：column, join"),
        ('name = "称呼"', 'name = { join = "称呼" }', "第 8 行，file[0].columns.name.join：这里应是列表"),
        ("%Y.%m.%d", "YYYY.MM.DD", "第 10 行，file[0].columns.registered_at.formats：看不懂的格式“YYYY.MM.DD”"),
        ("%Y.%m.%d", "%Y.%Q", "看不懂的格式“%Y.%Q”"),
        ("人员.csv", "人员表.csv", "没有映射所说的文件 人员表.csv。是否想写“人员.csv”？"),
        ("入会", "入会日", "没有列“入会日”。是否想写“入会”？它的列是：工号, 称呼, 入会。"),
        (RIGHT, "", "缺少“source”"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_line(old: str, new: str, said: str, folder: Path) -> None:
    assert said in refusal(folder, RIGHT.replace(old, new, 1))


def test_a_mapping_in_another_encoding(folder: Path) -> None:
    assert "不是 UTF-8" in refusal(folder, RIGHT.encode("gb18030"))


def test_a_file_without_its_header_tells_nobodys_data(folder: Path) -> None:
    (folder / "人员.csv").write_text("A1,张三丰,2020.01.01\n", "utf-8")
    assert "它的列是：#1, #2, #3。" in refusal(folder, RIGHT)
